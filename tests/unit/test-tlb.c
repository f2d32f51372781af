/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the page-map TLB keeps and drops, seen from outside an access: what is correct without it
 * must also be quick with it, so the entries themselves and the counters of flushes are looked at.
 */
#include "tests/unit/pgm-fixture.h"

static bool hits(GPhys gpa, MemAccess access)
{
    return pgm_tlb_lookup(pgm, gpa, 4, access) != NULL;
}

START_TEST(first_store_makes_the_next_a_hit)
{
    ck_assert(!hits(HIGH, MEM_ACCESS_WRITE));
    store(HIGH, 1);
    ck_assert(hits(HIGH, MEM_ACCESS_WRITE));
    ck_assert(hits(HIGH, MEM_ACCESS_READ));
}
END_TEST

START_TEST(each_filled_entry_is_counted)
{
    uint64_t fills = stats().tlb_fills;

    (void)pgm_read_u32(pgm, HIGH);
    ck_assert_uint_eq(stats().tlb_fills, fills + 1);
    (void)pgm_read_u32(pgm, HIGH);
    ck_assert_uint_eq(stats().tlb_fills, fills + 1);
    store(HIGH, 1);
    ck_assert_uint_eq(stats().tlb_fills, fills + 2);
    store(HIGH, 2);
    ck_assert_uint_eq(stats().tlb_fills, fills + 2);
}
END_TEST

START_TEST(first_load_makes_the_next_a_hit)
{
    (void)pgm_read_u32(pgm, HIGH);
    ck_assert(hits(HIGH, MEM_ACCESS_READ));
    ck_assert(!hits(HIGH, MEM_ACCESS_WRITE));
}
END_TEST

START_TEST(crossing_store_is_never_a_hit)
{
    store(HIGH, 1);
    store(HIGH + PAGE, 1);
    ck_assert(hits(HIGH + PAGE - 4, MEM_ACCESS_WRITE));
    ck_assert(!hits(HIGH + PAGE - 3, MEM_ACCESS_WRITE));
}
END_TEST

START_TEST(arming_drops_the_entry_of_that_page_alone)
{
    store(HIGH, 1);
    store(HIGH + PAGE, 1);
    uint64_t flushed = stats().tlb_flushed_pages;
    uint64_t flushes = stats().tlb_flushes;

    ck_assert_int_eq(pgm_page_monitor_internal(pgm, HIGH), MEM_OK);
    ck_assert(!hits(HIGH, MEM_ACCESS_WRITE));
    ck_assert(hits(HIGH + PAGE, MEM_ACCESS_WRITE));
    ck_assert_uint_eq(stats().tlb_flushed_pages, flushed + 1);
    ck_assert_uint_eq(stats().tlb_flushes, flushes);
}
END_TEST

/* The CPU may do no less than before: its answer stays, the page-map TLB's lacks W and goes. */
START_TEST(gained_right_drops_an_entry_and_tells_no_cpu)
{
    store(HIGH, 1);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, HIGH), MEM_OK);
    (void)pgm_read_u32(pgm, HIGH);
    (void)fill(HIGH, MEM_ACCESS_READ);
    told_reset();
    uint64_t flushed = stats().tlb_flushed_pages;

    ck_assert_int_eq(pgm_write(pgm, HIGH, "x", 1, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(stats().tlb_flushed_pages, flushed + 1);
    ck_assert(told_nothing());
}
END_TEST

START_TEST(gained_right_in_a_batch_waits_for_its_end)
{
    store(HIGH, 1);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, HIGH), MEM_OK);
    (void)pgm_read_u32(pgm, HIGH);
    uint64_t flushes = stats().tlb_flushes;

    pgm_batch_begin(pgm);
    ck_assert_int_eq(pgm_write(pgm, HIGH, "x", 1, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(stats().tlb_flushes, flushes);
    pgm_batch_end(pgm);
    ck_assert_uint_eq(stats().tlb_flushes, flushes + 1);
}
END_TEST

START_TEST(batch_without_changes_flushes_nothing)
{
    uint64_t flushes = stats().tlb_flushes;

    pgm_batch_begin(pgm);
    pgm_batch_end(pgm);
    ck_assert_uint_eq(stats().tlb_flushes, flushes);
}
END_TEST

START_TEST(each_change_of_the_map_is_one_flush)
{
    static const PgmMmioOps ops;
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "t", "chip", NULL);
    uint64_t flushes = stats().tlb_flushes;

    store(HIGH, 1);
    ck_assert_int_eq(pgm_mmio_map(mmio, HOLE, NULL), MEM_OK);
    ck_assert_uint_eq(stats().tlb_flushes, flushes + 1);
    ck_assert(!hits(HIGH, MEM_ACCESS_READ));
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
    ck_assert_uint_eq(stats().tlb_flushes, flushes + 2);
}
END_TEST

START_TEST(device_memory_nobody_wrote_is_armed_with_the_rest)
{
    PgmMmio2 *fb = pgm_mmio2_new(pgm, "t", 0, 2 * PAGE, true, "fb", NULL);

    ck_assert_int_eq(pgm_mmio2_map(fb, HOLE, NULL), MEM_OK);
    pgm_monitor_all_internal(pgm);
    ck_assert_int_eq(page_at(HOLE).state, PGM_PAGE_WRITE_MONITORED);
    ck_assert_int_eq(page_at(HOLE + PAGE).state, PGM_PAGE_WRITE_MONITORED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page-map TLB");
    TCase *tcase = tcase_create("entries");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, first_store_makes_the_next_a_hit);
    tcase_add_test(tcase, each_filled_entry_is_counted);
    tcase_add_test(tcase, first_load_makes_the_next_a_hit);
    tcase_add_test(tcase, crossing_store_is_never_a_hit);
    tcase_add_test(tcase, arming_drops_the_entry_of_that_page_alone);
    tcase_add_test(tcase, gained_right_drops_an_entry_and_tells_no_cpu);
    tcase_add_test(tcase, gained_right_in_a_batch_waits_for_its_end);
    tcase_add_test(tcase, batch_without_changes_flushes_nothing);
    tcase_add_test(tcase, each_change_of_the_map_is_one_flush);
    tcase_add_test(tcase, device_memory_nobody_wrote_is_armed_with_the_rest);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
