/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run may be cut anywhere, for whatever reason: nothing the guest sees may move, and nothing that
 * was under way may be lost.
 */
#include "tests/machine-fixture.h"

#include "emu/loader.h"

#include <check.h>
#include <stdlib.h>

#define LIMIT_NS UINT64_C(5000000)

static const char *const guests[] = {
    "cuts.bin", "rep.bin", "shadow.bin", "smc.bin", "flags.bin", "exceptions.bin",
};

static EmuStop run_with_breakpoints_everywhere(Fixture *fixture)
{
    EmuStop stop;

    for (GVirt va = FIXTURE_FLAT_ENTRY; va < FIXTURE_FLAT_ENTRY + 0x1000; va++) {
        ck_assert(emu_machine_add_breakpoint(fixture->machine, va, NULL));
    }
    do {
        stop = emu_machine_run(fixture->machine, LIMIT_NS);
    } while (stop.reason == EMU_STOP_BREAKPOINT);
    return stop;
}

static void run_guest(const char *guest, int mode, FixtureOutcome *outcome)
{
    Fixture *fixture = fixture_new(4);

    fixture_load_flat(fixture, guest);

    EmuStop stop = mode < 0 ? run_with_breakpoints_everywhere(fixture)
                            : fixture_run(fixture, (FixtureMode)mode, LIMIT_NS);

    fixture_outcome_init(outcome, fixture, &stop);
    ck_assert_msg(fixture->n_failed == 0, "%s, way %d: the check at 0x%x and %u more", guest, mode,
                  fixture->failed_at, fixture->n_failed - 1);
    ck_assert_msg(fixture->n_done == 1 && stop.reason == EMU_STOP_HALTED, "%s, way %d: ended by %s",
                  guest, mode, stop.text);
    fixture_free(fixture);
}

static void compare(const char *guest, int mode)
{
    FixtureOutcome free_run, other;

    run_guest(guest, FIXTURE_FREE, &free_run);
    run_guest(guest, mode, &other);

    char *diff = fixture_outcome_diff(&free_run, &other);

    ck_assert_msg(diff == NULL, "%s, free and way %d: %s", guest, mode, diff);
    fixture_outcome_clear(&free_run);
    fixture_outcome_clear(&other);
}

START_TEST(breakpoints_everywhere_move_nothing)
{
    compare(guests[_i], -1);
}
END_TEST

START_TEST(cuts_move_nothing)
{
    compare("cuts.bin", _i);
}
END_TEST

/* An OUT whose hook lets no page be had any more, then INT 0x80 onto a stack that has none. */
static void load_interrupt_without_stack(Fixture *fixture)
{
    static const uint8_t code[] = {
        0x0f, 0x01, 0x1d, 0x80, 0x00, 0x01, 0x00, /* lidt [0x10080] */
        0xb9, 0x00, 0x00, 0x00, 0x00,             /* mov ecx, pages (at 8) */
        0xbf, 0x00, 0x00, 0x20, 0x00,             /* mov edi, 0x200000 */
        0x89, 0x0f,                               /* next: mov [edi], ecx */
        0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,       /* add edi, 0x1000 */
        0xe2, 0xf6,                               /* loop next */
        0xbc, 0x00, 0x00, 0x18, 0x00,             /* mov esp, 0x180000 */
        0xcd, 0x80,                               /* int 0x80 */
        0xf4,                                     /* hlt */
    };
    static const uint8_t handler[] = { 0xff, 0x05, 0xf0, 0x00, 0x01, 0x00,       /* inc [0x100f0] */
                                       0xcf };                                   /* iret */
    static const uint8_t idt_pointer[] = { 0xff, 0x07, 0x00, 0x20, 0x01, 0x00 }; /* at 0x12000 */
    static const uint8_t gate[] = { 0x00, 0x01, 0x10, 0x00, 0x00, 0x8e, 0x01, 0x00 };
    const uint32_t zero = 0;

    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY + 0x80, idt_pointer, sizeof(idt_pointer));
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY + 0xf0, &zero, 4);
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY + 0x100, handler, sizeof(handler));
    fixture_poke(fixture, 0x12000 + 0x80 * 8, gate, sizeof(gate));
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));
}

