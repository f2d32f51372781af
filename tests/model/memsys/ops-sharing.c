/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on what stands behind pages: ballooning, sharing by content, compaction,
 * preallocation, and pages given when the process is short of them.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

/* ---- ballooning */

static NaiveRange *spare_of(Naive *m)
{
    return &m->ranges[3];
}

/* The first reason against a page of the list, in its order. */
static MemStatus check_balloon(Naive *m, const GPhys *gpas, unsigned n, bool inflate)
{
    for (unsigned i = 0; i < n; i++) {
        Place place = naive_at(m, gpas[i]);

        if (gpas[i] % PAGE != 0) {
            return MEM_ERR_UNALIGNED;
        }
        if (place.range == NULL) {
            return MEM_ERR_UNASSIGNED;
        }
        if (place.range->kind != PGM_RANGE_RAM) {
            return MEM_ERR_NOT_RAM;
        }
        bool ballooned = naive_backing(place) == BALLOONED;

        if (!inflate && !ballooned) {
            return MEM_ERR_WRONG_ORDER;
        }
        if (inflate && ballooned) {
            return MEM_ERR_BALLOONED;
        }
        if (inflate && (naive_locked(place.range, FRONT, place.page) ||
                        naive_handler_state(m, place, true) == PGM_HANDLER_ALL)) {
            return MEM_ERR_IN_USE;
        }
        for (unsigned k = 0; k < i; k++) {
            if (gpas[k] == gpas[i]) {
                return inflate ? MEM_ERR_BALLOONED : MEM_ERR_WRONG_ORDER;
            }
        }
    }
    return MEM_OK;
}

static void change_balloon(Naive *m, const GPhys *gpas, unsigned n, bool inflate, bool surely)
{
    for (unsigned i = 0; i < n; i++) {
        Place place = naive_at(m, gpas[i]);

        naive_written(place.range, FRONT, place.page, surely);
        if (surely) {
            memset(naive_visible(place), 0, PAGE);
            place.range->there[FRONT][place.page] = inflate ? BALLOONED : NOTHING;
        }
    }
}

static int balloon(Naive *m, const GPhys *gpas, unsigned n, bool inflate)
{
    real_begins(m);
    MemStatus real =
        inflate ? pgm_balloon_inflate(m->pgm, gpas, n) : pgm_balloon_deflate(m->pgm, gpas, n);

    real_ended(m);
    MemStatus naive = check_balloon(m, gpas, n, inflate);

    if (naive == MEM_OK && real == MEM_ERR_NO_MEMORY) {
        naive = real; /* the snapshot has no room for what it must keep */
    }
    if (naive == MEM_OK || naive == MEM_ERR_NO_MEMORY) {
        change_balloon(m, gpas, n, inflate, naive == MEM_OK && real == MEM_OK);
    }
    return agree(m, real, naive);
}

static int op_inflate(Naive *m)
{
    GPhys gpas[12];
    unsigned n = one_in(6) ? 12 : 1 + below(3);
    uint64_t run = pick_page();

    for (unsigned i = 0; i < n; i++) {
        gpas[i] = n > 3 ? run + (uint64_t)i * PAGE : pick_address(m);
        gpas[i] -= one_in(100) ? 0 : gpas[i] % PAGE;
    }
    script(m, "inflate %u pages, the first %#" PRIx64, n, gpas[0]);
    focus(m, ON_INFLATE, gpas[0]);
    return balloon(m, gpas, n, true);
}

static uint64_t pick_ballooned(Naive *m)
{
    unsigned first = below(N_SLOTS);

    for (unsigned i = 0; i < N_SLOTS; i++) {
        uint64_t gpa = slot_address((first + i) % N_SLOTS);
        Place place = naive_at(m, gpa);

        if (place.range != NULL && naive_backing(place) == BALLOONED) {
            return gpa;
        }
    }
    return pick_page();
}

static int op_deflate(Naive *m)
{
    GPhys gpas[3];
    unsigned n = one_in(3) ? 2 : 1;

    for (unsigned i = 0; i < n; i++) {
        gpas[i] = one_in(8) ? pick_address(m) : pick_ballooned(m);
        gpas[i] -= one_in(50) ? 0 : gpas[i] % PAGE;
    }
    script(m, "deflate %u pages, the first %#" PRIx64, n, gpas[0]);
    focus(m, ON_DEFLATE, gpas[0]);
    return balloon(m, gpas, n, false);
}

