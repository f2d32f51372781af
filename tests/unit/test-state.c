/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memmem */
#define _GNU_SOURCE
#include "emu/error.h"
#include "emu/state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct Inner {
    uint16_t low, high;
} Inner;

typedef struct Chip {
    uint8_t byte;
    bool flag;
    bool flags[3];
    uint16_t word;
    uint32_t dword;
    uint64_t qword;
    uint16_t words[4];
    Inner inner[2];
    uint8_t limited;
    void *not_saved;
} Chip;

static const EmuField fields[] = {
    EMU_FIELD(Chip, byte),        EMU_FIELD(Chip, flag),          EMU_FIELD_ARRAY(Chip, flags),
    EMU_FIELD(Chip, word),        EMU_FIELD(Chip, dword),         EMU_FIELD(Chip, qword),
    EMU_FIELD_ARRAY(Chip, words), EMU_FIELD(Chip, inner[1].high), EMU_FIELD_MAX(Chip, limited, 5),
};

static bool low_byte_rule(const void *state)
{
    const Chip *chip = state;

    return chip->byte <= chip->word;
}

static const EmuStateDesc desc = {
    .name = "chip",
    .version = 7,
    .size = sizeof(Chip),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = low_byte_rule,
};

static Chip sample(void)
{
    Chip chip;

    memset(&chip, 0, sizeof(chip));
    chip.byte = 0x12;
    chip.flag = true;
    chip.flags[2] = true;
    chip.word = 0x3456;
    chip.dword = 0x789ABCDE;
    chip.qword = UINT64_C(0xFEDCBA9876543210);
    chip.words[0] = 1;
    chip.words[3] = 0xFFFF;
    chip.inner[1].high = 0x4321;
    chip.limited = 5;
    return chip;
}

static GByteArray *saved(void)
{
    GByteArray *out = g_byte_array_new();
    Chip chip = sample();

    emu_state_save(&desc, &chip, out);
    return out;
}

START_TEST(all_fields_come_back_and_others_stay)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GByteArray) tail = saved();
    Chip chip;
    size_t pos = 3;

    g_byte_array_append(bytes, (const uint8_t *)"xyz", 3);
    g_byte_array_append(bytes, tail->data, tail->len);
    g_byte_array_append(bytes, (const uint8_t *)"more", 4);
    memset(&chip, 0, sizeof(chip));
    chip.not_saved = &chip;
    chip.inner[0].low = 99;
    ck_assert(emu_state_load(&desc, &chip, bytes->data, bytes->len, &pos, NULL));
    ck_assert_uint_eq(pos, bytes->len - 4);
    ck_assert_ptr_eq(chip.not_saved, &chip);
    ck_assert_uint_eq(chip.inner[0].low, 99);

    Chip want = sample();

    want.not_saved = &chip;
    want.inner[0].low = 99;
    ck_assert_mem_eq(&chip, &want, sizeof(chip));
}
END_TEST

START_TEST(numbers_are_little_endian_in_the_file)
{
    g_autoptr(GByteArray) bytes = saved();
    static const uint8_t qword[] = { 5, 'q',  'w',  'o',  'r',  'd',  8,    0,    1,
                                     0, 0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE };

    ck_assert_mem_eq(bytes->data, "\4chip\7\0\0\0", 9);
    ck_assert_ptr_nonnull(memmem(bytes->data, bytes->len, qword, sizeof(qword)));
}
END_TEST

static const char *const names[] = { "chip", "flags", "limited" };

START_TEST(other_names_of_the_same_length_are_refused)
{
    g_autoptr(GByteArray) bytes = saved();
    g_autoptr(GError) error = NULL;
    g_autofree char *key = g_strdup_printf("%c%s", (int)strlen(names[_i]), names[_i]);
    uint8_t *at = memmem(bytes->data, bytes->len, key, strlen(key));
    Chip chip = sample();
    size_t pos = 0;

    ck_assert_ptr_nonnull(at);
    at[strlen(key) - 1] ^= 1;
    ck_assert(!emu_state_load(&desc, &chip, bytes->data, bytes->len, &pos, &error));
    ck_assert_ptr_nonnull(strstr(error->message, names[_i]));
}
END_TEST

/* Any damaged or cut file: refused, or loaded whole with every rule kept. */
START_TEST(damage_is_refused_or_harmless)
{
    g_autoptr(GByteArray) good = saved();
    unsigned n_bad = 0, n_loaded = 0;

    for (unsigned i = 0; i < good->len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            g_autofree uint8_t *copy = g_memdup2(good->data, good->len);
            Chip chip = sample();
            Chip before = chip;
            size_t pos = 0;

            copy[i] ^= (uint8_t)(1u << bit);
            if (emu_state_load(&desc, &chip, copy, good->len, &pos, NULL)) {
                n_loaded++;
                n_bad += chip.limited > 5 || chip.byte > chip.word || pos != good->len;
            } else {
                n_bad += memcmp(&chip, &before, sizeof(chip)) != 0 || pos != 0;
            }
        }
    }
    for (unsigned len = 0; len < good->len; len++) {
        g_autofree uint8_t *copy = g_memdup2(good->data, MAX(len, 1));
        Chip chip = sample();
        size_t pos = 0;

        n_bad += emu_state_load(&desc, &chip, copy, len, &pos, NULL) || pos != 0;
    }
    ck_assert_uint_eq(n_bad, 0);
    ck_assert_uint_gt(n_loaded, 100); /* values without a limit */
}
END_TEST

static const struct {
    const char *name;    /* of the field whose value is changed; NULL: none */
    uint8_t value;       /* of its first byte */
    const char *message; /* must be in the error */
} bad_values[] = {
    { "limited", 6, "limited is 0x6" },
    { "flag", 2, "flag is 0x2" },
    { "flags", 0x80, "flags is 0x80" },
};

START_TEST(limits_are_named)
{
    g_autoptr(GByteArray) bytes = saved();
    g_autoptr(GError) error = NULL;
    const char *name = bad_values[_i].name;
    g_autofree char *key = g_strdup_printf("%c%s", (int)strlen(name), name);
    uint8_t *at = memmem(bytes->data, bytes->len, key, strlen(key));
    Chip chip = sample();
    size_t pos = 0;

    ck_assert_ptr_nonnull(at);
    at[strlen(key) + 4] = bad_values[_i].value;
    ck_assert(!emu_state_load(&desc, &chip, bytes->data, bytes->len, &pos, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_STATE));
    ck_assert_msg(strstr(error->message, bad_values[_i].message) != NULL, "%s", error->message);
    ck_assert_ptr_nonnull(strstr(error->message, "chip"));
}
END_TEST

START_TEST(rules_between_fields_are_checked_on_the_copy)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    Chip chip = sample();
    Chip bad = sample();
    size_t pos = 0;

    bad.word = 0x11;
    emu_state_save(&desc, &bad, bytes);
    ck_assert(!emu_state_load(&desc, &chip, bytes->data, bytes->len, &pos, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_STATE));
    ck_assert_uint_eq(chip.word, 0x3456);
    ck_assert_uint_eq(pos, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("state");

    tcase_add_test(tcase, all_fields_come_back_and_others_stay);
    tcase_add_test(tcase, numbers_are_little_endian_in_the_file);
    tcase_add_loop_test(tcase, other_names_of_the_same_length_are_refused, 0, G_N_ELEMENTS(names));
    tcase_add_test(tcase, damage_is_refused_or_harmless);
    tcase_add_loop_test(tcase, limits_are_named, 0, G_N_ELEMENTS(bad_values));
    tcase_add_test(tcase, rules_between_fields_are_checked_on_the_copy);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
