/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest code on our machine and on stock Unicorn: the same bytes, the same CPU model, the same
 * addresses. Ours runs as it always does: block hook, clock, ports. Stock has its memory from
 * uc_mem_map(), its own MMU, no hook but those a row names, and is started with uc_emu_start() to
 * an address, the way its documentation shows.
 *
 * Both sides keep their memory and translations from round to round; the first, uncounted round
 * warms them.
 */
#include "bench.h"

#include "emu/loader.h"
#include "emu/machine.h"
#include "memsys/access.h"
#include "memsys/handler.h"
#include "memsys/mmio.h"

#include <unicorn/unicorn.h>

#define CODE UINT64_C(0x10000)
#define COUNT UINT64_C(0x8000)
#define PASSES UINT64_C(0x8004)
#define DATA UINT64_C(0x200000)
#define PAGE_TABLES UINT64_C(0x100000)
#define DEVICE UINT64_C(0xe0000000)

/* guests.asm */
#define GUEST_SYMBOLS(name)                                                               \
    extern const uint8_t bench_guest_##name[], bench_again_##name[], bench_done_##name[], \
        bench_end_##name[];
#define GUEST(name)                                                                 \
    {                                                                               \
        bench_guest_##name, bench_again_##name, bench_done_##name, bench_end_##name \
    }

GUEST_SYMBOLS(loop)
GUEST_SYMBOLS(touch)
GUEST_SYMBOLS(touch_pae)
GUEST_SYMBOLS(blocks)
GUEST_SYMBOLS(device)

typedef enum Stock { STOCK_BARE, STOCK_EMPTY_BLOCK_HOOK, NO_STOCK } Stock;

typedef struct Guest {
    const uint8_t *code, *again, *done, *end;
} Guest;

typedef struct GuestRow {
    Guest guest;
    uint32_t count, quick_count;
    unsigned ops; /* operations a count */
    Stock stock;
} GuestRow;

static const GuestRow rows[] = {
    { GUEST(loop), 500000, 2000, 1, STOCK_BARE },
    { GUEST(touch), 65536, 1024, 1, STOCK_BARE },
    { GUEST(touch_pae), 65536, 1024, 1, STOCK_BARE },
    { GUEST(blocks), 2000000, 2000, 3, STOCK_BARE },
    { GUEST(blocks), 2000000, 2000, 3, STOCK_EMPTY_BLOCK_HOOK },
    { GUEST(device), 50000, 500, 2, STOCK_BARE },
    { GUEST(loop), 2000000, 2000, 1, NO_STOCK },
};
enum {
    ROW_LOOP,
    ROW_TOUCH,
    ROW_TOUCH_PAE,
    ROW_BLOCKS_BARE,
    ROW_BLOCKS_HOOK,
    ROW_DEVICE,
    ROW_HANDLER
};

typedef struct Sides {
    const GuestRow *row;
    uint32_t count;
    EmuMachine *machine;
    Pgm *pgm;
    uc_engine *uc;
    uint64_t stock_pc;
} Sides;

/* ---- ours */

static void on_port(void *user, bool write, uint16_t port, unsigned size, uint32_t value)
{
    (void)size;
    (void)value;
    if (write && port == 0xf4) {
        emu_machine_stop_soon(user);
    }
}

static MemStatus device_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    (void)size;
    *ret_value = offset;
    return MEM_OK;
}

static MemStatus device_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    (void)user;
    (void)offset;
    (void)size;
    (void)value;
    return MEM_OK;
}

static bool fail(GError **error, const char *what)
{
    g_set_error(error, BENCH_ERROR, 0, "%s", what);
    return false;
}

static bool ours_open(Sides *sides, uint64_t ram, GError **error)
{
    static const PgmMmioOps ops = { .read = device_read, .write = device_write };
    const Guest *guest = &sides->row->guest;

    sides->machine = emu_machine_new(NULL, error);
    if (sides->machine == NULL) {
        return false;
    }
    sides->pgm = emu_machine_pgm(sides->machine);

    PgmMmio *mmio = pgm_mmio_new(sides->pgm, MEM_PAGE_SIZE, &ops, NULL, "bench", "device", error);

    if (mmio == NULL || pgm_mmio_map(mmio, DEVICE, error) != MEM_OK ||
        pgm_ram_register(sides->pgm, 0, ram, "ram", error) != MEM_OK) {
        return false;
    }
    emu_machine_set_port_hook(sides->machine, on_port, sides->machine);
    emu_machine_reset(sides->machine);
    if (pgm_write(sides->pgm, CODE, guest->code, (uint64_t)(guest->end - guest->code),
                  MEM_ORIGIN_LOADER) != MEM_OK ||
        pgm_write_u32(sides->pgm, COUNT, sides->count) != MEM_OK) {
        return fail(error, "no memory for the guest");
    }
    return emu_machine_enter_flat32(sides->machine, CODE, 0x9000, 0, 0x1000, error);
}

