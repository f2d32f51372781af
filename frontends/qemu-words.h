/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to tell somebody whose fingers know QEMU: how an option of QEMU's is spelled here, or that
 * it is not there.
 *
 * Source: the option names of QEMU's manual.
 */
#pragma once

/* Returns: (transfer none): an answer without the word itself, or %NULL for a word that is none of
 * QEMU's */
const char *fe_qemu_word_lookup(const char *name);
