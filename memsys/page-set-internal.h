/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PgmPageSet: a set of page indexes below a fixed number, as a bitmap with summaries above it:
 *
 *   level 0   one bit a page
 *   level 1   one bit a word of level 0: not zero
 *   ...       up to a level of one word
 *
 * All levels lie in one piece of memory that is touched only where pages are in the set. Adding
 * never allocates; going through the set costs by what is in it.
 *
 * Invariants (pgm_page_set_verify() checks them):
 * 1. A bit of level n + 1 is set if and only if its word of level n is not zero.
 * 2. n_set is the number of bits of level 0; none is at or above n_pages.
 *
 * Source: ours.
 */
#pragma once

#include "memsys/os.h"
#include "memsys/types.h"

#define PGM_PAGE_SET_LEVELS 7 /* 64^7 pages: more than 52 bits of address space hold */

typedef struct PgmPageSet {
    uint64_t n_pages;
    uint64_t n_set;
    unsigned n_levels;
    uint64_t *levels[PGM_PAGE_SET_LEVELS]; /* all in the memory of levels[0] */
    size_t bytes;
    bool mapped; /* a mapping of its own, not heap memory */
} PgmPageSet;

/* @n_pages > 0. Empty; false if the host has no memory. */
bool pgm_page_set_init(PgmPageSet *set, const MemOs *os, uint64_t n_pages);
void pgm_page_set_clear(PgmPageSet *set, const MemOs *os);

static inline bool pgm_page_set_test(const PgmPageSet *set, uint64_t index)
{
    return (set->levels[0][index >> 6] >> (index & 63) & 1) != 0;
}

/* Returns: whether it was not in the set before */
bool pgm_page_set_add(PgmPageSet *set, uint64_t index);
bool pgm_page_set_remove(PgmPageSet *set, uint64_t index); /* whether it was in the set */

/* The smallest index >= @from that is in the set, or n_pages. */
uint64_t pgm_page_set_next(const PgmPageSet *set, uint64_t from);

/* Number of broken rules. */
unsigned pgm_page_set_verify(const PgmPageSet *set);
