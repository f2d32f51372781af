/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 I/O port space: 65536 byte ports, each answered by at most one device.
 *
 * An access goes to the device that owns its first port if the device takes that size there, else
 * it is split into smaller ones in address order. Ports nobody owns read all ones and swallow
 * writes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

typedef struct EmuPorts EmuPorts;

/* @port is absolute; @size 1, 2 or 4. */
typedef struct EmuPortOps {
    uint32_t (*read)(void *user, uint16_t port, unsigned size);
    void (*write)(void *user, uint16_t port, unsigned size, uint32_t value);
    uint8_t sizes; /* set of accepted sizes as bits 1, 2, 4 */
} EmuPortOps;

/**
 * emu_ports_add:
 * @first, @count: port range, @count at least 1, within 65536
 * @ops: must outlive the registration; either function may be %NULL (all ones, ignored)
 * @device: copied; for traces and messages
 *
 * Returns: a handle for emu_ports_remove(), or 0 with an error that names the owner in the way
 */
unsigned emu_ports_add(EmuPorts *ports, uint16_t first, unsigned count, const EmuPortOps *ops,
                       void *user, const char *device, GError **error);

/* Devices that the guest moves (PCI I/O BARs) remove and add again; allowed inside an access. */
void emu_ports_remove(EmuPorts *ports, unsigned handle);

/* As the CPU does it. @size 1, 2 or 4; a port range past 0xFFFF wraps. */
uint32_t emu_ports_read(EmuPorts *ports, uint16_t port, unsigned size);
void emu_ports_write(EmuPorts *ports, uint16_t port, unsigned size, uint32_t value);

/* Name of the device at a port, or NULL. */
const char *emu_ports_owner(const EmuPorts *ports, uint16_t port);

uint64_t emu_ports_count_reads(const EmuPorts *ports);
uint64_t emu_ports_count_writes(const EmuPorts *ports);

#pragma GCC visibility pop
