/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO ranges: where they lie, how an access is brought to sizes the device takes, and pages of
 * device memory shown inside (aliases).
 *
 * Bytes travel in address order. A device access of width w at a multiple of w (or anywhere, if the
 * device takes unaligned ones) covers as much of the guest access as possible; where even the
 * smallest width is more than what is left, the device is read and the bytes picked, or read,
 * merged and written.
 *
 * A callback may free its own range: the object stays until the last callback has returned. A guest
 * may point a device's DMA at the device itself: nested accesses are refused beyond a depth that no
 * sane one reaches.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

#define NESTING_MAX 8u

/* ---- one device access */

static unsigned min_size(const PgmMmio *mmio)
{
    return mmio->ops.min_size ? mmio->ops.min_size : 1;
}

static unsigned max_size(const PgmMmio *mmio)
{
    return mmio->ops.max_size ? mmio->ops.max_size : 8;
}

/* Register value from bytes in address order, and back. */
static uint64_t value_of(const PgmMmio *mmio, const uint8_t *bytes, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++) {
        unsigned shift = 8 * (mmio->ops.big_endian ? width - 1 - i : i);

        value |= (uint64_t)bytes[i] << shift;
    }
    return value;
}

static void bytes_of(const PgmMmio *mmio, uint64_t value, unsigned width, uint8_t *bytes)
{
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (mmio->ops.big_endian ? width - 1 - i : i)));
    }
}

static MemStatus device_read(PgmMmio *mmio, uint64_t offset, unsigned width, uint8_t *bytes)
{
    uint64_t value = UINT64_MAX;
    MemStatus status = MEM_OK;

    mmio->range.pgm->stats.mmio_reads++;
    if (mmio->ops.read) {
        status = mmio->ops.read(mmio->user, offset, width, &value);
    }
    bytes_of(mmio, status == MEM_OK ? value : UINT64_MAX, width, bytes);
    return status == MEM_OK ? MEM_OK : MEM_ERR_BUS_ERROR;
}

static MemStatus device_write(PgmMmio *mmio, uint64_t offset, unsigned width, const uint8_t *bytes)
{
    mmio->range.pgm->stats.mmio_writes++;
    if (!mmio->ops.write) {
        return MEM_OK;
    }
    MemStatus status = mmio->ops.write(mmio->user, offset, width, value_of(mmio, bytes, width));

    return status == MEM_OK ? MEM_OK : MEM_ERR_BUS_ERROR;
}

/* ---- splitting and widening */

/* The next device access for the bytes [offset, offset + len). */
typedef struct Step {
    uint64_t base;
    unsigned width;
    unsigned skip; /* bytes of the device access before @offset */
    unsigned n;    /* bytes of the guest access it serves */
} Step;

static Step next_step(const PgmMmio *mmio, uint64_t offset, uint64_t len, bool anywhere)
{
    unsigned width = max_size(mmio);

    while (width > min_size(mmio) && (width > len || (!anywhere && (offset & (width - 1)) != 0))) {
        width /= 2;
    }
    if (width <= len && (anywhere || (offset & (width - 1)) == 0)) {
        return (Step) { offset, width, 0, width };
    }
    uint64_t base = offset & ~(uint64_t)(width - 1);
    unsigned skip = (unsigned)(offset - base);

    return (Step) { base, width, skip, (unsigned)MIN(len, width - skip) };
}

/* May the device's own accesses start at any offset here without meeting a byte twice? */
static bool goes_anywhere(const PgmMmio *mmio, uint64_t len)
{
    if (!mmio->ops.unaligned) {
        return false;
    }
    bool one_access = len >= min_size(mmio) && len <= max_size(mmio) && (len & (len - 1)) == 0;

    return one_access || len % max_size(mmio) == 0;
}

/* False if the device is in too many accesses already. */
static bool mmio_enter(PgmMmio *mmio)
{
    if (mmio->busy >= NESTING_MAX) {
        return false;
    }
    mmio->busy++;
    return true;
}

static void mmio_leave(PgmMmio *mmio)
{
    if (--mmio->busy == 0 && mmio->dead) {
        g_free(mmio);
    }
}

