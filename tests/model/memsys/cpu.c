/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of memsys/cpu_port.h, relied upon to the letter.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

CpuCounts cpu_counts;

/* ---- what CPUs are told */

static void told_page(void *user, GPhys gpa, bool executed)
{
    Cpu *cpu = user;
    unsigned slot = address_slot(gpa);

    (void)executed;
    cpu_counts.told_pages++;
    if (slot < N_SLOTS) {
        cpu->entries[slot].valid = false;
    }
}

static void told_all(void *user, bool executed)
{
    Cpu *cpu = user;

    (void)executed;
    cpu_counts.told_all++;
    memset(cpu->entries, 0, sizeof cpu->entries);
}

static void drop_code(Cpu *cpu, PageId id, uint32_t offset, uint32_t len)
{
    for (unsigned i = 0; i < N_TRANSLATIONS; i++) {
        Translation *t = &cpu->code[i];

        if (t->valid && t->id == id && t->offset < offset + len && t->offset + t->len > offset) {
            t->valid = false;
        }
    }
}

static void told_code(void *user, PageId id, uint32_t offset, uint32_t len)
{
    cpu_counts.told_code++;
    drop_code(user, id, offset, len);
}

static const PgmCpuCallbacks callbacks = { told_page, told_all, told_code };

void cpu_attach(Naive *m, unsigned number)
{
    Cpu *cpu = g_new0(Cpu, 1);

    cpu->machine = m;
    cpu->cpu = pgm_cpu_attach(m->pgm, &callbacks, cpu);
    m->cpus[number] = cpu;
}

void cpu_detach(Naive *m, unsigned number)
{
    pgm_cpu_detach(m->cpus[number]->cpu);
    g_clear_pointer(&m->cpus[number], g_free);
}

void cpu_forget_all(Naive *m)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (m->cpus[i] != NULL) {
            memset(m->cpus[i]->entries, 0, sizeof m->cpus[i]->entries);
            memset(m->cpus[i]->code, 0, sizeof m->cpus[i]->code);
        }
    }
}

static void excuse(Naive *m, PageId id, bool on)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        for (unsigned k = 0; m->cpus[i] != NULL && k < N_TRANSLATIONS; k++) {
            if (m->cpus[i]->code[k].valid && m->cpus[i]->code[k].id == id) {
                m->cpus[i]->code[k].excused = on;
            }
        }
    }
}

void cpu_excuse(Naive *m, PageId id)
{
    excuse(m, id, true);
}

void cpu_no_excuse(Naive *m, PageId id)
{
    excuse(m, id, false);
}

/* Data lies there now: whoever had the page forgets it. */
void cpu_drop_id(Naive *m, PageId id)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        for (unsigned slot = 0; m->cpus[i] != NULL && slot < N_SLOTS; slot++) {
            CpuEntry *entry = &m->cpus[i]->entries[slot];

            if (entry->valid && entry->kind == PGM_FILL_DIRECT && entry->id == id) {
                entry->valid = false;
            }
        }
    }
}

/* ---- asking */

/* An answer against the naive machine: what is granted must be right, what is caught needed. */
static void check_answer(Cpu *cpu, uint64_t gpa, const CpuEntry *entry, const char *when)
{
    Naive *m = cpu->machine;
    Place place = naive_at(m, gpa);
    unsigned caught = naive_cpu_caught(m, gpa);
    PgmFillKind kind = entry->kind;

    if ((place.range == NULL) != (kind == PGM_FILL_UNASSIGNED)) {
        model_fail("%s: kind %d for page %#" PRIx64, when, kind, gpa);
    }
    if (kind == PGM_FILL_UNASSIGNED) {
        return;
    }
    if (kind == PGM_FILL_CATCH) {
        if ((entry->perms & (MEM_ACCESS_READ | MEM_ACCESS_WRITE)) != caught) {
            model_fail("%s: page %#" PRIx64 " catches %u, should %u", when, gpa, entry->perms,
                       caught);
        }
        return;
    }
    if ((entry->perms & caught) != 0) {
        model_fail("%s: page %#" PRIx64 " grants %u, must catch %u", when, gpa, entry->perms,
                   caught);
    }
    if ((entry->perms & MEM_ACCESS_WRITE) != 0 && !naive_plainly_writable(m, place)) {
        model_fail("%s: page %#" PRIx64 " may not be written plainly", when, gpa);
    }
    const uint8_t *host = gmm_arena(pgm_gmm(m->pgm)) + (uint64_t)entry->id * PAGE;

    if (memcmp(host, naive_visible(place), PAGE) != 0) {
        model_fail("%s: page %#" PRIx64 ": host page %#x holds other bytes", when, gpa, entry->id);
    }
}

