/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters by name and info items: every name once and in order, globs, resets; each item says the
 * facts of a small map; bad requests list what there is.
 */
#include "tests/unit/pgm-fixture.h"

#include "memsys/balloon.h"
#include "memsys/dirty.h"
#include "memsys/info.h"
#include "memsys/mm_heap.h"
#include "memsys/snapshot.h"

static const PgmMmioOps no_device = { .max_size = 4 };

static void setup(void)
{
    pgm_setup();
}

static void teardown(void)
{
    pgm_teardown();
}

/* ---- counters */

typedef struct Seen {
    unsigned n;
    char *last;
    uint64_t value;
    bool is_counter;
} Seen;

static void see(const PgmStat *stat, void *user)
{
    Seen *seen = user;

    ck_assert_ptr_nonnull(stat->unit);
    ck_assert(stat->description[0] != '\0' && strchr(stat->description, '\n') == NULL);
    ck_assert_msg(seen->last == NULL || strcmp(seen->last, stat->name) < 0, "%s before %s",
                  seen->last, stat->name);
    g_free(seen->last);
    seen->last = g_strdup(stat->name);
    seen->value = stat->value;
    seen->is_counter = stat->is_counter;
    seen->n++;
}

static unsigned count(const char *glob)
{
    Seen seen = { 0 };
    unsigned n = pgm_stats_foreach(pgm, glob, see, &seen);

    ck_assert_uint_eq(n, seen.n);
    g_free(seen.last);
    return n;
}

static uint64_t value(const char *name)
{
    Seen seen = { 0 };

    ck_assert_msg(pgm_stats_foreach(pgm, name, see, &seen) == 1, "%s", name);
    g_free(seen.last);
    return seen.value;
}

START_TEST(names_are_sorted_and_unique)
{
    ck_assert_uint_gt(count(NULL), 60);
    ck_assert_uint_eq(count("*"), count(NULL));
    ck_assert_uint_eq(count("/GMM/*") + count("/MM/*") + count("/PGM/*"), count(NULL));
}
END_TEST

static const struct {
    const char *glob;
    const char *name;
    bool matches;
} globs[] = {
    { "", "", true },          { "", "a", false },       { "*", "", true },
    { "*", "a/b", true },      { "?", "", false },       { "?", "a", true },
    { "a*c", "abbc", true },   { "a*c", "abcb", false }, { "a*b*c", "axbxbxc", true },
    { "**a", "ba", true },     { "a?c", "a/c", true },   { "abc", "ab", false },
    { "ab", "abc", false },    { "*ab", "aab", true },   { "/P*/c?", "/PGM/x/cA", true },
    { "*aab*", "aaab", true }, { "a", "A", false },
};

START_TEST(glob_matches)
{
    ck_assert_msg(pgm_stat_name_matches(globs[_i].glob, globs[_i].name) == globs[_i].matches,
                  "%s %s", globs[_i].glob, globs[_i].name);
}
END_TEST

START_TEST(values_are_those_of_the_structs)
{
    store(HIGH, 1);
    store(HIGH + 3 * PAGE, 1);
    PgmStats s = stats();
    GmmStats g;

    gmm_get_stats(gmm, &g);
    ck_assert_uint_eq(value("/PGM/Page/cPrivatePages"), 2);
    ck_assert_uint_eq(value("/PGM/Page/cZeroPages"), s.pages.zero);
    ck_assert_uint_eq(value("/PGM/Page/cAllPages"), s.pages.all);
    ck_assert_uint_eq(value("/PGM/Page/ReplacedZero"), 2);
    ck_assert_uint_eq(value("/PGM/Page/cHandyPages"), s.handy_pages);
    ck_assert_uint_eq(value("/PGM/TLB/Fills"), s.tlb_fills);
    ck_assert_uint_eq(value("/PGM/RamRange/TlbMisses"), s.range_cache_misses);
    ck_assert_uint_eq(value("/GMM/cAllocatedPages"), g.allocated);
    ck_assert_uint_eq(value("/GMM/cRegisteredVMs"), 1);
    ck_assert_uint_eq(value("/GMM/VM/cPrivatePages"), g.allocated);
    ck_assert_uint_eq(value("/MM/Reserved/cBasePages"), value("/GMM/VM/Reserved/cBasePages"));
    ck_assert_uint_eq(value("/MM/Reserved/cHandyPages"), 128);
    ck_assert_uint_eq(value("/PGM/CPU0/fA20Enabled"), 1);
}
END_TEST

