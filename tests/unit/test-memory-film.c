/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Films: pages written in known slices are in these and no others; however long it runs, a film is
 * what one with such slices from the start would have been; units that outgrow the film are merged;
 * JSON and picture show the same.
 */
#include "emu/clock.h"
#include "frontends/memory-film-picture.h"
#include "frontends/memory-json.h"
#include "memsys/access.h"
#include "memsys/mm.h"
#include "memsys/mmio2.h"

#include <check.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>

#define PAGE MEM_PAGE_SIZE
#define N_PAGES 64
#define N_STEPS 20000
#define BUFFER UINT64_C(0x80000000)
#define NS 1000

static Gmm *gmm;
static Pgm *pgm;
static FeMemoryFilm *film;
static uint64_t due;
static const FeMemoryTitle title = { "a test", 5 };

static void setup(void)
{
    gmm = gmm_new(UINT64_C(4) << 30, NULL);
    ck_assert_ptr_nonnull(gmm);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
    ck_assert_int_eq(mm_register_x86(pgm, UINT64_C(64) << 20, 0, NULL), MEM_OK);
}

static void teardown(void)
{
    g_clear_pointer(&film, fe_memory_film_free);
    g_clear_pointer(&pgm, pgm_free);
    g_clear_pointer(&gmm, gmm_free);
}

static void start(uint64_t now, uint64_t slice)
{
    film = fe_memory_film_new(pgm, now, slice, NULL);
    ck_assert_ptr_nonnull(film);
    due = fe_memory_film_look(film, now);
}

static void store(uint64_t page)
{
    ck_assert_int_eq(pgm_write_u8(pgm, page * PAGE, 1), MEM_OK);
}

static void look(uint64_t now)
{
    due = fe_memory_film_look(film, now);
}

static FeFilmFrame frame(void)
{
    FeFilmFrame found;

    fe_memory_film_get_frame(film, &found);
    return found;
}

/* The unit's slices as text: "x..x". */
static char *slices_of(uint64_t page)
{
    unsigned n = 0;
    const FeFilmUnit *units = fe_memory_film_units(film, &n);
    unsigned n_slices = frame().n_slices;
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        if (units[i].space == 0 && units[i].page == page) {
            for (unsigned s = 0; s < n_slices; s++) {
                g_string_append_c(text, fe_film_unit_written(&units[i], s) ? 'x' : '.');
            }
        }
    }
    return g_string_free(text, FALSE);
}

static void check_slices(uint64_t page, const char *want)
{
    g_autofree char *text = slices_of(page);

    ck_assert_str_eq(text, want);
}

/* ---- slices */

START_TEST(page_is_in_the_slices_it_was_written_in)
{
    store(3); /* before it began */
    start(0, NS);
    ck_assert_uint_eq(due, NS);
    store(1);
    look(NS);
    ck_assert_uint_eq(due, 2 * NS);
    store(2);
    look(2 * NS);
    look(3 * NS);
    store(1);
    store(2);
    look(3 * NS + 10);

    FeFilmFrame found = frame();

    ck_assert_uint_eq(found.n_slices, 4);
    ck_assert_uint_eq(found.slice_ns, NS);
    ck_assert_uint_eq(found.end_ns, 3 * NS + 10);
    ck_assert_uint_eq(found.unit_pages, 1);
    check_slices(1, "x..x");
    check_slices(2, ".x.x");
    check_slices(3, "");
}
END_TEST

START_TEST(slices_begin_where_the_film_does)
{
    start(12345, NS);
    ck_assert_uint_eq(due, 12345 + NS);
    store(1);
    look(12345 + NS + 30); /* a little late */
    ck_assert_uint_eq(due, 12345 + 2 * NS);
    store(2);
    look(12345 + 5 * NS); /* time jumped over some */
    ck_assert_uint_eq(due, 12345 + 6 * NS);
    check_slices(1, "x....");
    check_slices(2, ".x...");
    ck_assert_uint_eq(frame().start_ns, 12345);
}
END_TEST

