/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of two machines' memory that share a page allocator: every kind of range, access,
 * snapshot, dirty client, balloon, sharing, compaction, locks, files; then the end.
 */
#include "memsys/access.h"
#include "memsys/balloon.h"
#include "memsys/cpu_port.h"
#include "memsys/dirty.h"
#include "memsys/external.h"
#include "memsys/handler.h"
#include "memsys/info.h"
#include "memsys/map.h"
#include "memsys/mm.h"
#include "memsys/mm_heap.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/os.h"
#include "memsys/rom.h"
#include "memsys/saved_state.h"
#include "memsys/snapshot.h"
#include "memsys/watch.h"
#include "tests/failures/life.h"

#include <inttypes.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define PAGE MEM_PAGE_SIZE
#define RAM_A (6 * MIB)
#define RAM_B (4 * MIB)
#define BIOS UINT64_C(0xc0000)
#define BIOS_LEN (UINT64_C(16) * PAGE)
#define VRAM UINT64_C(0xd0000000)
#define VRAM_LEN MIB
#define BAR UINT64_C(0xe0000000)
#define BAR_LEN (UINT64_C(64) * PAGE)
#define SMALL_BARS UINT64_C(0xe8000000)
#define N_SMALL_BARS 40
#define WATCHED UINT64_C(0x3000)
#define HANDLED UINT64_C(0x5800)
#define TAKEN UINT64_C(0x9000)
#define N_MAPPED 6
#define N_BALLOON 300

typedef struct World {
    LifeWorld common;
    Gmm *gmm;
    Pgm *a, *b;
    PgmCpu *cpu;
    PgmMmio *bar, *small[N_SMALL_BARS];
    PgmMmio2 *vram;
    PgmHandler *some, *all;
    PgmWatch *watches[24];
    PgmSnapshot *snapshots[4];
    PgmDirty *dirty[2];
    PgmMapping mapped[N_MAPPED];
    void *block;
    unsigned n_hits;
} World;

/* ---- what functions say */

/* Of a function without a GError. */
static bool told(MemStatus status, const char *what, GError **error)
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

/* Of one that sets an error, too. */
static bool told_both(MemStatus status, GError *const *error)
{
    if ((status == MEM_OK) != (*error == NULL) ||
        (*error != NULL && ((*error)->domain != MEM_ERROR || (*error)->code != (int)status))) {
        g_error("status %s, error %s", mem_status_name(status),
                *error != NULL ? (*error)->message : "none");
    }
    return status == MEM_OK;
}

/* ---- birth */

static bool make_gmm(void *world, GError **error)
{
    World *w = world;

    w->gmm = gmm_new(256 * MIB, error);
    return w->gmm != NULL;
}

static bool make_a(void *world, GError **error)
{
    World *w = world;

    w->a = pgm_new(w->gmm, &(PgmConfig) { .name = "a" }, error);
    return w->a != NULL;
}

static bool make_b(void *world, GError **error)
{
    World *w = world;

    w->b = pgm_new(w->gmm, &(PgmConfig) { .name = "b", .large_runs = true }, error);
    if (w->b != NULL) {
        pgm_set_sharing(w->a, true);
        pgm_set_sharing(w->b, true);
    }
    return w->b != NULL;
}

static bool ram_of_a(void *world, GError **error)
{
    return told_both(mm_register_x86(((World *)world)->a, RAM_A, 0, error), error);
}

static bool ram_of_b(void *world, GError **error)
{
    return told_both(pgm_ram_register(((World *)world)->b, 0, RAM_B, "RAM", error), error);
}

static bool huge_ram(void *world, GError **error)
{
    return told_both(pgm_ram_register(((World *)world)->a, TIB, TIB, "huge", error), error);
}

