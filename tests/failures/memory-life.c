/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of two machines' memory that share a page allocator: every kind of range, access,
 * snapshot, dirty client, balloon, sharing, compaction, locks, files; then the end.
 */
#include "tests/failures/memory-world.h"

bool memory_told(MemStatus status, const char *what, GError **error)
{
    if (status == MEM_OK) {
        return true;
    }
    g_set_error(error, MEM_ERROR, status, "%s: %s", what, mem_status_name(status));
    /* Only for want of memory, and never anything else, may it have failed. */
    if (status != MEM_ERR_NO_MEMORY && status != MEM_ERR_HOST_MEMORY) {
        g_error("%s said %s", what, mem_status_name(status));
    }
    return false;
}

bool memory_told_both(MemStatus status, GError *const *error)
{
    if ((status == MEM_OK) != (*error == NULL) ||
        (*error != NULL && ((*error)->domain != MEM_ERROR || (*error)->code != (int)status))) {
        g_error("status %s, error %s", mem_status_name(status),
                *error != NULL ? (*error)->message : "none");
    }
    return status == MEM_OK;
}

bool memory_store_at(Pgm *pgm, GPhys gpa, uint64_t value, GError **error)
{
    return memory_told(pgm_write_u64(pgm, gpa, value * UINT64_C(0x9e3779b97f4a7c15)), "write",
                       error);
}

bool memory_scatter(Pgm *pgm, GPhys start, uint64_t step, unsigned n, uint64_t value,
                    GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        if (!memory_store_at(pgm, start + i * step + i % 500 * 8, value + i, error)) {
            return false;
        }
    }
    return true;
}

static const LifeStep steps[] = {
    { "make gmm", memory_make_gmm, true },
    { "make machine a", memory_make_a, true },
    { "make machine b", memory_make_b, true },
    { "PC's RAM", memory_ram_of_a, true },
    { "plain RAM", memory_ram_of_b, true },
    { "huge RAM", memory_huge_ram, true },
    { "listed RAM", memory_listed_ram, true },
    { "shadowed ROM", memory_bios_of_a, true },
    { "plain ROM", memory_bios_of_b, true },
    { "make MMIO", memory_make_bar, true },
    { "map MMIO", memory_map_bar, true },
    { "make MMIO2", memory_make_vram, true },
    { "map MMIO2", memory_map_vram, true },
    { "track MMIO2", memory_track_vram, true },
    { "aliases", memory_alias_vram, false },
    { "many ranges", memory_many_ranges, false },
    { "attach CPU", memory_attach_cpu, true },
    { "handlers", memory_add_handlers, true },
    { "handler off", memory_handler_off, true },
    { "watches", memory_add_watches, true },
    { "typed writes", memory_write_typed, false },
    { "bulk writes", memory_write_bulk, false },
    { "writes of b", memory_write_b, false },
    { "shadow the BIOS", memory_shadow_bios, false },
    { "CPU fills", memory_fill_cpu, true },
    { "ensure handy pages", memory_ensure_handy, true },
    { "take snapshot 0", memory_take_0, true },
    { "write after it", memory_write_after_take, false },
    { "take snapshot 1", memory_take_1, true },
    { "move MMIO2", memory_move_vram, false },
    { "write on", memory_write_other, false },
    { "dirty clients", memory_add_dirty, true },
    { "restore snapshot 0", memory_restore_0, true },
    { "write elsewhere", memory_write_other, false },
    { "take snapshot 2", memory_take_2, true },
    { "ask what is dirty", memory_ask_dirty, true },
    { "inflate the balloon", memory_inflate, true },
    { "write under a balloon", memory_write_shared, false },
    { "restore snapshot 1", memory_restore_1, true },
    { "write after that", memory_write_after_take, false },
    { "take snapshot 3", memory_take_3, true },
    { "drop snapshot 0", memory_drop_0, true },
    { "free some watches", memory_drop_watches, true },
    { "write with watches", memory_write_typed, false },
    { "restore snapshot 2", memory_restore_2, true },
    { "inflate again", memory_inflate, true },
    { "deflate", memory_deflate, true },
    { "report all", memory_report_all, true },
    { "scan for equal pages", memory_scan, true },
    { "write shared pages", memory_write_shared, false },
    { "map pages", memory_map_pages, true },
    { "balloon of b", memory_inflate_b, false },
    { "compact", memory_compact, true },
    { "unmap pages", memory_unmap_pages, true },
    { "heap", memory_use_heap, true },
    { "by other threads' way", memory_external, false },
    { "free a dirty client", memory_drop_dirty, true },
    { "save", memory_save, true },
    { "write after the save", memory_write_after_take, false },
    { "load", memory_load, true },
    { "save live", memory_save_live, false },
    { "drop all snapshots", memory_drop_others, true },
    { "reset a", memory_reset_a, true },
    { "write after the reset", memory_write_other, false },
    { "load the live save", memory_load_live, true },
    { "scan again", memory_scan, true },
    { "preallocate b", memory_preallocate, true },
    { "reset b", memory_reset_b, true },
    { "remove ranges", memory_remove_ranges, true },
    { "deflate the rest", memory_deflate_rest, true },
    { "write a last time", memory_write_again, false },
};

