/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches by a CPU's virtual addresses: which accesses hit, in which order with physical ones, and
 * what the CPU is told as they come and go. A20 and the accesses a CPU makes by itself as well.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)
#define V UINT64_C(0xffffffff80001000) /* shows P, as far as these tests go */
#define R MEM_ACCESS_READ
#define W MEM_ACCESS_WRITE
#define X MEM_ACCESS_EXEC

typedef struct Eye {
    PgmWatch *watch;
    unsigned n;
    PgmWatchHit last;
    unsigned order; /* of the last telling among all */
    bool free_self;
} Eye;

static Eye eye, other_eye;
static unsigned n_told;

static void seen(Pgm *from, const PgmWatchHit *hit, void *user)
{
    Eye *e = user;

    ck_assert_ptr_eq(from, pgm);
    e->n++;
    e->last = *hit;
    e->order = ++n_told;
    if (e->free_self) {
        g_clear_pointer(&e->watch, pgm_watch_free);
    }
}

static void setup(void)
{
    pgm_setup();
    memset(&eye, 0, sizeof eye);
    memset(&other_eye, 0, sizeof other_eye);
    n_told = 0;
}

static void teardown(void)
{
    g_clear_pointer(&eye.watch, pgm_watch_free);
    g_clear_pointer(&other_eye.watch, pgm_watch_free);
    pgm_teardown();
}

static void watch(Eye *e, GVirt start, uint64_t len, unsigned accesses, bool before)
{
    e->watch = pgm_watch_new_virtual(cpu, start, len, accesses, before, seen, e, NULL);
    ck_assert_ptr_nonnull(e->watch);
}

static const struct {
    uint64_t offset;
    unsigned size;
    bool hit; /* of a watch on [V + 8, V + 12) */
} accesses[] = {
    { 8, 4, true },  { 11, 1, true }, { 7, 1, false }, { 12, 1, false },
    { 4, 4, false }, { 4, 8, true },  { 7, 2, true },  { 12, 8, false },
};

START_TEST(virtual_watch_is_exact_by_bytes)
{
    uint64_t value = 0;
    uint64_t at = accesses[_i].offset;
    unsigned size = accesses[_i].size;

    watch(&eye, V + 8, 4, R, false);
    watch(&other_eye, V + 8, 4, W, true);
    ck_assert_int_eq(pgm_cpu_bus_write(cpu, V + at, P + at, size, 0x1122334455667788), MEM_OK);
    ck_assert_int_eq(pgm_cpu_bus_read(cpu, V + at, P + at, size, &value), MEM_OK);
    ck_assert_uint_eq(value, 0x1122334455667788 & (UINT64_MAX >> (64 - 8 * size)));
    ck_assert_uint_eq(eye.n, accesses[_i].hit);
    ck_assert_uint_eq(other_eye.n, accesses[_i].hit);
    if (accesses[_i].hit) {
        ck_assert_uint_eq(eye.last.gva, V + at);
        ck_assert_uint_eq(eye.last.gpa, P + at);
        ck_assert(eye.last.by_gva);
        ck_assert_uint_eq(eye.last.len, size);
        ck_assert_uint_eq(eye.last.value, value);
        ck_assert_int_eq(eye.last.access, R);
        ck_assert_int_eq(eye.last.origin, MEM_ORIGIN_CPU);
        ck_assert(!eye.last.before);
        ck_assert_int_eq(other_eye.last.access, W);
        ck_assert_uint_eq(other_eye.last.value, value);
        ck_assert(other_eye.last.before);
    }
}
END_TEST

START_TEST(a_read_is_told_before_without_its_value)
{
    uint64_t value;

    store(P, 0x55);
    watch(&eye, V, 4, R, true);
    (void)pgm_cpu_bus_read(cpu, V, P, 4, &value);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(eye.last.value, 0);
}
END_TEST

START_TEST(only_that_virtual_address_hits)
{
    uint64_t value;
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &told);

    watch(&eye, V, PAGE, R | W, false);
    (void)pgm_cpu_bus_read(cpu, V + PAGE, P, 4, &value);
    (void)pgm_cpu_bus_read(other, V, P, 4, &value);
    (void)pgm_read_u32(pgm, P);
    (void)pgm_bus_write(pgm, P, 4, 1, MEM_ORIGIN_CPU);
    ck_assert_uint_eq(eye.n, 0);
    /* Whatever is mapped there. */
    (void)pgm_cpu_bus_read(cpu, V, P + PAGE, 4, &value);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(eye.last.gpa, P + PAGE);
    pgm_cpu_detach(other);
}
END_TEST

