/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which address an operation is about: places where something is, their edges, and a few that are
 * used again and again.
 */
#include "tests/model/memsys/model.h"

MemOrigin any_origin(void)
{
    return one_in(2) ? MEM_ORIGIN_DEVICE : (MemOrigin)below(MEM_N_ORIGINS);
}

uint64_t pick_page(void)
{
    if (one_in(16)) {
        return slot_address(LOW_PAGES + below(HIGH_PAGES - ROOM_PAGES));
    }
    return slot_address(below(LOW_PAGES - ROOM_PAGES));
}

NaiveRange *pick_range(Naive *m, PgmRangeKind kind)
{
    unsigned first = below(MAX_RANGES);

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[(first + i) % MAX_RANGES];

        if (range->live && range->kind == kind) {
            return range;
        }
    }
    return NULL;
}

/* A page of some range: any, or its first or last, or one beside it. */
static uint64_t pick_range_page(Naive *m)
{
    NaiveRange *range = pick_range(m, (PgmRangeKind)below(4));

    if (range == NULL || range->start == NOWHERE || range->start == SPARE_START) {
        return pick_page();
    }
    switch (below(6)) {
    case 0:
        return range->start;
    case 1:
        return range->start + (uint64_t)(range->n_shown - 1) * PAGE;
    case 2:
        return range->start >= PAGE ? range->start - PAGE : 0;
    default:
        return range->start + (uint64_t)below(range->n_shown) * PAGE;
    }
}

uint64_t pick_address(Naive *m)
{
    uint64_t page = one_in(4) ? pick_page() : pick_range_page(m);
    uint64_t *hot = &m->hot[below(N_HOT)];

    if (one_in(60)) {
        *hot = page;
    } else if (one_in(2)) {
        page = *hot;
    }
    if (one_in(100)) {
        page = one_in(2) ? UINT64_MAX - PAGE + 1 : MEM_GPHYS_LIMIT - PAGE;
    }
    switch (below(5)) {
    case 0:
        return page + PAGE - 1 - below(8);
    case 1:
        return page + below(64);
    case 2:
        return page + below(PAGE);
    default:
        return page + 8 * below(PAGE / 8);
    }
}

uint64_t pick_state(Naive *m)
{
    Backing wanted = (Backing)below(BALLOONED + 1);
    unsigned first = below(N_SLOTS);

    for (unsigned i = 0; i < N_SLOTS; i++) {
        uint64_t gpa = slot_address((first + i) % N_SLOTS);
        Place place = naive_at(m, gpa);

        if (place.range != NULL && place.range->kind == PGM_RANGE_RAM &&
            naive_backing(place) == wanted) {
            return gpa;
        }
    }
    return pick_address(m);
}

uint64_t pick_copied(Naive *m, const Copy *copy)
{
    unsigned first = below(copy->n);

    for (unsigned i = 0; i < copy->n; i++) {
        const RangeCopy *c = &copy->ranges[(first + i) % copy->n];

        if (!c->range->live || c->range->uid != c->uid || c->start == NOWHERE ||
            c->start == SPARE_START) {
            continue;
        }
        if (c->range->kind == PGM_RANGE_MMIO && c->range->start != c->start) {
            return c->start;
        }
        for (unsigned page = 0; c->range->kind == PGM_RANGE_RAM && page < c->range->n_pages;
             page++) {
            if (c->there[FRONT][page] == BALLOONED && c->range->there[FRONT][page] == NOTHING) {
                return c->start + (uint64_t)page * PAGE;
            }
        }
    }
    return pick_address(m);
}
