/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations on machines that share one page allocator, against a naive machine each
 * (tests/model/memsys/naive.h).
 *
 *   --seed N|time   repeats a run (QUIRE_SEED), or takes one that nobody knows
 *   --ops N         how many operations (QUIRE_ITERATIONS)
 *   --check N       steps between two runs of the checkers; 1 compares all bytes each time, too
 *   --script FILE   plays what a failure has printed, and nothing else
 *   --without NAME  leaves out a kind of operation
 *   --save FILE     where the script of a failure goes as well
 *   --shrink N      seconds for making a failure short; 0: as it came
 *   --plant NAME    a bug of the test's own, which must be found: protection, dirty
 *
 * The run is a child process: whatever ends it, its steps are known here. They are made as few as
 * can be and printed as a script.
 *
 * At least 60 % of the operations succeed, each kind of operation and each row of the table of page
 * states is seen (a few may be missed in a short run), or the test fails: a generator gone dull is
 * noticed.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_SEED UINT64_C(20261121)
#define DEFAULT_OPS UINT64_C(60000)
#define ENOUGH_TO_SEE_ALL UINT64_C(450000) /* the default run sees most */
#define DEFAULT_CHECK 200u
#define FEW_MISSED 16u
#define DEFAULT_SHRINK 300u

typedef struct Options {
    uint64_t seed, n_ops;
    unsigned check_every, shrink_seconds;
    const char *script, *save;
} Options;

static uint64_t number(const char *text, uint64_t fallback)
{
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : fallback;
}

static int usage(const char *word)
{
    fprintf(stderr,
            "%s: not understood; there are --seed N|time, --ops N, --check N, --script FILE, "
            "--without NAME, --save FILE, --shrink SECONDS, --plant protection|dirty\n",
            word);
    return 2;
}

static bool set_option(Options *options, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0) {
        options->seed = strcmp(value, "time") == 0 ? (uint64_t)g_get_real_time() : number(value, 0);
    } else if (strcmp(name, "--ops") == 0) {
        options->n_ops = number(value, 0);
    } else if (strcmp(name, "--check") == 0) {
        options->check_every = MAX((unsigned)number(value, 1), 1);
    } else if (strcmp(name, "--shrink") == 0) {
        options->shrink_seconds = (unsigned)number(value, 0);
    } else if (strcmp(name, "--script") == 0) {
        options->script = value;
    } else if (strcmp(name, "--save") == 0) {
        options->save = value;
    } else if (strcmp(name, "--plant") == 0) {
        planted = strcmp(value, "protection") == 0 ? PLANTED_PROTECTION
                  : strcmp(value, "dirty") == 0    ? PLANTED_DIRTY
                                                   : PLANTED_NOTHING;
        return planted != PLANTED_NOTHING;
    } else {
        return strcmp(name, "--without") == 0 && run_disable(value);
    }
    return true;
}

/* ---- the run */

static int run(const Options *options)
{
    uint64_t n_done = 0;

    for (uint64_t part = 0; n_done < options->n_ops; part++) {
        g_autoptr(GArray) steps = run_generate(options->seed, part);

        report->part = part;
        n_done += run_play((const Step *)steps->data, steps->len, options->n_ops - n_done,
                           options->check_every, false);
        report->n_done = n_done;
    }
    bool good = run_print_counts(stdout, n_done, n_done < ENOUGH_TO_SEE_ALL ? FEW_MISSED : 0);

    fflush(stdout);
    return good || n_done < DEFAULT_OPS ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* False: it failed at report->at of part report->part, or its counts did. */
static bool run_in_child(const Options *options, bool *ret_counts)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int code = run(options);

        report->format = "counts";
        _exit(code);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        fprintf(stderr, "no child process\n");
        exit(EXIT_FAILURE);
    }
    *ret_counts = report->format != NULL && strcmp(report->format, "counts") == 0;
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
        *ret_counts = false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void make_short(const Options *options)
{
    g_autoptr(GArray) all = run_generate(options->seed, report->part);
    size_t n = MIN((size_t)report->at + 1, all->len);

    fprintf(stderr, "it was step %zu of part %" PRIu64 ", after %" PRIu64 " operations\n", n,
            report->part, report->n_done);
    g_autoptr(GArray) steps =
        shrink((const Step *)all->data, n, options->check_every, options->shrink_seconds);

    fprintf(stderr, "---- the script, %u steps: play it with --script FILE\n", steps->len);
    (void)shrink_show(steps);
    fprintf(stderr, "----\nrepeat all with --seed %" PRIu64 " --ops %" PRIu64 "\n", options->seed,
            options->n_ops);
    FILE *out = options->save != NULL ? fopen(options->save, "w") : NULL;

    if (out != NULL) {
        shrink_write(steps, out);
        (void)fclose(out);
    }
}

static int play_script(const Options *options)
{
    g_autoptr(GArray) steps = shrink_read(options->script);

    return steps != NULL && shrink_show(steps) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    Options options = { .seed = number(g_getenv("QUIRE_SEED"), DEFAULT_SEED),
                        .n_ops = number(g_getenv("QUIRE_ITERATIONS"), DEFAULT_OPS),
                        .check_every = DEFAULT_CHECK,
                        .shrink_seconds = DEFAULT_SHRINK };
    bool counts;

    run_init();
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !set_option(&options, argv[i], argv[i + 1])) {
            return usage(argv[i]);
        }
    }
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert(report != MAP_FAILED);
    if (options.script != NULL) {
        return play_script(&options);
    }
    printf("seed %" PRIu64 ", %" PRIu64 " operations\n", options.seed, options.n_ops);
    fflush(stdout);
    if (run_in_child(&options, &counts)) {
        return EXIT_SUCCESS;
    }
    if (!counts) {
        make_short(&options);
    }
    return EXIT_FAILURE;
}
