/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of what people type: rows of good and bad words, and for random values that what is
 * written reads back as the same.
 */
#include "emu/error.h"
#include "frontends/grammar.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define POISON UINT64_C(0x5A5A5A5A5A5A5A5A)
#define N_RANDOM 20000

typedef bool (*NumberParser)(const char *text, uint64_t *ret, GError **error);

static const struct {
    NumberParser parse;
    const char *text;
    uint64_t value;
} good[] = {
    { fe_parse_size, "1K", 1024 },
    { fe_parse_size, "128M", UINT64_C(128) << 20 },
    { fe_parse_size, "128m", UINT64_C(128) << 20 },
    { fe_parse_size, "3G", UINT64_C(3) << 30 },
    { fe_parse_size, "16T", UINT64_C(16) << 40 },
    { fe_parse_size, "0K", 0 },
    { fe_parse_size, "007K", 7168 },
    { fe_parse_size, "18014398509481983K", UINT64_MAX - 1023 },
    { fe_parse_size, "16777215T", UINT64_C(16777215) << 40 },
    { fe_parse_size, "0x200", 512 },
    { fe_parse_size, "0XfF", 255 },
    { fe_parse_size, "0xFFFFFFFFFFFFFFFF", UINT64_MAX },
    { fe_parse_address, "0", 0 },
    { fe_parse_address, "F0000", 0xF0000 },
    { fe_parse_address, "0xf0000", 0xF0000 },
    { fe_parse_address, "0XF0000", 0xF0000 },
    { fe_parse_address, "ffffFFFFffffFFFF", UINT64_MAX },
    { fe_parse_address, "00000000000000000001", 1 },
    { fe_parse_seconds, "0", 0 },
    { fe_parse_seconds, "1", UINT64_C(1000000000) },
    { fe_parse_seconds, "2.5", UINT64_C(2500000000) },
    { fe_parse_seconds, "0.000000001", 1 },
    { fe_parse_seconds, "1.999999999", UINT64_C(1999999999) },
    { fe_parse_seconds, "1000000000", FE_SECONDS_MAX *UINT64_C(1000000000) },
};

START_TEST(good_number_has_its_value)
{
    uint64_t value = POISON;
    g_autoptr(GError) error = NULL;

    ck_assert_msg(good[_i].parse(good[_i].text, &value, &error), "%s: %s", good[_i].text,
                  error ? error->message : "");
    ck_assert_ptr_null(error);
    ck_assert_uint_eq(value, good[_i].value);
}
END_TEST

/* What a message must hold, so that it helps. */
static const struct {
    NumberParser parse;
    const char *text;
    const char *message_part;
} bad[] = {
    { fe_parse_size, "", "128M" },
    { fe_parse_size, "128", "128M or 128K" },
    { fe_parse_size, "0", "128M" },
    { fe_parse_size, "134217728", "128M or 131072K" },
    { fe_parse_size, "65537", "1M or 65K" },
    { fe_parse_size, "65536", "1M or 64K" },
    { fe_parse_size, "65535", "65535M or 65535K" },
    { fe_parse_size, "128MB", "K, M, G or T" },
    { fe_parse_size, "128MiB", "K, M, G or T" },
    { fe_parse_size, "128 M", "K, M, G or T" },
    { fe_parse_size, " 128M", "K, M, G or T" },
    { fe_parse_size, "128M ", "K, M, G or T" },
    { fe_parse_size, "-128M", "K, M, G or T" },
    { fe_parse_size, "+128M", "K, M, G or T" },
    { fe_parse_size, "1.5G", "K, M, G or T" },
    { fe_parse_size, "M", "K, M, G or T" },
    { fe_parse_size, "1P", "K, M, G or T" },
    { fe_parse_size, "0x", "K, M, G or T" },
    { fe_parse_size, "0x10G", "K, M, G or T" },
    { fe_parse_size, "16777216T", "too large" },
    { fe_parse_size, "18014398509481984K", "too large" },
    { fe_parse_size, "18446744073709551616", "too large" },
    { fe_parse_size, "99999999999999999999999999M", "too large" },
    { fe_parse_size, "0x10000000000000000", "too large" },
    { fe_parse_address, "", "hexadecimal" },
    { fe_parse_address, "0x", "hexadecimal" },
    { fe_parse_address, "-1", "hexadecimal" },
    { fe_parse_address, "10 ", "hexadecimal" },
    { fe_parse_address, " 10", "hexadecimal" },
    { fe_parse_address, "F000:FFF0", "hexadecimal" },
    { fe_parse_address, "0x0x1", "hexadecimal" },
    { fe_parse_address, "G", "hexadecimal" },
    { fe_parse_address, "10000000000000000", "too large" },
    { fe_parse_seconds, "", "seconds" },
    { fe_parse_seconds, ".", "seconds" },
    { fe_parse_seconds, "1.", "seconds" },
    { fe_parse_seconds, ".5", "seconds" },
    { fe_parse_seconds, "-1", "seconds" },
    { fe_parse_seconds, "1e3", "seconds" },
    { fe_parse_seconds, "1s", "seconds" },
    { fe_parse_seconds, "1.2.3", "seconds" },
    { fe_parse_seconds, "0.0000000001", "nine digits" },
    { fe_parse_seconds, "nan", "seconds" },
    { fe_parse_seconds, "inf", "seconds" },
    { fe_parse_seconds, "1000000001", "too many" },
    { fe_parse_seconds, "99999999999999999999999", "too many" },
};

