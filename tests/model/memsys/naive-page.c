/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page: which bytes are seen, where writes go, who stands before it.
 */
#include "tests/model/memsys/naive.h"

#include <inttypes.h>
#include <string.h>

static bool reads_ram(Place place)
{
    PgmRomProt prot = place.range->prot[place.page];

    return prot == PGM_ROM_READ_RAM_WRITE_IGNORE || prot == PGM_ROM_READ_RAM_WRITE_RAM;
}

static bool writes_ram(Place place)
{
    PgmRomProt prot = place.range->prot[place.page];

    return prot == PGM_ROM_READ_ROM_WRITE_RAM || prot == PGM_ROM_READ_RAM_WRITE_RAM;
}

uint8_t *naive_visible(Place place)
{
    if (place.range->kind == PGM_RANGE_MMIO) {
        return NULL;
    }
    if (place.range->kind == PGM_RANGE_ROM && reads_ram(place)) {
        return place.range->shadow + (size_t)place.page * PAGE;
    }
    return place.range->bytes + (size_t)place.page * PAGE;
}

bool naive_write_reaches(Place place, uint8_t **ret_bytes)
{
    *ret_bytes = NULL;
    if (place.range->kind == PGM_RANGE_MMIO) {
        return false;
    }
    if (place.range->kind == PGM_RANGE_ROM) {
        if (!writes_ram(place)) {
            return false;
        }
        *ret_bytes = place.range->shadow + (size_t)place.page * PAGE;
        return true;
    }
    *ret_bytes = place.range->bytes + (size_t)place.page * PAGE;
    return true;
}

uint8_t *naive_record_bytes(NaiveRange *range, unsigned which, unsigned page)
{
    return (which == SHADOW ? range->shadow : range->bytes) + (size_t)page * PAGE;
}

bool naive_locked(const NaiveRange *range, unsigned which, unsigned page)
{
    return range->n_write_locks[which][page] + range->n_read_locks[which][page] != 0;
}

void naive_written(NaiveRange *range, unsigned which, unsigned page, bool surely)
{
    range->may[which][page] = ~(Listeners)0;
    if (surely) {
        range->must[which][page] = ~(Listeners)0;
    }
    if (range->kind == PGM_RANGE_MMIO2 && range->tracking) {
        range->maybe_dirty[page] = true;
        range->dirty[page] |= surely;
    }
}

/*
 * The record is about to be written. Only the real machine knows whether there was a page for it,
 * and an entry for the snapshot: its record tells. What it takes it must have needed.
 */
static MemStatus take_page(Naive *m, NaiveRange *range, unsigned which, unsigned page)
{
    uint8_t *there = &range->there[which][page];

    if (*there == BALLOONED) {
        return MEM_ERR_BALLOONED;
    }
    range->may[which][page] = ~(Listeners)0;
    if (real_state(range, which, page) != PGM_PAGE_ALLOCATED) {
        return MEM_ERR_NO_MEMORY;
    }
    naive_written(range, which, page, true);
    if (*there != OWN && range->kind != PGM_RANGE_MMIO2) {
        if (m->budget == 0) {
            model_fail("page %u of range %u was taken and not counted", page, range->number);
        }
        m->budget--;
        *there = OWN;
    }
    range->monitored[page] = false;
    return MEM_OK;
}

/* @visible: what reads see shall be written (a debugger), else what writes reach. */
MemStatus naive_make_writable(Naive *m, Place place, bool visible)
{
    NaiveRange *range = place.range;

    switch (range->kind) {
    case PGM_RANGE_RAM:
    case PGM_RANGE_MMIO2:
        return take_page(m, range, FRONT, place.page);
    case PGM_RANGE_ROM:
        if (visible ? reads_ram(place) : writes_ram(place)) {
            return take_page(m, range, SHADOW, place.page);
        }
        return visible ? take_page(m, range, FRONT, place.page) : MEM_OK;
    case PGM_RANGE_MMIO:
        break;
    }
    return MEM_OK;
}

/* Does the page that reads see own memory? */
bool naive_has_page(Place place)
{
    return naive_backing(place) == OWN;
}

