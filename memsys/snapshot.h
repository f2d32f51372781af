/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of a machine's memory, in memory. Taking one write-monitors what was written since the
 * last; the first write to a page afterwards saves its bytes. Restoring puts back the pages that
 * were written. Cost follows pages written, never the size of RAM.
 *
 * Snapshots form a tree: one taken after a restore is a child of the one restored to. Any of them
 * can be restored, any can be dropped, in any order.
 *
 *      A --- B --- C           the machine runs from its current snapshot (here C); an edge of the
 *       \           \          tree holds the pages in which its two ends differ, with the bytes of
 *        D           (live)    the end that is further from the live machine
 *
 * What a snapshot holds: the bytes of RAM, ROM, shadow RAM and MMIO2; which pages were ZERO or
 * BALLOONED (SHARED and ALLOCATED pages of equal bytes count as the same); ROM protections; where
 * MMIO and MMIO2 ranges were mapped, how much of an MMIO2 is shown, aliases; which handlers were
 * switched off where. Handlers, watches, dirty clients and CPUs themselves are the host's: a
 * restore leaves them, and dirty clients see restored pages as written.
 *
 * Memory: each page that differs costs one entry, counted against a limit in pages
 * (pgm_snapshot_set_limit()); saved bytes are charged to GMM's SHADOW account. A write that needs
 * an entry and finds none left fails with MEM_ERR_NO_MEMORY: the machine stops, resumable.
 * Restoring never needs memory and cannot fail.
 *
 * Thread: the machine's, while the guest does not execute.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmSnapshot PgmSnapshot;

typedef enum PgmSnapshotFlags {
    PGM_SNAPSHOT_DEFAULT = 0,
    /* Also keep a checksum of every page, so that pgm_snapshot_check() can tell whether a restore
     * brought all back: O(allocated pages) now, for self tests. What other threads write while the
     * snapshot is taken may be in it or in the checksum alone. */
    PGM_SNAPSHOT_CHECKED = 1,
} PgmSnapshotFlags;

/**
 * pgm_snapshot_take:
 * @name: (nullable): copied; for people, need not be unique
 *
 * O(pages written since the last snapshot); the first: O(allocated pages). Pages locked for writing
 * are saved at once, because nobody can see when they are written.
 *
 * Snapshots end with the machine: pgm_free() frees those that are left. Their pointers are dead
 * then, do not drop them.
 *
 * Returns: (transfer full): the new snapshot, now the current one; %NULL with MEM_ERR_NO_MEMORY or
 *   MEM_ERR_HOST_MEMORY and nothing changed
 */
PgmSnapshot *pgm_snapshot_take(Pgm *pgm, const char *name, PgmSnapshotFlags flags, GError **error);

/**
 * pgm_snapshot_restore:
 *
 * Makes memory what it was and @snapshot the current one. Every snapshot stays. A page that is
 * locked keeps its host address and gets the bytes (zeros if it was ballooned, which it is again
 * with the next restore after it is unlocked). Ranges created since stay; where one is in the
 * way of a range that moves back, it is unmapped.
 */
void pgm_snapshot_restore(PgmSnapshot *snapshot);

/* @snapshot: (nullable). Its children, and the live machine, go on from its parent's point of view:
 * the current one may be dropped too, which leaves memory as it is. */
void pgm_snapshot_drop(PgmSnapshot *snapshot);

/**
 * pgm_snapshot_check:
 * @report: (nullable): each difference is appended as one line, 10,000 of them at most
 *
 * Compares all memory, as it is now, with what it was when @snapshot was taken: O(allocated pages).
 * Ranges created since are not compared.
 *
 * Returns: the number of pages that differ (0 right after a restore to it); UINT64_MAX if it was
 * not taken with PGM_SNAPSHOT_CHECKED
 */
uint64_t pgm_snapshot_check(PgmSnapshot *snapshot, GString *report);

/* The one the live machine runs from; NULL: none. */
PgmSnapshot *pgm_snapshot_current(const Pgm *pgm);

/* As given to pgm_snapshot_take(), "" for none; valid as long as the snapshot. */
const char *pgm_snapshot_name(const PgmSnapshot *snapshot);

typedef struct PgmSnapshotStats {
    uint64_t n_snapshots; /* that exist */
    uint64_t n_live;      /* pages written since the current one was taken or restored */
    uint64_t n_entries;   /* on all edges, n_live included */
    uint64_t limit;       /* most entries there may be */
    uint64_t n_saved;     /* host pages of the SHADOW account that hold saved bytes */
    uint64_t n_stock;     /* host pages kept ready for the next writes */
} PgmSnapshotStats;
/* How things stand now; zeros and no limit before the first snapshot. */
void pgm_snapshot_get_stats(const Pgm *pgm, PgmSnapshotStats *ret_stats);

/**
 * pgm_snapshot_set_limit:
 * @n_pages: most entries; below what is in use is allowed and only stops further ones. The default
 *   is no limit of its own for a machine that overcommits, and as many as it has pages for one that
 *   does not (that many are reserved with the first snapshot).
 *
 * Returns: MEM_OK or MEM_ERR_DECLINED
 */
MemStatus pgm_snapshot_set_limit(Pgm *pgm, uint64_t n_pages);

#pragma GCC visibility pop
