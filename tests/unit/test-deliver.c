/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of interrupts and exceptions in protected mode: each gate type, each fault with its
 * error code, the frames byte by byte. Other modes are in test-deliver-modes.c, escalation in
 * test-escalate.c.
 */
#include "tests/unit/deliver-fixture.h"

#define EXTERNAL X86_EVENT_EXTERNAL
#define SOFTWARE X86_EVENT_SOFTWARE_INT
#define EXCEPTION X86_EVENT_EXCEPTION

enum { TS = 10, NP = 11, SS = 12, GP = 13, PF = 14 };
#define IN_IDT (VECTOR * 8 + 2) /* error code that names the gate */

/*
 * One way to fail: what is written over the guest's tables, what is changed in the registers (0
 * leaves it), and the fault that must come of it.
 */
typedef struct Refusal {
    const char *what;
    X86EventKind kind;
    unsigned vector;
    uint32_t error;
    struct {
        GPhys gpa;
        uint64_t value;
        unsigned len;
    } patch[2];
    unsigned cpl; /* if not 3: 4 means ring 0 */
    uint32_t idt_limit, gdt_limit, tr_limit, tr_attr, ss_limit, esp;
    uint16_t ldtr;
} Refusal;

#define THE_GATE IDT + VECTOR * 8
#define SS0 TSS32 + 8
#define ESP0 TSS32 + 4
#define RING0 .cpl = 4

