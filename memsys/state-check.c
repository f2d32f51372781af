/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verifies a saved state from its first byte to its last before anything of it is used: both ends,
 * then every record in order, then that the table says the same. Blocks are unpacked too, so that a
 * file that passes can be read to its end.
 *
 * Nothing is allocated by a number from the file but the list of units, which the file's own length
 * and MEM_STATE_MAX_UNITS bound.
 */
#include "memsys/state-reader-internal.h"

#include <inttypes.h>

typedef struct Check {
    MemStateReader *reader;
    uint64_t at;           /* next record */
    uint64_t table_offset; /* records of units end here */
    XXH3_state_t *sum;     /* over the file so far */
} Check;

static bool refuse_sum(const MemStateReader *reader, uint64_t offset, const char *what,
                       uint64_t expected, uint64_t got, GError **error)
{
    return mem_state_refuse(reader, offset, error,
                            "checksum of %s is %016" PRIx64 ", the bytes give %016" PRIx64
                            ": the file is damaged",
                            what, expected, got);
}

/* A record whose last eight bytes are the XXH3 of the rest. */
static bool check_sealed(const MemStateReader *reader, uint64_t offset, const uint8_t *record,
                         size_t len, const char *what, GError **error)
{
    size_t n = len - MEM_STATE_SUM_LEN;
    uint64_t expected = mem_state_le64(record + n);
    uint64_t got = XXH3_64bits(record, n);

    return expected == got || refuse_sum(reader, offset, what, expected, got, error);
}

/* ---- the two ends */

/* What these 32 bytes mean stays the same in later versions. */
static bool check_header(MemStateReader *reader, const uint8_t *header, GError **error)
{
    if (!check_sealed(reader, 0, header, MEM_STATE_HEADER_LEN, "the header", error)) {
        return false;
    }
    reader->version = mem_state_le32(header + 8);
    if (mem_state_le32(header + 12) != MEM_STATE_ORDER) {
        return mem_state_refuse(reader, 12, error,
                                "the byte order proof is 0x%08" PRIx32 ", not 0x%08" PRIx32,
                                mem_state_le32(header + 12), MEM_STATE_ORDER);
    }
    if (reader->version == 0) {
        return mem_state_refuse(reader, 8, error, "there is no version 0");
    }
    if (reader->version > MEM_STATE_VERSION) {
        return mem_state_refuse(reader, 8, error,
                                "made by a newer version %" PRIu32 "; this one reads up to %u",
                                reader->version, MEM_STATE_VERSION);
    }
    if (mem_state_le32(header + 16) != 0) {
        return mem_state_refuse(reader, 16, error, "unknown flags 0x%08" PRIx32,
                                mem_state_le32(header + 16));
    }
    if (mem_state_le32(header + 20) != MEM_STATE_BLOCK_RAW) {
        return mem_state_refuse(reader, 20, error, "blocks of %" PRIu32 " bytes, expected %" PRIu32,
                                mem_state_le32(header + 20), MEM_STATE_BLOCK_RAW);
    }
    return true;
}

static bool check_start(Check *check, GError **error)
{
    MemStateReader *reader = check->reader;
    uint8_t header[MEM_STATE_HEADER_LEN];
    size_t n = (size_t)MIN(reader->size, sizeof mem_state_magic);

    if (!mem_state_read_at(reader, 0, header, n, error)) {
        return false;
    }
    if (memcmp(header, mem_state_magic, n) != 0 || n == 0) {
        return mem_state_refuse(reader, 0, error, "this is not a saved state");
    }
    if (reader->size < MEM_STATE_HEADER_LEN + MEM_STATE_TABLE_LEN + MEM_STATE_FOOTER_LEN) {
        return mem_state_refuse(reader, reader->size, error,
                                "the file ends here: even an empty saved state has %u bytes",
                                MEM_STATE_HEADER_LEN + MEM_STATE_TABLE_LEN + MEM_STATE_FOOTER_LEN);
    }
    if (!mem_state_read_at(reader, 0, header, sizeof header, error) ||
        !check_header(reader, header, error)) {
        return false;
    }
    XXH3_64bits_update(check->sum, header, sizeof header);
    check->at = MEM_STATE_HEADER_LEN;
    return true;
}

