/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on snapshots, dirty clients, mappings and virtual watches.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

/* ---- snapshots */

static NaiveSnapshot *pick_snapshot(Naive *m, bool live)
{
    unsigned first = below(MAX_SNAPSHOTS);

    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        NaiveSnapshot *s = &m->snapshots[(first + i) % MAX_SNAPSHOTS];

        if ((s->snapshot != NULL) == live) {
            return s;
        }
    }
    return NULL;
}

static uint64_t n_snapshots(const Naive *m)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
        n += m->snapshots[i].snapshot != NULL;
    }
    return n;
}

static void check_tree(Naive *m)
{
    PgmSnapshotStats stats;

    pgm_snapshot_get_stats(m->pgm, &stats);
    if (stats.n_snapshots != n_snapshots(m) || stats.n_entries < stats.n_live) {
        model_fail("%" PRIu64 " snapshots, expected %" PRIu64, stats.n_snapshots, n_snapshots(m));
    }
    if (stats.n_snapshots == 0 && stats.n_entries + stats.n_saved != 0) {
        model_fail("%" PRIu64 " entries of no snapshot", stats.n_entries);
    }
}

static int op_take(Naive *m)
{
    NaiveSnapshot *s = pick_snapshot(m, false);
    g_autoptr(GError) error = NULL;

    if (s == NULL) {
        return OP_SKIPPED;
    }
    s->checked = one_in(3);
    script(m, "take snapshot %u", (unsigned)(s - m->snapshots));
    m->armed = true;
    focus(m, ON_SNAPSHOT, one_in(2) ? pick_state(m) : pick_address(m));
    real_begins(m);
    s->snapshot = pgm_snapshot_take(m->pgm, "s", s->checked ? PGM_SNAPSHOT_CHECKED : 0, &error);
    real_ended(m);
    MemStatus status = s->snapshot != NULL ? MEM_OK : error != NULL ? error->code : MEM_ERR_FILE;

    agree_error(status, error);
    if (status == MEM_ERR_DECLINED && m->no_overcommit && model_limited) {
        return (int)status;
    }
    if (status == MEM_OK) {
        s->copy = naive_copy_new(m);
        if (pgm_snapshot_current(m->pgm) != s->snapshot) {
            model_fail("the new snapshot is not the current one");
        }
    }
    check_tree(m);
    return agree(m, status, status == MEM_OK ? MEM_OK : MEM_ERR_NO_MEMORY);
}

/* Locked pages are not ballooned again; what came since is no part of the snapshot. */
static bool may_differ(Naive *m, const Copy *copy)
{
    if (!naive_copy_same_ranges(m, copy)) {
        return true;
    }
    for (unsigned i = 0; i < MAX_LOCKS; i++) {
        if (m->locks[i].live) {
            return true;
        }
    }
    return false;
}

static void plant_bug(Naive *m)
{
    for (unsigned i = 0; planted == PLANTED_PROTECTION && i < MAX_RANGES; i++) {
        if (m->ranges[i].live && m->ranges[i].shadow != NULL) {
            m->ranges[i].prot[0] = PGM_ROM_READ_ROM_WRITE_IGNORE;
        }
    }
}

static int op_restore(Naive *m)
{
    NaiveSnapshot *s = pick_snapshot(m, true);
    g_autoptr(GString) text = g_string_new(NULL);

    if (s == NULL) {
        return OP_SKIPPED;
    }
    script(m, "restore snapshot %u", (unsigned)(s - m->snapshots));
    focus(m, ON_RESTORE,
          one_in(3)   ? pick_copied(m, s->copy)
          : one_in(2) ? pick_state(m)
                      : pick_address(m));
    real_begins(m);
    pgm_snapshot_restore(s->snapshot);
    real_ended(m);
    naive_copy_restore(m, s->copy, false);
    plant_bug(m);
    if (pgm_snapshot_current(m->pgm) != s->snapshot) {
        model_fail("the restored snapshot is not the current one");
    }
    uint64_t n = pgm_snapshot_check(s->snapshot, text);

    if (s->checked ? n != 0 && !may_differ(m, s->copy) : n != UINT64_MAX) {
        model_fail("%" PRIu64 " pages differ from the snapshot: %s", n, text->str);
    }
    real_check(m);
    check_tree(m);
    return MEM_OK;
}

