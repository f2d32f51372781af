/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge.
 *
 * PAM: two bits for each of thirteen regions. RE sends reads to DRAM, else they reach the ROM; WE
 * sends writes to DRAM, else they are lost. A register holds two regions, low nibble first; PAM0
 * only the high one.
 *
 * SMRAM: DRAM behind A0000 to BFFFF. It shows while the window is enabled and open and data may go
 * there; D_LCK makes the register read-only until reset and closes the window. There is no system
 * management mode that would see it otherwise.
 *
 * Source: Intel 82441FX (440FX PMC) datasheet, sections 3.2.16 (PAM) and 3.2.23 (SMRAM).
 */
#include "devices/i440fx.h"

#include "devices/clear_memory.h"
#include "memsys/mmio2.h"
#include "memsys/planted.h"
#include "memsys/rom.h"

#define REG_PAM0 0x59
#define N_PAM_REGS 7
#define PAM_READ 1u
#define PAM_WRITE 2u

#define REG_SMRAM 0x72
#define SMRAM_OPEN 0x40u
#define SMRAM_CLOSED 0x20u
#define SMRAM_LOCKED 0x10u
#define SMRAM_ENABLE 0x08u
#define SMRAM_BASE 0x02u     /* C_BASE_SEG, fixed: A0000 */
#define SMRAM_WRITABLE 0x78u /* until it is locked */
#define SMRAM_START UINT64_C(0xA0000)
#define SMRAM_LEN UINT64_C(0x20000)

struct DevI440fx {
    DevPciFunction pci;
    DevPciBus *bus;
    Pgm *pgm;
    PgmMmio2 *smram;
    EmuLine smram_line; /* somebody else's window lies at the same place */
};

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x8086, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, 0x1237, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0006, 0x0100, 0 }, /* memory and master are always on */
    { DEV_PCI_STATUS, 2, 0x0280, 0, 0xF900 },
    { DEV_PCI_REVISION, 1, 0x02, 0, 0 },
    { DEV_PCI_CLASS, 2, 0x0600, 0, 0 },
    { 0x0D, 1, 0x00, 0xF8, 0 }, /* latency timer */
    /* The subsystem by which firmware recognises that it runs on an emulator of QEMU's kind. */
    { DEV_PCI_SUBSYSTEM_VENDOR_ID, 2, 0x1AF4, 0, 0 },
    { DEV_PCI_SUBSYSTEM_ID, 2, 0x1100, 0, 0 },
    { 0x50, 2, 0x0000, 0xFFF8, 0 }, /* PMCCFG */
    { 0x52, 1, 0x00, 0x41, 0 },     /* DETURBO */
    { 0x53, 1, 0x80, 0xE7, 0 },     /* DBC */
    { 0x54, 1, 0x00, 0xFF, 0 },     /* AXC */
    { 0x55, 2, 0x0000, 0xFFFF, 0 }, /* DRT */
    { 0x57, 1, 0x01, 0xFF, 0 },     /* DRAMC */
    { 0x58, 1, 0x10, 0xFF, 0 },     /* DRAMT */
    { REG_PAM0 + 0, 1, 0x00, 0x70, 0 },
    { REG_PAM0 + 1, 1, 0x00, 0x77, 0 },
    { REG_PAM0 + 2, 1, 0x00, 0x77, 0 },
    { REG_PAM0 + 3, 1, 0x00, 0x77, 0 },
    { REG_PAM0 + 4, 1, 0x00, 0x77, 0 },
    { REG_PAM0 + 5, 1, 0x00, 0x77, 0 },
    { REG_PAM0 + 6, 1, 0x00, 0x77, 0 },
    { 0x60, 4, 0x01010101, 0xFFFFFFFF, 0 }, /* DRB */
    { 0x64, 4, 0x01010101, 0xFFFFFFFF, 0 },
    { 0x68, 1, 0x00, 0xC0, 0 }, /* FDHC */
    { 0x70, 1, 0x00, 0xF8, 0 }, /* MTT */
    { 0x71, 1, 0x10, 0xF8, 0 }, /* CLT */
    { REG_SMRAM, 1, SMRAM_BASE, SMRAM_WRITABLE, 0 },
    { 0x90, 1, 0x00, 0xF7, 0 }, /* ERRCMD */
    { 0x91, 1, 0x00, 0, 0x7F }, /* ERRSTS */
    { 0x93, 1, 0x00, 0x07, 0 }, /* TRC */
};

/* By RE | WE << 1. */
static const PgmRomProt prot_of_bits[] = {
    [0] = PGM_ROM_READ_ROM_WRITE_IGNORE,
    [PAM_READ] = PGM_ROM_READ_RAM_WRITE_IGNORE,
    [PAM_WRITE] = PGM_ROM_READ_ROM_WRITE_RAM,
    [PAM_READ | PAM_WRITE] = PGM_ROM_READ_RAM_WRITE_RAM,
};

static void set_region(DevI440fx *bridge, GPhys start, uint64_t len, unsigned nibble)
{
    MemStatus status = pgm_rom_protect(bridge->pgm, start, len, prot_of_bits[nibble & 3]);

    g_assert(status == MEM_OK); /* the arguments are ours */
}

