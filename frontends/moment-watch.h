/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeMomentWatch: any number of moments armed in one machine. The first one of --until that is seen
 * asks the machine to stop for good; those of --save-at and --type-at are taken once, and the run
 * goes on.
 *
 * Thread: the machine's.
 */
#pragma once

#include "emu/loader.h"
#include "emu/machine.h"
#include "moments.h"
#include "run-options.h"

typedef struct FeMomentWatch FeMomentWatch;

/**
 * fe_moment_watch_new:
 * @options: its moments are watched for; must outlive the watch
 *
 * Arms all of them; of two that come together the one that comes first in the list may win. Takes
 * over the machine's port hook if a port is among them. The machine's consoles must exist already.
 *
 * Returns: (transfer full): freed only after the machine; or %NULL for a symbol that is not there,
 *   with the option in front
 */
FeMomentWatch *fe_moment_watch_new(EmuMachine *machine, const FeRunOptions *options,
                                   const EmuSymbols *symbols, GError **error);
void fe_moment_watch_free(FeMomentWatch *watch);

/* The guest time of the earliest time moment, or EMU_CLOCK_NEVER: a run must not pass it. */
uint64_t fe_moment_watch_deadline(const FeMomentWatch *watch);

/* To be told of each stop; it may be the one that a moment waits for. */
void fe_moment_watch_see_stop(FeMomentWatch *watch, const EmuStop *stop);

/* Whether the moment to save has come: true once. From then on it is not watched for. */
bool fe_moment_watch_take_save(FeMomentWatch *watch);

/* The first moment to type that has come and was not taken yet, or %NULL. From then on it is not
 * watched for. */
const FeMoment *fe_moment_watch_take_typing(FeMomentWatch *watch);

/* The first moment to type that has not come, or %NULL. */
const FeMoment *fe_moment_watch_next_typing(const FeMomentWatch *watch);

/* Returns: (transfer full): "text:login: on serial0", or %NULL if none of --until was seen yet */
char *fe_moment_watch_describe_seen(const FeMomentWatch *watch);
