/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU port: what a fill answers in every state, executed pages, A20, several CPUs; and a CPU
 * that caches answers for as long as it may, compared with memory after every operation.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)
#define R MEM_ACCESS_READ
#define W MEM_ACCESS_WRITE
#define X MEM_ACCESS_EXEC

#define ZERO PGM_PAGE_ZERO
#define ALLOC PGM_PAGE_ALLOCATED
#define MONI PGM_PAGE_WRITE_MONITORED
#define SHAR PGM_PAGE_SHARED
#define BALL PGM_PAGE_BALLOONED

static void put(GPhys gpa, PgmPageState state)
{
    if (state == BALL) {
        ck_assert_int_eq(pgm_page_balloon_internal(pgm, gpa, true), MEM_OK);
    } else if (state != ZERO) {
        store(gpa, 0x5a5a5a5a);
    }
    if (state == MONI) {
        ck_assert_int_eq(pgm_page_monitor_internal(pgm, gpa), MEM_OK);
    } else if (state == SHAR) {
        ck_assert_int_eq(pgm_page_share_internal(pgm, gpa), MEM_OK);
    }
}

static const struct {
    PgmPageState state;
    bool executed;
    MemAccess access;
    PgmFillKind kind;
    unsigned perms;
    PgmPageState after;
} fills[] = {
    { ZERO, false, R, PGM_FILL_DIRECT, R, ZERO },
    { ZERO, false, W, PGM_FILL_DIRECT, R | W, ALLOC },
    { ZERO, false, X, PGM_FILL_DIRECT, R | X, ZERO },
    { ZERO, true, R, PGM_FILL_DIRECT, R | X, ZERO },
    { ZERO, true, W, PGM_FILL_DIRECT, R | W, ALLOC }, /* the new page was never executed */
    { ALLOC, false, R, PGM_FILL_DIRECT, R | W, ALLOC },
    { ALLOC, false, W, PGM_FILL_DIRECT, R | W, ALLOC },
    { ALLOC, false, X, PGM_FILL_DIRECT, R | W | X, ALLOC },
    { ALLOC, true, R, PGM_FILL_DIRECT, R | W | X, ALLOC },
    { ALLOC, true, W, PGM_FILL_DIRECT, R | W | X, ALLOC },
    { ALLOC, true, X, PGM_FILL_DIRECT, R | W | X, ALLOC },
    { MONI, false, R, PGM_FILL_DIRECT, R, MONI },
    { MONI, false, W, PGM_FILL_DIRECT, R | W, ALLOC },
    { MONI, false, X, PGM_FILL_DIRECT, R | X, MONI },
    { MONI, true, W, PGM_FILL_DIRECT, R | W | X, ALLOC },
    { SHAR, false, R, PGM_FILL_DIRECT, R, SHAR },
    { SHAR, false, W, PGM_FILL_DIRECT, R | W, ALLOC },
    { SHAR, true, R, PGM_FILL_DIRECT, R | X, SHAR },
    { SHAR, true, W, PGM_FILL_DIRECT, R | W | X, ALLOC }, /* nobody else has it: the same page */
    { BALL, false, R, PGM_FILL_DIRECT, R, BALL },
    { BALL, false, W, PGM_FILL_CATCH, W, BALL },
    { BALL, false, X, PGM_FILL_DIRECT, R | X, BALL },
};

START_TEST(fill_answers_by_state)
{
    put(P, fills[_i].state);
    if (fills[_i].executed) {
        ck_assert(fill(P, X).flush);
    }
    PgmFill f = fill(P + 123, fills[_i].access);
    PgmPageInfo info = page_at(P);

    ck_assert_int_eq(f.kind, fills[_i].kind);
    ck_assert_uint_eq(f.perms, fills[_i].perms);
    ck_assert_uint_eq(f.gpa, P);
    ck_assert_int_eq(info.state, fills[_i].after);
    ck_assert_int_eq(f.flush, fills[_i].access == X && !fills[_i].executed);
    ck_assert(!f.watched && !f.exec_watched);
    if (f.kind == PGM_FILL_DIRECT) {
        ck_assert_uint_eq(f.id, info.id);
    }
    ck_assert_int_eq(info.executed, (f.perms & X) != 0);
    check_sound();
}
END_TEST

START_TEST(nowhere_is_unassigned)
{
    for (unsigned access = 1; access <= 4; access *= 2) {
        PgmFill f = fill(ABOVE + 8, (MemAccess)access);

        ck_assert_int_eq(f.kind, PGM_FILL_UNASSIGNED);
        ck_assert_uint_eq(f.perms, R | W);
        ck_assert_uint_eq(f.gpa, ABOVE);
    }
    ck_assert_int_eq(fill(UINT64_MAX, R).kind, PGM_FILL_UNASSIGNED);
    ck_assert_uint_eq(stats().cpu_fills, 4);
    ck_assert_uint_eq(stats().cpu_fills_catch, 0);
}
END_TEST

