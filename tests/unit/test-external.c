/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other threads at a machine's memory: where their requests run, and that nothing is torn or lost
 * while the machine writes, remaps and resets. Meant for ThreadSanitizer too.
 */
#include "memsys/external.h"
#include "tests/unit/pgm-fixture.h"

#include <pthread.h>

#define P (HIGH + 5 * PAGE)
#define Q (HIGH + 6 * PAGE)
#define R (HIGH + 8 * PAGE)
#define LAPS 400u

static const PgmMmioOps ops = { .max_size = 4 };

static int n_wakes; /* atomic */

static void note_wake(void *user)
{
    (void)user;
    __atomic_fetch_add(&n_wakes, 1, __ATOMIC_RELAXED);
}

static void setup(void)
{
    pgm_setup();
    n_wakes = 0;
    pgm_set_wake(pgm, note_wake, NULL);
}

/* ---- another thread that does one thing */

typedef struct Other {
    pthread_t thread;
    void (*act)(struct Other *other);
    GPhys gpa;
    uint64_t len;
    uint8_t buf[4 * 4096];
    MemStatus status;
    pthread_t ran_on;
    unsigned n;
    int done; /* atomic */
} Other;

static Other other;

static void *other_main(void *user)
{
    Other *o = user;

    o->act(o);
    __atomic_store_n(&o->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start(void (*act)(Other *other))
{
    other.done = 0;
    other.act = act;
    ck_assert_int_eq(pthread_create(&other.thread, NULL, other_main, &other), 0);
}

static void finish(void)
{
    ck_assert_int_eq(pthread_join(other.thread, NULL), 0);
}

/* The machine's thread serves until the other is done. */
static unsigned serve_until_done(void)
{
    unsigned n_served = 0;

    while (!__atomic_load_n(&other.done, __ATOMIC_ACQUIRE)) {
        if (pgm_service_wanted(pgm)) {
            n_served++;
            pgm_service(pgm);
        }
        g_thread_yield();
    }
    finish();
    return n_served;
}

static void act_read(Other *o)
{
    o->status = pgm_external_read(pgm, o->gpa, o->buf, o->len, MEM_ORIGIN_DEBUGGER);
}

static void act_write(Other *o)
{
    o->status = pgm_external_write(pgm, o->gpa, o->buf, o->len, MEM_ORIGIN_DEBUGGER);
}

static void note_thread(Pgm *from, void *user)
{
    Other *o = user;

    ck_assert_ptr_eq(from, pgm);
    o->ran_on = pthread_self();
    o->n++;
}

static void act_call(Other *o)
{
    pgm_external_call(pgm, note_thread, o);
}

static void act_nothing(Other *o)
{
    (void)o;
}

/* ---- where requests run */

START_TEST(call_runs_in_place_while_the_machine_does_not)
{
    memset(&other, 0, sizeof other);
    start(act_call);
    finish();
    ck_assert_uint_eq(other.n, 1);
    ck_assert(pthread_equal(other.ran_on, other.thread));
    ck_assert_int_eq(n_wakes, 0);
    ck_assert(!pgm_service_wanted(pgm));
}
END_TEST

START_TEST(call_waits_for_the_machines_thread_while_it_runs)
{
    memset(&other, 0, sizeof other);
    pgm_run_begin(pgm);
    start(act_call);
    while (!pgm_service_wanted(pgm)) {
        g_thread_yield();
    }
    ck_assert_uint_eq(__atomic_load_n(&other.done, __ATOMIC_ACQUIRE), 0);
    ck_assert_int_eq(__atomic_load_n(&n_wakes, __ATOMIC_RELAXED), 1);
    ck_assert_uint_eq(serve_until_done(), 1);
    ck_assert_uint_eq(other.n, 1);
    ck_assert(pthread_equal(other.ran_on, pthread_self()));
    pgm_run_end(pgm);
}
END_TEST

START_TEST(end_of_a_run_serves_who_waits)
{
    memset(&other, 0, sizeof other);
    pgm_run_begin(pgm);
    pgm_run_begin(pgm);
    start(act_call);
    while (!pgm_service_wanted(pgm)) {
        g_thread_yield();
    }
    pgm_run_end(pgm);
    ck_assert(pgm_service_wanted(pgm)); /* the outer run goes on */
    pgm_run_end(pgm);
    finish();
    ck_assert_uint_eq(other.n, 1);
    ck_assert(pthread_equal(other.ran_on, pthread_self()));
    ck_assert(!pgm_service_wanted(pgm));
}
END_TEST

static void run_inside(Pgm *from, void *user)
{
    pgm_run_begin(from);
    pgm_external_call(from, note_thread, user);
    pgm_run_end(from);
}

START_TEST(the_machines_own_thread_never_waits_for_itself)
{
    uint32_t value = 5;

    memset(&other, 0, sizeof other);
    pgm_run_begin(pgm);
    pgm_external_call(pgm, run_inside, &other);
    ck_assert_uint_eq(other.n, 1);
    ck_assert_int_eq(pgm_external_write(pgm, P, &value, 4, MEM_ORIGIN_DEBUGGER), MEM_OK);
    pgm_run_end(pgm);
    pgm_external_call(pgm, run_inside, &other);
    ck_assert_uint_eq(other.n, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 5);
    /* Nobody is the machine's thread now: another may be. */
    start(act_call);
    finish();
    ck_assert_uint_eq(other.n, 3);
}
END_TEST

/* ---- which accesses need the machine's thread */

typedef enum Kind {
    PLAIN,
    EMPTY,
    MONITORED,
    EXECUTED,
    ALL_HANDLER,
    WRITE_HANDLER,
    READ_WATCH,
    WRITE_WATCH,
    MMIO_PAGE,
    NOWHERE,
    ROM_PAGE,
    ROM_OPEN,
    N_KINDS
} Kind;

static const struct {
    bool read_waits, write_waits;
} waits[N_KINDS] = {
    [PLAIN] = { false, false },     [EMPTY] = { false, true },
    [MONITORED] = { false, true },  [EXECUTED] = { false, true },
    [ALL_HANDLER] = { true, true }, [WRITE_HANDLER] = { false, true },
    [READ_WATCH] = { true, false }, [WRITE_WATCH] = { false, true },
    [MMIO_PAGE] = { true, true },   [NOWHERE] = { true, true },
    [ROM_PAGE] = { false, true },   [ROM_OPEN] = { false, false },
};

static PgmHandlerResult pass_on(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    ck_assert(pthread_equal(pthread_self(), *(pthread_t *)user));
    return PGM_HANDLER_DO_DEFAULT;
}

static void seen(Pgm *from, const PgmWatchHit *hit, void *user)
{
    (void)from;
    (void)hit;
    ck_assert(pthread_equal(pthread_self(), *(pthread_t *)user));
}

static PgmHandler *handler;
static PgmWatch *a_watch;
static pthread_t machine_thread;

static GPhys make_kind(Kind kind)
{
    store(P, 0x11);
    handler = NULL;
    a_watch = NULL;
    switch (kind) {
    case EMPTY:
        return R;
    case MONITORED: {
        PgmPlace place;

        ck_assert(pgm_place_lookup(pgm, P, &place));
        pgm_page_arm(place.range, place.index);
        break;
    }
    case EXECUTED:
        (void)fill(P, MEM_ACCESS_EXEC);
        break;
    case ALL_HANDLER:
    case WRITE_HANDLER:
        handler = pgm_handler_new(
            pgm, kind == ALL_HANDLER ? PGM_HANDLER_KIND_ALL : PGM_HANDLER_KIND_WRITE, P, PAGE,
            pass_on, &machine_thread, "h", NULL);
        break;
    case READ_WATCH:
    case WRITE_WATCH:
        a_watch =
            pgm_watch_new(pgm, P + 100, 1, kind == READ_WATCH ? MEM_ACCESS_READ : MEM_ACCESS_WRITE,
                          true, seen, &machine_thread, NULL);
        break;
    case MMIO_PAGE: {
        PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);

        ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
        return ABOVE;
    }
    case NOWHERE:
        return ABOVE;
    case ROM_PAGE:
    case ROM_OPEN:
        ck_assert_int_eq(pgm_rom_register(pgm, HOLE, PAGE, NULL, 0, 0x90, PGM_ROM_FLAG_SHADOWED,
                                          "board", "bios", NULL),
                         MEM_OK);
        if (kind == ROM_OPEN) {
            (void)pgm_rom_protect(pgm, HOLE, PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
            store(HOLE, 1);
        }
        return HOLE;
    case PLAIN:
    case N_KINDS:
        break;
    }
    return P;
}

START_TEST(only_plain_pages_are_touched_from_outside)
{
    machine_thread = pthread_self();
    memset(&other, 0, sizeof other);
    pgm_run_begin(pgm);
    /* The first access of all switches the locks on, by a request. */
    other.gpa = Q;
    other.len = 4;
    start(act_read);
    ck_assert_uint_eq(serve_until_done(), 1);

    other.gpa = make_kind((Kind)_i);
    start(act_read);
    ck_assert_uint_eq(serve_until_done(), waits[_i].read_waits);
    ck_assert_int_eq(other.status, MEM_OK);
    start(act_write);
    ck_assert_uint_eq(serve_until_done(), waits[_i].write_waits);
    ck_assert_int_eq(other.status, MEM_OK);
    pgm_run_end(pgm);
    g_clear_pointer(&handler, pgm_handler_free);
    g_clear_pointer(&a_watch, pgm_watch_free);
    check_sound();
}
END_TEST

START_TEST(the_rest_of_a_request_goes_to_the_machine)
{
    memset(&other, 0, sizeof other);
    for (GPhys gpa = P; gpa < P + 2 * PAGE; gpa += PAGE) {
        store(gpa, 1);
    }
    PgmStats before = stats();

    pgm_run_begin(pgm);
    memset(other.buf, 0xab, sizeof other.buf);
    other.gpa = P + 8;
    other.len = 3 * PAGE; /* the third page and what is left of the fourth are ZERO */
    start(act_write);
    ck_assert_uint_ge(serve_until_done(), 1);
    pgm_run_end(pgm);
    ck_assert_int_eq(other.status, MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 7), 0);
    for (GPhys gpa = P + 8; gpa < P + 8 + 3 * PAGE; gpa++) {
        if (pgm_read_u8(pgm, gpa) != 0xab) {
            ck_abort_msg("0x%lx was not written", (unsigned long)gpa);
        }
    }
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 8 + 3 * PAGE), 0);
    /* Bytes that were copied from outside count nowhere. */
    ck_assert_uint_eq(stats().bulk_write_bytes - before.bulk_write_bytes, PAGE + 8);
}
END_TEST

