/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty clients (memsys/dirty.h): for each a set of pages per range, one for the records that
 * ranges show and one for the RAM behind shadowed ROM.
 */
#include "memsys/tracking-internal.h"

#include <string.h>

/* ---- sets of a range */

static bool range_has_sets(const PgmRange *range)
{
    return pgm_range_is_tracked(range);
}

static void clear_sets(PgmRange *range, unsigned slot)
{
    for (unsigned which = 0; range->sets && which < 2; which++) {
        pgm_page_set_clear(&range->sets->sets[slot][which], range->pgm->os);
    }
}

static bool init_sets(PgmRange *range, unsigned slot)
{
    const MemOs *os = range->pgm->os;

    if (!range->sets) {
        range->sets = os->try_alloc0(sizeof *range->sets);
    }
    if (!range->sets ||
        !pgm_page_set_init(&range->sets->sets[slot][PGM_RECORD_FRONT], os, range->n_pages)) {
        return false;
    }
    return range->kind != PGM_RANGE_ROM ||
           pgm_page_set_init(&range->sets->sets[slot][PGM_RECORD_SHADOW], os, range->n_pages);
}

bool pgm_dirty_sets_new(PgmRange *range)
{
    const PgmTracking *tracking = range->pgm->tracking;
    bool done = true;

    for (unsigned c = 0; done && c < PGM_DIRTY_MAX_CLIENTS; c++) {
        done = !tracking->clients[c] || init_sets(range, c);
    }
    if (!done) {
        pgm_dirty_sets_free(range);
    }
    return done;
}

void pgm_dirty_sets_free(PgmRange *range)
{
    const PgmTracking *tracking = range->pgm->tracking;

    if (!range->sets) {
        return;
    }
    for (unsigned c = 0; c < PGM_DIRTY_MAX_CLIENTS; c++) {
        if (tracking->clients[c]) {
            tracking->clients[c]->n_pages -= range->sets->sets[c][PGM_RECORD_FRONT].n_set +
                                             range->sets->sets[c][PGM_RECORD_SHADOW].n_set;
        }
        clear_sets(range, c);
    }
    range->pgm->os->free(range->sets);
    range->sets = NULL;
}

/* ---- life */

static void arm_or_mark(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    PgmDirty *dirty = user;
    PgmPage page = *pgm_record(range, index, which);

    if (pgm_page_state(page) != PGM_PAGE_ALLOCATED) {
        return;
    }
    if (pgm_page_write_locks(page) == 0) {
        pgm_page_monitor(range, index, which);
    } else if (pgm_page_set_add(&range->sets->sets[dirty->slot][which], index)) {
        dirty->n_pages++;
    }
}

static unsigned free_slot(const PgmTracking *tracking)
{
    unsigned slot = 0;

    while (slot < PGM_DIRTY_MAX_CLIENTS && tracking->clients[slot]) {
        slot++;
    }
    return slot;
}

static bool make_sets(Pgm *pgm, unsigned slot)
{
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        if (range_has_sets(range) && !init_sets(range, slot)) {
            for (unsigned i = 0; i <= r; i++) {
                clear_sets(g_ptr_array_index(pgm->ranges, i), slot);
            }
            return false;
        }
    }
    return true;
}

PgmDirty *pgm_dirty_new(Pgm *pgm, const char *name, GError **error)
{
    PgmTracking *tracking = pgm_tracking_get(pgm, error);
    unsigned slot = tracking ? free_slot(tracking) : 0;

    if (!tracking) {
        return NULL;
    }
    if (slot == PGM_DIRTY_MAX_CLIENTS) {
        g_set_error(error, MEM_ERROR, MEM_ERR_LIMIT_REACHED,
                    "machine \"%s\" has %d dirty clients already", pgm->name,
                    PGM_DIRTY_MAX_CLIENTS);
        return NULL;
    }
    if (!make_sets(pgm, slot)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "machine \"%s\": no host memory for the sets of a dirty client", pgm->name);
        return NULL;
    }
    PgmDirty *dirty = g_new0(PgmDirty, 1);

    *dirty = (PgmDirty) { .pgm = pgm, .slot = slot, .name = g_strdup(name ? name : "") };
    tracking->clients[slot] = dirty;
    tracking->n_clients++;
    pgm_batch_begin(pgm);
    pgm_tracking_each_record(pgm, arm_or_mark, dirty);
    pgm_batch_end(pgm);
    return dirty;
}

