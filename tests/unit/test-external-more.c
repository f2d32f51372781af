/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GMM's work on a machine that runs: queued, and done in slices where the machine's thread serves;
 * and two threads that want to be the machine's.
 */
#include "memsys/balloon.h"
#include "memsys/external.h"
#include "tests/unit/pgm-fixture.h"

#include <pthread.h>

#define P (HIGH + 16 * PAGE)
#define ALL 100000 /* more pages than there are */
#define SLICE 64   /* pages that one pgm_service() looks at or moves */
#define N_SPARSE 1024u

static unsigned n_wakes; /* this thread alone queues here */

static void note_wake(void *user)
{
    (void)user;
    n_wakes++;
}

static void setup(void)
{
    pgm_setup();
    n_wakes = 0;
    pgm_set_wake(pgm, note_wake, NULL);
}

static GmmStats gmm_now(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s;
}

/* Two pages of the same bytes, among others. */
static void make_equal_pages(void)
{
    uint8_t bytes[4096];

    for (unsigned i = 0; i < 200; i++) {
        memset(bytes, i < 2 ? 0x5a : (int)i, sizeof bytes);
        bytes[7] = (uint8_t)(i < 2 ? 0 : i >> 3);
        ck_assert_int_eq(pgm_write(pgm, P + i * PAGE, bytes, sizeof bytes, MEM_ORIGIN_DEVICE),
                         MEM_OK);
    }
}

START_TEST(a_scan_of_a_running_machine_waits_for_its_thread)
{
    pgm_set_sharing(pgm, true);
    make_equal_pages();
    pgm_run_begin(pgm);
    ck_assert(!pgm_service_wanted(pgm));
    ck_assert_uint_eq(gmm_share_scan(gmm, ALL), 0);
    ck_assert_uint_eq(n_wakes, 1);
    ck_assert(pgm_service_wanted(pgm));
    ck_assert_uint_eq(gmm_now().share_offers, 0);

    /* In slices: pages are offered at their second visit, and one slice cannot visit them all. */
    unsigned n_services = 0;

    for (; pgm_service_wanted(pgm) && n_services < ALL; n_services++) {
        uint64_t offers = gmm_now().share_offers;

        pgm_service(pgm);
        ck_assert_uint_le(gmm_now().share_offers, offers + SLICE);
    }
    ck_assert_uint_ge(n_services, 200 / SLICE);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(gmm_share_scan(gmm, ALL), 0);
        while (pgm_service_wanted(pgm)) {
            pgm_service(pgm);
        }
    }
    pgm_run_end(pgm);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_SHARED);
    ck_assert_uint_eq(page_at(P).id, page_at(P + PAGE).id);
    ck_assert_uint_eq(pgm_read_u8(pgm, P), 0x5a);
    ck_assert_uint_gt(gmm_now().share_merged, 0);
}
END_TEST

START_TEST(a_machine_that_does_not_share_declines_while_it_runs_too)
{
    make_equal_pages();
    pgm_set_sharing(pgm, false);
    pgm_run_begin(pgm);
    ck_assert_uint_eq(gmm_share_scan(gmm, ALL), 0);
    ck_assert(!pgm_service_wanted(pgm));
    ck_assert_uint_eq(n_wakes, 0);
    pgm_run_end(pgm);
}
END_TEST

START_TEST(compaction_of_a_running_machine_goes_on_in_slices_until_nothing_is_left)
{
    for (uint64_t i = 0; i < N_SPARSE; i++) {
        store(HIGH + i * PAGE, (uint32_t)i + 1);
    }
    for (uint64_t i = 0; i < N_SPARSE; i++) {
        GPhys gpa = HIGH + i * PAGE;

        if (i % 8 != 3 && (pgm_balloon_inflate(pgm, &gpa, 1) != MEM_OK ||
                           pgm_balloon_deflate(pgm, &gpa, 1) != MEM_OK)) {
            ck_abort_msg("page %u stays", (unsigned)i);
        }
    }
    pgm_run_begin(pgm);
    ck_assert_uint_eq(gmm_compact(gmm, ALL), 0);
    ck_assert(pgm_service_wanted(pgm));
    unsigned n_services = 0;

    /* Far fewer than the pages asked for: a slice with nothing to do ends it. */
    for (; pgm_service_wanted(pgm) && n_services < ALL / SLICE; n_services++) {
        uint64_t moved = gmm_now().moved;

        pgm_service(pgm);
        ck_assert_uint_le(gmm_now().moved, moved + SLICE);
    }
    ck_assert_uint_lt(n_services, 50);
    ck_assert_uint_gt(gmm_now().moved, 0);
    pgm_run_end(pgm);
    for (uint64_t i = 3; i < N_SPARSE; i += 8) {
        ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + i * PAGE), i + 1);
    }
}
END_TEST

/* ---- whose turn it is */

static int step; /* atomic */

static void reach(int n)
{
    __atomic_store_n(&step, n, __ATOMIC_RELEASE);
}

static void wait_for(int n)
{
    while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) < n) {
        g_thread_yield();
    }
}

/* Serves in place, until told that somebody has had time to come and wait. */
static void hold_on(Pgm *of, void *user)
{
    (void)of;
    (void)user;
    reach(1);
    wait_for(2);
    g_usleep(20 * 1000); /* whoever comes now finds the machine taken */
    reach(3);
}

static void *hold_main(void *user)
{
    (void)user;
    pgm_external_call(pgm, hold_on, NULL);
    return NULL;
}

static void note_step(Pgm *of, void *user)
{
    int *ret_step = user;

    (void)of;
    *ret_step = __atomic_load_n(&step, __ATOMIC_ACQUIRE);
}

START_TEST(who_comes_while_another_serves_in_place_waits)
{
    pthread_t thread;
    int seen = 0;

    reach(0);
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_main, NULL), 0);
    wait_for(1);
    reach(2);
    if (_i == 0) {
        pgm_run_begin(pgm);
        seen = __atomic_load_n(&step, __ATOMIC_ACQUIRE);
        pgm_run_end(pgm);
    } else {
        pgm_external_call(pgm, note_step, &seen);
    }
    ck_assert_int_eq(seen, 3);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("external-more");
    TCase *tcase = tcase_create("work");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_test(tcase, a_scan_of_a_running_machine_waits_for_its_thread);
    tcase_add_test(tcase, a_machine_that_does_not_share_declines_while_it_runs_too);
    tcase_add_test(tcase, compaction_of_a_running_machine_goes_on_in_slices_until_nothing_is_left);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("turns");
    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_loop_test(tcase, who_comes_while_another_serves_in_place_waits, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
