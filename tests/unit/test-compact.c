/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages leave sparse chunks with their bytes, state and everything that CPUs must be told. */
#include "memsys/balloon.h"
#include "memsys/snapshot.h"

#include "tests/unit/pgm-fixture.h"

#define BULK ABOVE   /* RAM to be scattered */
#define N_BULK 4096u /* pages; eight chunks of them */
#define ALL 100000

static void setup(void)
{
    pgm_setup();
    ck_assert_int_eq(pgm_ram_register(pgm, BULK, N_BULK * PAGE, "bulk", NULL), MEM_OK);
}

static GmmStats gmm_now(void)
{
    GmmStats s;

    gmm_get_stats(gmm, &s);
    return s;
}

static uint32_t value_of(uint64_t page)
{
    return (uint32_t)page * 2654435761u | 1;
}

static bool is_kept(uint64_t page)
{
    return page % 8 == 3;
}

/* All of BULK written, then all but every eighth page given back: every chunk is sparse. */
static void make_sparse(void)
{
    for (uint64_t i = 0; i < N_BULK; i++) {
        if (pgm_write_u32(pgm, BULK + i * PAGE + 4, value_of(i)) != MEM_OK) {
            ck_abort_msg("no memory");
        }
    }
    for (uint64_t i = 0; i < N_BULK; i++) {
        const GPhys gpa = BULK + i * PAGE;

        if (!is_kept(i) && (pgm_balloon_inflate(pgm, &gpa, 1) != MEM_OK ||
                            pgm_balloon_deflate(pgm, &gpa, 1) != MEM_OK)) {
            ck_abort_msg("page %u stays", (unsigned)i);
        }
    }
}

static void check_bytes(void)
{
    for (uint64_t i = 0; i < N_BULK; i++) {
        uint32_t want = is_kept(i) ? value_of(i) : 0;

        if (pgm_read_u32(pgm, BULK + i * PAGE + 4) != want) {
            ck_abort_msg("page %u has other bytes", (unsigned)i);
        }
    }
}

START_TEST(chunks_become_free_and_bytes_stay)
{
    make_sparse();
    uint64_t n_chunks = gmm_now().n_chunks;
    PgmPageCounts counts = stats().pages;

    ck_assert_uint_gt(pgm_compact_slice(pgm, ALL), 0);
    for (unsigned i = 0; i < 20 && pgm_compact_slice(pgm, ALL) > 0; i++) {
        check_sound();
    }
    PgmPageCounts now = stats().pages;

    /* Eight chunks' bytes fit into one; some free ones are kept. */
    ck_assert_uint_le(gmm_now().n_chunks, n_chunks - 4);
    ck_assert_mem_eq(&now, &counts, sizeof now);
    check_bytes();
    ck_assert_uint_gt(gmm_now().moved, 0);
}
END_TEST

START_TEST(what_snapshots_keep_ready_goes_first)
{
    ck_assert_int_eq(pgm_write_u32(pgm, BULK, 1), MEM_OK);
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);

    ck_assert_ptr_nonnull(snapshot);
    for (uint64_t i = 0; i < N_BULK; i++) {
        if (pgm_write_u32(pgm, BULK + i * PAGE, 2) != MEM_OK) {
            ck_abort_msg("no memory");
        }
    }
    uint64_t n_chunks = gmm_now().n_chunks;

    pgm_snapshot_restore(snapshot); /* all but one page wait for the next run */
    ck_assert_uint_eq(gmm_now().n_chunks, n_chunks);
    while (pgm_compact_slice(pgm, ALL) > 0) {
    }
    ck_assert_uint_le(gmm_now().n_chunks, n_chunks - 6);
    check_sound();
    ck_assert_uint_eq(pgm_read_u32(pgm, BULK), 1);
    pgm_snapshot_drop(snapshot);
}
END_TEST

START_TEST(slice_moves_no_more_than_it_may)
{
    make_sparse();
    uint64_t moved = gmm_now().moved;

    ck_assert_uint_eq(pgm_compact_slice(pgm, 0), 0);
    ck_assert_uint_le(pgm_compact_slice(pgm, 5), 5);
    ck_assert_uint_le(gmm_now().moved, moved + 5);
    check_bytes();
}
END_TEST

