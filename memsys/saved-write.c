/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the records of a machine's memory. Cost follows the pages that were ever touched (and the
 * size of MMIO2).
 *
 * Pages of equal bytes are written once: a table of fixed size remembers by hash where bytes are in
 * the stream. It forgets when two fall on one place, so some twins are written out.
 */
#include "memsys/saved-internal.h"

#include <string.h>
#include <xxhash.h>

/* ---- life */

static bool take_ranges(PgmSaver *saver)
{
    Pgm *pgm = saver->pgm;

    saver->n_ranges = pgm->ranges->len;
    saver->ranges = pgm->os->try_alloc0((saver->n_ranges + 1) * sizeof(PgmRange *));
    for (uint32_t i = 0; saver->ranges && i < saver->n_ranges; i++) {
        saver->ranges[i] = g_ptr_array_index(pgm->ranges, i);
    }
    return saver->ranges != NULL;
}

bool pgm_saver_init(PgmSaver *saver, Pgm *pgm, MemStateWriter *writer)
{
    *saver = (PgmSaver) { .pgm = pgm, .writer = writer, .next = { .range = UINT32_MAX } };
    pgm_saved_put_mm(pgm, writer);
    mem_state_begin_unit(writer, "pgm", 0, PGM_SAVED_VERSION);
    if (!take_ranges(saver)) {
        mem_state_writer_fail(writer, "no host memory for a list of %" G_GUINT32_FORMAT " ranges",
                              saver->n_ranges);
        return false;
    }
    saver->twins = pgm->os->map_zeros(PGM_SAVED_N_TWINS * sizeof(PgmSavedTwin));
    pgm_saver_new_turn(saver);
    pgm_saved_put_table(saver);
    return true;
}

void pgm_saver_clear(PgmSaver *saver)
{
    const MemOs *os = saver->pgm->os;

    if (saver->twins) {
        os->unmap(saver->twins, PGM_SAVED_N_TWINS * sizeof(PgmSavedTwin));
    }
    os->free(saver->ranges);
}

void pgm_saver_new_turn(PgmSaver *saver)
{
    /* Turns have 31 bits. */
    if (++saver->turn > INT32_MAX && saver->twins) {
        memset(saver->twins, 0, PGM_SAVED_N_TWINS * sizeof(PgmSavedTwin));
        saver->turn = 1;
    }
}

/* ---- pages */

static void put_place(PgmSaver *saver, const PgmSavedPlace *place)
{
    mem_state_put_u32(saver->writer, place->range);
    mem_state_put_u8(saver->writer, (uint8_t)place->which);
    mem_state_put_u64(saver->writer, place->index);
}

static bool is_next(const PgmSavedPlace *next, const PgmSavedPlace *place)
{
    return next->range == place->range && next->which == place->which &&
           next->index == place->index;
}

static void go_to(PgmSaver *saver, const PgmSavedPlace *place)
{
    if (!is_next(&saver->next, place)) {
        mem_state_put_u8(saver->writer, PGM_SAVED_PLACE);
        put_place(saver, place);
    }
    saver->next = *place;
}

static void flush_run(PgmSaver *saver)
{
    if (saver->run_n == 0) {
        return;
    }
    go_to(saver, &saver->run_start);
    mem_state_put_u8(saver->writer, (uint8_t)saver->run_type);
    mem_state_put_u64(saver->writer, saver->run_n);
    saver->next.index += saver->run_n;
    saver->run_n = 0;
}

static void put_in_run(PgmSaver *saver, PgmSavedRecord type, const PgmSavedPlace *place)
{
    PgmSavedPlace end = saver->run_start;

    end.index += saver->run_n;
    if (saver->run_n > 0 && (saver->run_type != type || !is_next(&end, place))) {
        flush_run(saver);
    }
    if (saver->run_n == 0) {
        saver->run_type = type;
        saver->run_start = *place;
    }
    saver->run_n++;
}

