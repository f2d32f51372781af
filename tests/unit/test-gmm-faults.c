/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator on a host that refuses: every call of the host made to fail in turn, and the
 * allocator must answer with its error, keep all it has, and go on once the host has recovered.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* The sanitizers take an absurd size for a bug unless told otherwise. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ---- creation */
static const struct {
    FakeOsCall call;
    unsigned nth;
} creation_faults[] = {
    { FAKE_RESERVE, 1 },   /* the arena */
    { FAKE_RESERVE, 2 },   /* the page records */
    { FAKE_MAP_ZEROS, 1 }, /* the chunk table */
    { FAKE_PROTECT, 1 },   /* the zero page */
};

START_TEST(failed_creation_says_why_and_leaks_nothing)
{
    g_autoptr(GError) error = NULL;
    const MemOs *os = fake_os_new(PLENTY);

    fake_os_fail(creation_faults[_i].call, creation_faults[_i].nth, UINT_MAX);
    ck_assert_ptr_null(gmm_new_on(os, ARENA_SIZE, &error));
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_HOST_MEMORY));
    ck_assert_uint_gt(strlen(error->message), 20);
    ck_assert_int_eq(fake_os.n_maps, 0);
}
END_TEST

START_TEST(failed_creation_takes_no_error_pointer)
{
    const MemOs *os = fake_os_new(PLENTY);

    fake_os_fail(FAKE_RESERVE, 1, UINT_MAX);
    ck_assert_ptr_null(gmm_new_on(os, 0, NULL));
}
END_TEST

#define MIB UINT64_C(1048576)

static const struct {
    uint64_t asked, granted, got; /* got 0: fails */
} halvings[] = {
    { 512 * MIB, 600 * MIB, 512 * MIB },
    { 512 * MIB, 500 * MIB, 256 * MIB },
    { 512 * MIB, 66 * MIB, 64 * MIB },
    { 512 * MIB, 65 * MIB, 0 }, /* the alignment needs 2 MiB more */
    { 100 * MIB, 70 * MIB, 64 * MIB },
    { 32 * MIB, 33 * MIB, 0 }, /* a small arena is not halved */
    { 32 * MIB, 34 * MIB, 32 * MIB },
};

START_TEST(arena_is_halved_until_the_host_grants_it)
{
    const MemOs *os = fake_os_new(PLENTY);
    uint64_t got = 0;

    fake_os.largest_reserve = halvings[_i].granted;
    g_autoptr(Gmm) made = gmm_new_on(os, halvings[_i].asked, NULL);
    if (made != NULL) {
        got = gmm_arena_size(made);
    }
    ck_assert_uint_eq(got, halvings[_i].got);
}
END_TEST

START_TEST(arena_is_no_larger_than_the_tool_around_us_bears)
{
    const MemOs *os = fake_os_new(PLENTY);

    fake_os.largest_arena = 64 * MIB;
    g_autoptr(Gmm) made = gmm_new_on(os, 0, NULL);
    ck_assert_uint_eq(gmm_arena_size(made), 64 * MIB);
}
END_TEST

START_TEST(arena_is_no_larger_than_page_ids_reach)
{
    const MemOs *os = fake_os_new(PLENTY);

    fake_os.largest_reserve = 1; /* what is asked for is all we look at */
    ck_assert_ptr_null(gmm_new_on(os, UINT64_MAX, NULL));
    ck_assert_uint_eq(fake_os.longest_asked, (UINT64_C(1) << 44) + MEM_CHUNK_SIZE);
    ck_assert_int_eq(fake_os.n_maps, 0);
}
END_TEST

