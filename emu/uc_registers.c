/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds by experiment where the engine's context keeps the registers that its API shows in part
 * only (64-bit halves, registers 8 to 15) or not at all, as uc_calibrate.c does for what running a
 * guest needs. A guest runs without these; a machine is saved by names only if each was found in
 * exactly one place.
 *
 * Source: Unicorn's public API; Intel SDM volume 4 (MSR numbers).
 */
#include "emu/uc_core.h"

#include <string.h>

#define MODE_PE 0x80u
#define MODE_FXSR 0x400000u

/* MSRs a guest may set, by what they are for. */
static const struct {
    uint32_t first, n;
} msr_list[] = {
    { 0x200, 16 }, { 0x250, 1 },      { 0x258, 2 },      { 0x268, 8 }, /* MTRRs */
    { 0x2ff, 1 },  { 0x400, 40 },                                      /* machine checks */
    { 0x17a, 1 },  { 0x174, 3 },      { 0x1a0, 1 },      { 0x277, 1 }, /* SYSENTER, PAT */
    { 0xd90, 1 },  { 0xc0000081, 4 }, { 0xc0000102, 2 }, { 0xc0010117, 1 },
};

uint64_t uc_core_msr(UcCore *core, uint32_t number)
{
    uc_x86_msr msr = { .rid = number, .value = 0 };

    uc_reg_read(core->uc, UC_X86_REG_MSR, &msr);
    return msr.value;
}

void uc_core_set_msr(UcCore *core, uint32_t number, uint64_t value)
{
    uc_x86_msr msr = { .rid = number, .value = value };

    uc_reg_write(core->uc, UC_X86_REG_MSR, &msr);
}

/* The one place that holds these bytes now and did not before; false if there is not just one. */
static bool find_bytes(UcCore *core, const uint8_t *before, const void *bytes, size_t len,
                       size_t *ret_at)
{
    size_t size = uc_context_size(core->uc);
    unsigned n = 0;

    uc_context_save(core->uc, core->context);
    for (size_t at = 0; at + len <= size; at++) {
        if (memcmp(core->blob + at, bytes, len) == 0 && memcmp(before + at, bytes, len) != 0) {
            *ret_at = at;
            n++;
        }
    }
    return n == 1;
}

/* Writes a pattern through the API and looks where its first @len bytes went. */
static bool find_reg(UcCore *core, const uint8_t *before, int reg, size_t len, uint8_t seed,
                     size_t *ret_at)
{
    uint8_t pattern[64] = { 0 };

    uc_context_restore(core->uc, core->reset_context);
    for (size_t i = 0; i < len; i++) {
        pattern[i] = (uint8_t)(seed + i * 0x11);
    }
    uc_reg_write(core->uc, reg, pattern);
    return find_bytes(core, before, pattern, len, ret_at);
}

