/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chipset of the PC board on its PCI bus, without a CPU: configuration cycles, ports of the
 * functions, and memory accesses to what PAM and SMRAM registers switch.
 *
 * Input: records of 8 bytes, see run_record().
 *
 * Checked: what memory shows is what the registers say, as the guest reads them back; records and
 * allocator are sound after each input.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/i440fx.h"
#include "devices/piix3.h"
#include "devices/piix3_ide.h"
#include "devices/piix4_pm.h"
#include "emu/clock-internal.h"
#include "emu/ports-internal.h"
#include "memsys/access.h"
#include "memsys/mm.h"
#include "memsys/rom.h"

#define RAM_SIZE (UINT64_C(4) << 20)
#define SMRAM UINT64_C(0xA0000)
#define SMRAM_LEN 0x20000u
#define SHADOW UINT64_C(0xC0000)
#define SHADOW_LEN 0x40000u
#define BIOS_LEN 0x10000u
#define REG_PAM 0x59u
#define REG_SMRAM 0x72u

typedef struct Board {
    Pgm *pgm;
    EmuPorts *ports;
    EmuClock *clock;
    DevPciBus *bus;
    DevI440fx *bridge;
    DevPiix3 *isa;
    DevPiix3Ide *ide;
    DevPiix4Pm *pm;
} Board;

static Gmm *gmm;
static Board board; /* made once; a reset must bring all of it back */
static uint8_t rom[SHADOW_LEN];
/* What the guest has written. */
static uint8_t shadow[SHADOW_LEN];
static uint8_t smram[SMRAM_LEN];

static void set_line(void *user, unsigned pin, bool level)
{
    (void)user;
    (void)pin;
    (void)level;
}

static void board_new(void)
{
    const EmuLine line = { .func = set_line };
    const EmuLine decode[2] = { line, line };
    const DevPiix4PmLines pm_lines = { line, line };
    DevPiix3Lines isa_lines = { .reset = line, .init = line };

    for (unsigned i = 0; i < DEV_PIIX3_IRQS; i++) {
        isa_lines.irq[i] = line;
    }
    board.pgm = pgm_new(gmm, NULL, NULL);
    fuzz_check(mm_register_x86(board.pgm, RAM_SIZE, 0, NULL) == MEM_OK, "no RAM");

    MemStatus high = pgm_rom_register(board.pgm, (UINT64_C(4) << 30) - BIOS_LEN, BIOS_LEN,
                                      rom + SHADOW_LEN - BIOS_LEN, BIOS_LEN, 0xFF, (PgmRomFlags)0,
                                      "pc", "high", NULL);
    MemStatus low = pgm_rom_register(board.pgm, SHADOW, SHADOW_LEN, rom, SHADOW_LEN, 0xFF,
                                     PGM_ROM_FLAG_SHADOWED, "pc", "low", NULL);

    fuzz_check(high == MEM_OK && low == MEM_OK, "no ROM");
    board.ports = emu_ports_new();
    board.clock = emu_clock_new();
    board.bus = dev_pci_bus_new(board.ports, NULL);
    board.bridge = dev_i440fx_new(board.bus, board.pgm, NULL);
    board.isa = dev_piix3_new(board.bus, board.ports, &isa_lines, NULL);
    board.ide = dev_piix3_ide_new(board.bus, decode);
    board.pm = dev_piix4_pm_new(board.bus, board.ports, board.clock, &pm_lines, NULL);
}

static void board_reset(void)
{
    pgm_reset(board.pgm);
    dev_pci_bus_reset(board.bus);
    dev_i440fx_reset(board.bridge);
    dev_piix3_reset(board.isa);
    dev_piix3_ide_reset(board.ide);
    dev_piix4_pm_reset(board.pm);
    memset(shadow, 0, sizeof shadow);
    memset(smram, 0, sizeof smram);
}

static void board_free(void)
{
    dev_piix4_pm_free(board.pm);
    dev_piix3_ide_free(board.ide);
    dev_piix3_free(board.isa);
    dev_i440fx_free(board.bridge);
    dev_pci_bus_free(board.bus);
    emu_clock_free(board.clock);
    emu_ports_free(board.ports);
    pgm_free(board.pgm);
    gmm_free(gmm);
}

