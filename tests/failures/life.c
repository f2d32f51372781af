/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs lives: see tests/failures/life.h.
 *
 * What still comes from GLib, and so may end the process when the host has no memory at all, and
 * why it may (looked for with grep -nE "g_(new|malloc|renew|array|ptr_array|byte_array|hash_table|
 * string|strdup)"):
 *
 *   memsys  structs of gmm, pgm, range, rom, mmio, mmio2,  fixed size, one a call of the
 * embedder's; handler, watch, dirty client, CPU, heap, live  what grows with them (records, spans,
 *           save; their names                              lists) comes from the host's table
 *   memsys  gmm->vms, by_age; pgm->cpus                    a pointer for each machine and CPU,
 * beside megabytes through the table memsys  state files: units, table of units             at most
 * 4,000 of 96 bytes memsys  mem_state_get_string()                         at most what its caller
 * allows: 64 KiB memsys  statistics                                     their number is fixed, but
 * for CPUs memsys  texts of reports, info and describe            lines of a map are limited there;
 * a checker's, one a bug memsys  messages of GErrors                            names that the
 * embedder gave emu     clock, timers, ports, consoles, units, reset   of the board's making
 *           functions, calibration, emu_units_take()
 *   emu     emu_state_save(), unit puts                    a chip's fields: bounded by its table
 *   emu     copies of a part's struct while loading        the same
 *   emu     options in a file                              at most 4,096, 1 MiB together
 *   emu     timers in a file                               as many as the machine has
 *   emu     breakpoints                                    at most MAX_BREAKPOINTS, each refused by
 *                                                          the engine first
 *   emu     runs of RAM for loaders                        16 bytes for each range of RAM
 *   emu     trace classes                                  words of one argument
 *   devices structs of chips, fw_cfg's directory           fixed; at most 256 files of 64 bytes
 *   devices low part of the firmware, E820                 256 KiB; one entry a range of RAM
 *   frontends  options, files and moments on the line      words the user typed
 */
#include "tests/failures/life.h"

#include "tests/failures/failing-host.h"

#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CALLS 200000u
#define CHOICE_EVENLY 24u /* calls chosen evenly, beside the first of each kind in each step */
#define SECONDS_A_LIFE 60 /* a life that takes longer hangs */
#define MAX_COMPLAINTS 25u

typedef enum Outcome { OUTCOME_NONE, OUTCOME_ABSORBED, OUTCOME_REPORTED, OUTCOME_WRONG } Outcome;

/* What a process of one life leaves for the one that watches. */
typedef struct Record {
    Outcome outcome;
    unsigned step; /* running, or failed */
    uint64_t hash; /* at the end */
    unsigned n_calls;
    char text[1000];
    uint8_t kinds[MAX_CALLS]; /* HostCall, of the life without failures */
    uint8_t steps[MAX_CALLS]; /* of the same */
} Record;

static Record *record;
static char *folder; /* for the files of each life */

static void note_call(HostCall call)
{
    unsigned at = failing_host.n_calls - 1;

    if (at < MAX_CALLS) {
        record->kinds[at] = (uint8_t)call;
        record->steps[at] = (uint8_t)record->step;
    }
}

char *life_path(const void *world, const char *name)
{
    const LifeWorld *common = world;

    return g_build_filename(common->folder, name, NULL);
}

static void G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_vsnprintf(record->text, sizeof record->text, format, args);
    va_end(args);
    record->outcome = OUTCOME_WRONG;
    _exit(1);
}

static void verify(const Life *life, void *world, const char *when)
{
    g_autoptr(GString) report = g_string_new(NULL);

    failing_host.paused = true;
    if (life->verify(world, report) != 0 || report->len != 0) {
        wrong("unsound %s: %s", when, report->str);
    }
    failing_host.paused = false;
}

static uint64_t hash_of(const Life *life, void *world)
{
    failing_host.paused = true;
    uint64_t hash = life->hash(world);

    failing_host.paused = false;
    return hash;
}

/* The step was refused: said so cleanly, changed nothing, works after all. */
static void go_on_after(const Life *life, void *world, const LifeStep *step, GError *error,
                        unsigned n_failed, bool has_before, uint64_t before)
{
    GError *again = NULL;

    if (n_failed == 0) {
        wrong("failed though no call did: %s", error != NULL ? error->message : "no error set");
    }
    if (error == NULL || strlen(error->message) < 10) {
        wrong("failed without %s", error == NULL ? "an error" : "a message to speak of");
    }
    failing_host_heal();
    record->outcome = OUTCOME_REPORTED;
    g_snprintf(record->text, sizeof record->text, "%s", error->message);
    verify(life, world, "after the failure");
    if (step->whole && has_before && hash_of(life, world) != before) {
        wrong("half done; it had said: %s", error->message);
    }
    if (!step->run(world, &again)) {
        wrong("fails in good health, after \"%s\": %s", error->message,
              again != NULL ? again->message : "no error set");
    }
    g_error_free(error);
}

