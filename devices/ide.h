/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevIde: two ATA channels at the PC's fixed ports (0x1F0 and 0x3F6, 0x170 and 0x376), two drives
 * each, PIO only. Commands finish at once: BSY is never seen set, except while the guest holds the
 * channel in reset.
 *
 * The PCI function (PIIX3 function 1) belongs to the board; it switches the decoding of a channel
 * on and off here.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/disk.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"

#define DEV_IDE_CHANNELS 2
#define DEV_IDE_DRIVES 4

typedef struct DevIde DevIde;

/**
 * dev_ide_new:
 * @disks: primary master, slave, secondary master, slave; NULL: none. (transfer none): they must
 * outlive the chip
 * @irqs: of the channels, IRQ 14 and 15; level
 *
 * Returns: (transfer full): the chip in its reset state, both channels decoded, or %NULL if a port
 * is taken
 */
DevIde *dev_ide_new(EmuPorts *ports, DevDisk *const disks[DEV_IDE_DRIVES],
                    const EmuLine irqs[DEV_IDE_CHANNELS], GError **error);
void dev_ide_free(DevIde *ide);
void dev_ide_reset(void *ide); /* a DevIde */

/* A channel that is not decoded (IDETIM bit 15 clear) floats: reads all ones, ignores writes. */
void dev_ide_set_decode(DevIde *ide, unsigned channel, bool decode);

/* Disk contents are not part of it. */
void dev_ide_save(const DevIde *ide, GByteArray *out);
bool dev_ide_load(DevIde *ide, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_ide_parts(void *user, EmuStatePart *ret_parts);
bool dev_ide_check(void *user, void *const *states, GError **error);
