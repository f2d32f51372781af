/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --help, --version and the `help` values of options print. */
#pragma once

#include <glib.h>

void fe_help_quire(GString *text);
void fe_help_run(GString *text);
void fe_help_version(GString *text);
void fe_help_cpus(GString *text);
void fe_help_machines(GString *text);
void fe_help_info(GString *text);
