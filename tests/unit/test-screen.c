/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Updates: after each the picture is that of a drawing from scratch, and only what changed was
 * drawn and reported.
 */
#include "tests/unit/screen-fixture.h"

static DevScreenRect changed;
static DevScreenStats last;

/* What an update did besides. */
static DevScreenStats update(bool expected)
{
    DevScreenStats before = last;

    changed = (DevScreenRect) { 7, 7, 7, 7 };
    ck_assert_int_eq(dev_screen_update(screen, &changed), expected);
    dev_screen_get_stats(screen, &last);
    check_picture();
    return (DevScreenStats) { .updates = last.updates - before.updates,
                              .full = last.full - before.full,
                              .rows_drawn = last.rows_drawn - before.rows_drawn,
                              .dirty_pages = last.dirty_pages - before.dirty_pages };
}

static void setup(void)
{
    screen_setup();
    memset(&last, 0, sizeof(last));
}

static void check_changed(unsigned x, unsigned y, unsigned width, unsigned height)
{
    ck_assert_msg(changed.x == x && changed.y == y && changed.width == width &&
                      changed.height == height,
                  "%u, %u: %ux%u", changed.x, changed.y, changed.width, changed.height);
}

START_TEST(first_update_draws_all_and_the_next_nothing)
{
    DevPicture picture;
    DevScreenStats did;

    dev_screen_get_picture(screen, &picture);
    ck_assert_uint_eq(picture.width, 0);
    ck_assert_ptr_null(picture.pixels);
    set_vbe(640, 480, 32);
    did = update(true);
    ck_assert_uint_eq(did.full, 1);
    ck_assert_uint_eq(did.rows_drawn, 480);
    check_changed(0, 0, 640, 480);
    did = update(false);
    ck_assert_uint_eq(did.updates, 1);
    ck_assert_uint_eq(did.full, 0);
    ck_assert_uint_eq(did.rows_drawn, 0);
    check_changed(0, 0, 0, 0);
    ck_assert(!dev_screen_update(screen, NULL));
}
END_TEST

START_TEST(lines_with_bytes_in_dirty_pages_are_drawn)
{
    set_vbe(800, 600, 32); /* 3200 bytes a line */
    update(true);
    poke(3200 * 100, 1); /* page 78: 319488 to 323583, lines 99 to 101 */

    DevScreenStats did = update(true);

    ck_assert_uint_eq(did.dirty_pages, 1);
    ck_assert_uint_eq(did.rows_drawn, 3);
    check_changed(0, 99, 800, 3);
    poke(3200 * 599, 1);
    poke(0, 1);
    did = update(true);
    ck_assert_uint_eq(did.dirty_pages, 2);
    check_changed(0, 0, 800, 600);
    ck_assert_uint_lt(did.rows_drawn, 6);
    poke(3200 * 600 + 4096, 1); /* behind the picture */
    did = update(false);
    ck_assert_uint_eq(did.dirty_pages, 1);
}
END_TEST

START_TEST(pages_of_one_line_may_lie_at_both_ends)
{
    set_vbe(1000, 4, 32);
    regs.vbe[VBE_VIRT_WIDTH] = 4096;
    regs.vbe[VBE_Y_OFFSET] = 1023;
    regs.vbe[VBE_X_OFFSET] = 3584;
    update(true);
    poke(4, 1);
    update(true);
    check_changed(0, 0, 1000, 1);
    poke((uint32_t)DEV_VGA_MEMORY_LEN - 4, 1);
    update(true);
    check_changed(0, 0, 1000, 1);
    poke(14336, 1); /* where line 1 begins */
    update(true);
    check_changed(0, 1, 1000, 1);
}
END_TEST

