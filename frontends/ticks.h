/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Things done at points of guest time while a run goes on: pictures taken, pages counted. The run
 * loop pauses there, which the guest does not notice (emu_machine_run_until()).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One that wants to be called. Embedded where it belongs. */
typedef struct FeTick {
    uint64_t due_ns; /* guest time of the next call; EMU_CLOCK_NEVER: none */
    /* Called between slices, once @now >= due_ns; moves due_ns past @now. False: it failed and has
     * said so in @error, the run ends with status 2. */
    bool (*call)(void *user, uint64_t now_ns, GError **error);
    void *user;
} FeTick;
