/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i8254.h"

#include "state-limits.h"

static DevI8254 *pit;
static Wire irq0;

static void setup(void)
{
    fixture_setup();
    irq0 = (Wire) { 0 };
    pit = dev_i8254_new(ports, emu_clock, wire_line(&irq0), NULL);
    ck_assert_ptr_nonnull(pit);
}

static void teardown(void)
{
    dev_i8254_free(pit);
    ck_assert_ptr_null(emu_ports_owner(ports, 0x43));
    ck_assert_ptr_null(emu_ports_owner(ports, 0x61));
    fixture_teardown();
}

static uint64_t ticks(void)
{
    return emu_clock_ticks(emu_clock, DEV_I8254_HZ);
}

/* Guest time goes on to exactly @n ticks from now. */
static void pass(uint64_t n)
{
    uint64_t target = ticks() + n;

    emu_clock_advance_to(emu_clock, emu_clock_ns_of_ticks(target, DEV_I8254_HZ));
    ck_assert_uint_eq(ticks(), target);
}

/* Control word and count of two bytes. */
static void program(unsigned counter, unsigned mode, uint16_t count)
{
    out8(0x43, counter << 6 | 0x30 | mode << 1);
    out8((uint16_t)(0x40 + counter), count & 0xFF);
    out8((uint16_t)(0x40 + counter), count >> 8);
}

static uint16_t count_of(unsigned counter)
{
    uint16_t port = (uint16_t)(0x40 + counter);

    out8(0x43, counter << 6);

    uint8_t low = in8(port);

    return (uint16_t)(low | in8(port) << 8);
}

/* Output, null count and what was programmed, by the read-back command. */
static uint8_t status_of(unsigned counter)
{
    out8(0x43, 0xE0 | 2u << counter);
    return in8((uint16_t)(0x40 + counter));
}

static bool output_of(unsigned counter)
{
    return (status_of(counter) & 0x80) != 0;
}

static void gate2(bool level)
{
    out8(0x61, level ? 1 : 0);
}

START_TEST(mode_0_rises_one_tick_after_the_count)
{
    program(0, 0, 5);
    ck_assert(!output_of(0));
    pass(1);
    ck_assert_uint_eq(count_of(0), 5);
    pass(3);
    ck_assert_uint_eq(count_of(0), 2);
    pass(1);
    ck_assert_uint_eq(count_of(0), 1);
    ck_assert(!output_of(0));
    pass(1); /* the write, then N + 1 ticks */
    ck_assert_uint_eq(count_of(0), 0);
    ck_assert(output_of(0));
    pass(1);
    ck_assert_uint_eq(count_of(0), 0xFFFF);
    ck_assert(output_of(0));
    pass(100000);
    ck_assert(output_of(0));
}
END_TEST

START_TEST(mode_0_raises_irq0_once)
{
    program(0, 0, 1000);
    ck_assert(!irq0.level);
    pass(1000);
    ck_assert_uint_eq(irq0.n_rises, 0);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 1);
    ck_assert(irq0.level);
    pass(200000);
    ck_assert_uint_eq(irq0.n_rises, 1);
    /* The first of two bytes already takes the output down. */
    out8(0x40, 100);
    ck_assert(!irq0.level);
    pass(500);
    ck_assert_uint_eq(irq0.n_rises, 1);
    out8(0x40, 0);
    pass(101);
    ck_assert_uint_eq(irq0.n_rises, 2);
}
END_TEST

START_TEST(mode_0_waits_while_its_gate_is_low)
{
    gate2(true);
    program(2, 0, 10);
    pass(4); /* loaded in the first: 3 counted */
    gate2(false);
    pass(50);
    ck_assert_uint_eq(count_of(2), 7);
    ck_assert(!output_of(2));
    gate2(true);
    pass(7);
    ck_assert_uint_eq(count_of(2), 1);
    pass(1);
    ck_assert(output_of(2));
    ck_assert_uint_eq(in8(0x61) & 0x21, 0x21);
    /* Written while the gate is low, it waits likewise. */
    gate2(false);
    program(2, 0, 3);
    pass(100);
    ck_assert(!output_of(2));
    gate2(true);
    pass(4);
    ck_assert(output_of(2));
}
END_TEST

