/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/nic_e1000.h"

#include "memsys/access.h"
#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(3, 0)
#define BAR UINT64_C(0xE0000000)
#define BAR_LEN UINT64_C(0x20000)
#define PORTS 0xC000

#define CTRL 0x0000
#define STATUS 0x0008
#define EECD 0x0010
#define EERD 0x0014
#define MDIC 0x0020
#define ICR 0x00C0
#define ICS 0x00C8
#define IMS 0x00D0
#define IMC 0x00D8
#define RAL0 0x5400
#define RAH0 0x5404

static Gmm *gmm;
static Pgm *pgm;
static DevNicE1000 *nic;
static Wire inta;

static void make_card(void)
{
    inta = (Wire) { 0 };
    nic = dev_nic_e1000_new(bus, DEVFN, pgm, ports, wire_line(&inta), NULL, NULL);
    ck_assert_ptr_nonnull(nic);
}

static void setup(void)
{
    pci_setup();
    gmm = gmm_new(UINT64_C(64) << 20, NULL);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, UINT64_C(16) << 20, "ram", NULL), MEM_OK);
    make_card();
}

static void teardown(void)
{
    dev_nic_e1000_free(nic);
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0xFFFFFFFF);
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS));
    ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    pgm_free(pgm);
    gmm_free(gmm);
    pci_teardown();
}

static void switch_on(void)
{
    config_write(DEVFN, 0x10, 4, (uint32_t)BAR);
    config_write(DEVFN, 0x18, 4, PORTS);
    config_write(DEVFN, 4, 2, 3);
}

static uint32_t get(uint32_t reg)
{
    return pgm_read_u32_as(pgm, BAR + reg, MEM_ORIGIN_CPU);
}

static void put(uint32_t reg, uint32_t value)
{
    ck_assert_int_eq(pgm_write_u32_as(pgm, BAR + reg, value, MEM_ORIGIN_CPU), MEM_OK);
}

static const ConfigRow rows[] = {
    { 0x00, 0x100E8086, 0x100E8086 }, { 0x04, 0x02200000, 0x02200157 },
    { 0x08, 0x02000002, 0x02000002 }, { 0x0C, 0x00000000, 0x0000F8FF },
    { 0x10, 0x00000000, 0xFFFE0000 }, { 0x18, 0x00000001, 0xFFFFFFC1 },
    { 0x2C, 0x001E8086, 0x001E8086 }, { 0x3C, 0x00FF0100, 0x00FF01FF },
};

START_TEST(the_configuration_map)
{
    check_config_map(DEVFN, rows, G_N_ELEMENTS(rows));
}
END_TEST

START_TEST(bars_are_where_the_guest_puts_them)
{
    ck_assert_uint_eq(get(STATUS), 0xFFFFFFFF);
    switch_on();
    ck_assert_uint_eq(get(STATUS), 0x81);
    ck_assert_str_eq(emu_ports_owner(ports, PORTS + 63), "e1000");
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS + 64));
    config_write(DEVFN, 0x10, 4, (uint32_t)(BAR + BAR_LEN));
    ck_assert_uint_eq(get(STATUS), 0xFFFFFFFF);
    ck_assert_uint_eq(get(STATUS + BAR_LEN), 0x81);
    config_write(DEVFN, 0x18, 4, PORTS + 64);
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS));
    ck_assert_str_eq(emu_ports_owner(ports, PORTS + 64), "e1000");
    config_write(DEVFN, 4, 2, 1);
    ck_assert_uint_eq(get(STATUS + BAR_LEN), 0xFFFFFFFF);
    ck_assert_str_eq(emu_ports_owner(ports, PORTS + 64), "e1000");
    config_write(DEVFN, 4, 2, 2);
    ck_assert_uint_eq(get(STATUS + BAR_LEN), 0x81);
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS + 64));
    dev_nic_e1000_reset(nic);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
}
END_TEST

