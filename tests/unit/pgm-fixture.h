/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine: RAM "low" at 0 to 640K and "high" at 1M to 5M, a hole between and above, and one
 * CPU that notes what it is told. Checked whole after each test, when every page and host mapping
 * must be gone.
 */
#pragma once

#include "memsys/pgm-internal.h"
#include "tests/unit/fake-os.h"
#include "tests/unit/page-events.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Gmm *gmm_new_on(const MemOs *os, uint64_t arena_size, GError **error);

#define FIXTURE_ARENA (UINT64_C(64) << 20)
#define PLENTY (UINT64_C(1) << 30)
#define LOW UINT64_C(0)
#define LOW_LEN UINT64_C(0xa0000)
#define HIGH UINT64_C(0x100000)
#define HIGH_LEN UINT64_C(0x400000)
#define HOLE UINT64_C(0xc0000)
#define ABOVE UINT64_C(0x10000000) /* nothing there */
#define PAGE UINT64_C(0x1000)

/* What a CPU was told since told_reset(). */
typedef struct Told {
    unsigned n_pages, n_all, n_code;
    GPhys gpas[16];
    bool executed;
    PageId code_id;
    uint32_t code_offset, code_len;
} Told;

static Gmm *gmm;
static Pgm *pgm;
static PgmCpu *cpu;
static Told told;

static void note_page(void *user, GPhys gpa, bool executed)
{
    Told *t = user;

    t->gpas[t->n_pages++ % G_N_ELEMENTS(t->gpas)] = gpa;
    t->executed |= executed;
}

static void note_all(void *user, bool executed)
{
    Told *t = user;

    t->n_all++;
    t->executed |= executed;
}

static void note_code(void *user, PageId id, uint32_t offset, uint32_t len)
{
    Told *t = user;

    t->n_code++;
    t->code_id = id;
    t->code_offset = offset;
    t->code_len = len;
}

static const PgmCpuCallbacks fixture_callbacks = { note_page, note_all, note_code };

static inline void told_reset(void)
{
    memset(&told, 0, sizeof told);
}

/* Nobody was told anything. */
static inline bool told_nothing(void)
{
    return told.n_pages == 0 && told.n_all == 0 && told.n_code == 0;
}

static inline void check_sound(void)
{
    g_autoptr(GString) report = g_string_new(NULL);
    unsigned n = pgm_verify(pgm, report) + gmm_verify(gmm, report);

    ck_assert_msg(n == 0 && report->len == 0, "%s", report->str);
}

static inline PgmStats stats(void)
{
    PgmStats s;

    pgm_get_stats(pgm, &s);
    return s;
}

static inline PgmPageInfo page_at(GPhys gpa)
{
    PgmPageInfo info;

    ck_assert_msg(pgm_page_query(pgm, gpa, &info), "nothing at 0x%lx", (unsigned long)gpa);
    return info;
}

static inline PgmFill fill(GPhys gpa, MemAccess access)
{
    PgmFill f;

    memset(&f, 0xa5, sizeof f);
    pgm_cpu_fill(cpu, gpa, access, &f);
    return f;
}

static inline void store(GPhys gpa, uint32_t value)
{
    ck_assert_int_eq(pgm_write_u32(pgm, gpa, value), MEM_OK);
}

static inline void pgm_setup_with(const PgmConfig *config)
{
    g_autoptr(GError) error = NULL;

    fake_os_heal();
    gmm = gmm_new_on(fake_os_new(PLENTY), FIXTURE_ARENA, NULL);
    ck_assert_ptr_nonnull(gmm);
    gmm_set_limit(gmm, PLENTY);
    pgm = pgm_new(gmm, config, &error);
    ck_assert_msg(pgm != NULL, "%s", error ? error->message : "no message");
    cpu = pgm_cpu_attach(pgm, &fixture_callbacks, &told);
    ck_assert_int_eq(pgm_ram_register(pgm, LOW, LOW_LEN, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, HIGH, HIGH_LEN, "high", NULL), MEM_OK);
    told_reset();
}

static inline void pgm_setup(void)
{
    pgm_setup_with(NULL);
}

static inline void pgm_teardown(void)
{
    GmmStats left;

    fake_os_heal();
    gmm_set_limit(gmm, PLENTY);
    check_sound();
    g_clear_pointer(&cpu, pgm_cpu_detach);
    g_clear_pointer(&pgm, pgm_free);
    gmm_get_stats(gmm, &left);
    ck_assert_uint_eq(left.allocated, 0);
    ck_assert_uint_eq(left.reserved, 0);
    g_clear_pointer(&gmm, gmm_free);
    ck_assert_int_eq(fake_os.n_maps, 0);
    ck_assert_int_eq(fake_os.n_blocks, 0);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
