/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small page allocator on a host that can be made to fail, with two machines; checked
 * whole after each test, and every host mapping must be gone.
 */
#pragma once

#include "memsys/gmm-internal.h"
#include "tests/unit/fake-os.h"

#include <check.h>

#define ARENA_CHUNKS 16u /* the zero page's among them */
#define ARENA_SIZE (ARENA_CHUNKS * MEM_CHUNK_SIZE)
#define N_USABLE ((ARENA_CHUNKS - 1) * MEM_CHUNK_PAGES)
#define PLENTY (UINT64_C(1) << 30) /* pages */

static Gmm *gmm;
static GmmVm *vm, *other;
static GmmHandyPage pages[N_USABLE + 1];

static inline void check_sound(void)
{
    g_autoptr(GString) report = g_string_new(NULL);

    ck_assert_msg(gmm_verify(gmm, report) == 0, "%s", report->str);
}

static inline void reserve(GmmVm *who, uint64_t base, uint64_t shadow, uint64_t fixed)
{
    GmmReservation want = { { base, shadow, fixed } };

    ck_assert_int_eq(gmm_vm_reserve(who, &want, GMM_OVERCOMMIT), MEM_OK);
}

/* @n pages of BASE for @who, into pages[]. */
static inline void take(GmmVm *who, uint32_t n)
{
    ck_assert_int_eq(gmm_vm_alloc(who, GMM_ACCOUNT_BASE, n, pages), MEM_OK);
}

static inline MemStatus give_back(GmmVm *who, PageId id)
{
    return gmm_vm_free_pages(who, GMM_ACCOUNT_BASE, &id, 1);
}

/* pages[first] to pages[first + n - 1] go back in one call. */
static inline MemStatus give_back_many(GmmVm *who, uint32_t first, uint32_t n)
{
    g_autofree PageId *ids = g_new(PageId, n);

    for (uint32_t i = 0; i < n; i++) {
        ids[i] = pages[first + i].id;
    }
    return gmm_vm_free_pages(who, GMM_ACCOUNT_BASE, ids, n);
}

static inline GmmStats stats(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s;
}

static inline GmmVmStats vm_stats(GmmVm *who)
{
    GmmVmStats s;

    gmm_vm_get_stats(who, &s);
    return s;
}

static inline void setup_bare(void)
{
    gmm = gmm_new_on(fake_os_new(PLENTY), ARENA_SIZE, NULL);
    ck_assert_ptr_nonnull(gmm);
    gmm_set_limit(gmm, PLENTY);
    vm = gmm_vm_new(gmm, "one");
    other = gmm_vm_new(gmm, "two");
}

static inline void setup(void)
{
    setup_bare();
    reserve(vm, N_USABLE + 1000, 1000, N_USABLE);
    reserve(other, N_USABLE + 1000, 1000, N_USABLE);
}

static inline void teardown(void)
{
    fake_os_heal();
    check_sound();
    gmm_vm_free(vm);
    check_sound();
    gmm_vm_free(other);
    check_sound();
    ck_assert_uint_eq(stats().allocated, 0);
    ck_assert_uint_eq(stats().reserved, 0);
    ck_assert_uint_eq(stats().shared, 0);
    g_clear_pointer(&gmm, gmm_free);
    ck_assert_int_eq(fake_os.n_maps, 0);
}
