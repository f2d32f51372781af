/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gmm: the page allocator of the process. It reserves one range of host addresses (the arena), cuts
 * it into 2 MiB chunks of 512 pages, and hands pages to machines against their reservations.
 *
 * A machine (GmmVm) reserves pages under three accounts and never gets more than it reserved.
 * Any thread may call; Gmm has one lock of its own, taken inside each call (it may be taken under a
 * PGM lock, never the other way round). A running machine rarely comes here: it lives from its
 * handy pages (memsys/pgm.h) and returns for up to 128 at a time.
 *
 * Source: VirtualBox's GMM as restated in the project's notes; arena instead of chunk mapping,
 * 32-bit checked reference counts, limits that are enforced and the free-list heuristics are ours.
 */
#pragma once

#include "memsys/status.h"
#include "memsys/types.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

typedef struct Gmm Gmm;
typedef struct GmmVm GmmVm;

typedef enum GmmAccount {
    GMM_ACCOUNT_BASE,   /* RAM, ROM and the RAM behind shadowed ROM */
    GMM_ACCOUNT_SHADOW, /* pages saved for snapshots */
    GMM_ACCOUNT_FIXED,  /* MMIO2: allocated whole, never moves */
    GMM_N_ACCOUNTS
} GmmAccount;

typedef enum GmmPolicy {
    GMM_OVERCOMMIT,    /* accept every reservation, check the global limit as pages are taken */
    GMM_NO_OVERCOMMIT, /* decline a reservation that does not fit under the global limit */
} GmmPolicy;

typedef struct GmmReservation {
    uint64_t n_pages[GMM_N_ACCOUNTS];
} GmmReservation;

/* How GMM sees a page. */
typedef enum GmmPageState { GMM_PAGE_FREE, GMM_PAGE_PRIVATE, GMM_PAGE_SHARED } GmmPageState;

/* A page handed out, and what has become of it; one entry of a machine's handy stock. */
typedef struct GmmHandyPage {
    PageId id;
    bool zeroed; /* the page is known to hold zeros; else the taker must clear it */
} GmmHandyPage;

/* Numbers in pages unless a name says otherwise. */
typedef struct GmmStats {
    uint64_t max;        /* global limit */
    uint64_t reserved;   /* sum over machines and accounts */
    uint64_t allocated;  /* private and shared pages together */
    uint64_t shared;     /* pages with a reference count */
    uint64_t duplicates; /* references saved: sum of (count - 1) */
    uint64_t ballooned;
    uint64_t n_chunks;       /* chunks that hold host memory */
    uint64_t n_freed_chunks; /* returned to the host so far */
    uint64_t n_vms;
    uint64_t left_behind;   /* shared references of machines that ended */
    uint64_t share_offers;  /* pages offered by content so far */
    uint64_t share_merged;  /* of these: merged */
    uint64_t share_copied;  /* shared pages given up by a write */
    uint64_t moved;         /* pages moved by compaction so far */
    uint64_t balloon_calls; /* times an embedder was asked for pages */
} GmmStats;

typedef struct GmmVmStats {
    GmmReservation reserved;
    GmmReservation allocated;
    uint64_t private_pages;
    uint64_t shared_pages;
    uint64_t ballooned_pages;
} GmmVmStats;

/**
 * gmm_new:
 * @arena_size: bytes of host address space to reserve, rounded up to 2 MiB; 0 takes the default of
 *   1 TiB. Halved until the host grants it, down to 64 MiB.
 *
 * Reserves, commits nothing but the zero page. The global limit starts as the host's available
 * memory.
 *
 * Returns: (transfer full): a new page allocator, or %NULL with MEM_ERR_HOST_MEMORY
 */
Gmm *gmm_new(uint64_t arena_size, GError **error);

/**
 * gmm_free:
 * @gmm: (nullable): all its machines must have been freed before (asserted)
 */
void gmm_free(Gmm *gmm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Gmm, gmm_free)

/* Host address of page id 0 and length in bytes of the arena; fixed for life. Any thread. */
uint8_t *gmm_arena(const Gmm *gmm);
uint64_t gmm_arena_size(const Gmm *gmm);

/**
 * gmm_set_limit:
 * @n_pages: most pages all machines may hold together; below what is held now is allowed and only
 *   stops further allocation
 */
void gmm_set_limit(Gmm *gmm, uint64_t n_pages);

