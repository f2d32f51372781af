/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PgmPage: the 8-byte record of a guest page. Records are read anywhere in memsys/ and written only
 * by memsys/page-state.c.
 *
 *   63   62   61    60        51 50        41  40   39    38 37 35 34  32 31            0
 *   +-+-----+----+------------+------------+----+---------+-----+------+---------------+
 *   |m|saved|seen| write locks| read locks |writ| handler |state| type |    page id    |
 *   +-+-----+----+------------+------------+----+---------+-----+------+---------------+
 *
 * All bits zero is RAM in the ZERO state, backed by page id 0 (the zero page), no handler: so the
 * record array of fresh RAM is memory that nobody has touched.
 *
 * "seen": some CPU may hold an answer about this page (memsys/cpu_port.h). While it is clear, a
 * change of the page need not be told to any CPU.
 *
 * "m": marked by a check for repeats (of a list of pages, of two snapshots' edges) that is running;
 * else 0.
 *
 * "saved": the current snapshot's edge to the live machine has an entry for the page
 * (memsys/snapshot.h): it may be written without asking again.
 *
 * Source: the fields are VirtualBox's, in half the space; the zero encoding and "seen" are ours.
 */
#pragma once

#include "memsys/pgm.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t PgmPage;

#define PGM_PAGE_TYPE_SHIFT 32
#define PGM_PAGE_STATE_SHIFT 35
#define PGM_PAGE_HANDLER_SHIFT 38
#define PGM_PAGE_WRITTEN_BIT (UINT64_C(1) << 40)
#define PGM_PAGE_READ_LOCKS_SHIFT 41
#define PGM_PAGE_WRITE_LOCKS_SHIFT 51
#define PGM_PAGE_SEEN_BIT (UINT64_C(1) << 61)
#define PGM_PAGE_SAVED_BIT (UINT64_C(1) << 62)
#define PGM_PAGE_MARK_BIT (UINT64_C(1) << 63)
#define PGM_PAGE_MAX_LOCKS 1023 /* locked for good */

#define PGM_PAGE_ID_MASK UINT64_C(0xffffffff)
#define PGM_PAGE_TYPE_MASK (UINT64_C(7) << PGM_PAGE_TYPE_SHIFT)
#define PGM_PAGE_STATE_MASK (UINT64_C(7) << PGM_PAGE_STATE_SHIFT)
#define PGM_PAGE_HANDLER_MASK (UINT64_C(3) << PGM_PAGE_HANDLER_SHIFT)
#define PGM_PAGE_LOCKS_MASK (((UINT64_C(1) << 20) - 1) << PGM_PAGE_READ_LOCKS_SHIFT)

G_STATIC_ASSERT(sizeof(PgmPage) == 8);
G_STATIC_ASSERT(PGM_PAGE_RAM == 0 && PGM_PAGE_ZERO == 0 && PGM_HANDLER_NONE == 0);
G_STATIC_ASSERT(MEM_ZERO_PAGE_ID == 0);
G_STATIC_ASSERT(PGM_N_PAGE_TYPES <= 8 && PGM_N_PAGE_STATES <= 8 && PGM_HANDLER_ALL <= 3);

static inline PageId pgm_page_id(PgmPage page)
{
    return (PageId)(page & PGM_PAGE_ID_MASK);
}

static inline PgmPageType pgm_page_type(PgmPage page)
{
    return (PgmPageType)((page & PGM_PAGE_TYPE_MASK) >> PGM_PAGE_TYPE_SHIFT);
}

static inline PgmPageState pgm_page_state(PgmPage page)
{
    return (PgmPageState)((page & PGM_PAGE_STATE_MASK) >> PGM_PAGE_STATE_SHIFT);
}

static inline PgmHandlerState pgm_page_handler(PgmPage page)
{
    return (PgmHandlerState)((page & PGM_PAGE_HANDLER_MASK) >> PGM_PAGE_HANDLER_SHIFT);
}

static inline bool pgm_page_written(PgmPage page)
{
    return (page & PGM_PAGE_WRITTEN_BIT) != 0;
}

/* Read and write lock counts together: not 0 means that some lock is held. */
static inline bool pgm_page_locked(PgmPage page)
{
    return (page & PGM_PAGE_LOCKS_MASK) != 0;
}

static inline unsigned pgm_page_read_locks(PgmPage page)
{
    return (unsigned)(page >> PGM_PAGE_READ_LOCKS_SHIFT) & PGM_PAGE_MAX_LOCKS;
}

static inline unsigned pgm_page_write_locks(PgmPage page)
{
    return (unsigned)(page >> PGM_PAGE_WRITE_LOCKS_SHIFT) & PGM_PAGE_MAX_LOCKS;
}

/* Locks of both kinds but those that are for good. */
static inline unsigned pgm_page_locks_to_undo(PgmPage page)
{
    unsigned n_read = pgm_page_read_locks(page);
    unsigned n_write = pgm_page_write_locks(page);

    return (n_read == PGM_PAGE_MAX_LOCKS ? 0 : n_read) +
           (n_write == PGM_PAGE_MAX_LOCKS ? 0 : n_write);
}

static inline PgmPage pgm_page_with_locks(PgmPage page, unsigned read_locks, unsigned write_locks)
{
    return (page & ~PGM_PAGE_LOCKS_MASK) | (uint64_t)read_locks << PGM_PAGE_READ_LOCKS_SHIFT |
           (uint64_t)write_locks << PGM_PAGE_WRITE_LOCKS_SHIFT;
}

static inline PgmPage pgm_page_make(PgmPageType type, PgmPageState state, PageId id)
{
    return id | (uint64_t)type << PGM_PAGE_TYPE_SHIFT | (uint64_t)state << PGM_PAGE_STATE_SHIFT;
}

/* @page in another state, with another page behind it; the rest as it was. */
static inline PgmPage pgm_page_with_backing(PgmPage page, PgmPageState state, PageId id)
{
    return (page & ~(PGM_PAGE_STATE_MASK | PGM_PAGE_ID_MASK)) |
           pgm_page_make(PGM_PAGE_RAM, state, id);
}

static inline PgmPage pgm_page_with_handler(PgmPage page, PgmHandlerState handler)
{
    return (page & ~PGM_PAGE_HANDLER_MASK) | (uint64_t)handler << PGM_PAGE_HANDLER_SHIFT;
}

static inline PgmPage pgm_page_with_written(PgmPage page, bool written)
{
    return written ? page | PGM_PAGE_WRITTEN_BIT : page & ~PGM_PAGE_WRITTEN_BIT;
}