static PgmHandlerResult ignore(Pgm *p, const PgmHandlerAccess *access, void *user)
{
    (void)p;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

START_TEST(rare_events_are_counted)
{
    uint8_t bytes[16] = { 1 };
    uint64_t dirty = 0;
    PgmHandler *handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, HIGH, 1, ignore, NULL, "h", NULL);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, PAGE, true, "vram", NULL);

    ck_assert(handler != NULL && vram != NULL);
    ck_assert_int_eq(pgm_write(pgm, LOW, bytes, sizeof bytes, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_read(pgm, LOW, bytes, 5, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_int_eq(pgm_read(pgm, LOW, bytes, 6, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(value("/PGM/Phys/Read"), 2);
    ck_assert_uint_eq(value("/PGM/Phys/Read/Bytes"), 11);
    ck_assert_uint_eq(value("/PGM/Phys/Write"), 1);
    ck_assert_uint_eq(value("/PGM/Phys/Write/Bytes"), 16);

    pgm_handler_reset(handler); /* was not off */
    ck_assert_int_eq(pgm_handler_page_off(handler, HIGH), MEM_OK);
    pgm_handler_reset(handler);
    ck_assert_uint_eq(value("/PGM/PhysHandlerTree/Inserts"), 1);
    ck_assert_uint_eq(value("/PGM/PhysHandlerReset"), 1);
    ck_assert_uint_eq(value("/PGM/PhysHandlerTree/Removals"), 0);
    pgm_handler_free(handler);
    ck_assert_uint_eq(value("/PGM/PhysHandlerTree/Removals"), 1);

    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 7), MEM_ERR_INVALID_PARAMETER);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 1), MEM_OK);
    ck_assert_uint_eq(value("/PGM/Mmio2QueryAndResetDirtyBitmap"), 1);

    pgm_cpu_set_a20(cpu, true); /* it was */
    pgm_cpu_set_a20(cpu, false);
    pgm_cpu_set_a20(cpu, true);
    ck_assert_uint_eq(value("/PGM/CPU0/cA20Changes"), 2);
    pgm_reset_stats(pgm);
    ck_assert_uint_eq(value("/PGM/CPU0/cA20Changes"), 0);
}
END_TEST

static void check_reset(const PgmStat *stat, void *user)
{
    unsigned *n = user;

    *n += stat->is_counter;
    ck_assert_msg(!stat->is_counter || stat->value == 0, "%s", stat->name);
}

START_TEST(reset_clears_counters_and_nothing_else)
{
    unsigned n = 0;

    store(HIGH, 1);
    (void)pgm_read_u32(pgm, ABOVE);
    ck_assert_uint_eq(value("/PGM/Unassigned/Reads"), 1);
    pgm_reset_stats(pgm);
    pgm_stats_foreach(pgm, NULL, check_reset, &n);
    ck_assert_uint_gt(n, 15);
    ck_assert_uint_eq(value("/PGM/Page/cPrivatePages"), 1);
    ck_assert_uint_gt(value("/PGM/Page/cHandyPages"), 0);
}
END_TEST

