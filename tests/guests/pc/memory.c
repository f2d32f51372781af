/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code and memory that change under each other: self-modifying code, code written by a device and
 * by the host, memory that moves under running code; and LOCK on MMIO.
 *
 * Ports of the test's device, all 32-bit:
 *   0xE0  OUT: asks the host to stop the run and to write 0xE8's value at 0xE4's address    IN:
 * reads of the MMIO so far 0xE4  OUT: an address IN: writes of the MMIO so far 0xE8  OUT: a value,
 * which the device writes at that address at once if 0xEC is not 0 0xEC  OUT: whether 0xE8 writes
 * at once 0xF0  OUT: moves the 64 KiB of MMIO2 to this address MMIO: 16 registers of 32 bits at
 * 0xD0000000.
 */
#include "guest.h"

#define ASK_STOP 0xe0
#define ADDRESS 0xe4
#define VALUE 0xe8
#define AT_ONCE 0xec
#define MOVE_MMIO2 0xf0
#define NOBODY 0x100 /* a port where nobody is */
#define ROUNDS 20u
#define MMIO ((volatile uint32_t *)0xd0000000u)
#define MMIO2_FIRST 0x2000000u
#define MMIO2_SECOND 0x2800000u
#define CODE_PAGE 0x600000u
#define FRESH_PAGES 0x640000u /* never run before */
#define SHADOW 0xc8000u
#define HOST_BRIDGE 0

typedef uint32_t (*Func)(void);

static void put_code(uint32_t at, const void *code, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        ((volatile uint8_t *)at)[i] = ((const uint8_t *)code)[i];
    }
}

/* mov $value, %eax; ret */
static void put_answer(uint32_t at, uint32_t value)
{
    volatile uint8_t *code = (volatile uint8_t *)at;

    code[0] = 0xb8;
    *(volatile uint32_t *)(at + 1) = value;
    code[5] = 0xc3;
}

/* ---- the guest changes its own code ---- */

static void in_the_same_block(void)
{
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t got;

        __asm__ volatile("movl %1, 1f + 1\n1:\tmovl $0x11111111, %0"
                         : "=a"(got)
                         : "r"(i)
                         : "memory");
        if (got != i) {
            CHECK_EQ(got, i);
            return;
        }
    }
    CHECK(true);
}

/* The jump that closes the loop becomes two NOPs while the loop runs. */
static __attribute__((noinline)) void in_its_own_loop(void)
{
    uint32_t count = 0;

    __asm__ volatile("0:\tincl %0\n\tcmpl $100, %0\n\tjne 1f\n\t"
                     "movw $0x9090, 1f\n1:\tjmp 0b"
                     : "+r"(count)
                     :
                     : "memory", "cc");
    CHECK_EQ(count, 100);
}

static void in_the_same_page(void)
{
    for (uint32_t i = 0; i < 100; i++) {
        put_answer(CODE_PAGE + 0x100, i * 3);
        if (((Func)(CODE_PAGE + 0x100))() != i * 3) {
            CHECK_EQ(i, UINT32_MAX);
            return;
        }
        /* A byte store into the constant. */
        *(volatile uint8_t *)(CODE_PAGE + 0x104) = (uint8_t)i;
        if (((Func)(CODE_PAGE + 0x100))() >> 24 != i) {
            CHECK_EQ(i, UINT32_MAX);
            return;
        }
    }
    CHECK(true);
}

/* REP MOVS over code that ran. */
static void by_string_move(void)
{
    static uint8_t image[64];

    for (uint32_t i = 0; i < 50; i++) {
        uint32_t from = (uint32_t)image, to = CODE_PAGE + 0xff0, count = 32;

        put_answer((uint32_t)image + 13, i);
        __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
        /* The function crosses a page boundary. */
        if (((Func)(CODE_PAGE + 0xff0 + 13))() != i) {
            CHECK_EQ(i, UINT32_MAX);
            return;
        }
    }
    CHECK(true);
}

/* ---- with paging: through an alias, and another page at the same address ---- */

static uint32_t dir[1024] __attribute__((aligned(4096)));
static uint32_t table[1024] __attribute__((aligned(4096)));
#define WINDOW 0x80000000u /* linear; two pages */

static void paging_on(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        dir[i] = i << 22 | 0x83;
    }
    dir[WINDOW >> 22] = (uint32_t)table | 3;
    table[0] = CODE_PAGE | 3;
    table[1] = CODE_PAGE | 3;
    WRITE_CR(4, 0x10);
    WRITE_CR(3, dir);
    WRITE_CR(0, READ_CR(0) | 0x80000000u);
}

