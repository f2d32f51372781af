/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that make, move and remove ranges.
 */
#include "tests/model/memsys/model.h"

#include <inttypes.h>
#include <string.h>

/* Mostly a good place; sometimes none. */
static uint64_t pick_place(Naive *m)
{
    if (one_in(30)) {
        return pick_page() + 1 + below(PAGE - 1);
    }
    if (one_in(60)) {
        return MEM_GPHYS_LIMIT - below(3) * PAGE;
    }
    if (one_in(60)) { /* the last pages of all; nothing is ever registered there */
        return UINT64_MAX - PAGE + 1;
    }
    NaiveRange *ram = one_in(16) ? pick_range(m, PGM_RANGE_RAM) : NULL;

    return ram != NULL && ram->start != SPARE_START ? ram->start : pick_page();
}

/* A length no call accepts, now and then. */
static uint64_t bad_len(void)
{
    return one_in(2) ? 0 : PAGE + 1 + below(1000);
}

static void random_bytes(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(rng() >> 16);
    }
}

/* A call that needs pages, which may be missing now. */
static MemStatus may_lack_memory(const Naive *m, MemStatus real, MemStatus naive)
{
    bool lacks = real == MEM_ERR_NO_MEMORY || (real == MEM_ERR_DECLINED && m->no_overcommit);

    return model_limited && lacks ? real : naive; /* whichever is seen first */
}

/* ---- RAM */

static int op_ram_register(Naive *m)
{
    unsigned n = 1 + below(8);
    uint64_t start = pick_place(m);
    g_autoptr(GError) error = NULL;
    NaiveRange *range = naive_range_new(m, PGM_RANGE_RAM, n);

    if (range == NULL) {
        return OP_SKIPPED;
    }
    char name[16];

    (void)snprintf(name, sizeof name, "ram %u", range->number);
    script(m, "RAM of %u pages at %#" PRIx64, n, start);
    focus(m, ON_MAP, start);
    real_begins(m);
    MemStatus real = pgm_ram_register(m->pgm, start, (uint64_t)n * PAGE, name, &error);

    real_ended(m);
    agree_error(real, error);
    MemStatus naive = naive_check_place(m, range, start, true);

    naive = may_lack_memory(m, real, naive);
    if (naive == MEM_OK && real == MEM_OK) {
        range->start = start;
        real_find(range);
    } else {
        naive_range_free(range);
    }
    return agree(m, real, naive);
}

/* ---- ROM */

static int op_rom_register(Naive *m)
{
    unsigned n = 1 + below(6);
    uint64_t start = pick_place(m);
    bool shadowed = !one_in(4);
    uint8_t fill = (uint8_t)rng();
    g_autoptr(GError) error = NULL;
    NaiveRange *rom = naive_range_new(m, PGM_RANGE_ROM, n);

    if (rom == NULL) {
        return OP_SKIPPED;
    }
    unsigned image_len = below(n * PAGE + 1);
    uint64_t len = one_in(40) ? bad_len() : (uint64_t)n * PAGE;

    image_len = (unsigned)MIN(image_len, len);
    if (one_in(3)) {
        (void)touch(m, start); /* so that a page is beneath */
    }
    char name[16];

    (void)snprintf(name, sizeof name, "rom %u", rom->number);
    script(m, "ROM of %#" PRIx64 " bytes at %#" PRIx64 " shadowed %d image %u", len, start,
           shadowed, image_len);
    random_bytes(rom->bytes, image_len);
    memset(rom->bytes + image_len, fill, (size_t)n * PAGE - image_len);
    rom->image = g_memdup2(rom->bytes, (size_t)n * PAGE);
    rom->shadow = shadowed ? g_malloc0((size_t)n * PAGE) : NULL;
    focus(m, ON_MAP, start);
    real_begins(m);
    MemStatus real =
        pgm_rom_register(m->pgm, start, len, image_len > 0 ? rom->image : NULL, image_len, fill,
                         shadowed ? PGM_ROM_FLAG_SHADOWED : 0, "board", name, &error);

    real_ended(m);
    agree_error(real, error);
    MemStatus naive = len == (uint64_t)n * PAGE ? naive_map(rom, start) : MEM_ERR_UNALIGNED;

    naive = may_lack_memory(m, real, naive);
    if (naive != MEM_OK || real != MEM_OK) {
        naive_range_free(rom);
    } else {
        real_find(rom);
    }
    return agree(m, real, naive);
}

