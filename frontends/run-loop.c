/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of a run; see run-loop.h.
 *
 * The guest runs in slices of guest time. Where a run is cut means nothing to the guest
 * (emu/clock.h), so slices need no agreement with anything; they only bound how long a typed key or
 * a lost stop request waits. Ticks cut slices further, unseen by all else.
 *
 * A slice ends at a limit or at a pause. What may come at a limit is worth waiting for, to a guest
 * halted with no timer set: the end of the run, a moment, a typed key. To take a picture or to go
 * on with a save is not; these pause.
 */
#include "run-loop.h"

#include "run.h"
#include "signals.h"
#include "terminal.h"
#include "typing.h"

#define KEYS_NS (EMU_NS_PER_SECOND / 100)

static void end(FeOutcome *outcome, int status, bool show_state, char *reason)
{
    outcome->status = status;
    outcome->show_state = show_state;
    outcome->reason = reason;
}

/* Whether --save-at waits still. */
static bool save_is_due(const FeRunLoop *loop)
{
    return loop->guest->options->save_at != NULL && !fe_saver_is_active(loop->saver) &&
           !fe_saver_is_done(loop->saver);
}

/* Of the moments that should not end the run, one that was not seen: its option, or NULL. */
static const char *unseen_option(const FeRunLoop *loop)
{
    if (save_is_due(loop)) {
        return "--save-at";
    }
    return fe_moment_watch_next_typing(loop->watch) != NULL ? "--type-at" : NULL;
}

/* A stop that counts as good, but for a moment that nobody has seen. */
static void end_well(const FeRunLoop *loop, FeOutcome *outcome)
{
    const char *unseen = unseen_option(loop);

    if (unseen == NULL && loop->guest->options->until->len > 0) {
        unseen = "--until";
    }
    if (unseen != NULL) {
        end(outcome, FE_STATUS_GUEST_FAILED, true,
            g_strdup_printf("%s, before %s was seen", outcome->stop.text, unseen));
        return;
    }
    end(outcome, FE_STATUS_GOOD, false, g_strdup(outcome->stop.text));
}

/* What came from outside the machine. Returns: whether the run is over */
static bool end_from_outside(const FeRunLoop *loop, FeOutcome *outcome)
{
    const FeRunOptions *options = loop->guest->options;
    int number = fe_signals_caught();

    if (number != 0) {
        end(outcome, 128 + number, false, g_strdup_printf("by %s", fe_signals_name(number)));
        return true;
    }
    if (fe_signals_timed_out()) {
        g_autofree char *seconds = fe_format_seconds(options->timeout_ns);

        end(outcome, FE_STATUS_LIMIT, false, g_strdup_printf("limit: --timeout %s", seconds));
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(loop->outputs); i++) {
        char *trouble = loop->outputs[i] ? fe_output_describe_error(loop->outputs[i]) : NULL;

        if (trouble != NULL) {
            end(outcome, FE_STATUS_USAGE, false, trouble);
            return true;
        }
    }
    return false;
}

static bool end_by_time(const FeRunLoop *loop, FeOutcome *outcome)
{
    const FeRunOptions *options = loop->guest->options;

    if (emu_clock_now(emu_machine_clock(loop->guest->machine)) < options->max_time_ns) {
        return false;
    }

    g_autofree char *seconds = fe_format_seconds(options->max_time_ns);

    end(outcome, FE_STATUS_LIMIT, false, g_strdup_printf("limit: --max-time %s", seconds));
    return true;
}

static bool end_by_reset(const FeRunLoop *loop, FeOutcome *outcome)
{
    g_autoptr(GError) error = NULL;

    if (!loop->guest->options->reset_continues) {
        end_well(loop, outcome);
        return true;
    }
    if (!fe_guest_reset(loop->guest, &error)) {
        end(outcome, FE_STATUS_USAGE, false, g_strdup(error->message));
        return true;
    }
    return false;
}

