/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/piix4_pm.h"

#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(1, 3)
#define PM 0xB000
#define SMB 0xB100

static DevPiix4Pm *pm;
static Wire sci, power_off;

static void setup(void)
{
    DevPiix4PmLines lines = { .sci = wire_line(&sci), .power_off = wire_line(&power_off) };

    pci_setup();
    sci = (Wire) { 0 };
    power_off = (Wire) { 0 };
    pm = dev_piix4_pm_new(bus, ports, emu_clock, &lines, NULL);
    ck_assert_ptr_nonnull(pm);
}

static void teardown(void)
{
    dev_piix4_pm_free(pm);
    ck_assert_ptr_null(emu_ports_owner(ports, PM));
    ck_assert_ptr_null(emu_ports_owner(ports, SMB));
    ck_assert_ptr_null(emu_ports_owner(ports, 0xB2));
    pci_teardown();
}

/* As SeaBIOS sets it up. */
static void enable(void)
{
    config_write(DEVFN, 0x3C, 1, 9);
    config_write(DEVFN, 0x40, 4, PM | 1);
    config_write(DEVFN, 0x80, 1, 1);
    config_write(DEVFN, 0x90, 4, SMB | 1);
    config_write(DEVFN, 0xD2, 1, 0x09);
}

static uint16_t in16(uint16_t port)
{
    return (uint16_t)emu_ports_read(ports, port, 2);
}

static void out16(uint16_t port, uint16_t value)
{
    emu_ports_write(ports, port, 2, value);
}

static uint32_t timer(void)
{
    return emu_ports_read(ports, PM + 8, 4);
}

static void pass_ticks(uint64_t n)
{
    uint64_t target = emu_clock_ticks(emu_clock, DEV_PM_TIMER_HZ) + n;

    emu_clock_advance_to(emu_clock, emu_clock_ns_of_ticks(target, DEV_PM_TIMER_HZ));
}

START_TEST(it_is_the_power_management_of_a_piix4)
{
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x71138086);
    ck_assert_uint_eq(config_read(DEVFN, 0x0A, 2), 0x0680);
    ck_assert_uint_eq(config_read(DEVFN, 0x3D, 1), 1);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 4), 1);
    /* Firmware sees that system management mode is set up. */
    ck_assert_uint_eq(config_read(DEVFN, 0x58, 4) & (1u << 25), 1u << 25);
}
END_TEST

static const ConfigRow rows[] = {
    { 0x00, 0x71138086, 0x71138086 }, { 0x04, 0x02800000, 0x02800009 },
    { 0x08, 0x06800003, 0x06800003 }, { 0x3C, 0x00000100, 0x000001FF },
    { 0x40, 0x00000001, 0x0000FFC1 }, { 0x44, 0x00000000, 0xFFFFFFFF },
    { 0x48, 0x00000000, 0xFFFFFFFF }, { 0x4C, 0x00000000, 0xFFFFFFFF },
    { 0x50, 0x00000000, 0x00FFFFFF }, { 0x54, 0x00000000, 0xFFFFFFFF },
    { 0x58, 0x02000000, 0xFFFFFFFF }, { 0x5C, 0x00000000, 0xFFFFFFFF },
    { 0x60, 0x00000000, 0xFFFFFFFF }, { 0x64, 0x00000000, 0xFFFFFFFF },
    { 0x68, 0x00000000, 0xFFFFFFFF }, { 0x6C, 0x00000000, 0xFFFFFFFF },
    { 0x70, 0x00000000, 0xFFFFFFFF }, { 0x74, 0x00000000, 0xFFFFFFFF },
    { 0x78, 0x00000000, 0xFFFFFFFF }, { 0x7C, 0x00000000, 0xFFFFFFFF },
    { 0x80, 0x00000000, 0x00000001 }, { 0x90, 0x00000001, 0x0000FFF1 },
    { 0xD0, 0x00000000, 0xFF0F0000 }, { 0xD4, 0x00000000, 0x0000FFFF },
};

START_TEST(the_configuration_map)
{
    check_config_map(DEVFN, rows, G_N_ELEMENTS(rows));
}
END_TEST

START_TEST(blocks_appear_where_and_when_they_are_enabled)
{
    config_write(DEVFN, 0x40, 4, PM);
    ck_assert_ptr_null(emu_ports_owner(ports, PM));
    enable();
    ck_assert_str_eq(emu_ports_owner(ports, PM), "piix4-pm");
    ck_assert_str_eq(emu_ports_owner(ports, PM + 0x3F), "piix4-pm");
    ck_assert_ptr_null(emu_ports_owner(ports, PM + 0x40));
    ck_assert_str_eq(emu_ports_owner(ports, SMB + 0x0F), "piix4-pm");
    ck_assert_ptr_null(emu_ports_owner(ports, SMB + 0x10));
    config_write(DEVFN, 0x40, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(DEVFN, 0x40, 4), 0xFFC1);
    ck_assert_ptr_null(emu_ports_owner(ports, PM));
    ck_assert_str_eq(emu_ports_owner(ports, 0xFFFF), "piix4-pm");
    ck_assert_uint_eq(emu_ports_read(ports, 0xFFFE, 4), 0xFFFF0000);
    config_write(DEVFN, 0x80, 1, 0);
    ck_assert_ptr_null(emu_ports_owner(ports, 0xFFC0));
    config_write(DEVFN, 0xD2, 1, 0);
    ck_assert_ptr_null(emu_ports_owner(ports, SMB));
}
END_TEST

