/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placed pages: a place of one's own in a chunk of one's own, and what becomes of such chunks.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

static GmmHandyPage page;

static MemStatus place(GmmVm *who, uint32_t *chunk, unsigned index)
{
    return gmm_vm_alloc_placed(who, chunk, index, &page);
}

START_TEST(neighbours_in_the_run_are_neighbours_on_the_host)
{
    uint32_t chunk = 0;

    ck_assert_int_eq(place(vm, &chunk, 7), MEM_OK);
    PageId seventh = page.id;

    ck_assert(page.zeroed);
    ck_assert_uint_eq(seventh % MEM_CHUNK_PAGES, 7);
    ck_assert_int_eq(place(vm, &chunk, 511), MEM_OK);
    ck_assert_uint_eq(page.id, seventh + 504);
    ck_assert_int_eq(place(vm, &chunk, 0), MEM_OK);
    ck_assert_uint_eq(page.id, seventh - 7);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_BASE], 3);
    ck_assert_uint_eq(vm_stats(vm).private_pages, 3);
    ck_assert_uint_eq(stats().n_chunks, 1);
    check_sound();

    /* Nobody else's pages come there, neither placed nor ordinary ones. */
    uint32_t second = 0;

    ck_assert_int_eq(place(other, &second, 8), MEM_OK);
    ck_assert_uint_ne(page.id / MEM_CHUNK_PAGES, seventh / MEM_CHUNK_PAGES);
    take(vm, 100);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_ne(pages[i].id / MEM_CHUNK_PAGES, seventh / MEM_CHUNK_PAGES);
    }
    check_sound();
}
END_TEST

START_TEST(taken_place_is_refused_and_a_freed_one_is_dirty)
{
    uint32_t chunk = 0;

    ck_assert_int_eq(place(vm, &chunk, 3), MEM_OK);
    PageId id = page.id;
    uint32_t before = chunk;

    ck_assert_int_eq(place(vm, &chunk, 4), MEM_OK);
    page.id = 77;
    ck_assert_int_eq(place(vm, &chunk, 3), MEM_ERR_IN_USE);
    ck_assert_uint_eq(page.id, 77);
    ck_assert_uint_eq(chunk, before);
    memset(gmm_page_bytes(gmm, id), 0x5a, MEM_PAGE_SIZE);
    ck_assert_int_eq(give_back(vm, id), MEM_OK);
    ck_assert_int_eq(give_back(vm, id), MEM_ERR_PAGE_ALREADY_FREE);
    check_sound();
    ck_assert_int_eq(place(vm, &chunk, 3), MEM_OK);
    ck_assert_uint_eq(page.id, id);
    ck_assert(!page.zeroed);
}
END_TEST

START_TEST(chunk_goes_with_its_last_page_and_its_number_is_stale)
{
    uint32_t chunk = 0;

    ck_assert(!gmm_chunk_is_placed(vm, 0));
    ck_assert_int_eq(place(vm, &chunk, 3), MEM_OK);
    PageId id = page.id;
    uint32_t old = chunk;

    ck_assert(gmm_chunk_is_placed(vm, chunk));
    ck_assert(!gmm_chunk_is_placed(other, chunk));
    memset(gmm_page_bytes(gmm, id), 0x5a, MEM_PAGE_SIZE);
    ck_assert_int_eq(give_back(vm, id), MEM_OK);
    ck_assert(!gmm_chunk_is_placed(vm, chunk));
    ck_assert_uint_eq(gmm->spare.n, 1);
    check_sound();

    /* The same chunk serves another run of the same machine: the number is stale all the same. */
    uint32_t fresh = 0;

    ck_assert_int_eq(place(vm, &fresh, 3), MEM_OK);
    ck_assert_uint_eq(page.id, id);
    ck_assert(!page.zeroed);
    ck_assert(gmm_chunk_is_placed(vm, fresh));
    ck_assert(!gmm_chunk_is_placed(vm, old));
    ck_assert_int_eq(place(vm, &old, 9), MEM_OK);
    ck_assert_uint_ne(page.id / MEM_CHUNK_PAGES, id / MEM_CHUNK_PAGES);
    ck_assert(gmm_chunk_is_placed(vm, old));
    check_sound();
}
END_TEST

