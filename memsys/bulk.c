/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bulk access: runs of memory that are contiguous on the host go through one memcpy, everything
 * else page by page through piece.c. Each byte is touched once, in address order.
 *
 * Watched pages are taken one by one and their watches told; runs end where the next one begins.
 */
#include "memsys/guest-bytes-internal.h"
#include "memsys/pgm-internal.h"

#include <string.h>

/* Zeros in the first @len bytes? */
static bool all_zero(const uint8_t *bytes, uint64_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

uint64_t pgm_gap_len(const Pgm *pgm, GPhys gpa, uint64_t len)
{
    const PgmSpan *span = pgm_span_at_or_above(pgm, gpa);

    if (!span) {
        return len;
    }
    return span->first <= gpa ? 0 : MIN(len, span->first - gpa);
}

static uint64_t first_bytes(const uint8_t *buf, uint64_t len)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < MIN(len, 8); i++) {
        value |= (uint64_t)buf[i] << (8 * i);
    }
    return value;
}

/*
 * A run of pages of one RAM or MMIO2 span at @gpa whose reads are plain and whose host memory is
 * contiguous. 0 if the first page is not like that.
 */
static uint64_t read_run(Pgm *pgm, GPhys gpa, uint64_t len, const uint8_t **ret_host)
{
    const PgmSpan *span = pgm_span_lookup(pgm, gpa);
    uint64_t run = 0;

    if (!span || (span->range->kind != PGM_RANGE_RAM && span->range->kind != PGM_RANGE_MMIO2)) {
        return 0;
    }
    len = MIN(len, span->last - gpa + 1);
    const PgmPage *page = &span->range->pages[(gpa - span->range->start) >> MEM_PAGE_SHIFT];

    for (; run < len; page++) {
        const uint8_t *host = pgm_host(pgm, pgm_page_id(*page)) + pgm_page_offset(gpa + run);

        if (pgm_page_handler(*page) == PGM_HANDLER_ALL || (run != 0 && host != *ret_host + run)) {
            break;
        }
        if (run == 0) {
            *ret_host = host;
        }
        run += pgm_to_page_end(gpa + run, len - run);
    }
    return run;
}

static MemStatus read_watched(Pgm *pgm, GPhys gpa, uint8_t *buf, uint32_t len, MemOrigin origin)
{
    PgmWatchHit hit = {
        .gpa = gpa, .len = len, .access = MEM_ACCESS_READ, .origin = origin, .before = true
    };

    pgm_watch_tell(pgm, &hit);
    MemStatus status = pgm_piece_read(pgm, gpa, buf, len, origin);

    hit.before = false;
    hit.value = first_bytes(buf, len);
    pgm_watch_tell(pgm, &hit);
    return status;
}

static MemStatus read_some(Pgm *pgm, GPhys gpa, uint8_t *buf, uint64_t len, MemOrigin origin,
                           uint64_t *ret_done)
{
    const uint8_t *host;

    uint64_t unwatched = pgm_watch_free_run(pgm, gpa, len, MEM_ACCESS_READ);

    if (unwatched == 0) {
        *ret_done = pgm_to_page_end(gpa, len);
        return read_watched(pgm, gpa, buf, (uint32_t)*ret_done, origin);
    }
    len = unwatched;
    *ret_done = pgm_gap_len(pgm, gpa, len);
    if (*ret_done != 0) {
        memset(buf, 0xff, *ret_done);
        pgm_report_unassigned(pgm, gpa, *ret_done, MEM_ACCESS_READ, origin);
        return MEM_OK;
    }
    *ret_done = read_run(pgm, gpa, len, &host);
    if (*ret_done != 0) {
        guest_load(buf, host, *ret_done);
        return MEM_OK;
    }
    *ret_done = pgm_to_page_end(gpa, len);
    return pgm_piece_read(pgm, gpa, buf, (uint32_t)*ret_done, origin);
}

