/*
 * What Unicorn makes easy to get wrong (emu/uc_core.h): guests that check themselves, each run in
 * every way a guest can be run. All ways must see the same.
 *
 * Rules that were broken on purpose, and the guest that noticed: caught stores to code not stepped
 * (smc), exception record kept (ring3), changed code not dropped (paging), PUSHF shows our TF
 * (ring3), DR6.BS leaks (rep), no flush after a caught access (mmio), REP's last pass charged or
 * its count stale (rep), nothing taken back at a stop (rep), no interrupt shadow or one that lasts
 * (shadow), ring 3 without its descriptor tables (ring3), CR2 of pages only (ring3), fetches ahead
 * of execution taken for faults (paging). In test-uc-stops: stops from callbacks, remaps without
 * leaving chained blocks, A20 without a flush, CS base at reset. Not noticed: X granted by fetches
 * alone. Not tested: segment limits and the I/O bitmap, which the engine ignores.
 */
/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Unicorn makes easy to get wrong (emu/uc_core.h): guests that check themselves, each run in
 * every way a guest can be run. All ways must see the same.
 */
#include "tests/machine-fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const guests[] = {
    "rep.bin", "ring3.bin", "paging.bin",     "mmio.bin",  "shadow.bin",
    "cpu.bin", "smc.bin",   "exceptions.bin", "flags.bin", "registers.bin",
};

#define LIMIT_NS UINT64_C(5000000)

static void run_guest(const char *guest, FixtureMode mode, FixtureOutcome *outcome)
{
    /* registers.bin goes into long mode. */
    Fixture *fixture = fixture_new_cpu(4, strcmp(guest, "registers.bin") == 0 ? "qemu64" : NULL);

    fixture_load_flat(fixture, guest);

    EmuStop stop = fixture_run(fixture, mode, LIMIT_NS);

    fixture_outcome_init(outcome, fixture, &stop);
    ck_assert_msg(fixture->n_failed == 0, "%s, %s: the check at 0x%x and %u more", guest,
                  fixture_mode_name(mode), fixture->failed_at, fixture->n_failed - 1);
    ck_assert_msg(fixture->n_done == 1 && stop.reason == EMU_STOP_HALTED, "%s, %s: ended by %s",
                  guest, fixture_mode_name(mode), stop.text);
    fixture_free(fixture);
}

START_TEST(guest_is_content_however_it_is_run)
{
    const char *guest = guests[_i / FIXTURE_N_MODES];
    FixtureMode mode = (FixtureMode)(_i % FIXTURE_N_MODES);
    FixtureOutcome free_run, other;

    run_guest(guest, FIXTURE_FREE, &free_run);
    run_guest(guest, mode, &other);

    char *diff = fixture_outcome_diff(&free_run, &other);

    ck_assert_msg(diff == NULL, "%s, free and %s: %s", guest, fixture_mode_name(mode), diff);
    fixture_outcome_clear(&free_run);
    fixture_outcome_clear(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uc-traps");
    TCase *guest_case = tcase_create("guests");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(guest_case, 60);
    tcase_add_loop_test(guest_case, guest_is_content_however_it_is_run, 0,
                        G_N_ELEMENTS(guests) * FIXTURE_N_MODES);
    suite_add_tcase(suite, guest_case);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
