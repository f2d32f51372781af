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

#define REPEAT_US 50000
#define N_INTERRUPTS_TO_EXIT 3

static EmuMachine *volatile running;
static volatile sig_atomic_t caught;
static volatile sig_atomic_t timed_out;
static volatile sig_atomic_t n_interrupts;

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

static void on_signal(int number)
{
    int saved = errno;

    if (number == SIGALRM) {
        timed_out = 1;
    } else if (caught == 0) {
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
    uint64_t us = MAX(timeout_ns / 1000, 1);
    struct itimerval timer = {
        .it_value = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) },
        .it_interval = { 0, REPEAT_US },
    };

    install(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &timer, NULL);
}

void fe_signals_start(EmuMachine *machine, uint64_t timeout_ns)
{
    caught = 0;
    timed_out = 0;
    n_interrupts = 0;
    running = machine;
    install(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < G_N_ELEMENTS(ending); i++) {
        install(ending[i], on_signal);
    }
    if (timeout_ns != 0) {
        start_timer(timeout_ns);
    }
}

void fe_signals_stop(void)
{
    struct itimerval off = { { 0, 0 }, { 0, 0 } };

    setitimer(ITIMER_REAL, &off, NULL);
    running = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(ending); i++) {
        install(ending[i], SIG_DFL);
    }
}

int fe_signals_caught(void)
{
    return caught;
}

bool fe_signals_timed_out(void)
{
    return timed_out != 0;
}

bool fe_signals_want_end(void)
{
    return caught != 0 || timed_out != 0;
}
