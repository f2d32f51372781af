/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A screen without a chip: registers that tests set themselves, and video memory that is mapped at
 * FRAME, so that what is written there is dirty.
 */
#pragma once

#include "devices/vga-draw.h"
#include "memsys/access.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FRAME UINT64_C(0xe0000000)

static Gmm *gmm;
static Pgm *pgm;
static PgmMmio2 *frame;
static VgaRegs regs;
static VgaView view;
static DevScreen *screen;

static inline void screen_setup(void)
{
    g_autoptr(GError) error = NULL;

    gmm = gmm_new(0, &error);
    ck_assert_msg(gmm != NULL, "%s", error ? error->message : "");
    pgm = pgm_new(gmm, NULL, &error);
    ck_assert_msg(pgm != NULL, "%s", error ? error->message : "");
    frame = pgm_mmio2_new(pgm, "vga", 0, DEV_VGA_MEMORY_LEN, true, "frame", &error);
    ck_assert_msg(frame != NULL, "%s", error ? error->message : "");
    ck_assert_int_eq(pgm_mmio2_set_tracking(frame, true), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(frame, FRAME, NULL), MEM_OK);
    memset(&regs, 0, sizeof(regs));
    view = (VgaView) { .regs = &regs, .memory = pgm_mmio2_host(frame) };
    screen = vga_screen_new(&view, frame);
}

static inline void screen_teardown(void)
{
    vga_screen_free(screen);
    pgm_mmio2_free(frame);
    pgm_free(pgm);
    gmm_free(gmm);
}

/* As a guest writes it. */
static inline void poke(uint32_t at, uint8_t value)
{
    ck_assert_int_eq(pgm_write_u8(pgm, FRAME + at, value), MEM_OK);
}

static inline void put_cell(unsigned index, uint8_t character, uint8_t attribute)
{
    poke(index * 4, character);
    poke(index * 4 + 1, attribute);
}

/* Colour N of the DAC: red is N. The attribute controller: colour N is N of the DAC. */
static inline void set_plain_colours(void)
{
    regs.attr_index = 0x20;
    regs.dac_mask = 0xff;
    for (unsigned i = 0; i < 16; i++) {
        regs.attr[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 256; i++) {
        regs.dac[i * 3] = i & 0x3f;
        regs.dac[i * 3 + 1] = (uint8_t)(i >> 6);
    }
    regs.attr[18] = 0x0f;
}

/* @n: lines on the screen. */
static inline void set_height(unsigned n)
{
    unsigned end = n - 1;

    regs.crtc[18] = (uint8_t)end;
    regs.crtc[7] = (uint8_t)((end >> 7 & 0x02) | (end >> 3 & 0x40) | 0x10);
    regs.crtc[9] |= 0x40; /* no split screen: line compare 3FF */
    regs.crtc[24] = 0xff;
}

/* 80x25, cells of 9x16 dots, the cursor off. */
static inline void set_text_mode(void)
{
    set_plain_colours();
    regs.crtc[1] = 79;
    regs.crtc[9] = 15;
    regs.crtc[10] = 0x20;
    regs.crtc[19] = 40;
    regs.crtc[23] = 0xa3;
    regs.attr[16] = 0x04;
    set_height(400);
}

static inline void set_graphics(unsigned clocks, unsigned lines, unsigned shift)
{
    set_plain_colours();
    regs.gfx[6] = 1;
    regs.gfx[5] = (uint8_t)(shift << 5);
    regs.seq[1] = 1;
    regs.crtc[1] = (uint8_t)(clocks - 1);
    regs.crtc[19] = (uint8_t)(clocks / 2);
    regs.crtc[23] = 0xe3;
    set_height(lines);
}

static inline void set_vbe(unsigned width, unsigned height, unsigned bits)
{
    set_plain_colours();
    regs.vbe[VBE_XRES] = (uint16_t)width;
    regs.vbe[VBE_YRES] = (uint16_t)height;
    regs.vbe[VBE_BPP] = (uint16_t)bits;
    regs.vbe[VBE_VIRT_WIDTH] = (uint16_t)width;
    regs.vbe[VBE_X_OFFSET] = 0;
    regs.vbe[VBE_Y_OFFSET] = 0;
    regs.vbe[VBE_ENABLE] = VBE_ENABLED | VBE_LFB_ENABLED;
}

/* The colour with this number as pixels show it. */
static inline uint32_t colour(unsigned index)
{
    unsigned red = index & 0x3f;
    unsigned green = index >> 6;

    return (red << 18 | (red & 1) * 0x30000u) | (green << 10 | (green & 1) * 0x300u);
}

static inline uint32_t pixel(unsigned x, unsigned y)
{
    DevPicture picture;

    dev_screen_get_picture(screen, &picture);
    ck_assert(x < picture.width && y < picture.height);
    return picture.pixels[(size_t)y * picture.width + x];
}

/* The picture is what a drawing from scratch makes. */
static inline void check_picture(void)
{
    VgaLayout layout;
    DevPicture picture;

    vga_layout_get(&regs, &layout);
    dev_screen_get_picture(screen, &picture);
    ck_assert_uint_eq(picture.width, layout.width);
    ck_assert_uint_eq(picture.height, layout.height);

    size_t n = (size_t)picture.width * picture.height;
    g_autofree uint32_t *fresh = g_new(uint32_t, n);

    vga_draw_all(&view, fresh);
    for (size_t i = 0; i < n; i++) {
        if (fresh[i] != picture.pixels[i]) {
            ck_abort_msg("pixel %zu, %zu: %06x is shown, %06x is right", i % picture.width,
                         i / picture.width, picture.pixels[i], fresh[i]);
        }
    }
}

static inline int run_screen_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
