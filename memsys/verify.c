/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker: every rule recomputed from scratch, nothing trusted but the lists of ranges. Costs
 * by touched pages. Locks are in verify-locks.c; snapshots and dirty clients in tracking-verify.c.
 *
 * Rules of VirtualBox's that have no counterpart here: range generations, the lookup array and
 * chunk chains (ranges are one table, an MMIO2 is one run of pages); chunk mappings and their
 * reference counts (the arena is always mapped); GMM handles of pages in a mapping TLB.
 */
#include "memsys/pgm-internal.h"

#include <inttypes.h>
#include <string.h>

#define ROUND_UP_TO_PAGE(len) (((len) + MEM_PAGE_SIZE - 1) & MEM_PAGE_MASK)

typedef struct Check {
    Pgm *pgm;
    GString *report;
    unsigned n_bad;
    PgmPageCounts counts;
    uint64_t *seen; /* a bit a page id: private ids seen so far */
} Check;

G_GNUC_PRINTF(2, 3)
static void bad(Check *check, const char *format, ...)
{
    va_list args;

    check->n_bad++;
    va_start(args, format);
    g_string_append_vprintf(check->report, format, args);
    va_end(args);
    g_string_append_c(check->report, '\n');
}

/* ---- spans */

unsigned pgm_spans_verify(const Pgm *pgm, GString *report)
{
    unsigned n_bad = 0;
    GPhys next = 0;

    for (unsigned i = 0; i < pgm->spans.n; i++) {
        const PgmSpan *span = &pgm->spans.spans[i];
        const PgmRange *range = span->range;
        uint64_t size = range->shown_pages << MEM_PAGE_SHIFT;
        bool inside = range->start != MEM_GPHYS_NIL && span->first >= range->start &&
                      span->last <= range->start + size - 1 && span->first <= span->last;
        bool whole = range->kind == PGM_RANGE_RAM ||
                     (span->first == range->start && span->last == range->start + size - 1);
        bool merged = i > 0 && span[-1].range == range && span[-1].last + 1 == span->first;

        if (span->first < next || ((span->first | (span->last + 1)) & ~MEM_PAGE_MASK) != 0 ||
            !inside || !whole || merged) {
            n_bad++;
            g_string_append_printf(report, "span %u of \"%s\" is out of order\n", i,
                                   range->description);
        }
        next = span->last + 1;
    }
    return n_bad;
}

static void check_cache(Check *check)
{
    for (unsigned i = 0; i < PGM_RANGE_CACHE_SLOTS; i++) {
        const PgmSpan *slot = &check->pgm->spans.cache[i];

        if (!slot->range) {
            continue;
        }
        const PgmSpan *span = pgm_span_at_or_above(check->pgm, slot->first);

        if (!span || memcmp(span, slot, sizeof *span) != 0) {
            bad(check, "range cache slot %u holds a span that is not in the table", i);
        }
    }
}

/* ---- pages */

static void count_page(PgmPageCounts *counts, PgmPage page, uint64_t n)
{
    PgmPageState state = pgm_page_state(page);

    counts->all += n;
    counts->written += pgm_page_written(page) ? n : 0;
    counts->read_locked += pgm_page_read_locks(page) != 0 ? n : 0;
    counts->write_locked += pgm_page_write_locks(page) != 0 ? n : 0;
    if (pgm_page_type(page) == PGM_PAGE_MMIO || pgm_page_type(page) == PGM_PAGE_MMIO2_ALIAS) {
        counts->pure_mmio += n;
    } else if (state == PGM_PAGE_SHARED) {
        counts->shared += n;
    } else if (state == PGM_PAGE_ALLOCATED) {
        counts->private_pages += n;
    } else if (state == PGM_PAGE_WRITE_MONITORED) {
        counts->private_pages += n;
        counts->monitored += n;
    } else {
        counts->zero += n;
        counts->ballooned += state == PGM_PAGE_BALLOONED ? n : 0;
    }
}

