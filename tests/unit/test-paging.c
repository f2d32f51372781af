/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-table walker, case by case: each mode and page size, each way to be refused with its
 * error code, and which A and D bits are set by then. tests/model/test-paging-naive.c compares with
 * a second walker.
 */
#include "emu/x86/paging.h"

#include "memsys/access.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Tables of the guest, one page each, in the order of a walk, and the page they lead to. */
#define T0 UINT64_C(0x10000)
#define T1 UINT64_C(0x11000)
#define T2 UINT64_C(0x12000)
#define T3 UINT64_C(0x13000)
#define DATA UINT64_C(0x345000)
#define RAM_SIZE (UINT64_C(4) << 20)

#define R MEM_ACCESS_READ
#define W MEM_ACCESS_WRITE
#define X MEM_ACCESS_EXEC
#define IMPLICIT X86_ACCESS_IMPLICIT_SUPERVISOR
#define PEEK X86_ACCESS_PEEK

/* Entry bits: read-only or read-write, supervisor or user; all of them present. */
#define P UINT64_C(1)
#define RO_U UINT64_C(5)
#define RW_S UINT64_C(3)
#define RW_U UINT64_C(7)
#define A UINT64_C(0x20)
#define D UINT64_C(0x40)
#define PS UINT64_C(0x80)
#define G UINT64_C(0x100)
#define PAT_LARGE UINT64_C(0x1000)
#define XD (UINT64_C(1) << 63)

#define CR0_PG_PE UINT64_C(0x80000001)
#define WP UINT64_C(0x10000)
#define PSE UINT64_C(0x10)
#define PAE UINT64_C(0x20)
#define SMEP UINT64_C(0x100000)
#define SMAP UINT64_C(0x200000)
#define LME UINT64_C(0x500) /* LMA with it */
#define NXE UINT64_C(0x800)
#define AC UINT32_C(0x40000)

typedef enum Mode { M32, MPAE, M4 } Mode;

/* A linear address that takes another index at each level, in every mode. */
#define LA32 UINT64_C(0x80c05678)
#define LA4 UINT64_C(0xffff9234567ab678)

static Gmm *gmm;
static Pgm *pgm;
static PgmCpu *cpu;
static const PgmCpuCallbacks no_callbacks;
static X86PagingRegs regs;

static void setup(void)
{
    gmm = gmm_new(64 << 20, NULL);
    ck_assert_ptr_nonnull(gmm);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, RAM_SIZE, "ram", NULL), MEM_OK);
    cpu = pgm_cpu_attach(pgm, &no_callbacks, NULL);
}

static void teardown(void)
{
    pgm_cpu_detach(cpu);
    pgm_free(pgm);
    gmm_free(gmm);
}

static void set_mode(Mode mode)
{
    regs = (X86PagingRegs) {
        .cr0 = CR0_PG_PE,
        .cr3 = T0,
        .cr4 = mode == M32 ? PSE : PAE,
        .efer = mode == M4 ? LME : 0,
        .maxphyaddr = 40,
        .has_nx = true,
        .has_pse36 = true,
        .has_1g = true,
    };
}

static GPhys entry_address(Mode mode, GVirt la, unsigned level)
{
    static const unsigned first_shift[] = { 22, 30, 39 };
    GPhys table = T0 + level * 0x1000;
    unsigned shift = first_shift[mode] - level * (mode == M32 ? 10 : 9);

    if (mode == M32) {
        return table + (la >> shift & 0x3ff) * 4;
    }
    return table + (la >> shift & (mode == MPAE && level == 0 ? 3 : 0x1ff)) * 8;
}

static void put_entries(Mode mode, GVirt la, const uint64_t entries[4])
{
    for (unsigned i = 0; i < 4 && (i < 2 || mode != M32); i++) {
        if (mode == M32) {
            pgm_write_u32(pgm, entry_address(mode, la, i), (uint32_t)entries[i]);
        } else {
            pgm_write_u64(pgm, entry_address(mode, la, i), entries[i]);
        }
    }
    if (mode == MPAE) {
        ck_assert(x86_load_pdptes(&regs, cpu));
    }
}

static uint64_t get_entry(Mode mode, GVirt la, unsigned level)
{
    GPhys at = entry_address(mode, la, level);

    return mode == M32 ? pgm_read_u32(pgm, at) : pgm_read_u64(pgm, at);
}

static X86Walk walk(GVirt la, MemAccess access, unsigned flags)
{
    X86Walk out;

    memset(&out, 0xcc, sizeof(out));
    x86_walk(&regs, cpu, la, access, flags, &out);
    return out;
}

/*
 * One case. The tables hold `entries` (from the root down, PAE: PDPTE first); afterwards `set` has
 * been added to them. On success `shift` and `perms` are as given and the address is checked by its
 * own test; else `error` is.
 */
