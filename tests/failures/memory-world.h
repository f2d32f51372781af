/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of the life of memory (memory-life.c): two machines' memory that share a page
 * allocator, and the steps it goes through, by what they are about: memory-birth.c, memory-use.c,
 * memory-pages.c, memory-files.c.
 */
#pragma once

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

/* Of a function without a GError. */
bool memory_told(MemStatus status, const char *what, GError **error);

/* Of one that sets an error, too. */
bool memory_told_both(MemStatus status, GError *const *error);

/* Written again after a failure, the bytes are the same. */
bool memory_store_at(Pgm *pgm, GPhys gpa, uint64_t value, GError **error);
bool memory_scatter(Pgm *pgm, GPhys start, uint64_t step, unsigned n, uint64_t value,
                    GError **error);

/* ---- steps (tests/failures/life.h) */

bool memory_make_gmm(void *world, GError **error);
bool memory_make_a(void *world, GError **error);
bool memory_make_b(void *world, GError **error);
bool memory_ram_of_a(void *world, GError **error);
bool memory_ram_of_b(void *world, GError **error);
bool memory_huge_ram(void *world, GError **error);
bool memory_listed_ram(void *world, GError **error);
bool memory_bios_of_a(void *world, GError **error);
bool memory_bios_of_b(void *world, GError **error);
bool memory_make_bar(void *world, GError **error);
bool memory_map_bar(void *world, GError **error);
bool memory_make_vram(void *world, GError **error);
bool memory_map_vram(void *world, GError **error);
bool memory_track_vram(void *world, GError **error);
bool memory_alias_vram(void *world, GError **error);
bool memory_many_ranges(void *world, GError **error);
bool memory_attach_cpu(void *world, GError **error);
bool memory_add_handlers(void *world, GError **error);
bool memory_handler_off(void *world, GError **error);
bool memory_add_watches(void *world, GError **error);
bool memory_drop_watches(void *world, GError **error);
bool memory_write_typed(void *world, GError **error);
bool memory_write_bulk(void *world, GError **error);
bool memory_write_b(void *world, GError **error);
bool memory_shadow_bios(void *world, GError **error);
bool memory_fill_cpu(void *world, GError **error);
bool memory_ensure_handy(void *world, GError **error);
bool memory_map_pages(void *world, GError **error);
bool memory_unmap_pages(void *world, GError **error);
bool memory_use_heap(void *world, GError **error);
bool memory_report_all(void *world, GError **error);
bool memory_external(void *world, GError **error);
bool memory_reset_a(void *world, GError **error);
bool memory_preallocate(void *world, GError **error);
bool memory_reset_b(void *world, GError **error);
bool memory_write_again(void *world, GError **error);
bool memory_move_vram(void *world, GError **error);
bool memory_remove_ranges(void *world, GError **error);
bool memory_take_0(void *world, GError **error);
bool memory_take_1(void *world, GError **error);
bool memory_take_2(void *world, GError **error);
bool memory_take_3(void *world, GError **error);
bool memory_write_after_take(void *world, GError **error);
bool memory_write_other(void *world, GError **error);
bool memory_restore_0(void *world, GError **error);
bool memory_restore_1(void *world, GError **error);
bool memory_restore_2(void *world, GError **error);
bool memory_drop_0(void *world, GError **error);
bool memory_drop_others(void *world, GError **error);
bool memory_add_dirty(void *world, GError **error);
bool memory_ask_dirty(void *world, GError **error);
bool memory_drop_dirty(void *world, GError **error);
bool memory_inflate(void *world, GError **error);
bool memory_deflate(void *world, GError **error);
bool memory_deflate_rest(void *world, GError **error);
bool memory_inflate_b(void *world, GError **error);
bool memory_scan(void *world, GError **error);
bool memory_write_shared(void *world, GError **error);
bool memory_compact(void *world, GError **error);
bool memory_save(void *world, GError **error);
bool memory_load(void *world, GError **error);
bool memory_load_live(void *world, GError **error);
bool memory_save_live(void *world, GError **error);
