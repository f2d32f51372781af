/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EmuSnapshot: a whole machine in memory: memory (memsys/snapshot.h), CPU, devices, disks'
 * overlays, clock, timers and pending events. Taking and restoring take microseconds and follow
 * pages written. A tree, as snapshots of memory are.
 *
 * Drop every snapshot before emu_machine_free(): one that is left may not be used after it, nor
 * dropped, and what it holds of CPU and devices is lost.
 *
 * Consoles keep what was printed; breakpoints, watches and hooks are the host's and stay.
 *
 * Thread: the machine's, while it is not running.
 */
#pragma once

#include "emu/machine.h"

#pragma GCC visibility push(default)

typedef struct EmuSnapshot EmuSnapshot;

/**
 * emu_snapshot_take:
 * @checked: also keep checksums, so that emu_snapshot_check() works
 *
 * After emu_machine_reset(), between two runs.
 *
 * Returns: (transfer full): %NULL with an error if there is no memory; nothing has changed then
 */
EmuSnapshot *emu_snapshot_take(EmuMachine *machine, const char *name, bool checked, GError **error);

/* The machine is what it was, and goes on from there. Cannot fail. */
void emu_snapshot_restore(EmuSnapshot *snapshot);
void emu_snapshot_drop(EmuSnapshot *snapshot); /* (nullable) */

/* Compares memory, CPU, devices and clock with what they were: 0 right after a restore. @report:
 * (nullable): one line a difference. UINT64_MAX if it was not taken with @checked. */
uint64_t emu_snapshot_check(EmuSnapshot *snapshot, GString *report);

/* As it was given, "" for none; valid as long as the snapshot. */
const char *emu_snapshot_name(const EmuSnapshot *snapshot);

#pragma GCC visibility pop
