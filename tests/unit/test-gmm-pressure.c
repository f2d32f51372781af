/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ballooned pages, and who is asked for pages when there are none: in what order, how often, for
 * how many; and who is not.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* ---- balloon quota */
START_TEST(ballooned_pages_cannot_be_taken_again)
{
    GmmReservation want = { { 10, 0, 0 } };
    GmmVm *small = gmm_vm_new(gmm, "small");

    ck_assert_int_eq(gmm_vm_reserve(small, &want, GMM_OVERCOMMIT), MEM_OK);
    take(small, 6);
    ck_assert_int_eq(gmm_vm_balloon(small, 5), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_balloon(small, 4), MEM_OK);
    ck_assert_uint_eq(stats().ballooned, 4);
    ck_assert_uint_eq(vm_stats(small).ballooned_pages, 4);
    ck_assert_int_eq(gmm_vm_alloc(small, GMM_ACCOUNT_BASE, 1, pages + 6), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_ref_shared(small, pages[0].id), MEM_ERR_PAGE_NOT_SHARED);
    check_sound();
    ck_assert_int_eq(gmm_vm_balloon(small, -5), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_balloon(small, INT64_MIN), MEM_ERR_FREE_TOO_MUCH);
    ck_assert_int_eq(gmm_vm_balloon(small, INT64_MAX), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_balloon(small, -1), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(small, GMM_ACCOUNT_BASE, 1, pages + 6), MEM_OK);
    ck_assert_int_eq(gmm_vm_balloon(small, 0), MEM_OK);
    ck_assert_uint_eq(stats().ballooned, 3);
    check_sound();
    ck_assert_uint_eq(gmm_vm_free(small), 7);
    ck_assert_uint_eq(stats().ballooned, 0);
}
END_TEST

START_TEST(what_is_promised_stays_promised_when_ballooned)
{
    GmmReservation want = { { 100, 0, 0 } };
    GmmVm *strict = gmm_vm_new(gmm, "strict");

    gmm_set_limit(gmm, 150);
    ck_assert_int_eq(gmm_vm_reserve(strict, &want, GMM_NO_OVERCOMMIT), MEM_OK);
    ck_assert_int_eq(gmm_vm_balloon(strict, 60), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 51, pages), MEM_ERR_GLOBAL_LIMIT);
    take(vm, 50);
    ck_assert_int_eq(gmm_vm_balloon(strict, -60), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(strict, GMM_ACCOUNT_BASE, 100, pages), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(strict), 100);
}
END_TEST

START_TEST(priority_is_normal_until_set)
{
    ck_assert_int_eq(gmm_vm_priority(vm), GMM_PRIORITY_NORMAL);
    gmm_vm_set_priority(vm, GMM_PRIORITY_HIGH);
    ck_assert_int_eq(gmm_vm_priority(vm), GMM_PRIORITY_HIGH);
    ck_assert_int_eq(gmm_vm_priority(other), GMM_PRIORITY_NORMAL);
}
END_TEST

/* ---- asking */

/* A machine with pages to give. */
typedef struct Giver {
    GmmVm *vm;
    PageId ids[64];
    uint32_t n;      /* pages it has */
    uint32_t most;   /* it gives at once */
    uint64_t says;   /* returned instead; 0: the truth */
    uint64_t wanted; /* last asked for */
    unsigned n_asked;
    unsigned turn;    /* when it was last asked, of all */
    MemStatus nested; /* what its own allocation in the callback came to */
    bool allocates;
} Giver;

static Giver givers[4];
static unsigned n_turns;

static uint64_t give(GmmVm *who, uint64_t n_wanted, void *user)
{
    Giver *giver = user;
    uint32_t n = (uint32_t)MIN(MIN(n_wanted, giver->most), giver->n);

    ck_assert_ptr_eq(who, giver->vm);
    giver->wanted = n_wanted;
    giver->n_asked++;
    giver->turn = ++n_turns;
    gmm_get_stats(gmm, &(GmmStats) { 0 }); /* no lock is held */
    if (giver->allocates) {
        GmmHandyPage page;

        giver->nested = gmm_vm_alloc(who, GMM_ACCOUNT_BASE, 1, &page);
    }
    giver->n -= n;
    ck_assert_int_eq(gmm_vm_free_pages(who, GMM_ACCOUNT_BASE, giver->ids + giver->n, n), MEM_OK);
    ck_assert_int_eq(gmm_vm_balloon(who, n), MEM_OK);
    return giver->says != 0 ? giver->says : n;
}

