/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does gmm_verify() see what is wrong? Each row damages a sound allocator in one place.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

/* What the damages refer to; made by make_rich(). */
static GmmChunk *own, *orphan, *run, *spare;
static uint64_t *private_rec, *shared_rec, *free_rec, *fresh_rec;
static PageId private_id, free_id;

static GmmChunk *chunk_of(PageId id)
{
    return &gmm->chunks[id / MEM_CHUNK_PAGES];
}

/* One of everything: chunks of each kind; private, shared, used and fresh free pages. */
static void make_rich(void)
{
    GmmVm *third = gmm_vm_new(gmm, "three");
    PageId id;

    reserve(third, 2 * MEM_CHUNK_PAGES, 0, 0);
    take(vm, 6 * MEM_CHUNK_PAGES);
    ck_assert_int_eq(give_back_many(vm, 0, 6 * MEM_CHUNK_PAGES), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_run(vm, MEM_CHUNK_PAGES + 7, &id), MEM_OK);
    run = chunk_of(id);

    /* The third machine holds both spares, so that the next chunk is one with fresh pages. */
    take(third, 2 * MEM_CHUNK_PAGES);
    id = pages[0].id;
    orphan = chunk_of(id);
    take(vm, 40);
    own = chunk_of(pages[0].id);
    private_id = pages[20].id;
    private_rec = &gmm->records[private_id];
    shared_rec = &gmm->records[pages[30].id];
    ck_assert_int_eq(gmm_vm_share_page(vm, pages[30].id), MEM_OK);
    free_id = pages[35].id;
    free_rec = &gmm->records[free_id];
    ck_assert_int_eq(give_back(vm, free_id), MEM_OK);
    fresh_rec = gmm_chunk_records(gmm, gmm_chunk_id(gmm, own)) + MEM_CHUNK_PAGES - 1;

    /* It ends, and a page it shared with the others stays. Its handle, 2, is nobody's then. */
    ck_assert_int_eq(gmm_vm_share_page(third, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(vm, id), MEM_OK);
    ck_assert_int_eq(gmm_vm_ref_shared(other, id), MEM_OK);
    ck_assert_int_eq(give_back(third, id), MEM_OK);
    ck_assert_uint_eq(third->handle, 2);
    gmm_vm_free(third);

    spare = &gmm->chunks[gmm->spare.head];
    ck_assert_int_eq(own->kind, GMM_CHUNK_OWNED);
    ck_assert_int_eq(orphan->kind, GMM_CHUNK_ORPHAN);
    ck_assert_int_eq(run->kind, GMM_CHUNK_RUN);
    ck_assert_int_eq(spare->kind, GMM_CHUNK_SPARE);
    ck_assert_uint_gt(gmm->released.n, 0);
    check_sound();
}

/* ---- page records */
static void unknown_owner(void)
{
    *private_rec = gmm_rec_private(GMM_ACCOUNT_BASE, 77, 0);
}

static void ended_owner(void)
{
    *private_rec = gmm_rec_private(GMM_ACCOUNT_BASE, 2, 0);
}

static void unknown_account(void)
{
    *private_rec = gmm_rec_private((GmmAccount)3, 0, 0);
}

static void other_account(void)
{
    *private_rec = gmm_rec_private(GMM_ACCOUNT_SHADOW, 0, 0);
}

static void other_owner(void)
{
    *private_rec = gmm_rec_private(GMM_ACCOUNT_BASE, 1, 0);
}

static void absurd_frame(void)
{
    *private_rec = gmm_rec_private(GMM_ACCOUNT_BASE, 0, UINT64_C(1) << 40);
}

static void claimed_page(void)
{
    *private_rec |= UINT64_C(3) << GMM_REC_STATE_SHIFT;
}

static void lost_page(void)
{
    *private_rec = gmm_rec_free(GMM_NO_INDEX, true);
}

static void no_reference(void)
{
    *shared_rec = gmm_rec_shared(0);
}

static void extra_reference(void)
{
    *shared_rec = gmm_rec_shared(2);
}

static void fresh_with_record(void)
{
    *fresh_rec = gmm_rec_free(3, true);
}

static void clean_that_is_not(void)
{
    *free_rec &= ~GMM_REC_DIRTY;
    gmm_arena(gmm)[free_id * MEM_PAGE_SIZE + MEM_PAGE_SIZE - 1] = 1;
}

static void free_list_cycle(void)
{
    *free_rec = gmm_rec_free(gmm_page_index(free_id), true);
}

static void free_list_leaves_chunk(void)
{
    *free_rec = gmm_rec_free(1000, true);
}

static void free_list_into_fresh(void)
{
    own->free_head = MEM_CHUNK_PAGES - 1;
}

static void free_list_meets_private(void)
{
    *free_rec = gmm_rec_free(gmm_page_index(private_id), true);
}

/* ---- chunks */
static void free_count(void)
{
    own->n_free--;
}

static void private_count(void)
{
    own->n_private++;
}

static void shared_count(void)
{
    orphan->n_shared++;
}

static void unknown_kind(void)
{
    own->kind = 9;
}

static void kind_orphan(void)
{
    own->kind = GMM_CHUNK_ORPHAN;
}

static void kind_none(void)
{
    own->kind = GMM_CHUNK_NONE;
}

static void kind_spare(void)
{
    own->kind = GMM_CHUNK_SPARE;
}

static void spare_owned(void)
{
    spare->kind = GMM_CHUNK_OWNED;
    spare->owner = vm;
}

static void owner_lost(void)
{
    own->owner = NULL;
}

static void owner_other(void)
{
    own->owner = other;
}

static void orphan_owned(void)
{
    orphan->owner = vm;
}

static void run_length(void)
{
    run->run_pages--;
}

static void run_longer(void)
{
    run->run_pages += MEM_CHUNK_PAGES;
}

static void run_second_gone(void)
{
    run[1].kind = GMM_CHUNK_NONE;
}

static void run_within_run(void)
{
    run[1].run_pages = 7;
}

static void run_of_two_owners(void)
{
    run[1].owner = other;
}

static void run_headless(void)
{
    run->run_pages = 0;
}

/* ---- lists and sets */
static void link_back(void)
{
    own->prev = 1;
}

static void link_to_itself(void)
{
    own->next = gmm_chunk_id(gmm, own);
}

static void link_beyond(void)
{
    own->next = ARENA_CHUNKS - 1;
}

static void wrong_list(void)
{
    unsigned list = gmm_list_of(own->n_free);

    vm->set.lists[list - 1] = vm->set.lists[list];
    vm->set.lists[list] = (GmmList) { 0 };
    vm->set.occupied = UINT64_C(1) << (list - 1);
}

static void set_count(void)
{
    vm->set.n_free++;
}

static void set_occupied(void)
{
    vm->set.occupied ^= 2;
}

static void set_lost(void)
{
    vm->set = (GmmSet) { 0 };
}

static void orphans_lost(void)
{
    gmm->orphans = (GmmSet) { 0 };
}

static void runs_lost(void)
{
    vm->runs = (GmmList) { 0 };
}

static void spare_count(void)
{
    gmm->spare.n++;
}

static void spare_lost(void)
{
    gmm->spare = (GmmList) { 0 };
}

static void released_lost(void)
{
    gmm->released = (GmmList) { 0 };
}

static void too_many_spares(void)
{
    while (gmm->spare.n <= GMM_MAX_SPARE) {
        GmmChunk *chunk = &gmm->chunks[gmm_arena_commit(gmm, 1)];

        *chunk = (GmmChunk) { .kind = GMM_CHUNK_SPARE,
                              .n_free = MEM_CHUNK_PAGES,
                              .free_head = GMM_NO_INDEX };
        gmm_list_push(gmm, &gmm->spare, chunk);
    }
}

/* ---- counters */
static void vm_allocated(void)
{
    vm->allocated[GMM_ACCOUNT_BASE]++;
}

static void vm_fixed(void)
{
    vm->allocated[GMM_ACCOUNT_FIXED]--;
}

static void vm_private(void)
{
    vm->private_pages++;
}

static void vm_shared(void)
{
    vm->shared_pages++;
}

static void vm_foreign(void)
{
    vm->n_foreign++;
}

static void vm_promise(void)
{
    vm->promise++;
}

static void vm_ballooned(void)
{
    vm->ballooned_pages++;
}

static void vm_over_reservation(void)
{
    gmm->reserved -= vm->reserved[GMM_ACCOUNT_FIXED] - 1;
    vm->reserved[GMM_ACCOUNT_FIXED] = 1;
}

static void vm_ballooned_over(void)
{
    vm->ballooned_pages = vm->reserved[0];
    gmm->ballooned = vm->reserved[0];
}

static void all_reserved(void)
{
    gmm->reserved++;
}

static void all_promised(void)
{
    gmm->promised++;
}

static void all_allocated(void)
{
    gmm->allocated--;
}

static void all_shared(void)
{
    gmm->shared++;
}

static void all_duplicates(void)
{
    gmm->duplicates++;
}

static void all_left_behind(void)
{
    gmm->left_behind++;
}

static void all_machines(void)
{
    gmm->n_vms++;
}

typedef struct Damage {
    const char *name;
    void (*inflict)(void);
} Damage;

#define ROW(name)   \
    {               \
#name, name \
    }
static const Damage damages[] = {
    ROW(unknown_owner),        ROW(ended_owner),
    ROW(unknown_account),      ROW(other_account),
    ROW(other_owner),          ROW(absurd_frame),
    ROW(claimed_page),         ROW(lost_page),
    ROW(no_reference),         ROW(extra_reference),
    ROW(fresh_with_record),    ROW(clean_that_is_not),
    ROW(free_list_cycle),      ROW(free_list_leaves_chunk),
    ROW(free_list_into_fresh), ROW(free_list_meets_private),
    ROW(free_count),           ROW(private_count),
    ROW(shared_count),         ROW(unknown_kind),
    ROW(kind_orphan),          ROW(kind_none),
    ROW(kind_spare),           ROW(spare_owned),
    ROW(owner_lost),           ROW(owner_other),
    ROW(orphan_owned),         ROW(run_length),
    ROW(run_longer),           ROW(run_second_gone),
    ROW(run_within_run),       ROW(run_of_two_owners),
    ROW(run_headless),         ROW(link_back),
    ROW(link_to_itself),       ROW(link_beyond),
    ROW(wrong_list),           ROW(set_count),
    ROW(set_occupied),         ROW(set_lost),
    ROW(orphans_lost),         ROW(runs_lost),
    ROW(spare_count),          ROW(spare_lost),
    ROW(released_lost),        ROW(too_many_spares),
    ROW(vm_allocated),         ROW(vm_fixed),
    ROW(vm_private),           ROW(vm_shared),
    ROW(vm_foreign),           ROW(vm_promise),
    ROW(vm_ballooned),         ROW(vm_over_reservation),
    ROW(vm_ballooned_over),    ROW(all_reserved),
    ROW(all_promised),         ROW(all_allocated),
    ROW(all_shared),           ROW(all_duplicates),
    ROW(all_left_behind),      ROW(all_machines),
};

/* The damaged allocator is left as it is: its test ends in a process of its own. */
START_TEST(damage_is_seen_and_reported)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n_lines = 0;

    setup();
    make_rich();
    damages[_i].inflict();

    unsigned n_bad = gmm_verify(gmm, report);
    for (const char *c = report->str; *c != '\0'; c++) {
        n_lines += *c == '\n';
    }
    ck_assert_msg(n_bad > 0, "%s was not seen", damages[_i].name);
    ck_assert_msg(n_bad == n_lines, "%s: %u violations, %u lines", damages[_i].name, n_bad,
                  n_lines);
    ck_assert_uint_eq(gmm_verify(gmm, NULL), n_bad);
}
END_TEST

START_TEST(sound_allocator_gives_an_empty_report)
{
    g_autoptr(GString) report = g_string_new(NULL);

    make_rich();
    ck_assert_uint_eq(gmm_verify(gmm, report), 0);
    ck_assert_uint_eq(report->len, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-verify");
    TCase *sound = tcase_create("sound"), *damaged = tcase_create("damaged");

    tcase_add_checked_fixture(sound, setup, teardown);
    tcase_add_test(sound, sound_allocator_gives_an_empty_report);
    suite_add_tcase(suite, sound);
    tcase_add_loop_test(damaged, damage_is_seen_and_reported, 0, G_N_ELEMENTS(damages));
    suite_add_tcase(suite, damaged);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
