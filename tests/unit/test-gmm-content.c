/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharing by content: what is published, what is merged, what is not, and the checker's eye on the
 * table of published pages.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>
#include <xxhash.h>

static GmmShareResult result;
static PageId merged;

static uint64_t hash_of(PageId id)
{
    return XXH3_64bits(gmm_page_bytes(gmm, id), MEM_PAGE_SIZE);
}

static PageId new_page(GmmVm *who, uint32_t content)
{
    GmmHandyPage page;

    ck_assert_int_eq(gmm_vm_alloc(who, GMM_ACCOUNT_BASE, 1, &page), MEM_OK);
    memset(gmm_page_bytes(gmm, page.id), 0x11, MEM_PAGE_SIZE);
    memcpy(gmm_page_bytes(gmm, page.id) + 100, &content, sizeof(content));
    return page.id;
}

static GmmShareResult offer_as(GmmVm *who, PageId id, uint64_t hash)
{
    result = (GmmShareResult)77;
    merged = 0;
    ck_assert_int_eq(gmm_vm_share_offer(who, id, hash, &result, &merged), MEM_OK);
    return result;
}

static GmmShareResult offer(GmmVm *who, PageId id)
{
    return offer_as(who, id, hash_of(id));
}

static GmmPageState state_of(PageId id)
{
    GmmPageState state;
    GmmVm *owner;
    GPhys gpa;
    uint32_t refs;

    ck_assert(gmm_page_query(gmm, id, &state, &owner, &gpa, &refs));
    return state;
}

START_TEST(second_of_a_kind_is_published_and_the_first_merges_with_it)
{
    PageId a = new_page(vm, 1), b = new_page(other, 1);

    ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    ck_assert_int_eq(state_of(a), GMM_PAGE_PRIVATE);
    ck_assert_int_eq(offer(other, b), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(state_of(b), GMM_PAGE_SHARED);
    check_sound();
    ck_assert_int_eq(offer(vm, a), GMM_SHARE_MERGED);
    ck_assert_uint_eq(merged, b);
    ck_assert_int_eq(give_back(vm, a), MEM_OK);
    check_sound();
    ck_assert_uint_eq(stats().share_offers, 3);
    ck_assert_uint_eq(stats().share_merged, 1);
    ck_assert_uint_eq(stats().duplicates, 1);
    ck_assert_uint_eq(stats().allocated, 1);
    ck_assert_int_eq(give_back(vm, b), MEM_OK);
    ck_assert_int_eq(give_back(other, b), MEM_OK);
    ck_assert_uint_eq(gmm->content.n_pages, 0);
    check_sound();
}
END_TEST

START_TEST(page_offered_again_is_no_second_one)
{
    PageId a = new_page(vm, 1);

    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    }
    ck_assert_int_eq(state_of(a), GMM_PAGE_PRIVATE);
    ck_assert_uint_eq(stats().shared, 0);
}
END_TEST

START_TEST(machine_merges_with_itself)
{
    PageId a = new_page(vm, 1), b = new_page(vm, 1);

    ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    ck_assert_int_eq(offer(vm, b), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(offer(vm, a), GMM_SHARE_MERGED);
    ck_assert_uint_eq(merged, b);
    ck_assert_uint_eq(vm_stats(vm).shared_pages, 2);
}
END_TEST

START_TEST(equal_means_all_bytes_whatever_the_hash_says)
{
    PageId a = new_page(vm, 1), b = new_page(vm, 2), c = new_page(vm, 1), d = new_page(vm, 2);

    /* One hash for both kinds: a chain of two different pages. */
    ck_assert_int_eq(offer_as(vm, a, 42), GMM_SHARE_NOTED);
    ck_assert_int_eq(offer_as(vm, b, 42), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(offer_as(vm, c, 42), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(offer_as(vm, d, 42), GMM_SHARE_MERGED);
    ck_assert_uint_eq(merged, b);
    ck_assert_int_eq(offer_as(vm, a, 42), GMM_SHARE_MERGED);
    ck_assert_uint_eq(merged, c);

    /* Out of the middle and the end of the chain. */
    PageId ids[] = { b, b, c, c };

    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 2), MEM_OK);
    ck_assert_uint_eq(gmm_content_find(gmm, 42, gmm_page_bytes(gmm, d)), MEM_ZERO_PAGE_ID);
    ck_assert_uint_eq(gmm_content_find(gmm, 42, gmm_page_bytes(gmm, a)), c);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids + 2, 2), MEM_OK);
    check_sound();
}
END_TEST

