/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The images in a machine's ROMs; see rom-files.h.
 */
#include "rom-files.h"

#include "devices/rom_image.h"
#include "emu/error.h"
#include "emu/loader.h"
#include "fail.h"
#include "memsys/os.h"

#include <string.h>

#define BIOS_MAX (UINT64_C(16) << 20)
#define OPTION_ROM_MAX (UINT64_C(1) << 20)
#define PLAIN_MAX (UINT64_C(256) << 20)
#define BIOS_UNIT 4096
#define DIGEST_CHARS 64

typedef struct Kind {
    const char *option;
    uint64_t max_len;
    const char *what;
    const char *folders;
    const char *package;
    const char *places[4]; /* where the distribution has it; %s is the model */
} Kind;

static const Kind kinds[FE_N_ROM_KINDS] = {
    [FE_ROM_BIOS] = { "bios",
                      BIOS_MAX,
                      "SeaBIOS",
                      "/usr/share/seabios or /usr/share/qemu",
                      "seabios",
                      { "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin",
                        "/usr/share/seabios/bios.bin", "/usr/share/qemu/bios.bin" } },
    [FE_ROM_VGA] = { "vga-rom",
                     OPTION_ROM_MAX,
                     "vgabios-stdvga.bin",
                     "/usr/share/seabios or /usr/share/qemu",
                     "seabios",
                     { "/usr/share/seabios/vgabios-stdvga.bin",
                       "/usr/share/qemu/vgabios-stdvga.bin" } },
    [FE_ROM_NIC] = { "nic-rom",
                     OPTION_ROM_MAX,
                     "iPXE for this card",
                     "/usr/lib/ipxe/qemu or /usr/share/qemu",
                     "ipxe-qemu",
                     { "/usr/lib/ipxe/qemu/pxe-%s.rom", "/usr/share/qemu/pxe-%s.rom" } },
    [FE_ROM_OPTION] = { .option = "option-rom", .max_len = OPTION_ROM_MAX },
    [FE_ROM_PLAIN] = { .option = "rom", .max_len = PLAIN_MAX },
};

const char *fe_rom_option(FeRomKind kind)
{
    return kinds[kind].option;
}

/* "%s" in @place is @model. */
static char *fill_in(const char *place, const char *model)
{
    const char *gap = strstr(place, "%s");

    if (gap == NULL) {
        return g_strdup(place);
    }
    g_autofree char *before = g_strndup(place, (size_t)(gap - place));

    return g_strconcat(before, model, gap + 2, NULL);
}

char *fe_rom_find(FeRomKind kind, const char *model, GError **error)
{
    const Kind *is = &kinds[kind];

    for (unsigned i = 0; i < G_N_ELEMENTS(is->places) && is->places[i] != NULL; i++) {
        g_autofree char *path = fill_in(is->places[i], model);
        struct stat info;

        if (mem_os()->stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            return g_steal_pointer(&path);
        }
    }
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                "--%s: no %s in %s; install package %s (apt-get install %s) or name %s", is->option,
                is->what, is->folders, is->package, is->package,
                kind == FE_ROM_BIOS ? "a firmware image" : "an option ROM, or none");
    return NULL;
}

char *fe_rom_sum(GBytes *image)
{
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, image);

    return g_strdup_printf("%" G_GSIZE_FORMAT "-%s", g_bytes_get_size(image), digest);
}

bool fe_rom_sum_parse(const char *sum, uint64_t *ret_size, const char **ret_digest)
{
    char *end = NULL;

    if (!g_ascii_isdigit(*sum)) {
        return false;
    }
    *ret_size = g_ascii_strtoull(sum, &end, 10);
    if (*end != '-' || strlen(end + 1) != DIGEST_CHARS ||
        strspn(end + 1, "0123456789abcdef") != DIGEST_CHARS) {
        return false;
    }
    if (ret_digest != NULL) {
        *ret_digest = end + 1;
    }
    return true;
}

static bool check_bios(const FeRomFile *rom, GError **error)
{
    if (g_bytes_get_size(rom->bytes) % BIOS_UNIT != 0) {
        return fe_fail(error,
                       "--bios: '%s' has %" G_GSIZE_FORMAT " bytes; a firmware image is a multiple "
                       "of 4K (truncated?)",
                       rom->path, g_bytes_get_size(rom->bytes));
    }
    return true;
}