MemStatus pgm_read(Pgm *pgm, GPhys gpa, void *buf, uint64_t len, MemOrigin origin)
{
    uint8_t *to = buf;
    uint64_t n_there = pgm_clamp_len(gpa, len);

    pgm->stats.bulk_reads++;
    pgm->stats.bulk_read_bytes += len;
    memset(to + n_there, 0xff, len - n_there);
    len = n_there;
    while (len > 0) {
        uint64_t done;
        MemStatus status = read_some(pgm, gpa, to, len, origin, &done);

        if (status != MEM_OK) {
            memset(to, 0xff, len);
            return status;
        }
        to += done;
        gpa += done;
        len -= done;
    }
    return MEM_OK;
}

/* ---- writing */

/*
 * Prepares one page of RAM or MMIO2 for a plain store of @len bytes. @ret_host NULL with MEM_OK:
 * nothing to do (zeros over a ZERO page, anything over a ballooned one).
 */
static MemStatus prepare_page(PgmRange *range, uint64_t index, const uint8_t *from, uint64_t len,
                              uint8_t **ret_host)
{
    PgmPage page = range->pages[index];

    *ret_host = NULL;
    if (pgm_page_state(page) != PGM_PAGE_ALLOCATED) {
        if (pgm_page_state(page) == PGM_PAGE_BALLOONED ||
            (pgm_page_state(page) == PGM_PAGE_ZERO && all_zero(from, len))) {
            return MEM_OK;
        }
        MemStatus status = pgm_page_make_writable(range, index, PGM_RECORD_FRONT);

        if (status != MEM_OK) {
            return status;
        }
        page = range->pages[index];
    }
    *ret_host = pgm_host(range->pgm, pgm_page_id(page));
    return MEM_OK;
}

/*
 * Writes pages of one RAM or MMIO2 span from @gpa on until one has a handler or lacks memory. Sets
 * @ret_done to the bytes that are written (or rightly dropped); 0 with MEM_OK if the first page is
 * none of ours.
 */
static MemStatus write_run(Pgm *pgm, GPhys gpa, const uint8_t *from, uint64_t len,
                           uint64_t *ret_done)
{
    const PgmSpan *span = pgm_span_lookup(pgm, gpa);
    uint8_t *run_host = NULL;
    uint64_t run_start = 0;
    uint64_t done = 0;
    MemStatus status = MEM_OK;

    *ret_done = 0;
    if (!span || (span->range->kind != PGM_RANGE_RAM && span->range->kind != PGM_RANGE_MMIO2)) {
        return MEM_OK;
    }
    PgmRange *range = span->range;

    len = MIN(len, span->last - gpa + 1);
    while (done < len) {
        uint64_t index = (gpa + done - range->start) >> MEM_PAGE_SHIFT;
        uint64_t n = pgm_to_page_end(gpa + done, len - done);
        uint64_t offset = (gpa + done) & ~MEM_PAGE_MASK;
        uint8_t *host;

        if (pgm_page_handler(range->pages[index]) >= PGM_HANDLER_WRITE) {
            break;
        }
        status = prepare_page(range, index, from + done, n, &host);
        if (status != MEM_OK) {
            break;
        }
        PageId id = pgm_page_id(range->pages[index]);
        bool executed = host && pgm_id_executed(pgm, id);

        if (run_host && (!host || executed || host + offset != run_host + (done - run_start))) {
            guest_store(run_host, from + run_start, done - run_start);
            run_host = NULL;
        }
        if (executed) {
            guest_store(host + offset, from + done, n);
            pgm_code_written(pgm, id, (uint32_t)offset, (uint32_t)n);
        } else if (host && !run_host) {
            run_host = host + offset;
            run_start = done;
        }
        done += n;
    }
    if (run_host) {
        guest_store(run_host, from + run_start, done - run_start);
    }
    *ret_done = done;
    return status;
}

/* Dropped writes are no failure of a bulk write. */
static MemStatus write_piece(Pgm *pgm, GPhys gpa, const uint8_t *from, uint32_t len,
                             MemOrigin origin)
{
    MemStatus status = pgm_piece_write(pgm, gpa, from, len, origin);

    return status == MEM_ERR_BALLOONED ? MEM_OK : status;
}

