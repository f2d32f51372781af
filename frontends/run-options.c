/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of `quire run`: their table, in parts (run-options-internal.h), and the rules between
 * options.
 */
#include "run-options.h"

#include "fail.h"
#include "machine-file.h"
#include "run-options-internal.h"

#include <string.h>

/* 2000-01-01: a date that every firmware and guest can hold. */
#define RTC_DEFAULT INT64_C(946684800)

static const FeOption *const tables[] = { fe_machine_options, fe_state_options, fe_console_options,
                                          fe_end_options, NULL };

const FeOption *const *fe_run_options_tables(void)
{
    return tables;
}

char *fe_run_options_path(const FeRunOptions *options, const char *path)
{
    return options->folder == NULL || g_path_is_absolute(path)
               ? g_strdup(path)
               : g_build_filename(options->folder, path, NULL);
}

void fe_run_options_take_path(const FeRunOptions *options, char **path)
{
    char *taken = fe_run_options_path(options, *path);

    g_free(*path);
    *path = taken;
}

bool fe_check_suffix(const char *path, const char *const *suffixes, const char *what,
                     GError **error)
{
    g_autofree char *name = g_path_get_basename(path);

    for (; *suffixes != NULL; suffixes++) {
        /* A name that is a suffix alone has none. */
        if (g_str_has_suffix(name, *suffixes) && strlen(name) > strlen(*suffixes)) {
            return true;
        }
    }
    return fe_fail(error, "'%s' does not say what to write: %s", path, what);
}

const char *fe_run_options_screen_option(const FeRunOptions *options)
{
    if (options->screens->len > 0) {
        return "--screen";
    }
    if (options->screen_dir != NULL) {
        return "--screen-every";
    }
    return options->screen_record != NULL ? "--screen-record" : NULL;
}

bool fe_run_options_has_vga(const FeRunOptions *options)
{
    return options->vga == FE_VGA_STD ||
           (options->vga == FE_VGA_DEFAULT && fe_run_options_screen_option(options) != NULL);
}

static bool check_cards(const FeRunOptions *options, GError **error)
{
    const char *looks = fe_run_options_screen_option(options);

    if (options->vga == FE_VGA_NONE && looks != NULL) {
        return fe_fail(error, "%s: there is no screen without a VGA: leave --vga none away", looks);
    }
    if (options->vga_rom != NULL && !fe_run_options_has_vga(options)) {
        return fe_fail(error, "--vga-rom needs --vga std: it is the VGA's");
    }
    if (options->nic_rom != NULL && options->nic == NULL) {
        return fe_fail(error, "--nic-rom needs --nic MODEL: it is the network card's");
    }
    return true;
}

static bool check_stdio(const FeRunOptions *options, GError **error)
{
    if (options->serial.kind != FE_SINK_STDIO || options->debugcon.kind != FE_SINK_STDIO) {
        return true;
    }
    return fe_fail(
        error, "--debugcon stdio: --serial has stdio already%s: give one of them null or file:PATH",
        options->serial.given ? "" : " (its default)");
}

static bool check_states(const FeRunOptions *options, GError **error)
{
    if (options->save_at != NULL && options->save == NULL) {
        return fe_fail(error, "--save-at needs --save FILE: where to save");
    }
    if (options->save_live && options->save_at == NULL) {
        return fe_fail(error, "--save-live needs --save FILE and --save-at MOMENT: where to save, "
                              "and when to begin");
    }
    /* A machine file may serve both the run that saved and this one. */
    if (options->restore != NULL && options->loads->len > options->n_loads_in_file) {
        return fe_fail(error,
                       "--load: what is in RAM comes from --restore: leave one of them away");
    }
    return true;
}

bool fe_run_options_check(const FeRunOptions *options, GError **error)
{
    if (options->append != NULL && options->kernel == NULL) {
        return fe_fail(error, "--append needs --kernel FILE: it is a Linux kernel's command line");
    }
    if (options->initrd != NULL && options->kernel == NULL) {
        return fe_fail(error, "--initrd needs --kernel FILE: it belongs to a Linux kernel");
    }
    return check_cards(options, error) && check_stdio(options, error);
}

static void clear_drive(void *drive)
{
    g_free(((FeDrive *)drive)->path);
}

static void clear_load(void *load)
{
    g_free(((FeLoad *)load)->path);
}

static void clear_rom(void *rom)
{
    g_free(((FeRom *)rom)->path);
}

static void clear_saved_rom(void *data)
{
    FeSavedRom *saved = data;

    g_free(saved->option);
    g_free(saved->path);
    g_free(saved->sum);
}

static void clear_typed(void *data)
{
    FeTyped *typed = data;

    g_free(typed->text);
    fe_moment_free(typed->at);
}

static void clear_dump(void *dump)
{
    g_free(((FeDump *)dump)->path);
}

