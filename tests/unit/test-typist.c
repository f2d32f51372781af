/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/typist-internal.h"

#include "chip-fixture.h"

#define DATA 0x60
#define CMD 0x64
#define PACE UINT64_C(10000000)

static DevI8042 *kbc;
static DevTypist *typist;
static Wire irq1;

/* Keyboard on, interrupt allowed; with translation as firmware sets it up, or without. */
static void switch_on(bool translated)
{
    out8(CMD, 0x60);
    out8(DATA, translated ? 0x61 : 0x21);
}

static void setup(void)
{
    fixture_setup();
    irq1 = (Wire) { 0 };

    const DevI8042Lines lines = { .irq1 = wire_line(&irq1) };

    kbc = dev_i8042_new(ports, &lines, NULL);
    ck_assert_ptr_nonnull(kbc);
    typist = dev_typist_new(kbc, emu_clock);
}

static void teardown(void)
{
    dev_typist_free(typist);
    dev_i8042_free(kbc);
    fixture_teardown();
}

static void type(const char *text)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(dev_typist_type(typist, text, &error), "%s: %s", text,
                  error != NULL ? error->message : "no message");
}

static void pass(uint64_t ns)
{
    emu_clock_advance_to(emu_clock, emu_clock_now(emu_clock) + ns);
}

static void drain(GString *text)
{
    while ((in8(CMD) & 1) != 0) {
        g_string_append_printf(text, "%s%02x", text->len > 0 ? " " : "", in8(DATA));
    }
}

/* What comes while a guest reads all that waits each millisecond, until nothing is left and the
 * last key is up again. */
static char *listen(void)
{
    GString *text = g_string_new(NULL);

    for (unsigned n_left = 200; n_left > 0 && text->len < 100000; n_left--) {
        pass(1000000);
        drain(text);
        n_left = dev_typist_waiting(typist) > 0 ? 200 : n_left;
    }
    return g_string_free(text, FALSE);
}

static const struct {
    const char *text;
    const char *codes; /* set 2 */
} typed[] = {
    { "", "" },
    { "a", "1c f0 1c" },
    { "A", "12 1c f0 1c f0 12" },
    { "ab", "1c f0 1c 32 f0 32" },
    { "\\n", "5a f0 5a" },
    { "\n", "5a f0 5a" },
    { "\\t\\b\\e", "0d f0 0d 66 f0 66 76 f0 76" },
    { "\\\\", "5d f0 5d" },
    { "{{", "12 54 f0 54 f0 12" },
    { "}", "12 5b f0 5b f0 12" },
    { "{}}", "12 5b f0 5b f0 12" },
    { "{F1}{f12}", "05 f0 05 07 f0 07" },
    { "{Up}", "e0 75 e0 f0 75" },
    { "{C}", "21 f0 21" },
    { "{Ctrl-C}", "14 21 f0 21 f0 14" },
    { "{ctrl-!}", "14 12 16 f0 16 f0 12 f0 14" },
    { "{Ctrl--}", "14 4e f0 4e f0 14" },
    { "{Shift-Alt-Tab}", "12 11 0d f0 0d f0 11 f0 12" },
    { "{Ctrl-Alt-Del}", "14 11 e0 71 e0 f0 71 f0 11 f0 14" },
    { "{AltGr-Win-x}", "e0 11 e0 1f 22 f0 22 e0 f0 1f e0 f0 11" },
    { "{Ctrl}", "14 f0 14" },
    { "{KP5}{KPEnter}{KP-}", "73 f0 73 e0 5a e0 f0 5a 7b f0 7b" },
    { "{Print}", "e0 12 e0 7c e0 f0 7c e0 f0 12" },
    { "{Shift-Print}", "12 e0 7c e0 f0 7c f0 12" },
    { "{Alt-Print}", "11 84 f0 84 f0 11" },
    { "{Pause}", "e1 14 77 e1 f0 14 f0 77" },
    { "{Ctrl-Pause}a", "14 e0 7e e0 f0 7e f0 14 1c f0 1c" },
    { "{Alt-Pause}", "11 e1 14 77 e1 f0 14 f0 77 f0 11" },
};