/* All numbers at one moment. Any thread; O(1). */
void gmm_get_stats(Gmm *gmm, GmmStats *ret_stats);

/**
 * gmm_verify:
 * @report: (nullable): each violation is appended as one line
 *
 * Recomputes every rule of the allocator from scratch: O(chunks * 512).
 *
 * Returns: the number of violations, 0 when sound
 */
unsigned gmm_verify(Gmm *gmm, GString *report);

/**
 * gmm_vm_new:
 * @name: copied; for messages
 *
 * Returns: (transfer full): a machine without a reservation
 */
GmmVm *gmm_vm_new(Gmm *gmm, const char *name);

/**
 * gmm_vm_free:
 * @vm: (nullable)
 *
 * Takes back every page the machine still holds. Pages left behind are a bug of the caller's: they
 * are freed all the same and their number is returned. A shared page keeps a reference that was
 * left behind until the last machine has ended, because GMM does not record which machine has
 * which.
 *
 * Returns: private pages and shared references that were left behind
 */
uint64_t gmm_vm_free(GmmVm *vm);

/**
 * gmm_vm_reserve:
 *
 * The first reservation of a machine, before any allocation.
 *
 * What a GMM_NO_OVERCOMMIT machine has reserved is promised to it: machines that overcommit get
 * only what is left under the global limit.
 *
 * Returns: MEM_OK; MEM_ERR_WRONG_ORDER when already done; MEM_ERR_DECLINED under
 *   GMM_NO_OVERCOMMIT when it does not fit, and always for more than 2^40 pages; nothing is changed
 *   on error
 */
MemStatus gmm_vm_reserve(GmmVm *vm, const GmmReservation *want, GmmPolicy policy);

/**
 * gmm_vm_update_reservation:
 *
 * Returns: MEM_OK; MEM_ERR_WRONG_ORDER before gmm_vm_reserve(); MEM_ERR_BELOW_ALLOCATED if an
 *   account would fall below what is allocated (ballooned pages count as used base pages);
 *   MEM_ERR_DECLINED; nothing is changed on error
 */
MemStatus gmm_vm_update_reservation(GmmVm *vm, const GmmReservation *want);

/* Likewise for one machine, in pages. */
void gmm_vm_get_stats(GmmVm *vm, GmmVmStats *ret_stats);

/**
 * gmm_vm_alloc:
 * @account: charged
 * @n_pages: 1 to 2^20
 * @ret_pages: @n_pages entries, written only on success
 *
 * All or nothing, from the machine's own chunks first, fullest first. The pages are PRIVATE.
 *
 * Returns: MEM_OK, MEM_ERR_INVALID_PARAMETER (@n_pages), MEM_ERR_ACCOUNT_LIMIT (always so before
 *   gmm_vm_reserve()), MEM_ERR_GLOBAL_LIMIT or MEM_ERR_HOST_MEMORY (arena full, or the host
 * refuses)
 */
MemStatus gmm_vm_alloc(GmmVm *vm, GmmAccount account, uint32_t n_pages, GmmHandyPage *ret_pages);

/**
 * gmm_vm_alloc_run:
 * @n_pages: at least 1
 * @ret_first: first of @n_pages consecutive ids, aligned to a chunk; all pages hold zeros
 *
 * Consecutive chunks for memory with one stable host pointer (MMIO2). Charged to FIXED. What is
 * left of the last chunk stays unused while the run lives. Free with gmm_vm_free_run() only, whole.
 * O(pages).
 *
 * Returns: as gmm_vm_alloc(); MEM_ERR_HOST_MEMORY also when no gap is long enough
 */
MemStatus gmm_vm_alloc_run(GmmVm *vm, uint64_t n_pages, PageId *ret_first);

/**
 * gmm_vm_free_run:
 *
 * Returns: MEM_OK; MEM_ERR_BAD_PAGE_ID if no run starts at @first, MEM_ERR_NOT_OWNER,
 *   MEM_ERR_INVALID_PARAMETER if @n_pages is not its length
 */
MemStatus gmm_vm_free_run(GmmVm *vm, PageId first, uint64_t n_pages);

