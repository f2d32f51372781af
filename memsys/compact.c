/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's part of compaction: GMM names pages that alone keep a chunk from being given back,
 * and moves the bytes; here the record follows. Bytes stay, so that snapshots and dirty clients
 * need not hear of it.
 *
 * Source: ours; VirtualBox's GMM has no compaction.
 */
#include "memsys/gmm-internal.h"
#include "memsys/tracking-internal.h"

#define COMPACT_BATCH 64

/* The RAM whose record at @gpa says @id, covered or not; NULL: GMM's word is out of date. */
static PgmRange *find_ram(const Pgm *pgm, GPhys gpa, PageId id)
{
    const PgmSpan *span = pgm_span_at_or_above(pgm, gpa);
    PgmRange *range = span && span->first <= gpa ? span->range : NULL;

    if (range && range->kind != PGM_RANGE_RAM) {
        range = range->beneath;
    }
    if (!range) {
        return NULL;
    }
    PgmPage page = range->pages[(gpa - range->start) >> MEM_PAGE_SHIFT];
    PgmPageState state = pgm_page_state(page);

    return pgm_page_id(page) == id &&
                   (state == PGM_PAGE_ALLOCATED || state == PGM_PAGE_WRITE_MONITORED)
               ? range
               : NULL;
}

/* Stays in its state: an armed page is armed still. Returns: whether it moved. */
static bool move_page(Pgm *pgm, PageId id, GPhys gpa)
{
    PgmRange *range = find_ram(pgm, gpa, id);
    PageId new_id;

    if (!range) {
        return false;
    }
    uint64_t index = (gpa - range->start) >> MEM_PAGE_SHIFT;
    PgmPage page = range->pages[index];

    if (pgm_page_locked(page) || gmm_vm_move_page(pgm->mm.vm, id, &new_id) != MEM_OK) {
        return false;
    }
    /* Other bytes had the new page's id, or none of ours. */
    pgm_forget_code(pgm, new_id);
    pgm_page_change(range, index, PGM_RECORD_FRONT,
                    pgm_page_with_backing(page, pgm_page_state(page), new_id));
    pgm_forget_code(pgm, id);
    return true;
}

uint64_t pgm_compact_slice(Pgm *pgm, uint64_t n_pages)
{
    PageId ids[COMPACT_BATCH];
    GPhys gpas[COMPACT_BATCH];
    uint64_t n_moved = 0;
    uint32_t n = 1;

    pgm_lock(pgm);
    /* What lies in stock shall not keep a chunk, and GMM must know whose the others are. */
    pgm_stock_release(pgm);
    pgm_pool_release(pgm);
    pgm_handy_return_all(pgm);
    pgm_batch_begin(pgm);
    /* Pages that must stay cost no budget, but each is named once a round and the round ends. */
    while (n_moved < n_pages && n > 0) {
        n = gmm_vm_sparse_pages(pgm->mm.vm, (uint32_t)MIN(n_pages - n_moved, COMPACT_BATCH), ids,
                                gpas);
        for (uint32_t i = 0; i < n; i++) {
            n_moved += move_page(pgm, ids[i], gpas[i]);
        }
    }
    pgm_batch_end(pgm);
    pgm_unlock(pgm);
    return n_moved;
}
