/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine files: from groups and keys to options of `quire run`; see machine-file.h. Printing them
 * is in machine-print.c.
 */
#include "machine-file.h"

#include "devices/pc.h"
#include "fail.h"
#include "ini-file.h"
#include "machine-groups.h"
#include "slips.h"

#include <string.h>

/* A group being read. */
typedef struct Reader {
    const char *path;
    const FeOption *const *tables;
    GKeyFile *file;
    const char *group; /* whole: "drive 1" */
    GPtrArray *settings;
    unsigned devices; /* set of 1 << FeDeviceKind, seen */
    unsigned n_drives;
} Reader;

/* ---- messages */

static char *origin_of(const Reader *reader, const char *key)
{
    return g_strdup_printf("%s: [%s]%s%s", reader->path, reader->group, key != NULL ? " " : "",
                           key != NULL ? key : "");
}

/* In front of an error that does not say where. */
static bool blame(const Reader *reader, const char *key, GError **error)
{
    g_autofree char *origin = origin_of(reader, key);

    g_prefix_error(error, "%s: ", origin);
    return false;
}

static const char *guess(const char *const *names, const char *name)
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
static bool refuse_key(const Reader *reader, const char *key, const char *near_by, GError **error)
{
    if (near_by != NULL) {
        fe_fail(error, "there is no such key; did you mean %s?", near_by);
    } else {
        fe_fail(error, "there is no such key; 'quire run --print-machine' prints a machine file");
    }
    return blame(reader, key, error);
}

/* What stands elsewhere in a machine file. */
static bool refuse_option(const Reader *reader, const char *key, const char *name, GError **error)
{
    const char *group = fe_group_of_option(name);

    if (group == NULL) {
        fe_fail(error, "that is for the command line alone: leave it away");
    } else {
        fe_fail(error, "that stands in %s", group);
    }
    return blame(reader, key, error);
}

/* ---- values */

static void add(Reader *reader, const char *option, const char *value, const char *key)
{
    g_autofree char *origin = origin_of(reader, key);

    g_ptr_array_add(
        reader->settings,
        fe_setting_new(fe_options_lookup(reader->tables, option, strlen(option)), value, origin));
}

/* The value of @key, which must be there and not empty. */
static char *get(const Reader *reader, const char *key, const char *example, GError **error)
{
    g_autofree char *value = NULL;

    if (!g_key_file_has_key(reader->file, reader->group, key, NULL)) {
        fe_fail(error, "%s is missing: for example %s=%s", key, key, example);
        blame(reader, NULL, error);
        return NULL;
    }
    value = fe_ini_get(reader->file, reader->group, key, error);
    if (value != NULL && value[0] == '\0') {
        fe_fail(error, "the value is empty: for example %s=%s", key, example);
        g_clear_pointer(&value, g_free);
    }
    if (value == NULL) {
        blame(reader, key, error);
    }
    return g_steal_pointer(&value);
}

static bool parse_flag(const Reader *reader, const char *key, const char *value, bool *ret_flag,
                       GError **error)
{
    *ret_flag = strcmp(value, "true") == 0;
    if (!*ret_flag && strcmp(value, "false") != 0) {
        fe_fail(error, "'%s' is neither true nor false", value);
        return blame(reader, key, error);
    }
    return true;
}

