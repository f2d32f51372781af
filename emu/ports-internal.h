/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, freeing and tracing port spaces: the machine's business. */
#pragma once

#include "emu/ports.h"

/* One call for each access of the CPU, after it happened. @device is NULL where nobody answers. */
typedef void (*EmuPortsTrace)(void *user, bool write, uint16_t port, unsigned size, uint32_t value,
                              const char *device);

EmuPorts *emu_ports_new(void);
void emu_ports_free(EmuPorts *ports);

/* @trace (nullable): none. */
void emu_ports_set_trace(EmuPorts *ports, EmuPortsTrace trace, void *user);
