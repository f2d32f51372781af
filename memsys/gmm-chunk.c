/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks: their lists by fullness, and taking and putting back single pages. Every operation is
 * O(1).
 *
 * Taking from the fullest chunk first lets the others empty out, so that they can go back to the
 * host. Freed pages are reused before fresh ones: they cost a clearing, not a page of the host's.
 */
#include "memsys/gmm-internal.h"

#include <string.h>

/* ---- lists */
unsigned gmm_list_of(unsigned n_free)
{
    return (n_free + GMM_LIST_STEP - 1) / GMM_LIST_STEP;
}

void gmm_list_push(Gmm *gmm, GmmList *list, GmmChunk *chunk)
{
    uint32_t id = gmm_chunk_id(gmm, chunk);

    chunk->prev = GMM_NO_CHUNK;
    chunk->next = list->head;
    if (list->head != GMM_NO_CHUNK) {
        gmm->chunks[list->head].prev = id;
    }
    list->head = id;
    list->n++;
}

void gmm_list_remove(Gmm *gmm, GmmList *list, GmmChunk *chunk)
{
    if (chunk->prev != GMM_NO_CHUNK) {
        gmm->chunks[chunk->prev].next = chunk->next;
    } else {
        list->head = chunk->next;
    }
    if (chunk->next != GMM_NO_CHUNK) {
        gmm->chunks[chunk->next].prev = chunk->prev;
    }
    chunk->prev = GMM_NO_CHUNK;
    chunk->next = GMM_NO_CHUNK;
    list->n--;
}

/* ---- sets */
void gmm_set_link(Gmm *gmm, GmmSet *set, GmmChunk *chunk)
{
    unsigned index = gmm_list_of(chunk->n_free);

    gmm_list_push(gmm, &set->lists[index], chunk);
    set->occupied |= UINT64_C(1) << index;
    set->n_free += chunk->n_free;
}

void gmm_set_unlink(Gmm *gmm, GmmSet *set, GmmChunk *chunk)
{
    unsigned index = gmm_list_of(chunk->n_free);

    gmm_list_remove(gmm, &set->lists[index], chunk);
    if (set->lists[index].n == 0) {
        set->occupied &= ~(UINT64_C(1) << index);
    }
    set->n_free -= chunk->n_free;
}

GmmChunk *gmm_set_fullest(Gmm *gmm, const GmmSet *set)
{
    uint64_t usable = set->occupied & ~UINT64_C(1);

    if (usable == 0) {
        return NULL;
    }
    return &gmm->chunks[set->lists[__builtin_ctzll(usable)].head];
}

/* The set a chunk takes part in, or NULL. */
static GmmSet *set_of(Gmm *gmm, GmmChunk *chunk)
{
    if (chunk->kind == GMM_CHUNK_OWNED) {
        return &chunk->owner->set;
    }
    return chunk->kind == GMM_CHUNK_ORPHAN ? &gmm->orphans : NULL;
}

/* Changes n_free of a chunk in a set, and its list with it. */
static void set_free_count(Gmm *gmm, GmmChunk *chunk, unsigned n_free)
{
    GmmSet *set = set_of(gmm, chunk);

    if (gmm_list_of(n_free) == gmm_list_of(chunk->n_free)) {
        set->n_free += n_free;
        set->n_free -= chunk->n_free;
        chunk->n_free = (uint16_t)n_free;
        return;
    }
    gmm_set_unlink(gmm, set, chunk);
    chunk->n_free = (uint16_t)n_free;
    gmm_set_link(gmm, set, chunk);
}

/* ---- whole chunks */
void gmm_chunk_renew(GmmChunk *chunk, GmmChunk to)
{
    to.life = chunk->life;
    *chunk = to;
}

