/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of the model we follow, by their numbers in the project's notes; test-defects-gmm.c says
 * how. This file: sharing, accesses, handlers, saving, ballooned pages.
 *
 * 20  The test of equal pages is inverted.
 * 21  Writing to the RAM behind ROM adds the offset within the page twice.
 * 22  The lock-free search for a range compares wrongly at the first byte past a range or in it.
 *     (No search is lock-free; the cached one and the one for other threads are tested.)
 * 23  Registering a handler leaves CPUs what they hold; a freed handler's neighbours are recomputed
 *     by an uninitialised flag; a load overwrites a page's state instead of taking the strongest of
 *     its handlers; the number of pages switched off goes stale.
 * 24  A live save takes plain ROM for shadowed and the other way round; whether a page is zeros is
 *     read after the lock was given up.
 * 25  MMIO over a ballooned page leaves the balloon's account wrong.
 * 26  Asking for a ballooned page to write to is an assertion.
 */
#include "memsys/saved_state.h"
#include "memsys/snapshot.h"
#include "tests/unit/defects-fixture.h"

#include <glib/gstdio.h>

/* ---- 20: equal pages */

static void fill_page(GPhys gpa, uint8_t kind)
{
    uint8_t bytes[4096];

    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + kind);
    }
    ck_assert_int_eq(pgm_write(pgm, gpa, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
}

START_TEST(defect_20_equal_pages_merge_and_others_do_not)
{
    fill_page(P, 1);
    fill_page(P + PAGE, 1);
    fill_page(Q, 2);
    fill_page(Q + PAGE, 2);
    ck_assert_int_eq(pgm_write_u8(pgm, P + PAGE + 4095, 0), MEM_OK);
    pgm_set_sharing(pgm, true);
    for (unsigned i = 0; i < 5; i++) {
        (void)pgm_share_slice(pgm, 10000);
    }
    ck_assert_uint_eq(page_at(Q).id, page_at(Q + PAGE).id);
    ck_assert_uint_ne(page_at(P).id, page_at(P + PAGE).id);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE + 4095), 0);
    ck_assert_uint_ne(pgm_read_u8(pgm, P + 4095), 0);
}
END_TEST

/* ---- 21: the RAM behind ROM */

static void write_typed(GPhys gpa, uint32_t value)
{
    ck_assert_int_eq(pgm_write_u32(pgm, gpa, value), MEM_OK);
}

static void write_bulk(GPhys gpa, uint32_t value)
{
    ck_assert_int_eq(pgm_write(pgm, gpa, &value, 4, MEM_ORIGIN_DEVICE), MEM_OK);
}

static void write_bus(GPhys gpa, uint32_t value)
{
    ck_assert_int_eq(pgm_bus_write(pgm, gpa, 4, value, MEM_ORIGIN_CPU), MEM_OK);
}

static void write_outside(GPhys gpa, uint32_t value)
{
    ck_assert_int_eq(pgm_external_write(pgm, gpa, &value, 4, MEM_ORIGIN_DEVICE), MEM_OK);
}

static void (*const writers[])(GPhys gpa, uint32_t value) = { write_typed, write_bulk, write_bus,
                                                              write_outside };

