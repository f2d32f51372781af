/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rarer ways through the memory system: limits, hooks, ranges that go while snapshots know them,
 * tables that cannot grow.
 */
#include "memsys/gmm-internal.h"
#include "memsys/rom.h"
#include "memsys/saved-internal.h"
#include "tests/state-reseal.h"
#include "tests/unit/snapshot-fixture.h"

#define P (RAM + 10 * PAGE)
#define Q (RAM + 11 * PAGE)

/* ---- limits */

START_TEST(there_is_a_last_dirty_client)
{
    PgmDirty *clients[PGM_DIRTY_MAX_CLIENTS];
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        clients[i] = pgm_dirty_new(pgm, "c", NULL);
        ck_assert_ptr_nonnull(clients[i]);
    }
    ck_assert_ptr_null(pgm_dirty_new(pgm, "one more", &error));
    ck_assert_int_eq(error->code, MEM_ERR_LIMIT_REACHED);
    pgm_dirty_free(clients[3]);
    clients[3] = pgm_dirty_new(pgm, "one more", NULL);
    ck_assert_ptr_nonnull(clients[3]);
    for (unsigned i = 0; i < PGM_DIRTY_MAX_CLIENTS; i++) {
        pgm_dirty_free(clients[i]);
    }
}
END_TEST

START_TEST(a_range_without_memory_for_its_sets_is_not_registered)
{
    PgmDirty *first = pgm_dirty_new(pgm, "a", NULL), *second = pgm_dirty_new(pgm, "b", NULL);
    unsigned n_failed = 0;

    ck_assert(first && second);
    for (FakeOsCall kind = FAKE_MAP_ZEROS; kind <= FAKE_TRY_REALLOC; kind++) {
        for (unsigned call = 1; call <= 8; call++) {
            fake_os_fail(kind, call, call);
            MemStatus status =
                pgm_ram_register(pgm, REGS + PAGE * 1024 * call, PAGE * 700, "r", NULL);

            n_failed += status != MEM_OK;
            fake_os_heal();
            check_sound();
        }
    }
    ck_assert_uint_gt(n_failed, 3);
    pgm_dirty_free(first);
    pgm_dirty_free(second);
}
END_TEST

START_TEST(a_limit_of_snapshots_needs_the_hosts_memory_once)
{
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    fake_os_fail(FAKE_MAP_ZEROS, 1, 1);
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 100), MEM_ERR_DECLINED);
    fake_os_heal();
    ck_assert_int_eq(pgm_snapshot_set_limit(pgm, 100), MEM_OK);
    ck_assert_uint_eq(numbers().limit, 100);
}
END_TEST

START_TEST(nothing_is_freed_where_nothing_is)
{
    pgm_free(NULL);
    mem_state_reader_free(NULL);
    mem_state_writer_free(NULL);
    pgm_live_save_free(NULL);
    pgm_handler_free(NULL);
    pgm_watch_free(NULL);
}
END_TEST

/* ---- the hook of ROM protections */

typedef struct Hooked {
    unsigned n;
    GPhys start;
    uint64_t len, n_changed;
    PgmRomProt prot;
} Hooked;

static void note_protection(Pgm *of, GPhys start, uint64_t len, PgmRomProt prot, uint64_t n_changed,
                            void *user)
{
    Hooked *hooked = user;

    ck_assert_ptr_eq(of, pgm);
    *hooked = (Hooked) { hooked->n + 1, start, len, n_changed, prot };
}

