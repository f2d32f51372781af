/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walker against a second one that was written from the SDM alone: one bit at a time, over flat
 * byte arrays, every rule spelled out where the SDM's tables have it. Random tables, random
 * registers; compared are result, address, page size, rights, error code and all bytes of table
 * memory afterwards.
 *
 * QUIRE_SEED=N repeats a run, QUIRE_ITERATIONS=N makes it longer. The seed is printed.
 *
 * Source: Intel SDM volume 3A, tables 4-1 to 4-21, 4.6, 4.7, 4.8.
 */
#include "emu/x86/paging.h"

#include "memsys/access.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED UINT64_C(20260211)
#define DEFAULT_ITERATIONS UINT64_C(200000)

/* Table memory: a few pages low, a few above 4 GiB, nothing anywhere else. */
#define LOW_PAGES 8u
#define HIGH_PAGES 4u
#define HIGH_START UINT64_C(0x340000000)
#define LOW_LEN (LOW_PAGES * 4096u)
#define HIGH_LEN (HIGH_PAGES * 4096u)

/* ---- the naive walker ---- */

static uint8_t flat_low[LOW_LEN], flat_high[HIGH_LEN];

static uint8_t *flat_byte(uint64_t address)
{
    if (address < LOW_LEN) {
        return &flat_low[address];
    }
    if (address >= HIGH_START && address < HIGH_START + HIGH_LEN) {
        return &flat_high[address - HIGH_START];
    }
    return NULL;
}

static uint64_t flat_read(uint64_t address, int n_bytes)
{
    uint64_t value = 0;

    for (int i = n_bytes - 1; i >= 0; i--) {
        uint8_t *byte = flat_byte(address + (uint64_t)i);

        value = value * 256 + (byte != NULL ? *byte : 255);
    }
    return value;
}

/* Bits @high to @low of @value, moved down to bit 0. */
static uint64_t field(uint64_t value, int high, int low)
{
    uint64_t out = 0;

    for (int i = high; i >= low; i--) {
        out = out * 2 + (value >> i) % 2;
    }
    return out;
}

static bool bit(uint64_t value, int n)
{
    return field(value, n, n) != 0;
}

static void flat_set_bit(uint64_t address, int n)
{
    uint8_t *byte = flat_byte(address + (uint64_t)n / 8);

    if (byte != NULL) {
        *byte = (uint8_t)(*byte | 1 << n % 8);
    }
}

typedef enum NaiveMode { NAIVE_OFF, NAIVE_32BIT, NAIVE_PAE, NAIVE_4LEVEL, NAIVE_N_MODES } NaiveMode;

/* What the walk read, from the root down. */
static struct {
    uint64_t at, entry;
} naive_log[4];
static int naive_log_len;

static void naive_note(uint64_t at, uint64_t entry)
{
    naive_log[naive_log_len].at = at;
    naive_log[naive_log_len].entry = entry;
    naive_log_len++;
}

typedef struct Naive {
    X86WalkResult result;
    uint64_t gpa;
    int page_bits;
    unsigned rights;
    uint32_t error_code;
    int n_tables;
} Naive;

typedef struct NaivePath {
    bool all_writable, all_user, any_xd;
} NaivePath;

static NaiveMode naive_mode(const X86PagingRegs *r)
{
    if (!bit(r->cr0, 31)) {
        return NAIVE_OFF;
    }
    if (!bit(r->cr4, 5)) {
        return NAIVE_32BIT;
    }
    return bit(r->efer, 8) ? NAIVE_4LEVEL : NAIVE_PAE;
}

static bool naive_xd_enabled(const X86PagingRegs *r)
{
    return bit(r->cr4, 5) && bit(r->efer, 11) && r->has_nx;
}

static bool naive_is_user(const X86PagingRegs *r, unsigned flags)
{
    return r->cpl == 3 && !(flags & X86_ACCESS_IMPLICIT_SUPERVISOR);
}

