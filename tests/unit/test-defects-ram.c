/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of the model we follow, by their numbers in the project's notes; test-defects-gmm.c says
 * how. This file: RAM and its counters, the balloon, mappings.
 *
 *  7  Registering RAM that fails in the middle keeps the lock, the reservation and earlier pieces.
 *  8  Freeing a write-monitored page leaves it counted as monitored.
 *  9  Write-protecting RAM clears "written" flags, not their count.
 * 10  Of a balloon call only the first address is looked at, and what was asked for is counted, not
 *     what was done. (Error paths leak the request: a call here allocates nothing.)
 * 11  Mappings from other threads: "locked for good" is never entered; a refused one for reading
 *     locks all the same; in a bulk one, pages that another thread had to map are locked twice.
 *     (Pages of a special alias, where this shows, do not exist: MMIO and ALL handlers stand in.)
 */
#include "memsys/map.h"
#include "tests/unit/defects-fixture.h"

/* ---- 7: RAM */

START_TEST(defect_07_refused_ram_leaves_no_lock_reservation_or_piece)
{
    Pgm *fresh = pgm_new(gmm, NULL, NULL);

    /* In the way of the last of four regions. */
    ck_assert_int_eq(pgm_ram_register(fresh, UINT64_C(4) << 30, PAGE, "in the way", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(fresh, UINT64_C(1) << 40, PAGE, "more", NULL), MEM_OK);
    check_not_locked(fresh);
    Before was = before(fresh);

    ck_assert_int_eq(mm_register_x86(fresh, UINT64_C(5) << 30, 0, NULL), MEM_ERR_CONFLICT);
    check_unchanged(fresh, &was);
    check_not_locked(fresh);
    ck_assert_int_eq(mm_register_x86(fresh, UINT64_C(3) << 30, 0, NULL), MEM_OK);
    pgm_free(fresh);
}
END_TEST

START_TEST(defect_07_ram_that_the_host_has_no_records_for_leaves_nothing)
{
    const FakeOsCall call = _i == 0 ? FAKE_MAP_ZEROS : FAKE_TRY_ALLOC0;
    const PgmConfig config = { .large_runs = true };
    Pgm *fresh = pgm_new(gmm, &config, NULL);
    unsigned n_failed = 0;

    ck_assert_int_eq(pgm_ram_register(fresh, UINT64_C(1) << 40, PAGE, "more", NULL), MEM_OK);
    check_not_locked(fresh);
    Before was = before(fresh);

    for (;; n_failed++) {
        fake_os_fail(call, n_failed + 1, n_failed + 1);
        MemStatus status = mm_register_x86(fresh, UINT64_C(5) << 30, 0, NULL);
        bool happened = fake_os.n_calls[call] > n_failed;

        fake_os_heal();
        if (status == MEM_OK && !happened) {
            break;
        }
        if (status == MEM_OK) {
            /* It can do without: again with a new machine. */
            pgm_free(fresh);
            fresh = pgm_new(gmm, &config, NULL);
            ck_assert_int_eq(pgm_ram_register(fresh, UINT64_C(1) << 40, PAGE, "more", NULL),
                             MEM_OK);
            check_not_locked(fresh);
            continue;
        }
        ck_assert_int_eq(status, MEM_ERR_HOST_MEMORY);
        check_unchanged(fresh, &was);
        check_not_locked(fresh);
    }
    ck_assert_uint_ge(n_failed, 2); /* small regions are not mapped, large ones not allocated */
    pgm_free(fresh);
}
END_TEST

/* ---- 8, 9: counters of monitored and written pages */

static void act_balloon(void)
{
    const GPhys gpa = P;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
}

static void act_reset(void)
{
    pgm_reset(pgm);
}

static void act_scan(void)
{
    store(P, 0);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    pgm_set_sharing(pgm, true);
    (void)pgm_share_slice(pgm, 10000);
}

static void act_merge(void)
{
    store(Q, 1);
    ck_assert_int_eq(pgm_page_share_internal(pgm, Q), MEM_OK);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, P, page_at(Q).id), MEM_OK);
}

static void act_write(void)
{
    store(P, 2);
}

static void (*const acts[])(void) = { act_balloon, act_reset, act_scan, act_merge, act_write };

START_TEST(defect_08_page_that_goes_is_no_more_counted_as_monitored)
{
    store(P, 1);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_uint_eq(stats().pages.monitored, 1);
    acts[_i]();
    ck_assert_uint_eq(stats().pages.monitored, 0);
    check_sound();
}
END_TEST

