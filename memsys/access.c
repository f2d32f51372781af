/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow path of typed accesses, and the one place where a piece of a page is read or written
 * with all rules applied. The order is: watches "before", then MMIO, handlers or memory, then
 * watches "after".
 *
 * Handlers and devices may change the map, so nothing looked up before a callback is used after it.
 */
#include "memsys/guest-bytes.h"
#include "memsys/pgm-internal.h"

#include <string.h>

void pgm_report_unassigned(Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin)
{
    if (access == MEM_ACCESS_WRITE) {
        pgm->stats.unassigned_writes++;
    } else {
        pgm->stats.unassigned_reads++;
    }
    if (pgm->unassigned_hook) {
        pgm->unassigned_hook(pgm, gpa, len, access, origin, pgm->unassigned_user);
    }
}

static uint32_t page_offset(GPhys gpa)
{
    return (uint32_t)(gpa & ~MEM_PAGE_MASK);
}

static uint64_t range_offset(const PgmPlace *place, GPhys gpa)
{
    return (place->index << MEM_PAGE_SHIFT) | page_offset(gpa);
}

/* ---- reading */

/* Reads as if there were no handler. */
static MemStatus read_default(const PgmPlace *place, GPhys gpa, uint8_t *buf, uint32_t len)
{
    PgmView view;

    pgm_view(place, &view);
    if (!view.has_memory) {
        return pgm_mmio_read_bytes(place->range, range_offset(place, gpa), buf, len);
    }
    guest_load(buf, pgm_host(place->range->pgm, view.read_id) + page_offset(gpa), len);
    return MEM_OK;
}

/* An ALL handler owns its whole page, so one call covers the piece. */
static MemStatus read_by_handler(Pgm *pgm, const PgmPlace *place, const PgmView *view, GPhys gpa,
                                 uint8_t *buf, uint32_t len, MemOrigin origin)
{
    uint64_t run;
    const PgmHandler *handler = pgm_handler_at(place->range, range_offset(place, gpa), &run);

    g_assert(handler && run >= len);
    memset(buf, 0xff, len);
    PgmHandlerAccess access = { .gpa = gpa,
                                .host = pgm_host(pgm, view->read_id) + page_offset(gpa),
                                .buf = buf,
                                .len = len,
                                .access = MEM_ACCESS_READ,
                                .origin = origin };

    switch (pgm_handler_call(pgm, handler, &access)) {
    case PGM_HANDLER_HANDLED:
        return MEM_OK;
    case PGM_HANDLER_DO_DEFAULT: {
        PgmPlace again;

        if (!pgm_place_lookup(pgm, gpa, &again)) {
            memset(buf, 0xff, len);
            return MEM_OK;
        }
        return read_default(&again, gpa, buf, len);
    }
    case PGM_HANDLER_FAILED:
    default:
        memset(buf, 0xff, len);
        return MEM_ERR_BUS_ERROR;
    }
}

MemStatus pgm_piece_read(Pgm *pgm, GPhys gpa, uint8_t *buf, uint32_t len, MemOrigin origin)
{
    PgmPlace place;
    PgmView view;

    if (!pgm_place_lookup(pgm, gpa, &place)) {
        memset(buf, 0xff, len);
        pgm_report_unassigned(pgm, gpa, len, MEM_ACCESS_READ, origin);
        return MEM_OK;
    }
    pgm_view(&place, &view);
    if (view.has_memory && view.read_caught) {
        return read_by_handler(pgm, &place, &view, gpa, buf, len, origin);
    }
    return read_default(&place, gpa, buf, len);
}

/* ---- writing */

/*
 * Makes the record that writes reach writable. @ret_host: the byte's place, or NULL if writes
 * vanish (ROM) or go to a device.
 */
