/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMIO: which accesses a device sees for a guest access, byte order, refusals, aliases of device
 * memory, and devices that change the map from inside an access.
 */
#include "tests/unit/pgm-fixture.h"

#define DEV (ABOVE)
#define DEV_LEN (4 * PAGE)

/* A device of 256 bytes that repeat; notes each access as a word of "log". */
static uint8_t regs[256];
static GString *log_text;
static unsigned refuse_after; /* 0: never; n: the n-th access fails */
static unsigned n_accesses;
static bool big;

static uint64_t reg_value(uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)regs[(offset + i) & 255] << (8 * (big ? size - 1 - i : i));
    }
    return value;
}

static bool refused(void)
{
    return refuse_after != 0 && ++n_accesses >= refuse_after;
}

static MemStatus dev_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    ck_assert_ptr_eq(user, regs);
    g_string_append_printf(log_text, "r%lx/%u ", (unsigned long)offset, size);
    if (refused()) {
        return MEM_ERR_BUS_ERROR;
    }
    *ret_value = reg_value(offset, size) | (size < 8 ? UINT64_MAX << (8 * size) : 0);
    return MEM_OK;
}

static MemStatus dev_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    ck_assert_ptr_eq(user, regs);
    g_string_append_printf(log_text, "w%lx/%u ", (unsigned long)offset, size);
    if (refused()) {
        return MEM_ERR_BUS_ERROR;
    }
    for (unsigned i = 0; i < size; i++) {
        regs[(offset + i) & 255] = (uint8_t)(value >> (8 * (big ? size - 1 - i : i)));
    }
    return MEM_OK;
}

static PgmMmioOps ops;
static PgmMmio *mmio;

static void setup(void)
{
    pgm_setup();
    log_text = g_string_new(NULL);
    for (unsigned i = 0; i < 256; i++) {
        regs[i] = (uint8_t)i;
    }
    refuse_after = 0;
    n_accesses = 0;
    big = false;
    ops = (PgmMmioOps) { .read = dev_read, .write = dev_write };
    mmio = NULL;
}

static void teardown(void)
{
    pgm_teardown();
    g_string_free(log_text, TRUE);
}

static void make_device(void)
{
    mmio = pgm_mmio_new(pgm, DEV_LEN, &ops, regs, "dev", "regs", NULL);
    ck_assert_int_eq(pgm_mmio_map(mmio, DEV, NULL), MEM_OK);
}

/* ---- sizes */

