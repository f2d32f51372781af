/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hard reset of memory. Costs by pages that were ever touched; the CPUs are told once.
 *
 * Without snapshots a reset cannot fail. With one, each page that is given up moves to where the
 * snapshot keeps it, which needs an entry; so all that is needed is made ready before the first
 * page changes, and what then follows needs nothing from anybody.
 */
#include "memsys/guest-bytes-internal.h"
#include "memsys/tracking-internal.h"

/* Has the page a host page that it must keep? Somebody has its address, or the machine was promised
 * that it keeps its pages. */
static bool stays(const Pgm *pgm, PgmPage page)
{
    return pgm_state_is_private(pgm_page_state(page)) &&
           (pgm_page_locked(page) || pgm->preallocated);
}

static MemStatus clear_in_place(PgmRange *range, uint64_t index, PgmRecord which)
{
    static const uint8_t zeros[MEM_PAGE_SIZE];
    MemStatus status = pgm_page_make_writable(range, index, which);

    if (status == MEM_OK) {
        PageId id = pgm_page_id(*pgm_record(range, index, which));

        guest_store(pgm_host(range->pgm, id), zeros, MEM_PAGE_SIZE);
        pgm_code_written(range->pgm, id, 0, MEM_PAGE_SIZE);
    }
    return status;
}

MemStatus pgm_page_reset(PgmRange *range, uint64_t index, PgmRecord which)
{
    return stays(range->pgm, *pgm_record(range, index, which))
               ? clear_in_place(range, index, which)
               : pgm_page_to_zero(range, index, which);
}

/* ---- getting ready */

typedef struct Needs {
    MemStatus status;
    uint64_t n_entries;
} Needs;

/* RAM, in front or behind a ROM; the rest keeps its bytes or gets an image's. */
static bool is_cleared(const PgmRange *range, PgmRecord which)
{
    return range->kind == PGM_RANGE_RAM || which == PGM_RECORD_SHADOW;
}

/* GMM may be asked for pages here, and ask the embedder. */
static void make_ready(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    Needs *needs = user;
    bool writes = is_cleared(range, which)
                      ? stays(range->pgm, *pgm_record(range, index, which))
                      : range->kind == PGM_RANGE_ROM && pgm_rom_is_patched(range, index);

    if (needs->status == MEM_OK && writes) {
        MemStatus status = pgm_page_make_writable(range, index, which);

        /* The embedder, asked for pages, may have given this one: nothing is left to clear. */
        needs->status = status == MEM_ERR_BALLOONED ? MEM_OK : status;
    }
}

static void count_entry(PgmRange *range, uint64_t index, PgmRecord which, void *user)
{
    PgmPage page = *pgm_record(range, index, which);

    ((Needs *)user)->n_entries += is_cleared(range, which) && (page & PGM_PAGE_SAVED_BIT) == 0 &&
                                  pgm_page_state(page) != PGM_PAGE_ZERO;
}

static MemStatus get_ready(Pgm *pgm)
{
    Needs needs = { .status = MEM_OK };

    if (!pgm->tracking || !pgm->tracking->current) {
        return MEM_OK;
    }
    pgm_tracking_each_record(pgm, make_ready, &needs);
    if (needs.status != MEM_OK) {
        return needs.status;
    }
    pgm_tracking_each_record(pgm, count_entry, &needs);
    return pgm_snapshot_make_room(pgm, needs.n_entries);
}

/* ---- the reset */

static MemStatus reset_ram(PgmRange *range)
{
    MemStatus worst = MEM_OK;
    uint64_t i = 0;

    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        MemStatus status = pgm_page_reset(range, i++, PGM_RECORD_FRONT);

        worst = status != MEM_OK ? status : worst;
    }
    return worst;
}

static MemStatus reset_range(PgmRange *range)
{
    pgm_handlers_rearm(range);
    if (range->kind == PGM_RANGE_RAM) {
        return reset_ram(range);
    }
    return range->kind == PGM_RANGE_ROM ? pgm_rom_reset(range) : MEM_OK;
}

MemStatus pgm_reset(Pgm *pgm)
{
    MemStatus worst = get_ready(pgm);

    if (worst != MEM_OK) {
        return worst;
    }
    pgm_batch_begin(pgm);
    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        MemStatus status = reset_range(g_ptr_array_index(pgm->ranges, i));

        worst = status != MEM_OK ? status : worst;
    }
    pgm_free_flush(pgm);
    pgm_balloon_settle(pgm);
    pgm_batch_end(pgm);
    return worst;
}
