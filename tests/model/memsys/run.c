/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making and playing lists of steps. A run is cut into parts: each begins with a page allocator of
 * its own and no machine, and ends with none, so that a failure's history is short.
 */
#include "tests/model/memsys/model.h"
#include "tests/model/memsys/transitions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PART_STEPS 20000u
#define CALM 700u /* steps of a calm time, and of a busy one */
#define LINE_LEN 200u
#define N_OPS_MAX 120u
#define BATCH 1000u /* steps; then a whole machine is compared, however many steps there are */

Gmm *model_gmm;
Naive model_machines[N_MACHINES];
bool model_limited;
Report *report;
Planted planted;

static uint64_t rng_state;
static bool telling;
static char last_line[LINE_LEN];

static struct {
    Op op;
    uint64_t n_done, n_good;
} ops[N_OPS_MAX];
static unsigned n_ops, total_weight;

/* ---- failing */

void model_fail(const char *format, ...)
{
    va_list args;

    if (report != NULL) {
        report->format = format;
        va_start(args, format);
        vsnprintf(report->text, sizeof report->text, format, args);
        va_end(args);
    }
    fprintf(stderr, "FAILED (%s): ", last_line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    _Exit(EXIT_FAILURE);
}

void script(Naive *m, const char *format, ...)
{
    int at = snprintf(last_line, LINE_LEN, "machine %u: ", m->number);
    va_list args;

    va_start(args, format);
    vsnprintf(last_line + at, LINE_LEN - (size_t)at, format, args);
    va_end(args);
    if (telling) {
        fprintf(stderr, "#   %s\n", last_line);
    }
}

/* ---- choosing */

/* SplitMix64 (S. Vigna, public domain algorithm). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t rng(void)
{
    return next_random(&rng_state);
}

static void add_ops(const Op *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_assert(n_ops < N_OPS_MAX);
        ops[n_ops++].op = list[i];
        total_weight += list[i].weight;
    }
}

void run_init(void)
{
    add_ops(access_ops, n_access_ops);
    add_ops(range_ops, n_range_ops);
    add_ops(other_ops, n_other_ops);
    add_ops(tracking_ops, n_tracking_ops);
    add_ops(sharing_ops, n_sharing_ops);
    add_ops(state_ops, n_state_ops);
    add_ops(machine_ops, n_machine_ops);
}

const char *run_op_name(unsigned op)
{
    return ops[op].op.name;
}

int run_op_number(const char *name)
{
    for (unsigned i = 0; i < n_ops; i++) {
        if (strcmp(ops[i].op.name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool run_disable(const char *op_name)
{
    int op = run_op_number(op_name);

    if (op >= 0) {
        total_weight -= ops[op].op.weight;
        ops[op].op.weight = 0;
    }
    return op >= 0;
}

static unsigned pick_op(uint64_t *state)
{
    unsigned at = (unsigned)(next_random(state) % total_weight);
    unsigned i = 0;

    while (at >= ops[i].op.weight) {
        at -= ops[i++].op.weight;
    }
    return i;
}

static bool moves_ranges(const Op *op)
{
    return op->func != NULL && (strstr(op->name, "map") != NULL || (op->flags & OP_RANGES) != 0 ||
                                strstr(op->name, "free") != NULL);
}

GArray *run_generate(uint64_t seed, uint64_t part)
{
    uint64_t state = seed * UINT64_C(0x2545f4914f6cdd1d) + part;
    GArray *steps = g_array_sized_new(FALSE, FALSE, sizeof(Step), PART_STEPS);
    int begin = run_op_number("machine new");

    for (unsigned i = 0; i < PART_STEPS;) {
        Step step = { .seed = next_random(&state),
                      .machine = (uint8_t)(next_random(&state) % N_MACHINES) };

        if (i < 2) {
            step.machine = (uint8_t)i;
        }
        step.op = (uint8_t)(i < 2 ? (unsigned)begin : pick_op(&state));
        /* In calm times the map stays, so that what CPUs and TLBs keep is used. */
        if (i / CALM % 2 == 0 && i >= 2 && moves_ranges(&ops[step.op].op) &&
            next_random(&state) % 50 != 0) {
            continue;
        }
        g_array_append_val(steps, step);
        i++;
    }
    return steps;
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
    if (real != naive) {
        model_fail("it says \"%s\", expected \"%s\"", mem_status_name(real),
                   mem_status_name(naive));
    }
    if (real == MEM_ERR_NO_MEMORY && !model_limited && !m->entries_limited) {
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

static void verify_all(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < N_MACHINES; i++) {
        if (model_machines[i].pgm != NULL && pgm_verify(model_machines[i].pgm, text) != 0) {
            model_fail("machine %u is unsound: %s", i, text->str);
        }
    }
    if (gmm_verify(model_gmm, text) != 0) {
        model_fail("the page allocator is unsound: %s", text->str);
    }
}

