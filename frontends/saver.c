/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving during a run, and restoring before it; see saver.h.
 */
#include "saver.h"

#include "emu/saved_state.h"
#include "fail.h"
#include "memsys/os.h"
#include "progress.h"
#include "saved-options.h"

#include <sys/stat.h>

/* Pages of a live save between two slices of the run: some milliseconds of writing. */
#define LIVE_PAGES 4096

struct FeSaver {
    FeGuest *guest;
    char **strings; /* kept in the file */
    FeProgress progress;
    EmuLiveSave *live; /* while one is running */
    bool begun;
    bool done;
    bool reset_asked; /* by the last stop */
    bool lost_reset;
};

static bool same_file(const char *a, const char *b)
{
    struct stat of_a;
    struct stat of_b;

    return a != NULL && b != NULL && mem_os()->stat(a, &of_a) == 0 &&
           mem_os()->stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

FeSaver *fe_saver_new(FeGuest *guest, FeFiles *files, GError **error)
{
    const FeRunOptions *options = guest->options;
    g_autoptr(FeSaver) saver = g_new0(FeSaver, 1);

    saver->guest = guest;
    saver->strings = fe_guest_saved_options(guest);
    /* Saving over the state one came from is fine: it has been read by then. */
    if (!fe_files_can_replace("--save", options->save, error) ||
        (!same_file(options->save, options->restore) &&
         !fe_files_add_replaced(files, "--save", options->save, error))) {
        return NULL;
    }
    if (!emu_save_possible(guest->machine, error)) {
        g_prefix_error(error, "--save: ");
        return NULL;
    }
    return g_steal_pointer(&saver);
}

void fe_saver_free(FeSaver *saver)
{
    if (saver != NULL) {
        emu_live_save_free(saver->live);
        g_strfreev(saver->strings);
        g_free(saver);
    }
}

static bool begin(FeSaver *saver, GError **error)
{
    EmuSaveConfig config = { .options = (const char *const *)saver->strings,
                             .progress = fe_progress_pages,
                             .progress_user = &saver->progress };

    saver->begun = true;
    fe_progress_start(&saver->progress, "saving", saver->guest->options->quiet);
    saver->live =
        emu_live_save_new(saver->guest->machine, saver->guest->options->save, &config, error);
    if (saver->live == NULL) {
        g_prefix_error(error, "--save: ");
    }
    return saver->live != NULL;
}

static bool finish_live(FeSaver *saver, GError **error)
{
    saver->done = emu_live_save_finish(saver->live, error);
    saver->lost_reset = saver->reset_asked;
    fe_progress_end(&saver->progress);
    g_clear_pointer(&saver->live, emu_live_save_free);
    if (!saver->done) {
        g_prefix_error(error, "--save: ");
    }
    return saver->done;
}

/* In pieces, although nothing runs in between: somebody wants to see how far it is. */
static bool save_whole(FeSaver *saver, GError **error)
{
    PgmLiveProgress at;

    if (!begin(saver, error)) {
        return false;
    }
    while (!emu_live_save_step(saver->live, LIVE_PAGES, &at)) {
    }
    return finish_live(saver, error);
}

void fe_saver_see_stop(FeSaver *saver, const EmuStop *stop)
{
    saver->reset_asked = stop->reason == EMU_STOP_RESET;
}

bool fe_saver_start(FeSaver *saver, GError **error)
{
    return saver->guest->options->save_live ? begin(saver, error) : save_whole(saver, error);
}

bool fe_saver_is_active(const FeSaver *saver)
{
    return saver->live != NULL;
}

bool fe_saver_go_on(FeSaver *saver, GError **error)
{
    PgmLiveProgress at;

    return !emu_live_save_step(saver->live, LIVE_PAGES, &at) || finish_live(saver, error);
}

bool fe_saver_finish(FeSaver *saver, GError **error)
{
    if (saver->live != NULL) {
        return finish_live(saver, error);
    }
    if (saver->done || saver->guest->options->save_at != NULL) {
        return true;
    }
    return save_whole(saver, error);
}

bool fe_saver_has_begun(const FeSaver *saver)
{
    return saver->begun;
}

bool fe_saver_is_done(const FeSaver *saver)
{
    return saver->done;
}

bool fe_saver_lost_reset(const FeSaver *saver)
{
    return saver->lost_reset;
}

/* ---- restoring */

/* What is wrong with a file begins with its name; what else is wrong does not. */
static void name_file(GError **error, const char *path)
{
    if (error != NULL && *error != NULL && g_str_has_prefix((*error)->message, path)) {
        g_prefix_error(error, "--restore: ");
    } else {
        g_prefix_error(error, "--restore: '%s': ", path);
    }
}

MemStateReader *fe_restore_open(FeRunOptions *options, FeFiles *files, GError **error)
{
    g_autoptr(MemStateReader) reader = mem_state_reader_new(options->restore, error);

    if (reader == NULL) {
        name_file(error, options->restore);
        return NULL;
    }
    g_auto(GStrv) strings = emu_state_options(reader, error);

    if (strings == NULL) {
        name_file(error, options->restore);
        return NULL;
    }
    if (!fe_files_add_input(files, "--restore", options->restore, false, error) ||
        !fe_saved_options_apply(strings, options, error)) {
        return NULL;
    }
    return g_steal_pointer(&reader);
}

bool fe_restore(FeGuest *guest, MemStateReader *reader, GError **error)
{
    FeProgress progress;
    EmuSaveConfig config = { .progress = fe_progress_pages, .progress_user = &progress };

    fe_progress_start(&progress, "restoring", guest->options->quiet);

    bool good = emu_restore(guest->machine, reader, &config, error);

    fe_progress_end(&progress);
    if (!good) {
        name_file(error, guest->options->restore);
    }
    return good;
}
