/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a Gmm and of the machines in it. See memsys/gmm-internal.h for the layout.
 */
#include "memsys/gmm-internal.h"

Gmm *gmm_new_on(const MemOs *os, uint64_t arena_size, GError **error)
{
    Gmm *gmm = g_new0(Gmm, 1);

    gmm->os = os;
    if (!gmm_arena_init(gmm, arena_size, error)) {
        g_free(gmm);
        return NULL;
    }

    uint64_t available = os->available_memory();

    /* A host that does not say gets the benefit of the doubt: the arena is a limit as well. */
    gmm->max = available != 0 ? available / MEM_PAGE_SIZE : gmm_arena_size(gmm) / MEM_PAGE_SIZE;
    gmm->vms = g_ptr_array_new();
    gmm->by_age = g_ptr_array_new();
    pthread_mutex_init(&gmm->lock, NULL);
    pthread_cond_init(&gmm->idle, NULL);
    return gmm;
}

Gmm *gmm_new(uint64_t arena_size, GError **error)
{
    return gmm_new_on(mem_os(), arena_size, error);
}

void gmm_free(Gmm *gmm)
{
    if (gmm == NULL) {
        return;
    }
    g_assert(gmm->n_vms == 0);
    gmm_content_clear(gmm);
    gmm_arena_clear(gmm);
    g_ptr_array_unref(gmm->vms);
    g_ptr_array_unref(gmm->by_age);
    pthread_cond_destroy(&gmm->idle);
    pthread_mutex_destroy(&gmm->lock);
    g_free(gmm);
}

uint8_t *gmm_arena(const Gmm *gmm)
{
    return gmm->arena;
}

uint64_t gmm_arena_size(const Gmm *gmm)
{
    return gmm->n_arena_chunks * MEM_CHUNK_SIZE;
}

void gmm_set_limit(Gmm *gmm, uint64_t n_pages)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    gmm->max = n_pages;
}

void gmm_get_stats(Gmm *gmm, GmmStats *ret_stats)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    *ret_stats = (GmmStats) {
        .max = gmm->max,
        .reserved = gmm->reserved,
        .allocated = gmm->allocated,
        .shared = gmm->shared,
        .duplicates = gmm->duplicates,
        .ballooned = gmm->ballooned,
        .n_chunks = gmm->n_committed - 1 - gmm->released.n,
        .n_freed_chunks = gmm->n_freed_chunks,
        .n_vms = gmm->n_vms,
        .left_behind = gmm->left_behind,
        .share_offers = gmm->share_offers,
        .share_merged = gmm->share_merged,
        .share_copied = gmm->share_copied,
        .moved = gmm->moved,
        .balloon_calls = gmm->balloon_calls,
    };
}

const char *gmm_vm_name_at(Gmm *gmm, unsigned index, GmmVmStats *ret_stats)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    if (index >= gmm->by_age->len) {
        return NULL;
    }

    const GmmVm *vm = g_ptr_array_index(gmm->by_age, index);

    if (ret_stats != NULL) {
        gmm_vm_stats_locked(vm, ret_stats);
    }
    return vm->name;
}

/* ---- machines */
GmmVm *gmm_vm_new(Gmm *gmm, const char *name)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    GmmVm *vm = g_new0(GmmVm, 1);

    vm->gmm = gmm;
    vm->name = g_strdup(name);
    vm->priority = GMM_PRIORITY_NORMAL;
    vm->compact_round = 1;
    while (vm->handle < gmm->vms->len && g_ptr_array_index(gmm->vms, vm->handle) != NULL) {
        vm->handle++;
    }
    g_assert(vm->handle < GMM_MAX_VMS);
    if (vm->handle == gmm->vms->len) {
        g_ptr_array_add(gmm->vms, vm);
    } else {
        gmm->vms->pdata[vm->handle] = vm;
    }
    g_ptr_array_add(gmm->by_age, vm);
    gmm->n_vms++;
    return vm;
}

