/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pgm: one machine's guest-physical memory. Every guest page has a type, a state and an owner; host
 * memory appears when a page is first written.
 *
 * A Pgm belongs to the thread that runs its machine. Set-up calls take a GError ** and either
 * succeed whole or change nothing; calls made while a guest runs return a MemStatus and never
 * allocate from the C heap.
 *
 * The files of memsys/, in the order an access meets them:
 *   access.h, tlb-access.h  typed accesses; a hit of the page-map TLB ends here
 *   access.c, tlb.c         what missed: the slow path, and filling the table
 *   piece.c                 a piece of one page, with all that stands in its way
 *   bulk.c, peek.c          runs of bytes; the debugger's look, which calls nobody
 *   cpu-port.c              a CPU's own TLB asks for pages, and hears when answers end
 *   range.c, view.c         where an address lies; what may be done with the page there
 *   page-state.c            changes the page's record (page-internal.h), as nothing else does
 *   handy.c, large-run.c    where a first write gets its page
 *   rom.c, mmio.c, mmio2.c, handler.c, watch.c   what is not plain RAM
 * Around the path:
 *   pgm.c, mm*.c, reset.c, preallocate.c, load-image.c   a machine's life and its RAM
 *   tracking.c              before bytes change: dirty.c (clients), snapshot*.c, snapshot-stock.c
 *   map.c, balloon.c, share-scan.c, compact.c   pages locked, given back, merged, moved
 *   external.c, threads.c   what other threads do; the PGM lock, work for the machine's thread
 *   gmm*.c, os.c            the process's pages beneath (gmm.h); the host beneath those (os.h)
 *   state-*.c, saved-*.c    files: the container (state_file.h); memory in it (saved_state.h)
 *   info*.c, stats.c, describe.c, verify*.c     what people and checkers see
 *
 * Source: VirtualBox's PGM as restated in the project's notes; 8-byte records in untouched memory
 * and overlays that keep the RAM beneath are ours.
 */
#pragma once

#include "memsys/gmm.h"
#include "memsys/status.h"
#include "memsys/types.h"

#include <glib.h>

#pragma GCC visibility push(default)

typedef struct Pgm Pgm;

/* What a page is. */
typedef enum PgmPageType {
    PGM_PAGE_RAM,
    PGM_PAGE_MMIO2,
    PGM_PAGE_MMIO2_ALIAS, /* an MMIO2 page shown inside an MMIO range */
    PGM_PAGE_ROM,
    PGM_PAGE_ROM_SHADOW, /* the RAM behind a ROM page */
    PGM_PAGE_MMIO,
    PGM_N_PAGE_TYPES
} PgmPageType;

/* What stands behind it. */
typedef enum PgmPageState {
    PGM_PAGE_ZERO,      /* reads the zero page, owns nothing */
    PGM_PAGE_ALLOCATED, /* a private page, written freely */
    PGM_PAGE_WRITE_MONITORED,
    PGM_PAGE_SHARED, /* a page of several machines; the first write copies */
    PGM_PAGE_BALLOONED,
    PGM_N_PAGE_STATES
} PgmPageState;

/* The strongest handler on a page; order matters, registration only raises it. */
typedef enum PgmHandlerState {
    PGM_HANDLER_NONE,
    PGM_HANDLER_DISABLED, /* temporarily off for this page; CPUs still treat it as armed */
    PGM_HANDLER_WRITE,
    PGM_HANDLER_ALL,
} PgmHandlerState;

typedef struct PgmConfig {
    const char *name;   /* copied; for messages; %NULL is "machine" */
    GmmPolicy policy;   /* reservations: overcommit by default */
    bool large_runs;    /* RAM of a 2 MiB-aligned run keeps together on the host */
    unsigned tlb_slots; /* page-map TLB size, a power of two up to 65536; 0: 1024, and 262144 while
                         * those do not suffice */
} PgmConfig;

/* Counted per page; memsys' checker recounts them. all = private + shared + zero + pure_mmio. */
typedef struct PgmPageCounts {
    uint64_t all;
    uint64_t private_pages; /* ALLOCATED or WRITE_MONITORED, any type */
    uint64_t shared;
    uint64_t zero; /* BALLOONED included */
    uint64_t pure_mmio;
    uint64_t monitored;   /* within private */
    uint64_t ballooned;   /* within zero */
    uint64_t written;     /* pages with the written bit */
    uint64_t read_locked; /* pages with a lock of the kind (memsys/map.h), for good or not */
    uint64_t write_locked;
} PgmPageCounts;

