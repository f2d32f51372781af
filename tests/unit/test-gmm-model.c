/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random calls against a naive model of the allocator: a table that knows for each page id who has
 * it, under which account, how often, and whether its bytes were ever written. After every batch
 * gmm_verify() must find nothing and the statistics must agree with the table.
 *
 * Seeded by the loop index, so a failure repeats. A batch fails as a whole: no ck_assert per call.
 */
#include "tests/unit/gmm-fixture.h"

#include <string.h>

#define N_SEEDS 6
#define N_BATCHES 60
#define N_CALLS 40
#define N_VMS 3
#define N_IDS (ARENA_CHUNKS * MEM_CHUNK_PAGES)
#define MAX_CALL 300
#define MAX_RUNS 4

typedef enum Op {
    OP_ALLOC,
    OP_FREE,
    OP_FREE_BAD,
    OP_SHARE,
    OP_REF,
    OP_RUN,
    OP_FREE_RUN,
    OP_END,
    N_OPS
} Op;

typedef struct ModelPage {
    int8_t owner; /* machine, or NOBODY, or SHARED */
    uint8_t account;
    bool in_run;
    bool dirty; /* bytes were written since the page was last zero */
    uint8_t refs[N_VMS];
} ModelPage;

enum { NOBODY = -1, SHARED = -2 };

typedef struct ModelRun {
    PageId first; /* 0: none */
    uint32_t n_pages;
    unsigned owner;
} ModelRun;

static ModelPage model[N_IDS];
static ModelRun runs[MAX_RUNS];
static GmmVm *vms[N_VMS];
static GRand *rng;
static unsigned n_done[N_OPS]; /* calls that did something */
static const char *complaint;

static uint32_t below(uint32_t n)
{
    return (uint32_t)g_rand_int_range(rng, 0, (gint32)n);
}

static void complain_if(bool wrong, const char *what)
{
    if (wrong && complaint == NULL) {
        complaint = what;
    }
}

static uint8_t *bytes_of(PageId id)
{
    return gmm_arena(gmm) + id * MEM_PAGE_SIZE;
}

static uint32_t count(int owner, unsigned account)
{
    uint32_t n = 0;

    for (PageId id = 0; id < N_IDS; id++) {
        n += model[id].owner == owner && (owner < 0 || model[id].account == account);
    }
    return n;
}

static uint32_t count_refs(unsigned machine)
{
    uint32_t n = 0;

    for (PageId id = 0; id < N_IDS; id++) {
        n += model[id].owner == SHARED ? model[id].refs[machine] : 0;
    }
    return n;
}

static uint32_t count_all(void)
{
    uint32_t n = 0;

    for (PageId id = 0; id < N_IDS; id++) {
        n += model[id].owner != NOBODY;
    }
    return n;
}

/* A page of this machine's taken at random, or 0. */
static PageId pick(unsigned machine, int owner)
{
    PageId id = below(N_IDS);

    for (unsigned i = 0; i < N_IDS; i++, id = (id + 1) % N_IDS) {
        const ModelPage *page = &model[id];

        if (page->owner == owner && !page->in_run &&
            (owner != SHARED || machine == N_VMS || page->refs[machine] > 0)) {
            return id;
        }
    }
    return 0;
}

static void made(PageId id, unsigned machine, GmmAccount account, bool in_run)
{
    complain_if(id < MEM_CHUNK_PAGES || id >= N_IDS || model[id].owner != NOBODY,
                "a page was handed out that is not free");
    model[id] = (ModelPage) {
        .owner = (int8_t)machine, .account = (uint8_t)account, .in_run = in_run, .dirty = true
    };
    bytes_of(id)[id % MEM_PAGE_SIZE] = 0xa5;
}

static void do_alloc(unsigned machine)
{
    GmmAccount account = below(4) == 0 ? GMM_ACCOUNT_SHADOW : GMM_ACCOUNT_BASE;
    uint32_t n = below(8) == 0 ? 1 + below(6 * MEM_CHUNK_PAGES) : 1 + below(MAX_CALL);
    MemStatus status = gmm_vm_alloc(vms[machine], account, n, pages);

    if (status == MEM_ERR_GLOBAL_LIMIT) {
        complain_if(count_all() + n <= gmm->max, "the limit stopped a call that fits");
        return;
    }
    if (status == MEM_ERR_HOST_MEMORY) {
        complain_if(runs[0].first == 0 && runs[1].first == 0 && runs[2].first == 0 &&
                        runs[3].first == 0 && count_all() + n <= N_USABLE,
                    "the arena was called full and is not");
        return;
    }
    complain_if(status != MEM_OK, "an allocation failed");
    for (uint32_t i = 0; status == MEM_OK && i < n; i++) {
        static const uint8_t zeros[MEM_PAGE_SIZE];

        complain_if(pages[i].zeroed && memcmp(bytes_of(pages[i].id), zeros, MEM_PAGE_SIZE) != 0,
                    "a page said to be zero is not");
        made(pages[i].id, machine, account, false);
    }
    n_done[OP_ALLOC] += status == MEM_OK;
}