START_TEST(mode_1_is_a_one_shot_of_its_gate)
{
    program(2, 1, 4);
    ck_assert(output_of(2));
    pass(20);
    ck_assert_msg(output_of(2), "no trigger yet");
    gate2(true);
    pass(1);
    ck_assert(!output_of(2));
    pass(3);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
    /* Triggered again before its end it starts over; the level of the gate does not matter. */
    gate2(false);
    gate2(true);
    pass(3);
    gate2(false);
    gate2(true);
    pass(4);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
}
END_TEST

START_TEST(mode_1_takes_a_new_count_at_the_next_trigger)
{
    program(2, 1, 4);
    gate2(true);
    pass(2);
    out8(0x42, 10);
    out8(0x42, 0);
    ck_assert_uint_eq(status_of(2) & 0x40, 0x40);
    pass(3);
    ck_assert(output_of(2));
    pass(100);
    ck_assert(output_of(2));
    gate2(false);
    gate2(true);
    pass(10);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
}
END_TEST

START_TEST(mode_2_divides)
{
    program(0, 2, 4);
    ck_assert(output_of(0));

    static const uint16_t counts[] = { 4, 3, 2, 1, 4, 3, 2, 1, 4 };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        pass(1);
        ck_assert_uint_eq(count_of(0), counts[i]);
        ck_assert(output_of(0) == (counts[i] != 1));
    }
}
END_TEST

START_TEST(mode_2_interrupts_each_period_and_keeps_its_rate)
{
    program(0, 2, 11932); /* 100 Hz, nearly */
    irq0.n_rises = 0;
    pass(1);
    for (unsigned i = 1; i <= 50; i++) {
        pass(11931);
        ck_assert_uint_eq(irq0.n_rises, i - 1);
        pass(1);
        ck_assert_uint_eq(irq0.n_rises, i);
    }
}
END_TEST

START_TEST(a_control_word_alone_stops_the_interrupts)
{
    program(0, 2, 100);
    pass(250);
    out8(0x43, 0x30); /* mode 0, no count: the output falls */
    ck_assert(!irq0.level);
    irq0.n_rises = 0;
    pass(100000);
    ck_assert_uint_eq(irq0.n_rises, 0);
    out8(0x43, 0x34); /* mode 2: it rises, which is an edge too */
    ck_assert_uint_eq(irq0.n_rises, 1);
    pass(100000);
    ck_assert_uint_eq(irq0.n_rises, 1);
}
END_TEST

START_TEST(count_0_is_65536)
{
    program(0, 2, 0);
    irq0.n_rises = 0;
    pass(1);
    ck_assert_uint_eq(count_of(0), 0);
    pass(1);
    ck_assert_uint_eq(count_of(0), 0xFFFF);
    pass(65534);
    ck_assert_uint_eq(irq0.n_rises, 0);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 1);
    pass(65536 * 18);
    ck_assert_uint_eq(irq0.n_rises, 19);
}
END_TEST

START_TEST(mode_2_takes_a_new_count_when_its_period_ends)
{
    program(0, 2, 1000);
    irq0.n_rises = 0;
    pass(1 + 1000 + 300);
    ck_assert_uint_eq(irq0.n_rises, 1);
    out8(0x40, 0xD0); /* 2000 */
    out8(0x40, 0x07);
    ck_assert_uint_eq(status_of(0) & 0x40, 0x40);
    pass(699);
    ck_assert_uint_eq(count_of(0), 1);
    ck_assert_uint_eq(irq0.n_rises, 1);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 2);
    ck_assert_uint_eq(count_of(0), 2000);
    ck_assert_uint_eq(status_of(0) & 0x40, 0);
    pass(1999);
    ck_assert_uint_eq(irq0.n_rises, 2);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 3);
}
END_TEST

START_TEST(mode_2_starts_over_with_its_gate)
{
    gate2(true);
    program(2, 2, 10);
    pass(5);
    gate2(false);
    ck_assert(output_of(2));
    pass(7);
    ck_assert(output_of(2));
    gate2(true);
    pass(1);
    ck_assert_uint_eq(count_of(2), 10);
    pass(9);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
}
END_TEST

static const struct {
    uint16_t count;
    uint16_t counts[8];
    unsigned outputs; /* bit i: after tick i + 1 */
} waves[] = {
    { 4, { 4, 2, 4, 2, 4, 2, 4, 2 }, 0x33 },
    { 5, { 4, 2, 0, 4, 2, 4, 2, 0 }, 0xE7 },
    { 2, { 2, 2, 2, 2, 2, 2, 2, 2 }, 0x55 },
    { 3, { 2, 0, 2, 2, 0, 2, 2, 0 }, 0xDB },
};

