/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole copies of a machine, for snapshots and saved states: every byte, every place, as simple and
 * as large as that.
 */
#include "tests/model/memsys/naive.h"

#include <inttypes.h>
#include <string.h>

Copy *naive_copy_new(Naive *m)
{
    Copy *copy = g_new0(Copy, 1);

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];
        size_t size = (size_t)range->n_pages * PAGE;

        if (!range->live) {
            continue;
        }
        RangeCopy *c = &copy->ranges[copy->n++];

        *c = (RangeCopy) {
            .range = range, .uid = range->uid, .start = range->start, .n_shown = range->n_shown
        };
        c->bytes = range->kind == PGM_RANGE_MMIO ? NULL : g_memdup2(range->bytes, size);
        c->shadow = range->shadow == NULL ? NULL : g_memdup2(range->shadow, size);
        memcpy(c->there, range->there, sizeof c->there);
        memcpy(c->prot, range->prot, sizeof c->prot);
        for (unsigned page = 0; page < range->n_pages; page++) {
            if (range->alias[page] != NULL) {
                c->alias[page].range = range->alias[page];
                c->alias[page].uid = range->alias[page]->uid;
                c->alias[page].page = range->alias_page[page];
            }
        }
    }
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        const NaiveHandler *handler = &m->handlers[i];

        if (handler->live && handler->range != NULL) {
            copy->handlers[i].uid = handler->uid;
            copy->handlers[i].range_uid = handler->range->uid;
            copy->handlers[i].offset = handler->offset;
        }
        memcpy(copy->handlers[i].off, m->handlers[i].off, sizeof m->handlers[i].off);
    }
    return copy;
}

void naive_copy_free(Copy *copy)
{
    for (unsigned i = 0; copy != NULL && i < copy->n; i++) {
        g_free(copy->ranges[i].bytes);
        g_free(copy->ranges[i].shadow);
    }
    g_free(copy);
}

static const RangeCopy *by_uid(const Copy *copy, uint64_t uid, unsigned *ret_at)
{
    for (unsigned i = 0; i < copy->n; i++) {
        if (copy->ranges[i].uid == uid) {
            *ret_at = i;
            return &copy->ranges[i];
        }
    }
    return NULL;
}

Copy *naive_copy_for(const Copy *copy, NaiveRange *const *ranges)
{
    Copy *other = g_memdup2(copy, sizeof *copy);

    memset(other->handlers, 0, sizeof other->handlers);
    for (unsigned i = 0; i < copy->n; i++) {
        RangeCopy *c = &other->ranges[i];
        size_t size = (size_t)ranges[i]->n_pages * PAGE;
        unsigned at;

        c->range = ranges[i];
        c->uid = ranges[i]->uid;
        c->bytes = c->bytes == NULL ? NULL : g_memdup2(c->bytes, size);
        c->shadow = c->shadow == NULL ? NULL : g_memdup2(c->shadow, size);
        for (unsigned page = 0; page < ranges[i]->n_pages; page++) {
            if (c->alias[page].range != NULL && by_uid(copy, c->alias[page].uid, &at) != NULL) {
                c->alias[page].range = ranges[at];
                c->alias[page].uid = ranges[at]->uid;
            } else {
                c->alias[page].range = NULL;
            }
        }
    }
    return other;
}

static const RangeCopy *find(const Copy *copy, const NaiveRange *range)
{
    for (unsigned i = 0; i < copy->n; i++) {
        if (copy->ranges[i].range == range && copy->ranges[i].uid == range->uid) {
            return &copy->ranges[i];
        }
    }
    return NULL;
}

static bool lives(const NaiveRange *range, uint64_t uid)
{
    return range->live && range->uid == uid;
}

bool naive_copy_same_ranges(Naive *m, const Copy *copy)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        n += m->ranges[i].live;
    }
    for (unsigned i = 0; i < copy->n; i++) {
        if (!lives(copy->ranges[i].range, copy->ranges[i].uid)) {
            return false;
        }
    }
    return n == copy->n;
}

/* ---- places */

static bool moves(const NaiveRange *range)
{
    return range->kind == PGM_RANGE_MMIO || range->kind == PGM_RANGE_MMIO2 || range->shadow != NULL;
}

/* What was not there then leaves. */
static void clear_place(Naive *m, uint64_t start, unsigned n_pages)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *other = &m->ranges[i];

        if (other->live && other->kind != PGM_RANGE_RAM && other->start != NOWHERE &&
            other->start < start + (uint64_t)n_pages * PAGE &&
            other->start + (uint64_t)other->n_shown * PAGE > start) {
            naive_unmap(other);
        }
    }
}

static void restore_places(Naive *m, const Copy *copy)
{
    for (unsigned i = 0; i < copy->n; i++) {
        const RangeCopy *c = &copy->ranges[i];

        if (lives(c->range, c->uid) && moves(c->range) &&
            (c->range->start != c->start || c->range->n_shown != c->n_shown)) {
            naive_unmap(c->range);
            c->range->n_shown = c->n_shown;
        }
    }
    for (unsigned i = 0; i < copy->n; i++) {
        const RangeCopy *c = &copy->ranges[i];

        if (lives(c->range, c->uid) && moves(c->range) && c->range->start != c->start) {
            clear_place(m, c->start, c->n_shown);
            (void)naive_map(c->range, c->start);
        }
    }
}

