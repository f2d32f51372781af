/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page sets against a plain array, at sizes around the width of a word and of a level.
 */
#include "memsys/page-set-internal.h"
#include "tests/unit/fake-os.h"

#include <check.h>
#include <stdlib.h>

static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 70000, 262145 };

static PgmPageSet set;
static const MemOs *os;

static void setup(void)
{
    os = fake_os_new(UINT64_C(1) << 30);
    fake_os_heal();
}

START_TEST(set_agrees_with_an_array)
{
    uint64_t n = sizes[_i];
    g_autofree bool *in = g_new0(bool, n);
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);
    uint64_t count = 0;
    unsigned n_bad = 0;

    ck_assert(pgm_page_set_init(&set, os, n));
    for (unsigned step = 0; step < 5000; step++) {
        uint64_t i = g_rand_int(rand) % n;
        bool add = g_rand_int(rand) % 3 != 0;

        n_bad += (add ? pgm_page_set_add(&set, i) : pgm_page_set_remove(&set, i)) != (in[i] != add);
        count += (uint64_t)add - in[i];
        in[i] = add;
        n_bad += set.n_set != count || pgm_page_set_test(&set, i) != add;
    }
    for (uint64_t i = pgm_page_set_next(&set, 0), next = 0; next < n; next++) {
        if (in[next]) {
            n_bad += i != next;
            i = pgm_page_set_next(&set, i + 1);
        }
        n_bad += next == n - 1 && i != n;
    }
    ck_assert_uint_eq(n_bad, 0);
    ck_assert_uint_eq(pgm_page_set_verify(&set), 0);
    pgm_page_set_clear(&set, os);
    ck_assert_int_eq(fake_os.n_maps, 0);
}
END_TEST

START_TEST(huge_set_is_walked_by_what_is_in_it)
{
    uint64_t n = UINT64_C(1) << 33;
    static const uint64_t want[] = { 0, 63, 64, 4096, UINT64_C(1) << 32, (UINT64_C(1) << 33) - 1 };
    uint64_t at = 0;

    ck_assert(pgm_page_set_init(&set, os, n));
    ck_assert_uint_eq(pgm_page_set_next(&set, 0), n);
    for (unsigned i = G_N_ELEMENTS(want); i > 0; i--) {
        ck_assert(pgm_page_set_add(&set, want[i - 1]));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++, at++) {
        at = pgm_page_set_next(&set, at);
        ck_assert_uint_eq(at, want[i]);
    }
    ck_assert_uint_eq(pgm_page_set_next(&set, at), n);
    ck_assert_uint_eq(pgm_page_set_next(&set, n), n);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        ck_assert(pgm_page_set_remove(&set, want[i]));
    }
    ck_assert_uint_eq(pgm_page_set_next(&set, 0), n);
    pgm_page_set_clear(&set, os);
}
END_TEST

START_TEST(checker_sees_a_wrong_summary)
{
    ck_assert(pgm_page_set_init(&set, os, 5000));
    ck_assert(pgm_page_set_add(&set, 100));
    set.levels[1][0] ^= 4;
    ck_assert_uint_eq(pgm_page_set_verify(&set), 1);
    set.levels[1][0] ^= 4;
    set.n_set++;
    ck_assert_uint_eq(pgm_page_set_verify(&set), 1);
    set.n_set--;
    set.levels[0][5000 / 64] |= UINT64_C(1) << 63; /* past the end */
    ck_assert_uint_ge(pgm_page_set_verify(&set), 1);
    pgm_page_set_clear(&set, os);
}
END_TEST

START_TEST(host_without_memory_is_told)
{
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert(!pgm_page_set_init(&set, os, 100));
    fake_os_fail(FAKE_MAP_ZEROS, 1, 1);
    ck_assert(!pgm_page_set_init(&set, os, UINT64_C(1) << 30));
    pgm_page_set_clear(&set, os); /* nothing */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page set");
    TCase *tcase = tcase_create("set");
    SRunner *runner = srunner_create(suite);

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, set_agrees_with_an_array, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(tcase, huge_set_is_walked_by_what_is_in_it);
    tcase_add_test(tcase, checker_sees_a_wrong_summary);
    tcase_add_test(tcase, host_without_memory_is_told);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
