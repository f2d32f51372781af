/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory as a whole: beginning, end, RAM ranges.
 */
#include "memsys/gmm-internal.h"
#include "memsys/pgm-internal.h"

static bool is_power_of_two(unsigned n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* The bits of executed host pages: a mapping that costs memory only where guests run code. */
static bool executed_init(Pgm *pgm)
{
    uint64_t n_pages = gmm_arena_size(pgm->gmm) >> MEM_PAGE_SHIFT;

    pgm->executed_bytes = (n_pages / 8 + MEM_PAGE_SIZE) & MEM_PAGE_MASK;
    pgm->executed = pgm->os->map_zeros(pgm->executed_bytes);
    return pgm->executed != NULL;
}

Pgm *pgm_new(Gmm *gmm, const PgmConfig *config, GError **error)
{
    PgmConfig defaults = { 0 };

    config = config ? config : &defaults;
    unsigned n_slots = config->tlb_slots ? config->tlb_slots : PGM_TLB_SLOTS_DEFAULT;

    if (!is_power_of_two(n_slots) || n_slots > PGM_TLB_SLOTS_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "a page-map TLB of %u slots is not a power of two up to %d", n_slots,
                    PGM_TLB_SLOTS_MAX);
        return NULL;
    }
    Pgm *pgm = g_new0(Pgm, 1);

    pgm->gmm = gmm;
    pgm->arena = gmm_arena(gmm);
    pgm->os = gmm->os;
    pgm->name = g_strdup(config->name ? config->name : "machine");
    pgm->ranges = g_new0(PgmList, 1);
    pgm->cpus = g_ptr_array_new();
    pgm->large_runs = config->large_runs;
    pgm_threads_init(pgm);
    mm_init(&pgm->mm, gmm, pgm->name, config->policy);
    if (!pgm_tlb_init(pgm, n_slots, config->tlb_slots == 0) || !executed_init(pgm)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "no host memory for machine \"%s\"",
                    pgm->name);
        pgm_free(pgm);
        return NULL;
    }
    pgm_threads_open(pgm); /* last: GMM's work may come at once, from another thread */
    return pgm;
}

/* ---- RAM */

MemStatus pgm_ram_register(Pgm *pgm, GPhys start, uint64_t len, const char *description,
                           GError **error)
{
    g_autofree PgmRange *range = g_new0(PgmRange, 1);
    MemStatus status = pgm_range_init(range, pgm, PGM_RANGE_RAM, len, true, "", description, error);

    if (status != MEM_OK) {
        return status;
    }
    status = pgm_range_check(range, start, error);
    if (status == MEM_OK) {
        status = mm_adjust(&pgm->mm, GMM_ACCOUNT_BASE, (int64_t)range->n_pages, range->description,
                           error);
    }
    if (status != MEM_OK) {
        pgm_range_clear(range);
        return status;
    }
    pgm_pages_count(pgm, 0, range->n_pages, +1);
    status = pgm_range_map(range, start, error);
    g_assert(status == MEM_OK);
    pgm_runs_init(range);
    (void)g_steal_pointer(&range);
    return MEM_OK;
}

/* Not for a range that something overlays. */
static void ram_destroy(PgmRange *range)
{
    Pgm *pgm = range->pgm;
    uint64_t i = 0;

    g_assert(range->n_locks == 0);
    pgm_tracking_range_gone(range);
    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        pgm_page_change(range, i, PGM_RECORD_FRONT,
                        pgm_page_with_handler(range->pages[i], PGM_HANDLER_NONE));
        pgm_page_set_locks(range, i, PGM_RECORD_FRONT, 0, 0); /* "for good" ends here */
        pgm_page_to_zero(range, i++, PGM_RECORD_FRONT);
    }
    pgm_free_flush(pgm);
    pgm_range_unmap(range);
    pgm_pages_count(pgm, 0, range->n_pages, -1);
    pgm_balloon_settle(pgm);
    pgm_runs_clear(range);
    MemStatus status =
        mm_adjust(&pgm->mm, GMM_ACCOUNT_BASE, -(int64_t)range->n_pages, range->description, NULL);

    g_assert(status == MEM_OK);
    pgm_range_clear(range);
    g_free(range);
}

void pgm_ram_withdraw(Pgm *pgm, GPhys start)
{
    const PgmSpan *span = pgm_span_lookup(pgm, start);

    g_assert(span && span->range->kind == PGM_RANGE_RAM && span->range->start == start);
    ram_destroy(span->range);
}

/* ---- the end */

static void destroy_range(PgmRange *range)
{
    switch (range->kind) {
    case PGM_RANGE_RAM:
        ram_destroy(range);
        break;
    case PGM_RANGE_ROM:
        pgm_rom_destroy(range);
        break;
    case PGM_RANGE_MMIO:
        pgm_mmio_destroy(range);
        break;
    case PGM_RANGE_MMIO2:
        pgm_mmio2_destroy(range);
        break;
    }
}

/* Overlays first: RAM goes when nothing lies on it. */
static void destroy_ranges(Pgm *pgm, bool ram)
{
    for (unsigned i = pgm->ranges->len; i > 0; i--) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i - 1);

        if ((range->kind == PGM_RANGE_RAM) == ram) {
            destroy_range(range);
        }
    }
}

void pgm_free(Pgm *pgm)
{
    if (!pgm) {
        return;
    }
    g_assert(pgm->cpus->len == 0);
    pgm_threads_close(pgm);
    pgm_watch_table_free(pgm);
    pgm_tracking_free(pgm);
    destroy_ranges(pgm, false);
    destroy_ranges(pgm, true);
    pgm_handy_return_all(pgm);
    mm_pgm_heap_free(pgm);
    uint64_t left_behind = mm_clear(&pgm->mm);

    g_assert(left_behind == 0);
    pgm_tlb_clear(pgm);
    if (pgm->executed) {
        pgm->os->unmap(pgm->executed, pgm->executed_bytes);
    }
    pgm_list_clear(pgm->os, pgm->ranges);
    g_free(pgm->ranges);
    g_ptr_array_unref(pgm->cpus);
    pgm->os->free(pgm->spans.spans);
    pgm_threads_clear(pgm);
    g_free(pgm->name);
    g_free(pgm);
}

/* ---- accessors */

Gmm *pgm_gmm(const Pgm *pgm)
{
    return pgm->gmm;
}

GmmVm *pgm_gmm_vm(const Pgm *pgm)
{
    return pgm->mm.vm;
}

const char *pgm_name(const Pgm *pgm)
{
    return pgm->name;
}

Mm *pgm_mm(const Pgm *pgm)
{
    /* The bookkeeping is part of the machine; a const machine is one whose records stay. */
    return (Mm *)(uintptr_t)&pgm->mm;
}

void pgm_set_unassigned_hook(Pgm *pgm, PgmUnassignedHook hook, void *user)
{
    pgm->unassigned_hook = hook;
    pgm->unassigned_user = user;
}