static MemStatus fill(Cpu *cpu, uint64_t gpa, MemAccess access, CpuEntry *entry)
{
    Naive *m = cpu->machine;
    PgmStats before, after;
    PgmFill fill;
    CpuEntry got;

    memset(&fill, 0xa5, sizeof fill);
    pgm_get_stats(m->pgm, &before);
    pgm_cpu_fill(cpu->cpu, gpa, access, &fill);
    pgm_get_stats(m->pgm, &after);
    m->budget += after.replaced_zero - before.replaced_zero;
    m->budget += after.replaced_shared - before.replaced_shared;
    gpa = pgm_cpu_mask(cpu->cpu, gpa);
    if (fill.gpa != gpa - gpa % PAGE) {
        model_fail("fill of %#" PRIx64 " answers for %#" PRIx64, gpa, fill.gpa);
    }
    if (fill.exec_watched != naive_watched(m, gpa, MEM_ACCESS_EXEC)) {
        model_fail("fill of %#" PRIx64 ": exec_watched %d", gpa, fill.exec_watched);
    }
    Place place = naive_at(m, gpa);

    if (access == MEM_ACCESS_WRITE && fill.kind != PGM_FILL_CATCH && place.range != NULL &&
        naive_make_writable(m, place, false) != MEM_OK) {
        if (fill.kind != PGM_FILL_NO_MEMORY) {
            model_fail("fill of %#" PRIx64 " needs a page, answers %d", gpa, fill.kind);
        }
        cpu_counts.no_memory++;
        return MEM_ERR_NO_MEMORY;
    }
    if (fill.kind == PGM_FILL_NO_MEMORY) {
        model_fail("fill of %#" PRIx64 " failed although no page was needed", gpa);
    }
    if (fill.kind == PGM_FILL_DIRECT && (fill.perms & access) == 0) {
        model_fail("fill of %#" PRIx64 " grants %u, asked for %u", gpa, fill.perms, access);
    }
    if (fill.kind == PGM_FILL_DIRECT && fill.flush) {
        memset(cpu->entries, 0, sizeof cpu->entries);
        cpu_counts.flushes++;
    }
    got = (CpuEntry) { true, fill.kind, fill.perms, fill.id };
    check_answer(cpu, gpa, &got, "a new answer");
    if (address_slot(gpa) < N_SLOTS) {
        cpu->entries[address_slot(gpa)] = got;
    }
    *entry = got;
    return MEM_OK;
}

MemStatus cpu_ask(Cpu *cpu, uint64_t gpa, MemAccess access, uint8_t **ret_host)
{
    uint64_t masked = pgm_cpu_mask(cpu->cpu, gpa);
    unsigned slot = address_slot(masked);
    CpuEntry entry = { 0 };

    *ret_host = NULL;
    if (slot < N_SLOTS) {
        entry = cpu->entries[slot];
    }
    if (entry.valid) {
        check_answer(cpu, masked, &entry, "a kept answer");
        cpu_counts.cached++;
    }
    if (!entry.valid || (entry.kind != PGM_FILL_UNASSIGNED && (entry.perms & access) == 0)) {
        MemStatus status = fill(cpu, gpa, access, &entry);

        if (status != MEM_OK) {
            return status;
        }
    }
    if (entry.kind == PGM_FILL_DIRECT) {
        *ret_host =
            gmm_arena(pgm_gmm(cpu->machine->pgm)) + (uint64_t)entry.id * PAGE + masked % PAGE;
        return MEM_OK;
    }
    cpu_counts.caught += entry.kind == PGM_FILL_CATCH;
    cpu_counts.unassigned += entry.kind == PGM_FILL_UNASSIGNED;
    return MEM_OK;
}

