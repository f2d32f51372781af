/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the life of memory: how machines, their ranges, handlers and watches come to be.
 */
#include "tests/failures/memory-world.h"

bool memory_make_gmm(void *world, GError **error)
{
    World *w = world;

    w->gmm = gmm_new(256 * MIB, error);
    return w->gmm != NULL;
}

bool memory_make_a(void *world, GError **error)
{
    World *w = world;

    w->a = pgm_new(w->gmm, &(PgmConfig) { .name = "a" }, error);
    return w->a != NULL;
}

bool memory_make_b(void *world, GError **error)
{
    World *w = world;

    w->b = pgm_new(w->gmm, &(PgmConfig) { .name = "b", .large_runs = true }, error);
    if (w->b != NULL) {
        pgm_set_sharing(w->a, true);
        pgm_set_sharing(w->b, true);
    }
    return w->b != NULL;
}

bool memory_ram_of_a(void *world, GError **error)
{
    return memory_told_both(mm_register_x86(((World *)world)->a, RAM_A, 0, error), error);
}

bool memory_ram_of_b(void *world, GError **error)
{
    return memory_told_both(pgm_ram_register(((World *)world)->b, 0, RAM_B, "RAM", error), error);
}

bool memory_huge_ram(void *world, GError **error)
{
    return memory_told_both(pgm_ram_register(((World *)world)->a, TIB, TIB, "huge", error), error);
}

bool memory_listed_ram(void *world, GError **error)
{
    static const MmRegion regions[] = { { 2 * TIB, MIB / 4, "one" },
                                        { 2 * TIB + 16 * MIB, MIB / 4, "two" },
                                        { 2 * TIB + 32 * MIB, MIB / 2, "three" } };

    return memory_told_both(
        mm_register_regions(((World *)world)->b, regions, G_N_ELEMENTS(regions), error), error);
}

static bool add_bios(Pgm *pgm, PgmRomFlags flags, GError **error)
{
    g_autofree uint8_t *image = g_malloc(BIOS_LEN);

    for (size_t i = 0; i < BIOS_LEN; i++) {
        image[i] = i / PAGE % 4 == 0 ? 0 : (uint8_t)(i * 7 + i / PAGE % 3);
    }
    return memory_told_both(pgm_rom_register(pgm, BIOS, BIOS_LEN, image, BIOS_LEN - 100, 0xff,
                                             flags, "board", "bios", error),
                            error);
}

bool memory_bios_of_a(void *world, GError **error)
{
    return add_bios(((World *)world)->a, PGM_ROM_FLAG_SHADOWED, error);
}

bool memory_bios_of_b(void *world, GError **error)
{
    return add_bios(((World *)world)->b, 0, error);
}

bool memory_make_bar(void *world, GError **error)
{
    World *w = world;

    w->bar = pgm_mmio_new(w->a, BAR_LEN, &(PgmMmioOps) { 0 }, NULL, "vga", "window", error);
    return w->bar != NULL;
}

bool memory_map_bar(void *world, GError **error)
{
    return memory_told_both(pgm_mmio_map(((World *)world)->bar, BAR, error), error);
}

bool memory_make_vram(void *world, GError **error)
{
    World *w = world;

    w->vram = pgm_mmio2_new(w->a, "vga", 0, VRAM_LEN, true, "vram", error);
    return w->vram != NULL;
}

bool memory_map_vram(void *world, GError **error)
{
    return memory_told_both(pgm_mmio2_map(((World *)world)->vram, VRAM, error), error);
}

bool memory_track_vram(void *world, GError **error)
{
    return memory_told(pgm_mmio2_set_tracking(((World *)world)->vram, true), "set_tracking", error);
}

bool memory_alias_vram(void *world, GError **error)
{
    World *w = world;

    for (uint64_t i = 0; i < 20; i++) {
        if (!memory_told(pgm_mmio_alias(w->bar, i * PAGE, w->vram, i * 2 * PAGE), "alias", error)) {
            return false;
        }
    }
    return true;
}

/* So many that tables grow. */
bool memory_many_ranges(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < N_SMALL_BARS; i++) {
        if (w->small[i] == NULL) {
            w->small[i] =
                pgm_mmio_new(w->a, PAGE, &(PgmMmioOps) { 0 }, NULL, "net", "small", error);
        }
        /* One over a hole, one in the middle of RAM. */
        if (w->small[i] == NULL ||
            !memory_told_both(pgm_mmio_map(w->small[i],
                                           i % 2 == 0 ? SMALL_BARS + i * 16 * PAGE
                                                      : TIB + 4 * MIB + i * 16 * PAGE,
                                           error),
                              error)) {
            return false;
        }
    }
    return true;
}

static void nothing_changed(void *user, GPhys gpa, bool executed)
{
    (void)user;
    (void)gpa;
    (void)executed;
}

bool memory_attach_cpu(void *world, GError **error)
{
    static const PgmCpuCallbacks callbacks = { .invalidate_page = nothing_changed };
    World *w = world;

    (void)error;
    w->cpu = pgm_cpu_attach(w->a, &callbacks, NULL);
    return true;
}

static PgmHandlerResult pass_on(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

bool memory_add_handlers(void *world, GError **error)
{
    World *w = world;

    if (w->some == NULL) {
        w->some = pgm_handler_new(w->a, PGM_HANDLER_KIND_WRITE, HANDLED, 3 * PAGE, pass_on, NULL,
                                  "some", error);
    }
    if (w->some != NULL && w->all == NULL) {
        w->all = pgm_handler_new(w->a, PGM_HANDLER_KIND_ALL, TAKEN, 2 * PAGE, pass_on, NULL, "all",
                                 error);
    }
    return w->all != NULL;
}

bool memory_handler_off(void *world, GError **error)
{
    return memory_told(pgm_handler_page_off(((World *)world)->all, TAKEN), "page_off", error);
}

static void count_hit(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    (void)pgm;
    (void)hit;
    ((World *)user)->n_hits++;
}

bool memory_add_watches(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < G_N_ELEMENTS(w->watches); i++) {
        if (w->watches[i] == NULL) {
            w->watches[i] =
                i % 2 == 0 ? pgm_watch_new(w->a, WATCHED + i * 8, 16, MEM_ACCESS_WRITE, false,
                                           count_hit, w, error)
                           : pgm_watch_new_virtual(w->cpu, WATCHED + i * 8, 16, MEM_ACCESS_WRITE,
                                                   true, count_hit, w, error);
        }
        if (w->watches[i] == NULL) {
            return false;
        }
    }
    return true;
}

bool memory_drop_watches(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < G_N_ELEMENTS(w->watches); i += 3) {
        pgm_watch_free(w->watches[i]);
        w->watches[i] = NULL;
    }
    return true;
}