typedef struct Case {
    const char *what;
    Mode mode;
    uint64_t cr0, cr4, efer; /* added */
    uint32_t eflags;
    uint8_t cpl;
    unsigned flags;
    MemAccess access;
    uint64_t entries[4];
    X86WalkResult result;
    uint32_t error;
    uint8_t shift;
    unsigned perms;
    uint64_t set[4];
} Case;

#define OK X86_WALK_OK
#define PF X86_WALK_PAGE_FAULT

/* clang-format off */
static const Case cases[] = {
    /* ---- 32-bit: pages of 4 KiB and 4 MiB ---- */
    { "32: user read", M32, .cpl = 3, .access = R, .entries = { T1 | RW_U, DATA | RW_U },
      OK, 0, 12, R | X, { A, A } },
    { "32: user write sets D and may be cached", M32, .cpl = 3, .access = W,
      .entries = { T1 | RW_U, DATA | RW_U }, OK, 0, 12, R | W | X, { A, A | D } },
    { "32: read of a dirty page may cache W", M32, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, DATA | RW_U | A | D }, OK, 0, 12, R | W | X, { A, 0 } },
    { "32: PDE not present", M32, .cpl = 0, .access = R, .entries = { T1 | 6, DATA | RW_U },
      PF, 0, 0, 0, { 0 } },
    { "32: PTE not present, A of the PDE stays", M32, .cpl = 0, .access = W,
      .entries = { T1 | RW_U, DATA | 6 }, PF, X86_PF_WRITE, 0, 0, { A, 0 } },
    { "32: user bit in the code of a missing page", M32, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, 0 }, PF, X86_PF_USER, 0, 0, { A, 0 } },
    { "32: fetch from a missing page has no I/D without SMEP or NXE", M32, .cpl = 3, .access = X,
      .entries = { T1 | RW_U, 0 }, PF, X86_PF_USER, 0, 0, { A, 0 } },
    { "32: fetch has I/D with SMEP", M32, .cr4 = SMEP, .cpl = 3, .access = X,
      .entries = { T1 | RW_U, 0 }, PF, X86_PF_USER | X86_PF_FETCH, 0, 0, { A, 0 } },
    { "32: fetch has no I/D for NXE without PAE", M32, .efer = NXE, .cpl = 3, .access = X,
      .entries = { T1 | RW_U, 0 }, PF, X86_PF_USER, 0, 0, { A, 0 } },
    { "32: user at a supervisor PTE", M32, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, DATA | RW_S }, PF, X86_PF_PRESENT | X86_PF_USER, 0, 0, { A, 0 } },
    { "32: user at a supervisor PDE", M32, .cpl = 3, .access = R,
      .entries = { T1 | RW_S, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_USER, 0, 0, { A, 0 } },
    { "32: user write to a read-only PTE leaves A and D", M32, .cpl = 3, .access = W,
      .entries = { T1 | RW_U, DATA | RO_U }, PF, X86_PF_PRESENT | X86_PF_USER | X86_PF_WRITE, 0, 0,
      { A, 0 } },
    { "32: user write below a read-only PDE", M32, .cpl = 3, .access = W,
      .entries = { T1 | RO_U, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_USER | X86_PF_WRITE, 0, 0,
      { A, 0 } },
    { "32: supervisor may write read-only pages without WP", M32, .cpl = 0, .access = W,
      .entries = { T1 | RW_U, DATA | RO_U }, OK, 0, 12, R | W | X, { A, A | D } },
    { "32: but not with WP", M32, .cr0 = WP, .cpl = 0, .access = W,
      .entries = { T1 | RW_U, DATA | RO_U }, PF, X86_PF_PRESENT | X86_PF_WRITE, 0, 0, { A, 0 } },
    { "32: rings 1 and 2 are supervisors", M32, .cpl = 2, .access = W,
      .entries = { T1 | RW_S, DATA | RW_S }, OK, 0, 12, R | W | X, { A, A | D } },
    { "32: W is not cached where WP forbids it", M32, .cr0 = WP, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, DATA | RO_U | D }, OK, 0, 12, R | X, { A, A } },
    { "32: W is not cached for the user of a read-only page", M32, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, DATA | RO_U | D }, OK, 0, 12, R | X, { A, A } },
    { "32: implicit access from ring 3 is the supervisor's", M32, .cpl = 3, .flags = IMPLICIT,
      .access = R, .entries = { T1 | RW_S, DATA | RW_S }, OK, 0, 12, R | X, { A, A } },
    { "32: and its error code says so", M32, .cpl = 3, .flags = IMPLICIT, .access = W,
      .entries = { T1 | RW_S, 0 }, PF, X86_PF_WRITE, 0, 0, { A, 0 } },
    { "32: bit 7 of a PTE is PAT", M32, .cpl = 0, .access = R,
      .entries = { T1 | RW_S, DATA | RW_S | PS }, OK, 0, 12, R | X, { A, A } },
    { "32: PS means nothing without PSE", M32, .cr4 = PSE /* toggled off below */, .cpl = 0,
      .access = R, .entries = { T1 | RW_S | PS, DATA | RW_S }, OK, 0, 12, R | X, { A, A } },
    { "32: 4 MiB page", M32, .cpl = 3, .access = W, .entries = { 0x400000 | RW_U | PS },
      OK, 0, 22, R | W | X, { A | D } },
    { "32: 4 MiB page: PAT at bit 12 is not reserved", M32, .cpl = 3, .access = R,
      .entries = { 0x400000 | RW_U | PS | PAT_LARGE }, OK, 0, 22, R | X, { A } },
    { "32: 4 MiB page: bit 21 is reserved", M32, .cpl = 3, .access = R,
      .entries = { 0x600000 | RW_U | PS }, PF, X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_USER, 0, 0,
      { 0 } },
    { "32: reserved goes before rights", M32, .cpl = 3, .access = W,
      .entries = { 0x600000 | P | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_USER | X86_PF_WRITE, 0, 0, { 0 } },
    { "32: not present goes before reserved", M32, .cpl = 3, .access = R,
      .entries = { 0x600000 | 6 | PS }, PF, X86_PF_USER, 0, 0, { 0 } },
    { "32: peek sets nothing and asks nothing", M32, .cpl = 3, .flags = PEEK, .access = W,
      .entries = { T1 | P, DATA | P }, OK, 0, 12, 0, { 0 } },
    { "32: peek still tells of absence", M32, .cpl = 3, .flags = PEEK, .access = R,
      .entries = { T1 | P, DATA }, PF, X86_PF_USER, 0, 0, { 0 } },
    { "32: SMEP forbids the supervisor user code", M32, .cr4 = SMEP, .cpl = 0, .access = X,
      .entries = { T1 | RW_U, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_FETCH, 0, 0, { A, 0 } },
    { "32: SMEP and one supervisor level: no user page", M32, .cr4 = SMEP, .cpl = 0, .access = X,
      .entries = { T1 | RW_S, DATA | RW_U }, OK, 0, 12, R | X, { A, A } },
    { "32: SMEP is nothing to the user", M32, .cr4 = SMEP, .cpl = 3, .access = X,
      .entries = { T1 | RW_U, DATA | RW_U }, OK, 0, 12, R | X, { A, A } },
    { "32: SMEP takes X from what a read may cache", M32, .cr4 = SMEP, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, DATA | RW_U }, OK, 0, 12, R, { A, A } },
    { "32: SMAP forbids the supervisor user data", M32, .cr4 = SMAP, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, DATA | RW_U }, PF, X86_PF_PRESENT, 0, 0, { A, 0 } },
    { "32: SMAP forbids writes, with WP clear too", M32, .cr4 = SMAP, .cpl = 0, .access = W,
      .entries = { T1 | RW_U, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_WRITE, 0, 0, { A, 0 } },
    { "32: SMAP is lifted by AC", M32, .cr4 = SMAP, .eflags = AC, .cpl = 0, .access = W,
      .entries = { T1 | RW_U, DATA | RW_U }, OK, 0, 12, R | W | X, { A, A | D } },
    { "32: but not for implicit accesses", M32, .cr4 = SMAP, .eflags = AC, .cpl = 3,
      .flags = IMPLICIT, .access = R, .entries = { T1 | RW_U, DATA | RW_U },
      PF, X86_PF_PRESENT, 0, 0, { A, 0 } },
    { "32: SMAP says nothing of fetches", M32, .cr4 = SMAP, .cpl = 0, .access = X,
      .entries = { T1 | RW_U, DATA | RW_U }, OK, 0, 12, X, { A, A } },
    { "32: SMAP says nothing of supervisor pages", M32, .cr4 = SMAP, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, DATA | RW_S }, OK, 0, 12, R | X, { A, A } },

    /* ---- PAE: the PDPTE has no rights, no A ---- */
    { "PAE: 4 KiB page", MPAE, .cpl = 3, .access = W,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U }, OK, 0, 12, R | W | X, { 0, A, A | D } },
    { "PAE: PDPTE not present", MPAE, .cpl = 3, .access = R,
      .entries = { T1, T2 | RW_U, DATA | RW_U }, PF, X86_PF_USER, 0, 0, { 0 } },
    { "PAE: PDE not present", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | 6, DATA | RW_U }, PF, 0, 0, 0, { 0 } },
    { "PAE: PTE not present", MPAE, .cpl = 0, .access = W,
      .entries = { T1 | P, T2 | RW_U, DATA | 6 }, PF, X86_PF_WRITE, 0, 0, { 0, A, 0 } },
    { "PAE: XD is reserved without NXE", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | XD }, PF, X86_PF_PRESENT | X86_PF_RESERVED, 0, 0,
      { 0, A, 0 } },
    { "PAE: XD of the PDE is reserved without NXE", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U | XD, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_RESERVED, 0, 0,
      { 0 } },
    { "PAE: XD forbids fetches", MPAE, .efer = NXE, .cpl = 0, .access = X,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | XD }, PF, X86_PF_PRESENT | X86_PF_FETCH, 0, 0,
      { 0, A, 0 } },
    { "PAE: XD of the PDE forbids fetches", MPAE, .efer = NXE, .cpl = 3, .access = X,
      .entries = { T1 | P, T2 | RW_U | XD, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_FETCH | X86_PF_USER, 0, 0, { 0, A, 0 } },
    { "PAE: XD takes X from what a read may cache", MPAE, .efer = NXE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | XD }, OK, 0, 12, R, { 0, A, A } },
    { "PAE: fetch from a missing page has I/D with NXE", MPAE, .efer = NXE, .cpl = 0, .access = X,
      .entries = { T1 | P, T2 | RW_U, 0 }, PF, X86_PF_FETCH, 0, 0, { 0, A, 0 } },
    { "PAE: bit 40 is reserved at 40 bits", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | UINT64_C(1) << 40 }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { 0, A, 0 } },
    { "PAE: bit 62 is reserved", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | UINT64_C(1) << 62 }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { 0, A, 0 } },
    { "PAE: 2 MiB page, PS needs no PSE", MPAE, .cpl = 3, .access = W,
      .entries = { T1 | P, 0x200000 | RW_U | PS }, OK, 0, 21, R | W | X, { 0, A | D } },
    { "PAE: 2 MiB page: PAT is not reserved", MPAE, .cpl = 3, .access = R,
      .entries = { T1 | P, 0x200000 | RW_U | PS | PAT_LARGE }, OK, 0, 21, R | X, { 0, A } },
    { "PAE: 2 MiB page: bit 13 is reserved", MPAE, .cpl = 3, .access = R,
      .entries = { T1 | P, 0x202000 | RW_U | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_USER, 0, 0, { 0 } },
    { "PAE: 2 MiB page: bit 20 is reserved", MPAE, .cpl = 3, .access = R,
      .entries = { T1 | P, 0x300000 | RW_U | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_USER, 0, 0, { 0 } },
    { "PAE: bit 7 of a PTE is PAT", MPAE, .cpl = 0, .access = R,
      .entries = { T1 | P, T2 | RW_U, DATA | RW_U | PS }, OK, 0, 12, R | X, { 0, A, A } },

    /* ---- 4-level ---- */
    { "4: 4 KiB page", M4, .cpl = 3, .access = W,
      .entries = { T1 | RW_U, T2 | RW_U, T3 | RW_U, DATA | RW_U }, OK, 0, 12, R | W | X,
      { A, A, A, A | D } },
    { "4: PML4E not present", M4, .cpl = 3, .access = R,
      .entries = { T1 | 6, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF, X86_PF_USER, 0, 0, { 0 } },
    { "4: PDPTE not present", M4, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, T2 | 6, T3 | RW_U, DATA | RW_U }, PF, X86_PF_USER, 0, 0, { A } },
    { "4: PDE not present", M4, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, T3 | 6, DATA | RW_U }, PF, X86_PF_USER, 0, 0, { A, A } },
    { "4: PTE not present", M4, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, T3 | RW_U, DATA | 6 }, PF, X86_PF_USER, 0, 0, { A, A, A } },
    { "4: user at a supervisor PML4E", M4, .cpl = 3, .access = R,
      .entries = { T1 | RW_S, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF, X86_PF_PRESENT | X86_PF_USER,
      0, 0, { A, A, A } },
    { "4: user write below a read-only PDPTE", M4, .cpl = 3, .access = W,
      .entries = { T1 | RW_U, T2 | RO_U, T3 | RW_U, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_USER | X86_PF_WRITE, 0, 0, { A, A, A } },
    { "4: XD of the PML4E forbids fetches", M4, .efer = NXE, .cpl = 0, .access = X,
      .entries = { T1 | RW_U | XD, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_FETCH, 0, 0, { A, A, A } },
    { "4: XD of the PML4E is reserved without NXE", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U | XD, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { 0 } },
    { "4: PS of a PML4E is reserved", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U | PS, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { 0 } },
    { "4: bits 62 to 52 are the guest's own", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U | UINT64_C(0x7ff) << 52, T2 | RW_U, T3 | RW_U,
                   DATA | RW_U | UINT64_C(0x7ff) << 52 }, OK, 0, 12, R | X, { A, A, A, A } },
    { "4: bit 51 is reserved at 40 bits", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, T3 | RW_U | UINT64_C(1) << 51, DATA | RW_U }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { A, A } },
    { "4: 2 MiB page", M4, .cpl = 3, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, 0x200000 | RW_U | PS | PAT_LARGE | G }, OK, 0, 21, R | X,
      { A, A, A } },
    { "4: 2 MiB page: bit 13 is reserved", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, 0x202000 | RW_U | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { A, A } },
    { "4: 1 GiB page", M4, .cpl = 3, .access = W,
      .entries = { T1 | RW_U, UINT64_C(0x1c0000000) | RW_U | PS | PAT_LARGE }, OK, 0, 30, R | W | X,
      { A, A | D } },
    { "4: 1 GiB page: bit 29 is reserved", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, UINT64_C(0x1e0000000) | RW_U | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { A } },
    { "4: 1 GiB page: bit 13 is reserved", M4, .cpl = 0, .access = R,
      .entries = { T1 | RW_U, UINT64_C(0x1c0002000) | RW_U | PS }, PF,
      X86_PF_PRESENT | X86_PF_RESERVED, 0, 0, { A } },
    { "4: SMAP in 4-level paging", M4, .cr4 = SMAP, .cpl = 1, .access = R,
      .entries = { T1 | RW_U, T2 | RW_U, T3 | RW_U, DATA | RW_U }, PF, X86_PF_PRESENT, 0, 0,
      { A, A, A } },
};
/* clang-format on */

