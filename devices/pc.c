/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC board.
 *
 *   00000-9FFFF   RAM
 *   A0000-BFFFF   the VGA's window or nothing; SMRAM while the bridge has it open
 *   C0000-FFFFF   shadowed ROM: FF, at its end the last 128 KiB of the firmware image
 *   100000-       RAM up to the hole below 4 GiB, whose top is the whole firmware image; more RAM
 * from 4 GiB on
 *
 *   ISA chips -> PIIX3 (joins PCI interrupts) -> 8259 pair -> CPU
 *
 * Chips are made in the order they need each other, reset in the order of `resets` and freed last
 * made first.
 *
 * Files: pc.c (chips and wires), pc-firmware.c (memory, image and what firmware is told),
 * pc-states.c (units of state, reset).
 *
 * Source: Intel 440FX and PIIX3 datasheets.
 */
#include "devices/pc-internal.h"

#include <string.h>

#define BIOS_MAX_LEN ((size_t)16 << 20)

/* PCI devices behind those of the chipset. */
#define VGA_DEVICE 2
#define NIC_DEVICE 3

static void free_chips(DevPc *pc)
{
    dev_nic_e1000_free(pc->nic);
    dev_vga_free(pc->vga);
    dev_piix3_ide_free(pc->ide_function);
    dev_ide_free(pc->ide);
    dev_fw_cfg_free(pc->fw_cfg);
    dev_debug_exit_free(pc->debug_exit);
    dev_debugcon_free(pc->debugcon);
    dev_uart_free(pc->uart[1]);
    dev_uart_free(pc->uart[0]);
    dev_port92_free(pc->port92);
    dev_typist_free(pc->typist);
    dev_i8042_free(pc->kbc);
    dev_piix4_pm_free(pc->pm);
    dev_i8237_free(pc->dma);
    dev_mc146818_free(pc->rtc);
    dev_i8254_free(pc->pit);
    dev_piix3_free(pc->isa);
    dev_i8259_free(pc->pic);
    dev_i440fx_free(pc->bridge);
    dev_pci_bus_free(pc->pci);
    g_free(pc);
}

/* With the machine. */
static void free_board(gpointer data)
{
    DevPc *pc = data;
    DevDisk *drives[DEV_PC_MAX_DRIVES];

    memcpy(drives, pc->drives, sizeof(drives));
    free_chips(pc);
    for (unsigned i = 0; i < DEV_PC_MAX_DRIVES; i++) {
        dev_disk_free(drives[i]);
    }
}

static bool check_config(const DevPcConfig *config, GError **error)
{
    const char *bios_name = config->bios_name != NULL ? config->bios_name : "firmware image";

    if (config->bios == NULL || config->bios_len == 0 || config->bios_len > BIOS_MAX_LEN ||
        config->bios_len % MEM_PAGE_SIZE != 0) {
        g_set_error(
            error, EMU_ERROR, EMU_ERROR_INVALID,
            "--bios %s: %zu bytes; a firmware image is a multiple of 4096 bytes, at most 16 "
            "MiB",
            bios_name, config->bios_len);
        return false;
    }
    if (config->rtc_seconds < 0 || config->rtc_seconds > DEV_MC146818_MAX_SECONDS) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "--rtc: %" G_GINT64_FORMAT
                    " seconds since 1970 lie outside the years 1970 to 9999",
                    config->rtc_seconds);
        return false;
    }
    return true;
}

static EmuLine isa_irq(DevPc *pc, unsigned irq)
{
    return dev_piix3_isa_pin(pc->isa, irq);
}

