/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO2: one stable host pointer wherever the guest moves it, and dirty tracking that misses
 * nothing.
 */
#include "tests/unit/pgm-fixture.h"

#define N 70u /* pages: more than one word of bits */
#define LFB ABOVE

static PgmMmio2 *vram;

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    pgm_setup();
    vram = pgm_mmio2_new(pgm, "vga", 2, N * PAGE, true, "vram", &error);
    ck_assert_msg(vram != NULL, "%s", error ? error->message : "");
    told_reset();
}

static void map_at(GPhys gpa)
{
    ck_assert_int_eq(pgm_mmio2_map(vram, gpa, NULL), MEM_OK);
}

/* The dirty pages as one number, asked once; pages 0 to 31 and 64 to 69 only matter here. */
static uint64_t dirty_now(void)
{
    uint64_t bits[2] = { ~UINT64_C(0), ~UINT64_C(0) };

    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, bits, 2), MEM_OK);
    ck_assert_uint_eq(bits[1] >> 6, 0);
    ck_assert_uint_eq(bits[0] >> 32, 0);
    return bits[0] | bits[1] << 32;
}

START_TEST(memory_is_zero_and_moves_with_its_bytes)
{
    uint8_t *host = pgm_mmio2_host(vram);

    for (unsigned i = 0; i < N * PAGE; i += 8) {
        if (host[i] != 0) {
            ck_abort_msg("byte %u", i);
        }
    }
    ck_assert_uint_eq(pgm_mmio2_len(vram), N * PAGE);
    ck_assert_uint_eq(pgm_mmio2_address(vram), MEM_GPHYS_NIL);
    map_at(LFB);
    store(LFB + 5 * PAGE, 0x1234);
    ck_assert_int_eq(page_at(LFB).type, PGM_PAGE_MMIO2);
    map_at(LFB + 3 * PAGE); /* over itself */
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB + 8 * PAGE), 0x1234);
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB), UINT32_MAX);
    store(HIGH + 5 * PAGE, 7);
    map_at(HIGH); /* over RAM */
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 5 * PAGE), 0x1234);
    ck_assert_ptr_eq(pgm_mmio2_host(vram), host);
    ck_assert_uint_eq(pgm_mmio2_address(vram), HIGH);
    ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + 5 * PAGE), 7);
    ck_assert_uint_eq(host[5 * PAGE], 0x34);
    ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_ERR_WRONG_ORDER);
}
END_TEST

START_TEST(refused_place_leaves_the_old_one)
{
    g_autoptr(GError) error = NULL;

    map_at(LFB);
    ck_assert_int_eq(pgm_mmio2_map(vram, HIGH - PAGE, &error), MEM_ERR_CONFLICT);
    ck_assert_uint_eq(pgm_mmio2_address(vram), LFB);
    store(LFB, 1);
    ck_assert_uint_eq(pgm_mmio2_host(vram)[0], 1);
}
END_TEST

START_TEST(owner_and_region_are_unique)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(pgm_mmio2_new(pgm, "vga", 2, PAGE, false, "twin", &error));
    ck_assert_int_eq(error->code, MEM_ERR_ALREADY_EXISTS);
    ck_assert_ptr_eq(pgm_mmio2_lookup(pgm, "vga", 2), vram);
    ck_assert_ptr_null(pgm_mmio2_lookup(pgm, "vga", 1));
    ck_assert_ptr_null(pgm_mmio2_lookup(pgm, "nic", 2));
    ck_assert_ptr_nonnull(pgm_mmio2_new(pgm, "vga", 1, PAGE, false, "other", NULL));
    ck_assert_ptr_nonnull(pgm_mmio2_new(pgm, "nic", 2, PAGE, false, "other", NULL));
}
END_TEST

START_TEST(memory_that_cannot_be_had_changes_nothing)
{
    static const struct {
        uint64_t len;
        FakeOsCall fault;
        unsigned nth;
        MemStatus status;
    } cases[] = {
        { 100, 0, 0, MEM_ERR_UNALIGNED },
        { 0, 0, 0, MEM_ERR_UNALIGNED },
        { UINT64_C(1) << 40, 0, 0, MEM_ERR_NO_MEMORY }, /* more than the arena */
        { 4 * PAGE, FAKE_TRY_ALLOC0, 1, MEM_ERR_HOST_MEMORY },
        { 4 * PAGE, FAKE_TRY_ALLOC0, 3, MEM_ERR_HOST_MEMORY },
    };
    g_autoptr(GError) error = NULL;
    GmmReservation before, after;
    PgmStats counted = stats();

    mm_get_reserved(pgm, &before);
    if (cases[_i].nth != 0) {
        fake_os_fail(cases[_i].fault, cases[_i].nth, UINT_MAX);
    }
    ck_assert_ptr_null(pgm_mmio2_new(pgm, "nic", 0, cases[_i].len, true, "new", &error));
    ck_assert_int_eq(error->code, cases[_i].status);
    mm_get_reserved(pgm, &after);
    ck_assert_mem_eq(&before, &after, sizeof before);
    PgmStats now = stats();

    ck_assert_mem_eq(&counted.pages, &now.pages, sizeof now.pages);
}
END_TEST

