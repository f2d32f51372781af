/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Budgets dealt out to machines, and compaction: which pages are offered, where they go, and that
 * it comes to an end.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* ---- dealing out */
typedef struct Taker {
    GmmVm *vm;
    uint64_t asked[GMM_N_WORKS]; /* sum of budgets */
    unsigned n_calls;
    uint64_t does; /* pages at most; GMM_WORK_DECLINED: refuses */
} Taker;

static Taker takers[3];

static uint64_t work(void *user, GmmWork kind, uint64_t n_pages)
{
    Taker *taker = user;

    taker->n_calls++;
    gmm_get_stats(gmm, &(GmmStats) { 0 }); /* no lock is held */
    if (taker->does == GMM_WORK_DECLINED) {
        return GMM_WORK_DECLINED;
    }
    taker->asked[kind] += n_pages;
    return MIN(taker->does, n_pages);
}

static const GmmVmOps ops = { .work = work };

static void setup_takers(void)
{
    setup();
    for (unsigned i = 0; i < G_N_ELEMENTS(takers); i++) {
        takers[i] = (Taker) { .vm = gmm_vm_new(gmm, "taker"), .does = UINT32_MAX };
        gmm_vm_set_ops(takers[i].vm, &ops, &takers[i]);
    }
}

static void teardown_takers(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(takers); i++) {
        gmm_vm_free(takers[i].vm);
    }
    teardown();
}

START_TEST(budget_is_shared)
{
    ck_assert_uint_eq(gmm_share_scan(gmm, 3000), 3000);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(takers[i].asked[GMM_WORK_SHARE], 1000);
        ck_assert_uint_eq(takers[i].asked[GMM_WORK_COMPACT], 0);
    }
    takers[1].does = 0; /* queues it */
    ck_assert_uint_eq(gmm_compact(gmm, 3001), 2001);
    ck_assert_uint_eq(takers[0].asked[GMM_WORK_COMPACT] + takers[1].asked[GMM_WORK_COMPACT] +
                          takers[2].asked[GMM_WORK_COMPACT],
                      3001);
    ck_assert_uint_eq(gmm_compact(gmm, 0), 0);
    ck_assert_uint_eq(takers[0].n_calls, 2);
}
END_TEST

START_TEST(small_budgets_come_round_to_all)
{
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(gmm_share_scan(gmm, 10), 10);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(takers[i].asked[GMM_WORK_SHARE], 20);
    }
}
END_TEST

START_TEST(who_declines_costs_nothing)
{
    takers[0].does = GMM_WORK_DECLINED;
    ck_assert_uint_eq(gmm_share_scan(gmm, 1000), 1000);
    ck_assert_uint_eq(takers[1].asked[GMM_WORK_SHARE], 500);
    ck_assert_uint_eq(takers[2].asked[GMM_WORK_SHARE], 500);
    for (unsigned i = 0; i < 3; i++) {
        gmm_vm_set_ops(takers[i].vm, NULL, NULL);
    }
    ck_assert_uint_eq(gmm_share_scan(gmm, 1000), 0);
}
END_TEST

/* ---- compaction */

/* @n pages of BASE in chunks of their own, each with a guest frame and its id as content. */
static void take_framed(uint32_t n)
{
    take(vm, n);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(gmm_page_bytes(gmm, pages[i].id), &i, sizeof(i));
        ck_assert_int_eq(gmm_vm_set_guest_frame(vm, pages[i].id, i * MEM_PAGE_SIZE), MEM_OK);
    }
}

/* As PGM does it: the guest's page gpa / 4096 is pages[] of that index. Returns pages moved. */
static unsigned compact(uint32_t max)
{
    PageId ids[64], to;
    GPhys gpas[64];
    unsigned n_moved = 0;
    uint32_t n;

    while ((n = gmm_vm_sparse_pages(vm, MIN(max, 64), ids, gpas)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t index = (uint32_t)(gpas[i] / MEM_PAGE_SIZE);

            if (pages[index].id == ids[i] && gmm_vm_move_page(vm, ids[i], &to) == MEM_OK) {
                pages[index].id = to;
                n_moved++;
            }
        }
    }
    return n_moved;
}