/* Events since creation or pgm_reset_stats(). */
typedef struct PgmStats {
    PgmPageCounts pages;
    uint64_t handy_pages; /* in stock now */
    uint64_t handy_refills;
    uint64_t replaced_zero;     /* ZERO -> ALLOCATED */
    uint64_t replaced_shared;   /* SHARED -> ALLOCATED */
    uint64_t unmonitored;       /* WRITE_MONITORED -> ALLOCATED by a write */
    uint64_t tlb_fills;         /* page-map TLB misses that filled a slot */
    uint64_t tlb_flushes;       /* whole */
    uint64_t tlb_flushed_pages; /* single entries */
    uint64_t range_cache_hits;
    uint64_t range_cache_misses;
    uint64_t cpu_fills;       /* pgm_cpu_fill() calls */
    uint64_t cpu_fills_catch; /* of these: answered "catch" */
    uint64_t code_pages;      /* pages that became executed */
    uint64_t rom_protect_calls;
    uint64_t rom_switched_pages; /* page protections that really changed */
    uint64_t rom_writes_ignored;
    uint64_t rom_writes_shadow;
    uint64_t mmio_reads;
    uint64_t mmio_writes;
    uint64_t handler_calls;
    uint64_t watch_hits;
    uint64_t unassigned_reads;
    uint64_t unassigned_writes;
    uint64_t bulk_reads; /* pgm_read() calls; pgm_copy() makes one a page */
    uint64_t bulk_read_bytes;
    uint64_t bulk_writes; /* pgm_write() calls, likewise with pgm_fill() */
    uint64_t bulk_write_bytes;
    uint64_t handler_inserts;
    uint64_t handler_removals;
    uint64_t handler_resets;     /* handlers that were armed again where they were off */
    uint64_t mmio2_queries;      /* pgm_mmio2_query_dirty() */
    uint64_t large_runs;         /* runs that got a chunk of their own */
    uint64_t large_run_pages;    /* pages that got their place in one */
    uint64_t large_run_failures; /* pages of a run that had to lie elsewhere */
    uint64_t live_saves;         /* begun */
    uint64_t live_passes;        /* begun */
    uint64_t live_pages;         /* written into a state */
    uint64_t live_put_off;       /* not written yet: written again already, or locked for writing */
} PgmStats;

/* One range of the map, as pgm_range_get() reports it. */
typedef enum PgmRangeKind {
    PGM_RANGE_RAM,
    PGM_RANGE_ROM,
    PGM_RANGE_MMIO,
    PGM_RANGE_MMIO2
} PgmRangeKind;

typedef struct PgmRangeInfo {
    GPhys start;
    uint64_t len; /* bytes */
    PgmRangeKind kind;
    const char *description; /* valid until the range goes */
    const char *owner;       /* likewise; "" for RAM */
    bool over_ram;           /* an overlay: RAM lies beneath */
    bool shadowed;           /* ROM with RAM behind */
} PgmRangeInfo;

/* Everything about one page, for info items and reports. */
typedef struct PgmPageInfo {
    PgmPageType type;
    PgmPageState state;
    PgmHandlerState handler;
    PageId id;
    bool written;
    bool executed;
    PgmRangeInfo range;
} PgmPageInfo;

/**
 * pgm_new:
 * @gmm: must outlive the machine
 * @config: (nullable): defaults for all
 *
 * Returns: (transfer full): a machine with no ranges, or %NULL
 */
Pgm *pgm_new(Gmm *gmm, const PgmConfig *config, GError **error);

/**
 * pgm_free:
 * @pgm: (nullable)
 *
 * Gives every page back and frees all ranges, MMIO and MMIO2 too: no pointer to one may be used
 * after. Handlers stay their owners' to free, before; watches and dirty clients too, before or
 * after.
 *
 * Snapshots end with the machine: their pointers are dead then, do not drop them. CPUs must have
 * been detached and mappings (memsys/map.h) unmapped before (asserted); pages that are locked for
 * good are no obstacle.
 */
void pgm_free(Pgm *pgm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pgm, pgm_free)

/* What pgm_new() was given; the name is valid as long as the machine. Any thread. */
Gmm *pgm_gmm(const Pgm *pgm);
const char *pgm_name(const Pgm *pgm);

/**
 * pgm_ram_register:
 * @start, @len: page aligned, @len > 0, no byte at or above 2^52
 * @description: copied
 *
 * All pages start ZERO. O(log ranges): the record array is untouched memory.
 *
 * One range by itself, at any time. For the whole RAM of a machine at once, all of it or nothing,
 * mm_register_x86() (the PC's layout) or mm_register_regions() (any other) of memsys/mm.h:
 * mm_get_ram() knows only of these.
 *
 * Returns: MEM_OK; MEM_ERR_UNALIGNED, MEM_ERR_OUT_OF_RANGE, MEM_ERR_CONFLICT (the message names the
 *   range in the way), MEM_ERR_DECLINED, MEM_ERR_HOST_MEMORY; nothing changes on error
 */
MemStatus pgm_ram_register(Pgm *pgm, GPhys start, uint64_t len, const char *description,
                           GError **error);

