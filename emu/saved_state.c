/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines in files. Written in one go; read in three steps: everything is read and checked beside
 * the machine, a snapshot of it is taken, then it is overwritten. If memory cannot be had for that,
 * the snapshot brings the old machine back.
 *
 *   unit "options"   u32 number | strings
 *   unit "machine"   string CPU model | fields of EmuMachineRecord (emu/state.h)
 *   unit "cpu"       fields of EmuCpuState
 *   unit "timers"    u32 number | each: string name, u32 instance, u64 deadline, u64 sequence
 *   one unit a chip  see emu/state-units.c
 *   units "mm", "pgm"  see memsys/saved_state.h
 */
#include "emu/saved_state.h"

#include "emu/cpu-state.h"
#include "emu/saved-internal.h"
#include "emu/snapshot-internal.h"
#include "emu/units-internal.h"
#include "memsys/os.h"

#include <string.h>

#define MAX_OPTIONS 4096
#define MAX_OPTION_LEN 65536
#define MAX_OPTIONS_LEN (1u << 20) /* of all together */
#define MAX_TIMERS 4096

bool emu_save_possible(EmuMachine *machine, GError **error)
{
    return emu_cpu_state_possible(&machine->core, error);
}

/* ---- writing */

static void put_options(MemStateWriter *writer, const EmuSaveConfig *config)
{
    const char *const *options = config != NULL ? config->options : NULL;
    uint32_t n = 0;

    while (options != NULL && options[n] != NULL) {
        n++;
    }
    mem_state_begin_unit(writer, "options", 0, 1);
    mem_state_put_u32(writer, n);
    for (uint32_t i = 0; i < n; i++) {
        mem_state_put_string(writer, options[i]);
    }
    mem_state_end_unit(writer);
}

static void put_fields(MemStateWriter *writer, const EmuStateDesc *desc, const void *state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    emu_state_save(desc, state, bytes);
    mem_state_put_u32(writer, bytes->len);
    mem_state_put(writer, bytes->data, bytes->len);
}

static void put_timers(MemStateWriter *writer, const EmuClock *clock)
{
    unsigned n = emu_clock_n_timers(clock);
    g_autofree EmuTimerRecord *records = g_new0(EmuTimerRecord, n + 1);

    emu_clock_get_timers(clock, records);
    mem_state_begin_unit(writer, "timers", 0, 1);
    mem_state_put_u32(writer, n);
    for (unsigned i = 0; i < n; i++) {
        uint32_t instance;

        mem_state_put_string(writer, emu_clock_timer_name(clock, i, &instance));
        mem_state_put_u32(writer, instance);
        mem_state_put_u64(writer, records[i].deadline);
        mem_state_put_u64(writer, records[i].sequence);
    }
    mem_state_end_unit(writer);
}

bool emu_saved_put_machine(EmuMachine *machine, MemStateWriter *writer, GError **error)
{
    EmuMachineRecord record;
    EmuCpuState cpu;

    if (!emu_cpu_state_read(&machine->core, &cpu, error)) {
        return false;
    }
    emu_machine_get_record(machine, &record);
    mem_state_begin_unit(writer, "machine", 0, 1);
    mem_state_put_string(writer, machine->cpu_name);
    put_fields(writer, &emu_machine_record_desc, &record);
    mem_state_end_unit(writer);
    mem_state_begin_unit(writer, "cpu", 0, 1);
    put_fields(writer, &emu_cpu_state_desc, &cpu);
    mem_state_end_unit(writer);
    put_timers(writer, machine->clock);
    emu_units_put(machine->units, writer);
    return true;
}

MemStateWriter *emu_saved_begin(EmuMachine *machine, const char *path, const EmuSaveConfig *config,
                                GError **error)
{
    if (!emu_save_possible(machine, error)) {
        return NULL;
    }
    MemStateWriter *writer = mem_state_writer_new(path, config != NULL ? config->level : 0, error);

    if (writer != NULL) {
        put_options(writer, config);
    }
    return writer;
}

/* In steps, so that there is something to report. */
static bool save_telling(EmuMachine *machine, const char *path, const EmuSaveConfig *config,
                         GError **error)
{
    const uint64_t step = 8192;
    EmuLiveSave *save = emu_live_save_new(machine, path, config, error);
    PgmLiveProgress progress = { 0 };
    bool ok = save != NULL;

    while (ok && !emu_live_save_step(save, step, &progress) && progress.n_left > 0 &&
           progress.pass == 0) {
    }
    ok = ok && emu_live_save_finish(save, error);
    emu_live_save_free(save);
    return ok;
}

bool emu_save(EmuMachine *machine, const char *path, const EmuSaveConfig *config, GError **error)
{
    g_assert(machine->started && !machine->running);
    if (config != NULL && config->progress != NULL) {
        return save_telling(machine, path, config, error);
    }
    g_autoptr(MemStateWriter) writer = emu_saved_begin(machine, path, config, error);

    if (writer == NULL) {
        return false;
    }
    pgm_save(machine->pgm, writer);
    return emu_saved_put_machine(machine, writer, error) && mem_state_writer_commit(writer, error);
}

