/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens before a page's bytes change, and as ranges come and go: the current snapshot keeps
 * what it needs, dirty clients hear of it.
 *
 * Source: ours; VirtualBox has one write monitor for its one live save.
 */
#include "memsys/tracking-internal.h"

PgmTracking *pgm_tracking_get(Pgm *pgm, GError **error)
{
    if (!pgm->tracking) {
        pgm->tracking = pgm->os->try_alloc0(sizeof(PgmTracking));
        if (!pgm->tracking) {
            g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                        "machine \"%s\": no host memory to begin page tracking", pgm->name);
            return NULL;
        }
        pgm->tracking->limit = UINT64_MAX;
    }
    return pgm->tracking;
}

bool pgm_tracking_wants_writes(const Pgm *pgm)
{
    return pgm->tracking && (pgm->tracking->current || pgm->tracking->n_clients > 0);
}

void pgm_tracking_mark(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmTracking *tracking = range->pgm->tracking;

    if (tracking->n_clients == 0) {
        return;
    }
    for (unsigned c = 0; c < PGM_DIRTY_MAX_CLIENTS; c++) {
        PgmDirty *client = tracking->clients[c];

        if (client && pgm_page_set_add(&range->sets->sets[c][which], index)) {
            client->n_pages++;
        }
    }
}

MemStatus pgm_page_before_change(PgmRange *range, uint64_t index, PgmRecord which)
{
    const PgmTracking *tracking = range->pgm->tracking;

    if (!tracking || !pgm_range_is_tracked(range)) {
        return MEM_OK;
    }
    if (tracking->current && (*pgm_record(range, index, which) & PGM_PAGE_SAVED_BIT) == 0) {
        MemStatus status = pgm_snapshot_save(range, index, which);

        if (status != MEM_OK) {
            return status;
        }
    }
    pgm_tracking_mark(range, index, which);
    return MEM_OK;
}

MemStatus pgm_page_before_lock(PgmRange *range, uint64_t index, PgmRecord which)
{
    const PgmTracking *tracking = range->pgm->tracking;
    PgmPage page = *pgm_record(range, index, which);

    if (!tracking || !tracking->current || !pgm_range_is_tracked(range) ||
        !pgm_state_is_private(pgm_page_state(page)) || (page & PGM_PAGE_SAVED_BIT) != 0) {
        return MEM_OK;
    }
    return pgm_snapshot_save(range, index, which);
}

/* ---- ranges */

bool pgm_tracking_range_new(PgmRange *range)
{
    const PgmTracking *tracking = range->pgm->tracking;

    return !tracking || tracking->n_clients == 0 || range->kind == PGM_RANGE_MMIO ||
           pgm_dirty_sets_new(range);
}

void pgm_tracking_range_gone(PgmRange *range)
{
    range->untracked = true;
    if (range->pgm->tracking) {
        pgm_snapshots_forget_range(range);
        pgm_dirty_sets_free(range);
    }
}

void pgm_tracking_handler_gone(Pgm *pgm, const PgmHandler *handler)
{
    if (!pgm->tracking) {
        return;
    }
    for (PgmSnapshot *s = pgm->tracking->root; s; s = pgm_snapshot_next(s)) {
        pgm_layout_forget(s->layout, NULL, handler);
    }
}

static void each_of_range(PgmRange *range, PgmRecordVisitor visit, void *user)
{
    bool shadowed = range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow;
    uint64_t i = 0;

    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        visit(range, i++, PGM_RECORD_FRONT, user);
    }
    for (i = 0; shadowed && i < range->n_pages; i++) {
        visit(range, i, PGM_RECORD_SHADOW, user);
    }
}

void pgm_tracking_each_record(Pgm *pgm, PgmRecordVisitor visit, void *user)
{
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        if (pgm_range_is_tracked(range)) {
            each_of_range(range, visit, user);
        }
    }
}

/* ---- the end */

uint64_t pgm_tracking_host_pages(const Pgm *pgm)
{
    GmmVmStats stats;

    if (!pgm->tracking) {
        return 0;
    }
    gmm_vm_get_stats(pgm->mm.vm, &stats);
    return stats.allocated.n_pages[GMM_ACCOUNT_SHADOW] + pgm->tracking->pool.n;
}

void pgm_tracking_free(Pgm *pgm)
{
    PgmTracking *tracking = pgm->tracking;

    if (!tracking) {
        return;
    }
    pgm_snapshots_free_all(pgm);
    /* The tables of sets stay with their ranges when the last client goes. */
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        pgm_dirty_sets_free(g_ptr_array_index(pgm->ranges, r));
    }
    for (unsigned c = 0; c < PGM_DIRTY_MAX_CLIENTS; c++) {
        if (tracking->clients[c]) {
            tracking->clients[c]->pgm = NULL;
        }
    }
    pgm_edge_trim(pgm);
    pgm->os->free(tracking);
    pgm->tracking = NULL;
}