/* Frees up to MAX_CALL private pages of one account, or spoils the call with a bad entry. */
static void do_free(unsigned machine, bool spoil)
{
    PageId ids[MAX_CALL + 1];
    GmmAccount account = below(4) == 0 ? GMM_ACCOUNT_SHADOW : GMM_ACCOUNT_BASE;
    PageId id = below(N_IDS);
    uint32_t n = 0, most = 1 + below(MAX_CALL);

    for (unsigned i = 0; i < N_IDS && n < most; i++, id = (id + 1) % N_IDS) {
        if (model[id].owner == (int)machine && model[id].account == account && !model[id].in_run) {
            ids[n++] = id;
        }
    }
    if (n == 0) {
        return;
    }
    if (spoil) {
        PageId bad[] = { 0, ids[0], UINT32_MAX, pick(N_VMS, NOBODY),
                         pick(machine, (int)(machine + 1) % N_VMS) };

        ids[n] = bad[below(G_N_ELEMENTS(bad))];
        complain_if(gmm_vm_free_pages(vms[machine], account, ids, n + 1) == MEM_OK,
                    "a bad entry was accepted");
        n_done[OP_FREE_BAD]++;
        return;
    }
    complain_if(gmm_vm_free_pages(vms[machine], account, ids, n) != MEM_OK, "a free was refused");
    for (uint32_t i = 0; i < n; i++) {
        model[ids[i]].owner = NOBODY;
    }
    n_done[OP_FREE]++;
}

static void do_share(unsigned machine)
{
    PageId id = pick(machine, (int)machine);

    if (id == 0) {
        return;
    }

    MemStatus want = model[id].account == GMM_ACCOUNT_BASE ? MEM_OK : MEM_ERR_WRONG_TYPE;
    complain_if(gmm_vm_share_page(vms[machine], id) != want, "sharing went wrong");
    if (want == MEM_OK) {
        model[id].owner = SHARED;
        model[id].refs[machine] = 1;
        n_done[OP_SHARE]++;
    }
}

/* A reference more to some shared page, or one of this machine's less. */
static void do_ref(unsigned machine)
{
    bool more = below(2) == 0;
    PageId id = pick(more ? N_VMS : machine, SHARED);
    unsigned n_refs = 0;

    if (id == 0 || model[id].refs[machine] == UINT8_MAX) {
        return;
    }
    if (more) {
        complain_if(gmm_vm_ref_shared(vms[machine], id) != MEM_OK, "a reference was refused");
        model[id].refs[machine]++;
    } else {
        complain_if(give_back(vms[machine], id) != MEM_OK, "a reference was not taken back");
        model[id].refs[machine]--;
    }
    for (unsigned i = 0; i < N_VMS; i++) {
        n_refs += model[id].refs[i];
    }
    if (n_refs == 0) {
        model[id].owner = NOBODY;
    }
    n_done[OP_REF]++;
}

static void do_run(unsigned machine)
{
    ModelRun *run = &runs[below(MAX_RUNS)];
    uint32_t n = 1 + below(3 * MEM_CHUNK_PAGES);
    PageId first;

    if (run->first != 0 || gmm_vm_alloc_run(vms[machine], n, &first) != MEM_OK) {
        return;
    }
    *run = (ModelRun) { first, n, machine };
    for (uint32_t i = 0; i < n; i++) {
        complain_if(bytes_of(first + i)[(first + i) % MEM_PAGE_SIZE] != 0, "a run is not zeros");
        made(first + i, machine, GMM_ACCOUNT_FIXED, true);
    }
    n_done[OP_RUN]++;
}

static void forget_run(ModelRun *run)
{
    for (uint32_t i = 0; i < run->n_pages; i++) {
        model[run->first + i].owner = NOBODY;
    }
    run->first = 0;
}

static void do_free_run(void)
{
    ModelRun *run = &runs[below(MAX_RUNS)];

    if (run->first == 0) {
        return;
    }
    complain_if(gmm_vm_free_run(vms[run->owner], run->first, run->n_pages) != MEM_OK,
                "a run was not taken back");
    forget_run(run);
    n_done[OP_FREE_RUN]++;
}

static void new_machine(unsigned machine)
{
    vms[machine] = gmm_vm_new(gmm, "model");
    reserve(vms[machine], PLENTY, PLENTY, PLENTY);
}

