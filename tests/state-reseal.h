/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved states made by hand: checksums put right again after bytes were changed, and whole files
 * built in memory from the raw bytes of units. So that a test or a fuzzer comes past the checksums
 * to what is behind them.
 */
#pragma once

#include "memsys/state-format-internal.h"

#include <glib.h>

/* Puts the XXH3 of all before it into the last eight of @len bytes. */
static inline void state_seal(uint8_t *bytes, size_t len)
{
    mem_state_put_le64(bytes + len - MEM_STATE_SUM_LEN,
                       XXH3_64bits(bytes, len - MEM_STATE_SUM_LEN));
}

/* Length of the record at @bytes with its checksum put right; 0: it is none, or cut off. */
static inline size_t state_reseal_record(uint8_t *bytes, size_t len)
{
    if (len < MEM_STATE_BLOCK_LEN) {
        return 0;
    }
    switch (mem_state_le32(bytes)) {
    case MEM_STATE_TAG_BEGIN:
        if (len < MEM_STATE_BEGIN_LEN) {
            return 0;
        }
        state_seal(bytes, MEM_STATE_BEGIN_LEN);
        return MEM_STATE_BEGIN_LEN;
    case MEM_STATE_TAG_END:
        state_seal(bytes, MEM_STATE_END_LEN);
        return MEM_STATE_END_LEN;
    case MEM_STATE_TAG_BLOCK: {
        uint32_t stored = mem_state_le32(bytes + 8);

        if (stored > len - MEM_STATE_BLOCK_LEN) {
            return 0;
        }
        mem_state_put_le64(bytes + 16,
                           mem_state_block_sum(bytes, bytes + MEM_STATE_BLOCK_LEN, stored));
        return MEM_STATE_BLOCK_LEN + stored;
    }
    default:
        return 0;
    }
}

/* Every checksum that can be found, and the length in the footer, fit the bytes again. */
static inline void state_reseal(uint8_t *bytes, size_t len)
{
    size_t at = MEM_STATE_HEADER_LEN;

    if (len < MEM_STATE_HEADER_LEN + MEM_STATE_FOOTER_LEN) {
        return;
    }
    state_seal(bytes, MEM_STATE_HEADER_LEN);
    for (size_t n; (n = state_reseal_record(bytes + at, len - MEM_STATE_FOOTER_LEN - at)) > 0;) {
        at += n;
    }
    uint8_t *footer = bytes + len - MEM_STATE_FOOTER_LEN;
    uint64_t table = mem_state_le64(footer + 8);
    uint64_t table_end = len - MEM_STATE_FOOTER_LEN;

    if (table < table_end && table_end - table >= MEM_STATE_SUM_LEN) {
        state_seal(bytes + table, table_end - table);
    }
    mem_state_put_le64(footer + 16, len);
    state_seal(bytes, len);
}

/* ---- building */

typedef struct StateBuilder {
    GByteArray *file;
    GByteArray *table;
    uint32_t n_units;
} StateBuilder;

static inline uint8_t *state_append(GByteArray *to, size_t len)
{
    g_byte_array_set_size(to, to->len + (guint)len);
    uint8_t *at = to->data + to->len - len;

    memset(at, 0, len);
    return at;
}

static inline void state_builder_init(StateBuilder *builder)
{
    *builder = (StateBuilder) { .file = g_byte_array_new(), .table = g_byte_array_new() };
    uint8_t *header = state_append(builder->file, MEM_STATE_HEADER_LEN);

    memcpy(header, mem_state_magic, sizeof mem_state_magic);
    mem_state_put_le32(header + 8, MEM_STATE_VERSION);
    mem_state_put_le32(header + 12, MEM_STATE_ORDER);
    mem_state_put_le32(header + 20, MEM_STATE_BLOCK_RAW);
    state_seal(header, MEM_STATE_HEADER_LEN);
}

/* A unit of @len raw bytes, none of them packed. */
static inline void state_builder_add(StateBuilder *builder, const char *name, uint32_t instance,
                                     uint32_t version, const uint8_t *raw, size_t len)
{
    uint64_t start = builder->file->len;
    uint32_t n_blocks = 0;
    uint8_t *begin = state_append(builder->file, MEM_STATE_BEGIN_LEN);

    mem_state_put_le32(begin, MEM_STATE_TAG_BEGIN);
    mem_state_put_le32(begin + 4, (uint32_t)strlen(name));
    memcpy(begin + 8, name, strlen(name));
    mem_state_put_le32(begin + 40, instance);
    mem_state_put_le32(begin + 44, version);
    state_seal(begin, MEM_STATE_BEGIN_LEN);
    for (size_t at = 0, n; at < len; at += n, n_blocks++) {
        n = MIN(len - at, MEM_STATE_BLOCK_RAW);
        uint8_t *block = state_append(builder->file, MEM_STATE_BLOCK_LEN + n);

        mem_state_put_le32(block, MEM_STATE_TAG_BLOCK);
        mem_state_put_le32(block + 4, (uint32_t)n);
        mem_state_put_le32(block + 8, (uint32_t)n);
        memcpy(block + MEM_STATE_BLOCK_LEN, raw + at, n);
        mem_state_put_le64(block + 16, mem_state_block_sum(block, block + MEM_STATE_BLOCK_LEN, n));
    }
    uint8_t *end = state_append(builder->file, MEM_STATE_END_LEN);

    mem_state_put_le32(end, MEM_STATE_TAG_END);
    mem_state_put_le32(end + 4, n_blocks);
    mem_state_put_le64(end + 8, len);
    state_seal(end, MEM_STATE_END_LEN);

    uint8_t *entry = state_append(builder->table, MEM_STATE_ENTRY_LEN);

    mem_state_put_le64(entry, start);
    mem_state_put_le64(entry + 8, builder->file->len - start);
    mem_state_put_le64(entry + 16, len);
    mem_state_put_le32(entry + 24, instance);
    mem_state_put_le32(entry + 28, version);
    memcpy(entry + 32, name, strlen(name));
    builder->n_units++;
}

/* Returns: (transfer full): the whole file */
static inline GByteArray *state_builder_finish(StateBuilder *builder)
{
    uint64_t start = builder->file->len;
    uint8_t *table = state_append(builder->file, MEM_STATE_TABLE_LEN + builder->table->len);

    mem_state_put_le32(table, MEM_STATE_TAG_TABLE);
    mem_state_put_le32(table + 4, builder->n_units);
    if (builder->table->len > 0) {
        memcpy(table + 8, builder->table->data, builder->table->len);
    }
    state_seal(table, MEM_STATE_TABLE_LEN + builder->table->len);
    uint8_t *footer = state_append(builder->file, MEM_STATE_FOOTER_LEN);

    mem_state_put_le32(footer, MEM_STATE_TAG_FOOTER);
    mem_state_put_le64(footer + 8, start);
    mem_state_put_le64(footer + 16, builder->file->len);
    state_seal(builder->file->data, builder->file->len);
    g_byte_array_unref(builder->table);
    return builder->file;
}
