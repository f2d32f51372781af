/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access handlers: whose bytes they are, what they are given, what their answers do, and what the
 * page's record says.
 */
#include "tests/unit/pgm-fixture.h"

#define P (HIGH + 5 * PAGE)

/* What a handler does and saw. */
typedef struct Hook {
    PgmHandler *handler;
    PgmHandlerResult result;
    uint8_t fill; /* for reads that it handles */
    bool poke_host;
    void (*trick)(struct Hook *hook);
    unsigned n;
    PgmHandlerAccess last;
    uint8_t bytes[64];
} Hook;

static Hook one, two;

static PgmHandlerResult hooked(Pgm *from, const PgmHandlerAccess *access, void *user)
{
    Hook *hook = user;
    PgmHandlerResult result = hook->result;

    ck_assert_ptr_eq(from, pgm);
    hook->n++;
    hook->last = *access;
    if (access->access == MEM_ACCESS_WRITE) {
        memcpy(hook->bytes, access->buf, MIN(access->len, sizeof hook->bytes));
        if (hook->poke_host) {
            memset(access->host, 0xbb, access->len);
        }
    } else if (result == PGM_HANDLER_HANDLED) {
        memset(access->buf, hook->fill, access->len);
    }
    if (hook->trick) {
        hook->trick(hook);
    }
    return result;
}

static void setup(void)
{
    pgm_setup();
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    one.fill = 0x31;
    two.fill = 0x32;
}

static void teardown(void)
{
    g_clear_pointer(&one.handler, pgm_handler_free);
    g_clear_pointer(&two.handler, pgm_handler_free);
    pgm_teardown();
}

static void hook_on(Hook *hook, PgmHandlerKind kind, GPhys start, uint64_t len)
{
    g_autoptr(GError) error = NULL;

    hook->handler =
        pgm_handler_new(pgm, kind, start, len, hooked, hook, hook == &one ? "one" : "two", &error);
    ck_assert_msg(hook->handler != NULL, "%s", error ? error->message : "");
}

#define WRITE PGM_HANDLER_KIND_WRITE
#define ALL PGM_HANDLER_KIND_ALL

/* ---- answers */

START_TEST(write_handler_answers_decide)
{
    bool bulk = _i >= 3;
    uint32_t value = 0x44332211;

    store(P, 0x99999999);
    one.result = (PgmHandlerResult)(_i % 3);
    hook_on(&one, WRITE, P, 4);
    MemStatus status = bulk ? pgm_write(pgm, P, &value, 4, MEM_ORIGIN_LOADER)
                            : pgm_write_u32_as(pgm, P, value, MEM_ORIGIN_LOADER);

    ck_assert_uint_eq(one.n, 1);
    ck_assert_uint_eq(one.last.gpa, P);
    ck_assert_uint_eq(one.last.len, 4);
    ck_assert_int_eq(one.last.access, MEM_ACCESS_WRITE);
    ck_assert_int_eq(one.last.origin, MEM_ORIGIN_LOADER);
    ck_assert_mem_eq(one.bytes, &value, 4);
    ck_assert_ptr_eq(one.last.host, gmm_arena(gmm) + ((uint64_t)page_at(P).id << 12));
    ck_assert_int_eq(status, one.result == PGM_HANDLER_FAILED ? MEM_ERR_BUS_ERROR : MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P),
                      one.result == PGM_HANDLER_DO_DEFAULT ? value : 0x99999999);
    ck_assert_uint_eq(one.n, 1); /* reads are none of its business */
    ck_assert_uint_eq(stats().handler_calls, 1);
}
END_TEST

START_TEST(all_handler_answers_decide)
{
    uint64_t value;

    store(P + 8, 0x99999999);
    one.result = (PgmHandlerResult)_i;
    hook_on(&one, ALL, P, PAGE);
    MemStatus status = pgm_bus_read(pgm, P + 8, 4, MEM_ORIGIN_CPU, &value);

    ck_assert_uint_eq(one.n, 1);
    ck_assert_uint_eq(one.last.gpa, P + 8);
    ck_assert_int_eq(one.last.access, MEM_ACCESS_READ);
    ck_assert_int_eq(status, one.result == PGM_HANDLER_FAILED ? MEM_ERR_BUS_ERROR : MEM_OK);
    ck_assert_uint_eq(value, one.result == PGM_HANDLER_HANDLED      ? 0x31313131
                             : one.result == PGM_HANDLER_DO_DEFAULT ? 0x99999999
                                                                    : UINT32_MAX);
    ck_assert_uint_eq(pgm_read_u8(pgm, P + 8) & 0xff, (uint8_t)value);
    ck_assert_uint_eq(one.n, 2); /* never from a cache */
}
END_TEST