START_TEST(armed_pages_stay_armed)
{
    make_sparse();
    pgm_monitor_all_internal(pgm);
    uint64_t monitored = stats().pages.monitored;

    ck_assert_uint_gt(pgm_compact_slice(pgm, ALL), 0);
    ck_assert_uint_eq(stats().pages.monitored, monitored);
    check_bytes();
}
END_TEST

START_TEST(locked_pages_keep_their_host_page)
{
    make_sparse();
    for (uint64_t i = 0; i < N_BULK; i++) {
        PgmPlace place;

        if (is_kept(i)) {
            ck_assert(pgm_place_lookup(pgm, BULK + i * PAGE, &place));
            pgm_page_set_locks(place.range, place.index, PGM_RECORD_FRONT, i % 2, 1 - i % 2);
        }
    }
    ck_assert_uint_eq(pgm_compact_slice(pgm, ALL), 0);
    ck_assert_uint_eq(gmm_now().moved, 0);
    for (uint64_t i = 0; i < N_BULK; i++) {
        PgmPlace place;

        if (is_kept(i)) {
            ck_assert(pgm_place_lookup(pgm, BULK + i * PAGE, &place));
            pgm_page_set_locks(place.range, place.index, PGM_RECORD_FRONT, 0, 0);
        }
    }
    check_bytes();
}
END_TEST

START_TEST(code_is_forgotten_where_it_was)
{
    make_sparse();
    for (uint64_t i = 3; i < N_BULK; i += 8) {
        ck_assert_int_eq(fill(BULK + i * PAGE, MEM_ACCESS_EXEC).kind, PGM_FILL_DIRECT);
    }
    PageId *ids = g_new(PageId, N_BULK / 8);

    for (uint64_t i = 3; i < N_BULK; i += 8) {
        ids[i / 8] = page_at(BULK + i * PAGE).id;
    }
    told_reset();
    ck_assert_uint_gt(pgm_compact_slice(pgm, ALL), 0);
    unsigned n_moved = 0;

    for (uint64_t i = 3; i < N_BULK; i += 8) {
        PageId id = page_at(BULK + i * PAGE).id;

        if (id != ids[i / 8]) {
            n_moved++;
            ck_assert(!pgm_page_executed(pgm, id));
        }
    }
    ck_assert_uint_gt(n_moved, 0);
    ck_assert_uint_ge(told.n_all + told.n_pages, 1);
    ck_assert_uint_ge(told.n_code, n_moved);
    g_free(ids);
    check_bytes();
}
END_TEST

START_TEST(page_beneath_an_overlay_moves_too)
{
    make_sparse();
    ck_assert_int_eq(pgm_rom_register(pgm, BULK, 16 * PAGE, NULL, 0, 0x11, 0, "t", "rom", NULL),
                     MEM_OK);
    for (unsigned i = 0; i < 20 && pgm_compact_slice(pgm, ALL) > 0; i++) {
        check_sound();
    }
    ck_assert_int_eq(pgm_rom_deregister(pgm, BULK), MEM_OK);
    check_bytes();
}
END_TEST

START_TEST(call_for_all_machines_compacts_this_one)
{
    make_sparse();
    ck_assert_uint_gt(gmm_compact(gmm, ALL), 0);
    check_bytes();
    check_sound();
}
END_TEST

START_TEST(nothing_to_move_is_no_work)
{
    ck_assert_uint_eq(pgm_compact_slice(pgm, ALL), 0);
    store(HIGH, 1);
    ck_assert_uint_eq(pgm_compact_slice(pgm, ALL), 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, HIGH), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compact");
    TCase *tcase = tcase_create("compact");

    tcase_add_checked_fixture(tcase, setup, pgm_teardown);
    tcase_add_test(tcase, chunks_become_free_and_bytes_stay);
    tcase_add_test(tcase, what_snapshots_keep_ready_goes_first);
    tcase_add_test(tcase, slice_moves_no_more_than_it_may);
    tcase_add_test(tcase, armed_pages_stay_armed);
    tcase_add_test(tcase, locked_pages_keep_their_host_page);
    tcase_add_test(tcase, code_is_forgotten_where_it_was);
    tcase_add_test(tcase, page_beneath_an_overlay_moves_too);
    tcase_add_test(tcase, call_for_all_machines_compacts_this_one);
    tcase_add_test(tcase, nothing_to_move_is_no_work);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