START_TEST(number_stays_stale_though_the_memory_went_back_between)
{
    uint32_t chunks[4] = { 0 };
    PageId ids[4];

    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(place(vm, &chunks[i], i), MEM_OK);
        ids[i] = page.id;
    }
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 4), MEM_OK);
    ck_assert_uint_eq(stats().n_freed_chunks, 2);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t again = 0;

        ck_assert_int_eq(place(vm, &again, i), MEM_OK);
        for (unsigned k = 0; k < 4; k++) {
            ck_assert(!gmm_chunk_is_placed(vm, chunks[k]));
        }
    }
    ck_assert(!gmm_chunk_is_placed(vm, UINT32_MAX));
    check_sound();
}
END_TEST

START_TEST(clean_pages_stay_clean_through_all_lives)
{
    uint32_t chunk = 0;

    /* Of a spare with one dirty page. */
    take(vm, 1);
    PageId dirty = pages[0].id;

    memset(gmm_page_bytes(gmm, dirty), 0xff, MEM_PAGE_SIZE);
    ck_assert_int_eq(give_back(vm, dirty), MEM_OK);
    for (unsigned i = 0; i < MEM_CHUNK_PAGES; i += 3) {
        ck_assert_int_eq(place(vm, &chunk, i), MEM_OK);
        ck_assert_uint_eq(page.zeroed, page.id != dirty);
    }
    ck_assert_uint_eq(page.id / MEM_CHUNK_PAGES, dirty / MEM_CHUNK_PAGES);
    check_sound();
    uint32_t first = page.id / MEM_CHUNK_PAGES * MEM_CHUNK_PAGES;

    for (unsigned i = 0; i < MEM_CHUNK_PAGES; i += 3) {
        memset(gmm_page_bytes(gmm, first + i), 0xff, MEM_PAGE_SIZE);
        ck_assert_int_eq(give_back(vm, first + i), MEM_OK);
    }
    check_sound();
    take(vm, MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < MEM_CHUNK_PAGES; i++) {
        ck_assert_uint_eq(pages[i].zeroed, pages[i].id % 3 != first % 3);
    }
}
END_TEST

START_TEST(limits_hold_for_placed_pages_too)
{
    GmmReservation want = { { 2, 0, 0 } };
    GmmVm *poor = gmm_vm_new(gmm, "poor");
    uint32_t chunk = 0;

    ck_assert_int_eq(place(poor, &chunk, 0), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_reserve(poor, &want, GMM_OVERCOMMIT), MEM_OK);
    ck_assert_int_eq(place(poor, &chunk, 0), MEM_OK);
    gmm_set_limit(gmm, 1);
    ck_assert_int_eq(place(poor, &chunk, 1), MEM_ERR_GLOBAL_LIMIT);
    gmm_set_limit(gmm, PLENTY);
    ck_assert_int_eq(gmm_vm_balloon(poor, 1), MEM_OK);
    ck_assert_int_eq(place(poor, &chunk, 1), MEM_ERR_ACCOUNT_LIMIT);
    check_sound();
    ck_assert_uint_eq(gmm_vm_free(poor), 1);
}
END_TEST

START_TEST(sparse_runs_leave_a_quarter_of_the_arena_to_others)
{
    unsigned n = 0;

    for (;; n++) {
        uint32_t chunk = 0;
        MemStatus status = place(vm, &chunk, n);

        if (status != MEM_OK) {
            ck_assert_int_eq(status, MEM_ERR_HOST_MEMORY);
            ck_assert_uint_eq(chunk, 0);
            break;
        }
    }
    ck_assert_uint_eq(n, ARENA_CHUNKS / 4 * 3);
    take(other, (ARENA_CHUNKS - 1 - ARENA_CHUNKS / 4 * 3) * MEM_CHUNK_PAGES);
    check_sound();
}
END_TEST

