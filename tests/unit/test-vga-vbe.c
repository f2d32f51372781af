/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VBE registers: what they keep, bounds of sizes and offsets, what switching on does to the
 * rest of the chip, and states of files that show what there is not.
 */
#include "vga-fixture.h"

START_TEST(it_says_what_it_is)
{
    ck_assert_uint_eq(vbe_get(ID), 0xB0C5);
    for (unsigned id = 0xB0BE; id < 0xB0C9; id++) {
        unsigned before = vbe_get(ID);

        vbe(ID, id);
        ck_assert_uint_eq(vbe_get(ID), id >= 0xB0C0 && id <= 0xB0C5 ? id : before);
    }
    ck_assert_uint_eq(vbe_get(MEMORY_64K), 256);
    vbe(MEMORY_64K, 1);
    ck_assert_uint_eq(vbe_get(MEMORY_64K), 256);
    ck_assert_uint_eq(vbe_get(11), 0);
    vbe(0xFFFF, 0xFFFF);
    ck_assert_uint_eq(vbe_get(0xFFFF), 0);
    ck_assert_uint_eq(emu_ports_read(ports, 0x1CE, 2), 0xFFFF);
    /* Both data ports are one; bytes find nobody. */
    emu_ports_write(ports, 0x1CE, 2, BPP);
    emu_ports_write(ports, 0x1CF, 2, 24);
    ck_assert_uint_eq(emu_ports_read(ports, 0x1D0, 2), 24);
    ck_assert_uint_eq(in8(0x1CF), 0xFF);
    out8(0x1CF, 8);
    ck_assert_uint_eq(vbe_get(BPP), 24);
}
END_TEST

START_TEST(capabilities_are_asked_for)
{
    vbe(XRES, 640);
    vbe(YRES, 480);
    vbe(BPP, 16);
    vbe(ENABLE, CAPS);
    ck_assert_uint_eq(vbe_get(XRES), 4096);
    ck_assert_uint_eq(vbe_get(YRES), 4096);
    ck_assert_uint_eq(vbe_get(BPP), 32);
    ck_assert_uint_eq(vbe_get(MEMORY_64K), 256);
    vbe(ENABLE, 0);
    ck_assert_uint_eq(vbe_get(XRES), 640);
    ck_assert_uint_eq(vbe_get(YRES), 480);
    ck_assert_uint_eq(vbe_get(BPP), 16);
}
END_TEST

/* What was asked for, and what is there once it is on. */
typedef struct SizeRow {
    unsigned width, height, bpp;
    unsigned got_width, got_height, got_bpp, lines; /* lines: virtual height */
} SizeRow;

static const SizeRow sizes[] = {
    { 640, 480, 8, 640, 480, 8, 26214 },
    { 800, 600, 32, 800, 600, 32, 5242 },
    { 1024, 768, 15, 1024, 768, 15, 8192 },
    { 1280, 1024, 24, 1280, 1024, 24, 4369 },
    { 800, 600, 4, 800, 600, 4, 41943 },
    { 647, 480, 16, 640, 480, 16, 13107 },
    { 0, 0, 8, 8, 1, 8, 65535 },
    { 7, 1, 32, 8, 1, 32, 65535 },
    { 640, 480, 0, 640, 480, 8, 26214 },
    { 640, 480, 33, 640, 480, 8, 26214 },
    { 0xFFFF, 0xFFFF, 8, 4096, 4096, 8, 4096 },
    { 0xFFFF, 0xFFFF, 32, 4096, 1024, 32, 1024 },
    { 4104, 4097, 4, 4096, 4096, 4, 8192 },
    { 2048, 2049, 32, 2048, 2048, 32, 2048 },
};

START_TEST(sizes_are_brought_into_bounds)
{
    const SizeRow *row = &sizes[_i];

    vbe(XRES, row->width);
    vbe(YRES, row->height);
    vbe(BPP, row->bpp);
    /* As written, while it is off. */
    ck_assert_uint_eq(vbe_get(XRES), row->width);
    ck_assert_uint_eq(vbe_get(YRES), row->height);
    ck_assert_uint_eq(vbe_get(BPP), row->bpp);
    vbe(ENABLE, ON);
    ck_assert_uint_eq(vbe_get(XRES), row->got_width);
    ck_assert_uint_eq(vbe_get(YRES), row->got_height);
    ck_assert_uint_eq(vbe_get(BPP), row->got_bpp);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), row->got_width);
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), row->lines);
    ck_assert_uint_eq(vbe_get(X_OFFSET), 0);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 0);
    vbe(VIRT_HEIGHT, 1);
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), row->lines);
}
END_TEST

