/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MemStateWriter: streams a saved state to a temporary file and gives it its name at the end.
 *
 * Nothing seeks: the checksum over all and the table of units come last. The first failure is kept;
 * whatever is put afterwards is dropped, so that callers need to look only once, at the commit.
 */
#define _GNU_SOURCE /* O_PATH */
#include "memsys/os.h"
#include "memsys/state-format-internal.h"
#include "memsys/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <zstd.h>

#define LEVEL_DEFAULT 3
#define LEVEL_MAX 19
#define NAME_TRIES 100

typedef struct WrittenUnit {
    char name[MEM_STATE_NAME_LEN];
    uint32_t instance;
    uint32_t version;
    uint64_t offset;
    uint64_t file_bytes;
    uint64_t raw_bytes;
} WrittenUnit;

/*
 * Invariants:
 * 1. fd is open while the temporary file exists under its temporary name.
 * 2. While in_unit, the last of units is the open one and block[0, n_block) waits to be written.
 * 3. failure set: the file is of no use any more and nothing is written to it.
 */
struct MemStateWriter {
    const MemOs *os;
    char *path;
    char *temporary;
    int fd; /* -1: closed */
    int level;
    ZSTD_CCtx *zstd;
    XXH3_state_t *sum; /* over the file so far */
    uint64_t n_file;
    uint64_t n_raw;
    uint8_t *block;
    uint8_t *packed; /* a block's header, then as many bytes as zstd may make of it */
    size_t packed_size;
    uint32_t n_block;
    uint32_t n_blocks; /* of the open unit */
    bool in_unit;
    GArray *units; /* of WrittenUnit; the program's own, at most MEM_STATE_MAX_UNITS */
    GError *failure;
};

/* ---- the file */

void mem_state_writer_fail(MemStateWriter *writer, const char *format, ...)
{
    va_list args;

    if (writer->failure) {
        return;
    }
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    writer->failure = g_error_new(MEM_ERROR, MEM_ERR_FILE, "%s: %s", writer->path, why);
}

static void write_out(MemStateWriter *writer, const uint8_t *bytes, size_t len)
{
    XXH3_64bits_update(writer->sum, bytes, len);
    while (len > 0 && !writer->failure) {
        ssize_t n = writer->os->write(writer->fd, bytes, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            mem_state_writer_fail(writer, "cannot write %zu bytes at %" G_GUINT64_FORMAT ": %s",
                                  len, writer->n_file, g_strerror(n < 0 ? errno : EIO));
            return;
        }
        bytes += n;
        len -= (size_t)n;
        writer->n_file += (uint64_t)n;
    }
}

/* @len bytes of which the last eight are to be the XXH3 of the rest. */
static void write_sealed(MemStateWriter *writer, uint8_t *record, size_t len)
{
    size_t n = len - MEM_STATE_SUM_LEN;

    mem_state_put_le64(record + n, XXH3_64bits(record, n));
    write_out(writer, record, len);
}

static void write_header(MemStateWriter *writer)
{
    uint8_t header[MEM_STATE_HEADER_LEN] = { 0 };

    memcpy(header, mem_state_magic, sizeof mem_state_magic);
    mem_state_put_le32(header + 8, MEM_STATE_VERSION);
    mem_state_put_le32(header + 12, MEM_STATE_ORDER);
    mem_state_put_le32(header + 20, MEM_STATE_BLOCK_RAW);
    write_sealed(writer, header, sizeof header);
}

/* ---- making one */

/* A rename would put a file in the place of whatever is there: of a device or a folder it must
 * not. Nothing is opened for reading, so nothing happens to it. */
static bool check_target(const MemOs *os, const char *path, GError **error)
{
    int fd = os->open(path, O_PATH | O_CLOEXEC, 0);
    struct stat info;
    bool regular = true;

    if (fd < 0) {
        return true;
    }
    if (os->fstat(fd, &info) == 0) {
        regular = S_ISREG(info.st_mode);
    }
    (void)os->close(fd);
    if (!regular) {
        g_set_error(error, MEM_ERROR, MEM_ERR_FILE,
                    "%s: is there already and is no file: a saved state cannot replace it", path);
    }
    return regular;
}

