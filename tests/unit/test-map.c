/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings of guest pages: what is refused, how locks are counted, and that nothing takes a locked
 * page away.
 */
#include "memsys/balloon.h"
#include "memsys/map.h"
#include "tests/unit/page-events.h"
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)
#define Q (HIGH + 6 * PAGE)
#define ROM HOLE

static const PgmMmioOps ops = { .max_size = 4 };
static PgmMapping m;

static PgmHandlerResult pass_on(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static void setup(void)
{
    pgm_setup();
    memset(&m, 0, sizeof m);
}

static void teardown(void)
{
    if (m.host) {
        pgm_unmap_page(pgm, &m);
    }
    pgm_teardown();
}

static PgmPage record_at(GPhys gpa)
{
    PgmPlace place;

    ck_assert(pgm_place_lookup(pgm, gpa, &place));
    return *pgm_range_page(place.range, place.index);
}

static void check_locks(uint64_t n_read, uint64_t n_write)
{
    ck_assert_uint_eq(stats().pages.read_locked, n_read);
    ck_assert_uint_eq(stats().pages.write_locked, n_write);
    check_sound();
}

/* ---- what a mapping shows */

START_TEST(written_through_a_mapping_is_guest_memory)
{
    ck_assert_int_eq(pgm_map_page(pgm, P + 5, &m), MEM_OK);
    check_locks(0, 1);
    m.host[8] = 0x5a;
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 8), 0x5a);
    store(P + 12, 0x01020304);
    ck_assert_uint_eq(m.host[12], 4);
    pgm_unmap_page(pgm, &m);
    ck_assert_ptr_null(m.host);
    check_locks(0, 0);
}
END_TEST

START_TEST(reading_of_a_zero_page_shows_the_zero_page_and_misses_the_first_write)
{
    uint64_t n_private = stats().pages.private_pages;

    ck_assert_int_eq(pgm_map_page_ro(pgm, P, &m), MEM_OK);
    ck_assert_uint_eq(stats().pages.private_pages, n_private);
    ck_assert_ptr_eq(m.host, pgm_host(pgm, MEM_ZERO_PAGE_ID));
    store(P, 7);
    ck_assert_uint_eq(m.host[0], 0);
    check_locks(1, 0);
    pgm_unmap_page(pgm, &m);
    check_locks(0, 0);
}
END_TEST

START_TEST(mapping_of_a_shared_page_gets_its_own)
{
    store(P, 0x77);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(_i == 0 ? pgm_map_page_ro(pgm, P, &m) : pgm_map_page(pgm, P, &m), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    store(P + 4, 0x88);
    ck_assert_uint_eq(m.host[0], 0x77);
    ck_assert_uint_eq(m.host[4], 0x88);
}
END_TEST

START_TEST(monitored_page_is_unmonitored_by_a_writer_only)
{
    store(P, 1);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(pgm_map_page_ro(pgm, P, &m), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_WRITE_MONITORED);
    pgm_unmap_page(pgm, &m);
    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    /* Nobody could see the stores: it stays so. */
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    check_locks(0, 1);
}
END_TEST

START_TEST(code_written_through_a_mapping_is_told_at_unlock)
{
    store(P, 0x90);
    PageId id = fill(P, MEM_ACCESS_EXEC).id;

    ck_assert_int_eq(pgm_map_page_ro(pgm, P, &m), MEM_OK);
    told_reset();
    pgm_unmap_page(pgm, &m);
    ck_assert_uint_eq(told.n_code, 0);
    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    told_reset();
    m.host[3] = 0xcc;
    pgm_unmap_page(pgm, &m);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    ck_assert_uint_eq(told.code_offset, 0);
    ck_assert_uint_eq(told.code_len, PAGE);
}
END_TEST

/* ---- ROM and MMIO2 */

START_TEST(rom_is_mapped_as_its_protection_says)
{
    static const struct {
        PgmRomProt prot;
        MemStatus write;
        uint8_t seen; /* by the reader, while the shadow holds 0x11 and the image 0x90 */
    } cases[] = {
        { PGM_ROM_READ_ROM_WRITE_IGNORE, MEM_ERR_RESERVED, 0x90 },
        { PGM_ROM_READ_ROM_WRITE_RAM, MEM_OK, 0x90 },
        { PGM_ROM_READ_RAM_WRITE_IGNORE, MEM_ERR_RESERVED, 0x11 },
        { PGM_ROM_READ_RAM_WRITE_RAM, MEM_OK, 0x11 },
    };

    ck_assert_int_eq(pgm_rom_register(pgm, ROM, 2 * PAGE, NULL, 0, 0x90, PGM_ROM_FLAG_SHADOWED,
                                      "board", "bios", NULL),
                     MEM_OK);
    (void)pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_ROM_WRITE_RAM);
    ck_assert_int_eq(pgm_write_u8(pgm, ROM, 0x11), MEM_OK);
    (void)pgm_rom_protect(pgm, ROM, PAGE, cases[_i].prot);
    ck_assert_int_eq(pgm_map_page_ro(pgm, ROM, &m), MEM_OK);
    ck_assert_uint_eq(m.host[0], cases[_i].seen);
    pgm_unmap_page(pgm, &m);
    ck_assert_int_eq(pgm_map_page(pgm, ROM, &m), cases[_i].write);
    if (m.host) {
        ck_assert_uint_eq(m.host[0], 0x11);
        m.host[1] = 0x22;
        /* Also if the protection changes meanwhile. */
        (void)pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_IGNORE);
        ck_assert_uint_eq(pgm_read_u8(pgm, ROM + 1), 0x22);
        check_locks(0, 1);
        pgm_unmap_page(pgm, &m);
    }
    check_locks(0, 0);
}
END_TEST

