/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pci_rom.h"

#include "memsys/access.h"
#include "memsys/mmio.h"
#include "memsys/snapshot.h"
#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(3, 0)
#define VENDOR 0x1234
#define DEVICE 0x5678
#define PLACE UINT64_C(0xE0000000)
#define IMAGE_LEN ((size_t)9 * 512)
#define SHOWN_LEN UINT64_C(8192) /* the image, rounded up */

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, VENDOR, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, DEVICE, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0, 0x0007, 0 },
};

static Gmm *gmm;
static Pgm *pgm;
static DevPciFunction function;
static DevPciRom *rom;
static uint8_t image[DEV_PCI_ROM_MAX_LEN + 512];

static void place_it(void)
{
    (void)dev_pci_bar_leave(dev_pci_rom_bar(rom));
    dev_pci_bar_take(dev_pci_rom_bar(rom));
}

static void written(void *user, unsigned offset, unsigned len)
{
    (void)user;
    (void)offset;
    (void)len;
    if (rom != NULL) {
        place_it();
    }
}

/* An image at @at of the file: header and data structure, the rest counted through. */
static void put_image(size_t at, size_t len, unsigned vendor, unsigned device, bool last)
{
    uint8_t *p = image + at;

    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(i * 13 + i / 256);
    }
    memcpy(p, "\x55\xAA", 2);
    p[2] = (uint8_t)(len / 512);
    p[24] = 0x1C;
    p[25] = 0;
    memcpy(p + 0x1C, "PCIR", 4);
    p[0x1C + 4] = (uint8_t)vendor;
    p[0x1C + 5] = (uint8_t)(vendor >> 8);
    p[0x1C + 6] = (uint8_t)device;
    p[0x1C + 7] = (uint8_t)(device >> 8);
    p[0x1C + 16] = (uint8_t)(len / 512);
    p[0x1C + 17] = (uint8_t)(len / 512 >> 8);
    p[0x1C + 21] = last ? 0x80 : 0;
}

static void setup(void)
{
    pci_setup();
    gmm = gmm_new(UINT64_C(64) << 20, NULL);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, UINT64_C(16) << 20, "ram", NULL), MEM_OK);
    dev_pci_function_init(&function, "card", regs, G_N_ELEMENTS(regs), written, NULL);
    dev_pci_bus_add(bus, DEVFN, &function);
    memset(image, 0, sizeof(image));
    put_image(0, IMAGE_LEN, VENDOR, DEVICE, true);
    rom = NULL;
}

static void teardown(void)
{
    dev_pci_rom_free(rom);
    dev_pci_bus_remove(bus, DEVFN);
    ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    pgm_free(pgm);
    gmm_free(gmm);
    pci_teardown();
}

static void add_rom(size_t len)
{
    g_autoptr(GError) error = NULL;

    rom = dev_pci_rom_new(&function, pgm, image, len, "card", "card.rom", &error);
    ck_assert_msg(rom != NULL, "%s", error != NULL ? error->message : "no message");
}

static void show_at(uint64_t place)
{
    config_write(DEVFN, DEV_PCI_COMMAND, 2, 2);
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, (uint32_t)place | 1);
}

static uint8_t mem(GPhys gpa)
{
    return pgm_read_u8_as(pgm, gpa, MEM_ORIGIN_CPU);
}

static bool shows_at(GPhys place)
{
    for (size_t i = 0; i < SHOWN_LEN; i++) {
        if (mem(place + i) != (i < IMAGE_LEN ? image[i] : 0xFF)) {
            return false;
        }
    }
    return true;
}

static const struct {
    size_t len;
    uint32_t size; /* as the register tells it */
} sizes[] = {
    { 512, 4096 },    { 4096, 4096 },    { 4608, 8192 },         { 39936, 65536 },
    { 65536, 65536 }, { 66048, 131072 }, { 249856, 256 * 1024 }, { 1 << 20, 1024 * 1024 }
};

