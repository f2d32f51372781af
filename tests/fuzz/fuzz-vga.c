/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA beside a host bridge, without a CPU: registers at random through ports and BAR 2, memory
 * through the legacy window and BAR 0, BARs that move, SMRAM over the window, a screen that is
 * looked at, snapshots, states with damage.
 *
 * Input: records of 8 bytes, see run_record().
 *
 * Checked: what VBE shows lies in video memory; BARs lie where their registers say or nowhere; the
 * window shows the pages that the registers name, and linear accesses reach the bytes they should;
 * an update leaves the picture that drawing everything makes; memory is sound after each input.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/i440fx.h"
#include "devices/vga-chip-internal.h"
#include "emu/clock-internal.h"
#include "emu/ports-internal.h"
#include "memsys/access.h"
#include "memsys/snapshot.h"

#define VGA DEV_PCI_DEVFN(2, 0)
#define RECORD_LEN 8
#define LOOKS_MAX 2
#define VERIFY_EVERY 4          /* inputs, by the sum of their bytes */
#define PIXELS_MAX (720u * 480) /* of a picture that is not big */
#define N_UNITS 2
#define STATE_PARTS (N_UNITS * EMU_STATE_UNIT_MAX_PARTS)

/* All of a machine's state but its memory: the fields of each part, one after the other. */
typedef struct State {
    GByteArray *parts[STATE_PARTS];
    PgmSnapshot *memory;
} State;

typedef struct Board {
    Pgm *pgm;
    EmuPorts *ports;
    EmuClock *clock;
    DevPciBus *bus;
    DevI440fx *bridge;
    DevVga *vga;
    EmuStatePart parts[STATE_PARTS];
    unsigned n_parts;
    unsigned vga_first; /* of its parts */
    State power_on;
    State kept; /* memory NULL: none */
    bool torn;  /* a state of a file came without its memory */
    unsigned n_looks;
} Board;

static Gmm *gmm;
static Board board; /* made once; every input begins with its power-on state */

/* ---- states */

static void state_take(State *state)
{
    for (unsigned i = 0; i < board.n_parts; i++) {
        state->parts[i] = g_byte_array_new();
        emu_state_save(&board.parts[i].desc, board.parts[i].state, state->parts[i]);
    }
    state->memory = pgm_snapshot_take(board.pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);
    fuzz_check(state->memory != NULL, "no snapshot");
}

static void state_clear(State *state)
{
    for (unsigned i = 0; i < board.n_parts; i++) {
        g_byte_array_unref(state->parts[i]);
    }
    pgm_snapshot_drop(state->memory);
    *state = (State) { 0 };
}

/* As a file is loaded: all is checked beside the machine first. Returns: whether it was taken. */
static bool parts_load(GByteArray *const *bytes)
{
    void *copies[STATE_PARTS] = { NULL };
    g_autoptr(GError) error = NULL;
    bool good = true;

    for (unsigned i = 0; i < board.n_parts; i++) {
        const EmuStatePart *part = &board.parts[i];
        size_t pos = 0;

        copies[i] = g_memdup2(part->state, part->desc.size);
        if (part->ready != NULL) {
            part->ready(copies[i]);
        }
        good = good &&
               emu_state_load(&part->desc, copies[i], bytes[i]->data, bytes[i]->len, &pos, NULL);
    }
    good = good && dev_vga_check(board.vga, copies + board.vga_first, &error);
    for (unsigned i = 0; i < board.n_parts; i++) {
        const EmuStatePart *part = &board.parts[i];

        for (unsigned k = 0; good && k < part->desc.n_fields; k++) {
            const EmuField *field = &part->desc.fields[k];

            memcpy((uint8_t *)part->state + field->offset, (uint8_t *)copies[i] + field->offset,
                   (size_t)field->elem_size * field->n_elems);
        }
        g_free(copies[i]);
    }
    if (good) {
        dev_i440fx_loaded(board.bridge);
        dev_vga_loaded(board.vga);
    }
    return good;
}

static void state_restore(const State *state)
{
    pgm_snapshot_restore(state->memory);
    fuzz_check(parts_load(state->parts), "its own state is refused");
    board.torn = false;
}