START_TEST(locked_shadow_is_cleared_in_place_by_reset)
{
    ck_assert_int_eq(
        pgm_rom_register(pgm, ROM, PAGE, NULL, 0, 0x90, PGM_ROM_FLAG_SHADOWED, "b", "bios", NULL),
        MEM_OK);
    (void)pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_int_eq(pgm_map_page(pgm, ROM, &m), MEM_OK);
    m.host[0] = 0x11;
    pgm_reset(pgm);
    ck_assert_uint_eq(m.host[0], 0);
    (void)pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    m.host[0] = 0x12;
    ck_assert_uint_eq(pgm_read_u8(pgm, ROM), 0x12);
    check_locks(0, 1);
}
END_TEST

START_TEST(mmio2_counts_as_written_from_the_mapping_on)
{
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, 4 * PAGE, true, "vram", NULL);
    uint64_t dirty = 0;

    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_int_eq(pgm_map_page_ro(pgm, ABOVE + PAGE, &m), MEM_OK);
    pgm_unmap_page(pgm, &m);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 1), MEM_OK);
    ck_assert_uint_eq(dirty, 0);
    ck_assert_int_eq(pgm_map_page(pgm, ABOVE + PAGE, &m), MEM_OK);
    ck_assert_ptr_eq(m.host, pgm_mmio2_host(vram) + PAGE);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 1), MEM_OK);
        ck_assert_uint_eq(dirty, 2);
        check_locks(0, 1);
    }
    /* Tracking that begins while it is mapped counts it too. */
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, false), MEM_OK);
    (void)pgm_mmio2_query_dirty(vram, NULL, 1);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    check_locks(0, 1);
    pgm_unmap_page(pgm, &m);
    (void)pgm_mmio2_query_dirty(vram, &dirty, 1);
    ck_assert_uint_eq(dirty, 2);
    (void)pgm_mmio2_query_dirty(vram, &dirty, 1);
    ck_assert_uint_eq(dirty, 0);
    pgm_mmio2_free(vram);
}
END_TEST

START_TEST(alias_is_mapped_as_what_it_shows)
{
    PgmMmio *window = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "vga", "window", NULL);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, 4 * PAGE, false, "vram", NULL);

    ck_assert_int_eq(pgm_mmio_map(window, HIGH, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(window, PAGE, vram, 3 * PAGE), MEM_OK);
    ck_assert_int_eq(pgm_map_page(pgm, HIGH, &m), MEM_ERR_RESERVED);
    ck_assert_int_eq(pgm_map_page(pgm, HIGH + PAGE, &m), MEM_OK);
    ck_assert_ptr_eq(m.host, pgm_mmio2_host(vram) + 3 * PAGE);
    pgm_unmap_page(pgm, &m);
    pgm_mmio2_free(vram);
}
END_TEST

