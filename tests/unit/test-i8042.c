/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i8042.h"

#include "chip-fixture.h"

#define DATA 0x60
#define CMD 0x64

static DevI8042 *kbc;
static Wire irq1;
static Wire irq12;
static Wire a20;
static Wire init;

static void setup(void)
{
    fixture_setup();
    irq1 = irq12 = a20 = init = (Wire) { 0 };

    const DevI8042Lines lines = {
        .irq1 = wire_line(&irq1),
        .irq12 = wire_line(&irq12),
        .a20 = wire_line(&a20),
        .init = wire_line(&init),
    };

    kbc = dev_i8042_new(ports, &lines, NULL);
    ck_assert_ptr_nonnull(kbc);
}

static void teardown(void)
{
    dev_i8042_free(kbc);
    fixture_teardown();
}

/* Reads what waits, as hex text: "fa aa". A byte of the mouse has an m. */
static char *drain(void)
{
    GString *text = g_string_new(NULL);

    while ((in8(CMD) & 0x01) != 0 && text->len < 500) {
        const char *mark = (in8(CMD) & 0x20) != 0 ? "m" : "";

        g_string_append_printf(text, "%s%s%02x", text->len > 0 ? " " : "", mark, in8(DATA));
    }
    return g_string_free(text, FALSE);
}

#define ck_assert_drains(want)                \
    do {                                      \
        g_autofree char *got_bytes = drain(); \
        ck_assert_str_eq(got_bytes, (want));  \
    } while (0)

static void command_with(uint8_t command, uint8_t data)
{
    out8(CMD, command);
    out8(DATA, data);
}

START_TEST(reset_state)
{
    ck_assert_uint_eq(in8(CMD), 0x10);
    ck_assert(a20.level);
    ck_assert_uint_eq(init.n_sets, 0);
    ck_assert_drains("");
}
END_TEST

/* Controller command, answer. */
static const struct {
    uint8_t command;
    const char *answer;
} tests_of_self[] = {
    { 0xAA, "55" }, { 0xA9, "00" }, { 0xAB, "00" }, { 0xC0, "80" }, { 0xD0, "c3" },
    { 0x20, "00" }, { 0x77, "" },   { 0xAC, "" },   { 0xF1, "" },
};

START_TEST(controller_commands_answer)
{
    out8(CMD, tests_of_self[_i].command);
    ck_assert_uint_eq(in8(CMD) & 0x08, 0x08);
    ck_assert_drains(tests_of_self[_i].answer);
}
END_TEST

START_TEST(self_test_sets_the_system_flag)
{
    out8(CMD, 0xAA);
    ck_assert_uint_eq(in8(CMD), 0x10 | 0x08 | 0x04 | 0x01);
}
END_TEST

START_TEST(command_byte_and_ram_keep_what_is_written)
{
    command_with(0x60, 0x47);
    ck_assert_uint_eq(in8(CMD) & 0x0C, 0x04);
    command_with(0x7F, 0x5A);
    out8(CMD, 0x20);
    ck_assert_drains("47");
    out8(CMD, 0x3F);
    ck_assert_drains("5a");
}
END_TEST

START_TEST(interface_switches_are_bits_of_the_command_byte)
{
    out8(CMD, 0xAD);
    out8(CMD, 0xA7);
    out8(CMD, 0x20);
    ck_assert_drains("30");
    out8(CMD, 0xAE);
    out8(CMD, 0xA8);
    out8(CMD, 0x20);
    ck_assert_drains("00");
}
END_TEST

START_TEST(output_port_drives_a20_and_reset)
{
    command_with(0xD1, 0x01);
    ck_assert(!a20.level);
    out8(CMD, 0xD0);
    ck_assert_drains("c1");
    command_with(0xD1, 0x03);
    ck_assert(a20.level);
    ck_assert_uint_eq(init.n_rises, 0);
    command_with(0xD1, 0x02);
    ck_assert_uint_eq(init.n_rises, 1);
    ck_assert(!init.level);
    out8(CMD, 0xDD);
    ck_assert(!a20.level);
    out8(CMD, 0xDF);
    ck_assert(a20.level);
    ck_assert_uint_eq(init.n_rises, 1);
}
END_TEST

START_TEST(pulsing_bit_0_low_resets_and_the_others_do_not)
{
    for (unsigned c = 0xF0; c <= 0xFF; c++) {
        unsigned before = init.n_rises;

        out8(CMD, c);
        ck_assert_uint_eq(init.n_rises - before, (c & 1) == 0);
    }
    ck_assert(!init.level);
}
END_TEST

