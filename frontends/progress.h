/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a long save or restore is, on stderr: nothing in the first second; then a line that is
 * rewritten on a terminal, and a line now and then elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct FeProgress {
    const char *verb; /* "saving" */
    bool silent;
    bool terminal;
    bool shown;       /* a line stands there to be rewritten */
    int64_t start_us; /* of g_get_monotonic_time() */
    int64_t next_us;  /* when to say something again */
} FeProgress;

void fe_progress_start(FeProgress *progress, const char *verb, bool silent);

/* An EmuStateProgress with the FeProgress as @user. */
void fe_progress_pages(uint64_t done, uint64_t total, void *progress);

/* Takes the line away. */
void fe_progress_end(FeProgress *progress);
