/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine has reserved from GMM.
 *
 * The reservation grows and shrinks with what is registered, so it needs no total computed
 * beforehand (which went below zero for a machine of less than 384 KiB in the model we follow).
 */
#include "memsys/gmm-internal.h"
#include "memsys/mm-internal.h"

void mm_init(Mm *mm, Gmm *gmm, const char *name, GmmPolicy policy)
{
    *mm = (Mm) { .vm = gmm_vm_new(gmm, name), .policy = policy };
}

uint64_t mm_clear(Mm *mm)
{
    GmmVmStats left;
    uint64_t n_left = gmm_vm_free_audited(mm->vm, &left);

    if (n_left != 0) {
        /* A bug of ours, never of a guest's or user's: said with all there is to find it by. */
        g_warning(
            "a machine's end left %" G_GUINT64_FORMAT " private pages and %" G_GUINT64_FORMAT
            " shared references behind: %" G_GUINT64_FORMAT " of RAM and ROM, %" G_GUINT64_FORMAT
            " of snapshots, %" G_GUINT64_FORMAT " of device memory",
            left.private_pages, left.shared_pages, left.allocated.n_pages[GMM_ACCOUNT_BASE],
            left.allocated.n_pages[GMM_ACCOUNT_SHADOW], left.allocated.n_pages[GMM_ACCOUNT_FIXED]);
    }
    *mm = (Mm) { 0 };
    return n_left;
}

/* Adds @delta to what @account has; false if the result is no number of pages. */
static bool add_pages(uint64_t *n_pages, int64_t delta, uint64_t least)
{
    uint64_t change = delta < 0 ? -(uint64_t)delta : (uint64_t)delta;

    if (delta < 0) {
        if (change > *n_pages - least) {
            return false;
        }
        *n_pages -= change;
        return true;
    }
    if (change > MEM_GPHYS_LIMIT / MEM_PAGE_SIZE - *n_pages) {
        return false;
    }
    *n_pages += change;
    return true;
}

static const char *account_name(GmmAccount account)
{
    static const char *const names[GMM_N_ACCOUNTS] = {
        [GMM_ACCOUNT_BASE] = "RAM and ROM",
        [GMM_ACCOUNT_SHADOW] = "snapshots",
        [GMM_ACCOUNT_FIXED] = "device memory",
    };

    return names[account];
}

static void set_error(const Mm *mm, GmmAccount account, int64_t delta, const char *what,
                      MemStatus status, GError **error)
{
    uint64_t now = mm->reserved.n_pages[account];
    g_autofree char *wanted = status == MEM_ERR_OUT_OF_RANGE
                                  ? g_strdup("what is no number of pages")
                                  : g_strdup_printf("%" G_GUINT64_FORMAT, now + (uint64_t)delta);

    g_set_error(error, MEM_ERROR, (gint)status,
                "cannot change the reservation for %s from %" G_GUINT64_FORMAT
                " pages to %s (by %" G_GINT64_FORMAT " for %s): %s%s",
                account_name(account), now, wanted, delta, what, mem_status_name(status),
                status == MEM_ERR_DECLINED
                    ? ": it does not fit under the global limit; give the machine less memory, "
                      "raise the limit, or allow overcommitment"
                    : "");
}

MemStatus mm_adjust(Mm *mm, GmmAccount account, int64_t delta, const char *what, GError **error)
{
    GmmReservation want = mm->reserved;
    uint64_t least = account == GMM_ACCOUNT_BASE ? MM_HANDY_PAGES : 0;
    MemStatus status = MEM_ERR_OUT_OF_RANGE;

    if (!mm->initial_done) {
        want.n_pages[GMM_ACCOUNT_BASE] = MM_HANDY_PAGES;
    }
    if (add_pages(&want.n_pages[account], delta, least)) {
        status = mm->initial_done ? gmm_vm_update_reservation(mm->vm, &want)
                                  : gmm_vm_reserve(mm->vm, &want, mm->policy);
    }
    if (status != MEM_OK) {
        set_error(mm, account, delta, what, status, error);
        return status;
    }
    mm->reserved = want;
    mm->initial_done = true;
    return MEM_OK;
}
