/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/uart16550.h"

#include "chip-fixture.h"

#define BASE 0x3F8

static EmuConsole *console;
static DevUart *uart;
static Wire irq;
static GByteArray *sent;

static void sink(void *user, const uint8_t *bytes, size_t len)
{
    (void)user;
    g_byte_array_append(sent, bytes, (guint)len);
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    fixture_setup();
    sent = g_byte_array_new();
    console = emu_console_new("serial0");
    emu_console_add_sink(console, sink, NULL);
    irq = (Wire) { 0 };
    uart = dev_uart_new(ports, emu_clock, BASE, console, wire_line(&irq), &error);
    ck_assert_ptr_nonnull(uart);
}

static void teardown(void)
{
    dev_uart_free(uart);
    emu_console_free(console);
    g_byte_array_unref(sent);
    fixture_teardown();
}

static void feed(const char *text)
{
    ck_assert_uint_eq(emu_console_feed(console, (const uint8_t *)text, strlen(text)), strlen(text));
}

START_TEST(reset_values_are_those_of_the_datasheet)
{
    ck_assert_uint_eq(in8(BASE + 1), 0x00);
    ck_assert_uint_eq(in8(BASE + 2), 0x01);
    ck_assert_uint_eq(in8(BASE + 3), 0x00);
    ck_assert_uint_eq(in8(BASE + 4), 0x00);
    ck_assert_uint_eq(in8(BASE + 5), 0x60);
    ck_assert_uint_eq(in8(BASE + 6), 0xB0); /* CTS, DSR and DCD, no deltas */
    ck_assert(!irq.level);
}
END_TEST

START_TEST(a_written_byte_is_on_the_console_at_once)
{
    out8(BASE, 'Q');
    out8(BASE, 'u');
    ck_assert_uint_eq(sent->len, 2);
    ck_assert_mem_eq(sent->data, "Qu", 2);
    ck_assert_uint_eq(in8(BASE + 5) & 0x60, 0x60);
}
END_TEST

START_TEST(dlab_shows_the_divisor_instead_of_data_and_ier)
{
    out8(BASE + 1, 0x05);
    out8(BASE + 3, 0x83);
    out8(BASE, 0x34);
    out8(BASE + 1, 0x12);
    ck_assert_uint_eq(in8(BASE), 0x34);
    ck_assert_uint_eq(in8(BASE + 1), 0x12);
    ck_assert_uint_eq(in8(BASE + 3), 0x83);
    out8(BASE + 3, 0x03);
    ck_assert_uint_eq(in8(BASE + 1), 0x05);
    ck_assert_uint_eq(sent->len, 0);
}
END_TEST

START_TEST(unused_bits_of_ier_and_mcr_read_zero_and_scratch_keeps)
{
    out8(BASE + 1, 0xFF);
    out8(BASE + 4, 0xEF);
    out8(BASE + 7, 0xA5);
    ck_assert_uint_eq(in8(BASE + 1), 0x0F);
    ck_assert_uint_eq(in8(BASE + 4), 0x0F);
    ck_assert_uint_eq(in8(BASE + 7), 0xA5);
}
END_TEST

START_TEST(without_fifo_one_byte_is_taken_and_the_rest_waits)
{
    feed("abc");
    ck_assert_uint_eq(in8(BASE + 5) & 0x03, 0x01);
    ck_assert_uint_eq(in8(BASE), 'a');
    ck_assert_uint_eq(in8(BASE), 'b');
    ck_assert_uint_eq(in8(BASE), 'c');
    ck_assert_uint_eq(in8(BASE + 5), 0x60);
    ck_assert_uint_eq(in8(BASE), 0);
}
END_TEST

START_TEST(received_data_interrupts_until_it_is_read)
{
    out8(BASE + 4, 0x08);
    out8(BASE + 1, 0x01);
    feed("x");
    ck_assert(irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0x04);
    ck_assert(irq.level);
    in8(BASE);
    ck_assert(!irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0x01);
}
END_TEST

START_TEST(out2_gates_the_line)
{
    out8(BASE + 1, 0x01);
    feed("x");
    ck_assert(!irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0x04); /* pending all the same */
    out8(BASE + 4, 0x08);
    ck_assert(irq.level);
    out8(BASE + 4, 0x00);
    ck_assert(!irq.level);
}
END_TEST

