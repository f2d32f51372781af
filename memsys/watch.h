/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches: observers of physical ranges. They own nothing, any number may overlap each other,
 * handlers, ROM and MMIO; byte-exact. Watchpoints, forbidden ranges, redzones and traces are
 * watches.
 *
 * A CPU's store or load to a watched page is caught (memsys/cpu_port.h), so unwatched pages pay
 * nothing.
 */
#pragma once

#include "memsys/cpu_port.h"

#pragma GCC visibility push(default)

typedef struct PgmWatch PgmWatch;

typedef struct PgmWatchHit {
    GPhys gpa; /* first byte accessed, which may lie before the watched range */
    GVirt gva; /* the same as the CPU named it; only if by_gva */
    bool by_gva;
    uint32_t len;   /* bytes of the access; a bulk access reports page by page */
    uint64_t value; /* read or written, little-endian; for len > 8 the first eight bytes */
    MemAccess access;
    MemOrigin origin;
    bool before; /* told before the access happened (value of a read is then 0) */
} PgmWatchHit;

typedef void (*PgmWatchFunc)(Pgm *pgm, const PgmWatchHit *hit, void *user);

/**
 * pgm_watch_new:
 * @start, @len: any bytes, assigned or not
 * @accesses: set of MemAccess; EXEC is reported by the CPU through pgm_cpu_report_exec()
 * @before: tell before the access instead of after it
 *
 * Returns: (transfer full): a live watch
 */
PgmWatch *pgm_watch_new(Pgm *pgm, GPhys start, uint64_t len, unsigned accesses, bool before,
                        PgmWatchFunc func, void *user, GError **error);

/**
 * pgm_watch_new_virtual:
 * @start, @len: guest-virtual (linear) bytes as @cpu's programs name them, whatever is mapped there
 *
 * Only accesses of @cpu by such an address hit. Survives changes of CR3. After the CPU was detached
 * nothing hits any more.
 */
PgmWatch *pgm_watch_new_virtual(PgmCpu *cpu, GVirt start, uint64_t len, unsigned accesses,
                                bool before, PgmWatchFunc func, void *user, GError **error);

/* Any time, from its own function too. */
void pgm_watch_free(PgmWatch *watch);

/* Of @cpu's virtual watches: any byte of the page at @gva? The CPU asks at each fill, and answers
 * that are watched it does not cache but brings to pgm_cpu_bus_read() and its siblings. */
bool pgm_watch_covers_virtual(const PgmCpu *cpu, GVirt gva, unsigned accesses);

/* One access within a page, with the virtual watches told before and after. */
MemStatus pgm_cpu_bus_read(PgmCpu *cpu, GVirt gva, GPhys gpa, unsigned size, uint64_t *ret_value);
MemStatus pgm_cpu_bus_write(PgmCpu *cpu, GVirt gva, GPhys gpa, unsigned size, uint64_t value);

/* pgm_cpu_report_exec() by a virtual address: tells virtual and physical EXEC watches. */
void pgm_cpu_report_exec_at(PgmCpu *cpu, GVirt gva, GPhys gpa, uint32_t len);

/* Is any byte of the page watched for one of @accesses? */
bool pgm_watch_covers_page(const Pgm *pgm, GPhys gpa, unsigned accesses);

#pragma GCC visibility pop
