/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of interrupts and exceptions: gate, target code segment, stack, frame, in the order in
 * which the SDM checks them, so that of several faults the right one is reported. Escalation to #DF
 * and shutdown.
 *
 * Invariant: nothing is written to registers or guest memory until every check has passed; only A
 * and D bits of page tables may have been set by then, as on a processor.
 *
 * Source: Intel SDM volume 2A "INT n" (operation), volume 3A 6.12 to 6.14.
 */
#include "emu/x86/deliver.h"

#include "emu/x86/deliver-internal.h"

#include <glib.h>

#define FLAG_TF UINT64_C(0x100)
#define FLAG_IF UINT64_C(0x200)
#define FLAG_NT UINT64_C(0x4000)
#define FLAG_RF UINT64_C(0x10000)
#define FLAG_VM UINT64_C(0x20000)
#define FLAG_AC UINT64_C(0x40000)

/* Gate and TSS types. The 32-bit ones are the 64-bit ones of long mode. */
enum { TYPE_TASK_GATE = 5, TYPE_INT16 = 6, TYPE_TRAP16 = 7, TYPE_INT32 = 14, TYPE_TRAP32 = 15 };
enum { TYPE_TSS16 = 1, TYPE_TSS16_BUSY = 3, TYPE_TSS32 = 9, TYPE_TSS32_BUSY = 11 };

typedef struct Gate {
    uint8_t type, dpl, ist;
    uint16_t selector;
    uint64_t offset;
} Gate;

/* Where the frame goes. */
typedef struct Stack {
    X86Seg ss;
    uint64_t sp;
    uint64_t mask;       /* of SP: 16, 32 or 64 bits */
    unsigned flags;      /* X86AccessFlags of the pushes */
    uint32_t room_error; /* of #SS when the frame does not fit */
} Stack;

typedef struct Frame {
    uint64_t values[6]; /* in the order of the pushes */
    unsigned n;
    unsigned size; /* bytes each: 2, 4 or 8 */
} Frame;

static bool not_supported(X86Delivery *d, const char *text)
{
    d->result = X86_DELIVER_NOT_SUPPORTED;
    d->text = text;
    return false;
}

/* Exceptions reported at the instruction that caused them. #DB is both; its RF is the caller's
 * business. */
static bool is_fault(const X86Event *event)
{
    switch (event->vector) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 8:
    case 18:
        return false;
    default:
        return event->kind == X86_EVENT_EXCEPTION;
    }
}

static uint64_t pushed_flags(const X86Delivery *d)
{
    return d->next.rflags | (is_fault(&d->event) ? FLAG_RF : 0);
}

static Stack current_stack(const X86Delivery *d)
{
    const X86Seg *ss = &d->next.seg[X86_SS];

    return (Stack) {
        .ss = *ss,
        .sp = d->next.gpr[X86_RSP],
        .mask = (ss->attr & X86_SEG_DB) != 0 ? UINT32_MAX : UINT16_MAX,
        .room_error = d->ext,
    };
}

/* Whether all of [offset, offset + size) may be accessed through @ss. */
static bool within_limit(const X86Seg *ss, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if ((ss->attr & (X86_SEG_CODE | X86_SEG_DOWN)) == X86_SEG_DOWN) {
        uint64_t top = (ss->attr & X86_SEG_DB) != 0 ? UINT32_MAX : UINT16_MAX;

        return offset > ss->limit && last <= top;
    }
    return last <= ss->limit;
}

static bool check_room(X86Delivery *d, const Stack *stack, const Frame *frame)
{
    uint64_t sp = stack->sp;

    for (unsigned i = 0; i < frame->n; i++) {
        sp = (sp - frame->size) & stack->mask;
        if (!within_limit(&stack->ss, sp, frame->size)) {
            return x86_delivery_raise(d, X86_XCP_SS, stack->room_error);
        }
    }
    return true;
}

/* Stages the frame and leaves @stack at its end. */
static bool push_frame(X86Delivery *d, Stack *stack, const Frame *frame)
{
    uint64_t sp = stack->sp;
    uint64_t base = d->long_mode ? 0 : stack->ss.base;

    for (unsigned i = 0; i < frame->n; i++) {
        sp = (sp - frame->size) & stack->mask;

        GVirt address = base + sp;

        if (!x86_delivery_stage(d, d->long_mode ? address : address & UINT32_MAX, frame->size,
                                frame->values[i], stack->flags, X86_XCP_SS)) {
            return false;
        }
    }
    stack->sp = (stack->sp & ~stack->mask) | sp;
    return true;
}