/* clang-format off */
static const Refusal refusals[] = {
    /* the gate */
    { "gate beyond the IDT", EXTERNAL, GP, IN_IDT | 1, .idt_limit = VECTOR * 8 + 6 },
    { "gate beyond the IDT, INT n: EXT clear", SOFTWARE, GP, IN_IDT, .idt_limit = VECTOR * 8 + 6 },
    { "gate beyond the IDT, exception", EXCEPTION, GP, IN_IDT | 1, .idt_limit = VECTOR * 8 - 1 },
    { "no gate type", EXTERNAL, GP, IN_IDT | 1, .patch = { { THE_GATE, GATE(12, 3, 1, CODE0, 0), 8 } } },
    { "code segment descriptor in the IDT", EXTERNAL, GP, IN_IDT | 1,
      .patch = { { THE_GATE, GATE(0x1e, 3, 1, CODE0, 0), 8 } } },
    { "gate type 0", EXTERNAL, GP, IN_IDT | 1, .patch = { { THE_GATE, 0, 8 } } },
    { "INT n needs the gate's DPL", SOFTWARE, GP, IN_IDT, .patch = { { THE_GATE, GATE(14, 2, 1, CODE0, 0), 8 } } },
    { "DPL goes before P", SOFTWARE, GP, IN_IDT, .patch = { { THE_GATE, GATE(14, 0, 0, CODE0, 0), 8 } } },
    { "type goes before P", EXTERNAL, GP, IN_IDT | 1, .patch = { { THE_GATE, GATE(12, 3, 0, CODE0, 0), 8 } } },
    { "gate not present", EXTERNAL, NP, IN_IDT | 1, .patch = { { THE_GATE, GATE(14, 3, 0, CODE0, 0), 8 } } },
    { "gate not present, INT n", SOFTWARE, NP, IN_IDT, .patch = { { THE_GATE, GATE(15, 3, 0, CODE0, 0), 8 } } },
    { "task gate not present", EXTERNAL, NP, IN_IDT | 1, .patch = { { THE_GATE, GATE(5, 3, 0, 0xf0, 0), 8 } } },
    /* the code segment */
    { "null selector, whatever descriptor 0 holds", EXTERNAL, GP, 1,
      .patch = { { THE_GATE, INT32(3, 0), 8 }, { GDT, DESC(0, 0xfffff, 0xc09b), 8 } } },
    { "null selector, INT n", SOFTWARE, GP, 0,
      .patch = { { THE_GATE, INT32(0, 0), 8 }, { GDT, DESC(0, 0xfffff, 0xc09b), 8 } } },
    { "selector beyond the GDT", EXTERNAL, GP, GDT_END | 1, .patch = { { THE_GATE, INT32(GDT_END | 3, 0), 8 } } },
    { "last byte of the descriptor beyond the GDT", SOFTWARE, GP, CODE0,
      .gdt_limit = CODE0 + 6 },
    { "selector beyond the LDT", SOFTWARE, GP, LDT_END | 4, .patch = { { THE_GATE, INT32(LDT_END | 4, 0), 8 } } },
    { "LDT selector without an LDT", SOFTWARE, GP, LDT_CODE0, .patch = { { THE_GATE, INT32(LDT_CODE0, 0), 8 } },
      .ldtr = 3 },
    { "data segment", EXTERNAL, GP, DATA0 | 1, .patch = { { THE_GATE, INT32(DATA0, 0), 8 } } },
    { "system segment", SOFTWARE, GP, SYSTEM, .patch = { { THE_GATE, INT32(SYSTEM, 0), 8 } } },
    { "outer code segment", EXTERNAL, GP, CODE3 | 1, .patch = { { THE_GATE, INT32(CODE3, 0), 8 } }, RING0 },
    { "code segment not present", EXTERNAL, NP, CODE_ABSENT | 1, .patch = { { THE_GATE, INT32(CODE_ABSENT, 0), 8 } } },
    { "code segment not present, INT n", SOFTWARE, NP, CODE_ABSENT,
      .patch = { { THE_GATE, INT32(CODE_ABSENT | 3, 0), 8 } } },
    { "offset beyond the code segment", EXTERNAL, GP, 1, .patch = { { THE_GATE, INT32(CODE_SMALL, 0x100), 8 } } },
    { "offset beyond the code segment, same ring", SOFTWARE, GP, 0,
      .patch = { { THE_GATE, INT32(CODE_SMALL, 0x100), 8 } }, RING0 },
    /* the TSS */
    { "TSS too short for ESP0", EXTERNAL, TS, 0xf0 | 1, .tr_limit = 8 },
    { "TSS too short for SS1", SOFTWARE, TS, 0xf0, .patch = { { THE_GATE, INT32(CODE1, 0), 8 } }, .tr_limit = 16 },
    { "16-bit TSS too short", SOFTWARE, TS, 0xf0, .tr_limit = 4, .tr_attr = 0x83 },
    { "TR is no TSS", SOFTWARE, TS, 0xf0, .tr_attr = 0x82 },
    /* the new stack segment */
    { "null SS, whatever descriptor 0 holds", EXTERNAL, TS, 1,
      .patch = { { SS0, 0, 2 }, { GDT, DESC(0, 0xfffff, 0xc093), 8 } } },
    { "null SS with RPL", SOFTWARE, TS, 0, .patch = { { SS0, 3, 2 } } },
    { "SS beyond the GDT", EXTERNAL, TS, GDT_END | 1, .patch = { { SS0, GDT_END, 2 } } },
    { "SS with another RPL", SOFTWARE, TS, DATA0, .patch = { { SS0, DATA0 | 1, 2 } } },
    { "SS with another DPL", SOFTWARE, TS, DATA3, .patch = { { SS0, DATA3, 2 } } },
    { "SS read-only", EXTERNAL, TS, DATA_READONLY | 1, .patch = { { SS0, DATA_READONLY, 2 } } },
    { "SS is code", SOFTWARE, TS, CODE0, .patch = { { SS0, CODE0, 2 } } },
    { "SS is a system segment", SOFTWARE, TS, SYSTEM, .patch = { { SS0, SYSTEM, 2 } } },
    { "SS not present", EXTERNAL, SS, DATA_ABSENT | 1, .patch = { { SS0, DATA_ABSENT, 2 } } },
    { "SS not present, INT n", SOFTWARE, SS, DATA_ABSENT, .patch = { { SS0, DATA_ABSENT, 2 } } },
    /* room on the stack: 20 bytes with a change of ring, 12 without */
    { "new stack too small", EXTERNAL, SS, DATA_DOWN | 1, .patch = { { SS0, DATA_DOWN, 2 }, { ESP0, 0x9013, 4 } } },
    { "new stack too small, INT n", SOFTWARE, SS, DATA_DOWN, .patch = { { SS0, DATA_DOWN, 2 }, { ESP0, 0x9004, 4 } } },
    { "wrap to the top of an expand-down segment with B clear", SOFTWARE, SS, DATA_DOWN16,
      .patch = { { SS0, DATA_DOWN16, 2 }, { ESP0, 0x8013, 4 } } },
    { "old stack too small", EXTERNAL, SS, 1, .cpl = 4, .ss_limit = 0x6fee },
    { "old stack too small, INT n", SOFTWARE, SS, 0, .cpl = 4, .ss_limit = 0x6fee },
    { "a push across the end of 4 GiB", SOFTWARE, SS, 0, .cpl = 4, .esp = 2 },
    { "room goes before the offset", EXTERNAL, SS, 1, .patch = { { THE_GATE, INT32(CODE_SMALL, 0x100), 8 } },
      .cpl = 4, .ss_limit = 0x6fee },
};
/* clang-format on */

