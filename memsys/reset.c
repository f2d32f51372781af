/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hard reset of memory. Costs by pages that were ever touched; the CPUs are told once.
 *
 * A reset cannot fail: a page that is given up moves to where the current snapshot keeps it, and
 * one that must stay was kept when it was locked.
 */
#include "memsys/guest-bytes.h"
#include "memsys/pgm-internal.h"

/*
 * Zeros where the page is, because somebody has its address or the machine was promised that it
 * keeps its pages. False if it is nobody's own, or if a snapshot has no room for its bytes.
 */
static bool clear_in_place(PgmRange *range, uint64_t index, PgmRecord which, PgmPage page)
{
    static const uint8_t zeros[MEM_PAGE_SIZE];
    Pgm *pgm = range->pgm;
    PageId id = pgm_page_id(page);

    if ((pgm_page_state(page) != PGM_PAGE_ALLOCATED &&
         pgm_page_state(page) != PGM_PAGE_WRITE_MONITORED) ||
        pgm_page_make_writable(range, index, which) != MEM_OK) {
        return false;
    }
    guest_store(pgm_host(pgm, id), zeros, MEM_PAGE_SIZE);
    pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    return true;
}

void pgm_page_reset(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmPage page =
        which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : range->pages[index];
    bool stays = pgm_page_locked(page) || range->pgm->preallocated;

    if (!stays || !clear_in_place(range, index, which, page)) {
        pgm_page_to_zero(range, index, which);
    }
}

static void reset_ram(PgmRange *range)
{
    uint64_t i = 0;

    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        pgm_page_reset(range, i++, PGM_RECORD_FRONT);
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
    pgm_balloon_settle(pgm);
    pgm_batch_end(pgm);
}