START_TEST(what_comes_at_the_very_end_is_not_lost)
{
    start(0, NS);
    look(NS);
    ck_assert_uint_eq(frame().n_slices, 1);
    store(1);
    look(NS);
    check_slices(1, ".x");
}
END_TEST

START_TEST(no_time_at_all_is_no_slice)
{
    start(7, 0);
    ck_assert_uint_eq(frame().n_slices, 0);
    ck_assert_uint_eq(frame().slice_ns, FE_FILM_SLICE_NS);
    ck_assert_uint_eq(due, 7 + FE_FILM_SLICE_NS);
}
END_TEST

START_TEST(slices_double_when_there_are_too_many)
{
    start(0, NS);
    for (uint64_t now = 0; now < FE_FILM_SLICES * NS; now += NS) {
        ck_assert_uint_eq(due, now + NS);
        if (now / NS % 4 == 1) {
            store(1); /* second quarter of each four */
        }
        look(now + NS);
    }
    ck_assert_uint_eq(frame().slice_ns, 2 * NS);
    ck_assert_uint_eq(frame().n_slices, FE_FILM_SLICES / 2);
    ck_assert_uint_eq(due, (FE_FILM_SLICES + 2) * NS);

    g_autofree char *text = slices_of(1);

    for (unsigned i = 0; i < FE_FILM_SLICES / 2; i++) {
        ck_assert_int_eq(text[i], i % 2 == 0 ? 'x' : '.');
    }
    look(UINT64_C(1) << 62); /* a hundred years later */
    ck_assert_uint_le(frame().n_slices, FE_FILM_SLICES);

    g_autofree char *merged = slices_of(1);

    ck_assert_int_eq(merged[0], 'x');
    look(EMU_CLOCK_NEVER - 1);
    ck_assert_uint_eq(due, EMU_CLOCK_NEVER);
}
END_TEST

/* When each page was written, for films of all lengths. */
typedef struct Model {
    GArray *times[N_PAGES];
} Model;

static bool model_says(const Model *model, uint64_t page, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < model->times[page]->len; i++) {
        uint64_t time = g_array_index(model->times[page], uint64_t, i);

        if (time >= from && time < to) {
            return true;
        }
    }
    return false;
}

static uint64_t compare(const Model *model)
{
    unsigned n = 0;
    const FeFilmUnit *units = fe_memory_film_units(film, &n);
    FeFilmFrame found = frame();
    uint64_t n_wrong = 0;

    for (unsigned i = 0; i < n; i++) {
        for (unsigned s = 0; s < FE_FILM_SLICES; s++) {
            uint64_t from = found.start_ns + s * found.slice_ns;

            n_wrong += fe_film_unit_written(&units[i], s) !=
                       model_says(model, units[i].page, from, from + found.slice_ns);
        }
    }
    return n_wrong;
}

START_TEST(a_long_film_is_what_long_slices_show)
{
    GRand *rand = g_rand_new_with_seed((guint32)_i + 1);
    Model model;
    unsigned n_written = 0;
    uint64_t now = 500;
    unsigned n = 0;

    start(now, 10);
    for (unsigned i = 0; i < N_PAGES; i++) {
        model.times[i] = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    }
    for (unsigned step = 0; step < N_STEPS; step++) {
        if (g_rand_int_range(rand, 0, 16) == 0) {
            uint64_t page = (uint64_t)g_rand_int_range(rand, 0, N_PAGES);

            store(page);
            g_array_append_val(model.times[page], now);
        }
        now += (uint64_t)g_rand_int_range(rand, 0, 7);
        if (now >= due) {
            now = due;
            look(now);
        }
    }
    look(now);
    ck_assert_uint_eq(compare(&model), 0);
    ck_assert_uint_gt(frame().slice_ns, 10 * 4);
    (void)fe_memory_film_units(film, &n);
    for (unsigned i = 0; i < N_PAGES; i++) {
        n_written += model.times[i]->len > 0;
        g_array_unref(model.times[i]);
    }
    ck_assert_uint_eq(n, n_written);
    g_rand_free(rand);
}
END_TEST

