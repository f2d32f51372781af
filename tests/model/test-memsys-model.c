/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations on machines that share one page allocator, against a naive machine each
 * (tests/model/memsys/naive.h). Public headers alone.
 *
 * QUIRE_SEED=N repeats a run, QUIRE_ITERATIONS=N makes it longer. A failure prints seed, number of
 * the operation and the operations before it.
 *
 * At least 60 % of the operations succeed, each kind of operation and each row of the table of page
 * states is seen, or the test fails: a generator gone dull is noticed.
 */
#include "tests/model/memsys/model.h"
#include "tests/model/memsys/transitions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED UINT64_C(20261121)
#define DEFAULT_ITERATIONS UINT64_C(50000)
#define ENOUGH_TO_SEE_ALL DEFAULT_ITERATIONS
#define N_MACHINES 3u
#define BATCH 1000u
#define MACHINE_LIFE 4000u /* operations, about */
#define CALM 700u          /* operations of a calm time, and of a busy one */
#define N_LINES 64u
#define LINE_LEN 160u
#define N_OPS_MAX 64u

Gmm *model_gmm;
bool model_limited;

static uint64_t seed, rng_state, op_number;
static Naive machines[N_MACHINES];
static char lines[N_LINES][LINE_LEN];
static uint64_t n_lines;

static struct {
    Op op;
    uint64_t n_done, n_good;
} ops[N_OPS_MAX];
static unsigned n_ops, total_weight;

/* ---- failing */

static void print_script(void)
{
    uint64_t first = n_lines > N_LINES ? n_lines - N_LINES : 0;

    for (uint64_t i = first; i < n_lines; i++) {
        fprintf(stderr, "  %s\n", lines[i % N_LINES]);
    }
}

void model_fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "the last operations:\n");
    print_script();
    fprintf(stderr, "FAILED at operation %" PRIu64 ": ", op_number);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nrepeat with QUIRE_SEED=%" PRIu64 " QUIRE_ITERATIONS=%" PRIu64 "\n", seed,
            op_number + BATCH);
    exit(EXIT_FAILURE);
}

void script(Naive *m, const char *format, ...)
{
    char *line = lines[n_lines++ % N_LINES];
    int at = snprintf(line, LINE_LEN, "%" PRIu64 ": machine %u: ", op_number, m->number);
    va_list args;

    va_start(args, format);
    vsnprintf(line + at, LINE_LEN - (size_t)at, format, args);
    va_end(args);
}

/* ---- choosing */

/* SplitMix64 (S. Vigna, public domain algorithm). */
uint64_t rng(void)
{
    uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

MemOrigin any_origin(void)
{
    return one_in(2) ? MEM_ORIGIN_DEVICE : (MemOrigin)below(MEM_N_ORIGINS);
}

uint64_t pick_page(void)
{
    if (one_in(16)) {
        return slot_address(LOW_PAGES + below(HIGH_PAGES - ROOM_PAGES));
    }
    return slot_address(below(LOW_PAGES - ROOM_PAGES));
}

NaiveRange *pick_range(Naive *m, PgmRangeKind kind)
{
    unsigned first = below(MAX_RANGES);

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[(first + i) % MAX_RANGES];

        if (range->live && range->kind == kind) {
            return range;
        }
    }
    return NULL;
}

/* A page of some range: any, or its first or last, or one beside it. */
static uint64_t pick_range_page(Naive *m)
{
    NaiveRange *range = pick_range(m, (PgmRangeKind)below(4));

    if (range == NULL || range->start == NOWHERE) {
        return pick_page();
    }
    switch (below(6)) {
    case 0:
        return range->start;
    case 1:
        return range->start + (uint64_t)(range->n_shown - 1) * PAGE;
    case 2:
        return range->start >= PAGE ? range->start - PAGE : 0;
    default:
        return range->start + (uint64_t)below(range->n_shown) * PAGE;
    }
}

uint64_t pick_address(Naive *m)
{
    uint64_t page = one_in(4) ? pick_page() : pick_range_page(m);
    uint64_t *hot = &m->hot[below(N_HOT)];

    if (one_in(60)) {
        *hot = page;
    } else if (one_in(2)) {
        page = *hot;
    }
    if (one_in(100)) {
        page = one_in(2) ? UINT64_MAX - PAGE + 1 : MEM_GPHYS_LIMIT - PAGE;
    }
    switch (below(5)) {
    case 0:
        return page + PAGE - 1 - below(8);
    case 1:
        return page + below(64);
    case 2:
        return page + below(PAGE);
    default:
        return page + 8 * below(PAGE / 8);
    }
}