START_TEST(defect_09_written_is_counted_where_it_is_cleared)
{
    store(P, 1);
    store(Q, 1);
    pgm_monitor_all_internal(pgm);
    store(P, 2);
    store(Q, 2);
    ck_assert_uint_eq(stats().pages.written, 2);
    pgm_monitor_all_internal(pgm);
    ck_assert(!page_at(P).written && !page_at(Q).written);
    ck_assert_uint_eq(stats().pages.written, 0);
    check_sound();
    store(P, 3);
    ck_assert(page_at(P).written && !page_at(Q).written);
    ck_assert_uint_eq(stats().pages.written, 1);
}
END_TEST

/* ---- 10: balloon */

static const struct {
    GPhys gpa;
    MemStatus status;
} refused[] = {
    { P + 1, MEM_ERR_UNALIGNED },
    { P + 8 * PAGE + 0xfff, MEM_ERR_UNALIGNED },
    { ABOVE, MEM_ERR_UNASSIGNED },
    { UINT64_MAX & MEM_PAGE_MASK, MEM_ERR_UNASSIGNED },
    { HOLE, MEM_ERR_NOT_RAM },
    { P, MEM_ERR_IN_USE },                  /* locked */
    { HIGH, MEM_ERR_BALLOONED },            /* ballooned before */
    { HIGH + 2 * PAGE, MEM_ERR_BALLOONED }, /* first of the list */
};

/* At any place of the list, so that a check of the first alone does not do. */
START_TEST(defect_10_one_bad_page_refuses_all)
{
    GPhys gpas[12];
    const GPhys ballooned = HIGH;
    PgmMapping locked;

    rom(ROM, 1, 0, 0);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &ballooned, 1), MEM_OK);
    for (unsigned i = 0; i + 1 < G_N_ELEMENTS(gpas); i++) {
        gpas[i] = HIGH + (2 + i) * PAGE;
        store(gpas[i], 100 + i);
    }
    gpas[G_N_ELEMENTS(gpas) - 1] = refused[_i].gpa;
    ck_assert_int_eq(pgm_map_page(pgm, P, &locked), MEM_OK);
    Before was = before(pgm);

    for (unsigned rotation = 0; rotation < G_N_ELEMENTS(gpas); rotation++) {
        ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, G_N_ELEMENTS(gpas)), refused[_i].status);
        check_unchanged(pgm, &was);
        GPhys first = gpas[0];

        memmove(&gpas[0], &gpas[1], sizeof gpas - sizeof gpas[0]);
        gpas[G_N_ELEMENTS(gpas) - 1] = first;
    }
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 2 * PAGE), 100);
    pgm_unmap_page(pgm, &locked);
}
END_TEST

/* ---- 11: mappings of other threads */

typedef struct Mapper {
    const GPhys *gpas;
    PgmMapping *mappings;
    unsigned n;
    bool writable;
    MemStatus status;
    int done; /* atomic */
} Mapper;

