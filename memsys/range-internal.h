/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges and where they show. A PgmRange owns page records; the span table says, in address order,
 * which range answers for which addresses. An overlay cuts the span of the RAM range beneath into
 * pieces; the RAM's records stay in its range, untouched, and show again when the overlay goes.
 *
 *   ranges:  RAM "low" [0 ............................ 1M)
 *            ROM "bios"                 [F0000 .. 1M)
 *   spans:   |--------- low -----------||--- bios ---|
 */
#pragma once

#include "memsys/list-internal.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/page-internal.h"
#include "memsys/pgm.h"
#include "memsys/rom.h"

#define PGM_RANGE_CACHE_SLOTS 64
#define PGM_RANGE_CACHE_SHIFT 19 /* a cache slot speaks for 512 KiB */

/* 512 records are 4 KiB: one bit says whether any of them was ever changed. */
#define PGM_TOUCH_SHIFT 9
#define PGM_TOUCH_PAGES (UINT64_C(1) << PGM_TOUCH_SHIFT)

/*
 * Common part of every range; ROM, MMIO and MMIO2 begin with it.
 *
 * Invariants:
 * 1. start is MEM_GPHYS_NIL while not mapped; else spans show it at [start, start + shown_pages *
 * 4096), but for what overlays cover.
 * 2. pages is NULL only for MMIO without aliases; all its records are then equal to uniform.
 * 3. A record of RAM that differs from 0 has its touched bit set.
 */
typedef struct PgmRange {
    Pgm *pgm;
    uint64_t number; /* in order of creation */
    PgmRangeKind kind;
    GPhys start;
    uint64_t n_pages;     /* records */
    uint64_t shown_pages; /* pages of a mapping; less than n_pages for a reduced MMIO2 */
    PgmPage *pages;
    size_t pages_mapped; /* bytes mapped for pages; 0 if they are heap memory */
    PgmPage uniform;
    uint64_t *touched; /* RAM only */
    uint32_t *runs;    /* chunk of each 2 MiB-aligned run; NULL: RAM pages lie anywhere */
    size_t runs_mapped;
    struct PgmRange *beneath;  /* RAM covered while mapped, or NULL */
    uint64_t n_locks;          /* of pages, that somebody will undo (map.c) */
    PgmList *handlers;         /* of PgmHandler, sorted; NULL: none */
    struct PgmRangeSets *sets; /* of dirty clients; NULL: none */
    bool untracked;            /* about to go: changes of its pages are nobody's concern */
    char *owner;
    char *description;
} PgmRange;

typedef struct PgmRom {
    PgmRange range;
    PgmPage *shadow; /* NULL: not shadowed */
    uint8_t *prot;   /* PgmRomProt of each page */
    uint8_t *image;  /* the whole range as registered, for reset */
} PgmRom;

struct PgmMmio {
    PgmRange range;
    PgmMmioOps ops; /* a copy: a callback may free the range and what its user handed in */
    void *user;
    unsigned n_aliases;
    struct PgmMmio2 *last_aliased; /* a guess for following aliases; NULL after any removal */
    unsigned busy;                 /* device callbacks running: freeing waits for them */
    bool dead;                     /* freed by its owner while busy */
};

/* A page of an MMIO range that shows a page of an MMIO2. */
typedef struct PgmAlias {
    PgmRange *mmio;
    uint64_t mmio_index;
    uint64_t index; /* within the MMIO2 */
} PgmAlias;

struct PgmMmio2 {
    PgmRange range;
    unsigned region;
    PageId first_id;
    bool can_track;
    bool tracking;
    uint64_t *dirty;   /* one bit a page; only if can_track */
    PgmAlias *aliases; /* as many as a guest's device makes: from the host's hooks */
    unsigned n_aliases;
    unsigned aliases_room;
};

static inline PgmRom *pgm_rom_of(PgmRange *range)
{
    g_assert(range->kind == PGM_RANGE_ROM);
    return (PgmRom *)range;
}

typedef struct PgmSpan {
    GPhys first;
    GPhys last; /* last byte */
    PgmRange *range;
} PgmSpan;

typedef struct PgmSpanTable {
    PgmSpan *spans;
    unsigned n;
    unsigned n_allocated;
    PgmSpan cache[PGM_RANGE_CACHE_SLOTS]; /* by 512 KiB of address; an empty slot has no range */
} PgmSpanTable;