static bool listed_ram(void *world, GError **error)
{
    static const MmRegion regions[] = { { 2 * TIB, MIB / 4, "one" },
                                        { 2 * TIB + 16 * MIB, MIB / 4, "two" },
                                        { 2 * TIB + 32 * MIB, MIB / 2, "three" } };

    return told_both(
        mm_register_regions(((World *)world)->b, regions, G_N_ELEMENTS(regions), error), error);
}

static bool add_bios(Pgm *pgm, PgmRomFlags flags, GError **error)
{
    g_autofree uint8_t *image = g_malloc(BIOS_LEN);

    for (size_t i = 0; i < BIOS_LEN; i++) {
        image[i] = i / PAGE % 4 == 0 ? 0 : (uint8_t)(i * 7 + i / PAGE % 3);
    }
    return told_both(pgm_rom_register(pgm, BIOS, BIOS_LEN, image, BIOS_LEN - 100, 0xff, flags,
                                      "board", "bios", error),
                     error);
}

static bool bios_of_a(void *world, GError **error)
{
    return add_bios(((World *)world)->a, PGM_ROM_FLAG_SHADOWED, error);
}

static bool bios_of_b(void *world, GError **error)
{
    return add_bios(((World *)world)->b, 0, error);
}

static bool make_bar(void *world, GError **error)
{
    World *w = world;

    w->bar = pgm_mmio_new(w->a, BAR_LEN, &(PgmMmioOps) { 0 }, NULL, "vga", "window", error);
    return w->bar != NULL;
}

static bool map_bar(void *world, GError **error)
{
    return told_both(pgm_mmio_map(((World *)world)->bar, BAR, error), error);
}

static bool make_vram(void *world, GError **error)
{
    World *w = world;

    w->vram = pgm_mmio2_new(w->a, "vga", 0, VRAM_LEN, true, "vram", error);
    return w->vram != NULL;
}

static bool map_vram(void *world, GError **error)
{
    return told_both(pgm_mmio2_map(((World *)world)->vram, VRAM, error), error);
}

static bool track_vram(void *world, GError **error)
{
    return told(pgm_mmio2_set_tracking(((World *)world)->vram, true), "set_tracking", error);
}

static bool alias_vram(void *world, GError **error)
{
    World *w = world;

    for (uint64_t i = 0; i < 20; i++) {
        if (!told(pgm_mmio_alias(w->bar, i * PAGE, w->vram, i * 2 * PAGE), "alias", error)) {
            return false;
        }
    }
    return true;
}

