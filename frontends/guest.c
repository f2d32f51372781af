/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that the options of a run describe; see guest.h. Order matters: board, reset, then
 * whatever is loaded into RAM, then the kernel, which sets the CPU.
 */
#include "guest.h"

#include "fail.h"
#include "memsys/rom.h"
#include "saved-options.h"

#include <string.h>

#define OPTION_ROM_NAME 40 /* bytes of a name that are kept */
#define KERNEL_MAX (UINT64_C(1) << 30)

/* Where an ELF kernel finds its first stack and segment table: the last page of low RAM, which
 * images avoid. */
#define FLAT_ESP UINT32_C(0x9F000)
#define FLAT_GDT UINT64_C(0x9F000)

static bool note_inputs(const FeRunOptions *options, FeFiles *files, GError **error)
{
    bool good = options->machine_file == NULL ||
                fe_files_add_input(files, "--machine", options->machine_file, false, error);

    if (good && options->kernel != NULL) {
        good = fe_files_add_input(files, "--kernel", options->kernel, false, error);
    }
    if (good && options->initrd != NULL) {
        good = fe_files_add_input(files, "--initrd", options->initrd, false, error);
    }
    for (unsigned i = 0; good && i < options->loads->len; i++) {
        const FeLoad *load = &g_array_index(options->loads, FeLoad, i);

        good = fe_files_add_input(files, "--load", load->path, false, error);
    }
    for (unsigned i = 0; good && i < options->drives->len; i++) {
        const FeDrive *drive = &g_array_index(options->drives, FeDrive, i);

        good = fe_files_add_input(files, "--drive", drive->path, drive->writable, error);
    }
    return good;
}

static bool open_drives(const FeRunOptions *options, DevPcConfig *config, GError **error)
{
    for (unsigned i = 0; i < options->drives->len; i++) {
        const FeDrive *drive = &g_array_index(options->drives, FeDrive, i);

        config->drives[i] = dev_disk_open(drive->path, drive->writable, error);
        if (config->drives[i] == NULL) {
            g_prefix_error(error, "--drive: ");
            return false;
        }
    }
    return true;
}

/* Reads the image @named, or the distribution's. */
static bool add_rom(FeGuest *guest, FeRomKind kind, unsigned index, const char *named,
                    FeFiles *files, GError **error)
{
    const FeRunOptions *options = guest->options;
    g_autofree char *found = named == NULL ? fe_rom_find(kind, options->nic, error) : NULL;
    const char *path = named != NULL ? named : found;
    FeRomFile *rom =
        path != NULL ? fe_rom_file_new(options, kind, index, path, files, error) : NULL;

    if (rom != NULL) {
        g_ptr_array_add(guest->roms, rom);
    }
    return rom != NULL;
}

static bool add_card_rom(FeGuest *guest, FeRomKind kind, const char *named, FeFiles *files,
                         GError **error)
{
    return g_strcmp0(named, FE_NO_ROM) == 0 || add_rom(guest, kind, 0, named, files, error);
}

static bool read_roms(FeGuest *guest, FeFiles *files, GError **error)
{
    const FeRunOptions *options = guest->options;
    bool good = add_rom(guest, FE_ROM_BIOS, 0, options->bios, files, error);

    if (good && fe_run_options_has_vga(options)) {
        good = add_card_rom(guest, FE_ROM_VGA, options->vga_rom, files, error);
    }
    if (good && options->nic != NULL) {
        good = add_card_rom(guest, FE_ROM_NIC, options->nic_rom, files, error);
    }
    for (unsigned i = 0; good && i < options->option_roms->len; i++) {
        good = add_rom(guest, FE_ROM_OPTION, i, g_ptr_array_index(options->option_roms, i), files,
                       error);
    }
    for (unsigned i = 0; good && i < options->roms->len; i++) {
        good = add_rom(guest, FE_ROM_PLAIN, i, g_array_index(options->roms, FeRom, i).path, files,
                       error);
    }
    return good;
}

