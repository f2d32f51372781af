/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a RAM page: every event in every state, what it does to counters and bytes, and which
 * CPUs hear of it.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)
#define Q (HIGH + 9 * PAGE)
#define MARK 0x5a5a1234u

typedef enum Event {
    READ,
    PEEK,
    TYPED_WRITE,
    BULK_WRITE,
    BULK_ZEROS,
    POKE,
    FILL_READ,
    FILL_WRITE,
    FILL_EXEC,
    ARM,
    ARM_ALL,
    SHARE,
    INFLATE,
    DEFLATE,
    RESET,
} Event;

#define ZERO PGM_PAGE_ZERO
#define ALLOC PGM_PAGE_ALLOCATED
#define MONI PGM_PAGE_WRITE_MONITORED
#define SHAR PGM_PAGE_SHARED
#define BALL PGM_PAGE_BALLOONED

/* Puts the page at @gpa into @state; where it has bytes, the first four are MARK. */
static void put(GPhys gpa, PgmPageState state)
{
    if (state == ALLOC || state == MONI || state == SHAR) {
        store(gpa, MARK);
    }
    if (state == MONI) {
        ck_assert_int_eq(pgm_page_monitor_internal(pgm, gpa), MEM_OK);
    } else if (state == SHAR) {
        ck_assert_int_eq(pgm_page_share_internal(pgm, gpa), MEM_OK);
    } else if (state == BALL) {
        ck_assert_int_eq(pgm_page_balloon_internal(pgm, gpa, true), MEM_OK);
    }
    ck_assert_int_eq(page_at(gpa).state, state);
    told_reset();
}

static MemStatus fill_status(GPhys gpa, MemAccess access)
{
    return fill(gpa, access).kind == PGM_FILL_NO_MEMORY ? MEM_ERR_NO_MEMORY : MEM_OK;
}

/* Writes go to byte 8, so that MARK survives them. */
static MemStatus happen(Event event, GPhys gpa)
{
    static const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    static const uint8_t zeros[8];
    uint8_t buf[8];

    switch (event) {
    case READ:
        return pgm_read(pgm, gpa, buf, sizeof buf, MEM_ORIGIN_DEVICE);
    case PEEK:
        return pgm_peek(pgm, gpa, buf, sizeof buf);
    case TYPED_WRITE:
        return pgm_write_u32(pgm, gpa + 8, 0x04030201);
    case BULK_WRITE:
        return pgm_write(pgm, gpa + 8, data, sizeof data, MEM_ORIGIN_DEVICE);
    case BULK_ZEROS:
        return pgm_write(pgm, gpa + 8, zeros, sizeof zeros, MEM_ORIGIN_DEVICE);
    case POKE:
        return pgm_poke(pgm, gpa + 8, data, sizeof data);
    case FILL_READ:
        return fill_status(gpa, MEM_ACCESS_READ);
    case FILL_WRITE:
        return fill_status(gpa, MEM_ACCESS_WRITE);
    case FILL_EXEC:
        return fill_status(gpa, MEM_ACCESS_EXEC);
    case ARM:
        return pgm_page_monitor_internal(pgm, gpa);
    case ARM_ALL:
        pgm_monitor_all_internal(pgm);
        return MEM_OK;
    case SHARE:
        return pgm_page_share_internal(pgm, gpa);
    case INFLATE:
        return pgm_page_balloon_internal(pgm, gpa, true);
    case DEFLATE:
        return pgm_page_balloon_internal(pgm, gpa, false);
    case RESET:
        pgm_reset(pgm);
        return MEM_OK;
    }
    g_assert_not_reached();
}

/* Bytes of the page afterwards: the mark (if it had one), zeros, or a fresh copy with the mark. */
typedef enum Bytes { KEPT, CLEARED } Bytes;

