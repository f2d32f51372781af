/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 page-table walker. One entry at a time: present, reserved bits, rights of the path so
 * far; at the leaf the access is judged, and only then are the leaf's A and D bits touched.
 *
 * Order of the bits we set: A of a directory entry as soon as the entry is known to be present and
 * well formed, because the walk uses it to go on (real processors do so even when a lower entry
 * faults); A and D of the leaf only for an access that is allowed, so that a refused store leaves D
 * clear.
 *
 * A table in ROM, or one the host has no page for, cannot hold the bits: the walk goes on all the
 * same, as a processor whose write to ROM vanished would.
 *
 * Source: Intel SDM volume 3A, 4.1 to 4.8. 5-level paging, protection keys and shadow stacks are
 * not here.
 */
#include "emu/x86/paging.h"

#include <glib.h>

#define CR0_WP (UINT64_C(1) << 16)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_NXE (UINT64_C(1) << 11)
#define EFLAGS_AC (UINT32_C(1) << 18)

#define ENTRY_P UINT64_C(1)
#define ENTRY_RW UINT64_C(2)
#define ENTRY_US UINT64_C(4)
#define ENTRY_A UINT64_C(0x20)
#define ENTRY_D UINT64_C(0x40)
#define ENTRY_PS UINT64_C(0x80)
#define ENTRY_XD (UINT64_C(1) << 63)

/* What a large page's entry keeps below its frame: flags and, at bit 12, PAT. */
#define LARGE_LOW_BITS UINT64_C(0x1fff)

/* Bits low to high - 1, for 0 <= low <= high <= 64, low < 64. */
static uint64_t bits(unsigned low, unsigned high)
{
    uint64_t below_high = high >= 64 ? UINT64_MAX : (UINT64_C(1) << high) - 1;

    return below_high & ~((UINT64_C(1) << low) - 1);
}

/* A walk under way: the request, the rules that hold for it, and the rights of the path so far. */
typedef struct Walker {
    const X86PagingRegs *regs;
    PgmCpu *mem;
    MemAccess access;
    bool peek;
    bool implicit;
    bool user_access; /* CPL 3, and not the processor's own access to a table */
    bool nx_on;       /* XD means something */
    bool entry_is_64;
    bool path_writable, path_user, path_no_exec;
    X86Walk *walk;
} Walker;

static void page_fault(Walker *w, uint32_t cause)
{
    uint32_t code = cause;

    if (w->access == MEM_ACCESS_WRITE) {
        code |= X86_PF_WRITE;
    }
    if (w->user_access) {
        code |= X86_PF_USER;
    }
    if (w->access == MEM_ACCESS_EXEC && (w->nx_on || (w->regs->cr4 & CR4_SMEP) != 0)) {
        code |= X86_PF_FETCH;
    }
    w->walk->result = X86_WALK_PAGE_FAULT;
    w->walk->error_code = code;
}

static uint64_t read_entry(Walker *w, GPhys gpa)
{
    uint64_t entry = w->entry_is_64 ? pgm_cpu_read_u64(w->mem, gpa) : pgm_cpu_read_u32(w->mem, gpa);

    w->walk->level[w->walk->levels].entry_gpa = gpa;
    w->walk->level[w->walk->levels].entry = entry;
    w->walk->levels++;
    return entry;
}

/* Sets @set in the entry; no write if it has them all, so that clean tables stay clean. */
static void mark_entry(Walker *w, GPhys gpa, uint64_t entry, uint64_t set)
{
    if (w->peek || (entry & set) == set) {
        return;
    }
    /* The result does not matter: see the top of the file. */
    if (w->entry_is_64) {
        (void)pgm_cpu_write_u64(w->mem, gpa, entry | set);
    } else {
        (void)pgm_cpu_write_u32(w->mem, gpa, (uint32_t)(entry | set));
    }
}

/* Judges presence and form, then takes the entry's rights into the path's. */
static bool accept_entry(Walker *w, uint64_t entry, uint64_t reserved)
{
    if ((entry & ENTRY_P) == 0) {
        page_fault(w, 0);
        return false;
    }
    if ((entry & reserved) != 0) {
        page_fault(w, X86_PF_PRESENT | X86_PF_RESERVED);
        return false;
    }
    w->path_writable = w->path_writable && (entry & ENTRY_RW) != 0;
    w->path_user = w->path_user && (entry & ENTRY_US) != 0;
    w->path_no_exec = w->path_no_exec || (w->nx_on && (entry & ENTRY_XD) != 0);
    return true;
}