START_TEST(handler_may_store_by_itself)
{
    one.poke_host = true;
    hook_on(&one, WRITE, P + 1, 2);
    PageId id = fill(P, MEM_ACCESS_EXEC).id;

    ck_assert_uint_eq(id, 0);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 0), MEM_OK);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0x00bbbb00);
    id = fill(P, MEM_ACCESS_EXEC).id;
    told_reset();
    ck_assert_int_eq(pgm_write_u16(pgm, P + 1, 0), MEM_OK);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    ck_assert_uint_eq(told.code_offset, 1);
    ck_assert_uint_eq(told.code_len, 2);
}
END_TEST

/* ---- bytes */

static const struct {
    GPhys start;
    uint64_t len;
    const char *one, *two; /* bytes each handler got: offset from P, length */
} cuts[] = {
    { P, 16, "4+4", "10+2" },    { P + 4, 4, "4+4", NULL },   { P + 5, 1, "5+1", NULL },
    { P + 2, 4, "4+2", NULL },   { P + 6, 4, "6+2", NULL },   { P + 8, 2, NULL, NULL },
    { P + 11, 8, NULL, "11+1" }, { P + 7, 4, "7+1", "10+1" },
};

static void check_cut(const Hook *hook, const char *want)
{
    g_autofree char *got = g_strdup_printf("%u+%u", (unsigned)(hook->last.gpa - P), hook->last.len);

    ck_assert_uint_eq(hook->n, want != NULL);
    if (want) {
        ck_assert_str_eq(got, want);
    }
}

START_TEST(each_handler_gets_its_bytes_and_memory_the_rest)
{
    uint8_t data[16], page[32];
    uint64_t len = cuts[_i].len;

    memset(data, 0x66, sizeof data);
    hook_on(&two, WRITE, P + 10, 2);
    hook_on(&one, WRITE, P + 4, 4);
    if (len <= 8) {
        ck_assert_int_eq(
            pgm_bus_write(pgm, cuts[_i].start, (unsigned)len, 0x6666666666666666, MEM_ORIGIN_CPU),
            MEM_OK);
    } else {
        ck_assert_int_eq(pgm_write(pgm, cuts[_i].start, data, len, MEM_ORIGIN_CPU), MEM_OK);
    }
    check_cut(&one, cuts[_i].one);
    check_cut(&two, cuts[_i].two);
    ck_assert_int_eq(pgm_read(pgm, P, page, 32, MEM_ORIGIN_CPU), MEM_OK);
    for (unsigned i = 0; i < 32; i++) {
        bool owned = (i >= 4 && i < 8) || i == 10 || i == 11;
        bool written = P + i >= cuts[_i].start && P + i < cuts[_i].start + len && !owned;

        ck_assert_uint_eq(page[i], written ? 0x66 : 0);
    }
}
END_TEST

