/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that read and write, by devices, debuggers and CPUs.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

#define BULK_MAX (5 * PAGE)

static uint8_t real_bytes[BULK_MAX], naive_bytes[BULK_MAX];

static uint64_t pick_value(void)
{
    return one_in(6) ? 0 : rng();
}

static unsigned pick_len(uint64_t gpa)
{
    unsigned len = one_in(3) ? below(BULK_MAX) : one_in(2) ? below(64) : 1 + below(PAGE);

    len = (unsigned)MIN(len, UINT64_MAX - gpa);
    return one_in(40) ? 0 : MAX(len, 1);
}

static void pick_bytes(unsigned len)
{
    bool zeros = one_in(5);

    for (unsigned i = 0; i < len; i += 8) {
        uint64_t value = zeros ? 0 : rng();

        memcpy(&real_bytes[i], &value, MIN(8, len - i));
    }
}

static void same_bytes(uint64_t gpa, uint64_t len)
{
    for (uint64_t i = 0; i < len && memcmp(real_bytes, naive_bytes, len) != 0; i++) {
        if (real_bytes[i] != naive_bytes[i]) {
            model_fail("read %#x at %#" PRIx64 ", expected %#x", real_bytes[i], gpa + i,
                       naive_bytes[i]);
        }
    }
}

/* ---- typed */

static uint64_t typed_read(Pgm *pgm, uint64_t gpa, unsigned size, MemOrigin origin)
{
    bool plain = origin == MEM_ORIGIN_DEVICE;

    switch (size) {
    case 1:
        return plain ? pgm_read_u8(pgm, gpa) : pgm_read_u8_as(pgm, gpa, origin);
    case 2:
        return plain ? pgm_read_u16(pgm, gpa) : pgm_read_u16_as(pgm, gpa, origin);
    case 4:
        return plain ? pgm_read_u32(pgm, gpa) : pgm_read_u32_as(pgm, gpa, origin);
    default:
        return plain ? pgm_read_u64(pgm, gpa) : pgm_read_u64_as(pgm, gpa, origin);
    }
}

static MemStatus typed_write(Pgm *pgm, uint64_t gpa, unsigned size, uint64_t value,
                             MemOrigin origin)
{
    bool plain = origin == MEM_ORIGIN_DEVICE;

    switch (size) {
    case 1:
        return plain ? pgm_write_u8(pgm, gpa, (uint8_t)value)
                     : pgm_write_u8_as(pgm, gpa, (uint8_t)value, origin);
    case 2:
        return plain ? pgm_write_u16(pgm, gpa, (uint16_t)value)
                     : pgm_write_u16_as(pgm, gpa, (uint16_t)value, origin);
    case 4:
        return plain ? pgm_write_u32(pgm, gpa, (uint32_t)value)
                     : pgm_write_u32_as(pgm, gpa, (uint32_t)value, origin);
    default:
        return plain ? pgm_write_u64(pgm, gpa, value) : pgm_write_u64_as(pgm, gpa, value, origin);
    }
}

static void same_value(uint64_t gpa, uint64_t real, uint64_t naive)
{
    if (real != naive) {
        model_fail("read %#" PRIx64 " at %#" PRIx64 ", expected %#" PRIx64, real, gpa, naive);
    }
}

static int op_typed_read(Naive *m)
{
    uint64_t gpa = pick_address(m), value;
    unsigned size = 1u << below(4);
    MemOrigin origin = any_origin();

    script(m, "typed read %u at %#" PRIx64 " origin %d", size, gpa, origin);
    focus(m, ON_READ, gpa);
    real_begins(m);
    uint64_t real = typed_read(m->pgm, gpa, size, origin);

    real_ended(m);
    MemStatus status = naive_bus_read(m, gpa, size, origin, &value);

    same_value(gpa, real, value);
    return (int)status;
}

static int op_typed_write(Naive *m)
{
    uint64_t gpa = pick_address(m), value = pick_value();
    unsigned size = 1u << below(4);
    MemOrigin origin = any_origin();

    script(m, "typed write %u at %#" PRIx64 " value %#" PRIx64 " origin %d", size, gpa, value,
           origin);
    focus(m, ON_WRITE, gpa);
    real_begins(m);
    MemStatus real = typed_write(m->pgm, gpa, size, value, origin);

    real_ended(m);
    return agree(m, real, naive_bus_write(m, gpa, size, value, origin));
}

