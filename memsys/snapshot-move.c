/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages going back. Undoing the live edge puts saved content in place of what the machine wrote
 * since; crossing an edge of the tree swaps the content of its entries with the live pages, so that
 * the edge again holds the far end.
 *
 * Neither can fail: bytes are copied or swapped where both sides have a page; else the page itself
 * changes sides, for which snapshot-stock.c always has room.
 *
 * Of a page's way only the last step is told to CPUs: all is one batch.
 *
 * A private page that is locked keeps its host page. Its entry on the live edge stands for it (it
 * holds the same bytes once the edge is undone), takes part in crossing in its stead, and is copied
 * to the page at the end.
 */
#include "memsys/tracking-internal.h"

#include <string.h>

static bool keeps_host_page(PgmPage page)
{
    return pgm_page_locked(page) && pgm_state_is_private(pgm_page_state(page));
}

static void tell_written(PgmRange *range, uint64_t index, PgmRecord which)
{
    pgm_tracking_mark(range, index, which);
    if (range->kind == PGM_RANGE_MMIO2) {
        pgm_mmio2_page_dirtied(range, index);
    }
}

/* The bytes of what the entry holds go to host page @id. */
static void copy_content(Pgm *pgm, const PgmEntry *entry, PageId id)
{
    pgm_host_copy(pgm_host(pgm, id), pgm_host(pgm, entry->id), MEM_PAGE_SIZE); /* may be mapped */
    if (pgm_id_executed(pgm, id)) {
        pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    }
}

/* The record shows what the entry holds, monitored; the entry's page becomes the machine's. */
static void show_content(Pgm *pgm, const PgmEntry *entry)
{
    PgmRecord which = (PgmRecord)entry->record;
    PgmPage page = *pgm_record(entry->range, entry->index, which) & ~PGM_PAGE_SAVED_BIT;
    PgmPageState state = (PgmPageState)entry->state;

    if (state == PGM_PAGE_ALLOCATED) {
        state = PGM_PAGE_WRITE_MONITORED;
    }
    if (entry->id != MEM_ZERO_PAGE_ID) {
        pgm_recharge_to_base(pgm, entry->id);
    }
    page = pgm_page_with_written(pgm_page_with_backing(page, state, entry->id), false);
    pgm_page_change(entry->range, entry->index, which, page);
    if (state == PGM_PAGE_WRITE_MONITORED) {
        MemStatus status = gmm_vm_set_guest_frame(pgm->mm.vm, entry->id,
                                                  pgm_page_gpa(entry->range, entry->index, which));

        g_assert(status == MEM_OK);
    }
}

/* The record is ZERO for the moment: what stood behind it changes sides. */
static void show_nothing(const PgmEntry *entry)
{
    PgmRecord which = (PgmRecord)entry->record;
    PgmPage page = *pgm_record(entry->range, entry->index, which);

    page = pgm_page_with_backing(page, PGM_PAGE_ZERO, MEM_ZERO_PAGE_ID);
    pgm_page_change(entry->range, entry->index, which, pgm_page_with_written(page, false));
}

/* ---- undoing the live edge */

/* What the record shows now is of no use any more. */
static void drop_shown(Pgm *pgm, const PgmEntry *entry, PgmPage page)
{
    PageId id = pgm_page_id(page);

    show_nothing(entry);
    if (pgm_page_state(page) == PGM_PAGE_SHARED) {
        MemStatus status = gmm_vm_free_pages(pgm->mm.vm, GMM_ACCOUNT_BASE, &id, 1);

        g_assert(status == MEM_OK);
    } else if (id != MEM_ZERO_PAGE_ID) {
        pgm_forget_code(pgm, id);
        pgm_chain_push(pgm, &pgm->tracking->pool, id);
    }
}

static bool undo(Pgm *pgm, PgmEntry *entry, void *user)
{
    PgmRange *range = entry->range;
    PgmRecord which = (PgmRecord)entry->record;
    PgmPage page = *pgm_record(range, entry->index, which);
    bool both = pgm_state_is_private(pgm_page_state(page)) && entry->state == PGM_PAGE_ALLOCATED;
    /* A preallocated machine keeps the pages it was given. */
    bool in_place =
        both || (pgm->preallocated && range->kind == PGM_RANGE_RAM &&
                 entry->state != PGM_PAGE_BALLOONED && pgm_state_is_private(pgm_page_state(page)));

    const bool *stay = user;

    tell_written(range, entry->index, which);
    if (keeps_host_page(page)) {
        copy_content(pgm, entry, pgm_page_id(page));
        return true;
    }
    if (in_place) {
        copy_content(pgm, entry, pgm_page_id(page));
        pgm_page_rearm(range, entry->index, which);
        if (both && *stay) {
            pgm_kept_put(pgm, pgm_record(range, entry->index, which), entry->id);
            pgm_entries_count(pgm->tracking, -1);
        } else {
            pgm_entry_drop_content(pgm, entry);
        }
        return false;
    }
    drop_shown(pgm, entry, page);
    show_content(pgm, entry);
    pgm_entries_count(pgm->tracking, -1);
    return false;
}

