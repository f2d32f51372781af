/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of `quire run` that say when it ends and what it tells then.
 */
#include "emu/trace.h"
#include "fail.h"
#include "run-options-internal.h"

#include <string.h>

static bool set_until(void *target, const char *value, GError **error)
{
    FeMoment *moment = fe_moment_parse(value, error);

    if (moment == NULL) {
        return false;
    }
    g_ptr_array_add(((FeRunOptions *)target)->until, moment);
    return true;
}

static bool parse_limit(const char *value, uint64_t *ret_ns, GError **error)
{
    uint64_t ns = 0;

    if (!fe_parse_seconds(value, &ns, error)) {
        return false;
    }
    if (ns == 0) {
        return fe_fail(error, "no time at all: say for example 10, or leave it away for no limit");
    }
    *ret_ns = ns;
    return true;
}

static bool set_timeout(void *target, const char *value, GError **error)
{
    return parse_limit(value, &((FeRunOptions *)target)->timeout_ns, error);
}

static bool set_max_time(void *target, const char *value, GError **error)
{
    return parse_limit(value, &((FeRunOptions *)target)->max_time_ns, error);
}

static bool set_on_reset(void *target, const char *value, GError **error)
{
    bool continues = strcmp(value, "continue") == 0;

    if (!continues && strcmp(value, "stop") != 0) {
        return fe_fail(error, "'%s' is neither stop nor continue", value);
    }
    ((FeRunOptions *)target)->reset_continues = continues;
    ((FeRunOptions *)target)->given |= FE_GIVEN_ON_RESET;
    return true;
}

static bool set_dump(void *target, const char *value, GError **error)
{
    FeDump dump = { NULL, { 0, 0 } };

    if (!fe_parse_file_at_range(value, &dump.path, &dump.range, error)) {
        return false;
    }
    if (dump.range.start >= MEM_GPHYS_LIMIT ||
        dump.range.len > MEM_GPHYS_LIMIT - dump.range.start) {
        g_free(dump.path);
        return fe_fail(
            error, "'%s' ends past what 52 address bits can name: at most 10000000000000", value);
    }
    fe_run_options_take_path(target, &dump.path);
    g_array_append_val(((FeRunOptions *)target)->dumps, dump);
    return true;
}

static bool set_map(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->map = true;
    return true;
}

static bool set_info(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    FeRunOptions *options = target;

    if (strcmp(value, "help") == 0) {
        options->asked = FE_ASKED_INFO;
    } else {
        g_ptr_array_add(options->info, g_strdup(value));
    }
    return true;
}

static bool set_stats_json(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    if (options->stats_path != NULL) {
        return fe_fail(error, "the counters go to '%s' already: keep one of the two",
                       options->stats_path);
    }
    options->stats_path = fe_run_options_path(options, value);
    return true;
}

/* A name that ends in .json cannot be a counter's: the file, as --stats-json. */
static bool set_stats(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    if (value != NULL && g_str_has_suffix(value, ".json")) {
        return set_stats_json(target, value, error);
    }
    options->stats = true;
    options->stats_glob = g_strdup(value);
    return true;
}

static bool set_trace(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;
    const char *colon = strchr(value, ':');
    g_autofree char *list =
        colon != NULL ? g_strndup(value, (size_t)(colon - value)) : g_strdup(value);

    if (colon != NULL && colon[1] == '\0') {
        return fe_fail(error, "'%s' names no file behind the colon: for example %strace.txt", value,
                       value);
    }
    options->trace_classes = emu_trace_parse(list, error);
    if (options->trace_classes == 0) {
        return false;
    }
    options->trace_path = colon != NULL ? fe_run_options_path(options, colon + 1) : NULL;
    return true;
}

static bool set_quiet(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->quiet = true;
    return true;
}

static bool set_version(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->asked = FE_ASKED_VERSION;
    return true;
}

static bool set_help(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->asked = FE_ASKED_HELP;
    return true;
}

const FeOption fe_end_options[] = {
    FE_MANY("until", "MOMENT", "text:login:",
            "end well, status 0, at text:TEXT time:SECONDS addr:ADDRESS\n"
            "sym:NAME or port:PORT[=VALUE]; any other word is a text; the first\n"
            "of several ends the run",
            "How it ends", set_until),
    FE_ONE("timeout", "SECONDS", "10", "end after this much time of yours, status 6", NULL,
           set_timeout),
    FE_ONE("max-time", "SECONDS", "60", "end after this much time of the guest's, status 6", NULL,
           set_max_time),
    FE_ONE("on-reset", "stop|continue", "continue", "what a reset by the guest does (default stop)",
           NULL, set_on_reset),
    FE_MANY("dump", "FILE@RANGE", "rom.bin@F0000+64K",
            "write guest memory to a file at the end, as often as wanted", "What it tells",
            set_dump),
    FE_FLAG("map", "print the memory map at the end", NULL, set_map),
    FE_MANY("info", "ITEM", "phys",
            "print what memory looks like at the end: phys, 'page F0000' and\n"
            "others, as often as wanted; help lists them",
            NULL, set_info),
    { "stats", "GLOB", "/PGM/*",
      "print counters at the end, all or those whose names match\n"
      "('*' and '?'); FILE.json instead is --stats-json FILE.json",
      FE_VALUE_OPTIONAL, false, NULL, set_stats },
    FE_ONE("stats-json", "FILE", "stats.json", "write all counters to a file as JSON", NULL,
           set_stats_json),
    FE_ONE("trace", "LIST[:FILE]", "mmio,irq:trace.txt",
           "one line for each mmio, pio, rom, fault, irq event or all of them,\n"
           "to the file or stderr",
           NULL, set_trace),
    FE_FLAG("quiet", "no summary at the end", NULL, set_quiet),
    FE_FLAG("version", "print versions", NULL, set_version),
    FE_FLAG("help", "print this", NULL, set_help),
    { 0 },
};
