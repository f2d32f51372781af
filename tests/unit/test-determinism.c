/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same guest run in every way there is: whatever the guest can see, the clock first of all,
 * must not depend on where a run was cut, stepped or watched.
 */
#include "tests/machine-fixture.h"

#include <check.h>
#include <stdlib.h>

#define LIMIT_NS UINT64_C(50000000)

static void run_guest(FixtureMode mode, FixtureOutcome *outcome, uint64_t *ret_hits)
{
    Fixture *fixture = fixture_new(4);

    fixture_load_flat(fixture, "determinism.bin");

    EmuStop stop = fixture_run(fixture, mode, LIMIT_NS);

    fixture_outcome_init(outcome, fixture, &stop);
    ck_assert_msg(fixture->n_failed == 0 && fixture->n_done == 1, "%s: 0x%x, ended by %s",
                  fixture_mode_name(mode), fixture->failed_at, stop.text);
    *ret_hits = fixture->n_watch_hits;
    fixture_free(fixture);
}

START_TEST(same_however_it_is_run)
{
    FixtureMode mode = (FixtureMode)_i;
    FixtureOutcome free_run, other;
    uint64_t hits;

    run_guest(FIXTURE_FREE, &free_run, &hits);
    run_guest(mode, &other, &hits);

    char *diff = fixture_outcome_diff(&free_run, &other);

    ck_assert_msg(diff == NULL, "free and %s: %s", fixture_mode_name(mode), diff);
    ck_assert_int_eq(free_run.stop.reason, EMU_STOP_HALTED);
    /* The guest did what it is there for. */
    ck_assert_str_eq(free_run.console, "abcdefghijkl\n");
    ck_assert_uint_gt(free_run.interrupts, 20);
    ck_assert_uint_gt(free_run.exceptions, 2000);
    ck_assert_uint_ge(free_run.halts, 24);
    ck_assert_uint_gt(free_run.log->len, 200);
    if (mode == FIXTURE_WATCH_DATA || mode == FIXTURE_WATCH_ALL) {
        ck_assert_uint_gt(hits, 10000);
    }
    fixture_outcome_clear(&free_run);
    fixture_outcome_clear(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("determinism");
    TCase *modes = tcase_create("modes");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(modes, 120);
    tcase_add_loop_test(modes, same_however_it_is_run, 0, FIXTURE_N_MODES);
    suite_add_tcase(suite, modes);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