/**
 * pgm_reset:
 *
 * What memory does at a hard reset of the machine: RAM to zero (pages go back to GMM), ballooned
 * pages to ZERO, every shadowed ROM to read-ROM/ignore-writes with its shadow dropped, disabled
 * handlers armed again. ROM bytes that pgm_poke() changed are the image's again. MMIO2 keeps its
 * bytes: its device clears it.
 *
 * Without snapshots it cannot fail. With one, each page given up needs an entry
 * (pgm_snapshot_set_limit()), and a ROM page that was patched a host page; all is made ready first.
 *
 * Thread: the machine's, while the guest does not execute.
 *
 * Returns: MEM_OK; MEM_ERR_NO_MEMORY with nothing changed: raise the limit, drop a snapshot or free
 *   memory, then call it again
 */
MemStatus pgm_reset(Pgm *pgm);

/**
 * pgm_preallocate:
 *
 * Gives every page of RAM a page of its own now, so that the machine can never run out. From then
 * on a reset clears RAM in place. All or nothing.
 *
 * Returns: MEM_OK or MEM_ERR_NO_MEMORY
 */
MemStatus pgm_preallocate(Pgm *pgm, GError **error);

/* Whether gmm_share_scan() may look at this machine's pages; off by default. */
void pgm_set_sharing(Pgm *pgm, bool allowed);

/* The machine as GMM knows it: priority, balloon function. */
GmmVm *pgm_gmm_vm(const Pgm *pgm);

/**
 * pgm_ensure_handy:
 *
 * Refills the stock of handy pages if it is at or below 32. The run loop calls it between blocks;
 * writes refill at 8 by themselves: an embedder without a CPU need not call it. After
 * MEM_ERR_NO_MEMORY the machine can go on once this succeeds.
 *
 * Returns: MEM_OK or MEM_ERR_NO_MEMORY
 */
MemStatus pgm_ensure_handy(Pgm *pgm);

/* Ranges in address order, overlays where they lie instead of what they cover. */
unsigned pgm_range_count(const Pgm *pgm);
bool pgm_range_get(const Pgm *pgm, unsigned index, PgmRangeInfo *ret_info);

/**
 * pgm_page_query:
 *
 * Returns: false for an address nothing is registered at
 */
bool pgm_page_query(Pgm *pgm, GPhys gpa, PgmPageInfo *ret_info);

/* Pages in a row that are alike, as reads see them. */
typedef struct PgmPageRun {
    GPhys start;
    uint64_t n_pages;
    PgmPageType type;
    PgmPageState state;
    PgmHandlerState handler;
    bool executed;
} PgmPageRun;

/* False ends the visit. */
typedef bool (*PgmPageRunVisitor)(const PgmPageRun *run, void *user);

/**
 * pgm_range_foreach_run:
 * @index: of a range, as pgm_range_get() has it
 * @visit: must not change memory
 *
 * Visits the longest runs of equal pages that together are the range, in order of address; MMIO
 * pages that show device memory are told as what they show. Counts nothing. O(pages whose record
 * was ever changed, and those of ROM and devices), whatever the size of RAM.
 *
 * Returns: false if @visit ended it or there is no such range
 */
bool pgm_range_foreach_run(Pgm *pgm, unsigned index, PgmPageRunVisitor visit, void *user);

/**
 * pgm_describe:
 * @gpa: any address
 *
 * Returns: (transfer full): one line that says what lies there, for reports
 */
char *pgm_describe(Pgm *pgm, GPhys gpa);

/* The map as text, one line a run of pages of equal type, state and handler; 10,000 lines of those
 * at most, then how many more there are. */
void pgm_print_map(Pgm *pgm, GString *text);

/* A copy of all counts; and events from zero again, while page counts and stock stay. Machine's
 * thread. By name: memsys/info.h. */
void pgm_get_stats(Pgm *pgm, PgmStats *ret_stats);
void pgm_reset_stats(Pgm *pgm);

/**
 * pgm_verify:
 * @report: (nullable): each violation is appended as one line
 *
 * Recomputes the rules of ranges, page records, counters, handlers, ROM, MMIO2 and the page-map TLB
 * from scratch. O(pages with a touched record).
 *
 * Returns: the number of violations, 0 when sound
 */
unsigned pgm_verify(Pgm *pgm, GString *report);

/**
 * pgm_set_unassigned_hook:
 * @hook: (nullable): called for each access that no range answers, after the fact (reads gave all
 *   ones, writes vanished)
 */
typedef void (*PgmUnassignedHook)(Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access,
                                  MemOrigin origin, void *user);
void pgm_set_unassigned_hook(Pgm *pgm, PgmUnassignedHook hook, void *user);

/* Words for people, never NULL. */
const char *pgm_page_type_name(PgmPageType type);
const char *pgm_page_state_name(PgmPageState state);

#pragma GCC visibility pop