MemStatus pgm_mmio_read_bytes(PgmRange *range, uint64_t offset, uint8_t *buf, uint64_t len)
{
    PgmMmio *mmio = pgm_mmio_of(range);
    bool anywhere = goes_anywhere(mmio, len);
    MemStatus status = MEM_OK;

    memset(buf, 0xff, len);
    if (!mmio_enter(mmio)) {
        return MEM_ERR_BUS_ERROR;
    }
    while (len > 0 && status == MEM_OK && !mmio->dead) {
        Step step = next_step(mmio, offset, len, anywhere);
        uint8_t bytes[8];

        status = device_read(mmio, step.base, step.width, bytes);
        if (status == MEM_OK) {
            memcpy(buf, bytes + step.skip, step.n);
        }
        buf += step.n;
        offset += step.n;
        len -= step.n;
    }
    mmio_leave(mmio);
    return status;
}

MemStatus pgm_mmio_write_bytes(PgmRange *range, uint64_t offset, const uint8_t *buf, uint64_t len)
{
    PgmMmio *mmio = pgm_mmio_of(range);
    bool anywhere = goes_anywhere(mmio, len);
    MemStatus status = MEM_OK;

    if (!mmio_enter(mmio)) {
        return MEM_ERR_BUS_ERROR;
    }
    while (len > 0 && status == MEM_OK && !mmio->dead) {
        Step step = next_step(mmio, offset, len, anywhere);
        uint8_t bytes[8];

        if (step.n < step.width) {
            status = device_read(mmio, step.base, step.width, bytes);
        }
        memcpy(bytes + step.skip, buf, step.n);
        if (status == MEM_OK && !mmio->dead) {
            status = device_write(mmio, step.base, step.width, bytes);
        }
        buf += step.n;
        offset += step.n;
        len -= step.n;
    }
    mmio_leave(mmio);
    return status;
}

/* ---- life and place */

static bool is_access_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

PgmMmio *pgm_mmio_new(Pgm *pgm, uint64_t len, const PgmMmioOps *ops, void *user, const char *owner,
                      const char *description, GError **error)
{
    g_autofree PgmMmio *mmio = g_new0(PgmMmio, 1);

    mmio->ops = *ops;
    mmio->user = user;
    g_assert(is_access_size(min_size(mmio)) && is_access_size(max_size(mmio)));
    g_assert(min_size(mmio) <= max_size(mmio));
    if (pgm_range_init(&mmio->range, pgm, PGM_RANGE_MMIO, len, false, owner, description, error) !=
        MEM_OK) {
        return NULL;
    }
    mmio->range.uniform = pgm_page_with_handler(
        pgm_page_make(PGM_PAGE_MMIO, PGM_PAGE_ZERO, MEM_ZERO_PAGE_ID), PGM_HANDLER_ALL);
    pgm_pages_count(pgm, mmio->range.uniform, mmio->range.n_pages, +1);
    return g_steal_pointer(&mmio);
}

void pgm_mmio_destroy(PgmRange *range)
{
    PgmMmio *mmio = pgm_mmio_of(range);

    pgm_tracking_range_gone(range);
    (void)pgm_mmio_unmap(mmio);
    pgm_pages_count(range->pgm, range->uniform, range->n_pages, -1);
    pgm_range_clear(range);
    if (mmio->busy != 0) {
        mmio->dead = true;
    } else {
        g_free(mmio);
    }
}

void pgm_mmio_free(PgmMmio *mmio)
{
    if (mmio) {
        pgm_mmio_destroy(&mmio->range);
    }
}

MemStatus pgm_mmio_map(PgmMmio *mmio, GPhys gpa, GError **error)
{
    return pgm_range_map(&mmio->range, gpa, error);
}

MemStatus pgm_mmio_unmap(PgmMmio *mmio)
{
    if (mmio->range.start == MEM_GPHYS_NIL) {
        return MEM_ERR_WRONG_ORDER;
    }
    pgm_mmio_unalias(mmio);
    pgm_range_unmap(&mmio->range);
    return MEM_OK;
}

GPhys pgm_mmio_address(const PgmMmio *mmio)
{
    return mmio->range.start;
}

/* ---- aliases */

static PgmMmio2 *mmio2_of_id(Pgm *pgm, PageId id)
{
    for (unsigned i = 0; i < pgm->ranges->len; i++) {
        PgmRange *range = g_ptr_array_index(pgm->ranges, i);

        if (range->kind == PGM_RANGE_MMIO2 && id - pgm_mmio2_of(range)->first_id < range->n_pages) {
            return pgm_mmio2_of(range);
        }
    }
    return NULL;
}

