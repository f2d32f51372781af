/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A range of memory that the guest places through a register of a PCI function: a memory BAR or the
 * ROM BAR. Embedded in the chip.
 *
 * It lies exactly where the register says, or nowhere: while memory decoding is off; at 0 or at the
 * end of the 32-bit space, where a guest that asks for the size puts it for a moment; over RAM,
 * which comes first on the board's bridge; and where something else lies. What collides stays away
 * until a configuration write of its function finds room for it.
 *
 * Source: PCI Local Bus Specification 2.2, section 6.2.5.
 */
#pragma once

#include "devices/pci.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"

typedef struct DevPciBar {
    const DevPciFunction *function;
    Pgm *pgm;
    uint8_t reg;
    uint32_t shown; /* bit of the register that must be set besides; 0: none */
    uint64_t len;   /* a power of 2, at least a page */
    PgmMmio *mmio;  /* one of the two */
    PgmMmio2 *mmio2;
} DevPciBar;

/* Out of its place if it is not to lie there any more. Returns: whether it left one */
bool dev_pci_bar_leave(const DevPciBar *bar);

/* Into the place it is to have, if that is free. All that move at once leave first. */
void dev_pci_bar_take(const DevPciBar *bar);
