/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tests/machine-fixture.h.
 */
#include "machine-fixture.h"

#include "emu/loader.h"
#include "emu/state-units.h"
#include "memsys/access.h"
#include "memsys/mm.h"
#include "memsys/rom.h"

#include <check.h>
#include <string.h>

/* ---- the device ---- */

static void record(Fixture *fixture, FixtureKind kind, uint32_t address, unsigned size,
                   uint64_t value)
{
    FixtureAccess access = { .time = emu_clock_now(fixture->machine->clock),
                             .value = value,
                             .address = address,
                             .size = (uint8_t)size,
                             .kind = (uint8_t)kind };

    if (fixture->log->len < FIXTURE_MAX_LOG) {
        g_array_append_val(fixture->log, access);
    }
}

static void tick(void *user)
{
    Fixture *fixture = user;

    fixture->n_ticks++;
    fixture->deadline += fixture->period_ns;
    emu_timer_set(fixture->timer, fixture->deadline);
    emu_line_set(&fixture->intr, true);
}

static void set_period(Fixture *fixture, uint32_t period_ns)
{
    fixture->period_ns = period_ns;
    emu_timer_cancel(fixture->timer);
    if (period_ns != 0) {
        /* The rhythm does not shift by the least latency of the clock. */
        fixture->deadline = emu_clock_now(fixture->machine->clock) + MAX(period_ns, 10000);
        emu_timer_set(fixture->timer, fixture->deadline);
    }
}

static uint8_t acknowledge(void *user)
{
    Fixture *fixture = user;

    emu_line_set(&fixture->intr, false);
    return 0x20;
}

static void port_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    Fixture *fixture = user;

    record(fixture, FIXTURE_OUT, port, size, value);
    switch (port) {
    case 0xe0:
        set_period(fixture, value);
        break;
    case 0xe1:
        emu_line_set(&fixture->intr, true);
        break;
    case 0xe2:
        if (fixture->hook != NULL) {
            fixture->hook(fixture, value);
        }
        break;
    case 0xea:
        emu_line_set(&fixture->intr, false);
        break;
    case 0xf0:
        fixture->n_done++;
        fixture->n_checks = value;
        break;
    case 0xf1:
        if (fixture->n_failed++ == 0) {
            fixture->failed_at = value;
        }
        break;
    case 0xf8:
        emu_console_write(emu_machine_console(fixture->machine, "test"), (uint8_t)value);
        break;
    default:
        break;
    }
}

static uint32_t port_read(void *user, uint16_t port, unsigned size)
{
    Fixture *fixture = user;
    uint32_t value = UINT32_MAX;

    switch (port) {
    case 0xe0:
        value = fixture->n_ticks;
        break;
    case 0xe2:
        value = fixture->script_at < fixture->n_script ? fixture->script[fixture->script_at++] : 0;
        break;
    case 0xe6:
        value = (uint32_t)emu_clock_now(fixture->machine->clock);
        break;
    default:
        break;
    }
    record(fixture, FIXTURE_IN, port, size, value);
    return value;
}

static MemStatus mmio_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    Fixture *fixture = user;

    *ret_value = 0;
    if (offset + size <= sizeof(fixture->registers)) {
        memcpy(ret_value, fixture->registers + offset, size);
    } else {
        *ret_value = emu_clock_now(fixture->machine->clock);
    }
    record(fixture, FIXTURE_MMIO_READ, (uint32_t)offset, size, *ret_value);
    return MEM_OK;
}

static MemStatus mmio_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    Fixture *fixture = user;

    record(fixture, FIXTURE_MMIO_WRITE, (uint32_t)offset, size, value);
    if (offset + size <= sizeof(fixture->registers)) {
        memcpy(fixture->registers + offset, &value, size);
    }
    return MEM_OK;
}

static void on_console(void *user, const uint8_t *bytes, size_t len)
{
    Fixture *fixture = user;

    g_string_append_len(fixture->console, (const char *)bytes, (gssize)len);
}

/* ---- set-up ---- */

