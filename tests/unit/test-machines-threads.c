/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several machines in one process, each on a thread of its own, sharing one Gmm that is too small
 * for all: they write, take, restore and drop snapshots, remap, reset, save, end and begin again,
 * while other threads read, write, map and call from outside, and one more has pages scanned and
 * moved. Who is short of pages takes them from the others by their balloon functions, through the
 * other machine's own thread. Meant for ThreadSanitizer, and right without it.
 *
 * What is checked meanwhile: a page holds what its one writer wrote last, whoever moved, shared,
 * saved or restored it.
 */
#include "memsys/balloon.h"
#include "memsys/external.h"
#include "memsys/pgm-internal.h"
#include "memsys/saved_state.h"
#include "memsys/snapshot.h"

#include <check.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE MEM_PAGE_SIZE
#define N_MACHINES 3u
#define N_LIVES 3u
#define N_LAPS 250u /* of a life at least, and so many visits: */
#define N_VISITS 20u
#define RAM_PAGES 1024u
#define LIMIT_PAGES 1500u /* less than the machines touch together */

/* Of a machine's RAM, in pages. */
#define OWN 0u /* the machine's thread alone writes here */
#define N_OWN 400u
#define OUTSIDE 512u /* threads from outside alone write here, each to its own page */
#define QUIET 600u   /* written once, with what all machines have: the scan finds it */
#define N_QUIET 64u
#define GIVEN 700u /* written by the machine's thread, given to the balloon, never looked at */
#define N_GIVEN 256u
#define ROM UINT64_C(0x800000)
#define VRAM UINT64_C(0x900000)

typedef struct Machine {
    unsigned number;
    uint32_t random;
    unsigned n_failures; /* of the machine's thread */
    unsigned n_visits;   /* atomic: from outside, so far */

    pthread_mutex_t lock; /* for what follows */
    Pgm *pgm;             /* NULL: none that others may use */
    unsigned n_users;
    bool ended;
} Machine;

static Gmm *gmm;
static Machine machines[N_MACHINES];
static int stop;         /* atomic: the machines have ended */
static uint64_t n_given; /* atomic: pages given by balloon functions */

