/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine files: from groups and keys to options of `quire run`; see machine-file.h. Printing them
 * is in machine-print.c.
 */
#include "devices/pc.h"
#include "fail.h"
#include "ini-file.h"
#include "machine-file-internal.h"
#include "slips.h"

#include <string.h>

/* ---- messages */

static char *origin_of(const FeMachineReader *reader, const char *key)
{
    return g_strdup_printf("%s: [%s]%s%s", reader->path, reader->group, key != NULL ? " " : "",
                           key != NULL ? key : "");
}

/* In front of an error that does not say where. */
bool fe_machine_blame(const FeMachineReader *reader, const char *key, GError **error)
{
    g_autofree char *origin = origin_of(reader, key);

    g_prefix_error(error, "%s: ", origin);
    return false;
}

const char *fe_machine_guess(const char *const *names, const char *name)
{
    const char *best = NULL;
    unsigned best_distance = 3;

    for (; *names != NULL; names++) {
        unsigned distance = fe_slips(name, strlen(name), *names);

        if (distance < best_distance) {
            best_distance = distance;
            best = *names;
        }
    }
    return best;
}

/* No key of [machine] or [run], and none of the others it was compared with. */
bool fe_machine_refuse_key(const FeMachineReader *reader, const char *key, const char *near_by,
                           GError **error)
{
    if (near_by != NULL) {
        fe_fail(error, "there is no such key; did you mean %s?", near_by);
    } else {
        fe_fail(error, "there is no such key; 'quire run --print-machine' prints a machine file");
    }
    return fe_machine_blame(reader, key, error);
}

/* What stands elsewhere in a machine file. */
static bool refuse_option(const FeMachineReader *reader, const char *key, const char *name,
                          GError **error)
{
    const char *group = fe_group_of_option(name);

    if (group == NULL) {
        fe_fail(error, "that is for the command line alone: leave it away");
    } else {
        fe_fail(error, "that stands in %s", group);
    }
    return fe_machine_blame(reader, key, error);
}

/* ---- values */

void fe_machine_add(FeMachineReader *reader, const char *option, const char *value, const char *key)
{
    g_autofree char *origin = origin_of(reader, key);

    g_ptr_array_add(
        reader->settings,
        fe_setting_new(fe_options_lookup(reader->tables, option, strlen(option)), value, origin));
}

/* The value of @key, which must be there and not empty. */
char *fe_machine_get(const FeMachineReader *reader, const char *key, const char *example,
                     GError **error)
{
    g_autofree char *value = NULL;

    if (!g_key_file_has_key(reader->file, reader->group, key, NULL)) {
        fe_fail(error, "%s is missing: for example %s=%s", key, key, example);
        fe_machine_blame(reader, NULL, error);
        return NULL;
    }
    value = fe_ini_get(reader->file, reader->group, key, error);
    if (value != NULL && value[0] == '\0') {
        fe_fail(error, "the value is empty: for example %s=%s", key, example);
        g_clear_pointer(&value, g_free);
    }
    if (value == NULL) {
        fe_machine_blame(reader, key, error);
    }
    return g_steal_pointer(&value);
}

bool fe_machine_parse_flag(const FeMachineReader *reader, const char *key, const char *value,
                           bool *ret_flag, GError **error)
{
    *ret_flag = strcmp(value, "true") == 0;
    if (!*ret_flag && strcmp(value, "false") != 0) {
        fe_fail(error, "'%s' is neither true nor false", value);
        return fe_machine_blame(reader, key, error);
    }
    return true;
}

