/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a command line by a table, and printing the same table as help. `--name VALUE` and
 * `--name=VALUE`; an option whose value may be left out takes it only behind '='. What is not
 * understood gives one line that says what to do, QEMU's spellings included (qemu-words.h).
 *
 * Not GLib's GOption: it reads `-bios` as four flags, takes the next word for a value that may be
 * left out, and its messages are neither ours nor ours to extend.
 *
 * Source: ours.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum FeOptionValue {
    FE_VALUE_NONE,
    FE_VALUE_NEEDED,
    FE_VALUE_OPTIONAL, /* `--stats` or `--stats=FILE` */
    FE_VALUE_TWO,      /* `--screen-every 0.1 DIR`; its words come joined by a space, as they may be
                          given in one word: `--screen-every='0.1 DIR'` */
} FeOptionValue;

typedef struct FeOption {
    const char *name;       /* without dashes; NULL ends a table */
    const char *value_name; /* for help: "SIZE"; NULL if it takes none */
    const char *example;    /* of a value, for messages; NULL if it takes none */
    const char *help;       /* one line or more, separated by '\n' */
    FeOptionValue value;
    bool repeats;
    const char
        *group; /* starts a group of this title in the help; NULL: goes on with the one before */
    /* @value is NULL if there is none. False with an error; the option's name is put before it. */
    bool (*set)(void *target, const char *value, GError **error);
} FeOption;

/* One option as it was given. */
typedef struct FeSetting {
    const FeOption *option;
    char *value;  /* NULL: none */
    char *origin; /* where it stands, for messages: "pc.ini: [run] timeout"; NULL: --timeout */
} FeSetting;

/* @value, @origin: (nullable): copied */
FeSetting *fe_setting_new(const FeOption *option, const char *value, const char *origin);
void fe_setting_free(FeSetting *setting);

/* Of a table in parts, which ends with NULL. Returns: (transfer none): or %NULL */
const FeOption *fe_options_lookup(const FeOption *const *tables, const char *name, size_t len);

/* Returns: (transfer none): the option whose name is some slips from @name, or %NULL */
const char *fe_options_guess(const FeOption *const *tables, const char *name, size_t len);

/**
 * fe_options_split:
 * @command: for messages: "quire run"
 * @argv: words after the command, ended by NULL
 *
 * Every word must be an option; there are no others yet. Values are not looked at.
 *
 * Returns: (transfer full): of FeSetting, freed with the array; or %NULL with EMU_ERROR_INVALID at
 *   the first word that is wrong
 */
GPtrArray *fe_options_split(const FeOption *const *tables, const char *command, char *const *argv,
                            GError **error);

/* Gives them all to their set functions. False with an error at the first that is wrong; those
 * before it have been set. */
bool fe_options_apply(const GPtrArray *settings, void *target, GError **error);

/* Both in one. */
bool fe_options_parse(const FeOption *const *tables, const char *command, char *const *argv,
                      void *target, GError **error);

void fe_options_print_help(const FeOption *const *tables, GString *text);
