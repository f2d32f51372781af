/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The share scan: two visits, equal pages of two machines, zeros, and what must not be shared. */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 16 * PAGE)
#define Q (HIGH + 40 * PAGE)
#define ALL 100000 /* more pages than there are */

static Pgm *other;

static void setup(void)
{
    pgm_setup();
    other = pgm_new(gmm, NULL, NULL);
    ck_assert_int_eq(pgm_ram_register(other, HIGH, HIGH_LEN, "ram", NULL), MEM_OK);
    pgm_set_sharing(pgm, true);
    pgm_set_sharing(other, true);
}

static void teardown(void)
{
    g_autoptr(GString) report = g_string_new(NULL);

    ck_assert_msg(pgm_verify(other, report) == 0, "%s", report->str);
    pgm_free(other);
    pgm_teardown();
}

/* A page of bytes that are alike for equal @kind. */
static void fill_page(Pgm *of, GPhys gpa, uint8_t kind)
{
    uint8_t bytes[4096];

    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + kind);
    }
    ck_assert_int_eq(pgm_write(of, gpa, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
}

static PgmPageInfo info_of(Pgm *of, GPhys gpa)
{
    PgmPageInfo info;

    ck_assert(pgm_page_query(of, gpa, &info));
    return info;
}

/* Both machines see all their pages once. */
static void round_of_both(void)
{
    (void)pgm_share_slice(pgm, ALL);
    (void)pgm_share_slice(other, ALL);
}

static GmmStats gmm_now(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s;
}

static void lock_page(GPhys gpa, unsigned n)
{
    PgmPlace place;

    ck_assert(pgm_place_lookup(pgm, gpa, &place));
    pgm_page_set_locks(place.range, place.index, PGM_RECORD_FRONT, n, 0);
}

/* ---- merging */

START_TEST(equal_pages_of_two_machines_become_one)
{
    fill_page(pgm, P, 1);
    fill_page(other, Q, 1);
    for (unsigned i = 0; i < 4; i++) {
        round_of_both();
    }
    ck_assert_int_eq(info_of(pgm, P).state, PGM_PAGE_SHARED);
    ck_assert_int_eq(info_of(other, Q).state, PGM_PAGE_SHARED);
    ck_assert_uint_eq(info_of(pgm, P).id, info_of(other, Q).id);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 5), 5 * 7 + 1);
    ck_assert_uint_eq(pgm_read_u8(other, Q + 5), 5 * 7 + 1);
    ck_assert_uint_eq(gmm_now().shared, 1);
    ck_assert_uint_eq(gmm_now().duplicates, 1);
    check_sound();
}
END_TEST

START_TEST(pages_are_offered_only_after_two_visits)
{
    fill_page(pgm, P, 1);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 1);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_WRITE_MONITORED);
    ck_assert_uint_eq(gmm_now().share_offers, 0);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 1);
    ck_assert_uint_eq(gmm_now().share_offers, 1);
}
END_TEST

START_TEST(pages_written_between_two_visits_are_never_offered)
{
    for (unsigned i = 0; i < 8; i++) {
        fill_page(pgm, P, 1);
        fill_page(other, P, 1);
        round_of_both();
    }
    ck_assert_uint_eq(gmm_now().share_offers, 0);
    ck_assert_uint_eq(gmm_now().shared, 0);
}
END_TEST

START_TEST(write_to_a_merged_page_leaves_the_other_alone)
{
    fill_page(pgm, P, 1);
    fill_page(other, P, 1);
    for (unsigned i = 0; i < 4; i++) {
        round_of_both();
    }
    ck_assert_uint_eq(gmm_now().shared, 1);
    store(P, 0xabcd);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0xabcd);
    ck_assert_uint_eq(pgm_read_u8(other, P), 1);
    ck_assert_uint_eq(gmm_now().duplicates, 0);
    ck_assert_uint_eq(gmm_now().share_copied, 1);
    /* The last reference needs no copy. */
    PageId id = info_of(other, P).id;

    ck_assert_int_eq(pgm_write_u32(other, P, 1), MEM_OK);
    ck_assert_uint_eq(info_of(other, P).id, id);
    ck_assert_int_eq(info_of(other, P).state, PGM_PAGE_ALLOCATED);
    ck_assert_uint_eq(gmm_now().shared, 0);
    ck_assert_uint_eq(gmm_now().share_copied, 2); /* given up, though not copied */
}
END_TEST

START_TEST(equal_pages_of_one_machine_are_one)
{
    for (unsigned i = 0; i < 10; i++) {
        fill_page(pgm, P + i * PAGE, 3);
    }
    for (unsigned i = 0; i < 4; i++) {
        (void)pgm_share_slice(pgm, ALL);
    }
    ck_assert_uint_eq(stats().pages.shared, 10);
    ck_assert_uint_eq(gmm_now().shared, 1);
    for (unsigned i = 0; i < 10; i++) {
        store(P + i * PAGE, 100 + i);
        check_sound();
    }
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, P + i * PAGE), 100 + i);
    }
}
END_TEST