START_TEST(offsets_are_brought_into_bounds)
{
    vbe_mode(1024, 768, 32, KEEP); /* 4096 lines */
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), 4096);
    vbe(Y_OFFSET, 4096 - 768);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 4096 - 768);
    vbe(X_OFFSET, 1); /* one pixel more than there are */
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 0);
    ck_assert_uint_eq(vbe_get(X_OFFSET), 1);
    vbe(Y_OFFSET, 4096 - 769);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 4096 - 769);
    vbe(X_OFFSET, 0xFFFF);
    ck_assert_uint_eq(vbe_get(X_OFFSET), 16000);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 0);
    vbe(X_OFFSET, 0);
    vbe(Y_OFFSET, 0xFFFF);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 0);
    /* A picture of all memory has no room to move. */
    vbe_mode(2048, 2048, 32, KEEP);
    vbe(X_OFFSET, 8);
    ck_assert_uint_eq(vbe_get(X_OFFSET), 0);
}
END_TEST

START_TEST(virtual_width_makes_longer_lines)
{
    vbe_mode(640, 480, 8, KEEP);
    vbe(VIRT_WIDTH, 1607);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), 1600);
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), 10485);
    vbe(VIRT_WIDTH, 100);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), 640);
    vbe(VIRT_WIDTH, 0xFFFF);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), 16000);
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), 1048);
    vbe(BPP, 32); /* lines of 64000 bytes: 262 of them */
    ck_assert_uint_eq(vbe_get(VIRT_HEIGHT), 262);
    ck_assert_uint_eq(vbe_get(YRES), 262);
    /* Switched on anew, lines are as long as the picture is wide. */
    vbe_mode(640, 480, 8, KEEP);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), 640);
    /* Once more while it is on: nothing moves. */
    vbe(VIRT_WIDTH, 1600);
    vbe(Y_OFFSET, 9);
    vbe(ENABLE, ON | LINEAR);
    ck_assert_uint_eq(vbe_get(VIRT_WIDTH), 1600);
    ck_assert_uint_eq(vbe_get(Y_OFFSET), 9);
}
END_TEST

/* What is shown lies in memory, whatever is written in whatever order. */
START_TEST(nothing_shows_beyond_memory)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);
    static const unsigned depths[] = { 4, 8, 15, 16, 24, 32, 0, 77 };
    unsigned n_wrong = 0;

    for (unsigned i = 0; i < 20000; i++) {
        unsigned index = (unsigned)g_rand_int_range(rand, 0, 12);
        unsigned value = g_rand_int(rand) >> g_rand_int_range(rand, 0, 24);

        vbe(index, index == BPP ? depths[value % 8] : index == ENABLE ? value | KEEP : value);
        if ((vbe_get(ENABLE) & ON) == 0 || (vbe_get(ENABLE) & CAPS) != 0) {
            continue;
        }

        unsigned bpp = vbe_get(BPP) == 15 ? 16 : vbe_get(BPP);
        uint64_t line = vbe_get(VIRT_WIDTH) * bpp / 8;
        uint64_t first = vbe_get(X_OFFSET) * bpp / 8 + vbe_get(Y_OFFSET) * line;

        n_wrong += first + vbe_get(YRES) * line > DEV_VGA_MEMORY_LEN;
        n_wrong += vbe_get(XRES) > vbe_get(VIRT_WIDTH) || vbe_get(XRES) % 8 != 0;
        n_wrong += vbe_get(XRES) == 0 || vbe_get(YRES) == 0 || vbe_get(BANK) > 255;
        n_wrong += vbe_get(XRES) > DEV_SCREEN_MAX_WIDTH || vbe_get(YRES) > DEV_SCREEN_MAX_HEIGHT;
    }
    ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

