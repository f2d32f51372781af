/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random trees of snapshots against full copies: whatever happened since, a restore brings every
 * byte, ballooned page, protection, place, alias and switched-off handler back. Dirty clients see
 * at least what changed. Seeds are printed on failure.
 */
#include "tests/unit/snapshot-fixture.h"

#define MAX_SNAPSHOTS 12u
#define MAX_LOCKS 5u
#define N_CLIENTS 3u

typedef struct Model {
    GRand *rand;
    unsigned seed;
    unsigned step;
    PgmSnapshot *snapshots[MAX_SNAPSHOTS];
    Picture *pictures[MAX_SNAPSHOTS];
    unsigned n;
    PgmMapping locks[MAX_LOCKS];
    unsigned n_locks;
    PgmDirty *clients[N_CLIENTS];
    Picture *clean[N_CLIENTS]; /* as of the last reset */
    Picture *now;
} Model;

static unsigned below(Model *m, unsigned n)
{
    return g_rand_int_range(m->rand, 0, (gint32)n);
}

static GPhys any_page(Model *m)
{
    return RAM + below(m, N_RAM) * PAGE;
}

/* A failed change is none. */
static void change(Model *m, GPhys gpa, MemStatus status)
{
    ck_assert_msg(status == MEM_OK || status == MEM_ERR_NO_MEMORY || status == MEM_ERR_BALLOONED ||
                      status == MEM_ERR_IN_USE || status == MEM_ERR_WRONG_ORDER ||
                      status == MEM_ERR_PAGE_NOT_PRIVATE || status == MEM_ERR_RESERVED ||
                      status == MEM_ERR_CONFLICT || status == MEM_ERR_UNASSIGNED,
                  "seed %u step %u: %s at 0x%lx", m->seed, m->step, mem_status_name(status),
                  (unsigned long)gpa);
}

static void write_some(Model *m)
{
    static const uint8_t zeros[4096];
    GPhys gpa = any_page(m);
    uint32_t value = g_rand_int(m->rand);

    switch (below(m, 6)) {
    case 0:
        change(m, gpa, pgm_write(pgm, gpa, zeros, sizeof zeros, MEM_ORIGIN_DEVICE));
        break;
    case 1:
        change(m, gpa, pgm_poke(pgm, gpa + below(m, 4000), &value, sizeof value));
        break;
    case 2:
        change(m, ROM, pgm_poke(pgm, ROM + below(m, N_ROM) * PAGE, &value, sizeof value));
        break;
    case 3:
        change(m, ROM, pgm_write_u32(pgm, ROM + below(m, N_ROM) * PAGE + 8, value));
        break;
    default:
        change(m, gpa, pgm_write_u32(pgm, gpa + below(m, 1023) * 4, value));
    }
}

static void change_state(Model *m)
{
    GPhys gpa = any_page(m);
    PageId id = pgm_page_id(ram_range->pages[below(m, N_RAM)]);
    GmmPageState state;
    GmmVm *owner;
    GPhys frame;
    uint32_t refs;

    switch (below(m, 5)) {
    case 0:
        change(m, gpa, pgm_balloon_inflate(pgm, &gpa, 1));
        break;
    case 1:
        change(m, gpa, pgm_balloon_deflate(pgm, &gpa, 1));
        break;
    case 2:
        change(m, gpa, pgm_page_share_internal(pgm, gpa));
        break;
    default:
        /* As a scan does between equal pages; here it changes bytes. */
        if (gmm_page_query(gmm, id, &state, &owner, &frame, &refs) && state == GMM_PAGE_SHARED &&
            !pgm_page_locked(ram_range->pages[(gpa - RAM) / PAGE]) &&
            pgm_page_to_zero(ram_range, (gpa - RAM) / PAGE, PGM_RECORD_FRONT) == MEM_OK) {
            pgm_free_flush(pgm);
            pgm_balloon_settle(pgm);
            if (pgm_page_before_change(ram_range, (gpa - RAM) / PAGE, PGM_RECORD_FRONT) == MEM_OK &&
                gmm_page_query(gmm, id, &state, &owner, &frame, &refs) &&
                state == GMM_PAGE_SHARED) {
                change(m, gpa, pgm_page_map_shared_internal(pgm, gpa, id));
            }
        }
    }
}

