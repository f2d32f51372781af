/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracing what the guest does to its surroundings: one line an event, with guest time, address,
 * size, value, device and EIP. A class that is off costs one test of a bit.
 */
#pragma once

#include "emu/machine.h"

#include <stdio.h>

#pragma GCC visibility push(default)

typedef enum EmuTraceClass {
    EMU_TRACE_MMIO = 1,
    EMU_TRACE_PIO = 2,
    EMU_TRACE_ROM = 4,   /* writes to ROM, protection switches */
    EMU_TRACE_FAULT = 8, /* exceptions, with error code and CR2 */
    EMU_TRACE_IRQ = 16,  /* external interrupts */
} EmuTraceClass;

/**
 * emu_trace_parse:
 * @list: names separated by commas: mmio, pio, rom, fault, irq, all
 *
 * Returns: set of EmuTraceClass, or 0 with an error that lists the names
 */
unsigned emu_trace_parse(const char *list, GError **error);

/* Lines go to @file, which stays the caller's; @classes 0 switches tracing off. */
void emu_machine_set_trace(EmuMachine *machine, unsigned classes, FILE *file);

#pragma GCC visibility pop
