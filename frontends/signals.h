/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals while a machine runs: SIGINT, SIGTERM, SIGHUP and the wall-clock limit ask it to stop and
 * are remembered; SIGPIPE becomes a failed write. A third SIGINT ends the program where it stands.
 *
 * One machine a process: this is a program's business, not a library's.
 */
#pragma once

#include "emu/machine.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * fe_signals_start:
 * @machine: asked to stop
 * @timeout_ns: wall time from now; 0: no limit
 */
void fe_signals_start(EmuMachine *machine, uint64_t timeout_ns);

/* The machine is not touched after this; a signal then ends the program as usual. */
void fe_signals_stop(void);

/* The first signal of those that end a run, or 0. */
int fe_signals_caught(void);

/* "SIGINT (Ctrl-C)", of a signal that fe_signals_caught() gave. */
const char *fe_signals_name(int number);
bool fe_signals_timed_out(void);

/* Either of the two. */
bool fe_signals_want_end(void);
