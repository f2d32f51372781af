/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/mc146818.h"

#include "state-limits.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

static DevMc146818 *rtc;
static Wire irq8;

/* 14 November 2023, a Tuesday, 22:13:20. */
#define START INT64_C(1700000000)

static void setup(void)
{
    fixture_setup();
    irq8 = (Wire) { 0 };
    rtc = dev_mc146818_new(ports, emu_clock, wire_line(&irq8), START, NULL);
    ck_assert_ptr_nonnull(rtc);
}

static void teardown(void)
{
    dev_mc146818_free(rtc);
    ck_assert_ptr_null(emu_ports_owner(ports, 0x70));
    fixture_teardown();
}

static uint8_t get(uint8_t reg)
{
    out8(0x70, reg);
    return in8(0x71);
}

static void set(uint8_t reg, uint8_t value)
{
    out8(0x70, reg);
    out8(0x71, value);
}

static void pass(uint64_t ns)
{
    emu_clock_advance_to(emu_clock, emu_clock_now(emu_clock) + ns);
}

/* Hour, minute, second as one number of register digits. */
static unsigned time_now(void)
{
    return (unsigned)get(4) << 16 | (unsigned)get(2) << 8 | get(0);
}

static unsigned date_now(void)
{
    return (unsigned)get(0x32) << 24 | (unsigned)get(9) << 16 | (unsigned)get(8) << 8 | get(7);
}

START_TEST(starts_at_the_given_date_in_bcd)
{
    ck_assert_uint_eq(time_now(), 0x221320);
    ck_assert_uint_eq(date_now(), 0x20231114);
    ck_assert_uint_eq(get(6), 3);
    ck_assert_uint_eq(get(0x0A), 0x26);
    ck_assert_uint_eq(get(0x0B), 0x02);
    ck_assert_uint_eq(get(0x0D), 0x80);
}
END_TEST

START_TEST(a_divider_reset_moves_the_second)
{
    /* After a divider reset the second no longer begins with guest time's. */
    pass(250 * MS);
    set(0x0A, 0x70);
    set(0x0A, 0x26);
    pass(400 * MS);
    ck_assert_uint_eq(get(0), 0x20);
    pass(500 * MS - 400 * MS - 2000 * US);
    ck_assert_uint_eq(get(0x0A), 0xA6);
    pass(2000 * US);
    ck_assert_uint_eq(get(0x0A), 0x26);
    ck_assert_uint_eq(get(0), 0x21);
}
END_TEST

START_TEST(follows_guest_time)
{
    pass(999 * MS);
    ck_assert_uint_eq(time_now(), 0x221320);
    pass(1 * MS);
    ck_assert_uint_eq(time_now(), 0x221321);
    pass(39 * 1000 * MS);
    ck_assert_uint_eq(time_now(), 0x221400);
    pass(UINT64_C(6360000) * MS);
    ck_assert_uint_eq(time_now(), 0x000000);
    ck_assert_uint_eq(date_now(), 0x20231115);
    ck_assert_uint_eq(get(6), 4);
}
END_TEST

static const struct {
    uint8_t b;
    uint64_t pass_seconds;
    uint8_t hour, minute, year, century;
} formats[] = {
    { 0x02, 0, 0x22, 0x13, 0x23, 0x20 },     /* 24 hours, BCD */
    { 0x06, 0, 22, 13, 23, 20 },             /* 24 hours, binary */
    { 0x00, 0, 0x90, 0x13, 0x23, 0x20 },     /* 10 in the evening, BCD */
    { 0x04, 0, 0x8A, 13, 23, 20 },           /* the same, binary */
    { 0x00, 7200, 0x12, 0x13, 0x23, 0x20 },  /* after midnight */
    { 0x00, 50400, 0x92, 0x13, 0x23, 0x20 }, /* after noon */
    { 0x04, 46800, 0x0B, 13, 23, 20 },       /* 11 in the morning */
};

START_TEST(formats_of_register_b)
{
    set(0x0B, formats[_i].b);
    pass(formats[_i].pass_seconds * 1000 * MS);
    ck_assert_uint_eq(get(4), formats[_i].hour);
    ck_assert_uint_eq(get(2), formats[_i].minute);
    ck_assert_uint_eq(get(9), formats[_i].year);
    ck_assert_uint_eq(get(0x32), formats[_i].century);

    /* What was read may be written back. */
    uint8_t hour = get(4);

    set(4, hour);
    ck_assert_uint_eq(get(4), hour);
    ck_assert_uint_eq(get(9), formats[_i].year);
}
END_TEST

