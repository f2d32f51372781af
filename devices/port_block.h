/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block of ports that the guest moves: decoded where a register of its chip says, or nowhere
 * while that is another chip's place. Embedded in the chip.
 *
 * Who has a place that several want is who came first, which no register tells: a chip saves for
 * each block whether it is decoded. When a state was loaded all blocks leave before those that were
 * decoded are put back (EmuStateUnit.leave, .loaded).
 *
 * Source: ours.
 */
#pragma once

#include "emu/ports.h"

typedef struct DevPortBlock {
    EmuPorts *ports;
    const EmuPortOps *ops;
    void *user; /* for the ops */
    const char *device;
    uint16_t len;
    uint16_t base;   /* while it is decoded */
    unsigned handle; /* 0: nowhere */
} DevPortBlock;

/* Out of its place unless that is @place; 0 is nowhere. */
void dev_port_block_leave(DevPortBlock *block, uint16_t place);

/* Into @place if that is free and not 0. All that move at once leave first. Returns: whether it is
 * decoded now */
bool dev_port_block_take(DevPortBlock *block, uint16_t place);