void show_shadow(Naive *m, NaiveRange *rom)
{
    if (rom->shadow == NULL || rom->start == NOWHERE) {
        return;
    }
    (void)pgm_rom_protect(m->pgm, rom->start, (uint64_t)rom->n_pages * PAGE,
                          PGM_ROM_READ_RAM_WRITE_RAM);
    for (unsigned page = 0; page < rom->n_pages; page++) {
        rom->prot[page] = PGM_ROM_READ_RAM_WRITE_RAM;
    }
}

static int op_rom_deregister(Naive *m)
{
    NaiveRange *rom = pick_range(m, PGM_RANGE_ROM);
    if (rom != NULL && rom->start == NOWHERE) {
        return OP_SKIPPED;
    }
    uint64_t start = rom == NULL || one_in(20) ? pick_page() : rom->start;
    Place place = naive_at(m, start);
    MemStatus naive = MEM_ERR_NOT_FOUND;

    if (rom == NULL && !one_in(10)) {
        return OP_SKIPPED;
    }
    script(m, "no ROM at %#" PRIx64, start);
    if (rom != NULL && one_in(2)) {
        show_shadow(m, rom);
        (void)flood(m, rom);
    }
    if (place.range != NULL && place.range->kind == PGM_RANGE_ROM) {
        unlock_range(m, place.range);
    }
    focus(m, ON_UNMAP, start);
    real_begins(m);
    MemStatus real = pgm_rom_deregister(m->pgm, start);

    real_ended(m);
    if (place.range != NULL && place.range->kind == PGM_RANGE_ROM && place.range->start == start) {
        naive_range_free(place.range);
        naive = MEM_OK;
    }
    return agree(m, real, naive);
}

static int op_rom_protect(Naive *m)
{
    NaiveRange *rom = pick_range(m, PGM_RANGE_ROM);
    if (rom != NULL && rom->start == NOWHERE) {
        return OP_SKIPPED;
    }
    uint64_t start = rom != NULL && !one_in(4) ? rom->start : pick_page();
    uint64_t len = (uint64_t)below(one_in(6) ? 80 : 6) * PAGE;
    PgmRomProt prot = (PgmRomProt)below(one_in(50) ? PGM_N_ROM_PROTS + 1 : PGM_N_ROM_PROTS);
    MemStatus naive = MEM_OK;

    start += one_in(3) ? (uint64_t)below(4) * PAGE : 0;
    uint64_t back = (uint64_t)below(4) * PAGE;

    start -= one_in(3) ? MIN(start, back) : 0;
    if (rom != NULL && one_in(3)) { /* all of it */
        start = rom->start;
        len = (uint64_t)rom->n_pages * PAGE;
    }
    if (one_in(50)) {
        *(one_in(2) ? &start : &len) += 7;
    }
    if (one_in(60)) {
        len = UINT64_MAX / PAGE * PAGE;
    }
    script(m, "protect %#" PRIx64 "+%#" PRIx64 " as %d", start, len, prot);
    focus(m, ON_PROTECT, rom != NULL ? rom->start : start);
    real_begins(m);
    MemStatus real = pgm_rom_protect(m->pgm, start, len, prot);

    real_ended(m);
    if (prot >= PGM_N_ROM_PROTS) {
        naive = MEM_ERR_INVALID_PARAMETER;
    } else if (start % PAGE != 0 || len % PAGE != 0) {
        naive = MEM_ERR_UNALIGNED;
    }
    for (unsigned slot = 0; slot < N_SLOTS && naive == MEM_OK; slot++) {
        Place place = naive_at(m, slot_address(slot));

        if (slot_address(slot) >= start && slot_address(slot) - start < len &&
            place.range != NULL && place.range->shadow != NULL) {
            place.range->prot[place.page] = prot;
        }
    }
    return agree(m, real, naive);
}

