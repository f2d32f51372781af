/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker's rules of snapshots, dirty clients, watches, the stock and GMM's books: each is
 * broken once, and the report must say what is wrong in that rule's own words.
 */
#include "memsys/gmm-internal.h"
#include "memsys/tracking-internal.h"
#include "tests/unit/snapshot-fixture.h"

#define P (RAM + 5 * PAGE)
#define Q (RAM + 6 * PAGE)

static PgmSnapshot *parent, *child;
static PgmDirty *dirty;
static PgmWatch *watches[3];

static void ignore_hit(Pgm *of, const PgmWatchHit *hit, void *user)
{
    (void)of;
    (void)hit;
    (void)user;
}

/* A snapshot, its child, pages written before, between and since, a dirty client, watches: sound.
 */
static void setup(void)
{
    snapshot_setup();
    store(P, 1);
    parent = take(0);
    store(P, 2);
    child = take(0);
    store(P, 3);
    store(Q, 3);
    dirty = pgm_dirty_new(pgm, "d", NULL);
    ck_assert_ptr_nonnull(dirty);
    store(Q, 4);
    store(P, 4);
    for (unsigned i = 0; i < G_N_ELEMENTS(watches); i++) {
        watches[i] = pgm_watch_new(pgm, HIGH + (8 + i) * PAGE, 8, MEM_ACCESS_WRITE, false,
                                   ignore_hit, NULL, NULL);
        ck_assert_ptr_nonnull(watches[i]);
    }
    check_sound();
}

static PgmEntry *first_entry(PgmEdge *edge)
{
    ck_assert(edge->first && edge->first->n > 0);
    return &edge->first->entries[0];
}

/* An entry of the parent's edge to the child, which has bytes. */
static PgmEntry *old_entry(void)
{
    return first_entry(&child->edge);
}

static uint64_t index_of(GPhys gpa)
{
    return (gpa - ram_range->start) >> MEM_PAGE_SHIFT;
}

/* ---- entries */

static void entry_beyond_its_range(void)
{
    old_entry()->index = ram_range->n_pages;
}

static void entry_without_its_page(void)
{
    old_entry()->id = MEM_ZERO_PAGE_ID;
}

static void entry_in_a_state_of_records_only(void)
{
    old_entry()->state = PGM_PAGE_WRITE_MONITORED;
}

static void entry_with_a_page_that_is_not_private(void)
{
    old_entry()->state = PGM_PAGE_SHARED;
}

static void entry_with_a_page_of_nobody(void)
{
    old_entry()->id = pgm->handy.pages[0].id + 100000;
}

static void edge_ends_elsewhere(void)
{
    child->edge.last = NULL;
}

static void edge_counts_wrong(void)
{
    child->edge.n++;
}

static void live_entry_of_an_unsaved_page(void)
{
    ram_range->pages[index_of(P)] &= ~PGM_PAGE_SAVED_BIT;
}

static void live_entry_twice(void)
{
    PgmEntryBlock *block = pgm->tracking->live.first;

    block->entries[1] = block->entries[0];
}

/* ---- records */

static void saved_without_an_entry(void)
{
    pgm->tracking->live.first->n--;
    pgm->tracking->live.n--;
}

static void saved_without_a_snapshot(void)
{
    pgm->tracking->current = NULL;
}

static void written_unseen(void)
{
    ck_assert(pgm_page_set_remove(&ram_range->sets->sets[dirty->slot][0], index_of(Q)));
    dirty->n_pages--;
}

static void locked_without_an_entry(void)
{
    pgm_page_set_locks(ram_range, index_of(RAM + 20 * PAGE), PGM_RECORD_FRONT, 0, 1);
}

/* ---- clients and the tree */

static void client_counts_wrong(void)
{
    dirty->n_pages++;
}

static void client_set_out_of_order(void)
{
    ram_range->sets->sets[dirty->slot][0].n_set++;
}

static void child_of_another(void)
{
    child->parent = NULL;
}

static void dropped_and_still_there(void)
{
    parent->hidden = true;
}

static void snapshots_miscounted(void)
{
    pgm->tracking->n_snapshots++;
}

static void entries_miscounted(void)
{
    pgm->tracking->n_entries++;
}

static void stock_miscounted(void)
{
    pgm->tracking->stock.n++;
}

static void left_of_snapshots(void)
{
    pgm_snapshot_drop(child);
    pgm_snapshot_drop(parent);
    pgm->tracking->reserved = 1;
}

/* ---- kept copies */

/* A copy of the page at @gpa that says it is @id. */
static PgmKept *keep(GPhys gpa, PageId id)
{
    PgmPage *record = &ram_range->pages[index_of(gpa)];
    PgmKept *kept =
        &pgm->tracking
             ->kept[(uintptr_t)record / sizeof *record % G_N_ELEMENTS(pgm->tracking->kept)];

    kept->record = record;
    kept->id = id;
    pgm->tracking->n_kept++;
    return kept;
}

static void kept_miscounted(void)
{
    pgm->tracking->n_kept++;
}

static void kept_in_the_wrong_slot(void)
{
    keep(RAM + 20 * PAGE, MEM_ZERO_PAGE_ID)->record++;
}

static void kept_and_an_entry_besides(void)
{
    (void)keep(P, page_at(P).id);
}

static void kept_with_other_bytes(void)
{
    (void)keep(RAM + 20 * PAGE, page_at(P).id);
}

/* ---- watches, stock, balloon */

static void watch_of_another(void)
{
    cpu->watches = pgm->watches;
}

static void stock_overfull(void)
{
    pgm->handy.n = MM_HANDY_PAGES + 1;
}

