/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots, one rule a test: every state of a page with every event after the snapshot, the tree,
 * limits, and that a restore needs nothing from anybody. Random trees are in test-snapshot-model.c.
 */
#include "tests/unit/snapshot-fixture.h"

#define P (RAM + 5 * PAGE)
#define Q (RAM + 6 * PAGE)

static Picture was, is;

static void check_is(const Picture *want)
{
    take_picture(&is);
    const char *where = difference(&is, want);

    ck_assert_msg(!where, "%s is not what it was", where);
    check_sound();
}

/* ---- states and events */

typedef enum Before { ZERO, ALLOC, SHARED, BALLOONED, N_BEFORE } Before;

static void make(Before state, GPhys gpa)
{
    if (state == ALLOC || state == SHARED) {
        store(gpa + 64, 0x1234);
    }
    if (state == SHARED) {
        ck_assert_int_eq(pgm_page_share_internal(pgm, gpa), MEM_OK);
    }
    if (state == BALLOONED) {
        ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    }
}

static void do_write(void)
{
    (void)pgm_write_u32(pgm, P, 1);
}
static void do_poke(void)
{
    (void)pgm_poke(pgm, P + 100, "abc", 3);
}
static void do_inflate(void)
{
    GPhys gpa = P;

    (void)pgm_balloon_inflate(pgm, &gpa, 1);
}
static void do_deflate(void)
{
    GPhys gpa = P;

    (void)pgm_balloon_deflate(pgm, &gpa, 1);
}
static void do_deflate_and_write(void)
{
    do_deflate();
    do_write();
}
static void do_share(void)
{
    (void)pgm_page_share_internal(pgm, P);
}
static void do_write_and_share(void)
{
    do_write();
    do_share();
}
static void do_write_share_write(void)
{
    do_write_and_share();
    (void)pgm_write_u32(pgm, P, 2);
}
static void do_write_and_inflate(void)
{
    do_write();
    do_inflate();
}
static void do_reset(void)
{
    pgm_reset(pgm);
}
static void do_write_and_reset(void)
{
    do_write();
    do_reset();
}
static void do_lock_and_write(void)
{
    PgmMapping mapping;

    if (pgm_map_page(pgm, P, &mapping) == MEM_OK) {
        memset(mapping.host, 0xee, 4096);
        pgm_unmap_page(pgm, &mapping);
    }
}
static void do_nothing(void)
{
}

static void (*const events[])(void) = {
    do_nothing,
    do_write,
    do_poke,
    do_inflate,
    do_deflate,
    do_share,
    do_write_and_share,
    do_write_share_write,
    do_write_and_inflate,
    do_reset,
    do_write_and_reset,
    do_lock_and_write,
    do_deflate_and_write,
};

#define N_PAIRS (N_BEFORE * (int)G_N_ELEMENTS(events))

/* The page, and one beside it that nothing happens to. */
START_TEST(restore_undoes_each_event_in_each_state)
{
    make((Before)(_i % N_BEFORE), P);
    make((Before)(_i % N_BEFORE), Q);
    take_picture(&was);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);
    PgmPageState q_state = page_at(Q).state;

    for (unsigned round = 0; round < 3; round++) {
        events[_i / N_BEFORE]();
        check_sound();
        if (events[_i / N_BEFORE] != do_reset && events[_i / N_BEFORE] != do_write_and_reset) {
            ck_assert_int_eq(page_at(Q).state, q_state);
        }
        pgm_snapshot_restore(snapshot);
        check_is(&was);
        ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
        ck_assert_uint_eq(numbers().n_live, 0);
    }
    pgm_snapshot_drop(snapshot);
    check_sound();
}
END_TEST

