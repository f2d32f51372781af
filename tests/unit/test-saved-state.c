/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's memory in a saved state: random machines come back byte by byte, into machines that
 * were doing something else; machines that differ are refused by name; hostile units change
 * nothing; a save beside a running guest ends with the memory of its end.
 */
#include "memsys/balloon.h"
#include "memsys/info.h"
#include "memsys/map.h"
#include "memsys/saved-internal.h"
#include "memsys/snapshot.h"
#include "tests/state-reseal.h"
#include "tests/unit/fake-os.h"
#include "tests/unit/page-events.h"

#include <check.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>

Gmm *gmm_new_on(const MemOs *os, uint64_t arena_size, GError **error);

#define PAGE MEM_PAGE_SIZE
#define MIB (UINT64_C(1) << 20)
#define RAM_SIZE (4 * MIB)
#define BIOS UINT64_C(0xf0000)
#define BIOS_PAGES 16
#define FLASH UINT64_C(0xfffc0000)
#define FLASH_PAGES 4
#define VRAM_PAGES 16
#define BAR_PAGES 8

typedef struct Machine {
    Pgm *pgm;
    PgmMmio2 *vram, *fifo;
    PgmMmio *vga, *bar;
    PgmHandler *handler;
} Machine;

/* How a machine differs from the usual one. */
typedef struct Plan {
    uint64_t ram;
    uint64_t hole;
    uint8_t bios; /* what its bytes are like */
    unsigned vram_pages;
    bool no_shadow;
    bool no_bar;
    bool one_more;
    bool other_owner;
    unsigned region;
} Plan;

static const Plan usual = { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES };

static Gmm *gmm;
static Machine a, b;
static char *path;

