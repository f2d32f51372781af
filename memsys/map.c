/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host pointers to guest pages. A mapping is a count in the page's record; everything that would
 * take the page away from under it looks at the count first.
 *
 * Invariants:
 * 1. A page locked for writing is ALLOCATED.
 * 2. range->n_locks is the sum of its pages' counts, but for those that are locked for good.
 *
 * Source: the rule of counts is VirtualBox's, whose external variants never reached "for good" and
 * left a lock behind where they refused.
 */
#include "memsys/map.h"

#include "memsys/pgm-internal.h"

#include <string.h>

static PgmPage record(PgmRange *range, uint64_t index, PgmRecord which)
{
    return which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index)
                                      : *pgm_range_page(range, index);
}

/* The record a mapping at the place is of; false if there is none. */
static bool record_to_map(const PgmPlace *place, bool writable, PgmRecord *ret_which)
{
    PgmRange *range = place->range;
    PgmHandlerState handler = pgm_page_handler(*pgm_range_page(range, place->index));

    *ret_which = PGM_RECORD_FRONT;
    if (range->kind == PGM_RANGE_MMIO || handler == PGM_HANDLER_ALL ||
        (writable && handler >= PGM_HANDLER_WRITE)) {
        return false;
    }
    if (range->kind == PGM_RANGE_ROM && writable) {
        return pgm_rom_write_record(range, place->index, ret_which);
    }
    if (range->kind == PGM_RANGE_ROM) {
        *ret_which = pgm_rom_read_record(range, place->index);
    }
    return true;
}

/* One more or one less; nothing moves a page that is locked for good. */
static void count_lock(PgmRange *range, uint64_t index, PgmRecord which, bool writable, int by)
{
    PgmPage page = record(range, index, which);
    unsigned locks[2] = { pgm_page_read_locks(page), pgm_page_write_locks(page) };
    unsigned *count = &locks[writable];

    if (*count == PGM_LOCKS_FOR_GOOD) {
        return;
    }
    g_assert(by > 0 || *count > 0);
    *count += by > 0 ? 1u : -1u;
    pgm_page_set_locks(range, index, which, locks[0], locks[1]);
}

static MemStatus map_page(Pgm *pgm, GPhys gpa, bool writable, PgmMapping *ret_mapping)
{
    PgmPlace place;
    PgmRecord which;

    *ret_mapping = (PgmMapping) { 0 };
    if (!pgm_place_lookup(pgm, gpa, &place)) {
        return MEM_ERR_UNASSIGNED;
    }
    if (!record_to_map(&place, writable, &which)) {
        return MEM_ERR_RESERVED;
    }
    PgmRange *range = place.range;
    PgmPageState state = pgm_page_state(record(range, place.index, which));

    if (state == PGM_PAGE_BALLOONED) {
        return MEM_ERR_BALLOONED;
    }
    MemStatus status = MEM_OK;

    if (writable || state == PGM_PAGE_SHARED) {
        status = pgm_page_make_writable(range, place.index, which);
    }
    if (status == MEM_OK) {
        status = pgm_page_before_lock(range, place.index, which);
    }
    if (status != MEM_OK) {
        return status;
    }
    if (writable && range->kind == PGM_RANGE_MMIO2) {
        pgm_mmio2_page_dirtied(range, place.index);
    }
    count_lock(range, place.index, which, writable, +1);
    *ret_mapping =
        (PgmMapping) { .host = pgm_host(pgm, pgm_page_id(record(range, place.index, which))),
                       .range = range,
                       .index = place.index,
                       .writable = writable,
                       .shadow = which == PGM_RECORD_SHADOW };
    return MEM_OK;
}

MemStatus pgm_map_page(Pgm *pgm, GPhys gpa, PgmMapping *ret_mapping)
{
    return map_page(pgm, gpa, true, ret_mapping);
}

MemStatus pgm_map_page_ro(Pgm *pgm, GPhys gpa, PgmMapping *ret_mapping)
{
    return map_page(pgm, gpa, false, ret_mapping);
}

void pgm_unmap_page(Pgm *pgm, PgmMapping *mapping)
{
    PgmRange *range = mapping->range;
    PgmRecord which = mapping->shadow ? PGM_RECORD_SHADOW : PGM_RECORD_FRONT;

    g_assert(range && range->pgm == pgm);
    if (mapping->writable) {
        /* Nobody saw the single stores. */
        pgm_code_written(pgm, pgm_page_id(record(range, mapping->index, which)), 0, MEM_PAGE_SIZE);
    }
    count_lock(range, mapping->index, which, mapping->writable, -1);
    *mapping = (PgmMapping) { 0 };
}

MemStatus pgm_map_pages(Pgm *pgm, const GPhys *gpas, uint32_t n, bool writable,
                        PgmMapping *ret_mappings)
{
    for (uint32_t i = 0; i < n; i++) {
        MemStatus status = map_page(pgm, gpas[i], writable, &ret_mappings[i]);

        if (status != MEM_OK) {
            pgm_unmap_pages(pgm, ret_mappings, i);
            memset(ret_mappings, 0, n * sizeof *ret_mappings);
            return status;
        }
    }
    return MEM_OK;
}

void pgm_unmap_pages(Pgm *pgm, PgmMapping *mappings, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        pgm_unmap_page(pgm, &mappings[i]);
    }
}
