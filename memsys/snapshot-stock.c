/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host pages of the snapshots that hold nothing at the moment, and the moves of pages between the
 * accounts SHADOW (saved bytes) and BASE (the live machine).
 *
 *   stock   SHADOW pages, ready for the next first writes; refilled in batches
 *   kept    SHADOW pages that hold the bytes of a page already, should it be written again
 *   pool    BASE pages that a restore freed, or that the stock can spare; the machine's next first
 *           writes take them before handy pages, so that a loop of run and restore never visits GMM
 *
 * Stock and pool are chained through the pages' own bytes: they need no memory besides and have no
 * capacity. What is kept lies in a table, and goes to the stock where that is short.
 */
#include "memsys/tracking-internal.h"

#include <string.h>

#define STOCK_BATCH 32
#define STOCK_KEPT_READY (4 * STOCK_BATCH)

void pgm_chain_push(Pgm *pgm, PgmPageChain *chain, PageId id)
{
    memcpy(pgm_host(pgm, id), &chain->first, sizeof chain->first);
    chain->first = id;
    chain->n++;
}

PageId pgm_chain_pop(Pgm *pgm, PgmPageChain *chain)
{
    PageId id = chain->first;

    g_assert(chain->n > 0);
    memcpy(&chain->first, pgm_host(pgm, id), sizeof chain->first);
    chain->n--;
    return id;
}

/* ---- kept copies */

static size_t kept_at(const PgmPage *record)
{
    return (uintptr_t)record / sizeof *record % PGM_KEPT_SLOTS;
}

bool pgm_kept_has(const PgmTracking *tracking, const PgmPage *record)
{
    return tracking->kept[kept_at(record)].record == record;
}

void pgm_kept_put(Pgm *pgm, const PgmPage *record, PageId id)
{
    PgmTracking *tracking = pgm->tracking;
    PgmKept *slot = &tracking->kept[kept_at(record)];

    if (slot->record) {
        pgm_chain_push(pgm, &tracking->stock, slot->id);
        tracking->n_kept--;
    }
    *slot = (PgmKept) { .record = record, .id = id };
    tracking->n_kept++;
}

PageId pgm_kept_take(PgmTracking *tracking, const PgmPage *record)
{
    PgmKept *slot = &tracking->kept[kept_at(record)];

    if (slot->record != record) {
        return MEM_ZERO_PAGE_ID;
    }
    slot->record = NULL;
    tracking->n_kept--;
    return slot->id;
}

void pgm_kept_release(Pgm *pgm)
{
    PgmTracking *tracking = pgm->tracking;

    for (size_t i = 0; tracking->n_kept > 0; i++) {
        if (tracking->kept[i].record) {
            pgm_chain_push(pgm, &tracking->stock, tracking->kept[i].id);
            tracking->kept[i].record = NULL;
            tracking->n_kept--;
        }
    }
}

/* ---- stock and pool */

static void chain_release(Pgm *pgm, PgmPageChain *chain, GmmAccount account)
{
    /* A page may go back before GMM heard where it went. */
    pgm_handy_report(pgm);
    while (chain->n > 0) {
        PageId ids[PGM_FREE_BATCH];
        uint32_t n = 0;

        while (chain->n > 0 && n < PGM_FREE_BATCH) {
            ids[n++] = pgm_chain_pop(pgm, chain);
        }
        MemStatus status = gmm_vm_free_pages(pgm->mm.vm, account, ids, n);

        g_assert(status == MEM_OK);
    }
}

void pgm_stock_release(Pgm *pgm)
{
    if (pgm->tracking) {
        pgm_kept_release(pgm);
        chain_release(pgm, &pgm->tracking->stock, GMM_ACCOUNT_SHADOW);
    }
}

void pgm_pool_release(Pgm *pgm)
{
    if (pgm->tracking) {
        chain_release(pgm, &pgm->tracking->pool, GMM_ACCOUNT_BASE);
    }
}

