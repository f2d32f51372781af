/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one grammar of everything people type; see grammar.h for it.
 *
 * All numbers go through one digit reader, which checks for overflow before it happens.
 */
#include "grammar.h"

#include "fail.h"

#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define N_FRACTION_DIGITS 9

typedef enum Digits { DIGITS_NONE, DIGITS_GOOD, DIGITS_TOO_MANY } Digits;

/* Takes digits of @base (10 or 16) off *@text; *@text is moved behind them in any case. */
static Digits take_digits(const char **text, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    Digits result = DIGITS_NONE;

    for (;; (*text)++) {
        int digit = base == 16 ? g_ascii_xdigit_value(**text) : g_ascii_digit_value(**text);

        if (digit < 0) {
            break;
        }
        if (value > (UINT64_MAX - (unsigned)digit) / base) {
            result = DIGITS_TOO_MANY;
        } else if (result != DIGITS_TOO_MANY) {
            value = value * base + (unsigned)digit;
            result = DIGITS_GOOD;
        }
    }
    if (result == DIGITS_GOOD) {
        *ret_value = value;
    }
    return result;
}

static bool skip_0x(const char **text)
{
    if ((*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X')) {
        *text += 2;
        return true;
    }
    return false;
}

/* log2 of the unit a suffix letter stands for, or 0. */
static unsigned suffix_shift(char letter)
{
    switch (g_ascii_toupper(letter)) {
    case 'K':
        return 10;
    case 'M':
        return 20;
    case 'G':
        return 30;
    case 'T':
        return 40;
    default:
        return 0;
    }
}

/* Nobody means 128 bytes of RAM, and nobody types 134217728 for the pleasure of it: show both
 * spellings. */
static bool refuse_bare_number(const char *text, uint64_t n, GError **error)
{
    if (n == 0) {
        return fe_fail(error, "'%s' is no size: say for example 128M or 640K", text);
    }
    if (n < 65536) {
        return fe_fail(error,
                       "'%s' has no unit: say %" G_GUINT64_FORMAT "M or %" G_GUINT64_FORMAT "K",
                       text, n, n);
    }
    return fe_fail(error, "'%s' has no unit: say %" G_GUINT64_FORMAT "M or %" G_GUINT64_FORMAT "K",
                   text, (n >> 20) + ((n & 0xFFFFF) != 0), (n >> 10) + ((n & 0x3FF) != 0));
}

static bool refuse_size(const char *text, GError **error)
{
    return fe_fail(error, "'%s' is no size: a whole number with K, M, G or T, for example 128M",
                   text);
}

static bool parse_size_hex(const char *text, const char *digits, uint64_t *ret_bytes,
                           GError **error)
{
    uint64_t value = 0;
    Digits got = take_digits(&digits, 16, &value);

    if (got == DIGITS_NONE || *digits != '\0') {
        return refuse_size(text, error);
    }
    if (got == DIGITS_TOO_MANY) {
        return fe_fail(error, "'%s' is too large a size: it does not fit 64 bits", text);
    }
    *ret_bytes = value;
    return true;
}

bool fe_parse_size(const char *text, uint64_t *ret_bytes, GError **error)
{
    const char *at = text;

    if (skip_0x(&at)) {
        return parse_size_hex(text, at, ret_bytes, error);
    }

    uint64_t value = 0;
    Digits got = take_digits(&at, 10, &value);
    unsigned shift = suffix_shift(*at);

    if (got == DIGITS_NONE) {
        return refuse_size(text, error);
    }
    if (shift != 0) {
        at++;
    }
    if (*at != '\0') {
        return refuse_size(text, error);
    }
    if (got == DIGITS_TOO_MANY || value > (UINT64_MAX >> shift)) {
        return fe_fail(error, "'%s' is too large a size: it does not fit 64 bits", text);
    }
    if (shift == 0) {
        return refuse_bare_number(text, value, error);
    }
    *ret_bytes = value << shift;
    return true;
}

bool fe_parse_address(const char *text, uint64_t *ret_address, GError **error)
{
    const char *at = text;
    uint64_t value = 0;

    skip_0x(&at);
    Digits got = take_digits(&at, 16, &value);

    if (got == DIGITS_NONE || *at != '\0') {
        return fe_fail(
            error, "'%s' is no address: hexadecimal, with or without 0x, for example F0000", text);
    }
    if (got == DIGITS_TOO_MANY) {
        return fe_fail(error, "'%s' is too large an address: it does not fit 64 bits", text);
    }
    *ret_address = value;
    return true;
}

static bool range_from_end(const char *text, uint64_t start, const char *end_text,
                           uint64_t *ret_len, GError **error)
{
    uint64_t end = 0;

    if (!fe_parse_address(end_text, &end, error)) {
        return false;
    }
    if (end <= start) {
        return fe_fail(error, "range '%s' is empty: END lies outside and must be above START",
                       text);
    }
    *ret_len = end - start;
    return true;
}

static bool range_from_size(const char *text, uint64_t start, const char *size_text,
                            uint64_t *ret_len, GError **error)
{
    const char *at = size_text;
    uint64_t len = 0;

    /* Beside a hexadecimal address a bare number is likelier hexadecimal than mega-anything. */
    if (!skip_0x(&at) && take_digits(&at, 10, &len) == DIGITS_GOOD && *at == '\0') {
        return fe_fail(error, "size '%s' has no unit: say 0x%s (bytes) or %sK", size_text,
                       size_text, size_text);
    }
    if (!fe_parse_size(size_text, &len, error)) {
        return false;
    }
    if (len == 0) {
        return fe_fail(error, "range '%s' is empty: say for example %.*s+4K", text,
                       (int)(size_text - 1 - text), text);
    }
    if (len - 1 > UINT64_MAX - start) {
        return fe_fail(error, "range '%s' ends past the last address", text);
    }
    *ret_len = len;
    return true;
}

bool fe_parse_range(const char *text, FeRange *ret_range, GError **error)
{
    size_t start_len = strcspn(text, "+-");
    char sign = text[start_len];

    if (sign == '\0') {
        return fe_fail(error, "'%s' is no range: START+SIZE or START-END, for example F0000+64K",
                       text);
    }

    g_autofree char *start_text = g_strndup(text, start_len);
    const char *rest = text + start_len + 1;
    FeRange range = { 0, 0 };

    if (!fe_parse_address(start_text, &range.start, error)) {
        return false;
    }
    if (sign == '-' ? !range_from_end(text, range.start, rest, &range.len, error)
                    : !range_from_size(text, range.start, rest, &range.len, error)) {
        return false;
    }
    *ret_range = range;
    return true;
}

/* Digits behind the point, as nanoseconds. */
static bool take_fraction(const char **text, uint64_t *ret_ns)
{
    const char *first = *text;
    uint64_t value = 0;

    if (take_digits(text, 10, &value) != DIGITS_GOOD || *text - first > N_FRACTION_DIGITS) {
        return false;
    }
    for (ptrdiff_t n = *text - first; n < N_FRACTION_DIGITS; n++) {
        value *= 10;
    }
    *ret_ns = value;
    return true;
}

bool fe_parse_seconds(const char *text, uint64_t *ret_ns, GError **error)
{
    const char *at = text;
    uint64_t whole = 0;
    uint64_t fraction = 0;
    Digits got = take_digits(&at, 10, &whole);
    bool good = got != DIGITS_NONE;

    if (good && *at == '.') {
        at++;
        good = take_fraction(&at, &fraction);
    }
    if (!good || *at != '\0') {
        return fe_fail(
            error,
            "'%s' is no time: seconds, with up to nine digits behind a point, for example 2.5",
            text);
    }
    if (got == DIGITS_TOO_MANY || whole > FE_SECONDS_MAX) {
        return fe_fail(error, "'%s' seconds are too many: at most %" G_GUINT64_FORMAT, text,
                       FE_SECONDS_MAX);
    }
    *ret_ns = whole * NS_PER_SECOND + fraction;
    return true;
}

/* Exactly @n digits and then @end (unless that is 0). */
static bool take_field(const char **text, unsigned n, char end, int *ret_value)
{
    int value = 0;

    for (unsigned i = 0; i < n; i++) {
        int digit = g_ascii_digit_value(**text);

        if (digit < 0) {
            return false;
        }
        value = value * 10 + digit;
        (*text)++;
    }
    if (end != '\0') {
        if (**text != end) {
            return false;
        }
        (*text)++;
    }
    *ret_value = value;
    return true;
}

bool fe_parse_date(const char *text, int64_t *ret_seconds, GError **error)
{
    const char *at = text;
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    bool good = take_field(&at, 4, '-', &year) && take_field(&at, 2, '-', &month) &&
                take_field(&at, 2, '\0', &day);

    if (good && *at == 'T') {
        at++;
        good = take_field(&at, 2, ':', &hour) && take_field(&at, 2, ':', &minute) &&
               take_field(&at, 2, '\0', &second);
    }
    if (good && *at == 'Z') {
        at++;
    }

    g_autoptr(GDateTime) date = NULL;

    if (good && *at == '\0' && year >= 1980 && year <= 2099) {
        date = g_date_time_new_utc(year, month, day, hour, minute, second);
    }
    if (date == NULL) {
        return fe_fail(
            error,
            "'%s' is no date: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS in UTC, years 1980 to 2099, "
            "for example 2026-01-31",
            text);
    }
    *ret_seconds = g_date_time_to_unix(date);
    return true;
}

/* Splits at the last '@'; both halves must be there. */
static bool split_at(const char *text, const char *example, char **ret_path, const char **ret_rest,
                     GError **error)
{
    const char *sign = strrchr(text, '@');

    if (sign == NULL || sign == text || sign[1] == '\0') {
        return fe_fail(error, "'%s' is not complete: for example %s", text, example);
    }
    *ret_path = g_strndup(text, (size_t)(sign - text));
    *ret_rest = sign + 1;
    return true;
}

bool fe_parse_file_at_address(const char *text, char **ret_path, uint64_t *ret_address,
                              GError **error)
{
    g_autofree char *path = NULL;
    const char *rest = NULL;

    if (!split_at(text, "image.bin@100000", &path, &rest, error) ||
        !fe_parse_address(rest, ret_address, error)) {
        return false;
    }
    *ret_path = g_steal_pointer(&path);
    return true;
}

bool fe_parse_file_at_range(const char *text, char **ret_path, FeRange *ret_range, GError **error)
{
    g_autofree char *path = NULL;
    const char *rest = NULL;

    if (!split_at(text, "rom.bin@F0000+64K", &path, &rest, error) ||
        !fe_parse_range(rest, ret_range, error)) {
        return false;
    }
    *ret_path = g_steal_pointer(&path);
    return true;
}

/* "ro", "format=raw": what somebody meant as an option rather than as the end of a file name. */
static bool looks_like_word(const char *text)
{
    const char *at = text;

    while (g_ascii_islower(*at) || *at == '-') {
        at++;
    }
    return *at == '\0' || (*at == '=' && at != text);
}

bool fe_parse_drive(const char *text, char **ret_path, bool *ret_writable, GError **error)
{
    const char *comma = strrchr(text, ',');
    bool writable = comma != NULL && strcmp(comma, ",rw") == 0;

    if (text[0] == '\0' || comma == text) {
        return fe_fail(error, "'%s' names no file: for example disk.img or disk.img,rw", text);
    }
    if (comma != NULL && !writable && looks_like_word(comma + 1)) {
        return fe_fail(
            error,
            "'%s': unknown word '%s' behind the comma: say FILE, or FILE,rw to keep what "
            "the guest writes",
            text, comma + 1);
    }
    *ret_path = writable ? g_strndup(text, (size_t)(comma - text)) : g_strdup(text);
    *ret_writable = writable;
    return true;
}

char *fe_format_size(uint64_t bytes)
{
    static const char letters[] = "TGMK";

    for (unsigned i = 0; i < 4; i++) {
        unsigned shift = 40 - 10 * i;

        if (bytes != 0 && (bytes & ((UINT64_C(1) << shift) - 1)) == 0) {
            return g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes >> shift, letters[i]);
        }
    }
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", bytes);
}

char *fe_format_address(uint64_t address)
{
    return g_strdup_printf("%08" G_GINT64_MODIFIER "X", address);
}

char *fe_format_range(const FeRange *range)
{
    g_autofree char *start = fe_format_address(range->start);
    g_autofree char *size = fe_format_size(range->len);

    return g_strdup_printf("%s+%s", start, size);
}

char *fe_format_seconds(uint64_t ns)
{
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%" G_GUINT64_FORMAT ".%09" G_GUINT64_FORMAT, ns / NS_PER_SECOND,
                    ns % NS_PER_SECOND);
    while (text->str[text->len - 1] == '0') {
        g_string_truncate(text, text->len - 1);
    }
    if (text->str[text->len - 1] == '.') {
        g_string_truncate(text, text->len - 1);
    }
    return g_string_free(text, FALSE);
}

char *fe_format_date(int64_t seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);

    return g_date_time_format(date, "%Y-%m-%dT%H:%M:%S");
}
