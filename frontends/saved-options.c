/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that a saved state keeps; see saved-options.h. Reading them back goes through the
 * same table as the command line: a file can say nothing that a person could not.
 */
#include "saved-options-internal.h"

#include "fail.h"
#include "memsys/os.h"

#include <string.h>

/* What a state may name. */
static const char *const keys[] = { "machine",    "memory", "ram-hole", "cpu",    "clock",
                                    "rtc",        "bios",   "kernel",   "append", "initrd",
                                    "drive",      "load",   "on-reset", "vga",    "vga-rom",
                                    "option-rom", "nic",    "nic-rom",  "rom",    NULL };

/* Behind an option's name: no option of the command line, but which bytes the file before it had.
 */
#define SUM_SUFFIX "-sum"

/* ---- writing */

static void add(GPtrArray *strings, const char *key, const char *value)
{
    if (value != NULL) {
        g_ptr_array_add(strings, g_strconcat(key, "=", value, NULL));
    }
}

static void add_file(GPtrArray *strings, const char *key, const char *path, const char *suffix)
{
    if (path != NULL) {
        g_autofree char *absolute = g_canonicalize_filename(path, NULL);

        g_ptr_array_add(strings, g_strconcat(key, "=", absolute, suffix, NULL));
    }
}

/* Their ROMs come with fe_saved_options_add_rom(), unless they have none. */
static void add_cards(GPtrArray *strings, const FeRunOptions *options)
{
    bool vga = fe_run_options_has_vga(options);

    add(strings, "vga", vga ? "std" : NULL);
    if (vga && g_strcmp0(options->vga_rom, FE_NO_ROM) == 0) {
        add(strings, "vga-rom", FE_NO_ROM);
    }
    add(strings, "nic", options->nic);
    if (options->nic != NULL && g_strcmp0(options->nic_rom, FE_NO_ROM) == 0) {
        add(strings, "nic-rom", FE_NO_ROM);
    }
}

char **fe_saved_options_new(const FeRunOptions *options, const char *bios)
{
    GPtrArray *strings = g_ptr_array_new();
    g_autofree char *memory = fe_format_size(options->memory);
    g_autofree char *hole = fe_format_size(fe_saved_hole(options));
    g_autofree char *rtc = fe_format_date(options->rtc_seconds);

    add(strings, "machine", "pc");
    add(strings, "memory", memory);
    add(strings, "ram-hole", hole);
    add(strings, "cpu", fe_saved_cpu(options));
    add(strings, "clock", fe_saved_clock(options->clock));
    add(strings, "rtc", rtc);
    add(strings, "on-reset", options->reset_continues ? "continue" : "stop");
    add_file(strings, "bios", bios, "");
    for (unsigned i = 0; i < options->drives->len; i++) {
        const FeDrive *drive = &g_array_index(options->drives, FeDrive, i);

        add_file(strings, "drive", drive->path, drive->writable ? ",rw" : "");
    }
    add_file(strings, "kernel", options->kernel, "");
    add(strings, "append", options->append);
    add_file(strings, "initrd", options->initrd, "");
    for (unsigned i = 0; i < options->loads->len; i++) {
        const FeLoad *load = &g_array_index(options->loads, FeLoad, i);
        g_autofree char *address = fe_format_address(load->address);
        g_autofree char *suffix = g_strconcat("@", address, NULL);

        add_file(strings, "load", load->path, suffix);
    }
    for (unsigned i = 0; i < options->roms->len; i++) {
        const FeRom *rom = &g_array_index(options->roms, FeRom, i);
        g_autofree char *address = fe_format_address(rom->address);
        g_autofree char *suffix =
            g_strconcat("@", address, rom->shadowed ? ",shadowed" : ",read-only", NULL);

        add_file(strings, "rom", rom->path, suffix);
    }
    add_cards(strings, options);
    g_ptr_array_add(strings, NULL);
    return (char **)g_ptr_array_free(strings, FALSE);
}

static char **append_string(char **strings, char *string)
{
    unsigned n = g_strv_length(strings);

    strings = g_renew(char *, strings, n + 2);
    strings[n] = string;
    strings[n + 1] = NULL;
    return strings;
}

