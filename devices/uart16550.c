/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A UART.
 *
 *   offset  DLAB=0 read / write        DLAB=1
 *   0       RBR / THR                  DLL
 *   1       IER                        DLM
 *   2       IIR / FCR
 *   3       LCR
 *   4       MCR
 *   5       LSR / (ignored)
 *   6       MSR / (ignored)
 *   7       SCR
 *
 * Sending takes no time: a byte written is on the console when the write returns, and THR is empty
 * again. Only in loopback can the receiver be overrun; input from outside waits on the console
 * until there is room.
 *
 * Invariants:
 *   1. The receive FIFO holds fifo_len bytes from fifo[0] on, the oldest first; at most 1 with the
 *      FIFOs off.
 *   2. The line is high exactly if an interrupt is pending that IER allows, OUT2 is set (the PC's
 *      wiring) and the chip is not in loopback.
 *   3. The time-out timer is set only while bytes wait below the trigger level.
 *
 * Source: National Semiconductor PC16550D datasheet (TL/C/8652).
 */
#include "devices/uart16550.h"

#include "emu/state.h"

#include <string.h>

#define N_PORTS 8
#define FIFO_SIZE 16
#define BASE_CLOCK_HZ 1843200 /* crystal; 16 clocks a bit at divisor 1 */
#define TIMEOUT_CHARS 4

typedef enum UartRegister {
    REG_DATA,
    REG_IER,
    REG_IIR_FCR,
    REG_LCR,
    REG_MCR,
    REG_LSR,
    REG_MSR,
    REG_SCR,
} UartRegister;

enum {
    IER_RX = 0x01,
    IER_THRE = 0x02,
    IER_LINE = 0x04,
    IER_MODEM = 0x08,
    IER_MASK = 0x0F,
};

enum {
    IIR_NONE = 0x01,
    IIR_MODEM = 0x00,
    IIR_THRE = 0x02,
    IIR_RX = 0x04,
    IIR_TIMEOUT = 0x0C,
    IIR_LINE = 0x06,
    IIR_FIFOS_ON = 0xC0,
};

enum {
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_DMA_MODE = 0x08,
    FCR_TRIGGER = 0xC0,
    FCR_TRIGGER_SHIFT = 6,
    FCR_KEPT = FCR_ENABLE | FCR_DMA_MODE | FCR_TRIGGER, /* the clear bits fall back by themselves */
};

enum {
    LCR_BREAK = 0x40,
    LCR_DLAB = 0x80,
    LCR_STOP = 0x04,
    LCR_PARITY = 0x08,
    LCR_LENGTH = 0x03,
};

enum {
    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_MASK = 0x1F,
};

enum {
    LSR_DATA = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_BREAK = 0x10,
    LSR_THRE = 0x20,
    LSR_EMPTY = 0x40,
    LSR_ERRORS = 0x1E,
};

enum {
    MSR_DELTA = 0x0F,
    MSR_TERI = 0x04, /* trailing edge of RI */
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

typedef struct UartState {
    uint8_t ier;
    uint8_t fcr;
    uint8_t lcr;
    uint8_t mcr;
    uint8_t lsr_errors; /* LSR_ERRORS bits since LSR was read */
    uint8_t msr;
    uint8_t scr;
    uint8_t dll;
    uint8_t dlm;
    uint8_t fifo[FIFO_SIZE];
    uint8_t fifo_len;
    bool thre_pending;   /* THR became empty and IIR has not reported it */
    bool timed_out;      /* bytes below the trigger level have waited long enough */
    uint64_t timeout_ns; /* deadline of the time-out, or EMU_CLOCK_NEVER */
} UartState;

struct DevUart {
    EmuPorts *ports;
    EmuClock *clock;
    EmuConsole *console;
    EmuLine irq;
    EmuTimer *timeout;
    uint16_t base;
    unsigned handle;
    UartState state;
};

static bool fifos_on(const UartState *s)
{
    return (s->fcr & FCR_ENABLE) != 0;
}

static unsigned capacity_of(const UartState *s)
{
    return fifos_on(s) ? FIFO_SIZE : 1;
}

static unsigned trigger_of(const UartState *s)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    return fifos_on(s) ? levels[(s->fcr & FCR_TRIGGER) >> FCR_TRIGGER_SHIFT] : 1;
}

/* Whether bytes wait in the FIFO with no interrupt of their own. */
static bool below_trigger(const UartState *s)
{
    return fifos_on(s) && s->fifo_len > 0 && s->fifo_len < trigger_of(s);
}

