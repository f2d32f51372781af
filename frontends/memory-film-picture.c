/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing a film:
 *
 *              title, what a row and a column are
 *              _|_||__|___   pages written in each slice
 *   00006000   ...:::.....   RAM Conventional RAM
 *   00090000   .:.....::..
 *                            rows where nothing was ever written are left out
 *   000e0000   ::::.......   ROM bios.bin
 *              +----+----+   time
 *              colours
 *
 * Source: ours.
 */
#include "memory-film-picture.h"

#include <inttypes.h>
#include <string.h>

#define MARGIN 12
#define TITLE_HEIGHT 60
#define BARS_HEIGHT 56
#define BARS_GAP 10
#define ADDRESS_GAP 8
#define AREA_WIDTH 600 /* at least as many as there are slices */
#define AREA_HEIGHT 560
#define NAMES_WIDTH 188
#define ROW_HEIGHT 6
#define JUMP_HEIGHT 5 /* between rows that are not neighbours */
#define FOOT_HEIGHT 84
#define MIN_ROW_PAGES 4 /* so that a row can be more or less hot */
#define INK 0x202428
#define FAINT 0x80868C
#define PAPER 0xFFFFFF
#define GROUND 0xF1F3F5
#define BARS 0x5B7C99

G_STATIC_ASSERT(AREA_WIDTH >= FE_FILM_SLICES);
/* Of the header: with one row for guest addresses and one for each space. */
G_STATIC_ASSERT(MARGIN + TITLE_HEIGHT + BARS_HEIGHT + BARS_GAP +
                    (1 + FE_FILM_SPACES) * (ROW_HEIGHT + JUMP_HEIGHT) + FOOT_HEIGHT <=
                2000);

/* Units whose pages lie in one stretch of row_pages. */
typedef struct Row {
    unsigned space;
    uint64_t page;
    unsigned first_unit;
    unsigned n_units;
    int y; /* from the area's top */
} Row;

typedef struct Drawing {
    FePixels *picture;
    FeMemoryFilm *film;
    FeFilmFrame frame;
    const FeFilmUnit *units;
    unsigned n_units;
    uint64_t row_pages;
    GArray *rows; /* of Row */
    int height;   /* of the area */
    int left;     /* of the area */
    int top;
    unsigned most;                  /* units of a row in a slice */
    unsigned n_bar[FE_FILM_SLICES]; /* units in each slice */
    unsigned most_bar;
} Drawing;

static FePen pen(const Drawing *drawing, uint32_t colour, int scale)
{
    return (FePen) { drawing->picture, colour, scale };
}

/* ---- rows */

static void make_rows(Drawing *drawing)
{
    g_array_set_size(drawing->rows, 0);
    drawing->height = 0;
    for (unsigned i = 0; i < drawing->n_units; i++) {
        const FeFilmUnit *unit = &drawing->units[i];
        uint64_t page = unit->page / drawing->row_pages * drawing->row_pages;
        Row *last = drawing->rows->len > 0
                        ? &g_array_index(drawing->rows, Row, drawing->rows->len - 1)
                        : NULL;

        if (last != NULL && last->space == unit->space && last->page == page) {
            last->n_units++;
            continue;
        }
        if (last != NULL &&
            (last->space != unit->space || last->page + drawing->row_pages != page)) {
            drawing->height += JUMP_HEIGHT;
        }
        Row row = { unit->space, page, i, 1, drawing->height };

        g_array_append_val(drawing->rows, row);
        drawing->height += ROW_HEIGHT;
    }
}

/* Rows as short as the area has room for; at the longest each space has one, which may take more
 * room. */
static void fold(Drawing *drawing)
{
    drawing->row_pages = MAX(drawing->frame.unit_pages, MIN_ROW_PAGES);
    make_rows(drawing);
    while (drawing->height > AREA_HEIGHT && drawing->row_pages < UINT64_C(1) << 52) {
        drawing->row_pages *= 2;
        make_rows(drawing);
    }
    drawing->height = MAX(drawing->height, ROW_HEIGHT);
}