static void paging_off(void)
{
    WRITE_CR(0, READ_CR(0) & 0x7fffffffu);
}

static void through_an_alias(void)
{
    paging_on();
    for (uint32_t i = 0; i < 100; i++) {
        static const uint32_t views[] = { WINDOW, WINDOW + 0x1000, CODE_PAGE };
        uint32_t writer = views[i % 3];
        uint32_t reader = views[(i / 3) % 3];

        put_answer(writer + 0x40, i + 1000);
        if (((Func)(reader + 0x40))() != i + 1000) {
            CHECK_EQ(i, UINT32_MAX);
            break;
        }
    }
    CHECK(true);
    paging_off();
}

/* Written through one address, then run at another: the first address's right to write is older
 * than the code. */
static void through_an_alias_of_a_fresh_page(void)
{
    paging_on();
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t writer = WINDOW + 0x2000, reader = WINDOW + 0x3000;

        table[2] = (FRESH_PAGES + i * 0x1000) | 3;
        table[3] = table[2];
        flush_page((const void *)writer);
        flush_page((const void *)reader);
        put_answer(writer + 0x40, i);
        CHECK_EQ(((Func)(reader + 0x40))(), i);
        put_answer(writer + 0x40, i + 100);
        CHECK_EQ(((Func)(reader + 0x40))(), i + 100);
    }
    paging_off();
}

/* The code changes the table entry of the page it runs on, and goes on in the other page. */
static void another_page_at_the_same_address(void)
{
    static const uint8_t code[] = {
        0x89, 0x02,       /* mov %eax, (%edx): the entry */
        0x0f, 0x01, 0x39, /* invlpg (%ecx) */
        0xeb, 0x39,       /* jmp to offset 0x40 */
    };
    uint32_t value;

    put_code(CODE_PAGE, code, sizeof(code));
    put_code(CODE_PAGE + 0x1000, code, sizeof(code)); /* the jump comes from there */
    put_answer(CODE_PAGE + 0x40, 1);
    put_answer(CODE_PAGE + 0x1040, 2);
    paging_on();
    __asm__ volatile("call *%%ecx"
                     : "=a"(value)
                     : "a"((CODE_PAGE + 0x1000) | 3), "d"(&table[0]), "c"(WINDOW)
                     : "memory");
    CHECK_EQ(value, 2);
    CHECK_EQ(((Func)(WINDOW + 0x40))(), 2);
    CHECK_EQ(((Func)(WINDOW + 0x1040))(), 1);
    paging_off();
}

/* ---- the end of 4 GiB: addresses go on at 0 ---- */

static void wrap_at_4_gib(void)
{
    static uint32_t top[1024] __attribute__((aligned(4096)));
    /* mov $0x44332211, %eax; ret: three bytes before the end, three behind it */
    static const uint8_t code[] = { 0xb8, 0x11, 0x22, 0x33, 0x44, 0xc3 };
    uint32_t value = 0;

    /* Without paging: two bytes of ROM, then RAM. The store's first half is ignored. */
    __asm__ volatile("movl %1, -2\n\tmovw %%ds:0, %w0" : "+r"(value) : "r"(0xabcd1234) : "memory");
    CHECK_EQ(value, 0xabcd);
    __asm__ volatile("movw $0x7788, %%ds:0\n\tmovl -2, %0" : "=r"(value) : : "memory");
    CHECK_EQ(value >> 16, 0x7788);
    CHECK(value << 16 != 0x12340000); /* ROM keeps its bytes */

    paging_on();
    dir[1023] = (uint32_t)top | 3;
    top[1023] = (CODE_PAGE + 0x2000) | 3;
    put_code(CODE_PAGE + 0x2ffd, code, 3);
    for (uint32_t i = 0; i < 3; i++) {
        __asm__ volatile("movb %0, %%ds:0(%1)" : : "q"(code[3 + i]), "r"(i) : "memory");
    }
    for (unsigned i = 0; i < 3; i++) {
        __asm__ volatile("call *%1" : "=a"(value) : "r"(0xfffffffd) : "memory");
        CHECK_EQ(value, 0x44332211);
    }
    paging_off();
}

/* ---- somebody else changes it ---- */

static void by_a_device(void)
{
    put_answer(CODE_PAGE + 0x200, 0);
    out32(ADDRESS, CODE_PAGE + 0x201);
    out32(AT_ONCE, 1);
    for (uint32_t i = 0; i < 100; i++) {
        out32(VALUE, i ^ 0x5a5a);
        if (((Func)(CODE_PAGE + 0x200))() != (i ^ 0x5a5a)) {
            CHECK_EQ(i, UINT32_MAX);
            return;
        }
    }
    out32(AT_ONCE, 0);
    CHECK(true);
}