static void apply(const Refusal *r)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(r->patch) && r->patch[i].len != 0; i++) {
        put(r->patch[i].gpa, r->patch[i].value, r->patch[i].len);
    }
    if (r->cpl == 4) {
        set_ring(0);
    }
    st.idtr.limit = r->idt_limit != 0 ? r->idt_limit : st.idtr.limit;
    st.gdtr.limit = r->gdt_limit != 0 ? r->gdt_limit : st.gdtr.limit;
    st.tr.limit = r->tr_limit != 0 ? r->tr_limit : st.tr.limit;
    st.tr.attr = r->tr_attr != 0 ? r->tr_attr : st.tr.attr;
    st.seg[X86_SS].limit = r->ss_limit != 0 ? r->ss_limit : st.seg[X86_SS].limit;
    st.gpr[X86_RSP] = r->esp != 0 ? r->esp : st.gpr[X86_RSP];
    st.ldtr.selector = r->ldtr != 0 ? r->ldtr : st.ldtr.selector;
}

START_TEST(refusal_has_its_vector_and_error_and_changes_nothing)
{
    const Refusal *r = &refusals[_i];
    X86State before;

    apply(r);
    memcpy(&before, &st, sizeof(st));

    X86DeliverResult result = deliver(event(r->kind, VECTOR));

    ck_assert_msg(result == X86_DELIVER_FAULT, "%s: result %d", r->what, result);
    ck_assert_msg(out.vector == r->vector, "%s: vector %u", r->what, out.vector);
    ck_assert_msg(out.error == r->error, "%s: error %#x", r->what, out.error);
    ck_assert_msg(out.has_error, "%s: no error code", r->what);
    ck_assert_msg(memcmp(&before, &st, sizeof(st)) == 0, "%s: state changed", r->what);
    check_stacks_untouched();
}
END_TEST

/* Just enough room: the other side of the rows above. */
static const struct {
    unsigned cpl;
    uint32_t ss_limit, esp0;
    uint16_t ss0;
    unsigned esp_after;
} fits[] = {
    { 0, 0x6fef, 0, 0, STACK3 - 12 },
    { 3, 0, 0x9014, DATA_DOWN, 0x9000 },
    { 3, 0, 0x8014, DATA_DOWN16, 0x8000 },
    { 3, 0, 0, DATA_DOWN, 0xffffffec }, /* from the very top, which no memory answers */
    { 3, 0, 0x10000, DATA_DOWN16, 0x1ffec },
    { 3, 0, 4, DATA16, 0xfff0 },
};

/* Limits that reach just far enough. */
static const struct {
    uint32_t idt_limit, gdt_limit, tr_limit, tr_attr;
} limits[] = {
    { VECTOR * 8 + 7, GDT_END - 1, 0x67, 0x8b },
    { 0x7ff, DATA0 + 7, 0x67, 0x8b },
    { 0x7ff, GDT_END - 1, 9, 0x8b },
    { 0x7ff, GDT_END - 1, 9, 0x89 },
    { 0x7ff, GDT_END - 1, 5, 0x83 },
};

START_TEST(limit_is_the_last_byte)
{
    st.idtr.limit = limits[_i].idt_limit;
    st.gdtr.limit = limits[_i].gdt_limit;
    set_tr(limits[_i].tr_attr == 0x83 ? TSS16 : TSS32, limits[_i].tr_limit, limits[_i].tr_attr);
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
}
END_TEST

