/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA's registers behind its ports, its PCI function and what follows its BARs, retrace, reset,
 * snapshots and saved states.
 */
#include "vga-fixture.h"

#include "emu/saved_state.h"
#include "emu/snapshot.h"

#include <glib/gstdio.h>

/* ---- groups by index and data */

typedef struct GroupRow {
    uint16_t index_port;
    uint8_t n;
    uint8_t masks[25];
} GroupRow;

#define FF5 0xFF, 0xFF, 0xFF, 0xFF, 0xFF

static const GroupRow groups[] = {
    { 0x3C4, 5, { 0x03, 0x3D, 0x0F, 0x3F, 0x0E } },
    { 0x3CE, 9, { 0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF } },
    { 0x3D4, 25, { FF5, FF5, FF5, FF5, FF5 } },
};

START_TEST(registers_keep_their_bits_and_end)
{
    const GroupRow *row = &groups[_i];

    misc(0x01);
    for (unsigned ones = 0; ones < 2; ones++) {
        for (int index = 255; index >= 0; index--) {
            /* CR17 would protect its neighbours. */
            uint8_t value = (uint8_t)(ones ? (index == 17 ? 0x7F : 0xFF) : 0);

            out8(row->index_port, (unsigned)index);
            ck_assert_uint_eq(in8(row->index_port), (unsigned)index);
            out8((uint16_t)(row->index_port + 1), value);
        }
        for (unsigned index = 0; index < 256; index++) {
            unsigned want = index < row->n && ones ? row->masks[index] : 0;

            if (row->n == 25 && index == 17) {
                want &= 0x7F;
            }
            out8(row->index_port, index);
            ck_assert_uint_eq(in8((uint16_t)(row->index_port + 1)), want);
        }
    }
}
END_TEST

START_TEST(a_word_is_index_and_data)
{
    emu_ports_write(ports, 0x3C4, 2, 0x0A02);
    ck_assert_uint_eq(in8(0x3C4), 2);
    ck_assert_uint_eq(in8(0x3C5), 0x0A);
    ck_assert_uint_eq(emu_ports_read(ports, 0x3C4, 2), 0x0A02);
}
END_TEST

START_TEST(cr11_protects_cr0_to_cr7)
{
    misc(0x01);
    for (unsigned i = 0; i < 25; i++) {
        crtc(i, 0x2A);
    }
    crtc(0x11, 0xAA);
    for (unsigned i = 0; i < 25; i++) {
        if (i != 0x11) {
            crtc(i, 0x55);
        }
    }
    for (unsigned i = 0; i < 25; i++) {
        /* Of CR7, bit 4 alone. */
        unsigned want = i < 7 ? 0x2A : i == 7 ? 0x3A : i == 0x11 ? 0xAA : 0x55;

        ck_assert_uint_eq(crtc_get(i), want);
    }
    crtc(7, 0xEF);
    ck_assert_uint_eq(crtc_get(7), 0x2A);
    crtc(0x11, 0x2A);
    crtc(0, 0x77);
    ck_assert_uint_eq(crtc_get(0), 0x77);
}
END_TEST

START_TEST(the_crtc_answers_at_3b4_or_3d4)
{
    misc(0x00);
    out8(0x3B4, 3);
    out8(0x3B5, 0x12);
    ck_assert_uint_eq(in8(0x3B5), 0x12);
    ck_assert_uint_eq(in8(0x3D4), 0xFF);
    ck_assert_uint_eq(in8(0x3D5), 0xFF);
    ck_assert_uint_eq(in8(0x3DA), 0xFF);
    ck_assert_uint_ne(in8(0x3BA), 0xFF);
    out8(0x3D5, 0x34); /* lost */
    out8(0x3DA, 0x10);
    ck_assert_uint_eq(in8(0x3CA), 0);
    out8(0x3BA, 0xFF);
    ck_assert_uint_eq(in8(0x3CA), 0x10);
    misc(0x01);
    ck_assert_uint_eq(in8(0x3D4), 3);
    ck_assert_uint_eq(in8(0x3D5), 0x12);
    ck_assert_uint_eq(in8(0x3B4), 0xFF);
    ck_assert_uint_eq(in8(0x3BA), 0xFF);
    out8(0x3BA, 0);
    ck_assert_uint_eq(in8(0x3CA), 0x10);
    out8(0x3DA, 0);
    ck_assert_uint_eq(in8(0x3CA), 0);
}
END_TEST

