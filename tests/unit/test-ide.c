/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IDE controller and its disk, command by command. Saved states and random port accesses are in
 * test-ide-state.c.
 */
#include "ide-fixture.h"

#include <signal.h>
#include <sys/resource.h>

START_TEST(after_reset_the_signature_of_a_disk_is_shown)
{
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(in8(BASE + 1), 0x01);
    ck_assert_uint_eq(in8(BASE + 2), 1);
    ck_assert_uint_eq(in8(BASE + 3), 1);
    ck_assert_uint_eq(in8(BASE + 4), 0);
    ck_assert_uint_eq(in8(BASE + 5), 0);
    ck_assert_uint_eq(in8(BASE + 6), 0xA0);
    ck_assert_uint_eq(in8(CONTROL), READY);
    ck_assert(!irqs[0].level);
}
END_TEST

START_TEST(identify_describes_the_disk)
{
    uint8_t bytes[DEV_SECTOR_SIZE];
    uint16_t id[DEV_SECTOR_SIZE / 2];

    out8(BASE + 6, 0xA0);
    ck_assert_uint_eq(command(0xEC), READY | DRQ);
    ck_assert(irqs[0].level);
    read_sector(bytes);
    memcpy(id, bytes, sizeof id);
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(id[0], 0x0040);
    ck_assert_uint_eq(id[1], N_SECTORS / (16 * 63));
    ck_assert_uint_eq(id[3], 16);
    ck_assert_uint_eq(id[6], 63);
    ck_assert_mem_eq(bytes + 2 * 27, "UQRI EAHDRD SI K", 16); /* bytes of each word swapped */
    ck_assert_uint_eq(id[47] & 0xFF, 16);
    ck_assert_uint_eq(id[49] & 0x0300, 0x0200); /* LBA, no DMA */
    ck_assert_uint_eq(id[59], 0);
    ck_assert_uint_eq(id[60] | id[61] << 16, N_SECTORS);
    ck_assert_uint_eq(id[83] & 0xC400, 0x4400); /* LBA48 */
    ck_assert_uint_eq(id[86] & 0x0400, 0x0400);
    ck_assert_uint_eq(id[100] | id[101] << 16, N_SECTORS);
    ck_assert_uint_eq(id[102] | id[103], 0);
}
END_TEST

START_TEST(reading_the_status_takes_the_interrupt_back_and_alternate_status_does_not)
{
    set_lba28(7, 1);
    ck_assert_uint_eq(command(0x20), READY | DRQ);
    ck_assert(irqs[0].level);
    ck_assert_uint_eq(in8(CONTROL), READY | DRQ);
    ck_assert(irqs[0].level);
    ck_assert_uint_eq(in8(BASE + 7), READY | DRQ);
    ck_assert(!irqs[0].level);
}
END_TEST

START_TEST(lba28_reads_interrupt_once_a_sector)
{
    set_lba28(4321, 3);
    command(0x20);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(irqs[0].level);
        ck_assert_uint_eq(in8(BASE + 7), READY | DRQ);
        ck_assert_uint_eq(read_number(), 4321 + i);
    }
    ck_assert(!irqs[0].level);
    ck_assert_uint_eq(irqs[0].n_rises, 3);
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(in8(BASE + 2), 0);
    ck_assert_uint_eq(in8(BASE + 3) | in8(BASE + 4) << 8, 4323); /* the last sector */
}
END_TEST

