/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery in real mode and in long mode, what is not supported, and a host without memory.
 */
#include "tests/unit/deliver-fixture.h"

enum { TS = 10, NP = 11, SS = 12, GP = 13, PF = 14 };

/* Real mode: CS 0x1234, SS 0x2000, a vector table at 0 unless a test moves it. */
static void real_mode(void)
{
    setup();
    st.paging.cr0 = 0x10;
    st.paging.cpl = 0;
    st.idtr = (X86Table) { 0, 0x3ff };
    st.seg[X86_CS] =
        (X86Seg) { .selector = 0x1234, .base = 0x12340, .limit = 0xffff, .attr = 0x9b };
    st.seg[X86_SS] =
        (X86Seg) { .selector = 0x2000, .base = 0x20000, .limit = 0xffff, .attr = 0x93 };
    st.rip = 0x5678;
    st.gpr[X86_RSP] = 0xabcd1000;
    put(VECTOR * 4, 0xf000e987, 4);
}

static const struct {
    X86EventKind kind;
    uint16_t sp;
    GPhys flags_at, cs_at, ip_at;
    uint16_t sp_after;
} real_frames[] = {
    { X86_EVENT_EXTERNAL, 0x1000, 0x20ffe, 0x20ffc, 0x20ffa, 0x0ffa },
    { X86_EVENT_SOFTWARE_INT, 0x1000, 0x20ffe, 0x20ffc, 0x20ffa, 0x0ffa },
    { X86_EVENT_EXCEPTION, 0x1001, 0x20fff, 0x20ffd, 0x20ffb, 0x0ffb },
    { X86_EVENT_EXTERNAL, 0, 0x2fffe, 0x2fffc, 0x2fffa, 0xfffa },
    { X86_EVENT_EXTERNAL, 2, 0x20000, 0x2fffe, 0x2fffc, 0xfffc },
    { X86_EVENT_EXTERNAL, 4, 0x20002, 0x20000, 0x2fffe, 0xfffe },
};

START_TEST(real_frame_is_three_words_and_sp_wraps)
{
    X86Event what = event(real_frames[_i].kind, VECTOR);

    what.has_error = true; /* real mode has none */
    what.error = 0x7777;
    st.rflags = 0x50346; /* AC, RF; TF, IF */
    st.gpr[X86_RSP] = 0xabcd0000 | real_frames[_i].sp;
    ck_assert_int_eq(deliver(what), X86_DELIVER_OK);
    ck_assert_uint_eq(get(real_frames[_i].flags_at, 2), 0x0346);
    ck_assert_uint_eq(get(real_frames[_i].cs_at, 2), 0x1234);
    ck_assert_uint_eq(get(real_frames[_i].ip_at, 2), 0x5678);
    ck_assert_uint_eq(st.gpr[X86_RSP], 0xabcd0000 | real_frames[_i].sp_after);
    ck_assert_uint_eq(st.rip, 0xe987);
    ck_assert_uint_eq(st.seg[X86_CS].selector, 0xf000);
    ck_assert_uint_eq(st.seg[X86_CS].base, 0xf0000);
    ck_assert_uint_eq(st.seg[X86_CS].limit, 0xffff);
    ck_assert_uint_eq(st.rflags, 0x46);
    ck_assert_uint_eq(st.paging.eflags, 0x46);
    ck_assert_uint_eq(st.paging.cpl, 0);
}
END_TEST

START_TEST(real_frame_touches_nothing_beside_it)
{
    put(0x20ff0, UINT64_MAX, 8);
    put(0x20ff8, UINT64_MAX, 8);
    put(0x21000, UINT64_MAX, 8);
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(0x20ff8, 8), UINT64_C(0x020212345678ffff));
    ck_assert_uint_eq(get(0x20ff0, 8), UINT64_MAX);
    ck_assert_uint_eq(get(0x21000, 8), UINT64_MAX);
}
END_TEST

START_TEST(real_vector_table_may_lie_anywhere)
{
    st.idtr.base = 0x12345;
    put(0x12345 + 255 * 4, 0x11112222, 4);
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, 255)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.rip, 0x2222);
    ck_assert_uint_eq(st.seg[X86_CS].base, 0x11110);
}
END_TEST

static const struct {
    uint32_t idt_limit;
    uint16_t sp;
    uint32_t ss_limit;
    X86DeliverResult result;
    unsigned vector;
} real_refusals[] = {
    { VECTOR * 4 + 2, 0x1000, 0xffff, X86_DELIVER_FAULT, GP },
    { VECTOR * 4 + 3, 0x1000, 0xffff, X86_DELIVER_OK, VECTOR },
    { 0x3ff, 1, 0xffff, X86_DELIVER_FAULT, SS }, /* the word at 0xffff */
    { 0x3ff, 3, 0xffff, X86_DELIVER_FAULT, SS },
    { 0x3ff, 5, 0xffff, X86_DELIVER_FAULT, SS },
    { 0x3ff, 7, 0xffff, X86_DELIVER_OK, VECTOR },
    { 0x3ff, 0x1000, 0x0ffe, X86_DELIVER_FAULT, SS },
    { 0x3ff, 0x1000, 0x0fff, X86_DELIVER_OK, VECTOR },
};

