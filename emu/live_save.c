/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving beside the running guest: memory goes first, in passes; the rest, which is small, at the
 * end, together with the pages written last. A save at once is a live save without passes.
 */
#include "emu/saved-internal.h"

#include "emu/machine-internal.h"
#include "memsys/saved_state.h"

struct EmuLiveSave {
    EmuMachine *machine;
    MemStateWriter *writer;
    PgmLiveSave *memory;
    EmuStateProgress progress;
    void *progress_user;
};

EmuLiveSave *emu_live_save_new(EmuMachine *machine, const char *path, const EmuSaveConfig *config,
                               GError **error)
{
    g_assert(machine->started && !machine->running);

    MemStateWriter *writer = emu_saved_begin(machine, path, config, error);

    if (writer == NULL) {
        return NULL;
    }
    EmuLiveSave *save = g_new0(EmuLiveSave, 1);

    save->machine = machine;
    save->writer = writer;
    if (config != NULL) {
        save->progress = config->progress;
        save->progress_user = config->progress_user;
    }
    save->memory = pgm_live_save_new(machine->pgm, writer, error);
    if (save->memory == NULL) {
        emu_live_save_free(save);
        return NULL;
    }
    return save;
}

bool emu_live_save_step(EmuLiveSave *save, uint64_t n_pages, PgmLiveProgress *ret_progress)
{
    PgmLiveProgress progress;

    g_assert(!save->machine->running);
    pgm_live_save_step(save->memory, n_pages, &progress);
    if (save->progress != NULL) {
        save->progress(progress.n_written, progress.n_written + progress.n_left,
                       save->progress_user);
    }
    *ret_progress = progress;
    return progress.converged || !mem_state_writer_ok(save->writer);
}

bool emu_live_save_finish(EmuLiveSave *save, GError **error)
{
    g_assert(!save->machine->running);
    pgm_live_save_finish(save->memory);
    return emu_saved_put_machine(save->machine, save->writer, error) &&
           mem_state_writer_commit(save->writer, error);
}

void emu_live_save_free(EmuLiveSave *save)
{
    if (save == NULL) {
        return;
    }
    pgm_live_save_free(save->memory);
    mem_state_writer_free(save->writer);
    g_free(save);
}