/* Figure 4-12. */
static Naive naive_fault(const X86PagingRegs *r, MemAccess access, unsigned flags, bool p,
                         bool rsvd, int n_tables)
{
    uint32_t code = 0;

    code += p ? 1 : 0;
    code += access == MEM_ACCESS_WRITE ? 2 : 0;
    code += naive_is_user(r, flags) ? 4 : 0;
    code += rsvd ? 8 : 0;
    if (access == MEM_ACCESS_EXEC) {
        if (bit(r->cr4, 20) || naive_xd_enabled(r)) {
            code += 16;
        }
    }
    return (Naive) { .result = X86_WALK_PAGE_FAULT,
                     .gpa = MEM_GPHYS_NIL,
                     .error_code = code,
                     .n_tables = n_tables };
}

/* 4.6.1, one sentence of it a line. */
static bool naive_allowed(const X86PagingRegs *r, NaivePath path, MemAccess access, unsigned flags)
{
    bool wp = bit(r->cr0, 16), smep = bit(r->cr4, 20), smap = bit(r->cr4, 21);
    bool ac = bit(r->eflags, 18), implicit = (flags & X86_ACCESS_IMPLICIT_SUPERVISOR) != 0;
    bool xd_forbids = naive_xd_enabled(r) && path.any_xd;

    if (naive_is_user(r, flags)) {
        if (!path.all_user) {
            return false;
        }
        if (access == MEM_ACCESS_READ) {
            return true;
        }
        return access == MEM_ACCESS_WRITE ? path.all_writable : !xd_forbids;
    }
    if (!path.all_user) { /* a supervisor-mode address */
        if (access == MEM_ACCESS_READ) {
            return true;
        }
        if (access == MEM_ACCESS_WRITE) {
            return wp ? path.all_writable : true;
        }
        return !xd_forbids;
    }
    /* a user-mode address, accessed by the supervisor */
    if (access == MEM_ACCESS_EXEC) {
        return smep ? false : !xd_forbids;
    }
    if (smap && implicit) {
        return false;
    }
    if (smap && !ac) {
        return false;
    }
    if (access == MEM_ACCESS_WRITE && wp) {
        return path.all_writable;
    }
    return true;
}

static Naive naive_leaf(const X86PagingRegs *r, uint64_t entry_at, NaivePath path, uint64_t gpa,
                        int page_bits, MemAccess access, unsigned flags, int n_tables)
{
    bool peek = (flags & X86_ACCESS_PEEK) != 0;
    Naive out = { .result = X86_WALK_OK, .gpa = gpa, .page_bits = page_bits, .n_tables = n_tables };

    if (!peek && !naive_allowed(r, path, access, flags)) {
        return naive_fault(r, access, flags, true, false, n_tables);
    }
    bool dirty = bit(flat_read(entry_at, 1), 6);

    if (!peek) {
        flat_set_bit(entry_at, 5);
        if (access == MEM_ACCESS_WRITE) {
            flat_set_bit(entry_at, 6);
            dirty = true;
        }
    }
    for (unsigned kind = MEM_ACCESS_READ; kind <= MEM_ACCESS_EXEC; kind *= 2) {
        if (naive_allowed(r, path, (MemAccess)kind, flags)) {
            out.rights += kind;
        }
    }
    if ((out.rights & MEM_ACCESS_WRITE) && !dirty) {
        out.rights -= MEM_ACCESS_WRITE;
    }
    return out;
}

