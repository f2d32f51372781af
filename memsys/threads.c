/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PGM lock, and whose turn it is: requests of other threads, and work queued to the machine's
 * thread.
 *
 * At any moment at most one thread is the machine's: its own between pgm_run_begin() and
 * pgm_run_end(), or, while it is not running, one that serves its own request in place. Who it is
 * is guarded by the queue's lock, under which nothing else is locked or called (but the wake
 * function, which raises a flag).
 *
 * A machine that no other thread ever looked at does not lock at all: the first plain access makes
 * a request of its own that switches the PGM lock on.
 *
 *   other thread                           machine's thread
 *   plain pages: under the PGM lock
 *   else: queue, wake, wait  ----------->  pgm_service(): takes the queue, serves it
 *         go on              <-----------  done
 *
 * The locks are the host's own rather than GLib's, which race detectors do not see into.
 */
#include "memsys/external.h"

#include "memsys/gmm-internal.h"
#include "memsys/pgm-internal.h"

#include <pthread.h>

#define WORK_AT_ONCE 64 /* pages a pgm_service() scans or moves */

/* Of a waiting thread, on its stack. */
typedef struct Request {
    struct Request *next;
    PgmExternalFunc func;
    void *user;
    bool done;
} Request;

struct PgmThreads {
    pthread_mutex_t pgm_lock; /* recursive */

    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t changed;
    unsigned depth;    /* of being the machine's thread; 0: nobody is */
    unsigned runs;     /* of these by pgm_run_begin(): while not 0, pgm_service() will come */
    pthread_t machine; /* while depth > 0 */
    Request *first, *last;
    uint64_t work[GMM_N_WORKS]; /* pages */
    PgmWakeFunc wake;
    void *wake_user;

    int wanted; /* atomic: requests or work wait */
    int open;   /* atomic: the machine's thread knows that it must lock */
};

/* ---- locks */

static void lock_host(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_lock(mutex);

    g_assert(error == 0);
}

static void unlock_host(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_unlock(mutex);

    g_assert(error == 0);
}

void pgm_lock_slow(const Pgm *pgm)
{
    lock_host(&pgm->threads->pgm_lock);
}

void pgm_unlock_slow(const Pgm *pgm)
{
    unlock_host(&pgm->threads->pgm_lock);
}

static uint64_t gmm_work(void *user, GmmWork work, uint64_t n_pages);
static const GmmVmOps gmm_ops = { .work = gmm_work };

void pgm_threads_init(Pgm *pgm)
{
    PgmThreads *threads = g_new0(PgmThreads, 1);
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&threads->pgm_lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->changed, NULL);
    pgm->threads = threads;
}

void pgm_threads_open(Pgm *pgm)
{
    gmm_vm_set_ops(pgm->mm.vm, &gmm_ops, pgm);
}

void pgm_threads_close(Pgm *pgm)
{
    gmm_vm_set_ops(pgm->mm.vm, NULL, NULL);
    g_assert(!pgm->threads->first && pgm->threads->depth == 0);
}

void pgm_threads_clear(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;

    pthread_mutex_destroy(&threads->pgm_lock);
    pthread_mutex_destroy(&threads->lock);
    pthread_cond_destroy(&threads->changed);
    g_free(threads);
}

/* ---- whose turn it is; with threads->lock held */

static bool is_machine(const PgmThreads *threads)
{
    return threads->depth > 0 && pthread_equal(threads->machine, pthread_self());
}

/* Makes the caller the machine's thread, once more if it is already. */
static void enter(PgmThreads *threads)
{
    g_assert(threads->depth == 0 || is_machine(threads));
    threads->machine = pthread_self();
    threads->depth++;
}

static void leave(PgmThreads *threads)
{
    g_assert(is_machine(threads));
    if (--threads->depth == 0) {
        pthread_cond_broadcast(&threads->changed);
    }
}

static void update_wanted(PgmThreads *threads)
{
    bool wanted = threads->first != NULL;

    for (unsigned i = 0; i < GMM_N_WORKS; i++) {
        wanted |= threads->work[i] != 0;
    }
    __atomic_store_n(&threads->wanted, wanted, __ATOMIC_RELAXED);
}

static void wake(PgmThreads *threads)
{
    update_wanted(threads);
    if (threads->wake) {
        threads->wake(threads->wake_user);
    }
}

void pgm_set_wake(Pgm *pgm, PgmWakeFunc func, void *user)
{
    PgmThreads *threads = pgm->threads;

    lock_host(&threads->lock);
    threads->wake = func;
    threads->wake_user = user;
    unlock_host(&threads->lock);
}

bool pgm_service_wanted(const Pgm *pgm)
{
    return __atomic_load_n(&pgm->threads->wanted, __ATOMIC_RELAXED) != 0;
}

/* ---- the machine's thread */

