/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices' access to guest memory, against Unicorn's API, against an array behind a bounds check
 * and against memcpy(). Each side's loop has the same addresses in the same order.
 */
#include "bench.h"

#include "memsys/access.h"
#include "memsys/cpu_port.h"

#include <string.h>
#include <sys/mman.h>
#include <unicorn/unicorn.h>

#define N_OFFSETS 4096u /* a power of two */
#define BULK_LEN (UINT64_C(64) << 10)

typedef enum Variant { HITS, RANDOM, BULK, MISSES, FILLS, FIRST_FILLS } Variant;

typedef struct Access {
    Gmm *gmm;
    Pgm *pgm;
    PgmCpu *cpu;
    uc_engine *uc;
    uint8_t *flat;
    uint64_t len; /* of guest memory, a power of two */
    uint64_t n;   /* operations a round */
    uint32_t *offsets;
    uint8_t *buffer;
} Access;

static const PgmCpuCallbacks no_callbacks = { 0 };

/* What each variant needs: bytes of memory, operations a round, and offsets within how much. */
typedef struct Sizes {
    uint64_t len, n, spread;
} Sizes;

static const Sizes sizes[] = {
    [HITS] = { 2 << 20, 4000000, 256 << 10 }, [RANDOM] = { 1 << 30, 4000000, 4096 },
    [BULK] = { 16 << 20, 4000, 4096 },        [MISSES] = { 64 << 20, 2000000, 4096 },
    [FILLS] = { 256 << 20, 1000000, 4096 },   [FIRST_FILLS] = { 64 << 20, 16384, 4096 },
};
static const Sizes quick_sizes[] = {
    [HITS] = { 2 << 20, 8192, 256 << 10 }, [RANDOM] = { 16 << 20, 10000, 4096 },
    [BULK] = { 16 << 20, 10, 4096 },       [MISSES] = { 64 << 20, 8192, 4096 },
    [FILLS] = { 8 << 20, 8192, 4096 },     [FIRST_FILLS] = { 8 << 20, 2048, 4096 },
};

static void access_teardown(void *user)
{
    Access *state = user;

    pgm_cpu_detach(state->cpu);
    pgm_free(state->pgm);
    gmm_free(state->gmm);
    if (state->uc != NULL) {
        uc_close(state->uc);
    }
    if (state->flat != NULL) {
        munmap(state->flat, state->len);
    }
    g_free(state->offsets);
    g_free(state->buffer);
    g_free(state);
}

/* Misses: two pages that far apart share a slot of the page-map TLB. */
static void make_offsets(Access *state, Variant variant, uint64_t spread)
{
    uint32_t random = 1;

    state->offsets = g_new(uint32_t, N_OFFSETS);
    for (unsigned i = 0; i < N_OFFSETS; i++) {
        state->offsets[i] = bench_random(&random) & (uint32_t)(spread - 1) & ~3u;
        if (variant == MISSES && i % 2 != 0) {
            state->offsets[i] += (uint32_t)(state->len / 2);
        }
    }
}

static bool open_unicorn(Access *state, GError **error)
{
    uc_err err = uc_open(UC_ARCH_X86, UC_MODE_32, &state->uc);

    if (err == UC_ERR_OK) {
        err = uc_mem_map(state->uc, 0, state->len, UC_PROT_ALL);
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_write(state->uc, 0, state->flat, state->len);
    }
    if (err != UC_ERR_OK) {
        g_set_error(error, BENCH_ERROR, 0, "Unicorn: %s", uc_strerror(err));
    }
    return err == UC_ERR_OK;
}

