/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real host behind MemOs: Linux.
 *
 * Source: mmap(2), madvise(2), proc(5).
 */
#include "memsys/os.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef QUIRE_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif
#ifndef UNDER_THREAD_SANITIZER
#define UNDER_THREAD_SANITIZER 0
#endif

/* Valgrind keeps shadow memory for what is reserved, ThreadSanitizer owns most of the addresses. */
#define ARENA_ANY (UINT64_C(1) << 46)
#define ARENA_VALGRIND (UINT64_C(64) << 20)
#define ARENA_THREAD_SANITIZER (UINT64_C(64) << 30)

static void *map_anonymous(size_t len, int prot)
{
    void *addr = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return addr == MAP_FAILED ? NULL : addr;
}

static void *reserve(size_t len)
{
    return map_anonymous(len, PROT_NONE);
}

static void *map_zeros(size_t len)
{
    void *addr = map_anonymous(len, PROT_READ | PROT_WRITE);

    if (addr != NULL) {
        /* Tables touched here and there: huge pages would make each touch cost 2 MiB. Only advice,
         * and refused by a kernel without huge pages: nothing depends on it. */
        (void)madvise(addr, len, MADV_NOHUGEPAGE);
    }
    return addr;
}

static bool protect(void *addr, size_t len, MemOsAccess access)
{
    static const int prots[] = {
        [MEM_OS_NONE] = PROT_NONE,
        [MEM_OS_READ] = PROT_READ,
        [MEM_OS_READ_WRITE] = PROT_READ | PROT_WRITE,
    };

    return mprotect(addr, len, prots[access]) == 0;
}

static bool discard(void *addr, size_t len)
{
    return madvise(addr, len, MADV_DONTNEED) == 0;
}

static void unmap(void *addr, size_t len)
{
    int failed = munmap(addr, len);

    g_assert(failed == 0);
}

static void *try_alloc0(size_t len)
{
    return g_try_malloc0(len);
}

static void *try_realloc(void *ptr, size_t len)
{
    return g_try_realloc(ptr, len);
}

static int open_file(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

uint64_t mem_os_parse_available(const char *meminfo)
{
    static const char key[] = "MemAvailable:";
    const char *line = strstr(meminfo, key);

    if (line == NULL || (line != meminfo && line[-1] != '\n')) {
        return 0;
    }

    uint64_t kib = g_ascii_strtoull(line + strlen(key), NULL, 10);
    return kib > (UINT64_MAX >> 10) ? UINT64_MAX : kib << 10;
}

static uint64_t available_memory(void)
{
    g_autofree char *meminfo = NULL;

    if (!g_file_get_contents("/proc/meminfo", &meminfo, NULL, NULL)) {
        return 0;
    }
    return mem_os_parse_available(meminfo);
}

static bool under_valgrind(void)
{
#ifdef QUIRE_HAVE_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    /* Built without valgrind's header: its tools preload a library of this name. */
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
#endif
}

static uint64_t largest_arena(void)
{
    if (under_valgrind()) {
        return ARENA_VALGRIND;
    }
    return UNDER_THREAD_SANITIZER ? ARENA_THREAD_SANITIZER : ARENA_ANY;
}

const MemOs *mem_os_host(void)
{
    static const MemOs host = {
        .reserve = reserve,
        .map_zeros = map_zeros,
        .protect = protect,
        .discard = discard,
        .unmap = unmap,
        .try_alloc0 = try_alloc0,
        .try_realloc = try_realloc,
        .free = g_free,
        .available_memory = available_memory,
        .largest_arena = largest_arena,
        .open = open_file,
        .read = read,
        .write = write,
        .pread = pread,
        .pwrite = pwrite,
        .lseek = lseek,
        .fstat = fstat,
        .stat = stat,
        .ftruncate = ftruncate,
        .fsync = fsync,
        .close = close,
        .rename = rename,
        .unlink = unlink,
    };

    return &host;
}

static const MemOs *in_use;

const MemOs *mem_os(void)
{
    return in_use != NULL ? in_use : mem_os_host();
}

void mem_os_set(const MemOs *os)
{
    in_use = os;
}
