/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory operations of two machines that share one allocator, against arrays of bytes.
 *
 * Input: records of 16 bytes: what to do, on which machine, places and lengths (struct Op); the
 * custom mutator keeps them aligned.
 *
 * Each machine: RAM, a shadowed ROM over it, an MMIO2 and an MMIO range that move between fixed
 * places, one handler that lets everything pass.
 *
 * Checked: what is read is what the arrays say; both checkers find everything sound at the end.
 */
#include "tests/fuzz/fuzz.h"

#include "memsys/access.h"
#include "memsys/handler.h"
#include "memsys/map.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/pgm.h"
#include "memsys/rom.h"

#define PAGE 4096u
#define RECORD 16u
#define MAX_RECORDS 256u
#define N_MACHINES 2u

/* RAM at 0, a hole, RAM again. */
#define LOW_PAGES 24u
#define HOLE_PAGES 8u
#define HIGH_PAGES 16u
#define ALL_PAGES (LOW_PAGES + HOLE_PAGES + HIGH_PAGES)
#define ROM_PAGE 8u
#define ROM_PAGES 4u
#define DEVICE_PAGES 2u /* of the MMIO2 and of the MMIO range */

/* By number of place: no two overlap. In RAM, at its end, in the hole, in RAM above it. */
static const unsigned mmio2_places[] = { 2, 14, 24, 34 };
static const unsigned mmio_places[] = { 5, 18, 28, 40 };

typedef struct Machine {
    Pgm *pgm;
    PgmMmio2 *mmio2;
    PgmMmio *mmio;
    PgmHandler *handler;
    PgmMapping mapping;
    bool is_mapped;

    /* What it should hold. */
    uint8_t ram[ALL_PAGES * PAGE]; /* the hole's part is not used */
    uint8_t rom[ROM_PAGES * PAGE];
    uint8_t shadow[ROM_PAGES * PAGE];
    uint8_t device[DEVICE_PAGES * PAGE];
    uint8_t registers[DEVICE_PAGES * PAGE];
    PgmRomProt prot[ROM_PAGES];
    unsigned mmio2_page; /* 0: not mapped */
    unsigned mmio_page;
    bool ballooned[ALL_PAGES];
} Machine;

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

G_STATIC_ASSERT(sizeof(Op) == RECORD);

static Gmm *gmm;
static Machine machines[N_MACHINES];

/* ---- the registers of the MMIO range */

static MemStatus read_register(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    Machine *m = user;

    *ret_value = 0;
    memcpy(ret_value, m->registers + offset, size);
    return MEM_OK;
}

static MemStatus write_register(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    Machine *m = user;

    memcpy(m->registers + offset, &value, size);
    return MEM_OK;
}

static PgmHandlerResult let_pass(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

/* ---- what lies where, the slow way */

/* Bytes that reads of the page see and that writes to it reach; NULL: all ones, and nowhere. */
static void look_up(Machine *m, unsigned page, uint8_t **ret_from, uint8_t **ret_to)
{
    bool hole = page >= LOW_PAGES && page < LOW_PAGES + HOLE_PAGES;

    *ret_from = *ret_to = hole || page >= ALL_PAGES ? NULL : m->ram + page * PAGE;
    if (page >= ROM_PAGE && page < ROM_PAGE + ROM_PAGES) {
        unsigned i = page - ROM_PAGE;
        bool reads_ram =
            m->prot[i] == PGM_ROM_READ_RAM_WRITE_IGNORE || m->prot[i] == PGM_ROM_READ_RAM_WRITE_RAM;
        bool writes_ram =
            m->prot[i] == PGM_ROM_READ_ROM_WRITE_RAM || m->prot[i] == PGM_ROM_READ_RAM_WRITE_RAM;

        *ret_from = (reads_ram ? m->shadow : m->rom) + i * PAGE;
        *ret_to = writes_ram ? m->shadow + i * PAGE : NULL;
    }
    if (m->mmio2_page != 0 && page - m->mmio2_page < DEVICE_PAGES) {
        *ret_from = *ret_to = m->device + (page - m->mmio2_page) * PAGE;
    }
    if (m->mmio_page != 0 && page - m->mmio_page < DEVICE_PAGES) {
        /* The device itself has stored it by then. */
        *ret_from = m->registers + (page - m->mmio_page) * PAGE;
        *ret_to = NULL;
    }
}

static void want_bytes(Machine *m, uint64_t at, uint8_t *ret_bytes, size_t len)
{
    while (len > 0) {
        size_t n = MIN(len, PAGE - at % PAGE);
        uint8_t *from;
        uint8_t *to;

        look_up(m, (unsigned)(at / PAGE), &from, &to);
        if (from != NULL) {
            memcpy(ret_bytes, from + at % PAGE, n);
        } else {
            memset(ret_bytes, 0xFF, n);
        }
        at += n;
        ret_bytes += n;
        len -= n;
    }
}

static void put_bytes(Machine *m, uint64_t at, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t n = MIN(len, PAGE - at % PAGE);
        unsigned page = (unsigned)(at / PAGE);
        uint8_t *from;
        uint8_t *to;

        look_up(m, page, &from, &to);
        if (to != NULL && !(to == m->ram + page * PAGE && m->ballooned[page])) {
            memcpy(to + at % PAGE, bytes, n);
        }
        at += n;
        bytes += n;
        len -= n;
    }
}

