/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pictures of the screen that a run was asked for: --screen, --screen-every and
 * --screen-record.
 */
#pragma once

#include "devices/screen.h"
#include "emu/clock.h"
#include "files.h"
#include "run-options.h"
#include "ticks.h"

typedef struct FeScreenShots FeScreenShots;

/**
 * fe_screen_shots_new:
 * @options: must outlive the pictures, as all that follow
 * @screen: (nullable): may be %NULL if no picture is asked for
 * @clock: the guest's
 *
 * Finds what would be in the way of the files; nothing is written yet.
 *
 * Returns: (transfer full): or %NULL with one line that names the option
 */
FeScreenShots *fe_screen_shots_new(const FeRunOptions *options, DevScreen *screen,
                                   const EmuClock *clock, FeFiles *files, GError **error);
/* (nullable) */
void fe_screen_shots_free(FeScreenShots *shots);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeScreenShots, fe_screen_shots_free)

/* Adds what the run loop has to call; owned by the pictures. */
void fe_screen_shots_add_ticks(FeScreenShots *shots, GPtrArray *ticks);

/* At the end of the run, however it ended. What cannot be written is said, and the others are
 * written all the same. Returns: whether all went well */
bool fe_screen_shots_write(FeScreenShots *shots);
