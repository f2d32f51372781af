/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Bochs VBE registers: a mode is a width, a height and a number of bits a pixel, set by index
 * and data, then switched on. Switching on also sets those VGA registers by which the rest of the
 * chip knows that a packed mode is shown through a 64 KiB window at A0000.
 *
 * Sizes and offsets are brought into bounds as they are written (vga_vbe_fix()), so that what is
 * shown always lies in video memory:
 *
 *   bytes a line   virtual width * bits / 8
 *   virtual height what memory holds of such lines
 *   first byte     x offset * bits / 8 + y offset * bytes a line
 *
 * With 4 bits a pixel the sequencer's map mask and memory mode count as in any VGA mode (QEMU keeps
 * a second set of them for VBE, through which its guests draw nothing).
 *
 * Source: Bochs VBE display interface (its register list); limits and side effects: what QEMU's
 * standard VGA shows to a guest.
 */
#include "devices/clear_memory.h"
#include "devices/vga-chip-internal.h"
#include "memsys/planted.h"

#include <string.h>

#define ID_FIRST 0xB0C0u
#define ID_LAST 0xB0C5u
#define VIRT_WIDTH_MAX 16000u
#define OFFSET_MAX 16000u
#define MAX_BPP 32u

static bool is_enabled(const VgaRegs *regs)
{
    return (regs->vbe[VBE_ENABLE] & VBE_ENABLED) != 0;
}

bool vga_vbe_is_linear(const VgaRegs *regs)
{
    return is_enabled(regs) && regs->vbe[VBE_BPP] != 4;
}

void vga_vbe_reset(VgaRegs *regs)
{
    regs->vbe_index = 0;
    memset(regs->vbe, 0, sizeof(regs->vbe));
    regs->vbe[VBE_ID] = ID_LAST;
    regs->vbe[VBE_VIDEO_MEMORY_64K] = VGA_BANKS;
}

/* ---- bounds */

/* Of a pixel in memory. */
static uint32_t memory_bits(const VgaRegs *regs)
{
    return regs->vbe[VBE_BPP] == 15 ? 16 : regs->vbe[VBE_BPP];
}

static uint32_t bytes_a_line(const VgaRegs *regs)
{
    return regs->vbe[VBE_VIRT_WIDTH] * memory_bits(regs) / 8;
}

static void fix_depth(uint16_t *vbe)
{
    switch (vbe[VBE_BPP]) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
        return;
    default:
        vbe[VBE_BPP] = 8;
    }
}

static bool fits(const VgaRegs *regs)
{
    uint32_t line = bytes_a_line(regs);
    uint32_t first = regs->vbe[VBE_X_OFFSET] * memory_bits(regs) / 8 +
                     QUIRE_PLANTED(vga, regs->vbe[VBE_Y_OFFSET], 0u) * line;

    return first + regs->vbe[VBE_YRES] * line <= DEV_VGA_MEMORY_LEN;
}

static void fix_offsets(VgaRegs *regs)
{
    uint16_t *vbe = regs->vbe;

    vbe[VBE_X_OFFSET] = MIN(vbe[VBE_X_OFFSET], OFFSET_MAX);
    vbe[VBE_Y_OFFSET] = MIN(vbe[VBE_Y_OFFSET], OFFSET_MAX);
    if (!fits(regs)) {
        vbe[VBE_Y_OFFSET] = 0;
    }
    if (!fits(regs)) {
        vbe[VBE_X_OFFSET] = 0;
    }
}

void vga_vbe_fix(VgaRegs *regs)
{
    uint16_t *vbe = regs->vbe;

    fix_depth(vbe);
    vbe[VBE_XRES] = CLAMP(vbe[VBE_XRES] & ~7u, 8, DEV_SCREEN_MAX_WIDTH);
    vbe[VBE_VIRT_WIDTH] = CLAMP(vbe[VBE_VIRT_WIDTH] & ~7u, vbe[VBE_XRES], VIRT_WIDTH_MAX);
    vbe[VBE_VIRT_HEIGHT] = (uint16_t)MIN(DEV_VGA_MEMORY_LEN / bytes_a_line(regs), UINT16_MAX);
    vbe[VBE_YRES] = CLAMP(vbe[VBE_YRES], 1, MIN(DEV_SCREEN_MAX_HEIGHT, vbe[VBE_VIRT_HEIGHT]));
    fix_offsets(regs);
}