/* Frees the machine's private pages in one chunk, which may go with the last of them. */
static void drop_private(GmmVm *vm, GmmChunk *chunk)
{
    const uint64_t *records = gmm_chunk_records(vm->gmm, gmm_chunk_id(vm->gmm, chunk));

    for (uint32_t i = 0; i < MEM_CHUNK_PAGES; i++) {
        if (gmm_rec_state(records[i]) == GMM_REC_PRIVATE &&
            gmm_rec_owner(records[i]) == vm->handle) {
            gmm_free_private(vm, chunk, i);
        }
    }
}

static void make_orphan(Gmm *gmm, GmmChunk *chunk)
{
    chunk->kind = GMM_CHUNK_ORPHAN;
    chunk->owner = NULL;
    gmm_set_link(gmm, &gmm->orphans, chunk);
}

/* Empties the machine's own chunks; those with pages of others become orphans. */
static void drop_own_chunks(GmmVm *vm)
{
    Gmm *gmm = vm->gmm;

    while (vm->set.occupied != 0) {
        const GmmList *list = &vm->set.lists[__builtin_ctzll(vm->set.occupied)];
        GmmChunk *chunk = &gmm->chunks[list->head];

        drop_private(vm, chunk);
        if (chunk->kind == GMM_CHUNK_OWNED) {
            gmm_set_unlink(gmm, &vm->set, chunk);
            make_orphan(gmm, chunk);
        }
    }
    while (vm->placed.n > 0) {
        GmmChunk *chunk = &gmm->chunks[vm->placed.head];

        drop_private(vm, chunk);
        if (chunk->kind == GMM_CHUNK_PLACED) {
            gmm_placed_dissolve(gmm, chunk);
            make_orphan(gmm, chunk);
        }
    }
    while (vm->runs.n > 0) {
        gmm_run_free(vm, &gmm->chunks[vm->runs.head]);
    }
}

/* Pages taken from other machines' chunks when the arena was full: rare, so searched for. */
static void drop_foreign_pages(GmmVm *vm)
{
    for (uint32_t id = 1; vm->n_foreign > 0; id++) {
        g_assert(id < vm->gmm->n_committed);

        GmmChunk *chunk = &vm->gmm->chunks[id];
        if (chunk->kind == GMM_CHUNK_OWNED || chunk->kind == GMM_CHUNK_ORPHAN ||
            chunk->kind == GMM_CHUNK_PLACED) {
            drop_private(vm, chunk);
        }
    }
}

/* Without machines nobody can hold a reference: what was left behind goes. */
static void drop_shared_pages(Gmm *gmm)
{
    for (uint32_t id = 1; gmm->shared > 0; id++) {
        g_assert(id < gmm->n_committed);

        uint64_t *records = gmm_chunk_records(gmm, id);
        for (uint32_t i = 0; gmm->chunks[id].n_shared > 0 && i < MEM_CHUNK_PAGES; i++) {
            if (gmm_rec_state(records[i]) == GMM_REC_SHARED) {
                gmm_content_remove(gmm, id * MEM_CHUNK_PAGES + i);
                gmm_account_drop_shared(gmm, gmm_rec_refs(records[i]));
                gmm->chunks[id].n_shared--;
                gmm_chunk_put(gmm, &gmm->chunks[id], i, true);
            }
        }
    }
}

uint64_t gmm_vm_free(GmmVm *vm)
{
    GmmVmStats left;

    return vm != NULL ? gmm_vm_free_audited(vm, &left) : 0;
}

uint64_t gmm_vm_free_audited(GmmVm *vm, GmmVmStats *ret_left)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    gmm_vm_quiesce(vm);
    gmm_vm_stats_locked(vm, ret_left);

    drop_own_chunks(vm);
    drop_foreign_pages(vm);
    gmm_account_end(vm);
    gmm->vms->pdata[vm->handle] = NULL;
    g_ptr_array_remove(gmm->by_age, vm);
    gmm->n_vms--;
    if (gmm->n_vms == 0) {
        drop_shared_pages(gmm);
    }
    g_free(vm->name);
    g_free(vm);
    return ret_left->private_pages + ret_left->shared_pages;
}
