/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a command line by a table; see options.h.
 */
#include "options.h"

#include "fail.h"
#include "qemu-words.h"
#include "slips.h"

#include <stdint.h>
#include <string.h>

#define HELP_COLUMN 32

const FeOption *fe_options_lookup(const FeOption *const *tables, const char *name, size_t len)
{
    for (; *tables != NULL; tables++) {
        for (const FeOption *option = *tables; option->name != NULL; option++) {
            if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
                return option;
            }
        }
    }
    return NULL;
}

const char *fe_options_guess(const FeOption *const *tables, const char *name, size_t len)
{
    const char *best = NULL;
    unsigned best_distance = 3;

    for (; *tables != NULL; tables++) {
        for (const FeOption *option = *tables; option->name != NULL; option++) {
            unsigned distance = fe_slips(name, len, option->name);

            if (distance < best_distance) {
                best_distance = distance;
                best = option->name;
            }
        }
    }
    return best;
}

/* @before: (nullable): the option in front of @word, if it took no value and could have. */
static bool refuse_unknown(const FeOption *const *tables, const char *command,
                           const FeOption *before, const char *word, GError **error)
{
    const char *name = word + strspn(word, "-");
    size_t len = strcspn(name, "=");
    g_autofree char *bare = g_strndup(name, len);
    const char *answer = fe_qemu_word_lookup(bare);
    const char *near_by = fe_options_guess(tables, name, len);

    if (word[0] != '-' && word[0] != '\0' && before != NULL) {
        g_autofree char *quoted = g_shell_quote(word);

        return fe_fail(error, "'%s' is not an option; did you mean --%s=%s?", word, before->name,
                       quoted);
    }
    if (word[0] != '-') {
        return fe_fail(error, "'%s' is not an option; %s takes options alone, see '%s --help'",
                       word, command, command);
    }
    if (fe_options_lookup(tables, name, len) != NULL) {
        return fe_fail(error, "%s is spelled --%s here", word, bare);
    }
    if (answer != NULL) {
        return fe_fail(error, "%s: %s", word, answer);
    }
    if (near_by != NULL) {
        return fe_fail(error, "unknown option %s; did you mean --%s? See '%s --help'", word,
                       near_by, command);
    }
    return fe_fail(error, "unknown option %s; see '%s --help'", word, command);
}

static bool refuse_missing(const FeOption *option, GError **error)
{
    return fe_fail(error, "--%s needs %s: for example --%s %s", option->name,
                   option->value == FE_VALUE_TWO ? "two words" : "a value", option->name,
                   option->example);
}

static bool is_word(const char *word)
{
    return word != NULL && !g_str_has_prefix(word, "--");
}

/* Two words, which may come as one with a space between. */
static bool find_two(const FeOption *option, char *const *words, char **ret_value,
                     unsigned *ret_n_words, GError **error)
{
    const char *sign = strchr(words[0], '=');
    const char *first = sign != NULL ? sign + 1 : words[1];

    if (sign == NULL && !is_word(first)) {
        return refuse_missing(option, error);
    }
    const char *space = strchr(first, ' ');

    *ret_n_words = sign != NULL ? 1 : 2;
    if (space != NULL) {
        if (space == first || space[strspn(space, " ")] == '\0') {
            return refuse_missing(option, error);
        }
        *ret_value = g_strdup(first);
        return true;
    }
    const char *second = words[*ret_n_words];

    if (first[0] == '\0' || !is_word(second) || second[0] == '\0') {
        return refuse_missing(option, error);
    }
    *ret_value = g_strconcat(first, " ", second, NULL);
    (*ret_n_words)++;
    return true;
}

/* The value of @option, whose word is @words[0]: behind '=' there, or the next. *ret_n_words is how
 * many words it all took. */
