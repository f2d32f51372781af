/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words every part of the memory system shares: address types, page size, who asks, what for.
 *
 * Source: memory terms of the Intel SDM volume 3 (physical address, linear address); ours
 * otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A guest-physical address, or a guest-virtual (linear) one. Never mixed, never a host pointer. */
typedef uint64_t GPhys;
typedef uint64_t GVirt;

/* Index of a 4 KiB host page in the arena; its bytes lie at arena + (id << MEM_PAGE_SHIFT). */
typedef uint32_t PageId;

#define MEM_PAGE_SHIFT 12
#define MEM_PAGE_SIZE (UINT64_C(1) << MEM_PAGE_SHIFT)
#define MEM_PAGE_MASK (~(MEM_PAGE_SIZE - 1))
#define MEM_CHUNK_PAGES 512
#define MEM_CHUNK_SIZE (MEM_CHUNK_PAGES * MEM_PAGE_SIZE)

/* The page of zeros that every untouched guest page reads; host-protected read-only. */
#define MEM_ZERO_PAGE_ID ((PageId)0)

/* No guest-physical address; also one past what 52 address bits can name. */
#define MEM_GPHYS_NIL UINT64_MAX
#define MEM_GPHYS_BITS 52
#define MEM_GPHYS_LIMIT (UINT64_C(1) << MEM_GPHYS_BITS)

/* Kinds of access, as bits so that permissions and interests can be sets of them. */
typedef enum MemAccess {
    MEM_ACCESS_READ = 1,
    MEM_ACCESS_WRITE = 2,
    MEM_ACCESS_EXEC = 4,
} MemAccess;

/* Who makes an access. Handlers, devices and watches are told. */
typedef enum MemOrigin {
    MEM_ORIGIN_CPU,
    MEM_ORIGIN_DEVICE,
    MEM_ORIGIN_DEBUGGER, /* never triggers a side effect of MMIO unless it asks for it */
    MEM_ORIGIN_LOADER,
    MEM_ORIGIN_MONITOR,
    MEM_N_ORIGINS
} MemOrigin;