char **fe_saved_options_add_rom(char **strings, const FeRomFile *rom)
{
    const char *option = fe_rom_option(rom->kind);

    if (rom->kind != FE_ROM_BIOS && rom->kind != FE_ROM_PLAIN) {
        g_autofree char *absolute = g_canonicalize_filename(rom->path, NULL);

        strings = append_string(strings, g_strconcat(option, "=", absolute, NULL));
    }
    if (rom->sum != NULL) {
        strings = append_string(strings, g_strconcat(option, SUM_SUFFIX "=", rom->sum, NULL));
    }
    return strings;
}

/* ---- reading */

/* The option whose file a "bios-sum=..." speaks of, and the sum; NULL: it is no such string. */
static const char *find_sum(const char *string, const char **ret_sum)
{
    for (FeRomKind kind = 0; kind < FE_N_ROM_KINDS; kind++) {
        const char *option = fe_rom_option(kind);
        g_autofree char *key = g_strconcat(option, SUM_SUFFIX "=", NULL);
        uint64_t size;

        if (g_str_has_prefix(string, key) && fe_rom_sum_parse(string + strlen(key), &size, NULL)) {
            *ret_sum = string + strlen(key);
            return option;
        }
    }
    return NULL;
}

/* A file's string is an option that a state may have. A machine file would be read. */
static bool is_known(const char *string)
{
    g_autofree char *key = g_strndup(string, strcspn(string, "="));

    return g_strv_contains(keys, key) && strchr(string, '=') != NULL &&
           (strcmp(key, "machine") != 0 || strcmp(string, "machine=pc") == 0);
}

/* The file's strings as options of a run of their own, or NULL. @sums: of strings, each an option
 * and then a sum of a file it names. */
static FeRunOptions *parse_strings(char *const *strings, const char *file, GPtrArray *sums,
                                   GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    for (; *strings != NULL; strings++) {
        const char *sum = NULL;
        const char *option = find_sum(*strings, &sum);

        if (option != NULL) {
            g_ptr_array_add(sums, (void *)(uintptr_t)option);
            g_ptr_array_add(sums, (void *)(uintptr_t)sum);
            continue;
        }
        if (!is_known(*strings)) {
            fe_fail(error,
                    "--restore: '%s' has an option '%s' that is not known here: made by a "
                    "newer quire?",
                    file, *strings);
            return NULL;
        }
        g_ptr_array_add(words, g_strconcat("--", *strings, NULL));
    }
    g_ptr_array_add(words, NULL);

    FeRunOptions *saved = fe_run_options_new((char *const *)words->pdata, error);

    if (saved == NULL) {
        g_prefix_error(error, "--restore: '%s': ", file);
    }
    return saved;
}

/* Notes that the state has the file @path of @option, with the first sum there is for it. */
static void note_rom(FeRunOptions *saved, FeRomKind kind, const char *path, GPtrArray *sums)
{
    const char *option = fe_rom_option(kind);
    FeSavedRom rom = { g_strdup(option), g_strdup(path), NULL, false };

    for (unsigned i = 0; i < sums->len && rom.sum == NULL; i += 2) {
        if (strcmp(g_ptr_array_index(sums, i), option) == 0) {
            rom.sum = g_strdup(g_ptr_array_index(sums, i + 1));
            g_ptr_array_remove_range(sums, i, 2);
        }
    }
    g_array_append_val(saved->saved_roms, rom);
}

/* Sums belong to files in their order. Returns: whether none is left over */
static bool note_roms(FeRunOptions *saved, GPtrArray *sums)
{
    if (saved->bios != NULL) {
        note_rom(saved, FE_ROM_BIOS, saved->bios, sums);
    }
    if (saved->vga_rom != NULL && strcmp(saved->vga_rom, FE_NO_ROM) != 0) {
        note_rom(saved, FE_ROM_VGA, saved->vga_rom, sums);
    }
    if (saved->nic_rom != NULL && strcmp(saved->nic_rom, FE_NO_ROM) != 0) {
        note_rom(saved, FE_ROM_NIC, saved->nic_rom, sums);
    }
    for (unsigned i = 0; i < saved->option_roms->len; i++) {
        note_rom(saved, FE_ROM_OPTION, g_ptr_array_index(saved->option_roms, i), sums);
    }
    for (unsigned i = 0; i < saved->roms->len; i++) {
        note_rom(saved, FE_ROM_PLAIN, g_array_index(saved->roms, FeRom, i).path, sums);
    }
    return sums->len == 0;
}

