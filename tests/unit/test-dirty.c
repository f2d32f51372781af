/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty clients: what counts as written, that clients and snapshots do not disturb each other, and
 * that nothing is lost when the host has no memory.
 */
#include "tests/unit/snapshot-fixture.h"

#define P (RAM + 5 * PAGE)

static PgmDirty *dirty;

static PgmDirty *client(void)
{
    g_autoptr(GError) error = NULL;
    PgmDirty *made = pgm_dirty_new(pgm, "c", &error);

    ck_assert_msg(made != NULL, "%s", error ? error->message : "");
    return made;
}

static void setup(void)
{
    snapshot_setup();
    store(P, 1);
    store(P + PAGE, 1);
    dirty = client();
}

static void teardown(void)
{
    g_clear_pointer(&dirty, pgm_dirty_free);
    snapshot_teardown();
}

START_TEST(client_starts_clean_and_sees_first_writes)
{
    ck_assert_uint_eq(pgm_dirty_count(dirty), 0);
    store(P, 2);
    store(P + 4, 3);
    store(P + 9 * PAGE, 1); /* was ZERO */
    ck_assert_uint_eq(pgm_dirty_count(dirty), 2);
    ck_assert(pgm_dirty_contains(dirty, P + 100));
    ck_assert(!pgm_dirty_contains(dirty, P + PAGE));
    ck_assert(!pgm_dirty_contains(dirty, UINT64_C(0xfffff000)));
    pgm_dirty_reset(dirty);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 0);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_WRITE_MONITORED);
    (void)pgm_read_u32(pgm, P);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 0);
    store(P, 4);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 1);
}
END_TEST

/* Every way to change a page. */
static void by_store(void)
{
    store(P, 9);
}
static void by_bulk(void)
{
    static const uint8_t bytes[8192] = { 1 };

    ck_assert_int_eq(pgm_write(pgm, P - PAGE, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
}
static void by_poke(void)
{
    ck_assert_int_eq(pgm_poke(pgm, P, "x", 1), MEM_OK);
}
static void by_cpu(void)
{
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_DIRECT);
}
static void by_balloon(void)
{
    GPhys gpa = P;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
}
static void by_reset(void)
{
    pgm_reset(pgm);
}
static void by_mapping(void)
{
    PgmMapping mapping;

    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    pgm_unmap_page(pgm, &mapping);
}
static void by_shared_write(void)
{
    store(P + PAGE, 2);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P + PAGE), MEM_OK);
    pgm_dirty_reset(dirty);
    store(P + PAGE, 3);
    ck_assert(pgm_dirty_contains(dirty, P + PAGE));
    store(P, 1);
}

static void (*const changes[])(void) = { by_store,   by_bulk,  by_poke,    by_cpu,
                                         by_balloon, by_reset, by_mapping, by_shared_write };

START_TEST(every_way_of_writing_is_seen)
{
    changes[_i]();
    ck_assert(pgm_dirty_contains(dirty, P));
    check_sound();
}
END_TEST

START_TEST(deflating_is_seen)
{
    GPhys gpa = P;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    pgm_dirty_reset(dirty);
    ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_OK);
    ck_assert(pgm_dirty_contains(dirty, P));
}
END_TEST

START_TEST(sharing_and_scanning_change_no_bytes)
{
    store(P, 5);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    pgm_dirty_reset(dirty);
    ck_assert(!pgm_dirty_contains(dirty, P));
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_SHARED);
}
END_TEST

START_TEST(rom_and_its_shadow_are_told_apart)
{
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_ROM_WRITE_RAM), MEM_OK);
    store(ROM, 1);
    ck_assert(!pgm_dirty_contains(dirty, ROM)); /* the ROM shows, the shadow was written */
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    ck_assert(pgm_dirty_contains(dirty, ROM));
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_ROM_WRITE_IGNORE), MEM_OK);
    ck_assert_int_eq(pgm_poke(pgm, ROM, "x", 1), MEM_OK);
    ck_assert(pgm_dirty_contains(dirty, ROM));
    ck_assert_uint_eq(pgm_dirty_count(dirty), 2);
}
END_TEST