START_TEST(set_stops_the_clock_and_takes_a_new_time)
{
    pass(300 * MS);
    set(0x0B, 0x82);
    pass(5000 * MS);
    ck_assert_uint_eq(time_now(), 0x221320);
    set(0, 0x58);
    set(2, 0x59);
    set(4, 0x23);
    set(7, 0x29);
    set(8, 0x02);
    set(9, 0x00);
    set(0x32, 0x20);
    ck_assert_uint_eq(time_now(), 0x235958);
    set(0x0B, 0x02);
    ck_assert_uint_eq(time_now(), 0x235958);
    /* The divider went on: the next second is 700 ms away. */
    pass(699 * MS);
    ck_assert_uint_eq(time_now(), 0x235958);
    pass(1 * MS);
    ck_assert_uint_eq(time_now(), 0x235959);
    pass(1000 * MS);
    ck_assert_uint_eq(time_now(), 0x000000);
    ck_assert_uint_eq(date_now(), 0x20000301);
    ck_assert_uint_eq(get(6), 4);
}
END_TEST

START_TEST(a_running_clock_takes_single_registers)
{
    set(2, 0x45);
    ck_assert_uint_eq(time_now(), 0x224520);
    pass(1000 * MS);
    ck_assert_uint_eq(time_now(), 0x224521);
    ck_assert_uint_eq(date_now(), 0x20231114);
}
END_TEST

START_TEST(a_divider_let_go_updates_after_half_a_second)
{
    pass(900 * MS);
    set(0x0A, 0x70);
    pass(3100 * MS);
    ck_assert_uint_eq(time_now(), 0x221320);
    set(0x0A, 0x26);
    pass(499 * MS);
    ck_assert_uint_eq(time_now(), 0x221320);
    pass(1 * MS);
    ck_assert_uint_eq(time_now(), 0x221321);
    pass(1000 * MS);
    ck_assert_uint_eq(time_now(), 0x221322);
}
END_TEST

START_TEST(update_in_progress_warns_of_the_next_second)
{
    pass(1000 * MS - 2229 * US);
    ck_assert_uint_eq(get(0x0A), 0x26);
    pass(1 * US);
    ck_assert_uint_eq(get(0x0A), 0xA6);
    pass(2227 * US);
    ck_assert_uint_eq(get(0x0A), 0xA6);
    ck_assert_uint_eq(get(0), 0x20);
    pass(1 * US);
    ck_assert_uint_eq(get(0x0A), 0x26);
    ck_assert_uint_eq(get(0), 0x21);
    /* The bit cannot be written, and does not show while the clock stands. */
    set(0x0A, 0xA6);
    ck_assert_uint_eq(get(0x0A), 0x26);
    set(0x0B, 0x82);
    pass(999 * MS);
    ck_assert_uint_eq(get(0x0A), 0x26);
}
END_TEST

START_TEST(update_ended_interrupts_each_second)
{
    set(0x0B, 0x12);
    pass(999 * MS);
    ck_assert(!irq8.level);
    pass(1 * MS);
    ck_assert(irq8.level);
    /* Nothing more until C is read. */
    pass(5000 * MS);
    ck_assert_uint_eq(irq8.n_rises, 1);
    ck_assert_uint_eq(get(0x0C) & 0xB0, 0x90);
    ck_assert(!irq8.level);
    ck_assert_uint_eq(get(0x0C), 0);
    pass(1000 * MS);
    ck_assert_uint_eq(irq8.n_rises, 2);
}
END_TEST

START_TEST(flags_come_without_enables_but_no_interrupt)
{
    set(0x0A, 0x20);
    set(1, 0xFF);
    set(3, 0xFF);
    set(5, 0xFF);
    (void)get(0x0C);
    pass(1000 * MS);
    ck_assert(!irq8.level);
    ck_assert_uint_eq(get(0x0C), 0x30);
    ck_assert_uint_eq(get(0x0C), 0x00);
    /* Enabling what is flagged already interrupts at once. */
    pass(1000 * MS);
    set(0x0B, 0x12);
    ck_assert(irq8.level);
    set(0x0B, 0x02);
    ck_assert(!irq8.level);
}
END_TEST

START_TEST(set_takes_the_update_interrupt_away)
{
    set(0x0B, 0x92);
    ck_assert_uint_eq(get(0x0B), 0x82);
    pass(3000 * MS);
    ck_assert_uint_eq(get(0x0C) & 0x10, 0);
}
END_TEST

