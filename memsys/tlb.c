/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-map TLB's other half: filling and forgetting. Hits are inlined from memsys/tlb-access.h.
 *
 * Single entries are dropped by page-state.c as pages change, everything when ranges move. A
 * watched page is not cached for the kinds of access that are watched.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

bool pgm_tlb_init(Pgm *pgm, unsigned n_slots)
{
    n_slots = MAX(n_slots, 2);
    pgm->tlb.slots = pgm->os->try_alloc0(n_slots * sizeof(PgmTlbSlot));
    pgm->tlb.mask = n_slots - 1;
    return pgm->tlb.slots != NULL;
}

void pgm_tlb_clear(Pgm *pgm)
{
    if (pgm->tlb.slots) {
        pgm->os->free(pgm->tlb.slots);
    }
    pgm->tlb.slots = NULL;
}

void pgm_tlb_flush(Pgm *pgm)
{
    memset(pgm->tlb.slots, 0, (pgm->tlb.mask + 1) * sizeof(PgmTlbSlot));
    pgm->stats.tlb_flushes++;
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
    PgmTlbSlot *slot = &pgm->tlb.slots[(place->gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask];

    slot->tag = place->gpa | perms;
    slot->addend = (uint64_t)(uintptr_t)pgm_host(pgm, view->read_id) - place->gpa;
    pgm->stats.tlb_fills++;
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
    PgmTlbSlot *slot = &pgm->tlb.slots[(gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask];
    GPhys start = gpa & MEM_PAGE_MASK;

    slot->tag = start | perms;
    slot->addend = (uint64_t)(uintptr_t)pgm_host(pgm, id) - start;
    pgm->stats.tlb_fills++;
    return (uint8_t *)(uintptr_t)(gpa + slot->addend);
}