static int op_bus_read(Naive *m)
{
    uint64_t gpa = pick_address(m), real_value, value;
    unsigned size = 1 + below(8);
    MemOrigin origin = any_origin();

    script(m, "bus read %u at %#" PRIx64 " origin %d", size, gpa, origin);
    focus(m, ON_READ, gpa);
    real_begins(m);
    MemStatus real = pgm_bus_read(m->pgm, gpa, size, origin, &real_value);

    real_ended(m);
    MemStatus naive = naive_bus_read(m, gpa, size, origin, &value);

    same_value(gpa, real_value, value);
    return agree(m, real, naive);
}

static int op_bus_write(Naive *m)
{
    uint64_t gpa = pick_address(m), value = pick_value();
    unsigned size = 1 + below(8);
    MemOrigin origin = any_origin();

    script(m, "bus write %u at %#" PRIx64 " value %#" PRIx64 " origin %d", size, gpa, value,
           origin);
    focus(m, ON_WRITE, gpa);
    real_begins(m);
    MemStatus real = pgm_bus_write(m->pgm, gpa, size, value, origin);

    real_ended(m);
    return agree(m, real, naive_bus_write(m, gpa, size, value, origin));
}

/* ---- bulk */

static int op_bulk_read(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned len = pick_len(gpa);
    MemOrigin origin = any_origin();

    script(m, "read %u at %#" PRIx64 " origin %d", len, gpa, origin);
    focus(m, ON_READ, gpa);
    memset(real_bytes, 0x11, sizeof real_bytes);
    real_begins(m);
    MemStatus real = pgm_read(m->pgm, gpa, real_bytes, len, origin);

    real_ended(m);
    memset(naive_bytes, 0x11, sizeof naive_bytes);
    MemStatus naive = naive_read(m, gpa, naive_bytes, len, origin);

    same_bytes(gpa, BULK_MAX);
    return agree(m, real, naive);
}

static int op_bulk_write(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned len = pick_len(gpa);
    MemOrigin origin = any_origin();

    pick_bytes(len);
    script(m, "write %u at %#" PRIx64 " origin %d first %#x", len, gpa, origin, real_bytes[0]);
    focus(m, ON_WRITE, gpa);
    real_begins(m);
    MemStatus real = pgm_write(m->pgm, gpa, real_bytes, len, origin);

    real_ended(m);
    return agree(m, real, naive_write(m, gpa, real_bytes, len, origin));
}

static int op_fill(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned len = pick_len(gpa);
    uint8_t byte = one_in(3) ? 0 : (uint8_t)rng();
    MemOrigin origin = any_origin();

    script(m, "fill %u at %#" PRIx64 " byte %#x origin %d", len, gpa, byte, origin);
    focus(m, ON_WRITE, gpa);
    real_begins(m);
    MemStatus real = pgm_fill(m->pgm, gpa, byte, len, origin);

    real_ended(m);
    memset(naive_bytes, byte, len);
    return agree(m, real, naive_write(m, gpa, naive_bytes, len, origin));
}

static int op_copy(Naive *m)
{
    uint64_t to = pick_address(m), from = one_in(2) ? pick_address(m) : to + below(2 * PAGE) - PAGE;
    unsigned len = pick_len(to);
    MemOrigin origin = any_origin();

    len = (unsigned)MIN(len, MIN(UINT64_MAX - to, UINT64_MAX - from));
    script(m, "copy %u to %#" PRIx64 " from %#" PRIx64 " origin %d", len, to, from, origin);
    focus(m, ON_WRITE, to);
    real_begins(m);
    MemStatus real = pgm_copy(m->pgm, to, from, len, origin);

    real_ended(m);
    return agree(m, real, naive_copy(m, to, from, len, origin));
}

int touch(Naive *m, uint64_t gpa)
{
    real_begins(m);
    MemStatus real = pgm_write_u8(m->pgm, gpa, 0x77);

    real_ended(m);
    int result = agree(m, real, naive_bus_write(m, gpa, 1, 0x77, MEM_ORIGIN_DEVICE));

    naive_nothing_left(m);
    return result;
}

int flood(Naive *m, NaiveRange *range)
{
    int result = MEM_OK;

    for (unsigned page = 0; page < range->n_pages; page++) {
        result = touch(m, range->start + (uint64_t)page * PAGE + 5);
    }
    return result;
}

