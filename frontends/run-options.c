/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of `quire run`: one table of names, helps and set functions, then the rules between
 * options.
 */
#include "run-options.h"

#include "emu/trace.h"
#include "fail.h"
#include "memsys/mm.h"
#include "options.h"

#include <string.h>

/* 2000-01-01: a date that every firmware and guest can hold. */
#define RTC_DEFAULT INT64_C(946684800)

static bool set_help(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->asked = FE_ASKED_HELP;
    return true;
}

static bool set_version(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->asked = FE_ASKED_VERSION;
    return true;
}

static bool set_machine(void *target, const char *value, GError **error)
{
    if (strcmp(value, "help") == 0) {
        ((FeRunOptions *)target)->asked = FE_ASKED_MACHINES;
        return true;
    }
    return strcmp(value, "pc") == 0 ||
           fe_fail(error, "there is no machine '%s': say pc, or help for a list", value);
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

static bool set_bios(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->bios = g_strdup(value);
    ((FeRunOptions *)target)->given |= FE_GIVEN_BIOS;
    return true;
}

static bool set_kernel(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->kernel = g_strdup(value);
    return true;
}

static bool set_append(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->append = g_strdup(value);
    return true;
}

static bool set_initrd(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->initrd = g_strdup(value);
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
    g_array_append_val(options->drives, drive);
    return true;
}

static bool set_load(void *target, const char *value, GError **error)
{
    FeLoad load = { NULL, 0 };

    if (!fe_parse_file_at_address(value, &load.path, &load.address, error)) {
        return false;
    }
    g_array_append_val(((FeRunOptions *)target)->loads, load);
    return true;
}

static bool parse_sink(const char *value, FeSink *ret_sink, GError **error)
{
    bool file = g_str_has_prefix(value, "file:") && value[5] != '\0';

    if (!file && strcmp(value, "stdio") != 0 && strcmp(value, "null") != 0) {
        return fe_fail(error, "'%s' is no place to write to: say stdio, null or file:PATH", value);
    }
    ret_sink->kind = file ? FE_SINK_FILE : (value[0] == 's' ? FE_SINK_STDIO : FE_SINK_NULL);
    ret_sink->path = file ? g_strdup(value + 5) : NULL;
    ret_sink->given = true;
    return true;
}

static bool set_serial(void *target, const char *value, GError **error)
{
    return parse_sink(value, &((FeRunOptions *)target)->serial, error);
}

static bool set_debugcon(void *target, const char *value, GError **error)
{
    return parse_sink(value, &((FeRunOptions *)target)->debugcon, error);
}

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
    options->stats_path = g_strdup(value);
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
    options->trace_path = colon != NULL ? g_strdup(colon + 1) : NULL;
    return true;
}

static bool set_quiet(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->quiet = true;
    return true;
}

static bool set_save(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->save = g_strdup(value);
    return true;
}

static bool set_save_at(void *target, const char *value, GError **error)
{
    FeRunOptions *options = target;

    options->save_at = fe_moment_parse(value, error);
    return options->save_at != NULL;
}

static bool set_save_live(void *target, G_GNUC_UNUSED const char *value,
                          G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->save_live = true;
    return true;
}

static bool set_restore(void *target, const char *value, G_GNUC_UNUSED GError **error)
{
    ((FeRunOptions *)target)->restore = g_strdup(value);
    return true;
}

#define FLAG(name, help, group, set)                             \
    {                                                            \
        name, NULL, NULL, help, FE_VALUE_NONE, false, group, set \
    }
#define ONE(name, value, example, help, group, set)                    \
    {                                                                  \
        name, value, example, help, FE_VALUE_NEEDED, false, group, set \
    }
#define MANY(name, value, example, help, group, set)                  \
    {                                                                 \
        name, value, example, help, FE_VALUE_NEEDED, true, group, set \
    }

