/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four ports that end a run. Any size is taken whole, so that a guest's dword arrives as one value.
 *
 * Source: QEMU's isa-debug-exit with iobase=0xf4,iosize=4, as test guests everywhere use it.
 */
#include "devices/debug_exit.h"

struct DevDebugExit {
    EmuPorts *ports;
    DevDebugExitFunc func;
    void *user;
    unsigned handle;
};

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    (void)user;
    (void)port;
    (void)size;
    return 0;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    const DevDebugExit *debug_exit = user;

    (void)port;
    (void)size;
    debug_exit->func(debug_exit->user, value);
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 | 2 | 4 };

DevDebugExit *dev_debug_exit_new(EmuPorts *ports, DevDebugExitFunc func, void *user, GError **error)
{
    DevDebugExit *debug_exit = g_new0(DevDebugExit, 1);

    debug_exit->ports = ports;
    debug_exit->func = func;
    debug_exit->user = user;
    debug_exit->handle =
        emu_ports_add(ports, DEV_DEBUG_EXIT_PORT, 4, &port_ops, debug_exit, "debug-exit", error);
    if (debug_exit->handle == 0) {
        g_free(debug_exit);
        return NULL;
    }
    return debug_exit;
}

void dev_debug_exit_free(DevDebugExit *debug_exit)
{
    if (debug_exit == NULL) {
        return;
    }
    emu_ports_remove(debug_exit->ports, debug_exit->handle);
    g_free(debug_exit);
}
