/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i8259.h"

#include "state-limits.h"

static DevI8259 *pic;
static Wire intr;

static void setup(void)
{
    fixture_setup();
    intr = (Wire) { 0 };
    pic = dev_i8259_new(ports, wire_line(&intr), NULL);
    ck_assert_ptr_nonnull(pic);
}

static void teardown(void)
{
    dev_i8259_free(pic);
    ck_assert_ptr_null(emu_ports_owner(ports, 0x20));
    ck_assert_ptr_null(emu_ports_owner(ports, 0x4D1));
    fixture_teardown();
}

/* As a PC's firmware does: vectors 08 and 70, nothing masked. @icw4: of both. */
static void program(uint8_t icw4)
{
    out8(0x20, 0x11);
    out8(0xA0, 0x11);
    out8(0x21, 0x08);
    out8(0xA1, 0x70);
    out8(0x21, 0x04);
    out8(0xA1, 0x02);
    out8(0x21, icw4);
    out8(0xA1, icw4);
    out8(0x21, 0);
    out8(0xA1, 0);
}

static void pin(unsigned irq, bool level)
{
    EmuLine line = dev_i8259_pin(pic, irq);

    emu_line_set(&line, level);
}

static void pulse(unsigned irq)
{
    pin(irq, true);
    pin(irq, false);
}

static uint8_t isr_of(uint16_t port)
{
    out8(port, 0x0B);
    return in8(port);
}

static uint8_t irr_of(uint16_t port)
{
    out8(port, 0x0A);
    return in8(port);
}

START_TEST(reset_masks_everything)
{
    ck_assert_uint_eq(in8(0x21), 0xFF);
    ck_assert_uint_eq(in8(0xA1), 0xFF);
    ck_assert_ptr_null(emu_ports_owner(ports, 0x22));
    ck_assert_ptr_null(emu_ports_owner(ports, 0xA2));
    ck_assert_ptr_null(emu_ports_owner(ports, 0x4D2));
    pulse(3);
    ck_assert(!intr.level);
}
END_TEST

static const struct {
    unsigned irq;
    uint8_t vector;
} vectors[] = { { 0, 0x08 }, { 1, 0x09 }, { 7, 0x0F }, { 8, 0x70 }, { 9, 0x71 }, { 15, 0x77 } };

START_TEST(a_request_is_taken_with_its_vector)
{
    unsigned irq = vectors[_i].irq;

    program(0x01);
    ck_assert(!intr.level);
    pin(irq, true);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), vectors[_i].vector);
    ck_assert(!intr.level);
    ck_assert_uint_eq(isr_of(irq < 8 ? 0x20 : 0xA0), 1u << (irq & 7));
    ck_assert_uint_eq(isr_of(0x20), irq < 8 ? 1u << irq : 4);
    /* High is not a new edge. */
    out8(0xA0, 0x20);
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20) | isr_of(0xA0), 0);
    ck_assert(!intr.level);
    pin(irq, false);
    pin(irq, true);
    ck_assert(intr.level);
}
END_TEST

START_TEST(higher_priorities_interrupt_lower_ones_only)
{
    program(0x01);
    pulse(4);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0C);
    pulse(5);
    ck_assert(!intr.level);
    pulse(4);
    ck_assert(!intr.level);
    pulse(1);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x09);
    ck_assert_uint_eq(isr_of(0x20), 0x12);
    /* Unspecific ends go from the highest down. */
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20), 0x10);
    ck_assert(!intr.level);
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20), 0);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0C);
    out8(0x20, 0x64); /* specific */
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0D);
    out8(0x20, 0x20);
    out8(0x20, 0x20); /* nothing left to end */
    ck_assert_uint_eq(isr_of(0x20), 0);
}
END_TEST

START_TEST(masked_requests_wait)
{
    program(0x01);
    out8(0x21, 0x08);
    pulse(3);
    ck_assert(!intr.level);
    ck_assert_uint_eq(irr_of(0x20), 0x08);
    out8(0x21, 0x00);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
    ck_assert_uint_eq(irr_of(0x20), 0);
}
END_TEST

START_TEST(level_pins_follow_the_line)
{
    program(0x01);
    out8(0x4D1, 0x0C);
    pin(10, true);
    ck_assert(intr.level);
    pin(10, false);
    ck_assert_uint_eq(irr_of(0xA0), 0);
    pin(10, true);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x72);
    ck_assert_uint_eq(irr_of(0xA0), 0x04);
    out8(0xA0, 0x20);
    out8(0x20, 0x20);
    ck_assert_msg(intr.level, "still high: asks again");
    pin(10, false);
    ck_assert_uint_eq(irr_of(0xA0), 0);
}
END_TEST

