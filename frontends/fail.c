/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line for somebody whose words or files are wrong; see fail.h.
 */
#include "fail.h"

#include "emu/error.h"

bool fe_fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error != NULL) {
        *error = g_error_new_valist(EMU_ERROR, EMU_ERROR_INVALID, format, args);
    }
    va_end(args);
    return false;
}
