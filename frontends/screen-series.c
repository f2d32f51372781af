/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --screen-every SECONDS DIR: pictures of the screen at multiples of guest time, and at the end.
 *
 * DIR/index.txt has a line for each time; a picture like the one before it is not written again,
 * its file is named again. A folder that has such files already is refused: the rest of a longer
 * series would look like part of this one.
 */
#include "fail.h"
#include "memsys/os.h"
#include "output.h"
#include "png-file.h"
#include "screen-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define INDEX "index.txt"
#define OPTION "--screen-every"

/* Invariant: last has the pixels of picture number n_pictures. */
struct FeScreenSeries {
    FeTick tick;
    FeScreenView *view;
    uint64_t every_ns;
    const char *folder;
    FeOutput *index; /* NULL until the first picture */
    unsigned n_pictures;
    FePixels last; /* by mem_os() */
    uint64_t seen; /* generation of it */
    bool has_line;
    uint64_t line_ns; /* of the last line */
    bool failed;      /* and said so */
};

/* Returns: false */
static bool host_failure(const char *path, int host_error, GError **error)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, OPTION ": cannot write %s: %s", path,
                g_strerror(host_error));
    return false;
}

static bool open_index(FeScreenSeries *series, GError **error)
{
    static const char title[] =
        "# guest time in seconds, picture, size, mode; a picture again: nothing had changed\n";
    g_autofree char *path = g_build_filename(series->folder, INDEX, NULL);
    int fd = mem_os()->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0) {
        return host_failure(path, errno, error);
    }
    series->index = fe_output_new(fd, path);
    fe_output_sink(series->index, (const uint8_t *)title, strlen(title));
    return true;
}

static bool is_last(const FeScreenSeries *series, const DevPicture *picture)
{
    return series->n_pictures > 0 &&
           (series->seen == series->view->generation ||
            (picture->width == series->last.width && picture->height == series->last.height &&
             memcmp(picture->pixels, series->last.pixels,
                    (size_t)picture->width * picture->height * sizeof(*picture->pixels)) == 0));
}

static bool keep(FeScreenSeries *series, const DevPicture *picture, GError **error)
{
    size_t len = (size_t)picture->width * picture->height * sizeof(*picture->pixels);

    if (picture->width != series->last.width || picture->height != series->last.height) {
        uint32_t *pixels = mem_os()->try_realloc(series->last.pixels, len);

        if (pixels == NULL) {
            return host_failure(series->folder, ENOMEM, error);
        }
        series->last = (FePixels) { picture->width, picture->height, pixels };
    }
    memcpy(series->last.pixels, picture->pixels, len);
    return true;
}

static bool write_picture(FeScreenSeries *series, const DevPicture *picture, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%06u.png", series->folder, series->n_pictures + 1);

    if (!keep(series, picture, error)) {
        return false;
    }
    if (!fe_png_write(path, &series->last, NULL, error)) {
        g_prefix_error(error, OPTION ": ");
        return false;
    }
    series->n_pictures++;
    return true;
}

static const char *mode_name(DevScreenMode mode)
{
    switch (mode) {
    case DEV_SCREEN_TEXT:
        return "text";
    case DEV_SCREEN_GRAPHICS:
        return "graphics";
    case DEV_SCREEN_BLANK:
        break;
    }
    return "blank";
}

static bool write_line(FeScreenSeries *series, uint64_t now_ns, GError **error)
{
    g_autofree char *line = g_strdup_printf(
        "%" G_GUINT64_FORMAT ".%09" G_GUINT64_FORMAT " %06u.png %ux%u %s\n",
        now_ns / EMU_NS_PER_SECOND, now_ns % EMU_NS_PER_SECOND, series->n_pictures,
        series->last.width, series->last.height, mode_name(dev_screen_mode(series->view->screen)));

    fe_output_sink(series->index, (const uint8_t *)line, strlen(line));
    series->has_line = true;
    series->line_ns = now_ns;

    g_autofree char *trouble = fe_output_describe_error(series->index);

    return trouble == NULL || fe_fail(error, OPTION ": %s", trouble);
}

static bool sample(FeScreenSeries *series, uint64_t now_ns, GError **error)
{
    DevPicture picture;

    if (!fe_screen_view_look(series->view, &picture, error)) {
        g_prefix_error(error, OPTION ": ");
        series->failed = true;
        return false;
    }
    series->failed = (series->index == NULL && !open_index(series, error)) ||
                     (!is_last(series, &picture) && !write_picture(series, &picture, error)) ||
                     !write_line(series, now_ns, error);
    series->seen = series->view->generation;
    return !series->failed;
}

/* The next multiple behind @now_ns. */
static uint64_t next_due(uint64_t now_ns, uint64_t every_ns)
{
    uint64_t rest = every_ns - now_ns % every_ns;

    return rest < EMU_CLOCK_NEVER - now_ns ? now_ns + rest : EMU_CLOCK_NEVER;
}

static bool call(void *user, uint64_t now_ns, GError **error)
{
    FeScreenSeries *series = user;

    series->tick.due_ns = next_due(now_ns, series->every_ns);
    return sample(series, now_ns, error);
}

/* Whether the series may have a file of this name. */
static bool is_ours(const char *name)
{
    size_t n_digits = strspn(name, "0123456789");

    return strcmp(name, INDEX) == 0 || (n_digits >= 6 && strcmp(name + n_digits, ".png") == 0);
}

/* Whether nothing of a series is in the folder yet. */
static bool is_free(const char *folder, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &trouble);
    const char *name = NULL;

    if (dir == NULL) {
        return fe_fail(error, OPTION ": cannot look into '%s' for pictures of another run: %s",
                       folder, trouble->message);
    }
    do {
        name = g_dir_read_name(dir);
    } while (name != NULL && !is_ours(name));
    return name == NULL ||
           fe_fail(error,
                   OPTION ": '%s' has pictures of another run (%s): name another folder, "
                          "or take them away",
                   folder, name);
}

FeScreenSeries *fe_screen_series_new(const FeRunOptions *options, FeScreenView *view,
                                     uint64_t now_ns, FeFiles *files, GError **error)
{
    FeScreenSeries *series = g_new0(FeScreenSeries, 1);
    g_autofree char *index = g_build_filename(options->screen_dir, INDEX, NULL);

    series->view = view;
    series->every_ns = options->screen_every_ns;
    series->folder = options->screen_dir;
    series->tick = (FeTick) { next_due(now_ns, series->every_ns), call, series };
    if (!fe_files_make_folder(OPTION, series->folder, error) || !is_free(series->folder, error) ||
        !fe_files_add_replaced(files, OPTION, index, error)) {
        fe_screen_series_free(series);
        return NULL;
    }
    return series;
}

void fe_screen_series_free(FeScreenSeries *series)
{
    if (series != NULL) {
        fe_output_free(series->index);
        mem_os()->free(series->last.pixels);
        g_free(series);
    }
}

FeTick *fe_screen_series_tick(FeScreenSeries *series)
{
    return &series->tick;
}

bool fe_screen_series_finish(FeScreenSeries *series, uint64_t now_ns, GError **error)
{
    bool done = series->failed || (series->has_line && series->line_ns == now_ns);

    return done || sample(series, now_ns, error);
}
