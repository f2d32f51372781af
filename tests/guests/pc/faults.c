/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults with each error code, by rule: every page-table entry of a list is read, written and
 * executed from ring 0 and ring 3, with WP clear and set, under 32-bit, PAE and, where the
 * processor has it, no-execute paging. Then the processor's own table accesses for ring 3, REP that
 * faults in its middle, exceptions in a row, double fault.
 *
 * Source: Intel SDM volume 3A, chapters 4 (paging) and 6 (exceptions).
 */
#include "guest.h"

#define PRESENT 1u
#define WRITABLE 2u
#define USER 4u
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define LARGE 0x80u

#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define MSR_EFER 0xc0000080u
#define EFER_NXE 0x800u

#define PROBE 0x400000u /* linear: the page under test, first of its own 4 KiB table */
#define PROBE_PHYS 0x700000u
#define JUMP_EDI 0xe7ffu /* the code there: jmp *%edi */

static uint32_t dir32[1024] __attribute__((aligned(4096)));
static uint32_t table32[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t dir_pae[512] __attribute__((aligned(4096)));
static uint64_t table_pae[512] __attribute__((aligned(4096)));

typedef enum Mode { MODE_32, MODE_PAE, MODE_NX, N_MODES } Mode;
typedef enum Access { READ, WRITE, FETCH, N_ACCESSES } Access;

static Mode mode;
static bool has_nx;

static bool cpu_has_nx(void)
{
    uint32_t a = 0x80000000u, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (a < 0x80000001u) {
        return false;
    }
    a = 0x80000001u;
    c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d >> 20 & 1) != 0;
}

static void set_entry(unsigned page, uint64_t entry)
{
    if (mode == MODE_32) {
        table32[page] = (uint32_t)entry;
    } else {
        table_pae[page] = entry;
    }
    flush_page((const void *)(PROBE + page * 4096));
}

static uint64_t get_entry(unsigned page)
{
    return mode == MODE_32 ? table32[page] : table_pae[page];
}

/* Everything one to one for all rings, but the 4 (2) MiB from PROBE, which are the table's. */
static void fill_tables(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        dir32[i] = i << 22 | LARGE | PRESENT | WRITABLE | USER;
    }
    for (uint32_t i = 0; i < 512; i++) {
        dir_pae[i] = (uint64_t)i << 21 | LARGE | PRESENT | WRITABLE | USER;
    }
    dir32[PROBE >> 22] = (uint32_t)table32 | PRESENT | WRITABLE | USER;
    dir_pae[PROBE >> 21] = (uint32_t)table_pae | PRESENT | WRITABLE | USER;
    pdpt[0] = (uint32_t)dir_pae | PRESENT;
    *(volatile uint16_t *)PROBE_PHYS = JUMP_EDI;
}

static void paging_on(Mode new_mode)
{
    mode = new_mode;
    if (has_nx) {
        write_msr(MSR_EFER,
                  (read_msr(MSR_EFER) & ~(uint64_t)EFER_NXE) | (mode == MODE_NX ? EFER_NXE : 0));
    }
    WRITE_CR(4, mode == MODE_32 ? CR4_PSE : CR4_PAE);
    WRITE_CR(3, mode == MODE_32 ? (uint32_t)dir32 : (uint32_t)pdpt);
    WRITE_CR(0, READ_CR(0) | CR0_PG);
}

static void paging_off(void)
{
    WRITE_CR(0, READ_CR(0) & ~(CR0_PG | CR0_WP));
}

/* ---- each access; it ends behind its instruction whether that faults or not ---- */

static volatile uint32_t provoked_eip; /* of the instruction */

static __attribute__((noinline)) void do_read(void)
{
    __asm__ volatile("movl $2f, resume_at\n\tmovl $1f, provoked_eip\n1:\tmovl %0, %%eax\n2:"
                     :
                     : "m"(*(volatile uint32_t *)(PROBE + 8))
                     : "eax", "memory");
}

static __attribute__((noinline)) void do_write(void)
{
    __asm__ volatile("movl $2f, resume_at\n\tmovl $1f, provoked_eip\n1:\tmovl %%eax, %0\n2:"
                     : "=m"(*(volatile uint32_t *)(PROBE + 8))
                     :
                     : "memory");
}

static __attribute__((noinline)) void do_fetch(void)
{
    __asm__ volatile("movl $1f, resume_at\n\tmovl %0, provoked_eip\n\tmovl $1f, %%edi\n\t"
                     "jmp *%0\n1:"
                     :
                     : "r"(PROBE)
                     : "edi", "memory");
}

static void (*const provoke[N_ACCESSES])(void) = { do_read, do_write, do_fetch };

/* ---- the rule, stated apart from any walker ---- */

#define NO_FAULT UINT32_MAX

typedef struct Entry {
    uint64_t bits;
    bool reserved; /* outside no-execute paging only if reserved_without_nx */
    bool no_execute;
} Entry;