static int op_drop(Naive *m)
{
    NaiveSnapshot *s = pick_snapshot(m, true);

    if (s == NULL) {
        return OP_SKIPPED;
    }
    script(m, "drop snapshot %u", (unsigned)(s - m->snapshots));
    real_begins(m);
    pgm_snapshot_drop(s->snapshot);
    real_ended(m);
    g_clear_pointer(&s->copy, naive_copy_free);
    s->snapshot = NULL;
    check_tree(m);
    return MEM_OK;
}

static int op_limit_entries(Naive *m)
{
    uint64_t n = m->entries_limited ? 100000 : below(200);

    if (m->no_overcommit && one_in(2)) {
        n = below(200);
    }
    script(m, "limit of %" PRIu64 " entries", n);
    MemStatus status = pgm_snapshot_set_limit(m->pgm, n);

    if (status == MEM_ERR_DECLINED && m->no_overcommit && model_limited) {
        return (int)status;
    }
    m->entries_limited = n < 100000 || m->no_overcommit;
    m->armed = true;
    return agree(m, status, MEM_OK);
}

/* ---- dirty clients */

static unsigned pick_client(Naive *m, bool live)
{
    unsigned first = below(MAX_CLIENTS);

    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        unsigned c = (first + i) % MAX_CLIENTS;

        if ((m->clients[c] != NULL) == live) {
            return c;
        }
    }
    return MAX_CLIENTS;
}

/* Nothing is in the set but what is locked for writing, which stays. */
static void clean(Naive *m, unsigned c, bool keeps_others)
{
    Listeners bit = (Listeners)1 << c;

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0; range->live && page < range->n_pages; page++) {
            for (unsigned which = 0; which < 2; which++) {
                bool locked = range->n_write_locks[which][page] != 0;

                if (!locked) {
                    range->must[which][page] &= ~bit;
                    range->may[which][page] &= ~bit;
                } else if (!keeps_others) {
                    range->must[which][page] |= bit;
                    range->may[which][page] |= bit;
                }
            }
        }
    }
}

static int op_client_new(Naive *m)
{
    unsigned c = pick_client(m, false);
    g_autoptr(GError) error = NULL;

    if (c == MAX_CLIENTS) {
        return OP_SKIPPED;
    }
    script(m, "client %u comes", c);
    m->armed = true;
    focus(m, ON_DIRTY, pick_address(m));
    m->clients[c] = pgm_dirty_new(m->pgm, "model", &error);
    agree_error(m->clients[c] != NULL ? MEM_OK : MEM_ERR_LIMIT_REACHED, error);
    if (m->clients[c] == NULL || pgm_dirty_count(m->clients[c]) > MAX_LOCKS) {
        model_fail("client %u does not begin clean", c);
    }
    clean(m, c, false);
    return MEM_OK;
}

static int op_client_free(Naive *m)
{
    unsigned c = pick_client(m, true);

    if (c == MAX_CLIENTS) {
        return OP_SKIPPED;
    }
    script(m, "client %u goes", c);
    g_clear_pointer(&m->clients[c], pgm_dirty_free);
    return MEM_OK;
}

static int op_client_reset(Naive *m)
{
    unsigned c = pick_client(m, true);

    if (c == MAX_CLIENTS) {
        return OP_SKIPPED;
    }
    script(m, "client %u has seen all", c);
    focus(m, ON_DIRTY, pick_address(m));
    pgm_dirty_reset(m->clients[c]);
    clean(m, c, true);
    return MEM_OK;
}

typedef struct Visit {
    Naive *machine;
    unsigned client;
    uint64_t n;
    bool seen[MAX_RANGES][2][MAX_PAGES];
} Visit;