START_TEST(defect_21_writes_behind_rom_land_at_their_offset)
{
    static const uint32_t offsets[] = { 4, 0x100, 0x7fc, 0x800, 0xffc };
    uint8_t expected[2 * 4096] = { 0 };
    uint8_t got[2 * 4096];

    rom(ROM, 2, 0xee, PGM_ROM_FLAG_SHADOWED);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, 2 * PAGE, PGM_ROM_READ_ROM_WRITE_RAM), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
        uint32_t value = 0x01020304 * (i + 1);

        writers[_i](ROM + PAGE + offsets[i], value);
        memcpy(expected + PAGE + offsets[i], &value, 4);
        ck_assert_uint_eq(pgm_read_u8(pgm, ROM + PAGE + offsets[i]), 0xee);
    }
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, 2 * PAGE, PGM_ROM_READ_RAM_WRITE_IGNORE), MEM_OK);
    ck_assert_int_eq(pgm_read(pgm, ROM, got, sizeof got, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_mem_eq(got, expected, sizeof got);
}
END_TEST

/* ---- 22: finding a range */

/* What each way to ask says about the byte: 0 (RAM), 0xff (nothing there), or -1: they differ. */
static int ask_all(GPhys gpa)
{
    uint8_t bytes[3];
    PgmPageInfo info;
    bool there = pgm_page_query(pgm, gpa, &info);

    bytes[0] = pgm_read_u8(pgm, gpa);
    (void)pgm_read(pgm, gpa, &bytes[1], 1, MEM_ORIGIN_DEVICE);
    (void)pgm_external_read(pgm, gpa, &bytes[2], 1, MEM_ORIGIN_DEBUGGER);
    if (bytes[0] != bytes[1] || bytes[0] != bytes[2] || there != (bytes[0] == 0) ||
        (fill(gpa, MEM_ACCESS_READ).kind == PGM_FILL_UNASSIGNED) != (bytes[0] == 0xff)) {
        return -1;
    }
    return bytes[0];
}

/* 32 MiB apart share a slot of the range cache; each byte is asked about after each other one. */
START_TEST(defect_22_ranges_end_where_they_end)
{
    const struct {
        GPhys gpa;
        int says;
    } asked[] = {
        { LOW, 0 },
        { LOW_LEN - 1, 0 },
        { LOW_LEN, 0xff },
        { HIGH - 1, 0xff },
        { HIGH, 0 },
        { HIGH + HIGH_LEN - 1, 0 },
        { ABOVE - 1, 0xff },
        { ABOVE, 0 },
        { ABOVE + PAGE - 1, 0 },
        { ABOVE + 2 * PAGE - 1, 0xff },
        { ABOVE + 2 * PAGE, 0 },
        { ABOVE + 3 * PAGE, 0xff },
        { HIGH + HIGH_LEN, 0xff },
        { UINT64_MAX, 0xff },
    };
    unsigned n_wrong = 0;

    ck_assert_uint_eq(ABOVE >> PGM_RANGE_CACHE_SHIFT & (PGM_RANGE_CACHE_SLOTS - 1), 0);
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, PAGE, "one", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE + 2 * PAGE, PAGE, "two", NULL), MEM_OK);
    for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(asked); k++) {
            n_wrong += ask_all(asked[i].gpa) != asked[i].says;
            n_wrong += ask_all(asked[k].gpa) != asked[k].says;
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

/* ---- 23: handlers */

START_TEST(defect_23_cpus_lose_what_they_hold_when_a_handler_comes)
{
    const PgmHandlerKind kind = _i == 0 ? PGM_HANDLER_KIND_WRITE : PGM_HANDLER_KIND_ALL;
    unsigned n_calls = 0;

    store(P, 1);
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_DIRECT);
    (void)pgm_read_u32(pgm, P); /* in the page-map TLB too */
    told_reset();
    PgmHandler *h = handler(kind, P, PAGE, &n_calls);

    ck_assert_uint_eq(told.n_pages + told.n_all, 1);
    ck_assert_uint_eq(told.n_pages == 1 ? told.gpas[0] : P, P);
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_CATCH);
    store(P, 2);
    ck_assert_uint_eq(n_calls, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 2);
    ck_assert_uint_eq(n_calls, _i == 0 ? 1 : 2);
    pgm_handler_free(h);
}
END_TEST

START_TEST(defect_23_page_follows_the_handlers_that_are_left)
{
    unsigned calls[3] = { 0 };
    PgmHandler *h[3];

    for (unsigned i = 0; i < 3; i++) {
        h[i] = handler(PGM_HANDLER_KIND_WRITE, P + 0x100 * i, 0x10, &calls[i]);
    }
    ck_assert_int_eq(pgm_handler_page_off(h[1], P), MEM_OK);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    pgm_handler_free(h[0]);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    pgm_handler_free(h[2]);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_DISABLED);
    check_sound();
    pgm_handler_free(h[1]);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_NONE);
}
END_TEST

