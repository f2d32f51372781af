/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System control port A.
 *
 *   bit 0   INIT: a change from 0 to 1 resets the CPU
 *   bit 1   A20 gate
 *   others  kept as written; bits 2, 4 and 5 (reserved, watchdog) read 0
 *
 * Invariant: reg has no bit outside WRITABLE.
 *
 * Source: Intel 82371SB (PIIX3) datasheet, "Port 92 register".
 */
#include "devices/port92.h"

#include "emu/state.h"

#define PORT 0x92
#define INIT_NOW 0x01
#define A20_GATE 0x02
#define WRITABLE 0xCB

typedef struct Port92State {
    uint8_t reg;
} Port92State;

struct DevPort92 {
    EmuPorts *ports;
    EmuLine a20;
    EmuLine init;
    unsigned handle;
    Port92State state;
};

static bool is_valid(const void *state)
{
    const Port92State *s = state;

    return (s->reg & ~WRITABLE) == 0;
}

static const EmuField fields[] = { EMU_FIELD(Port92State, reg) };
static const EmuStateDesc desc = {
    .name = "port92",
    .version = 1,
    .size = sizeof(Port92State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    const DevPort92 *port92 = user;

    (void)port;
    (void)size;
    return port92->state.reg;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPort92 *port92 = user;
    bool init = (value & INIT_NOW) != 0 && (port92->state.reg & INIT_NOW) == 0;

    (void)port;
    (void)size;
    port92->state.reg = value & WRITABLE;
    emu_line_set(&port92->a20, (value & A20_GATE) != 0);
    if (init) {
        emu_line_pulse(&port92->init);
    }
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 };

DevPort92 *dev_port92_new(EmuPorts *ports, EmuLine a20, EmuLine init, GError **error)
{
    DevPort92 *port92 = g_new0(DevPort92, 1);

    port92->ports = ports;
    port92->a20 = a20;
    port92->init = init;
    port92->handle = emu_ports_add(ports, PORT, 1, &port_ops, port92, "port92", error);
    if (port92->handle == 0) {
        g_free(port92);
        return NULL;
    }
    return port92;
}

void dev_port92_free(DevPort92 *port92)
{
    if (port92 == NULL) {
        return;
    }
    emu_ports_remove(port92->ports, port92->handle);
    g_free(port92);
}

void dev_port92_reset(void *port92)
{
    ((DevPort92 *)port92)->state = (Port92State) { 0 };
}

void dev_port92_save(const DevPort92 *port92, GByteArray *out)
{
    emu_state_save(&desc, &port92->state, out);
}

bool dev_port92_load(DevPort92 *port92, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error)
{
    return emu_state_load(&desc, &port92->state, bytes, len, pos, error);
}

unsigned dev_port92_parts(void *user, EmuStatePart *ret_parts)
{
    DevPort92 *port92 = user;

    ret_parts[0] = (EmuStatePart) { .desc = desc, .state = &port92->state };
    return 1;
}
