/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run loop: between instructions it serves timers, requests, interrupts and exceptions, in that
 * fixed order, then lets the engine run up to the next deadline.
 *
 * Events land on exact instruction boundaries: a block that would pass the deadline is stepped
 * through instead. So the same guest sees the same interrupts at the same instructions, run freely,
 * stepped, in slices, or with breakpoints and watches.
 */
#include "emu/machine-internal.h"

#include "memsys/access.h"
#include "memsys/external.h"

#include <inttypes.h>
#include <string.h>

#define EFLAGS_IF 0x200u
#define EFLAGS_RF 0x10000u
/* With host time, how much code may run between two looks at the host's clock. */
#define HOST_SLICE_BYTES 65536

/* Where a run comes back in guest time, whatever the guest does; pause_ns <= limit_ns. Whether a
 * halted guest has anything to wait for is decided without pause_ns. */
typedef struct RunEnds {
    uint64_t pause_ns;
    uint64_t limit_ns;
} RunEnds;

static EmuStop make_stop(EmuStopReason reason, GPhys address, const char *text)
{
    EmuStop stop = { .reason = reason, .address = address };

    g_strlcpy(stop.text, text, sizeof(stop.text));
    return stop;
}

static EmuStop stop_at(EmuStopReason reason, GVirt address, const char *format) G_GNUC_PRINTF(3, 0);

/* @format takes the address, as PRIx64. */
static EmuStop stop_at(EmuStopReason reason, GVirt address, const char *format)
{
    EmuStop stop = { .reason = reason, .address = address };

    g_snprintf(stop.text, sizeof(stop.text), format, address);
    return stop;
}

/* A failure while a stop is due anyway (the guest fell off its end after asking for power-off) is
 * not reported. */
static EmuStop failure(EmuMachine *machine, EmuStop stop)
{
    if (machine->pending.reason != EMU_STOP_NONE) {
        machine->pending_due = true;
        return (EmuStop) { .reason = EMU_STOP_NONE };
    }
    return stop;
}

/* MOV SS, POP SS and STI hold interrupts off for one more instruction. */
static bool in_shadow(EmuMachine *machine)
{
    uint8_t code[2];

    return uc_core_peek_before(&machine->core, code) &&
           (code[1] == 0xfb || code[1] == 0x17 || (code[0] == 0x8e && (code[1] & 0xf8) == 0xd0));
}

/* MOV SS begins a shadow of its own, also in that of STI. */
static bool loads_stack_segment(UcCore *core)
{
    uint8_t code[2] = { 0, 0 };

    (void)uc_core_peek_code(core, code, sizeof(code));
    return code[0] == 0x17 || (code[0] == 0x8e && (code[1] & 0x38) == 0x10);
}

static EmuStop deliver(EmuMachine *machine, const X86Event *event)
{
    UcCore *core = &machine->core;
    X86State old, state;
    X86DeliverOut out;

    uc_core_read_state(core, &old);
    state = old;
    if (event->kind != X86_EVENT_EXCEPTION) {
        /* The engine keeps an RF that IRET loaded up to the end of a block, a processor for one
         * instruction. */
        state.rflags &= ~(uint64_t)EFLAGS_RF;
    }
    if (event->vector == 14 && event->kind == X86_EVENT_EXCEPTION) {
        state.cr2 = core->fault_address;
    }
    if (!machine->has_kept) {
        emu_trace_exception(machine, event, &state);
    }
    machine->has_kept = false;

    X86DeliverResult result = x86_deliver_with_escalation(&state, core->cpu, event, &out);

    if (result != X86_DELIVER_OK && state.cr2 != old.cr2) {
        uc_core_set_reg(core, UC_X86_REG_CR2, state.cr2); /* for reports */
    }
    switch (result) {
    case X86_DELIVER_OK:
        break;
    case X86_DELIVER_TRIPLE:
        return failure(machine, make_stop(EMU_STOP_TRIPLE_FAULT, uc_core_linear_pc(core),
                                          out.text != NULL ? out.text : "triple fault"));
    case X86_DELIVER_NO_MEMORY:
        machine->has_kept = true;
        machine->kept = *event;
        return make_stop(EMU_STOP_NO_MEMORY, 0, "out of memory: no page for an interrupt frame");
    case X86_DELIVER_FAULT:
    case X86_DELIVER_NOT_SUPPORTED:
        return make_stop(EMU_STOP_NOT_SUPPORTED, uc_core_linear_pc(core),
                         out.text != NULL ? out.text : "not supported");
    }
    uc_core_write_state(core, &old, &state);
    machine->n_exceptions += event->kind != X86_EVENT_EXTERNAL;
    return (EmuStop) { .reason = EMU_STOP_NONE };
}