/* A page of the same bytes that is in the stream; else this one is remembered. */
static bool find_twin(PgmSaver *saver, const PgmSavedPlace *place, const uint8_t *bytes,
                      PgmSavedPlace *ret_twin)
{
    if (!saver->twins) {
        return false;
    }
    uint64_t hash = XXH3_64bits(bytes, MEM_PAGE_SIZE);
    PgmSavedTwin *twin = &saver->twins[hash & (PGM_SAVED_N_TWINS - 1)];

    if (twin->hash == hash && twin->turn >> 1 == saver->turn) {
        *ret_twin = (PgmSavedPlace) { .range = twin->range,
                                      .which = (PgmRecord)(twin->turn & 1),
                                      .index = twin->index };
        uint8_t other[MEM_PAGE_SIZE];

        pgm_host_copy(other,
                      pgm_saved_bytes(saver->ranges[twin->range], twin->index, ret_twin->which),
                      MEM_PAGE_SIZE);
        if (memcmp(other, bytes, MEM_PAGE_SIZE) == 0) {
            return true;
        }
    }
    *twin = (PgmSavedTwin) { .hash = hash,
                             .index = place->index,
                             .range = place->range,
                             .turn = saver->turn << 1 | (uint32_t)place->which };
    return false;
}

static PgmPage record_of(const PgmSaver *saver, const PgmSavedPlace *place)
{
    PgmRange *range = saver->ranges[place->range];

    return place->which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, place->index)
                                             : range->pages[place->index];
}

void pgm_saver_put_page(PgmSaver *saver, const PgmSavedPlace *place)
{
    PgmPage page = record_of(saver, place);
    uint8_t bytes[MEM_PAGE_SIZE];
    PgmSavedPlace twin;

    saver->n_written++;
    if (pgm_page_state(page) == PGM_PAGE_BALLOONED) {
        put_in_run(saver, PGM_SAVED_BALLOONED, place);
        return;
    }
    /* Other threads may be writing: all that follows is about what it was at one moment. */
    pgm_host_copy(bytes, pgm_host(saver->pgm, pgm_page_id(page)), MEM_PAGE_SIZE);
    if (pgm_page_id(page) == MEM_ZERO_PAGE_ID || pgm_saved_is_zero(saver->pgm, bytes)) {
        put_in_run(saver, PGM_SAVED_ZERO, place);
        return;
    }
    flush_run(saver);
    go_to(saver, place);
    if (find_twin(saver, place, bytes, &twin)) {
        mem_state_put_u8(saver->writer, PGM_SAVED_SAME);
        put_place(saver, &twin);
    } else {
        mem_state_put_u8(saver->writer, PGM_SAVED_RAW);
        mem_state_put(saver->writer, bytes, MEM_PAGE_SIZE);
    }
    saver->next.index++;
}

bool pgm_saver_wants(const PgmSaver *saver, const PgmSavedPlace *place)
{
    return pgm_page_state(record_of(saver, place)) != PGM_PAGE_ZERO;
}

/* ---- going through all pages */

/* One past the last page of the record at @place; 0 if there are none. */
static uint64_t end_of(const PgmSaver *saver, const PgmSavedPlace *place)
{
    PgmRange *range = saver->ranges[place->range];

    if (range->kind == PGM_RANGE_MMIO) {
        return 0;
    }
    if (place->which == PGM_RECORD_SHADOW) {
        return range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow ? range->n_pages : 0;
    }
    return range->n_pages;
}

bool pgm_saver_next(const PgmSaver *saver, PgmSavedPlace *place)
{
    for (; place->range < saver->n_ranges; place->range++, place->which = PGM_RECORD_FRONT) {
        for (;;) {
            uint64_t end = end_of(saver, place);

            if (end > 0 && place->which == PGM_RECORD_FRONT) {
                place->index = pgm_range_next_touched(saver->ranges[place->range], place->index);
            }
            if (place->index < end) {
                return true;
            }
            place->index = 0;
            if (place->which == PGM_RECORD_SHADOW) {
                break;
            }
            place->which = PGM_RECORD_SHADOW;
        }
    }
    return false;
}

/* ---- the rest of the state */

static void put_protections(PgmSaver *saver, uint32_t number)
{
    PgmRange *range = saver->ranges[number];

    if (range->kind != PGM_RANGE_ROM || !pgm_rom_of(range)->shadow) {
        return;
    }
    const uint8_t *prot = pgm_rom_of(range)->prot;

    for (uint64_t i = 0, n; i < range->n_pages; i += n) {
        for (n = 1; i + n < range->n_pages && prot[i + n] == prot[i]; n++) {
        }
        mem_state_put_u8(saver->writer, PGM_SAVED_PROT);
        mem_state_put_u32(saver->writer, number);
        mem_state_put_u64(saver->writer, i);
        mem_state_put_u64(saver->writer, n);
        mem_state_put_u8(saver->writer, prot[i]);
    }
}

