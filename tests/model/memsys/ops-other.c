/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on handlers, watches, CPUs, limits and the machine as a whole.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

#define PLENTY (UINT64_C(1) << 30)

/* ---- handlers */

static NaiveHandler *pick_handler(Naive *m, bool live)
{
    unsigned first = below(MAX_HANDLERS);

    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        NaiveHandler *handler = &m->handlers[(first + i) % MAX_HANDLERS];

        if (handler->live == live) {
            return handler;
        }
    }
    return NULL;
}

static MemStatus check_handler(Naive *m, PgmHandlerKind kind, uint64_t start, uint64_t len,
                               NaiveRange **ret_range, uint64_t *ret_offset)
{
    if (len == 0 || start + len - 1 < start) {
        return MEM_ERR_INVALID_PARAMETER;
    }
    if (kind == PGM_HANDLER_KIND_ALL && (start % PAGE != 0 || len % PAGE != 0)) {
        return MEM_ERR_UNALIGNED;
    }
    Place place = naive_at(m, start);
    NaiveRange *range = place.range;

    if (range == NULL || range->kind == PGM_RANGE_MMIO || place.alias) {
        return MEM_ERR_NO_RANGE;
    }
    if (place.offset + len > (uint64_t)range->n_shown * PAGE) {
        return MEM_ERR_NO_RANGE;
    }
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        const NaiveHandler *other = &m->handlers[i];

        if (other->live && other->range == range && other->offset < place.offset + len &&
            other->offset + other->len > place.offset) {
            return MEM_ERR_HANDLER_CONFLICT;
        }
    }
    *ret_range = range;
    *ret_offset = place.offset;
    return MEM_OK;
}

static int op_handler_new(Naive *m)
{
    NaiveHandler *handler = pick_handler(m, false);
    PgmHandlerKind kind = one_in(2) ? PGM_HANDLER_KIND_ALL : PGM_HANDLER_KIND_WRITE;
    uint64_t start = pick_address(m), len = 1 + below(one_in(3) ? 3 * PAGE : 64);
    g_autoptr(GError) error = NULL;
    NaiveRange *range = NULL;
    uint64_t offset = 0;

    if (handler == NULL) {
        return OP_SKIPPED;
    }
    if (kind == PGM_HANDLER_KIND_ALL && !one_in(20)) {
        start -= start % PAGE;
        len = (uint64_t)(1 + below(3)) * PAGE;
    }
    len = one_in(40) ? 0 : len;
    script(m, "handler kind %d at %#" PRIx64 "+%#" PRIx64, kind, start, len);
    MemStatus naive = check_handler(m, kind, start, len, &range, &offset);

    *handler = (NaiveHandler) { .machine = m,
                                .number = (unsigned)(handler - m->handlers),
                                .uid = naive_uid(),
                                .live = naive == MEM_OK,
                                .range = range,
                                .offset = offset,
                                .len = len,
                                .kind = kind,
                                .behaviour = (Behaviour)below(N_BEHAVIOURS) };
    handler->handler =
        pgm_handler_new(m->pgm, kind, start, len, model_handler, handler, "model", &error);
    MemStatus real = error != NULL ? (MemStatus)error->code : MEM_OK;

    agree_error(handler->handler != NULL ? MEM_OK : real, error);
    return agree(m, real, naive);
}

static int op_handler_free(Naive *m)
{
    NaiveHandler *handler = pick_handler(m, true);

    if (handler == NULL) {
        return OP_SKIPPED;
    }
    script(m, "free handler %u", handler->number);
    pgm_handler_free(handler->handler);
    handler->live = false;
    return MEM_OK;
}

