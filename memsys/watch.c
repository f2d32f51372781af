/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches: observers of physical bytes, or of bytes as one CPU's programs name them. Each kind's
 * table (the machine's, and one a CPU) is sorted by start and carries the running maximum of ends,
 * so the watches that touch an access are found by binary search and a short walk back.
 *
 * A watch function may make and free watches. The table in use is never changed under a walk: it is
 * counted, and a change while somebody walks makes a new one. A watch that was freed in between is
 * not told any more.
 *
 * Tables come from the host's table of functions: making a watch may fail, freeing one may not.
 * When there is no memory for a new table while somebody walks the old one, the freed watch stays
 * listed as one that nobody owns (pgm is NULL) until the next change.
 */
#include "memsys/info-internal.h"

#include <inttypes.h>
#include <string.h>

struct PgmWatch {
    unsigned refs; /* the owner, and each table that lists it */
    Pgm *pgm;      /* NULL: freed by its owner, or the machine or CPU has ended */
    PgmCpu *cpu;   /* whose virtual addresses first and last are; NULL: they are physical */
    uint64_t first;
    uint64_t last;
    unsigned accesses;
    bool before;
    PgmWatchFunc func;
    void *user;
};

typedef struct Entry {
    PgmWatch *watch;
    uint64_t max_last; /* largest last of this entry and all before it */
} Entry;

struct PgmWatchTable {
    const MemOs *os;
    unsigned refs;
    unsigned n;
    Entry entries[];
};

static void watch_unref(PgmWatch *watch)
{
    if (--watch->refs == 0) {
        g_free(watch);
    }
}

static void table_unref(PgmWatchTable *table)
{
    if (table && --table->refs == 0) {
        for (unsigned i = 0; i < table->n; i++) {
            watch_unref(table->entries[i].watch);
        }
        table->os->free(table);
    }
}

/* The old table with @add in its place, without watches that nobody owns. NULL: no memory. */
static PgmWatchTable *table_remake(const MemOs *os, const PgmWatchTable *old, PgmWatch *add)
{
    unsigned n_old = old ? old->n : 0;
    PgmWatchTable *table = os->try_alloc0(sizeof *table + (n_old + 1) * sizeof(Entry));
    uint64_t max_last = 0;

    if (!table) {
        return NULL;
    }
    table->os = os;
    table->refs = 1;
    for (unsigned i = 0; i <= n_old; i++) {
        PgmWatch *watch = i < n_old ? old->entries[i].watch : NULL;

        if (add && (!watch || watch->first > add->first)) {
            max_last = MAX(max_last, add->last);
            add->refs++;
            table->entries[table->n++] = (Entry) { add, max_last };
            add = NULL;
        }
        if (watch && watch->pgm) {
            max_last = MAX(max_last, watch->last);
            watch->refs++;
            table->entries[table->n++] = (Entry) { watch, max_last };
        }
    }
    return table;
}

/* Takes watches that nobody owns out of a table that nobody walks. */
static void table_sweep(PgmWatchTable *table)
{
    uint64_t max_last = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < table->n; i++) {
        PgmWatch *watch = table->entries[i].watch;

        if (!watch->pgm) {
            watch_unref(watch);
            continue;
        }
        max_last = MAX(max_last, watch->last);
        table->entries[n++] = (Entry) { watch, max_last };
    }
    table->n = n;
}