static bool add_chipset(DevPc *pc, GError **error)
{
    EmuMachine *machine = pc->machine;
    EmuPorts *ports = emu_machine_ports(machine);
    DevPiix3Lines lines = {
        .reset = emu_machine_pin_reset(machine),
        .init = emu_machine_pin_init(machine),
    };

    pc->pci = dev_pci_bus_new(ports, error);
    if (pc->pci == NULL) {
        return false;
    }
    pc->bridge = dev_i440fx_new(pc->pci, emu_machine_pgm(machine), error);
    if (pc->bridge == NULL) {
        return false;
    }
    pc->pic = dev_i8259_new(ports, emu_machine_pin_intr(machine), error);
    if (pc->pic == NULL) {
        return false;
    }
    for (unsigned irq = 0; irq < DEV_PIIX3_IRQS; irq++) {
        if (irq != 2) {
            lines.irq[irq] = dev_i8259_pin(pc->pic, irq);
        }
    }
    pc->isa = dev_piix3_new(pc->pci, ports, &lines, error);
    return pc->isa != NULL;
}

static bool add_timers(DevPc *pc, const DevPcConfig *config, GError **error)
{
    EmuPorts *ports = emu_machine_ports(pc->machine);
    EmuClock *clock = emu_machine_clock(pc->machine);
    DevPiix4PmLines pm_lines = {
        .sci = isa_irq(pc, 9),
        .power_off = emu_machine_pin_power_off(pc->machine),
    };

    pc->pit = dev_i8254_new(ports, clock, isa_irq(pc, 0), error);
    if (pc->pit == NULL) {
        return false;
    }
    pc->rtc = dev_mc146818_new(ports, clock, isa_irq(pc, 8), config->rtc_seconds, error);
    if (pc->rtc == NULL) {
        return false;
    }
    pc->dma = dev_i8237_new(ports, error);
    if (pc->dma == NULL) {
        return false;
    }
    pc->pm = dev_piix4_pm_new(pc->pci, ports, clock, &pm_lines, error);
    return pc->pm != NULL;
}

static void debug_exit(void *user, uint32_t value)
{
    DevPc *pc = user;

    emu_machine_debug_exit(pc->machine, value);
}

