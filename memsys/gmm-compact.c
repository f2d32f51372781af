/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GMM's part of compaction: which pages of a machine are worth moving, and the move.
 *
 * A chunk can be emptied when the free pages of the machine's other chunks suffice for its own used
 * ones, that is when all its chunks together have 512 free pages or more, whichever chunk it is;
 * the sparsest is the cheapest. Pages go only to chunks at least as full as the one they leave: so
 * every move makes full chunks fuller, and moving comes to an end even where locked pages keep
 * every chunk from going.
 */
#include "memsys/gmm-internal.h"

#include <string.h>

/* Would the chunk be empty without pages that sparse pages may be? */
static bool can_empty(const GmmVm *vm, const GmmChunk *chunk)
{
    const uint64_t *records = gmm_chunk_records(vm->gmm, gmm_chunk_id(vm->gmm, chunk));
    unsigned n_own = 0;

    if (chunk->n_shared != 0) {
        return false;
    }
    for (uint32_t i = 0; i < MEM_CHUNK_PAGES; i++) {
        n_own += gmm_rec_state(records[i]) == GMM_REC_PRIVATE &&
                 gmm_rec_owner(records[i]) == vm->handle &&
                 gmm_rec_account(records[i]) == GMM_ACCOUNT_BASE &&
                 gmm_rec_frame(records[i]) != GMM_FRAME_NIL;
    }
    return n_own == chunk->n_private;
}

/* The sparsest chunk not yet looked at in this round that can be emptied. */
static uint32_t find_sparse(GmmVm *vm)
{
    Gmm *gmm = vm->gmm;

    /* Full chunks, list 0, are no use. */
    for (unsigned i = GMM_N_LISTS - 1; i > 0; i--) {
        uint32_t id = vm->set.lists[i].head;

        for (; id != GMM_NO_CHUNK; id = gmm->chunks[id].next) {
            GmmChunk *chunk = &gmm->chunks[id];

            if (chunk->round != vm->compact_round) {
                chunk->round = vm->compact_round;
                if (can_empty(vm, chunk)) {
                    return id;
                }
            }
        }
    }
    return GMM_NO_CHUNK;
}

static uint32_t collect(GmmVm *vm, uint32_t max, PageId *ret_ids, GPhys *ret_gpas)
{
    const uint64_t *records = gmm_chunk_records(vm->gmm, vm->compact_chunk);
    uint32_t n = 0;

    for (; n < max && vm->compact_index < MEM_CHUNK_PAGES; vm->compact_index++) {
        uint64_t rec = records[vm->compact_index];

        if (gmm_rec_state(rec) == GMM_REC_PRIVATE && gmm_rec_owner(rec) == vm->handle &&
            gmm_rec_account(rec) == GMM_ACCOUNT_BASE && gmm_rec_frame(rec) != GMM_FRAME_NIL) {
            ret_ids[n] = vm->compact_chunk * MEM_CHUNK_PAGES + vm->compact_index;
            ret_gpas[n++] = gmm_rec_frame(rec) << MEM_PAGE_SHIFT;
        }
    }
    return n;
}

uint32_t gmm_vm_sparse_pages(GmmVm *vm, uint32_t max, PageId *ret_ids, GPhys *ret_gpas)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    while (max > 0 && vm->set.n_free >= MEM_CHUNK_PAGES) {
        if (vm->compact_chunk == GMM_NO_CHUNK) {
            vm->compact_chunk = find_sparse(vm);
            vm->compact_index = 0;
        }
        if (vm->compact_chunk == GMM_NO_CHUNK) {
            break;
        }

        const GmmChunk *chunk = &gmm->chunks[vm->compact_chunk];
        bool ours = chunk->kind == GMM_CHUNK_OWNED && chunk->owner == vm;
        uint32_t n = ours ? collect(vm, max, ret_ids, ret_gpas) : 0;

        if (n > 0) {
            return n;
        }
        vm->compact_chunk = GMM_NO_CHUNK;
    }
    vm->compact_chunk = GMM_NO_CHUNK;
    vm->compact_round = vm->compact_round == UINT8_MAX ? 1 : (uint8_t)(vm->compact_round + 1);
    return 0;
}

/* The fullest chunk of the machine with room for a page that leaves @from. */
static GmmChunk *find_dense(const GmmVm *vm, const GmmChunk *from)
{
    Gmm *gmm = vm->gmm;

    for (unsigned i = 1; i < GMM_N_LISTS; i++) {
        uint32_t id = vm->set.lists[i].head;

        if (id != GMM_NO_CHUNK && &gmm->chunks[id] == from) {
            id = from->next;
        }
        if (id != GMM_NO_CHUNK) {
            GmmChunk *chunk = &gmm->chunks[id];

            return chunk->n_free <= from->n_free ? chunk : NULL;
        }
    }
    return NULL;
}

MemStatus gmm_vm_move_page(GmmVm *vm, PageId id, PageId *ret_id)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *from, *to;
    uint64_t *rec;
    MemStatus status = gmm_find_private(vm, id, &from, &rec);
    bool zeroed;

    if (status != MEM_OK) {
        return status;
    }
    if (from->kind == GMM_CHUNK_RUN) {
        return MEM_ERR_WRONG_TYPE;
    }
    to = find_dense(vm, from);
    if (to == NULL) {
        return MEM_ERR_LIMIT_REACHED;
    }
    *ret_id = gmm_chunk_take(gmm, to, &zeroed);
    gmm->records[*ret_id] = *rec;
    to->n_private++;
    memcpy(gmm_page_bytes(gmm, *ret_id), gmm_page_bytes(gmm, id), (size_t)MEM_PAGE_SIZE);

    vm->n_foreign -= from->owner != vm;
    from->n_private--;
    gmm_chunk_put(gmm, from, gmm_page_index(id), true);
    gmm->moved++;
    return MEM_OK;
}