/* @key of the file as @option. */
static bool add_option(Reader *reader, const FeOption *option, const char *key, GError **error)
{
    g_autofree char *value =
        get(reader, key, option->example != NULL ? option->example : "true", error);
    bool flag = true;

    if (value == NULL) {
        return false;
    }
    if (option->value == FE_VALUE_NONE) {
        if (!parse_flag(reader, key, value, &flag, error)) {
            return false;
        }
        g_clear_pointer(&value, g_free);
    } else if (option->value == FE_VALUE_OPTIONAL &&
               (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
        flag = value[0] == 't';
        g_clear_pointer(&value, g_free);
    } else if (option->value == FE_VALUE_TWO && strchr(value, ' ') == NULL) {
        fe_fail(error, "it needs two words: for example %s=%s", key, option->example);
        return blame(reader, key, error);
    }
    if (flag) {
        add(reader, option->name, value, key);
    }
    return true;
}

/* ---- [machine] */

static bool read_machine(Reader *reader, char *const *keys, GError **error)
{
    for (; *keys != NULL; keys++) {
        const char *key = *keys;
        const char *name = strcmp(key, "board") == 0 ? "machine" : key;

        if (!g_strv_contains(fe_machine_keys, key)) {
            return fe_options_lookup(reader->tables, key, strlen(key)) != NULL
                       ? refuse_option(reader, key, key, error)
                       : refuse_key(reader, key, guess(fe_machine_keys, key), error);
        }
        if (!add_option(reader, fe_options_lookup(reader->tables, name, strlen(name)), key,
                        error)) {
            return false;
        }
        const FeSetting *setting =
            reader->settings->len > 0
                ? g_ptr_array_index(reader->settings, reader->settings->len - 1)
                : NULL;

        if (strcmp(key, "board") == 0 && strcmp(setting->value, "pc") != 0) {
            fe_fail(error, "there is no board '%s': say pc", setting->value);
            return blame(reader, key, error);
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
static bool parse_run_key(const Reader *reader, const char *key, RunKey *ret_key, GError **error)
{
    size_t len = strcspn(key, ".");
    const FeOption *option = fe_options_lookup(reader->tables, key, len);
    const char *digits = key[len] == '.' ? key + len + 1 : NULL;
    uint64_t number = 0;

    if (option == NULL) {
        return refuse_key(reader, key, fe_options_guess(reader->tables, key, len), error);
    }
    if (fe_group_of_option(option->name) == NULL ||
        strcmp(fe_group_of_option(option->name), "[run]") != 0) {
        return refuse_option(reader, key, option->name, error);
    }
    if (digits != NULL) {
        if (!option->repeats) {
            fe_fail(error, "%s is given once: leave .%s away", option->name, digits);
            return blame(reader, key, error);
        }
        if (digits[0] < '1' || digits[0] > '9' ||
            !g_ascii_string_to_unsigned(digits, 10, 1, 99999, &number, NULL)) {
            fe_fail(error, "'%s' is no number from 1 to 99999", digits);
            return blame(reader, key, error);
        }
    }
    *ret_key = (RunKey) { option, key, (unsigned)number };
    return true;
}

/* Each type-at needs the type of its number, and comes behind it. */
static bool check_typing(const Reader *reader, const GArray *keys, GError **error)
{
    for (unsigned i = 0; i < keys->len; i++) {
        const RunKey *key = &g_array_index(keys, RunKey, i);
        g_autofree char *type = strcmp(key->option->name, "type-at") != 0 ? NULL
                                : key->number > 0 ? g_strdup_printf("type.%u", key->number)
                                                  : g_strdup("type");

        if (type != NULL && !g_key_file_has_key(reader->file, reader->group, type, NULL)) {
            fe_fail(error, "there is no %s that it belongs to", type);
            return blame(reader, key->key, error);
        }
    }
    return true;
}

static bool read_run(Reader *reader, char *const *names, GError **error)
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

        if (!add_option(reader, key->option, key->key, error)) {
            return false;
        }
    }
    return true;
}

/* ---- [rom], [load], [drive] */

static bool check_keys(const Reader *reader, char *const *keys, const char *const *known,
                       GError **error)
{
    for (; *keys != NULL; keys++) {
        if (!g_strv_contains(known, *keys)) {
            return refuse_key(reader, *keys, guess(known, *keys), error);
        }
    }
    return true;
}

static bool get_address(const Reader *reader, char **ret_text, GError **error)
{
    uint64_t address;

    *ret_text = get(reader, "address", "100000", error);
    if (*ret_text == NULL) {
        return false;
    }
    return fe_parse_address(*ret_text, &address, error) || blame(reader, "address", error);
}

static bool read_load(Reader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "address", NULL };
    g_autofree char *file = NULL;
    g_autofree char *address = NULL;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = get(reader, "file", "image.bin", error);
    if (file == NULL || !get_address(reader, &address, error)) {
        return false;
    }
    g_autofree char *value = g_strconcat(file, "@", address, NULL);

    add(reader, "load", value, NULL);
    return true;
}

static bool get_protection(const Reader *reader, char **ret_text, GError **error)
{
    if (!g_key_file_has_key(reader->file, reader->group, "protection", NULL)) {
        *ret_text = g_strdup("read-only");
        return true;
    }
    *ret_text = get(reader, "protection", "read-only", error);
    if (*ret_text == NULL) {
        return false;
    }
    if (strcmp(*ret_text, "read-only") != 0 && strcmp(*ret_text, "shadowed") != 0) {
        fe_fail(error, "'%s' is neither read-only nor shadowed", *ret_text);
        return blame(reader, "protection", error);
    }
    return true;
}

static bool read_rom(Reader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "address", "protection", NULL };
    g_autofree char *file = NULL;
    g_autofree char *address = NULL;
    g_autofree char *protection = NULL;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = get(reader, "file", "boot.rom", error);
    address = file != NULL ? get(reader, "address", "D0000000", error) : NULL;
    if (address == NULL) {
        return false;
    }
    if (strcmp(address, "firmware") == 0) {
        if (g_key_file_has_key(reader->file, reader->group, "protection", NULL)) {
            fe_fail(error, "the firmware puts it into RAM: leave it away");
            return blame(reader, "protection", error);
        }
        add(reader, "option-rom", file, NULL);
        return true;
    }
    g_clear_pointer(&address, g_free);
    if (!get_address(reader, &address, error) || !get_protection(reader, &protection, error)) {
        return false;
    }
    g_autofree char *value = g_strconcat(file, "@", address, ",", protection, NULL);

    add(reader, "rom", value, NULL);
    return true;
}

