/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first change of a page after a snapshot: an entry on the live edge keeps what the page was.
 *
 *   ZERO, BALLOONED  a note
 *   private          a copy of the bytes; or the host page itself, where the page is about to
 *                    lose it
 *   SHARED           a reference of the entry's own
 */
#include "memsys/tracking-internal.h"

/* One more reference, charged to SHADOW; false if BASE cannot hold it for the moment between. */
static bool ref_shared(Pgm *pgm, PageId id)
{
    if (gmm_vm_ref_shared(pgm->mm.vm, id) != MEM_OK) {
        return false;
    }
    pgm_recharge_to_shadow(pgm, id);
    return true;
}

/* May a copy of the page's bytes have to be made? */
static bool wants_stock(const PgmTracking *tracking, const PgmPage *record)
{
    return pgm_page_id(*record) != MEM_ZERO_PAGE_ID &&
           !(pgm_state_is_private(pgm_page_state(*record)) && pgm_kept_has(tracking, record));
}

/* Visits GMM for nothing that could call the embedder. @copy: of the page's bytes, if one was kept.
 */
static void save_content(Pgm *pgm, PgmPage page, PageId copy, PgmEntry *ret_entry)
{
    PgmPageState state = pgm_page_state(page);

    if (pgm_page_id(page) == MEM_ZERO_PAGE_ID) {
        ret_entry->state = (uint8_t)state;
        ret_entry->id = MEM_ZERO_PAGE_ID;
    } else if (state == PGM_PAGE_SHARED && ref_shared(pgm, pgm_page_id(page))) {
        ret_entry->state = PGM_PAGE_SHARED;
        ret_entry->id = pgm_page_id(page);
    } else if (copy != MEM_ZERO_PAGE_ID) {
        ret_entry->state = PGM_PAGE_ALLOCATED;
        ret_entry->id = copy;
    } else {
        ret_entry->state = PGM_PAGE_ALLOCATED;
        ret_entry->id = pgm_chain_pop(pgm, &pgm->tracking->stock);
        /* Whoever has it mapped may be writing. */
        pgm_host_copy(pgm_host(pgm, ret_entry->id), pgm_host(pgm, pgm_page_id(page)),
                      MEM_PAGE_SIZE);
    }
}

/* A copy of the page's bytes, if one was kept and is of use. */
static PageId take_copy(Pgm *pgm, const PgmPage *record)
{
    PageId copy = pgm_kept_take(pgm->tracking, record);

    if (copy != MEM_ZERO_PAGE_ID && !pgm_state_is_private(pgm_page_state(*record))) {
        pgm_chain_push(pgm, &pgm->tracking->stock, copy);
        copy = MEM_ZERO_PAGE_ID;
    }
    return copy;
}

static uint64_t n_room(const PgmTracking *tracking)
{
    uint64_t limit = MIN(tracking->limit, tracking->reserved - 1);

    return limit > tracking->n_entries ? limit - tracking->n_entries : 0;
}

static bool has_room(const PgmTracking *tracking)
{
    return n_room(tracking) > 0;
}

MemStatus pgm_snapshot_make_room(Pgm *pgm, uint64_t n)
{
    return n <= n_room(pgm->tracking) && pgm_edge_make_spares(pgm, &pgm->tracking->live, n)
               ? MEM_OK
               : MEM_ERR_NO_MEMORY;
}

MemStatus pgm_snapshot_save_to(PgmEdge *edge, PgmRange *range, uint64_t index, PgmRecord which)
{
    Pgm *pgm = range->pgm;
    const PgmPage *record = pgm_record(range, index, which);
    PgmEntry entry = { .range = range, .index = index, .record = (uint8_t)which };

    while (wants_stock(pgm->tracking, record) && pgm->tracking->stock.n == 0) {
        if (!has_room(pgm->tracking) || !pgm_stock_make_ready(pgm)) {
            return MEM_ERR_NO_MEMORY;
        }
    }
    /* GMM may have asked the embedder for pages, who gave this one. */
    if (edge == &pgm->tracking->live && (*record & PGM_PAGE_SAVED_BIT) != 0) {
        return MEM_OK;
    }
    if (!has_room(pgm->tracking) || !pgm_edge_make_room(pgm, edge)) {
        return MEM_ERR_NO_MEMORY;
    }
    save_content(pgm, *record, take_copy(pgm, record), &entry);
    *pgm_edge_append(edge) = entry;
    pgm_entries_count(pgm->tracking, 1);
    return MEM_OK;
}

MemStatus pgm_snapshot_save(PgmRange *range, uint64_t index, PgmRecord which)
{
    MemStatus status = pgm_snapshot_save_to(&range->pgm->tracking->live, range, index, which);

    if (status == MEM_OK) {
        pgm_page_set_saved(range, index, which, true);
    }
    return status;
}

MemStatus pgm_page_before_drop(PgmRange *range, uint64_t index, PgmRecord which, bool *ret_kept)
{
    Pgm *pgm = range->pgm;
    PgmTracking *tracking = pgm->tracking;
    PgmPage page = *pgm_record(range, index, which);

    *ret_kept = false;
    if (!tracking || !tracking->current || !pgm_range_is_tracked(range) ||
        (page & PGM_PAGE_SAVED_BIT) != 0 || pgm_page_id(page) == MEM_ZERO_PAGE_ID) {
        return pgm_page_before_change(range, index, which);
    }
    if (!has_room(tracking) || !pgm_edge_make_room(pgm, &tracking->live)) {
        return MEM_ERR_NO_MEMORY;
    }
    PageId copy = pgm_kept_take(tracking, pgm_record(range, index, which));

    if (copy != MEM_ZERO_PAGE_ID) {
        pgm_chain_push(pgm, &tracking->stock, copy);
    }
    pgm_recharge_to_shadow(pgm, pgm_page_id(page));
    *pgm_edge_append(&tracking->live) =
        (PgmEntry) { .range = range,
                     .index = index,
                     .record = (uint8_t)which,
                     .state = pgm_page_state(page) == PGM_PAGE_SHARED ? PGM_PAGE_SHARED
                                                                      : PGM_PAGE_ALLOCATED,
                     .id = pgm_page_id(page) };
    pgm_entries_count(tracking, 1);
    pgm_page_set_saved(range, index, which, true);
    pgm_tracking_mark(range, index, which);
    *ret_kept = true;
    return MEM_OK;
}

void pgm_entry_drop_content(Pgm *pgm, PgmEntry *entry)
{
    if (entry->state == PGM_PAGE_ALLOCATED) {
        pgm_chain_push(pgm, &pgm->tracking->stock, entry->id);
    } else if (entry->state == PGM_PAGE_SHARED) {
        MemStatus status = gmm_vm_free_pages(pgm->mm.vm, GMM_ACCOUNT_SHADOW, &entry->id, 1);

        g_assert(status == MEM_OK);
    }
    pgm_entries_count(pgm->tracking, -1);
}
