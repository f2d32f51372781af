/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevTypist: types text on the machine's keyboard, key by key in guest time, as a person at a US
 * keyboard would: through the keyboard controller, never past it.
 *
 * Text is UTF-8 of which US-ASCII can be typed. `\n` Enter, `\t` Tab, `\b` Backspace and `\e`
 * Escape are spelled with a backslash, a backslash itself twice. Other keys stand in braces,
 * perhaps held together: {F12}, {Up}, {KP5}, {Ctrl-C}, {Ctrl-Alt-Del}; a letter there is the key,
 * with no Shift but one that is named. `{{` is a brace. {Wait 0.5} rests half a second of guest
 * time.
 *
 * Thread: the machine's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)

#define DEV_TYPIST_MAX_WAITING 4096 /* keys and rests that were not typed yet */

typedef struct DevTypist DevTypist;

/* Whether dev_typist_type() would understand @text; the error names the place and what to write. */
bool dev_typist_check(const char *text, GError **error);

/**
 * dev_typist_type:
 *
 * Adds to what waits to be typed. Keys are pressed and released one after the other, 10 ms apart,
 * while the machine runs. Each waits until the guest has allowed the keyboard's interrupt, switched
 * keyboard and controller on, and taken what was sent before.
 *
 * Returns: false, with nothing taken, for text it does not understand or has no room for
 */
bool dev_typist_type(DevTypist *typist, const char *text, GError **error);

/* Keys not pressed and rests not begun yet. */
size_t dev_typist_waiting(const DevTypist *typist);

#pragma GCC visibility pop
