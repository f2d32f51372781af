/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures and films of memory of one run; see memory-files.h. Films with slices of the same length
 * are one.
 */
#include "memory-files.h"

#include "fail.h"
#include "memory-film-picture.h"
#include "memory-film.h"
#include "memory-json.h"
#include "memory-picture.h"
#include "say.h"

#include <string.h>

typedef struct Film {
    FeMemoryFilm *film;
    uint64_t slice_ns; /* as asked for */
    FeTick tick;
    GPtrArray *paths; /* of char * */
} Film;

struct FeMemoryFiles {
    FeGuest *guest;
    GPtrArray *films; /* of Film */
};

static uint64_t now_ns(const FeMemoryFiles *memory)
{
    return emu_clock_now(emu_machine_clock(memory->guest->machine));
}

static Pgm *pgm_of(const FeMemoryFiles *memory)
{
    return emu_machine_pgm(memory->guest->machine);
}

static void free_film(void *data)
{
    Film *film = data;

    fe_memory_film_free(film->film);
    g_ptr_array_unref(film->paths);
    g_free(film);
}

static bool look(void *user, uint64_t now, G_GNUC_UNUSED GError **error)
{
    Film *film = user;

    film->tick.due_ns = fe_memory_film_look(film->film, now);
    return true;
}

/* The one with such slices; a new one if there is none. */
static Film *get_film(FeMemoryFiles *memory, uint64_t slice_ns, GError **error)
{
    for (unsigned i = 0; i < memory->films->len; i++) {
        Film *film = g_ptr_array_index(memory->films, i);

        if (film->slice_ns == slice_ns) {
            return film;
        }
    }
    uint64_t now = now_ns(memory);
    FeMemoryFilm *inner = fe_memory_film_new(pgm_of(memory), now, slice_ns, error);

    if (inner == NULL) {
        g_prefix_error(error, "--memory-film: ");
        return NULL;
    }
    Film *film = g_new0(Film, 1);

    film->film = inner;
    film->slice_ns = slice_ns;
    film->tick = (FeTick) { fe_memory_film_look(inner, now), look, film };
    film->paths = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(memory->films, film);
    return film;
}

static bool add_film(FeMemoryFiles *memory, FeFiles *files, const char *word, GError **error)
{
    FeFilm wanted = { NULL, 0 };

    if (!fe_film_parse(word, &wanted, error)) {
        g_prefix_error(error, "--memory-film: ");
        return false;
    }
    g_autofree char *path = wanted.path;

    if (!fe_files_add_replaced(files, "--memory-film", path, error)) {
        return false;
    }
    Film *film = get_film(memory, wanted.every_ns, error);

    if (film != NULL) {
        g_ptr_array_add(film->paths, g_steal_pointer(&path));
    }
    return film != NULL;
}

FeMemoryFiles *fe_memory_files_new(FeGuest *guest, FeFiles *files, GError **error)
{
    const FeRunOptions *options = guest->options;
    g_autoptr(FeMemoryFiles) memory = g_new0(FeMemoryFiles, 1);

    memory->guest = guest;
    memory->films = g_ptr_array_new_with_free_func(free_film);
    for (unsigned i = 0; i < options->memory_pictures->len; i++) {
        if (!fe_files_add_replaced(files, "--memory-picture",
                                   g_ptr_array_index(options->memory_pictures, i), error)) {
            return NULL;
        }
    }
    for (unsigned i = 0; i < options->memory_films->len; i++) {
        if (!add_film(memory, files, g_ptr_array_index(options->memory_films, i), error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&memory);
}

void fe_memory_files_free(FeMemoryFiles *memory)
{
    if (memory != NULL) {
        g_ptr_array_unref(memory->films);
        g_free(memory);
    }
}

void fe_memory_files_add_ticks(FeMemoryFiles *memory, GPtrArray *ticks)
{
    for (unsigned i = 0; i < memory->films->len; i++) {
        g_ptr_array_add(ticks, &((Film *)g_ptr_array_index(memory->films, i))->tick);
    }
}

/* ---- at the end */

/* What ran: the first of these that was asked for, and how much RAM there was. (transfer full) */
static char *describe_run(const FeMemoryFiles *memory)
{
    const FeRunOptions *options = memory->guest->options;
    const GPtrArray *roms = memory->guest->roms;
    const char *path = roms->len > 0 ? ((const FeRomFile *)g_ptr_array_index(roms, 0))->path : NULL;

    if (options->kernel != NULL) {
        path = options->kernel;
    } else if (options->drives->len > 0) {
        path = g_array_index(options->drives, FeDrive, 0).path;
    }
    g_autofree char *name = path != NULL ? g_path_get_basename(path) : g_strdup("no firmware");
    g_autofree char *size = fe_format_size(options->memory);

    return g_strdup_printf("%s, %s of RAM", name, size);
}

static bool write_png(const char *path, FePixels *drawn, const FeMemoryTitle *title, GError **error)
{
    g_autoptr(FePixels) picture = drawn;

    if (picture == NULL) {
        return fe_fail(error, "%s: no memory to draw it", path);
    }
    return fe_png_write(path, picture, title->what, error);
}

static bool is_json(const char *path)
{
    return g_str_has_suffix(path, ".json");
}

/* What went wrong is said, if anything. */
static bool say_trouble(const char *option, bool good, const GError *error)
{
    if (!good) {
        fe_say("%s: %s", option, error->message);
    }
    return good;
}

static bool write_picture(const FeMemoryFiles *memory, const char *path, const FeMemoryTitle *title)
{
    g_autoptr(GError) error = NULL;
    Pgm *pgm = pgm_of(memory);
    bool good = is_json(path) ? fe_memory_map_write_json(pgm, title, path, &error)
                              : write_png(path, fe_memory_picture_draw(pgm, title), title, &error);

    return say_trouble("--memory-picture", good, error);
}

static bool write_film(const FeMemoryFiles *memory, Film *film, const char *path,
                       const FeMemoryTitle *title)
{
    g_autoptr(GError) error = NULL;
    bool good = is_json(path)
                    ? fe_memory_film_write_json(film->film, title, path, &error)
                    : write_png(path, fe_memory_film_draw(film->film, pgm_of(memory), title), title,
                                &error);

    return say_trouble("--memory-film", good, error);
}

bool fe_memory_files_write(FeMemoryFiles *memory)
{
    const GPtrArray *pictures = memory->guest->options->memory_pictures;
    g_autofree char *what = describe_run(memory);
    FeMemoryTitle title = { what, now_ns(memory) };
    bool good = true;

    for (unsigned i = 0; i < memory->films->len; i++) {
        (void)look(g_ptr_array_index(memory->films, i), title.guest_ns, NULL);
    }
    for (unsigned i = 0; i < pictures->len; i++) {
        good &= write_picture(memory, g_ptr_array_index(pictures, i), &title);
    }
    for (unsigned i = 0; i < memory->films->len; i++) {
        Film *film = g_ptr_array_index(memory->films, i);

        for (unsigned k = 0; k < film->paths->len; k++) {
            good &= write_film(memory, film, g_ptr_array_index(film->paths, k), &title);
        }
    }
    return good;
}
