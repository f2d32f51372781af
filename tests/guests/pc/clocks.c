/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board's clocks agree: over two seconds of the clock chip, the interval timer's interrupts,
 * the power management timer and the time-stamp counter tell the same time within a percent. Then a
 * byte from the serial line by interrupt, and the machine is switched off.
 *
 * Source: 8254, MC146818, 82371AB (PIIX4) and PC16550D datasheets.
 */
#include "guest.h"

#define PM_DEVFN (1 << 3 | 3)
#define PM_BASE 0xb000u
#define PM_TIMER (PM_BASE + 8)
#define PM_CONTROL (PM_BASE + 4)
#define PIT_HZ 1193182u
#define PIT_DIVISOR 1193u /* 1000.15 interrupts a second */
#define PM_HZ 3579545u
#define TSC_HZ 1000000000u
#define UART 0x3f8

static uint8_t read_cmos(uint8_t index)
{
    out8(0x70, index);
    return in8(0x71);
}

static uint32_t read_pm_timer(void)
{
    return in32(PM_TIMER) & 0xffffffu;
}

static void start_timers(void)
{
    pci_write32(PM_DEVFN, 0x40, PM_BASE | 1);
    pci_write8(PM_DEVFN, 0x80, 1);
    pci_write8(PM_DEVFN, 0x04, 1);
    out8(0x43, 0x34);
    out8(0x40, PIT_DIVISOR & 0xff);
    out8(0x40, PIT_DIVISOR >> 8);
}

/* Sleeps from interrupt to interrupt until the clock chip shows another second. */
static void wait_for_next_second(void)
{
    uint8_t second = read_cmos(0);

    while (read_cmos(0) == second) {
        sleep_once();
    }
}

static void check_near(uint32_t got, uint32_t want, int line)
{
    uint32_t tolerance = want / 100;

    if (got + tolerance < want || got > want + tolerance) {
        check_value(got, want, line);
    } else {
        check_value(1, 1, line);
    }
}

#define CHECK_NEAR(got, want) check_near((got), (want), __LINE__)

static void clocks_agree(void)
{
    wait_for_next_second();

    uint32_t irqs = n_irqs[0];
    uint32_t pm = read_pm_timer();
    uint64_t tsc = read_tsc();

    wait_for_next_second();
    wait_for_next_second();
    CHECK_NEAR(n_irqs[0] - irqs, 2 * PIT_HZ / PIT_DIVISOR);
    CHECK_NEAR((read_pm_timer() - pm) & 0xffffffu, 2 * PM_HZ);
    CHECK_NEAR((uint32_t)(read_tsc() - tsc), 2 * TSC_HZ);
}

/* Busy, not asleep: the same clocks while code runs. */
static void clocks_agree_while_code_runs(void)
{
    uint32_t pm = read_pm_timer();
    uint64_t tsc = read_tsc();
    uint32_t irqs = n_irqs[0];

    __asm__ volatile("sti");
    while (n_irqs[0] - irqs < 50) {
        __asm__ volatile("" : : : "memory");
    }
    __asm__ volatile("cli");
    CHECK_NEAR((read_pm_timer() - pm) & 0xffffffu, 50 * PM_HZ / (PIT_HZ / PIT_DIVISOR));
    CHECK_NEAR((uint32_t)(read_tsc() - tsc), 50 * (TSC_HZ / (PIT_HZ / PIT_DIVISOR)));
}

/* Counting down, latched, never reloaded by a read. */
static void latched_count_goes_down(void)
{
    uint32_t last = PIT_DIVISOR;
    unsigned n_wraps = 0;

    for (unsigned i = 0; i < 200; i++) {
        out8(0x43, 0);

        uint32_t count = in8(0x40);

        count |= (uint32_t)in8(0x40) << 8;
        n_wraps += count > last;
        last = count;
        if (count > PIT_DIVISOR) {
            CHECK_EQ(count, PIT_DIVISOR);
        }
    }
    CHECK(n_wraps <= 2);
}

/* ---- the serial line ---- */

static volatile char line[16];
static volatile uint32_t line_len;

static void on_serial(void)
{
    while ((in8(UART + 5) & 1) != 0) {
        uint8_t byte = in8(UART);

        if (line_len < sizeof(line)) {
            line[line_len++] = (char)byte;
        }
    }
}

static void read_a_line_by_interrupts(void)
{
    static const char wanted[] = "hello, guest";

    on_irq[4] = on_serial;
    out8(UART + 1, 1);
    out8(UART + 4, 0x0b);
    out8(0x21, 0xef); /* that line alone: nothing else wakes us */
    out8(UART, '?');
    while (line_len < sizeof(wanted) - 1) {
        sleep_once();
    }
    for (unsigned i = 0; i < sizeof(wanted) - 1; i++) {
        CHECK_EQ(line[i], wanted[i]);
    }
    CHECK(n_irqs[4] >= 1);
    out8(UART + 1, 0);
}

void guest_main(void)
{
    start_interrupts(0xfffe);
    start_timers();
    clocks_agree();
    clocks_agree_while_code_runs();
    latched_count_goes_down();
    read_a_line_by_interrupts();
    put_text("off\n");
    out16(PM_CONTROL, 0x2000);
    for (;;) {
        sleep_once();
    }
}
