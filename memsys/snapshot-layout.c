/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a snapshot that is no bytes: where MMIO and MMIO2 ranges show and how much of them,
 * aliases, ROM protections, which handlers are off where.
 *
 * Each such change gives the machine's layout a number that no layout had before
 * (pgm_layout_changed()); a capture remembers its number and the machine takes it again when the
 * capture is restored. Equal numbers are equal layouts, so most snapshots share one capture and
 * most restores look at nothing.
 */
#include "memsys/tracking-internal.h"

#include <string.h>

typedef struct LayoutRange {
    PgmRange *range; /* NULL: it has gone */
    GPhys start;
    uint64_t shown_pages;
    size_t prots_at; /* within prots; shadowed ROM only */
} LayoutRange;

typedef struct LayoutAlias {
    PgmRange *mmio, *mmio2; /* NULL: gone */
    uint64_t mmio_index, index;
} LayoutAlias;

typedef struct LayoutHandler {
    PgmHandler *handler; /* NULL: it has gone */
    size_t off_at;       /* within off; only if n_words is not 0 */
    size_t n_words;
} LayoutHandler;

/* The arrays lie behind the struct, in the same memory. */
struct PgmLayout {
    uint64_t n_refs;
    uint64_t generation;
    size_t n_ranges, n_aliases, n_handlers, n_off_words, n_prots;
    LayoutRange *ranges;
    LayoutAlias *aliases;
    LayoutHandler *handlers;
    uint64_t *off;
    uint8_t *prots;
};

static bool is_shadowed_rom(PgmRange *range)
{
    return range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow;
}

/* ---- capturing: the same walk once to count and once to fill */

static void add_range(PgmLayout *layout, PgmRange *range, bool fill)
{
    bool rom = is_shadowed_rom(range);

    if (range->kind == PGM_RANGE_RAM || (range->kind == PGM_RANGE_ROM && !rom)) {
        return;
    }
    if (fill) {
        layout->ranges[layout->n_ranges] = (LayoutRange) { .range = range,
                                                           .start = range->start,
                                                           .shown_pages = range->shown_pages,
                                                           .prots_at = layout->n_prots };
    }
    if (fill && rom) {
        memcpy(layout->prots + layout->n_prots, pgm_rom_of(range)->prot, range->n_pages);
    }
    layout->n_ranges++;
    layout->n_prots += rom ? range->n_pages : 0;
}

static void add_aliases(PgmLayout *layout, PgmRange *range, bool fill)
{
    const PgmMmio2 *mmio2 = range->kind == PGM_RANGE_MMIO2 ? pgm_mmio2_of(range) : NULL;

    for (unsigned i = 0; mmio2 && i < mmio2->n_aliases; i++, layout->n_aliases++) {
        const PgmAlias *alias = &mmio2->aliases[i];

        if (fill) {
            layout->aliases[layout->n_aliases] =
                (LayoutAlias) { alias->mmio, range, alias->mmio_index, alias->index };
        }
    }
}

static void add_handlers(PgmLayout *layout, const PgmRange *range, bool fill)
{
    for (unsigned i = 0; range->handlers && i < range->handlers->len; i++, layout->n_handlers++) {
        PgmHandler *handler = g_ptr_array_index(range->handlers, i);
        const uint64_t *off;
        size_t n_words = pgm_handler_off_words(handler, &off);

        if (fill) {
            layout->handlers[layout->n_handlers] =
                (LayoutHandler) { handler, layout->n_off_words, n_words };
        }
        if (fill && n_words > 0) {
            memcpy(layout->off + layout->n_off_words, off, n_words * sizeof *off);
        }
        layout->n_off_words += n_words;
    }
}

static void walk(Pgm *pgm, PgmLayout *layout, bool fill)
{
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        add_range(layout, range, fill);
        add_aliases(layout, range, fill);
        add_handlers(layout, range, fill);
    }
}

PgmLayout *pgm_layout_capture(Pgm *pgm)
{
    const PgmSnapshot *current = pgm->tracking->current;
    PgmLayout counts = { 0 };

    if (current && current->layout->generation == pgm->layout_now) {
        current->layout->n_refs++;
        return current->layout;
    }
    walk(pgm, &counts, false);
    PgmLayout *layout = pgm->os->try_alloc0(sizeof *layout + counts.n_ranges * sizeof(LayoutRange) +
                                            counts.n_aliases * sizeof(LayoutAlias) +
                                            counts.n_handlers * sizeof(LayoutHandler) +
                                            counts.n_off_words * sizeof(uint64_t) + counts.n_prots);

    if (!layout) {
        return NULL;
    }
    layout->n_refs = 1;
    layout->generation = pgm->layout_now;
    layout->ranges = (LayoutRange *)(layout + 1);
    layout->aliases = (LayoutAlias *)(layout->ranges + counts.n_ranges);
    layout->handlers = (LayoutHandler *)(layout->aliases + counts.n_aliases);
    layout->off = (uint64_t *)(layout->handlers + counts.n_handlers);
    layout->prots = (uint8_t *)(layout->off + counts.n_off_words);
    walk(pgm, layout, true);
    return layout;
}

void pgm_layout_unref(Pgm *pgm, PgmLayout *layout)
{
    if (--layout->n_refs == 0) {
        pgm->os->free(layout);
    }
}