static PgmHandlerResult pass_on(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static Machine machine_new(const Plan *plan)
{
    static const PgmMmioOps ops = { 0 };
    Machine m = { .pgm = pgm_new(gmm, NULL, NULL) };
    uint8_t image[BIOS_PAGES * PAGE];

    for (size_t i = 0; i < sizeof image; i++) {
        /* Equal pages, and some of zeros. */
        image[i] = i / PAGE % 5 == 0 ? 0 : (uint8_t)(i / PAGE % 3 + i * 7 + plan->bios);
    }
    ck_assert_int_eq(mm_register_x86(m.pgm, plan->ram, plan->hole, NULL), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(m.pgm, BIOS, BIOS_PAGES * PAGE, image, sizeof image, 0xff,
                                      plan->no_shadow ? 0 : PGM_ROM_FLAG_SHADOWED, "board", "bios",
                                      NULL),
                     MEM_OK);
    ck_assert_int_eq(pgm_rom_register(m.pgm, FLASH, FLASH_PAGES * PAGE, image, sizeof image / 4,
                                      0xff, 0, "board", "flash", NULL),
                     MEM_OK);
    m.vram = pgm_mmio2_new(m.pgm, plan->other_owner ? "other" : "vga", plan->region,
                           plan->vram_pages * PAGE, true, "vram", NULL);
    m.fifo = pgm_mmio2_new(m.pgm, "vga", 1, 4 * PAGE, false, "fifo", NULL);
    m.vga = pgm_mmio_new(m.pgm, BAR_PAGES * PAGE, &ops, NULL, "vga", "window", NULL);
    if (!plan->no_bar) {
        m.bar = pgm_mmio_new(m.pgm, BAR_PAGES * PAGE, &ops, NULL, "net", "bar", NULL);
    }
    if (plan->one_more) {
        (void)pgm_mmio_new(m.pgm, PAGE, &ops, NULL, "sound", "regs", NULL);
    }
    ck_assert(m.vram && m.fifo && m.vga);
    m.handler = pgm_handler_new(m.pgm, PGM_HANDLER_KIND_WRITE, 0x8800, 3 * PAGE, pass_on, NULL,
                                "watched", NULL);
    ck_assert_ptr_nonnull(m.handler);
    return m;
}

static void machine_free(Machine *m)
{
    pgm_handler_free(m->handler);
    pgm_free(m->pgm);
    *m = (Machine) { 0 };
}

static void check_sound(const Machine *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n = pgm_verify(m->pgm, report) + gmm_verify(gmm, report);

    ck_assert_msg(n == 0, "%s", report->str);
}

static void setup(void)
{
    const MemOs *os = fake_os_new(UINT64_C(1) << 30);
    int fd = g_file_open_tmp("test-saved-XXXXXX", &path, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert(g_close(fd, NULL));
    mem_os_set(os);
    gmm = gmm_new_on(os, 256 * MIB, NULL);
    ck_assert_ptr_nonnull(gmm);
    gmm_set_limit(gmm, MIB);
    a = machine_new(&usual);
    b = machine_new(&usual);
}

static void teardown(void)
{
    GmmStats left;

    fake_os_heal();
    check_sound(&a);
    check_sound(&b);
    machine_free(&a);
    machine_free(&b);
    gmm_get_stats(gmm, &left);
    ck_assert_uint_eq(left.allocated, 0);
    gmm_free(gmm);
    mem_os_set(NULL);
    ck_assert_int_eq(fake_os.n_files, 0);
    (void)g_unlink(path);
    g_clear_pointer(&path, g_free);
}

/* ---- what a guest may do */

static GPhys some_ram(GRand *rand)
{
    GPhys page = (GPhys)g_rand_int_range(rand, 0, 64);

    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return page * PAGE;
    case 1:
        return MIB + page * PAGE;
    default:
        return 2 * MIB + (page + 440) * PAGE; /* up to the end, across a group of records */
    }
}

static const GPhys places[] = { 0xa0000, 0xb8000, 0x180000, 0xe0000000, 0xe0020000, 0x300000 };

static void act_on_pages(Machine *m, GRand *rand)
{
    GPhys gpa = some_ram(rand);
    uint8_t bytes[PAGE];

    switch (g_rand_int_range(rand, 0, 7)) {
    case 0:
        memset(bytes, 0, sizeof bytes);
        (void)pgm_write_u8(m->pgm, gpa, 1);
        (void)pgm_write(m->pgm, gpa, bytes, PAGE, MEM_ORIGIN_CPU);
        break;
    case 1: /* the same in several places */
        memset(bytes, g_rand_int_range(rand, 1, 4), sizeof bytes);
        (void)pgm_write(m->pgm, gpa, bytes, PAGE, MEM_ORIGIN_CPU);
        break;
    case 2:
        (void)pgm_page_share_internal(m->pgm, gpa);
        break;
    case 3:
        (void)pgm_balloon_inflate(m->pgm, &gpa, 1);
        break;
    case 4:
        (void)pgm_balloon_deflate(m->pgm, &gpa, 1);
        break;
    default:
        (void)pgm_write_u32(m->pgm, gpa + (g_rand_int(rand) & 0xff8), g_rand_int(rand));
    }
}

static void act_on_devices(Machine *m, GRand *rand)
{
    PgmMmio2 *mmio2 = g_rand_boolean(rand) ? m->vram : m->fifo;
    PgmMmio *mmio = g_rand_boolean(rand) ? m->vga : m->bar;
    GPhys gpa = places[g_rand_int_range(rand, 0, G_N_ELEMENTS(places))];
    uint64_t page = (uint64_t)g_rand_int_range(rand, 0, 4);

    switch (g_rand_int_range(rand, 0, 9)) {
    case 0:
        (void)pgm_mmio2_map(mmio2, gpa, NULL);
        break;
    case 1:
        (void)pgm_mmio_map(mmio, gpa, NULL);
        break;
    case 2:
        (void)(g_rand_boolean(rand) ? pgm_mmio2_unmap(mmio2) : pgm_mmio_unmap(mmio));
        break;
    case 3:
        (void)pgm_mmio2_reduce(mmio2, (page + 1) * PAGE);
        break;
    case 4:
        (void)pgm_mmio_alias(mmio, page * PAGE, mmio2, (page ^ 1) * PAGE);
        (void)pgm_mmio_alias(mmio, (page + 1) * PAGE, mmio2, ((page ^ 1) + 1) % 4 * PAGE);
        break;
    case 5:
        pgm_mmio2_host(mmio2)[page * PAGE + 5] = (uint8_t)g_rand_int(rand);
        (void)pgm_mmio2_mark_dirty(mmio2, page * PAGE, PAGE);
        break;
    case 6:
        (void)pgm_rom_protect(m->pgm, BIOS + page * 3 * PAGE, 5 * PAGE,
                              (PgmRomProt)g_rand_int_range(rand, 0, PGM_N_ROM_PROTS));
        break;
    case 7:
        (void)pgm_write_u32(m->pgm, BIOS + page * 3 * PAGE + 8, g_rand_int(rand));
        break;
    default: {
        uint8_t byte = (uint8_t)g_rand_int(rand);

        (void)pgm_poke(m->pgm, g_rand_boolean(rand) ? FLASH + page * PAGE : BIOS + page * PAGE,
                       &byte, 1);
        (void)pgm_handler_page_off(m->handler, 0x8000 + page * PAGE);
    }
    }
}

static void scramble(Machine *m, GRand *rand, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (g_rand_int_range(rand, 0, 3) == 0) {
            act_on_devices(m, rand);
        } else {
            act_on_pages(m, rand);
        }
    }
}

/* ---- comparing */

/* ALLOCATED and SHARED pages of equal bytes are the same, and one of zeros is a ZERO page. */
static unsigned compare_pages(PgmRange *x, PgmRange *y, PgmRecord which)
{
    unsigned n_different = 0;

    for (uint64_t i = 0; i < x->n_pages; i++) {
        PgmPage px = which == PGM_RECORD_SHADOW ? *pgm_shadow_page(x, i) : x->pages[i];
        PgmPage py = which == PGM_RECORD_SHADOW ? *pgm_shadow_page(y, i) : y->pages[i];

        n_different +=
            (pgm_page_state(px) == PGM_PAGE_BALLOONED) !=
                (pgm_page_state(py) == PGM_PAGE_BALLOONED) ||
            pgm_page_handler(px) != pgm_page_handler(py) ||
            memcmp(pgm_host(x->pgm, pgm_page_id(px)), pgm_host(y->pgm, pgm_page_id(py)), PAGE) != 0;
        if (which == PGM_RECORD_SHADOW) {
            n_different += pgm_rom_of(x)->prot[i] != pgm_rom_of(y)->prot[i];
        }
    }
    return n_different;
}

