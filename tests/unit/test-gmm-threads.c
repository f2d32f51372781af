/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several machines in one process: each thread lives with a machine of its own, all take
 * references to one shared page, share by content, press each other for pages, and one thread
 * watches. Meant for ThreadSanitizer too.
 */
#include "memsys/gmm-internal.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define N_THREADS 4
#define N_LAPS 200
#define N_PAGES 300

static Gmm *gmm;
static PageId common; /* a shared page; set before the threads start */

typedef struct Worker {
    pthread_t thread;
    unsigned n_failures;
} Worker;

/* The first word of each page names its owner: a page handed out twice would show. */
static unsigned use_pages(GmmVm *vm, uint64_t tag)
{
    GmmHandyPage pages[N_PAGES];
    PageId ids[N_PAGES];
    unsigned n_failures = 0;

    if (gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, N_PAGES, pages) != MEM_OK) {
        return 1;
    }
    for (unsigned i = 0; i < N_PAGES; i++) {
        uint64_t *word = (void *)(gmm_arena(gmm) + pages[i].id * MEM_PAGE_SIZE);

        n_failures += pages[i].zeroed && *word != 0;
        *word = tag + i;
        ids[i] = pages[i].id;
    }
    for (unsigned i = 0; i < N_PAGES; i++) {
        const uint64_t *word = (const void *)(gmm_arena(gmm) + pages[i].id * MEM_PAGE_SIZE);

        n_failures += *word != tag + i;
    }
    n_failures += gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, N_PAGES) != MEM_OK;
    return n_failures;
}

static void *run_machine(void *user)
{
    Worker *worker = user;
    GmmReservation want = { { N_PAGES + 1, 0, 600 } };

    for (unsigned lap = 0; lap < N_LAPS; lap++) {
        GmmVm *vm = gmm_vm_new(gmm, "worker");
        PageId run;

        worker->n_failures += gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT) != MEM_OK;
        worker->n_failures += gmm_vm_ref_shared(vm, common) != MEM_OK;
        worker->n_failures += use_pages(vm, (uint64_t)(uintptr_t)worker << 16);
        worker->n_failures += gmm_vm_alloc_run(vm, 600, &run) != MEM_OK;
        worker->n_failures += gmm_vm_free_run(vm, run, 600) != MEM_OK;
        worker->n_failures += gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, &common, 1) != MEM_OK;
        worker->n_failures += gmm_vm_free(vm) != 0;
    }
    return NULL;
}

START_TEST(machines_run_in_parallel)
{
    GmmReservation want = { { 1, 0, 0 } };
    Worker workers[N_THREADS] = { 0 };
    GmmHandyPage page;
    GmmStats stats;

    gmm = gmm_new(64 << 20, NULL);
    GmmVm *keeper = gmm_vm_new(gmm, "keeper");
    ck_assert_int_eq(gmm_vm_reserve(keeper, &want, GMM_OVERCOMMIT), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(keeper, GMM_ACCOUNT_BASE, 1, &page), MEM_OK);
    common = page.id;
    ck_assert_int_eq(gmm_vm_share_page(keeper, common), MEM_OK);

    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, run_machine, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
        gmm_get_stats(gmm, &stats);
        ck_assert_uint_le(stats.n_vms, N_THREADS + 1);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_uint_eq(workers[i].n_failures, 0);
    }

    gmm_get_stats(gmm, &stats);
    ck_assert_uint_eq(stats.allocated, 1);
    ck_assert_uint_eq(stats.duplicates, 0);
    ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
    ck_assert_uint_eq(gmm_vm_free(keeper), 1);
    gmm_free(gmm);
}
END_TEST

/* ---- sharing by content */
#define N_KINDS 40

