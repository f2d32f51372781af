/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our words on stderr, in lines that begin with "quire: ". What others put into them (file names,
 * the guest's text) cannot break the line or steer the terminal.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

void fe_say(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Text of several lines as it is. */
void fe_say_text(const char *text);

/* Text for stdout. Returns: whether all of it went out; if not, that has been said */
bool fe_print(const char *text);