static void add_devices(Fixture *fixture)
{
    static const EmuPortOps port_ops = { .read = port_read, .write = port_write, .sizes = 7 };
    static const PgmMmioOps mmio_ops = {
        .read = mmio_read, .write = mmio_write, .min_size = 1, .max_size = 8, .unaligned = true
    };
    EmuMachine *machine = fixture->machine;

    ck_assert_uint_ne(emu_ports_add(machine->ports, 0xe0, 0x20, &port_ops, fixture, "test", NULL),
                      0);
    fixture->timer = emu_timer_new(machine->clock, "test", tick, fixture);
    fixture->intr = emu_machine_pin_intr(machine);
    emu_machine_set_int_ack(machine, acknowledge, fixture);
    fixture->mmio = pgm_mmio_new(fixture->pgm, MEM_PAGE_SIZE, &mmio_ops, fixture, "test",
                                 "test registers", NULL);
    ck_assert_int_eq(pgm_mmio_map(fixture->mmio, FIXTURE_MMIO_BASE, NULL), MEM_OK);
    emu_console_add_sink(emu_machine_console(machine, "test"), on_console, fixture);
}

Fixture *fixture_new(unsigned ram_mib)
{
    return fixture_new_cpu(ram_mib, NULL);
}

Fixture *fixture_new_cpu(unsigned ram_mib, const char *cpu)
{
    EmuMachineConfig config = { .cpu = cpu };

    return fixture_new_config(ram_mib, &config);
}

Fixture *fixture_new_config(unsigned ram_mib, const EmuMachineConfig *config)
{
    static uint8_t rom[0x10000];
    static const uint8_t jump[] = { 0xea, 0x00, 0x7c, 0x00, 0x00 };
    Fixture *fixture = g_new0(Fixture, 1);
    GError *error = NULL;

    fixture->machine = emu_machine_new(config, &error);
    ck_assert_msg(fixture->machine != NULL, "%s", error != NULL ? error->message : "");
    fixture->pgm = fixture->machine->pgm;
    fixture->ram_size = (uint64_t)ram_mib << 20;
    fixture->log = g_array_new(FALSE, FALSE, sizeof(FixtureAccess));
    fixture->console = g_string_new(NULL);
    ck_assert_int_eq(mm_register_x86(fixture->pgm, fixture->ram_size, 0, NULL), MEM_OK);
    memcpy(rom + 0xfff0, jump, sizeof(jump));
    ck_assert_int_eq(pgm_rom_register(fixture->pgm, 0xffff0000, sizeof(rom), rom, sizeof(rom), 0xff,
                                      0, "test", "reset vector", NULL),
                     MEM_OK);
    add_devices(fixture);
    emu_machine_reset(fixture->machine);
    return fixture;
}

void fixture_free(Fixture *fixture)
{
    if (fixture == NULL) {
        return;
    }
    GString *report = g_string_new(NULL);
    unsigned n = pgm_verify(fixture->pgm, report);

    ck_assert_msg(n == 0, "memory is not sound: %s", report->str);
    g_string_free(report, TRUE);
    emu_timer_free(fixture->timer);
    emu_machine_free(fixture->machine);
    g_array_unref(fixture->log);
    g_string_free(fixture->console, TRUE);
    g_free(fixture);
}

void fixture_poke(Fixture *fixture, GPhys gpa, const void *bytes, size_t len)
{
    ck_assert_int_eq(pgm_write(fixture->pgm, gpa, bytes, len, MEM_ORIGIN_LOADER), MEM_OK);
}

uint32_t fixture_peek32(Fixture *fixture, GPhys gpa)
{
    uint32_t value = 0;

    ck_assert_int_eq(pgm_peek(fixture->pgm, gpa, &value, 4), MEM_OK);
    return value;
}

static void load(Fixture *fixture, const char *guest, GPhys gpa)
{
    char *path = g_build_filename(GUESTS, guest, NULL);
    char *bytes;
    gsize len;
    GError *error = NULL;

    ck_assert_msg(g_file_get_contents(path, &bytes, &len, &error), "%s",
                  error != NULL ? error->message : "");
    fixture_poke(fixture, gpa, bytes, len);
    g_free(bytes);
    g_free(path);
}

void fixture_load_flat(Fixture *fixture, const char *guest)
{
    load(fixture, guest, FIXTURE_FLAT_ENTRY);
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));
}

void fixture_load_real(Fixture *fixture, const char *guest)
{
    load(fixture, guest, 0x7c00);
}

/* ---- remap.bin ---- */

/* The number in the routine's MOV; see tests/guests/traps/remap.asm. */
#define NUMBER_AT 8

