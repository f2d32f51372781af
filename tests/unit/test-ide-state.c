/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states of the IDE controller, whole and damaged, and random port accesses.
 */
#include "ide-fixture.h"

static void save(GByteArray *out)
{
    dev_ide_save(ide, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_ide_load(ide, bytes, len, pos, error);
}

static void disturb(void)
{
    out8(CONTROL, 0x04);
    out8(CONTROL, 0x00);
}

START_TEST(state_round_trip_in_the_middle_of_a_read)
{
    set_lba28(77, 3);
    command(0x20);
    read_number();
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 4), 78);
    check_round_trip(save, load, disturb);
    ck_assert(irqs[0].level);
    for (unsigned i = 1; i < DEV_SECTOR_SIZE / 4; i++) {
        emu_ports_read(ports, BASE, 4);
    }
    ck_assert_uint_eq(read_number(), 79);
    ck_assert_uint_eq(in8(BASE + 7), READY);
}
END_TEST

START_TEST(state_round_trip_in_the_middle_of_a_write)
{
    set_lba28(88, 1);
    command(0x30);
    for (unsigned i = 0; i < 200; i++) {
        emu_ports_write(ports, BASE, 2, 0x4242);
    }
    check_round_trip(save, load, disturb);
    for (unsigned i = 200; i < 256; i++) {
        emu_ports_write(ports, BASE, 2, 0x4242);
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(disk_byte(88), 0x42);
}
END_TEST

START_TEST(impossible_states_are_refused)
{
    set_lba28(77, 3);
    command(0x20);
    check_refused(save, load, "ata", "pos", 2, 512);
    check_refused(save, load, "ata", "pos", 2, 513);
    check_refused(save, load, "ata", "pos", 2, 1);
    check_refused(save, load, "ata", "len", 2, 8194);
    check_refused(save, load, "ata", "len", 2, 1024);
    check_refused(save, load, "ata", "len", 2, 0);
    check_refused(save, load, "ata", "left", 4, 0);
    check_refused(save, load, "ata", "left", 4, 65537);
    check_refused(save, load, "ata", "block", 1, 0);
    check_refused(save, load, "ata", "block", 1, 17);
    check_refused(save, load, "ata", "transfer", 1, 0);
    check_refused(save, load, "ata", "transfer", 1, 4);
    check_refused(save, load, "ata", "lba", 8, UINT64_C(1) << 48);
    check_refused(save, load, "ata", "heads", 1, 0);
    check_refused(save, load, "ata", "sectors", 1, 0);
    check_refused(save, load, "ata", "multiple", 1, 3);
    check_refused(save, load, "ata", "status", 1, 0x50);
    check_refused(save, load, "ide-channel", "selected", 1, 2);
    check_refused(save, load, "ide-channel", "control", 1, 0x01);
    check_truncated(save, load);
}
END_TEST

START_TEST(an_active_drive_needs_its_disk)
{
    DevDisk *none[DEV_IDE_DRIVES] = { NULL };
    EmuLine lines[DEV_IDE_CHANNELS] = { { 0 }, { 0 } };
    g_autoptr(GError) error = NULL;
    size_t pos = 0;

    set_lba28(77, 3);
    command(0x20);

    g_autoptr(GByteArray) state = saved_state(save);

    dev_ide_free(ide);
    ide = dev_ide_new(ports, none, lines, NULL);
    ck_assert(!load(state->data, state->len, &pos, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "no disk"));
}
END_TEST

START_TEST(a_loaded_address_behind_the_end_only_fails)
{
    set_lba28(77, 3);
    command(0x30);

    g_autoptr(GByteArray) state = saved_state(save);
    size_t pos = 0;

    memset(field_in(state, "ata", "lba"), 0xFF, 6);
    ck_assert(load(state->data, state->len, &pos, NULL));
    write_sector(1);
    expect_failure(in8(CONTROL), ABRT);
}
END_TEST

static const PortRange all_ports[] = { { 0x1F0, 8 }, { 0x170, 8 }, { 0x3F6, 1 }, { 0x376, 1 } };

static void fuzz_little(uint32_t seed)
{
    fuzz_ports(all_ports, G_N_ELEMENTS(all_ports), seed, 40);
}

START_TEST(damaged_states_do_no_harm)
{
    set_lba28(77, 3);
    command(0x20);
    check_damaged(save, load, 5, 1000, fuzz_little);
}
END_TEST

/* Mostly small addresses, known commands and long runs of data, so that transfers really happen. */
static void fuzz_transfers(uint32_t seed)
{
    static const uint8_t codes[] = { 0x20, 0x24, 0x29, 0x30, 0x34, 0x39, 0xC4, 0xC5, 0xC6, 0xEC };
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (unsigned round = 0; round < 400; round++) {
        set_lba48(g_rand_int(rand) % (N_SECTORS + 20), (uint16_t)g_rand_int_range(rand, 0, 20));
        out8(BASE + 7, codes[g_rand_int_range(rand, 0, G_N_ELEMENTS(codes))]);
        for (int n = g_rand_int_range(rand, 0, 3000); n > 0; n--) {
            if (g_rand_boolean(rand)) {
                emu_ports_read(ports, BASE, 4);
            } else {
                emu_ports_write(ports, BASE, 2, 0);
            }
        }
    }
}

START_TEST(random_port_accesses_do_no_harm)
{
    fuzz_transfers(14 + (uint32_t)_i);
    fuzz_ports(all_ports, G_N_ELEMENTS(all_ports), 0x1F0 + (uint32_t)_i, 100000);

    g_autoptr(GByteArray) state = saved_state(save);
    size_t pos = 0;

    ck_assert_msg(load(state->data, state->len, &pos, NULL), "the chip's own state is invalid");
    dev_ide_reset(ide);
    set_lba28(3210, 1);
    command(0x40);
    ck_assert_uint_eq(in8(BASE + 7), READY);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ide-state");
    Suite *suite = suite_create("devices/ide-state");

    tcase_add_checked_fixture(tc, ide_setup, ide_teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, state_round_trip_in_the_middle_of_a_read);
    tcase_add_test(tc, state_round_trip_in_the_middle_of_a_write);
    tcase_add_test(tc, impossible_states_are_refused);
    tcase_add_test(tc, an_active_drive_needs_its_disk);
    tcase_add_test(tc, a_loaded_address_behind_the_end_only_fails);
    tcase_add_test(tc, damaged_states_do_no_harm);
    tcase_add_loop_test(tc, random_port_accesses_do_no_harm, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