/* Returns: ns an operation */
static double per_op(const Sides *sides, uint64_t ns)
{
    return (double)ns / sides->count / sides->row->ops;
}

static double run_ours(void *user)
{
    Sides *sides = user;
    uint32_t passes = pgm_read_u32(sides->pgm, PASSES);
    uint64_t start = bench_cpu_ns();
    EmuStop stop = emu_machine_run(sides->machine, EMU_CLOCK_NEVER);
    uint64_t end = bench_cpu_ns();

    if (stop.reason != EMU_STOP_REQUEST || pgm_read_u32(sides->pgm, PASSES) != passes + 1) {
        return -1;
    }
    return per_op(sides, end - start);
}

/* ---- stock */

static uint64_t stock_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    (void)size;
    (void)user;
    return offset;
}

static void stock_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    (void)offset;
    (void)size;
    (void)value;
    (void)user;
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    (void)uc;
    (void)address;
    (void)size;
    (void)user;
}

/* Code and page tables below DATA; data is not executable, so that stock need not watch it for
 * changed code. */
static uc_err stock_map(Sides *sides, uint64_t ram)
{
    const Guest *guest = &sides->row->guest;
    uc_engine *uc = sides->uc;
    uc_err err = uc_ctl_set_cpu_model(uc, UC_CPU_X86_QEMU32);

    if (err == UC_ERR_OK) {
        err = uc_mem_map(uc, 0, DATA, UC_PROT_ALL);
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_map(uc, DATA, ram - DATA, UC_PROT_READ | UC_PROT_WRITE);
    }
    if (err == UC_ERR_OK) {
        err = uc_mmio_map(uc, DEVICE, MEM_PAGE_SIZE, stock_read, NULL, stock_write, NULL);
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_write(uc, CODE, guest->code, (uint64_t)(guest->end - guest->code));
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_write(uc, COUNT, &sides->count, sizeof(sides->count));
    }
    return err;
}

static bool stock_open(Sides *sides, uint64_t ram, GError **error)
{
    uc_err err = uc_open(UC_ARCH_X86, UC_MODE_32, &sides->uc);
    uc_hook hook;

    if (err == UC_ERR_OK) {
        err = stock_map(sides, ram);
    }
    if (err == UC_ERR_OK && sides->row->stock == STOCK_EMPTY_BLOCK_HOOK) {
        err = uc_hook_add(sides->uc, &hook, UC_HOOK_BLOCK, __extension__(void *) on_block, NULL, 1,
                          0);
    }
    if (err != UC_ERR_OK) {
        g_set_error(error, BENCH_ERROR, 0, "Unicorn: %s", uc_strerror(err));
    }
    sides->stock_pc = CODE;
    return err == UC_ERR_OK;
}

static uint32_t stock_passes(const Sides *sides)
{
    uint32_t passes = 0;

    (void)uc_mem_read(sides->uc, PASSES, &passes, sizeof(passes));
    return passes;
}

static double run_stock(void *user)
{
    Sides *sides = user;
    const Guest *guest = &sides->row->guest;
    uint32_t passes = stock_passes(sides);
    uint64_t done = CODE + (uint64_t)(guest->done - guest->code);
    uint64_t start = bench_cpu_ns();
    uc_err err = uc_emu_start(sides->uc, sides->stock_pc, done, 0, 0);
    uint64_t end = bench_cpu_ns();

    if (err != UC_ERR_OK || stock_passes(sides) != passes + 1) {
        return -1;
    }
    sides->stock_pc = CODE + (uint64_t)(guest->again - guest->code);
    return per_op(sides, end - start);
}

/* ---- both */

#define TABLE_ENTRY (UINT64_C(0x63)) /* present, writable, accessed, dirty */

static bool write_entry(Sides *sides, uint64_t gpa, uint64_t entry)
{
    return pgm_write_u64(sides->pgm, gpa, entry) == MEM_OK &&
           uc_mem_write(sides->uc, gpa, &entry, sizeof(entry)) == UC_ERR_OK;
}

/* PAE tables in both guests that map memory up to @ram to itself by pages of 4 KiB: one directory
 * pointer table, one directory, tables from there on. */