START_TEST(frame_that_just_fits_is_pushed)
{
    if (fits[_i].ss0 != 0) {
        put(SS0, fits[_i].ss0, 2);
        put(ESP0, fits[_i].esp0, 4);
    } else {
        set_ring(0);
        st.seg[X86_SS].limit = fits[_i].ss_limit;
    }
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.gpr[X86_RSP], fits[_i].esp_after);
}
END_TEST

/* A delivery that works, and the bytes it leaves from the new stack pointer up. */
typedef struct Frame {
    const char *what;
    unsigned cpl;
    uint64_t gate;
    bool tss16;
    bool has_error;
    uint32_t rsp_after;
    GPhys at; /* linear address of the frame */
    unsigned n;
    uint8_t bytes[24];
    uint64_t rip;
    uint16_t cs, ss;
    unsigned cpl_after;
    bool if_after;
} Frame;

#define EIP_BYTES 0x34, 0x12, 0x40, 0x00
#define FLAGS_BYTES 0x02, 0x02, 0x00, 0x00
#define ERROR_BYTES 0xa8, 0xbc, 0x00, 0x00

/* clang-format off */
static const Frame frames[] = {
    { "32-bit gate, ring 3 to 0", 3, INT32(CODE0, HANDLER), false, false, STACK0 - 20, STACK0 - 20, 20,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES, 0xf0, 0x6f, 0, 0, DATA3 | 3, 0, 0, 0 },
      HANDLER, CODE0, DATA0, 0, false },
    { "with an error code", 3, INT32(CODE0, HANDLER), false, true, STACK0 - 24, STACK0 - 24, 24,
      { ERROR_BYTES, EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES, 0xf0, 0x6f, 0, 0, DATA3 | 3, 0, 0, 0 },
      HANDLER, CODE0, DATA0, 0, false },
    { "trap gate keeps IF", 3, GATE(15, 3, 1, CODE0, HANDLER), false, false, STACK0 - 20, STACK0 - 20, 20,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES, 0xf0, 0x6f, 0, 0, DATA3 | 3, 0, 0, 0 },
      HANDLER, CODE0, DATA0, 0, true },
    { "ring 3 to 1 takes stack 1", 3, INT32(CODE1, HANDLER), false, false, STACK1 - 20, STACK1 - 20, 20,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES, 0xf0, 0x6f, 0, 0, DATA3 | 3, 0, 0, 0 },
      HANDLER, CODE1 | 1, DATA1 | 1, 1, false },
    { "same ring", 0, INT32(CODE0 | 3, HANDLER), false, false, STACK3 - 12, STACK3 - 12, 12,
      { EIP_BYTES, CODE0, 0, 0, 0, FLAGS_BYTES }, HANDLER, CODE0, DATA0, 0, false },
    { "same ring with an error code", 0, INT32(CODE0, HANDLER), false, true, STACK3 - 16, STACK3 - 16, 16,
      { ERROR_BYTES, EIP_BYTES, CODE0, 0, 0, 0, FLAGS_BYTES }, HANDLER, CODE0, DATA0, 0, false },
    { "ring 3 to ring 3", 3, INT32(CODE3, HANDLER), false, false, STACK3 - 12, STACK3 - 12, 12,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES }, HANDLER, CODE3 | 3, DATA3 | 3, 3, false },
    { "conforming code stays in its caller's ring", 3, INT32(CONFORMING, HANDLER), false, false,
      STACK3 - 12, STACK3 - 12, 12,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES }, HANDLER, CONFORMING | 3, DATA3 | 3, 3, false },
    { "code segment from the LDT", 0, INT32(LDT_CODE0, HANDLER), false, false, STACK3 - 12, STACK3 - 12, 12,
      { EIP_BYTES, CODE0, 0, 0, 0, FLAGS_BYTES }, HANDLER, LDT_CODE0, DATA0, 0, false },
    { "16-bit gate, ring 3 to 0", 3, GATE(6, 3, 1, CODE16, HANDLER), false, false, STACK0 - 10, STACK0 - 10, 10,
      { 0x34, 0x12, CODE3 | 3, 0, 0x02, 0x02, 0xf0, 0x6f, DATA3 | 3, 0 },
      0x5678, CODE16, DATA0, 0, false },
    { "16-bit gate with an error code", 3, GATE(6, 3, 1, CODE16, HANDLER), false, true,
      STACK0 - 12, STACK0 - 12, 12,
      { 0xa8, 0xbc, 0x34, 0x12, CODE3 | 3, 0, 0x02, 0x02, 0xf0, 0x6f, DATA3 | 3, 0 },
      0x5678, CODE16, DATA0, 0, false },
    { "16-bit trap gate, same ring", 0, GATE(7, 3, 1, CODE16, HANDLER), false, false, STACK3 - 6, STACK3 - 6, 6,
      { 0x34, 0x12, CODE0, 0, 0x02, 0x02 }, 0x5678, CODE16, DATA0, 0, true },
    { "16-bit TSS, stack with B clear", 3, INT32(CODE0, HANDLER), true, false, 0x8010 - 20, 0x38010 - 20, 20,
      { EIP_BYTES, CODE3 | 3, 0, 0, 0, FLAGS_BYTES, 0xf0, 0x6f, 0, 0, DATA3 | 3, 0, 0, 0 },
      HANDLER, CODE0, DATA16, 0, false },
};
/* clang-format on */