/* Between two snapshots, forth and back. */
START_TEST(events_on_an_edge_go_forth_and_back)
{
    Picture *then = g_new0(Picture, 1);

    make((Before)(_i % N_BEFORE), P);
    take_picture(&was);
    PgmSnapshot *a = take(PGM_SNAPSHOT_CHECKED);

    events[_i / N_BEFORE]();
    take_picture(then);
    PgmSnapshot *b = take(PGM_SNAPSHOT_CHECKED);

    for (unsigned round = 0; round < 2; round++) {
        do_write();
        pgm_snapshot_restore(a);
        check_is(&was);
        pgm_snapshot_restore(b);
        check_is(then);
        ck_assert_uint_eq(pgm_snapshot_check(b, NULL), 0);
    }
    pgm_snapshot_drop(a);
    check_is(then);
    do_write();
    pgm_snapshot_restore(b);
    check_is(then);
    g_free(then);
}
END_TEST

/* ---- other kinds of memory, and the layout */

START_TEST(rom_shadow_and_device_memory_come_back)
{
    take_picture(&was);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_int_eq(pgm_poke(pgm, ROM, "abc", 3), MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, 2 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(ROM + PAGE, 77);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(fb, 0, 5000), MEM_OK);
    memset(pgm_mmio2_host(fb), 3, 5000);
    store(FB + 5 * PAGE, 8);
    ck_assert_int_eq(pgm_mmio_alias(regs, PAGE, fb, 6 * PAGE), MEM_OK);
    store(REGS + PAGE, 9);
    ck_assert_uint_ne(pgm_snapshot_check(snapshot, NULL), 0);
    pgm_snapshot_restore(snapshot);
    check_is(&was);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
}
END_TEST

START_TEST(layout_comes_back)
{
    ck_assert_int_eq(pgm_mmio_alias(regs, 0, fb, PAGE), MEM_OK);
    ck_assert_int_eq(pgm_handler_page_off(handler, RAM), MEM_OK);
    take_picture(&was);
    PgmSnapshot *snapshot = take(0);

    /* They trade places, and something new comes in the way. */
    ck_assert_int_eq(pgm_mmio2_unmap(fb), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(regs, FB, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_reduce(fb, 2 * PAGE), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(fb, REGS, NULL), MEM_OK);
    PgmMmio2 *late = pgm_mmio2_new(pgm, "t", 5, PAGE, false, "late", NULL);

    ck_assert_int_eq(pgm_mmio2_map(late, FB + 6 * PAGE, NULL), MEM_OK);
    pgm_handler_reset(handler);
    ck_assert_int_eq(pgm_handler_page_off(handler, RAM + PAGE), MEM_OK);
    pgm_snapshot_restore(snapshot);
    check_is(&was);
    ck_assert_uint_eq(pgm_mmio2_address(late), MEM_GPHYS_NIL);
    pgm_mmio2_free(late);
    check_sound();
}
END_TEST

START_TEST(rom_in_the_way_of_a_restore_loses_its_place)
{
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, "s", 0, NULL);
    PgmRangeInfo info;

    ck_assert_int_eq(pgm_mmio2_unmap(fb), MEM_OK);
    ck_assert_int_eq(
        pgm_rom_register(pgm, FB + PAGE, PAGE, NULL, 0, 0xee, 0, "t", "in the way", NULL), MEM_OK);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_mmio2_address(fb), FB);
    ck_assert_uint_eq(pgm_read_u8(pgm, FB + PAGE), 0);
    for (unsigned i = 0; pgm_range_get(pgm, i, &info); i++) {
        ck_assert_str_ne(info.description, "in the way");
    }
    ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);
    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
}
END_TEST

