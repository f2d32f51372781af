/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary at the end of a run: some lines for people, each with "quire: " in front. Every
 * number of it and more is in
 * --stats.
 */
#pragma once

#include "counters.h"

#include <glib.h>

void fe_summary_print(const FeCounters *counters, GString *text);