START_TEST(frame_is_exact)
{
    const Frame *f = &frames[_i];
    uint8_t got[26];

    set_ring(f->cpl);
    put_gate(VECTOR, f->gate);
    if (f->tss16) {
        set_tr(TSS16, 0x2b, 0x83);
    }
    put(f->at - 1, 0x99, 1);
    put(f->at + f->n, 0x99, 1);

    X86Event what = event(EXTERNAL, VECTOR);

    what.has_error = f->has_error;
    what.error = 0xbca8;
    ck_assert_msg(deliver(what) == X86_DELIVER_OK, "%s: vector %u error %#x", f->what, out.vector,
                  out.error);
    pgm_read(pgm, f->at - 1, got, f->n + 2, MEM_ORIGIN_DEBUGGER);
    ck_assert_msg(got[0] == 0x99 && got[f->n + 1] == 0x99, "%s: bytes beside the frame", f->what);
    ck_assert_msg(memcmp(got + 1, f->bytes, f->n) == 0, "%s: frame", f->what);
    ck_assert_msg(st.gpr[X86_RSP] == f->rsp_after, "%s: esp", f->what);
    ck_assert_msg(st.rip == f->rip, "%s: eip", f->what);
    ck_assert_msg(st.seg[X86_CS].selector == f->cs, "%s: cs", f->what);
    ck_assert_msg(st.seg[X86_SS].selector == f->ss, "%s: ss", f->what);
    ck_assert_msg(st.paging.cpl == f->cpl_after, "%s: cpl", f->what);
    ck_assert_msg(st.rflags == (f->if_after ? 0x202u : 0x2u), "%s: eflags", f->what);
    ck_assert_uint_eq(st.paging.eflags, st.rflags);
    ck_assert_uint_eq(out.vector, VECTOR);
}
END_TEST

START_TEST(hidden_parts_come_from_the_descriptors)
{
    put_gate(VECTOR, GATE(6, 3, 1, CODE16, HANDLER));
    set_tr(TSS16, 0x2b, 0x81); /* not busy is good enough */
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.seg[X86_CS].base, 0x20000);
    ck_assert_uint_eq(st.seg[X86_CS].limit, 0xffff);
    ck_assert_uint_eq(st.seg[X86_CS].attr, 0x009b);
    ck_assert_uint_eq(st.seg[X86_SS].base, 0x30000);
    ck_assert_uint_eq(st.seg[X86_SS].limit, 0xffff);
    ck_assert_uint_eq(st.seg[X86_SS].attr, 0x0093);
}
END_TEST

