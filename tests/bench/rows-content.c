/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on the content of many pages: the share scan, compaction, saved states, and what a machine
 * costs when a hundred run the same firmware.
 */
#include "bench.h"

#include "emu/machine.h"
#include "memsys/access.h"
#include "memsys/balloon.h"
#include "memsys/rom.h"
#include "memsys/saved_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

typedef struct Pages {
    Gmm *gmm;
    Pgm *pgm;
    uint64_t n_pages;
    uint8_t *copy; /* the same bytes, for the other side */
    uint8_t *out;  /* as many, for what the other side makes */
    char *path;    /* of a state */
} Pages;

static void pages_teardown(void *user)
{
    Pages *state = user;
    size_t len = state->n_pages * MEM_PAGE_SIZE;

    pgm_free(state->pgm);
    gmm_free(state->gmm);
    if (state->copy != NULL) {
        munmap(state->copy, len);
    }
    if (state->out != NULL) {
        munmap(state->out, len);
    }
    if (state->path != NULL) {
        (void)unlink(state->path);
        g_free(state->path);
    }
    g_free(state);
}

/* A page of memory as programs leave it: some words that repeat, some that do not. */
static void make_page(uint8_t *page, uint32_t number)
{
    uint32_t seed = number * 2654435761u | 1;

    for (unsigned i = 0; i < MEM_PAGE_SIZE; i += 16) {
        uint32_t words[4] = { number, i, 0, i % 64 == 0 ? bench_random(&seed) : 0x20202020 };

        memcpy(page + i, words, sizeof(words));
    }
}

static void *pages_setup(const BenchRow *row, bool quick, GError **error)
{
    Pages *state = g_new0(Pages, 1);
    const char *tmp = g_get_tmp_dir();

    (void)row;
    state->n_pages = quick ? 1024 : 32768;
    state->gmm = gmm_new(0, error);
    state->pgm = state->gmm != NULL ? pgm_new(state->gmm, NULL, error) : NULL;
    state->copy = bench_touched_memory(state->n_pages * MEM_PAGE_SIZE, error);
    state->out =
        state->copy != NULL ? bench_touched_memory(state->n_pages * MEM_PAGE_SIZE, error) : NULL;
    if (state->pgm == NULL || state->out == NULL ||
        pgm_ram_register(state->pgm, 0, state->n_pages * MEM_PAGE_SIZE, "ram", error) != MEM_OK) {
        pages_teardown(state);
        return NULL;
    }
    for (uint64_t i = 0; i < state->n_pages; i++) {
        make_page(state->copy + i * MEM_PAGE_SIZE, (uint32_t)i);
    }
    if (pgm_write(state->pgm, 0, state->copy, state->n_pages * MEM_PAGE_SIZE, MEM_ORIGIN_LOADER) !=
        MEM_OK) {
        g_set_error(error, BENCH_ERROR, 0, "no memory for the pages");
        pages_teardown(state);
        return NULL;
    }
    state->path = g_strdup_printf("%s/quire-bench-%d.state", tmp, (int)getpid());
    return state;
}

/* ---- sharing */

static double scan_ours(void *user)
{
    const Pages *state = user;

    pgm_set_sharing(state->pgm, true);
    (void)gmm_share_scan(state->gmm, state->n_pages); /* the first visit only arms */

    uint64_t start = bench_cpu_ns();
    uint64_t n_seen = gmm_share_scan(state->gmm, state->n_pages);

    return n_seen == 0 ? -1 : (double)(bench_cpu_ns() - start) / (double)n_seen;
}

/* The least that finding an equal page costs: reading both once. */
static double scan_memcmp(void *user)
{
    const Pages *state = user;
    uint64_t start = bench_cpu_ns();
    uint64_t n_equal = 0;

    memcpy(state->out, state->copy, state->n_pages * MEM_PAGE_SIZE);
    start = bench_cpu_ns();
    for (uint64_t i = 0; i < state->n_pages; i++) {
        n_equal += memcmp(state->out + i * MEM_PAGE_SIZE, state->copy + i * MEM_PAGE_SIZE,
                          MEM_PAGE_SIZE) == 0;
    }
    bench_keep(n_equal);
    return (double)(bench_cpu_ns() - start) / (double)state->n_pages;
}

