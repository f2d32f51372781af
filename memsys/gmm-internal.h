/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the page allocator: chunks, their lists, page records, accounts.
 *
 *   arena    | 0: zero page, rest unused | chunk 1 | ... | chunk n_committed - 1 | untouched
 *
 *   records  one 8-byte word a page, 512 of them (one host page) a chunk; reserved like the arena
 *
 *   chunks   one GmmChunk a chunk, zeros until the chunk is first used
 *
 * All three are address ranges reserved once, so a new Gmm costs no memory in proportion to its
 * arena and nothing here allocates from the heap while a guest runs. Chunks are committed
 * in order, so the committed part is one host mapping however often chunks come and go.
 *
 * A page record by its state (top two bits); a word of zeros is a FREE page never used:
 *   FREE      dirty 1 (bit 32) | next free page 10 (bits 9..0), GMM_NO_INDEX ends the list
 *   PRIVATE   account 2 (61..60) | owner 19 (59..41) | guest frame 41 (40..0), all ones: none
 *   SHARED    published 1 (61) | low bits of the hash 29 (60..32) | references 32 (31..0)
 *   CLAIMED   a PRIVATE page met once by the gmm_vm_free_pages() call that is running
 *
 * Invariants (gmm_verify() checks them):
 * 1. A chunk is NONE (no memory; in gmm->released once committed), SPARE (wholly free), OWNED (in
 *    a list of its machine's set), ORPHAN (machine gone, shared or foreign pages left), part of a
 *    RUN or PLACED (in its machine's list of these).
 * 2. An OWNED or ORPHAN chunk is in list gmm_list_of(n_free) of its set and is not wholly free.
 * 3. n_free + n_private + n_shared = 512; the free pages of a chunk are its LIFO list plus the
 *    pages from n_fresh up, whose records are zero.
 * 4. A free page that is not dirty holds zeros.
 * 5. vm->n_foreign counts private pages in chunks the machine does not own.
 * 6. A PLACED chunk has no list of free pages: a page's own record says that it is free. It is not
 *    wholly free.
 * 7. A published page is in the content table once (gmm-content.c), and no other page is.
 *
 * Everything is guarded by gmm->lock; functions here expect it held. gmm->lock may be taken under a
 * PGM lock, never the other way round.
 */
#pragma once

#include "memsys/gmm.h"
#include "memsys/os.h"

#include <pthread.h>

#define GMM_ARENA_DEFAULT (UINT64_C(1) << 40)
#define GMM_ARENA_LEAST (UINT64_C(64) << 20)
#define GMM_ARENA_MOST (UINT64_C(1) << 44) /* what a 32-bit page id can name */
#define GMM_MAX_SPARE 2
#define GMM_MAX_ALLOC (UINT32_C(1) << 20)
#define GMM_MAX_VMS (UINT32_C(1) << 19)
#define GMM_NO_CHUNK 0u /* chunk 0 holds the zero page and is in no list */
#define GMM_NO_INDEX MEM_CHUNK_PAGES
#define GMM_FRAME_NIL ((UINT64_C(1) << 41) - 1)

/* List 0: full chunks; list i: (i - 1) * 16 + 1 to i * 16 free pages. */
#define GMM_N_LISTS 33
#define GMM_LIST_STEP 16

typedef enum GmmChunkKind {
    GMM_CHUNK_NONE,
    GMM_CHUNK_SPARE,
    GMM_CHUNK_OWNED,
    GMM_CHUNK_ORPHAN,
    GMM_CHUNK_RUN,
    GMM_CHUNK_PLACED,
    GMM_N_CHUNK_KINDS
} GmmChunkKind;

typedef struct GmmChunk {
    GmmVm *owner;        /* OWNED, RUN and PLACED */
    uint64_t run_pages;  /* first chunk of a RUN: its length; else 0 */
    uint32_t prev, next; /* neighbours in the list it is in */
    uint16_t n_free, n_private, n_shared;
    uint16_t free_head; /* LIFO of used and freed pages */
    uint16_t n_fresh;   /* pages from here up were never taken; MEM_CHUNK_PAGES: none */
    uint16_t life;      /* counts the times it was PLACED; kept over all else */
    uint8_t kind;       /* GmmChunkKind */
    uint8_t round;      /* of vm->compact_round: its pages were offered then */
} GmmChunk;

typedef struct GmmList {
    uint32_t head;
    uint32_t n;
} GmmList;

/* Chunks one machine may take pages from, by fullness. */
typedef struct GmmSet {
    GmmList lists[GMM_N_LISTS];
    uint64_t occupied; /* bit i: lists[i] is not empty */
    uint64_t n_free;   /* sum over the members */
} GmmSet;

struct GmmVm {
    Gmm *gmm;
    char *name;
    uint32_t handle; /* index in gmm->vms, and owner in page records */
    bool has_reservation;
    GmmPolicy policy;
    uint64_t reserved[GMM_N_ACCOUNTS];
    uint64_t allocated[GMM_N_ACCOUNTS]; /* private pages and shared references */
    uint64_t private_pages;
    uint64_t shared_pages; /* references, and of these by account: */
    uint64_t shared_in[GMM_N_ACCOUNTS];
    uint64_t ballooned_pages;
    uint64_t n_foreign;
    uint64_t promise; /* NO_OVERCOMMIT: reserved and not yet private */
    GmmSet set;
    GmmList runs; /* their first chunks */
    GmmList placed;

    /* gmm-compact.c: where sparse pages were last looked for. */
    uint32_t compact_chunk; /* GMM_NO_CHUNK: between two */
    uint16_t compact_index;
    uint8_t compact_round; /* 1 to 255 */

    /* Calls out of GMM, without its lock. A machine goes when none runs. */
    GmmPriority priority;
    GmmBalloonFunc balloon_func;
    void *balloon_user;
    const struct GmmVmOps *ops;
    void *ops_user;
    unsigned n_calls;   /* into this machine that run now */
    unsigned n_working; /* of these: to ops */
    bool ending;        /* no further ones begin */
    bool asking;        /* it needs pages: balloon functions are being called, on thread asker */
    pthread_t asker;
};

/* What pages were offered of late, by hash: a second page of a kind is worth publishing. */
typedef struct GmmHint {
    PageId id;
    uint32_t tag; /* high half of the hash */
} GmmHint;

/* Published pages by hash: chains of bounded length. Mapped when first wanted. */
typedef struct GmmContent {
    PageId *heads; /* by bucket; 0 ends a chain */
    PageId *next;  /* by page id */
    GmmHint *hints;
    uint32_t bucket_mask, hint_mask; /* one less than a power of two */
    size_t heads_len, next_len, hints_len;
    uint64_t n_pages;
} GmmContent;

struct Gmm {
    pthread_mutex_t lock; /* not a GMutex: ThreadSanitizer does not see into GLib's */
    pthread_cond_t idle;  /* some machine's n_calls became less */
    const MemOs *os;

    /* Fixed for life. */
    uint8_t *arena;
    uint64_t *records;
    GmmChunk *chunks;
    uint32_t n_arena_chunks;
    void *arena_map; /* as reserved, before alignment to a chunk */
    size_t arena_map_len, records_len, chunks_len;

    uint32_t n_committed; /* chunks [0, n_committed) have accessible memory */
    GmmList spare;        /* wholly free, memory kept */
    GmmList released;     /* committed once, memory given back */
    GmmSet orphans;
    uint64_t n_freed_chunks;
    uint64_t n_failed_discards; /* the host refused to take memory back: more than two spares */

    uint64_t max;
    uint64_t reserved;
    uint64_t promised; /* sum of the machines' promises */
    uint64_t allocated;
    uint64_t shared;
    uint64_t duplicates;
    uint64_t ballooned;
    uint64_t left_behind; /* shared references of machines that ended */
    GPtrArray *vms;       /* by handle; NULL where a machine ended */
    GPtrArray *by_age;    /* the same in order of creation, without gaps */
    uint32_t n_vms;
    uint32_t n_placed;     /* chunks */
    uint32_t work_next[2]; /* by GmmWork: handle of the machine whose turn is next */
    GmmContent content;

    /* So far. */
    uint64_t share_offers, share_merged, share_copied;
    uint64_t moved;
    uint64_t balloon_calls;
};

/* ---- the lock: g_autoptr(GmmLocked) locked = gmm_lock(gmm) holds it to the end of the block */
typedef Gmm GmmLocked;

static inline GmmLocked *gmm_lock(Gmm *gmm)
{
    pthread_mutex_lock(&gmm->lock);
    return gmm;
}

static inline void gmm_unlock(GmmLocked *gmm)
{
    pthread_mutex_unlock(&gmm->lock);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GmmLocked, gmm_unlock)

/* ---- page records (see the drawing above) */
enum { GMM_REC_FREE, GMM_REC_PRIVATE, GMM_REC_SHARED, GMM_REC_CLAIMED };
#define GMM_REC_STATE_SHIFT 62
#define GMM_REC_ACCOUNT_SHIFT 60
#define GMM_REC_OWNER_SHIFT 41
#define GMM_REC_DIRTY (UINT64_C(1) << 32)

static inline unsigned gmm_rec_state(uint64_t rec)
{
    return (unsigned)(rec >> GMM_REC_STATE_SHIFT);
}

static inline uint64_t gmm_rec_free(uint32_t next, bool dirty)
{
    return (dirty ? GMM_REC_DIRTY : 0) | next;
}

static inline uint32_t gmm_rec_next(uint64_t rec)
{
    return (uint32_t)(rec & 0x3ff);
}

static inline uint64_t gmm_rec_private(GmmAccount account, uint32_t owner, uint64_t frame)
{
    return (UINT64_C(1) << GMM_REC_STATE_SHIFT) | ((uint64_t)account << GMM_REC_ACCOUNT_SHIFT) |
           ((uint64_t)owner << GMM_REC_OWNER_SHIFT) | frame;
}

static inline GmmAccount gmm_rec_account(uint64_t rec)
{
    return (GmmAccount)((rec >> GMM_REC_ACCOUNT_SHIFT) & 3);
}

static inline uint32_t gmm_rec_owner(uint64_t rec)
{
    return (uint32_t)(rec >> GMM_REC_OWNER_SHIFT) & (GMM_MAX_VMS - 1);
}

static inline uint64_t gmm_rec_frame(uint64_t rec)
{
    return rec & GMM_FRAME_NIL;
}

static inline uint64_t gmm_rec_shared(uint32_t refs)
{
    return (UINT64_C(2) << GMM_REC_STATE_SHIFT) | refs;
}

static inline uint32_t gmm_rec_refs(uint64_t rec)
{
    return (uint32_t)rec;
}

static inline uint64_t gmm_rec_with_refs(uint64_t rec, uint32_t refs)
{
    return (rec >> 32 << 32) | refs;
}

#define GMM_REC_HASH_BITS 29
#define GMM_REC_PUBLISHED (UINT64_C(1) << 61)

static inline uint32_t gmm_rec_hash(uint64_t rec)
{
    return (uint32_t)(rec >> 32) & ((UINT32_C(1) << GMM_REC_HASH_BITS) - 1);
}

static inline bool gmm_rec_is_published(uint64_t rec)
{
    return gmm_rec_state(rec) == GMM_REC_SHARED && (rec & GMM_REC_PUBLISHED) != 0;
}

static inline uint64_t gmm_rec_publish(uint64_t rec, uint64_t hash)
{
    uint64_t low = hash & ((UINT64_C(1) << GMM_REC_HASH_BITS) - 1);

    return gmm_rec_shared(gmm_rec_refs(rec)) | GMM_REC_PUBLISHED | low << 32;
}

/* ---- addresses */
static inline uint32_t gmm_chunk_id(const Gmm *gmm, const GmmChunk *chunk)
{
    return (uint32_t)(chunk - gmm->chunks);
}

static inline uint32_t gmm_page_index(PageId id)
{
    return id % MEM_CHUNK_PAGES;
}

static inline uint8_t *gmm_chunk_bytes(const Gmm *gmm, uint32_t chunk_id)
{
    return gmm->arena + chunk_id * MEM_CHUNK_SIZE;
}

static inline uint8_t *gmm_page_bytes(const Gmm *gmm, PageId id)
{
    return gmm->arena + ((uint64_t)id << MEM_PAGE_SHIFT);
}

static inline uint64_t *gmm_chunk_records(const Gmm *gmm, uint32_t chunk_id)
{
    return gmm->records + (uint64_t)chunk_id * MEM_CHUNK_PAGES;
}

/* ---- gmm.c */
Gmm *gmm_new_on(const MemOs *os, uint64_t arena_size, GError **error);

/* ---- gmm-arena.c */
bool gmm_arena_init(Gmm *gmm, uint64_t size, GError **error);
void gmm_arena_clear(Gmm *gmm);
/* Makes the next @n_chunks accessible; GMM_NO_CHUNK if the arena or the host has no more. */
uint32_t gmm_arena_commit(Gmm *gmm, uint32_t n_chunks);
/* Gives the memory of wholly free chunks back to the host; false if it refuses, nothing changed. */
bool gmm_arena_discard(Gmm *gmm, uint32_t chunk_id, uint32_t n_chunks);

/* ---- gmm-chunk.c */
unsigned gmm_list_of(unsigned n_free);
void gmm_list_push(Gmm *gmm, GmmList *list, GmmChunk *chunk);
void gmm_list_remove(Gmm *gmm, GmmList *list, GmmChunk *chunk);
void gmm_set_link(Gmm *gmm, GmmSet *set, GmmChunk *chunk);
void gmm_set_unlink(Gmm *gmm, GmmSet *set, GmmChunk *chunk);
/* The fullest chunk with a free page; NULL if the set has none. */
GmmChunk *gmm_set_fullest(Gmm *gmm, const GmmSet *set);
/* A wholly free chunk in no list: spare, else released, else new. NULL if there is none. */
GmmChunk *gmm_chunk_acquire(Gmm *gmm);
/* The chunk of @id, or NULL if no page of that id exists. */
GmmChunk *gmm_chunk_lookup(Gmm *gmm, PageId id);
/* A wholly free chunk in no list goes to the spares or back to the host. */
void gmm_chunk_retire(Gmm *gmm, GmmChunk *chunk);
/* Takes the next free page of a chunk in a set; its record is left for the caller to write. */
PageId gmm_chunk_take(Gmm *gmm, GmmChunk *chunk, bool *ret_zeroed);
/* Puts a page back; a chunk that becomes wholly free is retired. */
void gmm_chunk_put(Gmm *gmm, GmmChunk *chunk, uint32_t index, bool dirty);
/* Pages to take that are in no list: a chunk that is to have all of them in its free list. */
void gmm_chunk_relist(Gmm *gmm, GmmChunk *chunk);
/* Sets all but what a chunk keeps for life. */
void gmm_chunk_renew(GmmChunk *chunk, GmmChunk to);

/* ---- gmm-account.c: the only code that changes these counters */
void gmm_account_reserve(GmmVm *vm, const uint64_t *reserved);
bool gmm_account_has_room(const GmmVm *vm, GmmAccount account, uint64_t n_pages);
bool gmm_account_fits_limit(const GmmVm *vm, uint64_t n_pages);
void gmm_account_alloc(GmmVm *vm, GmmAccount account, uint64_t n_pages);
void gmm_account_free(GmmVm *vm, GmmAccount account, uint64_t n_pages);
/* A private page becomes a shared one with one reference. */
void gmm_account_share(GmmVm *vm);
void gmm_account_ref(GmmVm *vm);
void gmm_account_unref(GmmVm *vm, GmmAccount account, bool last);
/* A shared page with one reference, charged to BASE, becomes a private one. */
void gmm_account_unshare(GmmVm *vm);
void gmm_account_recharge(GmmVm *vm, GmmAccount from, GmmAccount to, bool shared);
void gmm_account_balloon(GmmVm *vm, int64_t delta);
void gmm_vm_stats_locked(const GmmVm *vm, GmmVmStats *ret_stats);
/* The machine ends: its reservation goes; references it did not give back are left behind. */
void gmm_account_end(GmmVm *vm);
/* A shared page goes whose references were all left behind. */
void gmm_account_drop_shared(Gmm *gmm, uint32_t refs);

/* ---- gmm-content.c */
#define GMM_CHAIN_MAX 64 /* pages in one bucket: what a lookup may cost */
/* Maps the tables if need be; false if the host does not. */
bool gmm_content_ready(Gmm *gmm);
void gmm_content_clear(Gmm *gmm);
/* The published page with these bytes that can have one more reference; MEM_ZERO_PAGE_ID: none. */
PageId gmm_content_find(const Gmm *gmm, uint64_t hash, const void *bytes);
/* Publishes a shared page; for which there must be room. */
bool gmm_content_has_room(const Gmm *gmm, uint64_t hash);
void gmm_content_add(Gmm *gmm, PageId id, uint64_t hash);
/* Of a page that may be published: it goes, or its bytes are going to change. */
void gmm_content_remove(Gmm *gmm, PageId id);
unsigned gmm_content_verify(Gmm *gmm, uint64_t n_published, GString *report);

/* ---- gmm-placed.c */
/* Puts back a page of a PLACED chunk; true if the chunk is wholly free and in no list now. */
bool gmm_placed_put(Gmm *gmm, GmmChunk *chunk, uint32_t index, bool dirty);
/* The chunk is PLACED no longer: out of its machine's list, its free pages in a list of its own. */
void gmm_placed_dissolve(Gmm *gmm, GmmChunk *chunk);

/* ---- gmm-pressure.c */
/* Asks machines for pages if @status says that there are none. Returns: try again. Takes the lock.
 */
bool gmm_pressure_relieve(GmmVm *vm, MemStatus status, uint64_t n_pages);
/* Before a machine goes: no call into it begins any more, and none runs when this returns. */
void gmm_vm_quiesce(GmmVm *vm);

/* ---- gmm-work.c: slices of work for the machines, each on its own thread */

typedef enum GmmWork {
    GMM_WORK_SHARE,   /* look at pages, offer them (gmm_vm_share_offer()) */
    GMM_WORK_COMPACT, /* move pages (gmm_vm_sparse_pages(), gmm_vm_move_page()) */
    GMM_N_WORKS
} GmmWork;

/* Answer of work(): this machine takes no part (sharing is off); costs no budget. */
#define GMM_WORK_DECLINED UINT64_MAX

typedef struct GmmVmOps {
    /*
     * @n_pages: at most so many to look at or to move. Called on the thread of whoever called
     * gmm_share_scan() or gmm_compact(), without any lock of GMM's; must not wait for another
     * machine. Either does the work (machine not running) and returns the pages done, or queues it
     * to the machine's thread and returns 0.
     */
    uint64_t (*work)(void *user, GmmWork work, uint64_t n_pages);
} GmmVmOps;

/**
 * gmm_vm_set_ops:
 * @ops: (nullable): must outlive the machine; NULL: no work for it any more
 *
 * Waits until no call of the former ops runs, so that @user may go afterwards. gmm_vm_free() waits
 * in the same way.
 */
void gmm_vm_set_ops(GmmVm *vm, const GmmVmOps *ops, void *user);

/* ---- gmm-compact.c: for PGM's part of compaction, on the machine's own thread */

/**
 * gmm_vm_sparse_pages:
 * @max: entries there are in the arrays
 * @ret_ids, @ret_gpas: private BASE pages with a guest frame, and these frames
 *
 * Pages of one chunk of this machine that would be empty without them, the sparsest first, when the
 * machine's other chunks have room for all of them. Offers each page once a round: the next call
 * goes on behind, in the next sparsest chunk in the end. Shared pages stay where they are, and so
 * do chunks with any, or with pages of other machines; placed chunks take no part.
 *
 * The caller first tells where its handy pages went (pgm_handy_report()) and flushes what it is
 * freeing. It may find a page locked or @ret_gpas no longer true (RAM under an overlay keeps its
 * frame): it checks that its record at that address still has the id, else leaves the page alone.
 *
 * Returns: the number of pages; 0 ends the round, and the next call begins another
 */
uint32_t gmm_vm_sparse_pages(GmmVm *vm, uint32_t max, PageId *ret_ids, GPhys *ret_gpas);

/**
 * gmm_vm_move_page:
 * @id: a private page of this machine, not in a run; nobody writes it during the call
 * @ret_id: another page with the same bytes, account and guest frame, in a fuller chunk
 *
 * @id is free when this returns: the caller, on the machine's thread (and under the PGM lock if
 * others may come), puts the new id in its record and invalidates before anything else. Nothing
 * more is charged meanwhile, so no limit can refuse it.
 *
 * Returns: MEM_OK; MEM_ERR_BAD_PAGE_ID, MEM_ERR_PAGE_NOT_PRIVATE, MEM_ERR_NOT_OWNER,
 *   MEM_ERR_WRONG_TYPE (a run); MEM_ERR_LIMIT_REACHED: no room in another chunk of the machine
 */
MemStatus gmm_vm_move_page(GmmVm *vm, PageId id, PageId *ret_id);

/* ---- gmm-share.c */

/* The record of a private page of @vm. */
MemStatus gmm_find_private(GmmVm *vm, PageId id, GmmChunk **ret_chunk, uint64_t **ret_rec);
/* A private BASE page becomes a shared one; a shared one gets one more reference. */
void gmm_share_private(GmmVm *vm, GmmChunk *chunk, uint64_t *rec);
MemStatus gmm_ref_locked(GmmVm *vm, PageId id);

/* PGM copied @n shared pages because of writes; for the statistics only. */
void gmm_vm_note_copies(GmmVm *vm, uint64_t n);

/* ---- gmm.c */

/* gmm_vm_free() that says what was left: allocated by account, private, shared and ballooned. */
uint64_t gmm_vm_free_audited(GmmVm *vm, GmmVmStats *ret_left);

/* ---- gmm-free.c */
/* Frees this private page of @vm. */
void gmm_free_private(GmmVm *vm, GmmChunk *chunk, uint32_t index);

/* ---- gmm-run.c */
void gmm_run_free(GmmVm *vm, GmmChunk *first);
