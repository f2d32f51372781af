/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget of a share scan or a compaction, dealt out to machines in turn. Each does its slice on
 * its own thread (GmmVmOps); no lock is held while one is called.
 *
 * The next scan begins with the machine after the last one served, so that a small budget comes
 * round to all.
 */
#include "memsys/gmm-internal.h"

/* Less is not worth a call. */
#define SLICE_LEAST 64

G_STATIC_ASSERT(G_N_ELEMENTS(((Gmm *)NULL)->work_next) == GMM_N_WORKS);

void gmm_vm_set_ops(GmmVm *vm, const GmmVmOps *ops, void *user)
{
    Gmm *gmm = vm->gmm;
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);

    vm->ops = NULL;
    while (vm->n_working > 0) {
        pthread_cond_wait(&gmm->idle, &gmm->lock);
    }
    vm->ops = ops;
    vm->ops_user = user;
}

static uint64_t call(GmmVm *vm, GmmWork work, uint64_t n_pages)
{
    Gmm *gmm = vm->gmm;
    const GmmVmOps *ops = vm->ops;
    void *user = vm->ops_user;

    vm->n_calls++;
    vm->n_working++;
    pthread_mutex_unlock(&gmm->lock);
    uint64_t n_done = ops->work(user, work, n_pages);
    pthread_mutex_lock(&gmm->lock);
    vm->n_calls--;
    vm->n_working--;
    pthread_cond_broadcast(&gmm->idle);
    return n_done;
}

static bool takes_work(const GmmVm *vm)
{
    return vm != NULL && vm->ops != NULL && !vm->ending;
}

static unsigned n_takers(const Gmm *gmm)
{
    unsigned n = 0;

    for (unsigned i = 0; i < gmm->vms->len; i++) {
        n += takes_work(g_ptr_array_index(gmm->vms, i));
    }
    return n;
}

static uint64_t deal(Gmm *gmm, GmmWork work, uint64_t n_pages)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(gmm);
    uint64_t n_left = n_pages, n_done = 0;
    unsigned n_vms = n_takers(gmm);

    for (unsigned n_visits = gmm->vms->len; n_left > 0 && n_vms > 0 && n_visits > 0; n_visits--) {
        uint32_t handle = gmm->work_next[work] % gmm->vms->len;
        GmmVm *vm = g_ptr_array_index(gmm->vms, handle);

        gmm->work_next[work] = handle + 1;
        if (!takes_work(vm)) {
            continue;
        }

        uint64_t slice = MAX(n_left / n_vms + (n_left % n_vms != 0), SLICE_LEAST);

        slice = MIN(slice, n_left);
        uint64_t n = call(vm, work, slice);

        n_vms -= n_vms > 1; /* others may have come meanwhile */
        if (n != GMM_WORK_DECLINED) {
            n_left -= slice;
            n_done += MIN(n, slice);
        }
    }
    return n_done;
}

uint64_t gmm_share_scan(Gmm *gmm, uint64_t n_pages)
{
    return deal(gmm, GMM_WORK_SHARE, n_pages);
}

uint64_t gmm_compact(Gmm *gmm, uint64_t n_pages)
{
    return deal(gmm, GMM_WORK_COMPACT, n_pages);
}
