/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/i440fx.h"

#include "memsys/access.h"
#include "memsys/rom.h"
#include "memsys/snapshot.h"
#include "pci-fixture.h"

#define DEVFN DEV_PCI_DEVFN(0, 0)
#define SHADOW UINT64_C(0xC0000)
#define SHADOW_LEN UINT64_C(0x40000)
#define N_REGIONS 13

static Gmm *gmm;
static Pgm *pgm;
static DevI440fx *bridge;

static uint8_t rom_byte(GPhys gpa)
{
    return (uint8_t)(0x40 + (gpa >> 12) % 0x40);
}

static void setup(void)
{
    uint8_t *image = g_malloc(SHADOW_LEN);

    pci_setup();
    gmm = gmm_new(UINT64_C(64) << 20, NULL);
    pgm = pgm_new(gmm, NULL, NULL);
    for (GPhys i = 0; i < SHADOW_LEN; i++) {
        image[i] = rom_byte(SHADOW + i);
    }
    ck_assert_int_eq(pgm_ram_register(pgm, 0, 0xA0000, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, SHADOW, SHADOW_LEN, image, SHADOW_LEN, 0xFF,
                                      PGM_ROM_FLAG_SHADOWED, "test", "bios", NULL),
                     MEM_OK);
    g_free(image);
    bridge = dev_i440fx_new(bus, pgm, NULL);
    ck_assert_ptr_nonnull(bridge);
}

static void teardown(void)
{
    dev_i440fx_free(bridge);
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0xFFFFFFFF);
    ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);
    pgm_free(pgm);
    gmm_free(gmm);
    pci_teardown();
}

static const ConfigRow rows[] = {
    { 0x00, 0x12378086, 0x12378086 }, { 0x04, 0x02800006, 0x02800106 },
    { 0x08, 0x06000002, 0x06000002 }, { 0x0C, 0x00000000, 0x0000F800 },
    { 0x2C, 0x11001AF4, 0x11001AF4 }, { 0x50, 0x80000000, 0xE741FFF8 },
    { 0x54, 0x01000000, 0xFFFFFFFF }, { 0x58, 0x00000010, 0x777770FF },
    { 0x5C, 0x00000000, 0x77777777 }, { 0x60, 0x01010101, 0xFFFFFFFF },
    { 0x64, 0x01010101, 0xFFFFFFFF }, { 0x68, 0x00000000, 0x000000C0 },
    { 0x70, 0x00021000, 0x003AF8F8 }, /* SMRAM: the lock closes the window in the same write */
    { 0x90, 0x00000000, 0x070000F7 },
};

START_TEST(the_configuration_map)
{
    check_config_map(DEVFN, rows, G_N_ELEMENTS(rows));
    /* Every address line of the register number counts, and the bus number. */
    emu_ports_write(ports, 0xCF8, 4, 0x80200000);
    ck_assert_uint_eq(emu_ports_read(ports, 0xCFC, 4), 0xFFFFFFFF);
}
END_TEST

/* Region 0 to 11: 16 KiB from C0000; 12: F0000 to FFFFF. */
typedef struct Region {
    GPhys start, len;
    unsigned reg;
    unsigned shift;
} Region;

static Region region(unsigned index)
{
    if (index == 12) {
        return (Region) { 0xF0000, 0x10000, 0x59, 4 };
    }
    return (Region) { SHADOW + index * 0x4000, 0x4000, 0x5A + index / 2, index % 2 * 4 };
}

static void set_pam(unsigned index, unsigned bits)
{
    Region r = region(index);
    unsigned value = config_read(DEVFN, r.reg, 1);

    config_write(DEVFN, r.reg, 1, (value & ~(3u << r.shift)) | bits << r.shift);
}

/* Both ends of the region read so; and its neighbours read as ROM. */
static void check_reads(unsigned index, uint8_t first, uint8_t last)
{
    Region r = region(index);
    GPhys end = r.start + r.len - 1;

    ck_assert_uint_eq(pgm_read_u8_as(pgm, r.start, MEM_ORIGIN_CPU), first);
    ck_assert_uint_eq(pgm_read_u8_as(pgm, end, MEM_ORIGIN_CPU), last);
    if (r.start > SHADOW) {
        ck_assert_uint_eq(pgm_read_u8_as(pgm, r.start - 1, MEM_ORIGIN_CPU), rom_byte(r.start - 1));
    }
    if (end < SHADOW + SHADOW_LEN - 1) {
        ck_assert_uint_eq(pgm_read_u8_as(pgm, end + 1, MEM_ORIGIN_CPU), rom_byte(end + 1));
    }
}

