/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-map TLB: a direct-mapped table from guest page to host memory, and its inlined hit path.
 * Public only because memsys/access.h inlines hits; users never touch it.
 *
 *   tag = guest page | permissions << 8; addend = host address - guest address (modulo 2^64)
 *
 * Invariants (pgm_verify() checks them):
 * 1. A tag is 0 (empty) or a guest page with R, W or both above its low eight bits, which are 0. A
 *    lookup always asks for a permission, so tag 0 matches nothing.
 * 2. A page sits only in slot (page >> 12) & mask.
 * 3. W is there only while a plain store to the page is right: allocated, not monitored, not
 *    shared, no armed handler, no watch, never executed, and ROM only where reads and writes both
 *    reach its RAM.
 *
 * Source: the software MMU of F. Bellard, "QEMU, a Fast and Portable Dynamic Translator", USENIX
 * ATC 2005; testing page, alignment and permission in one compare is as it does.
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

#define PGM_TLB_PERM_SHIFT 8

static inline uint64_t pgm_tlb_tag(GPhys page, uint64_t perms)
{
    return page | perms << PGM_TLB_PERM_SHIFT;
}

/*
 * Host address of @size bytes (a power of two up to 8) at @gpa if they are aligned and a cached
 * page with permission @need (a MemAccess) holds them, else NULL. What is aligned crosses no page.
 */
static inline uint8_t *pgm_tlb_lookup(const Pgm *pgm, GPhys gpa, unsigned size, uint64_t need)
{
    const PgmTlb *tlb = (const PgmTlb *)(const void *)pgm;
    uint64_t at = (gpa >> (MEM_PAGE_SHIFT - PGM_TLB_SLOT_SHIFT)) & tlb->byte_mask;
    const PgmTlbSlot *slot = (const PgmTlbSlot *)(const void *)((const uint8_t *)tlb->slots + at);
    uint64_t place = MEM_PAGE_MASK | (size - 1);
    uint64_t perms = need << PGM_TLB_PERM_SHIFT;

    if (G_UNLIKELY((slot->tag & (place | perms)) != ((gpa & place) | perms))) {
        return NULL;
    }
    uint8_t *host = (uint8_t *)(uintptr_t)(gpa + slot->addend);

    if (!host) {
        __builtin_unreachable(); /* so that callers compile to one compare */
    }
    return host;
}

#pragma GCC visibility push(default)
/* In host-copy.c: a copy of bytes that others may change meanwhile. */
void pgm_host_copy(void *to, const void *from, size_t len);
#pragma GCC visibility pop

/* Single aligned accesses of guest memory, which another thread may touch at the same moment:
 * atomic at the cost of plain ones. */
#define PGM_HOST_ACCESS(bits)                                                       \
    static inline uint##bits##_t pgm_host_load_u##bits(const uint8_t *host)         \
    {                                                                               \
        typedef uint##bits##_t __attribute__((may_alias)) Word;                     \
                                                                                    \
        return __atomic_load_n((const Word *)(const void *)host, __ATOMIC_RELAXED); \
    }                                                                               \
    static inline void pgm_host_store_u##bits(uint8_t *host, uint##bits##_t value)  \
    {                                                                               \
        typedef uint##bits##_t __attribute__((may_alias)) Word;                     \
                                                                                    \
        __atomic_store_n((Word *)(void *)host, value, __ATOMIC_RELAXED);            \
    }

PGM_HOST_ACCESS(8)
PGM_HOST_ACCESS(16)
PGM_HOST_ACCESS(32)
PGM_HOST_ACCESS(64)
#undef PGM_HOST_ACCESS
