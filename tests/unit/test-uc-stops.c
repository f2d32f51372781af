/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops and changes that come from outside while code runs, and how the processor starts, resets
 * and fails. See emu/uc_core.h for the rules.
 */
#include "tests/machine-fixture.h"

#include "emu/loader.h"
#include "memsys/access.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_NS UINT64_C(20000000)

static Fixture *fixture;

static void setup(void)
{
    fixture = fixture_new(4);
}

static void teardown(void)
{
    fixture_free(fixture);
    fixture = NULL;
}

static void check_guest(const EmuStop *stop)
{
    ck_assert_msg(fixture->n_failed == 0, "check at 0x%x, %u more", fixture->failed_at,
                  fixture->n_failed - 1);
    ck_assert_msg(fixture->n_done == 1, "%s", stop->text);
}

/* ---- stops ---- */

static void request_stop(Fixture *asking, uint32_t value)
{
    (void)value;
    emu_machine_request_stop(asking->machine);
}

static void stop_at_watch(Pgm *pgm, const PgmWatchHit *hit, void *user)
{
    (void)pgm;
    (void)hit;
    emu_machine_request_stop(user);
}

/* Runs on after each stop. Returns how often it stopped. */
static unsigned run_on(EmuStop *ret_stop)
{
    unsigned n = 0;

    for (;; n++) {
        *ret_stop = emu_machine_run(fixture->machine, LIMIT_NS);
        if (ret_stop->reason != EMU_STOP_REQUEST) {
            return n;
        }
    }
}

static void check_accesses(void)
{
    unsigned n_writes = 0, n_reads = 0, n_outs = 0;

    for (unsigned i = 0; i < fixture->log->len; i++) {
        const FixtureAccess *access = &g_array_index(fixture->log, FixtureAccess, i);

        n_writes += access->kind == FIXTURE_MMIO_WRITE;
        n_reads += access->kind == FIXTURE_MMIO_READ;
        n_outs += access->kind == FIXTURE_OUT && access->address == 0xe2;
    }
    ck_assert_uint_eq(n_writes, 500);
    ck_assert_uint_eq(n_reads, 500);
    ck_assert_uint_eq(n_outs, 500);
}

START_TEST(stop_from_a_port_repeats_nothing)
{
    EmuStop stop;

    fixture->hook = request_stop;
    fixture_load_flat(fixture, "stops.bin");
    ck_assert_uint_eq(run_on(&stop), 500);
    check_guest(&stop);
    check_accesses();
}
END_TEST

START_TEST(stop_from_device_memory_repeats_nothing)
{
    EmuStop stop;
    PgmWatch *watch = pgm_watch_new(fixture->pgm, FIXTURE_MMIO_BASE, 4, MEM_ACCESS_WRITE, _i != 0,
                                    stop_at_watch, fixture->machine, NULL);

    fixture_load_flat(fixture, "stops.bin");
    ck_assert_uint_eq(run_on(&stop), 500);
    pgm_watch_free(watch);
    check_guest(&stop);
    check_accesses();
}
END_TEST

START_TEST(stop_from_a_thread_repeats_nothing)
{
    fixture_load_flat(fixture, "stops.bin");

    EmuStop stop = fixture_run(fixture, FIXTURE_THREAD, LIMIT_NS);

    check_guest(&stop);
    check_accesses();
}
END_TEST

/* ---- changes ---- */

START_TEST(code_follows_changes_from_outside_at_once)
{
    static const FixtureMode modes[] = { FIXTURE_FREE, FIXTURE_SLICES, FIXTURE_STEP_1000 };

    fixture_load_remap(fixture);

    EmuStop stop = fixture_run(fixture, modes[_i], LIMIT_NS);

    check_guest(&stop);
}
END_TEST

/* ---- starting, resetting, failing ---- */