/* Machines with 20 pages each; the limit is reached. */
static void setup_givers(void)
{
    static const GmmPriority priorities[] = { GMM_PRIORITY_HIGH, GMM_PRIORITY_NORMAL,
                                              GMM_PRIORITY_LOW, GMM_PRIORITY_LOW };

    setup();
    n_turns = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(givers); i++) {
        Giver *giver = &givers[i];

        *giver = (Giver) { .vm = gmm_vm_new(gmm, "giver"), .n = 20, .most = 20 };
        reserve(giver->vm, 1000, 0, 0);
        take(giver->vm, 20);
        for (unsigned k = 0; k < 20; k++) {
            giver->ids[k] = pages[k].id;
        }
        gmm_vm_set_priority(giver->vm, priorities[i]);
        gmm_vm_set_balloon_func(giver->vm, give, giver);
    }
    gmm_set_limit(gmm, 80);
}

static void teardown_givers(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(givers); i++) {
        gmm_vm_free(givers[i].vm);
    }
    teardown();
}

START_TEST(one_gives_enough_and_nobody_else_is_asked)
{
    take(vm, 15);
    ck_assert_uint_eq(givers[2].n_asked, 1);
    ck_assert_uint_eq(givers[2].wanted, 15);
    ck_assert_uint_eq(n_turns, 1);
    ck_assert_uint_eq(stats().balloon_calls, 1);
    ck_assert_uint_eq(stats().allocated, 80);
    check_sound();
}
END_TEST

START_TEST(only_what_is_short_is_asked_for)
{
    gmm_set_limit(gmm, 90);
    take(vm, 15);
    ck_assert_uint_eq(givers[2].wanted, 5);
    ck_assert_uint_eq(stats().ballooned, 5);
}
END_TEST

START_TEST(lowest_priority_is_asked_first_and_the_needy_one_last_of_its_own)
{
    gmm_vm_set_priority(givers[2].vm, GMM_PRIORITY_NORMAL);
    /* Needs them itself, is normal, and is older than the other normal one. */
    ck_assert_int_eq(gmm_vm_alloc(givers[1].vm, GMM_ACCOUNT_BASE, 80, pages), MEM_OK);
    ck_assert_uint_eq(givers[3].turn, 1);
    ck_assert_uint_eq(givers[2].turn, 2);
    ck_assert_uint_eq(givers[1].turn, 3);
    ck_assert_uint_eq(givers[0].turn, 4);
    ck_assert_uint_eq(givers[3].wanted, 80);
    ck_assert_uint_eq(givers[0].wanted, 20);
    ck_assert_uint_eq(n_turns, 4);
}
END_TEST

START_TEST(after_one_retry_it_fails_cleanly)
{
    PageId run;
    uint32_t chunk = 0;
    GmmHandyPage page;

    for (unsigned i = 0; i < G_N_ELEMENTS(givers); i++) {
        givers[i].most = 1;
    }
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 5, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(n_turns, 4);
    ck_assert_uint_eq(stats().allocated, 76);
    check_sound();
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 4, pages), MEM_OK);
    ck_assert_uint_eq(n_turns, 4);
    /* The other ways to need pages. */
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 2, &run), MEM_OK);
    ck_assert_uint_eq(n_turns, 6);
    ck_assert_int_eq(gmm_vm_alloc_placed(vm, &chunk, 3, &page), MEM_OK);
    ck_assert_uint_eq(n_turns, 7);
    check_sound();
}
END_TEST

START_TEST(function_that_lies_gains_nothing)
{
    givers[2].most = givers[3].most = 0;
    givers[2].says = UINT64_MAX;
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(n_turns, 1);
    check_sound();
}
END_TEST

START_TEST(balloon_function_that_allocates_asks_nobody)
{
    givers[2].allocates = true;
    take(vm, 15);
    ck_assert_int_eq(givers[2].nested, MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(n_turns, 1);

    /* Its own need, in its own function. */
    givers[3].allocates = true;
    ck_assert_int_eq(gmm_vm_alloc(givers[3].vm, GMM_ACCOUNT_BASE, 3, pages), MEM_OK);
    ck_assert_int_le(n_turns, 3);
    ck_assert_uint_eq(givers[0].n_asked, 0);
}
END_TEST

START_TEST(host_that_refuses_memory_has_pages_given_too)
{
    gmm_set_limit(gmm, PLENTY);
    fake_os_fail(FAKE_PROTECT, 1, 1000);
    /* What the chunks there are can give, and one more. */
    uint32_t n = 0;

    for (unsigned i = 0; i < gmm->vms->len; i++) {
        const GmmVm *each = g_ptr_array_index(gmm->vms, i);

        n += each != NULL ? (uint32_t)each->set.n_free : 0;
    }
    take(vm, n);
    ck_assert_uint_eq(n_turns, 0);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_OK);
    ck_assert_uint_eq(n_turns, 1);
    ck_assert_uint_eq(givers[2].wanted, 1);
    check_sound();
}
END_TEST