static unsigned compare_aliases(const Machine *x, const Machine *y, PgmRange *mx, PgmRange *my)
{
    unsigned n_different = 0;

    for (uint64_t i = 0; i < mx->n_pages; i++) {
        PgmPage px = *pgm_range_page(mx, i), py = *pgm_range_page(my, i);
        PageId vx = pgm_page_id(px) - x->vram->first_id, vy = pgm_page_id(py) - y->vram->first_id;
        PageId fx = pgm_page_id(px) - x->fifo->first_id, fy = pgm_page_id(py) - y->fifo->first_id;

        n_different += pgm_page_type(px) != pgm_page_type(py) ||
                       (pgm_page_type(px) == PGM_PAGE_MMIO2_ALIAS && vx != vy && fx != fy);
    }
    return n_different;
}

static unsigned compare(const Machine *x, const Machine *y)
{
    unsigned n_different = 0;

    ck_assert_uint_eq(x->pgm->ranges->len, y->pgm->ranges->len);
    for (unsigned r = 0; r < x->pgm->ranges->len; r++) {
        PgmRange *rx = g_ptr_array_index(x->pgm->ranges, r);
        PgmRange *ry = g_ptr_array_index(y->pgm->ranges, r);

        n_different += rx->start != ry->start || rx->shown_pages != ry->shown_pages;
        if (rx->kind == PGM_RANGE_MMIO) {
            n_different += compare_aliases(x, y, rx, ry);
            continue;
        }
        n_different += compare_pages(rx, ry, PGM_RECORD_FRONT);
        if (rx->kind == PGM_RANGE_ROM && pgm_rom_of(rx)->shadow) {
            n_different += compare_pages(rx, ry, PGM_RECORD_SHADOW);
        }
    }
    return n_different;
}

/* ---- saving and loading */

static void save(Machine *m)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    ck_assert_ptr_nonnull(writer);
    pgm_save(m->pgm, writer);
    ck_assert_msg(mem_state_writer_commit(writer, &error), "%s", error ? error->message : "?");
}

static MemStateReader *reader_of_file(void)
{
    g_autoptr(GError) error = NULL;
    MemStateReader *reader = mem_state_reader_new(path, &error);

    ck_assert_msg(reader != NULL, "%s", error ? error->message : "?");
    return reader;
}

static void load(Machine *m)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert_msg(pgm_load_check(m->pgm, reader, &error), "%s", error ? error->message : "?");
    ck_assert_msg(pgm_load_apply(m->pgm, reader, &error), "%s", error ? error->message : "?");
    check_sound(m);
}

START_TEST(a_random_machine_comes_back_whole)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);

    for (unsigned round = 0; round < 5; round++) {
        scramble(&a, rand, 40 << round);
        save(&a);
        scramble(&b, rand, 200);
        load(&b);
        ck_assert_uint_eq(compare(&a, &b), 0);
        /* Saving changed nothing, and the copy saves to the same. */
        save(&b);
        load(&a);
        ck_assert_uint_eq(compare(&a, &b), 0);
    }
    GmmVmStats sa, sb;

    gmm_vm_get_stats(a.pgm->mm.vm, &sa);
    gmm_vm_get_stats(b.pgm->mm.vm, &sb);
    ck_assert_uint_eq(sa.ballooned_pages, sb.ballooned_pages);
    ck_assert_uint_eq(sa.ballooned_pages, a.pgm->stats.pages.ballooned);
}
END_TEST

START_TEST(a_fresh_machine_is_small_and_loads_over_a_used_one)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    save(&a);
    GStatBuf info;

    ck_assert_int_eq(g_stat(path, &info), 0);
    ck_assert_int_lt(info.st_size, 8192);
    scramble(&b, rand, 1000);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_uint_eq(b.pgm->stats.pages.ballooned, 0);
}
END_TEST

START_TEST(equal_pages_are_written_once)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    uint32_t noise[PAGE / 4];

    for (unsigned i = 0; i < G_N_ELEMENTS(noise); i++) {
        noise[i] = g_rand_int(rand);
    }
    for (unsigned i = 0; i < 256; i++) {
        ck_assert_int_eq(pgm_write(a.pgm, MIB + i * PAGE, noise, PAGE, MEM_ORIGIN_CPU), MEM_OK);
    }
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    pgm_save(a.pgm, writer);
    ck_assert_uint_lt(mem_state_writer_raw_bytes(writer), 100000);
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

START_TEST(another_bios_goes_on_with_the_saved_bytes_until_a_reset)
{
    Plan plan = usual;
    uint8_t saved, loaded, own;

    plan.bios = 99;
    machine_free(&b);
    b = machine_new(&plan);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &own, 1), MEM_OK);
    save(&a);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_int_eq(pgm_peek(a.pgm, BIOS + PAGE, &saved, 1), MEM_OK);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &loaded, 1), MEM_OK);
    ck_assert_uint_eq(saved, loaded);
    pgm_reset(b.pgm);
    ck_assert_int_eq(pgm_peek(b.pgm, BIOS + PAGE, &loaded, 1), MEM_OK);
    ck_assert_uint_eq(own, loaded);
    ck_assert_uint_ne(own, saved);
}
END_TEST

/* ---- machines that differ */

