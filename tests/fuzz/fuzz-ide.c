/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IDE: a guest's port accesses on two drives of a few sectors, one of them written through to its
 * file.
 *
 * Input: records; the first byte of each says what it is (see run_record()).
 *
 * Checked: an image that is not to be written never changes; the state it saves loads again, so
 * every rule of a valid state holds.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/memory-files.h"

#include "devices/ide.h"
#include "emu/ports-internal.h"

#define SECTORS 40u
#define SHORT_LEN (SECTORS * DEV_SECTOR_SIZE - 100) /* the last sector is cut */
#define MAX_WORDS 4400u                             /* of one input, all transfers together */

#define RECORD_LOAD 0x4Du
#define RECORD_LOAD_DAMAGED 0x5Du

static uint8_t written_bytes[SECTORS * DEV_SECTOR_SIZE];
static uint8_t kept_bytes[SHORT_LEN];
static unsigned n_words;
static unsigned n_loads; /* they cost as much as thousands of accesses: one an input */

static void set_irq(void *user, unsigned pin, bool level)
{
    ((bool *)user)[pin] = level;
}

static uint16_t base_of(unsigned what)
{
    return (what & 0x80) != 0 ? 0x170 : 0x1F0;
}

static uint16_t control_of(unsigned what)
{
    return (what & 0x80) != 0 ? 0x376 : 0x3F6;
}

/* A whole task file, features first, and a command. */
static void command(EmuPorts *ports, FuzzInput *input, unsigned what)
{
    uint16_t base = base_of(what);

    for (unsigned reg = 1; reg < 8; reg++) {
        emu_ports_write(ports, (uint16_t)(base + reg), 1, fuzz_u8(input));
    }
}

/* The two-deep registers of LBA48: small values in the low halves, so that sectors exist. */
static void command_ext(EmuPorts *ports, FuzzInput *input, unsigned what)
{
    uint16_t base = base_of(what);

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned reg = 2; reg < 6; reg++) {
            uint8_t value = fuzz_u8(input);

            emu_ports_write(ports, (uint16_t)(base + reg), 1, i == 0 ? value & 1 : value % 64);
        }
    }
    emu_ports_write(ports, (uint16_t)(base + 6), 1, fuzz_u8(input));
    emu_ports_write(ports, (uint16_t)(base + 7), 1, fuzz_u8(input));
}

static void transfer(EmuPorts *ports, FuzzInput *input, unsigned what)
{
    uint16_t base = base_of(what);
    unsigned n = fuzz_u8(input) * 16u + 1;
    unsigned size = (what & 0x10) != 0 ? 4 : 2;
    uint32_t value = fuzz_u8(input) * 0x01010101u;

    for (unsigned i = 0; i < n && n_words < MAX_WORDS; i++, n_words++) {
        if ((what & 0x20) != 0) {
            emu_ports_write(ports, base, size, value);
        } else {
            (void)emu_ports_read(ports, base, size);
        }
    }
}

static void any_port(EmuPorts *ports, FuzzInput *input, unsigned what)
{
    static const uint16_t extra[] = { 0x3F5, 0x3F6, 0x3F7, 0x375, 0x376, 0x377 };
    unsigned which = fuzz_u8(input) % 16;
    uint16_t port =
        which < 9 ? (uint16_t)(base_of(what) + which) : extra[(which - 9) % G_N_ELEMENTS(extra)];
    unsigned size = 1u << (what >> 4 & 3) % 3;

    if ((what & 8) != 0) {
        emu_ports_write(ports, port, size, fuzz_u32(input));
    } else {
        (void)emu_ports_read(ports, port, size);
    }
}

/* Own state: always; damaged: whatever the checks let pass must be safe to go on with. */
static void save_and_load(DevIde *ide, FuzzInput *input, bool damage)
{
    g_autoptr(GByteArray) state = g_byte_array_new();
    size_t pos = 0;

    if (n_loads++ > 0) {
        return;
    }
    dev_ide_save(ide, state);
    if (damage) {
        uint32_t at = fuzz_u32(input) % state->len;

        state->data[at] = fuzz_u8(input);
    }

    bool loaded = dev_ide_load(ide, state->data, state->len, &pos, NULL);

    fuzz_check(damage || loaded, "its own state is refused");
}

