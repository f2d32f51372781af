/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking snapshots, their limit and numbers (memsys/snapshot.h). Taking freezes the live edge: its
 * entries become those of the new snapshot's edge to its parent, their pages are monitored again.
 */
#include "memsys/tracking-internal.h"

#include <inttypes.h>
#include <string.h>

/* More pages than host page ids there can be. */
#define NO_LIMIT (UINT64_C(1) << 32)
#define NAME_MAX_BYTES 4096u

/* ---- reservation: one more than entries, because crossing moves a page in before one out */

static uint64_t wanted_reservation(const Pgm *pgm)
{
    const PgmTracking *tracking = pgm->tracking;
    uint64_t limit = tracking->limit;

    if (pgm->mm.policy == GMM_OVERCOMMIT) {
        return NO_LIMIT;
    }
    if (limit == UINT64_MAX) {
        limit = pgm->mm.reserved.n_pages[GMM_ACCOUNT_BASE] +
                pgm->mm.reserved.n_pages[GMM_ACCOUNT_FIXED];
    }
    return MAX(limit, tracking->n_entries) + 1;
}

static MemStatus adjust_reservation(Pgm *pgm, uint64_t want, GError **error)
{
    PgmTracking *tracking = pgm->tracking;
    int64_t delta = (int64_t)(want - tracking->reserved);

    if (delta < 0) {
        pgm_stock_release(pgm);
    }
    MemStatus status = mm_adjust(&pgm->mm, GMM_ACCOUNT_SHADOW, delta, "snapshots", error);

    if (status == MEM_OK) {
        tracking->reserved = want;
    }
    return status;
}

MemStatus pgm_snapshot_set_limit(Pgm *pgm, uint64_t n_pages)
{
    PgmTracking *tracking = pgm_tracking_get(pgm, NULL);

    if (!tracking) {
        return MEM_ERR_DECLINED;
    }
    uint64_t old = tracking->limit;

    tracking->limit = MIN(n_pages, NO_LIMIT - 1);
    if (tracking->current && adjust_reservation(pgm, wanted_reservation(pgm), NULL) != MEM_OK) {
        tracking->limit = old;
        return MEM_ERR_DECLINED;
    }
    return MEM_OK;
}

/* ---- taking */

/* The entries that locked pages need at once. */
typedef struct Fresh {
    PgmEdge edge;
    MemStatus status;
} Fresh;

static bool is_locked_private(PgmPage page)
{
    return pgm_page_locked(page) && pgm_state_is_private(pgm_page_state(page));
}

static void save_if_locked(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    Fresh *fresh = user;

    if (fresh->status == MEM_OK && is_locked_private(*pgm_record(range, index, which))) {
        fresh->status = pgm_snapshot_save_to(&fresh->edge, range, index, which);
    }
}

static bool save_entry_if_locked(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)pgm;
    save_if_locked(entry->range, entry->index, (PgmRecord)entry->record, user);
    return true;
}

static void rearm_unlocked(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    (void)user;
    if (!is_locked_private(*pgm_record(range, index, which))) {
        pgm_page_rearm(range, index, which);
    }
}

static bool rearm_entry(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)pgm;
    rearm_unlocked(entry->range, entry->index, (PgmRecord)entry->record, user);
    return true;
}

static bool set_saved(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)pgm;
    (void)user;
    pgm_page_set_saved(entry->range, entry->index, (PgmRecord)entry->record, true);
    return true;
}

static bool forget_fresh(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)user;
    pgm_entry_drop_content(pgm, entry);
    return false;
}

/* All pages that the new snapshot must hear of are monitored; cannot fail. */
static void begin_edge(Pgm *pgm, PgmSnapshot *snapshot, PgmEdge *fresh)
{
    PgmTracking *tracking = pgm->tracking;

    pgm_kept_release(pgm);
    pgm_batch_begin(pgm);
    pgm_lock(pgm);
    if (tracking->current) {
        pgm_edge_filter(pgm, &tracking->live, rearm_entry, NULL);
    } else {
        pgm_tracking_each_record(pgm, rearm_unlocked, NULL);
    }
    pgm_edge_filter(pgm, fresh, set_saved, NULL);
    pgm_edge_move(&snapshot->edge, &tracking->live);
    pgm_edge_move(&tracking->live, fresh);
    pgm_snapshot_link(snapshot, tracking->current);
    tracking->current = snapshot;
    tracking->n_snapshots++;
    pgm_unlock(pgm);
    pgm_batch_end(pgm);
}