/* So many that tables grow. */
static bool many_ranges(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < N_SMALL_BARS; i++) {
        if (w->small[i] == NULL) {
            w->small[i] =
                pgm_mmio_new(w->a, PAGE, &(PgmMmioOps) { 0 }, NULL, "net", "small", error);
        }
        /* One over a hole, one in the middle of RAM. */
        if (w->small[i] == NULL ||
            !told_both(pgm_mmio_map(w->small[i],
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

static bool attach_cpu(void *world, GError **error)
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

static bool add_handlers(void *world, GError **error)
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

static bool handler_off(void *world, GError **error)
{
    return told(pgm_handler_page_off(((World *)world)->all, TAKEN), "page_off", error);
}

static void count_hit(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    (void)pgm;
    (void)hit;
    ((World *)user)->n_hits++;
}

static bool add_watches(void *world, GError **error)
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

static bool drop_watches(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < G_N_ELEMENTS(w->watches); i += 3) {
        pgm_watch_free(w->watches[i]);
        w->watches[i] = NULL;
    }
    return true;
}

/* ---- accesses */

/* Written again after a failure, the bytes are the same. */
static bool store_at(Pgm *pgm, GPhys gpa, uint64_t value, GError **error)
{
    return told(pgm_write_u64(pgm, gpa, value * UINT64_C(0x9e3779b97f4a7c15)), "write", error);
}

static bool scatter(Pgm *pgm, GPhys start, uint64_t step, unsigned n, uint64_t value,
                    GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        if (!store_at(pgm, start + i * step + i % 500 * 8, value + i, error)) {
            return false;
        }
    }
    return true;
}

static bool write_typed(void *world, GError **error)
{
    World *w = world;

    return scatter(w->a, 0, PAGE, 40, 1, error) && scatter(w->a, MIB, PAGE, 700, 2, error) &&
           scatter(w->a, TIB, 16 * 4096 * PAGE, 60, 3, error) &&
           scatter(w->a, VRAM, 3 * PAGE, 50, 4, error) && scatter(w->a, BAR, PAGE, 20, 5, error);
}

static bool write_bulk(void *world, GError **error)
{
    World *w = world;
    g_autofree uint8_t *bytes = g_malloc(MIB);

    for (size_t i = 0; i < MIB; i++) {
        bytes[i] = (uint8_t)(i * 3 + i / 4096);
    }
    return told(pgm_write(w->a, 5 * MIB - 5000, bytes, MIB, MEM_ORIGIN_LOADER), "bulk write",
                error) &&
           told(pgm_fill(w->a, TIB + 40 * MIB + 123, 0x5a, 300000, MEM_ORIGIN_DEVICE), "fill",
                error) &&
           told(pgm_copy(w->a, TIB + 50 * MIB + 9, 4 * MIB, 700000, MEM_ORIGIN_DEVICE), "copy",
                error) &&
           told(pgm_load_image(w->b, 3 * MIB, bytes, MIB), "load", error);
}

static bool write_b(void *world, GError **error)
{
    World *w = world;

    return scatter(w->b, 0x200000, PAGE, 500, 7, error) &&
           scatter(w->b, 0x10000, PAGE, 60, 8, error);
}

static bool shadow_bios(void *world, GError **error)
{
    World *w = world;
    uint8_t page[4096];
    bool ok =
        told(pgm_rom_protect(w->a, BIOS, BIOS_LEN, PGM_ROM_READ_ROM_WRITE_RAM), "protect", error);

    for (uint64_t i = 0; i < 10 && ok; i++) {
        ok = told(pgm_read(w->a, BIOS + i * PAGE, page, PAGE, MEM_ORIGIN_CPU), "read", error) &&
             told(pgm_write(w->a, BIOS + i * PAGE, page, PAGE, MEM_ORIGIN_CPU), "write", error);
    }
    return ok && told(pgm_rom_protect(w->a, BIOS, BIOS_LEN / 2, PGM_ROM_READ_RAM_WRITE_IGNORE),
                      "protect", error);
}

static bool fill_cpu(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < 200; i++) {
        PgmFill fill;

        pgm_cpu_fill(w->cpu, TIB + 80 * MIB + i * PAGE, MEM_ACCESS_WRITE, &fill);
        if (fill.kind == PGM_FILL_NO_MEMORY) {
            return told(MEM_ERR_NO_MEMORY, "fill", error);
        }
    }
    return true;
}

static bool ensure_handy(void *world, GError **error)
{
    return told(pgm_ensure_handy(((World *)world)->a), "ensure_handy", error);
}

/* ---- snapshots: a tree of four */

static bool take(void *world, unsigned which, PgmSnapshotFlags flags, GError **error)
{
    World *w = world;

    w->snapshots[which] = pgm_snapshot_take(w->a, "one", flags, error);
    return w->snapshots[which] != NULL;
}

static bool take_0(void *world, GError **error)
{
    return take(world, 0, PGM_SNAPSHOT_CHECKED, error);
}

static bool take_1(void *world, GError **error)
{
    return take(world, 1, PGM_SNAPSHOT_DEFAULT, error);
}

static bool take_2(void *world, GError **error)
{
    return take(world, 2, PGM_SNAPSHOT_CHECKED, error);
}

static bool take_3(void *world, GError **error)
{
    return take(world, 3, PGM_SNAPSHOT_DEFAULT, error);
}

static bool write_after_take(void *world, GError **error)
{
    World *w = world;

    return scatter(w->a, MIB, PAGE, 300, 20, error) && scatter(w->a, 0, 2 * PAGE, 10, 21, error) &&
           scatter(w->a, TIB + 200 * MIB, PAGE, 300, 22, error) &&
           scatter(w->a, VRAM, PAGE, 100, 23, error);
}

static bool write_other(void *world, GError **error)
{
    World *w = world;

    return scatter(w->a, MIB, 2 * PAGE, 350, 30, error) &&
           scatter(w->a, TIB + 300 * MIB, 5 * PAGE, 100, 31, error);
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

static bool restore_0(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 0);
}

static bool restore_1(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 1);
}

