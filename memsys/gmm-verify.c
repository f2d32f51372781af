/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recomputes every rule of the allocator (memsys/gmm-internal.h) from the records alone.
 */
#include "memsys/gmm-internal.h"

#include <stdarg.h>
#include <string.h>

/* What the records of one machine add up to. */
typedef struct VmTally {
    uint64_t private_pages[GMM_N_ACCOUNTS];
    uint64_t n_foreign;
} VmTally;

typedef struct Check {
    Gmm *gmm;
    GString *report;
    unsigned n_bad;
    VmTally *vms; /* by handle */
    uint64_t n_private, n_shared, n_refs, n_published;
    uint64_t n_kind[GMM_N_CHUNK_KINDS]; /* chunks */
    uint64_t n_runs;
    uint64_t n_in_runs; /* RUN chunks that a run's length accounts for */
} Check;

static void bad(Check *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void bad(Check *check, const char *format, ...)
{
    va_list args;

    check->n_bad++;
    if (check->report == NULL) {
        return;
    }
    va_start(args, format);
    g_string_append(check->report, "gmm: ");
    g_string_append_vprintf(check->report, format, args);
    g_string_append_c(check->report, '\n');
    va_end(args);
}

static void expect(Check *check, const char *what, uint64_t has, uint64_t recounted)
{
    if (has != recounted) {
        bad(check, "%s is %" G_GUINT64_FORMAT ", recounted %" G_GUINT64_FORMAT, what, has,
            recounted);
    }
}

static const GmmVm *vm_of(const Check *check, uint32_t handle)
{
    return handle < check->gmm->vms->len ? g_ptr_array_index(check->gmm->vms, handle) : NULL;
}

/* ---- pages of one chunk */
static void check_private(Check *check, PageId id, const GmmChunk *chunk, uint64_t rec)
{
    const GmmVm *vm = vm_of(check, gmm_rec_owner(rec));
    GmmAccount account = gmm_rec_account(rec);

    if (vm == NULL || (unsigned)account >= GMM_N_ACCOUNTS) {
        bad(check, "page %u: private, but owner %u or account %d does not exist", id,
            gmm_rec_owner(rec), (int)account);
        return;
    }
    if (gmm_rec_frame(rec) != GMM_FRAME_NIL &&
        gmm_rec_frame(rec) >= MEM_GPHYS_LIMIT >> MEM_PAGE_SHIFT) {
        bad(check, "page %u: guest frame beyond what a guest has", id);
    }
    check->vms[vm->handle].private_pages[account]++;
    check->vms[vm->handle].n_foreign += chunk->owner != vm;
    check->n_private++;
}

static bool is_zeros(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, MEM_PAGE_SIZE - 1) == 0;
}

/* The free list: inside the chunk, without cycle, of free records; clean pages hold zeros. */
static unsigned check_free_list(Check *check, uint32_t chunk_id, const GmmChunk *chunk)
{
    const uint64_t *records = gmm_chunk_records(check->gmm, chunk_id);
    unsigned n = 0;
    uint32_t i = chunk->free_head;

    while (i != GMM_NO_INDEX) {
        if (i > GMM_NO_INDEX || i >= chunk->n_fresh || n > MEM_CHUNK_PAGES ||
            gmm_rec_state(records[i]) != GMM_REC_FREE) {
            bad(check, "chunk %u: free list broken at index %u after %u pages", chunk_id, i, n);
            break;
        }
        if ((records[i] & GMM_REC_DIRTY) == 0 &&
            !is_zeros(gmm_chunk_bytes(check->gmm, chunk_id) + i * MEM_PAGE_SIZE)) {
            bad(check, "page %" G_GUINT64_FORMAT ": free, said to be zeros and is not",
                (uint64_t)chunk_id * MEM_CHUNK_PAGES + i);
        }
        n++;
        i = gmm_rec_next(records[i]);
    }
    return n;
}

