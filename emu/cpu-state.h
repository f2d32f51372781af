/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processor as named registers: what a file holds of it. Registers come from the engine's API
 * where it shows them and from calibrated places of its context otherwise (emu/uc_registers.c), and
 * go back the same ways; a file never holds the context itself.
 *
 * Left out, because nothing the guest does next depends on them: the engine's lazy arithmetic flags
 * (RFLAGS has them), the sticky exception flags of its soft floating point (no instruction of this
 * engine reads them), its scratch operands, its record of the last exception (-1 between
 * instructions).
 *
 * Source: Intel SDM volume 1 chapter 8 (x87), volume 3A chapters 2 and 3, volume 4 (MSRs).
 */
#pragma once

#include "emu/state.h"
#include "emu/uc_core.h"

#define EMU_CPU_N_MSRS 96

/* Bits of EmuCpuState.modes: what the processor latched when segments and control registers were
 * loaded, and cannot be read off them. */
enum {
    EMU_CPU_IRQ_SHADOW = 1, /* STI or MOV SS holds interrupts and traps off */
    EMU_CPU_CODE_32 = 2,
    EMU_CPU_STACK_32 = 4,
    EMU_CPU_CODE_64 = 8,
    EMU_CPU_BASES = 16, /* data segments have bases to be added */
    EMU_CPU_MODES = 31,
};

typedef struct EmuCpuState {
    uint64_t gpr[X86_N_GPR];
    uint64_t rip, rflags;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t dr[4];
    uint64_t dr6, dr7;
    /* ES CS SS DS FS GS LDTR TR GDTR IDTR; flags: the descriptor's second dword */
    uint32_t seg_selector[10];
    uint64_t seg_base[10];
    uint32_t seg_limit[10];
    uint32_t seg_flags[10];
    uint8_t cpl;
    uint8_t modes;
    uint16_t fpu_control, fpu_status;
    uint8_t fpu_empty[8]; /* by register, not by place in the stack */
    uint64_t fpu_mantissa[8];
    uint16_t fpu_exponent[8];
    uint16_t fpu_opcode, fpu_cs, fpu_ds;
    uint64_t fpu_ip, fpu_dp;
    uint64_t ymm[X86_N_GPR * 4]; /* four each, low first */
    uint32_t mxcsr;
    uint32_t n_msrs; /* in the order of the engine's list; the rest is 0 */
    uint32_t msr_number[EMU_CPU_N_MSRS];
    uint64_t msr_value[EMU_CPU_N_MSRS];
} EmuCpuState;

extern const EmuStateDesc emu_cpu_state_desc;

/* Whether all was found at start; else an error that says what was not. */
bool emu_cpu_state_possible(const UcCore *core, GError **error);

/* Returns: false with EMU_ERROR_UNSUPPORTED for a state that has no names (SVM in use) */
bool emu_cpu_state_read(UcCore *core, EmuCpuState *ret_state, GError **error);

/* Whether @state is one that this CPU model can be in; changes nothing that lasts. */
bool emu_cpu_state_check(UcCore *core, const EmuCpuState *state, GError **error);

/* After a check. The engine's TLB is flushed, its caches are forgotten. */
void emu_cpu_state_write(UcCore *core, const EmuCpuState *state);

/* ---- in memory, for snapshots: the engine's own context and what lies outside of it */

typedef struct EmuCpuImage {
    uc_context *context;
    uint64_t dr7;
    unsigned n_msrs;
    uint64_t msrs[EMU_CPU_N_MSRS];
} EmuCpuImage;

bool emu_cpu_image_init(EmuCpuImage *image, UcCore *core, GError **error);
void emu_cpu_image_clear(EmuCpuImage *image);
void emu_cpu_image_take(EmuCpuImage *image, UcCore *core);
void emu_cpu_image_restore(const EmuCpuImage *image, UcCore *core);

/* One line in @report for each named register that differs. Returns: how many */
unsigned emu_cpu_state_compare(const EmuCpuState *was, const EmuCpuState *is, GString *report);
