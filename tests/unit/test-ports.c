/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/error.h"
#include "emu/ports-internal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static EmuPorts *ports;

/* What a device was asked, as text: "r3f8.1 w3f9.2=1234 ". */
typedef struct Device {
    char log[256];
    unsigned remove_handle; /* removes this range inside its own access */
} Device;

static Device a, b;

static void note(Device *device, const char *format, ...)
{
    size_t used = strlen(device->log);
    va_list args;

    va_start(args, format);
    g_vsnprintf(device->log + used, sizeof(device->log) - used, format, args);
    va_end(args);
    if (device->remove_handle != 0) {
        emu_ports_remove(ports, device->remove_handle);
        device->remove_handle = 0;
    }
}

static uint32_t dev_read(void *user, uint16_t port, unsigned size)
{
    note(user, "r%x.%u ", port, size);
    return 0xAABBCC00u + port; /* more than a small access may show */
}

static void dev_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    note(user, "w%x.%u=%x ", port, size, value);
}

static const EmuPortOps bytes_only = { .read = dev_read, .write = dev_write, .sizes = 1 };
static const EmuPortOps dwords_only = { .read = dev_read, .write = dev_write, .sizes = 4 };
static const EmuPortOps words_and_bytes = { .read = dev_read, .write = dev_write, .sizes = 3 };
static const EmuPortOps deaf = { .sizes = 7 };

static void setup(void)
{
    ports = emu_ports_new();
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
}

static void teardown(void)
{
    g_clear_pointer(&ports, emu_ports_free);
}

static unsigned add(uint16_t first, unsigned count, const EmuPortOps *ops, Device *device,
                    const char *name)
{
    unsigned handle = emu_ports_add(ports, first, count, ops, device, name, NULL);

    ck_assert_uint_ne(handle, 0);
    return handle;
}

START_TEST(nobody_reads_all_ones_and_swallows_writes)
{
    ck_assert_uint_eq(emu_ports_read(ports, 0x80, 1), 0xFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0x80, 2), 0xFFFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0xFFFF, 4), 0xFFFFFFFF);
    emu_ports_write(ports, 0x80, 4, 1);
    ck_assert_ptr_null(emu_ports_owner(ports, 0x80));
    ck_assert_uint_eq(emu_ports_count_reads(ports), 3);
    ck_assert_uint_eq(emu_ports_count_writes(ports), 1);
}
END_TEST

START_TEST(accesses_are_split_to_what_the_device_takes)
{
    add(0x100, 4, &bytes_only, &a, "a");
    ck_assert_uint_eq(emu_ports_read(ports, 0x100, 4), 0x03020100);
    ck_assert_str_eq(a.log, "r100.1 r101.1 r102.1 r103.1 ");
    a.log[0] = '\0';
    emu_ports_write(ports, 0x102, 2, 0x12345678);
    ck_assert_str_eq(a.log, "w102.1=78 w103.1=56 ");
}
END_TEST

START_TEST(a_split_goes_on_with_the_next_owner)
{
    add(0x100, 1, &bytes_only, &a, "a");
    add(0x102, 2, &words_and_bytes, &b, "b");
    ck_assert_uint_eq(emu_ports_read(ports, 0x100, 4), 0xCD02FF00);
    ck_assert_str_eq(a.log, "r100.1 ");
    ck_assert_str_eq(b.log, "r102.2 ");
}
END_TEST

START_TEST(the_first_port_decides)
{
    add(0xCF8, 1, &dwords_only, &a, "a");
    add(0xCF9, 1, &bytes_only, &b, "b");
    emu_ports_write(ports, 0xCF8, 4, 0x80000000);
    emu_ports_write(ports, 0xCF9, 1, 6);
    ck_assert_str_eq(a.log, "wcf8.4=80000000 ");
    ck_assert_str_eq(b.log, "wcf9.1=6 ");
    /* a takes no bytes: the low one goes nowhere. */
    emu_ports_write(ports, 0xCF8, 2, 0x0700);
    ck_assert_str_eq(a.log, "wcf8.4=80000000 ");
    ck_assert_str_eq(b.log, "wcf9.1=6 wcf9.1=7 ");
}
END_TEST

START_TEST(a_range_past_the_last_port_wraps)
{
    add(0xFFFF, 1, &bytes_only, &a, "a");
    add(0, 1, &bytes_only, &b, "b");
    ck_assert_uint_eq(emu_ports_read(ports, 0xFFFF, 2), 0x00FF);
    ck_assert_str_eq(a.log, "rffff.1 ");
    ck_assert_str_eq(b.log, "r0.1 ");
}
END_TEST