static const struct {
    Event event;
    PgmPageState from, to;
    MemStatus status;
    Bytes bytes;
    bool written; /* the written bit afterwards */
    bool told;    /* a CPU that knew the page is told */
} events[] = {
    { READ, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { READ, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { READ, MONI, MONI, MEM_OK, KEPT, false, false },
    { READ, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { READ, BALL, BALL, MEM_OK, KEPT, false, false },
    { PEEK, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { PEEK, MONI, MONI, MEM_OK, KEPT, false, false },
    { PEEK, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { PEEK, BALL, BALL, MEM_OK, KEPT, false, false },
    { TYPED_WRITE, ZERO, ALLOC, MEM_OK, KEPT, false, true },
    { TYPED_WRITE, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { TYPED_WRITE, MONI, ALLOC, MEM_OK, KEPT, true, false },
    { TYPED_WRITE, SHAR, ALLOC, MEM_OK, KEPT, false, true },
    { TYPED_WRITE, BALL, BALL, MEM_ERR_BALLOONED, KEPT, false, false },
    { BULK_WRITE, ZERO, ALLOC, MEM_OK, KEPT, false, true },
    { BULK_WRITE, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { BULK_WRITE, MONI, ALLOC, MEM_OK, KEPT, true, false },
    { BULK_WRITE, SHAR, ALLOC, MEM_OK, KEPT, false, true },
    { BULK_WRITE, BALL, BALL, MEM_OK, KEPT, false, false },
    { BULK_ZEROS, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { BULK_ZEROS, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { BULK_ZEROS, MONI, ALLOC, MEM_OK, KEPT, true, false },
    { BULK_ZEROS, SHAR, ALLOC, MEM_OK, KEPT, false, true },
    { BULK_ZEROS, BALL, BALL, MEM_OK, KEPT, false, false },
    { POKE, ZERO, ALLOC, MEM_OK, KEPT, false, true },
    { POKE, MONI, ALLOC, MEM_OK, KEPT, true, false },
    { POKE, SHAR, ALLOC, MEM_OK, KEPT, false, true },
    { POKE, BALL, BALL, MEM_ERR_BALLOONED, KEPT, false, false },
    { FILL_READ, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { FILL_READ, MONI, MONI, MEM_OK, KEPT, false, false },
    { FILL_READ, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { FILL_READ, BALL, BALL, MEM_OK, KEPT, false, false },
    { FILL_WRITE, ZERO, ALLOC, MEM_OK, KEPT, false, true },
    { FILL_WRITE, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { FILL_WRITE, MONI, ALLOC, MEM_OK, KEPT, true, false },
    { FILL_WRITE, SHAR, ALLOC, MEM_OK, KEPT, false, true },
    { FILL_WRITE, BALL, BALL, MEM_OK, KEPT, false, false },
    { FILL_EXEC, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { FILL_EXEC, ALLOC, ALLOC, MEM_OK, KEPT, false, false },
    { FILL_EXEC, MONI, MONI, MEM_OK, KEPT, false, false },
    { FILL_EXEC, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { ARM, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { ARM, ALLOC, MONI, MEM_OK, KEPT, false, true },
    { ARM, MONI, MONI, MEM_OK, KEPT, false, false },
    { ARM, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { ARM, BALL, BALL, MEM_OK, KEPT, false, false },
    { ARM_ALL, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { ARM_ALL, ALLOC, MONI, MEM_OK, KEPT, false, true },
    { ARM_ALL, SHAR, SHAR, MEM_OK, KEPT, false, false },
    { SHARE, ZERO, ZERO, MEM_ERR_PAGE_NOT_PRIVATE, KEPT, false, false },
    { SHARE, ALLOC, SHAR, MEM_OK, KEPT, false, true },
    { SHARE, MONI, MONI, MEM_ERR_PAGE_NOT_PRIVATE, KEPT, false, false },
    { SHARE, SHAR, SHAR, MEM_ERR_PAGE_NOT_PRIVATE, KEPT, false, false },
    { SHARE, BALL, BALL, MEM_ERR_PAGE_NOT_PRIVATE, KEPT, false, false },
    { INFLATE, ZERO, BALL, MEM_OK, KEPT, false, true },
    { INFLATE, ALLOC, BALL, MEM_OK, CLEARED, false, true },
    { INFLATE, MONI, BALL, MEM_OK, CLEARED, false, true },
    { INFLATE, SHAR, BALL, MEM_OK, CLEARED, false, true },
    { INFLATE, BALL, BALL, MEM_ERR_WRONG_ORDER, KEPT, false, false },
    { DEFLATE, BALL, ZERO, MEM_OK, KEPT, false, true },
    { DEFLATE, ZERO, ZERO, MEM_ERR_WRONG_ORDER, KEPT, false, false },
    { DEFLATE, ALLOC, ALLOC, MEM_ERR_WRONG_ORDER, KEPT, false, false },
    { RESET, ZERO, ZERO, MEM_OK, KEPT, false, false },
    { RESET, ALLOC, ZERO, MEM_OK, CLEARED, false, true },
    { RESET, MONI, ZERO, MEM_OK, CLEARED, false, true },
    { RESET, SHAR, ZERO, MEM_OK, CLEARED, false, true },
    { RESET, BALL, ZERO, MEM_OK, KEPT, false, true },
};

static bool has_bytes(PgmPageState state)
{
    return state == ALLOC || state == MONI || state == SHAR;
}

static void check_counts_of(PgmPageState state, bool written)
{
    PgmPageCounts counts = stats().pages;
    uint64_t n_pages = (LOW_LEN + HIGH_LEN) / PAGE;
    bool is_private = state == ALLOC || state == MONI;

    ck_assert_uint_eq(counts.all, n_pages);
    ck_assert_uint_eq(counts.private_pages, is_private);
    ck_assert_uint_eq(counts.monitored, state == MONI);
    ck_assert_uint_eq(counts.shared, state == SHAR);
    ck_assert_uint_eq(counts.ballooned, state == BALL);
    ck_assert_uint_eq(counts.zero, n_pages - is_private - (state == SHAR));
    ck_assert_uint_eq(counts.pure_mmio, 0);
    ck_assert_uint_eq(counts.written, written);
}

START_TEST(event_leads_to_its_state)
{
    put(P, events[_i].from);
    PageId before = page_at(P).id;

    ck_assert_int_eq(happen(events[_i].event, P), events[_i].status);
    PgmPageInfo after = page_at(P);
    bool marked = has_bytes(events[_i].from) && events[_i].bytes != CLEARED;

    ck_assert_int_eq(after.state, events[_i].to);
    ck_assert_int_eq(after.written, events[_i].written);
    check_counts_of(events[_i].to, events[_i].written);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), marked ? MARK : 0);
    ck_assert_uint_eq(after.id != 0, has_bytes(events[_i].to));
    if (has_bytes(events[_i].from) && has_bytes(events[_i].to)) {
        ck_assert_uint_eq(after.id, before); /* nobody else has a shared one */
    }
    check_sound();
}
END_TEST

/* Writes land where they should, and nowhere in a page that has no bytes. */
START_TEST(bytes_written_are_read_back)
{
    put(P, events[_i].from);
    MemStatus status = happen(events[_i].event, P);
    bool writes = events[_i].event == TYPED_WRITE || events[_i].event == BULK_WRITE ||
                  events[_i].event == POKE;
    bool lands = writes && status == MEM_OK && events[_i].to != BALL;

    ck_assert_uint_eq(pgm_read_u32(pgm, P + 8), lands ? 0x04030201 : 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + 16), 0);
}
END_TEST

START_TEST(cpu_hears_of_a_page_it_knows)
{
    put(P, events[_i].from);
    (void)fill(P, MEM_ACCESS_READ);
    told_reset();
    (void)happen(events[_i].event, P);
    ck_assert_uint_eq(told.n_pages + told.n_all > 0, events[_i].told);
    if (told.n_pages > 0) {
        ck_assert_uint_eq(told.gpas[0], P);
    }
    ck_assert(!told.executed);
}
END_TEST

START_TEST(cpu_hears_nothing_of_a_page_it_never_met)
{
    put(P, events[_i].from);
    told_reset();
    (void)happen(events[_i].event, P);
    ck_assert(told_nothing());
}
END_TEST

START_TEST(cpu_that_ran_code_there_hears_so)
{
    put(P, events[_i].from);
    (void)fill(P, MEM_ACCESS_EXEC);
    PageId id = page_at(P).id;

    told_reset();
    (void)happen(events[_i].event, P);
    ck_assert_uint_eq(told.n_pages + told.n_all > 0, events[_i].told);
    /* While the same host page shows, its code is right. */
    ck_assert_int_eq(told.executed, events[_i].told && page_at(P).id != id);
}
END_TEST

START_TEST(typed_tlb_never_outlives_the_event)
{
    put(P, events[_i].from);
    (void)pgm_read_u32(pgm, P);
    if (events[_i].from == ALLOC) {
        store(P + 4, 0); /* W in the TLB */
    }
    (void)happen(events[_i].event, P);
    check_sound(); /* compares each entry with the page */
    MemStatus status = pgm_write_u32(pgm, P + 100, 7);

    ck_assert_int_eq(status, page_at(P).state == BALL ? MEM_ERR_BALLOONED : MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + 100), status == MEM_OK ? 7 : 0);
}
END_TEST

START_TEST(a_told_cpu_is_told_once)
{
    put(P, ZERO);
    (void)fill(P, MEM_ACCESS_READ);
    told_reset();
    store(P, 1);
    ck_assert_uint_eq(told.n_pages, 1);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_uint_eq(told.n_pages, 1);
}
END_TEST

START_TEST(first_write_to_a_shared_page_leaves_the_other_alone)
{
    store(P, MARK);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    PageId id = page_at(P).id;

    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, Q, id), MEM_OK);
    ck_assert_uint_eq(stats().pages.shared, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, Q), MARK);
    check_sound();
    store(Q, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), MARK);
    ck_assert_uint_eq(pgm_read_u32(pgm, Q), 1);
    ck_assert_uint_eq(stats().replaced_shared, 1);
    ck_assert_uint_eq(stats().pages.shared, 1);
}
END_TEST

START_TEST(reset_drops_two_references_of_one_shared_page)
{
    store(P, MARK);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, Q, page_at(P).id), MEM_OK);
    pgm_reset(pgm);
    ck_assert_uint_eq(stats().pages.shared, 0);
    check_sound();
}
END_TEST

START_TEST(mapping_a_shared_page_gives_the_old_one_back)
{
    store(P, MARK);
    store(Q, 1);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, Q, page_at(Q).id), MEM_ERR_PAGE_NOT_SHARED);
    ck_assert_uint_eq(pgm_read_u32(pgm, Q), 1);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, Q, page_at(P).id), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, 0);
    check_sound();
}
END_TEST

START_TEST(other_places_refuse_page_events)
{
    static const uint8_t byte = 0;

    ck_assert_int_eq(pgm_rom_register(pgm, HOLE, PAGE, &byte, 1, 0xff, 0, "o", "rom", NULL),
                     MEM_OK);
    ck_assert_int_eq(pgm_page_share_internal(pgm, HOLE), MEM_ERR_NOT_RAM);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, HOLE, true), MEM_ERR_NOT_RAM);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, HOLE), MEM_ERR_NOT_RAM);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, HOLE, 1), MEM_ERR_NOT_RAM);
    ck_assert_int_eq(pgm_page_share_internal(pgm, ABOVE), MEM_ERR_UNASSIGNED);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, ABOVE, true), MEM_ERR_UNASSIGNED);
}
END_TEST

