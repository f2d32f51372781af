/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several machines in one process: each thread lives with a machine of its own, all take
 * references to one shared page, and one thread watches. Meant for ThreadSanitizer too.
 */
#include "memsys/gmm.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

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

int main(void)
{
    Suite *suite = suite_create("gmm-threads");
    TCase *tc = tcase_create("threads");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, machines_run_in_parallel);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
