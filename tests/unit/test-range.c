/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges: what may lie where, what shows, what a refusal leaves behind, overlays and what they
 * cover.
 */
#include "tests/unit/pgm-fixture.h"

static MemStatus dev_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    (void)size;
    *ret_value = 0xd0 + (offset & 0xf);
    return MEM_OK;
}

static const PgmMmioOps ops = { .read = dev_read };

/* The map as one string: start-end kind, one a line. */
static char *map_text(void)
{
    GString *text = g_string_new(NULL);
    PgmRangeInfo info;

    for (unsigned i = 0; i < pgm_range_count(pgm); i++) {
        ck_assert(pgm_range_get(pgm, i, &info));
        g_string_append_printf(text, "%lx-%lx %d%s %s\n", (unsigned long)info.start,
                               (unsigned long)(info.start + info.len), info.kind,
                               info.over_ram ? "+" : "", info.description);
    }
    ck_assert(!pgm_range_get(pgm, pgm_range_count(pgm), &info));
    return g_string_free(text, FALSE);
}

static const char *const initial_map = "0-a0000 0 low\n100000-500000 0 high\n";

/* ---- refusals */

static const struct {
    GPhys start;
    uint64_t len;
    MemStatus status;
    const char *says;
} refusals[] = {
    { ABOVE, 0, MEM_ERR_UNALIGNED, "4 KiB" },
    { ABOVE, 0x1001, MEM_ERR_UNALIGNED, "0x1001" },
    { ABOVE + 1, PAGE, MEM_ERR_UNALIGNED, "0x10000001" },
    { MEM_GPHYS_LIMIT, PAGE, MEM_ERR_OUT_OF_RANGE, "52" },
    { MEM_GPHYS_LIMIT - PAGE, 2 * PAGE, MEM_ERR_OUT_OF_RANGE, "52" },
    { UINT64_MAX & MEM_PAGE_MASK, PAGE, MEM_ERR_OUT_OF_RANGE, "52" },
    { PAGE, UINT64_MAX &MEM_PAGE_MASK, MEM_ERR_OUT_OF_RANGE, "52" },
    { LOW, PAGE, MEM_ERR_CONFLICT, "\"new\" 0x0-0xfff overlaps RAM \"low\" 0x0-0x9ffff" },
    { LOW_LEN - PAGE, 2 * PAGE, MEM_ERR_CONFLICT, "\"low\" 0x0-0x9ffff" },
    { HIGH - PAGE, 2 * PAGE, MEM_ERR_CONFLICT, "\"high\" 0x100000-0x4fffff" },
    { HIGH + HIGH_LEN - PAGE, PAGE, MEM_ERR_CONFLICT, "\"high\"" },
    { LOW, 2 * HIGH, MEM_ERR_CONFLICT, "\"low\"" },
};

START_TEST(refused_ram_changes_nothing)
{
    g_autoptr(GError) error = NULL;
    GmmReservation before, after;

    mm_get_reserved(pgm, &before);
    ck_assert_int_eq(pgm_ram_register(pgm, refusals[_i].start, refusals[_i].len, "new", &error),
                     refusals[_i].status);
    ck_assert_int_eq(error->code, refusals[_i].status);
    ck_assert_msg(strstr(error->message, refusals[_i].says) != NULL, "%s", error->message);
    mm_get_reserved(pgm, &after);
    ck_assert_mem_eq(&before, &after, sizeof before);
    g_autofree char *map = map_text();

    ck_assert_str_eq(map, initial_map);
    ck_assert(told_nothing());
}
END_TEST

/* Overlays: wholly inside one RAM range or wholly on a hole. */
static const struct {
    GPhys start;
    uint64_t len;
    MemStatus status;
    const char *says;
} places[] = {
    { HOLE, PAGE, MEM_OK, NULL },
    { LOW_LEN, HIGH - LOW_LEN, MEM_OK, NULL }, /* all of the hole */
    { LOW, LOW_LEN, MEM_OK, NULL },            /* all of the RAM */
    { LOW, PAGE, MEM_OK, NULL },
    { LOW_LEN - PAGE, PAGE, MEM_OK, NULL },
    { HIGH + PAGE, PAGE, MEM_OK, NULL },
    { MEM_GPHYS_LIMIT - PAGE, PAGE, MEM_OK, NULL },
    { LOW_LEN - PAGE, 2 * PAGE, MEM_ERR_CONFLICT, "0x9f000-0xa0fff overlaps RAM \"low\"" },
    { HIGH - PAGE, 2 * PAGE, MEM_ERR_CONFLICT, "RAM \"high\"" },
    { LOW, 2 * HIGH, MEM_ERR_CONFLICT, "RAM \"low\"" },
    { HIGH + 0x10000, PAGE, MEM_ERR_CONFLICT, "MMIO \"there\" 0x110000-0x110fff" },
    { HIGH + 0xf000, 3 * PAGE, MEM_ERR_CONFLICT, "MMIO \"there\" 0x110000-0x110fff" },
    { HIGH + 1, PAGE, MEM_ERR_UNALIGNED, "0x100001" },
    { MEM_GPHYS_LIMIT - PAGE, 2 * PAGE, MEM_ERR_OUT_OF_RANGE, "52" },
};