START_TEST(misc_is_written_at_3c2_and_read_at_3cc)
{
    misc(0xFF);
    ck_assert_uint_eq(in8(0x3CC), 0xEF);
    ck_assert_uint_eq(in8(0x3C2), 0); /* input status 0 */
    out8(0x3CC, 0);
    ck_assert_uint_eq(in8(0x3CC), 0xEF);
}
END_TEST

/* ---- attribute controller */

static void attr(unsigned index, unsigned value)
{
    (void)in8(0x3DA);
    out8(0x3C0, index);
    out8(0x3C0, value);
}

START_TEST(attributes_take_index_and_data_in_turn)
{
    misc(0x01);
    for (unsigned i = 0; i < 32; i++) {
        attr(i, 0xFF);
    }
    for (unsigned i = 0; i < 32; i++) {
        static const uint8_t above[] = { 0xEF, 0xFF, 0x3F, 0x0F, 0x0F };
        unsigned want = i < 16 ? 0x3F : i < 21 ? above[i - 16] : 0;

        (void)in8(0x3DA);
        out8(0x3C0, i);
        ck_assert_uint_eq(in8(0x3C1), want);
        ck_assert_uint_eq(in8(0x3C0), i);
    }
    /* The data's turn is over once status was read. */
    (void)in8(0x3DA);
    out8(0x3C0, 0x21);
    (void)in8(0x3DA);
    out8(0x3C0, 0xC2);
    ck_assert_uint_eq(in8(0x3C0), 0x02);
    out8(0x3C0, 0x15);
    ck_assert_uint_eq(in8(0x3C1), 0x15);
    out8(0x3C0, 0x03); /* an index again */
    ck_assert_uint_eq(in8(0x3C0), 0x03);
    /* The port that is not there now does not end it. */
    (void)in8(0x3BA);
    out8(0x3C0, 0x07);
    ck_assert_uint_eq(in8(0x3C1), 0x07);
}
END_TEST

/* ---- palette */

START_TEST(the_palette_goes_by_three)
{
    out8(0x3C8, 254);
    ck_assert_uint_eq(in8(0x3C7), 0);
    for (unsigned i = 0; i < 9; i++) {
        out8(0x3C9, 0xC0 | (i + 1));
        ck_assert_uint_eq(in8(0x3C8), (254 + (i + 1) / 3) & 0xFF);
    }
    out8(0x3C9, 0x3F); /* half an entry: nothing is set */
    out8(0x3C7, 254);
    ck_assert_uint_eq(in8(0x3C7), 3);
    for (unsigned i = 0; i < 9; i++) {
        ck_assert_uint_eq(in8(0x3C9), i + 1); /* six bits; from 255 on to 0 */
    }
    ck_assert_uint_eq(in8(0x3C9), 0);
    out8(0x3C6, 0x5A);
    ck_assert_uint_eq(in8(0x3C6), 0x5A);
}
END_TEST

START_TEST(vbe_widens_the_palette)
{
    vbe(ENABLE, DAC8);
    out8(0x3C8, 7);
    out8(0x3C9, 0xFF);
    out8(0x3C9, 0x80);
    out8(0x3C9, 0x7F);
    out8(0x3C7, 7);
    ck_assert_uint_eq(in8(0x3C9), 0xFF);
    ck_assert_uint_eq(in8(0x3C9), 0x80);
    ck_assert_uint_eq(in8(0x3C9), 0x7F);
    vbe(ENABLE, 0);
    out8(0x3C8, 7);
    out8(0x3C9, 0xFF);
    out8(0x3C9, 0xFF);
    out8(0x3C9, 0xFF);
    out8(0x3C7, 7);
    ck_assert_uint_eq(in8(0x3C9), 0x3F);
}
END_TEST

/* ---- retrace */

/* Registers 0 to 0x18 of the standard modes, as far as timing is concerned. */
typedef struct TimingRow {
    const char *name;
    uint8_t misc, clocking;
    uint8_t cr0, cr1, cr6, cr7, cr10, cr11, cr12;
    unsigned frames; /* in ten seconds */
} TimingRow;

