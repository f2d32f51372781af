/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of the model we follow that lie in its page allocator, by their numbers in the project's
 * notes: each as a test that Quire passes. Number 1 is in test-mm.c, number 2 in test-mm-heap.c.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

START_TEST(defect_03_reservation_below_allocated_is_refused)
{
    take(vm, 10);
    ck_assert_int_eq(gmm_vm_balloon(vm, 5), MEM_OK);
    GmmReservation want = { { 14, 0, 0 } };

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_ERR_BELOW_ALLOCATED);
    ck_assert_uint_eq(vm_stats(vm).reserved.n_pages[GMM_ACCOUNT_BASE], N_USABLE + 1000);
    want.n_pages[GMM_ACCOUNT_BASE] = 15;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
}
END_TEST

START_TEST(defect_03_reservation_is_checked_against_capacity)
{
    GmmVm *strict = gmm_vm_new(gmm, "strict");
    GmmReservation want = { { 101, 0, 0 } };

    gmm_set_limit(gmm, 100);
    ck_assert_int_eq(gmm_vm_reserve(strict, &want, GMM_NO_OVERCOMMIT), MEM_ERR_DECLINED);
    /* A machine without a reservation may not allocate. */
    ck_assert_int_eq(gmm_vm_alloc(strict, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_ACCOUNT_LIMIT);
    want.n_pages[GMM_ACCOUNT_BASE] = 100;
    ck_assert_int_eq(gmm_vm_reserve(strict, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    gmm_vm_free(strict);
}
END_TEST

START_TEST(defect_04_global_limit_holds_for_whole_chunks_too)
{
    PageId run;
    uint32_t chunk = 0;

    gmm_set_limit(gmm, 511);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 512, &run), MEM_ERR_GLOBAL_LIMIT);
    gmm_set_limit(gmm, 0);
    ck_assert_int_eq(gmm_vm_alloc_placed(vm, &chunk, 0, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(chunk, 0);
    gmm_set_limit(gmm, 512);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 512, &run), MEM_OK);
}
END_TEST

START_TEST(defect_05_references_beyond_16_bits_are_counted)
{
    take(vm, 1);
    PageId id = pages[0].id;
    GmmReservation want = { { 100000, 0, 0 } };

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    unsigned n_failed = 0;

    for (unsigned i = 0; i < 70000; i++) {
        n_failed += gmm_vm_ref_shared(vm, id) != MEM_OK;
    }
    for (unsigned i = 0; i < 70000; i++) {
        n_failed += give_back(vm, id) != MEM_OK;
    }
    ck_assert_uint_eq(n_failed, 0);
    ck_assert_uint_eq(stats().shared, 1);
    ck_assert_uint_eq(stats().duplicates, 0);
}
END_TEST

START_TEST(defect_05_no_stale_id_is_found_by_content)
{
    uint8_t image[MEM_PAGE_SIZE] = { 7 };
    PageId first, second;

    /* The page goes, its id comes back as something else: the image must not be that. */
    ck_assert_int_eq(gmm_vm_share_image(vm, image, &first), MEM_OK);
    ck_assert_int_eq(give_back(vm, first), MEM_OK);
    take(other, 1);
    ck_assert_uint_eq(pages[0].id, first);
    ck_assert_int_eq(gmm_vm_share_image(vm, image, &second), MEM_OK);
    ck_assert_uint_ne(second, first);
}
END_TEST

START_TEST(defect_05_only_base_pages_are_shared)
{
    GmmShareResult result;
    PageId run, merged;

    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_page(vm, run), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_share_offer(vm, run, 1, &result, &merged), MEM_ERR_WRONG_TYPE);
}
END_TEST

START_TEST(defect_06_every_empty_chunk_but_two_goes_back)
{
    take(vm, 9 * MEM_CHUNK_PAGES);
    ck_assert_int_eq(give_back_many(vm, 0, 9 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(stats().n_chunks, 2);
    ck_assert_uint_eq(stats().n_freed_chunks, 7);
}
END_TEST

START_TEST(defect_06_failed_allocation_leaves_no_empty_chunks)
{
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, N_USABLE + 1, pages), MEM_ERR_HOST_MEMORY);
    ck_assert_uint_le(stats().n_chunks, 2);
    ck_assert_uint_eq(stats().allocated, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-defects");
    TCase *tc = tcase_create("defects");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, defect_03_reservation_below_allocated_is_refused);
    tcase_add_test(tc, defect_03_reservation_is_checked_against_capacity);
    tcase_add_test(tc, defect_04_global_limit_holds_for_whole_chunks_too);
    tcase_add_test(tc, defect_05_references_beyond_16_bits_are_counted);
    tcase_add_test(tc, defect_05_no_stale_id_is_found_by_content);
    tcase_add_test(tc, defect_05_only_base_pages_are_shared);
    tcase_add_test(tc, defect_06_every_empty_chunk_but_two_goes_back);
    tcase_add_test(tc, defect_06_failed_allocation_leaves_no_empty_chunks);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