START_TEST(ram_and_ports_of_others_are_not_covered)
{
    static const EmuPortOps ops = { .sizes = 1 };
    unsigned handle = emu_ports_add(ports, PORTS + 70, 1, &ops, NULL, "other", NULL);

    ck_assert_uint_ne(handle, 0);
    switch_on();
    config_write(DEVFN, 0x10, 4, 0x100000);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    config_write(DEVFN, 0x18, 4, PORTS + 64);
    ck_assert_str_eq(emu_ports_owner(ports, PORTS + 70), "other");
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS + 64));
    config_write(DEVFN, 0x18, 4, 0x10000 + PORTS); /* beyond the ports there are */
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS));
    config_write(DEVFN, 0x18, 4, 0);
    ck_assert_ptr_null(emu_ports_owner(ports, 0));
    emu_ports_remove(ports, handle);
}
END_TEST

/* Register, after reset, after all ones were written to it, and zeros. */
static const struct {
    uint32_t reg, reset, ones, zeros;
} registers[] = {
    { STATUS, 0x81, 0x81, 0x81 },
    { 0x0004, 0, 0, 0 },
    { 0x0100, 0, 0x0FDFFFFE, 0 },
    { 0x0400, 0, 0x01FFFFFA, 0 },
    { 0x1000, 0x00100030, 0x0010FFFF, 0x00100000 },
    { 0x2800, 0, 0xFFFFFFF0, 0 },
    { 0x3818, 0, 0xFFFF, 0 },
    { 0x4000, 0, 0, 0 }, /* counts frames with errors */
    { 0x5200, 0, 0xFFFFFFFF, 0 },
    { 0x53FC, 0, 0xFFFFFFFF, 0 },
    { RAL0, 0x12005452, 0xFFFFFFFF, 0 },
    { RAH0, 0x80005634, 0xFFFFFFFF, 0 },
    { 0x5408, 0, 0xFFFFFFFF, 0 },
    { 0x547C, 0, 0xFFFFFFFF, 0 },
    { 0x5480, 0, 0, 0 },
    { 0x57FC, 0, 0xFFFFFFFF, 0 },
    { 0x1FFFC, 0, 0, 0 },
};

START_TEST(registers_keep_what_they_can)
{
    uint32_t reg = registers[_i].reg;

    switch_on();
    ck_assert_uint_eq(get(reg), registers[_i].reset);
    put(reg, 0xFFFFFFFF);
    ck_assert_uint_eq(get(reg), registers[_i].ones);
    /* The same by ports. */
    emu_ports_write(ports, PORTS, 4, reg);
    ck_assert_uint_eq(emu_ports_read(ports, PORTS, 4), reg);
    ck_assert_uint_eq(emu_ports_read(ports, PORTS + 4, 4), registers[_i].ones);
    emu_ports_write(ports, PORTS + 4, 4, 0);
    ck_assert_uint_eq(get(reg), registers[_i].zeros);
    /* The card's own reset. */
    put(CTRL, 0x04000000);
    ck_assert_uint_eq(get(reg), registers[_i].reset);
    ck_assert_uint_eq(get(CTRL) & 0x04000000, 0);
}
END_TEST

START_TEST(the_eeprom_has_the_address_and_its_sum)
{
    unsigned sum = 0;
    uint32_t words[3] = { 0 };

    switch_on();
    for (unsigned i = 0; i < 64; i++) {
        put(EERD, i << 8 | 1);

        uint32_t value = get(EERD);

        ck_assert_uint_eq(value & 0xFFFF, i << 8 | 0x10);
        sum += value >> 16;
        if (i < 3) {
            words[i] = value >> 16;
        }
    }
    ck_assert_uint_eq(sum & 0xFFFF, 0xBABA);
    ck_assert_uint_eq(get(RAL0), words[0] | words[1] << 16);
    ck_assert_uint_eq(get(RAH0), words[2] | 0x80000000);
    put(EERD, 0xFF01);
    ck_assert_uint_eq(get(EERD), 0xFFFFFF10);
    put(EERD, 0);
    ck_assert_uint_eq(get(EERD) & 0x10, 0);
    ck_assert_uint_eq(get(EECD), 0x100);
    put(EECD, 0x40);
    ck_assert_uint_eq(get(EECD), 0x1C0);
    put(EECD, 0);
    ck_assert_uint_eq(get(EECD), 0x100);
}
END_TEST