/* ---- units */

START_TEST(pages_that_are_too_many_become_larger_units)
{
    const uint64_t n_pages = 3 * FE_FILM_UNITS;
    PgmMmio2 *buffer = pgm_mmio2_new(pgm, "test", 0, n_pages * PAGE, false, "buffer", NULL);
    unsigned n = 0;
    unsigned n_wrong = 0;

    ck_assert_ptr_nonnull(buffer);
    ck_assert_int_eq(pgm_mmio2_map(buffer, BUFFER, NULL), MEM_OK);
    start(0, NS);
    store(1);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(buffer, 5 * PAGE, PAGE), MEM_OK);
    look(NS);
    /* Says that it writes; the host gives no memory for that. */
    ck_assert_int_eq(pgm_mmio2_mark_dirty(buffer, 0, n_pages * PAGE), MEM_OK);
    look(2 * NS);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(buffer, 5 * PAGE, PAGE), MEM_OK);
    look(3 * NS);

    const FeFilmUnit *units = fe_memory_film_units(film, &n);

    ck_assert_uint_eq(frame().unit_pages, 4);
    ck_assert_uint_eq(n, 1 + n_pages / 4);
    ck_assert_uint_eq(units[0].page, 0);
    ck_assert_uint_eq(units[0].written[0], 1);
    for (unsigned i = 1; i < n; i++) {
        n_wrong += units[i].page != (BUFFER / PAGE) + (i - 1) * UINT64_C(4) ||
                   units[i].written[0] != (i == 2 ? 7 : 2);
    }
    ck_assert_uint_eq(n_wrong, 0);
    fe_picture_free(fe_memory_film_draw(film, pgm, &title));
}
END_TEST

START_TEST(memory_that_is_mapped_nowhere_has_its_name)
{
    PgmMmio2 *buffer = pgm_mmio2_new(pgm, "test", 0, 16 * PAGE, false, "buffer", NULL);
    unsigned n = 0;

    start(0, NS);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(buffer, 3 * PAGE, PAGE), MEM_OK);
    look(NS);

    const FeFilmUnit *units = fe_memory_film_units(film, &n);

    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(units[0].space, 1);
    ck_assert_uint_eq(units[0].page, 3);
    ck_assert_str_eq(fe_memory_film_space_name(film, 1), "buffer");
    fe_picture_free(fe_memory_film_draw(film, pgm, &title));
}
END_TEST

START_TEST(a_client_too_many_is_refused)
{
    PgmDirty *others[PGM_DIRTY_MAX_CLIENTS];
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        others[i] = pgm_dirty_new(pgm, "other", NULL);
    }
    ck_assert_ptr_null(fe_memory_film_new(pgm, 0, 0, &error));
    ck_assert_ptr_nonnull(error);
    for (unsigned i = 0; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        pgm_dirty_free(others[i]);
    }
}
END_TEST

/* ---- JSON and picture */

