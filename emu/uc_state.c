/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers out of the engine and back in. What its API shows is read through the API; hidden
 * segment parts come out of its context at calibrated places and go in by loading a descriptor of
 * our choosing from a scratch table.
 *
 * Source: Unicorn's public API; Intel SDM volume 3A section 3.4.5 (descriptors).
 */
#include "emu/uc_core.h"

#include "memsys/access.h"

#include <string.h>

/* The engine's segment cache: selector, base, limit, flags = the descriptor's high dword. */
#define CACHE_LEN 24
enum { CACHE_LDTR = 6, CACHE_TR, CACHE_GDTR, CACHE_IDTR };

#define CR0_PE 1u

static const int gpr_regs[8] = { UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
                                 UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI };
static const int seg_regs[X86_N_SEG] = { UC_X86_REG_ES, UC_X86_REG_CS, UC_X86_REG_SS,
                                         UC_X86_REG_DS, UC_X86_REG_FS, UC_X86_REG_GS };

uint64_t uc_core_reg(UcCore *core, int uc_reg)
{
    uint64_t value = 0;

    uc_reg_read(core->uc, uc_reg, &value);
    return value;
}

void uc_core_set_reg(UcCore *core, int uc_reg, uint64_t value)
{
    uc_reg_write(core->uc, uc_reg, &value);
}

static uint64_t read_msr(UcCore *core, uint32_t index)
{
    uc_x86_msr msr = { .rid = index, .value = 0 };

    uc_reg_read(core->uc, UC_X86_REG_MSR, &msr);
    return msr.value;
}

static X86Seg read_cache(const UcCore *core, unsigned index)
{
    const uint8_t *cache = core->blob + core->layout.segs + index * CACHE_LEN;
    uint32_t selector, limit, flags;
    uint64_t base;

    memcpy(&selector, cache, 4);
    memcpy(&base, cache + 8, 8);
    memcpy(&limit, cache + 16, 4);
    memcpy(&flags, cache + 20, 4);
    return (X86Seg) {
        .selector = (uint16_t)selector, .base = base, .limit = limit, .attr = (flags >> 8) & 0xf0ff
    };
}

GVirt uc_core_linear_pc(UcCore *core)
{
    uint64_t eip = uc_core_reg(core, UC_X86_REG_EIP);
    uint16_t selector = (uint16_t)uc_core_reg(core, UC_X86_REG_CS);
    bool is_protected = (uc_core_reg(core, UC_X86_REG_CR0) & CR0_PE) != 0;

    if (core->cs_known && selector == core->cs_selector && is_protected == core->cs_protected) {
        GVirt pc = (core->cs_base + eip) & core->cs_mask;

        /* The base of last time is believed only while it puts the instruction into the running
         * block. */
        if (core->block_len != 0 && pc - core->block_address <= core->block_len) {
            return pc;
        }
    }
    uc_context_save(core->uc, core->context);

    X86Seg cs = read_cache(core, X86_CS);
    bool wide = (cs.attr & X86_SEG_L) != 0;

    core->cs_known = true;
    core->cs_selector = selector;
    core->cs_protected = is_protected;
    core->cs_base = wide ? 0 : cs.base;
    core->cs_mask = wide ? UINT64_MAX : UINT32_MAX;
    return (core->cs_base + eip) & core->cs_mask;
}

void uc_core_paging_regs(UcCore *core, X86PagingRegs *regs)
{
    uc_core_paging_regs_with(core, uc_core_reg(core, UC_X86_REG_CR0), regs);
}

void uc_core_paging_regs_with(UcCore *core, uint64_t cr0, X86PagingRegs *regs)
{
    *regs = (X86PagingRegs) {
        .cr0 = cr0,
        .cr3 = uc_core_reg(core, UC_X86_REG_CR3),
        .cr4 = uc_core_reg(core, UC_X86_REG_CR4),
        .maxphyaddr = core->cpuid.maxphyaddr,
        .has_nx = core->cpuid.has_nx,
        .has_pse36 = core->cpuid.has_pse36,
        .has_1g = core->cpuid.has_1g,
    };
    if ((regs->cr0 & CR0_PE) != 0) {
        regs->cpl = uc_core_reg(core, UC_X86_REG_CS) & 3;
    }
    if (core->cpuid.has_nx || core->cpuid.has_long_mode) {
        regs->efer = read_msr(core, 0xc0000080);
    }
    if (core->cpuid.has_smap) {
        regs->eflags = (uint32_t)uc_core_reg(core, UC_X86_REG_EFLAGS);
    }
    if ((regs->cr0 >> 31) != 0 && (regs->cr4 & 0x20) != 0 && (regs->efer & 0x400) == 0) {
        /* The engine does not tell of MOV CR3, so the four entries are read afresh each time. A
         * processor would keep those of the last load; reserved bits, #GP there, make a walk fail
         * here. */
        (void)!x86_load_pdptes(regs, core->cpu);
    }
}

