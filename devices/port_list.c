/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port ranges of one chip. Source: ours. */
#include "devices/port_list.h"

static void remove_down_to(DevPortList *list, unsigned n_kept)
{
    while (list->n_handles > n_kept) {
        list->n_handles--;
        emu_ports_remove(list->ports, list->handles[list->n_handles]);
    }
}

bool dev_port_list_add(DevPortList *list, EmuPorts *ports, const DevPortRange *ranges,
                       unsigned n_ranges, void *user, const char *device, GError **error)
{
    g_assert(list->n_handles + n_ranges <= DEV_PORT_LIST_MAX);
    g_assert(list->n_handles == 0 || list->ports == ports);

    unsigned n_before = list->n_handles;

    list->ports = ports;
    for (unsigned i = 0; i < n_ranges; i++) {
        unsigned handle = emu_ports_add(ports, ranges[i].first, ranges[i].count, ranges[i].ops,
                                        user, device, error);

        if (handle == 0) {
            remove_down_to(list, n_before);
            return false;
        }
        list->handles[list->n_handles++] = handle;
    }
    return true;
}

void dev_port_list_clear(DevPortList *list)
{
    remove_down_to(list, 0);
}
