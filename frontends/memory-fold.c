/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folding the map; see memory-fold.h. The scales are tried from the largest; one that does not fit
 * is given up as soon as its rows are too many, so that all tries together cost little more than
 * the one that fits.
 */
#include "memory-fold.h"

#include <string.h>

#define HEIGHT_MAX 880          /* of squares that can be told apart */
#define HEIGHT_MAX_SMALL 1680   /* of the finest points */
#define BAND_ROWS 5             /* fewer rows that are alike stay rows */
#define CELL_PAGES_SHIFT_MAX 40 /* 52 address bits */

static const FeMemoryScale scales[] = {
    { 32, 16, 1 }, { 64, 8, 1 }, { 128, 4, 1 }, { 256, 3, 1 }, { 512, 2, 1 }, { 1024, 1, 1 },
};

typedef struct Folder {
    FeMemoryFold *fold;
    uint8_t row[1024]; /* the one that is not complete */
    /* What was seen last, and may go on: pages of one range that look alike. */
    uint64_t first_page;
    uint64_t end;
    unsigned range_index;
    uint8_t cell;
} Folder;

uint64_t fe_memory_fold_row_pages(const FeMemoryFold *fold)
{
    return fold->scale.n_columns * fold->scale.cell_pages;
}

int fe_memory_row_height(const FeMemoryFold *fold, const FeMemoryRow *row)
{
    return row->n_rows == 1 ? fold->scale.square : FE_MEMORY_BAND_HEIGHT;
}

static void add_row(Folder *folder, uint64_t first_page)
{
    FeMemoryFold *fold = folder->fold;
    FeMemoryRow row = { .first_page = first_page, .n_rows = 1, .cells = fold->cells->len };

    g_byte_array_append(fold->cells, folder->row, fold->scale.n_columns);
    g_array_append_val(fold->rows, row);
    fold->height += fold->scale.square;
    memset(folder->row, FE_MEMORY_HOLE, sizeof folder->row);
}

static void add_alike(Folder *folder, uint64_t first_page, uint64_t n_rows, uint8_t cell)
{
    FeMemoryFold *fold = folder->fold;

    if (n_rows >= BAND_ROWS) {
        FeMemoryRow band = { .first_page = first_page,
                             .n_rows = n_rows,
                             .class = (FeMemoryClass)(cell & ~FE_MEMORY_CELL_EXECUTED) };

        g_array_append_val(fold->rows, band);
        fold->height += FE_MEMORY_BAND_HEIGHT;
        return;
    }
    for (uint64_t i = 0; i < n_rows; i++) {
        memset(folder->row, cell, fold->scale.n_columns);
        add_row(folder, first_page + i * fe_memory_fold_row_pages(fold));
    }
}

/* Pages [@from, @to) of the row that is not complete. */
static void paint(Folder *folder, uint64_t from, uint64_t to, uint8_t cell)
{
    uint64_t cell_pages = folder->fold->scale.cell_pages;

    for (uint64_t i = from / cell_pages; i <= (to - 1) / cell_pages; i++) {
        folder->row[i] = MAX(folder->row[i], cell);
    }
}

/* What was seen is all of its kind: it becomes squares and bands. */
static void settle(Folder *folder)
{
    const FeMemoryFold *fold = folder->fold;
    uint64_t row_pages = fe_memory_fold_row_pages(fold);
    uint64_t page = folder->first_page;

    while (page < folder->end && fold->height <= fold->limit) {
        uint64_t from = page % row_pages;

        if (from == 0 && folder->end - page >= row_pages) {
            uint64_t n_rows = (folder->end - page) / row_pages;

            add_alike(folder, page, n_rows, folder->cell);
            page += n_rows * row_pages;
            continue;
        }
        uint64_t to = MIN(from + (folder->end - page), row_pages);

        paint(folder, from, to, folder->cell);
        page += to - from;
        if (to == row_pages) {
            add_row(folder, page - row_pages);
        }
    }
    folder->first_page = folder->end;
}

static bool add_segment(const FeMemorySegment *segment, void *user)
{
    Folder *folder = user;
    const FeMemoryFold *fold = folder->fold;
    bool mark = segment->executed && fold->scale.cell_pages == 1;
    uint8_t cell = (uint8_t)(segment->class | (mark ? FE_MEMORY_CELL_EXECUTED : 0));

    if (cell != folder->cell || segment->range_index != folder->range_index) {
        settle(folder);
        folder->cell = cell;
        folder->range_index = segment->range_index;
    }
    folder->end = segment->first_page + segment->n_pages;
    return fold->height <= fold->limit;
}

static FeMemoryFold *try_scale(Pgm *pgm, FeMemoryScale scale, int limit)
{
    g_autoptr(FeMemoryFold) fold = g_new0(FeMemoryFold, 1);
    Folder folder = { .fold = fold };

    *fold = (FeMemoryFold) { .scale = scale,
                             .rows = g_array_new(FALSE, FALSE, sizeof(FeMemoryRow)),
                             .cells = g_byte_array_new(),
                             .limit = limit };
    (void)fe_memory_map_foreach(pgm, add_segment, &folder);
    settle(&folder);

    uint64_t rest = folder.end % fe_memory_fold_row_pages(fold);

    if (rest != 0 && fold->height <= limit) {
        add_row(&folder, folder.end - rest);
    }
    return fold->height <= limit ? g_steal_pointer(&fold) : NULL;
}

FeMemoryFold *fe_memory_fold_new(Pgm *pgm)
{
    FeMemoryFold *fold = NULL;

    for (unsigned i = 0; fold == NULL && i < G_N_ELEMENTS(scales); i++) {
        fold = try_scale(pgm, scales[i], scales[i].square > 2 ? HEIGHT_MAX : HEIGHT_MAX_SMALL);
    }
    for (unsigned shift = 1; fold == NULL && shift <= CELL_PAGES_SHIFT_MAX; shift++) {
        FeMemoryScale scale = { 1024, 1, UINT64_C(1) << shift };

        fold = try_scale(pgm, scale, HEIGHT_MAX_SMALL);
    }
    g_assert(fold != NULL); /* at the last scale all addresses are one row */
    return fold;
}

void fe_memory_fold_free(FeMemoryFold *fold)
{
    if (fold != NULL) {
        g_array_unref(fold->rows);
        g_byte_array_unref(fold->cells);
        g_free(fold);
    }
}
