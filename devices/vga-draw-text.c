/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character cells, and whole pictures of any mode.
 *
 * A cell is four bytes of memory: character, attribute, a byte of the font, nothing. The font's
 * bytes of a character are the next 32 in plane 2.
 *
 * The cursor is always shown, so that a picture does not depend on when it is taken. On a VGA, and
 * in QEMU's picture by the host's time, it blinks: half of QEMU's screendumps have the plain cell
 * there (of attribute 7F, say: a8a8a8 on the cursor's lines where we have ffffff).
 *
 * Source: see vga-draw.h.
 */
#include "devices/vga-draw.h"

#define LOOK_CURSOR (1u << 16)

/* Line-drawing characters, whose eighth dot can be repeated in the ninth. The manual begins with
 * C0; QEMU's picture with B0. */
#define FIRST_EXTENDED 0xb0u
#define LAST_EXTENDED 0xdfu

uint32_t vga_cell_look(const uint8_t *memory, const VgaLayout *layout, uint32_t cell)
{
    uint32_t look = memory[cell & VGA_MEMORY_MASK] | (uint32_t)memory[(cell + 1) & VGA_MEMORY_MASK]
                                                         << 8;

    return cell == layout->cursor ? look | LOOK_CURSOR : look;
}

/* Bits of one line of a cell, 9 with the leftmost in bit 8; the ninth in bit 0. */
static unsigned cell_line(const VgaDrawing *drawing, uint32_t look, unsigned line)
{
    const VgaLayout *layout = drawing->layout;
    unsigned character = VGA_LOOK_CHARACTER(look);

    if (VGA_LOOK_CURSOR(look) && line >= layout->cursor_first && line <= layout->cursor_last) {
        return 0x1ff;
    }
    /* Foreground 1 on background 0, whatever the intensity. */
    if (line == layout->underline && (VGA_LOOK_ATTRIBUTE(look) & 0x77) == 0x01) {
        return 0x1ff;
    }
    uint32_t at = layout->fonts[vga_look_font(look)] + (character * VGA_GLYPH_LINES + line) * 4;
    unsigned bits = drawing->memory[at & VGA_MEMORY_MASK];
    bool extended =
        layout->extend != 0 && character >= FIRST_EXTENDED && character <= LAST_EXTENDED;

    return bits << 1 | (extended ? bits & 1 : 0);
}

void vga_draw_cell(const VgaDrawing *drawing, uint32_t look, uint32_t *pixels, unsigned stride)
{
    const VgaLayout *layout = drawing->layout;
    unsigned attribute = VGA_LOOK_ATTRIBUTE(look);
    uint32_t colours[2] = {
        drawing->palette->colours[attribute >> 4 & (layout->blink != 0 ? 7 : 15)],
        drawing->palette->colours[attribute & 15],
    };
    unsigned dots_shift = layout->cell_width == 16 ? 1 : 0;

    for (unsigned line = 0; line < layout->cell_height; line++) {
        unsigned bits = cell_line(drawing, look, line);

        for (unsigned x = 0; x < layout->cell_width; x++) {
            pixels[x] = colours[bits >> (8 - (x >> dots_shift)) & 1];
        }
        pixels += stride;
    }
}

static void draw_characters(const VgaDrawing *drawing, uint32_t row, uint32_t *pixels)
{
    const VgaLayout *layout = drawing->layout;

    for (unsigned column = 0; column < layout->columns; column++) {
        vga_draw_cell(drawing, vga_cell_look(drawing->memory, layout, row + column * 4),
                      pixels + column * layout->cell_width, layout->width);
    }
}

void vga_draw_all(const VgaView *view, uint32_t *pixels)
{
    VgaLayout layout;
    VgaPalette palette;
    VgaDrawing drawing = { .memory = view->memory, .layout = &layout, .palette = &palette };
    uint32_t rows[DEV_SCREEN_MAX_HEIGHT];

    vga_layout_get(view->regs, &layout);
    vga_palette_get(view->regs, &layout, &palette);
    vga_layout_rows(&layout, rows);
    for (unsigned i = 0; i < layout.n_rows; i++) {
        uint32_t *at = pixels + (size_t)i * layout.row_height * layout.width;

        if (layout.kind == VGA_LAYOUT_TEXT) {
            draw_characters(&drawing, rows[i], at);
        } else {
            vga_draw_line(&drawing, rows[i], at);
        }
    }
    for (size_t i = 0; layout.n_rows == 0 && i < (size_t)layout.width * layout.height; i++) {
        pixels[i] = 0;
    }
}