/* Drives come in the order of their numbers, which have no gaps. */
static bool read_drive(Reader *reader, char *const *keys, GError **error)
{
    static const char *const known[] = { "file", "writable", NULL };
    g_autofree char *file = NULL;
    g_autofree char *flag = NULL;
    bool writable = false;

    if (!check_keys(reader, keys, known, error)) {
        return false;
    }
    file = get(reader, "file", "disk.img", error);
    if (file == NULL) {
        return false;
    }
    if (g_key_file_has_key(reader->file, reader->group, "writable", NULL)) {
        flag = get(reader, "writable", "false", error);
        if (flag == NULL || !parse_flag(reader, "writable", flag, &writable, error)) {
            return false;
        }
    }
    if (!writable && g_str_has_suffix(file, ",rw")) {
        fe_fail(error, "say writable=true instead of ,rw");
        return blame(reader, "file", error);
    }
    g_autofree char *value = g_strconcat(file, writable ? ",rw" : "", NULL);

    add(reader, "drive", value, "file");
    return true;
}

/* ---- [device] */

/* A key that the board does not let choose may be said all the same. */
static bool check_fixed(const Reader *reader, const FeDevice *device, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(device->fixed) && device->fixed[i].key != NULL; i++) {
        const char *key = device->fixed[i].key;
        const char *value = device->fixed[i].value;

        if (!g_key_file_has_key(reader->file, reader->group, key, NULL)) {
            continue;
        }
        g_autofree char *said = get(reader, key, value, error);

        if (said == NULL) {
            return false;
        }
        if (g_ascii_strcasecmp(said, value) != 0) {
            fe_fail(error, "the board has it at %s: say that, or leave it away", value);
            return blame(reader, key, error);
        }
    }
    return true;
}

static bool check_device_keys(const Reader *reader, const FeDevice *device, char *const *keys,
                              GError **error)
{
    g_autoptr(GPtrArray) known = g_ptr_array_new();

    g_ptr_array_add(known, (void *)(uintptr_t) "type");
    for (unsigned i = 0; i < G_N_ELEMENTS(device->keys) && device->keys[i].key != NULL; i++) {
        g_ptr_array_add(known, (void *)(uintptr_t)device->keys[i].key);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(device->fixed) && device->fixed[i].key != NULL; i++) {
        g_ptr_array_add(known, (void *)(uintptr_t)device->fixed[i].key);
    }
    g_ptr_array_add(known, NULL);
    return check_keys(reader, keys, (const char *const *)known->pdata, error);
}

