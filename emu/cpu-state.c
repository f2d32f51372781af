/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See emu/cpu-state.h. Writing starts from the registers of a fresh engine: those with side effects
 * inside the engine go through its API, then the rest is laid into its context at calibrated
 * places, the word of modes among it, whose bits follow from the named state.
 */
#include "emu/cpu-state.h"

#include "emu/error.h"

#include <inttypes.h>
#include <string.h>

#define CACHE_LEN 24
#define FPU_REG_LEN 16
#define EFER_SVME 0x1000u
#define EFER_LMA 0x400u
#define DR7_ENABLE 0xffu
#define CR0_PG 0x80000000u

/* Bits of the engine's word of modes. */
enum {
    MODE_CPL = 3,
    MODE_IRQ_SHADOW = 1 << 3,
    MODE_CODE_32 = 1 << 4,
    MODE_STACK_32 = 1 << 5,
    MODE_BASES = 1 << 6,
    MODE_PE = 1 << 7,
    MODE_CR0 = 7 << 9, /* MP EM TS */
    MODE_LMA = 1 << 14,
    MODE_CODE_64 = 1 << 15,
    MODE_FXSR = 1 << 22,
    MODE_SMAP = 1 << 23,
    MODE_NAMED = MODE_CPL | MODE_IRQ_SHADOW | MODE_CODE_32 | MODE_STACK_32 | MODE_BASES | MODE_PE |
                 MODE_CR0 | MODE_LMA | MODE_CODE_64 | MODE_FXSR | MODE_SMAP,
};

static const struct {
    uint32_t engine;
    uint8_t ours;
} latched[] = {
    { MODE_IRQ_SHADOW, EMU_CPU_IRQ_SHADOW }, { MODE_CODE_32, EMU_CPU_CODE_32 },
    { MODE_STACK_32, EMU_CPU_STACK_32 },     { MODE_BASES, EMU_CPU_BASES },
    { MODE_CODE_64, EMU_CPU_CODE_64 },
};

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(EmuCpuState, gpr),
    EMU_FIELD(EmuCpuState, rip),
    EMU_FIELD_MAX(EmuCpuState, rflags, UINT32_MAX),
    EMU_FIELD_MAX(EmuCpuState, cr0, UINT32_MAX),
    EMU_FIELD(EmuCpuState, cr2),
    EMU_FIELD(EmuCpuState, cr3),
    EMU_FIELD_MAX(EmuCpuState, cr4, UINT32_MAX),
    EMU_FIELD_MAX(EmuCpuState, efer, 0xffff),
    EMU_FIELD(EmuCpuState, xcr0),
    EMU_FIELD_ARRAY(EmuCpuState, dr),
    EMU_FIELD_MAX(EmuCpuState, dr6, UINT32_MAX),
    EMU_FIELD_MAX(EmuCpuState, dr7, UINT32_MAX),
    EMU_FIELD_ARRAY_MAX(EmuCpuState, seg_selector, 0xffff),
    EMU_FIELD_ARRAY(EmuCpuState, seg_base),
    EMU_FIELD_ARRAY(EmuCpuState, seg_limit),
    EMU_FIELD_ARRAY(EmuCpuState, seg_flags),
    EMU_FIELD_MAX(EmuCpuState, cpl, 3),
    EMU_FIELD_MAX(EmuCpuState, modes, EMU_CPU_MODES),
    EMU_FIELD(EmuCpuState, fpu_control),
    EMU_FIELD(EmuCpuState, fpu_status),
    EMU_FIELD_ARRAY_MAX(EmuCpuState, fpu_empty, 1),
    EMU_FIELD_ARRAY(EmuCpuState, fpu_mantissa),
    EMU_FIELD_ARRAY(EmuCpuState, fpu_exponent),
    EMU_FIELD(EmuCpuState, fpu_opcode),
    EMU_FIELD(EmuCpuState, fpu_cs),
    EMU_FIELD(EmuCpuState, fpu_ds),
    EMU_FIELD(EmuCpuState, fpu_ip),
    EMU_FIELD(EmuCpuState, fpu_dp),
    EMU_FIELD_ARRAY(EmuCpuState, ymm),
    EMU_FIELD(EmuCpuState, mxcsr),
    EMU_FIELD_MAX(EmuCpuState, n_msrs, EMU_CPU_N_MSRS),
    EMU_FIELD_ARRAY(EmuCpuState, msr_number),
    EMU_FIELD_ARRAY(EmuCpuState, msr_value),
};

