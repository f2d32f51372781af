/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages given back by name, all of a call or none; the quota; pages wanted by others. */
#include "memsys/balloon.h"

#include "memsys/gmm-internal.h"
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 16 * PAGE)

static GmmVmStats vm_stats(const Pgm *of)
{
    GmmVmStats s;

    gmm_vm_get_stats(pgm_gmm_vm(of), &s);
    return s;
}

static uint64_t gmm_allocated(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s.allocated;
}

/* What a refused call must leave as it was. */
typedef struct Before {
    PgmPageCounts pages;
    uint64_t allocated, ballooned;
} Before;

static Before before(void)
{
    return (Before) { stats().pages, gmm_allocated(), vm_stats(pgm).ballooned_pages };
}

static void check_unchanged(const Before *was)
{
    Before now = before();

    ck_assert_mem_eq(&now, was, sizeof now);
    check_sound();
}

/* ---- one page and many */

START_TEST(ballooned_page_reads_zero_and_takes_no_writes)
{
    const GPhys gpa = P;
    uint32_t value = 7;

    store(P + 4, 0x55);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_BALLOONED);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + 4), 0);
    ck_assert_int_eq(pgm_write_u32(pgm, P + 4, 1), MEM_ERR_BALLOONED);
    ck_assert_int_eq(pgm_write(pgm, P, &value, sizeof value, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    ck_assert_uint_eq(vm_stats(pgm).ballooned_pages, 1);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ZERO);
    ck_assert_uint_eq(vm_stats(pgm).ballooned_pages, 0);
    store(P, 9);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 9);
}
END_TEST

START_TEST(pages_go_back_to_gmm_and_cpus_are_told_once)
{
    GPhys gpas[64];

    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        gpas[i] = P + 3 * i * PAGE;
        store(gpas[i], i + 1);
        fill(gpas[i], MEM_ACCESS_READ);
    }
    uint64_t allocated = gmm_allocated();

    told_reset();
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, G_N_ELEMENTS(gpas)), MEM_OK);
    ck_assert_uint_eq(gmm_allocated(), allocated - G_N_ELEMENTS(gpas));
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert_uint_eq(told.n_pages, 0);
    ck_assert_uint_eq(stats().pages.ballooned, G_N_ELEMENTS(gpas));
    ck_assert_uint_eq(stats().pages.private_pages, 0);
    check_sound();
    ck_assert_int_eq(pgm_balloon_deflate(pgm, gpas, G_N_ELEMENTS(gpas)), MEM_OK);
    ck_assert_uint_eq(stats().pages.ballooned, 0);
}
END_TEST

START_TEST(no_pages_are_no_work)
{
    Before was = before();

    ck_assert_int_eq(pgm_balloon_inflate(pgm, NULL, 0), MEM_OK);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, NULL, 0), MEM_OK);
    check_unchanged(&was);
}
END_TEST

/* ---- refusals */

START_TEST(deflating_needs_ballooned_pages_each_once)
{
    const GPhys two[] = { P, P + PAGE };
    const GPhys twice[] = { P, P + PAGE, P };
    const GPhys other[] = { P, P + 2 * PAGE };

    ck_assert_int_eq(pgm_balloon_inflate(pgm, two, 2), MEM_OK);
    Before was = before();

    ck_assert_int_eq(pgm_balloon_deflate(pgm, twice, 3), MEM_ERR_WRONG_ORDER);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, other, 2), MEM_ERR_WRONG_ORDER);
    check_unchanged(&was);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, two, 2), MEM_OK);
}
END_TEST

START_TEST(shared_and_armed_pages_go_too)
{
    const GPhys gpas[] = { P, P + PAGE, P + 2 * PAGE };

    store(P, 1);
    store(P + PAGE, 2);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P + PAGE), MEM_OK);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, 3), MEM_OK);
    ck_assert_uint_eq(stats().pages.ballooned, 3);
    ck_assert_uint_eq(stats().pages.shared, 0);
    ck_assert_uint_eq(stats().pages.monitored, 0);
}
END_TEST

/* ---- quota */

START_TEST(what_was_given_back_cannot_be_taken_elsewhere)
{
    GPhys gpas[256];

    for (GPhys gpa = HIGH; gpa < HIGH + HIGH_LEN; gpa += PAGE) {
        store(gpa, 1);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        gpas[i] = HIGH + i * PAGE;
    }
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, G_N_ELEMENTS(gpas)), MEM_OK);
    GmmVmStats s = vm_stats(pgm);

    ck_assert_uint_le(s.private_pages + s.shared_pages + s.ballooned_pages,
                      s.reserved.n_pages[GMM_ACCOUNT_BASE]);
    for (GPhys gpa = LOW; gpa < LOW + LOW_LEN; gpa += PAGE) {
        store(gpa, 1);
    }
    GmmHandyPage page;
    uint64_t left = s.reserved.n_pages[GMM_ACCOUNT_BASE] - vm_stats(pgm).private_pages -
                    vm_stats(pgm).ballooned_pages;
    GmmHandyPage *rest = g_new(GmmHandyPage, left + 1);

    ck_assert_int_eq(gmm_vm_alloc(pgm->mm.vm, GMM_ACCOUNT_BASE, (uint32_t)left + 1, rest),
                     MEM_ERR_ACCOUNT_LIMIT);
    (void)page;
    g_free(rest);
}
END_TEST

