/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of random patches, reading PNG files by libpng, and playing animated ones: each frame's
 * bytes become a PNG of their own, which libpng reads.
 */
#pragma once

#include "frontends/png-file.h"

#include <check.h>
#include <glib.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static inline FePixels png_test_picture(unsigned width, unsigned height)
{
    return (FePixels) { width, height, g_new0(uint32_t, (size_t)width * height) };
}

static inline void png_test_patch(GRand *rand, FePixels *picture, unsigned size)
{
    unsigned left = (unsigned)g_rand_int_range(rand, 0, (gint32)picture->width);
    unsigned top = (unsigned)g_rand_int_range(rand, 0, (gint32)picture->height);
    uint32_t colour = g_rand_int(rand) & 0xFFFFFF;

    for (unsigned y = top; y < MIN(top + size, picture->height); y++) {
        for (unsigned x = left; x < MIN(left + size, picture->width); x++) {
            picture->pixels[(size_t)y * picture->width + x] = colour;
        }
    }
}

/* Of a file in memory; pixels are freed by the caller. */
static inline FePixels png_test_read(const void *bytes, size_t len)
{
    png_image image = { .version = PNG_IMAGE_VERSION };

    ck_assert_msg(png_image_begin_read_from_memory(&image, bytes, len) != 0, "%s", image.message);
    image.format = PNG_FORMAT_RGB;

    g_autofree uint8_t *rgb = g_malloc(PNG_IMAGE_SIZE(image));

    ck_assert_msg(png_image_finish_read(&image, NULL, rgb, 0, NULL) != 0, "%s", image.message);
    ck_assert_msg(image.warning_or_error == 0, "%s", image.message);

    FePixels picture = png_test_picture(image.width, image.height);

    for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
        picture.pixels[i] =
            (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
    }
    return picture;
}

static inline bool png_test_equal(const FePixels *a, const FePixels *b)
{
    return a->width == b->width && a->height == b->height &&
           memcmp(a->pixels, b->pixels, (size_t)a->width * a->height * sizeof(*a->pixels)) == 0;
}

/* ---- chunks */

typedef struct PngTestChunk {
    char type[5];
    uint32_t len;
    const uint8_t *data;
} PngTestChunk;

static inline uint32_t png_test_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Reads the chunk at *@offset and goes behind it; its sum must be right. */
static inline PngTestChunk png_test_chunk(const uint8_t *file, size_t len, size_t *offset)
{
    PngTestChunk chunk = { "", 0, NULL };

    ck_assert_uint_le(*offset + 12, len);
    chunk.len = png_test_be32(file + *offset);
    memcpy(chunk.type, file + *offset + 4, 4);
    chunk.data = file + *offset + 8;
    ck_assert_uint_le(chunk.len, len - *offset - 12);
    ck_assert_uint_eq(crc32(crc32(0, Z_NULL, 0), file + *offset + 4, chunk.len + 4),
                      png_test_be32(chunk.data + chunk.len));
    *offset += 12 + (size_t)chunk.len;
    return chunk;
}

static inline void png_test_put_chunk(GByteArray *file, const char *type, const uint8_t *data,
                                      uint32_t len)
{
    uint32_t be = GUINT32_TO_BE(len);
    guint start = file->len + 4;

    g_byte_array_append(file, (const guint8 *)&be, 4);
    g_byte_array_append(file, (const guint8 *)type, 4);
    if (len > 0) {
        g_byte_array_append(file, data, len);
    }
    be = GUINT32_TO_BE((uint32_t)crc32(crc32(0, Z_NULL, 0), file->data + start, len + 4));
    g_byte_array_append(file, (const guint8 *)&be, 4);
}
