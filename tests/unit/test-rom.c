/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ROM and shadow RAM: what reads see and where writes go under each protection, for typed, bulk and
 * CPU access.
 */
#include "tests/unit/pgm-fixture.h"

#define ROM UINT64_C(0xc0000)
#define ROM_LEN UINT64_C(0x40000)
#define P (ROM + 3 * PAGE)
#define FROM_ROM 0x52525252u
#define FROM_RAM 0x4d4d4d4du
#define FRESH 0x11223344u

static uint8_t image[0x30000];

static void setup(void)
{
    pgm_setup();
    memset(image, 0x52, sizeof image);
    ck_assert_int_eq(pgm_rom_register(pgm, ROM, ROM_LEN, image, sizeof image, 0xff,
                                      PGM_ROM_FLAG_SHADOWED, "board", "bios", NULL),
                     MEM_OK);
    told_reset();
}

static void protect(GPhys gpa, uint64_t len, PgmRomProt prot)
{
    ck_assert_int_eq(pgm_rom_protect(pgm, gpa, len, prot), MEM_OK);
}

/* Puts FROM_RAM into the shadow of the page and shows ROM again. */
static void fill_shadow(GPhys gpa)
{
    protect(gpa, PAGE, PGM_ROM_READ_ROM_WRITE_RAM);
    store(gpa, FROM_RAM);
    protect(gpa, PAGE, PGM_ROM_READ_ROM_WRITE_IGNORE);
}

static const struct {
    PgmRomProt prot;
    bool reads_ram, writes_ram;
} prots[] = {
    { PGM_ROM_READ_ROM_WRITE_IGNORE, false, false },
    { PGM_ROM_READ_ROM_WRITE_RAM, false, true },
    { PGM_ROM_READ_RAM_WRITE_IGNORE, true, false },
    { PGM_ROM_READ_RAM_WRITE_RAM, true, true },
};

static uint32_t shadow_value(GPhys gpa)
{
    PgmRomProt old;

    ck_assert(pgm_rom_get_protection(pgm, gpa & MEM_PAGE_MASK, &old));
    protect(gpa & MEM_PAGE_MASK, PAGE, PGM_ROM_READ_RAM_WRITE_IGNORE);
    uint32_t value = pgm_read_u32(pgm, gpa);

    protect(gpa & MEM_PAGE_MASK, PAGE, old);
    return value;
}

static uint32_t rom_value(GPhys gpa)
{
    PgmRomProt old;

    ck_assert(pgm_rom_get_protection(pgm, gpa & MEM_PAGE_MASK, &old));
    protect(gpa & MEM_PAGE_MASK, PAGE, PGM_ROM_READ_ROM_WRITE_IGNORE);
    uint32_t value = pgm_read_u32(pgm, gpa);

    protect(gpa & MEM_PAGE_MASK, PAGE, old);
    return value;
}

typedef enum Way { TYPED, BULK, BUS, N_WAYS } Way;

START_TEST(protection_directs_reads_and_writes)
{
    unsigned prot = (unsigned)_i % 4;
    Way way = (Way)((unsigned)_i / 4);
    uint32_t fresh = FRESH;

    fill_shadow(P);
    protect(P, PAGE, prots[prot].prot);
    uint32_t want = prots[prot].reads_ram ? FROM_RAM : FROM_ROM;

    ck_assert_uint_eq(pgm_read_u32(pgm, P), want);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), want);
    ck_assert_int_eq(page_at(P).type, prots[prot].reads_ram ? PGM_PAGE_ROM_SHADOW : PGM_PAGE_ROM);
    for (unsigned round = 0; round < 2; round++) {
        if (way == TYPED) {
            store(P, FRESH);
        } else if (way == BULK) {
            ck_assert_int_eq(pgm_write(pgm, P, &fresh, 4, MEM_ORIGIN_DEVICE), MEM_OK);
        } else {
            ck_assert_int_eq(pgm_bus_write(pgm, P, 4, FRESH, MEM_ORIGIN_CPU), MEM_OK);
        }
    }
    ck_assert_uint_eq(rom_value(P), FROM_ROM);
    ck_assert_uint_eq(shadow_value(P), prots[prot].writes_ram ? FRESH : FROM_RAM);
    ck_assert_uint_eq(stats().rom_writes_ignored, prots[prot].writes_ram ? 0 : 2);
    /* Neighbours keep out of it. */
    ck_assert_uint_eq(pgm_read_u32(pgm, P + PAGE), FROM_ROM);
    ck_assert_uint_eq(pgm_read_u32(pgm, P - 4), FROM_ROM);
}
END_TEST