START_TEST(registers_after_reset_are_a_processors)
{
    static const uint8_t data_segs[] = { X86_ES, X86_SS, X86_DS, X86_FS, X86_GS };
    UcCore *core = &fixture->machine->core;
    X86State state;

    if (_i != 0) {
        /* Also when it comes from protected mode with all registers full. */
        fixture_load_flat(fixture, "exceptions.bin");
        (void)emu_machine_run(fixture->machine, LIMIT_NS);
        emu_machine_reset(fixture->machine);
    }
    uc_core_read_state(core, &state);
    ck_assert_uint_eq(state.paging.cr0, 0x60000010);
    ck_assert_uint_eq(state.paging.cr3, 0);
    ck_assert_uint_eq(state.paging.cr4, 0);
    ck_assert_uint_eq(state.cr2, 0);
    ck_assert_uint_eq(state.rip, 0xfff0);
    ck_assert_uint_eq(state.rflags, 2);
    ck_assert_uint_eq(state.seg[X86_CS].selector, 0xf000);
    ck_assert_uint_eq(state.seg[X86_CS].base, 0xffff0000);
    ck_assert_uint_eq(state.seg[X86_CS].limit, 0xffff);
    for (unsigned i = 0; i < G_N_ELEMENTS(data_segs); i++) {
        const X86Seg *seg = &state.seg[data_segs[i]];

        ck_assert_uint_eq(seg->selector, 0);
        ck_assert_uint_eq(seg->base, 0);
        ck_assert_uint_eq(seg->limit, 0xffff);
        ck_assert_uint_eq(seg->attr & 0x9f, 0x93);
    }
    ck_assert_uint_eq(state.gdtr.base | state.idtr.base, 0);
    ck_assert_uint_eq(state.gdtr.limit, 0xffff);
    ck_assert_uint_eq(state.idtr.limit, 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq(state.gpr[i], i == X86_RDX ? core->cpuid.signature : 0);
    }
    ck_assert_uint_ne(core->cpuid.signature, 0);
}
END_TEST

START_TEST(real_mode_starts_and_takes_interrupts)
{
    /* mov sp,7000; int 10; int 10; a page of code by far jump; cli; hlt */
    static const uint8_t code[] = { 0xbc, 0x00, 0x70, 0xcd, 0x10, 0xcd, 0x10,
                                    0xea, 0x00, 0x00, 0x00, 0x09, 0xf4 };
    static const uint8_t handler[] = { 0x43, 0xcf };              /* inc bx; iret */
    static const uint8_t far_code[] = { 0x8c, 0xc9, 0xfa, 0xf4 }; /* mov cx,cs; cli; hlt */
    static const uint32_t vector = 0x08000000;
    X86State state;

    fixture_poke(fixture, 0x7c00, code, sizeof(code));
    fixture_poke(fixture, 0x40, &vector, 4);
    fixture_poke(fixture, 0x8000, handler, sizeof(handler));
    fixture_poke(fixture, 0x9000, far_code, sizeof(far_code));

    EmuStop stop = emu_machine_run(fixture->machine, LIMIT_NS);

    uc_core_read_state(&fixture->machine->core, &state);
    ck_assert_int_eq(stop.reason, EMU_STOP_HALTED);
    ck_assert_uint_eq(state.gpr[X86_RBX], 2);
    ck_assert_uint_eq(state.gpr[X86_RCX], 0x900);
    ck_assert_uint_eq(state.gpr[X86_RSP], 0x7000);
    ck_assert_uint_eq(state.seg[X86_CS].base, 0x9000);
}
END_TEST

/* Jumps to where there is no code, and what the stop must say. */
static const struct {
    uint32_t target;
} bad_targets[] = { { 0x08000000 }, { FIXTURE_MMIO_BASE + 0x10 } };

START_TEST(code_where_no_memory_is_stops_by_name)
{
    uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0xff, 0xe0 }; /* mov eax,target; jmp eax */

    memcpy(code + 1, &bad_targets[_i].target, 4);
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));

    EmuStop stop = emu_machine_run(fixture->machine, LIMIT_NS);

    ck_assert_int_eq(stop.reason, EMU_STOP_BAD_FETCH);
    ck_assert_uint_eq(stop.address & MEM_PAGE_MASK, bad_targets[_i].target & MEM_PAGE_MASK);
    ck_assert_uint_eq(uc_core_linear_pc(&fixture->machine->core), bad_targets[_i].target);
    ck_assert_uint_eq(fixture->log->len, 0);
}
END_TEST

