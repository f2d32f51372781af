/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest's display shows, as pixels and, in text modes, as text.
 *
 * A screen keeps one picture and brings it up to date when asked: only what lies in pages of video
 * memory that were written since, and all of it when a register that matters changed. Nothing is
 * drawn while nobody asks.
 *
 * The cursor and blinking characters are shown in their visible phase: a picture depends on what
 * the guest drew and not on when it was looked at.
 *
 * Thread: the machine's, while it is not running.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* Bounds of a picture, whatever a guest programs. */
#define DEV_SCREEN_MAX_WIDTH 4096
#define DEV_SCREEN_MAX_HEIGHT 4096

typedef struct DevScreen DevScreen;

typedef enum DevScreenMode {
    DEV_SCREEN_BLANK,    /* off: black */
    DEV_SCREEN_TEXT,     /* characters */
    DEV_SCREEN_GRAPHICS, /* pixels */
} DevScreenMode;

typedef struct DevPicture {
    unsigned width; /* pixels; 0 before the first update */
    unsigned height;
    const uint32_t *pixels; /* 0x00RRGGBB, row by row without gaps; valid until the next update */
} DevPicture;

typedef struct DevScreenRect {
    unsigned x;
    unsigned y;
    unsigned width; /* 0: empty */
    unsigned height;
} DevScreenRect;

typedef struct DevScreenStats {
    uint64_t updates;     /* asked for */
    uint64_t full;        /* of them, those that drew everything */
    uint64_t rows_drawn;  /* lines of pixels, or of characters in text modes */
    uint64_t dirty_pages; /* of video memory, that updates found */
} DevScreenStats;

/**
 * dev_screen_update:
 * @ret_changed: (nullable): the part of the picture that may look different now; all of it when
 *   its size changed
 *
 * Returns: whether anything may look different
 */
bool dev_screen_update(DevScreen *screen, DevScreenRect *ret_changed);

/* The picture as the last update left it. */
void dev_screen_get_picture(const DevScreen *screen, DevPicture *ret_picture);

/* The mode the guest has set now. */
DevScreenMode dev_screen_mode(const DevScreen *screen);

/**
 * dev_screen_print_text:
 * @text: rows of characters are appended, UTF-8 (code page 437), without spaces at their ends, each
 *   with a newline
 *
 * Returns: false, with nothing appended, when the screen shows no text
 */
bool dev_screen_print_text(const DevScreen *screen, GString *text);

void dev_screen_get_stats(const DevScreen *screen, DevScreenStats *ret_stats);

#pragma GCC visibility pop