static void change(Fixture *asking, uint32_t what)
{
    uint32_t number = 0x2222;

    switch (what) {
    case 0:
        break;
    case 1: /* as a device writes by DMA */
        ck_assert_int_eq(
            pgm_write(asking->pgm, 0x200000 + NUMBER_AT, &number, 4, MEM_ORIGIN_DEVICE), MEM_OK);
        break;
    case 2:
        ck_assert_int_eq(
            pgm_rom_protect(asking->pgm, 0xc0000, MEM_PAGE_SIZE, PGM_ROM_READ_RAM_WRITE_RAM),
            MEM_OK);
        break;
    case 3:
        ck_assert_int_eq(pgm_mmio2_unmap(asking->mmio2), MEM_OK);
        break;
    default:
        pgm_cpu_set_a20(asking->machine->core.cpu, what != 4);
        break;
    }
}

/* The routine as the guest has it, with another number. */
static void read_routine(Fixture *fixture, uint8_t *bytes, uint32_t number)
{
    GPhys at = FIXTURE_FLAT_ENTRY;
    uint8_t window[13];
    static const uint8_t start[] = { 0xb9, 0xe8, 0x03, 0, 0, 0x31, 0xf6, 0xb8, 0x11, 0x11 };

    do {
        ck_assert_int_eq(pgm_peek(fixture->pgm, ++at, window, sizeof(window)), MEM_OK);
        ck_assert_uint_lt(at, FIXTURE_FLAT_ENTRY + 0x2000);
    } while (memcmp(window, start, sizeof(start)) != 0);
    ck_assert_int_eq(pgm_peek(fixture->pgm, at, bytes, 128), MEM_OK);
    memcpy(bytes + NUMBER_AT, &number, 4);
}

void fixture_load_remap(Fixture *fixture)
{
    static uint8_t rom[MEM_PAGE_SIZE];
    uint8_t routine[128];

    fixture_load_flat(fixture, "remap.bin");
    read_routine(fixture, rom, 0x1111);
    ck_assert_int_eq(pgm_rom_register(fixture->pgm, 0xc0000, MEM_PAGE_SIZE, rom, sizeof(rom), 0xff,
                                      PGM_ROM_FLAG_SHADOWED, "test", "rom", NULL),
                     MEM_OK);
    ck_assert_int_eq(
        pgm_rom_protect(fixture->pgm, 0xc0000, MEM_PAGE_SIZE, PGM_ROM_READ_ROM_WRITE_RAM), MEM_OK);
    read_routine(fixture, routine, 0x3333);
    fixture_poke(fixture, 0xc0000, routine, sizeof(routine));
    read_routine(fixture, routine, 0x4444);
    fixture_poke(fixture, 0x210000, routine, sizeof(routine));
    fixture->mmio2 =
        pgm_mmio2_new(fixture->pgm, "test", 0, MEM_PAGE_SIZE, false, "frame buffer", NULL);
    ck_assert_int_eq(pgm_mmio2_map(fixture->mmio2, 0x210000, NULL), MEM_OK);
    read_routine(fixture, routine, 0x1111);
    fixture_poke(fixture, 0x210000, routine, sizeof(routine));
    fixture->hook = change;
}

/* ---- its state ---- */

static const EmuField device_fields[] = {
    EMU_FIELD_ARRAY(Fixture, registers), EMU_FIELD(Fixture, period_ns),
    EMU_FIELD(Fixture, deadline),        EMU_FIELD(Fixture, n_ticks),
    EMU_FIELD(Fixture, script_at),       EMU_FIELD(Fixture, n_done),
    EMU_FIELD(Fixture, n_checks),        EMU_FIELD(Fixture, n_failed),
    EMU_FIELD(Fixture, failed_at),
};

static unsigned device_parts(void *user, EmuStatePart *ret_parts)
{
    ret_parts[0] = (EmuStatePart) { .desc = { .name = "test",
                                              .version = 1,
                                              .size = sizeof(Fixture),
                                              .fields = device_fields,
                                              .n_fields = G_N_ELEMENTS(device_fields) },
                                    .state = user };
    return 1;
}

void fixture_add_state(Fixture *fixture)
{
    static const EmuStateUnit unit = { .name = "test", .version = 1, .parts = device_parts };

    emu_machine_add_state(fixture->machine, &unit, fixture);
}

