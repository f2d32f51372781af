/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map and its pages in words: for info items, reports and error messages.
 */
#include "memsys/info-internal.h"

#include <inttypes.h>

const char *pgm_page_type_name(PgmPageType type)
{
    static const char *const names[PGM_N_PAGE_TYPES] = {
        [PGM_PAGE_RAM] = "RAM",
        [PGM_PAGE_MMIO2] = "MMIO2",
        [PGM_PAGE_MMIO2_ALIAS] = "MMIO2 alias",
        [PGM_PAGE_ROM] = "ROM",
        [PGM_PAGE_ROM_SHADOW] = "ROM shadow",
        [PGM_PAGE_MMIO] = "MMIO",
    };

    return (unsigned)type < PGM_N_PAGE_TYPES ? names[type] : "unknown type";
}

const char *pgm_page_state_name(PgmPageState state)
{
    static const char *const names[PGM_N_PAGE_STATES] = {
        [PGM_PAGE_ZERO] = "zero",
        [PGM_PAGE_ALLOCATED] = "allocated",
        [PGM_PAGE_WRITE_MONITORED] = "write-monitored",
        [PGM_PAGE_SHARED] = "shared",
        [PGM_PAGE_BALLOONED] = "ballooned",
    };

    return (unsigned)state < PGM_N_PAGE_STATES ? names[state] : "unknown state";
}

const char *pgm_range_kind_name(PgmRangeKind kind)
{
    static const char *const names[] = {
        [PGM_RANGE_RAM] = "RAM",
        [PGM_RANGE_ROM] = "ROM",
        [PGM_RANGE_MMIO] = "MMIO",
        [PGM_RANGE_MMIO2] = "MMIO2",
    };

    return (unsigned)kind < G_N_ELEMENTS(names) ? names[kind] : "unknown kind";
}

const char *pgm_rom_prot_name(PgmRomProt prot)
{
    static const char *const names[PGM_N_ROM_PROTS] = {
        [PGM_ROM_READ_ROM_WRITE_IGNORE] = "reads ROM, ignores writes",
        [PGM_ROM_READ_ROM_WRITE_RAM] = "reads ROM, writes RAM",
        [PGM_ROM_READ_RAM_WRITE_IGNORE] = "reads RAM, ignores writes",
        [PGM_ROM_READ_RAM_WRITE_RAM] = "reads and writes RAM",
    };

    return (unsigned)prot < PGM_N_ROM_PROTS ? names[prot] : "unknown protection";
}

static const char *handler_name(PgmHandlerState state)
{
    static const char *const names[] = {
        [PGM_HANDLER_NONE] = "none",
        [PGM_HANDLER_DISABLED] = "off",
        [PGM_HANDLER_WRITE] = "write",
        [PGM_HANDLER_ALL] = "all",
    };

    return names[state];
}

void pgm_info_lines_end(const PgmInfoLines *lines, const char *what)
{
    if (lines->n > PGM_INFO_MAX_LINES) {
        g_string_append_printf(lines->text, "... and %" PRIu64 " more %s\n",
                               lines->n - PGM_INFO_MAX_LINES, what);
    }
}

/* ---- ranges */

static PgmRangeInfo span_info(const PgmSpan *span)
{
    const PgmRange *range = span->range;

    return (PgmRangeInfo) { .start = span->first,
                            .len = span->last - span->first + 1,
                            .kind = range->kind,
                            .description = range->description,
                            .owner = range->owner,
                            .over_ram = range->beneath != NULL,
                            .shadowed = range->kind == PGM_RANGE_ROM &&
                                        ((const PgmRom *)range)->shadow != NULL };
}

unsigned pgm_range_count(const Pgm *pgm)
{
    return pgm->spans.n;
}

bool pgm_range_get(const Pgm *pgm, unsigned index, PgmRangeInfo *ret_info)
{
    if (index >= pgm->spans.n) {
        return false;
    }
    *ret_info = span_info(&pgm->spans.spans[index]);
    return true;
}

/* ---- pages */