/* Offers a page of that kind until it is shared or stays alone; returns the page held then. */
static PageId offer(GmmVm *vm, unsigned kind, unsigned *n_failures)
{
    GmmShareResult result = GMM_SHARE_NOTED;
    GmmHandyPage page;
    PageId twin = 0;

    *n_failures += gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, &page) != MEM_OK;
    uint8_t *bytes = gmm_arena(gmm) + page.id * MEM_PAGE_SIZE;

    memset(bytes, (int)kind + 1, MEM_PAGE_SIZE);
    uint64_t hash = XXH3_64bits(bytes, MEM_PAGE_SIZE);

    *n_failures += gmm_vm_share_offer(vm, page.id, hash, &result, &twin) != MEM_OK;
    if (result != GMM_SHARE_MERGED) {
        return page.id;
    }
    *n_failures += gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, &page.id, 1) != MEM_OK;
    bytes = gmm_arena(gmm) + twin * MEM_PAGE_SIZE;
    *n_failures += bytes[0] != kind + 1 || bytes[MEM_PAGE_SIZE - 1] != kind + 1;
    return twin;
}

static void *share_pages(void *user)
{
    Worker *worker = user;
    GmmReservation want = { { N_KINDS + 2, 0, 0 } };
    GmmVm *vm = gmm_vm_new(gmm, "sharer");
    PageId held[N_KINDS];

    worker->n_failures += gmm_vm_reserve(vm, &want, GMM_OVERCOMMIT) != MEM_OK;
    for (unsigned lap = 0; lap < N_LAPS; lap++) {
        for (unsigned i = 0; i < N_KINDS; i++) {
            held[i] = offer(vm, i, &worker->n_failures);
        }
        for (unsigned i = 0; i < N_KINDS; i += 5) {
            /* Private again, and written: nobody may find it by its old bytes. */
            if (gmm_vm_unshare_page(vm, held[i]) == MEM_OK) {
                gmm_arena(gmm)[held[i] * MEM_PAGE_SIZE] = 0xee;
            }
        }
        worker->n_failures += gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, held, N_KINDS) != MEM_OK;
    }
    worker->n_failures += gmm_vm_free(vm) != 0;
    return NULL;
}

static void run_workers(void *(*work)(void *), unsigned n_checks)
{
    Worker workers[N_THREADS] = { 0 };

    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < n_checks; i++) {
        ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_uint_eq(workers[i].n_failures, 0);
    }
}

START_TEST(machines_share_by_content_in_parallel)
{
    GmmReservation want = { { N_KINDS, 0, 0 } };
    uint8_t image[MEM_PAGE_SIZE];
    GmmStats stats;
    PageId id;

    gmm = gmm_new(64 << 20, NULL);
    /* Half of the kinds are there whoever runs when; the others come and go. */
    GmmVm *keeper = gmm_vm_new(gmm, "keeper");

    ck_assert_int_eq(gmm_vm_reserve(keeper, &want, GMM_OVERCOMMIT), MEM_OK);
    for (unsigned i = 0; i < N_KINDS; i += 2) {
        memset(image, (int)i + 1, sizeof(image));
        ck_assert_int_eq(gmm_vm_share_image(keeper, image, &id), MEM_OK);
    }
    run_workers(share_pages, 20);
    gmm_get_stats(gmm, &stats);
    ck_assert_uint_eq(stats.allocated, N_KINDS / 2);
    ck_assert_uint_eq(stats.duplicates, 0);
    ck_assert_uint_eq(gmm_vm_free(keeper), N_KINDS / 2);
    ck_assert_uint_gt(stats.share_merged, 0);
    ck_assert_uint_eq(gmm->content.n_pages, 0);
    gmm_free(gmm);
}
END_TEST

/* ---- pressure */
#define STOCK_MAX 60

/* What a machine could give back; any thread may come for it. */
typedef struct Stock {
    GmmVm *vm;
    pthread_mutex_t lock;
    PageId ids[STOCK_MAX];
    uint32_t n;
    unsigned n_failures;
} Stock;

static uint64_t give_from_stock(GmmVm *vm, uint64_t n_wanted, void *user)
{
    Stock *stock = user;
    GmmHandyPage page;

    /* An allocation in here asks nobody: else this would come back and wait for itself. */
    pthread_mutex_lock(&stock->lock);
    uint32_t n = (uint32_t)MIN(n_wanted, stock->n);

    if (gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, &page) == MEM_OK) {
        stock->n_failures += gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, &page.id, 1) != MEM_OK;
    }
    stock->n -= n;
    stock->n_failures +=
        gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, stock->ids + stock->n, n) != MEM_OK;
    pthread_mutex_unlock(&stock->lock);
    return n;
}

