/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA's own ports: four groups of registers by index and data, the palette's memory, and some
 * that stand alone.
 *
 *   3C0 attribute: index and data in turn     3C1 its data, read
 *   3C2 misc output (read at 3CC), input status 0
 *   3C4 3C5 sequencer      3CE 3CF graphics      3D4 3D5 CRTC (3B4 3B5 for monochrome)
 *   3C6 to 3C9 palette     3DA (3BA) input status 1, written feature control (read at 3CA)
 *
 * Bits that a register does not have read 0.
 *
 * Source: IBM VGA XGA Technical Reference Manual (1992), chapter 2.
 */
#include "devices/vga-chip-internal.h"

#define MISC_WRITABLE 0xEFu
#define FEATURE_WRITABLE 0x10u
#define ATTR_INDEX_WRITABLE 0x3Fu
#define ATTR_INDEX 0x1Fu
#define CRTC_PROTECT 0x80u /* of CR11: CR0 to CR7 are read-only */
#define CRTC_PROTECTED 8
#define OVERFLOW_OPEN 0x10u /* bit 8 of the line compare stays writable */
#define DAC_READING 3

static const uint8_t seq_writable[VGA_SEQ_REGS] = { 0x03, 0x3D, 0x0F, 0x3F, 0x0E };
static const uint8_t gfx_writable[VGA_GFX_REGS] = { 0x0F, 0x0F, 0x0F, 0x1F, 0x03,
                                                    0x7B, 0x0F, 0x0F, 0xFF };

static uint8_t attr_writable(unsigned index)
{
    static const uint8_t above_palette[] = { 0xEF, 0xFF, 0x3F, 0x0F, 0x0F };

    return index < 16 ? 0x3F : above_palette[index - 16];
}

/* ---- groups */

static uint8_t read_indexed(const uint8_t *group, unsigned n, unsigned index)
{
    return index < n ? group[index] : 0;
}

static void write_seq(DevVga *vga, uint8_t value)
{
    VgaRegs *regs = &vga->regs;

    if (regs->seq_index < VGA_SEQ_REGS) {
        regs->seq[regs->seq_index] = value & seq_writable[regs->seq_index];
        vga_window_update(vga);
    }
}

static void write_gfx(DevVga *vga, uint8_t value)
{
    VgaRegs *regs = &vga->regs;

    if (regs->gfx_index < VGA_GFX_REGS) {
        regs->gfx[regs->gfx_index] = value & gfx_writable[regs->gfx_index];
        vga_window_update(vga);
    }
}

static void write_crtc(VgaRegs *regs, uint8_t value)
{
    unsigned index = regs->crtc_index;

    if (index >= VGA_CRTC_REGS) {
        return;
    }
    if (index < CRTC_PROTECTED && (regs->crtc[VGA_CRTC_RETRACE_END] & CRTC_PROTECT) != 0) {
        if (index != VGA_CRTC_OVERFLOW) {
            return;
        }
        value = (uint8_t)((regs->crtc[index] & ~OVERFLOW_OPEN) | (value & OVERFLOW_OPEN));
    }
    regs->crtc[index] = value;
}

static void write_attr(VgaRegs *regs, uint8_t value)
{
    unsigned index = regs->attr_index & ATTR_INDEX;

    if (!regs->attr_data) {
        regs->attr_index = value & ATTR_INDEX_WRITABLE;
    } else if (index < VGA_ATTR_REGS) {
        regs->attr[index] = value & attr_writable(index);
    }
    regs->attr_data = !regs->attr_data;
}

/* ---- palette */

