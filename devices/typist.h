/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevTypist: types text on the machine's keyboard, key by key in guest time, as a person at a US
 * keyboard would: through the keyboard controller, never past it.
 *
 * Text is UTF-8 of which US-ASCII can be typed. `\n` Enter, `\t` Tab, `\b` Backspace and `\e`
 * Escape are spelled with a backslash, a backslash itself twice. Other keys stand in braces,
 * perhaps held together: {F12}, {Up}, {Ctrl-C}, {Ctrl-Alt-Del}; `{{` is a brace. {Wait 0.5} rests
 * half a second of guest time.
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
 * Adds to what waits to be typed. Keys are pressed one after the other while the machine runs; a
 * keyboard that the guest has not switched on yet, or whose queue is full, is waited for.
 *
 * Returns: false, with nothing taken, for text it does not understand or has no room for
 */
bool dev_typist_type(DevTypist *typist, const char *text, GError **error);

/* Keys and rests not typed yet. */
size_t dev_typist_waiting(const DevTypist *typist);

#pragma GCC visibility pop
