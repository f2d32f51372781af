/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct MemStateReader, shared by state-read.c (handing out) and state-check.c (checking).
 */
#pragma once

#include "memsys/os.h"
#include "memsys/state-format-internal.h"

#include <zstd.h>

typedef struct MemStateEntry {
    char name[MEM_STATE_NAME_LEN]; /* ends with a zero */
    uint32_t instance;
    uint32_t version;
    uint64_t offset; /* of its begin record */
    uint64_t file_bytes;
    uint64_t raw_bytes;
} MemStateEntry;

/*
 * Invariants:
 * 1. Either bytes is set or fd is open; size is what either has.
 * 2. While a unit is open: n_left bytes of it were not handed out, n_in_block - at of them are in
 *    raw, the rest begins with the block at next_block.
 */
struct MemStateReader {
    const MemOs *os;
    char *name; /* of the file, for messages */
    int fd;
    const uint8_t *bytes;
    uint64_t size;
    uint32_t version;
    uint64_t blocks_end; /* no block reaches beyond */

    MemStateEntry *units;
    unsigned n_units;
    unsigned n_units_allocated;

    ZSTD_DCtx *zstd;
    uint8_t *raw;
    uint8_t *stored;

    const MemStateEntry *open; /* NULL: none */
    uint64_t n_left;
    uint64_t next_block;
    uint32_t at;
    uint32_t n_in_block;

    MemStateProgress progress; /* NULL: nobody asks */
    void *progress_user;
    uint64_t n_raw_read;
};

typedef struct MemStateBlock {
    uint8_t header[MEM_STATE_BLOCK_LEN];
    uint32_t n_raw;
    uint32_t n_stored;
    uint32_t method;
    const uint8_t *stored; /* in the reader, until the next block */
} MemStateBlock;

/* Sets an error naming file and byte. Returns: false */
bool mem_state_refuse(const MemStateReader *reader, uint64_t offset, GError **error,
                      const char *format, ...) G_GNUC_PRINTF(4, 5);

/* @len bytes at @offset, all of them in the file (asserted). */
bool mem_state_read_at(MemStateReader *reader, uint64_t offset, void *buf, size_t len,
                       GError **error);

/* ---- state-check.c */

/* Verifies the whole file and fills the list of units. */
bool mem_state_check(MemStateReader *reader, GError **error);

/**
 * mem_state_load_block:
 * @n_left: raw bytes the unit has from this block on; UINT64_MAX if that is not known yet: then any
 *   length is taken
 *
 * Reads and verifies the block whose header is at @offset; its bytes are in reader->raw then.
 */
bool mem_state_load_block(MemStateReader *reader, uint64_t offset, uint64_t n_left,
                          MemStateBlock *ret_block, GError **error);