START_TEST(mode_3_is_a_square_wave)
{
    program(0, 3, waves[_i].count);
    ck_assert(output_of(0));
    for (unsigned i = 0; i < 8; i++) {
        pass(1);
        ck_assert_uint_eq(count_of(0), waves[_i].counts[i]);
        ck_assert(output_of(0) == (((waves[_i].outputs >> i) & 1) != 0));
    }
}
END_TEST

START_TEST(mode_3_interrupts_once_a_period)
{
    program(0, 3, 2001);
    irq0.n_rises = 0;
    pass(1 + 2000);
    ck_assert_uint_eq(irq0.n_rises, 0);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 1);
    pass(2001 * 10);
    ck_assert_uint_eq(irq0.n_rises, 11);
}
END_TEST

START_TEST(mode_4_strobes_once)
{
    gate2(true);
    program(2, 4, 3);
    ck_assert(output_of(2));
    pass(3);
    ck_assert(output_of(2));
    pass(1);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
    pass(65536);
    ck_assert(output_of(2));
    out8(0x42, 6); /* a new count strobes again */
    out8(0x42, 0);
    pass(7);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
}
END_TEST

START_TEST(mode_5_strobes_after_its_gate)
{
    program(2, 5, 3);
    pass(10);
    ck_assert(output_of(2));
    gate2(true);
    pass(3);
    ck_assert(output_of(2));
    pass(1);
    ck_assert(!output_of(2));
    pass(1);
    ck_assert(output_of(2));
}
END_TEST

START_TEST(modes_4_and_5_interrupt_behind_the_strobe)
{
    program(0, 4, 500);
    irq0.n_rises = 0;
    pass(501);
    ck_assert_uint_eq(irq0.n_rises, 0);
    pass(1);
    ck_assert_uint_eq(irq0.n_rises, 1);
    pass(200000);
    ck_assert_uint_eq(irq0.n_rises, 1);
}
END_TEST

START_TEST(bcd_counts_in_decimal)
{
    out8(0x43, 0x35); /* counter 0, both bytes, mode 2, BCD */
    out8(0x40, 0x34);
    out8(0x40, 0x12);
    irq0.n_rises = 0;
    pass(1);
    ck_assert_uint_eq(count_of(0), 0x1234);
    pass(35);
    ck_assert_uint_eq(count_of(0), 0x1199);
    pass(1199);
    ck_assert_uint_eq(irq0.n_rises, 1);
    out8(0x43, 0x35);
    out8(0x40, 0);
    out8(0x40, 0);
    pass(1);
    ck_assert_uint_eq(count_of(0), 0x0000); /* 10000 */
    pass(1);
    ck_assert_uint_eq(count_of(0), 0x9999);
    ck_assert_uint_eq(status_of(0) & 0x3F, 0x35);
}
END_TEST

START_TEST(single_byte_accesses)
{
    out8(0x43, 0x14); /* low byte, mode 2 */
    out8(0x40, 200);
    pass(1);
    ck_assert_uint_eq(in8(0x40), 200);
    ck_assert_uint_eq(in8(0x40), 200);
    pass(1);
    ck_assert_uint_eq(in8(0x40), 199);
    out8(0x43, 0x24); /* high byte */
    out8(0x40, 0x12);
    pass(1);
    ck_assert_uint_eq(in8(0x40), 0x12);
    pass(1);
    ck_assert_uint_eq(in8(0x40), 0x11);
    ck_assert_uint_eq(in8(0x40), 0x11);
}
END_TEST

START_TEST(a_latched_count_stays_until_read)
{
    program(0, 2, 0x1000);
    pass(1);
    out8(0x43, 0x00);
    pass(0x10);
    out8(0x43, 0x00); /* ignored: the first is not read yet */
    ck_assert_uint_eq(in8(0x40), 0x00);
    pass(1);
    ck_assert_uint_eq(in8(0x40), 0x10);
    ck_assert_uint_eq(in8(0x40), 0xEF); /* live again */
    ck_assert_uint_eq(in8(0x40), 0x0F);
    /* A latched count is read from its low byte on, whatever was read before. */
    (void)in8(0x40);
    out8(0x43, 0x00);
    ck_assert_uint_eq(in8(0x40), 0xEF);
    ck_assert_uint_eq(in8(0x40), 0x0F);
}
END_TEST

