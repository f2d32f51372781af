/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real host with faults on demand: call number n of a kind can be made to fail, once or for
 * good. For tests that include memsys internals.
 */
#pragma once

#include "memsys/os.h"

#include <errno.h>
#include <glib.h>

typedef enum FakeOsCall {
    FAKE_RESERVE,
    FAKE_MAP_ZEROS,
    FAKE_PROTECT,
    FAKE_DISCARD,
    FAKE_TRY_ALLOC0,
    FAKE_TRY_REALLOC,
    FAKE_OPEN,
    FAKE_WRITE,
    FAKE_PREAD,
    FAKE_FSTAT,
    FAKE_FSYNC,
    FAKE_CLOSE, /* closes all the same, as Linux does */
    FAKE_RENAME,
    FAKE_UNLINK,
    FAKE_N_CALLS
} FakeOsCall;

typedef struct FakeOs {
    unsigned n_calls[FAKE_N_CALLS];
    unsigned fail_from[FAKE_N_CALLS]; /* first call that fails, from 1; 0: none */
    unsigned fail_to[FAKE_N_CALLS];   /* last call that fails */
    size_t longest_asked;             /* longest reservation anyone tried */
    size_t largest_reserve;           /* a longer reservation fails; 0: no limit */
    uint64_t available;
    uint64_t largest_arena;
    int n_maps;        /* mappings made and not yet unmapped */
    int n_blocks;      /* allocated and not yet freed */
    int n_files;       /* opened and not yet closed */
    int file_error;    /* errno of file calls that fail */
    size_t longest_io; /* a longer read or write is cut short; 0: no limit */
} FakeOs;

static FakeOs fake_os;

/* From now on, let call number @first to @last of this kind fail. */
static inline void fake_os_fail(FakeOsCall call, unsigned first, unsigned last)
{
    fake_os.n_calls[call] = 0;
    fake_os.fail_from[call] = first;
    fake_os.fail_to[call] = last;
}

static inline void fake_os_heal(void)
{
    for (unsigned i = 0; i < FAKE_N_CALLS; i++) {
        fake_os_fail((FakeOsCall)i, 0, 0);
    }
}

static bool fake_fails(FakeOsCall call)
{
    unsigned n = ++fake_os.n_calls[call];

    return fake_os.fail_from[call] != 0 && n >= fake_os.fail_from[call] &&
           n <= fake_os.fail_to[call];
}

static void *fake_reserve(size_t len)
{
    fake_os.longest_asked = MAX(fake_os.longest_asked, len);
    if (fake_fails(FAKE_RESERVE) ||
        (fake_os.largest_reserve != 0 && len > fake_os.largest_reserve)) {
        return NULL;
    }

    void *addr = mem_os_host()->reserve(len);
    fake_os.n_maps += addr != NULL;
    return addr;
}

static void *fake_map_zeros(size_t len)
{
    if (fake_fails(FAKE_MAP_ZEROS)) {
        return NULL;
    }

    void *addr = mem_os_host()->map_zeros(len);
    fake_os.n_maps += addr != NULL;
    return addr;
}

static bool fake_protect(void *addr, size_t len, MemOsAccess access)
{
    return !fake_fails(FAKE_PROTECT) && mem_os_host()->protect(addr, len, access);
}

static bool fake_discard(void *addr, size_t len)
{
    return !fake_fails(FAKE_DISCARD) && mem_os_host()->discard(addr, len);
}

static void fake_unmap(void *addr, size_t len)
{
    fake_os.n_maps--;
    mem_os_host()->unmap(addr, len);
}

static void *fake_try_alloc0(size_t len)
{
    if (fake_fails(FAKE_TRY_ALLOC0)) {
        return NULL;
    }

    void *block = mem_os_host()->try_alloc0(len);
    g_atomic_int_add(&fake_os.n_blocks, block != NULL);
    return block;
}

static void *fake_try_realloc(void *ptr, size_t len)
{
    if (fake_fails(FAKE_TRY_REALLOC)) {
        return NULL;
    }

    void *block = mem_os_host()->try_realloc(ptr, len);
    g_atomic_int_add(&fake_os.n_blocks, ptr == NULL && block != NULL);
    return block;
}

static void fake_free(void *block)
{
    g_atomic_int_add(&fake_os.n_blocks, -(block != NULL));
    mem_os_host()->free(block);
}

/* ---- files */

static bool fake_file_fails(FakeOsCall call)
{
    if (!fake_fails(call)) {
        return false;
    }
    errno = fake_os.file_error;
    return true;
}

static size_t fake_cut(size_t len)
{
    return fake_os.longest_io != 0 ? MIN(len, fake_os.longest_io) : len;
}

static int fake_open(const char *path, int flags, mode_t mode)
{
    if (fake_file_fails(FAKE_OPEN)) {
        return -1;
    }

    int fd = mem_os_host()->open(path, flags, mode);
    fake_os.n_files += fd >= 0;
    return fd;
}

static ssize_t fake_write(int fd, const void *buf, size_t len)
{
    return fake_file_fails(FAKE_WRITE) ? -1 : mem_os_host()->write(fd, buf, fake_cut(len));
}

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t offset)
{
    return fake_file_fails(FAKE_PREAD) ? -1 : mem_os_host()->pread(fd, buf, fake_cut(len), offset);
}

static int fake_fstat(int fd, struct stat *ret_stat)
{
    return fake_file_fails(FAKE_FSTAT) ? -1 : mem_os_host()->fstat(fd, ret_stat);
}

static int fake_stat(const char *path, struct stat *ret_stat)
{
    return mem_os_host()->stat(path, ret_stat);
}

static ssize_t fake_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
    return fake_file_fails(FAKE_WRITE) ? -1 : mem_os_host()->pwrite(fd, buf, fake_cut(len), offset);
}

static int fake_fsync(int fd)
{
    return fake_file_fails(FAKE_FSYNC) ? -1 : mem_os_host()->fsync(fd);
}

static int fake_close(int fd)
{
    bool fails = fake_fails(FAKE_CLOSE);

    fake_os.n_files--;
    (void)mem_os_host()->close(fd);
    errno = fake_os.file_error;
    return fails ? -1 : 0;
}

static int fake_rename(const char *from, const char *to)
{
    return fake_file_fails(FAKE_RENAME) ? -1 : mem_os_host()->rename(from, to);
}

static int fake_unlink(const char *path)
{
    return fake_file_fails(FAKE_UNLINK) ? -1 : mem_os_host()->unlink(path);
}

static uint64_t fake_available(void)
{
    return fake_os.available;
}

static uint64_t fake_largest_arena(void)
{
    return fake_os.largest_arena;
}

/* A host in good health with @available bytes of memory. */
static inline const MemOs *fake_os_new(uint64_t available)
{
    static const MemOs os = {
        .reserve = fake_reserve,
        .map_zeros = fake_map_zeros,
        .protect = fake_protect,
        .discard = fake_discard,
        .unmap = fake_unmap,
        .try_alloc0 = fake_try_alloc0,
        .try_realloc = fake_try_realloc,
        .free = fake_free,
        .open = fake_open,
        .write = fake_write,
        .pread = fake_pread,
        .pwrite = fake_pwrite,
        .fstat = fake_fstat,
        .stat = fake_stat,
        .fsync = fake_fsync,
        .close = fake_close,
        .rename = fake_rename,
        .unlink = fake_unlink,
        .available_memory = fake_available,
        .largest_arena = fake_largest_arena,
    };

    fake_os = (FakeOs) { .available = available, .largest_arena = UINT64_MAX, .file_error = EIO };
    return &os;
}
