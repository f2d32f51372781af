/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's RAM: registered whole or not at all. And the machine's own heap.
 */
#include "memsys/mm-internal.h"
#include "memsys/mm_heap.h"
#include "memsys/pgm-internal.h"

#define GIB_4 (UINT64_C(4) << 30)

static MemStatus check_first(Pgm *pgm, GError **error)
{
    const MmRam *ram = &pgm_mm(pgm)->ram;

    if (ram->size == 0) {
        return MEM_OK;
    }
    g_set_error(error, MEM_ERROR, MEM_ERR_WRONG_ORDER,
                "machine %s has its %" G_GUINT64_FORMAT " MiB of RAM already", pgm_name(pgm),
                ram->size >> 20);
    return MEM_ERR_WRONG_ORDER;
}

static MemStatus register_all(Pgm *pgm, const MmRegion *regions, unsigned n_regions, GError **error)
{
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
    return MEM_OK;
}

MemStatus mm_register_x86(Pgm *pgm, uint64_t ram_size, uint64_t hole_size, GError **error)
{
    MmRegion regions[MM_X86_MAX_REGIONS];
    g_autoptr(GError) why = NULL;
    MemStatus status = check_first(pgm, error);

    if (status != MEM_OK) {
        return status;
    }

    unsigned n_regions = mm_layout_x86(ram_size, hole_size, regions, &why);

    if (n_regions == 0) {
        status = (MemStatus)why->code;
        g_propagate_error(error, g_steal_pointer(&why));
        return status;
    }
    status = register_all(pgm, regions, n_regions, error);
    if (status == MEM_OK) {
        uint64_t hole = hole_size != 0 ? hole_size : MM_HOLE_DEFAULT;
        uint64_t below_4g = MIN(ram_size, GIB_4 - hole);

        pgm_mm(pgm)->ram = (MmRam) {
            .size = ram_size, .hole = hole, .below_4g = below_4g, .above_4g = ram_size - below_4g
        };
    }
    return status;
}

MemStatus mm_register_regions(Pgm *pgm, const MmRegion *regions, unsigned n_regions, GError **error)
{
    MemStatus status = check_first(pgm, error);

    if (status != MEM_OK) {
        return status;
    }
    if (n_regions == 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "machine %s: no region of RAM is given", pgm_name(pgm));
        return MEM_ERR_INVALID_PARAMETER;
    }
    status = register_all(pgm, regions, n_regions, error);
    if (status == MEM_OK) {
        MmRam ram = { 0 };

        /* Registered, so they lie within 2^52 bytes and are disjoint: nothing wraps. */
        for (unsigned i = 0; i < n_regions; i++) {
            uint64_t room_below = regions[i].start < GIB_4 ? GIB_4 - regions[i].start : 0;

            ram.size += regions[i].len;
            ram.below_4g += MIN(regions[i].len, room_below);
        }
        ram.above_4g = ram.size - ram.below_4g;
        pgm_mm(pgm)->ram = ram;
    }
    return status;
}

void mm_get_ram(const Pgm *pgm, MmRam *ret_ram)
{
    *ret_ram = pgm_mm(pgm)->ram;
}

void mm_get_reserved(const Pgm *pgm, GmmReservation *ret_reserved)
{
    *ret_reserved = pgm_mm(pgm)->reserved;
}

/* ---- a machine's heap */
MmHeap *pgm_heap(Pgm *pgm)
{
    MmHeap *heap = g_atomic_pointer_get(&pgm->heap);

    if (heap == NULL) {
        heap = mm_heap_new();
        if (!g_atomic_pointer_compare_and_exchange(&pgm->heap, NULL, heap)) {
            mm_heap_free_all(heap, NULL); /* another thread was faster */
            heap = g_atomic_pointer_get(&pgm->heap);
        }
    }
    return heap;
}

void mm_pgm_heap_free(Pgm *pgm)
{
    g_autoptr(GString) leaks = g_string_new(NULL);
    uint64_t n_left = mm_heap_free_all(g_steal_pointer(&pgm->heap), leaks);

#ifndef NDEBUG
    if (n_left > 0) {
        g_warning("machine %s: left in its heap:\n%s", pgm_name(pgm), leaks->str);
    }
#else
    (void)n_left;
#endif
}
