/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 page-table walker: guest-virtual to guest-physical, as a plain function of registers and
 * memory. CPU core, debugger and tests use this one.
 *
 * Modes: paging off, 32-bit (with 4 MiB pages and PSE-36), PAE, 4-level with 2 MiB and 1 GiB pages.
 * Rules: NX, WP, SMEP, SMAP, reserved bits by the model's MAXPHYADDR, accessed and dirty bits,
 * error codes, canonical addresses.
 *
 * Source: Intel SDM volume 3A chapter 4 (paging).
 */
#pragma once

#include "memsys/cpu_port.h"

#pragma GCC visibility push(default)

/* What the walk depends on. */
typedef struct X86PagingRegs {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4];  /* PAE: loaded by x86_load_pdptes(), not read from memory at each walk */
    uint32_t eflags;    /* AC, for SMAP */
    uint8_t cpl;        /* 0 to 3 */
    uint8_t maxphyaddr; /* 32 to 52 */
    bool has_nx, has_pse36, has_1g; /* of the CPU model */
} X86PagingRegs;

typedef enum X86AccessFlags {
    X86_ACCESS_IMPLICIT_SUPERVISOR = 1, /* the processor's own access to GDT, LDT, IDT, TSS */
    X86_ACCESS_PEEK = 2, /* a debugger's: sets no accessed or dirty bit, ignores permissions */
} X86AccessFlags;

typedef enum X86WalkResult {
    X86_WALK_OK,
    X86_WALK_PAGE_FAULT,    /* error_code is set */
    X86_WALK_NON_CANONICAL, /* #GP or #SS, not #PF */
} X86WalkResult;

#define X86_PF_PRESENT 1u
#define X86_PF_WRITE 2u
#define X86_PF_USER 4u
#define X86_PF_RESERVED 8u
#define X86_PF_FETCH 16u

typedef struct X86Walk {
    X86WalkResult result;
    GPhys gpa;          /* of the byte; A20 not applied (the CPU port does that) */
    uint8_t page_shift; /* 12, 21, 22 or 30; 12 with paging off */
    unsigned perms; /* set of MemAccess a TLB entry for this page may hold at this privilege level
                       now: no WRITE while D is clear or the page is not writable */
    uint32_t error_code; /* PAGE_FAULT only */
    uint8_t levels;      /* tables visited */
    struct {
        GPhys entry_gpa;
        uint64_t entry;
    } level[4]; /* for reports; from the root down */
} X86Walk;

/**
 * x86_walk:
 * @access: READ, WRITE or EXEC
 *
 * Sets A in each directory entry that is present and well formed, as processors do even when the
 * walk then faults; A of the leaf, and D on WRITE, only when the access is allowed. Outside long
 * mode bits 63 to 32 of
 * @address are ignored. On failure gpa is MEM_GPHYS_NIL, page_shift and perms are 0; levels tell
 * how far it came. The mode is 4-level when EFER.LME is set (LMA follows from it).
 */
void x86_walk(const X86PagingRegs *regs, PgmCpu *mem, GVirt address, MemAccess access,
              unsigned flags, X86Walk *ret_walk);

/**
 * x86_load_pdptes:
 *
 * What MOV CR3 does in PAE mode: reads the four entries.
 *
 * Returns: false if a present one has reserved bits set (the guest gets #GP); @regs is then
 * unchanged
 */
bool x86_load_pdptes(X86PagingRegs *regs, PgmCpu *mem);

#pragma GCC visibility pop
