/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See emu/x86/operand.h. Only addresses are decoded, and only for instructions that were about to
 * execute; what a byte sequence does otherwise is not looked at. A memory operand that is never
 * accessed (LEA, multi-byte NOP) does no harm: its instruction does not fault.
 */
#include "emu/x86/operand.h"

typedef struct Insn {
    const X86State *state;
    const uint8_t *code;
    unsigned n, at;
    bool op32, addr32;
    int override;    /* segment of a prefix, or -1 */
    unsigned opcode; /* 0x0F00 | byte for two-byte opcodes */
    uint8_t modrm;
    bool has_memory;
    GVirt memory; /* linear address of the ModRM operand */
} Insn;

static unsigned fetch(Insn *insn, unsigned len)
{
    unsigned value = 0;

    for (unsigned i = 0; i < len; i++) {
        unsigned byte = insn->at < insn->n ? insn->code[insn->at] : 0;

        value |= byte << (8 * i);
        insn->at++;
    }
    return value;
}

static GVirt linear(const Insn *insn, unsigned seg, uint32_t offset)
{
    return (uint32_t)(insn->state->seg[seg].base + (insn->addr32 ? offset : offset & 0xffff));
}

static GVirt linear_data(const Insn *insn, unsigned seg, uint32_t offset)
{
    return linear(insn, insn->override >= 0 ? (unsigned)insn->override : seg, offset);
}

static uint32_t gpr(const Insn *insn, unsigned reg)
{
    return (uint32_t)insn->state->gpr[reg];
}

unsigned x86_n_prefixes(const uint8_t *code, unsigned n)
{
    unsigned i = 0;

    /* Segment overrides, operand and address size, LOCK and REP. */
    while (i < n && ((code[i] & 0xe7) == 0x26 || (code[i] >= 0x64 && code[i] <= 0x67) ||
                     code[i] == 0xf0 || code[i] == 0xf2 || code[i] == 0xf3)) {
        i++;
    }
    return i;
}

static void decode_prefixes(Insn *insn)
{
    bool more = true;

    while (more && insn->at < insn->n && insn->at < 14) {
        switch (insn->code[insn->at]) {
        case 0x26:
            insn->override = X86_ES;
            break;
        case 0x2e:
            insn->override = X86_CS;
            break;
        case 0x36:
            insn->override = X86_SS;
            break;
        case 0x3e:
            insn->override = X86_DS;
            break;
        case 0x64:
            insn->override = X86_FS;
            break;
        case 0x65:
            insn->override = X86_GS;
            break;
        case 0x66:
            insn->op32 = (insn->state->seg[X86_CS].attr & X86_SEG_DB) == 0;
            break;
        case 0x67:
            insn->addr32 = (insn->state->seg[X86_CS].attr & X86_SEG_DB) == 0;
            break;
        case 0xf0:
        case 0xf2:
        case 0xf3:
            break;
        default:
            more = false;
            break;
        }
        insn->at += more;
    }
}

static bool has_modrm(unsigned opcode)
{
    unsigned low = opcode & 0xff;

    if (opcode >= 0x0f00) {
        return !((low >= 0x05 && low <= 0x0b) || low == 0x0e || (low >= 0x30 && low <= 0x37) ||
                 low == 0x77 || (low & 0xf0) == 0x80 || (low >= 0xa0 && low <= 0xa2) ||
                 (low >= 0xa8 && low <= 0xaa) || (low >= 0xc8 && low <= 0xcf));
    }
    return (low < 0x40 && (low & 4) == 0) || low == 0x62 || low == 0x63 || low == 0x69 ||
           low == 0x6b || (low & 0xf0) == 0x80 || low == 0xc0 || low == 0xc1 ||
           (low >= 0xc4 && low <= 0xc7) || (low >= 0xd0 && low <= 0xd3) ||
           (low >= 0xd8 && low <= 0xdf) || low == 0xf6 || low == 0xf7 || low >= 0xfe;
}

static uint32_t displacement(Insn *insn, unsigned mod, unsigned wide)
{
    return mod == 1 ? (uint32_t)(int8_t)fetch(insn, 1) : mod == 2 ? fetch(insn, wide) : 0;
}

static GVirt decode_memory_16(Insn *insn)
{
    static const uint8_t base[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
                                     X86_RSI, X86_RDI, X86_RBP, X86_RBX };
    unsigned mod = insn->modrm >> 6;
    unsigned rm = insn->modrm & 7;
    unsigned seg = rm == 2 || rm == 3 || rm == 6 ? X86_SS : X86_DS;

    if (mod == 0 && rm == 6) {
        return linear_data(insn, X86_DS, fetch(insn, 2));
    }
    uint32_t offset = gpr(insn, base[rm]) + displacement(insn, mod, 2);

    if (rm < 4) {
        offset += gpr(insn, (rm & 1) != 0 ? X86_RDI : X86_RSI);
    }
    return linear_data(insn, seg, offset);
}

static GVirt decode_memory_32(Insn *insn)
{
    unsigned mod = insn->modrm >> 6;
    unsigned base = insn->modrm & 7;
    uint32_t offset = 0;

    if (base == 4) {
        unsigned sib = fetch(insn, 1);
        unsigned index = sib >> 3 & 7;

        base = sib & 7;
        offset = index != 4 ? gpr(insn, index) << (sib >> 6) : 0;
    }
    if (mod == 0 && base == 5) {
        return linear_data(insn, X86_DS, offset + fetch(insn, 4));
    }
    if (base == X86_RSP && insn->opcode == 0x8f) {
        offset += insn->op32 ? 4 : 2; /* POP counts ESP up before it computes the address */
    }
    offset += gpr(insn, base) + displacement(insn, mod, 4);
    return linear_data(insn, base == X86_RSP || base == X86_RBP ? X86_SS : X86_DS, offset);
}

