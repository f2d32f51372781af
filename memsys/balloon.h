/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ballooning: the embedder (one day a guest driver) gives pages of RAM back to the host by name.
 * A ballooned page reads as zeros, drops bulk writes and refuses typed ones. It stays charged to
 * the machine's quota, so that what was given back cannot be taken again by touching other pages.
 *
 * Source: VirtualBox's memory balloon as restated in the project's notes; here every address is
 * checked before anything changes.
 */
#pragma once

#include "memsys/pgm.h"

#pragma GCC visibility push(default)

/**
 * pgm_balloon_inflate:
 * @gpas: page aligned, each a page of RAM that shows there, unlocked, not ballooned, without
 * handler of kind ALL; none twice
 *
 * All or nothing. With snapshots, bytes that a restore needs are kept aside first.
 *
 * Returns: MEM_OK; MEM_ERR_UNALIGNED, MEM_ERR_UNASSIGNED, MEM_ERR_NOT_RAM, MEM_ERR_IN_USE (locked,
 * or a handler's), MEM_ERR_BALLOONED (already, or twice), MEM_ERR_NO_MEMORY (a snapshot's entry),
 * MEM_ERR_ACCOUNT_LIMIT
 */
MemStatus pgm_balloon_inflate(Pgm *pgm, const GPhys *gpas, uint32_t n);

/* The pages become ZERO. All or nothing; MEM_ERR_WRONG_ORDER if one is not ballooned. */
MemStatus pgm_balloon_deflate(Pgm *pgm, const GPhys *gpas, uint32_t n);

#pragma GCC visibility pop
