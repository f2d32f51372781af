/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux kernels, and programs that look like one (memtest86+), entered at their 32-bit entry.
 *
 * Low memory as we lay it out; nothing of a firmware is there to be in the way:
 *
 *   0x8F000..0x90000  stack, downwards
 *   0x90000           boot_params (the zero page), 4 KiB
 *   0x91000           command line
 *   0x9E000           descriptor table
 *   1 MiB and up      kernel; the initrd as high as it may go
 *
 * A kernel is put where it wants to run (pref_address), or at 1 MiB; a relocatable one at the first
 * place with enough RAM. Everything is planned and checked first, then written.
 *
 * Source: the Linux kernel's Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#include "emu/loader-internal.h"

#include "memsys/access.h"
#include "memsys/planted.h"

#include <inttypes.h>
#include <string.h>

#define MAX_KERNEL_LEN (UINT64_C(1) << 30)
#define SECTOR 512

#define STACK_ADDRESS 0x90000u
#define STACK_LEN 0x1000u
#define PARAMS_ADDRESS 0x90000u
#define PARAMS_LEN 0x1000u
#define COMMAND_LINE_ADDRESS 0x91000u
#define COMMAND_LINE_SPACE 0xD000u
#define GDT_ADDRESS 0x9E000u
#define GDT_LEN 0x1000u
#define HIGH_MEMORY UINT64_C(0x100000)
#define LIMIT_32BIT (UINT64_C(1) << 32)

#define OLD_COMMAND_LINE_LIMIT 255u
#define OLD_INITRD_LAST UINT64_C(0x37FFFFFF)
#define MAX_ALIGNMENT UINT64_C(0x40000000)
#define LOADED_HIGH 0x01
#define LOADER_UNDEFINED 0xFF /* type_of_loader of a loader without a number */
#define OLD_COMMAND_LINE_MAGIC 0xA33F
#define MAX_E820 128
#define E820_ENTRY_LEN 20

enum { E820_RAM = 1, E820_RESERVED = 2 };

/* Offsets in boot_params; those from 0x1F1 on are also offsets in the file. */
enum {
    OFF_OLD_COMMAND_MAGIC = 0x020,
    OFF_OLD_COMMAND_OFFSET = 0x022,
    OFF_E820_COUNT = 0x1E8,
    OFF_HEADER = 0x1F1,
    OFF_SETUP_SECTS = 0x1F1,
    OFF_SYSSIZE = 0x1F4,
    OFF_BOOT_FLAG = 0x1FE,
    OFF_JUMP_LENGTH = 0x201,
    OFF_JUMP_END = 0x202,
    OFF_MAGIC = 0x202,
    OFF_VERSION = 0x206,
    OFF_LOADER = 0x210,
    OFF_LOADFLAGS = 0x211,
    OFF_CODE32_START = 0x214,
    OFF_RAMDISK_IMAGE = 0x218,
    OFF_RAMDISK_SIZE = 0x21C,
    OFF_COMMAND_LINE = 0x228,
    OFF_INITRD_LAST = 0x22C,
    OFF_ALIGNMENT = 0x230,
    OFF_RELOCATABLE = 0x234,
    OFF_COMMAND_LINE_LIMIT = 0x238,
    OFF_PREF_ADDRESS = 0x258,
    OFF_INIT_SIZE = 0x260,
    OFF_HEADER_LIMIT = 0x290, /* no header may reach further: other fields begin */
    OFF_E820_TABLE = 0x2D0,
};

/* The fields that matter, with the defaults of kernels too old to have them. */
typedef struct Header {
    unsigned version;
    uint64_t setup_len; /* boot sector and setup code: where the kernel proper begins in the file */
    uint64_t header_end;
    bool loaded_high;
    uint32_t initrd_last;
    uint32_t alignment;
    bool relocatable;
    uint32_t command_line_limit; /* bytes, the NUL not counted */
    uint64_t pref_address;
    uint64_t init_size;
} Header;