/* ---- what the guest must see */

static unsigned bridge_register(unsigned reg)
{
    uint32_t address = emu_ports_read(board.ports, 0xCF8, 4);

    emu_ports_write(board.ports, 0xCF8, 4, 0x80000000u | (reg & ~3u));

    unsigned value = emu_ports_read(board.ports, (uint16_t)(0xCFC + (reg & 3)), 1);

    emu_ports_write(board.ports, 0xCF8, 4, address);
    return value;
}

/* Bit 0: reads see RAM, bit 1: writes reach it. */
static unsigned pam_bits(uint32_t offset)
{
    if (offset >= 0x30000) {
        return bridge_register(REG_PAM) >> 4 & 3;
    }

    unsigned region = offset / 0x4000;

    return bridge_register(REG_PAM + 1 + region / 2) >> (region % 2 * 4) & 3;
}

static bool smram_visible(void)
{
    return (bridge_register(REG_SMRAM) & 0x78) == 0x48;
}

/* Where reads of a byte must come from and writes go to; NULL: from nowhere (all ones). */
static void look_up(GPhys gpa, const uint8_t **ret_from, uint8_t **ret_to)
{
    *ret_from = NULL;
    *ret_to = NULL;
    if (gpa < SHADOW) {
        if (smram_visible()) {
            *ret_from = *ret_to = &smram[gpa - SMRAM];
        }
        return;
    }

    uint32_t offset = (uint32_t)(gpa - SHADOW);
    unsigned bits = pam_bits(offset);

    *ret_from = (bits & 1) != 0 ? &shadow[offset] : &rom[offset];
    *ret_to = (bits & 2) != 0 ? &shadow[offset] : NULL;
}

/* Aligned, so that one register decides. */
static GPhys take_address(FuzzInput *input, unsigned size)
{
    uint32_t at = fuzz_u16(input) | (uint32_t)fuzz_u8(input) << 16;

    return SMRAM + at % (SMRAM_LEN + SHADOW_LEN) / size * size;
}

static void access_memory(FuzzInput *input, unsigned what)
{
    unsigned size = 1u << (what >> 4 & 3);
    GPhys gpa = take_address(input, size);
    uint64_t value = fuzz_u32(input) * UINT64_C(0x100000001);
    const uint8_t *from;
    uint8_t *to;

    look_up(gpa, &from, &to);
    if ((what & 8) != 0) {
        MemStatus status = pgm_write(board.pgm, gpa, &value, size, MEM_ORIGIN_DEVICE);

        fuzz_check(status == MEM_OK, "write to %#lx: %s", (unsigned long)gpa,
                   mem_status_name(status));
        if (to != NULL) {
            memcpy(to, &value, size);
        }
    } else {
        uint64_t got = 0;
        uint64_t want = UINT64_MAX;

        (void)pgm_bus_read(board.pgm, gpa, size, MEM_ORIGIN_DEVICE, &got);
        if (from != NULL) {
            memcpy(&want, from, size);
        }
        fuzz_check(memcmp(&got, &want, size) == 0, "%#lx: %#lx for %#lx", (unsigned long)gpa,
                   (unsigned long)got, (unsigned long)want);
    }
}

/* A write of a byte, then its neighbourhood as the registers have it. */
static void probe(FuzzInput *input)
{
    GPhys gpa = take_address(input, 1);
    const uint8_t *from;
    uint8_t *to;

    look_up(gpa, &from, &to);

    uint8_t mark = (uint8_t)(fuzz_u8(input) | 1);

    (void)pgm_write_u8(board.pgm, gpa, mark);
    if (to != NULL) {
        *to = mark;
    }

    uint8_t got = pgm_read_u8(board.pgm, gpa);

    fuzz_check(got == (from != NULL ? *from : 0xFF), "%#lx: %#x", (unsigned long)gpa, got);
}

/* ---- what the guest does */

