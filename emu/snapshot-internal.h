/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What snapshots and saved states share. */
#pragma once

#include "emu/record.h"
#include "emu/snapshot.h"
#include "emu/units-internal.h"

/* @own: false leaves out what has functions of its own (disks' overlays). */
EmuSnapshot *emu_snapshot_take_for(EmuMachine *machine, const char *name, bool checked, bool own,
                                   GError **error);

/* Everything but memory and CPU, in the order that makes it last. */
void emu_machine_put_back(EmuMachine *machine, const EmuUnitsImage *units,
                          const EmuMachineRecord *record, const EmuTimerRecord *timers,
                          unsigned n_timers);