/* BT and its kin reach beyond their operand by a bit number in a register. */
static void add_bit_offset(Insn *insn)
{
    unsigned low = insn->opcode & 0xff;

    if (insn->opcode >= 0x0f00 && (low == 0xa3 || low == 0xab || low == 0xb3 || low == 0xbb)) {
        uint32_t bit = gpr(insn, insn->modrm >> 3 & 7);
        int32_t units = insn->op32 ? (int32_t)bit >> 5 : (int16_t)bit >> 4;

        insn->memory = (uint32_t)(insn->memory + (uint32_t)units * (insn->op32 ? 4u : 2u));
    }
}

static void decode(Insn *insn)
{
    decode_prefixes(insn);
    insn->opcode = fetch(insn, 1);
    if (insn->opcode == 0x0f) {
        insn->opcode = 0x0f00 | fetch(insn, 1);
        if (insn->opcode == 0x0f38 || insn->opcode == 0x0f3a) {
            (void)fetch(insn, 1);
        }
    }
    if (has_modrm(insn->opcode)) {
        insn->modrm = (uint8_t)fetch(insn, 1);
        insn->has_memory = insn->modrm >> 6 != 3;
    } else if (insn->opcode >= 0xa0 && insn->opcode <= 0xa3) {
        insn->has_memory = true;
        insn->memory = linear_data(insn, X86_DS, fetch(insn, insn->addr32 ? 4 : 2));
        return;
    } else if (insn->opcode == 0xd7) { /* XLAT */
        insn->has_memory = true;
        insn->memory = linear_data(insn, X86_DS, gpr(insn, X86_RBX) + (gpr(insn, X86_RAX) & 0xff));
        return;
    }
    if (insn->has_memory) {
        insn->memory = insn->addr32 ? decode_memory_32(insn) : decode_memory_16(insn);
        add_bit_offset(insn);
    }
}

static bool in_page(GVirt address, GVirt page)
{
    return (address & MEM_PAGE_MASK) == page;
}

/* Source and destination of string instructions. */
static bool string_address(const Insn *insn, GVirt page, MemAccess access, GVirt *ret_address)
{
    unsigned op = insn->opcode;
    bool source =
        (op >= 0xa4 && op <= 0xa7) || op == 0xac || op == 0xad || op == 0x6e || op == 0x6f;
    bool dest = (op >= 0xa4 && op <= 0xa7) || op == 0xaa || op == 0xab || op == 0xae ||
                op == 0xaf || op == 0x6c || op == 0x6d;
    bool moves = op == 0xa4 || op == 0xa5;
    GVirt from = linear_data(insn, X86_DS, gpr(insn, X86_RSI));
    GVirt to = linear(insn, X86_ES, gpr(insn, X86_RDI));

    if (source && in_page(from, page) && !(moves && access == MEM_ACCESS_WRITE)) {
        *ret_address = from;
        return true;
    }
    if (dest && in_page(to, page) && !(moves && access == MEM_ACCESS_READ)) {
        *ret_address = to;
        return true;
    }
    return false;
}

/* The stack, for whatever pushes (writes) or pops (reads): the first of its words that lies in the
 * page. */
static bool stack_address(const Insn *insn, GVirt page, MemAccess access, GVirt *ret_address)
{
    const X86Seg *ss = &insn->state->seg[X86_SS];
    uint32_t mask = (ss->attr & X86_SEG_DB) != 0 ? 0xffffffffu : 0xffffu;
    uint32_t size = insn->op32 ? 4 : 2;
    bool leaves = insn->opcode == 0xc9;
    uint32_t sp = gpr(insn, leaves ? X86_RBP : X86_RSP);

    for (uint32_t i = 0; i < 8; i++) {
        uint32_t at = access == MEM_ACCESS_WRITE ? sp - (i + 1) * size : sp + i * size;
        GVirt address = (uint32_t)(ss->base + (at & mask));

        if (in_page(address, page)) {
            *ret_address = address;
            return true;
        }
    }
    return false;
}

/* Whether the ModRM operand is the one of that access: PUSH m and CALL m read it, POP m writes it.
 */
static bool memory_is_meant(const Insn *insn, MemAccess access)
{
    unsigned group = insn->modrm >> 3 & 7;

    if (insn->opcode == 0xff && (group == 2 || group == 3 || group == 6)) {
        return access == MEM_ACCESS_READ;
    }
    return insn->opcode != 0x8f || access == MEM_ACCESS_WRITE;
}

GVirt x86_operand_address(const X86State *state, const uint8_t *code, unsigned n, GVirt page,
                          MemAccess access)
{
    bool wide = (state->seg[X86_CS].attr & X86_SEG_DB) != 0;
    Insn insn = {
        .state = state, .code = code, .n = n, .op32 = wide, .addr32 = wide, .override = -1
    };
    GVirt address;

    if ((state->seg[X86_CS].attr & X86_SEG_L) != 0) {
        return page;
    }
    decode(&insn);
    if (insn.has_memory && memory_is_meant(&insn, access)) {
        return in_page(insn.memory, page) ? insn.memory : page;
    }
    if (string_address(&insn, page, access, &address) ||
        stack_address(&insn, page, access, &address)) {
        return address;
    }
    return page;
}