static PgmSnapshot *new_node(Pgm *pgm, const char *name, PgmSnapshotFlags flags, GError **error)
{
    size_t len = name ? strnlen(name, NAME_MAX_BYTES) : 0;
    PgmSnapshot *snapshot = pgm->os->try_alloc0(sizeof *snapshot + len + 1);

    if (snapshot) {
        snapshot->pgm = pgm;
        memcpy(snapshot->name, name ? name : "", len);
        snapshot->layout = pgm_layout_capture(pgm);
        snapshot->sums = (flags & PGM_SNAPSHOT_CHECKED) ? pgm_sums_new(pgm) : NULL;
        if (snapshot->layout && (snapshot->sums || !(flags & PGM_SNAPSHOT_CHECKED))) {
            return snapshot;
        }
        if (snapshot->layout) {
            pgm_layout_unref(pgm, snapshot->layout);
        }
        pgm_sums_free(pgm, snapshot->sums);
        pgm->os->free(snapshot);
    }
    g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                "machine \"%s\": no host memory for a snapshot", pgm->name);
    return NULL;
}

/* Entries for locked pages; false with @error set, nothing left behind. */
static bool save_locked(Pgm *pgm, Fresh *fresh, GError **error)
{
    PgmTracking *tracking = pgm->tracking;

    if (tracking->current) {
        pgm_edge_filter(pgm, &tracking->live, save_entry_if_locked, fresh);
    } else {
        pgm_tracking_each_record(pgm, save_if_locked, fresh);
    }
    if (fresh->status == MEM_OK) {
        return true;
    }
    pgm_edge_filter(pgm, &fresh->edge, forget_fresh, NULL);
    g_set_error(error, MEM_ERROR, MEM_ERR_NO_MEMORY,
                "machine \"%s\": no memory to save its locked pages for a snapshot (%" PRIu64
                " entries of %" PRIu64 " in use)",
                pgm->name, tracking->n_entries, MIN(tracking->limit, tracking->reserved - 1));
    return false;
}

PgmSnapshot *pgm_snapshot_take(Pgm *pgm, const char *name, PgmSnapshotFlags flags, GError **error)
{
    PgmTracking *tracking = pgm_tracking_get(pgm, error);
    bool first = tracking && !tracking->current;
    Fresh fresh = { .status = MEM_OK };

    if (!tracking || (first && adjust_reservation(pgm, wanted_reservation(pgm), error) != MEM_OK)) {
        return NULL;
    }
    /* First what may have GMM ask the embedder for pages: the sums are of what it leaves. */
    bool saved = save_locked(pgm, &fresh, error);
    PgmSnapshot *snapshot = saved ? new_node(pgm, name, flags, error) : NULL;

    if (snapshot) {
        begin_edge(pgm, snapshot, &fresh.edge);
        return snapshot;
    }
    if (saved) {
        pgm_edge_filter(pgm, &fresh.edge, forget_fresh, NULL);
    }
    if (first) {
        pgm_stock_release(pgm);
        pgm_edge_trim(pgm);
        MemStatus status = adjust_reservation(pgm, 0, NULL);

        g_assert(status == MEM_OK);
    }
    return NULL;
}

/* ---- looking */

PgmSnapshot *pgm_snapshot_current(const Pgm *pgm)
{
    PgmSnapshot *at = pgm->tracking ? pgm->tracking->current : NULL;

    while (at && at->hidden) {
        at = at->parent;
    }
    return at;
}

const char *pgm_snapshot_name(const PgmSnapshot *snapshot)
{
    return snapshot->name;
}

uint64_t pgm_snapshot_check(PgmSnapshot *snapshot, GString *report)
{
    g_autoptr(GString) own = g_string_new(NULL);

    if (!snapshot->sums) {
        return UINT64_MAX;
    }
    return pgm_sums_compare(snapshot->pgm, snapshot->sums, report ? report : own);
}

void pgm_snapshot_get_stats(const Pgm *pgm, PgmSnapshotStats *ret_stats)
{
    const PgmTracking *tracking = pgm->tracking;

    *ret_stats = (PgmSnapshotStats) { .limit = UINT64_MAX };
    if (tracking) {
        GmmVmStats stats;

        gmm_vm_get_stats(pgm->mm.vm, &stats);
        ret_stats->n_snapshots = tracking->n_snapshots;
        ret_stats->n_live = tracking->live.n;
        ret_stats->n_entries = tracking->n_entries;
        ret_stats->limit =
            tracking->current ? MIN(tracking->limit, tracking->reserved - 1) : tracking->limit;
        ret_stats->n_stock = tracking->stock.n + tracking->n_kept;
        ret_stats->n_saved = stats.allocated.n_pages[GMM_ACCOUNT_SHADOW] - ret_stats->n_stock;
    }
}
