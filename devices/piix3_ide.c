/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IDE function. Bus mastering is not offered: the programming interface says so, and the base
 * address of its registers is absent. Both channels are decoded from reset on, as firmware leaves
 * them, so that a kernel started without firmware finds its disks.
 *
 * Source: Intel 82371SB (PIIX3) datasheet, section 2.3 (function 1).
 */
#include "devices/piix3_ide.h"

#define REG_IDETIM 0x40
#define IDETIM_DECODE 0x80u /* bit 15: of the high byte */

struct DevPiix3Ide {
    DevPciFunction pci;
    DevPciBus *bus;
    EmuLine decode[2];
};

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x8086, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, 0x7010, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0000, 0x0005, 0 },
    { DEV_PCI_STATUS, 2, 0x0280, 0, 0x3800 },
    { DEV_PCI_CLASS, 2, 0x0101, 0, 0 },
    { 0x0D, 1, 0x00, 0xF0, 0 }, /* latency timer */
    { REG_IDETIM, 2, 0x8000, 0xF3FF, 0 },
    { REG_IDETIM + 2, 2, 0x8000, 0xF3FF, 0 },
    { 0x44, 1, 0x00, 0xFF, 0 }, /* SIDETIM */
};

static void show_decode(DevPiix3Ide *ide)
{
    for (unsigned i = 0; i < 2; i++) {
        uint8_t high = ide->pci.config[REG_IDETIM + 2 * i + 1];

        emu_line_set(&ide->decode[i], (high & IDETIM_DECODE) != 0);
    }
}

static void written(void *user, unsigned offset, unsigned len)
{
    if (offset < REG_IDETIM + 4 && offset + len > REG_IDETIM) {
        show_decode(user);
    }
}

DevPiix3Ide *dev_piix3_ide_new(DevPciBus *bus, const EmuLine decode[2])
{
    DevPiix3Ide *ide = g_new0(DevPiix3Ide, 1);

    ide->bus = bus;
    ide->decode[0] = decode[0];
    ide->decode[1] = decode[1];
    dev_pci_function_init(&ide->pci, "piix3-ide", regs, G_N_ELEMENTS(regs), written, ide);
    dev_pci_bus_add(bus, DEV_PCI_DEVFN(1, 1), &ide->pci);
    show_decode(ide);
    return ide;
}

void dev_piix3_ide_free(DevPiix3Ide *ide)
{
    if (ide == NULL) {
        return;
    }
    dev_pci_bus_remove(ide->bus, DEV_PCI_DEVFN(1, 1));
    g_free(ide);
}

void dev_piix3_ide_reset(void *user)
{
    DevPiix3Ide *ide = user;

    dev_pci_function_reset(&ide->pci);
    show_decode(ide);
}

void dev_piix3_ide_save(const DevPiix3Ide *ide, GByteArray *out)
{
    dev_pci_function_save(&ide->pci, out);
}

bool dev_piix3_ide_load(DevPiix3Ide *ide, const uint8_t *bytes, size_t len, size_t *pos,
                        GError **error)
{
    if (!dev_pci_function_load(&ide->pci, bytes, len, pos, error)) {
        return false;
    }
    show_decode(ide);
    return true;
}

unsigned dev_piix3_ide_parts(void *user, EmuStatePart *ret_parts)
{
    DevPiix3Ide *ide = user;

    ret_parts[0] = dev_pci_function_part(&ide->pci);
    return 1;
}
