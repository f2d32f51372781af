/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of the model we follow, by their numbers in the project's notes; test-defects-gmm.c says
 * how. This file: ROM, MMIO, MMIO2.
 *
 * 12  ROM over RAM loses the page beneath and makes the counters wrong.
 * 13  Protecting ROM underflows if the request begins below it or spans a gap; values that are no
 *     protections are taken; handler bits travel with the pages that are exchanged.
 * 14  MMIO that meets MMIO is refused too late; a registration that fails leaves pages MMIO. (Or
 *     frees the wrong pointer: an MMIO range is one object, which its owner frees.)
 * 15  Whether a range is all MMIO is told from its first page, so RAM goes with the MMIO over it.
 * 16  Records of later chunks of a large MMIO2 are written to the first chunk.
 * 17  Unmapping MMIO2 over RAM takes the first range there is for the one beneath, and ZERO pages
 *     are not counted again.
 * 18  MMIO2: no more than 31 ids; a failure leaves the lock held; the address is never told; over
 *     RAM, unmapping goes out of bounds and tracking sees nothing.
 * 19  A changed region number reaches only the first chunk. (Region numbers do not change here, and
 *     an MMIO2 is one object whatever its size; that it is found and freed whole is tested.)
 */
#include "memsys/gmm-internal.h"
#include "tests/unit/defects-fixture.h"

/* ---- 12, 13: ROM */

START_TEST(defect_12_rom_over_backed_ram_leaks_nothing)
{
    store(P, 0x1234);
    Before was = before(pgm);

    rom(P, 1, 0xee, 0);
    ck_assert_uint_eq(gmm_allocated(), was.allocated + 1);
    check_sound();
    ck_assert_int_eq(pgm_rom_deregister(pgm, P), MEM_OK);
    check_unchanged(pgm, &was);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0x1234);
}
END_TEST

static void check_prots(GPhys start, const int *prots, unsigned n)
{
    PgmRomProt prot;

    for (unsigned i = 0; i < n; i++) {
        ck_assert(pgm_rom_get_protection(pgm, start + i * PAGE, &prot));
        ck_assert_int_eq((int)prot, prots[i]);
    }
}

START_TEST(defect_13_request_may_begin_below_a_rom_and_span_gaps)
{
    const GPhys second = ROM + 8 * PAGE;
    const GPhys plain = ROM + 4 * PAGE; /* between the two, not shadowed */

    rom(ROM, 4, 1, PGM_ROM_FLAG_SHADOWED);
    rom(plain, 1, 2, 0);
    rom(second, 4, 3, PGM_ROM_FLAG_SHADOWED);
    rom(HIGH + 2 * PAGE, 1, 4, PGM_ROM_FLAG_SHADOWED); /* over RAM */

    ck_assert_int_eq(pgm_rom_protect(pgm, ROM - 3 * PAGE, 5 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM),
                     MEM_OK);
    check_prots(ROM, (int[]) { 3, 3, 0, 0 }, 4);
    check_prots(second, (int[]) { 0, 0, 0, 0 }, 4);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM + 3 * PAGE, 6 * PAGE, PGM_ROM_READ_ROM_WRITE_RAM),
                     MEM_OK);
    check_prots(ROM, (int[]) { 3, 3, 0, 1 }, 4);
    check_prots(second, (int[]) { 1, 0, 0, 0 }, 4);
    check_prots(plain, (int[]) { 0 }, 1);
    /* All there is, from the first page on. */
    ck_assert_int_eq(
        pgm_rom_protect(pgm, 0, UINT64_MAX & MEM_PAGE_MASK, PGM_ROM_READ_RAM_WRITE_IGNORE), MEM_OK);
    check_prots(ROM, (int[]) { 2, 2, 2, 2 }, 4);
    check_prots(second, (int[]) { 2, 2, 2, 2 }, 4);
    check_prots(HIGH + 2 * PAGE, (int[]) { 2 }, 1);
    check_prots(plain, (int[]) { 0 }, 1);
    check_not_locked(pgm);
}
END_TEST

START_TEST(defect_13_what_is_no_protection_is_refused)
{
    static const int wrong[] = { -1, PGM_N_ROM_PROTS, PGM_N_ROM_PROTS + 1, 255, 256 };

    rom(ROM, 1, 1, PGM_ROM_FLAG_SHADOWED);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, (PgmRomProt)wrong[_i]),
                     MEM_ERR_INVALID_PARAMETER);
    check_prots(ROM, (int[]) { 0 }, 1);
}
END_TEST