/* Called by GMM, in the middle of anything: gives pages that no operation is about. */
uint64_t model_give_pages(GmmVm *vm, uint64_t n_wanted, void *user)
{
    Naive *m = user;
    NaiveRange *spare = spare_of(m);
    GPhys gpas[8];
    unsigned n = 0;

    if (m->pgm == NULL || pgm_gmm_vm(m->pgm) != vm || m->keeps_pages) {
        return 0;
    }
    for (unsigned page = 0; page < N_SPARE && n < MIN(n_wanted, 8); page++) {
        if (spare->there[FRONT][page] == OWN) {
            gpas[n++] = SPARE_START + (uint64_t)page * PAGE;
        }
    }
    if (n == 0) {
        return 0;
    }
    bool given = pgm_balloon_inflate(m->pgm, gpas, n) == MEM_OK;

    m->armed = true;
    change_balloon(m, gpas, n, true, given);
    return given ? n : 0;
}

/* Pages to give later. */
static int op_fill_spare(Naive *m)
{
    int status = MEM_OK;

    script(m, "fill spare pages");
    for (unsigned page = 0; page < N_SPARE; page++) {
        GPhys gpa = SPARE_START + (uint64_t)page * PAGE;

        if (spare_of(m)->there[FRONT][page] == BALLOONED) {
            status = balloon(m, &gpa, 1, false);
        }
        if (status == MEM_OK) {
            status = touch(m, gpa + page);
        }
        if (status != MEM_OK && status != MEM_ERR_BALLOONED) {
            break;
        }
    }
    return status;
}

/* ---- sharing */

/* The same bytes again and again, zeros too. */
static int op_pattern(Naive *m)
{
    uint64_t gpa = pick_address(m) / PAGE * PAGE;
    unsigned pattern = below(4), n = 1 + below(4);
    uint8_t bytes[PAGE];
    MemStatus status = MEM_OK;

    for (unsigned i = 0; i < PAGE; i++) {
        bytes[i] = (uint8_t)(pattern * (1 + i / 7));
    }
    script(m, "pattern %u into %u pages at %#" PRIx64, pattern, n, gpa);
    focus(m, ON_WRITE, gpa);
    for (unsigned i = 0; i < n && status == MEM_OK && gpa + PAGE != 0; i++, gpa += PAGE) {
        real_begins(m);
        MemStatus real = pgm_write(m->pgm, gpa, bytes, PAGE, MEM_ORIGIN_LOADER);

        real_ended(m);
        status = (MemStatus)agree(m, real, naive_write(m, gpa, bytes, PAGE, MEM_ORIGIN_LOADER));
        naive_nothing_left(m);
    }
    return (int)status;
}

/* What a scan may have made of the page. */
static void adopt_scanned(Naive *m, NaiveRange *range, unsigned page)
{
    Place place = { range, page, (uint64_t)page * PAGE, false };
    uint8_t *there = &range->there[FRONT][page];
    const uint8_t *bytes = naive_record_bytes(range, FRONT, page);
    PgmPageState now = real_state(range, FRONT, page);
    bool may = m->sharing && !m->preallocated && *there == OWN &&
               !naive_locked(range, FRONT, page) &&
               naive_handler_state(m, place, true) != PGM_HANDLER_ALL;

    if (now == PGM_PAGE_SHARED && *there != SHARED) {
        if (!may) {
            model_fail("page %u of range %u must not be shared", page, range->number);
        }
        *there = SHARED;
    }
    if (now == PGM_PAGE_ZERO && *there != NOTHING) {
        if (!may || bytes[0] != 0 || memcmp(bytes, bytes + 1, PAGE - 1) != 0) {
            model_fail("page %u of range %u must not become ZERO", page, range->number);
        }
        *there = NOTHING;
    }
}

static int op_scan(Naive *m)
{
    uint64_t n = 1 + below(one_in(2) ? 2000 : 100);

    script(m, "scan %" PRIu64 " pages of all machines", n);
    focus(m, ON_SCAN, one_in(2) ? pick_state(m) : pick_address(m));
    for (unsigned i = 0; i < N_MACHINES; i++) {
        model_machines[i].armed |= model_machines[i].sharing;
    }
    uint64_t n_done = gmm_share_scan(model_gmm, n);

    if (n_done > n) {
        model_fail("%" PRIu64 " pages were looked at", n_done);
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        Naive *each = &model_machines[i];

        for (unsigned r = 0; each->pgm != NULL && r < MAX_RANGES; r++) {
            NaiveRange *range = &each->ranges[r];

            for (unsigned page = 0;
                 range->live && range->kind == PGM_RANGE_RAM && page < range->n_pages; page++) {
                adopt_scanned(each, range, page);
            }
        }
    }
    return MEM_OK;
}

static int op_set_sharing(Naive *m)
{
    m->sharing = !m->sharing;
    script(m, "sharing %d", m->sharing);
    pgm_set_sharing(m->pgm, m->sharing);
    return MEM_OK;
}