/* Where the table begins. Its checksum, over all, comes last. */
static bool check_footer(Check *check, GError **error)
{
    MemStateReader *reader = check->reader;
    uint64_t at = reader->size - MEM_STATE_FOOTER_LEN;
    uint8_t footer[MEM_STATE_FOOTER_LEN];

    if (!mem_state_read_at(reader, at, footer, sizeof footer, error)) {
        return false;
    }
    uint64_t length = mem_state_le64(footer + 16);

    check->table_offset = mem_state_le64(footer + 8);
    if (mem_state_le32(footer) != MEM_STATE_TAG_FOOTER || mem_state_le32(footer + 4) != 0) {
        return mem_state_refuse(reader, at, error,
                                "the footer is expected here: the file was cut off, or bytes "
                                "follow its end");
    }
    if (length != reader->size) {
        return mem_state_refuse(reader, at + 16, error,
                                "the footer says %" PRIu64 " bytes, the file has %" PRIu64, length,
                                reader->size);
    }
    if (check->table_offset < MEM_STATE_HEADER_LEN ||
        check->table_offset > at - MEM_STATE_TABLE_LEN) {
        return mem_state_refuse(reader, at + 8, error,
                                "the table of units cannot begin at %" PRIu64, check->table_offset);
    }
    return true;
}

/* ---- units */

static bool read_record(Check *check, uint8_t *record, size_t len, const char *what, GError **error)
{
    if (len > check->table_offset - check->at) {
        return mem_state_refuse(check->reader, check->at, error,
                                "%s needs %zu bytes, the table of units begins after %" PRIu64,
                                what, len, check->table_offset - check->at);
    }
    return mem_state_read_at(check->reader, check->at, record, len, error);
}

static bool check_tag(const Check *check, const uint8_t *record, uint32_t tag, const char *what,
                      GError **error)
{
    return mem_state_le32(record) == tag ||
           mem_state_refuse(check->reader, check->at, error,
                            "%s is expected here, found 0x%08" PRIx32, what,
                            mem_state_le32(record));
}

/* Room for one more unit; NULL with an error. */
static MemStateEntry *new_entry(Check *check, GError **error)
{
    MemStateReader *reader = check->reader;

    if (reader->n_units == MEM_STATE_MAX_UNITS) {
        (void)mem_state_refuse(reader, check->at, error, "more than %u units", MEM_STATE_MAX_UNITS);
        return NULL;
    }
    if (reader->n_units == reader->n_units_allocated) {
        unsigned n = MAX(16, 2 * reader->n_units_allocated);
        MemStateEntry *units = reader->os->try_realloc(reader->units, n * sizeof *units);

        if (!units) {
            g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "%s: no host memory to read it",
                        reader->name);
            return NULL;
        }
        reader->units = units;
        reader->n_units_allocated = n;
    }
    return &reader->units[reader->n_units];
}

static bool check_name(const Check *check, const uint8_t *record, GError **error)
{
    uint32_t len = mem_state_le32(record + 4);
    const char *name = (const char *)record + 8;
    bool good = len >= 1 && len <= MEM_STATE_UNIT_NAME_MAX;

    for (uint32_t i = 0; good && i < MEM_STATE_NAME_LEN; i++) {
        good = i < len ? mem_state_name_char(name[i]) : name[i] == 0;
    }
    return good || mem_state_refuse(check->reader, check->at + 8, error,
                                    "a unit's name of 1 to %d letters a-z 0-9 _ - is expected",
                                    MEM_STATE_UNIT_NAME_MAX);
}

static bool check_begin(Check *check, MemStateEntry *unit, GError **error)
{
    const MemStateReader *reader = check->reader;
    uint8_t record[MEM_STATE_BEGIN_LEN];

    if (!read_record(check, record, sizeof record, "a unit's begin", error) ||
        !check_tag(check, record, MEM_STATE_TAG_BEGIN, "the begin of a unit", error) ||
        !check_sealed(reader, check->at, record, sizeof record, "a unit's begin", error) ||
        !check_name(check, record, error)) {
        return false;
    }
    *unit = (MemStateEntry) { .offset = check->at,
                              .instance = mem_state_le32(record + 40),
                              .version = mem_state_le32(record + 44) };
    memcpy(unit->name, record + 8, MEM_STATE_NAME_LEN);
    if (unit->version == 0) {
        return mem_state_refuse(reader, check->at + 44, error, "unit %s has version 0", unit->name);
    }
    for (unsigned i = 0; i < reader->n_units; i++) {
        if (reader->units[i].instance == unit->instance &&
            strcmp(reader->units[i].name, unit->name) == 0) {
            return mem_state_refuse(reader, check->at, error, "unit %s %" PRIu32 " is there twice",
                                    unit->name, unit->instance);
        }
    }
    XXH3_64bits_update(check->sum, record, sizeof record);
    check->at += sizeof record;
    return true;
}

