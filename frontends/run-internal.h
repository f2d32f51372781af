/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of `quire run` share: run.c sets up and runs, run-end.c writes and says what
 * is left when the guest has come to its end.
 */
#pragma once

#include "guest.h"
#include "memory-files.h"
#include "moment-watch.h"
#include "output.h"
#include "run-loop.h"
#include "saver.h"
#include "screen-shots.h"

#include <stdio.h>

enum { FE_OUT_SERIAL, FE_OUT_DEBUGCON, FE_N_OUTS };

/* One run; all parts may be NULL until they are set up. */
typedef struct FeRun {
    FeRunOptions *options;
    FeFiles *files;
    FeGuest *guest;
    FeMomentWatch *watch;
    FeSaver *saver;
    FeScreenShots *screen;
    FeMemoryFiles *memory;
    FeOutput *consoles[FE_N_OUTS];
    GPtrArray *dumps; /* of FeOutput, in the order of options->dumps */
    FeOutput *stats;
    FeOutput *trace_output;
    FILE *trace; /* into trace_output */
} FeRun;

/**
 * fe_run_end:
 * @outcome: its status may become worse: a result that could not be written spoils a run that was
 *   good
 * @wall_ns: that the run has taken
 */
void fe_run_end(FeRun *run, FeOutcome *outcome, uint64_t wall_ns);
