/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SeaBIOS, unmodified, from the distribution: boots to the end, the same way each time. */
#include "firmware-fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"

static FirmwarePc pc;

static void setup(void)
{
    firmware_pc_init(&pc, SEABIOS, UINT64_C(128) << 20);
}

static void teardown(void)
{
    firmware_pc_clear(&pc);
}

START_TEST(boots_to_the_end_and_resets)
{
    EmuStop stop = firmware_pc_run(&pc, 20);

    ck_assert_int_eq(stop.reason, EMU_STOP_RESET);
    ck_assert_ptr_nonnull(strstr(pc.serial->str, "SeaBIOS (version"));
    ck_assert_ptr_nonnull(strstr(pc.serial->str, "Booting from Hard Disk"));
    ck_assert_ptr_nonnull(strstr(pc.debugcon->str, "Booting from Hard Disk"));
}
END_TEST

START_TEST(really_shadows_its_rom)
{
    PgmStats stats;

    firmware_pc_run(&pc, 20);
    pgm_get_stats(emu_machine_pgm(pc.machine), &stats);
    ck_assert_uint_gt(stats.rom_protect_calls, 0);
    /* C0000 to FFFFF has 64 pages: opened whole, closed whole but for what it keeps open. */
    ck_assert_uint_ge(stats.rom_switched_pages, 2 * 32);
}
END_TEST

START_TEST(second_boot_after_a_reset_is_the_same)
{
    firmware_pc_run(&pc, 20);

    g_autofree char *first = g_strdup(pc.debugcon->str);
    size_t first_len = pc.debugcon->len;

    emu_machine_reset(pc.machine);

    EmuStop stop = firmware_pc_run(&pc, 20);

    ck_assert_int_eq(stop.reason, EMU_STOP_RESET);
    ck_assert_uint_eq(pc.debugcon->len, 2 * first_len);
    ck_assert_str_eq(pc.debugcon->str + first_len, first);
}
END_TEST

START_TEST(two_machines_run_alike_to_the_byte)
{
    FirmwarePc other;

    firmware_pc_init(&other, SEABIOS, UINT64_C(128) << 20);
    firmware_pc_run(&pc, 20);
    firmware_pc_run(&other, 20);
    ck_assert_uint_eq(emu_clock_now(emu_machine_clock(pc.machine)),
                      emu_clock_now(emu_machine_clock(other.machine)));
    ck_assert_uint_eq(firmware_pc_hash(&pc), firmware_pc_hash(&other));
    ck_assert_str_eq(pc.debugcon->str, other.debugcon->str);
    ck_assert_str_eq(pc.serial->str, other.serial->str);
    firmware_pc_clear(&other);
}
END_TEST

/* ---- machines that run at the same time */

typedef struct Boot {
    pthread_t thread;
    Gmm *gmm;
    FirmwarePc pc;
    EmuStop stop;
} Boot;

static void *boot_main(void *user)
{
    Boot *boot = user;
    const FirmwareOptions options = { .bios = SEABIOS,
                                      .ram = UINT64_C(128) << 20,
                                      .gmm = boot->gmm };

    firmware_pc_init_with(&boot->pc, &options);
    boot->stop = firmware_pc_run(&boot->pc, 20);
    return NULL;
}

START_TEST(machines_in_parallel_on_one_gmm_run_as_alone)
{
    Gmm *gmm = gmm_new(0, NULL);
    Boot boots[2] = { { .gmm = gmm }, { .gmm = gmm } };
    GmmStats stats;

    EmuStop stop = firmware_pc_run(&pc, 20);

    for (unsigned i = 0; i < G_N_ELEMENTS(boots); i++) {
        ck_assert_int_eq(pthread_create(&boots[i].thread, NULL, boot_main, &boots[i]), 0);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(boots); i++) {
        pthread_join(boots[i].thread, NULL);
    }
    gmm_get_stats(gmm, &stats);
    ck_assert_uint_eq(stats.n_vms, G_N_ELEMENTS(boots));
    ck_assert_uint_gt(stats.duplicates, 0); /* one firmware for both */
    ck_assert_uint_eq(gmm_verify(gmm, NULL), 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(boots); i++) {
        ck_assert_int_eq(boots[i].stop.reason, stop.reason);
        ck_assert_uint_eq(emu_clock_now(emu_machine_clock(boots[i].pc.machine)),
                          emu_clock_now(emu_machine_clock(pc.machine)));
        ck_assert_uint_eq(firmware_pc_hash(&boots[i].pc), firmware_pc_hash(&pc));
        ck_assert_str_eq(boots[i].pc.debugcon->str, pc.debugcon->str);
        ck_assert_str_eq(boots[i].pc.serial->str, pc.serial->str);
        firmware_pc_clear(&boots[i].pc);
    }
    gmm_get_stats(gmm, &stats);
    ck_assert_uint_eq(stats.allocated, 0);
    gmm_free(gmm);
}
END_TEST

/* A firmware of our own that says what it reads while it flips PAM: tests/guests/pc/pam.asm. */
START_TEST(guest_reads_rom_shadow_and_rom_again)
{
    FirmwarePc flip;
    PgmStats stats;

    firmware_pc_init(&flip, PAM_GUEST, UINT64_C(4) << 20);

    EmuStop stop = firmware_pc_run(&flip, 2);

    ck_assert_int_eq(stop.reason, EMU_STOP_DEBUG_EXIT);
    ck_assert_uint_eq(stop.code, 0x10);
    ck_assert_str_eq(flip.debugcon->str, "RRRsttRt");
    pgm_get_stats(emu_machine_pgm(flip.machine), &stats);
    ck_assert_uint_ge(stats.rom_switched_pages, 5 * 16);
    ck_assert_uint_ge(stats.rom_writes_ignored, 1);
    firmware_pc_clear(&flip);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seabios");
    TCase *tcase = tcase_create("seabios");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, boots_to_the_end_and_resets);
    tcase_add_test(tcase, really_shadows_its_rom);
    tcase_add_test(tcase, second_boot_after_a_reset_is_the_same);
    tcase_add_test(tcase, two_machines_run_alike_to_the_byte);
    tcase_add_test(tcase, machines_in_parallel_on_one_gmm_run_as_alone);
    tcase_add_test(tcase, guest_reads_rom_shadow_and_rom_again);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
