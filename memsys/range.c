/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges, the sorted table of what shows where, and the lookup of an address in it: a small
 * direct-mapped cache of spans, then binary search.
 *
 * Invariants (pgm_spans_verify() checks them):
 * 1. Spans are sorted, page aligned, disjoint.
 * 2. A mapped range that is no RAM has exactly one span; RAM has as many as overlays leave of it,
 * never two that touch each other.
 * 3. A cache slot holds a copy of a span of the table, or nothing.
 *
 * Registering is a binary search and a memmove: microseconds at 10,000 ranges. Overlays keep the
 * records beneath (VirtualBox frees them; chipsets do not).
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>
#include <string.h>

#define HEAP_RECORDS_MAX                                                     \
    (UINT64_C(128) << 10) /* bytes; larger arrays get a mapping of their own \
                           */

/* ---- records */

PgmPage *pgm_records_new(Pgm *pgm, uint64_t n, size_t *ret_mapped)
{
    size_t bytes = n * sizeof(PgmPage);

    *ret_mapped = 0;
    if (bytes <= HEAP_RECORDS_MAX) {
        return pgm->os->try_alloc0(bytes);
    }
    bytes = (bytes + MEM_PAGE_SIZE - 1) & MEM_PAGE_MASK;
    PgmPage *pages = pgm->os->map_zeros(bytes);

    if (pages) {
        *ret_mapped = bytes;
    }
    return pages;
}

void pgm_records_free(Pgm *pgm, PgmPage *pages, size_t mapped)
{
    if (mapped != 0) {
        pgm->os->unmap(pages, mapped);
    } else if (pages) {
        pgm->os->free(pages);
    }
}

static MemStatus check_len(uint64_t len, const char *description, GError **error)
{
    if (len == 0 || (len & ~MEM_PAGE_MASK) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_UNALIGNED,
                    "\"%s\": length 0x%" PRIx64 " is not a positive multiple of 4 KiB", description,
                    len);
        return MEM_ERR_UNALIGNED;
    }
    if (len > MEM_GPHYS_LIMIT) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "\"%s\": length 0x%" PRIx64 " exceeds the 52-bit address space", description,
                    len);
        return MEM_ERR_OUT_OF_RANGE;
    }
    return MEM_OK;
}

/* For one more range, and for its spans: mapping one makes at most two more, and cannot fail for
 * want of memory. */
static bool reserve_tables(Pgm *pgm)
{
    PgmSpanTable *table = &pgm->spans;
    void *spans = table->spans;
    bool ok = mem_array_reserve(pgm->os, &spans, &table->n_allocated,
                                2 * ((uint64_t)pgm->ranges->len + 1), sizeof(PgmSpan));

    table->spans = spans;
    return ok && pgm_list_reserve(pgm->os, pgm->ranges);
}

MemStatus pgm_range_init(PgmRange *range, Pgm *pgm, PgmRangeKind kind, uint64_t len, bool records,
                         const char *owner, const char *description, GError **error)
{
    description = description ? description : "";
    MemStatus status = check_len(len, description, error);

    if (status != MEM_OK) {
        return status;
    }
    *range = (PgmRange) { .pgm = pgm,
                          .number = pgm->n_ranges_made++,
                          .kind = kind,
                          .start = MEM_GPHYS_NIL,
                          .n_pages = len >> MEM_PAGE_SHIFT,
                          .shown_pages = len >> MEM_PAGE_SHIFT };
    if (!reserve_tables(pgm)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "\"%s\": no host memory for range number %u", description,
                    pgm->ranges->len + 1);
        return MEM_ERR_HOST_MEMORY;
    }
    if (records) {
        uint64_t n_touch_words = (range->n_pages >> (PGM_TOUCH_SHIFT + 6)) + 1;

        range->pages = pgm_records_new(pgm, range->n_pages, &range->pages_mapped);
        range->touched = pgm->os->try_alloc0(n_touch_words * sizeof(uint64_t));
        if (!range->pages || !range->touched) {
            pgm_range_clear(range);
            g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                        "\"%s\": no host memory for the records of %" PRIu64 " pages", description,
                        len >> MEM_PAGE_SHIFT);
            return MEM_ERR_HOST_MEMORY;
        }
    }
    if (!pgm_tracking_range_new(range)) {
        pgm_range_clear(range);
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "\"%s\": no host memory for what keeps track of %" PRIu64 " pages", description,
                    len >> MEM_PAGE_SHIFT);
        return MEM_ERR_HOST_MEMORY;
    }
    pgm_layout_changed(pgm);
    range->owner = g_strdup(owner ? owner : "");
    range->description = g_strdup(description);
    pgm_list_insert(pgm->ranges, pgm->ranges->len, range);
    return MEM_OK;
}

