/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line: one wire from a chip's output to somebody's input. The receiver keeps the level; setting
 * the level it has already is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef void (*EmuLineFunc)(void *user, unsigned pin, bool level);

typedef struct EmuLine {
    EmuLineFunc func; /* NULL: not connected */
    void *user;
    unsigned pin; /* the receiver's number for it */
} EmuLine;

static inline void emu_line_set(const EmuLine *line, bool level)
{
    if (line->func != NULL) {
        line->func(line->user, line->pin, level);
    }
}

/* For edge-triggered receivers. */
static inline void emu_line_pulse(const EmuLine *line)
{
    emu_line_set(line, true);
    emu_line_set(line, false);
}