static void put_map(PgmSaver *saver, uint32_t number)
{
    PgmRange *range = saver->ranges[number];

    if (range->kind != PGM_RANGE_MMIO && range->kind != PGM_RANGE_MMIO2) {
        return;
    }
    mem_state_put_u8(saver->writer, PGM_SAVED_MAP);
    mem_state_put_u32(saver->writer, number);
    mem_state_put_u64(saver->writer, range->start);
    mem_state_put_u64(saver->writer, range->shown_pages);
}

/* The number of the MMIO2 that host page @id is of. */
static uint32_t mmio2_of(const PgmSaver *saver, PageId id)
{
    for (uint32_t i = 0; i < saver->n_ranges; i++) {
        PgmRange *range = saver->ranges[i];

        if (range->kind == PGM_RANGE_MMIO2 && id - pgm_mmio2_of(range)->first_id < range->n_pages) {
            return i;
        }
    }
    g_assert_not_reached();
}

static bool is_alias(const PgmRange *mmio, uint64_t index)
{
    return index < mmio->n_pages && pgm_page_type(mmio->pages[index]) == PGM_PAGE_MMIO2_ALIAS;
}

static void put_aliases(PgmSaver *saver, uint32_t number)
{
    PgmRange *mmio = saver->ranges[number];

    if (mmio->kind != PGM_RANGE_MMIO || pgm_mmio_of(mmio)->n_aliases == 0) {
        return;
    }
    for (uint64_t i = 0, n; i < mmio->n_pages; i += n) {
        n = 1;
        if (!is_alias(mmio, i)) {
            continue;
        }
        PageId id = pgm_page_id(mmio->pages[i]);
        uint32_t to = mmio2_of(saver, id);
        PgmMmio2 *mmio2 = pgm_mmio2_of(saver->ranges[to]);
        uint64_t first = id - mmio2->first_id;

        while (is_alias(mmio, i + n) && pgm_page_id(mmio->pages[i + n]) == id + n &&
               first + n < mmio2->range.n_pages) {
            n++;
        }
        mem_state_put_u8(saver->writer, PGM_SAVED_ALIAS);
        mem_state_put_u32(saver->writer, number);
        mem_state_put_u64(saver->writer, i);
        mem_state_put_u32(saver->writer, to);
        mem_state_put_u64(saver->writer, first);
        mem_state_put_u64(saver->writer, n);
    }
}

static void put_off(const PgmRange *range, uint64_t offset, uint64_t index, uint64_t n, void *user)
{
    PgmSaver *saver = user;
    uint32_t number = 0;

    while (saver->ranges[number] != range) {
        number++;
    }
    mem_state_put_u8(saver->writer, PGM_SAVED_OFF);
    mem_state_put_u32(saver->writer, number);
    mem_state_put_u64(saver->writer, offset);
    mem_state_put_u64(saver->writer, index);
    mem_state_put_u64(saver->writer, n);
}

void pgm_saver_finish(PgmSaver *saver)
{
    static void (*const parts[])(PgmSaver *, uint32_t) = { put_protections, put_map, put_aliases };

    flush_run(saver);
    for (unsigned p = 0; p < G_N_ELEMENTS(parts); p++) {
        for (uint32_t i = 0; i < saver->n_ranges; i++) {
            parts[p](saver, i);
        }
    }
    for (uint32_t i = 0; i < saver->n_ranges; i++) {
        pgm_handlers_each_off(saver->ranges[i], put_off, saver);
    }
    mem_state_put_u8(saver->writer, PGM_SAVED_END);
    mem_state_end_unit(saver->writer);
}

/* ---- not live */

void pgm_save(Pgm *pgm, MemStateWriter *writer)
{
    PgmSaver saver;
    PgmSavedPlace place = { 0 };

    if (!pgm_saver_init(&saver, pgm, writer)) {
        mem_state_end_unit(writer);
        return;
    }
    for (; mem_state_writer_ok(writer) && pgm_saver_next(&saver, &place); place.index++) {
        if (pgm_saver_wants(&saver, &place)) {
            pgm_saver_put_page(&saver, &place);
        }
    }
    pgm_saver_finish(&saver);
    pgm_saver_clear(&saver);
}
