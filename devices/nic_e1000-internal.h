/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the two files of the network card: its state, and what its registers do.
 */
#pragma once

#include "devices/nic_e1000.h"
#include "devices/pci_rom.h"
#include "devices/port_block.h"
#include "memsys/mmio.h"

#define E1000_VENDOR 0x8086
#define E1000_DEVICE 0x100E
#define E1000_REGISTERS_LEN UINT64_C(0x20000)
#define E1000_N_SLOTS 334

typedef struct E1000State {
    uint32_t slots[E1000_N_SLOTS]; /* all registers, one behind the other */
    uint32_t port_address;         /* register that the data port reaches */
    bool ports_decoded;            /* the ports are where the guest put them */
} E1000State;

struct DevNicE1000 {
    DevPciFunction pci;
    DevPciBus *bus;
    unsigned devfn;
    Pgm *pgm;
    EmuLine inta;
    PgmMmio *registers;
    DevPciBar bar; /* of the registers */
    DevPciRom *rom;
    DevPortBlock block; /* the ports */
    E1000State state;
};

/* As after the reset bit of CTRL; drives the interrupt line. */
void e1000_reset_registers(DevNicE1000 *nic);

/* @offset: below E1000_REGISTERS_LEN. Nothing there: reads 0, ignores writes. */
uint32_t e1000_read(DevNicE1000 *nic, uint64_t offset);
void e1000_write(DevNicE1000 *nic, uint64_t offset, uint32_t value);

/* Whether an E1000State of a file could be one of the card's: bits that cannot be written are as
 * after reset, registers that act hold what they can come to. */
bool e1000_state_is_valid(const void *state);
