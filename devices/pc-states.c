/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC board's chips as the machine knows them: units of state, and who is reset when.
 */
#include "devices/pc-internal.h"

/* What a snapshot or a saved state holds of the board. Order does not matter to any chip: each is
 * told only after all have their fields and have left what the guest can move. */
void pc_add_states(DevPc *pc)
{
    static const EmuStateUnit units[] = {
        { .name = "pci", .version = 1, .parts = dev_pci_bus_parts },
        { .name = "i440fx", .version = 1, .parts = dev_i440fx_parts, .loaded = dev_i440fx_loaded },
        { .name = "piix3", .version = 1, .parts = dev_piix3_parts },
        { .name = "piix3-ide", .version = 1, .parts = dev_piix3_ide_parts },
        { .name = "piix4-pm",
          .version = 1,
          .parts = dev_piix4_pm_parts,
          .leave = dev_piix4_pm_leave,
          .loaded = dev_piix4_pm_loaded },
        { .name = "i8259", .version = 1, .parts = dev_i8259_parts },
        { .name = "i8254", .version = 1, .parts = dev_i8254_parts },
        { .name = "mc146818", .version = 1, .parts = dev_mc146818_parts },
        { .name = "i8237", .version = 1, .parts = dev_i8237_parts },
        { .name = "i8042", .version = 1, .parts = dev_i8042_parts },
        { .name = "typist",
          .version = 1,
          .parts = dev_typist_parts,
          .resumed = dev_typist_resumed },
        { .name = "port92", .version = 1, .parts = dev_port92_parts },
        { .name = "uart16550", .instance = 0, .version = 1, .parts = dev_uart_parts },
        { .name = "uart16550", .instance = 1, .version = 1, .parts = dev_uart_parts },
        { .name = "fw-cfg", .version = 1, .parts = dev_fw_cfg_parts },
        { .name = "ide", .version = 1, .parts = dev_ide_parts, .check = dev_ide_check },
        { .name = "vga",
          .version = 1,
          .parts = dev_vga_parts,
          .check = dev_vga_check,
          .loaded = dev_vga_loaded },
        { .name = "e1000",
          .version = 1,
          .parts = dev_nic_e1000_parts,
          .leave = dev_nic_e1000_leave,
          .loaded = dev_nic_e1000_loaded },
    };
#define DISK_UNIT(number)                                                          \
    {                                                                              \
        .name = "disk", .instance = (number), .version = 1, .take = dev_disk_take, \
        .restore = dev_disk_restore, .drop = dev_disk_drop, .put = dev_disk_put,   \
        .get = dev_disk_get                                                        \
    }
    static const EmuStateUnit disks[DEV_PC_MAX_DRIVES] = { DISK_UNIT(0), DISK_UNIT(1), DISK_UNIT(2),
                                                           DISK_UNIT(3) };
#undef DISK_UNIT
    void *const chips[] = {
        pc->pci,     pc->bridge,  pc->isa,    pc->ide_function, pc->pm,     pc->pic,
        pc->pit,     pc->rtc,     pc->dma,    pc->kbc,          pc->typist, pc->port92,
        pc->uart[0], pc->uart[1], pc->fw_cfg, pc->ide,          pc->vga,    pc->nic,
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(units) == G_N_ELEMENTS(chips));
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        if (chips[i] != NULL) {
            emu_machine_add_state(pc->machine, &units[i], chips[i]);
        }
    }
    for (unsigned i = 0; i < DEV_PC_MAX_DRIVES; i++) {
        if (pc->drives[i] != NULL) {
            emu_machine_add_state(pc->machine, &disks[i], pc->drives[i]);
        }
    }
}

void pc_add_resets(DevPc *pc)
{
    /* The interrupt controllers last, so that no edge a device makes at reset is kept as a request;
     * channels are decoded again before the drives behind them are reset. */
    const struct {
        EmuResetFunc func;
        void *chip;
    } resets[] = {
        { dev_pci_bus_reset, pc->pci },
        { dev_i440fx_reset, pc->bridge },
        { dev_vga_reset, pc->vga },
        { dev_piix3_reset, pc->isa },
        { dev_piix3_ide_reset, pc->ide_function },
        { dev_piix4_pm_reset, pc->pm },
        { dev_i8254_reset, pc->pit },
        { dev_mc146818_reset, pc->rtc },
        { dev_i8237_reset, pc->dma },
        { dev_i8042_reset, pc->kbc },
        { dev_port92_reset, pc->port92 },
        { dev_uart_reset, pc->uart[0] },
        { dev_uart_reset, pc->uart[1] },
        { dev_ide_reset, pc->ide },
        { dev_fw_cfg_reset, pc->fw_cfg },
        { dev_nic_e1000_reset, pc->nic },
        { dev_i8259_reset, pc->pic },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(resets); i++) {
        if (resets[i].chip != NULL) {
            emu_machine_on_reset(pc->machine, resets[i].func, resets[i].chip);
        }
    }
}
