/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hard reset of memory. Costs by pages that were ever touched; the CPUs are told once.
 */
#include "memsys/pgm-internal.h"

static void reset_ram(PgmRange *range)
{
    uint64_t i = 0;

    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        if (!range->pgm->preallocated || !pgm_page_clear_own(range, i)) {
            pgm_page_to_zero(range, i, PGM_RECORD_FRONT);
        }
        i++;
    }
}

void pgm_reset(Pgm *pgm)
{
    pgm_batch_begin(pgm);
    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        pgm_handlers_rearm(range);
        if (range->kind == PGM_RANGE_RAM) {
            reset_ram(range);
        } else if (range->kind == PGM_RANGE_ROM) {
            pgm_rom_reset(range);
        }
    }
    pgm_free_flush(pgm);
    pgm_batch_end(pgm);
}
