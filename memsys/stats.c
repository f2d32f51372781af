/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters as a caller sees them. Page counts are states, not events: a reset of the statistics
 * leaves them.
 */
#include "memsys/pgm-internal.h"

void pgm_get_stats(Pgm *pgm, PgmStats *ret_stats)
{
    *ret_stats = pgm->stats;
    ret_stats->handy_pages = pgm->handy.n;
}

void pgm_reset_stats(Pgm *pgm)
{
    pgm->stats = (PgmStats) { .pages = pgm->stats.pages };
}