START_TEST(real_refusals_have_no_error_code)
{
    st.idtr.limit = real_refusals[_i].idt_limit;
    st.gpr[X86_RSP] = real_refusals[_i].sp;
    st.seg[X86_SS].limit = real_refusals[_i].ss_limit;

    X86State before = st;

    memcpy(&before, &st, sizeof(st));
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), real_refusals[_i].result);
    ck_assert_uint_eq(out.vector, real_refusals[_i].vector);
    ck_assert(!out.has_error);
    ck_assert_uint_eq(out.error, 0);
    if (real_refusals[_i].result != X86_DELIVER_OK) {
        ck_assert_mem_eq(&before, &st, sizeof(st));
    }
}
END_TEST

/* A stack segment that kept B from a visit to protected mode pushes through ESP. */
START_TEST(real_mode_with_a_big_stack_uses_esp)
{
    st.seg[X86_SS] = (X86Seg) { .limit = UINT32_MAX, .attr = 0xc093 };
    st.gpr[X86_RSP] = 0x30004;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.gpr[X86_RSP], 0x2fffe);
    ck_assert_uint_eq(get(0x2fffe, 2), 0x5678);
}
END_TEST

START_TEST(pushes_pass_the_a20_gate)
{
    pgm_cpu_set_a20(cpu, false);
    st.seg[X86_SS].base = 0x120000;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(0x20ffa, 2), 0x5678);
    ck_assert_uint_eq(get(0x120ffa, 2), 0);
}
END_TEST

/* ---- long mode ---- */

#define HANDLER64 UINT64_C(0xffff800012345678)
#define INT64 0x8e
#define TRAP64 0x8f
#define IST3 0xd008u

static void long_setup(void)
{
    setup();
    long_mode();
    put_gate64(VECTOR, INT64, CODE64, 0, HANDLER64);
    put(TSS32 + 0x24 + 2 * 8, IST3, 8);
}

static const struct {
    unsigned type, ist;
    bool has_error;
    uint64_t top; /* after alignment */
    bool if_after;
} long_frames[] = {
    { INT64, 0, false, STACK0, false }, { TRAP64, 0, false, STACK0, true },
    { INT64, 0, true, STACK0, false },  { INT64, 3, false, 0xd000, false },
    { TRAP64, 3, true, 0xd000, true },
};

START_TEST(long_frame_is_five_words_on_an_aligned_stack)
{
    uint64_t top = long_frames[_i].top;
    X86Event what = event(X86_EVENT_EXTERNAL, VECTOR);

    what.has_error = long_frames[_i].has_error;
    what.error = 0xabcd;
    st.rip = UINT64_C(0xffffffff80001234);
    put_gate64(VECTOR, long_frames[_i].type, CODE64, long_frames[_i].ist, HANDLER64);
    ck_assert_int_eq(deliver(what), X86_DELIVER_OK);
    ck_assert_uint_eq(get(top - 8, 8), DATA0);
    ck_assert_uint_eq(get(top - 16, 8), STACK0 + 5);
    ck_assert_uint_eq(get(top - 24, 8), FLAGS);
    ck_assert_uint_eq(get(top - 32, 8), CODE64);
    ck_assert_uint_eq(get(top - 40, 8), UINT64_C(0xffffffff80001234));
    ck_assert_uint_eq(get(top - 48, 8), long_frames[_i].has_error ? 0xabcd : 0);
    ck_assert_uint_eq(st.gpr[X86_RSP], top - (long_frames[_i].has_error ? 48 : 40));
    ck_assert_uint_eq(st.rip, HANDLER64);
    ck_assert_uint_eq(st.seg[X86_CS].selector, CODE64);
    ck_assert_uint_eq(st.seg[X86_SS].selector, DATA0);
    ck_assert_uint_eq(st.rflags, long_frames[_i].if_after ? 0x202 : 0x2);
}
END_TEST

START_TEST(long_mode_ignores_the_stack_segment_base_and_limit)
{
    st.seg[X86_SS].base = 0x100000;
    st.seg[X86_SS].limit = 1;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(STACK0 - 16, 8), STACK0 + 5);
}
END_TEST

