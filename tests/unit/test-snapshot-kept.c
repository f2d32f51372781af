/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies that a restore keeps for the next first write: when they are used, and when they must go.
 */
#include "memsys/tracking-internal.h"
#include "tests/unit/snapshot-fixture.h"

#define P (RAM + 5 * PAGE)
#define Q (RAM + 6 * PAGE)

static Picture was, is;

static void check_is(const Picture *want)
{
    take_picture(&is);
    const char *where = difference(&is, want);

    ck_assert_msg(!where, "%s is not what it was", where);
    check_sound();
}

static uint64_t n_kept(void)
{
    check_sound();
    return pgm->tracking->n_kept;
}

/* P was written and restored: its copy is kept. */
static PgmSnapshot *keep_copy(void)
{
    store(P, 1);
    take_picture(&was);
    PgmSnapshot *snapshot = take(0);

    store(P, 2);
    ck_assert_uint_eq(n_kept(), 0);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(n_kept(), 1);
    return snapshot;
}

START_TEST(kept_copy_is_the_one_that_the_next_write_saves)
{
    PgmSnapshot *snapshot = keep_copy();
    uint64_t n_stock = pgm->tracking->stock.n;

    for (unsigned round = 0; round < 3; round++) {
        store(P, 3 + round);
        ck_assert_uint_eq(n_kept(), 0);
        ck_assert_uint_eq(numbers().n_live, 1);
        pgm_snapshot_restore(snapshot);
        ck_assert_uint_eq(n_kept(), 1);
        ck_assert_uint_eq(pgm->tracking->stock.n, n_stock);
        check_is(&was);
    }
}
END_TEST

START_TEST(kept_copies_serve_other_pages_when_there_is_no_room)
{
    store(Q, 1);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 1), MEM_OK);
    PgmSnapshot *snapshot = keep_copy();

    for (unsigned round = 0; round < 4; round++) {
        store(round % 2 ? P : Q, 9);
        pgm_snapshot_restore(snapshot);
        check_is(&was);
    }
}
END_TEST

static void kept_then_ballooned(PgmSnapshot *snapshot)
{
    (void)snapshot;
    GPhys gpa = P;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
}
static void kept_then_written_and_shared(PgmSnapshot *snapshot)
{
    (void)snapshot;
    store(P, 3);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
}
static void kept_then_taken(PgmSnapshot *snapshot)
{
    (void)snapshot;
    (void)take(0);
}
static void kept_then_dropped(PgmSnapshot *snapshot)
{
    (void)take(0);
    pgm_snapshot_drop(pgm_snapshot_current(pgm));
    ck_assert_ptr_eq(pgm_snapshot_current(pgm), snapshot);
}
static void kept_then_stock_wanted(PgmSnapshot *snapshot)
{
    (void)snapshot;
    pgm_stock_release(pgm);
    ck_assert_uint_eq(numbers().n_stock, 0);
}
static void kept_then_mapped(PgmSnapshot *snapshot)
{
    PgmMapping mapping;

    (void)snapshot;
    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    ck_assert_uint_eq(n_kept(), 0);
    pgm_unmap_page(pgm, &mapping);
}

static void (*const kept_ends[])(PgmSnapshot *snapshot) = {
    kept_then_ballooned, kept_then_written_and_shared, kept_then_taken,
    kept_then_dropped,   kept_then_stock_wanted,       kept_then_mapped,
};

START_TEST(kept_copy_goes_when_it_may_not_be_right_any_more)
{
    PgmSnapshot *snapshot = keep_copy();

    kept_ends[_i](snapshot);
    ck_assert_uint_eq(n_kept(), 0);
    store(Q, 9);
    pgm_snapshot_restore(snapshot);
    check_is(&was);
}
END_TEST

START_TEST(switch_keeps_no_copies)
{
    PgmSnapshot *first = keep_copy();

    store(P, 5);
    PgmSnapshot *second = take(0);

    store(P, 6);
    pgm_snapshot_restore(second);
    ck_assert_uint_eq(n_kept(), 1);
    store(Q, 6);
    pgm_snapshot_restore(first);
    ck_assert_uint_eq(n_kept(), 0);
    check_is(&was);
    store(P, 7);
    pgm_snapshot_restore(second);
    ck_assert_uint_eq(n_kept(), 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kept copies");
    TCase *tcase = tcase_create("kept copies");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_test(tcase, kept_copy_is_the_one_that_the_next_write_saves);
    tcase_add_test(tcase, kept_copies_serve_other_pages_when_there_is_no_room);
    tcase_add_loop_test(tcase, kept_copy_goes_when_it_may_not_be_right_any_more, 0,
                        G_N_ELEMENTS(kept_ends));
    tcase_add_test(tcase, switch_keeps_no_copies);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