static bool find_value(const FeOption *option, char *const *words, char **ret_value,
                       unsigned *ret_n_words, GError **error)
{
    const char *sign = strchr(words[0], '=');
    const char *value = sign != NULL ? sign + 1 : NULL;

    *ret_n_words = 1;
    *ret_value = NULL;
    if (option->value == FE_VALUE_TWO) {
        return find_two(option, words, ret_value, ret_n_words, error);
    }
    if (option->value == FE_VALUE_NONE && sign != NULL) {
        return fe_fail(error, "--%s takes no value: leave '%s' away", option->name, sign);
    }
    if (option->value == FE_VALUE_NEEDED && sign == NULL) {
        if (!is_word(words[1])) {
            return refuse_missing(option, error);
        }
        value = words[1];
        *ret_n_words = 2;
    }
    if (value != NULL && value[0] == '\0') {
        return fe_fail(error, "--%s: the value is empty: for example --%s%s%s", option->name,
                       option->name, option->value == FE_VALUE_OPTIONAL ? "=" : " ",
                       option->example);
    }
    *ret_value = g_strdup(value);
    return true;
}

FeSetting *fe_setting_new(const FeOption *option, const char *value, const char *origin)
{
    FeSetting *setting = g_new0(FeSetting, 1);

    setting->option = option;
    setting->value = g_strdup(value);
    setting->origin = g_strdup(origin);
    return setting;
}

void fe_setting_free(FeSetting *setting)
{
    if (setting != NULL) {
        g_free(setting->value);
        g_free(setting->origin);
        g_free(setting);
    }
}

static void free_setting(void *setting)
{
    fe_setting_free(setting);
}

GPtrArray *fe_options_split(const FeOption *const *tables, const char *command, char *const *argv,
                            GError **error)
{
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(free_setting);
    g_autoptr(GHashTable) given = g_hash_table_new(g_str_hash, g_str_equal);
    const FeOption *before = NULL;

    for (unsigned n_words = 0; *argv != NULL; argv += n_words) {
        bool dashes = g_str_has_prefix(*argv, "--");
        const FeOption *option =
            dashes ? fe_options_lookup(tables, *argv + 2, strcspn(*argv + 2, "=")) : NULL;
        g_autofree char *value = NULL;

        if (option == NULL) {
            refuse_unknown(tables, command, before, *argv, error);
            return NULL;
        }
        if (!find_value(option, argv, &value, &n_words, error)) {
            return NULL;
        }
        if (!g_hash_table_add(given, (void *)(uintptr_t)option->name) && !option->repeats) {
            fe_fail(error, "--%s is given twice: keep one of them", option->name);
            return NULL;
        }
        g_ptr_array_add(settings, fe_setting_new(option, value, NULL));
        before = option->value == FE_VALUE_OPTIONAL && value == NULL ? option : NULL;
    }
    return g_steal_pointer(&settings);
}

bool fe_options_apply(const GPtrArray *settings, void *target, GError **error)
{
    for (unsigned i = 0; i < settings->len; i++) {
        const FeSetting *setting = g_ptr_array_index(settings, i);

        if (setting->option->set(target, setting->value, error)) {
            continue;
        }
        if (setting->origin != NULL) {
            g_prefix_error(error, "%s: ", setting->origin);
        } else {
            g_prefix_error(error, "--%s: ", setting->option->name);
        }
        return false;
    }
    return true;
}

bool fe_options_parse(const FeOption *const *tables, const char *command, char *const *argv,
                      void *target, GError **error)
{
    g_autoptr(GPtrArray) settings = fe_options_split(tables, command, argv, error);

    return settings != NULL && fe_options_apply(settings, target, error);
}

static void print_option(const FeOption *option, GString *text)
{
    g_autofree char *left =
        option->value_name == NULL
            ? g_strdup_printf("  --%s", option->name)
            : g_strdup_printf(option->value == FE_VALUE_OPTIONAL ? "  --%s[=%s]" : "  --%s %s",
                              option->name, option->value_name);
    g_auto(GStrv) lines = g_strsplit(option->help, "\n", -1);

    g_string_append_printf(text, "%-*s", HELP_COLUMN - 1, left);
    if (strlen(left) >= HELP_COLUMN - 1) {
        g_string_append_printf(text, "\n%*s", HELP_COLUMN - 1, "");
    }
    for (char **line = lines; *line != NULL; line++) {
        g_string_append_printf(text, "%*s%s\n", line == lines ? 1 : HELP_COLUMN, "", *line);
    }
}

void fe_options_print_help(const FeOption *const *tables, GString *text)
{
    for (; *tables != NULL; tables++) {
        for (const FeOption *option = *tables; option->name != NULL; option++) {
            if (option->group != NULL) {
                g_string_append_printf(text, "\n%s:\n", option->group);
            }
            print_option(option, text);
        }
    }
}
