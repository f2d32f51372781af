/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dumps and the report of a guest that failed; see report.h.
 */
#include "report.h"

#include "memsys/access.h"
#include "signals.h"

#include <string.h>

#define PIECE (UINT64_C(64) << 10)

void fe_report_dump(Pgm *pgm, const FeRange *range, FeOutput *output)
{
    g_autofree uint8_t *piece = g_malloc(PIECE);
    g_autofree char *trouble = NULL;

    for (uint64_t done = 0; done < range->len && trouble == NULL && fe_signals_caught() == 0;) {
        uint64_t n = MIN(PIECE, range->len - done);
        MemStatus status = pgm_peek(pgm, range->start + done, piece, n);

        /* MMIO and holes are all ones already; anything else that fails has no bytes to show. */
        if (status != MEM_OK && status != MEM_ERR_RESERVED && status != MEM_ERR_UNASSIGNED) {
            memset(piece, 0xFF, n);
        }
        fe_output_sink(output, piece, n);
        done += n;
        trouble = fe_output_describe_error(output);
    }
    fe_output_flush(output);
}

static void print_place(EmuMachine *machine, GVirt address, const EmuSymbols *symbols,
                        GString *text)
{
    uint64_t offset = 0;
    const char *symbol = emu_symbols_find(symbols, address, &offset);

    emu_machine_print_walk(machine, address, text);
    if (symbol != NULL) {
        g_string_append_printf(text, "%08" G_GINT64_MODIFIER "X is %s+0x%" G_GINT64_MODIFIER "x\n",
                               address, symbol, offset);
    }
}

void fe_report_failure(EmuMachine *machine, const EmuStop *stop, const EmuSymbols *symbols,
                       GString *text)
{
    GVirt pc = emu_machine_pc(machine);

    g_string_append_printf(text, "quire: the machine at its end (%s):\n", stop->text);
    emu_machine_print_state(machine, text);
    print_place(machine, pc, symbols, text);
    if (stop->address != 0 && stop->address != pc) {
        print_place(machine, stop->address, symbols, text);
    }
}
