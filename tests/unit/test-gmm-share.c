/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator as its callers see it: runs of chunks, and shared pages.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* ---- runs */
START_TEST(run_is_consecutive_aligned_and_zero)
{
    PageId run;
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    take(vm, 3);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 2 * MEM_CHUNK_PAGES + 1, &run), MEM_OK);
    ck_assert_uint_eq(run % MEM_CHUNK_PAGES, 0);
    ck_assert_uint_eq(stats().n_chunks, 4);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_FIXED], 2 * MEM_CHUNK_PAGES + 1);
    ck_assert(gmm_page_query(gmm, run + 2 * MEM_CHUNK_PAGES, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_PRIVATE);
    ck_assert(gmm_page_query(gmm, run + 2 * MEM_CHUNK_PAGES + 1, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_FREE);
    check_sound();

    memset(gmm_arena(gmm) + run * MEM_PAGE_SIZE, 0xff, 2 * MEM_CHUNK_SIZE);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 2 * MEM_CHUNK_PAGES + 1), MEM_OK);
    ck_assert_uint_eq(stats().n_chunks, 1);
    ck_assert_uint_eq(stats().n_freed_chunks, 3);
    check_sound();

    PageId again;
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 3 * MEM_CHUNK_PAGES, &again), MEM_OK);
    ck_assert_uint_eq(again, run); /* the gap is found */
    ck_assert_uint_eq(gmm_arena(gmm)[again * MEM_PAGE_SIZE], 0);
    ck_assert_uint_eq(gmm_arena(gmm)[again * MEM_PAGE_SIZE + 2 * MEM_CHUNK_SIZE - 1], 0);
}
END_TEST

START_TEST(bad_run_calls_are_refused)
{
    PageId run = 77;

    ck_assert_int_eq(gmm_vm_alloc_run(vm, 0, &run), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, N_USABLE + 1, &run), MEM_ERR_ACCOUNT_LIMIT);
    gmm_set_limit(gmm, 5);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 6, &run), MEM_ERR_GLOBAL_LIMIT);
    gmm_set_limit(gmm, PLENTY);
    ck_assert_uint_eq(run, 77);

    ck_assert_int_eq(gmm_vm_alloc_run(vm, 600, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_run(vm, run + 1, 600), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_free_run(vm, run + MEM_CHUNK_PAGES, 600), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_free_run(vm, 0, 600), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 599), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(gmm_vm_free_run(other, run, 600), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 600), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 600), MEM_ERR_BAD_PAGE_ID);
}
END_TEST

START_TEST(run_needs_neighbours)
{
    PageId first, second, third, big;

    /* Three runs fill the arena; a gap of two thirds that is not in one piece is no use. */
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 5 * MEM_CHUNK_PAGES, &first), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 5 * MEM_CHUNK_PAGES, &second), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 5 * MEM_CHUNK_PAGES, &third), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_run(vm, first, 5 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_run(vm, third, 5 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 6 * MEM_CHUNK_PAGES, &big), MEM_ERR_HOST_MEMORY);
    ck_assert_int_eq(gmm_vm_free_run(vm, second, 5 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 15 * MEM_CHUNK_PAGES, &big), MEM_OK);
    ck_assert_uint_eq(big, MEM_CHUNK_PAGES);
}
END_TEST

START_TEST(run_longer_than_the_arena_is_refused)
{
    GmmReservation want = { { 0, 0, PLENTY } };
    PageId run;

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, PLENTY, &run), MEM_ERR_HOST_MEMORY);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, N_USABLE + 1, &run), MEM_ERR_HOST_MEMORY);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, N_USABLE, &run), MEM_OK);
}
END_TEST

START_TEST(run_takes_the_spares_when_nothing_else_is_left)
{
    PageId run;

    take(vm, N_USABLE);
    ck_assert_int_eq(give_back_many(vm, 0, 2 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(gmm->spare.n, 2);
    PageId lower = MIN(pages[0].id, pages[MEM_CHUNK_PAGES].id) / MEM_CHUNK_PAGES * MEM_CHUNK_PAGES;
    gmm_arena(gmm)[lower * MEM_PAGE_SIZE] = 1; /* this spare is not clean */
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 2 * MEM_CHUNK_PAGES, &run), MEM_OK);
    ck_assert_uint_eq(run, lower);
    ck_assert_uint_eq(gmm_arena(gmm)[lower * MEM_PAGE_SIZE], 0);
    ck_assert_uint_eq(gmm->spare.n, 0);
}
END_TEST