START_TEST(locked_page_stays_what_it_is)
{
    store(P, MARK);
    PgmPlace place;

    ck_assert(pgm_place_lookup(pgm, P, &place));
    PgmPage page = *pgm_range_page(place.range, place.index);

    /* Locks are taken by a later interface; the record has room for them. */
    place.range->pages[place.index] =
        page | UINT64_C(1) << (_i ? PGM_PAGE_READ_LOCKS_SHIFT : PGM_PAGE_WRITE_LOCKS_SHIFT);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_ERR_IN_USE);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_ERR_IN_USE);
    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, P, 1), MEM_ERR_IN_USE);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    store(P + 4, 1);
    ck_assert(pgm_page_locked(place.range->pages[place.index]));
    ck_assert_uint_eq(pgm_read_u32(pgm, P), MARK);
    place.range->pages[place.index] &= ~PGM_PAGE_LOCKS_MASK;
}
END_TEST

START_TEST(record_fields_do_not_touch_each_other)
{
    PgmPage page = pgm_page_make(PGM_PAGE_MMIO, PGM_PAGE_BALLOONED, UINT32_MAX);

    page = pgm_page_with_written(pgm_page_with_handler(page, PGM_HANDLER_ALL), true);
    page |= PGM_PAGE_SEEN_BIT | PGM_PAGE_LOCKS_MASK;
    PgmPage other = pgm_page_with_backing(page, PGM_PAGE_SHARED, 7);

    ck_assert_int_eq(pgm_page_type(page), PGM_PAGE_MMIO);
    ck_assert_int_eq(pgm_page_state(page), PGM_PAGE_BALLOONED);
    ck_assert_uint_eq(pgm_page_id(page), UINT32_MAX);
    ck_assert_int_eq(pgm_page_handler(page), PGM_HANDLER_ALL);
    ck_assert(pgm_page_written(page));
    ck_assert(pgm_page_locked(page));
    ck_assert_int_eq(pgm_page_state(other), PGM_PAGE_SHARED);
    ck_assert_uint_eq(pgm_page_id(other), 7);
    ck_assert_uint_eq((page ^ other) & ~(PGM_PAGE_ID_MASK | PGM_PAGE_STATE_MASK), 0);
    ck_assert_uint_eq(page ^ pgm_page_with_written(page, false), PGM_PAGE_WRITTEN_BIT);
    ck_assert_uint_eq(page ^ pgm_page_with_handler(page, PGM_HANDLER_NONE), PGM_PAGE_HANDLER_MASK);
    ck_assert_uint_eq(pgm_page_make(PGM_PAGE_RAM, PGM_PAGE_ZERO, 0), 0);
}
END_TEST

