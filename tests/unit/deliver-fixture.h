/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for the tests of delivery: 4 MiB of RAM with GDT, LDT, IDT, two TSSs, stacks and page
 * tables at fixed places, and a register file in ring 3 of 32-bit protected mode with paging off. A
 * test changes what it wants before it delivers.
 */
#pragma once

#include "emu/x86/deliver.h"

#include "memsys/access.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GDT 0x1000u
#define LDT 0x1800u
#define IDT 0x2000u /* 256 gates of long mode fill the page */
#define TSS32 0x3000u
#define TSS16 0x3800u
#define STACK3 0x6ff0u /* ESP of ring 3 */
#define STACK0 0x9010u /* ESP0 */
#define STACK1 0xb010u
#define PAGE_DIR 0x10000u
#define PAGE_TABLE 0x11000u
#define PML4 0x12000u
#define RAM_SIZE (UINT64_C(4) << 20)

#define GATE(type, dpl, p, sel, off)                    \
    ((uint64_t)((off)&0xffff) | (uint64_t)(sel) << 16 | \
     (uint64_t)((p) << 7 | (dpl) << 5 | (type)) << 40 | (uint64_t)((off) >> 16 & 0xffff) << 48)
#define INT32(sel, off) GATE(14, 3, 1, sel, off)

/* @attr as X86Seg has it; @limit is the 20-bit field. */
#define DESC(base, limit, attr)                                                                \
    ((uint64_t)((limit)&0xffff) | (uint64_t)((base)&0xffffff) << 16 | (uint64_t)(attr) << 40 | \
     (uint64_t)((limit) >> 16 & 0xf) << 48 | (uint64_t)((base) >> 24 & 0xff) << 56)

/* Selectors, without RPL. */
enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x18,
    DATA3 = 0x20,
    CODE16 = 0x28,     /* ring 0, base 0x20000 */
    CONFORMING = 0x30, /* DPL 0 */
    CODE_ABSENT = 0x38,
    DATA_ABSENT = 0x40,
    DATA_READONLY = 0x48,
    DATA_DOWN = 0x50,  /* expand-down, above 0x8fff */
    CODE_SMALL = 0x58, /* limit 0xff */
    CODE1 = 0x60,
    DATA1 = 0x68,
    DATA16 = 0x70, /* ring 0, B = 0, base 0x30000, limit 0xffff */
    CODE64 = 0x78,
    CODE_FRESH = 0x80, /* accessed bit clear */
    DATA_FRESH = 0x88,
    SYSTEM = 0x90,      /* an LDT descriptor */
    DATA_DOWN16 = 0x98, /* expand-down with B = 0, above 0x7fff, base 0x40000 */
    GDT_END = 0xa0,
    LDT_CODE0 = 0x0c, /* index 1 of the LDT */
    LDT_END = 0x10,
};

static const uint64_t gdt_image[] = {
    0,
    DESC(0, 0xfffff, 0xc09b),
    DESC(0, 0xfffff, 0xc093),
    DESC(0, 0xfffff, 0xc0fb),
    DESC(0, 0xfffff, 0xc0f3),
    DESC(0x20000, 0xffff, 0x009b),
    DESC(0, 0xfffff, 0xc09f),
    DESC(0, 0xfffff, 0xc01b),
    DESC(0, 0xfffff, 0xc013),
    DESC(0, 0xfffff, 0xc091),
    DESC(0, 8, 0xc097),
    DESC(0, 0xff, 0x409b),
    DESC(0, 0xfffff, 0xc0bb),
    DESC(0, 0xfffff, 0xc0b3),
    DESC(0x30000, 0xffff, 0x0093),
    DESC(0, 0xfffff, 0xa09b),
    DESC(0, 0xfffff, 0xc09a),
    DESC(0, 0xfffff, 0xc092),
    DESC(LDT, 0xf, 0x0082),
    DESC(0x40000, 0x7fff, 0x0097),
};
G_STATIC_ASSERT(sizeof(gdt_image) == GDT_END);

#define VECTOR 0x40u
#define HANDLER 0x12345678u
#define EIP 0x00401234u
#define FLAGS 0x00000202u /* IF */

static Gmm *gmm;
static Pgm *pgm;
static PgmCpu *cpu;
static const PgmCpuCallbacks no_callbacks;
static X86State st;
static X86DeliverOut out;

static void put(GPhys gpa, uint64_t value, unsigned len)
{
    ck_assert_int_eq(pgm_write(pgm, gpa, &value, len, MEM_ORIGIN_LOADER), MEM_OK);
}

static uint64_t get(GPhys gpa, unsigned len)
{
    uint64_t value = 0;

    ck_assert_int_eq(pgm_read(pgm, gpa, &value, len, MEM_ORIGIN_DEBUGGER), MEM_OK);
    return value;
}

static void put_gate(unsigned vector, uint64_t gate)
{
    put(IDT + vector * 8, gate, 8);
}

static X86Seg seg(unsigned selector)
{
    return x86_decode_descriptor((uint16_t)selector, gdt_image[selector >> 3]);
}

