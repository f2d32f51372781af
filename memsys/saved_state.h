/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory in a saved state: units "mm" (RAM and hole size) and "pgm" (tables of ranges,
 * then page records: zero, raw, same as an earlier one, ballooned, ROM virgin, ROM shadow,
 * protection, MMIO2).
 *
 * Loading is in two steps: pgm_load_check() reads everything and changes nothing; pgm_load_apply()
 * then can fail only for want of memory, and the caller undoes that with a snapshot taken before
 * (memsys/snapshot.h).
 *
 *      g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 0, &error);
 *      pgm_save(pgm, writer);                         (writer: not NULL)
 *      ok = mem_state_writer_commit(writer, &error);
 *
 *      g_autoptr(MemStateReader) reader = mem_state_reader_new(path, &error);
 *      other = ...                                    a machine built alike: RAM, ROMs, MMIO, MMIO2
 *      ok = pgm_load_check(other, reader, &error) && pgm_load_apply(other, reader, &error);
 *
 * Applying is allowed with snapshots and dirty clients: what it changes counts as written, so
 * clients see it and a restore undoes it.
 *
 * A live save runs beside the guest: pages are written in passes, the pages that the guest writes
 * meanwhile again in the next, until few are left; the last pass stops the guest.
 *
 * Thread: the machine's.
 */
#pragma once

#include "memsys/pgm.h"
#include "memsys/state_file.h"

#pragma GCC visibility push(default)

/* Writes the units "mm" and "pgm". Failures are the writer's to report. */
void pgm_save(Pgm *pgm, MemStateWriter *writer);

/* Everything in the two units fits this machine: RAM and hole size, ROM, MMIO and MMIO2 ranges by
 * owner, region and size, every record. */
bool pgm_load_check(Pgm *pgm, MemStateReader *reader, GError **error);

/* After a check. False: MEM_ERR_NO_MEMORY, and memory is in no defined state. */
bool pgm_load_apply(Pgm *pgm, MemStateReader *reader, GError **error);

/* ---- live */

typedef struct PgmLiveSave PgmLiveSave;

typedef struct PgmLiveProgress {
    unsigned pass;      /* from 0 */
    uint64_t n_written; /* pages, all passes */
    uint64_t n_left;    /* pages to write if the guest stopped now */
    bool converged;     /* few enough left, or it will not get better: finish */
} PgmLiveProgress;

/* Begins the unit "pgm" (after "mm"); until the end no other unit may be begun. NULL with an error.
 */
PgmLiveSave *pgm_live_save_new(Pgm *pgm, MemStateWriter *writer, GError **error);
/* Writes up to @n_pages pages and says how it stands. Between steps the guest may run. */
void pgm_live_save_step(PgmLiveSave *save, uint64_t n_pages, PgmLiveProgress *ret_progress);
/* The last pass, with the guest stopped; ends the unit. */
void pgm_live_save_finish(PgmLiveSave *save);
void pgm_live_save_free(PgmLiveSave *save); /* (nullable) */

#pragma GCC visibility pop
