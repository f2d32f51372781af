/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Animated PNGs: records of random changes are played frame by frame and compared with the pictures
 * that were given; chunks, numbers and delays; failures of the host.
 */
#include "frontends/apng.h"
#include "tests/unit/fake-os.h"
#include "tests/unit/png-fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static char *folder;
static char *path;

static void set_up(void)
{
    folder = g_dir_make_tmp("quire-apng-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
    path = g_build_filename(folder, "a.png", NULL);
}

static void tear_down(void)
{
    mem_os_set(NULL);
    g_remove(path);
    ck_assert_int_eq(g_rmdir(folder), 0); /* nothing else was left */
    g_free(folder);
    g_free(path);
}

/* ---- playing */

typedef struct Player {
    const uint8_t *file;
    size_t len;
    size_t offset;
    uint32_t sequence;
    uint32_t n_frames; /* as acTL says */
    FePixels canvas;
    unsigned delay_ms; /* of the frame shown now */
    uint32_t rect[4];  /* width, height, x, y of it */
    PngTestChunk next; /* read, but not used yet */
} Player;

static void read_next(Player *player)
{
    player->next = png_test_chunk(player->file, player->len, &player->offset);
}

static void start(Player *player, const uint8_t *file, size_t len)
{
    *player = (Player) { .file = file, .len = len, .offset = 8 };
    read_next(player);
    ck_assert_str_eq(player->next.type, "IHDR");
    player->canvas =
        png_test_picture(png_test_be32(player->next.data), png_test_be32(player->next.data + 4));
    read_next(player);
    ck_assert_str_eq(player->next.type, "acTL");
    player->n_frames = png_test_be32(player->next.data);
    do { /* the still picture is no frame */
        read_next(player);
    } while (strcmp(player->next.type, "IDAT") == 0);
}

/* The frame's bytes, as a PNG of its own. */
static FePixels read_frame(Player *player)
{
    static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A };
    g_autoptr(GByteArray) png = g_byte_array_new();
    uint8_t header[13] = { [8] = 8, [9] = 2 };

    for (unsigned i = 0; i < 2; i++) {
        uint32_t be = GUINT32_TO_BE(player->rect[i]);

        memcpy(header + 4 * i, &be, 4);
    }
    g_byte_array_append(png, signature, sizeof(signature));
    png_test_put_chunk(png, "IHDR", header, sizeof(header));
    while (strcmp(player->next.type, "fdAT") == 0) {
        ck_assert_uint_eq(png_test_be32(player->next.data), player->sequence++);
        png_test_put_chunk(png, "IDAT", player->next.data + 4, player->next.len - 4);
        read_next(player);
    }
    png_test_put_chunk(png, "IEND", NULL, 0);
    return png_test_read(png->data, png->len);
}

/* Shows the next frame. Returns: false if there is none */
static bool play(Player *player)
{
    if (strcmp(player->next.type, "fcTL") != 0) {
        ck_assert_str_eq(player->next.type, "IEND");
        ck_assert_uint_eq(player->offset, player->len);
        return false;
    }

    const uint8_t *control = player->next.data;

    ck_assert_uint_eq(player->next.len, 26);
    ck_assert_uint_eq(png_test_be32(control), player->sequence++);
    for (unsigned i = 0; i < 4; i++) {
        player->rect[i] = png_test_be32(control + 4 + 4 * i);
    }
    player->delay_ms = (unsigned)control[20] << 8 | control[21];
    ck_assert_uint_eq((unsigned)control[22] << 8 | control[23], 1000);
    ck_assert_uint_eq(control[24], 0);
    ck_assert_uint_eq(control[25], 0);
    ck_assert_uint_le(player->rect[0] + player->rect[2], player->canvas.width);
    ck_assert_uint_le(player->rect[1] + player->rect[3], player->canvas.height);
    read_next(player);

    FePixels frame = read_frame(player);

    for (unsigned y = 0; y < frame.height; y++) {
        memcpy(player->canvas.pixels + (size_t)(player->rect[3] + y) * player->canvas.width +
                   player->rect[2],
               frame.pixels + (size_t)y * frame.width, frame.width * sizeof(*frame.pixels));
    }
    g_free(frame.pixels);
    return true;
}