/* False: it was seen before. */
static bool mark_seen(Check *check, PageId id)
{
    uint64_t bit = UINT64_C(1) << (id & 63);
    bool seen = (check->seen[id >> 6] & bit) != 0;

    check->seen[id >> 6] |= bit;
    return !seen;
}

static void check_id(Check *check, const PgmRange *range, uint64_t index, PgmPage page)
{
    Pgm *pgm = check->pgm;
    PageId id = pgm_page_id(page);
    bool shared = pgm_page_state(page) == PGM_PAGE_SHARED;
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    if (!gmm_page_query(pgm->gmm, id, &state, &owner, &gpa, &refs)) {
        bad(check, "page %" PRIu64 " of \"%s\": no host page 0x%x", index, range->description, id);
        return;
    }
    if (state != (shared ? GMM_PAGE_SHARED : GMM_PAGE_PRIVATE) ||
        (!shared && owner != pgm->mm.vm)) {
        bad(check, "page %" PRIu64 " of \"%s\": GMM sees host page 0x%x otherwise", index,
            range->description, id);
    }
    if (pgm_id_executed(pgm, id) && !pgm->any_executed) {
        bad(check, "page %" PRIu64 " of \"%s\": executed, and nobody would be told", index,
            range->description);
    }
    if (!shared && !mark_seen(check, id)) {
        bad(check, "page %" PRIu64 " of \"%s\": host page 0x%x is used twice", index,
            range->description, id);
    }
}

static bool type_fits(PgmRangeKind kind, PgmRecord which, PgmPageType type)
{
    switch (kind) {
    case PGM_RANGE_RAM:
        return type == PGM_PAGE_RAM;
    case PGM_RANGE_ROM:
        return type == (which == PGM_RECORD_SHADOW ? PGM_PAGE_ROM_SHADOW : PGM_PAGE_ROM);
    case PGM_RANGE_MMIO:
        return type == PGM_PAGE_MMIO || type == PGM_PAGE_MMIO2_ALIAS;
    case PGM_RANGE_MMIO2:
        return type == PGM_PAGE_MMIO2;
    }
    return false;
}

static void check_page(Check *check, const PgmRange *range, uint64_t index, PgmRecord which,
                       PgmPage page)
{
    PgmPageState state = pgm_page_state(page);
    bool owns = state == PGM_PAGE_ALLOCATED || state == PGM_PAGE_WRITE_MONITORED ||
                state == PGM_PAGE_SHARED;

    count_page(&check->counts, page, 1);
    if (state >= PGM_N_PAGE_STATES || !type_fits(range->kind, which, pgm_page_type(page))) {
        bad(check, "page %" PRIu64 " of \"%s\": type or state does not fit", index,
            range->description);
        return;
    }
    if (owns != (pgm_page_id(page) != MEM_ZERO_PAGE_ID)) {
        bad(check, "page %" PRIu64 " of \"%s\": %s with host page 0x%x", index, range->description,
            pgm_page_state_name(state), pgm_page_id(page));
        return;
    }
    if (state == PGM_PAGE_BALLOONED && range->kind != PGM_RANGE_RAM) {
        bad(check, "page %" PRIu64 " of \"%s\": ballooned, but no RAM", index, range->description);
    }
    if (owns && range->kind != PGM_RANGE_MMIO) {
        check_id(check, range, index, page);
    }
    if (state != PGM_PAGE_ALLOCATED && pgm_page_written(page)) {
        bad(check, "page %" PRIu64 " of \"%s\": written, but %s", index, range->description,
            pgm_page_state_name(state));
    }
    if (range->kind != PGM_RANGE_MMIO && which == PGM_RECORD_FRONT &&
        pgm_page_handler(page) != pgm_handler_page_state(range, index, false)) {
        bad(check, "page %" PRIu64 " of \"%s\": handler state %d without its handler", index,
            range->description, pgm_page_handler(page));
    }
}

