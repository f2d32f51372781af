/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevPiix3Ide: the IDE function, PCI 00:01.1: switches the decoding of the two channels
 * (devices/ide.h).
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "emu/lines.h"
#include "emu/state-units.h"

typedef struct DevPiix3Ide DevPiix3Ide;

/**
 * dev_piix3_ide_new:
 * @decode: two lines, primary and secondary channel: true while the channel answers at its ports
 *
 * Returns: (transfer full): the function in its reset state; @decode is driven at reset and at
 * changes
 */
DevPiix3Ide *dev_piix3_ide_new(DevPciBus *bus, const EmuLine decode[2]);
void dev_piix3_ide_free(DevPiix3Ide *ide);
void dev_piix3_ide_reset(void *ide); /* a DevPiix3Ide */

void dev_piix3_ide_save(const DevPiix3Ide *ide, GByteArray *out);
bool dev_piix3_ide_load(DevPiix3Ide *ide, const uint8_t *bytes, size_t len, size_t *pos,
                        GError **error);

/* Of an EmuStateUnit. */
unsigned dev_piix3_ide_parts(void *user, EmuStatePart *ret_parts);