/* The device writes into the loop that is running. */
static void by_a_device_into_a_running_loop(void)
{
    static const uint8_t loop[] = {
        0x41,                           /* 0: inc %ecx */
        0x83, 0xf9, ROUNDS,             /* cmp $ROUNDS, %ecx */
        0x0f, 0x44, 0xd7,               /* cmove %edi, %edx */
        0xef,                           /* out %eax, %dx */
        0xeb, 0x00,                     /* jmp 1f */
        0xbb, 0x00, 0x00,   0x00, 0x00, /* 1: mov $0, %ebx */
        0x85, 0xdb,                     /* test %ebx, %ebx */
        0x74, 0xed,                     /* jz 0b */
        0xc3,
    };
    uint32_t count = 0, got = 0, port = NOBODY;

    put_code(CODE_PAGE + 0x300, loop, sizeof(loop));
    out32(ADDRESS, CODE_PAGE + 0x30b);
    out32(AT_ONCE, 1);
    __asm__ volatile("call *%%esi"
                     : "+c"(count), "+b"(got), "+d"(port)
                     : "S"(CODE_PAGE + 0x300), "a"(0x1234), "D"(VALUE)
                     : "memory", "cc");
    out32(AT_ONCE, 0);
    CHECK_EQ(got, 0x1234);
    CHECK_EQ(count, ROUNDS);
}

static void by_the_host_between_runs(void)
{
    put_answer(CODE_PAGE + 0x400, 0);
    out32(ADDRESS, CODE_PAGE + 0x401);
    for (uint32_t i = 1; i <= 5; i++) {
        out32(VALUE, i * 111);
        out32(ASK_STOP, 0);
        /* The stop comes where the guest jumps next. */
        __asm__ volatile("jmp 1f\n1:" : : : "memory");
        CHECK_EQ(((Func)(CODE_PAGE + 0x400))(), i * 111);
    }
}

/* ---- memory that moves under running code ---- */

/* Goes round until translated code is chained; in the last round the OUT reaches its port. */
static const uint8_t out_loop[] = {
    0x41,               /* 0: inc %ecx */
    0x83, 0xf9, ROUNDS, /* cmp $ROUNDS, %ecx */
    0x0f, 0x44, 0xd3,   /* cmove %ebx, %edx */
    0xef,               /* out %eax, %dx */
    0xeb, 0xf6,         /* jmp 0b */
};
#define OUT_LOOP_HEAD (ROUNDS << 24 | 0xf98341u)

static void set_pam(uint8_t nibble)
{
    pci_write8(HOST_BRIDGE, 0x5b, (uint8_t)(nibble | (pci_read32(HOST_BRIDGE, 0x58) >> 24 & 0xf0)));
}

static void shadow_under_running_code(void)
{
    set_pam(0);
    CHECK_EQ(*(volatile uint32_t *)SHADOW, UINT32_MAX); /* ROM without an image */
    set_pam(3);
    for (unsigned i = 0; i < 3; i++) {
        put_code(SHADOW, out_loop, sizeof(out_loop));

        uint32_t closed = pci_read32(HOST_BRIDGE, 0x58) & 0xf0ffffffu;
        uint32_t count = 0, port = NOBODY;

        forget_exceptions();
        __asm__ volatile("movl $1f, resume_at\n\tjmp *%4\n1:"
                         : "+c"(count), "+d"(port)
                         : "a"(closed), "b"(0xcfc), "r"(SHADOW)
                         : "memory", "cc");
        /* FF FF is no instruction. */
        CHECK_EQ(caught.n, 1);
        CHECK_EQ(caught.vector, 6);
        CHECK_EQ(caught.eip, SHADOW);
        CHECK_EQ(count, ROUNDS);
        CHECK_EQ(*(volatile uint32_t *)SHADOW, UINT32_MAX);
        set_pam(3);
        CHECK_EQ(*(volatile uint32_t *)SHADOW, OUT_LOOP_HEAD);
    }
    set_pam(0);
}

