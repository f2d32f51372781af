/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct Pgm, and what the files of the guest side offer each other, file by file. Only the
 * machine's thread comes here, but for the reads of other threads in external.c, which hold the PGM
 * lock.
 *
 * Data path: access.c, piece.c, bulk.c and cpu-port.c ask range.c where an address lies (PgmPlace),
 * view.c what may be done with the page there (PgmView), page-state.c to change it. No other file
 * writes a page record.
 */
#pragma once

#include "memsys/access.h"
#include "memsys/cpu_port.h"
#include "memsys/handler.h"
#include "memsys/mm-internal.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/os.h"
#include "memsys/page-internal.h"
#include "memsys/pgm.h"
#include "memsys/range-internal.h"
#include "memsys/rom.h"
#include "memsys/watch.h"

#define PGM_TLB_SLOTS_DEFAULT 1024
#define PGM_TLB_SLOTS_MAX 65536
#define PGM_TLB_SLOTS_LARGE 262144 /* 1 GiB of guest memory; the table is 4 MiB, where touched */
#define PGM_TLB_GROW_MISSES 65536  /* since the last flush: then the large table pays */
#define PGM_HANDY_REFILL_SOON 32   /* pgm_ensure_handy() refills at or below */
#define PGM_HANDY_REFILL_NOW 8     /* a write refills at or below */
#define PGM_FREE_BATCH 128
#define PGM_TELL_EACH_MAX 8 /* more changed pages than this: one invalidate_all */

typedef struct PgmHandyStock {
    unsigned n;                         /* pages left: entries [0, n) */
    GmmHandyPage pages[MM_HANDY_PAGES]; /* taken from the end */
    unsigned n_used;                    /* taken since GMM was last told where pages went */
    PageId used_ids[MM_HANDY_PAGES];
    GPhys used_gpas[MM_HANDY_PAGES];
} PgmHandyStock;

/* Ids on their way back to GMM's BASE account. */
typedef struct PgmFreeBatch {
    uint32_t n;
    PageId ids[PGM_FREE_BATCH];
} PgmFreeBatch;

typedef struct PgmWatchTable PgmWatchTable;

/* A place in pgm->ranges, good or not: ranges may have gone since. */
typedef struct PgmCursor {
    unsigned range;
    uint64_t index;
} PgmCursor;
typedef struct PgmThreads PgmThreads;

/*
 * Invariants:
 * 1. tlb is first (memsys/tlb-access.h casts).
 * 2. stats.pages is exact at all times; only page-state.c changes it.
 * 3. A bit of executed[] is cleared only after the CPUs dropped the code of that host page.
 * 4. cpu_may_hold is set before any answer leaves pgm_cpu_fill().
 */
struct Pgm {
    PgmTlb tlb;
    PgmTlbSlot *tlb_small; /* of tlb_small_slots; in use when tlb.slots is not tlb_large */
    PgmTlbSlot *tlb_large; /* NULL until first wanted; zeros while not in use */
    unsigned tlb_small_slots;
    bool tlb_may_grow;
    uint32_t tlb_misses; /* since the last flush */
    uint8_t *arena;
    Gmm *gmm;
    Mm mm;
    char *name;
    const MemOs *os;

    PgmSpanTable spans;
    PgmList *ranges; /* every PgmRange, mapped or not */
    uint64_t n_ranges_made;

    PgmHandyStock handy;
    PgmFreeBatch freeing;

    uint64_t *executed; /* one bit a page id */
    size_t executed_bytes;
    GPtrArray *cpus; /* of PgmCpu */
    bool cpu_may_hold;
    bool any_executed;

    /* While not 0, page changes are gathered and told as one (pgm_batch_begin()). */
    unsigned batch_depth;
    uint64_t batch_changes;
    bool batch_executed;

    PgmWatchTable *watches; /* NULL: none */

