/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moments: what --until and --save-at wait for.
 *
 *   text:TEXT      TEXT appears on a console; so does any other word that is none of the below
 *   time:SECONDS   guest time
 *   addr:ADDRESS   the instruction at this linear address is about to run
 *   sym:NAME       likewise, at a symbol of the loaded kernel
 *   port:PORT[=V]  a write to an I/O port (of value V), both hexadecimal
 *
 * A word that misses one of these by one slip ("tmie:1") is refused.
 *
 * FeMomentWatch arms any number of them in one machine; the first one of --until seen asks the
 * machine to stop for good, that of --save-at once for a save.
 *
 * Source: ours.
 */
#pragma once

#include "emu/loader.h"
#include "emu/machine.h"

#include <glib.h>

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

typedef struct FeMomentWatch FeMomentWatch;

/**
 * fe_moment_watch_new:
 * @until: of FeMoment; stays the caller's and must outlive the watch
 * @save_at: (nullable): likewise
 *
 * Arms all of them; of two that come together the one that comes first in the list may win. Takes
 * over the machine's port hook if a port is among them. The machine's consoles must exist already.
 *
 * Returns: (transfer full): freed only after the machine; or %NULL for a symbol that is not there,
 *   with the option in front
 */
FeMomentWatch *fe_moment_watch_new(EmuMachine *machine, const GPtrArray *until, FeMoment *save_at,
                                   const EmuSymbols *symbols, GError **error);
void fe_moment_watch_free(FeMomentWatch *watch);

/* The guest time of the earliest time moment, or EMU_CLOCK_NEVER: a run must not pass it. */
uint64_t fe_moment_watch_deadline(const FeMomentWatch *watch);

/* To be told of each stop; it may be the one that a moment waits for. */
void fe_moment_watch_see_stop(FeMomentWatch *watch, const EmuStop *stop);

/* Whether the moment to save has come: true once. From then on it is not watched for. */
bool fe_moment_watch_take_save(FeMomentWatch *watch);

/* Returns: (transfer full): "text:login: on serial0", or %NULL if none of --until was seen yet */
char *fe_moment_watch_describe_seen(const FeMomentWatch *watch);
