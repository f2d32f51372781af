/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving beside a running guest. Pass 0 writes every page that was touched; each later pass the
 * pages that were written during the one before, first those that were quiet then. Pages that were
 * written again already, and pages somebody has locked for writing, wait for a later pass.
 *
 * A dirty client (memsys/dirty.h) hears of writes. Its set is emptied before the bytes are read, so
 * a write that comes after is in the next set: nothing is lost.
 *
 * Source: the passes of VirtualBox's live save as restated in the project's notes; its vote is
 * simplified, and what a page costs is only ever known to the one who writes it.
 */
#include "memsys/page-set-internal.h"
#include "memsys/saved-internal.h"
#include "memsys/tracking-internal.h"

#define FEW_PAGES 256  /* so few are left: stop the guest and write them */
#define PASSES_STUCK 4 /* passes without fewer pages left than ever before */

/* The pages of one range, by record. */
typedef struct LiveRange {
    PgmPageSet todo[2]; /* of this pass; written in the order of next_page() */
    PgmPageSet last[2]; /* of the pass before */
} LiveRange;

/*
 * Invariants:
 * 1. A page whose bytes in the stream are not those of memory is in the dirty client's set, or
 *    next_page() is still to come to it in this pass.
 * 2. A page that is locked for writing is in the dirty client's set (memsys/dirty.h).
 * 3. n_todo is the number of pages in the todo sets that next_page() is still to come to.
 */
struct PgmLiveSave {
    PgmSaver saver;
    PgmDirty *dirty;
    LiveRange *ranges; /* by number */
    unsigned pass;
    unsigned round; /* of a pass from 1: 0 quiet pages, 1 those of the last pass too */
    PgmSavedPlace place;
    uint64_t n_todo;
    uint64_t n_touched; /* about the pages of pass 0 */
    uint64_t best;      /* fewest pages left at the end of a pass */
    unsigned n_stuck;
    bool converged;
    bool finished;
};

static PgmRange *range_of(const PgmLiveSave *save, uint32_t number)
{
    return save->saver.ranges[number];
}

static PgmPageSet *dirty_set(const PgmLiveSave *save, uint32_t number, PgmRecord which)
{
    return &range_of(save, number)->sets->sets[save->dirty->slot][which];
}

static bool has_pages(const PgmLiveSave *save, uint32_t number, PgmRecord which)
{
    PgmRange *range = range_of(save, number);

    return range->kind != PGM_RANGE_MMIO &&
           (which == PGM_RECORD_FRONT ||
            (range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow));
}

/* Ranges that come or go would be unknown to the table, which is written already. */
static bool same_ranges(const PgmLiveSave *save)
{
    const PgmSaver *saver = &save->saver;
    bool same = saver->pgm->ranges->len == saver->n_ranges;

    for (uint32_t i = 0; same && i < saver->n_ranges; i++) {
        same = g_ptr_array_index(saver->pgm->ranges, i) == saver->ranges[i];
        for (unsigned w = 0; same && w < 2; w++) {
            /* Another may lie in the same piece of host memory by now. */
            same = save->ranges[i].todo[w].n_pages ==
                   (has_pages(save, i, (PgmRecord)w) ? saver->ranges[i]->n_pages : 0);
        }
    }
    if (!same) {
        mem_state_writer_fail(saver->writer, "a range of memory was added or removed meanwhile");
    }
    return same;
}

/* ---- life */

static bool make_sets(PgmLiveSave *save)
{
    const MemOs *os = save->saver.pgm->os;
    uint32_t n = save->saver.n_ranges;

    save->ranges = os->try_alloc0((n + 1) * sizeof(LiveRange));
    for (uint32_t i = 0; save->ranges && i < n; i++) {
        for (unsigned w = 0; w < 2; w++) {
            LiveRange *live = &save->ranges[i];

            if (has_pages(save, i, (PgmRecord)w) &&
                (!pgm_page_set_init(&live->todo[w], os, range_of(save, i)->n_pages) ||
                 !pgm_page_set_init(&live->last[w], os, range_of(save, i)->n_pages))) {
                return false;
            }
        }
    }
    return save->ranges != NULL;
}

PgmLiveSave *pgm_live_save_new(Pgm *pgm, MemStateWriter *writer, GError **error)
{
    PgmLiveSave *save = g_new0(PgmLiveSave, 1);

    save->best = UINT64_MAX;
    save->dirty = pgm_dirty_new(pgm, "live save", error);
    if (!save->dirty) {
        g_free(save);
        return NULL;
    }
    bool good = pgm_saver_init(&save->saver, pgm, writer) && make_sets(save);

    pgm->n_live_saves++;
    save->n_touched = pgm->stats.pages.private_pages + pgm->stats.pages.shared;
    if (!good) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "machine \"%s\": no host memory to save it while it runs", pgm->name);
        pgm_live_save_free(save);
        return NULL;
    }
    pgm->stats.live_saves++;
    pgm->stats.live_passes++;
    return save;
}

void pgm_live_save_free(PgmLiveSave *save)
{
    if (!save) {
        return;
    }
    const MemOs *os = save->saver.pgm->os;

    if (!save->finished) {
        mem_state_writer_fail(save->saver.writer, "the live save was given up");
        mem_state_end_unit(save->saver.writer);
    }
    for (uint32_t i = 0; save->ranges && i < save->saver.n_ranges; i++) {
        for (unsigned w = 0; w < 2; w++) {
            pgm_page_set_clear(&save->ranges[i].todo[w], os);
            pgm_page_set_clear(&save->ranges[i].last[w], os);
        }
    }
    os->free(save->ranges);
    save->saver.pgm->n_live_saves--;
    pgm_saver_clear(&save->saver);
    pgm_dirty_free(save->dirty);
    g_free(save);
}