START_TEST(the_phy_has_no_link)
{
    switch_on();
    put(MDIC, 0x08000000 | 1 << 21 | 1 << 16);
    ck_assert_uint_eq(get(MDIC) & 0x50000000, 0x10000000);
    ck_assert_uint_eq(get(MDIC) & 0x0024, 0); /* neither link nor negotiation */
    put(MDIC, 0x08000000 | 1 << 21 | 2 << 16);
    ck_assert_uint_eq(get(MDIC) & 0xFFFF, 0x0141);
    put(MDIC, 0x04000000 | 1 << 21 | 2 << 16 | 0x5555);
    put(MDIC, 0x08000000 | 1 << 21 | 2 << 16);
    ck_assert_uint_eq(get(MDIC) & 0xFFFF, 0x0141);
    put(MDIC, 0x08000000 | 2u << 21);
    ck_assert_uint_eq(get(MDIC) & 0x50000000, 0x50000000);
}
END_TEST

START_TEST(causes_and_mask_drive_the_interrupt)
{
    switch_on();
    put(ICS, 0x85);
    ck_assert(!inta.level);
    put(IMS, 0x04);
    ck_assert(inta.level);
    put(IMC, 0x04);
    ck_assert(!inta.level);
    put(IMS, 0x80);
    ck_assert(inta.level);
    put(ICR, 0x80);
    ck_assert(!inta.level);
    put(ICS, 0x80);
    ck_assert(inta.level);
    ck_assert_uint_eq(get(ICR), 0x85);
    ck_assert(!inta.level);
    ck_assert_uint_eq(get(ICR), 0);
    ck_assert_uint_eq(get(IMS), 0x80);
    put(ICS, 0xFFFFFFFF);
    put(CTRL, 0x04000000);
    ck_assert(!inta.level);
    ck_assert_uint_eq(get(IMS), 0);
    put(IMS, 1);
    put(ICS, 1);
    ck_assert(inta.level);
    dev_nic_e1000_reset(nic);
    ck_assert(!inta.level);
}
END_TEST

START_TEST(accesses_of_other_sizes_reach_whole_registers)
{
    switch_on();
    ck_assert_uint_eq(pgm_read_u8_as(pgm, BAR + RAL0 + 1, MEM_ORIGIN_CPU), 0x54);
    ck_assert_uint_eq(pgm_read_u16_as(pgm, BAR + RAL0 + 2, MEM_ORIGIN_CPU), 0x1200);
    ck_assert_uint_eq(pgm_read_u64_as(pgm, BAR + RAL0, MEM_ORIGIN_CPU),
                      UINT64_C(0x8000563412005452));
    ck_assert_uint_eq(emu_ports_read(ports, PORTS + 8, 4), 0);
}
END_TEST

START_TEST(a_rom_that_is_none_is_refused)
{
    static const uint8_t rom[512] = { 0x55, 0xAA, 1 };
    const DevNicConfig config = { .rom = rom, .rom_len = sizeof(rom), .name = "some.rom" };
    g_autoptr(GError) error = NULL;

    dev_nic_e1000_free(nic);
    nic = dev_nic_e1000_new(bus, DEVFN, pgm, ports, wire_line(&inta), &config, &error);
    ck_assert_ptr_null(nic);
    ck_assert_msg(g_str_has_prefix(error->message, "some.rom: "), "%s", error->message);
}
END_TEST

/* A ROM of one page that counts through, for this card. */
static void add_rom(void)
{
    uint8_t rom[4096] = { 0x55, 0xAA, 8 };
    const DevNicConfig config = { .rom = rom, .rom_len = sizeof(rom), .name = "card.rom" };

    memcpy(rom + 24, "\x1C\0\0\0PCIR\x86\x80\x0E\x10", 12);
    rom[0x1C + 21] = 0x80;
    dev_nic_e1000_free(nic);
    nic = dev_nic_e1000_new(bus, DEVFN, pgm, ports, wire_line(&inta), &config, NULL);
    ck_assert_ptr_nonnull(nic);
}