/* Whether the canvas shows @picture in its corner, on black. */
static bool shows(const FePixels *canvas, const FePixels *picture)
{
    for (unsigned y = 0; y < canvas->height; y++) {
        for (unsigned x = 0; x < canvas->width; x++) {
            uint32_t want = x < picture->width && y < picture->height
                                ? picture->pixels[(size_t)y * picture->width + x]
                                : 0;

            if (canvas->pixels[(size_t)y * canvas->width + x] != want) {
                return false;
            }
        }
    }
    return true;
}

/* ---- records */

static bool add(FeApng *apng, const FePixels *picture, uint64_t ns)
{
    return fe_apng_add(apng, picture->width, picture->height, picture->pixels, ns, NULL);
}

static char *finish(FeApng *apng, gsize *ret_len)
{
    char *bytes = NULL;

    ck_assert(fe_apng_finish(apng, NULL));
    ck_assert(g_file_get_contents(path, &bytes, ret_len, NULL));
    return bytes;
}

/* A small change, a large one, none, or another mode. */
static void change(GRand *rand, FePixels *picture)
{
    gint32 what = g_rand_int_range(rand, 0, 10);

    if (what < 5) {
        png_test_patch(rand, picture, (unsigned)g_rand_int_range(rand, 1, 20));
    } else if (what < 7) {
        for (unsigned i = 0; i < 10; i++) {
            png_test_patch(rand, picture, 100);
        }
    } else if (what == 7) {
        g_free(picture->pixels);
        *picture = png_test_picture((unsigned)g_rand_int_range(rand, 1, 300),
                                    (unsigned)g_rand_int_range(rand, 1, 200));
        png_test_patch(rand, picture, 50);
    }
}

static bool same_on_black(const FePixels *a, const FePixels *b)
{
    FePixels canvas = png_test_picture(MAX(a->width, b->width), MAX(a->height, b->height));

    for (unsigned y = 0; y < a->height; y++) {
        memcpy(canvas.pixels + (size_t)y * canvas.width, a->pixels + (size_t)y * a->width,
               a->width * sizeof(*a->pixels));
    }

    bool same = shows(&canvas, b);

    g_free(canvas.pixels);
    return same;
}

static FePixels copy_of(const FePixels *picture)
{
    FePixels copy = png_test_picture(picture->width, picture->height);

    memcpy(copy.pixels, picture->pixels, (size_t)copy.width * copy.height * sizeof(*copy.pixels));
    return copy;
}

START_TEST(record_plays_as_it_was_given)
{
    GRand *rand = g_rand_new_with_seed((guint32)_i);
    g_autoptr(GArray) given = g_array_new(FALSE, FALSE, sizeof(FePixels));
    g_autoptr(FeApng) apng = fe_apng_new(path, NULL);
    FePixels picture = png_test_picture(80, 50);
    unsigned n_frames = 0;
    Player player;
    gsize len = 0;

    ck_assert_ptr_nonnull(apng);
    for (unsigned i = 0; i < 40; i++) {
        change(rand, &picture);
        ck_assert(add(apng, &picture, i * 50 * MS));
        if (i == 0 || !same_on_black(&picture, &g_array_index(given, FePixels, given->len - 1))) {
            FePixels copy = copy_of(&picture);

            g_array_append_val(given, copy);
        }
    }
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));

    g_autofree char *bytes = finish(apng, &len);

    start(&player, (const uint8_t *)bytes, len);
    ck_assert_uint_eq(player.n_frames, given->len);
    while (play(&player)) {
        ck_assert(shows(&player.canvas, &g_array_index(given, FePixels, n_frames)));
        n_frames++;
    }
    ck_assert_uint_eq(n_frames, given->len);

    /* Who knows no animations sees the last. */
    FePixels still = png_test_read(bytes, len);

    ck_assert(shows(&still, &g_array_index(given, FePixels, given->len - 1)));
    g_free(still.pixels);
    for (unsigned i = 0; i < given->len; i++) {
        g_free(g_array_index(given, FePixels, i).pixels);
    }
    g_free(picture.pixels);
    g_free(player.canvas.pixels);
    g_rand_free(rand);
}
END_TEST

