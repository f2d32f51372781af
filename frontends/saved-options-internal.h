/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of saved options share, writing and comparing. For saved-*.c alone.
 */
#pragma once

#include "saved-options.h"

/* Values as a state has them. */
const char *fe_saved_clock(EmuClockMode clock);
uint64_t fe_saved_hole(const FeRunOptions *options);
const char *fe_saved_cpu(const FeRunOptions *options);

/* Whether what is given in @options is as in @saved; the error names both values. */
bool fe_saved_compare(const FeRunOptions *options, const FeRunOptions *saved, GError **error);