/* ---- running out */

/* Leaves the machine with no page in stock and none to be had. */
static void exhaust(void)
{
    GmmStats now;

    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated);
    for (GPhys gpa = LOW; stats().handy_pages > 0; gpa += PAGE) {
        (void)pgm_write_u32(pgm, gpa, 1);
    }
}

static const struct {
    Event event;
    PgmPageState from;
} needy[] = {
    { TYPED_WRITE, ZERO }, { BULK_WRITE, ZERO }, { POKE, ZERO }, { FILL_WRITE, ZERO },
    { TYPED_WRITE, SHAR }, { BULK_WRITE, SHAR }, { POKE, SHAR }, { FILL_WRITE, SHAR },
};

START_TEST(out_of_pages_stops_and_goes_on_later)
{
    put(P, needy[_i].from);
    exhaust();
    ck_assert_int_eq(happen(needy[_i].event, P), MEM_ERR_NO_MEMORY);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_ERR_NO_MEMORY);
    ck_assert_int_eq(page_at(P).state, needy[_i].from);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), needy[_i].from == SHAR ? MARK : 0);
    check_sound();
    gmm_set_limit(gmm, PLENTY);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    ck_assert_int_eq(happen(needy[_i].event, P), MEM_OK);
    ck_assert_int_eq(page_at(P).state, ALLOC);
}
END_TEST

