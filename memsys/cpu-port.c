/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's side: one answer a page, and the promise to say when it no longer holds.
 *
 * Answers are marked in the page's record ("seen") before they leave; page-state.c tells the CPUs
 * as marked pages change. Addresses without a range have no record: when ranges move, everything is
 * told.
 */
#include "memsys/pgm-internal.h"

#include <string.h>

#define A20_BIT (UINT64_C(1) << 20)

PgmCpu *pgm_cpu_attach(Pgm *pgm, const PgmCpuCallbacks *callbacks, void *user)
{
    PgmCpu *cpu = g_new(PgmCpu, 1);

    *cpu = (PgmCpu) { .pgm = pgm, .callbacks = callbacks, .user = user, .a20_mask = UINT64_MAX };
    g_ptr_array_add(pgm->cpus, cpu);
    return cpu;
}

void pgm_cpu_detach(PgmCpu *cpu)
{
    if (cpu) {
        pgm_watch_cpu_gone(cpu);
        g_ptr_array_remove(cpu->pgm->cpus, cpu);
        g_free(cpu);
    }
}

Pgm *pgm_cpu_pgm(const PgmCpu *cpu)
{
    return cpu->pgm;
}

void pgm_cpu_set_a20(PgmCpu *cpu, bool enabled)
{
    GPhys mask = enabled ? UINT64_MAX : ~A20_BIT;

    if (cpu->a20_mask == mask) {
        return;
    }
    cpu->a20_mask = mask;
    cpu->n_a20_changes++;
    if (cpu->callbacks->invalidate_all) {
        cpu->callbacks->invalidate_all(cpu->user, cpu->pgm->any_executed);
    }
}

bool pgm_cpu_a20(const PgmCpu *cpu)
{
    return cpu->a20_mask == UINT64_MAX;
}

GPhys pgm_cpu_mask(const PgmCpu *cpu, GPhys gpa)
{
    return gpa & cpu->a20_mask;
}

/* ---- fill */

/* Kinds of data access that must be caught, by the page itself and by watches. */
static unsigned caught_by_page(const PgmView *view)
{
    return (view->cpu_read_caught ? MEM_ACCESS_READ : 0u) |
           (view->cpu_write_caught ? MEM_ACCESS_WRITE : 0u);
}

static unsigned caught_by_watch(const Pgm *pgm, GPhys gpa)
{
    return (pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_READ) ? MEM_ACCESS_READ : 0u) |
           (pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_WRITE) ? MEM_ACCESS_WRITE : 0u);
}

/* Nobody who sees accesses to the page cares where they come from. */
static bool is_inert(const PgmPlace *place, const PgmView *view, unsigned by_watch)
{
    return !view->has_memory && by_watch == 0 && pgm_mmio_of(place->range)->ops.inert;
}

static void answer_catch(Pgm *pgm, unsigned by_page, unsigned by_watch, MemAccess access,
                         PgmFill *fill)
{
    fill->kind = PGM_FILL_CATCH;
    fill->perms = by_page | by_watch;
    fill->watched = (by_page & access) == 0;
    pgm->stats.cpu_fills_catch++;
}

/*
 * A page became executed: entries without X must go, so that stores are tracked. The CPU that asked
 * is told by its answer, the others here.
 */
static void tell_others_executed(const PgmCpu *cpu)
{
    const GPtrArray *cpus = cpu->pgm->cpus;

    for (unsigned i = 0; i < cpus->len; i++) {
        const PgmCpu *other = g_ptr_array_index(cpus, i);

        if (other != cpu && other->callbacks->invalidate_all) {
            other->callbacks->invalidate_all(other->user, false);
        }
    }
}

static void answer_direct(const PgmCpu *cpu, const PgmPlace *place, unsigned caught,
                          MemAccess access, PgmFill *fill)
{
    Pgm *pgm = cpu->pgm;
    PgmView view;

    pgm_view(place, &view);
    bool executed = pgm_id_executed(pgm, view.read_id);

    if (access == MEM_ACCESS_EXEC && !executed) {
        pgm_mark_executed(pgm, place->range, place->index, view.read_id);
        tell_others_executed(cpu);
        executed = true;
        fill->flush = true;
    }
    fill->kind = PGM_FILL_DIRECT;
    fill->id = view.read_id;
    fill->perms = (MEM_ACCESS_READ | (view.writable ? MEM_ACCESS_WRITE : 0u)) & ~caught;
    if (executed && !view.cpu_read_caught) {
        fill->perms |= MEM_ACCESS_EXEC;
    }
}

/* Stores need the page writable; the change may tell CPUs, this one too. */
static MemStatus prepare_store(const PgmPlace *place)
{
    PgmRecord which = PGM_RECORD_FRONT;

    if (place->range->kind == PGM_RANGE_ROM) {
        bool reaches = pgm_rom_write_record(place->range, place->index, &which);

        g_assert(reaches);
    }
    return pgm_page_make_writable(place->range, place->index, which);
}

/* The first store to a page since a snapshot was restored. Saving it may ask the embedder for
 * pages, who may do anything: the page is looked up again afterwards. */
static const PgmPage *write_monitored(Pgm *pgm, GPhys gpa, const PgmPage *page)
{
    PgmRange *range = pgm_span_cache_slot(&pgm->spans, gpa)->range;

    if (pgm_page_make_writable(range, (uint64_t)(page - range->pages), PGM_RECORD_FRONT) !=
        MEM_OK) {
        return NULL;
    }
    return pgm_plain_ram(pgm, gpa);
}