static const TimingRow timings[] = {
    { "text 80x25", 0x67, 0x00, 0x5F, 0x4F, 0xBF, 0x1F, 0x9C, 0x0E, 0x8F, 701 },
    { "text 40x25", 0x67, 0x08, 0x2D, 0x27, 0xBF, 0x1F, 0x9C, 0x0E, 0x8F, 701 },
    { "320x200", 0x63, 0x01, 0x5F, 0x4F, 0xBF, 0x1F, 0x9C, 0x0E, 0x8F, 701 },
    { "640x480", 0xE3, 0x01, 0x5F, 0x4F, 0x0B, 0x3E, 0xEA, 0x0C, 0xDF, 599 },
    /* What no monitor follows is as 640x480. */
    { "all zero", 0x63, 0x01, 0, 0, 0, 0, 0, 0, 0, 599 },
    { "all ones", 0x63, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 599 },
    { "retrace beyond the frame", 0x63, 0x01, 0x5F, 0x4F, 0xBF, 0x1F, 0xFE, 0x0E, 0x8F, 599 },
    { "much too slow", 0x63, 0x08, 0xFF, 0x4F, 0xFF, 0x21, 0x9C, 0x0E, 0x8F, 599 },
    { "much too fast", 0x67, 0x00, 0x10, 0x0F, 0x40, 0x00, 0x30, 0x02, 0x20, 599 },
};

static void program_timing(const TimingRow *row)
{
    misc(row->misc);
    seq(1, row->clocking);
    crtc(0x11, 0);
    crtc(0, row->cr0);
    crtc(1, row->cr1);
    crtc(6, row->cr6);
    crtc(7, row->cr7);
    crtc(0x10, row->cr10);
    crtc(0x12, row->cr12);
    crtc(0x11, row->cr11);
}

static void wait_ns(uint64_t ns)
{
    emu_clock_advance_to(emu_clock, emu_clock_now(emu_clock) + ns);
}

START_TEST(frames_follow_the_programmed_timing)
{
    const TimingRow *row = &timings[_i];
    unsigned n_frames = 0, n_retrace = 0, n_blank = 0, n_reads = 0, n_wrong = 0;
    bool was = false;

    program_timing(row);
    for (uint64_t start = emu_clock_now(emu_clock);
         emu_clock_now(emu_clock) < start + 10 * EMU_NS_PER_SECOND; wait_ns(9973)) {
        uint8_t status = in8(0x3DA);
        bool retrace = (status & 8) != 0;

        n_reads++;
        n_frames += retrace && !was;
        n_retrace += retrace;
        n_blank += status & 1;
        n_wrong += (retrace && (status & 1) == 0) || (status & ~9u) != 0;
        was = retrace;
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_msg(n_frames >= row->frames - 1 && n_frames <= row->frames + 1, "%s: %u frames",
                  row->name, n_frames);
    /* Two lines of 449 or 525; about a quarter is not displayed. */
    ck_assert_uint_ge(n_retrace, n_reads / 600);
    ck_assert_uint_le(n_retrace, n_reads / 200);
    ck_assert_uint_ge(n_blank, n_reads / 5);
    ck_assert_uint_le(n_blank, n_reads / 2);
}
END_TEST

/* Whatever is programmed, one who waits for a retrace, and then for its end, sees both within two
 * of the slowest frames. */
START_TEST(there_is_always_a_retrace)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (unsigned round = 0; round < 300; round++) {
        unsigned seen = 0;

        misc(g_rand_int(rand) | 1);
        seq(1, g_rand_int(rand));
        crtc(0x11, 0);
        for (unsigned i = 0; i < 25; i++) {
            crtc(i == 0x11 ? 0 : i, g_rand_int(rand));
        }
        crtc(0x11, g_rand_int(rand) & 0x7F);
        vbe(ENABLE, g_rand_int_range(rand, 0, 4) == 0 ? ON | KEEP : 0);
        for (unsigned i = 0; i < 20000 && seen != 0xF; i++, wait_ns(10007)) {
            uint8_t status = in8(0x3DA);

            seen |= 1u << (status >> 3 & 1) | 4u << (status & 1);
        }
        ck_assert_msg(seen == 0xF, "round %u: only %#x was seen", round, seen);
    }
}
END_TEST

START_TEST(vbe_modes_have_sixty_frames)
{
    unsigned n_frames = 0;
    bool was = false;

    program_timing(&timings[0]);
    vbe_mode(1024, 768, 32, KEEP);
    for (unsigned i = 0; i < 1000000; i++, wait_ns(10000)) {
        bool retrace = (in8(0x3DA) & 8) != 0;

        n_frames += retrace && !was;
        was = retrace;
    }
    ck_assert_uint_ge(n_frames, 598);
    ck_assert_uint_le(n_frames, 600);
}
END_TEST