void pgm_run_begin(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;

    lock_host(&threads->lock);
    while (threads->depth > 0 && !is_machine(threads)) {
        pthread_cond_wait(&threads->changed, &threads->lock);
    }
    enter(threads);
    threads->runs++;
    unlock_host(&threads->lock);
}

/* Serves the requests that wait now; those that come meanwhile wait for the next time, so that the
 * guest goes on too. */
static void serve_requests(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;
    Request *request = threads->first;

    threads->first = NULL;
    threads->last = NULL;
    while (request) {
        Request *next = request->next;

        unlock_host(&threads->lock);
        request->func(pgm, request->user);
        lock_host(&threads->lock);
        request->done = true; /* it is gone once its thread sees this */
        pthread_cond_broadcast(&threads->changed);
        request = next;
    }
}

static uint64_t do_work(Pgm *pgm, GmmWork work, uint64_t n_pages)
{
    return work == GMM_WORK_SHARE ? pgm_share_slice(pgm, n_pages) : pgm_compact_slice(pgm, n_pages);
}

static void serve_work(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;
    uint64_t budget = WORK_AT_ONCE;

    for (unsigned i = 0; i < GMM_N_WORKS && budget > 0; i++) {
        uint64_t n = MIN(threads->work[i], budget);

        if (n == 0) {
            continue;
        }
        threads->work[i] -= n;
        budget -= n;
        unlock_host(&threads->lock);
        uint64_t n_done = do_work(pgm, (GmmWork)i, n);

        lock_host(&threads->lock);
        if (n_done == 0) {
            threads->work[i] = 0; /* nothing left to do it to */
        }
    }
}

void pgm_service(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;

    if (!pgm_service_wanted(pgm)) {
        return;
    }
    lock_host(&threads->lock);
    g_assert(threads->depth == 0 || is_machine(threads));
    serve_requests(pgm);
    serve_work(pgm);
    update_wanted(threads);
    unlock_host(&threads->lock);
}

void pgm_run_end(Pgm *pgm)
{
    PgmThreads *threads = pgm->threads;

    lock_host(&threads->lock);
    g_assert(is_machine(threads) && threads->runs > 0);
    while (threads->runs == 1 && threads->first) {
        serve_requests(pgm);
    }
    threads->runs--;
    update_wanted(threads);
    leave(threads);
    unlock_host(&threads->lock);
}

/* ---- requests */

void pgm_external_call(Pgm *pgm, PgmExternalFunc func, void *user)
{
    PgmThreads *threads = pgm->threads;
    Request request = { .func = func, .user = user };

    lock_host(&threads->lock);
    /* Somebody who serves in place is soon done: then it is our turn, or the machine runs. */
    while (threads->depth > 0 && threads->runs == 0 && !is_machine(threads)) {
        pthread_cond_wait(&threads->changed, &threads->lock);
    }
    if (threads->depth == 0 || is_machine(threads)) {
        enter(threads);
        unlock_host(&threads->lock);
        func(pgm, user);
        lock_host(&threads->lock);
        leave(threads);
        unlock_host(&threads->lock);
        return;
    }
    if (threads->last) {
        threads->last->next = &request;
    } else {
        threads->first = &request;
    }
    threads->last = &request;
    wake(threads);
    while (!request.done) {
        pthread_cond_wait(&threads->changed, &threads->lock);
    }
    unlock_host(&threads->lock);
}

static void open_locks(Pgm *pgm, void *user)
{
    (void)user;
    pgm->locking = true; /* the machine's thread alone reads it */
    __atomic_store_n(&pgm->threads->open, 1, __ATOMIC_RELEASE);
}

void pgm_threads_share(Pgm *pgm)
{
    if (!__atomic_load_n(&pgm->threads->open, __ATOMIC_ACQUIRE)) {
        pgm_external_call(pgm, open_locks, NULL);
    }
}

/* ---- work of GMM's */

static void queue_work(Pgm *pgm, GmmWork work, uint64_t n_pages)
{
    PgmThreads *threads = pgm->threads;

    lock_host(&threads->lock);
    threads->work[work] += MIN(n_pages, UINT64_MAX - threads->work[work]);
    wake(threads);
    unlock_host(&threads->lock);
}

static uint64_t gmm_work(void *user, GmmWork work, uint64_t n_pages)
{
    Pgm *pgm = user;
    PgmThreads *threads = pgm->threads;

    if (work == GMM_WORK_SHARE && !__atomic_load_n(&pgm->allow_sharing, __ATOMIC_RELAXED)) {
        return GMM_WORK_DECLINED;
    }
    lock_host(&threads->lock);
    /* Also for the machine's own thread: it may be in the middle of an access. */
    if (threads->depth > 0) {
        unlock_host(&threads->lock);
        queue_work(pgm, work, n_pages);
        return 0;
    }
    enter(threads);
    unlock_host(&threads->lock);
    uint64_t n_done = do_work(pgm, work, n_pages);

    lock_host(&threads->lock);
    leave(threads);
    unlock_host(&threads->lock);
    return n_done;
}