START_TEST(cpu_is_answered_by_protection)
{
    fill_shadow(P);
    protect(P, PAGE, prots[_i].prot);
    PageId id = page_at(P).id;
    PgmFill read = fill(P, MEM_ACCESS_READ);
    bool plain = prots[_i].reads_ram && prots[_i].writes_ram;

    ck_assert_int_eq(read.kind, PGM_FILL_DIRECT);
    ck_assert_uint_eq(read.id, id);
    ck_assert_uint_eq(read.perms, MEM_ACCESS_READ | (plain ? MEM_ACCESS_WRITE : 0u));
    PgmFill exec = fill(P, MEM_ACCESS_EXEC);

    ck_assert_uint_eq(exec.id, id);
    ck_assert_uint_eq(exec.perms, read.perms | MEM_ACCESS_EXEC);
    PgmFill write = fill(P, MEM_ACCESS_WRITE);

    if (plain) {
        ck_assert_int_eq(write.kind, PGM_FILL_DIRECT);
        ck_assert_uint_eq(write.id, id);
    } else {
        ck_assert_int_eq(write.kind, PGM_FILL_CATCH);
        ck_assert_uint_eq(write.perms, MEM_ACCESS_WRITE);
        ck_assert(!write.watched);
    }
}
END_TEST

START_TEST(cpu_is_told_of_every_change_of_protection)
{
    PgmRomProt from = (PgmRomProt)((unsigned)_i % 4), to = (PgmRomProt)((unsigned)_i / 4);

    fill_shadow(P);
    protect(P, PAGE, from);
    (void)fill(P, MEM_ACCESS_EXEC);
    told_reset();
    protect(P, PAGE, to);
    ck_assert_uint_eq(told.n_pages, from != to);
    ck_assert_uint_eq(told.n_all, 0);
    ck_assert_int_eq(told.executed, prots[from].reads_ram != prots[to].reads_ram);
    ck_assert_uint_eq(told.n_code, 0); /* both pages keep their bytes and translations */
}
END_TEST

/* Reads ROM, writes RAM, then reads RAM: the firmware's way. */
START_TEST(firmware_copies_itself_to_shadow)
{
    protect(ROM, ROM_LEN, PGM_ROM_READ_ROM_WRITE_RAM);
    ck_assert_uint_eq(told.n_pages + told.n_all, 0);
    for (GPhys gpa = ROM; gpa < ROM + ROM_LEN; gpa += 4) {
        ck_assert_int_eq(pgm_write_u32(pgm, gpa, pgm_read_u32(pgm, gpa)), MEM_OK);
    }
    ck_assert_uint_eq(stats().rom_writes_shadow, ROM_LEN / 4);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM), FROM_ROM);
    protect(ROM, ROM_LEN, PGM_ROM_READ_RAM_WRITE_RAM);
    store(ROM + 8, 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM), FROM_ROM);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM + 8), 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM + ROM_LEN - 4), UINT32_MAX); /* past the image */
    protect(ROM, ROM_LEN, PGM_ROM_READ_RAM_WRITE_IGNORE);
    store(ROM + 8, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM + 8), 1);
    protect(ROM, ROM_LEN, PGM_ROM_READ_ROM_WRITE_IGNORE);
    ck_assert_uint_eq(pgm_read_u32(pgm, ROM + 8), FROM_ROM);
    ck_assert_uint_eq(stats().pages.private_pages, ROM_LEN / PAGE);
    ck_assert_uint_eq(stats().pages.shared, ROM_LEN / PAGE);
}
END_TEST

/* ---- requests */

