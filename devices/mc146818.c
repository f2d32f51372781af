/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock chip. Nothing ticks: date, flags and the update-in-progress bit are computed from guest
 * time.
 *
 *   seconds now = base_seconds + (guest ns + phase_ns) / 1e9; the rest of the division is the
 * fraction
 *
 * While the clock stands (SET, or a divider that does not run), ram[] holds date and time; while it
 * runs they are written there when somebody looks.
 *
 * Invariant: flags in register C are right up to guest time seen_ns; a timer waits for the next one
 * only while it would raise the line.
 *
 * Source: Motorola MC146818 data sheet; century byte and memory sizes: IBM AT technical reference
 * and common practice since.
 */
#include "devices/mc146818.h"

#include "devices/port_list.h"
#include "devices/rtc_calendar.h"

/* Registers */
enum {
    REG_SECOND = 0x00,
    REG_SECOND_ALARM = 0x01,
    REG_MINUTE = 0x02,
    REG_MINUTE_ALARM = 0x03,
    REG_HOUR = 0x04,
    REG_HOUR_ALARM = 0x05,
    REG_WEEKDAY = 0x06,
    REG_DAY = 0x07,
    REG_MONTH = 0x08,
    REG_YEAR = 0x09,
    REG_A = 0x0A,
    REG_B = 0x0B,
    REG_C = 0x0C,
    REG_D = 0x0D,
    REG_FIRST_RAM = 0x0E,
    REG_CENTURY = 0x32,
    N_REGS = 0x80,
};

#define A_UIP 0x80u
#define A_RATE 0x0Fu
#define B_SET 0x80u
#define B_24_HOURS 0x02u
#define B_BINARY 0x04u
#define C_IRQF 0x80u
/* Bits of B (enable) and C (flag) alike. */
#define INT_PERIODIC 0x40u
#define INT_ALARM 0x20u
#define INT_UPDATE 0x10u
#define INT_ALL 0x70u
#define B_SQUARE_WAVE 0x08u
#define D_VALID 0x80u
#define HOUR_PM 0x80u

/* With a 32768 Hz crystal: 244 us of warning, 1984 us of update, done as the second begins. */
#define UIP_NS UINT64_C(2228000)
#define MAX_BASE_SECONDS (INT64_C(1) << 40)

typedef struct State {
    uint8_t ram[N_REGS];
    uint8_t index;
    int64_t base_seconds;
    uint64_t phase_ns; /* below 1e9 */
    uint64_t seen_ns;
} State;

struct DevMc146818 {
    State state;
    DevPortList ports;
    EmuClock *clock;
    EmuTimer *timer;
    EmuLine irq8;
};

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(State, ram),    EMU_FIELD_MAX(State, index, 0x7F),
    EMU_FIELD(State, base_seconds), EMU_FIELD_MAX(State, phase_ns, EMU_NS_PER_SECOND - 1),
    EMU_FIELD(State, seen_ns),
};

static bool divider_runs(const State *state)
{
    return (state->ram[REG_A] & 0x70) == 0x20;
}

static bool is_running(const State *state)
{
    return divider_runs(state) && (state->ram[REG_B] & B_SET) == 0;
}

static int64_t seconds_at(const State *state, uint64_t ns)
{
    return state->base_seconds + (int64_t)((ns + state->phase_ns) / EMU_NS_PER_SECOND);
}

static uint64_t fraction_at(const State *state, uint64_t ns)
{
    return (ns + state->phase_ns) % EMU_NS_PER_SECOND;
}

