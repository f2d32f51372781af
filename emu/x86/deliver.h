/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt and exception delivery as a plain function of registers and memory: reads the IDT,
 * checks the gate, switches stacks, pushes the frame. The engine delivers nothing by itself; the
 * run loop reads the registers into an X86State, calls x86_deliver_with_escalation() and writes
 * them back.
 *
 * Modes: real mode; 16-bit and 32-bit protected mode with interrupt and trap gates, same ring or
 * inner ring; long mode at the same ring, IST included. V86 mode, task gates and ring changes in
 * long mode are answered with X86_DELIVER_NOT_SUPPORTED and a text.
 *
 * Source: Intel SDM volume 2A "INT n", volume 3A chapters 5 and 6, 20.1.4 (real mode).
 */
#pragma once

#include "emu/x86/paging.h"

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* In the order instructions encode them. */
enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_N_GPR = 16 };
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_N_SEG };

/* Bits of X86Seg.attr: bits 40 to 55 of a descriptor with the limit's four bits cleared. */
#define X86_SEG_TYPE \
    0x000fu /* of a code or data segment: the four bits below; else the system type */
#define X86_SEG_ACCESSED 0x0001u
#define X86_SEG_WRITABLE 0x0002u /* data; for code: readable */
#define X86_SEG_DOWN 0x0004u     /* data: expand-down; for code: conforming */
#define X86_SEG_CODE 0x0008u
#define X86_SEG_S 0x0010u /* code or data, not a system segment */
#define X86_SEG_DPL_SHIFT 5
#define X86_SEG_P 0x0080u
#define X86_SEG_AVL 0x1000u
#define X86_SEG_L 0x2000u
#define X86_SEG_DB 0x4000u
#define X86_SEG_G 0x8000u

/* A segment register with its hidden part. */
typedef struct X86Seg {
    uint16_t selector;
    uint64_t base;
    uint32_t
        limit; /* last byte (first invalid byte - 1), G already applied: 0xffffffff for 4 GiB */
    uint32_t attr;
} X86Seg;

typedef struct X86Table {
    uint64_t base;
    uint32_t limit;
} X86Table;

/* CR0, CR3, CR4, EFER and the privilege level are in @paging. paging.eflags need not be set: it is
 * taken from rflags, and follows it. */
typedef struct X86State {
    uint64_t gpr[X86_N_GPR];
    uint64_t rip, rflags;
    X86Seg seg[X86_N_SEG];
    X86Seg ldtr, tr;
    X86Table gdtr, idtr;
    uint64_t cr2;
    X86PagingRegs paging;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
} X86State;

typedef enum X86EventKind {
    X86_EVENT_EXTERNAL,     /* INTR or NMI */
    X86_EVENT_SOFTWARE_INT, /* INT n, INT3, INTO: the gate's DPL is checked */
    X86_EVENT_EXCEPTION,    /* everything the processor raises, INT1 too */
} X86EventKind;

typedef struct X86Event {
    uint8_t vector;
    X86EventKind kind;
    bool has_error; /* push @error; ignored in real mode */
    uint32_t error;
    uint8_t insn_len; /* SOFTWARE_INT: bytes of the instruction. State's rip is past it; a fault
                         in its delivery is reported at rip - insn_len */
} X86Event;

typedef enum X86DeliverResult {
    X86_DELIVER_OK,
    X86_DELIVER_FAULT,  /* x86_deliver() only: delivery itself raised the exception in @out */
    X86_DELIVER_TRIPLE, /* x86_deliver_with_escalation() only: the processor shuts down */
    X86_DELIVER_NOT_SUPPORTED, /* out->text says what */
    X86_DELIVER_NO_MEMORY,     /* the host had no page for the frame: stop, free some, call again */
} X86DeliverResult;

typedef struct X86DeliverOut {
    uint8_t vector; /* FAULT: what was raised. Else: what was delivered, or was under way, last */
    bool has_error;
    uint32_t error;
    unsigned n_events; /* escalation: deliveries tried, 1 for a smooth one */
    const char *text;  /* NOT_SUPPORTED, TRIPLE: static text, one line; else %NULL */
} X86DeliverOut;

/**
 * x86_deliver:
 * @st: rip is what the frame shall show: the instruction for a fault, the next one for all else
 * @out: always written
 *
 * One delivery. All bytes of the frame are checked before the first is written. Faults push RF set.
 *
 * Returns: OK and @st is in the handler; else @st is unchanged, except that cr2 holds the address
 * if a #PF is reported (error-code bit 0, EXT, is set as the kind of event asks)
 */
X86DeliverResult x86_deliver(X86State *st, PgmCpu *mem, const X86Event *event, X86DeliverOut *out);

/**
 * x86_deliver_with_escalation:
 *
 * Delivers @event, or the fault its delivery raises, or #DF, until one arrives or a fault in #DF's
 * delivery shuts the processor down. @st as for x86_deliver().
 *
 * Returns: OK, TRIPLE, NOT_SUPPORTED or NO_MEMORY
 */
X86DeliverResult x86_deliver_with_escalation(X86State *st, PgmCpu *mem, const X86Event *event,
                                             X86DeliverOut *out);

/**
 * x86_load_segment:
 * @selector: its index and table bit count; RPL is kept in ret_seg->selector
 *
 * Reads the descriptor through the guest's GDT or LDT. Checks that it lies within the table,
 * nothing else: type, DPL and P are the caller's to judge from ret_seg->attr. The accessed bit is
 * not set. The base is 32 bits wide (16-byte system descriptors of long mode give their low half).
 *
 * Returns: OK; FAULT with #GP(selector) for a null selector (error 0) or one outside its table, #PF
 *   (cr2 then set) for a table that is not mapped
 */
X86DeliverResult x86_load_segment(X86State *st, PgmCpu *mem, uint16_t selector, X86Seg *ret_seg,
                                  X86DeliverOut *out);

/* The register form of a descriptor: base, limit with G applied, attr. */
X86Seg x86_decode_descriptor(uint16_t selector, uint64_t descriptor);

/**
 * x86_sysenter:
 *
 * What SYSENTER does to the registers. No memory is touched.
 *
 * Returns: OK; FAULT with #GP(0) in real mode or when SYSENTER_CS is null (@st is unchanged)
 */
X86DeliverResult x86_sysenter(X86State *st, X86DeliverOut *out);

/* "#GP general protection" and the like, "interrupt" from 32 on; static text. */
const char *x86_exception_name(uint8_t vector);

#pragma GCC visibility pop