START_TEST(last_byte_counts)
{
    PageId a = new_page(vm, 1), b = new_page(vm, 1), c = new_page(vm, 1);

    gmm_page_bytes(gmm, c)[MEM_PAGE_SIZE - 1] = 0x12;
    ck_assert_int_eq(offer_as(vm, a, 42), GMM_SHARE_NOTED);
    ck_assert_int_eq(offer_as(vm, b, 42), GMM_SHARE_PUBLISHED);
    ck_assert_int_ne(offer_as(vm, c, 42), GMM_SHARE_MERGED);
    PageId ids[] = { b, c };

    ck_assert_int_eq(state_of(c), GMM_PAGE_SHARED);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, 2), MEM_OK);
}
END_TEST

START_TEST(one_bucket_cannot_be_made_long)
{
    PageId ids[GMM_CHAIN_MAX + 20];
    unsigned n_published = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        ids[i] = new_page(vm, i);
        n_published += offer_as(vm, ids[i], 42) == GMM_SHARE_PUBLISHED;
    }
    ck_assert_uint_eq(n_published, GMM_CHAIN_MAX);
    ck_assert_uint_eq(gmm->content.n_pages, GMM_CHAIN_MAX);
    /* With room again, more are taken. */
    ck_assert_int_eq(give_back(vm, ids[5]), MEM_OK);
    PageId late = new_page(vm, 9999);

    ck_assert_int_eq(offer_as(vm, late, 42), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(give_back(vm, late), MEM_OK);
    ids[5] = ids[0];
    ids[0] = new_page(vm, 0);
    ck_assert_int_eq(gmm_vm_free_pages(vm, GMM_ACCOUNT_BASE, ids, (uint32_t)G_N_ELEMENTS(ids)),
                     MEM_OK);
    ck_assert_uint_eq(gmm->content.n_pages, 0);
}
END_TEST

START_TEST(page_made_private_again_is_not_found)
{
    PageId a = new_page(vm, 1), b = new_page(vm, 1);

    offer(vm, a);
    ck_assert_int_eq(offer(vm, b), GMM_SHARE_PUBLISHED);
    ck_assert_int_eq(gmm_vm_unshare_page(vm, b), MEM_OK);
    ck_assert_uint_eq(gmm->content.n_pages, 0);
    gmm_page_bytes(gmm, b)[0] = 0x99;
    check_sound();
    ck_assert_int_ne(offer(vm, a), GMM_SHARE_MERGED);
    ck_assert_uint_eq(stats().share_copied, 1);
}
END_TEST

START_TEST(bad_offers_are_refused)
{
    PageId a = new_page(vm, 1);
    GmmHandyPage shadow;
    PageId run;

    ck_assert_int_eq(gmm_vm_alloc(vm, GMM_ACCOUNT_SHADOW, 1, &shadow), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, 1, &run), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_offer(vm, 0, 1, &result, &merged), MEM_ERR_BAD_PAGE_ID);
    ck_assert_int_eq(gmm_vm_share_offer(other, a, 1, &result, &merged), MEM_ERR_NOT_OWNER);
    ck_assert_int_eq(gmm_vm_share_offer(vm, shadow.id, 1, &result, &merged), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_share_offer(vm, run, 1, &result, &merged), MEM_ERR_WRONG_TYPE);
    ck_assert_int_eq(gmm_vm_share_page(vm, a), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_offer(vm, a, 1, &result, &merged), MEM_ERR_PAGE_NOT_PRIVATE);
    ck_assert_uint_eq(stats().share_offers, 0);
}
END_TEST

