/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/disk.h"

#include "chip-fixture.h"
#include "emu/error.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static char *image;

static void setup(void)
{
    dir = g_dir_make_tmp("quire-disk-XXXXXX", NULL);
    ck_assert_ptr_nonnull(dir);
    image = g_build_filename(dir, "image", NULL);
}

static void teardown(void)
{
    g_chmod(image, 0600);
    g_unlink(image);
    g_rmdir(dir);
    g_clear_pointer(&image, g_free);
    g_clear_pointer(&dir, g_free);
}

/* @len bytes; byte i of sector n is n * 7 + i. */
static void make_image(size_t len)
{
    g_autofree char *bytes = g_malloc(len + 1);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i / DEV_SECTOR_SIZE * 7 + i % DEV_SECTOR_SIZE);
    }
    ck_assert(g_file_set_contents(image, bytes, (gssize)len, NULL));
}

static DevDisk *open_image(bool writable)
{
    g_autoptr(GError) error = NULL;
    DevDisk *disk = dev_disk_open(image, writable, &error);

    ck_assert_msg(disk != NULL, "%s", error != NULL ? error->message : "");
    return disk;
}

static uint8_t byte_of(DevDisk *disk, uint64_t lba, unsigned index)
{
    uint8_t sector[DEV_SECTOR_SIZE];

    memset(sector, 0xEE, sizeof sector);
    ck_assert(dev_disk_read(disk, lba, sector));
    return sector[index];
}

static void write_filled(DevDisk *disk, uint64_t lba, uint8_t fill)
{
    uint8_t sector[DEV_SECTOR_SIZE];

    memset(sector, fill, sizeof sector);
    ck_assert(dev_disk_write(disk, lba, sector));
}

static GBytes *image_bytes(void)
{
    char *bytes;
    gsize len;

    ck_assert(g_file_get_contents(image, &bytes, &len, NULL));
    return g_bytes_new_take(bytes, len);
}

START_TEST(sectors_are_read_from_the_file)
{
    make_image(20 * DEV_SECTOR_SIZE);

    DevDisk *disk = open_image(false);

    ck_assert_uint_eq(dev_disk_sectors(disk), 20);
    ck_assert_uint_eq(byte_of(disk, 0, 3), 3);
    ck_assert_uint_eq(byte_of(disk, 19, 3), 19 * 7 + 3);
    ck_assert(dev_disk_flush(disk));
    dev_disk_free(disk);
}
END_TEST

START_TEST(the_end_is_the_end)
{
    uint8_t sector[DEV_SECTOR_SIZE] = { 0 };

    make_image(20 * DEV_SECTOR_SIZE);

    for (int writable = 0; writable < 2; writable++) {
        DevDisk *disk = open_image(writable != 0);

        ck_assert(!dev_disk_read(disk, 20, sector));
        ck_assert(!dev_disk_write(disk, 20, sector));
        ck_assert(!dev_disk_read(disk, UINT64_MAX, sector));
        ck_assert(!dev_disk_write(disk, UINT64_MAX / DEV_SECTOR_SIZE + 1, sector));
        dev_disk_free(disk);
    }
}
END_TEST

START_TEST(a_partial_last_sector_reads_zeros_behind_its_end)
{
    make_image(DEV_SECTOR_SIZE + 10);

    DevDisk *disk = open_image(false);

    ck_assert_uint_eq(dev_disk_sectors(disk), 2);
    ck_assert_uint_eq(byte_of(disk, 1, 9), 7 + 9);
    ck_assert_uint_eq(byte_of(disk, 1, 10), 0);
    ck_assert_uint_eq(byte_of(disk, 1, 511), 0);
    dev_disk_free(disk);
}
END_TEST

START_TEST(overlay_writes_are_read_back_and_never_reach_the_file)
{
    make_image(20 * DEV_SECTOR_SIZE);

    g_autoptr(GBytes) before = image_bytes();
    DevDisk *disk = open_image(false);

    write_filled(disk, 9, 0xA1);
    write_filled(disk, 9, 0xA2);
    write_filled(disk, 19, 0xB1);
    ck_assert_uint_eq(byte_of(disk, 9, 0), 0xA2);
    ck_assert_uint_eq(byte_of(disk, 9, 511), 0xA2);
    ck_assert_uint_eq(byte_of(disk, 19, 5), 0xB1);
    ck_assert_uint_eq(byte_of(disk, 8, 5), 8 * 7 + 5); /* neighbours in the cluster */
    ck_assert_uint_eq(byte_of(disk, 10, 5), 10 * 7 + 5);
    ck_assert_uint_eq(byte_of(disk, 1, 5), 7 + 5); /* same place in another cluster */
    ck_assert(dev_disk_flush(disk));
    dev_disk_free(disk);

    g_autoptr(GBytes) after = image_bytes();

    ck_assert(g_bytes_equal(before, after));
}
END_TEST