START_TEST(handler_across_pages_is_called_page_by_page)
{
    g_autofree uint8_t *data = g_malloc0(4 * PAGE);

    hook_on(&one, WRITE, P + PAGE - 8, PAGE + 16);
    ck_assert_int_eq(pgm_write(pgm, P, data, 4 * PAGE, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_uint_eq(one.n, 3);
    ck_assert_uint_eq(one.last.gpa, P + 2 * PAGE);
    ck_assert_uint_eq(one.last.len, 8);
    one.n = 0;
    ck_assert_int_eq(pgm_write_u64(pgm, P + PAGE - 4, 0), MEM_OK);
    ck_assert_uint_eq(one.n, 2);
}
END_TEST

/* ---- registering */

static const struct {
    PgmHandlerKind kind;
    GPhys start;
    uint64_t len;
    MemStatus status;
    const char *says;
} refusals[] = {
    { WRITE, P, 0, MEM_ERR_INVALID_PARAMETER, "no range" },
    { WRITE, UINT64_MAX, 2, MEM_ERR_INVALID_PARAMETER, "no range" },
    { ALL, P + 2 * PAGE + 1, PAGE, MEM_ERR_UNALIGNED, "whole pages" },
    { ALL, P + 2 * PAGE, 8, MEM_ERR_UNALIGNED, "whole pages" },
    { WRITE, HOLE, 1, MEM_ERR_NO_RANGE, "one range" },
    { WRITE, LOW_LEN - 1, 2, MEM_ERR_NO_RANGE,
      "\"two\": 0x9ffff-0xa0000 does not lie in one range" },
    { ALL, HIGH, HIGH_LEN + PAGE, MEM_ERR_NO_RANGE, "one range" },
    { WRITE, P + 7, 1, MEM_ERR_HANDLER_CONFLICT, "\"one\" 0x105004-0x105007" },
    { WRITE, P, 5, MEM_ERR_HANDLER_CONFLICT, "overlaps handler \"one\"" },
    { WRITE, P, PAGE, MEM_ERR_HANDLER_CONFLICT, "overlaps handler \"one\"" },
    { ALL, P, PAGE, MEM_ERR_HANDLER_CONFLICT, "overlaps handler \"one\"" },
    { WRITE, P, 4, MEM_OK, NULL },
    { WRITE, P + 8, 1, MEM_OK, NULL },
    { ALL, P + PAGE, PAGE, MEM_OK, NULL },
    { ALL, HIGH + HIGH_LEN - PAGE, PAGE, MEM_OK, NULL },
};

START_TEST(handlers_are_exclusive_by_bytes)
{
    g_autoptr(GError) error = NULL;

    hook_on(&one, WRITE, P + 4, 4);
    two.handler = pgm_handler_new(pgm, refusals[_i].kind, refusals[_i].start, refusals[_i].len,
                                  hooked, &two, "two", &error);
    ck_assert_int_eq(two.handler != NULL, refusals[_i].status == MEM_OK);
    if (!two.handler) {
        ck_assert_int_eq(error->code, refusals[_i].status);
        ck_assert_msg(strstr(error->message, refusals[_i].says) != NULL, "%s", error->message);
        ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    }
    check_sound();
}
END_TEST

START_TEST(mmio_takes_no_handlers)
{
    static const PgmMmioOps ops = { .max_size = 4 };
    PgmMmio *mmio = pgm_mmio_new(pgm, PAGE, &ops, NULL, "dev", "regs", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(pgm_mmio_map(mmio, ABOVE, NULL), MEM_OK);
    ck_assert_ptr_null(pgm_handler_new(pgm, WRITE, ABOVE, 1, hooked, &one, "one", &error));
    ck_assert_int_eq(error->code, MEM_ERR_NO_RANGE);
}
END_TEST

START_TEST(page_shows_the_strongest_handler)
{
    hook_on(&one, WRITE, P + 4, 4);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_NONE);
    hook_on(&two, WRITE, P + PAGE - 1, 2); /* shares the first page */
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_WRITE);
    g_clear_pointer(&two.handler, pgm_handler_free);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_NONE);
    g_clear_pointer(&one.handler, pgm_handler_free);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_NONE);
    hook_on(&one, ALL, P, 20 * PAGE);
    ck_assert_int_eq(page_at(P + 19 * PAGE).handler, PGM_HANDLER_ALL);
    check_sound();
    g_clear_pointer(&one.handler, pgm_handler_free);
    ck_assert_int_eq(page_at(P + 19 * PAGE).handler, PGM_HANDLER_NONE);
}
END_TEST

static unsigned n_visited;

static void visit(PgmHandlerKind kind, GPhys start, uint64_t len, const char *description,
                  void *user)
{
    ck_assert_ptr_eq(user, &n_visited);
    ck_assert_int_eq(kind, n_visited == 0 ? WRITE : ALL);
    ck_assert_uint_eq(start, n_visited == 0 ? P + 4 : P + PAGE);
    ck_assert_uint_eq(len, n_visited == 0 ? 4 : PAGE);
    ck_assert_str_eq(description, n_visited == 0 ? "one" : "two");
    n_visited++;
}