START_TEST(covers_knows_kinds_pages_and_cpus)
{
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &told);

    ck_assert(!pgm_watch_covers_virtual(cpu, V, R | W | X));
    watch(&eye, V + PAGE - 1, 2, W, false);
    ck_assert(pgm_watch_covers_virtual(cpu, V, W));
    ck_assert(pgm_watch_covers_virtual(cpu, V + PAGE + 5, R | W));
    ck_assert(!pgm_watch_covers_virtual(cpu, V, R));
    ck_assert(!pgm_watch_covers_virtual(cpu, V - PAGE, W));
    ck_assert(!pgm_watch_covers_virtual(cpu, V + 2 * PAGE, W));
    ck_assert(!pgm_watch_covers_virtual(other, V, W));
    ck_assert(!pgm_watch_covers_page(pgm, V, W));
    g_clear_pointer(&eye.watch, pgm_watch_free);
    ck_assert(!pgm_watch_covers_virtual(cpu, V, W));
    pgm_cpu_detach(other);
}
END_TEST

START_TEST(watch_to_the_end_of_all_virtual_addresses)
{
    uint64_t value;

    watch(&eye, 0, UINT64_MAX, R, false);
    watch(&other_eye, UINT64_MAX, 1, R, false);
    (void)pgm_cpu_bus_read(cpu, UINT64_MAX - 3, P + PAGE - 4, 4, &value);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 1);
    ck_assert(pgm_watch_covers_virtual(cpu, UINT64_MAX, R));
}
END_TEST

START_TEST(absurd_virtual_watches_are_refused)
{
    static const struct {
        GVirt start;
        uint64_t len;
        unsigned accesses;
    } cases[] = { { V, 0, R }, { UINT64_MAX, 2, R }, { V, 1, 0 }, { V, 1, 64 } };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(pgm_watch_new_virtual(cpu, cases[_i].start, cases[_i].len,
                                             cases[_i].accesses, false, seen, &eye, &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER));
    ck_assert(!pgm_watch_covers_virtual(cpu, V, R | W | X));
}
END_TEST

/* Virtual before, physical before, the access, physical after, virtual after. */
START_TEST(virtual_watches_enclose_physical_ones)
{
    uint64_t value;

    watch(&eye, V, 4, R, _i == 0);
    other_eye.watch = pgm_watch_new(pgm, P, 4, R, _i == 0, seen, &other_eye, NULL);
    (void)pgm_cpu_bus_read(cpu, V, P, 4, &value);
    ck_assert_uint_eq(eye.order, _i == 0 ? 1 : 2);
    ck_assert_uint_eq(other_eye.order, _i == 0 ? 2 : 1);
    ck_assert(!other_eye.last.by_gva);
}
END_TEST

START_TEST(execution_is_told_by_both_addresses)
{
    watch(&eye, V + 2, 1, X, true);
    other_eye.watch = pgm_watch_new(pgm, P + 2, 1, X, false, seen, &other_eye, NULL);
    pgm_cpu_report_exec_at(cpu, V, P, 2);
    ck_assert_uint_eq(n_told, 0);
    pgm_cpu_report_exec_at(cpu, V, P, 3);
    ck_assert_uint_eq(eye.order, 1);
    ck_assert_uint_eq(other_eye.order, 2);
    ck_assert_uint_eq(eye.last.gva, V);
    ck_assert_int_eq(eye.last.access, X);
    /* Without a virtual address only physical watches hear of it. */
    pgm_cpu_report_exec(cpu, P, 3);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 2);
}
END_TEST

START_TEST(only_that_cpu_is_told_of_watches_come_and_gone)
{
    Told other_told = { 0 };
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &other_told);

    (void)fill(P, R);
    told_reset();
    watch(&eye, V, 4, R, false);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert(!told.executed);
    g_clear_pointer(&eye.watch, pgm_watch_free);
    ck_assert_uint_eq(told.n_all, 2);
    ck_assert_uint_eq(other_told.n_all, 0);
    (void)fill(P, X);
    told_reset();
    watch(&eye, V, 4, X, false);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert(told.executed);
    pgm_cpu_detach(other);
}
END_TEST

