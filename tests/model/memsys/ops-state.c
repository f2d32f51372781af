/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states: whole and live saves, loads into the same machine and into another one, damaged
 * files. Files lie in memory; the container's own tests are elsewhere.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- saving */

static char *file_path(void)
{
    return g_strdup_printf("%s/quire-model-%d.state", g_get_tmp_dir(), (int)getpid());
}

static MemStateWriter *new_writer(void)
{
    g_autofree char *path = file_path();
    g_autoptr(GError) error = NULL;
    MemStateWriter *writer = mem_state_writer_new(path, 1, &error);

    if (writer == NULL) {
        model_fail("no file for a saved state: %s", error->message);
    }
    return writer;
}

/* Takes the file from the disk. */
static void keep_file(Naive *m, MemStateWriter *writer)
{
    g_autofree char *path = file_path();
    g_autoptr(GError) error = NULL;
    char *bytes;
    gsize len;

    if (!mem_state_writer_commit(writer, &error) ||
        !g_file_get_contents(path, &bytes, &len, &error)) {
        model_fail("the state could not be saved: %s", error->message);
    }
    (void)unlink(path);
    g_clear_pointer(&m->state.file, g_bytes_unref);
    g_clear_pointer(&m->state.copy, naive_copy_free);
    m->state.file = g_bytes_new_take(bytes, len);
    m->state.copy = naive_copy_new(m);
}

static int op_save(Naive *m)
{
    if (m->state.live != NULL) {
        return OP_SKIPPED;
    }
    script(m, "save");
    g_autoptr(MemStateWriter) writer = new_writer();

    pgm_save(m->pgm, writer);
    keep_file(m, writer);
    return MEM_OK;
}

void state_drop(Naive *m)
{
    g_clear_pointer(&m->state.live, pgm_live_save_free);
    g_clear_pointer(&m->state.writer, mem_state_writer_free);
}

static int op_live_begin(Naive *m)
{
    g_autoptr(GError) error = NULL;

    if (m->state.live != NULL) {
        return OP_SKIPPED;
    }
    script(m, "begin a live save");
    m->state.writer = new_writer();
    m->state.live = pgm_live_save_new(m->pgm, m->state.writer, &error);
    m->state.disturbed = false;
    m->armed = true;
    if (m->state.live == NULL) {
        model_fail("no live save: %s", error->message);
    }
    return MEM_OK;
}

static int op_live_step(Naive *m)
{
    PgmLiveProgress progress;
    uint64_t n = 1 + below(200);

    if (m->state.live == NULL) {
        return OP_SKIPPED;
    }
    script(m, "save %" PRIu64 " pages live", n);
    pgm_live_save_step(m->state.live, n, &progress);
    return MEM_OK;
}

static int op_live_finish(Naive *m)
{
    if (m->state.live == NULL) {
        return OP_SKIPPED;
    }
    script(m, "finish the live save");
    if (one_in(6)) {
        state_drop(m);
        return MEM_OK;
    }
    pgm_live_save_finish(m->state.live);
    g_clear_pointer(&m->state.live, pgm_live_save_free);
    if (m->state.disturbed) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = file_path();

        if (mem_state_writer_commit(m->state.writer, &error)) {
            (void)unlink(path);
        }
    } else {
        keep_file(m, m->state.writer);
    }
    g_clear_pointer(&m->state.writer, mem_state_writer_free);
    return MEM_OK;
}

/* ---- loading */

static MemStateReader *new_reader(const NaiveState *state)
{
    g_autoptr(GError) error = NULL;
    gsize len;
    const void *bytes = g_bytes_get_data(state->file, &len);
    MemStateReader *reader = mem_state_reader_new_from_bytes(bytes, len, &error);

    if (reader == NULL) {
        model_fail("the saved state is not good: %s", error->message);
    }
    return reader;
}

