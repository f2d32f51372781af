/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeWholeFile: a file that appears under its name only when it is whole. What is put goes to a
 * temporary file beside it, which takes the name at the end; until then, and if anything fails,
 * what was there before stays. A pipe or a device that is there already is written as it is.
 *
 * Errors are kept: nothing needs to be checked before the commit.
 *
 * Source: rename(2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct FeWholeFile FeWholeFile;

/**
 * fe_whole_file_new:
 * @path: a symbolic link stays one: the file it names is replaced
 *
 * Returns: (transfer full): or %NULL with an error that names the file
 */
FeWholeFile *fe_whole_file_new(const char *path, GError **error);

/* Without a commit before, nothing has happened. (nullable) */
void fe_whole_file_free(FeWholeFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeWholeFile, fe_whole_file_free)

/* Dropped once something has failed. */
void fe_whole_file_put(FeWholeFile *file, const void *bytes, size_t len);

/* Whether something has failed, so that more need not be made. */
bool fe_whole_file_has_failed(const FeWholeFile *file);

/**
 * fe_whole_file_commit:
 *
 * Gives the file its name. Once, at the end; free it afterwards.
 *
 * Returns: false with an error that names the file
 */
bool fe_whole_file_commit(FeWholeFile *file, GError **error);

/**
 * fe_whole_file_open_beside:
 * @path: as of fe_whole_file_new()
 *
 * A file without a name in the folder of @path, for what is needed until that can be written.
 *
 * Returns: a descriptor to read and write, closed by the caller with mem_os()->close(), or -1 with
 *   an error that names @path
 */
int fe_whole_file_open_beside(const char *path, GError **error);
