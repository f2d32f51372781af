/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of `quire run` that say what the machine is made of and what is put into it.
 */
#include "fail.h"
#include "memsys/mm.h"
#include "run-options-internal.h"

#include <string.h>

bool fe_is_machine_file(const char *machine)
{
    return strchr(machine, '/') != NULL || g_str_has_suffix(machine, ".ini");
}

static bool set_machine(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    if (fe_is_machine_file(value)) {
        options->machine_file = g_strdup(value);
        return true;
    }
    if (strcmp(value, "help") == 0) {
        options->asked = FE_ASKED_MACHINES;
        return true;
    }
    return strcmp(value, "pc") == 0 ||
           fe_fail(error,
                   "there is no machine '%s': say pc, help for a list, or a machine file, which "
                   "ends in .ini",
                   value);
}

static bool set_memory(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;
    uint64_t bytes = 0;

    if (!fe_parse_size(value, &bytes, error)) {
        return false;
    }
    if (bytes == 0) {
        return fe_fail(error, "a machine needs memory: say for example 128M");
    }
    if (bytes > MM_RAM_MAX) {
        return fe_fail(error, "%s is more than a machine can have: at most 16T", value);
    }
    if (bytes % MEM_PAGE_SIZE != 0) {
        return fe_fail(error, "%s is no multiple of a page: say a multiple of 4K", value);
    }
    options->memory = bytes;
    options->given |= FE_GIVEN_MEMORY;
    return true;
}

static bool set_ram_hole(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;
    uint64_t bytes = 0;

    if (!fe_parse_size(value, &bytes, error)) {
        return false;
    }
    if (bytes <= MM_HOLE_ABOVE || bytes > MM_HOLE_MAX || bytes % MM_HOLE_UNIT != 0) {
        return fe_fail(error, "%s does not fit: more than 16M, at most 4032M, a multiple of 4M",
                       value);
    }
    options->ram_hole = bytes;
    return true;
}

static bool set_no_overcommit(void *target, G_GNUC_UNUSED const char *value,
                              G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->no_overcommit = true;
    return true;
}

static bool set_cpu(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    if (strcmp(value, "help") == 0) {
        options->asked = FE_ASKED_CPUS;
        return true;
    }
    for (const EmuCpuModel *model = emu_cpu_models(); model->name != NULL; model++) {
        if (strcmp(model->name, value) == 0) {
            options->cpu = g_strdup(value);
            return true;
        }
    }
    return fe_fail(error, "there is no CPU model '%s': --cpu help lists them", value);
}

static bool set_clock(void *target, const char *value, GError **error)
{
    bool host = strcmp(value, "host") == 0;

    if (!host && strcmp(value, "virtual") != 0) {
        return fe_fail(error, "there is no clock '%s': say virtual or host", value);
    }
    ((FeRunOptions *)target)->clock = host ? EMU_CLOCK_HOST : EMU_CLOCK_VIRTUAL;
    ((FeRunOptions *)target)->given |= FE_GIVEN_CLOCK;
    return true;
}

static bool set_rtc(void *target, const char *value, GError **error)
{
    ((FeRunOptions *)target)->given |= FE_GIVEN_RTC;
    return fe_parse_date(value, &((FeRunOptions *)target)->rtc_seconds, error);
}

static bool set_bios(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->bios = fe_run_options_path(target, value);
    ((FeRunOptions *)target)->given |= FE_GIVEN_BIOS;
    return true;
}

static bool set_kernel(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->kernel = fe_run_options_path(target, value);
    return true;
}

static bool set_append(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->append = g_strdup(value);
    return true;
}

static bool set_initrd(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->initrd = fe_run_options_path(target, value);
    return true;
}

static bool set_drive(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;
    FeDrive drive = { NULL, false };

    if (options->drives->len == DEV_PC_MAX_DRIVES) {
        return fe_fail(error, "there is room for %u disks: leave '%s' away", DEV_PC_MAX_DRIVES,
                       value);
    }
    if (!fe_parse_drive(value, &drive.path, &drive.writable, error)) {
        return false;
    }
    fe_run_options_take_path(options, &drive.path);
    g_array_append_val(options->drives, drive);
    return true;
}

static bool set_load(void *target, const char *value, GError **error)
{
    FeLoad load = { NULL, 0 };

    if (!fe_parse_file_at_address(value, &load.path, &load.address, error)) {
        return false;
    }
    fe_run_options_take_path(target, &load.path);
    g_array_append_val(((FeRunOptions *)target)->loads, load);
    return true;
}

static bool set_vga(void *target, const char *value, GError **error)
{
    bool none = strcmp(value, "none") == 0;

    if (!none && strcmp(value, "std") != 0) {
        return fe_fail(error, "there is no VGA '%s': say std or none", value);
    }
    ((FeRunOptions *)target)->vga = none ? FE_VGA_NONE : FE_VGA_STD;
    return true;
}

static char *card_rom(const FeRunOptions *options, const char *value)
{
    return strcmp(value, FE_NO_ROM) == 0 ? g_strdup(value) : fe_run_options_path(options, value);
}

