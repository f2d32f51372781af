/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memsys/status.h"

#include <check.h>
#include <limits.h>
#include <string.h>

#define LAST MEM_ERR_BAD_FILE

START_TEST(every_status_has_a_text_of_its_own)
{
    for (int a = 0; a >= LAST; a--) {
        const char *name = mem_status_name((MemStatus)a);

        ck_assert_ptr_nonnull(name);
        ck_assert_str_ne(name, "unknown status");
        ck_assert_uint_gt(strlen(name), 3);
        for (int b = 0; b > a; b--) {
            ck_assert_str_ne(name, mem_status_name((MemStatus)b));
        }
    }
    ck_assert_str_eq(mem_status_name(MEM_OK), "success");
    ck_assert_str_eq(mem_status_name(MEM_ERR_BAD_PAGE_ID), "no such page id");
}
END_TEST

static const int strangers[] = { 1, LAST - 1, INT_MAX, INT_MIN, -1000 };

START_TEST(other_values_are_unknown)
{
    ck_assert_str_eq(mem_status_name((MemStatus)strangers[_i]), "unknown status");
}
END_TEST

START_TEST(error_domain_is_named)
{
    ck_assert_str_eq(g_quark_to_string(MEM_ERROR), "quire_mem_error");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tc = tcase_create("status");

    tcase_add_test(tc, every_status_has_a_text_of_its_own);
    tcase_add_loop_test(tc, other_values_are_unknown, 0, G_N_ELEMENTS(strangers));
    tcase_add_test(tc, error_domain_is_named);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
