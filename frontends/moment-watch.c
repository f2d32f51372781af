/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching a machine for the moments of --until and --save-at. Console sinks, a port hook and
 * breakpoints, all of them public functions of emu/, note what they saw and ask for a stop; the run
 * loop then finds it here.
 *
 * Thread: the machine's.
 */
#include "moments.h"

#include "text-match.h"

#include <string.h>

/* One text on one console. */
typedef struct TextWatch {
    FeMomentWatch *watch;
    const FeMoment *moment;
    EmuConsole *console;
    FeTextMatch *match;
} TextWatch;

/* Invariants: seen changes once, from NULL; where belongs to it. save_at is NULL from when its save
 * was taken. */
struct FeMomentWatch {
    EmuMachine *machine;
    const GPtrArray *until;
    FeMoment *save_at;
    bool save_seen;
    GPtrArray *texts; /* of TextWatch: their addresses are given to consoles */
    const FeMoment *seen;
    const char *where; /* console a text was seen on */
};

/* All that are watched for: those of --until, then that of --save-at; NULL past the end. */
static FeMoment *moment_at(const FeMomentWatch *watch, unsigned index)
{
    if (index < watch->until->len) {
        return g_ptr_array_index(watch->until, index);
    }
    return index == watch->until->len ? watch->save_at : NULL;
}

/* Whether it still matters that @moment comes. */
static bool is_awaited(const FeMomentWatch *watch, const FeMoment *moment)
{
    for (unsigned i = 0; i < watch->until->len; i++) {
        if (g_ptr_array_index(watch->until, i) == moment) {
            return watch->seen == NULL;
        }
    }
    return moment == watch->save_at && !watch->save_seen;
}

static void note(FeMomentWatch *watch, const FeMoment *moment, const char *where)
{
    if (moment == watch->save_at) {
        watch->save_seen = true;
    } else if (watch->seen == NULL) {
        watch->seen = moment;
        watch->where = where;
    }
}

static void see(FeMomentWatch *watch, const FeMoment *moment, const char *where)
{
    note(watch, moment, where);
    emu_machine_stop_soon(watch->machine);
}

static void text_sink(void *user, const uint8_t *bytes, size_t len)
{
    TextWatch *text = user;

    if (is_awaited(text->watch, text->moment) && fe_text_match_feed(text->match, bytes, len)) {
        see(text->watch, text->moment, emu_console_name(text->console));
    }
}

static void text_watch_free(void *data)
{
    TextWatch *text = data;

    fe_text_match_free(text->match);
    g_free(text);
}

static void arm_text(FeMomentWatch *watch, const FeMoment *moment)
{
    EmuConsole *console = NULL;

    for (unsigned i = 0; (console = emu_machine_console_at(watch->machine, i)) != NULL; i++) {
        TextWatch *text = g_new0(TextWatch, 1);

        text->watch = watch;
        text->moment = moment;
        text->console = console;
        text->match = fe_text_match_new(moment->text);
        g_ptr_array_add(watch->texts, text);
        emu_console_add_sink(console, text_sink, text);
    }
}

static bool port_matches(const FeMoment *moment, uint16_t port, unsigned size, uint32_t value)
{
    uint32_t mask = size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * size)) - 1;

    return moment->kind == FE_MOMENT_PORT && moment->port == port &&
           (moment->any_value || moment->value == (value & mask));
}

static void port_hook(void *user, bool write, uint16_t port, unsigned size, uint32_t value)
{
    FeMomentWatch *watch = user;
    const FeMoment *moment = NULL;

    for (unsigned i = 0; write && (moment = moment_at(watch, i)) != NULL; i++) {
        if (is_awaited(watch, moment) && port_matches(moment, port, size, value)) {
            see(watch, moment, NULL);
        }
    }
}

static bool arm_symbol(FeMomentWatch *watch, FeMoment *moment, const EmuSymbols *symbols,
                       GError **error)
{
    if (emu_symbols_count(symbols) == 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "sym:%s: there are no symbols; they come with --kernel and an ELF file",
                    moment->text);
        return false;
    }
    if (!emu_symbols_lookup(symbols, moment->text, &moment->value)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "sym:%s: the kernel has no such symbol (it has %u)", moment->text,
                    emu_symbols_count(symbols));
        return false;
    }
    return emu_machine_add_breakpoint(watch->machine, moment->value, error);
}

