/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of defects 7 to 26 share: the small machine, what a refused call must leave as it
 * was, and whether the PGM lock was left held.
 */
#pragma once

#include "memsys/balloon.h"
#include "memsys/external.h"
#include "tests/unit/pgm-fixture.h"

#include <pthread.h>

#define P (HIGH + 16 * PAGE)
#define Q (HIGH + 40 * PAGE)
#define ROM HOLE

static inline uint64_t gmm_allocated(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s.allocated;
}

static inline GmmVmStats vm_stats(const Pgm *of)
{
    GmmVmStats s;

    gmm_vm_get_stats(pgm_gmm_vm(of), &s);
    return s;
}

/* What a refused call must leave as it was. */
typedef struct Before {
    PgmPageCounts pages;
    uint64_t allocated, ballooned;
    GmmReservation reserved;
    unsigned n_ranges;
} Before;

static inline Before before(Pgm *of)
{
    PgmStats s;
    Before now = { .allocated = gmm_allocated(), .ballooned = vm_stats(of).ballooned_pages };

    pgm_get_stats(of, &s);
    now.pages = s.pages;
    now.n_ranges = pgm_range_count(of);
    mm_get_reserved(of, &now.reserved);
    return now;
}

static inline void check_unchanged(Pgm *of, const Before *was)
{
    Before now = before(of);

    ck_assert_mem_eq(&now, was, sizeof now);
    check_sound();
}

static inline void *read_one_page(void *of)
{
    uint32_t value;

    return pgm_external_read(of, HIGH, &value, 4, MEM_ORIGIN_DEBUGGER) == MEM_OK ? of : NULL;
}

/* The test hangs here, and so fails, if this thread still holds the PGM lock. */
static inline void check_not_locked(Pgm *of)
{
    pthread_t thread;
    void *result;

    ck_assert_int_eq(pthread_create(&thread, NULL, read_one_page, of), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, of);
    ck_assert(of->locking);
}

static inline PgmPage record_at(GPhys gpa)
{
    PgmPlace place;

    ck_assert(pgm_place_lookup(pgm, gpa, &place));
    return *pgm_range_page(place.range, place.index);
}

static inline void rom(GPhys start, unsigned n, uint8_t byte, PgmRomFlags flags)
{
    ck_assert_int_eq(pgm_rom_register(pgm, start, n * PAGE, NULL, 0, byte, flags, "t", "rom", NULL),
                     MEM_OK);
}

static inline MemStatus mmio_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    (void)offset;
    (void)size;
    *ret_value = 0x77;
    return MEM_OK;
}

static inline PgmMmio *mmio_new(unsigned n)
{
    static const PgmMmioOps ops = { .read = mmio_read };

    return pgm_mmio_new(pgm, n * PAGE, &ops, NULL, "t", "mmio", NULL);
}

static inline PgmHandlerResult count_call(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    unsigned *n_calls = user;

    (void)from;
    (void)access;
    ++*n_calls;
    return PGM_HANDLER_DO_DEFAULT;
}

static inline PgmHandler *handler(PgmHandlerKind kind, GPhys gpa, uint64_t len, unsigned *n_calls)
{
    PgmHandler *h = pgm_handler_new(pgm, kind, gpa, len, count_call, n_calls, "h", NULL);

    ck_assert_ptr_nonnull(h);
    return h;
}