/* A file: whole pages that are untouched are shared from the start. */
static int op_image(Naive *m)
{
    static uint8_t bytes[3 * PAGE];
    uint64_t gpa = pick_address(m);
    unsigned len = 1 + below(sizeof bytes), pattern = below(3);
    MemStatus naive = MEM_OK;

    gpa -= one_in(4) ? 0 : gpa % PAGE;
    len = (unsigned)MIN(len, UINT64_MAX - gpa);
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(pattern * (1 + i % PAGE / 7));
    }
    script(m, "image of %u bytes at %#" PRIx64, len, gpa);
    focus(m, ON_IMAGE, gpa);
    real_begins(m);
    MemStatus real = pgm_load_image(m->pgm, gpa, bytes, len);

    real_ended(m);
    for (unsigned done = 0, n; done < len && naive == MEM_OK; done += n, gpa += n) {
        Place place = naive_at(m, gpa);

        n = MIN(len - done, PAGE - (unsigned)(gpa % PAGE));
        if (place.range != NULL && place.range->kind == PGM_RANGE_RAM && n == PAGE &&
            place.range->there[FRONT][place.page] == NOTHING && !m->preallocated &&
            real_state(place.range, FRONT, place.page) == PGM_PAGE_SHARED &&
            !naive_locked(place.range, FRONT, place.page) &&
            naive_handler_state(m, place, true) == PGM_HANDLER_NONE &&
            !naive_watched(m, gpa, MEM_ACCESS_WRITE)) {
            place.range->there[FRONT][place.page] = SHARED;
            memcpy(naive_visible(place), bytes + done, PAGE);
            naive_written(place.range, FRONT, place.page, true);
            continue;
        }
        if (place.range != NULL && place.range->kind == PGM_RANGE_RAM) {
            naive_written(place.range, FRONT, place.page, false);
        }
        naive = naive_write(m, gpa, bytes + done, n, MEM_ORIGIN_LOADER);
    }
    return agree(m, real, naive);
}

/* ---- places */

static int op_compact(Naive *m)
{
    uint64_t n = 1 + below(300);

    script(m, "compact, %" PRIu64 " pages at most", n);
    focus(m, ON_COMPACT, one_in(2) ? pick_state(m) : pick_address(m));
    if (gmm_compact(model_gmm, n) > n) {
        model_fail("more pages were moved than asked for");
    }
    return MEM_OK;
}

static void adopt_preallocated(Naive *m, NaiveRange *range, unsigned page, bool done)
{
    uint8_t *there = &range->there[FRONT][page];
    PgmPageState now = real_state(range, FRONT, page);

    if (*there == OWN || *there == BALLOONED) {
        return;
    }
    naive_written(range, FRONT, page, done);
    if (now == PGM_PAGE_ALLOCATED &&
        (done || *there == SHARED || naive_locked(range, FRONT, page))) {
        *there = OWN;
        m->budget -= done ? 1 : 0;
    } else if (done) {
        model_fail("page %u of range %u has no page", page, range->number);
    }
}

static int op_preallocate(Naive *m)
{
    g_autoptr(GError) error = NULL;

    if (m->preallocated || !one_in(3)) {
        return OP_SKIPPED;
    }
    script(m, "preallocate");
    focus(m, ON_PREALLOCATE, pick_state(m));
    m->keeps_pages = true;
    real_begins(m);
    MemStatus real = pgm_preallocate(m->pgm, &error);

    real_ended(m);
    m->keeps_pages = false;
    agree_error(real, error);
    for (unsigned r = 0; r < MAX_RANGES; r++) {
        NaiveRange *range = &m->ranges[r];

        for (unsigned page = 0;
             range->live && range->kind == PGM_RANGE_RAM && page < range->n_pages; page++) {
            adopt_preallocated(m, range, page, real == MEM_OK);
        }
    }
    if (real != MEM_OK) {
        m->budget = 0; /* taken and given back */
    }
    m->preallocated = real == MEM_OK;
    return agree(m, real, real == MEM_OK ? MEM_OK : MEM_ERR_NO_MEMORY);
}

const Op sharing_ops[] = {
    { "inflate", op_inflate, 15, OP_TRACKING },
    { "deflate", op_deflate, 15, OP_TRACKING },
    { "fill spare", op_fill_spare, 3, OP_TRACKING },
    { "pattern", op_pattern, 25, 0 },
    { "share scan", op_scan, 20, 0 },
    { "set sharing", op_set_sharing, 2, OP_TRACKING },
    { "load image", op_image, 15, OP_TRACKING },
    { "compact", op_compact, 8, 0 },
    { "preallocate", op_preallocate, 2, 0 },
};
const unsigned n_sharing_ops = G_N_ELEMENTS(sharing_ops);
