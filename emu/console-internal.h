/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and freeing consoles: the machine's business. */
#pragma once

#include "emu/console.h"

/* Bytes of input that may wait for the guest. */
#define EMU_CONSOLE_QUEUE_LEN 65536

/* @name is copied. */
EmuConsole *emu_console_new(const char *name);
void emu_console_free(EmuConsole *console);
