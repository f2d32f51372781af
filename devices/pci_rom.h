/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expansion ROM of a PCI function: an image behind the register at 0x30, shown where and while
 * the guest has it switched on (bit 0 of the register and memory decoding in the command register).
 * The guest reads it and cannot write it.
 *
 * Source: PCI Local Bus Specification 2.2, sections 6.2.5.2 and 6.3.
 */
#pragma once

#include "devices/pci_bar.h"

#define DEV_PCI_ROM_REG 0x30
#define DEV_PCI_ROM_MAX_LEN ((size_t)1 << 20)

typedef struct DevPciRom DevPciRom;

/**
 * dev_pci_rom_new:
 * @function: initialised; gets the register (size of the image rounded up to a power of 2, at least
 *   a page, as the specification advises); its chip places dev_pci_rom_bar() from its written()
 * @image: copied; begins with 55 AA, up to DEV_PCI_ROM_MAX_LEN bytes; filled up with FF
 * @owner: of memory region 6, unique in the machine
 *
 * One image of the file must be for the function: vendor and device of its PCI data structure are
 * checked, not changed, since firmware silently passes over a ROM that is for another card.
 *
 * Returns: (transfer full): or %NULL with an error that names @name and what is wrong with it
 */
DevPciRom *dev_pci_rom_new(DevPciFunction *function, Pgm *pgm, const void *image, size_t len,
                           const char *owner, const char *name, GError **error);
void dev_pci_rom_free(DevPciRom *rom);

/* Its place: the chip has it leave and take with its other BARs, after a write to the function's
 * registers and at reset. Not after a state was loaded: memory puts mappings back. */
const DevPciBar *dev_pci_rom_bar(const DevPciRom *rom);