static unsigned n_visited;

static void note(const PgmPageRef *page, void *user)
{
    PgmPageRef *last = user;

    n_visited++;
    *last = *page;
}

START_TEST(visitor_is_told_all_about_a_page)
{
    PgmPageRef page;

    ck_assert_int_eq(pgm_mmio2_unmap(fb), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(fb, 3 * PAGE + 1, 1), MEM_OK);
    pgm_mmio2_host(fb)[3 * PAGE + 1] = 0x77;
    n_visited = 0;
    pgm_dirty_foreach(dirty, note, &page);
    ck_assert_uint_eq(n_visited, 1);
    ck_assert_int_eq(page.kind, PGM_RANGE_MMIO2);
    ck_assert_uint_eq(page.gpa, MEM_GPHYS_NIL);
    ck_assert_uint_eq(page.offset, 3 * PAGE);
    ck_assert_str_eq(page.owner, "t");
    ck_assert_str_eq(page.name, "fb");
    ck_assert_uint_eq(page.bytes[1], 0x77);
    ck_assert(!page.shadow);
    ck_assert_int_eq(pgm_mmio2_map(fb, FB, NULL), MEM_OK);
    pgm_dirty_foreach(dirty, note, &page);
    ck_assert_uint_eq(page.gpa, FB + 3 * PAGE);
    /* The owner's own tracking is another matter. */
    ck_assert_int_eq(pgm_mmio2_set_tracking(fb, true), MEM_OK);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 1);
    check_sound();
}
END_TEST

START_TEST(one_clients_reset_loses_nothing_of_another)
{
    PgmDirty *other = client();

    store(P, 2);
    pgm_dirty_reset(dirty);
    ck_assert(pgm_dirty_contains(other, P));
    ck_assert(!pgm_dirty_contains(dirty, P));
    store(P, 3);
    ck_assert(pgm_dirty_contains(dirty, P));
    pgm_dirty_reset(other);
    ck_assert(pgm_dirty_contains(dirty, P));
    store(P, 4);
    ck_assert(pgm_dirty_contains(other, P));
    check_sound();
    pgm_dirty_free(other);
    check_sound();
}
END_TEST

START_TEST(snapshots_and_clients_do_not_disturb_each_other)
{
    store(P, 2);
    PgmSnapshot *snapshot = take(0);

    ck_assert(pgm_dirty_contains(dirty, P));
    pgm_dirty_reset(dirty);
    store(P, 3);
    pgm_dirty_reset(dirty);
    store(P, 4); /* the entry is there already, the client hears */
    ck_assert(pgm_dirty_contains(dirty, P));
    ck_assert_uint_eq(numbers().n_live, 1);
    pgm_dirty_reset(dirty);
    pgm_snapshot_restore(snapshot);
    ck_assert(pgm_dirty_contains(dirty, P));
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 2);
    pgm_snapshot_drop(snapshot);
    pgm_dirty_reset(dirty);
    store(P, 5);
    ck_assert(pgm_dirty_contains(dirty, P));
}
END_TEST

/* The owner's bitmap, which the question empties. */
static uint64_t owners_dirt(void)
{
    uint64_t bits = 0;

    ck_assert_int_eq(pgm_mmio2_query_dirty(fb, &bits, 1), MEM_OK);
    return bits;
}

