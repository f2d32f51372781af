/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator as its callers see it: pages taken, given back, and what becomes of chunks.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* ---- allocation */
START_TEST(reservation_never_falls_below_what_is_allocated)
{
    static const GmmReservation low[] = { { { 9, 5, 3 } }, { { 10, 4, 3 } }, { { 10, 5, 2 } } };
    GmmReservation exact = { { 10, 5, 3 } };
    PageId run;

    take(vm, 10);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 5, pages), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 3, &run), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(low); i++) {
        ck_assert_int_eq(gmm_vm_update_reservation(vm, &low[i]), MEM_ERR_BELOW_ALLOCATED);
    }
    ck_assert_uint_eq(vm_stats(vm).reserved.n_pages[0], N_USABLE + 1000);
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &exact), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_ACCOUNT_LIMIT);
}
END_TEST

START_TEST(pages_are_distinct_private_and_zero)
{
    static const uint8_t zeros[MEM_PAGE_SIZE];
    g_autofree bool *seen = g_new0(bool, ARENA_CHUNKS *MEM_CHUNK_PAGES);
    unsigned n_bad = 0;

    take(vm, 1500);
    for (unsigned i = 0; i < 1500; i++) {
        PageId id = pages[i].id;
        GmmPageState state = GMM_PAGE_FREE;
        GmmVm *owner = NULL;
        GPhys gpa = 0;
        uint32_t refs = 9;

        n_bad += id < MEM_CHUNK_PAGES || seen[id] || !pages[i].zeroed;
        seen[id] = true;
        n_bad += !gmm_page_query(gmm, id, &state, &owner, &gpa, &refs);
        n_bad += state != GMM_PAGE_PRIVATE || owner != vm || gpa != MEM_GPHYS_NIL || refs != 0;
        n_bad += memcmp(gmm_arena(gmm) + id * MEM_PAGE_SIZE, zeros, MEM_PAGE_SIZE) != 0;
    }
    ck_assert_uint_eq(n_bad, 0);
    ck_assert_uint_eq(stats().allocated, 1500);
    ck_assert_uint_eq(stats().n_chunks, 3);
    ck_assert_uint_eq(vm_stats(vm).private_pages, 1500);
    ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_BASE], 1500);
}
END_TEST

static const struct {
    uint32_t n_pages;
    MemStatus status;
} counts[] = {
    { 0, MEM_ERR_INVALID_PARAMETER },           { (1u << 20) + 1, MEM_ERR_INVALID_PARAMETER },
    { UINT32_MAX, MEM_ERR_INVALID_PARAMETER },  { 1u << 20, MEM_ERR_ACCOUNT_LIMIT },
    { N_USABLE + 1001, MEM_ERR_ACCOUNT_LIMIT }, { N_USABLE + 1000, MEM_ERR_HOST_MEMORY },
    { N_USABLE + 1, MEM_ERR_HOST_MEMORY },      { N_USABLE, MEM_OK },
};

START_TEST(allocation_is_all_or_nothing)
{
    static const GmmHandyPage poison = { .id = 0xdeadbeef, .zeroed = true };

    pages[0] = poison;
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, counts[_i].n_pages, pages),
                     counts[_i].status);
    if (counts[_i].status != MEM_OK) {
        ck_assert_mem_eq(&pages[0].id, &poison.id, sizeof(poison.id));
        ck_assert_uint_eq(stats().allocated, 0);
        check_sound();
        take(vm, N_USABLE); /* the failure cost nothing */
    }
}
END_TEST

START_TEST(each_account_has_its_own_limit)
{
    GmmReservation want = { { 3, 2, 1 } };
    PageId run;

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 3, pages), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 2, pages), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_FIXED, 1, pages), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_ERR_ACCOUNT_LIMIT);
    take(vm, 3);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_ACCOUNT_LIMIT);
    GmmVmStats got = vm_stats(vm);
    ck_assert_mem_eq(&got.allocated, &want, sizeof(want));
}
END_TEST