/* Bytes to the keyboard, answers. */
static const struct {
    const char *sent;
    const char *answers;
} keyboard[] = {
    { "\xFF", "fa aa" },
    { "\xEE", "ee" },
    { "\xF2", "fa ab 83" },
    { "\xED\x07", "fa fa" },
    { "\xF3\x20", "fa fa" },
    { "\xF4", "fa" },
    { "\xF5", "fa" },
    { "\xF6", "fa" },
    { "\xF0\x01\xF0\x05\xF0", "fa fa fa fe fa" },
    { "\xED\xF4", "fa fa" },       /* a command in place of a parameter */
    { "\x42", "fe" },              /* no command */
    { "\xF2\xFE", "fa ab 83 fa" }, /* RESEND: the last byte that went out */
};

START_TEST(keyboard_answers)
{
    for (const char *p = keyboard[_i].sent; *p != '\0'; p++) {
        out8(DATA, (uint8_t)*p);
    }
    ck_assert_drains(keyboard[_i].answers);
}
END_TEST

START_TEST(keyboard_tells_its_scan_code_set)
{
    out8(DATA, 0xF0);
    out8(DATA, 3);
    out8(DATA, 0xF0);
    out8(DATA, 0);
    ck_assert_drains("fa fa fa fa 03");
    out8(DATA, 0xF6); /* back to the defaults */
    out8(DATA, 0xF0);
    out8(DATA, 0);
    ck_assert_drains("fa fa fa 02");
}
END_TEST

static const struct {
    const char *sent;
    const char *answers;
} mouse[] = {
    { "\xFF", "mfa maa m00" },
    { "\xF2", "mfa m00" },
    { "\xF4", "mfa" },
    { "\xF5", "mfa" },
    { "\xF3\x50\xE9", "mfa mfa mfa m00 m02 m50" },
    { "\xE8\x03\xE7\xF4\xF0\xE9", "mfa mfa mfa mfa mfa mfa m70 m03 m64" },
    { "\xEB", "mfa m08 m00 m00" },
    { "\x11", "mfe" },
};

START_TEST(mouse_answers)
{
    for (const char *p = mouse[_i].sent; *p != '\0'; p++) {
        command_with(0xD4, (uint8_t)*p);
    }
    ck_assert_drains(mouse[_i].answers);
}
END_TEST

START_TEST(each_byte_of_the_keyboard_is_an_edge_on_irq1)
{
    command_with(0x60, 0x01);
    out8(DATA, 0xF2);
    ck_assert_uint_eq(irq1.n_rises, 1);
    ck_assert(irq1.level);
    in8(DATA);
    ck_assert_uint_eq(irq1.n_rises, 2);
    in8(DATA);
    in8(DATA);
    ck_assert_uint_eq(irq1.n_rises, 3);
    ck_assert(!irq1.level);
    ck_assert_uint_eq(irq12.n_rises, 0);
    in8(DATA); /* empty: nothing happens */
    ck_assert_uint_eq(irq1.n_rises, 3);
}
END_TEST

START_TEST(mouse_bytes_go_to_irq12_if_enabled)
{
    command_with(0xD4, 0xF4);
    ck_assert(!irq12.level);
    ck_assert_drains("mfa");
    command_with(0x60, 0x02);
    command_with(0xD4, 0xF2);
    ck_assert(irq12.level);
    ck_assert_drains("mfa m00");
    ck_assert_uint_eq(irq12.n_rises, 2);
    ck_assert_uint_eq(irq1.n_rises, 0);
}
END_TEST

START_TEST(a_disabled_keyboard_keeps_its_bytes)
{
    out8(CMD, 0xAD);
    ck_assert(dev_i8042_key(kbc, (const uint8_t *)"\x1C", 1));
    ck_assert_drains("");
    out8(CMD, 0xAE);
    ck_assert_drains("1c");
}
END_TEST

START_TEST(writing_to_the_keyboard_switches_it_on)
{
    out8(CMD, 0xAD);
    out8(DATA, 0xEE);
    ck_assert_drains("ee");
}
END_TEST

START_TEST(translation_turns_set_2_into_set_1)
{
    static const uint8_t keys[] = { 0x1C, 0xF0, 0x1C, 0xE0, 0x75, 0xE0, 0xF0, 0x75, 0x83, 0x5A };

    command_with(0x60, 0x40);
    ck_assert(dev_i8042_key(kbc, keys, sizeof keys));
    ck_assert_drains("1e 9e e0 48 e0 c8 41 1c");
}
END_TEST