static int op_rom_protection(Naive *m)
{
    uint64_t gpa = pick_address(m);
    Place place = naive_at(m, gpa);
    PgmRomProt prot = PGM_N_ROM_PROTS;
    bool is_rom = place.range != NULL && place.range->kind == PGM_RANGE_ROM;

    script(m, "protection at %#" PRIx64, gpa);
    if (pgm_rom_get_protection(m->pgm, gpa, &prot) != is_rom) {
        model_fail("ROM at %#" PRIx64 ": expected %d", gpa, is_rom);
    }
    if (is_rom && prot != place.range->prot[place.page]) {
        model_fail("protection at %#" PRIx64 " is %d, not %d", gpa, prot,
                   place.range->prot[place.page]);
    }
    return MEM_OK;
}

/* ---- MMIO */

static int op_mmio_new(Naive *m)
{
    unsigned n = 1 + below(4);
    NaiveRange *dev = naive_range_new(m, PGM_RANGE_MMIO, n);
    uint64_t len = one_in(30) ? bad_len() : (uint64_t)n * PAGE;
    g_autoptr(GError) error = NULL;

    if (dev == NULL) {
        return OP_SKIPPED;
    }
    dev->ops = model_ops;
    dev->ops.min_size = (uint8_t)(1u << below(4));
    dev->ops.max_size = (uint8_t)(dev->ops.min_size << below(4));
    dev->ops.max_size = MIN(dev->ops.max_size, 8);
    dev->ops.unaligned = one_in(3);
    dev->ops.big_endian = one_in(3);
    dev->refuses = one_in(8);
    dev->wanders = !dev->refuses && one_in(5);
    dev->dies = !dev->refuses && one_in(8);
    dev->homes[0] = pick_page();
    dev->homes[1] = pick_page();
    random_bytes(dev->bytes, (size_t)n * PAGE);
    dev->registers = g_memdup2(dev->bytes, (size_t)n * PAGE);
    char name[16];

    (void)snprintf(name, sizeof name, "mmio %u", dev->number);
    script(m, "MMIO %u of %#" PRIx64 " bytes min %u max %u unaligned %d", dev->number, len,
           dev->ops.min_size, dev->ops.max_size, dev->ops.unaligned);
    dev->mmio = pgm_mmio_new(m->pgm, len, &dev->ops, dev, "chip", name, &error);
    MemStatus naive = len == (uint64_t)n * PAGE ? MEM_OK : MEM_ERR_UNALIGNED;
    MemStatus real = dev->mmio != NULL ? MEM_OK : MEM_ERR_UNALIGNED;

    agree_error(real, error);
    if (naive != MEM_OK || real != MEM_OK) {
        naive_range_free(dev);
    } else {
        real_find(dev);
    }
    return agree(m, real, naive);
}

static int map_range(Naive *m, NaiveRange *range)
{
    g_autoptr(GError) error = NULL;
    uint64_t start = pick_place(m);

    script(m, "map %u at %#" PRIx64 " from %#" PRIx64, range->number, start, range->start);
    focus(m, ON_MAP, start);
    real_begins(m);
    MemStatus real = range->kind == PGM_RANGE_MMIO ? pgm_mmio_map(range->mmio, start, &error)
                                                   : pgm_mmio2_map(range->mmio2, start, &error);

    real_ended(m);
    agree_error(real, error);
    MemStatus naive = naive_map(range, start);
    GPhys at = range->kind == PGM_RANGE_MMIO ? pgm_mmio_address(range->mmio)
                                             : pgm_mmio2_address(range->mmio2);

    if (at != range->start) {
        model_fail("it lies at %#" PRIx64 ", not %#" PRIx64, at, range->start);
    }
    return agree(m, real, naive);
}

static int op_mmio_map(Naive *m)
{
    NaiveRange *dev = pick_range(m, PGM_RANGE_MMIO);

    return dev == NULL ? OP_SKIPPED : map_range(m, dev);
}

static int unmap_range(Naive *m, NaiveRange *range)
{
    MemStatus naive = range->start == NOWHERE ? MEM_ERR_WRONG_ORDER : MEM_OK;

    script(m, "unmap %u from %#" PRIx64, range->number, range->start);
    focus(m, ON_UNMAP, range->start);
    real_begins(m);
    MemStatus real =
        range->kind == PGM_RANGE_MMIO ? pgm_mmio_unmap(range->mmio) : pgm_mmio2_unmap(range->mmio2);

    real_ended(m);
    if (naive == MEM_OK) {
        naive_unmap(range);
    }
    return agree(m, real, naive);
}

