/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container of a saved state: a header, named units one after the other, each a stream of bytes
 * cut into zstd-compressed blocks with an xxh3 checksum each, a table of the units and a checksum
 * over all. Integers are little-endian; a file says its version. Behind it: state-write.c
 * (writing), state-check.c (all of a file verified first), state-read.c (handing out), and the
 * bytes in state-format-internal.h. Units are opaque here: memory's are in memsys/saved_state.h.
 *
 * Writing goes to a temporary file in the same folder, then fsync, rename, fsync of the folder:
 * under the real name there is always the old state or the new one, whole.
 * Reading checks everything before anything is handed out: lengths, order, checksums, limits. A
 * hostile file costs no more memory than the reader asks for.
 *
 * Thread: one at a time.
 */
#pragma once

#include "memsys/status.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

#define MEM_STATE_UNIT_NAME_MAX 31

/* ---- writing */

typedef struct MemStateWriter MemStateWriter;

/**
 * mem_state_writer_new:
 * @path: of the finished file
 * @level: of zstd, 1 to 19; 0 takes 3
 *
 * Returns: (transfer full): a writer, or %NULL if the temporary file cannot be made
 */
MemStateWriter *mem_state_writer_new(const char *path, int level, GError **error);

/* Units do not nest. Names: 1 to 31 of a-z 0-9 _ -; (name, instance) unique in the file (asserted).
 */
void mem_state_begin_unit(MemStateWriter *writer, const char *name, uint32_t instance,
                          uint32_t version);
/* The first failure is kept and reported by mem_state_writer_commit(); later calls do nothing. */
void mem_state_put(MemStateWriter *writer, const void *bytes, size_t len);
void mem_state_put_u8(MemStateWriter *writer, uint8_t value);
void mem_state_put_u32(MemStateWriter *writer, uint32_t value);
void mem_state_put_u64(MemStateWriter *writer, uint64_t value);
void mem_state_put_string(MemStateWriter *writer, const char *text); /* u32 length, bytes */
void mem_state_end_unit(MemStateWriter *writer);

/* What is to be saved cannot be had: nothing more is written, and the commit reports this reason
 * (as "FILE: reason") unless there was one before. */
void mem_state_writer_fail(MemStateWriter *writer, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Whether all went well so far. */
bool mem_state_writer_ok(const MemStateWriter *writer);
/* Bytes given to the writer, and bytes in the file, so far. */
uint64_t mem_state_writer_raw_bytes(const MemStateWriter *writer);
uint64_t mem_state_writer_file_bytes(const MemStateWriter *writer);

/* Makes the file appear under its name; once a writer. False with MEM_ERROR naming the file and
 * what failed: then the old file is untouched (but if only the folder could not be synced
 * afterwards; the message says so). */
bool mem_state_writer_commit(MemStateWriter *writer, GError **error);
/* (nullable). Without a commit the temporary file is removed. */
void mem_state_writer_free(MemStateWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemStateWriter, mem_state_writer_free)

/* ---- reading */

typedef struct MemStateReader MemStateReader;

typedef struct MemStateUnit {
    const char *name; /* valid as long as the reader */
    uint32_t instance;
    uint32_t version;
    uint64_t raw_bytes;
    uint64_t file_bytes;
} MemStateUnit;

/**
 * mem_state_reader_new:
 *
 * Opens and checks the whole file.
 *
 * Returns: (transfer full): a reader, or %NULL with an error that says what is wrong at which byte
 */
MemStateReader *mem_state_reader_new(const char *path, GError **error);
/* The same from memory, which must outlive the reader: for fuzzers and tests. */
MemStateReader *mem_state_reader_new_from_bytes(const void *bytes, size_t len, GError **error);
void mem_state_reader_free(MemStateReader *reader); /* (nullable) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemStateReader, mem_state_reader_free)

uint32_t mem_state_reader_version(const MemStateReader *reader); /* of the container */
unsigned mem_state_reader_n_units(const MemStateReader *reader);
/* In order of the file. False past the end. */
bool mem_state_reader_unit(const MemStateReader *reader, unsigned index, MemStateUnit *ret_unit);
bool mem_state_reader_has(const MemStateReader *reader, const char *name, uint32_t instance);

/**
 * mem_state_open_unit:
 * @max_version: the newest version the caller can read
 *
 * Starts reading at the unit's first byte; as often as wanted.
 *
 * Returns: its version; 0 with an error if it is missing or newer
 */
uint32_t mem_state_open_unit(MemStateReader *reader, const char *name, uint32_t instance,
                             uint32_t max_version, GError **error);

/**
 * MemStateProgress:
 * @n_raw: bytes of units unpacked so far, since mem_state_reader_set_progress()
 *
 * Called for each block, of 256 KiB, on the thread that reads. Must not use the reader.
 */
typedef void (*MemStateProgress)(uint64_t n_raw, void *user);
void mem_state_reader_set_progress(MemStateReader *reader, MemStateProgress func, void *user);

/* Exactly @len bytes of the open unit; false with an error naming unit and offset if there are
 * fewer. */
bool mem_state_get(MemStateReader *reader, void *buf, size_t len, GError **error);
bool mem_state_get_u8(MemStateReader *reader, uint8_t *ret_value, GError **error);
bool mem_state_get_u32(MemStateReader *reader, uint32_t *ret_value, GError **error);
bool mem_state_get_u64(MemStateReader *reader, uint64_t *ret_value, GError **error);
/* @max: longest text allowed, up to 1 MiB. Returns: (transfer full): NULL with an error */
char *mem_state_get_string(MemStateReader *reader, size_t max, GError **error);
uint64_t mem_state_unit_left(const MemStateReader *reader); /* bytes of the open unit */
/* Bad content: sets an error naming unit and offset. Returns false. */
bool mem_state_bad(MemStateReader *reader, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

#pragma GCC visibility pop
