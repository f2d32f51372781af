/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a page. pgm_page_change() is the only code that writes a record; it keeps the
 * counters, drops the page-map TLB's entries and tells the CPUs. The events around it follow the
 * state table of VirtualBox's PGM:
 *
 *   ZERO --write--> ALLOCATED <--write-- WRITE_MONITORED
 *    | ^                |  \----arm--------^
 *    | +----free--------+--share--> SHARED --write: copy--> ALLOCATED
 *    +--inflate--> BALLOONED --deflate--> ZERO
 *
 * CPUs are told only if some CPU was answered about the page since it was last told ("seen"): the
 * first write to a page that no CPU ever read costs no flush.
 *
 * Source: state table from VirtualBox's PGM; counters kept by one function, and "seen", are ours.
 */
#include "memsys/gmm-internal.h"
#include "memsys/pgm-internal.h"

#include <string.h>

/* ---- counters */

void pgm_pages_count(Pgm *pgm, PgmPage page, uint64_t n, int sign)
{
    PgmPageCounts *counts = &pgm->stats.pages;
    uint64_t delta = sign < 0 ? (uint64_t)0 - n : n;
    PgmPageType type = pgm_page_type(page);
    PgmPageState state = pgm_page_state(page);

    counts->all += delta;
    counts->written += pgm_page_written(page) ? delta : 0;
    counts->read_locked += pgm_page_read_locks(page) != 0 ? delta : 0;
    counts->write_locked += pgm_page_write_locks(page) != 0 ? delta : 0;
    /* The memory of an alias is counted where it lives, with its MMIO2. */
    if (type == PGM_PAGE_MMIO || type == PGM_PAGE_MMIO2_ALIAS) {
        counts->pure_mmio += delta;
        return;
    }
    counts->private_pages +=
        state == PGM_PAGE_ALLOCATED || state == PGM_PAGE_WRITE_MONITORED ? delta : 0;
    counts->monitored += state == PGM_PAGE_WRITE_MONITORED ? delta : 0;
    counts->shared += state == PGM_PAGE_SHARED ? delta : 0;
    counts->zero += state == PGM_PAGE_ZERO || state == PGM_PAGE_BALLOONED ? delta : 0;
    counts->ballooned += state == PGM_PAGE_BALLOONED ? delta : 0;
}

/* ---- telling */

void pgm_tell_all(Pgm *pgm, bool executed)
{
    if (!pgm->cpu_may_hold) {
        return;
    }
    pgm->cpu_may_hold = false;
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        const PgmCpu *cpu = g_ptr_array_index(pgm->cpus, i);

        if (cpu->callbacks->invalidate_all) {
            cpu->callbacks->invalidate_all(cpu->user, executed);
        }
    }
}

static void tell_page(Pgm *pgm, GPhys gpa, bool executed)
{
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        const PgmCpu *cpu = g_ptr_array_index(pgm->cpus, i);

        if (cpu->callbacks->invalidate_page) {
            cpu->callbacks->invalidate_page(cpu->user, gpa, executed);
        }
    }
}

/* One address that shows the page; overlays above it do no harm. */
static void drop_gpa(Pgm *pgm, GPhys gpa, bool seen, bool executed)
{
    pgm_tlb_flush_page(pgm, gpa);
    if (seen) {
        tell_page(pgm, gpa, executed);
    }
}

static void drop_page(PgmRange *range, uint64_t index, bool seen, bool executed)
{
    Pgm *pgm = range->pgm;

    if (range->start != MEM_GPHYS_NIL && index < range->shown_pages) {
        drop_gpa(pgm, range->start + (index << MEM_PAGE_SHIFT), seen, executed);
    }
    if (range->kind == PGM_RANGE_MMIO2) {
        const PgmMmio2 *mmio2 = pgm_mmio2_of(range);

        for (unsigned i = 0; i < mmio2->n_aliases; i++) {
            const PgmAlias *alias = &mmio2->aliases[i];

            if (alias->index == index && alias->mmio->start != MEM_GPHYS_NIL) {
                drop_gpa(pgm, alias->mmio->start + (alias->mmio_index << MEM_PAGE_SHIFT), seen,
                         executed);
            }
        }
    }
}

