/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of single pages: guest frames, shared pages and their references.
 *
 * A shared page belongs to nobody: GMM counts its references, and how many references each machine
 * has, but not which machine has which.
 */
#include "memsys/gmm-internal.h"

/* The record of a private page of @vm. */
static MemStatus find_private(GmmVm *vm, PageId id, GmmChunk **ret_chunk, uint64_t **ret_rec)
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

    MemStatus status = find_private(vm, id, &chunk, &rec);
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
    MemStatus status = find_private(vm, id, &chunk, &rec);

    if (status != MEM_OK) {
        return status;
    }
    if (gmm_rec_account(*rec) != GMM_ACCOUNT_BASE) {
        return MEM_ERR_WRONG_TYPE;
    }
    *rec = gmm_rec_shared(1);
    chunk->n_private--;
    chunk->n_shared++;
    vm->n_foreign -= chunk->owner != vm;
    gmm_account_share(vm);
    return MEM_OK;
}

MemStatus gmm_vm_ref_shared(GmmVm *vm, PageId id)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

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
    *rec = gmm_rec_shared(gmm_rec_refs(*rec) + 1);
    gmm_account_ref(vm);
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
