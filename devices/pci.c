/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration space.
 *
 *   address port  31 enable | 30..24 0 | 23..16 bus | 15..8 device and function | 7..2 register
 * | 1..0 0
 *
 * The address port takes whole doublewords only; smaller accesses to 0xCF8 to 0xCFB belong to
 * others (0xCF9).
 *
 * Source: PCI Local Bus Specification 2.2, section 3.2.2.3.2 (configuration mechanism #1) and
 * chapter 6.
 */
#include "devices/pci.h"

#include "devices/port_list.h"

#include <string.h>

#define PORT_ADDRESS 0xCF8
#define PORT_DATA 0xCFC
#define ADDRESS_ENABLE UINT32_C(0x80000000)
#define ADDRESS_WRITABLE UINT32_C(0x80FFFFFC)

typedef struct State {
    uint32_t address;
} State;

struct DevPciBus {
    State state;
    DevPortList ports;
    DevPciFunction *functions[256]; /* by device and function; NULL: none */
};

static const EmuField bus_fields[] = { EMU_FIELD(State, address) };

static const EmuField function_fields[] = { EMU_FIELD_ARRAY(DevPciFunction, config) };

static void put_bytes(uint8_t *at, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void dev_pci_function_init(DevPciFunction *function, const char *name, const DevPciReg *regs,
                           unsigned n_regs, DevPciWritten written, void *user)
{
    *function = (DevPciFunction) { .name = name, .written = written, .user = user };
    for (unsigned i = 0; i < n_regs; i++) {
        const DevPciReg *reg = &regs[i];

        g_assert(reg->offset + reg->size <= DEV_PCI_CONFIG_SIZE);
        put_bytes(&function->reset[reg->offset], reg->size, reg->reset);
        put_bytes(&function->writable[reg->offset], reg->size, reg->writable);
        put_bytes(&function->write_clears[reg->offset], reg->size, reg->write_clears);
    }
    dev_pci_function_reset(function);
}

void dev_pci_function_reset(DevPciFunction *function)
{
    memcpy(function->config, function->reset, sizeof(function->config));
}

uint32_t dev_pci_get(const DevPciFunction *function, unsigned offset, unsigned size)
{
    g_assert(size >= 1 && size <= 4 && offset + size <= DEV_PCI_CONFIG_SIZE);

    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)function->config[offset + i] << (8 * i);
    }
    return value;
}

void dev_pci_set(DevPciFunction *function, unsigned offset, unsigned size, uint32_t value)
{
    g_assert(size >= 1 && size <= 4 && offset + size <= DEV_PCI_CONFIG_SIZE);

    put_bytes(&function->config[offset], size, value);
}

static bool function_is_valid(const void *loaded)
{
    const DevPciFunction *function = loaded;

    for (unsigned i = 0; i < DEV_PCI_CONFIG_SIZE; i++) {
        uint8_t changeable = function->writable[i] | function->write_clears[i];

        if (((function->config[i] ^ function->reset[i]) & ~changeable) != 0) {
            return false;
        }
    }
    return true;
}

static EmuStateDesc function_desc(const DevPciFunction *function)
{
    return (EmuStateDesc) {
        .name = function->name,
        .version = 1,
        .size = sizeof(DevPciFunction),
        .fields = function_fields,
        .n_fields = G_N_ELEMENTS(function_fields),
        .is_valid = function_is_valid,
    };
}

void dev_pci_function_save(const DevPciFunction *function, GByteArray *out)
{
    EmuStateDesc desc = function_desc(function);

    emu_state_save(&desc, function, out);
}

bool dev_pci_function_load(DevPciFunction *function, const uint8_t *bytes, size_t len, size_t *pos,
                           GError **error)
{
    EmuStateDesc desc = function_desc(function);

    return emu_state_load(&desc, function, bytes, len, pos, error);
}

/* What the address port names, or NULL. */
static DevPciFunction *addressed(const DevPciBus *bus)
{
    uint32_t address = bus->state.address;

    if ((address & ADDRESS_ENABLE) == 0 || ((address >> 16) & 0xFF) != 0) {
        return NULL;
    }
    return bus->functions[(address >> 8) & 0xFF];
}