static bool is_valid(const void *state)
{
    const UartState *s = state;
    bool timing = s->timed_out || s->timeout_ns != EMU_CLOCK_NEVER;

    return s->fifo_len <= capacity_of(s) && (s->fcr & ~FCR_KEPT) == 0 &&
           (s->lsr_errors & ~LSR_ERRORS) == 0 && (!timing || below_trigger(s));
}

static const EmuField fields[] = {
    EMU_FIELD_MAX(UartState, ier, IER_MASK),
    EMU_FIELD(UartState, fcr),
    EMU_FIELD(UartState, lcr),
    EMU_FIELD_MAX(UartState, mcr, MCR_MASK),
    EMU_FIELD(UartState, lsr_errors),
    EMU_FIELD(UartState, msr),
    EMU_FIELD(UartState, scr),
    EMU_FIELD(UartState, dll),
    EMU_FIELD(UartState, dlm),
    EMU_FIELD_ARRAY(UartState, fifo),
    EMU_FIELD_MAX(UartState, fifo_len, FIFO_SIZE),
    EMU_FIELD_MAX(UartState, thre_pending, 1),
    EMU_FIELD_MAX(UartState, timed_out, 1),
    EMU_FIELD(UartState, timeout_ns),
};
static const EmuStateDesc desc = {
    .name = "uart16550",
    .version = 1,
    .size = sizeof(UartState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

/* Time of four characters as the line is set up, in half bits so that 1.5 stop bits count. */
static uint64_t timeout_length_ns(const UartState *s)
{
    unsigned data_bits = 5u + (s->lcr & LCR_LENGTH);
    unsigned half_bits = 2 * (1 + data_bits + ((s->lcr & LCR_PARITY) != 0)) + 2;
    unsigned divisor = (unsigned)s->dll | (unsigned)s->dlm << 8;

    if ((s->lcr & LCR_STOP) != 0) {
        half_bits += data_bits == 5 ? 1 : 2;
    }
    divisor = MAX(divisor, 1); /* 0 stops the real chip's clock; a time-out must still come */
    return EMU_NS_PER_SECOND * 8 * divisor * half_bits * TIMEOUT_CHARS / BASE_CLOCK_HZ;
}

/* The pending interrupt of highest priority that IER allows. */
static unsigned pending_interrupt(const UartState *s)
{
    if ((s->ier & IER_LINE) != 0 && s->lsr_errors != 0) {
        return IIR_LINE;
    }
    if ((s->ier & IER_RX) != 0 && s->fifo_len >= trigger_of(s)) {
        return IIR_RX;
    }
    if ((s->ier & IER_RX) != 0 && s->timed_out) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_THRE) != 0 && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_MODEM) != 0 && (s->msr & MSR_DELTA) != 0) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void update_irq(DevUart *uart)
{
    const UartState *s = &uart->state;
    bool gate = (s->mcr & MCR_OUT2) != 0 && (s->mcr & MCR_LOOP) == 0;

    emu_line_set(&uart->irq, gate && pending_interrupt(s) != IIR_NONE);
}

/* Starts or stops the time-out after the FIFO or its trigger level changed. */
static void restart_timeout(DevUart *uart)
{
    UartState *s = &uart->state;

    s->timed_out = false;
    if (!below_trigger(s)) {
        s->timeout_ns = EMU_CLOCK_NEVER;
        emu_timer_cancel(uart->timeout);
        return;
    }
    emu_timer_set(uart->timeout, emu_clock_now(uart->clock) + timeout_length_ns(s));
    s->timeout_ns = emu_timer_deadline(uart->timeout); /* the clock may have put it off */
}

static void on_timeout(void *user)
{
    DevUart *uart = user;

    uart->state.timeout_ns = EMU_CLOCK_NEVER;
    uart->state.timed_out = true;
    update_irq(uart);
}

static void receive(UartState *s, uint8_t byte)
{
    if (s->fifo_len < capacity_of(s)) {
        s->fifo[s->fifo_len++] = byte;
        return;
    }
    s->lsr_errors |= LSR_OVERRUN;
    if (!fifos_on(s)) {
        s->fifo[0] = byte; /* the holding register is overwritten, the FIFO is not */
    }
}

/* Takes what the console holds as far as there is room. In loopback the receiver is cut off from
 * the line. */
