/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeSaver: --save, --save-at and --save-live of one run; and --restore.
 *
 * A save is made once: whole while the guest stands still, or (live) in pieces between slices of
 * the run, with the state of the moment the last piece is written.
 */
#pragma once

#include "files.h"
#include "guest.h"
#include "memsys/state_file.h"

typedef struct FeSaver FeSaver;

/**
 * fe_saver_new:
 * @guest: must outlive the saver
 * @files: checked so that no other option's file is replaced
 *
 * Finds what can be known to be wrong before the run.
 *
 * Returns: (transfer full): or %NULL with one line that begins with "--save"
 */
FeSaver *fe_saver_new(FeGuest *guest, FeFiles *files, GError **error);
void fe_saver_free(
    FeSaver *saver); /* (nullable); a live save that was not finished leaves nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeSaver, fe_saver_free)

/* To be told of each stop before what follows here: whether the guest asks for a reset just then.
 */
void fe_saver_see_stop(FeSaver *saver, const EmuStop *stop);

/* The moment is there: saves, or begins to save live. */
bool fe_saver_start(FeSaver *saver, GError **error);

/* Whether a live save wants fe_saver_go_on() after each slice. */
bool fe_saver_is_active(const FeSaver *saver);
bool fe_saver_go_on(FeSaver *saver, GError **error);

/* The run is over: completes a live save; saves if that was left to the end. */
bool fe_saver_finish(FeSaver *saver, GError **error);

/* Whether it was begun; what went wrong after that has been said. */
bool fe_saver_has_begun(const FeSaver *saver);

/* Whether there is a file now. */
bool fe_saver_is_done(const FeSaver *saver);

/* Whether the guest had asked for a reset when the file was made. A state does not hold that: a
 * restored guest goes on behind its request. */
bool fe_saver_lost_reset(const FeSaver *saver);

/**
 * fe_restore_open:
 * @options: takes what the file keeps (saved-options.h)
 *
 * Opens and checks options->restore.
 *
 * Returns: (transfer full): or %NULL with one line
 */
MemStateReader *fe_restore_open(FeRunOptions *options, FeFiles *files, GError **error);

/* Makes the machine what the file says. False with one line, and nothing has changed. */
bool fe_restore(FeGuest *guest, MemStateReader *reader, GError **error);