/* Where everything goes. */
typedef struct Plan {
    const EmuLinuxBoot *boot;
    GBytes *kernel;
    GBytes *initrd; /* or NULL */
    EmuMachine *machine;
    GArray *runs; /* of EmuLoaderRun */
    Header header;
    uint64_t kernel_len; /* without the setup code */
    GPhys kernel_address;
    uint64_t kernel_space; /* bytes the kernel needs to unpack itself */
    GPhys initrd_address;
} Plan;

static uint32_t get_le(const uint8_t *bytes, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)bytes[offset + i] << (8 * i);
    }
    return value;
}

static void put_le(uint8_t *bytes, unsigned offset, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

bool emu_is_linux(GBytes *file)
{
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(file, &len);

    return len >= OFF_HEADER_LIMIT && get_le(bytes, OFF_BOOT_FLAG, 2) == 0xAA55 &&
           memcmp(bytes + OFF_MAGIC, "HdrS", 4) == 0;
}

/* Always false, with the kernel's name and the place in its file. */
G_GNUC_PRINTF(4, 5)
static bool fail(const Plan *plan, GError **error, unsigned offset, const char *format, ...)
{
    va_list args;

    va_start(args, format);

    g_autofree char *words = g_strdup_vprintf(format, args);

    va_end(args);
    g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "%s: offset 0x%x: %s", plan->boot->kernel, offset,
                words);
    return false;
}

/* ---- the header ---- */

static void read_header(const uint8_t *bytes, Header *ret_header)
{
    unsigned version = get_le(bytes, OFF_VERSION, 2);
    unsigned setup_sects = bytes[OFF_SETUP_SECTS];

    *ret_header = (Header) {
        .version = version,
        .setup_len = ((setup_sects != 0 ? setup_sects : 4) + UINT64_C(1)) * SECTOR,
        .header_end = OFF_JUMP_END + bytes[OFF_JUMP_LENGTH],
        .loaded_high = (bytes[OFF_LOADFLAGS] & LOADED_HIGH) != 0,
        .initrd_last = OLD_INITRD_LAST,
        .command_line_limit = OLD_COMMAND_LINE_LIMIT,
        .pref_address = HIGH_MEMORY,
    };
    if (version >= 0x203) {
        ret_header->initrd_last = get_le(bytes, OFF_INITRD_LAST, 4);
    }
    if (version >= 0x205) {
        ret_header->alignment = get_le(bytes, OFF_ALIGNMENT, 4);
        ret_header->relocatable = bytes[OFF_RELOCATABLE] != 0;
    }
    if (version >= 0x206) {
        ret_header->command_line_limit = get_le(bytes, OFF_COMMAND_LINE_LIMIT, 4);
    }
    if (version >= 0x20A) {
        ret_header->pref_address = get_le(bytes, OFF_PREF_ADDRESS, 4) |
                                   (uint64_t)get_le(bytes, OFF_PREF_ADDRESS + 4, 4) << 32;
        ret_header->init_size = get_le(bytes, OFF_INIT_SIZE, 4);
    }
}

/* The file must hold as many bytes as the header says; the last 16 need not all be there. */
static bool check_length(const Plan *plan, const uint8_t *bytes, size_t len, GError **error)
{
    const Header *header = &plan->header;
    unsigned size_bytes = header->version >= 0x204 ? 4 : 2;
    uint64_t promised = (uint64_t)get_le(bytes, OFF_SYSSIZE, size_bytes) * 16;

    if (len <= header->setup_len) {
        return fail(plan, error, OFF_SETUP_SECTS,
                    "setup code of %" PRIu64 " bytes leaves no kernel in a file of %zu",
                    header->setup_len, len);
    }
    if (promised > (len - header->setup_len + 15) / 16 * 16) {
        return fail(plan, error, OFF_SYSSIZE,
                    "promises %" PRIu64 " bytes of kernel, but %" PRIu64
                    " are there: the file is cut off",
                    promised, len - header->setup_len);
    }
    return true;
}

