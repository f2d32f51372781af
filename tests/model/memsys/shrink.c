/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A failing list of steps made short: parts of it are left out, halves first and single steps last,
 * and what still fails in the same way is kept. Each try is a child process of its own.
 *
 * Source: delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", IEEE TSE 28(2), 2002).
 */
#include "tests/model/memsys/model.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_SECONDS 120
#define FEW_STEPS 400

/* How a list ended. */
typedef struct Outcome {
    bool failed;
    int signal;
    const char *format;
    size_t at;
} Outcome;

static Outcome try(const Step *steps, size_t n, unsigned check_every)
{
    Outcome outcome = { 0 };
    int status;

    report->format = NULL;
    report->at = 0;
    fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY);

        (void)dup2(nowhere, STDERR_FILENO);
        (void)alarm(TRY_SECONDS);
        (void)run_play(steps, n, UINT64_MAX, check_every, false);
        _Exit(EXIT_SUCCESS);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return outcome;
    }
    outcome.failed = !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS;
    outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    outcome.format = report->format;
    outcome.at = (size_t)report->at;
    return outcome;
}

static bool same(const Outcome *a, const Outcome *b)
{
    return a->failed && b->failed && a->signal == b->signal && a->format == b->format;
}

/* Keeps @rest, up to where it fails, if it fails as before. */
static bool keep(GArray *steps, const GArray *rest, unsigned check_every, const Outcome *wanted)
{
    Outcome outcome = try((const Step *)rest->data, rest->len, check_every);

    if (!same(&outcome, wanted)) {
        return false;
    }
    g_array_set_size(steps, 0);
    g_array_append_vals(steps, rest->data, (guint)MIN(outcome.at + 1, rest->len));
    return true;
}

static bool leave_out(GArray *steps, guint first, guint n, unsigned check_every,
                      const Outcome *wanted)
{
    g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(Step));

    g_array_append_vals(rest, steps->data, first);
    g_array_append_vals(rest, &g_array_index(steps, Step, first + n), steps->len - first - n);
    return keep(steps, rest, check_every, wanted);
}

static void leave_out_machines(GArray *steps, unsigned check_every, const Outcome *wanted)
{
    for (unsigned machine = 0; machine < N_MACHINES; machine++) {
        g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(Step));

        for (guint i = 0; i < steps->len; i++) {
            const Step *step = &g_array_index(steps, Step, i);

            if (step->machine != machine) {
                g_array_append_vals(rest, step, 1);
            }
        }
        (void)keep(steps, rest, check_every, wanted);
    }
}

/* Checked after each step it fails earlier, mostly; too slow for long lists. */
static void look_closer(GArray *steps, unsigned *check_every, Outcome *wanted)
{
    Outcome outcome = try((const Step *)steps->data, steps->len, 1);

    if (outcome.failed) {
        *check_every = 1;
        *wanted = outcome;
        g_array_set_size(steps, (guint)MIN(outcome.at + 1, steps->len));
    }
}

GArray *shrink(const Step *all, size_t n, unsigned check_every, unsigned seconds)
{
    gint64 end = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(Step));
    Outcome wanted = try(all, n, check_every);

    if (!wanted.failed) {
        fprintf(stderr, "it does not fail again\n");
        g_array_append_vals(steps, all, (guint)n);
        return steps;
    }
    g_array_append_vals(steps, all, (guint)MIN(wanted.at + 1, n));
    if (seconds != 0) {
        leave_out_machines(steps, check_every, &wanted);
    }
    for (guint size = MAX(steps->len / 2, 1); g_get_monotonic_time() < end;) {
        bool shorter = false;

        if (check_every != 1 && steps->len <= FEW_STEPS) {
            look_closer(steps, &check_every, &wanted);
        }
        fprintf(stderr, "%u steps, leaving out %u at a time\n", steps->len, size);
        for (guint at = 0; at < steps->len && g_get_monotonic_time() < end;) {
            guint part = MIN(size, steps->len - at);

            if (leave_out(steps, at, part, check_every, &wanted)) {
                shorter = true;
            } else {
                at += part;
            }
        }
        if (size == 1 && !shorter) {
            break;
        }
        size = MAX(MIN(size / 2, steps->len / 2), 1);
    }
    return steps;
}

int shrink_show(const GArray *steps)
{
    int status;

    fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        (void)run_play((const Step *)steps->data, steps->len, UINT64_MAX, 1, true);
        fprintf(stderr, "# does not fail\n");
        _Exit(EXIT_SUCCESS);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "# ended by signal %d\n", WTERMSIG(status));
    }
    return status;
}

/* ---- scripts: a line a step, "MACHINE SEED NAME"; # begins a comment */

void shrink_write(const GArray *steps, FILE *out)
{
    for (guint i = 0; i < steps->len; i++) {
        const Step *step = &g_array_index(steps, Step, i);

        fprintf(out, "%u %#" PRIx64 " %s\n", step->machine, step->seed, run_op_name(step->op));
    }
}

GArray *shrink_read(const char *path)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(Step));

    if (!g_file_get_contents(path, &text, NULL, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (unsigned i = 0; lines[i] != NULL; i++) {
        char *line = g_strstrip(lines[i]), *at;

        if (*line == '\0' || *line == '#') {
            continue;
        }
        uint64_t machine = strtoull(line, &at, 0);
        uint64_t seed = strtoull(at, &at, 0);
        int op = run_op_number(g_strstrip(at));

        if (machine >= N_MACHINES || op < 0) {
            fprintf(stderr, "%s:%u: not a step: %s\n", path, i + 1, line);
            return NULL;
        }
        Step step = { .seed = seed, .machine = (uint8_t)machine, .op = (uint8_t)op };

        g_array_append_val(steps, step);
    }
    return g_steal_pointer(&steps);
}
