/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map: many ranges, large machines, and what the records of pages cost. */
#include "bench.h"

#include "emu/machine.h"
#include "memsys/access.h"
#include "memsys/mm.h"
#include "memsys/mmio.h"

#include <unicorn/unicorn.h>

/* ---- ranges */

typedef struct Ranges {
    Gmm *gmm;
    unsigned n;
    unsigned n_stock;
    uc_engine *uc; /* with n_stock regions */
} Ranges;

static const PgmMmioOps no_ops = { 0 };

/* Apart by a page, so that neither side could join them. */
static uint64_t range_address(unsigned i)
{
    return (uint64_t)i * 2 * MEM_PAGE_SIZE;
}

static void ranges_teardown(void *user)
{
    Ranges *state = user;

    gmm_free(state->gmm);
    if (state->uc != NULL) {
        uc_close(state->uc);
    }
    g_free(state);
}

static bool map_stock(Ranges *state, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        if (uc_mem_map(state->uc, range_address(i), MEM_PAGE_SIZE, UC_PROT_ALL) != UC_ERR_OK) {
            return false;
        }
    }
    return true;
}

static void *ranges_setup(const BenchRow *row, bool quick, GError **error)
{
    Ranges *state = g_new0(Ranges, 1);

    state->n = quick ? 500 : 10000;
    state->n_stock = quick ? 100 : 4000;
    state->gmm = gmm_new(0, error);
    if (state->gmm == NULL) {
        ranges_teardown(state);
        return NULL;
    }
    if (row->variant != 0 && (uc_open(UC_ARCH_X86, UC_MODE_32, &state->uc) != UC_ERR_OK ||
                              !map_stock(state, 0, state->n_stock))) {
        g_set_error(error, BENCH_ERROR, 0, "Unicorn does not map %u regions", state->n_stock);
        ranges_teardown(state);
        return NULL;
    }
    return state;
}

/* Every second one is a device's. Returns: us for each of @n ranges, @n_passes machines one after
 * the other. */
static double register_ranges(const Ranges *state, unsigned n, unsigned n_passes)
{
    uint64_t took = 0;

    for (unsigned pass = 0; pass < n_passes; pass++) {
        g_autoptr(Pgm) pgm = pgm_new(state->gmm, NULL, NULL);
        uint64_t start = bench_cpu_ns();

        for (unsigned i = 0; i < n; i++) {
            MemStatus status;

            if (i % 2 == 0) {
                status = pgm_ram_register(pgm, range_address(i), MEM_PAGE_SIZE, "bench", NULL);
            } else {
                PgmMmio *mmio =
                    pgm_mmio_new(pgm, MEM_PAGE_SIZE, &no_ops, NULL, "bench", "bench", NULL);

                status = pgm_mmio_map(mmio, range_address(i), NULL);
            }
            if (status != MEM_OK) {
                return -1;
            }
        }
        took += bench_cpu_ns() - start;
    }
    return (double)took / (double)n / n_passes / 1000;
}

static double ranges_many(void *user)
{
    const Ranges *state = user;

    return register_ranges(state, state->n, 1);
}

static double ranges_one(void *user)
{
    return register_ranges(user, 1, 20);
}

/* What one more costs when n_stock are there. */
static double ranges_stock(void *user)
{
    Ranges *state = user;
    const unsigned n = 3;
    uint64_t start = bench_cpu_ns();

    if (!map_stock(state, state->n_stock, n)) {
        return -1;
    }
    double us = (double)(bench_cpu_ns() - start) / n / 1000;

    /* They stay: after an unmap the next map would take several times as long. */
    state->n_stock += n;
    return us;
}

/* ---- creation */

#define LARGE_RAM (UINT64_C(1) << 40)
#define SMALL_RAM (UINT64_C(16) << 20)

/* A whole machine, ready to run; NULL if it cannot be had. */
static EmuMachine *new_machine(uint64_t ram)
{
    EmuMachine *machine = emu_machine_new(NULL, NULL);

    if (machine != NULL && mm_register_x86(emu_machine_pgm(machine), ram, 0, NULL) != MEM_OK) {
        emu_machine_free(machine);
        return NULL;
    }
    if (machine != NULL) {
        emu_machine_reset(machine);
    }
    return machine;
}

/* Rows without a state of their own. */
static void *no_setup(const BenchRow *row, bool quick, GError **error)
{
    bool *state = g_new(bool, 1);

    (void)row;
    (void)error;
    *state = quick;
    return state;
}

static double creation_us(uint64_t ram)
{
    uint64_t start = bench_cpu_ns();
    EmuMachine *machine = new_machine(ram);
    uint64_t end = bench_cpu_ns();

    if (machine == NULL) {
        return -1;
    }
    emu_machine_free(machine);
    return (double)(end - start) / 1000;
}

static double create_large(void *user)
{
    (void)user;
    return creation_us(LARGE_RAM);
}

static double create_small(void *user)
{
    (void)user;
    return creation_us(SMALL_RAM);
}

/* KiB that the process grows by. */
static double resident_of_machine(void *user)
{
    uint64_t before;
    uint64_t after;
    uint64_t within;

    bench_resident(NULL, 0, &before, &within);
    if (new_machine(*(const uint64_t *)user) == NULL) {
        return -1;
    }
    bench_resident(NULL, 0, &after, &within);
    return ((double)after - (double)before) / 1024;
}

