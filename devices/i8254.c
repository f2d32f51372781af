/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer chip on its ports, counter 0 on its interrupt line, and port 0x61.
 *
 * Invariant: irq_rise is the next tick at which counter 0's output rises (I8254_NEVER if it does
 * not), computed after every change of the counter; the timer waits for it, or as soon after as
 * EMU_CLOCK_LATENCY_NS allows.
 *
 * Source: Intel 8254 datasheet (order 231164); Intel 82371SB (PIIX3) datasheet, NMI status and
 * control register (port 0x61).
 */
#include "devices/i8254.h"

#include "devices/i8254_counter.h"
#include "devices/port_list.h"

#define PORT_COUNTER0 0x40
#define PORT_CONTROL 0x43
#define PORT_B 0x61

#define CONTROL_READ_BACK 3
#define READ_BACK_NO_COUNT 0x20u
#define READ_BACK_NO_STATUS 0x10u

/* Port 0x61 */
#define PORT_B_GATE2 0x01u
#define PORT_B_WRITABLE 0x0Fu
#define PORT_B_REFRESH 0x10u
#define PORT_B_OUT2 0x20u

/* Refresh happens each 15 us; its bit toggles with it whether or not counter 1 was programmed. */
#define REFRESH_TICKS 18

typedef struct State {
    I8254Counter counter[3];
    uint64_t irq_rise;
    uint8_t port_b;
} State;

struct DevI8254 {
    State state;
    DevPortList ports;
    EmuClock *clock;
    EmuTimer *timer;
    EmuLine irq0;
};

#define COUNTER_FIELDS(n)                                                                      \
    EMU_FIELD(State, counter[n].start), EMU_FIELD(State, counter[n].frozen_at),                \
        EMU_FIELD(State, counter[n].count), EMU_FIELD(State, counter[n].next_count),           \
        EMU_FIELD(State, counter[n].latch), EMU_FIELD_MAX(State, counter[n].latched_bytes, 2), \
        EMU_FIELD_MAX(State, counter[n].access, 3), EMU_FIELD_MAX(State, counter[n].mode, 5),  \
        EMU_FIELD(State, counter[n].status), EMU_FIELD(State, counter[n].low_byte),            \
        EMU_FIELD(State, counter[n].status_latched), EMU_FIELD(State, counter[n].bcd),         \
        EMU_FIELD(State, counter[n].gate), EMU_FIELD(State, counter[n].loaded),                \
        EMU_FIELD(State, counter[n].triggered), EMU_FIELD(State, counter[n].frozen),           \
        EMU_FIELD(State, counter[n].write_high), EMU_FIELD(State, counter[n].read_high)

static const EmuField fields[] = {
    COUNTER_FIELDS(0),
    COUNTER_FIELDS(1),
    COUNTER_FIELDS(2),
    EMU_FIELD(State, irq_rise),
    EMU_FIELD_MAX(State, port_b, PORT_B_WRITABLE),
};

static uint64_t now_ticks(const DevI8254 *pit)
{
    return emu_clock_ticks(pit->clock, DEV_I8254_HZ);
}

static void set_timer(DevI8254 *pit)
{
    if (pit->state.irq_rise > I8254_MAX_TICK) {
        emu_timer_cancel(pit->timer);
        return;
    }

    uint64_t soonest = emu_clock_now(pit->clock) + EMU_CLOCK_LATENCY_NS;
    uint64_t deadline = emu_clock_ns_of_ticks(pit->state.irq_rise, DEV_I8254_HZ);

    emu_timer_set(pit->timer, MAX(deadline, soonest));
}

/* Shows counter 0's edges up to @now on the line: before anything reads or changes the counter. */
static void show_edges(DevI8254 *pit, uint64_t now)
{
    if (now < pit->state.irq_rise) {
        return;
    }
    emu_line_set(&pit->irq0, false);
    emu_line_set(&pit->irq0, true);
    pit->state.irq_rise = i8254_counter_next_rise(&pit->state.counter[0], now);
    set_timer(pit);
}

/* Counter 0 was changed: its output may have jumped. */
static void counter0_changed(DevI8254 *pit, uint64_t now)
{
    emu_line_set(&pit->irq0, i8254_counter_output(&pit->state.counter[0], now));
    pit->state.irq_rise = i8254_counter_next_rise(&pit->state.counter[0], now);
    set_timer(pit);
}

static void timer_fired(void *user)
{
    DevI8254 *pit = user;

    show_edges(pit, now_ticks(pit));
}

static void read_back(DevI8254 *pit, uint64_t now, uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        if ((value & (2u << i)) == 0) {
            continue;
        }
        if ((value & READ_BACK_NO_COUNT) == 0) {
            i8254_counter_latch(&pit->state.counter[i], now);
        }
        if ((value & READ_BACK_NO_STATUS) == 0) {
            i8254_counter_latch_status(&pit->state.counter[i], now);
        }
    }
}

