/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmarks of two sides in one process: ours and an opponent's. A row names what both do; the two
 * run in turn, round after round, and each side's number is the median of its rounds, so that a
 * busy host slows both. Numbers are costs: less is better.
 *
 * Times are processor time of this process, unless a row says otherwise.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a row is to reach. The ratio is theirs / ours: 2 means that we cost half. */
typedef enum BenchTarget {
    BENCH_NO_TARGET,
    BENCH_RATIO_AT_LEAST,
    BENCH_OURS_AT_MOST,       /* in the row's unit */
    BENCH_DIFFERENCE_AT_MOST, /* ours - theirs, in the row's unit */
} BenchTarget;

typedef struct BenchRow {
    const char *name;
    const char *ours; /* what our side does; the opponent's source stands beside ours */
    const char *theirs;
    const char *unit;
    BenchTarget target;
    double at;
    unsigned rounds; /* 0: the usual number */
    int variant;     /* for rows that share functions */

    /* NULL with an error if the row cannot run here. @quick: tiny sizes, only to see that it runs.
     */
    void *(*setup)(const struct BenchRow *row, bool quick, GError **error);
    /* One round. Returns: the cost of one operation, in @unit; a negative number is a failure. */
    double (*run_ours)(void *state);
    double (*run_theirs)(void *state); /* NULL: there is no opponent */
    void (*teardown)(void *state);
} BenchRow;

/* Each list ends with a row without a name. */
extern const BenchRow bench_access_rows[];
extern const BenchRow bench_guest_rows[];
extern const BenchRow bench_map_rows[];
extern const BenchRow bench_boot_rows[];
extern const BenchRow bench_snapshot_rows[];
extern const BenchRow bench_content_rows[];
extern const BenchRow bench_screen_rows[];

typedef struct BenchResult {
    const BenchRow *row;
    double ours;
    double theirs; /* 0 without an opponent */
    double ratio;  /* theirs / ours; 0 without an opponent */
    bool ran;
    bool reached;  /* true without a target */
    char *problem; /* why it did not run; NULL if it did */
} BenchResult;

/* report.c */
void bench_print_result(const BenchResult *result);
/* Writes all results as JSON. False with an error that names the file. */
bool bench_write_json(const char *path, const GArray *results, bool quick, GError **error);

/* host.c */

/* Processor time of this process in ns. */
uint64_t bench_cpu_ns(void);

/* Keeps a value alive, so that the code that made it is not optimized away. */
static inline void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value));
}

/* Memory of this process that is in RAM now, in bytes: all of it, and the part within
 * [@start, @start + @len). */
void bench_resident(const void *start, uint64_t len, uint64_t *ret_all, uint64_t *ret_within);

/* Runs @function in a child process, so that nothing that was freed before is used again. Returns:
 * what it returned, or -1 if the child failed. */
double bench_in_child(double (*function)(void *), void *user);

/* Anonymous memory, every page touched; freed with munmap(). NULL with an error. */
uint8_t *bench_touched_memory(uint64_t len, GError **error);

/* The same numbers in each run; never 0. */
static inline uint32_t bench_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

GQuark bench_error_quark(void);
#define BENCH_ERROR bench_error_quark()
