/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mm: the reservation bookkeeping embedded in a Pgm. Only the machine's thread uses it.
 *
 * Invariants:
 * 1. reserved is exactly what GMM has recorded for vm; all zero until initial_done.
 * 2. Once initial_done, reserved.n_pages[BASE] >= MM_HANDY_PAGES: the stock of handy pages is part
 *    of BASE and nobody adjusts it away.
 */
#pragma once

#include "memsys/mm.h"

#define MM_HANDY_PAGES 128

typedef struct Mm {
    GmmVm *vm; /* owned */
    GmmPolicy policy;
    GmmReservation reserved;
    bool initial_done;
    MmRam ram;
} Mm;

/* Creates the machine's GmmVm; reserves nothing yet. @name is copied. */
void mm_init(Mm *mm, Gmm *gmm, const char *name, GmmPolicy policy);

/* Ends the GmmVm. Returns the pages and shared references that were left behind (gmm_vm_free()),
 * with a warning that counts them by kind if there were any. */
uint64_t mm_clear(Mm *mm);

/**
 * mm_adjust:
 * @delta: pages to add to the reservation of @account, or to take from it
 * @what: for the message: what the pages are for, e.g. "RAM \"Conventional RAM\""
 *
 * The first call makes the initial reservation (with the handy pages in BASE), later ones update
 * it.
 *
 * Returns: MEM_OK; MEM_ERR_OUT_OF_RANGE when the sum would be absurd or negative;
 *   MEM_ERR_DECLINED, MEM_ERR_BELOW_ALLOCATED from GMM. Nothing changes on error.
 */
MemStatus mm_adjust(Mm *mm, GmmAccount account, int64_t delta, const char *what, GError **error);

/* Provided by the Pgm, which embeds the Mm. */
Mm *pgm_mm(const Pgm *pgm);

/*
 * Provided by the Pgm: takes back a RAM range just registered at @start, all of whose pages are
 * still ZERO and which nothing overlays, with its reservation. Cannot fail.
 */
void pgm_ram_withdraw(Pgm *pgm, GPhys start);

/* In mm.c: the end of the machine's heap; what devices left in it is said in a warning, unless
 * built with NDEBUG. */
void mm_pgm_heap_free(Pgm *pgm);
