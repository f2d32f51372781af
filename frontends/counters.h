/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All counters of a machine under hierarchical names, as text and as JSON. What the memory system
 * counts is called as VirtualBox calls it where it has it ("/PGM/Page/cZeroPages"), so that its
 * users find it.
 *
 * Source: VirtualBox's statistics names as restated in the project's notes; /CPU, /Bus and /Run are
 * ours.
 */
#pragma once

#include "emu/machine.h"

#include <glib.h>

typedef struct FeCounters {
    PgmStats pgm;
    GmmStats gmm;
    EmuMachineStats emu;
    uint64_t port_reads;
    uint64_t port_writes;
    uint64_t wall_ns; /* of the run */
} FeCounters;

void fe_counters_collect(EmuMachine *machine, uint64_t wall_ns, FeCounters *ret_counters);

/* One line a counter, in the order of the table. */
void fe_counters_print(const FeCounters *counters, GString *text);

/**
 * fe_counters_to_json:
 * @reason, @status: how the run ended
 *
 * Returns: (transfer full): an object with quire's and Unicorn's version, status, reason and the
 * counters by name
 */
char *fe_counters_to_json(const FeCounters *counters, const char *reason, int status);
