/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MemOs: everything Quire asks of the host that can fail (memory of a size a guest, a file or a
 * user decides, address space, files), as one table of functions. All of memsys/, emu/, devices/
 * and frontends/ go through it, so that a test can make each call fail.
 *
 * Thread: the table is read by all threads; mem_os_set() comes before any other use.
 *
 * Source: mmap(2), madvise(2), open(2) and the pages beside them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#pragma GCC visibility push(default)

typedef enum MemOsAccess { MEM_OS_NONE, MEM_OS_READ, MEM_OS_READ_WRITE } MemOsAccess;

typedef struct MemOs {
    /* ---- address space; lengths are bytes and multiples of a page */

    /* Address space without access and without memory; NULL on failure. */
    void *(*reserve)(size_t len);
    /* Zeros that may be written at once and cost memory only where touched; NULL on failure. */
    void *(*map_zeros)(size_t len);
    bool (*protect)(void *addr, size_t len, MemOsAccess access);
    /* Gives the memory back; the pages then read as zeros. */
    bool (*discard)(void *addr, size_t len);
    void (*unmap)(void *addr, size_t len);

    /* ---- heap memory of a size a guest, a file or a user has chosen; free with free() below */

    void *(*try_alloc0)(size_t len); /* zeroed; NULL on failure; @len > 0 */
    /* Grows or shrinks, NULL makes a new one; on failure NULL, and @ptr is as it was. */
    void *(*try_realloc)(void *ptr, size_t len);
    void (*free)(void *ptr); /* NULL does nothing */

    /* ---- what the host is like */

    /* Bytes the host could give to new work right now; 0 if it does not say. */
    uint64_t (*available_memory)(void);
    /* Largest address range worth reserving: less under valgrind and ThreadSanitizer. */
    uint64_t (*largest_arena)(void);

    /* ---- files: results and errno are those of the system calls of these names */

    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    ssize_t (*pread)(int fd, void *buf, size_t len, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buf, size_t len, off_t offset);
    off_t (*lseek)(int fd, off_t offset, int whence);
    int (*fstat)(int fd, struct stat *ret_stat);
    int (*stat)(const char *path, struct stat *ret_stat);
    int (*ftruncate)(int fd, off_t len);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
} MemOs;

/* The table in use: the real host unless mem_os_set() said otherwise. */
const MemOs *mem_os(void);

/**
 * mem_os_set:
 * @os: (nullable): used from now on by everything created later; must outlive all of it. NULL: the
 *   real host
 *
 * For tests.
 */
void mem_os_set(const MemOs *os);

/* The real host. */
const MemOs *mem_os_host(void);

/* The number behind "MemAvailable:" in the text of /proc/meminfo, in bytes; 0 if there is none. */
uint64_t mem_os_parse_available(const char *meminfo);

#pragma GCC visibility pop