START_TEST(a_count_of_zero_is_256)
{
    set_lba28(0, 0);
    command(0x20);
    for (unsigned i = 0; i < 256; i++) {
        if (read_number() != i) {
            ck_abort_msg("sector %u is wrong", i);
        }
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
}
END_TEST

START_TEST(lba48_takes_both_halves_of_address_and_count)
{
    set_lba48(0x1234, 0x0101);
    command(0x24);
    for (unsigned i = 0; i < 0x101; i++) {
        if (read_number() != 0x1234 + i) {
            ck_abort_msg("sector %u is wrong", i);
        }
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(in8(BASE + 2), 0); /* nothing is left, in either half */
    out8(CONTROL, 0x80);
    ck_assert_uint_eq(in8(BASE + 2), 0);

    set_lba48(UINT64_C(0x010000000001), 1); /* the high bytes count */
    expect_failure(command(0x24), IDNF);
    set_lba48(UINT64_C(0x01000001), 1);
    expect_failure(command(0x24), IDNF);
}
END_TEST

START_TEST(hob_shows_the_earlier_value_until_the_next_write)
{
    set_lba48(UINT64_C(0x665544332211), 0x8877);
    ck_assert_uint_eq(in8(BASE + 3), 0x11);
    out8(CONTROL, 0x80);
    ck_assert_uint_eq(in8(BASE + 2), 0x88);
    ck_assert_uint_eq(in8(BASE + 3), 0x44);
    ck_assert_uint_eq(in8(BASE + 4), 0x55);
    ck_assert_uint_eq(in8(BASE + 5), 0x66);
    out8(BASE + 1, 0);
    ck_assert_uint_eq(in8(BASE + 2), 0x77);
}
END_TEST

START_TEST(chs_addresses_follow_the_translation)
{
    set_chs(2, 3, 4, 2);
    command(0x20);
    ck_assert_uint_eq(read_number(), (2 * 16 + 3) * 63 + 3);
    ck_assert_uint_eq(read_number(), (2 * 16 + 3) * 63 + 4);

    out8(BASE + 2, 17); /* 17 sectors, 4 heads */
    out8(BASE + 6, 0xA3);
    ck_assert_uint_eq(command(0x91), READY);
    set_chs(10, 3, 17, 2);
    command(0x20);
    ck_assert_uint_eq(read_number(), (10 * 4 + 3) * 17 + 16);
    ck_assert_uint_eq(read_number(), 11 * 4 * 17);
    ck_assert_uint_eq(in8(BASE + 3), 1); /* cylinder 11, head 0, sector 1 */
    ck_assert_uint_eq(in8(BASE + 4), 11);
    ck_assert_uint_eq(in8(BASE + 6) & 0x0F, 0);
}
END_TEST

static const struct {
    uint16_t cylinder;
    uint8_t head;
    uint8_t sector;
} no_sectors[] = { { 0, 0, 0 }, { 0, 0, 64 }, { 65535, 15, 63 }, { 5, 0, 1 } };

START_TEST(chs_addresses_that_do_not_exist_are_not_found)
{
    set_chs(no_sectors[_i].cylinder, no_sectors[_i].head, no_sectors[_i].sector, 1);
    expect_failure(command(0x20), IDNF);
}
END_TEST

START_TEST(the_data_port_is_32_bits_wide_too)
{
    set_lba28(99, 1);
    command(0x20);
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 4), 99);
    for (unsigned i = 1; i < DEV_SECTOR_SIZE / 4 - 1; i++) {
        emu_ports_read(ports, BASE, 4);
    }
    ck_assert_uint_eq(in8(CONTROL) & DRQ, DRQ);
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 4), 99u << 24);
    ck_assert_uint_eq(in8(CONTROL) & DRQ, 0);
}
END_TEST

START_TEST(reads_past_the_end_fail_where_the_disk_ends)
{
    set_lba28(N_SECTORS - 1, 2);
    ck_assert_uint_eq(command(0x20), READY | DRQ);
    ck_assert_uint_eq(read_number(), N_SECTORS - 1);
    expect_failure(in8(CONTROL), IDNF);
    ck_assert_uint_eq(in8(BASE + 3) | in8(BASE + 4) << 8, N_SECTORS);
}
END_TEST

START_TEST(writes_reach_the_disk_sector_by_sector)
{
    set_lba28(100, 2);
    ck_assert_uint_eq(command(0x30), READY | DRQ);
    ck_assert(!irqs[0].level); /* the first block is asked for without an interrupt */
    write_sector(0xA1);
    ck_assert(irqs[0].level);
    ck_assert_uint_eq(in8(BASE + 7), READY | DRQ);
    write_sector(0xA2);
    ck_assert(irqs[0].level);
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(disk_byte(99), 0);
    ck_assert_uint_eq(disk_byte(100), 0xA1);
    ck_assert_uint_eq(disk_byte(101), 0xA2);
    ck_assert_uint_eq(disk_byte(102), 0);
}
END_TEST