void uc_core_read_state(UcCore *core, X86State *state)
{
    memset(state, 0, sizeof(*state));
    uc_context_save(core->uc, core->context);
    memcpy(state->gpr, core->blob + core->layout.regs, sizeof(state->gpr));
    state->rip = uc_core_reg(core, UC_X86_REG_EIP);
    state->rflags = uc_core_reg(core, UC_X86_REG_EFLAGS);
    for (unsigned i = 0; i < X86_N_SEG; i++) {
        state->seg[i] = read_cache(core, i);
    }
    state->ldtr = read_cache(core, CACHE_LDTR);
    state->tr = read_cache(core, CACHE_TR);

    X86Seg gdtr = read_cache(core, CACHE_GDTR);
    X86Seg idtr = read_cache(core, CACHE_IDTR);

    state->gdtr = (X86Table) { .base = gdtr.base, .limit = gdtr.limit };
    state->idtr = (X86Table) { .base = idtr.base, .limit = idtr.limit };
    state->cr2 = uc_core_reg(core, UC_X86_REG_CR2);
    uc_core_paging_regs(core, &state->paging);
    if ((state->rflags & 1u << 17) != 0 && (state->paging.cr0 & CR0_PE) != 0) {
        state->paging.cpl = 3;
    }
    state->sysenter_cs = read_msr(core, 0x174);
    state->sysenter_esp = read_msr(core, 0x175);
    state->sysenter_eip = read_msr(core, 0x176);
}

static void write_table(UcCore *core, int uc_reg, const X86Table *table)
{
    uc_x86_mmr mmr = { .base = table->base, .limit = table->limit };

    uc_reg_write(core->uc, uc_reg, &mmr);
}

/* A descriptor whose load gives this base, limit and attributes. */
static uint64_t encode_descriptor(const X86Seg *seg)
{
    uint32_t limit = (seg->attr & X86_SEG_G) != 0 ? seg->limit >> 12 : seg->limit;
    uint64_t low = (limit & 0xffff) | (uint64_t)(seg->base & 0xffff) << 16;
    uint64_t high = (seg->base >> 16 & 0xff) | (uint64_t)(seg->attr & 0xff) << 8 |
                    (limit & 0xf0000) | (uint64_t)(seg->attr & 0xf000) << 8 |
                    (seg->base & 0xff000000);

    return low | high << 32;
}

/*
 * With the scratch page behind every address, GDTR is set so that @selector indexes our one
 * descriptor; what the guest has there is not looked at. A limit above 1 MiB without G, as unreal
 * mode may leave, needs G: the low 12 bits of such a limit are ones in all that was ever loaded.
 */
void uc_core_load_segment(UcCore *core, unsigned seg, const X86Seg *value)
{
    const uint64_t place = 0x800;
    uint64_t cr0 = uc_core_reg(core, UC_X86_REG_CR0);
    uint64_t selector = value->selector;
    uc_x86_mmr gdtr, ldtr, table;
    X86Seg load = *value;

    if (load.limit > 0xfffff) {
        load.attr |= X86_SEG_G;
    }
    uint64_t descriptor = encode_descriptor(&load);

    memcpy(core->scratch + place, &descriptor, sizeof(descriptor));
    uc_reg_read(core->uc, UC_X86_REG_GDTR, &gdtr);
    uc_reg_read(core->uc, UC_X86_REG_LDTR, &ldtr);
    core->scratch_fill = true;
    uc_core_flush_tlb(core);
    if ((cr0 & CR0_PE) == 0) {
        uc_core_set_reg(core, UC_X86_REG_CR0, cr0 | CR0_PE);
    }
    table = (uc_x86_mmr) { .selector = 8,
                           .base = place + 0x100000 - (selector & ~7ull),
                           .limit = 0xffff,
                           .flags = 0x8200 };
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &table);
    uc_reg_write(core->uc, UC_X86_REG_LDTR, &table);

    /* A null selector loads nothing: go by way of index 1 and mend the selector in the blob. */
    bool null = (selector & ~3ull) == 0;

    if (null) {
        table.base = place + 0x100000 - 8;
        uc_reg_write(core->uc, UC_X86_REG_GDTR, &table);
        selector = 8 | (selector & 3);
    }
    uc_core_set_reg(core, seg_regs[seg], selector);
    uc_reg_write(core->uc, UC_X86_REG_LDTR, &ldtr);
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &gdtr);
    if ((cr0 & CR0_PE) == 0) {
        uc_core_set_reg(core, UC_X86_REG_CR0, cr0);
    }
    core->scratch_fill = false;
    if (null) {
        uint32_t wanted = value->selector;

        uc_context_save(core->uc, core->context);
        memcpy(core->blob + core->layout.segs + seg * CACHE_LEN, &wanted, sizeof(wanted));
        uc_context_restore(core->uc, core->context);
    }
    uc_core_flush_tlb(core);
}

