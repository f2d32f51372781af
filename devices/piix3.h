/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevPiix3: the ISA bridge, PCI function 00:01.0: joins the interrupt lines of ISA devices and the
 * routed PCI interrupts, and has the reset control register 0xCF9.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "emu/lines.h"
#include "emu/state-units.h"

#define DEV_PIIX3_IRQS 16
#define DEV_PIIX3_PIRQS 4

typedef struct DevPiix3 DevPiix3;

typedef struct DevPiix3Lines {
    EmuLine irq[DEV_PIIX3_IRQS]; /* to the interrupt controllers; 2 is not used */
    EmuLine reset;               /* pulsed: hard reset through 0xCF9 */
    EmuLine init;                /* pulsed: soft reset through 0xCF9 */
} DevPiix3Lines;

/* Returns: (transfer full): the bridge in its reset state, or %NULL if a port is taken */
DevPiix3 *dev_piix3_new(DevPciBus *bus, EmuPorts *ports, const DevPiix3Lines *lines,
                        GError **error);
void dev_piix3_free(DevPiix3 *bridge);
void dev_piix3_reset(void *bridge); /* a DevPiix3 */

/* Where an ISA device plugs in its request @irq: 0 to 15, not 2. */
EmuLine dev_piix3_isa_pin(DevPiix3 *bridge, unsigned irq);

/* PCI interrupt PIRQA# to PIRQD#: @pirq 0 to 3; true is asserted. */
EmuLine dev_piix3_pirq_pin(DevPiix3 *bridge, unsigned pirq);

void dev_piix3_save(const DevPiix3 *bridge, GByteArray *out);
/* Drives the interrupt lines as the loaded state has them. */
bool dev_piix3_load(DevPiix3 *bridge, const uint8_t *bytes, size_t len, size_t *pos,
                    GError **error);

/* Of an EmuStateUnit. */
unsigned dev_piix3_parts(void *user, EmuStatePart *ret_parts);
