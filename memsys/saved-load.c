/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the records of a machine's memory. Checking and applying are the same walk: the check is
 * the walk with nothing done, so what passed it cannot be refused later.
 *
 * No number of the file is used before it was compared with the machine's own; memory is allocated
 * by the machine's number of ranges alone.
 */
#include "memsys/saved-internal.h"

#include "memsys/planted.h"

#include <inttypes.h>
#include <string.h>

/*
 * A record of a few bytes may name many pages. A live save names a page once a pass and each pass
 * is to have fewer, so this many times all pages are beyond any; it bounds the time a small file
 * can cost.
 */
#define RUN_PAGES_FACTOR 64
/* A ballooned page costs its record. All of them together may cost as much host memory as a quarter
 * of what machines may hold, and so many always. */
#define BALLOONED_ALWAYS (UINT64_C(1) << 20)

typedef struct Load {
    Pgm *pgm;
    MemStateReader *reader;
    bool apply;
    PgmRange **ranges; /* by number */
    uint32_t n_ranges;
    PgmSavedMap *maps; /* of all MMIO and MMIO2, in order of their numbers */
    uint32_t n_maps;
    uint32_t n_to_map;    /* as many there must be */
    uint32_t last_mapped; /* number of the last of maps */
    bool placed;          /* where and next are set */
    uint32_t where;
    PgmRecord which;
    uint64_t next;
    uint64_t n_run_pages; /* in runs of zero and ballooned pages so far */
    uint64_t max_run_pages;
    uint64_t n_ballooned; /* of them */
    uint64_t max_ballooned;
    PgmSavedRecord last; /* type of the record before, of those that have an order */
    uint8_t page[MEM_PAGE_SIZE];
} Load;

static bool failed(const Load *load, MemStatus status, GError **error)
{
    g_set_error(error, MEM_ERROR, (gint)status,
                "machine \"%s\": a page of the saved state finds no memory: %s", load->pgm->name,
                mem_status_name(status));
    return false;
}

static bool done(const Load *load, MemStatus status, GError **error)
{
    return status == MEM_OK || failed(load, status, error);
}

/* ---- numbers */

static bool get_range(Load *load, uint32_t *ret_number, GError **error)
{
    return mem_state_get_u32(load->reader, ret_number, error) &&
           (*ret_number < load->n_ranges ||
            mem_state_bad(load->reader, error, "range %" PRIu32 " of %" PRIu32, *ret_number,
                          load->n_ranges));
}

/* Pages [*ret_index, + *ret_n) that lie in the range. */
static bool check_pages(Load *load, const PgmRange *range, uint64_t index, uint64_t n,
                        GError **error)
{
    return (n > 0 && index < range->n_pages &&
            n <= range->n_pages - QUIRE_PLANTED(state, index, 0)) ||
           mem_state_bad(load->reader, error,
                         "%" PRIu64 " pages from page %" PRIu64 " of \"%s\", which has %" PRIu64, n,
                         index, range->description, range->n_pages);
}

static bool get_pages(Load *load, const PgmRange *range, uint64_t *ret_index, uint64_t *ret_n,
                      GError **error)
{
    return mem_state_get_u64(load->reader, ret_index, error) &&
           mem_state_get_u64(load->reader, ret_n, error) &&
           check_pages(load, range, *ret_index, *ret_n, error);
}

static bool has_record(PgmRange *range, uint8_t which)
{
    if (which == PGM_RECORD_FRONT) {
        return range->kind != PGM_RANGE_MMIO;
    }
    return which == PGM_RECORD_SHADOW && range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow;
}

static bool get_place(Load *load, PgmSavedPlace *ret_place, GError **error)
{
    uint8_t which;

    if (!get_range(load, &ret_place->range, error) ||
        !mem_state_get_u8(load->reader, &which, error) ||
        !mem_state_get_u64(load->reader, &ret_place->index, error)) {
        return false;
    }
    PgmRange *range = load->ranges[ret_place->range];

    ret_place->which = (PgmRecord)which;
    if (!has_record(range, which)) {
        return mem_state_bad(load->reader, error, "%s \"%s\" has no pages of record %u",
                             pgm_range_kind_name(range->kind), range->description, which);
    }
    return check_pages(load, range, ret_place->index, 1, error);
}

/* ---- pages */

/* @n pages from where the stream is. */
static bool check_next(Load *load, uint64_t n, GError **error)
{
    if (!load->placed) {
        return mem_state_bad(load->reader, error, "pages before the first place");
    }
    return check_pages(load, load->ranges[load->where], load->next, n, error);
}