/* ---- compaction: every page but each fourth was given back */

static double compact_ours(void *user)
{
    const Pages *state = user;
    Pgm *pgm = pgm_new(state->gmm, NULL, NULL);
    uint64_t moved = 0;
    uint64_t took = 0;

    if (pgm == NULL ||
        pgm_ram_register(pgm, 0, state->n_pages * MEM_PAGE_SIZE, "ram", NULL) != MEM_OK ||
        pgm_write(pgm, 0, state->copy, state->n_pages * MEM_PAGE_SIZE, MEM_ORIGIN_LOADER) !=
            MEM_OK) {
        pgm_free(pgm);
        return -1;
    }
    for (uint64_t i = 0; i < state->n_pages; i++) {
        GPhys gpa = i * MEM_PAGE_SIZE;

        if (i % 4 != 0 && pgm_balloon_inflate(pgm, &gpa, 1) != MEM_OK) {
            pgm_free(pgm);
            return -1;
        }
    }

    uint64_t start = bench_cpu_ns();
    uint64_t n;

    while ((n = gmm_compact(state->gmm, state->n_pages)) > 0) {
        moved += n;
    }
    took = bench_cpu_ns() - start;
    pgm_free(pgm);
    return moved == 0 ? -1 : (double)took / (double)moved;
}

static double compact_memcpy(void *user)
{
    const Pages *state = user;
    uint64_t n = state->n_pages / 4;
    uint64_t start = bench_cpu_ns();

    for (uint64_t i = 0; i < n; i++) {
        memcpy(state->out + i * MEM_PAGE_SIZE, state->copy + i * 4 * MEM_PAGE_SIZE, MEM_PAGE_SIZE);
    }
    return (double)(bench_cpu_ns() - start) / (double)n;
}

/* ---- saved states; costs are ns a KiB */

static double per_kib(const Pages *state, uint64_t ns)
{
    return (double)ns / (double)(state->n_pages * MEM_PAGE_SIZE / 1024);
}

static bool save(const Pages *state)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(state->path, 3, NULL);

    if (writer == NULL) {
        return false;
    }
    pgm_save(state->pgm, writer);
    return mem_state_writer_commit(writer, NULL);
}

static double save_ours(void *user)
{
    const Pages *state = user;
    uint64_t start = bench_cpu_ns();

    return save(state) ? per_kib(state, bench_cpu_ns() - start) : -1;
}

#define BLOCK (256 * UINT64_C(1024))

/* zstd alone, in blocks of the same size, to memory. */
static double save_zstd(void *user)
{
    const Pages *state = user;
    uint64_t len = state->n_pages * MEM_PAGE_SIZE;
    g_autofree uint8_t *out = g_malloc(ZSTD_compressBound(BLOCK));
    uint64_t start = bench_cpu_ns();
    size_t total = 0;

    for (uint64_t at = 0; at < len; at += BLOCK) {
        total += ZSTD_compress(out, ZSTD_compressBound(BLOCK), state->copy + at, BLOCK, 3);
    }
    bench_keep(total);
    return per_kib(state, bench_cpu_ns() - start);
}

/* Checks the file, checks the content, applies. */
static double load_ours(void *user)
{
    const Pages *state = user;

    if (access(state->path, R_OK) != 0 && !save(state)) {
        return -1;
    }
    uint64_t start = bench_cpu_ns();
    g_autoptr(MemStateReader) reader = mem_state_reader_new(state->path, NULL);

    if (reader == NULL || !pgm_load_check(state->pgm, reader, NULL) ||
        !pgm_load_apply(state->pgm, reader, NULL)) {
        return -1;
    }
    return per_kib(state, bench_cpu_ns() - start);
}