static bool arm(FeMomentWatch *watch, FeMoment *moment, const EmuSymbols *symbols, GError **error)
{
    switch (moment->kind) {
    case FE_MOMENT_TEXT:
        arm_text(watch, moment);
        return true;
    case FE_MOMENT_ADDRESS:
        return emu_machine_add_breakpoint(watch->machine, moment->value, error);
    case FE_MOMENT_SYMBOL:
        return arm_symbol(watch, moment, symbols, error);
    case FE_MOMENT_PORT:
        emu_machine_set_port_hook(watch->machine, port_hook, watch);
        return true;
    case FE_MOMENT_TIME:
        break;
    }
    return true;
}

FeMomentWatch *fe_moment_watch_new(EmuMachine *machine, const GPtrArray *until, FeMoment *save_at,
                                   const EmuSymbols *symbols, GError **error)
{
    FeMomentWatch *watch = g_new0(FeMomentWatch, 1);
    FeMoment *moment = NULL;

    watch->machine = machine;
    watch->until = until;
    watch->save_at = save_at;
    watch->texts = g_ptr_array_new_with_free_func(text_watch_free);
    for (unsigned i = 0; (moment = moment_at(watch, i)) != NULL; i++) {
        if (!arm(watch, moment, symbols, error)) {
            g_prefix_error(error, moment == save_at ? "--save-at " : "--until ");
            /* Sinks that are armed already point here, but nothing runs a machine whose set-up
             * failed. */
            fe_moment_watch_free(watch);
            return NULL;
        }
    }
    return watch;
}

void fe_moment_watch_free(FeMomentWatch *watch)
{
    if (watch != NULL) {
        g_ptr_array_unref(watch->texts);
        g_free(watch);
    }
}

uint64_t fe_moment_watch_deadline(const FeMomentWatch *watch)
{
    uint64_t deadline = EMU_CLOCK_NEVER;
    const FeMoment *moment = NULL;

    for (unsigned i = 0; (moment = moment_at(watch, i)) != NULL; i++) {
        if (moment->kind == FE_MOMENT_TIME) {
            deadline = MIN(deadline, moment->value);
        }
    }
    return deadline;
}

static bool stop_matches(const FeMomentWatch *watch, const FeMoment *moment, const EmuStop *stop)
{
    switch (moment->kind) {
    case FE_MOMENT_ADDRESS:
    case FE_MOMENT_SYMBOL:
        return stop->reason == EMU_STOP_BREAKPOINT && stop->address == moment->value;
    case FE_MOMENT_TIME:
        return stop->reason == EMU_STOP_TIME &&
               emu_clock_now(emu_machine_clock(watch->machine)) >= moment->value;
    case FE_MOMENT_TEXT:
    case FE_MOMENT_PORT:
        break;
    }
    return false;
}

void fe_moment_watch_see_stop(FeMomentWatch *watch, const EmuStop *stop)
{
    const FeMoment *moment = NULL;

    for (unsigned i = 0; (moment = moment_at(watch, i)) != NULL; i++) {
        if (is_awaited(watch, moment) && stop_matches(watch, moment, stop)) {
            note(watch, moment, NULL);
        }
    }
}

bool fe_moment_watch_take_save(FeMomentWatch *watch)
{
    if (watch->save_at == NULL || !watch->save_seen) {
        return false;
    }
    if (watch->save_at->kind == FE_MOMENT_ADDRESS || watch->save_at->kind == FE_MOMENT_SYMBOL) {
        (void)emu_machine_remove_breakpoint(watch->machine, watch->save_at->value);
    }
    watch->save_at = NULL;
    return true;
}

char *fe_moment_watch_describe_seen(const FeMomentWatch *watch)
{
    if (watch->seen == NULL) {
        return NULL;
    }

    g_autofree char *moment = fe_moment_format(watch->seen);

    return watch->where != NULL ? g_strdup_printf("%s seen on %s", moment, watch->where)
                                : g_strdup_printf("%s reached", moment);
}