static void check_nothing_left(const Life *life)
{
    const FailingHost *host = &failing_host;

    (void)life;
    if (host->n_maps != 0 || host->n_blocks != 0 || host->n_files != 0) {
        wrong("left behind: %d mappings, %d blocks, %d files", host->n_maps, host->n_blocks,
              host->n_files);
    }
}

static void empty_folder(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        g_unlink(path);
    }
    if (dir != NULL) {
        g_dir_close(dir);
    }
}

/* Temporary files go, but for one that the host would not remove. */
static void check_folder(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(name, ".tmp") && failing_host.failed != HOST_UNLINK &&
            failing_host.fault != HOST_FAILS_ON) {
            wrong("a file %s was left", name);
        }
    }
}

/* In a process of its own. @fail_at: 0: without failures */
static void live(const Life *life, unsigned fail_at, HostFault fault, unsigned fault_step)
{
    LifeWorld *world = g_malloc0(life->world_size);

    world->folder = folder;
    mem_os_set(failing_host_new());
    failing_host.note = fail_at == 0 ? note_call : NULL;
    failing_host.fault = fault;
    failing_host.fail_at = fail_at;
    for (unsigned i = 0; i < life->n_steps; i++) {
        const LifeStep *step = &life->steps[i];
        bool has_before = fail_at != 0 && i == fault_step && step->whole;
        uint64_t before = has_before ? hash_of(life, world) : 0;
        unsigned failed_before = failing_host.n_failed;
        GError *error = NULL;

        record->step = i;
        if (!step->run(world, &error)) {
            go_on_after(life, world, step, error, failing_host.n_failed - failed_before, has_before,
                        before);
        } else if (error != NULL) {
            wrong("succeeded, with an error: %s", error->message);
        }
        if (fail_at == 0 || i == fault_step) {
            verify(life, world, "after the step");
        }
    }
    record->step = life->n_steps;
    record->hash = hash_of(life, world);
    life->end(world);
    record->n_calls = failing_host.n_calls;
    check_nothing_left(life);
    check_folder();
    mem_os_set(NULL);
    g_free(world);
    if (record->outcome == OUTCOME_NONE) {
        record->outcome =
            fail_at != 0 && failing_host.n_failed == 0 ? OUTCOME_NONE : OUTCOME_ABSORBED;
    }
}

