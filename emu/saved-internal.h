/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What saving at once and saving live share. */
#pragma once

#include "emu/saved_state.h"

/* Opens the file and writes what comes first. */
MemStateWriter *emu_saved_begin(EmuMachine *machine, const char *path, const EmuSaveConfig *config,
                                GError **error);

/* All units but those of memory and "options". */
bool emu_saved_put_machine(EmuMachine *machine, MemStateWriter *writer, GError **error);