/* ---- using answers */

void cpu_load(Cpu *cpu, uint64_t gpa, unsigned size, const uint8_t *host)
{
    Place place = naive_at(cpu->machine, pgm_cpu_mask(cpu->cpu, gpa));

    cpu_counts.direct_loads++;
    if (memcmp(host, naive_visible(place) + place.offset % PAGE, size) != 0) {
        model_fail("a direct load of %#" PRIx64 " finds other bytes", gpa);
    }
}

/* A store through an answer that grants X is tracked by the engine; one without X is not. */
void cpu_store(Cpu *cpu, uint64_t gpa, unsigned size, uint64_t value, uint8_t *host)
{
    Naive *m = cpu->machine;
    uint64_t masked = pgm_cpu_mask(cpu->cpu, gpa);
    Place place = naive_at(m, masked);
    const CpuEntry *entry = &cpu->entries[address_slot(masked)];

    cpu_counts.direct_stores++;
    value = GUINT64_TO_LE(value);
    memcpy(host, &value, size);
    memcpy(naive_visible(place) + place.offset % PAGE, &value, size);
    for (unsigned i = 0; (entry->perms & MEM_ACCESS_EXEC) != 0 && i < MAX_CPUS; i++) {
        if (m->cpus[i] != NULL) {
            drop_code(m->cpus[i], entry->id, (uint32_t)(masked % PAGE), size);
        }
    }
}

void cpu_run(Cpu *cpu, uint64_t gpa, const uint8_t *host)
{
    Naive *m = cpu->machine;
    uint64_t masked = pgm_cpu_mask(cpu->cpu, gpa);
    Place place = naive_at(m, masked);
    const CpuEntry *entry = &cpu->entries[address_slot(masked)];
    uint32_t offset = (uint32_t)(masked % PAGE);
    Translation *t = &cpu->code[(entry->id * 7 + offset / CODE_BYTES) % N_TRANSLATIONS];

    if (!pgm_page_executed(m->pgm, entry->id)) {
        model_fail("page %#" PRIx64 " runs and is not marked executed", gpa);
    }
    if (t->valid && t->id == entry->id && t->offset == offset) {
        cpu_counts.reused_code++;
    } else {
        *t = (Translation) {
            .valid = true, .id = entry->id, .offset = offset, .len = 1 + below(CODE_BYTES)
        };
        memcpy(t->bytes, host, CODE_BYTES);
    }
    if (!t->excused && memcmp(t->bytes, naive_visible(place) + place.offset % PAGE, t->len) != 0) {
        model_fail("stale code runs at %#" PRIx64, gpa);
    }
}

/* Every answer and every translation that is kept, not only those that are used again. */
void cpu_check(Naive *m)
{
    const uint8_t *arena = gmm_arena(pgm_gmm(m->pgm));

    for (unsigned i = 0; i < MAX_CPUS; i++) {
        Cpu *cpu = m->cpus[i];

        for (unsigned slot = 0; cpu != NULL && slot < N_SLOTS; slot++) {
            if (cpu->entries[slot].valid) {
                check_answer(cpu, slot_address(slot), &cpu->entries[slot], "an answer at rest");
            }
        }
        for (unsigned k = 0; cpu != NULL && k < N_TRANSLATIONS; k++) {
            const Translation *t = &cpu->code[k];

            /* Of a page that went (others may still have it) the code goes when it comes back. */
            if (t->valid && !t->excused &&
                memcmp(t->bytes, arena + (uint64_t)t->id * PAGE + t->offset, t->len) != 0 &&
                real_shows(m, t->id)) {
                model_fail("stale code of host page %#x is kept", t->id);
            }
        }
    }
}
