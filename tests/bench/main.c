/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quire-bench: runs rows, prints both sides, the ratio and whether the target was reached.
 *
 * Exit status: 0 if every chosen row ran, whatever the numbers say; 1 if one did not; 2 for wrong
 * arguments.
 */
#include "bench.h"
#include "curves.h"

#include "emu/machine.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 9
#define ROUNDS_QUICK 1

static const BenchRow *const lists[] = {
    bench_access_rows,  bench_map_rows,    bench_guest_rows, bench_snapshot_rows,
    bench_content_rows, bench_screen_rows, bench_boot_rows,
};

typedef struct Options {
    gchar *only; /* a name, * and ? stand for anything */
    gchar *json;
    gchar *curves;
    gboolean quick;
    gboolean list;
} Options;

static int compare_doubles(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof(values[0]), compare_doubles);
    return n % 2 != 0 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static bool is_reached(const BenchResult *result)
{
    switch (result->row->target) {
    case BENCH_RATIO_AT_LEAST:
        return result->ratio >= result->row->at;
    case BENCH_OURS_AT_MOST:
        return result->ours <= result->row->at;
    case BENCH_DIFFERENCE_AT_MOST:
        return result->ours - result->theirs <= result->row->at;
    case BENCH_NO_TARGET:
    default:
        return true;
    }
}

/* Both sides in turn; one round more than is counted, because the first finds everything cold. */
static bool run_rounds(const BenchRow *row, void *state, unsigned n, BenchResult *result)
{
    g_autofree double *ours = g_new0(double, n);
    g_autofree double *theirs = g_new0(double, n);

    for (unsigned i = 0; i < n + 1; i++) {
        double a = row->run_ours(state);
        double b = row->run_theirs != NULL ? row->run_theirs(state) : 0;

        if (a < 0 || b < 0) {
            result->problem = g_strdup(a < 0 ? "our side failed" : "the other side failed");
            return false;
        }
        if (i > 0) {
            ours[i - 1] = a;
            theirs[i - 1] = b;
        }
    }
    result->ours = median(ours, n);
    result->theirs = median(theirs, n);
    result->ratio = result->ours > 0 ? result->theirs / result->ours : 0;
    return true;
}

static BenchResult run_row(const BenchRow *row, bool quick)
{
    g_autoptr(GError) error = NULL;
    BenchResult result = { .row = row };
    void *state = row->setup(row, quick, &error);

    if (state == NULL) {
        result.problem = g_strdup(error != NULL ? error->message : "no reason given");
        return result;
    }
    unsigned n = quick ? ROUNDS_QUICK : row->rounds != 0 ? row->rounds : ROUNDS;

    result.ran = run_rounds(row, state, n, &result);
    row->teardown(state);
    result.reached = result.ran && is_reached(&result);
    return result;
}

static bool is_chosen(const BenchRow *row, const Options *options)
{
    return options->only == NULL || g_pattern_match_simple(options->only, row->name);
}

static void list_row(const BenchRow *row)
{
    printf("%-22s %s%s%s\n", row->name, row->ours, row->theirs == NULL ? "" : "  |  ",
           row->theirs == NULL ? "" : row->theirs);
}

/* Returns: how many of the chosen rows did not run */
static unsigned run_all(const Options *options, GArray *results)
{
    unsigned n_failed = 0;

    if (!options->list) {
        printf("Quire %s, Unicorn %s%s; medians; ratio = theirs / ours\n", QUIRE_VERSION,
               emu_engine_version(), options->quick ? "; QUICK: the numbers mean nothing" : "");
        printf("%-22s %14s %16s %9s   %s\n", "row", "ours", "theirs", "ratio", "target");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const BenchRow *row = lists[i]; row->name != NULL; row++) {
            if (!is_chosen(row, options)) {
                continue;
            }
            BenchResult result = { .row = row, .ran = true };

            if (options->list) {
                list_row(row);
            } else {
                result = run_row(row, options->quick);
                bench_print_result(&result);
                fflush(stdout);
            }
            n_failed += !result.ran;
            g_array_append_val(results, result);
        }
    }
    return n_failed;
}

static void clear_result(gpointer data)
{
    g_free(((BenchResult *)data)->problem);
}

static bool parse(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "only", 0, 0, G_OPTION_ARG_STRING, &options->only,
          "Run the rows of this name; * and ? stand for anything", "ROW" },
        { "json", 0, 0, G_OPTION_ARG_FILENAME, &options->json,
          "Write the results to a file as JSON, too", "FILE" },
        { "curves", 0, 0, G_OPTION_ARG_FILENAME, &options->curves,
          "Measure curves instead of rows and write them to a file as JSON", "FILE" },
        { "quick", 0, 0, G_OPTION_ARG_NONE, &options->quick,
          "Tiny sizes: shows only that every row runs", NULL },
        { "list", 0, 0, G_OPTION_ARG_NONE, &options->list,
          "Name the rows and what each side does, run none", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- measure Quire against others");

    g_option_context_set_summary(
        context, "Each row measures the same work done by Quire and by an opponent (mostly stock\n"
                 "Unicorn), in turn, and compares the medians with what was to be reached.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error)) {
        return false;
    }
    if (*argc > 1) {
        g_set_error(error, BENCH_ERROR, 0, "unexpected argument \"%s\"", (*argv)[1]);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Options options = { 0 };
    int status = EXIT_SUCCESS;

    if (!parse(&options, &argc, &argv, &error)) {
        fprintf(stderr, "quire-bench: %s (see --help)\n", error->message);
        return 2;
    }
    if (options.curves != NULL) {
        bool ok = bench_curves(options.curves, options.quick, &error);

        if (!ok) {
            fprintf(stderr, "quire-bench: %s\n", error->message);
        }
        g_free(options.curves);
        g_free(options.only);
        g_free(options.json);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    GArray *results = g_array_new(FALSE, FALSE, sizeof(BenchResult));

    g_array_set_clear_func(results, clear_result);
    if (run_all(&options, results) > 0) {
        status = EXIT_FAILURE;
    }
    if (results->len == 0) {
        fprintf(stderr, "quire-bench: no row is called \"%s\" (see --list)\n", options.only);
        status = 2;
    } else if (options.json != NULL && !options.list &&
               !bench_write_json(options.json, results, options.quick, &error)) {
        fprintf(stderr, "quire-bench: %s\n", error->message);
        status = EXIT_FAILURE;
    }
    g_array_unref(results);
    g_free(options.only);
    g_free(options.json);
    return status;
}