START_TEST(bad_number_is_refused_with_help)
{
    uint64_t value = POISON;
    g_autoptr(GError) error = NULL;

    ck_assert_msg(!bad[_i].parse(bad[_i].text, &value, &error), "'%s' was taken", bad[_i].text);
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_INVALID));
    ck_assert_msg(strstr(error->message, bad[_i].message_part) != NULL, "'%s': %s", bad[_i].text,
                  error->message);
    ck_assert_ptr_null(strchr(error->message, '\n'));
    ck_assert_uint_eq(value, POISON);
    ck_assert(!bad[_i].parse(bad[_i].text, &value, NULL));
}
END_TEST

static const struct {
    const char *text;
    FeRange range;
} good_ranges[] = {
    { "F0000+64K", { 0xF0000, 0x10000 } },
    { "0xF0000-0x100000", { 0xF0000, 0x10000 } },
    { "0-1", { 0, 1 } },
    { "0+0x1", { 0, 1 } },
    { "FFFFFFFFFFFFFFFF+0x1", { UINT64_MAX, 1 } },
    { "FFFFFFFFFFFFF000+4K", { UINT64_MAX - 0xFFF, 0x1000 } },
};

START_TEST(good_range_has_its_bounds)
{
    FeRange range = { POISON, POISON };

    ck_assert(fe_parse_range(good_ranges[_i].text, &range, NULL));
    ck_assert_uint_eq(range.start, good_ranges[_i].range.start);
    ck_assert_uint_eq(range.len, good_ranges[_i].range.len);
}
END_TEST

static const struct {
    const char *text;
    const char *message_part;
} bad_ranges[] = {
    { "", "START+SIZE" },
    { "F0000", "START+SIZE" },
    { "+64K", "hexadecimal" },
    { "-100000", "hexadecimal" },
    { "F0000+", "K, M, G or T" },
    { "F0000-", "hexadecimal" },
    { "F0000-F0000", "empty" },
    { "F0000-E0000", "empty" },
    { "F0000+0K", "empty" },
    { "F0000+0x0", "empty" },
    { "F0000+200", "0x200 (bytes) or 200K" },
    { "F0000+64K+64K", "K, M, G or T" },
    { "F0000-100000-110000", "hexadecimal" },
    { "F0000..100000", "START+SIZE" },
    { "FFFFFFFFFFFFF001+4K", "past" },
    { "1+0xFFFFFFFFFFFFFFFFF", "too large" },
};

START_TEST(bad_range_is_refused_with_help)
{
    FeRange range = { POISON, POISON };
    g_autoptr(GError) error = NULL;

    ck_assert_msg(!fe_parse_range(bad_ranges[_i].text, &range, &error), "'%s' was taken",
                  bad_ranges[_i].text);
    ck_assert_msg(strstr(error->message, bad_ranges[_i].message_part) != NULL, "'%s': %s",
                  bad_ranges[_i].text, error->message);
    ck_assert_uint_eq(range.start, POISON);
    ck_assert_uint_eq(range.len, POISON);
}
END_TEST

