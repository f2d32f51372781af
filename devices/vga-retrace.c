/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the beam is: computed from guest time when somebody asks.
 *
 *   dots a line   (CR0 + 5) characters of 8 or 9 dots; displayed: CR1 + 1 characters
 *   lines         CR6 + 2; displayed: CR12 + 1; retrace: from CR10 until its low
 *                 four bits are CR11's
 *   frame rate    dot clock / dots / lines: 70.09 Hz for text, 59.94 Hz for 640x480
 *
 * Guests wait for a retrace in loops, so there is always one: a timing that has none, or that no
 * monitor would follow, is replaced by that of 640x480. So is any timing while VBE is on, whose
 * modes set sizes alone.
 *
 * Source: IBM VGA XGA Technical Reference Manual (1992), chapter 2 (CRT controller registers).
 */
#include "devices/vga-chip-internal.h"

#define STATUS_BLANK 0x01u
#define STATUS_RETRACE 0x08u

#define CLOCK_640 25175000u
#define CLOCK_720 28322000u

#define FRAMES_MIN 10u /* a second */
#define FRAMES_MAX 200u

typedef struct Timing {
    uint32_t hz; /* dots a second */
    uint32_t line_dots;
    uint32_t shown_dots;
    uint32_t lines;
    uint32_t shown_lines;
    uint32_t retrace_start;
    uint32_t retrace_end; /* the first line after it */
} Timing;

static const Timing timing_640x480 = {
    .hz = CLOCK_640,
    .line_dots = 800,
    .shown_dots = 640,
    .lines = 525,
    .shown_lines = 480,
    .retrace_start = 490,
    .retrace_end = 492,
};

/* Bits 8 and 9 of a line number lie in the overflow register. */
static uint32_t line_number(const VgaRegs *regs, unsigned reg, unsigned bit8, unsigned bit9)
{
    unsigned overflow = regs->crtc[VGA_CRTC_OVERFLOW];

    return regs->crtc[reg] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

static Timing programmed(const VgaRegs *regs)
{
    uint32_t dots = (regs->seq[VGA_SEQ_CLOCKING] & VGA_CLOCKING_8_DOTS) != 0 ? 8 : 9;
    uint32_t hz = (regs->misc >> 2 & 3) == 1 ? CLOCK_720 : CLOCK_640;
    uint32_t start = line_number(regs, VGA_CRTC_RETRACE_START, 2, 7);
    uint32_t n = (regs->crtc[VGA_CRTC_RETRACE_END] - start) & 15;

    return (Timing) {
        .hz = (regs->seq[VGA_SEQ_CLOCKING] & VGA_CLOCKING_HALF) != 0 ? hz / 2 : hz,
        .line_dots = (regs->crtc[VGA_CRTC_TOTAL] + 5u) * dots,
        .shown_dots = (regs->crtc[VGA_CRTC_DISPLAY_END] + 1u) * dots,
        .lines = line_number(regs, VGA_CRTC_VERTICAL_TOTAL, 0, 5) + 2,
        .shown_lines = line_number(regs, VGA_CRTC_VERTICAL_END, 1, 6) + 1,
        .retrace_start = start,
        .retrace_end = start + (n != 0 ? n : 16),
    };
}

static bool is_usable(const Timing *timing)
{
    uint64_t frame_dots = (uint64_t)timing->line_dots * timing->lines;

    return timing->retrace_end <= timing->lines && timing->shown_lines < timing->lines &&
           timing->shown_dots < timing->line_dots && frame_dots * FRAMES_MIN <= timing->hz &&
           frame_dots * FRAMES_MAX >= timing->hz;
}

uint8_t vga_retrace_status(const VgaRegs *regs, const EmuClock *clock)
{
    Timing timing = programmed(regs);

    if ((regs->vbe[VBE_ENABLE] & VBE_ENABLED) != 0 || !is_usable(&timing)) {
        timing = timing_640x480;
    }

    uint64_t frame_dots = (uint64_t)timing.line_dots * timing.lines;
    uint64_t at = emu_clock_ticks(clock, timing.hz) % frame_dots;
    uint32_t line = (uint32_t)(at / timing.line_dots);
    bool shown = line < timing.shown_lines && at % timing.line_dots < timing.shown_dots;
    bool retrace = line >= timing.retrace_start && line < timing.retrace_end;

    return (uint8_t)((shown ? 0 : STATUS_BLANK) | (retrace ? STATUS_RETRACE : 0));
}