/* Tables 4-4 to 4-6. */
static Naive naive_32bit(const X86PagingRegs *r, uint64_t la, MemAccess access, unsigned flags)
{
    uint64_t pde_at = field(r->cr3, 31, 12) * 4096 + field(la, 31, 22) * 4;
    uint64_t pde = flat_read(pde_at, 4);
    NaivePath path = { bit(pde, 1), bit(pde, 2), false };

    naive_note(pde_at, pde);
    if (!bit(pde, 0)) {
        return naive_fault(r, access, flags, false, false, 1);
    }
    if (bit(r->cr4, 4) && bit(pde, 7)) {
        int m = 32;

        if (r->has_pse36) {
            m = r->maxphyaddr < 40 ? r->maxphyaddr : 40;
        }
        if (field(pde, 21, m - 19) != 0) {
            return naive_fault(r, access, flags, true, true, 1);
        }
        uint64_t high = m > 32 ? field(pde, m - 20, 13) : 0;
        uint64_t gpa = high * 4294967296 + field(pde, 31, 22) * 4194304 + field(la, 21, 0);

        return naive_leaf(r, pde_at, path, gpa, 22, access, flags, 1);
    }
    if (!(flags & X86_ACCESS_PEEK)) {
        flat_set_bit(pde_at, 5);
    }
    uint64_t pte_at = field(pde, 31, 12) * 4096 + field(la, 21, 12) * 4;
    uint64_t pte = flat_read(pte_at, 4);

    naive_note(pte_at, pte);
    if (!bit(pte, 0)) {
        return naive_fault(r, access, flags, false, false, 2);
    }
    path.all_writable = path.all_writable && bit(pte, 1);
    path.all_user = path.all_user && bit(pte, 2);
    return naive_leaf(r, pte_at, path, field(pte, 31, 12) * 4096 + field(la, 11, 0), 12, access,
                      flags, 2);
}

/* Any of bits @high to @low that @entry must not have set. */
static bool naive_any(uint64_t entry, int high, int low)
{
    return low <= high && field(entry, high, low) != 0;
}

/* One 8-byte entry; what says how big the piece it maps is, or goes on below. */
static Naive naive_entry64(const X86PagingRegs *r, bool pae, uint64_t table, uint64_t la, int piece,
                           NaivePath path, MemAccess access, unsigned flags, int n_tables)
{
    uint64_t at = table + field(la, piece + 8, piece) * 8;
    uint64_t entry = flat_read(at, 8);
    bool maps = piece == 12;
    bool rsvd = naive_any(entry, pae ? 62 : 51, r->maxphyaddr);

    n_tables++;
    naive_note(at, entry);
    if (!bit(entry, 0)) {
        return naive_fault(r, access, flags, false, false, n_tables);
    }
    rsvd = rsvd || (bit(entry, 63) && !naive_xd_enabled(r));
    if (piece == 39) { /* table 4-15: PS must be 0 */
        rsvd = rsvd || bit(entry, 7);
    }
    if (piece == 30 && bit(entry, 7)) { /* tables 4-16, 4-17 */
        maps = true;
        rsvd = rsvd || !r->has_1g || naive_any(entry, 29, 13);
    }
    if (piece == 21 && bit(entry, 7)) { /* tables 4-9, 4-18 */
        maps = true;
        rsvd = rsvd || naive_any(entry, 20, 13);
    }
    if (rsvd) {
        return naive_fault(r, access, flags, true, true, n_tables);
    }
    path.all_writable = path.all_writable && bit(entry, 1);
    path.all_user = path.all_user && bit(entry, 2);
    path.any_xd = path.any_xd || bit(entry, 63);
    if (maps) {
        uint64_t gpa = field(entry, 51, piece) * (UINT64_C(1) << piece) + field(la, piece - 1, 0);

        return naive_leaf(r, at, path, gpa, piece, access, flags, n_tables);
    }
    if (!(flags & X86_ACCESS_PEEK)) {
        flat_set_bit(at, 5);
    }
    return naive_entry64(r, pae, field(entry, 51, 12) * 4096, la, piece - 9, path, access, flags,
                         n_tables);
}