/* ---- comparing */

static uint64_t pages_taken(Naive *m)
{
    PgmStats stats;

    pgm_get_stats(m->pgm, &stats);
    return stats.replaced_zero + stats.replaced_shared;
}

static uint64_t taken_before;

void real_begins(Naive *m)
{
    taken_before = pages_taken(m);
}

void real_ended(Naive *m)
{
    m->budget += pages_taken(m) - taken_before;
}

void focus(Naive *m, PageEvent event, uint64_t gpa)
{
    transitions_begin(m, event, gpa);
}

int agree(Naive *m, MemStatus real, MemStatus naive)
{
    (void)m;
    if (real != naive) {
        model_fail("it says \"%s\", expected \"%s\"", mem_status_name(real),
                   mem_status_name(naive));
    }
    if (real == MEM_ERR_NO_MEMORY && !model_limited) {
        model_fail("no memory although there is plenty");
    }
    return (int)real;
}

void agree_error(MemStatus status, GError *error)
{
    bool right = status == MEM_OK ? error == NULL
                                  : error != NULL && error->domain == MEM_ERROR &&
                                        error->code == (int)status && error->message[0] != '\0';

    if (!right) {
        model_fail("status \"%s\" with error \"%s\"", mem_status_name(status),
                   error != NULL ? error->message : "none");
    }
}

/* ---- machines */

static void note_ram(Naive *m, uint64_t start, unsigned n_pages)
{
    NaiveRange *range = naive_range_new(m, PGM_RANGE_RAM, n_pages);

    range->start = start;
}

static void machine_begin(Naive *m, unsigned number)
{
    g_autofree char *name = g_strdup_printf("machine %u", number);
    PgmConfig config = { .name = name, .tlb_slots = 1u << below(10) };

    *m = (Naive) { .number = number, .events = g_array_new(FALSE, FALSE, sizeof(Event)) };
    m->pgm = pgm_new(model_gmm, &config, NULL);
    if (m->pgm == NULL || mm_register_x86(m->pgm, (uint64_t)(256 + 64) * PAGE, 0, NULL) != MEM_OK ||
        pgm_ram_register(m->pgm, HIGH_START + 4 * PAGE, 16 * PAGE, "high", NULL) != MEM_OK) {
        model_fail("no machine");
    }
    note_ram(m, 0, 160);
    note_ram(m, 256 * PAGE, 64);
    note_ram(m, HIGH_START + 4 * PAGE, 16);
    pgm_set_unassigned_hook(m->pgm, model_unassigned, m);
    cpu_attach(m, 0);
}

static void machine_end(Naive *m)
{
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        if (m->handlers[i].live) {
            pgm_handler_free(m->handlers[i].handler);
        }
    }
    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        if (m->watches[i].live) {
            pgm_watch_free(m->watches[i].watch);
        }
    }
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (m->cpus[i] != NULL) {
            cpu_detach(m, i);
        }
    }
    pgm_free(m->pgm);
    naive_clear(m);
}

static void check_machine(Naive *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    PgmPageCounts expected;
    PgmStats stats;

    if (pgm_verify(m->pgm, report) != 0 || gmm_verify(model_gmm, report) != 0) {
        model_fail("unsound: %s", report->str);
    }
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        naive_check_page(m, slot);
    }
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *dev = &m->ranges[i];

        if (dev->live && dev->registers != NULL &&
            memcmp(dev->registers, dev->bytes, (size_t)dev->n_pages * PAGE) != 0) {
            model_fail("registers of device %u differ", i);
        }
    }
    pgm_get_stats(m->pgm, &stats);
    naive_counts(m, &expected);
    if (stats.pages.all != expected.all || stats.pages.zero != expected.zero ||
        stats.pages.private_pages != expected.private_pages ||
        stats.pages.pure_mmio != expected.pure_mmio ||
        stats.pages.monitored != expected.monitored || stats.pages.shared != expected.shared ||
        stats.pages.ballooned != 0) {
        model_fail("page counts differ: %" PRIu64 " private, expected %" PRIu64,
                   stats.pages.private_pages, expected.private_pages);
    }
    cpu_check(m);
}

/* ---- running */

static void add_ops(const Op *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_assert(n_ops < N_OPS_MAX);
        ops[n_ops++].op = list[i];
        total_weight += list[i].weight;
    }
}

static unsigned pick_op(void)
{
    unsigned at = below(total_weight);
    unsigned i = 0;

    while (at >= ops[i].op.weight) {
        at -= ops[i++].op.weight;
    }
    return i;
}