static void take_input(DevUart *uart)
{
    UartState *s = &uart->state;
    unsigned before = s->fifo_len;
    uint8_t byte;

    if ((s->mcr & MCR_LOOP) != 0) {
        return;
    }
    while (s->fifo_len < capacity_of(s) && emu_console_read(uart->console, &byte)) {
        s->fifo[s->fifo_len++] = byte;
    }
    if (s->fifo_len != before) {
        restart_timeout(uart);
    }
}

static void on_input(void *user)
{
    DevUart *uart = user;

    take_input(uart);
    update_irq(uart);
}

static uint8_t read_data(DevUart *uart)
{
    UartState *s = &uart->state;
    uint8_t byte = s->fifo[0];

    if (s->fifo_len == 0) {
        return 0;
    }
    s->fifo_len--;
    memmove(s->fifo, s->fifo + 1, s->fifo_len);
    restart_timeout(uart);
    take_input(uart);
    return byte;
}

static void write_data(DevUart *uart, uint8_t byte)
{
    UartState *s = &uart->state;

    if ((s->mcr & MCR_LOOP) != 0) {
        unsigned data_bits = 5u + (s->lcr & LCR_LENGTH);

        receive(s, byte & (uint8_t)((1u << data_bits) - 1));
        restart_timeout(uart);
    } else {
        emu_console_write(uart->console, byte);
    }
    s->thre_pending = true;
}

static uint8_t read_iir(UartState *s)
{
    unsigned id = pending_interrupt(s);

    if (id == IIR_THRE) {
        s->thre_pending = false;
    }
    return (uint8_t)(id | (fifos_on(s) ? IIR_FIFOS_ON : 0));
}

static uint8_t read_lsr(UartState *s)
{
    unsigned lsr = LSR_THRE | LSR_EMPTY | s->lsr_errors | (s->fifo_len > 0 ? LSR_DATA : 0);

    s->lsr_errors = 0;
    return (uint8_t)lsr;
}

static uint8_t read_msr(UartState *s)
{
    uint8_t msr = s->msr;

    s->msr &= (uint8_t)~MSR_DELTA;
    return msr;
}

/* Modem inputs: a null modem with somebody ready at the other end; in loopback the chip's own
 * outputs. */
static void update_modem_inputs(UartState *s)
{
    unsigned lines = MSR_CTS | MSR_DSR | MSR_DCD;

    if ((s->mcr & MCR_LOOP) != 0) {
        lines = ((s->mcr & MCR_RTS) != 0 ? MSR_CTS : 0) | ((s->mcr & MCR_DTR) != 0 ? MSR_DSR : 0) |
                ((s->mcr & MCR_OUT1) != 0 ? MSR_RI : 0) | ((s->mcr & MCR_OUT2) != 0 ? MSR_DCD : 0);
    }

    unsigned changed = (lines ^ s->msr) & ~(unsigned)MSR_DELTA;
    unsigned delta = (changed >> 4) & ~(unsigned)MSR_TERI;

    if ((changed & MSR_RI) != 0 && (lines & MSR_RI) == 0) {
        delta |= MSR_TERI;
    }
    s->msr = (uint8_t)(lines | (s->msr & MSR_DELTA) | delta);
}

static void write_ier(UartState *s, uint8_t value)
{
    /* Switching THRE interrupts on reports a transmitter that is empty already; here it always is.
     */
    if ((value & IER_THRE) != 0 && (s->ier & IER_THRE) == 0) {
        s->thre_pending = true;
    }
    s->ier = value & IER_MASK;
}

static void write_fcr(DevUart *uart, uint8_t value)
{
    UartState *s = &uart->state;
    bool toggled = ((value ^ s->fcr) & FCR_ENABLE) != 0;

    if (toggled || (value & FCR_CLEAR_RX) != 0) {
        s->fifo_len = 0;
    }
    /* The other bits can be programmed only together with the enable bit. */
    s->fcr = (value & FCR_ENABLE) != 0 ? value & FCR_KEPT : 0;
    restart_timeout(uart);
    take_input(uart);
}

static void write_lcr(DevUart *uart, uint8_t value)
{
    UartState *s = &uart->state;
    bool break_starts = (value & LCR_BREAK) != 0 && (s->lcr & LCR_BREAK) == 0;

    s->lcr = value;
    if (break_starts && (s->mcr & MCR_LOOP) != 0) {
        receive(s, 0);
        s->lsr_errors |= LSR_BREAK;
        restart_timeout(uart);
    }
}