bool vga_vbe_is_valid(const VgaRegs *regs)
{
    VgaRegs fixed = *regs;

    if (regs->vbe[VBE_ID] < ID_FIRST || regs->vbe[VBE_ID] > ID_LAST ||
        regs->vbe[VBE_BANK] >= VGA_BANKS || regs->vbe[VBE_VIDEO_MEMORY_64K] != VGA_BANKS) {
        return false;
    }
    if (!is_enabled(regs)) {
        return true;
    }
    vga_vbe_fix(&fixed);
    return memcmp(fixed.vbe, regs->vbe, sizeof(fixed.vbe)) == 0;
}

/* ---- side effects */

/* As the video BIOS would have to, if it knew the mode: a graphics mode of this size, without
 * double scanning or a split screen, seen through A0000 to AFFFF. */
static void set_vga_registers(VgaRegs *regs)
{
    uint8_t *crtc = regs->crtc;
    unsigned last_line = regs->vbe[VBE_YRES] - 1u;
    unsigned shift_mode = regs->vbe[VBE_BPP] == 4 ? 0 : 2;

    regs->gfx[VGA_GFX_MISC] = (uint8_t)((regs->gfx[VGA_GFX_MISC] & ~0x0Cu) | 0x05);
    regs->gfx[VGA_GFX_MODE] = (uint8_t)((regs->gfx[VGA_GFX_MODE] & ~0x60u) | shift_mode << 5);
    crtc[VGA_CRTC_DISPLAY_END] = (uint8_t)(regs->vbe[VBE_XRES] / 8u - 1);
    crtc[VGA_CRTC_VERTICAL_END] = (uint8_t)last_line;
    crtc[VGA_CRTC_OVERFLOW] = (uint8_t)((crtc[VGA_CRTC_OVERFLOW] & ~0x42u) |
                                        (last_line >> 7 & 0x02) | (last_line >> 3 & 0x40) | 0x10);
    crtc[VGA_CRTC_MAX_SCAN] = (uint8_t)((crtc[VGA_CRTC_MAX_SCAN] & ~0x9Fu) | 0x40);
    crtc[VGA_CRTC_OFFSET] = (uint8_t)(bytes_a_line(regs) >> 3);
    crtc[VGA_CRTC_MODE] |= 3;
    crtc[VGA_CRTC_LINE_COMPARE] = 0xFF;
}

static void write_enable(DevVga *vga, uint16_t value)
{
    VgaRegs *regs = &vga->regs;
    bool was_on = is_enabled(regs);

    regs->vbe[VBE_ENABLE] = value;
    regs->vbe[VBE_BANK] = 0;
    if (!is_enabled(regs) || was_on) {
        return;
    }
    regs->vbe[VBE_VIRT_WIDTH] = 0;
    regs->vbe[VBE_X_OFFSET] = 0;
    regs->vbe[VBE_Y_OFFSET] = 0;
    vga_vbe_fix(regs);
    set_vga_registers(regs);
    if ((value & VBE_NO_CLEAR) == 0) {
        uint64_t len = (uint64_t)regs->vbe[VBE_YRES] * bytes_a_line(regs);

        dev_clear_memory(vga->memory, MIN(len, DEV_VGA_MEMORY_LEN));
    }
}

static void write_bank(VgaRegs *regs, uint16_t value)
{
    unsigned banks = regs->vbe[VBE_BPP] == 4 ? VGA_BANKS / 4 : VGA_BANKS;

    regs->vbe[VBE_BANK] = value & (banks - 1);
}

void vga_vbe_write(DevVga *vga, unsigned index, uint16_t value)
{
    VgaRegs *regs = &vga->regs;

    switch (index) {
    case VBE_ID:
        if (value >= ID_FIRST && value <= ID_LAST) {
            regs->vbe[VBE_ID] = value;
        }
        return;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        regs->vbe[index] = value;
        if (is_enabled(regs)) {
            vga_vbe_fix(regs);
            set_vga_registers(regs);
        }
        break;
    case VBE_ENABLE:
        write_enable(vga, value);
        break;
    case VBE_BANK:
        write_bank(regs, value);
        break;
    default: /* read-only, or not there */
        return;
    }
    vga_window_update(vga);
}

uint16_t vga_vbe_read(const VgaRegs *regs, unsigned index)
{
    if (index >= VBE_REGS) {
        return 0;
    }
    if ((regs->vbe[VBE_ENABLE] & VBE_GET_CAPS) != 0) {
        switch (index) {
        case VBE_XRES:
            return DEV_SCREEN_MAX_WIDTH;
        case VBE_YRES:
            return DEV_SCREEN_MAX_HEIGHT;
        case VBE_BPP:
            return MAX_BPP;
        default:
            break;
        }
    }
    return regs->vbe[index];
}
