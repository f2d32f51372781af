/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is typed: stdin to a console of the guest; see terminal.h.
 *
 * stdin may be a terminal, a pipe or a file. It is looked at between slices of the run, never
 * waited for, and only when the console has taken what was read before.
 */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define IDLE_MS 10

static EmuConsole *to;        /* NULL: nobody reads */
static uint8_t waiting[4096]; /* read, but not taken yet: [n_taken, n_waiting) */
static size_t n_waiting;
static size_t n_taken;

static struct termios before;
static struct termios raw;
static volatile sig_atomic_t is_raw;

/* Those that kill without asking us. */
static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT };

void fe_terminal_restore(void)
{
    if (is_raw) {
        is_raw = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
}

/* Handlers of these are gone by the time they run (SA_RESETHAND): raising again does the usual
 * thing. */
static void on_deadly(int number)
{
    fe_terminal_restore();
    raise(number);
}

static void on_continue(int number);

static void on_suspend(G_GNUC_UNUSED int number)
{
    int saved = errno;
    bool again = is_raw != 0;

    fe_terminal_restore();
    raise(SIGSTOP);
    if (again) {
        on_continue(SIGCONT);
    }
    errno = saved;
}

/* A background process that touched the terminal would be stopped for it. */
static bool in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void on_continue(G_GNUC_UNUSED int number)
{
    if (!is_raw && in_foreground() && tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) {
        is_raw = 1;
    }
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void make_raw(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        return;
    }
    raw = before;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(deadly); i++) {
        install(deadly[i], on_deadly, (int)SA_RESETHAND | SA_NODEFER);
    }
    install(SIGTSTP, on_suspend, SA_RESTART);
    install(SIGCONT, on_continue, SA_RESTART);
    on_continue(SIGCONT);
}

void fe_terminal_start(EmuConsole *console)
{
    to = console;
    n_waiting = 0;
    n_taken = 0;
    make_raw();
}

/* False if nothing came; the end of the input ends all reading. */
static bool read_more(int wait_ms)
{
    struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };

    if (poll(&ready, 1, wait_ms) <= 0) {
        return false;
    }

    ssize_t n = read(STDIN_FILENO, waiting, sizeof(waiting));

    if (n > 0) {
        n_waiting = (size_t)n;
        n_taken = 0;
        return true;
    }
    if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        to = NULL;
    }
    return false;
}

bool fe_terminal_poll(bool idle)
{
    int wait_ms = idle && is_raw ? IDLE_MS : 0;

    if (to != NULL && (n_taken < n_waiting || read_more(wait_ms))) {
        n_taken += emu_console_feed(to, waiting + n_taken, n_waiting - n_taken);
    }
    return to != NULL;
}