static NaiveRange *range_of(Naive *m, const PgmPageRef *page)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (!range->live || page->kind != range->kind || page->offset / PAGE >= range->n_pages ||
            (page->shadow && range->shadow == NULL)) {
            continue;
        }
        bool shown = range->start != NOWHERE && page->offset / PAGE < range->n_shown;

        if (page->bytes == real_page(range, page->shadow, (unsigned)(page->offset / PAGE)) &&
            page->gpa == (shown ? range->start + page->offset : MEM_GPHYS_NIL) &&
            page->name == real_name(range)) {
            return range;
        }
    }
    model_fail("a dirty page of no range: offset %#" PRIx64, page->offset);
}

static void visit_page(const PgmPageRef *page, void *user)
{
    Visit *visit = user;
    const NaiveRange *range = range_of(visit->machine, page);
    unsigned number = (unsigned)(page->offset / PAGE);

    if (visit->seen[range->number][page->shadow][number]) {
        model_fail("page %u of range %u was visited twice", number, range->number);
    }
    visit->seen[range->number][page->shadow][number] = true;
    visit->n++;
}

static void compare_page(const Visit *visit, NaiveRange *range, unsigned which, unsigned page)
{
    Listeners bit = (Listeners)1 << visit->client;
    bool seen = visit->seen[range->number][which][page];
    bool must = (range->must[which][page] & bit) != 0;
    bool may = (range->may[which][page] & bit) != 0;

    if (planted == PLANTED_DIRTY && range->start == HIGH_START + 4 * PAGE && page == 3) {
        must = true;
    }
    if ((must && !seen) || (!may && !must && seen)) {
        model_fail("client %u: page %u (record %u) of range %u at %#" PRIx64
                   " is in its set: %d, must %d, may %d",
                   visit->client, page, which, range->number, range->start, seen, must, may);
    }
    range->must[which][page] = (range->must[which][page] & ~bit) | (seen ? bit : 0);
    range->may[which][page] = (range->may[which][page] & ~bit) | (seen ? bit : 0);
}

static int op_client_check(Naive *m)
{
    unsigned c = pick_client(m, true);
    uint64_t gpa = pick_address(m);

    if (c == MAX_CLIENTS) {
        return OP_SKIPPED;
    }
    Visit visit = { .machine = m, .client = c };

    script(m, "client %u is compared", c);
    pgm_dirty_foreach(m->clients[c], visit_page, &visit);
    if (visit.n != pgm_dirty_count(m->clients[c])) {
        model_fail("%" PRIu64 " dirty pages, visited %" PRIu64, pgm_dirty_count(m->clients[c]),
                   visit.n);
    }
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (!range->live || range->kind == PGM_RANGE_MMIO) {
            continue;
        }
        for (unsigned page = 0; page < range->n_pages; page++) {
            compare_page(&visit, range, FRONT, page);
            if (range->shadow != NULL) {
                compare_page(&visit, range, SHADOW, page);
            }
        }
    }
    Place place = naive_at(m, gpa);

    if (place.range != NULL && place.range->kind != PGM_RANGE_MMIO) {
        bool shadow = place.range->shadow != NULL &&
                      naive_visible(place) != naive_record_bytes(place.range, FRONT, place.page);

        if (pgm_dirty_contains(m->clients[c], gpa) !=
            visit.seen[place.range->number][shadow][place.page]) {
            model_fail("%#" PRIx64 " is in the set or not?", gpa);
        }
    }
    return MEM_OK;
}

/* ---- mappings */

static unsigned *lock_count(const NaiveLock *lock)
{
    return lock->mapping.writable ? &lock->range->n_write_locks[lock->which][lock->page]
                                  : &lock->range->n_read_locks[lock->which][lock->page];
}

