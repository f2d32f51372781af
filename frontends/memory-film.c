/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages written over time; see memory-film.h.
 */
#include "memory-film.h"

#include "emu/clock.h"

#include <string.h>

#define WORDS (FE_FILM_SLICES / 64)
#define SPACE_SHIFT 48 /* above the page numbers of 52-bit addresses */

struct FeMemoryFilm {
    PgmDirty *dirty;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t slice_ns;
    unsigned slice;  /* that goes on now; less than FE_FILM_SLICES */
    unsigned n_used; /* slices up to the last one with a page */
    unsigned unit_shift;
    GArray *units;     /* of FeFilmUnit */
    GHashTable *index; /* key() of each to its index + 1 */
    GPtrArray *spaces; /* of char *: names of spaces from 1 on */
};

G_STATIC_ASSERT(sizeof(void *) == 8); /* keys are kept as pointers */

FeMemoryFilm *fe_memory_film_new(Pgm *pgm, uint64_t now_ns, uint64_t slice_ns, GError **error)
{
    PgmDirty *dirty = pgm_dirty_new(pgm, "memory film", error);

    if (dirty == NULL) {
        return NULL;
    }
    FeMemoryFilm *film = g_new(FeMemoryFilm, 1);

    *film = (FeMemoryFilm) { .dirty = dirty,
                             .start_ns = now_ns,
                             .end_ns = now_ns,
                             .slice_ns = slice_ns != 0 ? slice_ns : FE_FILM_SLICE_NS,
                             .units = g_array_new(FALSE, TRUE, sizeof(FeFilmUnit)),
                             .index = g_hash_table_new(g_direct_hash, g_direct_equal),
                             .spaces = g_ptr_array_new_with_free_func(g_free) };
    return film;
}

void fe_memory_film_free(FeMemoryFilm *film)
{
    if (film != NULL) {
        pgm_dirty_free(film->dirty);
        g_array_unref(film->units);
        g_hash_table_unref(film->index);
        g_ptr_array_unref(film->spaces);
        g_free(film);
    }
}

/* ---- units */

static FeFilmUnit *unit_at(const FeMemoryFilm *film, unsigned i)
{
    return &g_array_index(film->units, FeFilmUnit, i);
}

/* Never NULL: the shift leaves room for a bit. */
static void *key(const FeMemoryFilm *film, unsigned space, uint64_t page)
{
    uint64_t value = ((uint64_t)space << SPACE_SHIFT | page >> film->unit_shift) + 1;

    return (void *)(uintptr_t)value;
}

static FeFilmUnit *get_unit(FeMemoryFilm *film, unsigned space, uint64_t page)
{
    void *wanted = key(film, space, page);
    unsigned i = GPOINTER_TO_UINT(g_hash_table_lookup(film->index, wanted));

    if (i == 0) {
        FeFilmUnit unit = { .space = space, .page = page >> film->unit_shift << film->unit_shift };

        g_array_append_val(film->units, unit);
        i = film->units->len;
        g_hash_table_insert(film->index, wanted, GUINT_TO_POINTER(i));
    }
    return unit_at(film, i - 1);
}

/* Two neighbours become one, everywhere. */
static void merge_units(FeMemoryFilm *film)
{
    g_autoptr(GArray) old = g_steal_pointer(&film->units);

    film->units = g_array_new(FALSE, TRUE, sizeof(FeFilmUnit));
    g_hash_table_remove_all(film->index);
    film->unit_shift++;
    for (unsigned i = 0; i < old->len; i++) {
        const FeFilmUnit *from = &g_array_index(old, FeFilmUnit, i);
        FeFilmUnit *to = get_unit(film, from->space, from->page);

        for (unsigned word = 0; word < WORDS; word++) {
            to->written[word] |= from->written[word];
        }
    }
}

static unsigned space_of(FeMemoryFilm *film, const PgmPageRef *page)
{
    for (unsigned i = 0; i < film->spaces->len; i++) {
        if (strcmp(g_ptr_array_index(film->spaces, i), page->name) == 0) {
            return i + 1;
        }
    }
    if (film->spaces->len == FE_FILM_SPACES) {
        return FE_FILM_SPACES;
    }
    bool last = film->spaces->len + 1 == FE_FILM_SPACES;

    g_ptr_array_add(film->spaces, g_strdup(last ? "(more)" : page->name));
    return film->spaces->len;
}

