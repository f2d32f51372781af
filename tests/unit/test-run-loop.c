/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ticks of the run loop: called when they are due and in their order, not noticed by the guest, and
 * able to end the run.
 */
#include "emu/error.h"
#include "emu/saved_state.h"
#include "frontends/guest.h"
#include "frontends/moment-watch.h"
#include "frontends/run-loop.h"
#include "frontends/run.h"
#include "frontends/signals.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_LEN 8192
#define CODE_AT (IMAGE_LEN - 256)
#define JUMP_AT (IMAGE_LEN - 16)
#define MS UINT64_C(1000000)
#define LATE_NS 10000 /* a slice ends at an instruction */

static const uint8_t count_for_ever[] = { 0x40, 0xEB, 0xFD };      /* INC AX; JMP back */
static const uint8_t halt_for_good[] = { 0xFB, 0xF4, 0xEB, 0xFD }; /* STI; HLT; JMP back */
/* The 8254's counter 0 runs out once, after 10.3 ms; its interrupt ends the run by port F4. */
static const uint8_t wait_for_timer[] = {
    0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x10, /* AX, DS, SS = 0; SP = 1000 */
    0xC7, 0x06, 0x20, 0x00, 0x39, 0xFF,                   /* interrupt 8: F000:FF39, see below */
    0xC7, 0x06, 0x22, 0x00, 0x00, 0xF0,                   /* */
    0xB0, 0x11, 0xE6, 0x20, 0xB0, 0x08, 0xE6, 0x21,       /* 8259: ICW1, ICW2 */
    0xB0, 0x04, 0xE6, 0x21, 0xB0, 0x01, 0xE6, 0x21,       /* ICW3, ICW4 */
    0xB0, 0xFE, 0xE6, 0x21,                               /* IRQ 0 alone */
    0xB0, 0x30, 0xE6, 0x43, 0xB0, 0x00, 0xE6, 0x40,       /* 8254: mode 0, count 3000 */
    0xB0, 0x30, 0xE6, 0x40,                               /* */
    0xFB, 0xF4, 0xEB, 0xFD,                               /* STI; HLT; JMP back */
    0xB0, 0x00, 0xE6, 0xF4, 0xEB, 0xFE,                   /* FF39: OUT F4, 0 */
};
static const uint8_t reset[] = { 0xB0, 0xFE, 0xE6, 0x64, 0xEB, 0xFE }; /* by the 8042 */

static char *folder;
static char *bios;
static char *state;

