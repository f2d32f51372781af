/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of one run; see files.h.
 */
#include "files.h"

#include "emu/error.h"
#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>

typedef struct KnownFile {
    dev_t device;
    ino_t inode;
    char *option;
    bool written;
} KnownFile;

struct FeFiles {
    GArray *known; /* of KnownFile */
};

static void clear_known(void *data)
{
    g_free(((KnownFile *)data)->option);
}

FeFiles *fe_files_new(void)
{
    FeFiles *files = g_new0(FeFiles, 1);

    files->known = g_array_new(FALSE, TRUE, sizeof(KnownFile));
    g_array_set_clear_func(files->known, clear_known);
    return files;
}

void fe_files_free(FeFiles *files)
{
    if (files != NULL) {
        g_array_unref(files->known);
        g_free(files);
    }
}

/* Adds @info unless it and a file known already exclude each other. */
static bool add(FeFiles *files, const struct stat *info, const char *option, const char *path,
                bool written, GError **error)
{
    if (!S_ISREG(info->st_mode)) {
        return true;
    }
    for (unsigned i = 0; i < files->known->len; i++) {
        const KnownFile *other = &g_array_index(files->known, KnownFile, i);

        if (other->device == info->st_dev && other->inode == info->st_ino &&
            (written || other->written)) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_CONFLICT,
                        "%s: '%s' is the file of %s too, and one of them writes: name another file",
                        option, path, other->option);
            return false;
        }
    }

    KnownFile file = { info->st_dev, info->st_ino, g_strdup(option), written };

    g_array_append_val(files->known, file);
    return true;
}

bool fe_files_add_input(FeFiles *files, const char *option, const char *path, bool written,
                        GError **error)
{
    struct stat info;

    return mem_os()->stat(path, &info) != 0 || add(files, &info, option, path, written, error);
}

static int refuse(const char *option, const char *path, int host_error, GError **error)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: cannot write '%s': %s; name another file",
                option, path, g_strerror(host_error));
    return -1;
}

int fe_files_open_output(FeFiles *files, const char *option, const char *path, GError **error)
{
    /* Not emptied before it is known not to be somebody's input. */
    const MemOs *os = mem_os();
    int fd = os->open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    struct stat info;

    if (fd < 0) {
        return refuse(option, path, errno, error);
    }
    if (os->fstat(fd, &info) != 0) {
        refuse(option, path, errno, error);
        os->close(fd);
        return -1;
    }
    if (!add(files, &info, option, path, true, error)) {
        os->close(fd);
        return -1;
    }
    if (S_ISREG(info.st_mode) && os->ftruncate(fd, 0) != 0) {
        refuse(option, path, errno, error);
        os->close(fd);
        return -1;
    }
    return fd;
}
