/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of one run; see files.h.
 */
#include "files.h"

#include "emu/error.h"
#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What tells a file from others: while it is not there, its place. */
typedef struct FileId {
    bool exists;
    dev_t device; /* its own, or its folder's */
    ino_t inode;
    char *name; /* (owned) NULL if it exists */
} FileId;

typedef struct KnownFile {
    FileId id;
    char *path; /* where it was not yet: it may be there by now */
    char *option;
    bool written;
} KnownFile;

struct FeFiles {
    GArray *known; /* of KnownFile */
};

static void clear_known(void *data)
{
    KnownFile *file = data;

    g_free(file->id.name);
    g_free(file->path);
    g_free(file->option);
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

/* Of a file that is there. */
static FileId id_of(const struct stat *info)
{
    return (FileId) { true, info->st_dev, info->st_ino, NULL };
}

/* Of a file that may have to be made; false if there is nowhere to make it. */
static bool look_up(const char *path, FileId *ret_id)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat info;

    if (mem_os()->stat(path, &info) == 0) {
        *ret_id = id_of(&info);
        return true;
    }
    if (mem_os()->stat(folder, &info) != 0) {
        return false;
    }
    *ret_id = (FileId) { false, info.st_dev, info.st_ino, g_path_get_basename(path) };
    return true;
}

static bool same_id(const FileId *a, const FileId *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
           (a->exists || strcmp(a->name, b->name) == 0);
}

/* One that was not there when it was named, and is now, has got an identity of its own. */
static void refresh(KnownFile *file)
{
    struct stat info;

    if (!file->id.exists && mem_os()->stat(file->path, &info) == 0) {
        g_free(file->id.name);
        file->id = id_of(&info);
    }
}

/* Takes @id over. Adds the file unless it and one known already exclude each other. */
static bool add(FeFiles *files, FileId id, const char *option, const char *path, bool written,
                GError **error)
{
    for (unsigned i = 0; i < files->known->len; i++) {
        KnownFile *other = &g_array_index(files->known, KnownFile, i);

        refresh(other);
        if (same_id(&id, &other->id) && (written || other->written)) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_CONFLICT,
                        "%s: '%s' is the file of %s too, and one of them writes: name another file",
                        option, path, other->option);
            g_free(id.name);
            return false;
        }
    }

    KnownFile file = { id, g_strdup(path), g_strdup(option), written };

    g_array_append_val(files->known, file);
    return true;
}

bool fe_files_add_input(FeFiles *files, const char *option, const char *path, bool written,
                        GError **error)
{
    struct stat info;

    return mem_os()->stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
           add(files, id_of(&info), option, path, written, error);
}

static int refuse(const char *option, const char *path, int host_error, GError **error)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: cannot write '%s': %s; name another file",
                option, path, g_strerror(host_error));
    return -1;
}

int fe_files_open_output(FeFiles *files, const char *option, const char *path, GError **error)
{
    const MemOs *os = mem_os();
    struct stat info;
    FileId place;
    bool is_new = os->stat(path, &info) != 0;

    /* Not made for a conflict to be found then; nor emptied before it is known not to be somebody's
     * input. */
    if (is_new && look_up(path, &place) && !add(files, place, option, path, true, error)) {
        return -1;
    }

    int fd = os->open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);

    if (fd < 0) {
        return refuse(option, path, errno, error);
    }
    if (os->fstat(fd, &info) != 0) {
        refuse(option, path, errno, error);
        os->close(fd);
        return -1;
    }
    if (!is_new && S_ISREG(info.st_mode) && !add(files, id_of(&info), option, path, true, error)) {
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

/* Whether a file can be renamed to @path: what is there must be a file, and the folder of what it
 * leads to must let us. Returns: errno, or 0 */
static int why_not_replace(const char *path)
{
    char *real = realpath(path, NULL);
    g_autofree char *folder = g_path_get_dirname(real != NULL ? real : path);
    struct stat info;

    free(real); /* libc's */
    if (mem_os()->stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    }
    if (mem_os()->stat(folder, &info) != 0) {
        return errno;
    }
    if (!S_ISDIR(info.st_mode)) {
        return ENOTDIR;
    }
    return access(folder, W_OK | X_OK) == 0 ? 0 : errno;
}

bool fe_files_can_replace(const char *option, const char *path, GError **error)
{
    int host_error = why_not_replace(path);

    return host_error == 0 || refuse(option, path, host_error, error) == 0;
}

bool fe_files_add_replaced(FeFiles *files, const char *option, const char *path, GError **error)
{
    struct stat info;
    FileId id;

    /* A pipe or a device is written as it is (whole-file.h). */
    if (mem_os()->stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        return access(path, W_OK) == 0 || refuse(option, path, errno, error) == 0;
    }
    if (!fe_files_can_replace(option, path, error)) {
        return false;
    }
    return look_up(path, &id) ? add(files, id, option, path, true, error)
                              : refuse(option, path, errno, error) == 0;
}

bool fe_files_make_folder(const char *option, const char *path, GError **error)
{
    struct stat info;

    if (g_mkdir(path, 0777) != 0 && errno != EEXIST) {
        return refuse(option, path, errno, error) == 0;
    }
    if (mem_os()->stat(path, &info) != 0) {
        return refuse(option, path, errno, error) == 0;
    }
    if (!S_ISDIR(info.st_mode)) {
        return refuse(option, path, ENOTDIR, error) == 0;
    }
    return access(path, W_OK | X_OK) == 0 || refuse(option, path, errno, error) == 0;
}