static void set_up(void)
{
    folder = g_dir_make_tmp("quire-loop-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
    bios = g_build_filename(folder, "bios", NULL);
    state = g_build_filename(folder, "state", NULL);
}

static void tear_down(void)
{
    g_remove(bios);
    g_remove(state);
    ck_assert_int_eq(g_rmdir(folder), 0);
    g_free(folder);
    g_free(bios);
    g_free(state);
}

static void write_bios(const uint8_t *code, size_t len)
{
    static const uint8_t jump[] = { 0xE9, 0x0D, 0xFF }; /* from JUMP_AT to CODE_AT */
    g_autofree char *image = g_malloc0(IMAGE_LEN);

    memcpy(image + CODE_AT, code, len);
    memcpy(image + JUMP_AT, jump, sizeof(jump));
    ck_assert(g_file_set_contents(bios, image, IMAGE_LEN, NULL));
}

/* A guest that has run: how it ended, what was counted, and all of it, saved. */
typedef struct Result {
    int status;
    char *reason;
    uint64_t now_ns;
    EmuMachineStats stats;
    char *saved;
    size_t saved_len;
} Result;

static void result_clear(Result *result)
{
    g_free(result->reason);
    g_free(result->saved);
}

/* @max_time: NULL: no limit */
static Result run(GPtrArray *ticks, char *max_time)
{
    char word_bios[] = "--bios";
    char word_memory[] = "--memory=1M";
    char word_serial[] = "--serial=null";
    char word_max[] = "--max-time";
    char *argv[] = { word_bios, bios, word_memory, word_serial, max_time != NULL ? word_max : NULL,
                     max_time,  NULL };
    g_autoptr(GError) error = NULL;
    g_autoptr(FeRunOptions) options = fe_run_options_new(argv, &error);
    g_autoptr(FeFiles) files = fe_files_new();
    FeGuest *guest = options != NULL ? fe_guest_new(options, files, &error) : NULL;

    ck_assert_msg(guest != NULL, "%s", error != NULL ? error->message : "");

    FeMomentWatch *watch = fe_moment_watch_new(guest->machine, options, guest->symbols, &error);
    FeRunLoop loop = { .guest = guest, .watch = watch, .ticks = ticks };
    FeOutcome outcome;
    Result result;

    fe_signals_start(guest->machine, 0);
    fe_run_loop(&loop, &outcome);
    fe_signals_stop();
    result = (Result) { .status = outcome.status,
                        .reason = outcome.reason,
                        .now_ns = emu_clock_now(emu_machine_clock(guest->machine)) };
    emu_machine_get_stats(guest->machine, &result.stats);
    ck_assert(emu_save(guest->machine, state, NULL, NULL));
    ck_assert(g_file_get_contents(state, &result.saved, &result.saved_len, NULL));

    fe_guest_free(guest);
    fe_moment_watch_free(watch);
    return result;
}

/* ---- ticks */

typedef struct Ticker {
    FeTick tick;
    char name;
    uint64_t every_ns;
    unsigned n_calls;
    unsigned fails_at; /* this call; 0: none */
    GString *order;    /* of all tickers */
} Ticker;

static bool call(void *user, uint64_t now_ns, GError **error)
{
    Ticker *ticker = user;

    ck_assert_uint_ge(now_ns, ticker->tick.due_ns);
    ck_assert_uint_le(now_ns, ticker->tick.due_ns + LATE_NS);
    while (ticker->tick.due_ns <= now_ns) {
        ticker->tick.due_ns += ticker->every_ns;
    }
    ticker->n_calls++;
    g_string_append_c(ticker->order, ticker->name);
    if (ticker->n_calls == ticker->fails_at) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "ticker %c: no more", ticker->name);
        return false;
    }
    return true;
}

static Ticker ticker(char name, uint64_t first_ns, uint64_t every_ns, GString *order)
{
    return (Ticker) { .tick = { .due_ns = first_ns, .call = call },
                      .name = name,
                      .every_ns = every_ns,
                      .order = order };
}

static void add(GPtrArray *ticks, Ticker *added)
{
    added->tick.user = added;
    g_ptr_array_add(ticks, &added->tick);
}

START_TEST(ticks_are_called_when_due_in_their_order)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    g_autoptr(GString) order = g_string_new(NULL);
    Ticker a = ticker('a', 2 * MS, 2 * MS, order);
    Ticker b = ticker('b', 0, 3 * MS, order);
    Ticker never = ticker('n', EMU_CLOCK_NEVER, 0, order);
    char limit[] = "0.0095";

    write_bios(count_for_ever, sizeof(count_for_ever));
    add(ticks, &a);
    add(ticks, &b);
    add(ticks, &never);

    Result result = run(ticks, limit);

    ck_assert_int_eq(result.status, FE_STATUS_LIMIT);
    ck_assert_str_eq(order->str, "babaabab");
    result_clear(&result);
}
END_TEST

static const struct {
    const uint8_t *code;
    size_t len;
    const char *max_time;
    uint64_t every_ns;
    int status;
    unsigned n_calls; /* at least */
} guests[] = {
    { count_for_ever, sizeof(count_for_ever), "0.02", 77777, FE_STATUS_LIMIT, 257 },
    /* Ticks before it halts, at once after it and never in its time. */
    { halt_for_good, sizeof(halt_for_good), NULL, 1, FE_STATUS_GUEST_FAILED, 2 },
    { halt_for_good, sizeof(halt_for_good), NULL, 5, FE_STATUS_GUEST_FAILED, 0 },
    { halt_for_good, sizeof(halt_for_good), NULL, 7000 * MS, FE_STATUS_GUEST_FAILED, 0 },
    { halt_for_good, sizeof(halt_for_good), "0.02", 7 * MS, FE_STATUS_LIMIT, 2 },
    { wait_for_timer, sizeof(wait_for_timer), NULL, 3 * MS, 1, 3 },
    { wait_for_timer, sizeof(wait_for_timer), NULL, 9999, 1, 1000 },
};

