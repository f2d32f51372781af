/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units "mm" and "pgm" that no machine wrote: every rule of the records is checked, and what is
 * refused changes nothing.
 */
#include "tests/unit/saved-fixture.h"

#include "tests/state-reseal.h"

static GByteArray *unit_bytes(MemStateReader *reader, const char *name)
{
    GByteArray *bytes = g_byte_array_new();

    ck_assert_uint_eq(mem_state_open_unit(reader, name, 0, 1, NULL), 1);
    uint64_t n = mem_state_unit_left(reader);

    ck_assert(mem_state_get(reader, state_append(bytes, n), n, NULL));
    return bytes;
}

/* The check of a file with these units; if it passes, applied to machine b. Whether it passed. */
static bool try_units(const GByteArray *mm, const GByteArray *unit, bool apply, char **ret_message)
{
    StateBuilder builder;
    GError *error = NULL;

    state_builder_init(&builder);
    state_builder_add(&builder, "mm", 0, 1, mm->data, mm->len);
    state_builder_add(&builder, "pgm", 0, 1, unit->data, unit->len);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_ptr_nonnull(reader);
    bool good = pgm_load_check(b.pgm, reader, &error);

    if (good && apply && !pgm_load_apply(b.pgm, reader, &error)) {
        ck_abort_msg("checked, and then refused: %s", error->message);
    }
    if (ret_message) {
        *ret_message = g_strdup(good ? "" : error->message);
    }
    g_clear_error(&error);
    return good;
}

START_TEST(hostile_units_are_refused_or_harmless)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i + 100);
    unsigned n_refused = 0;

    scramble(&a, rand, 60);
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    g_autoptr(GByteArray) mm = unit_bytes(reader, "mm");
    g_autoptr(GByteArray) unit = unit_bytes(reader, "pgm");

    for (unsigned round = 0; round < 300; round++) {
        g_autoptr(GByteArray) copy = g_byte_array_new();

        g_byte_array_append(copy, unit->data, unit->len);
        /* The table and the records of the end are what is easily hurt. */
        for (int i = g_rand_int_range(rand, 1, 4); i > 0; i--) {
            guint32 at = round % 2 == 0 ? copy->len - (guint)g_rand_int_range(rand, 1, 400)
                                        : (guint)g_rand_int_range(rand, 0, (gint32)copy->len);

            copy->data[at] = (uint8_t)g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 12 : 256);
        }
        if (round % 7 == 0) {
            g_byte_array_set_size(copy, (guint)g_rand_int_range(rand, 0, (gint32)copy->len));
        }
        n_refused += !try_units(mm, copy, true, NULL);
        check_sound(&b);
    }
    ck_assert_uint_gt(n_refused, 100);
    ck_assert(try_units(mm, unit, true, NULL));
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

/* Records by hand, after the table of a usual machine: u8 and numbers of 4 or 8 bytes. */
typedef struct Row {
    const char *format; /* of the values: 1, 4, 8; p: a page of bytes; M: addresses of all as now */
    uint64_t values[12];
    const char *message; /* "": good */
} Row;

enum { LOW, UPPER, TOP, N_BIOS, N_FLASH, N_VRAM, N_FIFO, N_VGA, N_BAR };

