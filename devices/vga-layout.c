/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which mode the registers make, where its rows lie, and its colours.
 *
 * As in QEMU's picture, and unlike on a VGA: panning by pixels (attribute 13) or bytes (CRTC 8)
 * moves nothing, screen-off (sequencer 1) does not blank, and 256 colours are always two dots wide.
 * Unlike QEMU 7.2's: the planes of a VBE mode of 4 bits are shown (there they cannot be written),
 * bit 7 of an attribute is no colour while it blinks, and monochrome modes underline.
 *
 * Source: see vga-draw.h.
 */
#include "devices/vga-draw.h"

#include <string.h>

#define MAX_SCAN_DOUBLE 0x80u
#define CURSOR_OFF 0x20u
#define BANK_MASK 0x43u
#define MISC_GRAPHICS 0x01u
#define ATTR_PALETTE_ON_SCREEN 0x20u
#define MODE_MONOCHROME 0x02u
#define MODE_EXTEND 0x04u
#define MODE_BLINK 0x08u
#define MODE_COLOUR_SELECT 0x80u
#define NO_LINE_COMPARE UINT32_MAX

/* Size of a blank picture when no mode was ever set. */
#define BLANK_WIDTH 640
#define BLANK_HEIGHT 480

static unsigned vertical_end(const VgaRegs *regs)
{
    unsigned overflow = regs->crtc[VGA_CRTC_OVERFLOW];

    return (regs->crtc[VGA_CRTC_VERTICAL_END] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) +
           1;
}

static void set_crtc_addresses(const VgaRegs *regs, VgaLayout *layout)
{
    const uint8_t *crtc = regs->crtc;

    layout->line_offset = (uint32_t)crtc[VGA_CRTC_OFFSET] << 3;
    layout->start = (uint32_t)(crtc[VGA_CRTC_START_HIGH] << 8 | crtc[VGA_CRTC_START_LOW]) << 2;
    layout->line_compare = crtc[VGA_CRTC_LINE_COMPARE] | (crtc[VGA_CRTC_OVERFLOW] & 0x10u) << 4 |
                           (crtc[VGA_CRTC_MAX_SCAN] & 0x40u) << 3;
}

/* ---- text */

/* The map with bit 2 of its number from @high and bits 1 and 0 from @low; 8 KiB of plane 2 each. */
static uint32_t font_address(unsigned high, unsigned low)
{
    /* Numbers count in 16 KiB; bit 2 picks the half in between. */
    return ((low & 3) << 1 | (high & 1)) * 8192 * 4 + 2;
}

static void set_cursor(const VgaRegs *regs, VgaLayout *layout)
{
    const uint8_t *crtc = regs->crtc;
    unsigned first = crtc[VGA_CRTC_CURSOR_START] & 0x1f;
    unsigned last = MIN(crtc[VGA_CRTC_CURSOR_END] & 0x1fu, layout->cell_height - 1);

    layout->cursor = VGA_NOWHERE;
    if ((crtc[VGA_CRTC_CURSOR_START] & CURSOR_OFF) == 0 && first <= last) {
        layout->cursor = (uint32_t)(crtc[VGA_CRTC_CURSOR_HIGH] << 8 | crtc[VGA_CRTC_CURSOR_LOW])
                         << 2;
        layout->cursor_first = first;
        layout->cursor_last = last;
    }
}

static void get_text(const VgaRegs *regs, VgaLayout *layout)
{
    unsigned clocking = regs->seq[VGA_SEQ_CLOCKING];
    unsigned maps = regs->seq[VGA_SEQ_MAP_SELECT];
    unsigned mode = regs->attr[VGA_ATTR_MODE];

    set_crtc_addresses(regs, layout);
    layout->cell_height = (regs->crtc[VGA_CRTC_MAX_SCAN] & 0x1fu) + 1;
    layout->cell_width = (clocking & VGA_CLOCKING_HALF) != 0 ? 16
                         : (clocking & VGA_CLOCKING_8_DOTS)  ? 8
                                                             : 9;
    layout->columns = regs->crtc[VGA_CRTC_DISPLAY_END] + 1u;
    layout->n_rows = vertical_end(regs) / layout->cell_height;
    layout->width = layout->columns * layout->cell_width;
    layout->height = layout->n_rows * layout->cell_height;
    layout->row_height = layout->cell_height;
    layout->row_bytes = layout->columns * 4;
    layout->kind = layout->columns * layout->n_rows > 1 ? VGA_LAYOUT_TEXT : VGA_LAYOUT_BLANK;
    layout->fonts[0] = font_address(maps >> 4, maps);
    layout->fonts[1] = font_address(maps >> 5, maps >> 2);
    layout->extend = (mode & MODE_EXTEND) != 0;
    layout->blink = (mode & MODE_BLINK) != 0;
    layout->underline = VGA_NOWHERE;
    if ((mode & MODE_MONOCHROME) != 0) {
        layout->underline = regs->crtc[VGA_CRTC_UNDERLINE] & 0x1f;
    }
    set_cursor(regs, layout);
}

