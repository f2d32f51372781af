/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SeaBIOS on the whole board, its run cut in different ways: the same port accesses at the same
 * guest times, the same memory, the same consoles, the same clock.
 */
#include "firmware-fixture.h"

#include "memsys/watch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SEABIOS "/usr/share/seabios/bios-256k.bin"
#define RAM (UINT64_C(32) << 20)
#define PART_NS \
    UINT64_C(60000000) /* as far as the slow ways go, if the boot has not ended before */

typedef struct Run {
    FirmwarePc pc;
    uint64_t ports; /* hash of every access with its time */
    uint64_t n_ports;
    uint64_t n_hits; /* of watches */
    uint64_t n_stops;
} Run;

static void on_port(void *user, bool write, uint16_t port, unsigned size, uint32_t value)
{
    Run *run = user;
    const uint64_t words[] = { emu_clock_now(emu_machine_clock(run->pc.machine)),
                               (uint64_t)write << 40 | (uint64_t)port << 8 | size, value };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        run->ports = (run->ports ^ words[i]) * 0x100000001b3;
        run->ports ^= run->ports >> 31;
    }
    run->n_ports++;
}

static void run_init(Run *run)
{
    memset(run, 0, sizeof(*run));
    firmware_pc_init(&run->pc, SEABIOS, RAM);
    emu_machine_set_port_hook(run->pc.machine, on_port, run);
}

static uint64_t now(const Run *run)
{
    return emu_clock_now(emu_machine_clock(run->pc.machine));
}

static void check_same(Run *a, Run *b)
{
    EmuMachineStats x, y;

    emu_machine_get_stats(a->pc.machine, &x);
    emu_machine_get_stats(b->pc.machine, &y);
    ck_assert_uint_eq(x.guest_ns, y.guest_ns);
    ck_assert_uint_eq(x.bytes_executed, y.bytes_executed);
    ck_assert_uint_eq(x.interrupts, y.interrupts);
    ck_assert_uint_eq(x.exceptions, y.exceptions);
    ck_assert_uint_eq(a->n_ports, b->n_ports);
    ck_assert_uint_eq(a->ports, b->ports);
    ck_assert_str_eq(a->pc.debugcon->str, b->pc.debugcon->str);
    ck_assert_str_eq(a->pc.serial->str, b->pc.serial->str);
    ck_assert_uint_eq(firmware_pc_hash(&a->pc), firmware_pc_hash(&b->pc));
}

static void on_watch(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    Run *run = user;

    (void)pgm;
    (void)hit;
    run->n_hits++;
}

static void run_sliced(Run *run, uint64_t until_ns)
{
    uint64_t seed = 99;

    while (now(run) < until_ns) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;

        uint64_t next = now(run) + 1 + (seed >> 33) % 20011;
        EmuStop stop = emu_machine_run(run->pc.machine, MIN(next, until_ns));

        run->n_stops++;
        if (stop.reason != EMU_STOP_TIME) {
            return;
        }
    }
}

static void run_with_breakpoints(Run *run, uint64_t until_ns)
{
    EmuStop stop;

    for (GVirt va = 0xf0000; va < 0x100000; va += 655) {
        ck_assert(emu_machine_add_breakpoint(run->pc.machine, va, NULL));
    }
    do {
        stop = emu_machine_run(run->pc.machine, until_ns);
        run->n_stops++;
    } while (stop.reason == EMU_STOP_BREAKPOINT);
}

static void run_watched(Run *run, uint64_t until_ns)
{
    static const GPhys pages[] = { 0x0, 0x7000, 0x9f000, 0xf0000, 0xf6000, 0x100000, 0x1ff0000 };
    PgmWatch *watches[G_N_ELEMENTS(pages)];
    Pgm *pgm = emu_machine_pgm(run->pc.machine);

    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        watches[i] = pgm_watch_new(pgm, pages[i], 0x1000, MEM_ACCESS_READ | MEM_ACCESS_WRITE,
                                   i % 2 != 0, on_watch, run, NULL);
    }
    (void)emu_machine_run(run->pc.machine, until_ns);
    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        pgm_watch_free(watches[i]);
    }
    run->n_stops = run->n_hits;
}

static void (*const ways[])(Run *run, uint64_t until_ns) = { run_sliced, run_with_breakpoints,
                                                             run_watched };

START_TEST(part_of_the_boot_is_the_same_however_it_is_run)
{
    Run a, b;

    run_init(&a);
    run_init(&b);
    (void)emu_machine_run(a.pc.machine, PART_NS);
    ways[_i](&b, PART_NS);
    ck_assert_uint_gt(b.n_stops, 100);
    ck_assert_uint_gt(a.n_ports, 1000);
    check_same(&a, &b);
    firmware_pc_clear(&a.pc);
    firmware_pc_clear(&b.pc);
}
END_TEST

START_TEST(whole_boot_in_slices_is_the_same)
{
    Run a, b;

    run_init(&a);
    run_init(&b);

    EmuStop stop = emu_machine_run(a.pc.machine, 20 * EMU_NS_PER_SECOND);
    EmuStop other;

    do {
        other = emu_machine_run(b.pc.machine, now(&b) + 999983);
    } while (other.reason == EMU_STOP_TIME);
    ck_assert_int_eq(stop.reason, other.reason);
    ck_assert_ptr_nonnull(strstr(a.pc.debugcon->str, "Booting from Hard Disk"));
    check_same(&a, &b);
    firmware_pc_clear(&a.pc);
    firmware_pc_clear(&b.pc);
}
END_TEST

START_TEST(first_instructions_stepped_are_the_same)
{
    Run a, b;

    run_init(&a);
    run_init(&b);
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_int_eq(emu_machine_step(b.pc.machine, 1000).reason, EMU_STOP_STEP);
    }
    ck_assert_int_eq(emu_machine_run(a.pc.machine, now(&b)).reason, EMU_STOP_TIME);
    check_same(&a, &b);
    firmware_pc_clear(&a.pc);
    firmware_pc_clear(&b.pc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seabios-cuts");
    TCase *tcase = tcase_create("cuts");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, part_of_the_boot_is_the_same_however_it_is_run, 0,
                        G_N_ELEMENTS(ways));
    tcase_add_test(tcase, first_instructions_stepped_are_the_same);
    tcase_add_test(tcase, whole_boot_in_slices_is_the_same);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
