/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that saved states of fuzz-state.c are of: RAM, a shadowed ROM behind it, an MMIO and
 * an MMIO2 range and a handler, so that every type of record has something to be about.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

#include "memsys/handler.h"
#include "memsys/mmio.h"
#include "memsys/mmio2.h"
#include "memsys/rom.h"
#include "memsys/saved_state.h"

#define STATE_PAGE 4096u
#define STATE_RAM_PAGES 16u
#define STATE_ROM (STATE_RAM_PAGES * STATE_PAGE)
#define STATE_ROM_PAGES 4u
#define STATE_DEVICE_PAGES 3u
#define STATE_END (STATE_ROM + 32u * STATE_PAGE) /* devices are looked for up to here */
#define STATE_HANDLER (14u * STATE_PAGE)         /* two pages */

typedef struct StateMachine {
    Pgm *pgm;
    PgmMmio *mmio;
    PgmMmio2 *mmio2;
    PgmHandler *handler;
} StateMachine;

static inline MemStatus state_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    (void)size;
    *ret_value = offset;
    return MEM_OK;
}

static inline PgmHandlerResult state_pass(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static inline void state_machine_init(StateMachine *m, Gmm *gmm)
{
    static const PgmMmioOps ops = { .read = state_read };

    m->pgm = pgm_new(gmm, NULL, NULL);
    MemStatus ram = pgm_ram_register(m->pgm, 0, STATE_ROM, "ram", NULL);
    MemStatus rom = pgm_rom_register(m->pgm, STATE_ROM, STATE_ROM_PAGES * STATE_PAGE, NULL, 0, 0,
                                     PGM_ROM_FLAG_SHADOWED, "fuzz", "rom", NULL);

    m->mmio =
        pgm_mmio_new(m->pgm, STATE_DEVICE_PAGES * STATE_PAGE, &ops, NULL, "fuzz", "mmio", NULL);
    m->mmio2 =
        pgm_mmio2_new(m->pgm, "fuzz", 0, STATE_DEVICE_PAGES * STATE_PAGE, true, "mmio2", NULL);
    m->handler = pgm_handler_new(m->pgm, PGM_HANDLER_KIND_WRITE, STATE_HANDLER, 2 * STATE_PAGE,
                                 state_pass, NULL, "pass", NULL);
    fuzz_check(ram == MEM_OK && rom == MEM_OK && m->mmio && m->mmio2 && m->handler, "no machine");
}

static inline void state_machine_clear(StateMachine *m)
{
    pgm_handler_free(m->handler);
    pgm_free(m->pgm);
}
