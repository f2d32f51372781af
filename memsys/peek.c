/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debugger's look: no device, no handler and no watch is called, whatever lies there.
 */
#include "memsys/guest-bytes-internal.h"
#include "memsys/pgm-internal.h"

#include <string.h>

MemStatus pgm_peek(Pgm *pgm, GPhys gpa, void *buf, uint64_t len)
{
    uint8_t *to = buf;
    uint64_t n_there = pgm_clamp_len(gpa, len);
    MemStatus result = n_there == len ? MEM_OK : MEM_ERR_UNASSIGNED;

    memset(to + n_there, 0xff, len - n_there);
    len = n_there;
    while (len > 0) {
        uint64_t n = pgm_gap_len(pgm, gpa, len);
        MemStatus status = n != 0 ? MEM_ERR_UNASSIGNED : MEM_OK;

        if (n == 0) {
            PgmPlace place;
            PgmView view;

            n = pgm_to_page_end(gpa, len);
            (void)pgm_place_lookup(pgm, gpa, &place);
            pgm_view(&place, &view);
            if (view.read_caught) {
                status = MEM_ERR_RESERVED;
            } else {
                guest_load(to, pgm_host(pgm, view.read_id) + pgm_page_offset(gpa), n);
            }
        }
        if (status != MEM_OK) {
            memset(to, 0xff, n);
            result = result == MEM_OK ? status : result;
        }
        to += n;
        gpa += n;
        len -= n;
    }
    return result;
}

static MemStatus poke_page(const PgmPlace *place, uint64_t offset, const uint8_t *from, uint64_t n)
{
    PgmRange *range = place->range;
    PgmRecord which = PGM_RECORD_FRONT;

    if (range->kind == PGM_RANGE_MMIO) {
        return MEM_ERR_RESERVED;
    }
    if (range->kind == PGM_RANGE_ROM) {
        which = pgm_rom_read_record(range, place->index);
    }
    MemStatus status = pgm_page_make_writable(range, place->index, which);

    if (status != MEM_OK) {
        return status;
    }
    PageId id = pgm_page_id(which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, place->index)
                                                       : range->pages[place->index]);

    guest_store(pgm_host(range->pgm, id) + offset, from, n);
    pgm_code_written(range->pgm, id, (uint32_t)offset, (uint32_t)n);
    return MEM_OK;
}

MemStatus pgm_poke(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len)
{
    const uint8_t *from = buf;
    uint64_t n_there = pgm_clamp_len(gpa, len);
    MemStatus result = n_there == len ? MEM_OK : MEM_ERR_UNASSIGNED;

    len = n_there;
    while (len > 0) {
        uint64_t n = pgm_gap_len(pgm, gpa, len);
        MemStatus status = MEM_ERR_UNASSIGNED;

        if (n == 0) {
            PgmPlace place;
            uint64_t run = len;
            uint64_t offset = gpa & ~MEM_PAGE_MASK;

            (void)pgm_place_lookup(pgm, gpa, &place);
            bool handled =
                pgm_page_handler(*pgm_range_page(place.range, place.index)) >= PGM_HANDLER_WRITE &&
                pgm_handler_at(place.range, place.index << MEM_PAGE_SHIFT | offset, &run);

            n = MIN(pgm_to_page_end(gpa, len), run);
            status = handled ? MEM_ERR_RESERVED : poke_page(&place, offset, from, n);
        }
        result = result == MEM_OK ? status : result;
        from += n;
        gpa += n;
        len -= n;
    }
    return result;
}