static void write_mcr(DevUart *uart, uint8_t value)
{
    uart->state.mcr = value & MCR_MASK;
    update_modem_inputs(&uart->state);
    take_input(uart); /* what waited while the chip was in loopback */
}

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    DevUart *uart = user;
    UartState *s = &uart->state;
    bool dlab = (s->lcr & LCR_DLAB) != 0;
    uint32_t value = 0;

    (void)size;
    switch ((UartRegister)(port - uart->base)) {
    case REG_DATA:
        value = dlab ? s->dll : read_data(uart);
        break;
    case REG_IER:
        value = dlab ? s->dlm : s->ier;
        break;
    case REG_IIR_FCR:
        value = read_iir(s);
        break;
    case REG_LCR:
        value = s->lcr;
        break;
    case REG_MCR:
        value = s->mcr;
        break;
    case REG_LSR:
        value = read_lsr(s);
        break;
    case REG_MSR:
        value = read_msr(s);
        break;
    case REG_SCR:
        value = s->scr;
        break;
    }
    update_irq(uart);
    return value;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevUart *uart = user;
    UartState *s = &uart->state;
    bool dlab = (s->lcr & LCR_DLAB) != 0;
    uint8_t byte = (uint8_t)value;

    (void)size;
    switch ((UartRegister)(port - uart->base)) {
    case REG_DATA:
        if (dlab) {
            s->dll = byte;
        } else {
            /* The interrupt falls while THR is full, if only for this moment, and rises again: an
             * edge each byte. */
            s->thre_pending = false;
            update_irq(uart);
            write_data(uart, byte);
        }
        break;
    case REG_IER:
        if (dlab) {
            s->dlm = byte;
        } else {
            write_ier(s, byte);
        }
        break;
    case REG_IIR_FCR:
        write_fcr(uart, byte);
        break;
    case REG_LCR:
        write_lcr(uart, byte);
        break;
    case REG_MCR:
        write_mcr(uart, byte);
        break;
    case REG_LSR: /* writable only for factory tests */
    case REG_MSR:
        break;
    case REG_SCR:
        s->scr = byte;
        break;
    }
    update_irq(uart);
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 };

DevUart *dev_uart_new(EmuPorts *ports, EmuClock *clock, uint16_t base, EmuConsole *console,
                      EmuLine irq, GError **error)
{
    DevUart *uart = g_new0(DevUart, 1);

    uart->ports = ports;
    uart->clock = clock;
    uart->console = console;
    uart->irq = irq;
    uart->base = base;
    uart->handle = emu_ports_add(ports, base, N_PORTS, &port_ops, uart, "uart16550", error);
    if (uart->handle == 0) {
        g_free(uart);
        return NULL;
    }
    uart->timeout = emu_timer_new(clock, "uart16550", on_timeout, uart);
    emu_console_set_input_func(console, on_input, uart);
    dev_uart_reset(uart);
    return uart;
}

void dev_uart_free(DevUart *uart)
{
    if (uart == NULL) {
        return;
    }
    emu_console_set_input_func(uart->console, NULL, NULL);
    emu_timer_free(uart->timeout);
    emu_ports_remove(uart->ports, uart->handle);
    g_free(uart);
}

void dev_uart_reset(void *user)
{
    DevUart *uart = user;
    UartState *s = &uart->state;

    /* Master reset leaves the scratch and divisor registers undefined: zero and 9600 baud repeat
     * best. */
    *s = (UartState) { .dll = 12, .timeout_ns = EMU_CLOCK_NEVER };
    update_modem_inputs(s);
    s->msr &= (uint8_t)~MSR_DELTA;
    emu_timer_cancel(uart->timeout);
    take_input(uart);
    update_irq(uart);
}

void dev_uart_save(const DevUart *uart, GByteArray *out)
{
    emu_state_save(&desc, &uart->state, out);
}

bool dev_uart_load(DevUart *uart, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    if (!emu_state_load(&desc, &uart->state, bytes, len, pos, error)) {
        return false;
    }
    if (uart->state.timeout_ns == EMU_CLOCK_NEVER) {
        emu_timer_cancel(uart->timeout);
    } else {
        emu_timer_set(uart->timeout, uart->state.timeout_ns);
    }
    update_irq(uart);
    return true;
}

unsigned dev_uart_parts(void *user, EmuStatePart *ret_parts)
{
    DevUart *uart = user;

    ret_parts[0] = (EmuStatePart) { .desc = desc, .state = &uart->state };
    return 1;
}
