/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree: the way from one snapshot to another, and what becomes of the edges around one that is
 * dropped.
 *
 * A node has "ends": its children, and the live machine if it is the current one. A dropped node
 * with one end is taken out and its two edges become one; with none it goes with its edge; with
 * several it stays, hidden, until all but one have gone.
 *
 * Merging P --near/far-- N --near/far-- C: the edge whose far end is also the far end of the result
 * keeps all its entries. A page that only the other edge lists is equal at the far end and at N, so
 * its entry holds what is wanted; a page that both list is dropped from the nearer one.
 */
#include "memsys/tracking-internal.h"

PgmSnapshot *pgm_snapshot_next(const PgmSnapshot *snapshot)
{
    if (snapshot->first_child) {
        return snapshot->first_child;
    }
    while (snapshot && !snapshot->next_sibling) {
        snapshot = snapshot->parent;
    }
    return snapshot ? snapshot->next_sibling : NULL;
}

void pgm_snapshot_link(PgmSnapshot *snapshot, PgmSnapshot *parent)
{
    snapshot->parent = parent;
    if (parent) {
        snapshot->next_sibling = parent->first_child;
        parent->first_child = snapshot;
    } else {
        snapshot->next_sibling = NULL;
        snapshot->pgm->tracking->root = snapshot;
    }
}

static void unlink_node(PgmSnapshot *snapshot)
{
    PgmSnapshot **link = snapshot->parent ? &snapshot->parent->first_child : NULL;

    while (link && *link != snapshot) {
        link = &(*link)->next_sibling;
    }
    if (link) {
        *link = snapshot->next_sibling;
    } else {
        snapshot->pgm->tracking->root = NULL;
    }
}

static void free_node(PgmSnapshot *snapshot)
{
    Pgm *pgm = snapshot->pgm;

    g_assert(snapshot->edge.n == 0);
    pgm_edge_clear(pgm, &snapshot->edge);
    pgm_layout_unref(pgm, snapshot->layout);
    pgm_sums_free(pgm, snapshot->sums);
    pgm->os->free(snapshot);
}

/* ---- edges that go or become one */

static bool drop_entry(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)user;
    pgm_entry_drop_content(pgm, entry);
    return false;
}

static bool drop_live_entry(Pgm *pgm, PgmEntry *entry, void *user)
{
    pgm_page_set_saved(entry->range, entry->index, (PgmRecord)entry->record, false);
    return drop_entry(pgm, entry, user);
}

static bool set_mark(Pgm *pgm, PgmEntry *entry, void *user)
{
    const bool *mark = user;

    (void)pgm;
    pgm_page_set_merge_mark(entry->range, entry->index, (PgmRecord)entry->record, *mark);
    return true;
}

static bool keep_unmarked(Pgm *pgm, PgmEntry *entry, void *user)
{
    PgmPage page = *pgm_record(entry->range, entry->index, (PgmRecord)entry->record);

    (void)user;
    if ((page & PGM_PAGE_MARK_BIT) == 0) {
        return true;
    }
    pgm_entry_drop_content(pgm, entry);
    return false;
}

/* @near goes into @far and is empty then. Marks in the records, not a table: no memory needed. */
static void merge(Pgm *pgm, PgmEdge *far, PgmEdge *near)
{
    bool mark = true;

    pgm_lock(pgm);
    pgm_edge_filter(pgm, far, set_mark, &mark);
    pgm_edge_filter(pgm, near, keep_unmarked, NULL);
    mark = false;
    pgm_edge_filter(pgm, far, set_mark, &mark);
    pgm_unlock(pgm);
    pgm_edge_move(far, near);
}

static bool mark_saved(Pgm *pgm, PgmEntry *entry, void *user)
{
    (void)pgm;
    (void)user;
    pgm_page_set_saved(entry->range, entry->index, (PgmRecord)entry->record, true);
    return true;
}

/* ---- dropping */

static bool is_on_live_path(const PgmSnapshot *snapshot)
{
    const PgmSnapshot *at = snapshot->pgm->tracking->current;

    while (at && at != snapshot) {
        at = at->parent;
    }
    return at != NULL;
}

/* No snapshot is left. */
static void end_of_snapshots(Pgm *pgm)
{
    PgmTracking *tracking = pgm->tracking;

    pgm_edge_filter(pgm, &tracking->live, drop_live_entry, NULL);
    g_assert(tracking->n_entries == 0);
    tracking->current = NULL;
    pgm_stock_release(pgm);
    pgm_pool_release(pgm);
    pgm_edge_trim(pgm);
    MemStatus status =
        mm_adjust(&pgm->mm, GMM_ACCOUNT_SHADOW, -(int64_t)tracking->reserved, "snapshots", NULL);

    g_assert(status == MEM_OK);
    tracking->reserved = 0;
}