/* ---- zeros */

START_TEST(page_of_zeros_goes_back)
{
    store(P, 1);
    store(P, 0);
    store(Q + 4092, 1);
    uint64_t allocated = gmm_now().allocated;

    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 2);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 2);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ZERO);
    ck_assert_int_ne(page_at(Q).state, PGM_PAGE_ZERO);
    ck_assert_uint_eq(gmm_now().allocated, allocated - 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, Q + 4092), 1);
}
END_TEST

/* ---- CPUs */

START_TEST(cpus_lose_what_they_hold_of_a_merged_page)
{
    fill_page(pgm, P, 1);
    fill_page(other, P, 1);
    round_of_both();
    round_of_both();
    ck_assert_int_eq(fill(P, MEM_ACCESS_EXEC).kind, PGM_FILL_DIRECT);
    PageId old = page_at(P).id;

    told_reset();
    for (unsigned i = 0; i < 3; i++) {
        round_of_both();
    }
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_SHARED);
    ck_assert(told.n_all > 0 || told.n_pages > 0);
    PgmFill now = fill(P, MEM_ACCESS_READ);

    ck_assert_uint_eq(now.id, page_at(P).id);
    ck_assert_uint_eq(now.perms & MEM_ACCESS_WRITE, 0);
    if (page_at(P).id != old) {
        ck_assert(!pgm_page_executed(pgm, old));
    }
}
END_TEST

/* ---- what stays */

START_TEST(nothing_is_looked_at_unless_allowed)
{
    fill_page(pgm, P, 1);
    pgm_set_sharing(pgm, false);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 0);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    pgm_set_sharing(pgm, true);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 1);
}
END_TEST

static PgmHandlerResult do_default(Pgm *of, const PgmHandlerAccess *access, void *user)
{
    (void)of;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

START_TEST(locked_and_owned_pages_are_left)
{
    for (unsigned i = 0; i < 4; i++) {
        fill_page(pgm, P + i * PAGE, 9);
    }
    lock_page(P, 1);
    PgmHandler *handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, P + PAGE, PAGE, do_default, NULL, "owner", NULL);

    ck_assert_ptr_nonnull(handler);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_le(pgm_share_slice(pgm, ALL), 2);
    }
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    ck_assert_int_eq(page_at(P + PAGE).state, PGM_PAGE_ALLOCATED);
    ck_assert_int_eq(page_at(P + 2 * PAGE).state, PGM_PAGE_SHARED);
    lock_page(P, 0);
    pgm_handler_free(handler);
}
END_TEST

START_TEST(preallocated_machine_keeps_its_pages)
{
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 0);
    }
    ck_assert_uint_eq(stats().pages.zero, 0);
}
END_TEST

/* ---- slices */

START_TEST(slices_go_round_without_a_gap)
{
    for (unsigned i = 0; i < 30; i++) {
        fill_page(pgm, HIGH + 700 * i % 1000 * PAGE, (uint8_t)(2 * i + 1));
        fill_page(pgm, LOW + i * PAGE, (uint8_t)(2 * i + 2));
    }
    uint64_t n = stats().pages.private_pages;

    for (uint64_t looked = 0; looked < n; looked += 7) {
        ck_assert_uint_eq(pgm_share_slice(pgm, 7), 7);
    }
    ck_assert_uint_eq(stats().pages.monitored + stats().pages.shared, n);
    ck_assert_uint_eq(pgm_share_slice(pgm, 0), 0);
    ck_assert_uint_le(pgm_share_slice(pgm, ALL), n);
}
END_TEST

START_TEST(slice_outlives_the_range_it_stopped_in)
{
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 64 * PAGE, "more", NULL), MEM_OK);
    for (unsigned i = 0; i < 64; i++) {
        fill_page(pgm, ABOVE + i * PAGE, (uint8_t)i);
    }
    (void)pgm_share_slice(pgm, 40);
    pgm_ram_withdraw(pgm, ABOVE);
    store(P, 1);
    ck_assert_uint_eq(pgm_share_slice(pgm, ALL), 1);
}
END_TEST

START_TEST(scan_of_all_machines_merges_too)
{
    fill_page(pgm, P, 1);
    fill_page(other, Q, 1);
    uint64_t n_looked = 0;

    for (unsigned i = 0; i < 12; i++) {
        n_looked += gmm_share_scan(gmm, 64);
    }
    ck_assert_uint_ge(n_looked, 4);
    ck_assert_uint_eq(info_of(pgm, P).id, info_of(other, Q).id);
    ck_assert_uint_eq(gmm_now().duplicates, 1);
}
END_TEST

/* ---- loaded files */