const EmuStateDesc emu_cpu_state_desc = {
    .name = "cpu",
    .version = 1,
    .size = sizeof(EmuCpuState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
};

bool emu_cpu_state_possible(const UcCore *core, GError **error)
{
    if (core->registers.missing != NULL) {
        g_set_error(
            error, EMU_ERROR, EMU_ERROR_UNSUPPORTED,
            "this build of Unicorn (%s) keeps %s where we cannot find it: the machine runs, "
            "but cannot be saved",
            emu_engine_version(), core->registers.missing);
        return false;
    }
    return true;
}

/* Registers that are plain bytes in the context: one table for both ways. */
typedef struct Place {
    void *field;
    size_t at;
    size_t len;
} Place;

#define MAX_PLACES 128

static void add_place(Place *places, unsigned *n, void *field, size_t at, size_t len)
{
    g_assert(*n < MAX_PLACES);
    places[(*n)++] = (Place) { field, at, len };
}

static unsigned list_places(const UcCore *core, EmuCpuState *state, Place *places)
{
    const UcRegisters *r = &core->registers;
    unsigned n = 0;

    add_place(places, &n, state->gpr, core->layout.regs, sizeof(state->gpr));
    add_place(places, &n, &state->rip, r->eip, 8);
    add_place(places, &n, &state->cr0, r->cr0, 8);
    add_place(places, &n, &state->cr2, r->cr2, 8);
    add_place(places, &n, &state->cr3, r->cr3, 8);
    add_place(places, &n, &state->cr4, r->cr4, 8);
    add_place(places, &n, &state->xcr0, r->xcr0, 8);
    if (r->efer != 0) {
        add_place(places, &n, &state->efer, r->efer, 8);
    }
    add_place(places, &n, state->dr, r->dr, sizeof(state->dr));
    add_place(places, &n, &state->dr6, r->dr + 6 * 8, 8);
    for (unsigned i = 0; i < 10; i++) {
        size_t cache = core->layout.segs + i * CACHE_LEN;

        add_place(places, &n, &state->seg_selector[i], cache, 4);
        add_place(places, &n, &state->seg_base[i], cache + 8, 8);
        add_place(places, &n, &state->seg_limit[i], cache + 16, 4);
        add_place(places, &n, &state->seg_flags[i], cache + 20, 4);
    }
    add_place(places, &n, state->fpu_empty, r->fpu_tags, sizeof(state->fpu_empty));
    for (unsigned i = 0; i < 8; i++) {
        add_place(places, &n, &state->fpu_mantissa[i], r->fpu_regs + i * FPU_REG_LEN, 8);
        add_place(places, &n, &state->fpu_exponent[i], r->fpu_regs + i * FPU_REG_LEN + 8, 2);
    }
    add_place(places, &n, &state->fpu_opcode, r->fpu_opcode, 2);
    add_place(places, &n, &state->fpu_cs, r->fpu_cs, 2);
    add_place(places, &n, &state->fpu_ds, r->fpu_ds, 2);
    add_place(places, &n, &state->fpu_ip, r->fpu_ip, 8);
    add_place(places, &n, &state->fpu_dp, r->fpu_dp, 8);
    for (unsigned i = 0; i < X86_N_GPR; i++) {
        add_place(places, &n, &state->ymm[i * 4], r->xmm + i * r->xmm_stride, 32);
    }
    return n;
}

static uint32_t mode_word(const UcCore *core)
{
    uint32_t modes;

    memcpy(&modes, core->blob + core->registers.modes, sizeof(modes));
    return modes;
}

/* What of the word of modes follows from control registers. */
static uint32_t control_modes(const EmuCpuState *state, const UcCpuid *id)
{
    return ((state->cr0 & 1) != 0 ? MODE_PE : 0) | ((uint32_t)state->cr0 << 8 & MODE_CR0) |
           ((state->efer & EFER_LMA) != 0 ? MODE_LMA : 0) |
           ((id->leaf1_edx >> 25 & 1) != 0 && (state->cr4 & 0x200) != 0 ? MODE_FXSR : 0) |
           (id->has_smap && (state->cr4 & 0x200000) != 0 ? MODE_SMAP : 0);
}

bool emu_cpu_state_read(UcCore *core, EmuCpuState *ret_state, GError **error)
{
    const UcRegisters *r = &core->registers;
    EmuCpuState state;
    Place places[MAX_PLACES];

    if (!emu_cpu_state_possible(core, error)) {
        return false;
    }
    memset(&state, 0, sizeof(state));

    unsigned n = list_places(core, &state, places);

    uc_context_save(core->uc, core->context);
    for (unsigned i = 0; i < n; i++) {
        memcpy(places[i].field, core->blob + places[i].at, places[i].len);
    }
    uint32_t modes = mode_word(core);

    state.cpl = modes & MODE_CPL;
    for (unsigned i = 0; i < G_N_ELEMENTS(latched); i++) {
        state.modes |= (modes & latched[i].engine) != 0 ? latched[i].ours : 0;
    }
    state.rflags = uc_core_reg(core, UC_X86_REG_EFLAGS);
    state.dr7 = uc_core_reg(core, UC_X86_REG_DR7);
    state.fpu_control = (uint16_t)uc_core_reg(core, UC_X86_REG_FPCW);
    state.fpu_status = (uint16_t)uc_core_reg(core, UC_X86_REG_FPSW);
    state.mxcsr = (uint32_t)uc_core_reg(core, UC_X86_REG_MXCSR);
    state.n_msrs = r->n_msrs;
    for (unsigned i = 0; i < r->n_msrs; i++) {
        state.msr_number[i] = r->msrs[i];
        state.msr_value[i] = uc_core_msr(core, r->msrs[i]);
    }
    if ((state.efer & EFER_SVME) != 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_UNSUPPORTED,
                    "the guest has switched on SVM: such a processor cannot be saved");
        return false;
    }
    *ret_state = state;
    return true;
}