/* @key of the file as @option. */
bool fe_machine_add_option(FeMachineReader *reader, const FeOption *option, const char *key,
                           GError **error)
{
    g_autofree char *value =
        fe_machine_get(reader, key, option->example != NULL ? option->example : "true", error);
    bool flag = true;

    if (value == NULL) {
        return false;
    }
    if (option->value == FE_VALUE_NONE) {
        if (!fe_machine_parse_flag(reader, key, value, &flag, error)) {
            return false;
        }
        g_clear_pointer(&value, g_free);
    } else if (option->value == FE_VALUE_OPTIONAL &&
               (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
        flag = value[0] == 't';
        g_clear_pointer(&value, g_free);
    } else if (option->value == FE_VALUE_TWO && strchr(value, ' ') == NULL) {
        fe_fail(error, "it needs two words: for example %s=%s", key, option->example);
        return fe_machine_blame(reader, key, error);
    }
    if (flag) {
        fe_machine_add(reader, option->name, value, key);
    }
    return true;
}

/* ---- [machine] */

static bool read_machine(FeMachineReader *reader, char *const *keys, GError **error)
{
    for (; *keys != NULL; keys++) {
        const char *key = *keys;
        const char *name = strcmp(key, "board") == 0 ? "machine" : key;

        if (!g_strv_contains(fe_machine_keys, key)) {
            return fe_options_lookup(reader->tables, key, strlen(key)) != NULL
                       ? refuse_option(reader, key, key, error)
                       : fe_machine_refuse_key(reader, key, fe_machine_guess(fe_machine_keys, key),
                                               error);
        }
        if (!fe_machine_add_option(reader, fe_options_lookup(reader->tables, name, strlen(name)),
                                   key, error)) {
            return false;
        }
        const FeSetting *setting =
            reader->settings->len > 0
                ? g_ptr_array_index(reader->settings, reader->settings->len - 1)
                : NULL;

        if (strcmp(key, "board") == 0 && strcmp(setting->value, "pc") != 0) {
            fe_fail(error, "there is no board '%s': say pc", setting->value);
            return fe_machine_blame(reader, key, error);
        }
    }
    return true;
}

/* ---- [run] */

/* One key of [run]. */
typedef struct RunKey {
    const FeOption *option;
    const char *key;
    unsigned number; /* of "until.2"; 0: none */
} RunKey;

/* Those of one option by their numbers; a --type-at behind the --type of its number. */
static int compare_run_keys(const void *a, const void *b)
{
    const RunKey *left = a;
    const RunKey *right = b;

    if (left->number != right->number) {
        return left->number < right->number ? -1 : 1;
    }
    return (strcmp(left->option->name, "type-at") == 0) -
           (strcmp(right->option->name, "type-at") == 0);
}

/* "until.2"; a number has no zeros in front. */
static bool parse_run_key(const FeMachineReader *reader, const char *key, RunKey *ret_key,
                          GError **error)
{
    size_t len = strcspn(key, ".");
    const FeOption *option = fe_options_lookup(reader->tables, key, len);
    const char *digits = key[len] == '.' ? key + len + 1 : NULL;
    uint64_t number = 0;

    if (option == NULL) {
        return fe_machine_refuse_key(reader, key, fe_options_guess(reader->tables, key, len),
                                     error);
    }
    if (fe_group_of_option(option->name) == NULL ||
        strcmp(fe_group_of_option(option->name), "[run]") != 0) {
        return refuse_option(reader, key, option->name, error);
    }
    if (digits != NULL) {
        if (!option->repeats) {
            fe_fail(error, "%s is given once: leave .%s away", option->name, digits);
            return fe_machine_blame(reader, key, error);
        }
        if (digits[0] < '1' || digits[0] > '9' ||
            !g_ascii_string_to_unsigned(digits, 10, 1, 99999, &number, NULL)) {
            fe_fail(error, "'%s' is no number from 1 to 99999", digits);
            return fe_machine_blame(reader, key, error);
        }
    }
    *ret_key = (RunKey) { option, key, (unsigned)number };
    return true;
}

/* Each type-at needs the type of its number, and comes behind it. */
static bool check_typing(const FeMachineReader *reader, const GArray *keys, GError **error)
{
    for (unsigned i = 0; i < keys->len; i++) {
        const RunKey *key = &g_array_index(keys, RunKey, i);
        g_autofree char *type = strcmp(key->option->name, "type-at") != 0 ? NULL
                                : key->number > 0 ? g_strdup_printf("type.%u", key->number)
                                                  : g_strdup("type");

        if (type != NULL && !g_key_file_has_key(reader->file, reader->group, type, NULL)) {
            fe_fail(error, "there is no %s that it belongs to", type);
            return fe_machine_blame(reader, key->key, error);
        }
    }
    return true;
}

static bool read_run(FeMachineReader *reader, char *const *names, GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, TRUE, sizeof(RunKey));

    for (; *names != NULL; names++) {
        RunKey key;

        if (!parse_run_key(reader, *names, &key, error)) {
            return false;
        }
        g_array_append_val(keys, key);
    }
    if (!check_typing(reader, keys, error)) {
        return false;
    }
    g_array_sort(keys, compare_run_keys);
    for (unsigned i = 0; i < keys->len; i++) {
        const RunKey *key = &g_array_index(keys, RunKey, i);

        if (!fe_machine_add_option(reader, key->option, key->key, error)) {
            return false;
        }
    }
    return true;
}

