/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of faults in the delivery of events: in turn, #DF, shutdown. And the small functions
 * beside delivery: SYSENTER, descriptors, names.
 */
#include "tests/unit/deliver-fixture.h"

enum { DE = 0, UD = 6, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13, PF = 14, VE = 20, CP = 21 };

#define HANDLER_OF(vector) (0x7000u + (vector)*16u)
#define MISSING_PAGE 0x200u /* page number; the LDT lies there */
#define LDT_LOST 0x0cu      /* a selector of it */

/* Handlers for all exceptions, paging on, and an LDT in a page that is not there. */
static void escalate_setup(void)
{
    setup();
    page_on();
    put_pte(MISSING_PAGE, 0);
    st.ldtr.base = MISSING_PAGE << 12;
    for (unsigned vector = 0; vector < 32; vector++) {
        put_gate(vector, INT32(CODE0, HANDLER_OF(vector)));
    }
}

typedef enum Trouble { NOT_PRESENT, PAGE_FAULT } Trouble;

/* From now on the delivery of @vector raises #NP or #PF. */
static void make_trouble(unsigned vector, Trouble trouble)
{
    if (trouble == NOT_PRESENT) {
        put_gate(vector, GATE(14, 3, 0, CODE0, 0));
    } else {
        put_gate(vector, INT32(LDT_LOST, 0));
    }
}

static X86DeliverResult escalate(X86Event what)
{
    return x86_deliver_with_escalation(&st, cpu, &what, &out);
}

#define SHUTDOWN 255u

/* SDM table 6-5: what is delivered when the second comes up in the delivery of the first. */
static const struct {
    X86EventKind kind;
    unsigned first;
    Trouble second;
    unsigned delivered;
} pairs[] = {
    { X86_EVENT_EXTERNAL, VECTOR, NOT_PRESENT, NP },
    { X86_EVENT_EXTERNAL, VECTOR, PAGE_FAULT, PF },
    { X86_EVENT_EXTERNAL, GP, NOT_PRESENT, NP }, /* by vector 13, but no #GP */
    { X86_EVENT_EXTERNAL, DF, PAGE_FAULT, PF },
    { X86_EVENT_SOFTWARE_INT, VECTOR, NOT_PRESENT, NP },
    { X86_EVENT_SOFTWARE_INT, GP, NOT_PRESENT, NP },
    { X86_EVENT_EXCEPTION, 1, NOT_PRESENT, NP },
    { X86_EVENT_EXCEPTION, 3, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, UD, NOT_PRESENT, NP },
    { X86_EVENT_EXCEPTION, UD, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, 17, NOT_PRESENT, NP },
    { X86_EVENT_EXCEPTION, 19, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, DE, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, DE, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, TS, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, TS, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, NP, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, NP, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, SS, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, SS, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, GP, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, GP, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, CP, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, CP, PAGE_FAULT, PF },
    { X86_EVENT_EXCEPTION, PF, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, PF, PAGE_FAULT, DF },
    { X86_EVENT_EXCEPTION, VE, NOT_PRESENT, DF },
    { X86_EVENT_EXCEPTION, VE, PAGE_FAULT, DF },
    { X86_EVENT_EXCEPTION, DF, NOT_PRESENT, SHUTDOWN },
    { X86_EVENT_EXCEPTION, DF, PAGE_FAULT, SHUTDOWN },
};

START_TEST(pair_of_events_gives_what_the_table_says)
{
    unsigned want = pairs[_i].delivered;

    make_trouble(pairs[_i].first, pairs[_i].second);
    if (pairs[_i].first == want) { /* cannot happen in these rows: the handler would be broken */
        ck_abort_msg("bad row");
    }
    X86DeliverResult result = escalate(event(pairs[_i].kind, pairs[_i].first));

    if (want == SHUTDOWN) {
        ck_assert_int_eq(result, X86_DELIVER_TRIPLE);
        ck_assert_ptr_nonnull(out.text);
        ck_assert_uint_eq(st.rip, EIP);
        return;
    }
    ck_assert_int_eq(result, X86_DELIVER_OK);
    ck_assert_uint_eq(out.vector, want);
    ck_assert_uint_eq(out.n_events, 2);
    ck_assert_uint_eq(st.rip, HANDLER_OF(want));
    if (pairs[_i].second == PAGE_FAULT) {
        ck_assert_uint_eq(st.cr2, (MISSING_PAGE << 12) + 8);
    }
}
END_TEST

