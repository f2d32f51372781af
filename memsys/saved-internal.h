/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of the units "mm" and "pgm", and what the files that write and read them share.
 * Integers are little-endian; a text is a u32 length and its bytes.
 *
 * Unit "mm", version 1: what the machine's RAM must be.
 *   u64 RAM size, u64 hole size (0 and 0: a machine with regions of its own)
 *   u32 number of regions, then in address order: u64 start, u64 length, text description
 *
 * Unit "pgm", version 1: the table of ranges, then records.
 *   u32 number of ranges, each:
 *     u8 kind (PgmRangeKind), u8 1 if shadowed, u32 region (of an MMIO2, else 0),
 *     text owner, text description, u64 length,
 *     u64 start (RAM, ROM; else all ones: those move), u64 XXH3 of the image (ROM, else 0)
 *   A range's number is its place in this table, good in this file only: ranges are matched by the
 *   rest (twins in order). The image may differ: the bytes of ROM are in the records.
 *
 *   Records: u8 type, then
 *     1 PLACE      u32 range, u8 record (0 front, 1 shadow), u64 page: the next page
 *     2 ZERO       u64 n: n pages of zeros
 *     3 RAW        4096 bytes: one page
 *     4 SAME       u32 range, u8 record, u64 page: one page with the bytes that page has at this
 *                  point of the stream
 *     5 BALLOONED  u64 n: n pages of RAM given away
 *     6 PROT       u32 range, u64 page, u64 n, u8 protection: of shadowed ROM
 *     7 MAP        u32 range, u64 start or all ones, u64 pages shown: of MMIO and MMIO2
 *     8 ALIAS      u32 MMIO, u64 page, u32 MMIO2, u64 page, u64 n
 *     9 OFF        u32 range, u64 offset of a handler in it, u64 page, u64 n: switched off there
 *     0 END        nothing follows
 *   2 to 5 go on behind the page before; a later record of a page overrides an earlier one. Before
 *   the first, RAM, shadow RAM and MMIO2 are zeros and ROM is what the machine has. 6 to 9 come
 *   after all of those, in order of type, MAP once for each MMIO and MMIO2.
 *   OFF of a handler that the machine does not have is passed over: handlers are the host's.
 *
 * A reset after a load brings the machine's own ROM images back, as switching on after a change of
 * firmware would.
 *
 * Source: the record types of VirtualBox's saved state as restated in the project's notes; runs,
 * SAME and the layout of bytes are ours.
 */
#pragma once

#include "memsys/pgm-internal.h"
#include "memsys/saved_state.h"
#include "memsys/state_file.h"

#include <string.h>

#define PGM_SAVED_MM_VERSION 1u
#define PGM_SAVED_VERSION 1u
#define PGM_SAVED_TEXT_MAX (UINT32_C(1) << 20)

typedef enum PgmSavedRecord {
    PGM_SAVED_END,
    PGM_SAVED_PLACE,
    PGM_SAVED_ZERO,
    PGM_SAVED_RAW,
    PGM_SAVED_SAME,
    PGM_SAVED_BALLOONED,
    PGM_SAVED_PROT,
    PGM_SAVED_MAP,
    PGM_SAVED_ALIAS,
    PGM_SAVED_OFF,
    PGM_SAVED_N_RECORDS
} PgmSavedRecord;

/* A page of a range by its number. */
typedef struct PgmSavedPlace {
    uint32_t range;
    PgmRecord which;
    uint64_t index;
} PgmSavedPlace;

/* Where a page of these bytes is in the stream already. */
typedef struct PgmSavedTwin {
    uint64_t hash;
    uint64_t index;
    uint32_t range;
    uint32_t turn; /* 2 * PgmSaver.turn + which; older ones are void */
} PgmSavedTwin;

#define PGM_SAVED_N_TWINS 131072u /* a power of two; 3 MiB, where touched */

/*
 * Writes a "pgm" unit.
 *
 * Invariants:
 * 1. ranges[] is pgm->ranges as of the table.
 * 2. run_n pages of type run_type from run_start wait to be written; next is where the stream is
 *    without them (range UINT32_MAX: nowhere).
 * 3. A twin of this turn has, in the stream, the bytes its page has now.
 */
