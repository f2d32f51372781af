/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Info items of ranges, handlers, watches and single pages.
 */
#include "memsys/info-internal.h"

#include <inttypes.h>

/* "0x000e0000-0x000fffff", or "not mapped". */
static void print_where(const PgmRange *range, GString *text)
{
    if (range->start == MEM_GPHYS_NIL) {
        g_string_append(text, "not mapped                       ");
    } else {
        g_string_append_printf(text, "%016" PRIx64 "-%016" PRIx64, range->start,
                               range->start + (range->shown_pages << MEM_PAGE_SHIFT) - 1);
    }
    g_string_append_printf(text, " \"%s\" of %s", range->description, range->owner);
    if (range->beneath != NULL) {
        g_string_append_printf(text, ", over RAM \"%s\"", range->beneath->description);
    }
}

static const PgmRange *range_at(const Pgm *pgm, unsigned i, PgmRangeKind kind)
{
    const PgmRange *range = g_ptr_array_index(pgm->ranges, i);

    return range->kind == kind ? range : NULL;
}

static void or_none(GString *text, size_t before, const char *what)
{
    if (text->len == before) {
        g_string_append_printf(text, "no %s\n", what);
    }
}

/* ---- ROM */

static void print_prot_runs(const PgmRom *rom, GString *text)
{
    PgmInfoLines lines = { .text = text };
    uint64_t first = 0;

    for (uint64_t i = 1; i <= rom->range.n_pages; i++) {
        if (i < rom->range.n_pages && rom->prot[i] == rom->prot[first]) {
            continue;
        }
        if (pgm_info_line(&lines)) {
            g_string_append_printf(text, "  offset %8" PRIx64 " %8" PRIu64 " pages  %s\n",
                                   first << MEM_PAGE_SHIFT, i - first,
                                   pgm_rom_prot_name((PgmRomProt)rom->prot[first]));
        }
        first = i;
    }
    pgm_info_lines_end(&lines, "runs of pages");
}

void pgm_info_rom(Pgm *pgm, GString *text)
{
    size_t before = text->len;

    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        const PgmRange *range = range_at(pgm, i, PGM_RANGE_ROM);

        if (range != NULL) {
            const PgmRom *rom = (const PgmRom *)range;

            print_where(range, text);
            g_string_append(text, rom->shadow != NULL ? ", with RAM behind\n" : "\n");
            print_prot_runs(rom, text);
        }
    }
    or_none(text, before, "ROM");
}

/* ---- devices */

void pgm_info_mmio(Pgm *pgm, GString *text)
{
    size_t before = text->len;

    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        const PgmRange *range = range_at(pgm, i, PGM_RANGE_MMIO);

        if (range != NULL) {
            const PgmMmio *mmio = (const PgmMmio *)range;

            print_where(range, text);
            g_string_append_printf(
                text, "\n  %" PRIu64 " pages, accesses of %u to %u bytes%s%s, %u pages aliased\n",
                range->n_pages, MAX(mmio->ops.min_size, 1),
                mmio->ops.max_size != 0 ? mmio->ops.max_size : 8,
                mmio->ops.unaligned ? ", unaligned too" : "",
                mmio->ops.big_endian ? ", big-endian" : "", mmio->n_aliases);
        }
    }
    or_none(text, before, "MMIO");
}

static uint64_t count_dirty(const PgmMmio2 *mmio2)
{
    uint64_t n = 0;

    for (uint64_t word = 0; mmio2->dirty != NULL && word < (mmio2->range.n_pages + 63) / 64;
         word++) {
        n += (unsigned)__builtin_popcountll(mmio2->dirty[word]);
    }
    return n;
}