static int op_page_off(Naive *m)
{
    NaiveHandler *handler = pick_handler(m, true);
    MemStatus naive = MEM_ERR_OUT_OF_RANGE;

    if (handler == NULL || handler->range == NULL) {
        return OP_SKIPPED;
    }
    NaiveRange *range = handler->range;
    uint64_t gpa = range->start == NOWHERE || one_in(10)
                       ? pick_address(m)
                       : range->start + handler->offset + below((unsigned)handler->len);

    script(m, "handler %u off at %#" PRIx64, handler->number, gpa);
    MemStatus real = pgm_handler_page_off(handler->handler, gpa);

    if (range->start != NOWHERE && gpa >= range->start) {
        uint64_t page = (gpa - range->start) / PAGE;

        if (page >= handler->offset / PAGE && page <= (handler->offset + handler->len - 1) / PAGE) {
            handler->off[page] = true;
            naive = MEM_OK;
        }
    }
    return agree(m, real, naive);
}

static int op_handler_reset(Naive *m)
{
    NaiveHandler *handler = pick_handler(m, true);

    if (handler == NULL) {
        return OP_SKIPPED;
    }
    script(m, "reset handler %u", handler->number);
    pgm_handler_reset(handler->handler);
    memset(handler->off, 0, sizeof handler->off);
    return MEM_OK;
}

static int op_handler_lookup(Naive *m)
{
    NaiveHandler *some = pick_handler(m, true);
    uint64_t gpa = pick_address(m);
    PgmHandler *expected = NULL;

    if (some != NULL && some->range != NULL && some->range->start != NOWHERE) {
        gpa = some->range->start + some->offset + below((unsigned)some->len + 2);
    }
    script(m, "lookup handler at %#" PRIx64, gpa);
    Place place = naive_at(m, gpa);

    for (unsigned i = 0; place.range != NULL && i < MAX_HANDLERS; i++) {
        const NaiveHandler *handler = &m->handlers[i];

        if (handler->live && handler->range == place.range && place.offset >= handler->offset &&
            place.offset - handler->offset < handler->len) {
            expected = handler->handler;
        }
    }
    if (pgm_handler_lookup(m->pgm, gpa) != expected) {
        model_fail("another handler owns %#" PRIx64, gpa);
    }
    return MEM_OK;
}

static void add_handler(PgmHandlerKind kind, GPhys start, uint64_t len, const char *description,
                        void *user)
{
    (void)description;
    *(uint64_t *)user += start * 3 + len + kind;
}

static int op_handler_foreach(Naive *m)
{
    uint64_t sum = 0, expected = 0;

    script(m, "each handler");
    pgm_handler_foreach(m->pgm, add_handler, &sum);
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        const NaiveHandler *handler = &m->handlers[i];

        if (handler->live && handler->range != NULL && handler->range->start != NOWHERE) {
            add_handler(handler->kind, handler->range->start + handler->offset, handler->len, "",
                        &expected);
        }
    }
    if (sum != expected) {
        model_fail("not every handler is listed");
    }
    return MEM_OK;
}

/* ---- watches */

static NaiveWatch *pick_watch(Naive *m, bool live)
{
    unsigned first = below(MAX_WATCHES);

    for (unsigned i = 0; i < MAX_WATCHES; i++) {
        NaiveWatch *watch = &m->watches[(first + i) % MAX_WATCHES];

        if (watch->live == live) {
            return watch;
        }
    }
    return NULL;
}

static int op_watch_new(Naive *m)
{
    NaiveWatch *watch = pick_watch(m, false);
    uint64_t start = pick_address(m), len = 1 + below(one_in(4) ? 3 * PAGE : 32);
    unsigned accesses = below(8);
    g_autoptr(GError) error = NULL;

    if (watch == NULL) {
        return OP_SKIPPED;
    }
    if (one_in(20)) { /* more pages than are told one by one */
        len = (uint64_t)(8 + below(40)) * PAGE;
    }
    len = one_in(30) ? 0 : MIN(len, UINT64_MAX - start);
    script(m, "watch %u at %#" PRIx64 "+%#" PRIx64 " for %u", (unsigned)(watch - m->watches), start,
           len, accesses);
    *watch = (NaiveWatch) { .machine = m,
                            .number = (unsigned)(watch - m->watches),
                            .live = len != 0 && accesses != 0,
                            .first = start,
                            .last = start + len - 1,
                            .accesses = accesses,
                            .before = one_in(2),
                            .once = one_in(3),
                            .real_live = true };
    watch->watch =
        pgm_watch_new(m->pgm, start, len, accesses, watch->before, model_watch, watch, &error);
    MemStatus real = error != NULL ? (MemStatus)error->code : MEM_OK;

    agree_error(watch->watch != NULL ? MEM_OK : real, error);
    return agree(m, real, watch->live ? MEM_OK : MEM_ERR_INVALID_PARAMETER);
}

