/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From text to keys of a US keyboard with 104 keys.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan
 * code set 2; the Windows keys' codes are Microsoft's Keyboard Scan Code Specification.
 */
#include "devices/typist-internal.h"

#include "emu/error.h"

#include <stdlib.h>
#include <string.h>

#define EXTENDED TYPIST_EXTENDED
#define MAX_REST_SECONDS 3600.0
#define PACES_A_SECOND ((double)EMU_NS_PER_SECOND / (double)TYPIST_PACE_NS)
#define MAX_NAME 64 /* bytes in braces */

/* By character, small letters alone; with TYPIST_SHIFT where that is needed. 0: not on the
 * keyboard. */
static const uint16_t keys_of_chars[128] = {
    ['\t'] = 0x0D,
    ['\n'] = 0x5A,
    [' '] = 0x29,
    ['!'] = 0x16 | TYPIST_SHIFT,
    ['"'] = 0x52 | TYPIST_SHIFT,
    ['#'] = 0x26 | TYPIST_SHIFT,
    ['$'] = 0x25 | TYPIST_SHIFT,
    ['%'] = 0x2E | TYPIST_SHIFT,
    ['&'] = 0x3D | TYPIST_SHIFT,
    ['\''] = 0x52,
    ['('] = 0x46 | TYPIST_SHIFT,
    [')'] = 0x45 | TYPIST_SHIFT,
    ['*'] = 0x3E | TYPIST_SHIFT,
    ['+'] = 0x55 | TYPIST_SHIFT,
    [','] = 0x41,
    ['-'] = 0x4E,
    ['.'] = 0x49,
    ['/'] = 0x4A,
    ['0'] = 0x45,
    ['1'] = 0x16,
    ['2'] = 0x1E,
    ['3'] = 0x26,
    ['4'] = 0x25,
    ['5'] = 0x2E,
    ['6'] = 0x36,
    ['7'] = 0x3D,
    ['8'] = 0x3E,
    ['9'] = 0x46,
    [':'] = 0x4C | TYPIST_SHIFT,
    [';'] = 0x4C,
    ['<'] = 0x41 | TYPIST_SHIFT,
    ['='] = 0x55,
    ['>'] = 0x49 | TYPIST_SHIFT,
    ['?'] = 0x4A | TYPIST_SHIFT,
    ['@'] = 0x1E | TYPIST_SHIFT,
    ['['] = 0x54,
    ['\\'] = 0x5D,
    [']'] = 0x5B,
    ['^'] = 0x36 | TYPIST_SHIFT,
    ['_'] = 0x4E | TYPIST_SHIFT,
    ['`'] = 0x0E,
    ['a'] = 0x1C,
    ['b'] = 0x32,
    ['c'] = 0x21,
    ['d'] = 0x23,
    ['e'] = 0x24,
    ['f'] = 0x2B,
    ['g'] = 0x34,
    ['h'] = 0x33,
    ['i'] = 0x43,
    ['j'] = 0x3B,
    ['k'] = 0x42,
    ['l'] = 0x4B,
    ['m'] = 0x3A,
    ['n'] = 0x31,
    ['o'] = 0x44,
    ['p'] = 0x4D,
    ['q'] = 0x15,
    ['r'] = 0x2D,
    ['s'] = 0x1B,
    ['t'] = 0x2C,
    ['u'] = 0x3C,
    ['v'] = 0x2A,
    ['w'] = 0x1D,
    ['x'] = 0x22,
    ['y'] = 0x35,
    ['z'] = 0x1A,
    ['{'] = 0x54 | TYPIST_SHIFT,
    ['|'] = 0x5D | TYPIST_SHIFT,
    ['}'] = 0x5B | TYPIST_SHIFT,
    ['~'] = 0x0E | TYPIST_SHIFT,
};

typedef struct NamedKey {
    const char *name;
    uint16_t key;
} NamedKey;

