/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map as runs of equal pages: each state once at its place; whatever happened to memory, the
 * runs are what pgm_page_query() says of each page, as long as can be and without gaps; and RAM
 * that was never touched costs nothing, not even its records.
 */
#include "tests/unit/pgm-fixture.h"

#include "memsys/balloon.h"
#include "memsys/dirty.h"

#include <sys/mman.h>

#define FRAME_BUFFER UINT64_C(0x8000000)
#define WINDOW UINT64_C(0xa0000)
#define BIOS UINT64_C(0xe0000)
#define N_RANDOM 300

static uint8_t image[16 * 4096];
static const PgmMmioOps no_device = { .max_size = 4 };
static PgmMmio2 *frame_buffer;
static PgmMmio *window;

static void setup(void)
{
    pgm_setup();
    for (size_t i = 0; i < sizeof image; i++) {
        image[i] = (uint8_t)(i >> 12 | 1);
    }
    ck_assert_int_eq(pgm_rom_register(pgm, BIOS, sizeof image, image, sizeof image, 0xff,
                                      PGM_ROM_FLAG_SHADOWED, "test", "bios", NULL),
                     MEM_OK);
    frame_buffer = pgm_mmio2_new(pgm, "vga", 0, 32 * PAGE, false, "frame buffer", NULL);
    ck_assert_ptr_nonnull(frame_buffer);
    ck_assert_int_eq(pgm_mmio2_map(frame_buffer, FRAME_BUFFER, NULL), MEM_OK);
    window = pgm_mmio_new(pgm, 16 * PAGE, &no_device, NULL, "vga", "window", NULL);
    ck_assert_ptr_nonnull(window);
    ck_assert_int_eq(pgm_mmio_map(window, WINDOW, NULL), MEM_OK);
}

static void teardown(void)
{
    pgm_teardown();
}

/* ---- the runs of the whole map, checked as they come */

typedef struct Whole {
    PgmRangeInfo range;
    GPhys next; /* where the next run must begin */
    PgmPageRun last;
    uint64_t n_runs;
    uint64_t n_wrong;
    uint64_t n_pages[PGM_N_PAGE_TYPES][PGM_N_PAGE_STATES];
} Whole;

static bool same(const PgmPageRun *run, PgmPageType type, PgmPageState state,
                 PgmHandlerState handler, bool executed)
{
    return run->type == type && run->state == state && run->handler == handler &&
           run->executed == executed;
}

static bool see(const PgmPageRun *run, void *user)
{
    Whole *whole = user;

    whole->n_wrong += run->n_pages == 0 || run->start != whole->next;
    whole->n_wrong +=
        run->start != whole->range.start &&
        same(run, whole->last.type, whole->last.state, whole->last.handler, whole->last.executed);
    for (uint64_t i = 0; i < run->n_pages; i++) {
        PgmPageInfo info;

        whole->n_wrong += !pgm_page_query(pgm, run->start + i * PAGE, &info) ||
                          !same(run, info.type, info.state, info.handler, info.executed);
    }
    whole->n_pages[run->type][run->state] += run->n_pages;
    whole->next = run->start + run->n_pages * PAGE;
    whole->last = *run;
    whole->n_runs++;
    return true;
}

static Whole look(void)
{
    Whole whole = { 0 };

    for (unsigned i = 0; pgm_range_get(pgm, i, &whole.range); i++) {
        whole.next = whole.range.start;
        ck_assert(pgm_range_foreach_run(pgm, i, see, &whole));
        ck_assert_uint_eq(whole.next, whole.range.start + whole.range.len);
    }
    ck_assert_uint_eq(whole.n_wrong, 0);
    return whole;
}

START_TEST(each_state_is_at_its_place)
{
    GPhys ballooned = HIGH + 8 * PAGE;
    uint8_t bytes[4096];

    memset(bytes, 0x11, sizeof bytes);
    store(LOW, 1);
    PgmDirty *dirty = pgm_dirty_new(pgm, "test", NULL);
    store(LOW + PAGE, 1);
    ck_assert_int_eq(pgm_balloon_inflate(pgm, &ballooned, 1), MEM_OK);
    ck_assert_int_eq(pgm_load_image(pgm, HIGH + 16 * PAGE, bytes, sizeof bytes), MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, BIOS, 2 * PAGE, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
    store(BIOS, 1);
    ck_assert_int_eq(pgm_mmio_alias(window, PAGE, frame_buffer, 0), MEM_OK);

    Whole whole = look();

    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_RAM][PGM_PAGE_WRITE_MONITORED], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_RAM][PGM_PAGE_ALLOCATED], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_RAM][PGM_PAGE_BALLOONED], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_RAM][PGM_PAGE_SHARED], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_RAM][PGM_PAGE_ZERO],
                      ((LOW_LEN + HIGH_LEN) >> MEM_PAGE_SHIFT) - 4);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_ROM_SHADOW][PGM_PAGE_ALLOCATED], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_ROM_SHADOW][PGM_PAGE_ZERO], 1);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_ROM][PGM_PAGE_SHARED], 14);
    ck_assert_uint_eq(whole.n_pages[PGM_PAGE_MMIO][PGM_PAGE_ZERO], 15);
    pgm_dirty_free(dirty);
}
END_TEST

