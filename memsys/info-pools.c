/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Info items of the things behind the map: the page-map TLB and the page allocator.
 */
#include "memsys/info-internal.h"

#include "memsys/gmm-internal.h"

#include <inttypes.h>

void pgm_info_tlb(Pgm *pgm, GString *text)
{
    uint64_t n_valid = 0;
    uint64_t n_writable = 0;
    bool large = pgm->tlb.slots == pgm->tlb_large;

    for (uint64_t i = 0; i <= pgm->tlb.mask; i++) {
        uint64_t tag = pgm->tlb.slots[i].tag;

        n_valid += tag != 0;
        n_writable += (tag & pgm_tlb_tag(0, MEM_ACCESS_WRITE)) != 0;
    }
    g_string_append_printf(text,
                           "page-map TLB: %" PRIu64 " slots%s, %" PRIu64 " in use, %" PRIu64
                           " of them for writing\n",
                           pgm->tlb.mask + 1, large ? " (grown)" : "", n_valid, n_writable);
    g_string_append_printf(text,
                           "fills %" PRIu64 ", flushes of all %" PRIu64 ", of one page %" PRIu64
                           ", misses since the last flush %" PRIu32 "\n",
                           pgm->stats.tlb_fills, pgm->stats.tlb_flushes,
                           pgm->stats.tlb_flushed_pages, pgm->tlb_misses);
    g_string_append_printf(text, "range cache: hits %" PRIu64 ", misses %" PRIu64 "\n",
                           pgm->stats.range_cache_hits, pgm->stats.range_cache_misses);
}

static void print_vm(const char *name, const GmmVmStats *vm, GString *text)
{
    static const char *const accounts[GMM_N_ACCOUNTS] = {
        [GMM_ACCOUNT_BASE] = "base",
        [GMM_ACCOUNT_SHADOW] = "shadow",
        [GMM_ACCOUNT_FIXED] = "fixed",
    };

    g_string_append_printf(
        text, "machine \"%s\": %" PRIu64 " private, %" PRIu64 " shared, %" PRIu64 " ballooned\n",
        name, vm->private_pages, vm->shared_pages, vm->ballooned_pages);
    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        g_string_append_printf(text, "  %-6s %12" PRIu64 " allocated of %" PRIu64 " reserved\n",
                               accounts[i], vm->allocated.n_pages[i], vm->reserved.n_pages[i]);
    }
}

/* How full the chunks of this machine are; counted under the lock, printed after it. */
static void print_chunks(Pgm *pgm, GString *text)
{
    Gmm *gmm = pgm->gmm;
    uint32_t counts[GMM_N_LISTS];
    uint32_t n_runs = 0;
    uint32_t n_spare = 0;

    {
        g_autoptr(GmmLocked) locked = gmm_lock(gmm);

        for (unsigned i = 0; i < GMM_N_LISTS; i++) {
            counts[i] = pgm->mm.vm->set.lists[i].n;
        }
        n_runs = pgm->mm.vm->runs.n;
        n_spare = locked->spare.n;
    }
    g_string_append_printf(text,
                           "chunks of machine \"%s\", of 512 pages (%u runs; %u spare for all):\n",
                           pgm->name, n_runs, n_spare);
    for (unsigned i = 0; i < GMM_N_LISTS; i++) {
        if (counts[i] == 0) {
            continue;
        }
        if (i == 0) {
            g_string_append_printf(text, "  full                %8u\n", counts[i]);
        } else {
            g_string_append_printf(text, "  %3u to %3u pages free %7u\n",
                                   (i - 1) * GMM_LIST_STEP + 1, i * GMM_LIST_STEP, counts[i]);
        }
    }
}

/* Any name may be that of several machines; the chunks further down are this one's. */
static void print_vms(Pgm *pgm, GString *text)
{
    GmmVmStats vm;
    const char *name = NULL;

    for (unsigned i = 0; (name = gmm_vm_name_at(pgm->gmm, i, &vm)) != NULL; i++) {
        print_vm(name, &vm, text);
    }
}

void pgm_info_gmm(Pgm *pgm, GString *text)
{
    GmmStats gmm;

    gmm_get_stats(pgm->gmm, &gmm);
    g_string_append_printf(
        text,
        "pages of all machines: %" PRIu64 " allocated of at most %" PRIu64 ", %" PRIu64
        " reserved, %" PRIu64 " shared (%" PRIu64 " saved), %" PRIu64 " ballooned\n",
        gmm.allocated, gmm.max, gmm.reserved, gmm.shared, gmm.duplicates, gmm.ballooned);
    g_string_append_printf(text,
                           "sharing: %" PRIu64 " offered, %" PRIu64 " merged, %" PRIu64
                           " copied again; %" PRIu64 " moved by compaction; embedders asked for "
                           "pages %" PRIu64 " times\n",
                           gmm.share_offers, gmm.share_merged, gmm.share_copied, gmm.moved,
                           gmm.balloon_calls);
    g_string_append_printf(
        text,
        "chunks: %" PRIu64 " with memory, %" PRIu64 " returned to the host so far; %" PRIu64
        " machines; arena %" PRIu64 " MiB\n",
        gmm.n_chunks, gmm.n_freed_chunks, gmm.n_vms, gmm_arena_size(pgm->gmm) >> 20);
    print_vms(pgm, text);
    print_chunks(pgm, text);
}