/* A handler stays on its page whichever of ROM and RAM is shown there. */
START_TEST(defect_13_handlers_stay_where_they_are)
{
    unsigned n_calls = 0;
    PgmHandler *h;

    rom(ROM, 3, 1, PGM_ROM_FLAG_SHADOWED);
    h = handler(PGM_HANDLER_KIND_WRITE, ROM + PAGE, PAGE, &n_calls);
    for (unsigned lap = 0; lap < 2 * PGM_N_ROM_PROTS; lap++) {
        PgmRomProt prot = (PgmRomProt)(PGM_N_ROM_PROTS - 1 - lap % PGM_N_ROM_PROTS);

        ck_assert_int_eq(pgm_rom_protect(pgm, ROM, 3 * PAGE, prot), MEM_OK);
        for (unsigned i = 0; i < 3; i++) {
            n_calls = 0;
            (void)pgm_write_u32(pgm, ROM + i * PAGE, lap);
            ck_assert_uint_eq(n_calls, i == 1);
            ck_assert_int_eq(pgm_page_handler(record_at(ROM + i * PAGE)),
                             i == 1 ? PGM_HANDLER_WRITE : PGM_HANDLER_NONE);
        }
        check_sound();
    }
    pgm_handler_free(h);
    ck_assert_int_eq(pgm_page_handler(record_at(ROM + PAGE)), PGM_HANDLER_NONE);
}
END_TEST

/* ---- 14, 15: MMIO */

START_TEST(defect_14_refused_mmio_leaves_every_page_as_it_was)
{
    PgmMmio *low = mmio_new(2);
    PgmMmio *wide = mmio_new(8);

    store(P, 1);
    store(P + 6 * PAGE, 2);
    ck_assert_int_eq(pgm_mmio_map(low, P + 4 * PAGE, NULL), MEM_OK);
    Before was = before(pgm);

    ck_assert_int_eq(pgm_mmio_map(wide, P, NULL), MEM_ERR_CONFLICT);
    ck_assert_int_eq(pgm_mmio_map(wide, P + 4 * PAGE, NULL), MEM_ERR_CONFLICT);
    check_unchanged(pgm, &was);
    ck_assert_uint_eq(pgm_mmio_address(wide), MEM_GPHYS_NIL);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + 6 * PAGE), 2);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 4 * PAGE), 0x77);
    pgm_mmio_free(wide);
    check_sound();
}
END_TEST

/* Over all of a range of RAM; over its first page; beside other MMIO; with an alias first. */
START_TEST(defect_15_mmio_goes_without_the_ram_beneath)
{
    PgmMmio *whole = mmio_new(4), *first = mmio_new(1), *last = mmio_new(1);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, PAGE, false, "vram", NULL);

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 4 * PAGE, "small", NULL), MEM_OK);
    for (unsigned i = 0; i < 4; i++) {
        store(ABOVE + i * PAGE, 100 + i);
    }
    Before was = before(pgm);

    ck_assert_int_eq(pgm_mmio_map(whole, ABOVE, NULL), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, ABOVE + 3 * PAGE), 0x77);
    ck_assert_int_eq(pgm_mmio_unmap(whole), MEM_OK);
    check_unchanged(pgm, &was);

    ck_assert_int_eq(pgm_mmio_map(first, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(last, ABOVE + 3 * PAGE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_unmap(first), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, ABOVE + 3 * PAGE), 0x77);
    ck_assert_int_eq(pgm_mmio_unmap(last), MEM_OK);
    check_unchanged(pgm, &was);

    ck_assert_int_eq(pgm_mmio_map(whole, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(whole, 0, vram, 0), MEM_OK);
    pgm_mmio_free(whole);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, ABOVE + i * PAGE), 100 + i);
    }
    check_sound();
}
END_TEST

/* ---- 16 to 19: MMIO2 */

