/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states of a machine with regions of its own: cut off anywhere, with other regions, with
 * bytes left over; names that are too long to save; balloons onto pages that somebody holds.
 */
#include "memsys/balloon.h"
#include "memsys/map.h"
#include "memsys/saved-internal.h"
#include "tests/state-reseal.h"
#include "tests/unit/pgm-fixture.h"

#include <glib/gstdio.h>

#define P (HIGH + 3 * PAGE)

static char *path;
static GByteArray *mm, *unit; /* of the machine as setup() leaves it */

static GByteArray *bytes_of(MemStateReader *reader, const char *name)
{
    GByteArray *bytes = g_byte_array_new();

    ck_assert_uint_eq(mem_state_open_unit(reader, name, 0, 1, NULL), 1);
    uint64_t n = mem_state_unit_left(reader);

    ck_assert(mem_state_get(reader, state_append(bytes, n), n, NULL));
    return bytes;
}

static void save_bytes(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    pgm_save(pgm, writer);
    ck_assert_msg(mem_state_writer_commit(writer, &error), "%s", error ? error->message : "");
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, NULL);

    ck_assert_ptr_nonnull(reader);
    g_clear_pointer(&mm, g_byte_array_unref);
    g_clear_pointer(&unit, g_byte_array_unref);
    mm = bytes_of(reader, "mm");
    unit = bytes_of(reader, "pgm");
}

static void setup(void)
{
    static const PgmMmioOps ops = { 0 };
    int fd = g_file_open_tmp("test-saved-XXXXXX", &path, NULL);

    ck_assert(g_close(fd, NULL));
    pgm_setup();
    ck_assert_ptr_nonnull(pgm_mmio_new(pgm, PAGE, &ops, NULL, "t", "regs", NULL));
    store(P, 7);
    save_bytes();
}

static void teardown(void)
{
    g_clear_pointer(&mm, g_byte_array_unref);
    g_clear_pointer(&unit, g_byte_array_unref);
    (void)g_unlink(path);
    g_clear_pointer(&path, g_free);
    pgm_teardown();
}

/* Whether a file of these bytes passes the check, and then loads. Else @ret_error is set. */
static bool try_bytes(const uint8_t *mm_bytes, size_t mm_len, const uint8_t *bytes, size_t len,
                      GError **ret_error)
{
    StateBuilder builder;

    state_builder_init(&builder);
    state_builder_add(&builder, "mm", 0, 1, mm_bytes, mm_len);
    state_builder_add(&builder, "pgm", 0, 1, bytes, len);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader =
        mem_state_reader_new_from_bytes(file->data, file->len, ret_error);

    if (!reader || !pgm_load_check(pgm, reader, ret_error)) {
        return false;
    }
    ck_assert(pgm_load_apply(pgm, reader, ret_error));
    return true;
}

START_TEST(a_unit_cut_off_anywhere_is_refused)
{
    GByteArray *whole = _i == 0 ? mm : unit;

    /* In the middle lies one page of bytes: there, some places will do. */
    for (size_t len = 0; len <= whole->len; len += len >= 300 && len + 400 < whole->len ? 100 : 1) {
        g_autoptr(GError) error = NULL;
        bool good = _i == 0 ? try_bytes(mm->data, len, unit->data, unit->len, &error)
                            : try_bytes(mm->data, mm->len, unit->data, len, &error);

        if (good != (len == whole->len) || (!good && (!error || error->message[0] == '\0'))) {
            ck_abort_msg("%zu of %u bytes: %s", len, whole->len, error ? error->message : "taken");
        }
    }
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 7);
}
END_TEST

/* Of the unit "mm": at @offset lies @value. */
static const struct {
    size_t offset;
    uint64_t value;
    const char *says;
} others[] = {
    { 0, 0x1000, "RAM of 0x1000 bytes (0 MiB) was saved, this machine has 0x0" },
    { 8, 0x1000, "a RAM hole of 0x1000 bytes (0 MiB) was saved" },
    { 16, 3, "3 regions of RAM were saved, this machine has 2" },
    { 16, 1, "1 regions of RAM were saved, this machine has 2" },
    { 20, 0x1000, "RAM \"low\" of 0xa0000 bytes at 0x1000 was saved, this machine has \"low\" of" },
    { 28, 0x9f000, "RAM \"low\" of 0x9f000 bytes at 0x0 was saved" },
};

START_TEST(regions_that_differ_are_named)
{
    g_autoptr(GError) error = NULL;
    uint8_t *at = mm->data + others[_i].offset;

    if (others[_i].offset == 16) {
        mem_state_put_le32(at, (uint32_t)others[_i].value);
    } else {
        mem_state_put_le64(at, others[_i].value);
    }
    ck_assert(!try_bytes(mm->data, mm->len, unit->data, unit->len, &error));
    ck_assert_msg(strstr(error->message, others[_i].says) != NULL, "%s", error->message);
}
END_TEST

