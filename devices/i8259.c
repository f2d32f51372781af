/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two interrupt controllers.
 *
 *   pins 8..15 -> [slave] --INT--> pin 2 \
 *   pins 0,1,3..7 ----------------------- [master] --INT--> CPU
 *
 * Requests are kept in IRR: an edge pin's by its rising edge until acknowledged (also if the pin
 * falls again before, so that a device may pulse its line), a level pin's as long as the pin is
 * high. LTIM of ICW1 is ignored, as in the PIIX: the edge/level registers decide pin by pin.
 *
 * Rules: a chip asks (INT high) while an unmasked request has a higher priority than everything in
 * service.
 *
 * Source: Intel 8259A datasheet (order 231468); Intel 82371SB (PIIX3) datasheet, section 2.5.5
 * (edge/level registers).
 */
#include "devices/i8259.h"

#include "devices/port_list.h"

#define MASTER 0
#define SLAVE 1
#define CASCADE_PIN 2
#define NO_LEVEL 8u

/* ICW1 */
#define ICW1_IC4 0x01u
#define ICW1_SNGL 0x02u
#define ICW1_INIT 0x10u
/* ICW4 */
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u
/* OCW2: rotate, specific, end of interrupt */
#define OCW2_EOI 0x20u
#define OCW2_SL 0x40u
#define OCW2_R 0x80u
/* OCW3 */
#define OCW3 0x08u
#define OCW3_RIS 0x01u
#define OCW3_RR 0x02u
#define OCW3_POLL 0x04u
#define OCW3_SMM 0x20u
#define OCW3_ESMM 0x40u

typedef struct Chip {
    uint8_t pins; /* levels now */
    uint8_t irr;
    uint8_t imr;
    uint8_t isr;
    uint8_t level_pins; /* edge/level register: 1 is level */
    uint8_t vector_base;
    uint8_t icw3;
    uint8_t lowest;   /* pin with the lowest priority; 7 unless rotated */
    uint8_t icw_next; /* which ICW a write to the odd port is: 2, 3, 4, or 0: none, it is OCW1 */
    bool wants_icw4;
    bool single;
    bool auto_eoi;
    bool rotate_auto_eoi;
    bool fully_nested; /* special fully nested mode */
    bool special_mask;
    bool read_isr;
    bool poll;
    bool output;
} Chip;

typedef struct State {
    Chip chip[2];
} State;

struct DevI8259 {
    State state;
    DevPortList ports;
    EmuLine intr;
};

/* Pins that have no level mode: timer, keyboard, cascade; clock chip, coprocessor. */
static const uint8_t level_allowed[2] = { 0xF8, 0xDE };

#define CHIP_FIELDS(n)                                                                            \
    EMU_FIELD(State, chip[n].pins), EMU_FIELD(State, chip[n].irr), EMU_FIELD(State, chip[n].imr), \
        EMU_FIELD(State, chip[n].isr), EMU_FIELD(State, chip[n].level_pins),                      \
        EMU_FIELD(State, chip[n].vector_base), EMU_FIELD(State, chip[n].icw3),                    \
        EMU_FIELD_MAX(State, chip[n].lowest, 7), EMU_FIELD_MAX(State, chip[n].icw_next, 4),       \
        EMU_FIELD(State, chip[n].wants_icw4), EMU_FIELD(State, chip[n].single),                   \
        EMU_FIELD(State, chip[n].auto_eoi), EMU_FIELD(State, chip[n].rotate_auto_eoi),            \
        EMU_FIELD(State, chip[n].fully_nested), EMU_FIELD(State, chip[n].special_mask),           \
        EMU_FIELD(State, chip[n].read_isr), EMU_FIELD(State, chip[n].poll),                       \
        EMU_FIELD(State, chip[n].output)

static const EmuField fields[] = { CHIP_FIELDS(0), CHIP_FIELDS(1) };

static uint8_t bit(unsigned pin)
{
    return (uint8_t)(1u << pin);
}

/* 0 is the highest of a set of pins, in the chip's rotated order; NO_LEVEL for an empty set. */
static unsigned highest_level(const Chip *chip, uint8_t pins)
{
    for (unsigned level = 0; level < 8; level++) {
        if ((pins & bit((chip->lowest + 1 + level) & 7)) != 0) {
            return level;
        }
    }
    return NO_LEVEL;
}

static unsigned pin_of_level(const Chip *chip, unsigned level)
{
    return (chip->lowest + 1 + level) & 7;
}

/* The pin whose interrupt would be taken now, or NO_LEVEL. */
static unsigned wanted_pin(const Chip *chip, bool is_master)
{
    uint8_t blocking = chip->isr;

    if (chip->special_mask) {
        blocking &= (uint8_t)~chip->imr;
    }
    /* In this mode further requests of the slave pass while one of its is in service. */
    if (is_master && chip->fully_nested) {
        blocking &= (uint8_t)~bit(CASCADE_PIN);
    }

    unsigned want = highest_level(chip, chip->irr & (uint8_t)~chip->imr);

    return want < highest_level(chip, blocking) ? pin_of_level(chip, want) : NO_LEVEL;
}

