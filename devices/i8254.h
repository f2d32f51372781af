/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevI8254: the programmable interval timer at ports 0x40 to 0x43 and system control port B (0x61),
 * through which counter 2 is gated and seen. Counter 0 drives IRQ 0; counter 1 is the refresh
 * timer.
 *
 * Nothing ticks: every value is computed from guest time when somebody asks. Only counter 0 has a
 * timer, for its rising edges; edges closer together than EMU_CLOCK_LATENCY_NS arrive as one.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/clock.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"
#include "emu/state.h"

#define DEV_I8254_HZ UINT64_C(1193182)

typedef struct DevI8254 DevI8254;

extern const EmuStateDesc dev_i8254_state_desc;

/**
 * dev_i8254_new:
 * @irq0: follows counter 0's output at its rising edges
 *
 * Returns: (transfer full): a chip nobody has programmed, or %NULL if a port is taken
 */
DevI8254 *dev_i8254_new(EmuPorts *ports, EmuClock *clock, EmuLine irq0, GError **error);
void dev_i8254_free(DevI8254 *pit);
void dev_i8254_reset(void *pit); /* a DevI8254 */

void dev_i8254_save(const DevI8254 *pit, GByteArray *out);
/* Times are those of the clock, which the machine loads first. */
bool dev_i8254_load(DevI8254 *pit, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_i8254_parts(void *user, EmuStatePart *ret_parts);