static void add_error_code(const X86Delivery *d, Frame *frame)
{
    if (d->event.has_error) {
        frame->values[frame->n++] = d->event.error;
    }
}

static bool deliver_real(X86Delivery *d)
{
    X86State *next = &d->next;
    uint32_t offset = d->event.vector * 4u;
    uint64_t far_pointer;
    Stack stack = current_stack(d);
    Frame frame = {
        .values = { next->rflags, next->seg[X86_CS].selector, next->rip },
        .n = 3,
        .size = 2,
    };

    if (offset + 3 > next->idtr.limit) {
        return x86_delivery_raise(d, X86_XCP_GP, 0);
    }
    if (!x86_delivery_read(d, next->idtr.base + offset, 4, &far_pointer) ||
        !check_room(d, &stack, &frame) || !push_frame(d, &stack, &frame)) {
        return false;
    }
    /* Limit and attributes of CS stay what they are: a real-mode load replaces only the base. */
    next->seg[X86_CS].selector = (uint16_t)(far_pointer >> 16);
    next->seg[X86_CS].base = far_pointer >> 16 << 4;
    next->rip = far_pointer & 0xffff;
    next->gpr[X86_RSP] = stack.sp;
    next->rflags &= ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
    return true;
}

static bool raise_idt(X86Delivery *d, uint8_t vector)
{
    return x86_delivery_raise(d, vector, d->event.vector * 8u | 2u | d->ext);
}

static bool gate_type_is_valid(const X86Delivery *d, unsigned system_type)
{
    switch (system_type) {
    case TYPE_INT32:
    case TYPE_TRAP32:
        return true;
    case TYPE_INT16:
    case TYPE_TRAP16:
    case TYPE_TASK_GATE:
        return !d->long_mode;
    default:
        return false;
    }
}

static bool read_gate(X86Delivery *d, Gate *ret_gate)
{
    unsigned size = d->long_mode ? 16 : 8;
    uint32_t offset = d->event.vector * size;
    GVirt address = d->next.idtr.base + offset;
    uint64_t low, high = 0;

    if (offset + size - 1 > d->next.idtr.limit) {
        return raise_idt(d, X86_XCP_GP);
    }
    if (!x86_delivery_read(d, address, 8, &low) ||
        (d->long_mode && !x86_delivery_read(d, address + 8, 8, &high))) {
        return false;
    }
    unsigned type = low >> 40 & 0x1f; /* with S: 1 is no gate */
    unsigned dpl = low >> 45 & 3;

    if (!gate_type_is_valid(d, type) ||
        (d->event.kind == X86_EVENT_SOFTWARE_INT && dpl < d->regs.cpl)) {
        return raise_idt(d, X86_XCP_GP);
    }
    if ((low >> 47 & 1) == 0) {
        return raise_idt(d, X86_XCP_NP);
    }
    *ret_gate = (Gate) {
        .type = (uint8_t)type,
        .dpl = (uint8_t)dpl,
        .ist = low >> 32 & 7,
        .selector = low >> 16 & 0xffff,
        .offset = (low & 0xffff) | (low >> 32 & 0xffff0000) | high << 32,
    };
    if ((type & 8) == 0) {
        ret_gate->offset &= 0xffff;
    }
    return true;
}

/* The gate's code segment, checked as far as it is the same for all modes. */
static bool read_target(X86Delivery *d, const Gate *gate, X86Descriptor *ret_cs)
{
    if ((gate->selector & 0xfffcu) == 0) {
        return x86_delivery_raise(d, X86_XCP_GP, d->ext);
    }
    if (!x86_delivery_descriptor(d, gate->selector, X86_XCP_GP, ret_cs)) {
        return false;
    }
    uint32_t attr = ret_cs->seg.attr;

    if ((attr & (X86_SEG_S | X86_SEG_CODE)) != (X86_SEG_S | X86_SEG_CODE) ||
        x86_seg_dpl(&ret_cs->seg) > d->regs.cpl) {
        return x86_delivery_raise_selector(d, X86_XCP_GP, gate->selector);
    }
    if (d->long_mode && (attr & (X86_SEG_L | X86_SEG_DB)) != X86_SEG_L) {
        return x86_delivery_raise_selector(d, X86_XCP_GP, gate->selector);
    }
    if ((attr & X86_SEG_P) == 0) {
        return x86_delivery_raise_selector(d, X86_XCP_NP, gate->selector);
    }
    return true;
}

