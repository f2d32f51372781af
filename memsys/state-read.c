/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MemStateReader: hands out the bytes of units that state-check.c has found to be good. Blocks are
 * read, verified and unpacked again as they are asked for: memory stays the same for any file.
 */
#include "memsys/os.h"
#include "memsys/state-reader-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define STRING_MAX (UINT32_C(1) << 20) /* what a caller may allow */

/* ---- errors */

bool mem_state_refuse(const MemStateReader *reader, uint64_t offset, GError **error,
                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MEM_ERROR, MEM_ERR_BAD_FILE, "%s: at byte %" PRIu64 ": %s", reader->name,
                offset, why);
    return false;
}

bool mem_state_bad(MemStateReader *reader, GError **error, const char *format, ...)
{
    g_assert(reader->open);
    const MemStateEntry *unit = reader->open;
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MEM_ERROR, MEM_ERR_BAD_FILE,
                "%s: unit %s %" PRIu32 ", at its byte %" PRIu64 ": %s", reader->name, unit->name,
                unit->instance, unit->raw_bytes - reader->n_left, why);
    return false;
}

/* ---- the source */

bool mem_state_read_at(MemStateReader *reader, uint64_t offset, void *buf, size_t len,
                       GError **error)
{
    uint8_t *to = buf;

    g_assert(offset <= reader->size && len <= reader->size - offset);
    if (reader->bytes) {
        memcpy(to, reader->bytes + offset, len);
        return true;
    }
    while (len > 0) {
        ssize_t n = reader->os->pread(reader->fd, to, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            g_set_error(error, MEM_ERROR, MEM_ERR_FILE,
                        "%s: cannot read %zu bytes at %" PRIu64 ": %s", reader->name, len, offset,
                        n < 0 ? g_strerror(errno) : "the file has become shorter");
            return false;
        }
        to += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- life */

static MemStateReader *reader_new(const char *name, GError **error)
{
    g_autoptr(MemStateReader) reader = g_new0(MemStateReader, 1);

    reader->os = mem_os();
    reader->fd = -1;
    reader->name = g_strdup(name);
    reader->raw = reader->os->try_alloc0(MEM_STATE_BLOCK_RAW);
    reader->stored = reader->os->try_alloc0(MEM_STATE_BLOCK_RAW);
    reader->zstd = ZSTD_createDCtx();
    if (!reader->raw || !reader->stored || !reader->zstd) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "%s: no host memory to read it", name);
        return NULL;
    }
    return g_steal_pointer(&reader);
}

static bool open_file(MemStateReader *reader, const char *path, GError **error)
{
    struct stat info;

    /* Not blocking: the name may be that of a pipe without a writer. */
    reader->fd = reader->os->open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (reader->fd < 0 || reader->os->fstat(reader->fd, &info) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_FILE, "%s: cannot open: %s", path, g_strerror(errno));
        return false;
    }
    if (!S_ISREG(info.st_mode)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_FILE, "%s: is not a regular file", path);
        return false;
    }
    reader->size = (uint64_t)info.st_size;
    return true;
}

MemStateReader *mem_state_reader_new(const char *path, GError **error)
{
    g_autoptr(MemStateReader) reader = reader_new(path, error);

    if (!reader || !open_file(reader, path, error) || !mem_state_check(reader, error)) {
        return NULL;
    }
    return g_steal_pointer(&reader);
}

MemStateReader *mem_state_reader_new_from_bytes(const void *bytes, size_t len, GError **error)
{
    g_autoptr(MemStateReader) reader = reader_new("saved state", error);

    if (!reader) {
        return NULL;
    }
    reader->bytes = bytes ? bytes : (const uint8_t *)"";
    reader->size = len;
    if (!mem_state_check(reader, error)) {
        return NULL;
    }
    return g_steal_pointer(&reader);
}

void mem_state_reader_free(MemStateReader *reader)
{
    if (!reader) {
        return;
    }
    if (reader->fd >= 0) {
        (void)reader->os->close(reader->fd);
    }
    reader->os->free(reader->raw);
    reader->os->free(reader->stored);
    reader->os->free(reader->units);
    ZSTD_freeDCtx(reader->zstd);
    g_free(reader->name);
    g_free(reader);
}

/* ---- units */

uint32_t mem_state_reader_version(const MemStateReader *reader)
{
    return reader->version;
}

unsigned mem_state_reader_n_units(const MemStateReader *reader)
{
    return reader->n_units;
}

bool mem_state_reader_unit(const MemStateReader *reader, unsigned index, MemStateUnit *ret_unit)
{
    if (index >= reader->n_units) {
        return false;
    }
    const MemStateEntry *unit = &reader->units[index];

    *ret_unit = (MemStateUnit) { .name = unit->name,
                                 .instance = unit->instance,
                                 .version = unit->version,
                                 .raw_bytes = unit->raw_bytes,
                                 .file_bytes = unit->file_bytes };
    return true;
}