static FeRunOptions *parse(char *const *strings, const char *file, GError **error)
{
    g_autoptr(GPtrArray) sums = g_ptr_array_new();
    g_autoptr(FeRunOptions) saved = parse_strings(strings, file, sums, error);

    if (saved == NULL) {
        return NULL;
    }
    if (saved->asked != FE_ASKED_RUN || !(saved->given & FE_GIVEN_MEMORY) ||
        !note_roms(saved, sums)) {
        fe_fail(error, "--restore: '%s': it does not say what the machine is made of", file);
        return NULL;
    }
    /* What it does not name it does not have. */
    saved->vga = fe_run_options_has_vga(saved) ? FE_VGA_STD : FE_VGA_NONE;
    return g_steal_pointer(&saved);
}

static void take_text(char **text, char **from)
{
    if (*text == NULL) {
        *text = g_steal_pointer(from);
    }
}

static void take_array(GArray **array, GArray **from)
{
    if ((*array)->len == 0) {
        GArray *empty = *array;

        *array = *from;
        *from = empty;
    }
}

static bool is_given(const FeRunOptions *options, const char *option)
{
    return (strcmp(option, "bios") == 0 && options->bios != NULL) ||
           (strcmp(option, "vga-rom") == 0 && options->vga_rom != NULL) ||
           (strcmp(option, "nic-rom") == 0 && options->nic_rom != NULL) ||
           (strcmp(option, "option-rom") == 0 && options->option_roms->len > 0) ||
           (strcmp(option, "rom") == 0 && options->roms->len > 0);
}

static void take_roms(FeRunOptions *options, FeRunOptions *saved)
{
    for (unsigned i = 0; i < saved->saved_roms->len; i++) {
        FeSavedRom *rom = &g_array_index(saved->saved_roms, FeSavedRom, i);

        rom->given = is_given(options, rom->option);
    }
    take_array(&options->saved_roms, &saved->saved_roms);
    options->vga = saved->vga;
    take_text(&options->bios, &saved->bios);
    take_text(&options->vga_rom, &saved->vga_rom);
    take_text(&options->nic, &saved->nic);
    take_text(&options->nic_rom, &saved->nic_rom);
    take_array(&options->roms, &saved->roms);
    if (options->option_roms->len == 0) {
        GPtrArray *empty = options->option_roms;

        options->option_roms = saved->option_roms;
        saved->option_roms = empty;
    }
}

static bool is_gone(const char *path)
{
    struct stat info;

    return path != NULL && mem_os()->stat(path, &info) != 0;
}

/* Kernel and loaded files are in RAM already: only a reset reads them again, and symbols. */
static void drop_what_is_gone(FeRunOptions *saved, const FeRunOptions *options)
{
    bool gone = is_gone(saved->initrd);

    for (unsigned i = 0; i < saved->loads->len; i++) {
        gone = gone || is_gone(g_array_index(saved->loads, FeLoad, i).path);
    }
    if ((gone || (options->kernel == NULL && is_gone(saved->kernel))) && !saved->reset_continues &&
        !options->reset_continues) {
        g_clear_pointer(&saved->kernel, g_free);
        g_clear_pointer(&saved->append, g_free);
        g_clear_pointer(&saved->initrd, g_free);
        g_array_set_size(saved->loads, 0);
    }
}

bool fe_saved_options_apply(char *const *strings, FeRunOptions *options, GError **error)
{
    g_autoptr(FeRunOptions) saved = parse(strings, options->restore, error);

    if (saved == NULL || !fe_saved_compare(options, saved, error)) {
        return false;
    }
    drop_what_is_gone(saved, options);
    options->memory = saved->memory;
    options->ram_hole = saved->ram_hole;
    options->clock = saved->clock;
    options->rtc_seconds = saved->rtc_seconds;
    if ((options->given & FE_GIVEN_ON_RESET) == 0) {
        options->reset_continues = saved->reset_continues;
    }
    take_text(&options->cpu, &saved->cpu);
    take_roms(options, saved);
    take_text(&options->kernel, &saved->kernel);
    take_text(&options->append, &saved->append);
    take_text(&options->initrd, &saved->initrd);
    take_array(&options->drives, &saved->drives);
    take_array(&options->loads, &saved->loads);
    return fe_run_options_check(options, error);
}