static void balloon_untold(void)
{
    pgm->ballooned_known++;
}

static void shadow_of_nothing(void)
{
    uint8_t bytes[4096] = { 1 };

    ck_assert_int_eq(pgm_rom_register(pgm, REGS + 16 * PAGE, PAGE, bytes, sizeof bytes, 0xff, 0,
                                      "t", "plain", NULL),
                     MEM_OK);
    pgm_rom_of(range_of(REGS + 16 * PAGE))->prot[0] = PGM_ROM_READ_RAM_WRITE_RAM;
}

static void balloon_of_rom(void)
{
    PgmPage *shadow = pgm_shadow_page(rom_range, 0);

    *shadow = pgm_page_with_backing(*shadow, PGM_PAGE_BALLOONED, MEM_ZERO_PAGE_ID);
}

/* ---- GMM */

/* Two pages of a chunk of their own are taken, the second is given back. */
static GmmChunk *placed(void)
{
    uint32_t number = 0;
    GmmHandyPage page;

    ck_assert_int_eq(gmm_vm_alloc_placed(pgm->mm.vm, &number, 1, &page), MEM_OK);
    ck_assert_int_eq(gmm_vm_alloc_placed(pgm->mm.vm, &number, 2, &page), MEM_OK);
    ck_assert_int_eq(gmm_vm_free_pages(pgm->mm.vm, GMM_ACCOUNT_BASE, &page.id, 1), MEM_OK);
    ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
    return &gmm->chunks[page.id / MEM_CHUNK_PAGES];
}

static void placed_with_a_list(void)
{
    placed()->free_head = 3;
}

static void placed_page_of_wrong_zeros(void)
{
    uint32_t id = (uint32_t)(placed() - gmm->chunks);

    gmm_chunk_records(gmm, id)[2] = gmm_rec_free(GMM_NO_INDEX, false);
    gmm_chunk_bytes(gmm, id)[2 * MEM_PAGE_SIZE + 100] = 1;
}

static void calls_miscounted(void)
{
    pgm->mm.vm->n_working = pgm->mm.vm->n_calls + 1;
}

static const struct {
    void (*inflict)(void);
    const char *says;
} flaws[] = {
    { entry_beyond_its_range, "an entry is no entry" },
    { entry_without_its_page, "an entry is no entry" },
    { entry_in_a_state_of_records_only, "an entry is no entry" },
    { entry_with_a_page_that_is_not_private, "GMM sees its entry's host page otherwise" },
    { entry_with_a_page_of_nobody, "GMM sees its entry's host page otherwise" },
    { edge_ends_elsewhere, "an edge's blocks are out of order" },
    { edge_counts_wrong, "an edge counts its entries wrongly" },
    { live_entry_of_an_unsaved_page, "an entry on the live edge without the saved bit, or two" },
    { live_entry_twice, "an entry on the live edge without the saved bit, or two" },
    { saved_without_an_entry, "saved without an entry" },
    { saved_without_a_snapshot, "saved, and there is no snapshot" },
    { written_unseen, "can be written unseen" },
    { locked_without_an_entry, "locked for writing without an entry" },
    { client_counts_wrong, "a dirty client counts its pages wrongly" },
    { client_set_out_of_order, "a dirty client's set is out of order" },
    { child_of_another, "a snapshot's child has another parent" },
    { dropped_and_still_there, "a dropped snapshot was not taken out" },
    { snapshots_miscounted, "the number of snapshots is wrong" },
    { entries_miscounted, "the stock are not what is charged" },
    { stock_miscounted, "the stock are not what is charged" },
    { left_of_snapshots, "something is left of snapshots" },
    { kept_miscounted, "kept copies are counted wrongly" },
    { kept_in_the_wrong_slot, "a kept copy lies in the wrong slot" },
    { kept_and_an_entry_besides, "a page has an entry and a kept copy besides" },
    { kept_with_other_bytes, "a kept copy is not what its page holds" },
    { shadow_of_nothing, "shows a shadow it has not" },
    { watch_of_another, "is out of order" },
    { stock_overfull, "the stock of handy pages holds more than it can" },
    { balloon_untold, "GMM counts 0 ballooned pages, records 0" },
    { balloon_of_rom, "ballooned, but no RAM" },
    { placed_with_a_list, "placed, but with a free list" },
    { placed_page_of_wrong_zeros, "free, said to be zeros and is not" },
    { calls_miscounted, "of these 1 to do work" },
};

/* Runs in a process of its own that ends without teardown: what is broken stays broken. */
START_TEST(a_broken_rule_is_named)
{
    g_autoptr(GString) report = g_string_new(NULL);

    setup();
    flaws[_i].inflict();
    unsigned n = pgm_verify(pgm, report) + gmm_verify(gmm, report);

    ck_assert_uint_gt(n, 0);
    ck_assert_msg(strstr(report->str, flaws[_i].says) != NULL, "no \"%s\" in\n%s", flaws[_i].says,
                  report->str);
}
END_TEST

START_TEST(without_host_memory_the_checker_says_so)
{
    g_autoptr(GString) report = g_string_new(NULL);

    setup();
    fake_os_fail(FAKE_MAP_ZEROS, 1, 1);
    ck_assert_uint_eq(pgm_verify(pgm, report), 1);
    ck_assert_str_eq(report->str, "the host has no memory to check with\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify-more");
    TCase *tcase = tcase_create("flaws");

    tcase_add_loop_test(tcase, a_broken_rule_is_named, 0, G_N_ELEMENTS(flaws));
    tcase_add_test(tcase, without_host_memory_the_checker_says_so);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