START_TEST(heap_is_counted_by_tag)
{
    unsigned before = count(NULL);
    void *block = mm_heap_alloc(pgm_heap(pgm), "vga", 100);

    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq(count("/MM/Heap/vga/*"), 7);
    ck_assert_uint_eq(count(NULL), before + 7);
    ck_assert_uint_eq(value("/MM/Heap/vga/cAllocations"), 1);
    ck_assert_uint_eq(value("/MM/Heap/cbCurAllocated"), value("/MM/Heap/vga/cbCurAllocated"));
    ck_assert_uint_ge(value("/MM/Heap/cbCurAllocated"), 100);
    mm_heap_free(pgm_heap(pgm), block);
    ck_assert_uint_eq(value("/MM/Heap/vga/cbCurAllocated"), 0);
}
END_TEST

/* ---- items */

static char *info(const char *request)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_msg(pgm_info(pgm, request, text, &error), "%s: %s", request,
                  error ? error->message : "");
    ck_assert_msg(text->len > 0 && text->str[text->len - 1] == '\n', "%s: '%s'", request,
                  text->str);
    return g_string_free(text, FALSE);
}

static void check_says(const char *request, const char *const *facts)
{
    g_autofree char *text = info(request);

    for (; *facts != NULL; facts++) {
        ck_assert_msg(strstr(text, *facts) != NULL, "%s: no \"%s\" in\n%s", request, *facts, text);
    }
}

static void hit(Pgm *p, const PgmWatchHit *h, void *user)
{
    (void)p;
    (void)h;
    (void)user;
}

/* A ROM with RAM behind, MMIO over RAM, device memory, a handler and a watch. */
static void furnish(PgmHandler **ret_handler, PgmWatch **ret_watch)
{
    PgmMmio *window = pgm_mmio_new(pgm, 2 * PAGE, &no_device, NULL, "vga", "window", NULL);
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 1, 4 * PAGE, true, "vram", NULL);

    ck_assert_int_eq(pgm_rom_register(pgm, HOLE, 2 * PAGE, "x", 1, 0xff, PGM_ROM_FLAG_SHADOWED,
                                      "board", "bios", NULL),
                     MEM_OK);
    ck_assert_int_eq(pgm_rom_protect(pgm, HOLE, PAGE, PGM_ROM_READ_ROM_WRITE_RAM), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(window, HIGH, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(window, PAGE, vram, 2 * PAGE), MEM_OK);
    store(ABOVE, 1);
    store(HIGH + 4 * PAGE, 1);
    *ret_handler = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, HIGH + 5 * PAGE, 16, ignore, NULL,
                                   "guard", NULL);
    *ret_watch = pgm_watch_new(pgm, HIGH + 6 * PAGE, 8, MEM_ACCESS_WRITE, false, hit, NULL, NULL);
    ck_assert(*ret_handler != NULL && *ret_watch != NULL);
}

static const struct {
    const char *request;
    const char *facts[8];
} items[] = {
    { "phys",
      { "RAM \"low\"", "ROM \"bios\" of board", "reads ROM, writes RAM",
        "reads ROM, ignores writes", "over RAM \"high\"", "handler write \"guard\"\n",
        "MMIO \"window\" of vga", "MMIO2 alias write-monitored of \"vram\" over" } },
    { " phys ", { "RAM \"low\"" } },
    { "rom",
      { "\"bios\" of board, with RAM behind", "offset        0        1 pages  reads ROM, wr" } },
    { "mmio", { "\"window\" of vga, over RAM \"high\"", "2 pages, accesses of 1 to 4 bytes" } },
    { "mmio2", { "\"vram\" of vga", "region 1, 4 of 4 pages shown", "1 dirty pages" } },
    { "snapshots", { "no snapshots\n" } },
    { "dirty", { "no dirty clients\n" } },
    { "heap", { "bytes now", "all " } },
    { "handlers", { "0000000000105000-000000000010500f", "write \"guard\"" } },
    { "watches", { "0000000000106000-0000000000106007 physical -w-, told after" } },
    { "tlb", { "page-map TLB: ", " in use", "range cache: hits" } },
    { "gmm", { "allocated of at most", "machine \"", "base ", "pages free", "1 runs" } },
    { "page c0000",
      { "ROM \"bios\"", "ROM protection: reads ROM, writes RAM", "page: type ROM, state ",
        "RAM behind: type ROM shadow, state zero", "reads the zero page" } },
    { "page 0x100000",
      { "MMIO \"window\"", "beneath: \"high\"", "page beneath: type RAM, state zero" } },
    { "page 104000",
      { "page: type RAM, state allocated", "executed no", "private to this machine",
        "locks: 0 read, 0 write", "page 4 of 1024 of its range" } },
    { "page 105fff", { "handler: write" } },
    { "page 106000", { "watched for writes\n" } },
    { "page FFFFFFFFFFFFFFFF", { "nothing is registered here" } },
    { "stats /PGM/Page/cAllPages", { "/PGM/Page/cAllPages", "pages", "of all types" } },
    { "stats", { "/GMM/cChunks", "/PGM/Watch/Hits" } },
};