static void set_chip_pin(Chip *chip, unsigned pin, bool level)
{
    uint8_t mask = bit(pin);

    if ((chip->level_pins & mask) != 0) {
        chip->irr = level ? chip->irr | mask : chip->irr & (uint8_t)~mask;
    } else if (level && (chip->pins & mask) == 0) {
        chip->irr |= mask;
    }
    chip->pins = level ? chip->pins | mask : chip->pins & (uint8_t)~mask;
}

/* Brings both outputs to what the chips want. */
static void update(DevI8259 *pic)
{
    Chip *master = &pic->state.chip[MASTER];
    Chip *slave = &pic->state.chip[SLAVE];

    slave->output = wanted_pin(slave, false) != NO_LEVEL;
    set_chip_pin(master, CASCADE_PIN, slave->output);
    master->output = wanted_pin(master, true) != NO_LEVEL;
    emu_line_set(&pic->intr, master->output);
}

static void acknowledge(Chip *chip, unsigned pin)
{
    uint8_t mask = bit(pin);

    if ((chip->level_pins & mask) == 0) {
        chip->irr &= (uint8_t)~mask;
    }
    if (!chip->auto_eoi) {
        chip->isr |= mask;
    } else if (chip->rotate_auto_eoi) {
        chip->lowest = (uint8_t)pin;
    }
}

uint8_t dev_i8259_ack(void *user)
{
    DevI8259 *pic = user;
    Chip *chip = &pic->state.chip[MASTER];
    unsigned pin = wanted_pin(chip, true);

    if (pin != NO_LEVEL) {
        acknowledge(chip, pin);
        if (pin == CASCADE_PIN && !chip->single) {
            chip = &pic->state.chip[SLAVE];
            pin = wanted_pin(chip, false);
            /* INT falls during the acknowledge: if the slave wants more, the master sees a new
             * edge. */
            set_chip_pin(&pic->state.chip[MASTER], CASCADE_PIN, false);
            if (pin != NO_LEVEL) {
                acknowledge(chip, pin);
            }
        }
        update(pic);
    }
    return (uint8_t)(chip->vector_base | (pin == NO_LEVEL ? 7 : pin));
}

static void write_icw1(Chip *chip, uint8_t value)
{
    /* Edge requests are forgotten: a pin must rise again. */
    chip->irr = chip->pins & chip->level_pins;
    chip->imr = 0;
    chip->isr = 0;
    chip->lowest = 7;
    chip->auto_eoi = false;
    chip->rotate_auto_eoi = false;
    chip->fully_nested = false;
    chip->special_mask = false;
    chip->read_isr = false;
    chip->poll = false;
    chip->single = (value & ICW1_SNGL) != 0;
    chip->wants_icw4 = (value & ICW1_IC4) != 0;
    chip->icw_next = 2;
}

static void end_of_interrupt(Chip *chip, uint8_t value)
{
    uint8_t candidates = chip->isr;

    /* Unspecific: the special mask protects what is masked. */
    if (chip->special_mask) {
        candidates &= (uint8_t)~chip->imr;
    }

    unsigned level = highest_level(chip, candidates);
    bool specific = (value & OCW2_SL) != 0;

    if (!specific && level == NO_LEVEL) {
        return;
    }

    unsigned pin = specific ? value & 7u : pin_of_level(chip, level);

    chip->isr &= (uint8_t)~bit(pin);
    if ((value & OCW2_R) != 0) {
        chip->lowest = (uint8_t)pin;
    }
}

static void write_ocw2(Chip *chip, uint8_t value)
{
    if ((value & OCW2_EOI) != 0) {
        end_of_interrupt(chip, value);
    } else if ((value & OCW2_SL) == 0) {
        chip->rotate_auto_eoi = (value & OCW2_R) != 0;
    } else if ((value & OCW2_R) != 0) {
        chip->lowest = value & 7;
    }
}

static void write_ocw3(Chip *chip, uint8_t value)
{
    if ((value & OCW3_ESMM) != 0) {
        chip->special_mask = (value & OCW3_SMM) != 0;
    }
    /* Poll overrides a register read asked for in the same word. */
    chip->poll = (value & OCW3_POLL) != 0;
    if (!chip->poll && (value & OCW3_RR) != 0) {
        chip->read_isr = (value & OCW3_RIS) != 0;
    }
}

static void write_odd(Chip *chip, uint8_t value)
{
    switch (chip->icw_next) {
    case 2:
        chip->vector_base = value & 0xF8;
        chip->icw_next = !chip->single ? 3 : chip->wants_icw4 ? 4 : 0;
        break;
    case 3:
        chip->icw3 = value;
        chip->icw_next = chip->wants_icw4 ? 4 : 0;
        break;
    case 4:
        chip->auto_eoi = (value & ICW4_AEOI) != 0;
        chip->fully_nested = (value & ICW4_SFNM) != 0;
        chip->icw_next = 0;
        break;
    default:
        chip->imr = value;
        break;
    }
}