static void check_case(const Case *c)
{
    GVirt la = c->mode == M4 ? LA4 : LA32;

    set_mode(c->mode);
    regs.cr0 |= c->cr0;
    regs.cr4 ^= c->cr4; /* so that a case can take PSE away */
    regs.efer |= c->efer;
    regs.eflags = c->eflags;
    regs.cpl = c->cpl;
    put_entries(c->mode, la, c->entries);

    X86Walk got = walk(la, c->access, c->flags);

    ck_assert_msg(got.result == c->result, "%s: result %d", c->what, got.result);
    ck_assert_msg(got.error_code == c->error, "%s: error %#x", c->what, got.error_code);
    ck_assert_msg(got.page_shift == c->shift, "%s: shift %u", c->what, got.page_shift);
    ck_assert_msg(got.perms == c->perms, "%s: perms %u", c->what, got.perms);
    ck_assert_msg((got.gpa == MEM_GPHYS_NIL) == (c->result != OK), "%s: gpa", c->what);
    for (unsigned i = 0; i < (c->mode == M32 ? 2 : 4); i++) {
        uint64_t now = get_entry(c->mode, la, i);

        ck_assert_msg(now == (c->entries[i] | c->set[i]), "%s: entry %u is %#llx", c->what, i,
                      (unsigned long long)now);
    }
}

