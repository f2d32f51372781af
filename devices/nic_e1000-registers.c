/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network card's registers, its EEPROM and its PHY.
 *
 * A table says which registers there are and which of their bits can be written; the few that do
 * something are in act(). Registers that count frames read 0, like all that the table does not
 * name.
 *
 * Invariant: the interrupt line is high exactly while a cause is set in ICR that IMS allows.
 *
 * Source: Intel, PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual
 * (317453), chapters 5 (EEPROM), 8 (PHY) and 13 (registers).
 */
#include "devices/nic_e1000-internal.h"

#define CTRL 0x0000u
#define CTRL_RESET 0x04000000u
#define STATUS 0x0008u
#define STATUS_NO_LINK 0x00000081u /* full duplex, 1000 Mbit/s; LU is not set */
#define EECD 0x0010u
#define EECD_REQUEST 0x40u
#define EECD_GRANT 0x80u
#define EECD_PRESENT 0x100u
#define EERD 0x0014u
#define EERD_START 0x01u
#define EERD_DONE 0x10u
#define MDIC 0x0020u
#define MDIC_READ 0x08000000u
#define MDIC_READY 0x10000000u
#define MDIC_ERROR 0x40000000u
#define MDIC_KEPT 0x23FFFFFFu /* interrupt wanted, PHY, register, data */
#define ICR 0x00C0u
#define ICS 0x00C8u
#define IMS 0x00D0u
#define IMC 0x00D8u
#define CAUSES 0x0001FFF7u
#define RAL0 0x5400u
#define RAH0 0x5404u
#define RAH_VALID 0x80000000u

/* The only PHY: an address on the MDI bus. */
#define PHY_ADDRESS 1u

typedef struct Registers {
    uint16_t offset;
    uint16_t n; /* neighbours, 4 bytes each */
    uint32_t writable;
    uint32_t reset;
} Registers;

static const Registers table[] = {
    { CTRL, 1, 0x1FFFFFFF & ~CTRL_RESET, 0x00000A09 },
    { STATUS, 1, 0, STATUS_NO_LINK },
    { EECD, 1, 0x0000004F, EECD_PRESENT },
    { EERD, 1, 0, 0 },
    { 0x0018, 1, 0xFFFFFFFF, 0 }, /* CTRL_EXT */
    { MDIC, 1, 0, MDIC_READY },
    { 0x0028, 1, 0xFFFFFFFF, 0 }, /* FCAL */
    { 0x002C, 1, 0x0000FFFF, 0 }, /* FCAH */
    { 0x0030, 1, 0x0000FFFF, 0 }, /* FCT */
    { 0x0038, 1, 0x0000FFFF, 0 }, /* VET */
    { ICR, 1, 0, 0 },
    { 0x00C4, 1, 0x0000FFFF, 0 }, /* ITR */
    { IMS, 1, 0, 0 },
    { 0x0100, 1, 0x0FDFFFFE, 0 },          /* RCTL */
    { 0x0170, 1, 0x0000FFFF, 0 },          /* FCTTV */
    { 0x0178, 1, 0xFFFFFFFF, 0 },          /* TXCW */
    { 0x0400, 1, 0x01FFFFFA, 0 },          /* TCTL */
    { 0x0410, 1, 0x3FFFFFFF, 0x00602008 }, /* TIPG */
    { 0x0458, 1, 0x0000FFFF, 0 },          /* AIFS */
    { 0x0E00, 1, 0xFFFFFFFF, 0x07068302 }, /* LEDCTL */
    { 0x1000, 1, 0x0000FFFF, 0x00100030 }, /* PBA */
    { 0x2160, 1, 0x8000FFF8, 0 },          /* FCRTL */
    { 0x2168, 1, 0x0000FFF8, 0 },          /* FCRTH */
    { 0x2800, 1, 0xFFFFFFF0, 0 },          /* RDBAL */
    { 0x2804, 1, 0xFFFFFFFF, 0 },          /* RDBAH */
    { 0x2808, 1, 0x000FFF80, 0 },          /* RDLEN */
    { 0x2810, 1, 0x0000FFFF, 0 },          /* RDH */
    { 0x2818, 1, 0x0000FFFF, 0 },          /* RDT */
    { 0x2820, 1, 0x0000FFFF, 0 },          /* RDTR */
    { 0x2828, 1, 0xFFFFFFFF, 0x00010000 }, /* RXDCTL */
    { 0x282C, 1, 0x0000FFFF, 0 },          /* RADV */
    { 0x2C00, 1, 0x00000FFF, 0 },          /* RSRPD */
    { 0x3000, 1, 0x00000001, 0 },          /* TXDMAC */
    { 0x3800, 1, 0xFFFFFFF0, 0 },          /* TDBAL */
    { 0x3804, 1, 0xFFFFFFFF, 0 },          /* TDBAH */
    { 0x3808, 1, 0x000FFF80, 0 },          /* TDLEN */
    { 0x3810, 1, 0x0000FFFF, 0 },          /* TDH */
    { 0x3818, 1, 0x0000FFFF, 0 },          /* TDT */
    { 0x3820, 1, 0x0000FFFF, 0 },          /* TIDV */
    { 0x3828, 1, 0xFFFFFFFF, 0 },          /* TXDCTL */
    { 0x382C, 1, 0x0000FFFF, 0 },          /* TADV */
    { 0x3830, 1, 0xFFFFFFFF, 0 },          /* TSPMT */
    { 0x5000, 1, 0x000007FF, 0 },          /* RXCSUM */
    { 0x5200, 128, 0xFFFFFFFF, 0 },        /* MTA */
    { RAL0, 32, 0xFFFFFFFF, 0 },           /* RAL and RAH, 16 of each */
    { 0x5600, 128, 0xFFFFFFFF, 0 },        /* VFTA */
    { 0x5800, 1, 0x0000000F, 0 },          /* WUC */
    { 0x5808, 1, 0x000F00FF, 0 },          /* WUFC */
    { 0x5820, 1, 0x0FFFFFFF, 0 },          /* MANC */
};

