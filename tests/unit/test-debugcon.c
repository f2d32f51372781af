/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/debugcon.h"

#include "chip-fixture.h"

static EmuConsole *console;
static DevDebugcon *debugcon;
static GByteArray *sent;

static void sink(void *user, const uint8_t *bytes, size_t len)
{
    (void)user;
    g_byte_array_append(sent, bytes, (guint)len);
}

static void setup(void)
{
    fixture_setup();
    sent = g_byte_array_new();
    console = emu_console_new("debugcon");
    emu_console_add_sink(console, sink, NULL);
    debugcon = dev_debugcon_new(ports, console, NULL);
    ck_assert_ptr_nonnull(debugcon);
}

static void teardown(void)
{
    dev_debugcon_free(debugcon);
    emu_console_free(console);
    g_byte_array_unref(sent);
    fixture_teardown();
}

START_TEST(reading_says_that_it_is_there)
{
    ck_assert_uint_eq(in8(0x402), 0xE9);
    ck_assert_uint_eq(in8(0x403), 0xFF);
}
END_TEST

START_TEST(bytes_go_to_the_console)
{
    out8(0x402, 'H');
    out8(0x402, 'i');
    ck_assert_uint_eq(sent->len, 2);
    ck_assert_mem_eq(sent->data, "Hi", 2);
}
END_TEST

START_TEST(a_wide_write_is_its_low_byte)
{
    emu_ports_write(ports, 0x402, 4, 0x44434241);
    ck_assert_uint_eq(sent->len, 1);
    ck_assert_uint_eq(sent->data[0], 'A');
}
END_TEST

START_TEST(a_taken_port_is_an_error_that_names_the_owner)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(dev_debugcon_new(ports, console, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "debugcon"));
}
END_TEST

START_TEST(random_port_accesses_do_no_harm)
{
    static const PortRange all_ports[] = { { 0x400, 6 } };

    fuzz_ports(all_ports, 1, 402, 100000);
    ck_assert_uint_eq(in8(0x402), 0xE9);
    ck_assert_uint_gt(sent->len, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("debugcon");
    Suite *suite = suite_create("devices/debugcon");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reading_says_that_it_is_there);
    tcase_add_test(tc, bytes_go_to_the_console);
    tcase_add_test(tc, a_wide_write_is_its_low_byte);
    tcase_add_test(tc, a_taken_port_is_an_error_that_names_the_owner);
    tcase_add_test(tc, random_port_accesses_do_no_harm);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