/* Index past the last watch that starts at or before @last. */
static unsigned n_starting_by(const PgmWatchTable *table, uint64_t last)
{
    unsigned low = 0;
    unsigned high = table->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (table->entries[mid].watch->first <= last) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* TLB entries and answers of CPUs about the watch's pages were right without (or with) it only. */
static void forget_pages(const PgmWatch *watch)
{
    Pgm *pgm = watch->pgm;
    uint64_t n = ((watch->last & MEM_PAGE_MASK) - (watch->first & MEM_PAGE_MASK)) >> MEM_PAGE_SHIFT;
    bool executed = (watch->accesses & MEM_ACCESS_EXEC) != 0 && pgm->any_executed;

    if (watch->cpu) {
        /* Which pages it names is the CPU's to know. */
        const PgmCpuCallbacks *callbacks = watch->cpu->callbacks;

        if (callbacks->invalidate_all) {
            callbacks->invalidate_all(watch->cpu->user, executed);
        }
        return;
    }
    if (n >= PGM_TELL_EACH_MAX) {
        pgm_tlb_flush(pgm);
        pgm_tell_all(pgm, executed);
        return;
    }
    for (uint64_t i = 0; i <= n; i++) {
        pgm_forget_gpa(pgm, (watch->first & MEM_PAGE_MASK) + (i << MEM_PAGE_SHIFT));
    }
}

static PgmWatchTable **table_of(Pgm *pgm, PgmCpu *cpu)
{
    return cpu ? &cpu->watches : &pgm->watches;
}

/* Other threads look at the table of physical watches under the PGM lock. */
static void replace_table(Pgm *pgm, PgmWatchTable **place, PgmWatchTable *table)
{
    PgmWatchTable *old = *place;

    pgm_lock(pgm);
    *place = table;
    pgm_unlock(pgm);
    table_unref(old);
}

/* Watches of this table were freed. */
static void drop_freed(Pgm *pgm, PgmWatchTable **place)
{
    if ((*place)->refs == 1) {
        pgm_lock(pgm);
        table_sweep(*place);
        pgm_unlock(pgm);
    } else {
        PgmWatchTable *table = table_remake(pgm->os, *place, NULL);

        if (!table) {
            return;
        }
        replace_table(pgm, place, table);
    }
    if ((*place)->n == 0) {
        replace_table(pgm, place, NULL);
    }
}

/* Each new one costs a copy of the table. */
#define MAX_WATCHES 65536u

static bool check_new(const PgmWatchTable *table, uint64_t start, uint64_t len, unsigned accesses,
                      GError **error)
{
    if (len == 0 || len - 1 > UINT64_MAX - start || accesses == 0 ||
        (accesses & ~(unsigned)(MEM_ACCESS_READ | MEM_ACCESS_WRITE | MEM_ACCESS_EXEC)) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "watch: 0x%" PRIx64 " bytes at 0x%" PRIx64 " for accesses 0x%x make no sense",
                    len, start, accesses);
        return false;
    }
    if (table && table->n >= MAX_WATCHES) {
        g_set_error(error, MEM_ERROR, MEM_ERR_LIMIT_REACHED,
                    "watch at 0x%" PRIx64 ": there are %u already; remove one first", start,
                    table->n);
        return false;
    }
    return true;
}

/* @model says what it watches and how. */
static PgmWatch *watch_add(const PgmWatch *model, uint64_t len, GError **error)
{
    g_assert(model->func);
    PgmWatchTable **place = table_of(model->pgm, model->cpu);

    if (!check_new(*place, model->first, len, model->accesses, error)) {
        return NULL;
    }
    PgmWatch *watch = g_new(PgmWatch, 1);

    *watch = *model;
    watch->refs = 1;
    watch->last = watch->first + (len - 1);

    PgmWatchTable *table = table_remake(watch->pgm->os, *place, watch);

    if (!table) {
        g_set_error(error, MEM_ERROR, MEM_ERR_HOST_MEMORY,
                    "watch at 0x%" PRIx64 ": no host memory for the table of watches",
                    watch->first);
        watch_unref(watch);
        return NULL;
    }
    replace_table(watch->pgm, place, table);
    forget_pages(watch);
    return watch;
}

PgmWatch *pgm_watch_new(Pgm *pgm, GPhys start, uint64_t len, unsigned accesses, bool before,
                        PgmWatchFunc func, void *user, GError **error)
{
    PgmWatch model = { .pgm = pgm,
                       .first = start,
                       .accesses = accesses,
                       .before = before,
                       .func = func,
                       .user = user };

    return watch_add(&model, len, error);
}

