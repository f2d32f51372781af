/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that draws at random, through the legacy window in any mode and through BAR 0 wherever it
 * lies, while modes, registers and BARs change, the host writes too and snapshots come and go.
 * After each batch:
 *
 *   - the pages that pgm_mmio2_query_dirty() names are exactly those that were drawn on: a set kept
 *     here, from what each write means by the registers of that moment;
 *   - the picture that updates made is the one that a drawing from scratch makes.
 *
 * QUIRE_SEED=N repeats a run, QUIRE_ITERATIONS=N (batches) makes it longer.
 */
#include "devices/vga-chip-internal.h"
#include "devices/vga-draw.h"
#include "emu/snapshot.h"
#include "tests/unit/vga-fixture.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_SEED UINT64_C(20261122)
#define DEFAULT_ITERATIONS UINT64_C(1000)
#define N_PAGES (DEV_VGA_MEMORY_LEN / MEM_PAGE_SIZE)
#define N_WORDS (N_PAGES / 64)
#define MAX_BULK 9000u

typedef struct Pages {
    uint64_t words[N_WORDS];
} Pages;

typedef enum Op {
    WRITE_FRAME,
    WRITE_WINDOW,
    WRITE_HOST,
    SET_MODE,
    SET_VBE,
    TWEAK_REGISTER,
    TWEAK_COLOUR,
    MOVE_BAR,
    SNAPSHOT,
    RESTORE,
    RESET,
    N_OPS
} Op;

/* How often, of the sum. */
static const unsigned weights[N_OPS] = {
    [WRITE_FRAME] = 30, [WRITE_WINDOW] = 60,   [WRITE_HOST] = 10,  [SET_MODE] = 6,
    [SET_VBE] = 3,      [TWEAK_REGISTER] = 12, [TWEAK_COLOUR] = 2, [MOVE_BAR] = 4,
    [SNAPSHOT] = 3,     [RESTORE] = 3,         [RESET] = 1
};

static GRand *rng;
static Pages drawn;          /* since the last query */
static Pages since_snapshot; /* since it was taken or restored */
static EmuSnapshot *snapshot;
static uint8_t *before; /* DEV_VGA_MEMORY_LEN bytes, for operations that clear memory */
static uint64_t n_ops[N_OPS];
static uint64_t n_kinds[VGA_LAYOUT_VBE + 1];
static uint64_t n_drawn; /* pages */
static uint64_t n_partial;

static unsigned below(unsigned n)
{
    return (unsigned)g_rand_int_range(rng, 0, (gint32)n);
}

/* ---- the naive set */

static void note(uint64_t offset, uint64_t len)
{
    for (uint64_t page = offset >> MEM_PAGE_SHIFT; page <= (offset + len - 1) >> MEM_PAGE_SHIFT;
         page++) {
        drawn.words[page / 64] |= UINT64_C(1) << (page % 64);
        since_snapshot.words[page / 64] |= UINT64_C(1) << (page % 64);
    }
}

/* Where a byte written at @offset of the window goes; false: nowhere. A write into planes touches
 * the four bytes of its cell. */
static bool window_means(const VgaRegs *regs, unsigned offset, uint64_t *ret_at)
{
    static const unsigned first[] = { 0, 0, 0x10000, 0x18000 };
    static const unsigned end[] = { 0x20000, 0x10000, 0x18000, 0x20000 };
    unsigned map = regs->gfx[6] >> 2 & 3;
    bool vbe_bytes = (regs->vbe[VBE_ENABLE] & VBE_ENABLED) != 0 && regs->vbe[VBE_BPP] != 4;
    unsigned mask = vbe_bytes ? 15 : regs->seq[2] & 15;

    if ((regs->misc & 2) == 0 || offset < first[map] || offset >= end[map]) {
        return false;
    }
    uint64_t at = offset - first[map] + (map == 1 ? (uint64_t)regs->vbe[VBE_BANK] * 0x10000 : 0);

    if (vbe_bytes || (regs->seq[4] & 8) != 0) {
        *ret_at = at;
        return (mask >> (at % 4) & 1) != 0;
    }
    if ((regs->gfx[5] & 0x10) != 0) {
        mask &= at % 2 == 0 ? 5 : 10;
        at /= 2;
    }
    *ret_at = at * 4;
    return mask != 0 && *ret_at < DEV_VGA_MEMORY_LEN;
}

/* Chip operations that clear memory write pages that are not clear yet, and no others. */
static void begin_clearing(void)
{
    memcpy(before, video_bytes(), DEV_VGA_MEMORY_LEN);
}

