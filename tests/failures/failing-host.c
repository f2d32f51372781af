/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/failures/failing-host.h"

#include <errno.h>
#include <glib.h>

FailingHost failing_host;

static const char *const names[] = {
    [HOST_RESERVE] = "reserve", [HOST_MAP_ZEROS] = "map_zeros", [HOST_PROTECT] = "protect",
    [HOST_DISCARD] = "discard", [HOST_ALLOC] = "try_alloc0",    [HOST_REALLOC] = "try_realloc",
    [HOST_OPEN] = "open",       [HOST_READ] = "read",           [HOST_WRITE] = "write",
    [HOST_PREAD] = "pread",     [HOST_PWRITE] = "pwrite",       [HOST_LSEEK] = "lseek",
    [HOST_FSTAT] = "fstat",     [HOST_STAT] = "stat",           [HOST_FTRUNCATE] = "ftruncate",
    [HOST_FSYNC] = "fsync",     [HOST_CLOSE] = "close",         [HOST_RENAME] = "rename",
    [HOST_UNLINK] = "unlink",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == HOST_N_CALLS);

const char *failing_host_name(HostCall call)
{
    return names[call];
}

static bool moves_bytes(HostCall call)
{
    return call == HOST_READ || call == HOST_WRITE || call == HOST_PREAD || call == HOST_PWRITE;
}

bool failing_host_applies(HostFault fault, HostCall call)
{
    switch (fault) {
    case HOST_SHORT:
        return moves_bytes(call);
    case HOST_INTERRUPTED:
        return moves_bytes(call) || call == HOST_FSYNC;
    case HOST_FAILS_ONCE:
    case HOST_FAILS_ON:
    case HOST_N_FAULTS:
        break;
    }
    return true;
}

/* What a full disk, a full table of files and a bad sector say. */
static int errno_of(HostCall call)
{
    switch ((int)call) {
    case HOST_WRITE:
    case HOST_PWRITE:
        return failing_host.fail_at % 2 == 0 ? ENOSPC : EIO;
    case HOST_OPEN:
        return failing_host.fail_at % 2 == 0 ? EMFILE : EACCES;
    case HOST_RENAME:
    case HOST_UNLINK:
        return EROFS;
    default:
        return EIO;
    }
}

/* Counts the call. Whether something is to be done to it. */
static bool is_hit(HostCall call)
{
    FailingHost *host = &failing_host;

    if (host->paused) {
        return false;
    }
    unsigned number = ++host->n_calls;

    if (host->note != NULL) {
        host->note(call);
    }
    if (host->fail_at == 0 || number < host->fail_at ||
        (number > host->fail_at && host->fault != HOST_FAILS_ON)) {
        return false;
    }
    if (host->n_failed++ == 0) {
        host->failed = call;
    }
    return true;
}

static bool fails(HostCall call)
{
    if (!is_hit(call)) {
        return false;
    }
    errno = failing_host.fault == HOST_INTERRUPTED ? EINTR : errno_of(call);
    return failing_host.fault != HOST_SHORT;
}

/* Of a read or write; 0: fails. */
static size_t len_of(HostCall call, size_t len)
{
    if (!is_hit(call)) {
        return len;
    }
    if (failing_host.fault == HOST_SHORT) {
        return len / 2 + len % 2;
    }
    errno = failing_host.fault == HOST_INTERRUPTED ? EINTR : errno_of(call);
    return 0;
}

static void *reserve(size_t len)
{
    void *addr = fails(HOST_RESERVE) ? NULL : mem_os_host()->reserve(len);

    failing_host.n_maps += addr != NULL;
    return addr;
}

static void *map_zeros(size_t len)
{
    void *addr = fails(HOST_MAP_ZEROS) ? NULL : mem_os_host()->map_zeros(len);

    failing_host.n_maps += addr != NULL;
    return addr;
}

static bool protect(void *addr, size_t len, MemOsAccess access)
{
    return !fails(HOST_PROTECT) && mem_os_host()->protect(addr, len, access);
}

static bool discard(void *addr, size_t len)
{
    return !fails(HOST_DISCARD) && mem_os_host()->discard(addr, len);
}

static void unmap(void *addr, size_t len)
{
    failing_host.n_maps--;
    mem_os_host()->unmap(addr, len);
}

