/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operations share: random numbers, the script, budgets, comparing results.
 *
 * A run is a list of steps: a machine, a kind of operation, and the seed of everything the
 * operation chooses. A step that finds nothing to do is skipped, so every part of a list is a list
 * too: that is what lets a failure shrink.
 */
#pragma once

#include "tests/model/memsys/cpu.h"
#include "tests/model/memsys/naive.h"

#include <stdio.h>

#define N_MACHINES 4u

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
    ON_SNAPSHOT,
    ON_RESTORE,
    ON_DIRTY,
    ON_LOCK,
    ON_LOCK_RO,
    ON_INFLATE,
    ON_DEFLATE,
    ON_SCAN,
    ON_COMPACT,
    ON_PREALLOCATE,
    ON_IMAGE,
    ON_LOAD,
    ON_HANDLER_NEW,
    ON_HANDLER_FREE,
    ON_HANDLER_OFF,
    ON_HANDLER_RESET,
    N_PAGE_EVENTS
} PageEvent;

/* An operation on a machine. OP_SKIPPED: nothing to do it with, does not count. */
typedef int (*OpFunc)(Naive *m);
#define OP_SKIPPED 1

typedef enum OpFlags {
    OP_RANGES = 1,     /* ranges come or go: not during a live save */
    OP_TRACKING = 2,   /* not for plain machines */
    OP_NO_MACHINE = 4, /* for an empty place too */
} OpFlags;

typedef struct Op {
    const char *name;
    OpFunc func;
    unsigned weight;
    unsigned flags;
} Op;

extern const Op access_ops[], range_ops[], other_ops[], tracking_ops[], sharing_ops[], state_ops[],
    machine_ops[];
extern const unsigned n_access_ops, n_range_ops, n_other_ops, n_tracking_ops, n_sharing_ops,
    n_state_ops, n_machine_ops;

extern Gmm *model_gmm;
extern Naive model_machines[N_MACHINES]; /* pgm NULL: an empty place */
extern bool model_limited;               /* pages may run out now */

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
uint64_t pick_state(Naive *m); /* a page of RAM with any kind of backing, all alike likely */
/* Where the copy has something that the machine has not: a device, a ballooned page. */
uint64_t pick_copied(Naive *m, const Copy *copy);
uint64_t pick_page(void);                            /* a page of the windows, mostly */
NaiveRange *pick_range(Naive *m, PgmRangeKind kind); /* NULL: there is none */

/* Writes one byte, an operation within an operation. */
int touch(Naive *m, uint64_t gpa);
/* A byte to each page of a range of RAM or ROM. */
int flood(Naive *m, NaiveRange *range);
/* Reads and writes of the ROM reach its RAM from now on; no-op if it has none. */
void show_shadow(Naive *m, NaiveRange *rom);
/* Undoes all locks of pages of the range; NULL: of all ranges. */
void unlock_range(Naive *m, const NaiveRange *range);
/* The CPUs heard of code changes of host page @id; what they kept of it may be old until then. */
void cpu_excuse(Naive *m, PageId id);
void cpu_no_excuse(Naive *m, PageId id);

/* machines.c */
void machine_begin(Naive *m, unsigned number);
void machine_end(Naive *m);
void machine_check(Naive *m);
/* A machine with the ranges of the copy, without contents. Returns: the copy for that machine. */
Copy *machine_begin_like(Naive *twin, unsigned number, const Copy *copy);
void state_drop(Naive *m);
uint64_t model_give_pages(GmmVm *vm, uint64_t n_wanted, void *user);

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

/* ---- lists of steps (run.c, shrink.c) */

typedef struct Step {
    uint64_t seed;
    uint8_t machine;
    uint8_t op;
} Step;

/* What a child tells its parent, in shared memory. */
typedef struct Report {
    volatile uint64_t part, at; /* the step that runs */
    volatile uint64_t n_done;
    const char *volatile format; /* of the failure: children have the parent's addresses */
    char text[2000];
} Report;

extern Report *report;

typedef enum Planted { PLANTED_NOTHING, PLANTED_PROTECTION, PLANTED_DIRTY } Planted;
extern Planted planted; /* a bug of the naive machine's own, to see that it is found */

void run_init(void);
bool run_disable(const char *op_name);
/* The steps of part @part of the run with @seed. */
GArray *run_generate(uint64_t seed, uint64_t part);
/* Plays them, and at most @n_max that count; checks after every @check_every. @tell: print what is
 * done. Does not return on failure. Returns: how many counted. */
uint64_t run_play(const Step *steps, size_t n, uint64_t n_max, unsigned check_every, bool tell);
/* Whether enough succeeded and at most @n_missed kinds and rows were never seen. */
bool run_print_counts(FILE *out, uint64_t n, unsigned n_missed);
const char *run_op_name(unsigned op);
int run_op_number(const char *name); /* -1: there is none */

/* A failure of @steps, found by a check every @check_every, as few steps as can be. */
GArray *shrink(const Step *steps, size_t n, unsigned check_every, unsigned seconds);
/* Plays them in a child that says what it does; its status. */
int shrink_show(const GArray *steps);
void shrink_write(const GArray *steps, FILE *out);
GArray *shrink_read(const char *path);