START_TEST(handlers_can_be_looked_up_and_listed)
{
    hook_on(&two, ALL, P + PAGE, PAGE);
    hook_on(&one, WRITE, P + 4, 4);
    ck_assert_ptr_null(pgm_handler_lookup(pgm, P + 3));
    ck_assert_ptr_eq(pgm_handler_lookup(pgm, P + 4), one.handler);
    ck_assert_ptr_eq(pgm_handler_lookup(pgm, P + 7), one.handler);
    ck_assert_ptr_null(pgm_handler_lookup(pgm, P + 8));
    ck_assert_ptr_eq(pgm_handler_lookup(pgm, P + PAGE), two.handler);
    ck_assert_ptr_null(pgm_handler_lookup(pgm, P + 2 * PAGE));
    ck_assert_ptr_null(pgm_handler_lookup(pgm, ABOVE));
    ck_assert_ptr_null(pgm_handler_lookup(pgm, LOW));
    n_visited = 0;
    pgm_handler_foreach(pgm, visit, &n_visited);
    ck_assert_uint_eq(n_visited, 2);
}
END_TEST

/* ---- off */

START_TEST(handler_is_off_for_one_page_until_reset)
{
    bool hard = _i == 1;

    hook_on(&one, WRITE, P, 2 * PAGE);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, P + 8), MEM_OK);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_DISABLED);
    ck_assert_int_eq(page_at(P + PAGE).handler, PGM_HANDLER_WRITE);
    store(P, 5);
    store(P + 4, 6); /* through the TLB */
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 5);
    ck_assert_uint_eq(one.n, 0);
    store(P + PAGE, 5);
    ck_assert_uint_eq(one.n, 1);
    check_sound();
    if (hard) {
        pgm_reset(pgm);
    } else {
        pgm_handler_reset(one.handler);
    }
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    store(P, 7);
    ck_assert_uint_eq(one.n, 2);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), hard ? 0 : 5);
}
END_TEST

START_TEST(off_is_one_handlers_affair)
{
    hook_on(&one, WRITE, P, 4);
    hook_on(&two, WRITE, P + 4, 4);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, P), MEM_OK);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    ck_assert_int_eq(pgm_write_u64(pgm, P, UINT64_MAX), MEM_OK);
    ck_assert_uint_eq(one.n, 0);
    ck_assert_uint_eq(two.n, 1);
    ck_assert_uint_eq(pgm_read_u64(pgm, P), UINT32_MAX);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, P + PAGE), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, P - 1), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, 0), MEM_ERR_OUT_OF_RANGE);
}
END_TEST

START_TEST(cpu_treats_an_off_handler_as_armed)
{
    PgmHandlerKind kind = _i ? ALL : WRITE;

    hook_on(&one, kind, P, PAGE);
    PgmFill armed = fill(P, MEM_ACCESS_WRITE);

    ck_assert_int_eq(pgm_handler_page_off(one.handler, P), MEM_OK);
    PgmFill off = fill(P, MEM_ACCESS_WRITE);

    ck_assert_int_eq(armed.kind, PGM_FILL_CATCH);
    ck_assert_int_eq(off.kind, PGM_FILL_CATCH);
    ck_assert_uint_eq(off.perms,
                      kind == ALL ? MEM_ACCESS_READ | MEM_ACCESS_WRITE : MEM_ACCESS_WRITE);
    ck_assert_int_eq(fill(P, MEM_ACCESS_READ).kind, kind == ALL ? PGM_FILL_CATCH : PGM_FILL_DIRECT);
    ck_assert_int_eq(pgm_bus_write(pgm, P, 4, 9, MEM_ORIGIN_CPU), MEM_OK);
    ck_assert_uint_eq(one.n, 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 9);
}
END_TEST

/* ---- CPUs */

