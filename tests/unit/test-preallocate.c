/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of RAM backed at once, or nothing of it. */
#include "memsys/map.h"
#include "tests/unit/pgm-fixture.h"

#define N_RAM ((LOW_LEN + HIGH_LEN) / PAGE)
#define LAST (HIGH + HIGH_LEN - PAGE)

static uint64_t gmm_allocated(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s.allocated;
}

START_TEST(every_page_of_ram_is_backed_and_reads_as_before)
{
    store(HIGH + 8, 0x1234);
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, N_RAM);
    ck_assert_uint_eq(stats().pages.zero, 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 8), 0x1234);
    ck_assert_uint_eq(pgm_read_u32(pgm, LAST), 0);
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, N_RAM);
}
END_TEST

START_TEST(such_a_machine_never_runs_out)
{
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    gmm_set_limit(gmm, 0);
    for (GPhys gpa = HIGH; gpa < HIGH + HIGH_LEN; gpa += PAGE) {
        if (pgm_write_u32(pgm, gpa, 1) != MEM_OK) {
            ck_abort_msg("no page for 0x%lx", (unsigned long)gpa);
        }
    }
}
END_TEST

START_TEST(failure_gives_back_what_the_call_took_and_no_more)
{
    g_autoptr(GError) error = NULL;
    GmmStats before;

    store(HIGH, 7);
    store(LAST, 9);
    pgm_handy_return_all(pgm);
    gmm_get_stats(gmm, &before);
    gmm_set_limit(gmm, before.allocated + N_RAM - 3);
    ck_assert_int_eq(pgm_preallocate(pgm, &error), MEM_ERR_NO_MEMORY);
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_nonnull(strstr(error->message, "machine"));
    ck_assert_uint_eq(stats().pages.private_pages, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH), 7);
    ck_assert_uint_eq(pgm_read_u32(pgm, LAST), 9);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + PAGE), 0);
    check_sound();
    ck_assert_uint_le(gmm_allocated(), 2 + MM_HANDY_PAGES);
    gmm_set_limit(gmm, before.allocated + N_RAM);
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
}
END_TEST

START_TEST(failure_leaves_its_page_to_whoever_reads_one)
{
    PgmMapping mapping;
    GmmStats before;

    ck_assert_int_eq(pgm_map_page_ro(pgm, 0, &mapping), MEM_OK);
    pgm_handy_return_all(pgm);
    gmm_get_stats(gmm, &before);
    gmm_set_limit(gmm, before.allocated + N_RAM - 3);
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_ERR_NO_MEMORY);
    ck_assert_uint_le(stats().pages.private_pages, 1);
    ck_assert_uint_eq(mapping.host[0], 0);
    check_sound();
    pgm_unmap_page(pgm, &mapping);
    ck_assert_uint_eq(stats().pages.read_locked, 0);
}
END_TEST

START_TEST(failure_of_the_host_changes_nothing)
{
    g_autoptr(GError) error = NULL;

    store(HIGH, 7);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert_int_eq(pgm_preallocate(pgm, &error), MEM_ERR_NO_MEMORY);
    ck_assert_ptr_nonnull(error);
    fake_os_heal();
    ck_assert_uint_eq(stats().pages.private_pages, 1);
    pgm_reset(pgm);
    ck_assert_uint_eq(stats().pages.private_pages, 0);
}
END_TEST

START_TEST(reset_clears_in_place)
{
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    store(HIGH + 16, 5);
    PageId id = page_at(HIGH).id;

    gmm_set_limit(gmm, 0);
    pgm_reset(pgm);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 16), 0);
    ck_assert_uint_eq(page_at(HIGH).id, id);
    ck_assert_uint_eq(stats().pages.private_pages, N_RAM);
    store(LAST, 1);
}
END_TEST

START_TEST(shared_pages_become_its_own_and_rom_stays)
{
    store(HIGH, 3);
    ck_assert_int_eq(pgm_page_share_internal(pgm, HIGH), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, HOLE, PAGE, NULL, 0, 0xee, 0, "t", "rom", NULL), MEM_OK);
    uint64_t rom_shared = stats().pages.shared - 1;

    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    ck_assert_int_eq(page_at(HIGH).state, PGM_PAGE_ALLOCATED);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH), 3);
    ck_assert_uint_eq(stats().pages.shared, rom_shared);
}
END_TEST

START_TEST(a_machine_without_ram_has_all_of_it)
{
    Pgm *empty = pgm_new(gmm, NULL, NULL);

    ck_assert_int_eq(pgm_preallocate(empty, NULL), MEM_OK);
    pgm_free(empty);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("preallocate");
    TCase *tcase = tcase_create("preallocate");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, every_page_of_ram_is_backed_and_reads_as_before);
    tcase_add_test(tcase, such_a_machine_never_runs_out);
    tcase_add_test(tcase, failure_gives_back_what_the_call_took_and_no_more);
    tcase_add_test(tcase, failure_leaves_its_page_to_whoever_reads_one);
    tcase_add_test(tcase, failure_of_the_host_changes_nothing);
    tcase_add_test(tcase, reset_clears_in_place);
    tcase_add_test(tcase, shared_pages_become_its_own_and_rom_stays);
    tcase_add_test(tcase, a_machine_without_ram_has_all_of_it);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