START_TEST(reused_page_is_not_said_to_be_zero)
{
    take(vm, 2); /* the second keeps the chunk */
    PageId id = pages[0].id;

    ck_assert_int_eq(give_back(vm, id), MEM_OK);
    take(vm, 1);
    ck_assert_uint_eq(pages[0].id, id);
    ck_assert(!pages[0].zeroed);
    take(vm, 1);
    ck_assert(pages[0].zeroed);
}
END_TEST

START_TEST(fullest_chunk_is_used_first)
{
    take(vm, 2 * MEM_CHUNK_PAGES);
    PageId in_full = pages[0].id, in_empty = pages[MEM_CHUNK_PAGES].id;

    ck_assert_uint_ne(in_full / MEM_CHUNK_PAGES, in_empty / MEM_CHUNK_PAGES);
    ck_assert_int_eq(give_back_many(vm, 0, 40), MEM_OK);
    ck_assert_int_eq(give_back_many(vm, MEM_CHUNK_PAGES, 400), MEM_OK);
    check_sound();
    take(vm, 41);
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_uint_eq(pages[i].id / MEM_CHUNK_PAGES, in_full / MEM_CHUNK_PAGES);
    }
    ck_assert_uint_eq(pages[40].id / MEM_CHUNK_PAGES, in_empty / MEM_CHUNK_PAGES);
}
END_TEST

START_TEST(machines_do_not_mix_in_a_chunk_while_there_is_room)
{
    take(vm, 1);
    PageId mine = pages[0].id;

    take(other, 1);
    ck_assert_uint_ne(pages[0].id / MEM_CHUNK_PAGES, mine / MEM_CHUNK_PAGES);
    ck_assert_uint_eq(stats().n_chunks, 2);
}
END_TEST

START_TEST(full_arena_lends_from_other_machines_chunks)
{
    take(vm, N_USABLE - MEM_CHUNK_PAGES + 1);
    take(other, 1); /* never gets a chunk: all belong to vm */
    PageId lent = pages[0].id;

    check_sound();
    ck_assert_uint_eq(other->n_foreign, 1);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, &lent, 1), MEM_ERR_NOT_OWNER);
    take(other, MEM_CHUNK_PAGES - 2);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_HOST_MEMORY);
    check_sound();
    ck_assert_int_eq(give_back(other, lent), MEM_OK);
    ck_assert_uint_eq(other->n_foreign, MEM_CHUNK_PAGES - 2);
    check_sound();
}
END_TEST

START_TEST(machine_with_lent_pages_ends)
{
    take(vm, N_USABLE - MEM_CHUNK_PAGES + 1);
    take(other, 100);
    ck_assert_uint_eq(gmm_vm_free(other), 100);
    check_sound();
    ck_assert_uint_eq(stats().allocated, N_USABLE - MEM_CHUNK_PAGES + 1);
    other = gmm_vm_new(gmm, "two again");
}
END_TEST

START_TEST(lender_ends_first)
{
    take(vm, N_USABLE - MEM_CHUNK_PAGES + 1);
    take(other, 100);
    PageId lent = pages[7].id;

    ck_assert_uint_eq(gmm_vm_free(vm), N_USABLE - MEM_CHUNK_PAGES + 1);
    check_sound();
    ck_assert_uint_eq(stats().allocated, 100);
    take(other, 10); /* from the orphan before any new chunk */
    ck_assert_uint_eq(pages[0].id / MEM_CHUNK_PAGES, lent / MEM_CHUNK_PAGES);
    check_sound();
    ck_assert_int_eq(give_back(other, lent), MEM_OK);
    vm = gmm_vm_new(gmm, "one again");
}
END_TEST