/* The record that reads of the place see, with the handler and type of what is shown there. */
static PgmPage shown_page(const PgmPlace *place)
{
    PgmPage front = *pgm_range_page(place->range, place->index);
    PgmPage page = front;

    if (place->range->kind == PGM_RANGE_ROM &&
        pgm_rom_read_record(place->range, place->index) == PGM_RECORD_SHADOW) {
        page = pgm_page_with_handler(*pgm_shadow_page(place->range, place->index),
                                     pgm_page_handler(front));
    }
    if (place->shown != place->range) {
        page = (page & ~PGM_PAGE_TYPE_MASK) | pgm_page_make(PGM_PAGE_MMIO2_ALIAS, PGM_PAGE_ZERO, 0);
    }
    return page & ~PGM_PAGE_SEEN_BIT;
}

bool pgm_page_query(Pgm *pgm, GPhys gpa, PgmPageInfo *ret_info)
{
    PgmPlace place;

    if (!pgm_place_lookup(pgm, gpa, &place)) {
        return false;
    }
    PgmPage page = shown_page(&place);

    *ret_info = (PgmPageInfo) { .type = pgm_page_type(page),
                                .state = pgm_page_state(page),
                                .handler = pgm_page_handler(page),
                                .id = pgm_page_id(page),
                                .written = pgm_page_written(page),
                                .executed = pgm_page_type(page) != PGM_PAGE_MMIO &&
                                            pgm_page_executed(pgm, pgm_page_id(page)),
                                .range = span_info(pgm_span_at_or_above(pgm, gpa)) };
    return true;
}

char *pgm_describe(Pgm *pgm, GPhys gpa)
{
    PgmPageInfo info;

    if (!pgm_page_query(pgm, gpa, &info)) {
        return g_strdup_printf("0x%" PRIx64 ": nothing is registered here", gpa);
    }
    GString *text = g_string_new(NULL);

    g_string_printf(text, "0x%" PRIx64 ": %s \"%s\" 0x%" PRIx64 "-0x%" PRIx64, gpa,
                    pgm_range_kind_name(info.range.kind), info.range.description, info.range.start,
                    info.range.start + info.range.len - 1);
    if (info.range.owner[0] != '\0') {
        g_string_append_printf(text, " of %s", info.range.owner);
    }
    g_string_append_printf(text, "; page %s, %s", pgm_page_type_name(info.type),
                           pgm_page_state_name(info.state));
    if (info.type != PGM_PAGE_MMIO && info.handler != PGM_HANDLER_NONE) {
        g_string_append_printf(text, ", handler %s", handler_name(info.handler));
    }
    if (info.id != MEM_ZERO_PAGE_ID) {
        g_string_append_printf(text, ", host page 0x%x", info.id);
    }
    g_string_append(text, info.executed ? ", executed" : "");
    g_string_append(text, info.range.over_ram ? ", over RAM" : "");
    return g_string_free(text, FALSE);
}

/* ---- the map */

/* What the pages of one line have in common. */
typedef struct Run {
    GPhys first;
    PgmPage page;
    const char *prot;      /* of shadowed ROM; else NULL */
    const PgmRange *shown; /* whose pages an MMIO range shows here as aliases; else NULL */
} Run;

static void print_run(PgmInfoLines *lines, const PgmSpan *span, const Run *run, GPhys last)
{
    GString *text = lines->text;
    PgmPage page = run->page;
    const PgmRange *beneath = span->range->beneath;

    if (!pgm_info_line(lines)) {
        return;
    }
    g_string_append_printf(text, "  %016" PRIx64 "-%016" PRIx64 " %10" PRIu64 " pages  %-11s %-15s",
                           run->first, last, (last - run->first + 1) >> MEM_PAGE_SHIFT,
                           pgm_page_type_name(pgm_page_type(page)),
                           pgm_page_state_name(pgm_page_state(page)));
    if (pgm_page_handler(page) != PGM_HANDLER_NONE && pgm_page_type(page) != PGM_PAGE_MMIO) {
        g_string_append_printf(text, " handler %s", handler_name(pgm_page_handler(page)));
        pgm_handlers_print_names(span->range, run->first - span->range->start,
                                 last - span->range->start, text);
    }
    if (run->shown != NULL) {
        g_string_append_printf(text, " of \"%s\"", run->shown->description);
    }
    if (run->prot != NULL) {
        g_string_append_printf(text, " %s", run->prot);
    }
    if (beneath != NULL) {
        g_string_append_printf(text, " over RAM \"%s\"", beneath->description);
    }
    g_string_append_c(text, '\n');
}

