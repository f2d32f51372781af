/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots: run a guest that dirties so many pages, restore, again. Ours restores the whole
 * machine (memory, CPU, devices, clock); stock Unicorn its CPU and memory by its own snapshots
 * (UC_CTL_CONTEXT_MEMORY), which is the fastest way it documents. The machine has the PC's board
 * neither here nor there.
 */
#include "sides.h"

#include "emu/snapshot.h"
#include "memsys/access.h"
#include "memsys/snapshot.h"

#include <string.h>
#include <sys/mman.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

BENCH_GUEST_SYMBOLS(touch)

/* The counting page is one more. */
static const BenchGuestRow touch_16 = { BENCH_GUEST(touch), 16, 16, 1, STOCK_BARE };
static const BenchGuestRow touch_64 = { BENCH_GUEST(touch), 64, 64, 1, STOCK_BARE };
static const BenchGuestRow touch_1024 = { BENCH_GUEST(touch), 1024, 1024, 1, STOCK_BARE };

typedef struct Loop {
    BenchSides sides;
    unsigned n_loops;
    EmuSnapshot *snapshot;
    uc_context *stock_snapshot;
} Loop;

static void loop_teardown(void *user)
{
    Loop *loop = user;

    emu_snapshot_drop(loop->snapshot);
    if (loop->stock_snapshot != NULL) {
        uc_context_free(loop->stock_snapshot);
    }
    bench_sides_clear(&loop->sides);
    g_free(loop);
}

/* One pass first: the pages exist, the code is translated. */
static bool ours_prepare(Loop *loop, uint64_t ram, GError **error)
{
    if (!bench_ours_open(&loop->sides, ram, error)) {
        return false;
    }
    if (bench_ours_pass(&loop->sides) < 0) {
        g_set_error(error, BENCH_ERROR, 0, "the guest does not run");
        return false;
    }
    loop->snapshot = emu_snapshot_take(loop->sides.machine, "bench", false, error);
    return loop->snapshot != NULL;
}

static bool stock_prepare(Loop *loop, uint64_t ram, GError **error)
{
    if (!bench_stock_open(&loop->sides, ram, error)) {
        return false;
    }
    uc_err err = uc_ctl_context_mode(loop->sides.uc, UC_CTL_CONTEXT_CPU | UC_CTL_CONTEXT_MEMORY);

    if (bench_stock_pass(&loop->sides) < 0 || err != UC_ERR_OK ||
        uc_context_alloc(loop->sides.uc, &loop->stock_snapshot) != UC_ERR_OK ||
        uc_context_save(loop->sides.uc, loop->stock_snapshot) != UC_ERR_OK) {
        g_set_error(error, BENCH_ERROR, 0, "stock Unicorn takes no snapshot");
        return false;
    }
    return true;
}

typedef enum Variant { DIRTY_16, DIRTY_64, DIRTY_1024, LARGE_RAM } Variant;

static void *loop_setup(const BenchRow *row, bool quick, GError **error)
{
    static const BenchGuestRow *const guests[] = { &touch_16, &touch_64, &touch_1024, &touch_16 };
    Loop *loop = g_new0(Loop, 1);
    bool large = row->variant == LARGE_RAM;

    loop->sides.row = guests[row->variant];
    loop->sides.count = loop->sides.row->count;
    loop->n_loops = quick ? 2 : 16384 / loop->sides.count;
    if (!ours_prepare(loop, large ? 64 * GIB : 16 * MIB, error) ||
        (!large && !stock_prepare(loop, 16 * MIB, error))) {
        loop_teardown(loop);
        return NULL;
    }
    return loop;
}

static double loop_ours(void *user)
{
    Loop *loop = user;
    uint64_t start = bench_cpu_ns();

    for (unsigned i = 0; i < loop->n_loops; i++) {
        if (!bench_ours_run(&loop->sides)) {
            return -1;
        }
        emu_snapshot_restore(loop->snapshot);
    }
    return (double)(bench_cpu_ns() - start) / loop->n_loops / 1000;
}

/* Its restores take long: fewer of them. */
static double loop_stock(void *user)
{
    Loop *loop = user;
    unsigned n_loops = MAX(loop->n_loops / 64, 1);
    uint64_t pc = loop->sides.stock_pc;
    uint64_t start = bench_cpu_ns();

    for (unsigned i = 0; i < n_loops; i++) {
        loop->sides.stock_pc = pc;
        if (!bench_stock_run(&loop->sides) ||
            uc_context_restore(loop->sides.uc, loop->stock_snapshot) != UC_ERR_OK) {
            return -1;
        }
    }
    return (double)(bench_cpu_ns() - start) / n_loops / 1000;
}

/* ---- restoring memory alone, against the least anybody could do */

typedef struct Restore {
    Gmm *gmm;
    Pgm *pgm;
    PgmSnapshot *snapshot;
    unsigned n_pages;
    unsigned n_loops;
    uint8_t *from, *to; /* as many pages, one after the other */
} Restore;

static void restore_teardown(void *user)
{
    Restore *state = user;

    pgm_snapshot_drop(state->snapshot);
    pgm_free(state->pgm);
    gmm_free(state->gmm);
    if (state->from != NULL) {
        munmap(state->from, state->n_pages * MEM_PAGE_SIZE);
    }
    if (state->to != NULL) {
        munmap(state->to, state->n_pages * MEM_PAGE_SIZE);
    }
    g_free(state);
}