static const struct {
    GPhys gpa;
    uint64_t len;
    uint64_t n_shared;
} loads[] = {
    { HIGH, 4096, 1 },           { HIGH, 4095, 0 },         { HIGH + 1, 4096, 0 },
    { HIGH + 100, 3 * 4096, 2 }, { HIGH, 8 * 4096 + 5, 8 },
};

START_TEST(untouched_pages_of_a_file_are_shared_from_the_start)
{
    static uint8_t bytes[10 * 4096];
    static uint8_t back[sizeof bytes];
    uint64_t len = loads[_i].len;

    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i / 4096 + i + 1);
    }
    ck_assert_int_eq(pgm_load_image(pgm, loads[_i].gpa, bytes, len), MEM_OK);
    ck_assert_int_eq(pgm_load_image(other, loads[_i].gpa, bytes, len), MEM_OK);
    ck_assert_uint_eq(stats().pages.shared, loads[_i].n_shared);
    ck_assert_uint_eq(gmm_now().duplicates, loads[_i].n_shared);
    ck_assert_int_eq(pgm_read(pgm, loads[_i].gpa, back, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(memcmp(back, bytes, len), 0);
    store(loads[_i].gpa + len / 2, 0x11223344);
    ck_assert_int_eq(pgm_read(other, loads[_i].gpa, back, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(memcmp(back, bytes, len), 0);
}
END_TEST

START_TEST(touched_watched_and_zero_pages_are_written)
{
    uint8_t bytes[4 * 4096];

    memset(bytes, 0x5a, sizeof bytes);
    memset(bytes, 0, 4096);
    store(HIGH + PAGE, 1);
    const GPhys ballooned = HIGH + 2 * PAGE;

    ck_assert_int_eq(pgm_page_balloon_internal(pgm, ballooned, true), MEM_OK);
    ck_assert_int_eq(pgm_load_image(pgm, HIGH, bytes, sizeof bytes), MEM_OK);
    ck_assert_int_eq(page_at(HIGH).state, PGM_PAGE_ZERO);
    ck_assert_int_eq(page_at(HIGH + PAGE).state, PGM_PAGE_ALLOCATED);
    ck_assert_int_eq(page_at(ballooned).state, PGM_PAGE_BALLOONED);
    ck_assert_int_eq(page_at(HIGH + 3 * PAGE).state, PGM_PAGE_SHARED);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + PAGE), 0x5a5a5a5a);
}
END_TEST

START_TEST(many_machines_with_one_firmware_hold_it_once)
{
    static uint8_t image[64 * 4096];
    Pgm *machines[100];
    PgmStats s;

    for (unsigned i = 0; i < sizeof image; i++) {
        image[i] = (uint8_t)(i * 31 + i / 4096);
    }
    uint64_t before = gmm_now().allocated;

    for (unsigned i = 0; i < 100; i++) {
        machines[i] = pgm_new(gmm, NULL, NULL);
        ck_assert_int_eq(pgm_rom_register(machines[i], HOLE, sizeof image, image, sizeof image, 0,
                                          0, "t", "bios", NULL),
                         MEM_OK);
    }
    ck_assert_uint_eq(gmm_now().allocated, before + 64);
    pgm_get_stats(machines[99], &s);
    ck_assert_uint_eq(s.pages.private_pages, 0);
    ck_assert_uint_eq(pgm_read_u32(machines[50], HOLE + 4), pgm_read_u32(machines[0], HOLE + 4));
    for (unsigned i = 0; i < 100; i++) {
        pgm_free(machines[i]);
    }
    ck_assert_uint_eq(gmm_now().allocated, before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share-scan");
    TCase *tcase = tcase_create("share-scan");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, equal_pages_of_two_machines_become_one);
    tcase_add_test(tcase, pages_are_offered_only_after_two_visits);
    tcase_add_test(tcase, pages_written_between_two_visits_are_never_offered);
    tcase_add_test(tcase, write_to_a_merged_page_leaves_the_other_alone);
    tcase_add_test(tcase, equal_pages_of_one_machine_are_one);
    tcase_add_test(tcase, page_of_zeros_goes_back);
    tcase_add_test(tcase, cpus_lose_what_they_hold_of_a_merged_page);
    tcase_add_test(tcase, nothing_is_looked_at_unless_allowed);
    tcase_add_test(tcase, locked_and_owned_pages_are_left);
    tcase_add_test(tcase, preallocated_machine_keeps_its_pages);
    tcase_add_test(tcase, slices_go_round_without_a_gap);
    tcase_add_test(tcase, slice_outlives_the_range_it_stopped_in);
    tcase_add_test(tcase, scan_of_all_machines_merges_too);
    tcase_add_loop_test(tcase, untouched_pages_of_a_file_are_shared_from_the_start, 0,
                        G_N_ELEMENTS(loads));
    tcase_add_test(tcase, touched_watched_and_zero_pages_are_written);
    tcase_add_test(tcase, many_machines_with_one_firmware_hold_it_once);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
