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

static MemStatus take_page(Naive *m, bool *there)
{
    if (*there) {
        return MEM_OK;
    }
    if (m->budget == 0) {
        return MEM_ERR_NO_MEMORY;
    }
    m->budget--;
    *there = true;
    return MEM_OK;
}

/* @visible: what reads see shall be written (a debugger), else what writes reach. */
MemStatus naive_make_writable(Naive *m, Place place, bool visible)
{
    NaiveRange *range = place.range;

    switch (range->kind) {
    case PGM_RANGE_RAM:
        return take_page(m, &range->there[place.page]);
    case PGM_RANGE_MMIO2:
        if (range->monitored[place.page] && range->tracking) {
            range->dirty[place.page] = true;
        }
        range->monitored[place.page] = false;
        return MEM_OK;
    case PGM_RANGE_ROM:
        if (visible ? reads_ram(place) : writes_ram(place)) {
            return take_page(m, &range->shadow_there[place.page]);
        }
        return visible ? take_page(m, &range->there[place.page]) : MEM_OK;
    case PGM_RANGE_MMIO:
        break;
    }
    return MEM_OK;
}

/* Does the page that reads see own memory? */
bool naive_has_page(Place place)
{
    if (place.range->kind == PGM_RANGE_RAM) {
        return place.range->there[place.page];
    }
    if (place.range->kind == PGM_RANGE_ROM && reads_ram(place)) {
        return place.range->shadow_there[place.page];
    }
    return place.range->kind != PGM_RANGE_MMIO;
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

        if (watch->live && (watch->accesses & accesses) != 0 && watch->first <= first + PAGE - 1 &&
            watch->last >= first) {
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
        !naive_write_reaches(place, &bytes) || bytes != naive_visible(place)) {
        caught |= MEM_ACCESS_WRITE;
    }
    return caught;
}

bool naive_plainly_writable(Naive *m, Place place)
{
    uint8_t *bytes;

    return place.range != NULL && naive_write_reaches(place, &bytes) &&
           bytes == naive_visible(place) && naive_has_page(place) &&
           !place.range->monitored[place.page] &&
           naive_handler_state(m, place, true) < PGM_HANDLER_WRITE;
}

/* ---- the whole */

void naive_counts(Naive *m, PgmPageCounts *c)
{
    *c = (PgmPageCounts) { 0 };
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *range = &m->ranges[i];

        for (unsigned page = 0; range->live && page < range->n_pages; page++) {
            bool rom = range->kind == PGM_RANGE_ROM;
            bool has = range->kind == PGM_RANGE_MMIO2 || range->there[page];

            c->all++;
            if (range->kind == PGM_RANGE_MMIO) {
                c->pure_mmio++;
                continue;
            }
            c->private_pages += has;
            c->shared += rom && !has;
            c->zero += !rom && !has;
            c->monitored += range->monitored[page];
            if (range->shadow != NULL) {
                c->all++;
                c->private_pages += range->shadow_there[page];
                c->zero += !range->shadow_there[page];
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
    PgmPageState state = naive_has_page(place) ? PGM_PAGE_ALLOCATED : PGM_PAGE_ZERO;

    if (place.range->monitored[place.page]) {
        state = PGM_PAGE_WRITE_MONITORED;
    } else if (place.range->kind == PGM_RANGE_ROM && !reads_ram(place) &&
               !place.range->there[place.page]) {
        state = PGM_PAGE_SHARED;
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
