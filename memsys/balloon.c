/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ballooning. A call is checked whole before the first page changes: each page is marked as it is
 * met, so that one that is named twice is seen, and all marks are taken off again.
 *
 * GMM holds a machine's ballooned pages against its quota. It is told the number alone, after the
 * records have changed: then RAM that is backed and RAM that is ballooned together are never more
 * than RAM, which is what was reserved.
 *
 * Source: VirtualBox's memory balloon as restated in the project's notes; checking all addresses,
 * and counting what was done instead of what was asked for, are ours.
 */
#include "memsys/balloon.h"

#include "memsys/pgm-internal.h"
#include "memsys/planted.h"

void pgm_balloon_settle(Pgm *pgm)
{
    int64_t delta = (int64_t)(pgm->stats.pages.ballooned - pgm->ballooned_known);

    if (delta == 0) {
        return;
    }
    /* Pages on their way back are charged still. */
    pgm_free_flush(pgm);
    MemStatus status = gmm_vm_balloon(pgm->mm.vm, delta);

    g_assert(status == MEM_OK);
    pgm->ballooned_known = pgm->stats.pages.ballooned;
}

static MemStatus check_page(Pgm *pgm, GPhys gpa, bool inflate, PgmPlace *ret_place)
{
    if ((gpa & ~MEM_PAGE_MASK) != 0) {
        return MEM_ERR_UNALIGNED;
    }
    if (!pgm_place_lookup(pgm, gpa, ret_place)) {
        return MEM_ERR_UNASSIGNED;
    }
    if (ret_place->range->kind != PGM_RANGE_RAM) {
        return MEM_ERR_NOT_RAM;
    }
    PgmPage page = ret_place->range->pages[ret_place->index];
    bool ballooned = pgm_page_state(page) == PGM_PAGE_BALLOONED;

    if (!inflate) {
        return ballooned ? MEM_OK : MEM_ERR_WRONG_ORDER;
    }
    if (ballooned) {
        return MEM_ERR_BALLOONED;
    }
    if (pgm_page_locked(page) || pgm_page_owned(ret_place->range, ret_place->index)) {
        return MEM_ERR_IN_USE;
    }
    return MEM_OK;
}

/* Would all pages do, and is each named once? */
static MemStatus check_all(Pgm *pgm, const GPhys *gpas, uint32_t n, bool inflate)
{
    MemStatus status = MEM_OK;
    uint32_t n_marked = 0;
    PgmPlace place;

    pgm_lock(pgm); /* others read the records */
    while (status == MEM_OK && n_marked < n) {
        status = check_page(pgm, gpas[n_marked], inflate, &place);
        if (status == MEM_OK &&
            QUIRE_PLANTED(memory, pgm_page_set_mark(place.range, place.index, true), false)) {
            status = inflate ? MEM_ERR_BALLOONED : MEM_ERR_WRONG_ORDER;
        }
        n_marked += status == MEM_OK;
    }
    while (n_marked > 0) {
        (void)pgm_place_lookup(pgm, gpas[--n_marked], &place);
        (void)pgm_page_set_mark(place.range, place.index, false);
    }
    pgm_unlock(pgm);
    return status;
}

/* What snapshots must keep of pages that are about to change. */
static MemStatus keep_all(Pgm *pgm, const GPhys *gpas, uint32_t n)
{
    MemStatus status = MEM_OK;
    PgmPlace place;

    for (uint32_t i = 0; status == MEM_OK && i < n; i++) {
        (void)pgm_place_lookup(pgm, gpas[i], &place);
        status = pgm_page_before_change(place.range, place.index, PGM_RECORD_FRONT);
    }
    return status;
}

static void change_all(Pgm *pgm, const GPhys *gpas, uint32_t n, PgmPageState to)
{
    bool batch = n > PGM_TELL_EACH_MAX;
    PgmPlace place;

    if (batch) {
        pgm_batch_begin(pgm);
    }
    for (uint32_t i = 0; i < n; i++) {
        (void)pgm_place_lookup(pgm, gpas[i], &place);
        pgm_page_to_zero(place.range, place.index, PGM_RECORD_FRONT);
        pgm_page_change(
            place.range, place.index, PGM_RECORD_FRONT,
            pgm_page_with_backing(place.range->pages[place.index], to, MEM_ZERO_PAGE_ID));
    }
    if (batch) {
        pgm_batch_end(pgm);
    }
    pgm_free_flush(pgm);
}

static MemStatus balloon(Pgm *pgm, const GPhys *gpas, uint32_t n, bool inflate)
{
    MemStatus status = check_all(pgm, gpas, n, inflate);

    /* Unlocked: a snapshot that needs pages may have others asked for them. */
    if (status == MEM_OK) {
        status = keep_all(pgm, gpas, n);
    }
    if (status != MEM_OK) {
        return status;
    }
    pgm_lock(pgm);
    status = check_all(pgm, gpas, n, inflate);
    if (status == MEM_OK) {
        change_all(pgm, gpas, n, inflate ? PGM_PAGE_BALLOONED : PGM_PAGE_ZERO);
        pgm_balloon_settle(pgm);
    }
    pgm_unlock(pgm);
    return status;
}

MemStatus pgm_balloon_inflate(Pgm *pgm, const GPhys *gpas, uint32_t n)
{
    return balloon(pgm, gpas, n, true);
}

MemStatus pgm_balloon_deflate(Pgm *pgm, const GPhys *gpas, uint32_t n)
{
    return balloon(pgm, gpas, n, false);
}
