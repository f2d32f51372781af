/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine must be like for a saved state to fit: its RAM, and its ranges by name.
 */
#include "memsys/saved-internal.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

/* ---- mm */

/* RAM ranges never move, and are few: the next one above @from, or NULL. */
static PgmRange *next_ram(const Pgm *pgm, GPhys from)
{
    PgmRange *best = NULL;

    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        if (range->kind == PGM_RANGE_RAM && range->start >= from &&
            (!best || range->start < best->start)) {
            best = range;
        }
    }
    return best;
}

static uint32_t count_ram(const Pgm *pgm)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        n += ((const PgmRange *)g_ptr_array_index(pgm->ranges, i))->kind == PGM_RANGE_RAM;
    }
    return n;
}

static void put_text(MemStateWriter *writer, const char *text)
{
    if (strlen(text) > PGM_SAVED_TEXT_MAX) {
        mem_state_writer_fail(writer, "a range's name has %zu bytes", strlen(text));
        return;
    }
    mem_state_put_string(writer, text);
}

void pgm_saved_put_mm(Pgm *pgm, MemStateWriter *writer)
{
    GPhys from = 0;

    mem_state_begin_unit(writer, "mm", 0, PGM_SAVED_MM_VERSION);
    mem_state_put_u64(writer, pgm->mm.ram.size);
    mem_state_put_u64(writer, pgm->mm.ram.hole);
    mem_state_put_u32(writer, count_ram(pgm));
    for (const PgmRange *range; (range = next_ram(pgm, from)) != NULL; from = range->start + 1) {
        mem_state_put_u64(writer, range->start);
        mem_state_put_u64(writer, range->n_pages << MEM_PAGE_SHIFT);
        put_text(writer, range->description);
    }
    mem_state_end_unit(writer);
}

static bool check_number(MemStateReader *reader, const char *what, uint64_t machine, GError **error)
{
    uint64_t file;

    return mem_state_get_u64(reader, &file, error) &&
           (file == machine ||
            mem_state_bad(reader, error,
                          "%s of 0x%" PRIx64 " bytes (%" PRIu64 " MiB) was saved, this machine has "
                          "0x%" PRIx64 " (%" PRIu64 " MiB): give it the same",
                          what, file, file >> 20, machine, machine >> 20));
}

static bool check_region(const PgmRange *range, MemStateReader *reader, GError **error)
{
    uint64_t start, len;
    g_autofree char *description = NULL;

    if (!mem_state_get_u64(reader, &start, error) || !mem_state_get_u64(reader, &len, error)) {
        return false;
    }
    description = mem_state_get_string(reader, PGM_SAVED_TEXT_MAX, error);
    if (!description) {
        return false;
    }
    return (start == range->start && len == range->n_pages << MEM_PAGE_SHIFT) ||
           mem_state_bad(reader, error,
                         "RAM \"%s\" of 0x%" PRIx64 " bytes at 0x%" PRIx64
                         " was saved, this machine has \"%s\" of 0x%" PRIx64 " at 0x%" PRIx64,
                         description, len, start, range->description,
                         range->n_pages << MEM_PAGE_SHIFT, range->start);
}

bool pgm_saved_check_mm(Pgm *pgm, MemStateReader *reader, GError **error)
{
    uint32_t n_file, n_machine = count_ram(pgm);
    GPhys from = 0;

    if (mem_state_open_unit(reader, "mm", 0, PGM_SAVED_MM_VERSION, error) == 0 ||
        !check_number(reader, "RAM", pgm->mm.ram.size, error) ||
        !check_number(reader, "a RAM hole", pgm->mm.ram.hole, error) ||
        !mem_state_get_u32(reader, &n_file, error)) {
        return false;
    }
    if (n_file != n_machine) {
        return mem_state_bad(reader, error,
                             "%" PRIu32 " regions of RAM were saved, this machine has %" PRIu32,
                             n_file, n_machine);
    }
    for (const PgmRange *range; (range = next_ram(pgm, from)) != NULL; from = range->start + 1) {
        if (!check_region(range, reader, error)) {
            return false;
        }
    }
    return mem_state_unit_left(reader) == 0 ||
           mem_state_bad(reader, error, "%" PRIu64 " bytes are left over",
                         mem_state_unit_left(reader));
}

/* ---- the table of ranges */

static bool moves(PgmRangeKind kind)
{
    return kind == PGM_RANGE_MMIO || kind == PGM_RANGE_MMIO2;
}

static uint32_t region_of(PgmRange *range)
{
    return range->kind == PGM_RANGE_MMIO2 ? pgm_mmio2_of(range)->region : 0;
}

static bool is_shadowed(PgmRange *range)
{
    return range->kind == PGM_RANGE_ROM && pgm_rom_of(range)->shadow;
}

