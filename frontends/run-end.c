/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a run, whatever way it came; see run-internal.h. Files first, so that what is wrong
 * with them is said before the summary; the last line says why the run ended.
 */
#include "counters.h"
#include "emu/trace.h"
#include "report.h"
#include "run-internal.h"
#include "run.h"
#include "say.h"
#include "summary.h"
#include "typing.h"

#include <string.h>

static void spoil(FeOutcome *outcome)
{
    outcome->status = outcome->status == FE_STATUS_GOOD ? FE_STATUS_USAGE : outcome->status;
}

static void note_trouble(FeOutcome *outcome, const char *option, const FeOutput *output)
{
    g_autofree char *trouble = fe_output_describe_error(output);

    if (trouble != NULL) {
        fe_say("%s: %s", option, trouble);
        spoil(outcome);
    }
}

static void write_dumps(FeRun *run, FeOutcome *outcome)
{
    for (unsigned i = 0; i < run->dumps->len; i++) {
        const FeDump *dump = &g_array_index(run->options->dumps, FeDump, i);
        FeOutput *output = g_ptr_array_index(run->dumps, i);

        fe_report_dump(emu_machine_pgm(run->guest->machine), &dump->range, output);
        note_trouble(outcome, "--dump", output);
    }
}

static void write_pictures(FeRun *run, FeOutcome *outcome)
{
    if (!fe_screen_shots_write(run->screen)) {
        spoil(outcome);
    }
    if (!fe_memory_files_write(run->memory)) {
        spoil(outcome);
    }
}

static void write_stats(FeRun *run, FeOutcome *outcome, const FeCounters *counters, GString *text)
{
    if (run->stats != NULL) {
        g_autofree char *json = fe_counters_to_json(counters, outcome->reason, outcome->status);

        fe_output_sink(run->stats, (const uint8_t *)json, strlen(json));
        fe_output_sink(run->stats, (const uint8_t *)"\n", 1);
        fe_output_flush(run->stats);
        note_trouble(outcome, "--stats-json", run->stats);
    }
    if (run->options->stats) {
        fe_counters_print(counters, run->options->stats_glob, text);
    }
}

static void close_trace(FeRun *run, FeOutcome *outcome)
{
    emu_machine_set_trace(run->guest->machine, 0, NULL);
    if (run->trace != NULL) {
        fflush(run->trace);
        fe_output_flush(run->trace_output);
        note_trouble(outcome, "--trace", run->trace_output);
    }
}

static void print_info(const FeRun *run, GString *text)
{
    for (unsigned i = 0; i < run->options->info->len; i++) {
        const char *request = g_ptr_array_index(run->options->info, i);
        g_autoptr(GError) error = NULL;

        g_string_append_printf(text, "quire: info %s:\n", request);
        if (!pgm_info(emu_machine_pgm(run->guest->machine), request, text, &error)) {
            g_string_append_printf(text, "%s\n", error->message);
        }
    }
}

static void say_saved(const FeRun *run)
{
    if (!run->options->quiet) {
        fe_say("saved: %s", run->options->save);
    }
    if (fe_saver_lost_reset(run->saver)) {
        fe_say("--save: the guest had asked for a reset: the state goes on behind it; save at %s",
               run->options->reset_continues ? "another moment"
                                             : "a moment, or use --on-reset continue");
    }
}

static void finish_save(FeRun *run, FeOutcome *outcome)
{
    g_autoptr(GError) error = NULL;

    if (run->saver == NULL) {
        return;
    }
    if (!fe_saver_finish(run->saver, &error)) {
        fe_say("%s", error->message);
        spoil(outcome);
    } else if (fe_saver_is_done(run->saver)) {
        say_saved(run);
    } else if (!fe_saver_has_begun(run->saver)) {
        fe_say("--save-at was not seen: nothing is saved");
    }
}

static void tell(FeRun *run, FeOutcome *outcome, uint64_t wall_ns)
{
    const FeRunOptions *options = run->options;
    EmuMachine *machine = run->guest->machine;
    g_autoptr(GString) text = g_string_new(NULL);
    FeCounters counters;

    fe_counters_collect(machine, wall_ns, &counters);
    close_trace(run, outcome);
    write_dumps(run, outcome);
    write_pictures(run, outcome);
    if (outcome->show_state) {
        fe_report_failure(machine, &outcome->stop, run->guest->symbols, text);
    }
    if (options->map) {
        pgm_print_map(emu_machine_pgm(machine), text);
    }
    print_info(run, text);
    write_stats(run, outcome, &counters, text);
    if (!options->quiet) {
        fe_summary_print(&counters, text);
    }
    fe_say_text(text->str);
    fe_say("stopped: %s", outcome->reason);
}

void fe_run_end(FeRun *run, FeOutcome *outcome, uint64_t wall_ns)
{
    finish_save(run, outcome);
    fe_typing_tell(run->guest, run->watch);
    tell(run, outcome, wall_ns);
}
