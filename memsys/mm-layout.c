/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a PC's RAM lies: a plain function of its size and the size of the hole below 4 GiB.
 *
 *   0      640K   1M        2M             4G - hole       4G
 *   | RAM   | none | RAM     | RAM           | hole          | RAM ...
 *
 * Source: VirtualBox's MM as restated in the project's notes.
 */
#include "memsys/mm-internal.h"

#define CONVENTIONAL_END (UINT64_C(640) << 10)
#define MIB_1 (UINT64_C(1) << 20)
#define MIB_2 (UINT64_C(2) << 20)
#define GIB_4 (UINT64_C(4) << 30)

static bool check_ram_size(uint64_t ram_size, GError **error)
{
    if (ram_size < MEM_PAGE_SIZE || ram_size > MM_RAM_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM size of %" G_GUINT64_FORMAT " bytes: 4 KiB to 16 TiB are allowed",
                    ram_size);
        return false;
    }
    if (ram_size % MEM_PAGE_SIZE != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "RAM size of %" G_GUINT64_FORMAT " bytes: must be a multiple of 4 KiB",
                    ram_size);
        return false;
    }
    return true;
}

static bool check_hole_size(uint64_t hole_size, GError **error)
{
    if (hole_size <= MM_HOLE_ABOVE) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes is too small: it must be larger than "
                    "16 MiB",
                    hole_size);
        return false;
    }
    if (hole_size > MM_HOLE_MAX) {
        g_set_error(error, MEM_ERROR, MEM_ERR_OUT_OF_RANGE,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes is too large: at most 4032 MiB are "
                    "allowed",
                    hole_size);
        return false;
    }
    if (hole_size % MM_HOLE_UNIT != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "RAM hole of %" G_GUINT64_FORMAT " bytes: must be a multiple of 4 MiB",
                    hole_size);
        return false;
    }
    return true;
}

unsigned mm_layout_x86(uint64_t ram_size, uint64_t hole_size, MmRegion *ret_regions, GError **error)
{
    uint64_t hole = hole_size != 0 ? hole_size : MM_HOLE_DEFAULT;

    if (!check_ram_size(ram_size, error) || !check_hole_size(hole, error)) {
        return 0;
    }

    uint64_t below_4g = MIN(ram_size, GIB_4 - hole);
    const struct {
        GPhys start, end;
        const char *description;
    } parts[MM_X86_MAX_REGIONS] = {
        { 0, MIN(below_4g, CONVENTIONAL_END), "Conventional RAM" },
        { MIB_1, MIN(below_4g, MIB_2), "Extended RAM, 1M to 2M" },
        /* Apart from the one before, so that the bulk of RAM starts where a chunk could. */
        { MIB_2, below_4g, "Extended RAM, above 2M" },
        { GIB_4, GIB_4 + (ram_size - below_4g), "RAM above 4G" },
    };
    unsigned n_regions = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i].end > parts[i].start) {
            ret_regions[n_regions++] = (MmRegion) { .start = parts[i].start,
                                                    .len = parts[i].end - parts[i].start,
                                                    .description = parts[i].description };
        }
    }
    return n_regions;
}