/* ---- running ---- */

const char *fixture_mode_name(FixtureMode mode)
{
    static const char *const names[FIXTURE_N_MODES] = {
        "free",
        "stepped by 1",
        "stepped by 1000",
        "in slices of time",
        "paused in time",
        "breakpoints",
        "watches on data",
        "watches on all",
        "stopped by a thread",
    };

    return names[mode];
}

static EmuStop run_stepped(Fixture *fixture, uint64_t n, uint64_t until_ns)
{
    for (;;) {
        EmuStop stop = emu_machine_step(fixture->machine, n);

        if (stop.reason != EMU_STOP_STEP || emu_clock_now(fixture->machine->clock) >= until_ns) {
            return stop;
        }
    }
}

static EmuStop run_sliced(Fixture *fixture, uint64_t until_ns)
{
    uint64_t seed = 0x243f6a8885a308d3;

    for (;;) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;

        uint64_t ns = emu_clock_now(fixture->machine->clock) + 1 + (seed >> 33) % 997;
        EmuStop stop = emu_machine_run(fixture->machine, MIN(ns, until_ns));

        if (stop.reason != EMU_STOP_TIME || ns >= until_ns) {
            return stop;
        }
    }
}

static EmuStop run_paused(Fixture *fixture, uint64_t until_ns)
{
    uint64_t seed = 0x13198a2e03707344;
    EmuStop stop;

    do {
        seed = seed * 6364136223846793005u + 1442695040888963407u;

        uint64_t ns = emu_clock_now(fixture->machine->clock) + 1 + (seed >> 33) % 997;

        stop = emu_machine_run_until(fixture->machine, ns, until_ns);
    } while (stop.reason == EMU_STOP_PAUSE);
    return stop;
}

static EmuStop run_with_breakpoints(Fixture *fixture, uint64_t until_ns)
{
    /* Many lie inside instructions, where none is ever met. */
    for (GVirt va = FIXTURE_FLAT_ENTRY; va < FIXTURE_FLAT_ENTRY + 0x1000; va += 21) {
        ck_assert(emu_machine_add_breakpoint(fixture->machine, va, NULL));
    }
    for (;;) {
        EmuStop stop = emu_machine_run(fixture->machine, until_ns);

        if (stop.reason != EMU_STOP_BREAKPOINT) {
            return stop;
        }
    }
}

static void on_watch(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    Fixture *fixture = user;

    (void)pgm;
    (void)hit;
    fixture->n_watch_hits++;
}

static EmuStop run_watched(Fixture *fixture, GPhys start, uint64_t len, uint64_t until_ns)
{
    PgmWatch *watch = pgm_watch_new(fixture->pgm, start, len, MEM_ACCESS_READ | MEM_ACCESS_WRITE,
                                    false, on_watch, fixture, NULL);

    ck_assert_ptr_nonnull(watch);

    EmuStop stop = emu_machine_run(fixture->machine, until_ns);

    pgm_watch_free(watch);
    return stop;
}

typedef struct Stopper {
    EmuMachine *machine;
    gint done; /* atomic */
} Stopper;

static void *stop_often(void *user)
{
    Stopper *stopper = user;
    GRand *random = g_rand_new_with_seed(7);

    while (g_atomic_int_get(&stopper->done) == 0) {
        emu_machine_request_stop(stopper->machine);
        g_usleep((gulong)g_rand_int_range(random, 1, 60));
    }
    g_rand_free(random);
    return NULL;
}

static EmuStop run_threaded(Fixture *fixture, uint64_t until_ns)
{
    Stopper stopper = { .machine = fixture->machine };
    GThread *thread = g_thread_new("stopper", stop_often, &stopper);
    EmuStop stop;

    do {
        stop = emu_machine_run(fixture->machine, until_ns);
    } while (stop.reason == EMU_STOP_REQUEST);
    g_atomic_int_set(&stopper.done, 1);
    g_thread_join(thread);
    return stop;
}

