/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy window: each way to read and write planes against a model that goes bit by bit, pages
 * of video memory in the window as registers change, and SMRAM in its place.
 */
#include "vga-fixture.h"

#include "memsys/snapshot.h"

/* ---- the model: planes apart, a bit at a time, from what was written to the registers */

typedef struct Model {
    uint8_t misc;
    uint8_t seq[5];
    uint8_t gfx[9];
    uint8_t latch[4];
    bool vbe_bytes; /* VBE is on with 8 bits a pixel or more */
    unsigned bank;
    uint8_t *memory;
} Model;

static Model model;

static unsigned bit_of(unsigned value, unsigned at)
{
    return value >> at & 1;
}

/* -1: nothing answers there. */
static int64_t model_address(uint32_t offset)
{
    static const uint32_t ends[4][2] = {
        { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x18000 }, { 0x18000, 0x20000 }
    };
    unsigned map = model.gfx[6] / 4 % 4;

    if (bit_of(model.misc, 1) == 0 || offset < ends[map][0] || offset >= ends[map][1]) {
        return -1;
    }
    return (int64_t)(offset - ends[map][0]) + (map == 1 ? model.bank * 0x10000 : 0);
}

static bool model_chained(void)
{
    return model.vbe_bytes || bit_of(model.seq[4], 3) != 0;
}

static unsigned model_mask(void)
{
    return model.vbe_bytes ? 15 : model.seq[2];
}

/* Plane and place of it that an address means; with odd and even one address means two planes. */
static bool model_means(int64_t address, unsigned plane, uint64_t *ret_at)
{
    bool odd_even = bit_of(model.gfx[5], 4) != 0;

    *ret_at = (uint64_t)(odd_even ? address / 2 : address) * 4 + plane;
    return (!odd_even || plane % 2 == (unsigned)(address % 2)) && *ret_at < DEV_VGA_MEMORY_LEN;
}

static unsigned model_bit(uint8_t byte, unsigned plane, unsigned bit)
{
    unsigned mode = model.gfx[5] & 3;
    unsigned latch = bit_of(model.latch[plane], bit);
    unsigned turned = bit_of(byte, (bit + (model.gfx[3] & 7)) % 8);
    unsigned set = bit_of(model.gfx[0], plane);
    unsigned in = mode == 2                     ? bit_of(byte, plane)
                  : mode == 3                   ? set
                  : bit_of(model.gfx[1], plane) ? set
                                                : turned;
    bool through = bit_of(model.gfx[8], bit) != 0 && (mode != 3 || turned != 0);

    if (mode == 1 || !through) {
        return latch;
    }
    switch (model.gfx[3] / 8) {
    case 0:
        return in;
    case 1:
        return in & latch;
    case 2:
        return in | latch;
    default:
        return in ^ latch;
    }
}

static void model_write(uint32_t offset, uint8_t byte)
{
    int64_t address = model_address(offset);

    if (address < 0) {
        return;
    }
    if (model_chained()) {
        if (bit_of(model_mask(), (unsigned)(address % 4)) != 0) {
            model.memory[address] = byte;
        }
        return;
    }
    for (unsigned plane = 0; plane < 4; plane++) {
        uint64_t at;

        if (model_means(address, plane, &at) && bit_of(model_mask(), plane) != 0) {
            model.memory[at] = 0;
            for (unsigned bit = 0; bit < 8; bit++) {
                model.memory[at] |= (uint8_t)(model_bit(byte, plane, bit) << bit);
            }
        }
    }
}

static uint8_t model_read(uint32_t offset)
{
    int64_t address = model_address(offset);
    bool odd_even = bit_of(model.gfx[5], 4) != 0;
    uint8_t value = 0;

    if (address < 0) {
        return 0xFF;
    }
    if (model_chained()) {
        return model.memory[address];
    }
    if ((odd_even ? address / 2 : address) * 4 >= (int64_t)DEV_VGA_MEMORY_LEN) {
        return 0xFF;
    }
    for (unsigned plane = 0; plane < 4; plane++) {
        model.latch[plane] = model.memory[(odd_even ? address / 2 : address) * 4 + plane];
    }
    if (bit_of(model.gfx[5], 3) == 0) {
        unsigned plane = odd_even ? (model.gfx[4] & 2) + (unsigned)(address % 2) : model.gfx[4];

        return model.latch[plane];
    }
    for (unsigned bit = 0; bit < 8; bit++) {
        bool equal = true;

        for (unsigned plane = 0; plane < 4; plane++) {
            equal &= bit_of(model.gfx[7], plane) == 0 ||
                     bit_of(model.latch[plane], bit) == bit_of(model.gfx[2], plane);
        }
        value |= (uint8_t)(equal << bit);
    }
    return value;
}