START_TEST(bulk_write_keeps_what_it_did_before_pages_ran_out)
{
    g_autofree uint8_t *data = g_malloc(8 * PAGE);

    memset(data, 0x77, 8 * PAGE);
    store(P, 1);
    exhaust();
    ck_assert_int_eq(pgm_write(pgm, P + 8, data, 8 * PAGE - 8, MEM_ORIGIN_DEVICE),
                     MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 8), 0x77);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE - 1), 0x77);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE), 0);
}
END_TEST

START_TEST(stock_is_used_to_the_last_page_under_a_limit)
{
    GmmStats now;

    store(LOW, 1); /* the first refill */
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated + 3);
    uint64_t n = stats().handy_pages + 3;

    for (uint64_t i = 0; i < n; i++) {
        ck_assert_int_eq(pgm_write_u32(pgm, HIGH + i * PAGE, 1), MEM_OK);
    }
    ck_assert_int_eq(pgm_write_u32(pgm, HIGH + n * PAGE, 1), MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + n * PAGE), 0);
}
END_TEST

START_TEST(stock_is_refilled_between_blocks)
{
    ck_assert_uint_eq(stats().handy_pages, 0);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    ck_assert_uint_eq(stats().handy_pages, MM_HANDY_PAGES);
    for (unsigned i = 0; i < MM_HANDY_PAGES - 33; i++) {
        store(LOW + i * PAGE, 1);
    }
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    ck_assert_uint_eq(stats().handy_pages, 33); /* not low yet */
    store(HIGH, 1);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    ck_assert_uint_eq(stats().handy_pages, MM_HANDY_PAGES);
    ck_assert_uint_eq(stats().handy_refills, 2);
}
END_TEST

