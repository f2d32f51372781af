/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind memsys/info.h offer each other. Each item is one function that appends its
 * text; only those with an argument can fail.
 */
#pragma once

#include "memsys/info.h"
#include "memsys/pgm-internal.h"

/* Most lines of a list whose length a guest or a user decides; the others are counted. */
#define PGM_INFO_MAX_LINES 10000u

typedef struct PgmInfoLines {
    GString *text;
    uint64_t n;
} PgmInfoLines;

/* One line more; false: it is not to be printed. */
static inline bool pgm_info_line(PgmInfoLines *lines)
{
    return lines->n++ < PGM_INFO_MAX_LINES;
}

/* ---- describe.c */

/* Says how many of @what were not printed, if any. */
void pgm_info_lines_end(const PgmInfoLines *lines, const char *what);
const char *pgm_rom_prot_name(PgmRomProt prot);

/* ---- info-map.c */
void pgm_info_handlers(Pgm *pgm, GString *text);
void pgm_info_watches(Pgm *pgm, GString *text);
void pgm_info_mmio(Pgm *pgm, GString *text);
void pgm_info_mmio2(Pgm *pgm, GString *text);
void pgm_info_rom(Pgm *pgm, GString *text);
void pgm_info_page(Pgm *pgm, GPhys gpa, GString *text);

/* ---- info-pools.c */
void pgm_info_tlb(Pgm *pgm, GString *text);
void pgm_info_gmm(Pgm *pgm, GString *text);

/* ---- info-tracking.c */
void pgm_info_snapshots(Pgm *pgm, GString *text);
void pgm_info_dirty(Pgm *pgm, GString *text);
void pgm_info_heap(Pgm *pgm, GString *text);
/* For whom the page is dirty; nothing if for nobody. */
void pgm_info_dirty_page(Pgm *pgm, GPhys gpa, GString *text);

/* ---- watch.c: those in use, by address: physical ones, then each CPU's virtual ones */
typedef void (*PgmWatchVisitor)(bool is_virtual, uint64_t first, uint64_t last, unsigned accesses,
                                bool before, PgmInfoLines *lines);
void pgm_watches_print(const Pgm *pgm, PgmWatchVisitor print, PgmInfoLines *lines);
