/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings single pages into states that otherwise need a dirty client, a scan over two machines or a
 * list of pages. For tests that include memsys internals.
 */
#pragma once

#include "memsys/pgm-internal.h"

static inline MemStatus event_place(Pgm *pgm, GPhys gpa, PgmPlace *ret_place)
{
    if (!pgm_place_lookup(pgm, gpa, ret_place)) {
        return MEM_ERR_UNASSIGNED;
    }
    return ret_place->range->kind == PGM_RANGE_RAM ? MEM_OK : MEM_ERR_NOT_RAM;
}

static inline MemStatus event_unlocked_place(Pgm *pgm, GPhys gpa, PgmPlace *ret_place)
{
    MemStatus status = event_place(pgm, gpa, ret_place);

    if (status == MEM_OK && pgm_page_locked(ret_place->range->pages[ret_place->index])) {
        status = MEM_ERR_IN_USE;
    }
    return status;
}

/* RAM or MMIO2. */
static inline MemStatus pgm_page_monitor_internal(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;
    MemStatus status = event_place(pgm, gpa, &place);

    if (status == MEM_ERR_NOT_RAM && place.range->kind == PGM_RANGE_MMIO2) {
        status = MEM_OK;
    }
    if (status == MEM_OK) {
        pgm_page_arm(place.range, place.index);
    }
    return status;
}

static inline void pgm_monitor_all_internal(Pgm *pgm)
{
    pgm_batch_begin(pgm);
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        if (range->kind == PGM_RANGE_MMIO2 || range->kind == PGM_RANGE_RAM) {
            for (uint64_t i = 0; (i = pgm_range_next_touched(range, i)) < range->n_pages; i++) {
                pgm_page_arm(range, i);
            }
        }
    }
    pgm_batch_end(pgm);
}

static inline MemStatus pgm_page_balloon_internal(Pgm *pgm, GPhys gpa, bool inflate)
{
    PgmPlace place;
    MemStatus status = event_unlocked_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    PgmPage from = place.range->pages[place.index];

    if (inflate == (pgm_page_state(from) == PGM_PAGE_BALLOONED)) {
        return MEM_ERR_WRONG_ORDER;
    }
    pgm_page_to_zero(place.range, place.index, PGM_RECORD_FRONT);
    pgm_free_flush(pgm);
    if (inflate) {
        pgm_page_change(place.range, place.index, PGM_RECORD_FRONT,
                        pgm_page_with_backing(place.range->pages[place.index], PGM_PAGE_BALLOONED,
                                              MEM_ZERO_PAGE_ID));
    }
    pgm_balloon_settle(pgm);
    return MEM_OK;
}

static inline MemStatus pgm_page_share_internal(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;
    MemStatus status = event_unlocked_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    PgmPage from = place.range->pages[place.index];

    if (pgm_page_state(from) != PGM_PAGE_ALLOCATED) {
        return MEM_ERR_PAGE_NOT_PRIVATE;
    }
    pgm_handy_report(pgm);
    status = gmm_vm_share_page(pgm->mm.vm, pgm_page_id(from));
    if (status == MEM_OK) {
        PgmPage to = pgm_page_with_backing(from, PGM_PAGE_SHARED, pgm_page_id(from));

        pgm_page_change(place.range, place.index, PGM_RECORD_FRONT,
                        pgm_page_with_written(to, false));
    }
    return status;
}

/* Drops what backs the page and shows shared page @id there, with a reference of its own. */
static inline MemStatus pgm_page_map_shared_internal(Pgm *pgm, GPhys gpa, PageId id)
{
    PgmPlace place;
    MemStatus status = event_unlocked_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    status = gmm_vm_ref_shared(pgm->mm.vm, id);
    if (status != MEM_OK) {
        return status;
    }
    pgm_page_to_zero(place.range, place.index, PGM_RECORD_FRONT);
    pgm_free_flush(pgm);
    pgm_page_change(place.range, place.index, PGM_RECORD_FRONT,
                    pgm_page_with_backing(place.range->pages[place.index], PGM_PAGE_SHARED, id));
    pgm_balloon_settle(pgm);
    return MEM_OK;
}
