/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts what a saved state says into a machine. Snapshots and dirty clients hear of each page before
 * it changes; a page that is locked, and all of RAM of a machine whose RAM was allocated
 * beforehand, keeps its host page and gets the bytes.
 */
#include "memsys/saved-internal.h"

#include <string.h>

static PgmPage record_of(PgmRange *range, uint64_t index, PgmRecord which)
{
    return which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : range->pages[index];
}

/* Has the page a host page that it must keep? */
static bool stays(const PgmRange *range, PgmPage page, PgmRecord which)
{
    if (which == PGM_RECORD_FRONT && range->kind != PGM_RANGE_RAM) {
        return true;
    }
    return pgm_page_locked(page) || (range->kind == PGM_RANGE_RAM && range->pgm->preallocated);
}

/* Whether the group of pages around this one has any record that is not fresh. */
static bool is_touched(const PgmRange *range, uint64_t index)
{
    uint64_t group = index >> PGM_TOUCH_SHIFT;

    return (range->touched[group >> 6] >> (group & 63) & 1) != 0;
}

/* Bytes into the page, which may be in any state. */
static MemStatus put_bytes(PgmRange *range, uint64_t index, PgmRecord which, const uint8_t *bytes)
{
    Pgm *pgm = range->pgm;
    PgmPage page = record_of(range, index, which);

    if (memcmp(pgm_host(pgm, pgm_page_id(page)), bytes, MEM_PAGE_SIZE) == 0 &&
        pgm_page_state(page) != PGM_PAGE_BALLOONED) {
        return MEM_OK;
    }
    MemStatus status = pgm_page_before_change(range, index, which);

    if (status == MEM_OK && pgm_page_state(page) == PGM_PAGE_BALLOONED) {
        pgm_page_to_zero(range, index, which);
    }
    if (status == MEM_OK) {
        status = pgm_page_make_writable(range, index, which);
    }
    if (status != MEM_OK) {
        return status;
    }
    PageId id = pgm_page_id(record_of(range, index, which));

    memcpy(pgm_host(pgm, id), bytes, MEM_PAGE_SIZE);
    pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    return MEM_OK;
}

static MemStatus put_zeros(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmPage page = record_of(range, index, which);

    if (stays(range, page, which) && pgm_page_state(page) != PGM_PAGE_BALLOONED) {
        return put_bytes(range, index, which, pgm_host(range->pgm, MEM_ZERO_PAGE_ID));
    }
    if (pgm_page_state(page) == PGM_PAGE_ZERO) {
        return MEM_OK;
    }
    MemStatus status = pgm_page_before_change(range, index, which);

    if (status == MEM_OK) {
        pgm_page_to_zero(range, index, which);
    }
    return status;
}

MemStatus pgm_saved_apply_bytes(PgmRange *range, uint64_t index, PgmRecord which,
                                const uint8_t *bytes)
{
    return pgm_saved_is_zero(range->pgm, bytes) ? put_zeros(range, index, which)
                                                : put_bytes(range, index, which, bytes);
}

MemStatus pgm_saved_apply_zeros(PgmRange *range, uint64_t index, PgmRecord which, uint64_t n)
{
    uint64_t end = index + n;
    MemStatus status = MEM_OK;

    while (status == MEM_OK && index < end) {
        /* No further than the run: a file may have many short ones in a lot of untouched RAM. */
        if (which == PGM_RECORD_FRONT && !is_touched(range, index)) {
            index = (index | (PGM_TOUCH_PAGES - 1)) + 1;
        } else {
            status = put_zeros(range, index++, which);
        }
    }
    return status;
}

MemStatus pgm_saved_apply_balloon(PgmRange *range, uint64_t index, uint64_t n)
{
    MemStatus status = MEM_OK;

    for (uint64_t end = index + n; status == MEM_OK && index < end; index++) {
        PgmPage page = range->pages[index];

        if (pgm_page_state(page) == PGM_PAGE_BALLOONED) {
            continue;
        }
        /* What somebody holds or owns here cannot be given away: it reads as zeros, too. */
        if (pgm_page_locked(page) || pgm_page_owned(range, index)) {
            status = put_zeros(range, index, PGM_RECORD_FRONT);
            continue;
        }
        status = pgm_page_before_change(range, index, PGM_RECORD_FRONT);
        if (status == MEM_OK) {
            pgm_page_to_zero(range, index, PGM_RECORD_FRONT);
            pgm_page_change(
                range, index, PGM_RECORD_FRONT,
                pgm_page_with_backing(range->pages[index], PGM_PAGE_BALLOONED, MEM_ZERO_PAGE_ID));
        }
    }
    return status;
}

/* ---- reset */

MemStatus pgm_saved_apply_reset(Pgm *pgm)
{
    MemStatus status = MEM_OK;

    for (unsigned i = 0; status == MEM_OK && i < pgm->ranges->len; i++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        pgm_handlers_rearm(range);
        if (range->kind == PGM_RANGE_RAM || range->kind == PGM_RANGE_MMIO2) {
            status = pgm_saved_apply_zeros(range, 0, PGM_RECORD_FRONT, range->n_pages);
        } else if (range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow) {
            pgm_rom_protect_pages(range, 0, range->n_pages, PGM_ROM_READ_ROM_WRITE_IGNORE);
            status = pgm_saved_apply_zeros(range, 0, PGM_RECORD_SHADOW, range->n_pages);
        }
    }
    pgm_free_flush(pgm);
    pgm_balloon_settle(pgm);
    return status;
}

/* ---- mappings */

static bool is_there(const PgmSavedMap *map)
{
    return map->range->start == map->start && map->range->shown_pages == map->shown_pages;
}

static void take_away(const PgmSavedMap *map)
{
    if (map->range->kind == PGM_RANGE_MMIO) {
        PgmMmio *mmio = pgm_mmio_of(map->range);

        pgm_mmio_unalias(mmio);
        if (!is_there(map)) {
            (void)pgm_mmio_unmap(mmio);
        }
    } else if (!is_there(map)) {
        (void)pgm_mmio2_unmap(pgm_mmio2_of(map->range));
    }
}

static void put_there(const PgmSavedMap *map)
{
    MemStatus status = MEM_OK;

    if (is_there(map)) {
        return;
    }
    if (map->range->kind == PGM_RANGE_MMIO2) {
        PgmMmio2 *mmio2 = pgm_mmio2_of(map->range);

        status = pgm_mmio2_reduce(mmio2, map->shown_pages << MEM_PAGE_SHIFT);
        g_assert(status == MEM_OK);
    }
    if (map->start != MEM_GPHYS_NIL) {
        status = pgm_range_map(map->range, map->start, NULL);
    }
    g_assert(status == MEM_OK);
}

void pgm_saved_apply_maps(const PgmSavedMap *maps, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        take_away(&maps[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        put_there(&maps[i]);
    }
}