static void count_row(const Drawing *drawing, const Row *row, unsigned *counts)
{
    memset(counts, 0, FE_FILM_SLICES * sizeof *counts);
    for (unsigned i = 0; i < row->n_units; i++) {
        for (unsigned slice = 0; slice < drawing->frame.n_slices; slice++) {
            counts[slice] += fe_film_unit_written(&drawing->units[row->first_unit + i], slice);
        }
    }
}

static void count_all(Drawing *drawing)
{
    unsigned counts[FE_FILM_SLICES];

    for (unsigned i = 0; i < drawing->rows->len; i++) {
        count_row(drawing, &g_array_index(drawing->rows, Row, i), counts);
        for (unsigned slice = 0; slice < drawing->frame.n_slices; slice++) {
            drawing->most = MAX(drawing->most, counts[slice]);
            drawing->n_bar[slice] += counts[slice];
            drawing->most_bar = MAX(drawing->most_bar, drawing->n_bar[slice]);
        }
    }
}

/* Left edge of a slice; of the one behind the last, the right edge of the area. */
static int slice_x(const Drawing *drawing, unsigned slice)
{
    unsigned n = MAX(drawing->frame.n_slices, 1);

    return drawing->left + (int)((uint64_t)slice * AREA_WIDTH / n);
}

static void draw_rows(const Drawing *drawing)
{
    unsigned counts[FE_FILM_SLICES];

    for (unsigned i = 0; i < drawing->rows->len; i++) {
        const Row *row = &g_array_index(drawing->rows, Row, i);
        int y = drawing->top + row->y;

        fe_picture_fill(drawing->picture, (FeBox) { drawing->left, y, AREA_WIDTH, ROW_HEIGHT },
                        GROUND);
        count_row(drawing, row, counts);
        for (unsigned slice = 0; slice < drawing->frame.n_slices; slice++) {
            int x = slice_x(drawing, slice);
            FeBox box = { x, y, slice_x(drawing, slice + 1) - x, ROW_HEIGHT };

            if (counts[slice] != 0) {
                fe_picture_fill(drawing->picture, box,
                                fe_picture_heat(counts[slice], drawing->most));
            }
        }
    }
}

static void draw_bars(const Drawing *drawing)
{
    int bottom = drawing->top - BARS_GAP;
    g_autofree char *most =
        g_strdup_printf("%" PRIu64, drawing->most_bar * drawing->frame.unit_pages);
    FePen faint = pen(drawing, FAINT, 1);
    int x = drawing->left - ADDRESS_GAP;

    for (unsigned slice = 0; slice < drawing->frame.n_slices; slice++) {
        int height =
            (int)((uint64_t)drawing->n_bar[slice] * BARS_HEIGHT / MAX(drawing->most_bar, 1));
        int left = slice_x(drawing, slice);

        height = drawing->n_bar[slice] != 0 ? MAX(height, 1) : 0;
        fe_picture_fill(
            drawing->picture,
            (FeBox) { left, bottom - height, slice_x(drawing, slice + 1) - left, height }, BARS);
    }
    fe_picture_fill(drawing->picture, (FeBox) { drawing->left, bottom, AREA_WIDTH, 1 }, FAINT);
    fe_picture_text(&faint, x - fe_picture_text_width(most, 1), bottom - BARS_HEIGHT, most);
    fe_picture_text(&faint, x - fe_picture_text_width("0", 1), bottom - 7, "0");
    fe_picture_text(&faint, drawing->left + AREA_WIDTH + 8, bottom - BARS_HEIGHT, "pages written");
    fe_picture_text(&faint, drawing->left + AREA_WIDTH + 8, bottom - BARS_HEIGHT + FE_TEXT_LINE,
                    "in a column");
}

/* ---- addresses and names */

