/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of one run, known by device and inode, so that none is written that another option
 * reads or writes: `--dump disk.img@0+1M --drive disk.img` would destroy the disk.
 *
 * Only regular files are compared: /dev/null may be named as often as wanted. One that is not there
 * yet is known by its folder and name.
 *
 * Source: ours.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct FeFiles FeFiles;

FeFiles *fe_files_new(void);
void fe_files_free(FeFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeFiles, fe_files_free)

/**
 * fe_files_add_input:
 * @option: for messages, copied: "--drive"
 * @written: the guest may write it too
 *
 * A file that is not there is left to whoever opens it.
 */
bool fe_files_add_input(FeFiles *files, const char *option, const char *path, bool written,
                        GError **error);

/* Returns: a descriptor of the file, made or emptied, or -1 with one line that names @option */
int fe_files_open_output(FeFiles *files, const char *option, const char *path, GError **error);

/**
 * fe_files_add_replaced:
 *
 * A file that will be written whole under its name at the end (whole-file.h): finds now what would
 * be in the way then. What is there stays as it is.
 *
 * Returns: false with one line that names @option
 */
bool fe_files_add_replaced(FeFiles *files, const char *option, const char *path, GError **error);

/* The same without telling anybody: of a file that may also be another option's. */
bool fe_files_can_replace(const char *option, const char *path, GError **error);

/**
 * fe_files_make_folder:
 *
 * Makes the folder @path unless it is there, and checks that files can be made in it.
 *
 * Returns: false with one line that names @option
 */
bool fe_files_make_folder(const char *option, const char *path, GError **error);