START_TEST(a_block_that_collides_stays_away)
{
    config_write(DEVFN, 0x40, 4, 0xCC0); /* over the PCI ports */
    config_write(DEVFN, 0x80, 1, 1);
    ck_assert_ptr_null(emu_ports_owner(ports, 0xCC0));
    ck_assert_str_eq(emu_ports_owner(ports, 0xCF8), "pci");
    config_write(DEVFN, 0x40, 4, PM);
    ck_assert_str_eq(emu_ports_owner(ports, PM), "piix4-pm");
    config_write(DEVFN, 0x40, 4, 0);
    ck_assert_ptr_null(emu_ports_owner(ports, PM));
    ck_assert_ptr_null(emu_ports_owner(ports, 0));
}
END_TEST

START_TEST(the_timer_counts_24_bits_of_guest_time)
{
    enable();
    pass_ticks(1000);
    ck_assert_uint_eq(timer(), 1000);
    ck_assert_uint_eq(in16(PM + 9), 3); /* any size, any offset */
    emu_clock_advance_to(emu_clock, EMU_NS_PER_SECOND);
    ck_assert_uint_eq(timer(), 3579545);
    emu_ports_write(ports, PM + 8, 4, 0);
    ck_assert_uint_eq(timer(), 3579545);
    pass_ticks(0x1000000 - 3579545 - 1);
    ck_assert_uint_eq(timer(), 0xFFFFFF);
    pass_ticks(1);
    ck_assert_uint_eq(timer(), 0);
}
END_TEST

START_TEST(overflow_is_flagged_at_each_change_of_bit_23)
{
    enable();
    pass_ticks(0x7FFFFF);
    ck_assert_uint_eq(in16(PM) & 1, 0);
    pass_ticks(1);
    ck_assert_uint_eq(in16(PM) & 1, 1);
    ck_assert(!sci.level);
    out16(PM, 0); /* only a one clears */
    ck_assert_uint_eq(in16(PM) & 1, 1);
    out16(PM, 1);
    ck_assert_uint_eq(in16(PM) & 1, 0);
    pass_ticks(0x800000);
    ck_assert_uint_eq(in16(PM) & 1, 1);
}
END_TEST

START_TEST(overflow_interrupts_when_enabled)
{
    enable();
    out16(PM + 4, 1);
    out16(PM + 2, 1);
    pass_ticks(0x7FFFFF);
    ck_assert(!sci.level);
    pass_ticks(1);
    ck_assert(sci.level);
    out16(PM, 1);
    ck_assert(!sci.level);
    pass_ticks(0x800000);
    ck_assert(sci.level);
    out16(PM + 2, 0);
    ck_assert(!sci.level);
    out16(PM + 2, 1);
    ck_assert(sci.level);
    out16(PM + 4, 0);
    ck_assert(!sci.level);
}
END_TEST

START_TEST(soft_off)
{
    enable();
    out16(PM + 2, 0x2000);
    out16(PM + 4, 0x0001);
    emu_ports_write(ports, PM + 0x2C, 4, 0xFFFFFFFF);
    out16(PM + 4, 0x2000 | 1 << 10);
    ck_assert_uint_eq(power_off.n_rises, 0);
    ck_assert_uint_eq(in16(PM + 4), 1 << 10); /* SUS_EN reads 0 */
    out16(PM + 4, 0x2000);
    ck_assert_uint_eq(power_off.n_rises, 1);
    ck_assert(!power_off.level);
    out8(PM + 5, 0x20); /* a byte is enough */
    ck_assert_uint_eq(power_off.n_rises, 2);
}
END_TEST

START_TEST(apm_ports_and_acpi_mode)
{
    enable();
    ck_assert_ptr_null(emu_ports_owner(ports, 0xB4));
    out8(0xB2, 0x12);
    out8(0xB3, 0x34);
    ck_assert_uint_eq(in8(0xB2), 0x12);
    ck_assert_uint_eq(in8(0xB3), 0x34);
    ck_assert_uint_eq(in16(PM + 4) & 1, 0);
    out8(0xB2, 0xF1);
    ck_assert_uint_eq(in16(PM + 4) & 1, 1);
    out8(0xB3, 0xF0);
    ck_assert_uint_eq(in16(PM + 4) & 1, 1);
    out8(0xB2, 0xF0);
    ck_assert_uint_eq(in16(PM + 4) & 1, 0);
}
END_TEST

