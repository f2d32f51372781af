/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PNG files: what libpng reads is what was written, the same pixels make the same bytes, and a file
 * appears whole or not at all, whatever of the host fails. The rules of FeFiles for such files.
 */
#include "emu/error.h"
#include "frontends/files.h"
#include "frontends/png-file.h"
#include "frontends/whole-file.h"
#include "tests/unit/fake-os.h"
#include "tests/unit/png-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEFORE "what was there before"

static char *folder;
static char *path; /* of a picture in it */

static void set_up(void)
{
    folder = g_dir_make_tmp("quire-png-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
    path = g_build_filename(folder, "a.png", NULL);
}

/* Takes away all files of the folder. Returns: how many there were */
static unsigned empty_folder(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name = NULL;
    unsigned n = 0;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(folder, name, NULL);

        ck_assert_int_eq(g_remove(file), 0);
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void tear_down(void)
{
    mem_os_set(NULL);
    empty_folder();
    ck_assert_int_eq(g_rmdir(folder), 0);
    g_free(folder);
    g_free(path);
}

static FePixels random_picture(guint32 seed, unsigned width, unsigned height)
{
    GRand *rand = g_rand_new_with_seed(seed);
    FePixels picture = png_test_picture(width, height);

    for (unsigned i = 0; i < 40; i++) {
        png_test_patch(rand, &picture, 1 + i * 3);
    }
    g_rand_free(rand);
    return picture;
}

static FePixels read_file(const char *file)
{
    g_autofree char *bytes = NULL;
    gsize len = 0;

    ck_assert(g_file_get_contents(file, &bytes, &len, NULL));
    return png_test_read(bytes, len);
}

static const struct {
    unsigned width;
    unsigned height;
} sizes[] = {
    { 1, 1 }, { 720, 400 }, { 3, FE_PNG_MAX_SIDE }, { FE_PNG_MAX_SIDE, 2 }, { 641, 479 }
};

START_TEST(what_is_written_reads_back)
{
    FePixels picture = random_picture((guint32)_i, sizes[_i].width, sizes[_i].height);
    g_autoptr(GError) error = NULL;

    ck_assert_msg(fe_png_write(path, &picture, NULL, &error), "%s", error ? error->message : "");

    FePixels read = read_file(path);

    ck_assert(png_test_equal(&picture, &read));
    ck_assert_uint_eq(empty_folder(), 1);
    g_free(picture.pixels);
    g_free(read.pixels);
}
END_TEST

/* The top byte of a pixel is nobody's. */
START_TEST(same_pixels_make_same_bytes)
{
    FePixels picture = random_picture(7, 100, 60);
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    gsize n_first = 0;
    gsize n_second = 0;

    ck_assert(fe_png_write(path, &picture, "a title", NULL));
    ck_assert(g_file_get_contents(path, &first, &n_first, NULL));
    for (unsigned i = 0; i < 100 * 60; i++) {
        picture.pixels[i] |= 0xA5000000;
    }
    ck_assert(fe_png_write(path, &picture, "a title", NULL));
    ck_assert(g_file_get_contents(path, &second, &n_second, NULL));
    ck_assert_mem_eq(first, second, MIN(n_first, n_second));
    ck_assert_uint_eq(n_first, n_second);
    g_free(picture.pixels);
}
END_TEST

static const struct {
    const char *title;
    const char *type;
    const char *data; /* of the chunk behind the key and its NUL */
    size_t len;
} titles[] = {
    { "SeaBIOS", "tEXt", "SeaBIOS", 7 },
    { "Grüße", "iTXt", "\0\0\0\0Grüße", 11 },
    /* A file's name may be any bytes; iTXt holds UTF-8 alone. */
    { "d\xff.disk", "iTXt", "\0\0\0\0d\xef\xbf\xbd.disk", 13 },
};

START_TEST(title_is_in_the_file)
{
    FePixels picture = random_picture(1, 5, 5);
    g_autofree char *bytes = NULL;
    PngTestChunk chunk = { "", 0, NULL };
    size_t offset = 8;
    gsize len = 0;

    ck_assert(fe_png_write(path, &picture, titles[_i].title, NULL));
    ck_assert(g_file_get_contents(path, &bytes, &len, NULL));
    while (strcmp(chunk.type, titles[_i].type) != 0) {
        chunk = png_test_chunk((const uint8_t *)bytes, len, &offset);
    }
    ck_assert_uint_eq(chunk.len, 6 + titles[_i].len);
    ck_assert_mem_eq(chunk.data, "Title", 6);
    ck_assert_mem_eq(chunk.data + 6, titles[_i].data, titles[_i].len);
    g_free(picture.pixels);
}
END_TEST

/* ---- whole or not at all */

static const FakeOsCall calls[] = { FAKE_OPEN,   FAKE_WRITE,      FAKE_CLOSE,
                                    FAKE_RENAME, FAKE_TRY_ALLOC0, FAKE_N_CALLS };

/* The first, second, ... call fails; then nothing does. */
START_TEST(failure_leaves_what_was_there)
{
    FePixels picture = random_picture(2, 300, 200);
    bool good = false;
    unsigned n = 0;

    mem_os_set(fake_os_new(0));
    fake_os.file_error = ENOSPC;
    for (n = 1; !good; n++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *bytes = NULL;

        ck_assert(g_file_set_contents(path, BEFORE, -1, NULL));
        if (calls[_i] != FAKE_N_CALLS) {
            fake_os_fail(calls[_i], n, n);
        }
        good = fe_png_write(path, &picture, NULL, &error);
        ck_assert_int_eq(fake_os.n_files, 0);
        ck_assert_int_eq(fake_os.n_blocks, 0);
        if (!good) {
            ck_assert_ptr_nonnull(strstr(error->message, path));
            ck_assert(g_file_get_contents(path, &bytes, NULL, NULL));
            ck_assert_str_eq(bytes, BEFORE);
            ck_assert_uint_eq(empty_folder(), 1);
        }
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert(calls[_i] == FAKE_N_CALLS || n > 2);

    FePixels read = read_file(path);

    ck_assert(png_test_equal(&picture, &read));
    g_free(picture.pixels);
    g_free(read.pixels);
}
END_TEST

START_TEST(short_writes_are_gone_on_with)
{
    FePixels picture = random_picture(3, 300, 200);

    mem_os_set(fake_os_new(0));
    fake_os.longest_io = 17;
    ck_assert(fe_png_write(path, &picture, NULL, NULL));

    FePixels read = read_file(path);

    ck_assert(png_test_equal(&picture, &read));
    g_free(picture.pixels);
    g_free(read.pixels);
}
END_TEST

START_TEST(link_stays_and_its_file_is_replaced)
{
    g_autofree char *link_path = g_build_filename(folder, "link.png", NULL);
    FePixels picture = random_picture(4, 30, 20);
    struct stat info;

    ck_assert(g_file_set_contents(path, BEFORE, -1, NULL));
    ck_assert_int_eq(symlink("a.png", link_path), 0);
    ck_assert(fe_png_write(link_path, &picture, NULL, NULL));
    ck_assert_int_eq(lstat(link_path, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));

    FePixels read = read_file(path);

    ck_assert(png_test_equal(&picture, &read));
    g_free(picture.pixels);
    g_free(read.pixels);
}
END_TEST

START_TEST(pipe_is_written_as_it_is)
{
    FePixels picture = random_picture(5, 30, 20);
    uint8_t bytes[65536];
    struct stat info;

    ck_assert_int_eq(mkfifo(path, 0600), 0);

    int fd = open(path, O_RDONLY | O_NONBLOCK);

    ck_assert_int_ge(fd, 0);
    ck_assert(fe_png_write(path, &picture, NULL, NULL));

    ssize_t n = read(fd, bytes, sizeof(bytes));

    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(S_ISFIFO(info.st_mode));

    FePixels read_back = png_test_read(bytes, (size_t)n);

    ck_assert(png_test_equal(&picture, &read_back));
    close(fd);
    g_free(picture.pixels);
    g_free(read_back.pixels);
}
END_TEST

/* Larger than the buffer, in pieces of all kinds. */
START_TEST(bytes_come_in_order)
{
    GRand *rand = g_rand_new_with_seed(9);
    g_autoptr(GByteArray) want = g_byte_array_new();
    g_autoptr(FeWholeFile) file = fe_whole_file_new(path, NULL);
    g_autofree char *got = NULL;
    gsize len = 0;

    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t bytes[100000];
        gint32 n = g_rand_int_range(rand, 0, i % 10 == 0 ? 100000 : 2000);

        memset(bytes, (int)i, sizeof(bytes));
        fe_whole_file_put(file, bytes, (size_t)n);
        g_byte_array_append(want, bytes, (guint)n);
    }
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    ck_assert(fe_whole_file_commit(file, NULL));
    ck_assert(g_file_get_contents(path, &got, &len, NULL));
    ck_assert_uint_eq(len, want->len);
    ck_assert_mem_eq(got, want->data, len);
    g_rand_free(rand);
}
END_TEST

/* ---- two options, one file */

typedef bool (*AddFile)(FeFiles *files, const char *file, GError **error);

static bool add_input(FeFiles *files, const char *file, GError **error)
{
    return fe_files_add_input(files, "--first", file, false, error);
}

static bool add_output(FeFiles *files, const char *file, GError **error)
{
    int fd = fe_files_open_output(files, "--first", file, error);

    return fd >= 0 && close(fd) == 0;
}

static bool add_replaced(FeFiles *files, const char *file, GError **error)
{
    return fe_files_add_replaced(files, "--first", file, error);
}

static const struct {
    AddFile first;
    AddFile second;
    bool exists;
    bool good;
} pairs[] = {
    { add_input, add_replaced, true, false },    { add_replaced, add_input, true, false },
    { add_output, add_replaced, true, false },   { add_output, add_replaced, false, false },
    { add_replaced, add_output, true, false },   { add_replaced, add_output, false, false },
    { add_replaced, add_replaced, true, false }, { add_replaced, add_replaced, false, false },
    { add_input, add_input, true, true },        { add_input, add_replaced, false, true },
};

/* The same file by another name of its folder. */
START_TEST(file_of_two_options_is_refused)
{
    g_autofree char *other = g_strdup_printf("%s/./a.png", folder);
    g_autoptr(FeFiles) files = fe_files_new();
    g_autoptr(GError) error = NULL;

    if (pairs[_i].exists) {
        ck_assert(g_file_set_contents(path, BEFORE, -1, NULL));
    }
    ck_assert(pairs[_i].first(files, path, NULL));
    ck_assert_int_eq(pairs[_i].second(files, other, &error), pairs[_i].good);
    if (!pairs[_i].good) {
        ck_assert_int_eq(error->code, EMU_ERROR_CONFLICT);
        ck_assert_ptr_nonnull(strstr(error->message, "name another file"));
        /* Nor is one made for it. */
        ck_assert_int_eq(g_file_test(path, G_FILE_TEST_EXISTS),
                         pairs[_i].exists || pairs[_i].first == add_output);
    }
}
END_TEST

START_TEST(neighbours_do_not_disturb_each_other)
{
    g_autofree char *other = g_strdup_printf("%s/b.png", folder);
    g_autoptr(FeFiles) files = fe_files_new();

    ck_assert(fe_files_add_replaced(files, "--first", path, NULL));
    ck_assert(fe_files_add_replaced(files, "--second", other, NULL));
    ck_assert(fe_files_add_replaced(files, "--third", "/dev/null", NULL));
    ck_assert(fe_files_add_replaced(files, "--fourth", "/dev/null", NULL));
    ck_assert_uint_eq(empty_folder(), 0);
}
END_TEST

static const char *const nowhere[] = { "", "missing/a.png", "file/a.png", "." };

START_TEST(place_that_cannot_be_written_is_told_at_once)
{
    g_autofree char *file = g_build_filename(folder, "file", NULL);
    g_autofree char *bad = g_build_filename(folder, nowhere[_i], NULL);
    g_autoptr(FeFiles) files = fe_files_new();
    g_autoptr(GError) error = NULL;

    ck_assert(g_file_set_contents(file, BEFORE, -1, NULL));
    ck_assert(!fe_files_add_replaced(files, "--screen", bad, &error));
    ck_assert(g_str_has_prefix(error->message, "--screen: cannot write '"));
    ck_assert_ptr_nonnull(strstr(error->message, bad));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("png");
    TCase *png = tcase_create("png");
    TCase *whole = tcase_create("whole");
    TCase *files = tcase_create("files");

    tcase_add_checked_fixture(png, set_up, tear_down);
    tcase_add_loop_test(png, what_is_written_reads_back, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(png, same_pixels_make_same_bytes);
    tcase_add_loop_test(png, title_is_in_the_file, 0, G_N_ELEMENTS(titles));
    tcase_add_checked_fixture(whole, set_up, tear_down);
    tcase_set_timeout(whole, 60);
    tcase_add_loop_test(whole, failure_leaves_what_was_there, 0, G_N_ELEMENTS(calls));
    tcase_add_test(whole, short_writes_are_gone_on_with);
    tcase_add_test(whole, link_stays_and_its_file_is_replaced);
    tcase_add_test(whole, pipe_is_written_as_it_is);
    tcase_add_test(whole, bytes_come_in_order);
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_loop_test(files, file_of_two_options_is_refused, 0, G_N_ELEMENTS(pairs));
    tcase_add_test(files, neighbours_do_not_disturb_each_other);
    tcase_add_loop_test(files, place_that_cannot_be_written_is_told_at_once, 0,
                        G_N_ELEMENTS(nowhere));
    suite_add_tcase(suite, png);
    suite_add_tcase(suite, whole);
    suite_add_tcase(suite, files);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