START_TEST(texts_become_codes)
{
    switch_on(false);
    ck_assert(dev_typist_check(typed[_i].text, NULL));
    type(typed[_i].text);

    g_autofree char *codes = listen();

    ck_assert_str_eq(codes, typed[_i].codes);
}
END_TEST

/* Rows of a US keyboard by their codes of set 1, without and with Shift. */
static char letter_of(unsigned code, bool shift)
{
    static const struct {
        unsigned first;
        const char *plain, *shifted;
    } rows[] = {
        { 0x02, "1234567890-=", "!@#$%^&*()_+" },
        { 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
        { 0x1E, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
        { 0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
        { 0x39, " ", " " },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (code >= rows[i].first && code < rows[i].first + strlen(rows[i].plain)) {
            return (shift ? rows[i].shifted : rows[i].plain)[code - rows[i].first];
        }
    }
    return 0;
}

START_TEST(a_guest_reads_every_character)
{
    GString *want = g_string_new(NULL);
    GString *text = g_string_new(NULL);
    GString *got = g_string_new(NULL);
    bool shift = false;

    for (char c = ' '; c <= '~'; c++) {
        g_string_append_c(want, c);
        g_string_append_c(text, c);
        if (c == '{' || c == '\\') {
            g_string_append_c(text, c);
        }
    }
    switch_on(true);
    type(text->str);

    g_autofree char *codes = listen();

    for (char *at = codes; *at != '\0'; at += at[2] == ' ' ? 3 : 2) {
        unsigned code =
            (unsigned)g_ascii_xdigit_value(at[0]) << 4 | (unsigned)g_ascii_xdigit_value(at[1]);

        if ((code & 0x7F) == 0x2A) {
            shift = code < 0x80;
        } else if (code < 0x80) {
            g_string_append_c(got, letter_of(code, shift));
        }
    }
    ck_assert_str_eq(got->str, want->str);
    ck_assert(!shift);
    g_string_free(want, TRUE);
    g_string_free(text, TRUE);
    g_string_free(got, TRUE);
}
END_TEST

START_TEST(a_movement_every_ten_milliseconds)
{
    switch_on(false);
    type("B");
    ck_assert_uint_eq(dev_typist_waiting(typist), 1);
    for (unsigned i = 0; i < 4; i++) {
        static const char *const moves[] = { "12", "32", "f0 32", "f0 12" };
        g_autoptr(GString) text = g_string_new(NULL);

        pass(PACE - 1000);
        ck_assert_uint_eq(in8(CMD) & 1, 0);
        pass(1000);
        ck_assert_uint_eq(in8(CMD) & 1, 1);
        drain(text);
        ck_assert_str_eq(text->str, moves[i]);
        ck_assert_uint_eq(dev_typist_waiting(typist), i == 0);
    }
    ck_assert_uint_eq(dev_typist_waiting(typist), 0);
}
END_TEST

static void keep_interrupt_off(void)
{
    out8(CMD, 0x60);
    out8(DATA, 0x20);
}

static void switch_interface_off(void)
{
    switch_on(false);
    out8(CMD, 0xAD);
}

static void switch_scanning_off(void)
{
    switch_on(false);
    out8(DATA, 0xF5);
    ck_assert_uint_eq(in8(DATA), 0xFA);
}

static void leave_a_byte(void)
{
    switch_on(false);
    out8(DATA, 0xEE);
}

static void leave_an_answer(void)
{
    switch_on(false);
    out8(CMD, 0xAA);
}

static void nothing(void)
{
}

static void switch_all_on(void)
{
    switch_on(false);
    out8(CMD, 0xAE);
}

static void switch_scanning_on(void)
{
    out8(DATA, 0xF4);
    ck_assert_uint_eq(in8(DATA), 0xFA);
}

static void read_it(void)
{
    ck_assert_uint_eq(in8(CMD) & 1, 1);
    (void)in8(DATA);
}

/* After power-on, or: what keeps a typist from typing, and what ends it. */
static const struct {
    void (*stop)(void);
    void (*go)(void);
} waits[] = {
    { nothing, switch_all_on },
    { keep_interrupt_off, switch_all_on },
    { switch_interface_off, switch_all_on },
    { switch_scanning_off, switch_scanning_on },
    { leave_a_byte, read_it },
    { leave_an_answer, read_it },
};

START_TEST(a_keyboard_that_is_not_ready_is_waited_for)
{
    uint8_t status;

    waits[_i].stop();
    status = in8(CMD);
    type("x");
    pass(UINT64_C(5000000000));
    ck_assert_uint_eq(in8(CMD), status);
    ck_assert_uint_eq(dev_typist_waiting(typist), 1);
    waits[_i].go();

    g_autofree char *codes = listen();

    ck_assert_str_eq(codes, "22 f0 22");
}
END_TEST

/* A guest that takes one byte a second gets all of a text that no queue could hold. */
START_TEST(a_slow_guest_loses_nothing)
{
    g_autoptr(GString) got = g_string_new(NULL);

    switch_on(true);
    type("the quick brown fox jumps over the lazy dog, twice and once more");
    for (unsigned i = 0; i < 1000 && (dev_typist_waiting(typist) > 0 || (in8(CMD) & 1) != 0); i++) {
        pass(UINT64_C(1000000000));
        if ((in8(CMD) & 1) != 0) {
            unsigned code = in8(DATA);

            if (code < 0x80) {
                g_string_append_c(got, letter_of(code, false));
            }
        }
    }
    ck_assert_str_eq(got->str, "the quick brown fox jumps over the lazy dog, twice and once more");
}
END_TEST

START_TEST(rests_take_their_time)
{
    g_autoptr(GString) text = g_string_new(NULL);

    switch_on(false);
    type("a{Wait 0.5}b{wait 600}");
    pass(2 * PACE);
    drain(text);
    pass(2 * PACE);
    drain(text);
    ck_assert_str_eq(text->str, "1c f0 1c");
    pass(UINT64_C(480000000));
    drain(text);
    ck_assert_str_eq(text->str, "1c f0 1c");
    ck_assert_uint_eq(dev_typist_waiting(typist), 3); /* the long rest is in two */
    pass(UINT64_C(30000000));
    drain(text);
    ck_assert_str_eq(text->str, "1c f0 1c 32");
    pass(UINT64_C(599000000000));
    drain(text);
    ck_assert_str_eq(text->str, "1c f0 1c 32 f0 32");
    pass(UINT64_C(2000000000));
    ck_assert_uint_eq(dev_typist_waiting(typist), 0);
}
END_TEST

START_TEST(text_is_added_behind_what_waits)
{
    switch_on(false);
    type("ab");
    pass(PACE);
    type("c");
    ck_assert_uint_eq(dev_typist_waiting(typist), 2);

    g_autofree char *codes = listen();

    ck_assert_str_eq(codes, "1c f0 1c 32 f0 32 21 f0 21");
    type("d");

    g_autofree char *more = listen();

    ck_assert_str_eq(more, "23 f0 23");
}
END_TEST

static const struct {
    const char *text;
    const char *place;
} misspelt[] = {
    { "ab\\q", "character 3, '\\'" },
    { "\\", "character 1, '\\'" },
    { "x{Foo}y", "character 2, '{Foo}'" },
    { "{", "character 1, '{'" },
    { "{}", "character 1, '{'" },
    { "{Up", "character 1, '{'" },
    { "{Ctrl-}", "'{Ctrl-}'" },
    { "{Ctrl-Up-Down}", "'{Ctrl-Up-Down}'" },
    { "{Wait}", "'{Wait}'" },
    { "{Wait 0}", "{Wait SECONDS}" },
    { "{Wait -1}", "{Wait SECONDS}" },
    { "{Wait nan}", "{Wait SECONDS}" },
    { "{Wait 1e9}", "{Wait SECONDS}" },
    { "{Wait 1 }", "{Wait SECONDS}" },
    { "gr\xC3\xBC\xC3\x9F", "character 3, '\xC3\xBC'" },
    { "ok\x01", "character 3" },
    { "ok\x7F", "character 3" },
    { "a\xFF", "character 2: the text is not UTF-8" },
};

START_TEST(misspelt_texts_are_refused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;

    ck_assert(!dev_typist_check(misspelt[_i].text, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(error->message, misspelt[_i].place) != NULL, "%s", error->message);
    type("a");
    ck_assert(!dev_typist_type(typist, misspelt[_i].text, &again));
    ck_assert_str_eq(again->message, error->message);
    ck_assert_uint_eq(dev_typist_waiting(typist), 1);
}
END_TEST

START_TEST(there_is_an_end_to_what_waits)
{
    g_autofree char *most = g_strnfill(DEV_TYPIST_MAX_WAITING, 'a');
    g_autofree char *too_much = g_strnfill(DEV_TYPIST_MAX_WAITING + 1, 'a');
    g_autoptr(GError) error = NULL;

    ck_assert(!dev_typist_check(too_much, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert(!dev_typist_type(typist, too_much, NULL));
    ck_assert_uint_eq(dev_typist_waiting(typist), 0);
    type("b");
    ck_assert(!dev_typist_type(typist, most, NULL));
    ck_assert_uint_eq(dev_typist_waiting(typist), 1);
    switch_on(true);
    g_free(listen());
    /* The ring goes round. */
    type(most);
    ck_assert_uint_eq(dev_typist_waiting(typist), DEV_TYPIST_MAX_WAITING);

    g_autofree char *codes = listen();

    ck_assert_uint_eq(strlen(codes), 3 * 2 * DEV_TYPIST_MAX_WAITING - 1);
    ck_assert(g_str_has_prefix(codes, "1e 9e 1e 9e"));
    ck_assert(g_str_has_suffix(codes, "1e 9e"));
}
END_TEST

/* ---- state ---- */

static void save(GByteArray *out)
{
    EmuStatePart part;

    ck_assert_uint_eq(dev_typist_parts(typist, &part), 1);
    emu_state_save(&part.desc, part.state, out);
}

static bool load(const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    EmuStatePart part;

    (void)dev_typist_parts(typist, &part);
    if (!emu_state_load(&part.desc, part.state, bytes, len, pos, error)) {
        return false;
    }
    dev_typist_resumed(typist);
    return true;
}

START_TEST(states_of_no_typist_are_refused)
{
    type("Quire");
    check_refused(save, load, "typist", "first", 2, DEV_TYPIST_MAX_WAITING);
    check_refused(save, load, "typist", "n", 2, DEV_TYPIST_MAX_WAITING + 1);
    check_refused(save, load, "typist", "step", 1, 13);
    check_refused(save, load, "typist", "step", 1, 4); /* Q with Shift has 0 to 3 */
    check_refused(save, load, "typist", "waiting", 2, TYPIST_RESERVED | 0x1C);
    switch_on(false);
    g_free(listen());
    check_refused(save, load, "typist", "step", 1, 1); /* of nothing */
    type("{Wait 1}");
    check_refused(save, load, "typist", "step", 1, 2); /* of a rest */
    check_truncated(save, load);
}
END_TEST

static void live_on(uint32_t seed)
{
    (void)seed;
    for (unsigned i = 0; i < 200; i++) {
        pass(PACE);
        while ((in8(CMD) & 1) != 0) {
            (void)in8(DATA);
        }
    }
    (void)dev_typist_type(typist, "more", NULL);
}

START_TEST(damaged_states_are_survived)
{
    switch_on(true);
    type("{Ctrl-Alt-Pause}{Print}{Wait 1}some text");
    check_damaged(save, load, 20261122, 300, live_on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("typist");
    TCase *tcase = tcase_create("typist");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, texts_become_codes, 0, G_N_ELEMENTS(typed));
    tcase_add_test(tcase, a_guest_reads_every_character);
    tcase_add_test(tcase, a_movement_every_ten_milliseconds);
    tcase_add_loop_test(tcase, a_keyboard_that_is_not_ready_is_waited_for, 0, G_N_ELEMENTS(waits));
    tcase_add_test(tcase, a_slow_guest_loses_nothing);
    tcase_add_test(tcase, rests_take_their_time);
    tcase_add_test(tcase, text_is_added_behind_what_waits);
    tcase_add_loop_test(tcase, misspelt_texts_are_refused, 0, G_N_ELEMENTS(misspelt));
    tcase_add_test(tcase, there_is_an_end_to_what_waits);
    tcase_add_test(tcase, states_of_no_typist_are_refused);
    tcase_add_test(tcase, damaged_states_are_survived);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
