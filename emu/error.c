/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GError domain of the machine. Source: ours. */
#include "emu/error.h"

GQuark emu_error_quark(void)
{
    return g_quark_from_static_string("emu-error-quark");
}
