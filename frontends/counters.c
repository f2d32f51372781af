/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All counters of a machine under hierarchical names; see counters.h.
 */
#include "counters.h"

#include <json-glib/json-glib.h>
#include <stddef.h>
#include <string.h>

#define COUNTER(name, member, unit, description)              \
    {                                                         \
        name, offsetof(FeCounters, member), unit, description \
    }

/* In order of name. */
static const struct {
    const char *name;
    size_t offset; /* of a uint64_t in FeCounters */
    const char *unit;
    const char *description;
} table[] = {
    COUNTER("/Bus/Port/Reads", port_reads, "times", "a port was read"),
    COUNTER("/Bus/Port/Writes", port_writes, "times", "a port was written"),
    COUNTER("/CPU/BytesExecuted", emu.bytes_executed, "bytes", "of code that ran"),
    COUNTER("/CPU/CaughtReads", emu.caught_reads, "times", "a load went over the bus"),
    COUNTER("/CPU/CaughtWrites", emu.caught_writes, "times", "a store went over the bus"),
    COUNTER("/CPU/CodeInvalidations", emu.code_invalidations, "times",
            "translated code was dropped"),
    COUNTER("/CPU/Exceptions", emu.exceptions, "times", "an exception was delivered"),
    COUNTER("/CPU/Halts", emu.halts, "times", "the CPU halted"),
    COUNTER("/CPU/Interrupts", emu.interrupts, "times", "an interrupt was delivered"),
    COUNTER("/CPU/Steps", emu.steps, "times", "an instruction was run by itself"),
    COUNTER("/CPU/TLB/Fills", emu.tlb_fills, "times", "Unicorn's TLB missed"),
    COUNTER("/CPU/TLB/Flushes", emu.tlb_flushes, "times", "Unicorn's TLB was flushed"),
    COUNTER("/Run/GuestNs", emu.guest_ns, "ns", "of guest time"),
    COUNTER("/Run/Resets", emu.resets, "times", "the machine was reset"),
    COUNTER("/Run/WallNs", wall_ns, "ns", "of your time"),
};

/* Memory's names come between those of /CPU and those of /Run. */
#define BEFORE_MEMORY(name) (strcmp(name, "/GMM") < 0)

void fe_counters_collect(EmuMachine *machine, uint64_t wall_ns, FeCounters *ret_counters)
{
    Pgm *pgm = emu_machine_pgm(machine);
    EmuPorts *ports = emu_machine_ports(machine);

    *ret_counters = (FeCounters) { 0 };
    ret_counters->memory = pgm;
    pgm_get_stats(pgm, &ret_counters->pgm);
    emu_machine_get_stats(machine, &ret_counters->emu);
    ret_counters->port_reads = emu_ports_count_reads(ports);
    ret_counters->port_writes = emu_ports_count_writes(ports);
    ret_counters->wall_ns = wall_ns;
}

static unsigned visit_own(const FeCounters *counters, const char *glob, bool before_memory,
                          PgmStatVisitor visit, void *user)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        PgmStat stat = { .name = table[i].name,
                         .unit = table[i].unit,
                         .description = table[i].description };

        if (BEFORE_MEMORY(stat.name) == before_memory &&
            (glob == NULL || pgm_stat_name_matches(glob, stat.name))) {
            memcpy(&stat.value, (const char *)counters + table[i].offset, sizeof stat.value);
            visit(&stat, user);
            n++;
        }
    }
    return n;
}

static unsigned visit_all(const FeCounters *counters, const char *glob, PgmStatVisitor visit,
                          void *user)
{
    unsigned n = visit_own(counters, glob, true, visit, user);

    n += pgm_stats_foreach(counters->memory, glob, visit, user);
    return n + visit_own(counters, glob, false, visit, user);
}

static void print(const PgmStat *stat, void *user)
{
    g_string_append_printf(user, "%-34s %20" G_GUINT64_FORMAT " %-6s %s\n", stat->name, stat->value,
                           stat->unit, stat->description);
}

unsigned fe_counters_print(const FeCounters *counters, const char *glob, GString *text)
{
    return visit_all(counters, glob, print, text);
}

static void add_member(const PgmStat *stat, void *user)
{
    /* JSON's integers are signed here; a limit of "no limit" is the one value that large. */
    json_object_set_int_member(user, stat->name, (gint64)MIN(stat->value, (uint64_t)G_MAXINT64));
}

char *fe_counters_to_json(const FeCounters *counters, const char *reason, int status)
{
    JsonObject *root = json_object_new();
    JsonObject *values = json_object_new();
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    visit_all(counters, NULL, add_member, values);
    json_object_set_string_member(root, "quire", QUIRE_VERSION);
    json_object_set_string_member(root, "unicorn", emu_engine_version());
    json_object_set_int_member(root, "status", status);
    json_object_set_string_member(root, "reason", reason);
    json_object_set_object_member(root, "counters", values);
    json_node_take_object(node, root);
    return json_to_string(node, TRUE);
}
