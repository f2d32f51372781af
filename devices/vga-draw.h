/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From registers and memory to pixels, in three steps that are plain functions: where a mode lies
 * in memory and on the screen (VgaLayout), its colours (VgaPalette), and the pixels of one row.
 *
 * A row is a line of pixels in graphics modes and a line of characters in text modes. Its address
 * is that of its first byte in video memory; VBE modes, planar modes and the rest differ only in
 * what follows there.
 *
 * Any register content is allowed: sizes are within DEV_SCREEN_MAX_WIDTH and _HEIGHT, addresses
 * wrap within video memory.
 *
 * Source: IBM VGA XGA Technical Reference Manual (1992), chapter 2; where a picture of QEMU 7.2
 * differs from the manual, that picture (comments say where).
 */
#pragma once

#include "devices/vga-internal.h"

#define VGA_MEMORY_MASK ((uint32_t)DEV_VGA_MEMORY_LEN - 1)
#define VGA_MAX_ROW_BYTES (DEV_SCREEN_MAX_WIDTH * 4)
#define VGA_NOWHERE UINT32_MAX /* an address that is none */
#define VGA_GLYPH_LINES 32u
#define VGA_GLYPHS 256u

/*
 * Two layouts are compared as bytes: vga_layout_get() leaves no padding unset, and fields that a
 * kind does not use are 0.
 */
typedef struct VgaLayout {
    uint32_t kind;   /* VgaLayoutKind */
    uint32_t width;  /* of the picture, pixels */
    uint32_t height; /* of the picture, pixels */
    uint32_t n_rows; /* lines of pixels, or of characters; 0 when blank */
    uint32_t row_bytes;
    uint32_t row_height;  /* scan lines a row takes: 1 in graphics modes */
    uint32_t start;       /* address of the first row, bytes */
    uint32_t line_offset; /* bytes to the next row */
    uint32_t line_compare;
    uint32_t repeat;    /* graphics: scan lines that show the same row */
    uint32_t dot_width; /* graphics: dots a pixel takes, 1 or 2 */
    uint32_t bits;      /* VBE: 8, 15, 16, 24 or 32 a pixel */
    uint32_t banks;     /* graphics: bits 0, 1 and 6 of CRTC 17 */
    uint32_t planes;    /* planar and CGA: a mask of four */

    /* Text only. */
    uint32_t columns;
    uint32_t cell_width;
    uint32_t cell_height;
    uint32_t fonts[2];     /* address of each character map */
    uint32_t cursor;       /* address of its cell; VGA_NOWHERE when it is off */
    uint32_t cursor_first; /* scan lines of a cell */
    uint32_t cursor_last;
    uint32_t underline; /* scan line of a cell; VGA_NOWHERE: none */
    uint32_t extend;    /* line-drawing characters reach into the ninth dot */
    uint32_t blink;     /* bit 7 of an attribute blinks and is no colour */
} VgaLayout;

void vga_layout_get(const VgaRegs *regs, VgaLayout *ret_layout);

/* @ret_rows: the address of each row, n_rows of them (up to DEV_SCREEN_MAX_HEIGHT). */
void vga_layout_rows(const VgaLayout *layout, uint32_t *ret_rows);

/* 0x00RRGGBB. Kinds with 16 colours use the first 16, those with colours of their own none; what is
 * not used is 0. */
typedef struct VgaPalette {
    uint32_t colours[256];
} VgaPalette;

void vga_palette_get(const VgaRegs *regs, const VgaLayout *layout, VgaPalette *ret_palette);

typedef struct VgaDrawing {
    const uint8_t *memory;
    const VgaLayout *layout;
    const VgaPalette *palette;
} VgaDrawing;

/* Draws one line of pixels, from the bytes at @row, to @pixels (layout->width of them). Not for
 * text. */
void vga_draw_line(const VgaDrawing *drawing, uint32_t row, uint32_t *pixels);

/* All that decides how a character cell looks, apart from the mode, the palette and the font:
 * character, attribute, cursor. */
uint32_t vga_cell_look(const uint8_t *memory, const VgaLayout *layout, uint32_t cell);

#define VGA_LOOK_CHARACTER(look) ((look)&0xffu)
#define VGA_LOOK_ATTRIBUTE(look) ((look) >> 8 & 0xffu)
#define VGA_LOOK_CURSOR(look) (((look) >> 16 & 1u) != 0)
#define VGA_LOOK_NONE UINT32_MAX /* of no cell */

/* Which character map of the two. */
static inline unsigned vga_look_font(uint32_t look)
{
    return VGA_LOOK_ATTRIBUTE(look) >> 3 & 1;
}

/* Draws one cell; @pixels: its upper left corner, @stride pixels a line. */
void vga_draw_cell(const VgaDrawing *drawing, uint32_t look, uint32_t *pixels, unsigned stride);

/* The whole picture: layout->width * layout->height pixels. */
void vga_draw_all(const VgaView *view, uint32_t *pixels);

/* ---- vga-text.c */

/* Of dev_screen_print_text(): the characters that memory holds now. */
bool vga_print_text(const VgaView *view, GString *text);
