/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of --until, and the search for a text in a console's bytes: however the stream is cut,
 * control sequences left out, and against a naive search over random streams.
 */
#include "emu/error.h"
#include "frontends/moments.h"
#include "frontends/text-match.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ESC "\x1b"
#define N_RANDOM 5000

static const struct {
    const char *text;
    FeMoment moment;
} good[] = {
    { "login:", { FE_MOMENT_TEXT, (char *)"login:", 0, 0, false } },
    { "foo:bar", { FE_MOMENT_TEXT, (char *)"foo:bar", 0, 0, false } },
    { "text:time:1", { FE_MOMENT_TEXT, (char *)"time:1", 0, 0, false } },
    { " ", { FE_MOMENT_TEXT, (char *)" ", 0, 0, false } },
    { "time:1.5", { FE_MOMENT_TIME, NULL, UINT64_C(1500000000), 0, false } },
    { "time:0", { FE_MOMENT_TIME, NULL, 0, 0, false } },
    { "addr:7C00", { FE_MOMENT_ADDRESS, NULL, 0x7C00, 0, false } },
    { "addr:0xFFFFFFFFFFFFFFFF", { FE_MOMENT_ADDRESS, NULL, UINT64_MAX, 0, false } },
    { "sym:main", { FE_MOMENT_SYMBOL, (char *)"main", 0, 0, false } },
    { "port:80", { FE_MOMENT_PORT, NULL, 0, 0x80, true } },
    { "port:0x80=AA", { FE_MOMENT_PORT, NULL, 0xAA, 0x80, false } },
    { "port:FFFF=FFFFFFFF", { FE_MOMENT_PORT, NULL, UINT32_MAX, 0xFFFF, false } },
    { "port:0=0", { FE_MOMENT_PORT, NULL, 0, 0, false } },
};

static bool equal(const FeMoment *a, const FeMoment *b)
{
    return a->kind == b->kind && g_strcmp0(a->text, b->text) == 0 && a->value == b->value &&
           a->port == b->port && a->any_value == b->any_value;
}

START_TEST(moment_is_understood_and_reads_back)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FeMoment) moment = fe_moment_parse(good[_i].text, &error);

    ck_assert_msg(moment != NULL, "%s: %s", good[_i].text, error ? error->message : "");
    ck_assert(equal(moment, &good[_i].moment));

    g_autofree char *text = fe_moment_format(moment);
    g_autoptr(FeMoment) again = fe_moment_parse(text, NULL);

    ck_assert_ptr_nonnull(again);
    ck_assert_msg(equal(moment, again), "%s", text);
}
END_TEST

static const char *const bad[] = {
    "",
    "text:",
    "sym:",
    "time:",
    "time:soon",
    "time:-1",
    "addr:",
    "addr:main",
    "port:",
    "port:10000",
    "port:80=",
    "port:=1",
    "port:80=100000000",
    "port:80=AA=",
    "port:80 =AA",
    "addr:10000000000000000",
};

START_TEST(bad_moment_is_refused)
{
    g_autoptr(GError) error = NULL;
    FeMoment *moment = fe_moment_parse(bad[_i], &error);

    ck_assert_msg(moment == NULL, "'%s' was taken", bad[_i]);
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_INVALID));
    ck_assert_ptr_null(strchr(error->message, '\n'));
}
END_TEST

static const struct {
    const char *text;
    const char *stream;
    bool found;
} streams[] = {
    { "login:", "Debian\r\nhost login: ", true },
    { "login:", "logi", false },
    { "login:", "loginlogin:", true },
    { "aab", "aaaab", true },
    { "abab", "abaabab", true },
    { "abcabd", "abcabcabd", true },
    { "x", "", false },
    { "a", "a", true },
    { "boot", "b" ESC "[1;31mo" ESC "[0mot", true }, /* colours inside the word */
    { "boot", "bo" ESC "[12;40Hot", true },          /* the cursor put where it is */
    { "boot", "bo" ESC "[?25lot", true },            /* a private parameter */
    { "boot", "bo" ESC "(Bot", true },               /* character set: three bytes */
    { "boot", "bo" ESC " Fot", true },
    { "boot", "bo" ESC "/Aot", true },
    { "boot", "bo" ESC "$ /Aot", true },
    { "boot", "bo" ESC "[1@ot", true },
    { "boot", "bo" ESC "[1~ot", true },
    { "boot", "bo" ESC "cot", true },                   /* two bytes */
    { "boot", "bo" ESC "]0;a title\aot", true },        /* string, closed by BEL */
    { "boot", "bo" ESC "]0;a title" ESC "\\ot", true }, /* string, closed by ST */
    { "title", ESC "]0;a title\a", false },             /* what is in a string is no text */
    { "boot", ESC "]never closed\r\nboot", true },      /* but ends with its line */
    { "boot", "bo" ESC ESC "[1mot", true },             /* a second ESC starts over */
    { "boot", "bo" ESC "[1" ESC "[1mot", true },        /* also within a sequence */
    { "boot", "bo" ESC "[1\x18ot", true },              /* CAN breaks off */
    { "[1m", ESC "[1m", false },                        /* a sequence is no text */
    { "1m", ESC "[1m", false },
    { "31", ESC "[31mred", false },
    { "\xC3\xA4", "\xC3\xA4", true }, /* bytes above 0x7F are bytes */
};