static MemStatus prepare_write(const PgmPlace *place, GPhys gpa, PageId *ret_id, uint8_t **ret_host)
{
    PgmRange *range = place->range;
    PgmRecord which = PGM_RECORD_FRONT;

    *ret_host = NULL;
    if (range->kind == PGM_RANGE_MMIO ||
        (range->kind == PGM_RANGE_ROM && !pgm_rom_write_record(range, place->index, &which))) {
        return MEM_OK;
    }
    MemStatus status = pgm_page_make_writable(range, place->index, which);

    if (status != MEM_OK) {
        return status;
    }
    *ret_id = pgm_page_id(which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, place->index)
                                                     : *pgm_range_page(range, place->index));
    *ret_host = pgm_host(range->pgm, *ret_id) + page_offset(gpa);
    return MEM_OK;
}

static MemStatus write_default(const PgmPlace *place, GPhys gpa, const uint8_t *buf, uint32_t len)
{
    Pgm *pgm = place->range->pgm;
    PageId id;
    uint8_t *host;

    if (place->range->kind == PGM_RANGE_MMIO) {
        return pgm_mmio_write_bytes(place->range, range_offset(place, gpa), buf, len);
    }
    MemStatus status = prepare_write(place, gpa, &id, &host);

    if (status != MEM_OK) {
        return status;
    }
    if (!host) {
        pgm->stats.rom_writes_ignored++;
        return MEM_OK;
    }
    if (place->range->kind == PGM_RANGE_ROM) {
        pgm->stats.rom_writes_shadow++;
    }
    guest_store(host, buf, len);
    pgm_code_written(pgm, id, page_offset(gpa), len);
    return MEM_OK;
}

static MemStatus write_by_handler(Pgm *pgm, const PgmPlace *place, const PgmHandler *handler,
                                  const PgmHandlerAccess *wanted)
{
    PgmHandlerAccess access = *wanted;
    PageId id = MEM_ZERO_PAGE_ID;
    MemStatus status = prepare_write(place, access.gpa, &id, &access.host);

    /* A ballooned page has no place to show; a missing page is told before anything happens. */
    if (status != MEM_OK && status != MEM_ERR_BALLOONED) {
        return status;
    }
    switch (pgm_handler_call(pgm, handler, &access)) {
    case PGM_HANDLER_HANDLED:
        if (access.host) {
            pgm_code_written(pgm, id, page_offset(access.gpa), access.len);
        }
        return MEM_OK;
    case PGM_HANDLER_DO_DEFAULT: {
        PgmPlace again;

        if (!pgm_place_lookup(pgm, access.gpa, &again)) {
            return MEM_OK;
        }
        return write_default(&again, access.gpa, access.buf, access.len);
    }
    case PGM_HANDLER_FAILED:
    default:
        return MEM_ERR_BUS_ERROR;
    }
}

MemStatus pgm_piece_write(Pgm *pgm, GPhys gpa, const uint8_t *buf, uint32_t len, MemOrigin origin)
{
    uint8_t copy[MEM_PAGE_SIZE];

    while (len > 0) {
        PgmPlace place;
        const PgmHandler *handler = NULL;
        uint64_t run = len;
        MemStatus status;

        if (!pgm_place_lookup(pgm, gpa, &place)) {
            pgm_report_unassigned(pgm, gpa, len, MEM_ACCESS_WRITE, origin);
            return MEM_OK;
        }
        if (pgm_page_handler(*pgm_range_page(place.range, place.index)) >= PGM_HANDLER_WRITE &&
            place.range->kind != PGM_RANGE_MMIO) {
            handler = pgm_handler_at(place.range, range_offset(&place, gpa), &run);
        }
        uint32_t n = (uint32_t)MIN(len, run);

        if (handler) {
            /* The handler may scribble in what it is given. */
            memcpy(copy, buf, n);
            PgmHandlerAccess access = {
                .gpa = gpa, .buf = copy, .len = n, .access = MEM_ACCESS_WRITE, .origin = origin
            };

            status = write_by_handler(pgm, &place, handler, &access);
        } else {
            status = write_default(&place, gpa, buf, n);
        }
        if (status != MEM_OK) {
            return status;
        }
        gpa += n;
        buf += n;
        len -= n;
    }
    return MEM_OK;
}

