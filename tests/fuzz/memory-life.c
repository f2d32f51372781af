/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations of fuzz-memory.c: what happens to pages behind the guest's back. Snapshots, dirty
 * clients, ballooning, sharing, compaction, locks, reset, limits.
 */
#include "tests/fuzz/memory-naive.h"

#include "memsys/balloon.h"
#include "memsys/gmm.h"
#include "memsys/info.h"

/* ---- mappings */

static bool is_locked(const Machine *m, const uint8_t *bytes)
{
    bool found = false;

    for (unsigned i = 0; m->is_mapped && i < N_MAPPINGS; i++) {
        found |= m->locked[i] == bytes;
    }
    return found;
}

/* Writes through a mapping are the pages' bytes. Some may be mapped twice. */
static void do_map(Machine *m, const Op *op)
{
    bool writable = (op->value & 1) != 0;
    GPhys gpas[N_MAPPINGS] = { place(op->page, op->offset), place(op->page2, op->offset),
                               place((uint16_t)(op->page + 1), 0) };
    uint8_t *from[N_MAPPINGS];
    uint8_t *to[N_MAPPINGS];
    MemStatus status;

    if (m->is_mapped) {
        pgm_unmap_pages(m->pgm, m->mappings, N_MAPPINGS);
        m->is_mapped = false;
        return;
    }
    WITH_ROOM(m, status, pgm_map_pages(m->pgm, gpas, N_MAPPINGS, writable, m->mappings));
    m->is_mapped = status == MEM_OK;
    for (unsigned i = 0; m->is_mapped && i < N_MAPPINGS; i++) {
        uint64_t offset = gpas[i] % PAGE;

        look_up(m, (unsigned)(gpas[i] / PAGE), &from[i], &to[i]);
        m->locked[i] = writable ? to[i] : from[i];
        fuzz_check(m->locked[i] != NULL, "mapped what cannot be");
        fuzz_check(memcmp(m->mappings[i].host, m->locked[i], PAGE) == 0, "page %#lx differs",
                   (unsigned long)gpas[i]);
        if (writable) {
            m->mappings[i].host[offset] = to[i][offset] = (uint8_t)op->value;
        }
    }
}

/* A store through what is mapped for writing, whenever. */
static void do_store_mapped(Machine *m, const Op *op)
{
    unsigned i = op->page % N_MAPPINGS;

    if (m->is_mapped && m->mappings[i].writable) {
        m->mappings[i].host[op->offset % PAGE] = (uint8_t)op->value;
        m->locked[i][op->offset % PAGE] = (uint8_t)op->value;
    }
}

/* ---- snapshots */

static void take_snapshot(Machine *m, unsigned which, bool checked)
{
    PgmSnapshotFlags flags = checked ? PGM_SNAPSHOT_CHECKED : PGM_SNAPSHOT_DEFAULT;
    PgmSnapshot *snapshot = pgm_snapshot_take(m->pgm, "fuzz", flags, NULL);

    if (snapshot == NULL) {
        give_room(m);
        snapshot = pgm_snapshot_take(m->pgm, "fuzz", flags, NULL);
    }
    fuzz_check(snapshot != NULL && pgm_snapshot_current(m->pgm) == snapshot, "no snapshot");
    m->snapshots[which] = snapshot;
    m->checked[which] = checked;
    m->then[which] = m->now;
}

static void restore_snapshot(Machine *m, unsigned which)
{
    bool kept = false;

    pgm_snapshot_restore(m->snapshots[which]);
    m->now = m->then[which];
    for (unsigned i = 0; i < ALL_PAGES; i++) {
        /* A page that somebody holds is not given away. */
        if (m->now.ballooned[i] && is_locked(m, m->now.ram + i * PAGE)) {
            m->now.ballooned[i] = false;
            kept = true;
        }
    }
    m->tracks_device = false;
    fuzz_check(pgm_snapshot_current(m->pgm) == m->snapshots[which], "another is the current one");
    if (m->checked[which] && !kept) {
        g_autoptr(GString) report = g_string_new(NULL);

        fuzz_check(pgm_snapshot_check(m->snapshots[which], report) == 0, "%s", report->str);
    }
}

static void do_snapshot(Machine *m, const Op *op)
{
    unsigned which = op->page % N_SNAPSHOTS;

    if (m->snapshots[which] == NULL) {
        take_snapshot(m, which, (op->value & 8) != 0);
    } else if (op->value % 4 == 0) {
        g_clear_pointer(&m->snapshots[which], pgm_snapshot_drop);
    } else {
        restore_snapshot(m, which);
    }
}