static void write_control(DevI8254 *pit, uint64_t now, uint8_t value)
{
    unsigned index = value >> 6;

    if (index == CONTROL_READ_BACK) {
        read_back(pit, now, value);
        return;
    }
    if ((value & 0x30) == 0) {
        i8254_counter_latch(&pit->state.counter[index], now);
        return;
    }
    i8254_counter_set_mode(&pit->state.counter[index], value);
    if (index == 0) {
        counter0_changed(pit, now);
    }
}

static void pit_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8254 *pit = user;
    uint64_t now = now_ticks(pit);

    (void)size;
    show_edges(pit, now);
    if (port == PORT_CONTROL) {
        write_control(pit, now, (uint8_t)value);
        return;
    }
    i8254_counter_write(&pit->state.counter[port - PORT_COUNTER0], now, (uint8_t)value);
    if (port == PORT_COUNTER0) {
        counter0_changed(pit, now);
    }
}

static uint32_t pit_read(void *user, uint16_t port, unsigned size)
{
    DevI8254 *pit = user;
    uint64_t now = now_ticks(pit);

    (void)size;
    show_edges(pit, now);
    if (port == PORT_CONTROL) {
        return 0xFF; /* write only */
    }
    return i8254_counter_read(&pit->state.counter[port - PORT_COUNTER0], now);
}

static uint32_t port_b_read(void *user, uint16_t port, unsigned size)
{
    DevI8254 *pit = user;
    uint64_t now = now_ticks(pit);
    uint8_t value = pit->state.port_b;

    (void)port;
    (void)size;
    if ((now / REFRESH_TICKS) % 2 != 0) {
        value |= PORT_B_REFRESH;
    }
    if (i8254_counter_output(&pit->state.counter[2], now)) {
        value |= PORT_B_OUT2;
    }
    return value;
}

static void port_b_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8254 *pit = user;

    (void)port;
    (void)size;
    pit->state.port_b = value & PORT_B_WRITABLE;
    i8254_counter_set_gate(&pit->state.counter[2], now_ticks(pit), (value & PORT_B_GATE2) != 0);
}

static const EmuPortOps pit_ops = { .read = pit_read, .write = pit_write, .sizes = 1 };
static const EmuPortOps port_b_ops = { .read = port_b_read, .write = port_b_write, .sizes = 1 };

static const DevPortRange port_ranges[] = {
    { PORT_COUNTER0, 4, &pit_ops },
    { PORT_B, 1, &port_b_ops },
};

DevI8254 *dev_i8254_new(EmuPorts *ports, EmuClock *clock, EmuLine irq0, GError **error)
{
    DevI8254 *pit = g_new0(DevI8254, 1);

    if (!dev_port_list_add(&pit->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), pit, "i8254",
                           error)) {
        g_free(pit);
        return NULL;
    }
    pit->clock = clock;
    pit->irq0 = irq0;
    pit->timer = emu_timer_new(clock, "i8254", timer_fired, pit);
    dev_i8254_reset(pit);
    return pit;
}

void dev_i8254_free(DevI8254 *pit)
{
    if (pit == NULL) {
        return;
    }
    emu_timer_free(pit->timer);
    dev_port_list_clear(&pit->ports);
    g_free(pit);
}

void dev_i8254_reset(void *user)
{
    DevI8254 *pit = user;

    for (unsigned i = 0; i < 3; i++) {
        /* The gates of counters 0 and 1 are tied high. */
        i8254_counter_reset(&pit->state.counter[i], i != 2);
    }
    pit->state.port_b = 0;
    counter0_changed(pit, now_ticks(pit));
}

static bool state_is_valid(const void *loaded)
{
    const State *state = loaded;

    for (unsigned i = 0; i < 3; i++) {
        if (!i8254_counter_is_valid(&state->counter[i])) {
            return false;
        }
    }
    return state->counter[0].gate && state->counter[1].gate &&
           state->counter[2].gate == ((state->port_b & PORT_B_GATE2) != 0);
}

const EmuStateDesc dev_i8254_state_desc = {
    .name = "i8254",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = state_is_valid,
};

void dev_i8254_save(const DevI8254 *pit, GByteArray *out)
{
    emu_state_save(&dev_i8254_state_desc, &pit->state, out);
}

bool dev_i8254_load(DevI8254 *pit, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    if (!emu_state_load(&dev_i8254_state_desc, &pit->state, bytes, len, pos, error)) {
        return false;
    }
    set_timer(pit);
    return true;
}

unsigned dev_i8254_parts(void *user, EmuStatePart *ret_parts)
{
    DevI8254 *pit = user;

    ret_parts[0] = (EmuStatePart) { .desc = dev_i8254_state_desc, .state = &pit->state };
    return 1;
}
