/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC board.
 *
 *   00000-9FFFF   RAM
 *   A0000-BFFFF   nothing, or SMRAM while the bridge has it open
 *   C0000-FFFFF   shadowed ROM: FF, at its end the last 128 KiB of the firmware image
 *   100000-       RAM up to the hole below 4 GiB, whose top is the whole firmware image; more RAM
 * from 4 GiB on
 *
 *   ISA chips -> PIIX3 (joins PCI interrupts) -> 8259 pair -> CPU
 *
 * Chips are made in the order they need each other, reset in the order of `resets` and freed last
 * made first.
 *
 * Source: Intel 440FX and PIIX3 datasheets; CMOS and fw_cfg contents: what SeaBIOS's documentation
 * says it reads.
 */
#include "devices/pc.h"

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix3_ide.h"
#include "devices/piix4_pm.h"
#include "devices/port92.h"
#include "devices/uart16550.h"
#include "memsys/mm.h"
#include "memsys/rom.h"

#include <string.h>

#define RAM_DEFAULT (UINT64_C(128) << 20)
/* Up to here the firmware's own SMBIOS tables fit. */
#define RAM_FIRMWARE_TABLES (UINT64_C(8) << 40)
#define BIOS_MAX_LEN ((size_t)16 << 20)
#define BIOS_LOW_LEN ((size_t)128 << 10) /* of its end, below 1 MiB */
#define SHADOW_START UINT64_C(0xC0000)
#define SHADOW_LEN ((size_t)256 << 10)
#define GIB4 (UINT64_C(4) << 30)

struct DevPc {
    EmuMachine *machine;
    DevPciBus *pci;
    DevI440fx *bridge;
    DevI8259 *pic;
    DevPiix3 *isa;
    DevI8254 *pit;
    DevMc146818 *rtc;
    DevI8237 *dma;
    DevPiix4Pm *pm;
    DevI8042 *kbc;
    DevPort92 *port92;
    DevUart *uart[2];
    DevDebugcon *debugcon;
    DevDebugExit *debug_exit;
    DevFwCfg *fw_cfg;
    DevIde *ide;
    DevPiix3Ide *ide_function;
    DevDisk *drives[DEV_PC_MAX_DRIVES]; /* owned once dev_pc_new() succeeds */
};