void pgm_dirty_free(PgmDirty *dirty)
{
    if (!dirty) {
        return;
    }
    Pgm *pgm = dirty->pgm;

    if (pgm) {
        for (unsigned r = 0; r < pgm->ranges->len; r++) {
            clear_sets(g_ptr_array_index(pgm->ranges, r), dirty->slot);
        }
        pgm->tracking->clients[dirty->slot] = NULL;
        pgm->tracking->n_clients--;
    }
    g_free(dirty->name);
    g_free(dirty);
}

/* ---- looking */

typedef void (*SetVisitor)(PgmRange *range, uint64_t index, PgmRecord which, void *user);

static void each_in_set(const PgmDirty *dirty, SetVisitor visit, void *user)
{
    for (unsigned r = 0; dirty->n_pages > 0 && r < dirty->pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(dirty->pgm->ranges, r);

        for (unsigned which = 0; range->sets && which < 2; which++) {
            const PgmPageSet *set = &range->sets->sets[dirty->slot][which];

            for (uint64_t i = 0; set->n_set > 0; i++) {
                i = pgm_page_set_next(set, i);
                if (i == set->n_pages) {
                    break;
                }
                visit(range, i, (PgmRecord)which, user);
            }
        }
    }
}

uint64_t pgm_dirty_count(const PgmDirty *dirty)
{
    return dirty->n_pages;
}

typedef struct Visit {
    PgmDirtyVisitor visit;
    void *user;
} Visit;

static void show(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    const Visit *visit = user;
    PgmPage page = *pgm_record(range, index, which);
    bool mapped = range->start != MEM_GPHYS_NIL && index < range->shown_pages;
    uint64_t offset = index << MEM_PAGE_SHIFT;
    PgmPageRef ref = { .kind = range->kind,
                       .shadow = which == PGM_RECORD_SHADOW,
                       .gpa = mapped ? range->start + offset : MEM_GPHYS_NIL,
                       .offset = offset,
                       .owner = range->owner,
                       .name = range->description,
                       .bytes = pgm_host(range->pgm, pgm_page_id(page)),
                       .state = pgm_page_state(page) };

    visit->visit(&ref, visit->user);
}

void pgm_dirty_foreach(const PgmDirty *dirty, PgmDirtyVisitor visit, void *user)
{
    Visit wanted = { visit, user };

    each_in_set(dirty, show, &wanted);
}

bool pgm_dirty_contains(PgmDirty *dirty, GPhys gpa)
{
    PgmPlace place;

    if (!pgm_place_lookup(dirty->pgm, gpa, &place) || !place.range->sets) {
        return false;
    }
    PgmRecord which = place.range->kind == PGM_RANGE_ROM
                          ? pgm_rom_read_record(place.range, place.index)
                          : PGM_RECORD_FRONT;

    return pgm_page_set_test(&place.range->sets->sets[dirty->slot][which], place.index);
}

/* ---- clean again */

static void make_clean(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    PgmDirty *dirty = user;
    PgmPage page = *pgm_record(range, index, which);

    if (pgm_page_state(page) == PGM_PAGE_ALLOCATED && pgm_page_write_locks(page) > 0) {
        return; /* it may be written unseen at any moment */
    }
    dirty->n_pages -= pgm_page_set_remove(&range->sets->sets[dirty->slot][which], index);
    pgm_page_monitor(range, index, which);
}

void pgm_dirty_reset(PgmDirty *dirty)
{
    Pgm *pgm = dirty->pgm;
    bool batch = dirty->n_pages > PGM_TELL_EACH_MAX;

    if (batch) {
        pgm_batch_begin(pgm);
    }
    each_in_set(dirty, make_clean, dirty);
    if (batch) {
        pgm_batch_end(pgm);
    }
}
