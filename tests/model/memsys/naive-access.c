/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an access does, in order: watches "before", device or handler or memory, watches "after".
 * Each call of a handler, a device or a watch that should have happened is taken from the noted
 * events.
 */
#include "tests/model/memsys/naive.h"

#include <inttypes.h>
#include <string.h>

/* The next unused event of @kind; handlers and devices are called in one order, watches apart. */
static Event *next_event(Naive *m, EventKind kind, unsigned who)
{
    for (unsigned i = 0; i < m->events->len; i++) {
        Event *event = &g_array_index(m->events, Event, i);
        bool same_list = (event->kind == EVENT_WATCH) == (kind == EVENT_WATCH);

        if (event->used || !same_list || (kind == EVENT_WATCH && event->who != who)) {
            continue;
        }
        if (event->kind != kind || event->who != who) {
            model_fail("kind %d number %u was called, expected kind %d number %u", event->kind,
                       event->who, kind, who);
        }
        event->used = true;
        return event;
    }
    model_fail("kind %d number %u was not called", kind, who);
}

void naive_nothing_left(Naive *m)
{
    for (unsigned i = 0; i < m->events->len; i++) {
        const Event *event = &g_array_index(m->events, Event, i);

        if (!event->used) {
            model_fail("kind %d number %u was called for %#" PRIx64 "+%" PRIu64 " (%d): why?",
                       event->kind, event->who, event->at, event->len, event->access);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (m->unassigned[i] != m->real_unassigned[i]) {
            model_fail("%" PRIu64 " unassigned bytes reported, expected %" PRIu64,
                       m->real_unassigned[i], m->unassigned[i]);
        }
    }
    if (m->budget != 0) {
        model_fail("%" PRIu64 " pages were taken without need", m->budget);
    }
    g_array_set_size(m->events, 0);
}

/* ---- watches */

void naive_watch_hit(Naive *m, uint64_t gpa, uint64_t len, uint64_t value, MemAccess access,
                     MemOrigin origin, bool before)
{
    uint64_t last = gpa + (len - 1) < gpa ? UINT64_MAX : gpa + (len - 1);

    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        NaiveWatch *watch = &m->watches[i];

        if (!watch->live || watch->is_virtual || watch->before != before ||
            (watch->accesses & access) == 0 || watch->first > last || watch->last < gpa) {
            continue;
        }
        const Event *event = next_event(m, EVENT_WATCH, i);
        uint64_t told = before && access == MEM_ACCESS_READ ? 0 : value;

        if (event->at != gpa || event->len != len || event->value != told ||
            event->access != access || event->origin != origin || event->before != before ||
            event->by_gva) {
            model_fail("watch %u heard %#" PRIx64 "+%" PRIu64 " value %#" PRIx64
                       ", expected %#" PRIx64 "+%" PRIu64 " value %#" PRIx64,
                       i, event->at, event->len, event->value, gpa, len, told);
        }
        watch->live = !watch->once;
    }
}

void naive_virtual_hit(Naive *m, unsigned cpu, uint64_t gva, uint64_t gpa, uint64_t len,
                       uint64_t value, MemAccess access, bool before)
{
    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        NaiveWatch *watch = &m->watches[i];

        if (!watch->live || !watch->is_virtual || watch->cpu != cpu || watch->before != before ||
            (watch->accesses & access) == 0 || watch->first > gva + (len - 1) ||
            watch->last < gva) {
            continue;
        }
        const Event *event = next_event(m, EVENT_WATCH, i);
        uint64_t told = before && access == MEM_ACCESS_READ ? 0 : value;

        if (!event->by_gva || event->gva != gva || event->at != gpa || event->len != len ||
            event->value != told || event->access != access || event->before != before) {
            model_fail("virtual watch %u heard %#" PRIx64 "+%" PRIu64 " value %#" PRIx64
                       ", expected %#" PRIx64 "+%" PRIu64 " value %#" PRIx64,
                       i, event->gva, event->len, event->value, gva, len, told);
        }
        watch->live = !watch->once;
    }
}

/* ---- devices */

/*
 * Takes the device accesses that serve [offset, offset + len): legal sizes and alignment, each byte
 * served once, in address order, no wider than asked unless the device takes nothing smaller.
 */