static Naive naive_walk(const X86PagingRegs *r, uint64_t la, MemAccess access, unsigned flags)
{
    NaivePath path = { true, true, false };

    naive_log_len = 0;
    switch (naive_mode(r)) {
    case NAIVE_OFF:
        return (Naive) { .gpa = field(la, 31, 0), .page_bits = 12, .rights = 1 + 2 + 4 };
    case NAIVE_32BIT:
        return naive_32bit(r, field(la, 31, 0), access, flags);
    case NAIVE_PAE: {
        uint64_t pdpte = r->pdpte[field(la, 31, 30)];

        naive_note(field(r->cr3, 31, 5) * 32 + field(la, 31, 30) * 8, pdpte);
        if (!bit(pdpte, 0)) {
            return naive_fault(r, access, flags, false, false, 1);
        }
        return naive_entry64(r, true, field(pdpte, 51, 12) * 4096, field(la, 31, 0), 21, path,
                             access, flags, 1);
    }
    case NAIVE_4LEVEL:
        for (int i = 48; i < 64; i++) {
            if (bit(la, i) != bit(la, 47)) {
                return (Naive) { .result = X86_WALK_NON_CANONICAL, .gpa = MEM_GPHYS_NIL };
            }
        }
        return naive_entry64(r, false, field(r->cr3, 51, 12) * 4096, la, 39, path, access, flags,
                             0);
    case NAIVE_N_MODES:
        break;
    }
    abort();
}

/* Table 4-8; true if all is well. */
static bool naive_load_pdptes(X86PagingRegs *r)
{
    uint64_t got[4];

    for (unsigned i = 0; i < 4; i++) {
        got[i] = flat_read(field(r->cr3, 31, 5) * 32 + i * 8, 8);
        if (bit(got[i], 0) && (naive_any(got[i], 2, 1) || naive_any(got[i], 8, 5) ||
                               naive_any(got[i], 63, r->maxphyaddr))) {
            return false;
        }
    }
    memcpy(r->pdpte, got, sizeof(got));
    return true;
}

/* ---- random worlds ---- */

static uint64_t rng_state;

/* SplitMix64 (S. Vigna, public domain algorithm). */
static uint64_t rng(void)
{
    uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool one_in(unsigned n)
{
    return rng() % n == 0;
}

static uint64_t random_page(bool low_only)
{
    uint64_t n = rng() % (low_only ? LOW_PAGES : LOW_PAGES + HIGH_PAGES);

    if (one_in(64)) {
        return rng() & UINT64_C(0xffffff000); /* mostly nothing there */
    }
    return n < LOW_PAGES ? n * 4096 : HIGH_START + (n - LOW_PAGES) * 4096;
}

/* Flags that make most walks go on: P nearly always, R/W and U/S mostly, PS and what is reserved
 * seldom. */
static uint64_t random_flags(void)
{
    uint64_t flags = rng() & 0xf78; /* neither P, R/W, U/S nor PS */

    flags |= one_in(24) ? 0 : 1;
    flags |= one_in(4) ? 0 : 2;
    flags |= one_in(4) ? 0 : 4;
    flags |= one_in(4) ? 0x80 : 0;
    return flags;
}

static uint64_t random_entry64(const X86PagingRegs *r)
{
    uint64_t entry = random_page(false) | random_flags();

    if (entry & 0x80 && !one_in(4)) {
        entry &= ~UINT64_C(0x3fffe000) | (one_in(2) ? UINT64_C(0x3fe00000) : 0);
    }
    if (one_in(8) || (naive_xd_enabled(r) && one_in(4))) {
        entry |= UINT64_C(1) << 63;
    }
    if (one_in(6)) {
        entry |= (rng() & 0x7ff) << 52; /* the guest's own in 4-level, reserved in PAE */
    }
    if (one_in(12)) {
        entry |= UINT64_C(1) << (32 + rng() % 31);
    }
    return entry;
}

static uint32_t random_entry32(void)
{
    uint32_t entry = (uint32_t)(random_page(true) | random_flags());

    if (entry & 0x80 && !one_in(4)) {
        entry &= ~(UINT32_C(1) << 21);
        entry = one_in(2) ? entry | (uint32_t)(rng() & 0x1fe000) : entry & ~UINT32_C(0x1fe000);
    }
    return one_in(8) ? entry | (uint32_t)(rng() & 0xfff00000) : entry;
}

static void random_regs(X86PagingRegs *r)
{
    static const uint8_t widths[] = { 32, 36, 36, 39, 40, 46, 48, 52 };
    NaiveMode mode = one_in(20) ? NAIVE_OFF : (NaiveMode)(1 + rng() % 3);

    *r = (X86PagingRegs) {
        /* All other bits are noise: none may matter. */
        .cr0 = (rng() & ~(UINT64_C(1) << 31)) | (uint64_t)(mode != NAIVE_OFF) << 31,
        .cr4 = rng() & ~UINT64_C(0x20),
        .efer = rng() & ~UINT64_C(0x100),
        .eflags = (uint32_t)rng(),
        .cpl = (uint8_t)(rng() % 4),
        .maxphyaddr = one_in(3) ? (uint8_t)(32 + rng() % 21) : widths[rng() % 8],
        .has_nx = !one_in(8),
        .has_pse36 = !one_in(3),
        .has_1g = !one_in(4),
        .cr3 = random_page(mode == NAIVE_PAE) | (rng() & 0xfff),
    };
    r->cpl = one_in(2) ? 3 : r->cpl;
    if (mode == NAIVE_PAE || mode == NAIVE_4LEVEL) {
        r->cr4 |= 0x20;
    }
    if (mode == NAIVE_4LEVEL) {
        r->efer |= 0x100;
    }
    for (unsigned i = 0; i < 4; i++) { /* as if loaded: no reserved bits */
        r->pdpte[i] = random_page(false) | (rng() & 0xe18) | (one_in(24) ? 0 : 1);
    }
}

static Gmm *gmm;
static Pgm *pgm;
static PgmCpu *cpu;
static const PgmCpuCallbacks no_callbacks;

static void put_entry(GPhys at, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        uint8_t *byte = flat_byte(at + i);

        if (byte != NULL) {
            *byte = (uint8_t)(value >> 8 * i);
        }
    }
    pgm_write(pgm, at, &value, len, MEM_ORIGIN_LOADER);
}