static void touch(PgmRange *range, uint64_t index)
{
    if (range->touched) {
        uint64_t group = index >> PGM_TOUCH_SHIFT;

        range->touched[group >> 6] |= UINT64_C(1) << (group & 63);
    }
}

void pgm_page_mark_seen(PgmRange *range, uint64_t index)
{
    PgmPage *page = pgm_range_page(range, index);

    range->pgm->cpu_may_hold = true;
    if ((*page & PGM_PAGE_SEEN_BIT) == 0) {
        pgm_lock(range->pgm);
        *page |= PGM_PAGE_SEEN_BIT;
        touch(range, index);
        pgm_unlock(range->pgm);
    }
}

void pgm_page_view_changed(PgmRange *range, uint64_t index, bool executed)
{
    Pgm *pgm = range->pgm;
    PgmPage *front = pgm_range_page(range, index);
    bool seen = (*front & PGM_PAGE_SEEN_BIT) != 0;

    if (pgm->batch_depth != 0) {
        pgm->batch_changes++;
        pgm->batch_executed |= executed;
        return;
    }
    /* First the mark, then the telling: a callback that asks again is answered afresh. */
    pgm_lock(pgm);
    *front &= ~PGM_PAGE_SEEN_BIT;
    pgm_unlock(pgm);
    drop_page(range, index, seen, executed);
}

void pgm_forget_gpa(Pgm *pgm, GPhys gpa)
{
    PgmPlace place;

    pgm_tlb_flush_page(pgm, gpa);
    if (!pgm_place_lookup(pgm, gpa, &place)) {
        if (pgm->cpu_may_hold) {
            tell_page(pgm, gpa, false);
        }
    } else {
        /* The mark stays: the same page may also be known by another address. */
        PgmPage page = *pgm_range_page(place.range, place.index);
        PgmView view;

        pgm_view(&place, &view);
        if ((page & PGM_PAGE_SEEN_BIT) != 0) {
            tell_page(pgm, gpa, pgm_id_executed(pgm, view.read_id));
        }
    }
}

void pgm_batch_begin(Pgm *pgm)
{
    if (pgm->batch_depth++ == 0) {
        pgm->batch_changes = 0;
        pgm->batch_executed = false;
    }
}

void pgm_batch_end(Pgm *pgm)
{
    g_assert(pgm->batch_depth > 0);
    if (--pgm->batch_depth == 0 && pgm->batch_changes != 0) {
        pgm_tlb_flush(pgm);
        pgm_tell_all(pgm, pgm->batch_executed);
    }
}

/* ---- executed host pages */

void pgm_code_written(Pgm *pgm, PageId id, uint32_t offset, uint32_t len)
{
    if (!pgm_id_executed(pgm, id)) {
        return;
    }
    for (unsigned i = 0; i < pgm->cpus->len; i++) {
        const PgmCpu *cpu = g_ptr_array_index(pgm->cpus, i);

        if (cpu->callbacks->code_changed) {
            cpu->callbacks->code_changed(cpu->user, id, offset, len);
        }
    }
}

void pgm_forget_code(Pgm *pgm, PageId id)
{
    if (!pgm_id_executed(pgm, id)) {
        return;
    }
    pgm_code_written(pgm, id, 0, MEM_PAGE_SIZE);
    pgm_lock(pgm);
    pgm->executed[id >> 6] &= ~(UINT64_C(1) << (id & 63));
    pgm_unlock(pgm);
}

void pgm_mark_executed(Pgm *pgm, PgmRange *range, uint64_t index, PageId id)
{
    pgm_lock(pgm);
    pgm->executed[id >> 6] |= UINT64_C(1) << (id & 63);
    pgm_unlock(pgm);
    pgm->any_executed = true;
    pgm->stats.code_pages++;
    /* From now on a store must come to the slow path, which tells the CPUs. */
    drop_page(range, index, false, false);
}

/* ---- the one function */