static const struct {
    Plan plan;
    const char *message;
} others[] = {
    { { .ram = RAM_SIZE + 4096, .hole = 512 * MIB, .vram_pages = VRAM_PAGES },
      "RAM of 0x400000 bytes (4 MiB) was saved, this machine has 0x401000 (4 MiB)" },
    { { .ram = RAM_SIZE, .hole = 1024 * MIB, .vram_pages = VRAM_PAGES },
      "hole of 0x20000000 bytes (512 MiB) was saved, this machine has 0x40000000 (1024 MiB)" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .no_shadow = true },
      "\"bios\" of \"board\" (region 0, 0x10000 bytes, shadowed) was saved" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES + 1 },
      "\"vram\" of \"vga\" (region 0, 0x10000 bytes) was saved" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .no_bar = true },
      "\"bar\" of \"net\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .one_more = true },
      "this machine has MMIO \"regs\" of \"sound\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .other_owner = true },
      "\"vram\" of \"vga\"" },
    { { .ram = RAM_SIZE, .hole = 512 * MIB, .vram_pages = VRAM_PAGES, .region = 2 },
      "\"vram\" of \"vga\" (region 0" },
};

START_TEST(a_machine_that_differs_is_refused_with_both_sides_named)
{
    g_autoptr(GError) error = NULL;
    Machine other = machine_new(&others[_i].plan);

    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert(!pgm_load_check(other.pgm, reader, &error));
    ck_assert_msg(strstr(error->message, others[_i].message) != NULL, "%s", error->message);
    ck_assert_ptr_nonnull(strstr(error->message, path));
    machine_free(&other);
}
END_TEST

/* ---- hostile units */

static GByteArray *unit_bytes(MemStateReader *reader, const char *name)
{
    GByteArray *bytes = g_byte_array_new();

    ck_assert_uint_eq(mem_state_open_unit(reader, name, 0, 1, NULL), 1);
    uint64_t n = mem_state_unit_left(reader);

    ck_assert(mem_state_get(reader, state_append(bytes, n), n, NULL));
    return bytes;
}

/* The check of a file with these units; if it passes, applied to machine b. Whether it passed. */
static bool try_units(const GByteArray *mm, const GByteArray *unit, bool apply, char **ret_message)
{
    StateBuilder builder;
    GError *error = NULL;

    state_builder_init(&builder);
    state_builder_add(&builder, "mm", 0, 1, mm->data, mm->len);
    state_builder_add(&builder, "pgm", 0, 1, unit->data, unit->len);
    g_autoptr(GByteArray) file = state_builder_finish(&builder);
    g_autoptr(MemStateReader) reader = mem_state_reader_new_from_bytes(file->data, file->len, NULL);

    ck_assert_ptr_nonnull(reader);
    bool good = pgm_load_check(b.pgm, reader, &error);

    if (good && apply && !pgm_load_apply(b.pgm, reader, &error)) {
        ck_abort_msg("checked, and then refused: %s", error->message);
    }
    if (ret_message) {
        *ret_message = g_strdup(good ? "" : error->message);
    }
    g_clear_error(&error);
    return good;
}

START_TEST(hostile_units_are_refused_or_harmless)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i + 100);
    unsigned n_refused = 0;

    scramble(&a, rand, 60);
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    g_autoptr(GByteArray) mm = unit_bytes(reader, "mm");
    g_autoptr(GByteArray) unit = unit_bytes(reader, "pgm");

    for (unsigned round = 0; round < 300; round++) {
        g_autoptr(GByteArray) copy = g_byte_array_new();

        g_byte_array_append(copy, unit->data, unit->len);
        /* The table and the records of the end are what is easily hurt. */
        for (int i = g_rand_int_range(rand, 1, 4); i > 0; i--) {
            guint32 at = round % 2 == 0 ? copy->len - (guint)g_rand_int_range(rand, 1, 400)
                                        : (guint)g_rand_int_range(rand, 0, (gint32)copy->len);

            copy->data[at] = (uint8_t)g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 12 : 256);
        }
        if (round % 7 == 0) {
            g_byte_array_set_size(copy, (guint)g_rand_int_range(rand, 0, (gint32)copy->len));
        }
        n_refused += !try_units(mm, copy, true, NULL);
        check_sound(&b);
    }
    ck_assert_uint_gt(n_refused, 100);
    ck_assert(try_units(mm, unit, true, NULL));
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

/* Records by hand, after the table of a usual machine: u8 and numbers of 4 or 8 bytes. */
typedef struct Row {
    const char *format; /* of the values: 1, 4, 8; p: a page of bytes; M: addresses of all as now */
    uint64_t values[12];
    const char *message; /* "": good */
} Row;

enum { LOW, UPPER, TOP, N_BIOS, N_FLASH, N_VRAM, N_FIFO, N_VGA, N_BAR };