START_TEST(the_key_queue_is_bounded_and_takes_all_or_nothing)
{
    uint8_t keys[64] = { 0 };

    ck_assert(dev_i8042_key(kbc, keys, 64)); /* one goes to the output buffer */
    ck_assert(!dev_i8042_key(kbc, keys, 2));
    ck_assert(dev_i8042_key(kbc, keys, 1));
    ck_assert(!dev_i8042_key(kbc, keys, 1));
    ck_assert(!dev_i8042_key(kbc, keys, SIZE_MAX));
    for (unsigned i = 0; i < 65; i++) {
        ck_assert_uint_eq(in8(CMD) & 1, 1);
        in8(DATA);
    }
    ck_assert_uint_eq(in8(CMD) & 1, 0);
}
END_TEST

START_TEST(no_keys_while_scanning_is_off)
{
    out8(DATA, 0xF5);
    ck_assert_drains("fa");
    ck_assert(!dev_i8042_key(kbc, (const uint8_t *)"\x1C", 1));
    out8(DATA, 0xF4);
    ck_assert_drains("fa");
    ck_assert(dev_i8042_key(kbc, (const uint8_t *)"\x1C", 1));
}
END_TEST

START_TEST(an_answer_waits_behind_a_key_and_replaces_an_unread_answer)
{
    out8(DATA, 0xEE);
    out8(CMD, 0xAA);
    ck_assert_drains("ee 55");
    command_with(0x60, 0x01);

    unsigned rises = irq1.n_rises;

    out8(CMD, 0xAA);
    out8(CMD, 0xAB);
    ck_assert_uint_eq(irq1.n_rises - rises, 2); /* each is an edge */
    ck_assert_drains("00");
}
END_TEST

START_TEST(a_new_command_ends_the_wait_for_data)
{
    out8(CMD, 0xD1);
    out8(CMD, 0xF1);
    out8(DATA, 0xEE); /* the keyboard's, not the output port's */
    ck_assert_drains("ee");
    ck_assert_uint_eq(init.n_rises, 0);
}
END_TEST

START_TEST(fake_bytes_come_back_as_the_devices_own)
{
    command_with(0x60, 0x03);
    command_with(0xD2, 0x12);
    ck_assert(irq1.level);
    ck_assert_drains("12");
    command_with(0xD3, 0x34);
    ck_assert(irq12.level);
    ck_assert_drains("m34");
}
END_TEST

START_TEST(a_guest_that_never_reads_loses_answers_and_nothing_else)
{
    for (unsigned i = 0; i < 1000; i++) {
        out8(DATA, 0xF2);
        command_with(0xD4, 0xE9);
        out8(CMD, 0xAA);
    }
    for (unsigned i = 0; i < 1000 && (in8(CMD) & 1) != 0; i++) {
        in8(DATA);
    }
    ck_assert_uint_eq(in8(CMD) & 1, 0);
    out8(DATA, 0xEE);
    ck_assert_drains("ee");
}
END_TEST