/* ---- graphics */

static void get_graphics(const VgaRegs *regs, VgaLayout *layout)
{
    unsigned shift = regs->gfx[VGA_GFX_MODE] >> 5 & 3;
    unsigned max_scan = regs->crtc[VGA_CRTC_MAX_SCAN];
    unsigned doubling = (max_scan & MAX_SCAN_DOUBLE) != 0 ? 1 : 0;
    unsigned clocks = regs->crtc[VGA_CRTC_DISPLAY_END] + 1u;

    set_crtc_addresses(regs, layout);
    layout->kind = shift == 0 ? VGA_LAYOUT_PLANAR : shift == 1 ? VGA_LAYOUT_CGA : VGA_LAYOUT_PACKED;
    layout->dot_width =
        shift >= 2 || (regs->seq[VGA_SEQ_CLOCKING] & VGA_CLOCKING_HALF) != 0 ? 2 : 1;
    layout->width = clocks * 8 * (shift >= 2 ? 1 : layout->dot_width);
    layout->height = vertical_end(regs);
    layout->row_bytes = clocks * 4;
    layout->banks = regs->crtc[VGA_CRTC_MODE] & BANK_MASK;
    /* The CGA's two banks are the two lines of a character row: its height repeats nothing. */
    layout->repeat = ((layout->banks & 1) != 0 ? (max_scan & 0x1f) + 1 : 1) << doubling;
    layout->planes = shift < 2 ? regs->attr[VGA_ATTR_PLANES] & 0xf : 0;
}

static unsigned vbe_bits(unsigned bits)
{
    switch (bits) {
    case 4:
    case 15:
    case 16:
    case 24:
    case 32:
        return bits;
    default:
        return 8;
    }
}

static void get_vbe(const VgaRegs *regs, VgaLayout *layout)
{
    const uint16_t *vbe = regs->vbe;
    unsigned bits = vbe_bits(vbe[VBE_BPP]);
    unsigned stored = bits == 15 ? 16 : bits;
    unsigned width = CLAMP(vbe[VBE_XRES] & ~7u, 8, DEV_SCREEN_MAX_WIDTH);
    uint64_t pitch = (uint64_t)MAX(vbe[VBE_VIRT_WIDTH] & ~7u, width) * stored / 8;
    uint64_t start = pitch * vbe[VBE_Y_OFFSET] + (uint64_t)vbe[VBE_X_OFFSET] * stored / 8;

    layout->kind = bits == 4 ? VGA_LAYOUT_PLANAR : VGA_LAYOUT_VBE;
    layout->width = width;
    layout->height = CLAMP(vbe[VBE_YRES], 1, DEV_SCREEN_MAX_HEIGHT);
    layout->row_bytes = width * stored / 8;
    layout->line_offset = (uint32_t)pitch;
    /* The CRTC counts in four bytes. */
    layout->start = (uint32_t)start & ~3u & VGA_MEMORY_MASK;
    layout->line_compare = NO_LINE_COMPARE;
    layout->repeat = 1;
    layout->dot_width = 1;
    layout->bits = bits == 4 ? 0 : bits;
    layout->banks = 0x03;
    layout->planes = bits == 4 ? regs->attr[VGA_ATTR_PLANES] & 0xf : 0;
}

/* Black, as large as what the mode would show. */
static void make_blank(VgaLayout *layout)
{
    VgaLayout blank = { .kind = VGA_LAYOUT_BLANK,
                        .width = layout->width,
                        .height = layout->height };

    if (layout->width <= 16 || layout->height <= 1) {
        blank.width = BLANK_WIDTH;
        blank.height = BLANK_HEIGHT;
    }
    *layout = blank;
}

