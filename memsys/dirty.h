/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty clients: readers that want to know which pages were written since they last asked (live
 * save, fuzz loop, debugger). Each has a set of its own; a page is write-monitored while any client
 * (or a snapshot) needs to hear of its next write, and one client's reset never loses a page of
 * another.
 *
 * "Written" is any change of bytes, by whoever: first write, copy of a shared page, free, balloon,
 * reset, restore of a snapshot, debugger's poke, an MMIO2 owner that says so. Pages locked for
 * writing count as written for as long as they are locked.
 *
 * Cost: nothing on the write path but a bit per client at a page's first write; queries and resets
 * by pages written.
 *
 * Thread: the machine's.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

#define PGM_DIRTY_MAX_CLIENTS 16

typedef struct PgmDirty PgmDirty;

/* A page of some range, mapped or not. */
typedef struct PgmPageRef {
    PgmRangeKind kind;
    bool shadow;          /* the RAM behind a shadowed ROM page */
    GPhys gpa;            /* where its range is mapped (covered or not), else MEM_GPHYS_NIL */
    uint64_t offset;      /* within its range, bytes */
    const char *owner;    /* of the range; valid until it goes */
    const char *name;     /* its description; likewise */
    const uint8_t *bytes; /* 4096; valid until memory next changes */
    PgmPageState state;
} PgmPageRef;

/**
 * pgm_dirty_new:
 * @name: copied; for info items
 *
 * Starts clean: O(allocated pages). Ranges registered later are clean too, with their first bytes.
 *
 * Returns: (transfer full): a client; %NULL with MEM_ERR_LIMIT_REACHED or MEM_ERR_HOST_MEMORY
 */
PgmDirty *pgm_dirty_new(Pgm *pgm, const char *name, GError **error);
/* @dirty: (nullable). Also after pgm_free(); but nothing else may be done with it then. */
void pgm_dirty_free(PgmDirty *dirty);

/* Pages in the set. O(1). */
uint64_t pgm_dirty_count(const PgmDirty *dirty);

typedef void (*PgmDirtyVisitor)(const PgmPageRef *page, void *user);

/**
 * pgm_dirty_foreach:
 * @visit: must not change memory
 *
 * Visits the set by range, in order of offset; O(pages in it).
 */
void pgm_dirty_foreach(const PgmDirty *dirty, PgmDirtyVisitor visit, void *user);

/* The set is empty and its pages are monitored again. */
void pgm_dirty_reset(PgmDirty *dirty);

/* The byte's page, as it shows at @gpa now, is in the set. */
bool pgm_dirty_contains(PgmDirty *dirty, GPhys gpa);

#pragma GCC visibility pop
