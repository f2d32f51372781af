/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical map as a picture: a square a page, folded into rows, coloured by what the page
 * is and what stands behind it.
 */
#pragma once

#include "memory-map.h"
#include "picture.h"

/* What stands above pictures of memory. */
typedef struct FeMemoryTitle {
    const char *what;  /* was run, with how much RAM: "bios.bin, 128M of RAM" */
    uint64_t guest_ns; /* that it ran for */
} FeMemoryTitle;

/* At most 2000 by 2000. Returns: (transfer full): %NULL without memory for it */
FePixels *fe_memory_picture_draw(Pgm *pgm, const FeMemoryTitle *title);

/* 0x00RRGGBB; for who looks for squares in such a picture, as tests do. */
uint32_t fe_memory_class_colour(FeMemoryClass class);

/* "128M of RAM" reads well in titles, 126.9 MiB does in pictures. (transfer full) */
char *fe_memory_size_words(uint64_t n_pages);
/* Of a range, short: a file's name without its folders. Within @info. */
const char *fe_memory_range_name(const PgmRangeInfo *info);
