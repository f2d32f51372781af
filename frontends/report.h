/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run leaves behind besides its summary: dumps of guest memory and the report of a guest
 * that failed.
 */
#pragma once

#include "grammar.h"
#include "output.h"
#include "run-loop.h"

/* Guest-physical memory, raw, as a debugger sees it; where nothing answers, 0xFF. Ends early if
 * @output fails. */
void fe_report_dump(Pgm *pgm, const FeRange *range, FeOutput *output);

/* Registers; where the next instruction and the address in question lie: walk, memory, symbol. */
void fe_report_failure(EmuMachine *machine, const EmuStop *stop, const EmuSymbols *symbols,
                       GString *text);