GmmChunk *gmm_chunk_acquire(Gmm *gmm)
{
    GmmList *list = gmm->spare.n > 0 ? &gmm->spare : &gmm->released;

    if (list->n > 0) {
        GmmChunk *chunk = &gmm->chunks[list->head];

        gmm_list_remove(gmm, list, chunk);
        if (chunk->kind == GMM_CHUNK_SPARE) {
            return chunk; /* with its list of used pages */
        }
        gmm_chunk_renew(chunk, (GmmChunk) { .n_free = MEM_CHUNK_PAGES, .free_head = GMM_NO_INDEX });
        return chunk;
    }

    uint32_t id = gmm_arena_commit(gmm, 1);
    if (id == GMM_NO_CHUNK) {
        return NULL;
    }
    gmm->chunks[id] = (GmmChunk) { .n_free = MEM_CHUNK_PAGES, .free_head = GMM_NO_INDEX };
    return &gmm->chunks[id];
}

GmmChunk *gmm_chunk_lookup(Gmm *gmm, PageId id)
{
    uint32_t chunk_id = id / MEM_CHUNK_PAGES;

    if (chunk_id == GMM_NO_CHUNK || chunk_id >= gmm->n_committed ||
        gmm->chunks[chunk_id].kind == GMM_CHUNK_NONE) {
        return NULL;
    }
    return &gmm->chunks[chunk_id];
}

void gmm_chunk_retire(Gmm *gmm, GmmChunk *chunk)
{
    g_assert(chunk->n_free == MEM_CHUNK_PAGES);

    chunk->owner = NULL;
    if (gmm->spare.n < GMM_MAX_SPARE || !gmm_arena_discard(gmm, gmm_chunk_id(gmm, chunk), 1)) {
        chunk->kind = GMM_CHUNK_SPARE;
        gmm_list_push(gmm, &gmm->spare, chunk);
        return;
    }
    chunk->kind = GMM_CHUNK_NONE;
    gmm_list_push(gmm, &gmm->released, chunk);
    gmm->n_freed_chunks++;
}

/* ---- pages of a chunk */
PageId gmm_chunk_take(Gmm *gmm, GmmChunk *chunk, bool *ret_zeroed)
{
    uint32_t chunk_id = gmm_chunk_id(gmm, chunk);
    uint32_t index = chunk->free_head;

    if (index != GMM_NO_INDEX) {
        uint64_t rec = gmm_chunk_records(gmm, chunk_id)[index];

        chunk->free_head = (uint16_t)gmm_rec_next(rec);
        *ret_zeroed = (rec & GMM_REC_DIRTY) == 0;
    } else {
        index = chunk->n_fresh++;
        *ret_zeroed = true;
    }
    set_free_count(gmm, chunk, chunk->n_free - 1u);
    return chunk_id * MEM_CHUNK_PAGES + index;
}

void gmm_chunk_put(Gmm *gmm, GmmChunk *chunk, uint32_t index, bool dirty)
{
    uint64_t *records = gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk));

    if (chunk->kind == GMM_CHUNK_PLACED) {
        if (gmm_placed_put(gmm, chunk, index, dirty)) {
            gmm_chunk_retire(gmm, chunk);
        }
        return;
    }
    records[index] = gmm_rec_free(chunk->free_head, dirty);
    chunk->free_head = (uint16_t)index;
    set_free_count(gmm, chunk, chunk->n_free + 1u);

    if (chunk->n_free == MEM_CHUNK_PAGES) {
        gmm_set_unlink(gmm, set_of(gmm, chunk), chunk);
        gmm_chunk_retire(gmm, chunk);
    }
}

void gmm_chunk_relist(Gmm *gmm, GmmChunk *chunk)
{
    uint64_t *records = gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk));

    chunk->free_head = GMM_NO_INDEX;
    chunk->n_fresh = MEM_CHUNK_PAGES;
    for (uint32_t i = MEM_CHUNK_PAGES; i-- > 0;) {
        if (gmm_rec_state(records[i]) == GMM_REC_FREE) {
            records[i] = gmm_rec_free(chunk->free_head, (records[i] & GMM_REC_DIRTY) != 0);
            chunk->free_head = (uint16_t)i;
        }
    }
}
