/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of the model we follow, by their numbers in the project's notes: each clause is a test
 * that Quire passes, or has a line here that says why it cannot exist. This file: the machine's RAM
 * layout, the heap, the page allocator (1 to 6). Then follow test-defects-ram.c (7 to 11),
 * test-defects-devices.c (12 to 19) and test-defects-access.c (20 to 26).
 *
 *  1  The reservation of a machine of less than 384 KiB underflows; a hole that is too small is
 *     called too large. (A configuration key that is read under another name than it is written:
 *     there are no keys here, sizes are arguments.)
 *  2  Reallocation adds new minus new to the heap's numbers.
 *  3  A reservation is not checked against what there is, may be updated below what is allocated,
 *     and "may allocate" is never looked at.
 *  4  Large pages ignore the global limit. (Their freeing checks the size of another call's request
 *     structure: calls here have arguments and no structures; a run of another length is refused.)
 *  5  Reference counts of 16 bits overflow; types of pages are not looked at; ids in global tables
 *     go stale. (A machine's count of modules leaks: there are no modules, pages are found by what
 *     they hold.)
 *  6  Chunks at the edge of their list are never given back; neither are empty ones that a failed
 *     allocation made.
 */
#include "memsys/mm_heap.h"
#include "memsys/pgm-internal.h"
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* ---- 1: reservations of small machines */

START_TEST(defect_01_machine_of_less_than_384k_reserves_what_it_has)
{
    static const uint64_t sizes[] = { 4 << 10, 380 << 10, 640 << 10 };
    GmmReservation got;
    Pgm *pgm = pgm_new(gmm, NULL, NULL);

    ck_assert_int_eq(mm_register_x86(pgm, sizes[_i], 0, NULL), MEM_OK);
    mm_get_reserved(pgm, &got);
    ck_assert_uint_eq(got.n_pages[GMM_ACCOUNT_BASE], sizes[_i] / MEM_PAGE_SIZE + MM_HANDY_PAGES);
    pgm_free(pgm);
}
END_TEST

/* A hole of 16 MiB is no more large enough; 4,032 MiB are the most. */
START_TEST(defect_01_wrong_hole_is_called_what_it_is)
{
    MmRegion regions[MM_X86_MAX_REGIONS];
    uint64_t hole = _i == 0 ? MM_HOLE_ABOVE : MM_HOLE_MAX + MM_HOLE_UNIT;
    g_autoptr(GError) error = NULL;

    ck_assert_uint_eq(mm_layout_x86(UINT64_C(1) << 20, hole, regions, &error), 0);
    ck_assert_ptr_nonnull(strstr(error->message, _i == 0 ? "too small" : "too large"));
    ck_assert_ptr_null(strstr(error->message, _i == 0 ? "too large" : "too small"));
}
END_TEST

/* ---- 2: the heap's numbers */

START_TEST(defect_02_reallocation_counts_its_true_difference)
{
    MmHeap *heap = mm_heap_new();
    uint8_t *block = mm_heap_alloc(heap, "a", 16);
    MmHeapStats first, grown, shrunk;

    ck_assert(mm_heap_get_stats(heap, "a", &first));
    block = mm_heap_realloc(heap, block, "a", 160, false);
    ck_assert(mm_heap_get_stats(heap, "a", &grown));
    block = mm_heap_realloc(heap, block, "a", 32, false);
    ck_assert(mm_heap_get_stats(heap, "a", &shrunk));
    ck_assert_uint_eq(grown.bytes_current, first.bytes_current + 144);
    ck_assert_uint_eq(grown.bytes_allocated, first.bytes_allocated + 144);
    ck_assert_uint_eq(shrunk.bytes_current, first.bytes_current + 16);
    ck_assert_uint_eq(shrunk.bytes_freed, 128);
    ck_assert_uint_eq(shrunk.n_reallocations, 2);
    mm_heap_free(heap, block);
    ck_assert(mm_heap_get_stats(heap, NULL, &shrunk));
    ck_assert_uint_eq(shrunk.bytes_current, 0);
    ck_assert_uint_eq(mm_heap_free_all(heap, NULL), 0);
}
END_TEST