/* ---- sets */

static void empty_set(PgmPageSet *set)
{
    for (uint64_t i = 0; set->n_set > 0; i++) {
        i = pgm_page_set_next(set, i);
        (void)pgm_page_set_remove(set, i);
    }
}

/* What the guest wrote meanwhile is to do; what was to do is what was done last. */
static void take_dirty(PgmLiveSave *save)
{
    save->n_todo = 0;
    for (uint32_t i = 0; i < save->saver.n_ranges; i++) {
        for (unsigned w = 0; w < 2; w++) {
            if (!has_pages(save, i, (PgmRecord)w)) {
                continue;
            }
            LiveRange *live = &save->ranges[i];
            const PgmPageSet *dirty = dirty_set(save, i, (PgmRecord)w);
            PgmPageSet old = live->last[w];

            empty_set(&old);
            live->last[w] = live->todo[w];
            live->todo[w] = old;
            for (uint64_t p = 0; live->todo[w].n_set < dirty->n_set; p++) {
                p = pgm_page_set_next(dirty, p);
                (void)pgm_page_set_add(&live->todo[w], p);
            }
            save->n_todo += dirty->n_set;
        }
    }
    pgm_dirty_reset(save->dirty);
}

static void put_page(PgmLiveSave *save, const PgmSavedPlace *place)
{
    save->saver.pgm->stats.live_pages++;
    pgm_saver_put_page(&save->saver, place);
}

/* Writes the page, unless it has to be written again anyway. */
static void write_or_put_off(PgmLiveSave *save, const PgmSavedPlace *place)
{
    if (pgm_page_set_test(dirty_set(save, place->range, place->which), place->index)) {
        save->saver.pgm->stats.live_put_off++;
    } else {
        put_page(save, place);
    }
}

/* ---- passes */

/* The next page of pass 0; false: none is left. */
static bool next_touched(PgmLiveSave *save)
{
    while (pgm_saver_next(&save->saver, &save->place)) {
        if (pgm_saver_wants(&save->saver, &save->place)) {
            return true;
        }
        save->place.index++;
    }
    return false;
}

/* The next page to do at or after place: those of round 1 were to do in the last pass as well. */
static bool next_in_round(PgmLiveSave *save)
{
    PgmSavedPlace *place = &save->place;

    for (; place->range < save->saver.n_ranges; place->range++, place->which = PGM_RECORD_FRONT) {
        for (;;) {
            if (has_pages(save, place->range, place->which)) {
                const PgmPageSet *todo = &save->ranges[place->range].todo[place->which];
                const PgmPageSet *last = &save->ranges[place->range].last[place->which];

                while ((place->index = pgm_page_set_next(todo, place->index)) < todo->n_pages) {
                    if (pgm_page_set_test(last, place->index) == (save->round == 1)) {
                        return true;
                    }
                    place->index++;
                }
            }
            place->index = 0;
            if (place->which == PGM_RECORD_SHADOW) {
                break;
            }
            place->which = PGM_RECORD_SHADOW;
        }
    }
    return false;
}

/* False: the pass is over. */
static bool next_page(PgmLiveSave *save)
{
    if (save->pass == 0) {
        return next_touched(save);
    }
    while (!next_in_round(save)) {
        if (save->round == 1) {
            return false;
        }
        save->round = 1;
        save->place = (PgmSavedPlace) { 0 };
    }
    return true;
}

static void end_pass(PgmLiveSave *save)
{
    take_dirty(save);
    save->n_stuck = save->n_todo < save->best ? 0 : save->n_stuck + 1;
    save->best = MIN(save->best, save->n_todo);
    save->converged = save->n_todo <= FEW_PAGES || save->n_stuck >= PASSES_STUCK;
    save->saver.pgm->stats.live_passes++;
    save->pass++;
    save->round = 0;
    save->place = (PgmSavedPlace) { 0 };
}

void pgm_live_save_step(PgmLiveSave *save, uint64_t n_pages, PgmLiveProgress *ret_progress)
{
    g_assert(!save->finished);
    bool good = mem_state_writer_ok(save->saver.writer) && same_ranges(save);

    pgm_saver_new_turn(&save->saver);
    for (uint64_t i = 0; good && i < n_pages; i++) {
        if (!next_page(save)) {
            end_pass(save);
            break;
        }
        write_or_put_off(save, &save->place);
        save->place.index++;
        save->n_todo -= save->pass > 0;
        good = mem_state_writer_ok(save->saver.writer);
    }
    uint64_t n_written = save->saver.n_written;
    uint64_t n_unseen =
        save->pass == 0 && save->n_touched > n_written ? save->n_touched - n_written : 0;

    *ret_progress = (PgmLiveProgress) {
        .pass = save->pass,
        .n_written = n_written,
        .n_left = n_unseen + save->n_todo + pgm_dirty_count(save->dirty),
        .converged = save->converged || !good,
    };
}

void pgm_live_save_finish(PgmLiveSave *save)
{
    g_assert(!save->finished);
    PgmSaver *saver = &save->saver;

    save->finished = true;
    if (!mem_state_writer_ok(saver->writer) || !same_ranges(save)) {
        mem_state_end_unit(saver->writer);
        return;
    }
    pgm_saver_new_turn(saver);
    while (next_page(save)) {
        write_or_put_off(save, &save->place);
        save->place.index++;
    }
    take_dirty(save);
    saver->pgm->stats.live_passes++;
    save->pass++;
    save->round = 0;
    for (save->place = (PgmSavedPlace) { 0 }; next_page(save); save->place.index++) {
        put_page(save, &save->place);
    }
    pgm_saver_finish(saver);
}