static const FeOption table[] = {
    ONE("machine", "NAME", "pc", "the board: pc (default); help lists them", "Machine",
        set_machine),
    ONE("memory", "SIZE", "128M", "RAM (default 128M)", NULL, set_memory),
    ONE("ram-hole", "SIZE", "1G", "room for devices below 4G (default 512M)", NULL, set_ram_hole),
    FLAG("no-overcommit", "refuse to start unless the host has memory for all of the RAM", NULL,
         set_no_overcommit),
    ONE("cpu", "MODEL", EMU_CPU_DEFAULT,
        "the processor (default " EMU_CPU_DEFAULT "); help lists them", NULL, set_cpu),
    ONE("clock", "virtual|host", "virtual",
        "guest time follows the code that ran, so that runs repeat exactly\n"
        "(virtual, default), or the host's time",
        NULL, set_clock),
    ONE("rtc", "DATE", "2026-01-31", "UTC date, or date and time, at power-on (default 2000-01-01)",
        NULL, set_rtc),
    ONE("bios", "FILE", "bios.bin", "firmware image (default: the distribution's SeaBIOS)",
        "What it runs", set_bios),
    ONE("kernel", "FILE", "vmlinuz",
        "start this instead of the firmware: a Linux kernel or an ELF file", NULL, set_kernel),
    ONE("append", "TEXT", "'console=ttyS0'", "command line of a Linux kernel", NULL, set_append),
    ONE("initrd", "FILE", "initrd.img", "initial RAM disk of a Linux kernel", NULL, set_initrd),
    MANY("drive", "FILE[,rw]", "disk.img",
         "hard disk from a raw image, up to four; what the guest writes is\n"
         "dropped at the end unless rw is given",
         NULL, set_drive),
    MANY("load", "FILE@ADDRESS", "image.bin@100000", "put a file into RAM, as often as wanted",
         NULL, set_load),
    ONE("restore", "FILE", "machine.state",
        "go on from a saved state instead of power-on; what the machine is\n"
        "made of comes from the file",
        "Saved states", set_restore),
    ONE("save", "FILE", "machine.state", "save the machine's state, at the end or at --save-at",
        NULL, set_save),
    ONE("save-at", "MOMENT", "text:login:", "save at this moment (as --until has them) and go on",
        NULL, set_save_at),
    FLAG("save-live",
         "let the guest run on while its memory is written; the state is\n"
         "that of the moment the file is complete",
         NULL, set_save_live),
    ONE("serial", "stdio|null|file:PATH", "stdio",
        "first serial port (default stdio: stdin is typed into it)", "Consoles", set_serial),
    ONE("debugcon", "stdio|null|file:PATH", "file:bios.log",
        "debug port 402, SeaBIOS's messages (default null)", NULL, set_debugcon),
    MANY("until", "MOMENT", "text:login:",
         "end well, status 0, at text:TEXT time:SECONDS addr:ADDRESS\n"
         "sym:NAME or port:PORT[=VALUE]; any other word is a text; the first\n"
         "of several ends the run",
         "How it ends", set_until),
    ONE("timeout", "SECONDS", "10", "end after this much time of yours, status 6", NULL,
        set_timeout),
    ONE("max-time", "SECONDS", "60", "end after this much time of the guest's, status 6", NULL,
        set_max_time),
    ONE("on-reset", "stop|continue", "continue", "what a reset by the guest does (default stop)",
        NULL, set_on_reset),
    MANY("dump", "FILE@RANGE", "rom.bin@F0000+64K",
         "write guest memory to a file at the end, as often as wanted", "What it tells", set_dump),
    FLAG("map", "print the memory map at the end", NULL, set_map),
    MANY("info", "ITEM", "phys",
         "print what memory looks like at the end: phys, 'page F0000' and\n"
         "others, as often as wanted; help lists them",
         NULL, set_info),
    { "stats", "GLOB", "/PGM/*",
      "print counters at the end, all or those whose names match\n"
      "('*' and '?'); FILE.json instead is --stats-json FILE.json",
      FE_VALUE_OPTIONAL, false, NULL, set_stats },
    ONE("stats-json", "FILE", "stats.json", "write all counters to a file as JSON", NULL,
        set_stats_json),
    ONE("trace", "LIST[:FILE]", "mmio,irq:trace.txt",
        "one line for each mmio, pio, rom, fault, irq event or all of them,\n"
        "to the file or stderr",
        NULL, set_trace),
    FLAG("quiet", "no summary at the end", NULL, set_quiet),
    FLAG("version", "print versions", NULL, set_version),
    FLAG("help", "print this", NULL, set_help),
    { 0 },
};

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
    if (options->restore != NULL && options->loads->len > 0) {
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
    return check_stdio(options, error);
}

static void clear_drive(void *drive)
{
    g_free(((FeDrive *)drive)->path);
}

static void clear_load(void *load)
{
    g_free(((FeLoad *)load)->path);
}

static void clear_dump(void *dump)
{
    g_free(((FeDump *)dump)->path);
}

FeRunOptions *fe_run_options_new(char *const *argv, GError **error)
{
    g_autoptr(FeRunOptions) options = g_new0(FeRunOptions, 1);

    options->memory = UINT64_C(128) << 20;
    options->max_time_ns = EMU_CLOCK_NEVER;
    options->rtc_seconds = RTC_DEFAULT;
    options->debugcon.kind = FE_SINK_NULL;
    options->info = g_ptr_array_new_with_free_func(g_free);
    options->drives = g_array_new(FALSE, TRUE, sizeof(FeDrive));
    options->loads = g_array_new(FALSE, TRUE, sizeof(FeLoad));
    options->dumps = g_array_new(FALSE, TRUE, sizeof(FeDump));
    options->until = g_ptr_array_new_with_free_func((GDestroyNotify)fe_moment_free);
    g_array_set_clear_func(options->drives, clear_drive);
    g_array_set_clear_func(options->loads, clear_load);
    g_array_set_clear_func(options->dumps, clear_dump);
    if (!fe_options_parse(table, "quire run", argv, options, error) ||
        !check_states(options, error)) {
        return NULL;
    }
    /* A restored run's options are complete when those of its file were added. */
    if (options->restore == NULL && !fe_run_options_check(options, error)) {
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
    g_free(options->bios_label);
    g_free(options->bios_sum);
    g_free(options->kernel);
    g_free(options->append);
    g_free(options->initrd);
    g_array_unref(options->drives);
    g_array_unref(options->loads);
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
    fe_options_print_help(table, text);
}
