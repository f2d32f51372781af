/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking pages back. A call is checked whole before the first page is freed: each private page is
 * marked CLAIMED and each shared one loses a reference, so that an entry met twice is seen; then
 * all marks are taken off again, and only a call without a bad entry goes on to free.
 */
#include "memsys/gmm-internal.h"

void gmm_free_private(GmmVm *vm, GmmChunk *chunk, uint32_t index)
{
    Gmm *gmm = vm->gmm;
    uint64_t rec = gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk))[index];

    gmm_account_free(vm, gmm_rec_account(rec), 1);
    vm->n_foreign -= chunk->owner != vm;
    chunk->n_private--;
    gmm_chunk_put(gmm, chunk, index, true);
}

static void free_page(GmmVm *vm, GmmAccount account, PageId id)
{
    Gmm *gmm = vm->gmm;
    GmmChunk *chunk = gmm_chunk_lookup(gmm, id);
    uint64_t *rec = &gmm->records[id];

    if (gmm_rec_state(*rec) == GMM_REC_PRIVATE) {
        gmm_free_private(vm, chunk, gmm_page_index(id));
        return;
    }

    bool last = gmm_rec_refs(*rec) == 1;

    gmm_account_unref(vm, account, last);
    if (last) {
        gmm_content_remove(gmm, id);
        chunk->n_shared--;
        gmm_chunk_put(gmm, chunk, gmm_page_index(id), true);
    } else {
        *rec = gmm_rec_with_refs(*rec, gmm_rec_refs(*rec) - 1);
    }
}

static MemStatus claim_private(GmmVm *vm, GmmAccount account, const GmmChunk *chunk, uint64_t *rec)
{
    if (gmm_rec_owner(*rec) != vm->handle) {
        return MEM_ERR_NOT_OWNER;
    }
    if (chunk->kind == GMM_CHUNK_RUN) {
        return MEM_ERR_WRONG_TYPE;
    }
    if (gmm_rec_account(*rec) != account) {
        return MEM_ERR_FREE_TOO_MUCH;
    }
    *rec |= (uint64_t)GMM_REC_CLAIMED << GMM_REC_STATE_SHIFT;
    return MEM_OK;
}

static MemStatus claim_shared(GmmVm *vm, GmmAccount account, uint64_t *rec, uint64_t *n_refs)
{
    /* Whose the references are is not recorded, only how many each machine has in each account. */
    if (*n_refs == vm->shared_in[account]) {
        return account == GMM_ACCOUNT_BASE ? MEM_ERR_NOT_OWNER : MEM_ERR_FREE_TOO_MUCH;
    }
    if (gmm_rec_refs(*rec) == 0) {
        return MEM_ERR_PAGE_ALREADY_FREE;
    }
    *rec = gmm_rec_with_refs(*rec, gmm_rec_refs(*rec) - 1);
    (*n_refs)++;
    return MEM_OK;
}

static MemStatus claim(GmmVm *vm, GmmAccount account, PageId id, uint64_t *n_refs)
{
    GmmChunk *chunk = gmm_chunk_lookup(vm->gmm, id);

    if (chunk == NULL) {
        return MEM_ERR_BAD_PAGE_ID;
    }

    uint64_t *rec = &vm->gmm->records[id];

    switch (gmm_rec_state(*rec)) {
    case GMM_REC_PRIVATE:
        return claim_private(vm, account, chunk, rec);
    case GMM_REC_SHARED:
        return claim_shared(vm, account, rec, n_refs);
    default: /* free, or claimed by an earlier entry */
        return MEM_ERR_PAGE_ALREADY_FREE;
    }
}

static void unclaim(Gmm *gmm, PageId id)
{
    uint64_t *rec = &gmm->records[id];

    if (gmm_rec_state(*rec) == GMM_REC_CLAIMED) {
        *rec &= ~(UINT64_C(1) << (GMM_REC_STATE_SHIFT + 1));
    } else {
        *rec = gmm_rec_with_refs(*rec, gmm_rec_refs(*rec) + 1);
    }
}

MemStatus gmm_vm_free_pages(GmmVm *vm, GmmAccount account, const PageId *ids, uint32_t n_ids)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    MemStatus status = MEM_OK;
    uint64_t n_refs = 0;
    uint32_t n_claimed = 0;

    g_assert((unsigned)account < GMM_N_ACCOUNTS);
    if (n_ids > vm->allocated[account]) {
        return MEM_ERR_FREE_TOO_MUCH;
    }
    while (status == MEM_OK && n_claimed < n_ids) {
        status = claim(vm, account, ids[n_claimed], &n_refs);
        n_claimed += status == MEM_OK;
    }
    for (uint32_t i = 0; i < n_claimed; i++) {
        unclaim(vm->gmm, ids[i]);
    }
    for (uint32_t i = 0; status == MEM_OK && i < n_ids; i++) {
        free_page(vm, account, ids[i]);
    }
    return status;
}