static int op_mmio_unmap(Naive *m)
{
    NaiveRange *dev = pick_range(m, PGM_RANGE_MMIO);

    return dev == NULL ? OP_SKIPPED : unmap_range(m, dev);
}

static int op_mmio_free(Naive *m)
{
    NaiveRange *dev = pick_range(m, PGM_RANGE_MMIO);

    if (dev == NULL) {
        return OP_SKIPPED;
    }
    script(m, "free MMIO %u", dev->number);
    focus(m, ON_UNMAP, dev->start);
    pgm_mmio_free(dev->mmio);
    naive_range_free(dev);
    return MEM_OK;
}

static int op_alias(Naive *m)
{
    NaiveRange *dev = pick_range(m, PGM_RANGE_MMIO), *fb = pick_range(m, PGM_RANGE_MMIO2);
    MemStatus naive = MEM_OK;

    if (dev == NULL || fb == NULL) {
        return OP_SKIPPED;
    }
    unsigned page = below(one_in(20) ? dev->n_pages + 2 : dev->n_pages);
    unsigned fb_page = below(one_in(20) ? fb->n_pages + 2 : fb->n_pages);
    uint64_t odd = one_in(40) ? 8 : 0;

    script(m, "alias %u page %u to %u page %u", dev->number, page, fb->number, fb_page);
    focus(m, ON_ALIAS, dev->start == NOWHERE ? 0 : dev->start + (uint64_t)page * PAGE);
    real_begins(m);
    MemStatus real =
        pgm_mmio_alias(dev->mmio, (uint64_t)page * PAGE, fb->mmio2, (uint64_t)fb_page * PAGE + odd);

    real_ended(m);
    if (dev->start == NOWHERE) {
        naive = MEM_ERR_WRONG_ORDER;
    } else if (odd != 0) {
        naive = MEM_ERR_UNALIGNED;
    } else if (page >= dev->n_pages || fb_page >= fb->n_pages) {
        naive = MEM_ERR_OUT_OF_RANGE;
    } else {
        dev->alias[page] = fb;
        dev->alias_page[page] = fb_page;
    }
    return agree(m, real, naive);
}

static int op_unalias(Naive *m)
{
    NaiveRange *dev = pick_range(m, PGM_RANGE_MMIO);

    if (dev == NULL) {
        return OP_SKIPPED;
    }
    uint64_t at = dev->start;

    for (unsigned page = 0; page < dev->n_pages && at != NOWHERE; page++) {
        if (dev->alias[page] != NULL) {
            at = dev->start + (uint64_t)page * PAGE;
        }
    }
    script(m, "unalias %u", dev->number);
    focus(m, ON_UNALIAS, at);
    pgm_mmio_unalias(dev->mmio);
    memset(dev->alias, 0, sizeof dev->alias);
    return MEM_OK;
}

/* ---- MMIO2 */

