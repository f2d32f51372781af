/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest on our machine and on stock Unicorn: the same bytes, the same CPU model, the same
 * addresses. Ours runs as it always does: block hook, clock, ports. Stock has its memory from
 * uc_mem_map(), its own MMU, no hook but those a row names, and is started with uc_emu_start() to
 * an address, the way its documentation shows.
 */
#pragma once

#include "bench.h"

#include "emu/machine.h"

#include <unicorn/unicorn.h>

#define BENCH_CODE UINT64_C(0x10000)
#define BENCH_COUNT UINT64_C(0x8000)
#define BENCH_PASSES UINT64_C(0x8004)
#define BENCH_DATA UINT64_C(0x200000)
#define BENCH_DEVICE UINT64_C(0xe0000000)

/* guests.asm */
#define BENCH_GUEST_SYMBOLS(name)                                                         \
    extern const uint8_t bench_guest_##name[], bench_again_##name[], bench_done_##name[], \
        bench_end_##name[];
#define BENCH_GUEST(name)                                                           \
    {                                                                               \
        bench_guest_##name, bench_again_##name, bench_done_##name, bench_end_##name \
    }

typedef enum BenchStock { STOCK_BARE, STOCK_EMPTY_BLOCK_HOOK, NO_STOCK } BenchStock;

typedef struct BenchGuest {
    const uint8_t *code, *again, *done, *end;
} BenchGuest;

typedef struct BenchGuestRow {
    BenchGuest guest;
    uint32_t count, quick_count;
    unsigned ops; /* operations a count */
    BenchStock stock;
} BenchGuestRow;

typedef struct BenchSides {
    const BenchGuestRow *row;
    uint32_t count;
    EmuMachine *machine;
    Pgm *pgm;
    uc_engine *uc;
    uint64_t stock_pc;
} BenchSides;

/* Ready to make the first pass. False with an error; either way, clear with bench_sides_clear(). */
bool bench_ours_open(BenchSides *sides, uint64_t ram, GError **error);
bool bench_stock_open(BenchSides *sides, uint64_t ram, GError **error);
void bench_sides_clear(BenchSides *sides);

/* One pass. Returns: processor time in ns, or a negative number */
double bench_ours_pass(BenchSides *sides);
double bench_stock_pass(BenchSides *sides);
/* One pass that is timed by the caller: reading the processor's time costs as much as some passes.
 */
bool bench_ours_run(BenchSides *sides);
bool bench_stock_run(BenchSides *sides);