static const struct {
    GPhys start;
    uint64_t len;
    MemStatus status;
    unsigned n_switched; /* the ROM has 64 pages, the second 4 */
} requests[] = {
    { ROM, ROM_LEN, MEM_OK, 64 },
    { ROM, PAGE, MEM_OK, 1 },
    { ROM + ROM_LEN - PAGE, PAGE, MEM_OK, 1 },
    { ROM - PAGE, 2 * PAGE, MEM_OK, 1 },           /* begins below */
    { ROM + ROM_LEN - PAGE, 8 * PAGE, MEM_OK, 1 }, /* ends in RAM */
    { LOW, PAGE, MEM_OK, 0 },
    { ABOVE - PAGE, 2 * PAGE, MEM_OK, 1 },
    { ROM, ABOVE, MEM_OK, 68 }, /* across RAM and a gap to the next ROM */
    { 0, UINT64_MAX &MEM_PAGE_MASK, MEM_OK, 68 },
    { UINT64_MAX & MEM_PAGE_MASK, 4 * PAGE, MEM_OK, 0 }, /* would wrap: stops at the end */
    { ROM, 0, MEM_OK, 0 },
    { ROM + 1, PAGE, MEM_ERR_UNALIGNED, 0 },
    { ROM, PAGE + 1, MEM_ERR_UNALIGNED, 0 },
};

START_TEST(request_touches_shadowed_rom_inside_only)
{
    ck_assert_int_eq(pgm_rom_register(pgm, ABOVE, 4 * PAGE, NULL, 0, 0, PGM_ROM_FLAG_SHADOWED, "o",
                                      "second", NULL),
                     MEM_OK);
    ck_assert_int_eq(
        pgm_rom_register(pgm, ABOVE + 4 * PAGE, PAGE, NULL, 0, 0, 0, "o", "plain", NULL), MEM_OK);
    PgmRomProt prot;

    ck_assert_int_eq(
        pgm_rom_protect(pgm, requests[_i].start, requests[_i].len, PGM_ROM_READ_RAM_WRITE_RAM),
        requests[_i].status);
    ck_assert_uint_eq(stats().rom_switched_pages, requests[_i].n_switched);
    ck_assert_uint_eq(stats().rom_protect_calls, 1);
    ck_assert(pgm_rom_get_protection(pgm, ABOVE + 4 * PAGE, &prot));
    ck_assert_int_eq(prot, PGM_ROM_READ_ROM_WRITE_IGNORE);
    unsigned n = 0;

    for (GPhys gpa = ROM - PAGE; gpa < ROM + ROM_LEN + PAGE; gpa += PAGE) {
        if (pgm_rom_get_protection(pgm, gpa, &prot)) {
            bool inside = requests[_i].status == MEM_OK && gpa >= requests[_i].start &&
                          gpa - requests[_i].start < requests[_i].len;

            ck_assert_int_eq(prot == PGM_ROM_READ_RAM_WRITE_RAM, inside);
            n++;
        }
    }
    ck_assert_uint_eq(n, 64);
    /* The same again changes nothing. */
    (void)pgm_rom_protect(pgm, requests[_i].start, requests[_i].len, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_uint_eq(stats().rom_switched_pages, requests[_i].n_switched);
}
END_TEST

START_TEST(bad_protection_is_refused)
{
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_N_ROM_PROTS), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, (PgmRomProt)-1), MEM_ERR_INVALID_PARAMETER);
    ck_assert_uint_eq(stats().rom_switched_pages, 0);
    PgmRomProt prot;

    ck_assert(!pgm_rom_get_protection(pgm, LOW, &prot));
    ck_assert(!pgm_rom_get_protection(pgm, ROM + ROM_LEN + ABOVE, &prot));
}
END_TEST