void pgm_info_mmio2(Pgm *pgm, GString *text)
{
    size_t before = text->len;

    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        const PgmRange *range = range_at(pgm, i, PGM_RANGE_MMIO2);

        if (range != NULL) {
            const PgmMmio2 *mmio2 = (const PgmMmio2 *)range;

            print_where(range, text);
            g_string_append_printf(text,
                                   "\n  region %u, %" PRIu64 " of %" PRIu64
                                   " pages shown, host page 0x%x, %u aliases, ",
                                   mmio2->region, range->shown_pages, range->n_pages,
                                   mmio2->first_id, mmio2->n_aliases);
            if (mmio2->tracking) {
                g_string_append_printf(text, "%" PRIu64 " dirty pages\n", count_dirty(mmio2));
            } else {
                g_string_append(text, "writes not tracked\n");
            }
        }
    }
    or_none(text, before, "device memory");
}

/* ---- handlers and watches */

static void print_handler(PgmHandlerKind kind, GPhys start, uint64_t len, const char *description,
                          void *user)
{
    PgmInfoLines *lines = user;
    GString *text = lines->text;

    if (!pgm_info_line(lines)) {
        return;
    }
    if (start == MEM_GPHYS_NIL) {
        g_string_append_printf(text, "not mapped                        %10" PRIu64 " bytes", len);
    } else {
        g_string_append_printf(text, "%016" PRIx64 "-%016" PRIx64 " %10" PRIu64 " bytes", start,
                               start + len - 1, len);
    }
    g_string_append_printf(text, "  %-5s \"%s\"\n", kind == PGM_HANDLER_KIND_ALL ? "all" : "write",
                           description);
}

void pgm_info_handlers(Pgm *pgm, GString *text)
{
    size_t before = text->len;
    PgmInfoLines lines = { .text = text };

    pgm_handler_foreach(pgm, print_handler, &lines);
    pgm_info_lines_end(&lines, "handlers");
    or_none(text, before, "handlers");
}

static void print_watch(bool is_virtual, uint64_t first, uint64_t last, unsigned accesses,
                        bool before, PgmInfoLines *lines)
{
    if (!pgm_info_line(lines)) {
        return;
    }
    g_string_append_printf(lines->text, "%016" PRIx64 "-%016" PRIx64 " %-8s %c%c%c, told %s\n",
                           first, last, is_virtual ? "virtual" : "physical",
                           accesses & MEM_ACCESS_READ ? 'r' : '-',
                           accesses & MEM_ACCESS_WRITE ? 'w' : '-',
                           accesses & MEM_ACCESS_EXEC ? 'x' : '-', before ? "before" : "after");
}

void pgm_info_watches(Pgm *pgm, GString *text)
{
    size_t before = text->len;
    PgmInfoLines lines = { .text = text };

    pgm_watches_print(pgm, print_watch, &lines);
    pgm_info_lines_end(&lines, "watches");
    or_none(text, before, "watches");
}

/* ---- one page */

static void print_gmm_page(Pgm *pgm, PageId id, GString *text)
{
    GmmPageState state;
    GmmVm *owner = NULL;
    GPhys gpa = MEM_GPHYS_NIL;
    uint32_t refs = 0;

    if (id == MEM_ZERO_PAGE_ID) {
        g_string_append(text, "  host page: none, reads the zero page\n");
        return;
    }
    g_string_append_printf(text, "  host page: 0x%x", id);
    if (!gmm_page_query(pgm->gmm, id, &state, &owner, &gpa, &refs)) {
        g_string_append(text, ", unknown to the page allocator\n");
        return;
    }
    switch (state) {
    case GMM_PAGE_FREE:
        g_string_append(text, ", free");
        break;
    case GMM_PAGE_PRIVATE:
        g_string_append_printf(text, ", private to %s",
                               owner == pgm->mm.vm ? "this machine" : "another machine");
        break;
    case GMM_PAGE_SHARED:
        g_string_append_printf(text, ", shared, %u references", refs);
        break;
    }
    if (state == GMM_PAGE_PRIVATE && gpa != MEM_GPHYS_NIL) {
        g_string_append_printf(text, ", last told to back 0x%" PRIx64, gpa);
    }
    g_string_append_c(text, '\n');
}

