/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MM: where a machine's RAM lies, and how many pages the machine has reserved.
 *
 * Source: VirtualBox's MM as restated in the project's notes (layout, hole rules).
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

#define MM_HOLE_DEFAULT (UINT64_C(512) << 20)
#define MM_HOLE_UNIT (UINT64_C(4) << 20)   /* a hole is a multiple of this */
#define MM_HOLE_ABOVE (UINT64_C(16) << 20) /* and larger than this */
#define MM_HOLE_MAX (UINT64_C(4032) << 20)
#define MM_RAM_MAX (UINT64_C(16) << 40)
#define MM_X86_MAX_REGIONS 4

typedef struct MmRegion {
    GPhys start;
    uint64_t len; /* bytes */
    const char *description;
} MmRegion;

/**
 * mm_layout_x86:
 * @ram_size: bytes, a multiple of a page, 4 KiB to 16 TiB
 * @hole_size: bytes between the end of low RAM and 4 GiB; 0 takes the default of 512 MiB
 * @ret_regions: MM_X86_MAX_REGIONS entries
 *
 * The PC's layout: 0 to 640K; 1M to 2M; 2M to the hole; the rest from 4G. RAM that would lie
 * between 640K and 1M does not exist. A plain function of its arguments.
 *
 * Returns: the number of regions, or 0 with MEM_ERR_INVALID_PARAMETER or MEM_ERR_OUT_OF_RANGE
 */
unsigned mm_layout_x86(uint64_t ram_size, uint64_t hole_size, MmRegion *ret_regions,
                       GError **error);

/**
 * mm_register_x86:
 *
 * Registers the layout above with @pgm, all of it or nothing, and remembers the numbers for
 * mm_get_ram(). Once a machine.
 */
MemStatus mm_register_x86(Pgm *pgm, uint64_t ram_size, uint64_t hole_size, GError **error);

/**
 * mm_register_regions:
 * @regions: @n_regions of them, in any order; descriptions are copied
 *
 * The RAM of a machine that is no PC: these regions, all of them or nothing. Once a machine, and
 * instead of mm_register_x86().
 *
 * Returns: MEM_OK; MEM_ERR_WRONG_ORDER, MEM_ERR_INVALID_PARAMETER (no region); as
 *   pgm_ram_register() (for regions that overlap, the message names both)
 */
MemStatus mm_register_regions(Pgm *pgm, const MmRegion *regions, unsigned n_regions,
                              GError **error);

/* What mm_register_x86() or mm_register_regions() was given, and how it was split; all bytes, 0
 * before. */
typedef struct MmRam {
    uint64_t size;
    uint64_t hole;     /* below 4 GiB, of a PC; 0 for a list of regions */
    uint64_t below_4g; /* bytes of RAM there; for a PC the end of it: min(size, 4G - hole) */
    uint64_t above_4g;
} MmRam;
/* What was registered; zeros before. Sizes in bytes. */
void mm_get_ram(const Pgm *pgm, MmRam *ret_ram);

/* What the machine has reserved from GMM; handy pages are within BASE. */
void mm_get_reserved(const Pgm *pgm, GmmReservation *ret_reserved);

#pragma GCC visibility pop
