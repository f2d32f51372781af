/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small machine of pgm-fixture.h with a shadowed ROM, an MMIO2, an MMIO range and a handler,
 * and a naive picture of it: every byte of some pages of each kind, and the layout.
 */
#pragma once

#include "memsys/balloon.h"
#include "memsys/dirty.h"
#include "memsys/map.h"
#include "memsys/snapshot.h"
#include "tests/unit/page-events.h"
#include "tests/unit/pgm-fixture.h"

#define N_RAM 48u
#define N_ROM 4u
#define N_FB 8u
#define N_PICTURED (N_RAM + 2 * N_ROM + N_FB)
#define RAM HIGH
#define ROM HOLE
#define FB ABOVE
#define REGS (ABOVE + UINT64_C(0x100000))
#define ROM_AT N_RAM
#define SHADOW_AT (N_RAM + N_ROM)
#define FB_AT (N_RAM + 2 * N_ROM)

static PgmMmio2 *fb;
static PgmMmio *regs;
static PgmHandler *handler;

typedef struct Picture {
    uint8_t bytes[N_PICTURED][4096];
    bool ballooned[N_PICTURED];
    bool locked[N_PICTURED]; /* then it cannot be ballooned */
    uint8_t prots[N_ROM];
    GPhys fb_start, regs_start;
    uint64_t fb_shown;
    PageId aliases[4];
    bool off[2];
} Picture;

static inline PgmRange *range_of(GPhys gpa)
{
    const PgmSpan *span = pgm_span_lookup(pgm, gpa);

    ck_assert_ptr_nonnull(span);
    return span->range;
}

static PgmRange *ram_range, *rom_range;

/* The record of pictured page @n. */
static inline PgmPage record_of(unsigned n)
{
    if (n < N_RAM) {
        return ram_range->pages[n];
    }
    if (n < SHADOW_AT) {
        return rom_range->pages[n - ROM_AT];
    }
    if (n < FB_AT) {
        return *pgm_shadow_page(rom_range, n - SHADOW_AT);
    }
    return fb->range.pages[n - FB_AT];
}

static inline void take_picture(Picture *picture)
{
    memset(picture, 0, sizeof *picture);
    for (unsigned n = 0; n < N_PICTURED; n++) {
        memcpy(picture->bytes[n], pgm_host(pgm, pgm_page_id(record_of(n))), 4096);
        picture->locked[n] = pgm_page_locked(record_of(n));
        picture->ballooned[n] = pgm_page_state(record_of(n)) == PGM_PAGE_BALLOONED;
    }
    memcpy(picture->prots, pgm_rom_of(rom_range)->prot, N_ROM);
    picture->fb_start = fb->range.start;
    picture->fb_shown = fb->range.shown_pages;
    picture->regs_start = regs->range.start;
    for (unsigned i = 0; i < 4; i++) {
        picture->aliases[i] = pgm_page_id(*pgm_range_page(&regs->range, i));
    }
    for (unsigned i = 0; i < 2; i++) {
        picture->off[i] = pgm_page_handler(ram_range->pages[i]) == PGM_HANDLER_DISABLED;
    }
}

/* NULL if @a is what @b was, else where they differ. */
static inline const char *difference(const Picture *a, const Picture *b)
{
    static char text[100];

    for (unsigned n = 0; n < N_PICTURED; n++) {
        bool other = a->ballooned[n] != b->ballooned[n] && !a->locked[n];

        if (memcmp(a->bytes[n], b->bytes[n], 4096) != 0 || other) {
            g_snprintf(text, sizeof text, "page %u", n);
            return text;
        }
    }
    if (memcmp(a->prots, b->prots, N_ROM) != 0) {
        return "ROM protections";
    }
    if (a->fb_start != b->fb_start || a->fb_shown != b->fb_shown ||
        a->regs_start != b->regs_start) {
        return "places";
    }
    if (memcmp(a->aliases, b->aliases, sizeof a->aliases) != 0) {
        return "aliases";
    }
    return memcmp(a->off, b->off, sizeof a->off) != 0 ? "handlers" : NULL;
}

static inline PgmHandlerResult let_through(Pgm *machine, const PgmHandlerAccess *access, void *user)
{
    (void)machine;
    (void)access;
    (void)user;
    return PGM_HANDLER_DO_DEFAULT;
}

static inline void snapshot_setup_with(const PgmConfig *config)
{
    static const PgmMmioOps ops = { 0 };
    uint8_t image[N_ROM * 4096];

    pgm_setup_with(config);
    for (unsigned i = 0; i < sizeof image; i++) {
        image[i] = (uint8_t)(i * 7 + (i >> 12));
    }
    ck_assert_int_eq(pgm_rom_register(pgm, ROM, sizeof image, image, sizeof image, 0xff,
                                      PGM_ROM_FLAG_SHADOWED, "t", "rom", NULL),
                     MEM_OK);
    fb = pgm_mmio2_new(pgm, "t", 0, N_FB * PAGE, true, "fb", NULL);
    regs = pgm_mmio_new(pgm, 4 * PAGE, &ops, NULL, "t", "regs", NULL);
    ck_assert(fb && regs);
    ck_assert_int_eq(pgm_mmio2_map(fb, FB, NULL), MEM_OK);
    ck_assert_int_eq(pgm_mmio_map(regs, REGS, NULL), MEM_OK);
    handler =
        pgm_handler_new(pgm, PGM_HANDLER_KIND_WRITE, RAM, 2 * PAGE, let_through, NULL, "h", NULL);
    ck_assert_ptr_nonnull(handler);
    ram_range = range_of(RAM);
    rom_range = range_of(ROM);
    told_reset();
}

static inline void snapshot_setup(void)
{
    snapshot_setup_with(NULL);
}

static inline void snapshot_teardown(void)
{
    fake_os_heal();
    gmm_set_limit(gmm, PLENTY);
    check_sound();
    g_clear_pointer(&handler, pgm_handler_free);
    pgm_teardown();
}

static inline PgmSnapshot *take(PgmSnapshotFlags flags)
{
    g_autoptr(GError) error = NULL;
    PgmSnapshot *snapshot = pgm_snapshot_take(pgm, "s", flags, &error);

    ck_assert_msg(snapshot != NULL, "%s", error ? error->message : "");
    return snapshot;
}

static inline PgmSnapshotStats numbers(void)
{
    PgmSnapshotStats s;

    pgm_snapshot_get_stats(pgm, &s);
    return s;
}
