/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A typist's life, and the keys that a text stands for.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/i8042.h"
#include "devices/typist.h"
#include "emu/clock.h"
#include "emu/state-units.h"

#include <stdint.h>

/* Between one movement of a key and the next, and how often a keyboard is looked at again. */
#define TYPIST_PACE_NS UINT64_C(10000000)

/* One thing to do: a key with others held down, or a rest.
 *
 *   rest   15: 1 | 14..0 units of TYPIST_PACE_NS
 *   key    15: 0 | 14: 0 | 13..9 held | 8: E0 goes before the code | 7..0 code of set 2
 */
#define TYPIST_REST 0x8000u
#define TYPIST_REST_MAX 0x7FFFu
#define TYPIST_EXTENDED 0x0100u
#define TYPIST_CTRL 0x0200u
#define TYPIST_SHIFT 0x0400u
#define TYPIST_ALT 0x0800u
#define TYPIST_ALT_GR 0x1000u
#define TYPIST_GUI 0x2000u
#define TYPIST_HELD 0x3E00u /* the five above */
#define TYPIST_RESERVED 0x4000u

/* Keys to hold, in the order in which they are pressed; pressed alone they are keys too. */
#define TYPIST_N_HELD 5
typedef struct TypistHeld {
    const char *name;
    uint16_t mask;
    uint16_t key;
} TypistHeld;
extern const TypistHeld typist_held[TYPIST_N_HELD];

/* Two keys whose codes are no code with a break of it. */
#define TYPIST_PRINT 0x017Cu
#define TYPIST_PAUSE 0x0177u

#define TYPIST_MAX_STROKE 8 /* bytes of one movement */

/* What @text stands for: array of uint16_t, up to DEV_TYPIST_MAX_WAITING. NULL: not understood. */
GArray *typist_parse(const char *text, GError **error);

/**
 * typist_stroke:
 * @step: 0 for the first movement of the key, or of those held with it
 * @ret_codes: what the keyboard sends for it, scan code set 2
 *
 * Returns: how many bytes, 0 behind the last movement
 */
unsigned typist_stroke(uint16_t key, unsigned step, uint8_t ret_codes[TYPIST_MAX_STROKE]);

/* Returns: (transfer full): one who has nothing to type; @kbc, @clock: must outlive it */
DevTypist *dev_typist_new(DevI8042 *kbc, EmuClock *clock);
void dev_typist_free(DevTypist *typist);

/* Of an EmuStateUnit. There is no reset: a person goes on typing when a machine starts anew. */
unsigned dev_typist_parts(void *user, EmuStatePart *ret_parts);
void dev_typist_resumed(void *user);