START_TEST(guest_runs_the_same_with_ticks)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    g_autoptr(GString) order = g_string_new(NULL);
    g_autofree char *limit = g_strdup(guests[_i].max_time);
    Ticker a = ticker('a', guests[_i].every_ns, guests[_i].every_ns, order);

    write_bios(guests[_i].code, guests[_i].len);
    add(ticks, &a);

    Result without = run(NULL, limit);
    Result with = run(ticks, limit);

    ck_assert_int_eq(without.status, guests[_i].status);
    ck_assert_uint_ge(a.n_calls, guests[_i].n_calls);
    ck_assert_int_eq(with.status, without.status);
    ck_assert_str_eq(with.reason, without.reason);
    ck_assert_uint_eq(with.now_ns, without.now_ns);
    ck_assert_uint_eq(with.stats.bytes_executed, without.stats.bytes_executed);
    ck_assert_uint_eq(with.stats.interrupts, without.stats.interrupts);
    ck_assert_uint_eq(with.stats.exceptions, without.stats.exceptions);
    ck_assert_uint_eq(with.stats.halts, without.stats.halts);
    ck_assert_uint_eq(with.saved_len, without.saved_len);
    ck_assert_msg(memcmp(with.saved, without.saved, with.saved_len) == 0, "saved files differ");
    result_clear(&with);
    result_clear(&without);
}
END_TEST

START_TEST(tick_that_fails_ends_the_run)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    g_autoptr(GString) order = g_string_new(NULL);
    Ticker a = ticker('a', MS, MS, order);
    Ticker b = ticker('b', MS, MS, order);
    char limit[] = "1";

    write_bios(count_for_ever, sizeof(count_for_ever));
    add(ticks, &a);
    add(ticks, &b);
    a.fails_at = 3;

    Result result = run(ticks, limit);

    ck_assert_int_eq(result.status, FE_STATUS_USAGE);
    ck_assert_str_eq(result.reason, "ticker a: no more");
    ck_assert_str_eq(order->str, "ababa");
    ck_assert_uint_le(result.now_ns, 3 * MS + LATE_NS);
    result_clear(&result);
}
END_TEST

/* Nothing will ever happen: that is the end, not a reason to tick for ever. */
START_TEST(guest_halted_for_good_is_told_all_the_same)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    g_autoptr(GString) order = g_string_new(NULL);
    Ticker a = ticker('a', MS, MS, order);

    write_bios(halt_for_good, sizeof(halt_for_good));
    add(ticks, &a);

    Result result = run(ticks, NULL);

    ck_assert_int_eq(result.status, FE_STATUS_GUEST_FAILED);
    ck_assert_msg(g_str_has_prefix(result.reason, "halted for good"), "%s", result.reason);
    ck_assert_uint_eq(a.n_calls, 0);
    ck_assert_uint_eq(result.now_ns, 5); /* JMP, STI, HLT: a nanosecond a byte */
    result_clear(&result);
}
END_TEST

/* What ends a run between two ticks is seen at once. */
START_TEST(other_ends_come_through)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    g_autoptr(GString) order = g_string_new(NULL);
    Ticker a = ticker('a', 100 * MS, 100 * MS, order);

    write_bios(reset, sizeof(reset));
    add(ticks, &a);

    Result result = run(ticks, NULL);

    ck_assert_int_eq(result.status, FE_STATUS_GOOD);
    ck_assert_uint_eq(a.n_calls, 0);
    result_clear(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run-loop");
    TCase *ticks = tcase_create("ticks");

    tcase_add_checked_fixture(ticks, set_up, tear_down);
    tcase_set_timeout(ticks, 60);
    tcase_add_test(ticks, ticks_are_called_when_due_in_their_order);
    tcase_add_loop_test(ticks, guest_runs_the_same_with_ticks, 0, G_N_ELEMENTS(guests));
    tcase_add_test(ticks, tick_that_fails_ends_the_run);
    tcase_add_test(ticks, guest_halted_for_good_is_told_all_the_same);
    tcase_add_test(ticks, other_ends_come_through);
    suite_add_tcase(suite, ticks);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