START_TEST(item_says)
{
    PgmHandler *handler = NULL;
    PgmWatch *watch = NULL;

    furnish(&handler, &watch);
    const char *facts[G_N_ELEMENTS(items[0].facts) + 1] = { NULL };

    memcpy(facts, items[_i].facts, sizeof items[_i].facts);
    check_says(items[_i].request, facts);
    pgm_watch_free(watch);
    pgm_handler_free(handler);
}
END_TEST

START_TEST(map_names_few_handlers_and_counts_the_rest)
{
    PgmHandler *handlers[7];

    for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++) {
        g_autofree char *name = g_strdup_printf("h%u", i);

        /* All in one run of pages. */
        handlers[i] = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, HIGH + (8 + i / 2) * PAGE + i, 1,
                                      ignore, NULL, name, NULL);
        ck_assert_ptr_nonnull(handlers[i]);
    }
    check_says("phys", (const char *const[]) {
                           " handler write \"h0\" \"h1\" \"h2\" \"h3\" and 3 more\n", NULL });
    for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++) {
        pgm_handler_free(handlers[i]);
    }
}
END_TEST

START_TEST(snapshots_and_dirty_clients_are_shown)
{
    store(HIGH, 1);
    PgmSnapshot *first = pgm_snapshot_take(pgm, "first", PGM_SNAPSHOT_DEFAULT, NULL);
    PgmSnapshot *second = pgm_snapshot_take(pgm, "second", PGM_SNAPSHOT_DEFAULT, NULL);
    PgmDirty *dirty = pgm_dirty_new(pgm, "debugger", NULL);

    ck_assert(first != NULL && second != NULL && dirty != NULL);
    store(HIGH, 2);
    store(HIGH + PAGE, 2);
    check_says("snapshots",
               (const char *const[]) { "2 snapshots; 2 pages written since", "\n\"first\"\n",
                                       "\n  \"second\", 0 pages from its parent; the "
                                       "machine runs from here\n",
                                       NULL });
    check_says("dirty", (const char *const[]) { "\"debugger\": 2 pages written", NULL });
    check_says("page 100000", (const char *const[]) { "dirty for \"debugger\"\n",
                                                      "kept by the snapshot yes", NULL });
    ck_assert_uint_eq(value("/PGM/Snapshot/cSnapshots"), 2);
    ck_assert_uint_eq(value("/PGM/Snapshot/cLivePages"), 2);
    ck_assert_uint_eq(value("/PGM/Dirty/cClients"), 1);
    pgm_dirty_free(dirty);
    pgm_snapshot_drop(second);
    pgm_snapshot_drop(first);
}
END_TEST