START_TEST(lba48_and_wide_writes)
{
    set_lba48(UINT64_C(0x0100001100), 1);
    expect_failure(command(0x34), IDNF);
    set_lba48(0x1100, 1);
    ck_assert_uint_eq(command(0x34), READY | DRQ);
    for (unsigned i = 0; i < DEV_SECTOR_SIZE / 4; i++) {
        emu_ports_write(ports, BASE, 4, 0x5A5A5A5A);
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(disk_byte(0x1100), 0x5A);
}
END_TEST

START_TEST(an_unfinished_sector_is_not_written)
{
    set_lba28(100, 1);
    command(0x30);
    for (unsigned i = 0; i < DEV_SECTOR_SIZE / 2 - 1; i++) {
        emu_ports_write(ports, BASE, 2, 0xFFFF);
    }
    ck_assert_uint_eq(command(0xE7), READY); /* another command ends the transfer */
    emu_ports_write(ports, BASE, 2, 0xFFFF);
    ck_assert_uint_eq(disk_byte(100), 0);
}
END_TEST

START_TEST(writes_past_the_end_fail)
{
    set_lba28(N_SECTORS, 1);
    expect_failure(command(0x30), IDNF);
    set_lba28(N_SECTORS - 1, 2);
    command(0x30);
    write_sector(0xB1);
    expect_failure(in8(CONTROL), IDNF);
    ck_assert_uint_eq(disk_byte(N_SECTORS - 1), 0xB1);
}
END_TEST

START_TEST(multiple_moves_blocks_with_one_interrupt_each)
{
    out8(BASE + 2, 4);
    ck_assert_uint_eq(command(0xC6), READY);
    in8(BASE + 7);

    unsigned rises = irqs[0].n_rises;

    set_lba28(200, 6);
    command(0xC4);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(in8(BASE + 7), READY | DRQ);
        ck_assert_uint_eq(read_number(), 200 + i);
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(irqs[0].n_rises - rises, 2);

    set_lba48(UINT64_C(0x01000000), 1);
    expect_failure(command(0x29), IDNF); /* the high bytes count */
    set_lba48(250, 4);
    command(0x29);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(read_number(), 250 + i);
    }
    set_lba48(300, 5);
    command(0x39);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(in8(CONTROL), READY | DRQ);
        write_sector((uint8_t)(0xC0 + i));
    }
    ck_assert_uint_eq(in8(BASE + 7), READY);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(disk_byte(300 + i), 0xC0 + i);
    }
}
END_TEST

START_TEST(multiple_must_be_set_and_a_power_of_two_up_to_16)
{
    static const uint8_t good[] = { 1, 2, 4, 8, 16, 0 };

    set_lba28(0, 1);
    expect_failure(command(0xC4), ABRT);
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        out8(BASE + 2, good[i]);
        ck_assert_uint_eq(command(0xC6), READY);
    }
    set_lba28(0, 1);
    expect_failure(command(0xC5), ABRT); /* 0 switched it off */
    out8(BASE + 2, 3);
    expect_failure(command(0xC6), ABRT);
    out8(BASE + 2, 32);
    expect_failure(command(0xC6), ABRT);
}
END_TEST

/* Code, features, count, status, error. */
static const struct {
    uint8_t code;
    uint8_t features;
    uint8_t count;
    uint8_t status;
    uint8_t error;
} simple[] = {
    { 0x00, 0, 0, READY | ERR, ABRT },
    { 0xA1, 0, 0, READY | ERR, ABRT },
    { 0xC8, 0, 1, READY | ERR, ABRT },
    { 0xFF, 0, 0, READY | ERR, ABRT },
    { 0x10, 0, 0, READY, 0 },
    { 0x1F, 0, 0, READY, 0 },
    { 0x70, 0, 0, READY, 0 },
    { 0x7C, 0, 0, READY, 0 },
    { 0xE7, 0, 0, READY, 0 },
    { 0xEA, 0, 0, READY, 0 },
    { 0xE0, 0, 0, READY, 0 },
    { 0xE1, 0, 0, READY, 0 },
    { 0xE2, 0, 0, READY, 0 },
    { 0xE3, 0, 0, READY, 0 },
    { 0xE6, 0, 0, READY, 0 },
    { 0x96, 0, 0, READY, 0 },
    { 0xEF, 0x03, 0x0C, READY, 0 },
    { 0xEF, 0x03, 0x08, READY, 0 },
    { 0xEF, 0x03, 0x07, READY | ERR, 4 },
    { 0xEF, 0x03, 0x0D, READY | ERR, 4 },
    { 0xEF, 0x02, 0, READY, 0 },
    { 0xEF, 0x03, 0x45, READY | ERR, 4 },
    { 0xEF, 0x99, 0, READY | ERR, ABRT },
    { 0x91, 0, 0, READY | ERR, ABRT },
    { 0x40, 0, 10, READY, 0 },
    { 0x41, 0, 10, READY, 0 },
};