START_TEST(a_register_that_matters_draws_all)
{
    set_graphics(80, 480, 0);
    poke(0, 0xff);
    update(true);
    regs.dac[3] ^= 1; /* colour 1 */
    ck_assert_uint_eq(update(true).full, 1);
    regs.dac[255 * 3] ^= 1; /* none of the sixteen */
    ck_assert_uint_eq(update(false).full, 0);
    regs.attr[1] = 5;
    ck_assert_uint_eq(update(true).full, 1);
    regs.crtc[13] = 1;
    ck_assert_uint_eq(update(true).full, 1);
    regs.crtc[2] ^= 1; /* blanking: nothing of ours */
    regs.seq[2] ^= 1;
    regs.latch[0] ^= 1;
    ck_assert_uint_eq(update(false).full, 0);
    regs.crtc[1]--;
    ck_assert_uint_eq(update(true).full, 1);
    regs.attr_index = 0;
    ck_assert_uint_eq(update(true).full, 1);
    ck_assert_int_eq(dev_screen_mode(screen), DEV_SCREEN_BLANK);
    poke(0, 0xfe);
    ck_assert_uint_eq(update(false).full, 0);
    regs.attr_index = 0x20;
    ck_assert_uint_eq(update(true).full, 1);
    ck_assert_int_eq(dev_screen_mode(screen), DEV_SCREEN_GRAPHICS);
    vga_screen_redraw(screen);
    ck_assert_uint_eq(update(true).full, 1);
}
END_TEST

static void set_text(void)
{
    set_text_mode();
    for (unsigned i = 0; i < 2000; i++) {
        put_cell(i, ' ', 7);
    }
    for (unsigned line = 0; line < 16; line++) {
        poke(('A' * 32 + line) * 4 + 2, (uint8_t)(line * 5 + 1));
    }
    update(true);
}

START_TEST(only_cells_that_changed_are_drawn)
{
    set_text();
    ck_assert_int_eq(dev_screen_mode(screen), DEV_SCREEN_TEXT);
    put_cell(3 * 80 + 5, 'A', 7);

    DevScreenStats did = update(true);

    ck_assert_uint_eq(did.rows_drawn, 1);
    ck_assert_uint_eq(did.full, 0);
    check_changed(5 * 9, 3 * 16, 9, 16);
    put_cell(3 * 80 + 5, 'A', 7); /* the same: dirty, but nothing to draw */
    did = update(false);
    ck_assert_uint_eq(did.dirty_pages, 1);
    ck_assert_uint_eq(did.rows_drawn, 0);
    put_cell(3 * 80 + 6, 'A', 7);
    put_cell(20 * 80 + 70, 'A', 0x17);
    did = update(true);
    ck_assert_uint_eq(did.rows_drawn, 2);
    check_changed(6 * 9, 3 * 16, 65 * 9, 18 * 16);
}
END_TEST

START_TEST(cells_of_a_changed_glyph_are_drawn)
{
    set_text();
    put_cell(80, 'A', 7);
    put_cell(81, 'B', 7);
    update(true);
    poke(('A' * 32 + 3) * 4 + 2, 0x5a);

    DevScreenStats did = update(true);

    ck_assert_uint_eq(did.rows_drawn, 1);
    check_changed(0, 16, 9, 16);
    regs.seq[3] = 0x01; /* another font: empty */
    ck_assert_uint_eq(update(true).full, 1);
    ck_assert_uint_eq(pixel(0, 16 + 1), 0);
}
END_TEST

START_TEST(glyphs_of_either_font_are_noticed)
{
    set_text();
    regs.seq[3] = 0x08; /* map 2 for bright ones */
    put_cell(80, 'A', 0x0f);
    put_cell(82, 0xff, 0x0f);
    put_cell(84, 0x00, 0x0f);
    update(true);
    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t characters[] = { 'A', 0xff, 0x00 };

        poke(4 * 32768 + (characters[i] * 32 + 15) * 4 + 2, 0x80);
        update(true);
        check_changed(i * 18, 16, 9, 16);
    }
}
END_TEST

START_TEST(cursor_moves_by_two_cells)
{
    set_text();
    regs.crtc[10] = 13;
    regs.crtc[11] = 14;
    regs.crtc[15] = 4;
    update(true);
    check_changed(36, 0, 9, 16);
    regs.crtc[15] = 6;

    DevScreenStats did = update(true);

    ck_assert_uint_eq(did.rows_drawn, 1);
    check_changed(36, 0, 27, 16);
    regs.crtc[10] = 3; /* its shape */
    update(true);
    check_changed(54, 0, 9, 16);
    regs.crtc[10] |= 0x20;
    update(true);
    check_changed(54, 0, 9, 16);
    regs.crtc[15] = 9; /* while it is off */
    update(false);
}
END_TEST