/* What came after a snapshot stays when it is restored, and the next snapshot knows it. */
START_TEST(snapshot_after_a_restore_knows_ranges_and_handlers_that_came_between)
{
    PgmSnapshot *first = pgm_snapshot_take(pgm, "first", 0, NULL);
    GPhys at = ROM + 64 * PAGE;
    PgmRomProt prot;

    ck_assert_int_eq(
        pgm_rom_register(pgm, at, PAGE, NULL, 0, 0xee, PGM_ROM_FLAG_SHADOWED, "t", "late", NULL),
        MEM_OK);
    PgmHandler *late = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, RAM + 4 * PAGE, PAGE,
                                       let_through, NULL, "late", NULL);

    pgm_snapshot_restore(first);
    PgmSnapshot *second = pgm_snapshot_take(pgm, "second", 0, NULL);

    ck_assert_int_eq(pgm_rom_protect(pgm, at, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    ck_assert_int_eq(pgm_handler_page_off(late, RAM + 4 * PAGE), MEM_OK);
    pgm_snapshot_restore(second);
    ck_assert(pgm_rom_get_protection(pgm, at, &prot));
    ck_assert_int_eq(prot, PGM_ROM_READ_ROM_WRITE_IGNORE);
    ck_assert_int_eq(pgm_page_handler(ram_range->pages[4]), PGM_HANDLER_WRITE);
    pgm_handler_free(late);
}
END_TEST

START_TEST(typed_tlb_and_cpu_see_restored_memory)
{
    store(P, 1);
    PgmSnapshot *snapshot = take(0);

    store(P, 2);
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_DIRECT);
    told_reset();
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(told.n_all, 1); /* all in one */
    ck_assert_uint_eq(told.n_pages, 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    ck_assert_uint_eq(fill(P, MEM_ACCESS_READ).perms & MEM_ACCESS_WRITE, 0);
}
END_TEST

START_TEST(code_of_restored_pages_is_told_and_only_that)
{
    store(P, 1);
    store(Q, 1);
    (void)fill(P, MEM_ACCESS_EXEC);
    PgmSnapshot *snapshot = take(0);

    store(P, 2);
    store(Q, 2);
    (void)fill(Q, MEM_ACCESS_READ);
    told_reset();
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, page_at(P).id);
    ck_assert(!told.executed); /* no other code is thrown away */
}
END_TEST

/* ---- locked pages */

START_TEST(locked_page_keeps_its_place_and_gets_the_bytes)
{
    PgmMapping early, late;

    store(P, 1);
    ck_assert_int_eq(pgm_map_page(pgm, P, &early), MEM_OK);
    uint8_t *host = early.host;
    PgmSnapshot *a = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_uint_eq(numbers().n_live, 1); /* at once */
    host[0] = 2;
    PgmSnapshot *b = take(PGM_SNAPSHOT_CHECKED);

    host[0] = 3;
    ck_assert_int_eq(pgm_map_page(pgm, Q, &late), MEM_OK); /* was ZERO */
    late.host[7] = 7;
    PgmSnapshot *c = take(PGM_SNAPSHOT_CHECKED);

    pgm_snapshot_restore(a);
    ck_assert_uint_eq(host[0], 1);
    ck_assert_uint_eq(late.host[7], 0);
    ck_assert_ptr_eq(pgm_host(pgm, page_at(P).id), host);
    ck_assert_uint_eq(pgm_snapshot_check(a, NULL), 0);
    check_sound();
    pgm_snapshot_restore(c);
    ck_assert_uint_eq(host[0], 3);
    ck_assert_uint_eq(late.host[7], 7);
    pgm_snapshot_restore(b);
    ck_assert_uint_eq(host[0], 2);
    ck_assert_uint_eq(late.host[7], 0);
    ck_assert_ptr_eq(pgm_host(pgm, page_at(Q).id), late.host);
    host[0] = 9; /* nobody sees it */
    pgm_snapshot_restore(b);
    ck_assert_uint_eq(host[0], 2);
    pgm_unmap_page(pgm, &early);
    pgm_unmap_page(pgm, &late);
    pgm_snapshot_restore(a);
    pgm_snapshot_restore(b);
    ck_assert_uint_eq(pgm_snapshot_check(b, NULL), 0);
    check_sound();
}
END_TEST

/* ---- dropping */