/* ---- reading */

char **emu_state_options(MemStateReader *reader, GError **error)
{
    g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);
    uint32_t n = 0;
    size_t len = 0;

    if (mem_state_open_unit(reader, "options", 0, 1, error) == 0 ||
        !mem_state_get_u32(reader, &n, error)) {
        return NULL;
    }
    if (n > MAX_OPTIONS) {
        mem_state_bad(reader, error, "%u options are too many", n);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        char *option = mem_state_get_string(reader, MAX_OPTION_LEN, error);

        if (option == NULL) {
            return NULL;
        }
        g_ptr_array_add(options, option);
        len += strlen(option);
        if (len > MAX_OPTIONS_LEN) {
            mem_state_bad(reader, error, "more than %u bytes of options", MAX_OPTIONS_LEN);
            return NULL;
        }
    }
    g_ptr_array_add(options, NULL);
    return (char **)g_ptr_array_steal(options, NULL);
}

static bool get_fields(MemStateReader *reader, const EmuStateDesc *desc, void *state,
                       GError **error)
{
    uint32_t len = 0;
    size_t pos = 0;

    uint8_t *bytes = emu_units_get_bytes(reader, &len, error);
    bool ok = bytes != NULL && emu_state_load(desc, state, bytes, len, &pos, error);

    mem_os()->free(bytes);
    if (!ok) {
        return false;
    }
    return (pos == len && mem_state_unit_left(reader) == 0) ||
           mem_state_bad(reader, error, "bytes follow where its fields end");
}

/* All of a file but memory, read and checked. */
typedef struct Loaded {
    EmuMachineRecord record;
    EmuCpuState cpu;
    EmuTimerRecord *timers; /* one for each timer of the machine */
    unsigned n_timers;
    EmuUnitsImage units;
} Loaded;

static void loaded_clear(Loaded *loaded, EmuMachine *machine)
{
    emu_units_drop(machine->units, &loaded->units);
    g_free(loaded->timers);
}

/* @machine: (nullable): any CPU model will do */
static bool get_record(const EmuMachine *machine, MemStateReader *reader,
                       EmuMachineRecord *ret_record, GError **error)
{
    if (mem_state_open_unit(reader, "machine", 0, 1, error) == 0) {
        return false;
    }
    g_autofree char *model = mem_state_get_string(reader, 256, error);

    if (model == NULL) {
        return false;
    }
    if (machine != NULL && g_ascii_strcasecmp(model, machine->cpu_name) != 0) {
        return mem_state_bad(reader, error, "it is of a CPU model '%s', this machine's is '%s'",
                             model, machine->cpu_name);
    }
    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->breakpoint_skip = UINT64_MAX;
    return get_fields(reader, &emu_machine_record_desc, ret_record, error);
}

bool emu_state_guest_ns(MemStateReader *reader, uint64_t *ret_ns, GError **error)
{
    EmuMachineRecord record;

    if (!get_record(NULL, reader, &record, error)) {
        return false;
    }
    /* As emu_clock_now(), whichever of the two clocks it was. */
    *ret_ns = record.clock.host_ns != 0
                  ? record.clock.host_ns
                  : record.clock.bytes + record.clock.skipped + record.clock.debt;
    return true;
}

static bool get_timer(MemStateReader *reader, const EmuClock *clock, unsigned index,
                      uint64_t last_sequence, EmuTimerRecord *record, GError **error)
{
    uint32_t instance, want_instance;
    const char *want = emu_clock_timer_name(clock, index, &want_instance);
    g_autofree char *name = mem_state_get_string(reader, 256, error);

    if (name == NULL || !mem_state_get_u32(reader, &instance, error) ||
        !mem_state_get_u64(reader, &record->deadline, error) ||
        !mem_state_get_u64(reader, &record->sequence, error)) {
        return false;
    }
    if (strcmp(name, want) != 0 || instance != want_instance) {
        return mem_state_bad(reader, error, "timer '%s' %u is where this machine has '%s' %u", name,
                             instance, want, want_instance);
    }
    return record->sequence <= last_sequence ||
           mem_state_bad(reader, error, "timer '%s' %u was armed after the clock's last", name,
                         instance);
}

static bool get_timers(EmuMachine *machine, MemStateReader *reader, Loaded *loaded, GError **error)
{
    const EmuClock *clock = machine->clock;
    uint32_t n = 0;

    loaded->n_timers = emu_clock_n_timers(clock);
    loaded->timers = g_new0(EmuTimerRecord, loaded->n_timers + 1);
    emu_clock_get_timers(clock, loaded->timers); /* which is which */
    if (mem_state_open_unit(reader, "timers", 0, 1, error) == 0 ||
        !mem_state_get_u32(reader, &n, error)) {
        return false;
    }
    if (n != loaded->n_timers) {
        return mem_state_bad(reader, error, "%u timers, this machine has %u", n, loaded->n_timers);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!get_timer(reader, clock, i, loaded->record.clock.sequence, &loaded->timers[i],
                       error)) {
            return false;
        }
    }
    return mem_state_unit_left(reader) == 0 ||
           mem_state_bad(reader, error, "bytes follow the last timer");
}

