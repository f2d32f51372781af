/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of pixels in graphics modes.
 *
 * VGA modes take four bytes of memory, one of each plane, for each character clock: eight dots, or
 * sixteen at half the dot clock.
 *
 * Source: see vga-draw.h.
 */
#include "devices/vga-draw.h"

#include <string.h>

/* ---- 16 and 4 colours */

/* The bits of @byte, each @spread bits from the next, bit 0 at bit 0. */
static inline uint32_t spread_bits(unsigned byte)
{
    uint32_t spread = byte & 0xff;

    spread = (spread | spread << 12) & 0x000f000f;
    spread = (spread | spread << 6) & 0x03030303;
    return (spread | spread << 3) & 0x11111111;
}

/* @dots: eight colours of four bits, the leftmost in the highest. */
static uint32_t *put_dots(const VgaDrawing *drawing, uint32_t dots, uint32_t *pixels)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t colour = drawing->palette->colours[dots >> 28];

        dots <<= 4;
        for (unsigned dot = 0; dot < drawing->layout->dot_width; dot++) {
            *pixels++ = colour;
        }
    }
    return pixels;
}

static void draw_planar(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    uint32_t planes = drawing->layout->planes * 0x11111111u;

    for (unsigned at = 0; at < drawing->layout->row_bytes; at += 4) {
        uint32_t dots = spread_bits(bytes[at]) | spread_bits(bytes[at + 1]) << 1 |
                        spread_bits(bytes[at + 2]) << 2 | spread_bits(bytes[at + 3]) << 3;

        pixels = put_dots(drawing, dots & planes, pixels);
    }
}

/* Four pixels of two bits from @low, with two more bits each from @high. */
static uint32_t cga_dots(unsigned low, unsigned high)
{
    uint32_t dots = 0;

    for (unsigned i = 0; i < 4; i++) {
        dots = dots << 4 | (high >> 6 & 3) << 2 | (low >> 6 & 3);
        low <<= 2;
        high <<= 2;
    }
    return dots;
}

/* A mask for the bytes of each plane. */
static unsigned plane_byte(const VgaDrawing *drawing, const uint8_t *bytes, unsigned plane)
{
    return (drawing->layout->planes >> plane & 1) != 0 ? bytes[plane] : 0;
}

static void draw_cga(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned at = 0; at < drawing->layout->row_bytes; at += 4) {
        const uint8_t *four = bytes + at;
        uint32_t dots = cga_dots(plane_byte(drawing, four, 0), plane_byte(drawing, four, 2)) << 16 |
                        cga_dots(plane_byte(drawing, four, 1), plane_byte(drawing, four, 3));

        pixels = put_dots(drawing, dots, pixels);
    }
}

/* ---- a byte or more for each pixel */

static void draw_packed(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->row_bytes; i++) {
        uint32_t colour = drawing->palette->colours[bytes[i]];

        pixels[2 * i] = colour;
        pixels[2 * i + 1] = colour;
    }
}

static void draw_8(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->width; i++) {
        pixels[i] = drawing->palette->colours[bytes[i]];
    }
}

/* Five bits stay the upper five. */
static void draw_15(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->width; i++) {
        uint32_t value = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;

        pixels[i] = (value & 0x7c00) << 9 | (value & 0x03e0) << 6 | (value & 0x001f) << 3;
    }
}

/* The upper bits of a colour are repeated below: white is FFFFFF. Not so with 15 bits; both as in
 * QEMU's picture. */
static void draw_16(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->width; i++) {
        uint32_t value = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        uint32_t red = value >> 11;
        uint32_t green = value >> 5 & 0x3f;
        uint32_t blue = value & 0x1f;

        pixels[i] =
            (red << 3 | red >> 2) << 16 | (green << 2 | green >> 4) << 8 | (blue << 3 | blue >> 2);
    }
}

static void draw_24(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->width; i++) {
        const uint8_t *three = bytes + (size_t)3 * i;

        pixels[i] = (uint32_t)three[2] << 16 | (uint32_t)three[1] << 8 | three[0];
    }
}

static void draw_32(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    for (unsigned i = 0; i < drawing->layout->width; i++) {
        uint32_t value;

        memcpy(&value, bytes + (size_t)4 * i, 4);
        pixels[i] = GUINT32_FROM_LE(value) & 0xffffff;
    }
}

static void draw_vbe(const VgaDrawing *drawing, const uint8_t *bytes, uint32_t *pixels)
{
    switch (drawing->layout->bits) {
    case 15:
        draw_15(drawing, bytes, pixels);
        break;
    case 16:
        draw_16(drawing, bytes, pixels);
        break;
    case 24:
        draw_24(drawing, bytes, pixels);
        break;
    case 32:
        draw_32(drawing, bytes, pixels);
        break;
    default:
        draw_8(drawing, bytes, pixels);
        break;
    }
}

void vga_draw_line(const VgaDrawing *drawing, uint32_t row, uint32_t *pixels)
{
    uint8_t joined[VGA_MAX_ROW_BYTES];
    uint32_t len = drawing->layout->row_bytes;
    const uint8_t *bytes = drawing->memory + row;

    if (len > DEV_VGA_MEMORY_LEN - row) {
        uint32_t n_before = (uint32_t)DEV_VGA_MEMORY_LEN - row;

        memcpy(joined, bytes, n_before);
        memcpy(joined + n_before, drawing->memory, len - n_before);
        bytes = joined;
    }
    switch ((VgaLayoutKind)drawing->layout->kind) {
    case VGA_LAYOUT_PLANAR:
        draw_planar(drawing, bytes, pixels);
        break;
    case VGA_LAYOUT_CGA:
        draw_cga(drawing, bytes, pixels);
        break;
    case VGA_LAYOUT_PACKED:
        draw_packed(drawing, bytes, pixels);
        break;
    case VGA_LAYOUT_VBE:
        draw_vbe(drawing, bytes, pixels);
        break;
    case VGA_LAYOUT_BLANK:
    case VGA_LAYOUT_TEXT:
        g_assert_not_reached();
    }
}
