/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A life: a script of steps, run from birth to end again and again, each time with another call of
 * the host failing (tests/failures/failing-host.h), each time in a process of its own. Whatever
 * fails must say so cleanly, leave everything sound and be possible again once the host has
 * recovered; the life then goes on to the same end as one without failures, and leaves nothing
 * behind.
 *
 * What may still abort, being small, of a fixed size and not multiplied by a guest or a file, is
 * listed at the top of tests/failures/life.c.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LifeStep {
    const char *name;
    /* False with an error if the host failed it: then it must be possible to run it again, and it
     * undoes by itself what is no matter of the functions under test. */
    bool (*run)(void *world, GError **error);
    bool whole; /* a failure changes no byte that hash() looks at */
} LifeStep;

typedef struct Life {
    const char *name;
    const LifeStep *steps;
    unsigned n_steps;
    size_t world_size; /* zeros at birth; its first member is LifeWorld */
    unsigned (*verify)(void *world, GString *report); /* number of violations; at any time */
    uint64_t (*hash)(void *world);                    /* of all bytes that the guest can see */
    void (*end)(void *world);
} Life;

/* Common to all worlds. */
typedef struct LifeWorld {
    const char *folder; /* for files; empty at birth */
} LifeWorld;

/* 0: all was well. Argument or QUIRE_FAILURES "all": every call; else a choice of a few seconds. */
int life_main(const Life *life, int argc, char **argv);

/* A file of the world; (transfer full). */
char *life_path(const void *world, const char *name);