START_TEST(interrupt_without_a_page_for_its_frame_is_not_lost)
{
    Gmm *gmm = NULL;
    bool seen = false;

    /* So many pages are touched before that the stock of pages runs out at each place once. */
    for (uint32_t pages = 1; pages <= 200; pages++) {
        Fixture *fixture = fixture_new(4);
        EmuStop stop;

        load_interrupt_without_stack(fixture);
        fixture_poke(fixture, FIXTURE_FLAT_ENTRY + 8, &pages, 4);
        gmm = pgm_gmm(fixture->pgm);
        ck_assert_int_eq(pgm_ensure_handy(fixture->pgm), MEM_OK);
        gmm_set_limit(gmm, 0);
        stop = emu_machine_run(fixture->machine, LIMIT_NS);
        seen |= fixture->machine->has_kept;
        gmm_set_limit(gmm, 100000);
        if (stop.reason == EMU_STOP_NO_MEMORY) {
            stop = emu_machine_run(fixture->machine, LIMIT_NS);
        }
        ck_assert_msg(stop.reason == EMU_STOP_HALTED, "%s", stop.text);
        ck_assert_uint_eq(fixture_peek32(fixture, FIXTURE_FLAT_ENTRY + 0xf0), 1);
        fixture_free(fixture);
    }
    ck_assert_msg(seen, "no run ended in a delivery without a page");
}
END_TEST

static void ignore_hit(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    (void)pgm;
    (void)hit;
    (void)user;
}

START_TEST(one_step_for_the_engine_is_not_many)
{
    /* A watched code page: the store to it is stepped. Then a long loop, with no timer in sight. */
    static const uint8_t code[] = {
        0xc6, 0x05, 0x80, 0x00, 0x01, 0x00, 0x90, /* mov byte [0x10080], 0x90 */
        0xb9, 0x10, 0x27, 0x00, 0x00,             /* mov ecx, 10000 */
        0x49,                                     /* again: dec ecx */
        0x75, 0xfd,                               /* jnz again */
        0xf4,                                     /* hlt */
    };
    Fixture *fixture = fixture_new(4);
    EmuMachineStats stats;

    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));
    PgmWatch *watch = pgm_watch_new(fixture->pgm, FIXTURE_FLAT_ENTRY + 0x80, 1, MEM_ACCESS_WRITE,
                                    false, ignore_hit, NULL, NULL);

    ck_assert_int_eq(emu_machine_run(fixture->machine, LIMIT_NS).reason, EMU_STOP_HALTED);
    emu_machine_get_stats(fixture->machine, &stats);
    ck_assert_uint_ge(stats.steps, 1);
    ck_assert_uint_le(stats.steps, 10);
    pgm_watch_free(watch);
    fixture_free(fixture);
}
END_TEST

/* ---- pauses and limits */

static const uint8_t halt_code[] = { 0xfb, 0xf4 };        /* STI; HLT */
static const uint8_t count_code[] = { 0x40, 0xeb, 0xfd }; /* INC EAX; JMP back */
/* OUT E0, 1000000 ns; STI; HLT; the timer's interrupt has no gate: a triple fault */
static const uint8_t wait_code[] = { 0xb8, 0x40, 0x42, 0x0f, 0x00, 0xe7, 0xe0, 0xfb, 0xf4 };

static Fixture *load(const uint8_t *code, size_t len, EmuClockMode clock)
{
    EmuMachineConfig config = { .clock = clock };
    Fixture *fixture = fixture_new_config(4, &config);

    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, len);
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));
    return fixture;
}

static uint64_t now(const Fixture *fixture)
{
    return emu_clock_now(fixture->machine->clock);
}

/* Every @every_ns, or not at all if 0. Ends as the guest does. */
static void run_paused(const uint8_t *code, size_t len, uint64_t every_ns, uint64_t limit_ns,
                       FixtureOutcome *outcome, unsigned *ret_pauses)
{
    Fixture *fixture = load(code, len, EMU_CLOCK_VIRTUAL);
    EmuStop stop;

    for (*ret_pauses = 0;; (*ret_pauses)++) {
        uint64_t pause = every_ns != 0 ? (*ret_pauses + 1) * every_ns : EMU_CLOCK_NEVER;

        stop = emu_machine_run_until(fixture->machine, pause, limit_ns);
        if (stop.reason != EMU_STOP_PAUSE) {
            break;
        }
        ck_assert_uint_ge(now(fixture), pause);
        ck_assert_uint_lt(now(fixture), pause + 100);
    }
    fixture_outcome_init(outcome, fixture, &stop);
    fixture_free(fixture);
}