/* ---- 3: reservations */

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
    want.n_pages[GMM_ACCOUNT_BASE] = 100;
    ck_assert_int_eq(gmm_vm_reserve(strict, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    want.n_pages[GMM_ACCOUNT_BASE] = 101;
    ck_assert_int_eq(gmm_vm_update_reservation(strict, &want), MEM_ERR_DECLINED);
    gmm_vm_free(strict);
}
END_TEST

START_TEST(defect_03_machine_without_a_reservation_may_not_allocate)
{
    static const GmmAccount accounts[] = { GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW };
    GmmVm *none = gmm_vm_new(gmm, "none");
    PageId run;

    for (unsigned i = 0; i < G_N_ELEMENTS(accounts); i++) {
        ck_assert_int_eq(gmm_vm_alloc(none, accounts[i], 1, pages), MEM_ERR_ACCOUNT_LIMIT);
    }
    ck_assert_int_eq(gmm_vm_alloc_run(none, 1, &run), MEM_ERR_ACCOUNT_LIMIT);
    gmm_vm_free(none);
}
END_TEST

/* ---- 4: whole chunks */

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

START_TEST(defect_04_run_is_freed_as_what_it_is)
{
    PageId run;

    ck_assert_int_eq(gmm_vm_alloc_run(vm, 600, &run), MEM_OK);
    ck_assert_int_ne(gmm_vm_free_run(other, run, 600), MEM_OK);
    ck_assert_int_ne(gmm_vm_free_run(vm, run, 601), MEM_OK);
    ck_assert_int_ne(give_back(vm, run), MEM_OK);
    ck_assert_uint_eq(stats().allocated, 600);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 600), MEM_OK);
    ck_assert_uint_eq(stats().allocated, 0);
}
END_TEST

/* ---- 5: sharing */

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

START_TEST(defect_05_scan_looks_at_ram_alone)
{
    Pgm *pgm = pgm_new(gmm, NULL, NULL);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, MEM_PAGE_SIZE, false, "vram", NULL);

    pgm_set_sharing(pgm, true);
    ck_assert_int_eq(
        pgm_rom_register(pgm, 0, MEM_PAGE_SIZE, "a", 1, 0, PGM_ROM_FLAG_SHADOWED, "t", "rom", NULL),
        MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, 0, MEM_PAGE_SIZE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    ck_assert_int_eq(pgm_write_u8(pgm, 0, 1), MEM_OK); /* shadow RAM */
    ck_assert_int_eq(pgm_poke(pgm, 0, "b", 1), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(vram, 0x10000, NULL), MEM_OK);
    ck_assert_int_eq(pgm_write_u8(pgm, 0x10000, 1), MEM_OK);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(pgm_share_slice(pgm, 100), 0);
    }
    pgm_free(pgm);
}
END_TEST

/* ---- 6: chunks that go back */

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
    Suite *suite = suite_create("defects-gmm");
    TCase *tc = tcase_create("defects");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, defect_01_machine_of_less_than_384k_reserves_what_it_has, 0, 3);
    tcase_add_loop_test(tc, defect_01_wrong_hole_is_called_what_it_is, 0, 2);
    tcase_add_test(tc, defect_02_reallocation_counts_its_true_difference);
    tcase_add_test(tc, defect_03_reservation_below_allocated_is_refused);
    tcase_add_test(tc, defect_03_reservation_is_checked_against_capacity);
    tcase_add_test(tc, defect_03_machine_without_a_reservation_may_not_allocate);
    tcase_add_test(tc, defect_04_global_limit_holds_for_whole_chunks_too);
    tcase_add_test(tc, defect_04_run_is_freed_as_what_it_is);
    tcase_add_test(tc, defect_05_references_beyond_16_bits_are_counted);
    tcase_add_test(tc, defect_05_no_stale_id_is_found_by_content);
    tcase_add_test(tc, defect_05_only_base_pages_are_shared);
    tcase_add_test(tc, defect_05_scan_looks_at_ram_alone);
    tcase_add_test(tc, defect_06_every_empty_chunk_but_two_goes_back);
    tcase_add_test(tc, defect_06_failed_allocation_leaves_no_empty_chunks);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