START_TEST(each_case_is_as_the_manual_says)
{
    check_case(&cases[_i]);
}
END_TEST

/* Address of the result, and that every level used the index of its own. */
static const struct {
    Mode mode;
    GVirt la;
    uint64_t entries[4];
    GPhys gpa;
} addresses[] = {
    { M32, LA32, { T1 | RW_S, DATA | RW_S }, DATA + 0x678 },
    { M32, LA32, { T1 | RW_S, 0xfffff000 | RW_S }, 0xfffff678 },
    { M32, LA32, { 0x400000 | RW_S | PS }, 0x405678 },
    { M32, LA32, { 0xffc00000 | RW_S | PS }, 0xffc05678 },
    { M32, LA32, { 0x401000 | RW_S | PS }, 0x405678 },                /* PAT is no address */
    { M32, LA32, { 0x400000 | 0x2000 | RW_S | PS }, 0x100405678 },    /* PSE-36: bit 32 */
    { M32, LA32, { 0x400000 | 0x100000 | RW_S | PS }, 0x8000405678 }, /* bit 39 */
    { MPAE, LA32, { T1 | P, T2 | RW_S, DATA | RW_S }, DATA + 0x678 },
    { MPAE, LA32, { T1 | P, T2 | RW_S, 0xabcdeff000 | RW_S }, 0xabcdeff678 },
    { MPAE, LA32, { T1 | P, 0xab00200000 | RW_S | PS }, 0xab00205678 },
    { M4, LA4, { T1 | RW_S, T2 | RW_S, T3 | RW_S, DATA | RW_S }, DATA + 0x678 },
    { M4, LA4, { T1 | RW_S, T2 | RW_S, 0xab00200000 | RW_S | PS | PAT_LARGE }, 0xab003ab678 },
    { M4, LA4, { T1 | RW_S, 0xab40000000 | RW_S | PS | PAT_LARGE }, 0xab567ab678 },
};