/* ---- refusals leave nothing behind */

START_TEST(refusals)
{
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);
    PgmHandler *all, *write;

    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    all = pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, P, PAGE, pass_on, NULL, "all", NULL);
    write = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, Q, 4, pass_on, NULL, "write", NULL);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, (GPhys[]) { HIGH }, 1), MEM_OK);
    for (unsigned writable = 0; writable < 2; writable++) {
        MemStatus (*map)(Pgm *, GPhys, PgmMapping *) = writable ? pgm_map_page : pgm_map_page_ro;

        ck_assert_int_eq(map(pgm, HOLE, &m), MEM_ERR_UNASSIGNED);
        ck_assert_int_eq(map(pgm, UINT64_MAX, &m), MEM_ERR_UNASSIGNED);
        ck_assert_int_eq(map(pgm, ABOVE, &m), MEM_ERR_RESERVED);
        ck_assert_int_eq(map(pgm, P, &m), MEM_ERR_RESERVED);
        ck_assert_int_eq(map(pgm, HIGH, &m), MEM_ERR_BALLOONED);
        ck_assert_ptr_null(m.host);
        check_locks(0, 0);
    }
    ck_assert_int_eq(pgm_map_page(pgm, Q, &m), MEM_ERR_RESERVED);
    ck_assert_int_eq(pgm_map_page_ro(pgm, Q, &m), MEM_OK);
    pgm_unmap_page(pgm, &m);
    /* Switched off is not armed. */
    ck_assert_int_eq(pgm_handler_page_off(all, P), MEM_OK);
    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    pgm_unmap_page(pgm, &m);
    pgm_handler_free(all);
    pgm_handler_free(write);
    pgm_mmio_free(mmio);
    check_locks(0, 0);
}
END_TEST

START_TEST(out_of_memory_locks_nothing)
{
    GmmStats gmm_stats;

    gmm_get_stats(gmm, &gmm_stats);
    gmm_set_limit(gmm, gmm_stats.allocated);
    /* The stock of handy pages goes first. */
    GPhys gpa = HIGH;
    while (pgm_write_u32(pgm, gpa, 1) == MEM_OK) {
        gpa += PAGE;
        ck_assert_uint_lt(gpa, HIGH + HIGH_LEN);
    }
    ck_assert_int_eq(pgm_map_page(pgm, gpa, &m), MEM_ERR_NO_MEMORY);
    check_locks(0, 0);
    ck_assert_int_eq(pgm_map_page_ro(pgm, gpa, &m), MEM_OK);
    gmm_set_limit(gmm, PLENTY);
}
END_TEST

/* ---- counts */

START_TEST(locks_of_both_kinds_count_apart)
{
    PgmMapping other, third;

    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    ck_assert_int_eq(pgm_map_page(pgm, P, &other), MEM_OK);
    ck_assert_int_eq(pgm_map_page_ro(pgm, P, &third), MEM_OK);
    ck_assert_ptr_eq(m.host, third.host);
    ck_assert_uint_eq(pgm_page_write_locks(record_at(P)), 2);
    ck_assert_uint_eq(pgm_page_read_locks(record_at(P)), 1);
    check_locks(1, 1);
    pgm_unmap_page(pgm, &other);
    check_locks(1, 1);
    pgm_unmap_page(pgm, &m);
    check_locks(1, 0);
    pgm_unmap_page(pgm, &third);
    check_locks(0, 0);
}
END_TEST

START_TEST(bulk_mapping_counts_each_name_of_a_page)
{
    const GPhys gpas[] = { P, Q, P + 100 };
    PgmMapping mappings[3];

    ck_assert_int_eq(pgm_map_pages(pgm, gpas, 3, true, mappings), MEM_OK);
    ck_assert_ptr_eq(mappings[0].host, mappings[2].host);
    ck_assert_uint_eq(pgm_page_write_locks(record_at(P)), 2);
    check_locks(0, 2);
    pgm_unmap_pages(pgm, mappings, 3);
    check_locks(0, 0);
    ck_assert_int_eq(pgm_map_pages(pgm, gpas, 0, true, mappings), MEM_OK);
}
END_TEST

