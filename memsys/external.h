/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory from other threads (debugger, console, device back ends), and the work that is
 * queued to the machine's own thread.
 *
 * Only the machine's thread changes page records. Other threads read under the PGM lock, and write
 * only to pages that are ALLOCATED, unmonitored, never executed and without handler or watch; for
 * everything else they post a request, which the machine's thread serves in pgm_service(), between
 * two blocks of guest code, and wait for it. A machine that is not running is served in place.
 *
 * A machine outside pgm_run_begin() and pgm_run_end() counts as not running, also while it is being
 * set up: any thread may then become the machine's. So where others may scan, compact or visit
 * before all RAM is registered, call pgm_run_begin() right after pgm_new(). An embedder with one
 * thread needs neither: it calls memsys as it likes.
 *
 * Guest bytes that the CPU and another thread touch at once race as on real hardware.
 *
 * Locks: the PGM lock may be taken under no other lock of ours, GMM's lock under it; no lock is
 * held while a callback runs or another machine is waited for.
 */
#pragma once

#include "memsys/map.h"
#include "memsys/pgm.h"

#pragma GCC visibility push(default)

/* Called from any thread when pgm_service() has work: the run loop should call it soon. Must only
 * raise a flag. */
typedef void (*PgmWakeFunc)(void *user);
void pgm_set_wake(Pgm *pgm, PgmWakeFunc func, void *user);

/**
 * pgm_run_begin, pgm_run_end:
 *
 * The machine's thread brackets everything it does with the machine while other threads may come:
 * between them requests wait for pgm_service(), outside they are served in place. They nest.
 * pgm_run_end() serves what is still queued.
 */
void pgm_run_begin(Pgm *pgm);
void pgm_run_end(Pgm *pgm);

/* Serves requests and slices of queued work (sharing, compaction). Machine's thread, between
 * blocks. */
void pgm_service(Pgm *pgm);

/* Whether pgm_service() has anything to do. Any thread; cheap. */
bool pgm_service_wanted(const Pgm *pgm);

/**
 * pgm_external_read, pgm_external_write:
 *
 * As pgm_read() and pgm_write(). Any thread but the machine's while it runs.
 */
MemStatus pgm_external_read(Pgm *pgm, GPhys gpa, void *buf, uint64_t len, MemOrigin origin);
MemStatus pgm_external_write(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len, MemOrigin origin);

/* As pgm_map_pages(), pgm_unmap_pages(). */
MemStatus pgm_external_map_pages(Pgm *pgm, const GPhys *gpas, uint32_t n, bool writable,
                                 PgmMapping *ret_mappings);
void pgm_external_unmap_pages(Pgm *pgm, PgmMapping *mappings, uint32_t n);

/**
 * pgm_external_call:
 * @func: runs once, on the machine's thread or, if the machine is not running, here
 *
 * Any power an embedder has, from any thread. Waits until @func has returned.
 */
typedef void (*PgmExternalFunc)(Pgm *pgm, void *user);
void pgm_external_call(Pgm *pgm, PgmExternalFunc func, void *user);

#pragma GCC visibility pop