static const struct {
    const char *what;
    X86EventKind kind;
    unsigned type, selector, ist;
    uint64_t offset;
    uint32_t idt_limit, tr_limit;
    uint64_t rsp, ist_rsp;
    unsigned vector;
    uint32_t error;
} long_refusals[] = {
    { "second half of the gate beyond the IDT", X86_EVENT_EXTERNAL, INT64, CODE64, 0, HANDLER64,
      VECTOR * 16 + 14, 0, 0, 0, GP, VECTOR * 8 + 3 },
    { "16-bit gate", X86_EVENT_EXTERNAL, 0x86, CODE64, 0, HANDLER64, 0, 0, 0, 0, GP,
      VECTOR * 8 + 3 },
    { "task gate", X86_EVENT_SOFTWARE_INT, 0x85, CODE64, 0, HANDLER64, 0, 0, 0, 0, GP,
      VECTOR * 8 + 2 },
    { "not present", X86_EVENT_EXTERNAL, 0x0e, CODE64, 0, HANDLER64, 0, 0, 0, 0, NP,
      VECTOR * 8 + 3 },
    { "32-bit code", X86_EVENT_EXTERNAL, INT64, CODE0, 0, HANDLER64, 0, 0, 0, 0, GP, CODE0 | 1 },
    { "outer code segment", X86_EVENT_EXTERNAL, INT64, CODE3, 0, HANDLER64, 0, 0, 0, 0, GP,
      CODE3 | 1 },
    { "null selector", X86_EVENT_SOFTWARE_INT, INT64, 0, 0, HANDLER64, 0, 0, 0, 0, GP, 0 },
    { "handler not canonical", X86_EVENT_EXTERNAL, INT64, CODE64, 0, UINT64_C(0x0000800000000000),
      0, 0, 0, 0, GP, 1 },
    { "stack not canonical", X86_EVENT_EXTERNAL, INT64, CODE64, 0, HANDLER64, 0, 0,
      UINT64_C(0x8000000000000000), 0, SS, 1 },
    { "stack runs out of the upper half", X86_EVENT_SOFTWARE_INT, INT64, CODE64, 0, HANDLER64, 0, 0,
      UINT64_C(0xffff800000000000), 0, SS, 0 },
    { "IST stack not canonical", X86_EVENT_EXTERNAL, INT64, CODE64, 3, HANDLER64, 0, 0, 0,
      UINT64_C(0x1000000000000000), SS, 1 },
    { "IST beyond the TSS", X86_EVENT_EXTERNAL, INT64, CODE64, 3, HANDLER64, 0, 0x24 + 2 * 8 + 6, 0,
      0, TS, 0xf1 },
    { "stack not mapped", X86_EVENT_EXTERNAL, INT64, CODE64, 0, HANDLER64, 0, 0, 0x400018, 0, PF,
      2 },
};

START_TEST(long_refusals_have_their_vector_and_error)
{
    put_gate64(VECTOR, long_refusals[_i].type, long_refusals[_i].selector, long_refusals[_i].ist,
               long_refusals[_i].offset);
    if (long_refusals[_i].idt_limit != 0) {
        st.idtr.limit = long_refusals[_i].idt_limit;
    }
    if (long_refusals[_i].tr_limit != 0) {
        st.tr.limit = long_refusals[_i].tr_limit;
    }
    if (long_refusals[_i].rsp != 0) {
        st.gpr[X86_RSP] = long_refusals[_i].rsp;
    }
    if (long_refusals[_i].ist_rsp != 0) {
        put(TSS32 + 0x24 + 2 * 8, long_refusals[_i].ist_rsp, 8);
    }
    uint64_t rsp = st.gpr[X86_RSP];

    ck_assert_msg(deliver(event(long_refusals[_i].kind, VECTOR)) == X86_DELIVER_FAULT, "%s",
                  long_refusals[_i].what);
    ck_assert_msg(out.vector == long_refusals[_i].vector, "%s: vector %u", long_refusals[_i].what,
                  out.vector);
    ck_assert_msg(out.error == long_refusals[_i].error, "%s: error %#x", long_refusals[_i].what,
                  out.error);
    ck_assert_uint_eq(st.rip, EIP);
    ck_assert_uint_eq(st.gpr[X86_RSP], rsp);
    check_stacks_untouched();
}
END_TEST

START_TEST(long_frame_whose_end_is_missing_leaves_no_part)
{
    put(PML4 + 0x2008, 0, 8);        /* nothing from 2 MiB on */
    put(PML4 + 0x2010, 0x2000e7, 8); /* 4 MiB shows what lies at 2 MiB */
    st.gpr[X86_RSP] = 0x400018;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_FAULT);
    ck_assert_uint_eq(out.vector, PF);
    ck_assert_uint_eq(out.error, 2);
    ck_assert_uint_eq(st.cr2, 0x3ffff8);
    ck_assert_uint_eq(st.gpr[X86_RSP], 0x400018);
    ck_assert_uint_eq(get(0x200008, 8), 0);
    ck_assert_uint_eq(get(0x200000, 8), 0);
}
END_TEST