/* A page comes back with the bytes of its former life; the guest must see zeros. */
START_TEST(reused_page_holds_zeros)
{
    g_autofree uint8_t *data = g_malloc(LOW_LEN);

    memset(data, 0xee, LOW_LEN);
    for (unsigned round = 0; round < 4; round++) {
        ck_assert_int_eq(pgm_write(pgm, LOW, data, LOW_LEN, MEM_ORIGIN_DEVICE), MEM_OK);
        pgm_reset(pgm);
        for (GPhys gpa = HIGH; gpa < HIGH + LOW_LEN; gpa += PAGE) {
            store(gpa, 1);
            if (pgm_read_u64(pgm, gpa + 8) != 0 || pgm_read_u64(pgm, gpa + PAGE - 8) != 0) {
                ck_abort_msg("old bytes at 0x%lx", (unsigned long)gpa);
            }
        }
        pgm_reset(pgm);
    }
}
END_TEST

START_TEST(page_given_up_is_gmms_at_once)
{
    static const Event events_that_free[] = { INFLATE, RESET, BULK_WRITE };
    GmmVmStats before, after;

    put(P, SHAR);
    put(Q, ALLOC);
    gmm_vm_get_stats(pgm->mm.vm, &before);
    if (_i < 2) {
        ck_assert_int_eq(happen(events_that_free[_i], Q), MEM_OK);
        gmm_vm_get_stats(pgm->mm.vm, &after);
        ck_assert_uint_eq(after.private_pages, before.private_pages - 1);
    }
    if (_i == 2) {
        ck_assert_int_eq(happen(events_that_free[_i], P), MEM_OK); /* the copy frees the original */
        gmm_vm_get_stats(pgm->mm.vm, &after);
        ck_assert_uint_eq(after.shared_pages, 0);
    }
}
END_TEST

static GPhys frame_in_gmm(PageId id)
{
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    ck_assert(gmm_page_query(gmm, id, &state, &owner, &gpa, &refs));
    ck_assert_int_eq(state, GMM_PAGE_PRIVATE);
    ck_assert_ptr_eq(owner, pgm->mm.vm);
    return gpa;
}

START_TEST(gmm_learns_where_pages_went)
{
    store(P, 1);
    ck_assert_int_eq(
        pgm_rom_register(pgm, HOLE, PAGE, NULL, 0, 0, PGM_ROM_FLAG_SHADOWED, "o", "rom", NULL),
        MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, HOLE, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(HOLE, 1);
    for (unsigned i = 0; i < MM_HANDY_PAGES; i++) {
        store(LOW + i * PAGE, 1); /* through a refill, which reports */
    }
    ck_assert_uint_eq(frame_in_gmm(page_at(P).id), P);
    /* Shadow RAM has no address of its own: it is never to be shared. */
    ck_assert_uint_eq(frame_in_gmm(page_at(HOLE).id), MEM_GPHYS_NIL);
    store(Q, 1);
    pgm_handy_report(pgm);
    ck_assert_uint_eq(frame_in_gmm(page_at(Q).id), Q);
}
END_TEST

/* ---- executed host pages */

START_TEST(freed_code_page_is_forgotten_before_its_id_comes_back)
{
    store(P, MARK);
    PgmFill f = fill(P, MEM_ACCESS_EXEC);

    ck_assert(pgm_page_executed(pgm, f.id));
    told_reset();
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK);
    ck_assert(told.executed);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, f.id);
    ck_assert_uint_eq(told.code_len, PAGE);
    ck_assert(!pgm_page_executed(pgm, f.id));
}
END_TEST