/* With a snapshot to go back to, as one does where memory may be missing. */
static int load_guarded(Naive *m, MemStateReader *reader, const Copy *copy)
{
    bool guard = model_limited || m->entries_limited;
    PgmSnapshot *before = guard ? pgm_snapshot_take(m->pgm, "before", 0, NULL) : NULL;
    g_autoptr(GError) error = NULL;

    if (guard && before == NULL) {
        return OP_SKIPPED;
    }
    Copy *now = guard ? naive_copy_new(m) : NULL;

    m->keeps_pages = true;
    bool good = pgm_load_apply(m->pgm, reader, &error);

    m->keeps_pages = false;
    if (!good && !guard) {
        model_fail("the load failed: %s", error->message);
    }
    if (!good) {
        agree_error(MEM_ERR_NO_MEMORY, error);
        pgm_snapshot_restore(before);
    }
    naive_copy_restore(m, good ? copy : now, good);
    pgm_snapshot_drop(before);
    naive_copy_free(now);
    real_check(m);
    return good ? MEM_OK : MEM_ERR_NO_MEMORY;
}

static int op_load(Naive *m)
{
    if (m->state.file == NULL) {
        return OP_SKIPPED;
    }
    bool same = naive_copy_same_ranges(m, m->state.copy);
    g_autoptr(MemStateReader) reader = new_reader(&m->state);
    g_autoptr(GError) error = NULL;

    script(m, "load, ranges are the same: %d", same);
    m->armed = true;
    bool fits = pgm_load_check(m->pgm, reader, &error);

    if (same && !fits) {
        model_fail("a machine does not take back its own state: %s", error->message);
    }
    agree_error(fits ? MEM_OK : MEM_ERR_BAD_FILE, error);
    if (!same || !fits) {
        real_check(m);
        return MEM_ERR_BAD_FILE;
    }
    focus(m, ON_LOAD, one_in(2) ? pick_copied(m, m->state.copy) : pick_state(m));
    return load_guarded(m, reader, m->state.copy);
}

/* Into a machine that was built like this one, in place of some other. */
static int op_load_twin(Naive *m)
{
    unsigned number = below(N_MACHINES);
    Naive *twin = &model_machines[number];
    g_autoptr(GError) error = NULL;

    if (m->state.file == NULL || twin == m || !naive_copy_same_ranges(m, m->state.copy)) {
        return OP_SKIPPED;
    }
    for (unsigned i = 0; i < m->state.copy->n; i++) {
        if (m->state.copy->ranges[i].range->kind == PGM_RANGE_ROM &&
            (m->state.copy->ranges[i].start == NOWHERE ||
             m->state.copy->ranges[i].range->start == NOWHERE)) {
            return OP_SKIPPED;
        }
    }
    script(m, "load into machine %u", number);
    if (twin->pgm != NULL) {
        machine_check(twin);
        machine_end(twin);
    }
    Copy *copy = machine_begin_like(twin, number, m->state.copy);
    g_autoptr(MemStateReader) reader = new_reader(&m->state);

    if (!pgm_load_check(twin->pgm, reader, &error)) {
        model_fail("a twin does not take the state: %s", error->message);
    }
    int status = load_guarded(twin, reader, copy);

    naive_copy_free(copy);
    machine_check(twin);
    return status;
}

static int op_damaged(Naive *m)
{
    g_autoptr(GError) error = NULL;

    if (m->state.file == NULL) {
        return OP_SKIPPED;
    }
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(m->state.file, &len);
    g_autofree uint8_t *copy = g_memdup2(bytes, len);
    gsize at = (gsize)(rng() % len);

    copy[at] ^= (uint8_t)(1u << below(8));
    len = one_in(4) ? at : len;
    script(m, "a damaged state of %zu bytes", len);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(copy, len, &error);

    if (reader != NULL) {
        model_fail("nobody sees that byte %zu is another one", at);
    }
    agree_error(MEM_ERR_BAD_FILE, error);
    return MEM_OK;
}

const Op state_ops[] = {
    { "save", op_save, 4, OP_TRACKING },
    { "load", op_load, 10, OP_TRACKING },
    { "load twin", op_load_twin, 3, OP_TRACKING },
    { "damaged state", op_damaged, 2, OP_TRACKING },
    { "live begin", op_live_begin, 3, OP_TRACKING },
    { "live step", op_live_step, 8, OP_TRACKING },
    { "live finish", op_live_finish, 3, OP_TRACKING },
};
const unsigned n_state_ops = G_N_ELEMENTS(state_ops);