static unsigned verify(void *world, GString *report)
{
    World *w = world;
    unsigned n = w->gmm != NULL ? gmm_verify(w->gmm, report) : 0;

    n += w->a != NULL ? pgm_verify(w->a, report) : 0;
    return n + (w->b != NULL ? pgm_verify(w->b, report) : 0);
}

static uint64_t hash_bytes(uint64_t hash, Pgm *pgm, GPhys start, uint64_t len)
{
    static uint64_t words[MEM_PAGE_SIZE / 8];

    for (GPhys gpa = start; gpa < start + len; gpa += PAGE) {
        PgmPageInfo info;

        hash = hash * 31 + 1;
        if (pgm == NULL || !pgm_page_query(pgm, gpa, &info) || info.type == PGM_PAGE_MMIO ||
            pgm_peek(pgm, gpa, words, PAGE) != MEM_OK) {
            hash ^= 5;
            continue;
        }
        uint64_t any = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
            any |= words[i];
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(words) && any != 0; i++) {
            hash = (hash ^ words[i]) * 0x100000001b3;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static uint64_t hash(void *world)
{
    static const uint64_t huge[][2] = { { 0, 2 },   { 4, 1 },   { 40, 1 },  { 50, 1 }, { 80, 1 },
                                        { 200, 2 }, { 300, 2 }, { 500, 1 }, { 700, 3 } };
    World *w = world;
    uint64_t h = hash_bytes(hash_bytes(1, w->a, 0, RAM_A + MIB), w->b, 0, RAM_B);

    h = hash_bytes(hash_bytes(h, w->a, VRAM, VRAM_LEN), w->a, BAR, BAR_LEN);
    for (unsigned i = 0; i < G_N_ELEMENTS(huge); i++) {
        h = hash_bytes(h, w->a, TIB + huge[i][0] * MIB, huge[i][1] * MIB);
    }
    for (unsigned i = 0; i < 60; i++) {
        h = hash_bytes(h, w->a, TIB + i * 16 * 4096 * PAGE, PAGE);
    }
    return h;
}

static void end(void *world)
{
    World *w = world;

    for (unsigned i = 0; i < G_N_ELEMENTS(w->watches); i++) {
        pgm_watch_free(w->watches[i]);
    }
    pgm_handler_free(w->some);
    pgm_handler_free(w->all);
    pgm_dirty_free(w->dirty[1]);
    pgm_cpu_detach(w->cpu);
    mm_heap_free(pgm_heap(w->a), w->block);
    pgm_free(w->a);
    pgm_free(w->b);
    gmm_free(w->gmm);
}

int main(int argc, char **argv)
{
    static const Life life = { .name = "memory",
                               .steps = steps,
                               .n_steps = G_N_ELEMENTS(steps),
                               .world_size = sizeof(World),
                               .verify = verify,
                               .hash = hash,
                               .end = end };

    return life_main(&life, argc, argv);
}
