/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading files whole, and raw files into guest RAM. */
#include "emu/loader-internal.h"

#include "memsys/access.h"
#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static GBytes *file_error(GError **error, const char *path, const char *what)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: %s", path, what);
    return NULL;
}

/* All of an open file into memory of its length. */
static GBytes *read_whole(int fd, const char *path, size_t len, GError **error)
{
    const MemOs *os = mem_os();
    uint8_t *bytes = os->try_alloc0(len);
    size_t done = 0;

    if (bytes == NULL) {
        return file_error(error, path, "does not fit into this host's memory");
    }
    while (done < len) {
        ssize_t n = os->read(fd, bytes + done, len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            const char *what = n < 0 ? g_strerror(errno) : "became shorter while it was read";

            os->free(bytes);
            return file_error(error, path, what);
        }
        done += (size_t)n;
    }
    return g_bytes_new_with_free_func(bytes, len, os->free, bytes);
}

GBytes *emu_file_read(const char *path, uint64_t max_len, GError **error)
{
    const MemOs *os = mem_os();
    /* Not blocking: a FIFO without a writer must not hold us up. */
    int fd = os->open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    struct stat info;
    GBytes *bytes = NULL;

    if (fd < 0) {
        return file_error(error, path, g_strerror(errno));
    }
    if (os->fstat(fd, &info) != 0) {
        file_error(error, path, g_strerror(errno));
    } else if (S_ISDIR(info.st_mode)) {
        file_error(error, path, "is a directory");
    } else if (!S_ISREG(info.st_mode)) {
        file_error(error, path, "is not a regular file");
    } else if (info.st_size == 0) {
        file_error(error, path, "is empty");
    } else if ((uint64_t)info.st_size > max_len) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: is %" PRIu64 " bytes long; at most %" PRIu64 " can be taken", path,
                    (uint64_t)info.st_size, max_len);
    } else {
        bytes = read_whole(fd, path, (size_t)info.st_size, error);
    }
    os->close(fd);
    return bytes;
}

GArray *emu_loader_ram_runs(EmuMachine *machine)
{
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(EmuLoaderRun));
    PgmRangeInfo info;

    for (unsigned i = 0; pgm_range_get(emu_machine_pgm(machine), i, &info); i++) {
        if (info.kind != PGM_RANGE_RAM) {
            continue;
        }
        EmuLoaderRun run = { info.start, info.start + info.len };
        EmuLoaderRun *last =
            runs->len > 0 ? &g_array_index(runs, EmuLoaderRun, runs->len - 1) : NULL;

        if (last != NULL && last->end == run.start) {
            last->end = run.end;
        } else {
            g_array_append_val(runs, run);
        }
    }
    return runs;
}

bool emu_loader_is_ram(EmuMachine *machine, GPhys start, uint64_t len)
{
    g_autoptr(GArray) runs = emu_loader_ram_runs(machine);

    for (guint i = 0; i < runs->len; i++) {
        const EmuLoaderRun *run = &g_array_index(runs, EmuLoaderRun, i);

        if (start >= run->start && start < run->end) {
            return len > 0 && len <= run->end - start;
        }
    }
    return false;
}

bool emu_loader_write(EmuMachine *machine, GPhys start, const void *bytes, uint64_t len,
                      const char *what, GError **error)
{
    MemStatus status = pgm_load_image(emu_machine_pgm(machine), start, bytes, len);

    if (status != MEM_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s cannot be written to guest memory at 0x%" PRIx64 ": %s", what, start,
                    mem_status_name(status));
        return false;
    }
    return true;
}

bool emu_load_raw(EmuMachine *machine, const char *path, GPhys address, GError **error)
{
    g_autoptr(GBytes) file = emu_file_read(path, EMU_LOADER_MAX_FILE, error);
    size_t len;

    if (file == NULL) {
        return false;
    }
    const void *bytes = g_bytes_get_data(file, &len);

    if (!emu_loader_is_ram(machine, address, len)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: 0x%" PRIx64 "+0x%zx is not all RAM of this machine", path, address, len);
        return false;
    }
    return emu_loader_write(machine, address, bytes, len, path, error);
}
