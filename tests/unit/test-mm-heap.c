/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tagged heap: blocks, numbers by tag, leaks, and a host without memory.
 */
#include "memsys/mm_heap.h"
#include "tests/unit/fake-os.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define HEADER 48u

static MmHeap *heap;

static void setup(void)
{
    mem_os_set(fake_os_new(UINT64_C(1) << 30));
    heap = mm_heap_new();
}

static void check_sound(void)
{
    g_autoptr(GString) report = g_string_new(NULL);

    ck_assert_msg(mm_heap_verify(heap, report) == 0, "%s", report->str);
}

static void teardown(void)
{
    fake_os_heal();
    check_sound();
    mm_heap_free_all(heap, NULL);
    mem_os_set(NULL);
}

static MmHeapStats stats_of(const char *tag)
{
    MmHeapStats stats;

    mm_heap_get_stats(heap, tag, &stats);
    return stats;
}

START_TEST(blocks_are_aligned_cleared_and_counted)
{
    uint8_t *a = mm_heap_alloc0(heap, "ide", 100);
    uint8_t *b = mm_heap_alloc(heap, "vga", 1);
    static const uint8_t zeros[100];

    ck_assert_mem_eq(a, zeros, 100);
    ck_assert_uint_eq((uintptr_t)a % 16, 0);
    ck_assert_uint_eq((uintptr_t)b % 16, 0);
    ck_assert_uint_eq(stats_of("ide").n_allocations, 1);
    ck_assert_uint_eq(stats_of("ide").bytes_current, 112 + HEADER);
    ck_assert_uint_eq(stats_of("vga").bytes_current, 16 + HEADER);
    ck_assert_uint_eq(stats_of(NULL).bytes_current, 128 + 2 * HEADER);
    check_sound();
    mm_heap_free(heap, a);
    mm_heap_free(heap, NULL);
    ck_assert_uint_eq(stats_of("ide").n_frees, 1);
    ck_assert_uint_eq(stats_of("ide").bytes_current, 0);
    ck_assert_uint_eq(stats_of("ide").bytes_allocated, 112 + HEADER);
    ck_assert_uint_eq(stats_of("ide").bytes_freed, 112 + HEADER);
    ck_assert_uint_eq(stats_of(NULL).n_frees, 1);
}
END_TEST

START_TEST(tag_is_its_text)
{
    char again[] = "ide";
    MmHeapStats stats = { .n_frees = 7 };

    ck_assert(!mm_heap_get_stats(heap, "ide", &stats));
    ck_assert_uint_eq(stats.n_frees, 0);
    mm_heap_free(heap, mm_heap_alloc(heap, "ide", 1));
    mm_heap_alloc(heap, again, 1);
    ck_assert(mm_heap_get_stats(heap, "ide", &stats));
    ck_assert_uint_eq(stats.n_allocations, 2);
    mm_heap_free_all(heap, NULL); /* before again[] goes */
    heap = mm_heap_new();
}
END_TEST

START_TEST(no_bytes_and_too_many_are_failures)
{
    ck_assert_ptr_null(mm_heap_alloc(heap, "a", 0));
    ck_assert_ptr_null(mm_heap_alloc(heap, "a", SIZE_MAX));
    ck_assert_ptr_null(mm_heap_alloc(heap, "a", SIZE_MAX - HEADER));
    ck_assert_uint_eq(stats_of("a").n_failures, 3);
    ck_assert_uint_eq(stats_of(NULL).n_failures, 3);
    ck_assert_uint_eq(stats_of("a").n_allocations, 0);
}
END_TEST

START_TEST(reallocation_keeps_bytes_and_clears_what_is_added)
{
    uint8_t *a = mm_heap_realloc(heap, NULL, "a", 20, true);
    uint8_t *between = mm_heap_alloc(heap, "b", 1);

    ck_assert_uint_eq(stats_of("a").n_allocations, 1);
    memset(a, 0x33, 20);
    a = mm_heap_realloc(heap, a, "a", 5, true);
    a = mm_heap_realloc(heap, a, "other", 40, true); /* keeps its tag */
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_uint_eq(a[i], i < 5 ? 0x33 : 0);
    }
    ck_assert_uint_eq(stats_of("a").n_reallocations, 2);
    ck_assert_uint_eq(stats_of("other").n_reallocations, 0);
    check_sound();
    ck_assert_ptr_null(mm_heap_realloc(heap, a, "a", 0, false));
    ck_assert_uint_eq(stats_of("a").bytes_current, 0);
    mm_heap_free(heap, between);
}
END_TEST

START_TEST(failed_reallocation_leaves_the_block)
{
    char *a = mm_heap_strdup(heap, "a", "abc");

    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert_ptr_null(mm_heap_realloc(heap, a, "a", 100, false));
    ck_assert_ptr_null(mm_heap_realloc(heap, a, "a", SIZE_MAX, false));
    ck_assert_str_eq(a, "abc");
    ck_assert_uint_eq(stats_of("a").n_failures, 2);
    check_sound();
    mm_heap_free(heap, a);
}
END_TEST

START_TEST(texts_are_copied_and_formatted)
{
    ck_assert_ptr_null(mm_heap_strdup(heap, "t", NULL));
    ck_assert_uint_eq(stats_of(NULL).n_failures, 0);
    char *empty = mm_heap_strdup(heap, "t", "");
    char *text = mm_heap_printf(heap, "t", "%s-%u", "disk", 17u);

    ck_assert_str_eq(empty, "");
    ck_assert_str_eq(text, "disk-17");
    mm_heap_free(heap, empty);
    mm_heap_free(heap, text);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 2);
    ck_assert_ptr_null(mm_heap_printf(heap, "t", "%d", 1));
    ck_assert_ptr_null(mm_heap_strdup(heap, "t", "x"));
}
END_TEST