/* Fed in pieces of @piece bytes. */
static bool found_in_pieces(const char *text, const uint8_t *bytes, size_t len, size_t piece)
{
    g_autoptr(FeTextMatch) match = fe_text_match_new(text);
    bool found = false;

    for (size_t at = 0; at < len; at += piece) {
        found = fe_text_match_feed(match, bytes + at, MIN(piece, len - at));
    }
    return found;
}

START_TEST(text_is_found_however_it_is_cut)
{
    const uint8_t *bytes = (const uint8_t *)streams[_i].stream;
    size_t len = strlen(streams[_i].stream);

    for (size_t piece = 1; piece <= len + 1; piece++) {
        ck_assert_msg(found_in_pieces(streams[_i].text, bytes, len, piece) == streams[_i].found,
                      "piece of %zu", piece);
    }
}
END_TEST

START_TEST(text_stays_seen)
{
    g_autoptr(FeTextMatch) match = fe_text_match_new("ab");

    ck_assert(!fe_text_match_feed(match, (const uint8_t *)"a", 1));
    ck_assert(fe_text_match_feed(match, (const uint8_t *)"b", 1));
    ck_assert(fe_text_match_feed(match, (const uint8_t *)"zzz", 3));
    ck_assert(fe_text_match_feed(match, NULL, 0));
}
END_TEST

/* Few letters, so that near misses are many. */
static char *random_word(GRand *rand, int max_len)
{
    int len = g_rand_int_range(rand, 1, max_len);
    char *word = g_malloc((size_t)len + 1);

    for (int i = 0; i < len; i++) {
        word[i] = (char)('a' + g_rand_int_range(rand, 0, 2));
    }
    word[len] = '\0';
    return word;
}

/* @plain with control sequences sprinkled in. */
static GString *with_sequences(GRand *rand, const char *plain)
{
    static const char *const sequences[] = { ESC "[m",
                                             ESC "[31;1m",
                                             ESC "M",
                                             ESC "(0",
                                             ESC "]ab\a",
                                             ESC "[?7h",
                                             ESC "P"
                                                 "ab" ESC "\\" };
    GString *stream = g_string_new(NULL);

    for (const char *at = plain; *at != '\0'; at++) {
        if (g_rand_int_range(rand, 0, 4) == 0) {
            g_string_append(stream, sequences[g_rand_int_range(rand, 0, G_N_ELEMENTS(sequences))]);
        }
        g_string_append_c(stream, *at);
    }
    return stream;
}

START_TEST(random_stream_agrees_with_naive_search)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    unsigned n_found = 0;

    for (unsigned i = 0; i < N_RANDOM; i++) {
        g_autofree char *text = random_word(rand, 8);
        g_autofree char *plain = random_word(rand, 80);
        g_autoptr(GString) stream = with_sequences(rand, plain);
        bool want = strstr(plain, text) != NULL;
        bool got = found_in_pieces(text, (const uint8_t *)stream->str, stream->len,
                                   (size_t)g_rand_int_range(rand, 1, 9));

        if (got != want) {
            ck_abort_msg("'%s' in '%s'", text, plain);
        }
        n_found += got;
    }
    ck_assert_uint_gt(n_found, N_RANDOM / 5);
    ck_assert_uint_lt(n_found, N_RANDOM * 4 / 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("moments");
    TCase *all = tcase_create("all");

    tcase_add_loop_test(all, moment_is_understood_and_reads_back, 0, G_N_ELEMENTS(good));
    tcase_add_loop_test(all, bad_moment_is_refused, 0, G_N_ELEMENTS(bad));
    tcase_add_loop_test(all, text_is_found_however_it_is_cut, 0, G_N_ELEMENTS(streams));
    tcase_add_test(all, text_stays_seen);
    tcase_add_test(all, random_stream_agrees_with_naive_search);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