void pgm_page_change(PgmRange *range, uint64_t index, PgmRecord which, PgmPage to)
{
    g_assert(which == PGM_RECORD_SHADOW || range->pages);
    Pgm *pgm = range->pgm;
    PgmPage *page =
        which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : &range->pages[index];
    PgmPage from = *page;

    to = (to & ~PGM_PAGE_SEEN_BIT) | (from & PGM_PAGE_SEEN_BIT);
    if (to == from) {
        return;
    }
    pgm_lock(pgm);
    pgm_pages_count(pgm, from, 1, -1);
    pgm_pages_count(pgm, to, 1, +1);
    *page = to;
    if (which == PGM_RECORD_FRONT) {
        touch(range, index);
    }
    pgm_unlock(pgm);
    if (which == PGM_RECORD_SHADOW && pgm_rom_read_record(range, index) != PGM_RECORD_SHADOW) {
        return; /* nobody sees it */
    }
    PgmPage gain = pgm_page_with_written(
        pgm_page_with_backing(from, PGM_PAGE_ALLOCATED, pgm_page_id(from)), true);

    if (pgm_page_state(from) == PGM_PAGE_WRITE_MONITORED && to == gain) {
        /* The page can do all it could before: what CPUs hold stays right. */
        if (pgm->batch_depth == 0) {
            drop_page(range, index, false, false);
        } else {
            pgm->batch_changes++;
        }
        return;
    }
    /* Code stays right while the same host page shows there and may be fetched from. */
    bool moved =
        pgm_page_id(from) != pgm_page_id(to) || pgm_page_handler(from) != pgm_page_handler(to);

    pgm_page_view_changed(range, index, moved && pgm_id_executed(pgm, pgm_page_id(from)));
}

void pgm_page_init(PgmRange *range, uint64_t index, PgmRecord which, PgmPage page)
{
    PgmPage *record =
        which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : &range->pages[index];

    *record = page;
    if (which == PGM_RECORD_FRONT) {
        touch(range, index);
    }
    pgm_pages_count(range->pgm, page, 1, +1);
}

void pgm_page_set_locks(PgmRange *range, uint64_t index, PgmRecord which, unsigned read_locks,
                        unsigned write_locks)
{
    PgmPage *page =
        which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : &range->pages[index];

    pgm_lock(range->pgm);
    pgm_pages_count(range->pgm, *page, 1, -1);
    range->n_locks -= pgm_page_locks_to_undo(*page);
    *page = pgm_page_with_locks(*page, read_locks, write_locks);
    range->n_locks += pgm_page_locks_to_undo(*page);
    pgm_pages_count(range->pgm, *page, 1, +1);
    if (which == PGM_RECORD_FRONT) {
        touch(range, index);
    }
    pgm_unlock(range->pgm);
}

/* A bit that says nothing about what CPUs may do with the page. */
static void set_record_bit(PgmRange *range, uint64_t index, PgmRecord which, PgmPage bit, bool on)
{
    PgmPage *page =
        which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : &range->pages[index];

    pgm_lock(range->pgm);
    *page = on ? *page | bit : *page & ~bit;
    if (which == PGM_RECORD_FRONT) {
        touch(range, index);
    }
    pgm_unlock(range->pgm);
}

void pgm_page_set_saved(PgmRange *range, uint64_t index, PgmRecord which, bool saved)
{
    set_record_bit(range, index, which, PGM_PAGE_SAVED_BIT, saved);
}

void pgm_page_set_merge_mark(PgmRange *range, uint64_t index, PgmRecord which, bool mark)
{
    set_record_bit(range, index, which, PGM_PAGE_MARK_BIT, mark);
}

bool pgm_page_set_mark(PgmRange *range, uint64_t index, bool mark)
{
    PgmPage *page = &range->pages[index];
    bool was = (*page & PGM_PAGE_MARK_BIT) != 0;

    *page = mark ? *page | PGM_PAGE_MARK_BIT : *page & ~PGM_PAGE_MARK_BIT;
    return was;
}

bool pgm_uniform_to_records(PgmRange *range)
{
    PgmPage *pages = pgm_records_new(range->pgm, range->n_pages, &range->pages_mapped);

    if (!pages) {
        return false;
    }
    for (uint64_t i = 0; i < range->n_pages; i++) {
        pages[i] = range->uniform;
    }
    range->pages = pages;
    return true;
}

