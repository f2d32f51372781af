/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of the map: every page of a machine with pages of all kinds has its colour at its place
 * in the PNG file and its words in the JSON file; rows and bands leave nothing out and say what
 * pgm_page_query() says; machines of any size give a picture of bounded size.
 */
#include "frontends/memory-fold.h"
#include "frontends/memory-json.h"
#include "frontends/memory-picture.h"
#include "memsys/access.h"
#include "memsys/balloon.h"
#include "memsys/dirty.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/os.h"
#include "memsys/rom.h"

#include <check.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#define PAGE MEM_PAGE_SIZE
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (MIB * MIB)
#define WINDOW (640 * KIB)
#define BUFFER (768 * KIB)
#define BIOS (896 * KIB)
#define N_IN_MIB 256
#define SIDE_MAX 2000

static Gmm *gmm;
static Pgm *pgm;
static PgmDirty *dirty;
static char *folder;
static const FeMemoryTitle title = { "a \"test\" of RAM\\", 1234567 };

static void setup_with(uint64_t high_len)
{
    gmm = gmm_new(UINT64_C(1) << 30, NULL);
    ck_assert_ptr_nonnull(gmm);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, WINDOW, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, MIB, high_len, "high", NULL), MEM_OK);
    folder = g_dir_make_tmp("quire-picture-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
}

static void store(GPhys gpa)
{
    ck_assert_int_eq(pgm_write_u8(pgm, gpa, 1), MEM_OK);
}

/* Below 1 MiB a page of each kind, a ballooned one first; above it one page written. */
static void setup(void)
{
    static const PgmMmioOps no_device = { .max_size = 4 };
    static uint8_t image[128 * 1024];
    GPhys ballooned = 0;

    setup_with(64 * MIB);
    memset(image, 0x5a, sizeof image);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &ballooned, 1), MEM_OK);
    ck_assert_int_eq(pgm_load_image(pgm, 3 * PAGE, image, 2 * PAGE), MEM_OK);
    store(7 * PAGE);
    store(40 * PAGE);

    PgmMmio2 *buffer = pgm_mmio2_new(pgm, "vga", 0, 64 * PAGE, false, "buffer", NULL);
    PgmMmio *window = pgm_mmio_new(pgm, 16 * PAGE, &no_device, NULL, "vga", "window", NULL);

    ck_assert_int_eq(pgm_mmio2_reduce(buffer, 5 * PAGE), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(buffer, BUFFER, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(window, WINDOW, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(window, 2 * PAGE, buffer, 0), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, BIOS, sizeof image, image, sizeof image, 0xff,
                                      PGM_ROM_FLAG_SHADOWED, "test", "/a/b/bios.bin", NULL),
                     MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, BIOS, 3 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(BIOS + PAGE);
    dirty = pgm_dirty_new(pgm, "test", NULL); /* all that was written is monitored */
    store(8 * PAGE);
    store(33 * MIB);
}

static void teardown(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = NULL;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        ck_assert_int_eq(g_unlink(path), 0);
    }
    ck_assert_int_eq(g_rmdir(folder), 0);
    g_clear_pointer(&folder, g_free);
    g_clear_pointer(&dirty, pgm_dirty_free);
    g_clear_pointer(&pgm, pgm_free);
    g_clear_pointer(&gmm, gmm_free);
}

static FeMemoryClass class_at(GPhys gpa)
{
    PgmPageInfo info;

    return pgm_page_query(pgm, gpa, &info) ? fe_memory_class(info.type, info.state)
                                           : FE_MEMORY_HOLE;
}

/* ---- PNG */

/* What another program finds in the file. */
static FePixels *read_back(const char *path)
{
    png_image image = { .version = PNG_IMAGE_VERSION };

    ck_assert_msg(png_image_begin_read_from_file(&image, path) != 0, "%s", image.message);
    image.format = PNG_FORMAT_RGB;

    g_autofree uint8_t *bytes = g_malloc(PNG_IMAGE_SIZE(image));
    FePixels *picture = fe_picture_new(image.width, image.height, 0);

    ck_assert(png_image_finish_read(&image, NULL, bytes, 0, NULL) != 0);
    for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
        picture->pixels[i] =
            (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
    }
    return picture;
}