void pgm_range_clear(PgmRange *range)
{
    /* Freeing memory that somebody has mapped is a bug of the caller. */
    g_assert(range->start == MEM_GPHYS_NIL && range->n_locks == 0);
    pgm_tracking_range_gone(range);
    pgm_handlers_detach(range);
    pgm_records_free(range->pgm, range->pages, range->pages_mapped);
    if (range->touched) {
        range->pgm->os->free(range->touched);
    }
    g_free(range->owner);
    g_free(range->description);
    pgm_list_remove(range->pgm->ranges, range);
    range->pages = NULL;
    range->touched = NULL;
}

uint64_t pgm_range_next_touched(const PgmRange *range, uint64_t from)
{
    uint64_t n_groups = (range->n_pages + PGM_TOUCH_PAGES - 1) >> PGM_TOUCH_SHIFT;
    uint64_t group = from >> PGM_TOUCH_SHIFT;

    if (from >= range->n_pages) {
        return range->n_pages;
    }
    if (range->touched[group >> 6] >> (group & 63) & 1) {
        return from;
    }
    for (group++; group < n_groups;) {
        uint64_t word = range->touched[group >> 6] >> (group & 63);

        if (word != 0) {
            group += (uint64_t)__builtin_ctzll(word);
            return group << PGM_TOUCH_SHIFT;
        }
        group = (group | 63) + 1;
    }
    return range->n_pages;
}

/* ---- the span table */

unsigned pgm_span_index_above(const Pgm *pgm, GPhys gpa)
{
    const PgmSpanTable *table = &pgm->spans;
    unsigned low = 0;
    unsigned high = table->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (table->spans[mid].last < gpa) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

const PgmSpan *pgm_span_at_or_above(const Pgm *pgm, GPhys gpa)
{
    unsigned i = pgm_span_index_above(pgm, gpa);

    return i < pgm->spans.n ? &pgm->spans.spans[i] : NULL;
}

const PgmSpan *pgm_span_lookup(Pgm *pgm, GPhys gpa)
{
    PgmSpan *slot = pgm_span_cache_slot(&pgm->spans, gpa);

    if (slot->range && gpa - slot->first <= slot->last - slot->first) {
        pgm->stats.range_cache_hits++;
        return slot;
    }
    pgm->stats.range_cache_misses++;
    const PgmSpan *span = pgm_span_at_or_above(pgm, gpa);

    if (!span || gpa < span->first) {
        return NULL;
    }
    *slot = *span;
    return slot;
}

bool pgm_place_lookup(Pgm *pgm, GPhys gpa, PgmPlace *ret_place)
{
    const PgmSpan *span = pgm_span_lookup(pgm, gpa);

    if (!span) {
        return false;
    }
    PgmRange *range = span->range;
    uint64_t index = (gpa - range->start) >> MEM_PAGE_SHIFT;

    *ret_place =
        (PgmPlace) { .gpa = gpa & MEM_PAGE_MASK, .shown = range, .range = range, .index = index };
    if (range->kind == PGM_RANGE_MMIO && range->pages) {
        pgm_mmio_follow_alias(ret_place);
    }
    return true;
}

/* Makes @n_new places at index @at for @n_old ones: room was made with the ranges. */
static PgmSpan *spans_splice(PgmSpanTable *table, unsigned at, unsigned n_old, unsigned n_new)
{
    unsigned n = table->n - n_old + n_new;

    g_assert(n <= table->n_allocated);
    memmove(&table->spans[at + n_new], &table->spans[at + n_old],
            (table->n - at - n_old) * sizeof(PgmSpan));
    table->n = n;
    return &table->spans[at];
}

static void spans_insert_over_ram(PgmSpanTable *table, unsigned at, PgmSpan new_span)
{
    PgmSpan ram = table->spans[at];
    bool left = ram.first < new_span.first;
    bool right = ram.last > new_span.last;
    PgmSpan *into = spans_splice(table, at, 1, 1u + left + right);

    if (left) {
        *into++ = (PgmSpan) { ram.first, new_span.first - 1, ram.range };
    }
    *into++ = new_span;
    if (right) {
        *into = (PgmSpan) { new_span.last + 1, ram.last, ram.range };
    }
}

static void spans_remove_from_ram(PgmSpanTable *table, unsigned at, PgmRange *ram)
{
    PgmSpan whole = { table->spans[at].first, table->spans[at].last, ram };
    unsigned first = at;
    unsigned n_old = 1;

    if (at > 0 && table->spans[at - 1].range == ram &&
        table->spans[at - 1].last + 1 == whole.first) {
        whole.first = table->spans[at - 1].first;
        first--;
        n_old++;
    }
    if (at + 1 < table->n && table->spans[at + 1].range == ram &&
        table->spans[at + 1].first == whole.last + 1) {
        whole.last = table->spans[at + 1].last;
        n_old++;
    }
    *spans_splice(table, first, n_old, 1) = whole;
}

/* ---- mapping */

static void report_conflict(const PgmRange *range, GPhys start, uint64_t len, const PgmSpan *span,
                            GError **error)
{
    g_set_error(error, MEM_ERROR, MEM_ERR_CONFLICT,
                "%s \"%s\" 0x%" PRIx64 "-0x%" PRIx64 " overlaps %s \"%s\" 0x%" PRIx64 "-0x%" PRIx64,
                pgm_range_kind_name(range->kind), range->description, start, start + len - 1,
                pgm_range_kind_name(span->range->kind), span->range->description, span->first,
                span->last);
}

static MemStatus check_place(const PgmRange *range, GPhys start, GError **error)
{
    uint64_t len = range->shown_pages << MEM_PAGE_SHIFT;

    if ((start & ~MEM_PAGE_MASK) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_UNALIGNED,
                    "%s \"%s\": address 0x%" PRIx64 " is not a multiple of 4 KiB",
                    pgm_range_kind_name(range->kind), range->description, start);
        return MEM_ERR_UNALIGNED;
    }
    if (start >= MEM_GPHYS_LIMIT || len > MEM_GPHYS_LIMIT - start) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "%s \"%s\": 0x%" PRIx64 " and 0x%" PRIx64
                    " bytes from there reach beyond 52 address bits",
                    pgm_range_kind_name(range->kind), range->description, start, len);
        return MEM_ERR_OUT_OF_RANGE;
    }
    return MEM_OK;
}

