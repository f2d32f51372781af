/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port ranges one chip holds: added one by one, given back together. Embedded in the chip; a
 * zeroed one is empty.
 *
 * Source: ours.
 */
#pragma once

#include "emu/ports.h"

#define DEV_PORT_LIST_MAX 8

typedef struct DevPortList {
    EmuPorts *ports;
    unsigned handles[DEV_PORT_LIST_MAX];
    unsigned n_handles;
} DevPortList;

typedef struct DevPortRange {
    uint16_t first;
    uint16_t count;
    const EmuPortOps *ops;
} DevPortRange;

/**
 * dev_port_list_add:
 * @ranges: (array length=n_ranges): all or none are added
 * @user: for the ops
 *
 * Returns: false with an error that names the port and who has it; the list is then as it was
 */
bool dev_port_list_add(DevPortList *list, EmuPorts *ports, const DevPortRange *ranges,
                       unsigned n_ranges, void *user, const char *device, GError **error);

/* Gives all ranges back; an empty list is fine. */
void dev_port_list_clear(DevPortList *list);