/*
 * The answer most fills get: data in RAM that was answered about before, so that it is marked seen,
 * and whose state need not change, or only from monitored to allocated.
 */
static bool fill_plain_ram(Pgm *pgm, GPhys gpa, MemAccess access, PgmFill *fill)
{
    const PgmPage *page = pgm_plain_ram(pgm, gpa);

    if (page && access == MEM_ACCESS_WRITE && (*page & PGM_PAGE_SEEN_BIT) != 0 &&
        pgm_page_state(*page) == PGM_PAGE_WRITE_MONITORED) {
        page = write_monitored(pgm, gpa, page);
    }
    if (!page || (*page & PGM_PAGE_SEEN_BIT) == 0 || access == MEM_ACCESS_EXEC) {
        return false;
    }
    PageId id = pgm_page_id(*page);
    bool writable = pgm_page_state(*page) == PGM_PAGE_ALLOCATED;

    if ((access == MEM_ACCESS_WRITE && !writable) || pgm_id_executed(pgm, id)) {
        return false;
    }
    *fill = (PgmFill) { .kind = PGM_FILL_DIRECT,
                        .perms = MEM_ACCESS_READ | (writable ? MEM_ACCESS_WRITE : 0u),
                        .id = id,
                        .gpa = gpa };
    return true;
}

void pgm_cpu_fill(PgmCpu *cpu, GPhys gpa, MemAccess access, PgmFill *ret_fill)
{
    Pgm *pgm = cpu->pgm;
    PgmPlace place;
    PgmView view;

    gpa = pgm_cpu_mask(cpu, gpa) & MEM_PAGE_MASK;
    pgm->stats.cpu_fills++;
    pgm->cpu_may_hold = true;
    if (fill_plain_ram(pgm, gpa, access, ret_fill)) {
        return;
    }
    *ret_fill =
        (PgmFill) { .gpa = gpa, .exec_watched = pgm_watch_covers_page(pgm, gpa, MEM_ACCESS_EXEC) };
    unsigned by_watch = caught_by_watch(pgm, gpa);

    if (!pgm_place_lookup(pgm, gpa, &place)) {
        ret_fill->kind = PGM_FILL_UNASSIGNED;
        ret_fill->perms = MEM_ACCESS_READ | MEM_ACCESS_WRITE;
        ret_fill->watched = (by_watch & access) != 0;
        return;
    }
    pgm_view(&place, &view);
    unsigned by_page = caught_by_page(&view);
    bool fetch_caught = access == MEM_ACCESS_EXEC && (by_page & MEM_ACCESS_READ) != 0;

    if (((by_page | by_watch) & access) != 0 || fetch_caught) {
        pgm_page_mark_seen(place.range, place.index);
        answer_catch(pgm, by_page, by_watch, fetch_caught ? MEM_ACCESS_READ : access, ret_fill);
        ret_fill->inert = is_inert(&place, &view, by_watch);
        return;
    }
    if (access == MEM_ACCESS_WRITE && prepare_store(&place) != MEM_OK) {
        ret_fill->kind = PGM_FILL_NO_MEMORY;
        return;
    }
    answer_direct(cpu, &place, by_page | by_watch, access, ret_fill);
    pgm_page_mark_seen(place.range, place.index);
}

/* ---- a page walker's accesses */

uint32_t pgm_cpu_read_u32(PgmCpu *cpu, GPhys gpa)
{
    return pgm_read_u32_as(cpu->pgm, pgm_cpu_mask(cpu, gpa), MEM_ORIGIN_CPU);
}

uint64_t pgm_cpu_read_u64(PgmCpu *cpu, GPhys gpa)
{
    return pgm_read_u64_as(cpu->pgm, pgm_cpu_mask(cpu, gpa), MEM_ORIGIN_CPU);
}

MemStatus pgm_cpu_write_u32(PgmCpu *cpu, GPhys gpa, uint32_t value)
{
    return pgm_write_u32_as(cpu->pgm, pgm_cpu_mask(cpu, gpa), value, MEM_ORIGIN_CPU);
}

MemStatus pgm_cpu_write_u64(PgmCpu *cpu, GPhys gpa, uint64_t value)
{
    return pgm_write_u64_as(cpu->pgm, pgm_cpu_mask(cpu, gpa), value, MEM_ORIGIN_CPU);
}

/* ---- executed pages */

bool pgm_page_executed(const Pgm *pgm, PageId id)
{
    return (size_t)id / 8 < pgm->executed_bytes && pgm_id_executed(pgm, id);
}

void pgm_forget_executed(Pgm *pgm)
{
    if (pgm->any_executed) {
        pgm_lock(pgm);
        if (!pgm->os->discard(pgm->executed, pgm->executed_bytes)) {
            memset(pgm->executed, 0, pgm->executed_bytes);
        }
        pgm->any_executed = false;
        pgm_unlock(pgm);
    }
}

void pgm_forget_executed_page(Pgm *pgm, PageId id)
{
    pgm_forget_code(pgm, id);
}

void pgm_cpu_report_exec(PgmCpu *cpu, GPhys gpa, uint32_t len)
{
    PgmWatchHit hit = { .gpa = pgm_cpu_mask(cpu, gpa),
                        .len = len,
                        .access = MEM_ACCESS_EXEC,
                        .origin = MEM_ORIGIN_CPU,
                        .before = true };

    g_assert(len > 0);
    pgm_watch_tell(cpu->pgm, &hit);
    hit.before = false;
    pgm_watch_tell(cpu->pgm, &hit);
}
