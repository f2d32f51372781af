/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevDebugcon: the debug console of Bochs and QEMU. A byte written to port 0x402 goes to a console;
 * reading gives 0xE9, by which firmware knows that somebody listens. It has no state.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/console.h"
#include "emu/ports.h"

#define DEV_DEBUGCON_PORT 0x402

typedef struct DevDebugcon DevDebugcon;

/* Returns: (transfer full): the chip, or %NULL if the port is taken. @console must outlive it. */
DevDebugcon *dev_debugcon_new(EmuPorts *ports, EmuConsole *console, GError **error);
void dev_debugcon_free(DevDebugcon *debugcon);