/* ---- PCI */

static const ConfigRow config_rows[] = {
    { 0x00, 0x11111234, 0x11111234 }, { 0x04, 0x00000000, 0x00000107 },
    { 0x08, 0x03000002, 0x03000002 }, { 0x10, 0x00000008, 0xFF000008 },
    { 0x18, 0x00000000, 0xFFFFF000 }, { 0x2C, 0x11001AF4, 0x11001AF4 },
    { 0x3C, 0x00000000, 0x000000FF },
};

START_TEST(the_configuration_map)
{
    check_config_map(VGA, config_rows, G_N_ELEMENTS(config_rows));
    /* Sized with decoding on: nothing was put there. */
    check_lies(0xFF000000, NULL);
    check_lies(0xFFFFF000, NULL);
}
END_TEST

START_TEST(bars_follow_their_registers)
{
    check_lies(LFB, NULL);
    config_write(VGA, 0x10, 4, (uint32_t)LFB);
    config_write(VGA, 0x18, 4, (uint32_t)REGISTERS);
    check_lies(LFB, NULL);
    config_write(VGA, 4, 1, 1); /* ports: no */
    check_lies(LFB, NULL);
    config_write(VGA, 4, 1, 2);
    check_lies(LFB, "VGA memory");
    check_lies(LFB + DEV_VGA_MEMORY_LEN - 1, "VGA memory");
    check_lies(LFB + DEV_VGA_MEMORY_LEN, NULL);
    check_lies(REGISTERS, "VGA registers");
    check_lies(REGISTERS + 0x1000, NULL);
    number_pages();
    ck_assert_uint_eq(read32(LFB + 0xFFF000), 0xFFF);
    config_write(VGA, 0x13, 1, 0xD0); /* a byte of the register is enough */
    check_lies(LFB, NULL);
    ck_assert_uint_eq(read32(0xD0FFF000), 0xFFF);
    config_write(VGA, 4, 1, 0);
    check_lies(0xD0000000, NULL);
    check_lies(REGISTERS, NULL);
}
END_TEST

START_TEST(bars_stay_away_where_something_lies)
{
    place_bars(LFB, REGISTERS);
    config_write(VGA, 0x18, 4, 0x200000); /* RAM */
    check_lies(0x200000, "high");
    check_lies(REGISTERS, NULL);
    config_write(VGA, 0x18, 4, 0xA0000); /* the window */
    check_lies(0xA0000, "VGA window");
    config_write(VGA, 0x18, 4, (uint32_t)LFB + 0x5000);
    check_lies(LFB + 0x5000, "VGA memory");
    config_write(VGA, 0x10, 4, 0x00000000);
    check_lies(0, "low");
    /* Now there is room. */
    check_lies(LFB + 0x5000, "VGA registers");
    config_write(VGA, 0x10, 4, 0x01000000); /* all of it over RAM */
    check_lies(0x01000000, "high");
    config_write(VGA, 0x10, 4, 0x03000000); /* right behind it */
    check_lies(0x02FFFFFF, "high");
    check_lies(0x03000000, "VGA memory");
    config_write(VGA, 0x10, 4, (uint32_t)LFB);
    check_lies(LFB, NULL);
    check_lies(LFB + 0x5000, "VGA registers");
    config_write(VGA, 0x18, 4, 0);
    check_lies(LFB + 0x5000, "VGA memory");
}
END_TEST

