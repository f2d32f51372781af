/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pictures and films of memory that a run was asked for: --memory-picture and --memory-film.
 */
#pragma once

#include "files.h"
#include "guest.h"
#include "ticks.h"

typedef struct FeMemoryFiles FeMemoryFiles;

/**
 * fe_memory_files_new:
 * @guest: ready to run; films begin now. Must outlive the files
 *
 * Finds what would be in the way of the files; nothing is written yet.
 *
 * Returns: (transfer full): or %NULL with one line that names the option
 */
FeMemoryFiles *fe_memory_files_new(FeGuest *guest, FeFiles *files, GError **error);
/* (nullable) */
void fe_memory_files_free(FeMemoryFiles *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeMemoryFiles, fe_memory_files_free)

/* Adds what the run loop has to call; owned by the files. */
void fe_memory_files_add_ticks(FeMemoryFiles *memory, GPtrArray *ticks);

/* At the end of the run, however it ended. What cannot be written is said, and the others are
 * written all the same. Returns: whether all went well */
bool fe_memory_files_write(FeMemoryFiles *memory);