static Run run_at(Pgm *pgm, PgmRange *range, GPhys gpa)
{
    const PgmPage shown_bits = PGM_PAGE_TYPE_MASK | PGM_PAGE_STATE_MASK | PGM_PAGE_HANDLER_MASK;
    uint64_t index = (gpa - range->start) >> MEM_PAGE_SHIFT;
    Run run = { .first = gpa };
    PgmPlace place;

    (void)pgm_place_lookup(pgm, gpa, &place);
    run.page = shown_page(&place) & shown_bits;
    run.shown = place.shown != place.range ? place.range : NULL;
    if (range->kind == PGM_RANGE_ROM && ((const PgmRom *)range)->shadow != NULL) {
        run.prot = pgm_rom_prot_name((PgmRomProt)((const PgmRom *)range)->prot[index]);
    }
    return run;
}

/* The next page that may differ from the one at @gpa: untouched RAM and plain MMIO are skipped. */
static GPhys next_page(const PgmSpan *span, GPhys gpa)
{
    PgmRange *range = span->range;
    uint64_t index = (gpa - range->start) >> MEM_PAGE_SHIFT;
    uint64_t next = index + 1;

    if (range->pages == NULL) {
        next = range->n_pages;
    } else if (range->kind == PGM_RANGE_RAM) {
        /* An untouched record is zero, and so are all up to the next touched one. */
        next = MAX(next, pgm_range_next_touched(range, index));
    }
    return MIN(range->start + (next << MEM_PAGE_SHIFT), span->last + 1);
}

static void print_span(Pgm *pgm, const PgmSpan *span, PgmInfoLines *lines)
{
    PgmRange *range = span->range;
    Run run = run_at(pgm, range, span->first);

    g_string_append_printf(lines->text, "%016" PRIx64 "-%016" PRIx64 " %s \"%s\"%s%s\n",
                           span->first, span->last, pgm_range_kind_name(range->kind),
                           range->description, range->owner[0] ? " of " : "", range->owner);
    for (GPhys gpa = next_page(span, span->first); gpa <= span->last; gpa = next_page(span, gpa)) {
        Run next = run_at(pgm, range, gpa);

        if (next.page != run.page || next.prot != run.prot || next.shown != run.shown) {
            print_run(lines, span, &run, gpa - 1);
            run = next;
        }
    }
    print_run(lines, span, &run, span->last);
}

void pgm_print_map(Pgm *pgm, GString *text)
{
    PgmInfoLines lines = { .text = text };

    for (unsigned i = 0; i < pgm->spans.n; i++) {
        PgmSpan span = pgm->spans.spans[i];

        print_span(pgm, &span, &lines);
    }
    pgm_info_lines_end(&lines, "runs of pages");
}

/* ---- the map as values */

static PgmPageRun page_at(Pgm *pgm, PgmRange *range, GPhys gpa)
{
    PgmPlace place = {
        .gpa = gpa, .shown = range, .range = range, .index = (gpa - range->start) >> MEM_PAGE_SHIFT
    };

    if (range->kind == PGM_RANGE_MMIO && range->pages != NULL) {
        pgm_mmio_follow_alias(&place);
    }
    PgmPage page = shown_page(&place);

    return (PgmPageRun) { .start = gpa,
                          .type = pgm_page_type(page),
                          .state = pgm_page_state(page),
                          .handler = pgm_page_handler(page),
                          .executed = pgm_page_type(page) != PGM_PAGE_MMIO &&
                                      pgm_page_executed(pgm, pgm_page_id(page)) };
}

static bool is_alike(const PgmPageRun *a, const PgmPageRun *b)
{
    return a->type == b->type && a->state == b->state && a->handler == b->handler &&
           a->executed == b->executed;
}

bool pgm_range_foreach_run(Pgm *pgm, unsigned index, PgmPageRunVisitor visit, void *user)
{
    if (index >= pgm->spans.n) {
        return false;
    }
    PgmSpan span = pgm->spans.spans[index];
    PgmPageRun run = page_at(pgm, span.range, span.first);

    for (GPhys gpa = next_page(&span, span.first); gpa <= span.last; gpa = next_page(&span, gpa)) {
        PgmPageRun next = page_at(pgm, span.range, gpa);

        if (!is_alike(&run, &next)) {
            run.n_pages = (gpa - run.start) >> MEM_PAGE_SHIFT;
            if (!visit(&run, user)) {
                return false;
            }
            run = next;
        }
    }
    run.n_pages = (span.last - run.start + 1) >> MEM_PAGE_SHIFT;
    return visit(&run, user);
}
