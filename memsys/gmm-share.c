/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of single pages: guest frames, accounts, shared pages and their references.
 *
 * A shared page belongs to nobody: GMM counts its references, and how many references each machine
 * has, but not which machine has which.
 */
#include "memsys/gmm-internal.h"

MemStatus gmm_find_private(GmmVm *vm, PageId id, GmmChunk **ret_chunk, uint64_t **ret_rec)
{
    GmmChunk *chunk = gmm_chunk_lookup(vm->gmm, id);

    if (chunk == NULL) {
        return MEM_ERR_BAD_PAGE_ID;
    }

    uint64_t *rec = &vm->gmm->records[id];

    if (gmm_rec_state(*rec) != GMM_REC_PRIVATE) {
        return MEM_ERR_PAGE_NOT_PRIVATE;
    }
    if (gmm_rec_owner(*rec) != vm->handle) {
        return MEM_ERR_NOT_OWNER;
    }
    *ret_chunk = chunk;
    *ret_rec = rec;
    return MEM_OK;
}

MemStatus gmm_vm_set_guest_frame(GmmVm *vm, PageId id, GPhys gpa)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    GmmChunk *chunk;
    uint64_t *rec;

    if (gpa != MEM_GPHYS_NIL && gpa >= MEM_GPHYS_LIMIT) {
        return MEM_ERR_OUT_OF_RANGE;
    }

    MemStatus status = gmm_find_private(vm, id, &chunk, &rec);
    if (status == MEM_OK) {
        uint64_t frame = gpa == MEM_GPHYS_NIL ? GMM_FRAME_NIL : gpa >> MEM_PAGE_SHIFT;

        *rec = gmm_rec_private(gmm_rec_account(*rec), vm->handle, frame);
    }
    return status;
}

MemStatus gmm_vm_share_page(GmmVm *vm, PageId id)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    GmmChunk *chunk;
    uint64_t *rec;
    MemStatus status = gmm_find_private(vm, id, &chunk, &rec);

    if (status != MEM_OK) {
        return status;
    }
    if (gmm_rec_account(*rec) != GMM_ACCOUNT_BASE) {
        return MEM_ERR_WRONG_TYPE;
    }
    gmm_share_private(vm, chunk, rec);
    return MEM_OK;
}

void gmm_share_private(GmmVm *vm, GmmChunk *chunk, uint64_t *rec)
{
    *rec = gmm_rec_shared(1);
    chunk->n_private--;
    chunk->n_shared++;
    vm->n_foreign -= chunk->owner != vm;
    gmm_account_share(vm);
}

MemStatus gmm_vm_ref_shared(GmmVm *vm, PageId id)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    return gmm_ref_locked(vm, id);
}

MemStatus gmm_ref_locked(GmmVm *vm, PageId id)
{
    if (gmm_chunk_lookup(vm->gmm, id) == NULL) {
        return MEM_ERR_BAD_PAGE_ID;
    }

    uint64_t *rec = &vm->gmm->records[id];

    if (gmm_rec_state(*rec) != GMM_REC_SHARED) {
        return MEM_ERR_PAGE_NOT_SHARED;
    }
    if (!gmm_account_has_room(vm, GMM_ACCOUNT_BASE, 1)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }
    if (gmm_rec_refs(*rec) == UINT32_MAX) {
        return MEM_ERR_REFERENCE_OVERFLOW;
    }
    *rec = gmm_rec_with_refs(*rec, gmm_rec_refs(*rec) + 1);
    gmm_account_ref(vm);
    return MEM_OK;
}

