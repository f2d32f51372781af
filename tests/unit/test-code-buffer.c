/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's buffer of translations is bounded: a guest that rewrites its own code, and snapshots
 * restored over it, fill it many times, and neither memory nor what the guest does shows it.
 */
#include "tests/machine-fixture.h"

#include "emu/snapshot.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 50u /* of the guest's loop in one run */
#define SUM (ROUNDS * (ROUNDS + 1) / 2)

/* Adds up what it writes into the immediate of its own block; port 0xF0 gets the sum. */
static void load_rewriter(Fixture *fixture, uint32_t rounds)
{
    uint8_t code[] = {
        0xb9, 0,    0, 0, 0,    /* mov ecx, rounds */
        0x31, 0xdb,             /* xor ebx, ebx */
        0x89, 0x0d, 0, 0, 0, 0, /* mov [the immediate], ecx */
        0xb8, 0,    0, 0, 0,    /* mov eax, 0 */
        0x01, 0xc3,             /* add ebx, eax */
        0x49,                   /* dec ecx */
        0x75, 0xf0,             /* jnz to the store */
        0x89, 0xd8,             /* mov eax, ebx */
        0xe7, 0xf0,             /* out 0xf0, eax */
        0xf4,                   /* hlt */
    };
    uint32_t immediate = FIXTURE_FLAT_ENTRY + 14;

    memcpy(code + 1, &rounds, sizeof(rounds));
    memcpy(code + 9, &immediate, sizeof(immediate));
    fixture_load_flat(fixture, "smc.bin"); /* for the processor's state */
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
}

static Fixture *new_rewriter(uint64_t buffer, uint32_t rounds)
{
    EmuMachineConfig config = { .code_buffer_size = buffer };
    Fixture *fixture = fixture_new_config(4, &config);

    fixture_add_state(fixture);
    load_rewriter(fixture, rounds);
    return fixture;
}

/* KiB of memory that is present, writable and executable: translations are. */
static uint64_t translations_kib(void)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512], flags[5];
    uint64_t kib, sum = 0;
    bool in = false;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%*x-%*x %4s", flags) == 1) {
            in = strcmp(flags, "rwxp") == 0;
        } else if (in && sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
            sum += kib;
        }
    }
    fclose(file);
    return sum;
}

START_TEST(restoring_again_and_again_keeps_memory_bounded)
{
    Fixture *fixture = new_rewriter(EMU_CODE_BUFFER_MIN, ROUNDS);
    EmuMachine *machine = fixture->machine;
    uint64_t end_bytes = 0, end_hash = 0, early = 0;
    unsigned n_emptied = 0;

    emu_machine_step(machine, 20);

    EmuSnapshot *snapshot = emu_snapshot_take(machine, "in the loop", true, NULL);

    ck_assert_ptr_nonnull(snapshot);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t translated = machine->core.translated;
        EmuStop stop = emu_machine_run(machine, EMU_CLOCK_NEVER);

        n_emptied += machine->core.translated < translated;
        if (i == 0) {
            end_bytes = machine->clock->bytes;
            end_hash = fixture_ram_hash(fixture);
        }
        if (i == 100) {
            early = translations_kib();
        }
        if (stop.reason != EMU_STOP_HALTED || fixture->n_checks != SUM ||
            machine->clock->bytes != end_bytes ||
            (i % 100 == 0 && fixture_ram_hash(fixture) != end_hash)) {
            ck_abort_msg("restore %u: %s, sum %u, %" PRIu64 " bytes, was %" PRIu64, i, stop.text,
                         fixture->n_checks, machine->clock->bytes, end_bytes);
        }
        emu_snapshot_restore(snapshot);
    }
    ck_assert_uint_gt(early, 0);
    ck_assert_uint_lt(translations_kib(), early + (2 * EMU_CODE_BUFFER_MIN >> 10));
    ck_assert_uint_ge(n_emptied, 10);
    emu_snapshot_drop(snapshot);
    fixture_free(fixture);
}
END_TEST

/* How the buffer gets empty: by us at every few blocks, by us when it is nearly full, by the engine
 * when it is full. The guest translates some ten times its size in one run. */
START_TEST(clock_does_not_show_when_translations_go)
{
    const uint32_t rounds = 30000;
    const uint64_t limits[] = { 20000, 0, UINT64_MAX };
    Fixture *plain = new_rewriter(EMU_CODE_BUFFER_MAX, rounds);
    Fixture *fixture = new_rewriter(EMU_CODE_BUFFER_MIN, rounds);

    if (limits[_i] != 0) {
        fixture->machine->core.translated_limit = limits[_i];
    }
    EmuStop plain_stop = emu_machine_run(plain->machine, EMU_CLOCK_NEVER);
    EmuStop stop = emu_machine_run(fixture->machine, EMU_CLOCK_NEVER);

    ck_assert_int_eq(plain_stop.reason, EMU_STOP_HALTED);
    ck_assert_int_eq(stop.reason, EMU_STOP_HALTED);
    ck_assert_uint_eq(fixture->n_checks, rounds * (rounds / 2) + rounds / 2);
    ck_assert_uint_eq(fixture->n_checks, plain->n_checks);
    ck_assert_uint_eq(fixture->machine->clock->bytes, plain->machine->clock->bytes);
    ck_assert_uint_eq(fixture_ram_hash(fixture), fixture_ram_hash(plain));
    if (limits[_i] != UINT64_MAX) {
        ck_assert_uint_le(fixture->machine->core.translated,
                          fixture->machine->core.translated_limit);
    }
    fixture_free(fixture);
    fixture_free(plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("code-buffer");
    TCase *tcase = tcase_create("bounded");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, restoring_again_and_again_keeps_memory_bounded);
    tcase_add_loop_test(tcase, clock_does_not_show_when_translations_go, 0, 3);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
