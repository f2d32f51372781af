/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing into pixels: boxes and text. Everything is clipped to the picture.
 */
#pragma once

#include "png-file.h"

/* Of a character's cell, at scale 1. */
#define FE_TEXT_WIDTH 6
#define FE_TEXT_HEIGHT 9 /* 7 above the base line, 2 below */
#define FE_TEXT_LINE 12  /* from line to line */

typedef struct FeBox {
    int x;
    int y;
    int width;
    int height;
} FeBox;

/* What text is written with. */
typedef struct FePen {
    FePixels *picture;
    uint32_t colour; /* 0x00RRGGBB */
    int scale;       /* pixels of a dot's side */
} FePen;

/* Returns: (transfer full): all in one colour; %NULL without memory for it */
FePixels *fe_picture_new(unsigned width, unsigned height, uint32_t colour);
void fe_picture_free(FePixels *picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FePixels, fe_picture_free)

void fe_picture_fill(FePixels *picture, FeBox box, uint32_t colour);
/* The outermost pixels of @box. */
void fe_picture_frame(FePixels *picture, FeBox box, uint32_t colour);

/* In pixels, of the last character's right edge. */
int fe_picture_text_width(const char *text, int scale);
/* @x, @y: upper left corner. What is not printable ASCII is shown as a question mark. */
void fe_picture_text(const FePen *pen, int x, int y, const char *text);

/* 0x00RRGGBB of @value of at most @most, both at least 1: from light to dark in even steps. */
uint32_t fe_picture_heat(unsigned value, unsigned most);

/* ---- picture-font.c */

/* Whether the dot is set; @column in 0 to 4, @row in 0 to FE_TEXT_HEIGHT - 1. */
bool fe_font_dot(char character, int column, int row);