START_TEST(free_returns_everything)
{
    GmmReservation reserved;
    uint64_t all = stats().pages.all;

    map_at(LFB);
    PageId id = fill(LFB, MEM_ACCESS_EXEC).id;

    told_reset();
    pgm_mmio2_free(vram);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert(told.executed);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert(!pgm_page_executed(pgm, id));
    mm_get_reserved(pgm, &reserved);
    ck_assert_uint_eq(reserved.n_pages[GMM_ACCOUNT_FIXED], 0);
    ck_assert_uint_eq(stats().pages.all, all - N);
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB), UINT32_MAX);
}
END_TEST

START_TEST(reduced_memory_shows_less)
{
    ck_assert_int_eq(pgm_mmio2_reduce(vram, 0), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio2_reduce(vram, (N + 1) * PAGE), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio2_reduce(vram, PAGE + 1), MEM_ERR_UNALIGNED);
    ck_assert_int_eq(pgm_mmio2_reduce(vram, 2 * PAGE), MEM_OK);
    ck_assert_uint_eq(pgm_mmio2_len(vram), 2 * PAGE);
    map_at(LFB);
    store(LFB + PAGE, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB + 2 * PAGE), UINT32_MAX);
    ck_assert_int_eq(pgm_mmio2_reduce(vram, N * PAGE), MEM_ERR_WRONG_ORDER);
    ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_reduce(vram, N * PAGE), MEM_OK);
    map_at(LFB);
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB + 2 * PAGE), 0);
}
END_TEST

START_TEST(reset_keeps_the_bytes)
{
    map_at(LFB);
    store(LFB, 9);
    pgm_reset(pgm);
    ck_assert_uint_eq(pgm_read_u32(pgm, LFB), 9);
}
END_TEST

/* ---- dirty tracking */

typedef enum Way { TYPED, BULK, BULK_ZEROS, CPU_FILL, BUS, POKE, OWNER, N_WAYS } Way;

static void dirty_page(Way way, unsigned page)
{
    GPhys gpa = LFB + page * PAGE + 16;
    uint32_t value = 0x11, zero = 0;

    switch (way) {
    case TYPED:
        store(gpa, value);
        break;
    case BULK:
        ck_assert_int_eq(pgm_write(pgm, gpa, &value, 4, MEM_ORIGIN_DEVICE), MEM_OK);
        break;
    case BULK_ZEROS:
        ck_assert_int_eq(pgm_write(pgm, gpa, &zero, 4, MEM_ORIGIN_DEVICE), MEM_OK);
        break;
    case CPU_FILL:
        ck_assert_uint_eq(fill(gpa, MEM_ACCESS_WRITE).perms, MEM_ACCESS_READ | MEM_ACCESS_WRITE);
        break;
    case BUS:
        ck_assert_int_eq(pgm_bus_write(pgm, gpa, 4, value, MEM_ORIGIN_CPU), MEM_OK);
        break;
    case POKE:
        ck_assert_int_eq(pgm_poke(pgm, gpa, &value, 4), MEM_OK);
        break;
    case OWNER:
        ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, gpa - LFB, 1), MEM_OK);
        break;
    case N_WAYS:
        break;
    }
}

START_TEST(every_write_marks_its_page_each_time)
{
    map_at(LFB);
    store(LFB, 1); /* before tracking: starts clean all the same */
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_uint_eq(dirty_now(), 0);
    for (unsigned round = 0; round < 3; round++) {
        (void)pgm_read_u32(pgm, LFB);
        (void)fill(LFB + 3 * PAGE, MEM_ACCESS_READ);
        ck_assert_uint_eq(dirty_now(), 0);
        dirty_page((Way)_i, 3);
        dirty_page((Way)_i, 3);
        dirty_page((Way)_i, 69);
        check_sound();
        ck_assert_uint_eq(dirty_now(), 1 << 3 | UINT64_C(1) << (32 + 5));
        ck_assert_uint_eq(dirty_now(), 0);
    }
}
END_TEST

