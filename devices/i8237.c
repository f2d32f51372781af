/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA registers without transfers. The second chip's registers lie two ports apart.
 *
 * Source: Intel 8237A datasheet (order 231466), register description; Intel 82371SB (PIIX3)
 * datasheet, section 2.5.1.
 */
#include "devices/i8237.h"

#include "devices/port_list.h"

/* Registers 0 to 7 are address and count of channels 0 to 3; then: */
enum {
    REG_STATUS_COMMAND = 8,
    REG_REQUEST = 9,
    REG_MASK_ONE = 10,
    REG_MODE = 11,
    REG_CLEAR_FLIP_FLOP = 12,
    REG_MASTER_CLEAR = 13,
    REG_CLEAR_MASK = 14,
    REG_MASK_ALL = 15,
};

#define PORT_PAGE 0x80
#define N_PAGE_REGS 16
#define MASK_SET 4u

typedef struct Chip {
    uint16_t current[8]; /* address and count in turn: what reads show */
    uint16_t base[8];
    uint8_t command;
    uint8_t request;
    uint8_t mask;
    uint8_t mode[4];
    bool high_byte; /* the flip-flop: the next byte of a 16-bit register is the high one */
} Chip;

typedef struct State {
    Chip chip[2];
    uint8_t page[N_PAGE_REGS];
} State;

struct DevI8237 {
    State state;
    DevPortList ports;
};

#define CHIP_FIELDS(n)                                                                \
    EMU_FIELD_ARRAY(State, chip[n].current), EMU_FIELD_ARRAY(State, chip[n].base),    \
        EMU_FIELD(State, chip[n].command), EMU_FIELD_MAX(State, chip[n].request, 15), \
        EMU_FIELD_MAX(State, chip[n].mask, 15), EMU_FIELD_ARRAY(State, chip[n].mode), \
        EMU_FIELD(State, chip[n].high_byte)

static const EmuField fields[] = { CHIP_FIELDS(0), CHIP_FIELDS(1), EMU_FIELD_ARRAY(State, page) };

static void clear_chip(Chip *chip)
{
    chip->command = 0;
    chip->request = 0;
    chip->mask = 0x0F;
    chip->high_byte = false;
}

static void write_word(Chip *chip, unsigned reg, uint8_t value)
{
    uint16_t word = chip->high_byte ? (uint16_t)((chip->base[reg] & 0x00FF) | value << 8)
                                    : (uint16_t)((chip->base[reg] & 0xFF00) | value);

    chip->base[reg] = word;
    chip->current[reg] = word;
    chip->high_byte = !chip->high_byte;
}

static uint8_t read_word(Chip *chip, unsigned reg)
{
    uint16_t word = chip->current[reg];
    uint8_t value = (uint8_t)(chip->high_byte ? word >> 8 : word);

    chip->high_byte = !chip->high_byte;
    return value;
}

static uint8_t with_bit(uint8_t set, unsigned index, bool on)
{
    uint8_t mask = (uint8_t)(1u << index);

    return on ? set | mask : set & (uint8_t)~mask;
}

static void write_reg(Chip *chip, unsigned reg, uint8_t value)
{
    switch (reg) {
    case REG_STATUS_COMMAND:
        chip->command = value;
        break;
    case REG_REQUEST:
        chip->request = with_bit(chip->request, value & 3, (value & MASK_SET) != 0);
        break;
    case REG_MASK_ONE:
        chip->mask = with_bit(chip->mask, value & 3, (value & MASK_SET) != 0);
        break;
    case REG_MODE:
        chip->mode[value & 3] = value;
        break;
    case REG_CLEAR_FLIP_FLOP:
        chip->high_byte = false;
        break;
    case REG_MASTER_CLEAR:
        clear_chip(chip);
        break;
    case REG_CLEAR_MASK:
        chip->mask = 0;
        break;
    case REG_MASK_ALL:
        chip->mask = value & 0x0F;
        break;
    default:
        write_word(chip, reg, value);
        break;
    }
}

static uint8_t read_reg(Chip *chip, unsigned reg)
{
    if (reg < REG_STATUS_COMMAND) {
        return read_word(chip, reg);
    }
    switch (reg) {
    case REG_STATUS_COMMAND:
        return (uint8_t)(chip->request << 4); /* status: requests, nothing reached its end */
    case REG_MASK_ALL:
        return chip->mask | 0xF0;
    default:
        return 0; /* the temporary register, and write-only ones */
    }
}

static Chip *chip_at(DevI8237 *dma, uint16_t port, unsigned *ret_reg)
{
    *ret_reg = port >= 0xC0 ? (port - 0xC0u) / 2 : port;
    return &dma->state.chip[port >= 0xC0 ? 1 : 0];
}

static uint32_t chip_read(void *user, uint16_t port, unsigned size)
{
    unsigned reg;
    Chip *chip = chip_at(user, port, &reg);

    (void)size;
    return read_reg(chip, reg);
}

static void chip_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    unsigned reg;
    Chip *chip = chip_at(user, port, &reg);

    (void)size;
    write_reg(chip, reg, (uint8_t)value);
}

static uint32_t page_read(void *user, uint16_t port, unsigned size)
{
    DevI8237 *dma = user;

    (void)size;
    return dma->state.page[port - PORT_PAGE];
}

static void page_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8237 *dma = user;

    (void)size;
    dma->state.page[port - PORT_PAGE] = (uint8_t)value;
}

static const EmuPortOps chip_ops = { .read = chip_read, .write = chip_write, .sizes = 1 };
static const EmuPortOps page_ops = { .read = page_read, .write = page_write, .sizes = 1 };

static const DevPortRange port_ranges[] = {
    { 0x00, 16, &chip_ops },
    { PORT_PAGE, N_PAGE_REGS, &page_ops },
    { 0xC0, 32, &chip_ops },
};

DevI8237 *dev_i8237_new(EmuPorts *ports, GError **error)
{
    DevI8237 *dma = g_new0(DevI8237, 1);

    if (!dev_port_list_add(&dma->ports, ports, port_ranges, G_N_ELEMENTS(port_ranges), dma, "i8237",
                           error)) {
        g_free(dma);
        return NULL;
    }
    dev_i8237_reset(dma);
    return dma;
}

void dev_i8237_free(DevI8237 *dma)
{
    if (dma == NULL) {
        return;
    }
    dev_port_list_clear(&dma->ports);
    g_free(dma);
}

void dev_i8237_reset(void *user)
{
    DevI8237 *dma = user;

    dma->state = (State) { 0 };
    clear_chip(&dma->state.chip[0]);
    clear_chip(&dma->state.chip[1]);
}

const EmuStateDesc dev_i8237_state_desc = {
    .name = "i8237",
    .version = 1,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
};

void dev_i8237_save(const DevI8237 *dma, GByteArray *out)
{
    emu_state_save(&dev_i8237_state_desc, &dma->state, out);
}

bool dev_i8237_load(DevI8237 *dma, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    return emu_state_load(&dev_i8237_state_desc, &dma->state, bytes, len, pos, error);
}

unsigned dev_i8237_parts(void *user, EmuStatePart *ret_parts)
{
    DevI8237 *dma = user;

    ret_parts[0] = (EmuStatePart) { .desc = dev_i8237_state_desc, .state = &dma->state };
    return 1;
}