/* A run of @n zero or ballooned pages from where the stream is. */
static bool check_run(Load *load, uint64_t n, GError **error)
{
    if (!check_next(load, n, error)) {
        return false;
    }
    load->n_run_pages += n;
    return load->n_run_pages <= load->max_run_pages ||
           mem_state_bad(load->reader, error,
                         "%" PRIu64 " zero and ballooned pages so far: more than %u times the "
                         "machine's",
                         load->n_run_pages, RUN_PAGES_FACTOR);
}

static bool check_ballooned(Load *load, uint64_t n, GError **error)
{
    load->n_ballooned += n;
    if (load->n_ballooned <= load->max_ballooned) {
        return true;
    }
    g_set_error(error, MEM_ERROR, MEM_ERR_NO_MEMORY,
                "machine \"%s\": %" PRIu64 " ballooned pages of the saved state are more than the "
                "%" PRIu64 " that can be noted under the limit of memory: raise it",
                load->pgm->name, load->n_ballooned, load->max_ballooned);
    return false;
}

static bool load_place(Load *load, GError **error)
{
    PgmSavedPlace place;

    if (!get_place(load, &place, error)) {
        return false;
    }
    load->placed = true;
    load->where = place.range;
    load->which = place.which;
    load->next = place.index;
    return true;
}

static bool load_zeros(Load *load, GError **error)
{
    uint64_t n;

    if (!mem_state_get_u64(load->reader, &n, error) || !check_run(load, n, error)) {
        return false;
    }
    uint64_t first = load->next;

    load->next += n;
    return !load->apply ||
           done(load, pgm_saved_apply_zeros(load->ranges[load->where], first, load->which, n),
                error);
}

static bool load_raw(Load *load, GError **error)
{
    if (!check_next(load, 1, error) ||
        !mem_state_get(load->reader, load->page, sizeof load->page, error)) {
        return false;
    }
    uint64_t index = load->next++;

    return !load->apply ||
           done(load,
                pgm_saved_apply_bytes(load->ranges[load->where], index, load->which, load->page),
                error);
}

static bool load_same(Load *load, GError **error)
{
    PgmSavedPlace twin;

    if (!check_next(load, 1, error) || !get_place(load, &twin, error)) {
        return false;
    }
    uint64_t index = load->next++;

    if (!load->apply) {
        return true;
    }
    /* A copy: making room for the one may move the other. */
    memcpy(load->page, pgm_saved_bytes(load->ranges[twin.range], twin.index, twin.which),
           MEM_PAGE_SIZE);
    return done(load,
                pgm_saved_apply_bytes(load->ranges[load->where], index, load->which, load->page),
                error);
}

static bool load_ballooned(Load *load, GError **error)
{
    uint64_t n;

    if (!mem_state_get_u64(load->reader, &n, error) || !check_run(load, n, error)) {
        return false;
    }
    PgmRange *range = load->ranges[load->where];
    uint64_t first = load->next;

    if (range->kind != PGM_RANGE_RAM) {
        return mem_state_bad(load->reader, error, "pages of \"%s\" cannot be ballooned",
                             range->description);
    }
    if (!check_ballooned(load, n, error)) {
        return false;
    }
    load->next += n;
    return !load->apply || done(load, pgm_saved_apply_balloon(range, first, n), error);
}

/* ---- the rest of the state */

static bool load_prot(Load *load, GError **error)
{
    uint32_t number;
    uint64_t index, n;
    uint8_t prot;

    if (!get_range(load, &number, error)) {
        return false;
    }
    PgmRange *range = load->ranges[number];

    if (!get_pages(load, range, &index, &n, error) ||
        !mem_state_get_u8(load->reader, &prot, error)) {
        return false;
    }
    if (!has_record(range, PGM_RECORD_SHADOW) || prot >= PGM_N_ROM_PROTS) {
        return mem_state_bad(load->reader, error, "protection %u of %s \"%s\"", prot,
                             pgm_range_kind_name(range->kind), range->description);
    }
    if (load->apply) {
        pgm_rom_protect_pages(range, index, n, (PgmRomProt)prot);
    }
    return true;
}

static bool is_mapped_kind(const PgmRange *range)
{
    return range->kind == PGM_RANGE_MMIO || range->kind == PGM_RANGE_MMIO2;
}

