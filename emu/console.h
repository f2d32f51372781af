/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console: a named stream of bytes between a chip and the world. What the guest writes goes to
 * any number of sinks, at once; what the world sends waits in a queue until the guest takes it.
 *
 * Thread: the machine's. Front ends feed input between slices of the run loop.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

typedef struct EmuConsole EmuConsole;
typedef void (*EmuConsoleSink)(void *user, const uint8_t *bytes, size_t len);
typedef void (*EmuConsoleInputFunc)(void *user); /* input arrived */

const char *emu_console_name(const EmuConsole *console);

/* The guest's side. */
void emu_console_write(EmuConsole *console, uint8_t byte);
bool emu_console_read(EmuConsole *console, uint8_t *ret_byte); /* false: nothing waits */
bool emu_console_can_read(const EmuConsole *console);
void emu_console_set_input_func(EmuConsole *console, EmuConsoleInputFunc func, void *user);

/* The world's side. */
void emu_console_add_sink(EmuConsole *console, EmuConsoleSink sink, void *user);

/* Returns: how many bytes were taken; the queue holds 64 KiB */
size_t emu_console_feed(EmuConsole *console, const uint8_t *bytes, size_t len);

#pragma GCC visibility pop
