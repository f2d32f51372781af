/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical map folded into rows of squares, as text is folded into lines. Rows that are
 * alike all through become one band, however many they are; so a picture is as large as what
 * happened to memory, not as memory.
 */
#pragma once

#include "memory-map.h"

/* How a map is folded. */
typedef struct FeMemoryScale {
    unsigned n_columns;  /* squares of a row, a power of two */
    int square;          /* pixels of a square's side */
    uint64_t cell_pages; /* pages of a square, a power of two */
} FeMemoryScale;

#define FE_MEMORY_BAND_HEIGHT 17 /* pixels */
#define FE_MEMORY_CELL_EXECUTED 0x80

/* Of FeMemoryFold.rows. A row of squares, or a band of @n_rows rows. */
typedef struct FeMemoryRow {
    uint64_t first_page;
    uint64_t n_rows;     /* 1: squares */
    size_t cells;        /* of squares: the first one in FeMemoryFold.cells */
    FeMemoryClass class; /* of a band */
} FeMemoryRow;

typedef struct FeMemoryFold {
    FeMemoryScale scale;
    GArray *rows;      /* of FeMemoryRow */
    GByteArray *cells; /* FeMemoryClass of each square, with FE_MEMORY_CELL_EXECUTED */
    int height;        /* pixels of all rows */
    int limit;         /* of them */
} FeMemoryFold;

/* At the largest scale that fits. A map has at most some 2,000 rows then. */
FeMemoryFold *fe_memory_fold_new(Pgm *pgm);
void fe_memory_fold_free(FeMemoryFold *fold);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeMemoryFold, fe_memory_fold_free)

/* Pixels from its top to that of the next row. */
int fe_memory_row_height(const FeMemoryFold *fold, const FeMemoryRow *row);
/* Pages of a row of squares. */
uint64_t fe_memory_fold_row_pages(const FeMemoryFold *fold);