static const MemStateEntry *find_unit(const MemStateReader *reader, const char *name,
                                      uint32_t instance)
{
    for (unsigned i = 0; i < reader->n_units; i++) {
        const MemStateEntry *unit = &reader->units[i];

        if (unit->instance == instance && strcmp(unit->name, name) == 0) {
            return unit;
        }
    }
    return NULL;
}

bool mem_state_reader_has(const MemStateReader *reader, const char *name, uint32_t instance)
{
    return find_unit(reader, name, instance) != NULL;
}

uint32_t mem_state_open_unit(MemStateReader *reader, const char *name, uint32_t instance,
                             uint32_t max_version, GError **error)
{
    const MemStateEntry *unit = find_unit(reader, name, instance);

    if (!unit) {
        g_set_error(error, MEM_ERROR, MEM_ERR_BAD_FILE,
                    "%s: has no unit %s %" PRIu32 ": it is not the state of such a machine",
                    reader->name, name, instance);
        return 0;
    }
    if (unit->version > max_version) {
        g_set_error(error, MEM_ERROR, MEM_ERR_BAD_FILE,
                    "%s: unit %s %" PRIu32 " was written by a newer program: version %" PRIu32
                    ", this one reads up to %" PRIu32,
                    reader->name, name, instance, unit->version, max_version);
        return 0;
    }
    reader->open = unit;
    reader->n_left = unit->raw_bytes;
    reader->next_block = unit->offset + MEM_STATE_BEGIN_LEN;
    reader->at = reader->n_in_block = 0;
    return unit->version;
}

void mem_state_reader_set_progress(MemStateReader *reader, MemStateProgress func, void *user)
{
    reader->progress = func;
    reader->progress_user = user;
    reader->n_raw_read = 0;
}

/* ---- bytes */

bool mem_state_get(MemStateReader *reader, void *buf, size_t len, GError **error)
{
    g_assert(reader->open);
    uint8_t *to = buf;

    if (len > reader->n_left) {
        return mem_state_bad(reader, error,
                             "%zu bytes are expected, the unit has only %" PRIu64 " more", len,
                             reader->n_left);
    }
    while (len > 0) {
        if (reader->at == reader->n_in_block) {
            MemStateBlock block;

            /* The file may have changed since it was checked: nothing is taken for granted. */
            if (!mem_state_load_block(reader, reader->next_block, reader->n_left, &block, error)) {
                return false;
            }
            reader->next_block += MEM_STATE_BLOCK_LEN + block.n_stored;
            reader->n_in_block = block.n_raw;
            reader->at = 0;
            reader->n_raw_read += block.n_raw;
            if (reader->progress) {
                reader->progress(reader->n_raw_read, reader->progress_user);
            }
        }
        size_t n = MIN(len, reader->n_in_block - reader->at);

        memcpy(to, reader->raw + reader->at, n);
        reader->at += (uint32_t)n;
        reader->n_left -= n;
        to += n;
        len -= n;
    }
    return true;
}

bool mem_state_get_u8(MemStateReader *reader, uint8_t *ret_value, GError **error)
{
    return mem_state_get(reader, ret_value, sizeof *ret_value, error);
}

bool mem_state_get_u32(MemStateReader *reader, uint32_t *ret_value, GError **error)
{
    uint8_t bytes[4];

    if (!mem_state_get(reader, bytes, sizeof bytes, error)) {
        return false;
    }
    *ret_value = mem_state_le32(bytes);
    return true;
}

bool mem_state_get_u64(MemStateReader *reader, uint64_t *ret_value, GError **error)
{
    uint8_t bytes[8];

    if (!mem_state_get(reader, bytes, sizeof bytes, error)) {
        return false;
    }
    *ret_value = mem_state_le64(bytes);
    return true;
}

char *mem_state_get_string(MemStateReader *reader, size_t max, GError **error)
{
    g_assert(max <= STRING_MAX);
    uint32_t len;

    if (!mem_state_get_u32(reader, &len, error)) {
        return NULL;
    }
    if (len > max) {
        (void)mem_state_bad(reader, error, "a text of %" PRIu32 " bytes; at most %zu are allowed",
                            len, max);
        return NULL;
    }
    g_autofree char *text = g_malloc((size_t)len + 1);

    if (!mem_state_get(reader, text, len, error)) {
        return NULL;
    }
    if (memchr(text, 0, len)) {
        (void)mem_state_bad(reader, error, "a text with a zero byte inside");
        return NULL;
    }
    text[len] = 0;
    return g_steal_pointer(&text);
}

uint64_t mem_state_unit_left(const MemStateReader *reader)
{
    g_assert(reader->open);
    return reader->n_left;
}
