/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing device memory.
 */
#include "devices/clear_memory.h"

#include <string.h>

void dev_clear_memory(PgmMmio2 *memory, uint64_t len)
{
    static const uint8_t zeros[MEM_PAGE_SIZE];

    for (uint64_t at = 0; at < len; at += MEM_PAGE_SIZE) {
        uint8_t *page = pgm_mmio2_host(memory) + at;
        size_t n = (size_t)MIN(MEM_PAGE_SIZE, len - at);

        if (memcmp(page, zeros, n) != 0 && pgm_mmio2_mark_dirty(memory, at, n) == MEM_OK) {
            memset(page, 0, n);
        }
    }
}