START_TEST(cpu_catches_what_is_handled)
{
    store(P, 1);
    (void)fill(P, MEM_ACCESS_WRITE);
    (void)pgm_read_u32(pgm, P);
    told_reset();
    hook_on(&one, WRITE, P + 100, 1);
    ck_assert_uint_eq(told.n_pages, 1);
    PgmFill f = fill(P, MEM_ACCESS_READ);

    ck_assert_int_eq(f.kind, PGM_FILL_DIRECT);
    ck_assert_uint_eq(f.perms, MEM_ACCESS_READ);
    f = fill(P, MEM_ACCESS_WRITE);
    ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
    ck_assert_uint_eq(f.perms, MEM_ACCESS_WRITE);
    ck_assert(!f.watched);
    f = fill(P, MEM_ACCESS_EXEC);
    ck_assert_uint_eq(f.perms, MEM_ACCESS_READ | MEM_ACCESS_EXEC);
    told_reset();
    g_clear_pointer(&one.handler, pgm_handler_free);
    ck_assert_uint_eq(told.n_pages, 1);
    ck_assert_uint_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_DIRECT);
    hook_on(&one, ALL, P, PAGE);
    for (unsigned access = 1; access <= 4; access *= 2) {
        f = fill(P, (MemAccess)access);
        ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
        ck_assert_uint_eq(f.perms, MEM_ACCESS_READ | MEM_ACCESS_WRITE);
    }
}
END_TEST

/* ---- states beneath */

START_TEST(handler_is_asked_whatever_the_state)
{
    GmmStats now;

    store(P, 1);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK);
    hook_on(&one, WRITE, P, 8);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_OK);
    ck_assert_uint_eq(one.n, 1);
    ck_assert_ptr_null(one.last.host);
    one.result = PGM_HANDLER_DO_DEFAULT;
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_BALLOONED);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, false), MEM_OK);
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated);
    for (GPhys gpa = LOW; stats().handy_pages > 0; gpa += PAGE) {
        store(gpa, 1);
    }
    one.n = 0;
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_NO_MEMORY);
    ck_assert_uint_eq(one.n, 0); /* nothing has happened yet */
}
END_TEST

START_TEST(handler_on_rom_sees_writes)
{
    ck_assert_int_eq(pgm_rom_register(pgm, ABOVE, 2 * PAGE, NULL, 0, 0x77, PGM_ROM_FLAG_SHADOWED,
                                      "o", "rom", NULL),
                     MEM_OK);
    one.result = PGM_HANDLER_DO_DEFAULT;
    hook_on(&one, WRITE, ABOVE, 8);
    for (unsigned prot = 0; prot < PGM_N_ROM_PROTS; prot++) {
        ck_assert_int_eq(pgm_rom_protect(pgm, ABOVE, PAGE, (PgmRomProt)prot), MEM_OK);
        ck_assert_int_eq(page_at(ABOVE).handler, PGM_HANDLER_WRITE);
        one.n = 0;
        store(ABOVE, prot + 1);
        ck_assert_uint_eq(one.n, 1);
        bool reaches = prot == PGM_ROM_READ_ROM_WRITE_RAM || prot == PGM_ROM_READ_RAM_WRITE_RAM;

        ck_assert_int_eq(one.last.host != NULL, reaches);
        check_sound();
    }
    ck_assert_uint_eq(pgm_read_u32(pgm, ABOVE), PGM_ROM_READ_RAM_WRITE_RAM + 1);
    ck_assert_int_eq(pgm_rom_deregister(pgm, ABOVE), MEM_OK);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, ABOVE), MEM_ERR_OUT_OF_RANGE);
    pgm_handler_reset(one.handler);
}
END_TEST

/* With the handler out of the way ROM is still ROM. */
START_TEST(off_handler_leaves_rom_and_balloon_as_they_are)
{
    ck_assert_int_eq(pgm_rom_register(pgm, ABOVE, PAGE, NULL, 0, 0x77, 0, "o", "rom", NULL),
                     MEM_OK);
    hook_on(&one, WRITE, ABOVE, 8);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, ABOVE), MEM_OK);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, ABOVE), 0x77777777);
        store(ABOVE, 1);
        check_sound();
    }
    ck_assert_uint_eq(one.n, 0);
    ck_assert_uint_eq(stats().rom_writes_ignored, 3);
    hook_on(&two, WRITE, P, 8);
    ck_assert_int_eq(pgm_handler_page_off(two.handler, P), MEM_OK);
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK);
    ck_assert_int_eq(pgm_write_u32(pgm, P, 1), MEM_ERR_BALLOONED);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0);
    ck_assert_uint_eq(fill(P, MEM_ACCESS_WRITE).kind, PGM_FILL_CATCH);
}
END_TEST

