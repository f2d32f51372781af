/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `quire run`: options, machine, files, the loop, and what is said at the end. Everything that can
 * be wrong with words and files is found before the guest runs.
 */
#include "run.h"

#include "counters.h"
#include "emu/trace.h"
#include "fail.h"
#include "help.h"
#include "machine-file.h"
#include "run-internal.h"
#include "say.h"
#include "signals.h"
#include "terminal.h"
#include "typing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FeOutput *open_output(FeRun *run, const char *option, const char *path, GError **error)
{
    int fd = fe_files_open_output(run->files, option, path, error);

    return fd >= 0 ? fe_output_new(fd, path) : NULL;
}

static bool open_console(FeRun *run, unsigned which, const FeSink *sink, const char *option,
                         const char *console, GError **error)
{
    if (sink->kind == FE_SINK_NULL) {
        return true;
    }
    run->consoles[which] = sink->kind == FE_SINK_STDIO
                               ? fe_output_new(STDOUT_FILENO, "stdout")
                               : open_output(run, option, sink->path, error);
    if (run->consoles[which] == NULL) {
        return false;
    }
    emu_console_add_sink(emu_machine_console(run->guest->machine, console), fe_output_sink,
                         run->consoles[which]);
    return true;
}

static bool open_trace(FeRun *run, GError **error)
{
    const FeRunOptions *options = run->options;

    if (options->trace_classes == 0) {
        return true;
    }
    run->trace_output = options->trace_path != NULL
                            ? open_output(run, "--trace", options->trace_path, error)
                            : fe_output_new(STDERR_FILENO, "stderr");
    if (run->trace_output == NULL) {
        return false;
    }
    run->trace = fe_output_open_stream(run->trace_output);
    if (run->trace == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "--trace: %s", g_strerror(errno));
        return false;
    }
    if (options->trace_path == NULL) {
        setvbuf(run->trace, NULL, _IOLBF, 0); /* in order with what else is said there */
    }
    emu_machine_set_trace(run->guest->machine, options->trace_classes, run->trace);
    return true;
}

static bool open_dumps(FeRun *run, GError **error)
{
    for (unsigned i = 0; i < run->options->dumps->len; i++) {
        const FeDump *dump = &g_array_index(run->options->dumps, FeDump, i);
        FeOutput *output = open_output(run, "--dump", dump->path, error);

        if (output == NULL) {
            return false;
        }
        g_ptr_array_add(run->dumps, output);
    }
    if (run->options->stats_path != NULL) {
        run->stats = open_output(run, "--stats-json", run->options->stats_path, error);
        return run->stats != NULL;
    }
    return true;
}

/* Of files that are replaced at the end: none is touched now. */
static bool open_pictures(FeRun *run, GError **error)
{
    const FeGuest *guest = run->guest;

    run->screen = fe_screen_shots_new(run->options, dev_pc_screen(guest->pc),
                                      emu_machine_clock(guest->machine), run->files, error);
    if (run->screen == NULL) {
        return false;
    }
    run->memory = fe_memory_files_new(run->guest, run->files, error);
    return run->memory != NULL;
}

/* The machine at power-on, or as it was saved. */
static bool set_up_guest(FeRun *run, GError **error)
{
    g_autoptr(MemStateReader) reader = NULL;

    if (run->options->restore != NULL) {
        reader = fe_restore_open(run->options, run->files, error);
        if (reader == NULL) {
            return false;
        }
    }
    run->guest = fe_guest_new(run->options, run->files, error);
    return run->guest != NULL && (reader == NULL || fe_restore(run->guest, reader, error));
}

/* What is asked for at the end must be there: better said now. */
static bool check_questions(FeRun *run, GError **error)
{
    const FeRunOptions *options = run->options;
    g_autoptr(GString) text = g_string_new(NULL);
    FeCounters counters;

    fe_counters_collect(run->guest->machine, 0, &counters);
    if (options->stats && fe_counters_print(&counters, options->stats_glob, text) == 0) {
        return fe_fail(error,
                       "--stats: no counter is called '%s': --stats alone lists all, a file "
                       "is --stats-json FILE",
                       options->stats_glob);
    }
    for (unsigned i = 0; i < options->info->len; i++) {
        if (!pgm_info(counters.memory, g_ptr_array_index(options->info, i), text, error)) {
            g_prefix_error(error, "--info: ");
            return false;
        }
    }
    return true;
}

