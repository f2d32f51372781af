/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine consists of besides CPU, memory and timers: units of state that boards and
 * embedders register, one for each chip. Snapshots and saved states go through them in order of
 * registration.
 *
 * A unit's state is a row of parts: structs of which a table names the fields (emu/state.h). In
 * memory the named fields are copied as they are; in a file they are written by name. Nothing a
 * chip does while its state is put back (moving lines, arming timers) lasts: the fields of all
 * units, the timers and the CPU's pins are put back once more after all chips were told.
 *
 * What is too big to be copied (a disk's overlay) gives functions of its own instead.
 *
 * Thread: the machine's, while it is not running.
 */
#pragma once

#include "emu/machine.h"
#include "emu/state.h"
#include "memsys/state_file.h"

#pragma GCC visibility push(default)

#define EMU_STATE_UNIT_MAX_PARTS 8

typedef struct EmuStatePart {
    EmuStateDesc desc;
    void *state; /* stays where it is as long as the machine */
    /* Makes a copy of the state ready for what a file may hold; NULL: it is. */
    void (*ready)(void *copy);
} EmuStatePart;

typedef struct EmuStateUnit {
    const char *name; /* as a unit's name in a file: 1 to 31 of a-z 0-9 _ - */
    uint32_t instance;
    uint32_t version;

    /* Fills in up to EMU_STATE_UNIT_MAX_PARTS parts, always the same. Called once, at registration.
     * NULL: none. */
    unsigned (*parts)(void *user, EmuStatePart *ret_parts);
    /* Rules a file must follow beyond its tables; @states: copies, one a part. NULL: none. */
    bool (*check)(void *user, void *const *states, GError **error);
    /* The parts are about to be others: what the guest moved about (ports decoded where a register
     * says) is to be taken away, touching no part, so that it is in nobody's way in loaded(). All
     * units concerned leave before one is told that it was loaded. NULL: nothing. */
    void (*leave)(void *user);
    /* The parts are new: what follows from them and lies elsewhere (where registers are decoded)
     * is to be set. Not memory, not timers: those are put back by themselves. NULL: nothing. */
    void (*loaded)(void *user);
    /* The whole machine is back, timers too. Which of them are set a file says, whatever the parts
     * say: who waits for one that is not may set it. NULL: nothing. */
    void (*resumed)(void *user);

    /* All or none: a state in memory of the unit's own. take() may fail; restore() cannot. */
    void *(*take)(void *user, GError **error);
    void (*restore)(void *user, void *taken);
    void (*drop)(void *user, void *taken);
    /* The same in a file: put() writes the open unit, get() makes of the open unit what take()
     * would have made, touching nothing, and reads all of it. Both or none. */
    void (*put)(void *user, MemStateWriter *writer);
    void *(*get)(void *user, MemStateReader *reader, uint32_t version, GError **error);
} EmuStateUnit;

/**
 * emu_machine_add_state:
 * @unit: must outlive the machine; (name, instance) is unique in it (asserted)
 *
 * Before the first snapshot, save or restore. Names of the machine's own units ("options",
 * "machine", "cpu", "timers", "mm", "pgm") are taken.
 */
void emu_machine_add_state(EmuMachine *machine, const EmuStateUnit *unit, void *user);

#pragma GCC visibility pop