static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                       { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

/* A chain a - b - c and a branch a - d; the machine at @at; three go in every order. */
START_TEST(snapshots_go_in_any_order)
{
    PgmSnapshot *all[4];
    Picture *pictures = g_new0(Picture, 4);

    for (unsigned i = 0; i < 4; i++) {
        if (i == 3) {
            pgm_snapshot_restore(all[0]);
        }
        store(P + i * PAGE, i + 1);
        store(P, 10 + i);
        take_picture(&pictures[i]);
        all[i] = take(PGM_SNAPSHOT_CHECKED);
    }
    unsigned at = (unsigned)_i % 4;
    unsigned kept = (unsigned)_i / 4 % 4;
    const unsigned *order = orders[_i / 16];

    pgm_snapshot_restore(all[at]);
    store(P, 99);
    for (unsigned i = 0; i < 3; i++) {
        pgm_snapshot_drop(all[order[i] + (order[i] >= kept)]);
        ck_assert_uint_eq(pgm_read_u32(pgm, P), 99);
        check_sound();
        pgm_snapshot_restore(all[kept]);
        check_is(&pictures[kept]);
        store(P, 99);
    }
    ck_assert_uint_eq(numbers().n_snapshots, 1);
    pgm_snapshot_drop(all[kept]);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 99);
    ck_assert_ptr_null(pgm_snapshot_current(pgm));
    ck_assert_uint_eq(numbers().n_entries | numbers().n_saved | numbers().n_stock, 0);
    g_free(pictures);
}
END_TEST

START_TEST(dropped_current_leaves_its_parent_current)
{
    PgmSnapshot *a = take(0);

    store(P, 1);
    PgmSnapshot *b = take(0);

    store(P, 2);
    store(Q, 2);
    ck_assert_ptr_eq(pgm_snapshot_current(pgm), b);
    ck_assert_str_eq(pgm_snapshot_name(b), "s");
    pgm_snapshot_drop(b);
    ck_assert_ptr_eq(pgm_snapshot_current(pgm), a);
    ck_assert_uint_eq(numbers().n_live, 2);
    pgm_snapshot_drop(NULL);
    pgm_snapshot_restore(a);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    check_sound();
}
END_TEST

/* ---- limits and memory */

START_TEST(write_without_an_entry_to_be_had_stops_and_can_go_on)
{
    store(P, 1);
    store(Q, 1);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 1), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    store(P, 2);
    ck_assert_int_eq(pgm_write_u32(pgm, Q, 2), MEM_ERR_NO_MEMORY);
    ck_assert_int_eq(pgm_write_u32(pgm, Q + PAGE, 2), MEM_ERR_NO_MEMORY); /* ZERO */
    ck_assert_uint_eq(pgm_read_u32(pgm, Q), 1);
    GPhys gpa = Q;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_ERR_NO_MEMORY);
    ck_assert_int_eq(fill(Q, MEM_ACCESS_WRITE).kind, PGM_FILL_NO_MEMORY);
    store(P, 3); /* has its entry */
    check_sound();
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 2), MEM_OK);
    store(Q, 2);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 0), MEM_OK);
    ck_assert_uint_eq(numbers().n_entries, 2);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_read_u32(pgm, P) + pgm_read_u32(pgm, Q), 2);
}
END_TEST

START_TEST(write_without_a_host_page_stops_and_can_go_on)
{
    GmmStats now;

    store(P, 1);
    PgmSnapshot *snapshot = take(0);

    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 2), MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    check_sound();
    gmm_set_limit(gmm, PLENTY);
    store(P, 2);
    gmm_set_limit(gmm, 0);
    pgm_snapshot_restore(snapshot); /* needs nothing */
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    ck_assert_uint_eq(numbers().n_saved, 0);
    store(P, 3); /* from the stock */
}
END_TEST

/* Each page of a row in turn: ZERO, written, shared, ballooned. */
static void scatter(uint32_t value)
{
    for (unsigned i = 8; i < N_RAM; i++) {
        GPhys gpa = RAM + i * PAGE;

        (void)pgm_balloon_deflate(pgm, &gpa, 1);
        store(gpa, value);
        if ((i + value) % 4 == 1) {
            ck_assert_int_eq(pgm_page_share_internal(pgm, gpa), MEM_OK);
        } else if ((i + value) % 4 == 2) {
            ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
        }
    }
}