void pgm_mmio_follow_alias(PgmPlace *place)
{
    PgmPage page = place->shown->pages[place->index];

    if (pgm_page_type(page) != PGM_PAGE_MMIO2_ALIAS) {
        return;
    }
    PgmMmio *mmio = pgm_mmio_of(place->shown);
    PgmMmio2 *mmio2 = mmio->last_aliased;
    PageId id = pgm_page_id(page);

    if (!mmio2 || id - mmio2->first_id >= mmio2->range.n_pages) {
        mmio2 = mmio2_of_id(place->shown->pgm, id);
        g_assert(mmio2);
        mmio->last_aliased = mmio2;
    }
    place->range = &mmio2->range;
    place->index = id - mmio2->first_id;
}

static void remove_alias(PgmMmio2 *mmio2, unsigned at)
{
    PgmAlias alias = mmio2->aliases[at];
    PgmMmio *mmio = pgm_mmio_of(alias.mmio);

    pgm_layout_changed(mmio2->range.pgm);
    mmio2->aliases[at] = mmio2->aliases[--mmio2->n_aliases];
    mmio->n_aliases--;
    mmio->last_aliased = NULL;
    /* CPUs that were answered about the page behind know it by the MMIO2's record. */
    pgm_alias_shown_change(alias.mmio, alias.mmio_index, &mmio2->range, alias.index,
                           alias.mmio->uniform);
}

void pgm_mmio_drop_aliases_of(PgmRange *range)
{
    PgmMmio2 *mmio2 = pgm_mmio2_of(range);

    while (mmio2->n_aliases > 0) {
        remove_alias(mmio2, mmio2->n_aliases - 1);
    }
}

static void unalias_page(PgmMmio *mmio, uint64_t index)
{
    PgmPage page = mmio->range.pages[index];

    if (pgm_page_type(page) != PGM_PAGE_MMIO2_ALIAS) {
        return;
    }
    PgmMmio2 *mmio2 = mmio2_of_id(mmio->range.pgm, pgm_page_id(page));

    for (unsigned i = 0; i < mmio2->n_aliases; i++) {
        const PgmAlias *alias = &mmio2->aliases[i];

        if (alias->mmio == &mmio->range && alias->mmio_index == index) {
            remove_alias(mmio2, i);
            return;
        }
    }
    g_assert_not_reached();
}

void pgm_mmio_unalias(PgmMmio *mmio)
{
    for (uint64_t i = 0; mmio->n_aliases > 0 && i < mmio->range.n_pages; i++) {
        unalias_page(mmio, i);
    }
}

static bool make_alias_room(PgmMmio2 *mmio2)
{
    if (mmio2->n_aliases < mmio2->aliases_room) {
        return true;
    }
    unsigned room = MAX(2 * mmio2->aliases_room, 16);
    PgmAlias *grown = mmio2->range.pgm->os->try_realloc(mmio2->aliases, room * sizeof(PgmAlias));

    if (!grown) {
        return false;
    }
    mmio2->aliases = grown;
    mmio2->aliases_room = room;
    return true;
}

MemStatus pgm_mmio_alias(PgmMmio *mmio, uint64_t offset, PgmMmio2 *mmio2, uint64_t mmio2_offset)
{
    PgmRange *range = &mmio->range;
    PgmAlias alias = { range, offset >> MEM_PAGE_SHIFT, mmio2_offset >> MEM_PAGE_SHIFT };

    if (range->start == MEM_GPHYS_NIL) {
        return MEM_ERR_WRONG_ORDER;
    }
    if (((offset | mmio2_offset) & ~MEM_PAGE_MASK) != 0) {
        return MEM_ERR_UNALIGNED;
    }
    if (alias.mmio_index >= range->n_pages || alias.index >= mmio2->range.n_pages) {
        return MEM_ERR_OUT_OF_RANGE;
    }
    g_assert(mmio2->range.pgm == range->pgm);
    if (!make_alias_room(mmio2) || (!range->pages && !pgm_uniform_to_records(range))) {
        return MEM_ERR_HOST_MEMORY;
    }
    unalias_page(mmio, alias.mmio_index);
    PgmPage page = pgm_page_make(PGM_PAGE_MMIO2_ALIAS, PGM_PAGE_ALLOCATED,
                                 mmio2->first_id + (PageId)alias.index);

    pgm_alias_shown_change(range, alias.mmio_index, &mmio2->range, alias.index,
                           pgm_page_with_handler(page, PGM_HANDLER_DISABLED));
    pgm_layout_changed(range->pgm);
    mmio2->aliases[mmio2->n_aliases++] = alias;
    mmio->n_aliases++;
    return MEM_OK;
}
