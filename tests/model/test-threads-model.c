/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations of threads, against naive machines: two machines on threads of their own share
 * one Gmm, and two visitors use both from outside, have pages scanned and moved.
 *
 * RAM is split by who writes a page, so that each model has one writer:
 *   STAMP  the machine, whole words {page, version}: a visitor must see a version that was
 *          written, and none older than what it saw before, unless a restore came between
 *   WILD   the machine, any bytes at any place, with handlers, watches, mappings
 *   GIVEN  the machine, which gives the pages to its balloon and takes them back
 *   SPREAD the machine, a word a page; pages come and go, so that chunks become sparse
 *   YARDS  one visitor each: what it reads is exactly what it wrote
 * The machine's model is exact, and so is a yard's. A restore or a reset changes yards under their
 * visitors: either it is agreed (the machine holds the gates of the yards, and puts the model back
 * as well), or it is announced by the machine's epoch, which is odd meanwhile, and the visitor asks
 * the machine's thread for the bytes before it goes on. At quiet points all threads wait while
 * everything is compared and the checkers run.
 *
 * QUIRE_SEED=N repeats what each thread does, QUIRE_ITERATIONS=N makes it longer. Schedules of
 * threads do not repeat: a failure may take several runs to come again. Meant for ThreadSanitizer
 * too, and right without it.
 */
#include "tests/model/threads/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_SEED UINT64_C(20261122)
#define DEFAULT_ITERATIONS UINT64_C(40000)

_Thread_local Self self;
uint64_t seed, n_rounds;
Gmm *gmm;
Machine machines[N_MACHINES];
pthread_barrier_t quiet;
uint64_t n_arrived, n_done;
uint64_t n_exact_reads, n_asked, n_agreed_restores, n_announced_restores, n_handled, n_hits;

void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void fail(const char *format, ...)
{
    static int failed;
    va_list args;

    if (__atomic_exchange_n(&failed, 1, __ATOMIC_SEQ_CST) != 0) {
        for (;;) {
            pause(); /* another thread is telling */
        }
    }
    (void)fflush(stdout);
    fprintf(stderr, "FAILED: seed %" PRIu64 ", %s %u, operation %" PRIu64 ": ", seed, self.name,
            self.number, self.op);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    _exit(EXIT_FAILURE);
}

void must(MemStatus status, const char *what)
{
    if (status != MEM_OK) {
        fail("%s: %s", what, mem_status_name(status));
    }
}

/* SplitMix64 (S. Vigna, public domain algorithm). */
uint64_t rng(void)
{
    uint64_t z = self.random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t draw(uint32_t n)
{
    return (uint32_t)(rng() % n);
}

void random_bytes(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)rng();
    }
}

uint64_t tag(const Machine *m, unsigned page)
{
    return (UINT64_C(0xc0000000) | (uint64_t)m->number << 16 | page) << 32;
}

void compare(const uint8_t *want, const uint8_t *got, size_t len, GPhys gpa, const char *what)
{
    for (size_t i = 0; memcmp(want, got, len) != 0 && i < len; i++) {
        if (want[i] != got[i]) {
            fail("%s: 0x%" PRIx64 " has 0x%02x, should have 0x%02x", what, gpa + i, got[i],
                 want[i]);
        }
    }
}

uint64_t epoch_of(Machine *m)
{
    return __atomic_load_n(&m->epoch, __ATOMIC_SEQ_CST);
}

/* ---- a machine's life */

static void machine_begin(Machine *m)
{
    const PgmConfig config = { .large_runs = m->number % 2 == 1 };
    uint8_t image[PAGE];

    memset(image, ROM_BYTE, sizeof image);
    m->pgm = pgm_new(gmm, &config, NULL);
    g_assert(m->pgm != NULL);
    pgm_run_begin(m->pgm);
    must(pgm_ram_register(m->pgm, 0, RAM_PAGES * PAGE, "ram", NULL), "RAM");
    must(pgm_rom_register(m->pgm, ROM, AREA, image, PAGE, ROM_BYTE, PGM_ROM_FLAG_SHADOWED, "t",
                          "rom", NULL),
         "ROM");
    m->vram = pgm_mmio2_new(m->pgm, "t", 0, AREA, true, "vram", NULL);
    m->regs = pgm_mmio_new(m->pgm, AREA, &regs_ops, m, "t", "regs", NULL);
    g_assert(m->vram != NULL && m->regs != NULL);
    m->now.vram_at = m->now.regs_at = MEM_GPHYS_NIL;
    pgm_set_sharing(m->pgm, true);
}

