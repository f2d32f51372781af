/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large runs: with PgmConfig.large_runs, RAM whose guest-physical 2 MiB run lies wholly in its
 * range gets its pages from one chunk, each at its own place there. What is contiguous for the
 * guest is then contiguous on the host: bulk access copies whole runs, and the host can back the
 * chunk with a large page. Only pages that are touched are taken.
 *
 *   guest  | 0 1 2 3 ... 511 | 0 1 2 ...      runs, aligned to 2 MiB
 *   host   | 0 . 2 . ...  .  |                chunk of the run: page i at place i, or nothing
 *
 * A run loses its chunk when its last page goes; GMM then gives it another. Pages that were copied
 * or moved lie elsewhere, which is no harm.
 *
 * Source: the idea is that of VirtualBox's large pages, which take all 2 MiB at the first touch;
 * filling a run page by page is ours.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

/* Number of the run that holds @gpa, counted from that of the range's first byte. */
static uint64_t run_of(const PgmRange *range, GPhys gpa)
{
    return gpa / MEM_CHUNK_SIZE - range->start / MEM_CHUNK_SIZE;
}

void pgm_runs_init(PgmRange *range)
{
    uint64_t len = range->n_pages << MEM_PAGE_SHIFT;
    uint64_t n_runs = run_of(range, range->start + len - 1) + 1;

    if (range->pgm->large_runs && len >= MEM_CHUNK_SIZE) {
        /* Records are two numbers wide. */
        range->runs =
            (uint32_t *)(void *)pgm_records_new(range->pgm, (n_runs + 1) / 2, &range->runs_mapped);
    }
}

void pgm_runs_clear(PgmRange *range)
{
    pgm_records_free(range->pgm, (PgmPage *)(void *)range->runs, range->runs_mapped);
    range->runs = NULL;
}

bool pgm_run_take(PgmRange *range, uint64_t index, PageId *ret_id)
{
    Pgm *pgm = range->pgm;
    GPhys gpa = range->start + (index << MEM_PAGE_SHIFT);
    GPhys run_start = gpa & ~(MEM_CHUNK_SIZE - 1);
    GPhys range_end = range->start + (range->n_pages << MEM_PAGE_SHIFT);
    GmmHandyPage page;

    if (!range->runs || run_start < range->start || range_end - run_start < MEM_CHUNK_SIZE) {
        return false;
    }
    unsigned place = (unsigned)((gpa - run_start) >> MEM_PAGE_SHIFT);
    uint32_t *chunk = &range->runs[run_of(range, gpa)];
    uint32_t old_chunk = *chunk;

    if (gmm_vm_alloc_placed(pgm->mm.vm, chunk, place, &page) != MEM_OK) {
        pgm->stats.large_run_failures++;
        return false;
    }
    pgm->stats.large_runs += *chunk != old_chunk;
    pgm->stats.large_run_pages++;
    if (!page.zeroed) {
        memset(pgm_host(pgm, page.id), 0, MEM_PAGE_SIZE);
    }
    pgm_forget_code(pgm, page.id);
    pgm_handy_note_used(pgm, page.id, gpa);
    *ret_id = page.id;
    return true;
}