static void ignore_watch(Pgm *p, const PgmWatchHit *hit, void *user)
{
    (void)p;
    (void)hit;
    (void)user;
}

START_TEST(inert_devices_need_no_instruction_but_watches_do)
{
    const PgmMmioOps ops = { .inert = true };
    PgmMmio *inert = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "vga", "window", NULL);
    PgmMmio *other = pgm_mmio_new(pgm, PAGE, &(PgmMmioOps) { 0 }, NULL, "vga", "bar", NULL);

    ck_assert_int_eq(pgm_mmio_map(inert, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(other, ABOVE + 2 * PAGE, NULL), MEM_OK);
    for (unsigned access = R; access <= W; access *= 2) {
        PgmFill f = fill(ABOVE, (MemAccess)access);

        ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
        ck_assert(f.inert);
        ck_assert(!fill(ABOVE + 2 * PAGE, (MemAccess)access).inert);
        ck_assert(!fill(P, (MemAccess)access).inert);
    }
    PgmWatch *watch = pgm_watch_new(pgm, ABOVE + 8, 4, W, false, ignore_watch, NULL, NULL);

    ck_assert(!fill(ABOVE, R).inert);
    ck_assert(fill(ABOVE + PAGE, W).inert);
    pgm_watch_free(watch);
    ck_assert(fill(ABOVE, W).inert);
}
END_TEST

START_TEST(executed_is_a_matter_of_the_host_page)
{
    put(P, ALLOC);
    PageId id = fill(P, X).id;

    ck_assert(pgm_page_executed(pgm, id));
    ck_assert(!pgm_page_executed(pgm, id + 1));
    ck_assert(!pgm_page_executed(pgm, UINT32_MAX));
    ck_assert_uint_eq(stats().code_pages, 1);
    ck_assert(!fill(P, X).flush);
    ck_assert_uint_eq(stats().code_pages, 1);
    pgm_forget_executed(pgm);
    ck_assert(!pgm_page_executed(pgm, id));
    ck_assert_uint_eq(fill(P, R).perms, R | W);
    ck_assert(fill(P, X).flush);
    fake_os_fail(FAKE_DISCARD, 1, 9);
    pgm_forget_executed(pgm);
    ck_assert(!pgm_page_executed(pgm, id));
    pgm_forget_executed(pgm);
}
END_TEST

START_TEST(one_page_can_be_forgotten)
{
    put(P, ALLOC);
    put(P + PAGE, ALLOC);
    PageId id = fill(P, X).id;
    PageId next = fill(P + PAGE, X).id;

    told_reset();
    pgm_forget_executed_page(pgm, id);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    ck_assert_uint_eq(told.code_len, PAGE);
    ck_assert(!pgm_page_executed(pgm, id));
    ck_assert(pgm_page_executed(pgm, next));
    store(P, 1);
    pgm_forget_executed_page(pgm, id);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert(fill(P, X).flush);
}
END_TEST

START_TEST(fetch_from_a_zero_page_then_store)
{
    PgmFill f = fill(P, X);

    ck_assert_uint_eq(f.id, MEM_ZERO_PAGE_ID);
    told_reset();
    PgmFill g = fill(P, W);

    ck_assert_uint_ne(g.id, MEM_ZERO_PAGE_ID);
    ck_assert_uint_eq(told.n_pages, 1); /* aliases of the page in this CPU's own space */
    ck_assert(told.executed);
    ck_assert_uint_eq(told.n_code, 0); /* zeros are still zeros */
    ck_assert(pgm_page_executed(pgm, MEM_ZERO_PAGE_ID));
}
END_TEST

/* ---- A20 */