/* ---- freeing */
START_TEST(bad_frees_are_refused_whole)
{
    PageId theirs, run, ids[3];

    take(other, 1);
    theirs = pages[0].id;
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 3, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 1, pages + 8), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 8, pages), MEM_OK);
    PageId was_free = pages[7].id, mine = pages[0].id;
    ck_assert_int_eq(give_back(vm, was_free), MEM_OK);

    const struct {
        PageId id;
        MemStatus status;
    } bad[] = {
        { MEM_ZERO_PAGE_ID, MEM_ERR_BAD_PAGE_ID },
        { MEM_CHUNK_PAGES - 1, MEM_ERR_BAD_PAGE_ID },
        { ARENA_CHUNKS * MEM_CHUNK_PAGES, MEM_ERR_BAD_PAGE_ID },
        { ARENA_CHUNKS * MEM_CHUNK_PAGES - 1, MEM_ERR_BAD_PAGE_ID }, /* never committed */
        { UINT32_MAX, MEM_ERR_BAD_PAGE_ID },
        { was_free, MEM_ERR_PAGE_ALREADY_FREE },
        { mine, MEM_ERR_PAGE_ALREADY_FREE }, /* twice in one call */
        { theirs, MEM_ERR_NOT_OWNER },
        { pages[8].id, MEM_ERR_FREE_TOO_MUCH }, /* charged to SHADOW */
        { run, MEM_ERR_WRONG_TYPE },
        { run + 3, MEM_ERR_PAGE_ALREADY_FREE }, /* the unused rest of the run's chunk */
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        ids[0] = pages[1].id;
        ids[1] = mine;
        ids[2] = bad[i].id;
        MemStatus got = gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 3);
        ck_assert_msg(got == bad[i].status, "row %u: %s", i, mem_status_name(got));
        ck_assert_uint_eq(vm_stats(vm).allocated.n_pages[GMM_ACCOUNT_BASE], 7);
        check_sound();
    }
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 2), MEM_OK);
}
END_TEST

START_TEST(freeing_more_than_the_account_holds_is_refused)
{
    take(vm, 2);
    PageId ids[3] = { pages[0].id, pages[1].id, pages[0].id };

    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, ids, 1), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 3), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 0), MEM_OK);
    ck_assert_uint_eq(stats().allocated, 2);
}
END_TEST

START_TEST(page_of_a_released_chunk_is_unknown)
{
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    take(vm, 4 * MEM_CHUNK_PAGES);
    ck_assert_int_eq(give_back_many(vm, 0, 4 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(stats().n_chunks, 2); /* the spares */
    ck_assert_uint_eq(stats().n_freed_chunks, 2);
    /* The first two emptied are the spares; the last went back. */
    ck_assert(gmm_page_query(gmm, pages[0].id, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_FREE);
    ck_assert(!gmm_page_query(gmm, pages[4 * MEM_CHUNK_PAGES - 1].id, &state, &owner, &gpa, &refs));
    ck_assert(!gmm_page_query(gmm, MEM_ZERO_PAGE_ID, &state, &owner, &gpa, &refs));
}
END_TEST

START_TEST(released_chunk_is_zero_and_known_zero_again)
{
    unsigned n_dirty = 0, n_lies = 0;

    take(vm, 3 * MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < 3 * MEM_CHUNK_PAGES; i++) {
        gmm_arena(gmm)[pages[i].id * MEM_PAGE_SIZE + 5] = 1;
    }
    ck_assert_int_eq(give_back_many(vm, 0, 3 * MEM_CHUNK_PAGES), MEM_OK);
    check_sound();
    take(vm, 3 * MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < 3 * MEM_CHUNK_PAGES; i++) {
        bool zero = gmm_arena(gmm)[pages[i].id * MEM_PAGE_SIZE + 5] == 0;

        n_dirty += !pages[i].zeroed;
        n_lies += zero != pages[i].zeroed;
    }
    ck_assert_uint_eq(n_lies, 0);
    ck_assert_uint_eq(n_dirty, 2 * MEM_CHUNK_PAGES); /* the two spares */
    ck_assert_uint_eq(stats().n_chunks, 3);
}
END_TEST

START_TEST(arena_can_be_filled_and_emptied_again_and_again)
{
    for (unsigned lap = 0; lap < 4; lap++) {
        take(vm, N_USABLE);
        ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages + N_USABLE),
                         MEM_ERR_HOST_MEMORY);
        ck_assert_int_eq(give_back_many(vm, 0, N_USABLE), MEM_OK);
        ck_assert_uint_eq(stats().n_chunks, 2);
        check_sound();
    }
}
END_TEST

/* ---- the end of a machine */
START_TEST(machine_end_counts_what_was_left)
{
    PageId run;

    take(vm, 600);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 700, &run), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(vm), 1300);
    check_sound();
    ck_assert_uint_eq(stats().allocated, 0);
    ck_assert_uint_eq(stats().n_vms, 1);
    vm = gmm_vm_new(gmm, "one again");
    ck_assert_uint_eq(vm->handle, 0); /* the place of the one that ended */
}
END_TEST