START_TEST(a_writable_disk_writes_the_file)
{
    make_image(3 * DEV_SECTOR_SIZE);

    DevDisk *disk = open_image(true);

    write_filled(disk, 1, 0xC3);
    ck_assert_uint_eq(byte_of(disk, 1, 0), 0xC3);
    ck_assert(dev_disk_flush(disk));
    dev_disk_free(disk);

    g_autoptr(GBytes) after = image_bytes();
    const uint8_t *bytes = g_bytes_get_data(after, NULL);

    ck_assert_uint_eq(g_bytes_get_size(after), 3 * DEV_SECTOR_SIZE);
    ck_assert_uint_eq(bytes[DEV_SECTOR_SIZE - 1], 255);
    ck_assert_uint_eq(bytes[DEV_SECTOR_SIZE], 0xC3);
    ck_assert_uint_eq(bytes[2 * DEV_SECTOR_SIZE - 1], 0xC3);
    ck_assert_uint_eq(bytes[2 * DEV_SECTOR_SIZE], 14);
}
END_TEST

START_TEST(writing_a_partial_last_sector_completes_it)
{
    make_image(DEV_SECTOR_SIZE + 10);

    DevDisk *disk = open_image(true);

    write_filled(disk, 1, 0xD4);
    ck_assert_uint_eq(byte_of(disk, 1, 511), 0xD4);
    ck_assert_uint_eq(dev_disk_sectors(disk), 2);
    dev_disk_free(disk);
}
END_TEST

START_TEST(a_file_that_shrinks_is_a_failure_and_not_a_crash)
{
    uint8_t sector[DEV_SECTOR_SIZE];

    make_image(4 * DEV_SECTOR_SIZE);

    DevDisk *disk = open_image(false);

    ck_assert_int_eq(truncate(image, DEV_SECTOR_SIZE), 0);
    ck_assert(dev_disk_read(disk, 0, sector));
    ck_assert(!dev_disk_read(disk, 2, sector));
    write_filled(disk, 2, 0xE5); /* the overlay does not need the file */
    ck_assert_uint_eq(byte_of(disk, 2, 0), 0xE5);
    dev_disk_free(disk);
}
END_TEST

START_TEST(a_write_that_the_host_refuses_is_a_failure)
{
    const struct rlimit limit = { 2 * DEV_SECTOR_SIZE, RLIM_INFINITY };
    uint8_t sector[DEV_SECTOR_SIZE] = { 0x55 };

    make_image(4 * DEV_SECTOR_SIZE);

    DevDisk *disk = open_image(true);

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(dev_disk_write(disk, 1, sector));
    ck_assert(!dev_disk_write(disk, 2, sector));
    ck_assert_uint_eq(byte_of(disk, 2, 0), 14);
    dev_disk_free(disk);
}
END_TEST

START_TEST(a_disk_that_is_freed_gives_its_file_back)
{
    struct rlimit limit;

    make_image(DEV_SECTOR_SIZE);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64; /* valgrind lets nobody change the hard limit */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned i = 0; i < 100; i++) {
        DevDisk *disk = dev_disk_open(image, false, NULL);

        if (disk == NULL) {
            ck_abort_msg("no more files after %u disks", i);
        }
        dev_disk_free(disk);
        if (dev_disk_open(dir, false, NULL) != NULL) { /* nor may a refusal keep one */
            ck_abort_msg("a directory was opened");
        }
    }
    dev_disk_free(NULL);
}
END_TEST

START_TEST(a_file_of_any_size_opens_at_once)
{
    make_image(1);
    ck_assert_int_eq(truncate(image, (off_t)1 << 40), 0);

    DevDisk *disk = open_image(false);

    ck_assert_uint_eq(dev_disk_sectors(disk), UINT64_C(1) << 31);
    write_filled(disk, (UINT64_C(1) << 31) - 1, 0xF6);
    ck_assert_uint_eq(byte_of(disk, (UINT64_C(1) << 31) - 1, 511), 0xF6);
    ck_assert_uint_eq(byte_of(disk, (UINT64_C(1) << 31) - 2, 511), 0);
    dev_disk_free(disk);
}
END_TEST

static void check_refused_path(const char *path, bool writable, const char *words)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(dev_disk_open(path, writable, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_FILE));
    ck_assert_msg(strstr(error->message, path) != NULL, "%s", error->message);
    ck_assert_msg(strstr(error->message, words) != NULL, "%s", error->message);
}

START_TEST(what_is_no_image_is_refused_by_name)
{
    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    g_autofree char *pipe_path = g_build_filename(dir, "pipe", NULL);

    check_refused_path(missing, false, "No such file");
    check_refused_path(dir, false, "directory");
    check_refused_path("/dev/null", false, "not a file");
    make_image(0);
    check_refused_path(image, false, "empty");
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    check_refused_path(pipe_path, false, "not a file"); /* and does not wait for a writer */
    g_unlink(pipe_path);
}
END_TEST

