/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs: consecutive chunks for memory with one stable host pointer (MMIO2). Set-up calls; the cost
 * grows with the run, and with the arena when a gap between other chunks must be found.
 */
#include "memsys/gmm-internal.h"

static uint32_t n_run_chunks(uint64_t n_pages)
{
    return (uint32_t)((n_pages + MEM_CHUNK_PAGES - 1) / MEM_CHUNK_PAGES);
}

/* Pages of a run that lie in its chunk number @i. */
static uint16_t n_pages_in(uint64_t run_pages, uint32_t i)
{
    uint64_t before = (uint64_t)i * MEM_CHUNK_PAGES;

    return (uint16_t)MIN(run_pages - before, MEM_CHUNK_PAGES);
}

/* First of @n_chunks neighbours without memory, or GMM_NO_CHUNK. */
static uint32_t find_gap(const Gmm *gmm, uint32_t n_chunks)
{
    uint32_t len = 0;

    if (gmm->released.n < n_chunks) {
        return GMM_NO_CHUNK;
    }
    for (uint32_t id = 1; id < gmm->n_committed; id++) {
        len = gmm->chunks[id].kind == GMM_CHUNK_NONE ? len + 1 : 0;
        if (len == n_chunks) {
            return id - len + 1;
        }
    }
    return GMM_NO_CHUNK;
}

static void release_spares(Gmm *gmm)
{
    uint32_t id = gmm->spare.head;

    while (id != GMM_NO_CHUNK) {
        GmmChunk *chunk = &gmm->chunks[id];

        id = chunk->next;
        if (gmm_arena_discard(gmm, gmm_chunk_id(gmm, chunk), 1)) {
            gmm_list_remove(gmm, &gmm->spare, chunk);
            chunk->kind = GMM_CHUNK_NONE;
            gmm_list_push(gmm, &gmm->released, chunk);
            gmm->n_freed_chunks++;
        }
    }
}

/* @n_chunks neighbours in no list, all zeros; GMM_NO_CHUNK if there are none. */
static uint32_t acquire_neighbours(Gmm *gmm, uint32_t n_chunks)
{
    uint32_t first = find_gap(gmm, n_chunks);

    if (first == GMM_NO_CHUNK) {
        first = gmm_arena_commit(gmm, n_chunks);
        if (first != GMM_NO_CHUNK) {
            return first;
        }
        release_spares(gmm);
        first = find_gap(gmm, n_chunks);
        if (first == GMM_NO_CHUNK) {
            return GMM_NO_CHUNK;
        }
    }
    for (uint32_t i = 0; i < n_chunks; i++) {
        gmm_list_remove(gmm, &gmm->released, &gmm->chunks[first + i]);
    }
    return first;
}

static void fill_chunk(GmmVm *vm, uint32_t chunk_id, uint16_t n_pages)
{
    uint64_t *records = gmm_chunk_records(vm->gmm, chunk_id);

    GmmChunk run = {
        .kind = GMM_CHUNK_RUN,
        .owner = vm,
        .n_private = n_pages,
        .n_free = (uint16_t)(MEM_CHUNK_PAGES - n_pages),
        .n_fresh = n_pages,
        .free_head = GMM_NO_INDEX,
    };

    gmm_chunk_renew(&vm->gmm->chunks[chunk_id], run);
    for (unsigned i = 0; i < n_pages; i++) {
        records[i] = gmm_rec_private(GMM_ACCOUNT_FIXED, vm->handle, GMM_FRAME_NIL);
    }
}

static MemStatus alloc_run(GmmVm *vm, uint64_t n_pages, PageId *ret_first)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    if (n_pages == 0) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    if (!gmm_account_has_room(vm, GMM_ACCOUNT_FIXED, n_pages)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }
    if (!gmm_account_fits_limit(vm, n_pages)) {
        return MEM_ERR_GLOBAL_LIMIT;
    }
    if (n_pages > (uint64_t)gmm->n_arena_chunks * MEM_CHUNK_PAGES) {
        return MEM_ERR_HOST_MEMORY;
    }

    uint32_t first = acquire_neighbours(gmm, n_run_chunks(n_pages));
    if (first == GMM_NO_CHUNK) {
        return MEM_ERR_HOST_MEMORY;
    }
    for (uint32_t i = 0; i < n_run_chunks(n_pages); i++) {
        fill_chunk(vm, first + i, n_pages_in(n_pages, i));
    }
    gmm->chunks[first].run_pages = n_pages;
    gmm_list_push(gmm, &vm->runs, &gmm->chunks[first]);
    gmm_account_alloc(vm, GMM_ACCOUNT_FIXED, n_pages);
    *ret_first = first * MEM_CHUNK_PAGES;
    return MEM_OK;
}

MemStatus gmm_vm_alloc_run(GmmVm *vm, uint64_t n_pages, PageId *ret_first)
{
    MemStatus status = alloc_run(vm, n_pages, ret_first);

    if (gmm_pressure_relieve(vm, status, n_pages)) {
        status = alloc_run(vm, n_pages, ret_first);
    }
    return status;
}

/* A chunk whose memory the host did not take back: every page is free and may hold anything. */
static void keep_dirty(Gmm *gmm, GmmChunk *chunk)
{
    uint64_t *records = gmm_chunk_records(gmm, gmm_chunk_id(gmm, chunk));

    for (uint32_t i = 0; i < MEM_CHUNK_PAGES; i++) {
        records[i] = gmm_rec_free(i + 1, true); /* the last one gets GMM_NO_INDEX */
    }
    GmmChunk spare = {
        .kind = GMM_CHUNK_SPARE,
        .n_free = MEM_CHUNK_PAGES,
        .n_fresh = MEM_CHUNK_PAGES,
    };

    gmm_chunk_renew(chunk, spare);
    gmm_list_push(gmm, &gmm->spare, chunk);
}

void gmm_run_free(GmmVm *vm, GmmChunk *first)
{
    Gmm *gmm = vm->gmm;
    uint64_t n_pages = first->run_pages;
    uint32_t n_chunks = n_run_chunks(n_pages);

    gmm_list_remove(gmm, &vm->runs, first);
    gmm_account_free(vm, GMM_ACCOUNT_FIXED, n_pages);

    if (!gmm_arena_discard(gmm, gmm_chunk_id(gmm, first), n_chunks)) {
        for (uint32_t i = 0; i < n_chunks; i++) {
            keep_dirty(gmm, &first[i]);
        }
        return;
    }
    gmm->n_freed_chunks += n_chunks;
    for (uint32_t i = 0; i < n_chunks; i++) {
        gmm_chunk_renew(&first[i], (GmmChunk) { .kind = GMM_CHUNK_NONE });
        gmm_list_push(gmm, &gmm->released, &first[i]);
    }
}

MemStatus gmm_vm_free_run(GmmVm *vm, PageId first, uint64_t n_pages)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    GmmChunk *chunk = gmm_chunk_lookup(vm->gmm, first);

    if (chunk == NULL || chunk->run_pages == 0 || gmm_page_index(first) != 0) {
        return MEM_ERR_BAD_PAGE_ID;
    }
    if (chunk->owner != vm) {
        return MEM_ERR_NOT_OWNER;
    }
    if (chunk->run_pages != n_pages) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    gmm_run_free(vm, chunk);
    return MEM_OK;
}
