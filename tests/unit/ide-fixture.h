/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the IDE controller share: a disk of random bytes on one of the four places, and
 * the commands a driver gives.
 */
#pragma once

#include "devices/ide.h"

#include "chip-fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define BASE 0x1F0
#define CONTROL 0x3F6
#define N_SECTORS 5000u /* of the test disk: 4 cylinders of 16 heads and 63 sectors, and a rest */

enum { ERR = 0x01, DRQ = 0x08, READY = 0x50, BSY = 0x80 };
enum { ABRT = 0x04, IDNF = 0x10, UNC = 0x40 };

static char *dir;
static char *image;
static DevDisk *disk;
static DevIde *ide;
static Wire irqs[2];

static inline void make_image(void)
{
    g_autofree char *bytes = g_malloc0(N_SECTORS * DEV_SECTOR_SIZE);

    for (unsigned i = 0; i < N_SECTORS; i++) {
        memcpy(bytes + i * DEV_SECTOR_SIZE, &i, sizeof i); /* each sector starts with its number */
        bytes[i * DEV_SECTOR_SIZE + 511] = (char)i;
    }
    dir = g_dir_make_tmp("quire-ide-XXXXXX", NULL);
    image = g_build_filename(dir, "image", NULL);
    ck_assert(g_file_set_contents(image, bytes, N_SECTORS * DEV_SECTOR_SIZE, NULL));
}

/* The disk on drive @at (0 to 3). */
static inline void build(unsigned at)
{
    DevDisk *disks[DEV_IDE_DRIVES] = { NULL };
    EmuLine lines[DEV_IDE_CHANNELS] = { wire_line(&irqs[0]), wire_line(&irqs[1]) };

    disks[at] = disk;
    ide = dev_ide_new(ports, disks, lines, NULL);
    ck_assert_ptr_nonnull(ide);
}

static inline void ide_setup(void)
{
    fixture_setup();
    irqs[0] = irqs[1] = (Wire) { 0 };
    make_image();
    disk = dev_disk_open(image, false, NULL);
    ck_assert_ptr_nonnull(disk);
    build(0);
}

static inline void ide_teardown(void)
{
    dev_ide_free(ide);
    dev_disk_free(disk);
    g_unlink(image);
    g_rmdir(dir);
    g_free(image);
    g_free(dir);
    fixture_teardown();
}

static inline void move_disk(unsigned at)
{
    dev_ide_free(ide);
    irqs[0] = irqs[1] = (Wire) { 0 };
    build(at);
}

static inline void set_lba28(uint32_t lba, uint8_t count)
{
    out8(BASE + 2, count);
    out8(BASE + 3, lba & 0xFF);
    out8(BASE + 4, lba >> 8 & 0xFF);
    out8(BASE + 5, lba >> 16 & 0xFF);
    out8(BASE + 6, 0xE0 | (lba >> 24 & 0x0F));
}

static inline void set_lba48(uint64_t lba, uint16_t count)
{
    out8(BASE + 6, 0xE0);
    out8(BASE + 2, count >> 8);
    out8(BASE + 3, lba >> 24 & 0xFF);
    out8(BASE + 4, lba >> 32 & 0xFF);
    out8(BASE + 5, lba >> 40 & 0xFF);
    out8(BASE + 2, count & 0xFF);
    out8(BASE + 3, lba & 0xFF);
    out8(BASE + 4, lba >> 8 & 0xFF);
    out8(BASE + 5, lba >> 16 & 0xFF);
}

static inline void set_chs(unsigned cylinder, unsigned head, unsigned sector, uint8_t count)
{
    out8(BASE + 2, count);
    out8(BASE + 3, sector);
    out8(BASE + 4, cylinder & 0xFF);
    out8(BASE + 5, cylinder >> 8);
    out8(BASE + 6, 0xA0 | head);
}

static inline uint8_t command(uint8_t code)
{
    out8(BASE + 7, code);
    return in8(CONTROL);
}

static inline void read_sector(uint8_t *ret_sector)
{
    for (unsigned i = 0; i < DEV_SECTOR_SIZE; i += 2) {
        uint32_t word = emu_ports_read(ports, BASE, 2);

        ret_sector[i] = (uint8_t)word;
        ret_sector[i + 1] = (uint8_t)(word >> 8);
    }
}

static inline void write_sector(uint8_t fill)
{
    for (unsigned i = 0; i < DEV_SECTOR_SIZE / 2; i++) {
        emu_ports_write(ports, BASE, 2, fill * 0x0101u);
    }
}

/* Reads one sector through the data port and gives the number it starts with. */
static inline uint32_t read_number(void)
{
    uint8_t sector[DEV_SECTOR_SIZE];
    uint32_t number;

    read_sector(sector);
    memcpy(&number, sector, sizeof number);
    ck_assert_uint_eq(sector[511], (uint8_t)number);
    return number;
}

static inline uint8_t disk_byte(uint64_t lba)
{
    uint8_t sector[DEV_SECTOR_SIZE];

    ck_assert(dev_disk_read(disk, lba, sector));
    return sector[100];
}

static inline void expect_failure(uint8_t status, uint8_t error)
{
    ck_assert_uint_eq(status, READY | ERR);
    ck_assert_uint_eq(in8(BASE + 1), error);
    ck_assert(irqs[0].level);
    ck_assert_uint_eq(emu_ports_read(ports, BASE, 2), 0); /* no data */
}
