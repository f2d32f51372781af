/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/port92.h"

#include "chip-fixture.h"

static DevPort92 *port92;
static Wire a20;
static Wire init;

static void setup(void)
{
    fixture_setup();
    a20 = (Wire) { .level = true };
    init = (Wire) { 0 };
    port92 = dev_port92_new(ports, wire_line(&a20), wire_line(&init), NULL);
    ck_assert_ptr_nonnull(port92);
}

static void teardown(void)
{
    dev_port92_free(port92);
    fixture_teardown();
}

START_TEST(bit_1_is_the_a20_gate)
{
    out8(0x92, 0x00);
    ck_assert(!a20.level);
    out8(0x92, 0x02);
    ck_assert(a20.level);
    ck_assert_uint_eq(in8(0x92), 0x02);
    ck_assert_uint_eq(init.n_sets, 0);
}
END_TEST

START_TEST(bit_0_pulses_init_when_it_rises)
{
    out8(0x92, 0x01);
    ck_assert_uint_eq(init.n_rises, 1);
    ck_assert(!init.level);
    out8(0x92, 0x03);
    ck_assert_uint_eq(init.n_rises, 1);
    out8(0x92, 0x02);
    out8(0x92, 0x03);
    ck_assert_uint_eq(init.n_rises, 2);
}
END_TEST

START_TEST(reserved_bits_read_zero)
{
    out8(0x92, 0xFE);
    ck_assert_uint_eq(in8(0x92), 0xCA);
}
END_TEST

START_TEST(reset_clears_the_register_and_leaves_the_pins_alone)
{
    out8(0x92, 0x02);

    unsigned sets = a20.n_sets;

    dev_port92_reset(port92);
    ck_assert_uint_eq(in8(0x92), 0);
    ck_assert_uint_eq(a20.n_sets, sets);
    ck_assert_uint_eq(init.n_sets, 0);
}
END_TEST

static void save(GByteArray *out)
{
    dev_port92_save(port92, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_port92_load(port92, bytes, len, pos, error);
}

static void disturb(void)
{
    out8(0x92, 0);
}

START_TEST(state_round_trip)
{
    out8(0x92, 0xCB);
    check_round_trip(save, load, disturb);
    ck_assert_uint_eq(in8(0x92), 0xCB);
    ck_assert_uint_eq(init.n_rises, 1); /* loading resets nobody */
    check_refused(save, load, "port92", "reg", 1, 0x04);
    check_truncated(save, load);
}
END_TEST

START_TEST(random_port_accesses_do_no_harm)
{
    static const PortRange all_ports[] = { { 0x90, 4 } };

    fuzz_ports(all_ports, 1, 92, 100000);
    ck_assert_uint_eq(in8(0x92) & ~0xCBu, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("port92");
    Suite *suite = suite_create("devices/port92");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bit_1_is_the_a20_gate);
    tcase_add_test(tc, bit_0_pulses_init_when_it_rises);
    tcase_add_test(tc, reserved_bits_read_zero);
    tcase_add_test(tc, reset_clears_the_register_and_leaves_the_pins_alone);
    tcase_add_test(tc, state_round_trip);
    tcase_add_test(tc, random_port_accesses_do_no_harm);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
