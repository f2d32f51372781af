/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where a piece of a page is read or written with all rules applied, watches aside:
 * MMIO, handlers, ROM, the state of the page.
 *
 * Handlers and devices may change the map, so nothing looked up before a callback is used after it.
 */
#include "memsys/guest-bytes-internal.h"
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

/* ---- reading */

/* Reads as if there were no handler. */
static MemStatus read_default(const PgmPlace *place, GPhys gpa, uint8_t *buf, uint32_t len)
{
    PgmView view;

    pgm_view(place, &view);
    if (!view.has_memory) {
        return pgm_mmio_read_bytes(place->range, pgm_place_offset(place, gpa), buf, len);
    }
    guest_load(buf, pgm_host(place->range->pgm, view.read_id) + pgm_page_offset(gpa), len);
    return MEM_OK;
}

/* An ALL handler owns its whole page, so one call covers the piece. */
static MemStatus read_by_handler(Pgm *pgm, const PgmPlace *place, const PgmView *view, GPhys gpa,
                                 uint8_t *buf, uint32_t len, MemOrigin origin)
{
    uint64_t run;
    const PgmHandler *handler = pgm_handler_at(place->range, pgm_place_offset(place, gpa), &run);

    g_assert(handler && run >= len);
    memset(buf, 0xff, len);
    PgmHandlerAccess access = { .gpa = gpa,
                                .host = pgm_host(pgm, view->read_id) + pgm_page_offset(gpa),
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
    *ret_host = pgm_host(range->pgm, *ret_id) + pgm_page_offset(gpa);
    return MEM_OK;
}

static MemStatus write_default(const PgmPlace *place, GPhys gpa, const uint8_t *buf, uint32_t len)
{
    Pgm *pgm = place->range->pgm;
    PageId id;
    uint8_t *host;

    if (place->range->kind == PGM_RANGE_MMIO) {
        return pgm_mmio_write_bytes(place->range, pgm_place_offset(place, gpa), buf, len);
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
    pgm_code_written(pgm, id, pgm_page_offset(gpa), len);
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
            pgm_code_written(pgm, id, pgm_page_offset(access.gpa), access.len);
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
            handler = pgm_handler_at(place.range, pgm_place_offset(&place, gpa), &run);
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