START_TEST(loop_of_take_run_and_restore_needs_nothing_from_host_or_gmm)
{
    store(P, 1);
    PgmSnapshot *root = take(0);

    for (unsigned round = 0; round < 50; round++) {
        if (round == 5) {
            fake_os_heal();
            gmm_set_limit(gmm, 0);
        }
        for (unsigned i = 4; i < N_RAM; i++) {
            store(RAM + i * PAGE, round);
        }
        pgm_snapshot_restore(root);
        ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    }
    ck_assert_uint_eq(fake_os.n_calls[FAKE_TRY_ALLOC0] + fake_os.n_calls[FAKE_MAP_ZEROS] +
                          fake_os.n_calls[FAKE_PROTECT],
                      0);
}
END_TEST

START_TEST(switching_needs_no_memory_whatever_state_pages_are_in)
{
    Picture *pictures = g_new0(Picture, 2);
    PgmSnapshot *ends[2];

    for (unsigned i = 0; i < 2; i++) {
        scatter(i + 1);
        take_picture(&pictures[i]);
        ends[i] = take(PGM_SNAPSHOT_CHECKED);
    }
    scatter(7);
    gmm_set_limit(gmm, 0);
    for (unsigned round = 0; round < 6; round++) {
        fake_os_fail(FAKE_TRY_ALLOC0, 1, 1000);
        fake_os_fail(FAKE_MAP_ZEROS, 1, 1000);
        pgm_snapshot_restore(ends[round % 2]);
        fake_os_heal();
        check_is(&pictures[round % 2]);
    }
    pgm_snapshot_drop(ends[0]);
    check_is(&pictures[1]);
    g_free(pictures);
}
END_TEST

START_TEST(take_that_fails_changes_nothing)
{
    g_autoptr(GError) error = NULL;

    store(P, 1);
    take_picture(&was);
    PgmSnapshot *a = _i < 4 ? NULL : take(0);
    PgmMapping mapping;

    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    store(P, 2);
    take_picture(&was);
    PgmSnapshotStats before = numbers();

    pgm_layout_changed(pgm);
    fake_os_fail(FAKE_TRY_ALLOC0, 1 + (unsigned)_i % 4, 1000);
    ck_assert_ptr_null(pgm_snapshot_take(pgm, "s", PGM_SNAPSHOT_CHECKED, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_uint_eq(numbers().n_entries, before.n_entries);
    ck_assert_ptr_eq(pgm_snapshot_current(pgm), a);
    fake_os_heal();
    check_is(&was);
    pgm_unmap_page(pgm, &mapping);
}
END_TEST

START_TEST(locked_page_without_room_refuses_the_snapshot)
{
    PgmMapping mapping;
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 0), MEM_OK);
    ck_assert_ptr_null(pgm_snapshot_take(pgm, "s", 0, &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_NO_MEMORY));
    check_sound();
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, UINT64_MAX), MEM_OK);
    ck_assert_ptr_nonnull(pgm_snapshot_take(pgm, NULL, 0, NULL));
    pgm_unmap_page(pgm, &mapping);
}
END_TEST

START_TEST(range_that_goes_takes_its_entries_along)
{
    PgmMmio2 *late = pgm_mmio2_new(pgm, "t", 5, 2 * PAGE, false, "late", NULL);
    PgmSnapshot *a = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_int_eq(pgm_mmio2_mark_dirty(late, 0, 2 * PAGE), MEM_OK);
    store(P, 1);
    PgmSnapshot *b = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_int_eq(pgm_mmio2_mark_dirty(late, 0, PAGE), MEM_OK);
    ck_assert_uint_eq(numbers().n_entries, 4);
    pgm_mmio2_free(late);
    ck_assert_uint_eq(numbers().n_entries, 1);
    check_sound();
    pgm_snapshot_restore(a);
    ck_assert_uint_eq(pgm_snapshot_check(a, NULL), 0);
    pgm_snapshot_restore(b);
    ck_assert_uint_eq(pgm_snapshot_check(b, NULL), 0);
}
END_TEST

