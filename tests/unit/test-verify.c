/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker finds what is broken, and the words about maps and pages say what lies there.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)

static const PgmMmioOps ops = { .max_size = 4 };

static PgmMmio *mmio;
static PgmMmio2 *vram;
static PgmHandler *handler;

static PgmHandlerResult pass_on(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    (void)from;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

/* One of everything. */
static void setup(void)
{
    pgm_setup();
    mmio = pgm_mmio_new(pgm, 2 * PAGE, &ops, NULL, "vga", "window", NULL);
    vram = pgm_mmio2_new(pgm, "vga", 0, 4 * PAGE, true, "vram", NULL);
    ck_assert_int_eq(pgm_mmio_map(mmio, HIGH, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(mmio, PAGE, vram, PAGE), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, HOLE, 2 * PAGE, NULL, 0, 0x90, PGM_ROM_FLAG_SHADOWED,
                                      "board", "bios", NULL),
                     MEM_OK);
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    store(P, 1);
    store(P + PAGE, 1);
    handler = pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, P + PAGE, 8, pass_on, NULL, "h", NULL);
    (void)pgm_read_u32(pgm, P);
    check_sound();
}

static void teardown(void)
{
    g_clear_pointer(&handler, pgm_handler_free);
    pgm_teardown();
}

/* ---- one flaw each, undone afterwards */

static PgmRange *range_of(GPhys gpa)
{
    PgmPlace place;

    ck_assert(pgm_place_lookup(pgm, gpa, &place));
    return place.shown;
}

static PgmPage *page_of(GPhys gpa)
{
    PgmRange *range = range_of(gpa);

    return &range->pages[(gpa - range->start) / PAGE];
}

static PgmTlbSlot *slot_of(GPhys gpa)
{
    return &pgm->tlb.slots[(gpa >> MEM_PAGE_SHIFT) & pgm->tlb.mask];
}

static void flaw_count(void)
{
    pgm->stats.pages.private_pages++;
    pgm->stats.pages.zero--;
}

static void flaw_sum(void)
{
    pgm->stats.pages.all++;
}

static void flaw_same_id(void)
{
    *page_of(P) =
        pgm_page_with_backing(*page_of(P), PGM_PAGE_ALLOCATED, pgm_page_id(*page_of(P + PAGE)));
}

static void flaw_free_id(void)
{
    *page_of(P) =
        pgm_page_with_backing(*page_of(P), PGM_PAGE_ALLOCATED, pgm->handy.pages[0].id + 100000);
}

static void flaw_no_id(void)
{
    *page_of(P) = pgm_page_with_backing(*page_of(P), PGM_PAGE_ALLOCATED, 0);
}

static void flaw_shared_private(void)
{
    *page_of(P) = pgm_page_with_backing(*page_of(P), PGM_PAGE_SHARED, pgm_page_id(*page_of(P)));
}

static void flaw_type(void)
{
    *page_of(P) |= pgm_page_make(PGM_PAGE_ROM, PGM_PAGE_ZERO, 0);
}

static void flaw_state(void)
{
    *page_of(P) |= pgm_page_make(PGM_PAGE_RAM, (PgmPageState)7, 0);
}

static void flaw_written(void)
{
    PgmPage *page = page_of(ABOVE);

    *page |= PGM_PAGE_WRITTEN_BIT;
    pgm->stats.pages.written++;
}

static void flaw_handler_bits(void)
{
    *page_of(P) = pgm_page_with_handler(*page_of(P), PGM_HANDLER_ALL);
}

static void flaw_handler_gone(void)
{
    *page_of(P + PAGE) = pgm_page_with_handler(*page_of(P + PAGE), PGM_HANDLER_NONE);
}

static void flaw_tlb_address(void)
{
    slot_of(P)->addend += 8;
}

static void flaw_tlb_write(void)
{
    *slot_of(P + PAGE) =
        (PgmTlbSlot) { pgm_tlb_tag(P + PAGE, MEM_ACCESS_WRITE), slot_of(P)->addend };
    PgmTlbSlot *slot = slot_of(P + PAGE);

    slot->addend = (uint64_t)(uintptr_t)pgm_host(pgm, page_at(P + PAGE).id) - (P + PAGE);
}

static void flaw_tlb_tag(void)
{
    slot_of(P)->tag |= 1;
}

static void flaw_tlb_slot(void)
{
    *slot_of(P + 7 * PAGE) = *slot_of(P);
}

static void flaw_tlb_nowhere(void)
{
    slot_of(ABOVE + 0x100000)->tag = pgm_tlb_tag(ABOVE + 0x100000, MEM_ACCESS_READ);
}

static void flaw_rom(void)
{
    *page_of(HOLE) = pgm_page_with_backing(*page_of(HOLE), PGM_PAGE_ZERO, 0);
}

static void flaw_mmio2_run(void)
{
    PgmPage *pages = range_of(ABOVE)->pages;
    PgmPage swap = pages[0];

    pages[0] = pages[2];
    pages[2] = swap;
}

