/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our words on stderr; see say.h.
 */
#include "say.h"

#include <errno.h>
#include <stdio.h>

void fe_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);

    for (char *at = line; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at)) {
            *at = '?';
        }
    }
    fprintf(stderr, "quire: %s\n", line);
}

void fe_say_text(const char *text)
{
    fputs(text, stderr);
}

bool fe_print(const char *text)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        fe_say("cannot write stdout: %s", g_strerror(errno));
        return false;
    }
    return true;
}
