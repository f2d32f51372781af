/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PGM lock, and what other threads ask of a machine.
 *
 * The locks are the host's own rather than GLib's, which race detectors do not see into.
 */
#include "memsys/pgm-internal.h"

#include <pthread.h>

struct PgmThreads {
    pthread_mutex_t pgm_lock; /* recursive */
};

void pgm_lock_slow(const Pgm *pgm)
{
    int error = pthread_mutex_lock(&pgm->threads->pgm_lock);

    g_assert(error == 0);
}

void pgm_unlock_slow(const Pgm *pgm)
{
    int error = pthread_mutex_unlock(&pgm->threads->pgm_lock);

    g_assert(error == 0);
}

void pgm_threads_init(Pgm *pgm)
{
    PgmThreads *threads = g_new0(PgmThreads, 1);
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&threads->pgm_lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pgm->threads = threads;
}

void pgm_threads_clear(Pgm *pgm)
{
    pthread_mutex_destroy(&pgm->threads->pgm_lock);
    g_free(pgm->threads);
}
