/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of ports that move.
 *
 * Invariant: handle is not 0 exactly while the port space knows the block, at base.
 */
#include "devices/port_block.h"

void dev_port_block_leave(DevPortBlock *block, uint16_t place)
{
    if (block->handle != 0 && (place == 0 || block->base != place)) {
        emu_ports_remove(block->ports, block->handle);
        block->handle = 0;
    }
}

bool dev_port_block_take(DevPortBlock *block, uint16_t place)
{
    if (block->handle == 0 && place != 0) {
        block->base = place;
        block->handle = emu_ports_add(block->ports, place, block->len, block->ops, block->user,
                                      block->device, NULL);
    }
    return block->handle != 0;
}
