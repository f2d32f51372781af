/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux/x86 boot protocol, 32-bit entry: what a boot loader without BIOS calls does.
 *
 * Guest memory below 1 MiB, all within conventional RAM:
 *   0x10000  boot parameters (the "zero page")
 *   0x11000  descriptor table
 *   0x1fff0  top of a small stack
 *   0x20000  command line
 *
 * Source: the kernel's Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#include "emu/loader-internal.h"

#include <inttypes.h>
#include <string.h>

#define PARAMS_AT 0x10000
#define PARAMS_LEN 4096
#define GDT_AT 0x11000
#define STACK_AT 0x1fff0
#define COMMAND_AT 0x20000
#define LOW_END 0x30000

/* Offsets in the boot parameters, which are those of the setup header in the file. */
enum {
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    HEADER_JUMP = 0x201,
    HEADER_MAGIC = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    RELOCATABLE = 0x234,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    E820_ENTRIES = 0x1e8,
    E820_TABLE = 0x2d0,
    ALT_MEM_K = 0x1e0,
};

#define E820_MAX 128
#define LOADFLAG_HIGH 1
#define LOADER_UNDEFINED 0xff

typedef struct Kernel {
    const EmuLinuxBoot *boot;
    const uint8_t *file;
    size_t file_len;
    uint32_t version;
    size_t setup_len;  /* bytes of real-mode code before the kernel proper */
    uint64_t load_at;
    uint64_t span;     /* bytes it needs from there on */
    uint64_t initrd_at;
    uint64_t initrd_max; /* last byte an initrd may take */
    uint32_t command_max;
    uint8_t params[PARAMS_LEN];
} Kernel;

static uint64_t get(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = n; i-- > 0;) {
        value = value << 8 | at[i];
    }
    return value;
}

static void put(uint8_t *at, unsigned n, uint64_t value)
{
    for (unsigned i = 0; i < n; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

bool emu_is_linux(GBytes *file)
{
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(file, &len);

    return len >= INIT_SIZE + 4 && get(bytes + BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(bytes + HEADER_MAGIC, "HdrS", 4) == 0;
}

static bool bad(const Kernel *kernel, GError **error, const char *what)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: %s", kernel->boot->kernel, what);
    return false;
}

/* The setup header: sizes and places, all checked against the file. */
static bool read_header(Kernel *kernel, GError **error)
{
    const uint8_t *file = kernel->file;
    unsigned sectors = file[SETUP_SECTS] != 0 ? file[SETUP_SECTS] : 4;
    size_t header_end = HEADER_MAGIC + file[HEADER_JUMP];

    kernel->version = (uint32_t)get(file + VERSION, 2);
    kernel->setup_len = (sectors + 1) * (size_t)512;
    if (kernel->version < 0x200) {
        return bad(kernel, error, "its boot protocol is older than 2.00");
    }
    if (kernel->setup_len >= kernel->file_len) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "%s: truncated: the kernel proper would begin at 0x%zx, the file ends at 0x%zx",
                    kernel->boot->kernel, kernel->setup_len, kernel->file_len);
        return false;
    }
    if ((file[LOADFLAGS] & LOADFLAG_HIGH) == 0) {
        return bad(kernel, error, "loads below 1 MiB (zImage), which is not supported");
    }
    header_end = MIN(header_end, kernel->setup_len);
    if (header_end < CMD_LINE_PTR + 4 || header_end > E820_TABLE) {
        return bad(kernel, error, "the length of its setup header at 0x201 makes no sense");
    }
    memcpy(kernel->params + SETUP_SECTS, file + SETUP_SECTS, header_end - SETUP_SECTS);
    return true;
}

static bool place_kernel(Kernel *kernel, EmuMachine *machine, GError **error)
{
    const uint8_t *params = kernel->params;
    uint64_t payload = kernel->file_len - kernel->setup_len;

    kernel->load_at = get(params + CODE32_START, 4);
    kernel->span = payload;
    kernel->command_max = 255;
    kernel->initrd_max = 0x37ffffff;
    if (kernel->version >= 0x203) {
        kernel->initrd_max = get(params + INITRD_ADDR_MAX, 4);
    }
    if (kernel->version >= 0x206) {
        kernel->command_max = (uint32_t)get(params + CMDLINE_SIZE, 4);
    }
    if (kernel->version >= 0x20a) {
        kernel->span = MAX(payload, get(params + INIT_SIZE, 4));
        if (params[RELOCATABLE] != 0 && get(params + PREF_ADDRESS, 8) != 0) {
            kernel->load_at = get(params + PREF_ADDRESS, 8);
        }
    }
    if (kernel->load_at > UINT32_MAX || kernel->load_at < 0x100000 ||
        !emu_loader_is_ram(machine, kernel->load_at, kernel->span)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: needs 0x%" PRIx64 "+0x%" PRIx64
                    ", which is not all RAM of this machine above 1 MiB; give it more --memory",
                    kernel->boot->kernel, kernel->load_at, kernel->span);
        return false;
    }
    return true;
}

static bool put_command_line(Kernel *kernel, EmuMachine *machine, GError **error)
{
    const char *text = kernel->boot->append != NULL ? kernel->boot->append : "";
    size_t len = strlen(text);

    if (len > kernel->command_max || len >= LOW_END - COMMAND_AT) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "the command line has %zu bytes; %s takes at most %u", len,
                    kernel->boot->kernel, MIN(kernel->command_max, LOW_END - COMMAND_AT - 1));
        return false;
    }
    put(kernel->params + CMD_LINE_PTR, 4, COMMAND_AT);
    return emu_loader_write(machine, COMMAND_AT, text, len + 1, "the command line", error);
}

