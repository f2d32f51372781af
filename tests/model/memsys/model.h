/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operations share: random numbers, the script, budgets, comparing results.
 */
#pragma once

#include "tests/model/memsys/cpu.h"
#include "tests/model/memsys/naive.h"

/* What an operation is to the state of a page; rows of the table that must all be seen. */
typedef enum PageEvent {
    ON_NOTHING, /* no page in particular */
    ON_READ,
    ON_WRITE,
    ON_CPU_STORE,
    ON_POKE,
    ON_TRACK,
    ON_MARK,
    ON_RESET,
    ON_MAP,
    ON_UNMAP,
    ON_ALIAS,
    ON_UNALIAS,
    ON_PROTECT,
    N_PAGE_EVENTS
} PageEvent;

/* An operation on a machine. OP_SKIPPED: nothing to do it with, does not count. */
typedef int (*OpFunc)(Naive *m);
#define OP_SKIPPED 1

typedef struct Op {
    const char *name;
    OpFunc func;
    unsigned weight;
} Op;

extern const Op access_ops[], range_ops[], other_ops[];
extern const unsigned n_access_ops, n_range_ops, n_other_ops;

extern Gmm *model_gmm;
extern bool model_limited; /* pages may run out now */

uint64_t rng(void);
static inline unsigned below(unsigned n)
{
    return (unsigned)(rng() % n);
}
static inline bool one_in(unsigned n)
{
    return below(n) == 0;
}
MemOrigin any_origin(void);
uint64_t pick_address(Naive *m);
uint64_t pick_page(void);                            /* a page of the windows, mostly */
NaiveRange *pick_range(Naive *m, PgmRangeKind kind); /* NULL: there is none */

/* Writes one byte, an operation within an operation. */
int touch(Naive *m, uint64_t gpa);
/* A byte to each page of a range of RAM or ROM. */
int flood(Naive *m, NaiveRange *range);
/* Reads and writes of the ROM reach its RAM from now on; no-op if it has none. */
void show_shadow(Naive *m, NaiveRange *rom);

/* Adds a line to the script. */
void script(Naive *m, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The page whose change of state is looked at: before now, after the operation. */
void focus(Naive *m, PageEvent event, uint64_t gpa);

/* Between these two the real machine acts; pages it takes are the naive one's budget. */
void real_begins(Naive *m);
void real_ended(Naive *m);

/* Fails unless both agree; gives @real. */
int agree(Naive *m, MemStatus real, MemStatus naive);
/* A set-up call that failed has an error with its code, one that did not has none. */
void agree_error(MemStatus status, GError *error);
