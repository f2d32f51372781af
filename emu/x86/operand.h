/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of instruction decoding as the engine leaves to us: prefixes, and where in a page an
 * instruction meant to read or write (the engine names only the page of a refused access, but CR2
 * holds the byte).
 *
 * Source: Intel SDM volume 2A chapter 2 (instruction format), appendix A (opcode map).
 */
#pragma once

#include "emu/x86/deliver.h"

/* Number of prefix bytes the instruction begins with; @n if there is nothing else. REX is none. */
unsigned x86_n_prefixes(const uint8_t *code, unsigned n);

/**
 * x86_operand_address:
 * @code, @n: the instruction and what follows it, as far as readable
 * @page: start of the page whose access was refused
 * @access: READ or WRITE
 *
 * 16-bit and 32-bit code; in 64-bit code always the start of the page.
 *
 * Returns: the first byte of the access inside @page: the operand's address, or the start of @page
 * for an access that begins on the page before
 */
GVirt x86_operand_address(const X86State *state, const uint8_t *code, unsigned n, GVirt page,
                          MemAccess access);