PgmWatch *pgm_watch_new_virtual(PgmCpu *cpu, GVirt start, uint64_t len, unsigned accesses,
                                bool before, PgmWatchFunc func, void *user, GError **error)
{
    PgmWatch model = { .pgm = cpu->pgm,
                       .cpu = cpu,
                       .first = start,
                       .accesses = accesses,
                       .before = before,
                       .func = func,
                       .user = user };

    return watch_add(&model, len, error);
}

void pgm_watch_free(PgmWatch *watch)
{
    if (!watch) {
        return;
    }
    Pgm *pgm = watch->pgm;

    if (pgm) {
        const PgmWatch freed = *watch;

        watch->pgm = NULL;
        drop_freed(pgm, table_of(pgm, watch->cpu));
        forget_pages(&freed);
    }
    watch_unref(watch);
}

static void forget_table(Pgm *pgm, PgmWatchTable **place)
{
    for (unsigned i = 0; *place && i < (*place)->n; i++) {
        (*place)->entries[i].watch->pgm = NULL;
    }
    replace_table(pgm, place, NULL);
}

void pgm_watch_table_free(Pgm *pgm)
{
    forget_table(pgm, &pgm->watches);
}

void pgm_watch_cpu_gone(PgmCpu *cpu)
{
    forget_table(cpu->pgm, &cpu->watches);
}

/* Is any byte of the page at @address watched for one of @accesses? */
static bool table_covers_page(const PgmWatchTable *table, uint64_t address, unsigned accesses)
{
    uint64_t first = address & MEM_PAGE_MASK;

    for (unsigned i = n_starting_by(table, first | ~MEM_PAGE_MASK);
         i > 0 && table->entries[i - 1].max_last >= first; i--) {
        const PgmWatch *watch = table->entries[i - 1].watch;

        if (watch->last >= first && (watch->accesses & accesses) != 0) {
            return true;
        }
    }
    return false;
}

bool pgm_watch_covers_page(const Pgm *pgm, GPhys gpa, unsigned accesses)
{
    return G_UNLIKELY(pgm->watches) && table_covers_page(pgm->watches, gpa, accesses);
}

bool pgm_watch_covers_virtual(const PgmCpu *cpu, GVirt gva, unsigned accesses)
{
    return G_UNLIKELY(cpu->watches) && table_covers_page(cpu->watches, gva, accesses);
}

uint64_t pgm_watch_free_run(const Pgm *pgm, GPhys gpa, uint64_t len, MemAccess access)
{
    const PgmWatchTable *table = pgm->watches;

    if (G_LIKELY(!table)) {
        return len;
    }
    if (pgm_watch_covers_page(pgm, gpa, access)) {
        return 0;
    }
    /* Watches that start in this page or before are over; the next that starts later ends the run.
     */
    for (unsigned i = n_starting_by(table, gpa | ~MEM_PAGE_MASK); i < table->n; i++) {
        const PgmWatch *watch = table->entries[i].watch;

        if ((watch->accesses & access) != 0) {
            return MIN(len, (watch->first & MEM_PAGE_MASK) - gpa);
        }
    }
    return len;
}

/* Tells the watches of @table that cover @len bytes at @address, which is how they name them. */
static void table_tell(Pgm *pgm, PgmWatchTable *table, uint64_t address, const PgmWatchHit *hit)
{
    uint64_t last = hit->len - 1 > UINT64_MAX - address ? UINT64_MAX : address + (hit->len - 1);

    if (!table) {
        return;
    }
    table->refs++;
    for (unsigned i = n_starting_by(table, last);
         i > 0 && table->entries[i - 1].max_last >= address; i--) {
        PgmWatch *watch = table->entries[i - 1].watch;

        if (watch->pgm && watch->last >= address && (watch->accesses & hit->access) != 0 &&
            watch->before == hit->before) {
            PgmWatchHit told = *hit;

            if (hit->before && hit->access == MEM_ACCESS_READ) {
                told.value = 0;
            }
            pgm->stats.watch_hits++;
            watch->func(pgm, &told, watch->user);
        }
    }
    table_unref(table);
}

