/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator as its callers see it: arena, limits, reservations and promises.
 */
#include "tests/unit/gmm-fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* ---- arena and limits */
START_TEST(default_arena_is_1_tib_or_what_the_host_allows)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Gmm) made = gmm_new(0, &error);

    ck_assert_ptr_nonnull(made);
    ck_assert_uint_eq(gmm_arena_size(made), MIN(UINT64_C(1) << 40, mem_os_host()->largest_arena()));
}
END_TEST

static const struct {
    uint64_t asked, got;
} arena_sizes[] = {
    { 1, 2 * MEM_CHUNK_SIZE },
    { 3 * MEM_CHUNK_SIZE, 3 * MEM_CHUNK_SIZE },
    { 3 * MEM_CHUNK_SIZE + 1, 4 * MEM_CHUNK_SIZE },
    { 4 * MEM_CHUNK_SIZE - 1, 4 * MEM_CHUNK_SIZE },
};

START_TEST(arena_size_is_rounded_up_to_chunks)
{
    g_autoptr(Gmm) made = gmm_new(arena_sizes[_i].asked, NULL);

    ck_assert_uint_eq(gmm_arena_size(made), arena_sizes[_i].got);
    ck_assert_uint_eq((uintptr_t)gmm_arena(made) % MEM_CHUNK_SIZE, 0);
}
END_TEST

START_TEST(zero_page_reads_zero)
{
    static const uint8_t zeros[MEM_PAGE_SIZE];

    ck_assert_mem_eq(gmm_arena(gmm), zeros, MEM_PAGE_SIZE);
}
END_TEST

/* What the host lets us do with the byte at @addr, as in /proc/self/maps: "r--p". */
static void get_access(const void *addr, char ret_access[5])
{
    g_autofree char *maps = NULL;

    ck_assert(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(maps, "\n", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        uintptr_t start, end;

        if (sscanf(lines[i], "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, ret_access) == 3 &&
            (uintptr_t)addr >= start && (uintptr_t)addr < end) {
            return;
        }
    }
    ck_abort_msg("%p is not mapped", addr);
}

START_TEST(zero_page_cannot_be_written_and_its_neighbours_not_even_read)
{
    char access[5];

    get_access(gmm_arena(gmm), access);
    ck_assert_str_eq(access, "r--p");
    get_access(gmm_arena(gmm) + MEM_PAGE_SIZE, access);
    ck_assert_str_eq(access, "---p");
    get_access(gmm_arena(gmm) + MEM_CHUNK_SIZE, access);
    ck_assert_str_eq(access, "---p"); /* not committed */
    reserve(vm, 1, 0, 0);
    take(vm, 1);
    get_access(gmm_arena(gmm) + MEM_CHUNK_SIZE, access);
    ck_assert_str_eq(access, "rw-p");
}
END_TEST

START_TEST(limit_starts_as_the_hosts_available_memory)
{
    g_autoptr(Gmm) made = gmm_new_on(fake_os_new(7777 * MEM_PAGE_SIZE), ARENA_SIZE, NULL);
    GmmStats got;

    gmm_get_stats(made, &got);
    ck_assert_uint_eq(got.max, 7777);
}
END_TEST

START_TEST(limit_of_a_silent_host_is_the_arena)
{
    g_autoptr(Gmm) made = gmm_new_on(fake_os_new(0), ARENA_SIZE, NULL);
    GmmStats got;

    gmm_get_stats(made, &got);
    ck_assert_uint_eq(got.max, ARENA_CHUNKS * MEM_CHUNK_PAGES);
}
END_TEST

START_TEST(free_takes_null)
{
    gmm_free(NULL);
    ck_assert_uint_eq(gmm_vm_free(NULL), 0);
}
END_TEST

START_TEST(free_with_a_machine_left_aborts)
{
    gmm_free(gmm);
}
END_TEST

/* ---- reservations */
START_TEST(reservation_is_made_once)
{
    GmmReservation want = { { 5, 6, 7 } };

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_ERR_WRONG_ORDER);
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT), MEM_OK);
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT), MEM_ERR_WRONG_ORDER);
    ck_assert_uint_eq(stats().reserved, 18);
    ck_assert_uint_eq(stats().n_vms, 2);

    want.n_pages[1] = 100;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_uint_eq(stats().reserved, 112);
    GmmVmStats got = vm_stats(vm);
    ck_assert_mem_eq(&got.reserved, &want, sizeof(want));
}
END_TEST

START_TEST(nothing_is_allocated_without_a_reservation)
{
    PageId run = 77;

    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_uint_eq(run, 77);
}
END_TEST

START_TEST(absurd_reservation_is_declined)
{
    GmmReservation want = { { UINT64_MAX, 0, 0 } };

    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT), MEM_ERR_DECLINED);
    want = (GmmReservation) { { UINT64_C(1) << 40, 1, 0 } };
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT), MEM_ERR_DECLINED);
    ck_assert_uint_eq(stats().reserved, 0);
    want.n_pages[1] = 0;
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT), MEM_OK);
}
END_TEST