START_TEST(bytes_left_over_are_seen)
{
    g_autoptr(GError) error = NULL;

    (void)state_append(mm, 5);
    ck_assert(!try_bytes(mm->data, mm->len, unit->data, unit->len, &error));
    ck_assert_msg(strstr(error->message, "5 bytes are left over") != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_range_of_unknown_kind_is_named)
{
    g_autoptr(GError) error = NULL;

    unit->data[4] = 17;
    ck_assert(!try_bytes(mm->data, mm->len, unit->data, unit->len, &error));
    ck_assert_msg(strstr(error->message, "range \"low\" is of unknown kind 17") != NULL, "%s",
                  error->message);
}
END_TEST

START_TEST(a_name_that_no_reader_would_take_is_not_saved)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strnfill(PGM_SAVED_TEXT_MAX + 1, 'x');
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, PAGE, name, NULL), MEM_OK);
    pgm_save(pgm, writer);
    ck_assert(!mem_state_writer_ok(writer));
    ck_assert(!mem_state_writer_commit(writer, &error));
    ck_assert_msg(strstr(error->message, "a range's name has 1048577 bytes") != NULL, "%s",
                  error->message);
}
END_TEST

START_TEST(a_name_of_just_that_length_comes_back)
{
    g_autofree char *name = g_strnfill(PGM_SAVED_TEXT_MAX, 'x');

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, PAGE, name, NULL), MEM_OK);
    save_bytes();
    store(P, 8);
    ck_assert(try_bytes(mm->data, mm->len, unit->data, unit->len, NULL));
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 7);
}
END_TEST

START_TEST(a_balloon_onto_a_page_that_somebody_holds_leaves_zeros)
{
    PgmMapping mapping;

    ck_assert_int_eq(pgm_balloon_inflate(pgm, (GPhys[]) { P, P + PAGE, P + 2 * PAGE }, 3), MEM_OK);
    save_bytes();
    ck_assert_int_eq(pgm_balloon_deflate(pgm, (GPhys[]) { P, P + PAGE }, 2), MEM_OK);
    store(P, 9);
    store(P + PAGE, 9);
    ck_assert_int_eq(pgm_map_page(pgm, P, &mapping), MEM_OK);
    ck_assert(try_bytes(mm->data, mm->len, unit->data, unit->len, NULL));
    /* Held: it stays where it is, and reads as the ballooned page would. */
    ck_assert_int_ne(page_at(P).state, PGM_PAGE_BALLOONED);
    ck_assert_ptr_eq(pgm_host(pgm, page_at(P).id), mapping.host);
    ck_assert_uint_eq(mapping.host[0], 0);
    ck_assert_int_eq(page_at(P + PAGE).state, PGM_PAGE_BALLOONED);
    ck_assert_int_eq(page_at(P + 2 * PAGE).state, PGM_PAGE_BALLOONED);
    pgm_unmap_page(pgm, &mapping);
    ck_assert_uint_eq(stats().pages.ballooned, 2);
}
END_TEST

static PgmHandlerResult pass_on(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

START_TEST(a_handler_that_is_off_for_a_page_is_off_again)
{
    PgmHandler *handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, P, 2 * PAGE, pass_on, NULL, "h", NULL);

    ck_assert_int_eq(pgm_handler_page_off(handler, P + PAGE), MEM_OK);
    save_bytes();
    pgm_handler_reset(handler);
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_ALL);
    ck_assert(try_bytes(mm->data, mm->len, unit->data, unit->len, NULL));
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_ALL);
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_DISABLED);
    pgm_handler_free(handler);
}
END_TEST

/* ---- the file itself */

START_TEST(a_file_has_so_many_units_and_no_more)
{
    for (unsigned more = 0; more < 2; more++) {
        g_autoptr(GError) error = NULL;
        StateBuilder builder;

        state_builder_init(&builder);
        for (unsigned i = 0; i < MEM_STATE_MAX_UNITS + more; i++) {
            state_builder_add(&builder, "u", i, 1, NULL, 0);
        }
        g_autoptr(GByteArray) file = state_builder_finish(&builder);
        g_autoptr(MemStateReader) reader =
            mem_state_reader_new_from_bytes(file->data, file->len, &error);

        ck_assert_int_eq(reader != NULL, more == 0);
        ck_assert(more == 0 || strstr(error->message, "more than ") != NULL);
    }
}
END_TEST