/* Takes pages until there are none. */
static int op_flood(Naive *m)
{
    NaiveRange *range = pick_range(m, one_in(3) ? PGM_RANGE_RAM : PGM_RANGE_ROM);

    if (range == NULL || range->start == NOWHERE || range->start == SPARE_START) {
        return OP_SKIPPED;
    }
    script(m, "flood %#" PRIx64 " pages %u", range->start, range->n_pages);
    for (unsigned i = 0; model_limited && i < MAX_RANGES; i++) {
        if (m->ranges[i].live && m->ranges[i].kind == PGM_RANGE_RAM &&
            m->ranges[i].start != SPARE_START) {
            (void)flood(m, &m->ranges[i]);
        }
    }
    if (one_in(2)) {
        show_shadow(m, range);
    }
    focus(m, ON_WRITE, range->start + (uint64_t)(range->n_pages - 1) * PAGE);
    return flood(m, range);
}

/* ---- a debugger's */

static int op_peek(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned len = pick_len(gpa);

    script(m, "peek %u at %#" PRIx64, len, gpa);
    focus(m, ON_READ, gpa);
    memset(real_bytes, 0x11, sizeof real_bytes);
    real_begins(m);
    MemStatus real = pgm_peek(m->pgm, gpa, real_bytes, len);

    real_ended(m);
    memset(naive_bytes, 0x11, sizeof naive_bytes);
    MemStatus naive = naive_peek(m, gpa, naive_bytes, len);

    same_bytes(gpa, BULK_MAX);
    return agree(m, real, naive);
}

static int op_poke(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned len = pick_len(gpa);

    pick_bytes(len);
    script(m, "poke %u at %#" PRIx64, len, gpa);
    focus(m, ON_POKE, gpa);
    real_begins(m);
    MemStatus real = pgm_poke(m->pgm, gpa, real_bytes, len);

    real_ended(m);
    return agree(m, real, naive_poke(m, gpa, real_bytes, len));
}

/* ---- CPUs */

static Cpu *pick_cpu(Naive *m)
{
    Cpu *cpu = m->cpus[below(MAX_CPUS)];

    return cpu != NULL ? cpu : m->cpus[0];
}

/* As an engine does it: an access that leaves its page is two. */
static unsigned cpu_size(uint64_t gpa)
{
    unsigned size = 1u << below(4);

    return MIN(size, PAGE - (unsigned)(gpa % PAGE));
}

static int op_cpu_load(Naive *m)
{
    Cpu *cpu = pick_cpu(m);
    uint64_t gpa = pick_address(m), masked, real_value, value;
    unsigned size = cpu_size(gpa);
    uint8_t *host;

    masked = pgm_cpu_mask(cpu->cpu, gpa);
    script(m, "cpu load %u at %#" PRIx64, size, gpa);
    focus(m, ON_READ, masked);
    MemStatus status = cpu_ask(cpu, gpa, MEM_ACCESS_READ, &host);

    if (host != NULL) {
        cpu_load(cpu, gpa, size, host);
        return (int)status;
    }
    real_begins(m);
    MemStatus real = pgm_bus_read(m->pgm, masked, size, MEM_ORIGIN_CPU, &real_value);

    real_ended(m);
    MemStatus naive = naive_bus_read(m, masked, size, MEM_ORIGIN_CPU, &value);

    same_value(masked, real_value, value);
    return agree(m, real, naive);
}

static int op_cpu_store(Naive *m)
{
    Cpu *cpu = pick_cpu(m);
    uint64_t gpa = pick_address(m), value = pick_value(), masked;
    unsigned size = cpu_size(gpa);
    uint8_t *host;

    masked = pgm_cpu_mask(cpu->cpu, gpa);
    script(m, "cpu store %u at %#" PRIx64 " value %#" PRIx64, size, gpa, value);
    focus(m, ON_CPU_STORE, masked);
    MemStatus status = cpu_ask(cpu, gpa, MEM_ACCESS_WRITE, &host);

    if (status != MEM_OK || host != NULL) {
        if (host != NULL) {
            cpu_store(cpu, gpa, size, value, host);
        }
        return agree(m, status, status);
    }
    real_begins(m);
    MemStatus real = pgm_bus_write(m->pgm, masked, size, value, MEM_ORIGIN_CPU);

    real_ended(m);
    return agree(m, real, naive_bus_write(m, masked, size, value, MEM_ORIGIN_CPU));
}