static void draw_addresses(const Drawing *drawing)
{
    FePen ink = pen(drawing, INK, 1);
    int free_from = 0;

    for (unsigned i = 0; i < drawing->rows->len; i++) {
        const Row *row = &g_array_index(drawing->rows, Row, i);
        int y = drawing->top + row->y - 1;
        bool begins = i == 0 || row[-1].y + ROW_HEIGHT != row->y;

        /* Inside a stretch, only where there is much room: its beginning says more. */
        if (y >= free_from + (begins ? 0 : 2 * FE_TEXT_LINE)) {
            g_autofree char *text = g_strdup_printf("%08" PRIx64, row->page << MEM_PAGE_SHIFT);

            fe_picture_text(&ink, drawing->left - ADDRESS_GAP - fe_picture_text_width(text, 1), y,
                            text);
            free_from = y + FE_TEXT_LINE - 1;
        }
    }
}

/* What is at the row now. (transfer full) */
static char *row_name(const Drawing *drawing, const Row *row, Pgm *pgm, unsigned *at)
{
    uint64_t start = row->page << MEM_PAGE_SHIFT;
    uint64_t len = drawing->row_pages << MEM_PAGE_SHIFT;
    PgmRangeInfo info;

    if (row->space != 0) {
        return g_strdup_printf("unmapped %s", fe_memory_film_space_name(drawing->film, row->space));
    }
    while (pgm_range_get(pgm, *at, &info) && info.start + info.len <= start) {
        (*at)++;
    }
    if (!pgm_range_get(pgm, *at, &info) || info.start >= start + len) {
        return g_strdup("nothing now");
    }
    return g_strdup_printf("%s %s", fe_memory_kind_name(info.kind), fe_memory_range_name(&info));
}

static void draw_names(const Drawing *drawing, Pgm *pgm)
{
    g_autofree char *last = NULL;
    FePen ink = pen(drawing, INK, 1);
    size_t room = (NAMES_WIDTH - 16) / FE_TEXT_WIDTH;
    int free_from = 0;
    unsigned at = 0;

    for (unsigned i = 0; i < drawing->rows->len; i++) {
        const Row *row = &g_array_index(drawing->rows, Row, i);
        int y = MAX(drawing->top + row->y - 1, free_from);
        char *name = row_name(drawing, row, pgm, &at);

        if (g_strcmp0(name, last) != 0 && y < drawing->top + drawing->height) {
            g_autofree char *shown = g_strdup(name);

            if (strlen(shown) > room) {
                strcpy(shown + room - 2, "..");
            }
            fe_picture_text(&ink, drawing->left + AREA_WIDTH + 8, y, shown);
            free_from = y + FE_TEXT_LINE;
        }
        g_free(last);
        last = name;
    }
}

/* ---- axes, title, colours */

/* 1, 2 or 5 times a power of ten, so that there are at least four steps, at most nine. */
static uint64_t nice_step(uint64_t span)
{
    uint64_t step = 1;

    while (span / step >= 40) {
        step *= 10;
    }
    if (span / step >= 20) {
        return step * 5;
    }
    return span / step >= 10 ? step * 2 : step;
}

static void draw_time(const Drawing *drawing)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" } };
    const FeFilmFrame *frame = &drawing->frame;
    /* Of whole slices, as the area shows them. */
    uint64_t span = frame->slice_ns * MAX(frame->n_slices, 1);
    uint64_t step = nice_step(span);
    unsigned unit = span >= 2 * units[0].ns ? 0 : (span >= 2 * units[1].ns ? 1 : 2);
    uint64_t t = (step - frame->start_ns % step) % step; /* from the start */
    int y = drawing->top + drawing->height + 4;
    FePen ink = pen(drawing, INK, 1);
    g_autofree char *name = g_strdup_printf("%s of guest time", units[unit].name);

    fe_picture_fill(drawing->picture, (FeBox) { drawing->left, y, AREA_WIDTH, 1 }, FAINT);
    for (; t <= span; t += step) {
        int x = drawing->left + (int)((double)t / (double)span * AREA_WIDTH);
        g_autofree char *text =
            g_strdup_printf("%.10g", (double)(frame->start_ns + t) / (double)units[unit].ns);

        fe_picture_fill(drawing->picture, (FeBox) { x, y, 1, 4 }, FAINT);
        fe_picture_text(&ink, x - fe_picture_text_width(text, 1) / 2, y + 7, text);
    }
    fe_picture_text(&ink, drawing->left + AREA_WIDTH + 20, y + 7, name);
}

