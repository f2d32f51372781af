/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests of our own that SeaBIOS boots from a disk image, and the disk by its ports. Images are
 * made here; each sector says its number, so that a sector in the wrong place shows.
 */
#include "firmware-fixture.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"
#define SECTORS 2048u
#define WORDS 256u

static FirmwarePc pc;
static char image[40]; /* path */
static int image_fd;

static uint16_t word_of(uint32_t lba, unsigned i)
{
    return (uint16_t)(i == 0 ? lba : i == 1 ? lba >> 16 : lba * 3 + i);
}

static void make_sector(uint32_t lba, uint8_t *sector)
{
    for (unsigned i = 0; i < WORDS; i++) {
        uint16_t word = GUINT16_TO_LE(word_of(lba, i));

        memcpy(sector + 2 * i, &word, 2);
    }
}

static void write_at(int fd, uint64_t at, const void *bytes, size_t len)
{
    ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)at), (ssize_t)len);
}

/* A file without a name, so that nothing is left behind however the test ends. */
static int open_image(void)
{
    g_autofree char *name = g_build_filename(g_get_tmp_dir(), "quire-disk-XXXXXX", NULL);
    int fd = g_mkstemp(name);

    ck_assert_int_ge(fd, 0);
    g_unlink(name);
    g_snprintf(image, sizeof(image), "/proc/self/fd/%d", fd);
    image_fd = fd;
    return fd;
}

