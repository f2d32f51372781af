/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeApng: an animated PNG of a screen. Pictures are given in order of time; those that are like
 * the one before make it last longer, of others the rectangle that differs is stored. The canvas is
 * as large as the largest picture: others lie in its upper left corner, on black.
 *
 * A program that does not know animations shows the first picture.
 *
 * Memory does not grow with the length of the record: what was compressed waits in a file without
 * a name beside the one to be, which appears whole at the end.
 *
 * Source: Portable Network Graphics (PNG) Specification, third edition, 11.3.6 (acTL, fcTL, fdAT).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A record shorter than this is played as slowly as makes it as long. */
#define FE_APNG_SHORT_MS 4000

/* A frame is shown for its time within these: nothing flickers by, nothing stands still for long.
 */
#define FE_APNG_MIN_MS 40
#define FE_APNG_MAX_MS 2000

typedef struct FeApng FeApng;

/**
 * fe_apng_new:
 * @path: the file to be
 *
 * Returns: (transfer full): or %NULL with an error that names the file
 */
FeApng *fe_apng_new(const char *path, GError **error);

/* Without fe_apng_finish() before, there is no file. (nullable) */
void fe_apng_free(FeApng *apng);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeApng, fe_apng_free)

/**
 * fe_apng_add:
 * @width: 1 to FE_PNG_MAX_SIDE, as @height
 * @pixels: 0x00RRGGBB, row by row without gaps; not kept
 * @time_ns: when the picture came up; no earlier than the one before
 *
 * Returns: false with an error that names the file; add no more then
 */
bool fe_apng_add(FeApng *apng, unsigned width, unsigned height, const uint32_t *pixels,
                 uint64_t time_ns, GError **error);

/**
 * fe_apng_finish:
 *
 * Writes the file; once, after one picture at least. The last picture is shown for FE_APNG_MAX_MS
 * before the animation begins anew.
 *
 * Returns: false with an error that names the file
 */
bool fe_apng_finish(FeApng *apng, GError **error);