static void check_contents(uint32_t n, uint32_t step)
{
    for (uint32_t i = 0; i < n; i += step) {
        GmmPageState state;
        GmmVm *owner;
        GPhys gpa;
        uint32_t refs;

        ck_assert_mem_eq(gmm_page_bytes(gmm, pages[i].id), &i, sizeof(i));
        ck_assert(gmm_page_query(gmm, pages[i].id, &state, &owner, &gpa, &refs));
        ck_assert_int_eq(state, GMM_PAGE_PRIVATE);
        ck_assert_ptr_eq(owner, vm);
        ck_assert_uint_eq(gpa, i * MEM_PAGE_SIZE);
    }
}

/* Keeps one page in @step of those in @n_chunks chunks. */
static void thin_out(uint32_t n_chunks, uint32_t step)
{
    take_framed(n_chunks * MEM_CHUNK_PAGES);
    for (uint32_t i = 0; i < n_chunks * MEM_CHUNK_PAGES; i++) {
        if (i % step != 0) {
            ck_assert_int_eq(give_back(vm, pages[i].id), MEM_OK);
        }
    }
}

START_TEST(sparse_chunks_are_emptied)
{
    GmmReservation want = { { 512, 1000, N_USABLE } };

    thin_out(8, 8);
    ck_assert_uint_eq(stats().n_chunks, 8);
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK); /* no room for copies */
    ck_assert_uint_ge(compact(7), 7 * 64);
    check_sound();
    check_contents(8 * MEM_CHUNK_PAGES, 8);
    ck_assert_uint_eq(stats().n_chunks - gmm->spare.n, 1);
    ck_assert_uint_eq(stats().n_freed_chunks, 5);
    ck_assert_uint_ge(stats().moved, 7 * 64);
    ck_assert_uint_eq(vm_stats(vm).private_pages, 8 * 64);
    ck_assert_uint_eq(compact(64), 0);
}
END_TEST

START_TEST(sparsest_chunk_goes_first)
{
    PageId ids[2];
    GPhys gpas[2];

    take_framed(3 * MEM_CHUNK_PAGES);
    for (uint32_t i = 0; i < 3 * MEM_CHUNK_PAGES; i++) {
        uint32_t in = i % MEM_CHUNK_PAGES;

        if (i / MEM_CHUNK_PAGES == 1 ? in >= 10 : in >= 100) {
            ck_assert_int_eq(give_back(vm, pages[i].id), MEM_OK);
        }
    }
    uint32_t sparsest = pages[MEM_CHUNK_PAGES].id / MEM_CHUNK_PAGES;

    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(gmm_vm_sparse_pages(vm, 2, ids, gpas), 2);
        ck_assert_uint_eq(ids[0] / MEM_CHUNK_PAGES, sparsest);
        ck_assert_uint_eq(gpas[1], (MEM_CHUNK_PAGES + 2 * i + 1) * MEM_PAGE_SIZE);
    }
    ck_assert_uint_eq(gmm_vm_sparse_pages(vm, 2, ids, gpas), 2);
    ck_assert_uint_ne(ids[0] / MEM_CHUNK_PAGES, sparsest);
    ck_assert_uint_eq(gmm_vm_sparse_pages(vm, 0, ids, gpas), 0);
}
END_TEST

START_TEST(nothing_is_moved_where_no_chunk_would_go)
{
    take_framed(3 * MEM_CHUNK_PAGES);
    for (uint32_t i = 0; i < 511; i++) {
        ck_assert_int_eq(give_back(vm, pages[(i % 3) * MEM_CHUNK_PAGES + i / 3].id), MEM_OK);
        pages[(i % 3) * MEM_CHUNK_PAGES + i / 3].id = 0;
    }
    ck_assert_uint_eq(vm->set.n_free, 511);
    ck_assert_uint_eq(compact(64), 0);
    ck_assert_int_eq(give_back(vm, pages[511].id), MEM_OK);
    pages[511].id = 0;
    ck_assert_uint_gt(compact(64), 0);
    ck_assert_uint_eq(gmm->spare.n, 1);
}
END_TEST