START_TEST(stack_pointer_of_16_bits_wraps_and_keeps_its_upper_half)
{
    set_ring(0);
    st.seg[X86_SS] = seg(DATA16);
    st.gpr[X86_RSP] = 0xabcd0004;
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.gpr[X86_RSP], 0xabcdfff8);
    ck_assert_uint_eq(get(0x30000, 4), FLAGS);
    ck_assert_uint_eq(get(0x3fffc, 4), CODE0);
    ck_assert_uint_eq(get(0x3fff8, 4), EIP);
}
END_TEST

/* Flags on the way in: what the handler gets and what its frame shows. */
#define ALL_FLAGS 0x00054fd7u /* AC, RF, NT, IF, TF and the arithmetic ones */
static const struct {
    X86EventKind kind;
    unsigned vector;
    unsigned gate_type;
    uint64_t flags, pushed, after;
} flag_rows[] = {
    { EXTERNAL, VECTOR, 14, ALL_FLAGS, ALL_FLAGS, 0x40cd7 },
    { EXTERNAL, VECTOR, 15, ALL_FLAGS, ALL_FLAGS, 0x40ed7 },
    { SOFTWARE, VECTOR, 14, 0x202, 0x202, 0x2 },
    { SOFTWARE, 13, 14, 0x202, 0x202, 0x2 }, /* INT 13 is no fault */
    { EXTERNAL, 14, 14, 0x202, 0x202, 0x2 },
    { EXCEPTION, 0, 14, 0x202, 0x10202, 0x2 },
    { EXCEPTION, 1, 14, 0x202, 0x202, 0x2 },
    { EXCEPTION, 3, 14, 0x202, 0x202, 0x2 },
    { EXCEPTION, 4, 14, 0x202, 0x202, 0x2 },
    { EXCEPTION, 6, 15, 0x202, 0x10202, 0x202 },
    { EXCEPTION, 8, 14, 0x202, 0x202, 0x2 },
    { EXCEPTION, 14, 14, 0x202, 0x10202, 0x2 },
};

START_TEST(flags_are_pushed_and_cleared_as_the_event_asks)
{
    set_ring(0);
    st.rflags = flag_rows[_i].flags;
    put_gate(flag_rows[_i].vector, GATE(flag_rows[_i].gate_type, 3, 1, CODE0, HANDLER));
    ck_assert_int_eq(deliver(event(flag_rows[_i].kind, flag_rows[_i].vector)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(STACK3 - 4, 4), flag_rows[_i].pushed);
    ck_assert_uint_eq(st.rflags, flag_rows[_i].after);
}
END_TEST

START_TEST(int_n_may_use_a_gate_of_its_own_ring)
{
    put_gate(VECTOR, GATE(14, 3, 1, CODE0, HANDLER));
    ck_assert_int_eq(deliver(event(SOFTWARE, VECTOR)), X86_DELIVER_OK);
    setup_registers();
    put_gate(VECTOR, GATE(14, 0, 1, CODE0, HANDLER)); /* DPL is nothing to the others */
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    setup_registers();
    ck_assert_int_eq(deliver(event(EXCEPTION, VECTOR)), X86_DELIVER_OK);
}
END_TEST

START_TEST(accessed_bits_are_set_in_the_table)
{
    put_gate(VECTOR, INT32(CODE_FRESH, HANDLER));
    put(SS0, DATA_FRESH, 2);
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(GDT + CODE_FRESH, 8), gdt_image[CODE_FRESH >> 3] | UINT64_C(1) << 40);
    ck_assert_uint_eq(get(GDT + DATA_FRESH, 8), gdt_image[DATA_FRESH >> 3] | UINT64_C(1) << 40);
    ck_assert_uint_eq(st.seg[X86_CS].attr, 0xc09b);
    ck_assert_uint_eq(st.seg[X86_SS].attr, 0xc093);
}
END_TEST