/* The record of the tag, then the block. */
START_TEST(host_without_memory_is_counted)
{
    fake_os_fail(FAKE_TRY_ALLOC0, (unsigned)_i, (unsigned)_i);
    ck_assert_ptr_null(mm_heap_alloc(heap, "a", 10));
    ck_assert_uint_eq(stats_of(NULL).n_failures, 1);
    check_sound();
    ck_assert_ptr_nonnull(mm_heap_alloc(heap, "a", 10));
    check_sound();
}
END_TEST

START_TEST(leaks_are_reported_by_tag)
{
    g_autoptr(GString) leaks = g_string_new(NULL);

    mm_heap_alloc(heap, "ide", 1);
    mm_heap_alloc(heap, "ide", 1);
    mm_heap_alloc(heap, "vga", 1);
    mm_heap_free(heap, mm_heap_alloc(heap, "pit", 1));
    ck_assert_uint_eq(mm_heap_free_all(heap, leaks), 3);
    ck_assert_ptr_nonnull(strstr(leaks->str, "ide: 2 blocks, 128 bytes\n"));
    ck_assert_ptr_nonnull(strstr(leaks->str, "vga: 1 blocks, 64 bytes\n"));
    ck_assert_ptr_null(strstr(leaks->str, "pit"));
    ck_assert_uint_eq(mm_heap_free_all(NULL, leaks), 0);
    heap = mm_heap_new();
}
END_TEST

static void count_tags(const char *tag, const MmHeapStats *stats, void *user)
{
    (*(unsigned *)user)++;
    ck_assert_str_eq(tag, stats->n_allocations == 1 ? "one" : "two");
    mm_heap_free(heap, mm_heap_alloc(heap, "while visiting", 1));
}

START_TEST(tags_are_visited_once_and_the_visitor_may_use_the_heap)
{
    unsigned n = 0;

    mm_heap_alloc(heap, "one", 1);
    mm_heap_alloc(heap, "two", 1);
    mm_heap_alloc(heap, "two", 1);
    mm_heap_foreach_tag(heap, count_tags, &n);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(checker_sees_a_header_written_over)
{
    g_autoptr(GString) report = g_string_new(NULL);
    uint8_t *a = mm_heap_alloc(heap, "a", 16);

    /* Length and mark lie before the bytes. */
    for (unsigned back = 1; back <= 24; back += 8) {
        if (back != 1) {
            a[-(int)back] ^= 0xff;
            ck_assert_uint_gt(mm_heap_verify(heap, report), 0);
            ck_assert_uint_gt(mm_heap_verify(heap, NULL), 0);
            a[-(int)back] ^= 0xff;
        }
    }
    ck_assert_uint_gt(report->len, 0);
}
END_TEST

START_TEST(freeing_what_is_no_block_aborts)
{
    uint8_t bytes[256] = { 0 };

    mm_heap_free(heap, bytes + 128);
}
END_TEST

static void *use_heap(void *user)
{
    const char *tag = user;
    uintptr_t n_failed = 0;

    for (unsigned i = 0; i < 2000; i++) {
        uint8_t *a = mm_heap_alloc(heap, tag, 1 + i % 100);
        uint8_t *b = mm_heap_realloc(heap, a, tag, 200, true);

        n_failed += b == NULL;
        mm_heap_free(heap, b);
    }
    return (void *)n_failed;
}

START_TEST(threads_share_a_heap)
{
    static char tags[4][2] = { "a", "b", "c", "a" };
    pthread_t threads[4];

    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_heap, tags[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *n_failed;

        pthread_join(threads[i], &n_failed);
        ck_assert_ptr_null(n_failed);
    }
    ck_assert_uint_eq(stats_of("a").n_allocations, 4000);
    ck_assert_uint_eq(stats_of(NULL).bytes_current, 0);
}
END_TEST

/* ---- a machine's heap */
START_TEST(machine_has_one_heap_and_frees_it)
{
    g_autoptr(Gmm) gmm = gmm_new(16 << 20, NULL);
    Pgm *pgm = pgm_new(gmm, NULL, NULL);
    MmHeap *its = pgm_heap(pgm);

    ck_assert_ptr_nonnull(its);
    ck_assert_ptr_eq(pgm_heap(pgm), its);
    mm_heap_free(its, mm_heap_alloc(its, "ide", 100));
    pgm_free(pgm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm-heap");
    TCase *tc = tcase_create("heap"), *machine = tcase_create("machine");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, blocks_are_aligned_cleared_and_counted);
    tcase_add_test(tc, tag_is_its_text);
    tcase_add_test(tc, no_bytes_and_too_many_are_failures);
    tcase_add_test(tc, reallocation_keeps_bytes_and_clears_what_is_added);
    tcase_add_test(tc, failed_reallocation_leaves_the_block);
    tcase_add_test(tc, texts_are_copied_and_formatted);
    tcase_add_loop_test(tc, host_without_memory_is_counted, 1, 3);
    tcase_add_test(tc, leaks_are_reported_by_tag);
    tcase_add_test(tc, tags_are_visited_once_and_the_visitor_may_use_the_heap);
    tcase_add_test(tc, checker_sees_a_header_written_over);
    tcase_add_test_raise_signal(tc, freeing_what_is_no_block_aborts, SIGABRT);
    tcase_add_test(tc, threads_share_a_heap);
    suite_add_tcase(suite, tc);
    tcase_add_test(machine, machine_has_one_heap_and_frees_it);
    suite_add_tcase(suite, machine);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
