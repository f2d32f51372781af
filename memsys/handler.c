/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access handlers. A handler belongs to bytes of a range, not to an address: it moves with its
 * MMIO2, sleeps while an overlay covers it, and is dropped (not freed) when the range goes.
 *
 * Invariants (pgm_handlers_verify() checks them):
 * 1. A range's handlers are sorted by offset and disjoint in bytes; ALL handlers cover whole pages.
 * 2. The handler state of a page is the strongest of the handlers that touch it, where one that is
 *    switched off on that page counts as DISABLED.
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>
#include <string.h>

#define HANDLERS_NAMED_MAX 4 /* of one run of pages in the map */

struct PgmHandler {
    Pgm *pgm;
    PgmRange *range; /* NULL: the range is gone */
    uint64_t offset; /* within the range, bytes */
    uint64_t len;
    PgmHandlerKind kind;
    PgmHandlerFunc func;
    void *user;
    char *description;
    uint64_t *off;  /* a bit a page, the handler's first is bit 0: switched off there; NULL: none */
    uint64_t n_off; /* bits set */
};

static uint64_t first_page(const PgmHandler *handler)
{
    return handler->offset >> MEM_PAGE_SHIFT;
}

static uint64_t last_page(const PgmHandler *handler)
{
    return (handler->offset + handler->len - 1) >> MEM_PAGE_SHIFT;
}

static bool is_off(const PgmHandler *handler, uint64_t index)
{
    uint64_t bit = index - first_page(handler);

    /* Asked of handlers that touch the page, so the bit is there. */
    return handler->off && (handler->off[bit >> 6] >> (bit & 63) & 1) != 0;
}

/* Index of the first handler of the range that ends after @offset. */
static unsigned handler_index_above(const PgmRange *range, uint64_t offset)
{
    unsigned low = 0;
    unsigned high = range->handlers ? range->handlers->len : 0;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const PgmHandler *handler = g_ptr_array_index(range->handlers, mid);

        if (handler->offset + handler->len <= offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

const PgmHandler *pgm_handler_at(const PgmRange *range, uint64_t offset, uint64_t *ret_run)
{
    unsigned i = handler_index_above(range, offset);

    *ret_run = UINT64_MAX;
    if (!range->handlers || i == range->handlers->len) {
        return NULL;
    }
    const PgmHandler *handler = g_ptr_array_index(range->handlers, i);

    if (offset < handler->offset) {
        *ret_run = handler->offset - offset;
        return NULL;
    }
    *ret_run = handler->offset + handler->len - offset;
    if (is_off(handler, offset >> MEM_PAGE_SHIFT)) {
        *ret_run = MIN(*ret_run, MEM_PAGE_SIZE - (offset & ~MEM_PAGE_MASK));
        return NULL;
    }
    return handler;
}

void pgm_handlers_print_names(const PgmRange *range, uint64_t first, uint64_t last, GString *text)
{
    unsigned begin = handler_index_above(range, first);
    unsigned end = begin;

    for (; range->handlers && end < range->handlers->len; end++) {
        const PgmHandler *handler = g_ptr_array_index(range->handlers, end);

        if (handler->offset > last) {
            break;
        }
        if (end - begin < HANDLERS_NAMED_MAX) {
            g_string_append_printf(text, " \"%s\"", handler->description);
        }
    }
    if (end - begin > HANDLERS_NAMED_MAX) {
        g_string_append_printf(text, " and %u more", end - begin - HANDLERS_NAMED_MAX);
    }
}

PgmHandlerResult pgm_handler_call(Pgm *pgm, const PgmHandler *handler,
                                  const PgmHandlerAccess *access)
{
    pgm->stats.handler_calls++;
    /* The handler may be gone when this returns. */
    return handler->func(pgm, access, handler->user);
}

PgmHandlerState pgm_handler_page_state(const PgmRange *range, uint64_t index, bool armed)
{
    PgmHandlerState state = PGM_HANDLER_NONE;
    unsigned n = range->handlers ? range->handlers->len : 0;

    for (unsigned i = handler_index_above(range, index << MEM_PAGE_SHIFT); i < n; i++) {
        const PgmHandler *handler = g_ptr_array_index(range->handlers, i);

        if (first_page(handler) > index) {
            break;
        }
        PgmHandlerState own =
            handler->kind == PGM_HANDLER_KIND_ALL ? PGM_HANDLER_ALL : PGM_HANDLER_WRITE;

        state = MAX(state, !armed && is_off(handler, index) ? PGM_HANDLER_DISABLED : own);
    }
    return state;
}

static void update_pages(PgmRange *range, uint64_t first, uint64_t last)
{
    bool batch = last - first >= PGM_TELL_EACH_MAX;

    if (batch) {
        pgm_batch_begin(range->pgm);
    }
    for (uint64_t i = first; i <= last; i++) {
        pgm_page_change(
            range, i, PGM_RECORD_FRONT,
            pgm_page_with_handler(range->pages[i], pgm_handler_page_state(range, i, false)));
    }
    if (batch) {
        pgm_batch_end(range->pgm);
    }
}

/* ---- registering */

static PgmRange *find_range(Pgm *pgm, GPhys start, uint64_t len)
{
    const PgmSpan *span = pgm_span_lookup(pgm, start);

    if (!span || span->range->kind == PGM_RANGE_MMIO) {
        return NULL;
    }
    uint64_t size = span->range->shown_pages << MEM_PAGE_SHIFT;
    uint64_t offset = start - span->range->start;

    return len <= size - offset ? span->range : NULL;
}

static bool check_new(PgmHandlerKind kind, GPhys start, uint64_t len, const char *description,
                      GError **error)
{
    if (len == 0 || len - 1 > UINT64_MAX - start) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "handler \"%s\": 0x%" PRIx64 " bytes at 0x%" PRIx64 " are no range",
                    description, len, start);
        return false;
    }
    if (kind == PGM_HANDLER_KIND_ALL && ((start | len) & ~MEM_PAGE_MASK) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_UNALIGNED,
                    "handler \"%s\": 0x%" PRIx64 " bytes at 0x%" PRIx64 " are not whole pages",
                    description, len, start);
        return false;
    }
    return true;
}