    uint64_t layout_now;          /* number of the layout; see pgm_layout_changed() */
    uint64_t layout_last;         /* highest number there was */
    struct PgmTracking *tracking; /* snapshots and dirty clients; NULL: none yet (tracking.c) */
    PgmThreads *threads;          /* other threads' requests; never NULL (threads.c) */
    bool locking; /* other threads may come: the machine's thread takes the PGM lock as it changes
                     records and ranges */
    struct MmHeap *heap;   /* NULL: not used yet */
    unsigned n_live_saves; /* under way */
    bool allow_sharing;
    bool preallocated;
    bool large_runs;
    PgmCursor share_cursor;   /* where the next slice of the share scan begins */
    uint64_t ballooned_known; /* what GMM was last told; see pgm_balloon_settle() */

    PgmRomProtectHook rom_protect_hook;
    void *rom_protect_user;
    PgmUnassignedHook unassigned_hook;
    void *unassigned_user;

    PgmStats stats;
};

struct PgmCpu {
    Pgm *pgm;
    const PgmCpuCallbacks *callbacks;
    void *user;
    GPhys a20_mask;
    uint64_t n_a20_changes; /* since pgm_reset_stats() */
    PgmWatchTable *watches; /* by virtual address; NULL: none */
};

/* In threads.c: the PGM lock, recursive; see memsys/external.h. */
void pgm_threads_init(Pgm *pgm);
void pgm_threads_clear(Pgm *pgm);
void pgm_threads_open(Pgm *pgm); /* for work of GMM's */
void pgm_threads_close(Pgm *pgm);
void pgm_threads_share(Pgm *pgm); /* from now on the machine's thread takes the lock; any thread */
void pgm_lock_slow(const Pgm *pgm);
void pgm_unlock_slow(const Pgm *pgm);

/* Around each change of records, spans, protections or watches, by the machine's thread. */
static inline void pgm_lock(const Pgm *pgm)
{
    if (G_UNLIKELY(pgm->locking)) {
        pgm_lock_slow(pgm);
    }
}

static inline void pgm_unlock(const Pgm *pgm)
{
    if (G_UNLIKELY(pgm->locking)) {
        pgm_unlock_slow(pgm);
    }
}

/* Protections, places of ranges, aliases or switched-off handlers are about to be others: the
 * layout gets a number of its own (snapshot-layout.c). */
static inline void pgm_layout_changed(Pgm *pgm)
{
    pgm->layout_now = ++pgm->layout_last;
}

static inline uint8_t *pgm_host(const Pgm *pgm, PageId id)
{
    return pgm->arena + ((uint64_t)id << MEM_PAGE_SHIFT);
}

/*
 * The record of @gpa if plain RAM answers there, as most do: the span cache knows it, no handler on
 * the page, no watch anywhere. %NULL says nothing; look properly then. The few instructions matter:
 * misses that follow each other overlap only as far as the host's processor looks ahead.
 */
static inline const PgmPage *pgm_plain_ram(Pgm *pgm, GPhys gpa)
{
    const PgmSpan *span = pgm_span_cache_slot(&pgm->spans, gpa);

    if (!span->range || gpa - span->first > span->last - span->first ||
        span->range->kind != PGM_RANGE_RAM || pgm->watches) {
        return NULL;
    }
    const PgmPage *page = &span->range->pages[(gpa - span->range->start) >> MEM_PAGE_SHIFT];

    if (pgm_page_handler(*page) != PGM_HANDLER_NONE) {
        return NULL;
    }
    pgm->stats.range_cache_hits++;
    return page;
}

/* ---- page-state.c */

/* Which record of a place: what the range shows, or the RAM behind a shadowed ROM page. */
typedef enum PgmRecord { PGM_RECORD_FRONT, PGM_RECORD_SHADOW } PgmRecord;

/*
 * The one function that changes a record: counters, page-map TLB, CPUs. Answers of CPUs die if the
 * page behind or a right was lost; gaining rights on the same page (monitored to allocated) is not
 * told.
 */
