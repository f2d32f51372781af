/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevVga: a standard VGA on PCI with the Bochs VBE registers, as QEMU's `-vga std` presents it to
 * firmware (1234:1111).
 *
 *   ports 3B0-3DF       VGA registers (3B4/3B5/3BA or 3D4/3D5/3DA by the misc output register)
 *   ports 1CE-1D0       VBE index and data
 *   A0000-BFFFF         the legacy window: MMIO, in linear modes with pages of video memory in it
 *   BAR 0               video memory, 16 MiB, MMIO2
 *   BAR 2               registers once more: VGA at 400, VBE at 500, byte order at 604
 *   ROM BAR             the video BIOS
 *
 * Retrace and display-enable follow guest time.
 *
 * Files: vga.c (chip, PCI function, state), vga-ports.c (VGA registers), vga-vbe.c (VBE registers),
 * vga-window.c (legacy window), vga-retrace.c (where the beam is), vga-draw*.c (pixels from
 * registers and memory), screen.c (updates).
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "devices/screen.h"
#include "emu/clock.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"
#include "memsys/pgm.h"

#define DEV_VGA_MEMORY_LEN (UINT64_C(16) << 20)

typedef struct DevVga DevVga;

typedef struct DevVgaConfig {
    const void *rom;  /* video BIOS, copied; NULL: no ROM BAR */
    size_t rom_len;   /* bytes; see devices/pci_rom.h */
    const char *name; /* of the ROM, for the map and messages; (nullable) */
} DevVgaConfig;

/**
 * dev_vga_new:
 * @bus: the function is added to it at @devfn; it must outlive the chip
 *
 * Returns: (transfer full): the chip in its reset state, or %NULL: no memory for the frame buffer,
 * a port taken, a ROM that is none
 */
DevVga *dev_vga_new(DevPciBus *bus, unsigned devfn, Pgm *pgm, EmuPorts *ports, EmuClock *clock,
                    const DevVgaConfig *config, GError **error);
void dev_vga_free(DevVga *vga);

/* @vga: a DevVga. Clears video memory. */
void dev_vga_reset(void *vga);

/* Level true: the bridge shows other memory at A0000 to BFFFF (SMRAM is open): the legacy window
 * gives way until it is false again. For DevI440fx. */
EmuLine dev_vga_pin_window_taken(DevVga *vga);

/* Returns: (transfer none): what it shows */
DevScreen *dev_vga_screen(DevVga *vga);

/* Of an EmuStateUnit. */
unsigned dev_vga_parts(void *user, EmuStatePart *ret_parts);
bool dev_vga_check(void *user, void *const *states, GError **error);
void dev_vga_loaded(void *user);
