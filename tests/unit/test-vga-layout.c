/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mode registers make, and what lines and cells look like; whole pictures are compared with
 * QEMU's in tests/firmware.
 */
#include "tests/unit/screen-fixture.h"

static VgaLayout layout;

static void get_layout(void)
{
    memset(&layout, 0xa5, sizeof(layout));
    vga_layout_get(&regs, &layout);
}

static void check_size(VgaLayoutKind kind, unsigned width, unsigned height)
{
    get_layout();
    ck_assert_uint_eq(layout.kind, kind);
    ck_assert_uint_eq(layout.width, width);
    ck_assert_uint_eq(layout.height, height);
}

START_TEST(sizes_of_modes)
{
    set_text_mode();
    check_size(VGA_LAYOUT_TEXT, 720, 400);
    ck_assert_uint_eq(layout.columns, 80);
    ck_assert_uint_eq(layout.n_rows, 25);
    regs.seq[1] = 0x01;
    check_size(VGA_LAYOUT_TEXT, 640, 400);
    regs.crtc[1] = 39;
    regs.seq[1] = 0x08;
    check_size(VGA_LAYOUT_TEXT, 640, 400);
    regs.crtc[9] = 0x47;
    get_layout();
    ck_assert_uint_eq(layout.n_rows, 50);
    regs.crtc[9] = 0x46; /* 57 rows of 7 lines, one is left over */
    check_size(VGA_LAYOUT_TEXT, 640, 399);

    set_graphics(80, 480, 0);
    check_size(VGA_LAYOUT_PLANAR, 640, 480);
    set_graphics(40, 400, 0);
    regs.seq[1] = 0x09;
    check_size(VGA_LAYOUT_PLANAR, 640, 400);
    set_graphics(40, 400, 1);
    check_size(VGA_LAYOUT_CGA, 320, 400);
    regs.seq[1] = 0x09;
    check_size(VGA_LAYOUT_CGA, 640, 400);
    set_graphics(80, 400, 2);
    check_size(VGA_LAYOUT_PACKED, 640, 400);
    set_graphics(90, 1024, 3);
    check_size(VGA_LAYOUT_PACKED, 720, 1024);
    set_vbe(800, 600, 32);
    check_size(VGA_LAYOUT_VBE, 800, 600);
    set_vbe(1024, 768, 4);
    check_size(VGA_LAYOUT_PLANAR, 1024, 768);
}
END_TEST

START_TEST(blank_is_as_large_as_the_mode)
{
    check_size(VGA_LAYOUT_BLANK, 640, 480); /* as after power-on */
    set_text_mode();
    regs.attr_index = 0x1f;
    check_size(VGA_LAYOUT_BLANK, 720, 400);
    ck_assert_uint_eq(layout.n_rows, 0);
    regs.attr_index = 0x20;
    check_size(VGA_LAYOUT_TEXT, 720, 400);
}
END_TEST

static void check_rows(const uint32_t *expected, unsigned n)
{
    static uint32_t rows[DEV_SCREEN_MAX_HEIGHT];

    get_layout();
    ck_assert_uint_ge(layout.n_rows, n);
    vga_layout_rows(&layout, rows);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(rows[i] == expected[i], "row %u: %#x, not %#x", i, rows[i], expected[i]);
    }
}

START_TEST(rows_repeat_double_and_split)
{
    set_graphics(80, 400, 2);
    regs.crtc[9] |= 0x01; /* two lines each */
    regs.crtc[12] = 0x01;
    check_rows((const uint32_t[]) { 0x400, 0x400, 0x540, 0x540, 0x680 }, 5);
    regs.crtc[9] |= 0x80; /* and each twice */
    check_rows((const uint32_t[]) { 0x400, 0x400, 0x400, 0x400, 0x540 }, 5);
    regs.crtc[9] = 0x00; /* line compare 2: the next begins at 0 */
    regs.crtc[7] &= 0xef;
    regs.crtc[24] = 2;
    check_rows((const uint32_t[]) { 0x400, 0x540, 0x680, 0, 0x140 }, 5);
}
END_TEST

START_TEST(line_compare_has_ten_bits)
{
    set_graphics(80, 1024, 2);
    regs.crtc[12] = 0x01;
    for (unsigned bit = 0; bit < 10; bit++) {
        unsigned line = 1u << bit;
        uint32_t rows[DEV_SCREEN_MAX_HEIGHT];

        regs.crtc[24] = (uint8_t)line;
        regs.crtc[7] = (uint8_t)((regs.crtc[7] & ~0x10u) | (line >> 4 & 0x10));
        regs.crtc[9] = (uint8_t)(line >> 3 & 0x40);
        get_layout();
        vga_layout_rows(&layout, rows);
        ck_assert_uint_eq(rows[line], 0x400 + 0x140 * line);
        if (line + 1 < 1024) {
            ck_assert_uint_eq(rows[line + 1], 0);
        }
    }
}
END_TEST