/* ---- ranges */

static void check_ram(Check *check, const PgmRange *range)
{
    uint64_t i = 0;
    uint64_t n_touched = 0;

    while ((i = pgm_range_next_touched(range, i)) < range->n_pages) {
        check_page(check, range, i, PGM_RECORD_FRONT, range->pages[i]);
        n_touched++;
        i++;
    }
    count_page(&check->counts, 0, range->n_pages - n_touched);
}

static void check_rom(Check *check, PgmRange *range)
{
    const PgmRom *rom = pgm_rom_of(range);

    for (uint64_t i = 0; i < range->n_pages; i++) {
        check_page(check, range, i, PGM_RECORD_FRONT, range->pages[i]);
        PgmPageState state = pgm_page_state(range->pages[i]);

        /* Shared as registered; its own once poked, and armed if somebody keeps track. */
        if (state != PGM_PAGE_SHARED && state != PGM_PAGE_ALLOCATED &&
            state != PGM_PAGE_WRITE_MONITORED) {
            bad(check, "page %" PRIu64 " of ROM \"%s\" has no bytes", i, range->description);
        }
        if (state == PGM_PAGE_SHARED &&
            memcmp(pgm_host(check->pgm, pgm_page_id(range->pages[i])),
                   rom->image + (i << MEM_PAGE_SHIFT), MEM_PAGE_SIZE) != 0) {
            bad(check, "page %" PRIu64 " of ROM \"%s\" was never written and is not the image's", i,
                range->description);
        }
        if (rom->prot[i] >= PGM_N_ROM_PROTS) {
            bad(check, "page %" PRIu64 " of ROM \"%s\" has no protection", i, range->description);
        }
        if (rom->shadow) {
            check_page(check, range, i, PGM_RECORD_SHADOW, rom->shadow[i]);
        } else if (rom->prot[i] != PGM_ROM_READ_ROM_WRITE_IGNORE) {
            bad(check, "page %" PRIu64 " of ROM \"%s\" shows a shadow it has not", i,
                range->description);
        }
    }
}

static void check_mmio(Check *check, PgmRange *range)
{
    unsigned n_aliases = 0;

    if (!range->pages) {
        check_page(check, range, 0, PGM_RECORD_FRONT, range->uniform);
        count_page(&check->counts, range->uniform, range->n_pages - 1);
    }
    for (uint64_t i = 0; range->pages && i < range->n_pages; i++) {
        check_page(check, range, i, PGM_RECORD_FRONT, range->pages[i]);
        n_aliases += pgm_page_type(range->pages[i]) == PGM_PAGE_MMIO2_ALIAS;
    }
    if (n_aliases != pgm_mmio_of(range)->n_aliases) {
        bad(check, "MMIO \"%s\" shows %u aliases and counts %u", range->description, n_aliases,
            pgm_mmio_of(range)->n_aliases);
    }
}

static void check_mmio2(Check *check, PgmRange *range)
{
    const PgmMmio2 *mmio2 = pgm_mmio2_of(range);

    for (uint64_t i = 0; i < range->n_pages; i++) {
        PgmPage page = range->pages[i];

        check_page(check, range, i, PGM_RECORD_FRONT, page);
        if (pgm_page_id(page) != mmio2->first_id + i) {
            bad(check, "page %" PRIu64 " of MMIO2 \"%s\" has left its run", i, range->description);
        }
        if (mmio2->tracking && pgm_page_state(page) == PGM_PAGE_ALLOCATED &&
            (mmio2->dirty[i / 64] >> (i % 64) & 1) == 0) {
            bad(check, "page %" PRIu64 " of MMIO2 \"%s\" could be written without a trace", i,
                range->description);
        }
    }
    for (unsigned i = 0; i < mmio2->n_aliases; i++) {
        const PgmAlias *alias = &mmio2->aliases[i];

        if (!alias->mmio->pages ||
            pgm_page_id(alias->mmio->pages[alias->mmio_index]) != mmio2->first_id + alias->index) {
            bad(check, "alias %u of MMIO2 \"%s\" is not what the MMIO range shows", i,
                range->description);
        }
    }
}

