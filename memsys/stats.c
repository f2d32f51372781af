/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters as a caller sees them: as structs, and by hierarchical name. Page counts are states, not
 * events: a reset of the statistics leaves them.
 *
 * Names are VirtualBox's where it counts the same thing. What it counts and this does not:
 *   - hits of the page-map TLB and of its CPUs' copies: a hit is a handful of inlined instructions,
 *     and counting would be a quarter of them; typed accesses ("Simple") likewise;
 *   - ChunkR3Map: there is one arena and nothing to map;
 *   - large pages: here runs of pages with places of their own; nothing to set up, check or evict;
 *   - lookups of handlers: only pages that have one come there, see Handler/Calls;
 *   - pool, SyncPT, SyncCR3, Track: shadow paging, which there is none of; the guest's paging
 *     (modes, page faults, accessed and dirty bits) is the machine's, not memory's.
 *
 * Source: reference sections 1.8, 2.5 and 8.1 of the project's notes.
 */
#include "memsys/info-internal.h"

#include "memsys/mm_heap.h"
#include "memsys/tracking-internal.h"

#include <string.h>

/* Everything that has a fixed name, gathered once for a walk. */
typedef struct Gathered {
    PgmStats pgm;
    GmmStats gmm;
    GmmVmStats vm;
    GmmReservation reserved;
    MmRam ram;
    PgmSnapshotStats snapshots;
    uint64_t handy_reserved;
    uint64_t n_dirty_clients;
    uint64_t tlb_slots;
    uint64_t n_spans;
    uint64_t n_ranges;
    uint64_t n_cpus;
    uint64_t live_active;
} Gathered;

typedef struct Row {
    const char *name;
    const char *unit;
    const char *description;
    size_t offset; /* of a uint64_t in Gathered */
    bool is_counter;
} Row;

#define STATE(name, member, unit, description)                     \
    {                                                              \
        name, unit, description, offsetof(Gathered, member), false \
    }
#define COUNTER(name, member, unit, description)                  \
    {                                                             \
        name, unit, description, offsetof(Gathered, member), true \
    }