EmuStop fixture_run(Fixture *fixture, FixtureMode mode, uint64_t until_ns)
{
    switch (mode) {
    case FIXTURE_STEP_1:
        return run_stepped(fixture, 1, until_ns);
    case FIXTURE_STEP_1000:
        return run_stepped(fixture, 1000, until_ns);
    case FIXTURE_SLICES:
        return run_sliced(fixture, until_ns);
    case FIXTURE_PAUSES:
        return run_paused(fixture, until_ns);
    case FIXTURE_BREAKPOINTS:
        return run_with_breakpoints(fixture, until_ns);
    case FIXTURE_WATCH_DATA:
        return run_watched(fixture, 0x78000, fixture->ram_size - 0x78000, until_ns);
    case FIXTURE_WATCH_ALL:
        return run_watched(fixture, 0, fixture->ram_size, until_ns);
    case FIXTURE_THREAD:
        return run_threaded(fixture, until_ns);
    case FIXTURE_FREE:
    case FIXTURE_N_MODES:
        break;
    }
    return emu_machine_run(fixture->machine, until_ns);
}

/* ---- outcomes ---- */

uint64_t fixture_ram_hash(Fixture *fixture)
{
    static uint64_t words[MEM_PAGE_SIZE / 8];
    uint64_t hash = 0xcbf29ce484222325;

    for (GPhys gpa = 0; gpa < fixture->ram_size; gpa += MEM_PAGE_SIZE) {
        if (gpa >= 0xa0000 && gpa < 0x100000) {
            continue; /* no RAM there */
        }
        ck_assert_int_eq(pgm_peek(fixture->pgm, gpa, words, sizeof(words)), MEM_OK);
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
            hash = (hash ^ words[i]) * 0x100000001b3;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

void fixture_outcome_init(FixtureOutcome *outcome, Fixture *fixture, const EmuStop *stop)
{
    EmuMachineStats stats;

    emu_machine_get_stats(fixture->machine, &stats);
    *outcome = (FixtureOutcome) { .stop = *stop,
                                  .ns = stats.guest_ns,
                                  .bytes = stats.bytes_executed,
                                  .ram_hash = fixture_ram_hash(fixture),
                                  .interrupts = stats.interrupts,
                                  .exceptions = stats.exceptions,
                                  .halts = stats.halts,
                                  .console = g_strdup(fixture->console->str),
                                  .log = g_array_ref(fixture->log) };
}

void fixture_outcome_clear(FixtureOutcome *outcome)
{
    g_free(outcome->console);
    g_array_unref(outcome->log);
    memset(outcome, 0, sizeof(*outcome));
}

static const char *const kind_names[] = { "in", "out", "mmio read", "mmio write" };

static char *log_diff(const GArray *a, const GArray *b)
{
    for (unsigned i = 0; i < MIN(a->len, b->len); i++) {
        const FixtureAccess *x = &g_array_index(a, FixtureAccess, i);
        const FixtureAccess *y = &g_array_index(b, FixtureAccess, i);

        if (x->time != y->time || x->value != y->value || x->address != y->address ||
            x->size != y->size || x->kind != y->kind) {
            return g_strdup_printf("access %u: %s 0x%x/%u = 0x%" PRIx64 " at %" PRIu64
                                   " ns, %s 0x%x/%u = 0x%" PRIx64 " at %" PRIu64 " ns",
                                   i, kind_names[x->kind], x->address, x->size, x->value, x->time,
                                   kind_names[y->kind], y->address, y->size, y->value, y->time);
        }
    }
    return a->len != b->len ? g_strdup_printf("accesses: %u, %u", a->len, b->len) : NULL;
}

char *fixture_outcome_diff(const FixtureOutcome *a, const FixtureOutcome *b)
{
    const struct {
        const char *name;
        uint64_t a, b;
    } rows[] = {
        { "stop", a->stop.reason, b->stop.reason },
        { "time", a->ns, b->ns },
        { "bytes of code", a->bytes, b->bytes },
        { "interrupts", a->interrupts, b->interrupts },
        { "exceptions", a->exceptions, b->exceptions },
        { "halts", a->halts, b->halts },
        { "RAM hash", a->ram_hash, b->ram_hash },
    };
    char *diff = log_diff(a->log, b->log);

    if (diff != NULL) {
        return diff;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].a != rows[i].b) {
            return g_strdup_printf("%s: %" PRIu64 ", %" PRIu64 " (%s; %s)", rows[i].name, rows[i].a,
                                   rows[i].b, a->stop.text, b->stop.text);
        }
    }
    return strcmp(a->console, b->console) != 0 ? g_strdup("console") : NULL;
}
