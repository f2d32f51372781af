/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map as segments; see memory-map.h.
 */
#include "memory-map.h"

static FeMemoryClass class_of_state(PgmPageState state)
{
    switch (state) {
    case PGM_PAGE_ALLOCATED:
        return FE_MEMORY_ALLOCATED;
    case PGM_PAGE_WRITE_MONITORED:
        return FE_MEMORY_MONITORED;
    case PGM_PAGE_SHARED:
        return FE_MEMORY_SHARED;
    case PGM_PAGE_BALLOONED:
        return FE_MEMORY_BALLOONED;
    case PGM_PAGE_ZERO:
    case PGM_N_PAGE_STATES:
        break;
    }
    return FE_MEMORY_ZERO;
}

FeMemoryClass fe_memory_class(PgmPageType type, PgmPageState state)
{
    switch (type) {
    case PGM_PAGE_MMIO2:
        return FE_MEMORY_MMIO2;
    case PGM_PAGE_MMIO2_ALIAS:
        return FE_MEMORY_MMIO2_ALIAS;
    case PGM_PAGE_ROM:
        return FE_MEMORY_ROM;
    case PGM_PAGE_ROM_SHADOW:
        return FE_MEMORY_ROM_SHADOW;
    case PGM_PAGE_MMIO:
        return FE_MEMORY_MMIO;
    case PGM_PAGE_RAM:
    case PGM_N_PAGE_TYPES:
        break;
    }
    return class_of_state(state);
}

const char *fe_memory_class_name(FeMemoryClass class)
{
    static const char *const names[FE_MEMORY_N_CLASSES] = {
        [FE_MEMORY_HOLE] = "nothing",
        [FE_MEMORY_ZERO] = "RAM, zero",
        [FE_MEMORY_MMIO] = "MMIO",
        [FE_MEMORY_ROM] = "ROM",
        [FE_MEMORY_MMIO2] = "MMIO2",
        [FE_MEMORY_MMIO2_ALIAS] = "MMIO2 alias",
        [FE_MEMORY_SHARED] = "RAM, shared",
        [FE_MEMORY_MONITORED] = "RAM, monitored",
        [FE_MEMORY_ALLOCATED] = "RAM, allocated",
        [FE_MEMORY_ROM_SHADOW] = "ROM's shadow",
        [FE_MEMORY_BALLOONED] = "RAM, ballooned",
    };

    return (unsigned)class < FE_MEMORY_N_CLASSES ? names[class] : "unknown";
}

typedef struct Walk {
    FeMemoryVisitor visit;
    void *user;
    unsigned index;
    PgmRangeInfo range;
} Walk;

static bool see_run(const PgmPageRun *run, void *user)
{
    const Walk *walk = user;
    FeMemorySegment segment = { .first_page = run->start >> MEM_PAGE_SHIFT,
                                .n_pages = run->n_pages,
                                .class = fe_memory_class(run->type, run->state),
                                .executed = run->executed,
                                .range_index = walk->index,
                                .range = &walk->range,
                                .run = run };

    return walk->visit(&segment, walk->user);
}

static bool see_hole(const Walk *walk, GPhys start)
{
    FeMemorySegment hole = { .first_page = start >> MEM_PAGE_SHIFT,
                             .n_pages = (walk->range.start - start) >> MEM_PAGE_SHIFT,
                             .class = FE_MEMORY_HOLE,
                             .range_index = walk->index };

    return hole.n_pages == 0 || walk->visit(&hole, walk->user);
}

bool fe_memory_map_foreach(Pgm *pgm, FeMemoryVisitor visit, void *user)
{
    Walk walk = { .visit = visit, .user = user };
    GPhys next = 0;

    for (; pgm_range_get(pgm, walk.index, &walk.range); walk.index++) {
        if (!see_hole(&walk, next) || !pgm_range_foreach_run(pgm, walk.index, see_run, &walk)) {
            return false;
        }
        next = walk.range.start + walk.range.len;
    }
    return true;
}

static bool count(const FeMemorySegment *segment, void *user)
{
    FeMemoryCounts *counts = user;

    counts->pages[segment->class] += segment->n_pages;
    counts->executed += segment->executed ? segment->n_pages : 0;
    return true;
}

void fe_memory_map_count(Pgm *pgm, FeMemoryCounts *ret_counts)
{
    *ret_counts = (FeMemoryCounts) { 0 };
    (void)fe_memory_map_foreach(pgm, count, ret_counts);
}

const char *fe_memory_kind_name(PgmRangeKind kind)
{
    static const char *const names[] = { "RAM", "ROM", "MMIO", "MMIO2" };

    return names[kind];
}