START_TEST(the_register_tells_the_size)
{
    put_image(0, 512, VENDOR, DEVICE, true);
    add_rom(sizes[_i].len);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_ROM_REG, 4), 0);
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, 0xFFFFFFFE);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_ROM_REG, 4), -sizes[_i].size);
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_ROM_REG, 4), -sizes[_i].size | 1);
}
END_TEST

START_TEST(it_shows_while_both_bits_are_set)
{
    add_rom(IMAGE_LEN);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, PLACE | 1);
    ck_assert_uint_eq(mem(PLACE), 0xFF);
    config_write(DEVFN, DEV_PCI_COMMAND, 2, 2);
    ck_assert(shows_at(PLACE));
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, PLACE);
    ck_assert_uint_eq(mem(PLACE), 0xFF);
    config_write(DEVFN, DEV_PCI_ROM_REG, 1, 1);
    ck_assert(shows_at(PLACE));
    config_write(DEVFN, DEV_PCI_COMMAND, 2, 5); /* ports and master */
    ck_assert_uint_eq(mem(PLACE), 0xFF);
}
END_TEST

START_TEST(it_moves)
{
    add_rom(IMAGE_LEN);
    show_at(PLACE);
    show_at(PLACE + 4096 + 5); /* address bits below its size do not exist: where it is */
    ck_assert(shows_at(PLACE));
    show_at(PLACE + SHOWN_LEN);
    ck_assert_uint_eq(mem(PLACE), 0xFF);
    ck_assert(shows_at(PLACE + SHOWN_LEN));
}
END_TEST

START_TEST(reset_of_its_function_hides_it)
{
    add_rom(IMAGE_LEN);
    show_at(PLACE);
    dev_pci_function_reset(&function);
    place_it();
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
}
END_TEST

static const MemOrigin origins[] = { MEM_ORIGIN_CPU, MEM_ORIGIN_DEVICE };

START_TEST(writes_are_lost_wherever_it_lies)
{
    MemOrigin origin = origins[_i];
    uint8_t bytes[300];

    memset(bytes, 0x5A, sizeof(bytes));
    add_rom(IMAGE_LEN);
    for (GPhys place = PLACE; place < PLACE + 3 * SHOWN_LEN; place += SHOWN_LEN) {
        show_at(place);
        ck_assert_int_eq(pgm_write_u8_as(pgm, place, 0x12, origin), MEM_OK);
        ck_assert_int_eq(pgm_write_u32_as(pgm, place + 4093, 0x12345678, origin), MEM_OK);
        ck_assert_int_eq(pgm_write_u64_as(pgm, place + SHOWN_LEN - 8, 0, origin), MEM_OK);
        ck_assert_int_eq(pgm_write(pgm, place + 4000, bytes, sizeof(bytes), origin), MEM_OK);
        ck_assert(shows_at(place));
    }
}
END_TEST

/* Where it must not lie: it shows nowhere then, also if it lay somewhere before. */
START_TEST(nothing_is_covered)
{
    static const PgmMmioOps ops = { 0 };
    PgmMmio *other = pgm_mmio_new(pgm, 4096, &ops, NULL, "other", "other", NULL);

    ck_assert_ptr_nonnull(other);
    ck_assert_int_eq(pgm_mmio_map(other, PLACE + 4096, NULL), MEM_OK);
    ck_assert_int_eq(pgm_write_u8_as(pgm, 0x100000, 0x77, MEM_ORIGIN_CPU), MEM_OK);
    add_rom(IMAGE_LEN);
    for (unsigned i = 0; i < 3; i++) {
        static const GPhys taken[] = { 0x100000, 0, PLACE };

        show_at(PLACE + SHOWN_LEN);
        ck_assert(shows_at(PLACE + SHOWN_LEN));
        show_at(taken[i]);
        ck_assert_uint_eq(pgm_range_count(pgm), 2);
        ck_assert_uint_eq(mem(PLACE + SHOWN_LEN), 0xFF);
    }
    ck_assert_uint_eq(mem(0x100000), 0x77);
    pgm_mmio_free(other);
}
END_TEST

