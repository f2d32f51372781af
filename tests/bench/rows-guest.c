/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest code on our machine and on stock Unicorn (sides.h).
 *
 * Both sides keep their memory and translations from round to round; the first, uncounted round
 * warms them.
 */
#include "sides.h"

#include "memsys/access.h"
#include "memsys/handler.h"

#define PAGE_TABLES UINT64_C(0x100000)

BENCH_GUEST_SYMBOLS(loop)
BENCH_GUEST_SYMBOLS(touch)
BENCH_GUEST_SYMBOLS(touch_pae)
BENCH_GUEST_SYMBOLS(blocks)
BENCH_GUEST_SYMBOLS(device)

static const BenchGuestRow rows[] = {
    { BENCH_GUEST(loop), 500000, 2000, 1, STOCK_BARE },
    { BENCH_GUEST(touch), 65536, 1024, 1, STOCK_BARE },
    { BENCH_GUEST(touch_pae), 65536, 1024, 1, STOCK_BARE },
    { BENCH_GUEST(blocks), 2000000, 2000, 3, STOCK_BARE },
    { BENCH_GUEST(blocks), 2000000, 2000, 3, STOCK_EMPTY_BLOCK_HOOK },
    { BENCH_GUEST(device), 50000, 500, 2, STOCK_BARE },
    { BENCH_GUEST(loop), 2000000, 2000, 1, NO_STOCK },
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

/* Returns: ns an operation */
static double per_op(const BenchSides *sides, double ns)
{
    return ns < 0 ? ns : ns / sides->count / sides->row->ops;
}

static double run_ours(void *user)
{
    return per_op(user, bench_ours_pass(user));
}

static double run_stock(void *user)
{
    return per_op(user, bench_stock_pass(user));
}

/* ---- both */

#define TABLE_ENTRY (UINT64_C(0x63)) /* present, writable, accessed, dirty */

static bool write_entry(BenchSides *sides, uint64_t gpa, uint64_t entry)
{
    return pgm_write_u64(sides->pgm, gpa, entry) == MEM_OK &&
           uc_mem_write(sides->uc, gpa, &entry, sizeof(entry)) == UC_ERR_OK;
}

/* PAE tables in both guests that map memory up to @ram to itself by pages of 4 KiB: one directory
 * pointer table, one directory, tables from there on. */
static bool write_page_tables(BenchSides *sides, uint64_t ram)
{
    const uint64_t directory = PAGE_TABLES + MEM_PAGE_SIZE;
    const uint64_t tables = directory + MEM_PAGE_SIZE;
    bool ok = write_entry(sides, PAGE_TABLES, directory | 1);

    g_assert(tables + (ram >> 21) * MEM_PAGE_SIZE <= BENCH_DATA);
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
    bench_sides_clear(user);
    g_free(user);
}

static void *guest_setup(const BenchRow *row, bool quick, GError **error)
{
    BenchSides *sides = g_new0(BenchSides, 1);

    sides->row = &rows[row->variant];
    sides->count = quick ? sides->row->quick_count : sides->row->count;

    bool touches = row->variant == ROW_TOUCH || row->variant == ROW_TOUCH_PAE;
    uint64_t ram = BENCH_DATA + (touches ? sides->count * MEM_PAGE_SIZE : BENCH_DATA);
    bool ok = bench_ours_open(sides, ram, error) &&
              (sides->row->stock == NO_STOCK || bench_stock_open(sides, ram, error));

    if (ok && row->variant == ROW_TOUCH_PAE && !write_page_tables(sides, ram)) {
        g_set_error(error, BENCH_ERROR, 0, "no page tables could be written");
        ok = false;
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
    const BenchSides *sides = user;
    PgmHandler *handler =
        pgm_handler_new(sides->pgm, PGM_HANDLER_KIND_WRITE, BENCH_DATA + MEM_PAGE_SIZE, 16,
                        on_write, NULL, "bench", NULL);

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
