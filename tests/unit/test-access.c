/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typed and bulk access: values, crossings, gaps, the end of the address space; and the page-map
 * TLB behind them.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)

static struct {
    unsigned n;
    GPhys gpa;
    uint64_t len;
    MemAccess access;
    MemOrigin origin;
} missed;

static void note_missed(Pgm *from, GPhys gpa, uint64_t len, MemAccess access, MemOrigin origin,
                        void *user)
{
    ck_assert_ptr_eq(from, pgm);
    ck_assert_ptr_eq(user, &missed);
    missed.n++;
    missed.gpa = gpa;
    missed.len = len;
    missed.access = access;
    missed.origin = origin;
}

static void setup(void)
{
    pgm_setup();
    memset(&missed, 0, sizeof missed);
    pgm_set_unassigned_hook(pgm, note_missed, &missed);
}

/* The same byte pattern everywhere: byte at address a is f(a). */
static uint8_t pattern(GPhys gpa)
{
    return (uint8_t)(gpa * 7 + (gpa >> 12) * 13 + 1);
}

static void lay_pattern(GPhys gpa, uint64_t len)
{
    g_autofree uint8_t *bytes = g_malloc(len);

    for (uint64_t i = 0; i < len; i++) {
        bytes[i] = pattern(gpa + i);
    }
    ck_assert_int_eq(pgm_write(pgm, gpa, bytes, len, MEM_ORIGIN_LOADER), MEM_OK);
}

static uint64_t pattern_value(GPhys gpa, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)pattern(gpa + i) << (8 * i);
    }
    return value;
}

/* ---- typed */

START_TEST(typed_reads_are_little_endian_at_any_offset)
{
    lay_pattern(P - PAGE, 3 * PAGE);
    for (GPhys gpa = P - 16; gpa < P + 16; gpa++) {
        for (unsigned round = 0; round < 2; round++) { /* by the slow path, then through the TLB */
            if (pgm_read_u8(pgm, gpa) != pattern_value(gpa, 1) ||
                pgm_read_u16(pgm, gpa) != pattern_value(gpa, 2) ||
                pgm_read_u32(pgm, gpa) != pattern_value(gpa, 4) ||
                pgm_read_u64(pgm, gpa) != pattern_value(gpa, 8)) {
                ck_abort_msg("at 0x%lx", (unsigned long)gpa);
            }
        }
    }
}
END_TEST

static MemStatus write_sized(GPhys gpa, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        return pgm_write_u8(pgm, gpa, (uint8_t)value);
    case 2:
        return pgm_write_u16(pgm, gpa, (uint16_t)value);
    case 4:
        return pgm_write_u32(pgm, gpa, (uint32_t)value);
    default:
        return pgm_write_u64(pgm, gpa, value);
    }
}

START_TEST(typed_writes_touch_their_bytes_only)
{
    unsigned size = 1u << _i;
    uint8_t got[32], want[32];

    for (GPhys gpa = P - 12; gpa <= P + 4; gpa++) {
        for (unsigned round = 0; round < 2; round++) {
            uint64_t value = 0x8877665544332211u + gpa + round;

            memset(want, 0xcc, sizeof want);
            ck_assert_int_eq(pgm_write(pgm, P - 16, want, 32, MEM_ORIGIN_LOADER), MEM_OK);
            ck_assert_int_eq(write_sized(gpa, size, value), MEM_OK);
            for (unsigned i = 0; i < size; i++) {
                want[gpa - (P - 16) + i] = (uint8_t)(value >> (8 * i));
            }
            ck_assert_int_eq(pgm_read(pgm, P - 16, got, 32, MEM_ORIGIN_LOADER), MEM_OK);
            ck_assert_mem_eq(got, want, 32);
        }
    }
}
END_TEST

