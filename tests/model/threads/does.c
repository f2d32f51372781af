/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine's thread does, one random operation after the other. */
#include "tests/model/threads/threads.h"

/* ---- what it does: RAM */

static uint64_t next_stamp(Machine *m, unsigned page)
{
    uint64_t version = m->version + 1;

    __atomic_store_n(&m->version, version, __ATOMIC_SEQ_CST);
    return tag(m, page) | version;
}

/* Single stores of eight bytes: nobody sees half of one. */
static void op_stamp(Machine *m)
{
    for (unsigned n = draw(8) + 1; n > 0; n--) {
        unsigned page = draw(N_STAMP);
        GPhys gpa = page * PAGE + (draw(2) == 0 ? 0 : draw(PAGE / 8) * 8);
        uint64_t stamp = next_stamp(m, page);

        must(draw(2) == 0 ? pgm_write_u64(m->pgm, gpa, stamp)
                          : pgm_write(m->pgm, gpa, &stamp, 8, MEM_ORIGIN_DEVICE),
             "writing a stamp");
        memcpy(m->now.ram + gpa, &stamp, 8);
    }
}

/* Handlers keep these two out. */
static void wild_poke(Machine *m, GPhys gpa)
{
    uint8_t value = (uint8_t)rng();
    MemStatus status = pgm_poke(m->pgm, gpa, &value, 1);

    if (status != MEM_ERR_RESERVED || m->handler == NULL) {
        must(status, "poking");
        m->now.ram[gpa] = value;
    }
}

static void wild_map(Machine *m, GPhys gpa)
{
    PgmMapping mapping;
    MemStatus status = pgm_map_page(m->pgm, gpa, &mapping);

    if (status == MEM_ERR_RESERVED && m->handler != NULL) {
        return;
    }
    must(status, "mapping a page");
    mapping.host[gpa % PAGE] = m->now.ram[gpa] = (uint8_t)rng();
    pgm_unmap_page(m->pgm, &mapping);
}

static void op_wild(Machine *m)
{
    uint8_t bytes[2 * PAGE];
    uint8_t *ram = m->now.ram;
    GPhys gpa = (WILD + draw(N_WILD - 2)) * PAGE + draw(PAGE);
    GPhys from = (WILD + draw(N_WILD - 2)) * PAGE + draw(PAGE);
    size_t len = draw(4) == 0 ? draw(2 * PAGE) : draw(64);
    uint32_t value = (uint32_t)rng();

    switch (draw(6)) {
    case 0:
        random_bytes(bytes, len);
        must(pgm_write(m->pgm, gpa, bytes, len, MEM_ORIGIN_DEVICE), "writing");
        memcpy(ram + gpa, bytes, len);
        break;
    case 1: /* few patterns, equal in all machines: pages to share */
        gpa &= MEM_PAGE_MASK;
        must(pgm_fill(m->pgm, gpa, value % 3, PAGE, MEM_ORIGIN_DEVICE), "filling");
        memset(ram + gpa, value % 3, PAGE);
        break;
    case 2:
        must(pgm_copy(m->pgm, gpa, from, len, MEM_ORIGIN_DEVICE), "copying");
        memmove(ram + gpa, ram + from, len);
        break;
    case 3:
        must(pgm_write_u32(m->pgm, gpa, value), "writing four bytes");
        memcpy(ram + gpa, &value, 4);
        break;
    case 4:
        wild_poke(m, gpa);
        break;
    default:
        wild_map(m, gpa);
    }
}

static void op_given(Machine *m)
{
    unsigned i = draw(N_GIVEN);
    GPhys gpa = (GIVEN + i) * PAGE;
    bool *ballooned = &m->now.ballooned[i];
    uint64_t stamp = next_stamp(m, GIVEN + i);
    MemStatus status;

    if (draw(2) == 0) {
        status = pgm_write_u64(m->pgm, gpa + 8, stamp);
        if (status != (*ballooned ? MEM_ERR_BALLOONED : MEM_OK)) {
            fail("writing to given page %u: %s", i, mem_status_name(status));
        }
        if (!*ballooned) {
            memcpy(m->now.ram + gpa + 8, &stamp, 8);
        }
        return;
    }
    status =
        *ballooned ? pgm_balloon_deflate(m->pgm, &gpa, 1) : pgm_balloon_inflate(m->pgm, &gpa, 1);
    must(status, "the balloon");
    *ballooned = !*ballooned;
    memset(m->now.ram + gpa, 0, PAGE);
}

static void spread_all(Machine *m)
{
    for (unsigned i = 0; i < N_SPREAD; i++) {
        m->now.spread[i] = next_stamp(m, SPREAD + i);
        must(pgm_write_u64(m->pgm, (SPREAD + i) * PAGE, m->now.spread[i]), "spreading");
    }
    for (unsigned i = 0; i < N_SPREAD; i++) {
        GPhys gpa = (SPREAD + i) * PAGE;

        if (i % 4 != 0) {
            must(pgm_balloon_inflate(m->pgm, &gpa, 1), "giving up a page");
            must(pgm_balloon_deflate(m->pgm, &gpa, 1), "taking it back");
            m->now.spread[i] = 0;
        }
    }
}

