/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One port: what is written goes to the console, what is read says that the port is there.
 *
 * Source: Bochs' "port E9 hack" and the debug console of QEMU as SeaBIOS' documentation describes
 * it.
 */
#include "devices/debugcon.h"

#define PRESENT 0xE9

struct DevDebugcon {
    EmuPorts *ports;
    EmuConsole *console;
    unsigned handle;
};

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    (void)user;
    (void)port;
    (void)size;
    return PRESENT;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    const DevDebugcon *debugcon = user;

    (void)port;
    (void)size;
    emu_console_write(debugcon->console, (uint8_t)value);
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 };

DevDebugcon *dev_debugcon_new(EmuPorts *ports, EmuConsole *console, GError **error)
{
    DevDebugcon *debugcon = g_new0(DevDebugcon, 1);

    debugcon->ports = ports;
    debugcon->console = console;
    debugcon->handle =
        emu_ports_add(ports, DEV_DEBUGCON_PORT, 1, &port_ops, debugcon, "debugcon", error);
    if (debugcon->handle == 0) {
        g_free(debugcon);
        return NULL;
    }
    return debugcon;
}

void dev_debugcon_free(DevDebugcon *debugcon)
{
    if (debugcon == NULL) {
        return;
    }
    emu_ports_remove(debugcon->ports, debugcon->handle);
    g_free(debugcon);
}