/* ---- nothing takes a locked page away */

START_TEST(locked_page_is_not_ballooned_or_shared)
{
    store(P, 0x44);
    ck_assert_int_eq(_i == 0 ? pgm_map_page_ro(pgm, P, &m) : pgm_map_page(pgm, P, &m), MEM_OK);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, (GPhys[]) { P }, 1), MEM_ERR_IN_USE);
    ck_assert_int_eq(pgm_page_share_internal(pgm, P), MEM_ERR_IN_USE);
    ck_assert_uint_eq(m.host[0], 0x44);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    pgm_unmap_page(pgm, &m);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, (GPhys[]) { P }, 1), MEM_OK);
}
END_TEST

START_TEST(reset_clears_a_locked_page_where_it_lies)
{
    store(P, 0x44);
    store(Q, 0x55);
    (void)fill(P, MEM_ACCESS_EXEC);
    ck_assert_int_eq(_i == 0 ? pgm_map_page_ro(pgm, P, &m) : pgm_map_page(pgm, P, &m), MEM_OK);
    told_reset();
    pgm_reset(pgm);
    ck_assert_uint_eq(m.host[0], 0);
    ck_assert_uint_ge(told.n_code, 1);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ALLOCATED);
    ck_assert_int_eq(page_at(Q).state, PGM_PAGE_ZERO);
    store(P, 0x66);
    ck_assert_uint_eq(m.host[0], 0x66);
    check_sound();
}
END_TEST

START_TEST(reset_of_a_monitored_locked_page)
{
    store(P, 0x44);
    ck_assert_int_eq(pgm_page_monitor_internal(pgm, P), MEM_OK);
    ck_assert_int_eq(pgm_map_page_ro(pgm, P, &m), MEM_OK);
    pgm_reset(pgm);
    ck_assert_uint_eq(m.host[0], 0);
    ck_assert_uint_eq(pgm_read_u8(pgm, P), 0);
    check_locks(1, 0);
}
END_TEST

/* ---- caller's bugs */

START_TEST(bug_range_freed_while_mapped)
{
    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    pgm_ram_withdraw(pgm, HIGH);
}
END_TEST

START_TEST(bug_unmapped_twice)
{
    ck_assert_int_eq(pgm_map_page(pgm, P, &m), MEM_OK);
    pgm_unmap_page(pgm, &m);
    pgm_unmap_page(pgm, &m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, written_through_a_mapping_is_guest_memory);
    tcase_add_test(tcase, reading_of_a_zero_page_shows_the_zero_page_and_misses_the_first_write);
    tcase_add_loop_test(tcase, mapping_of_a_shared_page_gets_its_own, 0, 2);
    tcase_add_test(tcase, monitored_page_is_unmonitored_by_a_writer_only);
    tcase_add_test(tcase, code_written_through_a_mapping_is_told_at_unlock);
    tcase_add_loop_test(tcase, rom_is_mapped_as_its_protection_says, 0, 4);
    tcase_add_test(tcase, locked_shadow_is_cleared_in_place_by_reset);
    tcase_add_test(tcase, mmio2_counts_as_written_from_the_mapping_on);
    tcase_add_test(tcase, alias_is_mapped_as_what_it_shows);
    tcase_add_test(tcase, refusals);
    tcase_add_test(tcase, out_of_memory_locks_nothing);
    tcase_add_test(tcase, locks_of_both_kinds_count_apart);
    tcase_add_test(tcase, bulk_mapping_counts_each_name_of_a_page);
    tcase_add_loop_test(tcase, locked_page_is_not_ballooned_or_shared, 0, 2);
    tcase_add_loop_test(tcase, reset_clears_a_locked_page_where_it_lies, 0, 2);
    tcase_add_test(tcase, reset_of_a_monitored_locked_page);
    tcase_add_test_raise_signal(tcase, bug_range_freed_while_mapped, SIGABRT);
    tcase_add_test_raise_signal(tcase, bug_unmapped_twice, SIGABRT);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
