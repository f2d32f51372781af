/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the life of memory: snapshots, dirty clients, balloons, sharing and compaction.
 */
#include "tests/failures/memory-world.h"

/* ---- snapshots: a tree of four */

static bool take(void *world, unsigned which, PgmSnapshotFlags flags, GError **error)
{
    World *w = world;

    w->snapshots[which] = pgm_snapshot_take(w->a, "one", flags, error);
    return w->snapshots[which] != NULL;
}

bool memory_take_0(void *world, GError **error)
{
    return take(world, 0, PGM_SNAPSHOT_CHECKED, error);
}

bool memory_take_1(void *world, GError **error)
{
    return take(world, 1, PGM_SNAPSHOT_DEFAULT, error);
}

bool memory_take_2(void *world, GError **error)
{
    return take(world, 2, PGM_SNAPSHOT_CHECKED, error);
}

bool memory_take_3(void *world, GError **error)
{
    return take(world, 3, PGM_SNAPSHOT_DEFAULT, error);
}

bool memory_write_after_take(void *world, GError **error)
{
    World *w = world;

    return memory_scatter(w->a, MIB, PAGE, 300, 20, error) &&
           memory_scatter(w->a, 0, 2 * PAGE, 10, 21, error) &&
           memory_scatter(w->a, TIB + 200 * MIB, PAGE, 300, 22, error) &&
           memory_scatter(w->a, VRAM, PAGE, 100, 23, error);
}

bool memory_write_other(void *world, GError **error)
{
    World *w = world;

    return memory_scatter(w->a, MIB, 2 * PAGE, 350, 30, error) &&
           memory_scatter(w->a, TIB + 300 * MIB, 5 * PAGE, 100, 31, error);
}

static bool restore_to(World *w, unsigned which)
{
    g_autoptr(GString) report = g_string_new(NULL);

    pgm_snapshot_restore(w->snapshots[which]);
    uint64_t n = pgm_snapshot_check(w->snapshots[which], report);

    if (n != 0 && n != UINT64_MAX) {
        g_error("a restore left differences: %s", report->str);
    }
    return true;
}

bool memory_restore_0(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 0);
}

bool memory_restore_1(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 1);
}

bool memory_restore_2(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 2);
}

bool memory_drop_0(void *world, GError **error)
{
    World *w = world;

    (void)error;
    pgm_snapshot_drop(w->snapshots[0]);
    w->snapshots[0] = NULL;
    return true;
}

bool memory_drop_others(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < G_N_ELEMENTS(w->snapshots); i++) {
        pgm_snapshot_drop(w->snapshots[i]);
        w->snapshots[i] = NULL;
    }
    return true;
}

/* ---- dirty clients */

bool memory_add_dirty(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < 2; i++) {
        if (w->dirty[i] == NULL) {
            w->dirty[i] = pgm_dirty_new(w->a, "reader", error);
        }
        if (w->dirty[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void add_page(const PgmPageRef *page, void *user)
{
    *(uint64_t *)user += page->offset;
}

bool memory_ask_dirty(void *world, GError **error)
{
    World *w = world;
    uint64_t sum = 0;
    uint64_t bits[VRAM_LEN / PAGE / 64];

    pgm_dirty_foreach(w->dirty[0], add_page, &sum);
    pgm_dirty_reset(w->dirty[0]);
    return memory_told(pgm_mmio2_mark_dirty(w->vram, 5 * PAGE, 9 * PAGE), "mark_dirty", error) &&
           memory_told(pgm_mmio2_query_dirty(w->vram, bits, G_N_ELEMENTS(bits)), "query_dirty",
                       error);
}

bool memory_drop_dirty(void *world, GError **error)
{
    World *w = world;

    (void)error;
    pgm_dirty_free(w->dirty[0]);
    w->dirty[0] = NULL;
    return true;
}

/* ---- pages given back, shared, moved */

bool memory_inflate(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON];

    for (unsigned i = 0; i < N_BALLOON; i++) {
        gpas[i] = MIB + i * 2 * PAGE;
    }
    return memory_told(pgm_balloon_inflate(w->a, gpas, N_BALLOON), "inflate", error);
}

bool memory_deflate(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON / 2];

    for (unsigned i = 0; i < N_BALLOON / 2; i++) {
        gpas[i] = MIB + i * 2 * PAGE;
    }
    return memory_told(pgm_balloon_deflate(w->a, gpas, N_BALLOON / 2), "deflate", error);
}

bool memory_deflate_rest(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON / 2];

    for (unsigned i = 0; i < N_BALLOON / 2; i++) {
        gpas[i] = MIB + (N_BALLOON / 2 + i) * 2 * PAGE;
    }
    return memory_told(pgm_balloon_deflate(w->a, gpas, N_BALLOON / 2), "deflate", error);
}

bool memory_inflate_b(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[240];

    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        gpas[i] = 0x200000 + i * 2 * PAGE;
    }
    return memory_told(pgm_balloon_inflate(w->b, gpas, G_N_ELEMENTS(gpas)), "inflate", error) &&
           memory_told(pgm_balloon_deflate(w->b, gpas, G_N_ELEMENTS(gpas)), "deflate", error);
}

bool memory_scan(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < 3; i++) {
        (void)gmm_share_scan(w->gmm, 20000);
    }
    return true;
}

bool memory_write_shared(void *world, GError **error)
{
    World *w = world;

    return memory_scatter(w->b, 3 * MIB, PAGE, 250, 40, error) &&
           memory_scatter(w->a, 5 * MIB - 8192, PAGE, 200, 41, error);
}

bool memory_compact(void *world, GError **error)
{
    (void)error;
    (void)gmm_compact(((World *)world)->gmm, 5000);
    return true;
}