static void write_ends(unsigned index, uint8_t value)
{
    Region r = region(index);

    ck_assert_int_eq(pgm_write_u8_as(pgm, r.start, value, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_int_eq(pgm_write_u8_as(pgm, r.start + r.len - 1, value, MEM_ORIGIN_CPU), MEM_OK);
}

START_TEST(it_is_an_i440fx)
{
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x12378086);
    ck_assert_uint_eq(config_read(DEVFN, 0x0A, 2), 0x0600);
    ck_assert_uint_eq(config_read(DEVFN, 0x0E, 1), 0);
    ck_assert_uint_eq(config_read(DEVFN, 0x2C, 4), 0x11001AF4);
    ck_assert_uint_eq(config_read(DEVFN, 0x59, 1), 0);
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x02);
}
END_TEST

/* Every region goes through its four states and back, alone. */
START_TEST(pam_switches_reads_and_writes)
{
    unsigned i = (unsigned)_i;
    Region r = region(i);
    uint8_t first = rom_byte(r.start);
    uint8_t last = rom_byte(r.start + r.len - 1);

    write_ends(i, 0x11); /* lost */
    check_reads(i, first, last);
    set_pam(i, 2); /* reads ROM, writes RAM */
    write_ends(i, 0x22);
    check_reads(i, first, last);
    set_pam(i, 3);
    check_reads(i, 0x22, 0x22);
    write_ends(i, 0x33);
    check_reads(i, 0x33, 0x33);
    set_pam(i, 1); /* reads RAM, writes lost */
    write_ends(i, 0x44);
    check_reads(i, 0x33, 0x33);
    set_pam(i, 0);
    check_reads(i, first, last);
    set_pam(i, 1);
    check_reads(i, 0x33, 0x33);
}
END_TEST

static const PgmRomProt prots[] = {
    PGM_ROM_READ_ROM_WRITE_IGNORE,
    PGM_ROM_READ_RAM_WRITE_IGNORE,
    PGM_ROM_READ_ROM_WRITE_RAM,
    PGM_ROM_READ_RAM_WRITE_RAM,
};

/* All regions at random, through bytes, words and doublewords: every page has what its bits say. */
START_TEST(pam_matrix)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(440);
    unsigned n_wrong = 0;

    for (unsigned round = 0; round < 300; round++) {
        static const unsigned sizes[] = { 1, 2, 4 };
        unsigned size = sizes[g_rand_int_range(rand, 0, 3)];
        unsigned reg = 0x58 + (unsigned)g_rand_int_range(rand, 0, (gint32)(8 / size)) * size;

        config_write(DEVFN, reg, size, g_rand_int(rand));
        for (unsigned i = 0; i < N_REGIONS; i++) {
            Region r = region(i);
            unsigned bits = (config_read(DEVFN, r.reg, 1) >> r.shift) & 3;

            for (GPhys gpa = r.start; gpa < r.start + r.len; gpa += MEM_PAGE_SIZE) {
                PgmRomProt prot;

                n_wrong += !pgm_rom_get_protection(pgm, gpa, &prot) || prot != prots[bits];
            }
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

/* As SeaBIOS does it: two doubleword writes for everything, a copy, then most of it locked. */
START_TEST(firmware_copies_itself)
{
    config_write(DEVFN, 0x58, 4, 0x33333010);
    config_write(DEVFN, 0x5C, 4, 0x33333333);
    ck_assert_uint_eq(config_read(DEVFN, 0x58, 4), 0x33333010);
    for (GPhys gpa = SHADOW; gpa < SHADOW + SHADOW_LEN; gpa += 0x1000) {
        ck_assert_int_eq(pgm_write_u8_as(pgm, gpa, 0x77, MEM_ORIGIN_CPU), MEM_OK);
    }
    config_write(DEVFN, 0x58, 4, 0x11111010);
    config_write(DEVFN, 0x5C, 4, 0x11111111);
    for (GPhys gpa = SHADOW; gpa < SHADOW + SHADOW_LEN; gpa += 0x1000) {
        ck_assert_int_eq(pgm_write_u8_as(pgm, gpa, 0x99, MEM_ORIGIN_CPU), MEM_OK);
        ck_assert_uint_eq(pgm_read_u8_as(pgm, gpa, MEM_ORIGIN_CPU), 0x77);
    }
}
END_TEST

static bool smram_shows(void)
{
    PgmPageInfo info;

    return pgm_page_query(pgm, 0xA0000, &info) && info.type == PGM_PAGE_MMIO2;
}

START_TEST(smram_opens_and_closes)
{
    ck_assert(!smram_shows());
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xA0000, MEM_ORIGIN_CPU), 0xFF);
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x4A);
    ck_assert_int_eq(pgm_write_u8_as(pgm, 0xA0000, 0x12, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_int_eq(pgm_write_u8_as(pgm, 0xBFFFF, 0x34, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xA0000, MEM_ORIGIN_CPU), 0x12);
    config_write(DEVFN, 0x72, 1, 0x0A);
    ck_assert(!smram_shows());
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xA0000, MEM_ORIGIN_CPU), 0xFF);
    config_write(DEVFN, 0x72, 1, 0x48); /* the base bits are fixed */
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x4A);
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xA0000, MEM_ORIGIN_CPU), 0x12);
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xBFFFF, MEM_ORIGIN_CPU), 0x34);
    config_write(DEVFN, 0x72, 1, 0x6A); /* closed to data */
    ck_assert(!smram_shows());
    config_write(DEVFN, 0x72, 1, 0x42); /* not enabled */
    ck_assert(!smram_shows());
}
END_TEST