/* A sizing write shows nothing, and what was written through the BAR before comes along. */
START_TEST(the_bar_moves_while_somebody_draws)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    g_autofree uint8_t *want = g_malloc0(DEV_VGA_MEMORY_LEN);
    GPhys at = LFB;
    unsigned n_wrong = 0;

    place_bars(LFB, REGISTERS);
    set_chained();
    vbe_mode(800, 600, 32, 0);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t offset = (uint32_t)g_rand_int_range(rand, 0, DEV_VGA_MEMORY_LEN - 4);
        uint32_t value = g_rand_int(rand);

        n_wrong += pgm_write_u32_as(pgm, at + offset, value, MEM_ORIGIN_CPU) != MEM_OK;
        memcpy(want + offset, &value, 4);
        n_wrong += pgm_write_u8(pgm, WINDOW + offset % 0x10000, (uint8_t)value) != MEM_OK;
        want[offset % 0x10000] = (uint8_t)value;
        if (i % 50 == 0) {
            config_write(VGA, 0x10, 4, 0xFFFFFFFF);
            ck_assert_uint_eq(read32(at), 0xFFFFFFFF);
            ck_assert_uint_eq(config_read(VGA, 0x10, 4), 0xFF000008);
            at = (GPhys)g_rand_int_range(rand, 0x10, 0xE0) << 24;
            config_write(VGA, 0x10, 4, (uint32_t)at);
            ck_assert(is_alias(WINDOW));
        }
    }
    ck_assert_uint_eq(n_wrong, 0);
    ck_assert_mem_eq(video_bytes(), want, DEV_VGA_MEMORY_LEN);
}
END_TEST

START_TEST(bar_2_shows_the_registers)
{
    place_bars(LFB, REGISTERS);
    ck_assert_int_eq(pgm_write_u16(pgm, REGISTERS + 0x404, 0x0A02), MEM_OK);
    ck_assert_uint_eq(in8(0x3C5), 0x0A);
    ck_assert_uint_eq(pgm_read_u16(pgm, REGISTERS + 0x404), 0x0A02);
    write8(REGISTERS + 0x402, 0x01);
    ck_assert_uint_eq(in8(0x3CC), 0x01);
    ck_assert_uint_eq(read8(REGISTERS + 0x40C), 0x01);
    out8(0x3D4, 0x0C);
    ck_assert_uint_eq(read8(REGISTERS + 0x414), 0x0C);
    ck_assert_uint_eq(read8(REGISTERS + 0x420), 0);
    ck_assert_uint_eq(pgm_read_u16(pgm, REGISTERS + 0x500), 0xB0C5);
    ck_assert_int_eq(pgm_write_u16(pgm, REGISTERS + 0x502, 0x1234), MEM_OK);
    ck_assert_uint_eq(vbe_get(XRES), 0x1234);
    write8(REGISTERS + 0x503, 0x56);
    ck_assert_uint_eq(vbe_get(XRES), 0x5634);
    write8(REGISTERS + 0x502, 0x78);
    ck_assert_uint_eq(vbe_get(XRES), 0x5678);
    ck_assert_uint_eq(read8(REGISTERS + 0x503), 0x56);
    ck_assert_uint_eq(pgm_read_u16(pgm, REGISTERS + 0x514), 256);
    ck_assert_uint_eq(pgm_read_u16(pgm, REGISTERS + 0x516), 0);
    ck_assert_uint_eq(read32(REGISTERS + 0x600), 8);
    ck_assert_uint_eq(read32(REGISTERS + 0x604), 0x1E1E1E1E);
    ck_assert_uint_eq(read32(REGISTERS), 0);
    for (unsigned at = 0; at < 0x1000; at += 2) {
        ck_assert_int_eq(pgm_write_u16(pgm, REGISTERS + at, 0xFFFF), MEM_OK);
    }
}
END_TEST

/* ---- reset */

START_TEST(reset_brings_back_what_power_on_gave)
{
    place_bars(LFB, REGISTERS);
    vbe_mode(640, 480, 8, 0);
    set_chained();
    number_pages();
    out8(0x3C8, 0);
    out8(0x3C9, 0x20);
    ck_assert_int_eq(emu_machine_reset(machine), MEM_OK);
    check_lies(LFB, NULL);
    check_lies(REGISTERS, NULL);
    check_pages(WINDOW, 0, 0);
    ck_assert_uint_eq(in8(0x3CC), 0);
    ck_assert_uint_eq(vbe_get(ENABLE), 0);
    ck_assert_uint_eq(vbe_get(XRES), 0);
    for (uint64_t at = 0; at < DEV_VGA_MEMORY_LEN; at += MEM_PAGE_SIZE) {
        ck_assert_uint_eq(video_bytes()[at] | video_bytes()[at + 1], 0);
    }
}
END_TEST

/* ---- states */

typedef struct Look {
    uint8_t ports[5];
    uint32_t at_lfb, at_window, in_memory;
    bool alias;
} Look;