/* ---- registers of both */

static void set_misc(uint8_t value)
{
    misc(value);
    model.misc = value & 0xEF;
}

static void set_seq(unsigned index, uint8_t value)
{
    static const uint8_t masks[5] = { 0x03, 0x3D, 0x0F, 0x3F, 0x0E };

    seq(index, value);
    model.seq[index] = value & masks[index];
}

static void set_gfx(unsigned index, uint8_t value)
{
    static const uint8_t masks[9] = { 0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF };

    gfx(index, value);
    model.gfx[index] = value & masks[index];
}

static void set_vbe(bool on, unsigned bpp)
{
    vbe_mode(64, 64, bpp, KEEP);
    if (on) {
        model.gfx[6] = (uint8_t)((model.gfx[6] & 3) | 5);
        model.gfx[5] = (uint8_t)((model.gfx[5] & 0x9F) | (bpp == 4 ? 0 : 0x40));
    } else {
        /* The registers stay as they were set for the mode. */
        set_vbe(true, bpp);
        vbe(ENABLE, 0);
    }
    model.vbe_bytes = on && bpp != 4;
    model.bank = 0;
}

static void set_bank(unsigned bank)
{
    vbe(BANK, bank);
    model.bank = vbe_get(BANK);
}

/* ---- comparing */

static GRand *prng;

static unsigned roll(unsigned n)
{
    return (unsigned)g_rand_int_range(prng, 0, (gint32)n);
}

static void change_something(void)
{
    static const unsigned depths[] = { 4, 8, 15, 16, 24, 32 };

    switch (roll(12)) {
    case 0:
        set_misc((uint8_t)(g_rand_int(prng) | (roll(4) != 0 ? 2 : 0)));
        break;
    case 1:
    case 2:
        set_seq(roll(4) == 0 ? 4 : 2, (uint8_t)(roll(3) == 0 ? 0x0F : g_rand_int(prng)));
        break;
    case 3:
        set_seq(4, (uint8_t)(roll(4) == 0 ? 0x0E : 0x06));
        break;
    case 4:
        set_bank(roll(3) == 0 ? g_rand_int(prng) : roll(0x48));
        break;
    case 5:
        if (roll(4) == 0) {
            set_vbe(roll(3) == 0, depths[roll(6)]);
        }
        break;
    default:
        set_gfx(roll(9), (uint8_t)g_rand_int(prng));
        break;
    }
}

/* Near both ends of what each map shows, so that latches, reads and writes meet. */
static uint32_t pick_offset(unsigned size)
{
    static const uint32_t starts[] = { 0, 0xFF00, 0x10000, 0x17F00, 0x18000, 0x1FF00 };
    uint32_t at = starts[roll(6)] + roll(roll(2) == 0 ? 16 : 0x100);

    return MIN(at, (uint32_t)WINDOW_LEN - size);
}

/* One access of 1 to 8 bytes, on the chip and byte by byte in the model. */
static bool access_is_right(void)
{
    unsigned size = 1u << roll(4);
    uint32_t offset = pick_offset(size);
    uint64_t value = g_rand_int(prng) * UINT64_C(0x100000001), want = 0, got = 0;

    if (roll(2) == 0) {
        if (pgm_bus_write(pgm, WINDOW + offset, size, value, MEM_ORIGIN_CPU) != MEM_OK) {
            return false;
        }
        for (unsigned i = 0; i < size; i++) {
            model_write(offset + i, (uint8_t)(value >> (8 * i)));
        }
        return true;
    }
    for (unsigned i = 0; i < size; i++) {
        want |= (uint64_t)model_read(offset + i) << (8 * i);
    }
    return pgm_bus_read(pgm, WINDOW + offset, size, MEM_ORIGIN_CPU, &got) == MEM_OK && got == want;
}

static void window_setup(void)
{
    vga_setup();
    model = (Model) { .memory = g_malloc0(DEV_VGA_MEMORY_LEN) };
}

static void window_teardown(void)
{
    g_free(model.memory);
    vga_teardown();
}

