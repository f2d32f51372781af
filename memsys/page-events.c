/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page events that come from outside an access: monitoring, ballooning, sharing. Their public
 * callers (dirty clients, a balloon device, the share scan) come later; the states they lead to are
 * handled everywhere.
 *
 * Each refuses a locked page and touches RAM only (monitoring: MMIO2 as well).
 */
#include "memsys/pgm-internal.h"

static MemStatus ram_place(Pgm *pgm, GPhys gpa, PgmPlace *ret_place)
{
    if (!pgm_place_lookup(pgm, gpa, ret_place)) {
        return MEM_ERR_UNASSIGNED;
    }
    return ret_place->range->kind == PGM_RANGE_RAM ? MEM_OK : MEM_ERR_NOT_RAM;
}

void pgm_page_arm(PgmRange *range, uint64_t index)
{
    PgmPage from = *pgm_range_page(range, index);

    if (pgm_page_state(from) == PGM_PAGE_ALLOCATED) {
        PgmPage to = pgm_page_with_backing(from, PGM_PAGE_WRITE_MONITORED, pgm_page_id(from));

        pgm_page_change(range, index, PGM_RECORD_FRONT, pgm_page_with_written(to, false));
    }
}

MemStatus pgm_page_monitor_internal(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;
    MemStatus status = ram_place(pgm, gpa, &place);

    if (status == MEM_ERR_NOT_RAM && place.range->kind == PGM_RANGE_MMIO2) {
        status = MEM_OK;
    }
    if (status == MEM_OK) {
        pgm_page_arm(place.range, place.index);
    }
    return status;
}

void pgm_monitor_all_internal(Pgm *pgm)
{
    pgm_batch_begin(pgm);
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        if (range->kind == PGM_RANGE_MMIO2 || range->kind == PGM_RANGE_RAM) {
            uint64_t i = 0;

            while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
                pgm_page_arm(range, i++);
            }
        }
    }
    pgm_batch_end(pgm);
}

MemStatus pgm_page_balloon_internal(Pgm *pgm, GPhys gpa, bool inflate)
{
    PgmPlace place;
    MemStatus status = ram_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    PgmPage from = *pgm_range_page(place.range, place.index);

    if (pgm_page_locked(from)) {
        return MEM_ERR_IN_USE;
    }
    if (inflate == (pgm_page_state(from) == PGM_PAGE_BALLOONED)) {
        return MEM_ERR_WRONG_ORDER;
    }
    pgm_page_to_zero(place.range, place.index, PGM_RECORD_FRONT);
    pgm_free_flush(pgm);
    if (inflate) {
        PgmPage zero = *pgm_range_page(place.range, place.index);

        pgm_page_change(place.range, place.index, PGM_RECORD_FRONT,
                        pgm_page_with_backing(zero, PGM_PAGE_BALLOONED, MEM_ZERO_PAGE_ID));
    }
    return MEM_OK;
}

MemStatus pgm_page_share_internal(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;
    MemStatus status = ram_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    PgmPage from = *pgm_range_page(place.range, place.index);

    if (pgm_page_locked(from)) {
        return MEM_ERR_IN_USE;
    }
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

MemStatus pgm_page_map_shared_internal(Pgm *pgm, GPhys gpa, PageId id)
{
    PgmPlace place;
    MemStatus status = ram_place(pgm, gpa, &place);

    if (status != MEM_OK) {
        return status;
    }
    if (pgm_page_locked(*pgm_range_page(place.range, place.index))) {
        return MEM_ERR_IN_USE;
    }
    status = gmm_vm_ref_shared(pgm->mm.vm, id);
    if (status != MEM_OK) {
        return status;
    }
    pgm_page_to_zero(place.range, place.index, PGM_RECORD_FRONT);
    pgm_free_flush(pgm);
    pgm_page_change(
        place.range, place.index, PGM_RECORD_FRONT,
        pgm_page_with_backing(*pgm_range_page(place.range, place.index), PGM_PAGE_SHARED, id));
    return MEM_OK;
}