/**
 * gmm_vm_free_pages:
 *
 * Private pages of this machine go back to their chunk; of a shared page this machine's reference
 * goes, and the page with the last one. All entries are checked before the first is freed: a bad
 * one (a private page twice within @ids too) refuses the whole call. A shared page may stand in
 * @ids as often as this machine has references to it.
 *
 * Returns: MEM_OK, MEM_ERR_BAD_PAGE_ID, MEM_ERR_NOT_OWNER, MEM_ERR_PAGE_ALREADY_FREE,
 *   MEM_ERR_FREE_TOO_MUCH (more than @account holds, or a page charged to another account),
 *   MEM_ERR_WRONG_TYPE (a page of a run)
 */
MemStatus gmm_vm_free_pages(GmmVm *vm, GmmAccount account, const PageId *ids, uint32_t n_ids);

/**
 * gmm_vm_set_guest_frame:
 * @gpa: guest-physical page now backed by private page @id, or MEM_GPHYS_NIL for one that must
 *   never be shared; kept for diagnosis and for the share scan
 *
 * Returns: MEM_OK, MEM_ERR_OUT_OF_RANGE (@gpa), MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_PRIVATE,
 *   MEM_ERR_NOT_OWNER
 */
MemStatus gmm_vm_set_guest_frame(GmmVm *vm, PageId id, GPhys gpa);

/**
 * gmm_vm_share_page:
 *
 * Turns this machine's private page into a shared one with one reference (charged to BASE as
 * before).
 *
 * Returns: MEM_OK, MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_PRIVATE, MEM_ERR_NOT_OWNER,
 *   MEM_ERR_WRONG_TYPE (charged to another account)
 */
MemStatus gmm_vm_share_page(GmmVm *vm, PageId id);

/**
 * gmm_vm_ref_shared:
 *
 * One more reference to a shared page, charged to this machine's BASE account.
 *
 * Returns: MEM_OK, MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_SHARED, MEM_ERR_ACCOUNT_LIMIT,
 *   MEM_ERR_REFERENCE_OVERFLOW
 */
MemStatus gmm_vm_ref_shared(GmmVm *vm, PageId id);

/**
 * gmm_vm_unshare_page:
 *
 * The other way: a shared page with one reference, this machine's, is its private page again, so
 * that a write needs no copy.
 *
 * Returns: MEM_OK, MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_SHARED, MEM_ERR_IN_USE (others have
 *   references too: copy)
 */
MemStatus gmm_vm_unshare_page(GmmVm *vm, PageId id);

/**
 * gmm_vm_recharge:
 *
 * Moves one page of this machine (private, or one of its references to a shared page) from one
 * account to another.
 *
 * Returns: MEM_OK, MEM_ERR_BAD_PAGE_ID, MEM_ERR_NOT_OWNER, MEM_ERR_FREE_TOO_MUCH (not charged to
 *   @from), MEM_ERR_WRONG_TYPE (a page of a run), MEM_ERR_ACCOUNT_LIMIT (no room in @to)
 */
MemStatus gmm_vm_recharge(GmmVm *vm, PageId id, GmmAccount from, GmmAccount to);

/* ---- placed pages: neighbours of a 2 MiB run of the guest as neighbours on the host */

/**
 * gmm_vm_alloc_placed:
 * @chunk: (inout): the chunk of the run, as an earlier call gave it: an opaque number; 0: none yet
 * @index: 0 to 511, the page's place: the id is @index modulo 512
 *
 * One page at a fixed place of a chunk that belongs to the run alone. Charged to BASE. It is freed
 * as other pages are; the chunk lives while any of its pages does. A number whose chunk has gone
 * counts as 0, and @chunk is changed. At most three quarters of the arena go to placed chunks.
 *
 * Returns: as gmm_vm_alloc(); MEM_ERR_IN_USE if the place is taken; MEM_ERR_HOST_MEMORY if there is
 *   no whole chunk: take a page from anywhere instead
 */
MemStatus gmm_vm_alloc_placed(GmmVm *vm, uint32_t *chunk, unsigned index, GmmHandyPage *ret_page);

/* Does the chunk that gmm_vm_alloc_placed() gave this machine by that number still live? */
bool gmm_chunk_is_placed(GmmVm *vm, uint32_t chunk);

/* ---- sharing by content */

typedef enum GmmShareResult {
    GMM_SHARE_NOTED,     /* the first of its kind: remembered */
    GMM_SHARE_PUBLISHED, /* not the first: @id is a shared page now, for others to find */
    GMM_SHARE_MERGED,    /* an equal shared page exists: it has one more reference */
} GmmShareResult;