static double resident_large(void *user)
{
    uint64_t ram = LARGE_RAM;

    (void)user;
    return bench_in_child(resident_of_machine, &ram);
}

static double resident_small(void *user)
{
    uint64_t ram = SMALL_RAM;

    (void)user;
    return bench_in_child(resident_of_machine, &ram);
}

/* ---- records */

#define CHUNK (UINT64_C(2) << 20)
/* Documented sizes of VirtualBox's PGMPAGE, one a page of RAM, and GMMPAGE, one a page in use. */
#define VBOX_PGM_RECORD 16
#define VBOX_GMM_RECORD 8

typedef struct Touch {
    uint64_t stride;
    uint64_t n;
} Touch;

/* Bytes a touched page costs besides itself. */
static double bytes_per_touched_page(void *user)
{
    /* The page-map TLB is a cache (up to 4 MiB a machine) and no record: it shall not grow here. */
    const PgmConfig config = { .tlb_slots = 1024 };
    const Touch *touch = user;
    Gmm *gmm = gmm_new(0, NULL);
    Pgm *pgm = gmm != NULL ? pgm_new(gmm, &config, NULL) : NULL;
    uint64_t before;
    uint64_t before_pages;
    uint64_t after;
    uint64_t after_pages;

    if (pgm == NULL || pgm_ram_register(pgm, 0, touch->stride * touch->n, "ram", NULL) != MEM_OK) {
        return -1;
    }
    bench_resident(gmm_arena(gmm), gmm_arena_size(gmm), &before, &before_pages);
    for (uint64_t i = 0; i < touch->n; i++) {
        if (pgm_write_u8(pgm, i * touch->stride, 1) != MEM_OK) {
            return -1;
        }
    }
    bench_resident(gmm_arena(gmm), gmm_arena_size(gmm), &after, &after_pages);
    return ((double)(after - after_pages) - (double)(before - before_pages)) / (double)touch->n;
}

static double records_dense(void *user)
{
    Touch touch = { MEM_PAGE_SIZE, *(const bool *)user ? 4096 : 131072 };

    return bench_in_child(bytes_per_touched_page, &touch);
}

static double records_dense_vbox(void *user)
{
    (void)user;
    return VBOX_PGM_RECORD + VBOX_GMM_RECORD;
}

/* One page in 2 MiB: each has a page of PGM records for itself. */
static double records_sparse(void *user)
{
    Touch touch = { CHUNK, *(const bool *)user ? 512 : 16384 };

    return bench_in_child(bytes_per_touched_page, &touch);
}

static double records_sparse_vbox(void *user)
{
    (void)user;
    return (double)(CHUNK / MEM_PAGE_SIZE * VBOX_PGM_RECORD + VBOX_GMM_RECORD);
}

const BenchRow bench_map_rows[] = {
    { .name = "ranges-10000",
      .ours = "registering 10,000 ranges, each",
      .theirs = "one range",
      .unit = "us",
      .target = BENCH_OURS_AT_MOST,
      .at = 10,
      .setup = ranges_setup,
      .run_ours = ranges_many,
      .run_theirs = ranges_one,
      .teardown = ranges_teardown },
    { .name = "ranges-stock",
      .ours = "registering 10,000 ranges, each",
      .theirs = "uc_mem_map() when 4,000 regions are there",
      .unit = "us",
      .target = BENCH_OURS_AT_MOST,
      .at = 10,
      .rounds = 3,
      .variant = 1,
      .setup = ranges_setup,
      .run_ours = ranges_many,
      .run_theirs = ranges_stock,
      .teardown = ranges_teardown },
    { .name = "create-time",
      .ours = "creating a machine with 1 TiB of RAM",
      .theirs = "with 16 MiB",
      .unit = "us",
      .target = BENCH_RATIO_AT_LEAST,
      .at = 0.8,
      .setup = no_setup,
      .run_ours = create_large,
      .run_theirs = create_small,
      .teardown = g_free },
    { .name = "create-memory",
      .ours = "memory that a machine with 1 TiB of RAM takes",
      .theirs = "with 16 MiB",
      .unit = "KiB",
      .target = BENCH_DIFFERENCE_AT_MOST,
      .at = 1024,
      .rounds = 3,
      .setup = no_setup,
      .run_ours = resident_large,
      .run_theirs = resident_small,
      .teardown = g_free },
    { .name = "records-dense",
      .ours = "records for each touched page, all pages touched",
      .theirs = "VirtualBox's, computed: 16 for each page of RAM, 8 for each in use",
      .unit = "B",
      .target = BENCH_OURS_AT_MOST,
      .at = 17, /* 8 + 8, and some for chunks */
      .rounds = 1,
      .setup = no_setup,
      .run_ours = records_dense,
      .run_theirs = records_dense_vbox,
      .teardown = g_free },
    { .name = "records-sparse",
      .ours = "records for each touched page, one page touched in 2 MiB: the worst case",
      .theirs = "VirtualBox's, computed: 16 for each page of RAM, 8 for each in use",
      .unit = "B",
      .rounds = 1,
      .setup = no_setup,
      .run_ours = records_sparse,
      .run_theirs = records_sparse_vbox,
      .teardown = g_free },
    { .name = NULL },
};
