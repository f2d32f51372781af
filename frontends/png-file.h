/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures as PNG files, by libpng. A file appears under its name only when it is whole: a picture
 * that could not be written leaves what was there before.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define FE_PNG_MAX_SIDE 16384

/* Pixels of one picture, 0x00RRGGBB, row by row without gaps. */
typedef struct FePixels {
    unsigned width; /* 1 to FE_PNG_MAX_SIDE */
    unsigned height;
    uint32_t *pixels;
} FePixels;

/**
 * fe_png_write:
 * @title: (nullable): a line of text that the file carries; what is not UTF-8 in it is replaced
 *
 * RGB, 8 bits a channel; the same pixels make the same bytes.
 *
 * Returns: false with an error that names the file
 */
bool fe_png_write(const char *path, const FePixels *picture, const char *title, GError **error);

/* The same of pixels that are somebody else's. */
bool fe_png_write_pixels(const char *path, unsigned width, unsigned height, const uint32_t *pixels,
                         const char *title, GError **error);