START_TEST(virtual_function_may_free_itself)
{
    uint64_t value;

    watch(&eye, V, 4, R, true);
    watch(&other_eye, V, 4, R, false);
    eye.free_self = true;
    (void)pgm_cpu_bus_read(cpu, V, P, 4, &value);
    (void)pgm_cpu_bus_read(cpu, V, P, 4, &value);
    ck_assert_uint_eq(eye.n, 1);
    ck_assert_uint_eq(other_eye.n, 2);
}
END_TEST

START_TEST(watch_outlives_its_cpu)
{
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &told);

    eye.watch = pgm_watch_new_virtual(other, V, 4, R, false, seen, &eye, NULL);
    pgm_cpu_detach(other);
    g_clear_pointer(&eye.watch, pgm_watch_free);
}
END_TEST

/* ---- A20: everything this CPU does, nothing others do */

START_TEST(a20_masks_what_this_cpu_does_alone)
{
    const GPhys one = HIGH + 0x3000, zero = one & ~HIGH;
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &told);
    uint64_t value = 0;
    PgmFill f;

    store(one, 0x11);
    store(zero, 0x22);
    pgm_cpu_set_a20(cpu, false);
    ck_assert_uint_eq(fill(one, R).gpa, zero);
    ck_assert_uint_eq(fill(one, W).id, page_at(zero).id);
    ck_assert_uint_eq(fill(one, X).gpa, zero);
    ck_assert_uint_eq(pgm_cpu_read_u32(cpu, one), 0x22);
    ck_assert_uint_eq(pgm_cpu_read_u64(cpu, one), 0x22);
    ck_assert_int_eq(pgm_cpu_write_u32(cpu, one + 8, 0x33), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, zero + 8), 0x33);
    ck_assert_int_eq(pgm_cpu_write_u64(cpu, one + 16, 0x44), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, zero + 16), 0x44);
    ck_assert_int_eq(pgm_cpu_bus_read(cpu, V, one, 4, &value), MEM_OK);
    ck_assert_uint_eq(value, 0x22);
    ck_assert_int_eq(pgm_cpu_bus_write(cpu, V, one + 24, 4, 0x55), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, zero + 24), 0x55);
    other_eye.watch = pgm_watch_new(pgm, zero, 4, X, true, seen, &other_eye, NULL);
    pgm_cpu_report_exec(cpu, one, 1);
    pgm_cpu_report_exec_at(cpu, V, one, 1);
    ck_assert_uint_eq(other_eye.n, 2);
    /* Devices and another CPU see all bits. */
    ck_assert_uint_eq(pgm_read_u32(pgm, one), 0x11);
    ck_assert_uint_eq(pgm_read_u32(pgm, one + 8), 0);
    ck_assert_uint_eq(pgm_cpu_read_u32(other, one), 0x11);
    pgm_cpu_fill(other, one, R, &f);
    ck_assert_uint_eq(f.gpa, one);
    pgm_cpu_set_a20(cpu, true);
    ck_assert_uint_eq(pgm_cpu_read_u32(cpu, one), 0x11);
    pgm_cpu_detach(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watches by virtual address");
    TCase *tcase = tcase_create("watch-virtual");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, virtual_watch_is_exact_by_bytes, 0, G_N_ELEMENTS(accesses));
    tcase_add_test(tcase, a_read_is_told_before_without_its_value);
    tcase_add_test(tcase, only_that_virtual_address_hits);
    tcase_add_test(tcase, covers_knows_kinds_pages_and_cpus);
    tcase_add_test(tcase, watch_to_the_end_of_all_virtual_addresses);
    tcase_add_loop_test(tcase, absurd_virtual_watches_are_refused, 0, 4);
    tcase_add_loop_test(tcase, virtual_watches_enclose_physical_ones, 0, 2);
    tcase_add_test(tcase, execution_is_told_by_both_addresses);
    tcase_add_test(tcase, only_that_cpu_is_told_of_watches_come_and_gone);
    tcase_add_test(tcase, virtual_function_may_free_itself);
    tcase_add_test(tcase, watch_outlives_its_cpu);
    tcase_add_test(tcase, a20_masks_what_this_cpu_does_alone);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