START_TEST(the_hook_hears_of_each_call_and_of_the_pages_that_changed)
{
    Hooked hooked = { 0 };

    pgm_rom_set_protect_hook(pgm, note_protection, &hooked);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM + PAGE, 8 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM),
                     MEM_OK);
    ck_assert_uint_eq(hooked.n, 1);
    ck_assert_uint_eq(hooked.start, ROM + PAGE);
    ck_assert_uint_eq(hooked.len, 8 * PAGE);
    ck_assert_uint_eq(hooked.n_changed, N_ROM - 1);
    ck_assert_int_eq(hooked.prot, PGM_ROM_READ_RAM_WRITE_RAM);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM + PAGE, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    ck_assert_uint_eq(hooked.n, 2);
    ck_assert_uint_eq(hooked.n_changed, 0);
    pgm_rom_set_protect_hook(pgm, NULL, NULL);
    ck_assert_int_eq(pgm_rom_protect(pgm, ROM, PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    ck_assert_uint_eq(hooked.n, 2);
}
END_TEST

/* ---- the table of shared pages */

START_TEST(a_page_of_the_last_chain_is_found_and_checked_like_any)
{
    uint64_t page[512] = { 0 };

    page[0] = 1;
    ck_assert_int_eq(pgm_load_image(pgm, P, page, sizeof page), MEM_OK); /* the table is there */
    uint32_t mask = gmm->content.bucket_mask;

    do {
        page[0]++;
    } while ((gmm_rec_hash(gmm_rec_publish(0, XXH3_64bits(page, sizeof page))) & mask) != mask);
    ck_assert_int_eq(pgm_load_image(pgm, P + PAGE, page, sizeof page), MEM_OK);
    ck_assert_int_eq(pgm_load_image(pgm, P + 2 * PAGE, page, sizeof page), MEM_OK);
    ck_assert_uint_eq(page_at(P + PAGE).id, page_at(P + 2 * PAGE).id);
    ck_assert_uint_ne(gmm->content.heads[mask], 0);
    check_sound();
}
END_TEST

/* ---- a handler that takes its memory away */

static PgmHandlerResult unmap_it(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    ck_assert_int_eq(pgm_mmio2_unmap(user), MEM_OK);
    return PGM_HANDLER_DO_DEFAULT;
}

START_TEST(an_access_whose_memory_went_meanwhile_finds_nothing_there)
{
    uint8_t bytes[8] = { 0 };
    PgmHandler *taker =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_ALL, FB, PAGE, unmap_it, fb, "taker", NULL);

    ck_assert_ptr_nonnull(taker);
    if (_i == 0) {
        ck_assert_int_eq(pgm_read(pgm, FB + 8, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
        for (unsigned i = 0; i < sizeof bytes; i++) {
            ck_assert_uint_eq(bytes[i], 0xff);
        }
    } else {
        ck_assert_int_eq(pgm_write(pgm, FB + 8, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
    }
    ck_assert_uint_eq(pgm_mmio2_address(fb), MEM_GPHYS_NIL);
    pgm_handler_free(taker);
}
END_TEST

/* ---- the map's cache */

/* The last of the misses after which the large table pays. */
static void miss_often(void)
{
    ck_assert_ptr_eq(pgm->tlb.slots, pgm->tlb_small);
    pgm->tlb_may_grow = true;
    pgm->tlb_misses = PGM_TLB_GROW_MISSES;
    for (GPhys gpa = HIGH + 64 * PAGE; gpa < HIGH + 68 * PAGE; gpa += PAGE) {
        (void)pgm_read_u8(pgm, gpa);
    }
}

START_TEST(a_table_that_cannot_be_given_back_is_emptied_by_hand)
{
    miss_often();
    ck_assert_ptr_eq(pgm->tlb.slots, pgm->tlb_large);
    store(P, 5);
    fake_os_fail(FAKE_DISCARD, 1, UINT_MAX);
    pgm_tlb_flush(pgm);
    ck_assert_ptr_eq(pgm->tlb.slots, pgm->tlb_small);
    for (size_t i = 0; i < PGM_TLB_SLOTS_LARGE; i++) {
        if (pgm->tlb_large[i].tag != 0) {
            ck_abort_msg("slot %zu is still there", i);
        }
    }
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 5);
}
END_TEST

START_TEST(without_memory_for_a_larger_table_the_small_one_serves_on)
{
    fake_os_fail(FAKE_MAP_ZEROS, 1, UINT_MAX);
    store(P, 5);
    miss_often();
    ck_assert_ptr_eq(pgm->tlb.slots, pgm->tlb_small);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 5);
}
END_TEST

/* ---- snapshots and what goes meanwhile */

START_TEST(an_alias_of_device_memory_that_is_gone_is_not_restored)
{
    PgmMmio2 *gone = pgm_mmio2_new(pgm, "t", 1, 4 * PAGE, true, "gone", NULL);

    ck_assert_ptr_nonnull(gone);
    ck_assert_int_eq(pgm_mmio_alias(regs, 0, gone, PAGE), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(regs, PAGE, fb, PAGE), MEM_OK);
    PgmSnapshot *snapshot = take(0);

    pgm_mmio_unalias(regs);
    pgm_mmio2_free(gone);
    pgm_snapshot_restore(snapshot);
    check_sound();
    ck_assert_int_eq(page_at(REGS).type, PGM_PAGE_MMIO);
    ck_assert_int_eq(page_at(REGS + PAGE).type, PGM_PAGE_MMIO2_ALIAS);
    /* Again, with the aliases in their places already. */
    ck_assert_int_eq(pgm_mmio2_unmap(fb), MEM_OK);
    pgm_snapshot_restore(snapshot);
    ck_assert_int_eq(page_at(REGS + PAGE).type, PGM_PAGE_MMIO2_ALIAS);
    check_sound();
    pgm_snapshot_drop(snapshot);
}
END_TEST

START_TEST(code_of_a_page_that_another_branch_wrote_is_told)
{
    store(P, 1);
    PgmSnapshot *a = take(0);

    store(P, 2);
    PgmSnapshot *b = take(0);

    pgm_snapshot_restore(a);
    (void)fill(P, MEM_ACCESS_EXEC);
    told_reset();
    pgm_snapshot_restore(b);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 2);
    ck_assert_uint_ge(told.n_code, 1);
    ck_assert_uint_eq(told.code_offset, 0);
    ck_assert_uint_eq(told.code_len, PAGE);
    pgm_snapshot_drop(b);
    pgm_snapshot_drop(a);
}
END_TEST

START_TEST(code_of_a_page_that_goes_with_its_branch_is_forgotten)
{
    PgmSnapshot *a = take(0); /* P is not there yet */

    store(P, 2);
    PgmSnapshot *b = take(0);
    PageId id = page_at(P).id;

    (void)fill(P, MEM_ACCESS_EXEC);
    ck_assert(pgm_id_executed(pgm, id));
    told_reset();
    pgm_snapshot_restore(a);
    ck_assert_int_eq(page_at(P).state, PGM_PAGE_ZERO);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    ck_assert(!pgm_id_executed(pgm, id));
    pgm_snapshot_drop(b);
    pgm_snapshot_drop(a);
}
END_TEST

START_TEST(a_preallocated_machine_keeps_its_pages_over_a_restore)
{
    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    store(P, 1);
    PgmSnapshot *snapshot = take(0);
    PageId id = page_at(P).id;

    store(P, 2);
    store(Q, 3);
    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(page_at(P).id, id);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 1);
    ck_assert_uint_eq(pgm_read_u32(pgm, Q), 0);
    pgm_snapshot_drop(snapshot);
}
END_TEST