static bool restore_2(void *world, GError **error)
{
    (void)error;
    return restore_to(world, 2);
}

static bool drop_0(void *world, GError **error)
{
    World *w = world;

    (void)error;
    pgm_snapshot_drop(w->snapshots[0]);
    w->snapshots[0] = NULL;
    return true;
}

static bool drop_others(void *world, GError **error)
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

static bool add_dirty(void *world, GError **error)
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

static bool ask_dirty(void *world, GError **error)
{
    World *w = world;
    uint64_t sum = 0;
    uint64_t bits[VRAM_LEN / PAGE / 64];

    pgm_dirty_foreach(w->dirty[0], add_page, &sum);
    pgm_dirty_reset(w->dirty[0]);
    return told(pgm_mmio2_mark_dirty(w->vram, 5 * PAGE, 9 * PAGE), "mark_dirty", error) &&
           told(pgm_mmio2_query_dirty(w->vram, bits, G_N_ELEMENTS(bits)), "query_dirty", error);
}

static bool drop_dirty(void *world, GError **error)
{
    World *w = world;

    (void)error;
    pgm_dirty_free(w->dirty[0]);
    w->dirty[0] = NULL;
    return true;
}

/* ---- pages given back, shared, moved */

static bool inflate(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON];

    for (unsigned i = 0; i < N_BALLOON; i++) {
        gpas[i] = MIB + i * 2 * PAGE;
    }
    return told(pgm_balloon_inflate(w->a, gpas, N_BALLOON), "inflate", error);
}

static bool deflate(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON / 2];

    for (unsigned i = 0; i < N_BALLOON / 2; i++) {
        gpas[i] = MIB + i * 2 * PAGE;
    }
    return told(pgm_balloon_deflate(w->a, gpas, N_BALLOON / 2), "deflate", error);
}

static bool deflate_rest(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_BALLOON / 2];

    for (unsigned i = 0; i < N_BALLOON / 2; i++) {
        gpas[i] = MIB + (N_BALLOON / 2 + i) * 2 * PAGE;
    }
    return told(pgm_balloon_deflate(w->a, gpas, N_BALLOON / 2), "deflate", error);
}

static bool inflate_b(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[240];

    for (unsigned i = 0; i < G_N_ELEMENTS(gpas); i++) {
        gpas[i] = 0x200000 + i * 2 * PAGE;
    }
    return told(pgm_balloon_inflate(w->b, gpas, G_N_ELEMENTS(gpas)), "inflate", error) &&
           told(pgm_balloon_deflate(w->b, gpas, G_N_ELEMENTS(gpas)), "deflate", error);
}

static bool scan(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < 3; i++) {
        (void)gmm_share_scan(w->gmm, 20000);
    }
    return true;
}

static bool write_shared(void *world, GError **error)
{
    World *w = world;

    return scatter(w->b, 3 * MIB, PAGE, 250, 40, error) &&
           scatter(w->a, 5 * MIB - 8192, PAGE, 200, 41, error);
}

static bool compact(void *world, GError **error)
{
    (void)error;
    (void)gmm_compact(((World *)world)->gmm, 5000);
    return true;
}

/* ---- locks, heap, reports, other threads' way */