START_TEST(owners_tracking_clients_and_snapshots_are_three_things)
{
    ck_assert_int_eq(pgm_mmio2_set_tracking(fb, true), MEM_OK);
    ck_assert_int_eq(pgm_write_u32(pgm, FB + PAGE, 1), MEM_OK);
    /* The question takes nothing from the client, the client's reset nothing from the owner. */
    ck_assert_uint_eq(owners_dirt(), 1u << 1);
    ck_assert(pgm_dirty_contains(dirty, FB + PAGE));
    ck_assert_int_eq(pgm_write_u32(pgm, FB + 2 * PAGE, 1), MEM_OK);
    pgm_dirty_reset(dirty);
    ck_assert_uint_eq(owners_dirt(), 1u << 2);
    ck_assert_uint_eq(owners_dirt(), 0);

    /* Taking a snapshot neither marks nor forgets. */
    ck_assert_int_eq(pgm_write_u32(pgm, FB + 3 * PAGE, 1), MEM_OK);
    PgmSnapshot *snapshot = take(PGM_SNAPSHOT_CHECKED);

    ck_assert_uint_eq(pgm_dirty_count(dirty), 1);
    ck_assert_uint_eq(owners_dirt(), 1u << 3);
    pgm_dirty_reset(dirty);
    /* A write after a question, to a page that the snapshot has: told again. */
    ck_assert_int_eq(pgm_write_u32(pgm, FB + 4 * PAGE, 1), MEM_OK);
    ck_assert_uint_eq(owners_dirt(), 1u << 4);
    ck_assert_int_eq(pgm_write_u32(pgm, FB + 4 * PAGE, 2), MEM_OK);
    ck_assert_uint_eq(owners_dirt(), 1u << 4);
    ck_assert_uint_eq(numbers().n_live, 1);
    /* What a restore puts back is written for both; the tracking itself is the owner's. */
    pgm_dirty_reset(dirty);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_snapshot_check(snapshot, NULL), 0);
    ck_assert(pgm_dirty_contains(dirty, FB + 4 * PAGE));
    ck_assert_uint_eq(pgm_dirty_count(dirty), 1);
    ck_assert_uint_eq(owners_dirt(), 1u << 4);
    /* Off: the client and the snapshot still see what is written. */
    ck_assert_int_eq(pgm_mmio2_set_tracking(fb, false), MEM_OK);
    pgm_dirty_reset(dirty);
    ck_assert_int_eq(pgm_write_u32(pgm, FB + 5 * PAGE, 1), MEM_OK);
    ck_assert_uint_eq(owners_dirt(), 0);
    ck_assert(pgm_dirty_contains(dirty, FB + 5 * PAGE));
    ck_assert_uint_eq(numbers().n_live, 1);
    pgm_snapshot_drop(snapshot);
    check_sound();
}
END_TEST

START_TEST(locked_pages_count_as_written)
{
    PgmMapping mapping;

    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    pgm_dirty_reset(dirty);
    ck_assert(pgm_dirty_contains(dirty, P));
    PgmDirty *late = client();

    ck_assert(pgm_dirty_contains(late, P));
    ck_assert_uint_eq(pgm_dirty_count(late), 1);
    pgm_unmap_page(pgm, &mapping);
    pgm_dirty_reset(dirty);
    ck_assert(!pgm_dirty_contains(dirty, P));
    pgm_dirty_free(late);
}
END_TEST

START_TEST(ranges_come_and_go)
{
    PgmMmio2 *more = pgm_mmio2_new(pgm, "t", 1, 3 * PAGE, false, "more", NULL);

    ck_assert_ptr_nonnull(more);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 0);
    check_sound();
    ck_assert_int_eq(pgm_mmio2_mark_dirty(more, 0, 2 * PAGE), MEM_OK);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 2);
    pgm_mmio2_free(more);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 0);
    check_sound();
}
END_TEST

START_TEST(there_is_room_for_sixteen)
{
    PgmDirty *all[PGM_DIRTY_MAX_CLIENTS];
    g_autoptr(GError) error = NULL;

    for (unsigned i = 1; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        all[i] = client();
    }
    ck_assert_ptr_null(pgm_dirty_new(pgm, "one more", &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_LIMIT_REACHED));
    store(P, 2);
    for (unsigned i = 1; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        ck_assert_uint_eq(pgm_dirty_count(all[i]), 1);
        pgm_dirty_free(all[i]);
    }
}
END_TEST