/* Of two and a half chunks. */
START_TEST(defect_16_each_page_of_a_large_mmio2_is_its_own)
{
    const unsigned n = 5 * MEM_CHUNK_PAGES / 2;
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, n * PAGE, true, "vram", NULL);
    unsigned n_wrong = 0;

    ck_assert_ptr_nonnull(vram);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    for (unsigned i = 0; i < n; i++) {
        n_wrong += pgm_write_u32(pgm, ABOVE + i * PAGE, i + 1) != MEM_OK;
    }
    const uint8_t *host = pgm_mmio2_host(vram);
    PageId first = page_at(ABOVE).id;

    for (unsigned i = 0; i < n; i++) {
        PgmPageInfo info;
        uint32_t value;

        memcpy(&value, host + i * PAGE, sizeof value);
        n_wrong += value != i + 1;
        n_wrong += !pgm_page_query(pgm, ABOVE + i * PAGE, &info) || info.id != first + i ||
                   info.type != PGM_PAGE_MMIO2;
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

START_TEST(defect_17_ram_beneath_an_mmio2_comes_back_at_each_unmap)
{
    static const GPhys places[] = { LOW + 4 * PAGE, P, ABOVE + 4 * PAGE, ABOVE };
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, 3 * PAGE, true, "vram", NULL);

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 16 * PAGE, "third", NULL), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        store(places[i] + PAGE, 50 + i); /* the pages on both sides stay ZERO */
    }
    Before was = before(pgm);

    for (unsigned lap = 0; lap < 12; lap++) {
        GPhys place = places[lap % G_N_ELEMENTS(places)];

        ck_assert_int_eq(pgm_mmio2_map(vram, place, NULL), MEM_OK);
        ck_assert_int_eq(pgm_write_u32(pgm, place + PAGE, 0xdead), MEM_OK);
        check_sound();
        ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
        ck_assert_int_eq(page_at(place).state, PGM_PAGE_ZERO);
        ck_assert_uint_eq(pgm_read_u32(pgm, place + PAGE), 50 + lap % G_N_ELEMENTS(places));
        ck_assert_uint_eq(stats().pages.zero, was.pages.zero);
        check_sound();
    }
    ck_assert_uint_eq(stats().pages.all, was.pages.all);
    ck_assert_uint_eq(gmm_allocated(), was.allocated);
}
END_TEST

#define MANY 100

START_TEST(defect_18_more_than_31_mmio2)
{
    /* A chunk each; on a host that grants so many to valgrind too. */
    Gmm *large = gmm_new_on(gmm->os, UINT64_C(512) << 20, NULL);
    Pgm *machine = pgm_new(large, NULL, NULL);
    PgmMmio2 *all[MANY];
    unsigned n_wrong = 0;

    for (unsigned i = 0; i < MANY; i++) {
        all[i] = pgm_mmio2_new(machine, "t", i, PAGE, true, "vram", NULL);
        ck_assert_ptr_nonnull(all[i]);
        ck_assert_int_eq(pgm_mmio2_map(all[i], ABOVE + i * PAGE, NULL), MEM_OK);
        n_wrong += pgm_write_u32(machine, ABOVE + i * PAGE, i) != MEM_OK;
    }
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t value;

        memcpy(&value, pgm_mmio2_host(all[i]), sizeof value);
        n_wrong += value != i;
        n_wrong += pgm_mmio2_lookup(machine, "t", i) != all[i];
        n_wrong += pgm_mmio2_address(all[i]) != ABOVE + i * PAGE;
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_uint_eq(pgm_verify(machine, NULL), 0);
    pgm_free(machine);
    gmm_free(large);
}
END_TEST

START_TEST(defect_18_refused_mmio2_leaves_no_lock_and_no_id)
{
    check_not_locked(pgm);
    Before was = before(pgm);
    static const FakeOsCall calls[] = { FAKE_TRY_ALLOC0, FAKE_PROTECT, FAKE_MAP_ZEROS };
    unsigned n_refused = 0;

    ck_assert_ptr_null(pgm_mmio2_new(pgm, "t", 0, PAGE + 1, true, "v", NULL));
    ck_assert_ptr_null(pgm_mmio2_new(pgm, "t", 0, UINT64_C(1) << 40, true, "v", NULL));
    for (unsigned n = 1; n < 8; n++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
            fake_os_fail(calls[i], n, n);
            PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, 40 * PAGE, true, "v", NULL);

            fake_os_heal();
            n_refused += vram == NULL;
            pgm_mmio2_free(vram);
            check_unchanged(pgm, &was);
            check_not_locked(pgm);
            ck_assert_ptr_null(pgm_mmio2_lookup(pgm, "t", 0));
        }
    }
    ck_assert_uint_ge(n_refused, 2);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, PAGE, true, "v", NULL);

    was = before(pgm);
    ck_assert_ptr_null(pgm_mmio2_new(pgm, "t", 0, PAGE, true, "v", NULL));
    check_unchanged(pgm, &was);
    check_not_locked(pgm);
    ck_assert_ptr_eq(pgm_mmio2_lookup(pgm, "t", 0), vram);
}
END_TEST