static const struct {
    uint16_t offset;
    uint32_t kept; /* of all ones written to zeros */
} registers[] = {
    { 0x00, 0x05210000 }, { 0x04, 0x00001C03 }, { 0x0C, 0x0F010000 }, { 0x10, 0x00073E1E },
    { 0x14, 0 },          { 0x18, 0 },          { 0x20, 0x0FFF },     { 0x28, 0x0FFFFF },
    { 0x2C, 0xFFFFFFFF }, { 0x30, 0 },          { 0x34, 0x7FFFFFFF },
};

START_TEST(registers_keep_their_bits)
{
    enable();
    pass_ticks(0x123456);
    emu_ports_write(ports, (uint16_t)(PM + registers[_i].offset), 4, 0xFFFFFFFF);
    ck_assert_uint_eq(emu_ports_read(ports, (uint16_t)(PM + registers[_i].offset), 4),
                      registers[_i].kept);
    dev_piix4_pm_reset(pm);
    ck_assert_ptr_null(emu_ports_owner(ports, PM));
    enable();
    ck_assert_uint_eq(emu_ports_read(ports, (uint16_t)(PM + registers[_i].offset), 4), 0);
}
END_TEST

START_TEST(smbus_finds_nobody)
{
    enable();
    ck_assert_uint_eq(in8(SMB), 0);
    out8(SMB + 4, 0xFF);
    out8(SMB + 2, 0x08); /* not started */
    ck_assert_uint_eq(in8(SMB), 0);
    out8(SMB + 4, 0xA1);
    out8(SMB + 2, 0x48);
    ck_assert_uint_eq(in8(SMB), 0x04);
    ck_assert_uint_eq(in8(SMB + 2), 0x08);
    ck_assert_uint_eq(in8(SMB + 4), 0xA1);
    out8(SMB, 0xFF);
    ck_assert_uint_eq(in8(SMB), 0);
}
END_TEST

static void save(GByteArray *out)
{
    dev_piix4_pm_save(pm, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_piix4_pm_load(pm, bytes, len, pos, error);
}

static void disturb(void)
{
    dev_piix4_pm_reset(pm);
    ck_assert(!sci.level);
}

START_TEST(a_saved_state_comes_back)
{
    enable();
    out16(PM + 4, 1);
    out16(PM + 2, 1);
    pass_ticks(0x800000);
    check_round_trip(save, load, disturb);
    ck_assert(sci.level);
    ck_assert_str_eq(emu_ports_owner(ports, PM), "piix4-pm");
    out16(PM, 1);
    ck_assert(!sci.level);
    pass_ticks(0x800000);
    ck_assert(sci.level);
}
END_TEST

START_TEST(bad_states_are_refused)
{
    g_autoptr(GByteArray) state = saved_state(save);
    uint8_t *bytes = field_in(state, "piix4-pm ports", "pm");
    size_t pos = 0;

    check_refused(save, load, "piix4-pm", "config", 1, 0);
    check_refused(save, load, "piix4-pm ports", "pm", 1, 0x02);
    bytes[3] = 0x80;
    ck_assert(!load(state->data, state->len, &pos, NULL));
    bytes[3] = 0;
    bytes[5] = 0x20;
    ck_assert(!load(state->data, state->len, &pos, NULL));
    bytes[5] = 0;
    ck_assert(load(state->data, state->len, &pos, NULL));
    check_truncated(save, load);
}
END_TEST

static const PortRange fuzzed[] = { { PM, 64 }, { SMB, 16 }, { 0xB2, 2 } };

static void live_on(uint32_t seed)
{
    fuzz_config(DEVFN, seed, 20);
    enable();
    fuzz_ports(fuzzed, G_N_ELEMENTS(fuzzed), seed, 100);
}

START_TEST(any_input_is_survived)
{
    for (uint32_t seed = 1; seed <= 100; seed++) {
        live_on(seed);
    }
    check_damaged(save, load, 3, 500, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("piix4-pm");
    TCase *tcase = tcase_create("piix4-pm");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_is_the_power_management_of_a_piix4);
    tcase_add_test(tcase, the_configuration_map);
    tcase_add_test(tcase, blocks_appear_where_and_when_they_are_enabled);
    tcase_add_test(tcase, a_block_that_collides_stays_away);
    tcase_add_test(tcase, the_timer_counts_24_bits_of_guest_time);
    tcase_add_test(tcase, overflow_is_flagged_at_each_change_of_bit_23);
    tcase_add_test(tcase, overflow_interrupts_when_enabled);
    tcase_add_test(tcase, soft_off);
    tcase_add_test(tcase, apm_ports_and_acpi_mode);
    tcase_add_loop_test(tcase, registers_keep_their_bits, 0, G_N_ELEMENTS(registers));
    tcase_add_test(tcase, smbus_finds_nobody);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, bad_states_are_refused);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