START_TEST(a20_masks_this_cpu_and_nobody_else)
{
    Told other_told = { 0 };
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &other_told);

    store(LOW + 16, 0x11);
    store(HIGH + 16, 0x22);
    ck_assert(pgm_cpu_a20(cpu));
    pgm_cpu_set_a20(cpu, true);
    ck_assert(told_nothing());
    pgm_cpu_set_a20(cpu, false);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert_uint_eq(other_told.n_all, 0);
    ck_assert(!pgm_cpu_a20(cpu));
    ck_assert_uint_eq(pgm_cpu_mask(cpu, HIGH + 16), LOW + 16);
    ck_assert_uint_eq(pgm_cpu_mask(cpu, 0x345678), 0x245678);
    ck_assert_uint_eq(fill(HIGH, R).gpa, LOW);
    ck_assert_uint_eq(fill(HIGH, R).id, page_at(LOW).id);
    ck_assert_uint_eq(pgm_cpu_read_u32(cpu, HIGH + 16), 0x11);
    ck_assert_uint_eq(pgm_cpu_read_u64(cpu, HIGH + 16), 0x11);
    ck_assert_int_eq(pgm_cpu_write_u32(cpu, HIGH + 16, 0x33), MEM_OK);
    ck_assert_int_eq(pgm_cpu_write_u64(cpu, HIGH + 24, 0x44), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, LOW + 16), 0x33);
    ck_assert_uint_eq(pgm_read_u64(pgm, LOW + 24), 0x44);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 16), 0x22); /* a device sees all lines */
    ck_assert_uint_eq(pgm_cpu_read_u32(other, HIGH + 16), 0x22);
    pgm_cpu_set_a20(cpu, true);
    ck_assert_uint_eq(told.n_all, 2);
    ck_assert_uint_eq(pgm_cpu_read_u32(cpu, HIGH + 16), 0x22);
    pgm_cpu_detach(other);
}
END_TEST

/* ---- several CPUs */

START_TEST(all_cpus_are_told_until_they_leave)
{
    Told other_told = { 0 };
    PgmCpu *other = pgm_cpu_attach(pgm, &fixture_callbacks, &other_told);

    ck_assert_ptr_eq(pgm_cpu_pgm(other), pgm);
    (void)fill(P, R);
    store(P, 1);
    ck_assert_uint_eq(told.n_pages, 1);
    ck_assert_uint_eq(other_told.n_pages, 1);
    /* Code that one CPU found: entries of the other lack X and go; its own go by the answer. */
    (void)fill(P, X);
    ck_assert_uint_eq(told.n_all, 0);
    ck_assert_uint_eq(other_told.n_all, 1);
    ck_assert(!other_told.executed); /* nothing that ran has changed */
    store(P, 2);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(other_told.n_code, 1);
    pgm_cpu_detach(other);
    store(P, 3);
    ck_assert_uint_eq(told.n_code, 2);
    ck_assert_uint_eq(other_told.n_code, 1);
    pgm_cpu_detach(NULL);
}
END_TEST

START_TEST(callbacks_may_be_missing)
{
    static const PgmCpuCallbacks none = { 0 };
    PgmCpu *deaf = pgm_cpu_attach(pgm, &none, NULL);
    PgmFill f;

    pgm_cpu_fill(deaf, P, R, &f);
    store(P, 1);
    pgm_cpu_fill(deaf, P, X, &f);
    store(P, 2);
    (void)fill(P, X);
    pgm_cpu_set_a20(deaf, false);
    pgm_reset(pgm);
    pgm_cpu_detach(deaf);
}
END_TEST

/* ---- a CPU that keeps what it was answered */

/*
 * Answers kept by guest page until a callback drops them. After each random operation every kept
 * answer must be what memory does: a readable one shows the same bytes, a writable one reaches the
 * page, a page that is executed is not stored to without X.
 */
#define N_KEPT 64u
#define KEPT_BASE (HIGH)

static PgmFill kept[N_KEPT];

static void drop_page(void *user, GPhys gpa, bool executed)
{
    (void)user;
    (void)executed;
    if (gpa >= KEPT_BASE && gpa < KEPT_BASE + N_KEPT * PAGE) {
        kept[(gpa - KEPT_BASE) / PAGE].perms = 0;
    }
}

static void drop_all(void *user, bool executed)
{
    (void)user;
    (void)executed;
    memset(kept, 0, sizeof kept);
}

static void check_kept(unsigned step)
{
    for (unsigned i = 0; i < N_KEPT; i++) {
        GPhys gpa = KEPT_BASE + i * PAGE;
        const PgmFill *f = &kept[i];

        if (f->perms == 0 || f->kind != PGM_FILL_DIRECT) {
            continue;
        }
        PgmPageInfo info = page_at(gpa);
        bool right =
            f->id == info.id &&
            (!(f->perms & W) || (info.state == ALLOC && info.handler < PGM_HANDLER_WRITE)) &&
            (!(f->perms & X) || info.executed) &&
            (!(f->perms & W) || (f->perms & X) || !info.executed) &&
            !pgm_watch_covers_page(pgm, gpa, f->perms & (R | W));

        if (!right) {
            g_autofree char *text = pgm_describe(pgm, gpa);

            ck_abort_msg("step %u: kept id 0x%x perms %u of page %u: %s", step, f->id, f->perms, i,
                         text);
        }
    }
}