/* ---- EEPROM and PHY */

#define EEPROM_WORDS 64u
#define EEPROM_SUM 0xBABAu

/* What a card of this kind has in its words; a locally administered address. */
static uint16_t eeprom_word(unsigned index)
{
    static const uint16_t words[] = {
        0x5452, 0x1200,       0x5634, /* 52:54:00:12:34:56 */
        0x0000, 0xFFFF,       0x0000,       0x0000,       0x0000,
        0x3000, 0x1000,       0x6403, /* initialisation control 1: identity is in the words that
                                         follow */
        0x001E, E1000_VENDOR, E1000_DEVICE, E1000_VENDOR,
    };
    unsigned sum = 0;

    if (index + 1 < EEPROM_WORDS) {
        return index < G_N_ELEMENTS(words) ? words[index] : 0;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        sum += words[i];
    }
    return (uint16_t)(EEPROM_SUM - sum);
}

static uint32_t eerd_done(uint32_t value)
{
    unsigned index = (value >> 8) & 0xFF;
    uint32_t word = index < EEPROM_WORDS ? eeprom_word(index) : 0xFFFF;

    return (value & EERD_START) != 0 ? word << 16 | index << 8 | EERD_DONE : index << 8;
}

static uint16_t phy_register(unsigned index)
{
    static const uint16_t registers[32] = {
        [0] = 0x1140, /* negotiates, full duplex, 1000 Mbit/s */
        [1] = 0x7949, /* what it can; no link, nothing negotiated */
        [2] = 0x0141, [3] = 0x0C20, [4] = 0x0DE1, [9] = 0x0E00, [15] = 0x3000,
    };

    return registers[index];
}

static uint32_t mdic_done(uint32_t value)
{
    unsigned phy = (value >> 21) & 31;
    unsigned index = (value >> 16) & 31;
    uint32_t kept = value & MDIC_KEPT;

    if (phy != PHY_ADDRESS) {
        return kept | MDIC_READY | MDIC_ERROR;
    }
    if ((value & MDIC_READ) != 0) {
        kept = (kept & 0xFFFF0000) | phy_register(index);
    }
    return kept | MDIC_READY; /* what is written to the PHY changes nothing */
}

/* ---- registers */