static void *access_setup(const BenchRow *row, bool quick, GError **error)
{
    const Variant variant = (Variant)row->variant;
    const Sizes *size = quick ? &quick_sizes[variant] : &sizes[variant];
    /* One of fixed size does not grow until the misses are hits. */
    const PgmConfig config = { .tlb_slots = variant == MISSES ? 1024 : 0 };
    Access *state = g_new0(Access, 1);

    state->len = size->len;
    state->n = size->n;
    state->buffer = g_malloc0(BULK_LEN);
    make_offsets(state, variant, size->spread);
    state->gmm = gmm_new(0, error);
    state->pgm = state->gmm != NULL ? pgm_new(state->gmm, &config, error) : NULL;
    state->flat = state->pgm != NULL ? bench_touched_memory(state->len, error) : NULL;
    if (state->flat == NULL ||
        pgm_ram_register(state->pgm, 0, state->len, "ram", error) != MEM_OK ||
        ((variant == HITS || variant == MISSES) && !open_unicorn(state, error))) {
        access_teardown(state);
        return NULL;
    }
    state->cpu = pgm_cpu_attach(state->pgm, &no_callbacks, NULL);
    if (variant != FIRST_FILLS &&
        pgm_fill(state->pgm, 0, 1, state->len, MEM_ORIGIN_LOADER) != MEM_OK) {
        g_set_error(error, BENCH_ERROR, 0, "no memory for the guest");
        access_teardown(state);
        return NULL;
    }
    return state;
}

static double per_op(uint64_t start, uint64_t n)
{
    return (double)(bench_cpu_ns() - start) / (double)n;
}

/* ---- typed access to a few pages, or to pages that miss */

static double read_ours(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    Pgm *pgm = state->pgm;
    uint64_t start = bench_cpu_ns();
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        sum += pgm_read_u32(pgm, offsets[i % N_OFFSETS]);
    }
    bench_keep(sum);
    return per_op(start, n);
}

static double read_unicorn(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    uint64_t start = bench_cpu_ns();
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        uint32_t value = 0;

        (void)uc_mem_read(state->uc, offsets[i % N_OFFSETS], &value, sizeof(value));
        sum += value;
    }
    bench_keep(sum);
    return per_op(start, n);
}

/* The bare access: an array, and all ones outside of it. */
static inline uint32_t flat_read(const uint8_t *flat, uint64_t len, uint64_t at)
{
    uint32_t value;

    if (G_UNLIKELY(at > len - sizeof(value))) {
        return UINT32_MAX;
    }
    memcpy(&value, flat + at, sizeof(value));
    return value;
}

static inline bool flat_write(uint8_t *flat, uint64_t len, uint64_t at, uint32_t value)
{
    if (G_UNLIKELY(at > len - sizeof(value))) {
        return false;
    }
    memcpy(flat + at, &value, sizeof(value));
    return true;
}

static double read_flat(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    uint64_t start = bench_cpu_ns();
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        sum += flat_read(state->flat, state->len, offsets[i % N_OFFSETS]);
    }
    bench_keep(sum);
    return per_op(start, n);
}

static double write_ours(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    Pgm *pgm = state->pgm;
    uint64_t start = bench_cpu_ns();
    MemStatus status = MEM_OK;

    for (uint64_t i = 0; i < n; i++) {
        status |= pgm_write_u32(pgm, offsets[i % N_OFFSETS], (uint32_t)i);
    }
    return status == MEM_OK ? per_op(start, n) : -1;
}

static double write_unicorn(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    uint64_t start = bench_cpu_ns();

    for (uint64_t i = 0; i < n; i++) {
        uint32_t value = (uint32_t)i;

        (void)uc_mem_write(state->uc, offsets[i % N_OFFSETS], &value, sizeof(value));
    }
    return per_op(start, n);
}

static double write_flat(void *user)
{
    const Access *state = user;
    const uint32_t *offsets = state->offsets;
    const uint64_t n = state->n;
    uint64_t start = bench_cpu_ns();
    bool ok = true;

    for (uint64_t i = 0; i < n; i++) {
        ok &= flat_write(state->flat, state->len, offsets[i % N_OFFSETS], (uint32_t)i);
    }
    return ok ? per_op(start, n) : -1;
}