typedef struct PgmSaver {
    Pgm *pgm;
    MemStateWriter *writer;
    PgmRange **ranges;
    uint32_t n_ranges;
    PgmSavedPlace next;
    PgmSavedRecord run_type;
    PgmSavedPlace run_start;
    uint64_t run_n;
    PgmSavedTwin *twins; /* NULL: no host memory: nothing is found to be the same */
    uint32_t turn;
    uint64_t n_written; /* pages */
} PgmSaver;

/* ---- saved-write.c */

/* Begins "mm", ends it, begins "pgm" with its table; false if the host has no memory. */
bool pgm_saver_init(PgmSaver *saver, Pgm *pgm, MemStateWriter *writer);
void pgm_saver_clear(PgmSaver *saver);
/* The guest may have run: what was written may not be what memory has now. */
void pgm_saver_new_turn(PgmSaver *saver);
/* One page, as it is now. */
void pgm_saver_put_page(PgmSaver *saver, const PgmSavedPlace *place);
/* Whether a save has to write the page at all: others are what a load begins with. */
bool pgm_saver_wants(const PgmSaver *saver, const PgmSavedPlace *place);
/* Goes through all pages in order of the table; the first is that at or after @place. False: none
 * is left. */
bool pgm_saver_next(const PgmSaver *saver, PgmSavedPlace *place);
/* Protections, mappings, handlers and the end of the unit. */
void pgm_saver_finish(PgmSaver *saver);

/* The page's bytes, MEM_PAGE_SIZE of them. */
static inline const uint8_t *pgm_saved_bytes(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmPage page =
        which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : range->pages[index];

    return pgm_host(range->pgm, pgm_page_id(page));
}

static inline bool pgm_saved_is_zero(const Pgm *pgm, const uint8_t *bytes)
{
    return memcmp(bytes, pgm_host(pgm, MEM_ZERO_PAGE_ID), MEM_PAGE_SIZE) == 0;
}

/* ---- saved-table.c */

void pgm_saved_put_mm(Pgm *pgm, MemStateWriter *writer);
void pgm_saved_put_table(PgmSaver *saver);
/* Refuses a machine with other RAM. */
bool pgm_saved_check_mm(Pgm *pgm, MemStateReader *reader, GError **error);
/**
 * pgm_saved_get_table:
 * @ranges: pgm->ranges->len entries: the machine's range of each number
 *
 * Reads the table; every range of it is one of the machine's, and the reverse.
 */
bool pgm_saved_get_table(Pgm *pgm, MemStateReader *reader, PgmRange **ranges, GError **error);

/* ---- saved-apply.c: each MEM_OK, MEM_ERR_NO_MEMORY or MEM_ERR_HOST_MEMORY */

/* RAM, shadow RAM and MMIO2 are zeros; protections and handlers as after a reset. */
MemStatus pgm_saved_apply_reset(Pgm *pgm);
MemStatus pgm_saved_apply_bytes(PgmRange *range, uint64_t index, PgmRecord which,
                                const uint8_t *bytes);
MemStatus pgm_saved_apply_zeros(PgmRange *range, uint64_t index, PgmRecord which, uint64_t n);
MemStatus pgm_saved_apply_balloon(PgmRange *range, uint64_t index, uint64_t n);

/* Where a MAP record puts a range. */
typedef struct PgmSavedMap {
    PgmRange *range;
    GPhys start; /* MEM_GPHYS_NIL: nowhere */
    uint64_t shown_pages;
} PgmSavedMap;

/* @maps: all MMIO and MMIO2 ranges; every address was checked. */
void pgm_saved_apply_maps(const PgmSavedMap *maps, uint32_t n);

/* ---- saved-maps.c */

/* Nothing lies over another, over RAM only wholly inside one range of it. MEM_OK; MEM_ERR_CONFLICT
 * with @error set; MEM_ERR_HOST_MEMORY without. */
MemStatus pgm_saved_check_maps(const Pgm *pgm, MemStateReader *reader, const PgmSavedMap *maps,
                               uint32_t n_maps, GError **error);
