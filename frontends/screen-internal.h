/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of FeScreenShots: screen-shots.c puts them together and has the pictures at the end,
 * screen-series.c is --screen-every, screen-record.c is --screen-record.
 */
#pragma once

#include "devices/screen.h"
#include "emu/clock.h"
#include "files.h"
#include "run-options.h"
#include "ticks.h"

/* A screen that several look at: each remembers the generation it saw last. */
typedef struct FeScreenView {
    DevScreen *screen;
    uint64_t generation; /* from 1 on; goes up when anything may look different */
} FeScreenView;

/**
 * fe_screen_view_look:
 * @ret_picture: as it is now; valid until the next look
 *
 * Returns: false with an error if there is no memory for it
 */
bool fe_screen_view_look(FeScreenView *view, DevPicture *ret_picture, GError **error);

/* ---- a picture now and then, in a folder */

typedef struct FeScreenSeries FeScreenSeries;

/**
 * fe_screen_series_new:
 * @options: of --screen-every; must outlive the series, as @view must
 * @now_ns: guest time at the beginning; pictures are taken at multiples behind it
 * @files: told of the index
 *
 * Makes the folder unless it is there. Nothing is written into it before the first picture.
 *
 * Returns: (transfer full): %NULL, with one line that names the option, for a folder that cannot be
 *   written or has files of a series already
 */
FeScreenSeries *fe_screen_series_new(const FeRunOptions *options, FeScreenView *view,
                                     uint64_t now_ns, FeFiles *files, GError **error);
void fe_screen_series_free(FeScreenSeries *series); /* (nullable) */
FeTick *fe_screen_series_tick(FeScreenSeries *series);
/* The last picture, unless one was taken at @now_ns or one failed. Returns: false with an error */
bool fe_screen_series_finish(FeScreenSeries *series, uint64_t now_ns, GError **error);

/* ---- an animation */

typedef struct FeScreenRecord FeScreenRecord;

/**
 * fe_screen_record_new:
 * @options: of --screen-record
 * @view: must outlive the record
 * @now_ns: guest time at the beginning; the first picture is taken then
 * @files: told of the file, which is replaced when the record is finished
 *
 * Returns: (transfer full): %NULL, with one line that names the option, for a value or a file that
 *   will not do
 */
FeScreenRecord *fe_screen_record_new(const FeRunOptions *options, FeScreenView *view,
                                     uint64_t now_ns, FeFiles *files, GError **error);
void fe_screen_record_free(FeScreenRecord *record); /* (nullable) */
FeTick *fe_screen_record_tick(FeScreenRecord *record);
/* The last picture, and the file. Returns: false with an error; then nothing took its place */
bool fe_screen_record_finish(FeScreenRecord *record, uint64_t now_ns, GError **error);