MemStatus pgm_range_check(const PgmRange *range, GPhys start, GError **error)
{
    const PgmSpanTable *table = &range->pgm->spans;
    uint64_t len = range->shown_pages << MEM_PAGE_SHIFT;
    MemStatus status = check_place(range, start, error);

    if (status != MEM_OK) {
        return status;
    }
    unsigned at = pgm_span_index_above(range->pgm, start);
    GPhys last = start + len - 1;

    if (at == table->n || table->spans[at].first > last) {
        return MEM_OK;
    }
    const PgmSpan *there = &table->spans[at];

    if (range->kind == PGM_RANGE_RAM || there->range->kind != PGM_RANGE_RAM ||
        there->first > start || there->last < last) {
        /* What lies beneath an overlay is fine by itself: name what is really in the way. */
        if (range->kind != PGM_RANGE_RAM && there->range->kind == PGM_RANGE_RAM &&
            at + 1 < table->n && table->spans[at + 1].first <= last &&
            table->spans[at + 1].range->kind != PGM_RANGE_RAM) {
            there++;
        }
        report_conflict(range, start, len, there, error);
        return MEM_ERR_CONFLICT;
    }
    return MEM_OK;
}

/* Table work alone. */
static MemStatus place_range(PgmRange *range, GPhys start, GError **error)
{
    PgmSpanTable *table = &range->pgm->spans;
    MemStatus status = pgm_range_check(range, start, error);

    if (status != MEM_OK) {
        return status;
    }
    PgmSpan new_span = { start, start + (range->shown_pages << MEM_PAGE_SHIFT) - 1, range };
    unsigned at = pgm_span_index_above(range->pgm, start);

    range->start = start;
    range->beneath = NULL;
    if (at < table->n && table->spans[at].first <= new_span.last) {
        range->beneath = table->spans[at].range;
        spans_insert_over_ram(table, at, new_span);
    } else {
        *spans_splice(table, at, 0, 1) = new_span;
    }
    return MEM_OK;
}

static void displace_range(PgmRange *range)
{
    PgmSpanTable *table = &range->pgm->spans;
    unsigned at = pgm_span_index_above(range->pgm, range->start);

    g_assert(at < table->n && table->spans[at].range == range);
    if (range->beneath) {
        spans_remove_from_ram(table, at, range->beneath);
    } else {
        (void)spans_splice(table, at, 1, 0);
    }
    range->start = MEM_GPHYS_NIL;
    range->beneath = NULL;
}

static void map_changed(Pgm *pgm)
{
    pgm_layout_changed(pgm);
    memset(pgm->spans.cache, 0, sizeof pgm->spans.cache);
    pgm_tlb_flush(pgm);
    pgm_tell_all(pgm, pgm->any_executed);
}

MemStatus pgm_range_map(PgmRange *range, GPhys start, GError **error)
{
    GPhys old = range->start;

    if (old == start && old != MEM_GPHYS_NIL) {
        return MEM_OK;
    }
    pgm_lock(range->pgm);
    if (old != MEM_GPHYS_NIL) {
        displace_range(range);
    }
    MemStatus status = place_range(range, start, error);

    if (status != MEM_OK) {
        if (old != MEM_GPHYS_NIL) {
            /* The place was left a moment ago and nobody was told: it fits again. */
            MemStatus back = place_range(range, old, NULL);

            g_assert(back == MEM_OK);
            memset(range->pgm->spans.cache, 0, sizeof range->pgm->spans.cache);
        }
        pgm_unlock(range->pgm);
        return status;
    }
    pgm_unlock(range->pgm);
    map_changed(range->pgm);
    return MEM_OK;
}

void pgm_range_unmap(PgmRange *range)
{
    if (range->start == MEM_GPHYS_NIL) {
        return;
    }
    pgm_lock(range->pgm);
    displace_range(range);
    pgm_unlock(range->pgm);
    map_changed(range->pgm);
}
