/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One delivery under way: what its steps share. A step returns false when the delivery ends there;
 * the reason then stands in the X86Delivery. Registers and memory are changed only after all steps
 * have succeeded: `next` becomes the state, the staged writes go to memory.
 */
#pragma once

#include "emu/x86/deliver.h"

/* Six pushes, the accessed bits of CS and SS; each may lie across two pages. */
#define X86_MAX_STAGED 16

enum {
    X86_XCP_DF = 8,
    X86_XCP_TS = 10,
    X86_XCP_NP = 11,
    X86_XCP_SS = 12,
    X86_XCP_GP = 13,
    X86_XCP_PF = 14
};

#define X86_CR0_PE UINT64_C(1)
#define X86_CR0_PG (UINT64_C(1) << 31)
#define X86_EFER_LME (UINT64_C(1) << 8)
#define X86_SELECTOR_TI 4u

typedef struct X86StagedWrite {
    GPhys gpa;
    uint64_t value;
    uint8_t len; /* 1 to 8, within one page */
} X86StagedWrite;

/* A code or data descriptor as found in a table. */
typedef struct X86Descriptor {
    X86Seg seg;
    GVirt address; /* linear, of its first byte */
} X86Descriptor;

typedef struct X86Delivery {
    X86State next;
    X86PagingRegs regs; /* as before the event: privilege and AC of every access of the delivery */
    PgmCpu *mem;
    X86Event event;
    bool long_mode;
    uint32_t ext; /* EXT, bit 0 of the error codes of nested faults */

    X86StagedWrite staged[X86_MAX_STAGED];
    unsigned n_staged;

    X86DeliverResult result;
    uint8_t fault_vector;
    bool fault_has_error;
    uint32_t fault_error;
    uint64_t fault_address; /* #PF */
    const char *text;
} X86Delivery;

void x86_delivery_init(X86Delivery *d, const X86State *st, PgmCpu *mem, const X86Event *event);

/* Notes a nested fault that ends the delivery. */
void x86_delivery_set_fault(X86Delivery *d, uint8_t vector, uint32_t error);

/* What the caller of a public function is told. */
X86DeliverResult x86_delivery_report(const X86Delivery *d, X86State *st, X86DeliverOut *out);

/* Reads @len (1 to 8) bytes of a table of the processor's own: supervisor rights at any CPL. */
bool x86_delivery_read(X86Delivery *d, GVirt address, unsigned len, uint64_t *ret_value);

/**
 * x86_delivery_stage:
 * @flags: X86AccessFlags
 * @vector: raised for a non-canonical address
 *
 * Checks that @len bytes may be written, sets A and D, and keeps the write for
 * x86_delivery_commit().
 */
bool x86_delivery_stage(X86Delivery *d, GVirt address, unsigned len, uint64_t value, unsigned flags,
                        uint8_t vector);

/* Performs the staged writes in order; false only with X86_DELIVER_NO_MEMORY. */
bool x86_delivery_commit(X86Delivery *d);

/* @vector is raised with the selector if it lies outside its table. Null is the caller's to refuse.
 */
bool x86_delivery_descriptor(X86Delivery *d, uint16_t selector, uint8_t vector,
                             X86Descriptor *ret_descriptor);

/* Sets the accessed bit of a descriptor that is about to be loaded, in @desc and (staged) in its
 * table. */
bool x86_delivery_mark_accessed(X86Delivery *d, X86Descriptor *desc);

static inline unsigned x86_seg_dpl(const X86Seg *seg)
{
    return seg->attr >> X86_SEG_DPL_SHIFT & 3;
}

static inline bool x86_is_long_mode(const X86PagingRegs *regs)
{
    return (regs->efer & X86_EFER_LME) != 0 && (regs->cr0 & X86_CR0_PG) != 0;
}

/* For "return x86_delivery_raise(...)"; inline so that compilers see the false. */
static inline bool x86_delivery_raise(X86Delivery *d, uint8_t vector, uint32_t error)
{
    x86_delivery_set_fault(d, vector, error);
    return false;
}

static inline bool x86_delivery_raise_selector(X86Delivery *d, uint8_t vector, uint16_t selector)
{
    return x86_delivery_raise(d, vector, (selector & 0xfffcu) | d->ext);
}
