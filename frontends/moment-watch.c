/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching a machine for the moments of --until, --save-at and --type-at. Console sinks, a port
 * hook and breakpoints, all of them public functions of emu/, note what they saw and ask for a
 * stop; the run loop then finds it here.
 *
 * Thread: the machine's.
 */
#include "moment-watch.h"

#include "text-match.h"

typedef enum WatchedFor { FOR_UNTIL, FOR_SAVE, FOR_TYPING } WatchedFor;

/* One moment; seen changes once. */
typedef struct Watched {
    FeMoment *moment;
    WatchedFor what_for;
    bool seen;
    bool taken; /* and done: not watched for any more */
} Watched;

/* One text on one console. */
typedef struct TextWatch {
    FeMomentWatch *watch;
    Watched *watched;
    EmuConsole *console;
    FeTextMatch *match;
} TextWatch;

/* Invariant: until changes once, from NULL; where belongs to it. */
struct FeMomentWatch {
    EmuMachine *machine;
    Watched *moments; /* those of --until, that of --save-at, those of --type-at; does not move */
    unsigned n_moments;
    GPtrArray *texts;     /* of TextWatch: their addresses are given to consoles */
    const Watched *until; /* the one of --until that was seen first */
    const char *where;    /* console a text was seen on */
};

/* Whether it still matters that the moment comes. */
static bool is_awaited(const FeMomentWatch *watch, const Watched *watched)
{
    return !watched->seen && (watched->what_for != FOR_UNTIL || watch->until == NULL);
}

static void note(FeMomentWatch *watch, Watched *watched, const char *where)
{
    watched->seen = true;
    if (watched->what_for == FOR_UNTIL && watch->until == NULL) {
        watch->until = watched;
        watch->where = where;
    }
}

static void see(FeMomentWatch *watch, Watched *watched, const char *where)
{
    note(watch, watched, where);
    emu_machine_stop_soon(watch->machine);
}

static void text_sink(void *user, const uint8_t *bytes, size_t len)
{
    TextWatch *text = user;

    if (is_awaited(text->watch, text->watched) && fe_text_match_feed(text->match, bytes, len)) {
        see(text->watch, text->watched, emu_console_name(text->console));
    }
}

static void text_watch_free(void *data)
{
    TextWatch *text = data;

    fe_text_match_free(text->match);
    g_free(text);
}