START_TEST(no_overcommit_declines_what_does_not_fit)
{
    GmmReservation want = { { 60, 20, 21 } };

    gmm_set_limit(gmm, 100);
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_NO_OVERCOMMIT), MEM_ERR_DECLINED);
    ck_assert_uint_eq(stats().reserved, 0);
    want.n_pages[2] = 20;
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_NO_OVERCOMMIT), MEM_OK);

    GmmReservation one = { { 1, 0, 0 } };
    ck_assert_int_eq(gmm_vm_reserve(other, &one, GMM_NO_OVERCOMMIT), MEM_ERR_DECLINED);
    want.n_pages[2] = 21;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_ERR_DECLINED);
    want.n_pages[2] = 19;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_reserve(other, &one, GMM_NO_OVERCOMMIT), MEM_OK);
}
END_TEST

START_TEST(shrinking_is_never_declined)
{
    GmmReservation want = { { 60, 0, 0 } };

    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    gmm_set_limit(gmm, 10);
    want.n_pages[0] = 50;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    want.n_pages[0] = 51;
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_ERR_DECLINED);
}
END_TEST

START_TEST(promised_pages_are_kept_for_who_reserved_them)
{
    GmmReservation want = { { 60, 0, 0 } };

    gmm_set_limit(gmm, 100);
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    reserve(other, 1000, 0, 0);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 41, pages), MEM_ERR_GLOBAL_LIMIT);
    take(vm, 30); /* keeps part of the promise, changes nothing for the other */
    check_sound();
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 41, pages), MEM_ERR_GLOBAL_LIMIT);
    take(other, 40);
    take(vm, 30);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(stats().allocated, 100);
    ck_assert_uint_eq(gmm_vm_free(vm), 60);
    take(other, 60); /* the promise ended with its machine */
    vm = NULL;
}
END_TEST

START_TEST(overcommit_accepts_more_than_there_is)
{
    gmm_set_limit(gmm, 10);
    reserve(vm, UINT64_C(1) << 28, 0, 0); /* 1 TiB */
    take(vm, 10);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    gmm_set_limit(gmm, 11);
    take(vm, 1);
    gmm_set_limit(gmm, 5); /* below what is held: only stops */
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(stats().allocated, 11);
}
END_TEST

START_TEST(sharing_of_a_guaranteed_machine_keeps_its_promise)
{
    GmmReservation want = { { 10, 0, 0 } };

    gmm_set_limit(gmm, 20);
    ck_assert_int_eq(gmm_vm_reserve(vm, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    reserve(other, 100, 0, 0);
    take(vm, 10);
    PageId id = pages[0].id;
    ck_assert_int_eq(gmm_vm_share_page(vm, id), MEM_OK);
    check_sound();
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    /* When vm gives up its reference it has room for a page of its own: that page is kept for it.
     */
    ck_assert_int_eq(give_back(vm, id), MEM_OK);
    take(other, 9);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    take(vm, 1);
    check_sound();
}
END_TEST

static TCase *arena_case(void)
{
    TCase *tc = tcase_create("arena");

    tcase_add_test(tc, default_arena_is_1_tib_or_what_the_host_allows);
    tcase_add_loop_test(tc, arena_size_is_rounded_up_to_chunks, 0, G_N_ELEMENTS(arena_sizes));
    tcase_add_test(tc, limit_starts_as_the_hosts_available_memory);
    tcase_add_test(tc, limit_of_a_silent_host_is_the_arena);
    tcase_add_test(tc, free_takes_null);
    return tc;
}

static TCase *bare_case(void)
{
    TCase *tc = tcase_create("reservations");

    tcase_add_checked_fixture(tc, setup_bare, teardown);
    tcase_add_test(tc, zero_page_reads_zero);
    tcase_add_test_raise_signal(tc, free_with_a_machine_left_aborts, SIGABRT);
    tcase_add_test(tc, reservation_is_made_once);
    tcase_add_test(tc, nothing_is_allocated_without_a_reservation);
    tcase_add_test(tc, absurd_reservation_is_declined);
    tcase_add_test(tc, no_overcommit_declines_what_does_not_fit);
    tcase_add_test(tc, shrinking_is_never_declined);
    tcase_add_test(tc, promised_pages_are_kept_for_who_reserved_them);
    tcase_add_test(tc, overcommit_accepts_more_than_there_is);
    tcase_add_test(tc, sharing_of_a_guaranteed_machine_keeps_its_promise);
    tcase_add_test(tc, zero_page_cannot_be_written_and_its_neighbours_not_even_read);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("gmm-reserve");

    suite_add_tcase(suite, arena_case());
    suite_add_tcase(suite, bare_case());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
