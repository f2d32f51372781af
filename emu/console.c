/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Consoles: sinks for what the guest writes, a ring for what it has not read yet.
 *
 * Invariant: n_queued <= EMU_CONSOLE_QUEUE_LEN; the oldest waiting byte is ring[head].
 *
 * Source: ours.
 */
#include "emu/console.h"

#include "emu/console-internal.h"

typedef struct Sink {
    EmuConsoleSink func;
    void *user;
} Sink;

struct EmuConsole {
    char *name;
    GArray *sinks; /* of Sink */
    EmuConsoleInputFunc input_func;
    void *input_user;
    uint32_t head;
    uint32_t n_queued;
    uint8_t ring[EMU_CONSOLE_QUEUE_LEN];
};

EmuConsole *emu_console_new(const char *name)
{
    g_assert(name != NULL);

    EmuConsole *console = g_new0(EmuConsole, 1);

    console->name = g_strdup(name);
    console->sinks = g_array_new(FALSE, FALSE, sizeof(Sink));
    return console;
}

void emu_console_free(EmuConsole *console)
{
    if (console == NULL) {
        return;
    }
    g_array_unref(console->sinks);
    g_free(console->name);
    g_free(console);
}

const char *emu_console_name(const EmuConsole *console)
{
    return console->name;
}

void emu_console_write(EmuConsole *console, uint8_t byte)
{
    /* By index: a sink may add another one. */
    for (guint i = 0; i < console->sinks->len; i++) {
        Sink sink = g_array_index(console->sinks, Sink, i);

        sink.func(sink.user, &byte, 1);
    }
}

bool emu_console_read(EmuConsole *console, uint8_t *ret_byte)
{
    if (console->n_queued == 0) {
        return false;
    }
    *ret_byte = console->ring[console->head];
    console->head = (console->head + 1) % EMU_CONSOLE_QUEUE_LEN;
    console->n_queued--;
    return true;
}

bool emu_console_can_read(const EmuConsole *console)
{
    return console->n_queued > 0;
}

void emu_console_set_input_func(EmuConsole *console, EmuConsoleInputFunc func, void *user)
{
    console->input_func = func;
    console->input_user = user;
}

void emu_console_add_sink(EmuConsole *console, EmuConsoleSink sink, void *user)
{
    g_assert(sink != NULL);

    Sink entry = { .func = sink, .user = user };

    g_array_append_val(console->sinks, entry);
}

size_t emu_console_feed(EmuConsole *console, const uint8_t *bytes, size_t len)
{
    size_t room = EMU_CONSOLE_QUEUE_LEN - console->n_queued;
    size_t n_taken = MIN(len, room);

    for (size_t i = 0; i < n_taken; i++) {
        uint32_t tail = (console->head + console->n_queued) % EMU_CONSOLE_QUEUE_LEN;

        console->ring[tail] = bytes[i];
        console->n_queued++;
    }
    if (n_taken > 0 && console->input_func != NULL) {
        console->input_func(console->input_user);
    }
    return n_taken;
}