/* What the machine said. Returns: whether the run is over */
static bool end_by_stop(const FeRunLoop *loop, FeOutcome *outcome)
{
    switch (outcome->stop.reason) {
    case EMU_STOP_NONE:
    case EMU_STOP_REQUEST:
    case EMU_STOP_PAUSE:
        return false;
    case EMU_STOP_TIME:
        return end_by_time(loop, outcome);
    case EMU_STOP_RESET:
        return end_by_reset(loop, outcome);
    case EMU_STOP_POWER_OFF:
        end_well(loop, outcome);
        return true;
    case EMU_STOP_DEBUG_EXIT:
        end(outcome, (int)(((outcome->stop.code << 1) | 1) & 0xFF), false,
            g_strdup(outcome->stop.text));
        return true;
    case EMU_STOP_NO_MEMORY:
        end(outcome, FE_STATUS_LIMIT, true, g_strdup(outcome->stop.text));
        return true;
    case EMU_STOP_STEP:
    case EMU_STOP_BREAKPOINT:
    case EMU_STOP_TRIPLE_FAULT:
    case EMU_STOP_HALTED:
    case EMU_STOP_BAD_FETCH:
    case EMU_STOP_NOT_SUPPORTED:
    case EMU_STOP_ENGINE:
        break;
    }
    end(outcome, FE_STATUS_GUEST_FAILED, true, g_strdup(outcome->stop.text));
    return true;
}

static void flush(const FeRunLoop *loop)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(loop->outputs); i++) {
        if (loop->outputs[i] != NULL) {
            fe_output_flush(loop->outputs[i]);
        }
    }
}

/* The earliest of all ticks, or EMU_CLOCK_NEVER. */
static uint64_t next_tick(const FeRunLoop *loop)
{
    uint64_t due_ns = EMU_CLOCK_NEVER;

    for (unsigned i = 0; loop->ticks != NULL && i < loop->ticks->len; i++) {
        const FeTick *tick = g_ptr_array_index(loop->ticks, i);

        due_ns = MIN(due_ns, tick->due_ns);
    }
    return due_ns;
}

/* Calls what is due. */
static bool call_ticks(const FeRunLoop *loop, GError **error)
{
    uint64_t now = emu_clock_now(emu_machine_clock(loop->guest->machine));

    for (unsigned i = 0; loop->ticks != NULL && i < loop->ticks->len; i++) {
        FeTick *tick = g_ptr_array_index(loop->ticks, i);

        if (tick->due_ns <= now) {
            if (!tick->call(tick->user, now, error)) {
                return false;
            }
            g_assert(tick->due_ns > now);
        }
    }
    return true;
}

/* Runs to @pause_ns, to @limit_ns or to another stop, and pauses for each tick on the way. To
 * whoever polls keys or goes on with a save between slices, those pauses are not there. False: a
 * tick failed. */
static bool run_to(const FeRunLoop *loop, uint64_t pause_ns, uint64_t limit_ns, EmuStop *ret_stop,
                   GError **error)
{
    EmuMachine *machine = loop->guest->machine;

    for (;;) {
        uint64_t next_ns = MIN(pause_ns, next_tick(loop));

        *ret_stop = emu_machine_run_until(machine, next_ns, limit_ns);
        flush(loop);
        if (!call_ticks(loop, error)) {
            return false;
        }
        if (ret_stop->reason != EMU_STOP_PAUSE || next_ns == pause_ns) {
            return true;
        }
    }
}

static bool run_slice(const FeRunLoop *loop, bool keys_may_come, EmuStop *ret_stop, GError **error)
{
    uint64_t limit = MIN(fe_moment_watch_deadline(loop->watch), loop->guest->options->max_time_ns);
    uint64_t pause = EMU_CLOCK_NEVER;
    uint64_t now = emu_clock_now(emu_machine_clock(loop->guest->machine));
    uint64_t next_look = now - now % KEYS_NS + KEYS_NS; /* at multiples, whatever cut before */

    if (now >= limit) {
        *ret_stop = (EmuStop) { .reason = EMU_STOP_TIME, .text = "guest time is up" };
        return true;
    }
    if (keys_may_come) {
        limit = MIN(limit, next_look);
    }
    if (loop->saver != NULL && fe_saver_is_active(loop->saver)) {
        pause = next_look;
    }
    return run_to(loop, pause, limit, ret_stop, error);
}

