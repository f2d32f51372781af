/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What machines have reserved and hold. These functions alone change the counters, so that each
 * total moves together with its parts.
 *
 * A promise is what a GMM_NO_OVERCOMMIT machine has reserved and does not yet hold as private
 * pages. Machines that overcommit get only what is left under the global limit after all promises.
 */
#include "memsys/gmm-internal.h"

static uint64_t sum(const uint64_t *n_pages)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        total += n_pages[i];
    }
    return total;
}

static void update_promise(GmmVm *vm)
{
    uint64_t promise = 0;

    if (vm->has_reservation && vm->policy == GMM_NO_OVERCOMMIT) {
        promise = sum(vm->reserved) - vm->private_pages;
    }
    vm->gmm->promised += promise;
    vm->gmm->promised -= vm->promise;
    vm->promise = promise;
}

void gmm_account_reserve(GmmVm *vm, const uint64_t *reserved)
{
    vm->gmm->reserved += sum(reserved);
    vm->gmm->reserved -= sum(vm->reserved);
    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        vm->reserved[i] = reserved[i];
    }
    update_promise(vm);
}

bool gmm_account_has_room(const GmmVm *vm, GmmAccount account, uint64_t n_pages)
{
    uint64_t used = vm->allocated[account];

    if (account == GMM_ACCOUNT_BASE) {
        used += vm->ballooned_pages;
    }
    return n_pages <= vm->reserved[account] - used;
}

bool gmm_account_fits_limit(const GmmVm *vm, uint64_t n_pages)
{
    const Gmm *gmm = vm->gmm;
    uint64_t used = gmm->allocated;

    if (vm->policy == GMM_OVERCOMMIT) {
        used += gmm->promised;
    }
    return used <= gmm->max && n_pages <= gmm->max - used;
}

void gmm_account_alloc(GmmVm *vm, GmmAccount account, uint64_t n_pages)
{
    vm->allocated[account] += n_pages;
    vm->private_pages += n_pages;
    vm->gmm->allocated += n_pages;
    update_promise(vm);
}

void gmm_account_free(GmmVm *vm, GmmAccount account, uint64_t n_pages)
{
    vm->allocated[account] -= n_pages;
    vm->private_pages -= n_pages;
    vm->gmm->allocated -= n_pages;
    update_promise(vm);
}

void gmm_account_share(GmmVm *vm)
{
    vm->private_pages--;
    vm->shared_pages++;
    vm->shared_in[GMM_ACCOUNT_BASE]++;
    vm->gmm->shared++;
    update_promise(vm);
}

void gmm_account_unshare(GmmVm *vm)
{
    vm->private_pages++;
    vm->shared_pages--;
    vm->shared_in[GMM_ACCOUNT_BASE]--;
    vm->gmm->shared--;
    update_promise(vm);
}

void gmm_account_recharge(GmmVm *vm, GmmAccount from, GmmAccount to, bool shared)
{
    vm->allocated[from]--;
    vm->allocated[to]++;
    if (shared) {
        vm->shared_in[from]--;
        vm->shared_in[to]++;
    }
}

void gmm_account_balloon(GmmVm *vm, int64_t delta)
{
    vm->ballooned_pages += (uint64_t)delta;
    vm->gmm->ballooned += (uint64_t)delta;
}

void gmm_account_ref(GmmVm *vm)
{
    vm->allocated[GMM_ACCOUNT_BASE]++;
    vm->shared_pages++;
    vm->shared_in[GMM_ACCOUNT_BASE]++;
    vm->gmm->duplicates++;
}

void gmm_account_unref(GmmVm *vm, GmmAccount account, bool last)
{
    vm->allocated[account]--;
    vm->shared_pages--;
    vm->shared_in[account]--;
    if (last) {
        vm->gmm->shared--;
        vm->gmm->allocated--;
    } else {
        vm->gmm->duplicates--;
    }
}

void gmm_account_end(GmmVm *vm)
{
    static const uint64_t nothing[GMM_N_ACCOUNTS];

    g_assert(vm->private_pages == 0);
    vm->gmm->left_behind += vm->shared_pages;
    vm->gmm->ballooned -= vm->ballooned_pages;
    gmm_account_reserve(vm, nothing);
}

void gmm_account_drop_shared(Gmm *gmm, uint32_t refs)
{
    gmm->shared--;
    gmm->allocated--;
    gmm->duplicates -= refs - 1;
    gmm->left_behind -= refs;
}

/* ---- public: reservations */

/* The sum of what one machine may ask for: so far above any arena that sums of machines cannot
 * wrap. */
#define MAX_RESERVATION (UINT64_C(1) << 40)

/* Does the new reservation of a machine that wants guarantees fit under the global limit? */
static bool fits_promise(const GmmVm *vm, uint64_t total)
{
    const Gmm *gmm = vm->gmm;
    uint64_t promise = total - vm->private_pages;
    uint64_t used = gmm->allocated + gmm->promised - vm->promise;

    return promise <= vm->promise || (used <= gmm->max && promise <= gmm->max - used);
}

static MemStatus reserve_locked(GmmVm *vm, const GmmReservation *want)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        uint64_t used = vm->allocated[i] + (i == GMM_ACCOUNT_BASE ? vm->ballooned_pages : 0);

        if (want->n_pages[i] < used) {
            return MEM_ERR_BELOW_ALLOCATED;
        }
        if (want->n_pages[i] > MAX_RESERVATION - total) {
            return MEM_ERR_DECLINED;
        }
        total += want->n_pages[i];
    }
    if (vm->policy == GMM_NO_OVERCOMMIT && !fits_promise(vm, total)) {
        return MEM_ERR_DECLINED;
    }
    vm->has_reservation = true;
    gmm_account_reserve(vm, want->n_pages);
    return MEM_OK;
}

MemStatus gmm_vm_reserve(GmmVm *vm, const GmmReservation *want, GmmPolicy policy)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);
    GmmPolicy before = vm->policy;

    g_assert(policy == GMM_OVERCOMMIT || policy == GMM_NO_OVERCOMMIT);
    if (vm->has_reservation) {
        return MEM_ERR_WRONG_ORDER;
    }
    vm->policy = policy;

    MemStatus status = reserve_locked(vm, want);
    if (status != MEM_OK) {
        vm->policy = before;
    }
    return status;
}

MemStatus gmm_vm_update_reservation(GmmVm *vm, const GmmReservation *want)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    return vm->has_reservation ? reserve_locked(vm, want) : MEM_ERR_WRONG_ORDER;
}

void gmm_vm_stats_locked(const GmmVm *vm, GmmVmStats *ret_stats)
{
    *ret_stats = (GmmVmStats) {
        .private_pages = vm->private_pages,
        .shared_pages = vm->shared_pages,
        .ballooned_pages = vm->ballooned_pages,
    };
    for (unsigned i = 0; i < GMM_N_ACCOUNTS; i++) {
        ret_stats->reserved.n_pages[i] = vm->reserved[i];
        ret_stats->allocated.n_pages[i] = vm->allocated[i];
    }
}

void gmm_vm_get_stats(GmmVm *vm, GmmVmStats *ret_stats)
{
    g_autoptr(GmmLocked) locked G_GNUC_UNUSED = gmm_lock(vm->gmm);

    gmm_vm_stats_locked(vm, ret_stats);
}