START_TEST(cpu_loses_its_right_to_write_at_a_query)
{
    map_at(LFB);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    (void)fill(LFB, MEM_ACCESS_WRITE);
    told_reset();
    (void)dirty_now();
    ck_assert_uint_eq(told.n_pages, 1);
    ck_assert_uint_eq(told.gpas[0], LFB);
    ck_assert_uint_eq(fill(LFB, MEM_ACCESS_READ).perms, MEM_ACCESS_READ);
    /* Many pages: told once for all. */
    for (unsigned i = 0; i < 20; i++) {
        (void)fill(LFB + i * PAGE, MEM_ACCESS_WRITE);
    }
    told_reset();
    ck_assert_uint_eq(dirty_now(), (1 << 20) - 1);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert_uint_eq(told.n_pages, 0);
}
END_TEST

START_TEST(tracking_off_marks_nothing_and_on_starts_clean)
{
    map_at(LFB);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    store(LFB, 1);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, false), MEM_OK);
    store(LFB + PAGE, 1);
    ck_assert_uint_eq(dirty_now(), 1); /* marked while it was on */
    store(LFB + 2 * PAGE, 1);
    ck_assert_uint_eq(dirty_now(), 0);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_uint_eq(dirty_now(), 0);
    store(LFB + 2 * PAGE, 2);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK); /* on already */
    ck_assert_uint_eq(dirty_now(), 4);
}
END_TEST

START_TEST(dirt_survives_moves_and_unmapping)
{
    map_at(LFB);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    store(LFB, 1);
    map_at(LFB + 0x100000);
    store(LFB + 0x100000 + PAGE, 1);
    ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, 4 * PAGE - 1, 2), MEM_OK);
    ck_assert_uint_eq(dirty_now(), 1 | 2 | 8 | 16);
    map_at(LFB);
    store(LFB, 1);
    ck_assert_uint_eq(dirty_now(), 1);
}
END_TEST

START_TEST(monitoring_for_somebody_else_loses_no_dirt)
{
    map_at(LFB);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    store(LFB, 1);
    pgm_monitor_all_internal(pgm);
    ck_assert_int_eq(page_at(LFB).state, PGM_PAGE_WRITE_MONITORED);
    ck_assert_uint_eq(dirty_now(), 1);
    store(LFB, 1);
    ck_assert_uint_eq(dirty_now(), 1);
}
END_TEST

START_TEST(wrong_questions_are_refused)
{
    uint64_t bits[2];
    PgmMmio2 *plain = pgm_mmio2_new(pgm, "nic", 0, PAGE, false, "plain", NULL);

    ck_assert_int_eq(pgm_mmio2_set_tracking(plain, true), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(pgm_mmio2_query_dirty(plain, bits, 1), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, bits, 1), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, bits, 3), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, N * PAGE, 1), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, 0, N * PAGE + 1), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, 8, UINT64_MAX), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, N * PAGE, 0), MEM_OK);
    /* Without a bitmap it only resets. */
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, 0, 1), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, NULL, 2), MEM_OK);
    ck_assert_uint_eq(dirty_now(), 0);
}
END_TEST

START_TEST(owners_write_to_executed_memory_is_told)
{
    map_at(LFB);
    PageId id = fill(LFB + PAGE, MEM_ACCESS_EXEC).id;

    told_reset();
    ck_assert_int_eq(pgm_mmio2_mark_dirty(vram, PAGE + 4, 8), MEM_OK);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    ck_assert_uint_eq(told.code_offset, 4);
    ck_assert_uint_eq(told.code_len, 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mmio2");
    TCase *tcase = tcase_create("mmio2");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_test(tcase, memory_is_zero_and_moves_with_its_bytes);
    tcase_add_test(tcase, refused_place_leaves_the_old_one);
    tcase_add_test(tcase, owner_and_region_are_unique);
    tcase_add_loop_test(tcase, memory_that_cannot_be_had_changes_nothing, 0, 5);
    tcase_add_test(tcase, free_returns_everything);
    tcase_add_test(tcase, reduced_memory_shows_less);
    tcase_add_test(tcase, reset_keeps_the_bytes);
    tcase_add_loop_test(tcase, every_write_marks_its_page_each_time, 0, N_WAYS);
    tcase_add_test(tcase, cpu_loses_its_right_to_write_at_a_query);
    tcase_add_test(tcase, tracking_off_marks_nothing_and_on_starts_clean);
    tcase_add_test(tcase, dirt_survives_moves_and_unmapping);
    tcase_add_test(tcase, monitoring_for_somebody_else_loses_no_dirt);
    tcase_add_test(tcase, wrong_questions_are_refused);
    tcase_add_test(tcase, owners_write_to_executed_memory_is_told);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