/* What the whole path allows this access's privilege: a set of MemAccess (SDM 4.6.1). */
static unsigned allowed_accesses(const Walker *w)
{
    const X86PagingRegs *regs = w->regs;
    bool read = true;
    bool write = w->path_writable;
    bool exec = !w->path_no_exec;

    if (w->user_access) {
        if (!w->path_user) {
            return 0;
        }
    } else {
        write = write || (regs->cr0 & CR0_WP) == 0;
        if (w->path_user && (regs->cr4 & CR4_SMAP) != 0 &&
            (w->implicit || (regs->eflags & EFLAGS_AC) == 0)) {
            read = write = false;
        }
        if (w->path_user && (regs->cr4 & CR4_SMEP) != 0) {
            exec = false;
        }
    }
    return (read ? MEM_ACCESS_READ : 0u) | (write ? MEM_ACCESS_WRITE : 0u) |
           (exec ? MEM_ACCESS_EXEC : 0u);
}

/* The entry maps a page at @frame: the last step of every walk. */
static void finish(Walker *w, GPhys entry_gpa, uint64_t entry, GPhys frame, unsigned shift,
                   GVirt address)
{
    unsigned allowed = allowed_accesses(w);

    if (!w->peek && (allowed & w->access) == 0) {
        page_fault(w, X86_PF_PRESENT);
        return;
    }
    bool store = w->access == MEM_ACCESS_WRITE && !w->peek;

    mark_entry(w, entry_gpa, entry, store ? ENTRY_A | ENTRY_D : ENTRY_A);
    if ((entry & ENTRY_D) == 0 && !store) {
        allowed &= ~(unsigned)MEM_ACCESS_WRITE; /* the first store has to come back and set D */
    }
    w->walk->result = X86_WALK_OK;
    w->walk->gpa = frame | (address & bits(0, shift));
    w->walk->page_shift = (uint8_t)shift;
    w->walk->perms = allowed;
}

/* Reserved bits and frame of a 4 MiB page: bits 20 to 13 hold address bits 39 to 32 (PSE-36). */
static uint64_t reserved_4m(const X86PagingRegs *regs)
{
    unsigned width = regs->has_pse36 ? MIN(40u, regs->maxphyaddr) : 32u;

    return bits(width - 19, 22);
}

static GPhys frame_4m(uint64_t entry)
{
    return (entry & bits(22, 32)) | (entry & bits(13, 21)) << 19;
}

static void walk_32bit(Walker *w, GVirt address)
{
    const X86PagingRegs *regs = w->regs;

    w->entry_is_64 = false;

    GPhys pde_gpa = (regs->cr3 & bits(12, 32)) | (address >> 22 & 0x3ff) << 2;
    uint64_t pde = read_entry(w, pde_gpa);
    bool large = (pde & ENTRY_PS) != 0 && (regs->cr4 & CR4_PSE) != 0;

    if (!accept_entry(w, pde, large ? reserved_4m(regs) : 0)) {
        return;
    }
    if (large) {
        finish(w, pde_gpa, pde, frame_4m(pde), 22, address);
        return;
    }
    mark_entry(w, pde_gpa, pde, ENTRY_A);

    GPhys pte_gpa = (pde & bits(12, 32)) | (address >> 12 & 0x3ff) << 2;
    uint64_t pte = read_entry(w, pte_gpa);

    if (accept_entry(w, pte, 0)) {
        finish(w, pte_gpa, pte, pte & bits(12, 32), 12, address);
    }
}

/* Whether an entry that covers 1 << @shift bytes may map them itself. */
static bool may_be_large(const X86PagingRegs *regs, unsigned shift)
{
    return shift == 21 || (shift == 30 && regs->has_1g);
}

/* Tables of 512 entries of 8 bytes, from the one at @table whose entries cover 1 << @shift bytes.
 */