static const struct {
    const char *text;
    bool is_good;
    int64_t seconds;
} dates[] = {
    { "2000-01-01", true, 946684800 },
    { "2000-01-01T00:00:01", true, 946684801 },
    { "2000-01-01T00:00:01Z", true, 946684801 },
    { "1980-01-01Z", true, 315532800 },
    { "2099-12-31T23:59:59", true, INT64_C(4102444799) },
    { "2024-02-29", true, 1709164800 },
    { "2023-02-29", false, 0 },
    { "1979-12-31", false, 0 },
    { "2100-01-01", false, 0 },
    { "2000-13-01", false, 0 },
    { "2000-00-01", false, 0 },
    { "2000-01-01T24:00:00", false, 0 },
    { "2000-01-01T00:60:00", false, 0 },
    { "2000-01-01T00:00:60", false, 0 },
    { "2000-01-01T00:00", false, 0 },
    { "2000-01-01T", false, 0 },
    { "2000-1-1", false, 0 },
    { "2000-01-01 ", false, 0 },
    { "01.01.2000", false, 0 },
    { "utc", false, 0 },
    { "", false, 0 },
};

START_TEST(date_is_utc_and_checked)
{
    int64_t seconds = -77;

    ck_assert_msg(fe_parse_date(dates[_i].text, &seconds, NULL) == dates[_i].is_good, "'%s'",
                  dates[_i].text);
    ck_assert_int_eq(seconds, dates[_i].is_good ? dates[_i].seconds : -77);
}
END_TEST

START_TEST(file_is_split_at_last_at_sign)
{
    g_autofree char *path = NULL;
    g_autofree char *dump_path = NULL;
    uint64_t address = POISON;
    FeRange range = { 0, 0 };

    ck_assert(fe_parse_file_at_address("a@b.bin@7C00", &path, &address, NULL));
    ck_assert_str_eq(path, "a@b.bin");
    ck_assert_uint_eq(address, 0x7C00);
    ck_assert(fe_parse_file_at_range("./x@0-10", &dump_path, &range, NULL));
    ck_assert_str_eq(dump_path, "./x");
    ck_assert_uint_eq(range.len, 0x10);
}
END_TEST

static const char *const bad_files[] = { "", "@", "file", "file@", "@100", "file@xyz", "file@-1" };

START_TEST(incomplete_file_at_place_is_refused)
{
    char *path = NULL;
    uint64_t address = POISON;
    FeRange range = { 0, 0 };

    ck_assert(!fe_parse_file_at_address(bad_files[_i], &path, &address, NULL));
    ck_assert(!fe_parse_file_at_range(bad_files[_i], &path, &range, NULL));
    ck_assert_ptr_null(path);
    ck_assert_uint_eq(address, POISON);
}
END_TEST

static const struct {
    const char *text;
    const char *path; /* NULL: refused */
    bool writable;
} drives[] = {
    { "disk.img", "disk.img", false },
    { "disk.img,rw", "disk.img", true },
    { "a,b.img", "a,b.img", false },
    { "a,b.img,rw", "a,b.img", true },
    { "rw", "rw", false },
    { "disk.img,ro", NULL, false },
    { "disk.img,", NULL, false },
    { "disk.img,format=raw", NULL, false },
    { "disk.img,rw,format=raw", NULL, false },
    { ",rw", NULL, false },
    { "", NULL, false },
};

START_TEST(drive_is_read_only_unless_rw)
{
    g_autofree char *path = NULL;
    bool writable = false;

    ck_assert(fe_parse_drive(drives[_i].text, &path, &writable, NULL) == (drives[_i].path != NULL));
    ck_assert_pstr_eq(path, drives[_i].path);
    ck_assert(writable == drives[_i].writable);
}
END_TEST

/* Small, round and large numbers alike: a random number of low bits cut off on both sides. */
static uint64_t random_value(GRand *rand)
{
    uint64_t value = ((uint64_t)g_rand_int(rand) << 32) | g_rand_int(rand);

    value >>= g_rand_int_range(rand, 0, 64);
    return value << g_rand_int_range(rand, 0, 64);
}

