/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevDebugExit: isa-debug-exit at ports 0xF4 to 0xF7. A write ends the run with the value written;
 * reads give 0. It has no state.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/ports.h"

#define DEV_DEBUG_EXIT_PORT 0xF4

typedef struct DevDebugExit DevDebugExit;

/* @value: as written, zero-extended from the size of the access. */
typedef void (*DevDebugExitFunc)(void *user, uint32_t value);

/* Returns: (transfer full): the chip, or %NULL if the ports are taken */
DevDebugExit *dev_debug_exit_new(EmuPorts *ports, DevDebugExitFunc func, void *user,
                                 GError **error);
void dev_debug_exit_free(DevDebugExit *debug_exit);