static void use_device(Model *m)
{
    uint64_t page = below(m, N_FB);
    GPhys place = FB + below(m, 4) * 0x10000;
    uint64_t *dirty = (uint64_t[1]) { 0 };

    switch (below(m, 8)) {
    case 0:
        (void)pgm_mmio2_map(fb, place, NULL);
        break;
    case 1:
        (void)pgm_mmio2_unmap(fb);
        (void)pgm_mmio2_reduce(fb, (1 + below(m, N_FB)) * PAGE);
        break;
    case 2:
        if (below(m, 2)) {
            (void)pgm_mmio_unmap(regs);
        } else {
            (void)pgm_mmio_map(regs, below(m, 2) ? REGS : FB + below(m, 4) * 0x10000, NULL);
        }
        break;
    case 3:
        (void)pgm_mmio_alias(regs, below(m, 4) * PAGE, fb, page * PAGE);
        break;
    case 4:
        pgm_mmio_unalias(regs);
        break;
    case 5:
        (void)pgm_mmio2_set_tracking(fb, below(m, 2));
        (void)pgm_mmio2_query_dirty(fb, dirty, 1);
        break;
    default:
        if (pgm_mmio2_mark_dirty(fb, page * PAGE + 5, 1) == MEM_OK) {
            pgm_mmio2_host(fb)[page * PAGE + 5]++;
        }
    }
}

static void change_layout(Model *m)
{
    if (below(m, 2)) {
        ck_assert_int_eq(pgm_rom_protect(pgm, ROM + below(m, N_ROM) * PAGE, PAGE,
                                         (PgmRomProt)below(m, PGM_N_ROM_PROTS)),
                         MEM_OK);
    } else if (below(m, 2)) {
        ck_assert_int_eq(pgm_handler_page_off(handler, RAM + below(m, 2) * PAGE), MEM_OK);
    } else {
        pgm_handler_reset(handler);
    }
}

static void use_locks(Model *m)
{
    if (m->n_locks < MAX_LOCKS && below(m, 2)) {
        GPhys gpa = below(m, 4) ? any_page(m) : ROM + below(m, N_ROM) * PAGE;
        bool writable = below(m, 2);
        MemStatus status = pgm_map_pages(pgm, &gpa, 1, writable, &m->locks[m->n_locks]);

        change(m, gpa, status);
        m->n_locks += status == MEM_OK;
    } else if (m->n_locks > 0) {
        PgmMapping *lock = &m->locks[below(m, m->n_locks)];

        if (below(m, 2)) {
            pgm_unmap_page(pgm, lock);
            *lock = m->locks[--m->n_locks];
        } else if (lock->writable) {
            lock->host[below(m, 4096)]++;
        }
    }
}

static void collect(const PgmPageRef *page, void *user)
{
    bool *seen = user;
    unsigned n = (unsigned)(page->offset >> MEM_PAGE_SHIFT);

    if (strcmp(page->name, "high") == 0 && n < N_RAM) {
        seen[n] = true;
    } else if (strcmp(page->name, "rom") == 0) {
        seen[(page->shadow ? SHADOW_AT : ROM_AT) + n] = true;
    } else if (strcmp(page->name, "fb") == 0) {
        seen[FB_AT + n] = true;
    }
}

static void check_client(Model *m, unsigned c)
{
    bool seen[N_PICTURED] = { false };

    take_picture(m->now);
    pgm_dirty_foreach(m->clients[c], collect, seen);
    for (unsigned n = 0; n < N_PICTURED; n++) {
        bool changed = memcmp(m->now->bytes[n], m->clean[c]->bytes[n], 4096) != 0 ||
                       m->now->ballooned[n] != m->clean[c]->ballooned[n];

        if (changed && !seen[n]) {
            ck_abort_msg("seed %u step %u: client %u missed page %u", m->seed, m->step, c, n);
        }
    }
    if (below(m, 2)) {
        pgm_dirty_reset(m->clients[c]);
        take_picture(m->clean[c]);
    }
}

static void use_clients(Model *m)
{
    unsigned c = below(m, N_CLIENTS);

    if (!m->clients[c]) {
        m->clients[c] = pgm_dirty_new(pgm, "c", NULL);
        ck_assert_ptr_nonnull(m->clients[c]);
        take_picture(m->clean[c]);
    } else if (below(m, 8) == 0) {
        g_clear_pointer(&m->clients[c], pgm_dirty_free);
    } else {
        check_client(m, c);
    }
}

static void drop_one(Model *m, unsigned i)
{
    pgm_snapshot_drop(m->snapshots[i]);
    m->n--;
    m->snapshots[i] = m->snapshots[m->n];
    Picture *free_one = m->pictures[i];

    m->pictures[i] = m->pictures[m->n];
    m->pictures[m->n] = free_one;
}