/* ---- sharing */
START_TEST(shared_page_lives_as_long_as_its_references)
{
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    take(vm, 1);
    PageId id = pages[0].id;

    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert(gmm_page_query(gmm, id, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_SHARED);
    ck_assert_ptr_null(owner);
    ck_assert_uint_eq(gpa, MEM_GPHYS_NIL);
    ck_assert_uint_eq(refs, 3);
    ck_assert_uint_eq(stats().shared, 1);
    ck_assert_uint_eq(stats().duplicates, 2);
    ck_assert_uint_eq(stats().allocated, 1);
    ck_assert_uint_eq(vm_stats(other).shared_pages, 2);
    ck_assert_uint_eq(vm_stats(other).allocated.n_pages[GMM_ACCOUNT_BASE], 2);
    ck_assert_uint_eq(vm_stats(vm).private_pages, 0);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_BASE], 1);
    check_sound();

    PageId thrice[3] = { id, id, id };
    ck_assert_int_eq(give_back(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_pages(other, GMM_ACCOUNT_BASE, thrice, 3), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_free_pages(other, GMM_ACCOUNT_BASE, thrice, 2), MEM_OK);
    ck_assert(gmm_page_query(gmm, id, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_FREE);
    ck_assert_uint_eq(stats().allocated, 0);
    ck_assert_uint_eq(stats().duplicates, 0);
}
END_TEST

START_TEST(bad_sharing_is_refused)
{
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 1, pages + 2), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 2, pages), MEM_OK);
    PageId id = pages[0].id;

    ck_assert_int_eq(gmm_vm_share_page(vm, 0), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_share_page(other, id), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[2].id), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, id), MEM_ERR_PAGE_NOT_SHARED);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, 0), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_ERR_PAGE_NOT_PRIVATE);
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, id, 0), MEM_ERR_PAGE_NOT_PRIVATE);
    /* No reference of its own, a wrong account, more references than there are. */
    ck_assert_int_eq(give_back(other, id), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages + 3), MEM_OK);
    ck_assert_int_eq(give_back(other, id), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, &id, 1), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[1].id), MEM_OK);
    PageId twice[2] = { id, id };
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, twice, 2), MEM_ERR_PAGE_ALREADY_FREE);
    check_sound();
    ck_assert_uint_eq(stats().shared, 2);
}
END_TEST

START_TEST(references_are_charged_to_base)
{
    GmmReservation want = { { 2, 1000, N_USABLE } };

    take(vm, 1);
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[0].id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, pages[0].id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, pages[0].id), MEM_ERR_ACCOUNT_LIMIT);
}
END_TEST

START_TEST(reference_count_does_not_wrap)
{
    take(vm, 1);
    PageId id = pages[0].id;

    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    gmm->records[id] = gmm_rec_shared(UINT32_MAX - 1);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_ERR_REFERENCE_OVERFLOW);
    ck_assert_uint_eq(gmm_rec_refs(gmm->records[id]), UINT32_MAX);
    gmm->records[id] = gmm_rec_shared(2);
}
END_TEST

START_TEST(references_left_behind_go_with_the_last_machine)
{
    take(vm, 1);
    PageId id = pages[0].id;
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(vm), 1);
    check_sound();
    ck_assert(gmm_page_query(gmm, id, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_SHARED); /* its chunk is an orphan now */
    take(other, 1);
    ck_assert_uint_eq(pages[0].id / MEM_CHUNK_PAGES, id / MEM_CHUNK_PAGES);
    check_sound();
    ck_assert_uint_eq(gmm_vm_free(other), 2);
    check_sound();
    ck_assert_uint_eq(stats().allocated, 0);
    ck_assert_uint_eq(stats().duplicates, 0);
    vm = other = NULL;
}
END_TEST

