/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loaders share. */
#pragma once

#include "emu/loader.h"

/* Kernels, initial RAM disks, ELF files: more than any machine of ours would take. */
#define EMU_LOADER_MAX_FILE (UINT64_C(4) << 30)

/* A run of RAM without gaps, [start, end). */
typedef struct EmuLoaderRun {
    GPhys start;
    GPhys end;
} EmuLoaderRun;

/* Returns: (transfer full) (element-type EmuLoaderRun): the RAM a guest sees, in address order;
 * neighbours are one run */
GArray *emu_loader_ram_runs(EmuMachine *machine);

/* Whether every byte of [@start, @start + @len) is RAM that a guest sees there. @len > 0. */
bool emu_loader_is_ram(EmuMachine *machine, GPhys start, uint64_t len);

/* Writes to RAM; the error names @what. The range must have been checked. */
bool emu_loader_write(EmuMachine *machine, GPhys start, const void *bytes, uint64_t len,
                      const char *what, GError **error);

/* Adds a copy of @name. False: the host has no memory for it, or there are too many already. */
bool emu_symbols_add(EmuSymbols *symbols, const char *name, GVirt address, uint64_t len);