/* SS:ESP of ring @dpl as the TSS has them, unchecked. */
static bool read_tss_stack(X86Delivery *d, unsigned dpl, uint16_t *ret_ss, uint32_t *ret_esp)
{
    const X86Seg *tr = &d->next.tr;
    unsigned type = tr->attr & X86_SEG_TYPE;
    bool is_16 = type == TYPE_TSS16 || type == TYPE_TSS16_BUSY;
    bool is_32 = type == TYPE_TSS32 || type == TYPE_TSS32_BUSY;
    unsigned size = is_16 ? 2 : 4;
    uint32_t offset = is_16 ? dpl * 4 + 2 : dpl * 8 + 4;
    uint64_t esp, ss;

    /* A TR that was never loaded is no TSS at all. */
    if ((!is_16 && !is_32) || offset + size + 1 > tr->limit) {
        return x86_delivery_raise_selector(d, X86_XCP_TS, tr->selector);
    }
    if (!x86_delivery_read(d, tr->base + offset, size, &esp) ||
        !x86_delivery_read(d, tr->base + offset + size, 2, &ss)) {
        return false;
    }
    *ret_ss = (uint16_t)ss;
    *ret_esp = (uint32_t)esp;
    return true;
}

/* The stack of inner ring @dpl. */
static bool switch_stack(X86Delivery *d, unsigned dpl, Stack *ret_stack, X86Descriptor *ret_ss)
{
    uint16_t selector;
    uint32_t esp;

    if (!read_tss_stack(d, dpl, &selector, &esp)) {
        return false;
    }
    if ((selector & 0xfffcu) == 0) {
        return x86_delivery_raise(d, X86_XCP_TS, d->ext);
    }
    if ((selector & 3u) != dpl) {
        return x86_delivery_raise_selector(d, X86_XCP_TS, selector);
    }
    if (!x86_delivery_descriptor(d, selector, X86_XCP_TS, ret_ss)) {
        return false;
    }
    const uint32_t kind = X86_SEG_S | X86_SEG_CODE | X86_SEG_WRITABLE;

    if (x86_seg_dpl(&ret_ss->seg) != dpl ||
        (ret_ss->seg.attr & kind) != (X86_SEG_S | X86_SEG_WRITABLE)) {
        return x86_delivery_raise_selector(d, X86_XCP_TS, selector);
    }
    if ((ret_ss->seg.attr & X86_SEG_P) == 0) {
        return x86_delivery_raise_selector(d, X86_XCP_SS, selector);
    }
    *ret_stack = (Stack) {
        .ss = ret_ss->seg,
        .sp = esp,
        .mask = (ret_ss->seg.attr & X86_SEG_DB) != 0 ? UINT32_MAX : UINT16_MAX,
        /* The outer ring's AC must not open user pages to this: CPL changes only afterwards. */
        .flags = X86_ACCESS_IMPLICIT_SUPERVISOR,
        .room_error = (selector & 0xfffcu) | d->ext,
    };
    return true;
}

/* Into the handler: what all protected and long-mode deliveries do last. */
static void enter(X86Delivery *d, const Gate *gate, const X86Descriptor *cs, unsigned cpl,
                  const Stack *stack)
{
    X86State *next = &d->next;
    bool interrupt_gate = gate->type == TYPE_INT16 || gate->type == TYPE_INT32;

    next->seg[X86_CS] = cs->seg;
    next->seg[X86_CS].selector = (uint16_t)((gate->selector & 0xfffcu) | cpl);
    next->rip = gate->offset;
    next->gpr[X86_RSP] = stack->sp;
    next->rflags &= ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (interrupt_gate ? FLAG_IF : 0));
    next->paging.cpl = (uint8_t)cpl;
}

