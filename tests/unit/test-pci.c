/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(3, 1)

static DevPciFunction function;
static GString *writes;

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x1234, 0, 0 }, { DEV_PCI_DEVICE_ID, 2, 0x5678, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0, 0x0103, 0 },   { DEV_PCI_STATUS, 2, 0x0280, 0, 0xF900 },
    { 0x10, 4, 0x00000001, 0x0000FFC0, 0 }, { 0x40, 1, 0xAA, 0xF0, 0 },
    { 0xFC, 4, 0x11223344, 0xFFFFFFFF, 0 },
};

static void written(void *user, unsigned offset, unsigned len)
{
    (void)user;
    g_string_append_printf(writes, "%x+%u=%x ", offset, len, dev_pci_get(&function, offset, len));
}

static void setup(void)
{
    pci_setup();
    writes = g_string_new(NULL);
    dev_pci_function_init(&function, "card", regs, G_N_ELEMENTS(regs), written, NULL);
    dev_pci_bus_add(bus, DEVFN, &function);
}

static void teardown(void)
{
    pci_teardown();
    g_string_free(writes, TRUE);
}

START_TEST(the_address_port_takes_doublewords_only)
{
    emu_ports_write(ports, 0xCF8, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCF8, 4), 0x80FFFFFC);
    emu_ports_write(ports, 0xCF8, 1, 0);
    emu_ports_write(ports, 0xCF8, 2, 0);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCF8, 4), 0x80FFFFFC);
    ck_assert_uint_eq(in8(0xCF8), 0xFF);
    dev_pci_bus_reset(bus);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCF8, 4), 0);
}
END_TEST

START_TEST(registers_read_in_all_sizes)
{
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x56781234);
    ck_assert_uint_eq(config_read(DEVFN, 2, 2), 0x5678);
    ck_assert_uint_eq(config_read(DEVFN, 1, 1), 0x12);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 4), 0xAA);
    ck_assert_uint_eq(config_read(DEVFN, 0xFC, 4), 0x11223344);
    /* Over the end of the doubleword nobody answers. */
    ck_assert_uint_eq(config_read(DEVFN, 3, 2), 0xFF56);
    ck_assert_uint_eq(config_read(DEVFN, 0xFF, 4), 0xFFFFFF11);
    config_write(DEVFN, 0xFF, 4, 0x55555599);
    ck_assert_uint_eq(config_read(DEVFN, 0xFC, 4), 0x99223344);
    ck_assert_str_eq(writes->str, "ff+1=99 ");
}
END_TEST

START_TEST(where_nobody_is_reads_ones)
{
    ck_assert_uint_eq(config_read(DEV_PCI_DEVFN(3, 0), 0, 4), 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(DEV_PCI_DEVFN(4, 1), 0, 2), 0xFFFF);
    /* Another bus; the mechanism switched off. */
    emu_ports_write(ports, 0xCF8, 4, 0x80010000u | DEVFN << 8);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCFC, 4), 0xFFFFFFFF);
    emu_ports_write(ports, 0xCF8, 4, DEVFN << 8);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCFC, 4), 0xFFFFFFFF);
    emu_ports_write(ports, 0xCFC, 4, 0);
    config_write(DEV_PCI_DEVFN(4, 1), 0x10, 4, 0);
    ck_assert_uint_eq(writes->len, 0);
}
END_TEST

START_TEST(only_writable_bits_change)
{
    config_write(DEVFN, 0, 4, 0);
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x56781234);
    config_write(DEVFN, DEV_PCI_COMMAND, 2, 0xFFFF);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_COMMAND, 2), 0x0103);
    config_write(DEVFN, 0x10, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(DEVFN, 0x10, 4), 0x0000FFC1);
    config_write(DEVFN, 0x40, 1, 0x05);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 1), 0x0A);
    ck_assert_str_eq(writes->str, "0+4=56781234 4+2=103 10+4=ffc1 40+1=a ");
    dev_pci_function_reset(&function);
    ck_assert_uint_eq(config_read(DEVFN, 0x10, 4), 1);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 1), 0xAA);
}
END_TEST

START_TEST(status_bits_are_cleared_by_ones)
{
    dev_pci_set(&function, DEV_PCI_STATUS, 2, 0xFA80);
    config_write(DEVFN, DEV_PCI_STATUS, 2, 0x2000);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_STATUS, 2), 0xDA80);
    config_write(DEVFN, DEV_PCI_STATUS, 2, 0xFFFF);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_STATUS, 2), 0x0280);
}
END_TEST

START_TEST(removed_functions_are_gone)
{
    dev_pci_bus_remove(bus, DEVFN);
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0xFFFFFFFF);
}
END_TEST

static void save(GByteArray *out)
{
    dev_pci_bus_save(bus, out);
    dev_pci_function_save(&function, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    size_t at = *pos;
    uint32_t address = emu_ports_read(ports, 0xCF8, 4);

    if (!dev_pci_bus_load(bus, bytes, len, &at, error)) {
        return false;
    }
    if (!dev_pci_function_load(&function, bytes, len, &at, error)) {
        emu_ports_write(ports, 0xCF8, 4, address);
        return false;
    }
    *pos = at;
    return true;
}

static void disturb(void)
{
    config_write(DEVFN, 0x40, 1, 0);
    emu_ports_write(ports, 0xCF8, 4, 0);
}

START_TEST(a_saved_state_comes_back)
{
    config_write(DEVFN, 0x10, 4, 0xB000);
    writes->str[0] = '\0';
    check_round_trip(save, load, disturb);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCF8, 4), 0x80000010u | DEVFN << 8);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 1), 0xAA);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    check_refused(save, load, "pci", "address", 4, 1);
    check_refused(save, load, "card", "config", 1, 0x35); /* vendor */
    check_truncated(save, load);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pci");
    TCase *tcase = tcase_create("pci");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_address_port_takes_doublewords_only);
    tcase_add_test(tcase, registers_read_in_all_sizes);
    tcase_add_test(tcase, where_nobody_is_reads_ones);
    tcase_add_test(tcase, only_writable_bits_change);
    tcase_add_test(tcase, status_bits_are_cleared_by_ones);
    tcase_add_test(tcase, removed_functions_are_gone);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