/* ---- the file */

typedef struct Group {
    const char *name;
    bool (*read)(FeMachineReader *reader, char *const *keys, GError **error);
    bool is_many; /* a name of its own stands behind it */
} Group;

static const Group groups[] = {
    { "machine", read_machine, false },       { "rom", fe_machine_read_rom, true },
    { "load", fe_machine_read_load, true },   { "device", fe_machine_read_device, true },
    { "drive", fe_machine_read_drive, true }, { "run", read_run, false },
};

static const Group *lookup_group(FeMachineReader *reader, GError **error)
{
    size_t len = strcspn(reader->group, " ");
    g_autofree char *word = g_strndup(reader->group, len);
    const char *names[G_N_ELEMENTS(groups) + 1] = { NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        names[i] = groups[i].name;
        if (strcmp(groups[i].name, word) != 0) {
            continue;
        }
        if (groups[i].is_many && reader->group[len + strspn(reader->group + len, " ")] == '\0') {
            fe_fail(error, "say which one, for example [%s 1]", word);
            fe_machine_blame(reader, NULL, error);
            return NULL;
        }
        if (!groups[i].is_many && reader->group[len] != '\0') {
            fe_fail(error, "there is one [%s]: leave '%s' away", word, reader->group + len + 1);
            fe_machine_blame(reader, NULL, error);
            return NULL;
        }
        return &groups[i];
    }
    fe_fail(error, "there is no such group; %s%s%s",
            fe_machine_guess(names, word) != NULL ? "did you mean ["
                                                  : "there are machine, rom, load, device, "
                                                    "drive and run",
            fe_machine_guess(names, word) != NULL ? fe_machine_guess(names, word) : "",
            fe_machine_guess(names, word) != NULL ? "]?" : "");
    fe_machine_blame(reader, NULL, error);
    return NULL;
}

static bool read_group(FeMachineReader *reader, const char *group, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(reader->file, group, NULL, NULL);

    reader->group = group;

    const Group *kind = lookup_group(reader, error);

    return kind != NULL && kind->read(reader, keys, error);
}

/* The groups of disks, by their numbers; they are read in this order. */
static bool read_drives(FeMachineReader *reader, char *const *names, GError **error)
{
    unsigned n_found = 0;

    for (unsigned n = 1; n <= DEV_PC_MAX_DRIVES; n++) {
        g_autofree char *group = g_strdup_printf("drive %u", n);

        if (g_key_file_has_group(reader->file, group)) {
            if (n != ++n_found) {
                reader->group = group;
                fe_fail(error, "there is no [drive %u]: disks are numbered from 1", n - 1);
                return fe_machine_blame(reader, NULL, error);
            }
            if (!read_group(reader, group, error)) {
                return false;
            }
        }
    }
    for (; *names != NULL; names++) {
        bool is_one =
            strlen(*names) == 7 && (*names)[6] >= '1' && (*names)[6] < '1' + DEV_PC_MAX_DRIVES;

        if (g_str_has_prefix(*names, "drive ") && !is_one) {
            reader->group = *names;
            fe_fail(error, "there is room for [drive 1] to [drive %u]", DEV_PC_MAX_DRIVES);
            return fe_machine_blame(reader, NULL, error);
        }
    }
    return true;
}

static void free_setting(void *setting)
{
    fe_setting_free(setting);
}

GPtrArray *fe_machine_file_read(const char *path, const FeOption *const *tables, GError **error)
{
    g_autoptr(GKeyFile) file = fe_ini_read(path, FE_MACHINE_FILE_MAX, error);

    if (file == NULL) {
        return NULL;
    }
    g_auto(GStrv) names = g_key_file_get_groups(file, NULL);
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(free_setting);
    FeMachineReader reader = { .path = path, .tables = tables, .file = file, .settings = settings };
    bool good = read_drives(&reader, names, error);

    for (char **name = names; good && *name != NULL; name++) {
        if (!g_str_has_prefix(*name, "drive ")) {
            good = read_group(&reader, *name, error);
        }
    }
    return good ? g_steal_pointer(&settings) : NULL;
}
