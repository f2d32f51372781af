/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that appear when they are whole; see whole-file.h.
 */
#include "whole-file.h"

#include "emu/error.h"
#include "memsys/os.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE 65536
#define NAME_TRIES 100

/* Invariant: len bytes wait in buffer; none is written any more once host_error is set. */
struct FeWholeFile {
    char *name;      /* for messages: as the user said it */
    char *path;      /* where it shall appear */
    char *temporary; /* NULL: path itself is open, or renamed already */
    int fd;          /* -1: closed */
    int host_error;  /* errno of the first failure, or 0 */
    size_t len;
    unsigned char buffer[BUFFER_SIZE];
};

static void describe(const char *name, int host_error, GError **error)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "cannot write %s: %s", name,
                g_strerror(host_error));
}

/* A link that leads nowhere is replaced itself. */
static char *follow_links(const char *path)
{
    char *real = realpath(path, NULL);
    char *copy = g_strdup(real != NULL ? real : path);

    free(real); /* libc's */
    return copy;
}

/* Opens a file that nobody else has, or sets errno. */
static int open_temporary(const char *path, int access, char **ret_name)
{
    int fd = -1;

    errno = EEXIST;
    for (unsigned i = 0; i < NAME_TRIES && fd < 0 && (errno == EEXIST || errno == EINTR); i++) {
        g_autofree char *name =
            g_strdup_printf("%s.%08x%08x.tmp", path, g_random_int(), g_random_int());

        fd = mem_os()->open(name, access | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *ret_name = g_steal_pointer(&name);
        }
    }
    return fd;
}

FeWholeFile *fe_whole_file_new(const char *path, GError **error)
{
    g_autoptr(FeWholeFile) file = g_new0(FeWholeFile, 1);
    struct stat info;

    file->name = g_strdup(path);
    file->path = follow_links(path);
    if (mem_os()->stat(file->path, &info) == 0 && !S_ISREG(info.st_mode)) {
        file->fd = mem_os()->open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0);
    } else {
        file->fd = open_temporary(file->path, O_WRONLY, &file->temporary);
    }
    if (file->fd < 0) {
        describe(path, errno, error);
        return NULL;
    }
    return g_steal_pointer(&file);
}

void fe_whole_file_free(FeWholeFile *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        (void)mem_os()->close(file->fd);
    }
    if (file->temporary != NULL) {
        (void)mem_os()->unlink(file->temporary);
    }
    g_free(file->temporary);
    g_free(file->path);
    g_free(file->name);
    g_free(file);
}

static void write_out(FeWholeFile *file, const unsigned char *bytes, size_t len)
{
    while (len > 0 && file->host_error == 0) {
        ssize_t n = mem_os()->write(file->fd, bytes, len);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n == 0) {
            file->host_error = EIO;
        } else if (errno != EINTR || (file->temporary == NULL && fe_signals_want_end())) {
            /* A pipe's reader may never come; a disk answers. */
            file->host_error = errno;
        }
    }
}

void fe_whole_file_put(FeWholeFile *file, const void *bytes, size_t len)
{
    if (len > BUFFER_SIZE - file->len) {
        write_out(file, file->buffer, file->len);
        file->len = 0;
    }
    if (len > BUFFER_SIZE) {
        write_out(file, bytes, len);
    } else if (len > 0) { /* of nothing, bytes may be NULL */
        memcpy(file->buffer + file->len, bytes, len);
        file->len += len;
    }
}

bool fe_whole_file_has_failed(const FeWholeFile *file)
{
    return file->host_error != 0;
}

bool fe_whole_file_commit(FeWholeFile *file, GError **error)
{
    write_out(file, file->buffer, file->len);
    file->len = 0;

    int closed = mem_os()->close(file->fd);

    file->fd = -1;
    if (file->host_error == 0 && closed != 0) {
        file->host_error = errno;
    }
    if (file->host_error == 0 && file->temporary != NULL) {
        if (mem_os()->rename(file->temporary, file->path) != 0) {
            file->host_error = errno;
        } else {
            g_clear_pointer(&file->temporary, g_free);
        }
    }
    if (file->host_error != 0) {
        describe(file->name, file->host_error, error);
    }
    return file->host_error == 0;
}

int fe_whole_file_open_beside(const char *path, GError **error)
{
    g_autofree char *real = follow_links(path);
    g_autofree char *name = NULL;
    int fd = open_temporary(real, O_RDWR, &name);

    if (fd < 0) {
        describe(path, errno, error);
        return -1;
    }
    (void)mem_os()->unlink(name);
    return fd;
}
