/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of the screen; see screen-shots.h.
 */
#include "screen-shots.h"

#include "fail.h"
#include "png-file.h"
#include "say.h"
#include "screen-internal.h"
#include "whole-file.h"

#include <string.h>

#define OPTION "--screen"

G_STATIC_ASSERT(DEV_SCREEN_MAX_WIDTH <= FE_PNG_MAX_SIDE);
G_STATIC_ASSERT(DEV_SCREEN_MAX_HEIGHT <= FE_PNG_MAX_SIDE);

struct FeScreenShots {
    const FeRunOptions *options;
    const EmuClock *clock;
    FeScreenView view;
    FeScreenSeries *series; /* NULL: none, as below */
    FeScreenRecord *record;
};

bool fe_screen_view_look(FeScreenView *view, DevPicture *ret_picture, GError **error)
{
    view->generation += dev_screen_update(view->screen, NULL);
    dev_screen_get_picture(view->screen, ret_picture);
    return ret_picture->width > 0 || fe_fail(error, "no memory for a picture of the screen");
}

static bool set_up(FeScreenShots *shots, FeFiles *files, GError **error)
{
    const FeRunOptions *options = shots->options;
    uint64_t now_ns = emu_clock_now(shots->clock);

    if (shots->view.screen == NULL && fe_run_options_screen_option(options) != NULL) {
        return fe_fail(error, "%s: the machine has no screen: say --vga std",
                       fe_run_options_screen_option(options));
    }
    for (unsigned i = 0; i < options->screens->len; i++) {
        if (!fe_files_add_replaced(files, OPTION, g_ptr_array_index(options->screens, i), error)) {
            return false;
        }
    }
    if (options->screen_record != NULL) {
        shots->record = fe_screen_record_new(options, &shots->view, now_ns, files, error);
        if (shots->record == NULL) {
            return false;
        }
    }
    if (options->screen_dir != NULL) {
        shots->series = fe_screen_series_new(options, &shots->view, now_ns, files, error);
        return shots->series != NULL;
    }
    return true;
}

FeScreenShots *fe_screen_shots_new(const FeRunOptions *options, DevScreen *screen,
                                   const EmuClock *clock, FeFiles *files, GError **error)
{
    g_autoptr(FeScreenShots) shots = g_new0(FeScreenShots, 1);

    shots->options = options;
    shots->clock = clock;
    shots->view = (FeScreenView) { screen, 1 };
    return set_up(shots, files, error) ? g_steal_pointer(&shots) : NULL;
}

void fe_screen_shots_free(FeScreenShots *shots)
{
    if (shots != NULL) {
        fe_screen_series_free(shots->series);
        fe_screen_record_free(shots->record);
        g_free(shots);
    }
}

void fe_screen_shots_add_ticks(FeScreenShots *shots, GPtrArray *ticks)
{
    if (shots->series != NULL) {
        g_ptr_array_add(ticks, fe_screen_series_tick(shots->series));
    }
    if (shots->record != NULL) {
        g_ptr_array_add(ticks, fe_screen_record_tick(shots->record));
    }
}

static bool no_text(const char *path, DevScreenMode mode, const DevPicture *picture, GError **error)
{
    if (mode == DEV_SCREEN_BLANK) {
        return fe_fail(error, "cannot write %s: the screen is off and shows no text; say FILE.png",
                       path);
    }
    return fe_fail(error,
                   "cannot write %s: the screen shows no text (%ux%u graphics); say FILE.png", path,
                   picture->width, picture->height);
}

static bool write_text(FeScreenView *view, const char *path, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    DevPicture picture;

    if (!fe_screen_view_look(view, &picture, error)) {
        return false;
    }
    if (!dev_screen_print_text(view->screen, text)) {
        return no_text(path, dev_screen_mode(view->screen), &picture, error);
    }

    g_autoptr(FeWholeFile) file = fe_whole_file_new(path, error);

    if (file == NULL) {
        return false;
    }
    fe_whole_file_put(file, text->str, text->len);
    return fe_whole_file_commit(file, error);
}

static bool write_shot(FeScreenView *view, const char *path, GError **error)
{
    if (g_str_has_suffix(path, ".txt")) {
        return write_text(view, path, error);
    }

    DevPicture picture;

    return fe_screen_view_look(view, &picture, error) &&
           fe_png_write_pixels(path, picture.width, picture.height, picture.pixels, NULL, error);
}

static bool write_all(FeScreenShots *shots)
{
    const GPtrArray *paths = shots->options->screens;
    bool good = true;

    for (unsigned i = 0; i < paths->len; i++) {
        g_autoptr(GError) error = NULL;

        if (!write_shot(&shots->view, g_ptr_array_index(paths, i), &error)) {
            fe_say(OPTION ": %s", error->message);
            good = false;
        }
    }
    return good;
}

static bool finish_series(FeScreenSeries *series, uint64_t now_ns)
{
    g_autoptr(GError) error = NULL;

    if (series != NULL && !fe_screen_series_finish(series, now_ns, &error)) {
        fe_say("%s", error->message);
        return false;
    }
    return true;
}

static bool finish_record(FeScreenRecord *record, uint64_t now_ns)
{
    g_autoptr(GError) error = NULL;

    if (record != NULL && !fe_screen_record_finish(record, now_ns, &error)) {
        fe_say("%s", error->message);
        return false;
    }
    return true;
}

bool fe_screen_shots_write(FeScreenShots *shots)
{
    uint64_t now_ns = emu_clock_now(shots->clock);
    bool shots_good = write_all(shots);
    bool series_good = finish_series(shots->series, now_ns);

    return finish_record(shots->record, now_ns) && series_good && shots_good;
}
