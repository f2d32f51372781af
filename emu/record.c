/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See emu/record.h.
 */
#include "emu/record.h"

#include <string.h>

/* What UcCore.text may point to between two runs. */
static const char *const texts[] = { NULL, "SYSCALL", "a caught write found no page" };

#define RECORD_FIELD(member) EMU_FIELD(EmuMachineRecord, member)

static const EmuField fields[] = {
    { "clock_bytes", offsetof(EmuMachineRecord, clock.bytes), 8, 1, UINT64_MAX / 4 },
    { "clock_skipped", offsetof(EmuMachineRecord, clock.skipped), 8, 1, UINT64_MAX / 4 },
    { "clock_debt", offsetof(EmuMachineRecord, clock.debt), 8, 1, UINT64_MAX / 4 },
    { "clock_sequence", offsetof(EmuMachineRecord, clock.sequence), 8, 1, UINT64_MAX / 4 },
    { "clock_host_ns", offsetof(EmuMachineRecord, clock.host_ns), 8, 1, UINT64_MAX / 4 },
    RECORD_FIELD(halted),
    RECORD_FIELD(jumped),
    RECORD_FIELD(ports_silent),
    RECORD_FIELD(a20),
    RECORD_FIELD(intr_level),
    RECORD_FIELD(intr_visible),
    RECORD_FIELD(init_pending),
    RECORD_FIELD(ask_soft),
    RECORD_FIELD(ask_debt),
    RECORD_FIELD(ask_sysenter),
    EMU_FIELD_MAX(EmuMachineRecord, text, G_N_ELEMENTS(texts) - 1),
    RECORD_FIELD(pending_due),
    EMU_FIELD_MAX(EmuMachineRecord, pending_reason, EMU_STOP_ENGINE),
    RECORD_FIELD(pending_code),
    RECORD_FIELD(pending_address),
    EMU_FIELD_ARRAY(EmuMachineRecord, pending_text),
    RECORD_FIELD(shadow_end),
    RECORD_FIELD(has_kept),
    RECORD_FIELD(kept_vector),
    EMU_FIELD_MAX(EmuMachineRecord, kept_kind, X86_EVENT_EXCEPTION),
    EMU_FIELD_MAX(EmuMachineRecord, kept_insn_len, 15),
    RECORD_FIELD(kept_has_error),
    RECORD_FIELD(kept_error),
    RECORD_FIELD(fault_address),
};

static bool is_valid(const void *state)
{
    const EmuMachineRecord *record = state;
    bool pending = record->pending_reason != EMU_STOP_NONE;

    return record->pending_text[sizeof(record->pending_text) - 1] == '\0' &&
           (pending || (!record->pending_due && !record->init_pending)) &&
           (!pending || record->pending_text[0] != '\0') &&
           (record->intr_level || !record->intr_visible);
}

const EmuStateDesc emu_machine_record_desc = {
    .name = "machine",
    .version = 1,
    .size = sizeof(EmuMachineRecord),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

static uint8_t number_of_text(const char *text)
{
    for (unsigned i = 1; i < G_N_ELEMENTS(texts); i++) {
        if (text != NULL && strcmp(text, texts[i]) == 0) {
            return (uint8_t)i;
        }
    }
    return 0;
}

void emu_machine_get_record(EmuMachine *machine, EmuMachineRecord *ret_record)
{
    UcCore *core = &machine->core;
    int attention = g_atomic_int_get(&core->attention);
    EmuMachineRecord record;

    memset(&record, 0, sizeof(record)); /* records are compared as bytes */
    emu_clock_get_record(machine->clock, &record.clock);
    record.halted = machine->halted;
    record.jumped = core->jumped;
    record.ports_silent = core->ports_silent;
    record.a20 = pgm_cpu_a20(core->cpu);
    record.intr_level = machine->intr_level;
    record.intr_visible = machine->intr_visible;
    record.init_pending = machine->init_pending;
    record.ask_soft = (attention & UC_ATTN_SOFT) != 0;
    record.ask_debt = (attention & UC_ATTN_DEBT) != 0;
    record.ask_sysenter = (attention & UC_ATTN_SYSENTER) != 0;
    record.text = number_of_text(core->text);
    record.pending_due = machine->pending_due;
    record.pending_reason = (uint8_t)machine->pending.reason;
    record.pending_code = machine->pending.code;
    record.pending_address = machine->pending.address;
    g_strlcpy(record.pending_text, machine->pending.text, sizeof(record.pending_text));
    record.shadow_end = machine->shadow_end;
    record.has_kept = machine->has_kept;
    if (machine->has_kept) {
        record.kept_vector = machine->kept.vector;
        record.kept_kind = (uint8_t)machine->kept.kind;
        record.kept_insn_len = machine->kept.insn_len;
        record.kept_has_error = machine->kept.has_error;
        record.kept_error = machine->kept.error;
        record.fault_address = core->fault_address;
    }
    record.breakpoint_skip = core->breakpoint_skip;
    record.breakpoint_bytes = core->breakpoint_bytes;
    *ret_record = record;
}

void emu_machine_put_record(EmuMachine *machine, const EmuMachineRecord *record)
{
    UcCore *core = &machine->core;
    int attention = (record->ask_soft ? UC_ATTN_SOFT : 0) | (record->ask_debt ? UC_ATTN_DEBT : 0) |
                    (record->ask_sysenter ? UC_ATTN_SYSENTER : 0) |
                    (record->text != 0 ? UC_ATTN_EVENT : 0);

    emu_clock_put_record(machine->clock, &record->clock);
    machine->halted = record->halted;
    core->jumped = record->jumped;
    core->ports_silent = record->ports_silent;
    if (pgm_cpu_a20(core->cpu) != record->a20) {
        pgm_cpu_set_a20(core->cpu, record->a20);
    }
    machine->intr_level = record->intr_level;
    machine->intr_visible = record->intr_visible;
    machine->init_pending = record->init_pending;
    uc_core_attention_clear(core, UC_ATTN_SOFT | UC_ATTN_DEBT | UC_ATTN_SYSENTER | UC_ATTN_EVENT);
    uc_core_attention(core, attention);
    core->text = texts[record->text];
    machine->pending_due = record->pending_due;
    machine->pending = (EmuStop) { .reason = (EmuStopReason)record->pending_reason,
                                   .code = record->pending_code,
                                   .address = record->pending_address };
    g_strlcpy(machine->pending.text, record->pending_text, sizeof(machine->pending.text));
    machine->shadow_end = record->shadow_end;
    machine->has_kept = record->has_kept;
    machine->kept = (X86Event) { .vector = record->kept_vector,
                                 .kind = (X86EventKind)record->kept_kind,
                                 .insn_len = record->kept_insn_len,
                                 .has_error = record->kept_has_error,
                                 .error = record->kept_error };
    core->fault_address = record->fault_address;
    core->breakpoint_skip = record->breakpoint_skip;
    core->breakpoint_bytes = record->breakpoint_bytes;
}