void pgm_alias_shown_change(PgmRange *mmio, uint64_t mmio_index, PgmRange *mmio2, uint64_t index,
                            PgmPage to)
{
    /* While the alias stood, answers about the address were marked in the record of the MMIO2. */
    mmio->pages[mmio_index] |= mmio2->pages[index] & PGM_PAGE_SEEN_BIT;
    pgm_page_change(mmio, mmio_index, PGM_RECORD_FRONT, to);
}

/* ---- events */

GPhys pgm_page_gpa(const PgmRange *range, uint64_t index, PgmRecord which)
{
    /* Only plain RAM may ever be shared by content: GMM is told no address of the rest. */
    if (which == PGM_RECORD_SHADOW || range->kind != PGM_RANGE_RAM) {
        return MEM_GPHYS_NIL;
    }
    return range->start + (index << MEM_PAGE_SHIFT);
}

static MemStatus zero_to_allocated(PgmRange *range, uint64_t index, PgmRecord which, PgmPage from)
{
    PageId id;
    MemStatus status = MEM_OK;

    if (range->runs && pgm_run_take(range, index, &id)) {
        if (pgm_page_state(range->pages[index]) != PGM_PAGE_ZERO) {
            /* GMM asked the embedder for pages, who did something with this one. */
            pgm_free_id(range->pgm, id);
            pgm_free_flush(range->pgm);
            return pgm_page_make_writable(range, index, which);
        }
    } else {
        status = pgm_handy_take(range->pgm, pgm_page_gpa(range, index, which), true, &id);
    }
    if (status != MEM_OK) {
        return status;
    }
    range->pgm->stats.replaced_zero++;
    pgm_page_change(range, index, which, pgm_page_with_backing(from, PGM_PAGE_ALLOCATED, id));
    return MEM_OK;
}

static MemStatus shared_to_allocated(PgmRange *range, uint64_t index, PgmRecord which, PgmPage from)
{
    Pgm *pgm = range->pgm;
    PageId old = pgm_page_id(from);
    PageId id;

    pgm->stats.replaced_shared++;
    if (gmm_vm_unshare_page(pgm->mm.vm, old) == MEM_OK) {
        /* Nobody else has it, no snapshot either: no copy. */
        pgm_handy_note_used(pgm, old, pgm_page_gpa(range, index, which));
        pgm_page_change(range, index, which, pgm_page_with_backing(from, PGM_PAGE_ALLOCATED, old));
        return MEM_OK;
    }
    MemStatus status = pgm_handy_take(pgm, pgm_page_gpa(range, index, which), false, &id);

    if (status != MEM_OK) {
        pgm->stats.replaced_shared--;
        return status;
    }
    gmm_vm_note_copies(pgm->mm.vm, 1);
    memcpy(pgm_host(pgm, id), pgm_host(pgm, old), MEM_PAGE_SIZE);
    pgm_page_change(range, index, which, pgm_page_with_backing(from, PGM_PAGE_ALLOCATED, id));
    pgm_free_id(pgm, old);
    pgm_free_flush(pgm);
    return MEM_OK;
}

static MemStatus leave_monitoring(PgmRange *range, uint64_t index, PgmRecord which, PgmPage from)
{
    range->pgm->stats.unmonitored++;
    if (range->kind == PGM_RANGE_MMIO2) {
        pgm_mmio2_page_dirtied(range, index);
    }
    pgm_page_change(range, index, which,
                    pgm_page_with_written(
                        pgm_page_with_backing(from, PGM_PAGE_ALLOCATED, pgm_page_id(from)), true));
    return MEM_OK;
}