/* ---- typed access all over memory: the page-map TLB, the caches and the host's TLB all miss */

static double random_read_ours(void *user)
{
    const Access *state = user;
    Pgm *pgm = state->pgm;
    uint32_t mask = (uint32_t)(state->len - 4);
    uint64_t start = bench_cpu_ns();
    uint32_t random = 1;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < state->n; i++) {
        sum += pgm_read_u32(pgm, bench_random(&random) & mask);
    }
    bench_keep(sum);
    return per_op(start, state->n);
}

static double random_read_flat(void *user)
{
    const Access *state = user;
    uint32_t mask = (uint32_t)(state->len - 4);
    uint64_t start = bench_cpu_ns();
    uint32_t random = 1;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < state->n; i++) {
        sum += flat_read(state->flat, state->len, bench_random(&random) & mask);
    }
    bench_keep(sum);
    return per_op(start, state->n);
}

static double random_write_ours(void *user)
{
    const Access *state = user;
    Pgm *pgm = state->pgm;
    uint32_t mask = (uint32_t)(state->len - 4);
    uint64_t start = bench_cpu_ns();
    uint32_t random = 1;
    MemStatus status = MEM_OK;

    for (uint64_t i = 0; i < state->n; i++) {
        status |= pgm_write_u32(pgm, bench_random(&random) & mask, (uint32_t)i);
    }
    return status == MEM_OK ? per_op(start, state->n) : -1;
}

static double random_write_flat(void *user)
{
    const Access *state = user;
    uint32_t mask = (uint32_t)(state->len - 4);
    uint64_t start = bench_cpu_ns();
    uint32_t random = 1;
    bool ok = true;

    for (uint64_t i = 0; i < state->n; i++) {
        ok &= flat_write(state->flat, state->len, bench_random(&random) & mask, (uint32_t)i);
    }
    return ok ? per_op(start, state->n) : -1;
}

/* ---- bulk: the same 64 KiB again and again, where the cost of finding pages weighs most */

static double bulk_read_ours(void *user)
{
    const Access *state = user;
    uint64_t start = bench_cpu_ns();
    MemStatus status = MEM_OK;

    for (uint64_t i = 0; i < state->n; i++) {
        status |= pgm_read(state->pgm, 0x10000, state->buffer, BULK_LEN, MEM_ORIGIN_DEVICE);
        bench_keep((uintptr_t)state->buffer);
    }
    return status == MEM_OK ? per_op(start, state->n) : -1;
}

static double bulk_read_flat(void *user)
{
    const Access *state = user;
    uint64_t start = bench_cpu_ns();

    for (uint64_t i = 0; i < state->n; i++) {
        memcpy(state->buffer, state->flat + 0x10000, BULK_LEN);
        __asm__ volatile("" : : "r"(state->buffer) : "memory");
    }
    return per_op(start, state->n);
}

static double bulk_write_ours(void *user)
{
    const Access *state = user;
    uint64_t start = bench_cpu_ns();
    MemStatus status = MEM_OK;

    for (uint64_t i = 0; i < state->n; i++) {
        status |= pgm_write(state->pgm, 0x10000, state->buffer, BULK_LEN, MEM_ORIGIN_DEVICE);
    }
    return status == MEM_OK ? per_op(start, state->n) : -1;
}

static double bulk_write_flat(void *user)
{
    const Access *state = user;
    uint64_t start = bench_cpu_ns();

    for (uint64_t i = 0; i < state->n; i++) {
        memcpy(state->flat + 0x10000, state->buffer, BULK_LEN);
        __asm__ volatile("" : : "r"(state->flat) : "memory");
    }
    return per_op(start, state->n);
}

/* ---- a CPU's fills */