static void take_out_root(PgmSnapshot *root)
{
    Pgm *pgm = root->pgm;
    PgmSnapshot *child = root->first_child;

    unlink_node(root);
    if (child) {
        pgm_edge_filter(pgm, &child->edge, drop_entry, NULL);
        pgm_snapshot_link(child, NULL);
    } else {
        end_of_snapshots(pgm);
    }
    free_node(root);
}

/* Of an inner node with one end. */
static void take_out_inner(PgmSnapshot *node)
{
    Pgm *pgm = node->pgm;
    PgmTracking *tracking = pgm->tracking;
    PgmSnapshot *child = node->first_child;
    PgmEdge *onward = child ? &child->edge : &tracking->live;

    if (is_on_live_path(node)) {
        merge(pgm, &node->edge, onward);
        pgm_edge_move(onward, &node->edge);
    } else {
        merge(pgm, onward, &node->edge);
    }
    unlink_node(node);
    if (child) {
        pgm_snapshot_link(child, node->parent);
    } else {
        pgm_edge_filter(pgm, &tracking->live, mark_saved, NULL);
        tracking->current = node->parent;
    }
    free_node(node);
}

/* Takes out @node and those above it that are hidden and no longer needed. */
static void tidy(PgmSnapshot *node)
{
    while (node && node->hidden) {
        PgmSnapshot *parent = node->parent;
        Pgm *pgm = node->pgm;
        bool current = pgm->tracking->current == node;
        bool several = node->first_child && (node->first_child->next_sibling || current);

        if (several) {
            return;
        }
        if (!parent) {
            take_out_root(node);
        } else if (node->first_child || current) {
            take_out_inner(node);
        } else {
            pgm_edge_filter(pgm, &node->edge, drop_entry, NULL);
            unlink_node(node);
            free_node(node);
        }
        node = parent;
    }
}

void pgm_snapshot_drop(PgmSnapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    g_assert(!snapshot->hidden);
    snapshot->hidden = true;
    snapshot->pgm->tracking->n_snapshots--;
    pgm_kept_release(snapshot->pgm);
    tidy(snapshot);
}

void pgm_snapshots_free_all(Pgm *pgm)
{
    PgmSnapshot *s;

    while ((s = pgm->tracking->root) != NULL) {
        while (s->hidden) {
            s = pgm_snapshot_next(s);
        }
        pgm_snapshot_drop(s);
    }
}

/* ---- restoring */

static void mark_path(PgmSnapshot *snapshot, bool mark)
{
    PgmSnapshot *toward = NULL;

    for (PgmSnapshot *at = snapshot; at; at = at->parent) {
        at->on_path = mark;
        at->toward = toward;
        toward = at;
    }
}

/* Along the tree from the current snapshot; an edge holds the far end, so it can be crossed both
 * ways. */
static void travel(PgmSnapshot *to)
{
    Pgm *pgm = to->pgm;
    PgmTracking *tracking = pgm->tracking;

    mark_path(to, true);
    while (!tracking->current->on_path) {
        pgm_snapshot_cross(pgm, &tracking->current->edge);
        tracking->current = tracking->current->parent;
    }
    while (tracking->current != to) {
        tracking->current = tracking->current->toward;
        pgm_snapshot_cross(pgm, &tracking->current->edge);
    }
    mark_path(to, false);
    pgm_snapshot_settle_locked(pgm);
}

void pgm_snapshot_restore(PgmSnapshot *snapshot)
{
    g_assert(!snapshot->hidden);
    Pgm *pgm = snapshot->pgm;
    PgmSnapshot *left = pgm->tracking->current;

    pgm_batch_begin(pgm);
    pgm_lock(pgm);
    pgm_snapshot_undo_live(pgm, left == snapshot);
    if (left != snapshot) {
        pgm_kept_release(pgm);
        travel(snapshot);
        tidy(left);
    }
    pgm_settle_restored(pgm);
    pgm_unlock(pgm);
    pgm_layout_restore(pgm, snapshot->layout);
    pgm_batch_end(pgm);
}

/* ---- a range goes */

static bool is_of_other_range(Pgm *pgm, PgmEntry *entry, void *user)
{
    if (entry->range != user) {
        return true;
    }
    pgm_entry_drop_content(pgm, entry);
    return false;
}

void pgm_snapshots_forget_range(PgmRange *range)
{
    Pgm *pgm = range->pgm;
    PgmTracking *tracking = pgm->tracking;

    pgm_kept_release(pgm);
    pgm_edge_filter(pgm, &tracking->live, is_of_other_range, range);
    for (PgmSnapshot *s = tracking->root; s; s = pgm_snapshot_next(s)) {
        pgm_edge_filter(pgm, &s->edge, is_of_other_range, range);
        pgm_layout_forget(s->layout, range, NULL);
        if (s->sums) {
            pgm_sums_forget_range(s->sums, range);
        }
    }
}