START_TEST(thre_interrupt_comes_when_enabled_and_after_each_byte)
{
    out8(BASE + 4, 0x08);
    out8(BASE + 1, 0x02);
    ck_assert(irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0x02);
    ck_assert(!irq.level); /* reading IIR takes it back */
    out8(BASE, 'a');
    ck_assert(irq.level);

    unsigned rises = irq.n_rises;

    out8(BASE, 'b'); /* an edge-triggered controller must see a new edge */
    ck_assert_uint_eq(irq.n_rises, rises + 1);
    out8(BASE + 1, 0x02);
    in8(BASE + 2);
    out8(BASE + 1, 0x02); /* enabling what is enabled reports nothing */
    ck_assert(!irq.level);
}
END_TEST

static const struct {
    uint8_t fcr;
    unsigned level;
} triggers[] = { { 0x01, 1 }, { 0x41, 4 }, { 0x81, 8 }, { 0xC1, 14 } };

START_TEST(fifo_interrupts_at_its_trigger_level)
{
    out8(BASE + 4, 0x08);
    out8(BASE + 1, 0x01);
    out8(BASE + 2, triggers[_i].fcr);
    for (unsigned i = 1; i <= 16; i++) {
        feed("z");
        ck_assert_int_eq(irq.level, i >= triggers[_i].level);
    }
    ck_assert_uint_eq(in8(BASE + 2), 0xC4);
    /* Down to just below the level: the line falls there. */
    for (unsigned left = 16; left-- > triggers[_i].level;) {
        in8(BASE);
        ck_assert(irq.level);
    }
    in8(BASE);
    ck_assert(!irq.level);
}
END_TEST

START_TEST(bytes_below_the_trigger_time_out_after_four_characters)
{
    uint64_t length = UINT64_C(10000000000) * 4 / 115200; /* ten bits a character at 115200 baud */

    out8(BASE + 3, 0x83);
    out8(BASE, 1);
    out8(BASE + 1, 0);
    out8(BASE + 3, 0x03);
    out8(BASE + 4, 0x08);
    out8(BASE + 2, 0x81);
    out8(BASE + 1, 0x01);
    feed("ab");
    ck_assert(!irq.level);
    emu_clock_advance_to(emu_clock, length - 10);
    ck_assert(!irq.level);
    emu_clock_advance_to(emu_clock, length + 10);
    ck_assert(irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0xCC);
    ck_assert_uint_eq(in8(BASE), 'a'); /* reading starts the time anew */
    ck_assert(!irq.level);
    emu_clock_advance_to(emu_clock, 3 * length);
    ck_assert(irq.level);
    ck_assert_uint_eq(in8(BASE), 'b');
    emu_clock_advance_to(emu_clock, 100 * length); /* an empty FIFO never times out */
    ck_assert(!irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0xC1);
}
END_TEST

START_TEST(fcr_clears_the_receiver_and_other_bits_need_enable)
{
    out8(BASE + 2, 0x01);
    feed("0123456789abcdefXYZ");
    out8(BASE + 2, 0x03);
    ck_assert_uint_eq(in8(BASE), 'X'); /* what waited outside comes in */
    out8(BASE + 2, 0xC0);
    ck_assert_uint_eq(in8(BASE + 2) & 0xC0, 0x00);
    ck_assert_uint_eq(in8(BASE + 5) & 1, 0); /* switching the FIFOs empties them */
}
END_TEST

START_TEST(loopback_returns_bytes_and_outputs_and_stays_off_the_console)
{
    out8(BASE + 3, 0x03);
    out8(BASE + 4, 0x1F);
    feed("q");
    ck_assert_uint_eq(in8(BASE + 6) & 0xF0, 0xF0);
    out8(BASE, 'L');
    ck_assert_uint_eq(sent->len, 0);
    ck_assert_uint_eq(in8(BASE), 'L');
    ck_assert_uint_eq(in8(BASE + 5) & 1, 0);
    out8(BASE + 4, 0x1A);                          /* RTS and OUT2 only */
    ck_assert_uint_eq(in8(BASE + 6), 0x90 | 0x06); /* CTS, DCD; DSR changed, RI fell */
    ck_assert_uint_eq(in8(BASE + 6), 0x90);        /* reading clears the deltas */
    out8(BASE + 4, 0x00);
    ck_assert_uint_eq(in8(BASE), 'q'); /* input waited for the end of loopback */
}
END_TEST