static void walk_64bit_entries(Walker *w, GVirt address, GPhys table, unsigned shift,
                               uint64_t reserved)
{
    const X86PagingRegs *regs = w->regs;

    for (;;) {
        GPhys entry_gpa = table | (address >> shift & 0x1ff) << 3;
        uint64_t entry = read_entry(w, entry_gpa);
        bool leaf = shift == 12;
        uint64_t also_reserved = 0;

        if (shift > 12 && (entry & ENTRY_PS) != 0) {
            leaf = may_be_large(regs, shift);
            also_reserved = leaf ? bits(0, shift) & ~LARGE_LOW_BITS : ENTRY_PS;
        }
        if (!accept_entry(w, entry, reserved | also_reserved)) {
            return;
        }
        if (leaf) {
            finish(w, entry_gpa, entry, entry & bits(shift, 52), shift, address);
            return;
        }
        mark_entry(w, entry_gpa, entry, ENTRY_A);
        table = entry & bits(12, 52);
        shift -= 9;
    }
}

static void walk_pae(Walker *w, GVirt address)
{
    const X86PagingRegs *regs = w->regs;
    unsigned index = address >> 30 & 3;
    uint64_t pdpte = regs->pdpte[index];
    uint64_t reserved = bits(regs->maxphyaddr, 63) | (w->nx_on ? 0 : ENTRY_XD);

    w->walk->level[0].entry_gpa = (regs->cr3 & bits(5, 32)) | index << 3;
    w->walk->level[0].entry = pdpte;
    w->walk->levels = 1;
    /* Its other bits were checked as it was loaded; it has no R/W, U/S or A. */
    if ((pdpte & ENTRY_P) == 0) {
        page_fault(w, 0);
        return;
    }
    walk_64bit_entries(w, address, pdpte & bits(12, 52), 21, reserved);
}

static void walk_4level(Walker *w, GVirt address)
{
    const X86PagingRegs *regs = w->regs;
    uint64_t top = address >> 47;

    if (top != 0 && top != 0x1ffff) {
        w->walk->result = X86_WALK_NON_CANONICAL;
        return;
    }
    /* Bits 62 to 52 are the guest's own here, unlike in PAE. */
    uint64_t reserved = bits(regs->maxphyaddr, 52) | (w->nx_on ? 0 : ENTRY_XD);

    walk_64bit_entries(w, address, regs->cr3 & bits(12, 52), 39, reserved);
}

void x86_walk(const X86PagingRegs *regs, PgmCpu *mem, GVirt address, MemAccess access,
              unsigned flags, X86Walk *ret_walk)
{
    bool pae = (regs->cr4 & CR4_PAE) != 0;
    bool implicit = (flags & X86_ACCESS_IMPLICIT_SUPERVISOR) != 0;
    Walker w = {
        .regs = regs,
        .mem = mem,
        .access = access,
        .peek = (flags & X86_ACCESS_PEEK) != 0,
        .implicit = implicit,
        .user_access = regs->cpl == 3 && !implicit,
        .nx_on = pae && regs->has_nx && (regs->efer & EFER_NXE) != 0,
        .entry_is_64 = true,
        .path_writable = true,
        .path_user = true,
        .walk = ret_walk,
    };

    g_assert(access == MEM_ACCESS_READ || access == MEM_ACCESS_WRITE || access == MEM_ACCESS_EXEC);
    *ret_walk = (X86Walk) { .gpa = MEM_GPHYS_NIL };

    if ((regs->cr0 & CR0_PG) == 0) {
        ret_walk->gpa = address & bits(0, 32);
        ret_walk->page_shift = MEM_PAGE_SHIFT;
        ret_walk->perms = MEM_ACCESS_READ | MEM_ACCESS_WRITE | MEM_ACCESS_EXEC;
        return;
    }
    g_assert(regs->maxphyaddr >= 32 && regs->maxphyaddr <= 52);

    if (!pae) {
        walk_32bit(&w, address & bits(0, 32));
    } else if ((regs->efer & EFER_LME) == 0) {
        walk_pae(&w, address & bits(0, 32));
    } else {
        walk_4level(&w, address);
    }
}

bool x86_load_pdptes(X86PagingRegs *regs, PgmCpu *mem)
{
    uint64_t reserved = bits(1, 3) | bits(5, 9) | bits(regs->maxphyaddr, 64);
    uint64_t loaded[4];

    g_assert(regs->maxphyaddr >= 32 && regs->maxphyaddr <= 52);
    for (unsigned i = 0; i < G_N_ELEMENTS(loaded); i++) {
        loaded[i] = pgm_cpu_read_u64(mem, (regs->cr3 & bits(5, 32)) | i << 3);
        if ((loaded[i] & ENTRY_P) != 0 && (loaded[i] & reserved) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(loaded); i++) {
        regs->pdpte[i] = loaded[i];
    }
    return true;
}
