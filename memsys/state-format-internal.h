/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a saved state's container, version 1. Integers are little-endian and unaligned;
 * lengths are in bytes. XXH3 is the 64-bit xxh3 with seed 0.
 *
 *   header | unit | unit | ... | table | footer
 *   unit:   begin | block | block | ... | end
 *
 * Header, 32 bytes
 *    0   8  89 51 53 54 0d 0a 1a 0a: what a text transfer would damage
 *    8   4  container version, 1
 *   12   4  byte order proof, 0x01020304
 *   16   4  flags, 0
 *   20   4  most raw bytes of a block, 262144
 *   24   8  XXH3 of bytes 0 to 23
 *
 * Every record after it starts with four letters (a tag) and ends with, or has, an XXH3.
 *
 * Begin of a unit, 56 bytes
 *    0   4  "UNIT"
 *    4   4  length of the name, 1 to 31
 *    8  32  name, of a-z 0-9 _ -, padded with zeros
 *   40   4  instance
 *   44   4  version of the unit, 1 or more
 *   48   8  XXH3 of bytes 0 to 47
 *
 * Block, 24 bytes and the stored ones
 *    0   4  "BLCK"
 *    4   4  raw length: 262144, in the last block of a unit 1 to 262144
 *    8   4  stored length
 *   12   4  method: 0 as it is (stored = raw length), 1 one zstd frame that states its raw length
 *           (stored < raw length)
 *   16   8  XXH3 of the stored bytes, with the XXH3 of bytes 0 to 15 as its seed
 *   24   .  stored bytes
 *
 * End of a unit, 24 bytes
 *    0   4  "UEND"
 *    4   4  number of blocks: raw bytes / 262144, rounded up
 *    8   8  raw bytes of the unit
 *   16   8  XXH3 of bytes 0 to 15
 *
 * Table, 16 bytes and 64 a unit
 *    0   4  "TABL"
 *    4   4  number of units, at most 4000; each in order of the file:
 *            0   8  offset of its begin in the file
 *            8   8  length in the file, begin and end included
 *           16   8  raw bytes
 *           24   4  instance
 *           28   4  version
 *           32  32  name, padded with zeros
 *    .   8  XXH3 of all before in the table
 *
 * Footer, 32 bytes, at the end of the file
 *    0   4  "FOOT"
 *    4   4  0
 *    8   8  offset of the table
 *   16   8  length of the file, this footer included
 *   24   8  XXH3 of the whole file before these 8 bytes
 *
 * There is one way to write a given sequence of units but for the choice of compression: a reader
 * refuses everything else, and every damaged byte falls under at least one checksum.
 *
 * Source: ours; zstd frames are RFC 8878's.
 */
#pragma once

#include "memsys/state_file.h"

#include <string.h>
#include <xxhash.h>

#define MEM_STATE_VERSION 1u
#define MEM_STATE_ORDER UINT32_C(0x01020304)
#define MEM_STATE_BLOCK_RAW UINT32_C(262144)
#define MEM_STATE_MAX_UNITS 4000u /* so that the table is no longer than a block */

#define MEM_STATE_HEADER_LEN 32u
#define MEM_STATE_BEGIN_LEN 56u
#define MEM_STATE_BLOCK_LEN 24u
#define MEM_STATE_END_LEN 24u
#define MEM_STATE_TABLE_LEN 16u /* without entries */
#define MEM_STATE_ENTRY_LEN 64u
#define MEM_STATE_FOOTER_LEN 32u
#define MEM_STATE_NAME_LEN 32u /* a padded name */
#define MEM_STATE_SUM_LEN 8u

#define MEM_STATE_TAG(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define MEM_STATE_TAG_BEGIN MEM_STATE_TAG('U', 'N', 'I', 'T')
#define MEM_STATE_TAG_BLOCK MEM_STATE_TAG('B', 'L', 'C', 'K')
#define MEM_STATE_TAG_END MEM_STATE_TAG('U', 'E', 'N', 'D')
#define MEM_STATE_TAG_TABLE MEM_STATE_TAG('T', 'A', 'B', 'L')
#define MEM_STATE_TAG_FOOTER MEM_STATE_TAG('F', 'O', 'O', 'T')

typedef enum MemStateMethod { MEM_STATE_RAW = 0, MEM_STATE_ZSTD = 1 } MemStateMethod;

static const uint8_t mem_state_magic[8] = { 0x89, 'Q', 'S', 'T', '\r', '\n', 0x1a, '\n' };

static inline void mem_state_put_le32(uint8_t *to, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(to, &value, sizeof value);
}

static inline void mem_state_put_le64(uint8_t *to, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(to, &value, sizeof value);
}

static inline uint32_t mem_state_le32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return GUINT32_FROM_LE(value);
}

static inline uint64_t mem_state_le64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return GUINT64_FROM_LE(value);
}

/* What a block's header, and its stored bytes, give. */
static inline uint64_t mem_state_block_sum(const uint8_t *header, const uint8_t *stored, size_t n)
{
    return XXH3_64bits_withSeed(stored, n, XXH3_64bits(header, 16));
}

static inline bool mem_state_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
