/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of page states, each row of it, in random order: what an event does to a page in each
 * state stands in one table here, and a page of plain bytes says what must be read. Includes
 * internal headers, because sharing, ballooning and monitoring of RAM have no public callers yet;
 * all that is public alone is in test-memsys-model.c.
 *
 * QUIRE_SEED=N repeats a run, QUIRE_ITERATIONS=N makes it longer. Every cell of the table must be
 * seen.
 */
#include "tests/unit/page-events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED UINT64_C(20261122)
#define DEFAULT_ITERATIONS UINT64_C(50000)
#define PAGE 4096u
#define N_MACHINES 2u
#define N_PAGES 24u
#define SCRATCH UINT64_C(0x100000) /* RAM to use up */
#define N_SCRATCH 300u
#define PLENTY (UINT64_C(1) << 30)
#define HOLE UINT64_C(0x800000)

typedef enum Event {
    READ,
    WRITE,
    WRITE_BULK,
    WRITE_ZEROS, /* a whole page of them, in bulk */
    POKE,
    CPU_READ,
    CPU_WRITE,
    WRITE_STARVED, /* as WRITE, with no page left */
    CPU_STARVED,
    ARM,
    ARM_ALL,
    SHARE,
    MERGE, /* another shared page is shown instead */
    INFLATE,
    DEFLATE,
    RESET,
    COVER_MMIO, /* and uncover */
    COVER_MMIO2,
    COVER_ROM,
    N_EVENTS
} Event;

static const char *const event_names[N_EVENTS] = {
    "read",    "write",       "bulk write", "write of zeros", "poke",      "CPU read", "CPU write",
    "starved", "CPU starved", "arm",        "arm all",        "share",     "merge",    "inflate",
    "deflate", "reset",       "under MMIO", "under MMIO2",    "under ROM",
};

typedef struct Cell {
    PgmPageState to;
    MemStatus status;
} Cell;

#define Z PGM_PAGE_ZERO
#define A PGM_PAGE_ALLOCATED
#define M PGM_PAGE_WRITE_MONITORED
#define S PGM_PAGE_SHARED
#define B PGM_PAGE_BALLOONED
#define STAYS                                   \
    {                                           \
        { Z, 0 }, { A, 0 }, { M, 0 }, { S, 0 }, \
        {                                       \
            B, 0                                \
        }                                       \
    }

/* What an event makes of a page that is ZERO, ALLOCATED, MONITORED, SHARED, BALLOONED. */
static const Cell table[N_EVENTS][PGM_N_PAGE_STATES] = {
    [READ] = STAYS,
    [WRITE] = { { A, 0 }, { A, 0 }, { A, 0 }, { A, 0 }, { B, MEM_ERR_BALLOONED } },
    [WRITE_BULK] = { { A, 0 }, { A, 0 }, { A, 0 }, { A, 0 }, { B, 0 } },
    [WRITE_ZEROS] = { { Z, 0 }, { A, 0 }, { A, 0 }, { A, 0 }, { B, 0 } },
    [POKE] = { { A, 0 }, { A, 0 }, { A, 0 }, { A, 0 }, { B, MEM_ERR_BALLOONED } },
    [CPU_READ] = STAYS,
    [CPU_WRITE] = { { A, 0 }, { A, 0 }, { A, 0 }, { A, 0 }, { B, 0 } },
    [WRITE_STARVED] = { { Z, MEM_ERR_NO_MEMORY },
                        { A, 0 },
                        { A, 0 },
                        { S, MEM_ERR_NO_MEMORY },
                        { B, MEM_ERR_BALLOONED } },
    [CPU_STARVED] = { { Z, MEM_ERR_NO_MEMORY },
                      { A, 0 },
                      { A, 0 },
                      { S, MEM_ERR_NO_MEMORY },
                      { B, 0 } },
    [ARM] = { { Z, 0 }, { M, 0 }, { M, 0 }, { S, 0 }, { B, 0 } },
    [ARM_ALL] = { { Z, 0 }, { M, 0 }, { M, 0 }, { S, 0 }, { B, 0 } },
    [SHARE] = { { Z, MEM_ERR_PAGE_NOT_PRIVATE },
                { S, 0 },
                { M, MEM_ERR_PAGE_NOT_PRIVATE },
                { S, MEM_ERR_PAGE_NOT_PRIVATE },
                { B, MEM_ERR_PAGE_NOT_PRIVATE } },
    [MERGE] = { { S, 0 }, { S, 0 }, { S, 0 }, { S, 0 }, { S, 0 } },
    [INFLATE] = { { B, 0 }, { B, 0 }, { B, 0 }, { B, 0 }, { B, MEM_ERR_WRONG_ORDER } },
    [DEFLATE] = { { Z, MEM_ERR_WRONG_ORDER },
                  { A, MEM_ERR_WRONG_ORDER },
                  { M, MEM_ERR_WRONG_ORDER },
                  { S, MEM_ERR_WRONG_ORDER },
                  { Z, 0 } },
    [RESET] = { { Z, 0 }, { Z, 0 }, { Z, 0 }, { Z, 0 }, { Z, 0 } },
    [COVER_MMIO] = STAYS,
    [COVER_MMIO2] = STAYS,
    [COVER_ROM] = STAYS,
};

