/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker's part for snapshots and dirty clients: every rule of memsys/tracking-internal.h
 * recomputed. Marks in the records tell which page the live edge lists.
 */
#include "memsys/tracking-internal.h"

#include <inttypes.h>
#include <string.h>

typedef struct Check {
    Pgm *pgm;
    GString *report;
    unsigned n_bad;
    uint64_t n_entries;
    uint64_t n_saved; /* host pages of entries */
} Check;

static void bad_page(Check *check, const PgmRange *range, uint64_t index, const char *what)
{
    check->n_bad++;
    g_string_append_printf(check->report, "page %" PRIu64 " of \"%s\": %s\n", index,
                           range->description, what);
}

static void bad(Check *check, const char *what)
{
    check->n_bad++;
    g_string_append_printf(check->report, "page tracking: %s\n", what);
}

/* ---- entries */

static void check_entry(Check *check, const PgmEntry *entry)
{
    bool has_page = entry->state == PGM_PAGE_ALLOCATED || entry->state == PGM_PAGE_SHARED;
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    check->n_entries++;
    check->n_saved += has_page;
    if (!pgm_range_is_tracked(entry->range) || entry->index >= entry->range->n_pages ||
        entry->state == PGM_PAGE_WRITE_MONITORED || entry->state >= PGM_N_PAGE_STATES ||
        has_page != (entry->id != MEM_ZERO_PAGE_ID)) {
        bad(check, "an entry is no entry");
        return;
    }
    if (has_page &&
        (!gmm_page_query(check->pgm->gmm, entry->id, &state, &owner, &gpa, &refs) ||
         state != (entry->state == PGM_PAGE_SHARED ? GMM_PAGE_SHARED : GMM_PAGE_PRIVATE) ||
         (state == GMM_PAGE_PRIVATE && owner != check->pgm->mm.vm))) {
        bad_page(check, entry->range, entry->index, "GMM sees its entry's host page otherwise");
    }
}

static void check_edge(Check *check, const PgmEdge *edge, bool live)
{
    uint64_t n = 0;

    for (const PgmEntryBlock *block = edge->first; block; block = block->next) {
        if (block->n > PGM_ENTRIES_PER_BLOCK || (!block->next && block != edge->last)) {
            bad(check, "an edge's blocks are out of order");
        }
        for (uint64_t i = 0; i < block->n; i++, n++) {
            const PgmEntry *entry = &block->entries[i];

            check_entry(check, entry);
            if (!live) {
                continue;
            }
            PgmPage page = *pgm_record(entry->range, entry->index, (PgmRecord)entry->record);

            if ((page & PGM_PAGE_SAVED_BIT) == 0 || (page & PGM_PAGE_MARK_BIT) != 0) {
                bad_page(check, entry->range, entry->index,
                         "an entry on the live edge without the saved bit, or two");
            }
            pgm_page_set_merge_mark(entry->range, entry->index, (PgmRecord)entry->record, true);
        }
    }
    if (n != edge->n) {
        bad(check, "an edge counts its entries wrongly");
    }
}

/* ---- records */

static bool every_client_has(const PgmTracking *tracking, const PgmRange *range, uint64_t index,
                             PgmRecord which)
{
    for (unsigned c = 0; c < PGM_DIRTY_MAX_CLIENTS; c++) {
        if (tracking->clients[c] && !pgm_page_set_test(&range->sets->sets[c][which], index)) {
            return false;
        }
    }
    return true;
}

static void check_record(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    Check *check = user;
    const PgmTracking *tracking = check->pgm->tracking;
    PgmPage page = *pgm_record(range, index, which);
    bool saved = (page & PGM_PAGE_SAVED_BIT) != 0;

    if (saved != ((page & PGM_PAGE_MARK_BIT) != 0)) {
        bad_page(check, range, index, "saved without an entry");
    }
    pgm_page_set_merge_mark(range, index, which, false);
    if (saved && !tracking->current) {
        bad_page(check, range, index, "saved, and there is no snapshot");
    }
    if (pgm_page_state(page) == PGM_PAGE_ALLOCATED &&
        ((tracking->current && !saved) || !every_client_has(tracking, range, index, which))) {
        bad_page(check, range, index, "can be written unseen");
    }
    if (pgm_page_write_locks(page) > 0 && tracking->current && !saved) {
        bad_page(check, range, index, "locked for writing without an entry");
    }
}