/* Of two handlers in one page, one is switched off when the snapshot is taken: either one. */
START_TEST(defect_23_restored_page_has_the_strongest_of_its_handlers)
{
    unsigned calls[2] = { 0 };
    PgmHandler *h[2];

    for (unsigned i = 0; i < 2; i++) {
        h[i] = handler(PGM_HANDLER_KIND_WRITE, P + 0x100 * i, 0x10, &calls[i]);
    }
    store(P, 0);
    ck_assert_int_eq(pgm_handler_page_off(h[_i], P), MEM_OK);
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);

    pgm_handler_reset(h[_i]);
    ck_assert_int_eq(pgm_handler_page_off(h[!_i], P), MEM_OK);
    pgm_snapshot_restore(snapshot);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    memset(calls, 0, sizeof calls);
    store(P, 1);
    store(P + 0x100, 1);
    ck_assert_uint_eq(calls[_i], 0);
    ck_assert_uint_eq(calls[!_i], 1);
    check_sound();
    /* Nothing stale: switched on again, both catch; off, none does. */
    pgm_handler_reset(h[_i]);
    store(P, 2);
    store(P + 0x100, 2);
    ck_assert_uint_eq(calls[_i], 1);
    ck_assert_uint_eq(calls[!_i], 2);
    ck_assert_int_eq(pgm_handler_page_off(h[0], P), MEM_OK);
    ck_assert_int_eq(pgm_handler_page_off(h[1], P), MEM_OK);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_DISABLED);
    pgm_reset(pgm);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    check_sound();
    pgm_handler_free(h[0]);
    pgm_handler_free(h[1]);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_NONE);
    pgm_snapshot_drop(snapshot);
}
END_TEST

/* ---- 24: live save */

static Pgm *twin_new(void)
{
    Pgm *twin = pgm_new(gmm, NULL, NULL);
    const PgmRomFlags flags[] = { PGM_ROM_FLAG_SHADOWED, 0 };

    ck_assert_int_eq(pgm_ram_register(twin, LOW, LOW_LEN, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(twin, HIGH, HIGH_LEN, "high", NULL), MEM_OK);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(pgm_rom_register(twin, ROM + i * 4 * PAGE, 4 * PAGE, NULL, 0, 0xee,
                                          flags[i], "t", i == 0 ? "bios" : "option", NULL),
                         MEM_OK);
    }
    return twin;
}

/* Both kinds of ROM, in every protection; and pages that become zeros or cease to be between the
 * passes. */