static int op_watch_free(Naive *m)
{
    NaiveWatch *watch = pick_watch(m, true);

    if (watch == NULL) {
        return OP_SKIPPED;
    }
    script(m, "free watch %u", watch->number);
    pgm_watch_free(watch->watch);
    watch->live = false;
    return MEM_OK;
}

static int op_watch_covers(Naive *m)
{
    uint64_t gpa = pick_address(m);
    unsigned accesses = 1 + below(7);

    script(m, "covers %#" PRIx64 " for %u", gpa, accesses);
    if (pgm_watch_covers_page(m->pgm, gpa, accesses) != naive_watched(m, gpa, accesses)) {
        model_fail("page of %#" PRIx64 ": watched for %u or not?", gpa, accesses);
    }
    return MEM_OK;
}

/* ---- CPUs */

static int op_a20(Naive *m)
{
    Cpu *cpu = m->cpus[0];
    bool on = one_in(2);

    script(m, "A20 %d", on);
    pgm_cpu_set_a20(cpu->cpu, on);
    if (pgm_cpu_a20(cpu->cpu) != on ||
        pgm_cpu_mask(cpu->cpu, 0x1fffff) != (on ? 0x1fffff : 0x0fffff)) {
        model_fail("A20 is not what was set");
    }
    return MEM_OK;
}

static int op_forget_executed(Naive *m)
{
    script(m, "forget executed");
    pgm_forget_executed(m->pgm);
    cpu_forget_all(m);
    return MEM_OK;
}

static int op_forget_page(Naive *m)
{
    uint64_t gpa = pick_address(m);
    PgmPageInfo info;

    if (!pgm_page_query(m->pgm, gpa, &info) || info.type == PGM_PAGE_MMIO) {
        return OP_SKIPPED;
    }
    script(m, "forget code at %#" PRIx64, gpa);
    pgm_forget_executed_page(m->pgm, info.id);
    cpu_drop_id(m, info.id);
    if (pgm_page_executed(m->pgm, info.id)) {
        model_fail("host page %#x is executed still", info.id);
    }
    return MEM_OK;
}

static int op_second_cpu(Naive *m)
{
    script(m, "second CPU %s", m->cpus[1] == NULL ? "comes" : "goes");
    if (m->cpus[1] == NULL) {
        cpu_attach(m, 1);
    } else {
        cpu_detach(m, 1);
        for (unsigned i = 0; i < MAX_WATCHES; i++) {
            if (m->watches[i].is_virtual && m->watches[i].cpu == 1) {
                m->watches[i].cpu = MAX_CPUS; /* hears of nothing any more */
            }
        }
    }
    return MEM_OK;
}

/* ---- memory that runs out */

static int op_limit(Naive *m)
{
    GmmStats stats;

    if (!model_limited && m->no_overcommit && one_in(2)) {
        return OP_SKIPPED;
    }
    gmm_get_stats(model_gmm, &stats);
    model_limited = !model_limited;
    script(m, "limit %s", model_limited ? "what is allocated" : "plenty");
    gmm_set_limit(model_gmm, model_limited ? stats.allocated + below(20) : PLENTY);
    return MEM_OK;
}