START_TEST(banks_of_cga_and_hercules)
{
    set_graphics(40, 200, 1);
    regs.crtc[9] |= 0x01; /* says two lines; banks make them */
    regs.crtc[23] = 0xe2; /* bit 0 of the row counter for address bit 13 (here * 4 * 2 bytes) */
    check_rows((const uint32_t[]) { 0, 0x8000, 0xa0, 0x80a0, 0x140 }, 5);
    regs.crtc[23] = 0xa2; /* the address bit before */
    check_rows((const uint32_t[]) { 0, 0x4000, 0xa0, 0x40a0, 0x140 }, 5);
    regs.crtc[23] = 0xa0; /* four banks */
    check_rows((const uint32_t[]) { 0, 0x4000, 0x8000, 0xc000, 0xa0 }, 5);
}
END_TEST

START_TEST(rows_of_text_split_between_characters)
{
    set_text_mode();
    regs.crtc[12] = 0x01;
    regs.crtc[7] &= 0xef;
    regs.crtc[9] = 15;
    regs.crtc[24] = 31;
    check_rows((const uint32_t[]) { 0x400, 0x540, 0, 0x140 }, 4);
}
END_TEST

START_TEST(vbe_begins_at_its_offsets_in_fours)
{
    set_vbe(640, 480, 24);
    regs.vbe[VBE_VIRT_WIDTH] = 800;
    regs.vbe[VBE_X_OFFSET] = 3;
    regs.vbe[VBE_Y_OFFSET] = 2;
    check_rows((const uint32_t[]) { 4808, 4808 + 2400 }, 2);
    set_vbe(640, 480, 4);
    regs.vbe[VBE_Y_OFFSET] = 1;
    check_rows((const uint32_t[]) { 320, 640 }, 2);
}
END_TEST

static bool is_sound(const VgaLayout *l)
{
    return l->width > 0 && l->width <= DEV_SCREEN_MAX_WIDTH && l->height > 0 &&
           l->height <= DEV_SCREEN_MAX_HEIGHT && l->n_rows <= l->height &&
           l->row_bytes <= VGA_MAX_ROW_BYTES && l->columns * l->cell_width <= l->width &&
           (l->n_rows == 0 || l->n_rows * l->row_height == l->height);
}

/* Sanitizers look on. */
START_TEST(any_registers_make_a_picture_in_bounds)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20);
    g_autofree uint32_t *pixels =
        g_new(uint32_t, (size_t)DEV_SCREEN_MAX_WIDTH * DEV_SCREEN_MAX_HEIGHT);
    unsigned n_of[VGA_LAYOUT_VBE + 1] = { 0 };

    for (unsigned i = 0; i < 400; i++) {
        for (size_t at = 0; at < sizeof(regs); at++) {
            ((uint8_t *)&regs)[at] = (uint8_t)g_rand_int(rand);
        }
        regs.attr_data = false;
        regs.attr_index |= 0x20;
        regs.vbe[VBE_ENABLE] &= i % 8 == 0 ? 0xffff : 0xfffe;
        get_layout();
        ck_assert_msg(is_sound(&layout), "%u: kind %u, %ux%u", i, layout.kind, layout.width,
                      layout.height);
        n_of[layout.kind]++;
        vga_draw_all(&view, pixels);
    }
    for (unsigned kind = VGA_LAYOUT_TEXT; kind <= VGA_LAYOUT_VBE; kind++) {
        ck_assert_msg(n_of[kind] > 0, "never kind %u", kind);
    }
}
END_TEST

/* ---- pixels */

static void check_pixels(const uint32_t *expected, unsigned n)
{
    g_autofree uint32_t *pixels = NULL;

    get_layout();
    pixels = g_new(uint32_t, (size_t)layout.width * layout.height);
    vga_draw_all(&view, pixels);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(pixels[i] == expected[i], "pixel %u: %06x, not %06x", i, pixels[i],
                      expected[i]);
    }
}

static void poke_all(const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        poke(i, bytes[i]);
    }
}

START_TEST(bits_of_planes_are_colours)
{
    set_graphics(80, 480, 0);
    poke_all((const uint8_t[]) { 0x81, 0x41, 0x21, 0x11 }, 4);
    check_pixels(
        (const uint32_t[]) { colour(1), colour(2), colour(4), colour(8), 0, 0, 0, colour(15), 0 },
        9);
    regs.attr[18] = 0x05;
    check_pixels((const uint32_t[]) { colour(1), 0, colour(4), 0, 0, 0, 0, colour(5) }, 8);
    regs.attr[18] = 0x0f;
    regs.seq[1] = 0x09; /* each twice */
    check_pixels((const uint32_t[]) { colour(1), colour(1), colour(2), colour(2) }, 4);
}
END_TEST