static void restore_aliases(Naive *m, const Copy *copy)
{
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        memset(m->ranges[i].alias, 0, sizeof m->ranges[i].alias);
    }
    for (unsigned i = 0; i < copy->n; i++) {
        const RangeCopy *c = &copy->ranges[i];

        for (unsigned page = 0; lives(c->range, c->uid) && page < c->range->n_pages; page++) {
            NaiveRange *of = c->alias[page].range;

            if (of != NULL && lives(of, c->alias[page].uid) && c->range->start != NOWHERE) {
                c->range->alias[page] = of;
                c->range->alias_page[page] = c->alias[page].page;
            }
        }
    }
}

/* A file names handlers by where they begin; those that do so now are off on pages they have. */
static void load_handler(NaiveHandler *handler, const Copy *copy)
{
    memset(handler->off, 0, sizeof handler->off);
    for (unsigned k = 0; k < MAX_HANDLERS; k++) {
        if (copy->handlers[k].uid == 0 || copy->handlers[k].range_uid != handler->range->uid ||
            copy->handlers[k].offset != handler->offset) {
            continue;
        }
        uint64_t first = handler->offset / PAGE;
        uint64_t last = (handler->offset + handler->len - 1) / PAGE;

        for (uint64_t page = first; page <= last; page++) {
            handler->off[page] = copy->handlers[k].off[page];
        }
    }
}

static void restore_handlers(Naive *m, const Copy *copy, bool is_load)
{
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        NaiveHandler *handler = &m->handlers[i];

        if (!handler->live || handler->range == NULL) {
            continue;
        }
        if (is_load) {
            load_handler(handler, copy);
        } else if (handler->uid == copy->handlers[i].uid) {
            memcpy(handler->off, copy->handlers[i].off, sizeof handler->off);
        }
    }
}

/* ---- bytes */

static bool owned(Naive *m, NaiveRange *range, unsigned page)
{
    Place place = { range, page, (uint64_t)page * PAGE, false };

    return naive_handler_state(m, place, true) == PGM_HANDLER_ALL;
}

/* May the real machine show that state, where the copy has @was? */
static void check_backing(Naive *m, NaiveRange *range, unsigned which, unsigned page, Backing was)
{
    PgmPageState is = real_state(range, which, page);
    bool kept = naive_locked(range, which, page) || owned(m, range, page);

    if (kept || range->kind == PGM_RANGE_MMIO2) {
        return;
    }
    if ((was == BALLOONED) != (is == PGM_PAGE_BALLOONED)) {
        model_fail("page %u (record %u) of range %u is %s, was %d", page, which, range->number,
                   pgm_page_state_name(is), was);
    }
    if (was == NOTHING && is != PGM_PAGE_ZERO && !m->preallocated) {
        model_fail("page %u (record %u) of range %u is %s, was ZERO", page, which, range->number,
                   pgm_page_state_name(is));
    }
}

static void restore_page(Naive *m, NaiveRange *range, unsigned which, unsigned page,
                         const uint8_t *from, Backing was)
{
    uint8_t *bytes = naive_record_bytes(range, which, page);
    bool balloon_changed = (range->there[which][page] == BALLOONED) !=
                           (real_state(range, which, page) == PGM_PAGE_BALLOONED);

    naive_written(range, which, page, balloon_changed || memcmp(bytes, from, PAGE) != 0);
    memcpy(bytes, from, PAGE);
    check_backing(m, range, which, page, was);
}

/* As the range was when it came. */
static const uint8_t *first_bytes(const NaiveRange *range, unsigned which, unsigned page)
{
    static const uint8_t zeros[PAGE];

    return range->kind == PGM_RANGE_ROM && which == FRONT ? range->image + (size_t)page * PAGE
                                                          : zeros;
}

static void restore_range(Naive *m, NaiveRange *range, const RangeCopy *c)
{
    for (unsigned page = 0; page < range->n_pages; page++) {
        for (unsigned which = 0; which < (range->shadow != NULL ? 2 : 1); which++) {
            const uint8_t *all = c == NULL ? NULL : which == SHADOW ? c->shadow : c->bytes;
            bool rom = range->kind == PGM_RANGE_ROM && which == FRONT;
            Backing was = c != NULL ? (Backing)c->there[which][page] : rom ? SHARED : NOTHING;

            restore_page(m, range, which, page,
                         all != NULL ? all + (size_t)page * PAGE : first_bytes(range, which, page),
                         was);
        }
    }
}

void naive_copy_restore(Naive *m, const Copy *copy, bool is_load)
{
    restore_places(m, copy);
    restore_aliases(m, copy);
    restore_handlers(m, copy, is_load);
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        NaiveRange *range = &m->ranges[i];

        if (!range->live || range->kind == PGM_RANGE_MMIO) {
            continue;
        }
        const RangeCopy *c = find(copy, range);

        restore_range(m, range, c);
        if (c != NULL && range->shadow != NULL) {
            memcpy(range->prot, c->prot, sizeof range->prot);
        }
    }
    real_adopt(m);
}