/* An entry changes whole, with its third colour. */
static void write_dac(VgaRegs *regs, uint8_t value)
{
    bool wide = (regs->vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0;

    regs->dac_cache[regs->dac_part] = wide ? value : value & 0x3F;
    if (++regs->dac_part < 3) {
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        regs->dac[3 * regs->dac_write_index + i] = regs->dac_cache[i];
    }
    regs->dac_part = 0;
    regs->dac_write_index++;
}

static uint8_t read_dac(VgaRegs *regs)
{
    uint8_t value = regs->dac[3 * regs->dac_read_index + regs->dac_part];

    if (++regs->dac_part == 3) {
        regs->dac_part = 0;
        regs->dac_read_index++;
    }
    return value;
}

static void set_dac_index(VgaRegs *regs, uint8_t *index, uint8_t value, uint8_t state)
{
    *index = value;
    regs->dac_state = state;
    regs->dac_part = 0;
}

/* ---- ports */

/* The CRTC, 3xA and what lies between answer at 3Bx or at 3Dx. */
static bool is_at_other_place(const VgaRegs *regs, unsigned port)
{
    bool colour = (regs->misc & VGA_MISC_COLOUR) != 0;

    return (port < 0x3C0 && colour) || (port >= 0x3D0 && !colour);
}

static uint8_t read_status1(DevVga *vga)
{
    vga->regs.attr_data = false;
    return vga_retrace_status(&vga->regs, vga->clock);
}

static uint8_t read_place(DevVga *vga, unsigned port)
{
    const VgaRegs *regs = &vga->regs;

    switch (port & 0xF) {
    case 0x4:
        return regs->crtc_index;
    case 0x5:
        return read_indexed(regs->crtc, VGA_CRTC_REGS, regs->crtc_index);
    case 0xA:
        return read_status1(vga);
    default:
        return 0xFF;
    }
}

uint8_t vga_port_read(DevVga *vga, unsigned port)
{
    VgaRegs *regs = &vga->regs;

    if (is_at_other_place(regs, port)) {
        return 0xFF;
    }
    switch (port) {
    case 0x3C0:
        return regs->attr_index;
    case 0x3C1:
        return read_indexed(regs->attr, VGA_ATTR_REGS, regs->attr_index & ATTR_INDEX);
    case 0x3C2: /* input status 0: no interrupt, no switch closed */
        return 0;
    case 0x3C4:
        return regs->seq_index;
    case 0x3C5:
        return read_indexed(regs->seq, VGA_SEQ_REGS, regs->seq_index);
    case 0x3C6:
        return regs->dac_mask;
    case 0x3C7:
        return regs->dac_state;
    case 0x3C8:
        return regs->dac_write_index;
    case 0x3C9:
        return read_dac(regs);
    case 0x3CA:
        return regs->feature;
    case 0x3CC:
        return regs->misc;
    case 0x3CE:
        return regs->gfx_index;
    case 0x3CF:
        return read_indexed(regs->gfx, VGA_GFX_REGS, regs->gfx_index);
    default:
        return port >= 0x3C0 && port < 0x3D0 ? 0 : read_place(vga, port);
    }
}

static void write_place(VgaRegs *regs, unsigned port, uint8_t value)
{
    switch (port & 0xF) {
    case 0x4:
        regs->crtc_index = value;
        break;
    case 0x5:
        write_crtc(regs, value);
        break;
    case 0xA:
        regs->feature = value & FEATURE_WRITABLE;
        break;
    default:
        break;
    }
}

void vga_port_write(DevVga *vga, unsigned port, uint8_t value)
{
    VgaRegs *regs = &vga->regs;

    if (is_at_other_place(regs, port)) {
        return;
    }
    switch (port) {
    case 0x3C0:
        write_attr(regs, value);
        break;
    case 0x3C2:
        regs->misc = value & MISC_WRITABLE;
        vga_window_update(vga);
        break;
    case 0x3C4:
        regs->seq_index = value;
        break;
    case 0x3C5:
        write_seq(vga, value);
        break;
    case 0x3C6:
        regs->dac_mask = value;
        break;
    case 0x3C7:
        set_dac_index(regs, &regs->dac_read_index, value, DAC_READING);
        break;
    case 0x3C8:
        set_dac_index(regs, &regs->dac_write_index, value, 0);
        break;
    case 0x3C9:
        write_dac(regs, value);
        break;
    case 0x3CE:
        regs->gfx_index = value;
        break;
    case 0x3CF:
        write_gfx(vga, value);
        break;
    default:
        if (port < 0x3C0 || port >= 0x3D0) {
            write_place(regs, port, value);
        }
    }
}

/* ---- states of files */

static bool within(const uint8_t *group, const uint8_t *writable, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if ((group[i] & ~writable[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool vga_ports_are_valid(const VgaRegs *regs)
{
    for (unsigned i = 0; i < VGA_ATTR_REGS; i++) {
        if ((regs->attr[i] & ~attr_writable(i)) != 0) {
            return false;
        }
    }
    return within(regs->seq, seq_writable, VGA_SEQ_REGS) &&
           within(regs->gfx, gfx_writable, VGA_GFX_REGS) && (regs->misc & ~MISC_WRITABLE) == 0 &&
           (regs->feature & ~FEATURE_WRITABLE) == 0 &&
           (regs->attr_index & ~ATTR_INDEX_WRITABLE) == 0 &&
           (regs->dac_state == 0 || regs->dac_state == DAC_READING) && regs->dac_part < 3;
}