/* Pages that have their protection already cost nothing. */
static void apply_pam(DevI440fx *bridge, unsigned index)
{
    uint8_t value = bridge->pci.config[REG_PAM0 + index];

    if (index == 0) {
        set_region(bridge, 0xF0000, 0x10000, value >> 4);
        return;
    }

    GPhys start = 0xC0000 + (GPhys)(index - 1) * 0x8000;

    set_region(bridge, start, 0x4000, value);
    set_region(bridge, start + 0x4000, 0x4000, value >> 4);
}

static void apply_smram(DevI440fx *bridge)
{
    unsigned bits = bridge->pci.config[REG_SMRAM];
    bool visible = (bits & (SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCKED | SMRAM_ENABLE)) ==
                   (SMRAM_OPEN | SMRAM_ENABLE);
    bool mapped = pgm_mmio2_address(bridge->smram) != MEM_GPHYS_NIL;

    if (visible && !mapped) {
        emu_line_set(&bridge->smram_line, true);
        mapped = pgm_mmio2_map(bridge->smram, SMRAM_START, NULL) == MEM_OK;
    } else if (!visible && mapped) {
        mapped = pgm_mmio2_unmap(bridge->smram) != MEM_OK;
    }
    /* Not mapped though visible: something lies there that does not hear of the line. It stays. */
    if (!mapped) {
        emu_line_set(&bridge->smram_line, false);
    }
}

static void apply_all(DevI440fx *bridge)
{
    for (unsigned i = 0; i < N_PAM_REGS; i++) {
        apply_pam(bridge, i);
    }
    apply_smram(bridge);
}

static void smram_written(DevI440fx *bridge)
{
    uint8_t *value = &bridge->pci.config[REG_SMRAM];

    if ((*value & SMRAM_LOCKED) != 0) {
        *value &= (uint8_t)~SMRAM_OPEN;
        bridge->pci.writable[REG_SMRAM] = 0;
    }
    apply_smram(bridge);
}

static void written(void *user, unsigned offset, unsigned len)
{
    DevI440fx *bridge = user;

    for (unsigned at = offset; at < offset + len; at++) {
        if (at >= REG_PAM0 && at < REG_PAM0 + QUIRE_PLANTED(pci, N_PAM_REGS, N_PAM_REGS - 1)) {
            apply_pam(bridge, at - REG_PAM0);
        } else if (at == REG_SMRAM) {
            smram_written(bridge);
        }
    }
}

DevI440fx *dev_i440fx_new(DevPciBus *bus, Pgm *pgm, GError **error)
{
    PgmMmio2 *smram = pgm_mmio2_new(pgm, "i440fx", 0, SMRAM_LEN, false, "SMRAM", error);

    if (smram == NULL) {
        return NULL;
    }

    DevI440fx *bridge = g_new0(DevI440fx, 1);

    bridge->bus = bus;
    bridge->pgm = pgm;
    bridge->smram = smram;
    dev_pci_function_init(&bridge->pci, "i440fx", regs, G_N_ELEMENTS(regs), written, bridge);
    dev_pci_bus_add(bus, DEV_PCI_DEVFN(0, 0), &bridge->pci);
    apply_all(bridge);
    return bridge;
}

void dev_i440fx_set_smram_line(DevI440fx *bridge, EmuLine line)
{
    bridge->smram_line = line;
    emu_line_set(&line, pgm_mmio2_address(bridge->smram) != MEM_GPHYS_NIL);
}

void dev_i440fx_free(DevI440fx *bridge)
{
    if (bridge == NULL) {
        return;
    }
    dev_pci_bus_remove(bridge->bus, DEV_PCI_DEVFN(0, 0));
    pgm_mmio2_free(bridge->smram);
    g_free(bridge);
}

void dev_i440fx_reset(void *user)
{
    DevI440fx *bridge = user;

    bridge->pci.writable[REG_SMRAM] = SMRAM_WRITABLE;
    dev_pci_function_reset(&bridge->pci);
    apply_all(bridge);
    dev_clear_memory(bridge->smram, SMRAM_LEN);
}

void dev_i440fx_save(const DevI440fx *bridge, GByteArray *out)
{
    dev_pci_function_save(&bridge->pci, out);
}

bool dev_i440fx_load(DevI440fx *bridge, const uint8_t *bytes, size_t len, size_t *pos,
                     GError **error)
{
    uint8_t writable = bridge->pci.writable[REG_SMRAM];

    /* The loaded register may be locked or not, whatever this one is. */
    bridge->pci.writable[REG_SMRAM] = SMRAM_WRITABLE;
    if (!dev_pci_function_load(&bridge->pci, bytes, len, pos, error)) {
        bridge->pci.writable[REG_SMRAM] = writable;
        return false;
    }
    smram_written(bridge);
    apply_all(bridge);
    return true;
}

/* The register of a file may be locked or not, whatever this one is. */
static void open_smram_register(void *copy)
{
    DevPciFunction *function = copy;

    function->writable[REG_SMRAM] = SMRAM_WRITABLE;
}

unsigned dev_i440fx_parts(void *user, EmuStatePart *ret_parts)
{
    DevI440fx *bridge = user;

    ret_parts[0] = dev_pci_function_part(&bridge->pci);
    ret_parts[0].ready = open_smram_register;
    return 1;
}

/* What the registers show of memory is memory's to put back. */
void dev_i440fx_loaded(void *user)
{
    DevI440fx *bridge = user;
    bool locked = (bridge->pci.config[REG_SMRAM] & SMRAM_LOCKED) != 0;

    bridge->pci.writable[REG_SMRAM] = locked ? 0 : SMRAM_WRITABLE;
}