static void check_all(void)
{
    for (unsigned i = 0; i < N_MACHINES; i++) {
        if (model_machines[i].pgm != NULL) {
            machine_check(&model_machines[i]);
        }
    }
}

/* ---- playing */

/* False: there was nothing to do it with. */
static bool play_step(const Step *step)
{
    Naive *m = &model_machines[step->machine];
    const Op *op = &ops[step->op].op;

    rng_state = step->seed;
    if ((m->pgm == NULL && (op->flags & OP_NO_MACHINE) == 0) ||
        (m->plain && (op->flags & OP_TRACKING) != 0) ||
        (m->state.live != NULL && (op->flags & OP_RANGES) != 0 && step->seed % 8 != 0)) {
        return false;
    }
    if (m->pgm != NULL && (op->flags & OP_RANGES) != 0) {
        m->state.disturbed = true;
    }
    int status = op->func(m);

    if (status == OP_SKIPPED) {
        transitions_forget();
        return false;
    }
    transitions_end((MemStatus)status);
    if (m->pgm != NULL) {
        naive_nothing_left(m);
    }
    ops[step->op].n_done++;
    ops[step->op].n_good += status == MEM_OK;
    return true;
}

static void play_begin(void)
{
    model_limited = false;
    model_gmm = gmm_new(UINT64_C(256) << 20, NULL);
    if (model_gmm == NULL) {
        model_fail("no page allocator");
    }
    gmm_set_limit(model_gmm, UINT64_C(1) << 30);
}

/* Every page came back, every reservation went. */
static void play_end(void)
{
    GmmStats stats;

    for (unsigned i = 0; i < N_MACHINES; i++) {
        if (model_machines[i].pgm != NULL) {
            machine_check(&model_machines[i]);
            machine_end(&model_machines[i]);
        }
    }
    gmm_get_stats(model_gmm, &stats);
    if (stats.allocated != 0 || stats.reserved != 0 || stats.n_vms != 0) {
        model_fail("%" PRIu64 " pages were left behind", stats.allocated);
    }
    gmm_free(model_gmm);
}

uint64_t run_play(const Step *steps, size_t n, uint64_t n_max, unsigned check_every, bool tell)
{
    uint64_t n_done = 0;

    telling = tell;
    play_begin();
    for (size_t i = 0; i < n && n_done < n_max; i++) {
        report->at = i;
        if (tell) {
            fprintf(stderr, "%u %#" PRIx64 " %s\n", steps[i].machine, steps[i].seed,
                    run_op_name(steps[i].op));
        }
        last_line[0] = '\0';
        n_done += play_step(&steps[i]);
        if (i % check_every == 0) {
            verify_all();
        }
        if (check_every < 10) {
            check_all();
        } else if (i % BATCH == 0 && model_machines[i / BATCH % N_MACHINES].pgm != NULL) {
            machine_check(&model_machines[i / BATCH % N_MACHINES]);
        }
    }
    report->at = n > 0 ? n - 1 : 0;
    play_end();
    return n_done;
}

/* ---- counts */

bool run_print_counts(FILE *out, uint64_t n, unsigned n_missed)
{
    uint64_t n_good = 0;
    unsigned n_missing = 0;
    const uint64_t *cpu = (const uint64_t *)&cpu_counts;

    for (unsigned i = 0; i < n_ops; i++) {
        fprintf(out, "  %10" PRIu64 "  %s (%" PRIu64 " succeeded)\n", ops[i].n_done, ops[i].op.name,
                ops[i].n_good);
        n_good += ops[i].n_good;
        n_missing += ops[i].n_good == 0 && ops[i].op.weight != 0;
    }
    n_missing += transitions_print(out);
    for (unsigned i = 0; i < sizeof cpu_counts / sizeof *cpu; i++) {
        n_missing += cpu[i] == 0;
    }
    fprintf(out,
            "  CPUs: %" PRIu64 " direct loads, %" PRIu64 " direct stores, %" PRIu64
            " answers used again, %" PRIu64 " pieces of code run again, told %" PRIu64
            " pages, %" PRIu64 " times all, %" PRIu64 " times code\n",
            cpu_counts.direct_loads, cpu_counts.direct_stores, cpu_counts.cached,
            cpu_counts.reused_code, cpu_counts.told_pages, cpu_counts.told_all,
            cpu_counts.told_code);
    fprintf(out, "%" PRIu64 " operations, %" PRIu64 " succeeded, %u things never seen\n", n, n_good,
            n_missing);
    return n_missing <= n_missed && n_good * 10 >= n * 6;
}
