/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `quire state FILE`; see state.h. Opening a state checks all of it, so whatever can be printed is
 * whole.
 */
#include "state.h"

#include "emu/saved_state.h"
#include "fail.h"
#include "options.h"
#include "run.h"
#include "saved-options.h"
#include "say.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define U G_GUINT64_FORMAT

typedef struct StateOptions {
    const char *file; /* NULL: none given */
    bool json;
    bool help;
} StateOptions;

/* What is printed. */
typedef struct State {
    const char *file;
    MemStateReader *reader;
    char **strings; /* of the options */
    uint64_t guest_ns;
} State;

static bool set_json(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((StateOptions *)target)->json = true;
    return true;
}

static bool set_help(void *target, G_GNUC_UNUSED const char *value, G_GNUC_UNUSED GError **error)
{
    ((StateOptions *)target)->help = true;
    return true;
}

static const FeOption table[] = {
    { "json", NULL, NULL, "as JSON", FE_VALUE_NONE, false, "Options", set_json },
    { "help", NULL, NULL, "print this", FE_VALUE_NONE, false, NULL, set_help },
    { 0 },
};

static const FeOption *const tables[] = { table, NULL };

void fe_state_print_help(GString *text)
{
    g_string_append(
        text, "Usage: quire state FILE [OPTION...]\n"
              "Says what is in a saved state and whether it is whole: status 0, or 2 and "
              "one line\nthat says what is wrong where; with --json that is on stdout too, as "
              "\"error\".\n");
    fe_options_print_help(tables, text);
    g_string_append(text, "\nExamples:\n"
                          "  quire run --drive disk.img --save login.state --save-at login:\n"
                          "  quire state login.state\n"
                          "  quire run --restore login.state\n");
}

static bool parse(char *const *argv, StateOptions *options, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (; *argv != NULL; argv++) {
        if ((*argv)[0] == '-' && (*argv)[1] != '\0') {
            g_ptr_array_add(words, *argv);
        } else if ((*argv)[0] == '\0') {
            return fe_fail(error, "quire state: the name is empty: for example machine.state");
        } else if (options->file != NULL) {
            return fe_fail(error, "quire state takes one FILE: leave '%s' away", *argv);
        } else {
            options->file = *argv;
        }
    }
    g_ptr_array_add(words, NULL);
    if (!fe_options_parse(tables, "quire state", (char *const *)words->pdata, options, error)) {
        return false;
    }
    return options->help || options->file != NULL ||
           fe_fail(error, "quire state needs a FILE: for example quire state machine.state");
}

/* The value of "memory=128M" among @strings, or NULL. */
static const char *value_of(char *const *strings, const char *key)
{
    size_t len = strlen(key);

    for (; *strings != NULL; strings++) {
        if (strncmp(*strings, key, len) == 0 && (*strings)[len] == '=') {
            return *strings + len + 1;
        }
    }
    return NULL;
}

static void add_up(MemStateReader *reader, uint64_t *ret_raw, uint64_t *ret_file)
{
    MemStateUnit unit;

    *ret_raw = 0;
    *ret_file = 0;
    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        *ret_raw += unit.raw_bytes;
        *ret_file += unit.file_bytes;
    }
}

/* What stands in a file may steer a terminal. */
static void append_clean(GString *text, const char *words)
{
    for (; *words != '\0'; words++) {
        g_string_append_c(text, g_ascii_iscntrl(*words) ? '?' : *words);
    }
}

/* "bios-sum=BYTES-SHA256" and the like: not in the words of a person. */
static bool is_sum(const char *string)
{
    g_autofree char *key = g_strndup(string, strcspn(string, "="));

    return g_str_has_suffix(key, "-sum");
}

static void print(const State *state, GString *text)
{
    MemStateReader *reader = state->reader;
    char *const *strings = state->strings;
    uint64_t raw = 0;
    uint64_t in_file = 0;
    const char *memory = value_of(strings, "memory");
    const char *sum = value_of(strings, "bios-sum");
    const char *digest = NULL;
    uint64_t bios_size = 0;
    MemStateUnit unit;

    add_up(reader, &raw, &in_file);
    append_clean(text, state->file);
    g_string_append_printf(
        text, ": whole; version %u; %" U " bytes in %u units, %" U " in the file\n",
        mem_state_reader_version(reader), raw, mem_state_reader_n_units(reader), in_file);
    g_string_append(text, "memory: ");
    append_clean(text, memory != NULL ? memory : "not said");
    g_string_append_printf(
        text, "\nguest time: %" U ".%09" U " s\nmade with:", state->guest_ns / EMU_NS_PER_SECOND,
        state->guest_ns % EMU_NS_PER_SECOND);
    for (; *strings != NULL; strings++) {
        if (!is_sum(*strings)) {
            g_string_append(text, " --");
            append_clean(text, *strings);
        }
    }
    if (sum != NULL && fe_rom_sum_parse(sum, &bios_size, &digest)) {
        g_string_append_printf(text, "\nfirmware: %" U " bytes, SHA-256 %s", bios_size, digest);
    }
    g_string_append_printf(text, "\n%-31s %8s %7s %14s %14s %7s\n", "unit", "instance", "version",
                           "bytes", "in the file", "of it");
    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        g_string_append_printf(text, "%-31s %8u %7u %14" U " %14" U, unit.name, unit.instance,
                               unit.version, unit.raw_bytes, unit.file_bytes);
        if (unit.file_bytes <= unit.raw_bytes && unit.raw_bytes != 0) {
            g_string_append_printf(text, " %6.1f%%",
                                   100.0 * (double)unit.file_bytes / (double)unit.raw_bytes);
        }
        g_string_append_c(text, '\n');
    }
}

