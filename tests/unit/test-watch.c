/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches: which accesses they are told of, by which path, and that they cost unwatched pages
 * nothing.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)
#define R MEM_ACCESS_READ
#define W MEM_ACCESS_WRITE
#define X MEM_ACCESS_EXEC

typedef struct Eye {
    PgmWatch *watch;
    unsigned n;
    PgmWatchHit last;
    uint64_t memory; /* what the watched word held when told */
    void (*trick)(struct Eye *eye);
} Eye;

static Eye eye, other_eye;

static void seen(Pgm *from, const PgmWatchHit *hit, void *user)
{
    Eye *e = user;

    ck_assert_ptr_eq(from, pgm);
    e->n++;
    e->last = *hit;
    (void)pgm_peek(pgm, P, &e->memory, 8);
    if (e->trick) {
        e->trick(e);
    }
}

static void setup(void)
{
    pgm_setup();
    memset(&eye, 0, sizeof eye);
    memset(&other_eye, 0, sizeof other_eye);
}

static void teardown(void)
{
    g_clear_pointer(&eye.watch, pgm_watch_free);
    g_clear_pointer(&other_eye.watch, pgm_watch_free);
    pgm_teardown();
}

static void watch(Eye *e, GPhys start, uint64_t len, unsigned accesses, bool before)
{
    e->watch = pgm_watch_new(pgm, start, len, accesses, before, seen, e, NULL);
    ck_assert_ptr_nonnull(e->watch);
}

/* ---- which bytes */

static const struct {
    uint64_t offset;
    unsigned size;
    bool hit; /* of a watch on [P + 8, P + 12) */
} accesses[] = {
    { 8, 4, true },   { 8, 1, true },  { 11, 1, true },  { 7, 1, false },
    { 12, 1, false }, { 4, 4, false }, { 4, 8, true },   { 0, 8, false },
    { 5, 4, true },   { 11, 8, true }, { 12, 8, false }, { 7, 2, true },
};

START_TEST(watch_is_exact_by_bytes)
{
    uint64_t value;
    GPhys gpa = P + accesses[_i].offset;

    watch(&eye, P + 8, 4, R, false);
    watch(&other_eye, P + 8, 4, W, false);
    for (unsigned round = 1; round <= 2; round++) {
        (void)pgm_bus_read(pgm, gpa, accesses[_i].size, MEM_ORIGIN_CPU, &value);
        ck_assert_uint_eq(eye.n, accesses[_i].hit ? round : 0);
        (void)pgm_bus_write(pgm, gpa, accesses[_i].size, 0x1122334455667788, MEM_ORIGIN_CPU);
        ck_assert_uint_eq(other_eye.n, accesses[_i].hit ? round : 0);
    }
    if (accesses[_i].hit) {
        ck_assert_uint_eq(eye.last.gpa, gpa);
        ck_assert_uint_eq(eye.last.len, accesses[_i].size);
        ck_assert_int_eq(eye.last.origin, MEM_ORIGIN_CPU);
        ck_assert_int_eq(eye.last.access, R);
        ck_assert_int_eq(other_eye.last.access, W);
        ck_assert_uint_eq(other_eye.last.value,
                          0x1122334455667788 & (UINT64_MAX >> (64 - 8 * accesses[_i].size)));
        ck_assert_uint_eq(eye.last.value, other_eye.last.value);
    }
    ck_assert_uint_eq(stats().watch_hits, accesses[_i].hit ? 4 : 0);
}
END_TEST

START_TEST(typed_accesses_are_seen_every_time)
{
    store(P, 1);
    (void)pgm_read_u32(pgm, P); /* R and W in the TLB */
    watch(&eye, P, 4, R | W, false);
    for (unsigned i = 1; i <= 4; i++) {
        (void)pgm_read_u32(pgm, P);
        store(P, i);
        ck_assert_uint_eq(eye.n, 2 * i);
        check_sound();
    }
    /* An access that crosses into the page, too. */
    (void)pgm_read_u32(pgm, P - 2);
    ck_assert_uint_eq(eye.n, 9);
    ck_assert_uint_eq(eye.last.gpa, P - 2);
    pgm_watch_free(g_steal_pointer(&eye.watch));
    (void)pgm_read_u32(pgm, P);
    ck_assert_uint_eq(eye.n, 9);
}
END_TEST

