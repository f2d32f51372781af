/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the I/O chips share: a port space and a clock of their own, wires that count,
 * port fuzzing, and the checks every saved state must pass.
 */
#pragma once

#include "emu/clock-internal.h"
#include "emu/console-internal.h"
#include "emu/lines.h"
#include "emu/ports-internal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static EmuPorts *ports;
static EmuClock *emu_clock;

static inline void fixture_setup(void)
{
    ports = emu_ports_new();
    emu_clock = emu_clock_new();
}

static inline void fixture_teardown(void)
{
    g_clear_pointer(&ports, emu_ports_free);
    g_clear_pointer(&emu_clock, emu_clock_free);
}

/* ---- wires ---- */

typedef struct Wire {
    bool level;
    unsigned n_rises;
    unsigned n_sets;
} Wire;

static inline void wire_set(void *user, unsigned pin, bool level)
{
    Wire *wire = user;

    (void)pin;
    wire->n_rises += level && !wire->level;
    wire->n_sets++;
    wire->level = level;
}

static inline EmuLine wire_line(Wire *wire)
{
    return (EmuLine) { .func = wire_set, .user = wire };
}

/* ---- ports ---- */

static inline uint8_t in8(uint16_t port)
{
    return (uint8_t)emu_ports_read(ports, port, 1);
}

static inline void out8(uint16_t port, uint32_t value)
{
    emu_ports_write(ports, port, 1, value);
}

typedef struct PortRange {
    uint16_t first;
    uint16_t count;
} PortRange;

/* Reads and writes of random sizes and values; one value in four is small, so that commands come
 * with parameters. */
static inline void fuzz_ports(const PortRange *ranges, unsigned n_ranges, uint32_t seed,
                              unsigned n_steps)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (unsigned i = 0; i < n_steps; i++) {
        const PortRange *range = &ranges[g_rand_int_range(rand, 0, (gint32)n_ranges)];
        uint16_t port = (uint16_t)(range->first + g_rand_int_range(rand, 0, range->count));
        unsigned size = 1u << g_rand_int_range(rand, 0, 3);
        uint32_t value = g_rand_int(rand);

        if (g_rand_int_range(rand, 0, 4) == 0) {
            value &= 3;
        }
        if (g_rand_boolean(rand)) {
            emu_ports_write(ports, port, size, value);
        } else {
            (void)emu_ports_read(ports, port, size);
        }
        if (g_rand_int_range(rand, 0, 64) == 0) {
            emu_clock_advance_to(emu_clock, emu_clock_now(emu_clock) + value % 1000000);
        }
    }
}

/* ---- saved states ---- */

typedef void (*SaveFunc)(GByteArray *out);
typedef bool (*LoadFunc)(const uint8_t *bytes, size_t len, size_t *pos, GError **error);

static inline GByteArray *saved_state(SaveFunc save)
{
    GByteArray *out = g_byte_array_new();

    save(out);
    return out;
}

/* Behind the first @name (with its length byte) in [@at, @end); fails the test if there is none. */
static inline uint8_t *behind_name(uint8_t *at, const uint8_t *end, const char *name)
{
    size_t len = strlen(name);

    for (; (size_t)(end - at) > len; at++) {
        if (at[0] == len && memcmp(at + 1, name, len) == 0) {
            return at + 1 + len;
        }
    }
    ck_abort_msg("no %s in the saved state", name);
}

/* Where the first element of field @name of chip @chip lies in @state. */
static inline uint8_t *field_in(GByteArray *state, const char *chip, const char *name)
{
    const uint8_t *end = state->data + state->len;

    return behind_name(behind_name(state->data, end, chip), end, name) +
           4; /* the size of an element and their number */
}

/* @disturb changes the chip between saving and loading; what is saved after loading must be what
 * was loaded. */
static inline void check_round_trip(SaveFunc save, LoadFunc load, void (*disturb)(void))
{
    g_autoptr(GByteArray) before = saved_state(save);

    disturb();

    g_autoptr(GByteArray) disturbed = saved_state(save);
    g_autoptr(GError) error = NULL;
    size_t pos = 0;

    ck_assert_msg(disturbed->len == before->len &&
                      memcmp(disturbed->data, before->data, before->len) != 0,
                  "the disturbance changed nothing: the test shows nothing");
    ck_assert_msg(load(before->data, before->len, &pos, &error), "%s",
                  error != NULL ? error->message : "no message");
    ck_assert_uint_eq(pos, before->len);

    g_autoptr(GByteArray) after = saved_state(save);

    ck_assert_uint_eq(after->len, before->len);
    ck_assert_mem_eq(after->data, before->data, before->len);
}

/* Loads a state whose field holds @value; it must be refused and change nothing. */
static inline void check_refused(SaveFunc save, LoadFunc load, const char *chip, const char *field,
                                 unsigned size, uint64_t value)
{
    g_autoptr(GByteArray) before = saved_state(save);
    g_autoptr(GByteArray) bad = saved_state(save);
    uint8_t *at = field_in(bad, chip, field);
    g_autoptr(GError) error = NULL;
    size_t pos = 0;

    for (unsigned i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    ck_assert_msg(!load(bad->data, bad->len, &pos, &error), "%s = %#lx was loaded", field,
                  (unsigned long)value);
    ck_assert_msg(error != NULL && error->message[0] != '\0', "no message for %s", field);
    ck_assert_uint_eq(pos, 0);

    g_autoptr(GByteArray) after = saved_state(save);

    ck_assert_mem_eq(after->data, before->data, before->len);
}

/* Every truncation is refused and changes nothing. */
static inline void check_truncated(SaveFunc save, LoadFunc load)
{
    g_autoptr(GByteArray) state = saved_state(save);

    for (size_t len = 0; len < state->len; len += len < 600 ? 1 : 97) {
        g_autoptr(GError) error = NULL;
        size_t pos = 0;
        uint8_t *copy = g_memdup2(state->data, MAX(len, 1)); /* ASan sees reads behind it */

        if (load(copy, len, &pos, &error) || error == NULL || pos != 0) {
            ck_abort_msg("a state cut at %zu of %u bytes was loaded", len, state->len);
        }
        g_free(copy);
    }
}

/*
 * Random damage: what loads in spite of it must be a state the chip can live with, which @then
 * finds out. A third of the damage goes to the values behind the first field name, most of it
 * anywhere.
 */
static inline void check_damaged(SaveFunc save, LoadFunc load, uint32_t seed, unsigned n_rounds,
                                 void (*then)(uint32_t seed))
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GByteArray) state = saved_state(save);
    unsigned n_loaded = 0;

    for (unsigned round = 0; round < n_rounds; round++) {
        uint8_t *copy = g_memdup2(state->data, state->len);
        unsigned n_hits = (unsigned)g_rand_int_range(rand, 1, 4);
        size_t pos = 0;

        for (unsigned i = 0; i < n_hits; i++) {
            copy[g_rand_int_range(rand, 0, (gint32)state->len)] = (uint8_t)g_rand_int(rand);
        }
        if (load(copy, state->len, &pos, NULL)) {
            n_loaded++;
            then(seed + round);
        }
        g_free(copy);
    }
    ck_assert_msg(n_loaded > 0, "no damaged state was ever loaded: nothing was shown");
}

/* ---- running ---- */

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