static void config_cycle(FuzzInput *input, unsigned what)
{
    static const uint8_t functions[] = { 0, 8, 9, 11 };
    unsigned which = fuzz_u8(input);
    unsigned devfn = which < 0xF0 ? functions[which % 4] : which;
    unsigned reg = fuzz_u8(input);
    unsigned size = 1u << (what >> 4 & 3) % 3;
    uint16_t port = (uint16_t)(0xCFC + (reg & 3));

    emu_ports_write(board.ports, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
    if ((what & 8) != 0) {
        (void)emu_ports_read(board.ports, port, size);
    } else {
        emu_ports_write(board.ports, port, size, fuzz_u32(input));
    }
}

static void access_port(FuzzInput *input, unsigned what)
{
    uint16_t port = fuzz_u16(input);
    unsigned size = 1u << (what >> 4 & 3) % 3;

    if ((what & 0x40) != 0) {
        port = (uint16_t)(0xCF8 + port % 8);
    }
    if ((what & 8) != 0) {
        emu_ports_write(board.ports, port, size, fuzz_u32(input));
    } else {
        (void)emu_ports_read(board.ports, port, size);
    }
}

static void save_and_load(void)
{
    g_autoptr(GByteArray) state = g_byte_array_new();
    size_t pos = 0;

    dev_pci_bus_save(board.bus, state);
    dev_i440fx_save(board.bridge, state);
    dev_piix3_save(board.isa, state);
    dev_piix3_ide_save(board.ide, state);
    dev_piix4_pm_save(board.pm, state);

    bool good = dev_pci_bus_load(board.bus, state->data, state->len, &pos, NULL) &&
                dev_i440fx_load(board.bridge, state->data, state->len, &pos, NULL) &&
                dev_piix3_load(board.isa, state->data, state->len, &pos, NULL) &&
                dev_piix3_ide_load(board.ide, state->data, state->len, &pos, NULL) &&
                dev_piix4_pm_load(board.pm, state->data, state->len, &pos, NULL);

    fuzz_check(good && pos == state->len, "their own state is refused");
}

static void run_record(FuzzInput *input)
{
    unsigned what = fuzz_u8(input);

    switch (what & 7) {
    case 0:
    case 1:
        config_cycle(input, what);
        break;
    case 2:
        access_port(input, what);
        break;
    case 3:
    case 4:
        access_memory(input, what);
        break;
    case 5:
        probe(input);
        break;
    case 6:
        emu_clock_advance_to(board.clock, emu_clock_now(board.clock) + fuzz_u32(input));
        break;
    default:
        if ((what & 0xF0) == 0) {
            board_reset();
        } else if ((what & 0xF0) == 0x10) {
            save_and_load();
        }
        break;
    }
}

/* Whole records come, and most of them are about the registers that switch memory. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    size_t n = size / 8;
    size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)n + 1) * 8;
    uint8_t record[8] = { 0 };

    if (g_rand_boolean(rand) || size + 8 > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (unsigned i = 1; i < sizeof record; i++) {
        record[i] = (uint8_t)g_rand_int(rand);
    }
    if (g_rand_boolean(rand)) {
        record[1] = 0; /* a byte of the bridge's */
        record[2] = (uint8_t)(g_rand_int_range(rand, 0, 8) == 0 ? REG_SMRAM
                                                                : REG_PAM + g_rand_int(rand) % 7);
    } else {
        record[0] = 5; /* a look at memory */
        record[3] %= 6;
    }
    memmove(data + at + 8, data + at, size - at);
    memcpy(data + at, record, sizeof record);
    return size + 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (gmm == NULL) {
        gmm = gmm_new(UINT64_C(64) << 20, NULL);
        for (unsigned i = 0; i < SHADOW_LEN; i++) {
            rom[i] = (uint8_t)(i ^ i >> 8 ^ i >> 14 ^ 0x80);
        }
        board_new();
        atexit(board_free);
    }

    g_autoptr(GString) report = g_string_new(NULL);

    board_reset();
    for (size_t at = 0; at + 8 <= size; at += 8) {
        FuzzInput record = { data + at, 8 };

        run_record(&record);
    }

    unsigned n_bad = pgm_verify(board.pgm, report) + gmm_verify(gmm, report);

    fuzz_check(n_bad == 0, "%s", report->str);
    return 0;
}