static const NamedKey named_keys[] = {
    { "F1", 0x05 },
    { "F2", 0x06 },
    { "F3", 0x04 },
    { "F4", 0x0C },
    { "F5", 0x03 },
    { "F6", 0x0B },
    { "F7", 0x83 },
    { "F8", 0x0A },
    { "F9", 0x01 },
    { "F10", 0x09 },
    { "F11", 0x78 },
    { "F12", 0x07 },
    { "Up", EXTENDED | 0x75 },
    { "Down", EXTENDED | 0x72 },
    { "Left", EXTENDED | 0x6B },
    { "Right", EXTENDED | 0x74 },
    { "Home", EXTENDED | 0x6C },
    { "End", EXTENDED | 0x69 },
    { "PgUp", EXTENDED | 0x7D },
    { "PgDn", EXTENDED | 0x7A },
    { "Ins", EXTENDED | 0x70 },
    { "Del", EXTENDED | 0x71 },
    { "Enter", 0x5A },
    { "Tab", 0x0D },
    { "Backspace", 0x66 },
    { "Esc", 0x76 },
    { "Space", 0x29 },
    { "CapsLock", 0x58 },
    { "NumLock", 0x77 },
    { "ScrollLock", 0x7E },
    { "Print", TYPIST_PRINT },
    { "Pause", TYPIST_PAUSE },
    { "Menu", EXTENDED | 0x2F },
    { "KP0", 0x70 },
    { "KP1", 0x69 },
    { "KP2", 0x72 },
    { "KP3", 0x7A },
    { "KP4", 0x6B },
    { "KP5", 0x73 },
    { "KP6", 0x74 },
    { "KP7", 0x6C },
    { "KP8", 0x75 },
    { "KP9", 0x7D },
    { "KP.", 0x71 },
    { "KP+", 0x79 },
    { "KP-", 0x7B },
    { "KP*", 0x7C },
    { "KP/", EXTENDED | 0x4A },
    { "KPEnter", EXTENDED | 0x5A },
};

typedef struct Parser {
    const char *text;
    const char *at;
    GArray *keys;
    GError **error;
} Parser;

/* @len: bytes of the text at p->at that the message shows. */
static bool refuse(const Parser *p, size_t len, const char *what)
{
    g_autofree char *shown = g_strndup(p->at, len);

    g_set_error(p->error, EMU_ERROR, EMU_ERROR_INVALID, "character %ld, '%s': %s",
                g_utf8_pointer_to_offset(p->text, p->at) + 1, shown, what);
    return false;
}

static bool put(Parser *p, unsigned key)
{
    uint16_t value = (uint16_t)key;

    if (p->keys->len == DEV_TYPIST_MAX_WAITING) {
        return refuse(p, 1, "too much text: at most 4096 keys and rests wait to be typed");
    }
    g_array_append_val(p->keys, value);
    return true;
}

static bool parse_escape(Parser *p)
{
    static const struct {
        char letter;
        uint8_t key;
    } escapes[] = { { 'n', 0x5A }, { 't', 0x0D }, { 'b', 0x66 }, { 'e', 0x76 }, { '\\', 0x5D } };

    for (unsigned i = 0; i < G_N_ELEMENTS(escapes); i++) {
        if (p->at[1] == escapes[i].letter) {
            bool good = put(p, escapes[i].key);

            p->at += 2;
            return good;
        }
    }
    return refuse(p, 1, "behind a backslash come n, t, b, e or another backslash");
}

static bool parse_rest(Parser *p, const char *inside, size_t shown)
{
    char *end = NULL;
    double seconds = g_ascii_strtod(inside, &end);

    /* Not by any other comparison: it may be no number. */
    if (end == inside || *end != '\0' || !(seconds > 0 && seconds <= MAX_REST_SECONDS)) {
        return refuse(p, shown, "a rest is {Wait SECONDS}, more than 0 and at most 3600");
    }

    unsigned n_paces = (unsigned)(seconds * PACES_A_SECOND + 0.5);

    for (n_paces = MAX(n_paces, 1); n_paces > 0;) {
        unsigned n = MIN(n_paces, TYPIST_REST_MAX);

        if (!put(p, TYPIST_REST | n)) {
            return false;
        }
        n_paces -= n;
    }
    return true;
}

