/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM layout, its checks, and a machine's reservation.
 */
#include "memsys/mm-internal.h"

#include <check.h>
#include <string.h>

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define DEFAULT 0

/* ---- layout */
static const struct {
    uint64_t size, hole;
    unsigned n;
    struct {
        GPhys start, end;
    } at[MM_X86_MAX_REGIONS];
} layouts[] = {
    { 4 * K, DEFAULT, 1, { { 0, 4 * K } } },
    { 64 * K, DEFAULT, 1, { { 0, 64 * K } } },
    { 380 * K, DEFAULT, 1, { { 0, 380 * K } } }, /* less than the 384K that do not exist */
    { 640 * K, DEFAULT, 1, { { 0, 640 * K } } },
    { 644 * K, DEFAULT, 1, { { 0, 640 * K } } },
    { 1 * M, DEFAULT, 1, { { 0, 640 * K } } },
    { 1 * M + 4 * K, DEFAULT, 2, { { 0, 640 * K }, { M, M + 4 * K } } },
    { 2 * M, DEFAULT, 2, { { 0, 640 * K }, { M, 2 * M } } },
    { 2 * M + 4 * K, DEFAULT, 3, { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 2 * M + 4 * K } } },
    { 128 * M, DEFAULT, 3, { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 128 * M } } },
    { 3584 * M, DEFAULT, 3, { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 3584 * M } } },
    { 3584 * M + 4 * K,
      DEFAULT,
      4,
      { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 3584 * M }, { 4 * G, 4 * G + 4 * K } } },
    { 4 * G,
      DEFAULT,
      4,
      { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 3584 * M }, { 4 * G, 4 * G + 512 * M } } },
    { 4 * G,
      20 * M,
      4,
      { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 4 * G - 20 * M }, { 4 * G, 4 * G + 20 * M } } },
    { G,
      4032 * M,
      4,
      { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 64 * M }, { 4 * G, 5 * G - 64 * M } } },
    { 16 * T,
      DEFAULT,
      4,
      { { 0, 640 * K }, { M, 2 * M }, { 2 * M, 3584 * M }, { 4 * G, 16 * T + 512 * M } } },
};

START_TEST(ram_lies_as_in_a_pc)
{
    MmRegion got[MM_X86_MAX_REGIONS];
    g_autoptr(GError) error = NULL;
    unsigned n = mm_layout_x86(layouts[_i].size, layouts[_i].hole, got, &error);

    ck_assert_uint_eq(n, layouts[_i].n);
    ck_assert_ptr_null(error);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_uint_eq(got[i].start, layouts[_i].at[i].start);
        ck_assert_uint_eq(got[i].start + got[i].len, layouts[_i].at[i].end);
        ck_assert_uint_gt(strlen(got[i].description), 4);
    }
}
END_TEST

static const struct {
    uint64_t size, hole;
    MemStatus status;
    const char *says;
} refusals[] = {
    { 0, DEFAULT, MEM_ERR_OUT_OF_RANGE, "4 KiB to 16 TiB" },
    { 4 * K - 1, DEFAULT, MEM_ERR_OUT_OF_RANGE, "4 KiB to 16 TiB" },
    { 16 * T + 4 * K, DEFAULT, MEM_ERR_OUT_OF_RANGE, "4 KiB to 16 TiB" },
    { UINT64_MAX, DEFAULT, MEM_ERR_OUT_OF_RANGE, "4 KiB to 16 TiB" },
    { 4 * K + 1, DEFAULT, MEM_ERR_INVALID_PARAMETER, "multiple of 4 KiB" },
    { 128 * M - 1, DEFAULT, MEM_ERR_INVALID_PARAMETER, "multiple of 4 KiB" },
    { M, 1, MEM_ERR_OUT_OF_RANGE, "too small" },
    { M, 16 * M, MEM_ERR_OUT_OF_RANGE, "too small" },
    { M, 16 * M + 1, MEM_ERR_INVALID_PARAMETER, "multiple of 4 MiB" },
    { M, 18 * M, MEM_ERR_INVALID_PARAMETER, "multiple of 4 MiB" },
    { M, 4036 * M, MEM_ERR_OUT_OF_RANGE, "too large" },
    { M, 4032 * M + 1, MEM_ERR_OUT_OF_RANGE, "too large" },
    { M, UINT64_MAX, MEM_ERR_OUT_OF_RANGE, "too large" },
};