START_TEST(all_ways_to_reach_planes)
{
    prng = g_rand_new_with_seed((guint32)_i);
    set_misc(0x63);
    set_seq(2, 0x0F);
    for (unsigned i = 0; i < 30000; i++) {
        if (i % 4 == 0) {
            change_something();
        }
        if (!access_is_right()) {
            ck_abort_msg("access %u is wrong: GR5 %#x, SR4 %#x", i, model.gfx[5], model.seq[4]);
        }
    }
    ck_assert_mem_eq(video_bytes(), model.memory, DEV_VGA_MEMORY_LEN);
    g_rand_free(prng);
}
END_TEST

/* Each write mode, logical operation and rotation with each other, in plain planar addressing. */
START_TEST(write_modes_one_by_one)
{
    prng = g_rand_new_with_seed(17);
    set_misc(0x63);
    set_gfx(6, 0x05);
    for (unsigned i = 0; i < 4 * 32 * 16; i++) {
        uint32_t offset = roll(64);

        set_gfx(5, (uint8_t)(i & 3));
        set_gfx(3, (uint8_t)(i >> 2 & 0x1F));
        set_seq(2, (uint8_t)(i >> 7));
        set_gfx(0, (uint8_t)roll(16));
        set_gfx(1, (uint8_t)roll(16));
        set_gfx(8, (uint8_t)roll(256));
        uint32_t latched = roll(64);

        if (read8(WINDOW + latched) != model_read(latched)) {
            ck_abort_msg("latches of round %u", i);
        }
        write8(WINDOW + offset, (uint8_t)i);
        model_write(offset, (uint8_t)i);
    }
    ck_assert_mem_eq(video_bytes(), model.memory, 64 * 4);
    g_rand_free(prng);
}
END_TEST