static FePixels *draw(void)
{
    g_autofree char *path = g_build_filename(folder, "picture.png", NULL);
    g_autoptr(FePixels) drawn = fe_memory_picture_draw(pgm, &title);

    ck_assert_ptr_nonnull(drawn);
    ck_assert(drawn->width <= SIDE_MAX && drawn->height <= SIDE_MAX);
    ck_assert(fe_png_write(path, drawn, title.what, NULL));

    FePixels *picture = read_back(path);

    ck_assert_uint_eq(picture->width, drawn->width);
    ck_assert_mem_eq(picture->pixels, drawn->pixels,
                     (size_t)drawn->width * drawn->height * sizeof *drawn->pixels);
    return picture;
}

static size_t find(const FePixels *picture, uint32_t colour)
{
    size_t i = 0;

    while (i < (size_t)picture->width * picture->height && picture->pixels[i] != colour) {
        i++;
    }
    return i;
}

START_TEST(each_page_has_its_colour_at_its_place)
{
    g_autoptr(FePixels) picture = draw();
    /* The first page is the only one of its kind: its corner is where the squares begin. */
    size_t corner = find(picture, fe_memory_class_colour(FE_MEMORY_BALLOONED));
    unsigned seen = 0;
    unsigned n_wrong = 0;

    for (unsigned i = 0; i < N_IN_MIB; i++) {
        FeMemoryClass class = class_at(i * PAGE);
        size_t at = corner + (i / 32 * 16 + 3) * (size_t)picture->width + i % 32 * 16 + 3;

        seen |= 1u << class;
        n_wrong += picture->pixels[at] != fe_memory_class_colour(class);
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_eq(seen, (1u << FE_MEMORY_N_CLASSES) - 1);
}
END_TEST

START_TEST(classes_can_be_told_apart)
{
    for (unsigned i = 0; i < FE_MEMORY_N_CLASSES; i++) {
        for (unsigned k = 0; k < i; k++) {
            ck_assert_uint_ne(fe_memory_class_colour((FeMemoryClass)i),
                              fe_memory_class_colour((FeMemoryClass)k));
            ck_assert_str_ne(fe_memory_class_name((FeMemoryClass)i),
                             fe_memory_class_name((FeMemoryClass)k));
        }
    }
}
END_TEST

START_TEST(all_characters_are_drawn_and_differ)
{
    g_autoptr(FePixels) one = fe_picture_new(8, 10, 0);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (char c = ' '; c <= '~'; c++) {
        char text[2] = { c, '\0' };
        GString *shape = g_string_new(NULL);
        FePen pen = { one, 1, 1 };

        fe_picture_fill(one, (FeBox) { 0, 0, 8, 10 }, 0);
        fe_picture_text(&pen, 1, 0, text);
        for (unsigned i = 0; i < 80; i++) {
            g_string_append_c(shape, one->pixels[i] != 0 ? '#' : '.');
        }
        ck_assert_msg(g_hash_table_add(seen, g_string_free(shape, FALSE)), "'%c' is not new", c);
    }
    ck_assert_uint_eq(g_hash_table_size(seen), 95);
}
END_TEST

START_TEST(drawing_is_clipped)
{
    g_autoptr(FePixels) picture = fe_picture_new(4, 4, 7);
    FePen pen = { picture, 9, 3 };

    fe_picture_fill(picture, (FeBox) { -5, -5, 100, 100 }, 8);
    fe_picture_text(&pen, -7, -4, "ABC\xff");
    fe_picture_text(&pen, 2, 2, "W");
    fe_picture_frame(picture, (FeBox) { 3, 3, 50, 50 }, 5);
    ck_assert_uint_eq(picture->pixels[15], 5);
    ck_assert(picture->pixels[0] == 8 || picture->pixels[0] == 9);
}
END_TEST

/* ---- folding */

/* Rows follow each other from 0, show what each page says, and add up to the height. */
static void check_fold(const FeMemoryFold *fold, uint64_t sample)
{
    uint64_t row_pages = fe_memory_fold_row_pages(fold);
    uint64_t next = 0;
    uint64_t n_wrong = 0;
    int height = 0;

    for (unsigned i = 0; i < fold->rows->len; i++) {
        const FeMemoryRow *row = &g_array_index(fold->rows, FeMemoryRow, i);

        n_wrong += row->first_page != next;
        for (uint64_t page = 0; page < row->n_rows * row_pages;
             page += row->n_rows == 1 ? 1 : sample) {
            FeMemoryClass class = class_at((row->first_page + page) << MEM_PAGE_SHIFT);

            if (row->n_rows > 1) {
                n_wrong += class != row->class;
            } else if (fold->scale.cell_pages == 1) {
                n_wrong += class != (fold->cells->data[row->cells + page] & 0x7f);
            } else {
                n_wrong += class > fold->cells->data[row->cells + page / fold->scale.cell_pages];
            }
        }
        next += row->n_rows * row_pages;
        height += fe_memory_row_height(fold, row);
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_int_eq(height, fold->height);
}

static bool follow(const FeMemorySegment *segment, void *user)
{
    uint64_t *next = user;

    ck_assert_uint_eq(segment->first_page, *next);
    ck_assert_uint_gt(segment->n_pages, 0);
    ck_assert((segment->range == NULL) == (segment->class == FE_MEMORY_HOLE));
    *next += segment->n_pages;
    return true;
}

START_TEST(segments_follow_each_other)
{
    uint64_t next = 0;

    ck_assert(fe_memory_map_foreach(pgm, follow, &next));
    ck_assert_uint_eq(next, 65 * MIB / PAGE);
}
END_TEST

START_TEST(rows_and_bands_leave_nothing_out)
{
    g_autoptr(FeMemoryFold) fold = fe_memory_fold_new(pgm);
    unsigned n_bands = 0;

    check_fold(fold, 1);
    for (unsigned i = 0; i < fold->rows->len; i++) {
        n_bands += g_array_index(fold->rows, FeMemoryRow, i).n_rows > 1;
    }
    ck_assert_uint_eq(n_bands, 2); /* zero below and above the page at 33 MiB */
    ck_assert_uint_eq(fold->rows->len, 8 + 2 + 1);
}
END_TEST

START_TEST(what_looks_alike_is_one_band)
{
    g_autoptr(FeMemoryFold) fold = NULL;
    unsigned n = 0;

    setup_with(MIB);

    PgmMmio2 *buffer = pgm_mmio2_new(pgm, "vga", 0, 8 * MIB, false, "buffer", NULL);

    ck_assert_int_eq(pgm_mmio2_map(buffer, 16 * MIB, NULL), MEM_OK);
    dirty = pgm_dirty_new(pgm, "test", NULL);
    store(20 * MIB); /* the others are monitored: another state, the same look */
    fold = fe_memory_fold_new(pgm);
    for (unsigned i = 0; i < fold->rows->len; i++) {
        const FeMemoryRow *row = &g_array_index(fold->rows, FeMemoryRow, i);

        n += row->class == FE_MEMORY_MMIO2 && row->n_rows == 8 * MIB / PAGE / 32;
    }
    ck_assert_uint_eq(n, 1);
    /* But two ranges are two bands. */
    ck_assert_int_eq(pgm_ram_register(pgm, 2 * MIB, MIB, "more", NULL), MEM_OK);
    fe_memory_fold_free(fold);
    fold = fe_memory_fold_new(pgm);
    n = 0;
    for (unsigned i = 0; i < fold->rows->len; i++) {
        const FeMemoryRow *row = &g_array_index(fold->rows, FeMemoryRow, i);

        n += row->class == FE_MEMORY_ZERO && row->n_rows == MIB / PAGE / 32;
    }
    ck_assert_uint_eq(n, 2);
    teardown();
}
END_TEST

/* The square that @page is part of. */
static FeMemoryClass square_of(const FeMemoryFold *fold, uint64_t page)
{
    unsigned i = fold->rows->len - 1;

    while (g_array_index(fold->rows, FeMemoryRow, i).first_page > page) {
        i--;
    }
    const FeMemoryRow *row = &g_array_index(fold->rows, FeMemoryRow, i);
    uint64_t square = (page - row->first_page) / fold->scale.cell_pages;

    return row->n_rows > 1 ? row->class : fold->cells->data[row->cells + square] & 0x7f;
}

static const unsigned n_written[] = { 20, 100, 400, 1200, 3000 };

START_TEST(any_number_of_pages_fits)
{
    GRand *rand = g_rand_new_with_seed(4);
    g_autoptr(GArray) written = g_array_new(FALSE, FALSE, sizeof(GPhys));
    unsigned n_wrong = 0;

    setup_with(TIB);
    for (unsigned i = 0; i < n_written[_i]; i++) {
        GPhys gpa = MIB + (GPhys)(g_rand_double(rand) * (double)TIB);

        store(gpa);
        g_array_append_val(written, gpa);
    }
    g_rand_free(rand);

    g_autoptr(FeMemoryFold) fold = fe_memory_fold_new(pgm);
    g_autoptr(FePixels) picture = draw();

    ck_assert_uint_le(fold->rows->len, SIDE_MAX);
    if (fold->scale.cell_pages == 1) {
        check_fold(fold, 997);
    }
    for (unsigned i = 0; i < written->len; i++) {
        uint64_t page = g_array_index(written, GPhys, i) >> MEM_PAGE_SHIFT;

        n_wrong += square_of(fold, page) != FE_MEMORY_ALLOCATED;
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_lt(find(picture, fe_memory_class_colour(FE_MEMORY_ALLOCATED)),
                      (size_t)picture->width * picture->height);
    teardown();
}
END_TEST

START_TEST(many_ranges_and_an_empty_machine_fit)
{
    setup_with(MIB);
    for (GPhys i = 0; i < 5000; i++) {
        ck_assert_int_eq(pgm_ram_register(pgm, (i + 8) * 1024 * MIB, PAGE, "one of many", NULL),
                         MEM_OK);
    }
    fe_picture_free(draw());
    pgm_free(pgm);
    pgm = pgm_new(gmm, NULL, NULL);
    fe_picture_free(draw());
    teardown();
}
END_TEST

/* ---- JSON */

static JsonNode *load(const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    ck_assert(fe_memory_map_write_json(pgm, &title, path, &error));
    ck_assert_msg(json_parser_load_from_file(parser, path, &error), "%s",
                  error != NULL ? error->message : "");
    return json_node_copy(json_parser_get_root(parser));
}

static uint64_t hex(JsonObject *object, const char *member)
{
    return g_ascii_strtoull(json_object_get_string_member(object, member), NULL, 16);
}

/* Returns: pages that are not as the run says */
static uint64_t check_run(JsonObject *run, GPhys *next, uint64_t *n_shown)
{
    uint64_t n = (uint64_t)json_object_get_int_member(run, "pages");
    uint64_t n_wrong = n == 0 || hex(run, "start") != *next;

    for (uint64_t i = 0; i < n; i++, *next += PAGE) {
        PgmPageInfo info;

        if (!pgm_page_query(pgm, *next, &info)) {
            return n_wrong + 1;
        }
        n_wrong += strcmp(json_object_get_string_member(run, "type"),
                          pgm_page_type_name(info.type)) != 0 ||
                   strcmp(json_object_get_string_member(run, "state"),
                          pgm_page_state_name(info.state)) != 0 ||
                   json_object_get_boolean_member(run, "executed") != info.executed;
        n_shown[fe_memory_class(info.type, info.state)]++;
    }
    return n_wrong;
}

START_TEST(json_says_of_each_page_what_it_is)
{
    g_autoptr(JsonNode) node = load("map.json");
    JsonObject *root = json_node_get_object(node);
    JsonArray *ranges = json_object_get_array_member(root, "ranges");
    JsonObject *shown = json_object_get_object_member(root, "shown");
    uint64_t n_shown[FE_MEMORY_N_CLASSES] = { 0 };
    uint64_t n_wrong = 0;

    ck_assert_str_eq(json_object_get_string_member(root, "what"), "memory-picture");
    ck_assert_str_eq(json_object_get_string_member(root, "title"), title.what);
    ck_assert_int_eq(json_object_get_int_member(root, "guest_ns"), (gint64)title.guest_ns);
    ck_assert_uint_eq(json_array_get_length(ranges), pgm_range_count(pgm));
    for (unsigned i = 0; i < json_array_get_length(ranges); i++) {
        JsonObject *range = json_array_get_object_element(ranges, i);
        JsonArray *runs = json_object_get_array_member(range, "runs");
        GPhys next = hex(range, "start");
        PgmRangeInfo info;

        ck_assert(pgm_range_get(pgm, i, &info));
        ck_assert_str_eq(json_object_get_string_member(range, "name"), info.description);
        ck_assert_str_eq(json_object_get_string_member(range, "owner"), info.owner);
        ck_assert(json_object_get_boolean_member(range, "shadowed") == info.shadowed);
        ck_assert_uint_eq(next, info.start);
        for (unsigned k = 0; k < json_array_get_length(runs); k++) {
            n_wrong += check_run(json_array_get_object_element(runs, k), &next, n_shown);
        }
        ck_assert_uint_eq(next, info.start + info.len);
        ck_assert_uint_eq(hex(range, "size"), info.len);
    }
    ck_assert_uint_eq(n_wrong, 0);
    for (unsigned i = 1; i < FE_MEMORY_N_CLASSES; i++) {
        ck_assert_uint_eq(n_shown[i], (uint64_t)json_object_get_int_member(
                                          shown, fe_memory_class_name((FeMemoryClass)i)));
    }
}
END_TEST

START_TEST(json_counts_as_the_machine_does)
{
    g_autoptr(JsonNode) node = load("map.json");
    JsonObject *counted = json_object_get_object_member(json_node_get_object(node), "counted");
    PgmStats stats;

    pgm_get_stats(pgm, &stats);
    ck_assert_int_eq(json_object_get_int_member(counted, "all"), (gint64)stats.pages.all);
    ck_assert_int_eq(json_object_get_int_member(counted, "private"),
                     (gint64)stats.pages.private_pages);
    ck_assert_int_eq(json_object_get_int_member(counted, "zero"), (gint64)stats.pages.zero);
    ck_assert_int_eq(json_object_get_int_member(counted, "shared"), (gint64)stats.pages.shared);
    ck_assert_int_eq(json_object_get_int_member(counted, "mmio"), (gint64)stats.pages.pure_mmio);
    ck_assert_int_eq(json_object_get_int_member(counted, "monitored"),
                     (gint64)stats.pages.monitored);
    ck_assert_int_eq(json_object_get_int_member(counted, "ballooned"),
                     (gint64)stats.pages.ballooned);
}
END_TEST

START_TEST(file_that_cannot_be_written_is_named)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!fe_memory_map_write_json(pgm, &title, "/nowhere/at/all.json", &error));
    ck_assert_ptr_nonnull(strstr(error->message, "/nowhere/at/all.json"));
}
END_TEST

static void *no_memory(G_GNUC_UNUSED size_t len)
{
    return NULL;
}

START_TEST(without_memory_there_is_no_picture)
{
    MemOs poor = *mem_os_host();

    poor.try_alloc0 = no_memory;
    mem_os_set(&poor);
    ck_assert_ptr_null(fe_memory_picture_draw(pgm, &title));
    mem_os_set(mem_os_host());
    fe_picture_free(draw());
}
END_TEST

static const struct {
    uint64_t n_pages;
    const char *words;
} sizes[] = {
    { 0, "0 KiB" },      { 1, "4 KiB" },       { 256, "1 MiB" },      { 32496, "127 MiB" },
    { 300, "1.17 MiB" }, { 4070, "15.9 MiB" }, { 1u << 28, "1 TiB" }, { 255, "1020 KiB" },
};

START_TEST(sizes_in_words)
{
    g_autofree char *words = fe_memory_size_words(sizes[_i].n_pages);

    ck_assert_str_eq(words, sizes[_i].words);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory-picture");
    TCase *built = tcase_create("built");
    TCase *free_hand = tcase_create("free");

    tcase_add_checked_fixture(built, setup, teardown);
    tcase_add_test(built, each_page_has_its_colour_at_its_place);
    tcase_add_test(built, segments_follow_each_other);
    tcase_add_test(built, rows_and_bands_leave_nothing_out);
    tcase_add_test(built, json_says_of_each_page_what_it_is);
    tcase_add_test(built, json_counts_as_the_machine_does);
    tcase_add_test(built, file_that_cannot_be_written_is_named);
    tcase_add_test(built, without_memory_there_is_no_picture);
    suite_add_tcase(suite, built);
    tcase_set_timeout(free_hand, 60);
    tcase_add_test(free_hand, classes_can_be_told_apart);
    tcase_add_test(free_hand, all_characters_are_drawn_and_differ);
    tcase_add_test(free_hand, drawing_is_clipped);
    tcase_add_test(free_hand, what_looks_alike_is_one_band);
    tcase_add_loop_test(free_hand, any_number_of_pages_fits, 0, G_N_ELEMENTS(n_written));
    tcase_add_test(free_hand, many_ranges_and_an_empty_machine_fit);
    tcase_add_loop_test(free_hand, sizes_in_words, 0, G_N_ELEMENTS(sizes));
    suite_add_tcase(suite, free_hand);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