static const Row rows[] = {
    { "M1", { 0 }, "" },
    { "1", { 0 }, "0 addresses of MMIO and MMIO2, expected 4" },
    { "M11", { 0, 0 }, "1 bytes follow the end" },
    { "1", { 10 }, "type 10 is not expected" },
    { "", { 0 }, "1 bytes are expected" },
    { "18M1", { 2, 1 }, "before the first place" },
    { "1p", { 3 }, "before the first place" },
    { "141818M1", { 1, LOW, 0, 0, 2, 160 }, "" },
    { "141818M1", { 1, LOW, 0, 0, 2, 161 }, "161 pages from page 0" },
    { "141818M1", { 1, LOW, 0, 1, 2, UINT64_MAX }, "pages from page 1" },
    { "141818M1", { 1, LOW, 0, 0, 2, 0 }, "0 pages" },
    { "14181pM1", { 1, LOW, 0, 159, 3 }, "" },
    { "14181p1p", { 1, LOW, 0, 159, 3, 3 }, "1 pages from page 160" },
    { "14181", { 1, LOW, 0, 160 }, "1 pages from page 160" },
    { "14181", { 1, 9, 0, 0 }, "range 9 of 9" },
    { "14181", { 1, LOW, 1, 0 }, "no pages of record 1" },
    { "14181", { 1, N_FLASH, 1, 0 }, "no pages of record 1" },
    { "14181", { 1, N_BAR, 0, 0 }, "no pages of record 0" },
    { "14181", { 1, N_BIOS, 2, 0 }, "no pages of record 2" },
    { "14181pM1", { 1, N_BIOS, 1, 15, 3 }, "" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, UPPER, 0, 3 }, "" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, LOW, 0, 0 }, "" }, /* itself: what it was before */
    { "141814 18M1", { 1, LOW, 0, 0, 4, N_VGA, 0, 0 }, "no pages of record 0" },
    { "141814 18M1", { 1, LOW, 0, 0, 4, UPPER, 0, 256 }, "1 pages from page 256" },
    { "141818M1", { 1, UPPER, 0, 0, 5, 256 }, "" },
    { "141818M1", { 1, N_BIOS, 1, 0, 5, 1 }, "cannot be ballooned" },
    { "141818M1", { 1, N_VRAM, 0, 0, 5, 1 }, "cannot be ballooned" },
    { "14881M1", { 6, N_BIOS, 0, 16, 3 }, "" },
    { "14881M1", { 6, N_BIOS, 0, 16, 4 }, "protection 4" },
    { "14881M1", { 6, N_BIOS, 1, 16, 3 }, "16 pages from page 1" },
    { "14881M1", { 6, N_FLASH, 0, 1, 3 }, "protection 3 of" },
    { "14881M14181", { 6, N_BIOS, 0, 1, 3, 1, LOW, 0, 0 }, "type 1 is not expected" },
    { "M14881", { 6, N_BIOS, 0, 1, 3 }, "type 6 is not expected" },
    { "1488", { 7, LOW, 0, 1 }, "1 pages of RAM" },
    { "1488", { 7, N_VRAM, UINT64_MAX, 0 }, "0 pages of" },
    { "1488", { 7, N_VRAM, UINT64_MAX, 17 }, "17 pages of" },
    { "1488", { 7, N_BAR, UINT64_MAX, 7 }, "7 pages of" },
    { "1488", { 7, N_VRAM, 0x1001, 16 }, "cannot lie at 0x1001" },
    { "1488", { 7, N_VRAM, UINT64_C(1) << 52, 16 }, "cannot lie" },
    { "1488", { 7, N_VRAM, (UINT64_C(1) << 52) - 0x1000, 16 }, "cannot lie" },
    { "14881488", { 7, N_VRAM, UINT64_MAX, 16, 7, N_VRAM, UINT64_MAX, 16 }, "there twice" },
    { "14881488", { 7, N_FIFO, UINT64_MAX, 4, 7, N_VRAM, UINT64_MAX, 16 }, "out of order" },
    { "M14848 81", { 8, N_VGA, 0, N_VRAM, 0, 1 }, "shown in" }, /* not mapped */
    { "M14888", { 9, LOW, 0x8800, 8, 1 }, "1 bytes are expected" },
    { "M148881", { 9, LOW, 0x8800, 8, 1, 0 }, "" },
    { "M148881", { 9, LOW, 0x9999, 8, 1, 0 }, "" }, /* no such handler here */
    { "M148881", { 9, N_BAR, 0, 0, 8, 0 }, "" },
    { "M148881", { 9, N_BAR, 0, 0, 9, 0 }, "9 pages from page 0" },
};

static void put_row(GByteArray *unit, const Row *row)
{
    const uint64_t *value = row->values;

    for (const char *f = row->format; *f; f++) {
        if (*f == '1') {
            *state_append(unit, 1) = (uint8_t)*value++;
        } else if (*f == '4') {
            mem_state_put_le32(state_append(unit, 4), (uint32_t)*value++);
        } else if (*f == '8') {
            mem_state_put_le64(state_append(unit, 8), *value++);
        } else if (*f == 'p') {
            memset(state_append(unit, PAGE), 0x77, PAGE);
        } else if (*f == 'M') {
            static const uint64_t shown[] = { VRAM_PAGES, 4, BAR_PAGES, BAR_PAGES };

            for (uint32_t i = 0; i < G_N_ELEMENTS(shown); i++) {
                *state_append(unit, 1) = PGM_SAVED_MAP;
                mem_state_put_le32(state_append(unit, 4), N_VRAM + i);
                mem_state_put_le64(state_append(unit, 8), UINT64_MAX);
                mem_state_put_le64(state_append(unit, 8), shown[i]);
            }
        }
    }
}

/* The table alone: what a machine's unit begins with. */
static GByteArray *table_bytes(GByteArray **ret_mm)
{
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    GByteArray *unit = unit_bytes(reader, "pgm");
    PgmRange *ranges[16];

    *ret_mm = unit_bytes(reader, "mm");
    ck_assert_uint_eq(mem_state_open_unit(reader, "pgm", 0, 1, NULL), 1);
    ck_assert(pgm_saved_get_table(a.pgm, reader, ranges, NULL));
    g_byte_array_set_size(unit, (guint)(unit->len - mem_state_unit_left(reader)));
    return unit;
}