static int op_mmio2_new(Naive *m)
{
    unsigned n = 1 + below(12);
    NaiveRange *twin = one_in(20) ? pick_range(m, PGM_RANGE_MMIO2) : NULL;
    unsigned n_there = 0;

    /* Each takes whole chunks of a small arena. */
    for (unsigned i = 0; i < MAX_RANGES; i++) {
        n_there += m->ranges[i].live && m->ranges[i].kind == PGM_RANGE_MMIO2;
    }
    if (n_there == 4) {
        return OP_SKIPPED;
    }
    NaiveRange *fb = naive_range_new(m, PGM_RANGE_MMIO2, n);
    g_autoptr(GError) error = NULL;

    if (fb == NULL) {
        return OP_SKIPPED;
    }
    unsigned region = twin != NULL ? twin->region : fb->number + below(4) * 100;
    uint64_t len = one_in(30) ? bad_len() : (uint64_t)n * PAGE;
    MemStatus naive = len == (uint64_t)n * PAGE ? MEM_OK : MEM_ERR_UNALIGNED;

    for (unsigned i = 0; i < MAX_RANGES; i++) {
        const NaiveRange *other = &m->ranges[i];

        if (other != fb && other->live && other->kind == PGM_RANGE_MMIO2 &&
            other->region == region) {
            naive = MEM_ERR_ALREADY_EXISTS;
        }
    }
    fb->can_track = !one_in(4);
    fb->region = region;
    script(m, "MMIO2 %u of %#" PRIx64 " bytes track %d", region, len, fb->can_track);
    real_begins(m);
    fb->mmio2 = pgm_mmio2_new(m->pgm, "vga", region, len, fb->can_track, "frame buffer", &error);
    real_ended(m);
    MemStatus real = error != NULL ? (MemStatus)error->code : MEM_OK;

    agree_error(fb->mmio2 != NULL ? MEM_OK : real, error);
    naive = may_lack_memory(m, real, naive);
    if (naive != MEM_OK || real != MEM_OK) {
        naive_range_free(fb);
        return agree(m, real, naive);
    }
    real_find(fb);
    if (pgm_mmio2_lookup(m->pgm, "vga", region) != fb->mmio2 || pgm_mmio2_len(fb->mmio2) != len) {
        model_fail("MMIO2 %u is not what it should be", region);
    }
    return agree(m, real, naive);
}

static int op_mmio2_map(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);

    return fb == NULL ? OP_SKIPPED : map_range(m, fb);
}

static int op_mmio2_unmap(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);

    return fb == NULL ? OP_SKIPPED : unmap_range(m, fb);
}

static int op_mmio2_free(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);

    if (fb == NULL) {
        return OP_SKIPPED;
    }
    script(m, "free MMIO2 %u", fb->number);
    unlock_range(m, fb);
    focus(m, ON_UNMAP, fb->start);
    pgm_mmio2_free(fb->mmio2);
    naive_range_free(fb);
    return MEM_OK;
}

static int op_reduce(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);
    unsigned n = below(14);
    uint64_t odd = one_in(20) ? 4 : 0;
    MemStatus naive = MEM_OK;

    if (fb == NULL || (fb->start != NOWHERE && !one_in(10))) {
        return OP_SKIPPED;
    }
    script(m, "reduce MMIO2 %u to %u pages", fb->number, n);
    MemStatus real = pgm_mmio2_reduce(fb->mmio2, (uint64_t)n * PAGE + odd);

    if (fb->start != NOWHERE) {
        naive = MEM_ERR_WRONG_ORDER;
    } else if (odd != 0) {
        naive = MEM_ERR_UNALIGNED;
    } else if (n == 0 || n > fb->n_pages) {
        naive = MEM_ERR_OUT_OF_RANGE;
    } else {
        fb->n_shown = n;
    }
    return agree(m, real, naive);
}

/* ---- dirty tracking */

static void focus_page(Naive *m, PageEvent event, const NaiveRange *fb, unsigned page)
{
    focus(m, event, fb->start == NOWHERE ? 0 : fb->start + (uint64_t)page * PAGE);
}

static int op_track(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);
    bool on = !one_in(3);

    if (fb == NULL) {
        return OP_SKIPPED;
    }
    script(m, "track MMIO2 %u %d", fb->number, on);
    focus_page(m, ON_TRACK, fb, 0);
    MemStatus real = pgm_mmio2_set_tracking(fb->mmio2, on);

    if (!fb->can_track) {
        return agree(m, real, MEM_ERR_WRONG_TYPE);
    }
    for (unsigned page = 0; on && !fb->tracking && page < fb->n_pages; page++) {
        fb->dirty[page] = fb->n_write_locks[FRONT][page] != 0;
        fb->maybe_dirty[page] = fb->dirty[page];
        fb->monitored[page] = fb->n_write_locks[FRONT][page] == 0;
    }
    fb->tracking = on;
    return agree(m, real, MEM_OK);
}