START_TEST(loopback_keeps_the_line_quiet)
{
    out8(BASE + 4, 0x18);
    out8(BASE + 1, 0x0F);
    out8(BASE, 'L');
    ck_assert(!irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0x04);
}
END_TEST

START_TEST(overrun_keeps_the_fifo_but_replaces_the_holding_register)
{
    out8(BASE + 3, 0x03);
    out8(BASE + 4, 0x10);
    out8(BASE, 'a');
    out8(BASE, 'b');
    ck_assert_uint_eq(in8(BASE + 5), 0x63);
    ck_assert_uint_eq(in8(BASE + 5), 0x61); /* the error is gone once read */
    ck_assert_uint_eq(in8(BASE), 'b');

    out8(BASE + 2, 0x01);
    for (unsigned i = 0; i < 17; i++) {
        out8(BASE, 'A' + i);
    }
    ck_assert_uint_eq(in8(BASE + 5) & 2, 2);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_uint_eq(in8(BASE), 'A' + i);
    }
    ck_assert_uint_eq(in8(BASE + 5) & 1, 0);
}
END_TEST

START_TEST(interrupts_are_reported_in_the_datasheets_order)
{
    out8(BASE + 4, 0x10);
    out8(BASE + 3, 0x03);
    out8(BASE + 1, 0x0F);
    out8(BASE, 'a');
    out8(BASE, 'b');      /* overrun */
    out8(BASE + 4, 0x12); /* CTS changes */
    ck_assert_uint_eq(in8(BASE + 2), 0x06);
    in8(BASE + 5);
    ck_assert_uint_eq(in8(BASE + 2), 0x04);
    in8(BASE);
    ck_assert_uint_eq(in8(BASE + 2), 0x02);
    ck_assert_uint_eq(in8(BASE + 2), 0x00);
    in8(BASE + 6);
    ck_assert_uint_eq(in8(BASE + 2), 0x01);
}
END_TEST

START_TEST(short_characters_lose_their_high_bits_in_loopback)
{
    out8(BASE + 4, 0x10);
    out8(BASE + 3, 0x00);
    out8(BASE, 0xFF);
    ck_assert_uint_eq(in8(BASE), 0x1F);
}
END_TEST

START_TEST(break_in_loopback_is_received_as_a_zero)
{
    out8(BASE + 4, 0x10);
    out8(BASE + 3, 0x43);
    ck_assert_uint_eq(in8(BASE + 5), 0x71);
    ck_assert_uint_eq(in8(BASE), 0);
}
END_TEST

START_TEST(taken_ports_are_an_error)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(dev_uart_new(ports, emu_clock, BASE + 4, console, (EmuLine) { 0 }, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "uart16550"));
}
END_TEST

/* ---- state ---- */