START_TEST(text_keeps_characters_and_attributes_apart)
{
    static const char text[] = "H\x1F"
                               "i\x2F";

    set_text();
    ck_assert_int_eq(pgm_write(pgm, 0xB8000, text, 4, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_mem_eq(video_bytes(), "H\x1F\0\0i\x2F\0\0", 8);
    ck_assert_uint_eq(read32(0xB8000), 0x2F691F48);
    ck_assert_uint_eq(read32(0xA0000), 0xFFFFFFFF);
    ck_assert_uint_eq(read32(0xB0000), 0xFFFFFFFF);
    /* The font lies in plane 2, written plainly. */
    seq(2, 0x04);
    seq(4, 0x06);
    gfx(5, 0x00);
    gfx(6, 0x04);
    gfx(4, 0x02);
    write8(0xA0000, 0x81);
    write8(0xA0001, 0x42);
    ck_assert_mem_eq(video_bytes(), "H\x1F\x81\0i\x2F\x42\0", 8);
    ck_assert_uint_eq(read8(0xA0001), 0x42);
}
END_TEST

/* ---- pages in the window */

START_TEST(linear_modes_show_pages)
{
    number_pages();
    check_pages(WINDOW, 0, 0);
    set_chained();
    check_pages(WINDOW, 0x10000, 0);
    gfx(6, 0x01);
    check_pages(WINDOW, 0x20000, 0);
    gfx(6, 0x09);
    check_pages(0xB0000, 0x8000, 0);
    gfx(6, 0x0D);
    check_pages(0xB8000, 0x8000, 0);
    seq(2, 0x07); /* a plane less: byte by byte */
    check_pages(WINDOW, 0, 0);
    ck_assert_uint_eq(read32(0xB9000), 1);
    seq(2, 0x0F);
    check_pages(0xB8000, 0x8000, 0);
    misc(0x61);
    check_pages(WINDOW, 0, 0);
    ck_assert_uint_eq(read32(0xB9000), 0xFFFFFFFF);
    misc(0x63);
    check_pages(0xB8000, 0x8000, 0);
    seq(4, 0x06);
    check_pages(WINDOW, 0, 0);
}
END_TEST

START_TEST(banks_switch_pages)
{
    number_pages();
    set_planar(); /* VBE needs no chain bit */
    vbe_mode(640, 480, 8, KEEP);
    check_pages(WINDOW, 0x10000, 0);
    for (unsigned bank = 0; bank < 0x100; bank += 15) {
        vbe(BANK, bank);
        check_pages(WINDOW, 0x10000, bank * 16);
        ck_assert_int_eq(pgm_write_u32_as(pgm, WINDOW + 0x4000, bank * 16 + 4, MEM_ORIGIN_CPU),
                         MEM_OK);
    }
    for (unsigned bank = 0; bank < 0x100; bank += 15) {
        ck_assert_mem_eq(video_bytes() + bank * 0x10000 + 0x4000, &(uint32_t) { bank * 16 + 4 }, 4);
    }
    vbe(BANK, 0x1FF); /* of 256 */
    check_pages(WINDOW, 0x10000, 0xFF0);
    gfx(6, 0x01); /* no banks in the long window */
    check_pages(WINDOW, 0x20000, 0);
    vbe(ENABLE, 0);
    check_pages(WINDOW, 0, 0);
}
END_TEST

/* Through the window, with all that keeps addresses on its way. */
START_TEST(pages_in_the_window_are_the_bar_s)
{
    place_bars(LFB, REGISTERS);
    set_chained();
    for (uint32_t i = 0; i < 0x10000; i += 0x400) {
        ck_assert_int_eq(pgm_write_u32_as(pgm, WINDOW + i, i, MEM_ORIGIN_CPU), MEM_OK);
        ck_assert_uint_eq(read32(LFB + i), i);
    }
    config_write(VGA, 4, 1, 0); /* the BAR goes, the pages stay */
    ck_assert(is_alias(WINDOW));
    ck_assert_uint_eq(read32(WINDOW + 0x400), 0x400);
    place_bars(0xC0000000, REGISTERS);
    ck_assert(is_alias(WINDOW));
    write8(0xC0000400, 0x99);
    ck_assert_uint_eq(read32(WINDOW + 0x400), 0x499);
}
END_TEST

/* A write finds its page dirty, whichever way it came. */
START_TEST(writes_mark_their_pages)
{
    uint64_t dirty[64];

    place_bars(LFB, REGISTERS);
    for (unsigned way = 0; way < 4; way++) {
        static const GPhys where[4] = { WINDOW + 0x5000, 0xB8000 + 0x2800, WINDOW + 0x1400,
                                        LFB + 0x5000 };

        if (way == 0) {
            set_chained();
        } else if (way == 1) {
            set_text();
        } else {
            set_planar();
        }
        ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), NULL, 64), MEM_OK);
        write8(where[way], (uint8_t)(way + 1));
        ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
        for (unsigned i = 0; i < 64; i++) {
            ck_assert_uint_eq(dirty[i], i == 0 ? 1 << 5 : 0);
        }
    }
    /* Nothing is written through an empty mask, outside, or beyond the end. */
    set_planar();
    seq(2, 0);
    write8(WINDOW, 1);
    seq(2, 0x0F);
    write8(0xB0000, 1);
    vbe(BANK, 0x7F);
    write8(WINDOW, 1);
    ck_assert_uint_eq(read8(WINDOW), 0xFF);
    vbe(BANK, 0x40); /* the first byte that is not there */
    write8(WINDOW, 1);
    ck_assert_uint_eq(read8(WINDOW), 0xFF);
    vbe(BANK, 0x3F);
    ck_assert_uint_eq(read8(WINDOW), 0);
    ck_assert_int_eq(pgm_mmio2_query_dirty(video_memory(), dirty, 64), MEM_OK);
    for (unsigned i = 0; i < 64; i++) {
        ck_assert_uint_eq(dirty[i], 0);
    }
    write8(WINDOW + 0xFFFF, 1);
    ck_assert_uint_eq(video_bytes()[DEV_VGA_MEMORY_LEN - 1], 1);
}
END_TEST

/* A write that a snapshot has no room for does not happen. */
START_TEST(a_full_snapshot_refuses_planes)
{
    set_planar();
    write8(WINDOW, 0x11);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 0), MEM_OK);

    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);

    ck_assert_ptr_nonnull(snapshot);
    ck_assert_int_eq(pgm_write_u8_as(pgm, WINDOW, 0x22, MEM_ORIGIN_CPU), MEM_ERR_BUS_ERROR);
    ck_assert_uint_eq(read8(WINDOW), 0x11);
    pgm_snapshot_drop(snapshot);
    write8(WINDOW, 0x22);
    ck_assert_uint_eq(read8(WINDOW), 0x22);
}
END_TEST

/* ---- SMRAM */

static void write_smram(uint8_t value)
{
    config_write(DEV_PCI_DEVFN(0, 0), 0x72, 1, value);
}