static bool bad(GError **error, const char *what)
{
    g_set_error(error, EMU_ERROR, EMU_ERROR_STATE, "saved state of the CPU: %s", what);
    return false;
}

static bool modes_are_sound(const EmuCpuState *state)
{
    bool wide = (state->efer & EFER_LMA) != 0;

    return ((state->modes & EMU_CPU_CODE_64) == 0 || wide) &&
           (!wide || ((state->cr0 & (CR0_PG | 1)) == (CR0_PG | 1) && (state->cr4 & 0x20) != 0)) &&
           ((state->cr0 & 1) != 0 || state->cpl == 0 || (state->rflags & 0x20000) != 0) &&
           ((state->cr0 & CR0_PG) == 0 || (state->cr0 & 1) != 0);
}

bool emu_cpu_state_check(UcCore *core, const EmuCpuState *state, GError **error)
{
    const UcRegisters *r = &core->registers;
    uint64_t may = r->efer == 0 ? 0
                                : (core->cpuid.has_long_mode ? 0x501 : 0) |
                                      (core->cpuid.has_nx ? 0x800 : 0) | 0x4001;

    if (!emu_cpu_state_possible(core, error)) {
        return false;
    }
    if ((state->efer & ~may) != 0) {
        return bad(error, "EFER has bits this CPU model does not have");
    }
    if (!modes_are_sound(state)) {
        return bad(error, "its modes contradict each other");
    }
    if (state->n_msrs != r->n_msrs ||
        memcmp(state->msr_number, r->msrs, sizeof(uint32_t) * r->n_msrs) != 0) {
        return bad(error, "its model-specific registers are those of another CPU model");
    }
    if ((state->mxcsr & ~0xffffu) != 0) {
        return bad(error, "MXCSR has reserved bits set");
    }
    return true;
}

static void disable_breakpoints(UcCore *core)
{
    if ((uc_core_reg(core, UC_X86_REG_DR7) & DR7_ENABLE) != 0) {
        uc_core_set_dr7(core, 0x400);
    }
}

static void enable_breakpoints(UcCore *core, uint64_t dr7)
{
    if ((dr7 & DR7_ENABLE) != 0) {
        uc_core_set_dr7(core, dr7);
    }
}