static void end_clearing(void)
{
    for (uint64_t at = 0; at < DEV_VGA_MEMORY_LEN; at += MEM_PAGE_SIZE) {
        if (memcmp(before + at, video_bytes() + at, MEM_PAGE_SIZE) != 0) {
            note(at, 1);
        }
    }
}

/* ---- operations */

/* Mostly what is shown. */
static uint32_t random_offset(uint32_t len)
{
    static const uint32_t areas[] = { 0x4000, 0x40000, 0x400000, (uint32_t)DEV_VGA_MEMORY_LEN };

    return (uint32_t)below(areas[below(G_N_ELEMENTS(areas))] - len);
}

static void write_frame(void)
{
    GPhys base = pgm_mmio2_address(video_memory());
    uint8_t bytes[MAX_BULK];
    uint32_t len = below(4) == 0 ? 1 + below(MAX_BULK) : 1u << below(4);
    uint32_t at = random_offset(len);

    if (base == MEM_GPHYS_NIL) {
        return;
    }
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)g_rand_int(rng);
    }
    if (pgm_write(pgm, base + at, bytes, len, MEM_ORIGIN_CPU) != MEM_OK) {
        ck_abort_msg("no write of %u bytes at %#x of BAR 0", len, at);
    }
    note(at, len);
}

static void write_window(void)
{
    unsigned n = 1 + below(16);
    unsigned at = below(2) == 0 ? below(WINDOW_LEN - n) : 0x18000 + below(0x2000);

    for (unsigned i = 0; i < n; i++) {
        const VgaRegs *regs = &vga->regs;
        uint64_t means;

        if (window_means(regs, at + i, &means)) {
            note(means, 1);
        }
        if (below(4) == 0) {
            (void)read8(WINDOW + at + i);
        }
        write8(WINDOW + at + i, (uint8_t)g_rand_int(rng));
    }
}

static void write_host(void)
{
    uint32_t at = random_offset(8);

    if (pgm_mmio2_mark_dirty(video_memory(), at, 8) != MEM_OK) {
        ck_abort_msg("%#x does not become dirty", at);
    }
    for (unsigned i = 0; i < 8; i++) {
        video_bytes()[at + i] = (uint8_t)g_rand_int(rng);
    }
    note(at, 8);
}

static void set_attribute(unsigned index, unsigned value)
{
    (void)in8((uint16_t)(crtc_port() + 6));
    out8(0x3C0, index);
    out8(0x3C0, value);
    out8(0x3C0, 0x20);
}

/* What the video BIOS has for the mode, as far as pictures are concerned. */
static void set_mode(void)
{
    static const struct {
        uint8_t misc, seq1, seq2, seq4, gfx5, gfx6, clocks, scan, offset, mode;
    } modes[] = {
        { 0x67, 0x00, 0x03, 0x02, 0x10, 0x0E, 79, 0x4F, 40, 0xA3 }, /* text, 80 columns */
        { 0x67, 0x08, 0x03, 0x02, 0x10, 0x0E, 39, 0x4F, 20, 0xA3 },
        { 0x63, 0x01, 0x0F, 0x0E, 0x40, 0x05, 79, 0x41, 40, 0xA3 }, /* mode 13h */
        { 0xE3, 0x01, 0x0F, 0x06, 0x40, 0x05, 79, 0x41, 40, 0xE3 }, /* unchained */
        { 0xE3, 0x01, 0x0F, 0x06, 0x00, 0x05, 79, 0x40, 40, 0xE3 }, /* 16 colours */
        { 0x63, 0x09, 0x0F, 0x06, 0x00, 0x05, 39, 0xC0, 20, 0xE3 },
        { 0x63, 0x09, 0x03, 0x02, 0x30, 0x0F, 39, 0xC1, 20, 0xA2 }, /* 4 colours */
        { 0x63, 0x01, 0x01, 0x06, 0x00, 0x0D, 79, 0xC1, 40, 0xC2 }, /* 2 colours */
    };
    unsigned i = below(G_N_ELEMENTS(modes));

    vbe(ENABLE, 0);
    misc(modes[i].misc);
    seq(1, modes[i].seq1);
    seq(2, modes[i].seq2);
    seq(3, below(4) == 0 ? below(64) : 0);
    seq(4, modes[i].seq4);
    gfx(5, modes[i].gfx5);
    gfx(6, modes[i].gfx6);
    gfx(8, 0xFF);
    crtc(17, 0);
    crtc(1, modes[i].clocks);
    crtc(7, 0x12);
    crtc(9, modes[i].scan);
    crtc(10, 13);
    crtc(11, 14);
    crtc(12, 0);
    crtc(13, 0);
    crtc(18, 0x8F);
    crtc(19, modes[i].offset);
    crtc(23, modes[i].mode);
    crtc(24, below(4) == 0 ? below(256) : 0xFF);
    out8(0x3C6, 0xFF);
    for (unsigned index = 0; index < 16; index++) {
        set_attribute(index, index);
    }
    set_attribute(16, below(16));
    set_attribute(18, 15);
}