/* ---- kept copies */

static void check_kept(Check *check)
{
    const PgmTracking *tracking = check->pgm->tracking;
    uint64_t n = 0;

    for (size_t i = 0; i < PGM_KEPT_SLOTS; i++) {
        const PgmKept *kept = &tracking->kept[i];

        if (!kept->record) {
            continue;
        }
        n++;
        if ((uintptr_t)kept->record / sizeof *kept->record % PGM_KEPT_SLOTS != i) {
            bad(check, "a kept copy lies in the wrong slot");
        } else if ((*kept->record & PGM_PAGE_SAVED_BIT) != 0) {
            bad(check, "a page has an entry and a kept copy besides");
        } else if (memcmp(pgm_host(check->pgm, kept->id),
                          pgm_host(check->pgm, pgm_page_id(*kept->record)), MEM_PAGE_SIZE) != 0) {
            bad(check, "a kept copy is not what its page holds");
        }
    }
    if (n != tracking->n_kept) {
        bad(check, "kept copies are counted wrongly");
    }
}

/* ---- sets */

static void check_client(Check *check, const PgmDirty *dirty)
{
    uint64_t n = 0;

    for (unsigned r = 0; r < check->pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(check->pgm->ranges, r);

        if (!pgm_range_is_tracked(range)) {
            continue;
        }
        for (unsigned which = 0; which < 2; which++) {
            const PgmPageSet *set = &range->sets->sets[dirty->slot][which];

            n += set->n_set;
            if (set->n_pages > 0 && pgm_page_set_verify(set) != 0) {
                bad(check, "a dirty client's set is out of order");
            }
        }
    }
    if (n != dirty->n_pages) {
        bad(check, "a dirty client counts its pages wrongly");
    }
}

static void check_tree(Check *check)
{
    uint64_t n_shown = 0;

    for (PgmSnapshot *s = check->pgm->tracking->root; s; s = pgm_snapshot_next(s)) {
        bool current = s == check->pgm->tracking->current;
        unsigned n_ends = current;

        n_shown += !s->hidden;
        for (PgmSnapshot *child = s->first_child; child; child = child->next_sibling) {
            n_ends++;
            if (child->parent != s) {
                bad(check, "a snapshot's child has another parent");
            }
        }
        if (s->hidden && n_ends < 2) {
            bad(check, "a dropped snapshot was not taken out");
        }
        check_edge(check, &s->edge, false);
    }
    if (n_shown != check->pgm->tracking->n_snapshots) {
        bad(check, "the number of snapshots is wrong");
    }
}

unsigned pgm_tracking_verify(Pgm *pgm, GString *report)
{
    const PgmTracking *tracking = pgm->tracking;
    Check check = { .pgm = pgm, .report = report };
    GmmVmStats stats;

    if (!tracking) {
        return 0;
    }
    pgm_lock(pgm);
    check_edge(&check, &tracking->live, true);
    pgm_tracking_each_record(pgm, check_record, &check);
    pgm_unlock(pgm);
    check_kept(&check);
    check_tree(&check);
    for (unsigned c = 0; c < PGM_DIRTY_MAX_CLIENTS; c++) {
        if (tracking->clients[c]) {
            check_client(&check, tracking->clients[c]);
        }
    }
    gmm_vm_get_stats(pgm->mm.vm, &stats);
    if (stats.allocated.n_pages[GMM_ACCOUNT_SHADOW] !=
            check.n_saved + tracking->stock.n + tracking->n_kept ||
        check.n_entries != tracking->n_entries) {
        bad(&check, "entries, their host pages and the stock are not what is charged");
    }
    if (!tracking->current && (tracking->n_entries | tracking->stock.n | tracking->n_kept |
                               tracking->pool.n | tracking->reserved) != 0) {
        bad(&check, "something is left of snapshots");
    }
    return check.n_bad;
}