static void draw_title(const Drawing *drawing, const FeMemoryTitle *title)
{
    const FeFilmFrame *frame = &drawing->frame;
    g_autofree char *row = fe_memory_size_words(drawing->row_pages);
    g_autofree char *first = g_strdup_printf(
        "Pages written in %.4g s of guest time. A row is %s (%" PRIu64 " pages), a column %.6g ms.",
        (double)(frame->end_ns - frame->start_ns) / 1e9, row, drawing->row_pages,
        (double)frame->slice_ns / 1e6);
    FePen large = pen(drawing, INK, 2);
    FePen small = pen(drawing, FAINT, 1);

    fe_picture_text(&large, MARGIN, MARGIN, title->what);
    fe_picture_text(&small, MARGIN, MARGIN + 24, first);
    fe_picture_text(
        &small, MARGIN, MARGIN + 24 + FE_TEXT_LINE,
        "Rows where nothing was ever written are left out; white gaps are such places.");
}

static void draw_colours(const Drawing *drawing)
{
    int y = drawing->top + drawing->height + 40;
    int x = drawing->left;
    unsigned most = MAX(drawing->most, 1);
    unsigned n = MIN(most, 8);
    FePen ink = pen(drawing, INK, 1);

    fe_picture_text(&ink, x, y + 3, "pages of a row written in a column:");
    x += fe_picture_text_width("pages of a row written in a column:", 1) + 12;
    for (unsigned i = 0; i < n; i++) {
        unsigned value = n == 1 ? 1 : 1 + i * (most - 1) / (n - 1);
        g_autofree char *text = g_strdup_printf("%" PRIu64, value * drawing->frame.unit_pages);

        fe_picture_fill(drawing->picture, (FeBox) { x, y, 14, 14 }, fe_picture_heat(value, most));
        fe_picture_text(&ink, x + 18, y + 3, text);
        x += 18 + fe_picture_text_width(text, 1) + 12;
    }
}

static int addresses_width(const Drawing *drawing)
{
    char text[24] = "00000000";

    for (unsigned i = 0; i < drawing->rows->len; i++) {
        const Row *row = &g_array_index(drawing->rows, Row, i);

        if (row->page >> (32 - MEM_PAGE_SHIFT) != 0) {
            g_snprintf(text, sizeof text, "%013d", 0);
        }
    }
    return fe_picture_text_width(text, 1);
}

FePixels *fe_memory_film_draw(FeMemoryFilm *film, Pgm *pgm, const FeMemoryTitle *title)
{
    g_autofree Drawing *drawing = g_new0(Drawing, 1);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(Row));

    drawing->film = film;
    drawing->rows = rows;
    fe_memory_film_get_frame(film, &drawing->frame);
    drawing->units = fe_memory_film_units(film, &drawing->n_units);
    fold(drawing);
    count_all(drawing);
    drawing->left = MARGIN + addresses_width(drawing) + ADDRESS_GAP;
    drawing->top = MARGIN + TITLE_HEIGHT + BARS_HEIGHT + BARS_GAP;
    drawing->picture =
        fe_picture_new((unsigned)(drawing->left + AREA_WIDTH + NAMES_WIDTH),
                       (unsigned)(drawing->top + drawing->height + FOOT_HEIGHT), PAPER);
    if (drawing->picture != NULL) {
        draw_title(drawing, title);
        draw_bars(drawing);
        draw_rows(drawing);
        draw_addresses(drawing);
        draw_names(drawing, pgm);
        draw_time(drawing);
        draw_colours(drawing);
    }
    return drawing->picture;
}