static void run_record(DevIde *ide, EmuPorts *ports, FuzzInput *input)
{
    unsigned what = fuzz_u8(input);

    switch (what & 7) {
    case 0:
        command(ports, input, what);
        break;
    case 1:
        command_ext(ports, input, what);
        break;
    case 2:
    case 3:
        transfer(ports, input, what);
        break;
    case 4:
        emu_ports_write(ports, control_of(what), 1, fuzz_u8(input));
        break;
    case 5:
        if ((what & 0x70) == 0) {
            dev_ide_reset(ide);
        } else if ((what & 0x60) == 0x20) {
            dev_ide_set_decode(ide, what >> 7, (what & 0x10) != 0);
        } else if (what == RECORD_LOAD || what == RECORD_LOAD_DAMAGED) {
            save_and_load(ide, input, what == RECORD_LOAD_DAMAGED);
        }
        break;
    default:
        any_port(ports, input, what);
        break;
    }
}

/* A command with values that go together, and its transfer. */
static size_t make_command(GRand *rand, uint8_t *ret_record, uint8_t code, uint8_t channel)
{
    const uint8_t record[] = {
        channel,
        0,
        (uint8_t)(1u << g_rand_int_range(rand, 0, 9)),
        (uint8_t)g_rand_int_range(rand, 0, SECTORS + 2),
        0,
        0,
        0xE0,
        code,
        (uint8_t)(channel | 2 | (g_rand_boolean(rand) ? 0x20 : 0)),
        (uint8_t)g_rand_int(rand),
        (uint8_t)g_rand_int(rand),
    };

    memcpy(ret_record, record, sizeof record);
    return sizeof record;
}

/* Half of the time one or two whole commands at any place; two are a block size and its use. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const uint8_t codes[] = { 0x20, 0x24, 0x29, 0x30, 0x34, 0x39, 0x40, 0x42,
                                     0x91, 0xC4, 0xC5, 0xC6, 0xE5, 0xEC, 0xEF };
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    uint8_t channel = g_rand_boolean(rand) ? 0x80 : 0;
    uint8_t records[32];
    size_t len;
    size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)size + 1);

    if (g_rand_boolean(rand)) {
        len = make_command(rand, records, 0xC6, channel);
        len += make_command(rand, records + len, g_rand_boolean(rand) ? 0xC4 : 0xC5, channel);
    } else {
        len = make_command(rand, records, codes[g_rand_int_range(rand, 0, G_N_ELEMENTS(codes))],
                           channel);
    }
    if (g_rand_boolean(rand) || size + len > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    at = g_rand_boolean(rand) ? size : at;
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, records, len);
    return size + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = { data, size };
    bool irqs[DEV_IDE_CHANNELS] = { false };
    const EmuLine lines[DEV_IDE_CHANNELS] = { { set_irq, irqs, 0 }, { set_irq, irqs, 1 } };

    memory_files_use();
    memset(written_bytes, 0x11, sizeof written_bytes);
    memset(kept_bytes, 0x22, sizeof kept_bytes);
    memory_files[0] = (MemoryFile) { written_bytes, sizeof written_bytes, sizeof written_bytes, 0 };
    memory_files[1] = (MemoryFile) { kept_bytes, sizeof kept_bytes, 0, 0 };
    n_words = 0;
    n_loads = 0;

    EmuPorts *ports = emu_ports_new();
    DevDisk *disks[DEV_IDE_DRIVES] = { dev_disk_open("mem:0", true, NULL), NULL,
                                       dev_disk_open("mem:1", false, NULL), NULL };
    DevIde *ide = dev_ide_new(ports, disks, lines, NULL);

    fuzz_check(dev_ide_new(ports, disks, lines, NULL) == NULL, "two controllers at the same ports");
    while (input.left > 0) {
        run_record(ide, ports, &input);
    }
    for (size_t i = 0; i < sizeof kept_bytes; i++) {
        if (kept_bytes[i] != 0x22) {
            fuzz_check(false, "byte %zu of a read-only image was written", i);
        }
    }
    dev_ide_free(ide);
    dev_disk_free(disks[0]);
    dev_disk_free(disks[2]);
    emu_ports_free(ports);
    mem_os_set(NULL);
    return 0;
}
