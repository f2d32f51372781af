/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Curves: how a cost grows with something. Written as JSON; plot.sh makes pictures of it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Measures all curves, telling each on standard output; writes them to @path. False with an error.
 */
bool bench_curves(const char *path, bool quick, GError **error);