static const struct {
    const uint8_t *code;
    size_t len;
    uint64_t every_ns;
    uint64_t limit_ns;
    EmuStopReason reason;
    unsigned n_pauses;
} paused_runs[] = {
    /* For good: before the first pause, and at once after one that lies between STI and HLT. */
    { halt_code, sizeof(halt_code), 1000, EMU_CLOCK_NEVER, EMU_STOP_HALTED, 0 },
    { halt_code, sizeof(halt_code), 1, EMU_CLOCK_NEVER, EMU_STOP_HALTED, 2 },
    /* Until the limit, which is no pause. */
    { halt_code, sizeof(halt_code), 300, 1000, EMU_STOP_TIME, 3 },
    { halt_code, sizeof(halt_code), 250, 1000, EMU_STOP_TIME, 3 },
    /* The timer comes after pauses. */
    { wait_code, sizeof(wait_code), 100000, EMU_CLOCK_NEVER, EMU_STOP_TRIPLE_FAULT, 10 },
    { count_code, sizeof(count_code), 777, 10000, EMU_STOP_TIME, 12 },
};

START_TEST(pauses_move_nothing_not_even_a_halt_for_good)
{
    FixtureOutcome plain, paused;
    unsigned n_pauses;

    run_paused(paused_runs[_i].code, paused_runs[_i].len, 0, paused_runs[_i].limit_ns, &plain,
               &n_pauses);
    ck_assert_uint_eq(n_pauses, 0);
    ck_assert_int_eq(plain.stop.reason, paused_runs[_i].reason);
    run_paused(paused_runs[_i].code, paused_runs[_i].len, paused_runs[_i].every_ns,
               paused_runs[_i].limit_ns, &paused, &n_pauses);
    ck_assert_uint_eq(n_pauses, paused_runs[_i].n_pauses);

    char *diff = fixture_outcome_diff(&plain, &paused);

    ck_assert_msg(diff == NULL, "plain and paused: %s", diff);
    fixture_outcome_clear(&plain);
    fixture_outcome_clear(&paused);
}
END_TEST

/* A limit is something to wait for. */
START_TEST(halted_guest_waits_for_a_limit)
{
    Fixture *fixture = load(halt_code, sizeof(halt_code), EMU_CLOCK_VIRTUAL);

    ck_assert_int_eq(emu_machine_run(fixture->machine, 1000).reason, EMU_STOP_TIME);
    ck_assert_uint_eq(now(fixture), 1000);
    ck_assert_int_eq(emu_machine_run(fixture->machine, EMU_CLOCK_NEVER).reason, EMU_STOP_HALTED);
    ck_assert_uint_eq(now(fixture), 1000);
    fixture_free(fixture);
}
END_TEST

START_TEST(host_time_pauses_and_waits_for_no_pause)
{
    Fixture *fixture = load(halt_code, sizeof(halt_code), EMU_CLOCK_HOST);
    uint64_t start = now(fixture);

    ck_assert_int_eq(
        emu_machine_run_until(fixture->machine, start + 20 * EMU_NS_PER_SECOND, EMU_CLOCK_NEVER)
            .reason,
        EMU_STOP_HALTED);
    ck_assert_uint_lt(now(fixture), start + 10 * EMU_NS_PER_SECOND);
    fixture_free(fixture);

    fixture = load(count_code, sizeof(count_code), EMU_CLOCK_HOST);
    start = now(fixture);
    ck_assert_int_eq(
        emu_machine_run_until(fixture->machine, start + LIMIT_NS, EMU_CLOCK_NEVER).reason,
        EMU_STOP_PAUSE);
    ck_assert_uint_ge(now(fixture), start + LIMIT_NS);
    fixture_free(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uc-cuts");
    TCase *cuts = tcase_create("cuts");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(cuts, 120);
    tcase_add_loop_test(cuts, breakpoints_everywhere_move_nothing, 0, G_N_ELEMENTS(guests));
    tcase_add_loop_test(cuts, cuts_move_nothing, 0, FIXTURE_N_MODES);
    tcase_add_test(cuts, interrupt_without_a_page_for_its_frame_is_not_lost);
    tcase_add_test(cuts, one_step_for_the_engine_is_not_many);
    tcase_add_loop_test(cuts, pauses_move_nothing_not_even_a_halt_for_good, 0,
                        G_N_ELEMENTS(paused_runs));
    tcase_add_test(cuts, halted_guest_waits_for_a_limit);
    tcase_add_test(cuts, host_time_pauses_and_waits_for_no_pause);
    suite_add_tcase(suite, cuts);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