static bool set_vga_rom(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->vga_rom = card_rom(target, value);
    return true;
}

static bool set_nic(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    options->given |= FE_GIVEN_NIC;
    if (strcmp(value, FE_NO_ROM) == 0) {
        return true;
    }
    if (!g_strv_contains(dev_pc_nics(), value)) {
        g_autofree char *models = g_strjoinv(", ", (char **)(uintptr_t)dev_pc_nics());

        return fe_fail(error, "there is no network card '%s': say %s or none", value, models);
    }
    options->nic = g_strdup(value);
    return true;
}

static bool set_nic_rom(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->nic_rom = card_rom(target, value);
    return true;
}

static bool set_option_rom(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    g_ptr_array_add(((FeRunOptions *)target)->option_roms, fe_run_options_path(target, value));
    return true;
}

/* FILE@ADDRESS, perhaps with a protection behind it. */
static bool set_rom(void *target, const char *value, GError **error)
{
    const char *comma = strrchr(value, ',');
    bool shadowed = g_strcmp0(comma, ",shadowed") == 0;
    g_autofree char *place = shadowed || g_strcmp0(comma, ",read-only") == 0
                                 ? g_strndup(value, (size_t)(comma - value))
                                 : g_strdup(value);
    FeRom rom = { NULL, 0, shadowed };

    if (!fe_parse_file_at_address(place, &rom.path, &rom.address, error)) {
        return false;
    }
    if (rom.address % MEM_PAGE_SIZE != 0) {
        g_free(rom.path);
        return fe_fail(error, "'%s' does not begin at a page: say a multiple of 1000", value);
    }
    fe_run_options_take_path(target, &rom.path);
    g_array_append_val(((FeRunOptions *)target)->roms, rom);
    return true;
}

static bool set_print_machine(void *target, G_GNUC_UNUSED const char *value,
                              G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->asked = FE_ASKED_PRINT_MACHINE;
    return true;
}

const FeOption fe_machine_options[] = {
    FE_ONE("machine", "NAME|FILE.ini", "pc",
           "the board: pc (default); help lists them; or a machine file, in\n"
           "which any of these options can be",
           "Machine", set_machine),
    FE_FLAG("print-machine", "print this machine as a machine file, and do not start it", NULL,
            set_print_machine),
    FE_ONE("memory", "SIZE", "128M", "RAM (default 128M)", NULL, set_memory),
    FE_ONE("ram-hole", "SIZE", "1G", "room for devices below 4G (default 512M)", NULL,
           set_ram_hole),
    FE_FLAG("no-overcommit", "refuse to start unless the host has memory for all of the RAM", NULL,
            set_no_overcommit),
    FE_ONE("cpu", "MODEL", EMU_CPU_DEFAULT,
           "the processor (default " EMU_CPU_DEFAULT "); help lists them", NULL, set_cpu),
    FE_ONE("clock", "virtual|host", "virtual",
           "guest time follows the code that ran, so that runs repeat exactly\n"
           "(virtual, default), or the host's time",
           NULL, set_clock),
    FE_ONE("rtc", "DATE", "2026-01-31",
           "UTC date, or date and time, at power-on (default 2000-01-01)", NULL, set_rtc),
    FE_ONE("vga", "std|none", "std",
           "a standard VGA (default none, unless a --screen option looks at it)", NULL, set_vga),
    FE_ONE("vga-rom", "FILE|none", "vgabios.bin",
           "the VGA's video BIOS (default: the distribution's)", NULL, set_vga_rom),
    FE_ONE("nic", "MODEL|none", "e1000",
           "a network card without a network, for its option ROM (default none)", NULL, set_nic),
    FE_ONE("nic-rom", "FILE|none", "card.rom",
           "the network card's option ROM (default: the distribution's iPXE)", NULL, set_nic_rom),
    FE_ONE("bios", "FILE", "bios.bin", "firmware image (default: the distribution's SeaBIOS)",
           "What it runs", set_bios),
    FE_MANY("option-rom", "FILE", "hello.rom",
            "an option ROM of no card that the firmware runs, as often as\n"
            "wanted",
            NULL, set_option_rom),
    FE_MANY("rom", "FILE@ADDRESS[,shadowed]", "boot.rom@D0000000",
            "a ROM of the machine, at a free address or over RAM; shadowed has\n"
            "RAM behind it; as often as wanted",
            NULL, set_rom),
    FE_ONE("kernel", "FILE", "vmlinuz",
           "start this instead of the firmware: a Linux kernel or an ELF file", NULL, set_kernel),
    FE_ONE("append", "TEXT", "'console=ttyS0'", "command line of a Linux kernel", NULL, set_append),
    FE_ONE("initrd", "FILE", "initrd.img", "initial RAM disk of a Linux kernel", NULL, set_initrd),
    FE_MANY("drive", "FILE[,rw]", "disk.img",
            "hard disk from a raw image, up to four; what the guest writes is\n"
            "dropped at the end unless rw is given",
            NULL, set_drive),
    FE_MANY("load", "FILE@ADDRESS", "image.bin@100000", "put a file into RAM, as often as wanted",
            NULL, set_load),
    { 0 },
};