void pgm_page_change(PgmRange *range, uint64_t index, PgmRecord which, PgmPage to);

/* The first value of a record that was zero until now, and not counted; nobody can have seen it. */
void pgm_page_init(PgmRange *range, uint64_t index, PgmRecord which, PgmPage page);

/* Sets the lock counts alone: nothing about the page looks different to anybody. */
void pgm_page_set_locks(PgmRange *range, uint64_t index, PgmRecord which, unsigned read_locks,
                        unsigned write_locks);

/* Counts records that appear or go as a whole: @n equal records, +1 or -1 each. */
void pgm_pages_count(Pgm *pgm, PgmPage page, uint64_t n, int sign);

/* A CPU was answered about the page: later changes must be told. */
void pgm_page_mark_seen(PgmRange *range, uint64_t index);

/* What CPUs and TLB think about the page is void (a view of it changed, not its record). */
void pgm_page_view_changed(PgmRange *range, uint64_t index, bool executed);

/* Answers about one address are void because of something that is no page (a watch). */
void pgm_forget_gpa(Pgm *pgm, GPhys gpa);

/* Tells all CPUs: nothing holds any more. No-op if no CPU can hold anything. */
void pgm_tell_all(Pgm *pgm, bool executed);

void pgm_batch_begin(Pgm *pgm);
void pgm_batch_end(Pgm *pgm);

/* Bytes of host page @id were written: tells the CPUs if it is executed. */
void pgm_code_written(Pgm *pgm, PageId id, uint32_t offset, uint32_t len);
static inline bool pgm_id_executed(const Pgm *pgm, PageId id)
{
    return (pgm->executed[id >> 6] >> (id & 63) & 1) != 0;
}
void pgm_mark_executed(Pgm *pgm, PgmRange *range, uint64_t index, PageId id);

/* Host page @id holds, or will hold, other bytes for good: CPUs drop its code, the bit goes. */
void pgm_forget_code(Pgm *pgm, PageId id);

/*
 * In tracking.c: the bytes of the page, or whether it is ballooned, are about to change (its record
 * still says what it was): the snapshot keeps what it needs, dirty clients hear of it. Every way to
 * change bytes calls it before: make_writable, to_zero, balloon, load, poke, restore. Cheap when
 * there is nothing to do. A change of backing that leaves the bytes (sharing, compaction) does not.
 *
 * Returns: MEM_OK, or MEM_ERR_NO_MEMORY if the snapshot has no room: then the page must stay as it
 * is
 */
MemStatus pgm_page_before_change(PgmRange *range, uint64_t index, PgmRecord which);

/* In tracking.c: a private page is about to be locked, for reading or writing: with a snapshot it
 * gets its entry now, so that a restore never has to move it. MEM_OK or MEM_ERR_NO_MEMORY. */
MemStatus pgm_page_before_lock(PgmRange *range, uint64_t index, PgmRecord which);

/* In snapshot-save.c: as pgm_page_before_change() for a page that is about to lose what backs it:
 * the snapshot may keep the host page itself. @ret_kept: it did, do not free it. */
MemStatus pgm_page_before_drop(PgmRange *range, uint64_t index, PgmRecord which, bool *ret_kept);

/* In tracking.c: whether new pages must begin WRITE_MONITORED. */
bool pgm_tracking_wants_writes(const Pgm *pgm);
/* A range appears (false: no host memory) or is about to go; a handler goes; the machine ends. */
bool pgm_tracking_range_new(PgmRange *range);
void pgm_tracking_range_gone(PgmRange *range);
void pgm_tracking_handler_gone(Pgm *pgm, const PgmHandler *handler);
void pgm_tracking_free(Pgm *pgm);
/* Host pages charged to the machine that no record shows, handy ones aside. */
uint64_t pgm_tracking_host_pages(const Pgm *pgm);
unsigned pgm_tracking_verify(Pgm *pgm, GString *report);