static void op_spread(Machine *m)
{
    unsigned i = draw(N_SPREAD);

    if (draw(16) == 0) {
        spread_all(m);
    }
    m->now.spread[i] = next_stamp(m, SPREAD + i);
    must(pgm_write_u64(m->pgm, (SPREAD + i) * PAGE, m->now.spread[i]), "writing to SPREAD");
}

/* ---- what it does: ROM and devices */

static void op_rom(Machine *m)
{
    unsigned i = draw(N_AREA);
    GPhys offset = i * PAGE + draw(PAGE / 8) * 8;
    uint64_t stamp = next_stamp(m, SHADOW_TAG + i);

    if (draw(2) == 0) {
        m->now.prots[i] = (PgmRomProt)draw(PGM_N_ROM_PROTS);
        must(pgm_rom_protect(m->pgm, ROM + i * PAGE, PAGE, m->now.prots[i]), "protecting ROM");
        return;
    }
    must(pgm_write_u64(m->pgm, ROM + offset, stamp), "writing to ROM");
    if (m->now.prots[i] == PGM_ROM_READ_ROM_WRITE_RAM ||
        m->now.prots[i] == PGM_ROM_READ_RAM_WRITE_RAM) {
        memcpy(m->now.shadow + offset, &stamp, 8);
    }
}

static void op_vram(Machine *m)
{
    unsigned i = draw(N_AREA);
    GPhys *at = &m->now.vram_at, offset = i * PAGE + draw(PAGE / 8) * 8;
    uint64_t stamp = next_stamp(m, VRAM_TAG + i);

    if (draw(3) == 0) {
        *at = VRAM + draw(3) * STEP;
        must(pgm_mmio2_map(m->vram, *at, NULL), "mapping VRAM");
    } else if (*at != MEM_GPHYS_NIL && draw(6) == 0) {
        *at = MEM_GPHYS_NIL;
        must(pgm_mmio2_unmap(m->vram), "unmapping VRAM");
    } else if (*at != MEM_GPHYS_NIL) {
        must(pgm_write_u64(m->pgm, *at + offset, stamp), "writing to VRAM");
        memcpy(m->now.vram + offset, &stamp, 8);
    }
    (void)pgm_mmio2_query_dirty(m->vram, NULL, 1);
}

static void op_regs(Machine *m)
{
    GPhys *at = &m->now.regs_at;

    if (*at != MEM_GPHYS_NIL && draw(3) == 0) {
        *at = MEM_GPHYS_NIL;
        must(pgm_mmio_unmap(m->regs), "unmapping REGS");
    } else {
        *at = REGS + draw(3) * STEP;
        must(pgm_mmio_map(m->regs, *at, NULL), "mapping REGS");
    }
}

static void op_handler(Machine *m)
{
    GPhys gpa = (WILD + draw(N_WILD)) * PAGE;
    bool all = draw(2) == 0;

    if (m->handler == NULL) {
        m->handler =
            pgm_handler_new(m->pgm, all ? PGM_HANDLER_KIND_ALL : PGM_HANDLER_KIND_WRITE,
                            gpa + (all ? 0 : 100), all ? PAGE : 200, handled, m, "h", NULL);
        must(m->handler != NULL ? MEM_OK : MEM_ERR_HANDLER_CONFLICT, "a handler");
    } else if (draw(2) == 0) {
        (void)pgm_handler_page_off(m->handler, gpa);
        pgm_handler_reset(m->handler);
    } else {
        g_clear_pointer(&m->handler, pgm_handler_free);
    }
}

static void op_watch(Machine *m)
{
    if (m->watch != NULL) {
        g_clear_pointer(&m->watch, pgm_watch_free);
        return;
    }
    m->watch = pgm_watch_new(m->pgm, draw((N_STAMP + N_WILD - 1) * PAGE), draw(PAGE) + 1,
                             draw(2) == 0 ? MEM_ACCESS_WRITE : MEM_ACCESS_READ, draw(2) == 0, hit,
                             m, NULL);
    must(m->watch != NULL ? MEM_OK : MEM_ERR_HOST_MEMORY, "a watch");
}

static void op_dirty(Machine *m)
{
    check_dirty(m);
    if (m->dirty == NULL) {
        m->dirty = pgm_dirty_new(m->pgm, "model", NULL);
        must(m->dirty != NULL ? MEM_OK : MEM_ERR_LIMIT_REACHED, "a dirty client");
    } else if (draw(8) == 0) {
        g_clear_pointer(&m->dirty, pgm_dirty_free);
    } else {
        pgm_dirty_reset(m->dirty);
        if (pgm_dirty_contains(m->dirty, draw(N_MINE) * PAGE)) {
            fail("a page is dirty right after the client's reset");
        }
    }
    memcpy(m->clean, m->now.ram, sizeof m->clean);
}

/* ---- what it does: snapshots and resets */