void pgm_layout_forget(PgmLayout *layout, const PgmRange *range, const PgmHandler *handler)
{
    for (size_t i = 0; range && i < layout->n_ranges; i++) {
        if (layout->ranges[i].range == range) {
            layout->ranges[i].range = NULL;
        }
    }
    for (size_t i = 0; range && i < layout->n_aliases; i++) {
        if (layout->aliases[i].mmio == range || layout->aliases[i].mmio2 == range) {
            layout->aliases[i].mmio = NULL;
        }
    }
    for (size_t i = 0; handler && i < layout->n_handlers; i++) {
        if (layout->handlers[i].handler == handler) {
            layout->handlers[i].handler = NULL;
        }
    }
}

/* ---- restoring */

static bool is_in_place(const LayoutRange *want)
{
    return want->range->start == want->start && want->range->shown_pages == want->shown_pages;
}

static void unmap(PgmRange *range)
{
    if (range->kind == PGM_RANGE_MMIO) {
        (void)pgm_mmio_unmap(pgm_mmio_of(range));
    } else if (range->kind == PGM_RANGE_MMIO2) {
        (void)pgm_mmio2_unmap(pgm_mmio2_of(range));
    } else {
        pgm_range_unmap(range);
    }
}

/* Whatever lies over RAM or a hole where @want belongs was not there then. RAM stays. */
static void clear_place(Pgm *pgm, const LayoutRange *want)
{
    GPhys last = want->start + (want->shown_pages << MEM_PAGE_SHIFT) - 1;
    unsigned at = pgm_span_index_above(pgm, want->start);

    while (at < pgm->spans.n && pgm->spans.spans[at].first <= last) {
        PgmRange *there = pgm->spans.spans[at].range;

        if (there->kind == PGM_RANGE_RAM) {
            at++;
        } else {
            unmap(there);
            at = pgm_span_index_above(pgm, want->start);
        }
    }
}

/*
 * What moved leaves its place first, so that ranges may have traded places. A range that RAM
 * registered since then cuts into stays unmapped: nothing else in the map can have come in the way.
 */
static void restore_places(Pgm *pgm, const PgmLayout *layout)
{
    for (size_t i = 0; i < layout->n_ranges; i++) {
        const LayoutRange *want = &layout->ranges[i];

        if (want->range && !is_in_place(want)) {
            unmap(want->range);
            want->range->shown_pages = want->shown_pages;
        }
    }
    for (size_t i = 0; i < layout->n_ranges; i++) {
        const LayoutRange *want = &layout->ranges[i];

        if (want->range && want->range->start != want->start) {
            clear_place(pgm, want);
            (void)pgm_range_map(want->range, want->start, NULL);
        }
    }
}

static bool aliases_stand(Pgm *pgm, const PgmLayout *layout)
{
    size_t n = 0;

    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        n += range->kind == PGM_RANGE_MMIO2 ? pgm_mmio2_of(range)->n_aliases : 0;
    }
    for (size_t i = 0; i < layout->n_aliases; i++) {
        const LayoutAlias *want = &layout->aliases[i];

        if (!want->mmio) {
            continue;
        }
        PgmPage page = *pgm_range_page(want->mmio, want->mmio_index);

        if (pgm_page_type(page) != PGM_PAGE_MMIO2_ALIAS ||
            pgm_page_id(page) != pgm_mmio2_of(want->mmio2)->first_id + want->index) {
            return false;
        }
        n--;
    }
    return n == 0;
}

/* Room for as many was made when they were first: that is kept, so making them again cannot fail.
 */
static void restore_aliases(Pgm *pgm, const PgmLayout *layout)
{
    if (aliases_stand(pgm, layout)) {
        return;
    }
    for (unsigned r = 0; r < pgm->ranges->len; r++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, r);

        if (range->kind == PGM_RANGE_MMIO) {
            pgm_mmio_unalias(pgm_mmio_of(range));
        }
    }
    for (size_t i = 0; i < layout->n_aliases; i++) {
        const LayoutAlias *want = &layout->aliases[i];

        if (want->mmio && want->mmio->start != MEM_GPHYS_NIL) {
            MemStatus status =
                pgm_mmio_alias(pgm_mmio_of(want->mmio), want->mmio_index << MEM_PAGE_SHIFT,
                               pgm_mmio2_of(want->mmio2), want->index << MEM_PAGE_SHIFT);

            g_assert(status == MEM_OK);
        }
    }
}

/* Has the machine no range and no handler that the capture knows nothing of? */
static bool has_all(Pgm *pgm, const PgmLayout *layout)
{
    PgmLayout now = { 0 };

    walk(pgm, &now, false);
    for (size_t i = 0; i < layout->n_ranges; i++) {
        now.n_ranges -= layout->ranges[i].range != NULL;
    }
    for (size_t i = 0; i < layout->n_handlers; i++) {
        now.n_handlers -= layout->handlers[i].handler != NULL;
    }
    return now.n_ranges == 0 && now.n_handlers == 0;
}

void pgm_layout_restore(Pgm *pgm, PgmLayout *layout)
{
    if (layout->generation == pgm->layout_now) {
        return;
    }
    restore_places(pgm, layout);
    restore_aliases(pgm, layout);
    for (size_t i = 0; i < layout->n_ranges; i++) {
        const LayoutRange *want = &layout->ranges[i];

        if (want->range && want->range->kind == PGM_RANGE_ROM) {
            pgm_rom_restore_prots(want->range, layout->prots + want->prots_at);
        }
    }
    for (size_t i = 0; i < layout->n_handlers; i++) {
        const LayoutHandler *want = &layout->handlers[i];

        if (want->handler) {
            pgm_handler_restore_off(want->handler, layout->off + want->off_at, want->n_words);
        }
    }
    if (has_all(pgm, layout)) {
        pgm->layout_now = layout->generation;
    } else {
        pgm_layout_changed(pgm);
    }
}
