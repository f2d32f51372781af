/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chip: its PCI function, the ranges it owns, reset and state.
 *
 * BAR 2:
 *   000-3FF   nothing (a monitor's description could lie there)
 *   400-41F   ports 3C0 to 3DF
 *   500-515   VBE registers, 16 bits each
 *   600-607   length of this block, byte order: little
 *
 * Where BARs are shown: devices/pci_bar.h. Ports and legacy window answer always: firmware finds
 * the chip before it sets command bits.
 *
 * Source: PCI Local Bus Specification 2.2, section 6.2.5; identity and BAR 2: what QEMU's standard
 * VGA shows to a guest.
 */
#include "devices/vga.h"

#include "devices/clear_memory.h"
#include "devices/vga-chip-internal.h"
#include "emu/error.h"

#define REG_BAR0 0x10
#define REG_BAR2 0x18
#define BAR0_PREFETCHABLE 0x08u

#define REGISTERS_LEN UINT64_C(0x1000)
#define REGISTERS_PORTS 0x400u
#define REGISTERS_VBE 0x500u
#define REGISTERS_MORE 0x600u
#define REGISTERS_MORE_LEN 8u
#define BYTE_ORDER_LITTLE 0x1E1Eu

#define PORT_VBE_INDEX 0x1CE

static const EmuField fields[] = {
    EMU_FIELD(VgaRegs, misc),
    EMU_FIELD(VgaRegs, feature),
    EMU_FIELD(VgaRegs, seq_index),
    EMU_FIELD_ARRAY(VgaRegs, seq),
    EMU_FIELD(VgaRegs, crtc_index),
    EMU_FIELD_ARRAY(VgaRegs, crtc),
    EMU_FIELD(VgaRegs, gfx_index),
    EMU_FIELD_ARRAY(VgaRegs, gfx),
    EMU_FIELD(VgaRegs, attr_index),
    EMU_FIELD(VgaRegs, attr_data),
    EMU_FIELD_ARRAY(VgaRegs, attr),
    EMU_FIELD(VgaRegs, dac_mask),
    EMU_FIELD(VgaRegs, dac_state),
    EMU_FIELD(VgaRegs, dac_read_index),
    EMU_FIELD(VgaRegs, dac_write_index),
    EMU_FIELD_MAX(VgaRegs, dac_part, 2),
    EMU_FIELD_ARRAY(VgaRegs, dac_cache),
    EMU_FIELD_ARRAY(VgaRegs, dac),
    EMU_FIELD_ARRAY(VgaRegs, latch),
    EMU_FIELD(VgaRegs, vbe_index),
    EMU_FIELD_ARRAY(VgaRegs, vbe),
};

static const EmuField place_fields[] = { EMU_FIELD(VgaPlace, window_taken) };

static const DevPciReg pci_regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x1234, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, 0x1111, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0000, 0x0107, 0 },
    { DEV_PCI_REVISION, 1, 0x02, 0, 0 },
    { DEV_PCI_CLASS, 2, 0x0300, 0, 0 },
    { REG_BAR0, 4, BAR0_PREFETCHABLE, (uint32_t) - (int64_t)DEV_VGA_MEMORY_LEN, 0 },
    { REG_BAR2, 4, 0, (uint32_t) - (int64_t)REGISTERS_LEN, 0 },
    { DEV_PCI_SUBSYSTEM_VENDOR_ID, 2, 0x1AF4, 0, 0 },
    { DEV_PCI_SUBSYSTEM_ID, 2, 0x1100, 0, 0 },
    { DEV_PCI_INTERRUPT_LINE, 1, 0x00, 0xFF, 0 },
};

/* ---- ports */

static uint32_t ports_read(void *user, uint16_t port, unsigned size)
{
    (void)size;
    return vga_port_read(user, port);
}

static void ports_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    (void)size;
    vga_port_write(user, port, (uint8_t)value);
}

static uint32_t vbe_ports_read(void *user, uint16_t port, unsigned size)
{
    DevVga *vga = user;

    (void)size;
    return port == PORT_VBE_INDEX ? vga->regs.vbe_index
                                  : vga_vbe_read(&vga->regs, vga->regs.vbe_index);
}

static void vbe_ports_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevVga *vga = user;

    (void)size;
    if (port == PORT_VBE_INDEX) {
        vga->regs.vbe_index = (uint16_t)value;
    } else {
        vga_vbe_write(vga, vga->regs.vbe_index, (uint16_t)value);
    }
}