typedef struct Page {
    PgmPageState state;
    bool written;
    uint8_t bytes[PAGE];
    bool cached; /* the CPU holds an answer */
    unsigned perms;
    PageId id;
} Page;

typedef struct Machine {
    unsigned number;
    Pgm *pgm;
    PgmCpu *cpu;
    PgmMmio *mmio;
    PgmMmio2 *mmio2;
    Page pages[N_PAGES];
} Machine;

static Gmm *gmm;
static Machine machines[N_MACHINES];
static uint64_t seed, rng_state, iteration;
static uint64_t seen[N_EVENTS][PGM_N_PAGE_STATES];
static Event event;
static unsigned at_page;

G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN static void fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "FAILED at event %" PRIu64 ", %s of page %u: ", iteration, event_names[event],
            at_page);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nrepeat with QUIRE_SEED=%" PRIu64 "\n", seed);
    exit(EXIT_FAILURE);
}

/* SplitMix64 (S. Vigna, public domain algorithm). */
static uint64_t rng(void)
{
    uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- the CPU */

static void told_page(void *user, GPhys gpa, bool executed)
{
    Machine *m = user;

    (void)executed;
    if (gpa / PAGE < N_PAGES) {
        m->pages[gpa / PAGE].cached = false;
    }
}

static void told_all(void *user, bool executed)
{
    Machine *m = user;

    (void)executed;
    for (unsigned i = 0; i < N_PAGES; i++) {
        m->pages[i].cached = false;
    }
}

static const PgmCpuCallbacks callbacks = { told_page, told_all, NULL };

/* A store of a CPU: what it may do directly it does. */
static MemStatus cpu_access(Machine *m, unsigned page, MemAccess access, uint32_t value)
{
    Page *p = &m->pages[page];
    PgmFill fill;

    pgm_cpu_fill(m->cpu, (GPhys)page * PAGE, access, &fill);
    if (fill.kind == PGM_FILL_NO_MEMORY) {
        return MEM_ERR_NO_MEMORY;
    }
    if (fill.kind == PGM_FILL_DIRECT) {
        p->cached = true;
        p->perms = fill.perms;
        p->id = fill.id;
    }
    if (access == MEM_ACCESS_WRITE) {
        if ((fill.kind == PGM_FILL_CATCH) != (p->state == PGM_PAGE_BALLOONED)) {
            fail("answer %d", fill.kind);
        }
        if (fill.kind == PGM_FILL_DIRECT) {
            memcpy(gmm_arena(gmm) + (uint64_t)fill.id * PAGE + 8, &value, sizeof value);
            memcpy(p->bytes + 8, &value, sizeof value);
        }
    }
    return MEM_OK;
}

/* ---- events */

static void write_bytes(Machine *m, unsigned page, uint32_t value)
{
    if (m->pages[page].state != PGM_PAGE_BALLOONED) {
        memcpy(m->pages[page].bytes + 4, &value, sizeof value);
    }
}

static MemStatus do_write(Machine *m, unsigned page)
{
    uint32_t value = (uint32_t)rng() | 1;
    MemStatus status = pgm_write_u32(m->pgm, (GPhys)page * PAGE + 4, value);

    if (status == MEM_OK) {
        write_bytes(m, page, value);
    }
    return status;
}

static MemStatus do_bulk(Machine *m, unsigned page)
{
    uint32_t value = (uint32_t)rng() | 1;

    write_bytes(m, page, value);
    return pgm_write(m->pgm, (GPhys)page * PAGE + 4, &value, sizeof value, MEM_ORIGIN_DEVICE);
}

static MemStatus do_poke(Machine *m, unsigned page)
{
    uint32_t value = (uint32_t)rng() | 1;

    write_bytes(m, page, value);
    return pgm_poke(m->pgm, (GPhys)page * PAGE + 4, &value, sizeof value);
}

/* No page is left while the event happens. */
static MemStatus do_starved(Machine *m, unsigned page, bool by_cpu)
{
    MemStatus status = MEM_OK;
    GmmStats stats;

    gmm_get_stats(gmm, &stats);
    gmm_set_limit(gmm, stats.allocated);
    for (unsigned i = 0; i < N_SCRATCH && status == MEM_OK; i++) {
        status = pgm_write_u8(m->pgm, SCRATCH + (GPhys)i * PAGE, 1);
    }
    if (status != MEM_ERR_NO_MEMORY || pgm_ensure_handy(m->pgm) != MEM_ERR_NO_MEMORY) {
        fail("pages are left: %s", mem_status_name(status));
    }
    status = by_cpu ? cpu_access(m, page, MEM_ACCESS_WRITE, (uint32_t)rng()) : do_write(m, page);
    gmm_set_limit(gmm, PLENTY);
    for (unsigned i = 0; i < N_SCRATCH; i++) {
        (void)pgm_page_balloon_internal(m->pgm, SCRATCH + (GPhys)i * PAGE, true);
        (void)pgm_page_balloon_internal(m->pgm, SCRATCH + (GPhys)i * PAGE, false);
    }
    return status;
}

/* A shared page other than this; NULL: there is none. */
static const Page *other_shared(const Page *but, Pgm **ret_pgm, GPhys *ret_gpa)
{
    uint64_t first = rng();

    for (unsigned i = 0; i < N_MACHINES * N_PAGES; i++) {
        Machine *m = &machines[(first + i) / N_PAGES % N_MACHINES];
        const Page *p = &m->pages[(first + i) % N_PAGES];

        if (p != but && p->state == PGM_PAGE_SHARED) {
            *ret_pgm = m->pgm;
            *ret_gpa = (GPhys)(p - m->pages) * PAGE;
            return p;
        }
    }
    return NULL;
}

static MemStatus do_merge(Machine *m, unsigned page, bool *ret_done)
{
    Pgm *pgm;
    GPhys gpa;
    PgmPageInfo info;
    const Page *source = other_shared(&m->pages[page], &pgm, &gpa);

    *ret_done = source != NULL;
    if (source == NULL) {
        return MEM_OK;
    }
    if (!pgm_page_query(pgm, gpa, &info) || info.state != PGM_PAGE_SHARED) {
        fail("the source is not shared");
    }
    memcpy(m->pages[page].bytes, source->bytes, PAGE);
    return pgm_page_map_shared_internal(m->pgm, (GPhys)page * PAGE, info.id);
}

static MemStatus do_share(Machine *m, unsigned page)
{
    return pgm_page_share_internal(m->pgm, (GPhys)page * PAGE);
}

static MemStatus do_balloon(Machine *m, unsigned page, bool inflate)
{
    MemStatus status = pgm_page_balloon_internal(m->pgm, (GPhys)page * PAGE, inflate);

    if (status == MEM_OK) {
        memset(m->pages[page].bytes, 0, PAGE);
    }
    return status;
}

/* The page is hidden, what hides it is written, the page shows again. */
static MemStatus do_cover(Machine *m, unsigned page, Event by)
{
    GPhys gpa = (GPhys)page * PAGE;
    MemStatus status;

    if (by == COVER_MMIO) {
        status = pgm_mmio_map(m->mmio, gpa, NULL);
    } else if (by == COVER_MMIO2) {
        status = pgm_mmio2_map(m->mmio2, gpa, NULL);
    } else {
        status = pgm_rom_register(m->pgm, gpa, PAGE, NULL, 0, 0xee, 0, "t", "rom", NULL);
    }
    if (status != MEM_OK) {
        return status;
    }
    if (pgm_write_u32(m->pgm, gpa + 64, 0x1234567) != MEM_OK ||
        pgm_read_u8(m->pgm, gpa + 96) != (by == COVER_MMIO2 ? 0
                                          : by == COVER_ROM ? 0xee
                                                            : 0xff)) {
        fail("what covers the page is not seen");
    }
    if (by == COVER_MMIO) {
        return pgm_mmio_unmap(m->mmio);
    }
    return by == COVER_MMIO2 ? pgm_mmio2_unmap(m->mmio2) : pgm_rom_deregister(m->pgm, gpa);
}

static void write_zeros(Machine *m, unsigned page)
{
    memset(m->pages[page].bytes, 0, PAGE);
}

static MemStatus act(Machine *m, unsigned page, bool *ret_done)
{
    static const uint8_t zeros[PAGE];
    GPhys gpa = (GPhys)page * PAGE;

    switch (event) {
    case READ:
        return pgm_read_u8(m->pgm, gpa) == m->pages[page].bytes[0] ? MEM_OK : MEM_ERR_BUS_ERROR;
    case WRITE:
        return do_write(m, page);
    case WRITE_BULK:
        return do_bulk(m, page);
    case WRITE_ZEROS:
        write_zeros(m, page);
        return pgm_write(m->pgm, gpa, zeros, PAGE, MEM_ORIGIN_DEVICE);
    case POKE:
        return do_poke(m, page);
    case CPU_READ:
        return cpu_access(m, page, MEM_ACCESS_READ, 0);
    case CPU_WRITE:
        return cpu_access(m, page, MEM_ACCESS_WRITE, (uint32_t)rng());
    case WRITE_STARVED:
    case CPU_STARVED:
        return do_starved(m, page, event == CPU_STARVED);
    case ARM:
        return pgm_page_monitor_internal(m->pgm, gpa);
    case ARM_ALL:
        pgm_monitor_all_internal(m->pgm);
        return MEM_OK;
    case SHARE:
        return do_share(m, page);
    case MERGE:
        return do_merge(m, page, ret_done);
    case INFLATE:
    case DEFLATE:
        return do_balloon(m, page, event == INFLATE);
    case RESET:
        pgm_reset(m->pgm);
        return MEM_OK;
    case COVER_MMIO:
    case COVER_MMIO2:
    case COVER_ROM:
        return do_cover(m, page, event);
    case N_EVENTS:
        break;
    }
    abort();
}

/* ---- comparing */

/* The page enters state @to, and with it the written bit and what a reset leaves. */
static void step_page(Page *p, PgmPageState to)
{
    if (p->state == PGM_PAGE_WRITE_MONITORED && to == PGM_PAGE_ALLOCATED) {
        p->written = true;
    } else if (to != p->state && to != PGM_PAGE_ALLOCATED) {
        p->written = false;
    } else if (event == MERGE || event == RESET) {
        p->written = false;
    }
    p->state = to;
    if (event == RESET) {
        memset(p->bytes, 0, PAGE);
    }
}

static void check_page(Machine *m, unsigned page)
{
    const Page *p = &m->pages[page];
    uint8_t bytes[PAGE];
    PgmPageInfo info;

    at_page = page;
    if (!pgm_page_query(m->pgm, (GPhys)page * PAGE, &info)) {
        fail("it is gone");
    }
    if (info.state != p->state || info.written != p->written) {
        fail("is %s written %d, expected %s written %d", pgm_page_state_name(info.state),
             info.written, pgm_page_state_name(p->state), p->written);
    }
    if (pgm_peek(m->pgm, (GPhys)page * PAGE, bytes, PAGE) != MEM_OK ||
        memcmp(bytes, p->bytes, PAGE) != 0) {
        fail("other bytes");
    }
    if (p->cached && p->id != info.id) {
        fail("the CPU keeps host page %#x, it is %#x", p->id, info.id);
    }
    if (p->cached && (p->perms & MEM_ACCESS_WRITE) != 0 && p->state != PGM_PAGE_ALLOCATED) {
        fail("the CPU may write still");
    }
}

static void check_all(Machine *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    PgmStats stats;
    uint64_t n[PGM_N_PAGE_STATES] = { 0 };

    for (unsigned page = 0; page < N_PAGES; page++) {
        check_page(m, page);
        n[m->pages[page].state]++;
    }
    pgm_get_stats(m->pgm, &stats);
    if (stats.pages.shared != n[S] || stats.pages.ballooned != n[B]) {
        fail("%" PRIu64 " shared, %" PRIu64 " ballooned", stats.pages.shared,
             stats.pages.ballooned);
    }
    if (pgm_verify(m->pgm, report) != 0 || gmm_verify(gmm, report) != 0) {
        fail("unsound: %s", report->str);
    }
}

static void one_event(void)
{
    Machine *m = &machines[rng() % N_MACHINES];
    unsigned page = (unsigned)(rng() % N_PAGES);
    Page *p = &m->pages[page];
    bool all, done = true;

    event = (Event)(rng() % N_EVENTS);
    all = event == RESET || event == ARM_ALL;
    /* What ends everything or takes long comes seldom. */
    if ((all || event == WRITE_STARVED || event == CPU_STARVED) && rng() % 16 != 0) {
        event = WRITE;
        all = false;
    }
    at_page = page;
    PgmPageState from = p->state;
    MemStatus status = act(m, page, &done);

    if (!done) {
        return;
    }
    if (status != table[event][from].status) {
        fail("of %s: \"%s\", expected \"%s\"", pgm_page_state_name(from), mem_status_name(status),
             mem_status_name(table[event][from].status));
    }
    for (unsigned i = all ? 0 : page; i < (all ? N_PAGES : page + 1); i++) {
        seen[event][m->pages[i].state]++;
        step_page(&m->pages[i], table[event][m->pages[i].state].to);
    }
    check_page(m, page);
}

/* ---- the world */

static MemStatus mmio_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    (void)offset;
    (void)size;
    *ret_value = UINT64_MAX;
    return MEM_OK;
}

