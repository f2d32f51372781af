/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, the checks every loader makes, and the raw loader.
 *
 * Source: ours.
 */
#include "emu/loader-internal.h"

#include "memsys/access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static bool file_error(GError **error, const char *path, const char *words)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: %s", path, words);
    return false;
}

static bool check_file(int fd, const char *path, uint64_t max_len, uint64_t *ret_len,
                       GError **error)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return file_error(error, path, g_strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return file_error(error, path, "is a directory; give a file");
    }
    if (!S_ISREG(st.st_mode)) {
        return file_error(error, path, "is not a regular file");
    }
    if (st.st_size == 0) {
        return file_error(error, path, "is empty");
    }
    if ((uint64_t)st.st_size > max_len) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: has %" PRIu64 " bytes; at most %" PRIu64 " fit here", path,
                    (uint64_t)st.st_size, max_len);
        return false;
    }
    *ret_len = (uint64_t)st.st_size;
    return true;
}

static bool read_whole(int fd, const char *path, uint8_t *bytes, uint64_t len, GError **error)
{
    uint64_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, bytes + done, len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return file_error(error, path, n < 0 ? g_strerror(errno) : "shrank while it was read");
        }
        done += (uint64_t)n;
    }
    return true;
}

GBytes *emu_file_read(const char *path, uint64_t max_len, GError **error)
{
    /* O_NONBLOCK: opening a pipe must not wait for its other end. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t len;

    if (fd < 0) {
        file_error(error, path, g_strerror(errno));
        return NULL;
    }
    if (!check_file(fd, path, max_len, &len, error)) {
        close(fd);
        return NULL;
    }

    uint8_t *bytes = g_try_malloc(len);

    if (bytes == NULL) {
        file_error(error, path, "the host has no memory to read it");
    } else if (!read_whole(fd, path, bytes, len, error)) {
        g_clear_pointer(&bytes, g_free);
    }
    close(fd);
    return bytes != NULL ? g_bytes_new_take(bytes, len) : NULL;
}

bool loader_fail(GError **error, const char *path, uint64_t offset, const char *format, ...)
{
    va_list args;

    va_start(args, format);

    g_autofree char *words = g_strdup_vprintf(format, args);

    va_end(args);
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: offset 0x%" PRIx64 ": %s", path, offset,
                words);
    return false;
}

/* ---- guest memory ---- */

GArray *loader_ram_runs(Pgm *pgm)
{
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(LoaderRun));
    PgmRangeInfo info;

    for (unsigned i = 0; pgm_range_get(pgm, i, &info); i++) {
        if (info.kind != PGM_RANGE_RAM) {
            continue;
        }

        LoaderRun run = { info.start, info.start + info.len };
        LoaderRun *last = runs->len > 0 ? &g_array_index(runs, LoaderRun, runs->len - 1) : NULL;

        if (last != NULL && last->end == run.start) {
            last->end = run.end;
        } else {
            g_array_append_val(runs, run);
        }
    }
    return runs;
}

const LoaderRun *loader_run_at(const GArray *runs, GPhys address)
{
    for (guint i = 0; i < runs->len; i++) {
        const LoaderRun *run = &g_array_index(runs, LoaderRun, i);

        if (address >= run->start && address < run->end) {
            return run;
        }
    }
    return NULL;
}

bool loader_in_ram(const GArray *runs, GPhys start, uint64_t len)
{
    const LoaderRun *run = loader_run_at(runs, start);

    return run != NULL && len <= run->end - start;
}

bool loader_write(Pgm *pgm, const char *path, GPhys address, const void *bytes, uint64_t len,
                  GError **error)
{
    MemStatus status = pgm_write(pgm, address, bytes, len, MEM_ORIGIN_LOADER);

    if (status != MEM_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: %" PRIu64 " bytes cannot be written to guest address 0x%" PRIx64 ": %s",
                    path, len, address, mem_status_name(status));
        return false;
    }
    return true;
}

/* ---- raw files ---- */

bool loader_load_raw(Pgm *pgm, const char *path, GPhys address, GError **error)
{
    g_autoptr(GArray) runs = loader_ram_runs(pgm);
    const LoaderRun *run = loader_run_at(runs, address);

    if (run == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: there is no RAM at guest address 0x%" PRIx64
                    "; the map lists where there is",
                    path, address);
        return false;
    }

    g_autoptr(GError) cause = NULL;
    g_autoptr(GBytes) file = emu_file_read(path, run->end - address, &cause);

    if (file == NULL) {
        g_propagate_prefixed_error(error, g_steal_pointer(&cause),
                                   "for guest address 0x%" PRIx64 ": ", address);
        return false;
    }
    return loader_write(pgm, path, address, g_bytes_get_data(file, NULL), g_bytes_get_size(file),
                        error);
}