START_TEST(switching_on_clears_what_is_shown)
{
    g_autofree uint8_t *ones = g_malloc(DEV_VGA_MEMORY_LEN);
    const uint64_t shown = 320 * 200 * 4;

    memset(ones, 0xEE, DEV_VGA_MEMORY_LEN);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(video_memory(), 0, DEV_VGA_MEMORY_LEN), MEM_OK);
    memset(video_bytes(), 0xEE, DEV_VGA_MEMORY_LEN);
    vbe_mode(320, 200, 32, KEEP);
    ck_assert_mem_eq(video_bytes(), ones, DEV_VGA_MEMORY_LEN);

    uint64_t dirty[64] = { 0 };

    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), NULL, 64), MEM_OK);
    vbe(ENABLE, ON); /* it is on already */
    ck_assert_mem_eq(video_bytes(), ones, DEV_VGA_MEMORY_LEN);
    vbe_mode(320, 200, 32, 0);
    for (uint64_t i = 0; i < shown; i += 4) {
        ck_assert_msg(video_bytes()[i] == 0, "byte %lu", (unsigned long)i);
    }
    ck_assert_mem_eq(video_bytes() + shown, ones, DEV_VGA_MEMORY_LEN - shown);
    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
    for (unsigned page = 0; page < 4096; page++) {
        unsigned want = page < (shown + 4095) / 4096;

        ck_assert_msg((dirty[page / 64] >> (page % 64) & 1) == want, "page %u", page);
    }
    /* What is clear is not written. */
    vbe_mode(320, 200, 8, 0);
    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
    for (unsigned i = 0; i < 64; i++) {
        ck_assert_uint_eq(dirty[i], 0);
    }
}
END_TEST

START_TEST(switching_on_sets_vga_registers)
{
    misc(0x67);
    gfx(5, 0x10);
    gfx(6, 0x0E);
    for (unsigned i = 0; i < 25; i++) {
        crtc(i, i == 0x11 ? 0 : 0xA5);
    }
    crtc(0x11, 0x80); /* protection is against the guest */
    vbe_mode(1024, 768, 16, KEEP);
    out8(0x3CE, 6);
    ck_assert_uint_eq(in8(0x3CF), 0x07);
    out8(0x3CE, 5);
    ck_assert_uint_eq(in8(0x3CF), 0x50);
    ck_assert_uint_eq(crtc_get(0x01), 127);
    ck_assert_uint_eq(crtc_get(0x12), 0xFF);
    ck_assert_uint_eq(crtc_get(0x07), 0xF5); /* 767: bit 9, not bit 8; line compare */
    ck_assert_uint_eq(crtc_get(0x09), 0x60);
    ck_assert_uint_eq(crtc_get(0x13), 0x00); /* 2048 / 8, of which 8 bits are kept */
    ck_assert_uint_eq(crtc_get(0x17), 0xA7);
    ck_assert_uint_eq(crtc_get(0x18), 0xFF);
    vbe(BPP, 4);
    out8(0x3CE, 5);
    ck_assert_uint_eq(in8(0x3CF), 0x10);
    ck_assert_uint_eq(crtc_get(0x13), 64);
    vbe(YRES, 257);
    ck_assert_uint_eq(crtc_get(0x12), 0x00);
    ck_assert_uint_eq(crtc_get(0x07), 0xB7);
}
END_TEST

START_TEST(banks_are_of_the_memory_there_is)
{
    vbe_mode(640, 480, 8, KEEP);
    vbe(BANK, 0xFFFF);
    ck_assert_uint_eq(vbe_get(BANK), 0xFF);
    vbe(ENABLE, ON);
    ck_assert_uint_eq(vbe_get(BANK), 0);
    vbe_mode(640, 480, 4, KEEP); /* a bank of all planes is four times as big */
    vbe(BANK, 0xFFFF);
    ck_assert_uint_eq(vbe_get(BANK), 0x3F);
    vbe(ENABLE, 0);
    ck_assert_uint_eq(vbe_get(BANK), 0);
}
END_TEST

/* ---- states of files */

static EmuStatePart parts[EMU_STATE_UNIT_MAX_PARTS];

static bool accepts(void *registers)
{
    void *states[3] = { parts[0].state, registers, parts[2].state };
    g_autoptr(GError) error = NULL;
    bool good = dev_vga_check(vga, states, &error);

    ck_assert_int_eq(error == NULL, good);
    return good;
}

