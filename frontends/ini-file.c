/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of groups and keys; see ini-file.h.
 */
#include "ini-file.h"

#include "emu/loader.h"
#include "fail.h"

#include <string.h>

#define NO_TEXT "it holds bytes of no text: is this a machine file?"

/* Where a look at the lines is. */
typedef struct Scan {
    const char *path;
    unsigned line;
    char *group;        /* NULL: before the first */
    GHashTable *groups; /* seen */
    GHashTable *keys;   /* "group\nkey" seen */
} Scan;

static bool refuse(const Scan *scan, GError **error, const char *what)
{
    return fe_fail(error, "%s: line %u: %s", scan->path, scan->line, what);
}

static bool see_group(Scan *scan, const char *line, GError **error)
{
    const char *end = strchr(line, ']');

    if (!g_utf8_validate(line, -1, NULL)) {
        return refuse(scan, error, NO_TEXT);
    }
    if (end == NULL || end[1] != '\0' || end == line + 1) {
        return refuse(scan, error, "a group stands alone on its line, for example [machine]");
    }
    g_free(scan->group);
    scan->group = g_strndup(line + 1, (size_t)(end - line - 1));
    if (!g_hash_table_add(scan->groups, g_strdup(scan->group))) {
        return fe_fail(error, "%s: line %u: [%s] is there already: put both together", scan->path,
                       scan->line, scan->group);
    }
    return true;
}

static bool see_key(Scan *scan, const char *line, GError **error)
{
    const char *sign = strchr(line, '=');
    g_autofree char *key = sign != NULL ? g_strndup(line, (size_t)(sign - line)) : NULL;

    if (key == NULL || g_strchomp(key)[0] == '\0') {
        return refuse(scan, error, "neither [group] nor key=value nor # comment");
    }
    if (!g_utf8_validate(key, -1, NULL)) {
        return refuse(scan, error, NO_TEXT);
    }
    if (scan->group == NULL) {
        return refuse(scan, error, "no group yet: begin with a line like [machine]");
    }
    if (strpbrk(key, "[]") != NULL) {
        return refuse(scan, error, "a key has no brackets");
    }
    if (!g_hash_table_add(scan->keys, g_strconcat(scan->group, "\n", key, NULL))) {
        return fe_fail(error,
                       "%s: [%s] %s: it is there twice (line %u): number what may be given more "
                       "often, %s.1 and %s.2",
                       scan->path, scan->group, key, scan->line, key, key);
    }
    return true;
}

static bool see_line(Scan *scan, char *line, GError **error)
{
    line = g_strstrip(line);
    for (const char *at = line; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at) && *at != '\t') {
            return refuse(scan, error, NO_TEXT);
        }
    }
    if (line[0] == '\0' || line[0] == '#') {
        return true;
    }
    return line[0] == '[' ? see_group(scan, line, error) : see_key(scan, line, error);
}

static bool look_at_lines(const char *path, const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    Scan scan = { .path = path };
    bool good = true;

    scan.groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    scan.keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char **line = lines; good && *line != NULL; line++) {
        scan.line++;
        good = see_line(&scan, *line, error);
    }
    g_hash_table_unref(scan.groups);
    g_hash_table_unref(scan.keys);
    g_free(scan.group);
    return good;
}

GKeyFile *fe_ini_read(const char *path, uint64_t max_len, GError **error)
{
    g_autoptr(GBytes) bytes = emu_file_read(path, max_len, error);
    g_autoptr(GKeyFile) file = g_key_file_new();
    GError *cause = NULL;

    if (bytes == NULL) {
        g_prefix_error(error, "--machine: ");
        return NULL;
    }
    size_t len = 0;
    const char *start = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_strndup(start, len);

    if (strlen(text) != len) {
        fe_fail(error, "%s: " NO_TEXT, path);
        return NULL;
    }
    if (!look_at_lines(path, text, error)) {
        return NULL;
    }
    if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, &cause)) {
        fe_fail(error, "%s: %s", path, cause->message);
        g_error_free(cause);
        return NULL;
    }
    return g_steal_pointer(&file);
}

/* One escape behind the backslash; *at is moved behind it. */
static bool take_escape(const char **at, GString *text)
{
    static const char letters[] = "\\\"nrt";
    static const char values[] = "\\\"\n\r\t";
    const char *letter = **at != '\0' ? strchr(letters, **at) : NULL;

    if (letter != NULL) {
        g_string_append_c(text, values[letter - letters]);
        (*at)++;
        return true;
    }
    if (**at != 'x' || !g_ascii_isxdigit((*at)[1]) || !g_ascii_isxdigit((*at)[2])) {
        return false;
    }
    int byte = g_ascii_xdigit_value((*at)[1]) * 16 + g_ascii_xdigit_value((*at)[2]);

    g_string_append_c(text, (char)byte);
    *at += 3;
    return byte != 0;
}

static char *unquote(const char *raw, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *at = raw + 1;

    while (*at != '\0' && *at != '"') {
        if (*at != '\\') {
            g_string_append_c(text, *at++);
            continue;
        }
        at++;
        if (!take_escape(&at, text)) {
            fe_fail(error, "behind a backslash in quotes: \\ \" n r t or x and two digits");
            return NULL;
        }
    }
    if (*at != '"' || at[1] != '\0') {
        fe_fail(error, "a value that begins with \" ends with the next one; inside it is \\\"");
        return NULL;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *fe_ini_get(GKeyFile *file, const char *group, const char *key, GError **error)
{
    g_autofree char *raw = g_key_file_get_value(file, group, key, NULL);

    g_assert(raw != NULL);
    g_strstrip(raw);
    return raw[0] == '"' ? unquote(raw, error) : g_steal_pointer(&raw);
}

static bool needs_quotes(const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || value[0] == '"' || g_ascii_isspace(value[0]) ||
        g_ascii_isspace(value[len - 1])) {
        return true;
    }
    for (; *value != '\0'; value++) {
        if (g_ascii_iscntrl(*value)) {
            return true;
        }
    }
    return false;
}

void fe_ini_put(GString *text, const char *key, const char *value)
{
    g_string_append_printf(text, "%s=", key);
    if (!needs_quotes(value)) {
        g_string_append_printf(text, "%s\n", value);
        return;
    }
    g_string_append_c(text, '"');
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"') {
            g_string_append_printf(text, "\\%c", *value);
        } else if (g_ascii_iscntrl(*value)) {
            g_string_append_printf(text, "\\x%02X", (unsigned)(unsigned char)*value);
        } else {
            g_string_append_c(text, *value);
        }
    }
    g_string_append(text, "\"\n");
}