/* ---- at random */

static void change_something(GRand *rand)
{
    GPhys gpa = HIGH + (GPhys)g_rand_int_range(rand, 0, HIGH_LEN / PAGE) * PAGE;

    switch (g_rand_int_range(rand, 0, 7)) {
    case 0:
        (void)pgm_balloon_inflate(pgm, &gpa, 1);
        break;
    case 1:
        (void)pgm_balloon_deflate(pgm, &gpa, 1);
        break;
    case 2:
        (void)pgm_rom_protect(pgm, BIOS + (GPhys)g_rand_int_range(rand, 0, 16) * PAGE, PAGE,
                              (PgmRomProt)g_rand_int_range(rand, 0, PGM_N_ROM_PROTS));
        break;
    case 3:
        (void)pgm_write_u32(pgm, BIOS + (GPhys)g_rand_int_range(rand, 0, 16) * PAGE, 1);
        break;
    case 4:
        (void)fill(gpa, MEM_ACCESS_EXEC);
        break;
    case 5: {
        GPhys over = HIGH + (GPhys)g_rand_int_range(rand, 0, 512) * PAGE;

        (void)pgm_mmio2_map(frame_buffer, g_rand_boolean(rand) ? over : FRAME_BUFFER, NULL);
        break;
    }
    default:
        for (int n = g_rand_int_range(rand, 1, 4); n > 0 && gpa < HIGH + HIGH_LEN; n--) {
            (void)pgm_write_u32(pgm, gpa, 1);
            gpa += PAGE;
        }
        break;
    }
}

START_TEST(runs_are_what_each_page_says)
{
    GRand *rand = g_rand_new_with_seed((guint32)_i + 1);
    PgmDirty *dirty = pgm_dirty_new(pgm, "test", NULL);

    for (unsigned n = 0; n < N_RANDOM; n++) {
        change_something(rand);
        if (n % 20 == 0) {
            pgm_dirty_reset(dirty);
            look();
        }
    }
    ck_assert_uint_gt(look().n_runs, 50);
    pgm_dirty_free(dirty);
    g_rand_free(rand);
}
END_TEST

/* ---- what it costs */

static bool count_run(G_GNUC_UNUSED const PgmPageRun *run, void *user)
{
    return --*(unsigned *)user > 0;
}

START_TEST(untouched_ram_is_not_looked_at)
{
    const uint64_t len = UINT64_C(1) << 40;
    PgmPlace place;
    unsigned index = 0;
    unsigned limit = 1000;
    PgmRangeInfo info;

    ck_assert_int_eq(pgm_ram_register(pgm, UINT64_C(1) << 40, len, "huge", NULL), MEM_OK);
    store((UINT64_C(1) << 40) + len / 2, 1);
    ck_assert(pgm_place_lookup(pgm, UINT64_C(1) << 40, &place));
    while (pgm_range_get(pgm, index, &info) && info.len != len) {
        index++;
    }
    ck_assert(pgm_range_foreach_run(pgm, index, count_run, &limit));
    ck_assert_uint_eq(limit, 1000 - 3);

    size_t n_host_pages = (size_t)(place.range->n_pages * sizeof(PgmPage) / MEM_PAGE_SIZE);
    g_autofree unsigned char *resident = g_malloc(n_host_pages);
    size_t n_resident = 0;

    ck_assert_int_eq(mincore(place.range->pages, n_host_pages * MEM_PAGE_SIZE, resident), 0);
    for (size_t i = 0; i < n_host_pages; i++) {
        n_resident += resident[i] & 1;
    }
    /* The first page's and the written one's; some more where huge pages are on for all. */
    ck_assert_uint_le(n_resident, 1024 + 2);
}
END_TEST

START_TEST(visitor_may_end_it_and_looking_counts_nothing)
{
    unsigned limit = 1;
    PgmStats before;

    store(HIGH, 1);
    store(0x3000, 1);
    before = stats();
    ck_assert(!pgm_range_foreach_run(pgm, 0, count_run, &limit)); /* by the first of three runs */
    ck_assert_uint_eq(limit, 0);
    limit = 3;
    ck_assert(!pgm_range_foreach_run(pgm, 0, count_run, &limit)); /* by the last */
    ck_assert_uint_eq(limit, 0);
    ck_assert(!pgm_range_foreach_run(pgm, 1000, count_run, &limit));
    for (unsigned i = 0; i < pgm_range_count(pgm); i++) {
        limit = 1000;
        ck_assert(pgm_range_foreach_run(pgm, i, count_run, &limit));
    }

    PgmStats after = stats();

    ck_assert_mem_eq(&before, &after, sizeof before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page-runs");
    TCase *tcase = tcase_create("page-runs");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_state_is_at_its_place);
    tcase_add_loop_test(tcase, runs_are_what_each_page_says, 0, 5);
    tcase_add_test(tcase, untouched_ram_is_not_looked_at);
    tcase_add_test(tcase, visitor_may_end_it_and_looking_counts_nothing);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