static MemStatus device_piece(Naive *m, NaiveRange *dev, uint64_t offset, uint8_t *buf,
                              uint64_t len, bool is_write)
{
    uint64_t end = offset + len;
    uint64_t at = offset;

    while (at < end) {
        const Event *event = next_event(m, EVENT_DEVICE, dev->number);
        unsigned size = (unsigned)event->len;
        uint64_t base = event->at;
        bool wider = base < at || base + size > end;

        if (size < dev->ops.min_size || size > dev->ops.max_size || (size & (size - 1)) != 0 ||
            (!dev->ops.unaligned && base % size != 0) || base > at || base + size <= at ||
            (wider && size != dev->ops.min_size)) {
            model_fail("device access %#" PRIx64 "+%u does not serve %#" PRIx64 "-%#" PRIx64, base,
                       size, at, end);
        }
        if (is_write && wider) {
            if (event->access != MEM_ACCESS_READ) {
                model_fail("bytes beside the access were written blindly");
            }
            if (dev->refuses) {
                return MEM_ERR_BUS_ERROR;
            }
            event = next_event(m, EVENT_DEVICE, dev->number);
            if (event->at != base || event->len != size) {
                model_fail("read and write of a merge differ");
            }
        }
        if (event->access != (is_write ? MEM_ACCESS_WRITE : MEM_ACCESS_READ)) {
            model_fail("device access %#" PRIx64 "+%u of the wrong kind", base, size);
        }
        if (dev->refuses) {
            return MEM_ERR_BUS_ERROR;
        }
        for (; at < MIN(end, base + size); at++) {
            if (is_write) {
                dev->bytes[at] = buf[at - offset];
            } else {
                buf[at - offset] = dev->bytes[at];
            }
        }
        if (is_write && dev->dies && base == 0) {
            naive_range_free(dev); /* nobody is left to take the rest */
            return MEM_OK;
        }
        if (is_write && dev->wanders && base == 0) {
            uint64_t to = dev->start == dev->homes[0] ? dev->homes[1] : dev->homes[0];

            (void)naive_map(dev, to);
        }
    }
    return MEM_OK;
}

/* ---- pieces of one page */

static NaiveHandler *handler_event(Naive *m, NaiveHandler *handler, uint64_t gpa, uint64_t len,
                                   uint64_t value, MemAccess access, MemOrigin origin)
{
    const Event *event = next_event(m, EVENT_HANDLER, handler->number);

    if (event->at != gpa || event->len != len || event->value != value || event->access != access ||
        event->origin != origin) {
        model_fail("handler %u got %#" PRIx64 "+%" PRIu64 " value %#" PRIx64 ", expected %#" PRIx64
                   "+%" PRIu64 " value %#" PRIx64,
                   handler->number, event->at, event->len, event->value, gpa, len, value);
    }
    return handler;
}

/* What the handler's function does to itself. */
static void handler_acts(NaiveHandler *handler, uint64_t gpa)
{
    NaiveRange *range = handler->range;

    if (handler->behaviour == FREE_SELF) {
        handler->live = false;
    }
    if (handler->behaviour == SWITCH_OFF && range != NULL && range->start != NOWHERE &&
        gpa >= range->start) {
        uint64_t page = (gpa - range->start) / PAGE;

        if (page >= handler->offset / PAGE && page <= (handler->offset + handler->len - 1) / PAGE) {
            handler->off[page] = true;
        }
    }
}

