/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest time and timers. See emu/clock.h for the rules and emu/clock-internal.h for the invariants.
 *
 * Source: ours. That bytes of code are counted and not blocks is because blocks are cut differently
 * when a guest is stepped or has breakpoints, while the bytes it executes are the same.
 */
#include "emu/clock-internal.h"

__extension__ typedef unsigned __int128 Wide;

struct EmuTimer {
    EmuClock *clock;
    char *name;
    EmuTimerFunc func;
    void *user;
    uint64_t deadline;
    uint64_t sequence;   /* order of arming, for equal deadlines */
    GSequenceIter *iter; /* NULL: not armed */
};

static int timer_compare(const void *a, const void *b, void *user)
{
    const EmuTimer *x = a;
    const EmuTimer *y = b;

    (void)user;
    if (x->deadline != y->deadline) {
        return x->deadline < y->deadline ? -1 : 1;
    }
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static EmuTimer *first_timer(const EmuClock *clock)
{
    GSequenceIter *begin = g_sequence_get_begin_iter(clock->timers);

    return g_sequence_iter_is_end(begin) ? NULL : g_sequence_get(begin);
}

static void update_next_deadline(EmuClock *clock)
{
    const EmuTimer *first = first_timer(clock);
    uint64_t next = first != NULL ? first->deadline : EMU_CLOCK_NEVER;
    bool nearer = next < clock->next_deadline;

    clock->next_deadline = next;
    if (nearer && clock->in_guest && clock->deadline_changed != NULL) {
        clock->deadline_changed(clock->deadline_user);
    }
}

EmuClock *emu_clock_new(void)
{
    EmuClock *clock = g_new0(EmuClock, 1);

    clock->timers = g_sequence_new(NULL);
    clock->next_deadline = EMU_CLOCK_NEVER;
    clock->host_start_us = g_get_monotonic_time();
    return clock;
}

void emu_clock_free(EmuClock *clock)
{
    if (clock == NULL) {
        return;
    }
    g_assert(g_sequence_is_empty(clock->timers));
    g_sequence_free(clock->timers);
    g_free(clock);
}

uint64_t emu_clock_now(const EmuClock *clock)
{
    if (clock->host) {
        return (uint64_t)(g_get_monotonic_time() - clock->host_start_us) * 1000;
    }
    if (clock->in_guest && clock->exact_bytes != NULL) {
        return clock->exact_bytes(clock->exact_user) + clock->skipped + clock->debt;
    }
    return clock->bytes + clock->skipped + clock->debt;
}

uint64_t emu_clock_settled(const EmuClock *clock)
{
    return clock->host ? emu_clock_now(clock) : clock->bytes + clock->skipped;
}

void emu_clock_settle(EmuClock *clock)
{
    clock->skipped += clock->debt;
    clock->debt = 0;
}

uint64_t emu_clock_ticks(const EmuClock *clock, uint64_t hz)
{
    return (uint64_t)((Wide)emu_clock_now(clock) * hz / EMU_NS_PER_SECOND);
}

uint64_t emu_clock_ns_of_ticks(uint64_t ticks, uint64_t hz)
{
    g_assert(hz > 0);

    Wide ns = ((Wide)ticks * EMU_NS_PER_SECOND + hz - 1) / hz;

    return ns >= EMU_CLOCK_NEVER ? EMU_CLOCK_NEVER - 1 : (uint64_t)ns;
}

EmuTimer *emu_timer_new(EmuClock *clock, const char *name, EmuTimerFunc func, void *user)
{
    EmuTimer *timer = g_new0(EmuTimer, 1);

    timer->clock = clock;
    timer->name = g_strdup(name);
    timer->func = func;
    timer->user = user;
    timer->deadline = EMU_CLOCK_NEVER;
    return timer;
}

void emu_timer_free(EmuTimer *timer)
{
    if (timer == NULL) {
        return;
    }
    emu_timer_cancel(timer);
    g_free(timer->name);
    g_free(timer);
}

void emu_timer_set(EmuTimer *timer, uint64_t deadline_ns)
{
    EmuClock *clock = timer->clock;

    if (clock->in_guest) {
        uint64_t soonest = emu_clock_now(clock) + EMU_CLOCK_LATENCY_NS;

        deadline_ns = MAX(deadline_ns, soonest);
    }
    if (timer->iter != NULL) {
        g_sequence_remove(timer->iter);
    }
    timer->deadline = deadline_ns;
    timer->sequence = ++clock->sequence;
    timer->iter = g_sequence_insert_sorted(clock->timers, timer, timer_compare, NULL);
    update_next_deadline(clock);
}

void emu_timer_cancel(EmuTimer *timer)
{
    if (timer->iter == NULL) {
        return;
    }
    g_sequence_remove(timer->iter);
    timer->iter = NULL;
    timer->deadline = EMU_CLOCK_NEVER;
    update_next_deadline(timer->clock);
}

uint64_t emu_timer_deadline(const EmuTimer *timer)
{
    return timer->deadline;
}

void emu_clock_run_due(EmuClock *clock)
{
    g_assert(!clock->in_guest);

    /* Timers armed in this pass have a later sequence and wait for the next one. */
    uint64_t last = clock->sequence;
    uint64_t now = emu_clock_settled(clock);

    while (clock->next_deadline <= now) {
        EmuTimer *timer = first_timer(clock);

        if (timer->sequence > last) {
            break;
        }
        emu_timer_cancel(timer);
        timer->func(timer->user);
    }
}

void emu_clock_skip_to(EmuClock *clock, uint64_t ns)
{
    uint64_t now = clock->bytes + clock->skipped;

    if (ns > now) {
        clock->skipped += ns - now;
    }
}

void emu_clock_advance_to(EmuClock *clock, uint64_t ns)
{
    g_assert(!clock->in_guest && !clock->host);

    while (clock->next_deadline <= ns) {
        emu_clock_skip_to(clock, clock->next_deadline);
        emu_clock_run_due(clock);
    }
    emu_clock_skip_to(clock, ns);
}