START_TEST(address_comes_from_frame_and_offset)
{
    set_mode(addresses[_i].mode);
    put_entries(addresses[_i].mode, addresses[_i].la, addresses[_i].entries);

    X86Walk got = walk(addresses[_i].la, R, 0);

    ck_assert_int_eq(got.result, OK);
    ck_assert_uint_eq(got.gpa, addresses[_i].gpa);
}
END_TEST

START_TEST(paging_off_is_identity_in_32_bits)
{
    set_mode(M32);
    regs.cr0 = 1;
    regs.cr4 = SMEP | SMAP;
    regs.cpl = 3;

    X86Walk got = walk(UINT64_C(0x1fedcba98), W, 0);

    ck_assert_int_eq(got.result, OK);
    ck_assert_uint_eq(got.gpa, 0xfedcba98);
    ck_assert_uint_eq(got.page_shift, 12);
    ck_assert_uint_eq(got.perms, R | W | X);
    ck_assert_uint_eq(got.levels, 0);
}
END_TEST

static const struct {
    Mode mode;
    uint64_t entries[4];
} wide[] = {
    { M32, { T1 | RW_S, DATA | RW_S } },
    { MPAE, { T1 | P, T2 | RW_S, DATA | RW_S } },
};

START_TEST(address_above_4_gib_is_cut_outside_long_mode)
{
    set_mode(wide[_i].mode);
    put_entries(wide[_i].mode, LA32, wide[_i].entries);

    X86Walk got = walk(LA32 | UINT64_C(0xdead) << 32, R, 0);

    ck_assert_int_eq(got.result, OK);
    ck_assert_uint_eq(got.gpa, DATA + 0x678);
}
END_TEST