static Look look(void)
{
    Look seen = { .at_lfb = read32(LFB + 0x80000),
                  .at_window = read32(WINDOW + 0x1000),
                  .alias = is_alias(WINDOW + 0x1000) };

    memcpy(&seen.in_memory, video_bytes() + 0x123000, 4);
    out8(0x3C4, 2);
    seen.ports[0] = in8(0x3C5);
    seen.ports[1] = in8(0x3CC);
    seen.ports[2] = (uint8_t)vbe_get(BANK);
    seen.ports[3] = (uint8_t)(vbe_get(XRES) >> 3);
    return seen;
}

static void check_same(Look a, Look b)
{
    ck_assert_mem_eq(a.ports, b.ports, sizeof a.ports);
    ck_assert_uint_eq(a.at_lfb, b.at_lfb);
    ck_assert_uint_eq(a.at_window, b.at_window);
    ck_assert_uint_eq(a.in_memory, b.in_memory);
    ck_assert_int_eq(a.alias, b.alias);
}

static void open_smram(bool open)
{
    config_write(DEV_PCI_DEVFN(0, 0), 0x72, 1, open ? 0x4A : 0x0A);
}

/* The states the machine goes between. */
static void enter(unsigned which)
{
    switch (which) {
    case 0: /* banks of a VBE mode */
        place_bars(LFB, REGISTERS);
        set_chained();
        vbe_mode(640, 480, 8, KEEP);
        vbe(BANK, 0x12);
        break;
    case 1: /* text, BARs away */
        vbe(ENABLE, 0);
        set_text();
        config_write(VGA, 4, 1, 0);
        break;
    case 2: /* another bank, BAR elsewhere */
        place_bars(0xC0000000, REGISTERS);
        set_chained();
        vbe_mode(320, 200, 16, KEEP);
        vbe(BANK, 0x22);
        break;
    default: /* under SMRAM */
        place_bars(LFB, REGISTERS);
        set_chained();
        vbe_mode(800, 600, 8, KEEP);
        open_smram(true);
        break;
    }
}

static void check_entered(unsigned which)
{
    if (which == 1) {
        check_pages(WINDOW, 0, 0);
    } else if (which == 3) {
        check_lies(WINDOW, "SMRAM");
    } else {
        check_pages(WINDOW, 0x10000, which == 0 ? 0x120 : 0x220);
    }
}

/* From each state into each other, drawing in between, and back. */
START_TEST(snapshots_bring_window_and_bars_back)
{
    unsigned from = (unsigned)_i / 4;
    unsigned to = (unsigned)_i % 4;

    number_pages();
    enter(from);

    Look before = look();
    EmuSnapshot *snapshot = emu_snapshot_take(machine, "there", true, NULL);

    ck_assert_ptr_nonnull(snapshot);
    open_smram(false);
    enter(to);
    for (unsigned i = 0; i < 0x10000; i += 0x800) {
        write8(WINDOW + i, 0x77);
    }
    ck_assert_int_eq(pgm_mmio2_mark_dirty(video_memory(), 0x123000, 4), MEM_OK);
    memset(video_bytes() + 0x123000, 0x99, 4);

    g_autofree uint64_t *dirty = g_new0(uint64_t, 64);

    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
    emu_snapshot_restore(snapshot);
    /* Whoever draws learns of the bytes that came back. */
    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
    ck_assert_uint_ne(dirty[0x123 / 64] >> (0x123 % 64) & 1, 0);
    check_same(look(), before);
    /* And it goes on from there. */
    open_smram(false);
    enter(to);
    check_entered(to);
    open_smram(false);
    enter(0);
    check_pages(WINDOW, 0x10000, 0x120);
    emu_snapshot_drop(snapshot);
}
END_TEST

/* The chip does not take pages that came back for those it showed last. */
START_TEST(pages_that_came_back_go_again)
{
    number_pages();
    set_chained();

    EmuSnapshot *snapshot = emu_snapshot_take(machine, "pages", true, NULL);

    seq(4, 0x06);
    check_pages(WINDOW, 0, 0);
    emu_snapshot_restore(snapshot);
    check_pages(WINDOW, 0x10000, 0);
    seq(4, 0x06);
    check_pages(WINDOW, 0, 0);
    emu_snapshot_drop(snapshot);
}
END_TEST

static void save_to(const char *path)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(emu_save(machine, path, NULL, &error), "%s", error->message);
}

static bool load_from(const char *path, GError **error)
{
    MemStateReader *reader = mem_state_reader_new(path, error);
    bool good = reader != NULL && emu_restore(machine, reader, NULL, error);

    mem_state_reader_free(reader);
    return good;
}