static Chip *chip_at(DevI8259 *pic, uint16_t port)
{
    return &pic->state.chip[(port & 0x80) != 0 ? SLAVE : MASTER];
}

static void chip_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8259 *pic = user;
    Chip *chip = chip_at(pic, port);
    uint8_t byte = (uint8_t)value;

    (void)size;
    if ((port & 1) != 0) {
        write_odd(chip, byte);
    } else if ((byte & ICW1_INIT) != 0) {
        write_icw1(chip, byte);
    } else if ((byte & OCW3) != 0) {
        write_ocw3(chip, byte);
    } else {
        write_ocw2(chip, byte);
    }
    update(pic);
}

/* A read as interrupt acknowledge: bit 7 and the pin, or 0. */
static uint8_t poll_chip(DevI8259 *pic, Chip *chip)
{
    unsigned pin = wanted_pin(chip, chip == &pic->state.chip[MASTER]);

    chip->poll = false;
    if (pin == NO_LEVEL) {
        return 0;
    }
    acknowledge(chip, pin);
    update(pic);
    return (uint8_t)(0x80 | pin);
}

static uint32_t chip_read(void *user, uint16_t port, unsigned size)
{
    DevI8259 *pic = user;
    Chip *chip = chip_at(pic, port);

    (void)size;
    if (chip->poll) {
        return poll_chip(pic, chip);
    }
    if ((port & 1) != 0) {
        return chip->imr;
    }
    return chip->read_isr ? chip->isr : chip->irr;
}

static uint32_t level_read(void *user, uint16_t port, unsigned size)
{
    DevI8259 *pic = user;

    (void)size;
    return pic->state.chip[port & 1].level_pins;
}

static void level_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8259 *pic = user;
    Chip *chip = &pic->state.chip[port & 1];

    (void)size;
    chip->level_pins = (uint8_t)value & level_allowed[port & 1];
    chip->irr = (uint8_t)((chip->irr & ~chip->level_pins) | (chip->pins & chip->level_pins));
    update(pic);
}

static const EmuPortOps chip_ops = { .read = chip_read, .write = chip_write, .sizes = 1 };
static const EmuPortOps level_ops = { .read = level_read, .write = level_write, .sizes = 1 };

static const DevPortRange port_ranges[] = {
    { 0x20, 2, &chip_ops },
    { 0xA0, 2, &chip_ops },
    { 0x4D0, 2, &level_ops },
};

static void pin_changed(void *user, unsigned irq, bool level)
{
    DevI8259 *pic = user;

    set_chip_pin(&pic->state.chip[irq >> 3], irq & 7, level);
    update(pic);
}

EmuLine dev_i8259_pin(DevI8259 *pic, unsigned irq)
{
    g_assert(irq < 16 && irq != CASCADE_PIN);

    return (EmuLine) { .func = pin_changed, .user = pic, .pin = irq };
}

DevI8259 *dev_i8259_new(EmuPorts *ports, EmuLine intr, GError **error)
{
    DevI8259 *pic = g_new0(DevI8259, 1);

    pic->intr = intr;
    if (!dev_port_list_add(&pic->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), pic, "i8259",
                           error)) {
        g_free(pic);
        return NULL;
    }
    dev_i8259_reset(pic);
    return pic;
}

void dev_i8259_free(DevI8259 *pic)
{
    if (pic == NULL) {
        return;
    }
    dev_port_list_clear(&pic->ports);
    g_free(pic);
}

void dev_i8259_reset(void *user)
{
    DevI8259 *pic = user;

    for (unsigned i = 0; i < 2; i++) {
        Chip *chip = &pic->state.chip[i];

        /* All masked until programmed: the datasheet leaves it open, firmware masks first anyway.
         */
        *chip = (Chip) { .pins = chip->pins, .lowest = 7, .imr = 0xFF };
    }
    update(pic);
}

static bool chip_is_valid(const Chip *chip, uint8_t allowed)
{
    return (chip->level_pins & ~allowed) == 0 && (chip->vector_base & 7) == 0 &&
           chip->icw_next != 1;
}

static bool state_is_valid(const void *loaded)
{
    const State *state = loaded;

    return chip_is_valid(&state->chip[MASTER], level_allowed[MASTER]) &&
           chip_is_valid(&state->chip[SLAVE], level_allowed[SLAVE]);
}

const EmuStateDesc dev_i8259_state_desc = {
    .name = "i8259",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = state_is_valid,
};

void dev_i8259_save(const DevI8259 *pic, GByteArray *out)
{
    emu_state_save(&dev_i8259_state_desc, &pic->state, out);
}

bool dev_i8259_load(DevI8259 *pic, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    if (!emu_state_load(&dev_i8259_state_desc, &pic->state, bytes, len, pos, error)) {
        return false;
    }
    update(pic);
    return true;
}

unsigned dev_i8259_parts(void *user, EmuStatePart *ret_parts)
{
    DevI8259 *pic = user;

    ret_parts[0] = (EmuStatePart) { .desc = dev_i8259_state_desc, .state = &pic->state };
    return 1;
}
