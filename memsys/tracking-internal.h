/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tracking: the state that snapshots (memsys/snapshot.h) and dirty clients (memsys/dirty.h)
 * share, and what their files offer each other.
 *
 *   before_change --> snapshot-save.c (an entry on the live edge)
 *                 \-> dirty.c's sets  (a bit per client)
 *
 * The rule (pgm_tracking_verify() checks it): a page is ALLOCATED, so that it can be written
 * without a word, only if every dirty client has it in its set and, with a snapshot, the live edge
 * has an entry for it (PGM_PAGE_SAVED_BIT). Every other present page is WRITE_MONITORED or SHARED.
 *
 * The tree. Each snapshot but the root has an edge to its parent, and the live machine one to the
 * current snapshot. An edge lists the pages in which its ends differ, with the content of the end
 * that is further from the live machine, so that going along an edge is: swap each entry's content
 * with the live page's.
 *
 * Entries lie in blocks of one host page, which are kept for reuse; host pages that no entry needs
 * any more are kept too, chained through their own bytes: the stock (SHADOW account, for entries)
 * and the pool (BASE account, for the machine). So a loop of take, run and restore allocates
 * nothing.
 *
 * Copies that a restore to the current snapshot put back still hold what their pages hold: they are
 * kept, so that a page's next first write need not copy it again. They count as stock: any may be
 * had for something else.
 *
 * Invariants:
 * 1. An entry's page is charged to SHADOW; an entry has one unless it holds ZERO or BALLOONED.
 * 2. The live edge has at most one entry for a page, and exactly one if the record says SAVED.
 * 3. With a snapshot, a private page that is locked has an entry on the live edge: its host page
 *    must stay, so the entry's page is what moves on a restore.
 * 4. n_entries is the sum over all edges.
 * 5. A kept copy is a page of SHADOW whose bytes are those of its record, which is not SAVED. It
 * goes when the record gets an entry; all go when the current snapshot changes.
 */
#pragma once

#include "memsys/dirty.h"
#include "memsys/page-set-internal.h"
#include "memsys/pgm-internal.h"
#include "memsys/snapshot.h"

/* ---- entries and edges */

typedef struct PgmEntry {
    PgmRange *range;
    uint64_t index;
    PageId id;      /* MEM_ZERO_PAGE_ID: none */
    uint8_t state;  /* ZERO, BALLOONED, SHARED, or ALLOCATED for any private page */
    uint8_t record; /* PgmRecord */
} PgmEntry;

typedef struct PgmEntryBlock {
    struct PgmEntryBlock *next;
    uint64_t n;
    PgmEntry entries[(4096 - 16) / sizeof(PgmEntry)];
} PgmEntryBlock;
G_STATIC_ASSERT(sizeof(PgmEntryBlock) <= 4096);

#define PGM_ENTRIES_PER_BLOCK G_N_ELEMENTS(((PgmEntryBlock *)NULL)->entries)

/* In order of writing. Blocks but the last are full, except after entries were taken out. */
typedef struct PgmEdge {
    PgmEntryBlock *first;
    PgmEntryBlock *last;
    uint64_t n;
} PgmEdge;

/* Host pages chained through their first four bytes. */
typedef struct PgmPageChain {
    PageId first; /* MEM_ZERO_PAGE_ID: empty */
    uint64_t n;
} PgmPageChain;

/* By address of the record, each in one slot only: no page of a loop costs more for those that were
 * written once, and no more than 64 MiB are kept. */
#define PGM_KEPT_SLOTS 16384

typedef struct PgmKept {
    const PgmPage *record; /* NULL: an empty slot */
    PageId id;
} PgmKept;

/* ---- snapshots */

typedef struct PgmLayout PgmLayout;
typedef struct PgmSums PgmSums;

