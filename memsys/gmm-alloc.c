/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handing out single pages. First everything that can fail is done: limits are checked and chunks
 * acquired; then pages are taken, which cannot fail.
 */
#include "memsys/gmm-internal.h"

/* Pages in chunks that other machines own, partly used. */
static uint64_t free_elsewhere(const GmmVm *vm)
{
    uint64_t n_free = 0;

    for (unsigned i = 0; i < vm->gmm->vms->len; i++) {
        const GmmVm *other = g_ptr_array_index(vm->gmm->vms, i);

        if (other != NULL && other != vm) {
            n_free += other->set.n_free;
        }
    }
    return n_free;
}

static void own_chunk(GmmVm *vm, GmmChunk *chunk)
{
    chunk->kind = GMM_CHUNK_OWNED;
    chunk->owner = vm;
    gmm_set_link(vm->gmm, &vm->set, chunk);
}

/* Lets go of the wholly free chunks of a machine, which only a failed reserve_chunks() leaves. */
static void disown_free_chunks(GmmVm *vm)
{
    Gmm *gmm = vm->gmm;
    uint32_t id = vm->set.lists[GMM_N_LISTS - 1].head;

    while (id != GMM_NO_CHUNK) {
        GmmChunk *chunk = &gmm->chunks[id];

        id = chunk->next;
        if (chunk->n_free == MEM_CHUNK_PAGES) {
            gmm_set_unlink(gmm, &vm->set, chunk);
            gmm_chunk_retire(gmm, chunk);
        }
    }
}

/* Acquires chunks until the machine can be given @n_pages, from other machines' chunks last. */
static bool reserve_chunks(GmmVm *vm, uint64_t n_pages)
{
    Gmm *gmm = vm->gmm;

    while (vm->set.n_free + gmm->orphans.n_free < n_pages) {
        GmmChunk *chunk = gmm_chunk_acquire(gmm);

        if (chunk != NULL) {
            own_chunk(vm, chunk);
            continue;
        }
        if (vm->set.n_free + gmm->orphans.n_free + free_elsewhere(vm) >= n_pages) {
            return true;
        }
        disown_free_chunks(vm);
        return false;
    }
    return true;
}

/* Takes up to @n_pages from the chunks of @set; returns how many there were. */
static uint32_t take_from(GmmVm *vm, GmmSet *set, GmmAccount account, uint32_t n_pages,
                          GmmHandyPage *ret_pages)
{
    Gmm *gmm = vm->gmm;
    uint32_t n_taken = (uint32_t)MIN(n_pages, set->n_free);

    for (uint32_t i = 0; i < n_taken; i++) {
        GmmChunk *chunk = gmm_set_fullest(gmm, set);
        GmmHandyPage *page = &ret_pages[i];

        page->id = gmm_chunk_take(gmm, chunk, &page->zeroed);
        gmm->records[page->id] = gmm_rec_private(account, vm->handle, GMM_FRAME_NIL);
        chunk->n_private++;
        vm->n_foreign += chunk->owner != vm;
    }
    return n_taken;
}

static void take_pages(GmmVm *vm, GmmAccount account, uint32_t n_pages, GmmHandyPage *ret_pages)
{
    Gmm *gmm = vm->gmm;
    uint32_t n_taken = take_from(vm, &vm->set, account, n_pages, ret_pages);

    n_taken += take_from(vm, &gmm->orphans, account, n_pages - n_taken, ret_pages + n_taken);
    for (unsigned i = 0; n_taken < n_pages; i++) {
        GmmVm *other = g_ptr_array_index(gmm->vms, i);

        if (other != NULL) {
            n_taken += take_from(vm, &other->set, account, n_pages - n_taken, ret_pages + n_taken);
        }
    }
    gmm_account_alloc(vm, account, n_pages);
}

static MemStatus alloc(GmmVm *vm, GmmAccount account, uint32_t n_pages, GmmHandyPage *ret_pages)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    if (n_pages == 0 || n_pages > GMM_MAX_ALLOC) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    if (!gmm_account_has_room(vm, account, n_pages)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }
    if (!gmm_account_fits_limit(vm, n_pages)) {
        return MEM_ERR_GLOBAL_LIMIT;
    }
    if (!reserve_chunks(vm, n_pages)) {
        return MEM_ERR_HOST_MEMORY;
    }
    take_pages(vm, account, n_pages, ret_pages);
    return MEM_OK;
}

MemStatus gmm_vm_alloc(GmmVm *vm, GmmAccount account, uint32_t n_pages, GmmHandyPage *ret_pages)
{
    g_assert((unsigned)account < GMM_N_ACCOUNTS);

    MemStatus status = alloc(vm, account, n_pages, ret_pages);

    if (gmm_pressure_relieve(vm, status, n_pages)) {
        status = alloc(vm, account, n_pages, ret_pages);
    }
    return status;
}
