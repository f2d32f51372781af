/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handy pages: the machine's own stock, so that a guest's first write to a page does not visit GMM.
 * Refilled to 128 in one call; which guest page each taken one went to is told to GMM then.
 *
 * Out of pages is not an end: the write that needed one fails with MEM_ERR_NO_MEMORY, nothing has
 * changed, and the machine goes on once a refill succeeds.
 *
 * Pages that GMM does not know to be zero are cleared as they are taken, not at refill: they are in
 * the cache when the guest then writes, and copies of shared pages need no clearing at all.
 *
 * Pages that a restore of a snapshot freed (the pool, memsys/snapshot-stock.c) are taken first:
 * they are in the cache, and a loop of run and restore does not visit GMM.
 *
 * Source: VirtualBox's handy pages and their marks of 32 and 8.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

void pgm_handy_report(Pgm *pgm)
{
    PgmHandyStock *handy = &pgm->handy;

    for (unsigned i = 0; i < handy->n_used; i++) {
        MemStatus status =
            gmm_vm_set_guest_frame(pgm->mm.vm, handy->used_ids[i], handy->used_gpas[i]);

        g_assert(status == MEM_OK);
    }
    handy->n_used = 0;
}

void pgm_handy_note_used(Pgm *pgm, PageId id, GPhys gpa)
{
    PgmHandyStock *handy = &pgm->handy;

    if (handy->n_used == MM_HANDY_PAGES) {
        pgm_handy_report(pgm);
    }
    handy->used_ids[handy->n_used] = id;
    handy->used_gpas[handy->n_used++] = gpa;
}

/* GMM hands pages out upwards and the stock is taken from its end: neighbours in the guest shall be
 * neighbours on the host, so that bulk access finds long runs. */
static void reverse(GmmHandyPage *pages, unsigned n)
{
    for (unsigned i = 0; i < n / 2; i++) {
        GmmHandyPage page = pages[i];

        pages[i] = pages[n - 1 - i];
        pages[n - 1 - i] = page;
    }
}

/* All that is missing, or as much as GMM will give. */
static void refill(Pgm *pgm)
{
    PgmHandyStock *handy = &pgm->handy;
    GmmHandyPage got[MM_HANDY_PAGES];

    pgm_free_flush(pgm);
    pgm_handy_report(pgm);
    for (unsigned want = MM_HANDY_PAGES - handy->n; want > 0; want /= 2) {
        if (gmm_vm_alloc(pgm->mm.vm, GMM_ACCOUNT_BASE, want, got) == MEM_OK) {
            /* GMM may have asked the embedder for pages, and the embedder come here. */
            unsigned room = MIN(MM_HANDY_PAGES - handy->n, want);

            for (unsigned i = room; i < want; i++) {
                pgm_free_id(pgm, got[i].id);
            }
            reverse(got, room);
            memcpy(&handy->pages[handy->n], got, room * sizeof got[0]);
            handy->n += room;
            pgm->stats.handy_refills++;
            return;
        }
    }
}

MemStatus pgm_ensure_handy(Pgm *pgm)
{
    if (pgm->handy.n <= PGM_HANDY_REFILL_SOON) {
        refill(pgm);
    }
    return pgm->handy.n > 0 ? MEM_OK : MEM_ERR_NO_MEMORY;
}

MemStatus pgm_handy_make_ready(Pgm *pgm)
{
    PgmHandyStock *handy = &pgm->handy;

    if (pgm_pool_make_ready(pgm) || handy->n > PGM_HANDY_REFILL_NOW) {
        return MEM_OK;
    }
    refill(pgm);
    if (handy->n == 0) {
        /* What is ready for snapshots can be had again; the guest's write cannot wait. */
        pgm_stock_release(pgm);
        refill(pgm);
    }
    return handy->n > 0 ? MEM_OK : MEM_ERR_NO_MEMORY;
}

MemStatus pgm_handy_take(Pgm *pgm, GPhys gpa, bool want_zeros, PageId *ret_id)
{
    PgmHandyStock *handy = &pgm->handy;
    GmmHandyPage page = { .zeroed = false };

    if (!pgm_pool_take(pgm, &page.id)) {
        if (handy->n == 0 && pgm_handy_make_ready(pgm) != MEM_OK) {
            return MEM_ERR_NO_MEMORY;
        }
        page = handy->pages[--handy->n];
    }

    if (want_zeros && !page.zeroed) {
        memset(pgm_host(pgm, page.id), 0, MEM_PAGE_SIZE);
    }
    /* The id may have been ours before, with code: its bytes are others now. */
    pgm_forget_code(pgm, page.id);
    pgm_handy_note_used(pgm, page.id, gpa);
    *ret_id = page.id;
    return MEM_OK;
}

void pgm_free_flush(Pgm *pgm)
{
    PgmFreeBatch *batch = &pgm->freeing;

    if (batch->n == 0) {
        return;
    }
    /* A page may go back before GMM heard where it went. */
    pgm_handy_report(pgm);
    MemStatus status = gmm_vm_free_pages(pgm->mm.vm, GMM_ACCOUNT_BASE, batch->ids, batch->n);

    g_assert(status == MEM_OK);
    batch->n = 0;
}

void pgm_free_id(Pgm *pgm, PageId id)
{
    PgmFreeBatch *batch = &pgm->freeing;

    if (batch->n == PGM_FREE_BATCH) {
        pgm_free_flush(pgm);
    }
    batch->ids[batch->n++] = id;
}

void pgm_handy_return_all(Pgm *pgm)
{
    while (pgm->handy.n > 0) {
        pgm_free_id(pgm, pgm->handy.pages[--pgm->handy.n].id);
    }
    pgm_free_flush(pgm);
    pgm_handy_report(pgm);
}