/* @program (nullable): a path; from sector 0 on. */
static void make_image(const char *program)
{
    uint8_t sector[DEV_SECTOR_SIZE];
    int fd = open_image();

    for (uint32_t lba = 0; lba < SECTORS; lba++) {
        make_sector(lba, sector);
        write_at(fd, lba * (uint64_t)DEV_SECTOR_SIZE, sector, sizeof(sector));
    }
    if (program != NULL) {
        g_autoptr(GBytes) bytes = emu_file_read(program, 64 * DEV_SECTOR_SIZE, NULL);

        ck_assert_ptr_nonnull(bytes);
        write_at(fd, 0, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    }
}

/* Sparse; only the sectors that the guest reads. */
static void make_far_image(uint32_t sectors)
{
    static const uint32_t ranges[][2] = { { 5, 1 },    { 7, 1 },   { 20, 1 },  { 30, 4 },
                                          { 40, 10 },  { 60, 2 },  { 100, 8 }, { 200, 3 },
                                          { 300, 10 }, { 400, 3 }, { 0, 1 } };
    uint8_t sector[DEV_SECTOR_SIZE];
    int fd = open_image();

    ck_assert_int_eq(ftruncate(fd, (off_t)sectors * DEV_SECTOR_SIZE), 0);
    for (unsigned r = 0; r < G_N_ELEMENTS(ranges); r++) {
        for (uint32_t i = 0; i < ranges[r][1]; i++) {
            uint32_t lba = ranges[r][0] + i;

            make_sector(lba, sector);
            write_at(fd, lba * (uint64_t)DEV_SECTOR_SIZE, sector, sizeof(sector));
        }
    }
    make_sector(sectors - 1, sector);
    write_at(fd, (uint64_t)(sectors - 1) * DEV_SECTOR_SIZE, sector, sizeof(sector));
}

static GBytes *read_image(void)
{
    GBytes *bytes = emu_file_read(image, 16 << 20, NULL);

    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

/* A sector of the file as it is now, each word XORed with @mark. */
static bool image_holds(uint32_t lba, uint16_t mark)
{
    uint8_t got[DEV_SECTOR_SIZE], want[DEV_SECTOR_SIZE];

    ck_assert_int_eq(pread(image_fd, got, sizeof(got), (off_t)lba * DEV_SECTOR_SIZE),
                     (ssize_t)sizeof(got));
    make_sector(lba, want);
    for (unsigned i = 0; i < sizeof(want); i++) {
        want[i] ^= (uint8_t)(i % 2 == 0 ? mark : mark >> 8);
    }
    return memcmp(got, want, sizeof(want)) == 0;
}

static void start(bool writable, uint64_t ram, uint64_t hole)
{
    FirmwareOptions options = {
        .bios = SEABIOS, .ram = ram, .hole = hole, .drive = image, .drive_writable = writable
    };

    firmware_pc_init_with(&pc, &options);
}

static void finish(void)
{
    firmware_pc_clear(&pc);
    close(image_fd);
}

static void expect_good(EmuStop stop)
{
    ck_assert_msg(stop.reason == EMU_STOP_DEBUG_EXIT && stop.code == 0, "%s; it said: %s",
                  stop.text, firmware_pc_guest_words(&pc));
}

/* ---- a freestanding C guest through the boot sector ---- */

START_TEST(boot_sector_brings_a_c_guest)
{
    make_image(BOOT_RINGS_GUEST);
    start(false, UINT64_C(32) << 20, 0);
    expect_good(firmware_pc_run(&pc, 20));
    ck_assert_str_eq(firmware_pc_guest_words(&pc), "79 checks\n");
    finish();
}
END_TEST

/* ---- real.asm ---- */

START_TEST(real_mode_disk_services_a20_unreal_mode)
{
    bool writable = _i == 1;

    make_image(REAL_GUEST);

    g_autoptr(GBytes) before = read_image();

    start(writable, UINT64_C(64) << 20, 0);
    expect_good(firmware_pc_run(&pc, 20));
    ck_assert_ptr_nonnull(strstr(firmware_pc_guest_words(&pc), "\n62 checks\n"));

    g_autoptr(GBytes) after = read_image();

    ck_assert_int_eq(g_bytes_equal(before, after), !writable);
    ck_assert(image_holds(70, writable ? 0xffff : 0));
    ck_assert(image_holds(71, writable ? 0xffff : 0));
    ck_assert(image_holds(69, 0));
    ck_assert(image_holds(72, 0));
    finish();
}
END_TEST

/* What the guest sees of its memory is what it was given, whole and in place. */
static const struct {
    uint64_t ram, hole;
    uint64_t low_end, high_len;
} memories[] = {
    { UINT64_C(2) << 20, 0, UINT64_C(2) << 20, 0 },
    { (UINT64_C(16) << 20) + 4096, 0, (UINT64_C(16) << 20) + 4096, 0 },
    { UINT64_C(100) << 20, 0, UINT64_C(100) << 20, 0 },
    { UINT64_C(6) << 30, UINT64_C(1) << 30, UINT64_C(3) << 30, UINT64_C(3) << 30 },
    { UINT64_C(4) << 30, 0, UINT64_C(3584) << 20, UINT64_C(512) << 20 },
    { UINT64_C(1) << 40, 0, UINT64_C(3584) << 20, (UINT64_C(1) << 40) - (UINT64_C(3584) << 20) },
    { UINT64_C(16) << 40, 0, UINT64_C(3584) << 20, (UINT64_C(16) << 40) - (UINT64_C(3584) << 20) },
};

START_TEST(memory_map_is_the_memory_given)
{
    uint64_t low_end = 0, high_len = 0;

    make_image(REAL_GUEST);
    start(false, memories[_i].ram, memories[_i].hole);

    EmuStop stop = firmware_pc_run(&pc, 20);

    ck_assert_msg(stop.reason == EMU_STOP_DEBUG_EXIT, "%s", stop.text);

    g_auto(GStrv) lines = g_strsplit(firmware_pc_guest_words(&pc), "\n", -1);

    for (unsigned i = 0; lines[i] != NULL; i++) {
        unsigned long long base, len;
        unsigned kind;

        if (sscanf(lines[i], "map %llx %llx %x", &base, &len, &kind) != 3) {
            continue;
        }
        if (base >= UINT64_C(1) << 32) {
            ck_assert_uint_eq(kind, 1);
            high_len += len;
        } else if (base + len < UINT64_C(0xf8000000)) {
            /* The firmware keeps the end of low memory for itself. */
            ck_assert(low_end <= base);
            low_end = base + len;
        }
    }
    ck_assert_uint_eq(low_end, memories[_i].low_end);
    ck_assert_uint_eq(high_len, memories[_i].high_len);
    finish();
}
END_TEST

/* ---- disk.c ---- */

START_TEST(disk_by_its_ports)
{
    bool writable = _i == 1;

    make_image(NULL);

    g_autoptr(GBytes) before = read_image();

    start(writable, UINT64_C(16) << 20, 0);
    firmware_pc_load_elf(&pc, DISK_GUEST);
    expect_good(firmware_pc_run(&pc, 20));
    ck_assert_str_eq(firmware_pc_guest_words(&pc), "sectors 00000800\n96 checks\n");

    g_autoptr(GBytes) after = read_image();

    ck_assert_int_eq(g_bytes_equal(before, after), !writable);
    ck_assert(image_holds(20, writable ? 0x1111 : 0));
    ck_assert(image_holds(33, writable ? 0x2222 : 0));
    ck_assert(image_holds(49, writable ? 0x3333 : 0));
    ck_assert(image_holds(61, writable ? 0x4444 : 0));
    ck_assert(image_holds(21, 0) && image_holds(50, 0) && image_holds(62, 0));
    finish();
}
END_TEST

#define FAR_SECTORS 0x10000040u

START_TEST(sectors_that_need_48_bits)
{
    bool writable = _i == 1;

    make_far_image(FAR_SECTORS);
    start(writable, UINT64_C(16) << 20, 0);
    firmware_pc_load_elf(&pc, DISK_GUEST);
    expect_good(firmware_pc_run(&pc, 20));
    ck_assert_str_eq(firmware_pc_guest_words(&pc), "sectors 10000040\nfar\n104 checks\n");
    ck_assert_int_eq(image_holds(0x10000005, 0x4848), writable);
    ck_assert(image_holds(5, 0));
    finish();
}
END_TEST

/* ---- the same run however it is cut: clock, memory, words ---- */

typedef struct Outcome {
    uint64_t ns, hash;
    char *words;
} Outcome;

typedef EmuStop (*Runner)(void);

static EmuStop run_free(void)
{
    return firmware_pc_run(&pc, 20);
}

static EmuStop run_in_slices(void)
{
    uint64_t until = 0;
    EmuStop stop;

    do {
        until += 777777;
        stop = emu_machine_run(pc.machine, until);
    } while (stop.reason == EMU_STOP_TIME);
    return stop;
}

static EmuStop run_in_steps(void)
{
    EmuStop stop;

    do {
        stop = emu_machine_step(pc.machine, 1);
    } while (stop.reason == EMU_STOP_STEP);
    return stop;
}

static EmuStop run_mixed(void)
{
    EmuStop stop;
    unsigned i = 0;

    do {
        uint64_t now = emu_clock_now(emu_machine_clock(pc.machine));

        i++;
        stop = i % 3 == 0 ? emu_machine_step(pc.machine, i % 50)
                          : emu_machine_run(pc.machine, now + i % 40000);
    } while (stop.reason == EMU_STOP_TIME || stop.reason == EMU_STOP_STEP);
    return stop;
}

static Outcome run_guest(const char *elf, Runner runner)
{
    Outcome outcome;

    start(false, UINT64_C(16) << 20, 0);
    if (elf != NULL) {
        firmware_pc_load_elf(&pc, elf);
    }
    expect_good(runner());
    outcome.ns = emu_clock_now(emu_machine_clock(pc.machine));
    outcome.hash = firmware_pc_hash(&pc);
    outcome.words = g_strdup(firmware_pc_guest_words(&pc));
    firmware_pc_clear(&pc);
    return outcome;
}

static const struct {
    const char *program; /* in sector 0, booted by SeaBIOS; or NULL */
    const char *elf;
    Runner runner;
} cut_runs[] = {
    { REAL_GUEST, NULL, run_in_slices },  { REAL_GUEST, NULL, run_mixed },
    { NULL, DISK_GUEST, run_in_slices },  { NULL, DISK_GUEST, run_in_steps },
    { NULL, DISK_GUEST, run_mixed },      { NULL, RINGS_GUEST, run_in_steps },
    { NULL, FAULTS_GUEST, run_in_steps }, { NULL, FAULTS_GUEST, run_mixed },
};

START_TEST(a_cut_run_is_the_same_run)
{
    make_image(cut_runs[_i].program);

    Outcome whole = run_guest(cut_runs[_i].elf, run_free);
    Outcome cut = run_guest(cut_runs[_i].elf, cut_runs[_i].runner);

    ck_assert_str_eq(cut.words, whole.words);
    ck_assert_uint_eq(cut.ns, whole.ns);
    ck_assert_uint_eq(cut.hash, whole.hash);
    g_free(whole.words);
    g_free(cut.words);
    close(image_fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guests from disk");
    TCase *tcase = tcase_create("guests from disk");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, boot_sector_brings_a_c_guest);
    tcase_add_loop_test(tcase, real_mode_disk_services_a20_unreal_mode, 0, 2);
    tcase_add_loop_test(tcase, memory_map_is_the_memory_given, 0, G_N_ELEMENTS(memories));
    tcase_add_loop_test(tcase, disk_by_its_ports, 0, 2);
    tcase_add_loop_test(tcase, sectors_that_need_48_bits, 0, 2);
    tcase_add_loop_test(tcase, a_cut_run_is_the_same_run, 0, G_N_ELEMENTS(cut_runs));
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