static uint8_t encode(const State *state, unsigned value)
{
    if ((state->ram[REG_B] & B_BINARY) != 0) {
        return (uint8_t)value;
    }
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const State *state, uint8_t value)
{
    return (state->ram[REG_B] & B_BINARY) != 0 ? value : (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode_hour(const State *state, unsigned hour)
{
    if ((state->ram[REG_B] & B_24_HOURS) != 0) {
        return encode(state, hour);
    }

    uint8_t code = encode(state, hour % 12 == 0 ? 12 : hour % 12);

    return hour >= 12 ? code | HOUR_PM : code;
}

static unsigned decode_hour(const State *state, uint8_t value)
{
    if ((state->ram[REG_B] & B_24_HOURS) != 0) {
        return decode(state, value);
    }
    return decode(state, value & 0x7F) % 12 + ((value & HOUR_PM) != 0 ? 12 : 0);
}

/* Date and time into their registers. */
static void show_time(State *state, uint64_t now)
{
    RtcDate date;

    if (!is_running(state)) {
        return;
    }
    rtc_date_of_seconds(seconds_at(state, now), &date);
    state->ram[REG_SECOND] = encode(state, date.second);
    state->ram[REG_MINUTE] = encode(state, date.minute);
    state->ram[REG_HOUR] = encode_hour(state, date.hour);
    state->ram[REG_WEEKDAY] = encode(state, date.weekday);
    state->ram[REG_DAY] = encode(state, date.day);
    state->ram[REG_MONTH] = encode(state, date.month);
    state->ram[REG_YEAR] = encode(state, (unsigned)(date.year % 100));
    state->ram[REG_CENTURY] = encode(state, (unsigned)(date.year / 100 % 100));
}

/* And back: the clock goes on from what the registers say. */
static void take_time(State *state, uint64_t now)
{
    RtcDate date = {
        .year = decode(state, state->ram[REG_CENTURY]) * 100 + decode(state, state->ram[REG_YEAR]),
        .month = decode(state, state->ram[REG_MONTH]),
        .day = decode(state, state->ram[REG_DAY]),
        .hour = decode_hour(state, state->ram[REG_HOUR]),
        .minute = decode(state, state->ram[REG_MINUTE]),
        .second = decode(state, state->ram[REG_SECOND]),
    };

    state->base_seconds = 0;
    state->base_seconds = rtc_seconds_of_date(&date) - seconds_at(state, now);
}

static unsigned decode_alarm(const State *state, uint8_t value)
{
    return (value & 0xC0) == 0xC0 ? RTC_ANY : decode(state, value);
}

/* The first second at or after @from at which the alarm matches, or -1. */
static int64_t next_alarm(const State *state, int64_t from)
{
    uint8_t hour = state->ram[REG_HOUR_ALARM];
    RtcAlarm alarm = {
        .hour = (hour & 0xC0) == 0xC0 ? RTC_ANY : decode_hour(state, hour),
        .minute = decode_alarm(state, state->ram[REG_MINUTE_ALARM]),
        .second = decode_alarm(state, state->ram[REG_SECOND_ALARM]),
    };

    return rtc_next_alarm(&alarm, MAX(from, 0));
}

/* Periods of the periodic interrupt since guest time 0; 0 while it is off. */
static uint64_t period_ticks(const State *state)
{
    unsigned rate = state->ram[REG_A] & A_RATE;

    if (rate == 0 || !divider_runs(state)) {
        return 0;
    }
    /* Rates 1 and 2 repeat 8 and 9 with a 32768 Hz crystal. */
    return UINT64_C(1) << ((rate < 3 ? rate + 7 : rate) - 1);
}

static uint64_t crystal_ticks(uint64_t ns)
{
    return ns / EMU_NS_PER_SECOND * 32768 + ns % EMU_NS_PER_SECOND * 32768 / EMU_NS_PER_SECOND;
}

/* Sets the flags of everything that happened in (seen_ns, now]. */
static void note_events(State *state, uint64_t now)
{
    uint64_t seen = state->seen_ns;
    uint64_t period = period_ticks(state);

    if (now <= seen) {
        return;
    }
    state->seen_ns = now;
    if (period != 0 && crystal_ticks(now) / period != crystal_ticks(seen) / period) {
        state->ram[REG_C] |= INT_PERIODIC;
    }
    if (!is_running(state)) {
        return;
    }

    int64_t first = seconds_at(state, seen) + 1;
    int64_t last = seconds_at(state, now);

    if (first > last) {
        return;
    }
    state->ram[REG_C] |= INT_UPDATE;

    int64_t alarm = next_alarm(state, first);

    if (alarm >= 0 && alarm <= last) {
        state->ram[REG_C] |= INT_ALARM;
    }
}

/* When the next enabled event comes, or EMU_CLOCK_NEVER. */
static uint64_t next_event(const State *state, uint64_t now)
{
    uint8_t enabled = state->ram[REG_B] & INT_ALL;
    uint64_t period = period_ticks(state);
    uint64_t next = EMU_CLOCK_NEVER;

    if ((enabled & INT_PERIODIC) != 0 && period != 0) {
        uint64_t tick = (crystal_ticks(now) / period + 1) * period;

        next = emu_clock_ns_of_ticks(tick, 32768);
    }
    if (!is_running(state)) {
        return next;
    }

    uint64_t second_begins = now - fraction_at(state, now);

    if ((enabled & INT_UPDATE) != 0) {
        next = MIN(next, second_begins + EMU_NS_PER_SECOND);
    }
    if ((enabled & INT_ALARM) != 0) {
        int64_t seconds = MAX(seconds_at(state, now), 0);
        int64_t alarm = next_alarm(state, seconds + 1);

        if (alarm >= 0) {
            next = MIN(next, second_begins + (uint64_t)(alarm - seconds) * EMU_NS_PER_SECOND);
        }
    }
    return next;
}

/* After any change: the line, and the timer for what would raise it. */
static void update(DevMc146818 *rtc, uint64_t now)
{
    State *state = &rtc->state;
    bool pending = (state->ram[REG_C] & state->ram[REG_B] & INT_ALL) != 0;
    uint64_t next = pending ? EMU_CLOCK_NEVER : next_event(state, now);

    if (next == EMU_CLOCK_NEVER) {
        emu_timer_cancel(rtc->timer);
    } else {
        emu_timer_set(rtc->timer, MAX(next, now + EMU_CLOCK_LATENCY_NS));
    }
    emu_line_set(&rtc->irq8, pending);
}

static void timer_fired(void *user)
{
    DevMc146818 *rtc = user;
    uint64_t now = emu_clock_now(rtc->clock);

    note_events(&rtc->state, now);
    update(rtc, now);
}

/* Registers A and B: their bits may start and stop the clock. */
static void write_control(State *state, uint64_t now, unsigned reg, uint8_t value)
{
    bool was_running = is_running(state);
    bool divider_ran = divider_runs(state);

    show_time(state, now);
    if (reg == REG_A) {
        state->ram[REG_A] = value & (uint8_t)~A_UIP;
    } else {
        /* SET takes the update interrupt's enable with it. */
        state->ram[REG_B] = (value & B_SET) != 0 ? value & (uint8_t)~INT_UPDATE : value;
    }
    if (!divider_ran && divider_runs(state)) {
        /* The first update comes half a second after the divider was let go. */
        uint64_t half = EMU_NS_PER_SECOND / 2;

        state->phase_ns = (EMU_NS_PER_SECOND + half - now % EMU_NS_PER_SECOND) % EMU_NS_PER_SECOND;
    }
    if (!was_running && is_running(state)) {
        take_time(state, now);
    }
}

static bool is_time_reg(unsigned reg)
{
    return reg == REG_SECOND || reg == REG_MINUTE || reg == REG_HOUR ||
           (reg >= REG_WEEKDAY && reg <= REG_YEAR) || reg == REG_CENTURY;
}

static void write_reg(DevMc146818 *rtc, uint64_t now, unsigned reg, uint8_t value)
{
    State *state = &rtc->state;

    if (reg == REG_A || reg == REG_B) {
        write_control(state, now, reg, value);
    } else if (is_time_reg(reg)) {
        show_time(state, now);
        state->ram[reg] = value;
        if (is_running(state)) {
            take_time(state, now);
        }
    } else if (reg != REG_C && reg != REG_D) {
        state->ram[reg] = value;
    }
}

static uint8_t read_reg(DevMc146818 *rtc, uint64_t now, unsigned reg)
{
    State *state = &rtc->state;
    uint8_t value;

    switch (reg) {
    case REG_A:
        if (is_running(state) && fraction_at(state, now) >= EMU_NS_PER_SECOND - UIP_NS) {
            return state->ram[REG_A] | A_UIP;
        }
        return state->ram[REG_A];
    case REG_C:
        value = state->ram[REG_C];
        if ((value & state->ram[REG_B] & INT_ALL) != 0) {
            value |= C_IRQF;
        }
        state->ram[REG_C] = 0;
        return value;
    case REG_D:
        return D_VALID;
    default:
        if (is_time_reg(reg)) {
            show_time(state, now);
        }
        return state->ram[reg];
    }
}

static uint32_t port_read(void *user, uint16_t port, unsigned size)
{
    DevMc146818 *rtc = user;
    uint64_t now = emu_clock_now(rtc->clock);
    uint8_t value;

    (void)size;
    if ((port & 1) == 0) {
        return 0xFF; /* the index is write only */
    }
    note_events(&rtc->state, now);
    value = read_reg(rtc, now, rtc->state.index);
    if (rtc->state.index == REG_C) {
        update(rtc, now);
    }
    return value;
}

static void port_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevMc146818 *rtc = user;
    uint64_t now = emu_clock_now(rtc->clock);

    (void)size;
    if ((port & 1) == 0) {
        /* Bit 7 masks NMI, which nothing on this board raises. */
        rtc->state.index = value & 0x7F;
        return;
    }
    note_events(&rtc->state, now);
    write_reg(rtc, now, rtc->state.index, (uint8_t)value);
    update(rtc, now);
}

static const EmuPortOps port_ops = { .read = port_read, .write = port_write, .sizes = 1 };
static const DevPortRange port_ranges[] = { { 0x70, 2, &port_ops } };

DevMc146818 *dev_mc146818_new(EmuPorts *ports, EmuClock *clock, EmuLine irq8, int64_t start_seconds,
                              GError **error)
{
    g_assert(start_seconds >= 0 && start_seconds <= DEV_MC146818_MAX_SECONDS);

    DevMc146818 *rtc = g_new0(DevMc146818, 1);

    if (!dev_port_list_add(&rtc->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), rtc,
                           "mc146818", error)) {
        g_free(rtc);
        return NULL;
    }
    rtc->clock = clock;
    rtc->irq8 = irq8;
    rtc->timer = emu_timer_new(clock, "mc146818", timer_fired, rtc);
    rtc->state.ram[REG_A] = 0x26; /* running, 1024 Hz: how a PC's battery keeps it */
    rtc->state.ram[REG_B] = B_24_HOURS;
    rtc->state.base_seconds = start_seconds;
    rtc->state.seen_ns = emu_clock_now(clock);
    show_time(&rtc->state, rtc->state.seen_ns);
    return rtc;
}

