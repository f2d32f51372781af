/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker's part about locks: what may be locked, and that each range knows how many of its
 * locks are still to be undone. Also that untouched records are really zero.
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>

#define UNTOUCHED_MAX (UINT64_C(1) << 16) /* pages: larger ranges are not read whole */

typedef struct Locks {
    GString *report;
    unsigned n_bad;
    uint64_t n_locks; /* of the range so far, but those for good */
} Locks;

static void check_page(Locks *locks, const PgmRange *range, uint64_t index, PgmPage page)
{
    PgmPageState state = pgm_page_state(page);

    if (!pgm_page_locked(page)) {
        return;
    }
    locks->n_locks += pgm_page_locks_to_undo(page);
    /* A reader of the zero page keeps it when a snapshot makes the page BALLOONED or SHARED again.
     */
    if ((pgm_page_write_locks(page) != 0 && state != PGM_PAGE_ALLOCATED) ||
        (state == PGM_PAGE_SHARED && !range->pgm->tracking) || range->kind == PGM_RANGE_MMIO) {
        locks->n_bad++;
        g_string_append_printf(locks->report, "page %" PRIu64 " of \"%s\": %s and locked\n", index,
                               range->description, pgm_page_state_name(state));
    }
}

static void check_untouched(Locks *locks, const PgmRange *range)
{
    uint64_t touched = 0;

    for (uint64_t i = 0; i < range->n_pages; i++) {
        if (i >= touched) {
            touched = pgm_range_next_touched(range, i);
        }
        if (i < touched && range->pages[i] != 0) {
            locks->n_bad++;
            g_string_append_printf(locks->report,
                                   "page %" PRIu64 " of \"%s\" differs and is not marked so\n", i,
                                   range->description);
        } else if (i == touched) {
            touched++;
        }
    }
}

unsigned pgm_locks_verify(PgmRange *range, GString *report)
{
    Locks locks = { .report = report };

    if (range->kind == PGM_RANGE_RAM) {
        uint64_t i = 0;

        while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
            check_page(&locks, range, i, range->pages[i]);
            i++;
        }
        if (range->n_pages <= UNTOUCHED_MAX) {
            check_untouched(&locks, range);
        }
    } else if (range->pages) {
        for (uint64_t i = 0; i < range->n_pages; i++) {
            check_page(&locks, range, i, range->pages[i]);
        }
    }
    for (uint64_t i = 0;
         range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow && i < range->n_pages; i++) {
        check_page(&locks, range, i, pgm_rom_of(range)->shadow[i]);
    }
    if (locks.n_locks != range->n_locks) {
        locks.n_bad++;
        g_string_append_printf(report, "\"%s\" counts %" PRIu64 " locks, its pages %" PRIu64 "\n",
                               range->description, range->n_locks, locks.n_locks);
    }
    return locks.n_bad;
}