static EmuStop deliver_exception(EmuMachine *machine)
{
    const UcCore *core = &machine->core;
    X86Event event = { .vector = core->vector,
                       .kind = core->software_int ? X86_EVENT_SOFTWARE_INT : X86_EVENT_EXCEPTION,
                       .has_error = core->has_error,
                       .error = core->has_error ? core->error : 0,
                       .insn_len = core->software_int ? core->int_len : 0 };

    return deliver(machine, &event);
}

static EmuStop deliver_interrupt(EmuMachine *machine)
{
    uint8_t vector = machine->int_ack != NULL ? machine->int_ack(machine->int_ack_user) : 0;
    X86Event event = { .vector = vector, .kind = X86_EVENT_EXTERNAL };

    emu_trace_interrupt(machine, vector);
    machine->n_interrupts++;
    machine->halted = false;
    return deliver(machine, &event);
}

static EmuStop perform_sysenter(EmuMachine *machine)
{
    UcCore *core = &machine->core;
    X86State old, state;
    X86DeliverOut out;

    uc_core_attention_clear(core, UC_ATTN_SYSENTER);
    uc_core_read_state(core, &old);
    state = old;
    if (x86_sysenter(&state, &out) == X86_DELIVER_OK) {
        uc_core_write_state(core, &old, &state);
        return (EmuStop) { .reason = EMU_STOP_NONE };
    }
    X86Event event = { .vector = out.vector,
                       .kind = X86_EVENT_EXCEPTION,
                       .has_error = out.has_error,
                       .error = out.error };

    uc_core_set_reg(core, UC_X86_REG_EIP, old.rip - 2); /* a fault is reported at the instruction */
    return deliver(machine, &event);
}

/* A stop that a device asked for has come due. */
static EmuStop take_pending(EmuMachine *machine)
{
    EmuStop stop = machine->pending;

    machine->pending = (EmuStop) { .reason = EMU_STOP_NONE };
    machine->pending_due = false;
    machine->core.ports_silent = false;
    if (machine->init_pending) {
        machine->init_pending = false;
        machine->has_kept = false;
        machine->halted = false;
        uc_core_reset(&machine->core);
        stop.reason = EMU_STOP_NONE;
    }
    return stop;
}

/* What devices asked for by way of an instruction: see the invariant in machine-internal.h. */
static void serve_soft(EmuMachine *machine)
{
    UcCore *core = &machine->core;

    if (!core->jumped) {
        return;
    }
    core->jumped = false;
    uc_core_attention_clear(core, UC_ATTN_SOFT | UC_ATTN_DEBT);
    emu_clock_settle(machine->clock);
    machine->intr_visible = machine->intr_level;
    machine->pending_due |= machine->pending.reason != EMU_STOP_NONE;
}

/* Everything that wants attention between two instructions. */
static EmuStop serve(EmuMachine *machine, const RunEnds *ends)
{
    UcCore *core = &machine->core;

    uc_core_attention_clear(core, UC_ATTN_EVENT);
    if (pgm_service_wanted(machine->pgm)) {
        pgm_service(machine->pgm);
    }
    serve_soft(machine);
    emu_clock_run_due(machine->clock);
    uc_core_apply_code_changes(core);
    if (machine->pending_due) {
        EmuStop stop = take_pending(machine);

        if (stop.reason != EMU_STOP_NONE) {
            return stop;
        }
    }
    if ((g_atomic_int_get(&core->attention) & UC_ATTN_STOP) != 0) {
        uc_core_attention_clear(core, UC_ATTN_STOP);
        return make_stop(EMU_STOP_REQUEST, 0, "a stop was asked for");
    }
    if (core->text != NULL) {
        const char *text = core->text;

        core->text = NULL;
        return make_stop(strcmp(text, "SYSCALL") == 0 ? EMU_STOP_NOT_SUPPORTED : EMU_STOP_NO_MEMORY,
                         0, text);
    }
    uint64_t now = emu_clock_settled(machine->clock);

    if (now >= ends->limit_ns) {
        return make_stop(EMU_STOP_TIME, 0, "the time limit was reached");
    }
    if (now >= ends->pause_ns) {
        return make_stop(EMU_STOP_PAUSE, 0, "the time to pause was reached");
    }
    if (pgm_ensure_handy(machine->pgm) != MEM_OK) {
        return make_stop(EMU_STOP_NO_MEMORY, 0, "out of memory: no pages left for the machine");
    }
    if ((g_atomic_int_get(&core->attention) & UC_ATTN_SYSENTER) != 0) {
        return perform_sysenter(machine);
    }
    return (EmuStop) { .reason = EMU_STOP_NONE };
}