/* The register at @offset with its place in the state, or NULL. */
static const Registers *lookup(uint64_t offset, unsigned *ret_slot)
{
    unsigned slot = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (offset >= table[i].offset && offset < table[i].offset + 4u * table[i].n) {
            *ret_slot = slot + (unsigned)(offset - table[i].offset) / 4;
            return &table[i];
        }
        slot += table[i].n;
    }
    return NULL;
}

static uint32_t *register_at(DevNicE1000 *nic, uint32_t offset)
{
    unsigned slot = 0;
    const Registers *registers = lookup(offset, &slot);

    g_assert(registers != NULL);
    return &nic->state.slots[slot];
}

static void drive(DevNicE1000 *nic)
{
    emu_line_set(&nic->inta, (*register_at(nic, ICR) & *register_at(nic, IMS)) != 0);
}

void e1000_reset_registers(DevNicE1000 *nic)
{
    unsigned slot = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        for (unsigned k = 0; k < table[i].n; k++) {
            nic->state.slots[slot++] = table[i].reset;
        }
    }
    g_assert(slot == E1000_N_SLOTS);
    /* The address comes from the EEPROM. */
    *register_at(nic, RAL0) = eeprom_word(0) | (uint32_t)eeprom_word(1) << 16;
    *register_at(nic, RAH0) = eeprom_word(2) | RAH_VALID;
    drive(nic);
}

uint32_t e1000_read(DevNicE1000 *nic, uint64_t offset)
{
    unsigned slot = 0;

    if (lookup(offset, &slot) == NULL) {
        return 0;
    }

    uint32_t value = nic->state.slots[slot];

    if (offset == ICR) {
        nic->state.slots[slot] = 0;
        drive(nic);
    }
    return value;
}

/* What a write does besides changing the bits that can be written. */
static void act(uint32_t *at, uint64_t offset, uint32_t value)
{
    if (offset == ICR) {
        *at &= ~value;
    } else if (offset == IMS) {
        *at |= value & CAUSES;
    } else if (offset == EECD) {
        *at = (*at & ~EECD_GRANT) | ((value & EECD_REQUEST) != 0 ? EECD_GRANT : 0);
    } else if (offset == EERD) {
        *at = eerd_done(value);
    } else if (offset == MDIC) {
        *at = mdic_done(value);
    }
}

void e1000_write(DevNicE1000 *nic, uint64_t offset, uint32_t value)
{
    unsigned slot = 0;
    const Registers *registers = lookup(offset, &slot);

    if (offset == CTRL && (value & CTRL_RESET) != 0) {
        e1000_reset_registers(nic);
    } else if (offset == ICS) {
        *register_at(nic, ICR) |= value & CAUSES;
    } else if (offset == IMC) {
        *register_at(nic, IMS) &= ~value;
    } else if (registers != NULL) {
        uint32_t *at = &nic->state.slots[slot];

        *at = (*at & ~registers->writable) | (value & registers->writable);
        act(at, offset, value);
    }
    drive(nic);
}

/* ---- state */

/* Bits of registers that do more than keep what is written. */
static bool special_is_valid(uint64_t offset, uint32_t value)
{
    switch (offset) {
    case ICR:
    case IMS:
        return (value & ~CAUSES) == 0;
    case EECD:
        return (value & EECD_GRANT) == ((value & EECD_REQUEST) != 0 ? EECD_GRANT : 0);
    case EERD:
        return value == eerd_done((value & 0xFF00) | ((value & EERD_DONE) != 0 ? EERD_START : 0));
    case MDIC:
        return value == MDIC_READY || value == mdic_done(value);
    default:
        return true;
    }
}

/* Those that change by themselves. */
static uint32_t changeable(const Registers *registers)
{
    switch (registers->offset) {
    case ICR:
    case IMS:
    case EERD:
    case MDIC:
        return UINT32_MAX;
    case EECD:
        return registers->writable | EECD_GRANT;
    default:
        return registers->writable;
    }
}

bool e1000_state_is_valid(const void *loaded)
{
    const E1000State *state = loaded;
    const uint32_t *value = state->slots;

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        for (unsigned k = 0; k < table[i].n; k++, value++) {
            if (((*value ^ table[i].reset) & ~changeable(&table[i])) != 0 ||
                !special_is_valid(table[i].offset + 4u * k, *value)) {
                return false;
            }
        }
    }
    return state->port_address % 4 == 0;
}