START_TEST(a_conflict_names_port_and_owner_and_changes_nothing)
{
    g_autoptr(GError) error = NULL;

    add(0x3F8, 8, &bytes_only, &a, "uart");
    ck_assert_uint_eq(emu_ports_add(ports, 0x3F0, 9, &bytes_only, &b, "floppy", &error), 0);
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_CONFLICT));
    ck_assert_ptr_nonnull(strstr(error->message, "0x3f0 to 0x3f8 for floppy"));
    ck_assert_ptr_nonnull(strstr(error->message, "port 0x3f8"));
    ck_assert_ptr_nonnull(strstr(error->message, "uart"));
    ck_assert_ptr_null(emu_ports_owner(ports, 0x3F0));
    ck_assert_str_eq(emu_ports_owner(ports, 0x3FF), "uart");
}
END_TEST

START_TEST(removed_ranges_are_free_again)
{
    unsigned handle = add(0x100, 4, &bytes_only, &a, "a");

    unsigned next = add(0x104, 4, &bytes_only, &b, "b");

    add(0x200, 4, &bytes_only, &b, "b");
    emu_ports_remove(ports, handle);
    ck_assert_str_eq(emu_ports_owner(ports, 0x104), "b");
    emu_ports_remove(ports, next);
    ck_assert_uint_eq(emu_ports_read(ports, 0x103, 1), 0xFF);
    ck_assert_uint_eq(add(0x102, 4, &bytes_only, &a, "a"), MIN(handle, next));
    ck_assert_ptr_null(emu_ports_owner(ports, 0x101));
    ck_assert_str_eq(emu_ports_owner(ports, 0x105), "a");
    ck_assert_str_eq(emu_ports_owner(ports, 0x203), "b");
}
END_TEST

START_TEST(a_device_may_remove_itself_inside_its_access)
{
    a.remove_handle = add(0x100, 4, &bytes_only, &a, "a");
    ck_assert_uint_eq(emu_ports_read(ports, 0x100, 2), 0xFF00);
    ck_assert_str_eq(a.log, "r100.1 ");
}
END_TEST

START_TEST(missing_functions_read_ones_and_ignore)
{
    add(0x100, 4, &deaf, &a, "a");
    ck_assert_uint_eq(emu_ports_read(ports, 0x100, 1), 0xFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0x100, 4), 0xFFFFFFFF);
    emu_ports_write(ports, 0x100, 4, 0);
}
END_TEST

static void trace(void *user, bool write, uint16_t port, unsigned size, uint32_t value,
                  const char *device)
{
    g_string_append_printf(user, "%c%x.%u=%x %s|", write ? 'w' : 'r', port, size, value,
                           device != NULL ? device : "-");
}

START_TEST(the_trace_sees_whole_accesses)
{
    g_autoptr(GString) text = g_string_new(NULL);

    a.remove_handle = add(0x100, 4, &bytes_only, &a, "chip");
    emu_ports_set_trace(ports, trace, text);
    (void)emu_ports_read(ports, 0x100, 1); /* the chip goes; its name is still told */
    emu_ports_write(ports, 0x100, 2, 0xF1234);
    ck_assert_str_eq(text->str, "r100.1=0 chip|w100.2=1234 -|");
    emu_ports_set_trace(ports, NULL, NULL);
    emu_ports_write(ports, 0x100, 1, 0);
    ck_assert_uint_eq(text->len, strlen("r100.1=0 chip|w100.2=1234 -|"));
}
END_TEST

START_TEST(moving_a_range_forever_takes_no_more_slots)
{
    unsigned handle = add(0x100, 4, &bytes_only, &a, "a");

    for (unsigned i = 0; i < 200000; i++) {
        emu_ports_remove(ports, handle);
        handle = emu_ports_add(ports, (uint16_t)(i % 60000), 4, &bytes_only, &a, "a", NULL);
        if (handle != 1) {
            ck_abort_msg("handle %u in round %u", handle, i);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ports");
    TCase *tcase = tcase_create("ports");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nobody_reads_all_ones_and_swallows_writes);
    tcase_add_test(tcase, accesses_are_split_to_what_the_device_takes);
    tcase_add_test(tcase, a_split_goes_on_with_the_next_owner);
    tcase_add_test(tcase, the_first_port_decides);
    tcase_add_test(tcase, a_range_past_the_last_port_wraps);
    tcase_add_test(tcase, a_conflict_names_port_and_owner_and_changes_nothing);
    tcase_add_test(tcase, removed_ranges_are_free_again);
    tcase_add_test(tcase, a_device_may_remove_itself_inside_its_access);
    tcase_add_test(tcase, missing_functions_read_ones_and_ignore);
    tcase_add_test(tcase, the_trace_sees_whole_accesses);
    tcase_add_test(tcase, moving_a_range_forever_takes_no_more_slots);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