static const struct {
    uint8_t min, max;
    bool unaligned;
    unsigned offset, size;
    const char *reads, *writes;
} sizes[] = {
    { 0, 0, false, 0, 1, "r0/1 ", "w0/1 " },
    { 0, 0, false, 0, 8, "r0/8 ", "w0/8 " },
    { 0, 0, false, 4, 4, "r4/4 ", "w4/4 " },
    { 0, 0, false, 1, 2, "r1/1 r2/1 ", "w1/1 w2/1 " },
    { 0, 0, false, 3, 8, "r3/1 r4/4 r8/2 ra/1 ", "w3/1 w4/4 w8/2 wa/1 " },
    { 0, 0, false, 6, 4, "r6/2 r8/2 ", "w6/2 w8/2 " },
    { 0, 0, true, 3, 8, "r3/8 ", "w3/8 " },
    { 0, 0, true, 1, 2, "r1/2 ", "w1/2 " },
    { 1, 4, false, 8, 8, "r8/4 rc/4 ", "w8/4 wc/4 " },
    { 1, 4, true, 6, 8, "r6/4 ra/4 ", "w6/4 wa/4 " },
    { 1, 1, false, 0, 4, "r0/1 r1/1 r2/1 r3/1 ", "w0/1 w1/1 w2/1 w3/1 " },
    { 1, 2, false, 0, 8, "r0/2 r2/2 r4/2 r6/2 ", "w0/2 w2/2 w4/2 w6/2 " },
    { 4, 4, false, 0, 4, "r0/4 ", "w0/4 " },
    { 4, 4, false, 0, 1, "r0/4 ", "r0/4 w0/4 " },
    { 4, 4, false, 3, 1, "r0/4 ", "r0/4 w0/4 " },
    { 4, 4, false, 2, 2, "r0/4 ", "r0/4 w0/4 " },
    { 4, 4, false, 2, 4, "r0/4 r4/4 ", "r0/4 w0/4 r4/4 w4/4 " },
    { 4, 4, false, 0, 8, "r0/4 r4/4 ", "w0/4 w4/4 " },
    { 4, 4, false, 6, 8, "r4/4 r8/4 rc/4 ", "r4/4 w4/4 w8/4 rc/4 wc/4 " },
    { 4, 4, true, 2, 4, "r2/4 ", "w2/4 " },
    { 4, 4, true, 2, 1, "r0/4 ", "r0/4 w0/4 " },
    { 8, 8, false, 0, 4, "r0/8 ", "r0/8 w0/8 " },
    { 8, 8, false, 4, 8, "r0/8 r8/8 ", "r0/8 w0/8 r8/8 w8/8 " },
    { 2, 4, false, 1, 1, "r0/2 ", "r0/2 w0/2 " },
    { 2, 4, false, 1, 4, "r0/2 r2/2 r4/2 ", "r0/2 w0/2 w2/2 r4/2 w4/2 " },
    /* Across a page of the same device. */
    { 0, 0, false, 0xffc, 8, "rffc/4 r1000/4 ", "wffc/4 w1000/4 " },
    { 0, 0, true, 0xffd, 8, "rffd/8 ", "wffd/8 " },
};

static uint64_t guest_value(unsigned offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)regs[(offset + i) & 255] << (8 * i);
    }
    return value;
}

static void set_sizes(int i, bool big_endian)
{
    big = big_endian;
    ops.min_size = sizes[i].min;
    ops.max_size = sizes[i].max;
    ops.unaligned = sizes[i].unaligned;
    ops.big_endian = big_endian;
    make_device();
}

START_TEST(device_sees_sizes_it_accepts)
{
    int row = _i % (int)G_N_ELEMENTS(sizes);
    uint64_t value;

    set_sizes(row, _i >= (int)G_N_ELEMENTS(sizes));
    GPhys gpa = DEV + sizes[row].offset;

    ck_assert_int_eq(pgm_bus_read(pgm, gpa, sizes[row].size, MEM_ORIGIN_CPU, &value), MEM_OK);
    ck_assert_str_eq(log_text->str, sizes[row].reads);
    ck_assert_uint_eq(value, guest_value(sizes[row].offset, sizes[row].size));
    g_string_truncate(log_text, 0);
    uint8_t want[256];

    memcpy(want, regs, sizeof want);
    for (unsigned i = 0; i < sizes[row].size; i++) {
        want[(sizes[row].offset + i) & 255] = (uint8_t)(0xf1 + i);
    }
    ck_assert_int_eq(pgm_bus_write(pgm, gpa, sizes[row].size, 0xf8f7f6f5f4f3f2f1, MEM_ORIGIN_CPU),
                     MEM_OK);
    ck_assert_str_eq(log_text->str, sizes[row].writes);
    ck_assert_mem_eq(regs, want, sizeof want);
}
END_TEST