/* ---- operations */

static uint64_t place(uint16_t page, uint16_t offset)
{
    return (uint64_t)(page % ALL_PAGES) * PAGE + offset % PAGE;
}

static void do_typed(Machine *m, const Op *op)
{
    unsigned size = 1u << op->len % 4;
    uint64_t at = place(op->page, op->offset);
    uint64_t value = op->value * UINT64_C(0x0001000100010001);
    uint64_t want = 0;

    if ((op->len & 4) != 0) {
        MemStatus status = pgm_bus_write(m->pgm, at, size, value, MEM_ORIGIN_DEVICE);

        if (status == MEM_OK) {
            put_bytes(m, at, (const uint8_t *)&value, size);
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
}

/* A hit of the page-map TLB, or what becomes of a miss. */
static void do_store(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    uint32_t value = op->value * 0x10001u;

    if (pgm_write_u32(m->pgm, at, value) == MEM_OK) {
        put_bytes(m, at, (const uint8_t *)&value, sizeof value);
    }
}

static void do_bulk(Machine *m, const Op *op)
{
    static uint8_t got[4 * PAGE];
    static uint8_t want[4 * PAGE];
    uint64_t at = place(op->page, op->offset);
    size_t len = op->len % sizeof got;

    if ((op->value & 1) != 0) {
        for (size_t i = 0; i < len; i++) {
            got[i] = (op->value & 2) != 0 ? (uint8_t)(op->value + i) : 0;
        }
        fuzz_check(pgm_write(m->pgm, at, got, len, MEM_ORIGIN_DEVICE) == MEM_OK, "bulk write");
        put_bytes(m, at, got, len);
        return;
    }
    fuzz_check(pgm_read(m->pgm, at, got, len, MEM_ORIGIN_DEVICE) == MEM_OK, "bulk read");
    want_bytes(m, at, want, len);
    fuzz_check(memcmp(got, want, len) == 0, "%zu bytes at %#lx differ", len, (unsigned long)at);
}

static void do_fill(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    size_t len = op->len % (3 * PAGE);
    g_autofree uint8_t *bytes = g_malloc(len + 1);

    memset(bytes, op->value & 0xFF, len);
    if (pgm_fill(m->pgm, at, (uint8_t)op->value, len, MEM_ORIGIN_DEVICE) == MEM_OK) {
        put_bytes(m, at, bytes, len);
    }
}

/* Not to or from device registers: they would be read and written in an order of their own. */
static void do_copy(Machine *m, const Op *op)
{
    uint64_t from = place(op->page, op->offset);
    uint64_t to = place(op->page2, op->value);
    size_t len = op->len % (2 * PAGE);
    g_autofree uint8_t *bytes = g_malloc(len + 1);

    if (m->mmio_page != 0) {
        return;
    }
    want_bytes(m, from, bytes, len);
    if (pgm_copy(m->pgm, to, from, len, MEM_ORIGIN_DEVICE) == MEM_OK) {
        put_bytes(m, to, bytes, len);
    }
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
        m->prot[i] = prot;
    }
}

static void do_move(Machine *m, const Op *op)
{
    unsigned which = op->page % 5;

    if ((op->value & 1) != 0) {
        unsigned page = which < 4 ? mmio2_places[which] : 0;
        MemStatus status = page == 0 ? pgm_mmio2_unmap(m->mmio2)
                                     : pgm_mmio2_map(m->mmio2, (uint64_t)page * PAGE, NULL);

        fuzz_check(status == MEM_OK || page == 0, "MMIO2: %s", mem_status_name(status));
        m->mmio2_page = page;
    } else {
        unsigned page = which < 4 ? mmio_places[which] : 0;
        MemStatus status = page == 0 ? pgm_mmio_unmap(m->mmio)
                                     : pgm_mmio_map(m->mmio, (uint64_t)page * PAGE, NULL);

        fuzz_check(status == MEM_OK || page == 0, "MMIO: %s", mem_status_name(status));
        m->mmio_page = page;
    }
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
        m->handler = pgm_handler_new(m->pgm, kind, at, len, let_pass, NULL, "let pass", NULL);
    }
}