START_TEST(merging_needs_room_for_both_for_the_moment)
{
    GmmReservation want = { { 2, 1000, N_USABLE } };
    PageId a = new_page(vm, 1), b = new_page(vm, 1);

    offer(vm, a);
    offer(vm, b);
    ck_assert_int_eq(gmm_vm_update_reservation(vm, &want), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_offer(vm, a, hash_of(a), &result, &merged),
                     MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_uint_eq(gmm_rec_refs(gmm->records[b]), 1);
    check_sound();
}
END_TEST

START_TEST(full_reference_count_is_passed_over)
{
    PageId a = new_page(vm, 1), b = new_page(vm, 1);

    offer(vm, a);
    ck_assert_int_eq(offer(vm, b), GMM_SHARE_PUBLISHED);
    gmm->records[b] = gmm_rec_with_refs(gmm->records[b], UINT32_MAX);
    ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    gmm->records[b] = gmm_rec_with_refs(gmm->records[b], 1);
}
END_TEST

START_TEST(image_is_shared_from_the_start)
{
    uint8_t image[MEM_PAGE_SIZE];
    PageId a, b, c;

    memset(image, 0x42, sizeof(image));
    ck_assert_int_eq(gmm_vm_share_image(vm, image, &a), MEM_OK);
    ck_assert_mem_eq(gmm_page_bytes(gmm, a), image, sizeof(image));
    ck_assert_int_eq(gmm_vm_share_image(other, image, &b), MEM_OK);
    ck_assert_uint_eq(a, b);
    ck_assert_uint_eq(stats().allocated, 1);
    ck_assert_uint_eq(stats().duplicates, 1);
    image[9] = 0;
    ck_assert_int_eq(gmm_vm_share_image(other, image, &c), MEM_OK);
    ck_assert_uint_ne(a, c);
    check_sound();

    /* A page of RAM with an image's bytes merges at its first offer. */
    PageId ram = new_page(vm, 0);

    memcpy(gmm_page_bytes(gmm, ram), image, sizeof(image));
    ck_assert_int_eq(offer(vm, ram), GMM_SHARE_MERGED);
    ck_assert_uint_eq(merged, c);

    GmmVm *poor = gmm_vm_new(gmm, "poor");

    ck_assert_int_eq(gmm_vm_share_image(poor, image, &c), MEM_ERR_ACCOUNT_LIMIT);
    image[9] = 7;
    ck_assert_int_eq(gmm_vm_share_image(poor, image, &c), MEM_ERR_ACCOUNT_LIMIT);
    ck_assert_uint_eq(gmm_vm_free(poor), 0);
}
END_TEST

/* Each of the three tables refused in turn. */
START_TEST(without_tables_nothing_is_shared_and_nothing_breaks)
{
    uint8_t image[MEM_PAGE_SIZE] = { 1 };
    PageId a = new_page(vm, 1), b = new_page(vm, 1), page, again;
    unsigned which = (unsigned)_i;
    int n_maps = fake_os.n_maps;

    fake_os_fail(FAKE_MAP_ZEROS, which, UINT_MAX);
    ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    fake_os_fail(FAKE_MAP_ZEROS, which, UINT_MAX);
    ck_assert_int_eq(offer(vm, b), GMM_SHARE_NOTED);
    fake_os_fail(FAKE_MAP_ZEROS, 1, UINT_MAX);
    ck_assert_int_eq(gmm_vm_share_image(vm, image, &page), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_image(vm, image, &again), MEM_OK);
    ck_assert_uint_ne(page, again);
    ck_assert_int_eq(fake_os.n_maps, n_maps);
    check_sound();
    fake_os_heal();
    ck_assert_int_eq(offer(vm, a), GMM_SHARE_NOTED);
    ck_assert_int_eq(offer(vm, b), GMM_SHARE_PUBLISHED);
}
END_TEST

START_TEST(published_pages_left_behind_leave_the_table)
{
    uint8_t image[MEM_PAGE_SIZE] = { 1 };
    PageId id;

    ck_assert_int_eq(gmm_vm_share_image(vm, image, &id), MEM_OK);
    ck_assert_int_eq(gmm_vm_share_image(other, image, &id), MEM_OK);
    ck_assert_uint_eq(gmm_vm_free(vm), 1);
    ck_assert_uint_eq(stats().left_behind, 1);
    ck_assert_uint_eq(gmm->content.n_pages, 1);
    check_sound();
    ck_assert_uint_eq(gmm_vm_free(other), 1);
    ck_assert_uint_eq(gmm->content.n_pages, 0);
    ck_assert_uint_eq(stats().left_behind, 0);
    check_sound();
    vm = other = NULL;
}
END_TEST

/* ---- the checker: damage, be seen, be mended */
static PageId published;

static void other_bytes(void)
{
    gmm_page_bytes(gmm, published)[17] ^= 1;
}

static void count_off(void)
{
    gmm->content.n_pages ^= 2;
}

static void record_not_published(void)
{
    gmm->records[published] ^= GMM_REC_PUBLISHED;
}

static void hash_in_record_off(void)
{
    gmm->records[published] ^= UINT64_C(1) << 60; /* not of the bucket's bits */
}

static void out_of_its_chain(void)
{
    static PageId kept;
    PageId *head =
        &gmm->content.heads[gmm_rec_hash(gmm->records[published]) & gmm->content.bucket_mask];
    PageId now = *head;

    *head = kept;
    kept = now;
}

static void chain_in_a_circle(void)
{
    gmm->content.next[published] ^= published;
}

static void next_is_no_page(void)
{
    gmm->content.next[published] ^= UINT32_C(1) << 12;
}

static void references_by_account_off(void)
{
    vm->shared_in[GMM_ACCOUNT_BASE] ^= 8;
}

static void (*const damages[])(void) = {
    other_bytes,      count_off,         record_not_published, hash_in_record_off,
    out_of_its_chain, chain_in_a_circle, next_is_no_page,      references_by_account_off,
};

START_TEST(checker_sees_damage)
{
    g_autoptr(GString) report = g_string_new(NULL);
    uint8_t image[MEM_PAGE_SIZE] = { 1 };

    ck_assert_int_eq(gmm_vm_share_image(vm, image, &published), MEM_OK);
    check_sound();
    damages[_i]();
    ck_assert_uint_gt(gmm_verify(gmm, report), 0);
    ck_assert_uint_gt(report->len, 10);
    ck_assert_uint_gt(gmm_verify(gmm, NULL), 0);
    damages[_i]();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-content");
    TCase *tc = tcase_create("content");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, second_of_a_kind_is_published_and_the_first_merges_with_it);
    tcase_add_test(tc, page_offered_again_is_no_second_one);
    tcase_add_test(tc, machine_merges_with_itself);
    tcase_add_test(tc, equal_means_all_bytes_whatever_the_hash_says);
    tcase_add_test(tc, last_byte_counts);
    tcase_add_test(tc, one_bucket_cannot_be_made_long);
    tcase_add_test(tc, page_made_private_again_is_not_found);
    tcase_add_test(tc, bad_offers_are_refused);
    tcase_add_test(tc, merging_needs_room_for_both_for_the_moment);
    tcase_add_test(tc, full_reference_count_is_passed_over);
    tcase_add_test(tc, image_is_shared_from_the_start);
    tcase_add_loop_test(tc, without_tables_nothing_is_shared_and_nothing_breaks, 1, 4);
    tcase_add_test(tc, published_pages_left_behind_leave_the_table);
    tcase_add_loop_test(tc, checker_sees_damage, 0, G_N_ELEMENTS(damages));
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