START_TEST(items_of_an_empty_map_say_so)
{
    static const char *const nothing[][2] = {
        { "rom", "no ROM\n" },
        { "mmio", "no MMIO\n" },
        { "mmio2", "no device memory\n" },
        { "handlers", "no handlers\n" },
        { "watches", "no watches\n" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(nothing); i++) {
        g_autofree char *text = info(nothing[i][0]);

        ck_assert_str_eq(text, nothing[i][1]);
    }
}
END_TEST

START_TEST(every_listed_item_answers)
{
    unsigned n = 0;

    for (const PgmInfoItem *item = pgm_info_items(); item->name != NULL; item++, n++) {
        bool page = strcmp(item->name, "page") == 0;
        g_autofree char *request = g_strconcat(item->name, page ? " 0" : "", NULL);
        g_autofree char *text = info(request);

        ck_assert_ptr_nonnull(text);
        ck_assert_ptr_nonnull(item->description);
    }
    ck_assert_uint_ge(n, 10);
}
END_TEST

static const struct {
    const char *request;
    const char *says;
} bad[] = {
    { "", "there is no info item ''; there are phys, page ADDRESS, " },
    { "frob", "there is no info item 'frob'; there are phys" },
    { "phy", "there is no info item 'phy'" },
    { "Phys", "there is no info item 'Phys'" },
    { "tlb 1", "'tlb' takes nothing behind it: leave '1' away" },
    { "page", "'' is no address" },
    { "page 0x", "'0x' is no address" },
    { "page 1g", "'1g' is no address" },
    { "page -1", "'-1' is no address" },
    { "page 10000000000000000", "is no address" },
    { "stats /Frob", "no counter is called '/Frob'" },
};

START_TEST(bad_request_is_refused)
{
    g_autoptr(GString) text = g_string_new("kept");
    g_autoptr(GError) error = NULL;

    ck_assert(!pgm_info(pgm, bad[_i].request, text, &error));
    ck_assert_str_eq(text->str, "kept");
    ck_assert(g_error_matches(error, MEM_ERROR, MEM_ERR_INVALID_PARAMETER));
    ck_assert_msg(strstr(error->message, bad[_i].says) != NULL, "%s", error->message);
}
END_TEST

/* How long a map is, the guest decides. */
START_TEST(endless_map_ends)
{
    const unsigned n = 10500; /* pages given away, each between two that were not */
    const GPhys start = UINT64_C(1) << 32;
    g_autofree GPhys *gpas = g_new(GPhys, n);
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned n_lines = 0;

    ck_assert_int_eq(pgm_ram_register(pgm, start, (2 * (uint64_t)n + 1) << 12, "striped", NULL),
                     MEM_OK);
    for (unsigned i = 0; i < n; i++) {
        gpas[i] = start + ((2 * (uint64_t)i + 1) << 12);
    }
    ck_assert_int_eq(pgm_balloon_inflate(pgm, gpas, n), MEM_OK);
    pgm_print_map(pgm, text);
    for (const char *at = text->str; (at = strchr(at, '\n')) != NULL; at++) {
        n_lines++;
    }
    ck_assert_uint_eq(n_lines, 10000 + 1 + pgm_range_count(pgm));
    ck_assert_msg(g_str_has_suffix(text->str, " more runs of pages\n"), "%s",
                  text->str + text->len - 100);
    ck_assert_ptr_nonnull(strstr(text->str, "... and 11"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("info");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, names_are_sorted_and_unique);
    tcase_add_loop_test(all, glob_matches, 0, G_N_ELEMENTS(globs));
    tcase_add_test(all, values_are_those_of_the_structs);
    tcase_add_test(all, rare_events_are_counted);
    tcase_add_test(all, reset_clears_counters_and_nothing_else);
    tcase_add_test(all, heap_is_counted_by_tag);
    tcase_add_loop_test(all, item_says, 0, G_N_ELEMENTS(items));
    tcase_add_test(all, endless_map_ends);
    tcase_add_test(all, map_names_few_handlers_and_counts_the_rest);
    tcase_add_test(all, snapshots_and_dirty_clients_are_shown);
    tcase_add_test(all, items_of_an_empty_map_say_so);
    tcase_add_test(all, every_listed_item_answers);
    tcase_add_loop_test(all, bad_request_is_refused, 0, G_N_ELEMENTS(bad));
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