/* Nothing to execute: go to the next timer. */
static EmuStop halt(EmuMachine *machine, const RunEnds *ends)
{
    EmuClock *clock = machine->clock;
    bool deaf = (uc_core_reg(&machine->core, UC_X86_REG_EFLAGS) & EFLAGS_IF) == 0;
    bool stop_comes = machine->pending.reason != EMU_STOP_NONE;

    if ((deaf && !stop_comes) ||
        (clock->next_deadline == EMU_CLOCK_NEVER && ends->limit_ns == EMU_CLOCK_NEVER)) {
        return failure(machine,
                       stop_at(EMU_STOP_HALTED, uc_core_linear_pc(&machine->core),
                               deaf ? "halted with interrupts off before 0x%" PRIx64
                                    : "halted for good before 0x%" PRIx64 ": no timer is set"));
    }
    uint64_t next = MIN(clock->next_deadline, ends->pause_ns);

    if (clock->host) {
        uint64_t now = emu_clock_now(clock);

        /* In small sleeps, so that a stop asked for from outside is seen soon. */
        g_usleep(next > now ? MIN((next - now) / 1000 + 1, 10000) : 0);
    } else {
        emu_clock_skip_to(clock, next);
    }
    return (EmuStop) { .reason = EMU_STOP_NONE };
}

/* How far the engine may run, in charged bytes. */
static uint64_t run_limit(const EmuMachine *machine, const RunEnds *ends)
{
    const EmuClock *clock = machine->clock;
    uint64_t next = MIN(clock->next_deadline, ends->pause_ns);

    if (clock->host) {
        return clock->bytes + HOST_SLICE_BYTES;
    }
    return next > clock->skipped ? next - clock->skipped : 0;
}

/* Acts on the way the engine came back. @stepped says whether an instruction was executed. */
static EmuStop after_exit(EmuMachine *machine, UcExit why)
{
    UcCore *core = &machine->core;

    switch (why) {
    case UC_EXIT_NONE:
    case UC_EXIT_ATTENTION:
    case UC_EXIT_LIMIT:
    case UC_EXIT_STEPPED:
    case UC_EXIT_STEP_AGAIN:
    case UC_EXIT_GRANT:
        break;
    case UC_EXIT_HALT:
        core->jumped = true;
        machine->halted = true;
        machine->n_halts++;
        break;
    case UC_EXIT_EXCEPTION:
        core->jumped = true;
        return deliver_exception(machine);
    case UC_EXIT_BREAKPOINT:
        core->breakpoint_skip = core->fault_address;
        core->breakpoint_bytes = core->clock->bytes;
        return stop_at(EMU_STOP_BREAKPOINT, core->fault_address, "breakpoint at 0x%" PRIx64);
    case UC_EXIT_BAD_FETCH:
        return failure(machine, stop_at(EMU_STOP_BAD_FETCH, core->fault_address,
                                        "code fetch from 0x%" PRIx64 ", where no memory is"));
    case UC_EXIT_NO_MEMORY:
        return stop_at(EMU_STOP_NO_MEMORY, core->fault_address,
                       "out of memory: no page for 0x%" PRIx64);
    case UC_EXIT_ENGINE: {
        EmuStop stop =
            stop_at(EMU_STOP_ENGINE, uc_core_linear_pc(core), "Unicorn failed at 0x%" PRIx64);

        g_strlcat(stop.text, ": ", sizeof(stop.text));
        g_strlcat(stop.text, core->text, sizeof(stop.text));
        core->text = NULL;
        return stop;
    }
    }
    return (EmuStop) { .reason = EMU_STOP_NONE };
}

