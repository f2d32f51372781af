/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which changes of a page's state were seen, as pgm_page_query() tells before and after.
 */
#pragma once

#include "tests/model/memsys/model.h"

#include <stdio.h>

/* The page begins to be looked at; its event and state now are kept. */
void transitions_begin(Naive *m, PageEvent event, uint64_t gpa);
/* The operation ended. Fails on a change that its event must never make. */
void transitions_end(MemStatus status);
/* The operation did nothing after all. */
void transitions_forget(void);
/* Prints each row with its count; the number of rows that were never seen. */
unsigned transitions_print(FILE *out);