static const FeDevice *get_device(Reader *reader, GError **error)
{
    g_autofree char *type = get(reader, "type", "vga", error);

    if (type == NULL) {
        return NULL;
    }
    for (unsigned i = 0; fe_devices[i].type != NULL; i++) {
        if (strcmp(fe_devices[i].type, type) != 0) {
            continue;
        }
        if ((reader->devices & 1U << i) != 0) {
            fe_fail(error, "there is one %s already: the board has no room for another", type);
            blame(reader, NULL, error);
            return NULL;
        }
        reader->devices |= 1U << i;
        return &fe_devices[i];
    }
    fe_fail(error, "there is no device '%s': say vga, nic, serial or debugcon", type);
    blame(reader, "type", error);
    return NULL;
}

static bool read_device(Reader *reader, char *const *keys, GError **error)
{
    const FeDevice *device = get_device(reader, error);

    if (device == NULL || !check_device_keys(reader, device, keys, error) ||
        !check_fixed(reader, device, error)) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(device->keys) && device->keys[i].key != NULL; i++) {
        const char *key = device->keys[i].key;
        const char *name = device->keys[i].option;
        const FeOption *option = fe_options_lookup(reader->tables, name, strlen(name));

        if (g_key_file_has_key(reader->file, reader->group, key, NULL)
                ? !add_option(reader, option, key, error)
                : device->keys[i].needed && get(reader, key, option->example, error) == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- the file */

typedef struct Group {
    const char *name;
    bool (*read)(Reader *reader, char *const *keys, GError **error);
    bool is_many; /* a name of its own stands behind it */
} Group;

static const Group groups[] = {
    { "machine", read_machine, false }, { "rom", read_rom, true },     { "load", read_load, true },
    { "device", read_device, true },    { "drive", read_drive, true }, { "run", read_run, false },
};

static const Group *lookup_group(Reader *reader, GError **error)
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
            blame(reader, NULL, error);
            return NULL;
        }
        if (!groups[i].is_many && reader->group[len] != '\0') {
            fe_fail(error, "there is one [%s]: leave '%s' away", word, reader->group + len + 1);
            blame(reader, NULL, error);
            return NULL;
        }
        return &groups[i];
    }
    fe_fail(error, "there is no such group; %s%s%s",
            guess(names, word) != NULL ? "did you mean ["
                                       : "there are machine, rom, load, device, "
                                         "drive and run",
            guess(names, word) != NULL ? guess(names, word) : "",
            guess(names, word) != NULL ? "]?" : "");
    blame(reader, NULL, error);
    return NULL;
}

static bool read_group(Reader *reader, const char *group, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(reader->file, group, NULL, NULL);

    reader->group = group;

    const Group *kind = lookup_group(reader, error);

    return kind != NULL && kind->read(reader, keys, error);
}

/* The groups of disks, by their numbers; they are read in this order. */
static bool read_drives(Reader *reader, char *const *names, GError **error)
{
    unsigned n_found = 0;

    for (unsigned n = 1; n <= DEV_PC_MAX_DRIVES; n++) {
        g_autofree char *group = g_strdup_printf("drive %u", n);

        if (g_key_file_has_group(reader->file, group)) {
            if (n != ++n_found) {
                reader->group = group;
                fe_fail(error, "there is no [drive %u]: disks are numbered from 1", n - 1);
                return blame(reader, NULL, error);
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
            return blame(reader, NULL, error);
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
    Reader reader = { .path = path, .tables = tables, .file = file, .settings = settings };
    bool good = read_drives(&reader, names, error);

    for (char **name = names; good && *name != NULL; name++) {
        if (!g_str_has_prefix(*name, "drive ")) {
            good = read_group(&reader, *name, error);
        }
    }
    return good ? g_steal_pointer(&settings) : NULL;
}