/* What a mapping at @gpa is of, as the naive machine sees it. */
static MemStatus check_lock(Naive *m, uint64_t gpa, bool writable, NaiveLock *lock)
{
    Place place = naive_at(m, gpa);
    uint8_t *bytes;

    if (place.range == NULL) {
        return MEM_ERR_UNASSIGNED;
    }
    PgmHandlerState handler = naive_handler_state(m, place, false);

    if (place.range->kind == PGM_RANGE_MMIO || handler == PGM_HANDLER_ALL ||
        (writable && (handler >= PGM_HANDLER_WRITE || !naive_write_reaches(place, &bytes)))) {
        return MEM_ERR_RESERVED;
    }
    if (!writable) {
        bytes = naive_visible(place);
    }
    lock->range = place.range;
    lock->page = place.page;
    lock->which = bytes == naive_record_bytes(place.range, FRONT, place.page) ? FRONT : SHADOW;
    Backing there = (Backing)place.range->there[lock->which][lock->page];

    if (place.range->kind == PGM_RANGE_MMIO2) {
        there = OWN;
    }
    lock->zero_page = !writable && there == NOTHING;
    if (there == BALLOONED) {
        return MEM_ERR_BALLOONED;
    }
    if (writable || there == SHARED) {
        return naive_make_writable(m, place, !writable);
    }
    return MEM_OK;
}

static int lock_page(Naive *m, NaiveLock *lock, uint64_t gpa, bool writable)
{
    PgmMapping mapping;

    focus(m, writable ? ON_LOCK : ON_LOCK_RO, gpa);
    real_begins(m);
    MemStatus real =
        writable ? pgm_map_page(m->pgm, gpa, &mapping) : pgm_map_page_ro(m->pgm, gpa, &mapping);

    real_ended(m);
    *lock = (NaiveLock) { 0 };
    MemStatus naive = check_lock(m, gpa, writable, lock);

    if (naive == MEM_OK && real == MEM_ERR_NO_MEMORY && m->armed) {
        naive = real; /* the entry that keeps its place */
    }
    if (naive == MEM_OK && real == MEM_OK) {
        lock->live = true;
        lock->mapping = mapping;
        ++*lock_count(lock);
        if (mapping.host != real_page(lock->range, lock->which, lock->page) ||
            mapping.writable != writable) {
            model_fail("the mapping of %#" PRIx64 " lies elsewhere", gpa);
        }
        if (writable) {
            naive_written(lock->range, lock->which, lock->page, true);
        }
    }
    return agree(m, real, naive);
}

static NaiveLock *pick_lock(Naive *m, bool live)
{
    unsigned first = below(MAX_LOCKS);

    for (unsigned i = 0; i < MAX_LOCKS; i++) {
        NaiveLock *lock = &m->locks[(first + i) % MAX_LOCKS];

        if (lock->live == live) {
            return lock;
        }
    }
    return NULL;
}

static int op_lock(Naive *m)
{
    NaiveLock *lock = pick_lock(m, false);
    uint64_t gpa = pick_address(m);
    bool writable = one_in(2);

    if (lock == NULL) {
        return OP_SKIPPED;
    }
    script(m, "map %#" PRIx64 " to %s", gpa, writable ? "write" : "read");
    return lock_page(m, lock, gpa, writable);
}

static void undo(Naive *m, NaiveLock *lock)
{
    PageId id = real_id(lock->range, lock->which, lock->page);
    uint8_t *bytes = naive_record_bytes(lock->range, lock->which, lock->page);
    static const uint8_t zeros[PAGE];

    if (memcmp(lock->mapping.host, lock->zero_page ? zeros : bytes, PAGE) != 0 ||
        (!lock->zero_page &&
         lock->mapping.host != real_page(lock->range, lock->which, lock->page))) {
        model_fail("the mapping of page %u of range %u shows other bytes", lock->page,
                   lock->range->number);
    }
    --*lock_count(lock);
    lock->live = false;
    pgm_unmap_page(m->pgm, &lock->mapping);
    if (lock->wrote) {
        cpu_no_excuse(m, id);
    }
}

void unlock_range(Naive *m, const NaiveRange *range)
{
    for (unsigned i = 0; i < MAX_LOCKS; i++) {
        if (m->locks[i].live && (range == NULL || m->locks[i].range == range)) {
            undo(m, &m->locks[i]);
        }
    }
}

static int op_unlock(Naive *m)
{
    NaiveLock *lock = pick_lock(m, true);

    if (lock == NULL) {
        return OP_SKIPPED;
    }
    script(m, "unmap page %u of range %u", lock->page, lock->range->number);
    undo(m, lock);
    return MEM_OK;
}