typedef enum Kind { ROM, MMIO, MMIO2, N_KINDS } Kind;

static MemStatus try_overlay(Kind kind, GPhys start, uint64_t len, GError **error)
{
    MemStatus status;

    if (kind == ROM) {
        return pgm_rom_register(pgm, start, len, NULL, 0, 0xee, PGM_ROM_FLAG_SHADOWED, "own", "new",
                                error);
    }
    if (kind == MMIO) {
        PgmMmio *mmio = pgm_mmio_new(pgm, len, &ops, NULL, "own", "new", NULL);

        status = pgm_mmio_map(mmio, start, error);
        if (status != MEM_OK) {
            ck_assert_uint_eq(pgm_mmio_address(mmio), MEM_GPHYS_NIL);
            pgm_mmio_free(mmio);
        }
        return status;
    }
    PgmMmio2 *mmio2 = pgm_mmio2_new(pgm, "own", 0, len, false, "new", NULL);

    status = pgm_mmio2_map(mmio2, start, error);
    if (status != MEM_OK) {
        ck_assert_uint_eq(pgm_mmio2_address(mmio2), MEM_GPHYS_NIL);
        pgm_mmio2_free(mmio2);
    }
    return status;
}

START_TEST(overlay_fits_in_one_ram_range_or_a_hole)
{
    unsigned place = (unsigned)_i % G_N_ELEMENTS(places);
    Kind kind = (Kind)((unsigned)_i / G_N_ELEMENTS(places));
    g_autoptr(GError) error = NULL;
    PgmMmio *there = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "there", NULL);
    GmmReservation before, after;

    ck_assert_int_eq(pgm_mmio_map(there, HIGH + 0x10000, NULL), MEM_OK);
    g_autofree char *map = map_text();

    mm_get_reserved(pgm, &before);
    PgmStats counted = stats();

    ck_assert_int_eq(try_overlay(kind, places[place].start, places[place].len, &error),
                     places[place].status);
    check_sound();
    g_autofree char *after_map = map_text();

    if (places[place].status == MEM_OK) {
        ck_assert_ptr_null(error);
        ck_assert_str_ne(after_map, map);
        ck_assert(page_at(places[place].start).type != PGM_PAGE_RAM);
        return;
    }
    ck_assert_msg(strstr(error->message, places[place].says) != NULL, "%s", error->message);
    ck_assert_str_eq(after_map, map);
    mm_get_reserved(pgm, &after);
    ck_assert_mem_eq(&before, &after, sizeof before);
    PgmStats now = stats();

    ck_assert_mem_eq(&counted.pages, &now.pages, sizeof now.pages);
}
END_TEST

START_TEST(overlay_shows_and_ram_beneath_returns)
{
    GPhys gpa = HIGH + 3 * PAGE;

    store(gpa, 0x11223344);
    store(gpa - PAGE, 1);
    PageId id = page_at(gpa).id;
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);

    ck_assert_int_eq(pgm_mmio_map(mmio, gpa, NULL), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, gpa + 2), 0xd2);
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa - PAGE), 1);
    store(gpa, 0); /* to the device */
    g_autofree char *map = map_text();

    ck_assert_str_eq(map, "0-a0000 0 low\n100000-103000 0 high\n103000-104000 2+ regs\n"
                          "104000-500000 0 high\n");
    check_sound();
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
    g_autofree char *back = map_text();

    ck_assert_str_eq(back, initial_map);
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa), 0x11223344);
    ck_assert_uint_eq(page_at(gpa).id, id);
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_ERR_WRONG_ORDER);
}
END_TEST

/* Neighbours of every kind: pieces of RAM join again whatever the order of going. */
START_TEST(pieces_of_ram_join_in_any_order)
{
    static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                           { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    PgmMmio *mmio[3];

    for (unsigned i = 0; i < 3; i++) {
        /* The first two touch, the third lies at the end. */
        GPhys gpa = i == 2 ? HIGH + HIGH_LEN - PAGE : HIGH + (i + 1) * PAGE;

        mmio[i] = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);
        ck_assert_int_eq(pgm_mmio_map(mmio[i], gpa, NULL), MEM_OK);
    }
    ck_assert_uint_eq(pgm_range_count(pgm), 6);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(pgm_mmio_unmap(mmio[orders[_i][i]]), MEM_OK);
        check_sound();
    }
    g_autofree char *back = map_text();

    ck_assert_str_eq(back, initial_map);
}
END_TEST