START_TEST(handler_that_goes_is_forgotten)
{
    ck_assert_int_eq(pgm_handler_page_off(handler, RAM), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    g_clear_pointer(&handler, pgm_handler_free);
    store(RAM, 1);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_read_u32(pgm, RAM), 0);
    check_sound();
}
END_TEST

START_TEST(freed_machine_takes_its_snapshots_along)
{
    (void)take(0);
    store(P, 1);
    (void)take(0);
    store(P, 2);
}
END_TEST

START_TEST(reset_machine_comes_back)
{
    store(P, 1);
    take_picture(&was);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);
    PageId id = page_at(P).id;

    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    ck_assert_uint_eq(numbers().n_saved, 1); /* the page itself, not a copy */
    ck_assert_uint_eq(numbers().n_stock, 0);
    pgm_snapshot_restore(snapshot);
    check_is(&was);
    ck_assert_uint_eq(page_at(P).id, id);
}
END_TEST

/* A locked page, written ones, a shared one, a ballooned one, shadow RAM, a patched ROM page. */
static void make_all_kinds(PgmMapping *ret_mapping)
{
    static const uint8_t patch[4] = { 1, 2, 3, 4 };
    GPhys gpa = RAM + 20 * PAGE;

    ck_assert_int_eq(pgm_map_page(pgm, RAM + 10 * PAGE, ret_mapping), MEM_OK);
    for (unsigned i = 11; i < 20; i++) {
        store(RAM + i * PAGE, i);
    }
    ck_assert_int_eq(pgm_page_share_internal(pgm, RAM + 11 * PAGE), MEM_OK);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(ROM, 9);
    ck_assert_int_eq(pgm_poke(pgm, ROM + PAGE, patch, sizeof patch), MEM_OK);
}

/* RAM that reads other than zeros, or ROM other than its image. */
static unsigned n_left(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_RAM; i++) {
        n += pgm_read_u32(pgm, RAM + i * PAGE) != 0;
    }
    for (unsigned i = 0; i < N_ROM; i++) {
        n += pgm_rom_is_patched(rom_range, i) ||
             pgm_read_u8(pgm, ROM + i * PAGE + 1) != (uint8_t)((i * PAGE + 1) * 7 + i);
    }
    return n;
}

START_TEST(reset_without_room_for_entries_changes_nothing_and_can_be_done_later)
{
    PgmMapping mapping;

    make_all_kinds(&mapping);
    take_picture(&was);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);
    unsigned n_before = n_left();
    uint64_t limit = numbers().n_entries;
    MemStatus status;

    ck_assert_uint_gt(n_before, 10);
    for (;; limit++) {
        ck_assert_int_eq(pgm_snapshot_set_limit(pgm, limit), MEM_OK);
        status = pgm_reset(pgm);
        if (status == MEM_OK) {
            break;
        }
        ck_assert_int_eq(status, MEM_ERR_NO_MEMORY);
        ck_assert_uint_eq(n_left(), n_before);
        check_sound();
    }
    /* locked, 9 written, ballooned, shadow, patched */
    ck_assert_uint_eq(limit, 13);
    ck_assert_uint_eq(n_left(), 0);
    check_sound();
    pgm_snapshot_restore(snapshot);
    check_is(&was);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
    pgm_unmap_page(pgm, &mapping);
}
END_TEST

START_TEST(reset_gives_pages_up_without_a_page_to_be_had)
{
    store(P, 1);
    store(Q, 2);
    ck_assert_int_eq(pgm_page_share_internal(pgm, Q), MEM_OK);
    take_picture(&was);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);

    gmm_set_limit(gmm, 0);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert_int_eq(pgm_reset(pgm), MEM_ERR_NO_MEMORY); /* the host has no block of entries */
    check_is(&was);
    fake_os_heal();
    ck_assert_int_eq(pgm_reset(pgm), MEM_OK);
    ck_assert_uint_eq(n_left(), 0);
    check_sound();
    pgm_snapshot_restore(snapshot);
    check_is(&was);
}
END_TEST