START_TEST(scrolling_draws_cells_that_differ)
{
    set_text();
    put_cell(80, 'A', 7);
    put_cell(25 * 80 + 3, ' ', 7);
    for (unsigned i = 2000; i < 2080; i++) {
        put_cell(i, ' ', 7);
    }
    update(true);
    regs.crtc[13] = 80;

    DevScreenStats did = update(true);

    ck_assert_uint_eq(did.full, 0);
    ck_assert_uint_eq(did.rows_drawn, 2);
    check_changed(0, 0, 9, 32);
}
END_TEST

START_TEST(writes_while_unmapped_and_elsewhere_are_seen)
{
    set_vbe(640, 480, 32);
    update(true);
    poke(0, 0x12);
    ck_assert_int_eq(pgm_mmio2_unmap(frame), MEM_OK);
    update(true);
    ck_assert_uint_eq(pixel(0, 0), 0x12);
    update(false);
    ck_assert_int_eq(pgm_mmio2_map(frame, FRAME + 0x4000000, NULL), MEM_OK);
    ck_assert_int_eq(pgm_write_u8(pgm, FRAME + 0x4000000, 0x13), MEM_OK);
    update(true);
    ck_assert_uint_eq(pixel(0, 0), 0x13);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(frame, 0, 1), MEM_OK);
    pgm_mmio2_host(frame)[0] = 0x14;
    update(true);
    ck_assert_uint_eq(pixel(0, 0), 0x14);
}
END_TEST

START_TEST(text_is_printed_without_its_spaces)
{
    g_autoptr(GString) text = g_string_new("before\n");

    set_vbe(640, 480, 32);
    ck_assert(!dev_screen_print_text(screen, text));
    ck_assert_str_eq(text->str, "before\n");
    memset(&regs, 0, sizeof(regs));
    set_text_mode();
    set_height(64); /* four rows; memory is of zeros: spaces */
    put_cell(0, 'H', 7);
    put_cell(1, 'i', 7);
    put_cell(2, ' ', 7);
    put_cell(80 + 1, 0xc9, 7);
    put_cell(80 + 2, 0xcd, 7);
    put_cell(80 + 3, 0x01, 7);
    put_cell(80 + 4, 0x7f, 7);
    put_cell(80 + 5, 0x80, 7);
    put_cell(80 + 6, 0xe1, 7);
    put_cell(80 + 7, 0xfe, 7);
    put_cell(80 + 8, 0xff, 7);
    put_cell(3 * 80 + 79, '!', 7);
    ck_assert(dev_screen_print_text(screen, text)); /* needs no update */
    ck_assert_msg(g_str_has_prefix(text->str, "before\nHi\n ╔═☺⌂Çß■\n\n   "), "%s", text->str);
    ck_assert_msg(g_str_has_suffix(text->str, "   !\n"), "%s", text->str);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen");
    TCase *tcase = tcase_create("screen");

    tcase_add_checked_fixture(tcase, setup, screen_teardown);
    tcase_add_test(tcase, first_update_draws_all_and_the_next_nothing);
    tcase_add_test(tcase, lines_with_bytes_in_dirty_pages_are_drawn);
    tcase_add_test(tcase, pages_of_one_line_may_lie_at_both_ends);
    tcase_add_test(tcase, a_register_that_matters_draws_all);
    tcase_add_test(tcase, only_cells_that_changed_are_drawn);
    tcase_add_test(tcase, cells_of_a_changed_glyph_are_drawn);
    tcase_add_test(tcase, glyphs_of_either_font_are_noticed);
    tcase_add_test(tcase, cursor_moves_by_two_cells);
    tcase_add_test(tcase, scrolling_draws_cells_that_differ);
    tcase_add_test(tcase, writes_while_unmapped_and_elsewhere_are_seen);
    tcase_add_test(tcase, text_is_printed_without_its_spaces);
    suite_add_tcase(suite, tcase);
    return run_screen_suite(suite);
}
