/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The present machine as a machine file; see machine-file.h.
 */
#include "emu/trace.h"
#include "ini-file.h"
#include "machine-file.h"
#include "machine-groups.h"
#include "memsys/mm.h"
#include "rom-files.h"

#include <string.h>

/* A file at power-on says everything, that of a restored run what was given. */
static bool says(const FeRunOptions *options, bool given)
{
    return given || options->restore == NULL;
}

/* @path wherever the file is read; "." and ".." stay, they may lie behind links. */
static char *absolute(const char *path)
{
    g_autofree char *here = g_get_current_dir();

    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(here, path, NULL);
}

static void put_file(GString *text, const char *key, const char *path)
{
    if (path != NULL) {
        g_autofree char *whole = absolute(path);

        fe_ini_put(text, key, whole);
    }
}

static void put(GString *text, const char *key, const char *value)
{
    if (value != NULL) {
        fe_ini_put(text, key, value);
    }
}

/* Takes @value. */
static void put_taken(GString *text, const char *key, char *value)
{
    put(text, key, value);
    g_free(value);
}

static void put_flag(GString *text, const char *key, bool flag)
{
    put(text, key, flag ? "true" : NULL);
}

/* The distribution's if none is named; nothing if that is not there. */
static void put_rom(GString *text, const char *key, FeRomKind kind, const char *path,
                    const FeRunOptions *options)
{
    g_autofree char *found =
        path == NULL && options->restore == NULL ? fe_rom_find(kind, options->nic, NULL) : NULL;

    if (path != NULL && strcmp(path, FE_NO_ROM) == 0 && kind != FE_ROM_BIOS) {
        put(text, key, path);
    } else {
        put_file(text, key, path != NULL ? path : found);
    }
}

static void print_machine(const FeRunOptions *options, GString *text)
{
    unsigned given = options->given;

    g_string_append(text, "[machine]\nboard=pc\n");
    if (says(options, (given & FE_GIVEN_MEMORY) != 0)) {
        put_taken(text, "memory", fe_format_size(options->memory));
    }
    if (says(options, options->ram_hole != 0)) {
        put_taken(text, "ram-hole",
                  fe_format_size(options->ram_hole != 0 ? options->ram_hole : MM_HOLE_DEFAULT));
    }
    put_flag(text, "no-overcommit", options->no_overcommit);
    if (says(options, options->cpu != NULL)) {
        put(text, "cpu", options->cpu != NULL ? options->cpu : EMU_CPU_DEFAULT);
    }
    if (says(options, (given & FE_GIVEN_CLOCK) != 0)) {
        put(text, "clock", options->clock == EMU_CLOCK_HOST ? "host" : "virtual");
    }
    if (says(options, (given & FE_GIVEN_RTC) != 0)) {
        put_taken(text, "rtc", fe_format_date(options->rtc_seconds));
    }
    put_rom(text, "bios", FE_ROM_BIOS, options->bios, options);
    put_file(text, "kernel", options->kernel);
    put(text, "append", options->append);
    put_file(text, "initrd", options->initrd);
}

static void print_roms(const FeRunOptions *options, GString *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < options->roms->len; i++) {
        const FeRom *rom = &g_array_index(options->roms, FeRom, i);

        g_string_append_printf(text, "\n[rom %u]\n", ++n);
        put_file(text, "file", rom->path);
        put_taken(text, "address", fe_format_address(rom->address));
        put(text, "protection", rom->shadowed ? "shadowed" : "read-only");
    }
    for (unsigned i = 0; i < options->option_roms->len; i++) {
        g_string_append_printf(text, "\n[rom %u]\n", ++n);
        put_file(text, "file", g_ptr_array_index(options->option_roms, i));
        put(text, "address", "firmware");
    }
    for (unsigned i = 0; i < options->loads->len; i++) {
        const FeLoad *load = &g_array_index(options->loads, FeLoad, i);

        g_string_append_printf(text, "\n[load %u]\n", i + 1);
        put_file(text, "file", load->path);
        put_taken(text, "address", fe_format_address(load->address));
    }
}

static void print_sink(GString *text, const FeSink *sink)
{
    g_autofree char *path = sink->path != NULL ? absolute(sink->path) : NULL;

    if (sink->kind == FE_SINK_FILE) {
        put_taken(text, "output", g_strconcat("file:", path, NULL));
    } else {
        put(text, "output", sink->kind == FE_SINK_STDIO ? "stdio" : "null");
    }
}

/* Up to what may be chosen. */
static void begin_device(GString *text, const char *name, const char *type)
{
    const FeDevice *device = fe_devices;

    while (strcmp(device->type, type) != 0) {
        device++;
    }
    g_string_append_printf(text, "\n[device %s]\ntype=%s\n", name, type);
    for (unsigned i = 0; i < G_N_ELEMENTS(device->fixed); i++) {
        put(text, device->fixed[i].key, device->fixed[i].value);
    }
}

static void print_devices(const FeRunOptions *options, GString *text)
{
    bool vga = fe_run_options_has_vga(options);

    if (says(options, options->serial.given)) {
        begin_device(text, "serial0", "serial");
        print_sink(text, &options->serial);
    }
    if (says(options, options->debugcon.given)) {
        begin_device(text, "debugcon", "debugcon");
        print_sink(text, &options->debugcon);
    }
    if (vga || options->vga == FE_VGA_NONE) {
        begin_device(text, "vga", "vga");
        put(text, "model", vga ? "std" : "none");
        if (vga) {
            put_rom(text, "rom", FE_ROM_VGA, options->vga_rom, options);
        }
    }
    if (options->nic != NULL || (options->given & FE_GIVEN_NIC) != 0) {
        begin_device(text, "nic", "nic");
        put(text, "model", options->nic != NULL ? options->nic : "none");
        if (options->nic != NULL) {
            put_rom(text, "rom", FE_ROM_NIC, options->nic_rom, options);
        }
    }
}