/* ---- growth */
START_TEST(refused_chunk_fails_the_allocation_and_nothing_else)
{
    /* A chunk takes two calls: for its records and for its bytes. */
    static const struct {
        uint32_t n_pages;
        unsigned nth;
    } rows[] = {
        { 2, 1 },
        { 2, 2 },
        { MEM_CHUNK_PAGES + 2, 3 }, /* which leaves one spare chunk */
        { MEM_CHUNK_PAGES + 2, 1 },
        { MEM_CHUNK_PAGES + 2, 2 },
    };

    take(vm, MEM_CHUNK_PAGES - 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        fake_os_fail(FAKE_PROTECT, rows[i].nth, UINT_MAX);
        ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_BASE, rows[i].n_pages, pages),
                         MEM_ERR_HOST_MEMORY);
        fake_os_heal();
        check_sound();
        ck_assert_uint_eq(stats().allocated, MEM_CHUNK_PAGES - 1);
    }
    take(vm, 2 + MEM_CHUNK_PAGES);
    ck_assert_uint_eq(stats().n_chunks, 3);
}
END_TEST

START_TEST(what_needs_no_new_chunk_still_succeeds)
{
    take(vm, 1);
    fake_os_fail(FAKE_PROTECT, 1, UINT_MAX);
    take(vm, MEM_CHUNK_PAGES - 2);
    take(other, 1); /* from the last page of the other machine's chunk */
    ck_assert_uint_eq(stats().n_chunks, 1);
    ck_assert_int_eq(gmm_vm_alloc(other, GMM_ACCOUNT_BASE, 1, pages), MEM_ERR_HOST_MEMORY);
}
END_TEST

START_TEST(refused_run_changes_nothing)
{
    PageId run = 5;

    for (unsigned nth = 1; nth <= 2; nth++) {
        fake_os_fail(FAKE_PROTECT, nth, UINT_MAX);
        ck_assert_int_eq(gmm_vm_alloc_run(vm, 1000, &run), MEM_ERR_HOST_MEMORY);
        ck_assert_uint_eq(run, 5);
        check_sound();
    }
    fake_os_heal();
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1000, &run), MEM_OK);
}
END_TEST

