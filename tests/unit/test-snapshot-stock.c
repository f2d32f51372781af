/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops of snapshots end up with the pages they need: what GMM has allocated stops growing.
 */
#include "tests/unit/snapshot-fixture.h"

#define N_ROUNDS 600u
#define N_WARM_UP 100u

static PgmSnapshot *base;

/* @handy: count those too, which go and come where a loop gives pages back to GMM. */
static uint64_t allocated(bool handy)
{
    GmmStats stats;

    gmm_get_stats(gmm, &stats);
    return stats.allocated - (handy ? 0 : pgm->handy.n);
}

static void store_some(uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        store(RAM + (4 + i) * PAGE, value);
    }
}

static void check_some(uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, RAM + (4 + i) * PAGE) & 0xff, value);
    }
}

/* Each leaves memory as it was at `base`. */
static void leave_and_drop(uint8_t value)
{
    store_some(value);
    PgmSnapshot *next = take(0);

    pgm_snapshot_restore(base);
    pgm_snapshot_drop(next);
}
static void come_back_and_drop(uint8_t value)
{
    store_some(value);
    PgmSnapshot *next = take(0);

    pgm_snapshot_restore(base);
    pgm_snapshot_restore(next);
    check_some(value);
    pgm_snapshot_drop(next);
    pgm_snapshot_restore(base);
}
static void reset_and_write(uint8_t value)
{
    store_some(value);
    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
    check_some(0);
    store_some((uint8_t)(value + 1));
    pgm_snapshot_restore(base);
}
static void reset_between(uint8_t value)
{
    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
    store_some(value);
    PgmSnapshot *next = take(0);

    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
    store_some((uint8_t)(value + 1));
    pgm_snapshot_restore(base);
    pgm_snapshot_drop(next);
}
static void nest(uint8_t value)
{
    PgmSnapshot *nested[3];

    for (unsigned i = 0; i < 3; i++) {
        store(RAM + (10 + i) * PAGE, value);
        store_some((uint8_t)(value + i));
        nested[i] = take(0);
    }
    pgm_snapshot_restore(nested[1]);
    check_some((uint8_t)(value + 1));
    pgm_snapshot_drop(nested[0]);
    store_some(value);
    pgm_snapshot_restore(base);
    pgm_snapshot_drop(nested[1]);
    pgm_snapshot_drop(nested[2]);
}
static void balloon_between(uint8_t value)
{
    GPhys gpa = RAM + 4 * PAGE;

    store_some(value);
    PgmSnapshot *next = take(0);

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_OK);
    store_some((uint8_t)(value + 1));
    pgm_snapshot_restore(base);
    pgm_snapshot_drop(next);
}

typedef struct Loop {
    void (*round)(uint8_t value);
    bool gives_back; /* pages to GMM: what a reset or balloon drops and no entry wants */
} Loop;

static const Loop loops[] = {
    { leave_and_drop, false }, { come_back_and_drop, false },
    { reset_and_write, true }, { reset_between, true },
    { nest, false },           { balloon_between, true },
};

static void check_loop(const Loop *loop, uint8_t at_base)
{
    uint64_t after_warm_up = 0;

    base = take(0);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        if (i == N_WARM_UP) {
            after_warm_up = allocated(!loop->gives_back);
        }
        loop->round((uint8_t)(i + 1));
        check_some(at_base);
        if (i % 50 == 0) {
            check_sound();
        }
    }
    ck_assert_uint_eq(allocated(!loop->gives_back), after_warm_up);
    pgm_snapshot_drop(base);
}

START_TEST(loop_over_zero_pages_stops_growing)
{
    check_loop(&loops[_i], 0);
}
END_TEST

START_TEST(loop_over_written_pages_stops_growing)
{
    store_some(77);
    check_loop(&loops[_i], 77);
}
END_TEST

/* Entries take their pages from the stock, and leave it to them. */
START_TEST(loop_of_run_and_restore_does_not_visit_gmm)
{
    GmmStats before, after;

    base = take(0);
    store_some(1);
    pgm_snapshot_restore(base);
    gmm_get_stats(gmm, &before);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        store_some((uint8_t)i);
        pgm_snapshot_restore(base);
    }
    gmm_get_stats(gmm, &after);
    ck_assert_mem_eq(&after, &before, sizeof after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stock of snapshots");
    TCase *tcase = tcase_create("loops");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_loop_test(tcase, loop_over_zero_pages_stops_growing, 0, G_N_ELEMENTS(loops));
    tcase_add_loop_test(tcase, loop_over_written_pages_stops_growing, 0, G_N_ELEMENTS(loops));
    tcase_add_test(tcase, loop_of_run_and_restore_does_not_visit_gmm);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