#define ROM_HEADER 0x08AA55u

/* What the ROM gives up is the registers' with the same write, and the reverse. */
START_TEST(registers_and_rom_make_room_for_each_other)
{
    add_rom();
    config_write(DEVFN, 4, 2, 2);
    config_write(DEVFN, 0x30, 4, (uint32_t)BAR | 1);
    ck_assert_uint_eq(get(0) & 0xFFFFFF, ROM_HEADER);
    config_write(DEVFN, 0x10, 4, (uint32_t)BAR);
    ck_assert_uint_eq(get(0) & 0xFFFFFF, ROM_HEADER);
    config_write(DEVFN, 0x30, 4, (uint32_t)(BAR + BAR_LEN) | 1);
    ck_assert_uint_eq(get(STATUS), 0x81);
    ck_assert_uint_eq(get((uint32_t)BAR_LEN) & 0xFFFFFF, ROM_HEADER);
    config_write(DEVFN, 0x30, 4, (uint32_t)BAR | 1);
    ck_assert_uint_eq(get((uint32_t)BAR_LEN), 0xFFFFFFFF);
    config_write(DEVFN, 0x10, 4, (uint32_t)(BAR + BAR_LEN));
    ck_assert_uint_eq(get(0) & 0xFFFFFF, ROM_HEADER);
    ck_assert_uint_eq(get(STATUS + (uint32_t)BAR_LEN), 0x81);
}
END_TEST

/* ---- state ---- */

static void save(GByteArray *out)
{
    EmuStatePart parts[EMU_STATE_UNIT_MAX_PARTS];
    unsigned n = dev_nic_e1000_parts(nic, parts);

    for (unsigned i = 0; i < n; i++) {
        emu_state_save(&parts[i].desc, parts[i].state, out);
    }
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    EmuStatePart parts[EMU_STATE_UNIT_MAX_PARTS];
    unsigned n = dev_nic_e1000_parts(nic, parts);
    size_t at = *pos;
    g_autoptr(GByteArray) before = g_byte_array_new();

    save(before);
    for (unsigned i = 0; i < n; i++) {
        if (!emu_state_load(&parts[i].desc, parts[i].state, bytes, len, &at, error)) {
            size_t back = 0;

            for (unsigned k = 0; k < n; k++) { /* as the machine's units do: all or none */
                ck_assert(emu_state_load(&parts[k].desc, parts[k].state, before->data, before->len,
                                         &back, NULL));
            }
            return false;
        }
    }
    *pos = at;
    dev_nic_e1000_leave(nic);
    dev_nic_e1000_loaded(nic);
    return true;
}

static void disturb(void)
{
    put(0x2800, 0x12345670);
    emu_ports_write(ports, PORTS, 4, 0x100);
    config_write(DEVFN, 0x18, 4, PORTS + 0x400);
}

START_TEST(state_goes_round)
{
    switch_on();
    put(0x5200, 0xCAFE);
    emu_ports_write(ports, PORTS, 4, RAL0);
    check_round_trip(save, load, disturb);
    ck_assert_ptr_null(emu_ports_owner(ports, PORTS + 0x400));
    ck_assert_uint_eq(emu_ports_read(ports, PORTS + 4, 4), 0x12005452);
    ck_assert_uint_eq(get(0x5200), 0xCAFE);
}
END_TEST

START_TEST(states_of_no_card_are_refused)
{
    check_refused(save, load, "e1000 registers", "port_address", 4, 0x20000);
    check_refused(save, load, "e1000 registers", "port_address", 4, 2);
    check_refused(save, load, "e1000 registers", "ports_decoded", 1, 2);
    check_truncated(save, load);
}
END_TEST