/* @access on page after page, from the start again where memory ends. */
static double fill_pages(const Access *state, MemAccess access)
{
    uint64_t mask = state->len - 1;
    uint64_t start = bench_cpu_ns();
    PgmFill fill;

    for (uint64_t i = 0; i < state->n; i++) {
        pgm_cpu_fill(state->cpu, (i << MEM_PAGE_SHIFT) & mask, access, &fill);
        if (fill.kind != PGM_FILL_DIRECT) {
            return -1;
        }
    }
    return per_op(start, state->n);
}

static double fill_warm(void *user)
{
    return fill_pages(user, MEM_ACCESS_WRITE);
}

static double fill_first(void *user)
{
    const Access *state = user;

    pgm_reset(state->pgm); /* all pages are ZERO again */
    return fill_pages(state, MEM_ACCESS_WRITE);
}

/* What any owner of memory pays for a page it never wrote. */
static double touch_first(void *user)
{
    const Access *state = user;

    if (madvise(state->flat, state->len, MADV_DONTNEED) != 0) {
        return -1;
    }
    uint64_t start = bench_cpu_ns();

    for (uint64_t i = 0; i < state->n; i++) {
        *(volatile uint8_t *)(state->flat + (i << MEM_PAGE_SHIFT)) = 1;
    }
    return per_op(start, state->n);
}

#define ACCESS_ROW(row_name, our_text, their_text, ratio, which, our_func, their_func)           \
    {                                                                                            \
        .name = row_name, .ours = our_text, .theirs = their_text, .unit = "ns",                  \
        .target = (ratio) > 0 ? BENCH_RATIO_AT_LEAST : BENCH_NO_TARGET, .at = ratio,             \
        .variant = which, .setup = access_setup, .run_ours = our_func, .run_theirs = their_func, \
        .teardown = access_teardown,                                                             \
    }

const BenchRow bench_access_rows[] = {
    ACCESS_ROW("read-u32", "pgm_read_u32(), TLB hits", "uc_mem_read() of 4 bytes", 10, HITS,
               read_ours, read_unicorn),
    ACCESS_ROW("write-u32", "pgm_write_u32(), TLB hits", "uc_mem_write() of 4 bytes", 10, HITS,
               write_ours, write_unicorn),
    ACCESS_ROW("read-u32-bare", "pgm_read_u32(), TLB hits", "a load behind a bounds check", 0.5,
               HITS, read_ours, read_flat),
    ACCESS_ROW("write-u32-bare", "pgm_write_u32(), TLB hits", "a store behind a bounds check", 0.5,
               HITS, write_ours, write_flat),
    ACCESS_ROW("read-u32-miss", "pgm_read_u32(), every one a page-map TLB miss",
               "uc_mem_read() at the same addresses", 0, MISSES, read_ours, read_unicorn),
    ACCESS_ROW("read-64k", "pgm_read() of 64 KiB", "memcpy() of 64 KiB", 0.9, BULK, bulk_read_ours,
               bulk_read_flat),
    ACCESS_ROW("write-64k", "pgm_write() of 64 KiB", "memcpy() of 64 KiB", 0.9, BULK,
               bulk_write_ours, bulk_write_flat),
    ACCESS_ROW("read-random", "pgm_read_u32(), random over 1 GiB of touched memory",
               "a load behind a bounds check from an array of 1 GiB", 1.0 / 3, RANDOM,
               random_read_ours, random_read_flat),
    ACCESS_ROW("write-random", "pgm_write_u32(), random over 1 GiB of touched memory",
               "a store behind a bounds check to an array of 1 GiB", 1.0 / 3, RANDOM,
               random_write_ours, random_write_flat),
    ACCESS_ROW("cpu-fill", "pgm_cpu_fill() for a store, 256 MiB of touched pages", NULL, 0, FILLS,
               fill_warm, NULL),
    ACCESS_ROW("cpu-fill-first", "pgm_cpu_fill() for the first store to a page",
               "the first store to a page of an array: a page fault of the host", 0, FIRST_FILLS,
               fill_first, touch_first),
    { .name = NULL },
};