START_TEST(read_back_latches_several)
{
    program(0, 2, 0x1111);
    program(1, 3, 0x2222);
    gate2(true);
    program(2, 0, 0x3333);
    pass(1);
    /* Count and status of counters 0 and 2: the status comes first. */
    out8(0x43, 0xC0 | 0x02 | 0x08);
    pass(5);
    ck_assert_uint_eq(in8(0x40), 0xB4);
    ck_assert_uint_eq(in8(0x40), 0x11);
    ck_assert_uint_eq(in8(0x40), 0x11);
    ck_assert_uint_eq(in8(0x42), 0x30);
    ck_assert_uint_eq(in8(0x42), 0x33);
    ck_assert_uint_eq(in8(0x42), 0x33);
    /* Counter 1 was not asked. */
    ck_assert_uint_ne(in8(0x41) | in8(0x41) << 8, 0x2222);
    ck_assert_uint_eq(in8(0x43), 0xFF);
}
END_TEST

START_TEST(null_count_lasts_until_the_count_is_loaded)
{
    out8(0x43, 0x30);
    ck_assert_uint_eq(status_of(0), 0x70);
    out8(0x40, 5);
    ck_assert_uint_eq(status_of(0), 0x70);
    out8(0x40, 0);
    ck_assert_uint_eq(status_of(0), 0x70);
    pass(1);
    ck_assert_uint_eq(status_of(0), 0x30);
}
END_TEST

START_TEST(modes_6_and_7_are_2_and_3)
{
    out8(0x43, 0x3C);
    ck_assert_uint_eq(status_of(0) & 0x0E, 0x04);
    out8(0x43, 0x3E);
    ck_assert_uint_eq(status_of(0) & 0x0E, 0x06);
}
END_TEST

START_TEST(port_61_keeps_four_bits_and_shows_two)
{
    ck_assert_uint_eq(in8(0x61) & 0x2F, 0);
    out8(0x61, 0xFF);
    ck_assert_uint_eq(in8(0x61) & 0xCF, 0x0F);

    /* The refresh bit changes every 18 ticks. */
    unsigned n_changes = 0;
    uint8_t last = in8(0x61) & 0x10;

    for (unsigned i = 0; i < 180; i++) {
        pass(1);

        uint8_t now = in8(0x61) & 0x10;

        n_changes += now != last;
        last = now;
    }
    ck_assert_uint_eq(n_changes, 10);
}
END_TEST

/* What firmware does to measure the processor: mode 0 on counter 2, output seen at port 0x61. */
START_TEST(counter_2_can_be_waited_for)
{
    out8(0x61, (in8(0x61) & ~2u) | 1);
    program(2, 0, 0x800);

    uint64_t start = ticks();

    while ((in8(0x61) & 0x20) == 0) {
        pass(1);
        ck_assert_uint_le(ticks() - start, 0x1000);
    }
    ck_assert_uint_eq(ticks() - start, 0x801);
}
END_TEST

static const uint16_t hostile_counts[] = { 1, 2, 3, 5 };

START_TEST(fast_periods_fire_no_more_often_than_the_clock_allows)
{
    program(0, (unsigned)_i % 2 + 2, hostile_counts[_i / 2]);
    irq0.n_sets = 0;
    irq0.n_rises = 0;

    uint64_t span = 1000 * EMU_CLOCK_LATENCY_NS;

    emu_clock_advance_to(emu_clock, emu_clock_now(emu_clock) + span);
    ck_assert_uint_le(irq0.n_rises, 1001);
    if (hostile_counts[_i / 2] > 1) {
        ck_assert_uint_ge(irq0.n_rises, 900);
    }
}
END_TEST

START_TEST(every_read_shows_the_edge_before_it)
{
    program(0, 2, 100);
    irq0.n_rises = 0;
    /* Time passes without the timer (as it does while the guest executes); the read catches up. */
    emu_clock->bytes += emu_clock_ns_of_ticks(101, DEV_I8254_HZ);
    (void)in8(0x40);
    ck_assert_uint_eq(irq0.n_rises, 1);
    (void)in8(0x40);
    emu_clock_run_due(emu_clock);
    ck_assert_uint_eq(irq0.n_rises, 1);
}
END_TEST