PgmHandler *pgm_handler_new(Pgm *pgm, PgmHandlerKind kind, GPhys start, uint64_t len,
                            PgmHandlerFunc func, void *user, const char *description,
                            GError **error)
{
    g_assert(func);
    g_assert(kind == PGM_HANDLER_KIND_WRITE || kind == PGM_HANDLER_KIND_ALL);
    description = description ? description : "";
    if (!check_new(kind, start, len, description, error)) {
        return NULL;
    }
    PgmRange *range = find_range(pgm, start, len);

    if (!range) {
        g_set_error(error, MEM_ERROR, MEM_ERR_NO_RANGE,
                    "handler \"%s\": 0x%" PRIx64 "-0x%" PRIx64
                    " does not lie in one range of RAM, ROM or MMIO2",
                    description, start, start + (len - 1));
        return NULL;
    }
    uint64_t offset = start - range->start;
    unsigned at = handler_index_above(range, offset);

    if (range->handlers && at < range->handlers->len) {
        const PgmHandler *other = g_ptr_array_index(range->handlers, at);

        if (other->offset < offset + len) {
            g_set_error(error, MEM_ERROR, MEM_ERR_HANDLER_CONFLICT,
                        "handler \"%s\" 0x%" PRIx64 "-0x%" PRIx64
                        " overlaps handler \"%s\" 0x%" PRIx64 "-0x%" PRIx64,
                        description, start, start + (len - 1), other->description,
                        range->start + other->offset,
                        range->start + other->offset + other->len - 1);
            return NULL;
        }
    }
    if (!range->handlers) {
        range->handlers = g_new0(PgmList, 1);
    }
    if (!pgm_list_reserve(pgm->os, range->handlers)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "handler \"%s\": no host memory for one more in \"%s\"", description,
                    range->description);
        return NULL;
    }
    PgmHandler *handler = g_new(PgmHandler, 1);

    *handler = (PgmHandler) { .pgm = pgm,
                              .range = range,
                              .offset = offset,
                              .len = len,
                              .kind = kind,
                              .func = func,
                              .user = user,
                              .description = g_strdup(description) };
    pgm_list_insert(range->handlers, at, handler);
    pgm->stats.handler_inserts++;
    pgm_layout_changed(pgm);
    update_pages(range, first_page(handler), last_page(handler));
    return handler;
}