START_TEST(smooth_delivery_is_one_event)
{
    ck_assert_int_eq(escalate(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(out.n_events, 1);
    ck_assert_uint_eq(out.vector, VECTOR);
    ck_assert_uint_eq(st.rip, HANDLER);
    ck_assert_ptr_null(out.text);
}
END_TEST

/* Contributory, then #PF in turn, then that fails too: #DF. */
START_TEST(three_in_a_row_are_judged_by_the_last_two)
{
    make_trouble(GP, PAGE_FAULT);
    make_trouble(PF, NOT_PRESENT);
    ck_assert_int_eq(escalate(event_with_error(GP, 0x50)), X86_DELIVER_OK);
    ck_assert_uint_eq(out.vector, DF);
    ck_assert_uint_eq(out.n_events, 3);
}
END_TEST

/* Benign, #NP in turn, #PF in turn, then #DF, and that fails: the longest way down. */
START_TEST(longest_chain_ends_in_shutdown)
{
    X86State before;

    make_trouble(UD, NOT_PRESENT);
    make_trouble(NP, PAGE_FAULT);
    make_trouble(PF, NOT_PRESENT);
    make_trouble(DF, NOT_PRESENT);
    memcpy(&before, &st, sizeof(st));
    ck_assert_int_eq(escalate(event(X86_EVENT_EXCEPTION, UD)), X86_DELIVER_TRIPLE);
    ck_assert_uint_eq(out.n_events, 4);
    ck_assert_uint_eq(st.cr2, (MISSING_PAGE << 12) + 8);
    before.cr2 = st.cr2; /* the one thing that may change */
    ck_assert_mem_eq(&before, &st, sizeof(st));
    check_stacks_untouched();
}
END_TEST

START_TEST(no_idt_at_all_is_a_shutdown)
{
    st.idtr.limit = 0;
    ck_assert_int_eq(escalate(event(X86_EVENT_EXCEPTION, UD)), X86_DELIVER_TRIPLE);
    ck_assert_uint_eq(out.n_events, 3); /* #UD, #GP, #DF */
    ck_assert_int_eq(escalate(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_TRIPLE);
    ck_assert_int_eq(escalate(event(X86_EVENT_SOFTWARE_INT, VECTOR)), X86_DELIVER_TRIPLE);
}
END_TEST

START_TEST(real_mode_without_vectors_is_a_shutdown_too)
{
    st.paging.cr0 = 0;
    st.paging.cpl = 0;
    st.idtr.limit = 0;
    ck_assert_int_eq(escalate(event(X86_EVENT_EXCEPTION, UD)), X86_DELIVER_TRIPLE);
}
END_TEST

/* In real mode a fault in the delivery of an interrupt goes through the vector table, without an
 * error code. */
START_TEST(real_mode_takes_faults_in_turn)
{
    st.paging.cr0 = 0;
    st.paging.cpl = 0;
    st.idtr = (X86Table) { 0, VECTOR * 4 - 1 };
    st.seg[X86_SS] = (X86Seg) { .limit = 0xffff, .attr = 0x93 };
    put(GP * 4, 0x12340056, 4);
    ck_assert_int_eq(escalate(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(out.vector, GP);
    ck_assert(!out.has_error);
    ck_assert_uint_eq(st.rip, 0x56);
    ck_assert_uint_eq(st.gpr[X86_RSP], STACK3 - 6);
}
END_TEST

START_TEST(double_fault_pushes_error_zero)
{
    make_trouble(GP, NOT_PRESENT);
    ck_assert_int_eq(escalate(event_with_error(GP, 0x50)), X86_DELIVER_OK);
    ck_assert_uint_eq(st.gpr[X86_RSP], STACK0 - 24);
    ck_assert_uint_eq(get(STACK0 - 24, 4), 0);
    ck_assert_uint_eq(get(STACK0 - 20, 4), EIP);
    ck_assert_uint_eq(get(STACK0 - 12, 4), FLAGS); /* an abort: RF stays clear */
    ck_assert(out.has_error);
}
END_TEST

START_TEST(nested_fault_pushes_its_error_code_and_rf)
{
    make_trouble(VECTOR, NOT_PRESENT);
    ck_assert_int_eq(escalate(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(STACK0 - 24, 4), VECTOR * 8 + 3);
    ck_assert_uint_eq(get(STACK0 - 20, 4), EIP);
    ck_assert_uint_eq(get(STACK0 - 12, 4), FLAGS | 0x10000);
}
END_TEST

/* INT n did not complete: its fault is reported at the instruction; a trap's stays where it was. */
static const struct {
    X86EventKind kind;
    uint64_t rip, pushed;
} restarts[] = {
    { X86_EVENT_SOFTWARE_INT, EIP, EIP - 2 },
    { X86_EVENT_EXTERNAL, EIP, EIP },
    { X86_EVENT_EXCEPTION, EIP, EIP },
    { X86_EVENT_SOFTWARE_INT, 1, 0xffffffff },
};

START_TEST(fault_in_int_n_is_reported_at_the_instruction)
{
    make_trouble(3, NOT_PRESENT);
    st.rip = restarts[_i].rip;
    ck_assert_int_eq(escalate(event(restarts[_i].kind, 3)), X86_DELIVER_OK);
    ck_assert_uint_eq(get(STACK0 - 20, 8), restarts[_i].pushed | (uint64_t)(CODE3 | 3) << 32);
}
END_TEST

START_TEST(unsupported_mode_ends_the_escalation_with_its_text)
{
    put_gate(VECTOR, GATE(14, 3, 0, CODE0, 0));
    put_gate(NP, GATE(5, 3, 1, 0xf0, 0));
    ck_assert_int_eq(escalate(event(X86_EVENT_EXTERNAL, VECTOR)), X86_DELIVER_NOT_SUPPORTED);
    ck_assert_ptr_nonnull(out.text);
    ck_assert_uint_eq(out.vector, NP);
    ck_assert_uint_eq(st.rip, EIP);
}
END_TEST

/* ---- SYSENTER ---- */

static void sysenter_setup(void)
{
    setup();
    st.sysenter_cs = 0x1230b; /* only bits 15 to 2 count */
    st.sysenter_esp = UINT64_C(0xffff800011112222);
    st.sysenter_eip = UINT64_C(0xffff800033334444);
    st.rflags = 0x20302;
}

START_TEST(sysenter_enters_ring_0_flat)
{
    ck_assert_int_eq(x86_sysenter(&st, &out), X86_DELIVER_OK);
    ck_assert_uint_eq(st.rip, 0x33334444);
    ck_assert_uint_eq(st.gpr[X86_RSP], 0x11112222);
    ck_assert_uint_eq(st.rflags, 0x102); /* VM and IF */
    ck_assert_uint_eq(st.paging.eflags, 0x102);
    ck_assert_uint_eq(st.paging.cpl, 0);
    ck_assert_uint_eq(st.seg[X86_CS].selector, 0x2308);
    ck_assert_uint_eq(st.seg[X86_CS].base, 0);
    ck_assert_uint_eq(st.seg[X86_CS].limit, 0xffffffff);
    ck_assert_uint_eq(st.seg[X86_CS].attr, 0xc09b);
    ck_assert_uint_eq(st.seg[X86_SS].selector, 0x2310);
    ck_assert_uint_eq(st.seg[X86_SS].base, 0);
    ck_assert_uint_eq(st.seg[X86_SS].limit, 0xffffffff);
    ck_assert_uint_eq(st.seg[X86_SS].attr, 0xc093);
}
END_TEST

START_TEST(sysenter_in_long_mode_is_64_bits_wide)
{
    st.paging.cr0 |= 0x80000000;
    st.paging.efer = 0x500;
    ck_assert_int_eq(x86_sysenter(&st, &out), X86_DELIVER_OK);
    ck_assert_uint_eq(st.rip, st.sysenter_eip);
    ck_assert_uint_eq(st.gpr[X86_RSP], st.sysenter_esp);
    ck_assert_uint_eq(st.seg[X86_CS].attr, 0xa09b);
}
END_TEST

static const struct {
    uint64_t cr0, sysenter_cs;
    bool has_error;
} sysenter_refusals[] = {
    { 1, 0, true },
    { 1, 3, true },
    { 1, 0x10000, true },
    { 0, 8, false },
};

START_TEST(sysenter_is_refused_without_a_segment_or_protection)
{
    X86State before;

    st.paging.cr0 = sysenter_refusals[_i].cr0;
    st.sysenter_cs = sysenter_refusals[_i].sysenter_cs;
    memcpy(&before, &st, sizeof(st));
    ck_assert_int_eq(x86_sysenter(&st, &out), X86_DELIVER_FAULT);
    ck_assert_uint_eq(out.vector, GP);
    ck_assert_uint_eq(out.error, 0);
    ck_assert_int_eq(out.has_error, sysenter_refusals[_i].has_error);
    ck_assert_mem_eq(&before, &st, sizeof(st));
}
END_TEST

/* ---- descriptors ---- */

static const struct {
    uint16_t selector;
    X86DeliverResult result;
    uint32_t base, limit, attr;
    uint32_t error;
} segments[] = {
    { CODE0, X86_DELIVER_OK, 0, 0xffffffff, 0xc09b, 0 },
    { CODE3 | 3, X86_DELIVER_OK, 0, 0xffffffff, 0xc0fb, 0 },
    { DATA16 | 1, X86_DELIVER_OK, 0x30000, 0xffff, 0x0093, 0 },
    { CODE_ABSENT, X86_DELIVER_OK, 0, 0xffffffff, 0xc01b, 0 },
    { DATA_DOWN, X86_DELIVER_OK, 0, 0x8fff, 0xc097, 0 },
    { DATA_FRESH, X86_DELIVER_OK, 0, 0xffffffff, 0xc092, 0 },
    { SYSTEM, X86_DELIVER_OK, LDT, 0xf, 0x0082, 0 },
    { LDT_CODE0 | 3, X86_DELIVER_OK, 0, 0xffffffff, 0xc09b, 0 },
    { 0, X86_DELIVER_FAULT, 0, 0, 0, 0 },
    { 3, X86_DELIVER_FAULT, 0, 0, 0, 0 },
    { GDT_END | 2, X86_DELIVER_FAULT, 0, 0, 0, GDT_END },
    { LDT_END | 7, X86_DELIVER_FAULT, 0, 0, 0, LDT_END | 4 },
    { 0xfffb, X86_DELIVER_FAULT, 0, 0, 0, 0xfff8 },
};

START_TEST(segment_is_read_through_its_table)
{
    X86Seg got = { .selector = 0x7777 };

    ck_assert_int_eq(x86_load_segment(&st, cpu, segments[_i].selector, &got, &out),
                     segments[_i].result);
    if (segments[_i].result == X86_DELIVER_OK) {
        ck_assert_uint_eq(got.selector, segments[_i].selector);
        ck_assert_uint_eq(got.base, segments[_i].base);
        ck_assert_uint_eq(got.limit, segments[_i].limit);
        ck_assert_uint_eq(got.attr, segments[_i].attr);
    } else {
        ck_assert_uint_eq(out.vector, GP);
        ck_assert_uint_eq(out.error, segments[_i].error);
        ck_assert_uint_eq(got.selector, 0x7777);
    }
    ck_assert_uint_eq(get(GDT + DATA_FRESH, 8), gdt_image[DATA_FRESH >> 3]); /* not marked */
}
END_TEST

START_TEST(all_eight_bytes_of_a_descriptor_are_read)
{
    X86Seg got;

    put(GDT + DATA0, DESC(0x89abcdefu, 0x54321, 0xc093), 8);
    ck_assert_int_eq(x86_load_segment(&st, cpu, DATA0, &got, &out), X86_DELIVER_OK);
    ck_assert_uint_eq(got.base, 0x89abcdef);
    ck_assert_uint_eq(got.limit, 0x54321fff);
}
END_TEST

START_TEST(segment_in_a_missing_table_is_a_page_fault)
{
    X86Seg got;

    page_on();
    put_pte(1, 0);
    ck_assert_int_eq(x86_load_segment(&st, cpu, CODE0, &got, &out), X86_DELIVER_FAULT);
    ck_assert_uint_eq(out.vector, PF);
    ck_assert_uint_eq(out.error, 0);
    ck_assert_uint_eq(st.cr2, GDT + CODE0);
}
END_TEST

START_TEST(descriptor_base_and_limit_are_put_together)
{
    X86Seg got = x86_decode_descriptor(0x1234, DESC(0x89abcdefu, 0x54321, 0xf0f3));

    ck_assert_uint_eq(got.selector, 0x1234);
    ck_assert_uint_eq(got.base, 0x89abcdef);
    ck_assert_uint_eq(got.limit, 0x54321fff);
    ck_assert_uint_eq(got.attr, 0xf0f3);
    got = x86_decode_descriptor(8, DESC(0x89abcdefu, 0x54321, 0x40f3));
    ck_assert_uint_eq(got.limit, 0x54321);
    ck_assert_uint_eq(got.attr, 0x40f3);
}
END_TEST

START_TEST(exceptions_have_names)
{
    ck_assert_str_eq(x86_exception_name(0), "#DE divide error");
    ck_assert_str_eq(x86_exception_name(8), "#DF double fault");
    ck_assert_str_eq(x86_exception_name(13), "#GP general protection");
    ck_assert_str_eq(x86_exception_name(14), "#PF page fault");
    ck_assert_str_eq(x86_exception_name(21), "#CP control protection");
    ck_assert_str_eq(x86_exception_name(22), "reserved exception");
    ck_assert_str_eq(x86_exception_name(31), "reserved exception");
    ck_assert_str_eq(x86_exception_name(32), "interrupt");
    ck_assert_str_eq(x86_exception_name(255), "interrupt");
}
END_TEST

static Suite *escalate_suite(void)
{
    Suite *suite = suite_create("escalate");
    TCase *tcase = tcase_create("escalation");
    TCase *sysenter = tcase_create("sysenter");
    TCase *beside = tcase_create("descriptors");

    tcase_add_checked_fixture(tcase, escalate_setup, teardown);
    tcase_add_loop_test(tcase, pair_of_events_gives_what_the_table_says, 0, G_N_ELEMENTS(pairs));
    tcase_add_test(tcase, smooth_delivery_is_one_event);
    tcase_add_test(tcase, three_in_a_row_are_judged_by_the_last_two);
    tcase_add_test(tcase, longest_chain_ends_in_shutdown);
    tcase_add_test(tcase, no_idt_at_all_is_a_shutdown);
    tcase_add_test(tcase, real_mode_without_vectors_is_a_shutdown_too);
    tcase_add_test(tcase, real_mode_takes_faults_in_turn);
    tcase_add_test(tcase, double_fault_pushes_error_zero);
    tcase_add_test(tcase, nested_fault_pushes_its_error_code_and_rf);
    tcase_add_loop_test(tcase, fault_in_int_n_is_reported_at_the_instruction, 0,
                        G_N_ELEMENTS(restarts));
    tcase_add_test(tcase, unsupported_mode_ends_the_escalation_with_its_text);
    suite_add_tcase(suite, tcase);

    tcase_add_checked_fixture(sysenter, sysenter_setup, teardown);
    tcase_add_test(sysenter, sysenter_enters_ring_0_flat);
    tcase_add_test(sysenter, sysenter_in_long_mode_is_64_bits_wide);
    tcase_add_loop_test(sysenter, sysenter_is_refused_without_a_segment_or_protection, 0,
                        G_N_ELEMENTS(sysenter_refusals));
    suite_add_tcase(suite, sysenter);

    tcase_add_checked_fixture(beside, setup, teardown);
    tcase_add_loop_test(beside, segment_is_read_through_its_table, 0, G_N_ELEMENTS(segments));
    tcase_add_test(beside, all_eight_bytes_of_a_descriptor_are_read);
    tcase_add_test(beside, segment_in_a_missing_table_is_a_page_fault);
    tcase_add_test(beside, descriptor_base_and_limit_are_put_together);
    tcase_add_test(beside, exceptions_have_names);
    suite_add_tcase(suite, beside);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(escalate_suite());

    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
