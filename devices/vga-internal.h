/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the VGA: its registers, and how its parts speak to each other.
 *
 * Video memory holds the four planes byte by byte: byte N of plane P is memory[4 * N + P]. Chained
 * modes and VBE modes show the same bytes in order. Where even and odd addresses take turns (text,
 * CGA), address A of the window is byte A / 2 of plane A % 2: a character is memory[4 * N], its
 * attribute memory[4 * N + 1].
 *
 * Source: IBM VGA XGA Technical Reference Manual (1992), chapters 2 and 3; Bochs VBE
 * extension's register list.
 */
#pragma once

#include "devices/screen.h"
#include "devices/vga.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"

#define VGA_SEQ_REGS 5
#define VGA_CRTC_REGS 25
#define VGA_GFX_REGS 9
#define VGA_ATTR_REGS 21
#define VGA_DAC_LEN 768

/* The registers that this code knows by number, and bits of them that several files know. */
enum {
    VGA_SEQ_CLOCKING = 1,
    VGA_SEQ_MAP_MASK = 2,
    VGA_SEQ_MAP_SELECT = 3,
    VGA_SEQ_MEMORY = 4,
    VGA_CRTC_TOTAL = 0,
    VGA_CRTC_DISPLAY_END = 1,
    VGA_CRTC_VERTICAL_TOTAL = 6,
    VGA_CRTC_OVERFLOW = 7,
    VGA_CRTC_MAX_SCAN = 9,
    VGA_CRTC_CURSOR_START = 10,
    VGA_CRTC_CURSOR_END = 11,
    VGA_CRTC_START_HIGH = 12,
    VGA_CRTC_START_LOW = 13,
    VGA_CRTC_CURSOR_HIGH = 14,
    VGA_CRTC_CURSOR_LOW = 15,
    VGA_CRTC_RETRACE_START = 16,
    VGA_CRTC_RETRACE_END = 17,
    VGA_CRTC_VERTICAL_END = 18,
    VGA_CRTC_OFFSET = 19,
    VGA_CRTC_UNDERLINE = 20,
    VGA_CRTC_MODE = 23,
    VGA_CRTC_LINE_COMPARE = 24,
    VGA_GFX_SET_RESET = 0,
    VGA_GFX_ENABLE_SET_RESET = 1,
    VGA_GFX_COMPARE = 2,
    VGA_GFX_ROTATE = 3,
    VGA_GFX_READ_PLANE = 4,
    VGA_GFX_MODE = 5,
    VGA_GFX_MISC = 6,
    VGA_GFX_DONT_CARE = 7,
    VGA_GFX_BIT_MASK = 8,
    VGA_ATTR_MODE = 16,
    VGA_ATTR_PLANES = 18,
    VGA_ATTR_COLOUR_SELECT = 20,
};

#define VGA_MISC_COLOUR 0x01u /* CRTC at 3D4 */
#define VGA_MISC_RAM 0x02u    /* the legacy window answers */
#define VGA_CLOCKING_8_DOTS 0x01u
#define VGA_CLOCKING_HALF 0x08u /* the dot clock: everything twice as wide */
#define VGA_SEQ_MEMORY_CHAIN4 0x08u

/* VBE registers by index. */
enum {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_VIDEO_MEMORY_64K,
    VBE_REGS
};

#define VBE_ENABLED 0x01u
#define VBE_GET_CAPS 0x02u
#define VBE_8BIT_DAC 0x20u
#define VBE_LFB_ENABLED 0x40u
#define VBE_NO_CLEAR 0x80u

/* While VBE_ENABLED is set, sizes and offsets are in bounds (vga-vbe.c): all that is shown lies in
 * video memory, VBE_VIRT_WIDTH * bits / 8 bytes a line, 15 bits taking 16 (4 bits: of all planes
 * together). VBE's timing is that of 640x480; the VGA's own registers are set to match a mode, and
 * the guest may change them afterwards.
 *
 * All that a guest can program. Index registers hold what was written; accesses with an index past
 * the end read 0 and write nothing. */
typedef struct VgaRegs {
    uint8_t misc;
    uint8_t feature;
    uint8_t seq_index;
    uint8_t seq[VGA_SEQ_REGS];
    uint8_t crtc_index;
    uint8_t crtc[VGA_CRTC_REGS];
    uint8_t gfx_index;
    uint8_t gfx[VGA_GFX_REGS];
    uint8_t attr_index; /* with bit 5: the palette is the screen's, not the processor's */
    bool attr_data;     /* the next write to 3C0 is data */
    uint8_t attr[VGA_ATTR_REGS];
    uint8_t dac_mask;
    uint8_t dac_state; /* 3C7 reads it: 0 writing, 3 reading */
    uint8_t dac_read_index;
    uint8_t dac_write_index;
    uint8_t dac_part; /* 0 to 2: which colour of an entry comes next */
    uint8_t dac_cache[3];
    uint8_t dac[VGA_DAC_LEN]; /* 6-bit values, or 8-bit ones with VBE_8BIT_DAC */
    uint8_t latch[4];
    uint16_t vbe_index;
    uint16_t vbe[VBE_REGS];
} VgaRegs;

/* What pixels come from: registers and memory alone, so that drawing is a plain function. Memory
 * is DEV_VGA_MEMORY_LEN bytes. */
typedef struct VgaView {
    const VgaRegs *regs;
    const uint8_t *memory;
} VgaView;

/* How a mode lies in memory and on the screen. */
typedef enum VgaLayoutKind {
    VGA_LAYOUT_BLANK,
    VGA_LAYOUT_TEXT,
    VGA_LAYOUT_PLANAR, /* 16 colours from four planes */
    VGA_LAYOUT_CGA,    /* 4 colours, two bits a pixel */
    VGA_LAYOUT_PACKED, /* 256 colours of a VGA mode */
    VGA_LAYOUT_VBE,    /* 8, 15, 16, 24 or 32 bits a pixel */
} VgaLayoutKind;

/* A DevScreen belongs to one DevVga and looks at it through this. @mmio2: dirty tracking on. */
DevScreen *vga_screen_new(const VgaView *view, PgmMmio2 *mmio2);
void vga_screen_free(DevScreen *screen);

/* Everything is to be drawn anew: registers changed behind its back (state loaded, reset). A change
 * of registers by the guest needs no call: an update compares what it drew from. */
void vga_screen_redraw(DevScreen *screen);
