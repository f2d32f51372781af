/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy window, A0000 to BFFFF.
 *
 *   address in the window -- memory map select (GR6), bank --> address N
 *   chain 4, VBE      plane N % 4, byte N / 4: memory[N], as memory lies
 *   odd and even      plane N % 2 (or that + 2), byte N / 2
 *   else              all planes, byte N
 *
 * The first kind passes through no logic but the map mask. With all planes writable those pages
 * are plain memory to the guest: pages of video memory stand in the window. All other accesses
 * come here one byte at a time: a read fills the latches, a write combines its byte with them.
 *
 * Source: IBM VGA XGA Technical Reference Manual (1992), chapter 2 (graphics controller); that odd
 * and even addresses pack to N / 2 is how memory of this chip is laid out (vga-internal.h).
 */
#include "devices/vga-chip-internal.h"

#define MODE_READ_COMPARE 0x08u
#define MODE_ODD_EVEN 0x10u

#define N_PLANES 4
#define ALL_PLANES 0x0Fu
#define N_CELLS (DEV_VGA_MEMORY_LEN / N_PLANES)

/* By bits 2 and 3 of GR6. */
static const struct {
    uint32_t start;
    uint32_t len;
} memory_maps[] = {
    { 0x00000, 0x20000 },
    { 0x00000, 0x10000 },
    { 0x10000, 0x08000 },
    { 0x18000, 0x08000 },
};
#define BANKED_MAP 1

static bool is_chained(const VgaRegs *regs)
{
    return vga_vbe_is_linear(regs) || (regs->seq[VGA_SEQ_MEMORY] & VGA_SEQ_MEMORY_CHAIN4) != 0;
}

static unsigned map_mask(const VgaRegs *regs)
{
    return vga_vbe_is_linear(regs) ? ALL_PLANES : regs->seq[VGA_SEQ_MAP_MASK];
}

static VgaSpan selected(const VgaRegs *regs)
{
    unsigned map = regs->gfx[VGA_GFX_MISC] >> 2 & 3;

    if ((regs->misc & VGA_MISC_RAM) == 0) {
        return (VgaSpan) { 0 };
    }
    return (VgaSpan) {
        .window = memory_maps[map].start,
        .len = memory_maps[map].len,
        .memory = map == BANKED_MAP ? (uint64_t)regs->vbe[VBE_BANK] << 16 : 0,
    };
}

/* ---- bytes */

/* False: nothing there. */
static bool decode(const VgaRegs *regs, uint64_t offset, uint64_t *ret_address)
{
    VgaSpan span = selected(regs);

    if (offset < span.window || offset - span.window >= span.len) {
        return false;
    }
    *ret_address = span.memory + (offset - span.window);
    return true;
}

/* The byte that all planes have at an address; false beyond the end of memory. */
static bool cell_of(const VgaRegs *regs, uint64_t address, uint64_t *ret_cell)
{
    *ret_cell = (regs->gfx[VGA_GFX_MODE] & MODE_ODD_EVEN) != 0 ? address / 2 : address;
    return *ret_cell < N_CELLS;
}

static uint8_t rotated(const VgaRegs *regs, uint8_t byte)
{
    unsigned by = regs->gfx[VGA_GFX_ROTATE] & 7;

    return (uint8_t)(byte >> by | byte << (8 - by));
}

static uint8_t filled(unsigned planes, unsigned plane)
{
    return (planes >> plane & 1) != 0 ? 0xFF : 0;
}

/* The byte for a plane before latches come in; @ret_mask: bits that do not come from the latch. */
static uint8_t source(const VgaRegs *regs, uint8_t byte, unsigned plane, uint8_t *ret_mask)
{
    uint8_t set_reset = filled(regs->gfx[VGA_GFX_SET_RESET], plane);

    *ret_mask = regs->gfx[VGA_GFX_BIT_MASK];
    switch (regs->gfx[VGA_GFX_MODE] & 3) {
    case 0:
        return filled(regs->gfx[VGA_GFX_ENABLE_SET_RESET], plane) != 0 ? set_reset
                                                                       : rotated(regs, byte);
    case 1: /* the latches alone */
        *ret_mask = 0;
        return 0;
    case 2:
        return filled(byte, plane);
    default:
        *ret_mask &= rotated(regs, byte);
        return set_reset;
    }
}

static uint8_t combined(const VgaRegs *regs, uint8_t byte, unsigned plane)
{
    uint8_t latch = regs->latch[plane];
    uint8_t mask;
    uint8_t value = source(regs, byte, plane, &mask);

    switch (regs->gfx[VGA_GFX_ROTATE] >> 3 & 3) {
    case 1:
        value &= latch;
        break;
    case 2:
        value |= latch;
        break;
    case 3:
        value ^= latch;
        break;
    default:
        break;
    }
    return (uint8_t)((value & mask) | (latch & ~mask));
}

/* A snapshot without room for the old bytes refuses the write, as it would to plain memory. */
static MemStatus about_to_write(DevVga *vga, uint64_t offset, uint64_t len)
{
    return pgm_mmio2_mark_dirty(vga->memory, offset, len) == MEM_OK ? MEM_OK : MEM_ERR_BUS_ERROR;
}

