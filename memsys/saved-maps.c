/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do the addresses that a saved state gives to MMIO and MMIO2 fit together, and with the machine's
 * RAM and ROM? The rules are those of range.c, before anything is moved.
 */
#include "memsys/saved-internal.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct Piece {
    GPhys first;
    GPhys last;
    const PgmRange *range;
} Piece;

static int compare_pieces(const void *a, const void *b)
{
    const Piece *left = a, *right = b;

    return left->first < right->first ? -1 : left->first > right->first;
}

static Piece piece_of(const PgmRange *range, GPhys start, uint64_t n_pages)
{
    return (Piece) { start, start + ((n_pages << MEM_PAGE_SHIFT) - 1), range };
}

/* RAM in one list, all that may lie over it in the other; both sorted. */
static void list_pieces(const Pgm *pgm, const PgmSavedMap *maps, uint32_t n_maps, Piece *ram,
                        uint32_t *ret_n_ram, Piece *over, uint32_t *ret_n_over)
{
    *ret_n_ram = *ret_n_over = 0;
    for (uint32_t i = 0; i < pgm->ranges->len; i++) {
        const PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        if (range->kind == PGM_RANGE_RAM) {
            ram[(*ret_n_ram)++] = piece_of(range, range->start, range->n_pages);
        } else if (range->kind == PGM_RANGE_ROM) {
            over[(*ret_n_over)++] = piece_of(range, range->start, range->n_pages);
        }
    }
    for (uint32_t i = 0; i < n_maps; i++) {
        const PgmSavedMap *map = &maps[i];

        if (map->start != MEM_GPHYS_NIL) {
            over[(*ret_n_over)++] = piece_of(map->range, map->start, map->shown_pages);
        }
    }
    qsort(ram, *ret_n_ram, sizeof *ram, compare_pieces);
    qsort(over, *ret_n_over, sizeof *over, compare_pieces);
}

static bool refuse_overlap(MemStateReader *reader, const Piece *a, const Piece *b, GError **error)
{
    return mem_state_bad(
        reader, error,
        "%s \"%s\" 0x%" PRIx64 "-0x%" PRIx64 " overlaps %s \"%s\" 0x%" PRIx64 "-0x%" PRIx64,
        pgm_range_kind_name(a->range->kind), a->range->description, a->first, a->last,
        pgm_range_kind_name(b->range->kind), b->range->description, b->first, b->last);
}

/* Nothing lies over another; over RAM only wholly inside one piece of it. */
static bool check_pieces(MemStateReader *reader, const Piece *ram, uint32_t n_ram,
                         const Piece *over, uint32_t n_over, GError **error)
{
    uint32_t r = 0;

    for (uint32_t i = 0; i < n_over; i++) {
        if (i > 0 && over[i].first <= over[i - 1].last) {
            return refuse_overlap(reader, &over[i], &over[i - 1], error);
        }
        while (r < n_ram && ram[r].last < over[i].first) {
            r++;
        }
        if (r < n_ram && ram[r].first <= over[i].last &&
            (ram[r].first > over[i].first || ram[r].last < over[i].last)) {
            return refuse_overlap(reader, &over[i], &ram[r], error);
        }
    }
    return true;
}

MemStatus pgm_saved_check_maps(const Pgm *pgm, MemStateReader *reader, const PgmSavedMap *maps,
                               uint32_t n_maps, GError **error)
{
    uint32_t n_ranges = pgm->ranges->len;
    Piece *pieces = pgm->os->try_alloc0((2 * (size_t)n_ranges + 1) * sizeof(Piece));
    uint32_t n_ram, n_over;

    if (!pieces) {
        return MEM_ERR_HOST_MEMORY;
    }
    Piece *over = pieces + n_ranges;

    list_pieces(pgm, maps, n_maps, pieces, &n_ram, over, &n_over);
    bool good = check_pieces(reader, pieces, n_ram, over, n_over, error);

    pgm->os->free(pieces);
    return good ? MEM_OK : MEM_ERR_CONFLICT;
}
