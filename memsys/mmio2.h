/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO2: memory that belongs to a device (a frame buffer): allocated whole, one stable host
 * pointer, mapped, moved and unmapped as the guest moves the device's BAR, with dirty tracking per
 * page.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmMmio2 PgmMmio2;

/**
 * pgm_mmio2_new:
 * @owner, @region: together unique in the machine
 * @len: bytes, page aligned, as much as the arena has left
 * @track_dirty: whether dirty tracking may be switched on
 *
 * Returns: (transfer full): cleared memory, not mapped; charged to the machine's FIXED account;
 * %NULL with MEM_ERR_ALREADY_EXISTS, MEM_ERR_UNALIGNED, MEM_ERR_NO_MEMORY, MEM_ERR_DECLINED
 */
PgmMmio2 *pgm_mmio2_new(Pgm *pgm, const char *owner, unsigned region, uint64_t len,
                        bool track_dirty, const char *description, GError **error);

/* Unmaps first if need be. */
void pgm_mmio2_free(PgmMmio2 *mmio2);

/* Finds by owner and region; NULL if there is none. */
PgmMmio2 *pgm_mmio2_lookup(Pgm *pgm, const char *owner, unsigned region);

/* The memory, registered length; stable for life. */
uint8_t *pgm_mmio2_host(const PgmMmio2 *mmio2);
uint64_t pgm_mmio2_len(const PgmMmio2 *mmio2); /* visible length: see pgm_mmio2_reduce() */

/**
 * pgm_mmio2_map:
 *
 * As pgm_mmio_map(): over a hole or inside one RAM range; also moves.
 */
MemStatus pgm_mmio2_map(PgmMmio2 *mmio2, GPhys gpa, GError **error);
MemStatus pgm_mmio2_unmap(PgmMmio2 *mmio2);
GPhys pgm_mmio2_address(const PgmMmio2 *mmio2);

/**
 * pgm_mmio2_reduce:
 * @len: page aligned, 1 page to the registered length
 *
 * Changes how much of it a mapping shows. Only while unmapped (else MEM_ERR_WRONG_ORDER).
 */
MemStatus pgm_mmio2_reduce(PgmMmio2 *mmio2, uint64_t len);

/**
 * pgm_mmio2_set_tracking:
 *
 * Turning it on starts clean. MEM_ERR_WRONG_TYPE if created without track_dirty.
 */
MemStatus pgm_mmio2_set_tracking(PgmMmio2 *mmio2, bool on);

/**
 * pgm_mmio2_query_dirty:
 * @bitmap: (nullable): one bit a page, bit 0 of word 0 first; %NULL only resets
 * @n_words: must be the registered pages / 64, rounded up
 *
 * Which pages were written since the last query, by anyone through guest memory or named in
 * pgm_mmio2_mark_dirty(); then all are clean again.
 */
MemStatus pgm_mmio2_query_dirty(PgmMmio2 *mmio2, uint64_t *bitmap, uint64_t n_words);

/**
 * pgm_mmio2_mark_dirty:
 *
 * The owner writes these bytes through its host pointer. To be called before it does (a snapshot
 * then still finds the old bytes), and after as well if guest code runs from this memory.
 *
 * Returns: MEM_OK; MEM_ERR_OUT_OF_RANGE; MEM_ERR_NO_MEMORY: a snapshot has no room for the old
 *   bytes, pages up to some one are marked
 */
MemStatus pgm_mmio2_mark_dirty(PgmMmio2 *mmio2, uint64_t offset, uint64_t len);

#pragma GCC visibility pop
