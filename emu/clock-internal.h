/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the clock, for the run loop and for tests of chips.
 *
 * Virtual time is `bytes executed + skipped + debt`: `skipped` grows when HLT jumps to the next
 * timer, `debt` with each port access, which takes its time on the bus. Deadlines are compared with
 * settled time, `bytes + skipped`, so that a port access does not move them into the running block;
 * debt is settled where the guest jumps (emu/uc_hooks.c). While the guest executes, the run loop
 * supplies the position inside the running block through `exact_bytes`.
 *
 * Invariants:
 *   1. `timers` is sorted by (deadline, sequence); its first entry decides `next_deadline`.
 *   2. While `in_guest`, a timer is never armed nearer than EMU_CLOCK_LATENCY_NS.
 *   3. Time never runs backwards.
 */
#pragma once

#include "emu/clock.h"

struct EmuClock {
    uint64_t bytes;         /* of code, charged up to the end of the running block */
    uint64_t skipped;       /* ns added by halts and settled debt */
    uint64_t debt;          /* ns of port accesses, not yet settled */
    uint64_t next_deadline; /* of the first timer; EMU_CLOCK_NEVER if none is armed */
    bool in_guest; /* translated code runs below us: callbacks come from inside an instruction */
    bool host;     /* time comes from the host */
    int64_t host_start_us;
    uint64_t sequence;
    GSequence *timers;
    GPtrArray *all;    /* every timer there is, in order of making */
    uint64_t n_timers; /* made so far */
    /* While in_guest: the charged bytes at the instruction that executes now. */
    uint64_t (*exact_bytes)(void *user);
    void *exact_user;
    /* Told when next_deadline moved nearer while in_guest; the core must stop in time. */
    void (*deadline_changed)(void *user);
    void *deadline_user;
};

EmuClock *emu_clock_new(void);

/* All timers must have been freed (asserted). */
void emu_clock_free(EmuClock *clock);

/* Runs every timer whose deadline is at or before now, in order. Not while in_guest. Each timer
 * fires at most once a call, so that one that arms itself for now cannot hang the caller. */
void emu_clock_run_due(EmuClock *clock);

/* Time jumps to @ns (never back) as in a halt, timers on the way run at their own deadlines. For
 * tests of chips. */
void emu_clock_advance_to(EmuClock *clock, uint64_t ns);

/* Time that deadlines are compared with. */
uint64_t emu_clock_settled(const EmuClock *clock);
void emu_clock_settle(EmuClock *clock);

/* Adds halted time up to @ns; timers do not run. */
void emu_clock_skip_to(EmuClock *clock, uint64_t ns);

/* ---- state */

/* Time, and the count that orders timers of equal deadlines. */
typedef struct EmuClockRecord {
    uint64_t bytes, skipped, debt, sequence;
    uint64_t host_ns; /* host mode only */
} EmuClockRecord;

void emu_clock_get_record(const EmuClock *clock, EmuClockRecord *ret_record);
void emu_clock_put_record(EmuClock *clock, const EmuClockRecord *record);

typedef struct EmuTimerRecord {
    uint64_t serial;   /* which one */
    uint64_t deadline; /* EMU_CLOCK_NEVER: not armed */
    uint64_t sequence;
} EmuTimerRecord;

unsigned emu_clock_n_timers(const EmuClock *clock);
void emu_clock_get_timers(const EmuClock *clock, EmuTimerRecord *ret_records);
/* Arms and disarms until the table is @records, sequences too; timers made since are disarmed, gone
 * ones skipped. */
void emu_clock_put_timers(EmuClock *clock, const EmuTimerRecord *records, unsigned n);

/* The @index'th timer's name, and how many before it have the same. */
const char *emu_clock_timer_name(const EmuClock *clock, unsigned index, uint32_t *ret_instance);