static uint64_t first_eight(const uint8_t *bytes, uint64_t len)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < MIN(len, 8); i++) {
        value += (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

static MemStatus read_piece(Naive *m, uint64_t gpa, uint8_t *buf, uint64_t len, MemOrigin origin)
{
    Place place = naive_at(m, gpa);
    uint64_t run;

    memset(buf, 0xff, len);
    if (place.range == NULL) {
        m->unassigned[0] += len;
        return MEM_OK;
    }
    if (place.range->kind == PGM_RANGE_MMIO) {
        MemStatus status = device_piece(m, place.range, place.offset, buf, len, false);

        if (status != MEM_OK) {
            memset(buf, 0xff, len);
        }
        return status;
    }
    const uint8_t *bytes = naive_visible(place) + place.offset % PAGE;

    if (naive_handler_state(m, place, false) == PGM_HANDLER_ALL) {
        NaiveHandler *handler = handler_event(m, naive_handler_at(m, place, &run), gpa, len, 0,
                                              MEM_ACCESS_READ, origin);

        handler_acts(handler, gpa);
        if (handler->behaviour == REFUSE) {
            return MEM_ERR_BUS_ERROR;
        }
        for (unsigned i = 0; i < len && handler->behaviour == SWALLOW; i++) {
            buf[i] = swallow_byte(gpa + i, handler->number);
        }
        for (unsigned i = 0; i < len && handler->behaviour == SCRAMBLE; i++) {
            buf[i] = bytes[i] ^ 0xa5;
        }
        if (handler->behaviour == SWALLOW || handler->behaviour == SCRAMBLE) {
            return MEM_OK;
        }
    }
    memcpy(buf, bytes, len);
    return MEM_OK;
}

static MemStatus write_by_handler(Naive *m, Place place, NaiveHandler *handler, uint64_t gpa,
                                  const uint8_t *buf, uint64_t len, MemOrigin origin)
{
    uint8_t *bytes;
    bool reaches = naive_write_reaches(place, &bytes);
    MemStatus status = naive_make_writable(m, place, false);
    bool ballooned = status == MEM_ERR_BALLOONED;

    if (status != MEM_OK && !ballooned) {
        return status;
    }
    handler_event(m, handler, gpa, len, first_eight(buf, len), MEM_ACCESS_WRITE, origin);
    handler_acts(handler, gpa);
    if (handler->behaviour == REFUSE) {
        return MEM_ERR_BUS_ERROR;
    }
    if (handler->behaviour == SWALLOW || (ballooned && handler->behaviour == SCRAMBLE)) {
        return MEM_OK;
    }
    if (ballooned) {
        return MEM_ERR_BALLOONED;
    }
    for (unsigned i = 0; i < len && reaches; i++) {
        uint8_t change = handler->behaviour == SCRAMBLE ? 0x5a : 0;

        bytes[place.offset % PAGE + i] = buf[i] ^ change;
    }
    return MEM_OK;
}

static bool all_zero(const uint8_t *buf, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) {
        if (buf[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Memory whose page has no armed handler at all, written in bulk: zeros over nothing stay nothing.
 */
static bool stays_nothing(Naive *m, Place place, const uint8_t *buf, uint64_t len)
{
    return place.range->kind == PGM_RANGE_RAM && place.range->there[FRONT][place.page] == NOTHING &&
           naive_handler_state(m, place, false) < PGM_HANDLER_WRITE && all_zero(buf, len);
}

static MemStatus write_piece(Naive *m, uint64_t gpa, const uint8_t *buf, uint64_t len,
                             MemOrigin origin)
{
    while (len > 0) {
        Place place = naive_at(m, gpa);
        uint64_t run = len;
        uint8_t *bytes;
        MemStatus status;

        if (place.range == NULL) {
            m->unassigned[1] += len;
            return MEM_OK;
        }
        if (place.range->kind == PGM_RANGE_MMIO) {
            uint8_t copy[PAGE];

            memcpy(copy, buf, len);
            return device_piece(m, place.range, place.offset, copy, len, true);
        }
        NaiveHandler *handler = naive_handler_at(m, place, &run);

        run = MIN(run, len);
        if (handler != NULL) {
            status = write_by_handler(m, place, handler, gpa, buf, run, origin);
        } else {
            status = naive_make_writable(m, place, false);
            if (status == MEM_OK && naive_write_reaches(place, &bytes)) {
                memcpy(bytes + place.offset % PAGE, buf, run);
            }
        }
        if (status != MEM_OK) {
            return status;
        }
        gpa += run;
        buf += run;
        len -= run;
    }
    return MEM_OK;
}

/* ---- accesses */

/* How much of an access goes out in one piece: to the end of the page, or whole to one device. */
static unsigned first_part(Naive *m, uint64_t gpa, unsigned size)
{
    unsigned in_page = PAGE - (unsigned)(gpa % PAGE);

    if (in_page < size && gpa + in_page != 0) {
        Place here = naive_at(m, gpa);
        Place next = naive_at(m, gpa + in_page);

        if (here.range != NULL && here.range->kind == PGM_RANGE_MMIO && next.range == here.range &&
            next.page == here.page + 1) {
            return size;
        }
    }
    return MIN(size, in_page);
}

MemStatus naive_bus_read(Naive *m, uint64_t gpa, unsigned size, MemOrigin origin, uint64_t *value)
{
    uint8_t bytes[8];

    memset(bytes, 0xff, sizeof bytes);
    naive_watch_hit(m, gpa, size, 0, MEM_ACCESS_READ, origin, true);
    unsigned n = first_part(m, gpa, size);
    MemStatus status = read_piece(m, gpa, bytes, n, origin);

    if (status == MEM_OK && n < size && gpa + n != 0) {
        status = read_piece(m, gpa + n, bytes + n, size - n, origin);
    }
    if (status != MEM_OK) {
        memset(bytes, 0xff, sizeof bytes);
    }
    *value = first_eight(bytes, size);
    naive_watch_hit(m, gpa, size, *value, MEM_ACCESS_READ, origin, false);
    return status;
}

MemStatus naive_bus_write(Naive *m, uint64_t gpa, unsigned size, uint64_t value, MemOrigin origin)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
    value = first_eight(bytes, size);
    naive_watch_hit(m, gpa, size, value, MEM_ACCESS_WRITE, origin, true);
    unsigned n = first_part(m, gpa, size);
    MemStatus status = write_piece(m, gpa, bytes, n, origin);

    if (status == MEM_OK && n < size && gpa + n != 0) {
        status = write_piece(m, gpa + n, bytes + n, size - n, origin);
    }
    naive_watch_hit(m, gpa, size, value, MEM_ACCESS_WRITE, origin, false);
    return status;
}

MemStatus naive_read(Naive *m, uint64_t gpa, uint8_t *buf, uint64_t len, MemOrigin origin)
{
    while (len > 0) {
        uint64_t n = MIN(len, PAGE - gpa % PAGE);

        naive_watch_hit(m, gpa, n, 0, MEM_ACCESS_READ, origin, true);
        MemStatus status = read_piece(m, gpa, buf, n, origin);

        naive_watch_hit(m, gpa, n, first_eight(buf, n), MEM_ACCESS_READ, origin, false);
        if (status != MEM_OK) {
            memset(buf, 0xff, len);
            return status;
        }
        gpa += n;
        buf += n;
        len -= n;
    }
    return MEM_OK;
}

MemStatus naive_write(Naive *m, uint64_t gpa, const uint8_t *buf, uint64_t len, MemOrigin origin)
{
    while (len > 0) {
        uint64_t n = MIN(len, PAGE - gpa % PAGE);
        uint64_t value = first_eight(buf, n);
        MemStatus status = MEM_OK;

        naive_watch_hit(m, gpa, n, value, MEM_ACCESS_WRITE, origin, true);
        Place place = naive_at(m, gpa);

        if (place.range == NULL || !stays_nothing(m, place, buf, n)) {
            status = write_piece(m, gpa, buf, n, origin);
            status = status == MEM_ERR_BALLOONED ? MEM_OK : status; /* dropped */
        }
        naive_watch_hit(m, gpa, n, value, MEM_ACCESS_WRITE, origin, false);
        if (status != MEM_OK) {
            return status;
        }
        gpa += n;
        buf += n;
        len -= n;
    }
    return MEM_OK;
}

/* Piece by piece, from the end if the front would be overwritten before it is read. */
MemStatus naive_copy(Naive *m, uint64_t to, uint64_t from, uint64_t len, MemOrigin origin)
{
    bool backward = to > from && to - from < len;

    for (uint64_t done = 0; to != from && done < len;) {
        uint64_t n = MIN(len - done, PAGE);
        uint64_t at = backward ? len - done - n : done;
        uint8_t bytes[PAGE];
        MemStatus status = naive_read(m, from + at, bytes, n, origin);

        if (status == MEM_OK) {
            status = naive_write(m, to + at, bytes, n, origin);
        }
        if (status != MEM_OK) {
            return status;
        }
        done += n;
    }
    return MEM_OK;
}

/* ---- the debugger */

MemStatus naive_peek(Naive *m, uint64_t gpa, uint8_t *buf, uint64_t len)
{
    MemStatus result = MEM_OK;

    for (uint64_t i = 0; i < len; i++) {
        Place place = naive_at(m, gpa + i);
        MemStatus status = MEM_OK;

        buf[i] = 0xff;
        if (place.range == NULL) {
            status = MEM_ERR_UNASSIGNED;
        } else if (place.range->kind == PGM_RANGE_MMIO ||
                   naive_handler_state(m, place, false) == PGM_HANDLER_ALL) {
            status = MEM_ERR_RESERVED;
        } else {
            buf[i] = naive_visible(place)[place.offset % PAGE];
        }
        result = result == MEM_OK ? status : result;
    }
    return result;
}

MemStatus naive_poke(Naive *m, uint64_t gpa, const uint8_t *buf, uint64_t len)
{
    MemStatus result = MEM_OK;

    for (uint64_t i = 0; i < len; i++) {
        Place place = naive_at(m, gpa + i);
        MemStatus status = MEM_ERR_UNASSIGNED;
        uint64_t run;

        if (place.range != NULL) {
            status = MEM_ERR_RESERVED;
            if (place.range->kind != PGM_RANGE_MMIO && naive_handler_at(m, place, &run) == NULL) {
                status = naive_make_writable(m, place, true);
            }
            if (status == MEM_OK) {
                naive_visible(place)[place.offset % PAGE] = buf[i];
            }
        }
        result = result == MEM_OK ? status : result;
    }
    return result;
}