START_TEST(handler_moves_with_its_mmio2_and_sleeps_under_overlays)
{
    PgmMmio2 *vram = pgm_mmio2_new(pgm, "vga", 0, 4 * PAGE, true, "vram", NULL);
    PgmMmio2 *cover = pgm_mmio2_new(pgm, "cover", 0, PAGE, false, "cover", NULL);

    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE, NULL), MEM_OK);
    hook_on(&one, WRITE, ABOVE + PAGE, 4);
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE + 0x100000, NULL), MEM_OK);
    store(ABOVE + 0x100000 + PAGE, 1);
    ck_assert_uint_eq(one.n, 1);
    ck_assert_uint_eq(one.last.gpa, ABOVE + 0x100000 + PAGE);
    hook_on(&two, WRITE, P, 4);
    ck_assert_int_eq(pgm_mmio2_map(cover, P, NULL), MEM_OK);
    store(P, 1);
    ck_assert_uint_eq(two.n, 0);
    ck_assert_int_eq(pgm_mmio2_unmap(cover), MEM_OK);
    store(P, 1);
    ck_assert_uint_eq(two.n, 1);
    pgm_mmio2_free(vram);
    check_sound();
}
END_TEST

START_TEST(peek_calls_no_handler)
{
    uint8_t bytes[16];

    store(P, 0x01010101);
    hook_on(&one, WRITE, P + 4, 4);
    hook_on(&two, ALL, P + PAGE, PAGE);
    memset(bytes, 5, sizeof bytes);
    ck_assert_int_eq(pgm_peek(pgm, P, bytes, 16), MEM_OK);
    ck_assert_uint_eq(bytes[0], 1);
    memset(bytes, 5, sizeof bytes);
    ck_assert_int_eq(pgm_poke(pgm, P, bytes, 16), MEM_ERR_RESERVED);
    ck_assert_uint_eq(pgm_read_u64(pgm, P), 0x0000000005050505);
    ck_assert_uint_eq(pgm_read_u64(pgm, P + 8), 0x0505050505050505);
    ck_assert_int_eq(pgm_peek(pgm, P + PAGE, bytes, 16), MEM_ERR_RESERVED);
    ck_assert_uint_eq(bytes[0], 0xff);
    ck_assert_uint_eq(one.n + two.n, 0);
}
END_TEST

/* ---- tricks inside the callback */

static void free_self(Hook *hook)
{
    g_clear_pointer(&hook->handler, pgm_handler_free);
}

static void off_self(Hook *hook)
{
    ck_assert_int_eq(pgm_handler_page_off(hook->handler, P), MEM_OK);
}

static void add_other(Hook *hook)
{
    hook->trick = NULL;
    hook_on(&two, WRITE, P + 8, 8);
}

static void balloon_page(Hook *hook)
{
    hook->trick = NULL;
    ck_assert_int_eq(pgm_page_balloon_internal(pgm, P, true), MEM_OK);
}

static void (*const tricks[])(Hook *hook) = { free_self, off_self, add_other, balloon_page };

START_TEST(callback_may_change_handlers)
{
    uint8_t bytes[16] = { 0 };

    one.trick = tricks[_i];
    one.result = PGM_HANDLER_DO_DEFAULT;
    hook_on(&one, WRITE, P, 8);
    memset(bytes, 0x21, sizeof bytes);
    MemStatus status = pgm_write(pgm, P, bytes, sizeof bytes, MEM_ORIGIN_CPU);

    ck_assert_int_eq(status, MEM_OK);
    ck_assert_uint_eq(one.n, 1);
    ck_assert_uint_eq(two.n, tricks[_i] == add_other);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), tricks[_i] == balloon_page ? 0 : 0x21212121);
    check_sound();
}
END_TEST

START_TEST(read_callback_may_free_its_handler)
{
    store(P, 0x5555);
    one.trick = free_self;
    one.result = (PgmHandlerResult)_i;
    hook_on(&one, ALL, P, PAGE);
    (void)pgm_read_u32(pgm, P);
    ck_assert_uint_eq(pgm_read_u32(pgm, P), 0x5555);
    ck_assert_uint_eq(one.n, 1);
}
END_TEST

/* The page goes away under the access that the handler left to memory. */
static PgmMmio2 *vanishing;

static void unmap_range(Hook *hook)
{
    hook->trick = NULL;
    ck_assert_int_eq(pgm_mmio2_unmap(vanishing), MEM_OK);
}

