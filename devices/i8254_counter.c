/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One counter of an 8254. Source: Intel 8254 datasheet (order 231164), "Mode definitions". */
#include "devices/i8254_counter.h"

#include <glib.h>

#define STATUS_OUTPUT 0x80u
#define STATUS_NULL_COUNT 0x40u

static bool is_periodic(const I8254Counter *counter)
{
    return counter->mode == 2 || counter->mode == 3;
}

static bool needs_trigger(const I8254Counter *counter)
{
    return counter->mode == 1 || counter->mode == 5;
}

static bool is_running(const I8254Counter *counter)
{
    return counter->loaded && (!needs_trigger(counter) || counter->triggered) &&
           (!is_periodic(counter) || counter->gate);
}

static uint32_t full_count(const I8254Counter *counter)
{
    return counter->bcd ? 10000 : 65536;
}

/* Ticks since the count was loaded; 0 before that. */
static uint64_t elapsed(const I8254Counter *counter, uint64_t now)
{
    if (counter->frozen) {
        return counter->frozen_at;
    }
    return now > counter->start ? now - counter->start : 0;
}

/* Takes over a count written during a period that has ended by @now. */
static void settle(I8254Counter *counter, uint64_t now)
{
    if (counter->next_count == 0 || !is_periodic(counter) || !is_running(counter)) {
        return;
    }
    /* The start is that of the period in which the new count was written: see load_count(). */
    if (elapsed(counter, now) >= counter->count) {
        counter->start += counter->count;
        counter->count = counter->next_count;
        counter->next_count = 0;
    }
}

void i8254_counter_reset(I8254Counter *counter, bool gate)
{
    *counter = (I8254Counter) { .count = 65536, .access = 3, .gate = gate };
}

void i8254_counter_set_mode(I8254Counter *counter, uint8_t control)
{
    uint8_t mode = (control >> 1) & 7;

    *counter = (I8254Counter) {
        .count = 65536,
        .access = (control >> 4) & 3,
        .mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
        .bcd = (control & 1) != 0,
        .gate = counter->gate,
    };
    if (counter->bcd) {
        counter->count = 10000;
    }
}

static uint32_t decode_count(const I8254Counter *counter, uint16_t value)
{
    uint32_t count = value;

    if (counter->bcd) {
        count = (value >> 12) * 1000u + ((value >> 8) & 15) * 100u + ((value >> 4) & 15) * 10u +
                (value & 15);
    }
    return count == 0 ? full_count(counter) : MIN(count, full_count(counter));
}

