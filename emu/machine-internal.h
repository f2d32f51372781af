/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of a machine.
 *
 * Invariant: whatever a device asks for while an instruction executes (interrupt, stop, reset)
 * takes effect where the guest next jumps, takes an exception or halts: at an instruction boundary
 * that does not depend on how the run was cut. Asked for between instructions, it takes effect at
 * once.
 */
#pragma once

#include "emu/machine.h"
#include "emu/trace.h"
#include "emu/uc_core.h"

typedef struct EmuCallback {
    EmuResetFunc func;
    void *user;
} EmuCallback;

struct EmuMachine {
    UcCore core;
    Gmm *gmm;
    bool owns_gmm;
    Pgm *pgm;
    EmuClock *clock;
    EmuPorts *ports;
    GPtrArray *consoles;
    GArray *on_reset; /* of EmuCallback */
    GArray *on_free;
    GPtrArray *units; /* of EmuUnit: see emu/units-internal.h */
    char *cpu_name;

    /* Pins. */
    bool intr_level;   /* as the interrupt controller drives it */
    bool intr_visible; /* as the processor has noticed it */
    EmuIntAckFunc int_ack;
    void *int_ack_user;
    bool init_pending;
    bool init_stops;

    /* A stop that a device asked for: the machine runs on, deaf and mute, until its time has come.
     */
    EmuStop pending;
    bool pending_due;

    /* clock->bytes where a shadow ended: a jump back behind its STI (STI, JMP to itself) is in
     * none. */
    uint64_t shadow_end;
    /* An event whose frame found no page: it is delivered when the machine is run on. The
     * interrupt controller has handed it out, INT n is behind EIP: neither comes again by itself.
     */
    X86Event kept;
    bool has_kept;

    bool halted;
    bool running; /* inside emu_machine_run(), _run_until() or _step() */
    bool started; /* emu_machine_reset() was called */

    unsigned trace_classes;
    FILE *trace_file;

    uint64_t n_interrupts, n_exceptions, n_halts, n_resets;
};

/* A stop of the machine asked for by a device or a callback; see the invariant. */
void emu_machine_ask_stop(EmuMachine *machine, EmuStopReason reason, uint32_t code,
                          const char *text);

/* trace.c */
void emu_trace_exception(EmuMachine *machine, const X86Event *event, const X86State *state);
void emu_trace_interrupt(EmuMachine *machine, uint8_t vector);

/* cpu_model.c: Unicorn's number of a model, or -1 with an error that lists the names. */
int emu_cpu_model_find(const char *name, GError **error);