START_TEST(few_pages_are_told_one_by_one_many_at_once)
{
    for (GPhys gpa = ROM; gpa < ROM + ROM_LEN; gpa += PAGE) {
        (void)fill(gpa, MEM_ACCESS_READ);
    }
    told_reset();
    protect(ROM, 4 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_uint_eq(told.n_pages, 4);
    ck_assert_uint_eq(told.n_all, 0);
    told_reset();
    protect(ROM, ROM_LEN, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_uint_eq(told.n_pages, 0);
    ck_assert_uint_eq(told.n_all, 1);
    told_reset();
    protect(ROM, ROM_LEN, PGM_ROM_READ_ROM_WRITE_IGNORE); /* nobody asked since */
    ck_assert_uint_eq(told.n_all, 0);
}
END_TEST

/* ---- reset, end */

START_TEST(reset_shows_the_image_and_drops_the_shadow)
{
    fill_shadow(P);
    protect(ROM, ROM_LEN, PGM_ROM_READ_RAM_WRITE_RAM);
    uint8_t patch = 0x90;

    protect(P + PAGE, PAGE, PGM_ROM_READ_ROM_WRITE_IGNORE);
    ck_assert_int_eq(pgm_poke(pgm, P + PAGE, &patch, 1), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + PAGE), patch);
    pgm_reset(pgm);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), FROM_ROM);
    ck_assert_uint_eq(pgm_read_u32(pgm, P + PAGE), FROM_ROM);
    ck_assert_uint_eq(shadow_value(P), 0);
    ck_assert_uint_eq(stats().pages.private_pages, 1); /* the patched one */
    PgmRomProt prot;

    ck_assert(pgm_rom_get_protection(pgm, P, &prot));
    ck_assert_int_eq(prot, PGM_ROM_READ_ROM_WRITE_IGNORE);
}
END_TEST

START_TEST(poke_writes_what_is_visible)
{
    uint32_t value = FRESH;

    fill_shadow(P);
    ck_assert_int_eq(pgm_poke(pgm, P, &value, 4), MEM_OK);
    ck_assert_uint_eq(rom_value(P), FRESH);
    ck_assert_uint_eq(shadow_value(P), FROM_RAM);
    protect(P, PAGE, PGM_ROM_READ_RAM_WRITE_IGNORE);
    value = ~FRESH;
    ck_assert_int_eq(pgm_poke(pgm, P, &value, 4), MEM_OK);
    ck_assert_uint_eq(rom_value(P), FRESH);
    ck_assert_uint_eq(shadow_value(P), ~FRESH);
}
END_TEST

START_TEST(writes_to_shown_code_are_told)
{
    fill_shadow(P);
    protect(P, PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    PageId id = fill(P, MEM_ACCESS_EXEC).id;

    told_reset();
    store(P + 4, 1);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    /* Hidden code of the shadow page still changes by writes that pass ROM. */
    protect(P, PAGE, PGM_ROM_READ_ROM_WRITE_RAM);
    told_reset();
    store(P + 4, 2);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
}
END_TEST

START_TEST(deregistered_rom_leaves_ram_as_it_was)
{
    store(HIGH + PAGE, 77);
    ck_assert_int_eq(pgm_rom_register(pgm, HIGH, 4 * PAGE, image, PAGE, 0, PGM_ROM_FLAG_SHADOWED,
                                      "o", "over", NULL),
                     MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH), FROM_ROM);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + PAGE), 0);
    PageId id = fill(HIGH, MEM_ACCESS_EXEC).id;

    told_reset();
    ck_assert_int_eq(pgm_rom_deregister(pgm, HIGH + PAGE), MEM_ERR_NOT_FOUND);
    ck_assert_int_eq(pgm_rom_deregister(pgm, HIGH + HIGH_LEN), MEM_ERR_NOT_FOUND);
    ck_assert_int_eq(pgm_rom_deregister(pgm, LOW), MEM_ERR_NOT_FOUND);
    ck_assert_int_eq(pgm_rom_deregister(pgm, HIGH), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH + PAGE), 77);
    ck_assert_uint_eq(told.n_all, 1);
    ck_assert(told.executed);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert(!pgm_page_executed(pgm, id));
}
END_TEST

START_TEST(out_of_pages_while_shadowing_is_resumable)
{
    GmmStats now;

    protect(ROM, ROM_LEN, PGM_ROM_READ_ROM_WRITE_RAM);
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), FROM_ROM);
    protect(P, PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_int_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_NO_MEMORY);
    gmm_set_limit(gmm, PLENTY);
    store(P, FRESH);
    ck_assert_uint_eq(shadow_value(P), FRESH);
}
END_TEST

