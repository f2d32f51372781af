/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that a saved state keeps, so that a restored run need not repeat them: what the
 * machine is made of, as "key=value" in the words of the command line. File names are made
 * absolute.
 *
 * Source: ours.
 */
#pragma once

#include "run-options.h"

/**
 * fe_saved_options_new:
 * @bios: the firmware in use
 *
 * Returns: (transfer full): strings, ended by NULL
 */
char **fe_saved_options_new(const FeRunOptions *options, const char *bios);

/**
 * fe_saved_options_add_sum:
 * @strings: (transfer full): of fe_saved_options_new()
 * @sum: (nullable): fe_bios_sum() of the firmware in use; NULL adds nothing
 *
 * Returns: (transfer full): strings, ended by NULL
 */
char **fe_saved_options_add_sum(char **strings, const char *sum);

/* What tells one firmware from another in a state: "BYTES-SHA256". Returns: (transfer full) */
char *fe_bios_sum(GBytes *bios);

/* The bytes that @sum speaks of, and its digest in hexadecimal (ret_digest is nullable), if it is
 * one. Returns: whether it is */
bool fe_bios_sum_parse(const char *sum, uint64_t *ret_size, const char **ret_digest);

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
