/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts that the table of `quire run`'s options is made of, by subject, and what their set
 * functions share. For run-options*.c alone.
 */
#pragma once

#include "run-options.h"

extern const FeOption fe_machine_options[]; /* the machine, and what it runs */
extern const FeOption fe_state_options[];   /* saved states */
extern const FeOption fe_console_options[]; /* consoles, keyboard, pictures of the screen */
extern const FeOption fe_end_options[];     /* how it ends, and what it tells */

/* Entries of a table. */
#define FE_FLAG(name, help, group, set)                          \
    {                                                            \
        name, NULL, NULL, help, FE_VALUE_NONE, false, group, set \
    }
#define FE_ONE(name, value, example, help, group, set)                 \
    {                                                                  \
        name, value, example, help, FE_VALUE_NEEDED, false, group, set \
    }
#define FE_MANY(name, value, example, help, group, set)               \
    {                                                                 \
        name, value, example, help, FE_VALUE_NEEDED, true, group, set \
    }

/* Returns: whether @path ends in one of @suffixes; otherwise an error that says @what to write,
 * for example "say FILE.png" */
bool fe_check_suffix(const char *path, const char *const *suffixes, const char *what,
                     GError **error);

/* Returns: (transfer full): @path as it is opened: in the machine file's folder if it stands in one
 * and is relative */
char *fe_run_options_path(const FeRunOptions *options, const char *path);

/* Likewise, in place of *path. */
void fe_run_options_take_path(const FeRunOptions *options, char **path);

/* A file rather than a name of a board. */
bool fe_is_machine_file(const char *machine);