START_TEST(host_without_memory_changes_nothing)
{
    g_autoptr(GError) error = NULL;

    fake_os_fail(FAKE_TRY_ALLOC0, 1 + (unsigned)_i, 1000);
    ck_assert_ptr_null(pgm_dirty_new(pgm, "c", &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_HOST_MEMORY));
    check_sound();
    ck_assert_ptr_null(pgm_mmio2_new(pgm, "t", 9, PAGE, false, "x", NULL));
    fake_os_heal();
    store(P, 2);
    ck_assert_uint_eq(pgm_dirty_count(dirty), 1);
}
END_TEST

START_TEST(writing_allocates_nothing_on_the_host)
{
    fake_os_heal();
    for (unsigned i = 0; i < 40; i++) {
        store(P + i * PAGE, 1);
    }
    pgm_dirty_reset(dirty);
    ck_assert_uint_eq(fake_os.n_calls[FAKE_TRY_ALLOC0] + fake_os.n_calls[FAKE_MAP_ZEROS], 0);
}
END_TEST

START_TEST(client_may_outlive_its_machine)
{
    PgmDirty *late = client();

    g_clear_pointer(&handler, pgm_handler_free);
    pgm_cpu_detach(cpu);
    pgm_free(pgm);
    pgm_dirty_free(late);
    g_clear_pointer(&dirty, pgm_dirty_free);
    pgm = pgm_new(gmm, NULL, NULL);
    cpu = pgm_cpu_attach(pgm, &fixture_callbacks, &told);
}
END_TEST

/* Defects of the model that we follow: reference 10, 8 and 9. */
START_TEST(freeing_a_monitored_page_lowers_the_count_of_monitored)
{
    uint64_t monitored = stats().pages.monitored;
    GPhys gpa = P;

    ck_assert_int_eq(page_at(P).state, PGM_PAGE_WRITE_MONITORED);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    ck_assert_uint_eq(stats().pages.monitored, monitored - 1);
    ck_assert(!page_at(P).written);
    check_sound();
}
END_TEST

START_TEST(arming_a_written_page_lowers_the_count_of_written)
{
    store(P, 2);
    ck_assert(page_at(P).written);
    uint64_t written = stats().pages.written;

    pgm_dirty_reset(dirty);
    ck_assert_uint_eq(stats().pages.written, written - 1);
    ck_assert(!page_at(P).written);
    check_sound();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dirty clients");
    TCase *tcase = tcase_create("clients");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, client_starts_clean_and_sees_first_writes);
    tcase_add_loop_test(tcase, every_way_of_writing_is_seen, 0, G_N_ELEMENTS(changes));
    tcase_add_test(tcase, deflating_is_seen);
    tcase_add_test(tcase, sharing_and_scanning_change_no_bytes);
    tcase_add_test(tcase, rom_and_its_shadow_are_told_apart);
    tcase_add_test(tcase, visitor_is_told_all_about_a_page);
    tcase_add_test(tcase, one_clients_reset_loses_nothing_of_another);
    tcase_add_test(tcase, snapshots_and_clients_do_not_disturb_each_other);
    tcase_add_test(tcase, owners_tracking_clients_and_snapshots_are_three_things);
    tcase_add_test(tcase, locked_pages_count_as_written);
    tcase_add_test(tcase, ranges_come_and_go);
    tcase_add_test(tcase, there_is_room_for_sixteen);
    tcase_add_loop_test(tcase, host_without_memory_changes_nothing, 0, 5);
    tcase_add_test(tcase, writing_allocates_nothing_on_the_host);
    tcase_add_test(tcase, client_may_outlive_its_machine);
    tcase_add_test(tcase, freeing_a_monitored_page_lowers_the_count_of_monitored);
    tcase_add_test(tcase, arming_a_written_page_lowers_the_count_of_written);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
