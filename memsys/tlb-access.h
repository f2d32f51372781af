/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-map TLB: a direct-mapped table from guest page to host memory, and its inlined hit path.
 * Public only because memsys/access.h inlines hits; users never touch it.
 *
 *   tag = guest page | permissions; addend = host address - guest address (modulo 2^64)
 *
 * Invariants (pgm_verify() checks them):
 * 1. A tag is 0 (empty) or a guest page with R, W or both in the low bits. A lookup always asks
 *    for a permission, so tag 0 matches nothing.
 * 2. A page sits only in slot (page >> 12) & mask; there are at least two slots, so neighbouring
 *    pages never share one (the page-crossing test below relies on it).
 * 3. W is there only while a plain store to the page is right: allocated, not monitored, not
 *    shared, no armed handler, no watch, never executed, and ROM only where reads and writes both
 *    reach its RAM.
 *
 * Source: the software MMU of F. Bellard, "QEMU, a Fast and Portable Dynamic Translator", USENIX
 * ATC 2005; testing page, crossing and permission in one compare is ours.
 */
#pragma once

#include "memsys/pgm.h"

#include <stddef.h>
#include <stdint.h>

typedef struct PgmTlbSlot {
    uint64_t tag;
    uint64_t addend;
} PgmTlbSlot;

/* The first member of every Pgm. */
typedef struct PgmTlb {
    PgmTlbSlot *slots;
    uint64_t mask;      /* number of slots - 1 */
    uint64_t byte_mask; /* the same in bytes of the table: saves a hit the scaling */
} PgmTlb;

#define PGM_TLB_SLOT_SHIFT 4
G_STATIC_ASSERT(sizeof(PgmTlbSlot) == 1 << PGM_TLB_SLOT_SHIFT);
G_STATIC_ASSERT(sizeof(void *) == sizeof(uint64_t));

/*
 * Host address of @size bytes at @gpa if one cached page with permission @need (a MemAccess) holds
 * them all, else NULL. The slot is that of the first byte, the compare is with the page of the
 * last: on a crossing they differ.
 */
static inline uint8_t *pgm_tlb_lookup(const Pgm *pgm, GPhys gpa, unsigned size, uint64_t need)
{
    const PgmTlb *tlb = (const PgmTlb *)(const void *)pgm;
    uint64_t at = (gpa >> (MEM_PAGE_SHIFT - PGM_TLB_SLOT_SHIFT)) & tlb->byte_mask;
    const PgmTlbSlot *slot = (const PgmTlbSlot *)(const void *)((const uint8_t *)tlb->slots + at);
    uint64_t want = ((gpa + (size - 1)) & MEM_PAGE_MASK) | need;

    if (G_UNLIKELY((slot->tag & (MEM_PAGE_MASK | need)) != want)) {
        return NULL;
    }
    uint8_t *host = (uint8_t *)(uintptr_t)(gpa + slot->addend);

    if (!host) {
        __builtin_unreachable(); /* so that callers compile to one compare */
    }
    return host;
}

/*
 * Single accesses of guest memory, which another thread may touch at the same moment: atomic where
 * aligned (at the cost of a plain one), else bytes in any order.
 */
#pragma GCC visibility push(default)
/* In host-copy.c: a copy of bytes that others may change meanwhile. */
void pgm_host_copy(void *to, const void *from, size_t len);
#pragma GCC visibility pop

static inline uint8_t pgm_host_load_u8(const uint8_t *host)
{
    return __atomic_load_n(host, __ATOMIC_RELAXED);
}

static inline void pgm_host_store_u8(uint8_t *host, uint8_t value)
{
    __atomic_store_n(host, value, __ATOMIC_RELAXED);
}

static inline uint16_t pgm_host_load_u16(const uint8_t *host)
{
    typedef uint16_t __attribute__((may_alias)) Word;
    uint16_t value;

    if (G_LIKELY(((uintptr_t)host & 1) == 0)) {
        return __atomic_load_n((const Word *)(const void *)host, __ATOMIC_RELAXED);
    }
    pgm_host_copy(&value, host, sizeof value);
    return value;
}

static inline void pgm_host_store_u16(uint8_t *host, uint16_t value)
{
    typedef uint16_t __attribute__((may_alias)) Word;

    if (G_LIKELY(((uintptr_t)host & 1) == 0)) {
        __atomic_store_n((Word *)(void *)host, value, __ATOMIC_RELAXED);
        return;
    }
    pgm_host_copy(host, &value, sizeof value);
}

static inline uint32_t pgm_host_load_u32(const uint8_t *host)
{
    typedef uint32_t __attribute__((may_alias)) Word;
    uint32_t value;

    if (G_LIKELY(((uintptr_t)host & 3) == 0)) {
        return __atomic_load_n((const Word *)(const void *)host, __ATOMIC_RELAXED);
    }
    pgm_host_copy(&value, host, sizeof value);
    return value;
}

static inline void pgm_host_store_u32(uint8_t *host, uint32_t value)
{
    typedef uint32_t __attribute__((may_alias)) Word;

    if (G_LIKELY(((uintptr_t)host & 3) == 0)) {
        __atomic_store_n((Word *)(void *)host, value, __ATOMIC_RELAXED);
        return;
    }
    pgm_host_copy(host, &value, sizeof value);
}

static inline uint64_t pgm_host_load_u64(const uint8_t *host)
{
    typedef uint64_t __attribute__((may_alias)) Word;
    uint64_t value;

    if (G_LIKELY(((uintptr_t)host & 7) == 0)) {
        return __atomic_load_n((const Word *)(const void *)host, __ATOMIC_RELAXED);
    }
    pgm_host_copy(&value, host, sizeof value);
    return value;
}

static inline void pgm_host_store_u64(uint8_t *host, uint64_t value)
{
    typedef uint64_t __attribute__((may_alias)) Word;

    if (G_LIKELY(((uintptr_t)host & 7) == 0)) {
        __atomic_store_n((Word *)(void *)host, value, __ATOMIC_RELAXED);
        return;
    }
    pgm_host_copy(host, &value, sizeof value);
}