/* A placed chunk has no free list: each free record speaks for itself. Zeros: never taken. */
static void check_placed(Check *check, uint32_t chunk_id, const GmmChunk *chunk)
{
    const uint64_t *records = gmm_chunk_records(check->gmm, chunk_id);

    if (chunk->free_head != GMM_NO_INDEX || chunk->n_fresh != MEM_CHUNK_PAGES) {
        bad(check, "chunk %u: placed, but with a free list", chunk_id);
    }
    for (uint32_t i = 0; i < MEM_CHUNK_PAGES; i++) {
        if (gmm_rec_state(records[i]) == GMM_REC_FREE && records[i] != 0 &&
            (records[i] & GMM_REC_DIRTY) == 0 &&
            !is_zeros(gmm_chunk_bytes(check->gmm, chunk_id) + i * MEM_PAGE_SIZE)) {
            bad(check, "page %u: free, said to be zeros and is not",
                chunk_id * MEM_CHUNK_PAGES + i);
        }
    }
}

static void check_pages(Check *check, uint32_t chunk_id, const GmmChunk *chunk)
{
    const uint64_t *records = gmm_chunk_records(check->gmm, chunk_id);
    unsigned n_free = 0, n_private = 0, n_shared = 0;

    for (uint32_t i = 0; i < MEM_CHUNK_PAGES; i++) {
        PageId id = chunk_id * MEM_CHUNK_PAGES + i;

        if (i >= chunk->n_fresh && records[i] != 0) {
            bad(check, "page %u: never taken, but has a record", id);
        }
        switch (gmm_rec_state(records[i])) {
        case GMM_REC_FREE:
            n_free++;
            break;
        case GMM_REC_PRIVATE:
            n_private++;
            check_private(check, id, chunk, records[i]);
            break;
        case GMM_REC_SHARED:
            n_shared++;
            check->n_refs += gmm_rec_refs(records[i]);
            check->n_published += gmm_rec_is_published(records[i]);
            if (gmm_rec_refs(records[i]) == 0) {
                bad(check, "page %u: shared without a reference", id);
            }
            break;
        default:
            bad(check, "page %u: still claimed", id);
            break;
        }
    }
    check->n_shared += n_shared;
    if (chunk->n_free != n_free || chunk->n_private != n_private || chunk->n_shared != n_shared) {
        bad(check, "chunk %u: says %u free, %u private, %u shared; recounted %u, %u, %u", chunk_id,
            chunk->n_free, chunk->n_private, chunk->n_shared, n_free, n_private, n_shared);
    }
    if (chunk->kind == GMM_CHUNK_PLACED) {
        check_placed(check, chunk_id, chunk);
    } else if (check_free_list(check, chunk_id, chunk) + MEM_CHUNK_PAGES - chunk->n_fresh !=
               n_free) {
        bad(check,
            "chunk %u: %u pages are free, but the free list and the fresh ones are not as many",
            chunk_id, n_free);
    }
}

/* ---- chunks */
/* A run's first chunk says how many neighbours follow and how many pages they hold. */
static void check_run(Check *check, uint32_t chunk_id, const GmmChunk *first)
{
    uint64_t left = first->run_pages;

    for (uint32_t id = chunk_id; left > 0; id++) {
        const GmmChunk *chunk = &check->gmm->chunks[id];

        if (id >= check->gmm->n_committed || chunk->kind != GMM_CHUNK_RUN ||
            chunk->owner != first->owner || (chunk->run_pages != 0 && chunk != first) ||
            chunk->n_private != MIN(left, MEM_CHUNK_PAGES)) {
            bad(check, "run at chunk %u: broken at chunk %u", chunk_id, id);
            return;
        }
        check->n_in_runs++;
        left -= chunk->n_private;
    }
}

