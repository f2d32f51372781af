/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest on both sides. See sides.h. */
#include "sides.h"

#include "emu/loader.h"
#include "memsys/access.h"
#include "memsys/mmio.h"

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

/* Around the device, if there is that much. */
static bool register_ram(Pgm *pgm, uint64_t ram, GError **error)
{
    uint64_t low = MIN(ram, BENCH_DEVICE);

    return pgm_ram_register(pgm, 0, low, "ram", error) == MEM_OK &&
           (ram == low ||
            pgm_ram_register(pgm, UINT64_C(1) << 32, ram - low, "high ram", error) == MEM_OK);
}

bool bench_ours_open(BenchSides *sides, uint64_t ram, GError **error)
{
    static const PgmMmioOps ops = { .read = device_read, .write = device_write };
    const BenchGuest *guest = &sides->row->guest;

    sides->machine = emu_machine_new(NULL, error);
    if (sides->machine == NULL) {
        return false;
    }
    sides->pgm = emu_machine_pgm(sides->machine);

    PgmMmio *mmio = pgm_mmio_new(sides->pgm, MEM_PAGE_SIZE, &ops, NULL, "bench", "device", error);

    if (mmio == NULL || pgm_mmio_map(mmio, BENCH_DEVICE, error) != MEM_OK ||
        !register_ram(sides->pgm, ram, error)) {
        return false;
    }
    emu_machine_set_port_hook(sides->machine, on_port, sides->machine);
    emu_machine_reset(sides->machine);
    if (pgm_write(sides->pgm, BENCH_CODE, guest->code, (uint64_t)(guest->end - guest->code),
                  MEM_ORIGIN_LOADER) != MEM_OK ||
        pgm_write_u32(sides->pgm, BENCH_COUNT, sides->count) != MEM_OK) {
        return fail(error, "no memory for the guest");
    }
    return emu_machine_enter_flat32(sides->machine, BENCH_CODE, 0x9000, 0, 0x1000, error);
}

bool bench_ours_run(BenchSides *sides)
{
    uint32_t passes = pgm_read_u32(sides->pgm, BENCH_PASSES);
    EmuStop stop = emu_machine_run(sides->machine, EMU_CLOCK_NEVER);

    return stop.reason == EMU_STOP_REQUEST && pgm_read_u32(sides->pgm, BENCH_PASSES) == passes + 1;
}

double bench_ours_pass(BenchSides *sides)
{
    uint64_t start = bench_cpu_ns();

    return bench_ours_run(sides) ? (double)(bench_cpu_ns() - start) : -1;
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

/* Code and page tables below BENCH_DATA; data is not executable, so that stock need not watch it
 * for changed code. */
static uc_err stock_map(BenchSides *sides, uint64_t ram)
{
    const BenchGuest *guest = &sides->row->guest;
    uc_engine *uc = sides->uc;
    uc_err err = uc_ctl_set_cpu_model(uc, UC_CPU_X86_QEMU32);

    if (err == UC_ERR_OK) {
        err = uc_mem_map(uc, 0, BENCH_DATA, UC_PROT_ALL);
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_map(uc, BENCH_DATA, ram - BENCH_DATA, UC_PROT_READ | UC_PROT_WRITE);
    }
    if (err == UC_ERR_OK) {
        err = uc_mmio_map(uc, BENCH_DEVICE, MEM_PAGE_SIZE, stock_read, NULL, stock_write, NULL);
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_write(uc, BENCH_CODE, guest->code, (uint64_t)(guest->end - guest->code));
    }
    if (err == UC_ERR_OK) {
        err = uc_mem_write(uc, BENCH_COUNT, &sides->count, sizeof(sides->count));
    }
    return err;
}

bool bench_stock_open(BenchSides *sides, uint64_t ram, GError **error)
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
    sides->stock_pc = BENCH_CODE;
    return err == UC_ERR_OK;
}

static uint32_t stock_passes(const BenchSides *sides)
{
    uint32_t passes = 0;

    (void)uc_mem_read(sides->uc, BENCH_PASSES, &passes, sizeof(passes));
    return passes;
}

bool bench_stock_run(BenchSides *sides)
{
    const BenchGuest *guest = &sides->row->guest;
    uint32_t passes = stock_passes(sides);
    uint64_t done = BENCH_CODE + (uint64_t)(guest->done - guest->code);
    uc_err err = uc_emu_start(sides->uc, sides->stock_pc, done, 0, 0);

    sides->stock_pc = BENCH_CODE + (uint64_t)(guest->again - guest->code);
    return err == UC_ERR_OK && stock_passes(sides) == passes + 1;
}

double bench_stock_pass(BenchSides *sides)
{
    uint64_t start = bench_cpu_ns();

    return bench_stock_run(sides) ? (double)(bench_cpu_ns() - start) : -1;
}

void bench_sides_clear(BenchSides *sides)
{
    emu_machine_free(sides->machine);
    if (sides->uc != NULL) {
        uc_close(sides->uc);
    }
}