static void arm_text(FeMomentWatch *watch, Watched *watched)
{
    EmuConsole *console = NULL;

    for (unsigned i = 0; (console = emu_machine_console_at(watch->machine, i)) != NULL; i++) {
        TextWatch *text = g_new0(TextWatch, 1);

        text->watch = watch;
        text->watched = watched;
        text->console = console;
        text->match = fe_text_match_new(watched->moment->text);
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

    for (unsigned i = 0; write && i < watch->n_moments; i++) {
        Watched *watched = &watch->moments[i];

        if (is_awaited(watch, watched) && port_matches(watched->moment, port, size, value)) {
            see(watch, watched, NULL);
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

static bool arm(FeMomentWatch *watch, Watched *watched, const EmuSymbols *symbols, GError **error)
{
    switch (watched->moment->kind) {
    case FE_MOMENT_TEXT:
        arm_text(watch, watched);
        return true;
    case FE_MOMENT_ADDRESS:
        return emu_machine_add_breakpoint(watch->machine, watched->moment->value, error);
    case FE_MOMENT_SYMBOL:
        return arm_symbol(watch, watched->moment, symbols, error);
    case FE_MOMENT_PORT:
        emu_machine_set_port_hook(watch->machine, port_hook, watch);
        return true;
    case FE_MOMENT_TIME:
        break;
    }
    return true;
}

static void add(FeMomentWatch *watch, FeMoment *moment, WatchedFor what_for)
{
    watch->moments[watch->n_moments++] = (Watched) { .moment = moment, .what_for = what_for };
}

static FeMomentWatch *new_watch(EmuMachine *machine, const FeRunOptions *options)
{
    FeMomentWatch *watch = g_new0(FeMomentWatch, 1);

    watch->machine = machine;
    watch->texts = g_ptr_array_new_with_free_func(text_watch_free);
    watch->moments = g_new0(Watched, options->until->len + 1 + options->typed->len);
    for (unsigned i = 0; i < options->until->len; i++) {
        add(watch, g_ptr_array_index(options->until, i), FOR_UNTIL);
    }
    if (options->save_at != NULL) {
        add(watch, options->save_at, FOR_SAVE);
    }
    for (unsigned i = 0; i < options->typed->len; i++) {
        const FeTyped *typed = &g_array_index(options->typed, FeTyped, i);

        if (typed->at != NULL) {
            add(watch, typed->at, FOR_TYPING);
        }
    }
    return watch;
}

FeMomentWatch *fe_moment_watch_new(EmuMachine *machine, const FeRunOptions *options,
                                   const EmuSymbols *symbols, GError **error)
{
    static const char *const names[] = { "--until ", "--save-at ", "--type-at " };
    FeMomentWatch *watch = new_watch(machine, options);

    for (unsigned i = 0; i < watch->n_moments; i++) {
        if (!arm(watch, &watch->moments[i], symbols, error)) {
            g_prefix_error(error, "%s", names[watch->moments[i].what_for]);
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
        g_free(watch->moments);
        g_free(watch);
    }
}

uint64_t fe_moment_watch_deadline(const FeMomentWatch *watch)
{
    uint64_t deadline = EMU_CLOCK_NEVER;

    for (unsigned i = 0; i < watch->n_moments; i++) {
        const Watched *watched = &watch->moments[i];

        if (watched->moment->kind == FE_MOMENT_TIME && !watched->taken) {
            deadline = MIN(deadline, watched->moment->value);
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
    for (unsigned i = 0; i < watch->n_moments; i++) {
        Watched *watched = &watch->moments[i];

        if (is_awaited(watch, watched) && stop_matches(watch, watched->moment, stop)) {
            note(watch, watched, NULL);
        }
    }
}

/* Whoever waited for the same place has seen it at the same stop. */
static void take(FeMomentWatch *watch, Watched *watched)
{
    const FeMoment *moment = watched->moment;

    if (moment->kind == FE_MOMENT_ADDRESS || moment->kind == FE_MOMENT_SYMBOL) {
        (void)emu_machine_remove_breakpoint(watch->machine, moment->value);
    }
    watched->taken = true;
}

bool fe_moment_watch_take_save(FeMomentWatch *watch)
{
    for (unsigned i = 0; i < watch->n_moments; i++) {
        Watched *watched = &watch->moments[i];

        if (watched->what_for == FOR_SAVE && watched->seen && !watched->taken) {
            take(watch, watched);
            return true;
        }
    }
    return false;
}

const FeMoment *fe_moment_watch_take_typing(FeMomentWatch *watch)
{
    for (unsigned i = 0; i < watch->n_moments; i++) {
        Watched *watched = &watch->moments[i];

        if (watched->what_for == FOR_TYPING && watched->seen && !watched->taken) {
            take(watch, watched);
            return watched->moment;
        }
    }
    return NULL;
}

const FeMoment *fe_moment_watch_next_typing(const FeMomentWatch *watch)
{
    for (unsigned i = 0; i < watch->n_moments; i++) {
        if (watch->moments[i].what_for == FOR_TYPING && !watch->moments[i].seen) {
            return watch->moments[i].moment;
        }
    }
    return NULL;
}

char *fe_moment_watch_describe_seen(const FeMomentWatch *watch)
{
    if (watch->until == NULL) {
        return NULL;
    }

    g_autofree char *moment = fe_moment_format(watch->until->moment);

    return watch->where != NULL ? g_strdup_printf("%s seen on %s", moment, watch->where)
                                : g_strdup_printf("%s reached", moment);
}