/* A name that nobody else has: a leftover of a killed process, or another that saves right now, is
 * passed by. */
static bool open_temporary(MemStateWriter *writer, GError **error)
{
    int why = EEXIST;

    for (unsigned i = 0; i < NAME_TRIES && why == EEXIST; i++) {
        g_autofree char *name =
            g_strdup_printf("%s.%08x%08x.tmp", writer->path, g_random_int(), g_random_int());

        writer->fd = writer->os->open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0) {
            writer->temporary = g_steal_pointer(&name);
            return true;
        }
        why = errno;
        if (why == EINTR) {
            why = EEXIST;
        }
    }
    g_set_error(error, MEM_ERROR, MEM_ERR_FILE, "%s: cannot create a file beside it: %s",
                writer->path, g_strerror(why));
    return false;
}

static bool make_buffers(MemStateWriter *writer)
{
    writer->packed_size = MEM_STATE_BLOCK_LEN + ZSTD_compressBound(MEM_STATE_BLOCK_RAW);
    writer->block = writer->os->try_alloc0(MEM_STATE_BLOCK_RAW);
    writer->packed = writer->os->try_alloc0(writer->packed_size);
    writer->zstd = ZSTD_createCCtx();
    writer->sum = XXH3_createState();
    return writer->block && writer->packed && writer->zstd && writer->sum;
}

MemStateWriter *mem_state_writer_new(const char *path, int level, GError **error)
{
    g_assert(level >= 0 && level <= LEVEL_MAX);
    const MemOs *os = mem_os();

    if (!check_target(os, path, error)) {
        return NULL;
    }
    g_autoptr(MemStateWriter) writer = g_new0(MemStateWriter, 1);

    writer->os = os;
    writer->fd = -1;
    writer->path = g_strdup(path);
    writer->level = level != 0 ? level : LEVEL_DEFAULT;
    writer->units = g_array_new(FALSE, TRUE, sizeof(WrittenUnit));
    if (!make_buffers(writer)) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "%s: no host memory to write it", path);
        return NULL;
    }
    if (!open_temporary(writer, error)) {
        return NULL;
    }
    XXH3_64bits_reset(writer->sum);
    write_header(writer);
    return g_steal_pointer(&writer);
}

/* ---- units */

static WrittenUnit *open_unit(MemStateWriter *writer)
{
    return &g_array_index(writer->units, WrittenUnit, writer->units->len - 1);
}

static bool is_good_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (!mem_state_name_char(name[i])) {
            return false;
        }
    }
    return len > 0 && len <= MEM_STATE_UNIT_NAME_MAX;
}

void mem_state_begin_unit(MemStateWriter *writer, const char *name, uint32_t instance,
                          uint32_t version)
{
    g_assert(!writer->in_unit);
    g_assert(is_good_name(name) && version > 0);
    g_assert(writer->units->len < MEM_STATE_MAX_UNITS);
    for (unsigned i = 0; i < writer->units->len; i++) {
        const WrittenUnit *other = &g_array_index(writer->units, WrittenUnit, i);

        g_assert(other->instance != instance || strcmp(other->name, name) != 0);
    }
    WrittenUnit unit = { .instance = instance, .version = version, .offset = writer->n_file };
    uint8_t record[MEM_STATE_BEGIN_LEN] = { 0 };
    size_t len = strlen(name);

    memcpy(unit.name, name, len);
    g_array_append_val(writer->units, unit);
    mem_state_put_le32(record, MEM_STATE_TAG_BEGIN);
    mem_state_put_le32(record + 4, (uint32_t)len);
    memcpy(record + 8, name, len);
    mem_state_put_le32(record + 40, instance);
    mem_state_put_le32(record + 44, version);
    write_sealed(writer, record, sizeof record);
    writer->in_unit = true;
    writer->n_blocks = 0;
}