static uint16_t encode_count(const I8254Counter *counter, uint64_t count)
{
    if (!counter->bcd) {
        return (uint16_t)count;
    }

    uint32_t n = (uint32_t)(count % 10000);

    return (uint16_t)((n / 1000) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static void load_count(I8254Counter *counter, uint64_t now, uint16_t value)
{
    uint32_t count = decode_count(counter, value);

    if (is_periodic(counter) && is_running(counter)) {
        settle(counter, now);

        /* Bring the start to the period that runs now, so that its end is the next one. */
        uint64_t e = elapsed(counter, now);

        counter->start += e - e % counter->count;
        counter->next_count = count;
        return;
    }
    if (needs_trigger(counter) && counter->triggered) {
        counter->next_count = count; /* taken at the next trigger */
        counter->loaded = true;
        return;
    }
    counter->count = count;
    counter->next_count = 0;
    counter->loaded = true;
    counter->start = now + 1;
    counter->frozen = !is_periodic(counter) && !needs_trigger(counter) && !counter->gate;
    counter->frozen_at = 0;
}

void i8254_counter_write(I8254Counter *counter, uint64_t now, uint8_t value)
{
    switch (counter->access) {
    case 1:
        load_count(counter, now, value);
        return;
    case 2:
        load_count(counter, now, (uint16_t)(value << 8));
        return;
    default:
        break;
    }
    if (!counter->write_high) {
        counter->low_byte = value;
        counter->write_high = true;
        /* In mode 0 the first byte stops the counting and pulls the output low. */
        if (counter->mode == 0 && counter->loaded) {
            counter->frozen_at = 0;
            counter->frozen = true;
        }
        return;
    }
    counter->write_high = false;
    load_count(counter, now, (uint16_t)(counter->low_byte | value << 8));
}

/* What the counting element shows. */
static uint16_t current(I8254Counter *counter, uint64_t now)
{
    settle(counter, now);

    uint64_t e = is_running(counter) ? elapsed(counter, now) : 0;
    uint64_t n = counter->count;

    if (counter->mode == 2) {
        return encode_count(counter, n - e % n);
    }
    if (counter->mode == 3) {
        uint64_t in_period = e % n;
        uint64_t high = (n + 1) / 2;

        in_period = in_period < high ? in_period : in_period - high;
        return encode_count(counter, (n & ~UINT64_C(1)) - 2 * in_period);
    }

    uint64_t full = full_count(counter);

    return encode_count(counter, n + full - e % full);
}

bool i8254_counter_output(I8254Counter *counter, uint64_t now)
{
    settle(counter, now);
    if (!is_running(counter)) {
        return counter->mode != 0;
    }

    uint64_t e = elapsed(counter, now);
    uint64_t n = counter->count;

    switch (counter->mode) {
    case 0:
        return e >= n;
    case 1:
        return now < counter->start || e >= n;
    case 2:
        return e % n != n - 1;
    case 3:
        return e % n < (n + 1) / 2;
    default:
        return e != n;
    }
}

uint64_t i8254_counter_next_rise(I8254Counter *counter, uint64_t after)
{
    settle(counter, after);
    if (!is_running(counter) || counter->frozen) {
        return I8254_NEVER;
    }

    uint64_t n = counter->count;
    uint64_t rise;

    if (is_periodic(counter)) {
        /* A period of one tick has no edge: the datasheet calls it illegal. */
        if (n < 2) {
            return I8254_NEVER;
        }
        return counter->start + (elapsed(counter, after) / n + 1) * n;
    }
    rise = counter->start + n + (counter->mode >= 4 ? 1 : 0);
    return rise > after ? rise : I8254_NEVER;
}

void i8254_counter_latch(I8254Counter *counter, uint64_t now)
{
    if (counter->latched_bytes == 0) {
        counter->latch = current(counter, now);
        counter->latched_bytes = counter->access == 3 ? 2 : 1;
        if (counter->access == 3) {
            counter->read_high = false;
        }
    }
}

void i8254_counter_latch_status(I8254Counter *counter, uint64_t now)
{
    if (counter->status_latched) {
        return;
    }

    bool output = i8254_counter_output(counter, now);
    bool null_count = !counter->loaded || counter->next_count != 0 || now < counter->start;

    counter->status =
        (uint8_t)((output ? STATUS_OUTPUT : 0) | (null_count ? STATUS_NULL_COUNT : 0) |
                  counter->access << 4 | counter->mode << 1 | (counter->bcd ? 1 : 0));
    counter->status_latched = true;
}

uint8_t i8254_counter_read(I8254Counter *counter, uint64_t now)
{
    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->status;
    }

    uint16_t value = counter->latched_bytes > 0 ? counter->latch : current(counter, now);
    bool high = counter->access == 2 || (counter->access == 3 && counter->read_high);

    if (counter->latched_bytes > 0) {
        counter->latched_bytes--;
    }
    if (counter->access == 3) {
        counter->read_high = !counter->read_high;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

static void gate_rises(I8254Counter *counter, uint64_t now)
{
    if (needs_trigger(counter) || is_periodic(counter)) {
        counter->triggered = needs_trigger(counter) && counter->loaded;
        if (counter->next_count != 0) {
            counter->count = counter->next_count;
            counter->next_count = 0;
        }
        counter->start = now + 1;
    } else if (counter->frozen && !counter->write_high) {
        counter->frozen = false;
        counter->start = now + 1 > counter->frozen_at ? now + 1 - counter->frozen_at : 0;
    }
}

void i8254_counter_set_gate(I8254Counter *counter, uint64_t now, bool level)
{
    if (level == counter->gate) {
        return;
    }
    settle(counter, now);
    counter->gate = level;
    if (level) {
        gate_rises(counter, now);
    } else if (!is_periodic(counter) && !needs_trigger(counter) && counter->loaded &&
               !counter->frozen) {
        counter->frozen_at = elapsed(counter, now);
        counter->frozen = true;
    }
}

bool i8254_counter_is_valid(const I8254Counter *counter)
{
    return counter->count >= 1 && counter->count <= full_count(counter) &&
           counter->next_count <= full_count(counter) && counter->access != 0 &&
           (!counter->frozen || counter->mode == 0 || counter->mode == 4) &&
           counter->frozen_at <= I8254_MAX_TICK && counter->start <= I8254_MAX_TICK;
}
