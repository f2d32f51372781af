/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What freestanding guests share: ports, words on the debug console, checks, exceptions that a
 * guest provokes and outlives, ring 3 and back. A guest has guest_main(); it runs in flat 32-bit
 * mode on a stack of its own, paging and interrupts off, entered from --kernel or from boot.asm.
 *
 * Each guest ends with "N checks" on the debug console and isa-debug-exit 0, or with the lines that
 * failed and 1. No libc, no libgcc: no 64-bit division here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TASK_STATE 0x28
#define NOT_PRESENT_DATA 0x30

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint64_t read_tsc(void)
{
    uint64_t value;

    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "A"(value) : "memory");
}

static inline uint64_t read_msr(uint32_t msr)
{
    uint64_t value;

    __asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
    return value;
}

#define READ_CR(n)                                           \
    __extension__({                                          \
        uint32_t cr_;                                        \
        __asm__ volatile("movl %%cr" #n ", %0" : "=r"(cr_)); \
        cr_;                                                 \
    })
#define WRITE_CR(n, value) \
    __asm__ volatile("movl %0, %%cr" #n : : "r"((uint32_t)(value)) : "memory")

static inline void flush_page(const void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* One pass of an idle loop: interrupts on, sleep, interrupts off. */
static inline void sleep_once(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

void put_text(const char *text);
void put_hex(uint32_t value);

/* Counted; a failure says line, value and wish. */
void check_value(uint32_t got, uint32_t want, int line);
#define CHECK_EQ(got, want) check_value((uint32_t)(got), (uint32_t)(want), __LINE__)
#define CHECK(condition) check_value((condition) ? 1 : 0, 1, __LINE__)

/* Does not return. */
void finish(void);

void guest_main(void);

/* What an interrupt or exception left on the ring 0 stack; ESP and SS only if it came from ring 3.
 */
typedef struct Frame {
    uint32_t edi, esi, ebp, esp_here, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags, esp, ss;
} Frame;

/* The last exception. */
typedef struct Caught {
    uint32_t n; /* since the last forget_exceptions() */
    uint32_t vector, error, eip, cs, cr2, ecx, esi, edi;
} Caught;
extern volatile Caught caught;
void forget_exceptions(void);

/* Where execution goes on after the next exception; set by the instructions that provoke it. 0:
 * where the exception handler leaves EIP. */
extern volatile uint32_t resume_at;

/* Gets every exception first; true: handled, go on at frame->eip. */
extern bool (*volatile on_exception)(Frame *frame);

/* Interrupts: vectors 0x20 to 0x2F after start_interrupts(), acknowledged after the call. */
extern void (*volatile on_irq[16])(void);
extern volatile uint32_t n_irqs[16];
/* Both interrupt controllers at 0x20 and 0x28; @mask: set bits stay off. */
void start_interrupts(uint16_t mask);

/* Gates and descriptors, for guests that spoil them. */
extern uint64_t gdt[7];
extern uint64_t idt[256];
void load_gdt(const void *table, uint32_t limit);
void load_idt(const void *table, uint32_t limit);

/* Runs @func in ring 3 with interrupts off; the pages it uses must allow it. */
void run_in_ring3(void (*func)(void));

/* PCI configuration of bus 0. */
static inline void pci_select(unsigned devfn, unsigned reg)
{
    out32(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfcu));
}

static inline uint32_t pci_read32(unsigned devfn, unsigned reg)
{
    pci_select(devfn, reg);
    return in32(0xcfc);
}

static inline void pci_write8(unsigned devfn, unsigned reg, uint8_t value)
{
    pci_select(devfn, reg);
    out8((uint16_t)(0xcfc + (reg & 3)), value);
}

static inline void pci_write32(unsigned devfn, unsigned reg, uint32_t value)
{
    pci_select(devfn, reg);
    out32(0xcfc, value);
}