/**
 * gmm_vm_share_offer:
 * @id: a private page of this machine, in BASE, that nobody writes during the call
 * @hash: xxh3 of its bytes
 * @ret_id: for MERGED: the shared page; the caller now shows it and frees @id
 *
 * Equal means that all 4096 bytes are.
 *
 * Returns: MEM_OK; MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_PRIVATE, MEM_ERR_NOT_OWNER,
 *   MEM_ERR_WRONG_TYPE, MEM_ERR_ACCOUNT_LIMIT (for the moment both are charged)
 */
MemStatus gmm_vm_share_offer(GmmVm *vm, PageId id, uint64_t hash, GmmShareResult *ret_result,
                             PageId *ret_id);

/**
 * gmm_vm_share_image:
 * @bytes: 4096 bytes that do not lie in the arena
 *
 * A shared page with these bytes, the same for all who ask, with a reference charged to BASE: ROM
 * and loaded files are shared from the start.
 */
MemStatus gmm_vm_share_image(GmmVm *vm, const void *bytes, PageId *ret_id);

/**
 * gmm_share_scan:
 * @n_pages: to look at, of all machines that allow sharing (pgm_set_sharing()), in turn
 *
 * Each machine looks at its own pages on its own thread, in slices; machines that are not running
 * are scanned before this returns. A page must be found unwritten twice before it is offered.
 *
 * Returns: the number of pages looked at before returning; the rest is queued
 */
uint64_t gmm_share_scan(Gmm *gmm, uint64_t n_pages);

/**
 * gmm_compact:
 * @n_pages: most pages to move
 *
 * Moves private, unlocked pages of RAM out of sparse chunks, so that chunks can go back to the
 * host. Slices and threads as with gmm_share_scan().
 *
 * Returns: pages moved before returning
 */
uint64_t gmm_compact(Gmm *gmm, uint64_t n_pages);

/* ---- ballooning and pressure */

typedef enum GmmPriority { GMM_PRIORITY_LOW, GMM_PRIORITY_NORMAL, GMM_PRIORITY_HIGH } GmmPriority;
void gmm_vm_set_priority(GmmVm *vm, GmmPriority priority); /* default: normal */
GmmPriority gmm_vm_priority(GmmVm *vm);

/**
 * GmmBalloonFunc:
 * @n_wanted: pages the process is short of
 *
 * Pages are wanted: the embedder may give some of this machine's back (pgm_balloon_inflate(), on
 * the machine's thread or by pgm_external_call()) or free others. Called without locks, on the
 * thread of whichever machine needs pages.
 * It must not end the machine. What it allocates itself asks nobody, and a machine that is asking
 * is not asked by others meanwhile (only by itself), so waiting for this machine's thread in here
 * is safe.
 *
 * Returns: pages given back
 */
typedef uint64_t (*GmmBalloonFunc)(GmmVm *vm, uint64_t n_wanted, void *user);

/* When the global limit or the host refuses pages, machines are asked, lowest priority first (the
 * one that needs them too, as the last of its priority), until enough were given; then the
 * allocation is tried once more. NULL: never asked.
 * Changing or clearing the function does not wait for a call that runs already, on whichever
 * thread: it may go on until gmm_vm_free(), which waits for it. Who frees @user earlier counts the
 * calls that are inside the function, and waits for none to be. gmm_vm_alloc_placed() asks at the
 * global limit only: without a whole chunk its caller takes a page from anywhere. */
void gmm_vm_set_balloon_func(GmmVm *vm, GmmBalloonFunc func, void *user);

/**
 * gmm_vm_balloon:
 * @delta: pages ballooned (positive) or deflated. The pages themselves are freed or ZERO.
 *
 * Returns: MEM_OK; MEM_ERR_ACCOUNT_LIMIT if BASE would hold more than is reserved;
 *   MEM_ERR_FREE_TOO_MUCH if more would be deflated than is ballooned
 */
MemStatus gmm_vm_balloon(GmmVm *vm, int64_t delta);

/* The machines, in order of creation; NULL past the end. For info items. */
const char *gmm_vm_name_at(Gmm *gmm, unsigned index, GmmVmStats *ret_stats);

/* What GMM knows of a page; false if @id names none. For the checker and for info items. */
bool gmm_page_query(Gmm *gmm, PageId id, GmmPageState *ret_state, GmmVm **ret_owner, GPhys *ret_gpa,
                    uint32_t *ret_refs);

#pragma GCC visibility pop
