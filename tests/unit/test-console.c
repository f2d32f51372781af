/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/console-internal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static EmuConsole *console;
static GString *seen[2];
static unsigned n_inputs;

static void sink(void *user, const uint8_t *bytes, size_t len)
{
    g_string_append_len(user, (const char *)bytes, (gssize)len);
}

static void input(void *user)
{
    (*(unsigned *)user)++;
}

static void setup(void)
{
    console = emu_console_new("serial0");
    seen[0] = g_string_new(NULL);
    seen[1] = g_string_new(NULL);
    n_inputs = 0;
}

static void teardown(void)
{
    emu_console_free(console);
    g_string_free(seen[0], TRUE);
    g_string_free(seen[1], TRUE);
}

START_TEST(every_sink_gets_every_byte)
{
    ck_assert_str_eq(emu_console_name(console), "serial0");
    emu_console_write(console, 'x'); /* nobody listens yet */
    emu_console_add_sink(console, sink, seen[0]);
    emu_console_write(console, 'a');
    emu_console_add_sink(console, sink, seen[1]);
    emu_console_write(console, 'b');
    emu_console_write(console, '\0');
    ck_assert_uint_eq(seen[0]->len, 3);
    ck_assert_mem_eq(seen[0]->str, "ab\0", 3);
    ck_assert_uint_eq(seen[1]->len, 2);
    ck_assert_mem_eq(seen[1]->str, "b\0", 2);
}
END_TEST

START_TEST(input_waits_in_order)
{
    uint8_t byte = 0x55;

    emu_console_set_input_func(console, input, &n_inputs);
    ck_assert(!emu_console_read(console, &byte));
    ck_assert_uint_eq(byte, 0x55);
    ck_assert_uint_eq(emu_console_feed(console, (const uint8_t *)"", 0), 0);
    ck_assert_uint_eq(n_inputs, 0);
    ck_assert_uint_eq(emu_console_feed(console, (const uint8_t *)"ab", 2), 2);
    ck_assert_uint_eq(n_inputs, 1);
    ck_assert(emu_console_can_read(console));
    ck_assert(emu_console_read(console, &byte));
    ck_assert_uint_eq(byte, 'a');
    ck_assert(emu_console_read(console, &byte));
    ck_assert_uint_eq(byte, 'b');
    ck_assert(!emu_console_can_read(console));
}
END_TEST

START_TEST(the_queue_takes_64_kib_and_wraps)
{
    g_autofree uint8_t *bytes = g_malloc(EMU_CONSOLE_QUEUE_LEN + 10);
    unsigned n_wrong = 0;
    uint8_t byte;

    for (unsigned i = 0; i < EMU_CONSOLE_QUEUE_LEN + 10; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    ck_assert_uint_eq(emu_console_feed(console, bytes, EMU_CONSOLE_QUEUE_LEN + 10),
                      EMU_CONSOLE_QUEUE_LEN);
    ck_assert_uint_eq(emu_console_feed(console, bytes, 1), 0);
    for (unsigned i = 0; i < 10; i++) {
        n_wrong += !emu_console_read(console, &byte) || byte != bytes[i];
    }
    ck_assert_uint_eq(emu_console_feed(console, bytes + EMU_CONSOLE_QUEUE_LEN, 10), 10);
    for (unsigned i = 10; i < EMU_CONSOLE_QUEUE_LEN + 10; i++) {
        n_wrong += !emu_console_read(console, &byte) || byte != bytes[i];
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert(!emu_console_can_read(console));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console");
    TCase *tcase = tcase_create("console");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_sink_gets_every_byte);
    tcase_add_test(tcase, input_waits_in_order);
    tcase_add_test(tcase, the_queue_takes_64_kib_and_wraps);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
