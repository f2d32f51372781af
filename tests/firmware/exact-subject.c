/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See exact-subject.h.
 */
#include "exact-subject.h"

#include <check.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"
#define MEMTEST "/boot/memtest86+ia32.bin"
#define SECTORS 2048u
#define AFTER_LINE_US 30000000u

#define TRAP(guest)                                                                            \
    {                                                                                          \
        .name = guest, .how = EXACT_TRAP, .file = guest ".bin", .ram_mib = 4, .limit_us = 5000 \
    }

const ExactGuest exact_guests[] = {
    TRAP("rep"),
    TRAP("ring3"),
    TRAP("paging"),
    TRAP("mmio"),
    TRAP("shadow"),
    TRAP("cpu"),
    TRAP("smc"),
    TRAP("exceptions"),
    TRAP("flags"),
    TRAP("cuts"),
    TRAP("stops"),
    TRAP("remap"),
    { "determinism", EXACT_TRAP, "determinism.bin", .ram_mib = 4, .limit_us = 50000 },
    { "registers", EXACT_TRAP, "registers.bin", "qemu64", .ram_mib = 4, .limit_us = 5000 },
    { "pam", EXACT_FIRMWARE, PAM_GUEST, .ram_mib = 4, .limit_us = 1000000 },
    { "reset", EXACT_FIRMWARE, RESET_GUEST, .ram_mib = 4, .limit_us = 3000000, .resets = true },
    { "clocks", EXACT_ELF, CLOCKS_GUEST, .ram_mib = 16, .limit_us = 3500000,
      .line = "hello, guest" },
    { "disk", EXACT_ELF, DISK_GUEST, .ram_mib = 16, .limit_us = 20000000, .drive = true },
    { "faults", EXACT_ELF, FAULTS_GUEST, "qemu64", .ram_mib = 16, .limit_us = 5000000 },
    { "memory", EXACT_ELF, MEMORY_GUEST, .ram_mib = 64, .limit_us = 5000000, .helper = true,
      .no_steps = true },
    { "rings", EXACT_ELF, RINGS_GUEST, .ram_mib = 16, .limit_us = 5000000 },
    { "seabios-real", EXACT_DISK, REAL_GUEST, .ram_mib = 16, .limit_us = 20000000,
      .in_firmware = true },
    { "seabios-rings", EXACT_DISK, BOOT_RINGS_GUEST, .ram_mib = 16, .limit_us = 20000000 },
    { "memtest86+", EXACT_LINUX, MEMTEST, .ram_mib = 24, .limit_us = 400000 },
};
const unsigned exact_n_guests = G_N_ELEMENTS(exact_guests);

/* ---- disks ---- */

static bool has_image(const ExactGuest *guest)
{
    return guest->how == EXACT_DISK || guest->drive;
}

static char *image_of(const ExactGuest *guest, const char *folder)
{
    g_autofree char *name = g_strdup_printf("%s.img", guest->name);

    return g_build_filename(folder, name, NULL);
}

/* Each sector says its number, as disk.c and real.asm want it; the program lies over them. */
static void make_image(const ExactGuest *guest, const char *path)
{
    g_autofree uint16_t *words = g_new0(uint16_t, SECTORS * DEV_SECTOR_SIZE / 2);
    g_autoptr(GError) error = NULL;

    for (uint32_t lba = 0; lba < SECTORS; lba++) {
        uint16_t *sector = words + lba * DEV_SECTOR_SIZE / 2;

        for (unsigned i = 0; i < DEV_SECTOR_SIZE / 2; i++) {
            sector[i] = GUINT16_TO_LE(i == 0 ? lba : i == 1 ? 0 : (uint16_t)(lba * 3 + i));
        }
    }
    if (guest->how == EXACT_DISK) {
        g_autoptr(GBytes) program = emu_file_read(guest->file, 64 * DEV_SECTOR_SIZE, &error);

        ck_assert_msg(program != NULL, "%s", error != NULL ? error->message : "");
        memcpy(words, g_bytes_get_data(program, NULL), g_bytes_get_size(program));
    }
    ck_assert(g_file_set_contents(path, (const char *)words, SECTORS * DEV_SECTOR_SIZE, NULL));
}

void exact_make_images(const char *folder)
{
    for (unsigned i = 0; i < exact_n_guests; i++) {
        if (has_image(&exact_guests[i])) {
            g_autofree char *path = image_of(&exact_guests[i], folder);

            make_image(&exact_guests[i], path);
        }
    }
}

void exact_remove_images(const char *folder)
{
    for (unsigned i = 0; i < exact_n_guests; i++) {
        if (has_image(&exact_guests[i])) {
            g_autofree char *path = image_of(&exact_guests[i], folder);

            g_unlink(path);
        }
    }
}

/* ---- machines ---- */

static void on_console(void *user, const uint8_t *bytes, size_t len)
{
    const ExactSubject *subject = user;

    g_string_append_len(subject->out, (const char *)bytes, (gssize)len);
}

static void on_port(void *user, bool write, uint16_t port, unsigned size, uint32_t value)
{
    const ExactSubject *subject = user;
    ExactAccess access = { .ns = exact_subject_now(subject),
                           .what = (uint64_t)write << 56 | (uint64_t)port << 40 |
                                   (uint64_t)size << 32 | value };

    g_array_append_val(subject->trace, access);
    if (subject->on_port != NULL) {
        subject->on_port(subject->on_port_user, write, port, size, value);
    }
}

