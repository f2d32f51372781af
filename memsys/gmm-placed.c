/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placed chunks: one chunk for one 2 MiB run of a guest, its pages taken where the guest touches
 * them, so that neighbours in the guest are neighbours on the host. O(1), but for the end of a
 * chunk, which sorts its 512 pages into a list again.
 *
 * What the caller keeps is the chunk's number and how often it was placed before: a number whose
 * chunk went meanwhile and serves another run is known as stale (almost always: the count has 9
 * bits. Two runs in one chunk would only be in each other's way).
 *
 *   number: life 9 (31..23) | chunk 23 (22..0)
 *
 * Sparse runs could use the arena up, a page or two in each chunk: a quarter of it is kept for
 * ordinary chunks.
 */
#include "memsys/gmm-internal.h"

#define CHUNK_BITS 23

G_STATIC_ASSERT(GMM_ARENA_MOST / MEM_CHUNK_SIZE <= UINT64_C(1) << CHUNK_BITS);

static uint32_t number_of(const Gmm *gmm, const GmmChunk *chunk)
{
    return (uint32_t)chunk->life << CHUNK_BITS | gmm_chunk_id(gmm, chunk);
}

/* The placed chunk of @vm by that number; NULL if there is none any more. */
static GmmChunk *find_placed(const GmmVm *vm, uint32_t number)
{
    uint32_t id = number & ((UINT32_C(1) << CHUNK_BITS) - 1);

    if (id == GMM_NO_CHUNK || id >= vm->gmm->n_committed) {
        return NULL;
    }

    GmmChunk *chunk = &vm->gmm->chunks[id];
    bool found = chunk->kind == GMM_CHUNK_PLACED && chunk->owner == vm &&
                 number_of(vm->gmm, chunk) == number;

    return found ? chunk : NULL;
}

static GmmChunk *place_chunk(GmmVm *vm)
{
    Gmm *gmm = vm->gmm;

    if (gmm->n_placed >= gmm->n_arena_chunks / 4 * 3) {
        return NULL;
    }

    GmmChunk *chunk = gmm_chunk_acquire(gmm);

    if (chunk != NULL) {
        chunk->kind = GMM_CHUNK_PLACED;
        chunk->owner = vm;
        chunk->life = (chunk->life + 1u) % (1u << (32 - CHUNK_BITS));
        chunk->free_head = GMM_NO_INDEX;
        chunk->n_fresh = MEM_CHUNK_PAGES;
        gmm_list_push(gmm, &vm->placed, chunk);
        gmm->n_placed++;
    }
    return chunk;
}

static void take_place(GmmVm *vm, GmmChunk *chunk, unsigned index, GmmHandyPage *ret_page)
{
    Gmm *gmm = vm->gmm;
    uint64_t *rec = &gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk))[index];

    ret_page->id = gmm_chunk_id(gmm, chunk) * MEM_CHUNK_PAGES + index;
    ret_page->zeroed = (*rec & GMM_REC_DIRTY) == 0;
    *rec = gmm_rec_private(GMM_ACCOUNT_BASE, vm->handle, GMM_FRAME_NIL);
    chunk->n_free--;
    chunk->n_private++;
    gmm_account_alloc(vm, GMM_ACCOUNT_BASE, 1);
}

static MemStatus alloc_placed(GmmVm *vm, uint32_t *number, unsigned index, GmmHandyPage *ret_page)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *chunk = find_placed(vm, *number);

    if (chunk != NULL &&
        gmm_rec_state(gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk))[index]) != GMM_REC_FREE) {
        return MEM_ERR_IN_USE;
    }
    if (!gmm_account_has_room(vm, GMM_ACCOUNT_BASE, 1)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }
    if (!gmm_account_fits_limit(vm, 1)) {
        return MEM_ERR_GLOBAL_LIMIT;
    }
    if (chunk == NULL) {
        chunk = place_chunk(vm);
        if (chunk == NULL) {
            return MEM_ERR_HOST_MEMORY;
        }
        *number = number_of(gmm, chunk);
    }
    take_place(vm, chunk, index, ret_page);
    return MEM_OK;
}

MemStatus gmm_vm_alloc_placed(GmmVm *vm, uint32_t *chunk, unsigned index, GmmHandyPage *ret_page)
{
    g_assert(index < MEM_CHUNK_PAGES);

    MemStatus status = alloc_placed(vm, chunk, index, ret_page);

    /* Without a whole chunk the caller takes a page from anywhere: nobody need give any for that.
     */
    if (status == MEM_ERR_GLOBAL_LIMIT && gmm_pressure_relieve(vm, status, 1)) {
        status = alloc_placed(vm, chunk, index, ret_page);
    }
    return status;
}

bool gmm_chunk_is_placed(GmmVm *vm, uint32_t chunk)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    return find_placed(vm, chunk) != NULL;
}

void gmm_placed_dissolve(Gmm *gmm, GmmChunk *chunk)
{
    gmm_list_remove(gmm, &chunk->owner->placed, chunk);
    gmm->n_placed--;
    gmm_chunk_relist(gmm, chunk);
}

bool gmm_placed_put(Gmm *gmm, GmmChunk *chunk, uint32_t index, bool dirty)
{
    gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk))[index] = gmm_rec_free(0, dirty);
    chunk->n_free++;
    if (chunk->n_free < MEM_CHUNK_PAGES) {
        return false;
    }
    gmm_placed_dissolve(gmm, chunk);
    return true;
}