/* The first image of its kind; NULL if there is none. */
static const void *rom_bytes(const FeGuest *guest, FeRomKind kind, size_t *ret_len,
                             const char **ret_name)
{
    for (unsigned i = 0; i < guest->roms->len; i++) {
        const FeRomFile *rom = g_ptr_array_index(guest->roms, i);

        if (rom->kind == kind) {
            *ret_name = rom->label;
            return g_bytes_get_data(rom->bytes, ret_len);
        }
    }
    return NULL;
}

/* A ROM of the machine's, where nothing else is. */
static bool put_plain_rom(FeGuest *guest, const FeRomFile *rom, const FeRom *place, GError **error)
{
    size_t len = 0;
    const void *bytes = g_bytes_get_data(rom->bytes, &len);
    uint64_t whole = (len + MEM_PAGE_SIZE - 1) & ~(uint64_t)(MEM_PAGE_SIZE - 1);
    g_autofree char *name = g_path_get_basename(rom->label);
    MemStatus status =
        pgm_rom_register(emu_machine_pgm(guest->machine), place->address, whole, bytes, len, 0xFF,
                         place->shadowed ? PGM_ROM_FLAG_SHADOWED : 0, "rom", name, error);

    if (status != MEM_OK) {
        g_prefix_error(error, "--rom: '%s': ", rom->path);
    }
    return status == MEM_OK;
}

/* A name for the firmware's list that no option ROM has yet; the end of a long one tells more. */
static char *option_rom_name(const FeRomFile *rom, unsigned index)
{
    g_autofree char *base = g_path_get_basename(rom->label);
    size_t len = strlen(base);

    return g_strdup_printf("%u-%s", index + 1,
                           base + (len > OPTION_ROM_NAME ? len - OPTION_ROM_NAME : 0));
}

static bool put_roms(FeGuest *guest, GError **error)
{
    const FeRunOptions *options = guest->options;
    unsigned n_option_roms = 0;
    unsigned n_plain = 0;

    for (unsigned i = 0; i < guest->roms->len; i++) {
        const FeRomFile *rom = g_ptr_array_index(guest->roms, i);
        size_t len = 0;
        const void *bytes = g_bytes_get_data(rom->bytes, &len);

        if (rom->kind == FE_ROM_PLAIN &&
            !put_plain_rom(guest, rom, &g_array_index(options->roms, FeRom, n_plain++), error)) {
            return false;
        }
        if (rom->kind == FE_ROM_OPTION) {
            g_autofree char *name = option_rom_name(rom, n_option_roms++);

            if (!dev_pc_add_option_rom(guest->pc, name, bytes, len, error)) {
                g_prefix_error(error, "--option-rom: '%s': ", rom->path);
                return false;
            }
        }
    }
    return true;
}

static bool build_board(FeGuest *guest, DevPcConfig *board, GError **error)
{
    const FeRunOptions *options = guest->options;
    EmuMachineConfig config = {
        .cpu = options->cpu,
        .clock = options->clock,
        .policy = options->no_overcommit ? GMM_NO_OVERCOMMIT : GMM_OVERCOMMIT,
    };

    guest->machine = emu_machine_new(&config, error);
    if (guest->machine == NULL) {
        return false;
    }
    emu_machine_set_init_continues(guest->machine, options->reset_continues);
    guest->pc = dev_pc_new(guest->machine, board, error);
    if (guest->pc == NULL && error != NULL && *error != NULL &&
        !g_str_has_prefix((*error)->message, "--")) {
        g_prefix_error(error, "--memory: ");
    }
    return guest->pc != NULL;
}

static bool build(FeGuest *guest, GError **error)
{
    const FeRunOptions *options = guest->options;
    const FeRomFile *bios = g_ptr_array_index(guest->roms, 0);
    DevPcConfig board = {
        .ram_size = options->memory,
        .hole_size = options->ram_hole,
        .bios_name = bios->label,
        .rtc_seconds = options->rtc_seconds,
        .vga = fe_run_options_has_vga(options),
        .nic = options->nic,
    };

    board.bios = g_bytes_get_data(bios->bytes, &board.bios_len);
    board.vga_rom = rom_bytes(guest, FE_ROM_VGA, &board.vga_rom_len, &board.vga_rom_name);
    board.nic_rom = rom_bytes(guest, FE_ROM_NIC, &board.nic_rom_len, &board.nic_rom_name);
    if (!open_drives(options, &board, error) || !build_board(guest, &board, error)) {
        for (unsigned i = 0; i < DEV_PC_MAX_DRIVES; i++) {
            dev_disk_free(board.drives[i]);
        }
        return false;
    }
    return put_roms(guest, error);
}

