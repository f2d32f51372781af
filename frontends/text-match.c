/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking for a text in a console's bytes; see text-match.h.
 *
 * Two machines in a row, a byte at a time: the first drops control sequences, the second is the
 * searcher. Both keep all they know in FeTextMatch, so the cuts between calls cannot matter.
 */
#include "text-match.h"

#include <string.h>

typedef enum EscState {
    ESC_NONE,
    ESC_SEEN,         /* ESC */
    ESC_INTERMEDIATE, /* ESC and bytes 0x20 to 0x2F: the next other one is the last */
    ESC_CSI,          /* ESC [: up to a byte from 0x40 */
    ESC_STRING,       /* ESC ] and the like: up to BEL, ESC \ or the end of the line */
    ESC_STRING_ESC,   /* ESC within a string */
} EscState;

/*
 * Invariants:
 *   1. n_matched < len until seen; the last n_matched plain bytes equal the first n_matched of
 * text.
 *   2. border[i] is the length of the longest proper border of text[0 .. i].
 */
struct FeTextMatch {
    uint8_t *text;
    size_t *border;
    size_t len;
    size_t n_matched;
    EscState state;
    bool seen;
};

enum { BEL = 0x07, LF = 0x0A, CR = 0x0D, CAN = 0x18, SUB = 0x1A, ESC = 0x1B };

FeTextMatch *fe_text_match_new(const char *text)
{
    FeTextMatch *match = g_new0(FeTextMatch, 1);

    g_assert(text[0] != '\0');
    match->len = strlen(text);
    match->text = g_memdup2(text, match->len);
    match->border = g_new0(size_t, match->len);
    for (size_t i = 1; i < match->len; i++) {
        size_t n = match->border[i - 1];

        while (n > 0 && match->text[i] != match->text[n]) {
            n = match->border[n - 1];
        }
        match->border[i] = n + (match->text[i] == match->text[n]);
    }
    return match;
}

void fe_text_match_free(FeTextMatch *match)
{
    if (match != NULL) {
        g_free(match->text);
        g_free(match->border);
        g_free(match);
    }
}

static EscState after_esc(uint8_t byte)
{
    switch (byte) {
    case '[':
        return ESC_CSI;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        return ESC_STRING;
    case ESC:
        return ESC_SEEN;
    default:
        return byte >= 0x20 && byte <= 0x2F ? ESC_INTERMEDIATE : ESC_NONE;
    }
}

static EscState in_string(uint8_t byte)
{
    if (byte == ESC) {
        return ESC_STRING_ESC;
    }
    return byte == BEL || byte == LF || byte == CR ? ESC_NONE : ESC_STRING;
}

/* The state after @byte of a sequence; ESC_NONE if the byte was its last. */
static EscState next_state(EscState state, uint8_t byte)
{
    if (byte == CAN || byte == SUB) {
        return ESC_NONE;
    }
    switch (state) {
    case ESC_SEEN:
        return after_esc(byte);
    case ESC_INTERMEDIATE:
        return byte == ESC ? ESC_SEEN
                           : (byte >= 0x20 && byte <= 0x2F ? ESC_INTERMEDIATE : ESC_NONE);
    case ESC_CSI:
        return byte == ESC ? ESC_SEEN : (byte >= 0x40 ? ESC_NONE : ESC_CSI);
    case ESC_STRING:
        return in_string(byte);
    case ESC_STRING_ESC:
        return byte == '\\' ? ESC_NONE : after_esc(byte);
    case ESC_NONE:
        break;
    }
    return byte == ESC ? ESC_SEEN : ESC_NONE;
}

static void search(FeTextMatch *match, uint8_t byte)
{
    size_t n = match->n_matched;

    while (n > 0 && match->text[n] != byte) {
        n = match->border[n - 1];
    }
    n += match->text[n] == byte;
    match->seen = n == match->len;
    match->n_matched = match->seen ? 0 : n;
}

bool fe_text_match_feed(FeTextMatch *match, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && !match->seen; i++) {
        bool plain = match->state == ESC_NONE && bytes[i] != ESC;

        match->state = next_state(match->state, bytes[i]);
        if (plain) {
            search(match, bytes[i]);
        }
    }
    return match->seen;
}
