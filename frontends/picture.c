/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boxes, text and colours in pixels; see picture.h.
 *
 * Source: the colours of heat are a path through the Oklab space (B. Ottosson, 2020) in even steps
 * of lightness; ours otherwise.
 */
#include "picture.h"

#include "memsys/os.h"

#include <string.h>

FePixels *fe_picture_new(unsigned width, unsigned height, uint32_t colour)
{
    uint32_t *pixels = mem_os()->try_alloc0((size_t)width * height * sizeof *pixels);

    if (pixels == NULL) {
        return NULL;
    }
    FePixels *picture = g_new(FePixels, 1);

    *picture = (FePixels) { width, height, pixels };
    fe_picture_fill(picture, (FeBox) { 0, 0, (int)width, (int)height }, colour);
    return picture;
}

void fe_picture_free(FePixels *picture)
{
    if (picture != NULL) {
        mem_os()->free(picture->pixels);
        g_free(picture);
    }
}

void fe_picture_fill(FePixels *picture, FeBox box, uint32_t colour)
{
    int left = MAX(box.x, 0);
    int top = MAX(box.y, 0);
    int right = MIN(box.x + box.width, (int)picture->width);
    int bottom = MIN(box.y + box.height, (int)picture->height);

    for (int y = top; y < bottom; y++) {
        uint32_t *row = picture->pixels + (size_t)y * picture->width;

        for (int x = left; x < right; x++) {
            row[x] = colour;
        }
    }
}

void fe_picture_frame(FePixels *picture, FeBox box, uint32_t colour)
{
    int right = box.x + box.width - 1;
    int bottom = box.y + box.height - 1;

    fe_picture_fill(picture, (FeBox) { box.x, box.y, box.width, 1 }, colour);
    fe_picture_fill(picture, (FeBox) { box.x, bottom, box.width, 1 }, colour);
    fe_picture_fill(picture, (FeBox) { box.x, box.y, 1, box.height }, colour);
    fe_picture_fill(picture, (FeBox) { right, box.y, 1, box.height }, colour);
}

int fe_picture_text_width(const char *text, int scale)
{
    size_t len = strlen(text);

    return len == 0 ? 0 : ((int)len * FE_TEXT_WIDTH - 1) * scale;
}

void fe_picture_text(const FePen *pen, int x, int y, const char *text)
{
    for (; *text != '\0'; text++, x += FE_TEXT_WIDTH * pen->scale) {
        for (int dot = 0; dot < (FE_TEXT_WIDTH - 1) * FE_TEXT_HEIGHT; dot++) {
            int column = dot % (FE_TEXT_WIDTH - 1);
            int row = dot / (FE_TEXT_WIDTH - 1);

            if (fe_font_dot(*text, column, row)) {
                fe_picture_fill(pen->picture,
                                (FeBox) { x + column * pen->scale, y + row * pen->scale, pen->scale,
                                          pen->scale },
                                pen->colour);
            }
        }
    }
}

uint32_t fe_picture_heat(unsigned value, unsigned most)
{
    static const uint32_t steps[] = { 0xF7C15F, 0xF99B36, 0xF6722C, 0xE74B41, 0xCD2859,
                                      0xAA106B, 0x820A72, 0x5A0D6E, 0x350D5D };
    const unsigned n_between = G_N_ELEMENTS(steps) - 1;
    /* A lone value is no extreme. */
    double at = most <= 1 ? 0.5 : (double)(value - 1) / (most - 1);
    unsigned step = MIN((unsigned)(at * n_between), n_between - 1);
    double part = at * n_between - step;
    uint32_t colour = 0;

    for (unsigned shift = 0; shift <= 16; shift += 8) {
        double from = steps[step] >> shift & 0xFF;
        double to = steps[step + 1] >> shift & 0xFF;

        colour |= (uint32_t)(from + (to - from) * part + 0.5) << shift;
    }
    return colour;
}