void pgm_handler_free(PgmHandler *handler)
{
    if (!handler) {
        return;
    }
    PgmRange *range = handler->range;

    handler->pgm->stats.handler_removals++;
    if (range) {
        pgm_tracking_handler_gone(handler->pgm, handler);
        pgm_list_remove(range->handlers, handler);
        update_pages(range, first_page(handler), last_page(handler));
    }
    handler->pgm->os->free(handler->off);
    g_free(handler->description);
    g_free(handler);
}

void pgm_handlers_detach(PgmRange *range)
{
    for (unsigned i = 0; range->handlers && i < range->handlers->len; i++) {
        PgmHandler *handler = g_ptr_array_index(range->handlers, i);

        pgm_tracking_handler_gone(handler->pgm, handler);
        handler->range = NULL;
    }
    if (range->handlers) {
        pgm_list_clear(range->pgm->os, range->handlers);
        g_clear_pointer(&range->handlers, g_free);
    }
}

/* ---- switching off */

static uint64_t n_off_words(const PgmHandler *handler)
{
    return (last_page(handler) - first_page(handler)) / 64 + 1;
}

static MemStatus page_off(PgmHandler *handler, uint64_t index)
{
    PgmRange *range = handler->range;

    if (!handler->off) {
        handler->off = handler->pgm->os->try_alloc0(n_off_words(handler) * sizeof(uint64_t));
        if (!handler->off) {
            return MEM_ERR_HOST_MEMORY;
        }
    }
    uint64_t bit = index - first_page(handler);

    handler->n_off += is_off(handler, index) ? 0 : 1;
    handler->off[bit >> 6] |= UINT64_C(1) << (bit & 63);
    pgm_layout_changed(handler->pgm);
    update_pages(range, index, index);
    return MEM_OK;
}

MemStatus pgm_handler_page_off(PgmHandler *handler, GPhys gpa)
{
    PgmRange *range = handler->range;

    if (!range || range->start == MEM_GPHYS_NIL || gpa < range->start) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    uint64_t index = (gpa - range->start) >> MEM_PAGE_SHIFT;

    if (index < first_page(handler) || index > last_page(handler)) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    return page_off(handler, index);
}

void pgm_handler_reset(PgmHandler *handler)
{
    uint64_t n_off = handler->n_off;

    if (n_off == 0) {
        return;
    }
    handler->pgm->stats.handler_resets++;
    pgm_layout_changed(handler->pgm);
    handler->n_off = 0;
    /* The bits' memory stays: a restore may have to switch off again and must not fail. */
    for (uint64_t bit = 0; n_off > 0; bit++) {
        if ((handler->off[bit >> 6] >> (bit & 63) & 1) != 0) {
            handler->off[bit >> 6] &= ~(UINT64_C(1) << (bit & 63));
            n_off--;
            if (handler->range) {
                update_pages(handler->range, first_page(handler) + bit, first_page(handler) + bit);
            }
        }
    }
}

size_t pgm_handler_off_words(const PgmHandler *handler, const uint64_t **ret_words)
{
    *ret_words = handler->off;
    return handler->n_off > 0 ? n_off_words(handler) : 0;
}

void pgm_handler_restore_off(PgmHandler *handler, const uint64_t *words, size_t n_words)
{
    if (n_words == 0) {
        pgm_handler_reset(handler);
        return;
    }
    if (memcmp(handler->off, words, n_words * sizeof *words) == 0) {
        return;
    }
    pgm_handler_reset(handler);
    for (uint64_t bit = 0; bit < n_words * 64; bit++) {
        if ((words[bit >> 6] >> (bit & 63) & 1) != 0) {
            MemStatus status = page_off(handler, first_page(handler) + bit);

            g_assert(status == MEM_OK);
        }
    }
}