/*
 * What the machine wrote to ZERO pages goes to SHADOW when the snapshot is left or the page given
 * up, and to the stock when the entry goes: such a loop would fill the stock and drain the handy
 * pages. So stock beyond what it keeps ready serves the machine, one page a first write, which cost
 * as much on its way here. A loop whose entries need the stock finds the pool filled and takes
 * nothing.
 */
bool pgm_pool_make_ready(Pgm *pgm)
{
    PgmTracking *tracking = pgm->tracking;

    if (!tracking) {
        return false;
    }
    if (tracking->pool.n == 0 && tracking->stock.n > STOCK_KEPT_READY) {
        PageId id = pgm_chain_pop(pgm, &tracking->stock);

        pgm_recharge_to_base(pgm, id);
        pgm_chain_push(pgm, &tracking->pool, id);
    }
    return tracking->pool.n > 0;
}

bool pgm_pool_take(Pgm *pgm, PageId *ret_id)
{
    PgmTracking *tracking = pgm->tracking;

    if (!tracking || tracking->pool.n == 0) {
        return false;
    }
    *ret_id = pgm_chain_pop(pgm, &tracking->pool);
    return true;
}

static bool refill(Pgm *pgm)
{
    GmmHandyPage got[STOCK_BATCH];

    for (uint32_t want = STOCK_BATCH; want > 0; want /= 2) {
        if (gmm_vm_alloc(pgm->mm.vm, GMM_ACCOUNT_SHADOW, want, got) == MEM_OK) {
            /* Backwards, so that they are taken in the order in which they lie. */
            for (uint32_t i = want; i > 0; i--) {
                pgm_forget_code(pgm, got[i - 1].id);
                pgm_chain_push(pgm, &pgm->tracking->stock, got[i - 1].id);
            }
            return true;
        }
    }
    return false;
}

bool pgm_stock_make_ready(Pgm *pgm)
{
    if (pgm->tracking->stock.n > 0 || refill(pgm)) {
        return true;
    }
    pgm_kept_release(pgm);
    if (pgm->tracking->stock.n > 0) {
        return true;
    }
    if (pgm->tracking->pool.n == 0) {
        return false;
    }
    pgm_pool_release(pgm);
    return refill(pgm);
}

/* ---- between accounts */

/*
 * Cannot fail: SHADOW has room for as many pages as there may be entries, each entry has at most
 * one, and what is in stock besides goes back where room is wanted.
 */
void pgm_recharge_to_shadow(Pgm *pgm, PageId id)
{
    MemStatus status;

    pgm_handy_report(pgm);
    status = gmm_vm_recharge(pgm->mm.vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW);
    if (status == MEM_ERR_ACCOUNT_LIMIT) {
        pgm_stock_release(pgm);
        status = gmm_vm_recharge(pgm->mm.vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW);
    }
    g_assert(status == MEM_OK);
    /* It backs no address any more; of a shared page nobody said that it does. */
    (void)gmm_vm_set_guest_frame(pgm->mm.vm, id, MEM_GPHYS_NIL);
}

/* All that BASE holds and no record shows, and pages that GMM still takes for ballooned. */
static void make_base_room(Pgm *pgm)
{
    pgm_pool_release(pgm);
    pgm_handy_return_all(pgm);
    pgm_balloon_settle(pgm);
}

/*
 * Cannot fail: BASE has room for a page behind each record and the handy pages; the page that this
 * one takes the place of has left or waits in the pool.
 */
void pgm_recharge_to_base(Pgm *pgm, PageId id)
{
    MemStatus status = gmm_vm_recharge(pgm->mm.vm, id, GMM_ACCOUNT_SHADOW, GMM_ACCOUNT_BASE);

    if (status == MEM_ERR_ACCOUNT_LIMIT) {
        make_base_room(pgm);
        status = gmm_vm_recharge(pgm->mm.vm, id, GMM_ACCOUNT_SHADOW, GMM_ACCOUNT_BASE);
    }
    g_assert(status == MEM_OK);
}

void pgm_settle_restored(Pgm *pgm)
{
    if (pgm->stats.pages.ballooned != pgm->ballooned_known) {
        make_base_room(pgm);
    }
}
