/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/piix3.h"

#include "devices/piix3_ide.h"
#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(1, 0)
#define IDE_DEVFN DEV_PCI_DEVFN(1, 1)

static DevPiix3 *bridge;
static DevPiix3Ide *ide;
static Wire irq[16];
static Wire reset, init;
static Wire decode[2];

static void setup(void)
{
    DevPiix3Lines lines = { .reset = wire_line(&reset), .init = wire_line(&init) };
    EmuLine decode_lines[2] = { wire_line(&decode[0]), wire_line(&decode[1]) };

    pci_setup();
    memset(irq, 0, sizeof(irq));
    reset = (Wire) { 0 };
    init = (Wire) { 0 };
    memset(decode, 0, sizeof(decode));
    for (unsigned i = 0; i < 16; i++) {
        if (i != 2) {
            lines.irq[i] = wire_line(&irq[i]);
        }
    }
    bridge = dev_piix3_new(bus, ports, &lines, NULL);
    ck_assert_ptr_nonnull(bridge);
    ide = dev_piix3_ide_new(bus, decode_lines);
}

static void teardown(void)
{
    dev_piix3_ide_free(ide);
    dev_piix3_free(bridge);
    ck_assert_ptr_null(emu_ports_owner(ports, 0xCF9));
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(IDE_DEVFN, 0, 4), 0xFFFFFFFF);
    pci_teardown();
}

static void isa(unsigned n, bool level)
{
    EmuLine line = dev_piix3_isa_pin(bridge, n);

    emu_line_set(&line, level);
}

static void pirq(unsigned n, bool level)
{
    EmuLine line = dev_piix3_pirq_pin(bridge, n);

    emu_line_set(&line, level);
}

START_TEST(they_are_functions_of_a_piix3)
{
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x70008086);
    ck_assert_uint_eq(config_read(DEVFN, 0x0A, 2), 0x0601);
    ck_assert_uint_eq(config_read(DEVFN, 0x0E, 1), 0x80);
    ck_assert_uint_eq(config_read(DEVFN, 0x60, 4), 0x80808080);
    ck_assert_uint_eq(config_read(IDE_DEVFN, 0, 4), 0x70108086);
    ck_assert_uint_eq(config_read(IDE_DEVFN, 0x0A, 2), 0x0101);
    ck_assert_uint_eq(config_read(IDE_DEVFN, 0x09, 1), 0);
    /* No bus master registers: the base address does not take anything. */
    config_write(IDE_DEVFN, 0x20, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(IDE_DEVFN, 0x20, 4), 0);
}
END_TEST

static const ConfigRow rows[] = {
    { 0x00, 0x70008086, 0x70008086 }, { 0x04, 0x02000007, 0x0200010F },
    { 0x08, 0x06010000, 0x06010000 }, { 0x0C, 0x00800000, 0x00800000 },
    { 0x4C, 0x0003004D, 0x03FF00FF }, { 0x60, 0x80808080, 0x8F8F8F8F },
    { 0x68, 0x00000200, 0x8080FE00 }, { 0x70, 0x00000080, 0x000000EF },
    { 0x74, 0x0C0C0000, 0x8F8F0000 }, { 0x78, 0x00000002, 0x0000FFFF },
    { 0x80, 0x00000000, 0x000F007F }, { 0xA0, 0x00000008, 0x00FF001F },
    { 0xA4, 0x00000000, 0xE000FFFF }, { 0xA8, 0x0000000F, 0x00FF00FF },
    { 0xAC, 0x00000000, 0x00FF00FF },
};

static const ConfigRow ide_rows[] = {
    { 0x00, 0x70108086, 0x70108086 }, { 0x04, 0x02800000, 0x02800005 },
    { 0x08, 0x01010000, 0x01010000 }, { 0x0C, 0x00000000, 0x0000F000 },
    { 0x40, 0x80008000, 0xF3FFF3FF }, { 0x44, 0x00000000, 0x000000FF },
};

START_TEST(the_configuration_maps)
{
    check_config_map(DEVFN, rows, G_N_ELEMENTS(rows));
    check_config_map(IDE_DEVFN, ide_rows, G_N_ELEMENTS(ide_rows));
}
END_TEST

START_TEST(isa_requests_pass_through)
{
    for (unsigned i = 0; i < 16; i++) {
        if (i == 2) {
            continue;
        }
        isa(i, true);
        for (unsigned j = 0; j < 16; j++) {
            ck_assert(irq[j].level == (j == i));
        }
        isa(i, false);
        ck_assert(!irq[i].level);
        ck_assert_uint_eq(irq[i].n_rises, 1);
    }
}
END_TEST

START_TEST(pci_interrupts_go_where_they_are_routed)
{
    pirq(0, true);
    pirq(1, true);
    config_write(DEVFN, 0x60, 1, 10);
    ck_assert(irq[10].level);
    config_write(DEVFN, 0x61, 1, 10);
    pirq(0, false);
    ck_assert(irq[10].level); /* shared */
    config_write(DEVFN, 0x61, 1, 11);
    ck_assert(!irq[10].level);
    ck_assert(irq[11].level);
    config_write(DEVFN, 0x61, 1, 0x8B);
    ck_assert(!irq[11].level);
    config_write(DEVFN, 0x60, 4, 0x0B0B0B0B);
    ck_assert(irq[11].level);
    pirq(1, false);
    ck_assert(!irq[11].level);
    pirq(3, true);
    ck_assert(irq[11].level);
    /* With an ISA request on the same line both must go. */
    isa(11, true);
    pirq(3, false);
    ck_assert(irq[11].level);
    isa(11, false);
    ck_assert(!irq[11].level);
}
END_TEST