static void check_chunk(Check *check, uint32_t id)
{
    const GmmChunk *chunk = &check->gmm->chunks[id];
    bool owned = chunk->kind == GMM_CHUNK_OWNED || chunk->kind == GMM_CHUNK_RUN ||
                 chunk->kind == GMM_CHUNK_PLACED;
    bool wholly_free = chunk->n_free == MEM_CHUNK_PAGES;

    if (chunk->kind >= GMM_N_CHUNK_KINDS) {
        bad(check, "chunk %u: no kind has number %u", id, chunk->kind);
        return;
    }
    check->n_kind[chunk->kind]++;
    if (chunk->kind == GMM_CHUNK_NONE) {
        return;
    }
    if ((chunk->owner != NULL) != owned ||
        (owned && (vm_of(check, chunk->owner->handle) != chunk->owner))) {
        bad(check, "chunk %u: kind %u does not agree with its owner", id, chunk->kind);
    }
    if (wholly_free != (chunk->kind == GMM_CHUNK_SPARE)) {
        bad(check, "chunk %u: kind %u with %u pages free", id, chunk->kind, chunk->n_free);
    }
    if (chunk->run_pages != 0) {
        check->n_runs++;
        check_run(check, id, chunk);
    }
    check_pages(check, id, chunk);
}

/* ---- lists */
static uint64_t check_list(Check *check, const char *what, const GmmList *list, GmmChunkKind kind,
                           const GmmVm *owner, unsigned fullness)
{
    const Gmm *gmm = check->gmm;
    uint32_t before = GMM_NO_CHUNK;
    uint64_t n_free = 0;
    uint32_t n = 0;

    for (uint32_t id = list->head; id != GMM_NO_CHUNK; id = gmm->chunks[id].next) {
        const GmmChunk *chunk = &gmm->chunks[id];

        if (id >= gmm->n_committed || n >= list->n || chunk->prev != before) {
            bad(check, "%s: links broken at chunk %u", what, id);
            return n_free;
        }
        if (chunk->kind != kind || chunk->owner != owner ||
            (fullness < GMM_N_LISTS && gmm_list_of(chunk->n_free) != fullness) ||
            (kind == GMM_CHUNK_RUN && chunk->run_pages == 0)) {
            bad(check, "%s: chunk %u does not belong there", what, id);
        }
        n_free += chunk->n_free;
        before = id;
        n++;
    }
    expect(check, what, list->n, n);
    return n_free;
}

/* Returns the number of chunks in the set. */
static uint64_t check_set(Check *check, const char *what, const GmmSet *set, GmmChunkKind kind,
                          const GmmVm *owner)
{
    uint64_t n_free = 0, n_chunks = 0;

    for (unsigned i = 0; i < GMM_N_LISTS; i++) {
        n_free += check_list(check, what, &set->lists[i], kind, owner, i);
        n_chunks += set->lists[i].n;
        if (((set->occupied >> i) & 1) != (set->lists[i].n > 0)) {
            bad(check, "%s: occupied bit %u is wrong", what, i);
        }
    }
    expect(check, what, set->n_free, n_free);
    return n_chunks;
}

/* ---- machines and totals */
static void check_vm(Check *check, const GmmVm *vm)
{
    const VmTally *tally = &check->vms[vm->handle];
    uint64_t n_private = 0, n_refs = 0, total = 0;

    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        bool base = i == GMM_ACCOUNT_BASE;

        expect(check, "pages charged to an account", vm->allocated[i],
               tally->private_pages[i] + vm->shared_in[i]);
        if (vm->allocated[i] + (base ? vm->ballooned_pages : 0) > vm->reserved[i]) {
            bad(check, "machine %s: account %u holds more than it reserved", vm->name, i);
        }
        n_private += tally->private_pages[i];
        n_refs += vm->shared_in[i];
        total += vm->reserved[i];
    }
    expect(check, "private pages of a machine", vm->private_pages, n_private);
    expect(check, "references of a machine", vm->shared_pages, n_refs);
    if (vm->n_working > vm->n_calls) {
        bad(check, "machine %s: %u calls, of these %u to do work", vm->name, vm->n_calls,
            vm->n_working);
    }
    expect(check, "pages in foreign chunks", vm->n_foreign, tally->n_foreign);
    expect(check, "promise to a machine", vm->promise,
           vm->has_reservation && vm->policy == GMM_NO_OVERCOMMIT ? total - n_private : 0);
}

