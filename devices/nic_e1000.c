/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network card without a network: its PCI function and where its registers are.
 *
 * Invariant: ports are where their BAR says, or nowhere: while decoding is off and where something
 * else lies. Registers in memory likewise (devices/pci_bar.h).
 *
 * Source: Intel, PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual
 * (317453), chapters 4 (PCI) and 13.2.1 (registers by ports).
 */
#include "devices/nic_e1000-internal.h"

#define REG_BAR0 0x10
#define REG_BAR2 0x18
#define COMMAND_IO 0x01u
#define N_PORTS 64u
#define PORT_ADDRESS 0
#define PORT_DATA 4

static const DevPciReg pci_regs[] = {
    { DEV_PCI_VENDOR_ID, 2, E1000_VENDOR, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, E1000_DEVICE, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0000, 0x0157, 0 },
    { DEV_PCI_STATUS, 2, 0x0220, 0, 0xF900 },
    { DEV_PCI_REVISION, 1, 0x02, 0, 0 },
    { DEV_PCI_CLASS, 2, 0x0200, 0, 0 },
    { 0x0C, 1, 0x00, 0xFF, 0 }, /* cache line size */
    { 0x0D, 1, 0x00, 0xF8, 0 }, /* latency timer */
    { REG_BAR0, 4, 0, ~(uint32_t)(E1000_REGISTERS_LEN - 1), 0 },
    { REG_BAR2, 4, 1, ~(uint32_t)(N_PORTS - 1), 0 },
    { DEV_PCI_SUBSYSTEM_VENDOR_ID, 2, E1000_VENDOR, 0, 0 },
    { DEV_PCI_SUBSYSTEM_ID, 2, 0x001E, 0, 0 },
    { DEV_PCI_INTERRUPT_LINE, 1, 0x00, 0xFF, 0 },
    { DEV_PCI_INTERRUPT_PIN, 1, 1, 0, 0 },
    { 0x3E, 2, 0x00FF, 0, 0 }, /* latencies it wishes for */
};

static MemStatus mmio_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)size;
    *ret_value = e1000_read(user, offset);
    return MEM_OK;
}

static MemStatus mmio_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    e1000_write(user, offset, (uint32_t)value);
    return MEM_OK;
}

static const PgmMmioOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .min_size = 4,
    .max_size = 4,
};

static uint32_t port_read(void *user, uint16_t port, unsigned size)
{
    DevNicE1000 *nic = user;
    unsigned at = port - nic->block.base;

    (void)size;
    if (at == PORT_ADDRESS) {
        return nic->state.port_address;
    }
    return at == PORT_DATA ? e1000_read(nic, nic->state.port_address) : 0;
}

static void port_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevNicE1000 *nic = user;
    unsigned at = port - nic->block.base;

    (void)size;
    if (at == PORT_ADDRESS) {
        nic->state.port_address = value & (uint32_t)(E1000_REGISTERS_LEN - 4);
    } else if (at == PORT_DATA) {
        e1000_write(nic, nic->state.port_address, value);
    }
}

static const EmuPortOps port_ops = { .read = port_read, .write = port_write, .sizes = 4 };

/* ---- where they are */

/* All leave before any takes: the ROM may move out of the registers' way. */
static void place_memory(DevNicE1000 *nic)
{
    (void)dev_pci_bar_leave(&nic->bar);
    if (nic->rom != NULL) {
        (void)dev_pci_bar_leave(dev_pci_rom_bar(nic->rom));
    }
    dev_pci_bar_take(&nic->bar);
    if (nic->rom != NULL) {
        dev_pci_bar_take(dev_pci_rom_bar(nic->rom));
    }
}

/* 0: nowhere. */
static uint16_t wanted_ports(const DevNicE1000 *nic)
{
    uint32_t place = dev_pci_get(&nic->pci, REG_BAR2, 4) & ~(N_PORTS - 1);
    bool on = (dev_pci_get(&nic->pci, DEV_PCI_COMMAND, 2) & COMMAND_IO) != 0;

    return on && place <= UINT16_MAX ? (uint16_t)place : 0;
}