void pgm_watch_tell(Pgm *pgm, const PgmWatchHit *hit)
{
    table_tell(pgm, pgm->watches, hit->gpa, hit);
}

/* ---- the checker */

static unsigned table_verify(const PgmWatchTable *table, const Pgm *pgm, const PgmCpu *cpu,
                             GString *report)
{
    uint64_t max_last = 0;
    unsigned n_bad = 0;

    for (unsigned i = 0; table && i < table->n; i++) {
        const PgmWatch *watch = table->entries[i].watch;

        max_last = MAX(max_last, watch->last);
        bool alien = watch->pgm != NULL && watch->pgm != pgm;

        if (alien || watch->cpu != cpu || watch->last < watch->first ||
            table->entries[i].max_last != max_last ||
            (i > 0 && watch->first < table->entries[i - 1].watch->first)) {
            n_bad++;
            g_string_append_printf(report, "watch %u at 0x%" PRIx64 " is out of order\n", i,
                                   watch->first);
        }
    }
    return n_bad;
}

unsigned pgm_watches_verify(const Pgm *pgm, GString *report)
{
    unsigned n_bad = table_verify(pgm->watches, pgm, NULL, report);

    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        const PgmCpu *cpu = g_ptr_array_index(pgm->cpus, i);

        n_bad += table_verify(cpu->watches, pgm, cpu, report);
    }
    return n_bad;
}

/* ---- a CPU's accesses by virtual address */

MemStatus pgm_cpu_bus_read(PgmCpu *cpu, GVirt gva, GPhys gpa, unsigned size, uint64_t *ret_value)
{
    gpa = pgm_cpu_mask(cpu, gpa);
    PgmWatchHit hit = { .gpa = gpa,
                        .gva = gva,
                        .by_gva = true,
                        .len = size,
                        .access = MEM_ACCESS_READ,
                        .origin = MEM_ORIGIN_CPU,
                        .before = true };

    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    MemStatus status = pgm_bus_read(cpu->pgm, gpa, size, MEM_ORIGIN_CPU, ret_value);

    hit.before = false;
    hit.value = *ret_value;
    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    return status;
}

MemStatus pgm_cpu_bus_write(PgmCpu *cpu, GVirt gva, GPhys gpa, unsigned size, uint64_t value)
{
    gpa = pgm_cpu_mask(cpu, gpa);
    PgmWatchHit hit = { .gpa = gpa,
                        .gva = gva,
                        .by_gva = true,
                        .len = size,
                        .value = size < 8 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value,
                        .access = MEM_ACCESS_WRITE,
                        .origin = MEM_ORIGIN_CPU,
                        .before = true };

    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    MemStatus status = pgm_bus_write(cpu->pgm, gpa, size, value, MEM_ORIGIN_CPU);

    hit.before = false;
    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    return status;
}

void pgm_cpu_report_exec_at(PgmCpu *cpu, GVirt gva, GPhys gpa, uint32_t len)
{
    PgmWatchHit hit = { .gpa = pgm_cpu_mask(cpu, gpa),
                        .gva = gva,
                        .by_gva = true,
                        .len = len,
                        .access = MEM_ACCESS_EXEC,
                        .origin = MEM_ORIGIN_CPU,
                        .before = true };

    g_assert(len > 0);
    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    hit.before = false;
    table_tell(cpu->pgm, cpu->watches, gva, &hit);
    pgm_cpu_report_exec(cpu, gpa, len);
}

static void table_print(const PgmWatchTable *table, PgmWatchVisitor print, PgmInfoLines *lines)
{
    for (unsigned i = 0; table && i < table->n; i++) {
        const PgmWatch *watch = table->entries[i].watch;

        if (watch->pgm) {
            print(watch->cpu != NULL, watch->first, watch->last, watch->accesses, watch->before,
                  lines);
        }
    }
}

void pgm_watches_print(const Pgm *pgm, PgmWatchVisitor print, PgmInfoLines *lines)
{
    table_print(pgm->watches, print, lines);
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        table_print(((const PgmCpu *)g_ptr_array_index(pgm->cpus, i))->watches, print, lines);
    }
}