/* Somebody writes through the pointer; nobody is told until the end. */
static int op_write_mapped(Naive *m)
{
    NaiveLock *lock = pick_lock(m, true);
    unsigned at = below(PAGE - 16), len = 1 + below(16);

    if (lock == NULL || !lock->mapping.writable) {
        return OP_SKIPPED;
    }
    script(m, "write %u mapped bytes at %#x of page %u of range %u", len, at, lock->page,
           lock->range->number);
    uint8_t *bytes = naive_record_bytes(lock->range, lock->which, lock->page);

    for (unsigned i = 0; i < len; i++) {
        bytes[at + i] = (uint8_t)rng();
        lock->mapping.host[at + i] = bytes[at + i];
    }
    for (unsigned i = 0; i < MAX_LOCKS; i++) {
        m->locks[i].wrote |= m->locks[i].live && m->locks[i].mapping.writable &&
                             m->locks[i].mapping.host == lock->mapping.host;
    }
    cpu_excuse(m, real_id(lock->range, lock->which, lock->page));
    return MEM_OK;
}

/* Several at once: all or none. */
static int op_lock_many(Naive *m)
{
    GPhys gpas[4];
    PgmMapping mappings[4];
    unsigned n = 1 + below(4);
    bool writable = one_in(2);
    MemStatus naive = MEM_OK;

    for (unsigned i = 0; i < n; i++) {
        gpas[i] = i > 0 && one_in(6) ? gpas[0] : pick_address(m);
    }
    script(m, "map %u pages at once, the first at %#" PRIx64, n, gpas[0]);
    memset(mappings, 0xa5, sizeof mappings);
    real_begins(m);
    MemStatus real = pgm_map_pages(m->pgm, gpas, n, writable, mappings);

    real_ended(m);
    for (unsigned i = 0; i < n && naive == MEM_OK; i++) {
        NaiveLock lock = { 0 };

        naive = check_lock(m, gpas[i], writable, &lock);
        if (naive == MEM_OK && writable) {
            naive_written(lock.range, lock.which, lock.page, true);
        }
    }
    if (real == MEM_ERR_NO_MEMORY && m->armed) {
        naive = real; /* an entry was missing, of whichever page */
    }
    if (real == MEM_OK) {
        pgm_unmap_pages(m->pgm, mappings, n);
    } else if (mappings[0].host != NULL || mappings[n - 1].host != NULL) {
        model_fail("mappings are left of a call that failed");
    }
    return agree(m, real, naive);
}

/* ---- virtual watches */

static int op_virtual_watch(Naive *m)
{
    unsigned cpu = m->cpus[1] != NULL ? below(2) : 0;
    NaiveWatch *watch = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t start = (uint64_t)below(4) * PAGE + below(PAGE), len = 1 + below(64);
    unsigned accesses = 1 + below(7);

    for (unsigned i = 0; i < MAX_WATCHES && watch == NULL; i++) {
        watch = m->watches[i].live ? NULL : &m->watches[i];
    }
    if (watch == NULL) {
        return OP_SKIPPED;
    }
    script(m, "virtual watch at %#" PRIx64 "+%" PRIu64 " for %u", start, len, accesses);
    *watch = (NaiveWatch) { .machine = m,
                            .number = (unsigned)(watch - m->watches),
                            .live = true,
                            .first = start,
                            .last = start + len - 1,
                            .accesses = accesses,
                            .before = one_in(2),
                            .once = one_in(3),
                            .real_live = true,
                            .is_virtual = true,
                            .cpu = cpu };
    watch->watch = pgm_watch_new_virtual(m->cpus[cpu]->cpu, start, len, accesses, watch->before,
                                         model_watch, watch, &error);
    agree_error(watch->watch != NULL ? MEM_OK : MEM_ERR_HOST_MEMORY, error);
    return MEM_OK;
}

