/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `quire` program: picks the command.
 */
#include "help.h"
#include "run.h"
#include "say.h"
#include "state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A closed stdin, stdout or stderr would be given to the next file that is opened. This one fails
 * when written to. */
static void fill_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) != fd) {
            _exit(FE_STATUS_USAGE);
        }
    }
}

static int print(void (*help)(GString *text))
{
    g_autoptr(GString) text = g_string_new(NULL);

    help(text);
    return fe_print(text->str) ? FE_STATUS_GOOD : FE_STATUS_USAGE;
}

static bool is_one_of(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

static int refuse(const char *word)
{
    if (word[0] == '-') {
        fe_say("unknown option %s; options of a run stand behind 'quire run', see 'quire --help'",
               word);
    } else {
        fe_say("unknown command '%s'; there are 'quire run' and 'quire state', see 'quire --help'",
               word);
    }
    return FE_STATUS_USAGE;
}

int main(int argc, char **argv)
{
    static const char *const help[] = { "help", "--help", "-h", "-help", NULL };
    static const char *const version[] = { "version", "--version", "-V", "-version", NULL };

    fill_standard_files();
    if (argc < 2) {
        return print(fe_help_quire);
    }
    if (strcmp(argv[1], "run") == 0) {
        return fe_run(argv + 2);
    }
    if (strcmp(argv[1], "state") == 0) {
        return fe_state(argv + 2);
    }
    if (!is_one_of(argv[1], help) && !is_one_of(argv[1], version)) {
        return refuse(argv[1]);
    }
    if (argc == 3 && is_one_of(argv[1], help) && strcmp(argv[2], "run") == 0) {
        return print(fe_help_run);
    }
    if (argc == 3 && is_one_of(argv[1], help) && strcmp(argv[2], "state") == 0) {
        return print(fe_state_print_help);
    }
    if (argc > 2) {
        fe_say("'quire %s' takes nothing behind it: leave '%s' away", argv[1], argv[2]);
        return FE_STATUS_USAGE;
    }
    return print(is_one_of(argv[1], help) ? fe_help_quire : fe_help_version);
}