/* Paging on; one page made as told; the page fault that follows, or none. */
static const struct {
    const char *what;
    unsigned page;
    uint32_t entry;
    uint64_t gate;
    uint64_t cr4;
    uint32_t flags;
    bool ok;
    uint32_t error;
    uint64_t cr2;
} page_rows[] = {
    { "IDT missing", 2, 0, INT32(CODE0, HANDLER), 0, FLAGS, false, 0, THE_GATE },
    { "IDT is read with supervisor rights", 2, 0x2063, INT32(CODE0, HANDLER), 0, FLAGS, true, 0,
      0 },
    { "GDT missing", 1, 0, INT32(CODE0, HANDLER), 0, FLAGS, false, 0, GDT + CODE0 },
    { "GDT is read with supervisor rights", 1, 0x1063, INT32(CODE0, HANDLER), 0, FLAGS, true, 0,
      0 },
    { "read-only GDT will do", 1, 0x1061, INT32(CODE0, HANDLER), 0, FLAGS, true, 0, 0 },
    { "unless an accessed bit has to be set", 1, 0x1061, INT32(CODE_FRESH, HANDLER), 0, FLAGS,
      false, 3, GDT + CODE_FRESH + 5 },
    { "TSS missing", 3, 0, INT32(CODE0, HANDLER), 0, FLAGS, false, 0, TSS32 + 4 },
    { "TSS is read with supervisor rights", 3, 0x3063, INT32(CODE0, HANDLER), 0, FLAGS, true, 0,
      0 },
    { "new stack missing", 9, 0, INT32(CODE0, HANDLER), 0, FLAGS, false, 2, STACK0 - 4 },
    { "second page of the frame missing: nothing is written", 8, 0, INT32(CODE0, HANDLER), 0, FLAGS,
      false, 2, STACK0 - 20 },
    { "new stack read-only", 9, 0x9061, INT32(CODE0, HANDLER), 0, FLAGS, false, 3, STACK0 - 4 },
    { "new stack is the supervisor's", 9, 0x9063, INT32(CODE0, HANDLER), 0, FLAGS, true, 0, 0 },
    { "own stack is the user's in ring 3", 6, 0x6063, INT32(CODE3, HANDLER), 0, FLAGS, false, 7,
      STACK3 - 4 },
    { "SMAP guards the table reads whatever AC says", 2, 0x2067, INT32(CODE0, HANDLER), 0x200000,
      FLAGS | 0x40000, false, 1, THE_GATE },
};

START_TEST(page_faults_of_the_delivery)
{
    page_on();
    put_pte(page_rows[_i].page, page_rows[_i].entry);
    put_gate(VECTOR, page_rows[_i].gate);
    st.paging.cr4 = page_rows[_i].cr4;
    st.rflags = page_rows[_i].flags;

    X86DeliverResult result = deliver(event(EXTERNAL, VECTOR));

    if (page_rows[_i].ok) {
        ck_assert_msg(result == X86_DELIVER_OK, "%s: %d, vector %u, error %#x", page_rows[_i].what,
                      result, out.vector, out.error);
        return;
    }
    ck_assert_msg(result == X86_DELIVER_FAULT && out.vector == PF, "%s: %d, vector %u",
                  page_rows[_i].what, result, out.vector);
    ck_assert_msg(out.error == page_rows[_i].error, "%s: error %#x", page_rows[_i].what, out.error);
    ck_assert_msg(st.cr2 == page_rows[_i].cr2, "%s: cr2 %#llx", page_rows[_i].what,
                  (unsigned long long)st.cr2);
    ck_assert_uint_eq(st.rip, EIP);
    check_stacks_untouched();
}
END_TEST

START_TEST(smap_stops_pushes_to_user_pages_in_a_ring_change)
{
    page_on();
    for (unsigned page = 1; page < 4; page++) {
        put_pte(page, page << 12 | 0x63); /* the tables are the supervisor's */
    }
    st.paging.cr4 = 0x200000;
    st.rflags |= 0x40000; /* ring 3 set AC: no key to ring 0 */
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_FAULT);
    ck_assert_uint_eq(out.vector, PF);
    ck_assert_uint_eq(out.error, 3);
    ck_assert_uint_eq(st.cr2, STACK0 - 4);
}
END_TEST

START_TEST(push_across_pages_follows_the_page_tables)
{
    page_on();
    put_pte(8, 0x80000 | 0x67); /* the lower half of the frame lies elsewhere */
    put(ESP0, 0x9002, 4);       /* the first push itself lies across */
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(0x9000, 2), 0); /* upper half of SS */
    ck_assert_uint_eq(get(0x80ffe, 2), DATA3 | 3);
    ck_assert_uint_eq(get(0x80ffa, 4), STACK3);
    ck_assert_uint_eq(get(0x80fee, 4), EIP);
    ck_assert_uint_eq(get(0x8ff0, 8), 0);
    ck_assert_uint_eq(get(PAGE_TABLE + 8 * 4, 4), 0x80067);
}
END_TEST