static void write_block(MemStateWriter *writer)
{
    uint8_t *stored = writer->packed + MEM_STATE_BLOCK_LEN;
    uint32_t n_raw = writer->n_block;
    size_t n = ZSTD_compressCCtx(writer->zstd, stored, writer->packed_size - MEM_STATE_BLOCK_LEN,
                                 writer->block, n_raw, writer->level);
    MemStateMethod method = MEM_STATE_ZSTD;

    if (ZSTD_isError(n) || n >= n_raw) {
        memcpy(stored, writer->block, n_raw);
        n = n_raw;
        method = MEM_STATE_RAW;
    }
    uint8_t *header = writer->packed;

    mem_state_put_le32(header, MEM_STATE_TAG_BLOCK);
    mem_state_put_le32(header + 4, n_raw);
    mem_state_put_le32(header + 8, (uint32_t)n);
    mem_state_put_le32(header + 12, (uint32_t)method);
    mem_state_put_le64(header + 16, mem_state_block_sum(header, stored, n));
    write_out(writer, header, MEM_STATE_BLOCK_LEN + n);
    writer->n_blocks++;
    writer->n_block = 0;
}

void mem_state_put(MemStateWriter *writer, const void *bytes, size_t len)
{
    g_assert(writer->in_unit);
    const uint8_t *from = bytes;

    if (writer->failure) {
        return;
    }
    writer->n_raw += len;
    open_unit(writer)->raw_bytes += len;
    while (len > 0) {
        size_t n = MIN(len, MEM_STATE_BLOCK_RAW - writer->n_block);

        memcpy(writer->block + writer->n_block, from, n);
        writer->n_block += (uint32_t)n;
        from += n;
        len -= n;
        if (writer->n_block == MEM_STATE_BLOCK_RAW) {
            write_block(writer);
        }
    }
}

void mem_state_put_u8(MemStateWriter *writer, uint8_t value)
{
    mem_state_put(writer, &value, sizeof value);
}

void mem_state_put_u32(MemStateWriter *writer, uint32_t value)
{
    uint8_t bytes[4];

    mem_state_put_le32(bytes, value);
    mem_state_put(writer, bytes, sizeof bytes);
}

void mem_state_put_u64(MemStateWriter *writer, uint64_t value)
{
    uint8_t bytes[8];

    mem_state_put_le64(bytes, value);
    mem_state_put(writer, bytes, sizeof bytes);
}

void mem_state_put_string(MemStateWriter *writer, const char *text)
{
    size_t len = strlen(text);

    g_assert(len <= UINT32_MAX);
    mem_state_put_u32(writer, (uint32_t)len);
    mem_state_put(writer, text, len);
}

void mem_state_end_unit(MemStateWriter *writer)
{
    g_assert(writer->in_unit);
    WrittenUnit *unit = open_unit(writer);
    uint8_t record[MEM_STATE_END_LEN];

    if (writer->n_block > 0 && !writer->failure) {
        write_block(writer);
    }
    mem_state_put_le32(record, MEM_STATE_TAG_END);
    mem_state_put_le32(record + 4, writer->n_blocks);
    mem_state_put_le64(record + 8, unit->raw_bytes);
    write_sealed(writer, record, sizeof record);
    unit->file_bytes = writer->n_file - unit->offset;
    writer->n_block = 0;
    writer->in_unit = false;
}

/* ---- the end */

static void write_table(MemStateWriter *writer)
{
    size_t len = MEM_STATE_TABLE_LEN + (size_t)writer->units->len * MEM_STATE_ENTRY_LEN;
    g_autofree uint8_t *table = g_malloc0(len);

    mem_state_put_le32(table, MEM_STATE_TAG_TABLE);
    mem_state_put_le32(table + 4, writer->units->len);
    for (unsigned i = 0; i < writer->units->len; i++) {
        const WrittenUnit *unit = &g_array_index(writer->units, WrittenUnit, i);
        uint8_t *entry = table + 8 + (size_t)i * MEM_STATE_ENTRY_LEN;

        mem_state_put_le64(entry, unit->offset);
        mem_state_put_le64(entry + 8, unit->file_bytes);
        mem_state_put_le64(entry + 16, unit->raw_bytes);
        mem_state_put_le32(entry + 24, unit->instance);
        mem_state_put_le32(entry + 28, unit->version);
        memcpy(entry + 32, unit->name, MEM_STATE_NAME_LEN);
    }
    write_sealed(writer, table, len);
}