static const Entry entries[] = {
    { 0, false, false },
    { WRITABLE | USER, false, false },
    { PRESENT, false, false },
    { PRESENT | WRITABLE, false, false },
    { PRESENT | USER, false, false },
    { PRESENT | WRITABLE | USER, false, false },
    { PRESENT | WRITABLE | USER | (uint64_t)1 << 51, true, false },
    { PRESENT | (uint64_t)1 << 51, true, false },
    { PRESENT | WRITABLE | USER | (uint64_t)1 << 63, false, true },
    { PRESENT | USER | (uint64_t)1 << 63, false, true },
    { PRESENT | WRITABLE | (uint64_t)1 << 63, false, true },
};

static uint32_t rule(const Entry *entry, Access access, bool user, bool wp)
{
    uint32_t how = (access == WRITE ? 2u : 0u) | (user ? 4u : 0u) |
                   (access == FETCH && mode == MODE_NX ? 16u : 0u);
    bool allowed = true;

    if ((entry->bits & PRESENT) == 0) {
        return how;
    }
    if (mode != MODE_32 && (entry->reserved || (entry->no_execute && mode != MODE_NX))) {
        return how | 8u | 1u;
    }
    if (user && (entry->bits & USER) == 0) {
        allowed = false;
    }
    if (access == WRITE && (entry->bits & WRITABLE) == 0 && (user || wp)) {
        allowed = false;
    }
    if (access == FETCH && mode == MODE_NX && entry->no_execute) {
        allowed = false;
    }
    return allowed ? NO_FAULT : how | 1u;
}

static void probe(const Entry *entry, Access access, bool user, bool wp)
{
    uint32_t want = rule(entry, access, user, wp);

    set_entry(0, PROBE_PHYS | entry->bits);
    WRITE_CR(0, (READ_CR(0) & ~CR0_WP) | (wp ? CR0_WP : 0));
    forget_exceptions();
    if (user) {
        run_in_ring3(provoke[access]);
    } else {
        provoke[access]();
    }
    resume_at = 0;
    if (want == NO_FAULT) {
        CHECK_EQ(caught.n, 0);
        CHECK_EQ(get_entry(0) & (ACCESSED | DIRTY), access == WRITE ? ACCESSED | DIRTY : ACCESSED);
        return;
    }
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.vector, 14);
    CHECK_EQ(caught.error, want);
    CHECK_EQ(caught.eip, provoked_eip);
    CHECK_EQ(caught.cs, user ? USER_CODE : KERNEL_CODE);
    CHECK_EQ(caught.cr2, access == FETCH ? PROBE : PROBE + 8);
    CHECK_EQ(get_entry(0) & (ACCESSED | DIRTY), 0);
}

static void all_error_codes(Mode new_mode)
{
    paging_on(new_mode);
    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        if (new_mode == MODE_32 && entries[i].bits >> 32 != 0) {
            continue;
        }
        for (unsigned access = READ; access < N_ACCESSES; access++) {
            for (unsigned how = 0; how < 4; how++) {
                probe(&entries[i], (Access)access, (how & 1) != 0, (how & 2) != 0);
            }
        }
    }
    paging_off();
}

/* Bit 21 of an entry for 4 MiB lies above what PSE-36 uses. */
static void reserved_bit_of_a_large_page(void)
{
    uint32_t kept = dir32[PROBE >> 22];

    paging_on(MODE_32);
    dir32[PROBE >> 22] = PROBE_PHYS >> 22 << 22 | 1u << 21 | LARGE | PRESENT | WRITABLE | USER;
    flush_page((const void *)PROBE);
    forget_exceptions();
    do_write();
    CHECK_EQ(caught.error, 8 | 2 | 1);
    forget_exceptions();
    run_in_ring3(do_read);
    CHECK_EQ(caught.error, 8 | 4 | 1);
    dir32[PROBE >> 22] = kept;
    flush_page((const void *)PROBE);
    paging_off();
}

/* ---- the processor's own accesses to its tables are not ring 3's ---- */

static volatile uint32_t loaded_selector;

static void load_ds_in_ring3(void)
{
    __asm__ volatile("movw %w0, %%es\n\tmovw %%es, %w1\n\tmovl %1, loaded_selector"
                     :
                     : "r"(USER_DATA), "r"(0)
                     : "memory");
}

static void tables_on_a_supervisor_page(void)
{
    paging_on(MODE_32);
    set_entry(0, PROBE_PHYS | PRESENT | WRITABLE);

    volatile uint64_t *copy = (volatile uint64_t *)PROBE;

    for (unsigned i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++) {
        copy[i] = gdt[i];
    }
    for (unsigned i = 0; i < sizeof(idt) / sizeof(idt[0]); i++) {
        copy[256 + i] = idt[i];
    }
    load_gdt((const void *)PROBE, sizeof(gdt) - 1);
    load_idt((const void *)(PROBE + 2048), sizeof(idt) - 1);
    forget_exceptions();
    loaded_selector = 0;
    run_in_ring3(load_ds_in_ring3);
    CHECK_EQ(caught.n, 0);
    CHECK_EQ(loaded_selector, USER_DATA);
    run_in_ring3(do_read);
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.error, 4 | 1);
    load_gdt(gdt, sizeof(gdt) - 1);
    load_idt(idt, sizeof(idt) - 1);
    paging_off();
    *(volatile uint16_t *)PROBE_PHYS = JUMP_EDI;
}

