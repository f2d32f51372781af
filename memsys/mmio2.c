/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO2: device memory with one stable host pointer. Its pages are a run of consecutive chunks,
 * always ALLOCATED or (while tracking) WRITE_MONITORED.
 *
 * While tracking is on: a page that is ALLOCATED has its dirty bit set. So the first store to a
 * clean page comes to page-state.c, which calls pgm_mmio2_page_dirtied(); later ones cost nothing
 * until the next query.
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>
#include <string.h>

static uint64_t n_dirty_words(const PgmMmio2 *mmio2)
{
    return (mmio2->range.n_pages + 63) / 64;
}

static void free_dirty(Pgm *pgm, PgmMmio2 *mmio2)
{
    if (mmio2->dirty) {
        pgm->os->free(mmio2->dirty);
    }
}

static MemStatus take_run(PgmMmio2 *mmio2, GError **error)
{
    PgmRange *range = &mmio2->range;
    Pgm *pgm = range->pgm;
    MemStatus status =
        mm_adjust(&pgm->mm, GMM_ACCOUNT_FIXED, (int64_t)range->n_pages, range->description, error);

    if (status != MEM_OK) {
        return status;
    }
    status = gmm_vm_alloc_run(pgm->mm.vm, range->n_pages, &mmio2->first_id);
    if (status != MEM_OK) {
        MemStatus undone = mm_adjust(&pgm->mm, GMM_ACCOUNT_FIXED, -(int64_t)range->n_pages,
                                     range->description, NULL);

        g_assert(undone == MEM_OK);
        g_set_error(error, MEM_ERROR, MEM_ERR_NO_MEMORY,
                    "MMIO2 \"%s\": no memory for %" PRIu64 " pages: %s", range->description,
                    range->n_pages, mem_status_name(status));
        return MEM_ERR_NO_MEMORY;
    }
    PgmPageState state =
        pgm_tracking_wants_writes(pgm) ? PGM_PAGE_WRITE_MONITORED : PGM_PAGE_ALLOCATED;

    for (uint64_t i = 0; i < range->n_pages; i++) {
        PageId id = mmio2->first_id + (PageId)i;

        pgm_forget_code(pgm, id);
        pgm_page_init(range, i, PGM_RECORD_FRONT, pgm_page_make(PGM_PAGE_MMIO2, state, id));
    }
    return MEM_OK;
}

PgmMmio2 *pgm_mmio2_new(Pgm *pgm, const char *owner, unsigned region, uint64_t len,
                        bool track_dirty, const char *description, GError **error)
{
    if (pgm_mmio2_lookup(pgm, owner, region)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_ALREADY_EXISTS,
                    "MMIO2 \"%s\": \"%s\" has a region %u already", description ? description : "",
                    owner, region);
        return NULL;
    }
    g_autofree PgmMmio2 *mmio2 = g_new0(PgmMmio2, 1);

    if (pgm_range_init(&mmio2->range, pgm, PGM_RANGE_MMIO2, len, true, owner, description, error) !=
        MEM_OK) {
        return NULL;
    }
    mmio2->region = region;
    mmio2->can_track = track_dirty;
    mmio2->dirty =
        track_dirty ? pgm->os->try_alloc0(n_dirty_words(mmio2) * sizeof(uint64_t)) : NULL;
    if (track_dirty && !mmio2->dirty) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "MMIO2 \"%s\": no host memory",
                    mmio2->range.description);
        pgm_range_clear(&mmio2->range);
        return NULL;
    }
    if (take_run(mmio2, error) != MEM_OK) {
        pgm_range_clear(&mmio2->range);
        free_dirty(pgm, mmio2);
        return NULL;
    }
    return g_steal_pointer(&mmio2);
}

void pgm_mmio2_destroy(PgmRange *range)
{
    PgmMmio2 *mmio2 = pgm_mmio2_of(range);
    Pgm *pgm = range->pgm;

    pgm_tracking_range_gone(range);
    (void)pgm_mmio2_unmap(mmio2);
    pgm_mmio_drop_aliases_of(range);
    for (uint64_t i = 0; i < range->n_pages; i++) {
        pgm_pages_count(pgm, range->pages[i], 1, -1);
        pgm_forget_code(pgm, pgm_page_id(range->pages[i]));
    }
    MemStatus status = gmm_vm_free_run(pgm->mm.vm, mmio2->first_id, range->n_pages);

    g_assert(status == MEM_OK);
    status =
        mm_adjust(&pgm->mm, GMM_ACCOUNT_FIXED, -(int64_t)range->n_pages, range->description, NULL);
    g_assert(status == MEM_OK);
    pgm_range_clear(range);
    pgm->os->free(mmio2->aliases);
    free_dirty(pgm, mmio2);
    g_free(mmio2);
}

void pgm_mmio2_free(PgmMmio2 *mmio2)
{
    if (mmio2) {
        pgm_mmio2_destroy(&mmio2->range);
    }
}

PgmMmio2 *pgm_mmio2_lookup(Pgm *pgm, const char *owner, unsigned region)
{
    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        if (range->kind == PGM_RANGE_MMIO2 && pgm_mmio2_of(range)->region == region &&
            g_str_equal(range->owner, owner)) {
            return pgm_mmio2_of(range);
        }
    }
    return NULL;
}

uint8_t *pgm_mmio2_host(const PgmMmio2 *mmio2)
{
    return pgm_host(mmio2->range.pgm, mmio2->first_id);
}

