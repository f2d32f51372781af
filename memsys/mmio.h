/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO: ranges whose every access goes to a device. The bus brings an access to a size and
 * alignment the device accepts: it splits in address order, or widens (reads more and picks, or
 * reads, merges and writes), and never makes the same device access twice for one guest access.
 */
#pragma once

#include "memsys/mmio2.h"
#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef struct PgmMmio PgmMmio;

/*
 * @offset is from the start of the range. MEM_OK, or MEM_ERR_BUS_ERROR to refuse (a read then gives
 * all ones). Callbacks may map, move and unmap ranges, their own too, and change handlers.
 * An access that reaches the same range again from inside its callback is served up to a depth of
 * eight, then refused.
 */
typedef struct PgmMmioOps {
    MemStatus (*read)(void *user, uint64_t offset, unsigned size, uint64_t *ret_value);
    MemStatus (*write)(void *user, uint64_t offset, unsigned size, uint64_t value);
    uint8_t min_size; /* smallest and largest access the device accepts: 1, 2, 4 or 8; 0 is 1 */
    uint8_t max_size; /* 0 is 8 */
    bool unaligned;   /* takes accesses that are not aligned to their size; else they are split */
    bool big_endian;  /* the device's registers are big-endian */
    /* The callbacks neither ask for the time nor drive lines, set timers or stop the machine: it
     * makes no difference to them at which instruction they are called. A CPU then need not find
     * out, which costs it more than the access. */
    bool inert;
} PgmMmioOps;

/**
 * pgm_mmio_new:
 * @len: bytes, page aligned
 * @ops: copied; sizes must be 1, 2, 4 or 8 and in order (asserted)
 *
 * An MMIO range that is not mapped yet.
 */
PgmMmio *pgm_mmio_new(Pgm *pgm, uint64_t len, const PgmMmioOps *ops, void *user, const char *owner,
                      const char *description, GError **error);

/* Unmaps first if need be. */
void pgm_mmio_free(PgmMmio *mmio);

/**
 * pgm_mmio_map:
 *
 * At @gpa, over a hole or wholly inside one RAM range (kept beneath). Also moves a range that is
 * mapped elsewhere: if the new place is refused the old one stays.
 *
 * Returns: MEM_OK, MEM_ERR_UNALIGNED, MEM_ERR_OUT_OF_RANGE, MEM_ERR_CONFLICT
 */
MemStatus pgm_mmio_map(PgmMmio *mmio, GPhys gpa, GError **error);

/* Returns: MEM_OK, or MEM_ERR_WRONG_ORDER if it is not mapped */
MemStatus pgm_mmio_unmap(PgmMmio *mmio);

/* Where it is mapped, or MEM_GPHYS_NIL. */
GPhys pgm_mmio_address(const PgmMmio *mmio);

/**
 * pgm_mmio_alias:
 * @offset: page of the mapped MMIO range, aligned
 * @mmio2, @mmio2_offset: page to show there instead, aligned
 *
 * Reads and writes of that page become plain memory accesses to the MMIO2 page until
 * pgm_mmio_unalias() or an unmap of either. Moving either keeps it. The MMIO2 need not be mapped.
 *
 * Returns: MEM_OK, MEM_ERR_WRONG_ORDER (not mapped), MEM_ERR_OUT_OF_RANGE, MEM_ERR_UNALIGNED,
 *   MEM_ERR_HOST_MEMORY
 */
MemStatus pgm_mmio_alias(PgmMmio *mmio, uint64_t offset, PgmMmio2 *mmio2, uint64_t mmio2_offset);

/* All pages of the range are MMIO again. */
void pgm_mmio_unalias(PgmMmio *mmio);

#pragma GCC visibility pop