/* ---- REP goes on where it faulted ---- */

static uint32_t faults_seen[4];

static bool map_the_page(Frame *frame)
{
    uint32_t page = (READ_CR(2) - PROBE) >> 12;

    if (frame->vector != 14 || page >= 4) {
        return false;
    }
    faults_seen[page] = frame->ecx;
    set_entry(page, (PROBE_PHYS + page * 4096) | PRESENT | WRITABLE | USER);
    return true;
}

static void rep_across_faults(Mode new_mode, bool backwards)
{
    paging_on(new_mode);
    for (unsigned i = 0; i < 4; i++) {
        set_entry(i, 0);
        faults_seen[i] = 0;
    }
    forget_exceptions();
    on_exception = map_the_page;

    uint32_t count = 2048; /* dwords */
    uint32_t at = PROBE + 0x800 + (backwards ? 0x1ffcu : 0u);

    __asm__ volatile("testl %%edx, %%edx\n\tjz 1f\n\tstd\n1:\trep stosl\n\tcld"
                     : "+c"(count), "+D"(at)
                     : "a"(0x5a5a1234), "d"(backwards)
                     : "memory", "cc");
    on_exception = 0;
    CHECK_EQ(count, 0);
    CHECK_EQ(at, backwards ? PROBE + 0x7fc : PROBE + 0x2800);
    CHECK_EQ(caught.n, 3);
    CHECK_EQ(caught.error, 2);
    CHECK_EQ(faults_seen[0], backwards ? 512u : 2048u);
    CHECK_EQ(faults_seen[1], 1536);
    CHECK_EQ(faults_seen[2], backwards ? 2048u : 512u);
    for (unsigned i = 0; i < 2048; i += 127) {
        CHECK_EQ(*(volatile uint32_t *)(PROBE + 0x800 + 4 * i), 0x5a5a1234);
    }
    paging_off();
    *(volatile uint16_t *)PROBE_PHYS = JUMP_EDI;
}

/* ---- exceptions in a row ---- */

static __attribute__((noinline)) void load_selector(uint32_t selector)
{
    __asm__ volatile("movl $2f, resume_at\n\tmovl $1f, provoked_eip\n1:\tmovw %w0, %%fs\n2:"
                     :
                     : "r"(selector)
                     : "memory");
}

static void general_protection_in_a_row(void)
{
    forget_exceptions();
    for (uint32_t i = 1; i <= 8; i++) {
        uint32_t selector = 0x40 + 8 * i;

        load_selector(selector);
        CHECK_EQ(caught.n, i);
        CHECK_EQ(caught.vector, 13);
        CHECK_EQ(caught.error, selector);
        CHECK_EQ(caught.eip, provoked_eip);
    }
    load_selector(NOT_PRESENT_DATA);
    CHECK_EQ(caught.vector, 11);
    CHECK_EQ(caught.error, NOT_PRESENT_DATA);
    load_selector(0x78);
    CHECK_EQ(caught.vector, 13);
    CHECK_EQ(caught.error, 0x78);
}

/* A handler that cannot be entered makes a double fault of contributory exceptions, and only of
 * those. */
static void double_faults(void)
{
    uint64_t kept = idt[13];

    idt[13] &= ~((uint64_t)0x8000 << 32); /* not present */
    forget_exceptions();
    load_selector(0x50);
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.vector, 8);
    CHECK_EQ(caught.error, 0);
    idt[13] = kept;

    kept = idt[14];
    idt[14] = (idt[14] & ~((uint64_t)0xffff << 16)) | (uint64_t)0x50 << 16; /* no such segment */
    paging_on(MODE_32);
    set_entry(0, 0);
    forget_exceptions();
    do_read();
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.vector, 8);
    CHECK_EQ(caught.cr2, PROBE + 8);
    idt[14] = kept;
    paging_off();

    /* #UD is benign: the fault of its delivery is what arrives. */
    kept = idt[6];
    idt[6] &= ~((uint64_t)0x8000 << 32);
    forget_exceptions();
    __asm__ volatile("movl $1f, resume_at\n\tud2\n1:" : : : "memory");
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.vector, 11);
    CHECK_EQ(caught.error, 6 * 8 + 3); /* gate 6, met while an exception was delivered */
    idt[6] = kept;
}

void guest_main(void)
{
    has_nx = cpu_has_nx();
    put_text(has_nx ? "no-execute\n" : "no no-execute\n");
    fill_tables();
    all_error_codes(MODE_32);
    all_error_codes(MODE_PAE);
    if (has_nx) {
        all_error_codes(MODE_NX);
    }
    reserved_bit_of_a_large_page();
    tables_on_a_supervisor_page();
    rep_across_faults(MODE_32, false);
    rep_across_faults(MODE_PAE, false);
    rep_across_faults(MODE_32, true);
    general_protection_in_a_row();
    double_faults();
}
