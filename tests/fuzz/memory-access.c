/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations of fuzz-memory.c: reading, writing, moving ranges, handlers, watches, a CPU. */
#include "tests/fuzz/memory-naive.h"

/* A typed access to a ballooned page is refused, and one over two pages then half done. */
static bool half_done(const Machine *m, uint64_t at, size_t size)
{
    return at / PAGE != (at + size - 1) / PAGE &&
           (m->now.ballooned[at / PAGE] || m->now.ballooned[(at / PAGE + 1) % ALL_PAGES]);
}

static void do_typed(Machine *m, const Op *op)
{
    unsigned size = 1u << op->len % 4;
    uint64_t at = place(op->page, op->offset);
    uint64_t value = op->value * UINT64_C(0x0001000100010001);
    uint64_t want = 0;
    unsigned n_hits = m->n_hits;

    if ((op->len & 4) != 0) {
        MemStatus status;

        if (half_done(m, at, size)) {
            return;
        }
        WITH_ROOM(m, status, pgm_bus_write(m->pgm, at, size, value, MEM_ORIGIN_DEVICE));
        if (status == MEM_OK) {
            put_bytes(m, at, (const uint8_t *)&value, size);
            check_hits(m, n_hits, at, size, MEM_ACCESS_WRITE, false);
        }
        return;
    }

    uint64_t got = size == 1   ? pgm_read_u8(m->pgm, at)
                   : size == 2 ? pgm_read_u16(m->pgm, at)
                   : size == 4 ? pgm_read_u32(m->pgm, at)
                               : pgm_read_u64(m->pgm, at);

    want_bytes(m, at, (uint8_t *)&want, size);
    fuzz_check(got == want, "%u bytes at %#lx: %#lx for %#lx", size, (unsigned long)at,
               (unsigned long)got, (unsigned long)want);
    check_hits(m, n_hits, at, size, MEM_ACCESS_READ, false);
}

/* A hit of the page-map TLB, or what becomes of a miss. */
static void do_store(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    uint32_t value = op->value * 0x10001u;
    MemStatus status;

    if (half_done(m, at, sizeof value)) {
        return;
    }
    WITH_ROOM(m, status, pgm_write_u32(m->pgm, at, value));
    if (status == MEM_OK) {
        put_bytes(m, at, (const uint8_t *)&value, sizeof value);
    }
}

static void do_bulk(Machine *m, const Op *op)
{
    static uint8_t got[4 * PAGE];
    static uint8_t want[4 * PAGE];
    uint64_t at = place(op->page, op->offset);
    size_t len = op->len % sizeof got;
    unsigned n_hits = m->n_hits;
    MemStatus status;

    if ((op->value & 1) != 0) {
        memset(got, (op->value & 2) != 0 ? op->value : 0, len);
        for (size_t i = 0; (op->value & 2) != 0 && i < len; i += 256) {
            got[i] = (uint8_t)(i >> 8);
        }
        if ((op->value & 4) != 0) {
            WITH_ROOM(m, status, pgm_load_image(m->pgm, at, got, len));
        } else {
            WITH_ROOM(m, status, pgm_write(m->pgm, at, got, len, MEM_ORIGIN_DEVICE));
        }
        fuzz_check(status == MEM_OK, "bulk write: %s", mem_status_name(status));
        put_bytes(m, at, got, len);
        check_hits(m, n_hits, at, len, MEM_ACCESS_WRITE, false);
        return;
    }
    fuzz_check(pgm_read(m->pgm, at, got, len, MEM_ORIGIN_DEVICE) == MEM_OK, "bulk read");
    want_bytes(m, at, want, len);
    fuzz_check(memcmp(got, want, len) == 0, "%zu bytes at %#lx differ", len, (unsigned long)at);
    check_hits(m, n_hits, at, len, MEM_ACCESS_READ, false);
}

static void do_fill(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    size_t len = op->len % (3 * PAGE);
    g_autofree uint8_t *bytes = g_malloc(len + 1);
    MemStatus status;

    memset(bytes, op->value & 0xFF, len);
    WITH_ROOM(m, status, pgm_fill(m->pgm, at, (uint8_t)op->value, len, MEM_ORIGIN_DEVICE));
    fuzz_check(status == MEM_OK, "fill: %s", mem_status_name(status));
    put_bytes(m, at, bytes, len);
}

/* Not to or from device registers: they would be read and written in an order of their own. */
static void do_copy(Machine *m, const Op *op)
{
    uint64_t from = place(op->page, op->offset);
    uint64_t to = place(op->page2, op->value);
    size_t len = op->len % (2 * PAGE);
    g_autofree uint8_t *bytes = g_malloc(len + 1);

    if (m->now.mmio_page != 0) {
        return;
    }
    want_bytes(m, from, bytes, len);
    MemStatus status = pgm_copy(m->pgm, to, from, len, MEM_ORIGIN_DEVICE);

    if (status == MEM_ERR_NO_MEMORY) {
        /* Some of it may be done, and @from have changed by it: the rest is written. */
        give_room(m);
        status = pgm_write(m->pgm, to, bytes, len, MEM_ORIGIN_DEVICE);
    }
    fuzz_check(status == MEM_OK, "copy: %s", mem_status_name(status));
    put_bytes(m, to, bytes, len);
}