static bool find_plain(UcCore *core, const uint8_t *before)
{
    UcRegisters *r = &core->registers;
    size_t dr3, fp7, xmm7;
    const struct {
        int reg;
        uint8_t len;
        uint8_t seed;
        size_t *at;
        const char *name;
    } regs[] = {
        { UC_X86_REG_EIP, 4, 0x21, &r->eip, "EIP" },
        { UC_X86_REG_CR2, 4, 0x22, &r->cr2, "CR2" },
        { UC_X86_REG_CR3, 4, 0x23, &r->cr3, "CR3" },
        { UC_X86_REG_DR0, 4, 0x24, &r->dr, "DR0" },
        { UC_X86_REG_DR3, 4, 0x25, &dr3, "DR3" },
        { UC_X86_REG_FP0, 10, 0x26, &r->fpu_regs, "the x87 registers" },
        { UC_X86_REG_FP7, 10, 0x27, &fp7, "the x87 registers" },
        { UC_X86_REG_FOP, 2, 0x28, &r->fpu_opcode, "the x87 opcode" },
        { UC_X86_REG_FCS, 2, 0x29, &r->fpu_cs, "the x87 code selector" },
        { UC_X86_REG_FDS, 2, 0x2a, &r->fpu_ds, "the x87 data selector" },
        { UC_X86_REG_FIP, 8, 0x2b, &r->fpu_ip, "the x87 instruction pointer" },
        { UC_X86_REG_FDP, 8, 0x2c, &r->fpu_dp, "the x87 data pointer" },
        { UC_X86_REG_XMM0, 16, 0x2d, &r->xmm, "XMM0" },
        { UC_X86_REG_XMM7, 16, 0x2e, &xmm7, "XMM7" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(regs); i++) {
        r->missing = regs[i].name;
        if (!find_reg(core, before, regs[i].reg, regs[i].len, regs[i].seed, regs[i].at)) {
            return false;
        }
    }
    r->xmm_stride = (xmm7 - r->xmm) / 7;
    r->missing = "the order of DR0 to DR3, FP0 to FP7 or XMM0 to XMM7";
    return dr3 == r->dr + 24 && fp7 == r->fpu_regs + 7 * 16 && (xmm7 - r->xmm) % 7 == 0 &&
           r->xmm_stride >= 32 && r->xmm_stride <= 64;
}

/* CR0 and CR4: as much of a pattern as the engine takes. */
static bool find_control(UcCore *core, const uint8_t *before)
{
    UcRegisters *r = &core->registers;
    uint32_t value;

    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_reg(core, UC_X86_REG_CR0, 0x5a5a5a5au);
    value = (uint32_t)uc_core_reg(core, UC_X86_REG_CR0);
    r->missing = "CR0";
    if (!find_bytes(core, before, &value, 4, &r->cr0)) {
        return false;
    }
    /* The five stand in a row; CR1 takes a place. */
    r->cr4 = r->cr3 + 8;
    r->missing = "the order of CR0 to CR4";
    if (r->cr2 != r->cr0 + 16 || r->cr3 != r->cr0 + 24) {
        return false;
    }
    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_reg(core, UC_X86_REG_CR4, 0x2b0);
    uc_context_save(core->uc, core->context);
    memcpy(&value, core->blob + r->cr4, 4);
    r->missing = "CR4";
    return value == (uint32_t)uc_core_reg(core, UC_X86_REG_CR4) && value != 0;
}

static uint32_t word_at(const UcCore *core, size_t at)
{
    uint32_t value;

    memcpy(&value, core->blob + at, 4);
    return value;
}

/* PE, MP, EM, TS and CR4's OSFXSR show up in one word. */
static bool find_modes(UcCore *core)
{
    static const uint8_t cr0s[] = { 0x10, 0x11, 0x12, 0x14, 0x18, 0x1f };
    UcRegisters *r = &core->registers;
    size_t size = uc_context_size(core->uc);
    g_autofree bool *no = g_new0(bool, size);
    unsigned n = 0;

    r->missing = "the word of modes";
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(cr0s); i++) {
        uint32_t cr0 = cr0s[i / 2];
        uint32_t want = ((cr0 & 1) != 0 ? MODE_PE : 0) | (cr0 & 0xe) << 8;

        uc_context_restore(core->uc, core->reset_context);
        uc_core_set_reg(core, UC_X86_REG_CR0, cr0);
        uc_core_set_reg(core, UC_X86_REG_CR4, i % 2 != 0 ? 0x200 : 0);
        /* A model without SSE does not take the bit. */
        want |= i % 2 != 0 && (core->cpuid.leaf1_edx >> 25 & 1) != 0 ? MODE_FXSR : 0;
        uc_context_save(core->uc, core->context);
        for (size_t at = 0; at + 4 <= size; at += 4) {
            no[at] |= (word_at(core, at) & (MODE_PE | 0xe00 | MODE_FXSR)) != want;
        }
    }
    for (size_t at = 0; at + 4 <= size; at += 4) {
        if (!no[at]) {
            r->modes = at;
            n++;
        }
    }
    return n == 1;
}