/* True if the process ended well; else record->text says how it did not. */
static bool run_life(const Life *life, unsigned fail_at, HostFault fault, unsigned fault_step)
{
    int status;

    record->outcome = OUTCOME_NONE;
    record->text[0] = '\0';
    empty_folder();
    fflush(NULL);

    pid_t child = fork();

    if (child == 0) {
        (void)alarm(SECONDS_A_LIFE * (unsigned)(g_getenv("QUIRE_SLOW") != NULL ? 10 : 1));
        live(life, fail_at, fault, fault_step);
        exit(0); /* not _exit(): a sanitizer looks for leaks then */
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        g_snprintf(record->text, sizeof record->text, "cannot run a process");
        return false;
    }
    if (WIFSIGNALED(status)) {
        g_snprintf(record->text, sizeof record->text, "ended by signal %d (%s)", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
        return false;
    }
    if (record->outcome != OUTCOME_WRONG && WEXITSTATUS(status) != 0) {
        g_snprintf(record->text, sizeof record->text, "ended with status %d", WEXITSTATUS(status));
        return false;
    }
    return record->outcome != OUTCOME_WRONG;
}

/* ---- all lives */

typedef enum Choice { CHOSEN_NOT, CHOSEN_ONCE, CHOSEN_ALL } Choice;

typedef struct Plan {
    unsigned n_calls; /* of the life without failures */
    uint64_t hash;
    uint8_t *kinds, *steps;
    uint8_t *chosen; /* Choice */
    bool all;
} Plan;

typedef struct Sums {
    unsigned n_lives, n_reported, n_absorbed, n_wrong;
    unsigned by_kind[HOST_N_CALLS], injected[HOST_N_CALLS], reported[HOST_N_CALLS];
} Sums;

/* The first call of each kind in each step, the last of half of them, and some evenly spread; every
 * third of the first ones with every kind of fault. */
static void choose(const Life *life, Plan *plan)
{
    const unsigned n_cells = (life->n_steps + 1) * HOST_N_CALLS;
    g_autofree bool *seen = g_new0(bool, n_cells);
    g_autofree unsigned *last = g_new0(unsigned, n_cells);
    unsigned n_first = 0;

    for (unsigned i = 0; i < plan->n_calls; i++) {
        unsigned cell = plan->steps[i] * HOST_N_CALLS + plan->kinds[i];
        bool evenly = i % MAX(plan->n_calls / CHOICE_EVENLY, 1) == 0;

        bool first = !seen[cell];

        plan->chosen[i] = plan->all || (first && n_first % 3 == 0) ? CHOSEN_ALL
                          : first || evenly                        ? CHOSEN_ONCE
                                                                   : CHOSEN_NOT;
        n_first += first;
        seen[cell] = true;
        last[cell] = i;
    }
    for (unsigned i = 0; i < n_cells; i++) {
        if (seen[i] && i % 2 == 0) {
            plan->chosen[last[i]] = MAX(plan->chosen[last[i]], CHOSEN_ONCE);
        }
    }
}

static bool is_chosen(const Plan *plan, unsigned at, HostFault fault)
{
    return failing_host_applies(fault, plan->kinds[at]) &&
           plan->chosen[at] >= (fault == HOST_FAILS_ONCE ? CHOSEN_ONCE : CHOSEN_ALL);
}

static void complain(const Life *life, const Plan *plan, unsigned number, HostFault fault)
{
    static const char *const faults[] = { "once", "from here on", "cut short", "interrupted" };
    unsigned step = record->step;

    fprintf(stderr, "%s: call %u (%s in \"%s\") %s: in \"%s\": %s\n", life->name, number,
            failing_host_name(plan->kinds[number - 1]),
            plan->steps[number - 1] < life->n_steps ? life->steps[plan->steps[number - 1]].name
                                                    : "the end",
            faults[fault], step < life->n_steps ? life->steps[step].name : "the end", record->text);
}

static void try_call(const Life *life, const Plan *plan, unsigned number, HostFault fault,
                     Sums *sums)
{
    HostCall kind = plan->kinds[number - 1];
    bool ok = run_life(life, number, fault, plan->steps[number - 1]);
    bool missed = ok && record->outcome == OUTCOME_NONE;

    if (ok && !missed && record->hash != plan->hash) {
        g_snprintf(record->text, sizeof record->text, "the end differs from that without failures");
        ok = false;
    }
    if (ok && record->outcome == OUTCOME_REPORTED && fault >= HOST_SHORT) {
        char *said = g_strdup(record->text);

        g_snprintf(record->text, sizeof record->text, "is no failure, but: %s", said);
        g_free(said);
        ok = false;
    }
    if (missed) {
        g_snprintf(record->text, sizeof record->text, "the call was not made this time");
        ok = false;
    }
    sums->n_lives++;
    sums->injected[kind]++;
    if (!ok) {
        if (sums->n_wrong++ < MAX_COMPLAINTS) {
            complain(life, plan, number, fault);
        }
        return;
    }
    if (record->outcome == OUTCOME_REPORTED) {
        sums->n_reported++;
        sums->reported[kind]++;
    } else {
        sums->n_absorbed++;
    }
    if (g_getenv("QUIRE_FAILURES_VERBOSE") != NULL) {
        printf("%u %s in %s, %d: %s\n", number, failing_host_name(kind),
               plan->steps[number - 1] < life->n_steps ? life->steps[plan->steps[number - 1]].name
                                                       : "the end",
               (int)fault, record->outcome == OUTCOME_REPORTED ? record->text : "absorbed");
    }
}

static void print_sums(const Life *life, const Plan *plan, const Sums *sums)
{
    printf("%s: %u steps, %u calls of the host\n", life->name, life->n_steps, plan->n_calls);
    for (unsigned i = 0; i < HOST_N_CALLS; i++) {
        if (sums->by_kind[i] != 0) {
            printf("  %-12s %6u calls, %5u made to fail, %5u of these reported\n",
                   failing_host_name((HostCall)i), sums->by_kind[i], sums->injected[i],
                   sums->reported[i]);
        }
    }
    printf("%u lives: %u with a clean error, %u that did not need the call, %u wrong\n",
           sums->n_lives, sums->n_reported, sums->n_absorbed, sums->n_wrong);
}

int life_main(const Life *life, int argc, char **argv)
{
    const char *wish = argc > 1 ? argv[1] : g_getenv("QUIRE_FAILURES");
    Plan plan = { .all = g_strcmp0(wish, "all") == 0 };
    Sums sums = { 0 };

    g_assert(life->n_steps < UINT8_MAX);
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    folder = g_dir_make_tmp("quire-failures-XXXXXX", NULL);
    g_assert(record != MAP_FAILED && folder != NULL);
    if (!run_life(life, 0, HOST_FAILS_ONCE, 0)) {
        fprintf(stderr, "%s, without failures: in \"%s\": %s\n", life->name,
                record->step < life->n_steps ? life->steps[record->step].name : "the end",
                record->text);
        return EXIT_FAILURE;
    }
    plan.n_calls = record->n_calls;
    plan.hash = record->hash;
    g_assert(plan.n_calls > 0 && plan.n_calls <= MAX_CALLS);
    plan.kinds = g_memdup2(record->kinds, plan.n_calls);
    plan.steps = g_memdup2(record->steps, plan.n_calls);
    plan.chosen = g_new0(uint8_t, plan.n_calls);
    choose(life, &plan);
    for (unsigned i = 0; i < plan.n_calls; i++) {
        sums.by_kind[plan.kinds[i]]++;
        for (unsigned fault = 0; fault < HOST_N_FAULTS; fault++) {
            if (is_chosen(&plan, i, (HostFault)fault)) {
                try_call(life, &plan, i + 1, (HostFault)fault, &sums);
            }
        }
    }
    print_sums(life, &plan, &sums);
    empty_folder();
    g_rmdir(folder);
    g_free(folder);
    g_free(plan.kinds);
    g_free(plan.steps);
    g_free(plan.chosen);
    return sums.n_wrong == 0 && sums.n_reported > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
