/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are bytes in memory: the host's table with the file functions replaced. A path that
 * begins with "mem:N" opens file N, one more is every folder. Fast, and a read behind a buffer is
 * AddressSanitizer's to see.
 */
#pragma once

#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>

#define MEMORY_FILES 4
#define MEMORY_FD 1000 /* + number of the file */

typedef struct MemoryFile {
    uint8_t *bytes;
    size_t len;
    size_t room; /* a write beyond fails: the disk is full */
    size_t pos;
} MemoryFile;

static MemoryFile memory_files[MEMORY_FILES];

static inline int memory_open(const char *path, int flags, mode_t mode)
{
    unsigned n = g_str_has_prefix(path, "mem:") ? (unsigned)(path[4] - '0') : MEMORY_FILES;

    (void)mode;
    if ((flags & O_DIRECTORY) != 0) {
        return MEMORY_FD + MEMORY_FILES;
    }
    if (n >= MEMORY_FILES || memory_files[n].bytes == NULL) {
        errno = ENOENT;
        return -1;
    }
    memory_files[n].pos = 0;
    if ((flags & O_CREAT) != 0) {
        memory_files[n].len = 0;
    }
    return MEMORY_FD + (int)n;
}

static inline ssize_t memory_pread(int fd, void *buf, size_t len, off_t offset)
{
    const MemoryFile *file = &memory_files[fd - MEMORY_FD];
    size_t n = (size_t)offset < file->len ? MIN(len, file->len - (size_t)offset) : 0;

    if (n > 0) {
        memcpy(buf, file->bytes + offset, n);
    }
    return (ssize_t)n;
}

static inline ssize_t memory_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
    MemoryFile *file = &memory_files[fd - MEMORY_FD];

    if ((size_t)offset + len > file->room) {
        errno = ENOSPC;
        return -1;
    }
    memcpy(file->bytes + offset, buf, len);
    file->len = MAX(file->len, (size_t)offset + len);
    return (ssize_t)len;
}

static inline ssize_t memory_read(int fd, void *buf, size_t len)
{
    ssize_t n = memory_pread(fd, buf, len, (off_t)memory_files[fd - MEMORY_FD].pos);

    memory_files[fd - MEMORY_FD].pos += (size_t)n;
    return n;
}

static inline ssize_t memory_write(int fd, const void *buf, size_t len)
{
    ssize_t n = memory_pwrite(fd, buf, len, (off_t)memory_files[fd - MEMORY_FD].pos);

    memory_files[fd - MEMORY_FD].pos += n > 0 ? (size_t)n : 0;
    return n;
}

static inline int memory_fstat(int fd, struct stat *ret_stat)
{
    *ret_stat = (struct stat) {
        .st_mode = S_IFREG | 0600,
        .st_size = (off_t)memory_files[fd - MEMORY_FD].len,
    };
    return 0;
}

static inline int memory_nothing(int fd)
{
    (void)fd;
    return 0;
}

/* A temporary file is the one it becomes. */
static inline int memory_rename(const char *from, const char *to)
{
    return from[4] == to[4] ? 0 : -1;
}

static inline int memory_unlink(const char *path)
{
    (void)path;
    return 0;
}

/* From now on files are these. */
static inline void memory_files_use(void)
{
    static MemOs os;

    os = *mem_os_host();
    os.open = memory_open;
    os.read = memory_read;
    os.write = memory_write;
    os.rename = memory_rename;
    os.unlink = memory_unlink;
    os.pread = memory_pread;
    os.pwrite = memory_pwrite;
    os.fstat = memory_fstat;
    os.fsync = memory_nothing;
    os.close = memory_nothing;
    mem_os_set(&os);
}