static const Row rows[] = {
    { "M1", { 0 }, "" },
    { "1", { 0 }, "0 addresses of MMIO and MMIO2, expected 4" },
    { "M11", { 0, 0 }, "1 bytes follow the end" },
    { "1", { 10 }, "type 10 is not expected" },
    { "", { 0 }, "1 bytes are expected" },
    { "18M1", { 2, 1 }, "before the first place" },
    { "1p", { 3 }, "before the first place" },
    { "141818M1", { 1, LOW, 0, 0, 2, 160 }, "" },
    { "141818M1", { 1, LOW, 0, 0, 2, 161 }, "161 pages from page 0" },
    { "141818M1", { 1, LOW, 0, 1, 2, UINT64_MAX }, "pages from page 1" },
    { "141818M1", { 1, LOW, 0, 0, 2, 0 }, "0 pages" },
    { "14181pM1", { 1, LOW, 0, 159, 3 }, "" },
    { "14181p1p", { 1, LOW, 0, 159, 3, 3 }, "1 pages from page 160" },
    { "14181", { 1, LOW, 0, 160 }, "1 pages from page 160" },
    { "14181", { 1, 9, 0, 0 }, "range 9 of 9" },
    { "14181", { 1, LOW, 1, 0 }, "no pages of record 1" },
    { "14181", { 1, N_FLASH, 1, 0 }, "no pages of record 1" },
    { "14181", { 1, N_BAR, 0, 0 }, "no pages of record 0" },
    { "14181", { 1, N_BIOS, 2, 0 }, "no pages of record 2" },
    { "14181pM1", { 1, N_BIOS, 1, 15, 3 }, "" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, UPPER, 0, 3 }, "" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, LOW, 0, 0 }, "" }, /* itself: what it was before */
    { "141814 18M1", { 1, LOW, 0, 0, 4, N_VGA, 0, 0 }, "no pages of record 0" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, UPPER, 0, 256 }, "1 pages from page 256" },
    { "141818M1", { 1, UPPER, 0, 0, 5, 256 }, "" },
    { "141818M1", { 1, N_BIOS, 1, 0, 5, 1 }, "cannot be ballooned" },
    { "141818M1", { 1, N_VRAM, 0, 0, 5, 1 }, "cannot be ballooned" },
    { "14881M1", { 6, N_BIOS, 0, 16, 3 }, "" },
    { "14881M1", { 6, N_BIOS, 0, 16, 4 }, "protection 4" },
    { "14881M1", { 6, N_BIOS, 1, 16, 3 }, "16 pages from page 1" },
    { "14881M1", { 6, N_FLASH, 0, 1, 3 }, "protection 3 of" },
    { "14881M14181", { 6, N_BIOS, 0, 1, 3, 1, LOW, 0, 0 }, "type 1 is not expected" },
    { "M14881", { 6, N_BIOS, 0, 1, 3 }, "type 6 is not expected" },
    { "1488", { 7, LOW, 0, 1 }, "1 pages of RAM" },
    { "1488", { 7, N_VRAM, UINT64_MAX, 0 }, "0 pages of" },
    { "1488", { 7, N_VRAM, UINT64_MAX, 17 }, "17 pages of" },
    { "1488", { 7, N_BAR, UINT64_MAX, 7 }, "7 pages of" },
    { "1488", { 7, N_VRAM, 0x1001, 16 }, "cannot lie at 0x1001" },
    { "1488", { 7, N_VRAM, UINT64_C(1) << 52, 16 }, "cannot lie" },
    { "1488", { 7, N_VRAM, (UINT64_C(1) << 52) - 0x1000, 16 }, "cannot lie" },
    { "14881488", { 7, N_VRAM, UINT64_MAX, 16, 7, N_VRAM, UINT64_MAX, 16 }, "there twice" },
    { "14881488", { 7, N_FIFO, UINT64_MAX, 4, 7, N_VRAM, UINT64_MAX, 16 }, "out of order" },
    { "M14848 81", { 8, N_VGA, 0, N_VRAM, 0, 1 }, "shown in" }, /* not mapped */
    { "M14888", { 9, LOW, 0x8800, 8, 1 }, "1 bytes are expected" },
    { "M148881", { 9, LOW, 0x8800, 8, 1, 0 }, "" },
    { "M148881", { 9, LOW, 0x9999, 8, 1, 0 }, "" }, /* no such handler here */
    { "M148881", { 9, N_BAR, 0, 0, 8, 0 }, "" },
    { "M148881", { 9, N_BAR, 0, 0, 9, 0 }, "9 pages from page 0" },
};

static void put_row(GByteArray *unit, const Row *row)
{
    const uint64_t *value = row->values;

    for (const char *f = row->format; *f; f++) {
        if (*f == '1') {
            *state_append(unit, 1) = (uint8_t)*value++;
        } else if (*f == '4') {
            mem_state_put_le32(state_append(unit, 4), (uint32_t)*value++);
        } else if (*f == '8') {
            mem_state_put_le64(state_append(unit, 8), *value++);
        } else if (*f == 'p') {
            memset(state_append(unit, PAGE), 0x77, PAGE);
        } else if (*f == 'M') {
            static const uint64_t shown[] = { VRAM_PAGES, 4, BAR_PAGES, BAR_PAGES };

            for (uint32_t i = 0; i < G_N_ELEMENTS(shown); i++) {
                *state_append(unit, 1) = PGM_SAVED_MAP;
                mem_state_put_le32(state_append(unit, 4), N_VRAM + i);
                mem_state_put_le64(state_append(unit, 8), UINT64_MAX);
                mem_state_put_le64(state_append(unit, 8), shown[i]);
            }
        }
    }
}

