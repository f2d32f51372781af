/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port space: a table from port to range, ranges in slots that are used again.
 *
 * Invariants:
 *   1. owner[p] is 0 or the handle (slot + 1) of the one live range that holds port p.
 *   2. A slot with no ports (count 0) is free.
 *   3. Device names live as long as the port space, so that a name outlives a range removed inside
 * its own access.
 *
 * Source: Intel SDM volume 1, chapter 19 (input/output).
 */
#include "emu/ports-internal.h"

#include "emu/error.h"

#define N_PORTS 65536u

typedef struct Range {
    const EmuPortOps *ops;
    void *user;
    const char *device;
    uint32_t first;
    uint32_t count; /* 0: the slot is free */
} Range;

struct EmuPorts {
    uint16_t owner[N_PORTS];
    GArray *ranges; /* of Range */
    GStringChunk *names;
    EmuPortsTrace trace;
    void *trace_user;
    uint64_t n_reads;
    uint64_t n_writes;
};

EmuPorts *emu_ports_new(void)
{
    EmuPorts *ports = g_new0(EmuPorts, 1);

    ports->ranges = g_array_new(FALSE, TRUE, sizeof(Range));
    ports->names = g_string_chunk_new(256);
    return ports;
}

void emu_ports_free(EmuPorts *ports)
{
    if (ports == NULL) {
        return;
    }
    g_string_chunk_free(ports->names);
    g_array_unref(ports->ranges);
    g_free(ports);
}

void emu_ports_set_trace(EmuPorts *ports, EmuPortsTrace trace, void *user)
{
    ports->trace = trace;
    ports->trace_user = user;
}

static const Range *range_at(const EmuPorts *ports, uint16_t port)
{
    unsigned handle = ports->owner[port];

    return handle == 0 ? NULL : &g_array_index(ports->ranges, Range, handle - 1);
}

/* A free slot; adds one if need be. */
static unsigned take_slot(EmuPorts *ports)
{
    for (guint i = 0; i < ports->ranges->len; i++) {
        if (g_array_index(ports->ranges, Range, i).count == 0) {
            return i;
        }
    }
    g_array_set_size(ports->ranges, ports->ranges->len + 1);
    return ports->ranges->len - 1;
}

unsigned emu_ports_add(EmuPorts *ports, uint16_t first, unsigned count, const EmuPortOps *ops,
                       void *user, const char *device, GError **error)
{
    g_assert(count >= 1 && first + count <= N_PORTS && count <= N_PORTS);
    g_assert(ops != NULL && (ops->sizes & ~7u) == 0 && ops->sizes != 0);

    for (unsigned i = 0; i < count; i++) {
        const Range *there = range_at(ports, (uint16_t)(first + i));

        if (there != NULL) {
            g_set_error(error, EMU_ERROR, EMU_ERROR_CONFLICT,
                        "ports %#x to %#x for %s: port %#x belongs to %s", first, first + count - 1,
                        device, first + i, there->device);
            return 0;
        }
    }

    unsigned slot = take_slot(ports);

    /* Every live range holds a port, so the handles always fit unless all ports are taken one by
     * one. */
    g_assert(slot + 1 <= UINT16_MAX);
    g_array_index(ports->ranges, Range, slot) = (Range) {
        .ops = ops,
        .user = user,
        .device = g_string_chunk_insert_const(ports->names, device),
        .first = first,
        .count = count,
    };
    for (unsigned i = 0; i < count; i++) {
        ports->owner[first + i] = (uint16_t)(slot + 1);
    }
    return slot + 1;
}

void emu_ports_remove(EmuPorts *ports, unsigned handle)
{
    g_assert(handle >= 1 && handle <= ports->ranges->len);

    Range *range = &g_array_index(ports->ranges, Range, handle - 1);

    g_assert(range->count > 0);
    for (uint32_t i = 0; i < range->count; i++) {
        ports->owner[range->first + i] = 0;
    }
    *range = (Range) { 0 };
}

static uint32_t value_mask(unsigned size)
{
    return UINT32_MAX >> (32 - 8 * size);
}

static uint32_t read_split(EmuPorts *ports, uint16_t port, unsigned size)
{
    const Range *range = range_at(ports, port);

    if (range != NULL && (range->ops->sizes & size) != 0) {
        if (range->ops->read == NULL) {
            return value_mask(size);
        }
        return range->ops->read(range->user, port, size) & value_mask(size);
    }
    if (size == 1) {
        return 0xFF;
    }

    unsigned half = size / 2;
    uint32_t low = read_split(ports, port, half);
    uint32_t high = read_split(ports, (uint16_t)(port + half), half);

    return low | high << (8 * half);
}

static void write_split(EmuPorts *ports, uint16_t port, unsigned size, uint32_t value)
{
    const Range *range = range_at(ports, port);

    if (range != NULL && (range->ops->sizes & size) != 0) {
        if (range->ops->write != NULL) {
            range->ops->write(range->user, port, size, value & value_mask(size));
        }
        return;
    }
    if (size == 1) {
        return;
    }

    unsigned half = size / 2;

    write_split(ports, port, half, value);
    write_split(ports, (uint16_t)(port + half), half, value >> (8 * half));
}

uint32_t emu_ports_read(EmuPorts *ports, uint16_t port, unsigned size)
{
    g_assert(size == 1 || size == 2 || size == 4);

    const char *device = emu_ports_owner(ports, port);
    uint32_t value = read_split(ports, port, size);

    ports->n_reads++;
    if (ports->trace != NULL) {
        ports->trace(ports->trace_user, false, port, size, value, device);
    }
    return value;
}

void emu_ports_write(EmuPorts *ports, uint16_t port, unsigned size, uint32_t value)
{
    g_assert(size == 1 || size == 2 || size == 4);

    const char *device = emu_ports_owner(ports, port);

    value &= value_mask(size);
    write_split(ports, port, size, value);
    ports->n_writes++;
    if (ports->trace != NULL) {
        ports->trace(ports->trace_user, true, port, size, value, device);
    }
}

const char *emu_ports_owner(const EmuPorts *ports, uint16_t port)
{
    const Range *range = range_at(ports, port);

    return range == NULL ? NULL : range->device;
}

uint64_t emu_ports_count_reads(const EmuPorts *ports)
{
    return ports->n_reads;
}

uint64_t emu_ports_count_writes(const EmuPorts *ports)
{
    return ports->n_writes;
}