static void check_machines(Check *check)
{
    const Gmm *gmm = check->gmm;
    uint64_t reserved = 0, promised = 0, ballooned = 0, refs = gmm->left_behind;
    uint64_t n_owned = 0, n_runs = 0, n_placed = 0, n_vms = 0;

    for (unsigned i = 0; i < gmm->vms->len; i++) {
        const GmmVm *vm = vm_of(check, i);

        if (vm == NULL) {
            continue;
        }
        check_vm(check, vm);
        n_owned += check_set(check, vm->name, &vm->set, GMM_CHUNK_OWNED, vm);
        check_list(check, "list of runs", &vm->runs, GMM_CHUNK_RUN, vm, GMM_N_LISTS);
        check_list(check, "list of placed chunks", &vm->placed, GMM_CHUNK_PLACED, vm, GMM_N_LISTS);
        n_runs += vm->runs.n;
        n_placed += vm->placed.n;
        for (unsigned k = 0; k < GMM_N_ACCOUNTS; k++) {
            reserved += vm->reserved[k];
        }
        promised += vm->promise;
        ballooned += vm->ballooned_pages;
        refs += vm->shared_pages;
        n_vms++;
    }
    expect(check, "reserved pages", gmm->reserved, reserved);
    expect(check, "promised pages", gmm->promised, promised);
    expect(check, "ballooned pages", gmm->ballooned, ballooned);
    expect(check, "references to shared pages", check->n_refs, refs);
    expect(check, "machines", gmm->n_vms, n_vms);
    expect(check, "machines by age", gmm->by_age->len, n_vms);
    expect(check, "placed chunks in lists", n_placed, check->n_kind[GMM_CHUNK_PLACED]);
    expect(check, "placed chunks", gmm->n_placed, n_placed);
    expect(check, "runs in lists", n_runs, check->n_runs);
    expect(check, "owned chunks in lists", n_owned, check->n_kind[GMM_CHUNK_OWNED]);
}

static void check_totals(Check *check)
{
    const Gmm *gmm = check->gmm;

    expect(check, "allocated pages", gmm->allocated, check->n_private + check->n_shared);
    expect(check, "shared pages", gmm->shared, check->n_shared);
    expect(check, "duplicates", gmm->duplicates, check->n_refs - check->n_shared);
    expect(check, "orphan chunks in lists",
           check_set(check, "orphans", &gmm->orphans, GMM_CHUNK_ORPHAN, NULL),
           check->n_kind[GMM_CHUNK_ORPHAN]);
    check_list(check, "spare chunks", &gmm->spare, GMM_CHUNK_SPARE, NULL, GMM_N_LISTS);
    check_list(check, "released chunks", &gmm->released, GMM_CHUNK_NONE, NULL, GMM_N_LISTS);
    expect(check, "spare chunks", gmm->spare.n, check->n_kind[GMM_CHUNK_SPARE]);
    expect(check, "released chunks", gmm->released.n, check->n_kind[GMM_CHUNK_NONE]);
    expect(check, "chunks in runs", check->n_in_runs, check->n_kind[GMM_CHUNK_RUN]);
    if (gmm->spare.n > GMM_MAX_SPARE && gmm->n_failed_discards == 0) {
        bad(check, "%u spare chunks are kept", gmm->spare.n);
    }
    check->n_bad += gmm_content_verify(check->gmm, check->n_published, check->report);
    if (!is_zeros(gmm->arena)) {
        bad(check, "the zero page is not zero");
    }
}

unsigned gmm_verify(Gmm *gmm, GString *report)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    Check check = { .gmm = gmm, .report = report };
    g_autofree VmTally *vms = g_new0(VmTally, gmm->vms->len + 1);

    check.vms = vms;
    for (uint32_t id = 1; id < gmm->n_committed; id++) {
        check_chunk(&check, id);
    }
    check_machines(&check);
    check_totals(&check);
    return check.n_bad;
}