/* The table alone: what a machine's unit begins with. */
static GByteArray *table_bytes(GByteArray **ret_mm)
{
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    GByteArray *unit = unit_bytes(reader, "pgm");
    PgmRange *ranges[16];

    *ret_mm = unit_bytes(reader, "mm");
    ck_assert_uint_eq(mem_state_open_unit(reader, "pgm", 0, 1, NULL), 1);
    ck_assert(pgm_saved_get_table(a.pgm, reader, ranges, NULL));
    g_byte_array_set_size(unit, (guint)(unit->len - mem_state_unit_left(reader)));
    return unit;
}

START_TEST(every_rule_of_records_is_checked)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    scramble(&b, rand, 100);
    put_row(unit, &rows[_i]);
    bool good = try_units(mm, unit, true, &message);

    ck_assert_msg(good == (rows[_i].message[0] == 0) && strstr(message, rows[_i].message),
                  "row %d: \"%s\", expected \"%s\"", _i, message, rows[_i].message);
}
END_TEST

/* Records of @n pages of each kind in turn at the start of @range, @count of them. */
static void put_runs(GByteArray *unit, uint8_t type, uint32_t range, uint64_t n, unsigned count)
{
    Row row = { .format = "141818", .values = { 1, range, 0, 0, type, n } };

    while (count-- > 0) {
        put_row(unit, &row);
    }
}

static const Row end_row = { .format = "M1", .values = { 0 } };

START_TEST(runs_cannot_name_pages_without_end)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    uint8_t type = _i == 0 ? PGM_SAVED_ZERO : PGM_SAVED_BALLOONED;
    unsigned n_good = 450; /* of 256 pages; the machine has 984 */

    put_runs(unit, type, UPPER, 256, n_good);
    guint n_bytes = unit->len;

    put_row(unit, &end_row);
    ck_assert(try_units(mm, unit, true, NULL));
    check_sound(&b);
    g_byte_array_set_size(unit, n_bytes);
    put_runs(unit, type, UPPER, 256, 100);
    put_row(unit, &end_row);
    ck_assert(!try_units(mm, unit, true, &message));
    ck_assert_msg(strstr(message, "more than 64 times the machine's"), "%s", message);
}
END_TEST

START_TEST(runs_may_name_each_record_64_times_and_not_once_more)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    uint64_t n_pages = 0;

    for (unsigned r = 0; r < b.pgm->ranges->len; r++) {
        n_pages += ((PgmRange *)g_ptr_array_index(b.pgm->ranges, r))->n_pages;
    }
    put_runs(unit, PGM_SAVED_ZERO, UPPER, n_pages / 8, 2 * 64 * 8);
    put_runs(unit, PGM_SAVED_ZERO, UPPER, n_pages % 8, n_pages % 8 != 0 ? 2 * 64 : 0);
    guint n_bytes = unit->len;

    put_row(unit, &end_row);
    ck_assert(try_units(mm, unit, false, NULL));
    g_byte_array_set_size(unit, n_bytes);
    put_runs(unit, PGM_SAVED_ZERO, UPPER, 1, 1);
    put_row(unit, &end_row);
    ck_assert(!try_units(mm, unit, false, NULL));
}
END_TEST

/* Machines of more RAM than may be ballooned at once. */
static void use_large_machines(void)
{
    Plan plan = usual;

    plan.ram = 3584 * MIB;
    machine_free(&a);
    machine_free(&b);
    a = machine_new(&plan);
    b = machine_new(&plan);
}

/* So many pages are sure; beyond, 8 bytes each are at most a quarter of the limit of memory. */
START_TEST(as_many_pages_as_may_be_noted_are_ballooned_and_not_one_more)
{
    g_autoptr(GByteArray) mm = NULL;

    use_large_machines();
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    guint n_bytes = unit->len;

    gmm_set_limit(gmm, _i == 0 ? 1000 : 8192 + 4);
    for (uint64_t more = 0; more <= 1; more++) {
        g_byte_array_set_size(unit, n_bytes);
        put_runs(unit, PGM_SAVED_BALLOONED, TOP, 1 << 19, 2);
        if (_i + more != 0) {
            put_runs(unit, PGM_SAVED_BALLOONED, TOP, (_i == 0 ? 0 : 512) + more, 1);
        }
        put_row(unit, &end_row);
        ck_assert(try_units(mm, unit, false, NULL) == (more == 0));
    }
}
END_TEST