START_TEST(a_status_comes_back)
{
    PgmMapping mapping;

    memset(&other, 0, sizeof other);
    ck_assert_int_eq(pgm_external_map_pages(pgm, (GPhys[]) { HOLE }, 1, true, &mapping),
                     MEM_ERR_UNASSIGNED);
    ck_assert_int_eq(pgm_external_map_pages(pgm, (GPhys[]) { P }, 1, true, &mapping), MEM_OK);
    ck_assert_uint_eq(stats().pages.write_locked, 1);
    pgm_external_unmap_pages(pgm, &mapping, 1);
    ck_assert_uint_eq(stats().pages.write_locked, 0);
    handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, P, PAGE, pass_on, &machine_thread, "h", NULL);
    machine_thread = pthread_self();
    ck_assert_int_eq(pgm_external_read(pgm, P, other.buf, 4, MEM_ORIGIN_DEVICE), MEM_OK);
    g_clear_pointer(&handler, pgm_handler_free);
}
END_TEST

START_TEST(past_the_end_of_all_addresses)
{
    uint8_t bytes[16] = { 0 };

    ck_assert_int_eq(pgm_external_read(pgm, UINT64_MAX - 3, bytes, 16, MEM_ORIGIN_DEBUGGER),
                     MEM_OK);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_uint_eq(bytes[i], 0xff);
    }
    ck_assert_int_eq(pgm_external_write(pgm, UINT64_MAX - 3, bytes, 16, MEM_ORIGIN_DEBUGGER),
                     MEM_OK);
    ck_assert_int_eq(pgm_external_read(pgm, P, bytes, 0, MEM_ORIGIN_DEBUGGER), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, LOW), 0);
}
END_TEST