static int op_query_dirty(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);
    uint64_t bitmap = UINT64_MAX, expected = 0;
    bool look = !one_in(4);
    uint64_t n_words = one_in(20) ? 2 : 1;

    if (fb == NULL) {
        return OP_SKIPPED;
    }
    script(m, "query MMIO2 %u", fb->number);
    focus_page(m, ON_TRACK, fb, 0);
    MemStatus real = pgm_mmio2_query_dirty(fb->mmio2, look ? &bitmap : NULL, n_words);

    if (!fb->can_track) {
        return agree(m, real, MEM_ERR_WRONG_TYPE);
    }
    if (n_words != 1) {
        return agree(m, real, MEM_ERR_INVALID_PARAMETER);
    }
    uint64_t possible = 0;

    for (unsigned page = 0; page < fb->n_pages; page++) {
        if (fb->dirty[page]) {
            expected |= UINT64_C(1) << page;
            fb->monitored[page] |= fb->tracking && fb->n_write_locks[FRONT][page] == 0;
        }
        possible |= (uint64_t)fb->maybe_dirty[page] << page;
        fb->dirty[page] = fb->tracking && fb->n_write_locks[FRONT][page] != 0;
        fb->maybe_dirty[page] = fb->dirty[page];
    }
    if (look && ((bitmap & expected) != expected || (bitmap & ~(possible | expected)) != 0)) {
        model_fail("dirty are %#" PRIx64 ", not %#" PRIx64, bitmap, expected);
    }
    return agree(m, real, MEM_OK);
}

/* The device draws through its pointer and says so. */
static int op_mark_dirty(Naive *m)
{
    NaiveRange *fb = pick_range(m, PGM_RANGE_MMIO2);

    if (fb == NULL) {
        return OP_SKIPPED;
    }
    uint64_t size = (uint64_t)fb->n_pages * PAGE;
    uint64_t offset = below((unsigned)size), len = 1 + below(3 * PAGE);
    bool fits = offset + len <= size;

    script(m, "draw %#" PRIx64 " bytes at %#" PRIx64 " of MMIO2 %u", len, offset, fb->number);
    focus_page(m, ON_MARK, fb, (unsigned)(offset / PAGE));
    MemStatus real = pgm_mmio2_mark_dirty(fb->mmio2, offset, len);
    MemStatus naive = fits ? MEM_OK : MEM_ERR_OUT_OF_RANGE;

    for (uint64_t at = offset; naive == MEM_OK && at < offset + len; at += PAGE - at % PAGE) {
        unsigned page = (unsigned)(at / PAGE);

        naive = naive_make_writable(m, (Place) { fb, page, at, false }, false);
    }
    /* Said first, drawn then: a snapshot keeps what was there. */
    for (uint64_t at = offset; real == MEM_OK && at < offset + len; at++) {
        fb->bytes[at] = (uint8_t)(rng() >> 8);
        pgm_mmio2_host(fb->mmio2)[at] = fb->bytes[at];
    }
    return agree(m, real, naive);
}

const Op range_ops[] = {
    { "RAM register", op_ram_register, 2, OP_RANGES },
    { "ROM register", op_rom_register, 15, OP_RANGES },
    { "ROM deregister", op_rom_deregister, 10, OP_RANGES },
    { "ROM protect", op_rom_protect, 40, 0 },
    { "ROM protection", op_rom_protection, 8, 0 },
    { "MMIO new", op_mmio_new, 8, OP_RANGES },
    { "MMIO map", op_mmio_map, 20, 0 },
    { "MMIO unmap", op_mmio_unmap, 8, 0 },
    { "MMIO free", op_mmio_free, 5, OP_RANGES },
    { "MMIO alias", op_alias, 25, 0 },
    { "MMIO unalias", op_unalias, 8, 0 },
    { "MMIO2 new", op_mmio2_new, 8, OP_RANGES },
    { "MMIO2 map", op_mmio2_map, 20, 0 },
    { "MMIO2 unmap", op_mmio2_unmap, 8, 0 },
    { "MMIO2 free", op_mmio2_free, 4, OP_RANGES },
    { "MMIO2 reduce", op_reduce, 8, 0 },
    { "MMIO2 track", op_track, 12, 0 },
    { "MMIO2 query dirty", op_query_dirty, 20, 0 },
    { "MMIO2 mark dirty", op_mark_dirty, 12, 0 },
};
const unsigned n_range_ops = G_N_ELEMENTS(range_ops);
