/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firmware-fixture.h"

#include "memsys/access.h"

#include <check.h>
#include <string.h>

/* ANSI sequences go, so that text painted in pieces by cursor moves still reads. */
static bool is_text(FirmwarePc *pc, uint8_t byte)
{
    enum { PLAIN, AFTER_ESC, IN_CSI };

    switch (pc->escape) {
    case PLAIN:
        if (byte == 0x1b) {
            pc->escape = AFTER_ESC;
        }
        return byte != 0x1b;
    case AFTER_ESC:
        pc->escape = byte == '[' ? IN_CSI : PLAIN;
        return false;
    default:
        if (byte >= 0x40 && byte <= 0x7e) {
            pc->escape = PLAIN;
        }
        return false;
    }
}

static void on_serial(void *user, const uint8_t *bytes, size_t len)
{
    FirmwarePc *pc = user;

    for (size_t i = 0; i < len; i++) {
        if (!is_text(pc, bytes[i])) {
            continue;
        }
        g_string_append_c(pc->serial, (char)bytes[i]);
        if (pc->until != NULL && g_str_has_suffix(pc->serial->str, pc->until)) {
            emu_machine_stop_soon(pc->machine);
        }
    }
}

static void on_debugcon(void *user, const uint8_t *bytes, size_t len)
{
    g_string_append_len(user, (const char *)bytes, (gssize)len);
}

static EmuMachine *new_machine(const FirmwareOptions *options)
{
    g_autoptr(GError) error = NULL;
    EmuMachineConfig config = { .cpu = options->cpu, .gmm = options->gmm };
    EmuMachine *machine = emu_machine_new(&config, &error);

    ck_assert_msg(machine != NULL, "%s", error ? error->message : "");
    return machine;
}

void firmware_pc_init_with(FirmwarePc *pc, const FirmwareOptions *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) image = emu_file_read(options->bios, 16 << 20, &error);

    ck_assert_msg(image != NULL, "%s (packages seabios, memtest86+ are needed)",
                  error ? error->message : "");
    memset(pc, 0, sizeof(*pc));
    pc->machine = new_machine(options);
    pc->serial = g_string_new(NULL);
    pc->debugcon = g_string_new(NULL);

    DevPcConfig config = { .ram_size = options->ram,
                           .hole_size = options->hole,
                           .bios = g_bytes_get_data(image, NULL),
                           .bios_len = g_bytes_get_size(image),
                           .bios_name = "firmware",
                           .rtc_seconds = 1700000000 };

    if (options->drive != NULL) {
        config.drives[0] = dev_disk_open(options->drive, options->drive_writable, &error);
        ck_assert_msg(config.drives[0] != NULL, "%s", error ? error->message : "");
    }

    g_autoptr(GBytes) vga_rom = NULL;

    if (options->vga_rom != NULL) {
        vga_rom = emu_file_read(options->vga_rom, 64 << 10, &error);
        ck_assert_msg(vga_rom != NULL, "%s (package seabios is needed)",
                      error ? error->message : "");
        config.vga = true;
        config.vga_rom = g_bytes_get_data(vga_rom, &config.vga_rom_len);
    }
    pc->board = dev_pc_new(pc->machine, &config, &error);
    ck_assert_msg(pc->board != NULL, "%s", error ? error->message : "");
    emu_console_add_sink(emu_machine_console(pc->machine, "serial0"), on_serial, pc);
    emu_console_add_sink(emu_machine_console(pc->machine, "debugcon"), on_debugcon, pc->debugcon);
    emu_machine_reset(pc->machine);
}

void firmware_pc_init(FirmwarePc *pc, const char *bios, uint64_t ram)
{
    FirmwareOptions options = { .bios = bios, .ram = ram };

    firmware_pc_init_with(pc, &options);
}

void firmware_pc_load_elf(FirmwarePc *pc, const char *path)
{
    g_autoptr(GError) error = NULL;
    GVirt entry = 0;

    ck_assert_msg(
        emu_load_elf(pc->machine, path, NULL, &entry, &error) &&
            emu_machine_enter_flat32(pc->machine, (uint32_t)entry, 0x90000, 0, 0x1000, &error),
        "%s", error ? error->message : "");
}

const char *firmware_pc_guest_words(const FirmwarePc *pc)
{
    static const char last_of_firmware[] = "Booting from 0000:7c00\n";
    const char *found = strstr(pc->debugcon->str, last_of_firmware);

    return found != NULL ? found + strlen(last_of_firmware) : pc->debugcon->str;
}

void firmware_pc_clear(FirmwarePc *pc)
{
    ck_assert_uint_eq(pgm_verify(emu_machine_pgm(pc->machine), NULL), 0);
    emu_machine_free(pc->machine);
    g_string_free(pc->serial, TRUE);
    g_string_free(pc->debugcon, TRUE);
}

EmuStop firmware_pc_run(FirmwarePc *pc, uint64_t seconds)
{
    return emu_machine_run(pc->machine, seconds * EMU_NS_PER_SECOND);
}

uint64_t firmware_pc_hash(FirmwarePc *pc)
{
    Pgm *pgm = emu_machine_pgm(pc->machine);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (unsigned i = 0; i < pgm_range_count(pgm); i++) {
        PgmRangeInfo info;

        if (!pgm_range_get(pgm, i, &info) || info.kind != PGM_RANGE_RAM) {
            continue;
        }
        for (uint64_t at = 0; at < info.len; at += 8) {
            hash = (hash ^ pgm_read_u64(pgm, info.start + at)) * UINT64_C(0x100000001b3);
        }
    }
    return hash;
}