static void check_restored(Model *m, unsigned i)
{
    g_autoptr(GString) report = g_string_new(NULL);

    take_picture(m->now);
    const char *where = difference(m->now, m->pictures[i]);
    uint64_t n_bad = pgm_snapshot_check(m->snapshots[i], report);

    ck_assert_msg(!where, "seed %u step %u: %s is not what it was", m->seed, m->step, where);
    ck_assert_msg(n_bad == 0 || n_bad == UINT64_MAX, "seed %u step %u: %s", m->seed, m->step,
                  report->str);
    ck_assert_ptr_eq(pgm_snapshot_current(pgm), m->snapshots[i]);
}

static void use_tree(Model *m)
{
    unsigned what = below(m, 8);

    if (m->n < MAX_SNAPSHOTS && what < 3) {
        take_picture(m->pictures[m->n]);
        m->snapshots[m->n] =
            pgm_snapshot_take(pgm, "s", below(m, 2) ? PGM_SNAPSHOT_CHECKED : 0, NULL);
        m->n += m->snapshots[m->n] != NULL;
    } else if (m->n > 0 && what < 6) {
        unsigned i = below(m, m->n);

        pgm_snapshot_restore(m->snapshots[i]);
        check_restored(m, i);
    } else if (m->n > 0) {
        drop_one(m, below(m, m->n));
    }
}

static void step(Model *m)
{
    switch (below(m, 20)) {
    case 0:
    case 1:
        use_tree(m);
        break;
    case 2:
    case 3:
    case 4:
        change_state(m);
        break;
    case 5:
        use_device(m);
        break;
    case 6:
        change_layout(m);
        break;
    case 7:
    case 8:
        use_locks(m);
        break;
    case 9:
        use_clients(m);
        break;
    case 10:
        if (below(m, 30) == 0) {
            pgm_reset(pgm);
        }
        break;
    case 11:
        if (below(m, 10) == 0) {
            (void)pgm_snapshot_set_limit(pgm, below(m, 3) ? UINT64_MAX : below(m, 100));
        }
        break;
    default:
        write_some(m);
    }
}

static void check_step(Model *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n = pgm_verify(pgm, report) + gmm_verify(gmm, report);

    ck_assert_msg(n == 0, "seed %u step %u: %s", m->seed, m->step, report->str);
}

static void run(unsigned seed, unsigned n_steps)
{
    Model m = { .rand = g_rand_new_with_seed(seed), .seed = seed, .now = g_new0(Picture, 1) };

    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        m.pictures[i] = g_new0(Picture, 1);
    }
    for (unsigned c = 0; c < N_CLIENTS; c++) {
        m.clean[c] = g_new0(Picture, 1);
    }
    for (; m.step < n_steps; m.step++) {
        step(&m);
        if (m.step % 8 == 0) {
            check_step(&m);
        }
    }
    while (m.n_locks > 0) {
        pgm_unmap_page(pgm, &m.locks[--m.n_locks]);
    }
    while (m.n > 0) {
        drop_one(&m, below(&m, m.n));
        check_step(&m);
    }
    ck_assert_uint_eq(numbers().n_entries + numbers().n_saved + numbers().n_stock, 0);
    for (unsigned c = 0; c < N_CLIENTS; c++) {
        pgm_dirty_free(m.clients[c]);
        g_free(m.clean[c]);
    }
    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        g_free(m.pictures[i]);
    }
    g_free(m.now);
    g_rand_free(m.rand);
}

START_TEST(random_trees_bring_everything_back)
{
    run(20261122u + (unsigned)_i, 3000);
}
END_TEST

static void setup_no_overcommit(void)
{
    snapshot_setup_with(&(PgmConfig) { .policy = GMM_NO_OVERCOMMIT });
}

START_TEST(likewise_with_everything_reserved)
{
    run(7u + (unsigned)_i, 3000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot model");
    TCase *tcase = tcase_create("overcommit");
    TCase *reserved = tcase_create("reserved");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, random_trees_bring_everything_back, 0, 12);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(reserved, setup_no_overcommit, snapshot_teardown);
    tcase_set_timeout(reserved, 60);
    tcase_add_loop_test(reserved, likewise_with_everything_reserved, 0, 6);
    suite_add_tcase(suite, reserved);
    return run_suite(suite);
}
