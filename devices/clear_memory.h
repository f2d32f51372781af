/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device memory as a chip's reset leaves it.
 */
#pragma once

#include "memsys/mmio2.h"

/* Clears the first @len bytes of @memory, page by page and only what is not clear: each written
 * page costs snapshots and dirty clients. A page for which a snapshot has no room keeps its bytes,
 * as DRAM may. @len: within @memory */
void dev_clear_memory(PgmMmio2 *memory, uint64_t len);
