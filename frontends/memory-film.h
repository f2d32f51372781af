/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeMemoryFilm: which pages were written when. Guest time is cut into slices of equal length; each
 * page that was ever written has a bit for each slice.
 *
 * When there are more than FE_FILM_SLICES slices, neighbours are merged and a slice is twice as
 * long from then on; when more than FE_FILM_UNITS pages were written, two neighbouring pages become
 * one unit. A merged slice has the pages that were written in either half: just what would have
 * been seen had slices been that long from the start. So any run, however long, of any guest,
 * however large, fits into some megabytes, and looking at the guest grows rarer as the run grows
 * longer.
 *
 * Thread: the machine's.
 *
 * Source: ours.
 */
#pragma once

#include "memsys/dirty.h"

#define FE_FILM_SLICES 512
#define FE_FILM_UNITS 65536
/* Memory mapped nowhere that is told apart; the last stands for all there is more, page by page. */
#define FE_FILM_SPACES 128
/* Shorter than anything worth seeing; a boot of 20 ms is seen in slices of 40 us. */
#define FE_FILM_SLICE_NS UINT64_C(10000)

typedef struct FeMemoryFilm FeMemoryFilm;

/* Pages that count as one, and when one of them was written. */
typedef struct FeFilmUnit {
    unsigned space; /* 0: guest addresses; else memory that was mapped nowhere, by its name */
    uint64_t page;  /* first one: guest address / 4096, or within that memory */
    uint64_t written[FE_FILM_SLICES / 64]; /* bit 0 of word 0: the first slice */
} FeFilmUnit;

/* What is known at some time. */
typedef struct FeFilmFrame {
    uint64_t start_ns; /* guest time when it began */
    uint64_t end_ns;   /* last look */
    uint64_t slice_ns;
    unsigned n_slices; /* the last one may be shorter */
    uint64_t unit_pages;
} FeFilmFrame;

/**
 * fe_memory_film_new:
 * @slice_ns: length of a slice to begin with; 0 takes FE_FILM_SLICE_NS
 *
 * Begins at @now_ns with nothing written.
 *
 * Returns: (transfer full): %NULL if the machine has no room for one more dirty client
 */
FeMemoryFilm *fe_memory_film_new(Pgm *pgm, uint64_t now_ns, uint64_t slice_ns, GError **error);
/* Before or after pgm_free(). */
void fe_memory_film_free(FeMemoryFilm *film);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeMemoryFilm, fe_memory_film_free)

/**
 * fe_memory_film_look:
 * @now_ns: never less than before
 *
 * Takes what was written since the last look into the slice that was begun then. O(pages written).
 *
 * Returns: guest time of the next look
 */
uint64_t fe_memory_film_look(FeMemoryFilm *film, uint64_t now_ns);

void fe_memory_film_get_frame(const FeMemoryFilm *film, FeFilmFrame *ret_frame);

/* Sorts them first. Returns: (transfer none): units by space and page, valid until the next look */
const FeFilmUnit *fe_memory_film_units(FeMemoryFilm *film, unsigned *ret_n);

static inline bool fe_film_unit_written(const FeFilmUnit *unit, unsigned slice)
{
    return (unit->written[slice / 64] >> (slice % 64) & 1) != 0;
}

/* Of a space other than 0: the memory's name; "(more)" of the last one. */
const char *fe_memory_film_space_name(const FeMemoryFilm *film, unsigned space);