static const struct {
    unsigned n;
    uint64_t times_us[8];
    unsigned delays[8]; /* of all but the last */
} delays[] = {
    { 8, /* from 5 ms to an hour */
      { 7000, 12000, 52000, 93000, 1093000, 3093000, 3600000000, 3600041000 },
      { 40, 40, 41, 1000, 2000, 2000, 41 } },
    { 4, { 500000, 1500000, 3000000, 4500000 }, { 1000, 1500, 1500 } }, /* exactly 4 s long */
    { 4, { 0, 1000, 1500, 2000 }, { 2000, 1000, 1000 } },               /* slower, up to 4 s */
    { 4, { 0, 10, 30, 1000 }, { 40, 80, 2000 } },
    { 3, { 5, 5, 5 }, { 40, 40 } },
};

/* The last picture is shown longest. */
START_TEST(delays_are_guest_time_within_bounds)
{
    g_autoptr(FeApng) apng = fe_apng_new(path, NULL);
    FePixels picture = png_test_picture(4, 4);
    Player player;
    gsize len = 0;

    for (unsigned i = 0; i < delays[_i].n; i++) {
        picture.pixels[5] = i;
        ck_assert(add(apng, &picture, delays[_i].times_us[i] * 1000));
        ck_assert(add(apng, &picture, delays[_i].times_us[i] * 1000)); /* the same lasts longer */
    }

    g_autofree char *bytes = finish(apng, &len);

    start(&player, (const uint8_t *)bytes, len);
    for (unsigned i = 0; i < delays[_i].n; i++) {
        ck_assert(play(&player));
        ck_assert_uint_eq(player.delay_ms,
                          i + 1 < delays[_i].n ? delays[_i].delays[i] : FE_APNG_MAX_MS);
    }
    ck_assert(!play(&player));
    g_free(picture.pixels);
    g_free(player.canvas.pixels);
}
END_TEST

/* Two pixels differ: no more than the rectangle around them is stored. */
START_TEST(changed_rectangle_alone_is_stored)
{
    static const uint32_t want[] = { 11, 4, 20, 7 };
    g_autoptr(FeApng) apng = fe_apng_new(path, NULL);
    FePixels picture = png_test_picture(64, 48);
    Player player;
    gsize len = 0;

    ck_assert(add(apng, &picture, 0));
    picture.pixels[7 * 64 + 30] = 1;
    picture.pixels[10 * 64 + 20] = 1;
    ck_assert(add(apng, &picture, 1));

    g_autofree char *bytes = finish(apng, &len);

    start(&player, (const uint8_t *)bytes, len);
    ck_assert(play(&player));
    ck_assert(play(&player));
    ck_assert_mem_eq(player.rect, want, sizeof(want));
    g_free(picture.pixels);
    g_free(player.canvas.pixels);
}
END_TEST

/* More compressed bytes than a piece of the spool: noise does not get smaller. */
START_TEST(large_frames_come_in_pieces)
{
    GRand *rand = g_rand_new_with_seed(11);
    g_autoptr(FeApng) apng = fe_apng_new(path, NULL);
    FePixels picture = png_test_picture(400, 300);
    Player player;
    gsize len = 0;

    ck_assert(add(apng, &picture, 0));
    for (unsigned i = 0; i < 400 * 300; i++) {
        picture.pixels[i] = g_rand_int(rand) & 0xFFFFFF;
    }
    ck_assert(add(apng, &picture, 0));

    g_autofree char *bytes = finish(apng, &len);

    ck_assert_uint_gt(len, 400 * 300 * 3);
    start(&player, (const uint8_t *)bytes, len);
    ck_assert(play(&player));
    ck_assert(play(&player));
    ck_assert(shows(&player.canvas, &picture));
    ck_assert_uint_gt(player.sequence, 4); /* two fcTL, and several fdAT */
    ck_assert(!play(&player));
    g_free(picture.pixels);
    g_free(player.canvas.pixels);
    g_rand_free(rand);
}
END_TEST

