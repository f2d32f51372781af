/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that a loader puts into RAM. Pages that are whole and untouched are shared by content from
 * the start, so that many machines with the same kernel hold it once; the first write to one
 * copies it.
 *
 * Source: ours.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

static bool all_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, MEM_PAGE_SIZE - 1) == 0;
}

/* Can the page at @gpa show other memory, with nobody seeing how it came there? */
static bool is_untouched_ram(Pgm *pgm, GPhys gpa, PgmPlace *ret_place)
{
    if (pgm->preallocated || !pgm_place_lookup(pgm, gpa, ret_place) ||
        ret_place->range->kind != PGM_RANGE_RAM ||
        pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_WRITE)) {
        return false;
    }
    PgmPage page = ret_place->range->pages[ret_place->index];

    return pgm_page_state(page) == PGM_PAGE_ZERO && pgm_page_handler(page) == PGM_HANDLER_NONE &&
           !pgm_page_locked(page);
}

/* False: the page must be written like any other. */
static bool share_page(const PgmPlace *place, const uint8_t *bytes)
{
    Pgm *pgm = place->range->pgm;
    PageId id;

    if (pgm_page_before_change(place->range, place->index, PGM_RECORD_FRONT) != MEM_OK ||
        gmm_vm_share_image(pgm->mm.vm, bytes, &id) != MEM_OK) {
        return false;
    }
    PgmPage page = place->range->pages[place->index];

    if (pgm_page_state(page) != PGM_PAGE_ZERO || pgm_page_locked(page)) {
        /* GMM asked the embedder for pages, who gave this one or wrote to it. */
        pgm_free_id(pgm, id);
        pgm_free_flush(pgm);
        return false;
    }
    /* It may have been ours before, with code that was other bytes. */
    pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    pgm_page_change(place->range, place->index, PGM_RECORD_FRONT,
                    pgm_page_with_backing(page, PGM_PAGE_SHARED, id));
    return true;
}

MemStatus pgm_load_image(Pgm *pgm, GPhys gpa, const void *bytes, uint64_t len)
{
    const uint8_t *from = bytes;
    MemStatus status = MEM_OK;

    len = pgm_clamp_len(gpa, len);
    while (len > 0 && status == MEM_OK) {
        uint64_t n = pgm_to_page_end(gpa, len);
        PgmPlace place;

        if (n < MEM_PAGE_SIZE || all_zero(from) || !is_untouched_ram(pgm, gpa, &place) ||
            !share_page(&place, from)) {
            status = pgm_write(pgm, gpa, from, n, MEM_ORIGIN_LOADER);
        }
        from += n;
        gpa += n;
        len -= n;
    }
    return status;
}