START_TEST(pairs_of_bits_are_colours)
{
    set_graphics(40, 200, 1);
    poke_all((const uint8_t[]) { 0x1b, 0xe4, 0x05, 0x00 }, 4);
    check_pixels((const uint32_t[]) { colour(0), colour(1), colour(2 + 4), colour(3 + 4), colour(3),
                                      colour(2), colour(1), colour(0) },
                 8);
    regs.attr[18] = 0x09; /* planes 0 and 3 */
    check_pixels((const uint32_t[]) { 0, colour(1), colour(2), colour(3), 0, 0, 0, 0 }, 8);
}
END_TEST

START_TEST(bytes_are_colours_through_the_mask)
{
    set_graphics(80, 400, 2);
    poke_all((const uint8_t[]) { 0x05, 0xff }, 2);
    check_pixels((const uint32_t[]) { colour(5), colour(5), colour(255), colour(255), 0 }, 5);
    regs.dac_mask = 0x0f;
    check_pixels((const uint32_t[]) { colour(5), colour(5), colour(15), colour(15), 0 }, 5);
    set_vbe(640, 480, 8);
    check_pixels((const uint32_t[]) { colour(5), colour(255), 0 }, 3);
    regs.vbe[VBE_ENABLE] |= VBE_8BIT_DAC;
    regs.dac[15] = 0xfe;
    check_pixels((const uint32_t[]) { 0xfe0000 }, 1);
}
END_TEST

START_TEST(bits_of_direct_colours)
{
    set_vbe(640, 480, 15);
    poke_all((const uint8_t[]) { 0x00, 0x7c, 0xe0, 0x03, 0x1f, 0x80, 0xff, 0xff }, 8);
    check_pixels((const uint32_t[]) { 0xf80000, 0x00f800, 0x0000f8, 0xf8f8f8 }, 4);
    set_vbe(640, 480, 16);
    poke_all((const uint8_t[]) { 0x00, 0xf8, 0xe0, 0x07, 0x1f, 0x00, 0x10, 0x84 }, 8);
    check_pixels((const uint32_t[]) { 0xff0000, 0x00ff00, 0x0000ff, 0x848284 }, 4);
    set_vbe(640, 480, 24);
    poke_all((const uint8_t[]) { 1, 2, 3, 4, 5, 6 }, 6);
    check_pixels((const uint32_t[]) { 0x030201, 0x060504 }, 2);
    set_vbe(640, 480, 32);
    poke_all((const uint8_t[]) { 1, 2, 3, 0xff, 4, 5, 6, 0x80 }, 8);
    check_pixels((const uint32_t[]) { 0x030201, 0x060504 }, 2);
}
END_TEST

START_TEST(a_line_goes_on_at_the_start_of_memory)
{
    set_vbe(1000, 4, 32);
    regs.vbe[VBE_VIRT_WIDTH] = 4096;
    regs.vbe[VBE_Y_OFFSET] = 1023;
    regs.vbe[VBE_X_OFFSET] = 3584; /* 512 pixels to the end */
    poke((uint32_t)DEV_VGA_MEMORY_LEN - 4, 0x11);
    poke(0, 0x22);

    uint32_t expected[514] = { 0 };

    expected[511] = 0x11;
    expected[512] = 0x22;
    check_pixels(expected, 514);
}
END_TEST

START_TEST(attribute_registers_choose_among_256)
{
    set_graphics(80, 480, 0);
    poke(0, 0x80);
    regs.attr[1] = 0x3e;
    regs.attr[20] = 0x0b;
    check_pixels((const uint32_t[]) { colour(0xbe) }, 1);
    regs.attr[16] = 0x80;
    check_pixels((const uint32_t[]) { colour(0xbe) }, 1);
    regs.attr[20] = 0x05;
    check_pixels((const uint32_t[]) { colour(0x5e) }, 1);
    regs.attr[16] = 0;
    check_pixels((const uint32_t[]) { colour(0x7e) }, 1);
}
END_TEST

/* ---- characters */

static void put_glyph(uint32_t font, unsigned character, unsigned line, uint8_t bits)
{
    poke(font * 32768 + (character * 32 + line) * 4 + 2, bits);
}

