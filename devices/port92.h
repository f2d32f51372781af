/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevPort92: PS/2 system control port A. Bit 1 is the A20 gate, a rising bit 0 pulses INIT.
 *
 * The A20 pin is shared with the keyboard controller: the last write to either wins, as firmware
 * and boot loaders expect of PCs since the PS/2.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"

typedef struct DevPort92 DevPort92;

/**
 * dev_port92_new:
 * @a20: true lets address bit 20 pass; set at each write, not at reset
 * @init: pulsed
 *
 * Returns: (transfer full): the chip in its reset state, or %NULL if port 0x92 is taken
 */
DevPort92 *dev_port92_new(EmuPorts *ports, EmuLine a20, EmuLine init, GError **error);
void dev_port92_free(DevPort92 *port92);
void dev_port92_reset(void *port92); /* a DevPort92 */

/* Loading does not drive the A20 pin: the CPU saves its own view of it. */
void dev_port92_save(const DevPort92 *port92, GByteArray *out);
bool dev_port92_load(DevPort92 *port92, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error);

/* Of an EmuStateUnit. */
unsigned dev_port92_parts(void *user, EmuStatePart *ret_parts);