START_TEST(odd_sizes_go_through_the_bus)
{
    uint64_t value;

    lay_pattern(P - PAGE, 2 * PAGE);
    for (unsigned size = 1; size <= 8; size++) {
        ck_assert_int_eq(pgm_bus_read(pgm, P - 3, size, MEM_ORIGIN_CPU, &value), MEM_OK);
        ck_assert_uint_eq(value, pattern_value(P - 3, size));
        ck_assert_int_eq(pgm_bus_write(pgm, P - 3, size, ~value, MEM_ORIGIN_CPU), MEM_OK);
        ck_assert_int_eq(pgm_bus_read(pgm, P - 3, size, MEM_ORIGIN_CPU, &value), MEM_OK);
        ck_assert_uint_eq(value, ~pattern_value(P - 3, size) & (UINT64_MAX >> (64 - 8 * size)));
        lay_pattern(P - PAGE, 2 * PAGE);
    }
}
END_TEST

/* ---- nobody there */

static const struct {
    GPhys gpa;
    uint64_t read; /* what a u64 gives where low RAM holds 0x11 and high RAM 0x22 */
    unsigned n_missed;
    GPhys missed;
    uint64_t missed_len;
} gaps[] = {
    { HOLE, UINT64_MAX, 1, HOLE, 8 },
    { ABOVE + 3, UINT64_MAX, 1, ABOVE + 3, 8 },
    { LOW_LEN - 3, 0xffffffffff111111, 1, LOW_LEN, 5 },
    { HIGH - 5, 0x222222ffffffffff, 1, HIGH - 5, 5 },
    { HIGH + HIGH_LEN - 1, 0xffffffffffffff22, 1, HIGH + HIGH_LEN, 7 },
    { MEM_GPHYS_LIMIT, UINT64_MAX, 1, MEM_GPHYS_LIMIT, 8 },
    { UINT64_MAX - 7, UINT64_MAX, 1, UINT64_MAX - 7, 8 },
    { UINT64_MAX - 2, UINT64_MAX, 1, UINT64_MAX - 2, 3 }, /* does not go on at address 0 */
};

static void fill_ram(void)
{
    ck_assert_int_eq(pgm_fill(pgm, LOW, 0x11, LOW_LEN, MEM_ORIGIN_LOADER), MEM_OK);
    ck_assert_int_eq(pgm_fill(pgm, HIGH, 0x22, HIGH_LEN, MEM_ORIGIN_LOADER), MEM_OK);
}

START_TEST(missing_bytes_read_as_ones_and_are_told)
{
    fill_ram();
    ck_assert_uint_eq(pgm_read_u64_as(pgm, gaps[_i].gpa, MEM_ORIGIN_CPU), gaps[_i].read);
    ck_assert_uint_eq(missed.n, gaps[_i].n_missed);
    ck_assert_uint_eq(missed.gpa, gaps[_i].missed);
    ck_assert_uint_eq(missed.len, gaps[_i].missed_len);
    ck_assert_int_eq(missed.access, MEM_ACCESS_READ);
    ck_assert_int_eq(missed.origin, MEM_ORIGIN_CPU);
    ck_assert_uint_eq(stats().unassigned_reads, 1);
    ck_assert_uint_eq(stats().unassigned_writes, 0);
}
END_TEST

