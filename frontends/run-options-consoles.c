/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of `quire run` about what is seen and typed: consoles, the keyboard, pictures of the
 * screen and of memory.
 */
#include "fail.h"
#include "run-options-internal.h"

#include <string.h>

static bool parse_sink(const FeRunOptions *options, const char *value, FeSink *ret_sink,
                       GError **error)
{
    bool file = g_str_has_prefix(value, "file:") && value[5] != '\0';

    if (!file && strcmp(value, "stdio") != 0 && strcmp(value, "null") != 0) {
        return fe_fail(error, "'%s' is no place to write to: say stdio, null or file:PATH", value);
    }
    ret_sink->kind = file ? FE_SINK_FILE : (value[0] == 's' ? FE_SINK_STDIO : FE_SINK_NULL);
    ret_sink->path = file ? fe_run_options_path(options, value + 5) : NULL;
    ret_sink->given = true;
    return true;
}

static bool set_serial(void *target, const char *value, GError **error)
{
    return parse_sink(target, value, &((FeRunOptions *)target)->serial, error);
}

static bool set_debugcon(void *target, const char *value, GError **error)
{
    return parse_sink(target, value, &((FeRunOptions *)target)->debugcon, error);
}

static bool set_type(void *target, const char *value, GError **error)
{
    FeTyped typed = { NULL, NULL };

    if (!dev_typist_check(value, error)) {
        return false;
    }
    typed.text = g_strdup(value);
    g_array_append_val(((FeRunOptions *)target)->typed, typed);
    return true;
}

/* It belongs to the --type in front of it. */
static bool set_type_at(void *target, const char *value, GError **error)
{
    const FeRunOptions *options = target;
    GArray *all = options->typed;
    FeTyped *typed =
        all->len > options->n_typed_in_file ? &g_array_index(all, FeTyped, all->len - 1) : NULL;

    if (typed == NULL) {
        return fe_fail(error, "say what to type first: --type TEXT --type-at MOMENT");
    }
    if (typed->at != NULL) {
        return fe_fail(error,
                       "--type '%s' has a moment already: each --type-at needs a --type "
                       "TEXT in front of it",
                       typed->text);
    }
    typed->at = fe_moment_parse(value, error);
    return typed->at != NULL;
}

static const char *const screen_suffixes[] = { ".png", ".txt", NULL };
static const char *const png_suffix[] = { ".png", NULL };
static const char *const memory_suffixes[] = { ".png", ".json", NULL };

#define SAY_MEMORY "say FILE.png for a picture or FILE.json for data"

static bool set_screen(void *target, const char *value, GError **error)
{
    if (!fe_check_suffix(value, screen_suffixes,
                         "say FILE.png for pixels or FILE.txt for characters", error)) {
        return false;
    }
    g_ptr_array_add(((FeRunOptions *)target)->screens, fe_run_options_path(target, value));
    return true;
}

/* "SECONDS DIR". */
static bool set_screen_every(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;
    size_t len = strcspn(value, " ");
    g_autofree char *seconds = g_strndup(value, len);
    const char *folder = value + len + strspn(value + len, " ");

    if (!fe_parse_seconds(seconds, &options->screen_every_ns, error)) {
        return false;
    }
    if (folder[0] == '\0') {
        return fe_fail(error, "say a folder too, for example %s shots", seconds);
    }
    if (options->screen_every_ns == 0) {
        return fe_fail(error, "no time at all between two pictures: say for example 0.1 %s",
                       folder);
    }
    options->screen_dir = fe_run_options_path(options, folder);
    return true;
}

static bool set_memory_picture(void *target, const char *value, GError **error)
{
    if (!fe_check_suffix(value, memory_suffixes, SAY_MEMORY, error)) {
        return false;
    }
    g_ptr_array_add(((FeRunOptions *)target)->memory_pictures, fe_run_options_path(target, value));
    return true;
}