static bool deliver_to_segment(X86Delivery *d, const Gate *gate, X86Descriptor *cs)
{
    X86State *next = &d->next;
    unsigned dpl = x86_seg_dpl(&cs->seg);
    bool inner = (cs->seg.attr & X86_SEG_DOWN) == 0 && dpl < d->regs.cpl;
    Stack stack = current_stack(d);
    X86Descriptor ss = { .seg = next->seg[X86_SS] };
    Frame frame = { .size = (gate->type & 8) != 0 ? 4 : 2 };

    if (inner) {
        if (!switch_stack(d, dpl, &stack, &ss)) {
            return false;
        }
        frame.values[frame.n++] = next->seg[X86_SS].selector;
        frame.values[frame.n++] = next->gpr[X86_RSP];
    }
    frame.values[frame.n++] = pushed_flags(d);
    frame.values[frame.n++] = next->seg[X86_CS].selector;
    frame.values[frame.n++] = next->rip;
    add_error_code(d, &frame);

    if (!check_room(d, &stack, &frame)) {
        return false;
    }
    if (gate->offset > cs->seg.limit) {
        return x86_delivery_raise(d, X86_XCP_GP, d->ext);
    }
    if (!push_frame(d, &stack, &frame) || !x86_delivery_mark_accessed(d, cs) ||
        (inner && !x86_delivery_mark_accessed(d, &ss))) {
        return false;
    }
    if (inner) {
        next->seg[X86_SS] = ss.seg;
    }
    enter(d, gate, cs, inner ? dpl : d->regs.cpl, &stack);
    return true;
}

static bool is_canonical(uint64_t address)
{
    uint64_t top = address >> 47;

    return top == 0 || top == 0x1ffff;
}

static bool deliver_long(X86Delivery *d, const Gate *gate, X86Descriptor *cs)
{
    X86State *next = &d->next;
    Stack stack = {
        .ss = next->seg[X86_SS],
        .sp = next->gpr[X86_RSP],
        .mask = UINT64_MAX,
        .room_error = d->ext,
    };
    Frame frame = {
        .values = { next->seg[X86_SS].selector, next->gpr[X86_RSP], pushed_flags(d),
                    next->seg[X86_CS].selector, next->rip },
        .n = 5,
        .size = 8,
    };

    add_error_code(d, &frame);
    if ((cs->seg.attr & X86_SEG_DOWN) == 0 && x86_seg_dpl(&cs->seg) < d->regs.cpl) {
        return not_supported(d, "interrupt or exception to an inner ring in long mode");
    }
    if (gate->ist != 0) {
        uint32_t offset = gate->ist * 8u + 28u;

        if (offset + 7 > next->tr.limit) {
            return x86_delivery_raise_selector(d, X86_XCP_TS, next->tr.selector);
        }
        if (!x86_delivery_read(d, next->tr.base + offset, 8, &stack.sp)) {
            return false;
        }
    }
    stack.sp &= ~UINT64_C(0xf);
    if (!is_canonical(stack.sp)) {
        return x86_delivery_raise(d, X86_XCP_SS, d->ext);
    }
    if (!is_canonical(gate->offset)) {
        return x86_delivery_raise(d, X86_XCP_GP, d->ext);
    }
    if (!push_frame(d, &stack, &frame) || !x86_delivery_mark_accessed(d, cs)) {
        return false;
    }
    enter(d, gate, cs, d->regs.cpl, &stack);
    return true;
}

static bool deliver_protected(X86Delivery *d)
{
    Gate gate;
    X86Descriptor cs;

    if (!d->long_mode && (d->next.rflags & FLAG_VM) != 0) {
        return not_supported(d, "interrupt or exception in virtual-8086 mode");
    }
    if (!read_gate(d, &gate)) {
        return false;
    }
    if (gate.type == TYPE_TASK_GATE) {
        return not_supported(d, "interrupt or exception through a task gate");
    }
    if (!read_target(d, &gate, &cs)) {
        return false;
    }
    return d->long_mode ? deliver_long(d, &gate, &cs) : deliver_to_segment(d, &gate, &cs);
}

X86DeliverResult x86_deliver(X86State *st, PgmCpu *mem, const X86Event *event, X86DeliverOut *out)
{
    X86Delivery d;

    x86_delivery_init(&d, st, mem, event);
    bool real = (st->paging.cr0 & X86_CR0_PE) == 0;

    if ((real ? deliver_real(&d) : deliver_protected(&d)) && x86_delivery_commit(&d)) {
        *st = d.next;
        st->paging.eflags = (uint32_t)st->rflags;
    }
    return x86_delivery_report(&d, st, out);
}