static void check_range(Check *check, PgmRange *range)
{
    switch (range->kind) {
    case PGM_RANGE_RAM:
        check_ram(check, range);
        break;
    case PGM_RANGE_ROM:
        check_rom(check, range);
        break;
    case PGM_RANGE_MMIO:
        check_mmio(check, range);
        break;
    case PGM_RANGE_MMIO2:
        check_mmio2(check, range);
        break;
    }
    if (range->start != MEM_GPHYS_NIL && range->kind != PGM_RANGE_RAM) {
        const PgmSpan *span = pgm_span_at_or_above(check->pgm, range->start);

        if (!span || span->range != range) {
            bad(check, "\"%s\" is mapped and not shown", range->description);
        }
    }
    /* A ROM that came after a snapshot and was in the way of its restore has no place any more. */
    bool rom_may_rest = range->kind == PGM_RANGE_ROM && check->pgm->tracking;

    if (range->start == MEM_GPHYS_NIL && range->kind != PGM_RANGE_MMIO &&
        range->kind != PGM_RANGE_MMIO2 && !rom_may_rest) {
        bad(check, "\"%s\" is mapped nowhere", range->description);
    }
    if (range->pgm != check->pgm || !range->owner || !range->description ||
        range->shown_pages == 0 || range->shown_pages > range->n_pages) {
        bad(check, "range at 0x%" PRIx64 " is not whole", range->start);
    }
    check->n_bad += pgm_handlers_verify(range, check->report);
    check->n_bad += pgm_locks_verify(range, check->report);
}

/* ---- the rest */

static void check_counts(Check *check)
{
    const PgmPageCounts *have = &check->pgm->stats.pages;

    if (memcmp(have, &check->counts, sizeof *have) != 0) {
        bad(check,
            "page counts (all private shared zero mmio monitored ballooned written) are %" PRIu64
            " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            ", recounted %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64 " %" PRIu64,
            have->all, have->private_pages, have->shared, have->zero, have->pure_mmio,
            have->monitored, have->ballooned, have->written, check->counts.all,
            check->counts.private_pages, check->counts.shared, check->counts.zero,
            check->counts.pure_mmio, check->counts.monitored, check->counts.ballooned,
            check->counts.written);
    }
    if (have->all != have->private_pages + have->shared + have->zero + have->pure_mmio) {
        bad(check, "all pages are not the sum of their kinds");
    }
}

static void check_tlb(Check *check)
{
    Pgm *pgm = check->pgm;

    for (uint64_t i = 0; i <= pgm->tlb.mask; i++) {
        const PgmTlbSlot *slot = &pgm->tlb.slots[i];
        GPhys gpa = slot->tag & MEM_PAGE_MASK;
        bool read = (slot->tag & pgm_tlb_tag(0, MEM_ACCESS_READ)) != 0;
        bool write = (slot->tag & pgm_tlb_tag(0, MEM_ACCESS_WRITE)) != 0;
        PgmPlace place;
        PgmView view;

        if (slot->tag == 0) {
            continue;
        }
        if (((gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask) != i || !pgm_place_lookup(pgm, gpa, &place)) {
            bad(check, "TLB slot %" PRIu64 " holds 0x%" PRIx64 ", which is not there", i, gpa);
            continue;
        }
        if ((slot->tag & ~(MEM_PAGE_MASK | pgm_tlb_tag(0, MEM_ACCESS_READ | MEM_ACCESS_WRITE))) !=
            0) {
            bad(check, "TLB tag of 0x%" PRIx64 " has bits that mean nothing", gpa);
        }
        pgm_view(&place, &view);
        if (gpa + slot->addend != (uint64_t)(uintptr_t)pgm_host(pgm, view.read_id) ||
            !view.has_memory) {
            bad(check, "TLB entry of 0x%" PRIx64 " shows other memory", gpa);
        }
        if ((read && view.read_caught) ||
            (write &&
             (view.write_caught || !view.writable || pgm_page_executed(pgm, view.read_id))) ||
            (read && pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_READ)) ||
            (write && pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_WRITE))) {
            bad(check, "TLB entry of 0x%" PRIx64 " permits too much", gpa);
        }
    }
}