static void print_record(Pgm *pgm, const char *what, PgmPage page, GString *text)
{
    g_string_append_printf(text, "%s: type %s, state %s\n", what,
                           pgm_page_type_name(pgm_page_type(page)),
                           pgm_page_state_name(pgm_page_state(page)));
    g_string_append_printf(text,
                           "  written %s, executed %s, kept by the snapshot %s, known to a CPU "
                           "%s, locks: %u read, %u write\n",
                           pgm_page_written(page) ? "yes" : "no",
                           pgm_page_executed(pgm, pgm_page_id(page)) ? "yes" : "no",
                           page & PGM_PAGE_SAVED_BIT ? "yes" : "no",
                           page & PGM_PAGE_SEEN_BIT ? "yes" : "no", pgm_page_read_locks(page),
                           pgm_page_write_locks(page));
    print_gmm_page(pgm, pgm_page_id(page), text);
}

static void print_watched(Pgm *pgm, GPhys gpa, GString *text)
{
    unsigned accesses = 0;

    for (unsigned access = MEM_ACCESS_READ; access <= MEM_ACCESS_EXEC; access <<= 1) {
        accesses |= pgm_watch_covers_page(pgm, gpa, access) ? access : 0;
    }
    if (accesses != 0) {
        g_string_append_printf(text, "watched for%s%s%s\n",
                               accesses & MEM_ACCESS_READ ? " reads" : "",
                               accesses & MEM_ACCESS_WRITE ? " writes" : "",
                               accesses & MEM_ACCESS_EXEC ? " execution" : "");
    }
}

static void print_memory(Pgm *pgm, const PgmPlace *place, GString *text)
{
    PgmRange *range = place->range;
    PgmPage page = *pgm_range_page(range, place->index);
    PgmHandlerState handler = pgm_page_handler(page);
    static const char *const handlers[] = { "none", "switched off", "write", "all" };

    if (range != place->shown) {
        g_string_append_printf(text, "shows device memory \"%s\" of %s, offset 0x%" PRIx64 "\n",
                               range->description, range->owner, place->index << MEM_PAGE_SHIFT);
    }
    g_string_append_printf(text, "handler: %s\n", handlers[handler]);
    print_record(pgm, "page", page, text);
    if (range->kind == PGM_RANGE_ROM) {
        const PgmRom *rom = (const PgmRom *)range;

        g_string_append_printf(text, "ROM protection: %s\n",
                               pgm_rom_prot_name((PgmRomProt)rom->prot[place->index]));
        if (rom->shadow != NULL) {
            print_record(pgm, "RAM behind", rom->shadow[place->index], text);
        }
    }
}

void pgm_info_page(Pgm *pgm, GPhys gpa, GString *text)
{
    g_autofree char *line = pgm_describe(pgm, gpa);
    PgmPlace place;

    g_string_append_printf(text, "%s\n", line);
    print_watched(pgm, gpa, text);
    if (!pgm_place_lookup(pgm, gpa, &place)) {
        return;
    }
    const PgmRange *shown = place.shown;

    g_string_append_printf(text, "page %" PRIu64 " of %" PRIu64 " of its range\n",
                           (gpa - shown->start) >> MEM_PAGE_SHIFT, shown->shown_pages);
    if (place.range->kind != PGM_RANGE_MMIO) {
        print_memory(pgm, &place, text);
        pgm_info_dirty_page(pgm, gpa, text);
    }
    if (shown->beneath != NULL) {
        PgmRange *ram = shown->beneath;

        g_string_append_printf(text, "beneath: \"%s\"\n", ram->description);
        print_record(pgm, "page beneath",
                     *pgm_range_page(ram, (gpa - ram->start) >> MEM_PAGE_SHIFT), text);
    }
}
