/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Visitors: threads that read, write, map and call from outside. */
#include "tests/model/threads/threads.h"

/* ---- a visitor's own pages; under their gate */

typedef struct Visit {
    Machine *m;
    unsigned v;
    Yard *yard;
    Pgm *pgm;
} Visit;

static void ask_there(Pgm *pgm, void *user)
{
    const Visit *visit = user;

    on_own_thread(pgm, visit->m);
    check_yard(visit->m, visit->v);
}

/* What the machine's own thread finds is exact, or becomes so. */
static void ask(Visit *visit)
{
    pgm_external_call(visit->pgm, ask_there, visit);
    count(&n_asked);
}

static bool is_current(const Visit *visit)
{
    return visit->yard->known == epoch_of(visit->m);
}

/* What the visitor did is done: before any change of the epoch, or nobody knows. */
static void note_write(Visit *visit, uint64_t offset, const void *bytes, size_t len)
{
    memcpy(visit->yard->bytes + offset, bytes, len);
    if (!is_current(visit)) {
        visit->yard->known = UNKNOWN;
    }
}

static void yard_write(Visit *visit)
{
    uint8_t bytes[2 * PAGE];
    uint64_t offset = draw((N_YARD - 2) * PAGE);
    size_t len = draw(4) == 0 ? draw(2 * PAGE) : draw(64);

    random_bytes(bytes, len);
    must(pgm_external_write(visit->pgm, YARD(visit->v) * PAGE + offset, bytes, len,
                            MEM_ORIGIN_DEVICE),
         "writing from outside");
    note_write(visit, offset, bytes, len);
}

static void yard_read(Visit *visit)
{
    uint8_t got[3 * PAGE];
    uint64_t offset = draw((N_YARD - 3) * PAGE);
    GPhys gpa = YARD(visit->v) * PAGE + offset;
    size_t len = draw(3 * PAGE) + 1;

    must(pgm_external_read(visit->pgm, gpa, got, len, MEM_ORIGIN_DEBUGGER), "reading from outside");
    if (is_current(visit)) {
        compare(visit->yard->bytes + offset, got, len, gpa, "a visitor's page");
        count(&n_exact_reads);
    }
}

/* A mapping stays for a while, whatever the machine does meanwhile. */
static void yard_map(Visit *visit)
{
    Yard *yard = visit->yard;
    unsigned page = draw(N_YARD);
    GPhys gpa = (YARD(visit->v) + page) * PAGE;

    if (yard->is_mapped) {
        pgm_external_unmap_pages(visit->pgm, &yard->mapping, 1);
        yard->is_mapped = false;
        return;
    }
    must(pgm_external_map_pages(visit->pgm, &gpa, 1, true, &yard->mapping), "mapping from outside");
    yard->is_mapped = true;
    yard->mapped_page = page;
}

static void yard_store(Visit *visit)
{
    Yard *yard = visit->yard;
    uint64_t at = draw(PAGE / 8) * 8, value = rng();
    uint64_t *host = (uint64_t *)(void *)(yard->mapping.host + at);

    if (!yard->is_mapped) {
        yard_map(visit);
    } else if (draw(2) == 0) {
        __atomic_store_n(host, value, __ATOMIC_SEQ_CST);
        note_write(visit, yard->mapped_page * PAGE + at, &value, 8);
    } else {
        value = __atomic_load_n(host, __ATOMIC_SEQ_CST);
        if (is_current(visit)) {
            compare(yard->bytes + yard->mapped_page * PAGE + at, (uint8_t *)&value, 8,
                    (YARD(visit->v) + yard->mapped_page) * PAGE + at, "a mapped page");
            count(&n_exact_reads);
        }
    }
}

static void yard_read_mapped(Visit *visit)
{
    PgmMapping mapping;
    uint8_t got[PAGE];
    unsigned page = draw(N_YARD);
    GPhys gpa = (YARD(visit->v) + page) * PAGE;

    must(pgm_external_map_pages(visit->pgm, &gpa, 1, false, &mapping), "mapping for reading");
    for (unsigned i = 0; i < PAGE; i++) {
        got[i] = __atomic_load_n(mapping.host + i, __ATOMIC_SEQ_CST);
    }
    if (is_current(visit)) {
        compare(visit->yard->bytes + page * PAGE, got, PAGE, gpa, "a page mapped for reading");
        count(&n_exact_reads);
    }
    pgm_external_unmap_pages(visit->pgm, &mapping, 1);
}

/* ---- what a visitor sees of the machine's */

static void see_stamp(Visit *visit)
{
    unsigned page = draw(N_STAMP);
    uint64_t before = epoch_of(visit->m), value, version = 0;
    uint64_t *seen = &visit->yard->seen[page], *seen_in = &visit->yard->seen_in[page];

    must(pgm_external_read(visit->pgm, page * PAGE, &value, 8, MEM_ORIGIN_DEBUGGER), "a stamp");
    uint64_t latest = __atomic_load_n(&visit->m->version, __ATOMIC_SEQ_CST);

    if (before % 2 != 0 || epoch_of(visit->m) != before) {
        return; /* a restore may have put it there byte by byte */
    }
    if (value != 0) {
        version = value & UINT32_MAX;
        if (value - version != tag(visit->m, page) || version > latest) {
            fail("page %u shows 0x%016" PRIx64 " at version %" PRIu64, page, value, latest);
        }
    }
    if (*seen_in == before && version < *seen) {
        fail("page %u shows version %" PRIu64 " after %" PRIu64, page, version, *seen);
    }
    *seen_in = before;
    *seen = version;
}