MemStatus gmm_vm_unshare_page(GmmVm *vm, PageId id)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *chunk = gmm_chunk_lookup(gmm, id);

    if (chunk == NULL) {
        return MEM_ERR_BAD_PAGE_ID;
    }

    uint64_t *rec = &gmm->records[id];

    if (gmm_rec_state(*rec) != GMM_REC_SHARED) {
        return MEM_ERR_PAGE_NOT_SHARED;
    }
    if (gmm_rec_refs(*rec) != 1 || vm->shared_in[GMM_ACCOUNT_BASE] == 0) {
        return MEM_ERR_IN_USE;
    }
    gmm_content_remove(gmm, id); /* before its bytes change */
    *rec = gmm_rec_private(GMM_ACCOUNT_BASE, vm->handle, GMM_FRAME_NIL);
    chunk->n_shared--;
    chunk->n_private++;
    vm->n_foreign += chunk->owner != vm;
    gmm_account_unshare(vm);
    gmm->share_copied++;
    return MEM_OK;
}

void gmm_vm_note_copies(GmmVm *vm, uint64_t n)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    vm->gmm->share_copied += n;
}

/* Is the page, or one of its references, @vm's and charged to @account? */
static MemStatus check_charged(const GmmVm *vm, GmmAccount account, const GmmChunk *chunk,
                               uint64_t rec)
{
    switch (gmm_rec_state(rec)) {
    case GMM_REC_PRIVATE:
        if (gmm_rec_owner(rec) != vm->handle) {
            return MEM_ERR_NOT_OWNER;
        }
        if (chunk->kind == GMM_CHUNK_RUN) {
            return MEM_ERR_WRONG_TYPE;
        }
        return gmm_rec_account(rec) == account ? MEM_OK : MEM_ERR_FREE_TOO_MUCH;
    case GMM_REC_SHARED:
        if (vm->shared_pages == 0) {
            return MEM_ERR_NOT_OWNER;
        }
        return vm->shared_in[account] > 0 ? MEM_OK : MEM_ERR_FREE_TOO_MUCH;
    default:
        return MEM_ERR_BAD_PAGE_ID;
    }
}

MemStatus gmm_vm_recharge(GmmVm *vm, PageId id, GmmAccount from, GmmAccount to)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmChunk *chunk = gmm_chunk_lookup(gmm, id);

    g_assert((unsigned)from < GMM_N_ACCOUNTS && (unsigned)to < GMM_N_ACCOUNTS);
    if (chunk == NULL) {
        return MEM_ERR_BAD_PAGE_ID;
    }

    uint64_t *rec = &gmm->records[id];
    MemStatus status = check_charged(vm, from, chunk, *rec);

    if (status != MEM_OK || from == to) {
        return status;
    }
    if (!gmm_account_has_room(vm, to, 1)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }

    bool shared = gmm_rec_state(*rec) == GMM_REC_SHARED;

    if (!shared) {
        *rec = gmm_rec_private(to, vm->handle, gmm_rec_frame(*rec));
    }
    gmm_account_recharge(vm, from, to, shared);
    return MEM_OK;
}

bool gmm_page_query(Gmm *gmm, PageId id, GmmPageState *ret_state, GmmVm **ret_owner, GPhys *ret_gpa,
                    uint32_t *ret_refs)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    if (gmm_chunk_lookup(gmm, id) == NULL) {
        return false;
    }

    uint64_t rec = gmm->records[id];

    *ret_owner = NULL;
    *ret_gpa = MEM_GPHYS_NIL;
    *ret_refs = 0;
    switch (gmm_rec_state(rec)) {
    case GMM_REC_PRIVATE:
        *ret_state = GMM_PAGE_PRIVATE;
        *ret_owner = g_ptr_array_index(gmm->vms, gmm_rec_owner(rec));
        if (gmm_rec_frame(rec) != GMM_FRAME_NIL) {
            *ret_gpa = gmm_rec_frame(rec) << MEM_PAGE_SHIFT;
        }
        break;
    case GMM_REC_SHARED:
        *ret_state = GMM_PAGE_SHARED;
        *ret_refs = gmm_rec_refs(rec);
        break;
    default:
        *ret_state = GMM_PAGE_FREE;
        break;
    }
    return true;
}
