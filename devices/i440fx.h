/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevI440fx: the host bridge, PCI function 00:00.0. Its PAM registers switch what reads and writes
 * of C0000 to FFFFF reach (memsys/rom.h does it), its SMRAM register opens 128 KiB of memory of its
 * own at A0000.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/pci.h"
#include "emu/lines.h"
#include "emu/state-units.h"
#include "memsys/pgm.h"

typedef struct DevI440fx DevI440fx;

/**
 * dev_i440fx_new:
 * @bus: function 0 is added to it; it must outlive the chip
 * @pgm: C0000 to FFFFF must be shadowed ROM for PAM to have an effect
 *
 * Returns: (transfer full): the chip in its reset state, or %NULL if the host has no memory for
 * SMRAM
 */
DevI440fx *dev_i440fx_new(DevPciBus *bus, Pgm *pgm, GError **error);
void dev_i440fx_free(DevI440fx *bridge);

/**
 * dev_i440fx_set_smram_line:
 * @line: true while SMRAM shows at A0000; driven before it is mapped and after it is unmapped, and
 *   now
 *
 * For a display adapter whose window has to give way. What was restored or loaded needs no line:
 * both sides keep what they know as state.
 */
void dev_i440fx_set_smram_line(DevI440fx *bridge, EmuLine line);

/* @bridge: a DevI440fx. Clears SMRAM. */
void dev_i440fx_reset(void *bridge);

/* Registers only: SMRAM's bytes belong to memory. Loading switches ROM and SMRAM to match. */
void dev_i440fx_save(const DevI440fx *bridge, GByteArray *out);
bool dev_i440fx_load(DevI440fx *bridge, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error);

/* Of an EmuStateUnit. */
unsigned dev_i440fx_parts(void *user, EmuStatePart *ret_parts);
void dev_i440fx_loaded(void *user);