/* ---- many threads at a machine that changes all the time */

/* Words at P are counters: written only by the machine and only up. A reader sees none go down. */
static void act_read_counters(Other *o)
{
    uint64_t last = 0;

    for (o->n = 0; o->n < LAPS; o->n++) {
        uint64_t value;

        if (pgm_external_read(pgm, P, &value, 8, MEM_ORIGIN_DEBUGGER) != MEM_OK || value < last) {
            o->status = MEM_ERR_CONFLICT;
            return;
        }
        last = value;
        if (pgm_external_read(pgm, HOLE, o->buf, PAGE + 8, MEM_ORIGIN_DEBUGGER) != MEM_OK) {
            o->status = MEM_ERR_CONFLICT;
        }
    }
}

/* Each writer has words of its own, which nobody else writes: what it wrote it reads. */
static void act_write_words(Other *o)
{
    for (o->n = 0; o->n < LAPS; o->n++) {
        GPhys gpa = o->gpa + (o->n % 3) * PAGE;
        uint64_t value = o->n, back = 0;
        uint8_t odd[24];

        memset(odd, (int)o->n, sizeof odd);
        if (pgm_external_write(pgm, gpa, &value, 8, MEM_ORIGIN_DEVICE) != MEM_OK ||
            pgm_external_read(pgm, gpa, &back, 8, MEM_ORIGIN_DEVICE) != MEM_OK || back != value ||
            pgm_external_write(pgm, gpa + 9, odd, sizeof odd, MEM_ORIGIN_DEVICE) != MEM_OK) {
            o->status = MEM_ERR_CONFLICT;
            return;
        }
    }
}

