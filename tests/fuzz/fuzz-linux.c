/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels of the x86 boot protocol, into a machine with a little RAM. Input: length of the initrd
 * (2 bytes, in 64 byte units), length of the command line (1 byte), command line, initrd; the rest
 * is the kernel.
 *
 * Checked: of what is taken, kernel, initrd and command line lie whole where boot_params says, and
 * nothing lies over anything else.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/loader-machine.h"

#define PARAMS UINT64_C(0x90000)
#define PARAMS_LEN 4096
#define E820_AT 0x2D0

typedef struct Boot {
    const uint8_t *kernel, *initrd;
    size_t kernel_len, initrd_len;
    char append[256];
} Boot;

static uint64_t get_le(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = size; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

static uint64_t kernel_space(const Boot *boot, size_t len)
{
    bool has_init_size = get_le(boot->kernel + 0x206, 2) >= 0x20A;

    return MAX(len, has_init_size ? get_le(boot->kernel + 0x260, 4) : 0);
}

static void check_e820(const uint8_t *params)
{
    unsigned n = params[0x1E8];

    fuzz_check(n == 2, "%u ranges for 2", n);
    fuzz_check(get_le(params + E820_AT + 20, 8) == HIGH_START, "the second begins elsewhere");
}

static void check_loaded(const Boot *boot)
{
    uint8_t params[PARAMS_LEN];
    unsigned setup = boot->kernel[0x1F1] != 0 ? boot->kernel[0x1F1] : 4;
    size_t skip = (setup + 1) * 512u;
    unsigned version = (unsigned)get_le(boot->kernel + 0x206, 2);

    (void)pgm_read(emu_machine_pgm(loader_machine), PARAMS, params, sizeof params,
                   MEM_ORIGIN_DEBUGGER);
    check_e820(params);

    uint64_t start = get_le(params + 0x214, 4);
    uint64_t end = start + kernel_space(boot, boot->kernel_len - skip);

    fuzz_check(start >= HIGH_START && end <= HIGH_END, "kernel at %#lx to %#lx",
               (unsigned long)start, (unsigned long)end);
    fuzz_check(loader_holds(start, boot->kernel + skip, boot->kernel_len - skip), "kernel differs");
    fuzz_check(!(version >= 0x202) ||
                   loader_holds(get_le(params + 0x228, 4), (const uint8_t *)boot->append,
                                strlen(boot->append) + 1),
               "command line differs");
    if (boot->initrd_len > 0) {
        uint64_t initrd = get_le(params + 0x218, 4);

        fuzz_check(get_le(params + 0x21C, 4) == boot->initrd_len, "length of the initrd");
        fuzz_check(initrd >= HIGH_START && initrd + boot->initrd_len <= HIGH_END, "initrd at %#lx",
                   (unsigned long)initrd);
        fuzz_check(initrd >= end || initrd + boot->initrd_len <= start,
                   "initrd at %#lx lies in the kernel's %#lx to %#lx", (unsigned long)initrd,
                   (unsigned long)start, (unsigned long)end);
        fuzz_check(loader_holds(initrd, boot->initrd, boot->initrd_len), "initrd differs");
    }
}

static Boot take_boot(FuzzInput *input)
{
    size_t initrd_len = (size_t)fuzz_u16(input) % 4096 * 64;
    size_t append_len = fuzz_u8(input);
    Boot boot = { 0 };
    const uint8_t *append = fuzz_take(input, append_len, &append_len);

    for (size_t i = 0; i < append_len && append[i] != '\0'; i++) {
        boot.append[i] = (char)append[i];
    }
    boot.initrd = fuzz_take(input, initrd_len, &boot.initrd_len);
    boot.kernel = fuzz_take(input, input->left, &boot.kernel_len);
    return boot;
}

/* The header's fields get values of their own kind half of the time: between so many bytes they
 * would hardly ever be hit. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const struct {
        uint16_t offset;
        uint8_t size;
    } fields[] = {
        { 0x1F1, 1 }, { 0x1F4, 4 }, { 0x201, 1 }, { 0x206, 2 }, { 0x211, 1 }, { 0x22C, 4 },
        { 0x230, 4 }, { 0x234, 1 }, { 0x238, 4 }, { 0x258, 8 }, { 0x260, 4 },
    };
    FuzzInput input = { data, size };
    Boot boot = take_boot(&input);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    unsigned field = (unsigned)g_rand_int_range(rand, 0, G_N_ELEMENTS(fields));
    size_t at = size - boot.kernel_len + fields[field].offset;

    if (g_rand_boolean(rand) || boot.kernel_len < 0x290) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (g_rand_boolean(rand)) {
        /* Addresses and sizes within RAM. */
        uint32_t value = g_rand_int(rand) & (HIGH_END - 1);

        for (unsigned i = 0; i < fields[field].size; i++) {
            data[at + i] = (uint8_t)(i < 4 ? value >> (8 * i) : 0);
        }
    } else {
        (void)LLVMFuzzerMutate(data + at, fields[field].size, fields[field].size);
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = { data, size };
    EmuMachine *machine = loader_machine_clean();
    Boot boot = take_boot(&input);
    EmuLinuxBoot files = { "mem:0", boot.append, boot.initrd_len > 0 ? "mem:1" : NULL };
    g_autoptr(GError) error = NULL;

    loader_file(0, boot.kernel, boot.kernel_len);
    loader_file(1, boot.initrd, boot.initrd_len);
    if (emu_load_linux(machine, &files, &error)) {
        check_loaded(&boot);
    } else {
        fuzz_check(error != NULL && error->message[0] != '\0', "no message");
        fuzz_check(loader_n_written() == 0, "a refused kernel changed memory: %s", error->message);
    }
    loader_file(0, NULL, 0);
    loader_file(1, NULL, 0);
    return 0;
}