static bool add_uarts(DevPc *pc, GError **error)
{
    static const struct {
        const char *console;
        uint16_t base;
        uint8_t irq;
    } uarts[] = { { "serial0", 0x3F8, 4 }, { "serial1", 0x2F8, 3 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(uarts); i++) {
        pc->uart[i] = dev_uart_new(
            emu_machine_ports(pc->machine), emu_machine_clock(pc->machine), uarts[i].base,
            emu_machine_console(pc->machine, uarts[i].console), isa_irq(pc, uarts[i].irq), error);
        if (pc->uart[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool add_legacy(DevPc *pc, GError **error)
{
    EmuMachine *machine = pc->machine;
    EmuPorts *ports = emu_machine_ports(machine);
    DevI8042Lines kbc_lines = {
        .irq1 = isa_irq(pc, 1),
        .irq12 = isa_irq(pc, 12),
        .a20 = emu_machine_pin_a20(machine),
        .init = emu_machine_pin_init(machine),
    };

    pc->kbc = dev_i8042_new(ports, &kbc_lines, error);
    if (pc->kbc == NULL) {
        return false;
    }
    pc->typist = dev_typist_new(pc->kbc, emu_machine_clock(machine));
    pc->port92 = dev_port92_new(ports, kbc_lines.a20, kbc_lines.init, error);
    if (pc->port92 == NULL) {
        return false;
    }
    if (!add_uarts(pc, error)) {
        return false;
    }
    pc->debugcon = dev_debugcon_new(ports, emu_machine_console(machine, "debugcon"), error);
    if (pc->debugcon == NULL) {
        return false;
    }
    pc->debug_exit = dev_debug_exit_new(ports, debug_exit, pc, error);
    return pc->debug_exit != NULL;
}

static void decode_changed(void *user, unsigned channel, bool level)
{
    DevPc *pc = user;

    dev_ide_set_decode(pc->ide, channel, level);
}

static bool add_ide(DevPc *pc, const DevPcConfig *config, GError **error)
{
    const EmuLine irqs[DEV_IDE_CHANNELS] = { isa_irq(pc, 14), isa_irq(pc, 15) };
    const EmuLine decode[DEV_IDE_CHANNELS] = {
        { .func = decode_changed, .user = pc, .pin = 0 },
        { .func = decode_changed, .user = pc, .pin = 1 },
    };

    G_STATIC_ASSERT(DEV_IDE_DRIVES == DEV_PC_MAX_DRIVES);
    pc->ide = dev_ide_new(emu_machine_ports(pc->machine), config->drives, irqs, error);
    if (pc->ide == NULL) {
        return false;
    }
    pc->ide_function = dev_piix3_ide_new(pc->pci, decode);
    return true;
}

static bool add_vga(DevPc *pc, const DevPcConfig *config, GError **error)
{
    const DevVgaConfig vga_config = { .rom = config->vga_rom,
                                      .rom_len = config->vga_rom_len,
                                      .name = config->vga_rom_name };
    EmuMachine *machine = pc->machine;

    if (!config->vga) {
        return true;
    }
    pc->vga =
        dev_vga_new(pc->pci, DEV_PCI_DEVFN(VGA_DEVICE, 0), emu_machine_pgm(machine),
                    emu_machine_ports(machine), emu_machine_clock(machine), &vga_config, error);
    if (pc->vga == NULL) {
        g_prefix_error(error, "--vga or --vga-rom: ");
        return false;
    }
    dev_i440fx_set_smram_line(pc->bridge, dev_vga_pin_window_taken(pc->vga));
    return true;
}

/* Models of network cards. */
static const char *const nics[] = { "e1000", NULL };

static bool add_nic(DevPc *pc, const DevPcConfig *config, GError **error)
{
    const DevNicConfig nic_config = { .rom = config->nic_rom,
                                      .rom_len = config->nic_rom_len,
                                      .name = config->nic_rom_name };
    /* Interrupt pin A of device 3, as slots are wired on boards with this bridge. */
    EmuLine inta = dev_piix3_pirq_pin(pc->isa, (NIC_DEVICE - 1) % DEV_PIIX3_PIRQS);

    if (config->nic == NULL) {
        return true;
    }
    if (!g_strv_contains(nics, config->nic)) {
        g_autofree char *there = g_strjoinv(", ", (char **)(uintptr_t)nics);

        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "--nic %s: no such network card; there are: %s", config->nic, there);
        return false;
    }
    pc->nic = dev_nic_e1000_new(pc->pci, DEV_PCI_DEVFN(NIC_DEVICE, 0), emu_machine_pgm(pc->machine),
                                emu_machine_ports(pc->machine), inta, &nic_config, error);
    if (pc->nic == NULL) {
        g_prefix_error(error, "--nic %s or --nic-rom: ", config->nic);
        return false;
    }
    return true;
}

DevPc *dev_pc_new(EmuMachine *machine, const DevPcConfig *config, GError **error)
{
    if (!check_config(config, error) || !pc_add_memory(emu_machine_pgm(machine), config, error)) {
        return NULL;
    }

    DevPc *pc = g_new0(DevPc, 1);

    pc->machine = machine;
    if (!add_chipset(pc, error) || !add_timers(pc, config, error) || !add_legacy(pc, error) ||
        !add_ide(pc, config, error) || !add_vga(pc, config, error) || !add_nic(pc, config, error) ||
        !pc_add_fw_cfg(pc, config, error)) {
        free_chips(pc);
        return NULL;
    }
    pc_fill_nvram(pc);
    memcpy(pc->drives, config->drives, sizeof(pc->drives));
    pc_add_resets(pc);
    pc_add_states(pc);
    emu_machine_set_int_ack(machine, dev_i8259_ack, pc->pic);
    emu_machine_on_free(machine, free_board, pc);
    return pc;
}

const char *const *dev_pc_nics(void)
{
    return nics;
}

DevScreen *dev_pc_screen(DevPc *pc)
{
    return pc->vga != NULL ? dev_vga_screen(pc->vga) : NULL;
}

DevTypist *dev_pc_typist(DevPc *pc)
{
    return pc->typist;
}