static uint64_t bytes_executed(const FeRunLoop *loop)
{
    EmuMachineStats stats;

    emu_machine_get_stats(loop->guest->machine, &stats);
    return stats.bytes_executed;
}

/* Saves if the moment has come, and goes on with a live save. Returns: whether the run is over,
 * because that failed */
static bool end_by_save(const FeRunLoop *loop, FeOutcome *outcome)
{
    g_autoptr(GError) error = NULL;
    bool good = true;

    if (loop->saver == NULL) {
        return false;
    }
    fe_saver_see_stop(loop->saver, &outcome->stop);
    if (fe_moment_watch_take_save(loop->watch)) {
        good = fe_saver_start(loop->saver, &error);
        if (outcome->stop.reason == EMU_STOP_BREAKPOINT) {
            /* Ours; one of --until at the same place was noted before. */
            outcome->stop.reason = EMU_STOP_REQUEST;
        }
    } else if (fe_saver_is_active(loop->saver)) {
        good = fe_saver_go_on(loop->saver, &error);
    }
    if (!good) {
        end(outcome, FE_STATUS_USAGE, false, g_strdup(error->message));
    }
    return !good;
}

/* Types if a moment for it has come. Returns: whether the run is over, because that failed */
static bool end_by_typing(const FeRunLoop *loop, FeOutcome *outcome)
{
    g_autoptr(GError) error = NULL;
    bool typed = false;

    if (!fe_typing_go_on(loop->guest, loop->watch, &typed, &error)) {
        end(outcome, FE_STATUS_USAGE, false, g_strdup(error->message));
        return true;
    }
    if (typed && outcome->stop.reason == EMU_STOP_BREAKPOINT) {
        outcome->stop.reason = EMU_STOP_REQUEST; /* ours; see end_by_save() */
    }
    return false;
}

void fe_run_loop(FeRunLoop *loop, FeOutcome *ret_outcome)
{
    FeOutcome outcome = { .stop = { .reason = EMU_STOP_TIME } };
    g_autoptr(GError) error = NULL;
    uint64_t n_bytes = UINT64_MAX;
    bool keys_may_come = true;
    bool over = false;

    while (!over) {
        uint64_t n_bytes_now = bytes_executed(loop);

        if (outcome.stop.reason == EMU_STOP_TIME) {
            keys_may_come = fe_terminal_poll(n_bytes_now == n_bytes);
        }
        n_bytes = n_bytes_now;
        if (!run_slice(loop, keys_may_come, &outcome.stop, &error)) {
            end(&outcome, FE_STATUS_USAGE, false, g_strdup(error->message));
            break;
        }
        fe_moment_watch_see_stop(loop->watch, &outcome.stop);

        /* What was seen by then is in the state, not waited for by the run that goes on. */
        if (end_by_typing(loop, &outcome) || end_by_save(loop, &outcome)) {
            break;
        }
        char *seen = fe_moment_watch_describe_seen(loop->watch);

        if (seen != NULL) {
            const char *unseen = unseen_option(loop);

            if (unseen != NULL) {
                end(&outcome, FE_STATUS_GUEST_FAILED, false,
                    g_strdup_printf("%s, before %s was seen", seen, unseen));
                g_free(seen);
            } else {
                end(&outcome, FE_STATUS_GOOD, false, seen);
            }
            over = true;
        } else {
            over = end_from_outside(loop, &outcome) || end_by_stop(loop, &outcome);
        }
    }
    *ret_outcome = outcome;
}