static bool check_end(Check *check, MemStateEntry *unit, const uint8_t *start, uint64_t n_blocks,
                      GError **error)
{
    MemStateReader *reader = check->reader;
    uint8_t record[MEM_STATE_END_LEN];

    if (!read_record(check, record, sizeof record, "a unit's end", error) ||
        !check_tag(check, start, MEM_STATE_TAG_END, "a block or the end of a unit", error) ||
        !check_sealed(reader, check->at, record, sizeof record, "a unit's end", error)) {
        return false;
    }
    if (mem_state_le32(record + 4) != n_blocks || mem_state_le64(record + 8) != unit->raw_bytes) {
        return mem_state_refuse(reader, check->at + 4, error,
                                "unit %s has %" PRIu64 " blocks and %" PRIu64
                                " bytes, its end says %" PRIu32 " and %" PRIu64,
                                unit->name, n_blocks, unit->raw_bytes, mem_state_le32(record + 4),
                                mem_state_le64(record + 8));
    }
    XXH3_64bits_update(check->sum, record, sizeof record);
    check->at += sizeof record;
    unit->file_bytes = check->at - unit->offset;
    return true;
}

static bool check_unit(Check *check, GError **error)
{
    MemStateReader *reader = check->reader;
    MemStateEntry *unit = new_entry(check, error);
    uint64_t n_blocks = 0;

    if (!unit || !check_begin(check, unit, error)) {
        return false;
    }
    for (;;) {
        uint8_t tag[4];
        MemStateBlock block;

        if (!read_record(check, tag, sizeof tag, "a record", error)) {
            return false;
        }
        if (mem_state_le32(tag) != MEM_STATE_TAG_BLOCK) {
            reader->n_units++;
            return check_end(check, unit, tag, n_blocks, error);
        }
        if (unit->raw_bytes % MEM_STATE_BLOCK_RAW != 0) {
            return mem_state_refuse(reader, check->at, error,
                                    "a block follows one of less than %" PRIu32 " bytes",
                                    MEM_STATE_BLOCK_RAW);
        }
        if (!mem_state_load_block(reader, check->at, UINT64_MAX, &block, error)) {
            return false;
        }
        XXH3_64bits_update(check->sum, block.header, sizeof block.header);
        XXH3_64bits_update(check->sum, block.stored, block.n_stored);
        check->at += MEM_STATE_BLOCK_LEN + block.n_stored;
        unit->raw_bytes += block.n_raw;
        n_blocks++;
    }
}

/* ---- the table */

static bool check_entry(const Check *check, unsigned index, const uint8_t *entry, GError **error)
{
    const MemStateEntry *unit = &check->reader->units[index];

    if (mem_state_le64(entry) == unit->offset && mem_state_le64(entry + 8) == unit->file_bytes &&
        mem_state_le64(entry + 16) == unit->raw_bytes &&
        mem_state_le32(entry + 24) == unit->instance &&
        mem_state_le32(entry + 28) == unit->version &&
        memcmp(entry + 32, unit->name, MEM_STATE_NAME_LEN) == 0) {
        return true;
    }
    return mem_state_refuse(check->reader, check->at, error,
                            "entry %u of the table is not what unit %s %" PRIu32 " at byte %" PRIu64
                            " is",
                            index, unit->name, unit->instance, unit->offset);
}

static bool check_table(Check *check, GError **error)
{
    MemStateReader *reader = check->reader;
    uint64_t len = reader->size - MEM_STATE_FOOTER_LEN - check->at;
    uint64_t expected = MEM_STATE_TABLE_LEN + (uint64_t)reader->n_units * MEM_STATE_ENTRY_LEN;
    uint8_t *table = reader->raw;

    G_STATIC_ASSERT(MEM_STATE_TABLE_LEN + MEM_STATE_MAX_UNITS * MEM_STATE_ENTRY_LEN <=
                    MEM_STATE_BLOCK_RAW);
    if (len != expected) {
        return mem_state_refuse(reader, check->at, error,
                                "the table of %u units has %" PRIu64 " bytes, expected %" PRIu64,
                                reader->n_units, len, expected);
    }
    if (!mem_state_read_at(reader, check->at, table, len, error) ||
        !check_tag(check, table, MEM_STATE_TAG_TABLE, "the table of units", error) ||
        !check_sealed(reader, check->at, table, len, "the table", error)) {
        return false;
    }
    if (mem_state_le32(table + 4) != reader->n_units) {
        return mem_state_refuse(reader, check->at + 4, error,
                                "the table says %" PRIu32 " units; there are %u",
                                mem_state_le32(table + 4), reader->n_units);
    }
    for (unsigned i = 0; i < reader->n_units; i++) {
        if (!check_entry(check, i, table + 8 + (size_t)i * MEM_STATE_ENTRY_LEN, error)) {
            return false;
        }
    }
    XXH3_64bits_update(check->sum, table, len);
    check->at += len;
    return true;
}

static bool check_sum(Check *check, GError **error)
{
    uint8_t footer[MEM_STATE_FOOTER_LEN];

    if (!mem_state_read_at(check->reader, check->at, footer, sizeof footer, error)) {
        return false;
    }
    XXH3_64bits_update(check->sum, footer, sizeof footer - MEM_STATE_SUM_LEN);
    uint64_t expected = mem_state_le64(footer + 24);
    uint64_t got = XXH3_64bits_digest(check->sum);

    return expected == got ||
           refuse_sum(check->reader, check->at + 24, "the whole file", expected, got, error);
}