START_TEST(simple_commands)
{
    set_lba28(1, simple[_i].count);
    out8(BASE + 1, simple[_i].features);
    ck_assert_uint_eq(command(simple[_i].code), simple[_i].status);
    ck_assert_uint_eq(in8(BASE + 1), simple[_i].error);
    ck_assert(irqs[0].level);
}
END_TEST

START_TEST(verify_and_seek_check_the_address)
{
    set_lba28(N_SECTORS - 10, 10);
    ck_assert_uint_eq(command(0x40), READY);
    set_lba28(N_SECTORS - 10, 11);
    expect_failure(command(0x40), IDNF);
    set_lba48(N_SECTORS - 10, 10);
    ck_assert_uint_eq(command(0x42), READY);
    set_lba48(N_SECTORS - 10, 11);
    expect_failure(command(0x42), IDNF);
    set_lba28(N_SECTORS, 0);
    expect_failure(command(0x70), IDNF);
}
END_TEST

START_TEST(check_power_mode_says_active)
{
    ck_assert_uint_eq(command(0xE5), READY);
    ck_assert_uint_eq(in8(BASE + 2), 0xFF);
    ck_assert(irqs[0].level);
}
END_TEST

START_TEST(native_max_is_the_last_sector)
{
    out8(BASE + 6, 0xE0);
    ck_assert_uint_eq(command(0xF8), READY);
    ck_assert_uint_eq(in8(BASE + 3) | in8(BASE + 4) << 8 | in8(BASE + 5) << 16, N_SECTORS - 1);
    ck_assert_uint_eq(in8(BASE + 6) & 0x0F, 0);
    set_lba48(UINT64_C(0xFFFFFFFFFFFF), 0);
    ck_assert_uint_eq(command(0x27), READY);
    ck_assert_uint_eq(in8(BASE + 3) | in8(BASE + 4) << 8 | in8(BASE + 5) << 16, N_SECTORS - 1);
    out8(CONTROL, 0x80);
    ck_assert_uint_eq(in8(BASE + 3) | in8(BASE + 4) | in8(BASE + 5), 0);
}
END_TEST

START_TEST(diagnostic_passes_and_shows_the_signature)
{
    set_lba28(0xABCDEF, 9);
    ck_assert_uint_eq(command(0x90), READY);
    ck_assert_uint_eq(in8(BASE + 1), 0x01);
    ck_assert_uint_eq(in8(BASE + 2), 1);
    ck_assert_uint_eq(in8(BASE + 3), 1);
    ck_assert_uint_eq(in8(BASE + 5), 0);
    ck_assert(irqs[0].level);
}
END_TEST

START_TEST(nien_holds_the_line_down_and_keeps_the_interrupt)
{
    out8(CONTROL, 0x02);
    set_lba28(0, 1);
    command(0x20);
    ck_assert(!irqs[0].level);
    out8(CONTROL, 0x00);
    ck_assert(irqs[0].level);
}
END_TEST

START_TEST(software_reset_is_busy_while_it_lasts)
{
    set_lba28(5, 2);
    command(0x30);
    out8(CONTROL, 0x04);
    ck_assert_uint_eq(in8(CONTROL), BSY);
    ck_assert_uint_eq(in8(BASE + 7), BSY);
    out8(BASE + 7, 0xEC); /* nobody listens */
    write_sector(0xFF);
    out8(CONTROL, 0x00);
    ck_assert_uint_eq(in8(BASE + 7), READY);
    ck_assert_uint_eq(in8(BASE + 1), 0x01);
    ck_assert_uint_eq(in8(BASE + 2), 1);
    ck_assert_uint_eq(in8(BASE + 5), 0);
    ck_assert(!irqs[0].level);
    write_sector(0xEE); /* the transfer is over */
    ck_assert_uint_eq(disk_byte(5), 0);
    out8(CONTROL, 0x80);
    ck_assert_uint_eq(in8(BASE + 2) | in8(BASE + 3) | in8(BASE + 4) | in8(BASE + 5), 0);
}
END_TEST

