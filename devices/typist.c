/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typing: waiting keys in a ring, a timer that makes one movement after the other.
 *
 * A movement is made when the guest looks for keys and has taken those before
 * (dev_i8042_awaits_key()): else it is tried again a moment later. So nothing is typed into a
 * keyboard that firmware is about to reset, and no text overruns a guest that reads slowly; one
 * that takes keys from the controller and throws them away loses them, as with a person.
 *
 * Invariants:
 *   1. The timer is set while anything waits.
 *   2. The first of what waits has a movement to make at step, or is a rest.
 */
#include "devices/typist-internal.h"

#include "emu/error.h"

#include <string.h>

#define MAX_STEPS 12 /* five keys to hold, one to press; all of them up again */

typedef struct State {
    uint16_t waiting[DEV_TYPIST_MAX_WAITING]; /* ring */
    uint16_t first;
    uint16_t n;
    uint8_t step; /* of the first: movements made */
} State;

struct DevTypist {
    DevI8042 *kbc;
    EmuClock *clock;
    EmuTimer *timer;
    State state;
};

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(State, waiting),
    EMU_FIELD_MAX(State, first, DEV_TYPIST_MAX_WAITING - 1),
    EMU_FIELD_MAX(State, n, DEV_TYPIST_MAX_WAITING),
    EMU_FIELD_MAX(State, step, MAX_STEPS),
};

/* Each is a key or a rest, and the first is at a movement that it has. */
static bool is_valid(const void *loaded)
{
    const State *s = loaded;
    uint16_t first = s->waiting[s->first];
    uint8_t codes[TYPIST_MAX_STROKE];

    for (unsigned i = 0; i < DEV_TYPIST_MAX_WAITING; i++) {
        if ((s->waiting[i] & (TYPIST_REST | TYPIST_RESERVED)) == TYPIST_RESERVED) {
            return false;
        }
    }
    if (s->n == 0 || (first & TYPIST_REST) != 0) {
        return s->step <= (s->n == 0 ? 0 : 1);
    }
    return typist_stroke(first, s->step, codes) != 0;
}

static const EmuStateDesc desc = {
    .name = "typist",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

static void set_timer(DevTypist *typist, uint64_t n_paces)
{
    emu_timer_set(typist->timer, emu_clock_now(typist->clock) + n_paces * TYPIST_PACE_NS);
}

static void ensure_timer(DevTypist *typist)
{
    if (typist->state.n > 0 && emu_timer_deadline(typist->timer) == EMU_CLOCK_NEVER) {
        set_timer(typist, 1);
    }
}

static void drop_first(State *s)
{
    s->first = (uint16_t)((s->first + 1u) % DEV_TYPIST_MAX_WAITING);
    s->n--;
    s->step = 0;
}

/* Makes the next movement if the guest wants one. Returns how long to wait then, in paces; 0: a
 * rest is over and gone. */
static uint64_t move(DevTypist *typist)
{
    State *s = &typist->state;
    uint16_t key = s->waiting[s->first];
    uint8_t codes[TYPIST_MAX_STROKE];

    if ((key & TYPIST_REST) != 0) {
        if (s->step == 0) {
            s->step = 1;
            return MAX(key & TYPIST_REST_MAX, 1u);
        }
        drop_first(s);
        return 0;
    }

    unsigned n = typist_stroke(key, s->step, codes);

    if (dev_i8042_awaits_key(typist->kbc) && dev_i8042_key(typist->kbc, codes, n)) {
        s->step++;
        if (typist_stroke(key, s->step, codes) == 0) {
            drop_first(s);
        }
    }
    return 1;
}

static void timer_fired(void *user)
{
    DevTypist *typist = user;
    uint64_t n_paces = 0;

    while (typist->state.n > 0 && n_paces == 0) {
        n_paces = move(typist);
    }
    if (typist->state.n > 0) {
        set_timer(typist, n_paces);
    }
}

DevTypist *dev_typist_new(DevI8042 *kbc, EmuClock *clock)
{
    DevTypist *typist = g_new0(DevTypist, 1);

    typist->kbc = kbc;
    typist->clock = clock;
    typist->timer = emu_timer_new(clock, "typist", timer_fired, typist);
    return typist;
}

void dev_typist_free(DevTypist *typist)
{
    if (typist == NULL) {
        return;
    }
    emu_timer_free(typist->timer);
    g_free(typist);
}

bool dev_typist_check(const char *text, GError **error)
{
    g_autoptr(GArray) keys = typist_parse(text, error);

    return keys != NULL;
}

bool dev_typist_type(DevTypist *typist, const char *text, GError **error)
{
    State *s = &typist->state;
    g_autoptr(GArray) keys = typist_parse(text, error);

    if (keys == NULL) {
        return false;
    }
    if (keys->len > DEV_TYPIST_MAX_WAITING - (unsigned)s->n) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%u keys to type while %u still wait; at most %u can: let the guest run first",
                    keys->len, s->n, DEV_TYPIST_MAX_WAITING);
        return false;
    }
    for (unsigned i = 0; i < keys->len; i++) {
        unsigned at = (s->first + s->n++) % (unsigned)DEV_TYPIST_MAX_WAITING;

        s->waiting[at] = g_array_index(keys, uint16_t, i);
    }
    ensure_timer(typist);
    return true;
}

size_t dev_typist_waiting(const DevTypist *typist)
{
    const State *s = &typist->state;
    uint16_t key = s->waiting[s->first];
    unsigned n_held =
        (key & TYPIST_REST) != 0 ? 0 : (unsigned)__builtin_popcount(key & TYPIST_HELD);

    /* One whose key is down, or a rest that is being rested, has only to end. */
    return s->n > 0 && s->step > n_held ? s->n - 1u : s->n;
}

unsigned dev_typist_parts(void *user, EmuStatePart *ret_parts)
{
    DevTypist *typist = user;

    ret_parts[0] = (EmuStatePart) { .desc = desc, .state = &typist->state };
    return 1;
}

/* A file may say that keys wait and no timer is set. */
void dev_typist_resumed(void *user)
{
    DevTypist *typist = user;

    ensure_timer(typist);
}