/* Visitors that hold a gate may be waiting for this thread. */
static void shut_gates(Machine *m)
{
    for (unsigned v = 0; v < N_VISITORS; v++) {
        while (pthread_mutex_trylock(&m->yards[v].gate) != 0) {
            pgm_service(m->pgm);
            sched_yield();
        }
    }
}

static void open_gates(Machine *m)
{
    for (unsigned v = 0; v < N_VISITORS; v++) {
        pthread_mutex_unlock(&m->yards[v].gate);
    }
}

static void take(Machine *m, Taken *taken)
{
    taken->agreed = draw(2) == 0;
    if (taken->agreed) {
        shut_gates(m);
        for (unsigned v = 0; v < N_VISITORS; v++) {
            check_yard(m, v);
            memcpy(taken->yards[v], m->yards[v].bytes, sizeof taken->yards[v]);
        }
    }
    taken->state = m->now;
    taken->snapshot = pgm_snapshot_take(m->pgm, NULL, PGM_SNAPSHOT_CHECKED, NULL);
    must(taken->snapshot != NULL ? MEM_OK : MEM_ERR_NO_MEMORY, "a snapshot");
    if (taken->agreed) {
        open_gates(m);
    }
}

/* Under shut gates: @taken's yards are what is there now; NULL: zeros. */
static void set_yards(Machine *m, const Taken *taken)
{
    for (unsigned v = 0; v < N_VISITORS; v++) {
        Yard *yard = &m->yards[v];

        if (taken != NULL && taken->agreed) {
            memcpy(yard->bytes, taken->yards[v], sizeof yard->bytes);
        } else if (taken == NULL) {
            memset(yard->bytes, 0, sizeof yard->bytes);
        }
        yard->known = taken == NULL || taken->agreed ? epoch_of(m) : UNKNOWN;
        check_yard(m, v);
    }
}

static void restore(Machine *m, Taken *taken)
{
    bool agreed = draw(2) == 0;

    check_dirty(m);
    if (agreed) {
        shut_gates(m);
    }
    __atomic_fetch_add(&m->epoch, 1, __ATOMIC_SEQ_CST);
    pgm_snapshot_restore(taken->snapshot);
    m->now = taken->state;
    if (agreed && taken->agreed && pgm_snapshot_check(taken->snapshot, NULL) != 0) {
        fail("pgm_snapshot_check() finds differences after a restore");
    }
    __atomic_fetch_add(&m->epoch, 1, __ATOMIC_SEQ_CST);
    if (agreed) {
        set_yards(m, taken);
        open_gates(m);
    }
    count(agreed ? &n_agreed_restores : &n_announced_restores);
    check_piece(m, 0, N_MINE * PAGE);
    check_spread(m, 0, N_SPREAD);
    check_areas(m);
}

static void op_snapshot(Machine *m)
{
    Taken *taken = &m->taken[draw(N_SNAPSHOTS)];

    if (taken->snapshot == NULL) {
        take(m, taken);
    } else if (draw(3) != 0) {
        restore(m, taken);
    } else {
        pgm_snapshot_drop(g_steal_pointer(&taken->snapshot));
    }
}

static void op_reset(Machine *m)
{
    bool agreed = draw(2) == 0;

    if (draw(8) != 0) {
        return;
    }
    if (agreed) {
        shut_gates(m);
    }
    __atomic_fetch_add(&m->epoch, 1, __ATOMIC_SEQ_CST);
    must(pgm_reset(m->pgm), "a reset");
    memset(m->now.ram, 0, sizeof m->now.ram);
    memset(m->now.ballooned, 0, sizeof m->now.ballooned);
    memset(m->now.spread, 0, sizeof m->now.spread);
    memset(m->now.shadow, 0, sizeof m->now.shadow);
    memset(m->now.prots, 0, sizeof m->now.prots);
    __atomic_fetch_add(&m->epoch, 1, __ATOMIC_SEQ_CST);
    if (agreed) {
        set_yards(m, NULL);
        open_gates(m);
    }
    check_piece(m, 0, N_MINE * PAGE);
    check_spread(m, 0, N_SPREAD);
    check_areas(m);
}

static void op_work(Machine *m)
{
    pgm_set_sharing(m->pgm, draw(8) != 0);
    (void)gmm_share_scan(gmm, draw(128));
    (void)gmm_compact(gmm, draw(32));
    must(pgm_ensure_handy(m->pgm), "handy pages");
}

/* ---- */

static void (*const machine_ops[])(Machine *m) = {
    op_spread,  op_stamp,   op_stamp, op_stamp,    op_wild,     op_wild,  op_wild,
    op_check,   op_check,   op_given, op_given,    op_rom,      op_vram,  op_regs,
    op_watch,   op_handler, op_dirty, op_reset,    op_work,     op_stamp, op_wild,
    op_handler, op_check,   op_watch, op_snapshot, op_snapshot,
};

void one_operation(Machine *m)
{
    machine_ops[draw(G_N_ELEMENTS(machine_ops))](m);
}