static void save(GByteArray *out)
{
    dev_i8042_save(kbc, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_i8042_load(kbc, bytes, len, pos, error);
}

static void make_busy(void)
{
    command_with(0x60, 0x43);
    out8(DATA, 0xF2);
    command_with(0xD4, 0xE9);
    out8(DATA, 0xED);
}

static void disturb(void)
{
    g_free(drain());
    out8(DATA, 0x07);
    command_with(0x60, 0x00);
}

START_TEST(state_round_trip_brings_queues_and_lines_back)
{
    make_busy();
    ck_assert(irq1.level);
    check_round_trip(save, load, disturb);
    ck_assert(irq1.level);
    out8(DATA, 0x05);                                   /* still the parameter of 0xED */
    ck_assert_drains("fa ab 41 fa fa mfa m00 m02 m64"); /* 83 translated is 41 */
}
END_TEST

START_TEST(impossible_states_are_refused)
{
    make_busy();
    check_refused(save, load, "i8042", "kbd.queue.len", 1, 65);
    check_refused(save, load, "i8042", "mouse.queue.len", 1, 0xFF);
    check_refused(save, load, "i8042", "out_port", 1, 0x04);
    check_refused(save, load, "i8042", "source", 1, 3);
    check_refused(save, load, "i8042", "answer_source", 1, 3);
    check_refused(save, load, "i8042", "kbd.set", 1, 0);
    check_refused(save, load, "i8042", "kbd.set", 1, 4);
    check_refused(save, load, "i8042", "status", 1, 0x01);
    check_truncated(save, load);
    g_free(drain());
    out8(DATA, 0xF4);
    out8(DATA, 0xF0);
    out8(DATA, 0x01); /* scan code set 1 is possible */
    check_round_trip(save, load, disturb);
}
END_TEST

static const PortRange all_ports[] = { { 0x60, 1 }, { 0x64, 1 } };

static void fuzz_little(uint32_t seed)
{
    fuzz_ports(all_ports, 2, seed, 50);
}

START_TEST(damaged_states_do_no_harm)
{
    make_busy();
    check_damaged(save, load, 7, 3000, fuzz_little);
}
END_TEST

START_TEST(random_port_accesses_do_no_harm)
{
    fuzz_ports(all_ports, 2, 8042 + (uint32_t)_i, 100000);

    g_autoptr(GByteArray) state = saved_state(save);
    size_t pos = 0;

    ck_assert_msg(load(state->data, state->len, &pos, NULL), "the chip's own state is invalid");
    dev_i8042_reset(kbc);
    out8(DATA, 0xFF);
    ck_assert_drains("fa aa");
}
END_TEST

static void set_mode(uint8_t mode)
{
    command_with(0x60, mode);
}

START_TEST(keys_are_awaited_once_the_guest_looks_for_them)
{
    ck_assert(!dev_i8042_awaits_key(kbc)); /* power-on: no interrupt is allowed */
    set_mode(0x01);
    ck_assert(dev_i8042_awaits_key(kbc));
    set_mode(0x41);
    ck_assert(dev_i8042_awaits_key(kbc));
    set_mode(0x42); /* the mouse's alone */
    ck_assert(!dev_i8042_awaits_key(kbc));
    set_mode(0x11); /* interface off */
    ck_assert(!dev_i8042_awaits_key(kbc));
    set_mode(0x01);
    out8(DATA, 0xF5);
    ck_assert_drains("fa");
    ck_assert(!dev_i8042_awaits_key(kbc)); /* not scanning */
    out8(DATA, 0xF4);
    ck_assert(!dev_i8042_awaits_key(kbc)); /* the acknowledgement was not taken */
    ck_assert_drains("fa");
    ck_assert(dev_i8042_awaits_key(kbc));
    ck_assert(dev_i8042_key(kbc, (const uint8_t[]) { 0x1C, 0x32 }, 2));
    ck_assert(!dev_i8042_awaits_key(kbc));
    ck_assert_uint_eq(in8(DATA), 0x1C);
    ck_assert(!dev_i8042_awaits_key(kbc)); /* the second is in the buffer */
    ck_assert_uint_eq(in8(DATA), 0x32);
    ck_assert(dev_i8042_awaits_key(kbc));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("i8042");
    Suite *suite = suite_create("devices/i8042");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reset_state);
    tcase_add_loop_test(tc, controller_commands_answer, 0, G_N_ELEMENTS(tests_of_self));
    tcase_add_test(tc, self_test_sets_the_system_flag);
    tcase_add_test(tc, command_byte_and_ram_keep_what_is_written);
    tcase_add_test(tc, interface_switches_are_bits_of_the_command_byte);
    tcase_add_test(tc, output_port_drives_a20_and_reset);
    tcase_add_test(tc, pulsing_bit_0_low_resets_and_the_others_do_not);
    tcase_add_loop_test(tc, keyboard_answers, 0, G_N_ELEMENTS(keyboard));
    tcase_add_test(tc, keyboard_tells_its_scan_code_set);
    tcase_add_loop_test(tc, mouse_answers, 0, G_N_ELEMENTS(mouse));
    tcase_add_test(tc, each_byte_of_the_keyboard_is_an_edge_on_irq1);
    tcase_add_test(tc, mouse_bytes_go_to_irq12_if_enabled);
    tcase_add_test(tc, a_disabled_keyboard_keeps_its_bytes);
    tcase_add_test(tc, writing_to_the_keyboard_switches_it_on);
    tcase_add_test(tc, translation_turns_set_2_into_set_1);
    tcase_add_test(tc, the_key_queue_is_bounded_and_takes_all_or_nothing);
    tcase_add_test(tc, no_keys_while_scanning_is_off);
    tcase_add_test(tc, an_answer_waits_behind_a_key_and_replaces_an_unread_answer);
    tcase_add_test(tc, a_new_command_ends_the_wait_for_data);
    tcase_add_test(tc, fake_bytes_come_back_as_the_devices_own);
    tcase_add_test(tc, a_guest_that_never_reads_loses_answers_and_nothing_else);
    tcase_add_test(tc, state_round_trip_brings_queues_and_lines_back);
    tcase_add_test(tc, impossible_states_are_refused);
    tcase_add_test(tc, damaged_states_do_no_harm);
    tcase_add_loop_test(tc, random_port_accesses_do_no_harm, 0, 3);
    tcase_add_test(tc, keys_are_awaited_once_the_guest_looks_for_them);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