static int op_virtual_access(Naive *m)
{
    unsigned number = m->cpus[1] != NULL ? below(2) : 0;
    PgmCpu *cpu = m->cpus[number]->cpu;
    uint64_t gpa = pick_address(m), masked = pgm_cpu_mask(cpu, gpa), value = rng(), got;
    uint64_t gva = (uint64_t)below(4) * PAGE + gpa % PAGE;
    unsigned size = MIN(1u << below(4), PAGE - (unsigned)(gpa % PAGE));
    MemStatus real, naive;

    script(m, "access %u at %#" PRIx64 " by virtual %#" PRIx64, size, gpa, gva);
    real_begins(m);
    if (one_in(2)) {
        value &= size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
        real = pgm_cpu_bus_write(cpu, gva, gpa, size, value);
        real_ended(m);
        naive_virtual_hit(m, number, gva, masked, size, value, MEM_ACCESS_WRITE, true);
        naive = naive_bus_write(m, masked, size, value, MEM_ORIGIN_CPU);
        naive_virtual_hit(m, number, gva, masked, size, value, MEM_ACCESS_WRITE, false);
        return agree(m, real, naive);
    }
    real = pgm_cpu_bus_read(cpu, gva, gpa, size, &got);
    real_ended(m);
    naive_virtual_hit(m, number, gva, masked, size, 0, MEM_ACCESS_READ, true);
    naive = naive_bus_read(m, masked, size, MEM_ORIGIN_CPU, &value);
    naive_virtual_hit(m, number, gva, masked, size, value, MEM_ACCESS_READ, false);
    if (got != value) {
        model_fail("read %#" PRIx64 ", expected %#" PRIx64, got, value);
    }
    return agree(m, real, naive);
}

static int op_virtual_exec(Naive *m)
{
    unsigned number = m->cpus[1] != NULL ? below(2) : 0;
    PgmCpu *cpu = m->cpus[number]->cpu;
    uint64_t gpa = pick_address(m), masked = pgm_cpu_mask(cpu, gpa);
    uint64_t gva = (uint64_t)below(4) * PAGE + gpa % PAGE;
    uint32_t len = MIN(1 + below(15), PAGE - (uint32_t)(gpa % PAGE));
    bool covered = false;

    script(m, "run %u bytes at %#" PRIx64 " by virtual %#" PRIx64, len, gpa, gva);
    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        const NaiveWatch *watch = &m->watches[i];

        covered |= watch->live && watch->is_virtual && watch->cpu == number &&
                   watch->first <= (gva | (PAGE - 1)) && watch->last >= gva - gva % PAGE &&
                   (watch->accesses & MEM_ACCESS_EXEC) != 0;
    }
    if (pgm_watch_covers_virtual(cpu, gva, MEM_ACCESS_EXEC) != covered) {
        model_fail("virtual page of %#" PRIx64 " is watched or not?", gva);
    }
    pgm_cpu_report_exec_at(cpu, gva, gpa, len);
    for (unsigned after = 0; after < 2; after++) {
        naive_virtual_hit(m, number, gva, masked, len, 0, MEM_ACCESS_EXEC, after == 0);
    }
    for (unsigned after = 0; after < 2; after++) {
        naive_watch_hit(m, masked, len, 0, MEM_ACCESS_EXEC, MEM_ORIGIN_CPU, after == 0);
    }
    return MEM_OK;
}

const Op tracking_ops[] = {
    { "snapshot take", op_take, 12, OP_TRACKING },
    { "snapshot restore", op_restore, 16, OP_TRACKING },
    { "snapshot drop", op_drop, 8, OP_TRACKING },
    { "snapshot limit", op_limit_entries, 3, OP_TRACKING },
    { "client new", op_client_new, 8, OP_TRACKING },
    { "client free", op_client_free, 3, OP_TRACKING },
    { "client reset", op_client_reset, 15, OP_TRACKING },
    { "client check", op_client_check, 15, OP_TRACKING },
    { "lock", op_lock, 25, 0 },
    { "unlock", op_unlock, 18, 0 },
    { "write mapped", op_write_mapped, 25, 0 },
    { "lock many", op_lock_many, 8, 0 },
    { "virtual watch", op_virtual_watch, 6, 0 },
    { "virtual access", op_virtual_access, 25, 0 },
    { "virtual run", op_virtual_exec, 10, 0 },
};
const unsigned n_tracking_ops = G_N_ELEMENTS(tracking_ops);
