/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of reading a machine file share. For machine-file.c and machine-parts.c alone.
 */
#pragma once

#include "machine-file.h"
#include "machine-groups.h"

/* A group being read. */
typedef struct FeMachineReader {
    const char *path;
    const FeOption *const *tables;
    GKeyFile *file;
    const char *group; /* whole: "drive 1" */
    GPtrArray *settings;
    unsigned devices; /* seen: bit i is fe_devices[i] */
} FeMachineReader;

/* Puts file, group and @key (nullable) in front of an error. Returns: false */
bool fe_machine_blame(const FeMachineReader *reader, const char *key, GError **error);

/* There is no such key here; @near_by: (nullable): what may be meant. Returns: false */
bool fe_machine_refuse_key(const FeMachineReader *reader, const char *key, const char *near_by,
                           GError **error);

/* Of @names, ended by NULL, the one some slips from @name, or NULL. */
const char *fe_machine_guess(const char *const *names, const char *name);

/* Adds a setting: @option as @key (nullable: the whole group) says. */
void fe_machine_add(FeMachineReader *reader, const char *option, const char *value,
                    const char *key);

/* Likewise with the value that is behind @key, in the way of @option. */
bool fe_machine_add_option(FeMachineReader *reader, const FeOption *option, const char *key,
                           GError **error);

/* Returns: (transfer full): the value of @key, which must be there and not empty, or %NULL */
char *fe_machine_get(const FeMachineReader *reader, const char *key, const char *example,
                     GError **error);

/* "true" or "false". */
bool fe_machine_parse_flag(const FeMachineReader *reader, const char *key, const char *value,
                           bool *ret_flag, GError **error);

/* @keys: of the group, ended by NULL */
bool fe_machine_read_rom(FeMachineReader *reader, char *const *keys, GError **error);
bool fe_machine_read_load(FeMachineReader *reader, char *const *keys, GError **error);
bool fe_machine_read_drive(FeMachineReader *reader, char *const *keys, GError **error);
bool fe_machine_read_device(FeMachineReader *reader, char *const *keys, GError **error);