START_TEST(ninth_dot_of_line_drawing_characters)
{
    const uint32_t on = colour(7);

    set_text_mode();
    put_cell(0, 0xc4, 7);
    put_cell(1, 0x41, 7);
    put_glyph(0, 0xc4, 0, 0xff);
    put_glyph(0, 0x41, 0, 0x81);
    check_pixels(
        (const uint32_t[]) { on, on, on, on, on, on, on, on, on, on, 0, 0, 0, 0, 0, 0, on, 0 }, 18);
    regs.attr[16] = 0;
    check_pixels((const uint32_t[]) { on, on, on, on, on, on, on, on, 0, on }, 10);
}
END_TEST

START_TEST(attribute_bit_3_chooses_the_font)
{
    set_text_mode();
    regs.seq[3] = 0x24; /* map 0; map 5 */
    put_cell(0, 1, 0x0f);
    put_cell(1, 1, 0x07);
    put_glyph(0, 1, 0, 0x80);
    put_glyph(3, 1, 0, 0x40); /* map 5 lies between maps 1 and 2 */
    check_pixels((const uint32_t[]) { 0, colour(15), 0, 0, 0, 0, 0, 0, 0, colour(7), 0 }, 11);
}
END_TEST

START_TEST(blinking_is_shown_and_its_bit_no_colour)
{
    set_text_mode();
    put_cell(0, 1, 0x92);
    put_glyph(0, 1, 0, 0x80);
    check_pixels((const uint32_t[]) { colour(2), colour(9) }, 2);
    regs.attr[16] = 0x0c;
    check_pixels((const uint32_t[]) { colour(2), colour(1) }, 2);
}
END_TEST

static uint32_t pixel_of_fresh(unsigned x, unsigned y)
{
    g_autofree uint32_t *pixels = NULL;

    get_layout();
    pixels = g_new(uint32_t, (size_t)layout.width * layout.height);
    vga_draw_all(&view, pixels);
    return pixels[(size_t)y * layout.width + x];
}

START_TEST(monochrome_modes_underline)
{
    set_text_mode();
    regs.crtc[20] = 13;
    put_cell(0, ' ', 0x09);
    ck_assert_uint_eq(pixel_of_fresh(4, 13), 0);
    regs.attr[16] = 0x02;
    ck_assert_uint_eq(pixel_of_fresh(4, 13), colour(9));
    ck_assert_uint_eq(pixel_of_fresh(4, 12), 0);
    put_cell(0, ' ', 0x02);
    ck_assert_uint_eq(pixel_of_fresh(4, 13), 0);
}
END_TEST

START_TEST(cursor_is_its_lines_of_its_cell)
{
    set_text_mode();
    regs.crtc[10] = 13;
    regs.crtc[11] = 14;
    regs.crtc[14] = 0;
    regs.crtc[15] = 81;
    put_cell(81, ' ', 7);
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 12), 0);
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 13), colour(7));
    ck_assert_uint_eq(pixel_of_fresh(17, 16 + 14), colour(7));
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 15), 0);
    ck_assert_uint_eq(pixel_of_fresh(18, 16 + 13), 0);
    regs.crtc[11] = 31; /* to the last line */
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 15), colour(7));
    regs.crtc[10] |= 0x20;
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 13), 0);
    regs.crtc[10] = 15;
    regs.crtc[11] = 14; /* ends before it begins */
    ck_assert_uint_eq(pixel_of_fresh(9, 16 + 15), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vga-layout");
    TCase *tcase = tcase_create("vga-layout");

    tcase_add_checked_fixture(tcase, screen_setup, screen_teardown);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, sizes_of_modes);
    tcase_add_test(tcase, blank_is_as_large_as_the_mode);
    tcase_add_test(tcase, rows_repeat_double_and_split);
    tcase_add_test(tcase, line_compare_has_ten_bits);
    tcase_add_test(tcase, banks_of_cga_and_hercules);
    tcase_add_test(tcase, rows_of_text_split_between_characters);
    tcase_add_test(tcase, vbe_begins_at_its_offsets_in_fours);
    tcase_add_test(tcase, any_registers_make_a_picture_in_bounds);
    tcase_add_test(tcase, bits_of_planes_are_colours);
    tcase_add_test(tcase, pairs_of_bits_are_colours);
    tcase_add_test(tcase, bytes_are_colours_through_the_mask);
    tcase_add_test(tcase, bits_of_direct_colours);
    tcase_add_test(tcase, a_line_goes_on_at_the_start_of_memory);
    tcase_add_test(tcase, attribute_registers_choose_among_256);
    tcase_add_test(tcase, ninth_dot_of_line_drawing_characters);
    tcase_add_test(tcase, attribute_bit_3_chooses_the_font);
    tcase_add_test(tcase, blinking_is_shown_and_its_bit_no_colour);
    tcase_add_test(tcase, monochrome_modes_underline);
    tcase_add_test(tcase, cursor_is_its_lines_of_its_cell);
    suite_add_tcase(suite, tcase);
    return run_screen_suite(suite);
}