static const Row rows[] = {
    STATE("/GMM/BalloonCalls", gmm.balloon_calls, "times", "embedders asked to give pages back"),
    STATE("/GMM/MovedPages", gmm.moved, "pages", "moved by compaction"),
    STATE("/GMM/Share/Copied", gmm.share_copied, "pages", "shared pages given up by a write"),
    STATE("/GMM/Share/Merged", gmm.share_merged, "pages", "offered, and found to be there already"),
    STATE("/GMM/Share/Offers", gmm.share_offers, "pages", "offered for sharing"),
    STATE("/GMM/VM/Allocated/cBasePages", vm.allocated.n_pages[GMM_ACCOUNT_BASE], "pages",
          "held for RAM, ROM and shadow RAM"),
    STATE("/GMM/VM/Allocated/cFixedPages", vm.allocated.n_pages[GMM_ACCOUNT_FIXED], "pages",
          "held for device memory"),
    STATE("/GMM/VM/Allocated/cShadowPages", vm.allocated.n_pages[GMM_ACCOUNT_SHADOW], "pages",
          "held for snapshots"),
    STATE("/GMM/VM/Reserved/cBasePages", vm.reserved.n_pages[GMM_ACCOUNT_BASE], "pages",
          "promised for RAM, ROM and shadow RAM"),
    STATE("/GMM/VM/Reserved/cFixedPages", vm.reserved.n_pages[GMM_ACCOUNT_FIXED], "pages",
          "promised for device memory"),
    STATE("/GMM/VM/Reserved/cShadowPages", vm.reserved.n_pages[GMM_ACCOUNT_SHADOW], "pages",
          "promised for snapshots"),
    STATE("/GMM/VM/cBalloonedPages", vm.ballooned_pages, "pages", "ballooned by this machine"),
    STATE("/GMM/VM/cPrivatePages", vm.private_pages, "pages", "this machine's alone"),
    STATE("/GMM/VM/cSharedPages", vm.shared_pages, "pages", "this machine's references to shared"),
    STATE("/GMM/cAllocatedPages", gmm.allocated, "pages", "held by all machines"),
    STATE("/GMM/cBalloonedPages", gmm.ballooned, "pages", "ballooned by all machines"),
    STATE("/GMM/cChunks", gmm.n_chunks, "chunks", "of 2 MiB that hold host memory"),
    STATE("/GMM/cDuplicatePages", gmm.duplicates, "pages", "saved by sharing"),
    STATE("/GMM/cFreedChunks", gmm.n_freed_chunks, "chunks", "returned to the host so far"),
    STATE("/GMM/cLeftBehindSharedPages", gmm.left_behind, "pages",
          "shared references of machines that ended"),
    STATE("/GMM/cMaxPages", gmm.max, "pages", "limit of all machines together"),
    STATE("/GMM/cRegisteredVMs", gmm.n_vms, "VMs", "machines that exist"),
    STATE("/GMM/cReservedPages", gmm.reserved, "pages", "promised to all machines"),
    STATE("/GMM/cSharedPages", gmm.shared, "pages", "with a reference count"),
    STATE("/MM/Reserved/cBasePages", reserved.n_pages[GMM_ACCOUNT_BASE], "pages",
          "reserved for RAM, ROM and shadow RAM, handy pages included"),
    STATE("/MM/Reserved/cFixedPages", reserved.n_pages[GMM_ACCOUNT_FIXED], "pages",
          "reserved for device memory"),
    STATE("/MM/Reserved/cHandyPages", handy_reserved, "pages", "of the base ones: handy pages"),
    STATE("/MM/Reserved/cShadowPages", reserved.n_pages[GMM_ACCOUNT_SHADOW], "pages",
          "reserved for snapshots"),
    STATE("/MM/cbRamAbove4GB", ram.above_4g, "bytes", "of RAM from 4 GiB up"),
    STATE("/MM/cbRamBase", ram.size, "bytes", "of RAM"),
    STATE("/MM/cbRamBelow4GB", ram.below_4g, "bytes", "of RAM below the hole"),
    STATE("/MM/cbRamHole", ram.hole, "bytes", "between low RAM and 4 GiB"),
    COUNTER("/PGM/CPU/CodePages", pgm.code_pages, "times", "a page became executed"),
    COUNTER("/PGM/CPU/Fills", pgm.cpu_fills, "times", "a CPU asked for a page"),
    COUNTER("/PGM/CPU/FillsCatch", pgm.cpu_fills_catch, "times",
            "of these: each access must come to the bus"),
    STATE("/PGM/CPU/cCPUs", n_cpus, "CPUs", "attached"),
    STATE("/PGM/Dirty/cClients", n_dirty_clients, "clients", "that ask which pages were written"),
    COUNTER("/PGM/Handler/Calls", pgm.handler_calls, "times", "an access handler was called"),
    COUNTER("/PGM/LargePage/Alloc", pgm.large_runs, "runs", "of 2 MiB that got a place for all"),
    COUNTER("/PGM/LargePage/AllocFailed", pgm.large_run_failures, "pages",
            "of such runs that had to lie elsewhere"),
    COUNTER("/PGM/LargePage/Pages", pgm.large_run_pages, "pages", "that got their place in a run"),
    COUNTER("/PGM/LiveSave/Passes", pgm.live_passes, "times", "a pass over memory was begun"),
    COUNTER("/PGM/LiveSave/Saves", pgm.live_saves, "times", "a save beside the guest was begun"),
    COUNTER("/PGM/LiveSave/cPutOffPages", pgm.live_put_off, "pages",
            "left to a later pass: written again already, or locked"),
    COUNTER("/PGM/LiveSave/cSavedPages", pgm.live_pages, "pages", "written into a state"),
    STATE("/PGM/LiveSave/fActive", live_active, "bool", "whether one is under way"),
    COUNTER("/PGM/MMIO/Reads", pgm.mmio_reads, "times", "a device was read"),
    COUNTER("/PGM/MMIO/Writes", pgm.mmio_writes, "times", "a device was written"),
    COUNTER("/PGM/Mmio2QueryAndResetDirtyBitmap", pgm.mmio2_queries, "times",
            "a device asked which of its pages were written"),
    COUNTER("/PGM/Page/HandyAllocs", pgm.handy_refills, "times", "handy pages were refilled"),
    COUNTER("/PGM/Page/ReplacedShared", pgm.replaced_shared, "pages",
            "shared, copied at their first write"),
    COUNTER("/PGM/Page/ReplacedZero", pgm.replaced_zero, "pages",
            "zero, given memory at their first write"),
    COUNTER("/PGM/Page/Unmonitored", pgm.unmonitored, "pages",
            "write-monitored, released by a write"),
    STATE("/PGM/Page/cAllPages", pgm.pages.all, "pages", "of all types"),
    STATE("/PGM/Page/cBalloonedPages", pgm.pages.ballooned, "pages", "ballooned; within zero"),
    STATE("/PGM/Page/cHandyPages", pgm.handy_pages, "pages", "in stock for first writes"),
    STATE("/PGM/Page/cMonitoredPages", pgm.pages.monitored, "pages",
          "write-monitored; within private"),
    STATE("/PGM/Page/cPrivatePages", pgm.pages.private_pages, "pages", "with memory of their own"),
    STATE("/PGM/Page/cPureMmioPages", pgm.pages.pure_mmio, "pages", "of MMIO"),
    STATE("/PGM/Page/cReadLockedPages", pgm.pages.read_locked, "pages", "locked for reading"),
    STATE("/PGM/Page/cSharedPages", pgm.pages.shared, "pages", "shared with others"),
    STATE("/PGM/Page/cWriteLockedPages", pgm.pages.write_locked, "pages", "locked for writing"),
    STATE("/PGM/Page/cWrittenToPages", pgm.pages.written, "pages", "written since they were made"),
    STATE("/PGM/Page/cZeroPages", pgm.pages.zero, "pages", "never written: no memory behind"),
    COUNTER("/PGM/Phys/Read", pgm.bulk_reads, "times", "bulk access read"),
    COUNTER("/PGM/Phys/Read/Bytes", pgm.bulk_read_bytes, "bytes", "read in bulk"),
    COUNTER("/PGM/Phys/Write", pgm.bulk_writes, "times", "bulk access wrote"),
    COUNTER("/PGM/Phys/Write/Bytes", pgm.bulk_write_bytes, "bytes", "written in bulk"),
    COUNTER("/PGM/PhysHandlerReset", pgm.handler_resets, "times",
            "a handler was armed again where it was off"),
    COUNTER("/PGM/PhysHandlerTree/Inserts", pgm.handler_inserts, "times",
            "a handler was registered"),
    COUNTER("/PGM/PhysHandlerTree/Removals", pgm.handler_removals, "times",
            "a handler was taken away"),
    COUNTER("/PGM/ROM/ProtectCalls", pgm.rom_protect_calls, "times", "ROM protection was set"),
    COUNTER("/PGM/ROM/SwitchedPages", pgm.rom_switched_pages, "pages",
            "whose protection really changed"),
    COUNTER("/PGM/ROM/WritesIgnored", pgm.rom_writes_ignored, "times", "a write of ROM vanished"),
    COUNTER("/PGM/ROM/WritesShadow", pgm.rom_writes_shadow, "times",
            "a write went to the RAM behind ROM"),
    COUNTER("/PGM/RamRange/TlbHits", pgm.range_cache_hits, "times", "the range cache knew"),
    COUNTER("/PGM/RamRange/TlbMisses", pgm.range_cache_misses, "times",
            "the range was looked up in the table"),
    STATE("/PGM/RamRange/cRanges", n_ranges, "ranges", "of all kinds, mapped or not"),
    STATE("/PGM/RamRange/cSpans", n_spans, "ranges", "as the map shows them"),
    STATE("/PGM/Snapshot/cEntries", snapshots.n_entries, "pages", "in which snapshots differ"),
    STATE("/PGM/Snapshot/cLivePages", snapshots.n_live, "pages", "written since the current one"),
    STATE("/PGM/Snapshot/cMaxEntries", snapshots.limit, "pages", "most entries there may be"),
    STATE("/PGM/Snapshot/cSavedPages", snapshots.n_saved, "pages", "that hold saved bytes"),
    STATE("/PGM/Snapshot/cSnapshots", snapshots.n_snapshots, "snapshots", "that exist"),
    STATE("/PGM/Snapshot/cStockPages", snapshots.n_stock, "pages", "ready for the next writes"),
    COUNTER("/PGM/TLB/Fills", pgm.tlb_fills, "times", "a miss of the page-map TLB filled a slot"),
    COUNTER("/PGM/TLB/FlushedPages", pgm.tlb_flushed_pages, "times",
            "a single page was dropped from it"),
    COUNTER("/PGM/TLB/Flushes", pgm.tlb_flushes, "times", "all of it was dropped"),
    STATE("/PGM/TLB/cSlots", tlb_slots, "slots", "in use now"),
    COUNTER("/PGM/Unassigned/Reads", pgm.unassigned_reads, "times", "nothing answered a read"),
    COUNTER("/PGM/Unassigned/Writes", pgm.unassigned_writes, "times", "nothing answered a write"),
    COUNTER("/PGM/Watch/Hits", pgm.watch_hits, "times", "a watch was told"),
};

