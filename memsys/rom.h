/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ROM, and the RAM that chipsets put behind it (shadow RAM, as PAM registers switch it).
 *
 * Each page has one of four protections, which say what reads see and where writes go. A page whose
 * reads see RAM and whose writes reach RAM costs the guest nothing: it is plain RAM to the TLBs.
 *
 * Source: Intel 82441FX (440FX PMC) datasheet, PAM registers; VirtualBox's ROM protections.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

typedef enum PgmRomProt {
    PGM_ROM_READ_ROM_WRITE_IGNORE,
    PGM_ROM_READ_ROM_WRITE_RAM,
    PGM_ROM_READ_RAM_WRITE_IGNORE,
    PGM_ROM_READ_RAM_WRITE_RAM,
    PGM_N_ROM_PROTS
} PgmRomProt;

typedef enum PgmRomFlags {
    PGM_ROM_FLAG_SHADOWED = 1, /* has RAM behind each page */
} PgmRomFlags;

/**
 * pgm_rom_register:
 * @start, @len: page aligned; at most 4 GiB
 * @image: (array length=image_len): copied; may be %NULL with @image_len 0
 * @fill: byte for what the image does not cover (0xFF is what an empty bus reads)
 * @owner, @description: copied
 *
 * Over a hole, or wholly inside one RAM range, whose pages are kept beneath. Pages that hold the
 * same bytes in several ROMs may share a host page.
 *
 * Returns: MEM_OK; MEM_ERR_UNALIGNED, MEM_ERR_OUT_OF_RANGE, MEM_ERR_CONFLICT, MEM_ERR_NO_MEMORY;
 *   nothing changes on error
 */
MemStatus pgm_rom_register(Pgm *pgm, GPhys start, uint64_t len, const void *image,
                           uint64_t image_len, uint8_t fill, PgmRomFlags flags, const char *owner,
                           const char *description, GError **error);

/* Removes the ROM that starts at @start; RAM beneath shows again as it was. */
MemStatus pgm_rom_deregister(Pgm *pgm, GPhys start);

/**
 * pgm_rom_protect:
 * @start, @len: page aligned; may begin and end anywhere, also across gaps
 *
 * Sets the protection of every page of shadowed ROM inside; everything else in the request is left
 * alone. Invalidates only pages that changed. May be called from an access to that very page.
 *
 * Returns: MEM_OK, MEM_ERR_UNALIGNED, MEM_ERR_INVALID_PARAMETER
 */
MemStatus pgm_rom_protect(Pgm *pgm, GPhys start, uint64_t len, PgmRomProt prot);

/**
 * pgm_rom_set_protect_hook:
 * @hook: (nullable): called after each pgm_rom_protect() that was carried out, with the number of
 * pages whose protection it changed; for traces
 */
typedef void (*PgmRomProtectHook)(Pgm *pgm, GPhys start, uint64_t len, PgmRomProt prot,
                                  uint64_t n_changed, void *user);
void pgm_rom_set_protect_hook(Pgm *pgm, PgmRomProtectHook hook, void *user);

/* Protection of the ROM page at @gpa; false if there is none. */
bool pgm_rom_get_protection(const Pgm *pgm, GPhys gpa, PgmRomProt *ret_prot);

#pragma GCC visibility pop