/* ---- dirty clients */

static void sum_pages(const PgmPageRef *page, void *user)
{
    (void)page;
    (*(uint64_t *)user)++;
}

/* What differs from what it was at the reset must be in the set. */
static void check_dirty(Machine *m)
{
    uint64_t n = 0;

    pgm_dirty_foreach(m->dirty, sum_pages, &n);
    fuzz_check(n == pgm_dirty_count(m->dirty), "%lu dirty pages of %lu", (unsigned long)n,
               (unsigned long)pgm_dirty_count(m->dirty));
    for (unsigned page = 0; page < ALL_PAGES; page++) {
        uint8_t *from;
        uint8_t *to;

        look_up(m, page, &from, &to);
        if (from == m->now.ram + page * PAGE &&
            memcmp(from, m->ram_clean + page * PAGE, PAGE) != 0) {
            fuzz_check(pgm_dirty_contains(m->dirty, page * PAGE), "page %u was written", page);
        }
    }
}

static void do_dirty(Machine *m, const Op *op)
{
    if (m->dirty != NULL) {
        check_dirty(m);
        if (op->value % 4 == 0) {
            g_clear_pointer(&m->dirty, pgm_dirty_free);
            return;
        }
        pgm_dirty_reset(m->dirty);
    } else {
        m->dirty = pgm_dirty_new(m->pgm, "fuzz", NULL);
        fuzz_check(m->dirty != NULL, "no dirty client");
    }
    memcpy(m->ram_clean, m->now.ram, sizeof m->ram_clean);
}

/* Of the MMIO2, for its device. */
static void do_dirty_bitmap(Machine *m, const Op *op)
{
    uint64_t bits = 0;

    if ((op->value & 3) == 0) {
        bool on = (op->value & 4) != 0;

        (void)pgm_mmio2_set_tracking(m->mmio2, false);
        (void)pgm_mmio2_set_tracking(m->mmio2, on);
        m->tracks_device = on;
    } else if ((op->value & 3) == 1) {
        unsigned page = op->page % DEVICE_PAGES;
        MemStatus status;

        WITH_ROOM(m, status, pgm_mmio2_mark_dirty(m->mmio2, page * PAGE + op->offset % PAGE, 1));
        fuzz_check(status == MEM_OK, "mark: %s", mem_status_name(status));
        pgm_mmio2_host(m->mmio2)[page * PAGE + op->offset % PAGE] = (uint8_t)op->value;
        m->now.device[page * PAGE + op->offset % PAGE] = (uint8_t)op->value;
        return;
    } else {
        (void)pgm_mmio2_query_dirty(m->mmio2, &bits, 1);
        fuzz_check(bits >> DEVICE_PAGES == 0, "pages that are not there");
        for (unsigned i = 0; m->tracks_device && i < DEVICE_PAGES; i++) {
            fuzz_check((bits >> i & 1) != 0 ||
                           memcmp(m->device_clean + i * PAGE, m->now.device + i * PAGE, PAGE) == 0,
                       "page %u of the MMIO2 was written", i);
        }
    }
    memcpy(m->device_clean, m->now.device, sizeof m->device_clean);
}

/* ---- ballooning, sharing, limits */

static void do_balloon(Machine *m, const Op *op)
{
    bool inflate = (op->value & 1) != 0;
    unsigned pages[2] = { op->page % ALL_PAGES, op->page2 % ALL_PAGES };
    unsigned n = 1 + op->len % 2;
    GPhys gpas[2] = { (GPhys)pages[0] * PAGE, (GPhys)pages[1] * PAGE };
    MemStatus status;

    if (inflate) {
        WITH_ROOM(m, status, pgm_balloon_inflate(m->pgm, gpas, n));
    } else {
        WITH_ROOM(m, status, pgm_balloon_deflate(m->pgm, gpas, n));
    }
    for (unsigned i = 0; status == MEM_OK && i < n; i++) {
        uint8_t *from;
        uint8_t *to;

        look_up(m, pages[i], &from, &to);
        fuzz_check(from == m->now.ram + pages[i] * PAGE && m->now.ballooned[pages[i]] != inflate &&
                       !(inflate && is_locked(m, from)),
                   "page %u cannot be ballooned or deflated", pages[i]);
        memset(from, 0, PAGE);
        m->now.ballooned[pages[i]] = inflate;
    }
}