void pgm_get_stats(Pgm *pgm, PgmStats *ret_stats)
{
    *ret_stats = pgm->stats;
    ret_stats->handy_pages = pgm->handy.n;
}

void pgm_reset_stats(Pgm *pgm)
{
    pgm->stats = (PgmStats) { .pages = pgm->stats.pages };
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        ((PgmCpu *)g_ptr_array_index(pgm->cpus, i))->n_a20_changes = 0;
    }
}

bool pgm_stat_name_matches(const char *glob, const char *name)
{
    const char *star = NULL; /* the last one met, and where it began to match */
    const char *from = NULL;

    while (*name != '\0') {
        if (*glob == '*') {
            star = glob++;
            from = name;
        } else if (*glob == '?' || *glob == *name) {
            glob++;
            name++;
        } else if (star != NULL) {
            glob = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    return glob[strspn(glob, "*")] == '\0';
}

static void gather(Pgm *pgm, Gathered *ret_gathered)
{
    Gathered *g = ret_gathered;

    *g = (Gathered) { .tlb_slots = pgm->tlb.mask + 1,
                      .n_spans = pgm->spans.n,
                      .n_ranges = pgm->ranges->len,
                      .n_cpus = pgm->cpus->len,
                      .live_active = pgm->n_live_saves };
    pgm_get_stats(pgm, &g->pgm);
    gmm_get_stats(pgm->gmm, &g->gmm);
    gmm_vm_get_stats(pgm->mm.vm, &g->vm);
    pgm_snapshot_get_stats(pgm, &g->snapshots);
    g->n_dirty_clients = pgm->tracking != NULL ? pgm->tracking->n_clients : 0;
    mm_get_reserved(pgm, &g->reserved);
    mm_get_ram(pgm, &g->ram);
    g->handy_reserved = pgm->mm.initial_done ? MM_HANDY_PAGES : 0;
}

/* ---- the walk: gathered first, because names that come from tags are not in any table */

typedef struct Walk {
    const char *glob;
    GArray *stats;    /* of PgmStat */
    GPtrArray *names; /* those made here */
} Walk;

static void add(Walk *walk, const PgmStat *stat)
{
    if (walk->glob == NULL || pgm_stat_name_matches(walk->glob, stat->name)) {
        g_array_append_vals(walk->stats, stat, 1);
    }
}

static void add_made(Walk *walk, char *name, const char *unit, const char *description,
                     bool is_counter, uint64_t value)
{
    PgmStat stat = { .name = name,
                     .unit = unit,
                     .description = description,
                     .is_counter = is_counter,
                     .value = value };

    g_ptr_array_add(walk->names, name);
    add(walk, &stat);
}

static void add_rows(Walk *walk, Pgm *pgm)
{
    Gathered gathered;

    gather(pgm, &gathered);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        PgmStat stat = { .name = rows[i].name,
                         .unit = rows[i].unit,
                         .description = rows[i].description,
                         .is_counter = rows[i].is_counter };

        memcpy(&stat.value, (const char *)&gathered + rows[i].offset, sizeof stat.value);
        add(walk, &stat);
    }
}

static void add_cpus(Walk *walk, const Pgm *pgm)
{
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        const PgmCpu *cpu = g_ptr_array_index(pgm->cpus, i);

        add_made(walk, g_strdup_printf("/PGM/CPU%u/fA20Enabled", i), "bool",
                 "whether address bit 20 reaches memory", false, (cpu->a20_mask >> 20) & 1);
        add_made(walk, g_strdup_printf("/PGM/CPU%u/cA20Changes", i), "times",
                 "the gate of address bit 20 was opened or closed", true, cpu->n_a20_changes);
    }
}

