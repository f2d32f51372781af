/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages written over time as a picture: time goes to the right, addresses downwards, colour says
 * how many pages of a row were written in a slice.
 */
#pragma once

#include "memory-film.h"
#include "memory-picture.h"

/* At most 2000 by 2000. Returns: (transfer full): %NULL without memory for it */
FePixels *fe_memory_film_draw(FeMemoryFilm *film, Pgm *pgm, const FeMemoryTitle *title);
