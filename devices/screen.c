/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevScreen: one picture, kept up to date from what the dirty pages of video memory and a copy of
 * the registers' meaning say.
 *
 *   graphics   lines that have a byte in a dirty page are drawn anew
 *   text       rows that have a byte in a dirty page are compared cell by cell with what was drawn;
 *              all rows when addresses or the cursor changed. Pages of the font overlap those of
 *              the text, so glyphs are compared with a copy as well
 *
 * Invariants, after an update (unless all is set):
 *   1. pixels are what vga_draw_all() makes of the registers and memory of that moment.
 *   2. rows and layout are those the picture was drawn from; in text modes looks and fonts too.
 *
 * Road not taken: to move the picture when the start address moves. Text is scrolled by cells that
 * are compared; graphics that scroll by start address are drawn whole.
 */
#include "devices/screen.h"

#include "devices/vga-draw.h"
#include "memsys/os.h"

#include <string.h>

#define N_PAGES ((unsigned)(DEV_VGA_MEMORY_LEN / MEM_PAGE_SIZE))
#define DIRTY_WORDS (N_PAGES / 64)
#define GLYPHS_A_PAGE ((unsigned)MEM_PAGE_SIZE / 4 / VGA_GLYPH_LINES)

struct DevScreen {
    const VgaView *view;
    PgmMmio2 *mmio2;
    bool all; /* draw everything at the next update */
    VgaLayout layout;
    VgaPalette palette;
    uint32_t *pixels; /* layout.width * layout.height; NULL: no memory, or no update yet */
    uint32_t *looks;  /* text: layout.columns * layout.n_rows */
    uint32_t rows[DEV_SCREEN_MAX_HEIGHT];
    uint8_t fonts[2][VGA_GLYPHS][VGA_GLYPH_LINES];
    DevScreenStats stats;
};

/* One update. */
typedef struct Update {
    uint64_t dirty[DIRTY_WORDS];
    unsigned n_dirty;
    bool glyphs_changed;
    bool glyph_changed[2][VGA_GLYPHS];
    unsigned left; /* what was drawn, half-open; empty while left == right */
    unsigned right;
    unsigned top;
    unsigned bottom;
} Update;

DevScreen *vga_screen_new(const VgaView *view, PgmMmio2 *mmio2)
{
    DevScreen *screen = g_new0(DevScreen, 1);

    screen->view = view;
    screen->mmio2 = mmio2;
    screen->all = true;
    return screen;
}

void vga_screen_free(DevScreen *screen)
{
    if (screen != NULL) {
        mem_os()->free(screen->pixels);
        mem_os()->free(screen->looks);
        g_free(screen);
    }
}

void vga_screen_redraw(DevScreen *screen)
{
    screen->all = true;
}

/* ---- dirty pages */

static void find_dirty(DevScreen *screen, Update *update)
{
    MemStatus status = pgm_mmio2_query_dirty(screen->mmio2, update->dirty, DIRTY_WORDS);

    g_assert(status == MEM_OK);
    for (unsigned i = 0; i < DIRTY_WORDS; i++) {
        update->n_dirty += (unsigned)__builtin_popcountll(update->dirty[i]);
    }
    screen->stats.dirty_pages += update->n_dirty;
}

static bool page_is_dirty(const Update *update, unsigned page)
{
    return (update->dirty[page / 64] >> (page % 64) & 1) != 0;
}

static bool row_is_dirty(const Update *update, uint32_t row, uint32_t len)
{
    unsigned first = row / (unsigned)MEM_PAGE_SIZE;
    unsigned last = (row + len - 1) / (unsigned)MEM_PAGE_SIZE;

    for (unsigned page = first; page <= last; page++) {
        if (page_is_dirty(update, page % N_PAGES)) {
            return true;
        }
    }
    return false;
}

static void add_changed(Update *update, unsigned x, unsigned y, unsigned width, unsigned height)
{
    if (update->left == update->right) {
        update->left = x;
        update->right = x + width;
        update->top = y;
        update->bottom = y + height;
        return;
    }
    update->left = MIN(update->left, x);
    update->right = MAX(update->right, x + width);
    update->top = MIN(update->top, y);
    update->bottom = MAX(update->bottom, y + height);
}

static VgaDrawing drawing_of(const DevScreen *screen)
{
    return (VgaDrawing) { .memory = screen->view->memory,
                          .layout = &screen->layout,
                          .palette = &screen->palette };
}

/* ---- text */