START_TEST(reset_clears_ram_beneath_an_overlay)
{
    GPhys gpa = HIGH + 3 * PAGE;
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);

    store(gpa, 5);
    ck_assert_int_eq(pgm_mmio_map(mmio, gpa, NULL), MEM_OK);
    pgm_reset(pgm);
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa), 0);
    ck_assert_uint_eq(stats().pages.private_pages, 0);
}
END_TEST

START_TEST(move_is_all_or_nothing)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "dev", "regs", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(pgm_mmio_map(mmio, HIGH + PAGE, NULL), MEM_OK);
    (void)fill(HIGH + PAGE, MEM_ACCESS_READ);
    told_reset();
    ck_assert_int_eq(pgm_mmio_map(mmio, HIGH - PAGE, &error), MEM_ERR_CONFLICT);
    ck_assert_uint_eq(pgm_mmio_address(mmio), HIGH + PAGE);
    ck_assert_uint_eq(pgm_read_u8(pgm, HIGH + PAGE), 0xd0);
    ck_assert(told_nothing());
    check_sound();
    /* Onto itself, half a range on. */
    ck_assert_int_eq(pgm_mmio_map(mmio, HIGH + 2 * PAGE, NULL), MEM_OK);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert_int_eq(page_at(HIGH + PAGE).type, PGM_PAGE_RAM);
    ck_assert_int_eq(page_at(HIGH + 3 * PAGE).type, PGM_PAGE_MMIO);
    check_sound();
    /* Out of RAM altogether. */
    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(page_at(HIGH + 3 * PAGE).type, PGM_PAGE_RAM);
    ck_assert(!page_at(ABOVE).range.over_ram);
    /* To where it is: nothing happens. */
    told_reset();
    (void)fill(ABOVE, MEM_ACCESS_READ);
    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert(told_nothing());
}
END_TEST

START_TEST(ram_cannot_go_under_an_overlay)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);

    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE - PAGE, 4 * PAGE, "late", NULL), MEM_ERR_CONFLICT);
    check_sound();
}
END_TEST

START_TEST(withdrawn_ram_is_gone)
{
    GmmReservation before, after;

    mm_get_reserved(pgm, &before);
    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 4 * PAGE, "late", NULL), MEM_OK);
    pgm_ram_withdraw(pgm, ABOVE);
    mm_get_reserved(pgm, &after);
    ck_assert_mem_eq(&before, &after, sizeof before);
    g_autofree char *map = map_text();

    ck_assert_str_eq(map, initial_map);
}
END_TEST

START_TEST(cpus_hear_of_a_new_map_only_if_they_asked)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);

    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert(told_nothing());
    ck_assert_int_eq(fill(ABOVE + PAGE, MEM_ACCESS_READ).kind, PGM_FILL_UNASSIGNED);
    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE + PAGE, NULL), MEM_OK);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert(!told.executed);
    ck_assert_int_eq(fill(ABOVE + PAGE, MEM_ACCESS_READ).kind, PGM_FILL_CATCH);
    (void)fill(HIGH, MEM_ACCESS_EXEC);
    told_reset();
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
    ck_assert(told.executed);
}
END_TEST

START_TEST(ten_thousand_ranges_are_found)
{
    for (unsigned i = 0; i < 10000; i++) {
        /* From both ends towards the middle, so that insertions shift the table. */
        uint64_t slot = i % 2 ? 10000 - i : i;

        if (pgm_ram_register(pgm, ABOVE + slot * 2 * PAGE, PAGE, "one of many", NULL) != MEM_OK) {
            ck_abort_msg("range %u", i);
        }
    }
    for (unsigned i = 0; i < 10000; i++) {
        PgmPageInfo info;
        GPhys gpa = ABOVE + i * 2 * PAGE;

        if (!pgm_page_query(pgm, gpa + 5, &info) || info.range.start != gpa ||
            pgm_page_query(pgm, gpa + PAGE, &info)) {
            ck_abort_msg("range %u", i);
        }
    }
    ck_assert_uint_eq(pgm_range_count(pgm), 10002);
}
END_TEST

START_TEST(a_tebibyte_costs_nothing)
{
    ck_assert_int_eq(pgm_ram_register(pgm, UINT64_C(1) << 40, UINT64_C(1) << 40, "huge", NULL),
                     MEM_OK);
    GPhys last = (UINT64_C(2) << 40) - 4;

    store(last, 7);
    ck_assert_uint_eq(pgm_read_u32(pgm, last), 7);
    ck_assert_uint_eq(stats().pages.private_pages, 1);
    pgm_monitor_all_internal(pgm);
    ck_assert_int_eq(page_at(last).state, PGM_PAGE_WRITE_MONITORED);
    pgm_reset(pgm);
    ck_assert_uint_eq(pgm_read_u32(pgm, last), 0);
    ck_assert_uint_eq(stats().pages.private_pages, 0);
}
END_TEST