static const PgmMmioOps mmio_ops = { .read = mmio_read };

static void begin(Machine *m, unsigned number)
{
    m->number = number;
    m->pgm = pgm_new(gmm, NULL, NULL);
    g_assert(m->pgm != NULL);
    if (pgm_ram_register(m->pgm, 0, N_PAGES * PAGE, "ram", NULL) != MEM_OK ||
        pgm_ram_register(m->pgm, SCRATCH, N_SCRATCH * PAGE, "scratch", NULL) != MEM_OK) {
        fail("no RAM");
    }
    m->cpu = pgm_cpu_attach(m->pgm, &callbacks, m);
    m->mmio = pgm_mmio_new(m->pgm, PAGE, &mmio_ops, NULL, "t", "mmio", NULL);
    m->mmio2 = pgm_mmio2_new(m->pgm, "t", 0, PAGE, true, "mmio2", NULL);
    /* None of these events is for what is no RAM. */
    if (pgm_page_balloon_internal(m->pgm, HOLE, true) != MEM_ERR_UNASSIGNED ||
        pgm_mmio2_map(m->mmio2, HOLE, NULL) != MEM_OK ||
        pgm_page_balloon_internal(m->pgm, HOLE, true) != MEM_ERR_NOT_RAM ||
        pgm_page_share_internal(m->pgm, HOLE) != MEM_ERR_NOT_RAM ||
        pgm_page_monitor_internal(m->pgm, HOLE) != MEM_OK) {
        fail("device memory is taken for RAM");
    }
}