START_TEST(checker_sees_a_page_that_can_be_written_unseen)
{
    g_autoptr(GString) report = g_string_new(NULL);

    store(P, 1);
    PgmSnapshot *snapshot = take(0);
    PgmPage *page = &ram_range->pages[5];
    PgmPage good = *page;

    pgm_page_change(ram_range, 5, PGM_RECORD_FRONT,
                    pgm_page_with_backing(good, PGM_PAGE_ALLOCATED, pgm_page_id(good)));
    ck_assert_uint_eq(pgm_verify(pgm, report), 1);
    ck_assert_ptr_nonnull(strstr(report->str, "can be written unseen"));
    pgm_page_change(ram_range, 5, PGM_RECORD_FRONT, good);
    pgm_page_set_saved(ram_range, 5, PGM_RECORD_FRONT, true);
    ck_assert_uint_eq(pgm_verify(pgm, report), 1);
    pgm_page_set_saved(ram_range, 5, PGM_RECORD_FRONT, false);
    pgm_snapshot_restore(snapshot);
}
END_TEST

START_TEST(unchecked_snapshot_cannot_be_checked)
{
    PgmSnapshot *snapshot = take(0);

    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), UINT64_MAX);
}
END_TEST

START_TEST(check_leaves_out_ranges_that_came_later)
{
    const uint8_t image[PAGE] = { 1, 2, 3 };

    store(P, 1);
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, "checked", PGM_SNAPSHOT_CHECKED, NULL);

    ck_assert_ptr_nonnull(snapshot);
    ck_assert_int_eq(pgm_rom_register(pgm, UINT64_C(0x7f0000000), PAGE, image, sizeof image, 0,
                                      PGM_ROM_FLAG_SHADOWED, "late", "late", NULL),
                     MEM_OK);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
    store(P, 2);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 1);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tcase = tcase_create("snapshot");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_loop_test(tcase, restore_undoes_each_event_in_each_state, 0, N_PAIRS);
    tcase_add_loop_test(tcase, events_on_an_edge_go_forth_and_back, 0, N_PAIRS);
    tcase_add_test(tcase, rom_shadow_and_device_memory_come_back);
    tcase_add_test(tcase, layout_comes_back);
    tcase_add_test(tcase, snapshot_after_a_restore_knows_ranges_and_handlers_that_came_between);
    tcase_add_test(tcase, rom_in_the_way_of_a_restore_loses_its_place);
    tcase_add_test(tcase, typed_tlb_and_cpu_see_restored_memory);
    tcase_add_test(tcase, code_of_restored_pages_is_told_and_only_that);
    tcase_add_test(tcase, locked_page_keeps_its_place_and_gets_the_bytes);
    tcase_add_loop_test(tcase, snapshots_go_in_any_order, 0, 96);
    tcase_add_test(tcase, dropped_current_leaves_its_parent_current);
    tcase_add_test(tcase, write_without_an_entry_to_be_had_stops_and_can_go_on);
    tcase_add_test(tcase, write_without_a_host_page_stops_and_can_go_on);
    tcase_add_test(tcase, loop_of_take_run_and_restore_needs_nothing_from_host_or_gmm);
    tcase_add_test(tcase, switching_needs_no_memory_whatever_state_pages_are_in);
    tcase_add_loop_test(tcase, take_that_fails_changes_nothing, 0, 6);
    tcase_add_test(tcase, locked_page_without_room_refuses_the_snapshot);
    tcase_add_test(tcase, range_that_goes_takes_its_entries_along);
    tcase_add_test(tcase, handler_that_goes_is_forgotten);
    tcase_add_test(tcase, freed_machine_takes_its_snapshots_along);
    tcase_add_test(tcase, reset_machine_comes_back);
    tcase_add_test(tcase, reset_without_room_for_entries_changes_nothing_and_can_be_done_later);
    tcase_add_test(tcase, reset_gives_pages_up_without_a_page_to_be_had);
    tcase_add_test(tcase, checker_sees_a_page_that_can_be_written_unseen);
    tcase_add_test(tcase, unchecked_snapshot_cannot_be_checked);
    tcase_add_test(tcase, check_leaves_out_ranges_that_came_later);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
