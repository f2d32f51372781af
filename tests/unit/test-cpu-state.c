/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processor by the names of its registers: saved, wrecked, loaded, at many moments of guests
 * that use all of it. The engine's whole context must come back, and the guests must notice
 * nothing.
 *
 * Left out of the comparison of contexts, each because no later instruction depends on it:
 *   - sticky exception flags of the soft floating point (this engine's instructions never read
 * them)
 *   - the engine's scratch operands of floating point (written before they are read)
 *   - the six bytes that pad each x87 register
 *   - error code, next EIP of the last exception (rewritten with each exception)
 *   - the bytes of flags that a lazily kept condition does not use (the API gives RFLAGS)
 */
#include "tests/machine-fixture.h"

#include "emu/cpu-state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_NS UINT64_C(5000000)

/* Flags and rounding that the engine keeps in more than one way take the form that a write gives
 * them. */
static void settle_lazy(UcCore *core)
{
    static const int regs[] = { UC_X86_REG_EFLAGS, UC_X86_REG_FPCW, UC_X86_REG_MXCSR };

    for (unsigned i = 0; i < G_N_ELEMENTS(regs); i++) {
        uc_core_set_reg(core, regs[i], uc_core_reg(core, regs[i]));
    }
}

static void wreck(UcCore *core)
{
    EmuCpuState state;

    ck_assert(emu_cpu_state_read(core, &state, NULL));
    for (unsigned i = 0; i < X86_N_GPR; i++) {
        state.gpr[i] = 0x1357 * i;
    }
    memset(state.dr, 0x11, sizeof(state.dr));
    memset(state.ymm, 0x22, sizeof(state.ymm));
    memset(state.fpu_mantissa, 0x33, sizeof(state.fpu_mantissa));
    memset(state.fpu_empty, 0, sizeof(state.fpu_empty));
    state.rip = 0x4444;
    state.rflags = 2;
    state.cr0 = 0x10;
    state.cr3 = 0;
    state.cr4 = 0;
    state.efer = 0;
    state.cpl = 0;
    state.modes = 0;
    state.dr7 = 0x400;
    state.fpu_control = 0x37f;
    state.fpu_status = 0;
    state.mxcsr = 0x1f80;
    for (unsigned i = 0; i < 10; i++) {
        state.seg_base[i] = 0x5000u * i;
        state.seg_selector[i] = 0x50;
        state.seg_limit[i] = 0;
    }
    for (unsigned i = 0; i < state.n_msrs; i++) {
        state.msr_value[i] = 0;
    }
    emu_cpu_state_write(core, &state);
}

static void assert_same_context(UcCore *core, const uint8_t *was, size_t len, const char *where)
{
    const UcRegisters *r = &core->registers;
    GString *report = g_string_new(NULL);

    uc_context_save(core->uc, core->context);
    for (size_t at = 0; at < len; at++) {
        bool padding = at >= r->fpu_regs && at < r->fpu_regs + 128 && (at - r->fpu_regs) % 16 >= 10;
        /* Between the x87 pointers and XMM0: the soft floating point's settings and scratch. */
        bool soft = at >= r->fpu_dp + 8 && at < r->xmm;

        /* Two operands of the last arithmetic instruction; RFLAGS no longer follows from them. */
        bool lazy =
            (at >= r->eip + 16 && at < r->eip + 24) || (at >= r->eip + 32 && at < r->eip + 40);
        bool exception = at >= core->layout.error && at < r->dr;

        if (core->blob[at] != was[at] && !padding && !soft && !lazy && !exception) {
            g_string_append_printf(report, " %zu: %02x, was %02x;", at, core->blob[at], was[at]);
        }
    }
    ck_assert_msg(report->len == 0, "%s: context differs:%s", where, report->str);
    g_string_free(report, TRUE);
}

static void go_round(Fixture *fixture, const char *where)
{
    UcCore *core = &fixture->machine->core;
    size_t len = uc_context_size(core->uc);
    g_autofree uint8_t *was = g_malloc(len);
    EmuCpuState state, again;
    GError *error = NULL;
    GString *report = g_string_new(NULL);

    settle_lazy(core);
    uc_context_save(core->uc, core->context);
    memcpy(was, core->blob, len);
    memset(was + core->registers.breakpoints, 0, 32);
    ck_assert_msg(emu_cpu_state_read(core, &state, &error), "%s",
                  error != NULL ? error->message : "");
    wreck(core);
    ck_assert_msg(emu_cpu_state_check(core, &state, &error), "%s: %s", where,
                  error != NULL ? error->message : "");
    emu_cpu_state_write(core, &state);
    ck_assert(emu_cpu_state_read(core, &again, NULL));
    ck_assert_msg(emu_cpu_state_compare(&state, &again, report) == 0, "%s: %s", where, report->str);
    if ((state.dr7 & 0xff) == 0) {
        assert_same_context(core, was, len, where);
    }
    g_string_free(report, TRUE);
}

