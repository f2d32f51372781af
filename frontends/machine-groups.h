/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which options stand in which group of a machine file: for reading and printing alike.
 */
#pragma once

#include <stdbool.h>

/* Keys of [machine], ended by NULL: "board", and options under their names. */
extern const char *const fe_machine_keys[];

/* A device that [device NAME] may be. */
typedef struct FeDevice {
    const char *type;
    struct {
        const char *key;
        const char *option;
        bool needed;
    } keys[2];
    struct {
        const char *key;
        const char *value; /* of the board */
    } fixed[2];
} FeDevice;

extern const FeDevice fe_devices[]; /* ended by a type of NULL */

/* Returns: (transfer none): the group where @option stands, "[run]", or %NULL for options that
 * stand in no machine file */
const char *fe_group_of_option(const char *option);
