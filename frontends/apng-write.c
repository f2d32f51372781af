/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An animated PNG from the spool; see apng.h and apng-internal.h.
 *
 * Signature, IHDR, acTL; IDAT, which is no frame: what the last one leaves, for viewers that do not
 * play; each frame as fcTL and fdAT; IEND. A frame replaces the pixels of its rectangle and stays
 * for the next. fcTL and fdAT are numbered in one row.
 */
#include "apng-internal.h"
#include "whole-file.h"

#include <string.h>

#define NS_PER_MS 1000000
#define MS_PER_SECOND 1000
#define COLOUR_RGB 2

static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A };

/* The file on its way. */
typedef struct Writing {
    FeWholeFile *file;
    uint32_t sequence; /* of fcTL and fdAT */
    bool animated;     /* bytes belong to a frame and go into fdAT */
} Writing;

static uint8_t *put_be32(uint8_t *at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static uint8_t *put_be16(uint8_t *at, unsigned value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

/* A chunk of two parts, of which either may be empty. */
static void put_chunk(FeWholeFile *file, const char *type, const uint8_t *head, size_t n_head,
                      const uint8_t *data, size_t n_data)
{
    uint8_t start[8];
    uint8_t end[4];
    uLong sum = crc32(0, Z_NULL, 0);

    memcpy(put_be32(start, (uint32_t)(n_head + n_data)), type, 4);
    sum = crc32(sum, start + 4, 4);
    /* zlib takes a NULL for the question where sums begin. */
    sum = n_head > 0 ? crc32(sum, head, (uInt)n_head) : sum;
    sum = n_data > 0 ? crc32(sum, data, (uInt)n_data) : sum;
    put_be32(end, (uint32_t)sum);
    fe_whole_file_put(file, start, sizeof(start));
    fe_whole_file_put(file, head, n_head);
    fe_whole_file_put(file, data, n_data);
    fe_whole_file_put(file, end, sizeof(end));
}

static void put_head(const FeApng *apng, FeWholeFile *file)
{
    uint8_t header[13] = { 0 };
    uint8_t control[8];
    uint8_t *at = put_be32(put_be32(header, apng->canvas.width), apng->canvas.height);

    at[0] = 8; /* bits a channel; compression, filters and interlacing are 0 */
    at[1] = COLOUR_RGB;
    put_be32(put_be32(control, apng->n_frames), 0); /* played for ever */
    fe_whole_file_put(file, signature, sizeof(signature));
    put_chunk(file, "IHDR", header, sizeof(header), NULL, 0);
    put_chunk(file, "acTL", control, sizeof(control), NULL, 0);
}

static unsigned delay_ms(const FeApng *apng, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t all_ns = apng->last_ns - apng->first_ns;
    uint64_t ns = to_ns - from_ns;
    uint64_t ms = ns / NS_PER_MS;

    if (all_ns < (uint64_t)FE_APNG_SHORT_MS * NS_PER_MS) {
        /* Two pictures at one time: no length at all. */
        ms = all_ns > 0 ? ns * FE_APNG_SHORT_MS / all_ns : 0;
    }
    return (unsigned)CLAMP(ms, FE_APNG_MIN_MS, FE_APNG_MAX_MS);
}

static void put_frame_control(Writing *writing, const FeApngFrame *frame, unsigned ms)
{
    uint8_t control[26];
    uint8_t *at = put_be32(control, writing->sequence++);

    at = put_be32(put_be32(at, frame->width), frame->height);
    at = put_be32(put_be32(at, frame->x), frame->y);
    at = put_be16(put_be16(at, ms), MS_PER_SECOND);
    at[0] = 0; /* left as it is when its time is over */
    at[1] = 0; /* replaces what was there */
    put_chunk(writing->file, "fcTL", control, sizeof(control), NULL, 0);
}

static void put_data(void *user, const uint8_t *bytes, size_t len)
{
    Writing *writing = user;
    uint8_t number[4];

    if (writing->animated) {
        put_be32(number, writing->sequence++);
        put_chunk(writing->file, "fdAT", number, sizeof(number), bytes, len);
    } else {
        put_chunk(writing->file, "IDAT", NULL, 0, bytes, len);
    }
}

/* Copies @len bytes at @offset of the spool. */
static bool put_spooled(FeApng *apng, Writing *writing, uint64_t offset, uint64_t len)
{
    while (len > 0 && !fe_whole_file_has_failed(writing->file)) {
        size_t n = (size_t)MIN(len, FE_APNG_PIECE);

        if (!fe_apng_spool_read(apng, apng->piece, n, offset)) {
            return false;
        }
        put_data(writing, apng->piece, n);
        offset += n;
        len -= n;
    }
    return true;
}

/* The frame whose record is at @offset; what lies behind the last record is no frame. */
static bool read_frame(FeApng *apng, uint64_t offset, FeApngFrame *ret_frame)
{
    return offset >= apng->spool_len ||
           fe_apng_spool_read(apng, ret_frame, sizeof(*ret_frame), offset);
}

/* How long a frame is shown, if the next one's record is at @next. */
static unsigned shown_ms(const FeApng *apng, uint64_t time_ns, uint64_t next,
                         const FeApngFrame *next_frame)
{
    return next < apng->spool_len ? delay_ms(apng, time_ns, next_frame->time_ns) : FE_APNG_MAX_MS;
}

static bool put_frames(FeApng *apng, Writing *writing)
{
    FeApngView first = { apng->first.width, apng->first.height, apng->first.pixels };
    FeApngView last = { apng->canvas.width, apng->canvas.height, apng->canvas.pixels };
    FeApngFrame frame = { 0, 0, apng->canvas.width, apng->canvas.height, apng->first_ns, 0 };
    FeApngFrame next = { 0 };
    uint64_t offset = 0;

    if (!fe_apng_compress(apng, &last, &frame, put_data, writing) || !read_frame(apng, 0, &next)) {
        return false;
    }
    writing->animated = true;
    put_frame_control(writing, &frame, shown_ms(apng, frame.time_ns, 0, &next));
    if (!fe_apng_compress(apng, &first, &frame, put_data, writing)) {
        return false;
    }
    while (offset < apng->spool_len && !fe_whole_file_has_failed(writing->file)) {
        uint64_t data = offset + sizeof(frame);

        frame = next;
        offset = data + frame.len;
        if (!read_frame(apng, offset, &next)) {
            return false;
        }
        put_frame_control(writing, &frame, shown_ms(apng, frame.time_ns, offset, &next));
        if (!put_spooled(apng, writing, data, frame.len)) {
            return false;
        }
    }
    return true;
}

bool fe_apng_finish(FeApng *apng, GError **error)
{
    g_assert(apng->n_frames > 0 && apng->failure == NULL);
    g_autoptr(FeWholeFile) file = fe_whole_file_new(apng->path, error);
    Writing writing = { file, 0, false };

    if (file == NULL) {
        return false;
    }
    put_head(apng, file);
    if (!put_frames(apng, &writing)) {
        g_propagate_error(error, g_error_copy(apng->failure));
        return false;
    }
    put_chunk(file, "IEND", NULL, 0, NULL, 0);
    return fe_whole_file_commit(file, error);
}
