/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevI8237: the registers of the PC's two DMA controllers (ports 0x00 to 0x0F and 0xC0 to 0xDF) and
 * the page registers (0x80 to 0x8F, of which 0x80 is where firmware posts its progress). They read
 * back what was written; no device on this machine asks for transfers.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/ports.h"
#include "emu/state-units.h"
#include "emu/state.h"

typedef struct DevI8237 DevI8237;

extern const EmuStateDesc dev_i8237_state_desc;

/* Returns: (transfer full): the chips in their reset state, or %NULL if a port is taken */
DevI8237 *dev_i8237_new(EmuPorts *ports, GError **error);
void dev_i8237_free(DevI8237 *dma);
void dev_i8237_reset(void *dma); /* a DevI8237 */

void dev_i8237_save(const DevI8237 *dma, GByteArray *out);
bool dev_i8237_load(DevI8237 *dma, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_i8237_parts(void *user, EmuStatePart *ret_parts);
