/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and writing guest-physical memory. Typed access: a page-map TLB hit is index, compare,
 * load or store. Everything else (miss, page crossing, MMIO, handler, watch, ROM) is one call to
 * the slow path.
 *
 * Guest values are little-endian, host values plain integers. Aligned typed accesses are single
 * host accesses. Addresses nobody registered read all ones and swallow writes.
 */
#pragma once

#include "memsys/pgm.h"

/* Layout of the page-map TLB; here only because hits are inlined. */
#include "memsys/tlb-access.h"

#include <string.h>

#pragma GCC visibility push(default)

/**
 * pgm_bus_read, pgm_bus_write:
 * @size: 1 to 8 bytes, any alignment
 *
 * The slow path by itself: one access as a CPU or device makes it, with every rule applied
 * (watches, handlers, the access sizes of MMIO). A CPU's caught accesses come here. Does not fill
 * the page-map TLB for pages that must be caught.
 *
 * Returns: MEM_OK or the reason; a failed read leaves all ones in @ret_value
 */
MemStatus pgm_bus_read(Pgm *pgm, GPhys gpa, unsigned size, MemOrigin origin, uint64_t *ret_value);
MemStatus pgm_bus_write(Pgm *pgm, GPhys gpa, unsigned size, uint64_t value, MemOrigin origin);

/*
 * pgm_read_uN_as, pgm_write_uN_as; the bodies follow pgm_bus_read().
 *
 * Reads give the value; all ones if nothing answers or a device refuses.
 * Writes give MEM_OK (also when the write vanished), MEM_ERR_NO_MEMORY, MEM_ERR_BALLOONED,
 *   MEM_ERR_BUS_ERROR.
 * The variants without _as name MEM_ORIGIN_DEVICE.
 */

static inline uint8_t pgm_read_u8_as(Pgm *pgm, GPhys gpa, MemOrigin origin)
{
    const uint8_t *host = pgm_tlb_lookup(pgm, gpa, 1, MEM_ACCESS_READ);

    if (G_UNLIKELY(!host)) {
        uint64_t slow;

        (void)pgm_bus_read(pgm, gpa, 1, origin, &slow);
        return (uint8_t)slow;
    }
    return pgm_host_load_u8(host);
}

static inline MemStatus pgm_write_u8_as(Pgm *pgm, GPhys gpa, uint8_t value, MemOrigin origin)
{
    uint8_t *host = pgm_tlb_lookup(pgm, gpa, 1, MEM_ACCESS_WRITE);

    if (G_UNLIKELY(!host)) {
        return pgm_bus_write(pgm, gpa, 1, value, origin);
    }
    pgm_host_store_u8(host, value);
    return MEM_OK;
}

static inline uint8_t pgm_read_u8(Pgm *pgm, GPhys gpa)
{
    return pgm_read_u8_as(pgm, gpa, MEM_ORIGIN_DEVICE);
}

static inline MemStatus pgm_write_u8(Pgm *pgm, GPhys gpa, uint8_t value)
{
    return pgm_write_u8_as(pgm, gpa, value, MEM_ORIGIN_DEVICE);
}

static inline uint16_t pgm_read_u16_as(Pgm *pgm, GPhys gpa, MemOrigin origin)
{
    const uint8_t *host = pgm_tlb_lookup(pgm, gpa, 2, MEM_ACCESS_READ);

    if (G_UNLIKELY(!host)) {
        uint64_t slow;

        (void)pgm_bus_read(pgm, gpa, 2, origin, &slow);
        return (uint16_t)slow;
    }
    return GUINT16_FROM_LE(pgm_host_load_u16(host));
}

static inline MemStatus pgm_write_u16_as(Pgm *pgm, GPhys gpa, uint16_t value, MemOrigin origin)
{
    uint8_t *host = pgm_tlb_lookup(pgm, gpa, 2, MEM_ACCESS_WRITE);

    if (G_UNLIKELY(!host)) {
        return pgm_bus_write(pgm, gpa, 2, value, origin);
    }
    pgm_host_store_u16(host, GUINT16_TO_LE(value));
    return MEM_OK;
}

static inline uint16_t pgm_read_u16(Pgm *pgm, GPhys gpa)
{
    return pgm_read_u16_as(pgm, gpa, MEM_ORIGIN_DEVICE);
}

static inline MemStatus pgm_write_u16(Pgm *pgm, GPhys gpa, uint16_t value)
{
    return pgm_write_u16_as(pgm, gpa, value, MEM_ORIGIN_DEVICE);
}