/* ---- failures */

static const FakeOsCall calls[] = { FAKE_OPEN,   FAKE_WRITE,      FAKE_PREAD,       FAKE_CLOSE,
                                    FAKE_RENAME, FAKE_TRY_ALLOC0, FAKE_TRY_REALLOC, FAKE_N_CALLS };

static bool record(GError **error)
{
    g_autoptr(FeApng) apng = fe_apng_new(path, error);
    FePixels small = png_test_picture(20, 10);
    FePixels large = png_test_picture(200, 100);
    const FePixels *order[] = { &small, &large, &small };
    bool good = apng != NULL;

    small.pixels[3] = 5;
    for (unsigned i = 0; good && i < G_N_ELEMENTS(order); i++) {
        large.pixels[777] = i;
        good =
            fe_apng_add(apng, order[i]->width, order[i]->height, order[i]->pixels, i * MS, error);
    }
    good = good && fe_apng_finish(apng, error);
    g_free(small.pixels);
    g_free(large.pixels);
    return good;
}

START_TEST(failure_leaves_no_file)
{
    bool good = false;
    unsigned n = 0;

    mem_os_set(fake_os_new(0));
    fake_os.file_error = ENOSPC;
    for (n = 1; !good; n++) {
        g_autoptr(GError) error = NULL;

        if (calls[_i] != FAKE_N_CALLS) {
            fake_os_fail(calls[_i], n, n);
        }
        good = record(&error);
        ck_assert_int_eq(fake_os.n_files, 0);
        ck_assert_int_eq(fake_os.n_blocks, 0);
        ck_assert_int_eq(g_file_test(path, G_FILE_TEST_EXISTS), good);
        if (!good) {
            ck_assert_ptr_nonnull(strstr(error->message, path));
        }
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert(calls[_i] == FAKE_N_CALLS || n > 2);
}
END_TEST

START_TEST(short_reads_and_writes_are_gone_on_with)
{
    Player player;
    g_autofree char *bytes = NULL;
    gsize len = 0;

    mem_os_set(fake_os_new(0));
    fake_os.longest_io = 13;
    ck_assert(record(NULL));
    ck_assert(g_file_get_contents(path, &bytes, &len, NULL));
    start(&player, (const uint8_t *)bytes, len);
    while (play(&player)) {
    }
    ck_assert_uint_eq(player.n_frames, 3);
    g_free(player.canvas.pixels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("apng");
    TCase *apng = tcase_create("apng");
    TCase *failures = tcase_create("failures");

    tcase_add_checked_fixture(apng, set_up, tear_down);
    tcase_set_timeout(apng, 60);
    tcase_add_loop_test(apng, record_plays_as_it_was_given, 0, 20);
    tcase_add_loop_test(apng, delays_are_guest_time_within_bounds, 0, G_N_ELEMENTS(delays));
    tcase_add_test(apng, changed_rectangle_alone_is_stored);
    tcase_add_test(apng, large_frames_come_in_pieces);
    tcase_add_checked_fixture(failures, set_up, tear_down);
    tcase_set_timeout(failures, 60);
    tcase_add_loop_test(failures, failure_leaves_no_file, 0, G_N_ELEMENTS(calls));
    tcase_add_test(failures, short_reads_and_writes_are_gone_on_with);
    suite_add_tcase(suite, apng);
    suite_add_tcase(suite, failures);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