START_TEST(fault_without_handlers_is_a_triple_fault)
{
    /* lidt [zeros]; ud2 */
    static const uint8_t code[] = { 0x0f, 0x01, 0x1d, 0x00, 0x80, 0x07, 0x00, 0x0f, 0x0b };

    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));

    EmuStop stop = emu_machine_run(fixture->machine, LIMIT_NS);

    ck_assert_int_eq(stop.reason, EMU_STOP_TRIPLE_FAULT);
    ck_assert_uint_eq(stop.address, FIXTURE_FLAT_ENTRY + 7);
}
END_TEST

static void pulse(Fixture *asking, uint32_t value)
{
    EmuLine line = value == 0x11 ? emu_machine_pin_init(asking->machine)
                                 : emu_machine_pin_reset(asking->machine);

    emu_line_pulse(&line);
}

/* 0x11: INIT starts over at the reset vector by itself; 0x12: RESET stops, to be performed. */
START_TEST(init_and_reset_pins_do_what_they_say)
{
    /* mov al,value; cmp [78000],0; jne done; inc [78000]; out e2,al; jmp $; done: cli; hlt */
    uint8_t code[] = { 0xb0, 0x11, 0x80, 0x3d, 0x00, 0x80, 0x07, 0x00, 0x00, 0x75, 0x0a, 0xfe,
                       0x05, 0x00, 0x80, 0x07, 0x00, 0xe6, 0xe2, 0xeb, 0xfe, 0xfa, 0xf4 };
    static const uint8_t real[] = { 0xfa, 0xf4 };

    code[1] = (uint8_t)(0x11 + _i);
    fixture->hook = pulse;
    fixture_poke(fixture, FIXTURE_FLAT_ENTRY, code, sizeof(code));
    fixture_poke(fixture, 0x7c00, real, sizeof(real));
    ck_assert(
        emu_machine_enter_flat32(fixture->machine, FIXTURE_FLAT_ENTRY, 0x80000, 0, 0x1000, NULL));

    EmuStop stop = emu_machine_run(fixture->machine, LIMIT_NS);

    ck_assert_int_eq(stop.reason, _i == 0 ? EMU_STOP_HALTED : EMU_STOP_RESET);
    if (_i == 0) {
        /* INIT keeps memory: the real-mode code at 7C00 ran. */
        ck_assert_uint_eq(uc_core_linear_pc(&fixture->machine->core), 0x7c02);
        ck_assert_uint_eq(fixture_peek32(fixture, 0x78000), 1);
    } else {
        emu_machine_reset(fixture->machine);
        ck_assert_uint_eq(uc_core_linear_pc(&fixture->machine->core), 0xfffffff0);
        ck_assert_uint_eq(fixture_peek32(fixture, 0x78000), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uc-stops");
    TCase *tcase = tcase_create("stops");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, stop_from_a_port_repeats_nothing);
    tcase_add_loop_test(tcase, stop_from_device_memory_repeats_nothing, 0, 2);
    tcase_add_test(tcase, stop_from_a_thread_repeats_nothing);
    tcase_add_loop_test(tcase, code_follows_changes_from_outside_at_once, 0, 3);
    tcase_add_loop_test(tcase, registers_after_reset_are_a_processors, 0, 2);
    tcase_add_test(tcase, real_mode_starts_and_takes_interrupts);
    tcase_add_loop_test(tcase, code_where_no_memory_is_stops_by_name, 0, G_N_ELEMENTS(bad_targets));
    tcase_add_test(tcase, fault_without_handlers_is_a_triple_fault);
    tcase_add_loop_test(tcase, init_and_reset_pins_do_what_they_say, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
