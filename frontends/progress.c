/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a long save or restore is; see progress.h.
 */
#include "progress.h"

#include "memsys/types.h"
#include "say.h"

#include <inttypes.h>
#include <unistd.h>

#define FIRST_US 1000000
#define TERMINAL_US 100000
#define LINES_US 5000000

void fe_progress_start(FeProgress *progress, const char *verb, bool silent)
{
    int64_t now = g_get_monotonic_time();

    *progress = (FeProgress) { .verb = verb,
                               .silent = silent,
                               .terminal = isatty(STDERR_FILENO) == 1,
                               .start_us = now,
                               .next_us = now + FIRST_US };
}

void fe_progress_pages(uint64_t done, uint64_t total, void *user)
{
    FeProgress *progress = user;
    int64_t now = g_get_monotonic_time();

    if (progress->silent || now < progress->next_us) {
        return;
    }
    uint64_t percent = total > 0 ? (uint64_t)(100.0 * (double)MIN(done, total) / (double)total) : 0;
    g_autofree char *line = g_strdup_printf(
        "%s: %" PRIu64 " of %" PRIu64 " MiB (%" PRIu64 "%%), %" PRId64 " s", progress->verb,
        done >> (20 - MEM_PAGE_SHIFT), total >> (20 - MEM_PAGE_SHIFT), percent,
        (now - progress->start_us) / 1000000);

    if (progress->terminal) {
        g_autofree char *again = g_strdup_printf("\r\033[Kquire: %s", line);

        fe_say_text(again);
        progress->shown = true;
    } else {
        fe_say("%s", line);
    }
    progress->next_us = now + (progress->terminal ? TERMINAL_US : LINES_US);
}

void fe_progress_end(FeProgress *progress)
{
    if (progress->shown) {
        fe_say_text("\r\033[K");
        progress->shown = false;
    }
}