static void place_ports(DevNicE1000 *nic)
{
    uint16_t place = wanted_ports(nic);

    dev_port_block_leave(&nic->block, place);
    nic->state.ports_decoded = dev_port_block_take(&nic->block, place);
}

static void written(void *user, unsigned offset, unsigned len)
{
    DevNicE1000 *nic = user;

    (void)offset;
    (void)len;
    place_memory(nic);
    place_ports(nic);
}

/* ---- life */

DevNicE1000 *dev_nic_e1000_new(DevPciBus *bus, unsigned devfn, Pgm *pgm, EmuPorts *ports,
                               EmuLine inta, const DevNicConfig *config, GError **error)
{
    DevNicE1000 *nic = g_new0(DevNicE1000, 1);

    nic->devfn = devfn;
    nic->pgm = pgm;
    nic->block = (DevPortBlock) {
        .ports = ports, .ops = &port_ops, .user = nic, .device = "e1000", .len = N_PORTS
    };
    nic->inta = inta;
    dev_pci_function_init(&nic->pci, "e1000", pci_regs, G_N_ELEMENTS(pci_regs), written, nic);
    nic->registers =
        pgm_mmio_new(pgm, E1000_REGISTERS_LEN, &mmio_ops, nic, "e1000", "e1000 registers", error);
    if (nic->registers == NULL) {
        dev_nic_e1000_free(nic);
        return NULL;
    }
    nic->bar = (DevPciBar) {
        .function = &nic->pci,
        .pgm = pgm,
        .reg = REG_BAR0,
        .len = E1000_REGISTERS_LEN,
        .mmio = nic->registers,
    };
    if (config != NULL && config->rom != NULL) {
        nic->rom = dev_pci_rom_new(&nic->pci, pgm, config->rom, config->rom_len, "e1000",
                                   config->name != NULL ? config->name : "e1000 ROM", error);
        if (nic->rom == NULL) {
            dev_nic_e1000_free(nic);
            return NULL;
        }
    }
    nic->bus = bus;
    dev_pci_bus_add(bus, devfn, &nic->pci);
    dev_nic_e1000_reset(nic);
    return nic;
}

void dev_nic_e1000_free(DevNicE1000 *nic)
{
    if (nic == NULL) {
        return;
    }
    if (nic->bus != NULL) {
        dev_pci_bus_remove(nic->bus, nic->devfn);
    }
    dev_port_block_leave(&nic->block, 0);
    dev_pci_rom_free(nic->rom);
    pgm_mmio_free(nic->registers);
    g_free(nic);
}

void dev_nic_e1000_reset(void *user)
{
    DevNicE1000 *nic = user;

    dev_pci_function_reset(&nic->pci);
    nic->state.port_address = 0;
    e1000_reset_registers(nic);
    written(nic, 0, 0);
}

/* ---- state */

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(E1000State, slots),
    EMU_FIELD_MAX(E1000State, port_address, E1000_REGISTERS_LEN - 4),
    EMU_FIELD(E1000State, ports_decoded),
};

unsigned dev_nic_e1000_parts(void *user, EmuStatePart *ret_parts)
{
    DevNicE1000 *nic = user;

    ret_parts[0] = dev_pci_function_part(&nic->pci);
    ret_parts[1] = (EmuStatePart) {
        .desc = { .name = "e1000 registers",
                  .version = 1,
                  .size = sizeof(E1000State),
                  .fields = fields,
                  .n_fields = G_N_ELEMENTS(fields),
                  .is_valid = e1000_state_is_valid },
        .state = &nic->state,
    };
    return 2;
}

void dev_nic_e1000_leave(void *user)
{
    DevNicE1000 *nic = user;

    dev_port_block_leave(&nic->block, 0);
}

/* Registers in memory are memory's to put back. Ports that were nowhere stay there until the guest
 * writes: somebody else had their place. */
void dev_nic_e1000_loaded(void *user)
{
    DevNicE1000 *nic = user;

    if (nic->state.ports_decoded) {
        (void)dev_port_block_take(&nic->block, wanted_ports(nic));
    }
}