static uint32_t draw(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* ---- who uses a machine from outside holds it */

static Pgm *hold(Machine *m)
{
    pthread_mutex_lock(&m->lock);
    Pgm *pgm = m->pgm;

    m->n_users += pgm != NULL;
    pthread_mutex_unlock(&m->lock);
    return pgm;
}

static void let_go(Machine *m)
{
    pthread_mutex_lock(&m->lock);
    m->n_users--;
    pthread_mutex_unlock(&m->lock);
}

static unsigned n_users(Machine *m)
{
    pthread_mutex_lock(&m->lock);
    unsigned n = m->n_users;

    pthread_mutex_unlock(&m->lock);
    return n;
}

static void show(Machine *m, Pgm *pgm)
{
    pthread_mutex_lock(&m->lock);
    m->pgm = pgm;
    pthread_mutex_unlock(&m->lock);
}

/* ---- giving pages */

typedef struct Give {
    uint64_t n_wanted, n_given;
} Give;

static void give_there(Pgm *pgm, void *user)
{
    Give *give = user;

    for (unsigned i = 0; i < N_GIVEN && give->n_given < give->n_wanted; i++) {
        GPhys gpa = (GIVEN + i) * PAGE;

        give->n_given += pgm_balloon_inflate(pgm, &gpa, 1) == MEM_OK;
    }
}

/* On the thread of whichever machine needs pages. */
static uint64_t give_pages(GmmVm *vm, uint64_t n_wanted, void *user)
{
    Give give = { .n_wanted = n_wanted };

    Machine *m = user;
    Pgm *pgm = hold(m);

    (void)vm;
    if (!pgm) {
        return 0;
    }
    pgm_external_call(pgm, give_there, &give);
    let_go(m);
    __atomic_fetch_add(&n_given, give.n_given, __ATOMIC_RELAXED);
    return give.n_given;
}

/* ---- a machine's thread */

typedef struct Life {
    Machine *m;
    Pgm *pgm;
    PgmMmio2 *vram;
    PgmSnapshot *snapshots[3];
    uint32_t values[3][N_OWN]; /* what the first word of OWN pages was at each snapshot */
    uint32_t now[N_OWN];
    bool lost; /* a load ran out of memory: nobody knows what is there */
} Life;

static void quiet_bytes(unsigned i, uint8_t *bytes)
{
    memset(bytes, (int)(i % 8 + 1), PAGE);
    bytes[i % PAGE] = (uint8_t)(i % 16);
}

/* Touches all pages and gives most of them back: compaction has something to do. */
static void spread(Life *life)
{
    for (unsigned i = 0; i < RAM_PAGES; i++) {
        (void)pgm_write_u32(life->pgm, i * PAGE + 8, 1);
    }
    for (unsigned i = 0; i < RAM_PAGES; i++) {
        GPhys gpa = i * PAGE;

        if (i % 4 != 0 && pgm_balloon_inflate(life->pgm, &gpa, 1) == MEM_OK) {
            (void)pgm_balloon_deflate(life->pgm, &gpa, 1);
        }
    }
}

static Life *life_new(Machine *m)
{
    const PgmConfig config = { .large_runs = m->number % 2 == 1 };
    Life *life = g_new0(Life, 1);
    uint8_t bytes[PAGE];
    uint8_t image[PAGE];

    memset(image, 0x5c, sizeof image);
    life->m = m;
    life->pgm = pgm_new(gmm, &config, NULL);
    pgm_run_begin(life->pgm); /* from now on the dealer may come */
    m->n_failures += pgm_ram_register(life->pgm, 0, RAM_PAGES * PAGE, "ram", NULL) != MEM_OK;
    while (!(life->vram = pgm_mmio2_new(life->pgm, "t", 0, 4 * PAGE, true, "vram", NULL)) ||
           pgm_rom_register(life->pgm, ROM, 4 * PAGE, image, PAGE, 0, PGM_ROM_FLAG_SHADOWED, "t",
                            "rom", NULL) != MEM_OK) {
        pgm_mmio2_free(life->vram); /* the others have all memory: wait for one to end */
        pgm_service(life->pgm);
        sched_yield();
    }
    m->n_failures += pgm_mmio2_map(life->vram, VRAM, NULL) != MEM_OK;
    pgm_set_sharing(life->pgm, true);
    gmm_vm_set_balloon_func(pgm_gmm_vm(life->pgm), give_pages, m);
    gmm_vm_set_priority(pgm_gmm_vm(life->pgm), (GmmPriority)(m->number % 3));
    spread(life);
    for (unsigned i = 0; i < N_QUIET; i++) {
        quiet_bytes(i, bytes);
        (void)pgm_write(life->pgm, (QUIET + i) * PAGE, bytes, PAGE, MEM_ORIGIN_LOADER);
    }
    return life;
}

/* Out of memory is a good answer; the word is then what it was. */
static void write_own(Life *life)
{
    unsigned i = draw(&life->m->random, N_OWN);
    uint32_t value = draw(&life->m->random, 1000000);

    if (pgm_write_u32(life->pgm, (OWN + i) * PAGE, value) == MEM_OK) {
        life->now[i] = value;
    }
}

static void write_given(Life *life)
{
    GPhys gpa = (GIVEN + draw(&life->m->random, N_GIVEN)) * PAGE;

    if (pgm_write_u32(life->pgm, gpa, 1) == MEM_ERR_BALLOONED) {
        (void)pgm_balloon_deflate(life->pgm, &gpa, 1);
    }
}

static void snap(Life *life)
{
    unsigned k = draw(&life->m->random, 3);

    if (!life->snapshots[k]) {
        life->snapshots[k] = pgm_snapshot_take(life->pgm, NULL, PGM_SNAPSHOT_CHECKED, NULL);
        memcpy(life->values[k], life->now, sizeof life->now);
    } else if (draw(&life->m->random, 3) != 0) {
        pgm_snapshot_restore(life->snapshots[k]);
        memcpy(life->now, life->values[k], sizeof life->now);
    } else {
        pgm_snapshot_drop(g_steal_pointer(&life->snapshots[k]));
    }
}

static void change_layout(Life *life)
{
    uint32_t *random = &life->m->random;
    PgmRomProt prot = (PgmRomProt)draw(random, PGM_N_ROM_PROTS);

    (void)pgm_rom_protect(life->pgm, ROM + draw(random, 4) * PAGE, PAGE, prot);
    (void)pgm_write_u32(life->pgm, ROM + draw(random, 4) * PAGE, 7);
    (void)pgm_mmio2_map(life->vram, VRAM + draw(random, 2) * 16 * PAGE, NULL);
    (void)pgm_mmio2_query_dirty(life->vram, NULL, 1);
    (void)pgm_poke(life->pgm, ROM, &prot, sizeof prot);
}

/* Of a machine that others go on using, and back into it. */
static void save_and_load(Life *life)
{
    g_autofree char *path =
        g_strdup_printf("%s/quire-machines-%d-%u", g_get_tmp_dir(), (int)getpid(), life->m->number);
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    pgm_save(life->pgm, writer);
    life->m->n_failures += !mem_state_writer_commit(writer, NULL);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);

    if (reader == NULL || !pgm_load_check(life->pgm, reader, NULL)) {
        life->m->n_failures++;
    } else if (!pgm_load_apply(life->pgm, reader, NULL)) {
        life->lost = true;
    }
    g_unlink(path);
}