/* In snapshot-stock.c: pages that a restore freed, for the next first writes. */
bool pgm_pool_make_ready(Pgm *pgm); /* from the stock, if that has many; false: it is empty */
bool pgm_pool_take(Pgm *pgm, PageId *ret_id);
void pgm_stock_release(Pgm *pgm);

/* The saved bit alone; a mark while two edges of snapshots are merged. */
void pgm_page_set_saved(PgmRange *range, uint64_t index, PgmRecord which, bool saved);
void pgm_page_set_merge_mark(PgmRange *range, uint64_t index, PgmRecord which, bool mark);

/* ALLOCATED to WRITE_MONITORED. */
void pgm_page_monitor(PgmRange *range, uint64_t index, PgmRecord which);
/* No entry of the current snapshot any more: not saved, and monitored if it was ALLOCATED. */
void pgm_page_rearm(PgmRange *range, uint64_t index, PgmRecord which);

/* The address GMM is told for a page that backs the record. */
GPhys pgm_page_gpa(const PgmRange *range, uint64_t index, PgmRecord which);

/* Makes the page ALLOCATED and unmonitored. MEM_ERR_BALLOONED, MEM_ERR_NO_MEMORY, MEM_ERR_RESERVED.
 */
MemStatus pgm_page_make_writable(PgmRange *range, uint64_t index, PgmRecord which);

/* Back to ZERO; the id goes to pgm->freeing (call pgm_free_flush() at the end). RAM and shadow
 * only. */
MemStatus pgm_page_to_zero(PgmRange *range, uint64_t index, PgmRecord which);
/* Likewise for a page of RAM that holds zeros: nothing changes for anybody. */
void pgm_page_drop_zeros(PgmRange *range, uint64_t index);

/* An MMIO page begins or ceases to show an MMIO2 page: what CPUs know of either is told. */
void pgm_alias_shown_change(PgmRange *mmio, uint64_t mmio_index, PgmRange *mmio2, uint64_t index,
                            PgmPage to);
/* Gives an MMIO range records of its own, all as uniform; false if the host has no memory. */
bool pgm_uniform_to_records(PgmRange *range);

/* ALLOCATED to WRITE_MONITORED; other states stay. */
void pgm_page_arm(PgmRange *range, uint64_t index);

/* Marks the page for a caller that looks for repeats and takes all marks off again before anything
 * else happens. Returns: whether it was marked. */
bool pgm_page_set_mark(PgmRange *range, uint64_t index, bool mark);

/* ---- reset.c */

/* The page as a reset leaves it: ZERO, or cleared where it lies if it is locked or if all stay.
 * MEM_OK; MEM_ERR_NO_MEMORY with a snapshot if nothing was made ready, then it is as it was. */
MemStatus pgm_page_reset(PgmRange *range, uint64_t index, PgmRecord which);

/* ---- balloon.c */

/* Tells GMM how many pages are ballooned now, if that changed: after balloon, reset, restore, load,
 * and before a reservation shrinks. */
void pgm_balloon_settle(Pgm *pgm);

/* ---- share-scan.c */

/* Looks at up to @n_pages pages, each at most once. Returns: how many. No-op without
 * pgm_set_sharing(). Machine's thread. */
uint64_t pgm_share_slice(Pgm *pgm, uint64_t n_pages);

/* ---- compact.c */

/* Moves up to @n_pages pages out of sparse chunks. Returns: how many. Machine's thread. */
uint64_t pgm_compact_slice(Pgm *pgm, uint64_t n_pages);

/* ---- large-run.c */

/* Makes or frees the table of a RAM range's runs; without host memory the range has none. */
void pgm_runs_init(PgmRange *range);
void pgm_runs_clear(PgmRange *range);

/* A page of zeros at its place in the chunk of its run; false: take one from anywhere. */
bool pgm_run_take(PgmRange *range, uint64_t index, PageId *ret_id);

/* ---- handy.c */

