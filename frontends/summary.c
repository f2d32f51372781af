/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary at the end of a run; see summary.h.
 */
#include "summary.h"

#define U G_GUINT64_FORMAT

static void print_time(const FeCounters *c, GString *text)
{
    g_string_append_printf(text,
                           "quire: time: %.3f s, guest %.3f s; %" U " bytes of code; Unicorn %s\n",
                           (double)c->wall_ns / 1e9, (double)c->emu.guest_ns / 1e9,
                           c->emu.bytes_executed, emu_engine_version());
}

static void print_memory(const FeCounters *c, GString *text)
{
    const PgmPageCounts *pages = &c->pgm.pages;

    g_string_append_printf(text,
                           "quire: pages: %" U ": %" U " private, %" U " zero, %" U " shared, %" U
                           " MMIO; %" U " executed\n",
                           pages->all, pages->private_pages, pages->zero, pages->shared,
                           pages->pure_mmio, c->pgm.code_pages);
    g_string_append_printf(text,
                           "quire: TLB: Unicorn's %" U " fills, %" U " flushes; page map %" U
                           " fills; ranges %" U " hits, %" U " misses\n",
                           c->emu.tlb_fills, c->emu.tlb_flushes, c->pgm.tlb_fills,
                           c->pgm.range_cache_hits, c->pgm.range_cache_misses);
    g_string_append_printf(
        text,
        "quire: ROM: protection of %" U " pages switched in %" U " calls; %" U " writes ignored\n",
        c->pgm.rom_switched_pages, c->pgm.rom_protect_calls, c->pgm.rom_writes_ignored);
}

static void print_traffic(const FeCounters *c, GString *text)
{
    g_string_append_printf(text,
                           "quire: MMIO: %" U " reads, %" U " writes; ports: %" U " reads, %" U
                           " writes; unassigned: %" U " reads, %" U " writes\n",
                           c->pgm.mmio_reads, c->pgm.mmio_writes, c->port_reads, c->port_writes,
                           c->pgm.unassigned_reads, c->pgm.unassigned_writes);
    g_string_append_printf(
        text, "quire: CPU: %" U " interrupts, %" U " exceptions, %" U " halts, %" U " resets\n",
        c->emu.interrupts, c->emu.exceptions, c->emu.halts, c->emu.resets);
}

void fe_summary_print(const FeCounters *counters, GString *text)
{
    print_time(counters, text);
    print_memory(counters, text);
    print_traffic(counters, text);
}
