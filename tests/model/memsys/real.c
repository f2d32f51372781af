/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real machine's records, covered pages and the RAM behind ROM too. What stands behind a page
 * after a scan, a restore or a load is the real machine's choice: it is taken over here, and every
 * byte compared.
 */
#include "memsys/pgm-internal.h"
#include "tests/model/memsys/naive.h"

#include <inttypes.h>
#include <string.h>

static PgmPage record(const NaiveRange *range, unsigned which, unsigned page)
{
    return which == SHADOW ? *pgm_shadow_page(range->real, page)
                           : *pgm_range_page(range->real, page);
}

void real_find(NaiveRange *range)
{
    const Pgm *pgm = range->machine->pgm;

    if (range->kind == PGM_RANGE_MMIO) {
        range->real = &range->mmio->range;
    } else if (range->kind == PGM_RANGE_MMIO2) {
        range->real = &range->mmio2->range;
    }
    for (unsigned i = 0; range->real == NULL && i < pgm->ranges->len; i++) {
        PgmRange *real = g_ptr_array_index(pgm->ranges, i);

        if (real->kind == range->kind && real->start == range->start) {
            range->real = real;
        }
    }
    if (range->real == NULL) {
        model_fail("range %u is not in the machine", range->number);
    }
}

PgmPageState real_state(const NaiveRange *range, unsigned which, unsigned page)
{
    return pgm_page_state(record(range, which, page));
}

PageId real_id(const NaiveRange *range, unsigned which, unsigned page)
{
    return pgm_page_id(record(range, which, page));
}

const uint8_t *real_page(const NaiveRange *range, unsigned which, unsigned page)
{
    return pgm_host(range->machine->pgm, real_id(range, which, page));
}

const char *real_name(const NaiveRange *range)
{
    return range->real->description;
}

static Backing backing(PgmPageState state)
{
    switch (state) {
    case PGM_PAGE_ZERO:
        return NOTHING;
    case PGM_PAGE_SHARED:
        return SHARED;
    case PGM_PAGE_BALLOONED:
        return BALLOONED;
    case PGM_PAGE_ALLOCATED:
    case PGM_PAGE_WRITE_MONITORED:
    case PGM_N_PAGE_STATES:
        break;
    }
    return OWN;
}

typedef void (*RecordFunc)(NaiveRange *range, unsigned which, unsigned page);

static void each_record(Naive *m, RecordFunc func)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0;
             range->live && range->kind != PGM_RANGE_MMIO && page < range->n_pages; page++) {
            func(range, FRONT, page);
            if (range->shadow != NULL) {
                func(range, SHADOW, page);
            }
        }
    }
}

bool real_shows(Naive *m, PageId id)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0;
             range->live && range->kind != PGM_RANGE_MMIO && page < range->n_pages; page++) {
            if (real_id(range, FRONT, page) == id ||
                (range->shadow != NULL && real_id(range, SHADOW, page) == id)) {
                return true;
            }
        }
    }
    return false;
}

static void adopt(NaiveRange *range, unsigned which, unsigned page)
{
    if (range->kind != PGM_RANGE_MMIO2) {
        range->there[which][page] = (uint8_t)backing(real_state(range, which, page));
    }
}

void real_adopt(Naive *m)
{
    each_record(m, adopt);
}

static void check(NaiveRange *range, unsigned which, unsigned page)
{
    PgmPage real = record(range, which, page);
    Backing there = range->kind == PGM_RANGE_MMIO2 ? OWN : (Backing)range->there[which][page];

    if (backing(pgm_page_state(real)) != there) {
        model_fail("page %u (record %u) of range %u is %s, expected %d", page, which, range->number,
                   pgm_page_state_name(pgm_page_state(real)), there);
    }
    if (memcmp(real_page(range, which, page), naive_record_bytes(range, which, page), PAGE) != 0) {
        model_fail("page %u (record %u) of range %u, at %#" PRIx64 ", holds other bytes", page,
                   which, range->number, range->start);
    }
    if (pgm_page_write_locks(real) != range->n_write_locks[which][page] ||
        pgm_page_read_locks(real) != range->n_read_locks[which][page]) {
        model_fail("page %u (record %u) of range %u has %u write locks, expected %u", page, which,
                   range->number, pgm_page_write_locks(real), range->n_write_locks[which][page]);
    }
}

void real_check(Naive *m)
{
    each_record(m, check);
}