START_TEST(bad_sizes_are_refused_with_what_is_allowed)
{
    MmRegion got[MM_X86_MAX_REGIONS] = { { .start = 77 } };
    g_autoptr(GError) error = NULL;

    ck_assert_uint_eq(mm_layout_x86(refusals[_i].size, refusals[_i].hole, got, &error), 0);
    ck_assert(g_error_matches(error, MEM_ERROR, (gint)refusals[_i].status));
    ck_assert_msg(strstr(error->message, refusals[_i].says) != NULL, "%s", error->message);
    ck_assert_uint_eq(got[0].start, 77);
    ck_assert_uint_eq(mm_layout_x86(refusals[_i].size, refusals[_i].hole, got, NULL), 0);
}
END_TEST

/* ---- reservation */
static Gmm *gmm;
static Mm mm;

static void setup(void)
{
    gmm = gmm_new(16 * M, NULL);
    ck_assert_ptr_nonnull(gmm);
    mm_init(&mm, gmm, "machine", GMM_OVERCOMMIT);
}

static void teardown(void)
{
    ck_assert_uint_eq(mm_clear(&mm), 0);
    g_clear_pointer(&gmm, gmm_free);
}

static void expect_reserved(uint64_t base, uint64_t shadow, uint64_t fixed)
{
    GmmReservation want = { { base, shadow, fixed } };
    GmmVmStats stats;

    gmm_vm_get_stats(mm.vm, &stats);
    ck_assert_mem_eq(&stats.reserved, &want, sizeof(want));
    ck_assert_mem_eq(&mm.reserved, &want, sizeof(want));
}

START_TEST(first_adjustment_reserves_the_handy_pages_too)
{
    expect_reserved(0, 0, 0);
    ck_assert(!mm.initial_done);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_FIXED, 7, "video", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES, 0, 7);
    ck_assert(mm.initial_done);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, 1, "tiny RAM", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES + 1, 0, 7);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_SHADOW, 3, "snapshot", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES + 1, 3, 7);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_FIXED, -7, "video", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES + 1, 3, 0);
}
END_TEST

static const struct {
    GmmAccount account;
    int64_t delta;
} absurd[] = {
    { GMM_ACCOUNT_BASE, -11 }, /* would take the handy pages */
    { GMM_ACCOUNT_FIXED, -1 },       { GMM_ACCOUNT_BASE, INT64_MIN },
    { GMM_ACCOUNT_BASE, INT64_MAX }, { GMM_ACCOUNT_SHADOW, (INT64_C(1) << 40) + 1 },
};

START_TEST(absurd_adjustments_change_nothing)
{
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, 10, "RAM", NULL), MEM_OK);
    ck_assert_int_eq(mm_adjust(&mm, absurd[_i].account, absurd[_i].delta, "joke", &error),
                     MEM_ERR_OUT_OF_RANGE);
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE));
    ck_assert_ptr_nonnull(strstr(error->message, "joke"));
    expect_reserved(MM_HANDY_PAGES + 10, 0, 0);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, -10, "RAM", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES, 0, 0);
}
END_TEST

START_TEST(failed_first_adjustment_leaves_the_machine_without_reservation)
{
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, -1, "RAM", NULL), MEM_ERR_OUT_OF_RANGE);
    ck_assert(!mm.initial_done);
    expect_reserved(0, 0, 0);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, 0, "RAM", NULL), MEM_OK);
    expect_reserved(MM_HANDY_PAGES, 0, 0);
}
END_TEST