START_TEST(default_access_meets_the_map_as_it_is_then)
{
    vanishing = pgm_mmio2_new(pgm, "vga", 0, PAGE, false, "vram", NULL);
    ck_assert_int_eq(pgm_mmio2_map(vanishing, _i ? P : ABOVE, NULL), MEM_OK);
    GPhys gpa = _i ? P : ABOVE;

    one.result = PGM_HANDLER_DO_DEFAULT;
    hook_on(&one, ALL, gpa, PAGE);
    one.trick = unmap_range;
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa), _i ? 0 : UINT32_MAX);
    ck_assert_int_eq(pgm_mmio2_map(vanishing, gpa, NULL), MEM_OK);
    one.trick = unmap_range;
    ck_assert_int_eq(pgm_write_u32(pgm, gpa, 5), MEM_OK);
    ck_assert_uint_eq(pgm_mmio2_host(vanishing)[0], 0);
    ck_assert_uint_eq(pgm_read_u32(pgm, gpa), _i ? 5 : UINT32_MAX);
    ck_assert_uint_eq(one.n, 2);
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
    pgm_handler_free(NULL);
    hook_on(&one, WRITE, P, 4);
    pgm_handler_reset(one.handler); /* nothing is off */
    ck_assert_int_eq(page_at(P).handler, PGM_HANDLER_WRITE);
}
END_TEST

/* A handler whose range went may still be told to go on, and be freed. */
START_TEST(handler_without_its_range_is_idle)
{
    vanishing = pgm_mmio2_new(pgm, "vga", 0, PAGE, false, "vram", NULL);
    ck_assert_int_eq(pgm_mmio2_map(vanishing, ABOVE, NULL), MEM_OK);
    hook_on(&one, WRITE, ABOVE, 4);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, ABOVE), MEM_OK);
    pgm_mmio2_free(vanishing);
    pgm_handler_reset(one.handler);
    ck_assert_int_eq(pgm_handler_page_off(one.handler, ABOVE), MEM_ERR_OUT_OF_RANGE);
    n_visited = 0;
    pgm_handler_foreach(pgm, visit, &n_visited);
    ck_assert_uint_eq(n_visited, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handler");
    TCase *tcase = tcase_create("handler");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, write_handler_answers_decide, 0, 6);
    tcase_add_loop_test(tcase, all_handler_answers_decide, 0, 3);
    tcase_add_test(tcase, handler_may_store_by_itself);
    tcase_add_loop_test(tcase, each_handler_gets_its_bytes_and_memory_the_rest, 0,
                        G_N_ELEMENTS(cuts));
    tcase_add_test(tcase, handler_across_pages_is_called_page_by_page);
    tcase_add_loop_test(tcase, handlers_are_exclusive_by_bytes, 0, G_N_ELEMENTS(refusals));
    tcase_add_test(tcase, mmio_takes_no_handlers);
    tcase_add_test(tcase, page_shows_the_strongest_handler);
    tcase_add_test(tcase, handlers_can_be_looked_up_and_listed);
    tcase_add_loop_test(tcase, handler_is_off_for_one_page_until_reset, 0, 2);
    tcase_add_test(tcase, off_is_one_handlers_affair);
    tcase_add_loop_test(tcase, cpu_treats_an_off_handler_as_armed, 0, 2);
    tcase_add_test(tcase, cpu_catches_what_is_handled);
    tcase_add_test(tcase, handler_is_asked_whatever_the_state);
    tcase_add_test(tcase, handler_on_rom_sees_writes);
    tcase_add_test(tcase, off_handler_leaves_rom_and_balloon_as_they_are);
    tcase_add_test(tcase, handler_moves_with_its_mmio2_and_sleeps_under_overlays);
    tcase_add_test(tcase, peek_calls_no_handler);
    tcase_add_loop_test(tcase, callback_may_change_handlers, 0, G_N_ELEMENTS(tricks));
    tcase_add_loop_test(tcase, read_callback_may_free_its_handler, 0, 3);
    tcase_add_loop_test(tcase, default_access_meets_the_map_as_it_is_then, 0, 2);
    tcase_add_test(tcase, freeing_nothing_is_fine);
    tcase_add_test(tcase, handler_without_its_range_is_idle);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
