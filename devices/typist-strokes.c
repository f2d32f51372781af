/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a keyboard sends when keys go down and up.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan
 * code set 2.
 */
#include "devices/typist-internal.h"

#include <string.h>

const TypistHeld typist_held[TYPIST_N_HELD] = {
    { "Ctrl", TYPIST_CTRL, 0x14 },
    { "Shift", TYPIST_SHIFT, 0x12 },
    { "Alt", TYPIST_ALT, 0x11 },
    { "AltGr", TYPIST_ALT_GR, TYPIST_EXTENDED | 0x11 },
    { "Win", TYPIST_GUI, TYPIST_EXTENDED | 0x1F },
};

static unsigned copy(uint8_t *to, const char *codes, size_t len)
{
    memcpy(to, codes, len);
    return (unsigned)len;
}

/* Down or up of one key. */
static unsigned put_codes(uint8_t *to, uint16_t key, bool up)
{
    unsigned n = 0;

    if ((key & TYPIST_EXTENDED) != 0) {
        to[n++] = 0xE0;
    }
    if (up) {
        to[n++] = 0xF0;
    }
    to[n++] = (uint8_t)key;
    return n;
}

/* Print Screen sends a Shift of its own unless one is held, and is another key with Alt. */
static unsigned put_print(uint8_t *to, uint16_t held, bool up)
{
    if ((held & (TYPIST_ALT | TYPIST_ALT_GR)) != 0) {
        return put_codes(to, 0x84, up);
    }
    if ((held & (TYPIST_CTRL | TYPIST_SHIFT)) != 0) {
        return put_codes(to, TYPIST_PRINT, up);
    }
    return up ? copy(to, "\xE0\xF0\x7C\xE0\xF0\x12", 6) : copy(to, "\xE0\x12\xE0\x7C", 4);
}

/* Pause sends all when it goes down, and is Break with Ctrl. */
static unsigned put_pause(uint8_t *to, uint16_t held)
{
    return (held & TYPIST_CTRL) != 0 ? copy(to, "\xE0\x7E\xE0\xF0\x7E", 5)
                                     : copy(to, "\xE1\x14\x77\xE1\xF0\x14\xF0\x77", 8);
}

unsigned typist_stroke(uint16_t key, unsigned step, uint8_t ret_codes[TYPIST_MAX_STROKE])
{
    uint16_t strokes[TYPIST_N_HELD + 1];
    uint16_t pressed = key & 0x1FF;
    unsigned n = 0;

    for (unsigned i = 0; i < TYPIST_N_HELD; i++) {
        if ((key & typist_held[i].mask) != 0) {
            strokes[n++] = typist_held[i].key;
        }
    }
    strokes[n++] = pressed;
    /* n down, then n up in reverse order; Pause has no way up. */
    if (step >= 2 * n) {
        return 0;
    }
    if (step >= n && pressed == TYPIST_PAUSE) {
        step++;
        if (step >= 2 * n) {
            return 0;
        }
    }

    bool up = step >= n;
    unsigned index = up ? 2 * n - 1 - step : step;

    if (index < n - 1) {
        return put_codes(ret_codes, strokes[index], up);
    }
    if (pressed == TYPIST_PRINT) {
        return put_print(ret_codes, key, up);
    }
    return pressed == TYPIST_PAUSE ? put_pause(ret_codes, key) : put_codes(ret_codes, pressed, up);
}