static void fill_stock(Stock *stock)
{
    for (unsigned i = 0; i < 20; i++) {
        GmmHandyPage pages[10];

        if (gmm_vm_alloc(stock->vm, GMM_ACCOUNT_BASE, 10, pages) != MEM_OK) {
            continue;
        }
        pthread_mutex_lock(&stock->lock);
        for (unsigned k = 0; k < 10; k++) {
            if (stock->n == STOCK_MAX) {
                stock->n--;
                stock->n_failures += gmm_vm_free_pages(stock->vm, GMM_ACCOUNT_BASE,
                                                       &stock->ids[stock->n], 1) != MEM_OK;
            }
            stock->ids[stock->n++] = pages[k].id;
        }
        pthread_mutex_unlock(&stock->lock);
    }
}

static void *press(void *user)
{
    Worker *worker = user;
    GmmReservation want = { { 1000, 0, 0 } };

    for (unsigned lap = 0; lap < N_LAPS / 4; lap++) {
        Stock stock = { .vm = gmm_vm_new(gmm, "presser") };

        pthread_mutex_init(&stock.lock, NULL);
        worker->n_failures += gmm_vm_reserve(stock.vm, &want, GMM_OVERCOMMIT) != MEM_OK;
        gmm_vm_set_balloon_func(stock.vm, give_from_stock, &stock);
        fill_stock(&stock);
        /* Ends with pages and while others may be asking it. */
        gmm_vm_free(stock.vm);
        worker->n_failures += stock.n_failures;
        pthread_mutex_destroy(&stock.lock);
    }
    return NULL;
}

START_TEST(machines_press_each_other_in_parallel)
{
    GmmStats stats;

    gmm = gmm_new(64 << 20, NULL);
    gmm_set_limit(gmm, STOCK_MAX - 10); /* less than one machine wants */
    run_workers(press, 20);
    gmm_get_stats(gmm, &stats);
    ck_assert_uint_eq(stats.allocated, 0);
    ck_assert_uint_gt(stats.balloon_calls, 0);
    gmm_free(gmm);
}
END_TEST

/* ---- work */
static uint64_t do_work(void *user, GmmWork work, uint64_t n_pages)
{
    GmmVm **vm = user;
    PageId ids[8];
    GPhys gpas[8];

    return work == GMM_WORK_COMPACT ? gmm_vm_sparse_pages(*vm, 8, ids, gpas) : n_pages;
}

static void *come_and_go(void *user)
{
    static const GmmVmOps ops = { .work = do_work };
    Worker *worker = user;

    for (unsigned lap = 0; lap < 10 * N_LAPS; lap++) {
        GmmVm *vm = gmm_vm_new(gmm, "taker"), *user_data = vm;

        gmm_vm_set_ops(vm, &ops, &user_data);
        gmm_share_scan(gmm, 1000);
        if (lap % 2 == 0) {
            gmm_vm_set_ops(vm, NULL, NULL);
            user_data = NULL; /* nobody may be in do_work() any more */
        }
        worker->n_failures += gmm_vm_free(vm) != 0;
    }
    return NULL;
}

START_TEST(machines_come_and_go_while_work_is_dealt_out)
{
    gmm = gmm_new(64 << 20, NULL);
    Worker workers[N_THREADS] = { 0 };

    for (unsigned i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, come_and_go, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 500; i++) {
        gmm_compact(gmm, 1000);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_uint_eq(workers[i].n_failures, 0);
    }
    gmm_free(gmm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-threads");
    TCase *tc = tcase_create("threads");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, machines_run_in_parallel);
    tcase_add_test(tc, machines_share_by_content_in_parallel);
    tcase_add_test(tc, machines_press_each_other_in_parallel);
    tcase_add_test(tc, machines_come_and_go_while_work_is_dealt_out);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