START_TEST(a_channel_without_drives_floats)
{
    for (unsigned i = 1; i < 8; i++) {
        ck_assert_uint_eq(in8((uint16_t)(0x170 + i)), 0xFF);
    }
    ck_assert_uint_eq(in8(0x376), 0xFF);
    ck_assert_uint_eq(emu_ports_read(ports, 0x170, 4), 0xFFFFFFFF);
    out8(0x177, 0xEC);
    ck_assert(!irqs[1].level);
    ck_assert_uint_eq(in8(0x177), 0xFF);
}
END_TEST

START_TEST(an_absent_slave_has_status_zero_and_does_nothing)
{
    out8(BASE + 6, 0xF0);
    ck_assert_uint_eq(in8(BASE + 7), 0);
    ck_assert_uint_eq(in8(CONTROL), 0);
    ck_assert_uint_eq(in8(BASE + 6), 0xF0);
    ck_assert_uint_eq(command(0xEC), 0);
    ck_assert(!irqs[0].level);
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 2), 0);
    out8(BASE + 6, 0xE0);
    ck_assert_uint_eq(command(0xE5), READY);
    out8(BASE + 6, 0xF0);
    ck_assert_uint_eq(in8(BASE + 2), 0xFF); /* what the master has there */
    out8(BASE + 6, 0xE0);
    ck_assert_uint_eq(in8(BASE + 7), READY);
}
END_TEST

START_TEST(a_slave_on_the_secondary_channel_uses_its_own_ports_and_line)
{
    move_disk(3);
    ck_assert_uint_eq(in8(BASE + 7), 0xFF);
    out8(0x176, 0xA0);
    ck_assert_uint_eq(in8(0x177), 0);
    out8(0x176, 0xF0);
    ck_assert_uint_eq(in8(0x177), READY);
    out8(0x172, 1);
    out8(0x173, 42);
    out8(0x174, 0);
    out8(0x175, 0);
    out8(0x177, 0x20);
    ck_assert(irqs[1].level);
    ck_assert(!irqs[0].level);
    ck_assert_uint_eq(emu_ports_read(ports, 0x170, 4), 42);
    out8(0x176, 0xA0); /* the other drive does not ask for an interrupt */
    ck_assert(!irqs[1].level);
    out8(0x176, 0xF0);
    ck_assert(irqs[1].level);
}
END_TEST

START_TEST(a_channel_that_is_not_decoded_floats_and_comes_back)
{
    set_lba28(0, 1);
    command(0x20);
    ck_assert(irqs[0].level);
    dev_ide_set_decode(ide, 0, false);
    ck_assert(!irqs[0].level);
    ck_assert_uint_eq(in8(BASE + 7), 0xFF);
    dev_ide_set_decode(ide, 0, true);
    ck_assert_uint_eq(in8(BASE + 7), READY | DRQ);
}
END_TEST

START_TEST(a_failing_host_is_an_error_of_the_drive)
{
    ck_assert_int_eq(truncate(image, 100 * DEV_SECTOR_SIZE), 0);
    set_lba28(99, 2);
    command(0x20);
    ck_assert_uint_eq(read_number(), 99);
    expect_failure(in8(CONTROL), UNC);
    ck_assert_uint_eq(in8(BASE + 3), 100);
}
END_TEST

START_TEST(data_outside_of_a_transfer_is_nothing)
{
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 2), 0);
    write_sector(0xFF);
    set_lba28(0, 1);
    command(0x20);
    emu_ports_write(ports, BASE, 2, 0xFFFF); /* the wrong direction */
    ck_assert_uint_eq(read_number(), 0);
}
END_TEST