/* Inputs first: nobody's output is emptied for a run that cannot start. */
static bool set_up(FeRun *run, char *const *argv, GError **error)
{
    run->options = fe_run_options_new(argv, error);
    if (run->options == NULL || run->options->asked != FE_ASKED_RUN) {
        return run->options != NULL;
    }
    const FeRunOptions *options = run->options;

    run->files = fe_files_new();
    run->dumps = g_ptr_array_new_with_free_func((GDestroyNotify)fe_output_free);
    if (!set_up_guest(run, error) || !check_questions(run, error)) {
        return false;
    }
    if (options->save != NULL) {
        run->saver = fe_saver_new(run->guest, run->files, error);
        if (run->saver == NULL) {
            return false;
        }
    }
    fe_typing_leave_out_restored(run->options,
                                 emu_clock_now(emu_machine_clock(run->guest->machine)));
    run->watch = fe_moment_watch_new(run->guest->machine, options, run->guest->symbols, error);
    return run->watch != NULL && fe_typing_start(run->guest, error) && open_pictures(run, error) &&
           open_console(run, FE_OUT_SERIAL, &options->serial, "--serial", "serial0", error) &&
           open_console(run, FE_OUT_DEBUGCON, &options->debugcon, "--debugcon", "debugcon",
                        error) &&
           open_trace(run, error) && open_dumps(run, error);
}

static bool stdout_is_stderr(void)
{
    struct stat out;
    struct stat err;

    return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
           out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

/* Where both are the same terminal, pipe or file, our words start on a line of their own. */
static void end_console_line(const FeRun *run)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(run->consoles); i++) {
        const FeOutput *output = run->consoles[i];

        if (output != NULL && fe_output_is_stdout(output) && fe_output_is_mid_line(output) &&
            stdout_is_stderr()) {
            fe_say_text("\n");
        }
    }
}

/* What was asked for and cannot come to anything. */
static void warn(const FeRunOptions *options)
{
    bool has_roms = options->nic != NULL || options->option_roms->len > 0;

    if (options->kernel != NULL && !options->quiet &&
        (has_roms || fe_run_options_has_vga(options))) {
        fe_say("--kernel starts without the firmware: %s",
               has_roms ? "no option ROM and no video BIOS runs"
                        : "no video BIOS runs, the screen is off until the kernel sets a mode");
    }
}

static int perform(FeRun *run)
{
    g_autoptr(GPtrArray) ticks = g_ptr_array_new();
    FeRunLoop loop = {
        run->guest, run->watch, run->saver, { run->consoles[0], run->consoles[1] }, ticks
    };
    FeOutcome outcome = { 0 };
    int64_t start_us = g_get_monotonic_time();

    warn(run->options);
    fe_screen_shots_add_ticks(run->screen, ticks);
    fe_memory_files_add_ticks(run->memory, ticks);
    fe_signals_start(run->guest->machine, run->options->timeout_ns);
    if (run->options->serial.kind == FE_SINK_STDIO) {
        fe_terminal_start(emu_machine_console(run->guest->machine, "serial0"));
    }
    fe_run_loop(&loop, &outcome);
    fe_terminal_restore();
    end_console_line(run);
    fe_run_end(run, &outcome, (uint64_t)(g_get_monotonic_time() - start_us) * 1000);
    fe_signals_stop();
    g_free(outcome.reason);
    return outcome.status;
}

static int answer(const FeRunOptions *options)
{
    g_autoptr(GString) text = g_string_new(NULL);

    switch (options->asked) {
    case FE_ASKED_PRINT_MACHINE:
        fe_machine_file_print(options, text);
        break;
    case FE_ASKED_HELP:
        fe_help_run(text);
        break;
    case FE_ASKED_VERSION:
        fe_help_version(text);
        break;
    case FE_ASKED_CPUS:
        fe_help_cpus(text);
        break;
    case FE_ASKED_MACHINES:
        fe_help_machines(text);
        break;
    case FE_ASKED_INFO:
        fe_help_info(text);
        break;
    case FE_ASKED_RUN:
        break;
    }
    return fe_print(text->str) ? FE_STATUS_GOOD : FE_STATUS_USAGE;
}

static void clear(FeRun *run)
{
    fe_saver_free(run->saver);
    fe_screen_shots_free(run->screen);
    fe_memory_files_free(run->memory);
    fe_guest_free(run->guest);
    fe_moment_watch_free(run->watch);
    fe_output_free(run->consoles[FE_OUT_SERIAL]);
    fe_output_free(run->consoles[FE_OUT_DEBUGCON]);
    g_clear_pointer(&run->dumps, g_ptr_array_unref);
    fe_output_free(run->stats);
    if (run->trace != NULL) {
        fclose(run->trace);
    }
    fe_output_free(run->trace_output);
    fe_files_free(run->files);
    fe_run_options_free(run->options);
}

int fe_run(char *const *argv)
{
    FeRun run = { 0 };
    g_autoptr(GError) error = NULL;
    int status = FE_STATUS_USAGE;

    if (!set_up(&run, argv, &error)) {
        if (run.options != NULL) {
            fe_run_options_blame(run.options, &error);
        }
        fe_say("%s", error->message);
    } else if (run.options->asked != FE_ASKED_RUN) {
        status = answer(run.options);
    } else {
        status = perform(&run);
    }
    clear(&run);
    return status;
}