/* ---- memory the host does not take back */
START_TEST(kept_chunk_is_spare_and_known_dirty)
{
    unsigned n_lies = 0;

    take(vm, 4 * MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < 4 * MEM_CHUNK_PAGES; i++) {
        gmm_arena(gmm)[pages[i].id * MEM_PAGE_SIZE + 9] = 1;
    }
    fake_os_fail(FAKE_DISCARD, 1, UINT_MAX);
    ck_assert_int_eq(give_back_many(vm, 0, 4 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(stats().n_chunks, 4);
    ck_assert_uint_eq(stats().n_freed_chunks, 0);
    check_sound();
    take(vm, 4 * MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < 4 * MEM_CHUNK_PAGES; i++) {
        n_lies += pages[i].zeroed || gmm_arena(gmm)[pages[i].id * MEM_PAGE_SIZE + 9] != 1;
    }
    ck_assert_uint_eq(n_lies, 0);
    ck_assert_uint_eq(stats().n_chunks, 4);
}
END_TEST

START_TEST(records_are_cleared_by_hand_if_need_be)
{
    take(vm, 3 * MEM_CHUNK_PAGES);
    fake_os_fail(FAKE_DISCARD, 2, UINT_MAX); /* the bytes go, their records do not */
    ck_assert_int_eq(give_back_many(vm, 0, 3 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(stats().n_freed_chunks, 1);
    check_sound();
    take(vm, 3 * MEM_CHUNK_PAGES);
    check_sound();
}
END_TEST

START_TEST(kept_run_becomes_dirty_spares)
{
    PageId run;
    unsigned n_lies = 0;

    ck_assert_int_eq(gmm_vm_alloc_run(vm, 3 * MEM_CHUNK_PAGES, &run), MEM_OK);
    gmm_arena(gmm)[(run + 700) * MEM_PAGE_SIZE] = 1;
    fake_os_fail(FAKE_DISCARD, 1, UINT_MAX);
    ck_assert_int_eq(gmm_vm_free_run(vm, run, 3 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_uint_eq(stats().n_chunks, 3);
    ck_assert_uint_eq(stats().allocated, 0);
    check_sound();

    /* A run must be zeros: spares that cannot be emptied do not serve. */
    PageId none = 5;
    ck_assert_int_eq(gmm_vm_alloc_run(vm, N_USABLE, &none), MEM_ERR_HOST_MEMORY);
    check_sound();
    take(vm, 3 * MEM_CHUNK_PAGES);
    for (unsigned i = 0; i < 3 * MEM_CHUNK_PAGES; i++) {
        n_lies += pages[i].zeroed;
    }
    ck_assert_uint_eq(n_lies, 0);
    ck_assert_uint_eq(stats().n_chunks, 3);
}
END_TEST

/* ---- the real host */
static const struct {
    const char *text;
    uint64_t bytes;
} meminfos[] = {
    { "MemTotal:        100 kB\nMemAvailable:     40 kB\n", 40960 },
    { "MemAvailable: 1 kB", 1024 },
    { "XMemAvailable: 1 kB", 0 },
    { "MemTotal: 100 kB\n", 0 },
    { "MemAvailable: none", 0 },
    { "MemAvailable: 99999999999999999999999 kB\n", UINT64_MAX },
    { "", 0 },
};

START_TEST(available_memory_is_read_from_meminfo)
{
    ck_assert_uint_eq(mem_os_parse_available(meminfos[_i].text), meminfos[_i].bytes);
}
END_TEST

START_TEST(host_gives_and_takes_back_zeros)
{
    const MemOs *os = mem_os_host();
    uint8_t *page = os->map_zeros(MEM_PAGE_SIZE);

    ck_assert_uint_eq(page[17], 0);
    page[17] = 1;
    ck_assert(os->discard(page, MEM_PAGE_SIZE));
    ck_assert_uint_eq(page[17], 0);
    ck_assert(os->protect(page, MEM_PAGE_SIZE, MEM_OS_NONE));
    ck_assert(!os->protect(page + 1, MEM_PAGE_SIZE, MEM_OS_NONE));
    ck_assert(!os->discard(page + 1, MEM_PAGE_SIZE));
    os->unmap(page, MEM_PAGE_SIZE);
    ck_assert_ptr_null(os->reserve(SIZE_MAX & ~(size_t)0xfff));
    ck_assert_uint_gt(os->available_memory(), 1024 * 1024);
}
END_TEST

START_TEST(heap_of_the_host_is_zeroed_and_may_refuse)
{
    const MemOs *os = mem_os_host();
    uint8_t *bytes = os->try_alloc0(100);

    ck_assert_uint_eq(bytes[0] | bytes[99], 0);
    os->free(bytes);
    ck_assert_ptr_null(os->try_alloc0(SIZE_MAX / 2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-faults");
    TCase *created = tcase_create("creation"), *held = tcase_create("host refuses");

    tcase_add_loop_test(created, failed_creation_says_why_and_leaks_nothing, 0,
                        G_N_ELEMENTS(creation_faults));
    tcase_add_test(created, failed_creation_takes_no_error_pointer);
    tcase_add_loop_test(created, arena_is_halved_until_the_host_grants_it, 0,
                        G_N_ELEMENTS(halvings));
    tcase_add_test(created, arena_is_no_larger_than_the_tool_around_us_bears);
    tcase_add_test(created, arena_is_no_larger_than_page_ids_reach);
    tcase_add_loop_test(created, available_memory_is_read_from_meminfo, 0, G_N_ELEMENTS(meminfos));
    tcase_add_test(created, host_gives_and_takes_back_zeros);
    tcase_add_test(created, heap_of_the_host_is_zeroed_and_may_refuse);
    suite_add_tcase(suite, created);

    tcase_add_checked_fixture(held, setup, teardown);
    tcase_add_test(held, refused_chunk_fails_the_allocation_and_nothing_else);
    tcase_add_test(held, what_needs_no_new_chunk_still_succeeds);
    tcase_add_test(held, refused_run_changes_nothing);
    tcase_add_test(held, kept_chunk_is_spare_and_known_dirty);
    tcase_add_test(held, records_are_cleared_by_hand_if_need_be);
    tcase_add_test(held, kept_run_becomes_dirty_spares);
    suite_add_tcase(suite, held);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