static void print_drives(const FeRunOptions *options, GString *text)
{
    for (unsigned i = 0; i < options->drives->len; i++) {
        const FeDrive *drive = &g_array_index(options->drives, FeDrive, i);

        g_string_append_printf(text, "\n[drive %u]\n", i + 1);
        put_file(text, "file", drive->path);
        put(text, "writable", drive->writable ? "true" : "false");
    }
}

/* ---- [run] */

/* "until", or "until.2" if there are more. Returns: (transfer full) */
static char *numbered(const char *key, unsigned i, unsigned n)
{
    return n > 1 ? g_strdup_printf("%s.%u", key, i + 1) : g_strdup(key);
}

static void put_texts(GString *text, const char *key, const GPtrArray *values, bool are_files)
{
    for (unsigned i = 0; i < values->len; i++) {
        g_autofree char *name = numbered(key, i, values->len);

        (are_files ? put_file : put)(text, name, g_ptr_array_index(values, i));
    }
}

static void put_moment(GString *text, const char *key, const FeMoment *moment)
{
    if (moment != NULL) {
        put_taken(text, key, fe_moment_format(moment));
    }
}

static void put_seconds(GString *text, const char *key, uint64_t ns)
{
    put_taken(text, key, fe_format_seconds(ns));
}

static void print_typed(const FeRunOptions *options, GString *text)
{
    for (unsigned i = 0; i < options->typed->len; i++) {
        const FeTyped *typed = &g_array_index(options->typed, FeTyped, i);
        g_autofree char *type = numbered("type", i, options->typed->len);
        g_autofree char *type_at = numbered("type-at", i, options->typed->len);

        put(text, type, typed->text);
        put_moment(text, type_at, typed->at);
    }
}

static void print_pictures(const FeRunOptions *options, GString *text)
{
    put_texts(text, "screen", options->screens, true);
    if (options->screen_dir != NULL) {
        g_autofree char *seconds = fe_format_seconds(options->screen_every_ns);
        g_autofree char *folder = absolute(options->screen_dir);

        put_taken(text, "screen-every", g_strconcat(seconds, " ", folder, NULL));
    }
    put_file(text, "screen-record", options->screen_record);
    put_texts(text, "memory-picture", options->memory_pictures, true);
    put_texts(text, "memory-film", options->memory_films, true);
}

static void print_end(const FeRunOptions *options, GString *text)
{
    for (unsigned i = 0; i < options->until->len; i++) {
        g_autofree char *key = numbered("until", i, options->until->len);

        put_moment(text, key, g_ptr_array_index(options->until, i));
    }
    if (options->timeout_ns != 0) {
        put_seconds(text, "timeout", options->timeout_ns);
    }
    if (options->max_time_ns != EMU_CLOCK_NEVER) {
        put_seconds(text, "max-time", options->max_time_ns);
    }
    if (says(options, (options->given & FE_GIVEN_ON_RESET) != 0)) {
        put(text, "on-reset", options->reset_continues ? "continue" : "stop");
    }
    for (unsigned i = 0; i < options->dumps->len; i++) {
        const FeDump *dump = &g_array_index(options->dumps, FeDump, i);
        g_autofree char *key = numbered("dump", i, options->dumps->len);
        g_autofree char *path = absolute(dump->path);
        g_autofree char *range = fe_format_range(&dump->range);

        put_taken(text, key, g_strconcat(path, "@", range, NULL));
    }
}

static void print_trace(const FeRunOptions *options, GString *text)
{
    static const struct {
        EmuTraceClass bit;
        const char *name;
    } names[] = {
        { EMU_TRACE_MMIO, "mmio" },   { EMU_TRACE_PIO, "pio" }, { EMU_TRACE_ROM, "rom" },
        { EMU_TRACE_FAULT, "fault" }, { EMU_TRACE_IRQ, "irq" },
    };
    g_autoptr(GString) value = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if ((options->trace_classes & names[i].bit) != 0) {
            g_string_append_printf(value, "%s%s", value->len > 0 ? "," : "", names[i].name);
        }
    }
    if (options->trace_path != NULL) {
        g_autofree char *path = absolute(options->trace_path);

        g_string_append_printf(value, ":%s", path);
    }
    put(text, "trace", value->len > 0 ? value->str : NULL);
}

static void print_telling(const FeRunOptions *options, GString *text)
{
    put_flag(text, "map", options->map);
    put_texts(text, "info", options->info, false);
    if (options->stats) {
        put(text, "stats", options->stats_glob != NULL ? options->stats_glob : "true");
    }
    put_file(text, "stats-json", options->stats_path);
    print_trace(options, text);
    put_flag(text, "quiet", options->quiet);
}

void fe_machine_file_print(const FeRunOptions *options, GString *text)
{
    print_machine(options, text);
    print_roms(options, text);
    print_devices(options, text);
    print_drives(options, text);
    g_string_append(text, "\n[run]\n");
    put_file(text, "restore", options->restore);
    put_file(text, "save", options->save);
    put_moment(text, "save-at", options->save_at);
    put_flag(text, "save-live", options->save_live);
    print_typed(options, text);
    print_pictures(options, text);
    print_end(options, text);
    print_telling(options, text);
}