static void act_map_and_call(Other *o)
{
    for (unsigned lap = 0; lap < LAPS / 8; lap++) {
        const GPhys gpas[] = { o->gpa, o->gpa + PAGE };
        PgmMapping mappings[2];

        if (pgm_external_map_pages(pgm, gpas, 2, true, mappings) != MEM_OK) {
            o->status = MEM_ERR_CONFLICT;
            return;
        }
        __atomic_store_n((uint32_t *)(void *)mappings[0].host, lap, __ATOMIC_RELAXED);
        pgm_external_unmap_pages(pgm, mappings, 2);
        pgm_external_call(pgm, note_thread, o);
    }
}

#define N_OTHERS 6

static void machine_lap(unsigned lap, PgmMmio2 *vram)
{
    GPhys fresh = R + (lap % 256) * PAGE;

    (void)pgm_write_u64(pgm, P, lap);
    (void)pgm_write_u32(pgm, fresh, lap);
    (void)pgm_read_u64(pgm, P + 8);
    (void)pgm_read_u32(pgm, Q + 4 * (lap % 64));
    (void)pgm_rom_protect(pgm, HOLE, PAGE, (PgmRomProt)(lap % PGM_N_ROM_PROTS));
    (void)pgm_write_u8(pgm, HOLE, (uint8_t)lap);
    if (lap % 4 == 0) {
        (void)pgm_mmio2_map(vram, lap % 8 == 0 ? ABOVE : HOLE + PAGE, NULL);
    }
    if (lap % 8 == 1) {
        (void)fill(Q, MEM_ACCESS_EXEC);
        pgm_forget_executed(pgm);
    }
    if (lap % 16 == 3) {
        PgmWatch *w =
            pgm_watch_new(pgm, Q, 8, MEM_ACCESS_WRITE, false, seen, &machine_thread, NULL);

        pgm_service(pgm);
        pgm_watch_free(w);
    }
    if (lap % 16 == 5) {
        PgmHandler *h = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, Q + PAGE, 64, pass_on,
                                        &machine_thread, "h", NULL);

        pgm_service(pgm);
        pgm_handler_free(h);
    }
    if (lap % 16 == 9) {
        PgmPlace place;

        ck_assert(pgm_place_lookup(pgm, Q, &place));
        pgm_page_arm(place.range, place.index);
    }
    (void)pgm_poke(pgm, HOLE, &lap, sizeof lap);
}

START_TEST(many_threads_at_a_machine_that_changes)
{
    static Other others[N_OTHERS];
    static void (*const acts[N_OTHERS])(Other *) = { act_read_counters, act_read_counters,
                                                     act_write_words,   act_write_words,
                                                     act_map_and_call,  act_nothing };
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, 2 * PAGE, true, "vram", NULL);
    unsigned lap = 1;

    machine_thread = pthread_self();
    ck_assert_int_eq(pgm_rom_register(pgm, HOLE, PAGE, NULL, 0, 0x90, PGM_ROM_FLAG_SHADOWED,
                                      "board", "bios", NULL),
                     MEM_OK);
    pgm_run_begin(pgm);
    for (unsigned i = 0; i < N_OTHERS; i++) {
        others[i] = (Other) { .act = acts[i], .gpa = i < 4 ? Q + 64 * i : R + 300 * PAGE };
        ck_assert_int_eq(pthread_create(&others[i].thread, NULL, other_main, &others[i]), 0);
    }
    for (bool all_done = false; !all_done; lap++) {
        machine_lap(lap, vram);
        pgm_service(pgm);
        all_done = true;
        for (unsigned i = 0; i < N_OTHERS; i++) {
            all_done &= __atomic_load_n(&others[i].done, __ATOMIC_ACQUIRE) != 0;
        }
    }
    pgm_run_end(pgm);
    for (unsigned i = 0; i < N_OTHERS; i++) {
        ck_assert_int_eq(pthread_join(others[i].thread, NULL), 0);
        ck_assert_msg(others[i].status == MEM_OK, "thread %u failed in lap %u", i, others[i].n);
    }
    ck_assert_uint_eq(others[4].n, LAPS / 8);
    ck_assert_uint_eq(stats().pages.write_locked, 0);
    check_sound();
    pgm_mmio2_free(vram);
}
END_TEST