/* Ends a machine that gave its shared references back, and starts another in its place. */
static void do_end(unsigned machine)
{
    uint64_t n_left = 0;

    for (PageId id = 0; id < N_IDS; id++) {
        while (model[id].owner == SHARED && model[id].refs[machine] > 0) {
            unsigned others = 0;

            complain_if(give_back(vms[machine], id) != MEM_OK, "a reference was not taken back");
            model[id].refs[machine]--;
            for (unsigned i = 0; i < N_VMS; i++) {
                others += model[id].refs[i];
            }
            model[id].owner = others == 0 ? NOBODY : SHARED;
        }
    }
    for (PageId id = 0; id < N_IDS; id++) {
        if (model[id].owner == (int)machine) {
            model[id].owner = NOBODY;
            n_left++;
        }
    }
    for (unsigned i = 0; i < MAX_RUNS; i++) {
        if (runs[i].first != 0 && runs[i].owner == machine) {
            runs[i].first = 0;
        }
    }
    complain_if(gmm_vm_free(vms[machine]) != n_left, "what was left behind is miscounted");
    new_machine(machine);
    n_done[OP_END]++;
}

static void one_call(void)
{
    unsigned machine = below(N_VMS);
    uint32_t dice = below(100);

    if (dice < 30) {
        do_alloc(machine);
    } else if (dice < 55) {
        do_free(machine, false);
    } else if (dice < 65) {
        do_free(machine, true);
    } else if (dice < 75) {
        do_share(machine);
    } else if (dice < 90) {
        do_ref(machine);
    } else if (dice < 94) {
        do_run(machine);
    } else if (dice < 98) {
        do_free_run();
    } else if (dice < 99) {
        do_end(machine);
    } else {
        gmm_set_limit(gmm, below(3) == 0 ? N_USABLE / 2 : PLENTY);
    }
}

/* The bytes of pages in use are as we left them, and the counts are the table's. */
static void compare(void)
{
    uint64_t n_refs = 0;

    for (PageId id = MEM_CHUNK_PAGES; id < N_IDS; id++) {
        complain_if(model[id].owner != NOBODY && bytes_of(id)[id % MEM_PAGE_SIZE] != 0xa5,
                    "a page in use lost its bytes");
    }
    for (unsigned i = 0; i < N_VMS; i++) {
        GmmVmStats got = vm_stats(vms[i]);

        complain_if(got.allocated.n_pages[GMM_ACCOUNT_BASE] !=
                        count((int)i, GMM_ACCOUNT_BASE) + count_refs(i),
                    "BASE is miscounted");
        complain_if(got.allocated.n_pages[GMM_ACCOUNT_SHADOW] != count((int)i, GMM_ACCOUNT_SHADOW),
                    "SHADOW is miscounted");
        complain_if(got.allocated.n_pages[GMM_ACCOUNT_FIXED] != count((int)i, GMM_ACCOUNT_FIXED),
                    "FIXED is miscounted");
        n_refs += count_refs(i);
    }
    complain_if(stats().allocated != count_all(), "the total is miscounted");
    complain_if(stats().shared != count(SHARED, 0), "shared pages are miscounted");
    complain_if(stats().duplicates != n_refs - stats().shared, "duplicates are miscounted");
}

START_TEST(random_calls_agree_with_a_naive_table)
{
    setup_bare();
    gmm_vm_free(vm);
    gmm_vm_free(other);
    rng = g_rand_new_with_seed((guint32)_i);
    for (PageId id = 0; id < N_IDS; id++) {
        model[id].owner = NOBODY;
    }
    for (unsigned i = 0; i < N_VMS; i++) {
        new_machine(i);
    }
    for (unsigned batch = 0; batch < N_BATCHES; batch++) {
        g_autoptr(GString) report = g_string_new(NULL);

        for (unsigned i = 0; i < N_CALLS; i++) {
            one_call();
        }
        compare();
        ck_assert_msg(complaint == NULL, "seed %d batch %u: %s", _i, batch, complaint);
        ck_assert_msg(gmm_verify(gmm, report) == 0, "seed %d batch %u: %s", _i, batch, report->str);
    }
    for (unsigned op = 0; op < N_OPS; op++) {
        ck_assert_msg(n_done[op] > 0, "seed %d: operation %u never succeeded", _i, op);
    }
    for (unsigned i = 0; i < N_VMS; i++) {
        gmm_vm_free(vms[i]);
    }
    ck_assert_uint_eq(stats().allocated, 0);
    ck_assert_uint_le(stats().n_chunks, GMM_MAX_SPARE);
    vm = other = NULL;
    gmm_free(gmm);
    g_rand_free(rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gmm-model");
    TCase *tc = tcase_create("model");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_calls_agree_with_a_naive_table, 0, N_SEEDS);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
