/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator as its callers see it: arena, reservations, allocation, freeing, chunks.
 */
#include "tests/unit/gmm-fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

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

/* ---- allocation */
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
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("gmm");
    TCase *tc = tcase_create("arena");

    tcase_add_test(tc, default_arena_is_1_tib_or_what_the_host_allows);
    tcase_add_loop_test(tc, arena_size_is_rounded_up_to_chunks, 0, G_N_ELEMENTS(arena_sizes));
    tcase_add_test(tc, limit_starts_as_the_hosts_available_memory);
    tcase_add_test(tc, limit_of_a_silent_host_is_the_arena);
    tcase_add_test(tc, free_takes_null);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, bare_case());
    suite_add_tcase(suite, page_case());
    suite_add_tcase(suite, run_and_share_case());

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
