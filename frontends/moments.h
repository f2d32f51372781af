/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moments: what --until, --save-at and --type-at wait for.
 *
 *   text:TEXT      TEXT appears on a console; so does any other word that is none of the below
 *   time:SECONDS   guest time
 *   addr:ADDRESS   the instruction at this linear address is about to run
 *   sym:NAME       likewise, at a symbol of the loaded kernel
 *   port:PORT[=V]  a write to an I/O port (of value V), both hexadecimal
 *
 * A word that misses one of these by one slip ("tmie:1") is refused.
 *
 * Source: ours.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum FeMomentKind {
    FE_MOMENT_TEXT,
    FE_MOMENT_TIME,
    FE_MOMENT_ADDRESS,
    FE_MOMENT_SYMBOL,
    FE_MOMENT_PORT,
} FeMomentKind;

typedef struct FeMoment {
    FeMomentKind kind;
    char *text;     /* TEXT: what to look for; SYMBOL: its name */
    uint64_t value; /* TIME: ns; ADDRESS; SYMBOL: its address once armed; PORT: value to wait for */
    uint16_t port;
    bool any_value; /* PORT: whatever is written */
} FeMoment;

/* Returns: (transfer full): or %NULL with EMU_ERROR_INVALID that quotes @text */
FeMoment *fe_moment_parse(const char *text, GError **error);
void fe_moment_free(FeMoment *moment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeMoment, fe_moment_free)

/* (transfer full): parses back to an equal moment */
char *fe_moment_format(const FeMoment *moment);
