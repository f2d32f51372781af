/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line for somebody whose words or files are wrong.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Sets EMU_ERROR_INVALID. Returns: false */
bool fe_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