/* A debugger's way; ROM is written as it shows. Only within a page of plain memory. */
static void do_peek(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    size_t len = MIN((size_t)op->len, PAGE - at % PAGE);
    unsigned n_hits = m->n_hits;
    uint8_t bytes[PAGE];
    uint8_t *from;
    uint8_t *to;
    MemStatus status;

    look_up(m, (unsigned)(at / PAGE), &from, &to);
    if (from == NULL || (from >= m->registers && from < m->registers + sizeof m->registers)) {
        return;
    }
    if ((op->value & 1) != 0 && !m->now.ballooned[at / PAGE] && m->handler == NULL) {
        memset(bytes, op->value >> 8, len);
        WITH_ROOM(m, status, pgm_poke(m->pgm, at, bytes, len));
        fuzz_check(status == MEM_OK, "poke: %s", mem_status_name(status));
        memcpy(from + at % PAGE, bytes, len);
    } else {
        status = pgm_peek(m->pgm, at, bytes, len);
        fuzz_check(status == MEM_OK || m->handler != NULL, "peek: %s", mem_status_name(status));
        fuzz_check(status != MEM_OK || memcmp(bytes, from + at % PAGE, len) == 0,
                   "the debugger sees other bytes at %#lx", (unsigned long)at);
    }
    fuzz_check(m->n_hits == n_hits, "a watch saw the debugger");
}

static void do_protect(Machine *m, const Op *op)
{
    unsigned first = op->page % ROM_PAGES;
    unsigned n = 1 + op->len % (ROM_PAGES - first);
    PgmRomProt prot = (PgmRomProt)(op->value % PGM_N_ROM_PROTS);
    MemStatus status =
        pgm_rom_protect(m->pgm, (uint64_t)(ROM_PAGE + first) * PAGE, (uint64_t)n * PAGE, prot);

    fuzz_check(status == MEM_OK, "protect: %s", mem_status_name(status));
    for (unsigned i = first; i < first + n; i++) {
        m->now.prot[i] = prot;
    }
}

static void do_move_mmio2(Machine *m, unsigned page)
{
    if (page == 0) {
        if (pgm_mmio2_unmap(m->mmio2) == MEM_OK) {
            memset(m->now.alias, 0, sizeof m->now.alias);
        }
    } else {
        MemStatus status = pgm_mmio2_map(m->mmio2, (uint64_t)page * PAGE, NULL);

        fuzz_check(status == MEM_OK, "MMIO2: %s", mem_status_name(status));
    }
    m->now.mmio2_page = page;
}

static void do_move_mmio(Machine *m, unsigned page)
{
    if (page == 0) {
        if (pgm_mmio_unmap(m->mmio) == MEM_OK) {
            memset(m->now.alias, 0, sizeof m->now.alias);
        }
    } else {
        MemStatus status = pgm_mmio_map(m->mmio, (uint64_t)page * PAGE, NULL);

        fuzz_check(status == MEM_OK, "MMIO: %s", mem_status_name(status));
    }
    m->now.mmio_page = page;
}

static void do_move(Machine *m, const Op *op)
{
    unsigned which = op->page % 5;

    if ((op->value & 1) != 0) {
        do_move_mmio2(m, which < 4 ? mmio2_places[which] : 0);
    } else {
        do_move_mmio(m, which < 4 ? mmio_places[which] : 0);
    }
}

static void do_alias(Machine *m, const Op *op)
{
    unsigned at = op->page % DEVICE_PAGES;
    unsigned shown = op->page2 % DEVICE_PAGES;

    if (op->value % 4 == 0) {
        pgm_mmio_unalias(m->mmio);
        memset(m->now.alias, 0, sizeof m->now.alias);
    } else if (op->value % 4 == 1) {
        if (pgm_mmio2_reduce(m->mmio2, (shown + 1) * PAGE) == MEM_OK) {
            m->now.mmio2_shown = shown + 1;
        }
    } else {
        MemStatus status = pgm_mmio_alias(m->mmio, at * PAGE, m->mmio2, shown * PAGE);

        fuzz_check((status == MEM_OK) == (m->now.mmio_page != 0), "alias: %s",
                   mem_status_name(status));
        if (status == MEM_OK) {
            m->now.alias[at] = shown + 1;
        }
    }
}