START_TEST(defect_24_live_save_keeps_shadow_ram_of_shadowed_rom_only)
{
    g_autofree char *path = NULL;
    ck_assert(g_close(g_file_open_tmp("test-defects-XXXXXX", &path, NULL), NULL));
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    Pgm *from = twin_new(), *to = twin_new();
    PgmLiveProgress progress;
    PgmRomProt prot;

    for (unsigned p = 0; p < PGM_N_ROM_PROTS; p++) {
        GPhys gpa = ROM + p * PAGE;

        ck_assert_int_eq(pgm_rom_protect(from, gpa, PAGE, PGM_ROM_READ_ROM_WRITE_RAM), MEM_OK);
        ck_assert_int_eq(pgm_write_u32(from, gpa, 0x1000 + p), MEM_OK);
        ck_assert_int_eq(pgm_rom_protect(from, gpa, PAGE, (PgmRomProt)p), MEM_OK);
    }
    ck_assert_int_eq(pgm_write_u32(from, P, 1), MEM_OK);
    PgmLiveSave *live = pgm_live_save_new(from, writer, NULL);

    ck_assert_ptr_nonnull(live);
    pgm_live_save_step(live, 10000, &progress);
    ck_assert_int_eq(pgm_write_u32(from, ROM + 3 * PAGE, 0x2003), MEM_OK); /* shadow RAM */
    ck_assert_int_eq(pgm_write_u32(from, P, 0), MEM_OK);                   /* now zeros */
    ck_assert_int_eq(pgm_write_u32(from, Q, 2), MEM_OK);                   /* no more */
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(mem_state_writer_commit(writer, NULL));

    MemStateReader *reader = mem_state_reader_new(path, NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(pgm_write_u32(to, P, 5), MEM_OK);
    ck_assert_msg(pgm_load_check(to, reader, &error), "%s", error ? error->message : "");
    ck_assert(pgm_load_apply(to, reader, NULL));
    mem_state_reader_free(reader);
    g_unlink(path);
    ck_assert_uint_eq(pgm_read_u32(to, P), 0);
    ck_assert_uint_eq(pgm_read_u32(to, Q), 2);
    ck_assert_uint_eq(pgm_read_u32(to, ROM + 4 * PAGE), 0xeeeeeeee);
    for (unsigned p = 0; p < PGM_N_ROM_PROTS; p++) {
        GPhys gpa = ROM + p * PAGE;

        ck_assert(pgm_rom_get_protection(to, gpa, &prot));
        ck_assert_uint_eq(prot, p);
        ck_assert_int_eq(pgm_rom_protect(to, gpa, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
        ck_assert_uint_eq(pgm_read_u32(to, gpa), p == 3 ? 0x2003 : 0x1000 + p);
    }
    ck_assert_uint_eq(pgm_verify(to, NULL), 0);
    pgm_free(from);
    pgm_free(to);
}
END_TEST

/* ---- 25, 26: ballooned pages */

START_TEST(defect_25_overlay_keeps_a_ballooned_page_beneath)
{
    const GPhys gpa = P;
    PgmMmio *mmio = mmio_new(1);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "t", 0, PAGE, false, "vram", NULL);

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    Before was = before(pgm);

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(pgm_mmio_map(mmio, P, NULL), MEM_OK);
        ck_assert_uint_eq(pgm_read_u8(pgm, P), 0x77);
        ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_ERR_NOT_RAM);
        ck_assert_uint_eq(stats().pages.ballooned, 1);
        check_sound();
        ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
        ck_assert_int_eq(pgm_mmio2_map(vram, P, NULL), MEM_OK);
        ck_assert_int_eq(pgm_write_u32(pgm, P, 3), MEM_OK);
        check_sound();
        ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
        rom(P, 1, 0xee, 0);
        check_sound();
        ck_assert_int_eq(pgm_rom_deregister(pgm, P), MEM_OK);
        ck_assert_int_eq(page_at(P).state, PGM_PAGE_BALLOONED);
        ck_assert_uint_eq(vm_stats(pgm).ballooned_pages, 1);
        ck_assert_uint_eq(gmm_allocated(), was.allocated);
    }
    ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_OK);
}
END_TEST

START_TEST(defect_26_ballooned_page_catches_writes)
{
    const GPhys gpa = P;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, &gpa, 1), MEM_OK);
    for (unsigned lap = 0; lap < 2; lap++) {
        PgmFill f = fill(P, MEM_ACCESS_WRITE);

        ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
        f = fill(P, MEM_ACCESS_READ);
        ck_assert_int_eq(f.kind, PGM_FILL_DIRECT);
        ck_assert_uint_eq(f.perms & MEM_ACCESS_WRITE, 0);
        ck_assert_uint_eq(f.id, MEM_ZERO_PAGE_ID);
        (void)pgm_bus_write(pgm, P, 4, 7, MEM_ORIGIN_CPU);
        ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
        ck_assert_int_eq(page_at(P).state, PGM_PAGE_BALLOONED);
    }
    told_reset();
    ck_assert_int_eq(pgm_balloon_deflate(pgm, &gpa, 1), MEM_OK);
    ck_assert(!told_nothing());
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_DIRECT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("defects-access");
    TCase *tc = tcase_create("defects");

    tcase_add_checked_fixture(tc, pgm_setup, pgm_teardown);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, defect_20_equal_pages_merge_and_others_do_not);
    tcase_add_loop_test(tc, defect_21_writes_behind_rom_land_at_their_offset, 0,
                        G_N_ELEMENTS(writers));
    tcase_add_test(tc, defect_22_ranges_end_where_they_end);
    tcase_add_loop_test(tc, defect_23_cpus_lose_what_they_hold_when_a_handler_comes, 0, 2);
    tcase_add_test(tc, defect_23_page_follows_the_handlers_that_are_left);
    tcase_add_loop_test(tc, defect_23_restored_page_has_the_strongest_of_its_handlers, 0, 2);
    tcase_add_test(tc, defect_24_live_save_keeps_shadow_ram_of_shadowed_rom_only);
    tcase_add_test(tc, defect_25_overlay_keeps_a_ballooned_page_beneath);
    tcase_add_test(tc, defect_26_ballooned_page_catches_writes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