/* Takes the glyph as it is now. Returns: whether it is another than before. */
static bool take_glyph(DevScreen *screen, unsigned font, unsigned character)
{
    const uint8_t *memory = screen->view->memory;
    uint32_t at = screen->layout.fonts[font] + character * VGA_GLYPH_LINES * 4;
    uint8_t glyph[VGA_GLYPH_LINES];

    for (unsigned line = 0; line < VGA_GLYPH_LINES; line++) {
        glyph[line] = memory[at + line * 4];
    }
    if (memcmp(screen->fonts[font][character], glyph, sizeof(glyph)) == 0) {
        return false;
    }
    memcpy(screen->fonts[font][character], glyph, sizeof(glyph));
    return true;
}

static void take_glyphs(DevScreen *screen, Update *update, bool all)
{
    for (unsigned i = 0; i < 2 * VGA_GLYPHS; i++) {
        unsigned font = i / VGA_GLYPHS;
        unsigned character = i % VGA_GLYPHS;
        unsigned page = screen->layout.fonts[font] / (unsigned)MEM_PAGE_SIZE;

        if ((all || page_is_dirty(update, page + character / GLYPHS_A_PAGE)) &&
            take_glyph(screen, font, character)) {
            update->glyph_changed[font][character] = true;
            update->glyphs_changed = true;
        }
    }
}

static void update_cells(DevScreen *screen, Update *update, unsigned row)
{
    const VgaLayout *layout = &screen->layout;
    VgaDrawing drawing = drawing_of(screen);
    uint32_t *looks = screen->looks + (size_t)row * layout->columns;
    uint32_t *pixels = screen->pixels + (size_t)row * layout->cell_height * layout->width;
    bool drawn = false;

    for (unsigned column = 0; column < layout->columns; column++) {
        uint32_t look = vga_cell_look(screen->view->memory, layout, screen->rows[row] + column * 4);

        if (look == looks[column] &&
            !update->glyph_changed[vga_look_font(look)][VGA_LOOK_CHARACTER(look)]) {
            continue;
        }
        looks[column] = look;
        vga_draw_cell(&drawing, look, pixels + column * layout->cell_width, layout->width);
        add_changed(update, column * layout->cell_width, row * layout->cell_height,
                    layout->cell_width, layout->cell_height);
        drawn = true;
    }
    screen->stats.rows_drawn += drawn ? 1 : 0;
}

/* @anywhere: cells may have changed outside dirty pages. */
static void update_text(DevScreen *screen, Update *update, bool anywhere)
{
    take_glyphs(screen, update, screen->all);
    for (unsigned row = 0; row < screen->layout.n_rows; row++) {
        if (anywhere || update->glyphs_changed ||
            row_is_dirty(update, screen->rows[row], screen->layout.row_bytes)) {
            update_cells(screen, update, row);
        }
    }
}

/* ---- graphics */

static void update_lines(DevScreen *screen, Update *update)
{
    const VgaLayout *layout = &screen->layout;
    VgaDrawing drawing = drawing_of(screen);

    for (unsigned row = 0; row < layout->n_rows; row++) {
        if (screen->all || row_is_dirty(update, screen->rows[row], layout->row_bytes)) {
            vga_draw_line(&drawing, screen->rows[row],
                          screen->pixels + (size_t)row * layout->width);
            add_changed(update, 0, row, layout->width, 1);
            screen->stats.rows_drawn++;
        }
    }
}

/* ---- both */

/* What decides where cells lie, but not how they look. */
static void clear_addresses(VgaLayout *layout)
{
    layout->start = 0;
    layout->line_offset = 0;
    layout->line_compare = 0;
    layout->cursor = 0;
    layout->cursor_first = 0;
    layout->cursor_last = 0;
}

/* Whether the two show the same cells in the same way, apart from where they come from. */
static bool is_same_text(const VgaLayout *a, const VgaLayout *b)
{
    VgaLayout x = *a;
    VgaLayout y = *b;

    clear_addresses(&x);
    clear_addresses(&y);
    return a->kind == VGA_LAYOUT_TEXT && memcmp(&x, &y, sizeof(x)) == 0;
}