static double load_zstd(void *user)
{
    const Pages *state = user;
    uint64_t len = state->n_pages * MEM_PAGE_SIZE;
    g_autofree uint8_t *packed = g_malloc(ZSTD_compressBound(BLOCK));
    uint64_t took = 0;

    for (uint64_t at = 0; at < len; at += BLOCK) {
        size_t n = ZSTD_compress(packed, ZSTD_compressBound(BLOCK), state->copy + at, BLOCK, 3);
        uint64_t start = bench_cpu_ns();

        if (ZSTD_decompress(state->out + at, BLOCK, packed, n) != BLOCK) {
            return -1;
        }
        took += bench_cpu_ns() - start;
    }
    return per_kib(state, took);
}

/* ---- many machines with the same firmware: KiB each, in a process of their own */

#define FIRMWARE_LEN (256 * UINT64_C(1024))

/* Grows by @n machines that have the same ROM and have run nothing. */
static double resident_of_machines(void *user)
{
    unsigned n = *(const unsigned *)user;
    Gmm *gmm = gmm_new(0, NULL);
    uint8_t *image = g_malloc(FIRMWARE_LEN);
    uint64_t before;
    uint64_t after;
    uint64_t within;

    for (uint64_t i = 0; i < FIRMWARE_LEN; i += MEM_PAGE_SIZE) {
        make_page(image + i, (uint32_t)i);
    }
    bench_resident(NULL, 0, &before, &within);
    for (unsigned i = 0; i < n; i++) {
        EmuMachineConfig config = { .gmm = gmm };
        EmuMachine *machine = emu_machine_new(&config, NULL);

        if (machine == NULL || pgm_rom_register(emu_machine_pgm(machine), 0xfffc0000, FIRMWARE_LEN,
                                                image, FIRMWARE_LEN, 0, PGM_ROM_FLAG_SHADOWED,
                                                "bench", "firmware", NULL) != MEM_OK) {
            return -1;
        }
        emu_machine_reset(machine);
    }
    bench_resident(gmm_arena(gmm), gmm_arena_size(gmm), &after, &within);
    return (double)within / 1024 / n;
}

static void *count_setup(const BenchRow *row, bool quick, GError **error)
{
    unsigned *n = g_new(unsigned, 1);

    (void)row;
    (void)error;
    *n = quick ? 5 : 100;
    return n;
}

static double machines_many(void *user)
{
    return bench_in_child(resident_of_machines, user);
}

static double machines_one(void *user)
{
    unsigned n = 1;

    (void)user;
    return bench_in_child(resident_of_machines, &n);
}

#define PAGES_ROW(row_name, our_text, their_text, a_unit, our_func, their_func)                \
    {                                                                                          \
        .name = row_name, .ours = our_text, .theirs = their_text, .unit = a_unit, .rounds = 5, \
        .setup = pages_setup, .run_ours = our_func, .run_theirs = their_func,                  \
        .teardown = pages_teardown,                                                            \
    }

const BenchRow bench_content_rows[] = {
    PAGES_ROW("share-scan", "share scan of pages that are all different, a page",
              "memcmp of each with an equal one", "ns", scan_ours, scan_memcmp),
    PAGES_ROW("compact", "compaction, a page moved", "memcpy of each fourth page", "ns",
              compact_ours, compact_memcpy),
    PAGES_ROW("state-save", "saving 128 MiB to a file, a KiB", "zstd alone, to memory", "ns",
              save_ours, save_zstd),
    PAGES_ROW("state-load", "checking and loading it, a KiB", "zstd alone, from memory", "ns",
              load_ours, load_zstd),
    { .name = "machines-100",
      .ours = "arena memory of each of 100 machines with the same 256 KiB of firmware",
      .theirs = "of one alone",
      .unit = "KiB",
      .rounds = 1,
      .setup = count_setup,
      .run_ours = machines_many,
      .run_theirs = machines_one,
      .teardown = g_free },
    { .name = NULL },
};
