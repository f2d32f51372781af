/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chip behind DevVga, for the files that make it up (vga.c, vga-ports.c, vga-vbe.c,
 * vga-window.c, vga-retrace.c); what draws sees vga-internal.h alone.
 *
 * Invariants:
 *   1. While VBE is enabled its registers are as vga_vbe_fix() leaves them: what they show lies in
 *      video memory. VBE_BANK is below VGA_BANKS at any time.
 *   2. The legacy window is mapped unless another chip has taken its place.
 *   3. Pages of video memory stand in the window as linear says, unless the host had no memory for
 *      that: then accesses find the same bytes one by one.
 */
#pragma once

#include "devices/pci_rom.h"
#include "devices/port_list.h"
#include "devices/vga-internal.h"

#define VGA_WINDOW_START UINT64_C(0xA0000)
#define VGA_WINDOW_LEN UINT64_C(0x20000)
#define VGA_BANKS ((unsigned)(DEV_VGA_MEMORY_LEN >> 16))

/* Pages of the window that are pages of video memory. */
typedef struct VgaSpan {
    uint32_t window; /* offset in the window */
    uint32_t len;    /* 0: none */
    uint64_t memory; /* offset in video memory */
} VgaSpan;

/* Whose place it is, as the bridge says. */
typedef struct VgaPlace {
    bool window_taken;
} VgaPlace;

struct DevVga {
    VgaRegs regs;
    VgaPlace place;
    DevPciFunction pci;
    DevPciBus *bus;
    unsigned devfn;
    Pgm *pgm;
    EmuClock *clock;
    DevPortList ports;
    PgmMmio2 *memory;
    PgmMmio *registers;
    DevPciBar memory_bar;
    DevPciBar registers_bar;
    PgmMmio *window;
    VgaSpan linear; /* what stands in the window */
    bool linear_known;
    DevPciRom *rom; /* NULL: none */
    VgaView view;
    DevScreen *screen;
};

/* ---- vga-ports.c */

/* @port: 3B0 to 3DF; one that the chip does not have reads FF. */
uint8_t vga_port_read(DevVga *vga, unsigned port);
void vga_port_write(DevVga *vga, unsigned port, uint8_t value);

/* Whether a state of a file could be one of the chip's, VBE aside. */
bool vga_ports_are_valid(const VgaRegs *regs);

/* ---- vga-retrace.c */

/* Input status 1 without what reading it changes: bit 0 not displaying, bit 3 vertical retrace. */
uint8_t vga_retrace_status(const VgaRegs *regs, const EmuClock *clock);

/* ---- vga-vbe.c */

void vga_vbe_reset(VgaRegs *regs);
uint16_t vga_vbe_read(const VgaRegs *regs, unsigned index);
void vga_vbe_write(DevVga *vga, unsigned index, uint16_t value);

/* VBE is on with whole bytes a pixel: the window and the screen take memory byte by byte. */
bool vga_vbe_is_linear(const VgaRegs *regs);
/* Brings sizes and offsets into bounds. */
void vga_vbe_fix(VgaRegs *regs);
bool vga_vbe_is_valid(const VgaRegs *regs);

/* ---- vga-window.c */

PgmMmio *vga_window_new(DevVga *vga, GError **error);
/* Maps or unmaps the window and puts pages into it as registers and place say now. */
void vga_window_update(DevVga *vga);
/* The aliases went, or may be others than known. */
void vga_window_forget(DevVga *vga);
