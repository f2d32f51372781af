/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the run loop and the core remember between two runs, beside registers: all of struct
 * EmuMachine and UcCore that decides what the guest sees next. The rest of them need not be kept:
 *
 *   loops[], rep_*, block_*, cs_*, tracked[]   caches of code and addresses: forgotten
 *   rep_left, rep_bytes, rep_empty_bytes       begin anew with each run
 *   stop_at, fast_limit, stepping, exit, ...   set by each run before it reads them
 *   attention STOP and CODE                    a host's request, the engine's translations: they
 *                                              belong to the process, not to the guest
 *   attention IF                               follows from intr_visible
 *   breakpoint_skip                            the host's breakpoints; kept in snapshots, so that a
 *                                              restored machine does not report the same one twice,
 *                                              not in files
 *   counters of statistics                     they tell what this process did
 */
#pragma once

#include "emu/machine-internal.h"
#include "emu/state.h"

typedef struct EmuMachineRecord {
    EmuClockRecord clock;
    bool halted;
    bool jumped; /* the boundary the run ended at follows a jump */
    bool ports_silent;
    bool a20;
    bool intr_level;
    bool intr_visible;
    bool init_pending;
    bool ask_soft, ask_debt, ask_sysenter; /* attention bits */
    uint8_t text; /* what the core has to tell: 0 nothing, else see record.c */

    /* A stop under way. */
    bool pending_due;
    uint8_t pending_reason;
    uint32_t pending_code;
    uint64_t pending_address;
    char pending_text[160];

    uint64_t shadow_end;

    /* An event that waits for memory; fault_address is its CR2. */
    bool has_kept;
    uint8_t kept_vector, kept_kind, kept_insn_len;
    bool kept_has_error;
    uint32_t kept_error;
    uint64_t fault_address;

    uint64_t breakpoint_skip, breakpoint_bytes;
} EmuMachineRecord;

extern const EmuStateDesc emu_machine_record_desc;

void emu_machine_get_record(EmuMachine *machine, EmuMachineRecord *ret_record);
void emu_machine_put_record(EmuMachine *machine, const EmuMachineRecord *record);
