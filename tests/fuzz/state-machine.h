/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that saved states of fuzz-state.c are of. */
#pragma once

#include "tests/fuzz/fuzz.h"

#include "memsys/rom.h"
#include "memsys/saved_state.h"

#define STATE_PAGE 4096u
#define STATE_ROM (16u * STATE_PAGE)

static inline Pgm *state_machine_new(Gmm *gmm)
{
    Pgm *pgm = pgm_new(gmm, NULL, NULL);
    MemStatus ram = pgm_ram_register(pgm, 0, STATE_ROM, "ram", NULL);
    MemStatus rom = pgm_rom_register(pgm, STATE_ROM, 2 * STATE_PAGE, NULL, 0, 0,
                                     PGM_ROM_FLAG_SHADOWED, "fuzz", "rom", NULL);

    fuzz_check(ram == MEM_OK && rom == MEM_OK, "no machine");
    return pgm;
}
