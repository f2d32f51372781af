/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's RAM: registered whole or not at all.
 */
#include "memsys/mm-internal.h"

MemStatus mm_register_x86(Pgm *pgm, uint64_t ram_size, uint64_t hole_size, GError **error)
{
    Mm *mm = pgm_mm(pgm);
    MmRegion regions[MM_X86_MAX_REGIONS];
    g_autoptr(GError) why = NULL;

    if (mm->ram.size != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_WRONG_ORDER,
                    "machine %s has its %" G_GUINT64_FORMAT " MiB of RAM already", pgm_name(pgm),
                    mm->ram.size >> 20);
        return MEM_ERR_WRONG_ORDER;
    }

    unsigned n_regions = mm_layout_x86(ram_size, hole_size, regions, &why);
    if (n_regions == 0) {
        MemStatus status = (MemStatus)why->code;

        g_propagate_error(error, g_steal_pointer(&why));
        return status;
    }

    for (unsigned i = 0; i < n_regions; i++) {
        MemStatus status =
            pgm_ram_register(pgm, regions[i].start, regions[i].len, regions[i].description, error);
        if (status != MEM_OK) {
            while (i-- > 0) {
                pgm_ram_withdraw(pgm, regions[i].start);
            }
            return status;
        }
    }

    uint64_t hole = hole_size != 0 ? hole_size : MM_HOLE_DEFAULT;
    uint64_t below_4g = MIN(ram_size, (UINT64_C(4) << 30) - hole);

    mm->ram = (MmRam) {
        .size = ram_size, .hole = hole, .below_4g = below_4g, .above_4g = ram_size - below_4g
    };
    return MEM_OK;
}

void mm_get_ram(const Pgm *pgm, MmRam *ret_ram)
{
    *ret_ram = pgm_mm(pgm)->ram;
}

void mm_get_reserved(const Pgm *pgm, GmmReservation *ret_reserved)
{
    *ret_reserved = pgm_mm(pgm)->reserved;
}