START_TEST(pages_that_a_preallocation_gave_stay_and_are_cleared)
{
    PgmSnapshot *snapshot = take(0);

    ck_assert_int_eq(pgm_preallocate(pgm, NULL), MEM_OK);
    store(P, 1);
    PageId id = page_at(P).id;

    pgm_snapshot_restore(snapshot);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    ck_assert_uint_eq(page_at(P).id, id);
    pgm_snapshot_drop(snapshot);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memsys-more");
    TCase *tcase = tcase_create("limits");

    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_test(tcase, there_is_a_last_dirty_client);
    tcase_add_test(tcase, a_range_without_memory_for_its_sets_is_not_registered);
    tcase_add_test(tcase, a_limit_of_snapshots_needs_the_hosts_memory_once);
    tcase_add_test(tcase, nothing_is_freed_where_nothing_is);
    tcase_add_test(tcase, the_hook_hears_of_each_call_and_of_the_pages_that_changed);
    tcase_add_test(tcase, a_page_of_the_last_chain_is_found_and_checked_like_any);
    tcase_add_loop_test(tcase, an_access_whose_memory_went_meanwhile_finds_nothing_there, 0, 2);
    tcase_add_test(tcase, a_table_that_cannot_be_given_back_is_emptied_by_hand);
    tcase_add_test(tcase, without_memory_for_a_larger_table_the_small_one_serves_on);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("snapshots");
    tcase_add_checked_fixture(tcase, snapshot_setup, snapshot_teardown);
    tcase_add_test(tcase, an_alias_of_device_memory_that_is_gone_is_not_restored);
    tcase_add_test(tcase, code_of_a_page_that_another_branch_wrote_is_told);
    tcase_add_test(tcase, code_of_a_page_that_goes_with_its_branch_is_forgotten);
    tcase_add_test(tcase, a_preallocated_machine_keeps_its_pages_over_a_restore);
    tcase_add_test(tcase, pages_that_a_preallocation_gave_stay_and_are_cleared);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