/* A unit of a chip that this machine does not have must not go unnoticed. */
static bool only_known_units(EmuMachine *machine, MemStateReader *reader, GError **error)
{
    static const char *const own[] = { "options", "machine", "cpu", "timers", "mm", "pgm" };
    MemStateUnit unit;

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        bool known = false;

        for (unsigned k = 0; k < G_N_ELEMENTS(own); k++) {
            known |= strcmp(unit.name, own[k]) == 0 && unit.instance == 0;
        }
        for (unsigned k = 0; k < machine->units->len; k++) {
            const EmuUnit *mine = g_ptr_array_index(machine->units, k);

            known |=
                strcmp(unit.name, mine->unit->name) == 0 && unit.instance == mine->unit->instance;
        }
        if (!known) {
            g_set_error(
                error, EMU_ERROR, EMU_ERROR_STATE,
                "the saved state has a unit '%s' %u that this machine does not: it was built "
                "otherwise",
                unit.name, unit.instance);
            return false;
        }
    }
    return true;
}

/* Said before anything else that differs for the same reason, as the number of timers does. */
static bool has_all_units(const EmuMachine *machine, const MemStateReader *reader, GError **error)
{
    for (unsigned i = 0; i < machine->units->len; i++) {
        const EmuUnit *mine = g_ptr_array_index(machine->units, i);

        if ((mine->unit->put != NULL || mine->n_parts != 0) &&
            !mem_state_reader_has(reader, mine->unit->name, mine->unit->instance)) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_STATE,
                        "the saved state has no unit '%s' %u, which this machine has: it was saved "
                        "by an older version, or of a machine built otherwise; go on with what "
                        "saved it, or save anew with this",
                        mine->unit->name, mine->unit->instance);
            return false;
        }
    }
    return true;
}

static bool get_all(EmuMachine *machine, MemStateReader *reader, Loaded *loaded, GError **error)
{
    memset(loaded, 0, sizeof(*loaded));
    return get_record(machine, reader, &loaded->record, error) &&
           mem_state_open_unit(reader, "cpu", 0, 1, error) != 0 &&
           get_fields(reader, &emu_cpu_state_desc, &loaded->cpu, error) &&
           emu_cpu_state_check(&machine->core, &loaded->cpu, error) &&
           has_all_units(machine, reader, error) && get_timers(machine, reader, loaded, error) &&
           only_known_units(machine, reader, error) &&
           emu_units_get(machine->units, reader, &loaded->units, error) &&
           pgm_load_check(machine->pgm, reader, error);
}

static bool apply(EmuMachine *machine, MemStateReader *reader, const Loaded *loaded, GError **error)
{
    EmuSnapshot *undo = emu_snapshot_take_for(machine, "before restoring", false, false, error);

    if (undo == NULL) {
        return false;
    }
    bool ok = pgm_load_apply(machine->pgm, reader, error);

    if (ok) {
        emu_cpu_state_write(&machine->core, &loaded->cpu);
        emu_machine_put_back(machine, &loaded->units, &loaded->record, loaded->timers,
                             loaded->n_timers);
    } else {
        emu_snapshot_restore(undo);
    }
    emu_snapshot_drop(undo);
    return ok;
}

/* ---- how far it is */

typedef struct Telling {
    const EmuSaveConfig *config;
    uint64_t n_raw; /* bytes that will be read */
} Telling;

static void tell(uint64_t n_raw, void *user)
{
    const Telling *telling = user;

    telling->config->progress(MIN(n_raw, telling->n_raw) >> MEM_PAGE_SHIFT,
                              telling->n_raw >> MEM_PAGE_SHIFT, telling->config->progress_user);
}

/* Memory is read twice: checked, then put in place. */
static uint64_t count_raw(const MemStateReader *reader)
{
    uint64_t n = 0;
    MemStateUnit unit;

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        n += (strcmp(unit.name, "pgm") == 0 ? 2 : 1) * unit.raw_bytes;
    }
    return n;
}

bool emu_restore(EmuMachine *machine, MemStateReader *reader, const EmuSaveConfig *config,
                 GError **error)
{
    Loaded *loaded = g_new0(Loaded, 1);
    Telling telling = { .config = config, .n_raw = count_raw(reader) };
    bool tells = config != NULL && config->progress != NULL;

    g_assert(machine->started && !machine->running);
    mem_state_reader_set_progress(reader, tells ? tell : NULL, &telling);
    bool ok = get_all(machine, reader, loaded, error) && apply(machine, reader, loaded, error);

    mem_state_reader_set_progress(reader, NULL, NULL);
    if (ok && tells) {
        tell(telling.n_raw, &telling);
    }
    loaded_clear(loaded, machine);
    g_free(loaded);
    return ok;
}