static bool map_pages(void *world, GError **error)
{
    World *w = world;
    GPhys gpas[N_MAPPED];

    for (unsigned i = 0; i < N_MAPPED; i++) {
        gpas[i] = TIB + 500 * MIB + i * 700 * PAGE;
    }
    return told(pgm_map_pages(w->a, gpas, N_MAPPED, true, w->mapped), "map", error);
}

static bool unmap_pages(void *world, GError **error)
{
    World *w = world;

    (void)error;
    for (unsigned i = 0; i < N_MAPPED; i++) {
        memset(w->mapped[i].host, (int)i + 1, PAGE);
    }
    pgm_unmap_pages(w->a, w->mapped, N_MAPPED);
    return true;
}

static bool use_heap(void *world, GError **error)
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
        return told(MEM_ERR_NO_MEMORY, "heap", error);
    }
    mm_heap_free(heap, text);
    return true;
}

static void count_stat(const PgmStat *stat, void *user)
{
    *(uint64_t *)user += stat->value;
}

static bool report_all(void *world, GError **error)
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

static bool external(void *world, GError **error)
{
    World *w = world;
    g_autofree uint8_t *bytes = g_malloc0(600 * PAGE);

    return told(pgm_external_write(w->a, TIB + 700 * MIB + 99, bytes, 600 * PAGE - 99,
                                   MEM_ORIGIN_DEBUGGER),
                "external write", error) &&
           store_at(w->a, TIB + 700 * MIB, 50, error) &&
           told(pgm_external_read(w->a, TIB, bytes, 600 * PAGE, MEM_ORIGIN_DEBUGGER),
                "external read", error);
}

/* ---- files */

static bool save(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(w, "state");
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, error);

    if (writer == NULL) {
        return false;
    }
    pgm_save(w->a, writer);
    mem_state_begin_unit(writer, "more", 0, 1);
    for (unsigned i = 0; i < 70000; i++) {
        mem_state_put_u32(writer, i * 2654435761u);
    }
    mem_state_end_unit(writer);
    return mem_state_writer_commit(writer, error);
}

/* As emu_restore() does it: a snapshot first, which undoes an apply that fails. */
static bool load_file(World *w, const char *name, GError **error)
{
    g_autofree char *path = life_path(w, name);
    g_autoptr(MemStateReader) reader = mem_state_reader_new(path, error);

    if (reader == NULL || !pgm_load_check(w->a, reader, error)) {
        return false;
    }
    PgmSnapshot *before = pgm_snapshot_take(w->a, "before", PGM_SNAPSHOT_DEFAULT, error);

    if (before == NULL) {
        return false;
    }
    bool ok = pgm_load_apply(w->a, reader, error);

    if (!ok) {
        pgm_snapshot_restore(before);
    }
    pgm_snapshot_drop(before);
    return ok;
}

static bool load(void *world, GError **error)
{
    return load_file(world, "state", error);
}

static bool load_live(void *world, GError **error)
{
    return load_file(world, "live", error);
}

static bool save_live(void *world, GError **error)
{
    World *w = world;
    g_autofree char *path = life_path(w, "live");
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, error);
    PgmLiveSave *live = writer != NULL ? pgm_live_save_new(w->a, writer, error) : NULL;
    PgmLiveProgress progress = { 0 };
    bool ok = live != NULL;

    for (unsigned i = 0; i < 20 && ok && !progress.converged; i++) {
        pgm_live_save_step(live, 400, &progress);
        ok = mem_state_writer_ok(writer)
                 ? scatter(w->a, MIB + i * PAGE, 3 * PAGE, 60, 60 + i, error)
                 : true;
    }
    if (ok) {
        pgm_live_save_finish(live);
        ok = mem_state_writer_commit(writer, error);
    }
    pgm_live_save_free(live);
    return ok;
}

/* ---- the rest */

static bool reset_a(void *world, GError **error)
{
    return told(pgm_reset(((World *)world)->a), "reset", error);
}

static bool preallocate(void *world, GError **error)
{
    World *w = world;

    return told_both(pgm_preallocate(w->b, error), error);
}

