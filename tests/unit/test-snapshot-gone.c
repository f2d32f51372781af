/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots that know of ranges and handlers which have gone: whatever comes in their place, even
 * in the same host memory, is none of theirs. And a machine that was given all its pages meanwhile.
 */
#include "memsys/tracking-internal.h"
#include "tests/unit/snapshot-fixture.h"

#define LATE (ABOVE + UINT64_C(0x200000))

static const PgmMmioOps no_ops = { 0 };

static PgmMmio *mmio_new(const char *description)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, 4 * PAGE, &no_ops, NULL, "t", description, NULL);

    ck_assert_ptr_nonnull(mmio);
    return mmio;
}

START_TEST(mmio_in_the_place_of_one_that_has_gone_is_left_alone)
{
    PgmMmio *old = mmio_new("old");

    ck_assert_int_eq(pgm_mmio_map(old, LATE, NULL), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    pgm_mmio_free(old);
    PgmMmio *next = mmio_new("next");

    pgm_snapshot_restore(snapshot);
    check_sound();
    ck_assert_uint_eq(pgm_mmio_address(next), MEM_GPHYS_NIL);
    ck_assert_ptr_null(pgm_span_lookup(pgm, LATE));
    pgm_mmio_free(next);
}
END_TEST

/* An alias goes with either of its two ranges. */
START_TEST(alias_of_a_range_that_has_gone_does_not_come_back)
{
    PgmMmio2 *video = pgm_mmio2_new(pgm, "t", 5, 4 * PAGE, false, "video", NULL);
    PgmMmio *window = mmio_new("window");

    ck_assert_int_eq(pgm_mmio_map(window, LATE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(window, PAGE, video, PAGE), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(regs, 2 * PAGE, fb, PAGE), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    if (_i == 0) {
        pgm_mmio_free(window);
        window = mmio_new("next window");
    } else {
        pgm_mmio2_free(video);
        video = pgm_mmio2_new(pgm, "t", 5, 4 * PAGE, false, "next video", NULL);
        ck_assert_int_eq(pgm_mmio_unmap(window), MEM_OK);
    }
    ck_assert_int_eq(pgm_mmio_map(window, LATE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_unmap(regs), MEM_OK);
    pgm_snapshot_restore(snapshot);
    check_sound();
    if (pgm_mmio_address(window) != MEM_GPHYS_NIL) {
        ck_assert_int_eq(pgm_page_type(*pgm_range_page(&window->range, 1)), PGM_PAGE_MMIO);
    }
    ck_assert_int_eq(pgm_page_type(*pgm_range_page(&regs->range, 2)), PGM_PAGE_MMIO2_ALIAS);
    pgm_mmio_free(window);
    pgm_mmio2_free(video);
}
END_TEST

START_TEST(handler_in_the_place_of_one_that_has_gone_stays_on)
{
    ck_assert_int_eq(pgm_handler_page_off(handler, RAM), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    pgm_handler_free(handler);
    handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, RAM, 2 * PAGE, let_through, NULL, "h", NULL);
    ck_assert_ptr_nonnull(handler);
    pgm_snapshot_restore(snapshot);
    check_sound();
    ck_assert_int_eq(pgm_page_handler(ram_range->pages[0]), PGM_HANDLER_WRITE);
}
END_TEST

/* ZERO and SHARED pages that were saved, where the machine keeps a page of its own since. */
START_TEST(preallocated_machine_restores_into_the_pages_it_was_given)
{
    GPhys zero = RAM + 5 * PAGE, shared = RAM + 6 * PAGE;

    store(shared, 6);
    ck_assert_int_eq(pgm_page_share_internal(pgm, shared), MEM_OK);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    for (unsigned round = 0; round < 2; round++) {
        PageId ids[2] = { pgm_page_id(ram_range->pages[5]), pgm_page_id(ram_range->pages[6]) };

        store(zero, 1);
        store(shared, 2);
        pgm_snapshot_restore(snapshot);
        check_sound();
        ck_assert_uint_eq(pgm_read_u32(pgm, zero), 0);
        ck_assert_uint_eq(pgm_read_u32(pgm, shared), 6);
        ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
        ck_assert_uint_eq(pgm_page_id(ram_range->pages[5]), ids[0]);
        ck_assert_uint_eq(pgm_page_id(ram_range->pages[6]), ids[1]);
        ck_assert_uint_eq(numbers().n_saved, 0);
        ck_assert_uint_eq(pgm->tracking->n_kept, round * 2);
    }
    pgm_snapshot_drop(snapshot);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot-gone");
    TCase *tcase = tcase_create("snapshot-gone");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_test(tcase, mmio_in_the_place_of_one_that_has_gone_is_left_alone);
    tcase_add_loop_test(tcase, alias_of_a_range_that_has_gone_does_not_come_back, 0, 2);
    tcase_add_test(tcase, handler_in_the_place_of_one_that_has_gone_stays_on);
    tcase_add_test(tcase, preallocated_machine_restores_into_the_pages_it_was_given);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