START_TEST(smram_takes_the_window_and_gives_it_back)
{
    number_pages();
    set_chained();
    write_smram(0x4A); /* open */
    check_lies(WINDOW, "SMRAM");
    ck_assert_uint_eq(read32(WINDOW), 0);
    write8(WINDOW + 0x1000, 0x55);
    ck_assert_uint_eq(video_bytes()[0x1000], 1);
    /* Registers change meanwhile. */
    vbe_mode(640, 480, 8, KEEP);
    vbe(BANK, 3);
    check_lies(WINDOW, "SMRAM");
    write_smram(0x0A); /* closed */
    check_lies(WINDOW + 0x10000, "VGA window");
    check_pages(WINDOW, 0x10000, 0x30);
    write_smram(0x4A);
    ck_assert_uint_eq(read8(WINDOW + 0x1000), 0x55);
    ck_assert_int_eq(emu_machine_reset(machine), MEM_OK);
    check_lies(WINDOW, "VGA window");
}
END_TEST

START_TEST(whoever_comes_later_hears_of_smram)
{
    Wire wire = { 0 };

    write_smram(0x4A);
    dev_i440fx_set_smram_line(bridge, wire_line(&wire));
    ck_assert(wire.level);
    write_smram(0x0A);
    ck_assert(!wire.level);
}
END_TEST

START_TEST(smram_locks_itself_away)
{
    set_text();
    write_smram(0x4A);
    write_smram(0x5A); /* the lock closes it */
    check_lies(WINDOW, "VGA window");
    write8(0xB8000, 'x');
    ck_assert_uint_eq(video_bytes()[0], 'x');
}
END_TEST

/* Registers, banks, SMRAM and BARs at random; window and BAR are what they say at every step. */
START_TEST(the_window_is_what_registers_say)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);
    bool smram = false;

    number_pages();
    set_chained();
    for (unsigned i = 0; i < 400; i++) {
        switch (g_rand_int_range(rand, 0, 8)) {
        case 0:
            smram = !smram;
            write_smram(smram ? 0x4A : 0x0A);
            break;
        case 1:
            place_bars((GPhys)g_rand_int_range(rand, 0, 256) << 24,
                       (GPhys)g_rand_int_range(rand, 0, 1 << 20) << 12);
            break;
        case 2:
            vbe_mode(64, 64, g_rand_boolean(rand) ? 4 : 32, KEEP);
            break;
        case 3:
            vbe(ENABLE, 0);
            break;
        case 4:
            vbe(BANK, g_rand_int(rand));
            break;
        case 5:
            seq(g_rand_boolean(rand) ? 2 : 4, g_rand_int(rand) | 0x0A);
            break;
        case 6:
            gfx(6, g_rand_int(rand));
            break;
        default:
            misc(g_rand_int(rand) | 1);
            break;
        }

        static const struct {
            GPhys start;
            uint64_t len;
        } maps[4] = {
            { 0xA0000, 0x20000 }, { 0xA0000, 0x10000 }, { 0xB0000, 0x8000 }, { 0xB8000, 0x8000 }
        };
        unsigned enable = vbe_get(ENABLE), bpp = vbe_get(BPP), bank = vbe_get(BANK);
        bool bytes = (enable & ON) != 0 && bpp != 4;

        out8(0x3C4, 2);
        unsigned mask = in8(0x3C5);
        out8(0x3C4, 4);
        bool chained = bytes || ((in8(0x3C5) & 8) != 0 && mask == 15);
        out8(0x3CE, 6);
        unsigned map = in8(0x3CF) >> 2 & 3;
        bool shown = !smram && chained && (in8(0x3CC) & 2) != 0;

        check_pages(maps[map].start, shown ? maps[map].len : 0, map == 1 ? bank * 16 : 0);
        check_lies(WINDOW, smram ? "SMRAM" : "VGA window");
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("vga-window");
    TCase *tc = tcase_create("planes");

    tcase_add_checked_fixture(tc, window_setup, window_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, all_ways_to_reach_planes, 0, 12);
    tcase_add_test(tc, write_modes_one_by_one);
    tcase_add_test(tc, text_keeps_characters_and_attributes_apart);
    suite_add_tcase(s, tc);

    tc = tcase_create("pages");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, linear_modes_show_pages);
    tcase_add_test(tc, banks_switch_pages);
    tcase_add_test(tc, pages_in_the_window_are_the_bar_s);
    tcase_add_test(tc, writes_mark_their_pages);
    tcase_add_test(tc, a_full_snapshot_refuses_planes);
    tcase_add_loop_test(tc, the_window_is_what_registers_say, 0, 4);
    suite_add_tcase(s, tc);

    tc = tcase_create("smram");
    tcase_add_checked_fixture(tc, vga_setup, vga_teardown);
    tcase_add_test(tc, smram_takes_the_window_and_gives_it_back);
    tcase_add_test(tc, whoever_comes_later_hears_of_smram);
    tcase_add_test(tc, smram_locks_itself_away);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