static PgmHandlerResult pass_on(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static void ignore_hit(Pgm *from, const PgmWatchHit *hit, void *user)
{
    (void)from;
    (void)hit;
    (void)user;
}

static void random_operation(GRand *rand, PgmHandler **handler, PgmWatch **watch, PgmMmio2 *vram,
                             PgmMmio *window)
{
    unsigned page = (unsigned)g_rand_int_range(rand, 0, N_KEPT);
    GPhys gpa = KEPT_BASE + page * PAGE;
    uint32_t value = g_rand_int(rand);
    MemAccess access = (MemAccess)(1u << g_rand_int_range(rand, 0, 3));

    switch (g_rand_int_range(rand, 0, 20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: {
        PgmFill f = fill(gpa, access);

        if (f.flush) {
            drop_all(NULL, true);
        }
        kept[page] = f;
        break;
    }
    case 6:
    case 7:
        (void)pgm_write_u32(pgm, gpa + 8, value);
        break;
    case 8:
        (void)pgm_write(pgm, gpa - 8 * (page > 0), &value, 4, MEM_ORIGIN_DEVICE);
        break;
    case 9:
        (void)pgm_page_monitor_internal(pgm, gpa);
        break;
    case 10:
        (void)pgm_page_share_internal(pgm, gpa);
        break;
    case 11:
        (void)pgm_page_balloon_internal(pgm, gpa, value & 1);
        break;
    case 12:
        g_clear_pointer(handler, pgm_handler_free);
        *handler = pgm_handler_new(pgm, (value & 1) ? PGM_HANDLER_KIND_ALL : PGM_HANDLER_KIND_WRITE,
                                   gpa, PAGE, pass_on, NULL, "random", NULL);
        break;
    case 13:
        if (*handler) {
            (void)pgm_handler_page_off(*handler, gpa);
        }
        break;
    case 14:
        g_clear_pointer(watch, pgm_watch_free);
        *watch = pgm_watch_new(pgm, gpa, (value & 8) ? 10 * PAGE : 4, 1 + (value % 3), false,
                               ignore_hit, NULL, NULL);
        break;
    case 15:
        (void)pgm_mmio2_map(vram, gpa, NULL);
        break;
    case 16:
        (void)((value & 1) ? pgm_mmio2_unmap(vram) : pgm_mmio2_query_dirty(vram, NULL, 1));
        break;
    case 17:
        (void)((value & 1) ? pgm_mmio_map(window, gpa, NULL) : pgm_mmio_unmap(window));
        break;
    case 18:
        (void)pgm_mmio_alias(window, PAGE, vram, (value & 3) * PAGE);
        break;
    default:
        if ((value & 31) == 0) {
            pgm_reset(pgm);
        } else if ((value & 31) == 1) {
            pgm_monitor_all_internal(pgm);
        }
        break;
    }
}

START_TEST(kept_answers_stay_right_until_told)
{
    static const PgmCpuCallbacks keeper = { drop_page, drop_all, NULL };
    static const PgmMmioOps ops = { .max_size = 4 };
    PgmHandler *handler = NULL;
    PgmWatch *watch = NULL;
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, 4 * PAGE, true, "vram", NULL);
    PgmMmio *window = pgm_mmio_new(pgm, 3 * PAGE, &ops, NULL, "vga", "window", NULL);
    GRand *rand = g_rand_new_with_seed(1000 + (guint32)_i);

    pgm_cpu_detach(cpu);
    cpu = pgm_cpu_attach(pgm, &keeper, NULL);
    memset(kept, 0, sizeof kept);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(window, KEPT_BASE, NULL), MEM_OK);
    for (unsigned step = 0; step < 4000; step++) {
        random_operation(rand, &handler, &watch, vram, window);
        check_kept(step);
        if (step % 100 == 0) {
            check_sound();
        }
    }
    g_clear_pointer(&handler, pgm_handler_free);
    g_clear_pointer(&watch, pgm_watch_free);
    g_rand_free(rand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpu-port");
    TCase *tcase = tcase_create("cpu-port");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_loop_test(tcase, fill_answers_by_state, 0, G_N_ELEMENTS(fills));
    tcase_add_test(tcase, nowhere_is_unassigned);
    tcase_add_test(tcase, inert_devices_need_no_instruction_but_watches_do);
    tcase_add_test(tcase, executed_is_a_matter_of_the_host_page);
    tcase_add_test(tcase, one_page_can_be_forgotten);
    tcase_add_test(tcase, fetch_from_a_zero_page_then_store);
    tcase_add_test(tcase, a20_masks_this_cpu_and_nobody_else);
    tcase_add_test(tcase, all_cpus_are_told_until_they_leave);
    tcase_add_test(tcase, callbacks_may_be_missing);
    tcase_add_loop_test(tcase, kept_answers_stay_right_until_told, 0, 20);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