static int op_ensure_handy(Naive *m)
{
    PgmStats stats;

    script(m, "ensure handy pages");
    MemStatus real = pgm_ensure_handy(m->pgm);

    pgm_get_stats(m->pgm, &stats);
    if (real != (stats.handy_pages > 0 ? MEM_OK : MEM_ERR_NO_MEMORY) ||
        (!model_limited && stats.handy_pages <= 32)) {
        model_fail("%" PRIu64 " handy pages: %s", stats.handy_pages, mem_status_name(real));
    }
    return agree(m, real, real);
}

/* ---- the machine */

static int op_reset(Naive *m)
{
    NaiveRange *rom = pick_range(m, one_in(2) ? PGM_RANGE_ROM : PGM_RANGE_MMIO2);

    script(m, "reset");
    focus(m, ON_RESET,
          rom != NULL && rom->start != NOWHERE && one_in(2) ? rom->start : pick_address(m));
    MemStatus status = pgm_reset(m->pgm);

    if (status == MEM_OK) {
        naive_reset(m);
    } else {
        naive_may_be_written(m); /* nothing has changed, but somebody may have been told so */
    }
    if (!m->plain) {
        real_adopt(m);
    }
    return agree(m, status, status == MEM_OK || m->plain ? MEM_OK : MEM_ERR_NO_MEMORY);
}

static int op_describe(Naive *m)
{
    uint64_t gpa = pick_address(m);
    g_autofree char *text = pgm_describe(m->pgm, gpa);

    script(m, "describe %#" PRIx64, gpa);
    bool nothing = strstr(text, "nothing is registered here") != NULL;

    if (nothing != (naive_at(m, gpa).range == NULL)) {
        model_fail("%#" PRIx64 " is described as: %s", gpa, text);
    }
    return MEM_OK;
}

/* The list of ranges: sorted, disjoint, and as many pages as the naive machine shows. */
static int op_ranges(Naive *m)
{
    unsigned n = pgm_range_count(m->pgm);
    uint64_t n_pages = 0, expected = 0, end = 0;
    g_autoptr(GString) map = g_string_new(NULL);
    PgmRangeInfo info;

    script(m, "list ranges");
    for (unsigned i = 0; i < n; i++) {
        if (!pgm_range_get(m->pgm, i, &info) || info.start < end) {
            model_fail("range %u is out of order", i);
        }
        end = info.start + info.len;
        n_pages += info.len / PAGE;
    }
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        expected += naive_at(m, slot_address(slot)).range != NULL;
    }
    pgm_print_map(m->pgm, map);
    if (pgm_range_get(m->pgm, n, &info) || n_pages < expected || map->len == 0) {
        model_fail("%u ranges show %" PRIu64 " pages, expected %" PRIu64, n, n_pages, expected);
    }
    return MEM_OK;
}

const Op other_ops[] = {
    { "handler new", op_handler_new, 15, 0 },
    { "handler free", op_handler_free, 10, 0 },
    { "handler page off", op_page_off, 10, 0 },
    { "handler reset", op_handler_reset, 6, 0 },
    { "handler lookup", op_handler_lookup, 10, 0 },
    { "handler foreach", op_handler_foreach, 3, 0 },
    { "watch new", op_watch_new, 8, 0 },
    { "watch free", op_watch_free, 7, 0 },
    { "watch covers", op_watch_covers, 8, 0 },
    { "A20", op_a20, 5, 0 },
    { "forget executed", op_forget_executed, 2, 0 },
    { "forget executed page", op_forget_page, 4, 0 },
    { "second CPU", op_second_cpu, 3, 0 },
    { "limit", op_limit, 6, 0 },
    { "ensure handy", op_ensure_handy, 4, 0 },
    { "reset", op_reset, 5, 0 },
    { "describe", op_describe, 3, 0 },
    { "list ranges", op_ranges, 1, 0 },
};
const unsigned n_other_ops = G_N_ELEMENTS(other_ops);