static const struct {
    GVirt la;
    X86WalkResult result;
} canonical[] = {
    { UINT64_C(0x00007fffffffffff), X86_WALK_PAGE_FAULT },
    { UINT64_C(0x0000800000000000), X86_WALK_NON_CANONICAL },
    { UINT64_C(0xffff7fffffffffff), X86_WALK_NON_CANONICAL },
    { UINT64_C(0xffff800000000000), X86_WALK_PAGE_FAULT },
    { UINT64_C(0x7fff800000000000), X86_WALK_NON_CANONICAL },
    { UINT64_C(0x0001000000000000), X86_WALK_NON_CANONICAL },
};

START_TEST(canonical_means_48_bits)
{
    set_mode(M4);

    X86Walk got = walk(canonical[_i].la, R, 0);
    X86Walk peeked = walk(canonical[_i].la, R, PEEK);

    ck_assert_int_eq(got.result, canonical[_i].result);
    ck_assert_int_eq(peeked.result, canonical[_i].result);
    ck_assert_uint_eq(got.levels, canonical[_i].result == X86_WALK_PAGE_FAULT);
}
END_TEST

/* Model width, bit, and whether a PTE with it is refused. */
static const struct {
    Mode mode;
    uint8_t width;
    unsigned bit;
    bool reserved;
} widths[] = {
    { MPAE, 32, 32, true },  { MPAE, 36, 35, false }, { MPAE, 36, 36, true },
    { MPAE, 52, 51, false }, { MPAE, 52, 52, true },  { M4, 32, 32, true },
    { M4, 36, 35, false },   { M4, 36, 36, true },    { M4, 52, 51, false },
    { M4, 52, 52, false },   { M4, 46, 46, true },    { M4, 46, 45, false },
};

START_TEST(width_of_the_model_reserves_address_bits)
{
    uint64_t leaf = DATA | RW_S | UINT64_C(1) << widths[_i].bit;
    const uint64_t pae[4] = { T1 | P, T2 | RW_S, leaf };
    const uint64_t four[4] = { T1 | RW_S, T2 | RW_S, T3 | RW_S, leaf };
    GVirt la = widths[_i].mode == M4 ? LA4 : LA32;

    set_mode(widths[_i].mode);
    regs.maxphyaddr = widths[_i].width;
    put_entries(widths[_i].mode, la, widths[_i].mode == M4 ? four : pae);

    X86Walk got = walk(la, R, 0);

    ck_assert_uint_eq(got.error_code, widths[_i].reserved ? X86_PF_PRESENT | X86_PF_RESERVED : 0);
}
END_TEST

/* PSE-36: which of bits 20 to 13 are address bits depends on width and feature. */
static const struct {
    bool pse36;
    uint8_t width;
    uint64_t bits;
    bool reserved;
} pse36[] = {
    { true, 40, 0x1fe000, false }, { true, 52, 0x1fe000, false }, { true, 36, 0x1e000, false },
    { true, 36, 0x20000, true },   { true, 36, 0x100000, true },  { true, 32, 0x2000, true },
    { false, 40, 0x2000, true },   { false, 40, 0x100000, true }, { false, 32, 0x1000, false },
};