START_TEST(locked_smram_stays_closed_until_reset)
{
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert_int_eq(pgm_write_u8_as(pgm, 0xA0000, 0x12, MEM_ORIGIN_CPU), MEM_OK);
    config_write(DEVFN, 0x72, 1, 0x5A);
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x1A);
    ck_assert(!smram_shows());
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x1A);
    ck_assert(!smram_shows());
    dev_i440fx_reset(bridge);
    ck_assert_uint_eq(config_read(DEVFN, 0x72, 1), 0x02);
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert(smram_shows());
    ck_assert_uint_eq(pgm_read_u8_as(pgm, 0xA0000, MEM_ORIGIN_CPU), 0);
}
END_TEST

START_TEST(smram_cleared_by_a_reset_comes_back_with_a_snapshot)
{
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert_int_eq(pgm_write_u8(pgm, 0xA1000, 0x12), MEM_OK);
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, NULL, PGM_SNAPSHOT_CHECKED, NULL);
    PgmSnapshotStats snapshots;

    ck_assert_ptr_nonnull(snapshot);
    dev_i440fx_reset(bridge);
    pgm_snapshot_get_stats(pgm, &snapshots);
    ck_assert_uint_eq(snapshots.n_live, 1); /* what was clear already costs nothing */
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
    ck_assert_uint_eq(pgm_read_u8(pgm, 0xA1000), 0x12);
    /* No room: the page keeps its bytes rather than to change behind the snapshot's back. */
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 0), MEM_OK);
    dev_i440fx_reset(bridge);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
}
END_TEST

START_TEST(reset_shows_the_rom_again)
{
    set_pam(12, 3);
    write_ends(12, 0x55);
    config_write(DEVFN, 0x72, 1, 0x4A);
    dev_i440fx_reset(bridge);
    check_reads(12, rom_byte(0xF0000), rom_byte(0xFFFFF));
    ck_assert(!smram_shows());
    write_ends(12, 0x66);
    check_reads(12, rom_byte(0xF0000), rom_byte(0xFFFFF));
}
END_TEST

static void save(GByteArray *out)
{
    dev_i440fx_save(bridge, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return dev_i440fx_load(bridge, bytes, len, pos, error);
}

static void disturb(void)
{
    dev_i440fx_reset(bridge);
}

START_TEST(a_saved_state_comes_back)
{
    set_pam(3, 3);
    write_ends(3, 0x5A);
    set_pam(12, 1);
    config_write(DEVFN, 0x72, 1, 0x4A);
    check_round_trip(save, load, disturb);
    check_reads(3, 0x5A, 0x5A);
    check_reads(12, 0, 0);
    ck_assert(smram_shows());
    /* A locked one, into a chip that is not, and the other way round. */
    config_write(DEVFN, 0x72, 1, 0x1A);
    check_round_trip(save, load, disturb);
    config_write(DEVFN, 0x72, 1, 0x4A);
    ck_assert(!smram_shows());
}
END_TEST

static void live_on(uint32_t seed)
{
    fuzz_config(DEVFN, seed, 50);
}

START_TEST(any_input_is_survived)
{
    for (uint32_t seed = 1; seed <= 50; seed++) {
        live_on(seed);
    }
    ck_assert_uint_eq(config_read(DEVFN, 0, 4), 0x12378086);
    check_refused(save, load, "i440fx", "config", 1, 0);
    check_truncated(save, load);
    check_damaged(save, load, 9, 300, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i440fx");
    TCase *tcase = tcase_create("i440fx");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_is_an_i440fx);
    tcase_add_test(tcase, the_configuration_map);
    tcase_add_loop_test(tcase, pam_switches_reads_and_writes, 0, N_REGIONS);
    tcase_add_test(tcase, pam_matrix);
    tcase_add_test(tcase, firmware_copies_itself);
    tcase_add_test(tcase, smram_opens_and_closes);
    tcase_add_test(tcase, locked_smram_stays_closed_until_reset);
    tcase_add_test(tcase, smram_cleared_by_a_reset_comes_back_with_a_snapshot);
    tcase_add_test(tcase, reset_shows_the_rom_again);
    tcase_add_test(tcase, a_saved_state_comes_back);
    tcase_add_test(tcase, any_input_is_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