static bool reads_back(NumberParser parse, char *text, uint64_t value)
{
    uint64_t got = ~value;
    bool same = parse(text, &got, NULL) && got == value;

    g_free(text);
    return same;
}

START_TEST(what_is_written_reads_back)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20240);

    for (unsigned i = 0; i < N_RANDOM; i++) {
        uint64_t value = random_value(rand);
        uint64_t ns = value % (FE_SECONDS_MAX * UINT64_C(1000000000));
        bool same = reads_back(fe_parse_size, fe_format_size(value), value) &&
                    reads_back(fe_parse_address, fe_format_address(value), value) &&
                    reads_back(fe_parse_seconds, fe_format_seconds(ns), ns);

        if (!same) {
            ck_abort_msg("value %" G_GINT64_MODIFIER "x", value);
        }
    }
}
END_TEST

START_TEST(range_that_is_written_reads_back)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20241);

    for (unsigned i = 0; i < N_RANDOM; i++) {
        FeRange range = { random_value(rand), 0 };
        FeRange got = { 0, 0 };

        range.len = random_value(rand);
        if (range.len == 0 || range.len - 1 > UINT64_MAX - range.start) {
            range.len = UINT64_MAX - range.start;
            range.len += range.len == 0;
        }

        g_autofree char *text = fe_format_range(&range);

        if (!fe_parse_range(text, &got, NULL) || got.start != range.start || got.len != range.len) {
            ck_abort_msg("range %s", text);
        }
    }
}
END_TEST

/* No word of these letters makes a parser read past its end (the sanitizer's part) or take and
 * refuse at once. */
START_TEST(random_words_are_taken_or_refused)
{
    static const char letters[] = "0123456789abcdefxXKMGT.+-@:=, TZ\n";
    g_autoptr(GRand) rand = g_rand_new_with_seed(20242);
    unsigned n_taken = 0;

    for (unsigned i = 0; i < N_RANDOM; i++) {
        int len = g_rand_int_range(rand, 0, 12);
        g_autofree char *text = g_malloc((size_t)len + 1);
        GError *error = NULL;
        uint64_t value = POISON;

        for (int at = 0; at < len; at++) {
            text[at] = letters[g_rand_int_range(rand, 0, sizeof(letters) - 1)];
        }
        text[len] = '\0';
        for (unsigned p = 0; p < 3; p++) {
            static const NumberParser parsers[] = { fe_parse_size, fe_parse_address,
                                                    fe_parse_seconds };
            bool taken = parsers[p](text, &value, &error);

            n_taken += taken;
            if (taken == (error != NULL) || (!taken && value != POISON)) {
                ck_abort_msg("'%s' by parser %u", text, p);
            }
            g_clear_error(&error);
            value = POISON;
        }
    }
    ck_assert_uint_gt(n_taken, N_RANDOM / 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grammar");
    TCase *rows = tcase_create("rows");
    TCase *random = tcase_create("random");

    tcase_add_loop_test(rows, good_number_has_its_value, 0, G_N_ELEMENTS(good));
    tcase_add_loop_test(rows, bad_number_is_refused_with_help, 0, G_N_ELEMENTS(bad));
    tcase_add_loop_test(rows, good_range_has_its_bounds, 0, G_N_ELEMENTS(good_ranges));
    tcase_add_loop_test(rows, bad_range_is_refused_with_help, 0, G_N_ELEMENTS(bad_ranges));
    tcase_add_loop_test(rows, date_is_utc_and_checked, 0, G_N_ELEMENTS(dates));
    tcase_add_test(rows, file_is_split_at_last_at_sign);
    tcase_add_loop_test(rows, incomplete_file_at_place_is_refused, 0, G_N_ELEMENTS(bad_files));
    tcase_add_loop_test(rows, drive_is_read_only_unless_rw, 0, G_N_ELEMENTS(drives));
    tcase_set_timeout(random, 60);
    tcase_add_test(random, what_is_written_reads_back);
    tcase_add_test(random, range_that_is_written_reads_back);
    tcase_add_test(random, random_words_are_taken_or_refused);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, random);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