START_TEST(every_rule_of_records_is_checked)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    scramble(&b, rand, 100);
    put_row(unit, &rows[_i]);
    bool good = try_units(mm, unit, true, &message);

    ck_assert_msg(good == (rows[_i].message[0] == 0) && strstr(message, rows[_i].message),
                  "row %d: \"%s\", expected \"%s\"", _i, message, rows[_i].message);
}
END_TEST

/* Records of @n pages of each kind in turn at the start of @range, @count of them. */
static void put_runs(GByteArray *unit, uint8_t type, uint32_t range, uint64_t n, unsigned count)
{
    Row row = { .format = "141818", .values = { 1, range, 0, 0, type, n } };

    while (count-- > 0) {
        put_row(unit, &row);
    }
}

static const Row end_row = { .format = "M1", .values = { 0 } };

START_TEST(runs_cannot_name_pages_without_end)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    uint8_t type = _i == 0 ? PGM_SAVED_ZERO : PGM_SAVED_BALLOONED;
    unsigned n_good = 450; /* of 256 pages; the machine has 984 */

    put_runs(unit, type, UPPER, 256, n_good);
    guint n_bytes = unit->len;

    put_row(unit, &end_row);
    ck_assert(try_units(mm, unit, true, NULL));
    check_sound(&b);
    g_byte_array_set_size(unit, n_bytes);
    put_runs(unit, type, UPPER, 256, 100);
    put_row(unit, &end_row);
    ck_assert(!try_units(mm, unit, true, &message));
    ck_assert_msg(strstr(message, "more than 64 times the machine's"), "%s", message);
}
END_TEST

START_TEST(ballooned_pages_whose_records_would_fill_the_host_are_refused)
{
    Plan plan = usual;
    g_autofree char *message = NULL;

    plan.ram = 3584 * MIB;
    machine_free(&a);
    machine_free(&b);
    a = machine_new(&plan);
    b = machine_new(&plan);
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    guint n_bytes = unit->len;

    put_runs(unit, PGM_SAVED_BALLOONED, TOP, 900000, 2);
    put_row(unit, &end_row);
    gmm_set_limit(gmm, 1000);
    ck_assert(!try_units(mm, unit, true, &message));
    ck_assert_msg(strstr(message, "under the limit of memory"), "%s", message);
    check_sound(&b);
    /* As zeros they cost nothing, and short runs in much RAM are short. */
    g_byte_array_set_size(unit, n_bytes);
    put_runs(unit, PGM_SAVED_ZERO, TOP, 900000, 20);
    put_runs(unit, PGM_SAVED_ZERO, TOP, 1, 20000);
    put_runs(unit, PGM_SAVED_BALLOONED, TOP, 3, 1);
    put_row(unit, &end_row);
    ck_assert(try_units(mm, unit, true, NULL));
    PgmStats stats;

    pgm_get_stats(b.pgm, &stats);
    ck_assert_uint_eq(stats.pages.ballooned, 3);
    check_sound(&b);
}
END_TEST

/* Where VRAM and the window lie, and whether they fit. */
static const struct {
    GPhys vram;
    GPhys window;
    const char *message;
} layouts[] = {
    { 0xe0000000, 0xe0010000, "" },
    { 0xe0000000, 0xe000f000, "overlaps MMIO2 \"vram\"" },
    { 0xa0000, 0xb0000, "" },
    { 0x9f000, 0xb0000, "overlaps RAM" },
    { 0x180000, 0x190000, "" },
    { 0x1f8000, 0xb0000, "overlaps RAM" }, /* over the end of one and the start of another */
    { 0x3f8000, 0xb0000, "overlaps RAM" }, /* over the end of RAM */
    { 0xe0000000, 0xe8000, "" },
    { 0xe0000000, 0xe9000, "overlaps" }, /* into the BIOS */
};

START_TEST(addresses_must_fit_together)
{
    g_autoptr(GByteArray) mm = NULL;
    g_autoptr(GByteArray) unit = table_bytes(&mm);
    g_autofree char *message = NULL;
    Row row = { .format = "1488148814881488"
                          "1",
                .values = { 7, N_VRAM, layouts[_i].vram, 16, 7, N_FIFO, UINT64_MAX, 4 } };
    Row rest = { .format = "148814881",
                 .values = { 7, N_VGA, layouts[_i].window, 8, 7, N_BAR, UINT64_MAX, 8, 0 } };

    row.format = "14881488";
    put_row(unit, &row);
    put_row(unit, &rest);
    bool good = try_units(mm, unit, true, &message);

    ck_assert_msg(good == (layouts[_i].message[0] == 0) && strstr(message, layouts[_i].message),
                  "%s", message);
    if (good) {
        ck_assert_uint_eq(pgm_mmio2_address(b.vram), layouts[_i].vram);
        ck_assert_uint_eq(pgm_mmio_address(b.vga), layouts[_i].window);
    }
}
END_TEST

START_TEST(a_check_changes_nothing)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(8);

    scramble(&a, rand, 300);
    save(&a);
    g_autoptr(MemStateReader) reader = reader_of_file();
    scramble(&b, rand, 300);
    Machine twin = machine_new(&usual);
    char *of_a = g_steal_pointer(&path);

    path = g_strconcat(of_a, ".b", NULL);
    save(&b);
    load(&twin);
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
    ck_assert_uint_eq(compare(&b, &twin), 0);
    ck_assert_uint_ne(compare(&a, &b), 0);
    machine_free(&twin);
    (void)g_unlink(path);
    g_free(path);
    path = of_a;
}
END_TEST