static void add_units(MemStateReader *reader, JsonArray *units)
{
    MemStateUnit unit;

    for (unsigned i = 0; mem_state_reader_unit(reader, i, &unit); i++) {
        JsonObject *object = json_object_new();

        json_object_set_string_member(object, "name", unit.name);
        json_object_set_int_member(object, "instance", unit.instance);
        json_object_set_int_member(object, "version", unit.version);
        json_object_set_int_member(object, "bytes", (gint64)unit.raw_bytes);
        json_object_set_int_member(object, "bytes_in_file", (gint64)unit.file_bytes);
        json_array_add_object_element(units, object);
    }
}

static void print_json_node(JsonObject *root, GString *text)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, root);

    g_autofree char *json = json_to_string(node, TRUE);

    g_string_append_printf(text, "%s\n", json);
}

static void print_json(const State *state, GString *text)
{
    MemStateReader *reader = state->reader;
    char *const *strings = state->strings;
    JsonObject *root = json_object_new();
    JsonArray *units = json_array_new();
    JsonArray *made_with = json_array_new();

    add_units(reader, units);
    for (char *const *string = strings; *string != NULL; string++) {
        g_autofree char *valid = g_utf8_make_valid(*string, -1);

        json_array_add_string_element(made_with, valid);
    }
    g_autofree char *file = g_utf8_make_valid(state->file, -1);
    const char *memory = value_of(strings, "memory");
    g_autofree char *valid_memory = memory != NULL ? g_utf8_make_valid(memory, -1) : NULL;

    json_object_set_string_member(root, "file", file);
    json_object_set_boolean_member(root, "whole", TRUE);
    json_object_set_int_member(root, "version", mem_state_reader_version(reader));
    if (valid_memory != NULL) {
        json_object_set_string_member(root, "memory", valid_memory);
    }
    json_object_set_int_member(root, "guest_ns",
                               (gint64)MIN(state->guest_ns, (uint64_t)G_MAXINT64));
    json_object_set_array_member(root, "made_with", made_with);
    json_object_set_array_member(root, "units", units);
    print_json_node(root, text);
}

/* For programs: that a file is not whole is an answer too. */
static void print_json_error(const char *name, const char *message, GString *text)
{
    JsonObject *root = json_object_new();
    g_autofree char *file = g_utf8_make_valid(name, -1);
    g_autofree char *valid_message = g_utf8_make_valid(message, -1);

    json_object_set_string_member(root, "file", file);
    json_object_set_boolean_member(root, "whole", FALSE);
    json_object_set_string_member(root, "error", valid_message);
    print_json_node(root, text);
}

static bool answer(const StateOptions *options, GString *text, GError **error)
{
    if (options->help) {
        fe_state_print_help(text);
        return true;
    }
    g_autoptr(MemStateReader) reader = mem_state_reader_new(options->file, error);

    if (reader == NULL) {
        return false;
    }
    g_auto(GStrv) strings = emu_state_options(reader, error);

    State state = { .file = options->file, .reader = reader, .strings = strings };

    if (strings == NULL || !emu_state_guest_ns(reader, &state.guest_ns, error)) {
        return false;
    }
    (options->json ? print_json : print)(&state, text);
    return true;
}

int fe_state(char *const *argv)
{
    StateOptions options = { 0 };
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (!parse(argv, &options, &error)) {
        fe_say("%s", error->message);
        return FE_STATUS_USAGE;
    }
    if (!answer(&options, text, &error)) {
        fe_say("%s", error->message);
        if (options.json) {
            print_json_error(options.file, error->message, text);
            (void)fe_print(text->str);
        }
        return FE_STATUS_USAGE;
    }
    return fe_print(text->str) ? FE_STATUS_GOOD : FE_STATUS_USAGE;
}