/* Writes new entries where a walk of @la will come by: without this nothing would get far. */
static void plant_path(const X86PagingRegs *r, GVirt la)
{
    GPhys table = r->cr3 & UINT64_C(0xffffffffff000);
    unsigned top = 39;

    switch (naive_mode(r)) {
    case NAIVE_OFF:
    case NAIVE_N_MODES:
        return;
    case NAIVE_32BIT:
        table &= 0xfffff000;
        for (unsigned shift = 22; shift >= 12; shift -= 10) {
            uint32_t entry = random_entry32();

            put_entry(table + (la >> shift & 0x3ff) * 4, entry, 4);
            table = entry & 0xfffff000;
        }
        return;
    case NAIVE_PAE:
        table = r->pdpte[la >> 30 & 3] & UINT64_C(0xffffffffff000);
        top = 21;
        break;
    case NAIVE_4LEVEL:
        break;
    }
    for (unsigned shift = top; shift >= 12; shift -= 9) {
        uint64_t entry = random_entry64(r);

        if (shift == 39 && !one_in(16)) {
            entry &= ~UINT64_C(0x80);
        }
        put_entry(table + (la >> shift & 0x1ff) * 8, entry, 8);
        table = entry & UINT64_C(0xffffffffff000);
    }
}

static GVirt random_address(const X86PagingRegs *r)
{
    GVirt la = rng();

    if (naive_mode(r) == NAIVE_4LEVEL && !one_in(16)) {
        la = (GVirt)((int64_t)(la << 16) >> 16);
    }
    if (one_in(16)) { /* the edges of the canonical halves */
        la = (one_in(2) ? UINT64_C(0x800000000000) : UINT64_C(0xffff800000000000)) + rng() % 3 - 1;
    }
    return la;
}

/* ---- the comparison ---- */

/* What has been seen, so that a generator gone dull is noticed. */
static uint64_t seen_ok[NAIVE_N_MODES][32];
static uint64_t seen_fault[NAIVE_N_MODES][32];
static uint64_t seen_non_canonical, seen_pdptes[2];