/* Resets and whole RAM ranges that come and go, with readers of just these. */
static void act_read_wide(Other *o)
{
    for (unsigned lap = 0; lap < LAPS / 4; lap++) {
        o->status = pgm_external_read(pgm, R, o->buf, 3 * PAGE, MEM_ORIGIN_DEBUGGER);
        o->status |= pgm_external_read(pgm, ABOVE, o->buf, PAGE, MEM_ORIGIN_DEBUGGER);
        if (o->status != MEM_OK) {
            return;
        }
    }
}

START_TEST(readers_of_memory_that_comes_and_goes)
{
    memset(&other, 0, sizeof other);
    pgm_run_begin(pgm);
    start(act_read_wide);
    while (!__atomic_load_n(&other.done, __ATOMIC_ACQUIRE)) {
        ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 4 * PAGE, "more", NULL), MEM_OK);
        store(ABOVE, 1);
        store(R, 2);
        pgm_service(pgm);
        pgm_reset(pgm);
        pgm_service(pgm);
        pgm_ram_withdraw(pgm, ABOVE);
        pgm_service(pgm);
    }
    finish();
    pgm_run_end(pgm);
    ck_assert_int_eq(other.status, MEM_OK);
}
END_TEST

/* The machine runs now and then; requests find it running, or are served in place. */
static void act_calls(Other *o)
{
    for (unsigned i = 0; i < LAPS; i++) {
        pgm_external_call(pgm, note_thread, o);
        (void)pgm_external_write(pgm, o->gpa, &i, sizeof i, MEM_ORIGIN_DEVICE);
    }
}

START_TEST(runs_begin_and_end_under_requests)
{
    static Other others[3];
    bool all_done = false;

    for (unsigned i = 0; i < 3; i++) {
        others[i] = (Other) { .act = act_calls, .gpa = R + i * PAGE };
        ck_assert_int_eq(pthread_create(&others[i].thread, NULL, other_main, &others[i]), 0);
    }
    while (!all_done) {
        pgm_run_begin(pgm);
        store(P, 1);
        pgm_service(pgm);
        pgm_run_end(pgm);
        g_thread_yield();
        all_done = true;
        for (unsigned i = 0; i < 3; i++) {
            all_done &= __atomic_load_n(&others[i].done, __ATOMIC_ACQUIRE) != 0;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(others[i].thread, NULL), 0);
        ck_assert_uint_eq(others[i].n, LAPS);
        ck_assert_uint_eq(pgm_read_u32(pgm, R + i * PAGE), LAPS - 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("external");
    TCase *tcase = tcase_create("external");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, call_runs_in_place_while_the_machine_does_not);
    tcase_add_test(tcase, call_waits_for_the_machines_thread_while_it_runs);
    tcase_add_test(tcase, end_of_a_run_serves_who_waits);
    tcase_add_test(tcase, the_machines_own_thread_never_waits_for_itself);
    tcase_add_loop_test(tcase, only_plain_pages_are_touched_from_outside, 0, N_KINDS);
    tcase_add_test(tcase, the_rest_of_a_request_goes_to_the_machine);
    tcase_add_test(tcase, a_status_comes_back);
    tcase_add_test(tcase, past_the_end_of_all_addresses);
    tcase_add_test(tcase, many_threads_at_a_machine_that_changes);
    tcase_add_test(tcase, readers_of_memory_that_comes_and_goes);
    tcase_add_test(tcase, runs_begin_and_end_under_requests);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
