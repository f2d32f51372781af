/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PNG files; see png-file.h.
 *
 * libpng reports errors by longjmp(): write_png() is the only function it may leave that way, and
 * what is allocated belongs to its caller. The level and the filters of compression are named here
 * rather than left to libpng, so that the bytes depend on the pixels (and on zlib) alone.
 *
 * Source: the manual of libpng 1.6.
 */
#include "png-file.h"

#include "emu/error.h"
#include "memsys/os.h"
#include "whole-file.h"

#include <png.h>
#include <string.h>

#define LEVEL 6
#define BYTES_PER_PIXEL 3

/* One picture on its way. */
typedef struct Writing {
    unsigned width;
    unsigned height;
    const uint32_t *pixels;
    char *title; /* valid UTF-8; libpng takes no const; NULL: none */
    FeWholeFile *file;
    png_bytep row;
    char message[80]; /* libpng's, if it gave up */
} Writing;

static void put(png_structp png, png_bytep bytes, size_t len)
{
    Writing *writing = png_get_io_ptr(png);

    fe_whole_file_put(writing->file, bytes, len);
}

static void flush(G_GNUC_UNUSED png_structp png)
{
}

static G_NORETURN void give_up(png_structp png, png_const_charp message)
{
    Writing *writing = png_get_error_ptr(png);

    g_strlcpy(writing->message, message, sizeof(writing->message));
    png_longjmp(png, 1);
}

static void ignore_warning(G_GNUC_UNUSED png_structp png, G_GNUC_UNUSED png_const_charp message)
{
}

static png_voidp allocate(G_GNUC_UNUSED png_structp png, png_alloc_size_t len)
{
    return mem_os()->try_alloc0(len);
}

static void release(G_GNUC_UNUSED png_structp png, png_voidp block)
{
    mem_os()->free(block);
}

/* tEXt holds Latin-1, of which only ASCII looks the same in UTF-8. */
static void put_title(png_structp png, png_infop info, char *title)
{
    char key[] = "Title";
    png_text text = {
        .compression =
            g_str_is_ascii(title) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
        .key = key,
        .text = title,
        .text_length = strlen(title),
    };

    png_set_text(png, info, &text, 1);
}

static void put_row(png_structp png, const Writing *writing, const uint32_t *pixels)
{
    png_bytep at = writing->row;

    for (unsigned x = 0; x < writing->width; x++) {
        *at++ = (png_byte)(pixels[x] >> 16);
        *at++ = (png_byte)(pixels[x] >> 8);
        *at++ = (png_byte)pixels[x];
    }
    png_write_row(png, writing->row);
}

/* Returns: whether libpng came to its end */
static bool write_png(png_structp png, png_infop info, Writing *writing)
{
    if (setjmp(png_jmpbuf(png)) != 0) {
        return false;
    }
    png_set_write_fn(png, writing, put, flush);
    png_set_compression_level(png, LEVEL);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
    png_set_IHDR(png, info, writing->width, writing->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (writing->title != NULL) {
        put_title(png, info, writing->title);
    }
    png_write_info(png, info);
    for (unsigned y = 0; y < writing->height && !fe_whole_file_has_failed(writing->file); y++) {
        put_row(png, writing, writing->pixels + (size_t)y * writing->width);
    }
    if (!fe_whole_file_has_failed(writing->file)) {
        png_write_end(png, info);
    }
    return true;
}

static bool encode(Writing *writing)
{
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, writing, give_up,
                                                ignore_warning, NULL, allocate, release);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool good = false;

    writing->row = mem_os()->try_alloc0((size_t)writing->width * BYTES_PER_PIXEL);
    if (info == NULL || writing->row == NULL) {
        g_strlcpy(writing->message, "no memory for a picture", sizeof(writing->message));
    } else {
        good = write_png(png, info, writing);
    }
    mem_os()->free(writing->row);
    png_destroy_write_struct(&png, &info);
    return good;
}

bool fe_png_write_pixels(const char *path, unsigned width, unsigned height, const uint32_t *pixels,
                         const char *title, GError **error)
{
    g_assert(width > 0 && width <= FE_PNG_MAX_SIDE && height > 0 && height <= FE_PNG_MAX_SIDE);
    g_autoptr(FeWholeFile) file = fe_whole_file_new(path, error);
    g_autofree char *copy = title != NULL ? g_utf8_make_valid(title, -1) : NULL;
    Writing writing = { width, height, pixels, copy, file, NULL, "" };

    if (file == NULL) {
        return false;
    }
    if (!encode(&writing)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "cannot write %s: %s", path, writing.message);
        return false;
    }
    return fe_whole_file_commit(file, error);
}

bool fe_png_write(const char *path, const FePixels *picture, const char *title, GError **error)
{
    return fe_png_write_pixels(path, picture->width, picture->height, picture->pixels, title,
                               error);
}
