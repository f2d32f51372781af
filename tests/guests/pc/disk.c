/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk by its ports: LBA28 and LBA48, one sector and many, with IRQ 14, up to the last sector.
 * The test's image: each sector is filled with words that say its number and the word's place; a
 * few sectors are written here and checked by the test.
 *
 * Source: ATA/ATAPI-6 (INCITS 361-2002).
 */
#include "guest.h"

#define BASE 0x1f0
#define CONTROL 0x3f6
#define BSY 0x80u
#define DRDY 0x40u
#define DRQ 0x08u
#define ERR 0x01u
#define WORDS 256u

static uint16_t buffer[16 * WORDS];
static uint32_t n_sectors; /* low half; the image is smaller than 2 TiB */

static uint8_t wait_ready(void)
{
    while ((in8(CONTROL) & BSY) != 0) {
    }
    return in8(BASE + 7);
}

/* Sleeps until the drive's interrupt has come @n times since @start. */
static uint8_t wait_irq(uint32_t start, uint32_t n)
{
    while (n_irqs[14] - start < n) {
        sleep_once();
    }
    return in8(BASE + 7);
}

static void set_lba28(uint32_t lba, uint8_t count)
{
    out8(BASE + 6, (uint8_t)(0xe0 | lba >> 24));
    out8(BASE + 2, count);
    out8(BASE + 3, (uint8_t)lba);
    out8(BASE + 4, (uint8_t)(lba >> 8));
    out8(BASE + 5, (uint8_t)(lba >> 16));
}

static void set_lba48(uint32_t lba, uint16_t count)
{
    out8(BASE + 6, 0x40);
    out8(BASE + 2, (uint8_t)(count >> 8));
    out8(BASE + 3, (uint8_t)(lba >> 24));
    out8(BASE + 4, 0);
    out8(BASE + 5, 0);
    out8(BASE + 2, (uint8_t)count);
    out8(BASE + 3, (uint8_t)lba);
    out8(BASE + 4, (uint8_t)(lba >> 8));
    out8(BASE + 5, (uint8_t)(lba >> 16));
}

static void read_words(uint32_t n)
{
    void *to = buffer;

    __asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(BASE) : "memory");
}

static void write_words(const uint16_t *words, uint32_t n)
{
    __asm__ volatile("rep outsw" : "+S"(words), "+c"(n) : "d"(BASE) : "memory");
}

/* What the test put in: word 0 and 1 the sector's number, the others number * 3 + place. */
static uint16_t word_of(uint32_t lba, uint32_t i)
{
    return (uint16_t)(i == 0 ? lba : i == 1 ? lba >> 16 : lba * 3 + i);
}

static bool holds_sector(const uint16_t *words, uint32_t lba)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        if (words[i] != word_of(lba, i)) {
            return false;
        }
    }
    return true;
}

/* Answers and commands by polling, one sector or @n. */
static uint8_t read_sectors(uint8_t command, uint32_t lba, uint8_t n, bool ext)
{
    uint8_t status = 0;

    if (ext) {
        set_lba48(lba, n);
    } else {
        set_lba28(lba, n);
    }
    out8(BASE + 7, command);
    for (unsigned i = 0; i < n; i++) {
        status = wait_ready();
        if ((status & (ERR | DRQ)) != DRQ) {
            return status;
        }

        void *to = buffer + i * WORDS;
        uint32_t count = WORDS;

        __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(BASE) : "memory");
    }
    return wait_ready();
}

static void identify(void)
{
    out8(BASE + 6, 0xe0);
    out8(BASE + 7, 0xec);
    CHECK_EQ(wait_ready() & (DRQ | ERR | DRDY), DRQ | DRDY);
    read_words(WORDS);
    n_sectors = buffer[100] | (uint32_t)buffer[101] << 16;
    CHECK((buffer[83] & 0x0400) != 0); /* has LBA48 */

    uint32_t n28 = buffer[60] | (uint32_t)buffer[61] << 16;

    CHECK_EQ(n28, n_sectors < 0x0fffffff ? n_sectors : 0x0fffffff);
    put_text("sectors ");
    put_hex(n_sectors);
    put_text("\n");
}

static void reads(void)
{
    CHECK_EQ(read_sectors(0x20, 5, 1, false) & (ERR | DRQ), 0);
    CHECK(holds_sector(buffer, 5));
    CHECK_EQ(read_sectors(0x20, 100, 8, false) & (ERR | DRQ), 0);
    for (uint32_t i = 0; i < 8; i++) {
        CHECK(holds_sector(buffer + i * WORDS, 100 + i));
    }
    CHECK_EQ(read_sectors(0x24, 200, 3, true) & (ERR | DRQ), 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(holds_sector(buffer + i * WORDS, 200 + i));
    }
}