START_TEST(without_memory_a_load_says_so_and_a_snapshot_undoes_it)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(9);
    g_autoptr(GError) error = NULL;
    Machine twin = machine_new(&usual);
    GmmStats now;

    scramble(&b, rand, 300);
    save(&b);
    load(&twin);
    for (unsigned i = 0; i < 512; i++) {
        ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, i + 1), MEM_OK);
    }
    save(&a);
    PgmSnapshot *before = pgm_snapshot_take(b.pgm, NULL, PGM_SNAPSHOT_DEFAULT, NULL);
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert_ptr_nonnull(before);
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
    gmm_get_stats(gmm, &now);
    gmm_set_limit(gmm, now.allocated + 100);
    ck_assert(!pgm_load_apply(b.pgm, reader, &error));
    ck_assert_int_eq(error->code, MEM_ERR_NO_MEMORY);
    gmm_set_limit(gmm, MIB);
    check_sound(&b);
    pgm_snapshot_restore(before);
    ck_assert_uint_eq(compare(&b, &twin), 0);
    ck_assert(pgm_load_apply(b.pgm, reader, NULL));
    ck_assert_uint_eq(compare(&a, &b), 0);
    pgm_snapshot_restore(before);
    ck_assert_uint_eq(compare(&b, &twin), 0);
    pgm_snapshot_drop(before);
    machine_free(&twin);
}
END_TEST

static unsigned n_told_all;

static void note_all(void *user, bool executed)
{
    (void)user;
    n_told_all += executed;
}

START_TEST(cpus_hear_that_nothing_holds)
{
    static const PgmCpuCallbacks callbacks = { .invalidate_all = note_all };
    PgmCpu *cpu = pgm_cpu_attach(b.pgm, &callbacks, NULL);
    PgmFill fill;

    save(&a);
    pgm_cpu_fill(cpu, 0x3000, MEM_ACCESS_EXEC, &fill);
    n_told_all = 0;
    load(&b);
    ck_assert_uint_ge(n_told_all, 1);
    pgm_cpu_detach(cpu);
}
END_TEST

START_TEST(failures_of_the_host_while_saving_and_loading_are_told)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    ck_assert_int_eq(pgm_write_u32(a.pgm, 0x5000, 5), MEM_OK);
    fake_os_fail(FAKE_MAP_ZEROS, 1, 1); /* the table of twins: it does without */
    pgm_save(a.pgm, writer);
    fake_os_heal();
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    fake_os_fail(FAKE_TRY_ALLOC0, 1, 1);
    pgm_save(a.pgm, second);
    fake_os_heal();
    ck_assert(!mem_state_writer_commit(second, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "no host memory"));
    g_autoptr(MemStateReader) reader = reader_of_file();

    for (unsigned n = 1; n <= 5; n++) {
        g_autoptr(GError) why = NULL;

        fake_os_fail(FAKE_TRY_ALLOC0, n, n);
        ck_assert(!pgm_load_check(b.pgm, reader, &why));
        fake_os_heal();
        ck_assert_int_eq(why->code, MEM_ERR_HOST_MEMORY);
    }
    ck_assert(pgm_load_check(b.pgm, reader, NULL));
}
END_TEST

/* ---- live */

START_TEST(a_live_save_is_the_memory_of_its_end)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i + 1000);
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    g_autoptr(GError) error = NULL;
    PgmLiveProgress progress = { 0 };
    unsigned last_pass = 0;

    scramble(&a, rand, 300);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    ck_assert_ptr_nonnull(live);
    for (unsigned step = 0; step < 40 && !progress.converged; step++) {
        pgm_live_save_step(live, 1 + g_rand_int(rand) % 60, &progress);
        ck_assert_uint_ge(progress.pass, last_pass);
        last_pass = progress.pass;
        if (step < 20 || _i % 2 == 0) {
            scramble(&a, rand, 1 + g_rand_int(rand) % 40);
        }
    }
    scramble(&a, rand, _i % 3 == 0 ? 200 : 0);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    check_sound(&a);
    ck_assert_msg(mem_state_writer_commit(writer, &error), "%s", error ? error->message : "?");
    scramble(&b, rand, 200);
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
}
END_TEST

static void take_value(const PgmStat *stat, void *user)
{
    *(uint64_t *)user = stat->value;
}

static uint64_t counter(const char *name)
{
    uint64_t value = 0;

    ck_assert_uint_eq(pgm_stats_foreach(a.pgm, name, take_value, &value), 1);
    return value;
}

START_TEST(a_quiet_guest_converges_and_a_busy_one_is_given_up_on)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveProgress progress = { 0 };
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    for (unsigned i = 0; i < 400; i++) {
        ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, 1 + i), MEM_OK);
    }
    while (!progress.converged) {
        pgm_live_save_step(live, 100000, &progress);
        ck_assert_uint_lt(progress.pass, 20);
        for (unsigned i = 0; i < 400; i++) {
            ck_assert_int_eq(pgm_write_u32(a.pgm, 2 * MIB + i * PAGE, progress.pass + i), MEM_OK);
        }
    }
    ck_assert_uint_ge(progress.pass, 4);
    ck_assert_uint_ge(progress.n_left, 400);
    ck_assert_uint_eq(counter("/PGM/LiveSave/fActive"), 1);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Passes"), progress.pass + 1);
    ck_assert_uint_eq(counter("/PGM/LiveSave/cSavedPages"), progress.n_written);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert_uint_eq(counter("/PGM/LiveSave/fActive"), 0);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Saves"), 1);
    ck_assert_uint_gt(counter("/PGM/LiveSave/cPutOffPages"), 0);
    ck_assert_uint_eq(counter("/PGM/LiveSave/Passes"), progress.pass + 2);
    ck_assert(mem_state_writer_commit(writer, NULL));
    load(&b);
    ck_assert_uint_eq(compare(&a, &b), 0);
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    live = pgm_live_save_new(a.pgm, second, NULL);
    for (progress.converged = false; !progress.converged;) {
        pgm_live_save_step(live, 100, &progress);
    }
    ck_assert_uint_le(progress.pass, 1);
    ck_assert_uint_eq(progress.n_left, 0);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(mem_state_writer_commit(second, NULL));
}
END_TEST

