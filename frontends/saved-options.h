/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that a saved state keeps, so that a restored run need not repeat them: what the
 * machine is made of, as "key=value" in the words of the command line. File names are made
 * absolute.
 *
 * Source: ours.
 */
#pragma once

#include "rom-files.h"
#include "run-options.h"

/**
 * fe_saved_options_new:
 * @bios: the firmware in use
 *
 * Returns: (transfer full): strings, ended by NULL
 */
char **fe_saved_options_new(const FeRunOptions *options, const char *bios);

/**
 * fe_saved_options_add_rom:
 * @strings: (transfer full): of fe_saved_options_new()
 * @rom: an image in use; the firmware's name is there already
 *
 * Returns: (transfer full): strings, ended by NULL
 */
char **fe_saved_options_add_rom(char **strings, const FeRomFile *rom);

/**
 * fe_saved_options_apply:
 * @strings: of the state @options->restore, as they stand in the file: anything
 * @options: takes what was not given on the command line
 *
 * Files that may have moved (firmware, disks, kernel) are those of the command line if given there;
 * everything else, and whether a disk is written, must be the same if given.
 *
 * Returns: false with one line that names both values, or what is wrong with the file's
 */
bool fe_saved_options_apply(char *const *strings, FeRunOptions *options, GError **error);