static const struct {
    uint8_t rate;
    uint64_t ticks; /* of 32768 Hz */
} rates[] = {
    { 1, 128 }, { 2, 256 }, { 3, 4 }, { 6, 32 }, { 10, 512 }, { 15, 16384 },
};

START_TEST(periodic_rates)
{
    uint64_t period = rates[_i].ticks * 1000000000 / 32768;

    set(0x0A, 0x20 | rates[_i].rate);
    set(0x0B, 0x42);
    (void)get(0x0C);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert(!irq8.level);
        pass(period + 1);
        ck_assert(irq8.level);
        ck_assert_uint_eq(get(0x0C) & 0xC0, 0xC0);
        /* Rounding never accumulates: stay in the middle of the period. */
        if (i == 0) {
            pass(period / 2);
        }
    }
}
END_TEST

START_TEST(periodic_rate_is_exact_over_a_second)
{
    unsigned n = 0;

    set(0x0A, 0x26); /* 1024 Hz */
    set(0x0B, 0x42);
    (void)get(0x0C);
    for (unsigned i = 0; i < 10000; i++) {
        pass(100 * US);
        if (irq8.level) {
            n++;
            (void)get(0x0C);
        }
    }
    ck_assert_uint_eq(n, 1024);
}
END_TEST

START_TEST(rate_0_is_off)
{
    set(0x0A, 0x20);
    set(0x0B, 0x42);
    (void)get(0x0C);
    pass(5000 * MS);
    ck_assert(!irq8.level);
    ck_assert_uint_eq(get(0x0C) & 0x40, 0);
}
END_TEST

static const struct {
    uint8_t hour, minute, second;
    uint64_t at_seconds; /* from the start; 0: never in two days */
} alarms[] = {
    { 0x22, 0x13, 0x25, 5 },     { 0xFF, 0x14, 0x00, 40 },   { 0xC0, 0xC0, 0x21, 1 },
    { 0xFF, 0xFF, 0x20, 60 },    { 0x00, 0x00, 0x00, 6400 }, { 0x22, 0x13, 0x20, 86400 },
    { 0x25, 0xFF, 0xFF, 0 },     { 0xFF, 0xFF, 0xFF, 1 },    { 0x22, 0xFF, 0x19, 59 },
    { 0x21, 0xFF, 0xFF, 82000 },
};

START_TEST(alarm_comes_when_all_parts_match)
{
    uint64_t at = alarms[_i].at_seconds;

    set(1, alarms[_i].second);
    set(3, alarms[_i].minute);
    set(5, alarms[_i].hour);
    set(0x0B, 0x22);
    if (at == 0) {
        pass(UINT64_C(172800000) * MS);
        ck_assert(!irq8.level);
        return;
    }
    pass(at * 1000 * MS - 1 * MS);
    ck_assert(!irq8.level);
    pass(1 * MS);
    ck_assert(irq8.level);
    ck_assert_uint_eq(get(0x0C) & 0xA0, 0xA0);
    ck_assert(!irq8.level);
}
END_TEST

START_TEST(alarm_hours_follow_the_format)
{
    set(0x0B, 0x24); /* binary, 12 hours */
    set(5, 0x80 | 10);
    set(3, 13);
    set(1, 22);
    pass(1999 * MS);
    ck_assert(!irq8.level);
    pass(1 * MS);
    ck_assert(irq8.level);
}
END_TEST

START_TEST(memory_keeps_bytes)
{
    dev_mc146818_set_nvram(rtc, 0x34, 0x80);
    ck_assert_uint_eq(get(0x34), 0x80);
    for (unsigned i = 0x0E; i < 0x80; i++) {
        if (i != 0x32) {
            set((uint8_t)i, (uint8_t)(i * 3));
        }
    }
    dev_mc146818_reset(rtc);
    for (unsigned i = 0x0E; i < 0x80; i++) {
        if (i != 0x32) {
            ck_assert_uint_eq(get((uint8_t)(0x80 | i)), (uint8_t)(i * 3)); /* with the NMI mask */
        }
    }
    ck_assert_uint_eq(in8(0x70), 0xFF);
    set(0x0D, 0);
    ck_assert_uint_eq(get(0x0D), 0x80);
    set(0x0C, 0xFF);
    ck_assert_uint_eq(get(0x0C), 0);
}
END_TEST

START_TEST(reset_stops_interrupts_and_keeps_the_time)
{
    set(0x0A, 0x26);
    set(0x0B, 0x7E);
    pass(1500 * MS);
    ck_assert(irq8.level);
    dev_mc146818_reset(rtc);
    ck_assert(!irq8.level);
    ck_assert_uint_eq(get(0x0B), 0x06);
    ck_assert_uint_eq(get(0x0C), 0);
    pass(500 * MS);
    ck_assert_uint_eq(get(0), 22);
    ck_assert(!irq8.level);
}
END_TEST