START_TEST(bulk_touches_each_byte_once)
{
    uint8_t got[100];

    ops.unaligned = _i & 1;
    ops.max_size = 4;
    make_device();
    ck_assert_int_eq(pgm_read(pgm, DEV + 3, got, 10, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_str_eq(log_text->str, "r3/1 r4/4 r8/4 rc/1 ");
    ck_assert_mem_eq(got, regs + 3, 10);
    g_string_truncate(log_text, 0);
    ck_assert_int_eq(pgm_write(pgm, DEV + 4, got, 8, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_str_eq(log_text->str, "w4/4 w8/4 ");
    ck_assert_mem_eq(got, regs + 4, 8);
    ck_assert_uint_eq(stats().mmio_reads, 4);
    ck_assert_uint_eq(stats().mmio_writes, 2);
}
END_TEST

START_TEST(typed_accesses_never_come_from_a_cache)
{
    make_device();
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(pgm_read_u32(pgm, DEV), guest_value(0, 4));
        regs[0]++;
    }
    ck_assert_uint_eq(stats().mmio_reads, 5);
    check_sound();
}
END_TEST

/* ---- refusals */

START_TEST(refused_read_gives_ones)
{
    uint64_t value = 0;
    uint8_t got[16];

    ops.max_size = 4;
    make_device();
    refuse_after = 2;
    ck_assert_int_eq(pgm_bus_read(pgm, DEV, 8, MEM_ORIGIN_CPU, &value), MEM_ERR_BUS_ERROR);
    ck_assert_uint_eq(value, UINT64_MAX);
    n_accesses = 0;
    memset(got, 0, sizeof got);
    ck_assert_int_eq(pgm_read(pgm, DEV, got, 16, MEM_ORIGIN_CPU), MEM_ERR_BUS_ERROR);
    ck_assert_uint_eq(got[15], 0xff);
    n_accesses = 0;
    g_string_truncate(log_text, 0);
    ck_assert_int_eq(pgm_write_u64(pgm, DEV, 0), MEM_ERR_BUS_ERROR);
    ck_assert_str_eq(log_text->str, "w0/4 w4/4 ");
    /* Widening: when the device refuses the read, nothing is written. */
    pgm_mmio_free(mmio);
    ops.min_size = 4;
    make_device();
    refuse_after = 1;
    g_string_truncate(log_text, 0);
    ck_assert_int_eq(pgm_write_u8(pgm, DEV, 0), MEM_ERR_BUS_ERROR);
    ck_assert_str_eq(log_text->str, "r0/4 ");
}
END_TEST

START_TEST(device_without_functions_is_an_empty_bus)
{
    ops.read = NULL;
    ops.write = NULL;
    make_device();
    ck_assert_uint_eq(pgm_read_u32(pgm, DEV), UINT32_MAX);
    ck_assert_int_eq(pgm_write_u32(pgm, DEV, 1), MEM_OK);
}
END_TEST

START_TEST(debugger_peeks_past_the_device)
{
    uint8_t got[4] = { 0 };

    make_device();
    ck_assert_int_eq(pgm_peek(pgm, DEV, got, 4), MEM_ERR_RESERVED);
    ck_assert_uint_eq(got[3], 0xff);
    ck_assert_int_eq(pgm_poke(pgm, DEV, got, 4), MEM_ERR_RESERVED);
    ck_assert_str_eq(log_text->str, "");
    /* Asked for by name it reaches the device. */
    ck_assert_int_eq(pgm_read(pgm, DEV, got, 4, MEM_ORIGIN_DEBUGGER), MEM_OK);
    ck_assert_str_eq(log_text->str, "r0/4 ");
}
END_TEST

START_TEST(cpu_catches_all_of_it)
{
    make_device();
    for (unsigned access = 1; access <= 4; access *= 2) {
        PgmFill f = fill(DEV + 5, (MemAccess)access);

        ck_assert_int_eq(f.kind, PGM_FILL_CATCH);
        ck_assert_uint_eq(f.perms, MEM_ACCESS_READ | MEM_ACCESS_WRITE);
        ck_assert_uint_eq(f.gpa, DEV);
        ck_assert(!f.watched);
    }
}
END_TEST

/* ---- counting */

START_TEST(pages_are_counted_from_new_to_free)
{
    uint64_t all = stats().pages.all;

    mmio = pgm_mmio_new(pgm, DEV_LEN, &ops, regs, "dev", "regs", NULL);
    ck_assert_uint_eq(stats().pages.pure_mmio, 4);
    ck_assert_uint_eq(stats().pages.all, all + 4);
    check_sound();
    ck_assert_int_eq(pgm_mmio_map(mmio, HIGH, NULL), MEM_OK);
    ck_assert_uint_eq(stats().pages.all, all + 4);
    pgm_mmio_free(mmio);
    ck_assert_uint_eq(stats().pages.all, all);
    ck_assert_uint_eq(stats().pages.pure_mmio, 0);
}
END_TEST

START_TEST(bad_length_makes_no_device)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(pgm_mmio_new(pgm, 0x800, &ops, regs, "dev", "regs", &error));
    ck_assert_int_eq(error->code, MEM_ERR_UNALIGNED);
    check_sound();
}
END_TEST

START_TEST(absurd_access_sizes_are_a_bug)
{
    static const uint8_t bad[][2] = { { 3, 8 }, { 8, 4 }, { 1, 16 } };

    ops.min_size = bad[_i][0];
    ops.max_size = bad[_i][1];
    (void)pgm_mmio_new(pgm, PAGE, &ops, regs, "dev", "regs", NULL);
}
END_TEST

/* ---- aliases */

#define ALIAS (DEV + PAGE)

static PgmMmio2 *vram;

static void make_alias(void)
{
    make_device();
    vram = pgm_mmio2_new(pgm, "vga", 0, 8 * PAGE, true, "vram", NULL);
    ck_assert_int_eq(pgm_mmio_alias(mmio, PAGE, vram, 3 * PAGE), MEM_OK);
    told_reset();
}

START_TEST(alias_shows_device_memory)
{
    make_alias();
    store(ALIAS + 4, 0xabcd);
    ck_assert_uint_eq(pgm_mmio2_host(vram)[3 * PAGE + 4], 0xcd);
    pgm_mmio2_host(vram)[3 * PAGE + 8] = 0x77;
    ck_assert_uint_eq(pgm_read_u8(pgm, ALIAS + 8), 0x77);
    ck_assert_str_eq(log_text->str, "");
    ck_assert_int_eq(page_at(ALIAS).type, PGM_PAGE_MMIO2_ALIAS);
    ck_assert_int_eq(page_at(ALIAS).state, PGM_PAGE_ALLOCATED);
    ck_assert_int_eq(page_at(DEV).type, PGM_PAGE_MMIO);
    (void)pgm_read_u8(pgm, DEV);
    ck_assert_str_eq(log_text->str, "r0/1 ");
    PgmFill f = fill(ALIAS, MEM_ACCESS_WRITE);

    ck_assert_int_eq(f.kind, PGM_FILL_DIRECT);
    ck_assert_uint_eq(f.perms, MEM_ACCESS_READ | MEM_ACCESS_WRITE);
    ck_assert_uint_eq(pgm_mmio2_host(vram) + 3 * PAGE - gmm_arena(gmm), (uint64_t)f.id << 12);
    check_sound();
}
END_TEST

/* A typed access from the last device page into the alias is split between them. */
START_TEST(access_into_an_alias_is_split_at_the_page)
{
    make_alias();
    pgm_mmio2_host(vram)[3 * PAGE] = 0x99;
    ck_assert_uint_eq(pgm_read_u16(pgm, ALIAS - 1), 0x9900 | regs[0xff]);
    ck_assert_str_eq(log_text->str, "rfff/1 ");
}
END_TEST

typedef enum Going { UNALIAS, UNMAP_MMIO, UNMAP_MMIO2, FREE_MMIO2, OTHER_ALIAS, N_GOINGS } Going;

START_TEST(alias_ends_and_cpus_hear_of_it)
{
    make_alias();
    ck_assert_int_eq(pgm_mmio2_map(vram, ABOVE + 0x100000, NULL), MEM_OK);
    (void)pgm_read_u32(pgm, ALIAS);
    (void)fill(ALIAS, MEM_ACCESS_EXEC);
    told_reset();
    switch ((Going)_i) {
    case UNALIAS:
        pgm_mmio_unalias(mmio);
        break;
    case UNMAP_MMIO:
        ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
        ck_assert_int_eq(pgm_mmio_map(mmio, DEV, NULL), MEM_OK);
        break;
    case UNMAP_MMIO2:
        ck_assert_int_eq(pgm_mmio2_unmap(vram), MEM_OK);
        break;
    case FREE_MMIO2:
        pgm_mmio2_free(vram);
        break;
    case OTHER_ALIAS:
        ck_assert_int_eq(pgm_mmio_alias(mmio, PAGE, vram, 0), MEM_OK);
        break;
    case N_GOINGS:
        break;
    }
    ck_assert_uint_gt(told.n_pages + told.n_all, 0);
    ck_assert(told.executed);
    if (_i != OTHER_ALIAS) {
        ck_assert_int_eq(page_at(ALIAS).type, PGM_PAGE_MMIO);
        (void)pgm_read_u8(pgm, ALIAS);
        ck_assert_str_eq(log_text->str, "r1000/1 ");
    } else {
        pgm_mmio2_host(vram)[0] = 0x31;
        ck_assert_uint_eq(pgm_read_u8(pgm, ALIAS), 0x31);
    }
    check_sound();
}
END_TEST

START_TEST(many_aliases_come_and_go)
{
    make_alias();
    for (unsigned i = 0; i < 4; i++) {
        pgm_mmio2_host(vram)[i * PAGE] = (uint8_t)(0x80 + i);
        ck_assert_int_eq(pgm_mmio_alias(mmio, i * PAGE, vram, (3 - i) * PAGE), MEM_OK);
    }
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(pgm_read_u8(pgm, DEV + i * PAGE), 0x83 - i);
    }
    /* One page twice. */
    ck_assert_int_eq(pgm_mmio_alias(mmio, 0, vram, PAGE), MEM_OK);
    ck_assert_uint_eq(pgm_read_u8(pgm, DEV), 0x81);
    ck_assert_uint_eq(pgm_read_u8(pgm, DEV + 2 * PAGE), 0x81);
    check_sound();
    pgm_mmio_unalias(mmio);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(page_at(DEV + i * PAGE).type, PGM_PAGE_MMIO);
    }
    ck_assert_uint_eq(stats().mmio_reads, 0);
    check_sound();
}
END_TEST