MemStatus pgm_page_make_writable(PgmRange *range, uint64_t index, PgmRecord which)
{
    const PgmPage *record =
        which == PGM_RECORD_SHADOW ? pgm_shadow_page(range, index) : pgm_range_page(range, index);
    PgmPageState state = pgm_page_state(*record);

    if (pgm_page_type(*record) == PGM_PAGE_MMIO) {
        return MEM_ERR_RESERVED;
    }
    if (state == PGM_PAGE_ALLOCATED) {
        return MEM_OK;
    }
    if (state == PGM_PAGE_BALLOONED) {
        return MEM_ERR_BALLOONED;
    }
    MemStatus status =
        state == PGM_PAGE_WRITE_MONITORED ? MEM_OK : pgm_handy_make_ready(range->pgm);

    if (status == MEM_OK) {
        status = pgm_page_before_change(range, index, which);
    }
    if (status != MEM_OK) {
        return status;
    }
    if (pgm_page_state(*record) != state) {
        /* GMM asked the embedder for pages, who did something with this one. */
        return pgm_page_make_writable(range, index, which);
    }
    if (state == PGM_PAGE_WRITE_MONITORED) {
        return leave_monitoring(range, index, which, *record);
    }
    return state == PGM_PAGE_ZERO ? zero_to_allocated(range, index, which, *record)
                                  : shared_to_allocated(range, index, which, *record);
}

/* @kept: the page behind is somebody else's now. */
static void drop_backing(PgmRange *range, uint64_t index, PgmRecord which, bool kept)
{
    Pgm *pgm = range->pgm;
    PgmPage from =
        which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : *pgm_range_page(range, index);
    PageId id = pgm_page_id(from);
    bool private_page = pgm_page_state(from) != PGM_PAGE_SHARED;
    PgmPage to = pgm_page_with_backing(from, PGM_PAGE_ZERO, MEM_ZERO_PAGE_ID);

    g_assert(!pgm_page_locked(from) || id == MEM_ZERO_PAGE_ID);
    pgm_page_change(range, index, which, pgm_page_with_written(to, false));
    if (id == MEM_ZERO_PAGE_ID) {
        return;
    }
    if (private_page) {
        /* A shared page's code may still be shown elsewhere; its bit goes when the id comes back.
         */
        pgm_forget_code(pgm, id);
    } else {
        /* Another guest page may have put the same id into the batch, which holds each only once.
         */
        pgm_free_flush(pgm);
    }
    if (!kept) {
        pgm_free_id(pgm, id);
    }
}

void pgm_page_drop_zeros(PgmRange *range, uint64_t index)
{
    drop_backing(range, index, PGM_RECORD_FRONT, false);
}

MemStatus pgm_page_to_zero(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmPage page =
        which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : *pgm_range_page(range, index);
    bool kept;

    if (pgm_page_state(page) == PGM_PAGE_ZERO) {
        return MEM_OK;
    }
    MemStatus status = pgm_page_before_drop(range, index, which, &kept);

    if (status == MEM_OK) {
        drop_backing(range, index, which, kept);
    }
    return status;
}

/* With other bits, and monitored if it was ALLOCATED. */
static void monitor(PgmRange *range, uint64_t index, PgmRecord which, PgmPage page)
{
    if (pgm_page_state(page) == PGM_PAGE_ALLOCATED) {
        page = pgm_page_with_backing(page, PGM_PAGE_WRITE_MONITORED, pgm_page_id(page));
    }
    pgm_page_change(range, index, which, pgm_page_with_written(page, false));
}

void pgm_page_monitor(PgmRange *range, uint64_t index, PgmRecord which)
{
    monitor(range, index, which,
            which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : range->pages[index]);
}

void pgm_page_rearm(PgmRange *range, uint64_t index, PgmRecord which)
{
    PgmPage page =
        which == PGM_RECORD_SHADOW ? *pgm_shadow_page(range, index) : range->pages[index];

    monitor(range, index, which, page & ~PGM_PAGE_SAVED_BIT);
}

void pgm_page_arm(PgmRange *range, uint64_t index)
{
    PgmPage page = *pgm_range_page(range, index);

    /* Nobody sees the stores through a mapping: it counts as written, and stays so. */
    if (pgm_page_state(page) == PGM_PAGE_ALLOCATED && pgm_page_write_locks(page) == 0) {
        pgm_page_monitor(range, index, PGM_RECORD_FRONT);
    }
}
