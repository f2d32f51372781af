/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the PC's firmware runs from and what it is told: its image, RAM, the clock chip's memory,
 * files of the firmware configuration device.
 *
 * Source: what SeaBIOS's documentation says it reads (CMOS, fw_cfg); Intel 440FX datasheet for the
 * places of the image.
 */
#include "devices/pc-internal.h"
#include "devices/rom_image.h"
#include "memsys/mm.h"
#include "memsys/rom.h"

#include <string.h>

#define RAM_DEFAULT (UINT64_C(128) << 20)
/* Up to here the firmware's own SMBIOS tables fit. */
#define RAM_FIRMWARE_TABLES (UINT64_C(8) << 40)
#define BIOS_LOW_LEN ((size_t)128 << 10) /* of its end, below 1 MiB */
#define SHADOW_START UINT64_C(0xC0000)
#define SHADOW_LEN ((size_t)256 << 10)
#define GIB4 (UINT64_C(4) << 30)

#define ROM_MAX_NAME 47

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

bool pc_add_memory(Pgm *pgm, const DevPcConfig *config, GError **error)
{
    uint64_t ram_size = config->ram_size == 0 ? RAM_DEFAULT : config->ram_size;

    if (mm_register_x86(pgm, ram_size, config->hole_size, error) != MEM_OK) {
        g_prefix_error(error, "--memory or --ram-hole: ");
        return false;
    }
    return add_firmware(pgm, config, error);
}

static void set_nvram16(DevPc *pc, unsigned index, uint64_t value)
{
    uint16_t clamped = (uint16_t)MIN(value, UINT16_MAX);

    dev_mc146818_set_nvram(pc->rtc, index, clamped & 0xFF);
    dev_mc146818_set_nvram(pc->rtc, index + 1, clamped >> 8);
}

void pc_fill_nvram(DevPc *pc)
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

bool pc_add_fw_cfg(DevPc *pc, const DevPcConfig *config, GError **error)
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

bool dev_pc_add_fw_cfg_file(DevPc *pc, const char *name, const void *data, size_t len,
                            GError **error)
{
    return dev_fw_cfg_add_file(pc->fw_cfg, name, data, len, error);
}

static bool check_option_rom(const char *name, const uint8_t *image, size_t len, GError **error)
{
    g_autofree char *quoted = g_strdup_printf("option ROM '%s'", name);
    uint8_t sum = 0;

    if (!dev_rom_image_check(image, len, quoted, error)) {
        return false;
    }

    size_t says = dev_rom_image_len(image);

    for (size_t i = 0; i < says; i++) {
        sum = (uint8_t)(sum + image[i]);
    }
    if (sum != 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: its %zu bytes add up to %02x, not 00: firmware would pass over it; "
                    "damaged?",
                    quoted, says, sum);
        return false;
    }
    return true;
}

bool dev_pc_add_option_rom(DevPc *pc, const char *name, const void *data, size_t len,
                           GError **error)
{
    size_t name_len = strlen(name);

    if (name_len == 0 || name_len > ROM_MAX_NAME) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "option ROM '%s': a name of %zu bytes; it has 1 to %u", name, name_len,
                    ROM_MAX_NAME);
        return false;
    }

    g_autofree char *file = g_strconcat("genroms/", name, NULL);

    return check_option_rom(name, data, len, error) &&
           dev_fw_cfg_add_file(pc->fw_cfg, file, data, len, error);
}
