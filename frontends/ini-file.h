/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of groups and keys, read with GKeyFile after a look at each line: what GKeyFile would pass
 * over (a key or group that comes twice, keys of other languages, bytes of no text) is an error
 * with its line's number.
 *
 * Source: ours.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns: (transfer full): or %NULL with one line that names the file, and the line if it is one
 * that is wrong */
GKeyFile *fe_ini_read(const char *path, uint64_t max_len, GError **error);

/* The value behind '=' without its quotes, see machine-file.h. Returns: (transfer full): or %NULL
 * with an error that does not name the key */
char *fe_ini_get(GKeyFile *file, const char *group, const char *key, GError **error);

/* "key=value\n", quoted if it must be. */
void fe_ini_put(GString *text, const char *key, const char *value);
