/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages are short: ballooned pages, and asking machines for more of them.
 *
 * An allocation that the global limit or the host refused asks machine after machine, lowest
 * priority first, without the lock; then it is tried once more. A machine that is asking is not
 * asked by others: its thread waits here, and a balloon function that waited for that thread in
 * turn would wait for ever. So each wait is for a machine that began to ask later, or never: no
 * circle. What a balloon function itself allocates asks nobody.
 *
 * What a GMM_NO_OVERCOMMIT machine balloons stays promised to it, so deflating needs no permission.
 */
#include "memsys/gmm-internal.h"

MemStatus gmm_vm_balloon(GmmVm *vm, int64_t delta)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    uint64_t change = delta < 0 ? -(uint64_t)delta : (uint64_t)delta;

    if (delta < 0 && change > vm->ballooned_pages) {
        return MEM_ERR_FREE_TOO_MUCH;
    }
    if (delta > 0 && !gmm_account_has_room(vm, GMM_ACCOUNT_BASE, change)) {
        return MEM_ERR_ACCOUNT_LIMIT;
    }
    gmm_account_balloon(vm, delta);
    return MEM_OK;
}

void gmm_vm_set_priority(GmmVm *vm, GmmPriority priority)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    g_assert(priority >= GMM_PRIORITY_LOW && priority <= GMM_PRIORITY_HIGH);
    vm->priority = priority;
}

GmmPriority gmm_vm_priority(GmmVm *vm)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    return vm->priority;
}

void gmm_vm_set_balloon_func(GmmVm *vm, GmmBalloonFunc func, void *user)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    vm->balloon_func = func;
    vm->balloon_user = user;
}

/* ---- calls out of GMM */
void gmm_vm_quiesce(GmmVm *vm)
{
    vm->ending = true;
    while (vm->n_calls > 0) {
        pthread_cond_wait(&vm->gmm->idle, &vm->gmm->lock);
    }
}

/* Asks one machine; the lock is not held meanwhile. Returns the pages it says it gave. */
static uint64_t ask(GmmVm *vm, uint64_t n_wanted)
{
    Gmm *gmm = vm->gmm;
    GmmBalloonFunc func = vm->balloon_func;
    void *user = vm->balloon_user;

    vm->n_calls++;
    gmm->balloon_calls++;
    pthread_mutex_unlock(&gmm->lock);
    uint64_t n_given = func(vm, n_wanted, user);
    pthread_mutex_lock(&gmm->lock);
    vm->n_calls--;
    pthread_cond_broadcast(&gmm->idle);
    return MIN(n_given, n_wanted);
}

static bool may_ask(const GmmVm *vm, GmmPriority priority)
{
    return vm != NULL && vm->balloon_func != NULL && !vm->ending && vm->priority == priority;
}

/* Asks the machines of one priority, @needy last. Returns what is still wanted. */
static uint64_t ask_all(GmmVm *needy, GmmPriority priority, uint64_t n_wanted)
{
    Gmm *gmm = needy->gmm;

    /* The array may grow and change while the lock is dropped. */
    for (unsigned i = 0; n_wanted > 0 && i < gmm->vms->len; i++) {
        GmmVm *vm = g_ptr_array_index(gmm->vms, i);

        if (may_ask(vm, priority) && !vm->asking) {
            n_wanted -= ask(vm, n_wanted);
        }
    }
    if (n_wanted > 0 && may_ask(needy, priority)) {
        n_wanted -= ask(needy, n_wanted);
    }
    return n_wanted;
}

/* Is this a balloon function's own allocation? */
static bool is_nested(const Gmm *gmm)
{
    for (unsigned i = 0; i < gmm->vms->len; i++) {
        const GmmVm *vm = g_ptr_array_index(gmm->vms, i);

        if (vm != NULL && vm->asking && pthread_equal(vm->asker, pthread_self())) {
            return true;
        }
    }
    return false;
}

/* Pages that must become free before @vm can have @n_pages. */
static uint64_t n_short(const GmmVm *vm, MemStatus status, uint64_t n_pages)
{
    const Gmm *gmm = vm->gmm;
    uint64_t used = gmm->allocated + (vm->policy == GMM_OVERCOMMIT ? gmm->promised : 0);

    if (status == MEM_ERR_HOST_MEMORY) {
        return n_pages;
    }
    return used + n_pages > gmm->max ? used + n_pages - gmm->max : 0;
}

bool gmm_pressure_relieve(GmmVm *vm, MemStatus status, uint64_t n_pages)
{
    if (status != MEM_ERR_GLOBAL_LIMIT && status != MEM_ERR_HOST_MEMORY) {
        return false;
    }

    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    uint64_t n_wanted = n_short(vm, status, n_pages);

    if (vm->asking || is_nested(vm->gmm)) {
        return false;
    }
    vm->asking = true;
    vm->asker = pthread_self();
    for (int priority = GMM_PRIORITY_LOW; priority <= GMM_PRIORITY_HIGH; priority++) {
        n_wanted = ask_all(vm, (GmmPriority)priority, n_wanted);
    }
    vm->asking = false;
    return true;
}
