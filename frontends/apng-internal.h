/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of FeApng share: apng.c takes pictures and spools their frames, apng-write.c
 * makes the file of the spool.
 *
 * The spool is a row of records: FeApngFrame, then its len bytes, a zlib stream of the rectangle's
 * rows (a filter byte, then RGB). The first frame has no record: how large it must be is known only
 * at the end, so its picture is kept.
 */
#pragma once

#include "apng.h"
#include "png-file.h"

#include <zlib.h>

#define FE_APNG_PIECE 65536 /* bytes compressed or copied at a time */

typedef struct FeApngFrame {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
    uint64_t time_ns;
    uint64_t len;
} FeApngFrame;

/* A picture to read. */
typedef struct FeApngView {
    unsigned width;
    unsigned height;
    const uint32_t *pixels;
} FeApngView;

/*
 * Invariants:
 *   1. n_frames is 0 until first has a picture; the spool has n_frames - 1 records after that, up
 *      to spool_len.
 *   2. canvas shows what a viewer sees after the last frame, and is as large as needed so far.
 */
struct FeApng {
    char *path;
    int spool; /* descriptor */
    uint64_t spool_len;
    unsigned n_frames;
    FePixels first;    /* by mem_os() */
    uint64_t first_ns; /* times of the first and the last frame */
    uint64_t last_ns;
    FePixels canvas; /* likewise */
    z_stream zlib;   /* set up once, reset for each frame */
    bool zlib_is_set_up;
    uint8_t *row;    /* of canvas width: filter byte and RGB */
    uint8_t *piece;  /* FE_APNG_PIECE bytes */
    GError *failure; /* the first */
};

/* Notes why the record fails, once. Returns: false */
bool fe_apng_fail(FeApng *apng, const char *why);

/* Where compressed bytes go, in pieces of at most FE_APNG_PIECE. */
typedef void (*FeApngSink)(void *user, const uint8_t *bytes, size_t len);

/**
 * fe_apng_compress:
 * @picture: whatever of the rectangle lies outside of it is black
 *
 * A frame's zlib stream.
 */
bool fe_apng_compress(FeApng *apng, const FeApngView *picture, const FeApngFrame *frame,
                      FeApngSink sink, void *user);

/* All of @len bytes at @offset of the spool. */
bool fe_apng_spool_read(FeApng *apng, void *bytes, size_t len, uint64_t offset);