START_TEST(other_refusals_ask_nobody)
{
    GmmReservation want = { { 1, 0, 0 } };

    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 2, pages), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 0, pages), MEM_ERR_INVALID_PARAMETER);
    ck_assert_uint_eq(n_turns, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(givers); i++) {
        gmm_vm_set_balloon_func(givers[i].vm, NULL, NULL);
    }
    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_GLOBAL_LIMIT);
    ck_assert_uint_eq(stats().balloon_calls, 0);
}
END_TEST

/* ---- what is said of machines */
START_TEST(machines_are_listed_by_age)
{
    GmmVmStats s;

    ck_assert_str_eq(gmm_vm_name_at(gmm, 0, NULL), "one");
    ck_assert_str_eq(gmm_vm_name_at(gmm, 1, &s), "two");
    ck_assert_uint_eq(s.reserved.n_pages[GMM_ACCOUNT_BASE], N_USABLE + 1000);
    gmm_vm_free(vm);
    vm = gmm_vm_new(gmm, "three"); /* takes the first one's place inside, not in the list */
    ck_assert_str_eq(gmm_vm_name_at(gmm, 0, NULL), "two");
    ck_assert_str_eq(gmm_vm_name_at(gmm, 1, NULL), "three");
    ck_assert_ptr_null(gmm_vm_name_at(gmm, 2, &s));
}
END_TEST

START_TEST(end_of_a_machine_is_audited_by_kind)
{
    GmmVm *third = gmm_vm_new(gmm, "third");
    GmmVmStats left;
    PageId run;

    reserve(third, 100, 100, 100);
    take(third, 7);
    ck_assert_int_eq(gmm_vm_share_page(third, pages[0].id), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(third, GMM_ACCOUNT_SHADOW, 5, pages), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(third, 3, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_balloon(third, 9), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free_audited(third, &left), 15);
    ck_assert_uint_eq(left.allocated.n_pages[GMM_ACCOUNT_BASE], 7);
    ck_assert_uint_eq(left.allocated.n_pages[GMM_ACCOUNT_SHADOW], 5);
    ck_assert_uint_eq(left.allocated.n_pages[GMM_ACCOUNT_FIXED], 3);
    ck_assert_uint_eq(left.private_pages, 14);
    ck_assert_uint_eq(left.shared_pages, 1);
    ck_assert_uint_eq(left.ballooned_pages, 9);
    ck_assert_uint_eq(stats().left_behind, 1);
    ck_assert_uint_eq(stats().ballooned, 0);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-pressure");
    TCase *balloon = tcase_create("balloon"), *asking = tcase_create("asking");

    tcase_add_checked_fixture(balloon, setup, teardown);
    tcase_add_test(balloon, ballooned_pages_cannot_be_taken_again);
    tcase_add_test(balloon, what_is_promised_stays_promised_when_ballooned);
    tcase_add_test(balloon, priority_is_normal_until_set);
    tcase_add_test(balloon, machines_are_listed_by_age);
    tcase_add_test(balloon, end_of_a_machine_is_audited_by_kind);
    suite_add_tcase(suite, balloon);

    tcase_add_checked_fixture(asking, setup_givers, teardown_givers);
    tcase_add_test(asking, one_gives_enough_and_nobody_else_is_asked);
    tcase_add_test(asking, only_what_is_short_is_asked_for);
    tcase_add_test(asking, lowest_priority_is_asked_first_and_the_needy_one_last_of_its_own);
    tcase_add_test(asking, after_one_retry_it_fails_cleanly);
    tcase_add_test(asking, function_that_lies_gains_nothing);
    tcase_add_test(asking, balloon_function_that_allocates_asks_nobody);
    tcase_add_test(asking, host_that_refuses_memory_has_pages_given_too);
    tcase_add_test(asking, other_refusals_ask_nobody);
    suite_add_tcase(suite, asking);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