START_TEST(chunks_with_pages_that_stay_are_left_alone)
{
    uint32_t chunk = 0;
    GmmHandyPage placed;

    thin_out(4, 128);
    /* One shared page, one of a snapshot, one without a frame; in the fourth all may move. */
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[0].id), MEM_OK);
    ck_assert_int_eq(
        gmm_vm_recharge(vm, pages[MEM_CHUNK_PAGES].id, GMM_ACCOUNT_BASE, GMM_ACCOUNT_SHADOW),
        MEM_OK);
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, pages[2 * MEM_CHUNK_PAGES].id, MEM_GPHYS_NIL),
                     MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_placed(vm, &chunk, 5, &placed), MEM_OK);
    ck_assert_int_eq(gmm_vm_set_guest_frame(vm, placed.id, 0), MEM_OK);
    uint32_t last = pages[3 * MEM_CHUNK_PAGES].id / MEM_CHUNK_PAGES;

    ck_assert_uint_eq(compact(64), 4);
    ck_assert_uint_eq(gmm->chunks[last].kind, GMM_CHUNK_SPARE);
    check_sound();
    ck_assert(gmm_chunk_is_placed(vm, chunk));
    PageId id = pages[MEM_CHUNK_PAGES].id;

    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_SHADOW, &id, 1), MEM_OK);
}
END_TEST

START_TEST(compaction_ends_though_locked_pages_stay)
{
    PageId ids[64], to;
    GPhys gpas[64];
    unsigned n_rounds = 0, n_moved;

    thin_out(6, 32);
    do {
        uint32_t n;

        n_moved = 0;
        while ((n = gmm_vm_sparse_pages(vm, 64, ids, gpas)) > 0) {
            for (uint32_t i = 0; i < n; i++) {
                uint32_t index = (uint32_t)(gpas[i] / MEM_PAGE_SIZE);

                /* The first page of each chunk's sixteen is locked. */
                if (index % MEM_CHUNK_PAGES != 0 && gmm_vm_move_page(vm, ids[i], &to) == MEM_OK) {
                    pages[index].id = to;
                    n_moved++;
                }
            }
        }
        n_rounds++;
        check_sound();
    } while (n_moved > 0 && n_rounds < 100);
    ck_assert_uint_lt(n_rounds, 10);
    check_contents(6 * MEM_CHUNK_PAGES, 32);
}
END_TEST

START_TEST(bad_moves_are_refused)
{
    PageId run, to = 77;

    take_framed(2);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_move_page(vm, 0, &to), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_move_page(other, pages[0].id, &to), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_move_page(vm, run, &to), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_move_page(vm, pages[0].id, &to), MEM_ERR_LIMIT_REACHED);
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[0].id), MEM_OK);
    ck_assert_int_eq(gmm_vm_move_page(vm, pages[0].id, &to), MEM_ERR_PAGE_NOT_PRIVATE);
    ck_assert_uint_eq(to, 77);
    ck_assert_uint_eq(stats().moved, 0);
}
END_TEST

START_TEST(page_comes_home_from_a_chunk_of_another)
{
    PageId to;

    /* A shared page of the other's that is this machine's alone now. */
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 2, pages), MEM_OK);
    PageId id = pages[0].id;

    ck_assert_int_eq(gmm_vm_share_page(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, id), MEM_OK);
    ck_assert_int_eq(give_back(other, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, id), MEM_OK);
    ck_assert_uint_eq(vm->n_foreign, 1);
    take(vm, 300);
    ck_assert_int_eq(gmm_vm_move_page(vm, id, &to), MEM_OK);
    ck_assert_uint_eq(vm->n_foreign, 0);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-work");
    TCase *dealing = tcase_create("dealing"), *moving = tcase_create("moving");

    tcase_add_checked_fixture(dealing, setup_takers, teardown_takers);
    tcase_add_test(dealing, budget_is_shared);
    tcase_add_test(dealing, small_budgets_come_round_to_all);
    tcase_add_test(dealing, who_declines_costs_nothing);
    suite_add_tcase(suite, dealing);

    tcase_add_checked_fixture(moving, setup, teardown);
    tcase_add_test(moving, sparse_chunks_are_emptied);
    tcase_add_test(moving, sparsest_chunk_goes_first);
    tcase_add_test(moving, nothing_is_moved_where_no_chunk_would_go);
    tcase_add_test(moving, chunks_with_pages_that_stay_are_left_alone);
    tcase_add_test(moving, compaction_ends_though_locked_pages_stay);
    tcase_add_test(moving, bad_moves_are_refused);
    tcase_add_test(moving, page_comes_home_from_a_chunk_of_another);
    suite_add_tcase(suite, moving);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
