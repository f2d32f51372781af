/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu-screen.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct QemuScreen {
    char *dir; /* serial: the serial line; dump: the last screendump */
    GPid pid;
    int monitor;
    unsigned n_dumps;
};

#define ERROR_DOMAIN g_quark_from_static_string("qemu-screen")

/* Lives as long as a picture may take. */
#define DUMP_SECONDS 10

static char *path_in(const QemuScreen *qemu, const char *name)
{
    return g_build_filename(qemu->dir, name, NULL);
}

QemuScreen *qemu_screen_new(const char *drive, GError **error)
{
    QemuScreen *qemu = g_new0(QemuScreen, 1);

    qemu->dir = g_dir_make_tmp("quire-screens-XXXXXX", error);
    if (qemu->dir == NULL) {
        g_free(qemu);
        return NULL;
    }
    /* The order of booting is that of our CMOS. */
    g_autofree char *line = g_strdup_printf(
        "qemu-system-x86_64\n-nodefaults\n-machine\npc,accel=tcg\n-vga\nstd\n-display\nnone\n"
        "-monitor\nstdio\n-boot\norder=ac\n-serial\nfile:%s/serial\n"
        "-drive\nfile=%s,format=raw,if=ide,snapshot=on",
        qemu->dir, drive);
    g_auto(GStrv) argv = g_strsplit(line, "\n", -1);

    if (!g_spawn_async_with_pipes(NULL, argv, NULL,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                      G_SPAWN_STDOUT_TO_DEV_NULL,
                                  NULL, NULL, &qemu->pid, &qemu->monitor, NULL, NULL, error)) {
        g_prefix_error(error, "package qemu-system-x86 is needed: ");
        qemu_screen_free(qemu);
        return NULL;
    }
    return qemu;
}

void qemu_screen_free(QemuScreen *qemu)
{
    if (qemu == NULL) {
        return;
    }
    if (qemu->pid != 0) {
        (void)close(qemu->monitor);
        (void)kill(qemu->pid, SIGKILL);
        (void)waitpid(qemu->pid, NULL, 0);
    }
    g_autofree char *serial = path_in(qemu, "serial");

    (void)g_unlink(serial);
    (void)g_rmdir(qemu->dir);
    g_free(qemu->dir);
    g_free(qemu);
}

bool qemu_screen_wait(QemuScreen *qemu, const char *text, unsigned seconds)
{
    g_autofree char *path = path_in(qemu, "serial");
    gint64 end = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;

    while (g_get_monotonic_time() < end) {
        g_autofree char *words = NULL;

        if (g_file_get_contents(path, &words, NULL, NULL) && strstr(words, text) != NULL) {
            return true;
        }
        g_usleep(20000);
    }
    return false;
}

/* Reads "P6 WIDTH HEIGHT 255" and the bytes behind it. */
static bool parse_ppm(const char *bytes, gsize len, unsigned *ret_width, unsigned *ret_height,
                      uint32_t **ret_pixels)
{
    unsigned depth;
    int header = 0;

    if (sscanf(bytes, "P6 %u %u %u%n", ret_width, ret_height, &depth, &header) != 3 ||
        depth != 255 || *ret_width > 8192 || *ret_height > 8192) {
        return false;
    }
    size_t n = (size_t)*ret_width * *ret_height;
    const uint8_t *rgb = (const uint8_t *)bytes + header + 1;

    if (len != (size_t)header + 1 + 3 * n) {
        return false; /* not all is written yet */
    }
    *ret_pixels = g_new(uint32_t, n);
    for (size_t i = 0; i < n; i++) {
        (*ret_pixels)[i] =
            (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
    }
    return true;
}

bool qemu_screen_dump(QemuScreen *qemu, unsigned *ret_width, unsigned *ret_height,
                      uint32_t **ret_pixels, GError **error)
{
    g_autofree char *name = g_strdup_printf("dump-%u", qemu->n_dumps++);
    g_autofree char *path = path_in(qemu, name);
    g_autofree char *command = g_strdup_printf("screendump %s\n", path);
    gint64 end = g_get_monotonic_time() + DUMP_SECONDS * G_USEC_PER_SEC;
    bool done = false;

    if (write(qemu->monitor, command, strlen(command)) != (ssize_t)strlen(command)) {
        g_set_error(error, ERROR_DOMAIN, 0, "QEMU's monitor takes no commands");
        return false;
    }
    while (!done && g_get_monotonic_time() < end) {
        g_autofree char *bytes = NULL;
        gsize len = 0;

        g_usleep(10000);
        done = g_file_get_contents(path, &bytes, &len, NULL) &&
               parse_ppm(bytes, len, ret_width, ret_height, ret_pixels);
    }
    (void)g_unlink(path);
    if (!done) {
        g_set_error(error, ERROR_DOMAIN, 0, "QEMU wrote no picture in %u seconds", DUMP_SECONDS);
    }
    return done;
}