START_TEST(reserved_requests_are_not_routed_to)
{
    static const unsigned reserved[] = { 0, 1, 2, 8, 13 };

    pirq(2, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(reserved); i++) {
        config_write(DEVFN, 0x62, 1, reserved[i]);
        for (unsigned j = 0; j < 16; j++) {
            ck_assert(!irq[j].level);
        }
    }
}
END_TEST

START_TEST(reset_control_pulses_on_a_rising_bit)
{
    out8(0xCF9, 0x02);
    ck_assert_uint_eq(reset.n_rises, 0);
    ck_assert_uint_eq(in8(0xCF9), 0x02);
    out8(0xCF9, 0x06);
    ck_assert_uint_eq(reset.n_rises, 1);
    ck_assert(!reset.level);
    ck_assert_uint_eq(init.n_rises, 0);
    out8(0xCF9, 0x04);
    ck_assert_uint_eq(init.n_rises, 1);
    ck_assert_uint_eq(reset.n_rises, 1);
    out8(0xCF9, 0xFB);
    ck_assert_uint_eq(in8(0xCF9), 0x02);
    ck_assert_uint_eq(init.n_rises + reset.n_rises, 2);
    dev_piix3_reset(bridge);
    ck_assert_uint_eq(in8(0xCF9), 0);
}
END_TEST

START_TEST(the_address_port_is_not_disturbed)
{
    config_address(DEVFN, 0x60);
    out8(0xCF9, 0x02);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCF8, 4), 0x80000000u | DEVFN << 8 | 0x60);
}
END_TEST

START_TEST(idetim_switches_the_channels)
{
    ck_assert(decode[0].level && decode[1].level);
    config_write(IDE_DEVFN, 0x40, 2, 0);
    ck_assert(!decode[0].level && decode[1].level);
    config_write(IDE_DEVFN, 0x40, 4, 0x00008000);
    ck_assert(decode[0].level && !decode[1].level);
    config_write(IDE_DEVFN, 0x43, 1, 0x80);
    ck_assert(decode[1].level);
    config_write(IDE_DEVFN, 0x40, 4, 0);
    dev_piix3_ide_reset(ide);
    ck_assert(decode[0].level && decode[1].level);
}
END_TEST

static void save(GByteArray *out)
{
    dev_piix3_save(bridge, out);
    dev_piix3_ide_save(ide, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    size_t at = *pos;
    g_autoptr(GByteArray) before = g_byte_array_new();
    size_t zero = 0;

    dev_piix3_save(bridge, before);
    if (!dev_piix3_load(bridge, bytes, len, &at, error)) {
        return false;
    }
    if (!dev_piix3_ide_load(ide, bytes, len, &at, error)) {
        ck_assert(dev_piix3_load(bridge, before->data, before->len, &zero, NULL));
        return false;
    }
    *pos = at;
    return true;
}

static void disturb(void)
{
    isa(5, false);
    pirq(1, false);
    out8(0xCF9, 0);
    config_write(DEVFN, 0x60, 4, 0x80808080);
    config_write(IDE_DEVFN, 0x40, 4, 0);
}

START_TEST(a_saved_state_comes_back)
{
    isa(5, true);
    pirq(1, true);
    config_write(DEVFN, 0x61, 1, 10);
    out8(0xCF9, 0x02);
    check_round_trip(save, load, disturb);
    ck_assert(irq[5].level && irq[10].level && decode[0].level && decode[1].level);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    check_refused(save, load, "piix3 lines", "pirq_levels", 1, 0x10);
    check_refused(save, load, "piix3 lines", "reset_control", 1, 0x08);
    check_refused(save, load, "piix3", "config", 1, 0);
    check_refused(save, load, "piix3-ide", "config", 1, 0);
    check_truncated(save, load);
}
END_TEST

static void live_on(uint32_t seed)
{
    fuzz_config(DEVFN, seed, 30);
    fuzz_config(IDE_DEVFN, seed, 30);
    out8(0xCF9, seed);
    isa(3 + seed % 13, (seed & 1) != 0);
    pirq(seed % 4, (seed & 2) != 0);
}

START_TEST(any_input_is_survived)
{
    for (uint32_t seed = 1; seed <= 100; seed++) {
        live_on(seed);
    }
    check_damaged(save, load, 31, 500, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("piix3");
    TCase *tcase = tcase_create("piix3");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, they_are_functions_of_a_piix3);
    tcase_add_test(tcase, the_configuration_maps);
    tcase_add_test(tcase, isa_requests_pass_through);
    tcase_add_test(tcase, pci_interrupts_go_where_they_are_routed);
    tcase_add_test(tcase, reserved_requests_are_not_routed_to);
    tcase_add_test(tcase, reset_control_pulses_on_a_rising_bit);
    tcase_add_test(tcase, the_address_port_is_not_disturbed);
    tcase_add_test(tcase, idetim_switches_the_channels);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
