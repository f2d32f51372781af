/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the loaders share: a machine with RAM and a ROM, a folder for files, and what a
 * refusal must look like.
 */
#pragma once

#include "emu/loader.h"

#include "memsys/access.h"
#include "memsys/rom.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define LOW_RAM UINT64_C(0xA0000)
#define HIGH_RAM_END (16 * MIB) /* RAM: 0 to 640K and 1M to 16M */

static EmuMachine *machine;
static char *dir;
static char *path;
static char *initrd_path;

static inline void loader_setup(void)
{
    g_autoptr(GError) error = NULL;

    machine = emu_machine_new(NULL, &error);
    ck_assert_msg(machine != NULL, "%s", error != NULL ? error->message : "");

    Pgm *pgm = emu_machine_pgm(machine);

    ck_assert_int_eq(pgm_ram_register(pgm, 0, LOW_RAM, "low RAM", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, MIB, MIB, "RAM", NULL), MEM_OK); /* two neighbours */
    ck_assert_int_eq(pgm_ram_register(pgm, 2 * MIB, HIGH_RAM_END - 2 * MIB, "RAM", NULL), MEM_OK);
    ck_assert_int_eq(pgm_rom_register(pgm, 0xF0000, 0x10000, NULL, 0, 0xFF, 0, "test", "ROM", NULL),
                     MEM_OK);
    emu_machine_reset(machine);
    dir = g_dir_make_tmp("quire-loader-XXXXXX", NULL);
    path = g_build_filename(dir, "program", NULL);
    initrd_path = g_build_filename(dir, "initrd", NULL);
}

static inline void loader_teardown(void)
{
    g_unlink(path);
    g_unlink(initrd_path);
    g_rmdir(dir);
    g_free(path);
    g_free(initrd_path);
    g_free(dir);
    emu_machine_free(machine);
}

static inline void write_file(const char *to, const void *bytes, size_t len)
{
    /* Without the flags that make it safe against power cuts, and slow. */
    ck_assert(
        g_file_set_contents_full(to, bytes, (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static inline uint64_t guest(GPhys address, unsigned size)
{
    uint64_t value = 0;

    ck_assert_int_eq(pgm_read(emu_machine_pgm(machine), address, &value, size, MEM_ORIGIN_DEBUGGER),
                     MEM_OK);
    return value;
}

/* Whether the guest's RAM is untouched: no page has been given to it. */
static inline bool guest_is_untouched(void)
{
    PgmStats stats;

    pgm_get_stats(emu_machine_pgm(machine), &stats);
    return stats.pages.written == 0 && stats.bulk_write_bytes == 0;
}

/* The message of a refusal: it names the file, has @words, and nothing has been written. */
static inline void check_refusal(bool loaded, const GError *error, const char *words,
                                 const char *what)
{
    ck_assert_msg(!loaded, "%s: was loaded", what);
    ck_assert_msg(error != NULL && error->domain == EMU_ERROR, "%s: no error", what);
    ck_assert_msg(strstr(error->message, words) != NULL, "%s: \"%s\" lacks \"%s\"", what,
                  error->message, words);
    ck_assert_msg(guest_is_untouched(), "%s: the guest was changed", what);
}

static inline int loader_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    /* Of GLib: an error set twice, a pointer that is none. */
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
    srunner_run_all(runner, CK_ENV);

    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