uint64_t pgm_mmio2_len(const PgmMmio2 *mmio2)
{
    return mmio2->range.shown_pages << MEM_PAGE_SHIFT;
}

MemStatus pgm_mmio2_map(PgmMmio2 *mmio2, GPhys gpa, GError **error)
{
    return pgm_range_map(&mmio2->range, gpa, error);
}

MemStatus pgm_mmio2_unmap(PgmMmio2 *mmio2)
{
    if (mmio2->range.start == MEM_GPHYS_NIL) {
        return MEM_ERR_WRONG_ORDER;
    }
    pgm_mmio_drop_aliases_of(&mmio2->range);
    pgm_range_unmap(&mmio2->range);
    return MEM_OK;
}

GPhys pgm_mmio2_address(const PgmMmio2 *mmio2)
{
    return mmio2->range.start;
}

MemStatus pgm_mmio2_reduce(PgmMmio2 *mmio2, uint64_t len)
{
    if (mmio2->range.start != MEM_GPHYS_NIL) {
        return MEM_ERR_WRONG_ORDER;
    }
    if ((len & ~MEM_PAGE_MASK) != 0) {
        return MEM_ERR_UNALIGNED;
    }
    if (len == 0 || len >> MEM_PAGE_SHIFT > mmio2->range.n_pages) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    pgm_layout_changed(mmio2->range.pgm);
    mmio2->range.shown_pages = len >> MEM_PAGE_SHIFT;
    return MEM_OK;
}

/* ---- dirty tracking */

void pgm_mmio2_page_dirtied(PgmRange *range, uint64_t index)
{
    PgmMmio2 *mmio2 = pgm_mmio2_of(range);

    if (mmio2->tracking) {
        mmio2->dirty[index / 64] |= UINT64_C(1) << (index % 64);
    }
}

/* Pages that somebody has mapped for writing may be written unseen at any moment. */
static void mark_locked(PgmMmio2 *mmio2)
{
    const PgmRange *range = &mmio2->range;

    for (uint64_t i = 0; range->pgm->stats.pages.write_locked != 0 && i < range->n_pages; i++) {
        if (pgm_page_write_locks(range->pages[i]) != 0) {
            mmio2->dirty[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
}

/* Forgets what is dirty and arms those pages (or all of them) again. */
static void make_clean(PgmMmio2 *mmio2, bool all)
{
    uint64_t n_pages = all ? mmio2->range.n_pages : 0;

    for (uint64_t i = 0; i < n_dirty_words(mmio2) && n_pages <= PGM_TELL_EACH_MAX; i++) {
        n_pages += (uint64_t)__builtin_popcountll(mmio2->dirty[i]);
    }
    bool batch = n_pages > PGM_TELL_EACH_MAX;

    if (batch) {
        pgm_batch_begin(mmio2->range.pgm);
    }
    for (uint64_t i = 0; i < mmio2->range.n_pages; i++) {
        if (!all && mmio2->dirty[i / 64] == 0) {
            i |= 63;
        } else if (all || (mmio2->dirty[i / 64] >> (i % 64) & 1) != 0) {
            pgm_page_arm(&mmio2->range, i);
        }
    }
    memset(mmio2->dirty, 0, n_dirty_words(mmio2) * sizeof(uint64_t));
    mark_locked(mmio2);
    if (batch) {
        pgm_batch_end(mmio2->range.pgm);
    }
}

MemStatus pgm_mmio2_set_tracking(PgmMmio2 *mmio2, bool on)
{
    if (!mmio2->can_track) {
        return MEM_ERR_WRONG_TYPE;
    }
    if (on && !mmio2->tracking) {
        make_clean(mmio2, true);
    }
    /* Off: pages stay monitored until their next store, which then marks nothing. */
    mmio2->tracking = on;
    return MEM_OK;
}

MemStatus pgm_mmio2_query_dirty(PgmMmio2 *mmio2, uint64_t *bitmap, uint64_t n_words)
{
    if (!mmio2->can_track) {
        return MEM_ERR_WRONG_TYPE;
    }
    if (n_words != n_dirty_words(mmio2)) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    mmio2->range.pgm->stats.mmio2_queries++;
    if (bitmap) {
        memcpy(bitmap, mmio2->dirty, n_words * sizeof(uint64_t));
    }
    if (mmio2->tracking) {
        make_clean(mmio2, false);
    } else {
        memset(mmio2->dirty, 0, n_words * sizeof(uint64_t));
    }
    return MEM_OK;
}

MemStatus pgm_mmio2_mark_dirty(PgmMmio2 *mmio2, uint64_t offset, uint64_t len)
{
    uint64_t size = mmio2->range.n_pages << MEM_PAGE_SHIFT;

    if (offset > size || len > size - offset) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    uint64_t end = offset + len;

    while (offset < end) {
        uint64_t index = offset >> MEM_PAGE_SHIFT;
        uint64_t n = MIN(end - offset, MEM_PAGE_SIZE - (offset & ~MEM_PAGE_MASK));
        MemStatus status = pgm_page_make_writable(&mmio2->range, index, PGM_RECORD_FRONT);

        if (status != MEM_OK) {
            return status;
        }
        pgm_mmio2_page_dirtied(&mmio2->range, index);
        pgm_code_written(mmio2->range.pgm, mmio2->first_id + (PageId)index,
                         (uint32_t)(offset & ~MEM_PAGE_MASK), (uint32_t)n);
        offset += n;
    }
    return MEM_OK;
}