static inline uint32_t pgm_read_u32_as(Pgm *pgm, GPhys gpa, MemOrigin origin)
{
    const uint8_t *host = pgm_tlb_lookup(pgm, gpa, 4, MEM_ACCESS_READ);

    if (G_UNLIKELY(!host)) {
        uint64_t slow;

        (void)pgm_bus_read(pgm, gpa, 4, origin, &slow);
        return (uint32_t)slow;
    }
    return GUINT32_FROM_LE(pgm_host_load_u32(host));
}

static inline MemStatus pgm_write_u32_as(Pgm *pgm, GPhys gpa, uint32_t value, MemOrigin origin)
{
    uint8_t *host = pgm_tlb_lookup(pgm, gpa, 4, MEM_ACCESS_WRITE);

    if (G_UNLIKELY(!host)) {
        return pgm_bus_write(pgm, gpa, 4, value, origin);
    }
    pgm_host_store_u32(host, GUINT32_TO_LE(value));
    return MEM_OK;
}

static inline uint32_t pgm_read_u32(Pgm *pgm, GPhys gpa)
{
    return pgm_read_u32_as(pgm, gpa, MEM_ORIGIN_DEVICE);
}

static inline MemStatus pgm_write_u32(Pgm *pgm, GPhys gpa, uint32_t value)
{
    return pgm_write_u32_as(pgm, gpa, value, MEM_ORIGIN_DEVICE);
}

static inline uint64_t pgm_read_u64_as(Pgm *pgm, GPhys gpa, MemOrigin origin)
{
    const uint8_t *host = pgm_tlb_lookup(pgm, gpa, 8, MEM_ACCESS_READ);

    if (G_UNLIKELY(!host)) {
        uint64_t slow;

        (void)pgm_bus_read(pgm, gpa, 8, origin, &slow);
        return (uint64_t)slow;
    }
    return GUINT64_FROM_LE(pgm_host_load_u64(host));
}

static inline MemStatus pgm_write_u64_as(Pgm *pgm, GPhys gpa, uint64_t value, MemOrigin origin)
{
    uint8_t *host = pgm_tlb_lookup(pgm, gpa, 8, MEM_ACCESS_WRITE);

    if (G_UNLIKELY(!host)) {
        return pgm_bus_write(pgm, gpa, 8, value, origin);
    }
    pgm_host_store_u64(host, GUINT64_TO_LE(value));
    return MEM_OK;
}

static inline uint64_t pgm_read_u64(Pgm *pgm, GPhys gpa)
{
    return pgm_read_u64_as(pgm, gpa, MEM_ORIGIN_DEVICE);
}

static inline MemStatus pgm_write_u64(Pgm *pgm, GPhys gpa, uint64_t value)
{
    return pgm_write_u64_as(pgm, gpa, value, MEM_ORIGIN_DEVICE);
}

/**
 * pgm_read, pgm_write:
 * @len: bytes; 0 does nothing. Bytes past the end of all addresses (a guest may name any) read as
 *   ones and are not written.
 *
 * Bulk access; each byte is touched once, in address order; cost per run of pages. Writes to
 * ballooned pages are dropped; zeros written over a whole ZERO page allocate nothing.
 *
 * Returns: MEM_OK, or the first failure (the rest of a read is then all ones, the rest of a write
 * not done)
 */
MemStatus pgm_read(Pgm *pgm, GPhys gpa, void *buf, uint64_t len, MemOrigin origin);
MemStatus pgm_write(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len, MemOrigin origin);
MemStatus pgm_fill(Pgm *pgm, GPhys gpa, uint8_t byte, uint64_t len, MemOrigin origin);

/* Copies as if through a buffer: the ranges may overlap. Ends where either range does. */
MemStatus pgm_copy(Pgm *pgm, GPhys to, GPhys from, uint64_t len, MemOrigin origin);

/**
 * pgm_load_image:
 *
 * pgm_write() by a loader. Whole pages of RAM that nobody has touched show memory that all machines
 * with equal bytes share, until they are written; the bytes are copied, @bytes may go.
 *
 * Returns: as pgm_write()
 */
MemStatus pgm_load_image(Pgm *pgm, GPhys gpa, const void *bytes, uint64_t len);

/**
 * pgm_peek, pgm_poke:
 *
 * A debugger's access: MMIO and handlers are never called (their bytes read as 0xFF, writes to them
 * are refused), watches do not fire. pgm_poke() writes into the image of a ROM page as the bytes
 * that are visible now.
 *
 * Returns: MEM_OK; MEM_ERR_RESERVED if some bytes lie in MMIO, MEM_ERR_UNASSIGNED if some lie
 * nowhere
 */
MemStatus pgm_peek(Pgm *pgm, GPhys gpa, void *buf, uint64_t len);
MemStatus pgm_poke(Pgm *pgm, GPhys gpa, const void *buf, uint64_t len);

#pragma GCC visibility pop