START_TEST(pse36_opens_address_bits_as_far_as_the_model_has_them)
{
    const uint64_t entries[4] = { 0x400000 | RW_S | PS | pse36[_i].bits };

    set_mode(M32);
    regs.has_pse36 = pse36[_i].pse36;
    regs.maxphyaddr = pse36[_i].width;
    put_entries(M32, LA32, entries);

    X86Walk got = walk(LA32, R, 0);

    ck_assert_uint_eq(got.error_code, pse36[_i].reserved ? X86_PF_PRESENT | X86_PF_RESERVED : 0);
}
END_TEST

START_TEST(model_without_1g_pages_reserves_ps_of_the_pdpte)
{
    const uint64_t entries[4] = { T1 | RW_S, UINT64_C(0x1c0000000) | RW_S | PS };

    set_mode(M4);
    regs.has_1g = false;
    put_entries(M4, LA4, entries);
    ck_assert_uint_eq(walk(LA4, R, 0).error_code, X86_PF_PRESENT | X86_PF_RESERVED);
}
END_TEST

START_TEST(model_without_nx_ignores_efer_nxe)
{
    const uint64_t entries[4] = { T1 | P, T2 | RW_S, DATA | RW_S | XD };

    set_mode(MPAE);
    regs.efer |= NXE;
    regs.has_nx = false;
    put_entries(MPAE, LA32, entries);
    ck_assert_uint_eq(walk(LA32, X, 0).error_code, X86_PF_PRESENT | X86_PF_RESERVED);
}
END_TEST

START_TEST(pdptes_are_those_that_were_loaded)
{
    const uint64_t entries[4] = { T1 | P, T2 | RW_S, DATA | RW_S };

    set_mode(MPAE);
    put_entries(MPAE, LA32, entries);
    pgm_write_u64(pgm, entry_address(MPAE, LA32, 0), 0); /* memory no longer matters */
    ck_assert_int_eq(walk(LA32, R, 0).result, OK);

    ck_assert(x86_load_pdptes(&regs, cpu));
    ck_assert_int_eq(walk(LA32, R, 0).result, PF);
}
END_TEST

/* One PDPTE at a time; index 3 of the four holds it. */
static const struct {
    uint64_t entry;
    bool ok;
} pdptes[] = {
    { T1 | P, true },
    { T1 | P | 0x18 | 0xe00, true }, /* PWT, PCD and what is the guest's */
    { T1 | P | 2, false },
    { T1 | P | 4, false },
    { T1 | P | 0x20, false },
    { T1 | P | 0x100, false },
    { T1 | P | UINT64_C(1) << 39, true },
    { T1 | P | UINT64_C(1) << 40, false },
    { T1 | P | UINT64_C(1) << 62, false },
    { T1 | P | XD, false },
    { UINT64_MAX - 1, true }, /* not present: nothing is reserved */
};

START_TEST(load_of_pdptes_is_all_or_nothing)
{
    set_mode(MPAE);
    regs.efer |= NXE; /* opens XD everywhere but here */
    regs.cr3 = 0x10fe0 | 0x18;
    for (unsigned i = 0; i < 4; i++) {
        pgm_write_u64(pgm, 0x10fe0 + i * 8, i == 3 ? pdptes[_i].entry : 0x5000 * i + P);
        regs.pdpte[i] = 0xbad0;
    }
    ck_assert_int_eq(x86_load_pdptes(&regs, cpu), pdptes[_i].ok);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t loaded = i == 3 ? pdptes[_i].entry : 0x5000 * i + P;

        ck_assert_uint_eq(regs.pdpte[i], pdptes[_i].ok ? loaded : 0xbad0);
    }
}
END_TEST

START_TEST(pdptes_are_read_from_all_of_cr3)
{
    set_mode(MPAE);
    regs.cr3 = 0x80000fe0; /* no memory there: all ones, so that reserved bits are set */
    ck_assert(!x86_load_pdptes(&regs, cpu));
    regs.cr3 = 0xfe0 | UINT64_C(0xdead) << 32; /* but only the low half counts */
    ck_assert(x86_load_pdptes(&regs, cpu));
}
END_TEST

/* The model's width is the embedder's to give: nonsense is a bug, not a guest's doing. */
static const uint8_t bad_widths[] = { 0, 31, 53 };

START_TEST(width_out_of_range_aborts_the_walk)
{
    set_mode(M4);
    regs.maxphyaddr = bad_widths[_i];
    walk(0, R, 0);
}
END_TEST

START_TEST(width_out_of_range_aborts_the_load)
{
    set_mode(MPAE);
    regs.maxphyaddr = bad_widths[_i];
    (void)x86_load_pdptes(&regs, cpu);
}
END_TEST