/* A page can be taken without visiting GMM, who may ask the embedder for pages, who may do
 * anything. */
MemStatus pgm_handy_make_ready(Pgm *pgm);
/* A page of zeros if @want_zeros, else of anything. Reported as used for @gpa at the next refill.
 */
MemStatus pgm_handy_take(Pgm *pgm, GPhys gpa, bool want_zeros, PageId *ret_id);
/* GMM is to hear that @id, taken by another way, went to @gpa. */
void pgm_handy_note_used(Pgm *pgm, PageId id, GPhys gpa);
void pgm_handy_report(Pgm *pgm);
void pgm_handy_return_all(Pgm *pgm);
void pgm_free_id(Pgm *pgm, PageId id);
void pgm_free_flush(Pgm *pgm);

/* ---- tlb.c */

bool pgm_tlb_init(Pgm *pgm, unsigned n_slots, bool may_grow);
void pgm_tlb_clear(Pgm *pgm);
void pgm_tlb_flush(Pgm *pgm);
void pgm_tlb_flush_page(Pgm *pgm, GPhys gpa);

/* ---- view.c */

/*
 * What may be done with the page at a place, watches aside. "Caught" means that every access of the
 * kind must come to pgm_bus_read() or pgm_bus_write(). A DISABLED handler counts as armed for CPUs
 * and as absent for the rest.
 */
typedef struct PgmView {
    bool has_memory;  /* false: MMIO */
    bool read_caught; /* for the page-map TLB and bulk access */
    bool write_caught;
    bool cpu_read_caught; /* for CPUs */
    bool cpu_write_caught;
    bool writable; /* a plain store needs no change of state */
    PageId read_id;
} PgmView;
void pgm_view(const PgmPlace *place, PgmView *ret_view);

/* In tlb.c: caches what the view permits. */
void pgm_tlb_fill(Pgm *pgm, const PgmPlace *place, const PgmView *view);

/* In tlb.c: the same for plain RAM alone. Returns: the byte on the host if @need (a MemAccess) is a
 * plain host access there, else NULL with nothing cached. */
uint8_t *pgm_tlb_fill_ram(Pgm *pgm, GPhys gpa, uint64_t need);

/* ROM: the record that reads see, and whether writes reach one. */
PgmRecord pgm_rom_read_record(const PgmRange *range, uint64_t index);
bool pgm_rom_write_record(const PgmRange *range, uint64_t index, PgmRecord *ret_which);
MemStatus pgm_rom_reset(PgmRange *range); /* as pgm_page_reset() for all its pages */
/* Does the ROM hold other bytes than its image? */
bool pgm_rom_is_patched(const PgmRange *range, uint64_t index);
void pgm_rom_restore_prots(PgmRange *range, const uint8_t *prots); /* one a page */
/* pgm_rom_protect() of pages of a shadowed ROM, which may have lost its place. */
void pgm_rom_protect_pages(PgmRange *range, uint64_t index, uint64_t n, PgmRomProt prot);

/* ---- piece.c */

/* @len bytes that lie in one page; watches are not told. A failed read leaves all ones. */
MemStatus pgm_piece_read(Pgm *pgm, GPhys gpa, uint8_t *buf, uint32_t len, MemOrigin origin);
MemStatus pgm_piece_write(Pgm *pgm, GPhys gpa, const uint8_t *buf, uint32_t len, MemOrigin origin);
void pgm_report_unassigned(Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin);

/* ---- bulk.c */

/* Bytes from @gpa that no range answers for, at most @len; 0 if one does. */
uint64_t pgm_gap_len(const Pgm *pgm, GPhys gpa, uint64_t len);

/* @len, but not past the end of all addresses. */
static inline uint64_t pgm_clamp_len(GPhys gpa, uint64_t len)
{
    return len == 0 || len - 1 <= UINT64_MAX - gpa ? len : UINT64_MAX - gpa + 1;
}

