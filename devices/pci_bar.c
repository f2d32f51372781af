/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory BARs and ROM BARs.
 *
 * Invariant: behind dev_pci_bar_take() a BAR is mapped where its register says, or not at all.
 */
#include "devices/pci_bar.h"

#define COMMAND_MEMORY 0x02u

static GPhys wanted_place(const DevPciBar *bar)
{
    uint32_t reg = dev_pci_get(bar->function, bar->reg, 4);
    uint32_t command = dev_pci_get(bar->function, DEV_PCI_COMMAND, 2);
    GPhys at = reg & ~(bar->len - 1);

    if ((command & COMMAND_MEMORY) == 0 || (reg & bar->shown) != bar->shown || at == 0 ||
        at + bar->len > UINT32_MAX) {
        return MEM_GPHYS_NIL;
    }
    return at;
}

static GPhys present_place(const DevPciBar *bar)
{
    return bar->mmio != NULL ? pgm_mmio_address(bar->mmio) : pgm_mmio2_address(bar->mmio2);
}

/* A mapping lies wholly in one RAM range or in none, so its first page tells. */
static bool is_ram(Pgm *pgm, GPhys gpa)
{
    PgmPageInfo info;

    return pgm_page_query(pgm, gpa, &info) && info.range.kind == PGM_RANGE_RAM;
}

bool dev_pci_bar_leave(const DevPciBar *bar)
{
    GPhys now = present_place(bar);

    if (now == MEM_GPHYS_NIL || now == wanted_place(bar)) {
        return false;
    }

    MemStatus status = bar->mmio != NULL ? pgm_mmio_unmap(bar->mmio) : pgm_mmio2_unmap(bar->mmio2);

    g_assert(status == MEM_OK);
    return true;
}

void dev_pci_bar_take(const DevPciBar *bar)
{
    GPhys want = wanted_place(bar);

    if (want == MEM_GPHYS_NIL || want == present_place(bar) || is_ram(bar->pgm, want)) {
        return;
    }
    if (bar->mmio != NULL) {
        (void)pgm_mmio_map(bar->mmio, want, NULL);
    } else {
        (void)pgm_mmio2_map(bar->mmio2, want, NULL);
    }
}