static void write_footer(MemStateWriter *writer, uint64_t table_offset)
{
    uint8_t footer[MEM_STATE_FOOTER_LEN] = { 0 };

    mem_state_put_le32(footer, MEM_STATE_TAG_FOOTER);
    mem_state_put_le64(footer + 8, table_offset);
    mem_state_put_le64(footer + 16, writer->n_file + MEM_STATE_FOOTER_LEN);
    write_out(writer, footer, MEM_STATE_FOOTER_LEN - MEM_STATE_SUM_LEN);
    mem_state_put_le64(footer + 24, XXH3_64bits_digest(writer->sum));
    write_out(writer, footer + 24, MEM_STATE_SUM_LEN);
}

static int sync_fd(const MemOs *os, int fd)
{
    int result;

    do {
        result = os->fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

static void sync_and_close(MemStateWriter *writer)
{
    if (writer->failure) {
        return;
    }
    if (sync_fd(writer->os, writer->fd) != 0) {
        mem_state_writer_fail(writer, "cannot bring it to the disk: %s", g_strerror(errno));
        return;
    }
    int fd = writer->fd;

    writer->fd = -1;
    /* Linux closes even when it reports an interruption. */
    if (writer->os->close(fd) != 0 && errno != EINTR) {
        mem_state_writer_fail(writer, "cannot close it: %s", g_strerror(errno));
    }
}

/* The folder is opened before the rename, so that little can go wrong after it. */
static void give_name(MemStateWriter *writer)
{
    g_autofree char *folder = g_path_get_dirname(writer->path);
    const MemOs *os = writer->os;

    if (writer->failure) {
        return;
    }
    int fd = os->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0) {
        mem_state_writer_fail(writer, "cannot open its folder: %s", g_strerror(errno));
        return;
    }
    if (os->rename(writer->temporary, writer->path) != 0) {
        mem_state_writer_fail(writer, "cannot rename %s to it: %s", writer->temporary,
                              g_strerror(errno));
    } else {
        g_clear_pointer(&writer->temporary, g_free);
        /* Some file systems cannot sync a folder and say EINVAL: they do as well as they can. */
        if (sync_fd(os, fd) != 0 && errno != EINVAL) {
            mem_state_writer_fail(writer,
                                  "is written, but its name may not outlive a power failure: %s",
                                  g_strerror(errno));
        }
    }
    (void)os->close(fd);
}

static void drop_temporary(MemStateWriter *writer)
{
    if (writer->fd >= 0) {
        (void)writer->os->close(writer->fd);
        writer->fd = -1;
    }
    if (writer->temporary) {
        (void)writer->os->unlink(writer->temporary);
        g_clear_pointer(&writer->temporary, g_free);
    }
}

bool mem_state_writer_commit(MemStateWriter *writer, GError **error)
{
    g_assert(!writer->in_unit && writer->fd >= 0);
    uint64_t table_offset = writer->n_file;

    write_table(writer);
    write_footer(writer, table_offset);
    sync_and_close(writer);
    give_name(writer);
    drop_temporary(writer);
    if (writer->failure) {
        g_propagate_error(error, g_error_copy(writer->failure));
        return false;
    }
    return true;
}

void mem_state_writer_free(MemStateWriter *writer)
{
    if (!writer) {
        return;
    }
    drop_temporary(writer);
    writer->os->free(writer->block);
    writer->os->free(writer->packed);
    ZSTD_freeCCtx(writer->zstd);
    XXH3_freeState(writer->sum);
    g_array_unref(writer->units);
    g_clear_error(&writer->failure);
    g_free(writer->path);
    g_free(writer);
}

bool mem_state_writer_ok(const MemStateWriter *writer)
{
    return !writer->failure;
}

uint64_t mem_state_writer_raw_bytes(const MemStateWriter *writer)
{
    return writer->n_raw;
}

uint64_t mem_state_writer_file_bytes(const MemStateWriter *writer)
{
    return writer->n_file;
}
