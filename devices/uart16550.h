/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevUart: a 16550A serial port with 16-byte FIFOs, joined to a console. What the guest sends
 * appears on the console at once; what the console holds is taken as the receive FIFO has room, so
 * nothing is ever overrun.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/clock.h"
#include "emu/console.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"

typedef struct DevUart DevUart;

/**
 * dev_uart_new:
 * @base: first of its 8 ports
 * @console: must outlive the chip; the chip takes over its input function
 * @irq: level, high while an enabled interrupt is pending and OUT2 is set
 *
 * Returns: (transfer full): a chip in its reset state, or %NULL if the ports are taken
 */
DevUart *dev_uart_new(EmuPorts *ports, EmuClock *clock, uint16_t base, EmuConsole *console,
                      EmuLine irq, GError **error);
void dev_uart_free(DevUart *uart);

/* @uart: a DevUart. Console input that the chip has not taken yet stays queued. */
void dev_uart_reset(void *uart);

void dev_uart_save(const DevUart *uart, GByteArray *out);
bool dev_uart_load(DevUart *uart, const uint8_t *bytes, size_t len, size_t *pos, GError **error);

/* Of an EmuStateUnit. */
unsigned dev_uart_parts(void *user, EmuStatePart *ret_parts);