START_TEST(some_pins_have_no_level_mode)
{
    out8(0x4D0, 0xFF);
    out8(0x4D1, 0xFF);
    ck_assert_uint_eq(in8(0x4D0), 0xF8);
    ck_assert_uint_eq(in8(0x4D1), 0xDE);
    program(0x01);
    pulse(0);
    ck_assert_uint_eq(irr_of(0x20), 0x01);
    pin(5, true);
    pin(5, false);
    ck_assert_uint_eq(irr_of(0x20), 0x01);
}
END_TEST

START_TEST(a_request_that_went_is_spurious)
{
    program(0x01);
    out8(0x4D0, 0x20);
    pin(5, true);
    pin(5, false);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0F);
    ck_assert_uint_eq(isr_of(0x20), 0);
    /* The slave's request was latched by the master before it went. */
    out8(0x4D1, 0x04);
    pin(10, true);
    pin(10, false);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x77);
    ck_assert_uint_eq(isr_of(0xA0), 0);
    ck_assert_uint_eq(isr_of(0x20), 0x04);
}
END_TEST

START_TEST(the_slave_asks_again_after_both_ends)
{
    program(0x01);
    pulse(12);
    pulse(14);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x74);
    ck_assert(!intr.level);
    out8(0xA0, 0x20);
    ck_assert(!intr.level); /* the master still has the slave in service */
    out8(0x20, 0x20);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x76);
    /* The master's end first. */
    pulse(15);
    out8(0x20, 0x20);
    ck_assert(!intr.level);
    out8(0xA0, 0x20);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x77);
    ck_assert_uint_eq(isr_of(0xA0), 0x80);
}
END_TEST

START_TEST(fully_nested_mode_lets_the_slave_through)
{
    program(0x01);
    pulse(12);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x74);
    pulse(8);
    ck_assert(!intr.level);
    program(0x11);
    pulse(12);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x74);
    pulse(14);
    ck_assert(!intr.level); /* lower on the slave itself */
    pulse(8);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x70);
}
END_TEST

START_TEST(automatic_end_leaves_nothing_in_service)
{
    program(0x03);
    pulse(9);
    pulse(10);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x71);
    ck_assert_uint_eq(isr_of(0x20) | isr_of(0xA0), 0);
    ck_assert_msg(intr.level, "the slave's second request came through");
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x72);
    ck_assert(!intr.level);
}
END_TEST

START_TEST(automatic_end_can_rotate)
{
    program(0x03);
    out8(0x20, 0x80);
    pulse(3);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
    /* 3 is the lowest now: 4 goes before it, and before 0. */
    pulse(3);
    pulse(4);
    pulse(0);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0C);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x08);
    out8(0x20, 0x00);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
    pulse(0);
    pulse(1);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x09); /* after 0: the last rotation was its */
    /* ICW1 ends the rotation. */
    out8(0x20, 0x80);
    program(0x03);
    pulse(3);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
    pulse(3);
    pulse(4);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
}
END_TEST

START_TEST(ends_and_commands_rotate)
{
    program(0x01);
    out8(0x20, 0xC4); /* 4 lowest */
    pulse(4);
    pulse(5);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0D);
    out8(0x20, 0xA0); /* end and rotate: 5 lowest */
    pulse(5);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0C);
    out8(0x20, 0xE4); /* specific end and rotate: 4 lowest */
    ck_assert_uint_eq(isr_of(0x20), 0);
    pulse(4);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0D);
}
END_TEST

START_TEST(special_mask_lets_lower_ones_through)
{
    program(0x01);
    pulse(2 + 1);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0B);
    out8(0x21, 0x08);
    pulse(6);
    ck_assert(!intr.level);
    out8(0x20, 0x68);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x0E);
    /* The unspecific end finds 6, not the masked 3. */
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20), 0x08);
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20), 0x08);
    out8(0x20, 0x48);
    out8(0x20, 0x20);
    ck_assert_uint_eq(isr_of(0x20), 0x00);
}
END_TEST

START_TEST(poll_acknowledges)
{
    program(0x01);
    out8(0x20, 0x0C);
    ck_assert_uint_eq(in8(0x20), 0x00);
    pulse(5);
    out8(0x20, 0x0C);
    ck_assert_uint_eq(in8(0x20), 0x85);
    ck_assert_uint_eq(isr_of(0x20), 0x20);
    ck_assert(!intr.level);
    /* A word that does not ask for a register leaves the choice alone; poll goes before a register.
     */
    out8(0x20, 0x08);
    ck_assert_uint_eq(in8(0x20), 0x20);
    out8(0x20, 0x0E);
    ck_assert_uint_eq(in8(0x20), 0x00);
    ck_assert_uint_eq(in8(0x20), 0x20);
    pulse(11);
    out8(0xA0, 0x0C);
    ck_assert_uint_eq(in8(0xA0), 0x83);
    ck_assert_uint_eq(isr_of(0xA0), 0x08);
}
END_TEST

