/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ISA bridge.
 *
 * An interrupt request is high while its ISA pin is, or any asserted PIRQ# that is routed to it.
 *
 * Source: Intel 82371FB/82371SB (PIIX/PIIX3) datasheet, sections 2.2 (function 0) and 2.5.4.4
 * (reset control).
 */
#include "devices/piix3.h"

#include "devices/port_list.h"

#define REG_PIRQ_ROUTE 0x60
#define ROUTE_OFF 0x80u
#define ROUTE_IRQ 0x0Fu
/* Timer, keyboard, cascade, clock chip and coprocessor cannot be routed to. */
#define ROUTE_ALLOWED 0xDEF8u

#define PORT_RESET_CONTROL 0xCF9
#define RESET_HARD 0x02u
#define RESET_CPU 0x04u

typedef struct State {
    uint16_t isa_levels;
    uint8_t pirq_levels;
    uint8_t reset_control;
} State;

struct DevPiix3 {
    State state;
    DevPciFunction pci;
    DevPciBus *bus;
    DevPortList ports;
    DevPiix3Lines lines;
};

static const EmuField fields[] = {
    EMU_FIELD(State, isa_levels),
    EMU_FIELD_MAX(State, pirq_levels, 0x0F),
    EMU_FIELD_MAX(State, reset_control, RESET_HARD | RESET_CPU),
};

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x8086, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, 0x7000, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0007, 0x0108, 0 },
    { DEV_PCI_STATUS, 2, 0x0200, 0, 0x7800 },
    { DEV_PCI_CLASS, 2, 0x0601, 0, 0 },
    { DEV_PCI_HEADER_TYPE, 1, 0x80, 0, 0 }, /* more functions */
    { 0x4C, 1, 0x4D, 0xFF, 0 },             /* IORT */
    { 0x4E, 2, 0x0003, 0x03FF, 0 },         /* XBCS */
    { REG_PIRQ_ROUTE + 0, 1, ROUTE_OFF, ROUTE_OFF | ROUTE_IRQ, 0 },
    { REG_PIRQ_ROUTE + 1, 1, ROUTE_OFF, ROUTE_OFF | ROUTE_IRQ, 0 },
    { REG_PIRQ_ROUTE + 2, 1, ROUTE_OFF, ROUTE_OFF | ROUTE_IRQ, 0 },
    { REG_PIRQ_ROUTE + 3, 1, ROUTE_OFF, ROUTE_OFF | ROUTE_IRQ, 0 },
    { 0x69, 1, 0x02, 0xFE, 0 },             /* TOM */
    { 0x6A, 2, 0x0000, 0x8080, 0 },         /* MSTAT */
    { 0x70, 1, 0x80, 0xEF, 0 },             /* MBIRQ0 */
    { 0x76, 1, 0x0C, 0x8F, 0 },             /* MBDMA0 */
    { 0x77, 1, 0x0C, 0x8F, 0 },             /* MBDMA1 */
    { 0x78, 2, 0x0002, 0xFFFF, 0 },         /* PCSC */
    { 0x80, 1, 0x00, 0x7F, 0 },             /* APICBASE */
    { 0x82, 1, 0x00, 0x0F, 0 },             /* DLC */
    { 0xA0, 1, 0x08, 0x1F, 0 },             /* SMICNTL */
    { 0xA2, 2, 0x0000, 0x00FF, 0 },         /* SMIEN */
    { 0xA4, 4, 0x00000000, 0xE000FFFF, 0 }, /* SEE */
    { 0xA8, 1, 0x0F, 0xFF, 0 },             /* FTMR */
    { 0xAA, 2, 0x0000, 0x00FF, 0 },         /* SMIREQ */
    { 0xAC, 1, 0x00, 0xFF, 0 },             /* CTLTMR */
    { 0xAE, 1, 0x00, 0xFF, 0 },             /* CTHTMR */
};

static uint16_t irq_bit(unsigned irq)
{
    return (uint16_t)(1u << irq);
}

/* Requests that PIRQ# lines raise now. */
static uint16_t routed_levels(const DevPiix3 *bridge)
{
    uint16_t levels = 0;

    for (unsigned i = 0; i < DEV_PIIX3_PIRQS; i++) {
        uint8_t route = bridge->pci.config[REG_PIRQ_ROUTE + i];

        if ((bridge->state.pirq_levels & (1u << i)) != 0 && (route & ROUTE_OFF) == 0) {
            levels |= irq_bit(route & ROUTE_IRQ) & ROUTE_ALLOWED;
        }
    }
    return levels;
}

static void drive(DevPiix3 *bridge, uint16_t which)
{
    uint16_t levels = bridge->state.isa_levels | routed_levels(bridge);

    for (unsigned irq = 0; irq < DEV_PIIX3_IRQS; irq++) {
        if ((which & irq_bit(irq)) != 0) {
            emu_line_set(&bridge->lines.irq[irq], (levels & irq_bit(irq)) != 0);
        }
    }
}