static void set_random_vbe(void)
{
    static const uint8_t depths[] = { 4, 8, 15, 16, 24, 32 };
    unsigned width = 8 * (1 + below(130));

    begin_clearing();
    vbe_mode(width, 1 + below(800), depths[below(G_N_ELEMENTS(depths))],
             (below(2) == 0 ? KEEP : 0) | (below(3) == 0 ? DAC8 : 0));
    end_clearing();
    vbe(VIRT_WIDTH, below(3) == 0 ? width + 8 * below(100) : width);
    if (below(2) == 0) {
        vbe(X_OFFSET, below(64));
        vbe(Y_OFFSET, below(2000));
    }
    vbe(BANK, below(VGA_BANKS));
    (void)in8((uint16_t)(crtc_port() + 6));
    out8(0x3C0, 0x20);
}

static void tweak_register(void)
{
    unsigned value = g_rand_int(rng) & 0xFF;

    switch (below(8)) {
    case 0:
        seq(1 + below(4), value);
        break;
    case 1:
        gfx(below(9), value);
        break;
    case 2:
        set_attribute(below(21), value);
        break;
    case 3:
        crtc(10 + below(6), value); /* start address and cursor */
        break;
    case 4:
        crtc(10 + below(2), below(32));
        crtc(14, below(8));
        crtc(15, value);
        break;
    case 5:
        crtc(17, 0);
        crtc(below(25), value);
        break;
    case 6:
        (void)in8((uint16_t)(crtc_port() + 6));
        out8(0x3C0, below(4) == 0 ? 0 : 0x20);
        break;
    default:
        vbe(5 + below(5), below(1000)); /* bank, virtual width, offsets */
        break;
    }
}

static void tweak_colour(void)
{
    if (below(4) == 0) {
        out8(0x3C6, g_rand_int(rng) & 0xFF);
    }
    out8(0x3C8, below(256));
    for (unsigned i = 0; i < 3; i++) {
        out8(0x3C9, below(256));
    }
}

static void move_bar(void)
{
    static const GPhys places[] = { 0, LFB, LFB + 0x1000000, 0xC0000000, 0x200000 /* RAM */ };

    place_bars(places[below(G_N_ELEMENTS(places))], REGISTERS);
    if (below(4) == 0) {
        config_write(VGA, 4, 2, 0);
    }
}

static void take_snapshot(void)
{
    g_autoptr(GError) error = NULL;

    emu_snapshot_drop(snapshot);
    snapshot = emu_snapshot_take(machine, "model", false, &error);
    ck_assert_msg(snapshot != NULL, "%s", error != NULL ? error->message : "no message");
    memset(&since_snapshot, 0, sizeof(since_snapshot));
}

/* What is put back is written to whoever asks. */
static void restore_snapshot(void)
{
    if (snapshot == NULL) {
        return;
    }
    emu_snapshot_restore(snapshot);
    for (unsigned i = 0; i < N_WORDS; i++) {
        drawn.words[i] |= since_snapshot.words[i];
    }
    memset(&since_snapshot, 0, sizeof(since_snapshot));
}

static void reset_chip(void)
{
    begin_clearing();
    dev_vga_reset(vga);
    end_clearing();
}

static void (*const functions[N_OPS])(void) = {
    [WRITE_FRAME] = write_frame,   [WRITE_WINDOW] = write_window, [WRITE_HOST] = write_host,
    [SET_MODE] = set_mode,         [SET_VBE] = set_random_vbe,    [TWEAK_REGISTER] = tweak_register,
    [TWEAK_COLOUR] = tweak_colour, [MOVE_BAR] = move_bar,         [SNAPSHOT] = take_snapshot,
    [RESTORE] = restore_snapshot,  [RESET] = reset_chip,
};

static void random_op(void)
{
    unsigned sum = 0;

    for (unsigned op = 0; op < N_OPS; op++) {
        sum += weights[op];
    }
    unsigned at = below(sum);
    unsigned op = 0;

    while (at >= weights[op]) {
        at -= weights[op++];
    }
    functions[op]();
    n_ops[op]++;
}

/* ---- checks */