START_TEST(a_snapshot_knows_where_it_lay)
{
    add_rom(IMAGE_LEN);
    show_at(PLACE);

    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, NULL, (PgmSnapshotFlags)0, NULL);
    DevPciFunction before = function;

    ck_assert_ptr_nonnull(snapshot);
    show_at(PLACE + SHOWN_LEN);
    pgm_snapshot_restore(snapshot);
    function = before;
    ck_assert(shows_at(PLACE));
    ck_assert_int_eq(pgm_write_u8_as(pgm, PLACE + 7, 0x12, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert(shows_at(PLACE));
    config_write(DEVFN, DEV_PCI_COMMAND, 2, 0);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    pgm_snapshot_drop(snapshot);
}
END_TEST

/* A file whose second image is for this card: as firmware, which goes from one to the next. */
START_TEST(a_later_image_may_be_the_one)
{
    put_image(0, 512, VENDOR, DEVICE + 1, false);
    put_image(512, 1024, VENDOR, DEVICE, true);
    add_rom(512 + 1024);
}
END_TEST

static void spoil_signature(void)
{
    image[1] = 0x55;
}

static void say_zero(void)
{
    image[2] = 0;
}

static void spoil_pcir(void)
{
    image[0x1C] = 'p';
}

static void spoil_pointer(void)
{
    image[24] = 0xFF;
    image[25] = 0xFF;
}

static void spoil_vendor(void)
{
    image[0x1C + 5] ^= 1;
}

static void spoil_device(void)
{
    image[0x1C + 6] ^= 1;
}

static void say_more_follow(void)
{
    spoil_device();
    image[0x1C + 21] = 0;
}

static void say_no_length(void)
{
    say_more_follow();
    image[0x1C + 16] = 0;
}

static void nothing(void)
{
}

static const struct {
    size_t len;
    void (*spoil)(void);
    const char *says;
} bad[] = {
    { 0, nothing, "55 AA" },
    { 2, nothing, "55 AA" },
    { 25, nothing, "4608 bytes" },
    { IMAGE_LEN, say_zero, "0 bytes" },
    { IMAGE_LEN, spoil_signature, "55 AA" },
    { IMAGE_LEN - 1, nothing, "4608 bytes" },
    { IMAGE_LEN, spoil_pcir, "PCIR" },
    { IMAGE_LEN, spoil_pointer, "PCIR" },
    { IMAGE_LEN, spoil_vendor, "1334:5678" },
    { IMAGE_LEN, spoil_device, "1234:5679" },
    { IMAGE_LEN, say_more_follow, "1234:5679" },
    { IMAGE_LEN, say_no_length, "1234:5679" },
    { DEV_PCI_ROM_MAX_LEN + 1, nothing, "1048577 bytes" },
};

START_TEST(what_is_no_rom_is_refused)
{
    g_autoptr(GError) error = NULL;

    bad[_i].spoil();

    /* ASan sees what is read behind its end. */
    g_autofree uint8_t *copy = g_memdup2(image, MAX(bad[_i].len, 1));

    ck_assert_ptr_null(
        dev_pci_rom_new(&function, pgm, copy, bad[_i].len, "card", "card.rom", &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(g_str_has_prefix(error->message, "card.rom: "), "%s", error->message);
    ck_assert_msg(strstr(error->message, bad[_i].says) != NULL, "%s", error->message);
    config_write(DEVFN, DEV_PCI_ROM_REG, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(config_read(DEVFN, DEV_PCI_ROM_REG, 4), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pci-rom");
    TCase *tcase = tcase_create("pci-rom");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_register_tells_the_size, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(tcase, it_shows_while_both_bits_are_set);
    tcase_add_test(tcase, it_moves);
    tcase_add_test(tcase, reset_of_its_function_hides_it);
    tcase_add_loop_test(tcase, writes_are_lost_wherever_it_lies, 0, G_N_ELEMENTS(origins));
    tcase_add_test(tcase, nothing_is_covered);
    tcase_add_test(tcase, a_snapshot_knows_where_it_lay);
    tcase_add_test(tcase, a_later_image_may_be_the_one);
    tcase_add_loop_test(tcase, what_is_no_rom_is_refused, 0, G_N_ELEMENTS(bad));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