/* The tags are eight bytes that follow the two of the control word. */
static bool find_fpu_tags(UcCore *core)
{
    UcRegisters *r = &core->registers;
    size_t size = uc_context_size(core->uc);
    uint16_t all = 0xffff, none = 0;
    g_autofree uint8_t *empty = g_malloc(size);
    unsigned n = 0;

    r->missing = "the x87 tags";
    uc_context_restore(core->uc, core->reset_context);
    uc_reg_write(core->uc, UC_X86_REG_FPTAG, &all);
    uc_context_save(core->uc, core->context);
    memcpy(empty, core->blob, size);
    uc_reg_write(core->uc, UC_X86_REG_FPTAG, &none);
    uc_context_save(core->uc, core->context);
    for (size_t at = 0; at + 8 <= size; at++) {
        bool tags = true;

        for (unsigned i = 0; i < 8 && tags; i++) {
            tags = empty[at + i] == 1 && core->blob[at + i] == 0;
        }
        n += tags;
        r->fpu_tags = tags ? at : r->fpu_tags;
    }
    return n == 1;
}

static bool find_efer(UcCore *core, const uint8_t *before)
{
    UcRegisters *r = &core->registers;
    uint64_t value;
    unsigned n = 0;

    r->missing = "EFER";
    uc_context_restore(core->uc, core->reset_context);
    if (!core->cpuid.has_nx && !core->cpuid.has_long_mode) {
        return true;
    }
    uc_core_set_msr(core, 0xc0000080, 0x901);
    value = uc_core_msr(core, 0xc0000080);
    uc_context_save(core->uc, core->context);
    for (size_t at = 0; at + 8 <= uc_context_size(core->uc); at += 8) {
        if (memcmp(core->blob + at, &value, 8) == 0 && memcmp(before + at, &value, 8) != 0) {
            r->efer = at;
            n++;
        }
    }
    return value != 0 && n == 1;
}

/* Keeps what is written? Machine-check registers take all zeros or all ones. */
static bool msr_keeps(UcCore *core, uint32_t number)
{
    uint64_t old = uc_core_msr(core, number);
    uint64_t other = number >= 0x400 && number < 0x480 ? ~old : 0x5a;

    uc_core_set_msr(core, number, other);

    bool keeps = uc_core_msr(core, number) == other && other != old;

    uc_core_set_msr(core, number, old);
    return keeps;
}

static bool msr_in_context(UcCore *core, uint32_t number, const uint8_t *before)
{
    uint64_t old = uc_core_msr(core, number);

    uc_core_set_msr(core, number, 0x5a);
    if (uc_core_msr(core, number) == old) {
        uc_core_set_msr(core, number, ~old);
    }
    uc_context_save(core->uc, core->context);
    uc_core_set_msr(core, number, old);
    return memcmp(core->blob, before, uc_context_size(core->uc)) != 0;
}

static bool find_msrs(UcCore *core, const uint8_t *before)
{
    UcRegisters *r = &core->registers;

    r->missing = "room for all MSRs";
    uc_context_restore(core->uc, core->reset_context);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(msr_list); i++) {
            for (uint32_t k = 0; k < msr_list[i].n; k++) {
                uint32_t number = msr_list[i].first + k;

                if (!msr_keeps(core, number) ||
                    msr_in_context(core, number, before) != (pass == 1)) {
                    continue;
                }
                if (r->n_msrs == G_N_ELEMENTS(r->msrs)) {
                    return false;
                }
                r->msrs[r->n_msrs++] = number;
            }
        }
        if (pass == 0) {
            r->n_outside = r->n_msrs;
        }
    }
    return true;
}

/* XCR0 stands between TSC_AUX and MCG_STATUS; after reset it names x87, or x87 and SSE. */
static bool find_xcr0(UcCore *core, const uint8_t *before)
{
    UcRegisters *r = &core->registers;
    const uint64_t aux = 0x5b5c5d5e, status = 0x6b6c6d6e6f;
    size_t at, behind;
    uint64_t value;

    r->missing = "XCR0";
    uc_context_restore(core->uc, core->reset_context);
    uc_core_set_msr(core, 0xc0000103, aux);
    uc_core_set_msr(core, 0x17a, status);
    if (!find_bytes(core, before, &aux, 8, &at) || !find_bytes(core, before, &status, 8, &behind) ||
        behind != at + 16) {
        return false;
    }
    memcpy(&value, core->blob + at + 8, 8);
    r->xcr0 = at + 8;
    return value == 1 || value == 3;
}

