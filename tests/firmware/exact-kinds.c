/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See exact-kinds.h.
 *
 * Source of PAM's bits (59h to 5Fh; 1 and 5 enable writes): Intel 82441FX datasheet.
 */
#include "exact-kinds.h"

#include "emu/cpu-state.h"

#include <check.h>
#include <string.h>

#define IF 0x200u

const char *const exact_kind_names[EXACT_N_KINDS] = {
    [EXACT_AFTER_STI] = "after STI",
    [EXACT_AFTER_MOV_SS] = "after MOV SS",
    [EXACT_IN_REP_MOVS] = "inside REP MOVS",
    [EXACT_IN_REP_STOS] = "inside REP STOS",
    [EXACT_IN_REP_INS] = "inside REP INS",
    [EXACT_PAM_OPEN] = "PAM open",
    [EXACT_TIMER_SOON] = "timer within 1 us",
    [EXACT_IN_SECTOR] = "inside a disk's sector",
    [EXACT_UNREAL] = "unreal mode",
    [EXACT_FIRMWARE_32] = "SeaBIOS in 32 bits",
    [EXACT_HELD_INTERRUPT] = "interrupt held by IF",
    [EXACT_HALTED] = "halted",
};

void exact_track_port(ExactTracking *tracking, bool write, uint16_t port, unsigned size,
                      uint32_t value)
{
    if (port == 0x1f0) {
        tracking->n_data += size;
    } else if (!write) {
        return;
    } else if (port == 0x1f7) {
        tracking->n_data = 0;
    } else if (port == 0xcf8 && size == 4) {
        tracking->config_address = value;
    } else if (port >= 0xcfc && port <= 0xcff &&
               (tracking->config_address & 0xfffffff8u) == 0x80000058u) {
        for (unsigned i = 0; i < size; i++) {
            tracking->pam[((tracking->config_address & 4) + (port & 3) + i) % 8] =
                (uint8_t)(value >> (8 * i));
        }
    }
}

static bool pam_is_open(const ExactTracking *tracking)
{
    for (unsigned i = 1; i < sizeof(tracking->pam); i++) {
        if ((tracking->pam[i] & 0x22) != 0) {
            return true;
        }
    }
    return false;
}

/* The string instruction at the PC that has passes to go, or 0. */
static uint8_t string_opcode(UcCore *core, uint64_t ecx)
{
    static const uint8_t prefixes[] = {
        0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf2, 0xf3
    };
    uint8_t code[6];
    unsigned n = uc_core_peek_code(core, code, sizeof(code));
    bool rep = false;

    for (unsigned i = 0; i < n; i++) {
        if (memchr(prefixes, code[i], sizeof(prefixes)) == NULL) {
            return rep && (ecx & 0xffff) != 0 ? code[i] & 0xfe : 0;
        }
        rep |= code[i] == 0xf3;
    }
    return 0;
}

static unsigned kinds_of_step(UcCore *core, uint64_t pc, uint64_t ecx, uint64_t before,
                              const uint8_t *code)
{
    unsigned kinds = 0;

    if (before == EXACT_NO_PC) {
        return 0;
    }
    if (pc == before) {
        uint8_t opcode = string_opcode(core, ecx);

        kinds |= opcode == 0xa4 ? 1u << EXACT_IN_REP_MOVS : 0;
        kinds |= opcode == 0xaa ? 1u << EXACT_IN_REP_STOS : 0;
        kinds |= opcode == 0x6c ? 1u << EXACT_IN_REP_INS : 0;
    }
    kinds |= pc == before + 1 && code[0] == 0xfb ? 1u << EXACT_AFTER_STI : 0;
    kinds |= (pc == before + 2 && code[0] == 0x8e && (code[1] & 0x38) == 0x10) ||
                     (pc == before + 1 && code[0] == 0x17)
                 ? 1u << EXACT_AFTER_MOV_SS
                 : 0;
    return kinds;
}

unsigned exact_kinds_now(const ExactSubject *subject, const ExactTracking *tracking,
                         uint64_t before, const uint8_t *code)
{
    EmuMachine *machine = subject->machine;
    UcCore *core = &machine->core;
    uint64_t deadline = machine->clock->next_deadline;
    uint64_t settled = emu_clock_settled(machine->clock);
    X86State state;
    unsigned kinds;

    uc_core_read_state(core, &state);

    bool is_protected = (state.paging.cr0 & 1) != 0;
    bool big = false;

    for (unsigned i = 0; i < X86_N_SEG; i++) {
        big |= i != X86_CS && state.seg[i].limit > 0xffff;
    }
    kinds = kinds_of_step(core, uc_core_linear_pc(core), state.gpr[1], before, code);
    kinds |= pam_is_open(tracking) ? 1u << EXACT_PAM_OPEN : 0;
    kinds |= deadline > settled && deadline - settled <= 1000 ? 1u << EXACT_TIMER_SOON : 0;
    kinds |= tracking->n_data % DEV_SECTOR_SIZE != 0 ? 1u << EXACT_IN_SECTOR : 0;
    kinds |= !is_protected && big ? 1u << EXACT_UNREAL : 0;
    kinds |=
        is_protected && subject->guest->in_firmware && (state.seg[X86_CS].attr & X86_SEG_DB) != 0
            ? 1u << EXACT_FIRMWARE_32
            : 0;
    kinds |= machine->intr_level && (state.rflags & IF) == 0 ? 1u << EXACT_HELD_INTERRUPT : 0;
    kinds |= machine->halted ? 1u << EXACT_HALTED : 0;
    return kinds;
}