START_TEST(new_alias_is_told_to_a_cpu_that_caught_there)
{
    make_device();
    vram = pgm_mmio2_new(pgm, "vga", 0, 8 * PAGE, true, "vram", NULL);
    (void)fill(ALIAS, MEM_ACCESS_READ);
    (void)pgm_read_u8(pgm, ALIAS);
    told_reset();
    ck_assert_int_eq(pgm_mmio_alias(mmio, PAGE, vram, 0), MEM_OK);
    ck_assert_uint_eq(told.n_pages, 1);
    ck_assert_uint_eq(told.gpas[0], ALIAS);
}
END_TEST

/* One page at two addresses: what changes at one is told for both. */
START_TEST(change_of_the_page_is_told_at_both_addresses)
{
    GPhys lfb = ABOVE + 0x100000;

    make_alias();
    ck_assert_int_eq(pgm_mmio2_map(vram, lfb, NULL), MEM_OK);
    (void)fill(ALIAS, MEM_ACCESS_WRITE);
    (void)pgm_read_u32(pgm, ALIAS);
    store(lfb + 3 * PAGE, 1);
    told_reset();
    ck_assert_int_eq(pgm_mmio2_set_tracking(vram, true), MEM_OK);
    ck_assert_uint_eq(told.n_pages + told.n_all, 2);
    check_sound();
    uint64_t dirty = 0;

    store(ALIAS, 2);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 1), MEM_OK);
    ck_assert_uint_eq(dirty, 1u << 3);
    store(lfb + 3 * PAGE, 1);
    store(ALIAS, 3);
    ck_assert_int_eq(pgm_mmio2_query_dirty(vram, &dirty, 1), MEM_OK);
    ck_assert_uint_eq(dirty, 1u << 3);
    /* Code run through the alias is known at the other address. */
    PageId id = fill(ALIAS, MEM_ACCESS_EXEC).id;

    told_reset();
    store(lfb + 3 * PAGE, 4);
    ck_assert_uint_eq(told.n_code, 1);
    ck_assert_uint_eq(told.code_id, id);
    check_sound();
}
END_TEST