/* Into ring @cpl with flat 32-bit segments. */
static void set_ring(unsigned cpl)
{
    static const uint16_t codes[] = { CODE0, CODE1, 0, CODE3 },
                          stacks[] = { DATA0, DATA1, 0, DATA3 };

    st.seg[X86_CS] = seg(codes[cpl] | cpl);
    st.seg[X86_SS] = seg(stacks[cpl] | cpl);
    st.paging.cpl = (uint8_t)cpl;
}

static void set_tr(GPhys base, uint32_t limit, uint32_t attr)
{
    st.tr = (X86Seg) { .selector = 0xf0, .base = base, .limit = limit, .attr = attr };
}

static void setup_tables(void)
{
    pgm_write(pgm, GDT, gdt_image, sizeof(gdt_image), MEM_ORIGIN_LOADER);
    put(LDT + 8, gdt_image[CODE0 >> 3], 8);
    put(TSS32 + 4, STACK0, 4);
    put(TSS32 + 8, DATA0, 4);
    put(TSS32 + 12, STACK1, 4);
    put(TSS32 + 16, DATA1 | 1, 4);
    put(TSS16 + 2, 0x8010, 2);
    put(TSS16 + 4, DATA16, 2);
    put_gate(VECTOR, INT32(CODE0, HANDLER));
}

static void setup_registers(void)
{
    st = (X86State) {
        .rip = EIP,
        .rflags = FLAGS,
        .gdtr = { GDT, GDT_END - 1 },
        .idtr = { IDT, 0x7ff },
        .ldtr = { .selector = SYSTEM, .base = LDT, .limit = LDT_END - 1, .attr = 0x82 },
        .paging = { .cr0 = 1, .maxphyaddr = 36, .has_nx = true, .has_1g = true },
    };
    for (unsigned i = 0; i < X86_N_GPR; i++) {
        st.gpr[i] = 0x10101010u * i;
    }
    st.gpr[X86_RSP] = STACK3;
    set_ring(3);
    set_tr(TSS32, 0x67, 0x8b);
    memset(&out, 0xcc, sizeof(out));
}

static void setup(void)
{
    gmm = gmm_new(64 << 20, NULL);
    ck_assert_ptr_nonnull(gmm);
    pgm = pgm_new(gmm, NULL, NULL);
    ck_assert_ptr_nonnull(pgm);
    ck_assert_int_eq(pgm_ram_register(pgm, 0, RAM_SIZE, "ram", NULL), MEM_OK);
    cpu = pgm_cpu_attach(pgm, &no_callbacks, NULL);
    setup_tables();
    setup_registers();
}

static void teardown(void)
{
    pgm_cpu_detach(cpu);
    pgm_free(pgm);
    gmm_free(gmm);
}

/* Identity map of the RAM, 32-bit, every page open to all. Page @n is pte(n). */
static inline void page_on(void)
{
    put(PAGE_DIR, PAGE_TABLE | 0x67, 4);
    for (unsigned i = 0; i < 1024; i++) {
        put(PAGE_TABLE + i * 4, i << 12 | 0x67, 4);
    }
    st.paging.cr0 |= 0x80010000; /* PG, WP */
    st.paging.cr3 = PAGE_DIR;
}

static inline void put_pte(unsigned page, uint32_t entry)
{
    put(PAGE_TABLE + page * 4, entry, 4);
}

/* Identity map of the RAM by 2 MiB pages, ring 0, 64-bit segments. */
static inline void long_mode(void)
{
    put(PML4, (PML4 + 0x1000) | 0x67, 8);
    put(PML4 + 0x1000, (PML4 + 0x2000) | 0x67, 8);
    put(PML4 + 0x2000, 0x0000e7, 8);
    put(PML4 + 0x2008, 0x2000e7, 8);
    st.paging.cr0 |= 0x80010000;
    st.paging.cr3 = PML4;
    st.paging.cr4 = 0x20;
    st.paging.efer = 0x500;
    set_ring(0);
    st.seg[X86_CS] = seg(CODE64);
    st.idtr.limit = 0xfff;
    st.gpr[X86_RSP] = STACK0 + 5;
}

static inline void put_gate64(unsigned vector, unsigned type_and_flags, unsigned selector,
                              unsigned ist, uint64_t offset)
{
    put(IDT + vector * 16,
        (offset & 0xffff) | selector << 16 | (uint64_t)ist << 32 | (uint64_t)type_and_flags << 40 |
            (offset >> 16 & 0xffff) << 48,
        8);
    put(IDT + vector * 16 + 8, offset >> 32, 8);
}

static inline X86Event event(X86EventKind kind, unsigned vector)
{
    return (X86Event) { .vector = (uint8_t)vector, .kind = kind, .insn_len = 2 };
}

static inline X86Event event_with_error(unsigned vector, uint32_t error)
{
    return (X86Event) {
        .vector = (uint8_t)vector, .kind = X86_EVENT_EXCEPTION, .has_error = true, .error = error
    };
}

static inline X86DeliverResult deliver(X86Event what)
{
    return x86_deliver(&st, cpu, &what, &out);
}

/* No byte of the stacks was written. */
static inline void check_stacks_untouched(void)
{
    for (GPhys gpa = 0x5000; gpa < 0xc000; gpa += 8) {
        if (get(gpa, 8) != 0) {
            ck_abort_msg("stack memory written at %#llx", (unsigned long long)gpa);
        }
    }
}
