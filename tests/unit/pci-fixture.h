/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PCI bus on the fixture's ports. */
#pragma once

#include "chip-fixture.h"
#include "devices/pci.h"

static DevPciBus *bus;

static inline void pci_setup(void)
{
    fixture_setup();
    bus = dev_pci_bus_new(ports, NULL);
    ck_assert_ptr_nonnull(bus);
}

static inline void pci_teardown(void)
{
    dev_pci_bus_free(bus);
    ck_assert_ptr_null(emu_ports_owner(ports, 0xCF8));
    ck_assert_ptr_null(emu_ports_owner(ports, 0xCFC));
    fixture_teardown();
}

static inline void config_address(unsigned devfn, unsigned reg)
{
    emu_ports_write(ports, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
}

static inline uint32_t config_read(unsigned devfn, unsigned reg, unsigned size)
{
    config_address(devfn, reg);
    return emu_ports_read(ports, (uint16_t)(0xCFC + (reg & 3)), size);
}

static inline void config_write(unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
    config_address(devfn, reg);
    emu_ports_write(ports, (uint16_t)(0xCFC + (reg & 3)), size, value);
}

/* Registers of a function get random values in random sizes. */
static inline void fuzz_config(unsigned devfn, uint32_t seed, unsigned n_steps)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (unsigned i = 0; i < n_steps; i++) {
        config_write(devfn, g_rand_int(rand) & 0xFF, 1u << g_rand_int_range(rand, 0, 3),
                     g_rand_int(rand));
    }
}

/* A doubleword of configuration space: after reset, and after all ones were written to it. */
typedef struct ConfigRow {
    unsigned reg;
    uint32_t reset;
    uint32_t ones;
} ConfigRow;

/* Every doubleword is as its row says, or 0 and read-only without one. Run it on a function after
 * reset. */
static inline void check_config_map(unsigned devfn, const ConfigRow *rows, unsigned n_rows)
{
    unsigned n_used = 0;

    for (unsigned reg = 0; reg < 256; reg += 4) {
        ConfigRow want = { reg, 0, 0 };

        for (unsigned i = 0; i < n_rows; i++) {
            if (rows[i].reg == reg) {
                want = rows[i];
                n_used++;
            }
        }
        ck_assert_msg(config_read(devfn, reg, 4) == want.reset, "register %#x is %#x after reset",
                      reg, config_read(devfn, reg, 4));
        config_write(devfn, reg, 4, 0xFFFFFFFF);
        ck_assert_msg(config_read(devfn, reg, 4) == want.ones, "register %#x keeps %#x", reg,
                      config_read(devfn, reg, 4));
    }
    ck_assert_uint_eq(n_used, n_rows);
}
