/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevI8042: the keyboard controller at ports 0x60 and 0x64 with a keyboard and a PS/2 mouse behind
 * it. Commands are answered at once; each device's answers and key codes wait in a queue of its
 * own.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"

typedef struct DevI8042 DevI8042;

typedef struct DevI8042Lines {
    EmuLine irq1;  /* keyboard byte waits */
    EmuLine irq12; /* mouse byte waits */
    EmuLine a20;   /* output port bit 1; driven at each change of it and at reset */
    EmuLine init;  /* pulsed when the guest pulls the reset line low */
} DevI8042Lines;

/* Returns: (transfer full): the chip in its reset state, or %NULL if a port is taken */
DevI8042 *dev_i8042_new(EmuPorts *ports, const DevI8042Lines *lines, GError **error);
void dev_i8042_free(DevI8042 *kbc);
void dev_i8042_reset(void *kbc); /* a DevI8042 */

/**
 * dev_i8042_key:
 * @codes: what the keyboard sends, in scan code set 2; translated to set 1 if the guest has that
 * switched on
 *
 * Returns: false, with nothing taken, if the keyboard's queue has no room for all of it or the
 * guest has switched scanning off
 */
bool dev_i8042_key(DevI8042 *kbc, const uint8_t *codes, size_t len);

/* Whether the guest looks for keys: it has allowed the keyboard's interrupt, keyboard and interface
 * are switched on, and it has taken all bytes that the keyboard sent. */
bool dev_i8042_awaits_key(const DevI8042 *kbc);

/* Loading does not drive the A20 pin: port 92 may have spoken last, and the CPU saves its own view
 * of it. */
void dev_i8042_save(const DevI8042 *kbc, GByteArray *out);
bool dev_i8042_load(DevI8042 *kbc, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_i8042_parts(void *user, EmuStatePart *ret_parts);
