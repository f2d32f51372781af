/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address ranges behind a Gmm: the arena, the page records and the chunk table. Reserved once,
 * committed chunk by chunk from the bottom.
 *
 * Chunks stay accessible after their memory went back: mprotect() of single chunks would cut the
 * arena into many host mappings, of which Linux grants 65,530.
 */
#include "memsys/gmm-internal.h"

#include <string.h>

G_STATIC_ASSERT(MEM_CHUNK_PAGES * sizeof(uint64_t) == MEM_PAGE_SIZE);

static size_t round_to_page(size_t len)
{
    return (len + (size_t)MEM_PAGE_SIZE - 1) & (size_t)MEM_PAGE_MASK;
}

void gmm_arena_clear(Gmm *gmm)
{
    if (gmm->arena_map != NULL) {
        gmm->os->unmap(gmm->arena_map, gmm->arena_map_len);
    }
    if (gmm->records != NULL) {
        gmm->os->unmap(gmm->records, gmm->records_len);
    }
    if (gmm->chunks != NULL) {
        gmm->os->unmap(gmm->chunks, gmm->chunks_len);
    }
    gmm->arena_map = NULL;
    gmm->records = NULL;
    gmm->chunks = NULL;
}

/* All three ranges for @n_chunks, or none. */
static bool reserve(Gmm *gmm, uint32_t n_chunks)
{
    const MemOs *os = gmm->os;

    /* One chunk more, so that chunks can begin where a huge page of the host does. */
    gmm->arena_map_len = (size_t)((n_chunks + UINT64_C(1)) * MEM_CHUNK_SIZE);
    gmm->records_len = (size_t)(n_chunks * MEM_PAGE_SIZE);
    gmm->chunks_len = round_to_page(n_chunks * sizeof(GmmChunk));
    gmm->n_arena_chunks = n_chunks;

    gmm->arena_map = os->reserve(gmm->arena_map_len);
    gmm->records = gmm->arena_map == NULL ? NULL : os->reserve(gmm->records_len);
    gmm->chunks = gmm->records == NULL ? NULL : os->map_zeros(gmm->chunks_len);
    if (gmm->chunks == NULL) {
        gmm_arena_clear(gmm);
        return false;
    }

    uintptr_t mask = (uintptr_t)MEM_CHUNK_SIZE - 1;
    gmm->arena = (uint8_t *)(((uintptr_t)gmm->arena_map + mask) & ~mask);
    return true;
}

bool gmm_arena_init(Gmm *gmm, uint64_t size, GError **error)
{
    uint64_t wanted = size != 0 ? size : GMM_ARENA_DEFAULT;

    wanted = MIN(wanted, GMM_ARENA_MOST);
    wanted = MIN(wanted, gmm->os->largest_arena());
    /* The zero page has a chunk to itself; less than one more would be of no use. */
    wanted = MAX(wanted, 2 * MEM_CHUNK_SIZE);

    uint32_t n_chunks = (uint32_t)((wanted + MEM_CHUNK_SIZE - 1) / MEM_CHUNK_SIZE);
    uint32_t n_least = MIN(n_chunks, (uint32_t)(GMM_ARENA_LEAST / MEM_CHUNK_SIZE));

    while (!reserve(gmm, n_chunks)) {
        if (n_chunks == n_least) {
            g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                        "the host grants no %" G_GUINT64_FORMAT " MiB of address space for the "
                        "page arena: raise the limit on virtual memory (ulimit -v)",
                        n_least * MEM_CHUNK_SIZE >> 20);
            return false;
        }
        n_chunks = MAX(n_chunks / 2, n_least);
    }

    /* Readable and nothing else: a store through the zero page faults. */
    if (!gmm->os->protect(gmm->arena, MEM_PAGE_SIZE, MEM_OS_READ)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "the host does not let the zero page of the arena be read");
        gmm_arena_clear(gmm);
        return false;
    }
    gmm->n_committed = 1;
    return true;
}

uint32_t gmm_arena_commit(Gmm *gmm, uint32_t n_chunks)
{
    uint32_t first = gmm->n_committed;

    if (n_chunks > gmm->n_arena_chunks - first) {
        return GMM_NO_CHUNK;
    }
    if (!gmm->os->protect(gmm_chunk_records(gmm, first), n_chunks * MEM_PAGE_SIZE,
                          MEM_OS_READ_WRITE) ||
        !gmm->os->protect(gmm_chunk_bytes(gmm, first), n_chunks * MEM_CHUNK_SIZE,
                          MEM_OS_READ_WRITE)) {
        return GMM_NO_CHUNK; /* half of it may be accessible now: harmless, and tried again later */
    }
    gmm->n_committed += n_chunks;
    return first;
}

bool gmm_arena_discard(Gmm *gmm, uint32_t chunk_id, uint32_t n_chunks)
{
    uint64_t *records = gmm_chunk_records(gmm, chunk_id);

    if (!gmm->os->discard(gmm_chunk_bytes(gmm, chunk_id), n_chunks * MEM_CHUNK_SIZE)) {
        gmm->n_failed_discards += n_chunks;
        return false;
    }
    /* The records must be zero, whether or not the host wants their memory. */
    if (!gmm->os->discard(records, n_chunks * MEM_PAGE_SIZE)) {
        memset(records, 0, n_chunks * MEM_PAGE_SIZE);
    }
    return true;
}
