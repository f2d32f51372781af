/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other threads do with a machine's memory: they reach plain pages themselves, under the PGM
 * lock, and ask the machine's thread (threads.c) for everything else.
 */
#include "memsys/external.h"

#include "memsys/guest-bytes-internal.h"
#include "memsys/pgm-internal.h"

/* Pages taken under one hold of the PGM lock: the machine waits no longer than that. */
#define PAGES_AT_ONCE 16

/* ---- plain pages, under the PGM lock: nothing of the machine's is changed, its caches neither */

static PgmRange *external_range(const Pgm *pgm, GPhys gpa, uint64_t *ret_index)
{
    unsigned i = pgm_span_index_above(pgm, gpa);

    if (i == pgm->spans.n || pgm->spans.spans[i].first > gpa) {
        return NULL;
    }
    PgmRange *range = pgm->spans.spans[i].range;

    *ret_index = (gpa - range->start) >> MEM_PAGE_SHIFT;
    return range->kind == PGM_RANGE_MMIO ? NULL : range;
}

/* The page's bytes, or NULL if the machine's thread must be asked. */
static uint8_t *external_host(const Pgm *pgm, GPhys gpa, MemAccess access)
{
    bool write = access == MEM_ACCESS_WRITE;
    uint64_t index;
    PgmRange *range = external_range(pgm, gpa, &index);

    if (!range || pgm_watch_covers_page(pgm, gpa, access)) {
        return NULL;
    }
    PgmPage page = range->pages[index];

    if (pgm_page_handler(page) == PGM_HANDLER_ALL ||
        (write && pgm_page_handler(page) != PGM_HANDLER_NONE)) {
        return NULL;
    }
    if (range->kind == PGM_RANGE_ROM) {
        PgmRecord read = pgm_rom_read_record(range, index);
        PgmRecord written;

        if (write && (!pgm_rom_write_record(range, index, &written) || written != read)) {
            return NULL;
        }
        page = read == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : page;
    }
    PageId id = pgm_page_id(page);

    if (write && (pgm_page_state(page) != PGM_PAGE_ALLOCATED || pgm_id_executed(pgm, id))) {
        return NULL;
    }
    return pgm_host(pgm, id) + pgm_page_offset(gpa);
}

/* Returns: the bytes done before a page that the machine's thread must be asked about. */
static uint64_t plain_access(Pgm *pgm, GPhys gpa, uint8_t *buf, uint64_t len, MemAccess access)
{
    uint64_t done = 0;

    len = pgm_clamp_len(gpa, len);
    pgm_threads_share(pgm);
    while (done < len) {
        pgm_lock_slow(pgm);
        for (unsigned i = 0; i < PAGES_AT_ONCE && done < len; i++) {
            uint64_t n = pgm_to_page_end(gpa + done, len - done);
            uint8_t *host = external_host(pgm, gpa + done, access);

            if (!host) {
                pgm_unlock_slow(pgm);
                return done;
            }
            if (access == MEM_ACCESS_WRITE) {
                guest_store(host, buf + done, n);
            } else {
                guest_load(buf + done, host, n);
            }
            done += n;
        }
        pgm_unlock_slow(pgm);
    }
    return done;
}

typedef struct Transfer {
    GPhys gpa;
    uint8_t *buf;
    uint64_t len;
    MemOrigin origin;
    MemAccess access;
    MemStatus status;
} Transfer;

static void transfer_rest(Pgm *pgm, void *user)
{
    Transfer *t = user;

    t->status = t->access == MEM_ACCESS_WRITE ? pgm_write(pgm, t->gpa, t->buf, t->len, t->origin)
                                              : pgm_read(pgm, t->gpa, t->buf, t->len, t->origin);
}

static MemStatus transfer(Pgm *pgm, Transfer *t)
{
    uint64_t done = plain_access(pgm, t->gpa, t->buf, t->len, t->access);

    if (done == t->len) {
        return MEM_OK;
    }
    /* Past the end of all addresses is left as it was: nothing is there to write, ones to read. */
    if (done > 0 && t->gpa + done == 0) {
        if (t->access == MEM_ACCESS_READ) {
            memset(t->buf + done, 0xff, t->len - done);
        }
        return MEM_OK;
    }
    t->gpa += done;
    t->buf += done;
    t->len -= done;
    pgm_external_call(pgm, transfer_rest, t);
    return t->status;
}

MemStatus pgm_external_read(Pgm *pgm, GPhys gpa, void *buf, uint64_t len, MemOrigin origin)
{
    Transfer t = {
        .gpa = gpa, .buf = buf, .len = len, .origin = origin, .access = MEM_ACCESS_READ
    };

    return transfer(pgm, &t);
}

MemStatus pgm_external_write(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len, MemOrigin origin)
{
    /* The buffer is only read. */
    Transfer t = { .gpa = gpa,
                   .buf = (uint8_t *)(uintptr_t)buf,
                   .len = len,
                   .origin = origin,
                   .access = MEM_ACCESS_WRITE };

    return transfer(pgm, &t);
}

/* ---- mappings: locks are records, which only the machine's thread changes */

typedef struct MapCall {
    const GPhys *gpas;
    PgmMapping *mappings;
    uint32_t n;
    bool writable;
    MemStatus status;
} MapCall;

static void map_there(Pgm *pgm, void *user)
{
    MapCall *call = user;

    call->status = pgm_map_pages(pgm, call->gpas, call->n, call->writable, call->mappings);
}

static void unmap_there(Pgm *pgm, void *user)
{
    const MapCall *call = user;

    pgm_unmap_pages(pgm, call->mappings, call->n);
}

MemStatus pgm_external_map_pages(Pgm *pgm, const GPhys *gpas, uint32_t n, bool writable,
                                 PgmMapping *ret_mappings)
{
    MapCall call = { .gpas = gpas, .mappings = ret_mappings, .n = n, .writable = writable };

    pgm_external_call(pgm, map_there, &call);
    return call.status;
}

void pgm_external_unmap_pages(Pgm *pgm, PgmMapping *mappings, uint32_t n)
{
    MapCall call = { .mappings = mappings, .n = n };

    pgm_external_call(pgm, unmap_there, &call);
}
