/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One counter of an 8254, as a plain function of what was written to it and of time in ticks of its
 * clock.
 *
 *   tick of the write, w:  the count is loaded at start = w + 1, and with e = now - start
 *   mode 0, 4   the counting element holds count - e, wrapping below 0; a low gate freezes e
 *   mode 1, 5   the same from the tick after a rising gate
 *   mode 2      count - e % count: output low in the last tick of each period
 *   mode 3      counts by two, twice a period; output high in the first half (the longer one if
 * odd)
 *
 * Invariants:
 *   1. count is 1 to 65536, or to 10000 in BCD; it is a number, never BCD digits.
 *   2. With loaded clear nothing counts: no count has been written since the mode.
 *   3. frozen is set only in modes 0 and 4, while the gate is low or half a count is written: e is
 * then frozen_at.
 *
 * Source: Intel 8254 datasheet (order 231164).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define I8254_NEVER UINT64_MAX
/* Ticks stay below this: 29 years of guest time. */
#define I8254_MAX_TICK (UINT64_C(1) << 50)

typedef struct I8254Counter {
    uint64_t start;
    uint64_t frozen_at;
    uint32_t count;
    uint32_t next_count; /* modes 2 and 3: taken at the end of the period; 0: none */
    uint16_t latch;
    uint8_t latched_bytes; /* of latch, still to be read */
    uint8_t access;        /* 1 low byte, 2 high byte, 3 low then high */
    uint8_t mode;          /* 0 to 5 */
    uint8_t status;
    uint8_t low_byte; /* written, waiting for the high one */
    bool status_latched;
    bool bcd;
    bool gate;
    bool loaded;
    bool triggered; /* modes 1 and 5: the gate has risen since the count came */
    bool frozen;
    bool write_high; /* the next write is the high byte */
    bool read_high;  /* likewise the next read */
} I8254Counter;

/* After power-on: no mode, no count; the output is low. @gate: its level. */
void i8254_counter_reset(I8254Counter *counter, bool gate);

/* A control word for this counter: not a latch command. */
void i8254_counter_set_mode(I8254Counter *counter, uint8_t control);
void i8254_counter_write(I8254Counter *counter, uint64_t now, uint8_t value);
uint8_t i8254_counter_read(I8254Counter *counter, uint64_t now);
void i8254_counter_latch(I8254Counter *counter, uint64_t now);
void i8254_counter_latch_status(I8254Counter *counter, uint64_t now);
void i8254_counter_set_gate(I8254Counter *counter, uint64_t now, bool level);

bool i8254_counter_output(I8254Counter *counter, uint64_t now);

/* The first tick after @after at which the output rises, or I8254_NEVER. */
uint64_t i8254_counter_next_rise(I8254Counter *counter, uint64_t after);

bool i8254_counter_is_valid(const I8254Counter *counter);
