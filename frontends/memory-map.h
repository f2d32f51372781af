/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical map for pictures: one line of segments from address 0 to the end of the last
 * range, holes between ranges among them. Costs follow ranges and pages that were ever touched,
 * never the size of RAM.
 */
#pragma once

#include "memsys/pgm.h"

/* What a page is for somebody who looks at a picture; a square that stands for several pages shows
 * the last of these that is among them. */
typedef enum FeMemoryClass {
    FE_MEMORY_HOLE,
    FE_MEMORY_ZERO, /* of RAM or behind ROM */
    FE_MEMORY_MMIO,
    FE_MEMORY_ROM,
    FE_MEMORY_MMIO2,
    FE_MEMORY_MMIO2_ALIAS,
    FE_MEMORY_SHARED, /* RAM from here on */
    FE_MEMORY_MONITORED,
    FE_MEMORY_ALLOCATED,
    FE_MEMORY_ROM_SHADOW,
    FE_MEMORY_BALLOONED,
    FE_MEMORY_N_CLASSES
} FeMemoryClass;

typedef struct FeMemorySegment {
    uint64_t first_page; /* guest address / 4096 */
    uint64_t n_pages;
    FeMemoryClass class;
    bool executed;
    unsigned range_index;      /* as pgm_range_get() has it; of a hole: of the range behind */
    const PgmRangeInfo *range; /* NULL: a hole */
    const PgmPageRun *run;     /* likewise */
} FeMemorySegment;

/* False ends the visit. */
typedef bool (*FeMemoryVisitor)(const FeMemorySegment *segment, void *user);

/* Returns: false if @visit ended it */
bool fe_memory_map_foreach(Pgm *pgm, FeMemoryVisitor visit, void *user);

/* Pages of each class that a guest finds in its address space. */
typedef struct FeMemoryCounts {
    uint64_t pages[FE_MEMORY_N_CLASSES];
    uint64_t executed;
} FeMemoryCounts;
void fe_memory_map_count(Pgm *pgm, FeMemoryCounts *ret_counts);

FeMemoryClass fe_memory_class(PgmPageType type, PgmPageState state);
/* A word or two; never NULL. */
const char *fe_memory_class_name(FeMemoryClass class);
/* "RAM"; never NULL. */
const char *fe_memory_kind_name(PgmRangeKind kind);
