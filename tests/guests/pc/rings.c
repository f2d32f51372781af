/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring 3 and back: INT 0x80, SYSENTER and SYSEXIT, what ring 3 may not do.
 *
 * Source: Intel SDM volume 2B (SYSENTER, SYSEXIT), volume 3A chapter 5 (protection).
 */
#include "guest.h"

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

/* ---- INT 0x80 ---- */

static volatile uint32_t call_eip, call_esp, answer;
static Frame call_frame;

static bool serve_call(Frame *frame)
{
    if (frame->vector != 0x80) {
        return false;
    }
    call_frame = *frame;
    frame->eax = frame->eax * 3 + frame->ebx;
    return true;
}

static void call_by_int(void)
{
    __asm__ volatile("movl $1f, call_eip\n\tmovl %%esp, call_esp\n\tint $0x80\n1:\n\t"
                     "movl %%eax, answer"
                     :
                     : "a"(1000), "b"(7)
                     : "memory");
}

static void calls_by_int(void)
{
    forget_exceptions();
    on_exception = serve_call;
    for (uint32_t i = 1; i <= 100; i++) {
        answer = 0;
        run_in_ring3(call_by_int);
        if (caught.n != i || answer != 3007) {
            CHECK_EQ(caught.n, i);
            CHECK_EQ(answer, 3007);
        }
    }
    on_exception = 0;
    CHECK_EQ(caught.n, 100);
    CHECK_EQ(call_frame.eip, call_eip);
    CHECK_EQ(call_frame.cs, USER_CODE);
    CHECK_EQ(call_frame.ss, USER_DATA);
    CHECK_EQ(call_frame.esp, call_esp);
    CHECK_EQ(call_frame.eflags & 0x200, 0);
}

/* ---- SYSENTER ---- */

static uint8_t sysenter_stack[1024] __attribute__((aligned(16)));
volatile uint32_t sys_cs, sys_ss, sys_esp, sys_count;
volatile uint32_t back_cs, back_ss, back_esp, wanted_esp;

void sysenter_target(void);
__asm__("sysenter_target:\n\t"
        "movl %esp, sys_esp\n\t"
        "movw %cs, %dx\n\tmovzwl %dx, %edx\n\tmovl %edx, sys_cs\n\t"
        "movw %ss, %dx\n\tmovzwl %dx, %edx\n\tmovl %edx, sys_ss\n\t"
        "incl sys_count\n\t"
        "addl $5, %eax\n\t"
        "movl %edi, %edx\n\t"
        "movl %esi, %ecx\n\t"
        "sysexit\n");

static void call_by_sysenter(void)
{
    __asm__ volatile("movl %%esp, %%esi\n\tmovl %%esp, wanted_esp\n\tmovl $1f, %%edi\n\t"
                     "sysenter\n\tud2\n1:\n\t"
                     "movl %%eax, answer\n\tmovl %%esp, back_esp\n\t"
                     "movw %%cs, %%ax\n\tmovzwl %%ax, %%eax\n\tmovl %%eax, back_cs\n\t"
                     "movw %%ss, %%ax\n\tmovzwl %%ax, %%eax\n\tmovl %%eax, back_ss"
                     :
                     : "a"(100)
                     : "ecx", "edx", "esi", "edi", "memory");
}

static void calls_by_sysenter(void)
{
    write_msr(MSR_SYSENTER_CS, KERNEL_CODE);
    write_msr(MSR_SYSENTER_ESP, (uint32_t)(sysenter_stack + sizeof(sysenter_stack)));
    write_msr(MSR_SYSENTER_EIP, (uint32_t)sysenter_target);
    CHECK_EQ(read_msr(MSR_SYSENTER_EIP), (uint32_t)sysenter_target);
    forget_exceptions();
    for (uint32_t i = 1; i <= 100; i++) {
        answer = 0;
        run_in_ring3(call_by_sysenter);
        if (sys_count != i || answer != 105) {
            CHECK_EQ(sys_count, i);
            CHECK_EQ(answer, 105);
        }
    }
    CHECK_EQ(caught.n, 0);
    CHECK_EQ(sys_count, 100);
    CHECK_EQ(sys_cs, KERNEL_CODE);
    CHECK_EQ(sys_ss, KERNEL_DATA);
    CHECK_EQ(sys_esp, (uint32_t)(sysenter_stack + sizeof(sysenter_stack)));
    CHECK_EQ(back_cs, USER_CODE);
    CHECK_EQ(back_ss, USER_DATA);
    CHECK_EQ(back_esp, wanted_esp);

    /* Switched off: #GP(0) at the instruction. */
    write_msr(MSR_SYSENTER_CS, 0);
    resume_at = 0;
    __asm__ volatile("movl $1f, resume_at\n\tsysenter\n1:" : : : "memory");
    CHECK_EQ(caught.n, 1);
    CHECK_EQ(caught.vector, 13);
    CHECK_EQ(caught.error, 0);
}

/* ---- refused ---- */

static volatile uint32_t provoked_eip;

#define REFUSED(name, instruction)                                         \
    static void name(void)                                                 \
    {                                                                      \
        __asm__ volatile("movl $2f, resume_at\n\tmovl $1f, provoked_eip\n" \
                         "1:\t" instruction "\n2:"                         \
                         :                                                 \
                         :                                                 \
                         : "eax", "ecx", "edx", "memory");                 \
    }

REFUSED(do_cli, "cli")
REFUSED(do_hlt, "hlt")
REFUSED(do_read_cr0, "movl %%cr0, %%eax")
REFUSED(do_lgdt, "lgdt 0")
REFUSED(do_lmsw, "lmsw %%ax")
REFUSED(do_invlpg, "invlpg 0")
REFUSED(do_rdmsr, "rdmsr")
REFUSED(do_sysexit, "sysexit")
REFUSED(do_int_of_ring0, "int $0x40")
REFUSED(do_kernel_data, "movw $0x10, %%ax\n\tmovl $3f, provoked_eip\n3:\tmovw %%ax, %%ds")
REFUSED(do_kernel_jump, "ljmp $0x8, $0")

static const struct {
    void (*func)(void);
    uint32_t error;
} refused[] = {
    { do_cli, 0 },
    { do_hlt, 0 },
    { do_read_cr0, 0 },
    { do_lgdt, 0 },
    { do_lmsw, 0 },
    { do_invlpg, 0 },
    { do_rdmsr, 0 },
    { do_sysexit, 0 },
    { do_int_of_ring0, 0x40 * 8 + 2 },
    { do_kernel_data, KERNEL_DATA },
    { do_kernel_jump, KERNEL_CODE },
};

static void ring3_is_refused(void)
{
    idt[0x40] &= ~((uint64_t)0x6000 << 32);
    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        forget_exceptions();
        run_in_ring3(refused[i].func);
        CHECK_EQ(caught.n, 1);
        CHECK_EQ(caught.vector, 13);
        CHECK_EQ(caught.error, refused[i].error);
        CHECK_EQ(caught.eip, provoked_eip);
        CHECK_EQ(caught.cs, USER_CODE);
    }
}

void guest_main(void)
{
    calls_by_int();
    calls_by_sysenter();
    ring3_is_refused();
    calls_by_int();
}