static void flaw_untracked(void)
{
    PgmPage *page = page_of(ABOVE);

    *page = pgm_page_with_backing(*page, PGM_PAGE_ALLOCATED, pgm_page_id(*page));
    pgm->stats.pages.monitored--;
}

static void flaw_alias(void)
{
    *page_of(HIGH + PAGE) += 1;
}

static void flaw_alias_count(void)
{
    pgm_mmio_of(range_of(HIGH))->n_aliases++;
}

static void flaw_span_order(void)
{
    PgmSpan swap = pgm->spans.spans[0];

    pgm->spans.spans[0] = pgm->spans.spans[1];
    pgm->spans.spans[1] = swap;
}

static void flaw_span_short(void)
{
    pgm->spans.spans[pgm->spans.n - 1].last -= PAGE;
}

static void flaw_cache(void)
{
    for (unsigned i = 0; i < PGM_RANGE_CACHE_SLOTS; i++) {
        if (pgm->spans.cache[i].range) {
            pgm->spans.cache[i].last += PAGE;
            return;
        }
    }
    ck_abort_msg("the cache is empty");
}

static void flaw_batch(void)
{
    pgm->batch_depth++;
}

static void flaw_stock(void)
{
    pgm->handy.n--;
}

static void flaw_handler_order(void)
{
    PgmRange *range = range_of(P);

    ck_assert_ptr_nonnull(
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, P + PAGE + 8, 8, pass_on, NULL, "h2", NULL));
    void *swap = range->handlers->pdata[0];

    range->handlers->pdata[0] = range->handlers->pdata[1];
    range->handlers->pdata[1] = swap;
}

static void flaw_lock_lost(void)
{
    range_of(P)->n_locks++;
}

static void flaw_locked_zero(void)
{
    PgmRange *range = range_of(P);

    pgm_page_set_locks(range, (P - range->start) / PAGE + 2, PGM_RECORD_FRONT, 0, 1);
}

static void flaw_lock_count(void)
{
    pgm->stats.pages.write_locked++;
}

static void flaw_untouched(void)
{
    PgmRange *range = range_of(P);

    memset(range->touched, 0, 8);
}

static void flaw_handy_twice(void)
{
    pgm->handy.pages[0] = pgm->handy.pages[1];
}

static void flaw_handy_in_use(void)
{
    pgm->handy.pages[0].id = page_at(P).id;
}

static void flaw_rom_bytes(void)
{
    pgm_host(pgm, page_at(HOLE).id)[5] ^= 1;
}

static void flaw_rom_prot(void)
{
    pgm_rom_of(range_of(HOLE))->prot[0] = PGM_N_ROM_PROTS;
}

static void flaw_executed(void)
{
    (void)fill(P, MEM_ACCESS_EXEC);
    pgm->any_executed = false;
}

static void flaw_nowhere(void)
{
    range_of(LOW)->start = MEM_GPHYS_NIL;
}

static void flaw_shown(void)
{
    range_of(HIGH)->shown_pages = 0;
}

static void (*const flaws[])(void) = {
    flaw_lock_lost,    flaw_locked_zero,   flaw_lock_count,     flaw_untouched,   flaw_handy_twice,
    flaw_handy_in_use, flaw_rom_bytes,     flaw_rom_prot,       flaw_executed,    flaw_nowhere,
    flaw_shown,        flaw_handler_order, flaw_count,          flaw_sum,         flaw_same_id,
    flaw_free_id,      flaw_no_id,         flaw_shared_private, flaw_type,        flaw_state,
    flaw_written,      flaw_handler_bits,  flaw_handler_gone,   flaw_tlb_address, flaw_tlb_write,
    flaw_tlb_slot,     flaw_tlb_nowhere,   flaw_tlb_tag,        flaw_rom,         flaw_mmio2_run,
    flaw_untracked,    flaw_alias,         flaw_alias_count,    flaw_span_order,  flaw_span_short,
    flaw_cache,        flaw_batch,         flaw_stock,
};

/* Runs in a process of its own that ends without teardown: what is broken stays broken. */
START_TEST(flaw_is_reported)
{
    g_autoptr(GString) report = g_string_new(NULL);

    setup();
    flaws[_i]();
    unsigned n = pgm_verify(pgm, report);

    ck_assert_msg(n > 0, "nothing was found");
    ck_assert_uint_gt(report->len, 10);
    ck_assert_uint_eq(pgm_verify(pgm, NULL), n);
}
END_TEST

START_TEST(looking_is_no_event)
{
    PgmStats before = stats();

    ck_assert_uint_eq(pgm_verify(pgm, NULL), 0);
    PgmStats after = stats();

    ck_assert_mem_eq(&before, &after, sizeof before);
}
END_TEST

/* ---- words */