START_TEST(ballooned_pages_whose_records_would_fill_the_host_are_refused)
{
    g_autofree char *message = NULL;
    g_autoptr(GByteArray) mm = NULL;

    use_large_machines();
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    guint n_bytes = unit->len;

    put_runs(unit, PGM_SAVED_BALLOONED, TOP, 900000, 2);
    put_row(unit, &end_row);
    gmm_set_limit(gmm, 1000);
    ck_assert(!try_units(mm, unit, true, &message));
    ck_assert_msg(strstr(message, "under the limit of memory"), "%s", message);
    check_sound(&b);
    /* As zeros they cost nothing, and short runs in much RAM are short. */
    g_byte_array_set_size(unit, n_bytes);
    put_runs(unit, PGM_SAVED_ZERO, TOP, 900000, 20);
    put_runs(unit, PGM_SAVED_ZERO, TOP, 1, 20000);
    put_runs(unit, PGM_SAVED_BALLOONED, TOP, 3, 1);
    put_row(unit, &end_row);
    ck_assert(try_units(mm, unit, true, NULL));
    PgmStats stats;

    pgm_get_stats(b.pgm, &stats);
    ck_assert_uint_eq(stats.pages.ballooned, 3);
    check_sound(&b);
}
END_TEST

/* Where VRAM and the window lie, and whether they fit. */
static const struct {
    GPhys vram;
    GPhys window;
    const char *message;
} layouts[] = {
    { 0xe0000000, 0xe0010000, "" },
    { 0xe0000000, 0xe000f000, "overlaps MMIO2 \"vram\"" },
    { 0xa0000, 0xb0000, "" },
    { 0x9f000, 0xb0000, "overlaps RAM" },
    { 0x180000, 0x190000, "" },
    { 0x1f8000, 0xb0000, "overlaps RAM" }, /* over the end of one and the start of another */
    { 0x3f8000, 0xb0000, "overlaps RAM" }, /* over the end of RAM */
    { 0xe0000000, 0xe8000, "" },
    { 0xe0000000, 0xe9000, "overlaps" }, /* into the BIOS */
};

START_TEST(addresses_must_fit_together)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    Row row = { .format = "1488148814881488"
                          "1",
                .values = { 7, N_VRAM, layouts[_i].vram, 16, 7, N_FIFO, UINT64_MAX, 4 } };
    Row rest = { .format = "148814881",
                 .values = { 7, N_VGA, layouts[_i].window, 8, 7, N_BAR, UINT64_MAX, 8, 0 } };

    row.format = "14881488";
    put_row(unit, &row);
    put_row(unit, &rest);
    bool good = try_units(mm, unit, true, &message);

    ck_assert_msg(good == (layouts[_i].message[0] == 0) && strstr(message, layouts[_i].message),
                  "%s", message);
    if (good) {
        ck_assert_uint_eq(pgm_mmio2_address(b.vram), layouts[_i].vram);
        ck_assert_uint_eq(pgm_mmio_address(b.vga), layouts[_i].window);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saved-hostile");
    TCase *tc = tcase_create("saved-hostile");

    tcase_add_checked_fixture(tc, saved_setup, saved_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, hostile_units_are_refused_or_harmless, 0, 3);
    tcase_add_loop_test(tc, every_rule_of_records_is_checked, 0, G_N_ELEMENTS(rows));
    tcase_add_loop_test(tc, runs_cannot_name_pages_without_end, 0, 2);
    tcase_add_test(tc, runs_may_name_each_record_64_times_and_not_once_more);
    tcase_add_loop_test(tc, as_many_pages_as_may_be_noted_are_ballooned_and_not_one_more, 0, 2);
    tcase_add_test(tc, ballooned_pages_whose_records_would_fill_the_host_are_refused);
    tcase_add_loop_test(tc, addresses_must_fit_together, 0, G_N_ELEMENTS(layouts));
    suite_add_tcase(suite, tc);
    return saved_run(suite);
}