static void do_share(Machine *m, const Op *op)
{
    switch (op->value % 4) {
    case 0:
        pgm_set_sharing(m->pgm, (op->page & 1) != 0);
        break;
    case 1:
        pgm_set_sharing(m->pgm, true);
        (void)gmm_share_scan(memory_gmm, op->len);
        break;
    case 2:
        (void)gmm_share_scan(memory_gmm, op->len % 256);
        break;
    default:
        (void)gmm_compact(memory_gmm, op->len % 256);
        break;
    }
}

static void do_limit(Machine *m, const Op *op)
{
    if (op->value % 4 == 0) {
        give_room(m);
    } else if (op->value % 4 == 1) {
        (void)pgm_snapshot_set_limit(m->pgm, op->len % 32);
    } else if (op->value % 4 == 2) {
        GmmStats stats;

        gmm_get_stats(memory_gmm, &stats);
        gmm_set_limit(memory_gmm, stats.allocated + op->len % 8);
    } else {
        (void)pgm_ensure_handy(m->pgm);
    }
}

/* ---- the machine's own */

static void do_reset(Machine *m, const Op *op)
{
    MemStatus status;

    if (op->value % 4 != 0) {
        return;
    }
    WITH_ROOM(m, status, pgm_reset(m->pgm));
    fuzz_check(status == MEM_OK, "reset: %s", mem_status_name(status));
    memset(m->now.ram, 0, sizeof m->now.ram);
    memset(m->now.shadow, 0, sizeof m->now.shadow);
    memset(m->now.big, 0, sizeof m->now.big);
    memset(m->now.prot, 0, sizeof m->now.prot);
    memset(m->now.ballooned, 0, sizeof m->now.ballooned);
    fill_image(m->now.rom);
}

/* Costs more than all the others together, so it is rare. */
static void do_preallocate(Machine *m, const Op *op)
{
    MemStatus status;

    if (op->value % 16 == 5) {
        WITH_ROOM(m, status, pgm_preallocate(m->pgm, NULL));
        fuzz_check(status == MEM_OK, "preallocate: %s", mem_status_name(status));
    }
}

/* The large RAM, by a CPU with or without A20. */
static void do_big(Machine *m, const Op *op)
{
    unsigned page = op->page % BIG_PAGES;
    uint64_t gpa = BIG_START + (uint64_t)page * PAGE + BIG_WORD;
    uint64_t value = op->value * UINT64_C(0x0001000100010001);
    MemStatus status;

    if (m->cpu == NULL) {
        WITH_ROOM(m, status, pgm_write_u64(m->pgm, gpa, value));
        fuzz_check(status == MEM_OK, "big: %s", mem_status_name(status));
        m->now.big[page] = value;
        return;
    }
    if ((op->len & 3) == 0) {
        m->a20_off = !m->a20_off;
        pgm_cpu_set_a20(m->cpu, !m->a20_off);
    }
    page &= m->a20_off ? ~(UINT32_C(1) << 8) : UINT32_MAX;
    if ((op->len & 4) != 0) {
        WITH_ROOM(m, status, pgm_cpu_write_u64(m->cpu, gpa, value));
        fuzz_check(status == MEM_OK, "big: %s", mem_status_name(status));
        m->now.big[page] = value;
    }
    fuzz_check(pgm_cpu_read_u64(m->cpu, gpa) == m->now.big[page], "page %u of the large RAM", page);
}

/* Many neighbours at once: what large runs are for. */
static void do_big_run(Machine *m, const Op *op)
{
    unsigned first = op->page % BIG_PAGES;
    MemStatus status;

    for (unsigned page = first; page < MIN(first + op->len % 32, BIG_PAGES); page++) {
        uint64_t gpa = BIG_START + (uint64_t)page * PAGE + BIG_WORD;

        WITH_ROOM(m, status, pgm_write_u64(m->pgm, gpa, op->value));
        fuzz_check(status == MEM_OK, "big: %s", mem_status_name(status));
        m->now.big[page] = op->value;
    }
}

const OpFunc life_ops[16] = {
    do_map,   do_store_mapped, do_snapshot, do_snapshot, do_snapshot,     do_dirty,
    do_dirty, do_balloon,      do_balloon,  do_share,    do_dirty_bitmap, do_reset,
    do_limit, do_preallocate,  do_big,      do_big_run,
};