START_TEST(reset_deflates_all)
{
    const GPhys gpas[] = { P, P + 7 * PAGE };

    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, 2), MEM_OK);
    pgm_reset(pgm);
    ck_assert_uint_eq(stats().pages.ballooned, 0);
    ck_assert_uint_eq(vm_stats(pgm).ballooned_pages, 0);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, 2), MEM_OK);
}
END_TEST

/* ---- pages wanted */

typedef struct Neighbour {
    Pgm *pgm;
    unsigned n_calls;
    uint64_t n_give;
} Neighbour;

static uint64_t give_pages(GmmVm *vm, uint64_t n_wanted, void *user)
{
    Neighbour *neighbour = user;
    GPhys gpas[64];
    uint32_t n = (uint32_t)MIN(neighbour->n_give, G_N_ELEMENTS(gpas));

    (void)vm;
    (void)n_wanted;
    neighbour->n_calls++;
    for (uint32_t i = 0; i < n; i++) {
        gpas[i] = HIGH + i * PAGE;
    }
    if (n == 0 || pgm_balloon_inflate(neighbour->pgm, gpas, n) != MEM_OK) {
        return 0;
    }
    neighbour->n_give = 0;
    return n;
}

/* A machine that holds pages, its stock empty, and no page left for anyone. */
static void neighbour_begin(Neighbour *neighbour, uint64_t n_give)
{
    *neighbour = (Neighbour) { .pgm = pgm_new(gmm, NULL, NULL), .n_give = n_give };
    ck_assert_int_eq(pgm_ram_register(neighbour->pgm, HIGH, 64 * PAGE, "ram", NULL), MEM_OK);
    for (GPhys gpa = HIGH; gpa < HIGH + 64 * PAGE; gpa += PAGE) {
        ck_assert_int_eq(pgm_write_u32(neighbour->pgm, gpa, 5), MEM_OK);
    }
    pgm_handy_return_all(neighbour->pgm);
    pgm_handy_return_all(pgm);
    gmm_set_limit(gmm, gmm_allocated());
}

START_TEST(low_machine_gives_pages_and_the_other_writes_on)
{
    Neighbour low;

    neighbour_begin(&low, 40);
    gmm_vm_set_priority(pgm_gmm_vm(low.pgm), GMM_PRIORITY_LOW);
    gmm_vm_set_balloon_func(pgm_gmm_vm(low.pgm), give_pages, &low);
    store(P, 1);
    ck_assert_uint_ge(low.n_calls, 1);
    for (unsigned i = 1; i < 16; i++) {
        store(P + i * PAGE, i);
    }
    PgmStats s;

    pgm_get_stats(low.pgm, &s);
    ck_assert_uint_eq(s.pages.ballooned, 40);
    ck_assert_uint_eq(pgm_verify(low.pgm, NULL), 0);
    check_sound();
    pgm_free(low.pgm);
}
END_TEST

START_TEST(nobody_gives_and_the_machine_stops_until_memory_is_free)
{
    Neighbour low;

    neighbour_begin(&low, 0);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_NO_MEMORY);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ZERO);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_ERR_NO_MEMORY);
    check_sound();
    pgm_free(low.pgm);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    store(P, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
}
END_TEST

/* The page that is being written is the one that its own machine gives back. */
static uint64_t give_page_p(GmmVm *vm, uint64_t n_wanted, void *user)
{
    const GPhys gpas[] = { P, HIGH, HIGH + PAGE };

    (void)vm;
    (void)n_wanted;
    (void)user;
    return pgm_balloon_inflate(pgm, gpas, 3) == MEM_OK ? 3 : 0;
}

START_TEST(page_that_goes_while_its_write_waits_is_not_written)
{
    store(HIGH, 1);
    store(HIGH + PAGE, 2);
    if (_i == 1) {
        store(P, 3);
        ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    }
    pgm_handy_return_all(pgm);
    gmm_set_limit(gmm, gmm_allocated());
    gmm_vm_set_balloon_func(pgm_gmm_vm(pgm), give_page_p, NULL);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_BALLOONED);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_BALLOONED);
    ck_assert_uint_eq(stats().pages.ballooned, 3);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("balloon");
    TCase *tcase = tcase_create("balloon");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, ballooned_page_reads_zero_and_takes_no_writes);
    tcase_add_test(tcase, pages_go_back_to_gmm_and_cpus_are_told_once);
    tcase_add_test(tcase, no_pages_are_no_work);
    tcase_add_test(tcase, deflating_needs_ballooned_pages_each_once);
    tcase_add_test(tcase, shared_and_armed_pages_go_too);
    tcase_add_test(tcase, what_was_given_back_cannot_be_taken_elsewhere);
    tcase_add_test(tcase, reset_deflates_all);
    tcase_add_test(tcase, low_machine_gives_pages_and_the_other_writes_on);
    tcase_add_test(tcase, nobody_gives_and_the_machine_stops_until_memory_is_free);
    tcase_add_loop_test(tcase, page_that_goes_while_its_write_waits_is_not_written, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