static PgmHandlerResult let_pass(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static void do_handler(Machine *m, const Op *op)
{
    PgmHandlerKind kind = (op->value & 1) != 0 ? PGM_HANDLER_KIND_WRITE : PGM_HANDLER_KIND_ALL;
    uint64_t at = place(op->page, kind == PGM_HANDLER_KIND_ALL ? 0 : op->offset);
    uint64_t len = kind == PGM_HANDLER_KIND_ALL ? (op->len % 4 + 1) * PAGE : op->len;

    if (m->handler != NULL && (op->value & 6) == 6) {
        (void)pgm_handler_page_off(m->handler, at);
    } else if (m->handler != NULL && (op->value & 6) == 4) {
        pgm_handler_reset(m->handler);
    } else {
        g_clear_pointer(&m->handler, pgm_handler_free);
        if ((op->value & 6) != 2) {
            m->handler = pgm_handler_new(m->pgm, kind, at, len, let_pass, NULL, "let pass", NULL);
        }
    }
}

/* ---- a CPU and watches */

static void count_hit(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    Machine *m = user;

    fuzz_check(pgm == m->pgm && hit->len > 0, "a hit of nothing");
    m->n_hits++;
}

static bool have_cpu(Machine *m)
{
    static const PgmCpuCallbacks callbacks = { .invalidate_page = NULL };

    if (m->cpu == NULL) {
        m->cpu = pgm_cpu_attach(m->pgm, &callbacks, NULL);
    }
    return m->cpu != NULL;
}

static void do_watch(Machine *m, const Op *op)
{
    unsigned accesses = 1 + op->value % 7;
    bool before = (op->value & 8) != 0;

    m->watch_is_virtual = (op->value & 16) != 0;
    m->watch_accesses = accesses;
    m->watch_start = place(op->page, op->offset);
    m->watch_len = 1 + op->len % (2 * PAGE);
    g_clear_pointer(&m->watch, pgm_watch_free);
    if ((op->value & 32) != 0) {
        return;
    }
    if (!m->watch_is_virtual) {
        m->watch = pgm_watch_new(m->pgm, m->watch_start, m->watch_len, accesses, before, count_hit,
                                 m, NULL);
    } else if (have_cpu(m)) {
        m->watch = pgm_watch_new_virtual(m->cpu, m->watch_start, m->watch_len, accesses, before,
                                         count_hit, m, NULL);
    }
}

/* Virtual addresses are physical ones here. */
static void do_cpu_access(Machine *m, const Op *op)
{
    unsigned size = 1u << op->len % 4;
    uint64_t at = place(op->page, op->offset % (PAGE - 7));
    uint64_t value = op->value * UINT64_C(0x0001000100010001);
    uint64_t want = 0;
    unsigned n_hits = m->n_hits;
    MemStatus status;

    if (!have_cpu(m)) {
        return;
    }
    if ((op->len & 4) != 0) {
        WITH_ROOM(m, status, pgm_cpu_bus_write(m->cpu, at, at, size, value));
        if (status == MEM_OK) {
            put_bytes(m, at, (const uint8_t *)&value, size);
            check_hits(m, n_hits, at, size, MEM_ACCESS_WRITE, true);
        }
    } else if ((op->len & 8) != 0) {
        pgm_cpu_report_exec_at(m->cpu, at, at, size);
        check_hits(m, n_hits, at, size, MEM_ACCESS_EXEC, true);
    } else {
        status = pgm_cpu_bus_read(m->cpu, at, at, size, &value);
        want_bytes(m, at, (uint8_t *)&want, size);
        fuzz_check(status == MEM_OK && value == want, "the CPU reads %#lx at %#lx, not %#lx",
                   (unsigned long)value, (unsigned long)at, (unsigned long)want);
        check_hits(m, n_hits, at, size, MEM_ACCESS_READ, true);
    }
}

/* What is granted shows the page's bytes, and takes a store if stores are granted. */
static void do_cpu_fill(Machine *m, const Op *op)
{
    MemAccess access = (MemAccess)(1u << op->len % 3);
    unsigned page = op->page % ALL_PAGES;
    uint8_t *from;
    uint8_t *to;
    PgmFill fill;

    if (!have_cpu(m)) {
        return;
    }
    pgm_cpu_fill(m->cpu, (uint64_t)page * PAGE, access, &fill);
    if (fill.kind == PGM_FILL_NO_MEMORY) {
        give_room(m);
        pgm_cpu_fill(m->cpu, (uint64_t)page * PAGE, access, &fill);
        fuzz_check(fill.kind != PGM_FILL_NO_MEMORY, "no memory, but there is some");
    }
    if (fill.kind != PGM_FILL_DIRECT) {
        return;
    }
    uint8_t *host = gmm_arena(memory_gmm) + (uint64_t)fill.id * PAGE;

    look_up(m, page, &from, &to);
    fuzz_check(from != NULL && memcmp(host, from, PAGE) == 0, "the CPU is shown another page");
    if ((fill.perms & MEM_ACCESS_WRITE) != 0) {
        fuzz_check(from == to && !m->now.ballooned[page], "the CPU may write what it may not");
        host[op->offset % PAGE] = to[op->offset % PAGE] = (uint8_t)op->value;
    }
    if ((op->value & 0x700) == 0) {
        pgm_forget_executed_page(m->pgm, fill.id);
    }
}

const OpFunc access_ops[16] = {
    do_typed, do_store,   do_bulk,  do_bulk,    do_fill,  do_copy,       do_peek,     do_move,
    do_move,  do_protect, do_alias, do_handler, do_watch, do_cpu_access, do_cpu_fill, do_store,
};
