/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the life of memory: saved states.
 */
#include "tests/failures/memory-world.h"

/* ---- files */

bool memory_save(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(w, "state");
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, error);

    if (writer == NULL) {
        return false;
    }
    pgm_save(w->a, writer);
    mem_state_begin_unit(writer, "more", 0, 1);
    for (unsigned i = 0; i < 70000; i++) {
        mem_state_put_u32(writer, i * 2654435761u);
    }
    mem_state_end_unit(writer);
    return mem_state_writer_commit(writer, error);
}

/* As emu_restore() does it: a snapshot first, which undoes an apply that fails. */
static bool load_file(World *w, const char *name, GError **error)
{
    g_autofree char *path = life_path(w, name);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, error);

    if (reader == NULL || !pgm_load_check(w->a, reader, error)) {
        return false;
    }
    PgmSnapshot *before = pgm_snapshot_take(w->a, "before", PGM_SNAPSHOT_DEFAULT, error);

    if (before == NULL) {
        return false;
    }
    bool ok = pgm_load_apply(w->a, reader, error);

    if (!ok) {
        pgm_snapshot_restore(before);
    }
    pgm_snapshot_drop(before);
    return ok;
}

bool memory_load(void *world, GError **error)
{
    return load_file(world, "state", error);
}

bool memory_load_live(void *world, GError **error)
{
    return load_file(world, "live", error);
}

bool memory_save_live(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(w, "live");
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, error);
    PgmLiveSave *live = writer != NULL ? pgm_live_save_new(w->a, writer, error) : NULL;
    PgmLiveProgress progress = { 0 };
    bool ok = live != NULL;

    for (unsigned i = 0; i < 20 && ok && !progress.converged; i++) {
        pgm_live_save_step(live, 400, &progress);
        ok = mem_state_writer_ok(writer)
                 ? memory_scatter(w->a, MIB + i * PAGE, 3 * PAGE, 60, 60 + i, error)
                 : true;
    }
    if (ok) {
        pgm_live_save_finish(live);
        ok = mem_state_writer_commit(writer, error);
    }
    pgm_live_save_free(live);
    return ok;
}
