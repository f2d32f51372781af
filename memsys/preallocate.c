/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of RAM backed at once. One bit a page notes what this call took, so that a failure gives back
 * just that.
 *
 * Source: VirtualBox's RamPreAlloc as restated in the project's notes, which stops half way.
 */
#include "memsys/pgm-internal.h"

/* The call so far: pages are numbered through all RAM ranges, in the order of pgm->ranges. */
typedef struct Filling {
    Pgm *pgm;
    uint64_t *taken;
} Filling;

static uint64_t n_ram_pages(const Pgm *pgm)
{
    uint64_t n = 0;

    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        const PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        n += range->kind == PGM_RANGE_RAM ? range->n_pages : 0;
    }
    return n;
}

static MemStatus fill_page(Filling *filling, PgmRange *range, uint64_t index, uint64_t number)
{
    PgmPageState state = pgm_page_state(range->pages[index]);

    if (state != PGM_PAGE_ZERO && state != PGM_PAGE_SHARED) {
        return MEM_OK;
    }
    MemStatus status = pgm_page_make_writable(range, index, PGM_RECORD_FRONT);

    if (status != MEM_OK) {
        return status;
    }
    if (state == PGM_PAGE_ZERO) {
        filling->taken[number / 64] |= UINT64_C(1) << (number % 64);
    }
    /* The host may promise more than it has: it finds out now. */
    volatile uint8_t *host = pgm_host(filling->pgm, pgm_page_id(range->pages[index]));

    *host = *host;
    return MEM_OK;
}

static MemStatus fill_all(Filling *filling)
{
    const PgmList *ranges = filling->pgm->ranges;
    MemStatus status = MEM_OK;
    uint64_t number = 0;

    for (unsigned r = 0; r < ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(ranges, r);

        if (range->kind != PGM_RANGE_RAM) {
            continue;
        }
        for (uint64_t i = 0; status == MEM_OK && i < range->n_pages; i++) {
            status = fill_page(filling, range, i, number++);
        }
    }
    return status;
}

/* Nobody has written the pages since they were taken: they are zeros still. One that is locked
 * keeps its page, whose address somebody may have by now. */
static void give_back(const Filling *filling)
{
    const PgmList *ranges = filling->pgm->ranges;
    uint64_t number = 0;

    for (unsigned r = 0; r < ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(ranges, r);

        for (uint64_t i = 0; range->kind == PGM_RANGE_RAM && i < range->n_pages; i++, number++) {
            bool taken = (filling->taken[number / 64] >> (number % 64) & 1) != 0;

            if (taken && !pgm_page_locked(range->pages[i])) {
                pgm_page_drop_zeros(range, i);
            }
        }
    }
    pgm_free_flush(filling->pgm);
    pgm_balloon_settle(filling->pgm);
}

MemStatus pgm_preallocate(Pgm *pgm, GError **error)
{
    uint64_t n_pages = n_ram_pages(pgm);
    Filling filling = { .pgm = pgm };

    filling.taken = pgm->os->try_alloc0((n_pages / 64 + 1) * sizeof(uint64_t));
    MemStatus status = filling.taken ? MEM_OK : MEM_ERR_NO_MEMORY;

    pgm_batch_begin(pgm);
    if (status == MEM_OK) {
        status = fill_all(&filling);
        if (status != MEM_OK) {
            give_back(&filling);
        }
    }
    pgm->preallocated |= status == MEM_OK;
    pgm_batch_end(pgm);
    if (filling.taken) {
        pgm->os->free(filling.taken);
    }
    if (status != MEM_OK) {
        g_set_error(error, MEM_ERROR, (int)status,
                    "machine \"%s\": its %" G_GUINT64_FORMAT
                    " pages of RAM cannot all be had now: %s; give it less memory, raise the limit "
                    "or end other machines",
                    pgm->name, n_pages, mem_status_name(status));
    }
    return status;
}
