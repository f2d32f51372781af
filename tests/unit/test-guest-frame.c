/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which guest page the allocator believes a host page to stand behind: plain RAM alone may ever be
 * shared by content, so nothing else has an address there.
 */
#include "tests/unit/pgm-fixture.h"

/* The allocator's guest address of what lies at @gpa. */
static GPhys frame_of(GPhys gpa)
{
    GmmPageState state = GMM_PAGE_FREE;
    GPhys frame = 0;
    GmmVm *owner;
    uint32_t refs;

    pgm_handy_report(pgm);
    ck_assert(gmm_page_query(gmm, page_at(gpa).id, &state, &owner, &frame, &refs));
    ck_assert_int_eq(state,
                     page_at(gpa).state == PGM_PAGE_SHARED ? GMM_PAGE_SHARED : GMM_PAGE_PRIVATE);
    return frame;
}

START_TEST(ram_has_its_address)
{
    store(HIGH + 3 * PAGE + 8, 1);
    ck_assert_uint_eq(frame_of(HIGH + 3 * PAGE), HIGH + 3 * PAGE);
    store(LOW, 1);
    ck_assert_uint_eq(frame_of(LOW), LOW);
}
END_TEST

START_TEST(rom_and_the_ram_behind_it_have_none)
{
    ck_assert_int_eq(
        pgm_rom_register(pgm, HOLE, PAGE, NULL, 0, 0, PGM_ROM_FLAG_SHADOWED, "t", "r", NULL),
        MEM_OK);
    ck_assert_uint_eq(frame_of(HOLE), MEM_GPHYS_NIL);
    ck_assert_int_eq(pgm_rom_protect(pgm, HOLE, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(HOLE, 1);
    ck_assert_int_eq(page_at(HOLE).type, PGM_PAGE_ROM_SHADOW);
    ck_assert_uint_eq(frame_of(HOLE), MEM_GPHYS_NIL);
}
END_TEST

START_TEST(shadow_over_ram_has_none)
{
    ck_assert_int_eq(
        pgm_rom_register(pgm, HIGH, PAGE, NULL, 0, 0, PGM_ROM_FLAG_SHADOWED, "t", "r", NULL),
        MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, HIGH, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(HIGH, 1);
    ck_assert_uint_eq(frame_of(HIGH), MEM_GPHYS_NIL);
}
END_TEST

START_TEST(copy_of_a_shared_page_has_its_address)
{
    store(HIGH, 1);
    ck_assert_int_eq(pgm_page_share_internal(pgm, HIGH), MEM_OK);
    store(HIGH, 2);
    ck_assert_int_eq(page_at(HIGH).state, PGM_PAGE_ALLOCATED);
    ck_assert_uint_eq(frame_of(HIGH), HIGH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest frames");
    TCase *tcase = tcase_create("frames");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, ram_has_its_address);
    tcase_add_test(tcase, rom_and_the_ram_behind_it_have_none);
    tcase_add_test(tcase, shadow_over_ram_has_none);
    tcase_add_test(tcase, copy_of_a_shared_page_has_its_address);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
