/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where ranges lie, by looking at each of them.
 */
#include "tests/model/memsys/naive.h"

#include <string.h>

unsigned address_slot(uint64_t gpa)
{
    if (gpa < LOW_PAGES * PAGE) {
        return (unsigned)(gpa / PAGE);
    }
    if (gpa >= HIGH_START && gpa - HIGH_START < HIGH_PAGES * PAGE) {
        return LOW_PAGES + (unsigned)((gpa - HIGH_START) / PAGE);
    }
    if (gpa >= TOP_START && gpa < MEM_GPHYS_LIMIT) {
        return LOW_PAGES + HIGH_PAGES + (unsigned)((gpa - TOP_START) / PAGE);
    }
    return N_SLOTS;
}

static bool shows(const NaiveRange *range, uint64_t gpa)
{
    return range->live && range->start != NOWHERE && gpa >= range->start &&
           gpa - range->start < (uint64_t)range->n_shown * PAGE;
}

/* What answers at @gpa; @skip counts as absent. */
static NaiveRange *shown_at(Naive *m, uint64_t gpa, const NaiveRange *skip)
{
    NaiveRange *ram = NULL;

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (range != skip && shows(range, gpa)) {
            if (range->kind != PGM_RANGE_RAM) {
                return range;
            }
            ram = range;
        }
    }
    return ram;
}

Place naive_at(Naive *m, uint64_t gpa)
{
    NaiveRange *range = shown_at(m, gpa, NULL);

    if (range == NULL) {
        return (Place) { 0 };
    }
    uint64_t offset = gpa - range->start;
    Place place = { range, (unsigned)(offset / PAGE), offset, false };

    if (range->kind == PGM_RANGE_MMIO && range->alias[place.page] != NULL) {
        unsigned page = range->alias_page[place.page];

        return (Place) { range->alias[place.page], page, (uint64_t)page * PAGE + offset % PAGE,
                         true };
    }
    return place;
}

MemStatus naive_check_place(Naive *m, const NaiveRange *range, uint64_t start, bool is_ram)
{
    uint64_t len = (uint64_t)range->n_shown * PAGE;

    if (start % PAGE != 0) {
        return MEM_ERR_UNALIGNED;
    }
    if (start >= MEM_GPHYS_LIMIT || start + len > MEM_GPHYS_LIMIT) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    NaiveRange *first = shown_at(m, start, range);

    for (uint64_t at = start; at < start + len; at += PAGE) {
        NaiveRange *there = shown_at(m, at, range);

        if (there != first) {
            return MEM_ERR_CONFLICT;
        }
        if (there != NULL && (is_ram || there->kind != PGM_RANGE_RAM)) {
            return MEM_ERR_CONFLICT;
        }
    }
    return MEM_OK;
}

MemStatus naive_map(NaiveRange *range, uint64_t start)
{
    if (range->start == start && start != NOWHERE) {
        return MEM_OK;
    }
    MemStatus status = naive_check_place(range->machine, range, start, false);

    if (status == MEM_OK) {
        range->start = start;
    }
    return status;
}

static void forget_aliases(NaiveRange *mmio, const NaiveRange *of)
{
    for (unsigned page = 0; page < MAX_PAGES; page++) {
        if (of == NULL || mmio->alias[page] == of) {
            mmio->alias[page] = NULL;
        }
    }
}

void naive_unmap(NaiveRange *range)
{
    range->start = NOWHERE;
    if (range->kind == PGM_RANGE_MMIO) {
        forget_aliases(range, NULL);
    }
    for (unsigned i = 0; range->kind == PGM_RANGE_MMIO2 && i < MAX_RANGES; i++) {
        forget_aliases(&range->machine->ranges[i], range);
    }
}

uint64_t naive_uid(void)
{
    static uint64_t last;

    return ++last;
}

NaiveRange *naive_range_new(Naive *m, PgmRangeKind kind, unsigned n_pages)
{
    g_assert(n_pages <= MAX_PAGES);
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (!range->live) {
            *range = (NaiveRange) { .machine = m,
                                    .number = i,
                                    .uid = naive_uid(),
                                    .live = true,
                                    .kind = kind,
                                    .start = NOWHERE,
                                    .n_pages = n_pages,
                                    .n_shown = n_pages,
                                    .bytes = g_malloc0((size_t)n_pages * PAGE) };
            if (kind == PGM_RANGE_ROM) {
                memset(range->there[FRONT], SHARED, sizeof range->there[FRONT]);
            }
            return range;
        }
    }
    return NULL;
}

void naive_range_free(NaiveRange *range)
{
    if (range->kind != PGM_RANGE_RAM) {
        naive_unmap(range);
    }
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        NaiveHandler *handler = &range->machine->handlers[i];

        if (handler->live && handler->range == range) {
            handler->range = NULL;
        }
    }
    g_free(range->bytes);
    g_free(range->shadow);
    g_free(range->image);
    g_free(range->registers);
    range->live = false;
}

/* RAM and shadow become nothing, or zeros where somebody has their address. */
static void reset_page(NaiveRange *range, unsigned which, unsigned page)
{
    uint8_t *bytes = naive_record_bytes(range, which, page);
    uint8_t *there = &range->there[which][page];
    bool is_image = range->kind == PGM_RANGE_ROM && which == FRONT;
    static const uint8_t zeros[PAGE];
    const uint8_t *to = is_image ? range->image + (size_t)page * PAGE : zeros;

    if (range->kind != PGM_RANGE_RAM && range->kind != PGM_RANGE_ROM) {
        return;
    }
    naive_written(range, which, page, memcmp(bytes, to, PAGE) != 0 || *there == BALLOONED);
    memcpy(bytes, to, PAGE);
    if (is_image) {
        return;
    }
    bool stays = naive_locked(range, which, page) || range->machine->preallocated;

    *there = stays && *there == OWN ? OWN : NOTHING;
}

void naive_reset(Naive *m)
{
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        if (m->handlers[i].range != NULL) {
            memset(m->handlers[i].off, 0, sizeof m->handlers[i].off);
        }
    }
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (!range->live) {
            continue;
        }
        for (unsigned page = 0; page < range->n_pages; page++) {
            reset_page(range, FRONT, page);
            if (range->shadow != NULL) {
                reset_page(range, SHADOW, page);
            }
        }
        if (range->kind == PGM_RANGE_ROM) {
            memset(range->prot, 0, sizeof range->prot);
        }
    }
}

void naive_may_be_written(Naive *m)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0; range->live && page < range->n_pages; page++) {
            naive_written(range, FRONT, page, false);
            naive_written(range, SHADOW, page, false);
        }
    }
}

void naive_clear(Naive *m)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        if (m->ranges[i].live) {
            naive_range_free(&m->ranges[i]);
        }
    }
    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        naive_copy_free(m->snapshots[i].copy);
    }
    naive_copy_free(m->state.copy);
    g_clear_pointer(&m->state.file, g_bytes_unref);
    g_array_unref(m->events);
}
