/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that the options of a run describe; see guest.h. Order matters: board, reset, then
 * whatever is loaded into RAM, then the kernel, which sets the CPU.
 */
#include "guest.h"

#include "fail.h"
#include "memsys/os.h"
#include "saved-options.h"

#include <string.h>

#define BIOS_MAX (UINT64_C(16) << 20)
#define BIOS_UNIT 4096
#define KERNEL_MAX (UINT64_C(1) << 30)

/* Where an ELF kernel finds its first stack and segment table: the last page of low RAM, which
 * images avoid. */
#define FLAT_ESP UINT32_C(0x9F000)
#define FLAT_GDT UINT64_C(0x9F000)

static const char *const bios_places[] = {
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/bios-256k.bin",
    "/usr/share/seabios/bios.bin",
    "/usr/share/qemu/bios.bin",
};

static const char *find_bios(GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(bios_places); i++) {
        struct stat info;

        if (mem_os()->stat(bios_places[i], &info) == 0 && S_ISREG(info.st_mode)) {
            return bios_places[i];
        }
    }
    g_set_error(
        error, EMU_ERROR, EMU_ERROR_FILE,
        "--bios: no SeaBIOS in /usr/share/seabios or /usr/share/qemu; install package seabios "
        "(apt-get install seabios) or name a firmware image");
    return NULL;
}

static GBytes *read_bios(const char *path, GError **error)
{
    GBytes *bios = emu_file_read(path, BIOS_MAX, error);

    if (bios == NULL) {
        g_prefix_error(error, "--bios: ");
        return NULL;
    }
    if (g_bytes_get_size(bios) % BIOS_UNIT != 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "--bios: '%s' has %" G_GSIZE_FORMAT " bytes; a firmware image is a multiple of "
                    "4K (truncated?)",
                    path, g_bytes_get_size(bios));
        g_bytes_unref(bios);
        return NULL;
    }
    return bios;
}

/* The firmware of a restored run: one that is named must be the very same, the state's own may
 * have changed since (what is in ROM comes from the state), but not its size. */
static bool check_bios(const FeRunOptions *options, const char *path, const char *sum,
                       GError **error)
{
    const char *here = NULL;
    const char *there = NULL;
    uint64_t here_size = 0;
    uint64_t there_size = 0;

    if (options->bios_sum == NULL || strcmp(options->bios_sum, sum) == 0) {
        return true;
    }
    bool known = fe_bios_sum_parse(sum, &here_size, &here) &&
                 fe_bios_sum_parse(options->bios_sum, &there_size, &there);
    bool given = (options->given & FE_GIVEN_BIOS) != 0;

    g_assert(known);
    if (here_size != there_size) {
        return fe_fail(error,
                       "--bios: '%s' (%" G_GUINT64_FORMAT
                       " bytes) here, but '%s' (%" G_GUINT64_FORMAT " bytes) in the state '%s': %s",
                       path, here_size, options->bios_label != NULL ? options->bios_label : "?",
                       there_size, options->restore,
                       given ? "leave it away"
                             : "the file has changed: name a copy of the old one");
    }
    return !given || fe_fail(error,
                             "--bios: '%s' (SHA-256 %.12s...) here, but '%s' (SHA-256 %.12s...) "
                             "in the state '%s': leave it away",
                             path, here, options->bios_label != NULL ? options->bios_label : "?",
                             there, options->restore);
}

static bool note_inputs(const FeRunOptions *options, const char *bios, FeFiles *files,
                        GError **error)
{
    bool good = fe_files_add_input(files, "--bios", bios, false, error);

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

static EmuMachine *new_machine(const FeRunOptions *options, DevPcConfig *board, GError **error)
{
    EmuMachineConfig config = {
        .cpu = options->cpu,
        .clock = options->clock,
        .policy = options->no_overcommit ? GMM_NO_OVERCOMMIT : GMM_OVERCOMMIT,
    };
    g_autoptr(EmuMachine) machine = emu_machine_new(&config, error);

    if (machine == NULL) {
        return NULL;
    }
    emu_machine_set_init_continues(machine, options->reset_continues);
    if (dev_pc_new(machine, board, error) == NULL) {
        if (error != NULL && *error != NULL && !g_str_has_prefix((*error)->message, "--")) {
            g_prefix_error(error, "--memory: ");
        }
        return NULL;
    }
    return g_steal_pointer(&machine);
}

static EmuMachine *build(const FeRunOptions *options, const char *bios_name, GBytes *bios,
                         GError **error)
{
    size_t bios_len = 0;
    const void *bios_bytes = g_bytes_get_data(bios, &bios_len);
    /* The same wherever a run is restored. */
    g_autofree char *label = options->bios_label != NULL ? g_strdup(options->bios_label)
                                                         : g_canonicalize_filename(bios_name, NULL);
    DevPcConfig board = {
        .ram_size = options->memory,
        .hole_size = options->ram_hole,
        .bios = bios_bytes,
        .bios_len = bios_len,
        .bios_name = label,
        .rtc_seconds = options->rtc_seconds,
    };
    EmuMachine *machine =
        open_drives(options, &board, error) ? new_machine(options, &board, error) : NULL;

    for (unsigned i = 0; machine == NULL && i < DEV_PC_MAX_DRIVES; i++) {
        dev_disk_free(board.drives[i]);
    }
    return machine;
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

FeGuest *fe_guest_new(const FeRunOptions *options, FeFiles *files, GError **error)
{
    g_autoptr(FeGuest) guest = g_new0(FeGuest, 1);
    const char *bios_name = options->bios != NULL ? options->bios : find_bios(error);

    guest->options = options;
    if (bios_name == NULL || !note_inputs(options, bios_name, files, error)) {
        return NULL;
    }
    guest->bios_name = bios_name;
    guest->bios = read_bios(bios_name, error);
    if (guest->bios == NULL) {
        return NULL;
    }
    g_autofree char *sum = fe_bios_sum(guest->bios);

    if (!check_bios(options, bios_name, sum, error)) {
        return NULL;
    }
    guest->bios_sum =
        options->restore != NULL ? g_strdup(options->bios_sum) : g_steal_pointer(&sum);
    guest->machine = build(options, bios_name, guest->bios, error);
    if (guest->machine == NULL || !fe_guest_reset(guest, error)) {
        return NULL;
    }
    return g_steal_pointer(&guest);
}

void fe_guest_free(FeGuest *guest)
{
    if (guest != NULL) {
        emu_machine_free(guest->machine);
        emu_symbols_free(guest->symbols);
        if (guest->bios != NULL) {
            g_bytes_unref(guest->bios);
        }
        g_free(guest->bios_sum);
        g_free(guest);
    }
}
