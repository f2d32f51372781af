/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device that tests/guests/pc/memory.c asks to write behind its back, to move memory and to
 * stop the run; see there for its ports. Its state is saved with the machine.
 */
#pragma once

#include "emu/machine.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"

typedef struct HelperDevice {
    EmuMachine *machine;
    Pgm *pgm;
    PgmMmio *mmio;
    PgmMmio2 *mmio2;
    uint32_t registers[16];
    uint32_t n_reads, n_writes;
    uint32_t address, value;
    bool at_once;
    bool asked; /* to be served when the run stops */
} HelperDevice;

void helper_device_init(HelperDevice *helper, EmuMachine *machine);

/* The host's own write, between two runs. Returns: whether one was asked for */
bool helper_device_serve(HelperDevice *helper);

/* Before the machine goes. */
void helper_device_clear(HelperDevice *helper);