static void end(Machine *m)
{
    pgm_cpu_detach(m->cpu);
    pgm_free(m->pgm);
}

static uint64_t number_from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : fallback;
}

static unsigned print_seen(void)
{
    unsigned n_missing = 0;

    for (unsigned e = 0; e < N_EVENTS; e++) {
        printf("  %-14s", event_names[e]);
        for (unsigned s = 0; s < PGM_N_PAGE_STATES; s++) {
            printf(" %8" PRIu64, seen[e][s]);
            n_missing += seen[e][s] == 0;
        }
        printf("\n");
    }
    return n_missing;
}

int main(void)
{
    uint64_t n = number_from_environment("QUIRE_ITERATIONS", DEFAULT_ITERATIONS);
    GmmStats stats;

    seed = number_from_environment("QUIRE_SEED", DEFAULT_SEED);
    rng_state = seed;
    printf("seed %" PRIu64 ", %" PRIu64 " events\n", seed, n);
    fflush(stdout);
    gmm = gmm_new(UINT64_C(64) << 20, NULL);
    g_assert(gmm != NULL);
    gmm_set_limit(gmm, PLENTY);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        begin(&machines[i], i);
    }
    for (iteration = 0; iteration < n; iteration++) {
        one_event();
        if (iteration % 100 == 0) {
            check_all(&machines[iteration / 100 % N_MACHINES]);
        }
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        check_all(&machines[i]);
        end(&machines[i]);
    }
    gmm_get_stats(gmm, &stats);
    if (stats.allocated != 0 || stats.shared != 0) {
        fail("%" PRIu64 " pages were left behind", stats.allocated);
    }
    gmm_free(gmm);
    unsigned n_missing = print_seen();

    printf("%" PRIu64 " events, %u cells of the table never seen\n", n, n_missing);
    return n >= DEFAULT_ITERATIONS && n_missing != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