char **fe_guest_saved_options(const FeGuest *guest)
{
    const FeRomFile *bios = g_ptr_array_index(guest->roms, 0);
    char **strings = fe_saved_options_new(guest->options, bios->path);

    for (unsigned i = 0; i < guest->roms->len; i++) {
        strings = fe_saved_options_add_rom(strings, g_ptr_array_index(guest->roms, i));
    }
    return strings;
}

static bool load_elf(FeGuest *guest, GError **error)
{
    const FeRunOptions *options = guest->options;
    GVirt entry = 0;

    if (options->append != NULL || options->initrd != NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "--%s: only a Linux kernel takes it, and '%s' is an ELF file: leave it away",
                    options->append != NULL ? "append" : "initrd", options->kernel);
        return false;
    }
    if (!emu_load_elf(guest->machine, options->kernel, guest->symbols, &entry, error)) {
        g_prefix_error(error, "--kernel: ");
        return false;
    }
    if (entry > UINT32_MAX) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "--kernel: '%s' starts at %" G_GINT64_MODIFIER
                    "X; a kernel starts in 32-bit mode, below 4G",
                    options->kernel, entry);
        return false;
    }
    if (!emu_machine_enter_flat32(guest->machine, (uint32_t)entry, FLAT_ESP, 0, FLAT_GDT, error)) {
        g_prefix_error(error, "--kernel: ");
        return false;
    }
    return true;
}

static bool load_kernel(FeGuest *guest, GError **error)
{
    const FeRunOptions *options = guest->options;
    g_autoptr(GBytes) file = emu_file_read(options->kernel, KERNEL_MAX, error);
    EmuLinuxBoot boot = { options->kernel, options->append, options->initrd };

    if (file == NULL) {
        g_prefix_error(error, "--kernel: ");
        return false;
    }
    if (emu_is_elf(file)) {
        return load_elf(guest, error);
    }
    if (!emu_is_linux(file)) {
        g_set_error(
            error, EMU_ERROR, EMU_ERROR_FILE,
            "--kernel: '%s' is neither an ELF file nor a Linux kernel (x86 boot protocol); a raw "
            "image goes in with --load FILE@ADDRESS or --drive FILE",
            options->kernel);
        return false;
    }
    if (!emu_load_linux(guest->machine, &boot, error)) {
        g_prefix_error(error, "--kernel: ");
        return false;
    }
    return true;
}

bool fe_guest_reset(FeGuest *guest, GError **error)
{
    const FeRunOptions *options = guest->options;

    if (emu_machine_reset(guest->machine) != MEM_OK) {
        return fe_fail(error, "no memory to keep for a snapshot what the reset clears");
    }
    emu_symbols_free(guest->symbols);
    guest->symbols = emu_symbols_new();
    for (unsigned i = 0; i < options->loads->len; i++) {
        const FeLoad *load = &g_array_index(options->loads, FeLoad, i);

        if (!emu_load_raw(guest->machine, load->path, load->address, error)) {
            g_prefix_error(error, "--load: ");
            return false;
        }
    }
    return options->kernel == NULL || load_kernel(guest, error);
}

static void free_rom(void *rom)
{
    fe_rom_file_free(rom);
}

FeGuest *fe_guest_new(const FeRunOptions *options, FeFiles *files, GError **error)
{
    g_autoptr(FeGuest) guest = g_new0(FeGuest, 1);

    guest->options = options;
    guest->roms = g_ptr_array_new_with_free_func(free_rom);
    if (!read_roms(guest, files, error) || !note_inputs(options, files, error) ||
        !build(guest, error) || !fe_guest_reset(guest, error)) {
        return NULL;
    }
    return g_steal_pointer(&guest);
}

void fe_guest_free(FeGuest *guest)
{
    if (guest != NULL) {
        emu_machine_free(guest->machine);
        emu_symbols_free(guest->symbols);
        g_ptr_array_unref(guest->roms);
        g_free(guest);
    }
}