static bool segs_equal(const X86Seg *a, const X86Seg *b)
{
    return a->selector == b->selector && a->base == b->base && a->limit == b->limit &&
           a->attr == b->attr;
}

/* A real-mode load by the API sets base = selector * 16, limit 64 KiB; good unless hidden parts are
 * unusual. */
static bool is_plain_real(const X86Seg *seg)
{
    return seg->base == (uint64_t)seg->selector << 4 && seg->limit == 0xffff;
}

static void write_segments(UcCore *core, const X86State *old, const X86State *state)
{
    bool real = (state->paging.cr0 & CR0_PE) == 0;
    bool inner = !real && (state->seg[X86_CS].selector & 3) < (old->seg[X86_CS].selector & 3);

    if (inner) {
        /* The API refuses a more privileged segment: drop to privilege 0 by way of real mode. */
        uc_core_set_reg(core, UC_X86_REG_CR0, state->paging.cr0 & ~(uint64_t)(CR0_PE | 1u << 31));
        uc_core_set_reg(core, UC_X86_REG_SS, 0);
        uc_core_set_reg(core, UC_X86_REG_CR0, state->paging.cr0);
    }
    static const uint8_t order[X86_N_SEG] = { X86_SS, X86_CS, X86_DS, X86_ES, X86_FS, X86_GS };

    for (unsigned i = 0; i < X86_N_SEG; i++) {
        unsigned seg = order[i];

        if (segs_equal(&old->seg[seg], &state->seg[seg]) &&
            !(inner && (seg == X86_SS || seg == X86_CS))) {
            continue;
        }
        if (real && is_plain_real(&state->seg[seg])) {
            uc_core_set_reg(core, seg_regs[seg], state->seg[seg].selector);
        } else {
            uc_core_load_segment(core, seg, &state->seg[seg]);
        }
    }
}

void uc_core_write_state(UcCore *core, const X86State *old, const X86State *state)
{
    write_segments(core, old, state);
    for (unsigned i = 0; i < G_N_ELEMENTS(gpr_regs); i++) {
        if (old->gpr[i] != state->gpr[i]) {
            uc_core_set_reg(core, gpr_regs[i], state->gpr[i]);
        }
    }
    if (old->gdtr.base != state->gdtr.base || old->gdtr.limit != state->gdtr.limit) {
        write_table(core, UC_X86_REG_GDTR, &state->gdtr);
    }
    if (old->idtr.base != state->idtr.base || old->idtr.limit != state->idtr.limit) {
        write_table(core, UC_X86_REG_IDTR, &state->idtr);
    }
    if (old->cr2 != state->cr2) {
        uc_core_set_reg(core, UC_X86_REG_CR2, state->cr2);
    }
    uc_core_set_reg(core, UC_X86_REG_EFLAGS, state->rflags);
    uc_core_set_reg(core, UC_X86_REG_EIP, state->rip);
}

unsigned uc_core_peek_code(UcCore *core, uint8_t *ret_bytes, unsigned max)
{
    X86PagingRegs regs;
    GVirt pc = uc_core_linear_pc(core);
    unsigned n = 0;

    uc_core_paging_regs(core, &regs);
    while (n < max) {
        X86Walk walk;
        unsigned here = (unsigned)MIN(max - n, MEM_PAGE_SIZE - ((pc + n) & ~MEM_PAGE_MASK));

        x86_walk(&regs, core->cpu, pc + n, MEM_ACCESS_EXEC, X86_ACCESS_PEEK, &walk);
        if (walk.result != X86_WALK_OK ||
            pgm_peek(core->pgm, pgm_cpu_mask(core->cpu, walk.gpa), ret_bytes + n, here) != MEM_OK) {
            break;
        }
        n += here;
    }
    return n;
}

bool uc_core_peek_before(UcCore *core, uint8_t *ret_bytes)
{
    X86PagingRegs regs;
    GVirt pc = uc_core_linear_pc(core);

    uc_core_paging_regs(core, &regs);
    for (unsigned i = 0; i < 2; i++) {
        X86Walk walk;

        x86_walk(&regs, core->cpu, (uint32_t)(pc - 2 + i), MEM_ACCESS_READ, X86_ACCESS_PEEK, &walk);
        if (walk.result != X86_WALK_OK ||
            pgm_peek(core->pgm, pgm_cpu_mask(core->cpu, walk.gpa), ret_bytes + i, 1) != MEM_OK) {
            return false;
        }
    }
    return true;
}