void emu_cpu_state_write(UcCore *core, const EmuCpuState *state)
{
    const UcRegisters *r = &core->registers;
    EmuCpuState copy = *state;
    Place places[MAX_PLACES];
    unsigned n = list_places(core, &copy, places);

    disable_breakpoints(core);
    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_reg(core, UC_X86_REG_EFLAGS, state->rflags);
    uc_core_set_reg(core, UC_X86_REG_FPCW, state->fpu_control);
    uc_core_set_reg(core, UC_X86_REG_FPSW, state->fpu_status);
    uc_core_set_reg(core, UC_X86_REG_MXCSR, state->mxcsr);
    uc_core_set_reg(core, UC_X86_REG_DR7, state->dr7 & ~(uint64_t)DR7_ENABLE);
    for (unsigned i = 0; i < r->n_msrs; i++) {
        uc_core_set_msr(core, r->msrs[i], state->msr_value[i]);
    }
    uc_context_save(core->uc, core->context);
    for (unsigned i = 0; i < n; i++) {
        memcpy(core->blob + places[i].at, places[i].field, places[i].len);
    }
    uint32_t modes =
        (mode_word(core) & ~(uint32_t)MODE_NAMED) | state->cpl | control_modes(state, &core->cpuid);

    for (unsigned i = 0; i < G_N_ELEMENTS(latched); i++) {
        modes |= (state->modes & latched[i].ours) != 0 ? latched[i].engine : 0;
    }
    memcpy(core->blob + r->modes, &modes, sizeof(modes));
    uc_context_restore(core->uc, core->context);
    enable_breakpoints(core, state->dr7);
    uc_core_forget_all(core);
}

/* ---- in memory */

bool emu_cpu_image_init(EmuCpuImage *image, UcCore *core, GError **error)
{
    memset(image, 0, sizeof(*image));
    if (!emu_cpu_state_possible(core, error)) {
        return false;
    }
    if (uc_context_alloc(core->uc, &image->context) != UC_ERR_OK) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_ENGINE, "Unicorn has no memory for a context");
        return false;
    }
    return true;
}

void emu_cpu_image_clear(EmuCpuImage *image)
{
    if (image->context != NULL) {
        uc_context_free(image->context);
    }
    memset(image, 0, sizeof(*image));
}

/* The engine's breakpoints live outside of the context, which points at them: a context is kept
 * without. */
void emu_cpu_image_take(EmuCpuImage *image, UcCore *core)
{
    const UcRegisters *r = &core->registers;
    uint8_t *blob = (uint8_t *)image->context;

    image->dr7 = uc_core_reg(core, UC_X86_REG_DR7);
    uc_context_save(core->uc, image->context);
    memset(blob + r->breakpoints, 0, 32);
    blob[r->dr + 7 * 8] = 0;
    image->n_msrs = r->n_outside;
    for (unsigned i = 0; i < r->n_outside; i++) {
        image->msrs[i] = uc_core_msr(core, r->msrs[i]);
    }
}

void emu_cpu_image_restore(const EmuCpuImage *image, UcCore *core)
{
    const UcRegisters *r = &core->registers;

    disable_breakpoints(core);
    uc_context_restore(core->uc, image->context);
    for (unsigned i = 0; i < image->n_msrs; i++) {
        if (uc_core_msr(core, r->msrs[i]) != image->msrs[i]) {
            uc_core_set_msr(core, r->msrs[i], image->msrs[i]);
        }
    }
    enable_breakpoints(core, image->dr7);
    uc_core_forget_all(core);
}

unsigned emu_cpu_state_compare(const EmuCpuState *was, const EmuCpuState *is, GString *report)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        size_t len = (size_t)fields[i].elem_size * fields[i].n_elems;
        const uint8_t *a = (const uint8_t *)was + fields[i].offset;
        const uint8_t *b = (const uint8_t *)is + fields[i].offset;

        if (memcmp(a, b, len) == 0) {
            continue;
        }
        n++;
        if (report != NULL) {
            for (unsigned e = 0; e < fields[i].n_elems; e++) {
                uint64_t x = 0, y = 0;

                memcpy(&x, a + (size_t)e * fields[i].elem_size, fields[i].elem_size);
                memcpy(&y, b + (size_t)e * fields[i].elem_size, fields[i].elem_size);
                if (x != y) {
                    g_string_append_printf(report,
                                           "CPU: %s[%u] is 0x%" PRIx64 ", was 0x%" PRIx64 "\n",
                                           fields[i].name, e, y, x);
                }
            }
        }
    }
    return n;
}
