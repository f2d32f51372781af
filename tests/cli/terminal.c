/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `quire run` at a terminal, here a pseudo-terminal: keys arrive unechoed one by one, Ctrl-C ends
 * the run, and however it ends, the terminal is as it was.
 *
 * Usage: test-terminal QUIRE
 */
#include <check.h>
#include <glib.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#define WAIT_MS 10000
#define IMAGE_SIZE 8192

static const char *quire;
static char *image;

/* Says '>', then echoes the serial port, incremented, until 'q' comes; then isa-debug-exit with 1.
 */
static const uint8_t code[] = {
    0xBA, 0xF8, 0x03, 0xB0, '>',  0xEE,             /* out '>' */
    0xBA, 0xFD, 0x03, 0xEC, 0xA8, 0x01, 0x74, 0xF8, /* until a key is there */
    0xBA, 0xF8, 0x03, 0xEC, 0x3C, 'q',  0x74, 0x05, 0xFE, 0xC0, 0xEE, 0xEB, 0xEB, /* out key + 1 */
    0xB0, 0x01, 0xE6, 0xF4, 0xEB, 0xFE,
};
static const uint8_t reset_vector[] = { 0xE9, 0x0D, 0xFF }; /* to 256 bytes before the end */

static char *make_image(void)
{
    char *path = g_build_filename(g_get_tmp_dir(), "quire-terminal-XXXXXX", NULL);
    g_autofree uint8_t *bytes = g_malloc0(IMAGE_SIZE);
    int fd = g_mkstemp(path);

    memcpy(bytes + IMAGE_SIZE - 256, code, sizeof(code));
    memcpy(bytes + IMAGE_SIZE - 16, reset_vector, sizeof(reset_vector));
    g_assert(fd >= 0 && write(fd, bytes, IMAGE_SIZE) == IMAGE_SIZE);
    close(fd);
    return path;
}

/* One run at a terminal of its own. The slave side is kept open: what it is set to outlives the
 * run. */
typedef struct Session {
    pid_t pid;
    int master;
    int slave;
    GString *text; /* what came */
} Session;

static void start(Session *session)
{
    session->text = g_string_new(NULL);
    ck_assert_int_eq(openpty(&session->master, &session->slave, NULL, NULL, NULL), 0);
    session->pid = fork();
    ck_assert_int_ge(session->pid, 0);
    if (session->pid == 0) {
        close(session->master);
        login_tty(session->slave);
        execl(quire, quire, "run", "--bios", image, "--timeout", "60", (char *)NULL);
        _exit(99);
    }
}

/* Reads until @part has come. */
static void wait_for(Session *session, const char *part)
{
    char bytes[512];

    while (strstr(session->text->str, part) == NULL) {
        struct pollfd ready = { .fd = session->master, .events = POLLIN };

        ck_assert_msg(poll(&ready, 1, WAIT_MS) == 1, "no '%s' in '%s'", part, session->text->str);

        ssize_t n = read(session->master, bytes, sizeof(bytes));

        ck_assert_msg(n > 0, "no '%s' in '%s'", part, session->text->str);
        g_string_append_len(session->text, bytes, n);
    }
}

static bool is_raw(const Session *session)
{
    struct termios mode;

    ck_assert_int_eq(tcgetattr(session->slave, &mode), 0);
    return (mode.c_lflag & (ICANON | ECHO)) == 0;
}

/* Returns: the status as waitpid() gives it */
static int finish(Session *session)
{
    int status = -1;

    ck_assert_int_eq(waitpid(session->pid, &status, 0), session->pid);
    ck_assert_msg(!is_raw(session), "the terminal stays raw");
    close(session->master);
    close(session->slave);
    g_string_free(session->text, TRUE);
    return status;
}

START_TEST(keys_reach_the_guest_unechoed)
{
    Session session;

    start(&session);
    wait_for(&session, ">");
    ck_assert(is_raw(&session));
    ck_assert_int_eq(write(session.master, "HAL", 3), 3);
    wait_for(&session, "IBM");
    ck_assert_ptr_null(strstr(session.text->str, "HAL"));
    ck_assert_int_eq(write(session.master, "q", 1), 1);
    wait_for(&session, "quire: stopped: ");
    ck_assert_ptr_nonnull(strstr(session.text->str, "IBM\r\nquire: "));

    int status = finish(&session);

    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 3);
}
END_TEST

START_TEST(control_c_ends_the_run)
{
    Session session;

    start(&session);
    wait_for(&session, ">");
    ck_assert_int_eq(write(session.master, "\x03", 1), 1);
    wait_for(&session, "quire: stopped: by SIGINT");

    int status = finish(&session);

    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 130);
}
END_TEST

static const int deadly[] = { SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV };

/* With or without a word: the terminal comes back (checked in finish()). */
START_TEST(terminal_comes_back_after_signal)
{
    Session session;

    start(&session);
    wait_for(&session, ">");
    ck_assert(is_raw(&session));
    ck_assert_int_eq(kill(session.pid, deadly[_i]), 0);

    int status = finish(&session);

    if (_i < 2) {
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 128 + deadly[_i]);
    } else {
        ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    }
}
END_TEST

START_TEST(suspended_run_gives_the_terminal_back_for_a_while)
{
    Session session;
    int status = 0;

    start(&session);
    wait_for(&session, ">");
    ck_assert_int_eq(write(session.master, "\x1a", 1), 1); /* Ctrl-Z */
    ck_assert_int_eq(waitpid(session.pid, &status, WUNTRACED), session.pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert(!is_raw(&session));
    ck_assert_int_eq(kill(session.pid, SIGCONT), 0);
    ck_assert_int_eq(write(session.master, "HAL", 3), 3);
    wait_for(&session, "IBM");
    ck_assert(is_raw(&session));
    ck_assert_int_eq(write(session.master, "q", 1), 1);
    ck_assert_int_eq(WEXITSTATUS(finish(&session)), 3);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("terminal");
    TCase *all = tcase_create("all");

    g_assert(argc == 2);
    quire = argv[1];
    image = make_image();
    tcase_set_timeout(all, 60);
    tcase_add_test(all, keys_reach_the_guest_unechoed);
    tcase_add_test(all, control_c_ends_the_run);
    tcase_add_loop_test(all, terminal_comes_back_after_signal, 0, G_N_ELEMENTS(deadly));
    tcase_add_test(all, suspended_run_gives_the_terminal_back_for_a_while);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    unlink(image);
    g_free(image);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