static bool check_records(Check *check, GError **error)
{
    if (!check_start(check, error) || !check_footer(check, error)) {
        return false;
    }
    check->reader->blocks_end = check->table_offset;
    while (check->at < check->table_offset) {
        if (!check_unit(check, error)) {
            return false;
        }
    }
    return check_table(check, error) && check_sum(check, error);
}

bool mem_state_check(MemStateReader *reader, GError **error)
{
    Check check = { .reader = reader, .sum = XXH3_createState() };

    if (!check.sum) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY, "%s: no host memory to read it",
                    reader->name);
        return false;
    }
    XXH3_64bits_reset(check.sum);
    bool good = check_records(&check, error);

    XXH3_freeState(check.sum);
    return good;
}

/* ---- blocks */

static bool check_block_header(const MemStateReader *reader, uint64_t offset, uint64_t n_left,
                               const MemStateBlock *block, GError **error)
{
    uint64_t expected = MIN(n_left, MEM_STATE_BLOCK_RAW);
    bool zstd = block->method == MEM_STATE_ZSTD;

    if (mem_state_le32(block->header) != MEM_STATE_TAG_BLOCK) {
        return mem_state_refuse(reader, offset, error, "a block is expected here");
    }
    if (block->n_raw == 0 || block->n_raw > MEM_STATE_BLOCK_RAW ||
        (n_left != UINT64_MAX && block->n_raw != expected)) {
        return mem_state_refuse(reader, offset + 4, error,
                                "a block of %" PRIu32 " bytes; %s%" PRIu64 " are expected",
                                block->n_raw, n_left == UINT64_MAX ? "1 to " : "", expected);
    }
    if ((!zstd && block->method != MEM_STATE_RAW) ||
        (zstd ? block->n_stored >= block->n_raw : block->n_stored != block->n_raw)) {
        return mem_state_refuse(reader, offset + 8, error,
                                "a block of %" PRIu32 " bytes cannot be stored as %" PRIu32
                                " by method %" PRIu32,
                                block->n_raw, block->n_stored, block->method);
    }
    if (block->n_stored > reader->blocks_end - offset - MEM_STATE_BLOCK_LEN) {
        return mem_state_refuse(reader, offset + 8, error,
                                "a block of %" PRIu32 " stored bytes reaches into the table",
                                block->n_stored);
    }
    return true;
}

static bool unpack_block(MemStateReader *reader, uint64_t offset, const MemStateBlock *block,
                         GError **error)
{
    unsigned long long stated = ZSTD_getFrameContentSize(block->stored, block->n_stored);

    if (stated != block->n_raw ||
        ZSTD_findFrameCompressedSize(block->stored, block->n_stored) != block->n_stored) {
        return mem_state_refuse(reader, offset + MEM_STATE_BLOCK_LEN, error,
                                "one zstd frame of %" PRIu32 " bytes is expected", block->n_raw);
    }
    size_t n = ZSTD_decompressDCtx(reader->zstd, reader->raw, MEM_STATE_BLOCK_RAW, block->stored,
                                   block->n_stored);

    if (ZSTD_isError(n) || n != block->n_raw) {
        return mem_state_refuse(reader, offset + MEM_STATE_BLOCK_LEN, error,
                                "zstd cannot unpack the block: %s",
                                ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
    }
    return true;
}

bool mem_state_load_block(MemStateReader *reader, uint64_t offset, uint64_t n_left,
                          MemStateBlock *ret_block, GError **error)
{
    MemStateBlock *block = ret_block;

    if (offset > reader->blocks_end || reader->blocks_end - offset < MEM_STATE_BLOCK_LEN) {
        return mem_state_refuse(reader, offset, error, "a block is expected here");
    }
    if (!mem_state_read_at(reader, offset, block->header, sizeof block->header, error)) {
        return false;
    }
    block->n_raw = mem_state_le32(block->header + 4);
    block->n_stored = mem_state_le32(block->header + 8);
    block->method = mem_state_le32(block->header + 12);
    if (!check_block_header(reader, offset, n_left, block, error)) {
        return false;
    }
    uint8_t *to = block->method == MEM_STATE_ZSTD ? reader->stored : reader->raw;

    if (!mem_state_read_at(reader, offset + MEM_STATE_BLOCK_LEN, to, block->n_stored, error)) {
        return false;
    }
    block->stored = to;
    uint64_t expected = mem_state_le64(block->header + 16);
    uint64_t got = mem_state_block_sum(block->header, to, block->n_stored);

    if (expected != got) {
        return refuse_sum(reader, offset, "a block", expected, got, error);
    }
    return block->method == MEM_STATE_RAW || unpack_block(reader, offset, block, error);
}