static const char *check_memory(void)
{
    static uint8_t now[LOW_LEN];

    pgm_read(pgm, 0, now, LOW_LEN, MEM_ORIGIN_DEBUGGER);
    if (memcmp(now, flat_low, LOW_LEN) != 0) {
        return "low table memory";
    }
    pgm_read(pgm, HIGH_START, now, HIGH_LEN, MEM_ORIGIN_DEBUGGER);
    return memcmp(now, flat_high, HIGH_LEN) != 0 ? "high table memory" : NULL;
}

static const char *compare(const X86Walk *got, const Naive *want)
{
    if (got->result != want->result) {
        return "result";
    }
    if (got->gpa != want->gpa) {
        return "gpa";
    }
    if (got->page_shift != want->page_bits) {
        return "page size";
    }
    if (got->perms != want->rights) {
        return "rights";
    }
    if (got->error_code != want->error_code) {
        return "error code";
    }
    if (got->levels != want->n_tables) {
        return "levels";
    }
    for (int i = 0; i < want->n_tables; i++) {
        if (got->level[i].entry_gpa != naive_log[i].at ||
            got->level[i].entry != naive_log[i].entry) {
            return "entries visited";
        }
    }
    return check_memory();
}

static void note(NaiveMode mode, const Naive *want)
{
    switch (want->result) {
    case X86_WALK_OK:
        seen_ok[mode][want->page_bits]++;
        break;
    case X86_WALK_PAGE_FAULT:
        seen_fault[mode][want->error_code]++;
        break;
    case X86_WALK_NON_CANONICAL:
        seen_non_canonical++;
        break;
    }
}

static void one_walk(uint64_t iteration)
{
    static const MemAccess kinds[] = { MEM_ACCESS_READ, MEM_ACCESS_WRITE, MEM_ACCESS_EXEC };
    X86PagingRegs regs;

    random_regs(&regs);

    GVirt la = random_address(&regs);
    MemAccess access = kinds[rng() % 3];
    unsigned flags =
        (one_in(6) ? X86_ACCESS_IMPLICIT_SUPERVISOR : 0) | (one_in(10) ? X86_ACCESS_PEEK : 0);

    if (!one_in(16)) {
        plant_path(&regs, la);
    }
    Naive want = naive_walk(&regs, la, access, flags);
    X86Walk got;

    memset(&got, 0xaa, sizeof(got));
    x86_walk(&regs, cpu, la, access, flags, &got);

    const char *difference = compare(&got, &want);

    if (difference != NULL) {
        ck_abort_msg("walk %" PRIu64 " differs in %s: la %#" PRIx64
                     " access %u flags %u cr0 %#" PRIx64 " cr3 %#" PRIx64 " cr4 %#" PRIx64
                     " efer %#" PRIx64 " cpl %u width %u: "
                     "got %d %#" PRIx64 " shift %u perms %u error %#x levels %u, "
                     "want %d %#" PRIx64 " shift %d perms %u error %#x levels %d",
                     iteration, difference, la, access, flags, regs.cr0, regs.cr3, regs.cr4,
                     regs.efer, regs.cpl, regs.maxphyaddr, got.result, got.gpa, got.page_shift,
                     got.perms, got.error_code, got.levels, want.result, want.gpa, want.page_bits,
                     want.rights, want.error_code, want.n_tables);
    }
    note(naive_mode(&regs), &want);
}

static void one_pdpte_load(uint64_t iteration)
{
    X86PagingRegs regs;

    random_regs(&regs);
    regs.cr3 &= 0xffffffff;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t entry = random_entry64(&regs) & (one_in(4) ? UINT64_MAX : UINT64_C(0xffffffe19));

        put_entry((regs.cr3 & ~UINT64_C(31)) + i * 8, entry, 8);
    }
    X86PagingRegs want = regs;
    bool want_ok = naive_load_pdptes(&want);
    bool got_ok = x86_load_pdptes(&regs, cpu);

    if (got_ok != want_ok || memcmp(regs.pdpte, want.pdpte, sizeof(want.pdpte)) != 0) {
        ck_abort_msg("load of PDPTEs %" PRIu64 " differs: got %d, want %d", iteration, got_ok,
                     want_ok);
    }
    seen_pdptes[want_ok]++;
}

