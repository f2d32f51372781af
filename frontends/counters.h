/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All counters of a machine under hierarchical names, as text and as JSON: those of memory
 * (memsys/info.h: /GMM, /MM, /PGM) and ours of the machine (/Bus, /CPU, /Run).
 */
#pragma once

#include "emu/machine.h"
#include "memsys/info.h"

#include <glib.h>

/* For the summary; the names of memory's counters are walked when they are printed. */
typedef struct FeCounters {
    Pgm *memory;
    PgmStats pgm;
    EmuMachineStats emu;
    uint64_t port_reads;
    uint64_t port_writes;
    uint64_t wall_ns; /* of the run */
} FeCounters;

void fe_counters_collect(EmuMachine *machine, uint64_t wall_ns, FeCounters *ret_counters);

/**
 * fe_counters_print:
 * @glob: (nullable): only names that match
 *
 * One line a counter, in order of name.
 *
 * Returns: how many there were
 */
unsigned fe_counters_print(const FeCounters *counters, const char *glob, GString *text);

/**
 * fe_counters_to_json:
 * @reason, @status: how the run ended
 *
 * Returns: (transfer full): an object with quire's and Unicorn's version, status, reason and the
 * counters by name
 */
char *fe_counters_to_json(const FeCounters *counters, const char *reason, int status);