/* One instruction by itself, with a second try for accesses that need other rights or an exact
 * place. */
static UcExit step_once(UcCore *core)
{
    UcExit why = uc_core_step(core);

    if (why == UC_EXIT_GRANT) {
        core->grant = true;
        why = uc_core_step(core);
        core->grant = false;
        uc_core_flush_tlb(core);
    }
    return why;
}

static void set_if_attention(EmuMachine *machine, bool wanted)
{
    if (wanted) {
        uc_core_attention(&machine->core, UC_ATTN_IF);
    } else {
        uc_core_attention_clear(&machine->core, UC_ATTN_IF);
    }
}

/* Executes at least one instruction unless something else is to be done first; counts in @n_steps
 * if not NULL. */
static EmuStop execute(EmuMachine *machine, const RunEnds *ends, uint64_t *n_steps, bool *must_step)
{
    UcCore *core = &machine->core;
    bool shadow = false;

    if (machine->has_kept) {
        X86Event kept = machine->kept;

        return deliver(machine, &kept);
    }
    if (machine->intr_visible && (uc_core_reg(core, UC_X86_REG_EFLAGS) & EFLAGS_IF) != 0) {
        shadow =
            !machine->halted && core->clock->bytes != machine->shadow_end && in_shadow(machine);
        if (!shadow) {
            return deliver_interrupt(machine);
        }
    }
    if (machine->halted) {
        return halt(machine, ends);
    }
    set_if_attention(machine, machine->intr_visible && !shadow);
    core->stop_at = run_limit(machine, ends);

    UcExit why;
    bool loads_ss = shadow && loads_stack_segment(core);
    uint64_t before = core->clock->bytes;

    if (shadow || n_steps != NULL || *must_step) {
        why = step_once(core);
        /* To the deadline or to where the guest jumps: from there a block may fit again. */
        *must_step = *must_step && why == UC_EXIT_STEPPED && !core->jumped &&
                     core->clock->bytes < core->stop_at;
        if (shadow && !loads_ss && core->clock->bytes != before) {
            machine->shadow_end = core->clock->bytes;
        }
        if (n_steps != NULL && why != UC_EXIT_BREAKPOINT) {
            (*n_steps)--;
        }
    } else {
        why = uc_core_run(core);
        *must_step = why == UC_EXIT_LIMIT || why == UC_EXIT_STEP_AGAIN || why == UC_EXIT_GRANT;
    }
    return after_exit(machine, why);
}

static EmuStop run(EmuMachine *machine, const RunEnds *ends, uint64_t *n_steps)
{
    EmuStop stop = { .reason = EMU_STOP_NONE };
    bool must_step = false;

    g_assert(machine->started && !machine->running);
    machine->running = true;
    pgm_run_begin(machine->pgm);
    while (stop.reason == EMU_STOP_NONE) {
        stop = serve(machine, ends);
        if (stop.reason == EMU_STOP_NONE && n_steps != NULL && *n_steps == 0) {
            stop = make_stop(EMU_STOP_STEP, 0, "stepped");
        }
        if (stop.reason == EMU_STOP_NONE) {
            stop = execute(machine, ends, n_steps, &must_step);
        }
    }
    machine->running = false;
    pgm_run_end(machine->pgm);
    return stop;
}

EmuStop emu_machine_run(EmuMachine *machine, uint64_t until_ns)
{
    return emu_machine_run_until(machine, until_ns, until_ns);
}

EmuStop emu_machine_run_until(EmuMachine *machine, uint64_t pause_ns, uint64_t limit_ns)
{
    RunEnds ends = { .pause_ns = MIN(pause_ns, limit_ns), .limit_ns = limit_ns };

    return run(machine, &ends, NULL);
}

EmuStop emu_machine_step(EmuMachine *machine, uint64_t n)
{
    RunEnds ends = { .pause_ns = EMU_CLOCK_NEVER, .limit_ns = EMU_CLOCK_NEVER };

    return run(machine, &ends, &n);
}