static void init_trap(ExactSubject *subject)
{
    const ExactGuest *guest = subject->guest;

    subject->fixture = fixture_new_cpu(guest->ram_mib, guest->cpu);
    subject->machine = subject->fixture->machine;
    fixture_add_state(subject->fixture);
    if (strcmp(guest->name, "remap") == 0) {
        fixture_load_remap(subject->fixture);
    } else {
        fixture_load_flat(subject->fixture, guest->file);
    }
    emu_console_add_sink(emu_machine_console(subject->machine, "test"), on_console, subject);
}

static void init_pc(ExactSubject *subject, const char *folder)
{
    const ExactGuest *guest = subject->guest;
    g_autofree char *image = has_image(guest) ? image_of(guest, folder) : NULL;
    FirmwareOptions options = { .bios = guest->how == EXACT_FIRMWARE ? guest->file : SEABIOS,
                                .ram = (uint64_t)guest->ram_mib << 20,
                                .cpu = guest->cpu,
                                .drive = image };

    firmware_pc_init_with(&subject->pc, &options);
    subject->machine = subject->pc.machine;
    emu_console_add_sink(emu_machine_console(subject->machine, "serial0"), on_console, subject);
    emu_console_add_sink(emu_machine_console(subject->machine, "debugcon"), on_console, subject);
    if (guest->how == EXACT_ELF) {
        firmware_pc_load_elf(&subject->pc, guest->file);
    } else if (guest->how == EXACT_LINUX) {
        g_autoptr(GError) error = NULL;
        EmuLinuxBoot boot = { .kernel = guest->file, .append = "console=ttyS0,115200" };

        ck_assert_msg(emu_load_linux(subject->machine, &boot, &error), "%s",
                      error != NULL ? error->message : "");
    }
    if (guest->helper) {
        helper_device_init(&subject->helper, subject->machine);
    }
}

void exact_subject_init(ExactSubject *subject, const ExactGuest *guest, const char *folder)
{
    memset(subject, 0, sizeof(*subject));
    subject->guest = guest;
    subject->out = g_string_new(NULL);
    subject->trace = g_array_new(FALSE, FALSE, sizeof(ExactAccess));
    if (guest->how == EXACT_TRAP) {
        init_trap(subject);
    } else {
        init_pc(subject, folder);
    }
    emu_machine_set_port_hook(subject->machine, on_port, subject);
}

void exact_subject_clear(ExactSubject *subject)
{
    if (subject->guest->helper) {
        helper_device_clear(&subject->helper);
    }
    if (subject->fixture != NULL) {
        fixture_free(subject->fixture);
    } else {
        firmware_pc_clear(&subject->pc);
    }
    g_string_free(subject->out, TRUE);
    g_array_unref(subject->trace);
}

uint64_t exact_subject_now(const ExactSubject *subject)
{
    return emu_clock_now(emu_machine_clock(subject->machine));
}

/* ---- running ---- */

/* Whether the run goes on after @stop. */
static bool serve(ExactSubject *subject, const EmuStop *stop)
{
    if (stop->reason == EMU_STOP_REQUEST && subject->guest->helper) {
        return helper_device_serve(&subject->helper);
    }
    if (subject->guest->resets &&
        (stop->reason == EMU_STOP_RESET || stop->reason == EMU_STOP_DEBUG_EXIT)) {
        emu_machine_reset(subject->machine);
        return true;
    }
    return false;
}

EmuStop exact_subject_run(ExactSubject *subject, uint64_t until_ns)
{
    EmuStop stop;

    do {
        stop = emu_machine_run(subject->machine, until_ns);
    } while (serve(subject, &stop));
    return stop;
}

EmuStop exact_subject_step(ExactSubject *subject)
{
    EmuStop stop = emu_machine_step(subject->machine, 1);

    if (serve(subject, &stop)) {
        stop.reason = EMU_STOP_STEP;
    }
    return stop;
}

void exact_subject_end(ExactSubject *subject, const EmuStop *stop, ExactEnd *ret_end)
{
    *ret_end = (ExactEnd) { .reason = stop->reason,
                            .code = stop->code,
                            .ns = exact_subject_now(subject),
                            .bytes = emu_machine_clock(subject->machine)->bytes,
                            .hash = subject->fixture != NULL ? fixture_ram_hash(subject->fixture)
                                                             : firmware_pc_hash(&subject->pc) };
}

void exact_subject_finish(ExactSubject *subject, ExactEnd *ret_end)
{
    const ExactGuest *guest = subject->guest;
    EmuStop stop;

    do { /* breakpoints are the searcher's */
        stop = exact_subject_run(subject, guest->limit_us * UINT64_C(1000));
    } while (stop.reason == EMU_STOP_BREAKPOINT);
    if (guest->line != NULL) {
        size_t len = strlen(guest->line);

        ck_assert_uint_eq(emu_console_feed(emu_machine_console(subject->machine, "serial0"),
                                           (const uint8_t *)guest->line, len),
                          len);
        stop = exact_subject_run(subject, (guest->limit_us + AFTER_LINE_US) * UINT64_C(1000));
    }
    exact_subject_end(subject, &stop, ret_end);
}

static uint64_t sum(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

char *exact_describe(const ExactEnd *end, const GString *out, size_t out_from, const GArray *trace,
                     size_t trace_from)
{
    g_assert(out_from <= out->len && trace_from <= trace->len);
    return g_strdup_printf("stop %u code 0x%x at %" PRIu64 " ns, %" PRIu64 " bytes, RAM %016" PRIx64
                           ", console %zu %016" PRIx64 ", ports %zu %016" PRIx64,
                           (unsigned)end->reason, end->code, end->ns, end->bytes, end->hash,
                           out->len - out_from, sum(out->str + out_from, out->len - out_from),
                           trace->len - trace_from,
                           sum(&g_array_index(trace, ExactAccess, trace_from),
                               (trace->len - trace_from) * sizeof(ExactAccess)));
}