static FeRunOptions *new_defaults(void)
{
    FeRunOptions *options = g_new0(FeRunOptions, 1);

    options->memory = UINT64_C(128) << 20;
    options->max_time_ns = EMU_CLOCK_NEVER;
    options->rtc_seconds = RTC_DEFAULT;
    options->debugcon.kind = FE_SINK_NULL;
    options->info = g_ptr_array_new_with_free_func(g_free);
    options->drives = g_array_new(FALSE, TRUE, sizeof(FeDrive));
    options->loads = g_array_new(FALSE, TRUE, sizeof(FeLoad));
    options->roms = g_array_new(FALSE, TRUE, sizeof(FeRom));
    options->saved_roms = g_array_new(FALSE, TRUE, sizeof(FeSavedRom));
    options->dumps = g_array_new(FALSE, TRUE, sizeof(FeDump));
    options->typed = g_array_new(FALSE, TRUE, sizeof(FeTyped));
    options->option_roms = g_ptr_array_new_with_free_func(g_free);
    options->screens = g_ptr_array_new_with_free_func(g_free);
    options->memory_pictures = g_ptr_array_new_with_free_func(g_free);
    options->memory_films = g_ptr_array_new_with_free_func(g_free);
    options->until = g_ptr_array_new_with_free_func((GDestroyNotify)fe_moment_free);
    g_array_set_clear_func(options->drives, clear_drive);
    g_array_set_clear_func(options->loads, clear_load);
    g_array_set_clear_func(options->roms, clear_rom);
    g_array_set_clear_func(options->saved_roms, clear_saved_rom);
    g_array_set_clear_func(options->dumps, clear_dump);
    g_array_set_clear_func(options->typed, clear_typed);
    return options;
}

static const FeSetting *lookup_setting(const GPtrArray *settings, const char *name)
{
    for (unsigned i = 0; i < settings->len; i++) {
        const FeSetting *setting = g_ptr_array_index(settings, i);

        if (strcmp(setting->option->name, name) == 0) {
            return setting;
        }
    }
    return NULL;
}

/* Whether the command line's @words say something else in place of @setting: a card's ROM goes with
 * the card. */
static bool is_overridden(const FeSetting *setting, const GPtrArray *words)
{
    const char *name = setting->option->name;
    bool of_vga = strcmp(name, "vga-rom") == 0 && lookup_setting(words, "vga") != NULL;
    bool of_nic = strcmp(name, "nic-rom") == 0 && lookup_setting(words, "nic") != NULL;

    return of_vga || of_nic || (!setting->option->repeats && lookup_setting(words, name) != NULL);
}

/* What the machine file says, unless @words say it too. */
static bool apply_file(FeRunOptions *options, const char *path, const GPtrArray *words,
                       GError **error)
{
    g_autoptr(GPtrArray) settings = fe_machine_file_read(path, tables, error);
    g_autofree char *folder = g_path_get_dirname(path);

    if (settings == NULL) {
        return false;
    }
    for (unsigned i = settings->len; i-- > 0;) {
        const FeSetting *setting = g_ptr_array_index(settings, i);

        /* The board is what the file is there for. */
        if (strcmp(setting->option->name, "machine") != 0 && is_overridden(setting, words)) {
            g_ptr_array_remove_index(settings, i);
        }
    }
    options->folder = strcmp(folder, ".") != 0 ? g_steal_pointer(&folder) : NULL;

    bool good = fe_options_apply(settings, options, error);

    g_clear_pointer(&options->folder, g_free);
    options->file_settings = g_steal_pointer(&settings);
    options->n_typed_in_file = options->typed->len;
    options->n_loads_in_file = options->loads->len;
    if (good && options->asked != FE_ASKED_RUN) {
        return fe_fail(error, "%s: a machine file asks for no help: leave the word 'help' away",
                       path);
    }
    return good;
}

/* A restored run's options are complete when those of its file were added: the rest is left until
 * then. */
static bool check_now(const FeRunOptions *options, GError **error)
{
    if (check_states(options, error) &&
        (options->restore != NULL || fe_run_options_check(options, error))) {
        return true;
    }
    if (!fe_run_options_blame(options, error) && options->machine_file != NULL) {
        g_prefix_error(error, "%s: ", options->machine_file);
    }
    return false;
}

FeRunOptions *fe_run_options_new(char *const *argv, GError **error)
{
    g_autoptr(FeRunOptions) options = new_defaults();
    g_autoptr(GPtrArray) words = fe_options_split(tables, "quire run", argv, error);
    const FeSetting *machine = words != NULL ? lookup_setting(words, "machine") : NULL;

    if (words == NULL ||
        (machine != NULL && fe_is_machine_file(machine->value) &&
         !apply_file(options, machine->value, words, error)) ||
        !fe_options_apply(words, options, error) || !check_now(options, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}

void fe_run_options_free(FeRunOptions *options)
{
    if (options == NULL) {
        return;
    }
    g_free(options->cpu);
    g_free(options->bios);
    g_free(options->kernel);
    g_free(options->append);
    g_free(options->initrd);
    g_array_unref(options->drives);
    g_array_unref(options->loads);
    g_array_unref(options->roms);
    g_array_unref(options->saved_roms);
    g_free(options->vga_rom);
    g_free(options->nic);
    g_free(options->nic_rom);
    g_ptr_array_unref(options->option_roms);
    g_array_unref(options->typed);
    g_ptr_array_unref(options->screens);
    g_free(options->screen_dir);
    g_free(options->screen_record);
    g_ptr_array_unref(options->memory_pictures);
    g_ptr_array_unref(options->memory_films);
    g_free(options->machine_file);
    g_clear_pointer(&options->file_settings, g_ptr_array_unref);
    g_free(options->folder);
    g_free(options->serial.path);
    g_free(options->debugcon.path);
    g_ptr_array_unref(options->until);
    g_array_unref(options->dumps);
    g_ptr_array_unref(options->info);
    g_free(options->stats_glob);
    g_free(options->stats_path);
    g_free(options->save);
    fe_moment_free(options->save_at);
    g_free(options->restore);
    g_free(options->trace_path);
    g_free(options);
}

void fe_run_options_print_help(GString *text)
{
    fe_options_print_help(tables, text);
}