START_TEST(reservation_in_use_cannot_be_given_up)
{
    g_autoptr(GError) error = NULL;
    GmmHandyPage pages[130];
    PageId ids[130];

    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, 10, "RAM", NULL), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc(mm.vm, GMM_ACCOUNT_BASE, 130, pages), MEM_OK);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, -9, "RAM", &error), MEM_ERR_BELOW_ALLOCATED);
    ck_assert_ptr_nonnull(error);
    expect_reserved(MM_HANDY_PAGES + 10, 0, 0);
    ck_assert_int_eq(mm_adjust(&mm, GMM_ACCOUNT_BASE, -8, "RAM", NULL), MEM_OK);
    for (unsigned i = 0; i < 130; i++) {
        ids[i] = pages[i].id;
    }
    ck_assert_int_eq(gmm_vm_free_pages(mm.vm, GMM_ACCOUNT_BASE, ids, 130), MEM_OK);
}
END_TEST

START_TEST(declined_reservation_says_what_to_do)
{
    g_autoptr(GError) error = NULL;
    Mm strict;

    gmm_set_limit(gmm, MM_HANDY_PAGES + 100);
    mm_init(&strict, gmm, "strict", GMM_NO_OVERCOMMIT);
    ck_assert_int_eq(mm_adjust(&strict, GMM_ACCOUNT_BASE, 101, "RAM", &error), MEM_ERR_DECLINED);
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_DECLINED));
    ck_assert_msg(strstr(error->message, "overcommit") != NULL, "%s", error->message);
    ck_assert_msg(strstr(error->message, "from 0 pages to 101") != NULL, "%s", error->message);
    ck_assert_int_eq(mm_adjust(&strict, GMM_ACCOUNT_BASE, 100, "RAM", NULL), MEM_OK);
    ck_assert_int_eq(mm_adjust(&strict, GMM_ACCOUNT_FIXED, 1, "video", NULL), MEM_ERR_DECLINED);
    ck_assert_uint_eq(mm_clear(&strict), 0);
}
END_TEST

/* ---- a machine's RAM */
static Pgm *pgm;

static void setup_machine(void)
{
    gmm = gmm_new(16 * M, NULL);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
}

static void teardown_machine(void)
{
    g_autoptr(GString) report = g_string_new(NULL);

    ck_assert_msg(pgm_verify(pgm, report) == 0, "%s", report->str);
    g_clear_pointer(&pgm, pgm_free);
    ck_assert_msg(gmm_verify(gmm, report) == 0, "%s", report->str);
    g_clear_pointer(&gmm, gmm_free);
}

static uint64_t reserved_base(void)
{
    GmmReservation reserved;

    mm_get_reserved(pgm, &reserved);
    return reserved.n_pages[GMM_ACCOUNT_BASE];
}

START_TEST(machine_gets_its_ram_once)
{
    g_autoptr(GError) error = NULL;
    PgmRangeInfo last;
    MmRam ram;

    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, 0);
    ck_assert_int_eq(mm_register_x86(pgm, 5 * G, DEFAULT, &error), MEM_OK);
    ck_assert_ptr_null(error);
    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, 5 * G);
    ck_assert_uint_eq(ram.hole, 512 * M);
    ck_assert_uint_eq(ram.below_4g, 3584 * M);
    ck_assert_uint_eq(ram.above_4g, 1536 * M);
    ck_assert_uint_eq(pgm_range_count(pgm), 4);
    ck_assert(pgm_range_get(pgm, 3, &last));
    ck_assert_uint_eq(last.start, 4 * G);
    ck_assert_uint_eq(last.len, 1536 * M);
    /* All of it but the 384K that do not exist, and the handy pages. */
    ck_assert_uint_eq(reserved_base(), (5 * G - 384 * K) / MEM_PAGE_SIZE + MM_HANDY_PAGES);

    ck_assert_int_eq(mm_register_x86(pgm, M, DEFAULT, &error), MEM_ERR_WRONG_ORDER);
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_WRONG_ORDER));
    ck_assert_uint_eq(pgm_range_count(pgm), 4);
}
END_TEST

START_TEST(small_machine_reserves_what_it_has)
{
    ck_assert_int_eq(mm_register_x86(pgm, 64 * K, DEFAULT, NULL), MEM_OK);
    ck_assert_uint_eq(reserved_base(), 16 + MM_HANDY_PAGES);
}
END_TEST

