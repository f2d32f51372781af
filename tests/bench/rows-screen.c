/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen: what bringing a picture up to date costs against drawing it anew. */
#include "bench.h"

#include "devices/vga-draw.h"
#include "memsys/access.h"

#define FRAME UINT64_C(0xe0000000)

/* Variants. */
enum { ONE_PIXEL, NOTHING, ONE_CELL };

typedef struct Screen {
    int variant;
    unsigned n; /* updates in a round */
    Gmm *gmm;
    Pgm *pgm;
    PgmMmio2 *frame;
    VgaRegs regs;
    VgaView view;
    DevScreen *screen;
} Screen;

static void screen_teardown(void *user)
{
    Screen *state = user;

    vga_screen_free(state->screen);
    pgm_mmio2_free(state->frame);
    pgm_free(state->pgm);
    gmm_free(state->gmm);
    g_free(state);
}

static void set_colours(VgaRegs *regs)
{
    regs->attr_index = 0x20;
    regs->dac_mask = 0xff;
    for (unsigned i = 0; i < 16; i++) {
        regs->attr[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < VGA_DAC_LEN; i++) {
        regs->dac[i] = (uint8_t)(i * 7 & 0x3f);
    }
}

/* 1024x768, 32 bits. */
static void set_vbe(VgaRegs *regs)
{
    regs->vbe[VBE_ENABLE] = VBE_ENABLED | VBE_LFB_ENABLED;
    regs->vbe[VBE_XRES] = 1024;
    regs->vbe[VBE_YRES] = 768;
    regs->vbe[VBE_BPP] = 32;
    regs->vbe[VBE_VIRT_WIDTH] = 1024;
}

/* 80x25, cells of 9x16 dots. */
static void set_text(VgaRegs *regs)
{
    regs->crtc[1] = 79;
    regs->crtc[7] = 0x1f;
    regs->crtc[9] = 0x4f;
    regs->crtc[18] = 0x8f;
    regs->crtc[19] = 40;
    regs->crtc[23] = 0xa3;
    regs->crtc[24] = 0xff;
}

static void *screen_setup(const BenchRow *row, bool quick, GError **error)
{
    Screen *state = g_new0(Screen, 1);

    state->variant = row->variant;
    state->n = quick ? 3 : 100;
    state->gmm = gmm_new(0, error);
    state->pgm = state->gmm != NULL ? pgm_new(state->gmm, NULL, error) : NULL;
    state->frame = state->pgm != NULL ? pgm_mmio2_new(state->pgm, "bench", 0, DEV_VGA_MEMORY_LEN,
                                                      true, "frame", error)
                                      : NULL;
    if (state->frame == NULL || pgm_mmio2_map(state->frame, FRAME, error) != MEM_OK) {
        screen_teardown(state);
        return NULL;
    }
    if (pgm_mmio2_set_tracking(state->frame, true) != MEM_OK) {
        g_set_error(error, BENCH_ERROR, 0, "dirty tracking cannot be switched on");
        screen_teardown(state);
        return NULL;
    }
    set_colours(&state->regs);
    if (row->variant == ONE_CELL) {
        set_text(&state->regs);
    } else {
        set_vbe(&state->regs);
    }
    for (uint32_t at = 0; at < 1024 * 768 * 4; at += 4) {
        (void)pgm_write_u32(state->pgm, FRAME + at, at * 2654435761u);
    }
    state->view = (VgaView) { .regs = &state->regs, .memory = pgm_mmio2_host(state->frame) };
    state->screen = vga_screen_new(&state->view, state->frame);
    dev_screen_update(state->screen, NULL);
    return state;
}

/* Only updates count, not the guest's writes. Returns: us for each. */
static double updates(Screen *state, bool whole)
{
    uint64_t took = 0;
    unsigned n = whole ? MAX(state->n / 20, 3) : state->n;

    for (unsigned i = 0; i < n; i++) {
        bool expected = whole || state->variant != NOTHING;
        uint32_t at = (i * 37 % (state->variant == ONE_CELL ? 2000 : 768 * 1024)) * 4;

        if (state->variant != NOTHING &&
            pgm_write_u8(state->pgm, FRAME + at, state->view.memory[at] ^ 1) != MEM_OK) {
            return -1;
        }
        if (whole) {
            vga_screen_redraw(state->screen);
        }
        uint64_t start = bench_cpu_ns();
        bool changed = dev_screen_update(state->screen, NULL);

        took += bench_cpu_ns() - start;
        if (changed != expected) {
            return -1;
        }
    }
    return (double)took / n / 1000;
}

static double updates_of_little(void *user)
{
    return updates(user, false);
}

static double updates_of_all(void *user)
{
    return updates(user, true);
}

#define SCREEN_ROW(row_name, our_text, ratio, which)                                             \
    {                                                                                            \
        .name = row_name, .ours = our_text, .theirs = "drawing all of it", .unit = "us",         \
        .target = BENCH_RATIO_AT_LEAST, .at = ratio, .variant = which, .setup = screen_setup,    \
        .run_ours = updates_of_little, .run_theirs = updates_of_all, .teardown = screen_teardown \
    }

const BenchRow bench_screen_rows[] = {
    SCREEN_ROW("redraw-page", "updating a picture of 1024x768, 32 bits, after a write to one page",
               50, ONE_PIXEL),
    SCREEN_ROW("redraw-nothing",
               "updating a picture of 1024x768, 32 bits, when nothing was written", 200, NOTHING),
    SCREEN_ROW("redraw-text", "updating a picture of 80x25 characters after a write to one of them",
               20, ONE_CELL),
    { .name = NULL },
};