static void device_memory_under_running_code(void)
{
    uint32_t places[] = { MMIO2_FIRST, MMIO2_SECOND };

    out32(MOVE_MMIO2, CODE_PAGE + 0x100000);
    for (unsigned i = 0; i < 2; i++) {
        *(volatile uint16_t *)places[i] = 0xe7ff; /* RAM beneath: jmp *%edi */
    }
    out32(MOVE_MMIO2, places[0]);
    put_code(places[0], out_loop, sizeof(out_loop));
    for (unsigned i = 0; i < 4; i++) {
        uint32_t from = places[i % 2], to = places[(i + 1) % 2];
        uint32_t count = 0, port = NOBODY;

        __asm__ volatile("movl $1f, %%edi\n\tjmp *%4\n1:"
                         : "+c"(count), "+d"(port)
                         : "a"(to), "b"(MOVE_MMIO2), "r"(from)
                         : "edi", "memory", "cc");
        CHECK_EQ(count, ROUNDS);
        CHECK_EQ(*(volatile uint16_t *)from, 0xe7ff);
        CHECK_EQ(*(volatile uint32_t *)to, OUT_LOOP_HEAD);
    }
}

/* ---- LOCK on MMIO ---- */

static uint32_t reads, writes;

static void count_from_here(void)
{
    reads = in32(ASK_STOP);
    writes = in32(ADDRESS);
}

static void expect_accesses(uint32_t n_reads, uint32_t n_writes)
{
    CHECK_EQ(in32(ASK_STOP) - reads, n_reads);
    CHECK_EQ(in32(ADDRESS) - writes, n_writes);
}

static void lock_on_mmio(void)
{
    uint32_t value;
    uint8_t done;

    MMIO[0] = 41;
    count_from_here();
    __asm__ volatile("lock incl %0" : "+m"(MMIO[0]) : : "cc");
    expect_accesses(1, 1);
    CHECK_EQ(MMIO[0], 42);

    count_from_here();
    value = 100;
    __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(MMIO[0]) : : "cc");
    expect_accesses(1, 1);
    CHECK_EQ(value, 42);
    CHECK_EQ(MMIO[0], 142);

    count_from_here();
    value = 7;
    __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(MMIO[0]));
    expect_accesses(1, 1);
    CHECK_EQ(value, 142);
    CHECK_EQ(MMIO[0], 7);

    value = 7;
    __asm__ volatile("lock cmpxchgl %3, %1\n\tsete %2"
                     : "+a"(value), "+m"(MMIO[0]), "=q"(done)
                     : "r"(8)
                     : "cc");
    CHECK_EQ(done, 1);
    CHECK_EQ(MMIO[0], 8);
    value = 7;
    __asm__ volatile("lock cmpxchgl %3, %1\n\tsete %2"
                     : "+a"(value), "+m"(MMIO[0]), "=q"(done)
                     : "r"(9)
                     : "cc");
    CHECK_EQ(done, 0);
    CHECK_EQ(value, 8);
    CHECK_EQ(MMIO[0], 8);

    __asm__ volatile("lock btsl $31, %1\n\tsetc %0" : "=q"(done), "+m"(MMIO[0]) : : "cc");
    CHECK_EQ(done, 0);
    CHECK_EQ(MMIO[0], 0x80000008);

    count_from_here();
    __asm__ volatile("lock orb $0x12, %0" : "+m"(*((volatile uint8_t *)&MMIO[1] + 1)) : : "cc");
    CHECK_EQ(in32(ADDRESS) - writes, 1);
    CHECK_EQ(MMIO[1], 0x1200);

    /* Over two registers. */
    MMIO[2] = 0xffff0000;
    MMIO[3] = 0x00000001;
    __asm__ volatile("lock incl %0"
                     : "+m"(*(volatile uint32_t *)((uint32_t)&MMIO[2] + 2))
                     :
                     : "cc");
    CHECK_EQ(MMIO[2], 0x00000000);
    CHECK_EQ(MMIO[3], 0x00000002);

    uint32_t low = 5, high = 6;

    MMIO[4] = 5;
    MMIO[5] = 6;
    __asm__ volatile("lock cmpxchg8b %2\n\tsete %3"
                     : "+a"(low), "+d"(high), "+m"(*(volatile uint64_t *)&MMIO[4]), "=q"(done)
                     : "b"(50), "c"(60)
                     : "cc");
    CHECK_EQ(done, 1);
    CHECK_EQ(MMIO[4], 50);
    CHECK_EQ(MMIO[5], 60);
}

void guest_main(void)
{
    in_the_same_block();
    in_its_own_loop();
    in_the_same_page();
    by_string_move();
    through_an_alias();
    through_an_alias_of_a_fresh_page();
    another_page_at_the_same_address();
    wrap_at_4_gib();
    by_a_device();
    by_a_device_into_a_running_loop();
    by_the_host_between_runs();
    shadow_under_running_code();
    device_memory_under_running_code();
    lock_on_mmio();
}
