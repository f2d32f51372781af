/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeGuest: the machine that the options of a run describe, built, reset and loaded.
 */
#pragma once

#include "emu/loader.h"
#include "files.h"
#include "run-options.h"

typedef struct FeGuest {
    const FeRunOptions *options;
    EmuMachine *machine;
    EmuSymbols *symbols;
    GBytes *bios;
    const char *bios_name; /* path; lives as long as the options */
    char *bios_sum;        /* fe_bios_sum() of what is in ROM; NULL: not known */
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

/* Hard reset, and everything loaded again: a reset clears RAM. */
bool fe_guest_reset(FeGuest *guest, GError **error);