/* The registers as a table names them, in a copy. */
static void set_field(uint8_t *copy, const char *name, unsigned index, unsigned value)
{
    const EmuStateDesc *desc = &parts[1].desc;

    for (unsigned i = 0; i < desc->n_fields; i++) {
        const EmuField *field = &desc->fields[i];

        if (strcmp(field->name, name) == 0) {
            ck_assert_uint_lt(index, field->n_elems);
            memcpy(copy + field->offset + index * field->elem_size, &value, field->elem_size);
            return;
        }
    }
    ck_abort_msg("no field %s", name);
}

typedef struct BadRow {
    const char *field;
    unsigned index, value;
} BadRow;

static const BadRow bad_fields[] = {
    { "misc", 0, 0x10 },
    { "feature", 0, 0x01 },
    { "seq", 0, 0x04 },
    { "seq", 4, 0x01 },
    { "gfx", 3, 0x20 },
    { "gfx", 6, 0x10 },
    { "attr", 0, 0x40 },
    { "attr", 20, 0x10 },
    { "attr_index", 0, 0x40 },
    { "dac_state", 0, 1 },
    { "dac_part", 0, 3 },
    { "vbe", ID, 0xB0C6 },
    { "vbe", ID, 0 },
    { "vbe", BANK, 0x100 },
    { "vbe", MEMORY_64K, 257 },
    { "vbe", MEMORY_64K, 255 },
    { "vbe", XRES, 8192 },
    { "vbe", XRES, 641 },
    { "vbe", XRES, 0 },
    { "vbe", YRES, 0 },
    { "vbe", YRES, 26215 },
    { "vbe", BPP, 7 },
    { "vbe", VIRT_WIDTH, 632 },
    { "vbe", VIRT_WIDTH, 0xFFF8 },
    { "vbe", VIRT_HEIGHT, 1 },
    { "vbe", X_OFFSET, 16001 },
    { "vbe", Y_OFFSET, 0xFFFF },
    { "vbe", Y_OFFSET, 26214 - 479 },
};

START_TEST(impossible_registers_are_refused)
{
    ck_assert_uint_eq(dev_vga_parts(vga, parts), 3);
    vbe_mode(640, 480, 8, 0);
    vbe(Y_OFFSET, 26214 - 480);
    ck_assert(accepts(parts[1].state));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_fields); i++) {
        const BadRow *row = &bad_fields[i];
        g_autofree uint8_t *copy = g_memdup2(parts[1].state, parts[1].desc.size);

        set_field(copy, row->field, row->index, row->value);
        ck_assert_msg(!accepts(copy), "%s %u = %#x", row->field, row->index, row->value);
    }
    /* Off, sizes may be anything. */
    g_autofree uint8_t *off = g_memdup2(parts[1].state, parts[1].desc.size);

    set_field(off, "vbe", ENABLE, 0);
    set_field(off, "vbe", XRES, 1);
    ck_assert(accepts(off));
}
END_TEST

/* What the guest can bring about is always accepted. */
START_TEST(whatever_it_does_can_be_loaded)
{
    const PortRange ranges[] = { { 0x3B0, 0x30 }, { 0x1CE, 3 }, { 0x3C0, 16 } };

    dev_vga_parts(vga, parts);
    for (unsigned i = 0; i < 300; i++) {
        fuzz_ports(ranges, G_N_ELEMENTS(ranges), i, 300);
        vbe(ENABLE, i % 3 == 0 ? ON | KEEP : 0);
        ck_assert(accepts(parts[1].state));
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("vga-vbe");
    TCase *tc = tcase_create("registers");

    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, it_says_what_it_is);
    tcase_add_test(tc, capabilities_are_asked_for);
    tcase_add_loop_test(tc, sizes_are_brought_into_bounds, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(tc, offsets_are_brought_into_bounds);
    tcase_add_test(tc, virtual_width_makes_longer_lines);
    tcase_add_loop_test(tc, nothing_shows_beyond_memory, 0, 4);
    tcase_add_test(tc, switching_on_clears_what_is_shown);
    tcase_add_test(tc, switching_on_sets_vga_registers);
    tcase_add_test(tc, banks_are_of_the_memory_there_is);
    suite_add_tcase(s, tc);

    tc = tcase_create("states");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, impossible_registers_are_refused);
    tcase_add_test(tc, whatever_it_does_can_be_loaded);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