static bool load_map(Load *load, GError **error)
{
    PgmSavedMap map;
    uint32_t number;

    if (!get_range(load, &number, error) || !mem_state_get_u64(load->reader, &map.start, error) ||
        !mem_state_get_u64(load->reader, &map.shown_pages, error)) {
        return false;
    }
    map.range = load->ranges[number];
    bool reduced = map.range->kind == PGM_RANGE_MMIO2 && map.shown_pages > 0 &&
                   map.shown_pages < map.range->n_pages;

    if (!is_mapped_kind(map.range) || (map.shown_pages != map.range->n_pages && !reduced)) {
        return mem_state_bad(load->reader, error, "%" PRIu64 " pages of %s \"%s\" shown",
                             map.shown_pages, pgm_range_kind_name(map.range->kind),
                             map.range->description);
    }
    if (load->n_maps > 0 && number <= load->last_mapped) {
        return mem_state_bad(load->reader, error,
                             "the address of \"%s\" is out of order or there twice",
                             map.range->description);
    }
    bool somewhere = map.start != MEM_GPHYS_NIL;

    if (somewhere && ((map.start & ~MEM_PAGE_MASK) != 0 || map.start >= MEM_GPHYS_LIMIT ||
                      map.shown_pages << MEM_PAGE_SHIFT > MEM_GPHYS_LIMIT - map.start)) {
        return mem_state_bad(load->reader, error, "\"%s\" cannot lie at 0x%" PRIx64,
                             map.range->description, map.start);
    }
    load->last_mapped = number;
    load->maps[load->n_maps++] = map;
    return true;
}

static bool check_maps(Load *load, GError **error)
{
    if (load->n_maps != load->n_to_map) {
        return mem_state_bad(load->reader, error,
                             "%" PRIu32 " addresses of MMIO and MMIO2, expected %" PRIu32,
                             load->n_maps, load->n_to_map);
    }
    MemStatus status =
        pgm_saved_check_maps(load->pgm, load->reader, load->maps, load->n_maps, error);

    return status == MEM_OK || (status == MEM_ERR_HOST_MEMORY && failed(load, status, error));
}

/* All addresses are known now. */
static bool finish_maps(Load *load, GError **error)
{
    if (!check_maps(load, error)) {
        return false;
    }
    if (load->apply) {
        pgm_saved_apply_maps(load->maps, load->n_maps);
    }
    return true;
}

static GPhys address_of(const Load *load, const PgmRange *range)
{
    for (uint32_t i = 0; i < load->n_maps; i++) {
        if (load->maps[i].range == range) {
            return load->maps[i].start;
        }
    }
    return MEM_GPHYS_NIL;
}

static bool load_alias(Load *load, GError **error)
{
    uint32_t from, to;
    uint64_t index, at, n;

    if (!get_range(load, &from, error) || !mem_state_get_u64(load->reader, &index, error) ||
        !get_range(load, &to, error) || !mem_state_get_u64(load->reader, &at, error) ||
        !mem_state_get_u64(load->reader, &n, error)) {
        return false;
    }
    PgmRange *mmio = load->ranges[from];
    PgmRange *mmio2 = load->ranges[to];

    if (mmio->kind != PGM_RANGE_MMIO || mmio2->kind != PGM_RANGE_MMIO2 ||
        address_of(load, mmio) == MEM_GPHYS_NIL) {
        return mem_state_bad(load->reader, error, "pages of \"%s\" shown in \"%s\"",
                             mmio2->description, mmio->description);
    }
    if (!check_pages(load, mmio, index, n, error) || !check_pages(load, mmio2, at, n, error)) {
        return false;
    }
    MemStatus status = MEM_OK;

    for (uint64_t i = 0; load->apply && status == MEM_OK && i < n; i++) {
        status = pgm_mmio_alias(pgm_mmio_of(mmio), (index + i) << MEM_PAGE_SHIFT,
                                pgm_mmio2_of(mmio2), (at + i) << MEM_PAGE_SHIFT);
    }
    return done(load, status, error);
}

static bool load_off(Load *load, GError **error)
{
    uint32_t number;
    uint64_t offset, index, n;

    if (!get_range(load, &number, error) || !mem_state_get_u64(load->reader, &offset, error) ||
        !get_pages(load, load->ranges[number], &index, &n, error)) {
        return false;
    }
    return !load->apply ||
           done(load, pgm_handlers_set_off(load->ranges[number], offset, index, n), error);
}

/* ---- the walk */