struct PgmSnapshot {
    Pgm *pgm;
    PgmSnapshot *parent, *first_child, *next_sibling;
    bool hidden;         /* dropped, but several still come from it */
    bool on_path;        /* while a restore looks for its way */
    PgmSnapshot *toward; /* likewise */
    PgmEdge edge;        /* to the parent */
    PgmLayout *layout;   /* with a reference */
    PgmSums *sums;       /* NULL: not CHECKED */
    char name[];
};

/* ---- dirty clients */

struct PgmDirty {
    Pgm *pgm; /* NULL: the machine has ended */
    unsigned slot;
    uint64_t n_pages; /* in its sets */
    char *name;
};

/* The clients' sets of one range, [client][record]. */
typedef struct PgmRangeSets {
    PgmPageSet sets[PGM_DIRTY_MAX_CLIENTS][2];
} PgmRangeSets;

typedef struct PgmTracking {
    PgmSnapshot *root;
    PgmSnapshot *current; /* may be a hidden one; NULL: no snapshot */
    PgmEdge live;         /* from the current snapshot to the live machine */
    uint64_t n_snapshots; /* not hidden */
    uint64_t n_entries;
    uint64_t limit;    /* UINT64_MAX: as many as were reserved */
    uint64_t reserved; /* pages of SHADOW, while there are snapshots */
    PgmPageChain stock;
    PgmPageChain pool;
    PgmEntryBlock *spare_blocks;

    unsigned n_clients;
    PgmDirty *clients[PGM_DIRTY_MAX_CLIENTS]; /* by slot; NULL: free */

    uint64_t n_kept;
    PgmKept kept[PGM_KEPT_SLOTS];
} PgmTracking;

/* Ranges whose pages take part. */
static inline bool pgm_range_is_tracked(const PgmRange *range)
{
    return range->kind != PGM_RANGE_MMIO && !range->untracked;
}

static inline PgmPage *pgm_record(PgmRange *range, uint64_t index, PgmRecord which)
{
    return which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : &range->pages[index];
}

static inline bool pgm_state_is_private(PgmPageState state)
{
    return state == PGM_PAGE_ALLOCATED || state == PGM_PAGE_WRITE_MONITORED;
}

/* ---- tracking.c */

/* NULL with @error set. */
PgmTracking *pgm_tracking_get(Pgm *pgm, GError **error);

/* The page's set bit for every client. */
void pgm_tracking_mark(PgmRange *range, uint64_t index, PgmRecord which);

/* Calls @visit for every record of the machine that may be other than fresh RAM. */
typedef void (*PgmRecordVisitor)(PgmRange *range, uint64_t index, PgmRecord which, void *user);
void pgm_tracking_each_record(Pgm *pgm, PgmRecordVisitor visit, void *user);

/* ---- dirty.c */
bool pgm_dirty_sets_new(PgmRange *range);
void pgm_dirty_sets_free(PgmRange *range);

/* ---- snapshot-edge.c */

/* Room for one more entry at the end; false if the host has no memory. */
bool pgm_edge_make_room(Pgm *pgm, PgmEdge *edge);
/* Spare blocks for @n more entries at the end; false likewise. */
bool pgm_edge_make_spares(Pgm *pgm, const PgmEdge *edge, uint64_t n);
/* There must be room. The caller has counted the entry (pgm_entries_count()). */
PgmEntry *pgm_edge_append(PgmEdge *edge);
/* Empties @from into the end of @to. */
void pgm_edge_move(PgmEdge *to, PgmEdge *from);
/* The blocks become spare ones; pages of entries must be gone. */
void pgm_edge_clear(Pgm *pgm, PgmEdge *edge);
/* Keeps the entries for which @keep says so. */
typedef bool (*PgmEntryFilter)(Pgm *pgm, PgmEntry *entry, void *user);
void pgm_edge_filter(Pgm *pgm, PgmEdge *edge, PgmEntryFilter keep, void *user);
/* Gives spare blocks back to the host. */
void pgm_edge_trim(Pgm *pgm);
void pgm_entries_count(PgmTracking *tracking, int64_t delta);