START_TEST(write_to_a_page_that_others_share_copies_it)
{
    put(P, SHAR);
    PageId id = page_at(P).id;

    ck_assert_int_eq(pgm_page_map_shared_internal(pgm, P + PAGE, id), MEM_OK);
    store(P + 8, 5);
    ck_assert_uint_ne(page_at(P).id, id);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), MARK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + PAGE + 8), 0);
    /* The other is alone with it now. */
    store(P + PAGE + 8, 6);
    ck_assert_uint_eq(page_at(P + PAGE).id, id);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + 8), 5);
    ck_assert_uint_eq(stats().replaced_shared, 2);
    check_sound();
}
END_TEST

START_TEST(code_of_a_shared_page_dies_when_the_id_is_used_again)
{
    store(P, MARK);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    PageId id = fill(P, MEM_ACCESS_EXEC).id;

    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK); /* the last reference */
    told_reset();
    for (GPhys gpa = HIGH + 0x100000; gpa < HIGH + HIGH_LEN && told.n_code == 0; gpa += PAGE) {
        store(gpa, 1);
        if (page_at(gpa).id == id) {
            ck_assert_uint_eq(told.n_code, 1);
            ck_assert_uint_eq(told.code_id, id);
        }
    }
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert(!pgm_page_executed(pgm, id));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page-state");
    TCase *tcase = tcase_create("events");

    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_loop_test(tcase, event_leads_to_its_state, 0, G_N_ELEMENTS(events));
    tcase_add_loop_test(tcase, bytes_written_are_read_back, 0, G_N_ELEMENTS(events));
    tcase_add_loop_test(tcase, cpu_hears_of_a_page_it_knows, 0, G_N_ELEMENTS(events));
    tcase_add_loop_test(tcase, cpu_hears_nothing_of_a_page_it_never_met, 0, G_N_ELEMENTS(events));
    tcase_add_loop_test(tcase, cpu_that_ran_code_there_hears_so, 0, G_N_ELEMENTS(events));
    tcase_add_loop_test(tcase, typed_tlb_never_outlives_the_event, 0, G_N_ELEMENTS(events));
    tcase_add_test(tcase, a_told_cpu_is_told_once);
    tcase_add_test(tcase, first_write_to_a_shared_page_leaves_the_other_alone);
    tcase_add_test(tcase, reset_drops_two_references_of_one_shared_page);
    tcase_add_test(tcase, mapping_a_shared_page_gives_the_old_one_back);
    tcase_add_test(tcase, other_places_refuse_page_events);
    tcase_add_loop_test(tcase, locked_page_stays_what_it_is, 0, 2);
    tcase_add_test(tcase, record_fields_do_not_touch_each_other);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("stock");
    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_loop_test(tcase, out_of_pages_stops_and_goes_on_later, 0, G_N_ELEMENTS(needy));
    tcase_add_test(tcase, bulk_write_keeps_what_it_did_before_pages_ran_out);
    tcase_add_test(tcase, stock_is_used_to_the_last_page_under_a_limit);
    tcase_add_test(tcase, stock_is_refilled_between_blocks);
    tcase_add_test(tcase, reused_page_holds_zeros);
    tcase_add_loop_test(tcase, page_given_up_is_gmms_at_once, 0, 3);
    tcase_add_test(tcase, gmm_learns_where_pages_went);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("code");
    tcase_add_checked_fixture(tcase, pgm_setup, pgm_teardown);
    tcase_add_test(tcase, freed_code_page_is_forgotten_before_its_id_comes_back);
    tcase_add_test(tcase, write_to_a_page_that_others_share_copies_it);
    tcase_add_test(tcase, code_of_a_shared_page_dies_when_the_id_is_used_again);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
