/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The share scan of one machine: a cursor goes round the touched pages of its RAM. A page that
 * could be written freely is armed when it is met; if it is still armed the next time round, nobody
 * has written it since, and it is offered to GMM by its bytes. A page of zeros becomes ZERO.
 *
 * Bytes do not change by being shared: snapshots and dirty clients are not told, and a page armed
 * for them serves as well as one armed here.
 *
 * Source: the two visits are those of the scanner for Linux' kernel samepage merging (A. Arcangeli,
 * I. Eidus, C. Wright, "Increasing memory density by using KSM", Linux Symposium 2009), which
 * compares checksums instead; write-monitoring as the test of quiet is ours.
 */
#include "memsys/pgm-internal.h"

#include <string.h>
#include <xxhash.h>

void pgm_set_sharing(Pgm *pgm, bool allowed)
{
    __atomic_store_n(&pgm->allow_sharing, allowed, __ATOMIC_RELAXED); /* GMM's threads ask */
}

static bool is_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, MEM_PAGE_SIZE - 1) == 0;
}

static void show_shared(PgmRange *range, uint64_t index, PageId id)
{
    Pgm *pgm = range->pgm;
    PgmPage from = range->pages[index];
    PageId old = pgm_page_id(from);
    PgmPage to = pgm_page_with_backing(from, PGM_PAGE_SHARED, id);

    if (id != old) {
        /* It may have been ours before, with code that was other bytes. */
        pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    }
    pgm_page_change(range, index, PGM_RECORD_FRONT, pgm_page_with_written(to, false));
    if (id != old) {
        pgm_forget_code(pgm, old);
        pgm_free_id(pgm, old);
    }
}

/* A page that was quiet for a round. */
static void offer(PgmRange *range, uint64_t index)
{
    Pgm *pgm = range->pgm;
    PageId id = pgm_page_id(range->pages[index]);
    const uint8_t *bytes = pgm_host(pgm, id);
    GmmShareResult result;
    PageId shared;

    if (is_zero(bytes)) {
        pgm_page_drop_zeros(range, index);
        return;
    }
    MemStatus status =
        gmm_vm_share_offer(pgm->mm.vm, id, XXH3_64bits(bytes, MEM_PAGE_SIZE), &result, &shared);

    /* Refused for want of quota or references: the page stays what it is. */
    if (status == MEM_OK && result == GMM_SHARE_MERGED) {
        show_shared(range, index, shared);
    } else if (status == MEM_OK && result == GMM_SHARE_PUBLISHED) {
        show_shared(range, index, id);
    }
}

/* Returns: whether the page is one that a scan looks at. */
static bool look(PgmRange *range, uint64_t index)
{
    PgmPage page = range->pages[index];
    PgmPageState state = pgm_page_state(page);

    if ((state != PGM_PAGE_ALLOCATED && state != PGM_PAGE_WRITE_MONITORED) ||
        pgm_page_locked(page) || pgm_page_owned(range, index)) {
        return false;
    }
    if (state == PGM_PAGE_ALLOCATED) {
        pgm_page_arm(range, index);
    } else {
        offer(range, index);
    }
    return true;
}

/* Goes on from the cursor, at most @n_pages pages, to the end of its range or @end. */
static uint64_t look_on(Pgm *pgm, uint64_t n_pages, uint64_t end)
{
    PgmCursor *at = &pgm->share_cursor;
    PgmRange *range = g_ptr_array_index(pgm->ranges, at->range);
    uint64_t n_looked = 0;

    end = range->kind == PGM_RANGE_RAM ? MIN(end, range->n_pages) : 0;
    while (n_looked < n_pages) {
        if (at->index < end) {
            at->index = pgm_range_next_touched(range, at->index);
        }
        if (at->index >= end) {
            break;
        }
        n_looked += look(range, at->index++);
    }
    return n_looked;
}

uint64_t pgm_share_slice(Pgm *pgm, uint64_t n_pages)
{
    PgmCursor *at = &pgm->share_cursor;
    unsigned n_ranges = pgm->ranges->len;
    uint64_t n_looked = 0;

    /* A machine that was given all its pages shall keep them. */
    if (!pgm->allow_sharing || pgm->preallocated || n_ranges == 0) {
        return 0;
    }
    if (at->range >= n_ranges) {
        *at = (PgmCursor) { 0 };
    }
    uint64_t first_index = at->index;

    pgm_lock(pgm);
    /* GMM must know whose the pages are before it hears of them again. */
    pgm_free_flush(pgm);
    pgm_handy_report(pgm);
    pgm_batch_begin(pgm);
    /* Once round: the range of the cursor comes twice, from the cursor on and up to it. */
    for (unsigned i = 0; i <= n_ranges && n_looked < n_pages; i++) {
        n_looked += look_on(pgm, n_pages - n_looked, i < n_ranges ? UINT64_MAX : first_index);
        if (n_looked < n_pages && i < n_ranges) {
            *at = (PgmCursor) { .range = (at->range + 1) % n_ranges };
        }
    }
    pgm_batch_end(pgm);
    pgm_free_flush(pgm);
    pgm_unlock(pgm);
    return n_looked;
}
