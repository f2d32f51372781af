/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i8237.h"

#include "state-limits.h"

static DevI8237 *dma;

static void setup(void)
{
    fixture_setup();
    dma = dev_i8237_new(ports, NULL);
    ck_assert_ptr_nonnull(dma);
}

static void teardown(void)
{
    dev_i8237_free(dma);
    ck_assert_ptr_null(emu_ports_owner(ports, 0));
    ck_assert_ptr_null(emu_ports_owner(ports, 0xDF));
    fixture_teardown();
}

static const struct {
    uint16_t base, step;
} chips[] = { { 0x00, 1 }, { 0xC0, 2 } };

static uint16_t port(unsigned chip, unsigned reg)
{
    return (uint16_t)(chips[chip].base + reg * chips[chip].step);
}

START_TEST(words_are_written_and_read_low_byte_first)
{
    unsigned chip = (unsigned)_i;

    for (unsigned reg = 0; reg < 8; reg++) {
        out8(port(chip, reg), 0x10 + reg);
        out8(port(chip, reg), 0xA0 + reg);
    }
    for (unsigned reg = 0; reg < 8; reg++) {
        ck_assert_uint_eq(in8(port(chip, reg)), 0x10 + reg);
        ck_assert_uint_eq(in8(port(chip, reg)), 0xA0 + reg);
    }
    /* The flip-flop can be put right. */
    (void)in8(port(chip, 0));
    out8(port(chip, 12), 0);
    ck_assert_uint_eq(in8(port(chip, 3)), 0x13);
    /* The other chip did not notice. */
    ck_assert_uint_eq(in8(port(1 - chip, 3)), 0);
}
END_TEST

START_TEST(masks_and_requests)
{
    unsigned chip = (unsigned)_i;

    ck_assert_uint_eq(in8(port(chip, 15)), 0xFF);
    out8(port(chip, 14), 0);
    ck_assert_uint_eq(in8(port(chip, 15)), 0xF0);
    out8(port(chip, 10), 0x06);
    ck_assert_uint_eq(in8(port(chip, 15)), 0xF4);
    out8(port(chip, 15), 0x0A);
    out8(port(chip, 10), 0x01);
    ck_assert_uint_eq(in8(port(chip, 15)), 0xF8);
    out8(port(chip, 9), 0x05);
    ck_assert_uint_eq(in8(port(chip, 8)), 0x20);
    out8(port(chip, 9), 0x01);
    ck_assert_uint_eq(in8(port(chip, 8)), 0x00);
    out8(port(chip, 11), 0x41);
    out8(port(chip, 8), 0x10);
    out8(port(chip, 0), 1);
    out8(port(chip, 13), 0); /* master clear */
    ck_assert_uint_eq(in8(port(chip, 15)), 0xFF);
    ck_assert_uint_eq(in8(port(chip, 13)), 0);
    out8(port(chip, 0), 2);
    out8(port(chip, 0), 3);
    ck_assert_uint_eq(in8(port(chip, 0)), 2);
}
END_TEST

START_TEST(page_registers_keep_bytes)
{
    for (unsigned i = 0; i < 16; i++) {
        out8((uint16_t)(0x80 + i), 0x5A ^ i);
    }
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_uint_eq(in8((uint16_t)(0x80 + i)), 0x5A ^ i);
    }
    dev_i8237_reset(dma);
    ck_assert_uint_eq(in8(0x80), 0);
}
END_TEST

static void save(GByteArray *out)
{
    dev_i8237_save(dma, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_i8237_load(dma, bytes, len, pos, error);
}

static void disturb(void)
{
    dev_i8237_reset(dma);
}

static const PortRange fuzzed[] = { { 0x00, 16 }, { 0x80, 16 }, { 0xC0, 32 } };

static void live_on(uint32_t seed)
{
    fuzz_ports(fuzzed, G_N_ELEMENTS(fuzzed), seed, 100);
}

START_TEST(states)
{
    live_on(1);
    check_round_trip(save, load, disturb);
    check_limits(&dev_i8237_state_desc, save, load);
    check_truncated(save, load);
    check_damaged(save, load, 8, 500, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i8237");
    TCase *tcase = tcase_create("i8237");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, words_are_written_and_read_low_byte_first, 0, 2);
    tcase_add_loop_test(tcase, masks_and_requests, 0, 2);
    tcase_add_test(tcase, page_registers_keep_bytes);
    tcase_add_test(tcase, states);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