static void *try_alloc0(size_t len)
{
    void *block = fails(HOST_ALLOC) ? NULL : mem_os_host()->try_alloc0(len);

    failing_host.n_blocks += block != NULL;
    return block;
}

static void *try_realloc(void *ptr, size_t len)
{
    void *block = fails(HOST_REALLOC) ? NULL : mem_os_host()->try_realloc(ptr, len);

    failing_host.n_blocks += block != NULL && ptr == NULL;
    return block;
}

static void free_block(void *ptr)
{
    failing_host.n_blocks -= ptr != NULL;
    mem_os_host()->free(ptr);
}

static int open_file(const char *path, int flags, mode_t mode)
{
    int fd = fails(HOST_OPEN) ? -1 : mem_os_host()->open(path, flags, mode);

    failing_host.n_files += fd >= 0;
    return fd;
}

static ssize_t read_file(int fd, void *buf, size_t len)
{
    size_t n = len_of(HOST_READ, len);

    return n == 0 && len != 0 ? -1 : mem_os_host()->read(fd, buf, n);
}

static ssize_t write_file(int fd, const void *buf, size_t len)
{
    size_t n = len_of(HOST_WRITE, len);

    return n == 0 && len != 0 ? -1 : mem_os_host()->write(fd, buf, n);
}

static ssize_t pread_file(int fd, void *buf, size_t len, off_t offset)
{
    size_t n = len_of(HOST_PREAD, len);

    return n == 0 && len != 0 ? -1 : mem_os_host()->pread(fd, buf, n, offset);
}

static ssize_t pwrite_file(int fd, const void *buf, size_t len, off_t offset)
{
    size_t n = len_of(HOST_PWRITE, len);

    return n == 0 && len != 0 ? -1 : mem_os_host()->pwrite(fd, buf, n, offset);
}

static off_t seek(int fd, off_t offset, int whence)
{
    return fails(HOST_LSEEK) ? -1 : mem_os_host()->lseek(fd, offset, whence);
}

static int stat_fd(int fd, struct stat *ret_stat)
{
    return fails(HOST_FSTAT) ? -1 : mem_os_host()->fstat(fd, ret_stat);
}

static int stat_path(const char *path, struct stat *ret_stat)
{
    return fails(HOST_STAT) ? -1 : mem_os_host()->stat(path, ret_stat);
}

static int truncate_fd(int fd, off_t len)
{
    return fails(HOST_FTRUNCATE) ? -1 : mem_os_host()->ftruncate(fd, len);
}

static int sync_file(int fd)
{
    return fails(HOST_FSYNC) ? -1 : mem_os_host()->fsync(fd);
}

static int close_file(int fd)
{
    bool failed = fails(HOST_CLOSE);
    int why = errno;

    failing_host.n_files--;
    int result = mem_os_host()->close(fd);

    if (failed) {
        errno = why;
        return -1;
    }
    return result;
}

static int rename_file(const char *from, const char *to)
{
    return fails(HOST_RENAME) ? -1 : mem_os_host()->rename(from, to);
}

static int unlink_file(const char *path)
{
    return fails(HOST_UNLINK) ? -1 : mem_os_host()->unlink(path);
}

static uint64_t available_memory(void)
{
    return UINT64_C(1) << 30; /* the same on any host */
}

static uint64_t largest_arena(void)
{
    return mem_os_host()->largest_arena();
}

void failing_host_heal(void)
{
    failing_host.fail_at = 0;
}

const MemOs *failing_host_new(void)
{
    static const MemOs os = {
        .reserve = reserve,
        .map_zeros = map_zeros,
        .protect = protect,
        .discard = discard,
        .unmap = unmap,
        .try_alloc0 = try_alloc0,
        .try_realloc = try_realloc,
        .free = free_block,
        .open = open_file,
        .read = read_file,
        .write = write_file,
        .pread = pread_file,
        .pwrite = pwrite_file,
        .lseek = seek,
        .fstat = stat_fd,
        .stat = stat_path,
        .ftruncate = truncate_fd,
        .fsync = sync_file,
        .close = close_file,
        .rename = rename_file,
        .unlink = unlink_file,
        .available_memory = available_memory,
        .largest_arena = largest_arena,
    };

    failing_host = (FailingHost) { 0 };
    return &os;
}