/* 1 to 5 in any order, then each of the rest after all of those before it. */
static bool check_order(Load *load, uint8_t type, GError **error)
{
    PgmSavedRecord rank = type == PGM_SAVED_END         ? PGM_SAVED_N_RECORDS
                          : type <= PGM_SAVED_BALLOONED ? PGM_SAVED_PLACE
                                                        : (PgmSavedRecord)type;

    if (type >= PGM_SAVED_N_RECORDS || rank < load->last) {
        return mem_state_bad(load->reader, error, "a record of type %u is not expected here", type);
    }
    bool maps_end = load->last <= PGM_SAVED_MAP && rank > PGM_SAVED_MAP;

    load->last = rank;
    return !maps_end || finish_maps(load, error);
}

static bool load_records(Load *load, GError **error)
{
    static bool (*const records[PGM_SAVED_N_RECORDS])(Load *, GError **) = {
        [PGM_SAVED_PLACE] = load_place,
        [PGM_SAVED_ZERO] = load_zeros,
        [PGM_SAVED_RAW] = load_raw,
        [PGM_SAVED_SAME] = load_same,
        [PGM_SAVED_BALLOONED] = load_ballooned,
        [PGM_SAVED_PROT] = load_prot,
        [PGM_SAVED_MAP] = load_map,
        [PGM_SAVED_ALIAS] = load_alias,
        [PGM_SAVED_OFF] = load_off,
    };

    for (;;) {
        uint8_t type;

        if (!mem_state_get_u8(load->reader, &type, error) || !check_order(load, type, error)) {
            return false;
        }
        if (type == PGM_SAVED_END) {
            return mem_state_unit_left(load->reader) == 0 ||
                   mem_state_bad(load->reader, error, "%" PRIu64 " bytes follow the end",
                                 mem_state_unit_left(load->reader));
        }
        if (!records[type](load, error)) {
            return false;
        }
    }
}

static bool load_init(Load *load, GError **error)
{
    Pgm *pgm = load->pgm;

    load->n_ranges = pgm->ranges->len;
    load->ranges = pgm->os->try_alloc0((load->n_ranges + 1) * sizeof(PgmRange *));
    load->maps = pgm->os->try_alloc0((load->n_ranges + 1) * sizeof(PgmSavedMap));
    if (!load->ranges || !load->maps) {
        return failed(load, MEM_ERR_HOST_MEMORY, error);
    }
    GmmStats all;

    gmm_get_stats(pgm->gmm, &all);
    load->max_ballooned =
        MAX(MIN(all.max, MEM_GPHYS_LIMIT >> MEM_PAGE_SHIFT) / 4 * (MEM_PAGE_SIZE / sizeof(PgmPage)),
            BALLOONED_ALWAYS);
    for (uint32_t i = 0; i < load->n_ranges; i++) {
        const PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        load->n_to_map += is_mapped_kind(range);
        load->max_run_pages += range->n_pages * 2 * RUN_PAGES_FACTOR; /* two records a page */
    }
    return pgm_saved_check_mm(pgm, load->reader, error) &&
           mem_state_open_unit(load->reader, "pgm", 0, PGM_SAVED_VERSION, error) != 0 &&
           pgm_saved_get_table(pgm, load->reader, load->ranges, error);
}

static bool apply_records(Load *load, GError **error)
{
    Pgm *pgm = load->pgm;
    PgmRomProtectHook hook = pgm->rom_protect_hook;

    pgm_lock(pgm);
    pgm_batch_begin(pgm);
    pgm->rom_protect_hook = NULL; /* it is told of what the guest does */
    bool good = done(load, pgm_saved_apply_reset(pgm), error) && load_records(load, error);

    pgm->rom_protect_hook = hook;
    pgm_free_flush(pgm);
    pgm_balloon_settle(pgm);
    pgm_batch_end(pgm);
    /* Even where nothing changed: what CPUs have translated belongs to another time. */
    pgm_tlb_flush(pgm);
    pgm_tell_all(pgm, true);
    pgm_unlock(pgm);
    return good;
}

static bool walk(Pgm *pgm, MemStateReader *reader, bool apply, GError **error)
{
    Load *load = pgm->os->try_alloc0(sizeof(Load));

    if (!load) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "no host memory to load a saved state");
        return false;
    }
    load->pgm = pgm;
    load->reader = reader;
    load->apply = apply;
    load->last = PGM_SAVED_PLACE;
    bool good =
        load_init(load, error) && (apply ? apply_records(load, error) : load_records(load, error));

    pgm->os->free(load->ranges);
    pgm->os->free(load->maps);
    pgm->os->free(load);
    return good;
}

bool pgm_load_check(Pgm *pgm, MemStateReader *reader, GError **error)
{
    return walk(pgm, reader, false, error);
}

bool pgm_load_apply(Pgm *pgm, MemStateReader *reader, GError **error)
{
    return walk(pgm, reader, true, error);
}