static bool check_header(Plan *plan, GError **error)
{
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(plan->kernel, &len);

    if (!emu_is_linux(plan->kernel)) {
        return fail(plan, error, OFF_MAGIC, "is no Linux kernel of boot protocol 2.00 or later");
    }
    read_header(bytes, &plan->header);

    const Header *header = &plan->header;

    if (header->version < 0x200) {
        return fail(plan, error, OFF_VERSION, "boot protocol version 0x%x makes no sense",
                    header->version);
    }
    if (!header->loaded_high) {
        return fail(plan, error, OFF_LOADFLAGS,
                    "is a zImage, which runs below 1 MiB; use a bzImage");
    }
    if (header->relocatable &&
        (header->alignment == 0 || (header->alignment & (header->alignment - 1)) != 0 ||
         header->alignment > MAX_ALIGNMENT)) {
        return fail(plan, error, OFF_ALIGNMENT,
                    "an alignment of 0x%x is no power of two up to 1 GiB", header->alignment);
    }
    if (!check_length(plan, bytes, len, error)) {
        return false;
    }
    plan->kernel_len = len - header->setup_len;
    plan->kernel_space = MAX(plan->kernel_len, header->init_size);
    return true;
}

/* ---- places ---- */

static bool fits_at(const Plan *plan, GPhys address)
{
    return address >= HIGH_MEMORY && address < LIMIT_32BIT &&
           plan->kernel_space <= LIMIT_32BIT - address &&
           emu_loader_is_ram(plan->machine, address, plan->kernel_space);
}

/* The first aligned place from 1 MiB on; only for relocatable kernels. */
static bool find_place(const Plan *plan, GPhys *ret_address)
{
    uint64_t alignment = MAX(plan->header.alignment, MEM_PAGE_SIZE);

    for (guint i = 0; i < plan->runs->len; i++) {
        GPhys start = MAX(g_array_index(plan->runs, EmuLoaderRun, i).start, HIGH_MEMORY);
        GPhys address = (start + alignment - 1) & ~(alignment - 1);

        if (fits_at(plan, address)) {
            *ret_address = address;
            return true;
        }
    }
    return false;
}

static bool place_kernel(Plan *plan, GError **error)
{
    const Header *header = &plan->header;
    bool aligned = !header->relocatable || header->pref_address % header->alignment == 0;

    plan->kernel_address = header->pref_address;
    if (aligned && fits_at(plan, plan->kernel_address)) {
        return true;
    }
    if (header->relocatable && find_place(plan, &plan->kernel_address)) {
        return true;
    }
    return fail(plan, error, OFF_INIT_SIZE,
                "needs 0x%" PRIx64 " bytes of RAM at 0x%" PRIx64
                ", which are not there; give the machine more memory",
                plan->kernel_space, header->pref_address);
}

static bool place_low_areas(const Plan *plan, GError **error)
{
    static const struct {
        GPhys start;
        uint64_t len;
    } areas[] = {
        { STACK_ADDRESS - STACK_LEN, STACK_LEN },
        { PARAMS_ADDRESS, PARAMS_LEN },
        { COMMAND_LINE_ADDRESS, COMMAND_LINE_SPACE },
        { GDT_ADDRESS, GDT_LEN },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(areas); i++) {
        if (!emu_loader_is_ram(plan->machine, areas[i].start, areas[i].len)) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                        "%s: booting needs RAM at 0x%" PRIx64
                        ", where this machine has none; give it more memory",
                        plan->boot->kernel, areas[i].start);
            return false;
        }
    }
    return true;
}