static void free_chips(DevPc *pc)
{
    dev_piix3_ide_free(pc->ide_function);
    dev_ide_free(pc->ide);
    dev_fw_cfg_free(pc->fw_cfg);
    dev_debug_exit_free(pc->debug_exit);
    dev_debugcon_free(pc->debugcon);
    dev_uart_free(pc->uart[1]);
    dev_uart_free(pc->uart[0]);
    dev_port92_free(pc->port92);
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

/* The whole image below 4 GiB, its end in the middle of shadow RAM below 1 MiB. */
static bool add_firmware(Pgm *pgm, const DevPcConfig *config, GError **error)
{
    const uint8_t *image = config->bios;
    const char *name = config->bios_name != NULL ? config->bios_name : "firmware";
    size_t low_len = MIN(config->bios_len, BIOS_LOW_LEN);
    g_autofree uint8_t *low = g_malloc(SHADOW_LEN);
    g_autofree char *low_name = g_strdup_printf("%s (shadowed)", name);

    memset(low, 0xFF, SHADOW_LEN - low_len);
    memcpy(low + SHADOW_LEN - low_len, image + config->bios_len - low_len, low_len);
    if (pgm_rom_register(pgm, GIB4 - config->bios_len, config->bios_len, image, config->bios_len,
                         0xFF, (PgmRomFlags)0, "pc", name, error) != MEM_OK) {
        g_prefix_error(error, "--bios %s: ", name);
        return false;
    }
    if (pgm_rom_register(pgm, SHADOW_START, SHADOW_LEN, low, SHADOW_LEN, 0xFF,
                         PGM_ROM_FLAG_SHADOWED, "pc", low_name, error) != MEM_OK) {
        g_prefix_error(error, "--bios %s: ", name);
        return false;
    }
    return true;
}

static bool add_memory(Pgm *pgm, const DevPcConfig *config, GError **error)
{
    uint64_t ram_size = config->ram_size == 0 ? RAM_DEFAULT : config->ram_size;

    if (mm_register_x86(pgm, ram_size, config->hole_size, error) != MEM_OK) {
        g_prefix_error(error, "--memory or --ram-hole: ");
        return false;
    }
    return add_firmware(pgm, config, error);
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

static void set_nvram16(DevPc *pc, unsigned index, uint64_t value)
{
    uint16_t clamped = (uint16_t)MIN(value, UINT16_MAX);

    dev_mc146818_set_nvram(pc->rtc, index, clamped & 0xFF);
    dev_mc146818_set_nvram(pc->rtc, index + 1, clamped >> 8);
}

static void fill_nvram(DevPc *pc)
{
    MmRam ram;

    mm_get_ram(emu_machine_pgm(pc->machine), &ram);

    uint64_t kib = ram.below_4g >> 10;
    uint64_t above_1m = kib > 1024 ? kib - 1024 : 0;
    uint64_t above_16m = kib > 16384 ? (kib - 16384) / 64 : 0;
    uint64_t above_4g = MIN(ram.above_4g >> 16, 0xFFFFFF);

    set_nvram16(pc, 0x15, MIN(kib, 640)); /* base memory, KiB */
    set_nvram16(pc, 0x17, above_1m);      /* extended, KiB; twice */
    set_nvram16(pc, 0x30, above_1m);
    set_nvram16(pc, 0x34, above_16m); /* above 16 MiB, 64 KiB */
    set_nvram16(pc, 0x5B, above_4g & 0xFFFF);
    dev_mc146818_set_nvram(pc->rtc, 0x5D, (uint8_t)(above_4g >> 16));
    dev_mc146818_set_nvram(pc->rtc, 0x14, 0x06); /* equipment: coprocessor, pointing device */
    /* Boot order: hard disk, floppy, CD; no search for a signature on floppies. */
    dev_mc146818_set_nvram(pc->rtc, 0x38, 0x31);
    dev_mc146818_set_nvram(pc->rtc, 0x3D, 0x12);
}

/* RAM as the guest's firmware should report it; neighbouring ranges as one. */
static bool add_e820(DevPc *pc, GError **error)
{
    Pgm *pgm = emu_machine_pgm(pc->machine);
    DevE820Entry entries[MM_X86_MAX_REGIONS];
    unsigned n = 0;
    PgmRangeInfo info;

    for (unsigned i = 0; pgm_range_get(pgm, i, &info); i++) {
        if (info.kind != PGM_RANGE_RAM) {
            continue;
        }
        if (n > 0 && entries[n - 1].start + entries[n - 1].len == info.start) {
            entries[n - 1].len += info.len;
        } else {
            g_assert(n < G_N_ELEMENTS(entries));
            entries[n++] = (DevE820Entry) { info.start, info.len, DEV_E820_RAM };
        }
    }
    return dev_fw_cfg_add_e820(pc->fw_cfg, entries, n, error);
}

/* Open Firmware paths of the drives that are there, one a line, in SeaBIOS's spelling. */
static bool add_boot_order(DevPc *pc, const DevPcConfig *config, GError **error)
{
    g_autoptr(GString) order = g_string_new(NULL);

    for (unsigned i = 0; i < DEV_PC_MAX_DRIVES; i++) {
        if (config->drives[i] != NULL) {
            g_string_append_printf(order, "/pci@i0cf8/ide@1,1/drive@%u/disk@%u\n", i / 2, i % 2);
        }
    }
    if (order->len == 0) {
        return true;
    }
    return dev_fw_cfg_add_file(pc->fw_cfg, "bootorder", order->str, order->len + 1, error);
}

/*
 * SMBIOS tables that say nothing. Left to itself, firmware makes its own with an entry for each 16
 * GiB, and SeaBIOS writes past the end of its 32 KiB for them from some 10 TiB on. It fills in
 * address and sums.
 */
static bool add_small_smbios(DevPc *pc, GError **error)
{
    static const uint8_t tables[] = { 127, 4, 0, 0, 0, 0 }; /* end of table */
    static const uint8_t anchor[31] = {
        '_', 'S', 'M',  '_', 0,   31,       /* length of the anchor */
        2,   8,                             /* version */
        6,   0,                             /* longest structure */
        0,   0,   0,    0,   0,   0,        /* version of the anchor itself; reserved */
        '_', 'D', 'M',  'I', '_', 0,  6, 0, /* length of the tables */
        0,   0,   0,    0,                  /* address */
        1,   0,   0x28,                     /* one structure; version again */
    };

    return dev_fw_cfg_add_file(pc->fw_cfg, "etc/smbios/smbios-anchor", anchor, sizeof(anchor),
                               error) &&
           dev_fw_cfg_add_file(pc->fw_cfg, "etc/smbios/smbios-tables", tables, sizeof(tables),
                               error);
}

static bool add_fw_cfg(DevPc *pc, const DevPcConfig *config, GError **error)
{
    static const uint8_t sercon_port[2] = { 0xF8, 0x03 };
    static const uint8_t no_wait[4] = { 0 };
    DevFwCfgConfig fw_cfg_config = { .n_cpus = 1 };
    MmRam ram;

    mm_get_ram(emu_machine_pgm(pc->machine), &ram);
    fw_cfg_config.ram_size = ram.size;
    pc->fw_cfg = dev_fw_cfg_new(emu_machine_ports(pc->machine), &fw_cfg_config, error);
    return pc->fw_cfg != NULL && add_e820(pc, error) && add_boot_order(pc, config, error) &&
           (ram.size <= RAM_FIRMWARE_TABLES || add_small_smbios(pc, error)) &&
           dev_fw_cfg_add_file(pc->fw_cfg, "etc/sercon-port", sercon_port, sizeof(sercon_port),
                               error) &&
           dev_fw_cfg_add_file(pc->fw_cfg, "etc/boot-fail-wait", no_wait, sizeof(no_wait), error);
}

/* What a snapshot or a saved state holds of the board. Order does not matter to any chip: each is
 * told only after all have their fields. */
static void add_states(DevPc *pc)
{
    static const EmuStateUnit units[] = {
        { .name = "pci", .version = 1, .parts = dev_pci_bus_parts },
        { .name = "i440fx", .version = 1, .parts = dev_i440fx_parts, .loaded = dev_i440fx_loaded },
        { .name = "piix3", .version = 1, .parts = dev_piix3_parts },
        { .name = "piix3-ide", .version = 1, .parts = dev_piix3_ide_parts },
        { .name = "piix4-pm",
          .version = 1,
          .parts = dev_piix4_pm_parts,
          .loaded = dev_piix4_pm_loaded },
        { .name = "i8259", .version = 1, .parts = dev_i8259_parts },
        { .name = "i8254", .version = 1, .parts = dev_i8254_parts },
        { .name = "mc146818", .version = 1, .parts = dev_mc146818_parts },
        { .name = "i8237", .version = 1, .parts = dev_i8237_parts },
        { .name = "i8042", .version = 1, .parts = dev_i8042_parts },
        { .name = "port92", .version = 1, .parts = dev_port92_parts },
        { .name = "uart16550", .instance = 0, .version = 1, .parts = dev_uart_parts },
        { .name = "uart16550", .instance = 1, .version = 1, .parts = dev_uart_parts },
        { .name = "fw-cfg", .version = 1, .parts = dev_fw_cfg_parts },
        { .name = "ide", .version = 1, .parts = dev_ide_parts, .check = dev_ide_check },
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
        pc->pci,    pc->bridge,  pc->isa,     pc->ide_function, pc->pm,
        pc->pic,    pc->pit,     pc->rtc,     pc->dma,          pc->kbc,
        pc->port92, pc->uart[0], pc->uart[1], pc->fw_cfg,       pc->ide,
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(units) == G_N_ELEMENTS(chips));
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        emu_machine_add_state(pc->machine, &units[i], chips[i]);
    }
    for (unsigned i = 0; i < DEV_PC_MAX_DRIVES; i++) {
        if (pc->drives[i] != NULL) {
            emu_machine_add_state(pc->machine, &disks[i], pc->drives[i]);
        }
    }
}

static void hook_up(DevPc *pc)
{
    /* The interrupt controllers last, so that no edge a device makes at reset is kept as a request;
     * channels are decoded again before the drives behind them are reset. */
    const struct {
        EmuResetFunc func;
        void *chip;
    } resets[] = {
        { dev_pci_bus_reset, pc->pci },  { dev_i440fx_reset, pc->bridge },
        { dev_piix3_reset, pc->isa },    { dev_piix3_ide_reset, pc->ide_function },
        { dev_piix4_pm_reset, pc->pm },  { dev_i8254_reset, pc->pit },
        { dev_mc146818_reset, pc->rtc }, { dev_i8237_reset, pc->dma },
        { dev_i8042_reset, pc->kbc },    { dev_port92_reset, pc->port92 },
        { dev_uart_reset, pc->uart[0] }, { dev_uart_reset, pc->uart[1] },
        { dev_ide_reset, pc->ide },      { dev_fw_cfg_reset, pc->fw_cfg },
        { dev_i8259_reset, pc->pic },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(resets); i++) {
        emu_machine_on_reset(pc->machine, resets[i].func, resets[i].chip);
    }
    emu_machine_set_int_ack(pc->machine, dev_i8259_ack, pc->pic);
    emu_machine_on_free(pc->machine, free_board, pc);
}

DevPc *dev_pc_new(EmuMachine *machine, const DevPcConfig *config, GError **error)
{
    if (!check_config(config, error) || !add_memory(emu_machine_pgm(machine), config, error)) {
        return NULL;
    }

    DevPc *pc = g_new0(DevPc, 1);

    pc->machine = machine;
    if (!add_chipset(pc, error) || !add_timers(pc, config, error) || !add_legacy(pc, error) ||
        !add_ide(pc, config, error) || !add_fw_cfg(pc, config, error)) {
        free_chips(pc);
        return NULL;
    }
    fill_nvram(pc);
    memcpy(pc->drives, config->drives, sizeof(pc->drives));
    hook_up(pc);
    add_states(pc);
    return pc;
}

bool dev_pc_add_fw_cfg_file(DevPc *pc, const char *name, const void *data, size_t len,
                            GError **error)
{
    return dev_fw_cfg_add_file(pc->fw_cfg, name, data, len, error);
}
