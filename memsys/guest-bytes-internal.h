/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this side touches guest bytes that other threads may touch at the same moment: aligned
 * accesses of 1, 2, 4 and 8 bytes are single relaxed atomic ones, everything else is a plain copy
 * of bytes, in any order, as between two processors.
 */
#pragma once

#include "memsys/tlb-access.h"

#include <stddef.h>
#include <string.h>

static inline bool guest_is_single(const void *guest, size_t len)
{
    return len <= 8 && (len & (len - 1)) == 0 && ((uintptr_t)guest & (len - 1)) == 0;
}

/* From the guest's page at @guest to bytes of our own. */
static inline void guest_load(void *to, const uint8_t *guest, size_t len)
{
    if (!guest_is_single(guest, len)) {
        pgm_host_copy(to, guest, len);
        return;
    }
    switch (len) {
    case 1: {
        uint8_t value = pgm_host_load_u8(guest);

        memcpy(to, &value, sizeof value);
        break;
    }
    case 2: {
        uint16_t value = pgm_host_load_u16(guest);

        memcpy(to, &value, sizeof value);
        break;
    }
    case 4: {
        uint32_t value = pgm_host_load_u32(guest);

        memcpy(to, &value, sizeof value);
        break;
    }
    case 8: {
        uint64_t value = pgm_host_load_u64(guest);

        memcpy(to, &value, sizeof value);
        break;
    }
    }
}

/* From bytes of our own to the guest's page at @guest. */
static inline void guest_store(uint8_t *guest, const void *from, size_t len)
{
    if (!guest_is_single(guest, len)) {
        pgm_host_copy(guest, from, len);
        return;
    }
    switch (len) {
    case 1: {
        uint8_t value;

        memcpy(&value, from, sizeof value);
        pgm_host_store_u8(guest, value);
        break;
    }
    case 2: {
        uint16_t value;

        memcpy(&value, from, sizeof value);
        pgm_host_store_u16(guest, value);
        break;
    }
    case 4: {
        uint32_t value;

        memcpy(&value, from, sizeof value);
        pgm_host_store_u32(guest, value);
        break;
    }
    case 8: {
        uint64_t value;

        memcpy(&value, from, sizeof value);
        pgm_host_store_u64(guest, value);
        break;
    }
    }
}
