/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest time and the timers that wait for it. Time is in nanoseconds since the machine's power-on
 * and advances with the bytes of code the guest executes, so it repeats exactly from run to run;
 * `host` mode ties it to the host.
 *
 * One timer rule keeps runs equal however they are cut: a timer set while an instruction executes
 * never fires before EMU_CLOCK_LATENCY_NS have passed, so that it always lands on an instruction
 * boundary the run loop has not reached yet. Everything that should interrupt the guest goes
 * through a timer or a line (emu/lines.h), never straight to the CPU; a line raised by an
 * instruction is noticed where the guest jumps next.
 *
 * Thread: the machine's. Timer callbacks run between instructions, in order of deadline, then of
 * arming.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

typedef struct EmuClock EmuClock;
typedef struct EmuTimer EmuTimer;
typedef void (*EmuTimerFunc)(void *user);

#define EMU_NS_PER_SECOND UINT64_C(1000000000)
#define EMU_CLOCK_LATENCY_NS UINT64_C(8192)
#define EMU_CLOCK_NEVER UINT64_MAX

/* Guest time at the instruction that executes now. */
uint64_t emu_clock_now(const EmuClock *clock);

/**
 * emu_clock_ticks:
 * @hz: frequency of a counter that started at 0 with the machine
 *
 * Returns: its value now, computed without overflow
 */
uint64_t emu_clock_ticks(const EmuClock *clock, uint64_t hz);

/* The other way round: first time in ns at which such a counter has reached @ticks. */
uint64_t emu_clock_ns_of_ticks(uint64_t ticks, uint64_t hz);

/**
 * emu_timer_new:
 * @name: copied; for state files and traces
 *
 * Returns: (transfer full): a timer that is not set
 */
EmuTimer *emu_timer_new(EmuClock *clock, const char *name, EmuTimerFunc func, void *user);
void emu_timer_free(EmuTimer *timer);

/* Fires once at @deadline_ns, or as soon after as the rule above allows; replaces an earlier
 * deadline. */
void emu_timer_set(EmuTimer *timer, uint64_t deadline_ns);
void emu_timer_cancel(EmuTimer *timer);

/* The deadline it waits for, or EMU_CLOCK_NEVER. */
uint64_t emu_timer_deadline(const EmuTimer *timer);

#pragma GCC visibility pop