static void isa_changed(void *user, unsigned irq, bool level)
{
    DevPiix3 *bridge = user;
    uint16_t mask = irq_bit(irq);

    bridge->state.isa_levels =
        level ? bridge->state.isa_levels | mask : bridge->state.isa_levels & (uint16_t)~mask;
    drive(bridge, mask);
}

static void pirq_changed(void *user, unsigned pirq, bool level)
{
    DevPiix3 *bridge = user;
    uint8_t mask = (uint8_t)(1u << pirq);

    bridge->state.pirq_levels =
        level ? bridge->state.pirq_levels | mask : bridge->state.pirq_levels & (uint8_t)~mask;
    drive(bridge, ROUTE_ALLOWED);
}

EmuLine dev_piix3_isa_pin(DevPiix3 *bridge, unsigned irq)
{
    g_assert(irq < DEV_PIIX3_IRQS && irq != 2);

    return (EmuLine) { .func = isa_changed, .user = bridge, .pin = irq };
}

EmuLine dev_piix3_pirq_pin(DevPiix3 *bridge, unsigned pirq)
{
    g_assert(pirq < DEV_PIIX3_PIRQS);

    return (EmuLine) { .func = pirq_changed, .user = bridge, .pin = pirq };
}

static void written(void *user, unsigned offset, unsigned len)
{
    DevPiix3 *bridge = user;

    if (offset < REG_PIRQ_ROUTE + DEV_PIIX3_PIRQS && offset + len > REG_PIRQ_ROUTE) {
        drive(bridge, ROUTE_ALLOWED);
    }
}

static uint32_t reset_read(void *user, uint16_t port, unsigned size)
{
    DevPiix3 *bridge = user;

    (void)port;
    (void)size;
    return bridge->state.reset_control;
}

static void reset_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPiix3 *bridge = user;
    uint8_t old = bridge->state.reset_control;

    (void)port;
    (void)size;
    bridge->state.reset_control = value & (RESET_HARD | RESET_CPU);
    /* A rising RCPU starts the reset that SRST asks for. */
    if ((value & RESET_CPU) == 0 || (old & RESET_CPU) != 0) {
        return;
    }
    emu_line_pulse((value & RESET_HARD) != 0 ? &bridge->lines.reset : &bridge->lines.init);
    bridge->state.reset_control &= (uint8_t)~RESET_CPU;
}

static const EmuPortOps reset_ops = { .read = reset_read, .write = reset_write, .sizes = 1 };
static const DevPortRange port_ranges[] = { { PORT_RESET_CONTROL, 1, &reset_ops } };

DevPiix3 *dev_piix3_new(DevPciBus *bus, EmuPorts *ports, const DevPiix3Lines *lines, GError **error)
{
    DevPiix3 *bridge = g_new0(DevPiix3, 1);

    if (!dev_port_list_add(&bridge->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), bridge,
                           "piix3", error)) {
        g_free(bridge);
        return NULL;
    }
    bridge->bus = bus;
    bridge->lines = *lines;
    dev_pci_function_init(&bridge->pci, "piix3", regs, G_N_ELEMENTS(regs), written, bridge);
    dev_pci_bus_add(bus, DEV_PCI_DEVFN(1, 0), &bridge->pci);
    return bridge;
}

void dev_piix3_free(DevPiix3 *bridge)
{
    if (bridge == NULL) {
        return;
    }
    dev_pci_bus_remove(bridge->bus, DEV_PCI_DEVFN(1, 0));
    dev_port_list_clear(&bridge->ports);
    g_free(bridge);
}

void dev_piix3_reset(void *user)
{
    DevPiix3 *bridge = user;

    /* The levels are the devices' own and stay. */
    bridge->state.reset_control = 0;
    dev_pci_function_reset(&bridge->pci);
    drive(bridge, ROUTE_ALLOWED);
}

static const EmuStateDesc state_desc = {
    .name = "piix3 lines",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
};

void dev_piix3_save(const DevPiix3 *bridge, GByteArray *out)
{
    dev_pci_function_save(&bridge->pci, out);
    emu_state_save(&state_desc, &bridge->state, out);
}

bool dev_piix3_load(DevPiix3 *bridge, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    DevPciFunction pci = bridge->pci;
    size_t at = *pos;

    if (!dev_pci_function_load(&pci, bytes, len, &at, error) ||
        !emu_state_load(&state_desc, &bridge->state, bytes, len, &at, error)) {
        return false;
    }
    bridge->pci = pci;
    *pos = at;
    drive(bridge, 0xFFFF & ~irq_bit(2));
    return true;
}

unsigned dev_piix3_parts(void *user, EmuStatePart *ret_parts)
{
    DevPiix3 *bridge = user;

    ret_parts[0] = dev_pci_function_part(&bridge->pci);
    ret_parts[1] = (EmuStatePart) { .desc = state_desc, .state = &bridge->state };
    return 2;
}