static void check_dirty(uint64_t batch)
{
    Pages dirty;

    if (pgm_mmio2_query_dirty(video_memory(), dirty.words, N_WORDS) != MEM_OK) {
        ck_abort_msg("no answer");
    }
    for (uint64_t page = 0; page < N_PAGES; page++) {
        bool is = (dirty.words[page / 64] >> (page % 64) & 1) != 0;
        bool should = (drawn.words[page / 64] >> (page % 64) & 1) != 0;

        if (is != should) {
            ck_abort_msg("batch %" PRIu64 ": page %" PRIu64 " is %s and was %s", batch, page,
                         is ? "dirty" : "clean", should ? "drawn on" : "not drawn on");
        }
        n_drawn += is ? 1 : 0;
        /* The screen asks next, and shall hear the same. */
        if (is && pgm_mmio2_mark_dirty(video_memory(), page * MEM_PAGE_SIZE, 1) != MEM_OK) {
            ck_abort_msg("page %" PRIu64 " does not become dirty again", page);
        }
        if (is) { /* to a snapshot that is one more write */
            since_snapshot.words[page / 64] |= UINT64_C(1) << (page % 64);
        }
    }
}

static void check_picture_of(uint64_t batch)
{
    DevScreen *screen = dev_vga_screen(vga);
    DevScreenStats stats;
    DevScreenStats stats_before;
    DevPicture picture;
    VgaLayout layout;

    dev_screen_get_stats(screen, &stats_before);
    dev_screen_update(screen, NULL);
    memset(&drawn, 0, sizeof(drawn));
    dev_screen_get_stats(screen, &stats);
    n_partial += stats.full == stats_before.full && stats.rows_drawn != stats_before.rows_drawn;
    dev_screen_get_picture(screen, &picture);
    vga_layout_get(&vga->regs, &layout);
    n_kinds[layout.kind]++;
    ck_assert_uint_eq(picture.width, layout.width);
    ck_assert_uint_eq(picture.height, layout.height);

    size_t n = (size_t)layout.width * layout.height;
    g_autofree uint32_t *fresh = g_new(uint32_t, n);

    vga_draw_all(&vga->view, fresh);
    for (size_t i = 0; i < n; i++) {
        if (fresh[i] != picture.pixels[i]) {
            ck_abort_msg("batch %" PRIu64 ": pixel %zu, %zu of %ux%u (kind %u) is %06x, not %06x",
                         batch, i % layout.width, i / layout.width, layout.width, layout.height,
                         layout.kind, picture.pixels[i], fresh[i]);
        }
    }
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = g_getenv(name);

    return text != NULL ? g_ascii_strtoull(text, NULL, 0) : otherwise;
}

START_TEST(random_drawing_is_seen_whole_and_nothing_else)
{
    uint64_t seed = number_from_environment("QUIRE_SEED", DEFAULT_SEED);
    uint64_t iterations = number_from_environment("QUIRE_ITERATIONS", DEFAULT_ITERATIONS);
    uint64_t n = 0;

    printf("vga: seed %" PRIu64 ", %" PRIu64 " batches\n", seed, iterations);
    fflush(stdout);
    rng = g_rand_new_with_seed((guint32)seed);
    before = g_malloc(DEV_VGA_MEMORY_LEN);
    place_bars(LFB, REGISTERS);
    set_mode();
    check_dirty(0); /* the chip is new: nothing was drawn */
    for (uint64_t batch = 1; batch <= iterations; batch++) {
        unsigned n_here = 1 + below(12);

        for (unsigned i = 0; i < n_here; i++) {
            random_op();
        }
        n += n_here;
        check_dirty(batch);
        if (below(4) != 0) { /* else pages wait for the next update */
            check_picture_of(batch);
        }
    }
    printf("vga: %" PRIu64 " operations, %" PRIu64 " dirty pages, %" PRIu64 " partial updates\n", n,
           n_drawn, n_partial);
    for (unsigned i = 0; iterations >= DEFAULT_ITERATIONS && i < N_OPS; i++) {
        ck_assert_msg(n_ops[i] > 0, "operation %u never came", i);
    }
    for (unsigned i = 0; iterations >= DEFAULT_ITERATIONS && i <= VGA_LAYOUT_VBE; i++) {
        ck_assert_msg(n_kinds[i] > 0, "layout %u never came", i);
    }
    ck_assert(iterations < DEFAULT_ITERATIONS || n_partial > iterations / 20);
    emu_snapshot_drop(snapshot);
    g_free(before);
    g_rand_free(rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vga model");
    TCase *tcase = tcase_create("vga model");

    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, vga_setup, vga_teardown);
    tcase_add_test(tcase, random_drawing_is_seen_whole_and_nothing_else);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