static JsonNode *load(void)
{
    g_autofree char *folder = g_dir_make_tmp("quire-film-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "film.json", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    ck_assert(fe_memory_film_write_json(film, &title, path, &error));
    ck_assert_msg(json_parser_load_from_file(parser, path, &error), "%s",
                  error != NULL ? error->message : "");
    ck_assert_int_eq(g_unlink(path), 0);
    ck_assert_int_eq(g_rmdir(folder), 0);
    return json_node_copy(json_parser_get_root(parser));
}

/* The bit of each slice and page that the JSON speaks of. */
static void read_units(JsonArray *units, bool written[N_PAGES][FE_FILM_SLICES])
{
    for (unsigned i = 0; i < json_array_get_length(units); i++) {
        JsonObject *unit = json_array_get_object_element(units, i);
        JsonArray *runs = json_object_get_array_member(unit, "written");
        uint64_t start_page =
            g_ascii_strtoull(json_object_get_string_member(unit, "start"), NULL, 16) / PAGE;

        for (int64_t n = 0; n < json_object_get_int_member(unit, "n"); n++) {
            for (unsigned r = 0; r < json_array_get_length(runs); r++) {
                JsonArray *run = json_array_get_array_element(runs, r);
                int64_t first = json_array_get_int_element(run, 0);

                for (int64_t s = 0; s < json_array_get_int_element(run, 1); s++) {
                    written[start_page + (uint64_t)n][first + s] = true;
                }
            }
        }
    }
}

START_TEST(json_says_when_each_page_was_written)
{
    static bool written[N_PAGES][FE_FILM_SLICES];
    static bool wanted[N_PAGES][FE_FILM_SLICES];
    static const unsigned at_once[] = { N_PAGES - 8, N_PAGES - 7, N_PAGES - 4, N_PAGES - 2 };
    GRand *rand = g_rand_new_with_seed(9);
    uint64_t n_wrong = 0;

    start(0, NS);
    for (unsigned slice = 0; slice < 100; slice++) {
        for (unsigned i = 0; i < 20; i++) {
            unsigned page = (unsigned)g_rand_int_range(rand, 0, N_PAGES - 10);

            store(page);
            wanted[page][slice] = true;
        }
        if (slice == 7) {
            /* In the same slice, neighbours and not. */
            for (unsigned i = 0; i < G_N_ELEMENTS(at_once); i++) {
                store(at_once[i]);
                wanted[at_once[i]][slice] = true;
            }
        }
        look((slice + 1) * NS);
    }
    g_rand_free(rand);

    g_autoptr(JsonNode) node = load();
    JsonObject *root = json_node_get_object(node);
    JsonArray *slices = json_object_get_array_member(root, "slices");

    read_units(json_object_get_array_member(root, "units"), written);
    ck_assert_uint_eq(json_array_get_length(slices), 100);
    for (unsigned slice = 0; slice < 100; slice++) {
        int64_t n = 0;

        for (unsigned page = 0; page < N_PAGES; page++) {
            n += wanted[page][slice];
            n_wrong += wanted[page][slice] != written[page][slice];
        }
        n_wrong += n != json_array_get_int_element(slices, slice);
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_int_eq(json_object_get_int_member(root, "slice_ns"), NS);
    ck_assert_int_eq(json_object_get_int_member(root, "end_ns"), 100 * NS);
    ck_assert_str_eq(json_object_get_string_member(root, "what"), "memory-film");
}
END_TEST

/* Where a colour is first met, and how far it goes to the right. */
static unsigned run_of(const FePixels *picture, uint32_t colour, unsigned *ret_x)
{
    size_t i = 0;
    size_t n = (size_t)picture->width * picture->height;
    unsigned len = 0;

    while (i < n && picture->pixels[i] != colour) {
        i++;
    }
    *ret_x = (unsigned)(i % picture->width);
    while (i + len < n && picture->pixels[i + len] == colour) {
        len++;
    }
    return len;
}

START_TEST(picture_has_heat_where_pages_were_written)
{
    unsigned first_x = 0;
    unsigned second_x = 0;

    start(0, NS);
    store(8);
    store(9);
    look(NS);
    store(8);
    look(2 * NS);

    g_autoptr(FePixels) picture = fe_memory_film_draw(film, pgm, &title);

    ck_assert_uint_eq(run_of(picture, fe_picture_heat(2, 2), &first_x), 300);
    ck_assert_uint_eq(run_of(picture, fe_picture_heat(1, 2), &second_x), 300);
    ck_assert_uint_eq(second_x, first_x + 300);
}
END_TEST

START_TEST(picture_of_anything_is_bounded)
{
    GRand *rand = g_rand_new_with_seed(3);

    ck_assert_int_eq(pgm_ram_register(pgm, UINT64_C(1) << 40, UINT64_C(1) << 40, "huge", NULL),
                     MEM_OK);
    start(0, NS);
    fe_picture_free(fe_memory_film_draw(film, pgm, &title)); /* of nothing */
    for (unsigned i = 0; i < 2000; i++) {
        store((UINT64_C(1) << 28) + g_rand_int(rand) % (1u << 28));
        look((i + 1) * NS);
    }
    g_rand_free(rand);

    g_autoptr(FePixels) picture = fe_memory_film_draw(film, pgm, &title);

    ck_assert_ptr_nonnull(picture);
    ck_assert(picture->width <= 2000 && picture->height <= 2000);
}
END_TEST

START_TEST(picture_of_memory_mapped_nowhere_is_bounded)
{
    PgmMmio2 *buffers[FE_FILM_SPACES + 40];
    const unsigned n_buffers = G_N_ELEMENTS(buffers);
    unsigned n = 0;

    for (unsigned i = 0; i < n_buffers; i++) {
        g_autofree char *name = g_strdup_printf("buffer %u", i);

        buffers[i] = pgm_mmio2_new(pgm, "test", i, PAGE, false, name, NULL);
        ck_assert_ptr_nonnull(buffers[i]);
    }
    start(0, NS);
    store(8);
    for (unsigned i = 0; i < n_buffers; i++) {
        ck_assert_int_eq(pgm_mmio2_mark_dirty(buffers[i], 0, PAGE), MEM_OK);
        look((i + 1) * NS); /* so that the order is known */
    }
    const FeFilmUnit *units = fe_memory_film_units(film, &n);

    ck_assert_uint_eq(n, 1 + FE_FILM_SPACES);
    ck_assert_uint_eq(units[n - 1].space, FE_FILM_SPACES);
    ck_assert_str_eq(fe_memory_film_space_name(film, FE_FILM_SPACES - 1), "buffer 126");
    ck_assert_str_eq(fe_memory_film_space_name(film, FE_FILM_SPACES), "(more)");

    g_autoptr(FePixels) picture = fe_memory_film_draw(film, pgm, &title);

    ck_assert(picture->width <= 2000 && picture->height <= 2000);
    /* Rows of all of them: one for guest addresses, too. */
    ck_assert_uint_gt(picture->height, 11 * FE_FILM_SPACES);
}
END_TEST

START_TEST(heat_grows_darker_evenly)
{
    double last = 1000;

    for (unsigned value = 1; value <= 9; value++) {
        uint32_t c = fe_picture_heat(value, 9);
        double light = 0.30 * (c >> 16) + 0.59 * (c >> 8 & 0xff) + 0.11 * (c & 0xff);

        ck_assert(light < last);
        last = light;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory-film");
    TCase *tcase = tcase_create("memory-film");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, page_is_in_the_slices_it_was_written_in);
    tcase_add_test(tcase, slices_begin_where_the_film_does);
    tcase_add_test(tcase, what_comes_at_the_very_end_is_not_lost);
    tcase_add_test(tcase, no_time_at_all_is_no_slice);
    tcase_add_test(tcase, slices_double_when_there_are_too_many);
    tcase_add_loop_test(tcase, a_long_film_is_what_long_slices_show, 0, 4);
    tcase_add_test(tcase, pages_that_are_too_many_become_larger_units);
    tcase_add_test(tcase, memory_that_is_mapped_nowhere_has_its_name);
    tcase_add_test(tcase, a_client_too_many_is_refused);
    tcase_add_test(tcase, json_says_when_each_page_was_written);
    tcase_add_test(tcase, picture_has_heat_where_pages_were_written);
    tcase_add_test(tcase, picture_of_anything_is_bounded);
    tcase_add_test(tcase, picture_of_memory_mapped_nowhere_is_bounded);
    tcase_add_test(tcase, heat_grows_darker_evenly);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