/* ---- one access, perhaps in two pages */

/* Bytes of the access that the page or device at @gpa takes. 0: past the end of all addresses. */
static uint32_t first_part(Pgm *pgm, GPhys gpa, uint32_t len)
{
    uint32_t in_page = (uint32_t)MEM_PAGE_SIZE - page_offset(gpa);
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
    switch (size) {
    case 1:
        pgm_host_store_u8(host, (uint8_t)value);
        break;
    case 2:
        pgm_host_store_u16(host, GUINT16_TO_LE((uint16_t)value));
        break;
    case 4:
        pgm_host_store_u32(host, GUINT32_TO_LE((uint32_t)value));
        break;
    case 8:
        pgm_host_store_u64(host, GUINT64_TO_LE(value));
        break;
    default:
        value = GUINT64_TO_LE(value);
        pgm_host_copy(host, &value, size);
        break;
    }
}

static uint64_t guest_load_le(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        return pgm_host_load_u8(host);
    case 2:
        return GUINT16_FROM_LE(pgm_host_load_u16(host));
    case 4:
        return GUINT32_FROM_LE(pgm_host_load_u32(host));
    case 8:
        return GUINT64_FROM_LE(pgm_host_load_u64(host));
    default:
        pgm_host_copy(&value, host, size);
        return GUINT64_FROM_LE(value);
    }
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

    if (pgm->watches || page_offset(gpa) + size > MEM_PAGE_SIZE ||
        !pgm_place_lookup(pgm, gpa, &place)) {
        return false;
    }
    if (place.range->kind == PGM_RANGE_MMIO) {
        *ret_status = pgm_mmio_read_bytes(place.range, range_offset(&place, gpa), bytes, size);
        *ret_value = *ret_status == MEM_OK ? load_le(bytes, size) : all_ones(size);
        return true;
    }
    pgm_view(&place, &view);
    if (view.read_caught) {
        return false;
    }
    *ret_value = guest_load_le(pgm_host(pgm, view.read_id) + page_offset(gpa), size);
    *ret_status = MEM_OK;
    pgm_tlb_fill(pgm, &place, &view);
    return true;
}

static bool quick_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value, MemStatus *ret_status)
{
    PgmPlace place;
    PgmView view;
    uint8_t bytes[8];

    if (pgm->watches || page_offset(gpa) + size > MEM_PAGE_SIZE ||
        !pgm_place_lookup(pgm, gpa, &place)) {
        return false;
    }
    if (place.range->kind == PGM_RANGE_MMIO) {
        store_le(bytes, size, value);
        *ret_status = pgm_mmio_write_bytes(place.range, range_offset(&place, gpa), bytes, size);
        return true;
    }
    pgm_view(&place, &view);
    if (view.write_caught || !view.writable || pgm_id_executed(pgm, view.read_id)) {
        return false;
    }
    guest_store_le(pgm_host(pgm, view.read_id) + page_offset(gpa), size, value);
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

MemStatus pgm_bus_read(Pgm *pgm, GPhys gpa, unsigned size, MemOrigin origin, uint64_t *ret_value)
{
    g_assert(size >= 1 && size <= 8);
    const uint8_t *host = NULL;

    if (page_offset(gpa) + size <= MEM_PAGE_SIZE) {
        host = pgm_tlb_fill_ram(pgm, gpa, MEM_ACCESS_READ);
    }
    if (!host) {
        return slow_read(pgm, gpa, size, origin, ret_value);
    }
    *ret_value = guest_load_le(host, size);
    return MEM_OK;
}

MemStatus pgm_bus_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value, MemOrigin origin)
{
    g_assert(size >= 1 && size <= 8);
    uint8_t *host = NULL;

    if (page_offset(gpa) + size <= MEM_PAGE_SIZE) {
        host = pgm_tlb_fill_ram(pgm, gpa, MEM_ACCESS_WRITE);
    }
    if (!host) {
        return slow_write(pgm, gpa, size, value, origin);
    }
    guest_store_le(host, size, value);
    return MEM_OK;
}