static uint64_t number_from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : fallback;
}

static void setup(void)
{
    gmm = gmm_new(64 << 20, NULL);
    ck_assert_ptr_nonnull(gmm);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, LOW_LEN, "low", NULL), MEM_OK);
    ck_assert_int_eq(pgm_ram_register(pgm, HIGH_START, HIGH_LEN, "high", NULL), MEM_OK);
    cpu = pgm_cpu_attach(pgm, &no_callbacks, NULL);
}

static void teardown(void)
{
    pgm_cpu_detach(cpu);
    pgm_free(pgm);
    gmm_free(gmm);
}

static void fill_memory(void)
{
    for (unsigned i = 0; i < LOW_LEN; i++) {
        flat_low[i] = (uint8_t)rng();
    }
    for (unsigned i = 0; i < HIGH_LEN; i++) {
        flat_high[i] = (uint8_t)rng();
    }
    pgm_write(pgm, 0, flat_low, LOW_LEN, MEM_ORIGIN_LOADER);
    pgm_write(pgm, HIGH_START, flat_high, HIGH_LEN, MEM_ORIGIN_LOADER);
}

static uint64_t total_ok(void)
{
    uint64_t total = 0;

    for (unsigned mode = 0; mode < NAIVE_N_MODES; mode++) {
        for (unsigned shift = 0; shift < 32; shift++) {
            total += seen_ok[mode][shift];
        }
    }
    return total;
}

/* Every kind of outcome must have come up, or the agreement says nothing. */
static void check_variety(void)
{
    static const struct {
        NaiveMode mode;
        unsigned shift;
    } pages[] = {
        { NAIVE_OFF, 12 }, { NAIVE_32BIT, 12 },  { NAIVE_32BIT, 22 },  { NAIVE_PAE, 12 },
        { NAIVE_PAE, 21 }, { NAIVE_4LEVEL, 12 }, { NAIVE_4LEVEL, 21 }, { NAIVE_4LEVEL, 30 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        ck_assert_msg(seen_ok[pages[i].mode][pages[i].shift] > 0, "no walk in mode %u to 1 << %u",
                      pages[i].mode, pages[i].shift);
    }
    for (unsigned mode = NAIVE_32BIT; mode < NAIVE_N_MODES; mode++) {
        for (unsigned code = 0; code < 32; code++) {
            bool possible = !(code & X86_PF_RESERVED && !(code & X86_PF_PRESENT)) &&
                            !(code & X86_PF_FETCH && code & X86_PF_WRITE);

            ck_assert_msg(!possible || seen_fault[mode][code] > 0, "no fault %#x in mode %u", code,
                          mode);
        }
    }
    ck_assert_msg(seen_non_canonical > 0 && seen_pdptes[0] > 0 && seen_pdptes[1] > 0,
                  "no non-canonical address or no PDPTE load");
}

START_TEST(walker_agrees_with_a_naive_one)
{
    uint64_t seed = number_from_environment("QUIRE_SEED", DEFAULT_SEED);
    uint64_t iterations = number_from_environment("QUIRE_ITERATIONS", DEFAULT_ITERATIONS);

    printf("paging: seed %" PRIu64 ", %" PRIu64 " walks\n", seed, iterations);
    fflush(stdout);
    rng_state = seed;
    fill_memory();
    for (uint64_t i = 0; i < iterations; i++) {
        one_walk(i);
        if (i % 16 == 0) {
            one_pdpte_load(i);
        }
    }
    printf("paging: %" PRIu64 " walks succeeded\n", total_ok());
    if (iterations >= DEFAULT_ITERATIONS) {
        ck_assert_msg(total_ok() > iterations / 4, "too few walks succeed");
        check_variety();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paging-naive");
    TCase *tcase = tcase_create("model");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, walker_agrees_with_a_naive_one);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
