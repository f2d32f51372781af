/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevNicE1000: the outside of an Intel 82540EM Ethernet controller (8086:100E), so that the option
 * ROM of such a card starts. It carries no traffic: its cable is unplugged, nothing is sent or
 * received, descriptors in memory are never looked at.
 *
 *   BAR 0     registers, 128 KiB of MMIO
 *   BAR 2     64 ports: register number and data
 *   ROM BAR   the option ROM
 *
 * Registers keep what is written to them. The EEPROM is read through EERD; its other way in, the
 * wires in EECD, leads nowhere. The PHY says that there is no link.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "emu/lines.h"
#include "emu/ports.h"
#include "emu/state-units.h"
#include "memsys/pgm.h"

typedef struct DevNicE1000 DevNicE1000;

typedef struct DevNicConfig {
    const void *rom;  /* option ROM, copied; NULL: no ROM BAR */
    size_t rom_len;   /* bytes; see devices/pci_rom.h */
    const char *name; /* of the ROM, for the map and messages; (nullable) */
} DevNicConfig;

/**
 * dev_nic_e1000_new:
 * @bus: the function is added to it at @devfn; it must outlive the chip
 * @inta: its interrupt line
 *
 * Returns: (transfer full): the chip in its reset state, or %NULL with an error
 */
DevNicE1000 *dev_nic_e1000_new(DevPciBus *bus, unsigned devfn, Pgm *pgm, EmuPorts *ports,
                               EmuLine inta, const DevNicConfig *config, GError **error);
void dev_nic_e1000_free(DevNicE1000 *nic);
void dev_nic_e1000_reset(void *nic); /* a DevNicE1000 */

/* Of an EmuStateUnit. */
unsigned dev_nic_e1000_parts(void *user, EmuStatePart *ret_parts);
void dev_nic_e1000_leave(void *user);
void dev_nic_e1000_loaded(void *user);