static EmuStop run(Fixture *fixture, bool round, unsigned *ret_n_stops)
{
    uint64_t seed = 0x9e3779b97f4a7c15;

    for (*ret_n_stops = 0;; ++*ret_n_stops) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;

        uint64_t ns = emu_clock_now(fixture->machine->clock) + 1 + (seed >> 33) % 499;
        EmuStop stop = emu_machine_run(fixture->machine, MIN(ns, LIMIT_NS));

        if (stop.reason != EMU_STOP_REQUEST && (stop.reason != EMU_STOP_TIME || ns >= LIMIT_NS)) {
            return stop;
        }
        if (round) {
            char *where = g_strdup_printf("before 0x%" PRIx64, emu_machine_pc(fixture->machine));

            go_round(fixture, where);
            g_free(where);
        }
    }
}

static void stop_here(Fixture *fixture, uint32_t value)
{
    (void)value;
    emu_machine_stop_soon(fixture->machine);
}

static const struct {
    const char *guest;
    const char *cpu;
} guests[] = {
    { "registers.bin", "qemu64" }, { "ring3.bin", NULL },  { "paging.bin", NULL },
    { "exceptions.bin", NULL },    { "shadow.bin", NULL }, { "rep.bin", NULL },
    { "flags.bin", NULL },         { "cpu.bin", NULL },    { "registers.bin", "haswell" },
};

static void run_guest(unsigned which, bool round, FixtureOutcome *outcome)
{
    Fixture *fixture = fixture_new_cpu(4, guests[which].cpu);
    unsigned n_stops;

    fixture->hook = stop_here;
    fixture_load_flat(fixture, guests[which].guest);

    EmuStop stop = run(fixture, round, &n_stops);

    fixture_outcome_init(outcome, fixture, &stop);
    ck_assert_msg(fixture->n_failed == 0, "%s: the check at 0x%x and %u more", guests[which].guest,
                  fixture->failed_at, fixture->n_failed - 1);
    ck_assert_msg(fixture->n_done == 1 && stop.reason == EMU_STOP_HALTED, "%s: ended by %s",
                  guests[which].guest, stop.text);
    ck_assert_uint_gt(n_stops, 5);
    fixture_free(fixture);
}

START_TEST(guest_notices_nothing)
{
    FixtureOutcome plain, rounds;

    run_guest((unsigned)_i, false, &plain);
    run_guest((unsigned)_i, true, &rounds);

    char *diff = fixture_outcome_diff(&plain, &rounds);

    ck_assert_msg(diff == NULL, "%s: %s", guests[_i].guest, diff);
    fixture_outcome_clear(&plain);
    fixture_outcome_clear(&rounds);
}
END_TEST

START_TEST(every_model_can_be_saved)
{
    const EmuCpuModel *models = emu_cpu_models();

    for (unsigned i = 0; models[i].name != NULL; i++) {
        EmuMachineConfig config = { .cpu = models[i].name };
        EmuMachine *machine = emu_machine_new(&config, NULL);
        GError *error = NULL;

        ck_assert_ptr_nonnull(machine);
        ck_assert_msg(emu_cpu_state_possible(&machine->core, &error), "%s: %s", models[i].name,
                      error != NULL ? error->message : "");
        emu_machine_free(machine);
    }
}
END_TEST

/* A field out of its range is refused, by name. */
static const struct {
    size_t offset;
    uint64_t value;
} lies[] = {
    { offsetof(EmuCpuState, efer), 0x1000 },           { offsetof(EmuCpuState, mxcsr), 0x10000 },
    { offsetof(EmuCpuState, modes), EMU_CPU_CODE_64 }, { offsetof(EmuCpuState, cpl), 3 },
    { offsetof(EmuCpuState, cr0), 0x80000010 },        { offsetof(EmuCpuState, n_msrs), 0 },
};

START_TEST(impossible_state_is_refused)
{
    Fixture *fixture = fixture_new(4);
    UcCore *core = &fixture->machine->core;
    EmuCpuState state;
    GError *error = NULL;

    ck_assert(emu_cpu_state_read(core, &state, NULL));
    ck_assert(emu_cpu_state_check(core, &state, NULL));
    if (lies[_i].offset == offsetof(EmuCpuState, modes) ||
        lies[_i].offset == offsetof(EmuCpuState, cpl)) {
        *((uint8_t *)&state + lies[_i].offset) = (uint8_t)lies[_i].value;
    } else if (lies[_i].offset == offsetof(EmuCpuState, mxcsr) ||
               lies[_i].offset == offsetof(EmuCpuState, n_msrs)) {
        uint32_t value = (uint32_t)lies[_i].value;

        memcpy((uint8_t *)&state + lies[_i].offset, &value, 4);
    } else {
        memcpy((uint8_t *)&state + lies[_i].offset, &lies[_i].value, 8);
    }
    ck_assert(!emu_cpu_state_check(core, &state, &error));
    ck_assert(g_error_matches(error, EMU_ERROR, EMU_ERROR_STATE));
    g_error_free(error);
    fixture_free(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpu-state");
    TCase *states = tcase_create("states");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(states, 60);
    tcase_add_loop_test(states, guest_notices_nothing, 0, G_N_ELEMENTS(guests));
    tcase_add_test(states, every_model_can_be_saved);
    tcase_add_loop_test(states, impossible_state_is_refused, 0, G_N_ELEMENTS(lies));
    suite_add_tcase(suite, states);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