/* A page in stock is the machine's own, and no record's. */
static void check_stock(Check *check)
{
    const PgmHandyStock *handy = &check->pgm->handy;

    if (handy->n > MM_HANDY_PAGES || handy->n_used > MM_HANDY_PAGES ||
        check->pgm->freeing.n > PGM_FREE_BATCH) {
        bad(check, "the stock of handy pages holds more than it can");
        return;
    }
    for (unsigned i = 0; i < handy->n; i++) {
        PageId id = handy->pages[i].id;
        GmmPageState state;
        GmmVm *owner;
        GPhys gpa;
        uint32_t refs;

        if (!gmm_page_query(check->pgm->gmm, id, &state, &owner, &gpa, &refs) ||
            state != GMM_PAGE_PRIVATE || owner != check->pgm->mm.vm || !mark_seen(check, id)) {
            bad(check, "handy page 0x%x is not the machine's to give", id);
        }
    }
}

static void check_gmm_counts(Check *check)
{
    const Pgm *pgm = check->pgm;
    uint64_t stock = pgm->handy.n + pgm->freeing.n + pgm_tracking_host_pages(pgm);
    GmmVmStats stats;

    if (!pgm->mm.initial_done) {
        return;
    }
    gmm_vm_get_stats(pgm->mm.vm, &stats);
    if (stats.ballooned_pages != pgm->stats.pages.ballooned ||
        pgm->ballooned_known != pgm->stats.pages.ballooned) {
        bad(check, "GMM counts %" PRIu64 " ballooned pages, records %" PRIu64,
            stats.ballooned_pages, pgm->stats.pages.ballooned);
    }
    if (stats.private_pages + stats.shared_pages !=
        pgm->stats.pages.private_pages + pgm->stats.pages.shared + stock) {
        bad(check,
            "GMM counts %" PRIu64 " private and %" PRIu64 " shared pages; records %" PRIu64
            ", %" PRIu64 " and %" PRIu64 " in stock",
            stats.private_pages, stats.shared_pages, pgm->stats.pages.private_pages,
            pgm->stats.pages.shared, stock);
    }
}

unsigned pgm_verify(Pgm *pgm, GString *report)
{
    g_autoptr(GString) own = g_string_new(NULL);
    PgmStats events = pgm->stats;
    Check check = { .pgm = pgm, .report = report ? report : own };

    size_t seen_len = ROUND_UP_TO_PAGE(gmm_arena_size(pgm->gmm) / MEM_PAGE_SIZE / 8);

    check.seen = pgm->os->map_zeros(seen_len);
    if (check.seen == NULL) {
        bad(&check, "the host has no memory to check with");
        return check.n_bad;
    }
    check.n_bad += pgm_spans_verify(pgm, check.report);
    check_cache(&check);
    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        check_range(&check, g_ptr_array_index(pgm->ranges, i));
    }
    check_counts(&check);
    check_gmm_counts(&check);
    check_stock(&check);
    check.n_bad += pgm_watches_verify(pgm, check.report);
    check_tlb(&check);
    check.n_bad += pgm_tracking_verify(pgm, check.report);
    if (pgm->batch_depth != 0) {
        bad(&check, "a batch of changes was left open");
    }
    pgm->os->unmap(check.seen, seen_len);
    pgm->stats = events; /* looking is no event */
    return check.n_bad;
}