/* Returns: false: the host has no memory for the picture; there is none then. */
static bool make_room(DevScreen *screen, const VgaLayout *layout)
{
    size_t n_pixels = (size_t)layout->width * layout->height;
    size_t n_looks = (size_t)layout->columns * layout->n_rows;
    size_t had = (size_t)screen->layout.width * screen->layout.height;

    if (screen->pixels == NULL || n_pixels != had) {
        mem_os()->free(screen->pixels);
        screen->pixels = mem_os()->try_alloc0(MAX(n_pixels, 1) * sizeof(uint32_t));
    }
    g_clear_pointer(&screen->looks, mem_os()->free);
    if (layout->kind == VGA_LAYOUT_TEXT) {
        screen->looks = mem_os()->try_alloc0(MAX(n_looks, 1) * sizeof(uint32_t));
    }
    if (screen->pixels == NULL || (layout->kind == VGA_LAYOUT_TEXT && screen->looks == NULL)) {
        g_clear_pointer(&screen->pixels, mem_os()->free);
        return false;
    }
    for (size_t i = 0; screen->looks != NULL && i < n_looks; i++) {
        screen->looks[i] = VGA_LOOK_NONE;
    }
    return true;
}

/* The cursor's shape is no part of a look: a cell that has it is to be drawn when it changes. */
static void forget_cursor(DevScreen *screen)
{
    size_t n = (size_t)screen->layout.columns * screen->layout.n_rows;

    for (size_t i = 0; i < n; i++) {
        if (VGA_LOOK_CURSOR(screen->looks[i])) {
            screen->looks[i] = VGA_LOOK_NONE;
        }
    }
}

/* Draws what changed. Returns: false: there is no picture. */
static bool draw(DevScreen *screen, const VgaLayout *layout, const VgaPalette *palette,
                 Update *update)
{
    bool same_layout = memcmp(&screen->layout, layout, sizeof(*layout)) == 0;
    bool same_palette = memcmp(&screen->palette, palette, sizeof(*palette)) == 0;

    screen->all = screen->all || screen->pixels == NULL || !same_palette ||
                  (!same_layout && !is_same_text(&screen->layout, layout));
    if (screen->all && !make_room(screen, layout)) {
        return false;
    }
    if (!screen->all && !same_layout) {
        forget_cursor(screen);
    }
    screen->layout = *layout;
    screen->palette = *palette;
    if (screen->all || !same_layout) {
        vga_layout_rows(layout, screen->rows);
    }
    if (layout->kind == VGA_LAYOUT_TEXT) {
        update_text(screen, update, screen->all || !same_layout);
    } else if (screen->all || update->n_dirty > 0) {
        update_lines(screen, update);
    }
    if (screen->all && layout->kind == VGA_LAYOUT_BLANK) {
        memset(screen->pixels, 0, (size_t)layout->width * layout->height * sizeof(uint32_t));
        add_changed(update, 0, 0, layout->width, layout->height);
    }
    return true;
}

bool dev_screen_update(DevScreen *screen, DevScreenRect *ret_changed)
{
    bool had_picture = screen->pixels != NULL;
    Update update = { 0 };
    VgaLayout layout;
    VgaPalette palette;

    screen->stats.updates++;
    find_dirty(screen, &update);
    vga_layout_get(screen->view->regs, &layout);
    vga_palette_get(screen->view->regs, &layout, &palette);

    bool drawn = draw(screen, &layout, &palette, &update);

    screen->stats.full += drawn && screen->all ? 1 : 0;
    screen->all = !drawn;
    if (ret_changed != NULL) {
        *ret_changed = (DevScreenRect) { .x = update.left,
                                         .y = update.top,
                                         .width = update.right - update.left,
                                         .height = update.bottom - update.top };
    }
    return drawn ? update.left != update.right : had_picture;
}

void dev_screen_get_picture(const DevScreen *screen, DevPicture *ret_picture)
{
    bool is_there = screen->pixels != NULL;

    *ret_picture = (DevPicture) { .width = is_there ? screen->layout.width : 0,
                                  .height = is_there ? screen->layout.height : 0,
                                  .pixels = screen->pixels };
}

DevScreenMode dev_screen_mode(const DevScreen *screen)
{
    VgaLayout layout;

    vga_layout_get(screen->view->regs, &layout);
    switch ((VgaLayoutKind)layout.kind) {
    case VGA_LAYOUT_BLANK:
        return DEV_SCREEN_BLANK;
    case VGA_LAYOUT_TEXT:
        return DEV_SCREEN_TEXT;
    case VGA_LAYOUT_PLANAR:
    case VGA_LAYOUT_CGA:
    case VGA_LAYOUT_PACKED:
    case VGA_LAYOUT_VBE:
        break;
    }
    return DEV_SCREEN_GRAPHICS;
}

bool dev_screen_print_text(const DevScreen *screen, GString *text)
{
    return vga_print_text(screen->view, text);
}

void dev_screen_get_stats(const DevScreen *screen, DevScreenStats *ret_stats)
{
    *ret_stats = screen->stats;
}
