/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors that are found when an option's value is used, long after it was read: if the value came
 * from a machine file, they are to name the file, the group and the key.
 */
#include "options.h"
#include "run-options.h"

#include <string.h>

/* The option that @message begins with, "--drive: ..." or "--drive x"; 0 letters: none. */
static const char *option_of(const char *message, size_t *ret_len)
{
    const char *name = message + 2;

    *ret_len = g_str_has_prefix(message, "--") ? strcspn(name, ": =") : 0;
    return name;
}

/* Whether @message speaks of the value: by its file's name, or by all of it. */
static bool names_value(const FeSetting *setting, const char *message)
{
    if (setting->value == NULL) {
        return false;
    }
    g_autofree char *file = g_strndup(setting->value, strcspn(setting->value, ",@"));
    g_autofree char *name = g_path_get_basename(file);

    return strstr(message, name) != NULL || strstr(message, setting->value) != NULL;
}

static const FeSetting *culprit(const GPtrArray *settings, const char *message)
{
    size_t len = 0;
    const char *name = option_of(message, &len);

    for (unsigned i = 0; len > 0 && i < settings->len; i++) {
        const FeSetting *setting = g_ptr_array_index(settings, i);
        const char *option = setting->option->name;

        /* The command line may have more of those that repeat. */
        if (strlen(option) == len && memcmp(option, name, len) == 0 &&
            (!setting->option->repeats || names_value(setting, message))) {
            return setting;
        }
    }
    return NULL;
}

bool fe_run_options_blame(const FeRunOptions *options, GError **error)
{
    const FeSetting *setting = options->file_settings != NULL && error != NULL && *error != NULL
                                   ? culprit(options->file_settings, (*error)->message)
                                   : NULL;

    if (setting != NULL) {
        g_prefix_error(error, "%s: ", setting->origin);
    }
    return setting != NULL;
}
