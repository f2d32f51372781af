/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeTextMatch: looks for one text in a stream of console bytes, however the stream is cut, with the
 * terminal's control sequences left out. One per text and console.
 *
 * Left out are the sequences of ECMA-48: ESC [ ... final (cursor, colours), ESC ] and ESC P, X, ^,
 * _ strings (titles), and two- and three-byte ones (ESC c, ESC ( B). A string that is not closed
 * ends with its line, or one lost byte would hide all that follows.
 *
 * Source: ECMA-48 for the sequences; Knuth, Morris, Pratt, "Fast pattern matching in strings",
 * 1977, for the search.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FeTextMatch FeTextMatch;

/**
 * fe_text_match_new:
 * @text: copied; not empty
 *
 * Returns: (transfer full): a matcher at the start of a stream
 */
FeTextMatch *fe_text_match_new(const char *text);
void fe_text_match_free(FeTextMatch *match);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeTextMatch, fe_text_match_free)

/* Takes the next bytes. Returns: whether the text has been seen, now or before. */
bool fe_text_match_feed(FeTextMatch *match, const uint8_t *bytes, size_t len);
