/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files behind memsys/info.h offer each other. Each item is one function that appends its
 * text; only those with an argument can fail.
 */
#pragma once

#include "memsys/info.h"
#include "memsys/pgm-internal.h"

/* ---- describe.c */
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
                                bool before, GString *text);
void pgm_watches_print(const Pgm *pgm, PgmWatchVisitor print, GString *text);