void pgm_handlers_rearm(PgmRange *range)
{
    for (unsigned i = 0; range->handlers && i < range->handlers->len; i++) {
        pgm_handler_reset(g_ptr_array_index(range->handlers, i));
    }
}

/* ---- for saved states */

void pgm_handlers_each_off(const PgmRange *range, PgmHandlerOffVisitor visit, void *user)
{
    for (unsigned i = 0; range->handlers && i < range->handlers->len; i++) {
        const PgmHandler *handler = g_ptr_array_index(range->handlers, i);
        uint64_t end = handler->off ? last_page(handler) + 1 : 0;

        for (uint64_t p = first_page(handler), n; p < end; p += n) {
            bool off = is_off(handler, p);

            for (n = 1; p + n < end && is_off(handler, p + n) == off; n++) {
            }
            if (off) {
                visit(range, handler->offset, p, n, user);
            }
        }
    }
}

MemStatus pgm_handlers_set_off(PgmRange *range, uint64_t offset, uint64_t index, uint64_t n)
{
    unsigned i = handler_index_above(range, offset);
    PgmHandler *handler =
        range->handlers && i < range->handlers->len ? g_ptr_array_index(range->handlers, i) : NULL;
    MemStatus status = MEM_OK;

    if (!handler || handler->offset != offset) {
        return MEM_OK;
    }
    uint64_t end = MIN(index + n, last_page(handler) + 1);

    for (uint64_t p = MAX(index, first_page(handler)); status == MEM_OK && p < end; p++) {
        status = page_off(handler, p);
    }
    return status;
}

/* ---- looking */

PgmHandler *pgm_handler_lookup(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;

    if (!pgm_place_lookup(pgm, gpa, &place) || !place.range->handlers) {
        return NULL;
    }
    uint64_t offset = pgm_place_offset(&place, gpa);
    unsigned i = handler_index_above(place.range, offset);

    if (i == place.range->handlers->len) {
        return NULL;
    }
    PgmHandler *handler = g_ptr_array_index(place.range->handlers, i);

    return offset >= handler->offset ? handler : NULL;
}

void pgm_handler_foreach(Pgm *pgm, PgmHandlerVisitor visit, void *user)
{
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        const PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        for (unsigned i = 0;
             range->start != MEM_GPHYS_NIL && range->handlers && i < range->handlers->len; i++) {
            const PgmHandler *handler = g_ptr_array_index(range->handlers, i);

            visit(handler->kind, range->start + handler->offset, handler->len, handler->description,
                  user);
        }
    }
}

unsigned pgm_handlers_verify(const PgmRange *range, GString *report)
{
    unsigned n_bad = 0;
    uint64_t end = 0;

    for (unsigned i = 0; range->handlers && i < range->handlers->len; i++) {
        const PgmHandler *handler = g_ptr_array_index(range->handlers, i);
        bool whole = ((handler->offset | handler->len) & ~MEM_PAGE_MASK) == 0;

        if (handler->range != range || handler->offset < end || handler->len == 0 ||
            handler->offset + handler->len > range->n_pages << MEM_PAGE_SHIFT ||
            (handler->kind == PGM_HANDLER_KIND_ALL && !whole)) {
            n_bad++;
            g_string_append_printf(report, "handler \"%s\" of \"%s\" is out of order\n",
                                   handler->description, range->description);
        }
        end = handler->offset + handler->len;
        for (uint64_t p = first_page(handler); p <= last_page(handler); p++) {
            if (pgm_page_handler(range->pages[p]) != pgm_handler_page_state(range, p, false)) {
                n_bad++;
                g_string_append_printf(
                    report, "page %" PRIu64 " of \"%s\": handler state is not that of handlers\n",
                    p, range->description);
            }
        }
    }
    return n_bad;
}