/* Writes through a mapping are the page's bytes. */
static void do_map(Machine *m, const Op *op)
{
    uint64_t at = place(op->page, op->offset);
    uint8_t *from;
    uint8_t *to;

    if (m->is_mapped) {
        pgm_unmap_page(m->pgm, &m->mapping);
        m->is_mapped = false;
        return;
    }
    look_up(m, (unsigned)(at / PAGE), &from, &to);
    if ((op->value & 1) != 0) {
        m->is_mapped = pgm_map_page(m->pgm, at, &m->mapping) == MEM_OK;
        if (m->is_mapped) {
            fuzz_check(from == to && to != NULL, "mapped what cannot be");
            m->mapping.host[at % PAGE] = (uint8_t)op->value;
            to[at % PAGE] = (uint8_t)op->value;
        }
    } else {
        m->is_mapped = pgm_map_page_ro(m->pgm, at, &m->mapping) == MEM_OK;
    }
    if (m->is_mapped) {
        fuzz_check(memcmp(m->mapping.host, from, PAGE) == 0, "page %#lx differs",
                   (unsigned long)at);
    }
}

static void do_reset(Machine *m, const Op *op)
{
    if (op->value % 4 != 0) {
        return;
    }
    pgm_reset(m->pgm);
    memset(m->ram, 0, sizeof m->ram);
    memset(m->shadow, 0, sizeof m->shadow);
    memset(m->prot, 0, sizeof m->prot);
    memset(m->ballooned, 0, sizeof m->ballooned);
}

static void do_dirty_bitmap(Machine *m, const Op *op)
{
    uint64_t bits = 0;

    if ((op->value & 1) != 0) {
        (void)pgm_mmio2_set_tracking(m->mmio2, (op->value & 2) != 0);
    } else {
        (void)pgm_mmio2_query_dirty(m->mmio2, &bits, 1);
        fuzz_check(bits >> DEVICE_PAGES == 0, "pages that are not there");
    }
}

static void run_op(const Op *op)
{
    static void (*const ops[])(Machine *, const Op *) = {
        do_typed, do_typed, do_store, do_store,   do_bulk, do_bulk,  do_fill,         do_copy,
        do_move,  do_move,  do_move,  do_protect, do_map,  do_reset, do_dirty_bitmap, do_handler,
    };

    ops[op->what % G_N_ELEMENTS(ops)](&machines[op->machine % N_MACHINES], op);
}

/* ---- life */