/* A key by name, or 0. Letters are keys, not characters: no Shift. */
static unsigned key_by_name(const char *name)
{
    if (name[0] != '\0' && name[1] == '\0') {
        return keys_of_chars[g_ascii_tolower(name[0]) & 0x7F];
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(named_keys); i++) {
        if (g_ascii_strcasecmp(name, named_keys[i].name) == 0) {
            return named_keys[i].key;
        }
    }
    for (unsigned i = 0; i < TYPIST_N_HELD; i++) {
        if (g_ascii_strcasecmp(name, typist_held[i].name) == 0) {
            return typist_held[i].key;
        }
    }
    return 0;
}

/* The key to hold that @name begins with, and a hyphen; moves behind both. 0: none. */
static unsigned take_held(const char **name)
{
    for (unsigned i = 0; i < TYPIST_N_HELD; i++) {
        size_t len = strlen(typist_held[i].name);

        if (g_ascii_strncasecmp(*name, typist_held[i].name, len) == 0 && (*name)[len] == '-' &&
            (*name)[len + 1] != '\0') {
            *name += len + 1;
            return typist_held[i].mask;
        }
    }
    return 0;
}

static bool parse_braces(Parser *p)
{
    /* Not empty; {}} is the key }. */
    const char *close = p->at[1] != '\0' ? strchr(p->at + 2, '}') : NULL;

    if (close == NULL || close - p->at > MAX_NAME) {
        return refuse(p, 1, "a key's name in braces ends with a brace; a brace itself is {{");
    }

    size_t shown = (size_t)(close - p->at) + 1;
    g_autofree char *inside = g_strndup(p->at + 1, shown - 2);
    const char *name = inside;
    unsigned held = 0;
    bool good;

    if (g_ascii_strncasecmp(inside, "wait ", 5) == 0) {
        good = parse_rest(p, inside + 5, shown);
    } else {
        for (unsigned mask; (mask = take_held(&name)) != 0;) {
            held |= mask;
        }

        unsigned key = key_by_name(name);

        good = key != 0 ? put(p, key | held)
                        : refuse(p, shown,
                                 "no such key; there are F1 to F12, Up, Home, PgUp, Ins, Del, Esc, "
                                 "Enter and more, with Ctrl-, Shift-, Alt- before them");
    }
    p->at += shown;
    return good;
}

static bool parse_one(Parser *p)
{
    unsigned char c = (unsigned char)*p->at;
    unsigned shift = g_ascii_isupper(c) ? TYPIST_SHIFT : 0;

    c = (unsigned char)g_ascii_tolower((char)c);
    if (c == '\\') {
        return parse_escape(p);
    }
    if (c == '{' && p->at[1] != '{') {
        return parse_braces(p);
    }
    if (c >= G_N_ELEMENTS(keys_of_chars) || keys_of_chars[c] == 0) {
        return refuse(p, (size_t)g_utf8_skip[(unsigned char)*p->at],
                      "not on a US keyboard: only ASCII can be typed");
    }

    bool good = put(p, keys_of_chars[c] | shift);

    p->at += c == '{' ? 2 : 1;
    return good;
}

GArray *typist_parse(const char *text, GError **error)
{
    const char *end = NULL;

    if (!g_utf8_validate(text, -1, &end)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "character %ld: the text is not UTF-8 from there",
                    g_utf8_pointer_to_offset(text, end) + 1);
        return NULL;
    }

    g_autoptr(GArray) keys = g_array_new(false, false, sizeof(uint16_t));
    Parser p = { .text = text, .at = text, .keys = keys, .error = error };

    while (*p.at != '\0') {
        if (!parse_one(&p)) {
            return NULL;
        }
    }
    return g_steal_pointer(&keys);
}