START_TEST(small_disks_have_a_geometry)
{
    uint8_t bytes[DEV_SECTOR_SIZE];

    dev_ide_free(ide);
    dev_disk_free(disk);
    ck_assert_int_eq(truncate(image, 5 * DEV_SECTOR_SIZE - 1), 0);
    disk = dev_disk_open(image, false, NULL);
    ck_assert_ptr_nonnull(disk);
    build(0);
    command(0xEC);
    read_sector(bytes);
    ck_assert_uint_eq(bytes[2] * bytes[6] * bytes[12], 5);
    set_chs(0, 0, 5, 1);
    command(0x20);
    emu_ports_read(ports, BASE, 4);
    ck_assert_uint_eq(in8(CONTROL), READY | DRQ);
    set_chs(0, 0, 6, 1);
    expect_failure(command(0x20), IDNF);

    g_autoptr(GByteArray) state = g_byte_array_new();
    size_t pos = 0;

    dev_ide_save(ide, state); /* one head is a possible state */
    ck_assert(dev_ide_load(ide, state->data, state->len, &pos, NULL));
}
END_TEST

START_TEST(a_failing_write_aborts_at_its_sector)
{
    dev_ide_free(ide);
    dev_disk_free(disk);
    disk = dev_disk_open(image, true, NULL);
    ck_assert_ptr_nonnull(disk);
    build(0);

    const struct rlimit limit = { 100 * DEV_SECTOR_SIZE, RLIM_INFINITY };

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    set_lba28(99, 2);
    command(0x30);
    write_sector(0x11);
    ck_assert_uint_eq(in8(CONTROL), READY | DRQ);
    write_sector(0x22);
    expect_failure(in8(CONTROL), ABRT);
    ck_assert_uint_eq(in8(BASE + 3), 100);
    ck_assert_uint_eq(disk_byte(99), 0x11);
    ck_assert_uint_eq(disk_byte(100), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ide");
    Suite *suite = suite_create("devices/ide");

    tcase_add_checked_fixture(tc, ide_setup, ide_teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, after_reset_the_signature_of_a_disk_is_shown);
    tcase_add_test(tc, identify_describes_the_disk);
    tcase_add_test(tc, reading_the_status_takes_the_interrupt_back_and_alternate_status_does_not);
    tcase_add_test(tc, lba28_reads_interrupt_once_a_sector);
    tcase_add_test(tc, a_count_of_zero_is_256);
    tcase_add_test(tc, lba48_takes_both_halves_of_address_and_count);
    tcase_add_test(tc, hob_shows_the_earlier_value_until_the_next_write);
    tcase_add_test(tc, chs_addresses_follow_the_translation);
    tcase_add_loop_test(tc, chs_addresses_that_do_not_exist_are_not_found, 0,
                        G_N_ELEMENTS(no_sectors));
    tcase_add_test(tc, the_data_port_is_32_bits_wide_too);
    tcase_add_test(tc, reads_past_the_end_fail_where_the_disk_ends);
    tcase_add_test(tc, writes_reach_the_disk_sector_by_sector);
    tcase_add_test(tc, lba48_and_wide_writes);
    tcase_add_test(tc, an_unfinished_sector_is_not_written);
    tcase_add_test(tc, writes_past_the_end_fail);
    tcase_add_test(tc, multiple_moves_blocks_with_one_interrupt_each);
    tcase_add_test(tc, multiple_must_be_set_and_a_power_of_two_up_to_16);
    tcase_add_loop_test(tc, simple_commands, 0, G_N_ELEMENTS(simple));
    tcase_add_test(tc, verify_and_seek_check_the_address);
    tcase_add_test(tc, check_power_mode_says_active);
    tcase_add_test(tc, native_max_is_the_last_sector);
    tcase_add_test(tc, diagnostic_passes_and_shows_the_signature);
    tcase_add_test(tc, nien_holds_the_line_down_and_keeps_the_interrupt);
    tcase_add_test(tc, software_reset_is_busy_while_it_lasts);
    tcase_add_test(tc, a_channel_without_drives_floats);
    tcase_add_test(tc, an_absent_slave_has_status_zero_and_does_nothing);
    tcase_add_test(tc, a_slave_on_the_secondary_channel_uses_its_own_ports_and_line);
    tcase_add_test(tc, a_channel_that_is_not_decoded_floats_and_comes_back);
    tcase_add_test(tc, a_failing_host_is_an_error_of_the_drive);
    tcase_add_test(tc, a_failing_write_aborts_at_its_sector);
    tcase_add_test(tc, data_outside_of_a_transfer_is_nothing);
    tcase_add_test(tc, small_disks_have_a_geometry);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