START_TEST(saved_states_bring_window_and_bars_back)
{
    unsigned from = (unsigned)_i / 4;
    unsigned to = (unsigned)_i % 4;
    g_autofree char *dir = g_dir_make_tmp("quire-vga-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    g_autoptr(GError) error = NULL;

    number_pages();
    enter(from);

    Look before = look();

    save_to(path);
    open_smram(false);
    enter(to);
    ck_assert_int_eq(pgm_mmio2_mark_dirty(video_memory(), 0x123000, 4), MEM_OK);
    memset(video_bytes() + 0x123000, 0x99, 4);
    ck_assert_msg(load_from(path, &error), "%s", error != NULL ? error->message : "no message");
    check_same(look(), before);
    open_smram(false);
    enter(to);
    check_entered(to);

    /* Into a machine that never was there. */
    emu_machine_free(machine);
    vga_setup();
    ck_assert_msg(load_from(path, &error), "%s", error != NULL ? error->message : "no message");
    check_same(look(), before);
    open_smram(false);
    enter(0);
    check_pages(WINDOW, 0x10000, 0x120);
    g_unlink(path);
    g_rmdir(dir);
}
END_TEST

START_TEST(it_needs_its_ports_and_its_place)
{
    DevVgaConfig no_rom = { .rom = "no ROM", .rom_len = 6, .name = "letters" };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(dev_vga_new(bus, DEV_PCI_DEVFN(3, 0), pgm, ports, emu_clock, NULL, &error));
    ck_assert_ptr_nonnull(error);
    dev_vga_free(vga);
    g_clear_error(&error);
    vga = dev_vga_new(bus, VGA, pgm, ports, emu_clock, &no_rom, &error);
    ck_assert_ptr_null(vga);
    ck_assert_ptr_nonnull(strstr(error->message, "letters"));
    g_clear_error(&error);
    unsigned taken =
        emu_ports_add(ports, 0x3C5, 1, &(const EmuPortOps) { .sizes = 1 }, NULL, "somebody", NULL);
    vga = dev_vga_new(bus, VGA, pgm, ports, emu_clock, NULL, &error);
    ck_assert_ptr_null(vga);
    ck_assert_ptr_nonnull(strstr(error->message, "somebody"));
    emu_ports_remove(ports, taken);
    vga = dev_vga_new(bus, VGA, pgm, ports, emu_clock, NULL, NULL);
    ck_assert_ptr_nonnull(vga);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("vga");
    TCase *tc = tcase_create("registers");

    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_add_loop_test(tc, registers_keep_their_bits_and_end, 0, G_N_ELEMENTS(groups));
    tcase_add_test(tc, a_word_is_index_and_data);
    tcase_add_test(tc, cr11_protects_cr0_to_cr7);
    tcase_add_test(tc, the_crtc_answers_at_3b4_or_3d4);
    tcase_add_test(tc, misc_is_written_at_3c2_and_read_at_3cc);
    tcase_add_test(tc, attributes_take_index_and_data_in_turn);
    tcase_add_test(tc, the_palette_goes_by_three);
    tcase_add_test(tc, vbe_widens_the_palette);
    suite_add_tcase(s, tc);

    tc = tcase_create("retrace");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, frames_follow_the_programmed_timing, 0, G_N_ELEMENTS(timings));
    tcase_add_test(tc, there_is_always_a_retrace);
    tcase_add_test(tc, vbe_modes_have_sixty_frames);
    suite_add_tcase(s, tc);

    tc = tcase_create("pci");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_configuration_map);
    tcase_add_test(tc, bars_follow_their_registers);
    tcase_add_test(tc, bars_stay_away_where_something_lies);
    tcase_add_test(tc, the_bar_moves_while_somebody_draws);
    tcase_add_test(tc, bar_2_shows_the_registers);
    suite_add_tcase(s, tc);

    tc = tcase_create("states");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reset_brings_back_what_power_on_gave);
    tcase_add_loop_test(tc, snapshots_bring_window_and_bars_back, 0, 16);
    tcase_add_test(tc, pages_that_came_back_go_again);
    tcase_add_loop_test(tc, saved_states_bring_window_and_bars_back, 0, 16);
    tcase_add_test(tc, it_needs_its_ports_and_its_place);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