static void save(GByteArray *out)
{
    dev_i8254_save(pit, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_i8254_load(pit, bytes, len, pos, error);
}

static void disturb(void)
{
    dev_i8254_reset(pit);
    pass(500);
}

START_TEST(a_saved_state_comes_back)
{
    program(0, 2, 10000);
    program(1, 3, 18);
    gate2(true);
    program(2, 4, 777);
    pass(1000);
    out8(0x43, 0xC4);
    out8(0x42, 9);
    check_round_trip(save, load, disturb);
    irq0.n_rises = 0;
    pass(10001 - 1500);
    ck_assert_uint_eq(irq0.n_rises, 1);
    ck_assert_uint_eq(in8(0x61) & 0x0F, 1);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    check_limits(&dev_i8254_state_desc, save, load);
    check_refused(save, load, "i8254", "counter[0].count", 4, 0);
    check_refused(save, load, "i8254", "counter[1].count", 4, 65537);
    check_refused(save, load, "i8254", "counter[2].next_count", 4, 65537);
    check_refused(save, load, "i8254", "counter[0].access", 1, 0);
    check_refused(save, load, "i8254", "counter[1].access", 1, 4);
    check_refused(save, load, "i8254", "counter[1].mode", 1, 6);
    check_refused(save, load, "i8254", "counter[2].latched_bytes", 1, 3);
    check_refused(save, load, "i8254", "counter[0].gate", 1, 0);
    check_refused(save, load, "i8254", "counter[2].gate", 1, 1);
    check_refused(save, load, "i8254", "counter[0].start", 8, UINT64_MAX);
    check_refused(save, load, "i8254", "counter[0].frozen_at", 8, UINT64_MAX);
    program(0, 2, 5);
    check_refused(save, load, "i8254", "counter[0].frozen", 1, 1);
    check_refused(save, load, "i8254", "counter[0].bcd", 1, 2);
    check_truncated(save, load);
}
END_TEST

static const PortRange fuzzed[] = { { 0x40, 4 }, { 0x61, 1 } };

static void live_on(uint32_t seed)
{
    fuzz_ports(fuzzed, G_N_ELEMENTS(fuzzed), seed, 100);
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
    Suite *suite = suite_create("i8254");
    TCase *tcase = tcase_create("i8254");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, mode_0_rises_one_tick_after_the_count);
    tcase_add_test(tcase, mode_0_raises_irq0_once);
    tcase_add_test(tcase, mode_0_waits_while_its_gate_is_low);
    tcase_add_test(tcase, mode_1_is_a_one_shot_of_its_gate);
    tcase_add_test(tcase, mode_1_takes_a_new_count_at_the_next_trigger);
    tcase_add_test(tcase, mode_2_divides);
    tcase_add_test(tcase, mode_2_interrupts_each_period_and_keeps_its_rate);
    tcase_add_test(tcase, a_control_word_alone_stops_the_interrupts);
    tcase_add_test(tcase, count_0_is_65536);
    tcase_add_test(tcase, mode_2_takes_a_new_count_when_its_period_ends);
    tcase_add_test(tcase, mode_2_starts_over_with_its_gate);
    tcase_add_loop_test(tcase, mode_3_is_a_square_wave, 0, G_N_ELEMENTS(waves));
    tcase_add_test(tcase, mode_3_interrupts_once_a_period);
    tcase_add_test(tcase, mode_4_strobes_once);
    tcase_add_test(tcase, mode_5_strobes_after_its_gate);
    tcase_add_test(tcase, modes_4_and_5_interrupt_behind_the_strobe);
    tcase_add_test(tcase, bcd_counts_in_decimal);
    tcase_add_test(tcase, single_byte_accesses);
    tcase_add_test(tcase, a_latched_count_stays_until_read);
    tcase_add_test(tcase, read_back_latches_several);
    tcase_add_test(tcase, null_count_lasts_until_the_count_is_loaded);
    tcase_add_test(tcase, modes_6_and_7_are_2_and_3);
    tcase_add_test(tcase, port_61_keeps_four_bits_and_shows_two);
    tcase_add_test(tcase, counter_2_can_be_waited_for);
    tcase_add_loop_test(tcase, fast_periods_fire_no_more_often_than_the_clock_allows, 0,
                        2 * G_N_ELEMENTS(hostile_counts));
    tcase_add_test(tcase, every_read_shows_the_edge_before_it);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