/* Any byte of a tag may come alone, where all bytes were zero or ones before. */
static void check_tags(const uint64_t *words, size_t n, uint64_t want, GPhys gpa, uint8_t other)
{
    for (size_t i = 0; i < n; i++) {
        for (unsigned shift = 32; shift < 64; shift += 8) {
            uint8_t got = (uint8_t)(words[i] >> shift);

            if (got != 0 && got != other && got != (uint8_t)(want >> shift)) {
                fail("0x%" PRIx64 " shows 0x%016" PRIx64 ", which was never there", gpa + i * 8,
                     words[i]);
            }
        }
    }
}

static void see_stamps(Visit *visit)
{
    uint64_t words[2 * PAGE / 8];
    unsigned page = draw(N_STAMP - 1);

    must(pgm_external_read(visit->pgm, page * PAGE, words, sizeof words, MEM_ORIGIN_DEBUGGER),
         "stamps");
    check_tags(words, PAGE / 8, tag(visit->m, page), page * PAGE, 0);
    check_tags(words + PAGE / 8, PAGE / 8, tag(visit->m, page + 1), (page + 1) * PAGE, 0);
    page = draw(N_GIVEN);
    must(pgm_external_read(visit->pgm, (GIVEN + page) * PAGE, words, PAGE, MEM_ORIGIN_DEBUGGER),
         "given pages");
    check_tags(words, PAGE / 8, tag(visit->m, GIVEN + page), (GIVEN + page) * PAGE, 0);
}

static void see_wild(Visit *visit)
{
    uint8_t bytes[3 * PAGE];
    GPhys gpa = (WILD + draw(N_WILD - 3)) * PAGE + draw(PAGE);

    must(pgm_external_read(visit->pgm, gpa, bytes, draw(3 * PAGE), MEM_ORIGIN_DEBUGGER), "reading");
}

static void see_areas(Visit *visit)
{
    uint64_t words[PAGE / 8], ones = UINT64_MAX, value = 0;
    unsigned i = draw(N_AREA), place = draw(3);
    GPhys gpa = VRAM + place * STEP + i * PAGE, offset = draw(PAGE / 4) * 4;
    uint32_t reg;

    must(pgm_external_read(visit->pgm, gpa, words, PAGE, MEM_ORIGIN_DEBUGGER), "VRAM");
    check_tags(words, PAGE / 8, tag(visit->m, VRAM_TAG + i), gpa, 0xff);
    gpa = ROM + i * PAGE;
    must(pgm_external_read(visit->pgm, gpa, words, PAGE, MEM_ORIGIN_DEBUGGER), "ROM");
    check_tags(words, PAGE / 8, tag(visit->m, SHADOW_TAG + i), gpa, ROM_BYTE);
    gpa = REGS + place * STEP + offset;
    must(pgm_external_read(visit->pgm, gpa, &reg, 4, MEM_ORIGIN_DEBUGGER), "REGS");
    if (reg != UINT32_MAX && reg != regs_value(visit->m, offset)) {
        fail("REGS show 0x%08x at 0x%" PRIx64, reg, gpa);
    }
    must(pgm_external_write(visit->pgm, NOWHERE + offset, &value, 8, MEM_ORIGIN_DEVICE), "nowhere");
    must(pgm_external_read(visit->pgm, NOWHERE + offset, &value, 8, MEM_ORIGIN_DEBUGGER),
         "nowhere");
    if (value != ones) {
        fail("unassigned addresses show 0x%016" PRIx64, value);
    }
}

static void scan(Visit *visit)
{
    GmmStats stats;

    (void)visit;
    (void)gmm_share_scan(gmm, draw(256));
    (void)gmm_compact(gmm, draw(64));
    gmm_get_stats(gmm, &stats);
}

static void (*const visits[])(Visit *visit) = {
    yard_write, yard_write,       yard_write, yard_read, yard_read, yard_read, yard_map,
    yard_store, yard_store,       yard_store, ask,       see_stamp, see_stamp, see_stamp,
    see_stamps, yard_read_mapped, see_wild,   see_areas, scan,
};

static void visit_one(unsigned v, Machine *m)
{
    Visit visit = { m, v, &m->yards[v], m->pgm };

    pthread_mutex_lock(&visit.yard->gate);
    if (!is_current(&visit)) {
        ask(&visit);
    }
    visits[draw(G_N_ELEMENTS(visits))](&visit);
    pthread_mutex_unlock(&visit.yard->gate);
}

static void visitor_leave(unsigned v)
{
    for (unsigned i = 0; i < N_MACHINES; i++) {
        Yard *yard = &machines[i].yards[v];

        if (yard->is_mapped) {
            pgm_external_unmap_pages(machines[i].pgm, &yard->mapping, 1);
            yard->is_mapped = false;
        }
    }
}

void *visitor_main(void *user)
{
    unsigned v = GPOINTER_TO_UINT(user);

    self = (Self) { "visitor", v, 0, seed * N_THREADS + N_MACHINES + v };
    pthread_barrier_wait(&quiet);
    for (uint64_t round = 0; round < n_rounds; round++) {
        for (unsigned i = 0; i < OPS_A_ROUND; i++, self.op++) {
            visit_one(v, &machines[draw(N_MACHINES)]);
            count(&n_done);
        }
        if (round + 1 == n_rounds) {
            visitor_leave(v);
        }
        __atomic_fetch_add(&n_arrived, 1, __ATOMIC_RELEASE);
        for (unsigned i = 0; i < 3; i++) {
            pthread_barrier_wait(&quiet);
        }
    }
    pthread_barrier_wait(&quiet);
    return NULL;
}