START_TEST(host_that_refuses_a_chunk_changes_nothing)
{
    uint32_t chunk = 0;

    fake_os_fail(FAKE_PROTECT, 1, 1);
    ck_assert_int_eq(place(vm, &chunk, 5), MEM_ERR_HOST_MEMORY);
    ck_assert_uint_eq(chunk, 0);
    ck_assert_uint_eq(stats().allocated, 0);
    check_sound();
    ck_assert_int_eq(place(vm, &chunk, 5), MEM_OK);
    fake_os_fail(FAKE_DISCARD, 1, 100);
    ck_assert_int_eq(give_back(vm, page.id), MEM_OK);
    check_sound();
}
END_TEST

START_TEST(shared_page_keeps_a_placed_chunk_beyond_its_machine)
{
    uint32_t chunk = 0;

    ck_assert_int_eq(place(vm, &chunk, 5), MEM_OK);
    PageId shared = page.id;

    ck_assert_int_eq(place(vm, &chunk, 6), MEM_OK);
    memset(gmm_page_bytes(gmm, page.id), 1, MEM_PAGE_SIZE);
    ck_assert_int_eq(gmm_vm_share_page(vm, shared), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, shared), MEM_OK);
    ck_assert_int_eq(give_back(vm, shared), MEM_OK);
    check_sound();
    /* The other's alone: private there, in a chunk that is not its own. */
    ck_assert_int_eq(gmm_vm_unshare_page(other, shared), MEM_OK);
    ck_assert_uint_eq(other->n_foreign, 1);
    check_sound();
    ck_assert_uint_eq(gmm_vm_free(vm), 1);
    vm = NULL;
    check_sound();
    ck_assert_int_eq(gmm->chunks[shared / MEM_CHUNK_PAGES].kind, GMM_CHUNK_ORPHAN);
    ck_assert_uint_eq(gmm->n_placed, 0);
    take(other, 511); /* what is free there, and no more chunks */
    ck_assert_uint_eq(stats().n_chunks, 1);
    ck_assert_uint_eq(gmm_vm_free(other), 512);
    other = NULL;
}
END_TEST

START_TEST(foreign_page_in_a_placed_chunk_goes_with_its_machine)
{
    uint32_t chunk = 0;

    ck_assert_int_eq(place(vm, &chunk, 5), MEM_OK);
    PageId shared = page.id;

    ck_assert_int_eq(gmm_vm_share_page(vm, shared), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, shared), MEM_OK);
    ck_assert_int_eq(give_back(vm, shared), MEM_OK);
    ck_assert_int_eq(gmm_vm_unshare_page(other, shared), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(other), 1);
    other = NULL;
    check_sound();
    ck_assert(!gmm_chunk_is_placed(vm, chunk));
    ck_assert_uint_eq(gmm->n_placed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-placed");
    TCase *tc = tcase_create("placed");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, neighbours_in_the_run_are_neighbours_on_the_host);
    tcase_add_test(tc, taken_place_is_refused_and_a_freed_one_is_dirty);
    tcase_add_test(tc, chunk_goes_with_its_last_page_and_its_number_is_stale);
    tcase_add_test(tc, number_stays_stale_though_the_memory_went_back_between);
    tcase_add_test(tc, clean_pages_stay_clean_through_all_lives);
    tcase_add_test(tc, limits_hold_for_placed_pages_too);
    tcase_add_test(tc, sparse_runs_leave_a_quarter_of_the_arena_to_others);
    tcase_add_test(tc, host_that_refuses_a_chunk_changes_nothing);
    tcase_add_test(tc, shared_page_keeps_a_placed_chunk_beyond_its_machine);
    tcase_add_test(tc, foreign_page_in_a_placed_chunk_goes_with_its_machine);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