START_TEST(a_live_save_given_up_or_with_other_ranges_leaves_the_old_file)
{
    g_autoptr(GError) given_up = NULL;
    g_autoptr(GError) changed = NULL;
    PgmLiveProgress progress;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    pgm_live_save_step(live, 3, &progress);
    pgm_live_save_free(live);
    ck_assert(!mem_state_writer_commit(writer, &given_up));
    ck_assert_ptr_nonnull(strstr(given_up->message, "given up"));
    g_autoptr(MemStateWriter) second = mem_state_writer_new(path, 1, NULL);

    live = pgm_live_save_new(a.pgm, second, NULL);
    ck_assert_int_eq(pgm_ram_register(a.pgm, UINT64_C(1) << 40, PAGE, "hot", NULL), MEM_OK);
    pgm_live_save_step(live, 3, &progress);
    ck_assert(progress.converged);
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(!mem_state_writer_commit(second, &changed));
    ck_assert_ptr_nonnull(strstr(changed->message, "added or removed"));
}
END_TEST

START_TEST(pages_locked_for_writing_are_saved_last_and_loaded_in_place)
{
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);
    PgmLiveProgress progress = { 0 };
    PgmMapping early, late, there;

    ck_assert_int_eq(pgm_map_page(a.pgm, 0x5000, &early), MEM_OK);
    ck_assert_int_eq(pgm_write_u32(a.pgm, 0x6000, 6), MEM_OK);
    PgmLiveSave *live = pgm_live_save_new(a.pgm, writer, NULL);

    pgm_live_save_step(live, 1000, &progress);
    ck_assert_int_eq(pgm_map_page(a.pgm, 0x6000, &late), MEM_OK);
    early.host[7] = 1;
    for (unsigned i = 0; i < 3; i++) {
        pgm_live_save_step(live, 1000, &progress);
        early.host[0] = late.host[0] = (uint8_t)(i + 10); /* nobody sees it */
    }
    pgm_unmap_page(a.pgm, &late);
    pgm_live_save_step(live, 1000, &progress);
    early.host[1] = 77;
    pgm_live_save_finish(live);
    pgm_live_save_free(live);
    ck_assert(mem_state_writer_commit(writer, NULL));
    ck_assert_int_eq(pgm_map_page(b.pgm, 0x7000, &there), MEM_OK);
    there.host[0] = 9;
    load(&b);
    ck_assert_uint_eq(there.host[0], 0); /* the same host page, with the bytes of the state */
    there.host[0] = 3;
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x7000), 3);
    there.host[0] = 0;
    pgm_unmap_page(b.pgm, &there);
    ck_assert_uint_eq(compare(&a, &b), 0);
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x5001), 77);
    ck_assert_uint_eq(pgm_read_u8(b.pgm, 0x6000), 12);
    pgm_unmap_page(a.pgm, &early);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saved-state");
    TCase *tc = tcase_create("saved-state");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_random_machine_comes_back_whole, 0, 12);
    tcase_add_test(tc, a_fresh_machine_is_small_and_loads_over_a_used_one);
    tcase_add_test(tc, equal_pages_are_written_once);
    tcase_add_test(tc, another_bios_goes_on_with_the_saved_bytes_until_a_reset);
    tcase_add_loop_test(tc, a_machine_that_differs_is_refused_with_both_sides_named, 0,
                        G_N_ELEMENTS(others));
    tcase_add_loop_test(tc, hostile_units_are_refused_or_harmless, 0, 3);
    tcase_add_loop_test(tc, every_rule_of_records_is_checked, 0, G_N_ELEMENTS(rows));
    tcase_add_loop_test(tc, runs_cannot_name_pages_without_end, 0, 2);
    tcase_add_test(tc, ballooned_pages_whose_records_would_fill_the_host_are_refused);
    tcase_add_loop_test(tc, addresses_must_fit_together, 0, G_N_ELEMENTS(layouts));
    tcase_add_test(tc, a_check_changes_nothing);
    tcase_add_test(tc, without_memory_a_load_says_so_and_a_snapshot_undoes_it);
    tcase_add_test(tc, cpus_hear_that_nothing_holds);
    tcase_add_test(tc, failures_of_the_host_while_saving_and_loading_are_told);
    tcase_add_loop_test(tc, a_live_save_is_the_memory_of_its_end, 0, 12);
    tcase_add_test(tc, a_quiet_guest_converges_and_a_busy_one_is_given_up_on);
    tcase_add_test(tc, pages_locked_for_writing_are_saved_last_and_loaded_in_place);
    tcase_add_test(tc, a_live_save_given_up_or_with_other_ranges_leaves_the_old_file);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
