/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is typed: stdin to a console of the guest. A terminal is set so that keys arrive one by one
 * and unechoed, and set back whenever the program ends, is suspended or dies; Ctrl-C stays a
 * signal.
 *
 * Thread: the main one. One at a time.
 */
#pragma once

#include "emu/console.h"

#include <stdbool.h>

/* Starts to read stdin for @console. */
void fe_terminal_start(EmuConsole *console);

/**
 * fe_terminal_poll:
 * @idle: the guest has nothing to do: if somebody sits at a terminal, wait a moment for a key
 *
 * Hands over what was typed by now, as much as the console takes.
 *
 * Returns: whether more may come; false from the end of the input on
 */
bool fe_terminal_poll(bool idle);

/* Sets the terminal back; harmless at any time. Callable from signal handlers. */
void fe_terminal_restore(void);