static MemStatus write_chained(DevVga *vga, uint64_t address, uint8_t byte)
{
    if ((map_mask(&vga->regs) >> (address % N_PLANES) & 1) == 0) {
        return MEM_OK;
    }

    MemStatus status = about_to_write(vga, address, 1);

    if (status == MEM_OK) {
        pgm_mmio2_host(vga->memory)[address] = byte;
    }
    return status;
}

static MemStatus write_planes(DevVga *vga, uint64_t address, uint8_t byte)
{
    const VgaRegs *regs = &vga->regs;
    unsigned mask = map_mask(regs);
    uint64_t cell;

    if ((regs->gfx[VGA_GFX_MODE] & MODE_ODD_EVEN) != 0) {
        mask &= address % 2 != 0 ? 0x0Au : 0x05u;
    }
    if (!cell_of(regs, address, &cell) || mask == 0) {
        return MEM_OK;
    }

    uint64_t offset = cell * N_PLANES;
    MemStatus status = about_to_write(vga, offset, N_PLANES);

    for (unsigned plane = 0; status == MEM_OK && plane < N_PLANES; plane++) {
        if ((mask >> plane & 1) != 0) {
            pgm_mmio2_host(vga->memory)[offset + plane] = combined(regs, byte, plane);
        }
    }
    return status;
}

static uint8_t read_planes(DevVga *vga, uint64_t address)
{
    VgaRegs *regs = &vga->regs;
    unsigned plane = regs->gfx[VGA_GFX_READ_PLANE] & 3;
    uint64_t cell;
    uint8_t differs = 0;

    if (!cell_of(regs, address, &cell)) {
        return 0xFF;
    }
    for (unsigned i = 0; i < N_PLANES; i++) {
        regs->latch[i] = pgm_mmio2_host(vga->memory)[cell * N_PLANES + i];
        if ((regs->gfx[VGA_GFX_DONT_CARE] >> i & 1) != 0) {
            differs |= regs->latch[i] ^ filled(regs->gfx[VGA_GFX_COMPARE], i);
        }
    }
    if ((regs->gfx[VGA_GFX_MODE] & MODE_READ_COMPARE) != 0) {
        return (uint8_t)~differs;
    }
    if ((regs->gfx[VGA_GFX_MODE] & MODE_ODD_EVEN) != 0) {
        plane = (plane & 2) | (unsigned)(address & 1);
    }
    return regs->latch[plane];
}

static MemStatus window_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    DevVga *vga = user;
    uint64_t address;

    (void)size;
    if (!decode(&vga->regs, offset, &address)) {
        *ret_value = 0xFF;
    } else if (is_chained(&vga->regs)) {
        *ret_value = pgm_mmio2_host(vga->memory)[address];
    } else {
        *ret_value = read_planes(vga, address);
    }
    return MEM_OK;
}

static MemStatus window_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    DevVga *vga = user;
    uint64_t address;

    (void)size;
    if (!decode(&vga->regs, offset, &address)) {
        return MEM_OK;
    }
    return is_chained(&vga->regs) ? write_chained(vga, address, (uint8_t)value)
                                  : write_planes(vga, address, (uint8_t)value);
}

/* ---- pages */

PgmMmio *vga_window_new(DevVga *vga, GError **error)
{
    static const PgmMmioOps ops = {
        .read = window_read, .write = window_write, .max_size = 1, .inert = true
    };

    return pgm_mmio_new(vga->pgm, VGA_WINDOW_LEN, &ops, vga, "vga", "VGA window", error);
}

void vga_window_forget(DevVga *vga)
{
    vga->linear_known = false;
}

static VgaSpan wanted_pages(const DevVga *vga)
{
    const VgaRegs *regs = &vga->regs;

    if (!is_chained(regs) || map_mask(regs) != ALL_PLANES) {
        return (VgaSpan) { 0 };
    }
    return selected(regs);
}

static void show_pages(DevVga *vga, VgaSpan want)
{
    const VgaSpan *now = &vga->linear;

    if (vga->linear_known && now->len == want.len &&
        (want.len == 0 || (now->window == want.window && now->memory == want.memory))) {
        return;
    }
    /* Another bank in the same place takes the pages' places one by one. */
    if (!vga->linear_known || now->len != want.len || now->window != want.window) {
        pgm_mmio_unalias(vga->window);
    }
    vga->linear = want;
    vga->linear_known = true;
    for (uint32_t at = 0; at < want.len; at += MEM_PAGE_SIZE) {
        if (pgm_mmio_alias(vga->window, want.window + at, vga->memory, want.memory + at) !=
            MEM_OK) {
            /* What cannot be shown is found byte by byte. */
            pgm_mmio_unalias(vga->window);
            vga->linear_known = false;
            return;
        }
    }
}

void vga_window_update(DevVga *vga)
{
    bool mapped = pgm_mmio_address(vga->window) != MEM_GPHYS_NIL;

    if (vga->place.window_taken) {
        if (mapped) {
            MemStatus status = pgm_mmio_unmap(vga->window);

            g_assert(status == MEM_OK);
        }
        return;
    }
    if (!mapped) {
        vga_window_forget(vga);
        /* Refused while something else lies there; asked again at the next change. */
        if (pgm_mmio_map(vga->window, VGA_WINDOW_START, NULL) != MEM_OK) {
            return;
        }
    }
    show_pages(vga, wanted_pages(vga));
}