START_TEST(refused_sizes_register_nothing)
{
    g_autoptr(GError) error = NULL;
    MmRam ram;

    ck_assert_int_eq(mm_register_x86(pgm, refusals[_i].size, refusals[_i].hole, &error),
                     refusals[_i].status);
    ck_assert(g_error_matches(error, MEM_ERROR, (gint)refusals[_i].status));
    ck_assert_int_eq(mm_register_x86(pgm, refusals[_i].size, refusals[_i].hole, NULL),
                     refusals[_i].status);
    ck_assert_uint_eq(pgm_range_count(pgm), 0);
    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, 0);
}
END_TEST

/* Something is in the way of the region that starts there. */
static const GPhys obstacles[] = { 0, M, 2 * M, 4 * G };

START_TEST(conflict_registers_nothing)
{
    g_autoptr(GError) error = NULL;
    MmRam ram;

    ck_assert_int_eq(pgm_ram_register(pgm, obstacles[_i], MEM_PAGE_SIZE, "obstacle", NULL), MEM_OK);
    ck_assert_int_eq(mm_register_x86(pgm, 5 * G, DEFAULT, &error), MEM_ERR_CONFLICT);
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_CONFLICT));
    ck_assert_msg(strstr(error->message, "obstacle") != NULL, "%s", error->message);
    ck_assert_uint_eq(pgm_range_count(pgm), 1);
    ck_assert_uint_eq(reserved_base(), 1 + MM_HANDY_PAGES);
    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, 0);
}
END_TEST

START_TEST(ram_beyond_the_limit_is_declined_whole)
{
    PgmConfig config = { .name = "strict", .policy = GMM_NO_OVERCOMMIT };
    g_autoptr(GError) error = NULL;
    Pgm *strict = pgm_new(gmm, &config, NULL);

    gmm_set_limit(gmm, 16 * M / MEM_PAGE_SIZE);
    ck_assert_int_eq(mm_register_x86(strict, 17 * M, DEFAULT, &error), MEM_ERR_DECLINED);
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_DECLINED));
    ck_assert_uint_eq(pgm_range_count(strict), 0);
    ck_assert_int_eq(mm_register_x86(strict, 15 * M, DEFAULT, NULL), MEM_OK);
    pgm_free(strict);
}
END_TEST

/* ---- other machines */
START_TEST(regions_are_registered_as_given)
{
    static const MmRegion regions[] = {
        { 8 * G, 1 * G, "high" },
        { 0, 64 * K, "vectors" },
        { 4 * G - M, 3 * M, "straddles 4G" },
    };
    MmRam ram;
    PgmRangeInfo info;

    ck_assert_int_eq(mm_register_regions(pgm, regions, 3, NULL), MEM_OK);
    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, G + 64 * K + 3 * M);
    ck_assert_uint_eq(ram.hole, 0);
    ck_assert_uint_eq(ram.below_4g, 64 * K + M);
    ck_assert_uint_eq(ram.above_4g, G + 2 * M);
    ck_assert_uint_eq(pgm_range_count(pgm), 3);
    ck_assert(pgm_range_get(pgm, 1, &info));
    ck_assert_uint_eq(info.start, 4 * G - M);
    ck_assert_str_eq(info.description, "straddles 4G");
    ck_assert_uint_eq(reserved_base(), ram.size / MEM_PAGE_SIZE + MM_HANDY_PAGES);
    ck_assert_int_eq(mm_register_regions(pgm, regions, 1, NULL), MEM_ERR_WRONG_ORDER);
    ck_assert_int_eq(mm_register_x86(pgm, M, DEFAULT, NULL), MEM_ERR_WRONG_ORDER);
    ck_assert_uint_eq(pgm_range_count(pgm), 3);
}
END_TEST