static bool moves_ranges(const Op *op)
{
    return strstr(op->name, "map") != NULL || strstr(op->name, "register") != NULL ||
           strstr(op->name, "free") != NULL || strstr(op->name, "forget") != NULL;
}

/* False: there was nothing to do it with. */
static bool one_operation(void)
{
    Naive *m = &machines[below(N_MACHINES)];
    unsigned i = pick_op();

    /* In calm times the map stays, so that what CPUs and TLBs keep is used. */
    if (op_number / CALM % 2 == 0 && moves_ranges(&ops[i].op) && !one_in(50)) {
        return false;
    }
    int status = ops[i].op.func(m);

    if (status == OP_SKIPPED) {
        return false;
    }
    transitions_end((MemStatus)status);
    naive_nothing_left(m);
    ops[i].n_done++;
    ops[i].n_good += status == MEM_OK;
    return true;
}

static uint64_t number_from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : fallback;
}

static void run(uint64_t n)
{
    for (op_number = 0; op_number < n;) {
        if (!one_operation()) {
            continue;
        }
        op_number++;
        if (op_number % BATCH == 0) {
            check_machine(&machines[op_number / BATCH % N_MACHINES]);
        }
        if (one_in(MACHINE_LIFE)) {
            Naive *m = &machines[below(N_MACHINES)];

            check_machine(m);
            machine_end(m);
            gmm_set_limit(model_gmm, UINT64_C(1) << 30);
            model_limited = false;
            script(m, "is replaced");
            machine_begin(m, m->number);
        }
    }
}

/* Every page came back, every reservation went. */
static void check_end(void)
{
    GmmStats stats;

    for (unsigned i = 0; i < N_MACHINES; i++) {
        check_machine(&machines[i]);
        machine_end(&machines[i]);
    }
    gmm_get_stats(model_gmm, &stats);
    if (stats.allocated != 0 || stats.reserved != 0 || stats.n_vms != 0) {
        model_fail("%" PRIu64 " pages were left behind", stats.allocated);
    }
    gmm_free(model_gmm);
}

static bool print_counts(uint64_t n)
{
    uint64_t n_good = 0;
    unsigned n_missing = 0;
    const uint64_t *cpu = (const uint64_t *)&cpu_counts;

    for (unsigned i = 0; i < n_ops; i++) {
        printf("  %10" PRIu64 "  %s (%" PRIu64 " succeeded)\n", ops[i].n_done, ops[i].op.name,
               ops[i].n_good);
        n_good += ops[i].n_good;
        n_missing += ops[i].n_good == 0;
    }
    n_missing += transitions_print(stdout);
    for (unsigned i = 0; i < sizeof cpu_counts / sizeof *cpu; i++) {
        n_missing += cpu[i] == 0;
    }
    printf("  CPUs: %" PRIu64 " direct loads, %" PRIu64 " direct stores, %" PRIu64
           " answers used again, %" PRIu64 " pieces of code run again, told %" PRIu64
           " pages, %" PRIu64 " times all, %" PRIu64 " times code\n",
           cpu_counts.direct_loads, cpu_counts.direct_stores, cpu_counts.cached,
           cpu_counts.reused_code, cpu_counts.told_pages, cpu_counts.told_all,
           cpu_counts.told_code);
    printf("%" PRIu64 " operations, %" PRIu64 " succeeded, %u things never seen\n", n, n_good,
           n_missing);
    return n < ENOUGH_TO_SEE_ALL || (n_missing == 0 && n_good * 10 >= n * 6);
}

int main(void)
{
    uint64_t n = number_from_environment("QUIRE_ITERATIONS", DEFAULT_ITERATIONS);

    seed = number_from_environment("QUIRE_SEED", DEFAULT_SEED);
    rng_state = seed;
    printf("seed %" PRIu64 ", %" PRIu64 " operations\n", seed, n);
    fflush(stdout);
    add_ops(access_ops, n_access_ops);
    add_ops(range_ops, n_range_ops);
    add_ops(other_ops, n_other_ops);
    model_gmm = gmm_new(UINT64_C(64) << 20, NULL);
    if (model_gmm == NULL) {
        model_fail("no page allocator");
    }
    gmm_set_limit(model_gmm, UINT64_C(1) << 30);
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machine_begin(&machines[i], i);
    }
    run(n);
    check_end();
    return print_counts(n) ? EXIT_SUCCESS : EXIT_FAILURE;
}