void pgm_saved_put_table(PgmSaver *saver)
{
    MemStateWriter *writer = saver->writer;

    mem_state_put_u32(writer, saver->n_ranges);
    for (uint32_t i = 0; i < saver->n_ranges; i++) {
        PgmRange *range = saver->ranges[i];
        uint64_t len = range->n_pages << MEM_PAGE_SHIFT;

        mem_state_put_u8(writer, (uint8_t)range->kind);
        mem_state_put_u8(writer, is_shadowed(range));
        mem_state_put_u32(writer, region_of(range));
        put_text(writer, range->owner);
        put_text(writer, range->description);
        mem_state_put_u64(writer, len);
        mem_state_put_u64(writer, moves(range->kind) ? MEM_GPHYS_NIL : range->start);
        mem_state_put_u64(
            writer, range->kind == PGM_RANGE_ROM ? XXH3_64bits(pgm_rom_of(range)->image, len) : 0);
    }
}

/* What a file says of a range. */
typedef struct Entry {
    uint8_t kind;
    uint8_t shadowed;
    uint32_t region;
    char *owner;
    char *description;
    uint64_t len;
    uint64_t start;
} Entry;

static void entry_clear(Entry *entry)
{
    g_free(entry->owner);
    g_free(entry->description);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Entry, entry_clear)

static bool get_entry(MemStateReader *reader, Entry *entry, GError **error)
{
    uint64_t image;

    if (!mem_state_get_u8(reader, &entry->kind, error) ||
        !mem_state_get_u8(reader, &entry->shadowed, error) ||
        !mem_state_get_u32(reader, &entry->region, error)) {
        return false;
    }
    entry->owner = mem_state_get_string(reader, PGM_SAVED_TEXT_MAX, error);
    if (!entry->owner) {
        return false;
    }
    entry->description = mem_state_get_string(reader, PGM_SAVED_TEXT_MAX, error);
    if (!entry->description || !mem_state_get_u64(reader, &entry->len, error) ||
        !mem_state_get_u64(reader, &entry->start, error) ||
        !mem_state_get_u64(reader, &image, error)) {
        return false;
    }
    return entry->kind <= PGM_RANGE_MMIO2 ||
           mem_state_bad(reader, error, "range \"%s\" is of unknown kind %u", entry->description,
                         entry->kind);
}

static bool is_it(const Entry *entry, PgmRange *range)
{
    return range->kind == (PgmRangeKind)entry->kind &&
           entry->len == range->n_pages << MEM_PAGE_SHIFT && entry->region == region_of(range) &&
           entry->shadowed == is_shadowed(range) &&
           entry->start == (moves(range->kind) ? MEM_GPHYS_NIL : range->start) &&
           strcmp(entry->owner, range->owner) == 0 &&
           /* What a piece of RAM is called says nothing about the machine. */
           (range->kind == PGM_RANGE_RAM || strcmp(entry->description, range->description) == 0);
}

static bool get_table(Pgm *pgm, MemStateReader *reader, PgmRange **ranges, uint8_t *taken,
                      GError **error)
{
    uint32_t n_file, n = pgm->ranges->len;

    if (!mem_state_get_u32(reader, &n_file, error)) {
        return false;
    }
    for (uint32_t i = 0; i < n_file; i++) {
        g_auto(Entry) entry = { 0 };
        uint32_t at = i, tries = 0;

        if (!get_entry(reader, &entry, error)) {
            return false;
        }
        /* Machines that were built alike have their ranges in the same order. */
        for (at = n > 0 ? i % n : 0; tries < n; tries++, at = (at + 1) % n) {
            if (!taken[at] && is_it(&entry, g_ptr_array_index(pgm->ranges, at))) {
                break;
            }
        }
        if (tries == n) {
            return mem_state_bad(reader, error,
                                 "%s \"%s\" of \"%s\" (region %" PRIu32 ", 0x%" PRIx64
                                 " bytes%s) was saved, this machine has none such",
                                 pgm_range_kind_name((PgmRangeKind)entry.kind), entry.description,
                                 entry.owner, entry.region, entry.len,
                                 entry.shadowed ? ", shadowed" : "");
        }
        taken[at] = 1;
        ranges[i] = g_ptr_array_index(pgm->ranges, at);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!taken[i]) {
            PgmRange *range = g_ptr_array_index(pgm->ranges, i);

            return mem_state_bad(reader, error,
                                 "this machine has %s \"%s\" of \"%s\" (region %" PRIu32
                                 ", 0x%" PRIx64 " bytes), which was not saved",
                                 pgm_range_kind_name(range->kind), range->description, range->owner,
                                 region_of(range), range->n_pages << MEM_PAGE_SHIFT);
        }
    }
    return true;
}

bool pgm_saved_get_table(Pgm *pgm, MemStateReader *reader, PgmRange **ranges, GError **error)
{
    uint8_t *taken = pgm->os->try_alloc0(pgm->ranges->len + 1);

    if (!taken) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "no host memory to load a saved state");
        return false;
    }
    bool good = get_table(pgm, reader, ranges, taken, error);

    pgm->os->free(taken);
    return good;
}
