/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machines of fuzz-memory.c and what they should hold. */
#include "tests/fuzz/memory-naive.h"

const unsigned mmio2_places[4] = { 2, 14, 24, 34 };
const unsigned mmio_places[4] = { 5, 18, 28, 40 };

/* ---- the registers of the MMIO range */

static MemStatus read_register(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    Machine *m = user;

    *ret_value = 0;
    memcpy(ret_value, m->registers + offset, size);
    return MEM_OK;
}

static MemStatus write_register(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    Machine *m = user;

    memcpy(m->registers + offset, &value, size);
    return MEM_OK;
}

/* ---- what lies where */

static void look_up_device(Machine *m, unsigned page, uint8_t **ret_from, uint8_t **ret_to)
{
    Content *now = &m->now;

    if (now->mmio2_page != 0 && page - now->mmio2_page < now->mmio2_shown) {
        *ret_from = *ret_to = now->device + (page - now->mmio2_page) * PAGE;
    }
    if (now->mmio_page != 0 && page - now->mmio_page < DEVICE_PAGES) {
        unsigned i = page - now->mmio_page;

        if (now->alias[i] != 0) {
            *ret_from = *ret_to = now->device + (now->alias[i] - 1) * PAGE;
        } else {
            /* The device itself has stored it by then. */
            *ret_from = m->registers + i * PAGE;
            *ret_to = NULL;
        }
    }
}

void look_up(Machine *m, unsigned page, uint8_t **ret_from, uint8_t **ret_to)
{
    Content *now = &m->now;
    bool hole = page >= LOW_PAGES && page < LOW_PAGES + HOLE_PAGES;

    *ret_from = *ret_to = hole || page >= ALL_PAGES ? NULL : now->ram + page * PAGE;
    if (page >= ROM_PAGE && page < ROM_PAGE + ROM_PAGES) {
        unsigned i = page - ROM_PAGE;
        bool reads_ram = now->prot[i] == PGM_ROM_READ_RAM_WRITE_IGNORE ||
                         now->prot[i] == PGM_ROM_READ_RAM_WRITE_RAM;
        bool writes_ram = now->prot[i] == PGM_ROM_READ_ROM_WRITE_RAM ||
                          now->prot[i] == PGM_ROM_READ_RAM_WRITE_RAM;

        *ret_from = (reads_ram ? now->shadow : now->rom) + i * PAGE;
        *ret_to = writes_ram ? now->shadow + i * PAGE : NULL;
    }
    look_up_device(m, page, ret_from, ret_to);
}

void want_bytes(Machine *m, uint64_t at, uint8_t *ret_bytes, size_t len)
{
    while (len > 0) {
        size_t n = MIN(len, PAGE - at % PAGE);
        uint8_t *from;
        uint8_t *to;

        look_up(m, (unsigned)(at / PAGE), &from, &to);
        if (from != NULL) {
            memcpy(ret_bytes, from + at % PAGE, n);
        } else {
            memset(ret_bytes, 0xFF, n);
        }
        at += n;
        ret_bytes += n;
        len -= n;
    }
}

void put_bytes(Machine *m, uint64_t at, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t n = MIN(len, PAGE - at % PAGE);
        unsigned page = (unsigned)(at / PAGE);
        uint8_t *from;
        uint8_t *to;

        look_up(m, page, &from, &to);
        if (to != NULL && !(to == m->now.ram + page * PAGE && m->now.ballooned[page])) {
            memcpy(to + at % PAGE, bytes, n);
        }
        at += n;
        bytes += n;
        len -= n;
    }
}

void fill_image(uint8_t *rom)
{
    static uint8_t image[ROM_PAGES * PAGE];

    for (unsigned i = 0; image[0] == 0 && i < sizeof image; i++) {
        image[sizeof image - 1 - i] = (uint8_t)(i ^ i >> 8 ^ 0x5A);
    }
    memcpy(rom, image, sizeof image);
}

/* ---- */

void give_room(Machine *m)
{
    (void)pgm_snapshot_set_limit(m->pgm, UINT64_MAX);
    gmm_set_limit(memory_gmm, UINT64_MAX);
}

void check_hits(const Machine *m, unsigned before, uint64_t at, size_t len, MemAccess access,
                bool by_gva)
{
    bool touches = m->watch != NULL && len > 0 && (m->watch_accesses & access) != 0 &&
                   (by_gva || !m->watch_is_virtual) && at < m->watch_start + m->watch_len &&
                   m->watch_start < at + len;

    fuzz_check((m->n_hits != before) == touches, "%u hits of the watch by %zu bytes at %#lx",
               m->n_hits - before, len, (unsigned long)at);
}

void machine_start(Machine *m, unsigned number)
{
    static const PgmMmioOps mmio_ops = { .read = read_register,
                                         .write = write_register,
                                         .unaligned = true };
    const PgmConfig config = { .name = "fuzz", .large_runs = number == 1 };

    memset(m, 0, offsetof(Machine, then));
    m->now.mmio2_shown = DEVICE_PAGES;
    m->pgm = pgm_new(memory_gmm, &config, NULL);
    fuzz_check(m->pgm != NULL, "no machine");
    fill_image(m->now.rom);

    MemStatus low = pgm_ram_register(m->pgm, 0, LOW_PAGES * PAGE, "low", NULL);
    MemStatus high =
        pgm_ram_register(m->pgm, (LOW_PAGES + HOLE_PAGES) * PAGE, HIGH_PAGES * PAGE, "high", NULL);
    MemStatus big = pgm_ram_register(m->pgm, BIG_START, BIG_PAGES * PAGE, "big", NULL);
    MemStatus rom =
        pgm_rom_register(m->pgm, ROM_PAGE * PAGE, ROM_PAGES * PAGE, m->now.rom, sizeof m->now.rom,
                         0, PGM_ROM_FLAG_SHADOWED, "fuzz", "rom", NULL);

    fuzz_check(low == MEM_OK && high == MEM_OK && big == MEM_OK && rom == MEM_OK,
               "no memory to begin with");
    m->mmio2 = pgm_mmio2_new(m->pgm, "fuzz", 0, DEVICE_PAGES * PAGE, true, "mmio2", NULL);
    m->mmio = pgm_mmio_new(m->pgm, DEVICE_PAGES * PAGE, &mmio_ops, m, "fuzz", "mmio", NULL);
    fuzz_check(m->mmio2 != NULL && m->mmio != NULL, "no devices");
}

/* Snapshots go with the machine. */
void machine_end(Machine *m)
{
    if (m->is_mapped) {
        pgm_unmap_pages(m->pgm, m->mappings, N_MAPPINGS);
    }
    g_clear_pointer(&m->watch, pgm_watch_free);
    g_clear_pointer(&m->cpu, pgm_cpu_detach);
    g_clear_pointer(&m->handler, pgm_handler_free);
    g_clear_pointer(&m->dirty, pgm_dirty_free);
    pgm_free(m->pgm);
}
