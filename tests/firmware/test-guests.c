/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests of our own on the whole board, in place of the firmware: tests/guests/pc. They check what
 * they see and say how many checks that were; a failure names its line in the guest.
 */
#include "firmware-fixture.h"
#include "helper-device.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"

static FirmwarePc pc;

static void start(const char *guest, const char *cpu)
{
    FirmwareOptions options = { .bios = SEABIOS, .ram = UINT64_C(64) << 20, .cpu = cpu };

    firmware_pc_init_with(&pc, &options);
    firmware_pc_load_elf(&pc, guest);
}

static void expect_end(EmuStop stop, const char *words)
{
    ck_assert_str_eq(firmware_pc_guest_words(&pc), words);
    ck_assert_msg(stop.reason == EMU_STOP_DEBUG_EXIT, "%s", stop.text);
    ck_assert_uint_eq(stop.code, 0);
}

/* ---- faults.c ---- */

static const struct {
    const char *cpu;
    const char *words;
} fault_runs[] = {
    { "qemu32", "no no-execute\n1231 checks\n" },
    { "pentium3", "no no-execute\n1231 checks\n" },
    { "qemu64", "no-execute\n1910 checks\n" },
};

START_TEST(page_faults_rep_and_double_faults)
{
    start(FAULTS_GUEST, fault_runs[_i].cpu);
    expect_end(firmware_pc_run(&pc, 5), fault_runs[_i].words);
    firmware_pc_clear(&pc);
}
END_TEST

/* ---- rings.c ---- */

START_TEST(ring_3_by_int_and_sysenter)
{
    start(RINGS_GUEST, NULL);
    expect_end(firmware_pc_run(&pc, 5), "79 checks\n");
    firmware_pc_clear(&pc);
}
END_TEST

/* ---- memory.c ---- */

START_TEST(code_that_changes_and_memory_that_moves)
{
    HelperDevice helper;
    EmuStop stop;
    unsigned n_stops = 0;

    start(MEMORY_GUEST, NULL);
    helper_device_init(&helper, pc.machine);
    for (;;) {
        stop = firmware_pc_run(&pc, 5);
        if (stop.reason != EMU_STOP_REQUEST) {
            break;
        }
        ck_assert(helper_device_serve(&helper));
        n_stops++;
    }
    expect_end(stop, "110 checks\n");
    ck_assert_uint_eq(n_stops, 5);
    helper_device_clear(&helper);
    firmware_pc_clear(&pc);
}
END_TEST

/* ---- clocks.c ---- */

START_TEST(clocks_agree_and_the_machine_switches_off)
{
    static const char line[] = "hello, guest";
    EmuMachineStats stats;

    start(CLOCKS_GUEST, NULL);

    EmuStop stop = firmware_pc_run(&pc, 6);

    /* It asked for a line and sleeps; nothing but that line can wake it. */
    ck_assert_int_eq(stop.reason, EMU_STOP_TIME);
    ck_assert_str_eq(pc.serial->str, "?");
    emu_machine_get_stats(pc.machine, &stats);
    ck_assert_uint_gt(stats.halts, 2900); /* two to three seconds of a thousand each, asleep */

    EmuConsole *console = emu_machine_console(pc.machine, "serial0");

    for (unsigned i = 0; i < strlen(line); i++) {
        ck_assert_uint_eq(emu_console_feed(console, (const uint8_t *)line + i, 1), 1);
        if (i % 4 == 1) {
            stop = firmware_pc_run(&pc, 7 + i);
        }
    }
    stop = firmware_pc_run(&pc, 30);
    ck_assert_msg(stop.reason == EMU_STOP_POWER_OFF, "%s", stop.text);
    ck_assert_str_eq(firmware_pc_guest_words(&pc), "off\n");
    firmware_pc_clear(&pc);
}
END_TEST

/* ---- reset.asm ---- */

START_TEST(every_way_to_reset)
{
    firmware_pc_init(&pc, RESET_GUEST, UINT64_C(4) << 20);

    EmuStop stop = firmware_pc_run(&pc, 1);

    ck_assert_int_eq(stop.reason, EMU_STOP_RESET);
    ck_assert_str_eq(pc.debugcon->str, "ck9");
    emu_machine_reset(pc.machine);
    stop = firmware_pc_run(&pc, 2);
    ck_assert_int_eq(stop.reason, EMU_STOP_DEBUG_EXIT);
    ck_assert_uint_eq(stop.code, 0x10);
    ck_assert_str_eq(pc.debugcon->str, "ck9h");
    emu_machine_reset(pc.machine);
    stop = firmware_pc_run(&pc, 3);
    ck_assert_int_eq(stop.reason, EMU_STOP_TRIPLE_FAULT);
    ck_assert_str_eq(pc.debugcon->str, "ck9ht");
    firmware_pc_clear(&pc);
}
END_TEST

START_TEST(processor_resets_stop_if_asked_to)
{
    firmware_pc_init(&pc, RESET_GUEST, UINT64_C(4) << 20);
    emu_machine_set_init_continues(pc.machine, false);

    EmuStop stop = firmware_pc_run(&pc, 1);

    ck_assert_int_eq(stop.reason, EMU_STOP_RESET);
    ck_assert_str_eq(pc.debugcon->str, "c");
    firmware_pc_clear(&pc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guests");
    TCase *tcase = tcase_create("guests");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, page_faults_rep_and_double_faults, 0, G_N_ELEMENTS(fault_runs));
    tcase_add_test(tcase, ring_3_by_int_and_sysenter);
    tcase_add_test(tcase, code_that_changes_and_memory_that_moves);
    tcase_add_test(tcase, clocks_agree_and_the_machine_switches_off);
    tcase_add_test(tcase, every_way_to_reset);
    tcase_add_test(tcase, processor_resets_stop_if_asked_to);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
