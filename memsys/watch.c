/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches: observers of physical bytes. Their table is sorted by start and carries the running
 * maximum of ends, so the watches that touch an access are found by binary search and a short walk
 * back.
 *
 * A watch function may make and free watches. The table in use is never changed under a walk: it is
 * counted, and a change while somebody walks makes a new one. A watch that was freed in between is
 * not told any more.
 */
#include "memsys/info-internal.h"

#include <inttypes.h>
#include <string.h>

struct PgmWatch {
    unsigned refs; /* the owner, and each table that lists it */
    Pgm *pgm;      /* NULL: freed by its owner */
    GPhys first;
    GPhys last;
    unsigned accesses;
    bool before;
    PgmWatchFunc func;
    void *user;
};

typedef struct Entry {
    PgmWatch *watch;
    GPhys max_last; /* largest last of this entry and all before it */
} Entry;

struct PgmWatchTable {
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
        g_free(table);
    }
}

/* The old table with @add in its place or without @drop. NULL if nothing is left. */
static PgmWatchTable *table_remake(const PgmWatchTable *old, PgmWatch *add, const PgmWatch *drop)
{
    unsigned n_old = old ? old->n : 0;
    PgmWatchTable *table = g_malloc(sizeof *table + (n_old + 1) * sizeof(Entry));
    GPhys max_last = 0;

    table->refs = 1;
    table->n = 0;
    for (unsigned i = 0; i <= n_old; i++) {
        PgmWatch *watch = i < n_old ? old->entries[i].watch : NULL;

        if (add && (!watch || watch->first > add->first)) {
            max_last = MAX(max_last, add->last);
            add->refs++;
            table->entries[table->n++] = (Entry) { add, max_last };
            add = NULL;
        }
        if (watch && watch != drop) {
            max_last = MAX(max_last, watch->last);
            watch->refs++;
            table->entries[table->n++] = (Entry) { watch, max_last };
        }
    }
    if (table->n == 0) {
        table_unref(table);
        return NULL;
    }
    return table;
}

/* Index past the last watch that starts at or before @last. */
static unsigned n_starting_by(const PgmWatchTable *table, GPhys last)
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
static void forget_pages(Pgm *pgm, const PgmWatch *watch)
{
    uint64_t n = ((watch->last & MEM_PAGE_MASK) - (watch->first & MEM_PAGE_MASK)) >> MEM_PAGE_SHIFT;

    if (n >= PGM_TELL_EACH_MAX) {
        pgm_tlb_flush(pgm);
        pgm_tell_all(pgm, (watch->accesses & MEM_ACCESS_EXEC) != 0 && pgm->any_executed);
        return;
    }
    for (uint64_t i = 0; i <= n; i++) {
        pgm_forget_gpa(pgm, (watch->first & MEM_PAGE_MASK) + (i << MEM_PAGE_SHIFT));
    }
}

static void replace_table(Pgm *pgm, PgmWatchTable *table)
{
    table_unref(pgm->watches);
    pgm->watches = table;
}

/* Each new one costs a copy of the table. */
#define MAX_WATCHES 65536u

PgmWatch *pgm_watch_new(Pgm *pgm, GPhys start, uint64_t len, unsigned accesses, bool before,
                        PgmWatchFunc func, void *user, GError **error)
{
    g_assert(func);
    if (len == 0 || len - 1 > UINT64_MAX - start || accesses == 0 ||
        (accesses & ~(unsigned)(MEM_ACCESS_READ | MEM_ACCESS_WRITE | MEM_ACCESS_EXEC)) != 0) {
        g_set_error(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER,
                    "watch: 0x%" PRIx64 " bytes at 0x%" PRIx64 " for accesses 0x%x make no sense",
                    len, start, accesses);
        return NULL;
    }
    if (pgm->watches && pgm->watches->n >= MAX_WATCHES) {
        g_set_error(error, MEM_ERROR, MEM_ERR_LIMIT_REACHED,
                    "watch at 0x%" PRIx64 ": there are %u already; remove one first", start,
                    pgm->watches->n);
        return NULL;
    }
    PgmWatch *watch = g_new(PgmWatch, 1);

    *watch = (PgmWatch) { .refs = 1,
                          .pgm = pgm,
                          .first = start,
                          .last = start + (len - 1),
                          .accesses = accesses,
                          .before = before,
                          .func = func,
                          .user = user };
    replace_table(pgm, table_remake(pgm->watches, watch, NULL));
    forget_pages(pgm, watch);
    return watch;
}

void pgm_watch_free(PgmWatch *watch)
{
    if (!watch) {
        return;
    }
    Pgm *pgm = watch->pgm;

    if (pgm) {
        watch->pgm = NULL;
        replace_table(pgm, table_remake(pgm->watches, NULL, watch));
        forget_pages(pgm, watch);
    }
    watch_unref(watch);
}

void pgm_watch_table_free(Pgm *pgm)
{
    for (unsigned i = 0; pgm->watches && i < pgm->watches->n; i++) {
        pgm->watches->entries[i].watch->pgm = NULL;
    }
    replace_table(pgm, NULL);
}

bool pgm_watch_covers_page(const Pgm *pgm, GPhys gpa, unsigned accesses)
{
    const PgmWatchTable *table = pgm->watches;
    GPhys first = gpa & MEM_PAGE_MASK;

    if (G_LIKELY(!table)) {
        return false;
    }
    for (unsigned i = n_starting_by(table, first | ~MEM_PAGE_MASK);
         i > 0 && table->entries[i - 1].max_last >= first; i--) {
        const PgmWatch *watch = table->entries[i - 1].watch;

        if (watch->last >= first && (watch->accesses & accesses) != 0) {
            return true;
        }
    }
    return false;
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

void pgm_watch_tell(Pgm *pgm, const PgmWatchHit *hit)
{
    PgmWatchTable *table = pgm->watches;
    GPhys last = hit->len - 1 > UINT64_MAX - hit->gpa ? UINT64_MAX : hit->gpa + (hit->len - 1);

    if (!table) {
        return;
    }
    table->refs++;
    for (unsigned i = n_starting_by(table, last);
         i > 0 && table->entries[i - 1].max_last >= hit->gpa; i--) {
        PgmWatch *watch = table->entries[i - 1].watch;

        if (watch->pgm && watch->last >= hit->gpa && (watch->accesses & hit->access) != 0 &&
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

void pgm_watches_print(const Pgm *pgm, PgmWatchVisitor print, GString *text)
{
    for (unsigned i = 0; pgm->watches && i < pgm->watches->n; i++) {
        const PgmWatch *watch = pgm->watches->entries[i].watch;

        if (watch->pgm) {
            print(watch->first, watch->last, watch->accesses, watch->before, text);
        }
    }
}
