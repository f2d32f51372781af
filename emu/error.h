/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GError domain of emu/, devices/ and what builds on them. */
#pragma once

#include <glib.h>

#pragma GCC visibility push(default)

typedef enum EmuError {
    EMU_ERROR_INVALID,     /* a value that makes no sense: option, size, address */
    EMU_ERROR_FILE,        /* a file that cannot be read, written or is not what it should be */
    EMU_ERROR_CONFLICT,    /* two things want the same place */
    EMU_ERROR_UNSUPPORTED, /* sound, but not in this version */
    EMU_ERROR_ENGINE,      /* Unicorn refused, or is not the version it must be */
    EMU_ERROR_STATE,       /* a saved state that does not fit */
} EmuError;

#define EMU_ERROR (emu_error_quark())
GQuark emu_error_quark(void);

#pragma GCC visibility pop
