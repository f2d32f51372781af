/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine of fuzz-memory.c should hold, the slow way: arrays of bytes and where ranges lie.
 *
 * A machine: RAM with a hole, a shadowed ROM over it, an MMIO2 and an MMIO range that move between
 * fixed places, and 2 MiB of RAM of which one word a page is looked at (its pages can be a large
 * run).
 *
 * Rule: a Content is all that a snapshot brings back, so that one is a copy of it.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

#include "memsys/access.h"
#include "memsys/cpu_port.h"
#include "memsys/dirty.h"
#include "memsys/handler.h"
#include "memsys/map.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/pgm.h"
#include "memsys/rom.h"
#include "memsys/snapshot.h"
#include "memsys/watch.h"

#define PAGE 4096u
#define N_MACHINES 2u

/* RAM at 0, a hole, RAM again. */
#define LOW_PAGES 24u
#define HOLE_PAGES 8u
#define HIGH_PAGES 16u
#define ALL_PAGES (LOW_PAGES + HOLE_PAGES + HIGH_PAGES)
#define ROM_PAGE 8u
#define ROM_PAGES 4u
#define DEVICE_PAGES 2u /* of the MMIO2 and of the MMIO range */

/* The large RAM: bit 20 is 0 in its first half and 1 in its second. */
#define BIG_START UINT64_C(0x200000)
#define BIG_PAGES 512u
#define BIG_WORD 16u /* offset in each page of the eight bytes that are looked at */

#define N_SNAPSHOTS 3u
#define N_MAPPINGS 3u

typedef struct Content {
    uint8_t ram[ALL_PAGES * PAGE]; /* the hole's part is not used */
    uint8_t rom[ROM_PAGES * PAGE];
    uint8_t shadow[ROM_PAGES * PAGE];
    uint8_t device[DEVICE_PAGES * PAGE];
    uint64_t big[BIG_PAGES];
    PgmRomProt prot[ROM_PAGES];
    unsigned mmio2_page; /* 0: not mapped */
    unsigned mmio2_shown;
    unsigned mmio_page;
    unsigned alias[DEVICE_PAGES]; /* page of the MMIO2 shown in the MMIO range, + 1; 0: none */
    bool ballooned[ALL_PAGES];
} Content;

typedef struct Machine {
    Pgm *pgm;
    PgmMmio2 *mmio2;
    PgmMmio *mmio;
    PgmHandler *handler;
    PgmCpu *cpu;
    bool a20_off;

    PgmMapping mappings[N_MAPPINGS]; /* all in use or none */
    bool is_mapped;
    uint8_t *locked[N_MAPPINGS]; /* the naive bytes of each */

    PgmWatch *watch;
    bool watch_is_virtual;
    uint64_t watch_start;
    uint64_t watch_len;
    unsigned watch_accesses;
    unsigned n_hits;

    PgmSnapshot *snapshots[N_SNAPSHOTS];
    bool checked[N_SNAPSHOTS];
    PgmDirty *dirty;
    bool tracks_device; /* from device_clean on */

    Content now;
    uint8_t registers[DEVICE_PAGES * PAGE];
    uint8_t device_clean[DEVICE_PAGES * PAGE];
    uint8_t ram_clean[ALL_PAGES * PAGE]; /* since when dirty counts */
    Content then[N_SNAPSHOTS];
} Machine;

/* One operation of the input. */
typedef struct Op {
    uint8_t what;
    uint8_t machine;
    uint16_t page;
    uint16_t offset;
    uint16_t len;
    uint16_t page2;
    uint16_t value;
    uint32_t spare;
} Op;

typedef void (*OpFunc)(Machine *m, const Op *op);

/* By number of place: no two overlap. In RAM, at its end, in the hole, in RAM above it. */
extern const unsigned mmio2_places[4];
extern const unsigned mmio_places[4];

extern Gmm *memory_gmm;

/* ---- memory-naive.c */

void machine_start(Machine *m, unsigned number);
void machine_end(Machine *m);
/* The bytes of the ROM's image. */
void fill_image(uint8_t *rom);

/* Bytes that reads of the page see and that writes to it reach; NULL: all ones, and nowhere. */
void look_up(Machine *m, unsigned page, uint8_t **ret_from, uint8_t **ret_to);
void want_bytes(Machine *m, uint64_t at, uint8_t *ret_bytes, size_t len);
void put_bytes(Machine *m, uint64_t at, const uint8_t *bytes, size_t len);

static inline uint64_t place(uint16_t page, uint16_t offset)
{
    return (uint64_t)(page % ALL_PAGES) * PAGE + offset % PAGE;
}

/* No operation that failed for want of memory may fail again after this. */
void give_room(Machine *m);

#define WITH_ROOM(m, ret_status, call)           \
    do {                                         \
        (ret_status) = (call);                   \
        if ((ret_status) == MEM_ERR_NO_MEMORY) { \
            give_room(m);                        \
            (ret_status) = (call);               \
        }                                        \
    } while (0)

/* Of the watch, from before an access to after it. @gva: whether the access named a virtual
 * address. */
void check_hits(const Machine *m, unsigned before, uint64_t at, size_t len, MemAccess access,
                bool by_gva);

/* ---- memory-access.c: reading, writing, mapping ranges; memory-life.c: what happens to pages */
extern const OpFunc access_ops[16];
extern const OpFunc life_ops[16];