START_TEST(before_and_after)
{
    store(P, 5);
    watch(&eye, P, 4, R | W, true);
    watch(&other_eye, P, 4, R | W, false);
    store(P, 6);
    ck_assert(eye.last.before);
    ck_assert_uint_eq(eye.last.value, 6);
    ck_assert_uint_eq(eye.memory, 5);
    ck_assert(!other_eye.last.before);
    ck_assert_uint_eq(other_eye.memory, 6);
    (void)pgm_read_u32(pgm, P);
    ck_assert_uint_eq(eye.last.value, 0);
    ck_assert_uint_eq(other_eye.last.value, 6);
}
END_TEST

START_TEST(bulk_is_told_page_by_page)
{
    g_autofree uint8_t *data = g_malloc(3 * PAGE);

    memset(data, 0x44, 3 * PAGE);
    watch(&eye, P, 3 * PAGE, W, false);
    watch(&other_eye, P + PAGE + 5, 1, R, false);
    ck_assert_int_eq(pgm_write(pgm, P + 16, data, 2 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(eye.n, 3);
    ck_assert_uint_eq(eye.last.gpa, P + 2 * PAGE);
    ck_assert_uint_eq(eye.last.len, 16);
    ck_assert_uint_eq(eye.last.value, 0x4444444444444444);
    ck_assert_int_eq(pgm_read(pgm, P, data, 3 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(other_eye.n, 1);
    ck_assert_uint_eq(other_eye.last.gpa, P + PAGE);
    ck_assert_uint_eq(other_eye.last.len, PAGE);
    eye.n = 0;
    ck_assert_int_eq(pgm_fill(pgm, P, 1, 3 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(eye.n, 3);
}
END_TEST

/* Only watched pages are taken apart: a gap of any size with a watch in it is three steps. */
static unsigned n_gaps;
static uint64_t gap_bytes;

static void note_gap(Pgm *from, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin,
                     void *user)
{
    (void)from;
    (void)gpa;
    (void)access;
    (void)origin;
    (void)user;
    n_gaps++;
    gap_bytes += len;
}

START_TEST(bulk_is_taken_apart_at_watched_pages_only)
{
    uint64_t len = UINT64_C(1) << 50;

    n_gaps = 0;
    gap_bytes = 0;
    pgm_set_unassigned_hook(pgm, note_gap, NULL);
    watch(&eye, ABOVE + 100 * PAGE + 8, 4, W, false);
    watch(&other_eye, ABOVE + 50 * PAGE, 4, R, false);
    ck_assert_int_eq(pgm_fill(pgm, ABOVE + 5, 1, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(n_gaps, 3);
    ck_assert_uint_eq(gap_bytes, len);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(eye.last.gpa, ABOVE + 100 * PAGE);
    ck_assert_uint_eq(eye.last.len, PAGE);
    ck_assert_uint_eq(other_eye.n, 0);
}
END_TEST

START_TEST(bulk_meets_watches_in_any_place)
{
    g_autofree uint8_t *data = g_malloc(16 * PAGE);
    g_autofree uint8_t *back = g_malloc(16 * PAGE);

    for (unsigned i = 0; i < 16 * PAGE; i++) {
        data[i] = (uint8_t)(i * 31 + (i >> 12));
    }
    watch(&eye, P + (unsigned)_i * PAGE + 100, 1, R | W, false);
    ck_assert_int_eq(pgm_write(pgm, P + 9, data, 16 * PAGE - 9, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_int_eq(pgm_read(pgm, P + 9, back, 16 * PAGE - 9, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(eye.n, 2);
    ck_assert_mem_eq(data, back, 16 * PAGE - 9);
}
END_TEST

START_TEST(peek_and_poke_are_not_seen)
{
    uint32_t value = 3;

    watch(&eye, P, 4, R | W, false);
    ck_assert_int_eq(pgm_poke(pgm, P, &value, 4), MEM_OK);
    ck_assert_int_eq(pgm_peek(pgm, P, &value, 4), MEM_OK);
    ck_assert_uint_eq(eye.n, 0);
    (void)pgm_read_u32_as(pgm, P, MEM_ORIGIN_DEBUGGER);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_int_eq(eye.last.origin, MEM_ORIGIN_DEBUGGER);
}
END_TEST

START_TEST(nowhere_can_be_watched)
{
    uint8_t bytes[32];

    watch(&eye, ABOVE + 8, 4, R | W, false);
    (void)pgm_read_u32(pgm, ABOVE + 8);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(eye.last.value, UINT32_MAX);
    ck_assert_int_eq(pgm_write_u32(pgm, ABOVE + 8, 1), MEM_OK);
    ck_assert_uint_eq(eye.n, 2);
    ck_assert_int_eq(pgm_read(pgm, ABOVE, bytes, 32, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(eye.n, 3);
    PgmFill f = fill(ABOVE, MEM_ACCESS_READ);

    ck_assert_int_eq(f.kind, PGM_FILL_UNASSIGNED);
    ck_assert(f.watched);
    ck_assert(!fill(ABOVE + PAGE, MEM_ACCESS_READ).watched);
}
END_TEST

START_TEST(watch_to_the_end_of_all_addresses)
{
    watch(&eye, UINT64_MAX - 3, 4, R, false);
    (void)pgm_read_u64(pgm, UINT64_MAX - 7);
    ck_assert_uint_eq(eye.n, 1);
    (void)pgm_read_u32(pgm, 0);
    ck_assert_uint_eq(eye.n, 1);
    (void)pgm_read_u64(pgm, UINT64_MAX - 1);
    ck_assert_uint_eq(eye.n, 2);
}
END_TEST

START_TEST(absurd_watches_are_refused)
{
    static const struct {
        GPhys start;
        uint64_t len;
        unsigned accesses;
    } bad[] = { { P, 0, R }, { UINT64_MAX, 2, R }, { P, 1, 0 }, { P, 1, 8 } };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(pgm_watch_new(pgm, bad[_i].start, bad[_i].len, bad[_i].accesses, false, seen,
                                     NULL, &error));
    ck_assert_int_eq(error->code, MEM_ERR_INVALID_PARAMETER);
}
END_TEST

/* ---- many */

START_TEST(overlapping_watches_are_all_found)
{
    enum { N = 200 };
    PgmWatch *watches[N];
    unsigned got[N];
    GRand *rand = g_rand_new_with_seed(7);

    for (unsigned round = 0; round < 50; round++) {
        uint64_t first[N], len[N];

        for (unsigned i = 0; i < N; i++) {
            first[i] = (uint64_t)g_rand_int_range(rand, 0, 4000);
            len[i] = (uint64_t)g_rand_int_range(rand, 1, i % 20 == 0 ? 3000 : 30);
            memset(&eye, 0, sizeof eye);
            watches[i] = pgm_watch_new(pgm, P + first[i], len[i], W, false, seen, &eye, NULL);
        }
        for (unsigned i = 0; i < N; i += 3) {
            g_clear_pointer(&watches[i], pgm_watch_free);
        }
        uint64_t at = (uint64_t)g_rand_int_range(rand, 0, 4090);
        unsigned want = 0;

        for (unsigned i = 0; i < N; i++) {
            got[i] = watches[i] && first[i] < at + 4 && first[i] + len[i] > at;
            want += got[i];
        }
        eye.n = 0;
        store(P + at, 1);
        ck_assert_uint_eq(eye.n, want);
        for (unsigned i = 0; i < N; i++) {
            g_clear_pointer(&watches[i], pgm_watch_free);
        }
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(covers_page_knows_kinds_and_pages)
{
    watch(&eye, P + PAGE - 1, 2, R, false);
    watch(&other_eye, LOW, 0x80000, X, false);
    ck_assert(pgm_watch_covers_page(pgm, P + 7, R));
    ck_assert(pgm_watch_covers_page(pgm, P + PAGE, R | W));
    ck_assert(!pgm_watch_covers_page(pgm, P, W | X));
    ck_assert(!pgm_watch_covers_page(pgm, P - PAGE, R));
    ck_assert(!pgm_watch_covers_page(pgm, P + 2 * PAGE, R));
    ck_assert(pgm_watch_covers_page(pgm, 0x7f000, X));
    ck_assert(!pgm_watch_covers_page(pgm, 0x80000, X));
}
END_TEST

/* ---- changing watches while told */

static void free_self(Eye *e)
{
    g_clear_pointer(&e->watch, pgm_watch_free);
}

static void free_other(Eye *e)
{
    (void)e;
    g_clear_pointer(&other_eye.watch, pgm_watch_free);
    g_clear_pointer(&eye.watch, pgm_watch_free);
}

static void add_more(Eye *e)
{
    if (!other_eye.watch) {
        watch(&other_eye, P, 4, W, false);
    }
    (void)e;
}

START_TEST(function_may_free_itself)
{
    eye.trick = free_self;
    watch(&eye, P, 4, W, false);
    store(P, 1);
    store(P, 2);
    ck_assert_uint_eq(eye.n, 1);
}
END_TEST

START_TEST(freed_in_between_is_not_told)
{
    eye.trick = free_other;
    other_eye.trick = free_other;
    watch(&eye, P, 4, W, false);
    watch(&other_eye, P, 4, W, false);
    store(P, 1);
    ck_assert_uint_eq(eye.n + other_eye.n, 1);
    store(P, 2);
    ck_assert_uint_eq(eye.n + other_eye.n, 1);
}
END_TEST

START_TEST(added_in_between_is_told_from_the_next_access)
{
    eye.trick = add_more;
    watch(&eye, P, 4, W, false);
    store(P, 1);
    ck_assert_uint_eq(other_eye.n, 0);
    store(P, 1);
    ck_assert_uint_eq(other_eye.n, 1);
}
END_TEST

/* ---- without memory */

START_TEST(no_memory_for_the_table_refuses_a_watch)
{
    g_autoptr(GError) error = NULL;

    watch(&other_eye, P, 8, W, false);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert_ptr_null(pgm_watch_new(pgm, P + 8, 8, W, false, seen, &eye, &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_HOST_MEMORY));
    store(P + 8, 1);
    ck_assert_uint_eq(eye.n, 0);
    store(P, 1);
    ck_assert_uint_eq(other_eye.n, 1);
}
END_TEST

START_TEST(freeing_a_watch_needs_no_memory)
{
    watch(&eye, P, 8, W, false);
    watch(&other_eye, P, 16, W, false);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, UINT_MAX);
    g_clear_pointer(&other_eye.watch, pgm_watch_free);
    check_sound();
    store(P, 1);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 0);
    ck_assert(!pgm_watch_covers_page(pgm, P, R));
    g_clear_pointer(&eye.watch, pgm_watch_free);
    ck_assert(!pgm_watch_covers_page(pgm, P, W));
}
END_TEST

START_TEST(freed_while_told_without_memory_is_gone_after_the_next_change)
{
    Eye third = { 0 };

    eye.trick = free_self;
    watch(&eye, P, 8, W, false);
    watch(&other_eye, P, 8, W, false);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, UINT_MAX);
    store(P, 1);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 1);
    check_sound();
    store(P, 2);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 2);
    fake_os_heal();
    watch(&third, P, 8, W, false);
    check_sound();
    store(P, 3);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(third.n, 1);
    pgm_watch_free(third.watch);
}
END_TEST

START_TEST(watch_outlives_the_machine)
{
    Pgm *brief = pgm_new(gmm, NULL, NULL);
    PgmWatch *w = pgm_watch_new(brief, 0, 1, R, false, seen, &eye, NULL);

    pgm_free(brief);
    pgm_watch_free(w);
    pgm_watch_free(NULL);
}
END_TEST

/* ---- CPUs */

static const struct {
    unsigned watched;
    MemAccess access;
    bool executed; /* before */
    PgmFillKind kind;
    unsigned perms;
} fills[] = {
    { R, R, false, PGM_FILL_CATCH, R },          { R, W, false, PGM_FILL_DIRECT, W },
    { R, X, false, PGM_FILL_DIRECT, W | X },     { R, W, true, PGM_FILL_DIRECT, W | X },
    { W, R, false, PGM_FILL_DIRECT, R },         { W, W, false, PGM_FILL_CATCH, W },
    { W, X, false, PGM_FILL_DIRECT, R | X },     { R | W, R, false, PGM_FILL_CATCH, R | W },
    { R | W, W, false, PGM_FILL_CATCH, R | W },  { R | W, X, false, PGM_FILL_DIRECT, X },
    { X, R, false, PGM_FILL_DIRECT, R | W },     { X, W, false, PGM_FILL_DIRECT, R | W },
    { X, X, false, PGM_FILL_DIRECT, R | W | X }, { 0, X, false, PGM_FILL_DIRECT, R | W | X },
};

START_TEST(cpu_catches_what_is_watched)
{
    store(P, 1);
    if (fills[_i].executed) {
        (void)fill(P, X);
    }
    if (fills[_i].watched != 0) {
        watch(&eye, P + 40, 1, fills[_i].watched, false);
    }
    PgmFill f = fill(P, fills[_i].access);

    ck_assert_int_eq(f.kind, fills[_i].kind);
    ck_assert_uint_eq(f.perms, fills[_i].perms);
    ck_assert_int_eq(f.watched, fills[_i].kind == PGM_FILL_CATCH);
    ck_assert_int_eq(f.exec_watched, (fills[_i].watched & X) != 0);
    f = fill(P + PAGE, R);
    ck_assert(!f.watched && !f.exec_watched);
}
END_TEST

START_TEST(cpu_is_told_of_watches_come_and_gone)
{
    uint64_t len = _i ? 20 * PAGE : 1;

    store(P, 1);
    (void)fill(P, W);
    told_reset();
    watch(&eye, P, len, W, false);
    ck_assert_uint_eq(told.n_pages, _i ? 0 : 1);
    ck_assert_uint_eq(told.n_all, _i ? 1 : 0);
    (void)fill(P, W);
    told_reset();
    g_clear_pointer(&eye.watch, pgm_watch_free);
    ck_assert_uint_eq(told.n_pages + told.n_all, 1);
    ck_assert_int_eq(fill(P, W).kind, PGM_FILL_DIRECT);
    /* A page no CPU met. */
    told_reset();
    watch(&eye, P + PAGE, 1, W, false);
    ck_assert(told_nothing());
}
END_TEST

START_TEST(each_page_of_a_small_watch_is_told)
{
    for (unsigned i = 0; i < 3; i++) {
        store(P + i * PAGE, 1);
        (void)fill(P + i * PAGE, W);
    }
    told_reset();
    watch(&eye, P + PAGE - 1, 2, W, false);
    ck_assert_uint_eq(told.n_pages, 2);
    ck_assert_uint_eq(told.gpas[0], P);
    ck_assert_uint_eq(told.gpas[1], P + PAGE);
    check_sound();
    store(P + PAGE, 1);
    ck_assert_uint_eq(eye.n, 1);
}
END_TEST

/* The page may be known by another address: a watch on one leaves the other's knowledge alone. */
START_TEST(watch_on_an_alias_does_not_hide_the_page)
{
    static const PgmMmioOps ops = { .max_size = 4 };
    PgmMmio *window = pgm_mmio_new(pgm, PAGE, &ops, NULL, "vga", "window", NULL);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, PAGE, true, "vram", NULL);

    ck_assert_int_eq(pgm_mmio_map(window, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE + PAGE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(window, 0, vram, 0), MEM_OK);
    (void)fill(ABOVE, W);
    (void)fill(ABOVE + PAGE, W);
    watch(&eye, ABOVE, 4, W, false);
    store(ABOVE + PAGE, 1);
    ck_assert_uint_eq(eye.n, 0); /* watches are on addresses */
    store(ABOVE, 1);
    ck_assert_uint_eq(eye.n, 1);
    told_reset();
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_uint_eq(told.n_pages, 2);
}
END_TEST

START_TEST(exec_is_reported_by_the_cpu)
{
    watch(&eye, P + 4, 2, X, true);
    watch(&other_eye, P + 4, 2, X | R, false);
    pgm_cpu_report_exec(cpu, P, 4);
    ck_assert_uint_eq(eye.n, 0);
    pgm_cpu_report_exec(cpu, P + 3, 3);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 1);
    ck_assert_uint_eq(eye.last.gpa, P + 3);
    ck_assert_uint_eq(eye.last.len, 3);
    ck_assert_int_eq(eye.last.access, X);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, watch_is_exact_by_bytes, 0, G_N_ELEMENTS(accesses));
    tcase_add_test(tcase, typed_accesses_are_seen_every_time);
    tcase_add_test(tcase, before_and_after);
    tcase_add_test(tcase, bulk_is_told_page_by_page);
    tcase_add_test(tcase, bulk_is_taken_apart_at_watched_pages_only);
    tcase_add_loop_test(tcase, bulk_meets_watches_in_any_place, 0, 16);
    tcase_add_test(tcase, peek_and_poke_are_not_seen);
    tcase_add_test(tcase, nowhere_can_be_watched);
    tcase_add_test(tcase, watch_to_the_end_of_all_addresses);
    tcase_add_loop_test(tcase, absurd_watches_are_refused, 0, 4);
    tcase_add_test(tcase, overlapping_watches_are_all_found);
    tcase_add_test(tcase, covers_page_knows_kinds_and_pages);
    tcase_add_test(tcase, function_may_free_itself);
    tcase_add_test(tcase, freed_in_between_is_not_told);
    tcase_add_test(tcase, no_memory_for_the_table_refuses_a_watch);
    tcase_add_test(tcase, freeing_a_watch_needs_no_memory);
    tcase_add_test(tcase, freed_while_told_without_memory_is_gone_after_the_next_change);
    tcase_add_test(tcase, added_in_between_is_told_from_the_next_access);
    tcase_add_test(tcase, watch_outlives_the_machine);
    tcase_add_loop_test(tcase, cpu_catches_what_is_watched, 0, G_N_ELEMENTS(fills));
    tcase_add_loop_test(tcase, cpu_is_told_of_watches_come_and_gone, 0, 2);
    tcase_add_test(tcase, each_page_of_a_small_watch_is_told);
    tcase_add_test(tcase, watch_on_an_alias_does_not_hide_the_page);
    tcase_add_test(tcase, exec_is_reported_by_the_cpu);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
