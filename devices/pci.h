/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration space of bus 0 by mechanism #1 (ports 0xCF8 and 0xCFC).
 *
 * A function lists its registers in a table: reset value, bits the guest may write, bits it clears
 * by writing 1. What the table does not name reads 0 and ignores writes. A chip learns of writes
 * through a callback and moves its ranges there.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/ports.h"
#include "emu/state-units.h"
#include "emu/state.h"

#define DEV_PCI_CONFIG_SIZE 256
#define DEV_PCI_DEVFN(device, function) ((device) << 3 | (function))

/* Common registers. */
#define DEV_PCI_VENDOR_ID 0x00
#define DEV_PCI_DEVICE_ID 0x02
#define DEV_PCI_COMMAND 0x04
#define DEV_PCI_STATUS 0x06
#define DEV_PCI_REVISION 0x08
#define DEV_PCI_CLASS 0x0A /* class and subclass; the programming interface is at 0x09 */
#define DEV_PCI_HEADER_TYPE 0x0E
#define DEV_PCI_SUBSYSTEM_VENDOR_ID 0x2C
#define DEV_PCI_SUBSYSTEM_ID 0x2E
#define DEV_PCI_INTERRUPT_LINE 0x3C
#define DEV_PCI_INTERRUPT_PIN 0x3D

typedef struct DevPciReg {
    uint8_t offset;
    uint8_t size; /* 1, 2 or 4 bytes */
    uint32_t reset;
    uint32_t writable;
    uint32_t write_clears;
} DevPciReg;

/* The guest wrote @len bytes at @offset; config[] has the new values. */
typedef void (*DevPciWritten)(void *user, unsigned offset, unsigned len);

/* Embedded in the chip. Read config[] through dev_pci_get(). */
typedef struct DevPciFunction {
    const char *name;
    DevPciWritten written; /* (nullable) */
    void *user;
    uint8_t config[DEV_PCI_CONFIG_SIZE];
    uint8_t reset[DEV_PCI_CONFIG_SIZE];
    uint8_t writable[DEV_PCI_CONFIG_SIZE];
    uint8_t write_clears[DEV_PCI_CONFIG_SIZE];
} DevPciFunction;

/* @regs: within 256 bytes and not overlapping; @name: not copied */
void dev_pci_function_init(DevPciFunction *function, const char *name, const DevPciReg *regs,
                           unsigned n_regs, DevPciWritten written, void *user);

/* Reset values; does not call written(). */
void dev_pci_function_reset(DevPciFunction *function);

uint32_t dev_pci_get(const DevPciFunction *function, unsigned offset, unsigned size);

/* By hardware: any bit. */
void dev_pci_set(DevPciFunction *function, unsigned offset, unsigned size, uint32_t value);

/* The registers alone, under the function's name. Loading refuses read-only bits that differ from
 * their reset value and does not call written(). */
void dev_pci_function_save(const DevPciFunction *function, GByteArray *out);
bool dev_pci_function_load(DevPciFunction *function, const uint8_t *bytes, size_t len, size_t *pos,
                           GError **error);

typedef struct DevPciBus DevPciBus;

/* Returns: (transfer full): a bus without functions, or %NULL if a port is taken */
DevPciBus *dev_pci_bus_new(EmuPorts *ports, GError **error);
void dev_pci_bus_free(DevPciBus *bus);
void dev_pci_bus_reset(void *bus); /* a DevPciBus; its functions are reset by their chips */

/* @devfn: DEV_PCI_DEVFN(), free; @function: must outlive the bus or be removed */
void dev_pci_bus_add(DevPciBus *bus, unsigned devfn, DevPciFunction *function);
void dev_pci_bus_remove(DevPciBus *bus, unsigned devfn);

void dev_pci_bus_save(const DevPciBus *bus, GByteArray *out);
bool dev_pci_bus_load(DevPciBus *bus, const uint8_t *bytes, size_t len, size_t *pos,
                      GError **error);

/* Of an EmuStateUnit: the bus, and the part of a unit that is its function's registers. */
unsigned dev_pci_bus_parts(void *user, EmuStatePart *ret_parts);
EmuStatePart dev_pci_function_part(DevPciFunction *function);