START_TEST(push_may_be_split_anywhere)
{
    page_on();
    put_pte(8, 0x80000 | 0x67);
    put(ESP0, 0x9005, 4); /* three bytes of the old ESP below the border, one above */
    st.gpr[X86_RSP] = 0xaabbccdd;
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(0x80ffd, 3), 0xbbccdd);
    ck_assert_uint_eq(get(0x9000, 2), 0x23aa); /* and SS after it */
}
END_TEST

/* Pushes in the same ring are explicit accesses: AC, as rflags has it, opens user pages. */
static const struct {
    uint32_t rflags_ac, stale_ac;
    X86DeliverResult result;
} ac_rows[] = {
    { 0x40000, 0, X86_DELIVER_OK },
    { 0, 0x40000, X86_DELIVER_FAULT },
};

START_TEST(smap_looks_at_ac_of_rflags)
{
    page_on();
    for (unsigned page = 1; page < 4; page++) {
        put_pte(page, page << 12 | 0x63);
    }
    set_ring(0);
    st.paging.cr4 = 0x200000;
    st.rflags |= ac_rows[_i].rflags_ac;
    st.paging.eflags = ac_rows[_i].stale_ac;
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), ac_rows[_i].result);
    if (ac_rows[_i].result == X86_DELIVER_FAULT) {
        ck_assert_uint_eq(out.vector, PF);
        ck_assert_uint_eq(out.error, 3);
    }
}
END_TEST

START_TEST(table_entries_across_pages_are_read_whole)
{
    page_on();
    put_pte(2, 0x70000 | 0x67);
    put_pte(3, 0x73000 | 0x67);
    st.idtr.base = 0x3000 - VECTOR * 8 - 3; /* three bytes of the gate below, five above */
    put(0x70ffd, INT32(CODE3, HANDLER), 3);
    put(0x73000, INT32(CODE3, HANDLER) >> 24, 5);
    ck_assert_int_eq(deliver(event(EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.rip, HANDLER);
    ck_assert_uint_eq(st.seg[X86_CS].selector, CODE3 | 3);
}
END_TEST

static Suite *deliver_suite(void)
{
    Suite *suite = suite_create("deliver");
    TCase *tcase = tcase_create("protected");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, refusal_has_its_vector_and_error_and_changes_nothing, 0,
                        G_N_ELEMENTS(refusals));
    tcase_add_loop_test(tcase, frame_that_just_fits_is_pushed, 0, G_N_ELEMENTS(fits));
    tcase_add_loop_test(tcase, limit_is_the_last_byte, 0, G_N_ELEMENTS(limits));
    tcase_add_loop_test(tcase, frame_is_exact, 0, G_N_ELEMENTS(frames));
    tcase_add_test(tcase, hidden_parts_come_from_the_descriptors);
    tcase_add_test(tcase, stack_pointer_of_16_bits_wraps_and_keeps_its_upper_half);
    tcase_add_loop_test(tcase, flags_are_pushed_and_cleared_as_the_event_asks, 0,
                        G_N_ELEMENTS(flag_rows));
    tcase_add_test(tcase, int_n_may_use_a_gate_of_its_own_ring);
    tcase_add_test(tcase, accessed_bits_are_set_in_the_table);
    tcase_add_loop_test(tcase, page_faults_of_the_delivery, 0, G_N_ELEMENTS(page_rows));
    tcase_add_test(tcase, smap_stops_pushes_to_user_pages_in_a_ring_change);
    tcase_add_test(tcase, push_across_pages_follows_the_page_tables);
    tcase_add_test(tcase, push_may_be_split_anywhere);
    tcase_add_loop_test(tcase, smap_looks_at_ac_of_rflags, 0, G_N_ELEMENTS(ac_rows));
    tcase_add_test(tcase, table_entries_across_pages_are_read_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(deliver_suite());

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
