/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow path of typed accesses. The order is: watches "before", then the pieces of one or two
 * pages (piece.c), then watches "after".
 *
 * Handlers and devices may change the map, so nothing looked up before a callback is used after it.
 */
#include "memsys/guest-bytes-internal.h"
#include "memsys/pgm-internal.h"

#include <string.h>

/* ---- one access, perhaps in two pages */

/* Bytes of the access that the page or device at @gpa takes. 0: past the end of all addresses. */
static uint32_t first_part(Pgm *pgm, GPhys gpa, uint32_t len)
{
    uint32_t in_page = (uint32_t)MEM_PAGE_SIZE - pgm_page_offset(gpa);
    PgmPlace place;
    PgmPlace next;

    if (in_page >= len) {
        return len;
    }
    /* An access that stays inside one device is that device's to split. */
    if (gpa + in_page != 0 && pgm_place_lookup(pgm, gpa, &place) &&
        place.range->kind == PGM_RANGE_MMIO && pgm_place_lookup(pgm, gpa + in_page, &next) &&
        next.range == place.range && next.index == place.index + 1) {
        return len;
    }
    return in_page;
}

/* Little-endian bytes from and to values; the common sizes are one host access. */
static void store_le(uint8_t *bytes, unsigned size, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    switch (size) {
    case 1:
        bytes[0] = (uint8_t)value;
        break;
    case 2:
        memcpy(bytes, &value, 2);
        break;
    case 4:
        memcpy(bytes, &value, 4);
        break;
    default:
        memcpy(bytes, &value, size);
        break;
    }
}

/* By size, not through a zeroed word: a wide load of what narrow stores made would wait for them,
 * and accesses that miss the caches would no longer overlap. */
static uint64_t load_le(const uint8_t *bytes, unsigned size)
{
    uint16_t value16;
    uint32_t value32;
    uint64_t value = 0;

    switch (size) {
    case 1:
        return bytes[0];
    case 2:
        memcpy(&value16, bytes, sizeof(value16));
        return GUINT16_FROM_LE(value16);
    case 4:
        memcpy(&value32, bytes, sizeof(value32));
        return GUINT32_FROM_LE(value32);
    default:
        memcpy(&value, bytes, size);
        return GUINT64_FROM_LE(value);
    }
}

/* The same with memory of the guest. */
static void guest_store_le(uint8_t *host, unsigned size, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    guest_store(host, &value, size);
}

static uint64_t guest_load_le(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    guest_load(&value, host, size);
    return GUINT64_FROM_LE(value);
}

static uint64_t all_ones(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

static MemStatus read_parts(Pgm *pgm, GPhys gpa, uint8_t *bytes, uint32_t size, MemOrigin origin)
{
    uint32_t n = first_part(pgm, gpa, size);
    MemStatus status = pgm_piece_read(pgm, gpa, bytes, n, origin);

    if (status == MEM_OK && n < size) {
        if (gpa + n == 0) {
            memset(bytes + n, 0xff, size - n);
            return MEM_OK;
        }
        status = pgm_piece_read(pgm, gpa + n, bytes + n, size - n, origin);
    }
    return status;
}

static MemStatus write_parts(Pgm *pgm, GPhys gpa, const uint8_t *bytes, uint32_t size,
                             MemOrigin origin)
{
    uint32_t n = first_part(pgm, gpa, size);
    MemStatus status = pgm_piece_write(pgm, gpa, bytes, n, origin);

    if (status == MEM_OK && n < size && gpa + n != 0) {
        status = pgm_piece_write(pgm, gpa + n, bytes + n, size - n, origin);
    }
    return status;
}

static void fill_after(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;
    PgmView view;

    if (pgm_place_lookup(pgm, gpa, &place) && place.range->kind != PGM_RANGE_MMIO) {
        pgm_view(&place, &view);
        pgm_tlb_fill(pgm, &place, &view);
    }
}

/*
 * The most frequent misses, looked up once: memory that only lacks an entry, and devices. False if
 * the access needs the whole treatment.
 */
static bool quick_read(Pgm *pgm, GPhys gpa, unsigned size, uint64_t *ret_value,
                       MemStatus *ret_status)
{
    PgmPlace place;
    PgmView view;
    uint8_t bytes[8];

    if (pgm->watches || pgm_page_offset(gpa) + size > MEM_PAGE_SIZE ||
        !pgm_place_lookup(pgm, gpa, &place)) {
        return false;
    }
    if (place.range->kind == PGM_RANGE_MMIO) {
        *ret_status = pgm_mmio_read_bytes(place.range, pgm_place_offset(&place, gpa), bytes, size);
        *ret_value = *ret_status == MEM_OK ? load_le(bytes, size) : all_ones(size);
        return true;
    }
    pgm_view(&place, &view);
    if (view.read_caught) {
        return false;
    }
    *ret_value = guest_load_le(pgm_host(pgm, view.read_id) + pgm_page_offset(gpa), size);
    *ret_status = MEM_OK;
    pgm_tlb_fill(pgm, &place, &view);
    return true;
}

static bool quick_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value, MemStatus *ret_status)
{
    PgmPlace place;
    PgmView view;
    uint8_t bytes[8];

    if (pgm->watches || pgm_page_offset(gpa) + size > MEM_PAGE_SIZE ||
        !pgm_place_lookup(pgm, gpa, &place)) {
        return false;
    }
    if (place.range->kind == PGM_RANGE_MMIO) {
        store_le(bytes, size, value);
        *ret_status = pgm_mmio_write_bytes(place.range, pgm_place_offset(&place, gpa), bytes, size);
        return true;
    }
    pgm_view(&place, &view);
    if (view.write_caught || !view.writable || pgm_id_executed(pgm, view.read_id)) {
        return false;
    }
    guest_store_le(pgm_host(pgm, view.read_id) + pgm_page_offset(gpa), size, value);
    *ret_status = MEM_OK;
    pgm_tlb_fill(pgm, &place, &view);
    return true;
}