static int op_cpu_run(Naive *m)
{
    Cpu *cpu = pick_cpu(m);
    uint64_t gpa = pick_address(m) / CODE_BYTES * CODE_BYTES, masked;
    uint8_t *host;

    if (one_in(2)) { /* code is run more than once */
        gpa = gpa / PAGE * PAGE + below(4) * CODE_BYTES;
    }
    masked = pgm_cpu_mask(cpu->cpu, gpa);
    script(m, "cpu run at %#" PRIx64, gpa);
    focus(m, ON_READ, masked);
    MemStatus status = cpu_ask(cpu, gpa, MEM_ACCESS_EXEC, &host);

    if (host == NULL) {
        return (int)MEM_ERR_UNASSIGNED;
    }
    real_begins(m);
    pgm_cpu_report_exec(cpu->cpu, gpa, CODE_BYTES);
    real_ended(m);
    naive_watch_hit(m, masked, CODE_BYTES, 0, MEM_ACCESS_EXEC, MEM_ORIGIN_CPU, true);
    naive_watch_hit(m, masked, CODE_BYTES, 0, MEM_ACCESS_EXEC, MEM_ORIGIN_CPU, false);
    /* A watch that freed itself took the answer along. */
    status = cpu_ask(cpu, gpa, MEM_ACCESS_EXEC, &host);
    if (host == NULL) {
        model_fail("no code at %#" PRIx64 " after a watch", gpa);
    }
    cpu_run(cpu, gpa, host);
    return (int)status;
}

static int op_walker_read(Naive *m)
{
    Cpu *cpu = pick_cpu(m);
    bool wide = one_in(2);
    uint64_t gpa = pick_address(m), value;

    script(m, "walker read %u at %#" PRIx64, wide ? 8 : 4, gpa);
    focus(m, ON_READ, pgm_cpu_mask(cpu->cpu, gpa));
    real_begins(m);
    uint64_t real = wide ? pgm_cpu_read_u64(cpu->cpu, gpa) : pgm_cpu_read_u32(cpu->cpu, gpa);

    real_ended(m);
    MemStatus status =
        naive_bus_read(m, pgm_cpu_mask(cpu->cpu, gpa), wide ? 8 : 4, MEM_ORIGIN_CPU, &value);

    same_value(gpa, real, value);
    return (int)status;
}

static int op_walker_write(Naive *m)
{
    Cpu *cpu = pick_cpu(m);
    bool wide = one_in(2);
    uint64_t gpa = pick_address(m), value = pick_value();

    script(m, "walker write %u at %#" PRIx64 " value %#" PRIx64, wide ? 8 : 4, gpa, value);
    focus(m, ON_CPU_STORE, pgm_cpu_mask(cpu->cpu, gpa));
    real_begins(m);
    MemStatus real = wide ? pgm_cpu_write_u64(cpu->cpu, gpa, value)
                          : pgm_cpu_write_u32(cpu->cpu, gpa, (uint32_t)value);

    real_ended(m);
    return agree(
        m, real,
        naive_bus_write(m, pgm_cpu_mask(cpu->cpu, gpa), wide ? 8 : 4, value, MEM_ORIGIN_CPU));
}

const Op access_ops[] = {
    { "typed read", op_typed_read, 100, 0 },
    { "typed write", op_typed_write, 150, 0 },
    { "bus read", op_bus_read, 40, 0 },
    { "bus write", op_bus_write, 60, 0 },
    { "bulk read", op_bulk_read, 30, 0 },
    { "bulk write", op_bulk_write, 50, 0 },
    { "fill", op_fill, 30, 0 },
    { "copy", op_copy, 20, 0 },
    { "flood", op_flood, 6, 0 },
    { "peek", op_peek, 20, 0 },
    { "poke", op_poke, 20, 0 },
    { "cpu load", op_cpu_load, 100, 0 },
    { "cpu store", op_cpu_store, 120, 0 },
    { "cpu run", op_cpu_run, 80, 0 },
    { "walker read", op_walker_read, 15, 0 },
    { "walker write", op_walker_write, 15, 0 },
};
const unsigned n_access_ops = G_N_ELEMENTS(access_ops);
