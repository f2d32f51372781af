/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many slips of the hand lie between two words, for "did you mean": letters left out, added,
 * exchanged, and neighbours swapped.
 *
 * Source: optimal string alignment, a restricted form of F. Damerau, "A technique for computer
 * detection and correction of spelling errors", 1964.
 */
#pragma once

#include <stddef.h>

/* Longer words are no slips of anything. */
#define FE_SLIPS_MAX_WORD 32

/**
 * fe_slips:
 * @a, @a_len: any bytes
 * @b: at most FE_SLIPS_MAX_WORD bytes
 *
 * Returns: the fewest slips that make @b from @a; UINT_MAX if @a is longer than FE_SLIPS_MAX_WORD
 */
unsigned fe_slips(const char *a, size_t a_len, const char *b);