static G_NO_INLINE MemStatus slow_read(Pgm *pgm, GPhys gpa, unsigned size, MemOrigin origin,
                                       uint64_t *ret_value)
{
    PgmWatchHit hit = {
        .gpa = gpa, .len = size, .access = MEM_ACCESS_READ, .origin = origin, .before = true
    };
    uint8_t bytes[8];
    MemStatus status;

    if (quick_read(pgm, gpa, size, ret_value, &status)) {
        return status;
    }
    if (pgm->watches) {
        pgm_watch_tell(pgm, &hit);
    }
    status = read_parts(pgm, gpa, bytes, size, origin);

    *ret_value = status == MEM_OK ? load_le(bytes, size) : all_ones(size);
    if (pgm->watches) {
        hit.before = false;
        hit.value = *ret_value;
        pgm_watch_tell(pgm, &hit);
    }
    fill_after(pgm, gpa);
    return status;
}

static G_NO_INLINE MemStatus slow_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value,
                                        MemOrigin origin)
{
    PgmWatchHit hit = { .gpa = gpa,
                        .len = size,
                        .value = value & all_ones(size),
                        .access = MEM_ACCESS_WRITE,
                        .origin = origin,
                        .before = true };
    uint8_t bytes[8];
    MemStatus status;

    if (quick_write(pgm, gpa, size, value, &status)) {
        return status;
    }
    store_le(bytes, size, value);
    if (pgm->watches) {
        pgm_watch_tell(pgm, &hit);
    }
    status = write_parts(pgm, gpa, bytes, size, origin);

    if (pgm->watches) {
        hit.before = false;
        pgm_watch_tell(pgm, &hit);
    }
    fill_after(pgm, gpa);
    return status;
}

/* The bytes on the host if they are plain memory of one page, which is cached then. */
static uint8_t *plain_host(Pgm *pgm, GPhys gpa, unsigned size, uint64_t need)
{
    if (pgm_page_offset(gpa) + size > MEM_PAGE_SIZE) {
        return NULL;
    }
    /* What is not aligned comes here for a cached page too. */
    uint8_t *host = (gpa & (size - 1)) != 0 ? pgm_tlb_lookup(pgm, gpa, 1, need) : NULL;

    return host ? host : pgm_tlb_fill_ram(pgm, gpa, need);
}

MemStatus pgm_bus_read(Pgm *pgm, GPhys gpa, unsigned size, MemOrigin origin, uint64_t *ret_value)
{
    g_assert(size >= 1 && size <= 8);
    const uint8_t *host = plain_host(pgm, gpa, size, MEM_ACCESS_READ);

    if (!host) {
        return slow_read(pgm, gpa, size, origin, ret_value);
    }
    *ret_value = guest_load_le(host, size);
    return MEM_OK;
}

MemStatus pgm_bus_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value, MemOrigin origin)
{
    g_assert(size >= 1 && size <= 8);
    uint8_t *host = plain_host(pgm, gpa, size, MEM_ACCESS_WRITE);

    if (!host) {
        return slow_write(pgm, gpa, size, value, origin);
    }
    guest_store_le(host, size, value);
    return MEM_OK;
}
