/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking pictures for an animated PNG; see apng.h and apng-internal.h.
 */
#include "apng-internal.h"

#include "emu/error.h"
#include "memsys/os.h"
#include "png-file.h"
#include "whole-file.h"

#include <errno.h>
#include <string.h>

#define LEVEL 6
#define BYTES_PER_PIXEL 3
#define FILTER_SUB \
    1 /* each byte less that of the pixel to its left: best for both text and ramps */
#define FRAMES_MAX 0x7FFFFFFFu

bool fe_apng_fail(FeApng *apng, const char *why)
{
    if (apng->failure == NULL) {
        apng->failure =
            g_error_new(EMU_ERROR, EMU_ERROR_FILE, "cannot write %s: %s", apng->path, why);
    }
    return false;
}

/* ---- the spool */

static bool spool_write(FeApng *apng, const void *bytes, size_t len, uint64_t offset)
{
    const uint8_t *from = bytes;

    while (len > 0) {
        ssize_t n = mem_os()->pwrite(apng->spool, from, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fe_apng_fail(apng, g_strerror(n < 0 ? errno : EIO));
        }
        from += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

bool fe_apng_spool_read(FeApng *apng, void *bytes, size_t len, uint64_t offset)
{
    uint8_t *to = bytes;

    while (len > 0) {
        ssize_t n = mem_os()->pread(apng->spool, to, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fe_apng_fail(apng, g_strerror(n < 0 ? errno : EIO));
        }
        to += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- compression */

static void *allocate(G_GNUC_UNUSED void *user, unsigned n, unsigned size)
{
    return mem_os()->try_alloc0((size_t)n * size);
}

static void release(G_GNUC_UNUSED void *user, void *block)
{
    mem_os()->free(block);
}

/* Row @y of the rectangle as the filter leaves it. */
static void make_row(uint8_t *row, const FeApngView *picture, const FeApngFrame *frame, unsigned y)
{
    uint32_t left = 0;

    *row++ = FILTER_SUB;
    for (unsigned i = 0; i < frame->width; i++) {
        unsigned x = frame->x + i;
        bool inside = x < picture->width && frame->y + y < picture->height;
        uint32_t pixel = inside ? picture->pixels[(size_t)(frame->y + y) * picture->width + x] : 0;

        *row++ = (uint8_t)((pixel >> 16) - (left >> 16));
        *row++ = (uint8_t)((pixel >> 8) - (left >> 8));
        *row++ = (uint8_t)(pixel - left);
        left = pixel;
    }
}

/* Gives what zlib has to @sink until it wants more, or has ended. */
static void drain(FeApng *apng, int flush, FeApngSink sink, void *user)
{
    z_stream *zlib = &apng->zlib;

    do {
        zlib->next_out = apng->piece;
        zlib->avail_out = FE_APNG_PIECE;
        /* Fails for misuse alone; a full buffer is no failure. */
        (void)deflate(zlib, flush);
        if (zlib->avail_out < FE_APNG_PIECE) {
            sink(user, apng->piece, FE_APNG_PIECE - zlib->avail_out);
        }
    } while (zlib->avail_out == 0);
}

bool fe_apng_compress(FeApng *apng, const FeApngView *picture, const FeApngFrame *frame,
                      FeApngSink sink, void *user)
{
    if (deflateReset(&apng->zlib) != Z_OK) {
        return fe_apng_fail(apng, "zlib does not start anew");
    }
    for (unsigned y = 0; y < frame->height && apng->failure == NULL; y++) {
        make_row(apng->row, picture, frame, y);
        apng->zlib.next_in = apng->row;
        apng->zlib.avail_in = 1 + frame->width * BYTES_PER_PIXEL;
        drain(apng, y + 1 == frame->height ? Z_FINISH : Z_NO_FLUSH, sink, user);
    }
    return apng->failure == NULL;
}

/* ---- life */

static bool set_up(FeApng *apng, GError **error)
{
    apng->zlib.zalloc = allocate;
    apng->zlib.zfree = release;
    apng->zlib_is_set_up = deflateInit(&apng->zlib, LEVEL) == Z_OK;
    apng->piece = mem_os()->try_alloc0(FE_APNG_PIECE);
    if (!apng->zlib_is_set_up || apng->piece == NULL) {
        fe_apng_fail(apng, "no memory to compress");
        g_propagate_error(error, g_error_copy(apng->failure));
        return false;
    }
    apng->spool = fe_whole_file_open_beside(apng->path, error);
    return apng->spool >= 0;
}

FeApng *fe_apng_new(const char *path, GError **error)
{
    g_autoptr(FeApng) apng = g_new0(FeApng, 1);

    apng->path = g_strdup(path);
    apng->spool = -1;
    return set_up(apng, error) ? g_steal_pointer(&apng) : NULL;
}

void fe_apng_free(FeApng *apng)
{
    if (apng == NULL) {
        return;
    }
    if (apng->spool >= 0) {
        (void)mem_os()->close(apng->spool);
    }
    if (apng->zlib_is_set_up) {
        (void)deflateEnd(&apng->zlib);
    }
    mem_os()->free(apng->first.pixels);
    mem_os()->free(apng->canvas.pixels);
    mem_os()->free(apng->row);
    mem_os()->free(apng->piece);
    g_clear_error(&apng->failure);
    g_free(apng->path);
    g_free(apng);
}

/* ---- pictures */

static FeApngView view_of(const FePixels *picture)
{
    return (FeApngView) { picture->width, picture->height, picture->pixels };
}

/* @from on black. False without memory for it. */
static bool copy_picture(FePixels *to, unsigned width, unsigned height, const FeApngView *from)
{
    uint32_t *pixels = mem_os()->try_alloc0((size_t)width * height * sizeof(*pixels));

    if (pixels == NULL) {
        return false;
    }
    for (unsigned y = 0; y < from->height; y++) {
        memcpy(pixels + (size_t)y * width, from->pixels + (size_t)y * from->width,
               from->width * sizeof(*pixels));
    }
    mem_os()->free(to->pixels);
    *to = (FePixels) { width, height, pixels };
    return true;
}

/* Makes the canvas, and the row that must hold its width, large enough for @picture. */
static bool grow(FeApng *apng, const FeApngView *picture)
{
    unsigned width = MAX(apng->canvas.width, picture->width);
    unsigned height = MAX(apng->canvas.height, picture->height);

    if (width > apng->canvas.width) {
        uint8_t *row = mem_os()->try_realloc(apng->row, 1 + (size_t)width * BYTES_PER_PIXEL);

        if (row == NULL) {
            return fe_apng_fail(apng, "no memory for a picture");
        }
        apng->row = row;
    }
    if (width == apng->canvas.width && height == apng->canvas.height) {
        return true;
    }

    FeApngView canvas = view_of(&apng->canvas);

    return copy_picture(&apng->canvas, width, height, &canvas) ||
           fe_apng_fail(apng, "no memory for a picture");
}

static uint32_t pixel_at(const FeApngView *picture, unsigned x, unsigned y)
{
    return x < picture->width && y < picture->height
               ? picture->pixels[(size_t)y * picture->width + x]
               : 0;
}

/* The smallest rectangle around all pixels of the canvas that are others in @picture. */
static void find_difference(const FePixels *canvas, const FeApngView *picture,
                            FeApngFrame *ret_frame)
{
    unsigned left = canvas->width;
    unsigned right = 0;
    unsigned top = canvas->height;
    unsigned bottom = 0;

    for (unsigned y = 0; y < canvas->height; y++) {
        const uint32_t *old = canvas->pixels + (size_t)y * canvas->width;

        if (y < picture->height && picture->width == canvas->width &&
            memcmp(old, picture->pixels + (size_t)y * picture->width,
                   picture->width * sizeof(*old)) == 0) {
            continue;
        }
        for (unsigned x = 0; x < canvas->width; x++) {
            if (old[x] != pixel_at(picture, x, y)) {
                left = MIN(left, x);
                right = MAX(right, x + 1);
                top = MIN(top, y);
                bottom = y + 1;
            }
        }
    }
    if (right > 0) {
        *ret_frame = (FeApngFrame) { left, top, right - left, bottom - top, 0, 0 };
    }
}

static void paint(FePixels *canvas, const FeApngView *picture, const FeApngFrame *frame)
{
    for (unsigned y = frame->y; y < frame->y + frame->height; y++) {
        for (unsigned x = frame->x; x < frame->x + frame->width; x++) {
            canvas->pixels[(size_t)y * canvas->width + x] = pixel_at(picture, x, y);
        }
    }
}

static void spool_sink(void *user, const uint8_t *bytes, size_t len)
{
    FeApng *apng = user;

    if (apng->failure == NULL && spool_write(apng, bytes, len, apng->spool_len)) {
        apng->spool_len += len;
    }
}

/* The record's head is written last: it has the length. */
static bool spool_frame(FeApng *apng, FeApngFrame *frame)
{
    FeApngView canvas = view_of(&apng->canvas);
    uint64_t head = apng->spool_len;

    apng->spool_len += sizeof(*frame);
    if (!fe_apng_compress(apng, &canvas, frame, spool_sink, apng)) {
        return false;
    }
    frame->len = apng->spool_len - head - sizeof(*frame);
    return spool_write(apng, frame, sizeof(*frame), head);
}

static bool add_first(FeApng *apng, const FeApngView *picture, uint64_t time_ns)
{
    FeApngFrame all = { 0, 0, picture->width, picture->height, 0, 0 };

    if (!copy_picture(&apng->first, picture->width, picture->height, picture)) {
        return fe_apng_fail(apng, "no memory for a picture");
    }
    paint(&apng->canvas, picture, &all);
    apng->first_ns = time_ns;
    apng->last_ns = time_ns;
    apng->n_frames = 1;
    return true;
}

static bool add(FeApng *apng, const FeApngView *picture, uint64_t time_ns)
{
    FeApngFrame frame = { 0 };

    if (!grow(apng, picture)) {
        return false;
    }
    if (apng->n_frames == 0) {
        return add_first(apng, picture, time_ns);
    }
    find_difference(&apng->canvas, picture, &frame);
    if (frame.width == 0) {
        return true;
    }
    if (apng->n_frames == FRAMES_MAX) {
        return fe_apng_fail(apng, "the record has more pictures than a PNG can");
    }
    paint(&apng->canvas, picture, &frame);
    frame.time_ns = time_ns;
    if (!spool_frame(apng, &frame)) {
        return false;
    }
    apng->last_ns = time_ns;
    apng->n_frames++;
    return true;
}

bool fe_apng_add(FeApng *apng, unsigned width, unsigned height, const uint32_t *pixels,
                 uint64_t time_ns, GError **error)
{
    g_assert(width > 0 && width <= FE_PNG_MAX_SIDE && height > 0 && height <= FE_PNG_MAX_SIDE);
    g_assert(apng->failure == NULL);
    FeApngView picture = { width, height, pixels };

    if (!add(apng, &picture, time_ns)) {
        g_propagate_error(error, g_error_copy(apng->failure));
        return false;
    }
    return true;
}