START_TEST(tables_are_read_and_marked_through_the_a20_gate)
{
    const uint64_t entries[4] = { (T1 | 0x100000) | RW_S, DATA | 0x100000 | RW_S };

    set_mode(M32);
    regs.cr3 = T0 | 0x100000;
    put_entries(M32, LA32, entries);
    pgm_cpu_set_a20(cpu, false);

    X86Walk got = walk(LA32, W, 0);

    ck_assert_int_eq(got.result, OK);
    ck_assert_uint_eq(got.gpa, (DATA | 0x100000) + 0x678); /* the CPU port masks it later */
    ck_assert_uint_eq(get_entry(M32, LA32, 0), entries[0] | A);
    ck_assert_uint_eq(get_entry(M32, LA32, 1), entries[1] | A | D);
}
END_TEST

START_TEST(walk_reports_the_tables_it_visited)
{
    const uint64_t entries[4] = { T1 | RW_S, T2 | RW_S, T3 | RW_S, DATA | 6 };

    set_mode(M4);
    put_entries(M4, LA4, entries);

    X86Walk got = walk(LA4, R, 0);

    ck_assert_uint_eq(got.levels, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(got.level[i].entry_gpa, entry_address(M4, LA4, i));
        ck_assert_uint_eq(got.level[i].entry, entries[i]);
    }
}
END_TEST

START_TEST(table_outside_memory_reads_all_ones)
{
    set_mode(M4);
    regs.cr3 = UINT64_C(0x7000000000);
    ck_assert_uint_eq(walk(LA4, R, 0).error_code, X86_PF_PRESENT | X86_PF_RESERVED);

    set_mode(M32); /* there all ones is a 4 MiB page with reserved bit 21 */
    regs.cr3 = 0xf0000000;
    ck_assert_uint_eq(walk(LA32, R, 0).error_code, X86_PF_PRESENT | X86_PF_RESERVED);
    regs.cr4 = 0; /* and here a table that reads all ones, and a page */
    ck_assert_uint_eq(walk(LA32, R, 0).gpa, 0xfffff678);
}
END_TEST

START_TEST(table_that_maps_itself_is_marked_once)
{
    const uint64_t entries[4] = { T0 | RW_S };

    set_mode(M4);
    put_entries(M4, 0, entries); /* entry 0 of the root points at the root */
    pgm_write_u64(pgm, T0, T0 | RW_S);

    X86Walk got = walk(0x123, W, 0);

    ck_assert_int_eq(got.result, OK);
    ck_assert_uint_eq(got.gpa, T0 + 0x123);
    ck_assert_uint_eq(pgm_read_u64(pgm, T0), T0 | RW_S | A | D);
}
END_TEST

static Suite *paging_suite(void)
{
    Suite *suite = suite_create("paging");
    TCase *tcase = tcase_create("walk");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, each_case_is_as_the_manual_says, 0, G_N_ELEMENTS(cases));
    tcase_add_loop_test(tcase, address_comes_from_frame_and_offset, 0, G_N_ELEMENTS(addresses));
    tcase_add_test(tcase, paging_off_is_identity_in_32_bits);
    tcase_add_loop_test(tcase, address_above_4_gib_is_cut_outside_long_mode, 0, G_N_ELEMENTS(wide));
    tcase_add_loop_test(tcase, canonical_means_48_bits, 0, G_N_ELEMENTS(canonical));
    tcase_add_loop_test(tcase, width_of_the_model_reserves_address_bits, 0, G_N_ELEMENTS(widths));
    tcase_add_loop_test(tcase, pse36_opens_address_bits_as_far_as_the_model_has_them, 0,
                        G_N_ELEMENTS(pse36));
    tcase_add_test(tcase, model_without_1g_pages_reserves_ps_of_the_pdpte);
    tcase_add_test(tcase, model_without_nx_ignores_efer_nxe);
    tcase_add_test(tcase, pdptes_are_those_that_were_loaded);
    tcase_add_loop_test(tcase, load_of_pdptes_is_all_or_nothing, 0, G_N_ELEMENTS(pdptes));
    tcase_add_test(tcase, pdptes_are_read_from_all_of_cr3);
    tcase_add_loop_test_raise_signal(tcase, width_out_of_range_aborts_the_walk, SIGABRT, 0,
                                     G_N_ELEMENTS(bad_widths));
    tcase_add_loop_test_raise_signal(tcase, width_out_of_range_aborts_the_load, SIGABRT, 0,
                                     G_N_ELEMENTS(bad_widths));
    tcase_add_test(tcase, tables_are_read_and_marked_through_the_a20_gate);
    tcase_add_test(tcase, walk_reports_the_tables_it_visited);
    tcase_add_test(tcase, table_outside_memory_reads_all_ones);
    tcase_add_test(tcase, table_that_maps_itself_is_marked_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(paging_suite());

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
