/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeGuest: the machine that the options of a run describe, built, reset and loaded.
 */
#pragma once

#include "emu/loader.h"
#include "files.h"
#include "rom-files.h"
#include "run-options.h"

typedef struct FeGuest {
    const FeRunOptions *options;
    EmuMachine *machine;
    EmuSymbols *symbols;
    DevPc *pc;       /* the machine's board; the machine frees it */
    GPtrArray *roms; /* of FeRomFile: the firmware first, then those of the cards and others */
} FeGuest;

/**
 * fe_guest_new:
 * @options: must outlive the guest
 * @files: told of all files that are read
 *
 * Returns: (transfer full): a guest ready to run, or %NULL with one line that names the option
 */
FeGuest *fe_guest_new(const FeRunOptions *options, FeFiles *files, GError **error);
void fe_guest_free(FeGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeGuest, fe_guest_free)

/* Returns: (transfer full): what a saved state says about the machine; see saved-options.h */
char **fe_guest_saved_options(const FeGuest *guest);

/* Hard reset, and everything loaded again: a reset clears RAM. */
bool fe_guest_reset(FeGuest *guest, GError **error);