static void note_page(const PgmPageRef *page, void *user)
{
    FeMemoryFilm *film = user;
    bool mapped = page->gpa != MEM_GPHYS_NIL;
    unsigned space = mapped ? 0 : space_of(film, page);
    FeFilmUnit *unit = get_unit(film, space, (mapped ? page->gpa : page->offset) >> MEM_PAGE_SHIFT);

    film->n_used = film->slice + 1;
    unit->written[film->slice / 64] |= UINT64_C(1) << (film->slice % 64);
    while (film->units->len > FE_FILM_UNITS) {
        merge_units(film);
    }
}

/* ---- slices */

/* Bits 2 i and 2 i + 1 of @bits, either of them, as bit i. */
static uint64_t halve(uint64_t bits)
{
    bits = (bits | bits >> 1) & UINT64_C(0x5555555555555555);
    bits = (bits | bits >> 1) & UINT64_C(0x3333333333333333);
    bits = (bits | bits >> 2) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    bits = (bits | bits >> 4) & UINT64_C(0x00FF00FF00FF00FF);
    bits = (bits | bits >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (bits | bits >> 16) & UINT64_C(0x00000000FFFFFFFF);
}

static void merge_slices(FeMemoryFilm *film)
{
    for (unsigned i = 0; i < film->units->len; i++) {
        uint64_t *written = unit_at(film, i)->written;

        for (unsigned word = 0; word < WORDS / 2; word++) {
            written[word] = halve(written[2 * word]) | halve(written[2 * word + 1]) << 32;
        }
        memset(written + WORDS / 2, 0, WORDS / 2 * sizeof *written);
    }
    film->n_used = (film->n_used + 1) / 2;
    film->slice_ns *= 2;
}

uint64_t fe_memory_film_look(FeMemoryFilm *film, uint64_t now_ns)
{
    pgm_dirty_foreach(film->dirty, note_page, film);
    pgm_dirty_reset(film->dirty);
    film->end_ns = now_ns;

    uint64_t age = now_ns - film->start_ns;

    /* 512 slices of less than 2^55 ns: no overflow before guest time itself ends. */
    while (age / film->slice_ns >= FE_FILM_SLICES) {
        merge_slices(film);
    }
    film->slice = (unsigned)(age / film->slice_ns);

    uint64_t to_go = film->slice_ns - age % film->slice_ns;

    return to_go < EMU_CLOCK_NEVER - now_ns ? now_ns + to_go : EMU_CLOCK_NEVER;
}

/* ---- reading */

void fe_memory_film_get_frame(const FeMemoryFilm *film, FeFilmFrame *ret_frame)
{
    uint64_t age = film->end_ns - film->start_ns;

    /* The slice that began at the very end has no length; it may have pages: a reset's. */
    unsigned n_slices = film->slice + (age % film->slice_ns != 0 ? 1 : 0);

    *ret_frame = (FeFilmFrame) { .start_ns = film->start_ns,
                                 .end_ns = film->end_ns,
                                 .slice_ns = film->slice_ns,
                                 .n_slices = MAX(n_slices, film->n_used),
                                 .unit_pages = UINT64_C(1) << film->unit_shift };
}

static int by_place(const void *a, const void *b)
{
    const FeFilmUnit *one = a;
    const FeFilmUnit *other = b;

    if (one->space != other->space) {
        return one->space < other->space ? -1 : 1;
    }
    return one->page < other->page ? -1 : one->page > other->page;
}

const FeFilmUnit *fe_memory_film_units(FeMemoryFilm *film, unsigned *ret_n)
{
    g_array_sort(film->units, by_place);
    for (unsigned i = 0; i < film->units->len; i++) {
        const FeFilmUnit *unit = unit_at(film, i);

        g_hash_table_insert(film->index, key(film, unit->space, unit->page),
                            GUINT_TO_POINTER(i + 1));
    }
    *ret_n = film->units->len;
    return (const FeFilmUnit *)(const void *)film->units->data;
}

const char *fe_memory_film_space_name(const FeMemoryFilm *film, unsigned space)
{
    return g_ptr_array_index(film->spaces, space - 1);
}
