/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of saved states share: two machines of every kind of range, a guest that does
 * anything at random to one, and their comparison after a save and a load.
 */
#pragma once

#include "memsys/balloon.h"
#include "memsys/info.h"
#include "memsys/map.h"
#include "memsys/saved-internal.h"
#include "memsys/snapshot.h"
#include "tests/unit/fake-os.h"
#include "tests/unit/page-events.h"

#include <check.h>
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

static inline PgmHandlerResult pass_on(Pgm *pgm, const PgmHandlerAccess *access, void *user)
{
    (void)pgm;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static inline Machine machine_new(const Plan *plan)
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

static inline void machine_free(Machine *m)
{
    pgm_handler_free(m->handler);
    pgm_free(m->pgm);
    *m = (Machine) { 0 };
}

static inline void check_sound(const Machine *m)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n = pgm_verify(m->pgm, report) + gmm_verify(gmm, report);

    ck_assert_msg(n == 0, "%s", report->str);
}

static inline void saved_setup(void)
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

static inline void saved_teardown(void)
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
    ck_assert_int_eq(fake_os.n_blocks, 0);
    (void)g_unlink(path);
    g_clear_pointer(&path, g_free);
}

/* ---- what a guest may do */

static inline GPhys some_ram(GRand *rand)
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

static inline void act_on_pages(Machine *m, GRand *rand)
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

static inline void act_on_devices(Machine *m, GRand *rand)
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

static inline void scramble(Machine *m, GRand *rand, unsigned n)
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
static inline unsigned compare_pages(PgmRange *x, PgmRange *y, PgmRecord which)
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

static inline unsigned compare_aliases(const Machine *x, const Machine *y, PgmRange *mx,
                                       PgmRange *my)
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

static inline unsigned compare(const Machine *x, const Machine *y)
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

static inline void save(Machine *m)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 1, NULL);

    ck_assert_ptr_nonnull(writer);
    pgm_save(m->pgm, writer);
    ck_assert_msg(mem_state_writer_commit(writer, &error), "%s", error ? error->message : "?");
}

static inline MemStateReader *reader_of_file(void)
{
    g_autoptr(GError) error = NULL;
    MemStateReader *reader = mem_state_reader_new(path, &error);

    ck_assert_msg(reader != NULL, "%s", error ? error->message : "?");
    return reader;
}

static inline void load(Machine *m)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MemStateReader) reader = reader_of_file();

    ck_assert_msg(pgm_load_check(m->pgm, reader, &error), "%s", error ? error->message : "?");
    ck_assert_msg(pgm_load_apply(m->pgm, reader, &error), "%s", error ? error->message : "?");
    check_sound(m);
}

static inline int saved_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