static const EmuPortOps port_ops = { .read = ports_read, .write = ports_write, .sizes = 1 };
static const EmuPortOps vbe_ops = { .read = vbe_ports_read, .write = vbe_ports_write, .sizes = 2 };

/* One range for each of the VBE ports: words at neighbouring addresses. */
static const DevPortRange port_ranges[] = {
    { 0x3B4, 2, &port_ops }, { 0x3BA, 1, &port_ops }, { 0x3C0, 16, &port_ops },
    { 0x3D4, 2, &port_ops }, { 0x3DA, 1, &port_ops }, { PORT_VBE_INDEX, 3, &vbe_ops },
};

/* ---- BAR 2 */

/* One byte, of the 16-bit register it lies in if VBE's. */
static uint8_t registers_read_byte(DevVga *vga, unsigned at)
{
    if (at >= REGISTERS_PORTS && at < REGISTERS_PORTS + 0x20) {
        return vga_port_read(vga, 0x3C0 + (at - REGISTERS_PORTS));
    }
    if (at >= REGISTERS_VBE && at < REGISTERS_VBE + 2 * VBE_REGS) {
        return (uint8_t)(vga_vbe_read(&vga->regs, (at - REGISTERS_VBE) / 2) >> (8 * (at & 1)));
    }
    if (at >= REGISTERS_MORE + 4 && at < REGISTERS_MORE + REGISTERS_MORE_LEN) {
        return BYTE_ORDER_LITTLE & 0xFF;
    }
    return at == REGISTERS_MORE ? REGISTERS_MORE_LEN : 0;
}

static MemStatus registers_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    *ret_value = 0;
    for (unsigned i = 0; i < size; i++) {
        *ret_value |= (uint64_t)registers_read_byte(user, (unsigned)offset + i) << (8 * i);
    }
    return MEM_OK;
}

static MemStatus registers_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    DevVga *vga = user;
    unsigned at = (unsigned)offset;

    if (at >= REGISTERS_PORTS && at < REGISTERS_PORTS + 0x20) {
        for (unsigned i = 0; i < size; i++) {
            vga_port_write(vga, 0x3C0 + (at - REGISTERS_PORTS) + i, (uint8_t)(value >> (8 * i)));
        }
    } else if (at >= REGISTERS_VBE && at < REGISTERS_VBE + 2 * VBE_REGS) {
        unsigned index = (at - REGISTERS_VBE) / 2;

        if (size == 1) {
            unsigned shift = 8 * (at & 1);
            unsigned keep = vga->regs.vbe[index] & (0xFF00u >> shift);

            value = keep | value << shift;
        }
        vga_vbe_write(vga, index, (uint16_t)value);
    }
    return MEM_OK;
}

static const PgmMmioOps registers_ops = {
    .read = registers_read,
    .write = registers_write,
    .max_size = 2,
};

/* ---- BARs */