static bool restore_prepare(Restore *state, uint64_t ram, GError **error)
{
    state->gmm = gmm_new(0, error);
    state->pgm = state->gmm != NULL ? pgm_new(state->gmm, NULL, error) : NULL;
    if (state->pgm == NULL || pgm_ram_register(state->pgm, 0, ram, "ram", error) != MEM_OK ||
        pgm_fill(state->pgm, 0, 1, state->n_pages * MEM_PAGE_SIZE, MEM_ORIGIN_LOADER) != MEM_OK) {
        return false;
    }
    state->snapshot = pgm_snapshot_take(state->pgm, "bench", PGM_SNAPSHOT_DEFAULT, error);
    if (state->snapshot == NULL) {
        return false;
    }
    state->from = bench_touched_memory(state->n_pages * MEM_PAGE_SIZE, error);
    state->to =
        state->from != NULL ? bench_touched_memory(state->n_pages * MEM_PAGE_SIZE, error) : NULL;
    return state->to != NULL;
}

static void *restore_setup(const BenchRow *row, bool quick, GError **error)
{
    static const unsigned n_pages[] = { 16, 64, 1024 };
    Restore *state = g_new0(Restore, 1);

    state->n_pages = n_pages[row->variant];
    state->n_loops = quick ? 2 : 65536 / state->n_pages;
    if (!restore_prepare(state, 256 * MIB, error)) {
        restore_teardown(state);
        return NULL;
    }
    return state;
}

/* Only the restores are counted, not the writes. */
static double restore_ours(void *user)
{
    const Restore *state = user;
    uint64_t took = 0;

    for (unsigned i = 0; i < state->n_loops; i++) {
        for (unsigned p = 0; p < state->n_pages; p++) {
            if (pgm_write_u32(state->pgm, p * MEM_PAGE_SIZE, i) != MEM_OK) {
                return -1;
            }
        }
        uint64_t start = bench_cpu_ns();

        pgm_snapshot_restore(state->snapshot);
        took += bench_cpu_ns() - start;
    }
    return (double)took / state->n_loops / 1000;
}

/* memcpy of the pages and one flush of a page-map TLB of the same size; the same writes between. */
static double restore_memcpy(void *user)
{
    const Restore *state = user;
    static uint8_t tlb[16 * 1024];
    uint64_t took = 0;

    for (unsigned i = 0; i < state->n_loops; i++) {
        for (unsigned p = 0; p < state->n_pages; p++) {
            memcpy(state->to + p * MEM_PAGE_SIZE, &i, sizeof(i));
        }
        uint64_t start = bench_cpu_ns();

        for (unsigned p = 0; p < state->n_pages; p++) {
            memcpy(state->to + p * MEM_PAGE_SIZE, state->from + p * MEM_PAGE_SIZE, MEM_PAGE_SIZE);
        }
        memset(tlb, 0, sizeof(tlb));
        bench_keep((uintptr_t)tlb);
        took += bench_cpu_ns() - start;
    }
    return (double)took / state->n_loops / 1000;
}

#define LOOP_ROW(row_name, our_text, ratio, which, their_text, their_func)                      \
    {                                                                                           \
        .name = row_name, .ours = our_text, .theirs = their_text, .unit = "us",                 \
        .target = (ratio) > 0 ? BENCH_RATIO_AT_LEAST : BENCH_NO_TARGET, .at = ratio,            \
        .variant = which, .setup = loop_setup, .run_ours = loop_ours, .run_theirs = their_func, \
        .teardown = loop_teardown,                                                              \
    }
#define RESTORE_ROW(row_name, text, which)                                                 \
    {                                                                                      \
        .name = row_name, .ours = text, .theirs = "memcpy of the pages and one TLB flush", \
        .unit = "us", .target = BENCH_RATIO_AT_LEAST, .at = 0.5, .variant = which,         \
        .setup = restore_setup, .run_ours = restore_ours, .run_theirs = restore_memcpy,    \
        .teardown = restore_teardown,                                                      \
    }

#define STOCK "stock Unicorn with its own memory snapshot, 16 MiB"

const BenchRow bench_snapshot_rows[] = {
    LOOP_ROW("snapshot-16", "guest dirties 16 pages, restore; 16 MiB of RAM", 50, DIRTY_16, STOCK,
             loop_stock),
    LOOP_ROW("snapshot-64", "guest dirties 64 pages, restore; 16 MiB of RAM", 75, DIRTY_64, STOCK,
             loop_stock),
    LOOP_ROW("snapshot-1024", "guest dirties 1,024 pages, restore; 16 MiB of RAM", 250, DIRTY_1024,
             STOCK, loop_stock),
    LOOP_ROW("snapshot-large", "guest dirties 16 pages, restore; 64 GiB of RAM", 0, LARGE_RAM, NULL,
             NULL),
    RESTORE_ROW("restore-16", "restoring memory, 16 pages", 0),
    RESTORE_ROW("restore-64", "restoring memory, 64 pages", 1),
    RESTORE_ROW("restore-1024", "restoring memory, 1,024 pages", 2),
    { .name = NULL },
};