/* As high as the kernel allows in the RAM block that holds the kernel or lies below 4 GiB. */
static bool place_initrd(Kernel *kernel, EmuMachine *machine, uint64_t len, GError **error)
{
    Pgm *pgm = emu_machine_pgm(machine);

    for (unsigned i = pgm_range_count(pgm); i-- > 0;) {
        PgmRangeInfo info;

        if (!pgm_range_get(pgm, i, &info) || info.kind != PGM_RANGE_RAM ||
            info.start > kernel->initrd_max) {
            continue;
        }
        uint64_t end = MIN(info.start + info.len, kernel->initrd_max + 1);
        uint64_t floor = MAX(info.start, kernel->load_at + kernel->span);

        if (end > len && ((end - len) & MEM_PAGE_MASK) >= floor) {
            kernel->initrd_at = (end - len) & MEM_PAGE_MASK;
            return true;
        }
    }
    g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                "%s: its %" PRIu64 " bytes find no room between the kernel's end at 0x%" PRIx64
                " and 0x%" PRIx64 "; give the machine more --memory",
                kernel->boot->initrd, len, kernel->load_at + kernel->span, kernel->initrd_max);
    return false;
}

static bool load_initrd(Kernel *kernel, EmuMachine *machine, GError **error)
{
    if (kernel->boot->initrd == NULL) {
        return true;
    }
    g_autoptr(GBytes) file = emu_file_read(kernel->boot->initrd, EMU_LOADER_MAX_FILE, error);
    size_t len;

    if (file == NULL) {
        return false;
    }
    const void *bytes = g_bytes_get_data(file, &len);

    if (len > UINT32_MAX || !place_initrd(kernel, machine, len, error)) {
        return false;
    }
    put(kernel->params + RAMDISK_IMAGE, 4, kernel->initrd_at);
    put(kernel->params + RAMDISK_SIZE, 4, len);
    return emu_loader_write(machine, kernel->initrd_at, bytes, len, kernel->boot->initrd, error);
}

static void add_e820(Kernel *kernel, uint64_t start, uint64_t len, uint32_t type)
{
    unsigned n = kernel->params[E820_ENTRIES];

    if (n < E820_MAX && len > 0) {
        uint8_t *entry = kernel->params + E820_TABLE + n * 20;

        put(entry, 8, start);
        put(entry + 8, 8, len);
        put(entry + 16, 4, type);
        kernel->params[E820_ENTRIES] = (uint8_t)(n + 1);
    }
}

static void make_e820(Kernel *kernel, EmuMachine *machine)
{
    const uint64_t ebda = 0x9fc00;
    Pgm *pgm = emu_machine_pgm(machine);
    uint64_t above_1m = 0;

    for (unsigned i = 0; i < pgm_range_count(pgm); i++) {
        PgmRangeInfo info;

        if (!pgm_range_get(pgm, i, &info) || info.kind != PGM_RANGE_RAM) {
            continue;
        }
        uint64_t len = info.len;

        if (info.start == 0 && len > ebda) {
            add_e820(kernel, 0, ebda, 1);
            add_e820(kernel, ebda, MIN(len, UINT64_C(0xa0000)) - ebda, 2);
            add_e820(kernel, 0xf0000, 0x10000, 2);
            continue;
        }
        add_e820(kernel, info.start, len, 1);
        above_1m += info.start < UINT32_MAX ? len : 0;
    }
    put(kernel->params + ALT_MEM_K, 4, MIN(above_1m >> 10, UINT32_MAX));
}

/* All checks come before the first byte is written, but for those of the initrd's own file. */
static bool load(Kernel *kernel, EmuMachine *machine, GError **error)
{
    if (!read_header(kernel, error) || !place_kernel(kernel, machine, error)) {
        return false;
    }
    if (!emu_loader_is_ram(machine, PARAMS_AT, LOW_END - PARAMS_AT)) {
        return bad(kernel, error, "needs RAM from 64K to 192K");
    }
    if (!load_initrd(kernel, machine, error) || !put_command_line(kernel, machine, error)) {
        return false;
    }
    kernel->params[TYPE_OF_LOADER] = LOADER_UNDEFINED;
    make_e820(kernel, machine);
    put(kernel->params + CODE32_START, 4, kernel->load_at);
    return emu_loader_write(machine, kernel->load_at, kernel->file + kernel->setup_len,
                            kernel->file_len - kernel->setup_len, kernel->boot->kernel, error) &&
           emu_loader_write(machine, PARAMS_AT, kernel->params, PARAMS_LEN, "the zero page",
                            error) &&
           emu_machine_enter_flat32(machine, (uint32_t)kernel->load_at, STACK_AT, PARAMS_AT,
                                    GDT_AT, error);
}

bool emu_load_linux(EmuMachine *machine, const EmuLinuxBoot *boot, GError **error)
{
    g_autoptr(GBytes) file = emu_file_read(boot->kernel, EMU_LOADER_MAX_FILE, error);
    g_autofree Kernel *kernel = g_new0(Kernel, 1);

    if (file == NULL) {
        return false;
    }
    kernel->boot = boot;
    kernel->file = g_bytes_get_data(file, &kernel->file_len);
    if (!emu_is_linux(file)) {
        return bad(kernel, error, "is not a kernel of the Linux/x86 boot protocol");
    }
    return load(kernel, machine, error);
}
