/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that a saved state keeps; see saved-options.h. Reading them back goes through the
 * same table as the command line: a file can say nothing that a person could not.
 */
#include "saved-options.h"

#include "fail.h"
#include "memsys/mm.h"
#include "memsys/os.h"

#include <string.h>

/* What a state may name. */
static const char *const keys[] = { "machine", "memory", "ram-hole", "cpu",    "clock",
                                    "rtc",     "bios",   "kernel",   "append", "initrd",
                                    "drive",   "load",   "on-reset", NULL };

/* No option of the command line: which bytes the firmware had. */
#define SUM_KEY "bios-sum="
#define DIGEST_CHARS 64

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

static char *format_date(int64_t seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);

    return g_date_time_format(date, "%Y-%m-%dT%H:%M:%S");
}

static const char *clock_name(EmuClockMode clock)
{
    return clock == EMU_CLOCK_HOST ? "host" : "virtual";
}

static uint64_t hole_of(const FeRunOptions *options)
{
    return options->ram_hole != 0 ? options->ram_hole : MM_HOLE_DEFAULT;
}

static const char *cpu_of(const FeRunOptions *options)
{
    return options->cpu != NULL ? options->cpu : EMU_CPU_DEFAULT;
}

char **fe_saved_options_new(const FeRunOptions *options, const char *bios)
{
    GPtrArray *strings = g_ptr_array_new();
    g_autofree char *memory = fe_format_size(options->memory);
    g_autofree char *hole = fe_format_size(hole_of(options));
    g_autofree char *rtc = format_date(options->rtc_seconds);

    add(strings, "machine", "pc");
    add(strings, "memory", memory);
    add(strings, "ram-hole", hole);
    add(strings, "cpu", cpu_of(options));
    add(strings, "clock", clock_name(options->clock));
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
    g_ptr_array_add(strings, NULL);
    return (char **)g_ptr_array_free(strings, FALSE);
}

char **fe_saved_options_add_sum(char **strings, const char *sum)
{
    unsigned n = g_strv_length(strings);

    if (sum != NULL) {
        strings = g_renew(char *, strings, n + 2);
        strings[n] = g_strconcat(SUM_KEY, sum, NULL);
        strings[n + 1] = NULL;
    }
    return strings;
}

char *fe_bios_sum(GBytes *bios)
{
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bios);

    return g_strdup_printf("%" G_GSIZE_FORMAT "-%s", g_bytes_get_size(bios), digest);
}

bool fe_bios_sum_parse(const char *sum, uint64_t *ret_size, const char **ret_digest)
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

/* ---- reading */

/* The file's strings as options of a run of their own. */
static FeRunOptions *parse(char *const *strings, const char *file, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    const char *sum = NULL;

    for (; *strings != NULL; strings++) {
        g_autofree char *key = g_strndup(*strings, strcspn(*strings, "="));
        uint64_t size;

        if (g_str_has_prefix(*strings, SUM_KEY) && sum == NULL &&
            fe_bios_sum_parse(*strings + strlen(SUM_KEY), &size, NULL)) {
            sum = *strings + strlen(SUM_KEY);
            continue;
        }
        if (!g_strv_contains(keys, key) || strchr(*strings, '=') == NULL) {
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

    if (saved == NULL || saved->asked != FE_ASKED_RUN || !(saved->given & FE_GIVEN_MEMORY)) {
        if (saved != NULL) {
            fe_fail(error, "it does not say what the machine is made of");
        }
        g_prefix_error(error, "--restore: '%s': ", file);
        fe_run_options_free(saved);
        return NULL;
    }
    saved->bios_sum = g_strdup(sum);
    return saved;
}

static bool differ(GError **error, const FeRunOptions *options, const char *name, const char *here,
                   const char *there)
{
    return fe_fail(error, "--%s: '%s' here, but '%s' in the state '%s': leave it away", name, here,
                   there, options->restore);
}

static bool compare_sizes(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    g_autofree char *here = NULL;
    g_autofree char *there = NULL;

    if ((options->given & FE_GIVEN_MEMORY) != 0 && options->memory != saved->memory) {
        here = fe_format_size(options->memory);
        there = fe_format_size(saved->memory);
        return differ(error, options, "memory", here, there);
    }
    if (options->ram_hole != 0 && hole_of(options) != hole_of(saved)) {
        here = fe_format_size(hole_of(options));
        there = fe_format_size(hole_of(saved));
        return differ(error, options, "ram-hole", here, there);
    }
    return true;
}

static bool compare_times(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if ((options->given & FE_GIVEN_CLOCK) != 0 && options->clock != saved->clock) {
        return differ(error, options, "clock", clock_name(options->clock),
                      clock_name(saved->clock));
    }
    if ((options->given & FE_GIVEN_RTC) != 0 && options->rtc_seconds != saved->rtc_seconds) {
        g_autofree char *here = format_date(options->rtc_seconds);
        g_autofree char *there = format_date(saved->rtc_seconds);

        return differ(error, options, "rtc", here, there);
    }
    return true;
}

static bool compare_drives(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (options->drives->len == 0) {
        return true;
    }
    if (options->drives->len != saved->drives->len) {
        return fe_fail(error,
                       "--drive: %u of them here, but %u in the state '%s': name as many, in the "
                       "same order, or leave all away",
                       options->drives->len, saved->drives->len, options->restore);
    }
    for (unsigned i = 0; i < options->drives->len; i++) {
        const FeDrive *here = &g_array_index(options->drives, FeDrive, i);
        const FeDrive *there = &g_array_index(saved->drives, FeDrive, i);

        /* What the guest wrote is in the state or in the file: one cannot become the other. */
        if (here->writable != there->writable) {
            return fe_fail(error,
                           "--drive: '%s%s' here, but '%s%s' in the state '%s': give it %s rw as "
                           "there, or leave all away",
                           here->path, here->writable ? ",rw" : "", there->path,
                           there->writable ? ",rw" : "", options->restore,
                           there->writable ? "with" : "without");
        }
    }
    return true;
}

static bool compare(const FeRunOptions *options, const FeRunOptions *saved, GError **error)
{
    if (!compare_sizes(options, saved, error) || !compare_times(options, saved, error) ||
        !compare_drives(options, saved, error)) {
        return false;
    }
    if (options->cpu != NULL && strcmp(options->cpu, cpu_of(saved)) != 0) {
        return differ(error, options, "cpu", options->cpu, cpu_of(saved));
    }
    if (options->append != NULL && g_strcmp0(options->append, saved->append) != 0) {
        return differ(error, options, "append", options->append,
                      saved->append != NULL ? saved->append : "");
    }
    return true;
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

    if (saved == NULL || !compare(options, saved, error)) {
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
    options->bios_label = g_strdup(saved->bios);
    options->bios_sum = g_steal_pointer(&saved->bios_sum);
    take_text(&options->bios, &saved->bios);
    take_text(&options->kernel, &saved->kernel);
    take_text(&options->append, &saved->append);
    take_text(&options->initrd, &saved->initrd);
    take_array(&options->drives, &saved->drives);
    take_array(&options->loads, &saved->loads);
    return fe_run_options_check(options, error);
}