/* The register that a state has @at registers behind CTRL, and whether @value can be in it. */
static const struct {
    unsigned at;
    uint32_t value;
    bool good;
} held[] = {
    { 0, 0x00000A08, true },  { 0, 0x04000A09, false },  { 0, 0x20000A09, false },
    { 1, 0x00000081, true },  { 1, 0x00000083, false }, /* STATUS: link */
    { 2, 0x00000100, true },  { 2, 0x000001C0, true },   { 2, 0x00000140, false },
    { 2, 0x00000180, false }, { 2, 0x00000000, false }, /* EECD */
    { 3, 0x54520010, true },  { 3, 0x54530010, false },  { 3, 0x54520000, false },
    { 3, 0x0000FF00, true },  { 3, 0xFFFFFF10, true },   { 3, 0x00000001, false }, /* EERD */
    { 5, 0x10000000, true },  { 5, 0x10217949, true },   { 5, 0x50417949, true },
    { 5, 0x10417949, false }, { 5, 0x50217949, false },  { 5, 0x00217949, false },
    { 5, 0x18217949, false },                            /* MDIC */
    { 10, 0x0001FFF7, true }, { 10, 0x00000008, false }, /* ICR */
    { 12, 0x0001FFF7, true }, { 12, 0x00020000, false }, /* IMS */
    { 13, 0x0FDFFFFE, true }, { 13, 0x00000001, false }, /* RCTL */
    { 20, 0x00100000, true }, { 20, 0x00000030, false }, /* PBA */
};

START_TEST(states_hold_what_the_card_can)
{
    g_autoptr(GByteArray) state = saved_state(save);
    uint8_t *at = field_in(state, "e1000 registers", "slots") + 4 * held[_i].at;
    size_t pos = 0;

    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(held[_i].value >> (8 * i));
    }
    ck_assert_int_eq(load(state->data, state->len, &pos, NULL), held[_i].good);
}
END_TEST

static void fuzz(uint32_t seed)
{
    static const PortRange ranges[] = { { PORTS, 64 } };
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    fuzz_ports(ranges, 1, seed, 200);
    for (unsigned i = 0; i < 200; i++) {
        GPhys at = BAR + (g_rand_int(rand) & (BAR_LEN - 8));
        uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

        at = g_rand_boolean(rand) ? at : BAR + (at & 0xFF);
        (void)pgm_write(pgm, at, &value, (uint64_t)g_rand_int_range(rand, 1, 9), MEM_ORIGIN_CPU);
        (void)pgm_read(pgm, at, &value, (uint64_t)g_rand_int_range(rand, 1, 9), MEM_ORIGIN_CPU);
    }
    fuzz_config(DEVFN, seed, 50);
    (void)pgm_write_u32_as(pgm, BAR, 0x04000000, MEM_ORIGIN_CPU);
}

START_TEST(hostile_guests_are_survived)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        size_t pos = 0;

        switch_on();
        fuzz(seed);

        g_autoptr(GByteArray) state = saved_state(save);

        ck_assert(load(state->data, state->len, &pos, NULL)); /* a state that the card can have */
    }
    dev_nic_e1000_reset(nic);
    switch_on();
    ck_assert_uint_eq(get(STATUS), 0x81);
}
END_TEST

START_TEST(damaged_states_are_survived)
{
    switch_on();
    check_damaged(save, load, 20261122, 300, fuzz);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nic");
    TCase *tcase = tcase_create("nic");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_configuration_map);
    tcase_add_test(tcase, bars_are_where_the_guest_puts_them);
    tcase_add_test(tcase, ram_and_ports_of_others_are_not_covered);
    tcase_add_loop_test(tcase, registers_keep_what_they_can, 0, G_N_ELEMENTS(registers));
    tcase_add_test(tcase, the_eeprom_has_the_address_and_its_sum);
    tcase_add_test(tcase, the_phy_has_no_link);
    tcase_add_test(tcase, causes_and_mask_drive_the_interrupt);
    tcase_add_test(tcase, accesses_of_other_sizes_reach_whole_registers);
    tcase_add_test(tcase, a_rom_that_is_none_is_refused);
    tcase_add_test(tcase, registers_and_rom_make_room_for_each_other);
    tcase_add_test(tcase, state_goes_round);
    tcase_add_test(tcase, states_of_no_card_are_refused);
    tcase_add_loop_test(tcase, states_hold_what_the_card_can, 0, G_N_ELEMENTS(held));
    tcase_add_test(tcase, hostile_guests_are_survived);
    tcase_add_test(tcase, damaged_states_are_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