/* ---- snapshot-stock.c */
void pgm_chain_push(Pgm *pgm, PgmPageChain *chain, PageId id);
PageId pgm_chain_pop(Pgm *pgm, PgmPageChain *chain); /* not empty */
/* The stock is not empty; false if GMM has no page. May ask the embedder for pages, who may do
 * anything. */
bool pgm_stock_make_ready(Pgm *pgm);
void pgm_pool_release(Pgm *pgm);
/* The copy @id has the bytes of @record; one that is in its place goes to the stock. */
void pgm_kept_put(Pgm *pgm, const PgmPage *record, PageId id);
bool pgm_kept_has(const PgmTracking *tracking, const PgmPage *record);
/* Takes what @record has there; MEM_ZERO_PAGE_ID if it has nothing. */
PageId pgm_kept_take(PgmTracking *tracking, const PgmPage *record);
/* All go to the stock. */
void pgm_kept_release(Pgm *pgm);
/* Moves a page between the accounts; room is made. Cannot fail, see there. */
void pgm_recharge_to_shadow(Pgm *pgm, PageId id);
void pgm_recharge_to_base(Pgm *pgm, PageId id);
/* After pages were ballooned or deflated by a restore: GMM is told. Cannot fail, likewise. */
void pgm_settle_restored(Pgm *pgm);

/* ---- snapshot-save.c */

/* The page goes onto the live edge, if it is not there. MEM_OK or MEM_ERR_NO_MEMORY. */
MemStatus pgm_snapshot_save(PgmRange *range, uint64_t index, PgmRecord which);
/* Onto another edge, which may become the live one; the record is left alone. */
MemStatus pgm_snapshot_save_to(PgmEdge *edge, PgmRange *range, uint64_t index, PgmRecord which);
/* Room for @n entries more on the live edge, so that pages can be given up without fail. MEM_OK or
 * MEM_ERR_NO_MEMORY. */
MemStatus pgm_snapshot_make_room(Pgm *pgm, uint64_t n);
/* What an entry holds goes, and the entry out of the count: a page to the stock, a reference to
 * GMM. */
void pgm_entry_drop_content(Pgm *pgm, PgmEntry *entry);

/* ---- snapshot-move.c */

/* Memory becomes that of the current snapshot; entries of locked pages stay on the live edge.
 * @stay: it will be the current one, so copies are kept. */
void pgm_snapshot_undo_live(Pgm *pgm, bool stay);
/* Memory becomes that of the far end of @edge, which then holds this one's. After an undo. */
void pgm_snapshot_cross(Pgm *pgm, PgmEdge *edge);
/* After crossing: the entries of locked pages hold what the pages hold. */
void pgm_snapshot_settle_locked(Pgm *pgm);

/* ---- snapshot-tree.c */
void pgm_snapshot_link(PgmSnapshot *snapshot, PgmSnapshot *parent);
void pgm_snapshots_free_all(Pgm *pgm);
void pgm_snapshots_forget_range(PgmRange *range);

/* ---- snapshot-layout.c */

/* What @pgm's layout is now, with a reference; NULL if the host has no memory. */
PgmLayout *pgm_layout_capture(Pgm *pgm);
void pgm_layout_unref(Pgm *pgm, PgmLayout *layout);
void pgm_layout_restore(Pgm *pgm, PgmLayout *layout);
void pgm_layout_forget(PgmLayout *layout, const PgmRange *range, const PgmHandler *handler);

/* ---- snapshot-check.c */
PgmSums *pgm_sums_new(Pgm *pgm);
void pgm_sums_free(Pgm *pgm, PgmSums *sums);
void pgm_sums_forget_range(PgmSums *sums, const PgmRange *range);
uint64_t pgm_sums_compare(Pgm *pgm, const PgmSums *sums, GString *report);

/* ---- tree walk: parents before children */
PgmSnapshot *pgm_snapshot_next(const PgmSnapshot *snapshot);
