/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the life of memory: accesses, locks, heap, reports, resets, and the removal of ranges.
 */
#include "tests/failures/memory-world.h"

#include <string.h>

/* ---- accesses */

bool memory_write_typed(void *world, GError **error)
{
    World *w = world;

    return memory_scatter(w->a, 0, PAGE, 40, 1, error) &&
           memory_scatter(w->a, MIB, PAGE, 700, 2, error) &&
           memory_scatter(w->a, TIB, 16 * 4096 * PAGE, 60, 3, error) &&
           memory_scatter(w->a, VRAM, 3 * PAGE, 50, 4, error) &&
           memory_scatter(w->a, BAR, PAGE, 20, 5, error);
}

bool memory_write_bulk(void *world, GError **error)
{
    World *w = world;
    g_autofree uint8_t *bytes = g_malloc(MIB);

    for (size_t i = 0; i < MIB; i++) {
        bytes[i] = (uint8_t)(i * 3 + i / 4096);
    }
    return memory_told(pgm_write(w->a, 5 * MIB - 5000, bytes, MIB, MEM_ORIGIN_LOADER), "bulk write",
                       error) &&
           memory_told(pgm_fill(w->a, TIB + 40 * MIB + 123, 0x5a, 300000, MEM_ORIGIN_DEVICE),
                       "fill", error) &&
           memory_told(pgm_copy(w->a, TIB + 50 * MIB + 9, 4 * MIB, 700000, MEM_ORIGIN_DEVICE),
                       "copy", error) &&
           memory_told(pgm_load_image(w->b, 3 * MIB, bytes, MIB), "load", error);
}

bool memory_write_b(void *world, GError **error)
{
    World *w = world;

    return memory_scatter(w->b, 0x200000, PAGE, 500, 7, error) &&
           memory_scatter(w->b, 0x10000, PAGE, 60, 8, error);
}

bool memory_shadow_bios(void *world, GError **error)
{
    World *w = world;
    uint8_t page[4096];
    bool ok = memory_told(pgm_rom_protect(w->a, BIOS, BIOS_LEN, PGM_ROM_READ_ROM_WRITE_RAM),
                          "protect", error);

    for (uint64_t i = 0; i < 10 && ok; i++) {
        ok = memory_told(pgm_read(w->a, BIOS + i * PAGE, page, PAGE, MEM_ORIGIN_CPU), "read",
                         error) &&
             memory_told(pgm_write(w->a, BIOS + i * PAGE, page, PAGE, MEM_ORIGIN_CPU), "write",
                         error);
    }
    return ok &&
           memory_told(pgm_rom_protect(w->a, BIOS, BIOS_LEN / 2, PGM_ROM_READ_RAM_WRITE_IGNORE),
                       "protect", error);
}

bool memory_fill_cpu(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < 200; i++) {
        PgmFill fill;

        pgm_cpu_fill(w->cpu, TIB + 80 * MIB + i * PAGE, MEM_ACCESS_WRITE, &fill);
        if (fill.kind == PGM_FILL_NO_MEMORY) {
            return memory_told(MEM_ERR_NO_MEMORY, "fill", error);
        }
    }
    return true;
}

bool memory_ensure_handy(void *world, GError **error)
{
    return memory_told(pgm_ensure_handy(((World *)world)->a), "ensure_handy", error);
}

/* ---- locks, heap, reports, other threads' way */

bool memory_map_pages(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_MAPPED];

    for (unsigned i = 0; i < N_MAPPED; i++) {
        gpas[i] = TIB + 500 * MIB + i * 700 * PAGE;
    }
    return memory_told(pgm_map_pages(w->a, gpas, N_MAPPED, true, w->mapped), "map", error);
}

bool memory_unmap_pages(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < N_MAPPED; i++) {
        memset(w->mapped[i].host, (int)i + 1, PAGE);
    }
    pgm_unmap_pages(w->a, w->mapped, N_MAPPED);
    return true;
}

bool memory_use_heap(void *world, GError **error)
{
    World *w = world;
    MmHeap *heap = pgm_heap(w->a);

    if (w->block == NULL) {
        w->block = mm_heap_alloc0(heap, "life", 1000);
    }
    void *grown = w->block != NULL ? mm_heap_realloc(heap, w->block, "life", 100000, true) : NULL;

    w->block = grown != NULL ? grown : w->block;
    char *text = grown != NULL ? mm_heap_printf(heap, "words", "%d words", 5) : NULL;

    if (text == NULL) {
        return memory_told(MEM_ERR_NO_MEMORY, "heap", error);
    }
    mm_heap_free(heap, text);
    return true;
}

static void count_stat(const PgmStat *stat, void *user)
{
    *(uint64_t *)user += stat->value;
}

bool memory_report_all(void *world, GError **error)
{
    World *w = world;
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t sum = 0;

    for (const PgmInfoItem *item = pgm_info_items(); item->name != NULL; item++) {
        g_autofree char *request =
            g_strconcat(item->name, g_str_equal(item->name, "page") ? " 0x100000" : NULL, NULL);

        if (!pgm_info(w->a, request, text, error)) {
            return false;
        }
    }
    return pgm_stats_foreach(w->a, "*", count_stat, &sum) > 0;
}

bool memory_external(void *world, GError **error)
{
    World *w = world;
    g_autofree uint8_t *bytes = g_malloc0(600 * PAGE);

    return memory_told(pgm_external_write(w->a, TIB + 700 * MIB + 99, bytes, 600 * PAGE - 99,
                                          MEM_ORIGIN_DEBUGGER),
                       "external write", error) &&
           memory_store_at(w->a, TIB + 700 * MIB, 50, error) &&
           memory_told(pgm_external_read(w->a, TIB, bytes, 600 * PAGE, MEM_ORIGIN_DEBUGGER),
                       "external read", error);
}

/* ---- the rest */

bool memory_reset_a(void *world, GError **error)
{
    return memory_told(pgm_reset(((World *)world)->a), "reset", error);
}

bool memory_preallocate(void *world, GError **error)
{
    World *w = world;

    return memory_told_both(pgm_preallocate(w->b, error), error);
}

bool memory_reset_b(void *world, GError **error)
{
    return memory_told(pgm_reset(((World *)world)->b), "reset", error);
}

bool memory_write_again(void *world, GError **error)
{
    World *w = world;

    return memory_write_typed(w, error) && memory_write_b(w, error) && memory_write_bulk(w, error);
}

bool memory_move_vram(void *world, GError **error)
{
    World *w = world;

    return memory_told_both(pgm_mmio2_map(w->vram, VRAM + 64 * MIB, error), error) &&
           memory_told_both(pgm_mmio2_map(w->vram, VRAM, error), error);
}

bool memory_remove_ranges(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < N_SMALL_BARS; i += 2) {
        pgm_mmio_free(w->small[i]);
        w->small[i] = NULL;
    }
    return memory_told(pgm_rom_deregister(w->b, BIOS), "deregister", error);
}