static void check_own(Life *life)
{
    for (unsigned i = 0; !life->lost && i < N_OWN; i++) {
        life->m->n_failures += pgm_read_u32(life->pgm, (OWN + i) * PAGE) != life->now[i];
    }
}

static void check_quiet(Life *life)
{
    uint8_t want[PAGE], got[PAGE];

    for (unsigned i = 0; !life->lost && i < N_QUIET; i++) {
        quiet_bytes(i, want);
        (void)pgm_read(life->pgm, (QUIET + i) * PAGE, got, PAGE, MEM_ORIGIN_DEVICE);
        life->m->n_failures += memcmp(want, got, PAGE) != 0;
    }
}

static void lap(Life *life, unsigned n)
{
    for (unsigned i = 0; i < 8; i++) {
        write_own(life);
        write_given(life);
    }
    (void)pgm_ensure_handy(life->pgm);
    pgm_service(life->pgm);
    if (n % 4 == 1) {
        snap(life);
    }
    if (n % 8 == 3) {
        change_layout(life);
    }
    if (n % 16 == 5) {
        check_own(life);
        pgm_set_sharing(life->pgm, n % 32 == 5);
    }
    if (n % 64 == 7) {
        save_and_load(life);
    }
}

static void *machine_main(void *user)
{
    Machine *m = user;

    for (unsigned i = 0; i < N_LIVES; i++) {
        Life *life = life_new(m);

        show(m, life->pgm);
        unsigned visits = __atomic_load_n(&m->n_visits, __ATOMIC_RELAXED) + N_VISITS;

        for (unsigned n = 0; n < N_LAPS || __atomic_load_n(&m->n_visits, __ATOMIC_RELAXED) < visits;
             n++) {
            lap(life, n);
        }
        check_own(life);
        if (pgm_snapshot_current(life->pgm) == NULL) {
            check_quiet(life);
        }
        show(m, NULL);
        while (n_users(m) > 0) {
            pgm_service(life->pgm);
            sched_yield();
        }
        m->n_failures += pgm_verify(life->pgm, NULL) != 0;
        if (i % 2 == 0) {
            pgm_reset(life->pgm);
        }
        pgm_run_end(life->pgm);
        pgm_free(life->pgm);
        g_free(life);
    }
    pthread_mutex_lock(&m->lock);
    m->ended = true;
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- threads from outside */

typedef struct Outsider {
    pthread_t thread;
    unsigned number;
    unsigned n_failures;
    uint64_t n_rounds;
} Outsider;

static void note_call(Pgm *pgm, void *user)
{
    PgmPageInfo info;

    *(bool *)user = pgm_page_query(pgm, ROM, &info) && info.range.kind == PGM_RANGE_ROM;
}

static void visit(Outsider *o, Machine *m, Pgm *pgm)
{
    GPhys own = (OUTSIDE + o->number) * PAGE;
    uint8_t bytes[3 * PAGE];
    uint64_t value = o->n_rounds, back = 0;
    PgmMapping mapping;
    bool called = false;

    /* A restore may put back what was there: only that nothing is torn can be said. */
    MemStatus status = pgm_external_write(pgm, own, &value, 8, MEM_ORIGIN_DEVICE);

    o->n_failures += status != MEM_OK && status != MEM_ERR_NO_MEMORY;
    o->n_failures += pgm_external_read(pgm, own, &back, 8, MEM_ORIGIN_DEVICE) != MEM_OK;
    o->n_failures += back > value;
    o->n_failures += pgm_external_read(pgm, (m->number * 100 + o->n_rounds % 900) * PAGE + 9, bytes,
                                       2 * PAGE, MEM_ORIGIN_DEBUGGER) != MEM_OK;
    o->n_failures +=
        pgm_external_read(pgm, ROM, bytes, sizeof bytes, MEM_ORIGIN_DEBUGGER) != MEM_OK;
    o->n_failures += pgm_external_read(pgm, ROM, &back, 8, MEM_ORIGIN_DEBUGGER) != MEM_OK;
    o->n_failures += pgm_external_read(pgm, VRAM, &back, 8, MEM_ORIGIN_DEBUGGER) != MEM_OK;
    if (o->n_rounds % 8 == 0) {
        (void)pgm_external_write(pgm, own + 100, bytes, 200, MEM_ORIGIN_DEVICE);
        pgm_external_call(pgm, note_call, &called);
        o->n_failures += !called;
    }
    if (o->n_rounds % 8 == 4 && pgm_external_map_pages(pgm, &own, 1, true, &mapping) == MEM_OK) {
        __atomic_store_n((uint64_t *)(void *)mapping.host, value, __ATOMIC_RELAXED);
        pgm_external_unmap_pages(pgm, &mapping, 1);
    }
}

static void *outsider_main(void *user)
{
    Outsider *o = user;

    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        Machine *m = &machines[o->n_rounds++ % N_MACHINES];
        Pgm *pgm = hold(m);

        if (pgm) {
            visit(o, m, pgm);
            __atomic_fetch_add(&m->n_visits, 1, __ATOMIC_RELAXED);
            let_go(m);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void *dealer_main(void *user)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        GmmStats stats;

        (void)gmm_share_scan(gmm, 2000);
        (void)gmm_compact(gmm, 200);
        gmm_get_stats(gmm, &stats);
        sched_yield();
    }
    return user;
}

/* ---- */

static bool all_ended(void)
{
    bool ended = true;

    for (unsigned i = 0; i < N_MACHINES; i++) {
        pthread_mutex_lock(&machines[i].lock);
        ended &= machines[i].ended;
        pthread_mutex_unlock(&machines[i].lock);
    }
    return ended;
}

#define N_OUTSIDERS 2u

START_TEST(machines_and_outsiders_share_one_gmm)
{
    pthread_t threads[N_MACHINES], dealer;
    Outsider outsiders[N_OUTSIDERS] = { 0 };
    GmmStats stats;

    gmm = gmm_new(UINT64_C(128) << 20, NULL);
    gmm_set_limit(gmm, LIMIT_PAGES);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machines[i] = (Machine) { .number = i, .random = 77 + i };
        pthread_mutex_init(&machines[i].lock, NULL);
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, machine_main, &machines[i]), 0);
    }
    for (unsigned i = 0; i < N_OUTSIDERS; i++) {
        outsiders[i].number = i;
        ck_assert_int_eq(pthread_create(&outsiders[i].thread, NULL, outsider_main, &outsiders[i]),
                         0);
    }
    ck_assert_int_eq(pthread_create(&dealer, NULL, dealer_main, NULL), 0);
    while (!all_ended()) {
        g_usleep(2000);
        ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(machines[i].n_failures, 0);
    }
    for (unsigned i = 0; i < N_OUTSIDERS; i++) {
        pthread_join(outsiders[i].thread, NULL);
        ck_assert_uint_eq(outsiders[i].n_failures, 0);
    }
    pthread_join(dealer, NULL);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        pthread_mutex_destroy(&machines[i].lock);
    }
    gmm_get_stats(gmm, &stats);
    /* All of it happened. */
    ck_assert_uint_gt(n_given, 0);
    ck_assert_uint_gt(stats.share_merged, 0);
    ck_assert_uint_gt(stats.balloon_calls, 0);
    ck_assert_uint_eq(stats.allocated, 0);
    ck_assert_uint_eq(stats.left_behind, 0);
    gmm_free(gmm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machines-threads");
    TCase *tc = tcase_create("threads");

    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, machines_and_outsiders_share_one_gmm);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
