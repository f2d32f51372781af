/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results as a table for people and as JSON for programs. */
#include "bench.h"

#include "emu/machine.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

/* Three digits that matter, never 1e+06. */
static void print_number(GString *text, double value, const char *unit)
{
    int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;

    g_string_append_printf(text, "%.*f %s", decimals, value, unit);
}

static void print_target(GString *text, const BenchRow *row)
{
    switch (row->target) {
    case BENCH_NO_TARGET:
        break;
    case BENCH_RATIO_AT_LEAST:
        g_string_append_printf(text, "at least %.3g", row->at);
        break;
    case BENCH_OURS_AT_MOST:
        g_string_append(text, "ours at most ");
        print_number(text, row->at, row->unit);
        break;
    case BENCH_DIFFERENCE_AT_MOST:
        g_string_append(text, "at most ");
        print_number(text, row->at, row->unit);
        g_string_append(text, " more");
        break;
    }
}

void bench_print_result(const BenchResult *result)
{
    const BenchRow *row = result->row;
    g_autoptr(GString) ours = g_string_new(NULL);
    g_autoptr(GString) theirs = g_string_new(NULL);
    g_autoptr(GString) ratio = g_string_new(NULL);
    g_autoptr(GString) target = g_string_new(NULL);

    if (!result->ran) {
        printf("%-22s did not run: %s\n", row->name, result->problem);
        return;
    }
    print_number(ours, result->ours, row->unit);
    if (row->run_theirs != NULL) {
        print_number(theirs, result->theirs, row->unit);
        g_string_append_printf(ratio, "%.2f", result->ratio);
    }
    print_target(target, row);
    printf("%-22s %14s %16s %9s   %-26s %s\n", row->name, ours->str, theirs->str, ratio->str,
           target->str,
           row->target == BENCH_NO_TARGET ? ""
           : result->reached              ? "reached"
                                          : "MISSED");
    printf("    %s%s%s\n", row->ours, row->theirs == NULL ? "" : "  |  ",
           row->theirs == NULL ? "" : row->theirs);
}

static void add_side(JsonBuilder *builder, const char *name, const char *what, double value)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "what");
    json_builder_add_string_value(builder, what);
    json_builder_set_member_name(builder, "value");
    json_builder_add_double_value(builder, value);
    json_builder_end_object(builder);
}

static void add_target(JsonBuilder *builder, const BenchResult *result)
{
    static const char *const kinds[] = { [BENCH_RATIO_AT_LEAST] = "ratio at least",
                                         [BENCH_OURS_AT_MOST] = "ours at most",
                                         [BENCH_DIFFERENCE_AT_MOST] = "difference at most" };

    json_builder_set_member_name(builder, "target");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "kind");
    json_builder_add_string_value(builder, kinds[result->row->target]);
    json_builder_set_member_name(builder, "value");
    json_builder_add_double_value(builder, result->row->at);
    json_builder_set_member_name(builder, "reached");
    json_builder_add_boolean_value(builder, result->reached);
    json_builder_end_object(builder);
}

static void add_result(JsonBuilder *builder, const BenchResult *result)
{
    const BenchRow *row = result->row;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "name");
    json_builder_add_string_value(builder, row->name);
    json_builder_set_member_name(builder, "ran");
    json_builder_add_boolean_value(builder, result->ran);
    if (result->ran) {
        json_builder_set_member_name(builder, "unit");
        json_builder_add_string_value(builder, row->unit);
        add_side(builder, "ours", row->ours, result->ours);
        if (row->run_theirs != NULL) {
            add_side(builder, "theirs", row->theirs, result->theirs);
            json_builder_set_member_name(builder, "ratio");
            json_builder_add_double_value(builder, result->ratio);
        }
        if (row->target != BENCH_NO_TARGET) {
            add_target(builder, result);
        }
    } else {
        json_builder_set_member_name(builder, "problem");
        json_builder_add_string_value(builder, result->problem);
    }
    json_builder_end_object(builder);
}

bool bench_write_json(const char *path, const GArray *results, bool quick, GError **error)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "quire");
    json_builder_add_string_value(builder, QUIRE_VERSION);
    json_builder_set_member_name(builder, "unicorn");
    json_builder_add_string_value(builder, emu_engine_version());
    json_builder_set_member_name(builder, "quick");
    json_builder_add_boolean_value(builder, quick);
    json_builder_set_member_name(builder, "rows");
    json_builder_begin_array(builder);
    for (unsigned i = 0; i < results->len; i++) {
        add_result(builder, &g_array_index(results, BenchResult, i));
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);

    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    return json_generator_to_file(generator, path, error);
}