static bool write_page_tables(Sides *sides, uint64_t ram)
{
    const uint64_t directory = PAGE_TABLES + MEM_PAGE_SIZE;
    const uint64_t tables = directory + MEM_PAGE_SIZE;
    bool ok = write_entry(sides, PAGE_TABLES, directory | 1);

    g_assert(tables + (ram >> 21) * MEM_PAGE_SIZE <= DATA);
    for (uint64_t i = 0; i < ram >> 21; i++) {
        ok = ok && write_entry(sides, directory + 8 * i,
                               (tables + i * MEM_PAGE_SIZE) | (TABLE_ENTRY & 0x3f));
    }
    for (uint64_t i = 0; i < ram >> MEM_PAGE_SHIFT; i++) {
        ok = ok && write_entry(sides, tables + 8 * i, i << MEM_PAGE_SHIFT | TABLE_ENTRY);
    }
    return ok;
}

static void guest_teardown(void *user)
{
    Sides *sides = user;

    emu_machine_free(sides->machine);
    if (sides->uc != NULL) {
        uc_close(sides->uc);
    }
    g_free(sides);
}

static void *guest_setup(const BenchRow *row, bool quick, GError **error)
{
    Sides *sides = g_new0(Sides, 1);

    sides->row = &rows[row->variant];
    sides->count = quick ? sides->row->quick_count : sides->row->count;

    bool touches = row->variant == ROW_TOUCH || row->variant == ROW_TOUCH_PAE;
    uint64_t ram = DATA + (touches ? sides->count * MEM_PAGE_SIZE : DATA);
    bool ok = ours_open(sides, ram, error) &&
              (sides->row->stock == NO_STOCK || stock_open(sides, ram, error));

    if (ok && row->variant == ROW_TOUCH_PAE && !write_page_tables(sides, ram)) {
        ok = fail(error, "no page tables could be written");
    }
    if (!ok) {
        guest_teardown(sides);
        return NULL;
    }
    return sides;
}

/* ---- a handler elsewhere */

static PgmHandlerResult on_write(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

/* On the page behind the one the guest works in. */
static double run_with_handler(void *user)
{
    const Sides *sides = user;
    PgmHandler *handler = pgm_handler_new(sides->pgm, PGM_HANDLER_KIND_WRITE, DATA + MEM_PAGE_SIZE,
                                          16, on_write, NULL, "bench", NULL);

    if (handler == NULL) {
        return -1;
    }
    double ns = run_ours(user);

    pgm_handler_free(handler);
    return ns;
}

#define GUEST_ROW(row_name, our_text, their_text, ratio, which, our_func, their_func)           \
    {                                                                                           \
        .name = row_name, .ours = our_text, .theirs = their_text, .unit = "ns",                 \
        .target = (ratio) > 0 ? BENCH_RATIO_AT_LEAST : BENCH_NO_TARGET, .at = ratio,            \
        .variant = which, .setup = guest_setup, .run_ours = our_func, .run_theirs = their_func, \
        .teardown = guest_teardown,                                                             \
    }

const BenchRow bench_guest_rows[] = {
    GUEST_ROW("guest-loop", "guest loop of 2 loads and 2 stores, TLB hits, a round",
              "stock Unicorn", 7, ROW_LOOP, run_ours, run_stock),
    GUEST_ROW("guest-touch", "guest storing one word a page over 256 MiB, a page", "stock Unicorn",
              0.85, ROW_TOUCH, run_ours, run_stock),
    GUEST_ROW("guest-touch-pae", "the same with PAE paging, a page",
              "stock Unicorn with its own MMU", 0.7, ROW_TOUCH_PAE, run_ours, run_stock),
    GUEST_ROW("guest-handler", "guest loop, a write handler on another page", "no handler anywhere",
              0.95, ROW_HANDLER, run_with_handler, run_ours),
    GUEST_ROW("guest-blocks", "guest of short blocks, a block: the clock's hook",
              "stock Unicorn without a hook", 0, ROW_BLOCKS_BARE, run_ours, run_stock),
    GUEST_ROW("guest-blocks-hook", "guest of short blocks, a block: the clock's hook",
              "stock Unicorn with an empty block hook", 0, ROW_BLOCKS_HOOK, run_ours, run_stock),
    GUEST_ROW("guest-device", "guest loads and stores of a device's register, an access",
              "stock Unicorn, uc_mmio_map()", 0, ROW_DEVICE, run_ours, run_stock),
    { .name = NULL },
};