START_TEST(an_image_that_may_not_be_opened_is_refused)
{
    make_image(DEV_SECTOR_SIZE);
    ck_assert_int_eq(g_chmod(image, 0400), 0);
    if (geteuid() == 0) {
        /* root may open anything: a directory component that is a file fails for everybody */
        g_autofree char *below = g_build_filename(image, "x", NULL);

        check_refused_path(below, true, "Not a directory");
        return;
    }
    check_refused_path(image, true, "writing");
}
END_TEST

/* Against a copy of the whole disk for each snapshot. */
#define MODEL_SECTORS 40
#define MODEL_SNAPSHOTS 6

typedef struct ModelDisk {
    uint8_t sectors[MODEL_SECTORS][4]; /* the first bytes of each */
} ModelDisk;

static void check_model(DevDisk *disk, const ModelDisk *model)
{
    for (uint64_t lba = 0; lba < MODEL_SECTORS; lba++) {
        uint8_t sector[DEV_SECTOR_SIZE];

        ck_assert(dev_disk_read(disk, lba, sector));
        if (memcmp(sector, model->sectors[lba], 4) != 0) {
            ck_abort_msg("sector %u differs", (unsigned)lba);
        }
    }
}

START_TEST(snapshots_of_overlay_restore_in_any_order)
{
    make_image(MODEL_SECTORS * DEV_SECTOR_SIZE);

    DevDisk *disk = dev_disk_open(image, false, NULL);
    GRand *random = g_rand_new_with_seed((guint32)_i + 1);
    ModelDisk now, models[MODEL_SNAPSHOTS];
    void *taken[MODEL_SNAPSHOTS] = { NULL };
    unsigned n_restored = 0;

    for (uint64_t lba = 0; lba < MODEL_SECTORS; lba++) {
        uint8_t sector[DEV_SECTOR_SIZE];

        ck_assert(dev_disk_read(disk, lba, sector));
        memcpy(now.sectors[lba], sector, 4);
    }
    for (unsigned step = 0; step < 3000; step++) {
        unsigned slot = (unsigned)g_rand_int_range(random, 0, MODEL_SNAPSHOTS);
        unsigned what = (unsigned)g_rand_int_range(random, 0, 16);

        if (what == 0 && taken[slot] == NULL) {
            taken[slot] = dev_disk_take(disk, NULL);
            ck_assert_ptr_nonnull(taken[slot]);
            models[slot] = now;
        } else if (what == 1 && taken[slot] != NULL) {
            dev_disk_restore(disk, taken[slot]);
            now = models[slot];
            n_restored++;
        } else if (what == 2 && taken[slot] != NULL) {
            dev_disk_drop(disk, taken[slot]);
            taken[slot] = NULL;
        } else if (what > 2) {
            uint8_t sector[DEV_SECTOR_SIZE];
            unsigned lba = (unsigned)g_rand_int_range(random, 0, MODEL_SECTORS);

            memset(sector, (int)(step & 0xff), sizeof(sector));
            memcpy(sector, &step, sizeof(step));
            ck_assert(dev_disk_write(disk, lba, sector));
            memcpy(now.sectors[lba], sector, 4);
        }
        check_model(disk, &now);
    }
    ck_assert_uint_gt(n_restored, 20);
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        if (taken[i] != NULL) {
            dev_disk_drop(disk, taken[i]);
        }
    }
    g_rand_free(random);
    dev_disk_free(disk);
}
END_TEST

START_TEST(writable_disk_has_no_snapshots)
{
    GError *error = NULL;

    make_image(4096);

    DevDisk *disk = dev_disk_open(image, true, NULL);

    ck_assert_ptr_null(dev_disk_take(disk, &error));
    ck_assert_ptr_nonnull(strstr(error->message, image));
    g_error_free(error);
    dev_disk_free(disk);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("disk");
    Suite *suite = suite_create("devices/disk");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, sectors_are_read_from_the_file);
    tcase_add_test(tc, the_end_is_the_end);
    tcase_add_test(tc, a_partial_last_sector_reads_zeros_behind_its_end);
    tcase_add_test(tc, overlay_writes_are_read_back_and_never_reach_the_file);
    tcase_add_test(tc, a_writable_disk_writes_the_file);
    tcase_add_test(tc, writing_a_partial_last_sector_completes_it);
    tcase_add_test(tc, a_file_that_shrinks_is_a_failure_and_not_a_crash);
    tcase_add_test(tc, a_write_that_the_host_refuses_is_a_failure);
    tcase_add_test(tc, a_disk_that_is_freed_gives_its_file_back);
    tcase_add_test(tc, a_file_of_any_size_opens_at_once);
    tcase_add_test(tc, what_is_no_image_is_refused_by_name);
    tcase_add_test(tc, an_image_that_may_not_be_opened_is_refused);
    tcase_add_loop_test(tc, snapshots_of_overlay_restore_in_any_order, 0, 4);
    tcase_add_test(tc, writable_disk_has_no_snapshots);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
