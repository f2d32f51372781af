/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing the map:
 *
 *              title, what a square is
 *   00000000   [][][][][][][]    RAM  Conventional RAM
 *   00020000   [][][][][][][]
 *   00100000   == RAM, zero ==   RAM  Extended RAM, 1M to 2M
 *              legend with counts
 *
 * Source: colours of M. Okabe and K. Ito, "Color Universal Design", 2002, which people with any
 * kind of colour vision tell apart; ours otherwise.
 */
#include "memory-picture.h"

#include "memory-fold.h"

#include <inttypes.h>
#include <string.h>

#define MARGIN 12
#define TITLE_HEIGHT 60
#define ADDRESS_GAP 8
#define NAMES_WIDTH 236
#define LEGEND_ROW 16
#define LEGEND_COLUMNS 3
#define INK 0x202428
#define FAINT 0x80868C
#define PAPER 0xFFFFFF
#define NOTHING 0xF5F6F7 /* a square where nothing is */

static const uint32_t colours[FE_MEMORY_N_CLASSES] = {
    [FE_MEMORY_HOLE] = NOTHING,       [FE_MEMORY_ZERO] = 0xDCE2E7,
    [FE_MEMORY_MMIO] = 0x404448,      [FE_MEMORY_ROM] = 0xE69F00,
    [FE_MEMORY_MMIO2] = 0xCC79A7,     [FE_MEMORY_MMIO2_ALIAS] = 0x7A2E5C,
    [FE_MEMORY_SHARED] = 0x009E73,    [FE_MEMORY_MONITORED] = 0x56B4E9,
    [FE_MEMORY_ALLOCATED] = 0x0072B2, [FE_MEMORY_ROM_SHADOW] = 0xD55E00,
    [FE_MEMORY_BALLOONED] = 0xF0E442,
};

typedef struct Drawing {
    FePixels *picture;
    FeMemoryFold *fold;
    int left; /* of the squares */
    int top;
    int width; /* of the squares */
} Drawing;

uint32_t fe_memory_class_colour(FeMemoryClass class)
{
    return colours[class];
}

char *fe_memory_size_words(uint64_t n_pages)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
    double value = (double)n_pages * 4;
    unsigned unit = 0;

    while (value >= 1023.5 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    /* Three digits, and none behind the point where it is a whole number. */
    int digits = value >= 100 ? 0 : (value >= 10 ? 1 : 2);

    digits = value == (double)(uint64_t)value ? 0 : digits;
    return g_strdup_printf("%.*f %s", digits, value, units[unit]);
}

