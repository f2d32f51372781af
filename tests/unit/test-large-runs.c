/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM of a 2 MiB run keeps together on the host, page by page as it is touched. */
#include "memsys/balloon.h"

#include "tests/unit/pgm-fixture.h"

#define RUN_PAGES 512
#define RUN                                                                              \
    UINT64_C(0x200000) /* the one whole run of "high": 2M to 4M, and half runs around it \
                        */

static void setup(void)
{
    pgm_setup_with(&(PgmConfig) { .large_runs = true });
}

static uint64_t gmm_allocated(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s.allocated;
}

static void touch_every(unsigned step)
{
    for (uint64_t i = 0; i < RUN_PAGES; i += step) {
        if (pgm_write_u32(pgm, RUN + i * PAGE, (uint32_t)i + 1) != MEM_OK) {
            ck_abort_msg("no memory");
        }
    }
}

/* Pages of the run that lie at their place behind the first. */
static unsigned n_in_place(void)
{
    PageId first = page_at(RUN).id;
    unsigned n = 0;

    for (uint64_t i = 0; i < RUN_PAGES; i++) {
        PgmPageInfo info = page_at(RUN + i * PAGE);

        n += info.state != PGM_PAGE_ZERO && info.id == first + i;
    }
    return n;
}

START_TEST(pages_lie_in_guest_order_whatever_the_order_of_touch)
{
    touch_every(7);
    ck_assert_uint_eq(page_at(RUN).id % RUN_PAGES, 0);
    ck_assert_uint_eq(n_in_place(), (RUN_PAGES + 6) / 7);
    ck_assert_uint_eq(stats().large_runs, 1);
    ck_assert_uint_eq(stats().large_run_pages, (RUN_PAGES + 6) / 7);
    ck_assert_uint_eq(stats().large_run_failures, 0);
    ck_assert_uint_eq(stats().pages.private_pages, (RUN_PAGES + 6) / 7);
    check_sound();
    touch_every(1);
    ck_assert_uint_eq(n_in_place(), RUN_PAGES);
    ck_assert_uint_eq(stats().pages.private_pages, RUN_PAGES);
}
END_TEST

START_TEST(only_touched_pages_are_taken)
{
    uint64_t before = gmm_allocated();

    store(RUN + 5 * PAGE, 1);
    ck_assert_uint_le(gmm_allocated(), before + 1 + MM_HANDY_PAGES);
    ck_assert_uint_eq(stats().pages.private_pages, 1);
}
END_TEST

START_TEST(parts_of_runs_lie_anywhere)
{
    store(HIGH, 1); /* 1M: its run begins below the range */
    store(HIGH + HIGH_LEN - PAGE, 2);
    store(LOW, 3);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH), 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + HIGH_LEN - PAGE), 2);
    check_sound();
}
END_TEST

START_TEST(run_reads_whole)
{
    uint8_t *bytes = g_malloc(RUN_PAGES * PAGE);

    touch_every(7);
    touch_every(1);
    ck_assert_int_eq(pgm_read(pgm, RUN, bytes, RUN_PAGES * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(memcmp(bytes, gmm_arena(gmm) + page_at(RUN).id * PAGE, RUN_PAGES * PAGE), 0);
    g_free(bytes);
}
END_TEST

START_TEST(pages_given_back_return_to_their_place)
{
    const GPhys gpas[] = { RUN + 9 * PAGE, RUN + 10 * PAGE };

    touch_every(1);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, 2), MEM_OK);
    ck_assert_uint_eq(n_in_place(), RUN_PAGES - 2);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, gpas, 2), MEM_OK);
    touch_every(1);
    ck_assert_uint_eq(n_in_place(), RUN_PAGES);
}
END_TEST

START_TEST(run_begins_again_after_reset)
{
    for (unsigned i = 0; i < 4; i++) {
        touch_every(3);
        check_sound();
        pgm_reset(pgm);
        ck_assert_uint_eq(stats().pages.private_pages, 0);
        check_sound();
    }
    touch_every(1);
    ck_assert_uint_eq(n_in_place(), RUN_PAGES);
}
END_TEST

START_TEST(pages_of_a_run_are_shared_and_copied)
{
    touch_every(1);
    ck_assert_int_eq(pgm_page_share_internal(pgm, RUN + PAGE), MEM_OK);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, RUN + 2 * PAGE, page_at(RUN + PAGE).id),
                     MEM_OK);
    check_sound();
    store(RUN + PAGE, 77);
    store(RUN + 2 * PAGE, 88);
    ck_assert_uint_eq(pgm_read_u32(pgm, RUN + PAGE), 77);
    ck_assert_uint_eq(pgm_read_u32(pgm, RUN + 2 * PAGE), 88);
}
END_TEST

START_TEST(handy_pages_serve_when_there_is_no_chunk)
{
    pgm_ensure_handy(pgm);
    gmm_set_limit(gmm, gmm_allocated());
    store(RUN + PAGE, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, RUN + PAGE), 1);
    check_sound();
}
END_TEST

START_TEST(machine_without_a_table_of_runs_works)
{
    fake_os_fail(FAKE_TRY_ALLOC0, 3, 3);
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 4 * RUN_PAGES * PAGE, "more", NULL), MEM_OK);
    fake_os_heal();
    store(ABOVE, 1);
    store(ABOVE + RUN_PAGES * PAGE, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, ABOVE), 1);
}
END_TEST

START_TEST(preallocation_fills_the_run)
{
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    ck_assert_uint_eq(n_in_place(), RUN_PAGES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("large-runs");
    TCase *tcase = tcase_create("large-runs");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_test(tcase, pages_lie_in_guest_order_whatever_the_order_of_touch);
    tcase_add_test(tcase, only_touched_pages_are_taken);
    tcase_add_test(tcase, parts_of_runs_lie_anywhere);
    tcase_add_test(tcase, run_reads_whole);
    tcase_add_test(tcase, pages_given_back_return_to_their_place);
    tcase_add_test(tcase, run_begins_again_after_reset);
    tcase_add_test(tcase, pages_of_a_run_are_shared_and_copied);
    tcase_add_test(tcase, handy_pages_serve_when_there_is_no_chunk);
    tcase_add_test(tcase, machine_without_a_table_of_runs_works);
    tcase_add_test(tcase, preallocation_fills_the_run);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