static uint32_t address_read(void *user, uint16_t port, unsigned size)
{
    DevPciBus *bus = user;

    (void)port;
    (void)size;
    return bus->state.address;
}

static void address_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPciBus *bus = user;

    (void)port;
    (void)size;
    bus->state.address = value & ADDRESS_WRITABLE;
}

/* Bytes of an access at @port that lie in the addressed doubleword. */
static unsigned bytes_within(uint16_t port, unsigned size)
{
    return MIN(size, 4u - (port & 3u));
}

static uint32_t data_read(void *user, uint16_t port, unsigned size)
{
    DevPciBus *bus = user;
    const DevPciFunction *function = addressed(bus);
    unsigned n = bytes_within(port, size);

    if (function == NULL) {
        return UINT32_MAX;
    }

    uint32_t value = dev_pci_get(function, (bus->state.address & 0xFC) + (port & 3u), n);

    return n == 4 ? value : value | UINT32_MAX << (8 * n);
}

static void data_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPciBus *bus = user;
    DevPciFunction *function = addressed(bus);
    unsigned n = bytes_within(port, size);

    if (function == NULL) {
        return;
    }

    unsigned offset = (bus->state.address & 0xFC) + (port & 3u);

    for (unsigned i = 0; i < n; i++) {
        unsigned at = offset + i;
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t keep = (uint8_t)(function->config[at] & ~function->writable[at] &
                                 ~(byte & function->write_clears[at]));

        function->config[at] = keep | (byte & function->writable[at]);
    }
    if (function->written != NULL) {
        function->written(function->user, offset, n);
    }
}

static const EmuPortOps address_ops = { .read = address_read, .write = address_write, .sizes = 4 };
static const EmuPortOps data_ops = { .read = data_read, .write = data_write, .sizes = 7 };

static const DevPortRange port_ranges[] = {
    { PORT_ADDRESS, 1, &address_ops },
    { PORT_DATA, 4, &data_ops },
};

DevPciBus *dev_pci_bus_new(EmuPorts *ports, GError **error)
{
    DevPciBus *bus = g_new0(DevPciBus, 1);

    if (!dev_port_list_add(&bus->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), bus, "pci",
                           error)) {
        g_free(bus);
        return NULL;
    }
    return bus;
}

void dev_pci_bus_free(DevPciBus *bus)
{
    if (bus == NULL) {
        return;
    }
    dev_port_list_clear(&bus->ports);
    g_free(bus);
}

void dev_pci_bus_reset(void *user)
{
    DevPciBus *bus = user;

    bus->state.address = 0;
}

void dev_pci_bus_add(DevPciBus *bus, unsigned devfn, DevPciFunction *function)
{
    g_assert(devfn < 256 && bus->functions[devfn] == NULL);

    bus->functions[devfn] = function;
}

void dev_pci_bus_remove(DevPciBus *bus, unsigned devfn)
{
    g_assert(devfn < 256);

    bus->functions[devfn] = NULL;
}

static bool bus_is_valid(const void *loaded)
{
    const State *state = loaded;

    return (state->address & ~ADDRESS_WRITABLE) == 0;
}

static const EmuStateDesc bus_desc = {
    .name = "pci",
    .version = 1,
    .size = sizeof(State),
    .fields = bus_fields,
    .n_fields = G_N_ELEMENTS(bus_fields),
    .is_valid = bus_is_valid,
};

void dev_pci_bus_save(const DevPciBus *bus, GByteArray *out)
{
    emu_state_save(&bus_desc, &bus->state, out);
}

bool dev_pci_bus_load(DevPciBus *bus, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return emu_state_load(&bus_desc, &bus->state, bytes, len, pos, error);
}

unsigned dev_pci_bus_parts(void *user, EmuStatePart *ret_parts)
{
    DevPciBus *bus = user;

    ret_parts[0] = (EmuStatePart) { .desc = bus_desc, .state = &bus->state };
    return 1;
}

EmuStatePart dev_pci_function_part(DevPciFunction *function)
{
    return (EmuStatePart) { .desc = function_desc(function), .state = function };
}