void dev_mc146818_free(DevMc146818 *rtc)
{
    if (rtc == NULL) {
        return;
    }
    emu_timer_free(rtc->timer);
    dev_port_list_clear(&rtc->ports);
    g_free(rtc);
}

void dev_mc146818_reset(void *user)
{
    DevMc146818 *rtc = user;
    uint64_t now = emu_clock_now(rtc->clock);

    note_events(&rtc->state, now);
    rtc->state.ram[REG_B] &= (uint8_t) ~(INT_ALL | B_SQUARE_WAVE);
    rtc->state.ram[REG_C] = 0;
    rtc->state.index = 0;
    update(rtc, now);
}

void dev_mc146818_set_nvram(DevMc146818 *rtc, unsigned index, uint8_t value)
{
    g_assert(index >= REG_FIRST_RAM && index < N_REGS && index != REG_CENTURY);

    rtc->state.ram[index] = value;
}

static bool state_is_valid(const void *loaded)
{
    const State *state = loaded;

    return (state->ram[REG_A] & A_UIP) == 0 && (state->ram[REG_C] & ~INT_ALL) == 0 &&
           state->base_seconds >= -MAX_BASE_SECONDS && state->base_seconds <= MAX_BASE_SECONDS &&
           state->seen_ns <= INT64_MAX;
}

const EmuStateDesc dev_mc146818_state_desc = {
    .name = "mc146818",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = state_is_valid,
};

void dev_mc146818_save(const DevMc146818 *rtc, GByteArray *out)
{
    emu_state_save(&dev_mc146818_state_desc, &rtc->state, out);
}

bool dev_mc146818_load(DevMc146818 *rtc, const uint8_t *bytes, size_t len, size_t *pos,
                       GError **error)
{
    if (!emu_state_load(&dev_mc146818_state_desc, &rtc->state, bytes, len, pos, error)) {
        return false;
    }
    update(rtc, emu_clock_now(rtc->clock));
    return true;
}

unsigned dev_mc146818_parts(void *user, EmuStatePart *ret_parts)
{
    DevMc146818 *rtc = user;

    ret_parts[0] = (EmuStatePart) { .desc = dev_mc146818_state_desc, .state = &rtc->state };
    return 1;
}