static bool reset_b(void *world, GError **error)
{
    return told(pgm_reset(((World *)world)->b), "reset", error);
}

static bool write_again(void *world, GError **error)
{
    World *w = world;

    return write_typed(w, error) && write_b(w, error) && write_bulk(w, error);
}

static bool move_vram(void *world, GError **error)
{
    World *w = world;

    return told_both(pgm_mmio2_map(w->vram, VRAM + 64 * MIB, error), error) &&
           told_both(pgm_mmio2_map(w->vram, VRAM, error), error);
}

static bool remove_ranges(void *world, GError **error)
{
    World *w = world;

    for (unsigned i = 0; i < N_SMALL_BARS; i += 2) {
        pgm_mmio_free(w->small[i]);
        w->small[i] = NULL;
    }
    return told(pgm_rom_deregister(w->b, BIOS), "deregister", error);
}

static const LifeStep steps[] = {
    { "make gmm", make_gmm, true },
    { "make machine a", make_a, true },
    { "make machine b", make_b, true },
    { "PC's RAM", ram_of_a, true },
    { "plain RAM", ram_of_b, true },
    { "huge RAM", huge_ram, true },
    { "listed RAM", listed_ram, true },
    { "shadowed ROM", bios_of_a, true },
    { "plain ROM", bios_of_b, true },
    { "make MMIO", make_bar, true },
    { "map MMIO", map_bar, true },
    { "make MMIO2", make_vram, true },
    { "map MMIO2", map_vram, true },
    { "track MMIO2", track_vram, true },
    { "aliases", alias_vram, false },
    { "many ranges", many_ranges, false },
    { "attach CPU", attach_cpu, true },
    { "handlers", add_handlers, true },
    { "handler off", handler_off, true },
    { "watches", add_watches, true },
    { "typed writes", write_typed, false },
    { "bulk writes", write_bulk, false },
    { "writes of b", write_b, false },
    { "shadow the BIOS", shadow_bios, false },
    { "CPU fills", fill_cpu, true },
    { "ensure handy pages", ensure_handy, true },
    { "take snapshot 0", take_0, true },
    { "write after it", write_after_take, false },
    { "take snapshot 1", take_1, true },
    { "move MMIO2", move_vram, false },
    { "write on", write_other, false },
    { "dirty clients", add_dirty, true },
    { "restore snapshot 0", restore_0, true },
    { "write elsewhere", write_other, false },
    { "take snapshot 2", take_2, true },
    { "ask what is dirty", ask_dirty, true },
    { "inflate the balloon", inflate, true },
    { "write under a balloon", write_shared, false },
    { "restore snapshot 1", restore_1, true },
    { "write after that", write_after_take, false },
    { "take snapshot 3", take_3, true },
    { "drop snapshot 0", drop_0, true },
    { "free some watches", drop_watches, true },
    { "write with watches", write_typed, false },
    { "restore snapshot 2", restore_2, true },
    { "inflate again", inflate, true },
    { "deflate", deflate, true },
    { "report all", report_all, true },
    { "scan for equal pages", scan, true },
    { "write shared pages", write_shared, false },
    { "map pages", map_pages, true },
    { "balloon of b", inflate_b, false },
    { "compact", compact, true },
    { "unmap pages", unmap_pages, true },
    { "heap", use_heap, true },
    { "by other threads' way", external, false },
    { "free a dirty client", drop_dirty, true },
    { "save", save, true },
    { "write after the save", write_after_take, false },
    { "load", load, true },
    { "save live", save_live, false },
    { "drop all snapshots", drop_others, true },
    { "reset a", reset_a, true },
    { "write after the reset", write_other, false },
    { "load the live save", load_live, true },
    { "scan again", scan, true },
    { "preallocate b", preallocate, true },
    { "reset b", reset_b, true },
    { "remove ranges", remove_ranges, true },
    { "deflate the rest", deflate_rest, true },
    { "write a last time", write_again, false },
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