static MemStatus write_watched(Pgm *pgm, GPhys gpa, const uint8_t *from, uint32_t len,
                               MemOrigin origin)
{
    PgmWatchHit hit = { .gpa = gpa,
                        .len = len,
                        .value = first_bytes(from, len),
                        .access = MEM_ACCESS_WRITE,
                        .origin = origin,
                        .before = true };
    uint64_t done;

    pgm_watch_tell(pgm, &hit);
    MemStatus status = write_run(pgm, gpa, from, len, &done);

    if (status == MEM_OK && done < len) {
        status = write_piece(pgm, gpa + done, from + done, len - (uint32_t)done, origin);
    }
    hit.before = false;
    pgm_watch_tell(pgm, &hit);
    return status;
}

static MemStatus write_some(Pgm *pgm, GPhys gpa, const uint8_t *from, uint64_t len,
                            MemOrigin origin, uint64_t *ret_done)
{
    uint64_t unwatched = pgm_watch_free_run(pgm, gpa, len, MEM_ACCESS_WRITE);

    if (unwatched == 0) {
        *ret_done = pgm_to_page_end(gpa, len);
        return write_watched(pgm, gpa, from, (uint32_t)*ret_done, origin);
    }
    len = unwatched;
    *ret_done = pgm_gap_len(pgm, gpa, len);
    if (*ret_done != 0) {
        pgm_report_unassigned(pgm, gpa, *ret_done, MEM_ACCESS_WRITE, origin);
        return MEM_OK;
    }
    MemStatus status = write_run(pgm, gpa, from, len, ret_done);

    if (status == MEM_OK && *ret_done == 0) {
        *ret_done = pgm_to_page_end(gpa, len);
        status = write_piece(pgm, gpa, from, (uint32_t)*ret_done, origin);
    }
    return status;
}

MemStatus pgm_write(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len, MemOrigin origin)
{
    const uint8_t *from = buf;

    len = pgm_clamp_len(gpa, len);
    pgm->stats.bulk_writes++;
    pgm->stats.bulk_write_bytes += len;
    while (len > 0) {
        uint64_t done;
        MemStatus status = write_some(pgm, gpa, from, len, origin, &done);

        if (status != MEM_OK) {
            return status;
        }
        from += done;
        gpa += done;
        len -= done;
    }
    return MEM_OK;
}

MemStatus pgm_fill(Pgm *pgm, GPhys gpa, uint8_t byte, uint64_t len, MemOrigin origin)
{
    uint8_t bytes[MEM_PAGE_SIZE];
    MemStatus status = MEM_OK;

    len = pgm_clamp_len(gpa, len);
    memset(bytes, byte, sizeof bytes);
    while (len > 0 && status == MEM_OK) {
        uint64_t n = pgm_watch_free_run(pgm, gpa, len, MEM_ACCESS_WRITE);

        n = pgm_gap_len(pgm, gpa, n);
        if (n != 0) {
            /* An unwatched gap of any size is one step. */
            pgm_report_unassigned(pgm, gpa, n, MEM_ACCESS_WRITE, origin);
        } else {
            n = pgm_to_page_end(gpa, len);
            status = pgm_write(pgm, gpa, bytes, n, origin);
        }
        gpa += n;
        len -= n;
    }
    return status;
}

MemStatus pgm_copy(Pgm *pgm, GPhys to, GPhys from, uint64_t len, MemOrigin origin)
{
    uint8_t bytes[MEM_PAGE_SIZE];
    uint64_t done = 0;

    len = MIN(pgm_clamp_len(to, len), pgm_clamp_len(from, len));
    bool backward = to > from && to - from < len;

    while (to != from && done < len) {
        uint64_t n = MIN(len - done, sizeof bytes);
        uint64_t at = backward ? len - done - n : done;
        MemStatus status = pgm_read(pgm, from + at, bytes, n, origin);

        if (status == MEM_OK) {
            status = pgm_write(pgm, to + at, bytes, n, origin);
        }
        if (status != MEM_OK) {
            return status;
        }
        done += n;
    }
    return MEM_OK;
}