START_TEST(writes_to_nowhere_vanish_and_the_rest_lands)
{
    fill_ram();
    ck_assert_int_eq(pgm_write_u64_as(pgm, gaps[_i].gpa, 0, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_uint_eq(missed.n, gaps[_i].n_missed);
    ck_assert_uint_eq(missed.gpa, gaps[_i].missed);
    ck_assert_uint_eq(missed.len, gaps[_i].missed_len);
    ck_assert_int_eq(missed.access, MEM_ACCESS_WRITE);
    ck_assert_uint_eq(stats().unassigned_writes, 1);
    uint64_t now = pgm_read_u64(pgm, gaps[_i].gpa);

    /* What was RAM is zero now, the rest still reads as ones. */
    for (unsigned i = 0; i < 8; i++) {
        uint8_t was = (uint8_t)(gaps[_i].read >> (8 * i));

        ck_assert_uint_eq((uint8_t)(now >> (8 * i)), was == 0xff ? 0xff : 0);
    }
    ck_assert_uint_eq(pgm_read_u8(pgm, 0), 0x11);
}
END_TEST

START_TEST(a_huge_gap_is_one_step)
{
    uint8_t byte = 1;
    uint64_t len = (UINT64_C(1) << 51);

    ck_assert_int_eq(pgm_fill(pgm, ABOVE, 0, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(missed.n, 1);
    ck_assert_uint_eq(missed.len, len);
    ck_assert_int_eq(pgm_read(pgm, UINT64_MAX, &byte, 1, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(byte, 0xff);
}
END_TEST

START_TEST(addresses_end_and_do_not_start_again)
{
    uint8_t bytes[32];

    fill_ram();
    memset(bytes, 0x77, sizeof bytes);
    ck_assert_int_eq(pgm_write(pgm, UINT64_MAX - 3, bytes, 32, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_fill(pgm, UINT64_MAX - 3, 0x77, 32, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_poke(pgm, UINT64_MAX, bytes, 32), MEM_ERR_UNASSIGNED);
    ck_assert_int_eq(pgm_copy(pgm, UINT64_MAX - 3, HIGH, 32, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(pgm_read_u64(pgm, 0), 0x1111111111111111);
    ck_assert_int_eq(pgm_read(pgm, UINT64_MAX - 3, bytes, 32, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(bytes[0], 0xff);
    ck_assert_uint_eq(bytes[31], 0xff);
    memset(bytes, 0x77, sizeof bytes);
    ck_assert_int_eq(pgm_peek(pgm, UINT64_MAX, bytes, 32), MEM_ERR_UNASSIGNED);
    ck_assert_uint_eq(bytes[31], 0xff);
}
END_TEST

START_TEST(no_hook_no_harm)
{
    pgm_set_unassigned_hook(pgm, NULL, NULL);
    ck_assert_uint_eq(pgm_read_u32(pgm, ABOVE), UINT32_MAX);
    ck_assert_int_eq(pgm_write_u32(pgm, ABOVE, 1), MEM_OK);
    ck_assert_uint_eq(stats().unassigned_reads, 1);
}
END_TEST

/* ---- bulk */

static const struct {
    GPhys gpa;
    uint64_t len;
} spans[] = {
    { P, 0 },
    { P, 1 },
    { P + 5, 10 },
    { P - 3, 6 },
    { P, PAGE },
    { P - 1, PAGE + 2 },
    { P + 1, 64 * PAGE },
    { LOW_LEN - 100, HIGH - LOW_LEN + 200 }, /* RAM, gap, RAM */
    { HOLE, PAGE },
    { HIGH + HIGH_LEN - PAGE, 3 * PAGE },
};

START_TEST(bulk_reads_what_lies_there)
{
    uint64_t len = spans[_i].len;
    g_autofree uint8_t *got = g_malloc(len + 2);

    lay_pattern(LOW, LOW_LEN);
    lay_pattern(HIGH, HIGH_LEN);
    memset(got, 0x99, len + 2);
    uint64_t before = stats().bulk_read_bytes;

    ck_assert_int_eq(pgm_read(pgm, spans[_i].gpa, got + 1, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(stats().bulk_read_bytes - before, len);
    ck_assert_uint_eq(got[0], 0x99);
    ck_assert_uint_eq(got[len + 1], 0x99);
    for (uint64_t i = 0; i < len; i++) {
        GPhys gpa = spans[_i].gpa + i;
        bool ram = gpa < LOW_LEN || (gpa >= HIGH && gpa < HIGH + HIGH_LEN);

        if (got[i + 1] != (ram ? pattern(gpa) : 0xff)) {
            ck_abort_msg("byte 0x%lx", (unsigned long)gpa);
        }
    }
}
END_TEST

START_TEST(bulk_writes_land_and_nothing_else)
{
    GPhys from = spans[_i].gpa;
    uint64_t len = spans[_i].len;
    g_autofree uint8_t *bytes = g_malloc0(len + 1);
    g_autofree uint8_t *ram = g_malloc(HIGH + HIGH_LEN);

    lay_pattern(LOW, LOW_LEN);
    lay_pattern(HIGH, HIGH_LEN);
    memset(bytes, 0xc3, len);
    ck_assert_int_eq(pgm_write(pgm, from, bytes, len, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_read(pgm, 0, ram, HIGH + HIGH_LEN, MEM_ORIGIN_DEVICE), MEM_OK);
    for (GPhys gpa = 0; gpa < HIGH + HIGH_LEN; gpa++) {
        bool is_ram = gpa < LOW_LEN || gpa >= HIGH;
        bool written = gpa >= from && gpa - from < len;

        if (ram[gpa] != (!is_ram ? 0xff : written ? 0xc3 : pattern(gpa))) {
            ck_abort_msg("byte 0x%lx", (unsigned long)gpa);
        }
    }
}
END_TEST

START_TEST(zeros_over_zero_pages_allocate_nothing)
{
    g_autofree uint8_t *bytes = g_malloc0(4 * PAGE);

    ck_assert_int_eq(pgm_write(pgm, P + 5, bytes, 3 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_fill(pgm, HIGH, 0, HIGH_LEN, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, 0);
    bytes[2 * PAGE] = 1; /* in the third page alone */
    ck_assert_int_eq(pgm_write(pgm, P, bytes, 4 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, 1);
    ck_assert_int_eq(page_at(P + 2 * PAGE).state, PGM_PAGE_ALLOCATED);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 2 * PAGE), 1);
}
END_TEST

START_TEST(bulk_write_skips_ballooned_pages)
{
    g_autofree uint8_t *bytes = g_malloc(3 * PAGE);

    memset(bytes, 0x42, 3 * PAGE);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P + PAGE, true), MEM_OK);
    ck_assert_int_eq(pgm_write(pgm, P, bytes, 3 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE - 1), 0x42);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE), 0);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 2 * PAGE - 1), 0);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 2 * PAGE), 0x42);
}
END_TEST

static const struct {
    int64_t to, from; /* from P */
    uint64_t len;
} copies[] = {
    { 0, 0, 100 },
    { 3, 0, 5 * 4096 },
    { 0, 3, 5 * 4096 },
    { 4096, 0, 3 * 4096 + 7 },
    { 0, 4096, 3 * 4096 + 7 },
    { 5 * 4096, 0, 5 * 4096 },
    { 1, 0, 1 },
    { 0, 1, 0 },
};

START_TEST(copy_is_as_if_through_a_buffer)
{
    uint64_t all = 16 * PAGE;
    g_autofree uint8_t *want = g_malloc(all);
    g_autofree uint8_t *got = g_malloc(all);

    lay_pattern(P, all);
    ck_assert_int_eq(pgm_read(pgm, P, want, all, MEM_ORIGIN_DEVICE), MEM_OK);
    memmove(want + copies[_i].to, want + copies[_i].from, copies[_i].len);
    ck_assert_int_eq(pgm_copy(pgm, P + (uint64_t)copies[_i].to, P + (uint64_t)copies[_i].from,
                              copies[_i].len, MEM_ORIGIN_DEVICE),
                     MEM_OK);
    ck_assert_int_eq(pgm_read(pgm, P, got, all, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_mem_eq(got, want, all);
}
END_TEST

START_TEST(copy_stops_at_the_first_failure)
{
    GmmStats now;

    lay_pattern(P, 4 * PAGE);
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated);
    for (GPhys gpa = LOW; stats().handy_pages > 0; gpa += PAGE) {
        store(gpa, 1);
    }
    ck_assert_int_eq(pgm_copy(pgm, P + 3 * PAGE, P, 4 * PAGE, MEM_ORIGIN_DEVICE),
                     MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 3 * PAGE), pattern(P + 3 * PAGE));
}
END_TEST

/* ---- the debugger's look */

START_TEST(peek_tells_of_holes)
{
    uint8_t bytes[16];

    lay_pattern(HIGH, PAGE);
    ck_assert_int_eq(pgm_peek(pgm, HIGH - 8, bytes, 16), MEM_ERR_UNASSIGNED);
    ck_assert_uint_eq(bytes[7], 0xff);
    ck_assert_uint_eq(bytes[8], pattern(HIGH));
    ck_assert_int_eq(pgm_poke(pgm, HIGH - 8, bytes, 16), MEM_ERR_UNASSIGNED);
    ck_assert_uint_eq(missed.n, 0);
    ck_assert_int_eq(pgm_peek(pgm, HIGH, bytes, 16), MEM_OK);
}
END_TEST

/* ---- code */

static const struct {
    uint64_t offset;
    unsigned size; /* 0: bulk of 3 pages from the page before */
} code_writes[] = { { 0, 1 }, { 5, 4 }, { 4088, 8 }, { 0, 0 } };

START_TEST(outside_writes_to_code_are_told)
{
    store(P, 1);
    PageId id = fill(P, MEM_ACCESS_EXEC).id;
    unsigned size = code_writes[_i].size;

    for (unsigned round = 1; round <= 2; round++) {
        told_reset();
        if (size == 0) {
            ck_assert_int_eq(pgm_fill(pgm, P - PAGE, 3, 3 * PAGE, MEM_ORIGIN_DEVICE), MEM_OK);
        } else {
            ck_assert_int_eq(write_sized(P + code_writes[_i].offset, size, round), MEM_OK);
        }
        ck_assert_uint_eq(told.n_code, 1);
        ck_assert_uint_eq(told.code_id, id);
        ck_assert_uint_eq(told.code_offset, code_writes[_i].offset);
        ck_assert_uint_eq(told.code_len, size ? size : PAGE);
        (void)pgm_read_u32(pgm, P);
    }
    told_reset();
    pgm_forget_executed(pgm);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 9), MEM_OK);
    ck_assert_uint_eq(told.n_code, 0);
}
END_TEST

START_TEST(store_across_two_code_pages_is_told_for_both)
{
    store(P, 1);
    store(P + PAGE, 1);
    (void)fill(P, MEM_ACCESS_EXEC);
    (void)fill(P + PAGE, MEM_ACCESS_EXEC);
    told_reset();
    ck_assert_int_eq(pgm_write_u32(pgm, P + PAGE - 1, 0), MEM_OK);
    ck_assert_uint_eq(told.n_code, 2);
    ck_assert_uint_eq(told.code_offset, 0);
    ck_assert_uint_eq(told.code_len, 3);
}
END_TEST

/* ---- the page-map TLB */

/* A copy of the slot of @gpa. */
static PgmTlbSlot slot_of(GPhys gpa)
{
    return pgm->tlb.slots[(gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask];
}

static const struct {
    PgmPageState state;
    bool executed;
    uint64_t after_read, after_write; /* permissions cached */
} cached[] = {
    { PGM_PAGE_ZERO, false, MEM_ACCESS_READ, MEM_ACCESS_READ | MEM_ACCESS_WRITE },
    { PGM_PAGE_ALLOCATED, false, MEM_ACCESS_READ | MEM_ACCESS_WRITE,
      MEM_ACCESS_READ | MEM_ACCESS_WRITE },
    { PGM_PAGE_WRITE_MONITORED, false, MEM_ACCESS_READ, MEM_ACCESS_READ | MEM_ACCESS_WRITE },
    { PGM_PAGE_SHARED, false, MEM_ACCESS_READ, MEM_ACCESS_READ | MEM_ACCESS_WRITE },
    { PGM_PAGE_BALLOONED, false, MEM_ACCESS_READ, MEM_ACCESS_READ },
    { PGM_PAGE_ALLOCATED, true, MEM_ACCESS_READ, MEM_ACCESS_READ },
};

START_TEST(tlb_holds_write_only_where_a_plain_store_is_right)
{
    if (cached[_i].state == PGM_PAGE_BALLOONED) {
        ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK);
    } else if (cached[_i].state != PGM_PAGE_ZERO) {
        store(P, 1);
    }
    if (cached[_i].state == PGM_PAGE_WRITE_MONITORED) {
        ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    } else if (cached[_i].state == PGM_PAGE_SHARED) {
        ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    }
    if (cached[_i].executed) {
        ck_assert_uint_eq(slot_of(P).tag, pgm_tlb_tag(P, MEM_ACCESS_READ | MEM_ACCESS_WRITE));
        (void)fill(P, MEM_ACCESS_EXEC);
        ck_assert_uint_eq(slot_of(P).tag, 0);
    }
    (void)pgm_read_u32(pgm, P);
    ck_assert_uint_eq(slot_of(P).tag, pgm_tlb_tag(P, cached[_i].after_read));
    (void)pgm_write_u32(pgm, P, 2);
    ck_assert_uint_eq(slot_of(P).tag, pgm_tlb_tag(P, cached[_i].after_write));
}
END_TEST

START_TEST(tlb_hit_is_no_event)
{
    store(P, 1);
    PgmStats before = stats();

    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(pgm_write_u32(pgm, P + 4 * i, i), MEM_OK);
        ck_assert_uint_eq(pgm_read_u32(pgm, P + 4 * i), i);
    }
    PgmStats after = stats();

    ck_assert_mem_eq(&before, &after, sizeof before);
}
END_TEST

START_TEST(pages_that_share_a_slot_do_not_mix)
{
    GPhys other = P + (pgm->tlb.mask + 1) * PAGE;

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 2 * HIGH_LEN + HIGH, "more", NULL), MEM_OK);
    other = ABOVE + ((P - ABOVE) & (pgm->tlb.mask << MEM_PAGE_SHIFT));
    store(P, 1);
    store(other, 2);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
        ck_assert_uint_eq(pgm_read_u32(pgm, other), 2);
    }
    /* Dropping the one that is not there leaves the other. */
    uint64_t tag = slot_of(other).tag;

    ck_assert_uint_eq(tag & MEM_PAGE_MASK, other);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_uint_eq(slot_of(other).tag, tag);
}
END_TEST

START_TEST(the_smallest_tlb_is_right_too)
{
    PgmConfig config = { .tlb_slots = 1 };

    pgm_teardown();
    pgm_setup_with(&config);
    lay_pattern(P - PAGE, 4 * PAGE);
    for (GPhys gpa = P - PAGE; gpa < P + 2 * PAGE; gpa++) {
        if (pgm_read_u64(pgm, gpa) != pattern_value(gpa, 8)) {
            ck_abort_msg("at 0x%lx", (unsigned long)gpa);
        }
    }
}
END_TEST

/* Two pages that share a slot of the small table. */
static void miss_often(GPhys a, GPhys b)
{
    for (unsigned i = 0; i <= PGM_TLB_GROW_MISSES / 2; i++) {
        if (pgm_read_u32(pgm, a) != 1 || pgm_read_u32(pgm, b) != 2) {
            ck_abort_msg("round %u", i);
        }
    }
}

START_TEST(the_tlb_grows_while_it_does_not_suffice)
{
    GPhys other = ABOVE + ((P - ABOVE) & (pgm->tlb.mask << MEM_PAGE_SHIFT));

    ck_assert_int_eq(pgm_ram_register(pgm, ABOVE, 2 * HIGH_LEN + HIGH, "more", NULL), MEM_OK);
    store(P, 1);
    store(other, 2);
    for (unsigned pass = 0; pass < 2; pass++) {
        ck_assert_uint_eq(pgm->tlb.mask, PGM_TLB_SLOTS_DEFAULT - 1);
        miss_often(P, other);
        ck_assert_uint_eq(pgm->tlb.mask, PGM_TLB_SLOTS_LARGE - 1);
        (void)pgm_read_u32(pgm, P);
        (void)pgm_read_u32(pgm, other);
        ck_assert_uint_ne(slot_of(P).tag, 0);
        ck_assert_uint_ne(slot_of(other).tag, 0);
        ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);

        /* Changes of pages and of the map find entries in the large table too. */
        ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
        ck_assert_uint_eq(slot_of(P).tag & pgm_tlb_tag(0, MEM_ACCESS_WRITE), 0);
        store(P, 1);
        pgm_tlb_flush(pgm);
    }
}
END_TEST

START_TEST(a_tlb_of_a_chosen_size_keeps_it)
{
    PgmConfig config = { .tlb_slots = 2 };

    pgm_teardown();
    pgm_setup_with(&config);
    store(P, 1);
    store(P + 2 * PAGE, 2);
    miss_often(P, P + 2 * PAGE);
    ck_assert_uint_eq(pgm->tlb.mask, 1);
}
END_TEST

START_TEST(statistics_start_again_but_page_counts_stay)
{
    store(P, 1);
    ck_assert_uint_eq(stats().replaced_zero, 1);
    pgm_reset_stats(pgm);
    ck_assert_uint_eq(stats().replaced_zero, 0);
    ck_assert_uint_eq(stats().tlb_fills, 0);
    ck_assert_uint_eq(stats().pages.private_pages, 1);
    ck_assert_uint_eq(stats().handy_pages, MM_HANDY_PAGES - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tcase = tcase_create("access");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_test(tcase, typed_reads_are_little_endian_at_any_offset);
    tcase_add_loop_test(tcase, typed_writes_touch_their_bytes_only, 0, 4);
    tcase_add_test(tcase, odd_sizes_go_through_the_bus);
    tcase_add_loop_test(tcase, missing_bytes_read_as_ones_and_are_told, 0, G_N_ELEMENTS(gaps));
    tcase_add_loop_test(tcase, writes_to_nowhere_vanish_and_the_rest_lands, 0, G_N_ELEMENTS(gaps));
    tcase_add_test(tcase, a_huge_gap_is_one_step);
    tcase_add_test(tcase, addresses_end_and_do_not_start_again);
    tcase_add_test(tcase, no_hook_no_harm);
    tcase_add_loop_test(tcase, bulk_reads_what_lies_there, 0, G_N_ELEMENTS(spans));
    tcase_add_loop_test(tcase, bulk_writes_land_and_nothing_else, 0, G_N_ELEMENTS(spans));
    tcase_add_test(tcase, zeros_over_zero_pages_allocate_nothing);
    tcase_add_test(tcase, bulk_write_skips_ballooned_pages);
    tcase_add_loop_test(tcase, copy_is_as_if_through_a_buffer, 0, G_N_ELEMENTS(copies));
    tcase_add_test(tcase, copy_stops_at_the_first_failure);
    tcase_add_test(tcase, peek_tells_of_holes);
    tcase_add_loop_test(tcase, outside_writes_to_code_are_told, 0, G_N_ELEMENTS(code_writes));
    tcase_add_test(tcase, store_across_two_code_pages_is_told_for_both);
    tcase_add_loop_test(tcase, tlb_holds_write_only_where_a_plain_store_is_right, 0,
                        G_N_ELEMENTS(cached));
    tcase_add_test(tcase, tlb_hit_is_no_event);
    tcase_add_test(tcase, pages_that_share_a_slot_do_not_mix);
    tcase_add_test(tcase, the_smallest_tlb_is_right_too);
    tcase_add_test(tcase, the_tlb_grows_while_it_does_not_suffice);
    tcase_add_test(tcase, a_tlb_of_a_chosen_size_keeps_it);
    tcase_add_test(tcase, statistics_start_again_but_page_counts_stay);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