/* ---- the host says no */

START_TEST(host_without_memory_refuses_cleanly)
{
    static const struct {
        FakeOsCall call;
        unsigned nth;
        uint64_t len;
    } faults[] = {
        { FAKE_TRY_ALLOC0, 1, PAGE },
        { FAKE_TRY_ALLOC0, 2, PAGE },
        { FAKE_MAP_ZEROS, 1, UINT64_C(1) << 32 },
        { FAKE_TRY_ALLOC0, 1, UINT64_C(1) << 32 },
    };
    g_autoptr(GError) error = NULL;

    fake_os_fail(faults[_i].call, faults[_i].nth, UINT_MAX);
    ck_assert_int_eq(pgm_ram_register(pgm, UINT64_C(1) << 40, faults[_i].len, "new", &error),
                     MEM_ERR_HOST_MEMORY);
    ck_assert_ptr_nonnull(strstr(error->message, "new"));
    fake_os_heal();
    g_autofree char *map = map_text();

    ck_assert_str_eq(map, initial_map);
}
END_TEST

START_TEST(machine_needs_its_tables)
{
    static const FakeOsCall calls[] = { FAKE_TRY_ALLOC0, FAKE_MAP_ZEROS };
    g_autoptr(GError) error = NULL;

    fake_os_fail(calls[_i], 1, UINT_MAX);
    ck_assert_ptr_null(pgm_new(gmm, NULL, &error));
    ck_assert_int_eq(error->code, MEM_ERR_HOST_MEMORY);
}
END_TEST

START_TEST(tlb_size_is_checked)
{
    static const unsigned sizes[] = { 3, 1000, 131072 };
    PgmConfig config = { .tlb_slots = sizes[_i] };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(pgm_new(gmm, &config, &error));
    ck_assert_int_eq(error->code, MEM_ERR_INVALID_PARAMETER);
}
END_TEST

START_TEST(a_strict_machine_is_declined_what_does_not_fit)
{
    PgmConfig config = { .policy = GMM_NO_OVERCOMMIT };
    g_autoptr(GError) error = NULL;
    Pgm *strict = pgm_new(gmm, &config, NULL);

    gmm_set_limit(gmm, 4096);
    ck_assert_int_eq(pgm_ram_register(strict, 0, 4097 * PAGE, "too much", &error),
                     MEM_ERR_DECLINED);
    ck_assert_uint_eq(pgm_range_count(strict), 0);
    g_clear_error(&error);
    ck_assert_int_eq(pgm_rom_register(strict, 0, 2049 * PAGE, NULL, 0, 0, PGM_ROM_FLAG_SHADOWED,
                                      "o", "rom", &error),
                     MEM_ERR_DECLINED);
    ck_assert_int_eq(error->code, MEM_ERR_DECLINED);
    g_clear_error(&error);
    ck_assert_ptr_null(pgm_mmio2_new(strict, "o", 0, 4097 * PAGE, true, "vram", &error));
    ck_assert_int_eq(error->code, MEM_ERR_DECLINED);
    ck_assert_uint_eq(pgm_verify(strict, NULL), 0);
    pgm_free(strict);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("range");
    TCase *tcase = tcase_create("range");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_loop_test(tcase, refused_ram_changes_nothing, 0, G_N_ELEMENTS(refusals));
    tcase_add_loop_test(tcase, overlay_fits_in_one_ram_range_or_a_hole, 0,
                        N_KINDS * (int)G_N_ELEMENTS(places));
    tcase_add_test(tcase, overlay_shows_and_ram_beneath_returns);
    tcase_add_loop_test(tcase, pieces_of_ram_join_in_any_order, 0, 6);
    tcase_add_test(tcase, reset_clears_ram_beneath_an_overlay);
    tcase_add_test(tcase, move_is_all_or_nothing);
    tcase_add_test(tcase, ram_cannot_go_under_an_overlay);
    tcase_add_test(tcase, withdrawn_ram_is_gone);
    tcase_add_test(tcase, cpus_hear_of_a_new_map_only_if_they_asked);
    tcase_add_test(tcase, ten_thousand_ranges_are_found);
    tcase_add_test(tcase, a_tebibyte_costs_nothing);
    tcase_add_loop_test(tcase, host_without_memory_refuses_cleanly, 0, 4);
    tcase_add_loop_test(tcase, machine_needs_its_tables, 0, 2);
    tcase_add_loop_test(tcase, tlb_size_is_checked, 0, 3);
    tcase_add_test(tcase, a_strict_machine_is_declined_what_does_not_fit);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
