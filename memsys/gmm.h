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

/* What GMM knows of a page; false if @id names none. For the checker and for info items. */
bool gmm_page_query(Gmm *gmm, PageId id, GmmPageState *ret_state, GmmVm **ret_owner, GPhys *ret_gpa,
                    uint32_t *ret_refs);

#pragma GCC visibility pop
