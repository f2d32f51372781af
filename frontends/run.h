/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `quire run`: from words to an exit status.
 */
#pragma once

/* Status of a run, apart from what the guest chooses itself (odd numbers). */
enum {
    FE_STATUS_GOOD = 0,
    FE_STATUS_USAGE = 2,
    FE_STATUS_GUEST_FAILED = 4,
    FE_STATUS_LIMIT = 6,
};

/* @argv: the words behind `quire run`, ended by NULL. Returns: the exit status */
int fe_run(char *const *argv);