static void machine_check_all(Machine *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    uint8_t rest[(SPREAD - YARD(N_VISITORS)) * PAGE];

    check_piece(m, 0, N_MINE * PAGE);
    check_spread(m, 0, N_SPREAD);
    check_areas(m);
    check_dirty(m);
    for (unsigned v = 0; v < N_VISITORS; v++) {
        check_yard(m, v);
    }
    must(pgm_read(m->pgm, YARD(N_VISITORS) * PAGE, rest, sizeof rest, MEM_ORIGIN_DEVICE), "rest");
    if (rest[0] != 0 || memcmp(rest, rest + 1, sizeof rest - 1) != 0) {
        fail("a page that nobody wrote is not zero");
    }
    if (pgm_verify(m->pgm, report) != 0) {
        fail("pgm_verify() at a quiet point:\n%s", report->str);
    }
}

/* All others have arrived, and none is in a call. */
static void machine_quiet(Machine *m, uint64_t round)
{
    g_autoptr(GString) report = g_string_new(NULL);

    while (__atomic_load_n(&n_arrived, __ATOMIC_ACQUIRE) < (round + 1) * N_VISITORS) {
        pgm_service(m->pgm);
        sched_yield();
    }
    while (pgm_service_wanted(m->pgm)) {
        pgm_service(m->pgm);
    }
    pthread_barrier_wait(&quiet);
    machine_check_all(m);
    pthread_barrier_wait(&quiet);
    if (m->number == 0 && gmm_verify(gmm, report) != 0) {
        fail("gmm_verify() at a quiet point:\n%s", report->str);
    }
    pthread_barrier_wait(&quiet);
}

static void machine_end(Machine *m)
{
    for (unsigned i = 0; i < N_SNAPSHOTS; i++) {
        pgm_snapshot_drop(m->taken[i].snapshot);
    }
    g_clear_pointer(&m->dirty, pgm_dirty_free);
    g_clear_pointer(&m->watch, pgm_watch_free);
    g_clear_pointer(&m->handler, pgm_handler_free);
    machine_check_all(m);
    pgm_run_end(m->pgm);
    pgm_free(m->pgm);
}

static void *machine_main(void *user)
{
    Machine *m = user;

    self = (Self) { "machine", m->number, 0, seed * N_THREADS + m->number };
    m->thread = pthread_self();
    machine_begin(m);
    pthread_barrier_wait(&quiet);
    for (uint64_t round = 0; round < n_rounds; round++) {
        for (unsigned i = 0; i < OPS_A_ROUND; i++, self.op++) {
            one_operation(m);
            pgm_service(m->pgm);
            count(&n_done);
        }
        machine_quiet(m, round);
    }
    pthread_barrier_wait(&quiet); /* visitors have left */
    machine_end(m);
    return NULL;
}

/* ---- */

static uint64_t number_from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : fallback;
}

static void run_threads(void)
{
    pthread_t threads[N_THREADS];

    pthread_barrier_init(&quiet, NULL, N_THREADS);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machines[i].number = i;
        for (unsigned v = 0; v < N_VISITORS; v++) {
            pthread_mutex_init(&machines[i].yards[v].gate, NULL);
        }
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        void *user = i < N_MACHINES ? (void *)&machines[i] : GUINT_TO_POINTER(i - N_MACHINES);
        int error =
            pthread_create(&threads[i], NULL, i < N_MACHINES ? machine_main : visitor_main, user);

        g_assert(error == 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&quiet);
    for (unsigned i = 0; i < N_MACHINES * N_VISITORS; i++) {
        pthread_mutex_destroy(&machines[i / N_VISITORS].yards[i % N_VISITORS].gate);
    }
}

int main(void)
{
    uint64_t n = number_from_environment("QUIRE_ITERATIONS", DEFAULT_ITERATIONS);
    GmmStats stats;

    seed = number_from_environment("QUIRE_SEED", DEFAULT_SEED);
    n_rounds = (n + N_THREADS * OPS_A_ROUND - 1) / (N_THREADS * OPS_A_ROUND);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    self.name = "main";
    gmm = gmm_new(UINT64_C(128) << 20, NULL);
    g_assert(gmm != NULL);
    run_threads();
    gmm_get_stats(gmm, &stats);
    printf("%" PRIu64 " operations, %" PRIu64 " exact reads from outside, %" PRIu64
           " questions, %" PRIu64 " agreed and %" PRIu64 " announced restores, %" PRIu64
           " pages merged, %" PRIu64 " moved, %" PRIu64 " handler calls, %" PRIu64 " watch hits\n",
           n_done, n_exact_reads, n_asked, n_agreed_restores, n_announced_restores,
           stats.share_merged, stats.moved, n_handled, n_hits);
    if (stats.allocated != 0 || stats.left_behind != 0) {
        fail("%" PRIu64 " pages were left behind", stats.allocated + stats.left_behind);
    }
    gmm_free(gmm);
    bool all_seen = n_exact_reads != 0 && n_asked != 0 && n_agreed_restores != 0 &&
                    n_announced_restores != 0 && stats.share_merged != 0 && stats.moved != 0 &&
                    n_handled != 0 && n_hits != 0;

    if (n >= DEFAULT_ITERATIONS && !all_seen) {
        fail("some of these never happened");
    }
    return EXIT_SUCCESS;
}
