/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of a run: slices of guest time, and between them consoles, keyboard, signals and limits;
 * then the verdict.
 */
#pragma once

#include "guest.h"
#include "moment-watch.h"
#include "output.h"
#include "saver.h"
#include "ticks.h"

/* How a run ended. */
typedef struct FeOutcome {
    int status;
    bool show_state; /* the guest failed: registers and page walk help */
    EmuStop stop;    /* what the machine said last */
    char *reason;    /* (owned) one line */
} FeOutcome;

typedef struct FeRunLoop {
    FeGuest *guest;
    FeMomentWatch *watch;
    FeSaver *saver;       /* NULL: nothing is saved */
    FeOutput *outputs[2]; /* of the consoles; NULL: none */
    GPtrArray *ticks;     /* of FeTick *, in the order they are called in; NULL: none */
} FeRunLoop;

/* Runs to the end. Signals and terminal must have been set up. */
void fe_run_loop(FeRunLoop *loop, FeOutcome *ret_outcome);