static void *map_main(void *user)
{
    Mapper *mapper = user;

    mapper->status =
        pgm_external_map_pages(pgm, mapper->gpas, mapper->n, mapper->writable, mapper->mappings);
    __atomic_store_n(&mapper->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Another thread maps while the machine runs, so that this thread must do it. */
static MemStatus map_from_outside(const GPhys *gpas, unsigned n, bool writable,
                                  PgmMapping *mappings)
{
    Mapper mapper = { .gpas = gpas, .mappings = mappings, .n = n, .writable = writable };
    pthread_t thread;

    pgm_run_begin(pgm);
    ck_assert_int_eq(pthread_create(&thread, NULL, map_main, &mapper), 0);
    while (!__atomic_load_n(&mapper.done, __ATOMIC_ACQUIRE)) {
        pgm_service(pgm);
        g_thread_yield();
    }
    pthread_join(thread, NULL);
    pgm_run_end(pgm);
    return mapper.status;
}

static unsigned locks_at(GPhys gpa, bool writable)
{
    PgmPage page = record_at(gpa);

    return writable ? pgm_page_write_locks(page) : pgm_page_read_locks(page);
}

/* The 1,023rd lock is for good; one less is undone like any. */
START_TEST(defect_11_page_can_be_locked_for_good)
{
    const unsigned n = _i % 2 == 0 ? 1023 : 1022;
    const bool writable = _i / 2 == 0;
    g_autofree GPhys *gpas = g_new(GPhys, n);
    g_autofree PgmMapping *mappings = g_new(PgmMapping, n);
    PgmMapping more;

    for (unsigned i = 0; i < n; i++) {
        gpas[i] = P;
    }
    store(P, 1);
    ck_assert_int_eq(map_from_outside(gpas, n, writable, mappings), MEM_OK);
    ck_assert_uint_eq(locks_at(P, writable), n);
    if (n == 1023) {
        /* More do no harm. */
        ck_assert_int_eq(map_from_outside(gpas, 1, writable, &more), MEM_OK);
        pgm_external_unmap_pages(pgm, &more, 1);
    }
    pgm_external_unmap_pages(pgm, mappings, n);
    ck_assert_uint_eq(locks_at(P, writable), n == 1023 ? PGM_LOCKS_FOR_GOOD : 0);
    check_sound();
}
END_TEST

/* Pages in all states, some of which no other thread may map by itself. */
START_TEST(defect_11_each_page_of_a_bulk_mapping_is_locked_once)
{
    const GPhys gpas[] = { P, P + PAGE, P + 2 * PAGE, P + 3 * PAGE, Q };
    PgmMapping mappings[G_N_ELEMENTS(gpas)];
    const bool writable = _i != 0;

    store(P, 1);
    store(P + 2 * PAGE, 1);
    store(P + 3 * PAGE, 1);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P + 2 * PAGE), MEM_OK);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P + 3 * PAGE), MEM_OK);
    ck_assert_int_eq(map_from_outside(gpas, G_N_ELEMENTS(gpas), writable, mappings), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        ck_assert_uint_eq(locks_at(gpas[i], writable), 1);
        ck_assert_uint_eq(locks_at(gpas[i], !writable), 0);
        ck_assert_ptr_eq(mappings[i].host, pgm_host(pgm, page_at(gpas[i]).id));
    }
    pgm_external_unmap_pages(pgm, mappings, G_N_ELEMENTS(gpas));
    ck_assert_uint_eq(stats().pages.read_locked + stats().pages.write_locked, 0);
}
END_TEST

START_TEST(defect_11_refused_mapping_locks_nothing)
{
    unsigned n_calls = 0;
    PgmMmio *mmio = mmio_new(2);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, PAGE, false, "vram", NULL);
    PgmHandler *all = handler(PGM_HANDLER_KIND_ALL, Q, PAGE, &n_calls);

    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(mmio, PAGE, vram, 0), MEM_OK); /* now it has records */
    const struct {
        GPhys gpa;
        MemStatus status;
    } bad[] = { { HOLE, MEM_ERR_UNASSIGNED },
                { ABOVE, MEM_ERR_RESERVED },
                { Q, MEM_ERR_RESERVED } };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        const GPhys gpas[] = { P, ABOVE + PAGE, P, bad[i].gpa, P };
        PgmMapping mappings[G_N_ELEMENTS(gpas)];

        ck_assert_int_eq(map_from_outside(gpas, G_N_ELEMENTS(gpas), _i != 0, mappings),
                         bad[i].status);
        for (unsigned k = 0; k < G_N_ELEMENTS(gpas); k++) {
            ck_assert_ptr_null(mappings[k].host);
        }
        ck_assert_uint_eq(stats().pages.read_locked + stats().pages.write_locked, 0);
        ck_assert(!pgm_page_locked(record_at(ABOVE)) && !pgm_page_locked(record_at(Q)));
        check_sound();
    }
    pgm_handler_free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("defects-ram");
    TCase *tc = tcase_create("defects");

    tcase_add_checked_fixture(tc, pgm_setup, pgm_teardown);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, defect_07_refused_ram_leaves_no_lock_reservation_or_piece);
    tcase_add_loop_test(tc, defect_07_ram_that_the_host_has_no_records_for_leaves_nothing, 0, 2);
    tcase_add_loop_test(tc, defect_08_page_that_goes_is_no_more_counted_as_monitored, 0,
                        G_N_ELEMENTS(acts));
    tcase_add_test(tc, defect_09_written_is_counted_where_it_is_cleared);
    tcase_add_loop_test(tc, defect_10_one_bad_page_refuses_all, 0, G_N_ELEMENTS(refused));
    tcase_add_loop_test(tc, defect_11_page_can_be_locked_for_good, 0, 4);
    tcase_add_loop_test(tc, defect_11_each_page_of_a_bulk_mapping_is_locked_once, 0, 2);
    tcase_add_loop_test(tc, defect_11_refused_mapping_locks_nothing, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