START_TEST(a_block_that_is_none_any_more_is_seen)
{
    g_autoptr(GError) error = NULL;
    StateBuilder builder;
    const uint8_t bytes[] = { 1, 2, 3 };
    uint8_t got;

    state_builder_init(&builder);
    state_builder_add(&builder, "u", 0, 1, bytes, sizeof bytes);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_ptr_nonnull(reader);
    file->data[MEM_STATE_HEADER_LEN + MEM_STATE_BEGIN_LEN] ^= 1;
    ck_assert_uint_eq(mem_state_open_unit(reader, "u", 0, 1, NULL), 1);
    ck_assert(!mem_state_get_u8(reader, &got, &error));
    ck_assert_msg(strstr(error->message, "a block is expected here") != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_block_behind_a_short_one_is_refused)
{
    g_autoptr(GError) error = NULL;
    StateBuilder builder;
    const uint8_t bytes[] = { 1, 2, 3 };
    const size_t at = MEM_STATE_HEADER_LEN + MEM_STATE_BEGIN_LEN;
    const size_t len = MEM_STATE_BLOCK_LEN + sizeof bytes;

    state_builder_init(&builder);
    state_builder_add(&builder, "u", 0, 1, bytes, sizeof bytes);
    g_autofree uint8_t *rest = g_memdup2(builder.file->data + at, builder.file->len - at);
    size_t rest_len = builder.file->len - at;

    (void)state_append(builder.file, len);
    memcpy(builder.file->data + at + len, rest, rest_len);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);

    ck_assert_ptr_null(mem_state_reader_new_from_bytes(file->data, file->len, &error));
    ck_assert_msg(strstr(error->message, "a block follows one of less than") != NULL, "%s",
                  error->message);
}
END_TEST

static void note_progress(uint64_t n_raw, void *user)
{
    uint64_t *calls = user;

    calls[0]++;
    calls[1] = n_raw;
}

START_TEST(a_reader_tells_how_far_it_is)
{
    const size_t len = 2 * MEM_STATE_BLOCK_RAW + 5;
    g_autofree uint8_t *bytes = g_malloc0(len);
    uint64_t calls[2] = { 0 };
    StateBuilder builder;

    state_builder_init(&builder);
    state_builder_add(&builder, "u", 0, 1, bytes, len);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_ptr_nonnull(reader);
    mem_state_reader_set_progress(reader, note_progress, calls);
    ck_assert_uint_eq(mem_state_open_unit(reader, "u", 0, 1, NULL), 1);
    ck_assert(mem_state_get(reader, bytes, len, NULL));
    ck_assert_uint_eq(calls[0], 3);
    ck_assert_uint_eq(calls[1], len);
    mem_state_reader_set_progress(reader, NULL, NULL);
    ck_assert_uint_eq(mem_state_open_unit(reader, "u", 0, 1, NULL), 1);
    ck_assert(mem_state_get(reader, bytes, len, NULL));
    ck_assert_uint_eq(calls[0], 3);
}
END_TEST

/* Turns have 31 bits; afterwards old places must not pass for new ones. */
START_TEST(turns_begin_again_with_an_empty_table)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmSaver saver;

    ck_assert(pgm_saver_init(&saver, pgm, writer));
    saver.turn = INT32_MAX;
    saver.twins[5].turn = 2;
    pgm_saver_new_turn(&saver);
    ck_assert_uint_eq(saver.turn, 1);
    ck_assert_uint_eq(saver.twins[5].turn, 0);
    pgm_saver_new_turn(&saver);
    ck_assert_uint_eq(saver.turn, 2);
    pgm_saver_finish(&saver);
    pgm_saver_clear(&saver);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saved-state-more");
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_unit_cut_off_anywhere_is_refused, 0, 2);
    tcase_add_loop_test(tcase, regions_that_differ_are_named, 0, G_N_ELEMENTS(others));
    tcase_add_test(tcase, bytes_left_over_are_seen);
    tcase_add_test(tcase, a_range_of_unknown_kind_is_named);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("machines");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_name_that_no_reader_would_take_is_not_saved);
    tcase_add_test(tcase, a_name_of_just_that_length_comes_back);
    tcase_add_test(tcase, a_balloon_onto_a_page_that_somebody_holds_leaves_zeros);
    tcase_add_test(tcase, a_handler_that_is_off_for_a_page_is_off_again);
    tcase_add_test(tcase, a_file_has_so_many_units_and_no_more);
    tcase_add_test(tcase, a_block_that_is_none_any_more_is_seen);
    tcase_add_test(tcase, a_block_behind_a_short_one_is_refused);
    tcase_add_test(tcase, a_reader_tells_how_far_it_is);
    tcase_add_test(tcase, turns_begin_again_with_an_empty_table);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