START_TEST(bad_aliases_are_refused)
{
    make_device();
    vram = pgm_mmio2_new(pgm, "vga", 0, 2 * PAGE, true, "vram", NULL);
    ck_assert_int_eq(pgm_mmio_alias(mmio, 1, vram, 0), MEM_ERR_UNALIGNED);
    ck_assert_int_eq(pgm_mmio_alias(mmio, 0, vram, 8), MEM_ERR_UNALIGNED);
    ck_assert_int_eq(pgm_mmio_alias(mmio, DEV_LEN, vram, 0), MEM_ERR_OUT_OF_RANGE);
    ck_assert_int_eq(pgm_mmio_alias(mmio, 0, vram, 2 * PAGE), MEM_ERR_OUT_OF_RANGE);
    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    ck_assert_int_eq(pgm_mmio_alias(mmio, 0, vram, 0), MEM_ERR_HOST_MEMORY);
    fake_os_heal();
    ck_assert_int_eq(pgm_mmio_unmap(mmio), MEM_OK);
    ck_assert_int_eq(pgm_mmio_alias(mmio, 0, vram, 0), MEM_ERR_WRONG_ORDER);
    check_sound();
}
END_TEST

/* ---- devices that change the map */

static enum { MOVE_SELF, UNMAP_SELF, FREE_SELF, FLIP_ROM, N_TRICKS } trick;
static PgmMmio *tricky;
static unsigned n_tricky;