START_TEST(dates_far_away_are_survived)
{
    set(0x0B, 0x84);
    for (unsigned reg = 0; reg < 10; reg++) {
        set((uint8_t)reg, 0xFF);
    }
    set(0x32, 0xFF);
    set(0x0B, 0x74);
    pass(UINT64_C(400000000) * MS);
    (void)get(0x0C);
    (void)time_now();
    set(0x0B, 0x72);
    pass(2000 * MS);
    (void)date_now();
}
END_TEST

static void save(GByteArray *out)
{
    dev_mc146818_save(rtc, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_mc146818_load(rtc, bytes, len, pos, error);
}

static void disturb(void)
{
    set(0x0B, 0x02);
    set(0x33, 0x77);
    set(9, 0x55);
    (void)get(0x0C);
    ck_assert(!irq8.level);
}

START_TEST(a_saved_state_comes_back)
{
    set(0x0B, 0x32);
    pass(1500 * MS);
    ck_assert(irq8.level);
    check_round_trip(save, load, disturb);
    ck_assert(irq8.level);
    ck_assert_uint_eq(get(0x0C) & 0x90, 0x90);
    ck_assert_uint_eq(time_now(), 0x221321);
    ck_assert_uint_eq(date_now(), 0x20231114);
    pass(500 * MS);
    ck_assert(irq8.level);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    g_autoptr(GByteArray) state = saved_state(save);
    uint8_t *ram = field_in(state, "mc146818", "ram");
    size_t pos = 0;

    check_limits(&dev_mc146818_state_desc, save, load);
    check_refused(save, load, "mc146818", "base_seconds", 8, UINT64_C(1) << 41);
    check_refused(save, load, "mc146818", "base_seconds", 8, (uint64_t)INT64_MIN);
    check_refused(save, load, "mc146818", "seen_ns", 8, UINT64_MAX);
    ram[0x0A] |= 0x80;
    ck_assert(!load(state->data, state->len, &pos, NULL));
    ram[0x0A] &= 0x7F;
    ram[0x0C] = 0x80;
    ck_assert(!load(state->data, state->len, &pos, NULL));
    ram[0x0C] = 0x70;
    ck_assert(load(state->data, state->len, &pos, NULL));
    check_truncated(save, load);
}
END_TEST

static const PortRange fuzzed[] = { { 0x70, 2 } };

static void live_on(uint32_t seed)
{
    fuzz_ports(fuzzed, G_N_ELEMENTS(fuzzed), seed, 300);
}

START_TEST(any_input_is_survived)
{
    for (uint32_t seed = 1; seed <= 200; seed++) {
        live_on(seed * 2654435761u);
    }
    check_damaged(save, load, 42, 1000, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mc146818");
    TCase *tcase = tcase_create("mc146818");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, starts_at_the_given_date_in_bcd);
    tcase_add_test(tcase, follows_guest_time);
    tcase_add_test(tcase, a_divider_reset_moves_the_second);
    tcase_add_loop_test(tcase, formats_of_register_b, 0, G_N_ELEMENTS(formats));
    tcase_add_test(tcase, set_stops_the_clock_and_takes_a_new_time);
    tcase_add_test(tcase, a_running_clock_takes_single_registers);
    tcase_add_test(tcase, a_divider_let_go_updates_after_half_a_second);
    tcase_add_test(tcase, update_in_progress_warns_of_the_next_second);
    tcase_add_test(tcase, update_ended_interrupts_each_second);
    tcase_add_test(tcase, flags_come_without_enables_but_no_interrupt);
    tcase_add_test(tcase, set_takes_the_update_interrupt_away);
    tcase_add_loop_test(tcase, periodic_rates, 0, G_N_ELEMENTS(rates));
    tcase_add_test(tcase, periodic_rate_is_exact_over_a_second);
    tcase_add_test(tcase, rate_0_is_off);
    tcase_add_loop_test(tcase, alarm_comes_when_all_parts_match, 0, G_N_ELEMENTS(alarms));
    tcase_add_test(tcase, alarm_hours_follow_the_format);
    tcase_add_test(tcase, memory_keeps_bytes);
    tcase_add_test(tcase, reset_stops_interrupts_and_keeps_the_time);
    tcase_add_test(tcase, dates_far_away_are_survived);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