START_TEST(long_gate_may_be_the_last_of_the_idt)
{
    st.idtr.limit = VECTOR * 16 + 15;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
}
END_TEST

START_TEST(last_byte_of_the_ist_entry_may_be_the_last_of_the_tss)
{
    put_gate64(VECTOR, INT64, CODE64, 3, HANDLER64);
    st.tr.limit = 0x24 + 2 * 8 + 7;
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
}
END_TEST

/* ---- not supported: said, not guessed ---- */

static void check_not_supported(const char *word)
{
    X86State before;

    memcpy(&before, &st, sizeof(st));
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_NOT_SUPPORTED);
    ck_assert_ptr_nonnull(out.text);
    ck_assert_msg(strstr(out.text, word) != NULL, "\"%s\" lacks \"%s\"", out.text, word);
    ck_assert_uint_eq(out.vector, VECTOR);
    ck_assert_mem_eq(&before, &st, sizeof(st));
    check_stacks_untouched();
}

START_TEST(virtual_8086_mode_is_not_supported)
{
    st.rflags |= 0x20000;
    check_not_supported("virtual-8086");
}
END_TEST

START_TEST(task_gates_are_not_supported)
{
    put_gate(VECTOR, GATE(5, 3, 1, 0xf0, 0));
    check_not_supported("task gate");
}
END_TEST

START_TEST(ring_changes_in_long_mode_are_not_supported)
{
    long_mode();
    put_gate64(VECTOR, INT64, CODE64, 0, HANDLER64);
    set_ring(3);
    check_not_supported("long mode");
}
END_TEST

START_TEST(host_without_memory_stops_the_delivery_and_it_can_be_repeated)
{
    X86State before;

    /* The page of ESP0 was never written: the push needs one. The stock is used up first. */
    gmm_set_limit(gmm, 0);
    GPhys gpa = 0x100000;

    while (gpa < RAM_SIZE && pgm_write_u8(pgm, gpa, 1) == MEM_OK) {
        gpa += MEM_PAGE_SIZE;
    }
    ck_assert_uint_lt(gpa, RAM_SIZE);
    memcpy(&before, &st, sizeof(st));
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_NO_MEMORY);
    ck_assert_mem_eq(&before, &st, sizeof(st));

    gmm_set_limit(gmm, 1 << 20);
    ck_assert_int_eq(pgm_ensure_handy(pgm), MEM_OK);
    ck_assert_int_eq(deliver(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(STACK0 - 20, 4), EIP);
    ck_assert_uint_eq(get(STACK0 - 4, 4), DATA3 | 3);
}
END_TEST

static Suite *modes_suite(void)
{
    Suite *suite = suite_create("deliver-modes");
    TCase *real = tcase_create("real");
    TCase *wide = tcase_create("long");
    TCase *other = tcase_create("other");

    tcase_add_checked_fixture(real, real_mode, teardown);
    tcase_add_loop_test(real, real_frame_is_three_words_and_sp_wraps, 0, G_N_ELEMENTS(real_frames));
    tcase_add_test(real, real_frame_touches_nothing_beside_it);
    tcase_add_test(real, real_vector_table_may_lie_anywhere);
    tcase_add_loop_test(real, real_refusals_have_no_error_code, 0, G_N_ELEMENTS(real_refusals));
    tcase_add_test(real, real_mode_with_a_big_stack_uses_esp);
    tcase_add_test(real, pushes_pass_the_a20_gate);
    suite_add_tcase(suite, real);

    tcase_add_checked_fixture(wide, long_setup, teardown);
    tcase_add_loop_test(wide, long_frame_is_five_words_on_an_aligned_stack, 0,
                        G_N_ELEMENTS(long_frames));
    tcase_add_test(wide, long_mode_ignores_the_stack_segment_base_and_limit);
    tcase_add_loop_test(wide, long_refusals_have_their_vector_and_error, 0,
                        G_N_ELEMENTS(long_refusals));
    tcase_add_test(wide, long_frame_whose_end_is_missing_leaves_no_part);
    tcase_add_test(wide, long_gate_may_be_the_last_of_the_idt);
    tcase_add_test(wide, last_byte_of_the_ist_entry_may_be_the_last_of_the_tss);
    suite_add_tcase(suite, wide);

    tcase_add_checked_fixture(other, setup, teardown);
    tcase_add_test(other, virtual_8086_mode_is_not_supported);
    tcase_add_test(other, task_gates_are_not_supported);
    tcase_add_test(other, ring_changes_in_long_mode_are_not_supported);
    tcase_add_test(other, host_without_memory_stops_the_delivery_and_it_can_be_repeated);
    suite_add_tcase(suite, other);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(modes_suite());

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