static MemStatus trick_access(void *user, uint64_t offset, unsigned size)
{
    (void)user;
    (void)offset;
    (void)size;
    if (n_tricky++ > 0) {
        return MEM_OK;
    }
    switch (trick) {
    case MOVE_SELF:
        ck_assert_int_eq(pgm_mmio_map(tricky, DEV + 16 * PAGE, NULL), MEM_OK);
        break;
    case UNMAP_SELF:
        ck_assert_int_eq(pgm_mmio_unmap(tricky), MEM_OK);
        break;
    case FREE_SELF:
        pgm_mmio_free(g_steal_pointer(&tricky));
        break;
    case FLIP_ROM:
        ck_assert_int_eq(pgm_rom_protect(pgm, 0, HIGH, PGM_ROM_READ_RAM_WRITE_RAM), MEM_OK);
        break;
    case N_TRICKS:
        break;
    }
    return MEM_OK;
}

static MemStatus trick_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    *ret_value = 0x55555555;
    return trick_access(user, offset, size);
}

static MemStatus trick_write(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    (void)value;
    return trick_access(user, offset, size);
}

static void do_trick(int i)
{
    PgmMmioOps trick_ops = { .read = trick_read, .write = trick_write, .max_size = 4 };

    n_tricky = 0;
    trick = i % N_TRICKS;
    tricky = pgm_mmio_new(pgm, PAGE, &trick_ops, NULL, "dev", "tricky", NULL);
    ck_assert_int_eq(pgm_mmio_map(tricky, DEV, NULL), MEM_OK);
    memset(&trick_ops, 0xa5, sizeof trick_ops); /* a copy was taken */
}

START_TEST(device_may_change_the_map_in_its_own_access)
{
    do_trick(_i);
    if (_i < N_TRICKS) {
        uint64_t value = pgm_read_u64(pgm, DEV);

        ck_assert_uint_eq((uint32_t)value, 0x55555555);
        ck_assert_uint_eq(value >> 32, trick == FREE_SELF ? UINT32_MAX : 0x55555555);
    } else {
        ck_assert_int_eq(pgm_write_u64(pgm, DEV, 1), MEM_OK);
    }
    ck_assert_uint_eq(n_tricky, trick == FREE_SELF ? 1 : 2);
    if (trick != FLIP_ROM) {
        ck_assert_uint_eq(pgm_read_u32(pgm, DEV), UINT32_MAX);
    }
    check_sound();
}
END_TEST