static void machine_start(Machine *m)
{
    static const PgmMmioOps mmio_ops = { .read = read_register, .write = write_register };

    memset(m, 0, sizeof *m);
    m->pgm = pgm_new(gmm, NULL, NULL);
    for (unsigned i = 0; i < sizeof m->rom; i++) {
        m->rom[i] = (uint8_t)(i ^ i >> 8 ^ 0x5A);
    }

    MemStatus low = pgm_ram_register(m->pgm, 0, LOW_PAGES * PAGE, "low", NULL);
    MemStatus high =
        pgm_ram_register(m->pgm, (LOW_PAGES + HOLE_PAGES) * PAGE, HIGH_PAGES * PAGE, "high", NULL);
    MemStatus rom = pgm_rom_register(m->pgm, ROM_PAGE * PAGE, ROM_PAGES * PAGE, m->rom,
                                     sizeof m->rom, 0, PGM_ROM_FLAG_SHADOWED, "fuzz", "rom", NULL);

    fuzz_check(low == MEM_OK && high == MEM_OK && rom == MEM_OK, "no memory to begin with");
    m->mmio2 = pgm_mmio2_new(m->pgm, "fuzz", 0, DEVICE_PAGES * PAGE, true, "mmio2", NULL);
    m->mmio = pgm_mmio_new(m->pgm, DEVICE_PAGES * PAGE, &mmio_ops, m, "fuzz", "mmio", NULL);
    fuzz_check(m->mmio2 != NULL && m->mmio != NULL, "no devices");
}

static void machine_end(Machine *m)
{
    if (m->is_mapped) {
        pgm_unmap_page(m->pgm, &m->mapping);
    }
    g_clear_pointer(&m->handler, pgm_handler_free);
    pgm_free(m->pgm);
}

static void free_gmm(void)
{
    gmm_free(gmm);
}

static void check_all(void)
{
    static uint8_t got[PAGE];
    static uint8_t want[PAGE];
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n_bad = gmm_verify(gmm, report);

    for (unsigned i = 0; i < N_MACHINES; i++) {
        n_bad += pgm_verify(machines[i].pgm, report);
        for (unsigned page = 0; page < ALL_PAGES; page++) {
            uint64_t at = (uint64_t)page * PAGE;

            (void)pgm_read(machines[i].pgm, at, got, PAGE, MEM_ORIGIN_DEBUGGER);
            want_bytes(&machines[i], at, want, PAGE);
            fuzz_check(memcmp(got, want, PAGE) == 0, "machine %u: page %u differs", i, page);
        }
    }
    fuzz_check(n_bad == 0, "%s", report->str);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GmmStats stats;

    if (gmm == NULL) {
        gmm = gmm_new(UINT64_C(64) << 20, NULL);
        atexit(free_gmm);
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machine_start(&machines[i]);
    }
    for (unsigned i = 0; i < MIN(size / RECORD, MAX_RECORDS); i++) {
        Op op;

        memcpy(&op, data + i * RECORD, sizeof op);
        run_op(&op);
    }
    check_all();
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machine_end(&machines[i]);
    }
    gmm_get_stats(gmm, &stats);
    fuzz_check(stats.allocated == 0 && stats.reserved == 0, "%lu pages are left",
               (unsigned long)stats.allocated);
    return 0;
}

/* Whole records come, go, move and are drawn anew; their bytes are libFuzzer's to change. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t n = size / RECORD;
    size_t max = MIN(max_size / RECORD, MAX_RECORDS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    unsigned what = (unsigned)g_rand_int_range(rand, 0, 4);
    size_t at = n > 0 ? (size_t)g_rand_int_range(rand, 0, (gint32)n) : 0;

    if (max == 0) {
        return size;
    }
    if (n == 0 || (what == 0 && n < max)) {
        memmove(data + (at + 1) * RECORD, data + at * RECORD, (n - at) * RECORD);
        for (unsigned i = 0; i < RECORD; i++) {
            data[at * RECORD + i] = (uint8_t)g_rand_int(rand);
        }
        return (n + 1) * RECORD;
    }
    if (what == 1 && n > 1) {
        memmove(data + at * RECORD, data + (at + 1) * RECORD, (n - at - 1) * RECORD);
        return (n - 1) * RECORD;
    }
    if (what == 2 && n < max) {
        /* Twice, so that a change has something to be compared with. */
        memmove(data + (at + 1) * RECORD, data + at * RECORD, (n - at) * RECORD);
        n++;
    }
    (void)LLVMFuzzerMutate(data + at * RECORD, RECORD, RECORD);
    return n * RECORD;
}
