/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevI8259: the PC's two cascaded 8259A interrupt controllers at ports 0x20, 0x21, 0xA0, 0xA1, with
 * the edge/level registers 0x4D0 and 0x4D1 of the PIIX. Interrupt requests 0 to 15 are pins; the
 * second chip's output is pin 2 of the first.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"
#include "emu/state.h"

typedef struct DevI8259 DevI8259;

extern const EmuStateDesc dev_i8259_state_desc;

/**
 * dev_i8259_new:
 * @intr: level, to the CPU
 *
 * Returns: (transfer full): both chips in their reset state, or %NULL if a port is taken
 */
DevI8259 *dev_i8259_new(EmuPorts *ports, EmuLine intr, GError **error);
void dev_i8259_free(DevI8259 *pic);

/* @pic: a DevI8259. The pins keep their levels: those belong to the devices that drive them. */
void dev_i8259_reset(void *pic);

/* The line to interrupt request @irq: 0 to 15, not 2. */
EmuLine dev_i8259_pin(DevI8259 *pic, unsigned irq);

/**
 * dev_i8259_ack:
 * @pic: a DevI8259
 *
 * The CPU's interrupt acknowledge. If the request has gone meanwhile, the vector of the chip's
 * request 7, with nothing marked in service.
 *
 * Returns: the vector
 */
uint8_t dev_i8259_ack(void *pic);

void dev_i8259_save(const DevI8259 *pic, GByteArray *out);
/* Also drives the INTR line as the loaded state wants it. */
bool dev_i8259_load(DevI8259 *pic, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_i8259_parts(void *user, EmuStatePart *ret_parts);