/* A guest points the device's DMA at the device. */
static MemStatus dma_to_self(void *user, uint64_t offset, unsigned size, uint64_t value)
{
    (void)user;
    n_tricky++;
    return pgm_bus_write(pgm, DEV + offset, size, value, MEM_ORIGIN_DEVICE);
}

static MemStatus dma_from_self(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    (void)user;
    n_tricky++;
    return pgm_bus_read(pgm, DEV + offset, size, MEM_ORIGIN_DEVICE, ret_value);
}

START_TEST(device_that_reaches_itself_comes_to_an_end)
{
    static const PgmMmioOps self_ops = { .read = dma_from_self, .write = dma_to_self };
    uint64_t value = 0;

    tricky = pgm_mmio_new(pgm, PAGE, &self_ops, NULL, "dev", "self", NULL);
    ck_assert_int_eq(pgm_mmio_map(tricky, DEV, NULL), MEM_OK);
    n_tricky = 0;
    ck_assert_int_eq(pgm_write_u32(pgm, DEV, 1), MEM_ERR_BUS_ERROR);
    ck_assert_uint_eq(n_tricky, 8);
    ck_assert_int_eq(pgm_bus_read(pgm, DEV, 4, MEM_ORIGIN_CPU, &value), MEM_ERR_BUS_ERROR);
    ck_assert_uint_eq(value, UINT32_MAX);
    ck_assert_uint_eq(n_tricky, 16);
}
END_TEST

START_TEST(device_may_free_itself_in_a_bulk_access)
{
    uint8_t bytes[64];

    memset(bytes, 0, sizeof bytes);
    do_trick(FREE_SELF);
    ck_assert_int_eq(pgm_read(pgm, DEV, bytes, 64, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(bytes[3], 0x55);
    ck_assert_uint_eq(bytes[4], 0xff);
    ck_assert_uint_eq(bytes[63], 0xff);
    do_trick(FREE_SELF);
    ck_assert_int_eq(pgm_write(pgm, DEV, bytes, 64, MEM_ORIGIN_DEVICE), MEM_OK);
    ck_assert_uint_eq(n_tricky, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mmio");
    TCase *tcase = tcase_create("mmio");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, device_sees_sizes_it_accepts, 0, 2 * (int)G_N_ELEMENTS(sizes));
    tcase_add_loop_test(tcase, bulk_touches_each_byte_once, 0, 2);
    tcase_add_test(tcase, typed_accesses_never_come_from_a_cache);
    tcase_add_test(tcase, refused_read_gives_ones);
    tcase_add_test(tcase, device_without_functions_is_an_empty_bus);
    tcase_add_test(tcase, debugger_peeks_past_the_device);
    tcase_add_test(tcase, cpu_catches_all_of_it);
    tcase_add_test(tcase, pages_are_counted_from_new_to_free);
    tcase_add_test(tcase, bad_length_makes_no_device);
    tcase_add_loop_test_raise_signal(tcase, absurd_access_sizes_are_a_bug, 6, 0, 3);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("alias");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, alias_shows_device_memory);
    tcase_add_test(tcase, access_into_an_alias_is_split_at_the_page);
    tcase_add_loop_test(tcase, alias_ends_and_cpus_hear_of_it, 0, N_GOINGS);
    tcase_add_test(tcase, many_aliases_come_and_go);
    tcase_add_test(tcase, new_alias_is_told_to_a_cpu_that_caught_there);
    tcase_add_test(tcase, change_of_the_page_is_told_at_both_addresses);
    tcase_add_test(tcase, bad_aliases_are_refused);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("tricks");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, device_may_change_the_map_in_its_own_access, 0, 2 * N_TRICKS);
    tcase_add_test(tcase, device_that_reaches_itself_comes_to_an_end);
    tcase_add_test(tcase, device_may_free_itself_in_a_bulk_access);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