/* Bytes from @gpa to the end of its page, at most @len. */
static inline uint64_t pgm_to_page_end(GPhys gpa, uint64_t len)
{
    return MIN(len, MEM_PAGE_SIZE - pgm_page_offset(gpa));
}

/* ---- mmio.c: @len bytes from @offset of the range, split and widened to what the device accepts.
 */
MemStatus pgm_mmio_read_bytes(PgmRange *range, uint64_t offset, uint8_t *buf, uint64_t len);
MemStatus pgm_mmio_write_bytes(PgmRange *range, uint64_t offset, const uint8_t *buf, uint64_t len);
void pgm_mmio_drop_aliases_of(PgmRange *mmio2);
void pgm_mmio_destroy(PgmRange *range);

/* ---- mmio2.c */
void pgm_mmio2_page_dirtied(PgmRange *range, uint64_t index);
void pgm_mmio2_destroy(PgmRange *range);

/* ---- rom.c */
void pgm_rom_destroy(PgmRange *range);

/* ---- handler.c */

/* The handler that owns byte @offset of the range, or the bytes up to the next one. */
const PgmHandler *pgm_handler_at(const PgmRange *range, uint64_t offset, uint64_t *ret_run);
PgmHandlerResult pgm_handler_call(Pgm *pgm, const PgmHandler *handler,
                                  const PgmHandlerAccess *access);
void pgm_handlers_detach(PgmRange *range);
/* Names those that have one of the bytes @first to @last of the range: a few, then how many more.
 */
void pgm_handlers_print_names(const PgmRange *range, uint64_t first, uint64_t last, GString *text);
void pgm_handlers_rearm(PgmRange *range);

/* For snapshots: a bit a page that is off, 0 words if none is; and back to that, which cannot fail.
 */
size_t pgm_handler_off_words(const PgmHandler *handler, const uint64_t **ret_words);
void pgm_handler_restore_off(PgmHandler *handler, const uint64_t *words, size_t n_words);

/* Strongest handler of the page; @armed: as if none were switched off there. */
PgmHandlerState pgm_handler_page_state(const PgmRange *range, uint64_t index, bool armed);
/* A handler of kind ALL owns the page, even if it is switched off there: it comes back. */
static inline bool pgm_page_owned(const PgmRange *range, uint64_t index)
{
    return pgm_page_handler(range->pages[index]) != PGM_HANDLER_NONE &&
           pgm_handler_page_state(range, index, true) == PGM_HANDLER_ALL;
}
unsigned pgm_handlers_verify(const PgmRange *range, GString *report);

/* Pages [@index, + @n) of the range, where the handler that begins at byte @offset is off. */
typedef void (*PgmHandlerOffVisitor)(const PgmRange *range, uint64_t offset, uint64_t index,
                                     uint64_t n, void *user);
void pgm_handlers_each_off(const PgmRange *range, PgmHandlerOffVisitor visit, void *user);
/* Switches the handler that begins at @offset off on those of the pages it has; no-op if there is
 * none such. MEM_ERR_HOST_MEMORY. */
MemStatus pgm_handlers_set_off(PgmRange *range, uint64_t offset, uint64_t index, uint64_t n);

/* ---- watch.c */
void pgm_watch_tell(Pgm *pgm, const PgmWatchHit *hit);
void pgm_watch_table_free(Pgm *pgm);
void pgm_watch_cpu_gone(PgmCpu *cpu);
unsigned pgm_watches_verify(const Pgm *pgm, GString *report);

/* Bytes from @gpa, at most @len, up to the first page watched for @access; 0 if that of @gpa is. */
uint64_t pgm_watch_free_run(const Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access);

/* ---- verify.c, describe.c */
unsigned pgm_spans_verify(const Pgm *pgm, GString *report);
unsigned pgm_locks_verify(PgmRange *range, GString *report); /* verify-locks.c */
const char *pgm_range_kind_name(PgmRangeKind kind);
