/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest time and timers. See emu/clock.h for the rules and emu/clock-internal.h for the invariants.
 *
 * Source: ours. That bytes of code are counted and not blocks is because blocks are cut differently
 * when a guest is stepped or has breakpoints, while the bytes it executes are the same.
 */
#include "emu/clock-internal.h"

#include <string.h>

__extension__ typedef unsigned __int128 Wide;

struct EmuTimer {
    EmuClock *clock;
    char *name;
    EmuTimerFunc func;
    void *user;
    uint64_t deadline;
    uint64_t sequence;   /* order of arming, for equal deadlines */
    GSequenceIter *iter; /* NULL: not armed */
    uint64_t serial;     /* order of making; never used twice */
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
    clock->all = g_ptr_array_new();
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
    g_ptr_array_unref(clock->all);
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
    timer->serial = clock->n_timers++;
    g_ptr_array_add(clock->all, timer);
    return timer;
}

void emu_timer_free(EmuTimer *timer)
{
    if (timer == NULL) {
        return;
    }
    emu_timer_cancel(timer);
    g_ptr_array_remove(timer->clock->all, timer);
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

/* ---- state */

void emu_clock_get_record(const EmuClock *clock, EmuClockRecord *ret_record)
{
    *ret_record = (EmuClockRecord) { .bytes = clock->bytes,
                                     .skipped = clock->skipped,
                                     .debt = clock->debt,
                                     .sequence = clock->sequence };
    if (clock->host) {
        ret_record->host_ns = emu_clock_now(clock);
    }
}

void emu_clock_put_record(EmuClock *clock, const EmuClockRecord *record)
{
    g_assert(!clock->in_guest);
    clock->bytes = record->bytes;
    clock->skipped = record->skipped;
    clock->debt = record->debt;
    clock->sequence = record->sequence;
    if (clock->host) {
        clock->host_start_us = g_get_monotonic_time() - (int64_t)(record->host_ns / 1000);
    }
}

unsigned emu_clock_n_timers(const EmuClock *clock)
{
    return clock->all->len;
}

void emu_clock_get_timers(const EmuClock *clock, EmuTimerRecord *ret_records)
{
    for (unsigned i = 0; i < clock->all->len; i++) {
        const EmuTimer *timer = g_ptr_array_index(clock->all, i);

        ret_records[i] = (EmuTimerRecord) { .serial = timer->serial,
                                            .deadline = timer->deadline,
                                            .sequence = timer->sequence };
    }
}

static void put_timer(EmuTimer *timer, uint64_t deadline, uint64_t sequence)
{
    if (timer->deadline == deadline && timer->sequence == sequence) {
        return;
    }
    if (timer->iter != NULL) {
        g_sequence_remove(timer->iter);
        timer->iter = NULL;
    }
    timer->deadline = deadline;
    timer->sequence = sequence;
    if (deadline != EMU_CLOCK_NEVER) {
        timer->iter = g_sequence_insert_sorted(timer->clock->timers, timer, timer_compare, NULL);
    }
}

void emu_clock_put_timers(EmuClock *clock, const EmuTimerRecord *records, unsigned n)
{
    unsigned next = 0;

    g_assert(!clock->in_guest);
    /* Both are in order of making. */
    for (unsigned i = 0; i < clock->all->len; i++) {
        EmuTimer *timer = g_ptr_array_index(clock->all, i);

        while (next < n && records[next].serial < timer->serial) {
            next++;
        }
        if (next < n && records[next].serial == timer->serial) {
            put_timer(timer, records[next].deadline, records[next].sequence);
        } else {
            put_timer(timer, EMU_CLOCK_NEVER, 0);
        }
    }
    update_next_deadline(clock);
}

const char *emu_clock_timer_name(const EmuClock *clock, unsigned index, uint32_t *ret_instance)
{
    const EmuTimer *timer = g_ptr_array_index(clock->all, index);

    *ret_instance = 0;
    for (unsigned i = 0; i < index; i++) {
        const EmuTimer *other = g_ptr_array_index(clock->all, i);

        *ret_instance += strcmp(other->name, timer->name) == 0;
    }
    return timer->name;
}
