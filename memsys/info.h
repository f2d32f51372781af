/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people and tools ask about a machine's memory: statistics by hierarchical name, and info
 * items as text.
 *
 * Source: names from VirtualBox's PGM, MM and GMM as restated in the project's notes.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmStat {
    const char *name;        /* "/PGM/Page/cZeroPages" */
    const char *unit;        /* "pages", "bytes", "times" */
    const char *description; /* one line */
    uint64_t value;
    bool is_counter; /* pgm_reset_stats() sets it to 0 */
} PgmStat;

typedef void (*PgmStatVisitor)(const PgmStat *stat, void *user);

/**
 * pgm_stats_foreach:
 * @glob: (nullable): only names that match ("*" any run of bytes, '/' included, "?" one)
 *
 * In order of name.
 *
 * Returns: how many there were
 */
unsigned pgm_stats_foreach(Pgm *pgm, const char *glob, PgmStatVisitor visit, void *user);

/* Whether a name matches, as pgm_stats_foreach() decides it: for names of other layers. */
bool pgm_stat_name_matches(const char *glob, const char *name);

typedef struct PgmInfoItem {
    const char *name;     /* "phys", "handlers", "tlb", "gmm", "mmio2", "rom", "page", ... */
    const char *argument; /* (nullable): name of what it needs, "ADDRESS" */
    const char *description;
} PgmInfoItem;

/* Returns: (transfer none): the items, ended by a NULL name */
const PgmInfoItem *pgm_info_items(void);

/**
 * pgm_info:
 * @request: "phys", "page 0xfffc0", ...
 *
 * Returns: false with an error that lists the items
 */
bool pgm_info(Pgm *pgm, const char *request, GString *text, GError **error);

#pragma GCC visibility pop