static void save(GByteArray *out)
{
    dev_uart_save(uart, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_uart_load(uart, bytes, len, pos, error);
}

static void make_busy(void)
{
    out8(BASE + 3, 0x03);
    out8(BASE + 4, 0x08);
    out8(BASE + 2, 0x81);
    out8(BASE + 1, 0x05);
    out8(BASE + 7, 0x77);
    feed("abc");
}

static void disturb(void)
{
    in8(BASE);
    in8(BASE);
    in8(BASE);
    out8(BASE + 7, 0);
    out8(BASE + 1, 0);
}

START_TEST(state_round_trip_brings_fifo_and_time_out_back)
{
    make_busy();
    check_round_trip(save, load, disturb);
    ck_assert(!irq.level);
    emu_clock_advance_to(emu_clock, EMU_NS_PER_SECOND);
    ck_assert(irq.level);
    ck_assert_uint_eq(in8(BASE + 2), 0xCC);
    ck_assert_uint_eq(in8(BASE), 'a');
    ck_assert_uint_eq(in8(BASE), 'b');
    ck_assert_uint_eq(in8(BASE), 'c');
}
END_TEST

START_TEST(a_time_out_that_has_come_is_not_waited_for_again)
{
    make_busy();
    emu_clock_advance_to(emu_clock, EMU_NS_PER_SECOND);

    g_autoptr(GByteArray) state = saved_state(save);
    uint64_t deadline;

    memcpy(&deadline, field_in(state, "uart16550", "timeout_ns"), sizeof deadline);
    ck_assert_uint_eq(deadline, EMU_CLOCK_NEVER);
    ck_assert_uint_eq(*field_in(state, "uart16550", "timed_out"), 1);
}
END_TEST

START_TEST(impossible_states_are_refused)
{
    make_busy();
    check_refused(save, load, "uart16550", "fifo_len", 1, 17);
    check_refused(save, load, "uart16550", "fifo_len", 1, 0xFF);
    check_refused(save, load, "uart16550", "fcr", 1, 0x00); /* 3 bytes without a FIFO */
    check_refused(save, load, "uart16550", "fcr", 1, 0x37);
    check_refused(save, load, "uart16550", "ier", 1, 0x10);
    check_refused(save, load, "uart16550", "mcr", 1, 0x20);
    check_refused(save, load, "uart16550", "lsr_errors", 1, 0x21);
    check_refused(save, load, "uart16550", "thre_pending", 1, 2);
    check_refused(save, load, "uart16550", "fifo_len", 1, 0); /* a time-out with nothing waiting */
    check_truncated(save, load);
}
END_TEST

static const PortRange all_ports[] = { { BASE, 8 } };

static void fuzz_little(uint32_t seed)
{
    fuzz_ports(all_ports, 1, seed, 50);
}

START_TEST(damaged_states_do_no_harm)
{
    make_busy();
    check_damaged(save, load, 1, 3000, fuzz_little);
}
END_TEST

START_TEST(random_port_accesses_do_no_harm)
{
    emu_console_feed(console, (const uint8_t *)"some input for the guest to read", 32);
    fuzz_ports(all_ports, 1, 16550 + (uint32_t)_i, 100000);

    g_autoptr(GByteArray) state = saved_state(save);
    size_t pos = 0;

    ck_assert_msg(load(state->data, state->len, &pos, NULL), "the chip's own state is invalid");
    dev_uart_reset(uart);
    ck_assert_uint_eq(in8(BASE + 5) & 0x60, 0x60);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("uart16550");
    Suite *suite = suite_create("devices/uart16550");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reset_values_are_those_of_the_datasheet);
    tcase_add_test(tc, a_written_byte_is_on_the_console_at_once);
    tcase_add_test(tc, dlab_shows_the_divisor_instead_of_data_and_ier);
    tcase_add_test(tc, unused_bits_of_ier_and_mcr_read_zero_and_scratch_keeps);
    tcase_add_test(tc, without_fifo_one_byte_is_taken_and_the_rest_waits);
    tcase_add_test(tc, received_data_interrupts_until_it_is_read);
    tcase_add_test(tc, out2_gates_the_line);
    tcase_add_test(tc, thre_interrupt_comes_when_enabled_and_after_each_byte);
    tcase_add_loop_test(tc, fifo_interrupts_at_its_trigger_level, 0, G_N_ELEMENTS(triggers));
    tcase_add_test(tc, bytes_below_the_trigger_time_out_after_four_characters);
    tcase_add_test(tc, fcr_clears_the_receiver_and_other_bits_need_enable);
    tcase_add_test(tc, loopback_returns_bytes_and_outputs_and_stays_off_the_console);
    tcase_add_test(tc, loopback_keeps_the_line_quiet);
    tcase_add_test(tc, overrun_keeps_the_fifo_but_replaces_the_holding_register);
    tcase_add_test(tc, interrupts_are_reported_in_the_datasheets_order);
    tcase_add_test(tc, short_characters_lose_their_high_bits_in_loopback);
    tcase_add_test(tc, break_in_loopback_is_received_as_a_zero);
    tcase_add_test(tc, taken_ports_are_an_error);
    tcase_add_test(tc, state_round_trip_brings_fifo_and_time_out_back);
    tcase_add_test(tc, a_time_out_that_has_come_is_not_waited_for_again);
    tcase_add_test(tc, impossible_states_are_refused);
    tcase_add_test(tc, damaged_states_do_no_harm);
    tcase_add_loop_test(tc, random_port_accesses_do_no_harm, 0, 3);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