static bool check_command_line(const Plan *plan, GError **error)
{
    size_t len = plan->boot->append != NULL ? strlen(plan->boot->append) : 0;
    size_t limit = MIN(plan->header.command_line_limit, COMMAND_LINE_SPACE - 1);

    if (len > limit) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "%s: the command line has %zu bytes; this kernel takes at most %zu",
                    plan->boot->kernel, len, limit);
        return false;
    }
    return true;
}

/* The top of a run that an initrd of @len bytes may use, or 0. It must lie above 1 MiB and clear of
 * the kernel. */
static GPhys initrd_place_in(const Plan *plan, const EmuLoaderRun *run, uint64_t len)
{
    GPhys kernel_end = plan->kernel_address + plan->kernel_space;
    GPhys end = MIN(run->end, (GPhys)plan->header.initrd_last + 1);
    GPhys start = MAX(run->start, HIGH_MEMORY);

    if (QUIRE_PLANTED(linux, plan->kernel_address < end && kernel_end > start, false)) {
        start = kernel_end;
    }
    if (end <= start || end - start < len) {
        return 0;
    }

    GPhys address = (end - len) & MEM_PAGE_MASK;

    return address >= start ? address : 0;
}

static bool place_initrd(Plan *plan, GError **error)
{
    uint64_t len = g_bytes_get_size(plan->initrd);

    for (guint i = plan->runs->len; i > 0; i--) {
        const EmuLoaderRun *run = &g_array_index(plan->runs, EmuLoaderRun, i - 1);

        plan->initrd_address = initrd_place_in(plan, run, len);
        if (plan->initrd_address != 0) {
            return true;
        }
    }
    g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                "%s: there is no room for %" PRIu64
                " bytes of initrd above the kernel and up to address 0x%x; give the machine more "
                "memory",
                plan->boot->initrd, len, plan->header.initrd_last);
    return false;
}

/* ---- boot_params ---- */

/* One entry of the map, joined to the one before where possible. False: the table is full. */
static bool add_e820(uint8_t *params, unsigned *n, GPhys start, uint64_t len, unsigned type)
{
    uint8_t *last = params + OFF_E820_TABLE + (*n > 0 ? *n - 1 : 0) * E820_ENTRY_LEN;

    if (*n > 0 && get_le(last, 16, 4) == type) {
        uint64_t last_start = get_le(last, 0, 4) | (uint64_t)get_le(last, 4, 4) << 32;
        uint64_t last_len = get_le(last, 8, 4) | (uint64_t)get_le(last, 12, 4) << 32;

        if (last_start + last_len == start) {
            put_le(last, 8, 8, last_len + len);
            return true;
        }
    }
    if (*n == MAX_E820) {
        return false;
    }

    uint8_t *entry = params + OFF_E820_TABLE + *n * E820_ENTRY_LEN;

    put_le(entry, 0, 8, start);
    put_le(entry, 8, 8, len);
    put_le(entry, 16, 4, type);
    (*n)++;
    return true;
}

/* RAM is usable, ROM and device memory are reserved. */
static bool make_e820(const Plan *plan, uint8_t *params, GError **error)
{
    PgmRangeInfo info;
    unsigned n = 0;

    for (unsigned i = 0; pgm_range_get(emu_machine_pgm(plan->machine), i, &info); i++) {
        unsigned type = info.kind == PGM_RANGE_RAM ? E820_RAM : E820_RESERVED;

        if (!add_e820(params, &n, info.start, info.len, type)) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_UNSUPPORTED,
                        "%s: the machine's map has more than the %d ranges Linux can be told of",
                        plan->boot->kernel, MAX_E820);
            return false;
        }
    }
    params[OFF_E820_COUNT] = (uint8_t)n;
    return true;
}