static bool check_option_rom(const FeRomFile *rom, GError **error)
{
    size_t len = 0;
    const void *bytes = g_bytes_get_data(rom->bytes, &len);
    g_autofree char *name = g_strdup_printf("--%s: '%s'", fe_rom_option(rom->kind), rom->path);

    return dev_rom_image_check(bytes, len, name, error);
}

static bool check_image(const FeRomFile *rom, GError **error)
{
    switch (rom->kind) {
    case FE_ROM_BIOS:
        return check_bios(rom, error);
    case FE_ROM_VGA:
    case FE_ROM_NIC:
    case FE_ROM_OPTION:
        return check_option_rom(rom, error);
    case FE_ROM_PLAIN:
    case FE_N_ROM_KINDS:
        break;
    }
    return true;
}

/* What the state that is restored knows about it; NULL: nothing. */
static const FeSavedRom *lookup_saved(const FeRunOptions *options, FeRomKind kind, unsigned index)
{
    for (unsigned i = 0; i < options->saved_roms->len; i++) {
        const FeSavedRom *saved = &g_array_index(options->saved_roms, FeSavedRom, i);

        if (strcmp(saved->option, fe_rom_option(kind)) == 0 && index-- == 0) {
            return saved;
        }
    }
    return NULL;
}

/* An image of a restored run: one that is named must be the very same, the state's own may have
 * changed since (what is in ROM comes from the state), but not its size. */
static bool check_saved(const FeRomFile *rom, const FeSavedRom *saved, const char *state,
                        GError **error)
{
    const char *option = fe_rom_option(rom->kind);
    const char *here = NULL;
    const char *there = NULL;
    uint64_t here_size = 0;
    uint64_t there_size = 0;

    if (saved->sum == NULL || strcmp(saved->sum, rom->sum) == 0) {
        return true;
    }
    bool known = fe_rom_sum_parse(rom->sum, &here_size, &here) &&
                 fe_rom_sum_parse(saved->sum, &there_size, &there);

    g_assert(known);
    if (here_size != there_size) {
        return fe_fail(error,
                       "--%s: '%s' (%" G_GUINT64_FORMAT " bytes) here, but '%s' (%" G_GUINT64_FORMAT
                       " bytes) in the state '%s': %s",
                       option, rom->path, here_size, saved->path, there_size, state,
                       saved->given ? "leave it away"
                                    : "the file has changed: name a copy of the old one");
    }
    return !saved->given ||
           fe_fail(error,
                   "--%s: '%s' (SHA-256 %.12s...) here, but '%s' (SHA-256 %.12s...) in the state "
                   "'%s': leave it away",
                   option, rom->path, here, saved->path, there, state);
}

FeRomFile *fe_rom_file_new(const FeRunOptions *options, FeRomKind kind, unsigned index,
                           const char *path, FeFiles *files, GError **error)
{
    g_autoptr(FeRomFile) rom = g_new0(FeRomFile, 1);
    const FeSavedRom *saved = lookup_saved(options, kind, index);
    g_autofree char *option = g_strconcat("--", fe_rom_option(kind), NULL);

    if (!fe_files_add_input(files, option, path, false, error)) {
        return NULL;
    }
    rom->kind = kind;
    rom->path = g_strdup(path);
    rom->bytes = emu_file_read(path, kinds[kind].max_len, error);
    if (rom->bytes == NULL) {
        g_prefix_error(error, "%s: ", option);
        return NULL;
    }
    rom->sum = fe_rom_sum(rom->bytes);
    if (!check_image(rom, error) ||
        (saved != NULL && !check_saved(rom, saved, options->restore, error))) {
        return NULL;
    }
    rom->label = saved != NULL ? g_strdup(saved->path) : g_canonicalize_filename(path, NULL);
    if (saved != NULL) {
        g_free(rom->sum);
        rom->sum = g_strdup(saved->sum);
    }
    return g_steal_pointer(&rom);
}

void fe_rom_file_free(FeRomFile *rom)
{
    if (rom != NULL) {
        g_free(rom->path);
        if (rom->bytes != NULL) {
            g_bytes_unref(rom->bytes);
        }
        g_free(rom->label);
        g_free(rom->sum);
        g_free(rom);
    }
}