/* @what: of fe_check_suffix() */
static bool parse_film(const char *text, const char *const *suffixes, const char *what,
                       FeFilm *ret_film, GError **error)
{
    static const char word[] = ",every=";
    const char *at = g_strrstr(text, word);
    g_autofree char *path = at != NULL ? g_strndup(text, (size_t)(at - text)) : g_strdup(text);
    uint64_t every_ns = 0;

    if (at != NULL && !fe_parse_seconds(at + strlen(word), &every_ns, error)) {
        return false;
    }
    if (at != NULL && every_ns == 0) {
        return fe_fail(error, "no time at all between two pictures: say for example %s,every=0.1",
                       path);
    }
    if (!fe_check_suffix(path, suffixes, what, error)) {
        return false;
    }
    ret_film->path = g_steal_pointer(&path);
    ret_film->every_ns = every_ns;
    return true;
}

bool fe_film_parse(const char *text, FeFilm *ret_film, GError **error)
{
    return parse_film(text, memory_suffixes, SAY_MEMORY ", perhaps with ,every=SECONDS", ret_film,
                      error);
}

bool fe_record_parse(const char *text, FeFilm *ret_film, GError **error)
{
    return parse_film(text, png_suffix,
                      "say FILE.png, perhaps with ,every=SECONDS: the record is an animated PNG",
                      ret_film, error);
}

static bool set_screen_record(void *target, const char *value, GError **error)
{
    FeFilm film = { NULL, 0 };

    if (!fe_record_parse(value, &film, error)) {
        return false;
    }
    g_free(film.path);
    ((FeRunOptions *)target)->screen_record = fe_run_options_path(target, value);
    return true;
}

static bool set_memory_film(void *target, const char *value, GError **error)
{
    FeFilm film = { NULL, 0 };

    if (!fe_film_parse(value, &film, error)) {
        return false;
    }
    g_free(film.path);
    g_ptr_array_add(((FeRunOptions *)target)->memory_films, fe_run_options_path(target, value));
    return true;
}

const FeOption fe_console_options[] = {
    FE_ONE("serial", "stdio|null|file:PATH", "stdio",
           "first serial port (default stdio: stdin is typed into it)", "Consoles and keyboard",
           set_serial),
    FE_ONE("debugcon", "stdio|null|file:PATH", "file:bios.log",
           "debug port 402, SeaBIOS's messages (default null)", NULL, set_debugcon),
    FE_MANY("type", "TEXT", "'dir\\n'",
            "type on the keyboard: \\n is Enter, \\t Tab, \\b Backspace, \\e Escape,\n"
            "{F12} {Up} {Ctrl-C} other keys, {Wait 0.5} a rest; as often as\n"
            "wanted, one after the other",
            NULL, set_type),
    FE_MANY("type-at", "MOMENT", "text:boot:",
            "when the --type in front of it begins (as --until has them)", NULL, set_type_at),
    FE_MANY("screen", "FILE.png|FILE.txt", "screen.png",
            "what the screen shows at the end, as pixels or as characters", "Pictures", set_screen),
    { "screen-every", "SECONDS DIR", "0.1 shots",
      "a picture of the screen in this folder each time so much guest time\n"
      "is over and it has changed, and at the end; DIR/index.txt has the\n"
      "times; a DIR that has pictures of another run is refused",
      FE_VALUE_TWO, false, NULL, set_screen_every },
    FE_ONE("screen-record", "FILE.png[,every=SECONDS]", "boot.png",
           "all that the screen showed, as an animated PNG; looked at 25 times\n"
           "a second of guest time, at first more often, or so often; what took\n"
           "less than 4 s is played slowly",
           NULL, set_screen_record),
    FE_MANY("memory-picture", "FILE.png|FILE.json", "memory.png",
            "a map of the guest's memory at the end, each page by its kind and\n"
            "state",
            NULL, set_memory_picture),
    FE_MANY("memory-film", "FILE[,every=SECONDS]", "film.png",
            "which pages are written over time; .png or .json", NULL, set_memory_film),
    { 0 },
};