static bool make_params(const Plan *plan, uint8_t *params, GError **error)
{
    const uint8_t *file = g_bytes_get_data(plan->kernel, NULL);
    uint64_t header_end = MIN(plan->header.header_end, (uint64_t)OFF_HEADER_LIMIT);

    memcpy(params + OFF_HEADER, file + OFF_HEADER, header_end - OFF_HEADER);
    params[OFF_LOADER] = LOADER_UNDEFINED;
    put_le(params, OFF_CODE32_START, 4, plan->kernel_address);
    put_le(params, OFF_RAMDISK_IMAGE, 4, plan->initrd_address);
    put_le(params, OFF_RAMDISK_SIZE, 4, plan->initrd != NULL ? g_bytes_get_size(plan->initrd) : 0);
    if (plan->header.version >= 0x202) {
        put_le(params, OFF_COMMAND_LINE, 4, COMMAND_LINE_ADDRESS);
    } else {
        put_le(params, OFF_OLD_COMMAND_MAGIC, 2, OLD_COMMAND_LINE_MAGIC);
        put_le(params, OFF_OLD_COMMAND_OFFSET, 2, COMMAND_LINE_ADDRESS - PARAMS_ADDRESS);
    }
    return make_e820(plan, params, error);
}

/* ---- all of it ---- */

static bool read_files(Plan *plan, GError **error)
{
    uint64_t most = 0;

    plan->kernel = emu_file_read(plan->boot->kernel, MAX_KERNEL_LEN, error);
    if (plan->kernel == NULL) {
        return false;
    }
    if (plan->boot->initrd == NULL) {
        return true;
    }
    for (guint i = 0; i < plan->runs->len; i++) {
        const EmuLoaderRun *run = &g_array_index(plan->runs, EmuLoaderRun, i);

        if (run->start < LIMIT_32BIT) {
            most = MAX(most, MIN(run->end, LIMIT_32BIT - 1) - run->start);
        }
    }
    plan->initrd = emu_file_read(plan->boot->initrd, most, error);
    return plan->initrd != NULL;
}

static bool write_all(const Plan *plan, const uint8_t *params, GError **error)
{
    const char *append = plan->boot->append != NULL ? plan->boot->append : "";
    const uint8_t *file = g_bytes_get_data(plan->kernel, NULL);
    size_t initrd_len = 0;
    const void *initrd = plan->initrd != NULL ? g_bytes_get_data(plan->initrd, &initrd_len) : NULL;

    if (initrd != NULL && !emu_loader_write(plan->machine, plan->initrd_address, initrd, initrd_len,
                                            plan->boot->initrd, error)) {
        return false;
    }
    return emu_loader_write(plan->machine, plan->kernel_address, file + plan->header.setup_len,
                            plan->kernel_len, plan->boot->kernel, error) &&
           emu_loader_write(plan->machine, COMMAND_LINE_ADDRESS, append, strlen(append) + 1,
                            "the command line", error) &&
           emu_loader_write(plan->machine, PARAMS_ADDRESS, params, PARAMS_LEN, "the zero page",
                            error);
}

static bool load_plan(Plan *plan, GError **error)
{
    uint8_t params[PARAMS_LEN] = { 0 };

    return read_files(plan, error) && check_header(plan, error) && place_low_areas(plan, error) &&
           place_kernel(plan, error) && check_command_line(plan, error) &&
           (plan->initrd == NULL || place_initrd(plan, error)) &&
           make_params(plan, params, error) && write_all(plan, params, error) &&
           emu_machine_enter_flat32(plan->machine, (uint32_t)plan->kernel_address, STACK_ADDRESS,
                                    PARAMS_ADDRESS, GDT_ADDRESS, error);
}

bool emu_load_linux(EmuMachine *machine, const EmuLinuxBoot *boot, GError **error)
{
    Plan plan = { .boot = boot, .machine = machine, .runs = emu_loader_ram_runs(machine) };
    bool ok = load_plan(&plan, error);

    g_clear_pointer(&plan.kernel, g_bytes_unref);
    g_clear_pointer(&plan.initrd, g_bytes_unref);
    g_array_unref(plan.runs);
    return ok;
}