void vga_layout_get(const VgaRegs *regs, VgaLayout *ret_layout)
{
    memset(ret_layout, 0, sizeof(*ret_layout));
    if ((regs->vbe[VBE_ENABLE] & VBE_ENABLED) != 0) {
        get_vbe(regs, ret_layout);
    } else if ((regs->gfx[VGA_GFX_MISC] & MISC_GRAPHICS) != 0) {
        get_graphics(regs, ret_layout);
    } else {
        get_text(regs, ret_layout);
    }
    if ((regs->attr_index & ATTR_PALETTE_ON_SCREEN) == 0 || ret_layout->kind == VGA_LAYOUT_BLANK) {
        make_blank(ret_layout);
    } else if (ret_layout->kind != VGA_LAYOUT_TEXT) {
        ret_layout->n_rows = ret_layout->height;
        ret_layout->row_height = 1;
    }
}

/* ---- rows */

static void text_rows(const VgaLayout *layout, uint32_t *ret_rows)
{
    uint32_t at = layout->start;
    uint32_t line = 0;

    for (unsigned i = 0; i < layout->n_rows; i++) {
        uint32_t next_line = line + layout->cell_height;

        ret_rows[i] = at & VGA_MEMORY_MASK;
        at += layout->line_offset;
        if (line < layout->line_compare && next_line >= layout->line_compare) {
            at = 0;
        }
        line = next_line;
    }
}

/* CRTC 17 can put bits of the row counter in place of address bits: the CGA's two banks, the
 * Hercules card's four. */
static uint32_t with_banks(const VgaLayout *layout, uint32_t at, uint32_t counter)
{
    if ((layout->banks & 0x01) == 0) {
        unsigned shift = 14 + (layout->banks >> 6 & 1);

        at = (at & ~(1u << shift)) | (counter & 1) << shift;
    }
    if ((layout->banks & 0x02) == 0) {
        at = (at & ~0x8000u) | (counter & 2) << 14;
    }
    return at & VGA_MEMORY_MASK;
}

void vga_layout_rows(const VgaLayout *layout, uint32_t *ret_rows)
{
    uint32_t at = layout->start;
    uint32_t counter = 0;
    uint32_t left = layout->repeat;
    uint32_t bank_end = (layout->banks & 3) ^ 3;

    if (layout->kind == VGA_LAYOUT_TEXT) {
        text_rows(layout, ret_rows);
        return;
    }
    for (unsigned i = 0; i < layout->n_rows; i++) {
        ret_rows[i] = with_banks(layout, at, counter);
        if (--left == 0) {
            at += (counter & bank_end) == bank_end ? layout->line_offset : 0;
            counter++;
            left = layout->repeat;
        }
        if (i == layout->line_compare) {
            at = 0;
        }
    }
}

/* ---- colours */

/* The lowest bit is repeated below, as QEMU has it (a VGA's output is analogue). */
static uint32_t six_to_eight(unsigned value)
{
    unsigned low = value & 1;

    return (value & 0x3f) << 2 | low << 1 | low;
}

static uint32_t dac_colour(const VgaRegs *regs, unsigned index)
{
    const uint8_t *entry = regs->dac + (index & regs->dac_mask) * 3u;

    if ((regs->vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0) {
        return (uint32_t)entry[0] << 16 | (uint32_t)entry[1] << 8 | entry[2];
    }
    return six_to_eight(entry[0]) << 16 | six_to_eight(entry[1]) << 8 | six_to_eight(entry[2]);
}

static unsigned attribute_colour(const VgaRegs *regs, unsigned index)
{
    unsigned colour = regs->attr[index];
    unsigned select = regs->attr[VGA_ATTR_COLOUR_SELECT];

    if ((regs->attr[VGA_ATTR_MODE] & MODE_COLOUR_SELECT) != 0) {
        return (select & 0xf) << 4 | (colour & 0xf);
    }
    return (select & 0xc) << 4 | (colour & 0x3f);
}

void vga_palette_get(const VgaRegs *regs, const VgaLayout *layout, VgaPalette *ret_palette)
{
    bool is_256 =
        layout->kind == VGA_LAYOUT_PACKED || (layout->kind == VGA_LAYOUT_VBE && layout->bits == 8);
    bool is_16 = layout->kind == VGA_LAYOUT_TEXT || layout->kind == VGA_LAYOUT_PLANAR ||
                 layout->kind == VGA_LAYOUT_CGA;

    memset(ret_palette, 0, sizeof(*ret_palette));
    for (unsigned i = 0; is_256 && i < 256; i++) {
        ret_palette->colours[i] = dac_colour(regs, i);
    }
    for (unsigned i = 0; is_16 && i < 16; i++) {
        ret_palette->colours[i] = dac_colour(regs, attribute_colour(regs, i));
    }
}