/* All tags together if @tag is NULL. */
static void add_tag(const char *tag, const MmHeapStats *heap, void *user)
{
    const struct {
        const char *name;
        const char *unit;
        const char *description;
        uint64_t value;
    } values[] = {
        { "cAllocations", "times", "blocks allocated", heap->n_allocations },
        { "cFailures", "times", "allocations that failed", heap->n_failures },
        { "cFrees", "times", "blocks freed", heap->n_frees },
        { "cReallocations", "times", "blocks reallocated", heap->n_reallocations },
        { "cbAllocated", "bytes", "allocated so far", heap->bytes_allocated },
        { "cbCurAllocated", "bytes", "allocated now", heap->bytes_current },
        { "cbFreed", "bytes", "freed so far", heap->bytes_freed },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        add_made(user,
                 tag ? g_strconcat("/MM/Heap/", tag, "/", values[i].name, NULL)
                     : g_strconcat("/MM/Heap/", values[i].name, NULL),
                 values[i].unit, values[i].description, false, values[i].value);
    }
}

static void add_heap(Walk *walk, Pgm *pgm)
{
    MmHeap *heap = g_atomic_pointer_get(&pgm->heap);
    MmHeapStats all = { 0 };

    if (heap != NULL) {
        (void)mm_heap_get_stats(heap, NULL, &all);
        mm_heap_foreach_tag(heap, add_tag, walk);
    }
    add_tag(NULL, &all, walk);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const PgmStat *)a)->name, ((const PgmStat *)b)->name);
}

unsigned pgm_stats_foreach(Pgm *pgm, const char *glob, PgmStatVisitor visit, void *user)
{
    g_autoptr(GArray) stats = g_array_new(FALSE, FALSE, sizeof(PgmStat));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Walk walk = { glob, stats, names };

    add_rows(&walk, pgm);
    add_cpus(&walk, pgm);
    add_heap(&walk, pgm);
    g_array_sort(stats, compare_names);
    for (unsigned i = 0; i < stats->len; i++) {
        visit(&g_array_index(stats, PgmStat, i), user);
    }
    return stats->len;
}
