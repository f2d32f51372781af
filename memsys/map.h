/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host pointers to guest pages, with locks: while a page is locked it keeps its place on the host
 * and is never shared, moved, ballooned or freed. For devices that transfer much, debuggers, fuzz
 * harnesses.
 *
 * Locks of a kind count to 1022 a page; the next one makes the page locked for good (1023), and no
 * unlocking counts any more.
 *
 * A mapping for writing: watches, handlers and dirty tracking do not see single stores; the page
 * counts as written while it is locked, and the CPUs are told of code changes at unlock. MMIO,
 * pages with an armed handler (reading: with an ALL handler) and ballooned pages are refused. A
 * mapping for reading of a page that is still ZERO shows the zero page and does not see the first
 * write; a shared page becomes private first, so that its place is its own.
 *
 * Every mapping must be unmapped before pgm_free().
 *
 * Thread: the machine's; for others see memsys/external.h.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

#define PGM_LOCKS_FOR_GOOD 1023

typedef struct PgmMapping {
    uint8_t *host; /* 4096 bytes of the page; not to be written through if mapped for reading */
    /* private: */
    void *range;
    uint64_t index;
    bool writable;
    bool shadow;
} PgmMapping;

/**
 * pgm_map_page, pgm_map_page_ro:
 * @gpa: any byte of the page
 *
 * Returns: MEM_OK; MEM_ERR_UNASSIGNED, MEM_ERR_RESERVED (MMIO, handler, ROM that writes do not
 *   reach), MEM_ERR_BALLOONED, MEM_ERR_NO_MEMORY; on error nothing is locked
 */
MemStatus pgm_map_page(Pgm *pgm, GPhys gpa, PgmMapping *ret_mapping);
MemStatus pgm_map_page_ro(Pgm *pgm, GPhys gpa, PgmMapping *ret_mapping);
void pgm_unmap_page(Pgm *pgm, PgmMapping *mapping);

/* All or nothing: the first failure unlocks those before. @gpas may name a page more than once. */
MemStatus pgm_map_pages(Pgm *pgm, const GPhys *gpas, uint32_t n, bool writable,
                        PgmMapping *ret_mappings);
void pgm_unmap_pages(Pgm *pgm, PgmMapping *mappings, uint32_t n);

#pragma GCC visibility pop