START_TEST(sole_reference_becomes_a_private_page_again)
{
    GmmVmStats before;

    take(vm, 2);
    PageId id = pages[0].id;

    before = vm_stats(vm);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, 0), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, id), MEM_ERR_PAGE_NOT_SHARED);
    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, id), MEM_ERR_IN_USE);
    ck_assert_int_eq(give_back(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_unshare_page(other, id), MEM_ERR_IN_USE); /* it has no reference */
    ck_assert_int_eq(gmm_vm_unshare_page(vm, id), MEM_OK);
    GmmVmStats after = vm_stats(vm);

    ck_assert_mem_eq(&before, &after, sizeof(before));
    ck_assert_uint_eq(stats().shared, 0);
    ck_assert_uint_eq(stats().share_copied, 1);
    gmm_vm_note_copies(vm, 4);
    ck_assert_uint_eq(stats().share_copied, 5);
    check_sound();
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, id, 0x1000), MEM_OK);
    ck_assert_int_eq(give_back(vm, id), MEM_OK);
}
END_TEST

START_TEST(private_page_moves_to_another_account)
{
    GmmReservation want = { { 10, 1, 10 } };
    PageId run;

    take(vm, 2);
    PageId id = pages[0].id;

    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, id, 0x5000), MEM_OK);
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_recharge(vm, 0, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
                     MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_recharge(other, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
                     MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_SHADOW, GMM_ACCOUNT_BASE),
                     MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_recharge(vm, run, GMM_ACCOUNT_FIXED, GMM_ACCOUNT_BASE),
                     MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_BASE), MEM_OK);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW), MEM_OK);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_BASE], 1);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_SHADOW], 1);
    ck_assert_uint_eq(gmm_rec_frame(gmm->records[id]), 5);
    check_sound();
    ck_assert_int_eq(gmm_vm_recharge(vm, pages[1].id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
                     MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(give_back(vm, id), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_balloon(vm, 9), MEM_OK);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_SHADOW, GMM_ACCOUNT_BASE),
                     MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, &id, 1), MEM_OK);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
                     MEM_ERR_BAD_PAGE_ID);
}
END_TEST

START_TEST(reference_moves_to_another_account)
{
    take(vm, 1);
    PageId id = pages[0].id;
    PageId twice[2] = { id, id };

    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_recharge(other, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
                     MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_SHADOW, GMM_ACCOUNT_BASE),
                     MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW), MEM_OK);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_SHADOW], 1);
    ck_assert_uint_eq(vm_stats(vm).shared_pages, 2);
    check_sound();
    /* One in each account: neither gives back two. */
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, twice, 2), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, twice, 1), MEM_OK);
    check_sound();
    ck_assert_int_eq(gmm_vm_recharge(vm, id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW), MEM_OK);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, id), MEM_ERR_IN_USE); /* not BASE's */
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, twice, 1), MEM_OK);
    ck_assert_uint_eq(stats().allocated, 0);
}
END_TEST

static TCase *run_and_share_case(void)
{
    TCase *tc = tcase_create("runs and sharing");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, run_is_consecutive_aligned_and_zero);
    tcase_add_test(tc, bad_run_calls_are_refused);
    tcase_add_test(tc, run_needs_neighbours);
    tcase_add_test(tc, run_longer_than_the_arena_is_refused);
    tcase_add_test(tc, run_takes_the_spares_when_nothing_else_is_left);
    tcase_add_test(tc, shared_page_lives_as_long_as_its_references);
    tcase_add_test(tc, bad_sharing_is_refused);
    tcase_add_test(tc, references_are_charged_to_base);
    tcase_add_test(tc, reference_count_does_not_wrap);
    tcase_add_test(tc, references_left_behind_go_with_the_last_machine);
    tcase_add_test(tc, sole_reference_becomes_a_private_page_again);
    tcase_add_test(tc, private_page_moves_to_another_account);
    tcase_add_test(tc, reference_moves_to_another_account);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("gmm-share");

    suite_add_tcase(suite, run_and_share_case());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