Backing naive_backing(Place place)
{
    if (place.range->kind == PGM_RANGE_RAM || place.range->kind == PGM_RANGE_ROM) {
        bool shadow = place.range->kind == PGM_RANGE_ROM && reads_ram(place);

        return (Backing)place.range->there[shadow ? SHADOW : FRONT][place.page];
    }
    return place.range->kind == PGM_RANGE_MMIO2 ? OWN : NOTHING;
}

/* ---- handlers */

static bool touches(const NaiveHandler *handler, Place place)
{
    uint64_t first = (uint64_t)place.page * PAGE;

    return handler->live && handler->range == place.range && handler->offset < first + PAGE &&
           handler->offset + handler->len > first;
}

PgmHandlerState naive_handler_state(Naive *m, Place place, bool armed)
{
    PgmHandlerState state = PGM_HANDLER_NONE;

    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        const NaiveHandler *handler = &m->handlers[i];

        if (touches(handler, place)) {
            PgmHandlerState own =
                handler->kind == PGM_HANDLER_KIND_ALL ? PGM_HANDLER_ALL : PGM_HANDLER_WRITE;

            state = MAX(state, handler->off[place.page] && !armed ? PGM_HANDLER_DISABLED : own);
        }
    }
    return state;
}

/* The armed handler of the byte, or how far it is to the next one at least. */
NaiveHandler *naive_handler_at(Naive *m, Place place, uint64_t *ret_run)
{
    *ret_run = PAGE - place.offset % PAGE;
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        NaiveHandler *handler = &m->handlers[i];

        if (!touches(handler, place) || handler->off[place.page]) {
            continue;
        }
        if (place.offset >= handler->offset && place.offset < handler->offset + handler->len) {
            *ret_run = MIN(*ret_run, handler->offset + handler->len - place.offset);
            return handler;
        }
    }
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        NaiveHandler *handler = &m->handlers[i];

        if (touches(handler, place) && handler->offset > place.offset) {
            *ret_run = MIN(*ret_run, handler->offset - place.offset);
        }
    }
    return NULL;
}

/* ---- CPUs */

bool naive_watched(Naive *m, uint64_t gpa, unsigned accesses)
{
    uint64_t first = gpa - gpa % PAGE;

    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        const NaiveWatch *watch = &m->watches[i];

        if (watch->live && !watch->is_virtual && (watch->accesses & accesses) != 0 &&
            watch->first <= first + PAGE - 1 && watch->last >= first) {
            return true;
        }
    }
    return false;
}

/* Kinds of data access that a CPU must bring to the bus. */
unsigned naive_cpu_caught(Naive *m, uint64_t gpa)
{
    Place place = naive_at(m, gpa);
    unsigned caught = 0;
    uint8_t *bytes;

    if (place.range == NULL || place.range->kind == PGM_RANGE_MMIO) {
        return MEM_ACCESS_READ | MEM_ACCESS_WRITE;
    }
    /* Handlers that are switched off count: nobody tells a CPU when they come back. */
    PgmHandlerState state = naive_handler_state(m, place, true);

    if (state == PGM_HANDLER_ALL || naive_watched(m, gpa, MEM_ACCESS_READ)) {
        caught |= MEM_ACCESS_READ;
    }
    if (state >= PGM_HANDLER_WRITE || naive_watched(m, gpa, MEM_ACCESS_WRITE) ||
        !naive_write_reaches(place, &bytes) || bytes != naive_visible(place) ||
        naive_backing(place) == BALLOONED) {
        caught |= MEM_ACCESS_WRITE;
    }
    return caught;
}

bool naive_plainly_writable(Naive *m, Place place)
{
    uint8_t *bytes;

    if (place.range == NULL || !naive_write_reaches(place, &bytes)) {
        return false;
    }
    bool shadow = place.range->kind == PGM_RANGE_ROM && reads_ram(place);

    return bytes == naive_visible(place) && naive_has_page(place) &&
           real_state(place.range, shadow ? SHADOW : FRONT, place.page) == PGM_PAGE_ALLOCATED &&
           !(place.range->monitored[place.page] && !m->armed) &&
           naive_handler_state(m, place, true) < PGM_HANDLER_WRITE;
}

