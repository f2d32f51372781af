/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `quire state FILE`: what is in a saved state, and whether it is whole.
 */
#pragma once

#include <glib.h>

/* @argv: the words behind `quire state`, ended by NULL. Returns: the exit status */
int fe_state(char *const *argv);

void fe_state_print_help(GString *text);