static const struct {
    MmRegion regions[3];
    unsigned n;
    MemStatus status;
    const char *says, *says_too;
} bad_regions[] = {
    { .n = 0, .status = MEM_ERR_INVALID_PARAMETER, .says = "no region", .says_too = "machine" },
    { { { 0, M, "left" }, { M - 4 * K, M, "right" } }, 2, MEM_ERR_CONFLICT, "left", "right" },
    { { { M, M, "inner" }, { 8 * M, M, "apart" }, { 0, 4 * M, "outer" } },
      3,
      MEM_ERR_CONFLICT,
      "inner",
      "outer" },
    { { { 0, M, "good" }, { 2 * M, 100, "odd" } }, 2, MEM_ERR_UNALIGNED, "odd", "4 KiB" },
    { { { 0, M, "good" }, { 2 * M + 1, M, "odd" } }, 2, MEM_ERR_UNALIGNED, "odd", "4 KiB" },
    { { { 0, M, "good" }, { 2 * M, 0, "empty" } }, 2, MEM_ERR_UNALIGNED, "empty", "4 KiB" },
    { { { 0, M, "good" }, { MEM_GPHYS_LIMIT - M, 2 * M, "beyond" } },
      2,
      MEM_ERR_OUT_OF_RANGE,
      "beyond",
      "52" },
    { { { 0, M, "good" }, { UINT64_MAX - M + 1, M, "wraps" } },
      2,
      MEM_ERR_OUT_OF_RANGE,
      "wraps",
      "52" },
};

START_TEST(bad_regions_register_nothing)
{
    g_autoptr(GError) error = NULL;
    MmRam ram;

    ck_assert_int_eq(mm_register_regions(pgm, bad_regions[_i].regions, bad_regions[_i].n, &error),
                     bad_regions[_i].status);
    ck_assert(g_error_matches(error, MEM_ERROR, (gint)bad_regions[_i].status));
    ck_assert_msg(strstr(error->message, bad_regions[_i].says) != NULL, "%s", error->message);
    ck_assert_msg(strstr(error->message, bad_regions[_i].says_too) != NULL, "%s", error->message);
    ck_assert_uint_eq(pgm_range_count(pgm), 0);
    mm_get_ram(pgm, &ram);
    ck_assert_uint_eq(ram.size, 0);
    ck_assert_uint_le(reserved_base(), MM_HANDY_PAGES);
    ck_assert_int_eq(mm_register_x86(pgm, M, DEFAULT, NULL), MEM_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm");
    TCase *layout = tcase_create("layout"), *reservation = tcase_create("reservation");

    tcase_add_loop_test(layout, ram_lies_as_in_a_pc, 0, G_N_ELEMENTS(layouts));
    tcase_add_loop_test(layout, bad_sizes_are_refused_with_what_is_allowed, 0,
                        G_N_ELEMENTS(refusals));
    suite_add_tcase(suite, layout);

    tcase_add_checked_fixture(reservation, setup, teardown);
    tcase_add_test(reservation, first_adjustment_reserves_the_handy_pages_too);
    tcase_add_loop_test(reservation, absurd_adjustments_change_nothing, 0, G_N_ELEMENTS(absurd));
    tcase_add_test(reservation, failed_first_adjustment_leaves_the_machine_without_reservation);
    tcase_add_test(reservation, reservation_in_use_cannot_be_given_up);
    tcase_add_test(reservation, declined_reservation_says_what_to_do);
    suite_add_tcase(suite, reservation);

    TCase *machine = tcase_create("machine");
    tcase_add_checked_fixture(machine, setup_machine, teardown_machine);
    tcase_add_test(machine, machine_gets_its_ram_once);
    tcase_add_test(machine, small_machine_reserves_what_it_has);
    tcase_add_loop_test(machine, refused_sizes_register_nothing, 0, G_N_ELEMENTS(refusals));
    tcase_add_loop_test(machine, conflict_registers_nothing, 0, G_N_ELEMENTS(obstacles));
    tcase_add_test(machine, ram_beyond_the_limit_is_declined_whole);
    tcase_add_test(machine, regions_are_registered_as_given);
    tcase_add_loop_test(machine, bad_regions_register_nothing, 0, G_N_ELEMENTS(bad_regions));
    suite_add_tcase(suite, machine);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
