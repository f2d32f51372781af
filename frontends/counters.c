/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All counters of a machine under hierarchical names; see counters.h.
 */
#include "counters.h"

#include <json-glib/json-glib.h>
#include <stddef.h>

#define COUNTER(name, member)              \
    {                                      \
        name, offsetof(FeCounters, member) \
    }

static const struct {
    const char *name;
    size_t offset; /* of a uint64_t in FeCounters */
} table[] = {
    COUNTER("/PGM/Page/cAllPages", pgm.pages.all),
    COUNTER("/PGM/Page/cPrivatePages", pgm.pages.private_pages),
    COUNTER("/PGM/Page/cSharedPages", pgm.pages.shared),
    COUNTER("/PGM/Page/cZeroPages", pgm.pages.zero),
    COUNTER("/PGM/Page/cPureMmioPages", pgm.pages.pure_mmio),
    COUNTER("/PGM/Page/cMonitoredPages", pgm.pages.monitored),
    COUNTER("/PGM/Page/cBalloonedPages", pgm.pages.ballooned),
    COUNTER("/PGM/Page/cWrittenToPages", pgm.pages.written),
    COUNTER("/PGM/Page/cHandyPages", pgm.handy_pages),
    COUNTER("/PGM/Page/HandyAllocs", pgm.handy_refills),
    COUNTER("/PGM/Page/ReplacedZero", pgm.replaced_zero),
    COUNTER("/PGM/Page/ReplacedShared", pgm.replaced_shared),
    COUNTER("/PGM/Page/Unmonitored", pgm.unmonitored),
    COUNTER("/PGM/Page/MapTlbMisses", pgm.tlb_fills),
    COUNTER("/PGM/Page/MapTlbFlushes", pgm.tlb_flushes),
    COUNTER("/PGM/Page/MapTlbFlushEntry", pgm.tlb_flushed_pages),
    COUNTER("/PGM/RamRange/TlbHits", pgm.range_cache_hits),
    COUNTER("/PGM/RamRange/TlbMisses", pgm.range_cache_misses),
    COUNTER("/PGM/CPU/Fills", pgm.cpu_fills),
    COUNTER("/PGM/CPU/FillsCatch", pgm.cpu_fills_catch),
    COUNTER("/PGM/CPU/CodePages", pgm.code_pages),
    COUNTER("/PGM/ROM/ProtectCalls", pgm.rom_protect_calls),
    COUNTER("/PGM/ROM/SwitchedPages", pgm.rom_switched_pages),
    COUNTER("/PGM/ROM/WritesIgnored", pgm.rom_writes_ignored),
    COUNTER("/PGM/ROM/WritesShadow", pgm.rom_writes_shadow),
    COUNTER("/PGM/MMIO/Reads", pgm.mmio_reads),
    COUNTER("/PGM/MMIO/Writes", pgm.mmio_writes),
    COUNTER("/PGM/Handler/Calls", pgm.handler_calls),
    COUNTER("/PGM/Watch/Hits", pgm.watch_hits),
    COUNTER("/PGM/Unassigned/Reads", pgm.unassigned_reads),
    COUNTER("/PGM/Unassigned/Writes", pgm.unassigned_writes),
    COUNTER("/PGM/Phys/Read/Bytes", pgm.bulk_read_bytes),
    COUNTER("/PGM/Phys/Write/Bytes", pgm.bulk_write_bytes),
    COUNTER("/GMM/cMaxPages", gmm.max),
    COUNTER("/GMM/cReservedPages", gmm.reserved),
    COUNTER("/GMM/cAllocatedPages", gmm.allocated),
    COUNTER("/GMM/cSharedPages", gmm.shared),
    COUNTER("/GMM/cDuplicatePages", gmm.duplicates),
    COUNTER("/GMM/cBalloonedPages", gmm.ballooned),
    COUNTER("/GMM/cChunks", gmm.n_chunks),
    COUNTER("/GMM/cFreedChunks", gmm.n_freed_chunks),
    COUNTER("/GMM/cRegisteredVMs", gmm.n_vms),
    COUNTER("/CPU/BytesExecuted", emu.bytes_executed),
    COUNTER("/CPU/Interrupts", emu.interrupts),
    COUNTER("/CPU/Exceptions", emu.exceptions),
    COUNTER("/CPU/Halts", emu.halts),
    COUNTER("/CPU/Steps", emu.steps),
    COUNTER("/CPU/TLB/Fills", emu.tlb_fills),
    COUNTER("/CPU/TLB/Flushes", emu.tlb_flushes),
    COUNTER("/CPU/CodeInvalidations", emu.code_invalidations),
    COUNTER("/CPU/CaughtReads", emu.caught_reads),
    COUNTER("/CPU/CaughtWrites", emu.caught_writes),
    COUNTER("/Bus/Port/Reads", port_reads),
    COUNTER("/Bus/Port/Writes", port_writes),
    COUNTER("/Run/Resets", emu.resets),
    COUNTER("/Run/GuestNs", emu.guest_ns),
    COUNTER("/Run/WallNs", wall_ns),
};

void fe_counters_collect(EmuMachine *machine, uint64_t wall_ns, FeCounters *ret_counters)
{
    Pgm *pgm = emu_machine_pgm(machine);
    EmuPorts *ports = emu_machine_ports(machine);

    *ret_counters = (FeCounters) { 0 };
    pgm_get_stats(pgm, &ret_counters->pgm);
    gmm_get_stats(pgm_gmm(pgm), &ret_counters->gmm);
    emu_machine_get_stats(machine, &ret_counters->emu);
    ret_counters->port_reads = emu_ports_count_reads(ports);
    ret_counters->port_writes = emu_ports_count_writes(ports);
    ret_counters->wall_ns = wall_ns;
}

static uint64_t value_at(const FeCounters *counters, unsigned index)
{
    return *(const uint64_t *)(const void *)((const char *)counters + table[index].offset);
}

void fe_counters_print(const FeCounters *counters, GString *text)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        g_string_append_printf(text, "%-32s %" G_GUINT64_FORMAT "\n", table[i].name,
                               value_at(counters, i));
    }
}

char *fe_counters_to_json(const FeCounters *counters, const char *reason, int status)
{
    JsonObject *root = json_object_new();
    JsonObject *values = json_object_new();
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        /* JSON's integers are signed here; a limit of "no limit" is the one value that large. */
        json_object_set_int_member(values, table[i].name,
                                   (gint64)MIN(value_at(counters, i), (uint64_t)G_MAXINT64));
    }
    json_object_set_string_member(root, "quire", QUIRE_VERSION);
    json_object_set_string_member(root, "unicorn", emu_engine_version());
    json_object_set_int_member(root, "status", status);
    json_object_set_string_member(root, "reason", reason);
    json_object_set_object_member(root, "counters", values);
    json_node_take_object(node, root);
    return json_to_string(node, TRUE);
}
