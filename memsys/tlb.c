/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-map TLB's other half: filling and forgetting. Hits are inlined from memsys/tlb-access.h.
 *
 * Single entries are dropped by page-state.c as pages change, everything when ranges move. A
 * watched page is not cached for the kinds of access that are watched.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

#define LARGE_BYTES (PGM_TLB_SLOTS_LARGE * sizeof(PgmTlbSlot))

static void use_table(Pgm *pgm, PgmTlbSlot *slots, uint64_t n_slots)
{
    pgm->tlb = (PgmTlb) { .slots = slots,
                          .mask = n_slots - 1,
                          .byte_mask = (n_slots - 1) << PGM_TLB_SLOT_SHIFT };
}

bool pgm_tlb_init(Pgm *pgm, unsigned n_slots, bool may_grow)
{
    pgm->tlb_small_slots = n_slots;
    pgm->tlb_small = pgm->os->try_alloc0(pgm->tlb_small_slots * sizeof(PgmTlbSlot));
    pgm->tlb_may_grow = may_grow;
    use_table(pgm, pgm->tlb_small, pgm->tlb_small_slots);
    return pgm->tlb_small != NULL;
}

void pgm_tlb_clear(Pgm *pgm)
{
    if (pgm->tlb_small) {
        pgm->os->free(pgm->tlb_small);
    }
    if (pgm->tlb_large) {
        pgm->os->unmap(pgm->tlb_large, LARGE_BYTES);
    }
    pgm->tlb_small = NULL;
    pgm->tlb_large = NULL;
    pgm->tlb.slots = NULL;
}

/* A flush goes back to the small table: a machine that flushes often never pays for the large one.
 */
void pgm_tlb_flush(Pgm *pgm)
{
    if (pgm->tlb.slots != pgm->tlb_small) {
        if (!pgm->os->discard(pgm->tlb_large, LARGE_BYTES)) {
            memset(pgm->tlb_large, 0, LARGE_BYTES);
        }
        use_table(pgm, pgm->tlb_small, pgm->tlb_small_slots);
    } else {
        memset(pgm->tlb_small, 0, pgm->tlb_small_slots * sizeof(PgmTlbSlot));
    }
    pgm->tlb_misses = 0;
    pgm->stats.tlb_flushes++;
}

/*
 * Random access over a gigabyte costs a third with the large table. Its memory comes with its use;
 * where the host has none, the small one serves on.
 */
static void grow(Pgm *pgm)
{
    pgm->tlb_misses = 0;
    if (!pgm->tlb_large) {
        pgm->tlb_large = pgm->os->map_zeros(LARGE_BYTES);
    }
    if (!pgm->tlb_large) {
        return;
    }
    memset(pgm->tlb_small, 0, pgm->tlb_small_slots * sizeof(PgmTlbSlot));
    use_table(pgm, pgm->tlb_large, PGM_TLB_SLOTS_LARGE);
}

static void set_slot(Pgm *pgm, GPhys start, uint64_t perms, PageId id)
{
    if (G_UNLIKELY(++pgm->tlb_misses > PGM_TLB_GROW_MISSES) && pgm->tlb_may_grow &&
        pgm->tlb.slots == pgm->tlb_small) {
        grow(pgm);
    }
    PgmTlbSlot *slot = &pgm->tlb.slots[(start >> MEM_PAGE_SHIFT) & pgm->tlb.mask];

    slot->tag = pgm_tlb_tag(start, perms);
    slot->addend = (uint64_t)(uintptr_t)pgm_host(pgm, id) - start;
    pgm->stats.tlb_fills++;
}

void pgm_tlb_flush_page(Pgm *pgm, GPhys gpa)
{
    PgmTlbSlot *slot = &pgm->tlb.slots[(gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask];

    if (slot->tag != 0 && ((slot->tag ^ gpa) & MEM_PAGE_MASK) == 0) {
        slot->tag = 0;
        pgm->stats.tlb_flushed_pages++;
    }
}

void pgm_tlb_fill(Pgm *pgm, const PgmPlace *place, const PgmView *view)
{
    uint64_t perms = 0;

    if (!view->read_caught && !pgm_watch_covers_page(pgm, place->gpa, MEM_ACCESS_READ)) {
        perms |= MEM_ACCESS_READ;
    }
    if (view->writable && !view->write_caught && !pgm_id_executed(pgm, view->read_id) &&
        !pgm_watch_covers_page(pgm, place->gpa, MEM_ACCESS_WRITE)) {
        perms |= MEM_ACCESS_WRITE;
    }
    if (perms == 0) {
        return;
    }
    set_slot(pgm, place->gpa, perms, view->read_id);
}

uint8_t *pgm_tlb_fill_ram(Pgm *pgm, GPhys gpa, uint64_t need)
{
    const PgmPage *page = pgm_plain_ram(pgm, gpa);

    if (!page) {
        return NULL;
    }
    PageId id = pgm_page_id(*page);
    uint64_t perms = MEM_ACCESS_READ;

    if (pgm_page_state(*page) == PGM_PAGE_ALLOCATED && !pgm_id_executed(pgm, id)) {
        perms |= MEM_ACCESS_WRITE;
    }
    if ((perms & need) == 0) {
        return NULL;
    }
    set_slot(pgm, gpa & MEM_PAGE_MASK, perms, id);
    return pgm_host(pgm, id) + (gpa & ~MEM_PAGE_MASK);
}
