/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals while a machine runs; see signals.h.
 *
 * The handlers set flags and call emu_machine_request_stop(), which is made for that. The timer
 * repeats, so that a request cannot get lost for good.
 */
#include "signals.h"

#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#define TICK_US 50000
#define N_INTERRUPTS_TO_EXIT 3

static EmuMachine *volatile running;
static volatile sig_atomic_t caught;
static int64_t deadline_us; /* of g_get_monotonic_time(); 0: none */
static volatile sig_atomic_t n_interrupts;

static const struct {
    int number;
    const char *name;
} ending[] = {
    { SIGINT, "SIGINT (Ctrl-C)" },
    { SIGTERM, "SIGTERM" },
    { SIGHUP, "SIGHUP" },
};

static void on_signal(int number)
{
    int saved = errno;

    if (number != SIGALRM && caught == 0) {
        caught = number;
    }
    if (number == SIGINT) {
        n_interrupts = n_interrupts + 1;
        if (n_interrupts >= N_INTERRUPTS_TO_EXIT) {
            fe_terminal_restore();
            _exit(128 + SIGINT);
        }
    }
    if (running != NULL) {
        emu_machine_request_stop(running);
    }
    errno = saved;
}

static void install(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void start_timer(uint64_t timeout_ns)
{
    uint64_t timeout_us = timeout_ns / 1000 + 1;
    suseconds_t first_us = timeout_ns != 0 ? (suseconds_t)MIN(timeout_us, TICK_US) : TICK_US;
    struct itimerval timer = { .it_value = { 0, first_us }, .it_interval = { 0, TICK_US } };

    deadline_us = timeout_ns != 0 ? g_get_monotonic_time() + (int64_t)timeout_us : 0;
    install(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &timer, NULL);
}

void fe_signals_start(EmuMachine *machine, uint64_t timeout_ns)
{
    caught = 0;
    n_interrupts = 0;
    running = machine;
    install(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < G_N_ELEMENTS(ending); i++) {
        install(ending[i].number, on_signal);
    }
    start_timer(timeout_ns);
}

void fe_signals_stop(void)
{
    struct itimerval off = { { 0, 0 }, { 0, 0 } };

    setitimer(ITIMER_REAL, &off, NULL);
    running = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(ending); i++) {
        install(ending[i].number, SIG_DFL);
    }
}

int fe_signals_caught(void)
{
    return caught;
}

const char *fe_signals_name(int number)
{
    unsigned i = 0;

    while (i + 1 < G_N_ELEMENTS(ending) && ending[i].number != number) {
        i++;
    }
    return ending[i].name;
}

bool fe_signals_timed_out(void)
{
    return deadline_us != 0 && g_get_monotonic_time() >= deadline_us;
}

bool fe_signals_want_end(void)
{
    return caught != 0 || fe_signals_timed_out();
}