/* All leave their old places before any takes a new one: two BARs may trade places. */
static void place_bars(DevVga *vga)
{
    const DevPciBar *bars[] = { &vga->memory_bar, &vga->registers_bar,
                                vga->rom != NULL ? dev_pci_rom_bar(vga->rom) : NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(bars) && bars[i] != NULL; i++) {
        if (dev_pci_bar_leave(bars[i]) && bars[i] == &vga->memory_bar) {
            vga_window_forget(vga); /* pages in the window went with it */
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(bars) && bars[i] != NULL; i++) {
        dev_pci_bar_take(bars[i]);
    }
    vga_window_update(vga);
}

static void written(void *user, unsigned offset, unsigned len)
{
    (void)offset;
    (void)len;
    place_bars(user);
}

static void set_window_taken(void *user, unsigned pin, bool level)
{
    DevVga *vga = user;

    (void)pin;
    vga->place.window_taken = level;
    vga_window_update(vga);
}

EmuLine dev_vga_pin_window_taken(DevVga *vga)
{
    return (EmuLine) { .func = set_window_taken, .user = vga };
}

/* ---- life */

static bool add_ranges(DevVga *vga, GError **error)
{
    vga->memory = pgm_mmio2_new(vga->pgm, "vga", 0, DEV_VGA_MEMORY_LEN, true, "VGA memory", error);
    if (vga->memory == NULL) {
        return false;
    }

    MemStatus status = pgm_mmio2_set_tracking(vga->memory, true);

    g_assert(status == MEM_OK);
    vga->registers =
        pgm_mmio_new(vga->pgm, REGISTERS_LEN, &registers_ops, vga, "vga", "VGA registers", error);
    if (vga->registers == NULL) {
        return false;
    }
    vga->memory_bar = (DevPciBar) {
        .function = &vga->pci,
        .pgm = vga->pgm,
        .reg = REG_BAR0,
        .len = DEV_VGA_MEMORY_LEN,
        .mmio2 = vga->memory,
    };
    vga->registers_bar = (DevPciBar) {
        .function = &vga->pci,
        .pgm = vga->pgm,
        .reg = REG_BAR2,
        .len = REGISTERS_LEN,
        .mmio = vga->registers,
    };
    vga->window = vga_window_new(vga, error);
    return vga->window != NULL && pgm_mmio_map(vga->window, VGA_WINDOW_START, error) == MEM_OK;
}

static bool add_rom(DevVga *vga, const DevVgaConfig *config, GError **error)
{
    if (config == NULL || config->rom == NULL) {
        return true;
    }
    vga->rom = dev_pci_rom_new(&vga->pci, vga->pgm, config->rom, config->rom_len, "vga",
                               config->name != NULL ? config->name : "VGA BIOS", error);
    return vga->rom != NULL;
}

DevVga *dev_vga_new(DevPciBus *bus, unsigned devfn, Pgm *pgm, EmuPorts *ports, EmuClock *clock,
                    const DevVgaConfig *config, GError **error)
{
    DevVga *vga = g_new0(DevVga, 1);

    vga->devfn = devfn;
    vga->pgm = pgm;
    vga->clock = clock;
    dev_pci_function_init(&vga->pci, "vga", pci_regs, G_N_ELEMENTS(pci_regs), written, vga);
    if (!add_ranges(vga, error) || !add_rom(vga, config, error) ||
        !dev_port_list_add(&vga->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), vga, "vga",
                           error)) {
        dev_vga_free(vga);
        return NULL;
    }
    vga->view = (VgaView) { .regs = &vga->regs, .memory = pgm_mmio2_host(vga->memory) };
    vga->screen = vga_screen_new(&vga->view, vga->memory);
    vga->bus = bus;
    dev_pci_bus_add(bus, devfn, &vga->pci);
    dev_vga_reset(vga);
    return vga;
}

void dev_vga_free(DevVga *vga)
{
    if (vga == NULL) {
        return;
    }
    if (vga->bus != NULL) {
        dev_pci_bus_remove(vga->bus, vga->devfn);
    }
    vga_screen_free(vga->screen);
    dev_port_list_clear(&vga->ports);
    dev_pci_rom_free(vga->rom);
    pgm_mmio_free(vga->window);
    pgm_mmio_free(vga->registers);
    pgm_mmio2_free(vga->memory);
    g_free(vga);
}

void dev_vga_reset(void *user)
{
    DevVga *vga = user;

    vga->regs = (VgaRegs) { 0 };
    vga_vbe_reset(&vga->regs);
    dev_pci_function_reset(&vga->pci);
    place_bars(vga);
    dev_clear_memory(vga->memory, DEV_VGA_MEMORY_LEN);
    vga_screen_redraw(vga->screen);
}

DevScreen *dev_vga_screen(DevVga *vga)
{
    return vga->screen;
}

/* ---- state */

unsigned dev_vga_parts(void *user, EmuStatePart *ret_parts)
{
    DevVga *vga = user;

    ret_parts[0] = dev_pci_function_part(&vga->pci);
    ret_parts[1] = (EmuStatePart) {
        .desc = { .name = "vga registers",
                  .version = 1,
                  .size = sizeof(VgaRegs),
                  .fields = fields,
                  .n_fields = G_N_ELEMENTS(fields) },
        .state = &vga->regs,
    };
    ret_parts[2] = (EmuStatePart) {
        .desc = { .name = "vga window",
                  .version = 1,
                  .size = sizeof(VgaPlace),
                  .fields = place_fields,
                  .n_fields = G_N_ELEMENTS(place_fields) },
        .state = &vga->place,
    };
    return 3;
}

bool dev_vga_check(void *user, void *const *states, GError **error)
{
    const VgaRegs *regs = states[1];

    (void)user;
    if (!vga_ports_are_valid(regs)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "vga: a register has bits that the chip does not have");
        return false;
    }
    if (!vga_vbe_is_valid(regs)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "vga: VBE registers show what does not lie in video memory");
        return false;
    }
    return true;
}

/* Ranges and pages in the window are memory's to put back. What it put there follows from the
 * registers, but a file may say otherwise: the next change looks again. */
void dev_vga_loaded(void *user)
{
    DevVga *vga = user;

    vga_window_forget(vga);
    vga_screen_redraw(vga->screen);
}