START_TEST(defect_18_mapping_address_is_told)
{
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, 2 * PAGE, true, "v", NULL);

    ck_assert_uint_eq(pgm_mmio2_address(vram), MEM_GPHYS_NIL);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    ck_assert_uint_eq(pgm_mmio2_address(vram), ABOVE);
    ck_assert_int_eq(pgm_mmio2_map(vram, P, NULL), MEM_OK); /* over RAM */
    ck_assert_uint_eq(pgm_mmio2_address(vram), P);
    ck_assert_int_eq(pgm_mmio2_map(vram, HIGH - PAGE, NULL), MEM_ERR_CONFLICT);
    ck_assert_uint_eq(pgm_mmio2_address(vram), P);
    ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
    ck_assert_uint_eq(pgm_mmio2_address(vram), MEM_GPHYS_NIL);
}
END_TEST

/* Tracking goes on however it is mapped, over RAM too, and at RAM itself nothing happens. */
START_TEST(defect_18_writes_over_ram_are_tracked_and_unmapping_ends_it)
{
    static const GPhys places[] = { P, ABOVE, Q };
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, 70 * PAGE, true, "v", NULL);
    uint64_t dirty[2];

    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        ck_assert_int_eq(pgm_mmio2_map(vram, places[i], NULL), MEM_OK);
        ck_assert_int_eq(pgm_mmio2_query_dirty(vram, dirty, 2), MEM_OK);
        store(places[i] + (3 + i) * PAGE, 1);
        store(places[i] + 69 * PAGE, 1);
        ck_assert_int_eq(pgm_mmio2_query_dirty(vram, dirty, 2), MEM_OK);
        ck_assert_uint_eq(dirty[0], UINT64_C(1) << (3 + i));
        ck_assert_uint_eq(dirty[1], UINT64_C(1) << 5);
        ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
        if (places[i] != ABOVE) {
            store(places[i] + 7 * PAGE, 1);
        }
        ck_assert_int_eq(pgm_mmio2_query_dirty(vram, dirty, 2), MEM_OK);
        ck_assert_uint_eq(dirty[0] | dirty[1], 0);
        check_sound();
    }
}
END_TEST

START_TEST(defect_19_region_names_all_of_a_large_mmio2)
{
    const uint64_t len = 3 * MEM_CHUNK_SIZE;
    uint64_t n_all = stats().pages.all;
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 7, len, true, "v", NULL);

    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    ck_assert_ptr_eq(pgm_mmio2_lookup(pgm, "t", 7), vram);
    ck_assert_uint_eq(pgm_mmio2_len(pgm_mmio2_lookup(pgm, "t", 7)), len);
    ck_assert_uint_eq(stats().pages.all, n_all + len / PAGE);
    pgm_mmio2_free(vram);
    ck_assert_ptr_null(pgm_mmio2_lookup(pgm, "t", 7));
    ck_assert_uint_eq(stats().pages.all, n_all);
    for (GPhys gpa = ABOVE; gpa < ABOVE + len; gpa += MEM_CHUNK_SIZE) {
        ck_assert_uint_eq(pgm_read_u8(pgm, gpa), 0xff);
    }
    vram = pgm_mmio2_new(pgm, "t", 8, len, true, "v", NULL);
    ck_assert_ptr_eq(pgm_mmio2_lookup(pgm, "t", 8), vram);
    ck_assert_ptr_null(pgm_mmio2_lookup(pgm, "t", 7));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("defects-devices");
    TCase *tc = tcase_create("defects");

    tcase_add_checked_fixture(tc, pgm_setup, pgm_teardown);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, defect_12_rom_over_backed_ram_leaks_nothing);
    tcase_add_test(tc, defect_13_request_may_begin_below_a_rom_and_span_gaps);
    tcase_add_loop_test(tc, defect_13_what_is_no_protection_is_refused, 0, 5);
    tcase_add_test(tc, defect_13_handlers_stay_where_they_are);
    tcase_add_test(tc, defect_14_refused_mmio_leaves_every_page_as_it_was);
    tcase_add_test(tc, defect_15_mmio_goes_without_the_ram_beneath);
    tcase_add_test(tc, defect_16_each_page_of_a_large_mmio2_is_its_own);
    tcase_add_test(tc, defect_17_ram_beneath_an_mmio2_comes_back_at_each_unmap);
    tcase_add_test(tc, defect_18_more_than_31_mmio2);
    tcase_add_test(tc, defect_18_refused_mmio2_leaves_no_lock_and_no_id);
    tcase_add_test(tc, defect_18_mapping_address_is_told);
    tcase_add_test(tc, defect_18_writes_over_ram_are_tracked_and_unmapping_ends_it);
    tcase_add_test(tc, defect_19_region_names_all_of_a_large_mmio2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