/* ---- the whole */

void naive_counts(Naive *m, PgmPageCounts *c)
{
    *c = (PgmPageCounts) { 0 };
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0; range->live && page < range->n_pages; page++) {
            c->pure_mmio += range->kind == PGM_RANGE_MMIO;
            c->monitored += range->monitored[page];
            for (unsigned which = 0; which < (range->shadow != NULL ? 2 : 1); which++) {
                Backing there = (Backing)range->there[which][page];

                there = range->kind == PGM_RANGE_MMIO2 ? OWN : there;
                c->all++;
                c->private_pages += there == OWN;
                c->shared += there == SHARED;
                c->ballooned += there == BALLOONED;
                c->zero +=
                    range->kind != PGM_RANGE_MMIO && (there == NOTHING || there == BALLOONED);
                c->write_locked += range->n_write_locks[which][page] != 0;
                c->read_locked += range->n_read_locks[which][page] != 0;
            }
        }
    }
}

static PgmPageType expected_type(Place place)
{
    switch (place.range->kind) {
    case PGM_RANGE_RAM:
        return PGM_PAGE_RAM;
    case PGM_RANGE_ROM:
        return reads_ram(place) ? PGM_PAGE_ROM_SHADOW : PGM_PAGE_ROM;
    case PGM_RANGE_MMIO:
        return PGM_PAGE_MMIO;
    case PGM_RANGE_MMIO2:
        break;
    }
    return place.alias ? PGM_PAGE_MMIO2_ALIAS : PGM_PAGE_MMIO2;
}

/* Type, state and bytes of one page as the real machine reports them. */
void naive_check_page(Naive *m, unsigned slot)
{
    uint64_t gpa = slot_address(slot);
    Place place = naive_at(m, gpa);
    PgmPageInfo info;
    uint8_t bytes[PAGE];
    bool found = pgm_page_query(m->pgm, gpa, &info);

    if (found != (place.range != NULL)) {
        model_fail("page %#" PRIx64 ": found %d", gpa, found);
    }
    if (!found) {
        return;
    }
    static const PgmPageState states[] = { PGM_PAGE_ZERO, PGM_PAGE_ALLOCATED, PGM_PAGE_SHARED,
                                           PGM_PAGE_BALLOONED };
    PgmPageState state = states[naive_backing(place)];

    if (state == PGM_PAGE_ALLOCATED &&
        (m->armed ? info.state == PGM_PAGE_WRITE_MONITORED : place.range->monitored[place.page])) {
        state = PGM_PAGE_WRITE_MONITORED;
    }
    if (info.type != expected_type(place) || info.state != state) {
        model_fail("page %#" PRIx64 ": is %s %s, not %s %s", gpa, pgm_page_type_name(info.type),
                   pgm_page_state_name(info.state), pgm_page_type_name(expected_type(place)),
                   pgm_page_state_name(state));
    }
    PgmHandlerState handler = naive_handler_state(m, place, false);

    if (place.range->kind != PGM_RANGE_MMIO && info.handler != handler) {
        model_fail("page %#" PRIx64 ": handler state is %d, not %d", gpa, info.handler, handler);
    }
    MemStatus status = pgm_peek(m->pgm, gpa, bytes, PAGE);
    bool hidden = place.range->kind == PGM_RANGE_MMIO ||
                  naive_handler_state(m, place, false) == PGM_HANDLER_ALL;

    if (status != (hidden ? MEM_ERR_RESERVED : MEM_OK)) {
        model_fail("page %#" PRIx64 ": peek gives %s", gpa, mem_status_name(status));
    }
    if (!hidden && memcmp(bytes, naive_visible(place), PAGE) != 0) {
        unsigned at = 0;

        while (bytes[at] == naive_visible(place)[at]) {
            at++;
        }
        model_fail("byte %#" PRIx64 " is %#x, not %#x", gpa + at, bytes[at],
                   naive_visible(place)[at]);
    }
}