void pgm_snapshot_undo_live(Pgm *pgm, bool stay)
{
    pgm_edge_filter(pgm, &pgm->tracking->live, undo, &stay);
}

/* ---- crossing an edge of the tree */

static void swap_bytes(Pgm *pgm, PageId a, PageId b)
{
    uint8_t buf[MEM_PAGE_SIZE];

    memcpy(buf, pgm_host(pgm, a), MEM_PAGE_SIZE);
    memcpy(pgm_host(pgm, a), pgm_host(pgm, b), MEM_PAGE_SIZE);
    memcpy(pgm_host(pgm, b), buf, MEM_PAGE_SIZE);
}

/* Where the search for the next locked page goes on: both edges are usually in one order. */
typedef struct LiveHint {
    PgmEntryBlock *block;
    uint64_t at;
} LiveHint;

static PgmEntry *find_live(PgmEdge *live, const PgmEntry *like, LiveHint *hint)
{
    for (uint64_t n = 0; n < live->n; hint->at++) {
        while (!hint->block || hint->at == hint->block->n) {
            hint->block = hint->block && hint->block->next ? hint->block->next : live->first;
            hint->at = 0;
        }
        PgmEntry *entry = &hint->block->entries[hint->at];

        if (entry->range == like->range && entry->index == like->index &&
            entry->record == like->record) {
            return entry;
        }
        n++;
    }
    g_assert_not_reached();
}

static void swap_content(PgmEntry *a, PgmEntry *b)
{
    PgmEntry old = *a;

    a->id = b->id;
    a->state = b->state;
    b->id = old.id;
    b->state = old.state;
}

/* The live page's content becomes the entry's and the other way round, by moving pages. */
static void trade_pages(Pgm *pgm, PgmEntry *entry, PgmPage page)
{
    PgmEntry to_show = *entry;

    entry->id = pgm_page_id(page);
    entry->state = (uint8_t)pgm_page_state(page);
    if (entry->state == PGM_PAGE_WRITE_MONITORED) {
        entry->state = PGM_PAGE_ALLOCATED;
    }
    show_nothing(entry);
    if (entry->id != MEM_ZERO_PAGE_ID) {
        if (entry->state == PGM_PAGE_ALLOCATED) {
            pgm_forget_code(pgm, entry->id);
        }
        pgm_recharge_to_shadow(pgm, entry->id);
    }
    show_content(pgm, &to_show);
}

static bool cross(Pgm *pgm, PgmEntry *entry, void *user)
{
    PgmRange *range = entry->range;
    PgmRecord which = (PgmRecord)entry->record;
    PgmPage page = *pgm_record(range, entry->index, which);

    tell_written(range, entry->index, which);
    if ((page & PGM_PAGE_SAVED_BIT) != 0) {
        swap_content(entry, find_live(&pgm->tracking->live, entry, user));
    } else if (pgm_state_is_private(pgm_page_state(page)) && entry->state == PGM_PAGE_ALLOCATED) {
        swap_bytes(pgm, pgm_page_id(page), entry->id);
        if (pgm_id_executed(pgm, pgm_page_id(page))) {
            pgm_code_written(pgm, pgm_page_id(page), 0, MEM_PAGE_SIZE);
        }
    } else {
        trade_pages(pgm, entry, page);
    }
    return true;
}

void pgm_snapshot_cross(Pgm *pgm, PgmEdge *edge)
{
    LiveHint hint = { 0 };

    pgm_edge_filter(pgm, edge, cross, &hint);
}

static bool settle(Pgm *pgm, PgmEntry *entry, void *user)
{
    PgmPage page = *pgm_record(entry->range, entry->index, (PgmRecord)entry->record);

    (void)user;
    copy_content(pgm, entry, pgm_page_id(page));
    return true;
}

void pgm_snapshot_settle_locked(Pgm *pgm)
{
    pgm_edge_filter(pgm, &pgm->tracking->live, settle, NULL);
}