START_TEST(rom_that_cannot_be_had_changes_nothing)
{
    static const struct {
        uint64_t len, image_len, spare_pages;
        FakeOsCall fault;
        unsigned nth;
        MemStatus status;
    } cases[] = {
        { 4 * PAGE, 5 * PAGE, 100, 0, 0, MEM_ERR_OUT_OF_RANGE },
        { UINT64_C(1) << 40, 0, 100, 0, 0, MEM_ERR_OUT_OF_RANGE },
        { 300 * PAGE, sizeof image, 20, 0, 0, MEM_ERR_NO_MEMORY }, /* after pages of the image */
        { 4 * PAGE, PAGE, 100, FAKE_TRY_ALLOC0, 1, MEM_ERR_HOST_MEMORY },
        { 4 * PAGE, PAGE, 100, FAKE_TRY_ALLOC0, 3, MEM_ERR_HOST_MEMORY },
        { 4 * PAGE, PAGE, 100, FAKE_TRY_ALLOC0, 4, MEM_ERR_HOST_MEMORY },
        { 4 * PAGE, PAGE, 100, FAKE_TRY_ALLOC0, 5, MEM_ERR_HOST_MEMORY },
    };
    g_autoptr(GError) error = NULL;
    PgmStats before = stats(), after;
    GmmReservation reserved, again;
    GmmStats now;

    /* No two pages alike, or they would be shared. */
    for (unsigned i = 0; i < sizeof image / PAGE; i++) {
        image[i * PAGE] = (uint8_t)(i + 1);
    }
    mm_get_reserved(pgm, &reserved);
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated + cases[_i].spare_pages);
    if (cases[_i].nth != 0) {
        fake_os_fail(cases[_i].fault, cases[_i].nth, UINT_MAX);
    }
    ck_assert_int_eq(pgm_rom_register(pgm, ABOVE, cases[_i].len, image, cases[_i].image_len, 0,
                                      PGM_ROM_FLAG_SHADOWED, "o", "new", &error),
                     cases[_i].status);
    ck_assert_int_eq(error->code, cases[_i].status);
    after = stats();
    mm_get_reserved(pgm, &again);
    ck_assert_mem_eq(&before.pages, &after.pages, sizeof before.pages);
    ck_assert_mem_eq(&reserved, &again, sizeof reserved);
    ck_assert_uint_eq(pgm_range_count(pgm), 3);
}
END_TEST

START_TEST(plain_rom_ignores_writes)
{
    uint32_t value = 7;

    ck_assert_int_eq(pgm_rom_register(pgm, ABOVE, PAGE, image, 4, 0xee, 0, "o", "plain", NULL),
                     MEM_OK);
    store(ABOVE, 1);
    ck_assert_int_eq(pgm_write(pgm, ABOVE, &value, 4, MEM_ORIGIN_LOADER), MEM_OK);
    ck_assert_uint_eq(pgm_read_u64(pgm, ABOVE), 0xeeeeeeee52525252);
    ck_assert_uint_eq(stats().rom_writes_ignored, 2);
    PgmFill f = fill(ABOVE, MEM_ACCESS_WRITE);

    ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rom");
    TCase *tcase = tcase_create("rom");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_loop_test(tcase, protection_directs_reads_and_writes, 0, 4 * N_WAYS);
    tcase_add_loop_test(tcase, cpu_is_answered_by_protection, 0, 4);
    tcase_add_loop_test(tcase, cpu_is_told_of_every_change_of_protection, 0, 16);
    tcase_add_test(tcase, firmware_copies_itself_to_shadow);
    tcase_add_loop_test(tcase, request_touches_shadowed_rom_inside_only, 0, G_N_ELEMENTS(requests));
    tcase_add_test(tcase, bad_protection_is_refused);
    tcase_add_test(tcase, few_pages_are_told_one_by_one_many_at_once);
    tcase_add_test(tcase, reset_shows_the_image_and_drops_the_shadow);
    tcase_add_test(tcase, poke_writes_what_is_visible);
    tcase_add_test(tcase, writes_to_shown_code_are_told);
    tcase_add_test(tcase, deregistered_rom_leaves_ram_as_it_was);
    tcase_add_test(tcase, out_of_pages_while_shadowing_is_resumable);
    tcase_add_loop_test(tcase, rom_that_cannot_be_had_changes_nothing, 0, 7);
    tcase_add_test(tcase, plain_rom_ignores_writes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