/* The state as it is with some bytes changed, without the memory that belongs to it. */
static void load_damaged(FuzzInput *input)
{
    GByteArray *bytes[STATE_PARTS];
    unsigned part = board.vga_first + fuzz_u8(input) % (board.n_parts - board.vga_first);

    for (unsigned i = 0; i < board.n_parts; i++) {
        bytes[i] = g_byte_array_new();
        emu_state_save(&board.parts[i].desc, board.parts[i].state, bytes[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        unsigned at = fuzz_u16(input) % bytes[part]->len;

        bytes[part]->data[at] = fuzz_u8(input);
    }
    board.torn |= parts_load(bytes);
    for (unsigned i = 0; i < board.n_parts; i++) {
        g_byte_array_unref(bytes[i]);
    }
}

/* ---- the board */

static void board_new(void)
{
    static uint8_t rom[512] = { 0x55, 0xAA, 1,    [24] = 0x20, [0x20] = 'P', 'C',          'I',
                                'R',  0x34, 0x12, 0x11,        0x11,         [0x35] = 0x80 };
    const DevVgaConfig config = { .rom = rom, .rom_len = sizeof rom };

    board.pgm = pgm_new(gmm, NULL, NULL);
    fuzz_check(pgm_ram_register(board.pgm, 0, 0xA0000, "low", NULL) == MEM_OK &&
                   pgm_ram_register(board.pgm, 0x100000, 0x300000, "high", NULL) == MEM_OK,
               "no RAM");
    board.ports = emu_ports_new();
    board.clock = emu_clock_new();
    board.bus = dev_pci_bus_new(board.ports, NULL);
    board.bridge = dev_i440fx_new(board.bus, board.pgm, NULL);
    board.vga = dev_vga_new(board.bus, VGA, board.pgm, board.ports, board.clock, &config, NULL);
    fuzz_check(board.vga != NULL, "no VGA");
    dev_i440fx_set_smram_line(board.bridge, dev_vga_pin_window_taken(board.vga));
    board.vga_first = dev_i440fx_parts(board.bridge, board.parts);
    board.n_parts = board.vga_first + dev_vga_parts(board.vga, board.parts + board.vga_first);
    state_take(&board.power_on);
}

static void board_free(void)
{
    state_clear(&board.power_on);
    dev_vga_free(board.vga);
    dev_i440fx_free(board.bridge);
    dev_pci_bus_free(board.bus);
    emu_clock_free(board.clock);
    emu_ports_free(board.ports);
    pgm_free(board.pgm);
    gmm_free(gmm);
}

/* ---- what must hold */

static void check_vbe(void)
{
    const uint16_t *vbe = board.vga->regs.vbe;
    uint64_t bits = vbe[VBE_BPP] == 15 ? 16 : vbe[VBE_BPP];
    uint64_t line = vbe[VBE_VIRT_WIDTH] * bits / 8;
    uint64_t first = vbe[VBE_X_OFFSET] * bits / 8 + vbe[VBE_Y_OFFSET] * line;

    fuzz_check(vbe[VBE_BANK] < VGA_BANKS, "bank %#x", vbe[VBE_BANK]);
    if ((vbe[VBE_ENABLE] & VBE_ENABLED) != 0) {
        fuzz_check(vbe[VBE_XRES] <= vbe[VBE_VIRT_WIDTH] &&
                       first + vbe[VBE_YRES] * line <= DEV_VGA_MEMORY_LEN,
                   "%u lines of %lu bytes from %#lx", vbe[VBE_YRES], (unsigned long)line,
                   (unsigned long)first);
    }
}

static void check_bar(GPhys now, unsigned reg, uint64_t len)
{
    GPhys wanted = dev_pci_get(&board.vga->pci, reg, 4) & ~(len - 1);
    bool on = (dev_pci_get(&board.vga->pci, DEV_PCI_COMMAND, 2) & 2) != 0;

    fuzz_check(now == MEM_GPHYS_NIL || (on && now == wanted), "BAR %#x at %#lx", reg,
               (unsigned long)now);
}

/* Where window bytes are bytes of video memory in order, by registers; false: elsewhere or not. */
static bool linear_place(uint32_t offset, uint64_t *ret_at, bool *ret_all)
{
    static const uint32_t maps[4][2] = {
        { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x18000 }, { 0x18000, 0x20000 }
    };
    const VgaRegs *regs = &board.vga->regs;
    unsigned map = regs->gfx[6] >> 2 & 3;
    bool bytes = (regs->vbe[VBE_ENABLE] & VBE_ENABLED) != 0 && regs->vbe[VBE_BPP] != 4;

    if ((regs->misc & 2) == 0 || offset < maps[map][0] || offset >= maps[map][1] ||
        (!bytes && (regs->seq[4] & 8) == 0)) {
        return false;
    }
    *ret_at = offset - maps[map][0] + (map == 1 ? (uint64_t)regs->vbe[VBE_BANK] << 16 : 0);
    *ret_all = bytes || regs->seq[2] == 15;
    return true;
}

static bool window_is_shown(void)
{
    return pgm_mmio_address(board.vga->window) != MEM_GPHYS_NIL;
}

static void check_window(void)
{
    if (board.torn) {
        return; /* until something changes, memory is as it was before */
    }
    fuzz_check(window_is_shown() != board.vga->place.window_taken, "whose window is it?");
    for (uint32_t offset = 0; offset < VGA_WINDOW_LEN; offset += MEM_PAGE_SIZE) {
        uint64_t at = 0;
        bool all = false;
        bool linear = linear_place(offset, &at, &all) && window_is_shown();
        PgmPageInfo info;
        bool there = pgm_page_query(board.pgm, VGA_WINDOW_START + offset, &info);

        fuzz_check(there && (info.type == PGM_PAGE_MMIO2_ALIAS) == (linear && all),
                   "page %#x of the window", offset);
    }
}

/* Pictures are what takes time: big ones are rare, and there are LOOKS_MAX an input. */
static bool may_look(bool at_big)
{
    const uint16_t *vbe = board.vga->regs.vbe;
    bool big = (vbe[VBE_ENABLE] & VBE_ENABLED) != 0 &&
               (uint32_t)vbe[VBE_XRES] * vbe[VBE_YRES] > PIXELS_MAX;

    if ((big && !at_big) || board.n_looks >= LOOKS_MAX) {
        return false;
    }
    board.n_looks += big ? LOOKS_MAX : 1;
    return true;
}

/* The picture after an update is the one that drawing all of it makes. */
static void look_at_screen(unsigned flags)
{
    DevScreen *screen = dev_vga_screen(board.vga);
    DevScreenRect changed;
    DevPicture picture;

    if (!may_look(flags == 15)) {
        return;
    }
    dev_screen_update(screen, &changed);
    dev_screen_get_picture(screen, &picture);
    fuzz_check(picture.width <= DEV_SCREEN_MAX_WIDTH && picture.height <= DEV_SCREEN_MAX_HEIGHT &&
                   changed.x + changed.width <= picture.width &&
                   changed.y + changed.height <= picture.height,
               "%u x %u", picture.width, picture.height);

    size_t len = (size_t)picture.width * picture.height * sizeof(uint32_t);

    if (len > PIXELS_MAX * sizeof(uint32_t) || (flags & 1) != 0) {
        return;
    }

    g_autofree void *before = g_memdup2(picture.pixels, len);

    vga_screen_redraw(screen);
    dev_screen_update(screen, NULL);
    dev_screen_get_picture(screen, &picture);
    fuzz_check(len == (size_t)picture.width * picture.height * sizeof(uint32_t), "another size");
    fuzz_check(memcmp(before, picture.pixels, len) == 0, "drawn anew it is another picture");
}

static void print_text(void)
{
    g_autoptr(GString) text = g_string_new("x");
    bool good = dev_screen_print_text(dev_vga_screen(board.vga), text);

    fuzz_check(good || text->len == 1, "text though there is none");
    fuzz_check(g_utf8_validate(text->str, (gssize)text->len, NULL), "no UTF-8");
}

/* ---- what the guest does */

static void config_write(unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
    emu_ports_write(board.ports, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
    emu_ports_write(board.ports, (uint16_t)(0xCFC + (reg & 3)), size, value);
}

static void config_cycle(FuzzInput *input, unsigned flags)
{
    static const uint8_t regs[] = { 0x10, 0x18, 0x30, 0x04, 0x10, 0x18 };
    unsigned which = fuzz_u8(input);
    unsigned reg = which < 0xC0 ? regs[which % 6] : which << 2 & 0xFC;

    config_write(VGA, reg, 4u >> flags % 3, fuzz_u32(input));
}

static void write_register(FuzzInput *input)
{
    static const uint16_t groups[] = { 0x3C4, 0x3CE, 0x3D4, 0x3B4, 0x3C4, 0x3CE };
    unsigned group = fuzz_u8(input) % 7;
    unsigned index = fuzz_u8(input);
    unsigned value = fuzz_u8(input);

    if (group == 6) {
        (void)emu_ports_read(board.ports, 0x3DA, 1);
        emu_ports_write(board.ports, 0x3C0, 1, index);
        emu_ports_write(board.ports, 0x3C0, 1, value);
        return;
    }
    emu_ports_write(board.ports, groups[group], 1, index < 0xF0 ? index % 25 : index);
    emu_ports_write(board.ports, (uint16_t)(groups[group] + 1), 1, value);
}

static void access_port(FuzzInput *input, unsigned flags)
{
    uint16_t port = (uint16_t)(0x3B0 + fuzz_u8(input) % 0x30);
    unsigned size = 4u >> flags % 3;

    if ((flags & 8) != 0) {
        port = (uint16_t)(0x1CE + port % 3);
    }
    if ((flags & 4) != 0) {
        (void)emu_ports_read(board.ports, port, size);
    } else {
        emu_ports_write(board.ports, port, size, fuzz_u32(input));
    }
}

static void write_vbe(FuzzInput *input)
{
    unsigned index = fuzz_u8(input) % 12;
    unsigned value = fuzz_u16(input);

    if (index == VBE_BPP && (fuzz_u8(input) & 1) != 0) {
        static const uint8_t depths[] = { 4, 8, 15, 16, 24, 32 };

        value = depths[value % G_N_ELEMENTS(depths)];
    }
    emu_ports_write(board.ports, 0x1CE, 2, index);
    emu_ports_write(board.ports, 0x1CF, 2, value);
}

/* Through the window; where bytes lie in order they are looked for in video memory. */
static void access_window(FuzzInput *input, unsigned flags)
{
    unsigned size = 1u << (flags & 3);
    uint32_t offset = (fuzz_u16(input) | (fuzz_u8(input) & 1u) << 16);
    uint64_t value = fuzz_u32(input) * UINT64_C(0x100000001), got = 0, at = 0;
    bool all = false;

    offset = MIN(offset / size * size, (uint32_t)VGA_WINDOW_LEN - size);

    bool linear = linear_place(offset, &at, &all) && window_is_shown() && !board.torn;

    if ((flags & 4) != 0) {
        (void)pgm_bus_write(board.pgm, VGA_WINDOW_START + offset, size, value, MEM_ORIGIN_CPU);
        fuzz_check(!linear || !all || memcmp(board.vga->view.memory + at, &value, size) == 0,
                   "written at %#x", offset);
    } else {
        (void)pgm_bus_read(board.pgm, VGA_WINDOW_START + offset, size, MEM_ORIGIN_CPU, &got);
        fuzz_check(!linear || memcmp(board.vga->view.memory + at, &got, size) == 0, "read at %#x",
                   offset);
    }
}

static void access_bar(FuzzInput *input, unsigned flags, GPhys bar, uint64_t len)
{
    unsigned size = 1u << (flags & 3);
    uint64_t offset = (fuzz_u16(input) | (uint64_t)fuzz_u8(input) << 16) % len, got;

    if (bar == MEM_GPHYS_NIL) {
        return;
    }
    if ((flags & 4) != 0) {
        uint64_t value = fuzz_u32(input) * UINT64_C(0x100000001);

        (void)pgm_bus_write(board.pgm, bar + offset, size, value, MEM_ORIGIN_CPU);
    } else {
        (void)pgm_bus_read(board.pgm, bar + offset, size, MEM_ORIGIN_CPU, &got);
    }
}

static void keep_or_go_back(unsigned flags)
{
    if (board.kept.memory == NULL) {
        state_take(&board.kept);
    } else if ((flags & 1) != 0) {
        state_restore(&board.kept);
    } else {
        state_clear(&board.kept);
    }
}

/* What a mode needs, at once. */
static void set_mode(unsigned which)
{
    static const uint8_t modes[4][6] = {
        { 0x63, 0x0F, 0x0E, 0x40, 0x05, 0xFF }, /* misc, SR2, SR4, GR5, GR6, GR8: chained */
        { 0xE3, 0x0F, 0x06, 0x00, 0x05, 0xFF }, /* planes */
        { 0x67, 0x03, 0x02, 0x10, 0x0E, 0xFF }, /* text */
        { 0x63, 0x03, 0x02, 0x30, 0x0F, 0xFF }, /* CGA */
    };
    const uint8_t *mode = modes[which];

    emu_ports_write(board.ports, 0x3C2, 1, mode[0]);
    emu_ports_write(board.ports, 0x3C4, 2, 2u | (unsigned)mode[1] << 8);
    emu_ports_write(board.ports, 0x3C4, 2, 4u | (unsigned)mode[2] << 8);
    emu_ports_write(board.ports, 0x3CE, 2, 5u | (unsigned)mode[3] << 8);
    emu_ports_write(board.ports, 0x3CE, 2, 6u | (unsigned)mode[4] << 8);
    emu_ports_write(board.ports, 0x3CE, 2, 8u | (unsigned)mode[5] << 8);
    emu_ports_write(board.ports, 0x3C0, 1, 0x20);
}

static void run_rare(FuzzInput *input, unsigned flags)
{
    switch (flags & 7) {
    case 0:
        dev_i440fx_reset(board.bridge);
        dev_vga_reset(board.vga);
        board.torn = false;
        break;
    case 1:
    case 2:
        load_damaged(input);
        break;
    case 3:
        emu_clock_advance_to(board.clock, emu_clock_now(board.clock) + fuzz_u32(input));
        break;
    case 4:
        check_window();
        break;
    case 5:
        print_text();
        break;
    default:
        set_mode(fuzz_u8(input) & 3);
        break;
    }
}

/* Low half of the first byte: what; high half: how. */
static void run_record(FuzzInput *input)
{
    unsigned what = fuzz_u8(input);
    unsigned flags = what >> 4;

    switch (what & 15) {
    case 0:
    case 1:
    case 2:
        write_register(input);
        break;
    case 3:
        access_port(input, flags);
        break;
    case 4:
    case 5:
        write_vbe(input);
        break;
    case 6:
        config_cycle(input, flags);
        break;
    case 7:
    case 8:
    case 9:
        access_window(input, flags);
        break;
    case 10:
        access_bar(input, flags, pgm_mmio2_address(board.vga->memory), DEV_VGA_MEMORY_LEN);
        break;
    case 11:
        access_bar(input, flags, pgm_mmio_address(board.vga->registers), 0x700);
        break;
    case 12:
        config_write(DEV_PCI_DEVFN(0, 0), 0x72, 1, (flags & 1) != 0 ? 0x4A : fuzz_u8(input));
        break;
    case 13:
        look_at_screen(flags);
        break;
    case 14:
        keep_or_go_back(flags);
        break;
    default:
        run_rare(input, flags);
        break;
    }
    check_vbe();
    if (!board.torn) {
        check_bar(pgm_mmio2_address(board.vga->memory), 0x10, DEV_VGA_MEMORY_LEN);
        check_bar(pgm_mmio_address(board.vga->registers), 0x18, MEM_PAGE_SIZE);
    }
}

/* Whole records come, a few at a time; some of them write VBE registers, which by chance alone
 * would be rare. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)(size / RECORD_LEN) + 1) * RECORD_LEN;
    size_t len = (size_t)g_rand_int_range(rand, 1, 9) * RECORD_LEN;

    if (g_rand_int_range(rand, 0, 3) == 0 || size + len > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memmove(data + at + len, data + at, size - at);
    for (size_t i = 0; i < len; i++) {
        data[at + i] = (uint8_t)g_rand_int(rand);
    }
    for (size_t i = 0; i < len; i += RECORD_LEN) {
        if (g_rand_int_range(rand, 0, 3) == 0) {
            data[at + i] = 4;
            data[at + i + 1] = (uint8_t)g_rand_int_range(rand, VBE_XRES, VBE_VIDEO_MEMORY_64K);
        }
    }
    return size + len;
}

static void verify(void)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n_bad = pgm_verify(board.pgm, report) + gmm_verify(gmm, report);

    fuzz_check(n_bad == 0, "%s", report->str);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned sum = 0;

    if (gmm == NULL) {
        gmm = gmm_new(UINT64_C(128) << 20, NULL);
        board_new();
        atexit(board_free);
    }
    state_restore(&board.power_on);
    board.n_looks = 0;
    for (size_t at = 0; at + RECORD_LEN <= size; at += RECORD_LEN) {
        FuzzInput record = { data + at, RECORD_LEN };

        run_record(&record);
        sum += data[at] + data[at + 1];
    }
    check_window();
    if (board.kept.memory != NULL) {
        state_clear(&board.kept);
    }
    if (sum % VERIFY_EVERY == 0) {
        verify();
    }
    return 0;
}
