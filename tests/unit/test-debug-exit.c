/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/debug_exit.h"

#include "chip-fixture.h"

static DevDebugExit *debug_exit;
static unsigned n_calls;
static uint32_t last_value;

static void on_exit_value(void *user, uint32_t value)
{
    ck_assert_ptr_eq(user, &n_calls);
    n_calls++;
    last_value = value;
}

static void setup(void)
{
    fixture_setup();
    n_calls = 0;
    last_value = 0;
    debug_exit = dev_debug_exit_new(ports, on_exit_value, &n_calls, NULL);
    ck_assert_ptr_nonnull(debug_exit);
}

static void teardown(void)
{
    dev_debug_exit_free(debug_exit);
    fixture_teardown();
}

static const struct {
    uint16_t port;
    unsigned size;
    uint32_t value;
    uint32_t seen;
} writes[] = {
    { 0xF4, 1, 0x123456AB, 0xAB },
    { 0xF4, 2, 0x123456AB, 0x56AB },
    { 0xF4, 4, 0x123456AB, 0x123456AB },
    { 0xF7, 1, 0, 0 },
};

START_TEST(each_size_arrives_as_one_value)
{
    emu_ports_write(ports, writes[_i].port, writes[_i].size, writes[_i].value);
    ck_assert_uint_eq(n_calls, 1);
    ck_assert_uint_eq(last_value, writes[_i].seen);
}
END_TEST

START_TEST(reading_gives_zero_and_ends_nothing)
{
    ck_assert_uint_eq(emu_ports_read(ports, 0xF4, 4), 0);
    ck_assert_uint_eq(n_calls, 0);
}
END_TEST

START_TEST(it_ends_at_f7)
{
    out8(0xF3, 1);
    out8(0xF8, 1);
    ck_assert_uint_eq(n_calls, 0);
}
END_TEST

START_TEST(free_gives_the_ports_back)
{
    dev_debug_exit_free(debug_exit);
    ck_assert_ptr_null(emu_ports_owner(ports, 0xF4));
    debug_exit = dev_debug_exit_new(ports, on_exit_value, &n_calls, NULL);
    ck_assert_ptr_nonnull(debug_exit);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("debug_exit");
    Suite *suite = suite_create("devices/debug_exit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, each_size_arrives_as_one_value, 0, G_N_ELEMENTS(writes));
    tcase_add_test(tc, reading_gives_zero_and_ends_nothing);
    tcase_add_test(tc, it_ends_at_f7);
    tcase_add_test(tc, free_gives_the_ports_back);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