START_TEST(page_is_described)
{
    static const struct {
        GPhys gpa;
        const char *says[4];
    } cases[] = {
        { P, { "RAM \"high\" 0x102000-0x4fffff", "allocated", "host page 0x" } },
        { P + PAGE, { "handler write" } },
        { HOLE, { "ROM \"bios\" 0xc0000-0xc1fff of board", "page ROM, shared" } },
        { HIGH, { "MMIO \"window\"", "of vga", "over RAM" } },
        { HIGH + PAGE, { "MMIO2 alias" } },
        { ABOVE + 2 * PAGE, { "MMIO2 \"vram\"", "write-monitored" } },
        { ABOVE + 0x100000, { "0x10100000: nothing is registered here" } },
    };
    g_autofree char *text = pgm_describe(pgm, cases[_i].gpa);

    for (unsigned i = 0; i < 4 && cases[_i].says[i]; i++) {
        ck_assert_msg(strstr(text, cases[_i].says[i]) != NULL, "%s", text);
    }
    ck_assert_ptr_null(strchr(text, '\n'));
}
END_TEST

START_TEST(map_lists_runs_of_equal_pages)
{
    g_autoptr(GString) text = g_string_new(NULL);

    ck_assert_int_eq(pgm_ram_register(pgm, UINT64_C(1) << 40, UINT64_C(1) << 40, "huge", NULL),
                     MEM_OK);
    store((UINT64_C(1) << 40) + 600 * PAGE, 1);
    store((UINT64_C(1) << 40) + 601 * PAGE, 1);
    pgm_print_map(pgm, text);
    static const char *const lines[] = {
        "0000000000000000-000000000009ffff RAM \"low\"\n",
        "  0000000000000000-000000000009ffff        160 pages  RAM         zero           \n",
        "  0000000000100000-0000000000100fff          1 pages  MMIO        zero            over",
        "  0000000000101000-0000000000101fff          1 pages  MMIO2 alias ",
        "  0000000000102000-0000000000104fff          3 pages  RAM         zero ",
        "  0000000000105000-0000000000105fff          1 pages  RAM         allocated ",
        "  0000000000106000-0000000000106fff          1 pages  RAM         allocated       handler",
        "  0000000000107000-00000000004fffff       1017 pages  RAM         zero ",
        "00000000000c0000-00000000000c1fff ROM \"bios\" of board\n",
        "  0000010000000000-0000010000257fff        600 pages  RAM         zero ",
        "  0000010000258000-0000010000259fff          2 pages  RAM         allocated ",
        "  000001000025a000-000001ffffffffff  268434854 pages  RAM         zero ",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        ck_assert_msg(strstr(text->str, lines[i]) != NULL, "no \"%s\" in\n%s", lines[i], text->str);
    }
    unsigned n_lines = 0;

    for (const char *c = text->str; *c; c++) {
        n_lines += *c == '\n';
    }
    ck_assert_uint_lt(n_lines, 30);
}
END_TEST

START_TEST(descriptions_may_be_missing)
{
    g_autofree char *text = NULL;
    PgmHandler *nameless =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, P, 4, pass_on, NULL, NULL, NULL);

    ck_assert_ptr_nonnull(nameless);
    ck_assert_ptr_null(
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, P, 4, pass_on, NULL, NULL, NULL));
    pgm_handler_free(nameless);
    ck_assert_int_eq(pgm_ram_register(pgm, 2 * ABOVE, PAGE, NULL, NULL), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, 3 * ABOVE, PAGE, NULL, 0, 0, 0, NULL, NULL, NULL),
                     MEM_OK);
    text = pgm_describe(pgm, 3 * ABOVE);
    ck_assert_msg(strstr(text, "ROM \"\" 0x30000000-0x30000fff; page ROM") != NULL, "%s", text);
}
END_TEST

START_TEST(names_are_total)
{
    for (int i = -1; i <= PGM_N_PAGE_TYPES; i++) {
        bool known = i >= 0 && i < PGM_N_PAGE_TYPES;

        ck_assert_int_eq(strcmp(pgm_page_type_name((PgmPageType)i), "unknown type") != 0, known);
    }
    for (int i = -1; i <= PGM_N_PAGE_STATES; i++) {
        bool known = i >= 0 && i < PGM_N_PAGE_STATES;

        ck_assert_int_eq(strcmp(pgm_page_state_name((PgmPageState)i), "unknown state") != 0, known);
    }
    ck_assert_str_eq(pgm_range_kind_name((PgmRangeKind)17), "unknown kind");
    ck_assert_str_eq(pgm_name(pgm), "machine");
    ck_assert_ptr_eq(pgm_gmm(pgm), gmm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("flaws");

    tcase_add_loop_test(tcase, flaw_is_reported, 0, G_N_ELEMENTS(flaws));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("words");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, looking_is_no_event);
    tcase_add_loop_test(tcase, page_is_described, 0, 7);
    tcase_add_test(tcase, map_lists_runs_of_equal_pages);
    tcase_add_test(tcase, descriptions_may_be_missing);
    tcase_add_test(tcase, names_are_total);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