START_TEST(initialisation_takes_two_to_four_words)
{
    program(0x01);
    /* Single, without ICW4: the next odd write but one is the mask. */
    out8(0x20, 0x12);
    out8(0x21, 0x40);
    out8(0x21, 0xAA);
    ck_assert_uint_eq(in8(0x21), 0xAA);
    /* Single with ICW4: no ICW3. */
    out8(0x20, 0x13);
    out8(0x21, 0x47);
    out8(0x21, 0x01);
    out8(0x21, 0x55);
    ck_assert_uint_eq(in8(0x21), 0x55);
    out8(0x21, 0);
    pulse(1);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x41); /* the low bits of ICW2 do not count */
    /* ICW1 forgets requests, mask and service, and selects IRR. */
    pulse(4);
    isr_of(0x20);
    out8(0x20, 0x11);
    ck_assert_uint_eq(in8(0x20), 0);
    ck_assert_uint_eq(isr_of(0x20), 0);
    ck_assert(!intr.level);
}
END_TEST

START_TEST(reset_keeps_the_pins)
{
    program(0x01);
    out8(0x4D0, 0x08);
    pin(3, true);
    ck_assert(intr.level);
    dev_i8259_reset(pic);
    ck_assert(!intr.level);
    ck_assert_uint_eq(in8(0x4D0), 0);
    program(0x01);
    out8(0x4D0, 0x08);
    ck_assert_msg(intr.level, "a level pin that is high asks as soon as it may");
}
END_TEST

static void save(GByteArray *out)
{
    dev_i8259_save(pic, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_i8259_load(pic, bytes, len, pos, error);
}

static void disturb(void)
{
    dev_i8259_reset(pic);
    ck_assert(!intr.level);
}

START_TEST(a_saved_state_comes_back)
{
    program(0x11);
    pulse(12);
    (void)dev_i8259_ack(pic);
    pulse(1);
    out8(0x20, 0xC5);
    check_round_trip(save, load, disturb);
    ck_assert(intr.level);
    ck_assert_uint_eq(dev_i8259_ack(pic), 0x09);
    ck_assert_uint_eq(isr_of(0xA0), 0x10);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    check_limits(&dev_i8259_state_desc, save, load);
    check_refused(save, load, "i8259", "chip[0].level_pins", 1, 0x01);
    check_refused(save, load, "i8259", "chip[1].level_pins", 1, 0x20);
    check_refused(save, load, "i8259", "chip[0].vector_base", 1, 0x09);
    check_refused(save, load, "i8259", "chip[1].icw_next", 1, 1);
    check_refused(save, load, "i8259", "chip[1].icw_next", 1, 5);
    check_refused(save, load, "i8259", "chip[0].lowest", 1, 8);
    check_truncated(save, load);
}
END_TEST

static const PortRange fuzzed[] = { { 0x20, 2 }, { 0xA0, 2 }, { 0x4D0, 2 } };

static void live_on(uint32_t seed)
{
    fuzz_ports(fuzzed, G_N_ELEMENTS(fuzzed), seed, 200);
    for (unsigned i = 0; i < 16; i++) {
        if (i != 2) {
            pin(i, (seed >> i) & 1);
        }
        (void)dev_i8259_ack(pic);
    }
}

START_TEST(any_input_is_survived)
{
    for (uint32_t seed = 1; seed <= 200; seed++) {
        live_on(seed * 2654435761u);
    }
    program(0x01);
    check_damaged(save, load, 77, 2000, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i8259");
    TCase *tcase = tcase_create("i8259");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reset_masks_everything);
    tcase_add_loop_test(tcase, a_request_is_taken_with_its_vector, 0, G_N_ELEMENTS(vectors));
    tcase_add_test(tcase, higher_priorities_interrupt_lower_ones_only);
    tcase_add_test(tcase, masked_requests_wait);
    tcase_add_test(tcase, level_pins_follow_the_line);
    tcase_add_test(tcase, some_pins_have_no_level_mode);
    tcase_add_test(tcase, a_request_that_went_is_spurious);
    tcase_add_test(tcase, the_slave_asks_again_after_both_ends);
    tcase_add_test(tcase, fully_nested_mode_lets_the_slave_through);
    tcase_add_test(tcase, automatic_end_leaves_nothing_in_service);
    tcase_add_test(tcase, automatic_end_can_rotate);
    tcase_add_test(tcase, ends_and_commands_rotate);
    tcase_add_test(tcase, special_mask_lets_lower_ones_through);
    tcase_add_test(tcase, poll_acknowledges);
    tcase_add_test(tcase, initialisation_takes_two_to_four_words);
    tcase_add_test(tcase, reset_keeps_the_pins);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