/* The one cache slot that may know @gpa. */
static inline PgmSpan *pgm_span_cache_slot(PgmSpanTable *table, GPhys gpa)
{
    return &table->cache[(gpa >> PGM_RANGE_CACHE_SHIFT) & (PGM_RANGE_CACHE_SLOTS - 1)];
}

static inline PgmMmio *pgm_mmio_of(PgmRange *range)
{
    g_assert(range->kind == PGM_RANGE_MMIO);
    return (PgmMmio *)range;
}

static inline PgmMmio2 *pgm_mmio2_of(PgmRange *range)
{
    g_assert(range->kind == PGM_RANGE_MMIO2);
    return (PgmMmio2 *)range;
}

/* Where an address lies: a page of a range, aliases followed. */
typedef struct PgmPlace {
    GPhys gpa;       /* the page as the accessor sees it */
    PgmRange *shown; /* the range whose span holds gpa */
    PgmRange *range; /* the range that owns the record: shown, or the MMIO2 behind an alias */
    uint64_t index;  /* page within range */
} PgmPlace;

/* Of @gpa in its page. */
static inline uint32_t pgm_page_offset(GPhys gpa)
{
    return (uint32_t)(gpa & ~MEM_PAGE_MASK);
}

/* Of @gpa, which is in the page at @place, in that page's range. */
static inline uint64_t pgm_place_offset(const PgmPlace *place, GPhys gpa)
{
    return place->index << MEM_PAGE_SHIFT | pgm_page_offset(gpa);
}

static inline PgmPage *pgm_range_page(PgmRange *range, uint64_t index)
{
    return range->pages ? &range->pages[index] : &range->uniform;
}

static inline PgmPage *pgm_shadow_page(PgmRange *range, uint64_t index)
{
    return &((PgmRom *)range)->shadow[index];
}

/* False if nobody answers at @gpa. */
bool pgm_place_lookup(Pgm *pgm, GPhys gpa, PgmPlace *ret_place);
/* Of an MMIO page that shows an MMIO2 page: goes on to that one. In mmio.c. */
void pgm_mmio_follow_alias(PgmPlace *place);
const PgmSpan *pgm_span_lookup(Pgm *pgm, GPhys gpa);
/* Index of the first span that ends at or after @gpa; the number of spans if there is none. */
unsigned pgm_span_index_above(const Pgm *pgm, GPhys gpa);
/* The first span that ends at or after @gpa, or NULL. */
const PgmSpan *pgm_span_at_or_above(const Pgm *pgm, GPhys gpa);

/**
 * pgm_range_init:
 *
 * Fills the common part; the records are zero (or uniform, if @records is false). @owner and
 * @description are copied. Not mapped. MEM_ERR_UNALIGNED, MEM_ERR_OUT_OF_RANGE,
 * MEM_ERR_HOST_MEMORY.
 */
MemStatus pgm_range_init(PgmRange *range, Pgm *pgm, PgmRangeKind kind, uint64_t len, bool records,
                         const char *owner, const char *description, GError **error);
/* Frees what pgm_range_init() made; not mapped. */
void pgm_range_clear(PgmRange *range);
PgmPage *pgm_records_new(Pgm *pgm, uint64_t n, size_t *ret_mapped);
void pgm_records_free(Pgm *pgm, PgmPage *pages, size_t mapped);

/*
 * Shows @range at @start, or moves it there. Over a hole, or (not for RAM) wholly inside one span
 * of RAM. On refusal nothing has changed. MEM_ERR_UNALIGNED, MEM_ERR_OUT_OF_RANGE,
 * MEM_ERR_CONFLICT.
 */
MemStatus pgm_range_map(PgmRange *range, GPhys start, GError **error);
/* RAM beneath shows again. No-op while not mapped. */
/* The same tests without a change; for a range that is not mapped. */
MemStatus pgm_range_check(const PgmRange *range, GPhys start, GError **error);
void pgm_range_unmap(PgmRange *range);

/* Next page index >= @from whose record may differ from zero, or range->n_pages. */
uint64_t pgm_range_next_touched(const PgmRange *range, uint64_t from);
