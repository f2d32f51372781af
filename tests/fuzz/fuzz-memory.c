/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory operations of two machines that share one allocator, against arrays of bytes
 * (memory-naive.h).
 *
 * Input: records of 16 bytes: what to do, on which machine, places and lengths (struct Op); the
 * custom mutator keeps them aligned.
 *
 * Checked: what is read is what the arrays say; both checkers find everything sound now and then;
 * at the end nothing is left allocated.
 */
#include "tests/fuzz/memory-naive.h"

#define RECORD 16u
#define MAX_RECORDS 128u
#define VERIFY_EVERY 32u /* operations */

G_STATIC_ASSERT(sizeof(Op) == RECORD);

Gmm *memory_gmm;
static Machine machines[N_MACHINES];

static void run_op(const Op *op)
{
    Machine *m = &machines[op->machine % N_MACHINES];
    OpFunc func = (op->what & 16) != 0 ? life_ops[op->what % 16] : access_ops[op->what % 16];

    func(m, op);
}

static void verify(void)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n_bad = gmm_verify(memory_gmm, report);

    for (unsigned i = 0; i < N_MACHINES; i++) {
        n_bad += pgm_verify(machines[i].pgm, report);
    }
    fuzz_check(n_bad == 0, "%s", report->str);
}

static void check_bytes(Machine *m)
{
    static uint8_t got[PAGE];
    static uint8_t want[PAGE];

    for (unsigned page = 0; page < ALL_PAGES; page++) {
        uint64_t at = (uint64_t)page * PAGE;

        (void)pgm_read(m->pgm, at, got, PAGE, MEM_ORIGIN_DEBUGGER);
        want_bytes(m, at, want, PAGE);
        fuzz_check(memcmp(got, want, PAGE) == 0, "page %u differs", page);
    }
    for (unsigned page = 0; page < BIG_PAGES; page++) {
        uint64_t value = pgm_read_u64(m->pgm, BIG_START + (uint64_t)page * PAGE + BIG_WORD);

        fuzz_check(value == m->now.big[page], "page %u of the large RAM", page);
    }
}

static void free_gmm(void)
{
    gmm_free(memory_gmm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GmmStats stats;

    if (memory_gmm == NULL) {
        memory_gmm = gmm_new(UINT64_C(64) << 20, NULL);
        atexit(free_gmm);
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        machine_start(&machines[i], i);
    }
    for (unsigned i = 0; i < MIN(size / RECORD, MAX_RECORDS); i++) {
        Op op;

        memcpy(&op, data + i * RECORD, sizeof op);
        run_op(&op);
        if (i % VERIFY_EVERY == VERIFY_EVERY - 1) {
            verify();
        }
    }
    for (unsigned i = 0; i < N_MACHINES; i++) {
        check_bytes(&machines[i]);
    }
    verify();
    for (unsigned i = 0; i < N_MACHINES; i++) {
        give_room(&machines[i]);
        machine_end(&machines[i]);
    }
    gmm_get_stats(memory_gmm, &stats);
    fuzz_check(stats.allocated == 0 && stats.reserved == 0, "%lu pages are left",
               (unsigned long)stats.allocated);
    return 0;
}

/* ---- mutating */

/* Operations on the same pages have more to do with each other, and most numbers that mean
 * something are small. */
static Op draw_op(const Op *before, GRand *rand)
{
    Op op = *before;

    op.what = (uint8_t)g_rand_int_range(rand, 0, 32);
    if (g_rand_int_range(rand, 0, 4) == 0) {
        op.machine ^= 1;
    }
    if (g_rand_boolean(rand)) {
        op.page = (uint16_t)g_rand_int_range(rand, 0, ALL_PAGES);
    }
    op.page2 = g_rand_boolean(rand) ? op.page : (uint16_t)g_rand_int_range(rand, 0, ALL_PAGES);
    op.offset = (uint16_t)(g_rand_boolean(rand) ? g_rand_int_range(rand, 0, PAGE)
                                                : 8 * g_rand_int_range(rand, 0, 4));
    op.len = (uint16_t)(g_rand_boolean(rand) ? g_rand_int_range(rand, 0, 4 * PAGE)
                                             : g_rand_int_range(rand, 0, 16));
    op.value = (uint16_t)(g_rand_boolean(rand) ? g_rand_int_range(rand, 0, 32)
                                               : g_rand_int_range(rand, 0, 65536));
    return op;
}

/* Whole records come, go and are drawn anew; their bytes are libFuzzer's to change. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t n = size / RECORD;
    size_t max = MIN(max_size / RECORD, MAX_RECORDS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    unsigned what = (unsigned)g_rand_int_range(rand, 0, 5);
    size_t at = n > 0 ? (size_t)g_rand_int_range(rand, 0, (gint32)n) : 0;
    Op op = { 0 };

    if (max == 0) {
        return size;
    }
    n = MIN(n, max);
    at = MIN(at, n);
    if (n == 0 || (what < 2 && n < max)) {
        if (at > 0) {
            memcpy(&op, data + (at - 1) * RECORD, RECORD);
        }
        op = draw_op(&op, rand);
        memmove(data + (at + 1) * RECORD, data + at * RECORD, (n - at) * RECORD);
        memcpy(data + at * RECORD, &op, RECORD);
        return (n + 1) * RECORD;
    }
    at = MIN(at, n - 1);
    if (what == 2 && n > 1) {
        memmove(data + at * RECORD, data + (at + 1) * RECORD, (n - at - 1) * RECORD);
        return (n - 1) * RECORD;
    }
    if (what == 3 && n < max) {
        /* Twice, so that a change has something to be compared with. */
        memmove(data + (at + 1) * RECORD, data + at * RECORD, (n - at) * RECORD);
        n++;
    }
    (void)LLVMFuzzerMutate(data + at * RECORD, RECORD, RECORD);
    return n * RECORD;
}
