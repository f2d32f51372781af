/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine in a file: units "machine" (engine model, clock, pending events), "cpu" (named
 * registers), "timers", "mm", "pgm", and one a device. See memsys/state_file.h for the container.
 *
 * A machine is restored into one that was built with the same board, RAM size and CPU model; what
 * differs is named. A bad file changes nothing.
 *
 * Thread: the machine's, while it is not running.
 */
#pragma once

#include "emu/machine.h"
#include "memsys/saved_state.h"

#pragma GCC visibility push(default)

/* Called now and then: pages written or read so far, and about how many there are. A restore reads
 * memory twice, to check it and to put it in place, and counts it twice. */
typedef void (*EmuStateProgress)(uint64_t done, uint64_t total, void *user);

typedef struct EmuSaveConfig {
    int level;                  /* of zstd; 0: the default */
    const char *const *options; /* (nullable): "key=value" strings kept in the file for whoever
                                 * builds the machine again; NULL ends them */
    EmuStateProgress progress;  /* (nullable) */
    void *progress_user;
} EmuSaveConfig;

/* Whether the machine can be saved: the engine's hidden registers were all found at start. */
bool emu_save_possible(EmuMachine *machine, GError **error);

/**
 * emu_save:
 * @config: (nullable)
 *
 * Returns: false with an error; then there is no file, or the old one
 */
bool emu_save(EmuMachine *machine, const char *path, const EmuSaveConfig *config, GError **error);

/**
 * emu_restore:
 * @machine: built alike, after emu_machine_reset()
 *
 * Returns: false with an error that says what is wrong where; the machine is as it was then
 */
bool emu_restore(EmuMachine *machine, MemStateReader *reader, const EmuSaveConfig *config,
                 GError **error);

/* The guest's time when the file was made, in nanoseconds. False with an error. */
bool emu_state_guest_ns(MemStateReader *reader, uint64_t *ret_ns, GError **error);

/* The "key=value" strings of a file. Returns: (transfer full): NULL-ended, or %NULL with an error
 */
char **emu_state_options(MemStateReader *reader, GError **error);

/* ---- live: the guest runs on between the steps */

typedef struct EmuLiveSave EmuLiveSave;
EmuLiveSave *emu_live_save_new(EmuMachine *machine, const char *path, const EmuSaveConfig *config,
                               GError **error);
/* Writes up to @n_pages pages. True when it is time to finish. */
bool emu_live_save_step(EmuLiveSave *save, uint64_t n_pages, PgmLiveProgress *ret_progress);
/* The machine's state is that of now. */
bool emu_live_save_finish(EmuLiveSave *save, GError **error);
void emu_live_save_free(EmuLiveSave *save); /* (nullable); without a finish nothing is left */

#pragma GCC visibility pop
