/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of all pages, for pgm_snapshot_check(): a list of the records that had bytes or were
 * ballooned, in the order in which they are met; every other page of a range there was, was zero.
 * Bytes are what counts for a page that is locked: it cannot be ballooned.
 */
#include "memsys/info-internal.h"
#include "memsys/tracking-internal.h"

#include <inttypes.h>
#include <xxhash.h>

typedef struct Sum {
    const PgmRange *range; /* NULL: it has gone */
    uint64_t index;
    uint64_t hash; /* of the bytes; of zeros if ballooned */
    uint8_t record;
    bool ballooned;
} Sum;

struct PgmSums {
    uint64_t n_ranges; /* made until then: later ones are not compared */
    uint64_t n;
    Sum sums[];
};

static uint64_t hash_of(const Pgm *pgm, PageId id)
{
    uint8_t bytes[MEM_PAGE_SIZE];

    pgm_host_copy(bytes, pgm_host(pgm, id), MEM_PAGE_SIZE); /* other threads may be writing */
    return XXH3_64bits(bytes, MEM_PAGE_SIZE);
}

static bool is_fresh(PgmPage page)
{
    return pgm_page_state(page) == PGM_PAGE_ZERO;
}

static void count_record(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    uint64_t *n = user;

    *n += !is_fresh(*pgm_record(range, index, which));
}

static void add_record(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    PgmSums *sums = user;
    PgmPage page = *pgm_record(range, index, which);

    if (!is_fresh(page)) {
        sums->sums[sums->n++] = (Sum) { .range = range,
                                        .index = index,
                                        .hash = hash_of(range->pgm, pgm_page_id(page)),
                                        .record = (uint8_t)which,
                                        .ballooned = pgm_page_state(page) == PGM_PAGE_BALLOONED };
    }
}

PgmSums *pgm_sums_new(Pgm *pgm)
{
    uint64_t n = 0;

    pgm_tracking_each_record(pgm, count_record, &n);
    PgmSums *sums = pgm->os->try_alloc0(sizeof *sums + n * sizeof(Sum));

    if (sums) {
        sums->n_ranges = pgm->n_ranges_made;
        pgm_tracking_each_record(pgm, add_record, sums);
    }
    return sums;
}

void pgm_sums_free(Pgm *pgm, PgmSums *sums)
{
    if (sums) {
        pgm->os->free(sums);
    }
}

void pgm_sums_forget_range(PgmSums *sums, const PgmRange *range)
{
    for (uint64_t i = 0; i < sums->n; i++) {
        if (sums->sums[i].range == range) {
            sums->sums[i].range = NULL;
        }
    }
}

/* ---- comparing */

typedef struct Compare {
    const Pgm *pgm;
    const PgmSums *sums;
    GString *report;
    uint64_t n_differ;
    uint64_t zero_hash;
} Compare;

static void differs(Compare *compare, const PgmRange *range, uint64_t index, unsigned which)
{
    if (compare->n_differ++ >= PGM_INFO_MAX_LINES) {
        return;
    }
    g_string_append_printf(compare->report, "page %" PRIu64 " of \"%s\"%s differs\n", index,
                           range->description, which == PGM_RECORD_SHADOW ? " (shadow)" : "");
}

/* Pages that had bytes: do they now? Each is marked as looked at. */
static void compare_listed(Compare *compare, const Sum *sum)
{
    PgmRange *range = (PgmRange *)(uintptr_t)sum->range;
    PgmPage page = *pgm_record(range, sum->index, (PgmRecord)sum->record);

    if (hash_of(compare->pgm, pgm_page_id(page)) != sum->hash ||
        (!pgm_page_locked(page) &&
         (pgm_page_state(page) == PGM_PAGE_BALLOONED) != sum->ballooned)) {
        differs(compare, range, sum->index, sum->record);
    }
    pgm_page_set_merge_mark(range, sum->index, (PgmRecord)sum->record, true);
}

/* All others were zero. */
static void compare_unlisted(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    Compare *compare = user;
    PgmPage page = *pgm_record(range, index, which);

    if ((page & PGM_PAGE_MARK_BIT) != 0) {
        pgm_page_set_merge_mark(range, index, which, false);
    } else if (range->number >= compare->sums->n_ranges) {
        return;
    } else if (pgm_page_state(page) == PGM_PAGE_BALLOONED ||
               (!is_fresh(page) &&
                hash_of(compare->pgm, pgm_page_id(page)) != compare->zero_hash)) {
        differs(compare, range, index, which);
    }
}

uint64_t pgm_sums_compare(Pgm *pgm, const PgmSums *sums, GString *report)
{
    Compare compare = {
        .pgm = pgm, .sums = sums, .report = report, .zero_hash = hash_of(pgm, MEM_ZERO_PAGE_ID)
    };

    pgm_lock(pgm);
    for (uint64_t i = 0; i < sums->n; i++) {
        if (sums->sums[i].range) {
            compare_listed(&compare, &sums->sums[i]);
        }
    }
    pgm_tracking_each_record(pgm, compare_unlisted, &compare);
    pgm_unlock(pgm);
    return compare.n_differ;
}
