/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See guest.h. */
#include "guest.h"

#define DEBUGCON 0x402
#define DEBUG_EXIT 0xf4
#define VECTOR_LEAVE_RING3 0x81
#define GATE_INTERRUPT 0x8e00
#define GATE_INTERRUPT_USER 0xee00

extern const uint8_t vector_entries[256][16];
void enter_ring3(void (*func)(void), uint32_t stack);
void leave_ring3(void);
void guest_init(void);
void on_vector(Frame *frame);

/* Interrupts from ring 3 get a stack of their own: the first one belongs to the caller of
 * run_in_ring3(). */
static uint8_t entry_stack[8192] __attribute__((aligned(16)));
static uint8_t user_stack[8192] __attribute__((aligned(4096)));

static uint32_t task_state[26];
uint64_t gdt[7] __attribute__((aligned(16)));
uint64_t idt[256] __attribute__((aligned(16)));

volatile Caught caught;
volatile uint32_t resume_at;
bool (*volatile on_exception)(Frame *frame);
void (*volatile on_irq[16])(void);
volatile uint32_t n_irqs[16];

static uint32_t n_checks, n_failed;

void put_text(const char *text)
{
    while (*text != 0) {
        out8(DEBUGCON, (uint8_t)*text++);
    }
}

void put_hex(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        out8(DEBUGCON, (uint8_t) "0123456789abcdef"[value >> shift & 15]);
    }
}

static void put_decimal(uint32_t value)
{
    char digits[11];
    unsigned n = sizeof(digits);

    digits[--n] = 0;
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put_text(digits + n);
}

void check_value(uint32_t got, uint32_t want, int line)
{
    n_checks++;
    if (got == want) {
        return;
    }
    n_failed++;
    put_text("line ");
    put_decimal((uint32_t)line);
    put_text(": got ");
    put_hex(got);
    put_text(", want ");
    put_hex(want);
    put_text("\n");
}

void finish(void)
{
    put_decimal(n_checks);
    put_text(" checks\n");
    out8(DEBUG_EXIT, n_failed != 0);
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}

void forget_exceptions(void)
{
    caught.n = 0;
    caught.vector = UINT32_MAX;
    caught.error = UINT32_MAX;
}

static void on_unexpected(const Frame *frame)
{
    put_text("vector ");
    put_hex(frame->vector);
    put_text(", error ");
    put_hex(frame->error);
    put_text(", EIP ");
    put_hex(frame->eip);
    put_text(", CR2 ");
    put_hex(READ_CR(2));
    put_text("\n");
    n_failed++;
    finish();
}

static void take_exception(Frame *frame)
{
    caught.n++;
    caught.vector = frame->vector;
    caught.error = frame->error;
    caught.eip = frame->eip;
    caught.cs = frame->cs;
    caught.cr2 = READ_CR(2);
    caught.ecx = frame->ecx;
    caught.esi = frame->esi;
    caught.edi = frame->edi;
    if (on_exception != 0 && on_exception(frame)) {
        return;
    }
    if (resume_at == 0) {
        on_unexpected(frame);
    }
    frame->eip = resume_at;
    resume_at = 0;
}

void on_vector(Frame *frame)
{
    if (frame->vector == VECTOR_LEAVE_RING3) {
        leave_ring3();
    }
    if (frame->vector < 0x20 || frame->vector >= 0x30) {
        take_exception(frame);
        return;
    }
    unsigned irq = frame->vector - 0x20;

    n_irqs[irq]++;
    if (on_irq[irq] != 0) {
        on_irq[irq]();
    }
    if (irq >= 8) {
        out8(0xa0, 0x20);
    }
    out8(0x20, 0x20);
}

void load_gdt(const void *table, uint32_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = { (uint16_t)limit, (uint32_t)table };

    __asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
}

void load_idt(const void *table, uint32_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = { (uint16_t)limit, (uint32_t)table };

    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

static uint64_t make_gate(unsigned vector, uint32_t attributes)
{
    uint32_t offset = (uint32_t)vector_entries[vector];

    return (uint64_t)((offset & 0xffff0000u) | attributes) << 32 |
           (KERNEL_CODE << 16 | (offset & 0xffffu));
}

static uint64_t make_task_descriptor(void)
{
    uint32_t base = (uint32_t)task_state;
    uint32_t high = (base & 0xff000000u) | 0x8900u | (base >> 16 & 0xffu);

    return (uint64_t)high << 32 | (base << 16 | (sizeof(task_state) - 1));
}

void guest_init(void)
{
    gdt[KERNEL_CODE / 8] = 0x00cf9b000000ffffu;
    gdt[KERNEL_DATA / 8] = 0x00cf93000000ffffu;
    gdt[USER_CODE / 8] = 0x00cffb000000ffffu;
    gdt[USER_DATA / 8] = 0x00cff3000000ffffu;
    gdt[NOT_PRESENT_DATA / 8] = 0x00cf13000000ffffu;
    task_state[1] = (uint32_t)(entry_stack + sizeof(entry_stack));
    task_state[2] = KERNEL_DATA;
    task_state[25] = 104u << 16; /* no I/O bitmap */
    gdt[TASK_STATE / 8] = make_task_descriptor();
    for (unsigned i = 0; i < 256; i++) {
        idt[i] = make_gate(i, i >= 0x80 ? GATE_INTERRUPT_USER : GATE_INTERRUPT);
    }
    load_gdt(gdt, sizeof(gdt) - 1);
    load_idt(idt, sizeof(idt) - 1);
    __asm__ volatile("ljmp %0, $1f\n1:\n\t"
                     "movw %w1, %%ds\n\tmovw %w1, %%es\n\tmovw %w1, %%ss\n\t"
                     "movw %w1, %%fs\n\tmovw %w1, %%gs\n\tltr %w2"
                     :
                     : "i"(KERNEL_CODE), "r"(KERNEL_DATA), "r"(TASK_STATE)
                     : "memory");
    forget_exceptions();
}

void start_interrupts(uint16_t mask)
{
    out8(0x20, 0x11);
    out8(0x21, 0x20);
    out8(0x21, 0x04);
    out8(0x21, 0x01);
    out8(0xa0, 0x11);
    out8(0xa1, 0x28);
    out8(0xa1, 0x02);
    out8(0xa1, 0x01);
    out8(0x21, (uint8_t)mask);
    out8(0xa1, (uint8_t)(mask >> 8));
}

void run_in_ring3(void (*func)(void))
{
    enter_ring3(func, (uint32_t)(user_stack + sizeof(user_stack)));
}