START_TEST(clean_end_leaves_nothing)
{
    take(vm, 3);
    ck_assert_int_eq(give_back_many(vm, 0, 3), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(vm), 0);
    vm = NULL;
}
END_TEST

/* ---- guest frames */
START_TEST(guest_frame_is_remembered)
{
    static const GPhys gpas[] = { 0, 0x1000, 0xfffffffff000, MEM_GPHYS_LIMIT - MEM_PAGE_SIZE,
                                  MEM_GPHYS_NIL };
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    take(vm, 2);
    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        ck_assert_int_eq(gmm_vm_set_guest_frame(vm, pages[0].id, gpas[i]), MEM_OK);
        ck_assert(gmm_page_query(gmm, pages[0].id, &state, &owner, &gpa, &refs));
        ck_assert_uint_eq(gpa, gpas[i]);
        ck_assert_ptr_eq(owner, vm);
        check_sound();
    }
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, pages[0].id, MEM_GPHYS_LIMIT),
                     MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(gmm_vm_set_guest_frame(other, pages[0].id, 0), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, 0, 0), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(give_back(vm, pages[0].id), MEM_OK);
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, pages[0].id, 0), MEM_ERR_PAGE_NOT_PRIVATE);
}
END_TEST

static TCase *page_case(void)
{
    TCase *tc = tcase_create("pages");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reservation_never_falls_below_what_is_allocated);
    tcase_add_test(tc, pages_are_distinct_private_and_zero);
    tcase_add_loop_test(tc, allocation_is_all_or_nothing, 0, G_N_ELEMENTS(counts));
    tcase_add_test(tc, each_account_has_its_own_limit);
    tcase_add_test(tc, reused_page_is_not_said_to_be_zero);
    tcase_add_test(tc, fullest_chunk_is_used_first);
    tcase_add_test(tc, machines_do_not_mix_in_a_chunk_while_there_is_room);
    tcase_add_test(tc, full_arena_lends_from_other_machines_chunks);
    tcase_add_test(tc, machine_with_lent_pages_ends);
    tcase_add_test(tc, lender_ends_first);
    tcase_add_test(tc, bad_frees_are_refused_whole);
    tcase_add_test(tc, freeing_more_than_the_account_holds_is_refused);
    tcase_add_test(tc, page_of_a_released_chunk_is_unknown);
    tcase_add_test(tc, released_chunk_is_zero_and_known_zero_again);
    tcase_add_test(tc, arena_can_be_filled_and_emptied_again_and_again);
    tcase_add_test(tc, machine_end_counts_what_was_left);
    tcase_add_test(tc, clean_end_leaves_nothing);
    tcase_add_test(tc, guest_frame_is_remembered);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("gmm");

    suite_add_tcase(suite, page_case());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
