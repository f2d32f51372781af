/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of a whole machine. Each holds a snapshot of memory, which does the work and the tree;
 * the rest is a few copies: the engine's context, the fields of all chips, timers, the run loop's
 * record.
 *
 * Order of a restore: memory (its own record has mappings and protections, no chip sets them), CPU,
 * clock (chips may look at it), chips, then again what chips may have disturbed: their fields, the
 * record with the CPU's pins, timers.
 */
#include "emu/snapshot.h"

#include "emu/cpu-state.h"
#include "emu/record.h"
#include "emu/snapshot-internal.h"
#include "memsys/snapshot.h"

#include <string.h>

struct EmuSnapshot {
    EmuMachine *machine;
    PgmSnapshot *memory;
    EmuCpuImage cpu;
    EmuUnitsImage units;
    EmuMachineRecord record;
    EmuTimerRecord *timers;
    unsigned n_timers;
    EmuCpuState *names; /* of the CPU; NULL unless checked */
};

void emu_machine_put_back(EmuMachine *machine, const EmuUnitsImage *units,
                          const EmuMachineRecord *record, const EmuTimerRecord *timers,
                          unsigned n_timers)
{
    emu_clock_put_record(machine->clock, &record->clock);
    if (emu_units_restore(machine->units, units)) {
        emu_units_settle(machine->units, units);
    }
    emu_machine_put_record(machine, record);
    emu_clock_put_timers(machine->clock, timers, n_timers);
    emu_units_resume(machine->units);
}

static bool take_parts(EmuSnapshot *snapshot, const char *name, bool checked, bool own,
                       GError **error)
{
    EmuMachine *machine = snapshot->machine;
    UcCore *core = &machine->core;

    if (!emu_cpu_image_init(&snapshot->cpu, core, error)) {
        return false;
    }
    emu_cpu_image_take(&snapshot->cpu, core);
    if (checked) {
        snapshot->names = g_new0(EmuCpuState, 1);
        if (!emu_cpu_state_read(core, snapshot->names, error)) {
            return false;
        }
    }
    emu_machine_get_record(machine, &snapshot->record);
    snapshot->n_timers = emu_clock_n_timers(machine->clock);
    snapshot->timers = g_new0(EmuTimerRecord, snapshot->n_timers + 1);
    emu_clock_get_timers(machine->clock, snapshot->timers);
    if (!emu_units_take(machine->units, &snapshot->units, own, error)) {
        return false;
    }
    snapshot->memory = pgm_snapshot_take(
        machine->pgm, name, checked ? PGM_SNAPSHOT_CHECKED : PGM_SNAPSHOT_DEFAULT, error);
    return snapshot->memory != NULL;
}

EmuSnapshot *emu_snapshot_take_for(EmuMachine *machine, const char *name, bool checked, bool own,
                                   GError **error)
{
    g_assert(machine->started && !machine->running);

    EmuSnapshot *snapshot = g_new0(EmuSnapshot, 1);

    snapshot->machine = machine;
    if (!take_parts(snapshot, name, checked, own, error)) {
        emu_snapshot_drop(snapshot);
        return NULL;
    }
    return snapshot;
}

EmuSnapshot *emu_snapshot_take(EmuMachine *machine, const char *name, bool checked, GError **error)
{
    return emu_snapshot_take_for(machine, name, checked, true, error);
}

void emu_snapshot_restore(EmuSnapshot *snapshot)
{
    EmuMachine *machine = snapshot->machine;

    g_assert(!machine->running);
    pgm_snapshot_restore(snapshot->memory);
    emu_cpu_image_restore(&snapshot->cpu, &machine->core);
    emu_machine_put_back(machine, &snapshot->units, &snapshot->record, snapshot->timers,
                         snapshot->n_timers);
}

void emu_snapshot_drop(EmuSnapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    pgm_snapshot_drop(snapshot->memory);
    emu_units_drop(snapshot->machine->units, &snapshot->units);
    emu_cpu_image_clear(&snapshot->cpu);
    g_free(snapshot->timers);
    g_free(snapshot->names);
    g_free(snapshot);
}

const char *emu_snapshot_name(const EmuSnapshot *snapshot)
{
    return pgm_snapshot_name(snapshot->memory);
}

static unsigned compare_record(const EmuSnapshot *snapshot, GString *report)
{
    EmuMachineRecord now;
    unsigned n = 0;

    emu_machine_get_record(snapshot->machine, &now);
    if (snapshot->machine->clock->host) {
        now.clock.host_ns = snapshot->record.clock.host_ns; /* it runs by itself */
    }
    if (memcmp(&now.clock, &snapshot->record.clock, sizeof(now.clock)) != 0) {
        n++;
        if (report != NULL) {
            g_string_append(report, "the clock differs\n");
        }
    }
    now.clock = snapshot->record.clock;
    if (memcmp(&now, &snapshot->record, sizeof(now)) != 0) {
        n++;
        if (report != NULL) {
            g_string_append(report, "pins or pending events differ\n");
        }
    }
    return n;
}

static unsigned compare_timers(const EmuSnapshot *snapshot, GString *report)
{
    unsigned n_timers = emu_clock_n_timers(snapshot->machine->clock);
    g_autofree EmuTimerRecord *now = g_new0(EmuTimerRecord, n_timers + 1);
    unsigned n = 0;

    emu_clock_get_timers(snapshot->machine->clock, now);
    for (unsigned i = 0; i < MIN(n_timers, snapshot->n_timers); i++) {
        if (memcmp(&now[i], &snapshot->timers[i], sizeof(now[i])) != 0) {
            uint32_t instance;
            const char *name = emu_clock_timer_name(snapshot->machine->clock, i, &instance);

            n++;
            if (report != NULL) {
                g_string_append_printf(report, "timer %s %u differs\n", name, instance);
            }
        }
    }
    return n;
}

uint64_t emu_snapshot_check(EmuSnapshot *snapshot, GString *report)
{
    EmuMachine *machine = snapshot->machine;
    EmuCpuState now;
    uint64_t n = pgm_snapshot_check(snapshot->memory, report);

    if (n == UINT64_MAX || snapshot->names == NULL) {
        return UINT64_MAX;
    }
    if (emu_cpu_state_read(&machine->core, &now, NULL)) {
        n += emu_cpu_state_compare(snapshot->names, &now, report);
    } else {
        n++;
    }
    n += emu_units_compare(machine->units, &snapshot->units, report);
    return n + compare_record(snapshot, report) + compare_timers(snapshot, report);
}