/* Switches a breakpoint on as a guest does: one pointer appears. */
static bool find_breakpoints(UcCore *core)
{
    static const uint8_t code[] = { 0x0f, 0x23, 0xf8, 0xf4 }; /* mov dr7, eax; hlt */
    UcRegisters *r = &core->registers;
    uint64_t pointers[4];
    bool ok = true;

    r->missing = "what DR7 switched on";
    r->breakpoints = r->dr + 64;
    for (unsigned i = 0; i < 4; i++) {
        uc_context_restore(core->uc, core->reset_context);
        uc_core_set_reg(core, UC_X86_REG_EAX, 0x400 | 1u << (2 * i));
        uc_core_run_scratch(core, code, sizeof(code));
        uc_context_save(core->uc, core->context);
        memcpy(pointers, core->blob + r->breakpoints, sizeof(pointers));
        for (unsigned k = 0; k < 4; k++) {
            ok = ok && (pointers[k] != 0) == (k == i);
        }
        uc_core_set_reg(core, UC_X86_REG_EAX, 0x400);
        uc_core_run_scratch(core, code, sizeof(code));
    }
    return ok && core->layout.exception == r->breakpoints + sizeof(pointers);
}

void uc_core_find_registers(UcCore *core)
{
    size_t size = uc_context_size(core->uc);
    g_autofree uint8_t *before = g_malloc(size);

    memset(&core->registers, 0, sizeof(core->registers));
    uc_context_restore(core->uc, core->reset_context);
    uc_context_save(core->uc, core->context);
    memcpy(before, core->blob, size);
    if (find_plain(core, before) && find_control(core, before) && find_modes(core) &&
        find_fpu_tags(core) && find_efer(core, before) && find_msrs(core, before) &&
        find_xcr0(core, before) && find_breakpoints(core)) {
        core->registers.missing = NULL;
    }
}

void uc_core_set_dr7(UcCore *core, uint64_t value)
{
    static const uint8_t code[] = { 0x0f, 0x23, 0xf8, 0xf4 }; /* mov dr7, eax; hlt */
    const UcRegisters *r = &core->registers;
    size_t size = uc_context_size(core->uc);
    g_autofree uint8_t *was = g_malloc(size);
    const size_t len = 8 * 8 + 32; /* DR0 to DR7 and the pointers behind them */
    uint8_t now[8 * 8 + 32];

    uc_context_save(core->uc, core->context);
    memcpy(was, core->blob, size);
    /* In the processor's state after reset, with the guest's debug registers. */
    memcpy(core->blob, core->reset_context, size);
    memcpy(core->blob + r->dr, was + r->dr, len);
    uc_context_restore(core->uc, core->context);
    do {
        /* Another thread that asks for a stop just now keeps the instruction from executing. */
        uc_core_set_reg(core, UC_X86_REG_EAX, value);
        uc_core_run_scratch(core, code, sizeof(code));
    } while ((uc_core_reg(core, UC_X86_REG_DR7) & 0xff) != (value & 0xff));
    uc_context_save(core->uc, core->context);
    memcpy(now, core->blob + r->dr, len);
    memcpy(core->blob, was, size);
    memcpy(core->blob + r->dr, now, len);
    uc_context_restore(core->uc, core->context);
    uc_core_flush_tlb(core);
}

void uc_core_forget_all(UcCore *core)
{
    uc_core_forget_loops(core);
    core->block_len = 0;
    core->cs_known = false;
    memset(core->tracked, 0, sizeof(core->tracked));
    core->flush_after_catch = false;
    core->exit = UC_EXIT_NONE;
    uc_core_flush_tlb(core);
}
