/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memsys' own users of the container need beyond its public functions.
 */
#pragma once

#include "memsys/state_file.h"

/* Makes the save fail, with the text as its reason, unless it has failed already. */
void mem_state_writer_fail(MemStateWriter *writer, const char *format, ...) G_GNUC_PRINTF(2, 3);