/* The last sector is there, the one after it is not. */
static void end_of_the_disk(void)
{
    CHECK_EQ(read_sectors(0x24, n_sectors - 1, 1, true) & (ERR | DRQ), 0);
    CHECK(holds_sector(buffer, n_sectors - 1));
    CHECK_EQ(read_sectors(0x24, n_sectors, 1, true) & (ERR | DRQ), ERR);
    CHECK_EQ(in8(BASE + 1) & 0x10, 0x10); /* IDNF */
    CHECK_EQ(read_sectors(0x20, 7, 1, false) & (ERR | DRQ), 0);
    CHECK(holds_sector(buffer, 7));
}

/* Four sectors an interrupt. */
static void multiple_by_interrupt(void)
{
    uint32_t start = n_irqs[14];

    out8(BASE + 6, 0xe0);
    out8(BASE + 2, 4);
    out8(BASE + 7, 0xc6);
    CHECK_EQ(wait_irq(start, 1) & (ERR | DRQ), 0);

    set_lba28(300, 10);
    start = n_irqs[14];
    out8(BASE + 7, 0xc4);
    for (uint32_t done = 0; done < 10; done += 4) {
        uint32_t n = 10 - done < 4 ? 10 - done : 4;

        CHECK_EQ(wait_irq(start, done / 4 + 1) & (ERR | DRQ), DRQ);
        read_words(n * WORDS);
        for (uint32_t i = 0; i < n; i++) {
            CHECK(holds_sector(buffer + i * WORDS, 300 + done + i));
        }
    }
    CHECK_EQ(wait_ready() & (ERR | DRQ), 0);
    CHECK_EQ(n_irqs[14] - start, 3);
}

/* One interrupt a sector. */
static void read_by_interrupt(void)
{
    uint32_t start = n_irqs[14];

    set_lba28(400, 3);
    out8(BASE + 7, 0x20);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(wait_irq(start, i + 1) & (ERR | DRQ), DRQ);
        read_words(WORDS);
        CHECK(holds_sector(buffer, 400 + i));
    }
    CHECK_EQ(n_irqs[14] - start, 3);
}

static void fill(uint16_t *words, uint32_t lba, uint16_t mark)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] = (uint16_t)(word_of(lba, i) ^ mark);
    }
}

static bool holds_mark(uint32_t lba, uint16_t mark)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        if (buffer[i] != (uint16_t)(word_of(lba, i) ^ mark)) {
            return false;
        }
    }
    return true;
}

static void write_sectors(uint8_t command, uint32_t lba, uint32_t n, uint32_t block, bool ext,
                          uint16_t mark)
{
    static uint16_t out[WORDS];
    uint32_t start = n_irqs[14];

    if (ext) {
        set_lba48(lba, (uint16_t)n);
    } else {
        set_lba28(lba, (uint8_t)n);
    }
    out8(BASE + 7, command);
    for (uint32_t done = 0; done < n; done += block) {
        if (done == 0) {
            CHECK_EQ(wait_ready() & (ERR | DRQ), DRQ); /* the first block needs no interrupt */
        } else {
            CHECK_EQ(wait_irq(start, done / block) & (ERR | DRQ), DRQ);
        }
        for (uint32_t i = done; i < done + block && i < n; i++) {
            fill(out, lba + i, mark);
            write_words(out, WORDS);
        }
    }
    CHECK_EQ(wait_irq(start, (n + block - 1) / block) & (ERR | DRQ), 0);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_EQ(read_sectors(0x20, lba + i, 1, false) & (ERR | DRQ), 0);
        CHECK(holds_mark(lba + i, mark));
    }
}

/* Beyond what 28 bits can say, if the image is that large. */
static void far_sectors(void)
{
    static uint16_t out[WORDS];
    uint32_t lba = 0x10000005;
    uint32_t start = n_irqs[14];

    if (n_sectors <= lba + 1) {
        return;
    }
    CHECK_EQ(read_sectors(0x24, 5, 1, true) & (ERR | DRQ), 0);
    CHECK(holds_sector(buffer, 5));
    set_lba48(lba, 1);
    out8(BASE + 7, 0x34);
    CHECK_EQ(wait_ready() & (ERR | DRQ), DRQ);
    fill(out, lba, 0x4848);
    write_words(out, WORDS);
    CHECK_EQ(wait_irq(start, 1) & (ERR | DRQ), 0);
    CHECK_EQ(read_sectors(0x24, lba, 1, true) & (ERR | DRQ), 0);
    CHECK(holds_mark(lba, 0x4848));
    CHECK_EQ(read_sectors(0x24, 5, 1, true) & (ERR | DRQ), 0);
    CHECK(holds_sector(buffer, 5)); /* not the sector with the same low 28 bits */
    put_text("far\n");
}

void guest_main(void)
{
    start_interrupts(0xbffb);
    identify();
    reads();
    end_of_the_disk();
    read_by_interrupt();
    multiple_by_interrupt();
    write_sectors(0x30, 20, 1, 1, false, 0x1111);
    write_sectors(0x30, 30, 4, 1, false, 0x2222);
    write_sectors(0xc5, 40, 10, 4, false, 0x3333);
    write_sectors(0x34, 60, 2, 1, true, 0x4444);
    far_sectors();
    out8(BASE + 7, 0xe7); /* flush */
    CHECK_EQ(wait_ready() & ERR, 0);
}