const char *fe_memory_range_name(const PgmRangeInfo *info)
{
    const char *slash = strrchr(info->description, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : info->description;
}

static FePen pen(const Drawing *drawing, uint32_t colour, int scale)
{
    return (FePen) { drawing->picture, colour, scale };
}

/* ---- rows */

static void draw_squares(const Drawing *drawing, const FeMemoryRow *row, int y)
{
    const FeMemoryFold *fold = drawing->fold;
    int side = fold->scale.square;
    int gap = side >= 4 ? 1 : 0;

    for (unsigned i = 0; i < fold->scale.n_columns; i++) {
        uint8_t cell = fold->cells->data[row->cells + i];
        FeBox box = { drawing->left + (int)i * side, y, side - gap, side - gap };

        fe_picture_fill(drawing->picture, box, colours[cell & ~FE_MEMORY_CELL_EXECUTED]);
        if ((cell & FE_MEMORY_CELL_EXECUTED) != 0 && side >= 4) {
            int dot = MAX(side / 4, 1);

            fe_picture_fill(
                drawing->picture,
                (FeBox) { box.x + (box.width - dot) / 2, box.y + (box.height - dot) / 2, dot, dot },
                PAPER);
        }
    }
}

/* Notches at both ends say that something was left out. */
static void notch(const Drawing *drawing, int y, int height)
{
    for (int i = 0; i < height; i++) {
        int depth = (i % 6 < 3 ? i % 6 : 6 - i % 6) + 1;

        fe_picture_fill(drawing->picture, (FeBox) { drawing->left, y + i, depth, 1 }, PAPER);
        fe_picture_fill(drawing->picture,
                        (FeBox) { drawing->left + drawing->width - depth, y + i, depth, 1 }, PAPER);
    }
}

static void draw_band(const Drawing *drawing, const FeMemoryRow *row, int y)
{
    static const unsigned dark = 1u << FE_MEMORY_MMIO | 1u << FE_MEMORY_MMIO2_ALIAS |
                                 1u << FE_MEMORY_SHARED | 1u << FE_MEMORY_ALLOCATED |
                                 1u << FE_MEMORY_ROM_SHADOW;
    uint64_t n_pages = row->n_rows * fe_memory_fold_row_pages(drawing->fold);
    g_autofree char *size = fe_memory_size_words(n_pages);
    g_autofree char *text = g_strdup_printf("%s: %s", fe_memory_class_name(row->class), size);
    int height = FE_MEMORY_BAND_HEIGHT - 3;
    FeBox box = { drawing->left, y + 1, drawing->width - 1, height };
    bool hole = row->class == FE_MEMORY_HOLE;
    FePen ink = pen(drawing, (dark >> row->class & 1) != 0 ? PAPER : INK, 1);

    fe_picture_fill(drawing->picture, box, colours[row->class]);
    notch(drawing, box.y, height);
    if (hole) {
        ink.colour = FAINT;
    }
    fe_picture_text(&ink, box.x + (box.width - fe_picture_text_width(text, 1)) / 2, box.y + 3,
                    text);
}

static void draw_address(const Drawing *drawing, uint64_t page, int y)
{
    g_autofree char *text = g_strdup_printf("%08" PRIx64, page << MEM_PAGE_SHIFT);
    FePen ink = pen(drawing, INK, 1);

    fe_picture_text(&ink, drawing->left - ADDRESS_GAP - fe_picture_text_width(text, 1), y, text);
}

static void draw_rows(const Drawing *drawing)
{
    const FeMemoryFold *fold = drawing->fold;
    int y = drawing->top;
    int free_from = 0;

    for (unsigned i = 0; i < fold->rows->len; i++) {
        const FeMemoryRow *row = &g_array_index(fold->rows, FeMemoryRow, i);
        int height = fe_memory_row_height(fold, row);
        int text_y = y + (height - 1 - FE_TEXT_HEIGHT + 2) / 2;

        if (row->n_rows == 1) {
            draw_squares(drawing, row, y);
        } else {
            draw_band(drawing, row, y);
        }
        if (text_y >= free_from) {
            draw_address(drawing, row->first_page, text_y);
            free_from = text_y + FE_TEXT_LINE - 1;
        }
        y += height;
    }
}

/* ---- names of ranges */

/* The row that shows @page; rows are sorted and leave nothing out. */
static int row_y(const Drawing *drawing, uint64_t page, unsigned *at, int *at_y)
{
    const FeMemoryFold *fold = drawing->fold;

    while (*at + 1 < fold->rows->len &&
           g_array_index(fold->rows, FeMemoryRow, *at + 1).first_page <= page) {
        *at_y += fe_memory_row_height(fold, &g_array_index(fold->rows, FeMemoryRow, *at));
        (*at)++;
    }
    int height = fe_memory_row_height(fold, &g_array_index(fold->rows, FeMemoryRow, *at));

    return *at_y + (height - 1 - FE_TEXT_HEIGHT + 2) / 2;
}

static void draw_name(const Drawing *drawing, const PgmRangeInfo *range, int y, int line_y)
{
    int x = drawing->left + drawing->width;
    g_autofree char *size = fe_memory_size_words(range->len >> MEM_PAGE_SHIFT);
    g_autofree char *text = g_strdup_printf("%s %s %s", fe_memory_kind_name(range->kind), size,
                                            fe_memory_range_name(range));
    size_t room = (NAMES_WIDTH - 16) / FE_TEXT_WIDTH;
    FePen ink = pen(drawing, INK, 1);

    if (strlen(text) > room) {
        strcpy(text + room - 2, "..");
    }
    fe_picture_fill(drawing->picture, (FeBox) { x + 2, y + 4, 5, 1 }, FAINT);
    fe_picture_fill(drawing->picture, (FeBox) { x + 7, MIN(y, line_y) + 4, 1, ABS(line_y - y) + 1 },
                    FAINT);
    fe_picture_fill(drawing->picture, (FeBox) { x + 7, line_y + 4, 4, 1 }, FAINT);
    fe_picture_text(&ink, x + 14, line_y, text);
}

static void draw_names(const Drawing *drawing, Pgm *pgm)
{
    unsigned n_ranges = pgm_range_count(pgm);
    int bottom = drawing->top + drawing->fold->height;
    int at_y = drawing->top;
    unsigned at = 0;
    int free_from = 0;
    PgmRangeInfo range;

    for (unsigned i = 0; pgm_range_get(pgm, i, &range); i++) {
        int y = row_y(drawing, range.start >> MEM_PAGE_SHIFT, &at, &at_y);
        int line_y = MAX(y, free_from);

        if (line_y + 2 * FE_TEXT_LINE > bottom + LEGEND_ROW && i + 1 < n_ranges) {
            g_autofree char *more = g_strdup_printf("and %u more", n_ranges - i);
            FePen faint = pen(drawing, FAINT, 1);

            fe_picture_text(&faint, drawing->left + drawing->width + 14, line_y, more);
            return;
        }
        draw_name(drawing, &range, y, line_y);
        free_from = line_y + FE_TEXT_LINE;
    }
}

/* ---- around */

static void draw_title(const Drawing *drawing, const FeMemoryTitle *title)
{
    const FeMemoryScale *scale = &drawing->fold->scale;
    g_autofree char *square = fe_memory_size_words(scale->cell_pages);
    g_autofree char *row = fe_memory_size_words(fe_memory_fold_row_pages(drawing->fold));
    bool one_page = scale->cell_pages == 1;
    g_autofree char *first = g_strdup_printf(
        "Guest-physical memory after %.4g s of guest time. A square is %s%s, a row %s.",
        (double)title->guest_ns / 1e9, one_page ? "a page of " : "", square, row);
    g_autofree char *second =
        g_strdup_printf("A band is rows that are alike, not to scale.%s%s",
                        one_page ? "" : " A square shows written pages before others.",
                        one_page && scale->square >= 4 ? " White dot: code ran there." : "");
    FePen large = pen(drawing, INK, 2);
    FePen small = pen(drawing, FAINT, 1);

    fe_picture_text(&large, MARGIN, MARGIN, title->what);
    fe_picture_text(&small, MARGIN, MARGIN + 24, first);
    fe_picture_text(&small, MARGIN, MARGIN + 24 + FE_TEXT_LINE, second);
}

static int legend_rows(void)
{
    return (FE_MEMORY_N_CLASSES + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS;
}

static void draw_legend(const Drawing *drawing, Pgm *pgm)
{
    static const FeMemoryClass order[FE_MEMORY_N_CLASSES] = {
        FE_MEMORY_ZERO,      FE_MEMORY_ALLOCATED, FE_MEMORY_MONITORED,   FE_MEMORY_SHARED,
        FE_MEMORY_BALLOONED, FE_MEMORY_ROM,       FE_MEMORY_ROM_SHADOW,  FE_MEMORY_HOLE,
        FE_MEMORY_MMIO,      FE_MEMORY_MMIO2,     FE_MEMORY_MMIO2_ALIAS,
    };
    int top = drawing->top + drawing->fold->height + LEGEND_ROW;
    int column = ((int)drawing->picture->width - 2 * MARGIN) / LEGEND_COLUMNS;
    FeMemoryCounts counts;

    fe_memory_map_count(pgm, &counts);
    for (int i = 0; i < FE_MEMORY_N_CLASSES; i++) {
        int x = MARGIN + i / legend_rows() * column;
        int y = top + i % legend_rows() * LEGEND_ROW;
        uint64_t n_pages = counts.pages[order[i]];
        g_autofree char *size = fe_memory_size_words(n_pages);
        g_autofree char *text =
            g_strdup_printf("%-14s %8" PRIu64 " %s, %s", fe_memory_class_name(order[i]), n_pages,
                            n_pages == 1 ? "page" : "pages", size);
        FePen ink = pen(drawing, n_pages != 0 ? INK : FAINT, 1);

        fe_picture_fill(drawing->picture, (FeBox) { x, y, 12, 12 }, colours[order[i]]);
        if (order[i] == FE_MEMORY_HOLE) {
            fe_picture_frame(drawing->picture, (FeBox) { x, y, 12, 12 }, FAINT);
        }
        fe_picture_text(&ink, x + 18, y + 2, n_pages != 0 ? text : fe_memory_class_name(order[i]));
    }
}

/* Of the address with most digits. */
static int addresses_width(const FeMemoryFold *fold)
{
    const FeMemoryRow *last = &g_array_index(fold->rows, FeMemoryRow, fold->rows->len - 1);
    char text[24];

    g_snprintf(text, sizeof text, "%08" PRIx64, last->first_page << MEM_PAGE_SHIFT);
    return fe_picture_text_width(text, 1);
}

FePixels *fe_memory_picture_draw(Pgm *pgm, const FeMemoryTitle *title)
{
    g_autoptr(FeMemoryFold) fold = fe_memory_fold_new(pgm);
    Drawing drawing = { .fold = fold,
                        .left = MARGIN + ADDRESS_GAP,
                        .top = MARGIN + TITLE_HEIGHT,
                        .width = (int)fold->scale.n_columns * fold->scale.square };

    if (fold->rows->len > 0) {
        drawing.left += addresses_width(fold);
    }
    int width = drawing.left + drawing.width + NAMES_WIDTH;
    int height = drawing.top + fold->height + (legend_rows() + 1) * LEGEND_ROW + MARGIN;

    drawing.picture = fe_picture_new((unsigned)width, (unsigned)height, PAPER);
    if (drawing.picture != NULL) {
        draw_title(&drawing, title);
        draw_rows(&drawing);
        draw_names(&drawing, pgm);
        draw_legend(&drawing, pgm);
    }
    return drawing.picture;
}
