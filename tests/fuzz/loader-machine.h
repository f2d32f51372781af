/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine the loaders' targets load into: made once, because an engine takes long to open; its
 * memory is reset for each input. RAM: 640 KiB at 0 and 3 MiB at 1 MiB.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/memory-files.h"

#include "emu/loader.h"
#include "memsys/access.h"

#define LOW_END UINT64_C(0xA0000)
#define HIGH_START UINT64_C(0x100000)
#define HIGH_END UINT64_C(0x400000)

static EmuMachine *loader_machine;

static void free_loader_machine(void)
{
    g_clear_pointer(&loader_machine, emu_machine_free);
}

static inline EmuMachine *loader_machine_clean(void)
{
    if (loader_machine == NULL) {
        loader_machine = emu_machine_new(NULL, NULL);

        Pgm *pgm = emu_machine_pgm(loader_machine);
        MemStatus low = pgm_ram_register(pgm, 0, LOW_END, "low", NULL);
        MemStatus high = pgm_ram_register(pgm, HIGH_START, HIGH_END - HIGH_START, "high", NULL);

        fuzz_check(low == MEM_OK && high == MEM_OK, "no RAM");
        emu_machine_reset(loader_machine);
        memory_files_use();
        atexit(free_loader_machine);
    }
    pgm_reset(emu_machine_pgm(loader_machine));
    return loader_machine;
}

/* File "mem:@number" holds a copy of @bytes, and not a byte more; NULL: gone. */
static inline void loader_file(unsigned number, const uint8_t *bytes, size_t len)
{
    MemoryFile *file = &memory_files[number];

    uint8_t *copy = bytes != NULL ? g_malloc(MAX(len, 1)) : NULL;

    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    g_free(file->bytes);
    *file = (MemoryFile) { copy, len, 0, 0 };
}

/* Pages with memory of their own. */
static inline uint64_t loader_n_written(void)
{
    PgmStats stats;

    pgm_get_stats(emu_machine_pgm(loader_machine), &stats);
    return stats.pages.private_pages;
}

static inline bool loader_holds(GPhys at, const uint8_t *bytes, uint64_t len)
{
    static uint8_t buf[HIGH_END];

    if (len > sizeof buf ||
        pgm_read(emu_machine_pgm(loader_machine), at, buf, len, MEM_ORIGIN_DEBUGGER) != MEM_OK) {
        return false;
    }
    return len == 0 || memcmp(buf, bytes, len) == 0;
}

static inline bool loader_holds_zeros(GPhys at, uint64_t len)
{
    static const uint8_t zeros[HIGH_END];

    return len <= sizeof zeros && loader_holds(at, zeros, len);
}
